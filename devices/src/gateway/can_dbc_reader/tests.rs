//! Boards with identifiers of their own: frames by hand, in bytes that are computed here.

use std::collections::BTreeMap;

use lastmeter_can::bus::Happening;
use lastmeter_params::{Diagnostics, SourceId, Span, Table, parse_document, read_table};
use lastmeter_sim::Streams;
use lastmeter_units::{Epoch, SimDuration, SimTime};
use lastmeter_wire::flexmeter::{DecodeRules, Request, decode};
use proptest::prelude::*;

use super::*;
use crate::gateway::{Gateway, GatewayInput, GatewayOutput};

const DBC: &str = "BO_ 291 Mains: 8 Board\n\
     SG_ Voltage : 0|16@1+ (0.01,0) [0|0] \"V\" Reader\n\
     SG_ Power : 16|32@1- (0.001,0) [0|0] \"kW\" Reader\n\
    BO_ 292 Tail: 4 Board\n SG_ Energy : 7|32@0+ (1,0) [0|0] \"Wh\" Reader\n\
    BO_ 2147483939 Wide: 8 Board\n SG_ Current : 0|16@1+ (1,0) [0|0] \"A\" Reader\n";
const ADDRESS: &str = "Mains.Voltage=electricity.voltage.rms.l1;\
    Mains.Power=electricity.power.active.consumed.total;\
    Tail.Energy=electricity.energy.active.consumed.total";
const START: SimTime = SimTime(1_000_000_000_000);

fn table(text: &str) -> Table {
    parse_document(text, SourceId::FILE, &mut Diagnostics::new())
}

/// A reader by its keys; what is wrong with them.
fn made(keys: &str, address: &str, dbc: &str) -> Result<Box<dyn Gateway>, String> {
    let mut out = Diagnostics::new();
    let text = format!("database = \"b.dbc\"\noutbox = \"volatile\"\n{keys}");
    let table = table(&text);
    let values =
        read_table(&table, Span { source: SourceId::FILE, start: 0, end: 0 }, &FIELDS, &mut out)
            .unwrap();
    let id = |name: &str| HardwareId::new(name).unwrap();
    let context = GatewayContext {
        name: "reader",
        hardware_id: id("reader"),
        tenant: "default",
        start: START,
        epoch: Epoch(1),
        networks: vec![NetworkContext {
            bits_per_second: 125_000,
            devices: vec![(id("board"), address.to_owned())],
        }],
        streams: &Streams::new(1),
        files: &BTreeMap::from([("b.dbc".to_owned(), dbc.to_owned())]),
    };
    let reader = (CAN_DBC_READER.build)(&values, &context, &[], &mut out);
    let messages = |out: Diagnostics| out.into_sorted().into_iter().map(|it| it.message);
    reader.ok_or_else(|| messages(out).collect::<Vec<_>>().join("; "))
}

type Readings = Vec<(SimTime, u64, BTreeMap<String, f64>)>;

/// What is done with it at instants in milliseconds after the start: readings, and what it offers.
fn played(reader: &mut dyn Gateway, frames: &[(i64, &str)]) -> (Readings, Vec<String>, usize) {
    let (mut readings, mut offers, mut alerts) = (Vec::new(), Vec::new(), 0);
    let mut out = Vec::new();
    reader.step(START, GatewayInput::Connected, &mut out);
    for (at_ms, text) in frames {
        let at = START + SimDuration::from_milliseconds(*at_ms);
        while let Some(wake) = reader.wake_at().filter(|wake| *wake <= at) {
            reader.step(wake, GatewayInput::Wake, &mut out);
        }
        if let Ok(frame) = text.parse() {
            let what = Happening::Received(frame);
            reader.step(at, GatewayInput::Wire { network: 0, what }, &mut out);
        }
    }
    for output in out {
        match output {
            GatewayOutput::Send { payload, .. } => {
                match decode(&payload, &DecodeRules::default()).unwrap() {
                    Request::Measurements(message) => {
                        let values = message.values.iter();
                        let values = values.map(|(id, value)| (id.to_string(), *value)).collect();
                        let (at, serial) = (message.event_date.unwrap(), message.serial.unwrap());
                        readings.push((at, serial.0, values));
                    }
                    _ => alerts += 1,
                }
            }
            GatewayOutput::Offer { frame, .. } => offers.extend(frame.map(|it| it.to_string())),
            _ => {}
        }
    }
    (readings, offers, alerts)
}

/// 0x5A3C = 23100 centivolts; -2500 W in two's complement; 1234 Wh big endian.
#[test]
fn what_was_broadcast_is_the_reading_of_the_next_poll() {
    let mut reader =
        made("poll_every = \"2 s\"", ADDRESS, DBC).map_err(|it| panic!("{it}")).unwrap();
    let frames = [
        (100, "123#0000000000000000"),
        (900, "123#3C5AC409000000AA"),
        (1000, "124#000004D2"),
        (1100, "125#FFFF"),
        (1200, "124#R4"),
        (1300, "124#0000"),
        (5900, "123#3D5AC409000000AA"),
        (6100, ""),
    ];
    let (readings, offers, alerts) = played(reader.as_mut(), &frames);
    assert_eq!((readings.len(), alerts, offers.len()), (2, 2, 0), "silent at the second poll");
    let value = |reading: usize, name: &str| readings[reading].2.get(name).copied();
    let at = |seconds| START + SimDuration::from_seconds(seconds);
    assert_eq!((readings[0].0, readings[0].1, readings[1].0, readings[1].1), (at(2), 1, at(6), 2));
    assert_eq!(value(0, "electricity.voltage.rms.l1"), Some(231.0));
    // Messages have kilowatts and kilowatt-hours.
    assert_eq!(value(0, "electricity.power.active.consumed.total"), Some(2.5));
    let energy = value(0, "electricity.energy.active.consumed.total").unwrap();
    assert!((energy - 1.234).abs() < 1e-12, "{energy}");
    assert_eq!(value(1, "electricity.energy.active.consumed.total"), None, "nothing new of it");
    assert!((value(1, "electricity.voltage.rms.l1").unwrap() - 231.01).abs() < 1e-9);
}

#[test]
fn what_is_asked_for_is_awaited() {
    let keys = "poll_every = \"2 s\"\npatience = \"100 ms\"\nask = [\"Tail\"]";
    let mut reader = made(keys, ADDRESS, DBC).map_err(|it| panic!("{it}")).unwrap();
    let frames = [(1900, ""), (2050, "124#000003E8"), (2099, ""), (2200, ""), (4200, "")];
    let (readings, offers, alerts) = played(reader.as_mut(), &frames);
    assert_eq!((readings.len(), alerts), (1, 1));
    assert_eq!(readings[0].0, START + SimDuration::from_seconds(2), "dated by the poll");
    assert_eq!(readings[0].2.values().copied().collect::<Vec<_>>(), [1.0]);
    assert_eq!(offers.first().map(String::as_str), Some("124#R4"));
}

#[test]
fn what_the_file_has_not_is_named() {
    let gone = ADDRESS.replace("Tail.Energy", "Tail.Work");
    let current = "=electricity.current.rms.l1";
    for (keys, address, dbc, expected) in [
        ("", gone.as_str(), DBC, "message `Tail` has no signal `Work`"),
        ("", &ADDRESS.replace("Tail.", "Tall."), DBC, "the DBC file has no message `Tall`"),
        ("", &format!("Wide.Current{current}"), DBC, "has an identifier of 29 bits"),
        ("", &format!("Mains.Voltage{current}"), DBC, "`V` is not a unit of electricity.current"),
        ("", "3 none", DBC, "`board` is a node of a metering network"),
        ("ask = [\"Head\"]", ADDRESS, DBC, "the DBC file has no message `Head`"),
        ("", ADDRESS, "BO_ 1 A: 9 B\n", "b.dbc: line 1"),
    ] {
        let found = made(keys, address, dbc).map(|_| ()).unwrap_err();
        assert!(found.contains(expected), "{expected}: {found}");
    }
}

proptest! {
    /// Whatever is on the bus: no panic, and each reading is dated by a poll and numbered in order.
    #[test]
    fn any_frames_make_readings_in_order(
        frames in prop::collection::vec(
            (0..9_000_i64, 0x122_u32..0x127, any::<u64>(), 0..9_usize),
            0..60,
        ),
    ) {
        let mut frames = frames;
        frames.sort_by_key(|(at, ..)| *at);
        let texts: Vec<(i64, String)> = frames
            .iter()
            .map(|(at, id, data, length)| {
                (*at, format!("{id:03X}#{}", &format!("{data:016X}")[..2 * length]))
            })
            .collect();
        let all: Vec<(i64, &str)> = texts.iter().map(|(at, text)| (*at, text.as_str())).collect();
        let reader = made("poll_every = \"1 s\"", ADDRESS, DBC);
        let mut reader = reader.map_err(|it| panic!("{it}")).unwrap();
        let (readings, ..) = played(reader.as_mut(), &all);
        for (place, (at, serial, values)) in readings.iter().enumerate() {
            prop_assert_eq!(*serial, place as u64 + 1);
            prop_assert_eq!((*at - START).0 % 1_000_000_000, 0);
            prop_assert!(!values.is_empty());
        }
    }
}
