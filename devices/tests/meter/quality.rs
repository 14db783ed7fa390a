//! What meters report of power quality: harmonics one by one, unbalance, flicker. Expected values
//! are the plant's own input, worked examples, and table 5 of IEC 61000-4-15.

use std::collections::BTreeMap;

use crate::support::{Bench, readings, values};
use lastmeter_devices::Output;
use lastmeter_sim::plan::{Harmonic, OperatingPoint, VoltageModulation};
use lastmeter_sim::{
    ChannelSpectrum, Netting, Program, ReferenceSpan, Spectrum, Streams, Terminal, Tone,
};
use lastmeter_units::{MeasurementId, SimDuration};

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
fn interharmonics_are_reported_together_and_without_harmonics() {
    let tone = |order: f64, rms: f64| Tone { frequency_hz: 50.0 * order, rms, phase_rad: order };
    let channel = |tones: Vec<Tone>| ChannelSpectrum { dc: 0.0, tones, noise_rms: 0.0 };
    // 4 V and 3 V between orders and 2 V in the bin next to order 7, which is none of them.
    let spectrum = Spectrum {
        fundamental_hz: 50.0,
        voltages: vec![channel(vec![
            tone(1.0, 230.0),
            tone(3.0, 11.0),
            tone(0.4, 3.0),
            tone(12.5, 4.0),
            tone(7.1, 2.0),
        ])],
        currents: vec![channel(vec![tone(1.0, 5.0), tone(5.0, 1.0)])],
    };
    let terminal = Terminal::from_spectrum(spectrum, "g", &Streams::new(1)).expect("a terminal");
    let span = ReferenceSpan {
        from: SimDuration::ZERO,
        to: SimDuration::from_seconds(3),
        registers_from: SimDuration::ZERO,
    };
    let truth = |name: &str| {
        let id = MeasurementId::lookup(name).expect("registered");
        terminal.truth(span).value(id, Netting::Net)
    };
    let (u, i) =
        ("x.electricity.voltage.interharmonics.l1", "x.electricity.current.interharmonics.l1");
    near(truth(u).expect("on bins"), 5.0, 1e-12, "the plant's");
    assert_eq!(truth(i), Some(0.0));
    let toml = "report_every = \"1 s\"\nquantities = [\"interharmonics\"]";
    let mut bench = Bench::of("ideal-1ph", toml, terminal);
    let found = values(readings(&bench.run(3.0)).last().expect("a reading"));
    assert_eq!(found.len(), 2);
    near(found[u], 5.0, 5e-3, "the meter's");
    near(found[i], 0.0, 5e-3, "the meter's current");
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
fn flicker_of_table_5_is_one_and_depends_on_the_lamp() {
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

#[test]
fn a_reading_due_just_after_ten_minutes_ends_with_them_and_energy_counts_once() {
    // The scenario starts at 17:00; a third reading of 200.1 s is due 0.3 s past the tick. At the
    // tick the voltage steps from 230 to 240 V, 0.8 of the way through a window at 50.03 Hz.
    let at = |seconds, volts| OperatingPoint {
        voltages_v: vec![volts],
        ..OperatingPoint::balanced(SimDuration::from_seconds(seconds), 1, 50.03, 230.0, 5.0)
    };
    let points = [at(600, 230.0), at(300, 240.0)];
    let program = Program::from_points(&points).expect("a program");
    let spans_and_energy = |ticks: bool| {
        let terminal = Terminal::from_program(&program, "g", &Streams::new(1)).expect("a terminal");
        let toml = format!(
            "report_every = \"200.1 s\"\nsample_rate = \"1 kHz\"\nten_minute_ticks = {ticks}\n\
             quantities = [\"voltage\", \"active_energy\"]"
        );
        let out = Bench::of("ideal-1ph", &toml, terminal).run(802.0);
        let spans: Vec<(f64, f64)> = out
            .iter()
            .filter_map(|output| match output {
                Output::Reading { span, .. } => {
                    Some((span.from.as_seconds_f64(), span.to.as_seconds_f64()))
                }
                _ => None,
            })
            .collect();
        let readings: Vec<_> = readings(&out).iter().map(values).collect();
        (spans, readings)
    };
    let (spans, readings) = spans_and_energy(true);
    assert_eq!((spans.len(), readings.len()), (4, 4));
    near(spans[2].1, 600.0, 2e-9, "the third reading's end");
    near(spans[3].0, 600.0, 2e-9, "the fourth reading's start");
    // What swings within a cycle, 1150 W / (4 pi 50.03 Hz), may be cut on either side of the tick.
    let joules = |k: usize| 3.6e6 * readings[k]["electricity.energy.active.consumed.l1"];
    near(joules(2), 600.0 * 1150.0, 4.0, "energy until the tick");
    let after = (spans[3].1 - 600.0) * 1200.0;
    near(joules(3), 600.0 * 1150.0 + after, 6.0, "energy from the tick on");
    near(readings[3]["electricity.voltage.rms.l1"], 240.0, 1e-3, "volts after the tick");
    let (spans, _) = spans_and_energy(false);
    assert!((spans[2].1 - 600.0).abs() > 0.02, "by chance a window ends at the tick: {spans:?}");
}

/// 4000 changes a minute of table 5 are a steady sensation of 1 / 0.5096; what ends at 1 shows 1
/// all the time, and the percentiles' weights add up to 0.5096.
#[test]
fn a_flickermeter_without_classes_above_one_reports_a_severity_of_one() {
    let modulation = VoltageModulation { changes_per_minute: 4000.0, depth: 2.343e-2 };
    let at = OperatingPoint { voltage_modulation: Some(modulation), ..point(3600, 1) };
    let toml = "report_every = \"10 min\"\nsample_rate = \"2 kHz\"\nflicker_range = 1\n\
        quantities = [\"voltage\", \"flicker\"]";
    let found = last("ideal-1ph", toml, &at, 1200.0)["x.electricity.voltage.flicker.pst.l1"];
    near(found, 0.5096_f64.sqrt(), 1e-3, "Pst");
}
