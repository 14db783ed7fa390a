//! The test that holds the two fidelities together: the same spectrum rendered sample by
//! sample through front end and engine, and computed in closed form, window by window.
//!
//! Limit: 20 ppm of U, I and S, plus five standard deviations of the noise. Interharmonics closer
//! than three bins to the fundamental are left out: they disturb the engine's estimate of the
//! window's length, which the closed form does not model.

use std::f64::consts::PI;
use std::sync::Arc;

use lastmeter_metrology::EngineConfig;
use lastmeter_sim::plan::{Harmonic, OperatingPoint};
use lastmeter_sim::{Block, ChannelSpectrum, Program, Spectrum, Streams, Terminal, Tone};
use lastmeter_units::SimDuration;
use proptest::prelude::*;

use crate::front_end::{Channel, ChannelParameters, Decimation, Sampling, Sensor};
use crate::sampled::Sampled;
use crate::window::MeasuredWindow;
use crate::windows::ClosedForm;

const RATE_HZ: f64 = 7812.5;
const SECONDS: f64 = 1.3;

/// A front end with errors, in units of what matters to both channels.
#[derive(Clone, Copy, Debug)]
struct Errors {
    voltage_gain: f64,
    current_gain: f64,
    voltage_offset: f64,
    current_offset: f64,
    lead_rad: f64,
    voltage_noise: f64,
    current_noise: f64,
}

#[derive(Clone, Debug)]
struct Case {
    nominal_hz: f64,
    spectrum: Spectrum,
    errors: Errors,
    linear: Linear,
    has_interharmonics: bool,
}

/// Linear stages beyond gain, offset and phase.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Linear {
    clock_error: f64,
    skew_s: f64,
    decimation: Decimation,
    low_pass_hz: f64,
    divider_s: f64,
    crosstalk: f64,
}

fn sampling(case: &Case) -> Sampling {
    let linear = case.linear;
    Sampling {
        clock_error: linear.clock_error,
        skew_s: linear.skew_s,
        decimation: linear.decimation,
        is_analogue: linear.low_pass_hz > 0.0,
        ..Sampling::ideal(case.nominal_hz, RATE_HZ)
    }
}

fn channels(case: &Case) -> Vec<Channel> {
    let (errors, linear) = (case.errors, case.linear);
    let voltage = ChannelParameters {
        gain_error: errors.voltage_gain,
        offset: errors.voltage_offset,
        noise_rms: errors.voltage_noise,
        low_pass_hz: linear.low_pass_hz,
        sensor: Sensor::Divider { tau_s: linear.divider_s },
        ..ChannelParameters::ideal(230.0, 3.0, 24)
    };
    let current = ChannelParameters {
        gain_error: errors.current_gain,
        offset: errors.current_offset,
        noise_rms: errors.current_noise,
        lead_rad: errors.lead_rad,
        late_s: linear.skew_s,
        low_pass_hz: linear.low_pass_hz,
        ..ChannelParameters::ideal(5.0, 100.0, 24)
    };
    let phases = case.spectrum.voltages.len();
    let made = |p: &ChannelParameters| Channel::new(p, &sampling(case)).expect("a channel");
    let voltages = std::iter::repeat_with(|| made(&voltage)).take(phases);
    voltages.chain(std::iter::repeat_with(|| made(&current)).take(phases)).collect()
}

fn sampled(case: &Case, seconds: f64, seed: u64) -> Vec<MeasuredWindow> {
    let phases = case.spectrum.voltages.len();
    let mut config = EngineConfig::new(RATE_HZ, case.nominal_hz, phases);
    config.harmonics = true;
    let streams = Streams::new(seed);
    let crosstalk = case.linear.crosstalk;
    let mut chain =
        Sampled::new(sampling(case), channels(case), crosstalk, config, "a", streams).unwrap();
    let terminal =
        Terminal::from_spectrum(case.spectrum.clone(), "s", &Streams::new(2)).expect("a terminal");
    let mut block = Block::default();
    let feed_hz = sampling(case).feed_hz();
    let samples = (seconds * feed_hz) as usize;
    terminal.render(0, feed_hz, samples, &mut block);
    chain.push(&block, (0, samples), false).expect("a block that fits");
    std::iter::from_fn(|| chain.pop()).collect()
}

fn closed_form(case: &Case, seconds: f64, seed: u64) -> Vec<MeasuredWindow> {
    let cycles = if case.nominal_hz == 60.0 { 12.0 } else { 10.0 };
    let (crosstalk, streams) = (case.linear.crosstalk, Streams::new(seed));
    let mut windows =
        ClosedForm::new(sampling(case), channels(case), crosstalk, cycles, "a", streams);
    assert!(windows.hold(&Arc::new(case.spectrum.clone())));
    assert!(!windows.is_beyond_range());
    std::iter::from_fn(|| windows.next(seconds)).collect()
}

fn thd(square: f64) -> f64 {
    square.sqrt()
}

/// 0.005 points, noise in 49 lines (each has two parts of variance 2 sigma^2 / n); the leakage of
/// interharmonics is not modelled.
fn thd_limit(case: &Case, noise: f64) -> f64 {
    if case.has_interharmonics { 1.0 } else { 5e-5 + 0.5 * noise }
}

fn compare(case: &Case) -> Result<(), TestCaseError> {
    const PART: f64 = 20e-6;
    let (sampled, closed) = (sampled(case, SECONDS, 1), closed_form(case, SECONDS, 3));
    prop_assert!(sampled.len() >= 4 && closed.len() >= 4);
    // A front end that looks back begins a few samples later.
    let late_s = sampled[0].from_s;
    prop_assert!(late_s < 5e-3);
    // What the engine fills in before the first sample is exact for periodic signals only, and
    // the all-pass of a phase error has to settle.
    let settles = case.errors.lead_rad != 0.0 || case.linear != Linear::default();
    let skip = usize::from(case.has_interharmonics || settles);
    for (a, b) in sampled.iter().zip(&closed).skip(skip) {
        let samples = b.duration_s * RATE_HZ;
        let from_s = a.from_s - late_s;
        prop_assert!((from_s - b.from_s).abs() < 2e-6, "{from_s} for {}", b.from_s);
        prop_assert!((a.clock_error - b.clock_error).abs() < 1e-7, "{}", a.clock_error);
        // The variance of the estimate is held to the closed form's by the test of the noise.
        let noise_hz = 1.3 * case.errors.voltage_noise / b.phases[0].u_rms_v;
        let frequency_error_hz = a.frequency_hz - b.frequency_hz;
        // What interharmonics do to the estimate: 2 % of them, 64 dB down.
        let limit_hz = if case.has_interharmonics { 5e-4 } else { 1e-5 } + noise_hz;
        prop_assert!(frequency_error_hz.abs() < limit_hz, "off {frequency_error_hz} Hz");
        for (a, b) in a.phases.iter().zip(&b.phases).take(case.spectrum.voltages.len()) {
            // Both sides are noisy: five standard deviations of a difference.
            let sigmas = 5.0 * 2.0_f64.sqrt() / samples.sqrt();
            let u = case.errors.voltage_noise * sigmas;
            let i = case.errors.current_noise * sigmas;
            let s = u * b.i_rms_a + i * b.u_rms_v;
            for (name, a, b, limit) in [
                ("U", a.u_rms_v, b.u_rms_v, PART * b.u_rms_v + u),
                ("I", a.i_rms_a, b.i_rms_a, PART * b.i_rms_a + i),
                ("P", a.p_w, b.p_w, PART * b.s_va + s),
                ("Q", a.q1_var, b.q1_var, PART * b.s_va + s),
                ("S", a.s_va, b.s_va, PART * b.s_va + s),
                (
                    "THD",
                    thd(a.u_thd2),
                    thd(b.u_thd2),
                    thd_limit(case, case.errors.voltage_noise / b.u_rms_v),
                ),
                (
                    "THD",
                    thd(a.i_thd2),
                    thd(b.i_thd2),
                    thd_limit(case, case.errors.current_noise / b.i_rms_a),
                ),
            ] {
                prop_assert!((a - b).abs() <= limit, "{name}: {a} for {b}, limit {limit}");
            }
        }
    }
    Ok(())
}

/// Harmonics and interharmonics of one channel: (frequency over fundamental, part, phase).
fn distortion(part_max: f64) -> impl Strategy<Value = Vec<(f64, f64, f64)>> {
    let harmonic = (2..=40_u32, 0.0..part_max, -PI..PI)
        .prop_map(|(order, part, phase)| (f64::from(order), part, phase));
    prop::collection::vec(harmonic, 0..8)
}

fn channel(
    fundamental_hz: f64,
    (rms, phase_rad): (f64, f64),
    dc_part: f64,
    lines: &[(f64, f64, f64)],
) -> ChannelSpectrum {
    let lines = lines.iter().map(|&(order, part, phase_rad)| Tone {
        frequency_hz: fundamental_hz * order,
        rms: rms * part,
        phase_rad,
    });
    let fundamental = Tone { frequency_hz: fundamental_hz, rms, phase_rad };
    ChannelSpectrum {
        dc: rms * dc_part,
        tones: std::iter::once(fundamental).chain(lines).collect(),
        noise_rms: 0.0,
    }
}

prop_compose! {
    fn errors()(
        voltage_gain in -0.02..0.02,
        current_gain in -0.02..0.02,
        voltage_offset in -1.0..1.0,
        current_offset in -0.05..0.05,
        lead_rad in prop_oneof![Just(0.0), -0.0175..0.0175],
        voltage_noise in prop_oneof![Just(0.0), Just(0.01), Just(0.5)],
        current_noise in prop_oneof![Just(0.0), Just(0.0005), Just(0.05)],
    ) -> Errors {
        Errors {
            voltage_gain, current_gain, voltage_offset, current_offset, lead_rad, voltage_noise,
            current_noise,
        }
    }
}

prop_compose! {
    fn linear()(
        clock_error in -500e-6..500e-6,
        skew_s in -20e-6..20e-6,
        decimation in prop_oneof![
            Just(Decimation::None), Just(Decimation::Sinc3), Just(Decimation::Compensated)
        ],
        low_pass_hz in prop_oneof![Just(0.0), 2000.0..20_000.0],
        divider_s in prop_oneof![Just(0.0), 1e-7..1e-5],
        crosstalk in prop_oneof![Just(0.0), 1e-6..1e-3],
    ) -> Linear {
        // A divider's capacitance is resolved on a dense feed only.
        let divider_s = if low_pass_hz > 0.0 { divider_s } else { 0.0 };
        Linear { clock_error, skew_s, decimation, low_pass_hz, divider_s, crosstalk }
    }
}

prop_compose! {
    /// One phase off nominal, with the power factor drawn as such, down to 0.1 and below zero.
    fn case(has_interharmonics: bool)(
        nominal_hz in prop_oneof![Just(50.0), Just(60.0)],
        off_hz in -1.0..1.0,
        u in (180.0..280.0, -PI..PI),
        i_rms in 0.5..80.0,
        power_factor in prop_oneof![Just(0.1), Just(1.0), -1.0..1.0],
        sign in prop_oneof![Just(-1.0), Just(1.0)],
        dc_part in -0.01..0.01,
        u_lines in distortion(0.1),
        i_lines in distortion(0.4),
        // Off the fundamental by three bins of the window or more, up to order 20.
        between in prop::collection::vec((0..40_u32, 0.0..1.0_f64, 0.0..0.02_f64, -PI..PI), 1..3),
        errors in errors(),
    ) -> Case {
        let fundamental_hz: f64 = nominal_hz + off_hz;
        let angle = sign * f64::acos(power_factor);
        let interharmonics: Vec<_> = between
            .iter()
            .filter(|_| has_interharmonics)
            .map(|&(place, within, part, phase)| {
                (1.5 + 0.5 * f64::from(place) + 0.4 * within, part, phase)
            })
            .collect();
        let u_lines = [u_lines, interharmonics.clone()].concat();
        let i_lines = [i_lines, interharmonics].concat();
        let spectrum = Spectrum {
            fundamental_hz,
            voltages: vec![channel(fundamental_hz, u, dc_part, &u_lines)],
            currents: vec![channel(fundamental_hz, (i_rms, u.1 - angle), dc_part, &i_lines)],
        };
        let linear = Linear::default();
        Case { nominal_hz, spectrum, errors, linear, has_interharmonics }
    }
}

/// A quarter of the usual number: each case is a second of samples. `PROPTEST_CASES` scales it.
fn cases() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: (usual.cases / 4).max(1), ..usual }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn both_fidelities_agree_on_harmonic_signals(case in case(false)) {
        compare(&case)?;
    }

    #[test]
    fn both_fidelities_agree_on_every_linear_stage(case in case(false), linear in linear()) {
        compare(&Case { linear, ..case })?;
    }

    #[test]
    fn both_fidelities_agree_on_interharmonics(case in case(true)) {
        compare(&case)?;
    }
}

/// Noise is no error that must agree, but its spread has to be the same in both.
#[test]
fn noise_spreads_the_windows_alike_in_both_fidelities() {
    let errors = Errors {
        voltage_gain: 0.0,
        current_gain: 0.0,
        voltage_offset: 0.0,
        current_offset: 0.0,
        lead_rad: 0.0,
        voltage_noise: 2.0,
        current_noise: 0.5,
    };
    let spectrum = Spectrum {
        fundamental_hz: 50.0,
        voltages: vec![channel(50.0, (230.0, 0.0), 0.0, &[])],
        currents: vec![channel(50.0, (5.0, -1.2), 0.0, &[])],
    };
    let linear = Linear::default();
    let case = Case { nominal_hz: 50.0, spectrum, errors, linear, has_interharmonics: false };
    let windows = 400;
    let seconds = 0.2 * f64::from(windows) + 0.1;
    let (sampled, closed) = (sampled(&case, seconds, 7), closed_form(&case, seconds, 8));
    let values: [(&str, Value); 6] = [
        ("U", |w| w.phases[0].u_rms_v),
        ("I", |w| w.phases[0].i_rms_a),
        ("P", |w| w.phases[0].p_w),
        ("Q", |w| w.phases[0].q1_var),
        ("PF", |w| w.phases[0].p_w / w.phases[0].s_va),
        ("f", |w| w.frequency_hz),
    ];
    for (name, value) in values {
        let (a, b) = (moments(&sampled, value), moments(&closed, value));
        let n = f64::from(windows);
        // Means agree within five standard errors, variances likewise (2 sigma^4 / n each).
        let mean_limit = 5.0 * ((a.1 + b.1) / n).sqrt();
        assert!((a.0 - b.0).abs() < mean_limit, "{name}: means {} and {}", a.0, b.0);
        let ratio = a.1 / b.1;
        let ratio_limit = 5.0 * (4.0 / n).sqrt();
        assert!((ratio.ln()).abs() < ratio_limit, "{name}: variances {} and {}", a.1, b.1);
    }
    // The power of the noise within the harmonics' lines is in both; its spread is not modelled.
    let (thd2, variance) = moments(&sampled, |w| w.phases[0].u_thd2);
    let expected = closed[0].phases[0].u_thd2;
    let limit = 5.0 * (variance / f64::from(windows)).sqrt();
    assert!((thd2 - expected).abs() < limit, "THD squared: {thd2} for {expected}");
}

/// One value of a window.
type Value = fn(&MeasuredWindow) -> f64;

fn moments(windows: &[MeasuredWindow], value: Value) -> (f64, f64) {
    let n = windows.len() as f64;
    let mean = windows.iter().map(value).sum::<f64>() / n;
    let variance = windows.iter().map(|w| (value(w) - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, variance)
}

/// Operating points that change in the middle of windows: what both have measured up to an instant
/// well after the last change is one energy, and one integral of each square.
#[test]
fn both_fidelities_measure_one_energy_over_changing_points() {
    let seconds = |s: f64| SimDuration::from_seconds_f64(s);
    let points = [(0.73, 50.1, 230.0, 10.0), (0.51, 49.6, 205.0, 3.0), (9.0, 50.4, 240.0, 7.0)];
    let points = points.map(|(duration, hz, u, i)| OperatingPoint {
        current_lags_rad: vec![0.8],
        current_harmonics: vec![Harmonic { order: 5, share: 0.3, angle_rad: 0.4 }],
        ..OperatingPoint::balanced(seconds(duration), 1, hz, u, i)
    });
    let program = Program::from_points(&points).unwrap();
    let terminal = Terminal::from_program(&program, "s", &Streams::new(2)).unwrap();
    let errors = Errors {
        voltage_gain: 0.01,
        current_gain: -0.005,
        voltage_offset: 0.0,
        current_offset: 0.0,
        lead_rad: 0.004,
        voltage_noise: 0.0,
        current_noise: 0.0,
    };
    let spectrum = Spectrum::clone(&terminal.spectrum_at(SimDuration::ZERO).unwrap().spectrum);
    let linear = Linear::default();
    let case = Case { nominal_hz: 50.0, spectrum, errors, linear, has_interharmonics: false };
    let config = EngineConfig::new(RATE_HZ, 50.0, 1);
    let (streams, channels_of) = (Streams::new(1), || channels(&case));
    let mut chain =
        Sampled::new(sampling(&case), channels_of(), 0.0, config, "a", streams).unwrap();
    let (until_s, mut block) = (3.0, Block::default());
    terminal.render(0, RATE_HZ, (until_s * RATE_HZ) as usize, &mut block);
    chain.push(&block, (0, block.voltages[0].len()), false).unwrap();
    let sampled: Vec<_> = std::iter::from_fn(|| chain.pop()).collect();
    let mut closed_form = ClosedForm::new(sampling(&case), channels_of(), 0.0, 10.0, "a", streams);
    let (mut at, mut closed) = (SimDuration::ZERO, Vec::new());
    while at < seconds(until_s) {
        let stretch = terminal.spectrum_at(at).unwrap();
        at = stretch.until.unwrap_or(seconds(until_s)).min(seconds(until_s));
        assert!(closed_form.hold(&stretch.spectrum));
        closed.extend(std::iter::from_fn(|| closed_form.next(at.as_seconds_f64())));
    }
    let values: [(&str, Value, f64); 3] = [
        ("P", |w| w.phases[0].p_w, 2300.0),
        ("U^2", |w| w.phases[0].u_rms_v.powi(2), 230.0 * 230.0),
        ("I^2", |w| w.phases[0].i_rms_a.powi(2), 100.0),
    ];
    for (name, value, scale) in values {
        // The end of the last window differs; from there on the last point goes on.
        let total = |windows: &[MeasuredWindow]| {
            let last = windows.last().unwrap();
            let sum: f64 = windows.iter().map(|w| value(w) * w.duration_s).sum();
            (sum + value(last) * (until_s - (last.from_s + last.duration_s))) / until_s
        };
        let (a, b) = (total(&sampled), total(&closed));
        assert!((a - b).abs() < 20e-6 * scale, "{name}: {a} for {b}");
    }
}
