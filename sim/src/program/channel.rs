//! The law of each channel from a border to the next.

use std::f64::consts::TAU;

use super::{Channel, Stage};
use crate::clock::{Clock, Segment};
use crate::disturbance::{Change, Component, ComponentPlace, Modulation};
use crate::gate::{Cut, Gate, cuts_of};
use crate::instant::Instant;
use crate::law::{ClosedForm, ClosedFormLine, Factor, Line, Place, Ring};
use crate::plan::WaveShape;
use crate::track;
use crate::track::Track;

/// A disturbance with its exact instants.
#[derive(Clone, Copy)]
pub(super) struct Active<'a> {
    pub(super) from: Instant,
    pub(super) until: Option<Instant>,
    pub(super) change: &'a Change,
}

impl Active<'_> {
    pub(super) fn is_under_way(&self, at: Instant) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// What is set over time: per phase the amplitudes and the angles in turns, voltages first.
pub(super) struct Tracks {
    pub(super) amplitudes: Vec<Track>,
    pub(super) angles: Vec<Track>,
    pub(super) celsius: Track,
    pub(super) frequency: Track,
}

/// What holds between two borders.
pub(super) struct Composer<'a> {
    pub(super) stage: &'a Stage,
    pub(super) clock: &'a Clock,
    pub(super) segment: Segment,
    pub(super) tracks: &'a Tracks,
    pub(super) under_way: &'a [Active<'a>],
    pub(super) from: Instant,
    pub(super) until: Option<Instant>,
}

/// Which stage, which segment, and of each rectangular flicker which it is and at which level.
#[derive(PartialEq)]
pub(super) struct Halves(*const Stage, Segment, Vec<(*const Change, bool)>);

/// A channel on its way to a law.
struct Draft<'a> {
    phase: usize,
    is_voltage: bool,
    /// The undisturbed channel, and the voltage of its phase.
    channel: &'a Channel,
    voltage: &'a Channel,
    /// RMS value and angle of the undisturbed fundamental.
    rms: f64,
    turns: f64,
    /// Turns by which the whole wave is ahead.
    shift: f64,
    law: ClosedForm,
}

impl Composer<'_> {
    /// The laws of all channels, voltages first.
    pub(super) fn laws(&self) -> Vec<ClosedForm> {
        let phases = self.stage.voltages.len();
        (0..2 * phases).map(|channel| self.law(channel % phases, channel < phases)).collect()
    }

    fn law(&self, phase: usize, is_voltage: bool) -> ClosedForm {
        let phases = self.stage.voltages.len();
        let swapped = self.is(|change| matches!(change, Change::ReversedSequence));
        let of = if swapped && phases == 3 { [0, 2, 1][phase] } else { phase };
        let side = if is_voltage { &self.stage.voltages } else { &self.stage.currents };
        let channel = &side[of];
        let (rms, turns) = channel.fundamental().unwrap_or_default();
        let lines =
            channel.lines.iter().map(|line| ClosedFormLine { line: *line, factors: Vec::new() });
        let law = ClosedForm { lines: lines.collect(), dc: channel.dc, ..ClosedForm::default() };
        let voltage = &self.stage.voltages[of];
        let mut draft = Draft { phase, is_voltage, channel, voltage, rms, turns, shift: 0.0, law };
        self.shift(&mut draft, if is_voltage { phase } else { phases + phase });
        for active in self.under_way {
            self.add(&mut draft, active);
        }
        if !is_voltage {
            self.shape(&mut draft);
        }
        draft.law.noise_rms = self.noise_rms(&draft);
        draft.finish(self.segment.frequency_hz)
    }

    fn is(&self, which: impl Fn(&Change) -> bool) -> bool {
        self.under_way.iter().any(|active| which(active.change))
    }

    /// What is set for a channel: its amplitude and its angle.
    fn shift(&self, draft: &mut Draft<'_>, channel: usize) {
        let amplitude = self.tracks.amplitudes[channel].line_at(self.from);
        if amplitude.per_s != 0.0 {
            draft.law.factors.push(Factor::Line(amplitude));
        } else if amplitude.value != 1.0 {
            draft.law.factors.push(Factor::constant(amplitude.value));
        }
        let angle = self.tracks.angles[channel].line_at(self.from);
        if angle.per_s == 0.0 {
            draft.shift += angle.value;
        } else {
            draft.law.shift = Some(angle);
        }
    }

    fn add(&self, draft: &mut Draft<'_>, active: &Active<'_>) {
        let (phase, is_voltage) = (draft.phase, draft.is_voltage);
        match active.change {
            Change::Level { factors, jumps_rad, .. } if is_voltage => {
                if let (Some(factor), Some(jump)) = (factors.get(phase), jumps_rad.get(phase)) {
                    draft.law.factors.push(Factor::constant(*factor));
                    draft.shift += jump / TAU;
                }
            }
            Change::Component { phases, component } if phases.has(phase) => {
                self.component(draft, active, component);
            }
            Change::Flicker { phases, modulation, depth, hz }
                if is_voltage && phases.has(phase) =>
            {
                draft.law.factors.push(self.flicker(active, *modulation, *depth, *hz));
            }
            Change::Notch { phases, per_cycle, first_rad, width_rad, depth }
                if is_voltage && phases.has(phase) =>
            {
                let count = (*per_cycle).max(1);
                let width = (width_rad / TAU).clamp(0.0, 1.0 / f64::from(count));
                let cut = |k: u32| {
                    let from = first_rad / TAU + f64::from(k) / f64::from(count);
                    Cut { from, to: from + width, factor: 1.0 - depth }
                };
                let offset = self.segment.turns + draft.turns + 0.25;
                let cuts = (0..count).map(cut).collect();
                draft.law.gates.push(Gate { cycles: 1, offset, cuts });
            }
            Change::Transient { phases, peak_v, hz, decay_s, .. }
                if is_voltage && phases.has(phase) =>
            {
                let ring = Ring { since: active.from, peak: *peak_v, hz: *hz, decay_s: *decay_s };
                draft.law.rings.push(ring);
            }
            Change::Direct { phases, voltage_v, current_a } if phases.has(phase) => {
                draft.law.added_dc += if is_voltage { *voltage_v } else { *current_a };
            }
            _ => {}
        }
    }

    fn component(&self, draft: &mut Draft<'_>, active: &Active<'_>, component: &Component) {
        let (share, angle_rad) = if draft.is_voltage {
            (component.voltage_share, component.voltage_angle_rad)
        } else {
            (component.current_share, component.current_angle_rad)
        };
        if share == 0.0 {
            return;
        }
        let angle = angle_rad / TAU;
        let (place, turns) = match component.place {
            ComponentPlace::Order(order) => {
                let start = draft.voltage.fundamental().map_or(0.0, |(_, turns)| turns);
                (Place::Order(order), f64::from(order) * start + angle)
            }
            ComponentPlace::Hertz(hz) => {
                let back = active.from.turns_since(Instant::default(), hz);
                (Place::Hertz(hz), angle - back)
            }
        };
        let line = Line { place, rms: share * draft.rms, turns: turns - turns.round() };
        let mut factors = Vec::new();
        let rise_s = component.rise.as_seconds_f64();
        if self.from.seconds_since(active.from) < rise_s {
            let per_s = 1.0 / rise_s;
            factors.push(Factor::Line(track::Line { since: active.from, value: 0.0, per_s }));
        }
        if let Some(until) = active.until {
            let (fall_s, left_s) =
                (component.fall.as_seconds_f64(), until.seconds_since(self.from));
            if fall_s > 0.0 && left_s <= fall_s {
                let per_s = -1.0 / fall_s;
                factors.push(Factor::Line(track::Line { since: until, value: 0.0, per_s }));
            }
        }
        if component.swing != 0.0 {
            factors.push(swing(component.swing, component.swing_hz, active.from));
        }
        draft.law.lines.push(ClosedFormLine { line, factors });
    }

    /// Whether a rectangular flicker is at its higher level.
    fn is_high(&self, active: &Active<'_>, hz: f64) -> bool {
        // The middle of the piece decides which half it is, whatever is rounded at its ends.
        let until = self.until.unwrap_or(self.from);
        let half = 0.5 * until.seconds_since(self.from);
        let since_s = self.from.seconds_since(active.from) + half;
        ((since_s * 2.0 * hz).floor() as i64).rem_euclid(2) == 0
    }

    /// What decides all laws where nothing is set and nothing but rectangular flicker is under way;
    /// `None` anywhere else.
    pub(super) fn halves(&self) -> Option<Halves> {
        let set = self.tracks.amplitudes.iter().chain(&self.tracks.angles);
        if self.under_way.is_empty() || set.into_iter().any(|track| track.lines.len() > 1) {
            return None;
        }
        let half = |active: &Active<'_>| match active.change {
            Change::Flicker { modulation: Modulation::Rectangle, hz, .. } => {
                Some((std::ptr::from_ref(active.change), self.is_high(active, *hz)))
            }
            _ => None,
        };
        let halves = self.under_way.iter().map(half).collect::<Option<_>>()?;
        Some(Halves(self.stage, self.segment, halves))
    }

    fn flicker(&self, active: &Active<'_>, modulation: Modulation, depth: f64, hz: f64) -> Factor {
        match modulation {
            Modulation::Sine => swing(0.5 * depth, hz, active.from),
            Modulation::Rectangle => {
                let sign = if self.is_high(active, hz) { 0.5 } else { -0.5 };
                Factor::constant(1.0 + sign * depth)
            }
        }
    }

    /// The shape that holds, and when it began: of those under way the last, else the stage's.
    fn shape(&self, draft: &mut Draft<'_>) {
        let of = |active: &Active<'_>| match active.change {
            Change::Shape { phases, shape } if phases.has(draft.phase) => {
                Some((*shape, active.from))
            }
            _ => None,
        };
        let last = self.under_way.iter().rev().find_map(of);
        let (shape, since) = last.unwrap_or((self.stage.shape, self.stage.from.into()));
        for harmonic in shape.harmonics() {
            let order = f64::from(harmonic.order);
            let turns = order * (draft.turns + 0.25) + harmonic.angle_rad / TAU - 0.25;
            let (place, rms) = (Place::Order(harmonic.order), draft.rms * harmonic.share);
            let line = Line { place, rms, turns: turns - turns.round() };
            draft.law.lines.push(ClosedFormLine { line, factors: Vec::new() });
        }
        let Some((cycles, cuts)) = cuts_of(&shape) else { return };
        let here = self.clock.turns_within(self.segment.from, cycles);
        let mut offset = here + draft.turns + 0.25;
        if let WaveShape::BurstFired { .. } = shape {
            // The count of cycles begins at the first positive zero crossing of the wave.
            let began = self.clock.turns_within(since, cycles) + draft.turns + 0.25;
            // What is rounded to just after a crossing has it still before it.
            offset -= (began - 1e-9).ceil();
        }
        draft.law.gates.push(Gate { cycles, offset, cuts });
    }

    fn noise_rms(&self, draft: &Draft<'_>) -> f64 {
        let own = draft.channel.noise_rms;
        let mut square = own * own;
        let mut is_alone = true;
        for active in self.under_way {
            if let Change::Noise { phases, voltage_v, current_a } = active.change
                && phases.has(draft.phase)
            {
                let added = if draft.is_voltage { voltage_v } else { current_a };
                square += added * added;
                is_alone = false;
            }
        }
        if is_alone { own } else { square.sqrt() }
    }
}

impl Draft<'_> {
    /// Moves the whole wave, its gates included, by the shift that does not change.
    fn finish(mut self, frequency_hz: f64) -> ClosedForm {
        if let Some(moving) = &mut self.law.shift {
            moving.value += self.shift;
            return self.law;
        }
        if self.shift != 0.0 {
            for ClosedFormLine { line, .. } in &mut self.law.lines {
                let orders = match line.place {
                    Place::Order(order) => f64::from(order),
                    Place::Hertz(hz) => hz / frequency_hz,
                };
                line.turns += orders * self.shift;
                line.turns -= line.turns.round();
            }
            for gate in &mut self.law.gates {
                gate.offset += self.shift;
            }
        }
        self.law
    }
}

/// `1 + half_depth sin(2 pi f t)` from an instant on.
fn swing(half_depth: f64, hz: f64, since: Instant) -> Factor {
    let turns = -since.turns_since(Instant::default(), hz) - 0.25;
    Factor::Swing { half_depth, hz, turns }
}
