//! Planted errors are recovered within the steps of the registers.

use proptest::prelude::*;

use super::*;

fn registers(model: &str) -> Option<&'static [Register]> {
    crate::DEVICES.iter().find(|kind| kind.entry.name == model)?.registers
}

fn register(model: &str, role: Role) -> &'static Register {
    registers(model).unwrap().iter().find(|register| register.role == role).unwrap()
}

/// What is planted in a meter: its registers act on the samples of an ideal one with these errors.
struct Planted {
    u_gain: f64,
    i_gain: f64,
    /// By which the current leads.
    lead_rad: f64,
    /// Added to the current's square, and to the active power.
    i_square: f64,
    watts: f64,
}

/// What a meter with these errors and coefficients reports: closed forms.
fn reported(planted: &Planted, set: &[(Role, f64)], u: f64, i: f64, phi: f64) -> Measured {
    let of = |role, default| set.iter().find(|(r, _)| *r == role).map_or(default, |(_, c)| *c);
    let voltage_v = u * (1.0 + planted.u_gain) * of(Role::VoltageGain, 1.0);
    let current = i * (1.0 + planted.i_gain) * of(Role::CurrentGain, 1.0);
    let angle = phi - planted.lead_rad + of(Role::Delay, 0.0_f64).to_radians();
    let full = SCALE.current_a * SCALE.current_a;
    let square = current * current + planted.i_square + of(Role::CurrentSquare, 0.0) * full;
    let power = SCALE.voltage_v * SCALE.current_a;
    Measured {
        voltage_v,
        current_a: square.sqrt(),
        active_w: voltage_v * current * angle.cos() * of(Role::ActiveGain, 1.0)
            + planted.watts
            + of(Role::ActiveOffset, 0.0) * power,
        reactive_var: voltage_v * current * angle.sin() * of(Role::ReactiveGain, 1.0),
        apparent_va: voltage_v * square.sqrt() * of(Role::ApparentGain, 1.0),
    }
}

fn ideal(u: f64, i: f64, phi: f64) -> Measured {
    Measured {
        voltage_v: u,
        current_a: i,
        active_w: u * i * phi.cos(),
        reactive_var: u * i * phi.sin(),
        apparent_va: u * i,
    }
}

const SCALE: Scale = Scale { voltage_v: 345.0, current_a: 25.0 };

/// The whole procedure on a meter in closed form; the coefficients as its registers hold them.
fn calibrated(planted: &Planted) -> Vec<(Role, f64)> {
    let mut set: Vec<(Role, f64)> = Vec::new();
    let sixty = std::f64::consts::FRAC_PI_3;
    for (step, i, phi) in [
        (Step::RmsGains, 10.0, 0.0),
        (Step::ActiveGain, 10.0, 0.0),
        (Step::Phase, 10.0, sixty),
        (Step::OtherGains, 10.0, sixty),
        (Step::Offsets, 0.1, 0.0),
    ] {
        let (seen, true_ones) = (reported(planted, &set, 230.0, i, phi), ideal(230.0, i, phi));
        for (role, change) in changes(step, &seen, &true_ones, (SCALE, 50.0)) {
            let register = register("ade7953-1ph", role);
            let before = set.iter().find(|(r, _)| *r == role).map(|(_, c)| *c);
            let before = before.unwrap_or_else(|| register.coefficient(register.reset));
            let value = register.value(change.of(before)).unwrap();
            set.retain(|(r, _)| *r != role);
            set.push((role, register.coefficient(value)));
        }
    }
    set
}

proptest! {
    /// What is planted is recovered within half a step of each register, and what is left of the
    /// power's error is what the step of PHCAL leaves.
    #[test]
    fn planted_errors_are_recovered_within_the_registers_steps(
        u_gain in -0.03..0.03_f64, i_gain in -0.03..0.03_f64, lead_deg in -1.0..1.0_f64,
        ma in 0.0..20.0_f64, watts in -0.5..0.5_f64,
    ) {
        let lead_rad = lead_deg.to_radians();
        let planted =
            Planted { u_gain, i_gain, lead_rad, i_square: ma * ma * 1e-6, watts };
        let set = calibrated(&planted);
        let of = |role| set.iter().find(|(r, _)| *r == role).unwrap().1;
        let step = 1.0 / 4_194_304.0;
        prop_assert!((of(Role::VoltageGain) * (1.0 + u_gain) - 1.0).abs() <= 0.6 * step);
        // The noise's part of the current at 10 A goes into its gain: 20 mA are 2e-6 of it.
        prop_assert!((of(Role::CurrentGain) * (1.0 + i_gain) - 1.0).abs() <= 0.6 * step + 2.1e-6);
        // The power's offset and the current's at 10 A go into the angle: 0.5 W of 1150 W.
        let slack_deg = (0.6 / 1150.0 / 3_f64.sqrt()).to_degrees();
        prop_assert!((of(Role::Delay) - lead_deg).abs() <= 0.01 + slack_deg + 0.01);
        for i in [16.0, 10.0, 1.0, 0.1] {
            let error = reported(&planted, &set, 230.0, i, 0.0).active_w / (230.0 * i) - 1.0;
            // The gain was set with 0.5 W in 2300 W, and with the cosine of one degree; the step of
            // AWATTOS is 1.8 mW.
            let limit = 0.52 / 2300.0 + 1.6e-4 + 1e-3 / (230.0 * i);
            prop_assert!(error.abs() <= limit, "{i}: {error}");
        }
    }

    /// Without noise and offsets: 0.01 degrees of the phase are 0.0302 % at PF 0.5, no more.
    #[test]
    fn what_is_left_at_half_power_factor_follows_from_the_step_of_the_phase(
        gain in -0.02..0.02_f64, lead_deg in -2.0..2.0_f64,
    ) {
        let lead_rad = lead_deg.to_radians();
        let planted = Planted { u_gain: gain, i_gain: -gain, lead_rad, i_square: 0.0, watts: 0.0 };
        let set = calibrated(&planted);
        let sixty = std::f64::consts::FRAC_PI_3;
        let error = reported(&planted, &set, 230.0, 5.0, sixty).active_w / (230.0 * 5.0 * 0.5) - 1.0;
        // AWGAIN took the cosine of the lead at PF 1, before the phase was set: up to 6e-4.
        let cosine = 1.0 / lead_rad.cos() - 1.0;
        prop_assert!(error.abs() <= 3.1e-4 + 3.0 * cosine, "{error}");
    }

    #[test]
    fn a_line_finds_gain_and_offset(
        gain in 0.9..1.1_f64, offset in -5.0..5.0_f64, noise in 0.0..0.1_f64,
    ) {
        // A zigzag whose sums with 1 and x vanish moves neither gain nor offset.
        let zigzag = [1.0, -1.0, -1.0, 1.0];
        let pairs: Vec<(f64, f64)> = (0..20)
            .map(|k| {
                let x = f64::from(k) * 30.0 - 285.0;
                (x, gain * x + offset + noise * zigzag[k as usize % 4])
            })
            .collect();
        let line = Line::through(&pairs).unwrap();
        prop_assert!((line.gain - gain).abs() < 1e-12 && (line.offset - offset).abs() < 1e-10);
        let residual = noise * (20.0_f64 / 18.0).sqrt();
        prop_assert!((line.residual - residual).abs() < 1e-10);
    }

    #[test]
    fn a_coefficient_comes_back_within_half_a_step(value in -383_i64..=383) {
        let phase = register("ade7953-1ph", Role::Delay);
        prop_assert_eq!(phase.value(phase.coefficient(value) + 0.0099).unwrap(), value);
        let text = format!("PHCALA is {} ({value})", phase.word(value));
        prop_assert_eq!(phase.value_reported(&text), Some(value));
    }

    #[test]
    fn nothing_panics(a in any::<f64>(), b in any::<f64>(), c in any::<f64>()) {
        let _ = (gain(a, b), delay_rad(a, b, c), square_offset(a, b, c), active_offset(a, b, c));
        let _ = Line::through(&[(a, b), (b, c), (c, a), (a, a)]);
        let _ = register("ideal-1ph", Role::VoltageGain).value(a);
    }
}

/// Draper and Smith's smallest example: 1, 2, 3 against 1, 2, 2 has the line 2/3 + x/2.
#[test]
fn the_uncertainties_of_a_line_are_those_of_the_textbook() {
    let line = Line::through(&[(1.0, 1.0), (2.0, 2.0), (3.0, 2.0)]).unwrap();
    assert!((line.gain - 0.5).abs() < 1e-15 && (line.offset - 2.0 / 3.0).abs() < 1e-15);
    // Residuals -1/6, 1/3, -1/6: their squares are 1/6 over one degree of freedom.
    let residual = (1.0_f64 / 6.0).sqrt();
    assert!((line.residual - residual).abs() < 1e-15);
    assert!((line.gain_uncertainty - residual / 2.0_f64.sqrt()).abs() < 1e-15);
    let offset = residual * (1.0_f64 / 3.0 + 4.0 / 2.0).sqrt();
    assert!((line.offset_uncertainty - offset).abs() < 1e-15);
    assert_eq!(Line::through(&[(1.0, 1.0), (2.0, 2.0)]), None);
    assert_eq!(Line::through(&[(1.0, 1.0); 5]), None);
    assert_eq!(Line::through(&[(1.0, 1.0), (2.0, f64::NAN), (3.0, 1.0)]), None);
}

/// Facts: at PF 0.5 an angle of 0.1 degrees is 0.302 % of the power.
#[test]
fn the_phase_follows_from_the_error_at_half_power_factor() {
    let reference = ideal(230.0, 10.0, std::f64::consts::FRAC_PI_3);
    let delay = delay_rad(1150.0 * 1.003_021, reference.active_w, reference.reactive_var);
    assert!((delay.unwrap().to_degrees() - 0.1).abs() < 1e-4);
    // A capacitive current turns the sign.
    let delay = delay_rad(1150.0 * 1.003_021, reference.active_w, -reference.reactive_var);
    assert!((delay.unwrap().to_degrees() + 0.1).abs() < 1e-4);
    assert_eq!(delay_rad(2300.0, 2300.0, 1.0), None);
    assert_eq!(delay_rad(2300.0, 1150.0, f64::NAN), None);
}

#[test]
fn words_are_those_of_the_data_sheets() {
    let gain = register("ade7953-1ph", Role::VoltageGain);
    assert_eq!(gain.word(gain.reset), "0x400000");
    assert_eq!(gain.value(0.99).unwrap(), 4_152_361);
    assert!(gain.value(1.6).unwrap_err().to_string().contains("AVGAIN would need"));
    let phase = register("ade7953-1ph", Role::Delay);
    assert_eq!((phase.word(-5), phase.value(-0.1).unwrap()), ("0x8005".to_owned(), -5));
    let offset = register("ideal-1ph", Role::CurrentOffset);
    assert_eq!(offset.word(-1), "0xFFFFFF");
    assert_eq!(offset.value_reported("IOFFSET1 is 0xFFFFFF (-1)"), Some(-1));
    assert_eq!(offset.value_reported("IOFFSET10 is 0xFFFFFF (-1)"), None);
    assert_eq!(offset.value_reported("error: unknown register"), None);
    assert!(registers("stpm34-3ph").is_none());
}
