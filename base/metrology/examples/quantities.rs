//! Samples in, quantities out: a second of 230 V with a third harmonic, and 5 A that lag by 30
//! degrees, measured in windows of ten cycles.
//!
//! `cargo run -p lastmeter-metrology --example quantities`

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::f64::consts::{PI, SQRT_2, TAU};

use lastmeter_metrology::{AnalysisError, AnalysisInput, analyse};

const RATE_HZ: f64 = 12_800.0;

/// A tone's samples over a second.
fn tone(rms: f64, frequency_hz: f64, angle_rad: f64) -> impl Iterator<Item = f64> {
    let angle = move |k: u32| TAU * frequency_hz * f64::from(k) / RATE_HZ + angle_rad;
    (0..RATE_HZ as u32).map(move |k| SQRT_2 * rms * angle(k).cos())
}

fn main() -> Result<(), AnalysisError> {
    let voltage: Vec<f64> =
        tone(230.0, 50.0, 0.0).zip(tone(11.5, 150.0, 0.0)).map(|(a, b)| a + b).collect();
    let current: Vec<f64> = tone(5.0, 50.0, -PI / 6.0).collect();
    let analysis = analyse(&AnalysisInput {
        rate_hz: RATE_HZ,
        nominal_hz: None,
        names: &["a".to_owned()],
        voltages: &[voltage],
        currents: &[current],
    })?;
    println!("{:.4} Hz, {} windows", analysis.frequency_hz, analysis.windows.len());
    for phase in &analysis.phases {
        let values = &phase.values;
        let shown = [
            ("voltage", values.u_rms_v, "V"),
            ("current", values.i_rms_a, "A"),
            ("active power", values.p_w, "W"),
            ("apparent power", values.s_va, "VA"),
            ("power factor", values.pf, ""),
            ("voltage THD", values.thd_u_pct, "%"),
        ];
        for (name, value, unit) in shown {
            println!("{name:15} {:9.3} {unit}", value.unwrap_or(f64::NAN));
        }
    }
    analysis.notes.iter().for_each(|note| println!("note: {note}"));
    Ok(())
}
