//! How the engine cuts time: gapless, phase-locked, independent of the pushes, honest when lost.

use crate::signal::{ppm, render, rms, tone, windows};
use lastmeter_metrology::{EngineConfig, EngineError, Window, WindowEngine};
use proptest::prelude::*;

fn drain(engine: &mut WindowEngine) -> Vec<Window> {
    std::iter::from_fn(|| engine.pop()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_windows_do_not_depend_on_how_the_samples_are_cut(
        f in 43.0..57.0,
        phase in 0.0..360.0,
        pieces in prop::collection::vec(1..4000_usize, 1..40),
    ) {
        let tones = [tone(1.0, 230.0, phase), tone(5.0, 9.0, 20.0), tone(7.3, 2.0, 1.0)];
        let u = render(&tones, f, 7812.5, 12_000);
        let i = render(&tones[..2], f, 7812.5, 12_000);
        let config = EngineConfig { harmonics: true, ..EngineConfig::new(7812.5, 50.0, 1) };
        let mut whole = WindowEngine::new(config.clone()).unwrap();
        whole.push(&[&u], &[&i]).unwrap();
        whole.finish();
        let mut cut = WindowEngine::new(config).unwrap();
        let mut popped = Vec::new();
        let mut first = 0;
        for piece in pieces.iter().cycle() {
            let last = (first + piece).min(u.len());
            cut.push(&[&u[first..last]], &[&i[first..last]]).unwrap();
            popped.extend(drain(&mut cut));
            first = last;
            if first == u.len() {
                break;
            }
        }
        cut.finish();
        popped.extend(drain(&mut cut));
        prop_assert_eq!(popped, drain(&mut whole));
    }

    #[test]
    fn no_input_makes_the_engine_panic_or_answer_with_what_is_no_number(
        samples in prop::collection::vec(-1e6..1e6, 0..6000),
        scale in prop_oneof![Just(0.0), Just(1e-300), Just(1.0), Just(1e90)],
    ) {
        let x: Vec<f64> = samples.iter().map(|x: &f64| x * scale).collect();
        for window in windows(6400.0, 50.0, &x, &x, true) {
            let phase = &window.phases[0];
            let values = [phase.u_rms_v, phase.p_w, phase.q1_var, phase.n_var, phase.pf];
            for value in values.into_iter().chain([window.frequency_hz]) {
                prop_assert!(value.is_finite(), "{window:?}");
            }
        }
    }
}

#[test]
fn windows_are_gapless_and_their_limits_do_not_drift() {
    // 120 s at a frequency whose cycle is no whole number of samples.
    let (f, rate) = (49.873, 7812.5);
    let u = render(&[tone(1.0, 230.0, 123.0), tone(3.0, 12.0, 5.0)], f, rate, 937_500);
    let all = windows(rate, 50.0, &u, &u, false);
    assert_eq!(all.len(), (120.0 * f / 10.0) as usize);
    for (k, window) in all.iter().enumerate() {
        let due_s = 10.0 * k as f64 / f;
        assert!((window.start_s - due_s).abs() < 1e-8, "window {k}: {} {due_s}", window.start_s);
        assert!(!window.flagged && window.tracked);
    }
    for pair in all.windows(2) {
        let gap_s = pair[1].start_s - (pair[0].start_s + pair[0].duration_s);
        assert!(gap_s.abs() < 1e-12);
    }
    assert!(all[0].extended && !all[1].extended);
}

#[test]
fn sixty_hertz_windows_have_twelve_cycles() {
    let u = render(&[tone(1.0, 120.0, 0.0)], 60.1, 8000.0, 8000);
    for window in windows(8000.0, 60.0, &u, &u, false) {
        assert_eq!(window.cycles, 12);
        assert!((window.duration_s - 12.0 / 60.1).abs() < 1e-8);
    }
}

#[test]
fn windows_follow_a_drifting_frequency() {
    // 0.5 Hz/s from 49.5 Hz: the phase is the integral, so the limits are known in closed form.
    let rate = 7812.5;
    let cycles_at = |t: f64| 49.5 * t + 0.25 * t * t;
    let u: Vec<f64> = (0..23_437)
        .map(|k| 325.0 * (std::f64::consts::TAU * cycles_at(f64::from(k) / rate).fract()).cos())
        .collect();
    let all = windows(rate, 50.0, &u, &u, false);
    assert!(all.len() >= 14);
    for window in &all {
        let advanced = cycles_at(window.start_s + window.duration_s) - cycles_at(window.start_s);
        assert!((advanced - 10.0).abs() < 10.0 * 3e-4, "sync error of {advanced} cycles");
        let middle_hz = 49.5 + 0.5 * (window.start_s + 0.5 * window.duration_s);
        assert!((window.frequency_hz - middle_hz).abs() < 1e-3);
        assert!(ppm(window.phases[0].u_rms_v, 325.0 / 2f64.sqrt()).abs() < 100.0);
        assert!(!window.flagged);
    }
}

#[test]
fn a_dead_first_voltage_hands_over_to_the_next_channel_that_lives() {
    let rate = 7812.5;
    let live = render(&[tone(1.0, 230.0, 40.0)], 50.7, rate, 8000);
    let dead = vec![0.0; 8000];
    // Deterministic, broad-band, without a fundamental.
    let noise: Vec<f64> = (0..8000_u64)
        .map(|k| {
            f64::from((k.wrapping_mul(6_364_136_223_846_793_005) >> 40) as u32 & 0xffff) / 65536.0
                - 0.5
        })
        .collect();
    for first in [&dead, &noise] {
        let mut engine = WindowEngine::new(EngineConfig::new(rate, 50.0, 3)).unwrap();
        engine.push(&[first, first, &live], &[&dead, &dead, &dead]).unwrap();
        engine.finish();
        let all = drain(&mut engine);
        assert!(all.len() >= 5);
        for window in all {
            assert!((window.frequency_hz - 50.7).abs() < 1e-4 && window.tracked && !window.flagged);
            assert!(ppm(window.phases[2].u_rms_v, 230.0).abs() < 10.0);
        }
    }
    for window in windows(rate, 50.0, &dead, &live, false) {
        assert!((window.frequency_hz - 50.7).abs() < 1e-4, "the current is the last resort");
    }
}

#[test]
fn without_anything_to_track_windows_have_nominal_length_and_a_flag() {
    let silence = vec![0.0; 6400];
    let all = windows(6400.0, 60.0, &silence, &silence, true);
    assert_eq!(all.len(), 5);
    for window in &all {
        assert!(window.flagged && !window.tracked);
        assert_eq!((window.duration_s, window.frequency_hz), (0.2, 60.0));
        let phase = &window.phases[0];
        assert_eq!((phase.u_rms_v, phase.pf, phase.n_var), (0.0, 0.0, 0.0));
        assert_eq!(phase.harmonics.as_ref().unwrap().u.thd_pct(), None);
    }
}

#[test]
fn a_jump_of_the_phase_flags_a_window_and_the_lock_returns() {
    let rate = 7812.5;
    let mut u = render(&[tone(1.0, 230.0, 0.0)], 50.0, rate, 8000);
    u.extend(render(&[tone(1.0, 230.0, 110.0)], 50.0, rate, 8000));
    let all = windows(rate, 50.0, &u, &u, false);
    let flagged = all.iter().filter(|w| w.flagged).count();
    assert!((1..=2).contains(&flagged), "{flagged}");
    let last = all.last().unwrap();
    assert!(!last.flagged && (last.duration_s - 0.2).abs() < 1e-7);
    assert!(ppm(last.phases[0].u_rms_v, 230.0).abs() < 10.0);
}

#[test]
fn energy_over_all_windows_is_the_integral_of_the_power() {
    // A load that switches at random places: what one window loses at its edge the next one has.
    let rate = 7812.5;
    let u = render(&[tone(1.0, 230.0, 0.0)], 50.0, rate, 78_125);
    let i: Vec<f64> = u
        .iter()
        .enumerate()
        .map(|(k, u)| if (k / 977) % 3 == 0 { u / 23.0 } else { u / 230.0 })
        .collect();
    let all = windows(rate, 50.0, &u, &i, false);
    let inner = &all[1..all.len() - 1];
    let energy_j: f64 = inner.iter().map(|w| w.phases[0].p_w * w.duration_s).sum();
    let (from, to) = (inner[0].start_s * rate, all[all.len() - 1].start_s * rate);
    let direct: f64 = (from.round() as usize..to.round() as usize).map(|k| u[k] * i[k]).sum();
    assert!(ppm(energy_j, direct / rate).abs() < 60.0, "{energy_j} {}", direct / rate);
}

#[test]
fn the_last_window_needs_nothing_beyond_the_last_sample() {
    // Exactly ten cycles, also with an end between two samples, with harmonics to order 39.
    for f in [50.0_f64, 49.983, 52.31, 45.02] {
        for rate in [10_000.0_f64, 6400.0, 7812.5] {
            let tones = [tone(1.0, 230.0, 10.0), tone(13.0, 15.0, 70.0), tone(39.0, 8.0, 99.0)];
            let count = (10.0 * rate / f).round() as usize;
            let u = render(&tones, f, rate, count);
            let all = windows(rate, 50.0, &u, &u, true);
            assert_eq!(all.len(), 1, "{f} {rate}");
            assert!(all[0].extended);
            assert!(ppm(all[0].phases[0].u_rms_v, rms(&tones)).abs() < 10.0, "{f} {rate}");
        }
    }
}

#[test]
fn what_is_made_up_beyond_the_last_sample_does_not_depend_on_the_pieces_either() {
    // Six windows and an end just before or after the last sample: what is repeated lies elsewhere
    // in the engine's memory where more of the samples before are still kept.
    for f in [50.0_f64, 49.983, 52.31, 45.02] {
        for (rate, more) in [(1200.0_f64, 9), (6400.0, 0), (7812.5, 5), (20_000.0, 2)] {
            let tones = [tone(1.0, 230.0, 10.0), tone(5.0, 15.0, 70.0), tone(7.3, 8.0, 99.0)];
            let u = render(&tones, f, rate, (60.0 * rate / f).round() as usize + more);
            let whole = windows(rate, 50.0, &u, &u, true);
            assert!(whole.len() == 6 && whole[5].extended, "{f} {rate}");
            let config = EngineConfig { harmonics: true, ..EngineConfig::new(rate, 50.0, 1) };
            let mut engine = WindowEngine::new(config).unwrap();
            u.chunks(97).for_each(|piece| engine.push(&[piece], &[piece]).unwrap());
            engine.finish();
            assert!(drain(&mut engine) == whole, "{f} Hz at {rate} Hz");
        }
    }
}

#[test]
fn what_cannot_be_pushed_is_refused_with_the_reason() {
    let mut engine = WindowEngine::new(EngineConfig::new(7812.5, 50.0, 2)).unwrap();
    let x = vec![1.0; 10];
    assert_eq!(
        engine.push(&[&x], &[&x, &x]),
        Err(EngineError::Channels { what: "voltages", found: 1, expected: 2 })
    );
    assert_eq!(
        engine.push(&[&x[..], &x[..9]], &[&x[..], &x[..]]),
        Err(EngineError::Lengths { channel: 1, found: 9, expected: 10 })
    );
    let bad = [1.0, f64::NAN];
    assert_eq!(
        engine.push(&[[1.0, 2.0]; 2], &[bad, bad]),
        Err(EngineError::NotFinite { channel: 2, sample: 1 })
    );
    engine.finish();
    assert_eq!(engine.push(&[&x, &x], &[&x, &x]), Err(EngineError::Finished));
    let refused = |config| WindowEngine::new(config).unwrap_err();
    assert_eq!(refused(EngineConfig::new(7812.5, 55.0, 1)), EngineError::Nominal(55.0));
    assert_eq!(refused(EngineConfig::new(7812.5, 50.0, 0)), EngineError::NoPhases);
    assert!(matches!(refused(EngineConfig::new(399.0, 50.0, 1)), EngineError::Rate { .. }));
    assert!(matches!(refused(EngineConfig::new(f64::NAN, 50.0, 1)), EngineError::Rate { .. }));
}
