//! What meters tell of power quality: harmonics one by one, unbalance, flicker. Expected figures
//! are the plant's own input, worked examples, and table 5 of IEC 61000-4-15.

use std::collections::BTreeMap;

use crate::support::{Bench, readings, values};
use lastmeter_sim::plan::{Harmonic, OperatingPoint, VoltageModulation};
use lastmeter_sim::{Program, Streams, Terminal};
use lastmeter_units::SimDuration;

fn point(seconds: i64, phases: usize) -> OperatingPoint {
    OperatingPoint::balanced(SimDuration::from_seconds(seconds), phases, 50.0, 230.0, 5.0)
}

fn terminal(point: &OperatingPoint) -> Terminal {
    let program = Program::from_points(std::slice::from_ref(point)).expect("a program");
    Terminal::from_program(&program, "g", &Streams::new(1)).expect("a terminal")
}

fn last(model: &str, toml: &str, at: &OperatingPoint, seconds: f64) -> BTreeMap<&'static str, f64> {
    let mut bench = Bench::of(model, toml, terminal(at));
    values(readings(&bench.run(seconds)).last().expect("a reading"))
}

fn near(found: f64, expected: f64, limit: f64, what: &str) {
    assert!((found - expected).abs() <= limit, "{what}: {found} for {expected}");
}

#[test]
fn a_reading_has_every_harmonic_and_only_those_of_its_phases() {
    let harmonic = |order, share| Harmonic { order, share, angle_rad: 0.5 };
    let at = OperatingPoint {
        voltage_harmonics: vec![harmonic(2, 0.05), harmonic(50, 0.02)],
        current_harmonics: vec![harmonic(40, 0.1)],
        ..point(9, 1)
    };
    let toml = "report_every = \"1 s\"\nquantities = [\"harmonics\"]";
    let found = last("ideal-1ph", toml, &at, 3.0);
    assert_eq!(found.len(), 2 * 49);
    near(found["x.electricity.voltage.harmonic.2.l1"], 11.5, 1e-3, "u2");
    near(found["x.electricity.voltage.harmonic.50.l1"], 4.6, 1e-3, "u50");
    near(found["x.electricity.voltage.harmonic.3.l1"], 0.0, 1e-3, "u3");
    near(found["x.electricity.current.harmonic.40.l1"], 0.5, 1e-3, "i40");
    // A third-order comb's droop at 2 kHz of 7812.5 Hz: (sin x / x)^3, x = pi * 0.256.
    let toml = format!("{toml}\ndecimation = \"sinc3\"");
    let x = std::f64::consts::PI * 2000.0 / 7812.5;
    let drooped = 0.5 * (x.sin() / x).powi(3);
    let found = last("stpm34-1ph", &toml, &at, 3.0)["x.electricity.current.harmonic.40.l1"];
    near(found, drooped, 2e-3, "drooped");
}

#[test]
fn unbalance_is_that_of_the_fundamentals_in_both_fidelities() {
    let at = OperatingPoint { voltages_v: vec![167.9, 184.0, 200.1], ..point(9, 3) };
    for fidelity in ["samples", "windows"] {
        let toml = format!(
            "report_every = \"1 s\"\nfidelity = \"{fidelity}\"\nquantities = [\"unbalance\"]"
        );
        let found = last("ideal-3ph", &toml, &at, 3.0);
        assert_eq!(found.len(), 2);
        // sqrt(0.0147) / 2.4, in per cent.
        near(found["x.electricity.voltage.unbalance.negative"], 5.0518, 1e-3, "u2");
        near(found["x.electricity.voltage.unbalance.zero"], 5.0518, 1e-3, "u0");
    }
}

#[test]
fn flicker_of_table_5_is_one_and_another_lamp_tells_another() {
    let modulation = VoltageModulation { changes_per_minute: 39.0, depth: 0.894e-2 };
    let at = OperatingPoint { voltage_modulation: Some(modulation), ..point(3600, 1) };
    let toml = "report_every = \"10 min\"\nsample_rate = \"2 kHz\"\nquantities = [\"voltage\", \"flicker\"]";
    let name = "x.electricity.voltage.flicker.pst.l1";
    let mut bench = Bench::of("ideal-1ph", toml, terminal(&at));
    let found: Vec<_> = readings(&bench.run(1200.0)).iter().map(values).collect();
    // Ten minutes after settling are over at twenty only.
    assert_eq!((found[0].get(name), found.len()), (None, 2));
    near(found[1][name], 1.0, 0.05, "Pst");
    let toml = format!("{toml}\nflicker_lamp = \"120 V\"");
    let other = last("ideal-1ph", &toml, &at, 1200.0)[name];
    assert!((other - 1.0).abs() > 0.05, "{other}");
}
