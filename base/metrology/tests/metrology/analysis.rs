//! Whole recordings: the JSON's values against closed forms, what is null, what is refused.

use lastmeter_metrology::{
    AnalysisError, AnalysisInput, SpectrumChannel, SpectrumOptions, analyse, spectrum,
};
use proptest::prelude::*;

use crate::signal::{Tone, power, ppm, render, rms, tone};

const RATE_HZ: f64 = 7812.5;

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|&name| name.to_owned()).collect()
}

/// Three phases of a distorted system, turned by 120 degrees each.
fn three_phases() -> (Vec<Vec<Tone>>, Vec<Vec<Tone>>) {
    let turned = |tones: &[Tone], scale: f64, k: usize| -> Vec<Tone> {
        let shift = |t: &Tone| t.phase_deg - 120.0 * t.order * k as f64;
        tones.iter().map(|t| tone(t.order, t.rms * scale, shift(t))).collect()
    };
    let u = [tone(1.0, 230.0, 50.0), tone(5.0, 11.5, 20.0), tone(7.0, 4.6, 100.0)];
    let i = [tone(1.0, 10.0, 20.0), tone(3.0, 2.0, -30.0), tone(5.0, 1.0, 111.0)];
    let scales = [1.0, 0.9, 1.2];
    let all = |tones: &[Tone]| (0..3).map(|k| turned(tones, scales[k], k)).collect();
    (all(&u), all(&i))
}

fn rendered(tones: &[Vec<Tone>], f: f64, seconds: f64) -> Vec<Vec<f64>> {
    tones.iter().map(|t| render(t, f, RATE_HZ, (seconds * RATE_HZ) as usize)).collect()
}

fn near(found: Option<f64>, expected: f64, tolerance: f64) {
    let found = found.expect("a value");
    assert!((found - expected).abs() < tolerance, "{found} is not {expected}");
}

/// RMS of a sum of channels, from their tones.
fn rms_of_sum(channels: &[(&[Tone], f64)]) -> f64 {
    let mut square = 0.0;
    for (a, sign_a) in channels {
        for (b, sign_b) in channels {
            square += sign_a * sign_b * power(a, b);
        }
    }
    square.sqrt()
}

#[test]
fn a_three_phase_recording_reads_as_composed() {
    let (u, i) = three_phases();
    for (f, seconds, basis) in [
        (49.95, 3.05, "15 windows of 10 cycles"),
        (60.02, 0.45, "2 windows of 12 cycles"),
        (59.96, 0.16, "9 cycles"),
        (50.0, 0.215, "1 window of 10 cycles"),
    ] {
        let (voltages, currents) = (rendered(&u, f, seconds), rendered(&i, f, seconds));
        let names = names(&["a", "b", "c"]);
        let input = AnalysisInput {
            rate_hz: RATE_HZ,
            nominal_hz: None,
            names: &names,
            voltages: &voltages,
            currents: &currents,
        };
        let analysis = analyse(&input).unwrap();
        assert_eq!(analysis.basis, basis);
        assert!((analysis.frequency_hz - f).abs() < 1e-4);
        for (p, phase) in analysis.phases.iter().enumerate() {
            let s = rms(&u[p]) * rms(&i[p]);
            let values = &phase.values;
            near(values.u_rms_v, rms(&u[p]), 10e-6 * rms(&u[p]));
            near(values.i_rms_a, rms(&i[p]), 10e-6 * rms(&i[p]));
            near(values.p_w, power(&u[p], &i[p]), 20e-6 * s);
            near(values.q1_var, u[p][0].rms * i[p][0].rms * 0.5, 20e-6 * s);
            near(values.s_va, s, 20e-6 * s);
            near(values.pf, power(&u[p], &i[p]) / s, 20e-6);
            near(values.thd_u_pct, 100.0 * (0.05f64.powi(2) + 0.02f64.powi(2)).sqrt(), 0.001);
            near(values.thd_u_harm_pct, 100.0 * (0.05f64.powi(2) + 0.02f64.powi(2)).sqrt(), 0.001);
            near(values.thd_i_harm_pct, 100.0 * (0.2f64.powi(2) + 0.1f64.powi(2)).sqrt(), 0.001);
            for (lines, tones) in [(&phase.harmonics_u, &u[p]), (&phase.harmonics_i, &i[p])] {
                let lines = lines.as_ref().unwrap();
                assert_eq!(lines.len(), 50);
                for t in tones {
                    let line = lines[t.order as usize - 1];
                    assert_eq!(f64::from(line.order), t.order);
                    assert!(ppm(line.rms, t.rms).abs() < 100.0, "{line:?} {t:?}");
                    let due_deg = t.phase_deg - t.order * u[0][0].phase_deg;
                    let off = (line.phase_deg - due_deg).rem_euclid(360.0);
                    assert!(off.min(360.0 - off) < 0.01, "{line:?} {t:?}");
                }
            }
        }
        let sum = |of: &dyn Fn(usize) -> f64| (0..3).map(of).sum::<f64>();
        near(analysis.total.p_w, sum(&|p| power(&u[p], &i[p])), 0.1);
        near(analysis.total.s_va, sum(&|p| rms(&u[p]) * rms(&i[p])), 0.1);
        // IEEE 1459-2010, 3.2: the four-wire form, since the third harmonics and the asymmetry
        // add up in the neutral.
        let neutral = rms_of_sum(&[(&i[0], 1.0), (&i[1], 1.0), (&i[2], 1.0)]);
        let ie = ((sum(&|p| rms(&i[p]).powi(2)) + neutral * neutral) / 3.0).sqrt();
        let line = |a: usize, b: usize| rms_of_sum(&[(&u[a], 1.0), (&u[b], -1.0)]).powi(2);
        let lines = line(0, 1) + line(1, 2) + line(2, 0);
        let ue = ((3.0 * sum(&|p| rms(&u[p]).powi(2)) + lines) / 18.0).sqrt();
        near(analysis.total.se_va, 3.0 * ue * ie, 0.2);
        assert!(
            analysis.notes.iter().any(|note| note.contains("four-wire")),
            "{:?}",
            analysis.notes
        );
    }
}

#[test]
fn without_a_neutral_current_the_three_wire_form_is_used() {
    // Balanced and sinusoidal, with a zero-sequence voltage that only the four-wire form counts.
    let set = |rms: f64, phase: f64| -> Vec<Vec<Tone>> {
        (0..3).map(|k| vec![tone(1.0, rms, phase - 120.0 * f64::from(k))]).collect()
    };
    let (mut u, i) = (set(100.0, 0.0), set(5.0, -20.0));
    for phase in &mut u {
        phase.push(tone(3.0, 30.0, 0.0));
    }
    let (voltages, currents) = (rendered(&u, 50.0, 0.5), rendered(&i, 50.0, 0.5));
    let names = names(&["a", "b", "c"]);
    let input = AnalysisInput {
        rate_hz: RATE_HZ,
        nominal_hz: Some(50.0),
        names: &names,
        voltages: &voltages,
        currents: &currents,
    };
    let analysis = analyse(&input).unwrap();
    near(analysis.total.se_va, 3.0 * 100.0 * 5.0, 0.05);
    assert!(analysis.notes.iter().any(|note| note.contains("three-wire")));
}

/// The keys of the document itself.
const TOP: [&str; 18] = [
    "format_version",
    "rate_hz",
    "frequency_hz",
    "duration_s",
    "basis",
    "phases",
    "total",
    "unbalance",
    "energy",
    "windows",
    "declared_voltage_v",
    "events",
    "system_events",
    "rapid_changes",
    "current_events",
    "aggregates",
    "en50160",
    "notes",
];

#[test]
fn the_json_has_exactly_the_promised_keys() {
    let u = vec![render(&[tone(1.0, 230.0, 0.0)], 50.0, RATE_HZ, 4000)];
    let names = names(&["a"]);
    let input = AnalysisInput {
        rate_hz: RATE_HZ,
        nominal_hz: Some(50.0),
        names: &names,
        voltages: &u,
        currents: &u,
    };
    let json = serde_json::to_value(analyse(&input).unwrap()).unwrap();
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    let sorted = |list: &[&str]| {
        let mut list: Vec<String> = list.iter().map(|&key| key.to_owned()).collect();
        list.sort();
        list
    };
    let values = [
        "name",
        "u_rms_v",
        "i_rms_a",
        "p_w",
        "q1_var",
        "s_va",
        "n_var",
        "pf",
        "thd_u_pct",
        "thd_i_pct",
        "thd_u_harm_pct",
        "thd_i_harm_pct",
        "q_budeanu_var",
        "displacement_pf",
    ];
    let more = [
        "ieee1459",
        "flicker",
        "harmonics_u",
        "harmonics_i",
        "interharmonics_u",
        "interharmonics_i",
    ];
    let with_harmonics = [&values[..], &more].concat();
    assert_eq!(keys(&json), sorted(&TOP));
    assert_eq!(keys(&json["phases"][0]), sorted(&with_harmonics));
    assert_eq!(keys(&json["phases"][0]["harmonics_u"][0]), sorted(&["order", "rms", "phase_deg"]));
    assert_eq!(keys(&json["total"]), sorted(&["p_w", "q1_var", "s_va", "se_va", "ieee1459"]));
    let unbalance = ["u2_pct", "u0_pct", "i2_pct", "i0_pct"];
    assert_eq!(keys(&json["unbalance"]), sorted(&unbalance));
    let window = ["start_s", "duration_s", "flagged", "overlaps_next", "frequency_hz", "phases"];
    let window = [&window[..], &unbalance].concat();
    assert_eq!(keys(&json["windows"][0]), sorted(&window));
    assert_eq!(keys(&json["windows"][0]["phases"][0]), sorted(&values));
    assert_eq!(json["format_version"], 1);
    assert_eq!(json["windows"].as_array().unwrap().len(), 2);
    assert_eq!(json["total"]["se_va"], serde_json::Value::Null);
}

#[test]
fn voltages_or_currents_alone_are_measured_and_the_rest_is_null() {
    let x = vec![render(&[tone(1.0, 10.0, 0.0), tone(3.0, 1.0, 0.0)], 50.0, RATE_HZ, 4000)];
    let names = names(&["x"]);
    let none: Vec<Vec<f64>> = Vec::new();
    let base = AnalysisInput {
        rate_hz: RATE_HZ,
        nominal_hz: None,
        names: &names,
        voltages: &x,
        currents: &none,
    };
    let analysis = analyse(&base).unwrap();
    let values = &analysis.phases[0].values;
    near(values.u_rms_v, 101f64.sqrt(), 1e-4);
    near(values.thd_u_harm_pct, 10.0, 1e-3);
    assert_eq!((values.i_rms_a, values.p_w, values.pf, values.thd_i_pct), (None, None, None, None));
    assert_eq!(analysis.phases[0].harmonics_i, None);
    assert_eq!((analysis.total.p_w, analysis.total.se_va), (None, None));
    assert!(analysis.notes.iter().any(|note| note.contains("no current: x")));

    let analysis = analyse(&AnalysisInput { voltages: &none, currents: &x, ..base }).unwrap();
    let values = &analysis.phases[0].values;
    near(values.i_rms_a, 101f64.sqrt(), 1e-4);
    assert_eq!((values.u_rms_v, values.p_w), (None, None));
    assert!(analysis.notes.iter().any(|note| note.contains("refer to the current x")));
}

#[test]
fn orders_beyond_the_nyquist_frequency_are_noted() {
    // 1200 samples per second at 60 Hz: order 10 lies on the Nyquist frequency, order 9 with its
    // sub-group below it.
    let u = vec![render(&[tone(1.0, 100.0, 0.0), tone(9.0, 5.0, 40.0)], 60.0, 1200.0, 1200)];
    let names = names(&["a"]);
    let input = AnalysisInput {
        rate_hz: 1200.0,
        nominal_hz: None,
        names: &names,
        voltages: &u,
        currents: &u,
    };
    let analysis = analyse(&input).unwrap();
    assert_eq!(analysis.phases[0].harmonics_u.as_ref().unwrap().len(), 9);
    near(analysis.phases[0].values.thd_u_harm_pct, 5.0, 0.002);
    assert!(analysis.notes.iter().any(|note| note.contains("go to order 9")));
}

#[test]
fn a_few_cycles_are_enough() {
    let names = names(&["a"]);
    for (cycles, basis) in
        [(1.02, "1 cycle"), (2.5, "2 cycles"), (3.01, "3 cycles"), (9.99, "9 cycles")]
    {
        let u = [tone(1.0, 230.0, 77.0)];
        let count = (cycles * RATE_HZ / 50.1_f64).ceil() as usize;
        let (voltages, currents) = (vec![render(&u, 50.1, RATE_HZ, count)], vec![]);
        let input = AnalysisInput {
            rate_hz: RATE_HZ,
            nominal_hz: None,
            names: &names,
            voltages: &voltages,
            currents: &currents,
        };
        let analysis = analyse(&input).unwrap();
        assert_eq!(analysis.basis, basis);
        assert!((analysis.frequency_hz - 50.1).abs() < 0.01, "{}", analysis.frequency_hz);
        near(analysis.phases[0].values.u_rms_v, 230.0, 0.02);
    }
}

#[test]
fn what_cannot_be_measured_is_refused_with_the_reason() {
    let names = names(&["a"]);
    let good = vec![render(&[tone(1.0, 1.0, 0.0)], 50.0, RATE_HZ, 2000)];
    let none: Vec<Vec<f64>> = Vec::new();
    let with = |voltages: &[Vec<f64>], currents: &[Vec<f64>]| {
        let input = AnalysisInput {
            rate_hz: RATE_HZ,
            nominal_hz: Some(50.0),
            names: &names,
            voltages,
            currents,
        };
        analyse(&input).unwrap_err()
    };
    assert_eq!(with(&none, &none), AnalysisError::NoChannels);
    assert!(matches!(
        with(&good, &[vec![0.0; 1999]]),
        AnalysisError::UnequalLengths { channel, found: 1999, expected: 2000 }
            if channel == "current a"
    ));
    let mut bad = good.clone();
    bad[0][7] = f64::NAN;
    assert!(matches!(with(&bad, &none), AnalysisError::NotFinite { sample: 7, .. }));
    assert!(matches!(with(&[good[0][..100].to_vec()], &none), AnalysisError::TooShort { .. }));
    assert!(matches!(with(&[vec![]], &none), AnalysisError::TooShort { .. }));
    assert!(matches!(with(&[vec![3.0; 2000]], &none), AnalysisError::NoPeriodicSignal { .. }));
    let sixty = vec![render(&[tone(1.0, 1.0, 0.0)], 60.0, RATE_HZ, 2000)];
    assert!(matches!(
        with(&sixty, &none),
        AnalysisError::OtherFrequency { nominal_hz: 50.0, channel, found_hz }
            if channel == "voltage a" && (found_hz - 60.0).abs() < 1e-3
    ));
    assert!(matches!(
        with(&[good[0].clone(), good[0].clone()], &none),
        AnalysisError::Names { .. }
    ));
}

/// The tones of a spectrum's channel, its direct component as order 0.
fn played(channel: &SpectrumChannel) -> Vec<Tone> {
    let mut tones = vec![tone(0.0, channel.dc, 0.0)];
    tones.extend(channel.lines.iter().map(|l| tone(l.order, l.rms, l.phase_deg)));
    tones
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_played_back_spectrum_has_the_recordings_rms_and_power(
        f in 45.0..57.0,
        whole in 3..40_u32,
        more in 0.01..0.98,
        dc in -3.0..3.0_f64,
        angle in -180.0..180.0,
        inter in 1..20_u32,
    ) {
        // One line between the harmonics, on a multiple of the recording's whole cycles.
        let between = 1.0 + f64::from(inter) + 1.0 / f64::from(whole);
        let u = [tone(1.0, 230.0, 33.0), tone(5.0, 9.0, 70.0), tone(between, 3.0, 10.0)];
        let i = [tone(1.0, 10.0, 33.0 - angle), tone(5.0, 2.0, 100.0), tone(between, 0.5, 40.0)];
        let count = ((f64::from(whole) + more) * RATE_HZ / f) as usize;
        let voltages = vec![render(&u, f, RATE_HZ, count)];
        let currents: Vec<Vec<f64>> =
            vec![render(&i, f, RATE_HZ, count).iter().map(|x| x + dc).collect()];
        let names = names(&["a"]);
        let input = AnalysisInput {
            rate_hz: RATE_HZ,
            nominal_hz: Some(50.0),
            names: &names,
            voltages: &voltages,
            currents: &currents,
        };
        let options = SpectrumOptions { threshold: 1e-6, ..SpectrumOptions::default() };
        let result = spectrum(&input, &options).unwrap();
        prop_assert!((result.fundamental_hz - f).abs() < 3e-3);
        let (u_lines, i_lines) = (played(&result.voltages[0]), played(&result.currents[0]));
        prop_assert!(ppm(rms(&u_lines), rms(&u)).abs() < 50.0, "{} {}", rms(&u_lines), rms(&u));
        let i_rms = (rms(&i).powi(2) + dc * dc).sqrt();
        prop_assert!(ppm(rms(&i_lines), i_rms).abs() < 50.0);
        let p = power(&u_lines, &i_lines);
        prop_assert!((p - power(&u, &i)).abs() < 100e-6 * rms(&u) * i_rms, "{p} {}", power(&u, &i));
    }
}

#[test]
fn a_spectrum_has_the_lines_it_was_made_of_and_no_more() {
    let u = [tone(1.0, 230.0, 80.0), tone(5.0, 9.0, 70.0), tone(60.0, 5.0, 0.0)];
    let i = [tone(1.0, 10.0, 50.0), tone(7.0, 1.0, -20.0)];
    let count = (20.3 * RATE_HZ / 50.0) as usize;
    let (voltages, currents) =
        (vec![render(&u, 50.0, RATE_HZ, count)], vec![render(&i, 50.0, RATE_HZ, count)]);
    let names = names(&["a"]);
    let input = AnalysisInput {
        rate_hz: RATE_HZ,
        nominal_hz: None,
        names: &names,
        voltages: &voltages,
        currents: &currents,
    };
    // Order 60 lies beyond the highest order.
    let result = spectrum(&input, &SpectrumOptions::default()).unwrap();
    assert_eq!(result.cycles, 20);
    for (channel, tones) in [(&result.voltages[0], &u[..2]), (&result.currents[0], &i[..])] {
        assert_eq!(channel.lines.len(), tones.len(), "{channel:?}");
        for (line, t) in channel.lines.iter().zip(tones) {
            assert_eq!(line.order, t.order);
            assert!(ppm(line.rms, t.rms).abs() < 100.0);
            let off = (line.phase_deg - (t.phase_deg - t.order * 80.0)).rem_euclid(360.0);
            assert!(off.min(360.0 - off) < 0.01, "{line:?} {t:?}");
        }
    }
    for bad in [
        SpectrumOptions { highest_order: 0.5, ..SpectrumOptions::default() },
        SpectrumOptions { threshold: 1.0, ..SpectrumOptions::default() },
    ] {
        assert!(matches!(spectrum(&input, &bad), Err(AnalysisError::Option { .. })));
    }
}
