//! Each model by what is its own: registers and their commands, pulses, no-load, breaker, clock.

use std::collections::BTreeMap;
use std::f64::consts::{FRAC_PI_3, SQRT_2, TAU};

use crate::behaviour::{answer, command, events};
use crate::support::{Bench, Phase, readings, sines, values};
use lastmeter_devices::{DEVICES, ERROR_PREFIX, EventKind, Input, Output};
use lastmeter_sim::plan::{OperatingPoint, WaveShape};
use lastmeter_sim::{Program, Spectrum, Streams, Terminal, Tone};
use lastmeter_units::SimDuration;
use lastmeter_wire::flexmeter::ParameterValue;

const BOTH: [&str; 2] = ["fidelity = \"samples\"\n", "fidelity = \"windows\"\n"];
const ALL: &str = "quantities = [\"voltage\", \"current\", \"active_power\", \"reactive_power\", \
    \"apparent_power\", \"power_factor\", \"frequency\", \"active_energy\", \"reactive_energy\", \
    \"apparent_energy\", \"thd\", \"non_active_power\", \"phase_angle\", \"pulses\"]\n";
const P1: &str = "electricity.power.active.consumed.l1";

fn near(found: f64, expected: f64, limit: f64, what: &str) {
    assert!((found - expected).abs() <= limit, "{what}: {found} for {expected}");
}

fn single(phase: Phase) -> Terminal {
    sines(50.0, [phase])
}

/// 230 V, 10 A, 60 degrees lagging: 1150 W.
fn load() -> Terminal {
    single((230.0, 0.3, 10.0, FRAC_PI_3))
}

fn last(out: &[Output]) -> BTreeMap<&'static str, f64> {
    values(readings(out).last().expect("a reading"))
}

fn set(id: &str, register: &str, value: &str) -> Input {
    let parameters = [("register", register), ("value", value)]
        .map(|(name, text)| (name, ParameterValue::Text(text.to_owned())));
    command(id, "setRegister", parameters)
}

#[test]
fn every_model_reads_a_load_within_its_class() {
    for (model, part) in [
        ("ideal-1ph", 2e-6),
        ("stpm34-1ph", 1e-4),
        // A 12-bit converter's rounding, and the pole of its transducer.
        ("cvct-stm32f107", 1e-3),
        // As delivered: gains of 0.8 and -1.1 %, and 0.12 degrees at half the power factor.
        ("ade7953-1ph", 2e-2),
    ] {
        let mut bench = Bench::of(model, "report_every = \"2 s\"", load());
        let found = last(&bench.run(4.0));
        near(found["electricity.voltage.rms.l1"], 230.0, 230.0 * part, model);
        near(found["electricity.current.rms.l1"], 10.0, 10.0 * part, model);
        near(found[P1], 1.15, 2.3 * part, model);
        assert!(!found.contains_key("electricity.voltage.rms.l2"), "{model} has one phase");
    }
    let third = TAU / 3.0;
    let terminal = sines(50.0, [0.0, -third, third].map(|a| (230.0, a, 10.0, FRAC_PI_3)));
    let mut bench = Bench::of("ideal-3ph", "report_every = \"2 s\"", terminal);
    let found = last(&bench.run(2.0));
    near(found["electricity.power.active.consumed.total"], 3.45, 1e-5, "ideal-3ph");
}

/// The oracle E3 of mixed harmonics: 100 V and 100 A with orders 3, 5 and 7.
fn mixed() -> Terminal {
    let channel = |lines: [(f64, f64, f64); 4]| lastmeter_sim::ChannelSpectrum {
        tones: lines
            .iter()
            .map(|&(order, rms, degrees)| Tone {
                frequency_hz: 50.0 * order,
                rms,
                phase_rad: degrees.to_radians(),
            })
            .collect(),
        ..lastmeter_sim::ChannelSpectrum::default()
    };
    let u = [(1.0, 100.0, 0.0), (3.0, 8.0, -70.0), (5.0, 15.0, 140.0), (7.0, 5.0, 20.0)];
    let i = [(1.0, 100.0, -30.0), (3.0, 20.0, -165.0), (5.0, 15.0, 234.0), (7.0, 10.0, 234.0)];
    let spectrum =
        Spectrum { fundamental_hz: 50.0, voltages: vec![channel(u)], currents: vec![channel(i)] };
    Terminal::from_spectrum(spectrum, "g", &Streams::new(1)).expect("a terminal")
}

#[test]
fn the_further_groups_report_the_oracle_of_mixed_harmonics() {
    for fidelity in BOTH {
        let toml = format!("{fidelity}{ALL}report_every = \"2 s\"");
        let found = last(&Bench::of("ideal-1ph", &toml, mixed()).run(2.0));
        for (name, expected) in [
            (P1, 8.589_162_034),
            ("electricity.power.reactive.consumed.l1", 5.0),
            ("electricity.power.apparent.l1", 10.517_492_572),
            ("x.electricity.power.nonactive.l1", 6.069_921_380),
            ("x.electricity.power.nonactive.total", 6.069_921_380),
            ("electricity.powerFactor.l1", 0.816_654_92),
            ("x.electricity.voltage.thd.l1", 17.720_045),
            ("x.electricity.current.thd.l1", 26.925_824),
            ("electricity.voltage.phase.l1", 0.0),
            ("electricity.current.phase.l1", -30_f64.to_radians()),
        ] {
            near(found[name], expected, 2e-5 * expected.abs().max(1.0), name);
        }
    }
}

#[test]
fn a_register_acts_from_the_command_on_and_is_answered() {
    for fidelity in BOTH {
        let toml = format!(
            "{fidelity}decimation = \"none\"\nvoltage_gain_error = \"0 %\"\n\
             current_gain_error = \"0 %\"\nphase_error = \"0 deg\"\nreport_every = \"2 s\"\n\
             voltage_snr = 140\ncurrent_snr = 140\ncurrent_sensor = \"ideal\"\n\
             voltage_high_pass = \"1 mHz\"\ncurrent_high_pass = \"1 mHz\"\n\
             current_headroom = 3"
        );
        let mut bench = Bench::of("ade7953-1ph", &toml, load());
        near(last(&bench.run(2.0))[P1], 1.15, 2e-4, "before");
        // 1 + 1/64 of the current, and 5 steps of 0.02 degrees earlier.
        let out = bench.step(set("a", "AIGAIN", "0x410000"));
        assert_eq!(events(&out), [EventKind::CommandObeyed]);
        assert_eq!(answer(&out).response, "AIGAIN is 0x410000 (4259840)");
        assert_eq!(answer(&bench.step(set("b", "0x108", "-5"))).response, "PHCALA is 0x8005 (-5)");
        bench.run(2.0);
        let found = last(&bench.run(2.0));
        near(found["electricity.current.rms.l1"], 10.156_25, 2e-4, "I");
        let expected = 2.3 * 1.015_625 * (60_f64 - 0.1).to_radians().cos();
        near(found[P1], expected, 1e-4, "P with gain and phase");
        // Active power alone by 1 - 1/32.
        bench.step(set("c", "AWGAIN", "4063232"));
        bench.run(2.0);
        let found = last(&bench.run(2.0));
        near(found[P1], expected * 0.968_75, 1e-4, "P with its own gain");
        near(found["electricity.power.apparent.l1"], 2.3 * 1.015_625, 1e-4, "S");
        let text = |text: &str| ParameterValue::Text(text.to_owned());
        let read = command("d", "readRegister", [("register", text("642"))]);
        assert_eq!(answer(&bench.step(read)).response, "AWGAIN is 0x3E0000 (4063232)");
        for (id, register, value) in [
            ("e", "XGAIN", "1"),
            ("f", "AIGAIN", "1"),
            ("g", "VERSION", "1"),
            ("h", "PHCALA", "red"),
        ] {
            let out = bench.step(set(id, register, value));
            assert_eq!(events(&out), [EventKind::CommandRefused]);
            assert!(answer(&out).response.starts_with(ERROR_PREFIX));
        }
        let out = bench.step(command("i", "setRegister", [("register", text("AIGAIN"))]));
        assert_eq!(answer(&out).response, "error: the parameter `value` is missing");
        let out = bench.step(command("k", "setBreaker", [("state", text("open"))]));
        assert_eq!(answer(&out).response, "error: this device has no breaker");
        // The same invocation again: answered, not obeyed.
        let out = bench.step(set("a", "AIGAIN", "0x420000"));
        assert_eq!(events(&out), [EventKind::CommandRepeated]);
        assert_eq!(answer(&out).response, "AIGAIN is 0x410000 (4259840)");
    }
}

/// Acceptance: gain, phase, skew and clock of a whole meter, against their closed forms.
#[test]
fn planted_errors_of_an_ideal_meter_are_reported_as_their_closed_forms() {
    let lag = FRAC_PI_3;
    let phase = |degrees: f64| 2.3 * (lag - degrees.to_radians()).cos();
    for fidelity in BOTH {
        for (planted, power, frequency, energy) in [
            ("current_gain_error = \"0.5 %\"", 1.15 * 1.005, 50.0, 1.005),
            ("voltage_gain_error = \"-2000 ppm\"", 1.15 * 0.998, 50.0, 0.998),
            ("phase_error = \"0.1 deg\"", phase(0.1), 50.0, phase(0.1) / 1.15),
            // 5 us are 0.09 degrees at 50 Hz.
            ("skew = \"5 us\"", phase(0.09), 50.0, phase(0.09) / 1.15),
            ("skew = \"-5 us\"", phase(-0.09), 50.0, phase(-0.09) / 1.15),
            ("clock_error = \"100 ppm\"", 1.15, 50.0 / 1.0001, 1.0001),
        ] {
            let toml = format!("{fidelity}{planted}\nreport_every = \"2 s\"");
            let mut bench = Bench::of("ideal-1ph", &toml, load());
            let out = bench.run(4.0);
            let found = last(&out);
            near(found[P1], power, 1.15e-5, planted);
            near(found["electricity.frequency"], frequency, 1e-4, planted);
            let span = out.iter().rev().find_map(|output| match output {
                Output::Reading { span, .. } => Some(*span),
                _ => None,
            });
            let span = span.unwrap();
            let hours = (span.to - span.registers_from).as_seconds_f64() / 3600.0;
            let registered = found["electricity.energy.active.consumed.l1"];
            near(registered / (1.15 * hours), energy, 1e-5, planted);
        }
    }
}

#[test]
fn pulses_count_energy_and_nothing_is_registered_below_the_threshold() {
    for fidelity in BOTH {
        let toml = format!("{fidelity}{ALL}pulse_constant = 1000000\nreport_every = \"2 s\"");
        // 1 W at 1000000 pulses per kWh: one in 3.6 s; 0.4 W lie below half a watt.
        for (current_a, registers) in [(1.0 / 230.0, true), (0.4 / 230.0, false)] {
            let terminal = single((230.0, 0.0, current_a, 0.0));
            let quiet = "current_noise = \"0 A\"";
            let mut bench = Bench::of("stpm34-1ph", &format!("{toml}\n{quiet}"), terminal);
            let found = last(&bench.run(20.0));
            let energy_kwh = found["electricity.energy.active.consumed.l1"];
            let pulses = found["x.electricity.pulses.active"];
            if registers {
                near(energy_kwh, 20.0 / 3.6e6, 0.02 * 20.0 / 3.6e6, "kWh");
                // Near 20 s: 5 have come, the sixth is due at 21.6 s.
                assert_eq!((pulses, found["x.electricity.pulses.reactive"]), (5.0, 0.0));
            } else {
                assert_eq!((energy_kwh, pulses), (0.0, 0.0));
                near(found[P1], 0.4e-3, 2e-5, "the power is still reported");
            }
        }
    }
}

/// 1 kW for 36 s are 10 Wh: 10 pulses at 1000 per kWh. Firmware that works by a quarter more gives
/// 12, whatever the nameplate states.
#[test]
fn a_wrong_constant_of_the_firmware_changes_the_pulses_and_not_the_nameplate() {
    for (error, pulses) in [("", 10.0), ("pulse_constant_error = \"25 %\"", 12.0)] {
        let toml = format!("{ALL}report_every = \"2 s\"\nfidelity = \"windows\"\n{error}");
        let terminal = single((230.0, 0.0, 1000.5 / 230.0, 0.0));
        let mut bench = Bench::of("stpm34-1ph", &toml, terminal);
        assert_eq!(bench.device.electricity().unwrap().pulse_constant, 1000.0);
        let found = last(&bench.run(36.2));
        assert_eq!(found["x.electricity.pulses.active"], pulses, "{error}");
        near(found["electricity.energy.active.consumed.l1"], 0.01, 1e-4, "kWh");
    }
}

#[test]
fn an_open_breaker_carries_no_current_and_the_voltage_before_it_stays() {
    let quantities = "quantities = [\"voltage\", \"current\", \"active_power\", \"breaker\", \
        \"neutral_current\"]\nreport_every = \"1 s\"\nneutral_gain_error = \"-1 %\"\n\
        current_noise = \"0 A\"\n";
    for fidelity in BOTH {
        let mut bench = Bench::of("stpm34-1ph", &format!("{fidelity}{quantities}"), load());
        let closed = last(&bench.run(2.0));
        near(closed["x.electricity.current.neutral.rms"], 9.9, 1e-3, "neutral");
        near(closed["electricity.current.rms.l1"], 10.0, 1e-3, "line");
        near(closed["x.electricity.breaker.voltage.rms"], 230.0, 1e-2, "behind");
        assert_eq!(closed["x.electricity.breaker.closed"], 1.0);
        let state = |state: &str| [("state", ParameterValue::Text(state.to_owned()))];
        let out = bench.step(command("a", "setBreaker", state("open")));
        assert_eq!(answer(&out).response, "breaker open");
        bench.run(1.0);
        let open = last(&bench.run(1.0));
        near(open["electricity.voltage.rms.l1"], 230.0, 1e-2, "before");
        assert_eq!(open["x.electricity.breaker.closed"], 0.0);
        near(open["x.electricity.breaker.voltage.rms"], 0.0, 0.02, "behind");
        near(open["electricity.current.rms.l1"], 0.0, 1e-3, "line");
        near(open[P1], 0.0, 1e-4, "P");
        bench.step(command("b", "setBreaker", state("closed")));
        bench.run(1.0);
        near(last(&bench.run(1.0))[P1], 1.15, 1e-4, "P again");
        let out = bench.step(command("c", "setBreaker", state("ajar")));
        assert_eq!(answer(&out).response, "error: `state` has to be `open` or `closed`");
    }
}

/// The paper's static errors are of gain and offset, not of quantisation: 12 bits alone cost some
/// ppm of RMS. Its firmware's coefficients undo them.
#[test]
fn the_coefficients_of_the_papers_meter_undo_gain_and_offset() {
    let toml = "report_every = \"2 s\"\nvoltage_gain_error = \"0.5 %\"\nvoltage_offset = \"4 V\"";
    let mut bench = Bench::of("cvct-stm32f107", toml, load());
    bench.run(2.0);
    let before = last(&bench.run(2.0))["electricity.voltage.rms.l1"];
    near(before, (230.0 * 1.005_f64).hypot(4.0), 0.05, "before");
    // 0x400000 / 1.005, and 4 V / 1.005 in parts of 460 sqrt(2) V.
    bench.step(set("a", "UGAIN1", "4173437"));
    let offset = (-4.0 / 1.005 / (460.0 * SQRT_2) * 8_388_608.0_f64).round();
    bench.step(set("b", "UOFFSET1", &format!("{offset}")));
    bench.run(2.0);
    let after = last(&bench.run(2.0))["electricity.voltage.rms.l1"];
    near(after / 230.0, 1.0, 3e-4, "after");
}

#[test]
fn every_model_is_registered_once_and_the_oldest_comes_first() {
    let names: Vec<_> = DEVICES.iter().map(|kind| kind.entry.name).collect();
    let expected = [
        "stpm34-3ph",
        "stpm34-1ph",
        "ade7953-1ph",
        "cvct-stm32f107",
        "ideal-1ph",
        "ideal-3ph",
        "reference-1ph",
        "pxi-6123",
        "heat-meter",
        "water-meter",
        "m-bus-heat-meter",
        "m-bus-water-meter",
        "m-bus-electricity-meter",
        "simulator-meter",
        "class-meter-1ph",
        "class-meter-3ph",
        "external",
        "smart-plug",
        "room-sensor",
        "can-meter",
        "can-dbc-board",
        "switch",
        "recloser",
        "fault-recorder",
    ];
    assert_eq!(names, expected);
}

/// The plant's temperature reaches the front end, from the sample it changes at.
#[test]
fn a_meter_drifts_with_the_temperature_of_its_terminal() {
    let at = |seconds: i64, temperature_celsius: f64| OperatingPoint {
        temperature_celsius,
        ..OperatingPoint::balanced(SimDuration::from_seconds(seconds), 1, 50.0, 230.0, 10.0)
    };
    let program = Program::from_points(&[at(4, 23.0), at(4, 55.0), at(60, -10.0)]).unwrap();
    let terminal = Terminal::from_program(&program, "g", &Streams::new(1)).unwrap();
    let toml = "report_every = \"2 s\"\nvoltage_gain_temperature = \"50 ppm\"\n\
        clock_temperature = \"-0.035 ppm\"";
    let found: Vec<_> =
        readings(&Bench::of("ideal-1ph", toml, terminal).run(12.0)).iter().map(values).collect();
    for (reading, celsius) in [(0, 23.0_f64), (3, 55.0), (5, -10.0)] {
        let gain = 1.0 + 50e-6 * (celsius - 23.0);
        near(found[reading]["electricity.voltage.rms.l1"], 230.0 * gain, 2e-3, "U");
        // The parabola about 25 degrees, from its place at 23.
        let faster = -0.035e-6 * ((celsius - 25.0).powi(2) - 4.0);
        near(found[reading]["electricity.frequency"], 50.0 / (1.0 + faster), 2e-6, "f");
    }
}

/// A direct current saturates the core of a transformer: of a half-wave load it loses far more
/// than a shunt does, whose power is 230 V * 20 A / (2 sqrt 2).
#[test]
fn a_half_wave_load_saturates_a_transformer_but_no_shunt() {
    let point = OperatingPoint {
        current_shape: WaveShape::HalfWave,
        ..OperatingPoint::balanced(SimDuration::from_seconds(60), 1, 50.0, 230.0, 20.0 / SQRT_2)
    };
    let program = Program::from_points(&[point]).unwrap();
    let power = |sensor: &str| {
        let toml = format!(
            "report_every = \"2 s\"\nsample_rate = \"25 kHz\"\ncurrent_sensor = \"{sensor}\"\n\
             transformer_saturation = \"60 A\"\nshunt_lead = \"0 s\""
        );
        let terminal = Terminal::from_program(&program, "g", &Streams::new(1)).unwrap();
        last(&Bench::of("ideal-1ph", &toml, terminal).run(6.0))[P1]
    };
    near(power("shunt"), 1.626_345_597, 2e-5, "shunt");
    assert!(power("transformer") < 0.97 * 1.626_345_597, "{}", power("transformer"));
}

/// Direct voltage and current without a fundamental, and a meter on which they are planted.
#[test]
fn mean_values_are_those_of_direct_voltage_and_current() {
    let point = OperatingPoint {
        voltage_dc_v: -300.0,
        current_dc_a: 12.0,
        ..OperatingPoint::balanced(SimDuration::from_seconds(10), 1, 50.0, 0.0, 0.0)
    };
    let program = Program::from_points(&[point]).unwrap();
    let terminal = Terminal::from_program(&program, "dc", &Streams::new(1)).unwrap();
    let keys = "quantities = [\"mean\"]\nreport_every = \"1 s\"\nvoltage_gain_error = \"0.3 %\"\n\
                current_offset = \"0.5 A\"";
    let found = last(&Bench::of("ideal-1ph", keys, terminal).run(4.0));
    near(found["x.electricity.voltage.mean.l1"], -300.9, 1e-5, "voltage");
    near(found["x.electricity.current.mean.l1"], 12.5, 1e-5, "current");
    // Beside an alternating part, over windows of whole cycles, next to nothing of it is left.
    let keys = "quantities = [\"mean\"]\nreport_every = \"1 s\"\nvoltage_offset = \"3 V\"";
    let found = last(&Bench::of("ideal-1ph", keys, load()).run(4.0));
    near(found["x.electricity.voltage.mean.l1"], 3.0, 5e-3, "beside 230 V");
}
