//! What a reader must know about the values, in whole sentences.

use super::clipping::ClipWatch;
use super::totals::Totals;
use super::{Described, TRACKABLE_CYCLES};
use crate::aggregate::TEN_MINUTES_S;
use crate::harmonics::ORDER_MAX;
use crate::result::{PhaseAnalysis, WindowAnalysis};

/// Notes on the stretch evaluated and the frequency.
pub(super) fn basis(
    described: &Described<'_>,
    totals: &Totals,
    last: Option<&WindowAnalysis>,
    notes: &mut Vec<String>,
) {
    let Described { acquired, rate_hz, samples, cycles, .. } = *described;
    if described.nominal_hz.is_none() {
        notes.push(format!(
            "the nominal frequency of {} Hz was told from the signal's {:.3} Hz",
            acquired.nominal_hz, acquired.frequency_hz
        ));
    }
    if acquired.channel != 0 || described.voltages == 0 {
        notes.push(format!(
            "frequency and phase angles refer to the {}: no voltage before it has a fundamental",
            described.channel_name(acquired.channel)
        ));
    }
    if acquired.cycles < TRACKABLE_CYCLES {
        notes.push(
            "fewer than three cycles: the frequency comes from a sine fit, which harmonics bias"
                .to_owned(),
        );
    }
    if totals.flagged > 0 {
        notes.push(format!(
            "{} of {} windows are flagged: no fundamental could be tracked or its phase jumped",
            totals.flagged, totals.windows
        ));
    }
    if totals.overlapping > 0 {
        notes.push(format!(
            "windows begin anew at each ten-minute tick of the clock: {} of them run across one,              overlap the next, and count for energies up to the tick",
            totals.overlapping
        ));
    }
    let seconds = samples as f64 / rate_hz;
    if !described.has_clock && seconds >= TEN_MINUTES_S {
        notes.push(
            "when the first sample was taken is not known: intervals of ten minutes begin with it,              and windows do not begin anew at ticks of the clock"
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
            "fewer than four cycles: sub-groups cannot be told from plain harmonics".to_owned(),
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
    clips: &[ClipWatch],
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
    for (channel, clip) in clips.iter().enumerate() {
        if let Some((level, count)) = clip.clipped() {
            let unit = if channel < described.voltages { "V" } else { "A" };
            notes.push(format!(
                "clipped at {level} {unit}: the {} stays there {count} times; its values are \
                 those of the clipped waveform",
                described.channel_name(channel)
            ));
        }
    }
}
