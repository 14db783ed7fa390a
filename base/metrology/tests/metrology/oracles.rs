//! Worked waveforms, sampled, with their quantities from the definitions to 20 ppm.

use std::f64::consts::{SQRT_2, TAU};

use lastmeter_metrology::{
    AnalysisInput, EngineConfig, Harmonics, Sequence, SpectrumOptions, Window, WindowEngine,
    spectrum,
};

use crate::signal::{Tone, ppm, render, tone, windows};

fn harmonics(window: &Window) -> &Harmonics {
    &window.phases[0].harmonics.as_ref().expect("asked for").u
}

#[test]
fn a_square_wave_has_the_distortion_of_its_odd_orders() {
    // 1/h of each odd order: 47.032239 % to the 39th, 47.297133 % to the 50th.
    for (f, rate) in [(50.0, 50_000.0), (49.3, 40_000.0), (50.7, 20_000.0)] {
        let last = (0.45 * rate / f) as u32;
        let orders = (1..=last).step_by(2).map(f64::from);
        let tones: Vec<Tone> = orders.map(|h| tone(h, 100.0 / h, -90.0)).collect();
        let u = render(&tones, f, rate, (0.7 * rate) as usize);
        for window in windows(rate, 50.0, &u, &u, true) {
            let found = harmonics(&window);
            let thd = found.thd_pct().expect("a fundamental");
            assert!(ppm(thd, 47.297_133).abs() < 20.0, "{f} {rate}: {thd}");
            let line = |h: usize| found.lines[h - 1].rms();
            let to_39: f64 = (2..=39).map(|h| line(h) * line(h)).sum();
            let thd = 100.0 * to_39.sqrt() / line(1);
            assert!(ppm(thd, 47.032_239).abs() < 20.0, "{f} {rate}: {thd}");
        }
    }
}

#[test]
fn an_interharmonic_half_way_stands_in_its_own_sub_group_alone() {
    // 275 Hz of 1 %: interharmonic sub-group 5 has it, harmonic sub-groups 5 and 6 have nothing.
    let tones = [tone(1.0, 230.0, 0.0), tone(5.5, 2.3, 40.0)];
    for rate in [6400.0, 7812.5, 20_000.0] {
        let u = render(&tones, 50.0, rate, (0.7 * rate) as usize);
        for window in windows(rate, 50.0, &u, &u, true) {
            let found = harmonics(&window);
            let of_fundamental = |rms: f64| rms / 230.0;
            let between = of_fundamental(found.interharmonic_sub_groups[5]);
            assert!((between - 0.01).abs() < 20e-6 * 0.01, "{rate}: {between}");
            for order in [5, 6] {
                assert!(of_fundamental(found.sub_groups[order - 1]) < 20e-6, "{rate} {order}");
            }
        }
    }
}

#[test]
fn three_unequal_voltages_have_their_worked_unbalance() {
    // 100/95/105 %, exactly 120 degrees apart: u2 = u0 = 2.886751 %.
    let rate = 6400.0;
    let shares = [(1.0, 0.0), (0.95, -120.0), (1.05, 120.0)];
    let u = shares.map(|(share, turn)| {
        render(&[tone(1.0, 230.0 * share, turn)], 50.02, rate, (0.5 * rate) as usize)
    });
    let mut engine = WindowEngine::new(EngineConfig::new(rate, 50.0, 3)).expect("good");
    engine.push(&u, &u).expect("good samples");
    let window = engine.pop().expect("a window");
    let [a, b, c] = window.phases.as_slice() else { panic!("three phases") };
    let found = Sequence::of([a.u1, b.u1, c.u1]).unbalance();
    for unbalance in [found.negative_pct, found.zero_pct] {
        assert!(ppm(unbalance.expect("a positive sequence"), 2.886_751).abs() < 20.0);
    }
}

#[test]
fn a_half_wave_current_has_its_worked_direct_component() {
    // Peak Ip over pi: 6.366198 A of 20 A.
    let rate = 50_000.0;
    let u = render(&[tone(1.0, 230.0, -90.0)], 50.0, rate, 25_000);
    let i: Vec<f64> = u.iter().map(|v| (20.0 * v / (230.0 * SQRT_2)).max(0.0)).collect();
    let names = ["a".to_owned()];
    let input = AnalysisInput {
        rate_hz: rate,
        nominal_hz: Some(50.0),
        names: &names,
        voltages: &[u],
        currents: &[i],
    };
    let found = spectrum(&input, &SpectrumOptions::default()).expect("a spectrum");
    assert!(ppm(found.currents[0].dc, 6.366_198).abs() < 20.0, "{:?}", found.currents[0].dc);
}

#[test]
fn what_an_unsynchronised_window_makes_up_is_not_there() {
    // 49.93 Hz in 200 ms as they come: the plain sums are wrong by 695 ppm and see a distortion.
    let (rate, f) = (10_000.0, 49.93);
    let u = render(&[tone(1.0, 230.0, -90.0)], f, rate, 7000);
    let stretch = &u[..2000];
    let mean = stretch.iter().map(|x| x * x).sum::<f64>() / 2000.0;
    assert!((ppm(mean.sqrt(), 230.0) - 695.0).abs() < 0.5, "{}", ppm(mean.sqrt(), 230.0));
    let bin = |m: usize| {
        let angle = |k: usize| TAU * ((m * k) % 2000) as f64 / 2000.0;
        let sum = |of: fn(f64) -> f64| -> f64 {
            stretch.iter().enumerate().map(|(k, x)| x * of(angle(k))).sum()
        };
        (sum(f64::cos).powi(2) + sum(f64::sin).powi(2)) * 2.0 / 4e6
    };
    let group = |h: usize| bin(10 * h - 1) + bin(10 * h) + bin(10 * h + 1);
    let false_thd = 100.0 * ((2..=50).map(group).sum::<f64>() / group(1)).sqrt();
    assert!((false_thd - 0.4528).abs() < 5e-4, "{false_thd}");
    for window in windows(rate, 50.0, &u, &u, true) {
        assert!(ppm(window.phases[0].u_rms_v, 230.0).abs() < 20.0);
        let thd = harmonics(&window).thds_pct().expect("a fundamental");
        assert!(thd < 100.0 * 20e-6, "{thd}");
    }
}
