//! The smart plug: bytes on the wire, reports, power, calibration, faults, display.

use lastmeter_units::{SimDuration, SimTime};
use lastmeter_zigbee::network::NodeState;
use lastmeter_zigbee::scale::{Quantity, ScaleError, Scales};
use lastmeter_zigbee::zcl::cluster::on_off::{OnOff, START_UP};
use lastmeter_zigbee::zcl::cluster::plug::{CALIBRATION_WRITE, CalibrationWrite, MANUFACTURER};
use lastmeter_zigbee::zcl::cluster::{ELECTRICAL_MEASUREMENT, METERING, ON_OFF, PLUG};
use lastmeter_zigbee::zcl::global::{Reportable, ReportingRecord, command};
use lastmeter_zigbee::zcl::{Attribute, Direction, Header, Status, Type, Value};

use super::home::{Home, config, number, seconds};
use crate::zigbee::{
    BistableRelay, Measured, Plug, PlugOrder, PlugScales, ScalingFault, Shown, ZigbeeNode,
};

const MINUTE: SimDuration = SimDuration::from_seconds(60);
const ACTIVE: u16 = 0x050B;
const VOLTAGE: u16 = 0x0505;

fn node(has_display: bool) -> ZigbeeNode<Plug> {
    let plug = Plug::new(BistableRelay::new(true), has_display);
    ZigbeeNode::plug(config(), plug, PlugScales::default(), MINUTE)
}

fn home() -> Home<Plug> {
    Home::new(node(false))
}

fn measured(active_w: f64) -> Measured {
    Measured {
        voltage_v: Some(230.14),
        current_a: Some(0.4346),
        active_w: Some(active_w),
        reactive_var: Some(-12.3),
        apparent_va: Some(100.02),
        power_factor: Some(0.9987),
        frequency_hz: Some(49.987),
        delivered_j: Some(3_600_000.0 * 1.25),
        received_j: Some(0.0),
    }
}

/// Sets what is measured now.
fn measure(home: &mut Home<Plug>, values: Measured) -> Option<Shown> {
    home.node.measure(values)
}

#[test]
fn switching_moves_the_relay_and_is_answered_byte_for_byte() {
    let mut home = home();
    // Default responses: frame control, sequence, command 0B, answered command, status.
    assert_eq!(home.ask(ON_OFF, OnOff::Off.frame(7)), [0x18, 7, 0x0B, 0x00, 0x00]);
    assert_eq!(home.node.application.order(), Some(PlugOrder::Switched { is_closed: false }));
    assert_eq!(home.ask(ON_OFF, OnOff::Off.frame(8)), [0x18, 8, 0x0B, 0x00, 0x00]);
    assert_eq!(home.node.application.order(), None, "it is open already");
    assert_eq!(home.read(ON_OFF, 0), Some(0));
    home.ask(ON_OFF, OnOff::Toggle.frame(9));
    assert_eq!(home.node.application.order(), Some(PlugOrder::Switched { is_closed: true }));
    assert_eq!(home.node.application.relay().operations(), 2);
    // Command 42 of On/Off (on with timed off) is not built in.
    assert_eq!(home.ask(ON_OFF, vec![0x01, 3, 0x42]), [0x18, 3, 0x0B, 0x42, 0x81]);
    // Without wanting a default response, only errors are answered.
    assert_eq!(home.ask(ON_OFF, vec![0x11, 4, 0x00]), Vec::<u8>::new());
    assert_eq!(home.ask(ON_OFF, vec![0x11, 5, 0x42]), [0x18, 5, 0x0B, 0x42, 0x81]);
    // A change of the relay is reported without waiting for the minute.
    home.run(seconds(1));
    let states: Vec<_> = home.reported(ON_OFF, 0).iter().map(|(_, number)| *number).collect();
    assert_eq!(states.last(), Some(&Some(0)));
    assert!(home.now < SimTime(0) + MINUTE);
}

#[test]
fn reads_writes_and_wrong_frames_are_answered_as_the_standard_has_it() {
    let mut home = home();
    measure(&mut home, measured(99.9));
    // Voltage: U16 2301 is 230.1 V; attribute 7777 is unsupported.
    let answer = home.ask(ELECTRICAL_MEASUREMENT, vec![0, 1, 0, 0x05, 0x05, 0x77, 0x77]);
    assert_eq!(answer, [0x18, 1, 1, 0x05, 0x05, 0, 0x21, 0xFD, 0x08, 0x77, 0x77, 0x86]);
    // A voltage cannot be written; the behaviour at power-up can, with values that it has.
    let mut write = |cluster, id, value| {
        let answer = home.global(cluster, command::WRITE, &[Attribute { id, value }]);
        answer[3..].to_vec()
    };
    assert_eq!(write(ELECTRICAL_MEASUREMENT, VOLTAGE, Value::U16(Some(1))), [0x88, 0x05, 0x05]);
    assert_eq!(write(ON_OFF, START_UP, Value::Enum8(Some(1))), [0]);
    assert_eq!(write(ON_OFF, START_UP, Value::Enum8(Some(7))), [0x87, 0x03, 0x40]);
    assert_eq!(write(ON_OFF, START_UP, Value::U8(Some(1))), [0x8D, 0x03, 0x40]);
    assert_eq!(home.read(ON_OFF, START_UP), Some(1));
    // Half an attribute, and a command that is none.
    assert_eq!(home.ask(ON_OFF, vec![0, 2, 0, 0x00]), [0x18, 2, 0x0B, 0, 0x80]);
    assert_eq!(home.ask(ON_OFF, vec![0, 3, 0x77]), [0x18, 3, 0x0B, 0x77, 0x82]);
    // What is no frame, or for a client, is not answered.
    for payload in [vec![], vec![0x03], vec![0x08, 1, 0, 0, 0]] {
        assert_eq!(home.ask(ON_OFF, payload), Vec::<u8>::new());
    }
}

#[test]
fn measurements_are_numbers_by_the_nodes_own_scales() {
    let mut home = home();
    measure(&mut home, measured(-1234.5));
    let mut scales = Scales::default();
    let mut found = Vec::new();
    for (cluster, ids) in [
        (ELECTRICAL_MEASUREMENT, &[0x0400_u16, 0x0401, 0x0600, 0x0601, 0x0602, 0x0603, 0x0604][..]),
        (ELECTRICAL_MEASUREMENT, &[0x0605]),
        (METERING, &[0x0300, 0x0301, 0x0302]),
    ] {
        for &id in ids {
            let value = home.node.server.attributes.read(cluster, id).unwrap();
            assert!(scales.learn(cluster, &Attribute { id, value }).unwrap());
        }
    }
    home.run(seconds(1));
    for (cluster, ids) in [
        (
            ELECTRICAL_MEASUREMENT,
            &[0x0300_u16, VOLTAGE, 0x0508, ACTIVE, 0x050E, 0x050F, 0x0510][..],
        ),
        (METERING, &[0x0000, 0x0001, 0x0400]),
    ] {
        for &id in ids {
            let value = home.node.server.attributes.read(cluster, id).unwrap();
            let scaled = scales.convert(cluster, &Attribute { id, value }).unwrap().unwrap();
            // The demand is the active power once more.
            let times = usize::from((cluster, id) != (METERING, 0x0400));
            assert_eq!(home.reported(cluster, id).len(), times, "{id:04X}");
            found.push((scaled.quantity, scaled.value, scaled.resolution));
        }
    }
    let expected = [
        (Quantity::Frequency, 49.987),
        (Quantity::VoltageRms, 230.14),
        (Quantity::CurrentRms, 0.4346),
        (Quantity::ActivePower, -1234.5),
        (Quantity::ReactivePower, -12.3),
        (Quantity::ApparentPower, 100.02),
        (Quantity::PowerFactor, 0.9987),
        (Quantity::EnergyDelivered, 4_500_000.0),
        (Quantity::EnergyReceived, 0.0),
        (Quantity::Demand, -1234.5),
    ];
    assert_eq!(found.len(), expected.len());
    for ((quantity, value, resolution), (wanted, is)) in found.into_iter().zip(expected) {
        assert_eq!(quantity, wanted);
        let step = if quantity == Quantity::PowerFactor { 0.01 } else { resolution };
        assert!((value - is).abs() <= step / 2.0 + 1e-9, "{quantity:?}: {value} for {is}");
    }
}

#[test]
fn what_a_field_cannot_hold_is_no_value_and_never_another_number() {
    let mut home = home();
    for (volts, expected) in [
        (6_553.4, Some(65_534)),
        // 65535 stands for no value: it is not 6553.5 V.
        (6_553.5, None),
        (9_999.0, None),
        (-1.0, None),
        (f64::NAN, None),
    ] {
        measure(&mut home, Measured { voltage_v: Some(volts), ..measured(0.0) });
        assert_eq!(home.read(ELECTRICAL_MEASUREMENT, VOLTAGE), expected, "{volts}");
    }
    measure(&mut home, Measured { voltage_v: None, ..measured(0.0) });
    let answer = home.ask(ELECTRICAL_MEASUREMENT, vec![0, 1, 0, 0x05, 0x05]);
    assert_eq!(answer[3..], [0x05, 0x05, 0, 0x21, 0xFF, 0xFF]);
}

#[test]
fn reports_come_every_period_with_all_values() {
    let mut home = home();
    measure(&mut home, measured(0.0));
    // What is measured each second is so half a second before a report.
    home.run(SimDuration::from_milliseconds(500));
    for second in 1..=300 {
        measure(&mut home, measured(f64::from(second)));
        home.run(seconds(1));
    }
    let reports = home.reported(ELECTRICAL_MEASUREMENT, ACTIVE);
    assert_eq!(reports.len(), 6, "{reports:?}");
    for pair in reports.windows(2) {
        assert_eq!(pair[1].0 - pair[0].0, MINUTE);
        // Watts in eighths: what was measured then, and not before.
        assert_eq!(pair[1].1.unwrap() - pair[0].1.unwrap(), 60 * 8);
    }
    assert_eq!(home.reported(METERING, 0).len(), 6);
}

#[test]
fn reporting_is_configured_by_interval_and_change() {
    let mut home = home();
    let mut configure = |min_s, max_s, change| {
        let record = ReportingRecord::Send { id: ACTIVE, min_s, max_s, change };
        let answer = home.global(ELECTRICAL_MEASUREMENT, command::CONFIGURE_REPORTING, &[record]);
        answer[3]
    };
    let watts = |watts: i16| Reportable::Change(number(8 * watts));
    assert_eq!(configure(60, 30, watts(10)), Status::INVALID_VALUE.0);
    assert_eq!(configure(5, 600, Reportable::Any(Type::Bool)), Status::INVALID_DATA_TYPE.0);
    assert_eq!(configure(5, 600, watts(-1)), Status::INVALID_VALUE.0);
    assert_eq!(configure(5, 600, watts(10)), Status::SUCCESS.0);
    let change = Reportable::Change(Value::U16(Some(1)));
    let record = ReportingRecord::Send { id: 0x0600, min_s: 0, max_s: 60, change };
    let answer = home.global(ELECTRICAL_MEASUREMENT, command::CONFIGURE_REPORTING, &[record]);
    assert_eq!(answer[3..], [Status::UNREPORTABLE_ATTRIBUTE.0, 0, 0x00, 0x06]);
    // 9 W are too small a change, 10 W are not; the second within 5 s waits for them.
    let begin = home.now;
    for (at_s, watts) in [(0, 100.0), (10, 109.0), (20, 110.0), (22, 130.0), (23, 90.0)] {
        home.run(begin + seconds(at_s) - home.now);
        measure(&mut home, measured(watts));
    }
    home.run(begin + seconds(700) - home.now);
    let reports = home.reported(ELECTRICAL_MEASUREMENT, ACTIVE);
    let rounded = |at: SimTime| (at - begin).as_seconds_f64().round() as i64;
    let found: Vec<_> =
        reports.iter().map(|(at, number)| (rounded(*at), number.unwrap() / 8)).collect();
    assert_eq!(found, [(0, 100), (20, 110), (25, 90), (625, 90)]);
    // 65535 ends them.
    let record = ReportingRecord::Send { id: ACTIVE, min_s: 0, max_s: 0xFFFF, change: watts(0) };
    home.global(ELECTRICAL_MEASUREMENT, command::CONFIGURE_REPORTING, &[record]);
    assert_eq!(home.node.server.attributes.reporting(ELECTRICAL_MEASUREMENT, ACTIVE), None);
    measure(&mut home, measured(2_000.0));
    home.run(seconds(700));
    assert_eq!(home.reported(ELECTRICAL_MEASUREMENT, ACTIVE).len(), 4);
}

#[test]
fn relay_energy_and_settings_outlast_a_loss_of_power() {
    for (setting, closed_after) in [
        (Value::Enum8(None), false),
        (Value::Enum8(Some(0)), false),
        (Value::Enum8(Some(1)), true),
        (Value::Enum8(Some(2)), true),
    ] {
        let mut home = home();
        home.global(ON_OFF, command::WRITE, &[Attribute { id: START_UP, value: setting }]);
        measure(&mut home, measured(100.0));
        home.ask(ON_OFF, OnOff::Off.frame(1));
        while home.node.application.order().is_some() {}
        home.run(seconds(5));
        let before = home.received.len();
        home.node.lose_power();
        assert!(!home.node.application.relay().is_closed());
        // Commands do not move a contact without power, and nothing is sent or measured.
        let aps = home.received[0].1.clone();
        let command = OnOff::On.frame(2);
        let _ = home.coordinator.send(
            home.now,
            super::home::NODE,
            lastmeter_zigbee::network::ApsFrame { cluster: ON_OFF, payload: command, ..aps },
        );
        assert_eq!(measure(&mut home, measured(5.0)), None);
        home.run(seconds(90));
        assert!(!home.node.application.relay().is_closed());
        assert_eq!((home.received.len(), home.node.next()), (before, None));
        let address = home.node.radio.address();
        let now = home.now;
        home.node.restore_power(now);
        home.run(seconds(3));
        assert_eq!(home.node.radio.state(), NodeState::Joined);
        assert_ne!(home.node.radio.address(), address, "it rejoined with another address");
        assert_eq!(home.node.application.relay().is_closed(), closed_after, "{setting:?}");
        let order = closed_after.then_some(PlugOrder::Switched { is_closed: true });
        assert_eq!(home.node.application.order(), order);
        // Energy goes on where it was, and what is measured is unknown until it is measured.
        assert_eq!(home.read(METERING, 0), Some(1_250_000));
        assert_eq!(home.read(ELECTRICAL_MEASUREMENT, VOLTAGE), None);
        assert_eq!(home.read(ON_OFF, START_UP), setting.number());
    }
}

#[test]
fn scaling_faults_are_what_a_decoder_has_to_refuse() {
    let multiplier = (ELECTRICAL_MEASUREMENT, 0x0604);
    for (fault, read, number) in [
        (ScalingFault::Absent, None, 800),
        (ScalingFault::Zero, Some(0), 800),
        // Values are scaled by the new one: a reader of the old one is wrong by five.
        (ScalingFault::Changed(5), Some(5), 160),
    ] {
        let mut home = home();
        let mut scales = Scales::default();
        for id in [0x0604, 0x0605] {
            let value = home.node.server.attributes.read(ELECTRICAL_MEASUREMENT, id).unwrap();
            scales.learn(ELECTRICAL_MEASUREMENT, &Attribute { id, value }).unwrap();
        }
        assert!(home.node.server.attributes.set_fault(multiplier.0, multiplier.1, Some(fault)));
        measure(&mut home, measured(100.0));
        assert_eq!(home.read(multiplier.0, multiplier.1), read);
        assert_eq!(home.read(ELECTRICAL_MEASUREMENT, ACTIVE), Some(number));
        if let Ok(value) = home.node.server.attributes.read(multiplier.0, multiplier.1) {
            let learnt = scales.learn(multiplier.0, &Attribute { id: multiplier.1, value });
            let is_refused =
                matches!(learnt, Err(ScaleError::Zero { .. } | ScaleError::Changed { .. }));
            assert!(is_refused, "{learnt:?}");
        }
        home.node.server.attributes.set_fault(multiplier.0, multiplier.1, None);
        measure(&mut home, measured(100.0));
        assert_eq!(home.read(ELECTRICAL_MEASUREMENT, ACTIVE), Some(800));
    }
    let mut home = home();
    assert!(!home.node.server.attributes.set_fault(METERING, 0x7777, Some(ScalingFault::Zero)));
}

#[test]
fn calibration_reaches_the_chip_if_its_check_is_right() {
    let mut home = home();
    let header = Header::cluster(Direction::ToServer, 3, CALIBRATION_WRITE);
    let written = CalibrationWrite { channel: 1, gain: 0x40_1234, offset: -77 };
    let frame = header.of_manufacturer(MANUFACTURER).with_records(&[written]).unwrap();
    let mut damaged = frame.clone();
    damaged[6] ^= 1;
    for (bytes, status) in [(damaged, Status::MALFORMED_COMMAND), (frame.clone(), Status::SUCCESS)]
    {
        let answer = home.ask(PLUG, bytes);
        assert_eq!(answer.last(), Some(&status.0));
    }
    assert_eq!(home.node.application.order(), Some(PlugOrder::Calibrate(written)));
    assert_eq!(home.node.application.order(), None);
    // The same of another manufacturer is somebody else's command.
    let other = header.of_manufacturer(0x1234).with_records(&[written]).unwrap();
    let status = Status::UNSUPPORTED_MANUFACTURER_CLUSTER_COMMAND.0;
    assert_eq!(home.ask(PLUG, other).last(), Some(&status));
}

#[test]
fn display_shows_the_plugs_own_values_until_it_sticks() {
    let mut home = Home::new(node(true));
    let texts = |shown: Option<Shown>| {
        shown.map(|shown| shown.into_values().collect::<Vec<String>>()).unwrap_or_default()
    };
    // In steps of an eighth of a watt: 99.94 is 100.
    let shown = texts(measure(&mut home, measured(99.94)));
    assert_eq!(shown, ["0.435 A", "1.250 kWh", "100.0 W", "230.1 V"]);
    assert_eq!(measure(&mut home, measured(99.94)), None, "nothing has changed");
    let absent = Measured { current_a: None, ..measured(-3.0) };
    let shown = measure(&mut home, absent).unwrap();
    assert_eq!(shown["electricity.power.active.injected.total"], "3.0 W");
    assert_eq!(shown["electricity.current.rms.l1"], "--- A");
    home.node.application.set_sticking(true);
    assert_eq!(measure(&mut home, measured(2_000.0)), None);
    home.node.application.set_sticking(false);
    let shown = measure(&mut home, measured(2_000.0)).unwrap();
    assert_eq!(shown["electricity.power.active.consumed.total"], "2000.0 W");
    assert_eq!(measure(&mut self::home(), measured(1.0)), None, "one without a display");
}
