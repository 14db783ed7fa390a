//! Apparent power and power factor where something moves within a reading: means of windows of
//! 10/12 cycles, as IEC 61000-4-30 aggregates them.

use super::disturbances::build;
use super::*;
use lastmeter_sim::Loop;
use lastmeter_sim::plan::{OperatingPoint, WaveShape};
use proptest::prelude::*;
use std::f64::consts::{PI, SQRT_2, TAU};

const S: &str = "electricity.power.apparent.l1";
const PF: &str = "electricity.powerFactor.l1";
const N: &str = "x.electricity.power.nonactive.l1";
const P: &str = "electricity.power.active.consumed.l1";

/// A point of 230 V and a current that lags.
fn point(length: SimDuration, current_a: f64, lag_rad: f64) -> OperatingPoint {
    let mut point = OperatingPoint::balanced(length, 1, 50.0, 230.0, current_a);
    point.current_lags_rad = vec![lag_rad];
    point
}

fn seconds(seconds: f64) -> SimDuration {
    SimDuration::from_seconds_f64(seconds)
}

#[test]
fn a_load_that_moves_from_minute_to_minute_has_the_mean_of_its_minutes() {
    let lag = PI / 3.0;
    let minutes = [10.0, 1.0, 1.0, 1.0, 1.0].map(|current_a| point(seconds(60.0), current_a, lag));
    let terminal = build(&minutes, &[]).expect("a terminal");
    let found = |name| value(&terminal, name, span(0.0, 300.0)).expect("a reference");
    // 14 A minutes in five; RMS values of the whole would make 230 V * 4.56 A of it.
    let s_va = 230.0 * 14.0 / 5.0;
    assert_close(found(S), s_va, 1e-9 * s_va, "S");
    assert_close(found(PF), lag.cos(), 1e-11, "PF");
    assert_close(found(N), s_va * lag.sin(), 1e-9 * s_va, "N");
    assert_close(found("electricity.current.rms.l1"), (104.0_f64 / 5.0).sqrt(), 1e-9, "I");
}

#[test]
fn a_window_in_which_the_load_changes_has_one_rms_value() {
    // 0.1 s into the sixth of ten windows.
    let points = [point(seconds(1.1), 10.0, 0.0), point(seconds(0.9), 20.0, 0.0)];
    let terminal = build(&points, &[]).expect("a terminal");
    let found = value(&terminal, S, span(0.0, 2.0)).expect("a reference");
    let expected =
        230.0 * (5.0 * 10.0 + (0.5 * 100.0 + 0.5 * 400.0_f64).sqrt() + 4.0 * 20.0) / 10.0;
    assert_close(found, expected, 1e-8, "S");
    // Windows count from the reading's beginning: 0.1 s later the change lies between two.
    let found = value(&terminal, S, span(0.1, 2.1)).expect("a reference");
    assert_close(found, 230.0 * (5.0 * 10.0 + 5.0 * 20.0) / 10.0, 1e-8, "S, later");
}

#[test]
fn windows_of_bursts_are_not_alike() {
    // Two cycles on, two off: windows of ten cycles hold six and four of them in turn.
    let mut burst = point(seconds(4.0), 10.0, 0.0);
    burst.current_shape = WaveShape::BurstFired { on: 2, off: 2 };
    let terminal = build(&[burst], &[]).expect("a terminal");
    let found = value(&terminal, S, span(0.0, 4.0)).expect("a reference");
    let expected = 2300.0 * 0.5 * (0.6_f64.sqrt() + 0.4_f64.sqrt());
    assert_close(found, expected, 1e-6, "S");
}

#[test]
fn at_60_hz_a_window_has_twelve_cycles() {
    let at_60 = |current_a| OperatingPoint::balanced(seconds(0.2), 1, 60.0, 230.0, current_a);
    let terminal = build(&[at_60(4.0), at_60(8.0)], &[]).expect("a terminal");
    let found = value(&terminal, S, span(0.0, 0.4)).expect("a reference");
    assert_close(found, 230.0 * 6.0, 1e-8, "S");
}

#[test]
fn a_recording_is_looked_at_window_by_window() {
    // 1 A and 3 A, 50 cycles each.
    let turns = |k: usize| TAU * 50.0 * k as f64 / 10_000.0;
    let of = |k: usize| if k % 20_000 < 10_000 { 1.0 } else { 3.0 };
    let u: Vec<f64> = (0..20_600).map(|k| 230.0 * SQRT_2 * turns(k).sin()).collect();
    let i: Vec<f64> = (0..20_600).map(|k| of(k) * SQRT_2 * turns(k).sin()).collect();
    let table = Loop::from_samples(&[&u], &[&i], 10_000.0).expect("a loop");
    let loop_s = f64::from(table.cycles()) / table.fundamental_hz();
    let terminal = Terminal::from_loop(table);
    let whole = span(0.0, 4.0 * loop_s);
    let found = value(&terminal, S, whole).expect("a reference");
    let power_w = value(&terminal, P, whole).expect("a reference");
    // U and I are in phase, so S differs from P by the windows that hold a change only: at most
    // (sqrt(5) - 2) / 2 of each of two in ten. RMS values of the whole make 1.118 of it.
    assert!(found > power_w, "{found} and {power_w}");
    assert!(found < power_w * (1.0 + 0.2 * 0.118), "{found} and {power_w}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Expected from the drawn currents alone, cycle by cycle.
    #[test]
    fn the_mean_of_windows_of_ten_cycles_is_that_of_the_cycles_drawn(
        drawn in prop::collection::vec((1_usize..70, 0.1_f64..20.0, -PI..PI), 1..40),
        skipped in 0_usize..25,
    ) {
        let cycle = SimDuration(20_000_000);
        let points: Vec<OperatingPoint> = drawn.iter().map(|&(cycles, current_a, lag)| {
            point(SimDuration(cycle.0 * cycles as i64), current_a, lag)
        }).collect();
        let terminal = build(&points, &[]).expect("a terminal");
        // What comes after the last point goes on as that one.
        let mut cycles: Vec<(f64, f64)> = drawn.iter()
            .flat_map(|&(cycles, current_a, lag)| vec![(current_a, lag); cycles])
            .collect();
        let last = cycles[cycles.len() - 1];
        cycles.resize((cycles.len() / 10 + 4) * 10 + skipped, last);
        let windows: Vec<&[(f64, f64)]> = cycles[skipped..].chunks_exact(10).collect();
        let of_window = |window: &&[(f64, f64)]| {
            (window.iter().map(|(current_a, _)| current_a * current_a).sum::<f64>() / 10.0).sqrt()
        };
        let count = windows.len();
        let s_va = 230.0 * windows.iter().map(of_window).sum::<f64>() / count as f64;
        let p_w = windows.iter().flat_map(|window| window.iter())
            .map(|(current_a, lag)| 230.0 * current_a * lag.cos()).sum::<f64>()
            / (10 * count) as f64;
        let spanned = ReferenceSpan {
            from: SimDuration(cycle.0 * skipped as i64),
            to: SimDuration(cycle.0 * (skipped + 10 * count) as i64),
            registers_from: SimDuration::ZERO,
        };
        let found = |name| value(&terminal, name, spanned).expect("a reference");
        assert_close(found(S), s_va, 1e-9 * s_va, "S");
        assert_close(found(PF), p_w / s_va, 1e-9, "PF");
    }

    /// Where nothing moves, S is U I whatever the span.
    #[test]
    fn of_a_constant_load_apparent_power_is_that_of_its_rms_values(
        cycles in 1_i64..100_000,
        from_ns in 0_i64..1_000_000_000_000,
        frequency_hz in 42.5_f64..69.0,
        fifth in 0.0_f64..0.4,
    ) {
        let tones = |rms: f64| ChannelSpectrum {
            tones: vec![
                tone(frequency_hz, rms, 0.0),
                tone(5.0 * frequency_hz, rms * fifth, 30.0),
            ],
            ..ChannelSpectrum::default()
        };
        let spectrum =
            Spectrum { fundamental_hz: frequency_hz, voltages: vec![tones(230.0)], currents: vec![tones(10.0)] };
        let terminal =
            Terminal::from_spectrum(spectrum, "test", &Streams::new(1)).expect("a terminal");
        let length_ns = (cycles as f64 / frequency_hz * 1e9).round() as i64;
        let spanned = ReferenceSpan {
            from: SimDuration(from_ns),
            to: SimDuration(from_ns + length_ns),
            registers_from: SimDuration::ZERO,
        };
        let found = |name| value(&terminal, name, spanned).expect("a reference");
        let product = found("electricity.voltage.rms.l1") * found("electricity.current.rms.l1");
        assert_close(found(S), product, 1e-12 * product, "S");
    }
}
