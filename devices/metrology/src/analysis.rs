//! A whole recording measured: window by window and over all of them.
//!
//! Over all gapless windows of 10 or 12 cycles; a recording shorter than one window is measured
//! over its largest whole number of cycles from the first sample.

use crate::acquire::{Acquired, acquire};
use crate::engine::{EngineConfig, WindowEngine};
use crate::harmonics::ORDER_MAX;
use crate::numeric::degrees;
use crate::quantities::{non_active, power_factor};
use crate::recording::{AnalysisError, AnalysisInput};
use crate::result::{Analysis, HarmonicLine, PhaseAnalysis, PhaseValues, Total, WindowAnalysis};
use crate::window::{Harmonics, PhaseQuantities, Phasor, Window, distortion_pct};

/// Below this many cycles a frequency comes from a sine fit, which harmonics bias.
const TRACKABLE_CYCLES: u64 = 3;

/// A sum of currents above this part of the effective current means that there is a neutral.
const NEUTRAL_SHARE: f64 = 0.01;

/// Measures a recording.
///
/// # Errors
/// No channels, channels of unequal length, samples that are no numbers, less than one cycle, or
/// no fundamental in any channel.
pub fn analyse(input: &AnalysisInput<'_>) -> Result<Analysis, AnalysisError> {
    input.check()?;
    let acquired = acquire(input)?;
    let windows = measure(input, &acquired)?;
    let Some(first) = windows.first() else {
        let cycle_s = 1.0 / acquired.frequency_hz;
        let found_s = input.samples() as f64 / input.rate_hz;
        return Err(AnalysisError::TooShort { found_s, cycle_s });
    };
    let mut notes = Vec::new();
    note_basis(input, &acquired, &windows, &mut notes);
    let phases: Vec<_> =
        (0..input.phases()).map(|p| phase(input, &acquired, &windows, p)).collect();
    note_channels(input, &phases, &mut notes);
    let total = total(input, &windows, &phases, &mut notes);
    let tracked: Vec<f64> = windows.iter().filter(|w| !w.flagged).map(|w| w.frequency_hz).collect();
    let frequency_hz = mean(tracked.iter().copied()).unwrap_or(acquired.frequency_hz);
    let basis = basis(&windows, first, full_cycles(&acquired));
    notes.push(
        "events are not judged: dips and swells need a declared voltage, which a recording does \
         not carry"
            .to_owned(),
    );
    Ok(Analysis {
        format_version: 1,
        rate_hz: input.rate_hz,
        frequency_hz,
        duration_s: input.samples() as f64 / input.rate_hz,
        basis,
        phases,
        total,
        windows: windows.iter().map(|w| window(input, w)).collect(),
        events: None,
        notes,
    })
}

/// Cycles of a full window (IEC 61000-4-30).
fn full_cycles(acquired: &Acquired) -> u32 {
    if acquired.nominal_hz == 60.0 { 12 } else { 10 }
}

/// Runs the engine over the recording.
fn measure(input: &AnalysisInput<'_>, acquired: &Acquired) -> Result<Vec<Window>, AnalysisError> {
    let full = full_cycles(acquired);
    let most = u32::try_from(acquired.cycles).map_or(full, |cycles| cycles.min(full));
    // Where the last cycle ends with the recording, the engine's own estimate of the frequency
    // may find it a hair too long.
    for cycles in (1..=most).rev().take(2) {
        let windows = run(input, acquired, cycles)?;
        if !windows.is_empty() {
            return Ok(windows);
        }
    }
    Ok(Vec::new())
}

/// Windows of a number of cycles; one only where that is less than a full window.
fn run(
    input: &AnalysisInput<'_>,
    acquired: &Acquired,
    cycles: u32,
) -> Result<Vec<Window>, AnalysisError> {
    let phases = input.phases();
    let config = EngineConfig {
        harmonics: true,
        ..EngineConfig::new(input.rate_hz, acquired.nominal_hz, phases)
    };
    let mut engine = WindowEngine::with_cycles(config, cycles)?;
    if acquired.cycles < TRACKABLE_CYCLES {
        engine.fix_frequency(acquired.frequency_hz);
    }
    let zeros = vec![0.0; input.samples()];
    engine
        .push(&filled(input.voltages, &zeros, phases), &filled(input.currents, &zeros, phases))?;
    engine.finish();
    let mut windows: Vec<Window> = std::iter::from_fn(|| engine.pop()).collect();
    if cycles < full_cycles(acquired) {
        windows.truncate(1);
    }
    Ok(windows)
}

/// A channel for every phase: zeros where the recording has none.
fn filled<'a>(list: &'a [Vec<f64>], zeros: &'a [f64], phases: usize) -> Vec<&'a [f64]> {
    (0..phases).map(|p| list.get(p).map_or(zeros, Vec::as_slice)).collect()
}

/// "15 windows of 10 cycles" or, for less than one window, "9 cycles".
fn basis(windows: &[Window], first: &Window, full: u32) -> String {
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let cycles = plural(first.cycles as usize, "cycle");
    if first.cycles == full {
        format!("{} of {cycles}", plural(windows.len(), "window"))
    } else {
        cycles
    }
}

/// Mean of what is there.
fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), x| (sum + x, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// The fundamental everything is turned to: the first voltage's, or the channel tracked instead.
fn reference(window: &Window, channel: usize) -> Phasor {
    let phases = window.phases.len();
    match channel.checked_sub(phases) {
        None => window.phases[channel].u1,
        Some(current) => window.phases[current].i1,
    }
}

/// One phase over all windows.
fn phase(
    input: &AnalysisInput<'_>,
    acquired: &Acquired,
    windows: &[Window],
    p: usize,
) -> PhaseAnalysis {
    let (has_u, has_i) = (p < input.voltages.len(), p < input.currents.len());
    let over = |value: &dyn Fn(&PhaseQuantities) -> f64| {
        mean(windows.iter().map(|w| value(&w.phases[p]))).unwrap_or(0.0)
    };
    let quantities = PhaseQuantities {
        u_rms_v: over(&|q| q.u_rms_v * q.u_rms_v).sqrt(),
        i_rms_a: over(&|q| q.i_rms_a * q.i_rms_a).sqrt(),
        p_w: over(&|q| q.p_w),
        q1_var: over(&|q| q.q1_var),
        ..PhaseQuantities::default()
    };
    let channel = reference_channel(input, acquired);
    let (thd_u, harmonics_u) =
        harmonics(windows, channel, &|w| Some(&w.phases[p].harmonics.as_ref()?.u));
    let (thd_i, harmonics_i) =
        harmonics(windows, channel, &|w| Some(&w.phases[p].harmonics.as_ref()?.i));
    let values = values(&input.names[p], (has_u, has_i), &quantities, thd_u, thd_i);
    PhaseAnalysis {
        values,
        harmonics_u: has_u.then_some(harmonics_u),
        harmonics_i: has_i.then_some(harmonics_i),
    }
}

/// The reference's place among the engine's channels, which have a current for every voltage.
fn reference_channel(input: &AnalysisInput<'_>, acquired: &Acquired) -> usize {
    match acquired.channel.checked_sub(input.voltages.len()) {
        None => acquired.channel,
        Some(current) => input.phases() + current,
    }
}

/// Distortions in per cent: over sub-groups and over plain harmonics.
#[derive(Clone, Copy, Default)]
struct Distortion {
    groups: Option<f64>,
    lines: Option<f64>,
}

/// The values of a phase, without those its missing channels would be needed for.
fn values(
    name: &str,
    (has_u, has_i): (bool, bool),
    quantities: &PhaseQuantities,
    thd_u: Distortion,
    thd_i: Distortion,
) -> PhaseValues {
    let s_va = quantities.u_rms_v * quantities.i_rms_a;
    let both = |value: f64| (has_u && has_i).then_some(value);
    PhaseValues {
        name: name.to_owned(),
        u_rms_v: has_u.then_some(quantities.u_rms_v),
        i_rms_a: has_i.then_some(quantities.i_rms_a),
        p_w: both(quantities.p_w),
        q1_var: both(quantities.q1_var),
        s_va: both(s_va),
        n_var: both(non_active(s_va, quantities.p_w)),
        pf: both(power_factor(s_va, quantities.p_w)).filter(|_| s_va > 0.0),
        thd_u_pct: thd_u.groups.filter(|_| has_u),
        thd_i_pct: thd_i.groups.filter(|_| has_i),
        thd_u_harm_pct: thd_u.lines.filter(|_| has_u),
        thd_i_harm_pct: thd_i.lines.filter(|_| has_i),
    }
}

/// Harmonics of one channel over all windows: mean squares for RMS and distortion, the direction
/// of the mean phasor (turned to the reference's fundamental) for the phase.
fn harmonics<'a>(
    windows: &'a [Window],
    channel: usize,
    of: &dyn Fn(&'a Window) -> Option<&'a Harmonics>,
) -> (Distortion, Vec<HarmonicLine>) {
    let all: Vec<(&Harmonics, f64)> =
        windows.iter().filter_map(|w| Some((of(w)?, reference(w, channel).phase_rad()))).collect();
    let orders = all.iter().map(|(h, _)| h.lines.len()).min().unwrap_or(0);
    let squares = |value: &dyn Fn(&Harmonics) -> f64| {
        mean(all.iter().map(|(h, _)| value(h) * value(h))).unwrap_or(0.0)
    };
    let distortion = Distortion {
        groups: distortion_pct((0..orders).map(|k| squares(&|h| h.sub_groups[k]))),
        lines: distortion_pct((0..orders).map(|k| squares(&|h| h.lines[k].rms()))),
    };
    let lines = (0..orders)
        .map(|k| {
            let order = k as u32 + 1;
            let sum = all.iter().fold(Phasor::default(), |sum, (h, angle)| {
                let turned = h.lines[k].rotated(-f64::from(order) * angle);
                Phasor { re: sum.re + turned.re, im: sum.im + turned.im }
            });
            let rms = squares(&|h| h.lines[k].rms()).sqrt();
            HarmonicLine { order, rms, phase_deg: degrees(sum.phase_rad()) }
        })
        .collect();
    (distortion, lines)
}

/// One window's values.
fn window(input: &AnalysisInput<'_>, window: &Window) -> WindowAnalysis {
    let phases = window
        .phases
        .iter()
        .enumerate()
        .map(|(p, quantities)| {
            let present = (p < input.voltages.len(), p < input.currents.len());
            let distortion = |h: Option<&Harmonics>| Distortion {
                groups: h.and_then(Harmonics::thds_pct),
                lines: h.and_then(Harmonics::thd_pct),
            };
            let both = quantities.harmonics.as_deref();
            let (u, i) = (distortion(both.map(|h| &h.u)), distortion(both.map(|h| &h.i)));
            values(&input.names[p], present, quantities, u, i)
        })
        .collect();
    WindowAnalysis {
        start_s: window.start_s,
        duration_s: window.duration_s,
        flagged: window.flagged,
        frequency_hz: window.tracked.then_some(window.frequency_hz),
        phases,
    }
}

/// All phases together, with a note on what `se_va` means or why it is missing.
fn total(
    input: &AnalysisInput<'_>,
    windows: &[Window],
    phases: &[PhaseAnalysis],
    notes: &mut Vec<String>,
) -> Total {
    let sum = |of: &dyn Fn(&PhaseValues) -> Option<f64>| -> Option<f64> {
        phases.iter().map(|phase| of(&phase.values)).sum()
    };
    let complete = input.voltages.len() == 3 && input.currents.len() == 3;
    let effective = windows.iter().filter_map(|w| w.effective);
    let root = |of: &dyn Fn(&crate::Effective) -> f64| {
        mean(effective.clone().map(|e| of(&e) * of(&e))).map(f64::sqrt)
    };
    let se_va = root(&|e| e.in_a).zip(root(&|e| e.ie_three_wire_a)).filter(|_| complete).and_then(
        |(neutral, ie)| {
            let share = if ie > 0.0 { neutral / ie } else { 0.0 };
            let four_wire = share > NEUTRAL_SHARE;
            notes.push(format!(
                "se_va is IEEE 1459's 3 Ue Ie in its {} form: the sum of the currents is {:.2} % \
                 of the effective current",
                if four_wire { "four-wire" } else { "three-wire" },
                100.0 * share
            ));
            if four_wire {
                Some(3.0 * root(&|e| e.ue_v)? * root(&|e| e.ie_a)?)
            } else {
                Some(3.0 * root(&|e| e.ue_three_wire_v)? * ie)
            }
        },
    );
    if se_va.is_none() {
        notes
            .push("se_va is null: it is defined for three voltages with three currents".to_owned());
    }
    Total { p_w: sum(&|v| v.p_w), q1_var: sum(&|v| v.q1_var), s_va: sum(&|v| v.s_va), se_va }
}

/// Notes on the stretch evaluated, the frequency, and the highest order.
fn note_basis(
    input: &AnalysisInput<'_>,
    acquired: &Acquired,
    windows: &[Window],
    notes: &mut Vec<String>,
) {
    if input.nominal_hz.is_none() {
        notes.push(format!(
            "the nominal frequency of {} Hz was told from the signal's {:.3} Hz",
            acquired.nominal_hz, acquired.frequency_hz
        ));
    }
    if acquired.channel != 0 || input.voltages.is_empty() {
        let name = input.channels().nth(acquired.channel).map_or(String::new(), |(name, _)| name);
        notes.push(format!(
            "frequency and phase angles refer to the {name}: no voltage before it has a fundamental"
        ));
    }
    if acquired.cycles < TRACKABLE_CYCLES {
        notes.push(
            "fewer than three cycles: the frequency comes from a sine fit, which harmonics bias"
                .to_owned(),
        );
    }
    let flagged = windows.iter().filter(|w| w.flagged).count();
    if flagged > 0 {
        notes.push(format!(
            "{flagged} of {} windows are flagged: no fundamental could be tracked or its phase \
             jumped",
            windows.len()
        ));
    }
    if let Some(last) = windows.last() {
        let unused_s = input.samples() as f64 / input.rate_hz - last.start_s - last.duration_s;
        if unused_s > 1.0 / input.rate_hz {
            notes.push(format!("the last {unused_s:.6} s hold no whole window and are not used"));
        }
        if last.cycles < 4 {
            notes.push(
                "fewer than four cycles: sub-groups cannot be told from plain harmonics".to_owned(),
            );
        } else if last.cycles != full_cycles(acquired) {
            notes.push(format!(
                "sub-groups are the order's bin and its neighbours, {:.2} Hz apart instead of 5 Hz",
                last.frequency_hz / f64::from(last.cycles)
            ));
        }
    }
    notes.push(
        "the edges of the first and last window assume that the signal goes on as it was one \
         window away"
            .to_owned(),
    );
}

/// Notes on orders that are out of reach and on values that are null.
fn note_channels(input: &AnalysisInput<'_>, phases: &[PhaseAnalysis], notes: &mut Vec<String>) {
    let lines = |p: &PhaseAnalysis| p.harmonics_u.as_ref().or(p.harmonics_i.as_ref()).map(Vec::len);
    let orders = phases.iter().filter_map(lines).min().unwrap_or(0);
    if orders < ORDER_MAX {
        notes.push(format!(
            "harmonics and distortion go to order {orders}, the highest below half the sampling \
             rate of {} Hz",
            input.rate_hz
        ));
    }
    for (list, what) in [(input.voltages, "voltage"), (input.currents, "current")] {
        let missing = &input.names[list.len().min(input.names.len())..];
        if !missing.is_empty() {
            notes.push(format!(
                "values of the {what}, and powers, are null where there is no {what}: {}",
                missing.join(", ")
            ));
        }
    }
    for phase in phases {
        let values = &phase.values;
        if values.s_va.is_some() && values.pf.is_none() {
            notes.push(format!("pf of phase {} is null: its apparent power is 0", values.name));
        }
        let silent =
            |lines: Option<&Vec<HarmonicLine>>, thd: Option<f64>| lines.is_some() && thd.is_none();
        if silent(phase.harmonics_u.as_ref(), values.thd_u_harm_pct)
            || silent(phase.harmonics_i.as_ref(), values.thd_i_harm_pct)
        {
            notes.push(format!(
                "a distortion of phase {} is null: there is no fundamental to relate it to",
                values.name
            ));
        }
    }
}
