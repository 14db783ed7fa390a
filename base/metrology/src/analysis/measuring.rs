//! The measurement proper: everything a piece of samples goes through, and the result at the end.

use std::collections::VecDeque;

use super::notes;
use super::notes::{LeftOut, WindowFacts};
use super::setup::{AnalyserSetup, Described, TRACKABLE_CYCLES, full_cycles};
use super::totals::{Distortion, PhaseTotals, Totals, has_signal, total, window_unbalance};
use super::watch::{CurrentWatch, FlickerWatch, HalfCycleWatch, VoltageWatch};
use crate::acquire::Acquired;
use crate::aggregate::{Aggregator, TEN_MINUTES_S};
use crate::en50160::{TEN_MINUTES_PER_WEEK, WEEK_S, WeeklyJudge};
use crate::energy::{EnergyRegisters, Powers};
use crate::engine::{EngineConfig, WindowEngine};
use crate::flagging::Flags;
use crate::flicker::{FlickerConfig, Lamp, SETTLING_S, SHORT_TERM_S};
use crate::power_theory::{PowerMeans, PowerTheory};
use crate::recording::{AnalysisError, AnalysisInput};
use crate::result::{
    Aggregates, Analysis, Energy, HalfCycleAnalysis, PhaseAnalysis, PhaseFlicker, PhaseValues,
    UnbalanceValues, WaveformAnalysis, WindowAnalysis,
};
use crate::ticks::{first_tick_s, first_two_hours_s};
use crate::window::{PhaseQuantities, Window};

/// A recording that begins this near to a public low voltage is taken for one.
const DECLARED_TOLERANCE: f64 = 0.1;

/// A run of steady cycles with this part of the cycles of all windows has the frequency.
const RUN_PART: f64 = 0.75;

/// Windows and everything beside them.
#[derive(Debug)]
pub(super) struct Measuring {
    acquired: Acquired,
    cycles: u32,
    /// The reference's place among the engine's channels.
    reference: usize,
    names: Vec<String>,
    channels: (usize, usize),
    declared_v: (Option<f64>, bool),
    engine: WindowEngine,
    zeros: Vec<f64>,
    /// Windows whose flags are not known yet.
    pending: VecDeque<Window>,
    totals: Totals,
    /// Of windows without a trustworthy fundamental.
    rest: Totals,
    left_out: LeftOut,
    windows: Vec<WindowAnalysis>,
    last: Option<WindowAnalysis>,
    waveforms: Vec<WaveformAnalysis>,
    events: Option<VoltageWatch>,
    half_cycles: Option<HalfCycleWatch>,
    currents: CurrentWatch,
    flicker: Option<FlickerWatch>,
    aggregator: Aggregator,
    aggregates: Aggregates,
    judge: Option<WeeklyJudge>,
    /// When the first ten-minute tick of the clock is, in s since the first sample.
    first_tick_s: f64,
    energy: EnergyRegisters,
}

impl Measuring {
    /// Ready for the first sample of a recording whose beginning is known.
    pub(super) fn new(
        setup: &AnalyserSetup,
        acquired: &Acquired,
        cycles: u32,
        beginning: &AnalysisInput<'_>,
    ) -> Result<Self, AnalysisError> {
        let phases = setup.voltages.max(setup.currents);
        let Acquired { frequency_hz, nominal_hz, .. } = *acquired;
        let rate_hz = setup.rate_hz;
        let first_sample_unix_ns = setup.options.first_sample_unix_ns;
        let first_tick_s = first_sample_unix_ns.map_or(0.0, first_tick_s);
        let config = EngineConfig {
            harmonics: true,
            // Less than one window has no next one.
            first_sample_unix_ns: first_sample_unix_ns
                .filter(|_| cycles == full_cycles(nominal_hz)),
            samples_per_cycle: setup.options.samples_per_cycle,
            ..EngineConfig::new(rate_hz, nominal_hz, phases)
        };
        let mut engine = WindowEngine::with_cycles(config, cycles)?;
        if acquired.cycles < TRACKABLE_CYCLES {
            engine.fix_frequency(frequency_hz);
        } else {
            engine.guide(frequency_hz);
        }
        let reference = match acquired.channel.checked_sub(setup.voltages) {
            None => acquired.channel,
            Some(current) => phases + current,
        };
        let given_v = setup.options.declared_voltage_v;
        let declared_v = given_v.or_else(|| guess_declared(beginning, nominal_hz));
        let watched_v = declared_v.filter(|_| setup.voltages > 0);
        let lamp = setup.options.lamp.unwrap_or_else(|| guess_lamp(declared_v, nominal_hz));
        Ok(Self {
            acquired: acquired.clone(),
            cycles,
            reference,
            names: setup.names.clone(),
            channels: (setup.voltages, setup.currents),
            declared_v: (watched_v, given_v.is_none()),
            engine,
            zeros: Vec::new(),
            pending: VecDeque::new(),
            totals: Totals::new(phases),
            rest: Totals::new(phases),
            left_out: LeftOut::default(),
            windows: Vec::new(),
            last: None,
            waveforms: Vec::new(),
            events: watched_v
                .map(|v| VoltageWatch::new(rate_hz, frequency_hz, nominal_hz, setup.voltages, v)),
            half_cycles: setup
                .options
                .half_cycles
                .then(|| HalfCycleWatch::new(rate_hz, frequency_hz, setup.voltages)),
            currents: CurrentWatch::new(rate_hz, frequency_hz, setup.currents),
            flicker: FlickerWatch::new(
                FlickerConfig { rate_hz, nominal_hz, lamp },
                setup.voltages,
                first_sample_unix_ns.map(first_two_hours_s),
            ),
            aggregator: Aggregator::new(first_sample_unix_ns.map_or(0.0, first_two_hours_s)),
            aggregates: Aggregates::default(),
            judge: watched_v.map(|v| {
                let names = &setup.names[..setup.voltages];
                WeeklyJudge::new(v, nominal_hz, names).beginning_at(first_tick_s)
            }),
            first_tick_s,
            energy: EnergyRegisters::default(),
        })
    }

    /// Takes the next samples, voltages first.
    pub(super) fn push(&mut self, channels: &[&[f64]]) -> Result<(), AnalysisError> {
        let (voltages, currents) = channels.split_at(self.channels.0.min(channels.len()));
        let phases = self.names.len();
        let count = channels.first().map_or(0, |samples| samples.len());
        self.zeros.resize(count, 0.0);
        // A channel for every phase: zeros where the recording has none.
        let zeros = self.zeros.as_slice();
        let u: Vec<_> = (0..phases).map(|p| voltages.get(p).copied().unwrap_or(zeros)).collect();
        let i: Vec<_> = (0..phases).map(|p| currents.get(p).copied().unwrap_or(zeros)).collect();
        self.engine.push(&u, &i)?;
        if let Some(events) = &mut self.events {
            events.push(voltages);
        }
        if let Some(half_cycles) = &mut self.half_cycles {
            half_cycles.push(voltages, currents);
        }
        self.currents.push(currents);
        if let Some(flicker) = &mut self.flicker {
            flicker.push(voltages);
        }
        self.advance();
        Ok(())
    }

    /// Hands on the windows that are complete and whose flags are known.
    fn advance(&mut self) {
        let single = self.cycles < full_cycles(self.acquired.nominal_hz);
        while let Some(window) = self.engine.pop() {
            // One only where that is less than a full window.
            if !single || (self.count() == 0 && self.pending.is_empty()) {
                self.pending.push_back(window);
            }
        }
        while let Some(window) = self.pending.front() {
            let (start_s, end_s) = (window.start_s, window.start_s + window.duration_s);
            let flags = match &mut self.events {
                Some(events) => events.flags(start_s, end_s),
                None => Some(Flags::default()),
            };
            let Some(flags) = flags else { break };
            if let Some(window) = self.pending.pop_front() {
                self.take(&window, flags);
            }
        }
        if let (Some(flicker), Some(events)) = (&mut self.flicker, &mut self.events) {
            flicker.flag(events);
        }
    }

    /// Windows so far.
    fn count(&self) -> u32 {
        self.totals.windows + self.rest.windows
    }

    fn take(&mut self, window: &Window, flags: Flags) {
        if window.flagged {
            self.left_out.add(window.start_s);
            self.rest.add(window, self.reference);
        } else {
            self.totals.add(window, self.reference);
        }
        let mut powers: Vec<Powers> = window
            .phases
            .iter()
            .map(|phase| Powers { p_w: phase.p_w, q_var: phase.q1_var, s_va: phase.s_va })
            .collect();
        let mut duration_s = window.duration_s;
        // What lies beyond a tick is in the next window, too.
        if let Some(before) = &window.before_tick {
            duration_s = before.duration_s;
            powers.iter_mut().zip(&before.p_w).for_each(|(powers, p_w)| powers.p_w = *p_w);
        }
        self.energy.add_net(&powers, duration_s);
        self.waveforms.extend(self.waveform(window));
        self.aggregator.push(window, flags);
        self.collect();
        let shown = self.shown(window, flags);
        self.last = Some(shown.clone());
        self.windows.push(shown);
    }

    /// A window's waveform, without the channels that do not exist and without what lies beyond a
    /// tick, which is in the next.
    fn waveform(&self, window: &Window) -> Option<WaveformAnalysis> {
        let samples = window.synchronous.as_deref()?;
        let (voltages, currents) = self.channels;
        let voltages = samples.voltages.iter().take(voltages);
        let mut channels: Vec<Vec<f64>> =
            voltages.chain(samples.currents.iter().take(currents)).cloned().collect();
        let points = samples.per_cycle * window.cycles as usize;
        let step_s = window.duration_s / points.max(1) as f64;
        if let Some(before) = &window.before_tick {
            let kept = (before.duration_s / step_s - 1e-6).ceil() as usize;
            for channel in &mut channels {
                channel.truncate(kept);
            }
        }
        Some(WaveformAnalysis { start_s: window.start_s, step_s, channels })
    }

    pub(super) fn take_waveforms(&mut self) -> Vec<WaveformAnalysis> {
        std::mem::take(&mut self.waveforms)
    }

    pub(super) fn take_half_cycles(&mut self) -> Vec<HalfCycleAnalysis> {
        self.half_cycles.as_mut().map(HalfCycleWatch::take).unwrap_or_default()
    }

    /// Takes over what the aggregation has completed.
    fn collect(&mut self) {
        let (aggregator, to) = (&mut self.aggregator, &mut self.aggregates);
        to.cycles_150_180.extend(std::iter::from_fn(|| aggregator.pop_short()));
        while let Some(value) = aggregator.pop_ten_minutes() {
            if let Some(judge) = &mut self.judge {
                judge.push_ten_minutes(&value);
            }
            to.ten_minutes.push(value);
        }
        to.two_hours.extend(std::iter::from_fn(|| aggregator.pop_two_hours()));
        while let Some(value) = aggregator.pop_frequency() {
            if let Some(judge) = &mut self.judge {
                judge.push_frequency(&value);
            }
            to.frequency_10s.push(value);
        }
    }

    pub(super) fn take_windows(&mut self) -> Vec<WindowAnalysis> {
        std::mem::take(&mut self.windows)
    }

    /// One window's values.
    fn shown(&self, window: &Window, flags: Flags) -> WindowAnalysis {
        let (voltages, currents) = self.channels;
        let phase = |(p, quantities): (usize, &PhaseQuantities)| {
            let present = (p < voltages, p < currents);
            let theory = PowerTheory::new(&PowerMeans::of(quantities));
            let signals = (
                has_signal(quantities.u_rms_v.powi(2), theory.u1_v.powi(2)),
                has_signal(quantities.i_rms_a.powi(2), theory.i1_a.powi(2)),
            );
            let both = quantities.harmonics.as_deref();
            let u = Distortion::of(both.map(|h| &h.u), signals.0);
            let i = Distortion::of(both.map(|h| &h.i), signals.1);
            let rms = (quantities.u_rms_v, quantities.i_rms_a);
            values(&self.names[p], present, rms, &theory, signals, (u, i))
        };
        let unbalance = window_unbalance(window, voltages == 3, currents == 3);
        WindowAnalysis {
            start_s: window.start_s,
            duration_s: window.duration_s,
            flagged: window.flagged || flags.any(),
            overlaps_next: window.before_tick.is_some(),
            frequency_hz: window.tracked.then_some(window.frequency_hz),
            unbalance,
            phases: window.phases.iter().enumerate().map(phase).collect(),
        }
    }

    fn end(&mut self) {
        self.engine.finish();
        if let Some(half_cycles) = &mut self.half_cycles {
            half_cycles.finish();
        }
        if let Some(events) = &mut self.events {
            events.finish();
        }
        self.advance();
        self.aggregator.finish();
        self.collect();
    }

    /// Decides which windows the values over the recording are taken over: those with a trustworthy
    /// fundamental, or all if there is none. Answers with the phases, what they are taken over, and
    /// the notes on both.
    fn sum_up(
        &mut self,
        setup: &AnalyserSetup,
        samples: usize,
    ) -> (Vec<PhaseAnalysis>, String, Vec<String>) {
        let overlapping = self.totals.overlapping + self.rest.overlapping;
        let is_steady = self.totals.windows > 0;
        if !is_steady {
            std::mem::swap(&mut self.totals, &mut self.rest);
        }
        let described = Described {
            acquired: &self.acquired,
            rate_hz: setup.rate_hz,
            given_hz: setup.nominal_hz,
            stated_hz: setup.options.stated_hz,
            names: &setup.names,
            voltages: setup.voltages,
            currents: setup.currents,
            samples,
            has_clock: setup.options.first_sample_unix_ns.is_some(),
            cycles: self.cycles,
        };
        let windows = WindowFacts {
            used: self.totals.windows,
            is_steady,
            left_out: &self.left_out,
            overlapping,
            tracked: self.engine.tracked(),
            last: self.last.as_ref(),
        };
        let phases: Vec<_> = (0..self.names.len()).map(|p| self.phase(p)).collect();
        let mut notes = Vec::new();
        notes::frequency(&described, &mut notes);
        notes::basis(&described, &windows, &mut notes);
        notes::channels(&described, &self.totals, &phases, &mut notes);
        let basis = basis(self.totals.windows, self.cycles, described.full_cycles());
        (phases, basis, notes)
    }

    pub(super) fn finish(
        mut self,
        setup: &AnalyserSetup,
        samples: usize,
    ) -> Result<Analysis, AnalysisError> {
        self.end();
        if self.count() == 0 {
            let (found_s, cycle_s) =
                (samples as f64 / setup.rate_hz, 1.0 / self.acquired.frequency_hz);
            return Err(AnalysisError::TooShort { found_s, cycle_s });
        }
        let (mut phases, basis, mut notes) = self.sum_up(setup, samples);
        let sum = |of: &dyn Fn(&PhaseValues) -> Option<f64>| -> Option<f64> {
            phases.iter().map(|phase| of(&phase.values)).sum()
        };
        let sums = [sum(&|v| v.p_w), sum(&|v| v.q1_var), sum(&|v| v.s_va)];
        let (voltages, currents) = self.channels;
        let complete = (voltages, currents) == (3, 3);
        let total = total(&self.totals, sums, complete, &mut notes);
        let flicker = self.flicker_values(samples as f64 / setup.rate_hz, &mut notes);
        for (phase, flicker) in phases.iter_mut().zip(flicker) {
            phase.flicker = Some(flicker);
        }
        let [u, i] = self.totals.unbalance();
        let (events, system_events, rapid_changes) = self.reported_events(&mut notes);
        let en50160 = self.weekly(samples as f64 / setup.rate_hz, &phases, &mut notes);
        let half_cycles = self.take_half_cycles();
        Ok(Analysis {
            format_version: 1,
            rate_hz: setup.rate_hz,
            frequency_hz: self.frequency_hz(),
            duration_s: samples as f64 / setup.rate_hz,
            basis,
            phases,
            total,
            // Symmetrical components need all three phases (IEC 61000-4-30, 5.7).
            unbalance: UnbalanceValues::new(
                Some(u).filter(|_| voltages == 3),
                Some(i).filter(|_| currents == 3),
            ),
            energy: (voltages > 0 && currents > 0).then(|| energy(&self.energy)),
            windows: self.windows,
            waveforms: self.waveforms,
            half_cycles,
            declared_voltage_v: self.declared_v.0,
            events,
            system_events,
            rapid_changes,
            current_events: self.currents.finish(&setup.names),
            aggregates: self.aggregates,
            en50160,
            notes,
        })
    }

    /// The frequency of the recording: the mean of the windows', or that of the run of steady
    /// cycles it was found in, where these are about as long as all windows together: few windows
    /// are moved by what is too little to see in one of them.
    fn frequency_hz(&self) -> f64 {
        let run = self.acquired.steady.map_or(0.0, |run| run.cycles);
        let windows = f64::from(self.totals.windows) * f64::from(self.cycles);
        let mean = self.totals.frequency_hz().filter(|_| run < RUN_PART * windows);
        mean.unwrap_or(self.acquired.frequency_hz)
    }

    /// One phase over all windows.
    fn phase(&self, p: usize) -> PhaseAnalysis {
        let (has_u, has_i) = (p < self.channels.0, p < self.channels.1);
        let totals: &PhaseTotals = &self.totals.phases[p];
        let theory = totals.power_theory();
        let signals = totals.signals();
        let means = totals.means();
        let distortion =
            |of: Distortion, signal: bool| if signal { of } else { Distortion::default() };
        let distortions = (
            distortion(totals.u.distortion(), signals.0),
            distortion(totals.i.distortion(), signals.1),
        );
        let rms = (means.u2.max(0.0).sqrt(), means.i2.max(0.0).sqrt());
        let values = values(&self.names[p], (has_u, has_i), rms, &theory, signals, distortions);
        let both = has_u && has_i && signals.0 && signals.1;
        PhaseAnalysis {
            values,
            ieee1459: both.then_some(theory),
            flicker: None,
            harmonics_u: has_u.then(|| totals.u.lines()),
            harmonics_i: has_i.then(|| totals.i.lines()),
            interharmonics_u: has_u.then(|| totals.u.interharmonics()),
            interharmonics_i: has_i.then(|| totals.i.interharmonics()),
        }
    }

    /// Flicker of every voltage, or a note why there is none.
    fn flicker_values(&self, duration_s: f64, notes: &mut Vec<String>) -> Vec<PhaseFlicker> {
        let Some(watch) = self.flicker.as_ref().filter(|_| self.channels.0 > 0) else {
            return Vec::new();
        };
        if duration_s < SETTLING_S + SHORT_TERM_S {
            notes.push(format!(
                "flicker is null: it needs {SETTLING_S} s to settle and {SHORT_TERM_S} s for one \
                 value, the recording has {duration_s:.3} s"
            ));
            return Vec::new();
        }
        notes.push(format!("flicker is that of the {} lamp", watch.lamp()));
        watch.values()
    }

    /// Voltage events, or a note why there are none.
    #[expect(clippy::type_complexity, reason = "three lists that are null together")]
    fn reported_events(
        &mut self,
        notes: &mut Vec<String>,
    ) -> (Option<Vec<crate::Event>>, Option<Vec<crate::Event>>, Option<Vec<crate::RapidChangeEvent>>)
    {
        let Some(watch) = &mut self.events else {
            notes.push(
                "events are null: dips and swells need a declared voltage, which a recording does \
                 not carry"
                    .to_owned(),
            );
            return (None, None, None);
        };
        if let (Some(volts), true) = self.declared_v {
            notes.push(format!(
                "the declared voltage of {volts} V was inferred from the first voltage, which begins \
                 near it"
            ));
        }
        let (single, system) = watch.events(&self.names);
        let system = Some(system).filter(|_| self.channels.0 > 1);
        (Some(single), system, Some(watch.rapid_changes(&self.names)))
    }

    /// The weekly verdict, or a note why there is none.
    fn weekly(
        &mut self,
        duration_s: f64,
        phases: &[PhaseAnalysis],
        notes: &mut Vec<String>,
    ) -> Option<Vec<crate::en50160::WeeklyRow>> {
        if duration_s < WEEK_S {
            notes.push(format!(
                "en50160 is null: its verdict is weekly, the recording has {:.4} of a week",
                duration_s / WEEK_S
            ));
            return None;
        }
        let Some(judge) = &mut self.judge else {
            notes.push("en50160 is null: it needs a declared voltage".to_owned());
            return None;
        };
        for (p, phase) in phases.iter().enumerate() {
            for value in phase.flicker.iter().flat_map(|flicker| &flicker.plt) {
                judge.push_long_term(p, value.start_s, value.plt, value.flagged);
            }
        }
        let intervals = &self.aggregates.ten_minutes;
        let used = intervals.iter().filter(|value| value.start_s > self.first_tick_s - 1e-3);
        let end_s = intervals.last().map_or(0.0, |last| last.start_s + TEN_MINUTES_S);
        notes.push(format!(
            "en50160 is of {} whole intervals of ten minutes (a week has {TEN_MINUTES_PER_WEEK}); \
             the {:.3} s before and the {:.3} s after them are left out{}",
            used.clone().count(),
            self.first_tick_s,
            (duration_s - end_s).max(0.0),
            if used.count() + 1 == TEN_MINUTES_PER_WEEK as usize {
                ", which cost it the one that is missing"
            } else {
                ""
            }
        ));
        judge.ends_at(duration_s);
        Some(judge.rows())
    }
}

/// A public low voltage the first voltage begins near to.
fn guess_declared(beginning: &AnalysisInput<'_>, nominal_hz: f64) -> Option<f64> {
    let samples = beginning.voltages.first()?;
    let square = samples.iter().map(|x| x * x).sum::<f64>() / samples.len().max(1) as f64;
    let usual = if nominal_hz == 60.0 { 120.0 } else { 230.0 };
    ((square.sqrt() / usual - 1.0).abs() <= DECLARED_TOLERANCE).then_some(usual)
}

fn guess_lamp(declared_v: Option<f64>, nominal_hz: f64) -> Lamp {
    let low = match declared_v {
        // Between the two low voltages; transformed ones are judged by the frequency.
        Some(volts) if volts < 500.0 => volts < 160.0,
        _ => nominal_hz == 60.0,
    };
    if low { Lamp::V120 } else { Lamp::V230 }
}

/// "15 windows of 10 cycles" or, for less than one window, "9 cycles".
fn basis(windows: u32, cycles: u32, full: u32) -> String {
    let plural = |n: u32, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    if cycles == full {
        format!("{} of {}", plural(windows, "window"), plural(cycles, "cycle"))
    } else {
        plural(cycles, "cycle")
    }
}

fn energy(registers: &EnergyRegisters) -> Energy {
    let hours = |joules: f64| joules / 3600.0;
    Energy {
        active_import_wh: hours(registers.active_import_j()),
        active_export_wh: hours(registers.active_export_j()),
        reactive_varh: registers.reactive_j().map(hours),
        apparent_vah: hours(registers.apparent_j()),
    }
}

/// The values of a phase, without those its missing or silent channels would be needed for.
fn values(
    name: &str,
    (has_u, has_i): (bool, bool),
    (u_rms_v, i_rms_a): (f64, f64),
    theory: &PowerTheory,
    signals: (bool, bool),
    (thd_u, thd_i): (Distortion, Distortion),
) -> PhaseValues {
    let both = |value: f64| (has_u && has_i).then_some(value);
    let fundamental = has_u && has_i && signals.0 && signals.1;
    PhaseValues {
        name: name.to_owned(),
        u_rms_v: has_u.then_some(u_rms_v),
        i_rms_a: has_i.then_some(i_rms_a),
        p_w: both(theory.p_w),
        q1_var: both(theory.q1_var),
        s_va: both(theory.s_va),
        n_var: both(theory.n_var),
        pf: theory.pf.filter(|_| has_u && has_i),
        thd_u_pct: thd_u.groups.filter(|_| has_u),
        thd_i_pct: thd_i.groups.filter(|_| has_i),
        thd_u_harm_pct: thd_u.lines.filter(|_| has_u),
        thd_i_harm_pct: thd_i.lines.filter(|_| has_i),
        q_budeanu_var: theory.q_budeanu_var.filter(|_| has_u && has_i),
        displacement_pf: theory.displacement_pf.filter(|_| fundamental),
    }
}
