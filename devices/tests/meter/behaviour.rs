//! How a meter talks: schedule, commands, faults, and what it does with nonsense.

use crate::support::{Bench, START, balanced, readings, refused, requests};
use lastmeter_devices::{
    BoardFault, DEVICES, Device, DeviceFault, ERROR_PREFIX, EventKind, INJECTIONS, Input, NodeTask,
    Output, ScaledQuantity, ScalingChange, TamperKind, TamperSensorFault,
};
use lastmeter_params::{Code, read_text};
use lastmeter_sim::Block;
use lastmeter_units::{Epoch, Serial, SimDuration, SimTime};
use lastmeter_wire::flexmeter::{
    AcknowledgeMessage, CommandDefinition, CommandMessage, DecodeRules, Invocation,
    MeasurementMessage, ParameterValue, Request, decode, encode_command,
};
use proptest::prelude::*;

const FAST: &str = "fidelity = \"windows\"\nquantities = [\"voltage\"]\n";

fn at(seconds: f64) -> SimTime {
    START + SimDuration::from_seconds_f64(seconds)
}

fn serials(out: &[Output]) -> Vec<u64> {
    readings(out).iter().map(|reading| reading.serial.expect("numbered").0).collect()
}

fn announced(out: &[Output]) -> Vec<(u64, SimTime)> {
    let announced = out.iter().filter_map(|output| match output {
        Output::Reading { epoch, serial, at, .. } => {
            assert_eq!(*epoch, Epoch(1));
            Some((serial.0, *at))
        }
        _ => None,
    });
    announced.collect()
}

pub(crate) fn events(out: &[Output]) -> Vec<EventKind> {
    let events = out.iter().filter_map(|output| match output {
        Output::Event { kind, .. } => Some(*kind),
        _ => None,
    });
    events.collect()
}

pub(crate) fn command<'a>(
    id: &str,
    name: &str,
    parameters: impl IntoIterator<Item = (&'a str, ParameterValue)>,
) -> Input {
    let message = CommandMessage {
        definition: CommandDefinition { name: name.to_owned(), ..CommandDefinition::default() },
        invocation: Invocation { id: id.to_owned(), ..Invocation::default() },
        parameters: parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    };
    let mut payload = Vec::new();
    encode_command(&message, &mut payload);
    Input::Received { payload }
}

fn set_period(id: &str, seconds: f64) -> Input {
    command(id, "setReportingPeriod", Some(("seconds", ParameterValue::Number(seconds))))
}

pub(crate) fn answer(out: &[Output]) -> AcknowledgeMessage {
    let mut requests = requests(out);
    assert_eq!(requests.len(), 1, "{requests:?}");
    match requests.remove(0) {
        Request::Acknowledge(message) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_reading_is_one_message_with_serial_epoch_and_due_instant() {
    let mut bench = Bench::new(FAST, balanced());
    let out = bench.run(35.0);
    let sent: Vec<MeasurementMessage> = readings(&out);
    assert_eq!(sent.len(), 3);
    for (k, reading) in sent.iter().enumerate() {
        assert_eq!(reading.hardware_id.as_str(), "home");
        assert_eq!(reading.epoch, Some(Epoch(1)));
        assert_eq!(reading.serial, Some(Serial(k as u64 + 1)));
        assert_eq!(reading.event_date, Some(at(10.0 * (k as f64 + 1.0))));
        assert!(reading.update_state);
    }
    assert_eq!(announced(&out), [(1, at(10.0)), (2, at(20.0)), (3, at(30.0))]);
    assert_eq!(bench.device.report_period(), SimDuration::from_seconds(10));
    assert_eq!(bench.device.unacknowledged(), 0);
}

#[test]
fn what_was_not_acknowledged_is_sent_again_in_order_after_a_reconnection() {
    let mut bench = Bench::new(FAST, balanced());
    bench.acknowledges = false;
    assert_eq!(serials(&bench.run(20.0)), [1, 2]);
    bench.step(Input::Disconnected);
    let out = bench.run(20.0);
    assert_eq!((serials(&out).len(), announced(&out).len()), (0, 2));
    assert_eq!(bench.device.unacknowledged(), 4);
    let again = bench.step(Input::Connected);
    assert_eq!(serials(&again), [1, 2, 3, 4]);
    let numbers: Vec<_> = again
        .iter()
        .map(|output| match output {
            Output::Send { message, .. } => *message,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
    for message in numbers {
        bench.step(Input::Acknowledged { message });
    }
    assert_eq!(bench.device.unacknowledged(), 0);
    assert!(bench.step(Input::Connected).is_empty());
}

#[test]
fn a_new_reporting_period_is_obeyed_from_now_on_and_acknowledged() {
    let mut bench = Bench::new(FAST, balanced());
    bench.run(12.0);
    let out = bench.step(set_period("i-1", 4.0));
    assert_eq!(events(&out), [EventKind::CommandObeyed]);
    let answer = answer(&out);
    assert_eq!(answer.originating_event_id, "i-1");
    assert_eq!(answer.response, "reporting period set to 4 s");
    assert_eq!(answer.event_date, Some(at(12.0)));
    assert_eq!(bench.device.report_period(), SimDuration::from_seconds(4));
    let due: Vec<_> = announced(&bench.run(10.0)).into_iter().map(|(_, due)| due).collect();
    assert_eq!(due, [at(16.0), at(20.0)]);
}

#[test]
fn an_invocation_that_comes_again_is_answered_again_but_obeyed_once() {
    let mut bench = Bench::new(FAST, balanced());
    let first = answer(&bench.step(set_period("i-1", 4.0)));
    bench.run(1.0);
    answer(&bench.step(set_period("i-2", 7.0)));
    bench.run(1.0);
    let out = bench.step(set_period("i-1", 4.0));
    assert_eq!(events(&out), [EventKind::CommandRepeated]);
    assert_eq!(answer(&out).response, first.response);
    assert_eq!(bench.device.report_period(), SimDuration::from_seconds(7));
    assert_eq!(announced(&bench.run(8.0)), [(1, at(8.0))]);
}

#[test]
fn what_cannot_be_obeyed_is_answered_with_an_error_and_changes_nothing() {
    let mut bench = Bench::new(FAST, balanced());
    let number = |value| Some(("seconds", ParameterValue::Number(value)));
    for (k, input) in [
        command("0", "blinkLed", None),
        command("1", "setReportingPeriod", None),
        command("2", "setReportingPeriod", Some(("seconds", ParameterValue::Text("5".into())))),
        command("3", "setReportingPeriod", number(0.1)),
        command("4", "setReportingPeriod", number(-5.0)),
        command("5", "setReportingPeriod", number(1e300)),
    ]
    .into_iter()
    .enumerate()
    {
        let out = bench.step(input);
        assert_eq!(events(&out), [EventKind::CommandRefused]);
        let answer = answer(&out);
        assert_eq!(answer.originating_event_id, k.to_string());
        assert!(answer.response.starts_with(ERROR_PREFIX), "{}", answer.response);
    }
    assert_eq!(bench.device.report_period(), SimDuration::from_seconds(10));
    let whole = command("6", "setReportingPeriod", Some(("seconds", ParameterValue::Integer(3))));
    assert_eq!(answer(&bench.step(whole)).response, "reporting period set to 3 s");
}

#[test]
fn nonsense_is_noted_and_not_answered() {
    let mut bench = Bench::new(FAST, balanced());
    for payload in [&b""[..], b"{}", b"\xff\xfe", b"{\"command\":{\"command\":{\"name\":\"x\"}}}"] {
        let received = Input::Received { payload: payload.to_vec() };
        let out = bench.step(received);
        assert_eq!(events(&out), [EventKind::CommandMalformed]);
        assert_eq!(out.len(), 1);
    }
    assert_eq!(bench.device.report_period(), SimDuration::from_seconds(10));
}

#[test]
fn a_meter_without_obey_commands_ignores_commands() {
    let mut bench = Bench::new(&format!("{FAST}obey_commands = false"), balanced());
    let out = bench.step(set_period("1", 3.0));
    assert_eq!(events(&out), [EventKind::CommandIgnored]);
    assert_eq!(out.len(), 1);
    assert_eq!(announced(&bench.run(20.0)).len(), 2);
}

#[test]
fn a_skipped_reading_is_announced_but_not_sent() {
    let mut bench = Bench::new(FAST, balanced());
    bench.run(10.0);
    let out = bench.step(Input::Fault(DeviceFault::SkipReading { count: 2 }));
    assert_eq!(events(&out), [EventKind::FaultBegun]);
    let out = bench.run(40.0);
    assert_eq!(announced(&out).iter().map(|(serial, _)| *serial).collect::<Vec<_>>(), [2, 3, 4, 5]);
    assert_eq!(serials(&out), [4, 5]);
}

#[test]
fn a_renumbered_reading_is_sent_twice_and_announced_once() {
    let mut bench = Bench::new(FAST, balanced());
    bench.step(Input::Fault(DeviceFault::RenumberReading));
    let out = bench.run(30.0);
    assert_eq!(serials(&out), [1, 2, 3, 4]);
    assert_eq!(announced(&out), [(1, at(10.0)), (3, at(20.0)), (4, at(30.0))]);
    let sent = readings(&out);
    assert_eq!(sent[0].values, sent[1].values);
    assert_eq!(sent[0].event_date, sent[1].event_date);
}

#[test]
fn a_forged_identifier_comes_beside_the_readings_and_is_refused() {
    let mut bench = Bench::new(FAST, balanced());
    bench.run(3.0);
    let out = bench.step(Input::Fault(DeviceFault::UnknownIdentifier));
    let Output::Send { payload, .. } = &out[1] else { panic!("{out:?}") };
    let refusal = decode(payload, &DecodeRules::default()).unwrap_err();
    assert_eq!(refusal.reason.word(), "unknown_identifier");
    assert_eq!(refusal.hardware_id.unwrap().as_str(), "home");
    assert_eq!(serials(&bench.run(20.0)), [1, 2]);
}

#[test]
fn a_frozen_meter_sends_nothing_until_it_thaws_and_then_covers_the_time_between() {
    let mut bench = Bench::new(FAST, balanced());
    bench.run(10.0);
    bench.step(Input::Fault(DeviceFault::Freeze { until: Some(at(40.0)) }));
    let out = bench.run(25.0);
    assert!(out.is_empty(), "{out:?}");
    assert_eq!(events(&bench.step(set_period("1", 3.0))), [EventKind::CommandIgnored]);
    let out = bench.run(5.0);
    assert_eq!(announced(&out), [(2, at(40.0))]);
    let span = out.iter().find_map(|output| match output {
        Output::Reading { span, .. } => Some(*span),
        _ => None,
    });
    let span = span.unwrap();
    assert_eq!(
        (span.from, span.to),
        (SimDuration::from_seconds(10), SimDuration::from_seconds(40))
    );
    bench.step(Input::Fault(DeviceFault::Freeze { until: None }));
    assert!(bench.run(1000.0).is_empty());
}

#[test]
fn every_injection_builds_the_fault_it_describes() {
    for (name, toml, expected) in [
        ("skip_reading", "count = 3", DeviceFault::SkipReading { count: 3 }),
        ("skip_reading", "", DeviceFault::SkipReading { count: 1 }),
        ("renumber_reading", "", DeviceFault::RenumberReading),
        ("unknown_identifier", "", DeviceFault::UnknownIdentifier),
        ("false_gasp", "", DeviceFault::FalseGasp),
        ("freeze", "", DeviceFault::Freeze { until: None }),
        ("freeze", "for = \"30 s\"", DeviceFault::Freeze { until: Some(at(90.0)) }),
        (
            "node_away",
            "for = \"30 s\"\nsilent = true",
            DeviceFault::Away { until: at(90.0), is_silent: true },
        ),
        (
            "node_task",
            "task = \"user-interface\"\nfor = \"3 s\"",
            DeviceFault::NodeTask { task: NodeTask::UserInterface, until: Some(at(63.0)) },
        ),
        ("node_power_loss", "for = \"3 s\"", DeviceFault::NodePowerLoss { until: at(63.0) }),
        ("display_sticks", "", DeviceFault::DisplaySticks),
        (
            "scaling",
            "of = \"voltage\"\nwhat = \"zero\"",
            DeviceFault::Scaling { of: ScaledQuantity::Voltage, what: ScalingChange::Zero },
        ),
        ("contact_sticks", "", DeviceFault::ContactSticks),
        (
            "switch_sticks",
            "for = \"3 s\"\nunnoticed = true",
            DeviceFault::SwitchSticks { until: Some(at(63.0)), is_unnoticed: true },
        ),
        ("board_reset", "", DeviceFault::Board(BoardFault::Reset)),
        ("board_hang", "for = \"3 s\"", DeviceFault::Board(BoardFault::Stop { until: at(63.0) })),
        ("board_noise", "count = 12", DeviceFault::Board(BoardFault::Noise { frames: 12 })),
        (
            "tamper",
            "what = \"terminal-cover\"\nfor = \"3 s\"",
            DeviceFault::Tamper { what: TamperKind::TerminalCover, until: Some(at(63.0)) },
        ),
        (
            "tamper_sensor",
            "what = \"magnetic-field\"\nshows = \"tampering\"",
            DeviceFault::TamperSensor {
                what: TamperKind::MagneticField,
                shows: TamperSensorFault::Tampering,
                until: None,
            },
        ),
    ] {
        let kind = INJECTIONS.iter().find(|kind| kind.entry.name == name).unwrap();
        let toml = format!("device = \"home\"\n{toml}");
        let values = read_text(&toml, &[kind.entry.fields]).unwrap();
        assert_eq!(values.text("device"), "home");
        assert_eq!((kind.build)(&values, at(60.0)), expected);
    }
    assert_eq!(INJECTIONS.len(), 17);
}

#[test]
fn each_mistake_in_a_meters_table_is_one_diagnostic() {
    for (toml, phases, has_spectrum, code) in [
        ("", 1, true, Code::DOES_NOT_FIT),
        ("fidelity = \"windows\"", 3, false, Code::DOES_NOT_FIT),
        ("nominal_frequency = \"55 Hz\"", 3, true, Code::OUT_OF_RANGE),
        ("report_every = \"0.2 s\"", 3, true, Code::OUT_OF_RANGE),
        ("quantities = []", 3, true, Code::OUT_OF_RANGE),
        ("quantities = [\"colour\"]", 3, true, Code::UNKNOWN_WORD),
        ("phase_error = \"2 deg\"", 3, true, Code::OUT_OF_RANGE),
        ("jitter = \"1 us\"\ndecimation = \"sinc3\"", 3, true, Code::DOES_NOT_FIT),
        ("dnl = 0.1", 3, true, Code::DOES_NOT_FIT),
        ("inl = [1]", 3, true, Code::OUT_OF_RANGE),
        ("quantities = [\"breaker\"]", 3, true, Code::DOES_NOT_FIT),
        ("quantities = [\"unbalance\"]", 1, true, Code::DOES_NOT_FIT),
        ("quantities = [\"harmonics\"]\nfidelity = \"windows\"", 3, true, Code::DOES_NOT_FIT),
        ("quantities = [\"flicker\"]", 3, true, Code::DOES_NOT_FIT),
        (
            "quantities = [\"voltage\", \"flicker\"]\nfidelity = \"windows\"",
            3,
            true,
            Code::DOES_NOT_FIT,
        ),
        ("fidelity = \"windows\"\njitter = \"1 ns\"", 3, true, Code::DOES_NOT_FIT),
        ("fidelity = \"windows\"\ninl = [0, 1]", 3, true, Code::DOES_NOT_FIT),
        ("fidelity = \"windows\"\ncurrent_third_harmonic = \"1 %\"", 3, true, Code::DOES_NOT_FIT),
        ("fidelity = \"windows\"\nvoltage_noise_corner = \"1 Hz\"", 3, true, Code::DOES_NOT_FIT),
        ("fidelity = \"windows\"\nphase_temperature = \"0.001 deg\"", 3, true, Code::DOES_NOT_FIT),
        ("fidelity = \"windows\"\ncurrent_sensor = \"transformer\"", 3, true, Code::DOES_NOT_FIT),
        ("fidelity = \"windows\"\nvoltage_pickup = \"1 mA\"", 3, true, Code::DOES_NOT_FIT),
        ("fidelity = \"windows\"\nsupply_dependence = \"1 %\"", 3, true, Code::DOES_NOT_FIT),
        ("fidelity = \"windows\"\nwindow_gaps = 1", 3, true, Code::DOES_NOT_FIT),
        ("current_gain_mismatch = [\"1 %\"]", 3, true, Code::DOES_NOT_FIT),
        ("crosstalk = 10", 3, true, Code::OUT_OF_RANGE),
        ("gain_error = \"1 %\"", 3, true, Code::UNKNOWN_KEY),
        ("voltage_noise = \"1 A\"", 3, true, Code::WRONG_DIMENSION),
    ] {
        let found = refused(toml, phases, has_spectrum);
        assert_eq!(found.len(), 1, "{toml}: {found:?}");
        assert_eq!(found[0].code, code, "{toml}: {found:?}");
        assert!(!found[0].message.is_empty() && !found[0].label.is_empty());
    }
    let bad = refused("nominal_frequency = \"55 Hz\"\nquantities = []", 1, true);
    assert_eq!(bad.len(), 3, "{bad:?}");
}

#[test]
fn every_registered_thing_is_documented_and_its_defaults_are_valid() {
    for kind in DEVICES {
        // What points of a simulator carry is nobody's default.
        let own = match kind.entry.name {
            "simulator-meter" => "quantities = [\"electricity.voltage.rms.l1\"]",
            "external" => "program = \"a.py\"\nquantities = [\"electricity.voltage.rms.l1\"]",
            "can-dbc-board" => "signals = { \"Mains.Voltage\" = \"electricity.voltage.rms.l1\" }",
            "fault-recorder" => "rated_voltage = \"11547 V\"\nrated_current = \"200 A\"",
            _ => "",
        };
        read_text(own, &[kind.entry.fields]).unwrap();
    }
    let entries = DEVICES.iter().map(|kind| kind.entry);
    for entry in entries.chain(INJECTIONS.iter().map(|kind| kind.entry)) {
        assert!(!entry.summary.is_empty() && !entry.summary.ends_with('.'), "{}", entry.name);
        assert!(entry.description.ends_with('.'), "{}", entry.name);
        for field in entry.fields {
            assert!(field.doc.ends_with('.'), "{}.{}", entry.name, field.name);
        }
    }
}

#[test]
fn data_that_does_not_follow_is_refused_and_not_used() {
    let mut bench = Bench::new("fidelity = \"samples\"\nquantities = [\"voltage\"]", balanced());
    let rate_hz = 7812.5;
    let block = |phases: usize, samples: usize| Block {
        temperatures: Vec::new(),
        voltages: vec![vec![0.0; samples]; phases],
        currents: vec![vec![0.0; samples]; phases],
    };
    let mut uneven = block(3, 10);
    uneven.currents[2].pop();
    for (first_sample, rate_hz, block) in [
        (5, rate_hz, block(3, 10)),
        (0, 8000.0, block(3, 10)),
        (0, rate_hz, block(1, 10)),
        (0, rate_hz, block(0, 0)),
        (0, rate_hz, uneven),
    ] {
        let out = bench.step(Input::Samples { first_sample, rate_hz, block });
        assert_eq!(events(&out), [EventKind::InputRefused]);
    }
    let spectrum = balanced().spectrum_at(SimDuration::ZERO).unwrap().spectrum;
    let out = bench.step(Input::Spectrum {
        until: SimDuration::from_seconds(1),
        spectrum,
        celsius: 23.0,
    });
    assert_eq!(events(&out), [EventKind::InputRefused]);
    assert_eq!(readings(&bench.run(10.0)).len(), 1);

    let mut bench = Bench::new(FAST, balanced());
    let out = bench.step(Input::Samples { first_sample: 0, rate_hz, block: block(3, 10) });
    assert_eq!(events(&out), [EventKind::InputRefused]);
    let spectrum = std::sync::Arc::default();
    let out = bench.step(Input::Spectrum {
        until: SimDuration::from_seconds(1),
        spectrum,
        celsius: 23.0,
    });
    assert_eq!(events(&out), [EventKind::InputRefused]);
}

#[test]
fn the_border_can_be_written_down_and_read_again() {
    let mut bench = Bench::new("report_every = \"0.5 s\"", balanced());
    let mut block = Block::default();
    balanced().render(0, 7812.5, 8000, &mut block);
    let input = Input::Samples { first_sample: 0, rate_hz: 7812.5, block };
    let text = serde_json::to_string(&input).unwrap();
    let again: Input = serde_json::from_str(&text).unwrap();
    assert_eq!(again, input);
    let out = bench.step(again);
    assert_eq!(out.len(), 4);
    let text = serde_json::to_string(&out).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Output>>(&text).unwrap(), out);
    let spectrum = Input::Spectrum {
        until: SimDuration::from_seconds(3),
        spectrum: balanced().spectrum_at(SimDuration::ZERO).unwrap().spectrum,
        celsius: 23.0,
    };
    let text = serde_json::to_string(&spectrum).unwrap();
    assert_eq!(serde_json::from_str::<Input>(&text).unwrap(), spectrum);
}

/// Anything a runner may do between two stretches of time.
fn happening() -> impl Strategy<Value = Option<Input>> {
    prop_oneof![
        Just(None),
        Just(Some(Input::Connected)),
        Just(Some(Input::Disconnected)),
        (1..60_u64).prop_map(|message| Some(Input::Acknowledged { message })),
        (0..4_u8, 0.25..20.0_f64).prop_map(|(id, s)| Some(set_period(&id.to_string(), s))),
        Just(Some(Input::Fault(DeviceFault::SkipReading { count: 1 }))),
        Just(Some(Input::Fault(DeviceFault::RenumberReading))),
        Just(Some(Input::Fault(DeviceFault::UnknownIdentifier))),
        (0.0..100.0_f64)
            .prop_map(|s| Some(Input::Fault(DeviceFault::Freeze { until: Some(at(s)) }))),
        prop::collection::vec(any::<u8>(), 0..20)
            .prop_map(|payload| Some(Input::Received { payload })),
    ]
}

proptest! {
    /// Serials rise by one from announced reading to announced reading, but for renumbered ones;
    /// message numbers rise; nothing panics.
    #[test]
    fn whatever_happens_numbers_rise_and_due_instants_do_not_repeat(
        happenings in prop::collection::vec((happening(), 0.1..15.0_f64), 1..25),
    ) {
        let mut bench = Bench::new(FAST, balanced());
        bench.acknowledges = false;
        let mut out = Vec::new();
        for (happening, seconds) in happenings {
            if let Some(input) = happening {
                let is_connection = input == Input::Connected;
                let step = bench.step(input);
                let numbers: Vec<u64> = step.iter().filter_map(|output| match output {
                    Output::Send { message, .. } => Some(*message),
                    _ => None,
                }).collect();
                prop_assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
                if is_connection {
                    prop_assert_eq!(numbers.len(), bench.device.unacknowledged());
                }
                out.extend(step);
            }
            out.extend(bench.run_in_pieces(seconds, 5.0));
        }
        let announced = announced(&out);
        prop_assert!(announced.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1));
    }
}

/// A device is handed to a thread of its own.
#[test]
fn a_device_can_go_to_another_thread() {
    fn assert_send<T: Send + ?Sized>() {}
    assert_send::<dyn Device>();
}
