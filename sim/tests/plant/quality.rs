//! Harmonics one by one and unbalance against figures worked out by hand, and modulated points.

use std::f64::consts::{PI, SQRT_2};

use lastmeter_sim::disturbance::{Change, Disturbance, Phases, Side};
use lastmeter_sim::plan::{Harmonic, OperatingPoint, VoltageModulation, WaveShape};
use lastmeter_sim::{Program, Streams, Terminal};
use lastmeter_units::SimDuration;

use super::disturbances::{at, build};
use super::{assert_close, render, span, value};

fn point(seconds: f64, phases: usize) -> OperatingPoint {
    let duration = SimDuration::from_seconds_f64(seconds);
    OperatingPoint::balanced(duration, phases, 50.0, 230.0, 10.0)
}

fn terminal(points: &[OperatingPoint]) -> Terminal {
    let program = Program::from_points(points).expect("a program");
    Terminal::from_program(&program, "s", &Streams::new(1)).expect("a terminal")
}

#[test]
fn each_order_has_its_share_and_the_others_are_zero() {
    let harmonic = |order, share| Harmonic { order, share, angle_rad: 1.0 };
    let mut first = point(1.0, 3);
    first.voltage_harmonics = vec![harmonic(2, 0.05), harmonic(50, 0.01)];
    first.current_harmonics = vec![harmonic(3, 0.2)];
    let mut second = first.clone();
    second.voltage_harmonics = vec![harmonic(2, 0.05), harmonic(50, 0.02)];
    let terminal = terminal(&[first, second]);
    let found = |name: &str, to_s| value(&terminal, name, span(0.0, to_s));
    assert_close(found("x.electricity.voltage.harmonic.2.l2", 0.9).unwrap(), 11.5, 1e-9, "h2");
    assert_close(found("x.electricity.voltage.harmonic.50.l3", 0.9).unwrap(), 2.3, 1e-9, "h50");
    assert_close(found("x.electricity.current.harmonic.3.l1", 0.9).unwrap(), 2.0, 1e-9, "i3");
    assert_eq!(found("x.electricity.voltage.harmonic.3.l1", 0.9), Some(0.0));
    assert_eq!(found("x.electricity.voltage.flicker.pst.l1", 0.9), None);
    // Over the change: what stays has a reference, what does not has none.
    assert_close(found("x.electricity.voltage.harmonic.2.l2", 1.5).unwrap(), 11.5, 1e-9, "h2");
    assert_eq!(found("x.electricity.voltage.harmonic.50.l3", 1.5), None);
}

#[test]
fn half_waves_have_even_orders_and_bursts_have_no_reference() {
    // The positive half of A sin x: second harmonic of amplitude 2 A / (3 pi), none of the third.
    let half = OperatingPoint { current_shape: WaveShape::HalfWave, ..point(9.0, 1) };
    let half = terminal(&[half]);
    let found = |name: &str| value(&half, name, span(0.0, 1.0)).unwrap();
    let second = 2.0 * 10.0 * SQRT_2 / (3.0 * PI) / SQRT_2;
    assert_close(found("x.electricity.current.harmonic.2.l1"), second, 1e-9, "h2");
    assert_close(found("x.electricity.current.harmonic.3.l1"), 0.0, 1e-9, "h3");
    let burst = WaveShape::BurstFired { on: 2, off: 2 };
    let burst = terminal(&[OperatingPoint { current_shape: burst, ..point(9.0, 1) }]);
    let found = value(&burst, "x.electricity.current.harmonic.2.l1", span(0.0, 1.0));
    assert_eq!(found, None);
}

#[test]
fn unbalance_of_unequal_voltages_is_that_of_the_worked_example() {
    // 73, 80 and 87 % of 230 V at 120 degrees: u2 = u0 = sqrt(a^2 + b^2 + c^2 - ab - bc - ca) /
    // (a + b + c) = sqrt(0.0147) / 2.4 = 5.0518 %.
    let voltages_v = vec![167.9, 184.0, 200.1];
    let terminal_of = |leads: Vec<f64>| {
        let voltages_v = voltages_v.clone();
        terminal(&[OperatingPoint { voltages_v, voltage_leads_rad: leads, ..point(1.0, 3) }])
    };
    let equal = terminal_of(Vec::new());
    for side in ["negative", "zero"] {
        let name = format!("x.electricity.voltage.unbalance.{side}");
        assert_close(value(&equal, &name, span(0.0, 0.2)).unwrap(), 0.050_518, 1e-6, side);
    }
    // Whatever turns all three changes nothing; what turns one makes the two differ.
    let turned = terminal_of(vec![0.0, 0.1, 0.0]);
    let found = |side: &str| {
        let name = format!("x.electricity.voltage.unbalance.{side}");
        value(&turned, &name, span(0.0, 0.2)).unwrap()
    };
    assert!((found("negative") - found("zero")).abs() > 0.01);
    let single = terminal(&[point(1.0, 1)]);
    assert_eq!(value(&single, "x.electricity.voltage.unbalance.zero", span(0.0, 0.2)), None);
}

#[test]
fn a_modulated_point_goes_up_and_down_and_ends_with_itself() {
    let modulation = VoltageModulation { changes_per_minute: 120.0, depth: 0.1 };
    let first = OperatingPoint { voltage_modulation: Some(modulation), ..point(2.0, 1) };
    let terminal = terminal(&[first, point(1.0, 1)]);
    let rms = |from_s, to_s| value(&terminal, "electricity.voltage.rms.l1", span(from_s, to_s));
    // A change every half second, beginning high: 230 V times 1.05, 0.95 and 1.
    for (from_s, expected) in [(0.1, 241.5), (0.6, 218.5), (1.1, 241.5), (1.6, 218.5), (2.1, 230.0)]
    {
        assert_close(rms(from_s, from_s + 0.2).unwrap(), expected, 1e-9, "level");
    }
    let block = render(&terminal, 0, 1000.0, 2500);
    let largest = |from: usize| {
        block.voltages[0][from..from + 100]
            .iter()
            .fold(0.0_f64, |most, value| most.max(value.abs()))
    };
    assert_close(largest(100) / largest(700), 1.05 / 0.95, 1e-9, "rendered");
}

/// One voltage at k times the others gives u2 = u0 = (1 - k) / (2 + k).
#[test]
fn unbalance_that_changes_is_the_root_of_its_mean_square() {
    let one = |to, over: f64| Change::Amplitude {
        side: Side::Voltage,
        phases: Phases([true, false, false]),
        to,
        over: SimDuration::from_seconds_f64(over),
    };
    let both = |disturbances: &[Disturbance], from_s: f64, to_s: f64, expected: f64, what: &str| {
        let terminal = build(&[point(9.0, 3)], disturbances).expect("a terminal");
        for side in ["negative", "zero"] {
            let name = format!("x.electricity.voltage.unbalance.{side}");
            let found = value(&terminal, &name, span(from_s, to_s)).expect(what);
            assert_close(found, expected, 1e-12, &format!("{what}, {side}"));
        }
    };
    // A step to 90 % after a quarter of the span.
    let step = [at(2.0, None, one(0.9, 0.0))];
    both(&step, 1.0, 5.0, 0.1 / 2.9 * 0.75_f64.sqrt(), "step");
    both(&step, 3.0, 5.0, 0.1 / 2.9, "after the step");
    // A ramp to 90 % in a second: with x = 2 + k the integral of (3 - x)^2 / x^2 is
    // x - 6 ln x - 9 / x, over a way of 0.1.
    let integral = |x: f64| x - 6.0 * x.ln() - 9.0 / x;
    let mean_square = (integral(3.0) - integral(2.9)) / 0.1;
    let ramp = [at(2.0, None, one(0.9, 1.0))];
    let terminal = build(&[point(9.0, 3)], &ramp).expect("a terminal");
    let name = "x.electricity.voltage.unbalance.negative";
    let found = value(&terminal, name, span(2.0, 3.0)).expect("a ramp");
    // The closed form itself loses some digits to cancellation.
    assert_close(found, mean_square.sqrt(), 1e-10, "ramp");
    // Across it, with a second before and one after.
    let whole = ((mean_square + (0.1 / 2.9_f64).powi(2)) / 3.0).sqrt();
    let found = value(&terminal, name, span(1.0, 4.0)).expect("a span");
    assert_close(found, whole, 1e-10, "across the ramp");
}
