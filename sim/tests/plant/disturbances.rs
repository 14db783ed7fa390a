//! Each disturbance against its formula, written down here once more, and integrated by Simpson's
//! rule between the instants at which anything jumps.

use super::*;
use lastmeter_sim::disturbance::{
    Change, Component, ComponentPlace, Disturbance, Modulation, Phases, PointOnWave, Side,
};
use lastmeter_sim::plan::{OperatingPoint, WaveShape};
use lastmeter_sim::{Program, TerminalError};
use std::f64::consts::{PI, SQRT_2, TAU};

const LAG_RAD: f64 = PI / 6.0;

pub(crate) fn seconds(seconds: f64) -> SimDuration {
    SimDuration::from_seconds_f64(seconds)
}

/// What happens at an instant, for so many seconds if it is no step.
pub(crate) fn at(at_s: f64, length_s: Option<f64>, change: Change) -> Disturbance {
    Disturbance { at: seconds(at_s), length: length_s.map(seconds), change }
}

/// One phase: 230 V and 10 A of 50 Hz, the current 30 degrees behind, with disturbances.
pub(crate) fn disturbed(disturbances: &[Disturbance]) -> Terminal {
    let mut point = OperatingPoint::balanced(seconds(1.0), 1, 50.0, 230.0, 10.0);
    point.current_lags_rad = vec![LAG_RAD];
    build(&[point], disturbances).expect("a terminal")
}

pub(crate) fn build(
    points: &[OperatingPoint],
    disturbances: &[Disturbance],
) -> Result<Terminal, TerminalError> {
    let mut program = Program::from_points(points)?;
    for disturbance in disturbances {
        program.disturb(disturbance.clone());
    }
    Terminal::from_program(&program, "test", &Streams::new(1))
}

/// The undisturbed voltage and current, at an angle in turns.
fn u_at(turns: f64) -> f64 {
    230.0 * SQRT_2 * (TAU * turns).sin()
}

fn i_at(turns: f64) -> f64 {
    10.0 * SQRT_2 * (TAU * turns - LAG_RAD).sin()
}

/// The means of u^2, i^2 and u i between two instants, by Simpson's rule between all breaks.
fn means(
    u: &dyn Fn(f64) -> f64,
    i: &dyn Fn(f64) -> f64,
    breaks: &[f64],
    from: f64,
    to: f64,
) -> [f64; 3] {
    let mut borders: Vec<f64> = breaks.iter().copied().filter(|b| *b > from && *b < to).collect();
    borders.extend([from, to]);
    borders.sort_by(f64::total_cmp);
    let mut sums = [0.0; 3];
    for pair in borders.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        // One-sided at the ends, and fine enough for 5 kHz.
        let steps = (((b - a) * 400_000.0) as usize).max(20) / 2 * 2;
        let width = (b - a) / steps as f64;
        for k in 0..=steps {
            let t = (a + width * k as f64).clamp(a + 1e-12, b - 1e-12);
            let weight = match k {
                0 => 1.0,
                _ if k == steps => 1.0,
                _ if k % 2 == 1 => 4.0,
                _ => 2.0,
            } * width
                / 3.0;
            let (u, i) = (u(t), i(t));
            sums[0] += weight * u * u;
            sums[1] += weight * i * i;
            sums[2] += weight * u * i;
        }
    }
    sums.map(|sum| sum / (to - from))
}

/// Holds a terminal against formulas: sample by sample, and as means over several spans.
fn check(
    what: &str,
    terminal: &Terminal,
    u: &dyn Fn(f64) -> f64,
    i: &dyn Fn(f64) -> f64,
    breaks: &[f64],
) {
    // A rate at which no sample lies on a jump.
    let rate_hz = 19_993.0;
    let block = render(terminal, 0, rate_hz, 20_000);
    for k in 1..20_000 {
        let t = f64::from(k) / rate_hz;
        let k = k as usize;
        assert_close(block.voltages[0][k], u(t), 2e-8, &format!("{what}: u of sample {k}"));
        assert_close(block.currents[0][k], i(t), 2e-9, &format!("{what}: i of sample {k}"));
    }
    for (from, to) in [(0.0, 1.0), (0.1, 0.3), (0.123_456, 0.654_321), (0.2, 0.200_5), (0.4, 0.9)] {
        let found = |name: &str| value(terminal, name, span(from, to)).expect("a value");
        let [u2, i2, ui] = means(u, i, breaks, from, to);
        let p = found("electricity.power.active.consumed.l1")
            - found("electricity.power.active.injected.l1");
        let close = |found: f64, expected: f64, scale: f64, name: &str| {
            let limit = 1e-9 * scale.max(1.0);
            assert_close(found, expected, limit, &format!("{what}: {name}, {from} to {to} s"));
        };
        close(found("electricity.voltage.rms.l1").powi(2), u2, 52_900.0, "U^2");
        close(found("electricity.current.rms.l1").powi(2), i2, 100.0, "I^2");
        close(p, ui, 2300.0, "P");
    }
}

pub(crate) const ALL: Phases = Phases::ALL;

#[test]
fn steps_of_amplitude_and_angle() {
    let amplitude =
        Change::Amplitude { side: Side::Voltage, phases: ALL, to: 0.8, over: seconds(0.0) };
    let again = Change::Amplitude { side: Side::Voltage, phases: ALL, to: 1.1, over: seconds(0.0) };
    let angle = Change::Angle { side: Side::Both, phases: ALL, by_rad: 0.7, over: seconds(0.0) };
    let behind =
        Change::Angle { side: Side::Current, phases: ALL, by_rad: -0.2, over: seconds(0.0) };
    let terminal = disturbed(&[
        at(0.213, None, amplitude),
        at(0.5, None, again),
        at(0.3, None, angle),
        at(0.41, None, behind),
    ]);
    let ahead = |t: f64| if t < 0.3 { 0.0 } else { 0.7 / TAU };
    let factor = |t: f64| {
        if t < 0.213 {
            1.0
        } else if t < 0.5 {
            0.8
        } else {
            1.1
        }
    };
    let u = |t: f64| factor(t) * u_at(50.0 * t + ahead(t));
    let i = |t: f64| i_at(50.0 * t + ahead(t) - if t < 0.41 { 0.0 } else { 0.2 / TAU });
    check("steps", &terminal, &u, &i, &[0.213, 0.3, 0.41, 0.5]);
    // Each is a stretch of tones.
    assert!(terminal.has_spectrum_throughout());
    assert_eq!(terminal.spectrum_at(seconds(0.25)).unwrap().until, Some(seconds(0.3)));
}

#[test]
fn ramps_of_amplitude_frequency_and_angle() {
    let amplitude =
        Change::Amplitude { side: Side::Both, phases: ALL, to: 0.5, over: seconds(0.2) };
    let terminal = disturbed(&[at(0.3, None, amplitude)]);
    let factor = |t: f64| 1.0 - 0.5 * ((t - 0.3) / 0.2).clamp(0.0, 1.0);
    let u = |t: f64| factor(t) * u_at(50.0 * t);
    let i = |t: f64| factor(t) * i_at(50.0 * t);
    check("amplitude", &terminal, &u, &i, &[0.3, 0.5]);

    let frequency = Change::Frequency { to_hz: 57.0, over: seconds(0.4) };
    let back = Change::Frequency { to_hz: 45.0, over: seconds(0.0) };
    let terminal = disturbed(&[at(0.3, None, frequency), at(0.8, None, back)]);
    let slope = 7.0 / 0.4;
    let turns = |t: f64| {
        let ramp = |s: f64| 50.0 * s + 0.5 * slope * s * s;
        match t {
            t if t < 0.3 => 50.0 * t,
            t if t < 0.7 => 15.0 + ramp(t - 0.3),
            t if t < 0.8 => 15.0 + ramp(0.4) + 57.0 * (t - 0.7),
            t => 15.0 + ramp(0.4) + 5.7 + 45.0 * (t - 0.8),
        }
    };
    let (u, i) = (|t: f64| u_at(turns(t)), |t: f64| i_at(turns(t)));
    check("frequency", &terminal, &u, &i, &[0.3, 0.7, 0.8]);
    let mean = |from, to| value(&terminal, "electricity.frequency", span(from, to)).unwrap();
    assert_close(mean(0.2, 0.9), (turns(0.9) - turns(0.2)) / 0.7, 1e-10, "frequency");
    assert_close(mean(0.4, 0.5), 50.0 + slope * 0.15, 1e-10, "frequency within the ramp");
    assert!(!terminal.has_spectrum_throughout() && terminal.spectrum_at(seconds(0.5)).is_none());

    let angle =
        Change::Angle { side: Side::Current, phases: ALL, by_rad: -1.0, over: seconds(0.3) };
    let terminal = disturbed(&[at(0.2, None, angle)]);
    let behind = |t: f64| ((t - 0.2) / 0.3).clamp(0.0, 1.0) / TAU;
    let i = |t: f64| i_at(50.0 * t - behind(t));
    check("angle", &terminal, &|t| u_at(50.0 * t), &i, &[0.2, 0.5]);
    let q = value(&terminal, "electricity.power.reactive.consumed.l1", span(0.2, 0.5)).unwrap();
    // The mean of sin over the angles from 30 degrees to that and one radian more.
    let expected = 2300.0 * (LAG_RAD.cos() - (LAG_RAD + 1.0).cos());
    assert_close(q, expected, 1e-6, "reactive power of the ramp");
}

pub(crate) fn component(place: ComponentPlace) -> Component {
    Component {
        place,
        voltage_share: 0.1,
        voltage_angle_rad: 0.4,
        current_share: 0.3,
        current_angle_rad: -0.6,
        rise: seconds(0.0),
        fall: seconds(0.0),
        swing: 0.0,
        swing_hz: 0.0,
    }
}

#[test]
fn components_come_grow_swing_and_go() {
    let of = |component: Component| {
        disturbed(&[at(0.2, Some(0.5), Change::Component { phases: ALL, component })])
    };
    let during = |t: f64| if (0.2..0.7).contains(&t) { 1.0 } else { 0.0 };
    let breaks = [0.2, 0.7, 0.3, 0.5];
    // A cosine counts from the voltage's maximum, a quarter turn after its zero crossing.
    let fifth = |t: f64, angle: f64| (5.0 * TAU * (50.0 * t - 0.25) + angle).cos();
    let u = |t: f64| u_at(50.0 * t) + during(t) * 23.0 * SQRT_2 * fifth(t, 0.4);
    let i = |t: f64| i_at(50.0 * t) + during(t) * 3.0 * SQRT_2 * fifth(t, -0.6);
    let harmonic = component(ComponentPlace::Order(5));
    check("harmonic", &of(harmonic), &u, &i, &breaks);
    let thd = |name| value(&of(harmonic), name, span(0.3, 0.6)).unwrap();
    assert_close(thd("x.electricity.voltage.thd.l1"), 0.1, 1e-12, "THD");

    let grow = |t: f64| ((t - 0.2) / 0.1).min((0.7 - t) / 0.2).clamp(0.0, 1.0);
    let growing = Component { rise: seconds(0.1), fall: seconds(0.2), ..harmonic };
    let u = |t: f64| u_at(50.0 * t) + grow(t) * 23.0 * SQRT_2 * fifth(t, 0.4);
    let i = |t: f64| i_at(50.0 * t) + grow(t) * 3.0 * SQRT_2 * fifth(t, -0.6);
    check("growing", &of(growing), &u, &i, &breaks);

    let swing = |t: f64| during(t) * (1.0 + 0.4 * (TAU * 8.8 * (t - 0.2)).sin());
    let swinging = Component { swing: 0.4, swing_hz: 8.8, ..harmonic };
    let u = |t: f64| u_at(50.0 * t) + swing(t) * 23.0 * SQRT_2 * fifth(t, 0.4);
    let i = |t: f64| i_at(50.0 * t) + swing(t) * 3.0 * SQRT_2 * fifth(t, -0.6);
    check("swinging", &of(swinging), &u, &i, &breaks);

    let other = |t: f64, angle: f64| (TAU * 183.7 * (t - 0.2) + angle).cos();
    let u = |t: f64| u_at(50.0 * t) + during(t) * 23.0 * SQRT_2 * other(t, 0.4);
    let i = |t: f64| i_at(50.0 * t) + during(t) * 3.0 * SQRT_2 * other(t, -0.6);
    check("interharmonic", &of(component(ComponentPlace::Hertz(183.7))), &u, &i, &breaks);
}

#[test]
fn flicker_modulates_the_voltage() {
    let of = |modulation, hz| {
        let change = Change::Flicker { phases: ALL, modulation, depth: 0.2, hz };
        disturbed(&[at(0.15, Some(0.6), change)])
    };
    let during = |t: f64| (0.15..0.75).contains(&t);
    let i = |t: f64| i_at(50.0 * t);
    for hz in [8.8, 33.3, 71.0] {
        let sine = |t: f64| if during(t) { 1.0 + 0.1 * (TAU * hz * (t - 0.15)).sin() } else { 1.0 };
        let u = |t: f64| sine(t) * u_at(50.0 * t);
        check("sine", &of(Modulation::Sine, hz), &u, &i, &[0.15, 0.75]);
        let high = |t: f64| (2.0 * hz * (t - 0.15)).floor().rem_euclid(2.0) == 0.0;
        let level = |t: f64| match during(t) {
            false => 1.0,
            true if high(t) => 1.1,
            true => 0.9,
        };
        let mut breaks: Vec<f64> = (0..90).map(|k| 0.15 + f64::from(k) / (2.0 * hz)).collect();
        breaks.push(0.75);
        let u = |t: f64| level(t) * u_at(50.0 * t);
        check("rectangle", &of(Modulation::Rectangle, hz), &u, &i, &breaks);
    }
}

#[test]
fn a_dip_begins_at_its_point_on_the_wave() {
    for angle_deg in [0.0, 45.0, 90.0, 180.0, 270.0, 359.9] {
        let dip = Change::Level {
            factors: [0.4, 1.0, 1.0],
            jumps_rad: [-0.5, 0.0, 0.0],
            point: Some(PointOnWave { phase: 0, angle_rad: f64::to_radians(angle_deg) }),
        };
        let terminal = disturbed(&[at(0.2, Some(0.1), dip)]);
        let begin = 0.2 + angle_deg / 360.0 / 50.0;
        let during = |t: f64| t >= begin && t < begin + 0.1;
        let u = |t: f64| {
            if during(t) { 0.4 * u_at(50.0 * t - 0.5 / TAU) } else { u_at(50.0 * t) }
        };
        let i = |t: f64| i_at(50.0 * t);
        check(&format!("dip at {angle_deg}"), &terminal, &u, &i, &[begin, begin + 0.1]);
    }
}

/// After a long time, and after a ramp of the frequency, the angle at which a dip begins is found
/// from what is rendered: the dip takes the voltage away, so the last value before and the first
/// zero after it lie around the instant.
#[test]
fn a_point_on_the_wave_is_met_to_a_nanoradian() {
    let gone = |phase, angle_rad| Change::Level {
        factors: [0.0; 3],
        jumps_rad: [0.0; 3],
        point: Some(PointOnWave { phase, angle_rad }),
    };
    let mut point = OperatingPoint::balanced(seconds(1.0), 3, 49.73, 230.0, 10.0);
    point.voltage_leads_rad = vec![0.3, 0.1, -0.2];
    for (phase, angle_rad) in [(0, 1.0), (1, 2.5), (2, 6.0)] {
        let ramp = at(5.0, None, Change::Frequency { to_hz: 51.37, over: seconds(3.0) });
        let dip = at(3_600.000_000_001, Some(1.0), gone(phase, angle_rad));
        let terminal = build(&[point.clone()], &[ramp, dip]).unwrap();
        // The angle of the first voltage in turns, in integers as far as they go.
        let ramp_turns = 49.73 * 8.0 + 0.5 * (51.37 - 49.73) * 3.0;
        let own = [0.3, 0.1, -0.2][phase] / TAU - phase as f64 / 3.0;
        let turns = |t: f64| ramp_turns + 51.37 * (t - 8.0) + own;
        let target = angle_rad / TAU;
        let begin = 3600.0 + 1e-9 + (target - turns(3600.0 + 1e-9)).rem_euclid(1.0) / 51.37;
        // Energy of the dip: none. From that the instant follows in closed form.
        let to = 3600.0 + 0.5;
        let u = |t: f64| (TAU * turns(t)).sin();
        let name = [
            "electricity.voltage.rms.l1",
            "electricity.voltage.rms.l2",
            "electricity.voltage.rms.l3",
        ][phase];
        let square = value(&terminal, name, span(3600.0, to)).unwrap().powi(2);
        let length = begin - 3600.0;
        // Integral of 2 U^2 sin^2 over what is left of the voltage.
        let phase_of = |t: f64| TAU * 2.0 * turns(t);
        let sines = (phase_of(begin).sin() - phase_of(3600.0).sin()) / (2.0 * TAU * 51.37);
        let expected = 230.0_f64.powi(2) * (length - sines) / (to - 3600.0);
        // A nanoradian is 3e-12 s; the mean square falls by u^2 of it over half a second.
        let per_rad = 2.0 * 230.0_f64.powi(2) * u(begin).powi(2) / (TAU * 51.37) / (to - 3600.0);
        // The naive angle of an hour is itself good to 2e-10 rad only.
        let off_rad = (square - expected).abs() / per_rad;
        assert!(off_rad < 1e-9, "phase {phase}: {off_rad:e} rad");
    }
}

#[test]
fn notches_cut_the_voltage_of_every_cycle() {
    let notch =
        Change::Notch { phases: ALL, per_cycle: 6, first_rad: 0.5, width_rad: 0.07, depth: 0.6 };
    let terminal = disturbed(&[at(0.2, Some(0.55), notch)]);
    let is_notch = |t: f64| (6.0 * (50.0 * t - 0.5 / TAU)).rem_euclid(1.0) < 6.0 * 0.07 / TAU;
    let during = |t: f64| (0.2..0.75).contains(&t);
    let u = |t: f64| u_at(50.0 * t) * if during(t) && is_notch(t) { 0.4 } else { 1.0 };
    let mut breaks = vec![0.2, 0.75];
    for k in 0..320 {
        let begin = (f64::from(k) / 6.0 + 0.5 / TAU) / 50.0;
        breaks.extend([begin, begin + 0.07 / TAU / 50.0]);
    }
    check("notches", &terminal, &u, &|t| i_at(50.0 * t), &breaks);
}

#[test]
fn a_transient_rings_and_dies() {
    let transient = Change::Transient {
        phases: ALL,
        peak_v: 400.0,
        hz: 1234.5,
        decay_s: 0.006,
        point: Some(PointOnWave { phase: 0, angle_rad: PI / 2.0 }),
    };
    let terminal = disturbed(&[at(0.2, None, transient)]);
    let begin = 0.205;
    let ring = |t: f64| {
        let since = t - begin;
        400.0 * (-since / 0.006).exp() * (TAU * 1234.5 * since).sin()
    };
    let u = |t: f64| u_at(50.0 * t) + if t >= begin { ring(t) } else { 0.0 };
    check("transient", &terminal, &u, &|t| i_at(50.0 * t), &[begin]);
}

#[test]
fn direct_components_are_added_last() {
    let direct = Change::Direct { phases: ALL, voltage_v: -4.0, current_a: 1.5 };
    let dip = Change::Level { factors: [0.5; 3], jumps_rad: [0.0; 3], point: None };
    let terminal = disturbed(&[at(0.2, Some(0.4), direct), at(0.3, Some(0.2), dip)]);
    let direct = |t: f64| if (0.2..0.6).contains(&t) { 1.0 } else { 0.0 };
    let factor = |t: f64| if (0.3..0.5).contains(&t) { 0.5 } else { 1.0 };
    let u = |t: f64| factor(t) * u_at(50.0 * t) - 4.0 * direct(t);
    let i = |t: f64| i_at(50.0 * t) + 1.5 * direct(t);
    check("direct", &terminal, &u, &i, &[0.2, 0.3, 0.5, 0.6]);
}

#[test]
fn currents_of_every_shape() {
    let of = |shape| disturbed(&[at(0.2, Some(0.55), Change::Shape { phases: ALL, shape })]);
    let during = |t: f64| (0.2..0.75).contains(&t);
    let u = |t: f64| u_at(50.0 * t);
    let lag = LAG_RAD / TAU;
    let quarters: Vec<f64> =
        (0..200).map(|k| (f64::from(k) / 4.0 + lag) / 50.0).chain([0.2, 0.75]).collect();
    // Turns since the current's own zero crossing.
    let own = |t: f64| 50.0 * t - lag;
    let passed = |t: f64, passes: bool| if during(t) && !passes { 0.0 } else { i_at(50.0 * t) };
    let half = |t: f64| passed(t, own(t).rem_euclid(1.0) < 0.5);
    check("half-wave", &of(WaveShape::HalfWave), &u, &half, &quarters);
    let fired = |t: f64| passed(t, own(t).rem_euclid(0.5) >= 0.25);
    check("fired", &of(WaveShape::PhaseFired { angle_rad: PI / 2.0 }), &u, &fired, &quarters);
    // The first zero crossing at or after 0.2 s is that of cycle 10.
    let burst = |t: f64| passed(t, (own(t) - 10.0).rem_euclid(5.0) < 3.0);
    check("burst", &of(WaveShape::BurstFired { on: 3, off: 2 }), &u, &burst, &quarters);
    for (shape, signs) in
        [(WaveShape::Quadriform, [1.0; 5]), (WaveShape::Peaked, [-1.0, 1.0, -1.0, -1.0, 1.0])]
    {
        let shares = [(3.0, 0.30), (5.0, 0.18), (7.0, 0.14), (11.0, 0.09), (13.0, 0.05)];
        let more = |t: f64| -> f64 {
            let lines = shares.iter().zip(signs);
            let lines = lines.map(|((h, share), sign)| sign * share * (TAU * h * own(t)).sin());
            10.0 * SQRT_2 * lines.sum::<f64>()
        };
        let i = |t: f64| i_at(50.0 * t) + if during(t) { more(t) } else { 0.0 };
        check("of OIML R 46", &of(shape), &u, &i, &[0.2, 0.75]);
        let thd = value(&of(shape), "x.electricity.current.thd.l1", span(0.3, 0.5)).unwrap();
        assert_close(thd, 0.390_64, 5e-6, "THD of the quadriform and the peaked wave");
    }
}

/// Odd products of tones, and such as do not repeat with the gates: what a comb of spans must not
/// take for whole cycles.
#[test]
fn cut_waves_with_direct_components_even_orders_and_interharmonics() {
    let mut point = OperatingPoint::balanced(seconds(1.0), 1, 50.0, 230.0, 10.0);
    point.current_lags_rad = vec![LAG_RAD];
    point.voltage_dc_v = 5.0;
    point.current_dc_a = -2.0;
    point.current_shape = WaveShape::BurstFired { on: 1, off: 2 };
    let added = Component { voltage_share: 0.2, ..component(ComponentPlace::Hertz(83.9)) };
    let even = component(ComponentPlace::Order(2));
    let notch =
        Change::Notch { phases: ALL, per_cycle: 1, first_rad: 1.0, width_rad: 0.9, depth: 1.0 };
    let terminal = build(
        &[point],
        &[
            at(0.0, None, Change::Component { phases: ALL, component: added }),
            at(0.0, None, Change::Component { phases: ALL, component: even }),
            at(0.0, None, notch),
        ],
    )
    .unwrap();
    let second = |t: f64, angle: f64| (2.0 * TAU * (50.0 * t - 0.25) + angle).cos();
    let other = |t: f64, angle: f64| (TAU * 83.9 * t + angle).cos();
    let u = |t: f64| {
        let is_notch = (50.0 * t - 1.0 / TAU).rem_euclid(1.0) < 0.9 / TAU;
        let added = 46.0 * other(t, 0.4) + 23.0 * second(t, 0.4);
        if is_notch { 0.0 } else { u_at(50.0 * t) + 5.0 + SQRT_2 * added }
    };
    let own = |t: f64| 50.0 * t - LAG_RAD / TAU;
    let i = |t: f64| {
        let added = 3.0 * (other(t, -0.6) + second(t, -0.6));
        let is_on = own(t).rem_euclid(3.0) < 1.0;
        if is_on { i_at(50.0 * t) - 2.0 + SQRT_2 * added } else { 0.0 }
    };
    let mut breaks = Vec::new();
    for k in 0..60 {
        let k = f64::from(k);
        let edges = [k + 1.0 / TAU, k + 1.9 / TAU, k + LAG_RAD / TAU];
        breaks.extend(edges.map(|turns| turns / 50.0));
    }
    check("cut", &terminal, &u, &i, &breaks);
}

#[test]
fn disturbances_compose_as_documented() {
    let disturbances = [
        at(
            0.1,
            None,
            Change::Amplitude { side: Side::Current, phases: ALL, to: 1.5, over: seconds(0.5) },
        ),
        at(0.15, None, Change::Frequency { to_hz: 53.0, over: seconds(0.3) }),
        at(
            0.2,
            Some(0.5),
            Change::Shape { phases: ALL, shape: WaveShape::PhaseFired { angle_rad: 1.0 } },
        ),
        at(
            0.25,
            Some(0.5),
            Change::Flicker { phases: ALL, modulation: Modulation::Sine, depth: 0.1, hz: 10.0 },
        ),
        at(0.3, Some(0.2), Change::Level { factors: [0.7; 3], jumps_rad: [0.4; 3], point: None }),
        at(
            0.35,
            None,
            Change::Angle { side: Side::Both, phases: ALL, by_rad: 0.5, over: seconds(0.2) },
        ),
        at(
            0.05,
            Some(0.8),
            Change::Component { phases: ALL, component: component(ComponentPlace::Order(3)) },
        ),
    ];
    let terminal = disturbed(&disturbances);
    let slope = 3.0 / 0.3;
    let clock = |t: f64| match t {
        t if t < 0.15 => 50.0 * t,
        t if t < 0.45 => 50.0 * t + 0.5 * slope * (t - 0.15).powi(2),
        t => 22.5 + 0.45 + 53.0 * (t - 0.45),
    };
    let during = |t: f64, from: f64, to: f64| t >= from && t < to;
    let ahead = |t: f64| 0.5 / TAU * ((t - 0.35) / 0.2).clamp(0.0, 1.0);
    let u_turns = |t: f64| clock(t) + ahead(t) + if during(t, 0.3, 0.5) { 0.4 / TAU } else { 0.0 };
    let i_turns = |t: f64| clock(t) + ahead(t);
    let third = |turns: f64, angle: f64| (3.0 * TAU * (turns - 0.25) + angle).cos();
    let added = |t: f64| if during(t, 0.05, 0.85) { 1.0 } else { 0.0 };
    let level = |t: f64| if during(t, 0.3, 0.5) { 0.7 } else { 1.0 };
    let flicker = |t: f64| {
        if during(t, 0.25, 0.75) { 1.0 + 0.05 * (TAU * 10.0 * (t - 0.25)).sin() } else { 1.0 }
    };
    let u = |t: f64| {
        let turns = u_turns(t);
        level(t) * flicker(t) * (u_at(turns) + added(t) * 23.0 * SQRT_2 * third(turns, 0.4))
    };
    let own = |t: f64| i_turns(t) - LAG_RAD / TAU;
    let i = |t: f64| {
        let grown = 1.0 + 0.5 * ((t - 0.1) / 0.5).clamp(0.0, 1.0);
        let cut = during(t, 0.2, 0.7) && own(t).rem_euclid(0.5) < 1.0 / TAU;
        let whole = i_at(i_turns(t)) + added(t) * 3.0 * SQRT_2 * third(i_turns(t), -0.6);
        if cut { 0.0 } else { grown * whole }
    };
    // Edges of the gate by bisection.
    let mut breaks =
        vec![0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.45, 0.5, 0.55, 0.6, 0.7, 0.75, 0.85];
    for k in 0..120 {
        for edge in [f64::from(k) / 2.0, f64::from(k) / 2.0 + 1.0 / TAU] {
            let (mut low, mut high) = (0.0, 1.2);
            for _ in 0..80 {
                let middle = 0.5 * (low + high);
                if own(middle) < edge { low = middle } else { high = middle }
            }
            breaks.push(low);
        }
    }
    check("composed", &terminal, &u, &i, &breaks);
}

#[test]
fn three_phases_may_be_hit_one_by_one() {
    let point = OperatingPoint::balanced(seconds(1.0), 3, 50.0, 230.0, 10.0);
    let only = |phase: usize| Phases(std::array::from_fn(|p| p == phase));
    let gone = Change::Level { factors: [1.0, 0.0, 1.0], jumps_rad: [0.0; 3], point: None };
    let shape = Change::Shape { phases: only(2), shape: WaveShape::HalfWave };
    let noise = Change::Noise { phases: only(0), voltage_v: 40.0, current_a: 0.0 };
    let terminal = build(
        std::slice::from_ref(&point),
        &[at(0.0, Some(1.0), gone), at(0.0, Some(1.0), shape), at(0.0, Some(1.0), noise)],
    )
    .unwrap();
    for (name, expected) in [
        ("electricity.voltage.rms.l1", (230.0_f64.powi(2) + 1600.0).sqrt()),
        ("electricity.voltage.rms.l2", 0.0),
        ("electricity.power.active.consumed.l1", 2300.0),
        ("electricity.power.active.consumed.l2", 0.0),
        ("electricity.power.active.consumed.l3", 1150.0),
        ("electricity.current.rms.l3", 10.0 / SQRT_2),
    ] {
        assert_close(value(&terminal, name, span(0.2, 0.4)).unwrap(), expected, 1e-9, name);
    }
    let reversed = build(&[point], &[at(0.5, Some(0.2), Change::ReversedSequence)]).unwrap();
    let angle = |from: f64| {
        value(&reversed, "electricity.voltage.phase.l2", span(from, from + 0.1))
            .unwrap()
            .to_degrees()
    };
    assert_close(angle(0.3), -120.0, 1e-9, "before");
    assert_close(angle(0.55), 120.0, 1e-9, "meanwhile");
    assert_close(angle(0.8), -120.0, 1e-9, "afterwards");
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |change, length_s: Option<f64>| {
        let point = OperatingPoint::balanced(seconds(1.0), 1, 50.0, 230.0, 10.0);
        build(&[point], &[at(0.5, length_s, change)]).unwrap_err().to_string()
    };
    let flicker =
        |hz| Change::Flicker { phases: ALL, modulation: Modulation::Rectangle, depth: 0.1, hz };
    assert!(refused(flicker(8.8), None).contains("needs an end"));
    assert!(refused(flicker(1e9), Some(3600.0)).contains("more than 4000000 changes"));
    assert!(refused(Change::Frequency { to_hz: -3.0, over: seconds(1.0) }, None).contains("-3 Hz"));
    let direct = Change::Direct { phases: ALL, voltage_v: f64::NAN, current_a: 0.0 };
    assert!(refused(direct, None).contains("channel 0"));
}

/// From 23 to 25 degrees in 2 s: eight steps of a quarter of a kelvin, each about the line.
#[test]
fn a_temperature_that_ramps_is_a_stair_about_its_line_and_leaves_the_wave_alone() {
    let ramp = Change::Temperature { celsius: 25.0, over: seconds(2.0) };
    let step = Change::Temperature { celsius: -10.0, over: seconds(0.0) };
    let terminal = disturbed(&[at(1.0, None, ramp), at(4.0, None, step)]);
    for (at_s, celsius) in [
        (0.5, 23.0),
        (1.1, 23.125),
        (1.3, 23.375),
        (2.9, 24.875),
        (3.1, 25.0),
        (3.9, 25.0),
        (4.1, -10.0),
    ] {
        let found = terminal.spectrum_at(seconds(at_s)).expect("tones").temperature_celsius;
        assert_close(found, celsius, 1e-12, &format!("at {at_s} s"));
    }
    let volts = value(&terminal, "electricity.voltage.rms.l1", span(0.0, 6.0)).expect("a value");
    assert_close(volts, 230.0, 1e-9, "the voltage");
}
