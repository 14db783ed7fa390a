//! What a meter reports about known signals, against values computed by hand.

use std::f64::consts::{FRAC_PI_3, TAU};

use crate::support::{Bench, balanced, readings, sines, values};
use lastmeter_devices::Output;
use lastmeter_sim::Netting;
use lastmeter_units::{MeasurementId, SimDuration};

const THIRD: f64 = TAU / 3.0;
const QUIET: &str = "voltage_noise = \"0 V\"\ncurrent_noise = \"0 A\"\n";
const BOTH: [&str; 2] = ["fidelity = \"samples\"\n", "fidelity = \"windows\"\n"];

fn near(found: f64, expected: f64, limit: f64, what: &str) {
    assert!((found - expected).abs() <= limit, "{what}: {found} for {expected}");
}

/// The first reading of a meter with these fields on a terminal.
fn first(
    toml: &str,
    terminal: lastmeter_sim::Terminal,
) -> std::collections::BTreeMap<&'static str, f64> {
    let mut bench = Bench::new(&format!("report_every = \"2 s\"\n{toml}"), terminal);
    let out = bench.run(2.0);
    let readings = readings(&out);
    assert_eq!(readings.len(), 1);
    values(&readings[0])
}

#[test]
fn an_ideal_meter_reports_the_drawn_amplitudes() {
    // l1 imports at 60 degrees lagging, l2 exports, l3 leads by 90 degrees.
    let drawn = [
        (230.0, 0.3, 10.0, FRAC_PI_3),
        (225.0, 0.3 - THIRD, 4.0, std::f64::consts::PI),
        (235.0, 0.3 + THIRD, 2.0, -TAU / 4.0),
    ];
    for fidelity in BOTH {
        for hz in [49.0, 50.0, 51.0] {
            let found = first(&format!("{fidelity}{QUIET}"), sines(hz, drawn));
            let expected = [
                ("electricity.voltage.rms.l1", 230.0),
                ("electricity.voltage.rms.l2", 225.0),
                ("electricity.voltage.rms.l3", 235.0),
                ("electricity.current.rms.l1", 10.0),
                ("electricity.current.rms.l2", 4.0),
                ("electricity.current.rms.l3", 2.0),
                // 230 * 10 * cos 60 = 1150 W, 225 * 4 = 900 W, none: net 250 W.
                ("electricity.power.active.consumed.l1", 1.15),
                ("electricity.power.active.injected.l1", 0.0),
                ("electricity.power.active.consumed.l2", 0.0),
                ("electricity.power.active.injected.l2", 0.9),
                ("electricity.power.active.consumed.total", 0.25),
                ("electricity.power.active.injected.total", 0.0),
                // 230 * 10 * sin 60 = 1991.858429 var; l3 -470 var.
                ("electricity.power.reactive.consumed.l1", 1.991_858_429),
                ("electricity.power.reactive.injected.l3", 0.47),
                ("electricity.power.reactive.consumed.total", 1.521_858_429),
                ("electricity.power.apparent.l1", 2.3),
                ("electricity.power.apparent.total", 2.3 + 0.9 + 0.47),
                ("electricity.powerFactor.l1", 0.5),
                ("electricity.powerFactor.l2", -1.0),
                ("electricity.powerFactor.l3", 0.0),
                ("electricity.frequency", hz),
            ];
            for (name, expected) in expected {
                // 10 ppm of the largest value of its kind, 0.1 mHz.
                let limit = if name.contains("frequency") { 1e-4 } else { 2.5e-5 };
                near(found[name], expected, limit * expected.abs().max(1.0), name);
            }
        }
    }
}

#[test]
fn a_gain_error_of_one_per_cent_shows_as_one_per_cent() {
    for fidelity in BOTH {
        let found = first(&format!("{fidelity}{QUIET}current_gain_error = \"1 %\""), balanced());
        near(found["electricity.current.rms.l1"], 10.1, 1e-4, "I");
        near(found["electricity.power.active.consumed.l1"], 1.1615, 2e-5, "P");
        near(found["electricity.voltage.rms.l1"], 230.0, 3e-3, "U");
        near(found["electricity.powerFactor.l1"], 0.5, 1e-5, "PF");
        let found = first(&format!("{fidelity}{QUIET}voltage_gain_error = \"-1 %\""), balanced());
        near(found["electricity.voltage.rms.l2"], 227.7, 3e-3, "U");
    }
}

/// Published for the front ends this follows: 0.1 degree makes 0.302 % of P at PF 0.5 lagging.
#[test]
fn a_phase_error_of_a_tenth_of_a_degree_shows_at_half_the_power_factor() {
    for fidelity in BOTH {
        let toml = format!("{fidelity}{QUIET}phase_error = \"0.1 deg\"");
        let found = first(&toml, balanced());
        // The current leads by 0.1 degree, so the lag is 59.9: cos = 0.501511.
        near(found["electricity.power.active.consumed.l1"], 2.3 * 0.501_510_665, 3e-5, "P");
        near(found["electricity.power.reactive.consumed.l1"], 2.3 * 0.865_151_421, 3e-5, "Q");
        near(found["electricity.current.rms.l1"], 10.0, 1e-4, "I");
    }
}

#[test]
fn an_offset_adds_its_square_and_its_product() {
    for fidelity in BOTH {
        let toml =
            format!("{fidelity}{QUIET}voltage_offset = \"3 V\"\ncurrent_offset = \"-0.2 A\"");
        let found = first(&toml, balanced());
        near(found["electricity.voltage.rms.l1"], 230_f64.hypot(3.0), 3e-3, "U");
        near(found["electricity.current.rms.l1"], 10_f64.hypot(0.2), 1e-4, "I");
        near(found["electricity.power.active.consumed.l1"], 1.15 - 0.000_6, 3e-5, "P");
    }
}

#[test]
fn noise_adds_its_power_to_what_is_small() {
    // 3 mA of noise beside 4 mA of current make 5 mA; the power is not biased.
    let terminal = || sines(50.0, [0.0, -THIRD, THIRD].map(|angle| (230.0, angle, 0.004, 0.0)));
    for fidelity in BOTH {
        let toml = format!("{fidelity}voltage_noise = \"0 V\"\ncurrent_noise = \"3 mA\"");
        let found = first(&toml, terminal());
        // Spread of ten windows of 1562 samples: 5 sigma of I is 5 * 4 mA * 3/5 * / sqrt(15620).
        near(found["electricity.current.rms.l1"], 0.005, 1.2e-4, "I");
        near(found["electricity.power.active.consumed.l1"], 0.000_92, 3e-5, "P");
    }
}

#[test]
fn transformer_ratios_are_undone() {
    // 11 kV / 110 V and 100 A / 5 A.
    let primary = [0.0, -THIRD, THIRD].map(|angle| (6350.0, angle, 80.0, 0.0));
    for fidelity in BOTH {
        let toml = format!(
            "{fidelity}{QUIET}voltage_ratio = 100\ncurrent_ratio = 20\n\
             nominal_voltage = \"63.5 V\"\nnominal_current = \"5 A\"\ncurrent_headroom = 2"
        );
        let found = first(&toml, sines(50.0, primary));
        near(found["electricity.voltage.rms.l1"], 6350.0, 0.1, "U");
        near(found["electricity.current.rms.l1"], 80.0, 1e-3, "I");
        near(found["electricity.power.active.consumed.total"], 1524.0, 2e-2, "P");
    }
}

#[test]
fn a_sine_beyond_the_range_is_clipped_or_announced() {
    let terminal = || sines(50.0, [0.0, -THIRD, THIRD].map(|angle| (230.0, angle, 10.0, 0.0)));
    let toml = "report_every = \"2 s\"\nnominal_current = \"5 A\"\ncurrent_headroom = 1\n";
    let mut bench = Bench::new(toml, terminal());
    let found = values(&readings(&bench.run(2.0))[0])["electricity.current.rms.l1"];
    // A sine of 10 A clipped at half its peak: mean square 2 * 100 * (1/2 (t - sin t cos t) +
    // 1/4 (pi/2 - t)) / (pi/2) with sin t = 1/2, t = pi/6.
    let t = TAU / 12.0;
    let square = 200.0 * (0.5 * (t - t.sin() * t.cos()) + 0.25 * (TAU / 4.0 - t)) / (TAU / 4.0);
    near(found, square.sqrt(), 2e-3, "clipped I");
    let mut bench = Bench::new(&format!("{toml}fidelity = \"windows\""), terminal());
    let announced = bench
        .run(4.0)
        .iter()
        .filter(|output| {
            matches!(output, Output::Event { kind: lastmeter_devices::EventKind::BeyondRange, .. })
        })
        .count();
    assert_eq!(announced, 1);
}

#[test]
fn the_energy_register_is_the_integral_of_the_power() {
    // The net of three phases, one of them exporting: 1150 W * 3 / 2 is no matter; by hand:
    // 1150 - 900 + 0 W over the span of the reading.
    let drawn = [
        (230.0, 0.0, 10.0, FRAC_PI_3),
        (225.0, -THIRD, 4.0, std::f64::consts::PI),
        (235.0, THIRD, 2.0, TAU / 4.0),
    ];
    for (fidelity, seconds) in [("samples", 20.0), ("windows", 20_000.0)] {
        for (total, netting, consumed_w, injected_w) in
            [("net", Netting::Net, 250.0, 0.0), ("per-phase", Netting::PerPhase, 1150.0, 900.0)]
        {
            let toml = format!(
                "{QUIET}fidelity = \"{fidelity}\"\ntotal = \"{total}\"\ntotals_only = true"
            );
            let mut bench = Bench::new(&toml, sines(50.02, drawn));
            assert_eq!(bench.device.electricity().unwrap().netting, netting);
            let out = bench.run_in_pieces(seconds, 60.0);
            let spans: Vec<_> = out
                .iter()
                .filter_map(|output| match output {
                    Output::Reading { span, .. } => Some(*span),
                    _ => None,
                })
                .collect();
            let readings = readings(&out);
            assert_eq!(readings.len(), (seconds / 10.0) as usize);
            assert_eq!(spans.len(), readings.len());
            let (reading, span) = (values(readings.last().unwrap()), spans.last().unwrap());
            assert_eq!(span.registers_from, SimDuration::ZERO);
            let hours = (span.to - span.registers_from).as_seconds_f64() / 3600.0;
            assert!(hours * 3600.0 > seconds - 0.5);
            for (name, watts) in [
                ("electricity.energy.active.consumed.total", consumed_w),
                ("electricity.energy.active.injected.total", injected_w),
                ("electricity.energy.apparent.total", 2300.0 + 900.0 + 470.0),
            ] {
                let expected = watts / 1e3 * hours;
                near(reading[name], expected, 2e-5 * expected.max(hours * 1.15), name);
            }
        }
    }
}

#[test]
fn readings_cover_every_window_once_whatever_the_frequency() {
    for fidelity in BOTH {
        for hz in [49.3, 50.0, 50.7] {
            let mut bench = Bench::new(
                &format!("{fidelity}report_every = \"0.25 s\""),
                sines(hz, [0.0, -THIRD, THIRD].map(|angle| (230.0, angle, 5.0, 0.0))),
            );
            let mut last = SimDuration::ZERO;
            let mut count = 0_u64;
            for output in bench.run(10.0) {
                let Output::Reading { serial, at, span, .. } = output else { continue };
                count += 1;
                assert_eq!(serial.0, count);
                assert_eq!(
                    at,
                    crate::support::START + SimDuration::from_milliseconds(250) * count as i64
                );
                let gap_ns = (span.from - last).0.abs();
                assert!(gap_ns <= 1, "a gap of {gap_ns} ns before reading {count}");
                assert!(span.to > span.from && crate::support::START + span.to <= at);
                last = span.to;
            }
            assert_eq!(count, 40);
        }
    }
}

#[test]
fn what_is_reported_does_not_depend_on_how_the_data_was_cut() {
    for fidelity in BOTH {
        let toml = format!("{fidelity}report_every = \"0.7 s\"\nphase_error = \"0.2 deg\"");
        let outputs: Vec<_> = [0.013, 0.2, 1.0, 5.0]
            .iter()
            .map(|&piece_s| Bench::new(&toml, balanced()).run_in_pieces(5.0, piece_s))
            .collect();
        assert_eq!(outputs[0].len(), 2 * 7);
        for other in &outputs[1..] {
            assert_eq!(&outputs[0], other);
        }
    }
}

#[test]
fn a_message_has_twenty_values_with_totals_only_and_fifty_otherwise() {
    for (toml, count) in [("totals_only = true", 20), ("", 50), ("quantities = [\"frequency\"]", 1)]
    {
        let mut bench = Bench::new(&format!("fidelity = \"windows\"\n{toml}"), balanced());
        let reading = readings(&bench.run(10.0)).remove(0);
        let sent: Vec<MeasurementId> = reading.values.iter().map(|&(id, _)| id).collect();
        assert_eq!(sent, bench.device.quantities());
        assert_eq!(sent.len(), count);
    }
}
