//! What a reader must know about the values, in whole sentences.

use super::setup::{Described, TRACKABLE_CYCLES};
use super::totals::Totals;
use crate::acquire::Acquired;
use crate::aggregate::TEN_MINUTES_S;
use crate::result::{PhaseAnalysis, WindowAnalysis};
use crate::window::ORDER_MAX;

/// Windows without a trustworthy fundamental.
#[derive(Clone, Debug, Default)]
pub(super) struct LeftOut {
    count: u32,
    /// Where the first few begin, in s.
    starts_s: Vec<f64>,
}

impl LeftOut {
    const LISTED: usize = 6;

    pub(super) fn add(&mut self, start_s: f64) {
        self.count += 1;
        if self.starts_s.len() < Self::LISTED {
            self.starts_s.push(start_s);
        }
    }

    /// "at 0.2 s, 0.4 s, ...".
    fn places(&self) -> String {
        let list: Vec<String> = self.starts_s.iter().map(|at| format!("{at:.4} s")).collect();
        let more = if self.count as usize > list.len() { ", ..." } else { "" };
        format!("at {}{more}", list.join(", "))
    }
}

pub(super) struct WindowFacts<'a> {
    /// That the values over the recording are taken over.
    pub(super) used: u32,
    /// Whether these have a trustworthy fundamental.
    pub(super) is_steady: bool,
    pub(super) left_out: &'a LeftOut,
    /// Windows that run across a tick of the clock.
    pub(super) overlapping: u32,
    /// Windows by the engine's channel that they were tracked in.
    pub(super) tracked: &'a [u32],
    pub(super) last: Option<&'a WindowAnalysis>,
}

/// Notes on how the fundamental was found, and what contradicts it.
pub(super) fn frequency(described: &Described<'_>, notes: &mut Vec<String>) {
    let Described { acquired, given_hz, stated_hz, .. } = *described;
    let Acquired { frequency_hz, nominal_hz, channel, .. } = *acquired;
    let nearer = if frequency_hz < 55.0 { 50.0 } else { 60.0 };
    match (given_hz, stated_hz) {
        (Some(given_hz), _) => {
            if given_hz != nearer {
                notes.push(format!(
                    "the nominal frequency is given as {given_hz} Hz, but the fundamental has \
                     {frequency_hz:.3} Hz, nearer to {nearer} Hz"
                ));
            }
        }
        (None, Some(stated_hz)) if stated_hz != nearer || stated_hz != nominal_hz => {
            notes.push(format!(
                "the recording states a line frequency of {stated_hz} Hz, but its fundamental has \
                 {frequency_hz:.3} Hz; windows are those of {nominal_hz} Hz"
            ));
        }
        (None, Some(_)) => {}
        (None, None) => notes.push(format!(
            "the nominal frequency of {nominal_hz} Hz was inferred from the signal's \
             {frequency_hz:.3} Hz"
        )),
    }
    if channel != 0 || described.voltages == 0 {
        notes.push(format!(
            "frequency and phase angles refer to the {}: no voltage before it has a steady \
             fundamental for long enough",
            described.channel_name(channel)
        ));
    }
    for (channel, other_hz) in &acquired.others {
        notes.push(format!(
            "the {} has a fundamental of another frequency, {other_hz:.3} Hz; its values are those \
             of windows of {frequency_hz:.3} Hz",
            described.channel_name(*channel)
        ));
    }
    if acquired.cycles < TRACKABLE_CYCLES {
        notes.push(
            "fewer than three cycles: the frequency comes from a sine fit, which harmonics bias"
                .to_owned(),
        );
    }
}

/// Notes on windows without a trustworthy fundamental, and on where others have it from.
fn steadiness(described: &Described<'_>, windows: &WindowFacts<'_>, notes: &mut Vec<String>) {
    let WindowFacts { used, is_steady, left_out, tracked, .. } = *windows;
    if !is_steady {
        let found = described.acquired.steady.map_or(String::new(), |run| {
            format!(
                "; the frequency is that of {:.1} steady cycles of the {} from {:.4} s on",
                run.cycles,
                described.channel_name(run.channel),
                run.start_s
            )
        });
        notes.push(format!(
            "no window has a trustworthy fundamental, and all are flagged: in none is a channel \
             steady from end to end{found}"
        ));
    } else if left_out.count > 0 {
        notes.push(format!(
            "{} of {} windows have no trustworthy fundamental: they are flagged, have no frequency \
             and are left out of the values over the recording, but for energy and events ({})",
            left_out.count,
            left_out.count + used,
            left_out.places()
        ));
    }
    let phases = described.voltages.max(described.currents);
    for (channel, count) in tracked.iter().enumerate() {
        let (missing, place) = match channel.checked_sub(phases) {
            None => (channel >= described.voltages, channel),
            Some(current) => (current >= described.currents, described.voltages + current),
        };
        if *count > 0 && !missing && place != described.acquired.channel {
            notes.push(format!(
                "{count} of {} windows have their frequency from the {}: no channel before it is \
                 steady there",
                left_out.count + used,
                described.channel_name(place)
            ));
        }
    }
}

/// Notes on the stretch evaluated.
pub(super) fn basis(described: &Described<'_>, windows: &WindowFacts<'_>, notes: &mut Vec<String>) {
    let Described { acquired, rate_hz, samples, cycles, .. } = *described;
    let (overlapping, last) = (windows.overlapping, windows.last);
    steadiness(described, windows, notes);
    if overlapping > 0 {
        notes.push(format!(
            "windows restart at each ten-minute tick of the clock: {overlapping} of them run \
             across one, overlap the next, and count for energies up to the tick"
        ));
    }
    let seconds = samples as f64 / rate_hz;
    if !described.has_clock && seconds >= TEN_MINUTES_S {
        notes.push(
            "when the first sample was taken is not known: intervals of ten minutes begin with \
             it, and windows do not restart at ticks of the clock"
                .to_owned(),
        );
    }
    let end_s = last.map_or(0.0, |last| last.start_s + last.duration_s);
    let unused_s = samples as f64 / rate_hz - end_s;
    if unused_s > 1.0 / rate_hz {
        notes.push(format!("the last {unused_s:.6} s hold no whole window and are not used"));
    }
    if cycles < 4 {
        notes.push(
            "fewer than four cycles: sub-groups cannot be distinguished from harmonics".to_owned(),
        );
    } else if cycles != described.full_cycles() {
        notes.push(format!(
            "sub-groups are the order's bin and its neighbours, {:.2} Hz apart instead of 5 Hz",
            acquired.frequency_hz / f64::from(cycles)
        ));
    }
    notes.push(
        "the edges of the first and last window assume that the signal goes on as it was one \
         window away"
            .to_owned(),
    );
}

/// Notes on orders that are out of reach and on values that are null.
pub(super) fn channels(
    described: &Described<'_>,
    totals: &Totals,
    phases: &[PhaseAnalysis],
    notes: &mut Vec<String>,
) {
    let lines = |p: &PhaseAnalysis| p.harmonics_u.as_ref().or(p.harmonics_i.as_ref()).map(Vec::len);
    let orders = phases.iter().filter_map(lines).min().unwrap_or(0);
    if orders < ORDER_MAX {
        notes.push(format!(
            "harmonics and distortion go to order {orders}, the highest below half the sampling \
             rate of {} Hz",
            described.rate_hz
        ));
    }
    for (present, what) in [(described.voltages, "voltage"), (described.currents, "current")] {
        let missing = &described.names[present.min(described.names.len())..];
        if !missing.is_empty() {
            notes.push(format!(
                "values of the {what}, and powers, are null where there is no {what}: {}",
                missing.join(", ")
            ));
        }
    }
    for (p, (phase, totals)) in phases.iter().zip(&totals.phases).enumerate() {
        if phase.values.s_va.is_some() && phase.values.pf.is_none() {
            let name = &phase.values.name;
            notes.push(format!("pf of phase {name} is null: its apparent power is 0"));
        }
        let (u, i) = totals.signals();
        let silent = [
            (p < described.voltages && !u, p),
            (p < described.currents && !i, p + described.voltages),
        ];
        for (_, channel) in silent.into_iter().filter(|(silent, _)| *silent) {
            notes.push(format!(
                "no signal: the {} has no fundamental worth the name, so its distortion and \
                 whatever else relates to a fundamental is null",
                described.channel_name(channel)
            ));
        }
    }
}
