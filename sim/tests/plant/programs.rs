//! Operating points one after another: what is rendered and what is true across their borders.

use super::*;
use lastmeter_sim::plan::{Harmonic, OperatingPoint, PhaseSequence};
use lastmeter_sim::{Program, SpectrumSpan, TemperatureChange};
use std::f64::consts::{PI, SQRT_2, TAU};

fn seconds(seconds: f64) -> SimDuration {
    SimDuration::from_seconds_f64(seconds)
}

fn program(points: &[OperatingPoint]) -> Terminal {
    let program = Program::from_points(points).expect("a program");
    Terminal::from_program(&program, "test", &Streams::new(1)).expect("a terminal")
}

/// A single-phase point of a length, frequency, voltage and current.
fn point(length_s: f64, frequency_hz: f64, voltage_v: f64, current_a: f64) -> OperatingPoint {
    OperatingPoint::balanced(seconds(length_s), 1, frequency_hz, voltage_v, current_a)
}

#[test]
fn the_angle_goes_on_through_every_change_of_frequency() {
    // Cycles until the borders: 0.73 s of 50 Hz, 1.111 s of 47.3 Hz, then 61.7 Hz.
    let terminal = program(&[
        point(0.73, 50.0, 230.0, 1.0),
        point(1.111, 47.3, 230.0, 1.0),
        point(1.0, 61.7, 230.0, 1.0),
    ]);
    let cycles = |t: f64| {
        if t < 0.73 {
            50.0 * t
        } else if t < 1.841 {
            36.5 + 47.3 * (t - 0.73)
        } else {
            36.5 + 47.3 * 1.111 + 61.7 * (t - 1.841)
        }
    };
    let rate_hz = 10_007.0;
    let block = render(&terminal, 0, rate_hz, 40_000);
    for (k, found) in block.voltages[0].iter().enumerate() {
        let expected = 230.0 * SQRT_2 * (TAU * cycles(k as f64 / rate_hz)).sin();
        // 1e-9 rad of 325 V, and the naive phase's own rounding.
        assert_close(*found, expected, 4e-9, &format!("sample {k}"));
    }
}

#[test]
fn a_sample_on_a_border_is_the_mean_of_both_sides() {
    let mut before = point(0.1, 50.0, 100.0, 1.0);
    before.voltage_dc_v = 3.0;
    before.temperature_celsius = 40.0;
    let mut after = point(0.1, 50.0, 100.0, 1.0);
    after.voltage_dc_v = 8.0;
    let terminal = program(&[before, after]);
    let block = render(&terminal, 0, 1000.0, 200);
    assert_close(block.voltages[0][99] - block.voltages[0][79], 0.0, 1e-9, "before");
    // At 100 ms the sine crosses zero.
    assert_close(block.voltages[0][100], 5.5, 1e-9, "border");
    assert_close(block.voltages[0][120], 8.0, 1e-9, "after");
    let change = |sample, celsius| TemperatureChange { sample, celsius };
    assert_eq!(block.temperatures, [change(0, 40.0), change(100, 23.0)]);
    assert_eq!(render(&terminal, 1, 1000.0, 99).temperatures, []);
    assert_eq!(render(&terminal, 90, 1000.0, 20).temperatures, [change(10, 23.0)]);
    assert_eq!(render(&terminal, 150, 1000.0, 20).temperatures, []);
}

#[test]
fn means_and_registers_go_across_borders() {
    let lag = PI / 3.0;
    let mut second = point(7.0, 50.0, 200.0, 20.0);
    second.current_lags_rad = vec![lag];
    let terminal = program(&[point(3.0, 50.0, 230.0, 10.0), second, point(1.0, 60.0, 0.0, 5.0)]);
    // From 2 s to 12 s: 1 s, 7 s and 2 s of the three.
    let span =
        ReferenceSpan { from: seconds(2.0), to: seconds(12.0), registers_from: SimDuration::ZERO };
    let found = |name: &str| value(&terminal, name, span);
    let close = |name: &str, expected: f64| {
        assert_close(found(name).unwrap(), expected, 1e-9 * expected.abs(), name);
    };
    close(
        "electricity.voltage.rms.l1",
        ((230.0_f64.powi(2) + 7.0 * 200.0_f64.powi(2)) / 10.0).sqrt(),
    );
    close("electricity.current.rms.l1", ((100.0 + 7.0 * 400.0 + 2.0 * 25.0_f64) / 10.0).sqrt());
    close("electricity.power.active.consumed.l1", (2300.0 + 7.0 * 2000.0) / 10.0);
    close("electricity.power.reactive.consumed.l1", 7.0 * 4000.0 * lag.sin() / 10.0);
    close("electricity.frequency", (8.0 * 50.0 + 2.0 * 60.0) / 10.0);
    close("electricity.energy.active.consumed.l1", 3.0 * 2300.0 + 7.0 * 2000.0);
    close("electricity.energy.apparent.l1", 3.0 * 2300.0 + 7.0 * 4000.0);
    close("electricity.energy.reactive.consumed.l1", 7.0 * 4000.0 * lag.sin());
    assert_eq!(found("electricity.current.phase.l1"), None, "not the same all over the span");
    let within = |name: &str| value(&terminal, name, super::span(4.0, 10.0)).unwrap();
    assert_close(within("electricity.current.phase.l1"), -lag, 1e-12, "angle");
}

#[test]
fn distortion_has_a_reference_where_it_is_the_same_all_over_the_span() {
    let fifth = Harmonic { order: 5, share: 0.1, angle_rad: 0.0 };
    let mut points = vec![point(1.0, 50.0, 230.0, 10.0); 3];
    points[0].voltage_harmonics = vec![fifth];
    points[1].voltage_harmonics = vec![fifth];
    points[1].currents_a = vec![3.0];
    let terminal = program(&points);
    let thd = |from_s, to_s| value(&terminal, "x.electricity.voltage.thd.l1", span(from_s, to_s));
    assert_close(thd(0.5, 1.5).unwrap(), 0.1, 1e-12, "the same in both");
    assert_eq!(thd(1.5, 2.5), None);
    assert_eq!(thd(2.0, 2.5), Some(0.0));
}

#[test]
fn harmonics_count_from_their_own_zero_crossing() {
    // The fifth-harmonic test of the meter standards, of a lagging current: 10 % and 40 %, in phase
    // where the fundamentals cross zero.
    let mut point = OperatingPoint::balanced(seconds(1.0), 3, 50.0, 230.0, 10.0);
    point.current_lags_rad = vec![PI / 3.0; 3];
    point.voltage_harmonics = vec![Harmonic { order: 5, share: 0.1, angle_rad: 0.0 }];
    point.current_harmonics = vec![Harmonic { order: 5, share: 0.4, angle_rad: 0.0 }];
    point.sequence = PhaseSequence::Negative;
    let terminal = program(&[point]);
    let found = |name: &str| value(&terminal, name, span(0.0, 0.2)).unwrap();
    // P1 = 1150 W; the fifth lags by five times 60 degrees: 92 W cos(300).
    assert_close(found("electricity.power.active.consumed.l2"), 1150.0 + 46.0, 1e-9, "P");
    let sequence = found("electricity.voltage.phase.l2").to_degrees();
    assert_close(sequence, 120.0, 1e-9, "reversed");
    let rate_hz = 6000.0;
    let block = render(&terminal, 0, rate_hz, 500);
    for (k, found) in block.currents[2].iter().enumerate() {
        let theta = TAU * (50.0 * k as f64 / rate_hz + 2.0 / 3.0) - PI / 3.0;
        let expected = 10.0 * SQRT_2 * (theta.sin() + 0.4 * (5.0 * theta).sin());
        assert_close(*found, expected, 1e-10, "L3");
    }
}

#[test]
fn stretches_follow_each_other_without_a_gap() {
    let mut warm = point(2.0, 50.0, 230.0, 10.0);
    warm.temperature_celsius = 55.0;
    let terminal = program(&[point(1.0, 50.0, 230.0, 10.0), warm, point(1.0, 51.0, 230.0, 10.0)]);
    assert!(terminal.has_spectrum_throughout());
    let mut at = SimDuration::ZERO;
    let mut found = Vec::new();
    while let Some(SpectrumSpan { spectrum, until, temperature_celsius }) = terminal.spectrum_at(at)
    {
        let frequency_hz = spectrum.fundamental_hz;
        found.push((at.as_seconds_f64(), frequency_hz, temperature_celsius));
        let Some(until) = until else { break };
        assert!(until > at);
        at = until;
    }
    assert_eq!(found, [(0.0, 50.0, 23.0), (1.0, 50.0, 55.0), (3.0, 51.0, 23.0)]);
    // A stretch's spectrum, played by itself, is what the terminal carries there.
    let third = terminal.spectrum_at(seconds(3.5)).unwrap().spectrum;
    let alone = Terminal::from_spectrum((*third).clone(), "test", &Streams::new(1)).unwrap();
    let (a, b) = (render(&terminal, 35_000, 10_000.0, 100), render(&alone, 35_000, 10_000.0, 100));
    assert_eq!(a.voltages, b.voltages);
}

#[test]
fn the_cut_of_the_range_changes_no_bit_across_borders() {
    let points: Vec<OperatingPoint> = (0..50_u32)
        .map(|k| point(0.0137, 45.0 + f64::from(k % 7), 200.0 + f64::from(k), 5.0))
        .map(|point| OperatingPoint { voltage_noise_v: 0.5, ..point })
        .collect();
    let terminal = program(&points);
    let whole = render(&terminal, 0, 7812.5, 6000);
    for samples in [1, 7, 64, 1000] {
        let mut joined = Vec::new();
        while joined.len() < 6000 {
            let part =
                render(&terminal, joined.len() as u64, 7812.5, samples.min(6000 - joined.len()));
            joined.extend_from_slice(&part.voltages[0]);
        }
        assert_eq!(joined, whole.voltages[0], "{samples}");
    }
}

#[test]
fn a_plan_of_many_points_keeps_its_energy() {
    let points: Vec<OperatingPoint> =
        (0..20_000_u32).map(|k| point(1.0, 50.0, 230.0, f64::from(k % 10))).collect();
    let terminal = program(&points);
    let energy = value(&terminal, "electricity.energy.active.consumed.l1", span(0.0, 20_000.0));
    assert_close(energy.unwrap() / (230.0 * 4.5 * 20_000.0), 1.0, 1e-13, "energy");
}

#[test]
fn points_that_do_not_fit_are_refused() {
    let refused = |points: &[OperatingPoint]| {
        let made = Program::from_points(points)
            .and_then(|program| Terminal::from_program(&program, "x", &Streams::new(1)));
        made.unwrap_err().to_string()
    };
    assert!(refused(&[]).contains("no operating point"));
    let three = OperatingPoint::balanced(seconds(1.0), 3, 50.0, 230.0, 1.0);
    assert!(refused(&[point(1.0, 50.0, 1.0, 1.0), three.clone()]).contains("a later one 3"));
    assert!(refused(&[point(1.0, 0.0, 1.0, 1.0)]).contains("has to be positive"));
    assert!(refused(&[point(1.0, 50.0, f64::NAN, 1.0)]).contains("finite"));
    let uneven = OperatingPoint { currents_a: vec![1.0], ..three };
    assert!(refused(&[uneven]).contains("3 voltages and 1 currents"));
}

#[test]
fn mean_values_are_those_of_the_direct_component_over_whole_cycles() {
    let direct = |length_s: f64, volts: f64, amperes: f64| OperatingPoint {
        voltage_dc_v: volts,
        current_dc_a: amperes,
        ..point(length_s, 50.0, 230.0, 5.0)
    };
    let terminal = program(&[direct(1.0, 12.0, -0.5), direct(1.0, -6.0, 1.5)]);
    let mean = |name: &str, from: f64, to: f64| {
        let span = ReferenceSpan {
            from: seconds(from),
            to: seconds(to),
            registers_from: SimDuration::ZERO,
        };
        terminal.reference(MeasurementId::lookup(name).unwrap(), span, Netting::Net)
    };
    let (u, i) = ("x.electricity.voltage.mean.l1", "x.electricity.current.mean.l1");
    assert!((mean(u, 0.2, 0.4).unwrap() - 12.0).abs() < 1e-12);
    // Three quarters of the one and a quarter of the other.
    assert!((mean(u, 0.4, 1.2).unwrap() - 7.5).abs() < 1e-9);
    assert!((mean(i, 0.4, 1.2).unwrap()).abs() < 1e-9);
    // Half a cycle of the sine: its mean is 2 / pi of the peak.
    let half = 12.0 + 2.0 / PI * 230.0 * SQRT_2;
    assert!((mean(u, 0.1, 0.11).unwrap() - half).abs() < 1e-9);
    assert_eq!(mean(u, 0.1, 0.1), None);
    assert_eq!(mean("x.electricity.voltage.mean.l2", 0.1, 0.2), None);
    // Where a current is cut, there is no value.
    let cut = OperatingPoint {
        current_shape: lastmeter_sim::plan::WaveShape::HalfWave,
        ..point(1.0, 50.0, 230.0, 5.0)
    };
    let span =
        ReferenceSpan { from: seconds(0.1), to: seconds(0.3), registers_from: SimDuration::ZERO };
    let id = MeasurementId::lookup(i).unwrap();
    assert_eq!(program(&[cut]).reference(id, span, Netting::Net), None);
}
