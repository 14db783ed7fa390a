//! IEEE 1459-2010 on sampled waveforms against figures worked out by hand from its definitions.

use std::f64::consts::{PI, SQRT_2, TAU};

use lastmeter_metrology::{
    EffectiveMeans, EffectivePower, EnergyRegisters, PowerMeans, PowerTheory, Powers, Residue,
    Wires,
};

use crate::signal::{Tone, ppm, render, tone, windows};

/// Printed figures of one waveform; powers in the order P1, Q1, Budeanu, SN, DI, DV, SH.
struct Oracle {
    u: Vec<Tone>,
    i: Vec<Tone>,
    s: f64,
    p: f64,
    n: f64,
    powers: [f64; 7],
    pf: f64,
    displacement_pf: f64,
    thd_pct: (f64, f64),
}

/// E1 sinusoidal; E2 the fifth harmonic of the class tests; E3 mixed.
fn oracles() -> [Oracle; 3] {
    [
        Oracle {
            u: vec![tone(1.0, 230.0, 0.0)],
            i: vec![tone(1.0, 10.0, -60.0)],
            s: 2300.0,
            p: 1150.0,
            n: 1_991.858_429,
            powers: [1150.0, 1_991.858_429, 1_991.858_429, 0.0, 0.0, 0.0, 0.0],
            pf: 0.5,
            displacement_pf: 0.5,
            thd_pct: (0.0, 0.0),
        },
        Oracle {
            u: vec![tone(1.0, 230.0, 0.0), tone(5.0, 23.0, 0.0)],
            i: vec![tone(1.0, 10.0, 0.0), tone(5.0, 4.0, 0.0)],
            s: 2_489.530_880,
            p: 2392.0,
            n: 690.0,
            powers: [2300.0, 0.0, 0.0, 952.766_498, 920.0, 230.0, 92.0],
            pf: 0.960_823_59,
            displacement_pf: 1.0,
            thd_pct: (10.0, 40.0),
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
            s: 10_517.492_572,
            p: 8_589.162_034,
            n: 6_069.921_380,
            powers: [
                8_660.254_038,
                5000.0,
                4_962.898_886,
                3_258.473_569,
                2_692.582_404,
                1_772.004_515,
                477.126_818,
            ],
            pf: 0.816_654_92,
            displacement_pf: 0.866_025_40,
            thd_pct: (17.720_045, 26.925_824),
        },
    ]
}

#[test]
fn the_worked_waveforms_have_all_their_powers() {
    for oracle in oracles() {
        for (nominal, f, rate) in
            [(50.0, 50.0, 6400.0), (50.0, 48.9, 7812.5), (60.0, 60.3, 10_000.0)]
        {
            let count = (0.5 * rate) as usize;
            let (u, i) = (render(&oracle.u, f, rate, count), render(&oracle.i, f, rate, count));
            for window in windows(rate, nominal, &u, &i, true) {
                let found = PowerTheory::new(&PowerMeans::of(&window.phases[0]));
                let near = |found: f64, due: f64, scale: f64| {
                    assert!((found - due).abs() < 20e-6 * scale, "{found} is not {due}");
                };
                near(found.s_va, oracle.s, oracle.s);
                near(found.p_w, oracle.p, oracle.s);
                near(found.n_var, oracle.n, oracle.s);
                let [p1, q1, budeanu, sn, di, dv, sh] = oracle.powers;
                near(found.p1_w, p1, oracle.s);
                near(found.q1_var, q1, oracle.s);
                near(found.q_budeanu_var.expect("harmonics"), budeanu, oracle.s);
                near(found.sn_va, sn, oracle.s);
                // Of a pure sine nothing is left, to a ppm of S: no difference of near-equal
                // squares.
                let closer = |found: f64, due: f64| near(found, due, 0.05 * oracle.s);
                closer(found.di_var, di);
                closer(found.dv_var, dv);
                closer(found.sh_va, sh);
                near(found.s1_va, (p1 * p1 + q1 * q1).sqrt(), oracle.s);
                near(found.ph_w, oracle.p - p1, oracle.s);
                let dh = (sh * sh - (oracle.p - p1).powi(2)).max(0.0).sqrt();
                closer(found.dh_var, dh);
                let d = (oracle.n.powi(2) - budeanu.powi(2)).max(0.0).sqrt();
                closer(found.d_budeanu_var.expect("harmonics"), d);
                near(found.pf.expect("a load"), oracle.pf, 1.0);
                near(found.displacement_pf.expect("a load"), oracle.displacement_pf, 1.0);
                let (thd_u, thd_i) = oracle.thd_pct;
                near(found.thd_u_pct.expect("a fundamental"), thd_u, thd_u.max(1.0));
                near(found.thd_i_pct.expect("a fundamental"), thd_i, thd_i.max(1.0));
            }
        }
    }
}

#[test]
fn the_definitions_themselves_hold_to_every_printed_digit() {
    // From the tones' own figures, without samples.
    for oracle in oracles() {
        let square = |tones: &[Tone]| tones.iter().map(|t| t.rms * t.rms).sum::<f64>();
        let reactive = |k: usize| {
            let (u, i) = (&oracle.u[k], &oracle.i[k]);
            u.rms * i.rms * (u.phase_deg - i.phase_deg).to_radians().sin()
        };
        let active = |k: usize| {
            let (u, i) = (&oracle.u[k], &oracle.i[k]);
            u.rms * i.rms * (u.phase_deg - i.phase_deg).to_radians().cos()
        };
        let all = 0..oracle.u.len();
        let found = PowerTheory::new(&PowerMeans {
            u2: square(&oracle.u),
            i2: square(&oracle.i),
            u1_2: oracle.u[0].rms.powi(2),
            i1_2: oracle.i[0].rms.powi(2),
            p_w: all.clone().map(active).sum(),
            p1_w: active(0),
            q1_var: reactive(0),
            residue: Residue {
                u2: square(&oracle.u[1..]),
                i2: square(&oracle.i[1..]),
                p_w: all.clone().skip(1).map(active).sum(),
            },
            q_harmonic_var: Some(all.skip(1).map(reactive).sum()),
        });
        let [p1, q1, budeanu, sn, di, dv, sh] = oracle.powers;
        for (found, due) in [
            (found.s_va, oracle.s),
            (found.p_w, oracle.p),
            (found.n_var, oracle.n),
            (found.p1_w, p1),
            (found.q1_var, q1),
            (found.q_budeanu_var.expect("given"), budeanu),
            (found.sn_va, sn),
            (found.di_var, di),
            (found.dv_var, dv),
            (found.sh_va, sh),
        ] {
            assert!((found - due).abs() < 6e-7, "{found} is not {due}");
        }
        assert!((found.pf.expect("a load") - oracle.pf).abs() < 6e-9);
        assert!((found.displacement_pf.expect("a load") - oracle.displacement_pf).abs() < 6e-9);
        assert!((found.thd_u_pct.expect("a fundamental") - oracle.thd_pct.0).abs() < 6e-7);
        assert!((found.thd_i_pct.expect("a fundamental") - oracle.thd_pct.1).abs() < 6e-7);
    }
}

#[test]
fn a_phase_fired_load_has_its_worked_fundamental() {
    // 90 degrees, resistive, peak 20 A at 230 V.
    let rate = 50_000.0;
    // No sample falls on a step: half of them before it, half after.
    let angle = |k: usize| TAU * 50.0 * (k as f64 + 0.5) / rate;
    let u: Vec<f64> = (0..25_000).map(|k| 230.0 * SQRT_2 * angle(k).sin()).collect();
    let i: Vec<f64> = (0..25_000)
        .map(|k| {
            let share = if angle(k).rem_euclid(PI) > 0.5 * PI { 1.0 } else { 0.0 };
            20.0 * share * angle(k).sin()
        })
        .collect();
    for window in windows(rate, 50.0, &u, &i, true) {
        let found = PowerTheory::new(&PowerMeans::of(&window.phases[0]));
        assert!(ppm(window.phases[0].i_rms_a, 10.0).abs() < 20.0, "{}", window.phases[0].i_rms_a);
        assert!(ppm(found.p_w, 1_626.345_597).abs() < 20.0, "{}", found.p_w);
        assert!(ppm(found.i1_a, 8.382_377).abs() < 20.0, "{}", found.i1_a);
        assert!(ppm(found.q1_var, 1_035.363_764).abs() < 20.0, "{}", found.q1_var);
        assert!((found.thd_i_pct.expect("a current") - 65.053_754).abs() < 1.3e-3);
        let angle_deg =
            (window.phases[0].i1.phase_rad() - window.phases[0].u1.phase_rad()).to_degrees();
        assert!((angle_deg + 32.481_637).abs() < 1e-3, "{angle_deg}");
    }
}

#[test]
fn a_burst_fired_load_swings_in_windows_and_not_in_energy() {
    // Two cycles on, two off, 10 A at 230 V: 1150 W on average. Ten cycles hold four or six, so a
    // window has 20 % less or more. The smooth edges of windows see a little of what is switched
    // right beside them: the slower the sampling the more, 150 ppm at 6.4 kS/s.
    for (per_cycle, tolerance) in [(400, 20e-6), (1000, 20e-6), (128, 150e-6)] {
        let rate = 50.0 * f64::from(per_cycle);
        let count = 2000 * per_cycle as usize;
        let u = render(&[tone(1.0, 230.0, -90.0)], 50.0, rate, count);
        let is_on = |k: usize| (k / per_cycle as usize) % 4 < 2;
        let i: Vec<f64> = (0..count).map(|k| if is_on(k) { u[k] / 23.0 } else { 0.0 }).collect();
        let all = windows(rate, 50.0, &u, &i, false);
        let mut registers = EnergyRegisters::default();
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        let mut square = 0.0;
        for window in &all {
            let phase = &window.phases[0];
            (least, most) = (least.min(phase.p_w), most.max(phase.p_w));
            square += phase.i_rms_a * phase.i_rms_a;
            let powers = Powers { p_w: phase.p_w, q_var: phase.q1_var, s_va: phase.s_va };
            registers.add(powers, window.duration_s);
        }
        assert!((least / 920.0 - 1.0).abs() < tolerance, "{rate}: {least}");
        assert!((most / 1380.0 - 1.0).abs() < tolerance, "{rate}: {most}");
        assert!(ppm((square / all.len() as f64).sqrt(), 10.0 / SQRT_2).abs() < 20.0);
        let due_j = 1150.0 * 40.0;
        let found_j = registers.active_import_j();
        assert!(ppm(found_j, due_j).abs() < 20.0, "{found_j} {due_j}");
    }
}

#[test]
fn one_hour_of_samples_registers_the_integral_of_the_power() {
    // Off-nominal, distorted, 23 million samples; the power of the tones in closed form.
    let (rate, f) = (6400.0, 49.87);
    let (u, i) = (
        [tone(1.0, 230.0, 10.0), tone(5.0, 11.5, 40.0), tone(9.3, 2.0, 0.0)],
        [tone(1.0, 10.0, -37.0), tone(3.0, 2.0, 100.0), tone(5.0, 1.0, 80.0)],
    );
    let due_w = 2300.0 * 47f64.to_radians().cos() + 11.5 * 40f64.to_radians().cos();
    let mut engine = lastmeter_metrology::WindowEngine::new(
        lastmeter_metrology::EngineConfig::new(rate, 50.0, 1),
    )
    .expect("a good configuration");
    let mut registers = EnergyRegisters::default();
    let mut measured_s = 0.0;
    let sample = |tones: &[Tone], k: u64| -> f64 {
        tones
            .iter()
            .map(|t| {
                let turns = (t.order * f / rate * k as f64).fract();
                SQRT_2 * t.rms * (TAU * turns + t.phase_deg.to_radians()).cos()
            })
            .sum()
    };
    let piece = 64_000_u64;
    for first in (0..3600 * 6400).step_by(piece as usize) {
        let of = |tones: &[Tone]| -> Vec<f64> {
            (first..first + piece).map(|k| sample(tones, k)).collect()
        };
        engine.push(&[of(&u)], &[of(&i)]).expect("good samples");
        while let Some(window) = engine.pop() {
            let phase = &window.phases[0];
            let powers = Powers { p_w: phase.p_w, q_var: phase.q1_var, s_va: phase.s_va };
            registers.add(powers, window.duration_s);
            measured_s += window.duration_s;
        }
    }
    assert!(measured_s > 3599.5, "{measured_s}");
    let part = registers.active_import_j() / (due_w * measured_s) - 1.0;
    assert!(part.abs() < 1e-6, "{part}");
    // The register is the sum over the hour, not over each window: nothing was lost between.
    assert_eq!(registers.active_export_j(), 0.0);
}

/// Three phases of windows from three voltages and currents.
fn three_phase(u: [&[Tone]; 3], i: [&[Tone]; 3]) -> EffectiveMeans {
    let rate = 7812.5;
    let all = |tones: [&[Tone]; 3]| tones.map(|t| render(t, 50.02, rate, 3200)).to_vec();
    let config = lastmeter_metrology::EngineConfig::new(rate, 50.0, 3);
    let mut engine = lastmeter_metrology::WindowEngine::new(config).expect("good");
    engine.push(&all(u), &all(i)).expect("good samples");
    engine.finish();
    EffectiveMeans::of(&engine.pop().expect("a window")).expect("three phases")
}

#[test]
fn balanced_and_sinusoidal_effective_quantities_are_the_plain_ones() {
    let turned = |rms: f64, phase: f64| [0.0, -120.0, 120.0].map(|t| [tone(1.0, rms, phase + t)]);
    let (u, i) = (turned(230.0, 20.0), turned(10.0, -10.0));
    let means = three_phase(u.each_ref().map(|t| &t[..]), i.each_ref().map(|t| &t[..]));
    for wires in [Wires::Three, Wires::Four] {
        let found = EffectivePower::new(&means, wires);
        assert!(ppm(found.se_va, 6900.0).abs() < 20.0, "{found:?}");
        assert!(ppm(found.se1_va, 6900.0).abs() < 20.0);
        assert!(ppm(found.s1_positive_va, 6900.0).abs() < 20.0);
        assert!(ppm(found.p1_positive_w, 6900.0 * 0.75f64.sqrt()).abs() < 20.0);
        assert!(ppm(found.q1_positive_var, 3450.0).abs() < 40.0);
        assert!((found.pf.expect("a load") - 0.75f64.sqrt()).abs() < 20e-6);
        assert!(found.su1_va < 1e-6 * 6900.0 && found.sen_va < 1e-6 * 6900.0);
    }
}

#[test]
fn one_loaded_phase_of_four_wires_has_its_worked_effective_power() {
    // Balanced 230 V; 10 A in phase a alone. The neutral carries it too: Ie^2 = (100 + 100) / 3,
    // Ue = 230 V, so Se = 3 * 230 * sqrt(200/3) VA, P = 2300 W; I1+ = 10/3 A.
    let u = [0.0, -120.0, 120.0].map(|t| [tone(1.0, 230.0, t)]);
    let i: [&[Tone]; 3] = [&[tone(1.0, 10.0, 0.0)], &[], &[]];
    let means = three_phase(u.each_ref().map(|t| &t[..]), i);
    let found = EffectivePower::new(&means, Wires::Four);
    let se = 690.0 * (200.0_f64 / 3.0).sqrt();
    assert!(ppm(found.se_va, se).abs() < 20.0, "{found:?}");
    assert!(ppm(found.in_a, 10.0).abs() < 20.0);
    assert!(ppm(found.s1_positive_va, 2300.0).abs() < 20.0);
    assert!(ppm(found.su1_va, (se * se - 2300.0 * 2300.0).sqrt()).abs() < 20.0);
    assert!((found.pf.expect("a load") - 2300.0 / se).abs() < 20e-6);
    assert!((found.pf1_positive.expect("a load") - 1.0).abs() < 20e-6);
}
