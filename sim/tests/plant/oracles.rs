//! Truth against figures known from elsewhere.

use super::*;
use lastmeter_sim::Program;
use lastmeter_sim::disturbance::{Change, Disturbance, PointOnWave};
use lastmeter_sim::plan::{Harmonic, OperatingPoint, WaveShape};
use std::f64::consts::{FRAC_1_SQRT_2, PI};

struct Oracle {
    voltage: &'static [(f64, f64, f64)],
    current: &'static [(f64, f64, f64)],
    figures: [(&'static str, f64); 9],
}

const U: &str = "electricity.voltage.rms.l1";
const I: &str = "electricity.current.rms.l1";
const P: &str = "electricity.power.active.consumed.l1";
const Q: &str = "electricity.power.reactive.consumed.l1";
const S: &str = "electricity.power.apparent.l1";
const N: &str = "x.electricity.power.nonactive.l1";
const PF: &str = "electricity.powerFactor.l1";
const THDU: &str = "x.electricity.voltage.thd.l1";
const THDI: &str = "x.electricity.current.thd.l1";

/// IEEE 1459-2010 quantities, worked out by hand from RMS values and angles; the second is the
/// fifth-harmonic test of the meter standards (EN 50470-3: 10 % in voltage, 40 % in current).
const ORACLES: [Oracle; 3] = [
    Oracle {
        voltage: &[(1.0, 230.0, 0.0)],
        current: &[(1.0, 10.0, -60.0)],
        figures: [
            (U, 230.0),
            (I, 10.0),
            (P, 1150.0),
            (Q, 1_991.858_429),
            (S, 2300.0),
            (N, 1_991.858_429),
            (PF, 0.5),
            (THDU, 0.0),
            (THDI, 0.0),
        ],
    },
    Oracle {
        voltage: &[(1.0, 230.0, 0.0), (5.0, 23.0, 0.0)],
        current: &[(1.0, 10.0, 0.0), (5.0, 4.0, 0.0)],
        figures: [
            (U, 231.147_139),
            (I, 10.770_330),
            (P, 2392.0),
            (Q, 0.0),
            (S, 2_489.530_880),
            (N, 690.0),
            (PF, 0.960_823_59),
            (THDU, 0.1),
            (THDI, 0.4),
        ],
    },
    Oracle {
        voltage: &[(1.0, 100.0, 0.0), (3.0, 8.0, -70.0), (5.0, 15.0, 140.0), (7.0, 5.0, 20.0)],
        current: &[
            (1.0, 100.0, -30.0),
            (3.0, 20.0, -165.0),
            (5.0, 15.0, 234.0),
            (7.0, 10.0, 234.0),
        ],
        figures: [
            (U, 101.557_865),
            (I, 103.561_576),
            (P, 8_589.162_034),
            (Q, 5000.0),
            (S, 10_517.492_572),
            (N, 6_069.921_380),
            (PF, 0.816_654_92),
            (THDU, 0.177_200_45),
            (THDI, 0.269_258_24),
        ],
    },
];

#[test]
fn distorted_waveforms_have_the_quantities_of_ieee_1459() {
    for (number, oracle) in ORACLES.iter().enumerate() {
        let terminal = terminal(vec![harmonics(oracle.voltage)], vec![harmonics(oracle.current)]);
        // Ten cycles, wherever they begin.
        for from_s in [0.0, 0.123_456_7, 86_400.0] {
            for (name, expected) in oracle.figures {
                let found = value(&terminal, name, span(from_s, from_s + 0.2)).unwrap();
                // The figures are typed with six decimals, the ratios with eight.
                let limit = if expected.abs() < 1.0 { 6e-9 } else { 6e-7 };
                assert_close(found, expected, limit, &format!("E{} {name}", number + 1));
            }
        }
    }
}

#[test]
fn a_leading_current_injects_reactive_power_and_an_export_injects_active_power() {
    let capacitive =
        terminal(vec![harmonics(&[(1.0, 230.0, 0.0)])], vec![harmonics(&[(1.0, 10.0, 60.0)])]);
    let found = |name| value(&capacitive, name, span(0.0, 0.2)).unwrap();
    assert_close(
        found("electricity.power.reactive.injected.l1"),
        1_991.858_429,
        6e-7,
        "Q injected",
    );
    assert_eq!(found(Q), 0.0);

    let export =
        terminal(vec![harmonics(&[(1.0, 230.0, 0.0)])], vec![harmonics(&[(1.0, 10.0, 180.0)])]);
    let found = |name| value(&export, name, span(0.0, 0.2)).unwrap();
    assert_close(found("electricity.power.active.injected.l1"), 2300.0, 1e-9, "P injected");
    assert_eq!(found(P), 0.0);
    assert_close(found(PF), -1.0, 1e-12, "power factor");
    assert_close(found("electricity.energy.active.injected.total"), 460.0, 1e-9, "energy");
}

#[test]
fn a_direct_component_counts_in_rms_and_power() {
    // Half-wave rectified current of 20 A peak at 230 V: Idc = Ip/pi, Irms = Ip/2, P = U Ip/(2 sqrt
    // 2) (class test for direct component). As a Fourier series: even orders 2k, Ip 2/(pi(1-4k^2)).
    let (peak_a, orders) = (20.0, 400);
    let mut current = harmonics(&[(1.0, peak_a / 2.0 * FRAC_1_SQRT_2, 0.0)]);
    current.dc = peak_a / PI;
    for k in 1..=orders {
        let k = f64::from(k);
        let amplitude = 2.0 * peak_a / (PI * (4.0 * k * k - 1.0));
        let angle = if k % 2.0 == 0.0 { 180.0 } else { 0.0 };
        current.tones.push(tone(100.0 * k, amplitude * FRAC_1_SQRT_2, angle));
    }
    let terminal = terminal(vec![harmonics(&[(1.0, 230.0, 0.0)])], vec![current]);
    let found = |name| value(&terminal, name, span(0.0, 0.2)).unwrap();
    assert_close(found(P), 1_626.345_597, 6e-7, "P");
    // The series ends after 800 orders; what is missing is below 1e-8 A.
    assert_close(found(I), 10.0, 1e-7, "I");
}

fn three_phases(angles_deg: [f64; 3]) -> Terminal {
    let turned = |phase: usize, extra: f64| -120.0 * phase as f64 + extra;
    let voltages = (0..3).map(|p| harmonics(&[(1.0, 230.0, turned(p, 0.0))])).collect();
    let currents = (0..3).map(|p| harmonics(&[(1.0, 10.0, turned(p, angles_deg[p]))])).collect();
    terminal(voltages, currents)
}

#[test]
fn totals_are_netted_before_or_after_the_split_by_direction() {
    // Phases 1 and 2 consume 2300 W each, phase 3 injects 1150 W.
    let terminal = three_phases([0.0, 0.0, -120.0]);
    let span = span(10.0, 20.0);
    let of = |name: &str, netting| {
        terminal.reference(MeasurementId::lookup(name).unwrap(), span, netting).unwrap()
    };
    let totals = [
        ("electricity.power.active.consumed.total", 3450.0, 4600.0),
        ("electricity.power.active.injected.total", 0.0, 1150.0),
        ("electricity.energy.active.consumed.total", 3450.0 * 20.0, 4600.0 * 20.0),
        ("electricity.energy.active.injected.total", 0.0, 1150.0 * 20.0),
    ];
    for (name, net, per_phase) in totals {
        assert_close(of(name, Netting::Net), net, 1e-6, name);
        assert_close(of(name, Netting::PerPhase), per_phase, 1e-6, name);
    }
    for netting in [Netting::Net, Netting::PerPhase] {
        assert_close(of("electricity.power.apparent.total", netting), 6900.0, 1e-8, "S total");
        assert_close(of("x.electricity.powerFactor.total", netting), 0.5, 1e-12, "PF total");
        assert_close(of("electricity.energy.apparent.total", netting), 138_000.0, 1e-6, "S energy");
    }
}

/// Net, 3450 W flow for 20 s: 69 kJ, at 3600 pulses per kWh 69 of 1 kJ. Phases apart, 4600 W flow
/// in and 1150 W out: 115 of them.
#[test]
fn pulses_are_the_whole_ones_of_the_true_energy_by_the_nameplate() {
    let terminal = three_phases([0.0, 0.0, -120.0]);
    let of = |name: &str, netting, constant| {
        let truth = terminal.truth(span(10.0, 20.0)).with_pulse_constant(constant);
        truth.value(MeasurementId::lookup(name).unwrap(), netting)
    };
    let active = "x.electricity.pulses.active";
    // Half a pulse away from the edges, where the last bit would decide.
    assert_eq!(of(active, Netting::Net, 3600.0 * 69.5 / 69.0), Some(69.0));
    assert_eq!(of(active, Netting::PerPhase, 3600.0 * 115.5 / 115.0), Some(115.0));
    // Only the third phase has reactive power: 2300 var * sin(120 deg) = 1991.858 var for 20 s.
    assert_eq!(of("x.electricity.pulses.reactive", Netting::Net, 3600.0), Some(39.0));
    // Of a meter without a nameplate nothing is known.
    let none = terminal.truth(span(10.0, 20.0));
    assert_eq!(none.value(MeasurementId::lookup(active).unwrap(), Netting::Net), None);
}

#[test]
fn angles_are_relative_to_the_first_voltage() {
    let terminal = three_phases([-30.0, -30.0, -30.0]);
    let degrees = |name: &str| value(&terminal, name, span(0.0, 1.0)).unwrap().to_degrees();
    for (name, expected) in [
        ("electricity.voltage.phase.l1", 0.0),
        ("electricity.voltage.phase.l2", -120.0),
        ("electricity.voltage.phase.l3", 120.0),
        ("electricity.current.phase.l1", -30.0),
        ("electricity.current.phase.l2", -150.0),
        ("electricity.current.phase.l3", 90.0),
    ] {
        assert_close(degrees(name), expected, 1e-9, name);
    }
}

#[test]
fn what_cannot_be_known_has_no_reference() {
    let one_phase = terminal(vec![harmonics(&[(1.0, 230.0, 0.0)])], vec![harmonics(&[])]);
    let whole = span(0.0, 1.0);
    for name in [
        "electricity.voltage.rms.l2",
        "electricity.voltage.instant.l1",
        "electricity.current.phase.l1",
        "x.electricity.current.thd.l1",
        "water.volume",
    ] {
        assert_eq!(value(&one_phase, name, whole), None, "{name}");
    }
    // As on a meter: where nothing flows, the factor is shown as 0.
    assert_eq!(value(&one_phase, "electricity.powerFactor.l1", whole), Some(0.0));
    assert_eq!(value(&one_phase, U, span(1.0, 1.0)), None, "no mean over an empty span");
    assert_eq!(value(&one_phase, Q, span(2.0, 1.0)), None, "nor over a reversed one");
    let empty = ReferenceSpan { registers_from: whole.to, ..whole };
    assert_eq!(value(&one_phase, "electricity.energy.active.consumed.l1", empty), Some(0.0));
}

/// A single-phase terminal of 230 V and a current of 20 A peak, cut to a shape.
fn cut(shape: WaveShape) -> Terminal {
    let peak_a = 20.0;
    let mut point =
        OperatingPoint::balanced(SimDuration::ZERO, 1, 50.0, 230.0, peak_a * FRAC_1_SQRT_2);
    point.current_shape = shape;
    let program = Program::from_points(&[point]).expect("a program");
    Terminal::from_program(&program, "test", &Streams::new(1)).expect("a terminal")
}

#[test]
fn a_half_wave_has_its_power_and_its_current() {
    let terminal = cut(WaveShape::HalfWave);
    // Whole cycles, wherever they begin, for ten cycles, an hour and a day.
    for (from_s, to_s) in [(0.0, 0.2), (0.003_217, 0.203_217), (1.0, 3601.0), (0.0, 86_400.0)] {
        let found = |name| value(&terminal, name, span(from_s, to_s)).unwrap();
        assert_close(found(P), 1_626.345_597, 6e-7, "P");
        assert_close(found(I), 10.0, 1e-9, "I");
        // The fundamental is half of the sine's; orders 2 and up of the Fourier series, without the
        // direct component: I^2 = Idc^2 + I1^2 (1 + THD^2).
        assert_close(found(Q), 0.0, 1e-9, "Q1");
        let (dc, i1) = (20.0 / PI, 10.0 * FRAC_1_SQRT_2);
        let all_orders = ((100.0 - dc * dc) / (i1 * i1) - 1.0_f64).sqrt();
        let beyond: f64 = (26..2000)
            .map(|k| 2.0 * 20.0 / PI / (4.0 * f64::from(k) * f64::from(k) - 1.0))
            .map(|amplitude| amplitude * amplitude / 2.0)
            .sum();
        let expected = (all_orders * all_orders - beyond / (i1 * i1)).sqrt();
        assert_close(found(THDI), expected, 1e-9, "THD");
    }
    let mean_a: f64 = {
        let block = render(&terminal, 0, 100_000.0, 2000);
        block.currents[0].iter().sum::<f64>() / 2000.0
    };
    assert_close(mean_a, 6.366_198, 1e-5, "Idc");
}

#[test]
fn a_phase_fired_current_has_the_quantities_of_its_fundamental() {
    let terminal = cut(WaveShape::PhaseFired { angle_rad: PI / 2.0 });
    let found = |name| value(&terminal, name, span(0.1, 0.3)).unwrap();
    assert_close(found(P), 1_626.345_597, 6e-7, "P");
    assert_close(found(I), 10.0, 1e-9, "I");
    assert_close(found(Q), 1_035.363_764, 6e-7, "Q1");
    let angle = found("electricity.current.phase.l1").to_degrees();
    assert_close(angle, -32.481_637, 6e-7, "angle of I1");
    // The printed 65.053754 % is that of all orders; here it ends with the 50th, as the Fourier
    // coefficients of the odd ones show.
    let i1 = 8.382_377_f64;
    let harmonic = |h: f64| {
        // 2/T of the integral of sin x e^(-ihx) from pi/2 to pi, twice for odd orders.
        let term = |m: f64, x: f64| (-(m * x).cos() / m, (m * x).sin() / m);
        let over = |m: f64| {
            let (a, b) = (term(m, PI / 2.0), term(m, PI));
            (b.0 - a.0, b.1 - a.1)
        };
        let ((s1, c1), (s2, c2)) = (over(1.0 + h), over(1.0 - h));
        // sin x cos hx and sin x sin hx.
        let (a, b) = (0.5 * (s1 + s2), 0.5 * (c2 - c1));
        20.0 * 2.0 / PI * a.hypot(b) * FRAC_1_SQRT_2
    };
    let square: f64 = (1..25).map(|k| harmonic(2.0 * f64::from(k) + 1.0).powi(2)).sum();
    assert_close(found(THDI), square.sqrt() / i1, 1e-6, "THD to the 50th");
    let all: f64 = (1..200_000).map(|k| harmonic(2.0 * f64::from(k) + 1.0).powi(2)).sum();
    assert_close(all.sqrt() / i1, 0.650_537_54, 2e-6, "THD of all orders");
}

#[test]
fn a_burst_has_half_the_power_but_not_in_every_window() {
    let mut point = OperatingPoint::balanced(SimDuration::ZERO, 1, 50.0, 230.0, 10.0);
    point.current_shape = WaveShape::BurstFired { on: 2, off: 2 };
    let program = Program::from_points(&[point]).expect("a program");
    let terminal = Terminal::from_program(&program, "test", &Streams::new(1)).expect("a terminal");
    let found = |name, from_s, to_s| value(&terminal, name, span(from_s, to_s)).unwrap();
    assert_close(found(P, 0.0, 3600.0), 1150.0, 1e-9, "mean P");
    assert_close(found(I, 0.0, 0.4), 10.0 * FRAC_1_SQRT_2, 1e-12, "I");
    // A window of ten cycles sees six of them on, the next one four.
    assert_close(found(P, 0.0, 0.2), 1380.0, 1e-9, "six cycles");
    assert_close(found(P, 0.2, 0.4), 920.0, 1e-9, "four cycles");
    let energy = found("electricity.energy.active.consumed.l1", 0.0, 86_400.0);
    assert_close(energy, 1150.0 * 86_400.0, 1e-3, "energy of a day");
}

#[test]
fn a_square_wave_is_distorted_as_far_as_orders_go() {
    // Odd orders h of 1/h: 47.032239 % to the 39th, 47.297133 % to the 50th.
    for (last, expected) in [(39, 0.470_322_39), (50, 0.472_971_33)] {
        let harmonics: Vec<Harmonic> = (3..=last)
            .step_by(2)
            .map(|order| Harmonic { order, share: 1.0 / f64::from(order), angle_rad: 0.0 })
            .collect();
        let mut point = OperatingPoint::balanced(SimDuration::ZERO, 1, 50.0, 230.0, 10.0);
        point.voltage_harmonics = harmonics;
        let program = Program::from_points(&[point]).expect("a program");
        let terminal =
            Terminal::from_program(&program, "test", &Streams::new(1)).expect("a terminal");
        let thd = value(&terminal, THDU, span(0.0, 0.2)).unwrap();
        assert_close(thd, expected, 6e-9, &format!("to {last}"));
    }
}

#[test]
fn a_dip_is_seen_by_one_cycle_rms_values() {
    let mut program =
        Program::from_points(&[OperatingPoint::balanced(SimDuration::ZERO, 1, 50.0, 230.0, 10.0)])
            .expect("a program");
    program.disturb(Disturbance {
        at: SimDuration::from_milliseconds(500),
        length: Some(SimDuration::from_milliseconds(100)),
        change: Change::Level {
            factors: [0.4; 3],
            jumps_rad: [0.0; 3],
            point: Some(PointOnWave { phase: 0, angle_rad: 0.0 }),
        },
    });
    let terminal = Terminal::from_program(&program, "test", &Streams::new(1)).expect("a terminal");
    // One cycle, refreshed every half cycle.
    let values: Vec<f64> = (0..13)
        .map(|k| {
            let from_s = 0.48 + 0.01 * f64::from(k);
            value(&terminal, U, span(from_s, from_s + 0.02)).unwrap() / 230.0
        })
        .collect();
    let mut expected = vec![0.4; 13];
    expected[0] = 1.0;
    expected[1] = 0.761_577;
    expected[11] = 0.761_577;
    expected[12] = 1.0;
    for (found, expected) in values.iter().zip(&expected) {
        assert_close(*found, *expected, 5e-7, "Urms(1/2)");
    }
}
