//! The engine against closed forms: RMS, power, frequency and distortion over the whole range.

use crate::signal::{Tone, power, ppm, render, rms, tone, windows};
use lastmeter_metrology::Window;
use proptest::prelude::*;

/// Nominal frequency, fundamental and rate over the ranges the accuracy is promised for.
fn grid_frequency() -> impl Strategy<Value = (f64, f64)> {
    prop_oneof![(45.0..57.5).prop_map(|f| (50.0, f)), (55.0..65.0).prop_map(|f| (60.0, f))]
}

fn rate() -> impl Strategy<Value = f64> {
    prop_oneof![Just(7812.5), Just(50_000.0), 6400.0..12_800.0]
}

/// A fundamental and some harmonics of orders 2 to 39.
fn tones(rms: f64) -> impl Strategy<Value = Vec<Tone>> {
    let harmonic = (2..=39_u32, 0.0..0.06, 0.0..360.0);
    (0.0..360.0, prop::collection::vec(harmonic, 0..6)).prop_map(move |(phase, list)| {
        let mut all = vec![tone(1.0, rms, phase)];
        for (order, share, phase) in list {
            if all.iter().all(|t| t.order != f64::from(order)) {
                all.push(tone(f64::from(order), rms * share, phase));
            }
        }
        all
    })
}

fn check_phase(window: &Window, u: &[Tone], i: &[Tone], fundamental_hz: f64) {
    let phase = &window.phases[0];
    let (expected_u, expected_i) = (rms(u), rms(i));
    assert!(!window.flagged);
    assert!(ppm(phase.u_rms_v, expected_u).abs() < 10.0, "U {} {expected_u}", phase.u_rms_v);
    assert!(ppm(phase.i_rms_a, expected_i).abs() < 10.0, "I {} {expected_i}", phase.i_rms_a);
    let s = expected_u * expected_i;
    let p = power(u, i);
    assert!(((phase.p_w - p) / s).abs() < 20e-6, "P {} {p} of {s}", phase.p_w);
    let angle = (u[0].phase_deg - i[0].phase_deg).to_radians();
    let q1 = u[0].rms * i[0].rms * angle.sin();
    assert!(((phase.q1_var - q1) / s).abs() < 20e-6, "Q1 {} {q1}", phase.q1_var);
    let error_hz = window.frequency_hz - fundamental_hz;
    assert!(error_hz.abs() < 1e-4, "f off by {error_hz} Hz");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn rms_power_and_frequency_agree_with_the_drawn_amplitudes(
        (nominal, f) in grid_frequency(),
        rate in rate(),
        u in tones(230.0),
        i in tones(10.0),
    ) {
        let count = (0.75 * rate) as usize;
        let (x, y) = (render(&u, f, rate, count), render(&i, f, rate, count));
        let all = windows(rate, nominal, &x, &y, false);
        prop_assert!(all.len() >= 2);
        for window in &all {
            check_phase(window, &u, &i, f);
        }
    }

    #[test]
    fn power_holds_at_a_power_factor_of_a_tenth(
        (nominal, f) in grid_frequency(),
        phase in 0.0..360.0,
        lagging in any::<bool>(),
    ) {
        let angle = 0.1_f64.acos().to_degrees() * if lagging { -1.0 } else { 1.0 };
        let (u, i) = ([tone(1.0, 230.0, phase)], [tone(1.0, 10.0, phase + angle)]);
        let (x, y) = (render(&u, f, 7812.5, 5000), render(&i, f, 7812.5, 5000));
        for window in &windows(7812.5, nominal, &x, &y, false) {
            check_phase(window, &u, &i, f);
            prop_assert!((window.phases[0].pf - 0.1).abs() < 1e-5);
            prop_assert_eq!(window.phases[0].q1_var > 0.0, lagging);
        }
    }

    #[test]
    fn eight_per_cent_of_distortion_reads_eight_per_cent(
        (nominal, f) in grid_frequency(),
        rate in rate(),
        phases in prop::collection::vec(0.0..360.0, 19),
        weights in prop::collection::vec(0.05..1.0, 19),
    ) {
        // Odd orders 3 to 39, scaled so that the root of the sum of squares is 8 %.
        let size = weights.iter().map(|w: &f64| w * w).sum::<f64>().sqrt();
        let mut u = vec![tone(1.0, 230.0, phases[0])];
        for (k, (w, phase)) in weights.iter().zip(&phases).enumerate() {
            u.push(tone((3 + 2 * k) as f64, 230.0 * 0.08 * w / size, *phase));
        }
        let samples = render(&u, f, rate, (0.5 * rate) as usize);
        for window in &windows(rate, nominal, &samples, &samples, true) {
            let harmonics = &window.phases[0].harmonics.as_ref().expect("asked for").u;
            let thd = harmonics.thd_pct().expect("a fundamental");
            let thds = harmonics.thds_pct().expect("a fundamental");
            prop_assert!((thd - 8.0).abs() < 0.005, "{thd}");
            prop_assert!((thds - 8.0).abs() < 0.005, "{thds}");
            for t in &u[1..] {
                let line = harmonics.lines[t.order as usize - 1].rms();
                prop_assert!((line / t.rms - 1.0).abs() < 5e-4, "{t:?}: {line}");
            }
        }
    }
}

/// One published oracle: tones of U and I, and P, Q1, S, N, PF, THDU %, THDI %.
struct Oracle {
    u: Vec<Tone>,
    i: Vec<Tone>,
    rms: (f64, f64),
    p: f64,
    q1: f64,
    s: f64,
    n: f64,
    pf: f64,
    thd: (f64, f64),
}

/// IEEE 1459 quantities of three waveforms, worked out by hand from the definitions in 3.1.
fn oracles() -> [Oracle; 3] {
    [
        Oracle {
            u: vec![tone(1.0, 230.0, 0.0)],
            i: vec![tone(1.0, 10.0, -60.0)],
            rms: (230.0, 10.0),
            p: 1150.0,
            q1: 1_991.858_429,
            s: 2300.0,
            n: 1_991.858_429,
            pf: 0.5,
            thd: (0.0, 0.0),
        },
        Oracle {
            u: vec![tone(1.0, 230.0, 0.0), tone(5.0, 23.0, 0.0)],
            i: vec![tone(1.0, 10.0, 0.0), tone(5.0, 4.0, 0.0)],
            rms: (231.147_139, 10.770_330),
            p: 2392.0,
            q1: 0.0,
            s: 2_489.530_880,
            n: 690.0,
            pf: 0.960_823_59,
            thd: (10.0, 40.0),
        },
        Oracle {
            u: vec![
                tone(1.0, 100.0, 0.0),
                tone(3.0, 8.0, -70.0),
                tone(5.0, 15.0, 140.0),
                tone(7.0, 5.0, 20.0),
            ],
            i: vec![
                tone(1.0, 100.0, -30.0),
                tone(3.0, 20.0, -165.0),
                tone(5.0, 15.0, 234.0),
                tone(7.0, 10.0, 234.0),
            ],
            rms: (101.557_865, 103.561_576),
            p: 8_589.162_034,
            q1: 5000.0,
            s: 10_517.492_572,
            n: 6_069.921_380,
            pf: 0.816_654_92,
            thd: (17.720_045, 26.925_824),
        },
    ]
}

#[test]
fn three_worked_waveforms_read_as_worked_out() {
    for (oracle, (nominal, f)) in oracles().iter().zip([(50.0, 50.0), (50.0, 49.37), (60.0, 60.4)])
    {
        let (u, i) = (render(&oracle.u, f, 7812.5, 4800), render(&oracle.i, f, 7812.5, 4800));
        let all = windows(7812.5, nominal, &u, &i, true);
        assert!(!all.is_empty());
        for window in &all {
            let phase = &window.phases[0];
            let near = |found: f64, expected: f64, scale: f64| {
                assert!((found - expected).abs() < 20e-6 * scale, "{found} is not {expected}");
            };
            near(phase.u_rms_v, oracle.rms.0, oracle.rms.0);
            near(phase.i_rms_a, oracle.rms.1, oracle.rms.1);
            near(phase.p_w, oracle.p, oracle.s);
            near(phase.q1_var, oracle.q1, oracle.s);
            near(phase.s_va, oracle.s, oracle.s);
            near(phase.n_var, oracle.n, oracle.s);
            near(phase.pf, oracle.pf, 1.0);
            let harmonics = phase.harmonics.as_ref().expect("asked for");
            near(harmonics.u.thd_pct().expect("a fundamental"), oracle.thd.0, 100.0);
            near(harmonics.i.thd_pct().expect("a fundamental"), oracle.thd.1, 100.0);
            near(harmonics.u.thds_pct().expect("a fundamental"), oracle.thd.0, 100.0);
        }
    }
}

#[test]
fn an_interharmonic_between_two_orders_is_in_neither_sub_group() {
    // IEC 61000-4-7: 275 Hz lies in the interharmonic sub-group between orders 5 and 6.
    let u = [tone(1.0, 230.0, 10.0), tone(5.5, 2.3, 77.0)];
    let samples = render(&u, 50.0, 7812.5, 3200);
    for window in &windows(7812.5, 50.0, &samples, &samples, true) {
        let groups = &window.phases[0].harmonics.as_ref().expect("asked for").u.sub_groups;
        assert!(groups[4] < 230.0 * 2e-6 && groups[5] < 230.0 * 2e-6, "{groups:?}");
        assert!(ppm(window.phases[0].u_rms_v, rms(&u)).abs() < 10.0);
    }
}

#[test]
fn an_interharmonic_of_one_per_cent_fifteen_hertz_away_hardly_moves_the_frequency() {
    for (nominal, f) in [(50.0, 49.2), (50.0, 43.4), (60.0, 61.7), (50.0, 56.3)] {
        for away_hz in [-31.0, -15.0, 15.0, 16.5, 22.4, 117.0] {
            let u = [tone(1.0, 230.0, 33.0), tone((f + away_hz) / f, 2.3, 200.0)];
            let samples = render(&u, f, 7812.5, 8000);
            // Ten cycles of a high frequency are short: 15 Hz are then less than three bins, and
            // the interharmonic touches the fundamental's main lobe.
            let bins = f64::abs(away_hz) / (f / if nominal == 60.0 { 12.0 } else { 10.0 });
            let limit_hz = if bins < 2.9 { 2e-3 } else { 2e-4 };
            for window in &windows(7812.5, nominal, &samples, &samples, false) {
                let error_hz = window.frequency_hz - f;
                assert!(error_hz.abs() < limit_hz, "{f} Hz, {away_hz} Hz away: {error_hz}");
            }
        }
    }
}

#[test]
fn everything_up_to_the_nyquist_frequency_counts_in_the_rms() {
    // 5 % at 0.48 of the sampling frequency: beyond any interpolator, still part of the RMS.
    for rate in [7812.5, 50_000.0] {
        for place in [0.3, 0.42, 0.48] {
            let u = [tone(1.0, 230.0, 0.0), tone((place * rate / 50.0_f64).round(), 11.5, 50.0)];
            let samples = render(&u, 50.02, rate, (0.7 * rate) as usize);
            for window in windows(rate, 50.0, &samples, &samples, false) {
                let error = ppm(window.phases[0].u_rms_v, rms(&u));
                assert!(error.abs() < 10.0, "{place} of {rate}: {error} ppm");
            }
        }
    }
}

#[test]
fn a_half_wave_current_keeps_its_power_and_its_direct_component() {
    // Peak Ip: Irms = Ip/2, P = U Ip / (2 sqrt 2).
    let rate = 50_000.0;
    let u = render(&[tone(1.0, 230.0, -90.0)], 50.0, rate, 25_000);
    let i: Vec<f64> = u.iter().map(|v| (20.0 * v / (230.0 * 2f64.sqrt())).max(0.0)).collect();
    for window in windows(rate, 50.0, &u, &i, false) {
        assert!(ppm(window.phases[0].i_rms_a, 10.0).abs() < 10.0);
        assert!(ppm(window.phases[0].p_w, 1_626.345_597).abs() < 20.0);
    }
}
