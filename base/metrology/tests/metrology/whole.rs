//! Whole recordings with everything that is watched beside the windows.

use lastmeter_metrology::{
    Analyser, AnalyserSetup, Analysis, AnalysisError, AnalysisInput, AnalysisOptions, analyse,
    analyse_with,
};

use proptest::prelude::*;

use crate::signal::{render, tone};

const RATE_HZ: f64 = 6400.0;

fn names(count: usize) -> Vec<String> {
    ["a", "b", "c"].iter().take(count).map(|name| (*name).to_owned()).collect()
}

fn measured(voltages: &[Vec<f64>], currents: &[Vec<f64>], options: AnalysisOptions) -> Analysis {
    let names = names(voltages.len().max(currents.len()));
    let input =
        AnalysisInput { rate_hz: RATE_HZ, nominal_hz: None, names: &names, voltages, currents };
    analyse_with(&input, options).expect("a good recording")
}

/// Three phases at 230 V and 10 A, with a dip of phase b to 50 % from 4.1 to 4.25 s.
fn dipped(seconds: f64) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let count = (seconds * RATE_HZ) as usize;
    let set = |rms: f64, angle: f64| -> Vec<Vec<f64>> {
        (0..3)
            .map(|k| {
                let phase = -90.0 + angle - 120.0 * f64::from(k);
                render(&[tone(1.0, rms, phase), tone(5.0, 0.03 * rms, 40.0)], 50.0, RATE_HZ, count)
            })
            .collect()
    };
    let (mut u, i) = (set(230.0, 0.0), set(10.0, -30.0));
    for (k, x) in u[1].iter_mut().enumerate() {
        if (4.1..4.25).contains(&(k as f64 / RATE_HZ)) {
            *x *= 0.5;
        }
    }
    (u, i)
}

#[test]
fn a_dip_is_found_its_window_flagged_and_nothing_else() {
    let (u, i) = dipped(8.0);
    let analysis = measured(&u, &i, AnalysisOptions::default());
    assert_eq!(analysis.declared_voltage_v, Some(230.0));
    let events = analysis.events.as_ref().expect("a declared voltage");
    assert_eq!(events.len(), 1, "{events:?}");
    let dip = &events[0];
    assert_eq!((dip.kind.as_str(), dip.phase.as_str(), dip.complete), ("dip", "b", true));
    assert!((dip.start_s - 4.1).abs() < 0.0101 && (dip.duration_s - 0.15).abs() < 0.0101);
    // With 3 % of fifth harmonic the half is 115.05 V.
    let whole = 230.0 * (1.0 + 0.03f64.powi(2)).sqrt();
    assert!((dip.residual_v - 0.5 * whole).abs() < 0.05, "{dip:?}");
    assert!((dip.residual_pct - 100.0 * dip.residual_v / 230.0).abs() < 1e-9);
    assert!(dip.start_sample.abs_diff((4.1 * RATE_HZ) as u64) < 65);
    let system = analysis.system_events.as_ref().expect("three phases");
    assert_eq!((system.len(), system[0].phase.as_str()), (1, "all"));
    for window in &analysis.windows {
        let touched = window.start_s < 4.27 && window.start_s + window.duration_s > 4.08;
        let inside = window.start_s < 4.24 && window.start_s + window.duration_s > 4.11;
        assert!(if inside { window.flagged } else { touched || !window.flagged }, "{window:?}");
    }
    let shorts = &analysis.aggregates.cycles_150_180;
    assert_eq!(shorts.iter().map(|s| s.flags.dip).collect::<Vec<_>>(), [false, true]);
    assert!(analysis.current_events.is_empty());
    assert!(analysis.en50160.is_none());
    let notes = analysis.notes.join("\n");
    assert!(notes.contains("en50160 is null") && notes.contains("flicker is null"), "{notes}");
    let energy = analysis.energy.expect("three phases");
    let seconds: f64 = analysis.windows.iter().map(|w| w.duration_s).sum();
    // Phase b loses half its power for 0.15 s. The fifth harmonics are in phase in all six.
    let of_one = 2300.0 * (30f64.to_radians().cos() + 0.03 * 0.03);
    let due_wh = of_one * (3.0 * seconds - 0.075) / 3600.0;
    assert!((energy.active_import_wh / due_wh - 1.0).abs() < 1e-4, "{energy:?} {due_wh}");
}

#[test]
fn pieces_of_any_size_give_the_same_result() {
    let (u, i) = dipped(5.0);
    let whole = measured(&u, &i, AnalysisOptions::default());
    for piece in [641, 6400, 19_999] {
        let setup = AnalyserSetup {
            rate_hz: RATE_HZ,
            nominal_hz: None,
            names: names(3),
            voltages: 3,
            currents: 3,
            options: AnalysisOptions::default(),
        };
        let mut analyser = Analyser::new(setup).expect("a good setup");
        let mut windows = Vec::new();
        for from in (0..u[0].len()).step_by(piece) {
            let to = u[0].len().min(from + piece);
            let of = |list: &[Vec<f64>]| list.iter().map(|x| x[from..to].to_vec()).collect();
            let (u, i): (Vec<Vec<f64>>, Vec<Vec<f64>>) = (of(&u), of(&i));
            analyser.push(&u, &i).expect("good samples");
            windows.extend(analyser.take_windows());
        }
        let mut found = analyser.finish().expect("a good recording");
        windows.append(&mut found.windows);
        found.windows = windows;
        assert_eq!(found, whole, "{piece}");
    }
}

#[test]
fn an_empty_channel_has_no_signal_and_no_distortion() {
    let count = 20_000;
    let u = render(&[tone(1.0, 230.0, 0.0)], 50.0, RATE_HZ, count);
    let i = render(&[tone(1.0, 5.0, 10.0)], 50.0, RATE_HZ, count);
    // Noise by a fixed rule, some millivolts; exact silence; a constant.
    let mut seed = 1_u64;
    let noise: Vec<f64> = (0..count)
        .map(|_| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((seed >> 33) as f64 / 2f64.powi(31) - 0.5) * 0.01
        })
        .collect();
    for empty in [noise, vec![0.0; count], vec![0.7; count]] {
        let voltages = [u.clone(), empty.clone(), u.clone()];
        let currents = [i.clone(), i.clone(), empty.clone()];
        let analysis = measured(&voltages, &currents, AnalysisOptions::default());
        let (b, c) = (&analysis.phases[1], &analysis.phases[2]);
        assert_eq!((b.values.thd_u_pct, b.values.thd_u_harm_pct), (None, None));
        assert_eq!((c.values.thd_i_pct, c.values.displacement_pf), (None, None));
        assert!(b.values.thd_i_pct.expect("a current") < 0.01);
        assert_eq!((b.ieee1459, c.ieee1459), (None, None));
        assert!(b.values.u_rms_v.is_some());
        for window in &analysis.windows {
            assert_eq!(window.phases[1].thd_u_pct, None);
        }
        let found: Vec<_> = analysis.notes.iter().filter(|n| n.starts_with("no signal")).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("voltage b") && found[1].contains("current c"), "{found:?}");
    }
}

#[test]
fn fourteen_minutes_have_flicker_ten_minutes_and_ten_seconds() {
    let rate_hz = 1600.0;
    // 8.8 Hz sinusoidal, 0.25 %: Pinst is 1 all the time but for its ripple.
    let u: Vec<f64> = (0..(840.0 * rate_hz) as usize)
        .map(|k| {
            let t = k as f64 / rate_hz;
            let turn = |f: f64| (std::f64::consts::TAU * (f * t).fract()).sin();
            230.0 * 2f64.sqrt() * turn(50.0) * (1.0 + 0.005 * 0.25 * turn(8.8))
        })
        .collect();
    let names = names(1);
    let (voltages, currents) = ([u], []);
    let input = AnalysisInput {
        rate_hz,
        nominal_hz: Some(50.0),
        names: &names,
        voltages: &voltages,
        currents: &currents,
    };
    // The first tick is 120 s after the first sample.
    let first_sample_unix_ns = Some(7 * 600_000_000_000 - 120_000_000_000);
    let options = AnalysisOptions { first_sample_unix_ns, ..AnalysisOptions::default() };
    let analysis = analyse_with(&input, options).expect("a good recording");
    let flicker = analysis.phases[0].flicker.as_ref().expect("long enough");
    assert_eq!((flicker.pst.len(), flicker.plt.len()), (1, 0));
    let value = flicker.pst[0];
    assert!((value.pinst_max - 1.0).abs() < 0.01, "{value:?}");
    // sqrt(0.5096 Pinst), the ripple of 3 % around it.
    assert!((value.pst - 0.7).abs() < 0.02, "{value:?}");
    assert_eq!((value.start_s, value.flagged), (120.0, Some(false)));
    let ten = &analysis.aggregates.ten_minutes;
    assert_eq!(ten.len(), 1);
    assert!((ten[0].start_s - 120.0).abs() < 0.2 && ten[0].count == 3000);
    assert!((ten[0].phases[0].u_rms_v - 230.0).abs() < 1e-3);
    let hz: Vec<_> = analysis.aggregates.frequency_10s.iter().map(|f| f.frequency_hz).collect();
    assert!(hz.len() >= 83 && hz.iter().all(|f| (f.expect("cycles") - 50.0).abs() < 1e-3));
}

#[test]
fn windows_begin_anew_at_ten_minutes_of_the_clock_and_energy_counts_once() {
    // 230 V and 10 A at 50 Hz, in phase; the tick is 1.053 s after the first sample.
    let sine = |rms: f64| render(&[tone(1.0, rms, -90.0)], 50.0, RATE_HZ, 3 * 6400);
    let first_sample_unix_ns = Some(2_990_000 * 600_000_000_000 - 1_053_000_000);
    let options = AnalysisOptions { first_sample_unix_ns, ..AnalysisOptions::default() };
    let analysis = measured(&[sine(230.0)], &[sine(10.0)], options);
    // By hand: six windows from the first sample on, the last from 1.0 to 1.2 s; nine from the tick
    // on; what is left after 2.853 s is less than a window.
    let expected: Vec<f64> = (0..6)
        .map(f64::from)
        .map(|k| 0.2 * k)
        .chain((0..9).map(|k| 1.053 + 0.2 * f64::from(k)))
        .collect();
    assert_eq!(analysis.windows.len(), expected.len());
    for (k, (window, start_s)) in analysis.windows.iter().zip(&expected).enumerate() {
        assert!((window.start_s - start_s).abs() < 1e-7, "window {k}: {}", window.start_s);
        assert!((window.duration_s - 0.2).abs() < 1e-7 && !window.flagged);
        assert_eq!(window.overlaps_next, k == 5);
    }
    // The integral of 2300 (1 - cos 2wt) from 0 to 2.853 s.
    let (to_s, turn) = (1.053 + 1.8, 2.0 * std::f64::consts::TAU * 50.0);
    let joules = 2300.0 * (to_s - (turn * to_s).sin() / turn);
    let found = 3600.0 * analysis.energy.expect("a voltage and a current").active_import_wh;
    // The smooth edge at the end flattens the last swing (3.5 J) by 7 %; the mean power over all of
    // the window in place of the part's own would be off by the swing.
    assert!((found - joules).abs() < 0.3, "{found} instead of {joules}");
    assert!(analysis.notes.iter().any(|note| note.contains("1 of them run across one")));
    let unaware = measured(&[sine(230.0)], &[sine(10.0)], AnalysisOptions::default());
    assert!(unaware.windows.iter().all(|window| !window.overlaps_next));
    assert_eq!(unaware.windows.len(), 15);
}

#[test]
fn strange_recordings_get_a_clear_answer() {
    let names = names(1);
    let with = |rate_hz: f64, samples: Vec<f64>| {
        let voltages = [samples];
        let input = AnalysisInput {
            rate_hz,
            nominal_hz: None,
            names: &names,
            voltages: &voltages,
            currents: &[],
        };
        analyse(&input)
    };
    let good = render(&[tone(1.0, 230.0, 0.0)], 50.0, RATE_HZ, 6400);
    assert!(matches!(with(RATE_HZ, vec![]), Err(AnalysisError::TooShort { .. })));
    assert!(matches!(with(RATE_HZ, vec![1.0]), Err(AnalysisError::TooShort { .. })));
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
        let mut samples = good.clone();
        samples[4321] = bad;
        let found = with(RATE_HZ, samples).expect_err("refused");
        assert!(matches!(found, AnalysisError::NotFinite { sample: 4321, .. }), "{found}");
    }
    // A rate that is wrong by a factor puts the fundamental where none is looked for.
    for rate_hz in [64_000.0, 2000.0, 12_800.0] {
        let found = with(rate_hz, good.clone()).expect_err("refused");
        assert!(matches!(found, AnalysisError::NoPeriodicSignal { .. }), "{rate_hz}: {found}");
        assert!(found.to_string().contains("sampling rate"));
    }
    for rate_hz in [0.0, -1.0, f64::NAN, f64::INFINITY, 100.0] {
        assert!(matches!(with(rate_hz, good.clone()), Err(AnalysisError::Engine(_))));
    }
    let options = AnalysisOptions { declared_voltage_v: Some(-1.0), ..AnalysisOptions::default() };
    let voltages = [good];
    let input = AnalysisInput {
        rate_hz: RATE_HZ,
        nominal_hz: None,
        names: &names,
        voltages: &voltages,
        currents: &[],
    };
    let found = analyse_with(&input, options).expect_err("refused");
    assert!(matches!(found, AnalysisError::Option { what: "declared voltage", .. }));
}

#[test]
fn an_interharmonic_shows_between_its_orders_only() {
    // IEC 61000-4-7: 275 Hz, 1 %, is the centred sub-group between orders 5 and 6.
    let u = render(&[tone(1.0, 230.0, 0.0), tone(5.5, 2.3, 40.0)], 50.0, RATE_HZ, 20_000);
    let analysis = measured(&[u], &[], AnalysisOptions::default());
    let between = analysis.phases[0].interharmonics_u.as_ref().expect("a voltage");
    assert!((between[5] / 2.3 - 1.0).abs() < 1e-4, "{between:?}");
    let rest = between.iter().enumerate().filter(|(k, _)| *k != 5);
    assert!(rest.fold(0.0_f64, |most, (_, rms)| most.max(*rms)) < 1e-3);
    assert!(analysis.phases[0].values.thd_u_pct.expect("a voltage") < 1e-3);
    assert_eq!(analysis.phases[0].interharmonics_i, None);
}

/// Samples as nobody measures them, among good ones.
fn strange_samples() -> impl Strategy<Value = Vec<f64>> {
    let sample = prop_oneof![
        8 => -400.0..400.0_f64,
        1 => Just(0.0),
        1 => Just(1e99),
        1 => Just(-1e99),
        1 => Just(f64::MIN_POSITIVE),
        1 => any::<f64>().prop_filter("a number", |x| x.abs() < 1e100),
    ];
    prop::collection::vec(sample, 0..3000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_recording_makes_the_analysis_panic_or_answer_with_what_is_no_number(
        noise in strange_samples(),
        level in prop_oneof![Just(0.0), Just(1e-12), Just(1.0), Just(1e-90)],
        rate_hz in prop_oneof![Just(1200.0), Just(6400.0), 400.0..20_000.0_f64, Just(1e30)],
        declared in prop_oneof![Just(None), Just(Some(230.0)), Just(Some(1e-300)), Just(Some(1e300))],
    ) {
        // A sine under more or less of the noise, a channel of noise alone, a silent one.
        let sine = render(&[tone(1.0, 230.0, 0.0)], 50.0, rate_hz, noise.len());
        let mixed: Vec<f64> = sine.iter().zip(&noise).map(|(s, n)| s + level * n).collect();
        let usable = mixed.iter().all(|x| x.abs() < 1e100);
        let (voltages, currents) =
            ([mixed, noise.clone(), vec![0.0; noise.len()]], [noise.clone(), sine.clone(), noise]);
        let names = names(3);
        let input =
            AnalysisInput { rate_hz, nominal_hz: None, names: &names, voltages: &voltages, currents: &currents };
        let options = AnalysisOptions { declared_voltage_v: declared, ..AnalysisOptions::default() };
        prop_assume!(usable);
        if let Ok(analysis) = analyse_with(&input, options) {
            // What is no number is null in JSON, and a number that is due is not null.
            let json = serde_json::to_value(&analysis).unwrap();
            for phase in json["phases"].as_array().unwrap() {
                for key in ["u_rms_v", "i_rms_a", "p_w", "q1_var", "s_va", "n_var"] {
                    prop_assert!(phase[key].is_number(), "{key} {phase}");
                }
            }
        }
    }
}
