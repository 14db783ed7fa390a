//! What a batch holds, and how each kind of mistake in one is reported.

use lastmeter_units::{Epoch, HardwareId, MeasurementId, Serial, SimTime};
use lastmeter_wire::flexmeter::RefusalReason::{
    BadDate, BadHardwareId, BadMetadata, DuplicateKey, MissingField, NoMeasurements, NotANumber,
    NotAnObject, NotJson, TooManyValues, UnknownIdentifier, UnknownType, WrongType,
};
use lastmeter_wire::flexmeter::{
    AcknowledgeMessage, AlertLevel, AlertMessage, DecodeRules, Element, Limits, MeasurementMessage,
    RefusalReason, Request, decode_batch,
};
use proptest::prelude::*;

#[path = "tools/batch.rs"]
mod batch;

use batch::encode_batch;

const RULES: DecodeRules =
    DecodeRules { strict_table2: false, plausible_only: false, limits: Limits::BATCH };

fn id(text: &str) -> HardwareId {
    HardwareId::new(text).expect("an id")
}

fn reading(device: &str, serial: u64, volts: f64) -> MeasurementMessage {
    let voltage = MeasurementId::lookup("electricity.voltage.rms.l1").expect("a quantity");
    MeasurementMessage {
        epoch: Some(Epoch(1)),
        serial: Some(Serial(serial)),
        event_date: Some(SimTime(serial.cast_signed() * 1_000_000_000)),
        ..MeasurementMessage::new(id(device), vec![(voltage, volts)])
    }
}

#[test]
fn each_element_is_what_its_own_message_would_be() {
    let text = br#"[
        {"hardwareId": "a", "originator": "o", "register": true,
         "alerts": [{"type": "t", "level": "Info", "message": "m", "updateState": true}],
         "measurements": [
            {"measurements": {"electricity.voltage.rms.l1": 1}, "eventDate": "1970-01-01T00:00:01Z",
             "metadata": {"serial": "1", "epoch": "1"}},
            {"measurements": {"electricity.voltage.rms.l1": 2.5}, "metadata": {"k": "v"}}]},
        {"hardwareId": "b", "acknowledgements": [{"originatingEventId": "7", "response": "ok"}]}]"#;
    let elements = decode_batch(text, &RULES).expect("a batch");
    let mut first = reading("a", 1, 1.0);
    first.originator = Some("o".to_owned());
    let mut second = MeasurementMessage::new(id("a"), vec![(first.values[0].0, 2.5)]);
    second.originator = Some("o".to_owned());
    second.metadata.insert("k".to_owned(), "v".to_owned());
    let alert = AlertMessage {
        hardware_id: id("a"),
        alert_type: "t".to_owned(),
        level: AlertLevel::Info,
        message: "m".to_owned(),
        event_date: None,
        update_state: true,
        epoch: None,
        serial: None,
        originator: Some("o".to_owned()),
        metadata: [].into(),
    };
    let answer = AcknowledgeMessage {
        hardware_id: id("b"),
        originating_event_id: "7".to_owned(),
        response: "ok".to_owned(),
        event_date: None,
        update_state: false,
        metadata: [].into(),
    };
    let expected = [
        Element::Registration(id("a")),
        Element::Request(Request::Measurements(first)),
        Element::Request(Request::Measurements(second)),
        Element::Request(Request::Alert(alert)),
        Element::Request(Request::Acknowledge(answer)),
    ];
    assert_eq!(elements, expected);
}

/// Payload, reason, part of the detail, device, and how many others are right in themselves.
type Case = (String, RefusalReason, &'static str, Option<&'static str>, usize);

fn broken_documents() -> Vec<Case> {
    vec![
        ("{".to_owned(), NotJson, "EOF", None, 0),
        ("7".into(), NotAnObject, "a number, expected an object", None, 0),
        ("[[]]".into(), NotAnObject, "object 1: a list, expected", None, 0),
        ("[]".into(), NoMeasurements, "no element", None, 0),
        (r#"{"hardwareId":"a"}"#.into(), NoMeasurements, "no element", None, 0),
        (r#"{"measurements":[]}"#.into(), MissingField, "`hardwareId`", None, 0),
        (r#"{"hardwareId":"a/b"}"#.into(), BadHardwareId, "", None, 0),
        (r#"{"hardwareId":"a","register":1}"#.into(), WrongType, "`register`", Some("a"), 0),
        (r#"{"hardwareId":"a","alerts":{}}"#.into(), WrongType, "`alerts` is an", Some("a"), 0),
        (
            r#"{"hardwareId":"a","locations":[]}"#.into(),
            UnknownType,
            "`locations` is not a key",
            Some("a"),
            0,
        ),
        (
            r#"{"hardwareId":"a","alerts":[],"alerts":[]}"#.into(),
            DuplicateKey,
            "`alerts`",
            Some("a"),
            0,
        ),
    ]
}

fn broken_elements() -> Vec<Case> {
    let good = r#"{"measurements":{"electricity.frequency":50}}"#;
    let batch = |list: &str| format!(r#"{{"hardwareId":"a","measurements":[{good},{list}]}}"#);
    let many = vec![good; 1000].join(",");
    let frequency = r#"{"measurements":{"electricity.frequency":"50"}}"#;
    vec![
        (batch("{}"), MissingField, "measurements[1]: `measurements` is", Some("a"), 1),
        (batch("1"), WrongType, "measurements[1]: a number", Some("a"), 1),
        (batch(&format!("null,{good}")), WrongType, "measurements[1]: null", Some("a"), 2),
        (batch(frequency), NotANumber, "measurements[1]: the value of", Some("a"), 1),
        (
            batch(r#"{"measurements":{"electricity.frequencies":50}}"#),
            UnknownIdentifier,
            "measurements[1]: `electricity.frequencies`",
            Some("a"),
            1,
        ),
        (
            batch(r#"{"measurements":{"electricity.frequency":50},"eventDate":"noon"}"#),
            BadDate,
            "measurements[1]: `noon`",
            Some("a"),
            1,
        ),
        (
            batch(r#"{"measurements":{"electricity.frequency":50},"metadata":{"serial":"0"}}"#),
            BadMetadata,
            "measurements[1]: `metadata.serial`",
            Some("a"),
            1,
        ),
        (batch(&many), TooManyValues, "1001 elements, at most 1000", Some("a"), 0),
        (
            format!("[{},{}]", batch(good), batch(&format!("{good},{{}}"))),
            MissingField,
            "object 2: measurements[2]: `measurements`",
            Some("a"),
            4,
        ),
        (
            format!(
                r#"[{{"hardwareId":"a","measurements":[{many}]}},{{"hardwareId":"b","measurements":[{good}]}}]"#
            ),
            TooManyValues,
            "more than 1000 elements",
            Some("b"),
            1000,
        ),
    ]
}

#[test]
fn each_mistake_has_its_reason_and_its_place_and_refuses_the_whole_batch() {
    let cases = broken_documents().into_iter().chain(broken_elements());
    for (text, reason, detail, device, sound) in cases {
        let found = decode_batch(text.as_bytes(), &RULES).expect_err(&text);
        let shown = &text[..text.len().min(80)];
        assert_eq!(found.refusal.reason, reason, "{shown}: {found}");
        assert!(found.refusal.detail.contains(detail), "{shown}: {found}");
        let name = found.refusal.hardware_id.as_ref().map(HardwareId::as_str);
        assert_eq!((name, found.sound), (device, sound), "{shown}: {found}");
    }
}

fn element() -> impl Strategy<Value = Element> {
    let device = (0..3_usize).prop_map(|index| ["a", "b ü\"", "c"][index]);
    let originator = prop::option::of("[a-z\"]{0,3}");
    (0..4_u8, device, originator, 1..9_u64, -1e9..1e9).prop_map(
        |(kind, device, originator, serial, value)| match kind {
            0 => Element::Registration(id(device)),
            1 => Element::Request(Request::Measurements(MeasurementMessage {
                originator,
                ..reading(device, serial, value)
            })),
            2 => Element::Request(Request::Alert(AlertMessage {
                hardware_id: id(device),
                alert_type: "t".to_owned(),
                level: AlertLevel::Error,
                message: value.to_string(),
                event_date: Some(SimTime(serial.cast_signed())),
                update_state: serial % 2 == 0,
                epoch: Some(Epoch(2)),
                serial: Some(Serial(serial)),
                originator,
                metadata: [("k".to_owned(), "\u{1}".to_owned())].into(),
            })),
            _ => Element::Request(Request::Acknowledge(AcknowledgeMessage {
                hardware_id: id(device),
                originating_event_id: serial.to_string(),
                response: value.to_string(),
                event_date: None,
                update_state: false,
                metadata: [].into(),
            })),
        },
    )
}

proptest! {
    #[test]
    fn a_batch_reads_back_as_it_was_written(elements in prop::collection::vec(element(), 1..40)) {
        let mut bytes = Vec::new();
        encode_batch(&elements, &mut bytes);
        prop_assert_eq!(decode_batch(&bytes, &RULES), Ok(elements));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_batch(&bytes, &RULES);
    }

    #[test]
    fn a_cut_batch_is_refused(
        elements in prop::collection::vec(element(), 1..9), cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = Vec::new();
        encode_batch(&elements, &mut bytes);
        prop_assert!(decode_batch(&bytes[..cut.index(bytes.len())], &RULES).is_err());
    }
}
