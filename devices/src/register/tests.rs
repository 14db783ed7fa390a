//! What registers hold, refuse and do.

use super::*;
use crate::window::MeasuredPhase;

fn ade() -> Registers {
    let full_scale = FullScale { voltage_v: 500.0, current_a: 40.0, nominal_hz: 50.0 };
    Registers::new(ade7953::ROWS, full_scale, &[])
}

#[test]
fn names_are_unique_and_every_reset_fits_its_bits_and_its_range() {
    for rows in [ade7953::ROWS, &stpm3x::ROWS, &plain::ROWS] {
        for (k, row) in rows.iter().enumerate() {
            assert!(rows[..k].iter().all(|other| other.name != row.name), "{}", row.name);
            let shared = |a: &u16| rows[..k].iter().any(|other| other.addresses.contains(a));
            assert!(!row.addresses.iter().any(shared), "{}", row.name);
            assert!(u64::from(row.reset) < 1 << row.bits);
            if let Some((least, largest)) = row.range {
                assert!((least..=largest).contains(&row.value(row.reset)), "{}", row.name);
                for end in [least, largest] {
                    assert_eq!(
                        row.bits_of(end).map(|bits| row.value(bits)),
                        Some(end),
                        "{}",
                        row.name
                    );
                }
            }
        }
    }
}

#[test]
fn registers_start_without_effect() {
    for rows in [ade7953::ROWS, &stpm3x::ROWS, &plain::ROWS] {
        let registers = Registers::new(rows, ade().full_scale, &[]);
        for phase in 0..3 {
            let (u, i) = registers.calibration(phase);
            assert_eq!((u, i), (Calibration::default(), Calibration::default()));
        }
        assert!(!registers.has_results);
    }
}

#[test]
fn a_gain_is_rounded_to_its_width_and_a_phase_is_sign_and_magnitude() {
    let mut registers = ade();
    assert_eq!(registers.read("0x280").unwrap(), "AIGAIN is 0x400000 (4194304)");
    assert_eq!(registers.write("aigain", "0x410000").unwrap().0, "AIGAIN is 0x410000 (4259840)");
    assert_eq!(registers.calibration(0).1.gain, 1.015_625);
    assert_eq!(registers.read("0x380").unwrap(), registers.read("AIGAIN").unwrap());
    assert_eq!(registers.write("264", "-5").unwrap().0, "PHCALA is 0x8005 (-5)");
    assert_eq!(registers.write("0x108", "0x8005").unwrap().0, "PHCALA is 0x8005 (-5)");
    // Five steps of 0.02 degrees earlier.
    let lead_deg = registers.calibration(0).1.lead_rad.to_degrees();
    assert!((lead_deg - 0.1).abs() < 1e-12, "{lead_deg}");
    assert_eq!(registers.write("AWATTOS", "-2").unwrap().0, "AWATTOS is 0xFFFFFE (-2)");
}

#[test]
fn refused_writes_have_their_reason() {
    let mut registers = ade();
    for (name, value, expected) in [
        ("ZGAIN", "1", "unknown register `ZGAIN`; there are AIGAIN, AVGAIN, AWGAIN, AVARGAIN, ..."),
        ("0x999", "1", "unknown register `0x999`"),
        ("VERSION", "1", "the register VERSION is read only"),
        ("IRMSA", "1", "the register IRMSA is read only"),
        ("AIGAIN", "0x100000", "expected a whole number from 2097152 to 6291456, or its 24 bits"),
        ("AIGAIN", "0x1400000", "`0x1400000` does not fit AIGAIN"),
        ("PHCALA", "384", "expected a whole number from -383 to 383"),
        ("PHCALA", "one", "`one` does not fit PHCALA"),
        ("AWATTOS", "-8388609", "does not fit AWATTOS"),
    ] {
        let error = registers.write(name, value).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let none = Registers::new(&[], ade().full_scale, &[]);
    assert!(none.read("AIGAIN").unwrap_err().ends_with("this device has none"));
}

#[test]
fn powers_and_rms_values_follow_their_registers() {
    let mut registers = ade();
    let measured = MeasuredPhase {
        u_rms_v: 230.0,
        i_rms_a: 10.0,
        p_w: 1150.0,
        q1_var: 1992.0,
        s_va: 2300.0,
        ..MeasuredPhase::default()
    };
    let mut window = MeasuredWindow::default();
    window.phases[0] = measured;
    registers.apply(&mut window);
    assert_eq!(window.phases[0], measured);
    for (name, value) in
        [("AWGAIN", "0x440000"), ("AVARGAIN", "0x300000"), ("AWATTOS", "100"), ("AIRMSOS", "-500")]
    {
        registers.write(name, value).unwrap();
    }
    registers.apply(&mut window);
    let found = window.phases[0];
    assert!((found.p_w - (1150.0 * 1.0625 + 100.0 * 20_000.0 / 4_862_401.0)).abs() < 1e-9);
    assert!((found.q1_var - 1494.0).abs() < 1e-9);
    let square = 100.0 - 500.0 * 4096.0 * 1600.0 / 9_032_007.0_f64.powi(2);
    assert!((found.i_rms_a - square.sqrt()).abs() < 1e-12);
    assert!((found.s_va - 230.0 * square.sqrt()).abs() < 1e-9);
    // What the chip shows: 230 of 500 V in parts of 9 032 007.
    let shown = format!("VRMS is 0x{:06X} (4154723)", 4_154_723);
    assert_eq!(registers.read("VRMS").unwrap(), shown);
}

/// Full scale over ten thousand, the default: 500 V * 40 A / 10000.
#[test]
fn the_default_no_load_threshold_is_a_ten_thousandth_of_full_scale() {
    let found = ade().no_load_w().unwrap();
    assert!((found - 2.0).abs() < 1e-3, "{found}");
    assert_eq!(Registers::new(&plain::ROWS, ade().full_scale, &[]).no_load_w(), None);
}

#[test]
fn a_dead_register_can_be_written_and_read_and_acts_on_nothing() {
    let mut registers = Registers::new(ade7953::ROWS, ade().full_scale, &["PHCALA"]);
    registers.write("PHCALA", "-5").unwrap();
    assert_eq!(registers.read("PHCALA").unwrap(), "PHCALA is 0x8005 (-5)");
    assert_eq!(registers.calibration(0).1.lead_rad, 0.0);
    registers.write("AIGAIN", "0x410000").unwrap();
    assert!(registers.calibration(0).1.gain > 1.0);
}
