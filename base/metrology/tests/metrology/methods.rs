//! The selectable methods: what each of them is good for and what it costs, in closed form.

use std::f64::consts::{PI, SQRT_2, TAU};

use crate::signal::{Tone, ppm, render, rms, tone};
use lastmeter_metrology::{
    EngineConfig, EngineError, Harmonics, Phasor, Resampling, Synchronisation, Window, WindowEngine,
};
use proptest::prelude::*;

/// What linear interpolation leaves of a harmonic's line in the spectrum of a window, on average
/// over all positions between two samples: sinc^2(w / 2) with w = 2 pi order / samples per cycle.
fn linear_line_gain(order: f64, samples_per_cycle: f64) -> f64 {
    let half = PI * order / samples_per_cycle;
    if half.abs() < 1e-9 {
        return 1.0;
    }
    let sinc = half.sin() / half;
    sinc * sinc
}

/// What linear interpolation leaves of the RMS value of a tone's interpolated points, on average
/// over all positions between two samples: sqrt((2 + cos w) / 3). It exceeds the line's gain by
/// what goes into images elsewhere in the spectrum.
fn linear_rms_gain(order: f64, samples_per_cycle: f64) -> f64 {
    ((2.0 + (2.0 * PI * order / samples_per_cycle).cos()) / 3.0).sqrt()
}

/// Total harmonic distortion over groups, in per cent (IEC 61000-4-7 THDG).
fn distortion_of_groups_pct(found: &Harmonics) -> f64 {
    let rest: f64 = found.groups[1..].iter().map(|rms| rms * rms).sum();
    100.0 * rest.sqrt() / found.groups[0]
}

/// The fundamental's RMS phasor in each cycle of so many points, phases relative to the cycle's
/// start.
fn cycle_phasors(per_cycle: usize, points: &[f64]) -> Vec<Phasor> {
    let phasor = |cycle: &[f64]| {
        let turn = |k: usize| TAU * k as f64 / per_cycle as f64;
        let sum = |part: fn(f64) -> f64| -> f64 {
            cycle.iter().enumerate().map(|(k, x)| x * part(turn(k))).sum()
        };
        let scale = SQRT_2 / per_cycle as f64;
        Phasor { re: scale * sum(f64::cos), im: -scale * sum(f64::sin) }
    };
    points.chunks_exact(per_cycle).map(phasor).collect()
}

/// All windows of one voltage, pushed in pieces.
fn run(config: EngineConfig, u: &[f64], piece: usize) -> Vec<Window> {
    let mut engine = WindowEngine::new(config).expect("a good configuration");
    let mut all = Vec::new();
    for u in u.chunks(piece) {
        engine.push::<_, &[f64]>(&[u], &[]).expect("good samples");
        all.extend(std::iter::from_fn(|| engine.pop()));
    }
    engine.finish();
    all.extend(std::iter::from_fn(|| engine.pop()));
    all
}

fn harmonics(window: &Window) -> &Harmonics {
    &window.phases[0].harmonics.as_ref().expect("asked for").u
}

/// 8 % of five odd orders from the 3rd to the 39th, as in the published test set.
fn five_orders() -> Vec<Tone> {
    let share = 230.0 * 0.08 / 5f64.sqrt();
    let orders = [3.0, 11.0, 19.0, 29.0, 39.0];
    std::iter::once(tone(1.0, 230.0, 20.0))
        .chain(orders.iter().map(|order| tone(*order, share, 37.0 * order)))
        .collect()
}

#[test]
fn linear_interpolation_loses_its_closed_form_and_the_default_nothing() {
    let tones = five_orders();
    // What an independent computation read for linear interpolation, in per cent.
    for (rate, published) in [(6400.0, 7.21), (10_000.0, 7.65)] {
        let f = 50.0 + 0.013;
        let u = render(&tones, f, rate, (0.7 * rate) as usize);
        let method = |resampling| EngineConfig {
            harmonics: true,
            resampling,
            ..EngineConfig::new(rate, 50.0, 1)
        };
        let linear = run(method(Resampling::Linear), &u, 1 << 20);
        let sinc = run(method(Resampling::Sinc), &u, 1 << 20);
        for (linear, sinc) in linear.iter().zip(&sinc) {
            let mut squares = 0.0;
            for t in &tones {
                let gain = linear_line_gain(t.order, rate / f);
                let line = |window| harmonics(window).lines[t.order as usize - 1].rms() / t.rms;
                assert!((line(linear) - gain).abs() < 4e-4, "{t:?}: {} {gain}", line(linear));
                assert!((line(sinc) - 1.0).abs() < 1e-4, "{t:?}: {}", line(sinc));
                squares += if t.order > 1.0 { gain * gain / 5.0 } else { 0.0 };
            }
            let expected = 8.0 * squares.sqrt() / linear_line_gain(1.0, rate / f);
            let thd = harmonics(linear).thd_pct().expect("a fundamental");
            assert!((thd - expected).abs() < 0.004, "{rate}: {thd} {expected}");
            assert!((thd - published).abs() < 0.02, "{rate}: {thd} {published}");
            let thd = harmonics(sinc).thd_pct().expect("a fundamental");
            assert!((thd - 8.0).abs() < 0.001, "{rate}: {thd}");
        }
    }
}

#[test]
fn the_rms_of_linearly_interpolated_points_falls_by_its_closed_form() {
    let (rate, f) = (10_000.0, 49.381);
    for order in [5.0, 13.0, 23.0, 39.0] {
        // The order alone beside a fundamental that is all but flat between two samples.
        let tones = [tone(1.0, 230.0, 0.0), tone(order, 230.0, 77.0)];
        let u = render(&tones, f, rate, 30_000);
        let config = EngineConfig {
            samples_per_cycle: Some(1024),
            resampling: Resampling::Linear,
            ..EngineConfig::new(rate, 50.0, 1)
        };
        for window in run(config, &u, 1 << 20) {
            let points = &window.synchronous.as_ref().expect("asked for").voltages[0];
            let mean_square = points.iter().map(|x| x * x).sum::<f64>() / points.len() as f64;
            let gains = [1.0, order].map(|order| linear_rms_gain(order, rate / f));
            let expected = 230.0 * (gains[0] * gains[0] + gains[1] * gains[1]).sqrt();
            assert!(ppm(mean_square.sqrt(), expected).abs() < 300.0, "{order}");
        }
    }
    assert_eq!((linear_line_gain(0.0, 100.0), linear_rms_gain(0.0, 100.0)), (1.0, 1.0));
}

#[test]
fn two_hundred_and_fifty_six_points_hold_twelve_orders_and_fold_the_twentieth() {
    // Bin 200 of 256 points is bin 56: between orders 5 and 6.
    let (rate, f) = (20_000.0, 50.07);
    let tones = [tone(1.0, 230.0, 0.0), tone(7.0, 11.5, 15.0), tone(20.0, 11.5, 0.0)];
    let u = render(&tones, f, rate, 20_000);
    for resampling in [Resampling::Linear, Resampling::Sinc] {
        let config = EngineConfig {
            harmonics: true,
            resampling,
            window_samples: Some(256),
            ..EngineConfig::new(rate, 50.0, 1)
        };
        for window in run(config, &u, 1 << 20) {
            let found = harmonics(&window);
            assert_eq!(found.lines.len(), 12);
            let folded = found.interharmonic_groups[5] / 11.5;
            match resampling {
                Resampling::Linear => {
                    let gain = linear_line_gain(20.0, rate / f);
                    assert!((folded - gain).abs() < 1e-3, "{folded} {gain}");
                }
                Resampling::Sinc => assert!(folded < 1e-4, "{folded}"),
            }
            let gain = match resampling {
                Resampling::Linear => linear_line_gain(7.0, rate / f),
                Resampling::Sinc => 1.0,
            };
            assert!((found.lines[6].rms() / 11.5 - gain).abs() < 1e-4, "{:?}", found.lines[6]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn each_harmonic_to_the_fortieth_reads_as_drawn_at_any_rate(
        f in 45.0..57.5,
        rate in prop_oneof![Just(6400.0), Just(20_000.0), Just(100_000.0), 6400.0..30_000.0],
        drawn in prop::collection::vec((0.001..0.06, 0.0..360.0), 39),
    ) {
        let mut tones = vec![tone(1.0, 230.0, 100.0)];
        for (k, (share, phase)) in drawn.iter().enumerate() {
            tones.push(tone((k + 2) as f64, 230.0 * share, *phase));
        }
        let u = render(&tones, f, rate, (0.5 * rate) as usize);
        let config = EngineConfig { harmonics: true, ..EngineConfig::new(rate, 50.0, 1) };
        for window in run(config, &u, 1 << 20) {
            prop_assert!(ppm(window.phases[0].u_rms_v, rms(&tones)).abs() < 10.0);
            prop_assert!((window.frequency_hz - f).abs() < 1e-4);
            let start = f * window.start_s;
            for t in &tones {
                let line = harmonics(&window).lines[t.order as usize - 1];
                let error = line.rms() / t.rms - 1.0;
                prop_assert!(error.abs() < 5e-4, "{t:?}: {line:?}");
                let phase = TAU * (t.order * start).fract() + t.phase_deg.to_radians();
                let turned = line.rotated(-phase).phase_rad();
                prop_assert!(turned.abs() < 1e-3 * t.order.sqrt(), "{t:?}: {turned}");
            }
        }
    }

    #[test]
    fn groups_gather_what_61000_4_7_gathers(
        (nominal, cycles) in prop_oneof![Just((50.0, 10_usize)), Just((60.0, 12))],
        f in 0.98..1.02,
        bin in 3..550_usize,
        share in 0.01..0.2_f64,
        rate in prop_oneof![Just(8000.0), Just(20_000.0)],
    ) {
        // One tone on a bin of the window beside the fundamental; what it belongs to is a matter
        // of counting bins.
        let bin = bin.min(50 * cycles + cycles / 2 - 1);
        prop_assume!(bin.abs_diff(cycles) > cycles);
        let f = f * nominal;
        let rms = 100.0 * share;
        let tones = [tone(1.0, 100.0, 10.0), tone(bin as f64 / cycles as f64, rms, 50.0)];
        let u = render(&tones, f, rate, (0.5 * rate) as usize);
        let config = EngineConfig { harmonics: true, ..EngineConfig::new(rate, nominal, 1) };
        for window in run(config, &u, 1 << 20) {
            let found = harmonics(&window);
            prop_assert_eq!((found.lines.len(), found.groups.len()), (50, 50));
            prop_assert_eq!(found.interharmonic_groups.len(), 51);
            for order in 2..=50_usize {
                let away = bin.abs_diff(order * cycles);
                let part = |inside: bool| if inside { rms } else { 0.0 };
                let half = cycles / 2;
                let group = if away == half { rms / SQRT_2 } else { part(away < half) };
                let near = |found: f64, expected: f64, what: &str| {
                    prop_assert!((found - expected).abs() < 4e-4 * rms, "{what} {order} {found}");
                    Ok(())
                };
                near(found.lines[order - 1].rms(), part(away == 0), "line")?;
                near(found.sub_groups[order - 1], part(away <= 1), "sub-group")?;
                near(found.groups[order - 1], group, "group")?;
                let past = bin.saturating_sub(order * cycles);
                let between = (1..cycles).contains(&past);
                near(found.interharmonic_groups[order], part(between), "between")?;
                let centred = (2..cycles - 1).contains(&past);
                near(found.interharmonic_sub_groups[order], part(centred), "centred")?;
            }
            let thdg = distortion_of_groups_pct(found);
            let order = bin as f64 / cycles as f64;
            if order > 1.6 && order < 50.4 && bin % cycles != cycles / 2 {
                prop_assert!((thdg - 100.0 * share).abs() < 0.01, "{thdg}");
            }
        }
    }

    #[test]
    fn zero_crossings_find_the_frequency_and_windows_start_at_them(
        f in 45.0..57.5,
        rate in 6400.0..20_000.0,
        phase in 0.0..360.0,
        fifth in 0.0..0.05,
        piece in 100..5000_usize,
    ) {
        let tones = [tone(1.0, 230.0, phase), tone(5.0, 230.0 * fifth, 0.0)];
        let u = render(&tones, f, rate, rate as usize);
        let config = EngineConfig {
            synchronisation: Synchronisation::ZeroCrossing,
            ..EngineConfig::new(rate, 50.0, 1)
        };
        let all = run(config.clone(), &u, piece);
        prop_assert!(all.len() as f64 >= f / 10.0 - 1.2, "{} windows", all.len());
        for window in &all {
            prop_assert!(window.tracked && !window.flagged);
            prop_assert!((window.frequency_hz - f).abs() < 4e-3, "{} {f}", window.frequency_hz);
            prop_assert!(ppm(window.phases[0].u_rms_v, rms(&tones)).abs() < 60.0);
            if fifth < 0.001 {
                let angle = window.phases[0].u1.phase_rad() + 0.25 * TAU;
                prop_assert!(angle.abs() < 0.002, "{angle}");
            }
        }
        for pair in all.windows(2) {
            prop_assert!((pair[0].start_s + pair[0].duration_s - pair[1].start_s).abs() < 1e-12);
        }
        prop_assert_eq!(all, run(config, &u, usize::MAX));
    }
}

#[test]
fn the_published_synchronisation_costs_a_tenth_of_a_millihertz_and_the_default_next_to_nothing() {
    let error = |synchronisation, f: f64| {
        let u = render(&[tone(1.0, 230.0, 12.0)], f, 10_000.0, 20_000);
        let config = EngineConfig { synchronisation, ..EngineConfig::new(10_000.0, 50.0, 1) };
        let all = run(config, &u, 1 << 20);
        all.iter().map(|w| (w.frequency_hz - f).abs()).fold(0.0, f64::max)
    };
    let mut worst = (0.0_f64, 0.0_f64);
    for f in [45.31, 48.77, 49.937, 50.003, 51.27, 54.9, 57.41] {
        worst.0 = worst.0.max(error(Synchronisation::ZeroCrossing, f));
        worst.1 = worst.1.max(error(Synchronisation::InterpolatedDft, f));
    }
    assert!((2e-5..2e-3).contains(&worst.0), "{worst:?}");
    assert!(worst.1 < 1e-6 && worst.1 < 0.1 * worst.0, "{worst:?}");
}

#[test]
fn lost_crossings_are_flagged_and_found_again() {
    let rate = 8000.0;
    let mut u = render(&[tone(1.0, 230.0, 0.0)], 50.0, rate, 8000);
    u.extend(vec![0.0; 8000]);
    u.extend(render(&[tone(1.0, 230.0, 0.0)], 50.0, rate, 16_000));
    let config = EngineConfig {
        synchronisation: Synchronisation::ZeroCrossing,
        ..EngineConfig::new(rate, 50.0, 1)
    };
    let all = run(config, &u, 777);
    let lost = all.iter().filter(|w| w.flagged && !w.tracked && w.frequency_hz == 50.0).count();
    assert!((4..=7).contains(&lost), "{lost}");
    let (first, last) = (&all[0], &all[all.len() - 1]);
    for window in [first, last] {
        assert!(!window.flagged && (window.duration_s - 0.2).abs() < 1e-6, "{window:?}");
        assert!(ppm(window.phases[0].u_rms_v, 230.0).abs() < 10.0);
    }
}

#[test]
fn windows_start_anew_at_each_tick_of_the_clock_and_overlap_there_alone() {
    let (rate, f) = (7812.5, 50.3);
    let u = render(&[tone(1.0, 230.0, 0.0), tone(3.0, 9.0, 5.0)], f, rate, 23_437);
    // The tick falls 1.05 s after the first sample, at an instant that is no sample's.
    let tick_index = 2_990_000;
    let first_sample_ns = tick_index * 600_000_000_000 - 1_050_000_000;
    for synchronisation in [Synchronisation::InterpolatedDft, Synchronisation::ZeroCrossing] {
        let config = EngineConfig {
            first_sample_unix_ns: Some(first_sample_ns),
            synchronisation,
            ..EngineConfig::new(rate, 50.0, 1)
        };
        let all = run(config.clone(), &u, 500);
        assert_eq!(all, run(config, &u, 1 << 20));
        let across = all.iter().position(|window| window.before_tick.is_some());
        let across = across.expect("one window runs across the tick");
        for (k, window) in all.iter().enumerate() {
            let placed = window.ten_minutes.expect("the clock is known");
            assert_eq!(placed, tick_index - i64::from(k <= across), "window {k}");
            assert_eq!(window.before_tick.is_some(), k == across);
            assert!(!window.flagged && ppm(window.phases[0].u_rms_v, 230.1759).abs() < 20.0);
        }
        let (before, after) = (&all[across], &all[across + 1]);
        assert!(before.start_s < 1.05 && before.start_s + before.duration_s > 1.05);
        let late_s = after.start_s - 1.05;
        match synchronisation {
            Synchronisation::InterpolatedDft => assert!(late_s.abs() < 1e-9, "{late_s}"),
            Synchronisation::ZeroCrossing => assert!((0.0..1.0 / f).contains(&late_s), "{late_s}"),
        }
        for (k, pair) in all.windows(2).enumerate().filter(|(k, _)| *k != across) {
            let gap_s = pair[1].start_s - pair[0].start_s - pair[0].duration_s;
            assert!(gap_s.abs() < 1e-12, "after window {k}: {gap_s}");
        }
    }
    let unaware = run(EngineConfig::new(rate, 50.0, 1), &u, 500);
    assert!(unaware.iter().all(|window| window.ten_minutes.is_none()));
}

#[test]
fn what_would_fold_onto_an_order_is_stopped() {
    // Of 4096 points bin 3596 looks like bin 500, order 50.
    for (rate, nominal_f) in [(50_000.0, 50.0), (50_000.0, 45.3), (100_000.0, 57.1)] {
        let u = [tone(1.0, 230.0, 0.0), tone(359.6, 23.0, 40.0)];
        let samples = render(&u, nominal_f, rate, (0.5 * rate) as usize);
        let config = EngineConfig { harmonics: true, ..EngineConfig::new(rate, 50.0, 1) };
        for window in run(config, &samples, 1 << 20) {
            let folded = harmonics(&window).lines[49].rms() / 23.0;
            assert!(folded < 3e-6, "{rate} {nominal_f}: {folded}");
        }
    }
}

#[test]
fn the_droop_near_half_the_sampling_frequency_is_taken_out() {
    // Orders 42 to 50 up to 0.45 of 6.4 kS/s, where the kernel alone loses more and more.
    for f in [50.0, 53.7, 57.4] {
        let mut u = vec![tone(1.0, 230.0, 7.0)];
        u.extend((42..=50).map(|order| tone(f64::from(order), 4.6, 31.0 * f64::from(order))));
        let samples = render(&u, f, 6400.0, 6400);
        let config = EngineConfig { harmonics: true, ..EngineConfig::new(6400.0, 50.0, 1) };
        for window in run(config, &samples, 1 << 20) {
            for t in &u[1..] {
                let line = harmonics(&window).lines[t.order as usize - 1].rms() / t.rms;
                assert!((line - 1.0).abs() < 2e-3, "{f} {t:?}: {line}");
            }
        }
    }
}

#[test]
fn thirty_two_synchronous_samples_per_cycle_are_the_wave_at_those_instants() {
    for (rate, f) in [(6400.0, 49.2), (20_000.0, 50.61), (50_000.0, 57.3)] {
        let tones = [tone(1.0, 230.0, 33.0), tone(3.0, 12.0, 70.0), tone(7.0, 5.0, 1.0)];
        let u = render(&tones, f, rate, (0.7 * rate) as usize);
        let config =
            EngineConfig { samples_per_cycle: Some(32), ..EngineConfig::new(rate, 50.0, 1) };
        let all = run(config, &u, 1 << 20);
        assert!(all.len() >= 3);
        for window in &all {
            let samples = window.synchronous.as_ref().expect("asked for");
            let points = &samples.voltages[0];
            assert_eq!((points.len(), samples.currents[0].len()), (320, 320));
            let at = |k: usize| {
                let cycles = f * window.start_s + k as f64 / 32.0;
                let part = |t: &Tone| {
                    let angle = TAU * (t.order * cycles).fract() + t.phase_deg.to_radians();
                    SQRT_2 * t.rms * angle.cos()
                };
                tones.iter().map(part).sum::<f64>()
            };
            for (k, point) in points.iter().enumerate() {
                assert!((point - at(k)).abs() < 0.02, "{rate} {k}: {point} {}", at(k));
            }
            for (cycle, phasor) in cycle_phasors(samples.per_cycle, points).iter().enumerate() {
                assert!(ppm(phasor.rms(), 230.0).abs() < 30.0, "{rate} {cycle}: {phasor:?}");
                let due = TAU * (f * window.start_s).fract() + 33f64.to_radians();
                assert!(phasor.rotated(-due).phase_rad().abs() < 3e-5, "{rate} {cycle}");
            }
        }
    }
}

#[test]
fn what_no_method_can_do_is_refused_with_the_reason() {
    let base = EngineConfig::new(8000.0, 50.0, 1);
    let refused = |config| WindowEngine::new(config).expect_err("refused");
    for points in [0, 16, 100, 1 << 21] {
        let config = EngineConfig { window_samples: Some(points), ..base.clone() };
        assert_eq!(refused(config), EngineError::WindowSamples(points));
    }
    for points in [0, 2, 33, 4096] {
        let config = EngineConfig { samples_per_cycle: Some(points), ..base.clone() };
        assert_eq!(refused(config), EngineError::SamplesPerCycle(points));
    }
}

#[test]
fn strange_signals_leave_every_method_without_a_panic() {
    for synchronisation in [Synchronisation::InterpolatedDft, Synchronisation::ZeroCrossing] {
        for resampling in [Resampling::Linear, Resampling::Sinc] {
            let config = EngineConfig {
                harmonics: true,
                synchronisation,
                resampling,
                window_samples: Some(32),
                samples_per_cycle: Some(4),
                first_sample_unix_ns: Some(i64::MAX - 5),
                ..EngineConfig::new(400.0, 50.0, 1)
            };
            for u in [vec![0.0; 1000], vec![1.0; 1], vec![1e99; 1000], Vec::new()] {
                run(config.clone(), &u, 7);
            }
            let square: Vec<f64> = (0..1000).map(|k| if k % 8 < 4 { 1e90 } else { -1.0 }).collect();
            run(config, &square, 3);
        }
    }
}

/// The published formulae as they are printed, beside their closed forms. With the residual d of
/// the first crossing added, a window is 2 d samples too long: e = 2 d / L. What lies beyond its
/// end begins with a zero of the voltage and the current -sqrt(2) I sin(phi). The sample that is
/// missing is the window's first.
#[test]
fn the_formulae_as_printed_are_wrong_by_their_closed_forms() {
    let (rate, f, lag_deg) = (10_000.0, 50.3, 60.0_f64);
    let signal = |rms: f64, phase_deg: f64| -> Vec<f64> {
        let phase = phase_deg.to_radians();
        let at = |k: i32| (TAU * f * f64::from(k) / rate + phase).sin();
        (0..20_000).map(|k| SQRT_2 * rms * at(k)).collect()
    };
    let (u, i) = (signal(230.0, 17.0), signal(5.0, 17.0 - lag_deg));
    let windows = |as_printed| {
        let config = EngineConfig {
            as_printed,
            synchronisation: Synchronisation::ZeroCrossing,
            ..EngineConfig::new(rate, 50.0, 1)
        };
        let mut engine = WindowEngine::new(config).expect("a good configuration");
        engine.push(&[&u], &[&i]).expect("good samples");
        std::iter::from_fn(|| engine.pop()).collect::<Vec<_>>()
    };
    let (meant, printed) = (windows(false), windows(true));
    assert!(printed.len() >= 9 && printed.len() == meant.len());
    let sin2 = lag_deg.to_radians().sin().powi(2);
    for (meant, printed) in meant.iter().zip(&printed) {
        assert_eq!((meant.start_s, meant.duration_s), (printed.start_s, printed.duration_s));
        let samples = meant.duration_s * rate;
        let e = 2.0 * (meant.start_s * rate).fract() / samples;
        let relative = |found: f64, expected: f64| found / expected - 1.0;
        let (right, wrong) = (&meant.phases[0], &printed.phases[0]);
        for (what, found, expected) in [
            ("f", relative(printed.frequency_hz, meant.frequency_hz), -e),
            ("U", relative(wrong.u_rms_v, right.u_rms_v), -0.5 * e),
            (
                "I",
                relative(wrong.i_rms_a, right.i_rms_a),
                -0.5 * e * (1.0 - 2.0 * sin2) - sin2 / samples,
            ),
            ("P", relative(wrong.p_w, right.p_w), -e),
            ("S", relative(wrong.s_va, right.s_va), -e * (1.0 - sin2) - sin2 / samples),
            ("N", relative(wrong.n_var, right.n_var), -1.0 / samples),
        ] {
            // Of second order: beyond the end the voltage is not zero for long.
            let limit = if what == "f" { 1e-6 } else { 1.5e-4 };
            assert!((found - expected).abs() < limit, "{what}: {found:e}, expected {expected:e}");
        }
    }
}
