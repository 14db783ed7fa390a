//! Every word of the refusal list is reached by a payload that deserves it, and the reason does
//! not depend on what else is in the message.

use std::collections::BTreeSet;

use lastmeter_units::{Epoch, HardwareId, Serial};
use lastmeter_wire::flexmeter::{
    DecodeRules, Limits, RefusalReason, Request, decode, decode_command,
};

fn reason_of(payload: &[u8]) -> &'static str {
    match decode(payload, &DecodeRules::default()) {
        Err(refusal) => {
            assert!(!refusal.detail.is_empty());
            refusal.reason.word()
        }
        Ok(request) => panic!("{} is accepted as {request:?}", String::from_utf8_lossy(payload)),
    }
}

fn measuring(body: &str) -> String {
    format!(r#"{{"hardwareId":"a","type":"DeviceMeasurements","request":{{{body}}}}}"#)
}

const ONE: &str = r#""measurements":{"water.volume":1}"#;

const ENVELOPES: &[(&str, &str)] = &[
    ("not_json", ""),
    ("not_json", "   "),
    ("not_json", "hello"),
    ("not_json", "{"),
    ("not_json", "{'hardwareId':'a'}"),
    ("not_json", r#"{"hardwareId":"a",}"#),
    ("not_json", r#"{"hardwareId":NaN}"#),
    ("not_json", r#"{"hardwareId":"a","type":"DeviceMeasurements","request":{"measurements":{"#),
    ("trailing_data", "{} {}"),
    ("trailing_data", "{}x"),
    ("trailing_data", "1 2"),
    ("not_an_object", "1"),
    ("not_an_object", "null"),
    ("not_an_object", "true"),
    ("not_an_object", "\"text\""),
    ("not_an_object", "[{}]"),
    ("missing_field", "{}"),
    ("missing_field", r#"{"hardwareId":null,"type":"DeviceMeasurements","request":{}}"#),
    ("missing_field", r#"{"hardwareId":"","type":"DeviceMeasurements","request":{}}"#),
    ("missing_field", r#"{"hardwareId":"a","request":{}}"#),
    ("missing_field", r#"{"hardwareId":"a","type":"DeviceMeasurements"}"#),
    ("missing_field", r#"{"hardwareId":"a","type":"DeviceMeasurements","request":null}"#),
    ("wrong_type", r#"{"hardwareId":7,"type":"DeviceMeasurements","request":{}}"#),
    ("wrong_type", r#"{"hardwareId":"a","type":7,"request":{}}"#),
    ("wrong_type", r#"{"hardwareId":"a","type":"DeviceMeasurements","request":[]}"#),
    ("wrong_type", r#"{"hardwareId":"a","originator":1,"type":"Acknowledge","request":{}}"#),
    ("bad_hardware_id", r#"{"hardwareId":"a/b","type":"DeviceMeasurements","request":{}}"#),
    ("bad_hardware_id", r#"{"hardwareId":"a\u0000","type":"DeviceMeasurements","request":{}}"#),
    ("unknown_type", r#"{"hardwareId":"a","type":"deviceMeasurements","request":{}}"#),
    ("unknown_type", r#"{"hardwareId":"a","type":"DeviceLocation","request":{}}"#),
    ("duplicate_key", r#"{"hardwareId":"a","hardwareId":"a","type":"Acknowledge","request":{}}"#),
    ("duplicate_key", r#"{"hardwareId":"a","type":"Acknowledge","request":{},"request":null}"#),
    ("duplicate_key", r#"{"hardwareId":"a","hardware\u0049d":"b","type":"A","request":{}}"#),
];

const MEASUREMENTS: &[(&str, &str)] = &[
    ("missing_field", ""),
    ("missing_field", r#""measurements":null"#),
    ("wrong_type", r#""measurements":[1]"#),
    ("no_measurements", r#""measurements":{}"#),
    ("unknown_identifier", r#""measurements":{"electricity.power.active.consumed.l4":1}"#),
    ("unknown_identifier", r#""measurements":{"":1}"#),
    ("unknown_identifier", r#""measurements":{"forged":"text"}"#),
    ("duplicate_key", r#""measurements":{"water.volume":1,"water.volume":1}"#),
    ("duplicate_key", r#""measurements":{"water.volume":1,"water.v\u006flume":1}"#),
    ("duplicate_key", r#""measurements":{"water.volume":1},"measurements":{"water.volume":1}"#),
    ("not_a_number", r#""measurements":{"water.volume":"1"}"#),
    ("not_a_number", r#""measurements":{"water.volume":true}"#),
    ("not_a_number", r#""measurements":{"water.volume":null}"#),
    ("not_a_number", r#""measurements":{"water.volume":[1]}"#),
    ("not_a_number", r#""measurements":{"water.volume":{"a":1}}"#),
    ("not_a_number", r#""measurements":{"water.volume":1e999}"#),
    ("not_a_number", r#""measurements":{"water.volume":-1e999}"#),
    ("not_json", r#""measurements":{"water.volume":NaN}"#),
    ("not_json", r#""measurements":{"water.volume":01}"#),
    ("not_json", r#""measurements":{"water.volume":1.}"#),
    ("not_json", r#""measurements":{"water.volume":+1}"#),
    ("not_json", r#""measurements":{"water.volume":0x10}"#),
    ("wrong_type", r#""measurements":{"water.volume":1},"updateState":"true""#),
    ("wrong_type", r#""measurements":{"water.volume":1},"updateState":1"#),
    ("wrong_type", r#""measurements":{"water.volume":1},"eventDate":1455126003391"#),
    ("bad_date", r#""measurements":{"water.volume":1},"eventDate":"yesterday""#),
    ("bad_date", r#""measurements":{"water.volume":1},"eventDate":"2016-02-10T19:40:03""#),
    ("bad_date", r#""measurements":{"water.volume":1},"eventDate":"2016-02-30T19:40:03Z""#),
    ("bad_date", r#""measurements":{"water.volume":1},"eventDate":"2027-01-18T23:59:60Z""#),
    ("bad_date", r#""measurements":{"water.volume":1},"eventDate":"2027-01-18T17:00:00+25:00""#),
    (
        "bad_date",
        r#""measurements":{"water.volume":1},"eventDate":"2016-02-10T19:40:03+02:00[Europe/Rome]""#,
    ),
    ("bad_metadata", r#""measurements":{"water.volume":1},"metadata":["serial"]"#),
    ("bad_metadata", r#""measurements":{"water.volume":1},"metadata":{"serial":1}"#),
    ("bad_metadata", r#""measurements":{"water.volume":1},"metadata":{"note":null}"#),
    ("bad_metadata", r#""measurements":{"water.volume":1},"metadata":{"serial":"0"}"#),
    ("bad_metadata", r#""measurements":{"water.volume":1},"metadata":{"serial":"01"}"#),
    ("bad_metadata", r#""measurements":{"water.volume":1},"metadata":{"serial":"+1"}"#),
    ("bad_metadata", r#""measurements":{"water.volume":1},"metadata":{"serial":"1.0"}"#),
    ("bad_metadata", r#""measurements":{"water.volume":1},"metadata":{"serial":""}"#),
    ("bad_metadata", r#""measurements":{"water.volume":1},"metadata":{"epoch":"-1"}"#),
    (
        "bad_metadata",
        r#""measurements":{"water.volume":1},"metadata":{"serial":"18446744073709551616"}"#,
    ),
    ("duplicate_key", r#""measurements":{"water.volume":1},"metadata":{"a":"1","a":"2"}"#),
];

const ALERTS: &[(&str, &str)] = &[
    ("missing_field", r#""level":"Info","message":"m""#),
    ("missing_field", r#""type":"","level":"Info","message":"m""#),
    ("missing_field", r#""type":"t","message":"m""#),
    ("missing_field", r#""type":"t","level":"Info""#),
    ("bad_alert_level", r#""type":"t","level":"warning","message":"m""#),
    ("bad_alert_level", r#""type":"t","level":"Fatal","message":"m""#),
    ("wrong_type", r#""type":"t","level":3,"message":"m""#),
    ("wrong_type", r#""type":"t","level":"Info","message":{}"#),
    ("bad_metadata", r#""type":"t","level":"Info","message":"m","metadata":{"a":{}}"#),
];

const ACKNOWLEDGEMENTS: &[(&str, &str)] = &[
    ("missing_field", r#""response":"ok""#),
    ("missing_field", r#""originatingEventId":"""#),
    ("wrong_type", r#""originatingEventId":17"#),
    ("wrong_type", r#""originatingEventId":"i","response":false"#),
    ("bad_date", r#""originatingEventId":"i","eventDate":"""#),
];

#[test]
fn every_reason_is_reached_by_a_payload_that_deserves_it() {
    let mut reached = BTreeSet::new();
    let mut expect = |word: &'static str, payload: &[u8]| {
        assert_eq!(reason_of(payload), word, "{}", String::from_utf8_lossy(payload));
        reached.insert(word);
    };
    for &(word, payload) in ENVELOPES {
        expect(word, payload.as_bytes());
    }
    for &(word, body) in MEASUREMENTS {
        expect(word, measuring(body).as_bytes());
    }
    for (kind, bodies) in [("DeviceAlert", ALERTS), ("Acknowledge", ACKNOWLEDGEMENTS)] {
        for &(word, body) in bodies {
            let payload = format!(r#"{{"hardwareId":"a","type":"{kind}","request":{{{body}}}}}"#);
            expect(word, payload.as_bytes());
        }
    }
    expect("not_utf8", b"{\"hardwareId\":\"\xff\"}");
    let long = format!(r#"{{"hardwareId":"{}","type":"t","request":{{}}}}"#, "x".repeat(129));
    expect("bad_hardware_id", long.as_bytes());
    expect("too_large", &vec![b' '; 64 * 1024 + 1]);
    let nested = format!(r#"{ONE},"extra":{}{}"#, "[".repeat(20), "]".repeat(20));
    expect("too_deep", measuring(&nested).as_bytes());
    let deep = "[".repeat(30_000) + &"]".repeat(30_000);
    expect("too_deep", deep.as_bytes());
    let deep = r#"{"a":"#.repeat(10_000) + "1" + &"}".repeat(10_000);
    expect("too_deep", deep.as_bytes());

    let few = DecodeRules {
        limits: Limits { values_max: 1, metadata_max: 1, ..Limits::default() },
        ..DecodeRules::default()
    };
    let two = measuring(r#""measurements":{"water.volume":1,"gas.volume":2}"#);
    assert_eq!(decode(two.as_bytes(), &few).unwrap_err().reason, RefusalReason::TooManyValues);
    reached.insert("too_many_values");
    let two = measuring(&format!(r#"{ONE},"metadata":{{"a":"","b":""}}"#));
    assert_eq!(decode(two.as_bytes(), &few).unwrap_err().reason, RefusalReason::BadMetadata);

    let plausible = DecodeRules { plausible_only: true, ..DecodeRules::default() };
    let wide = measuring(r#""measurements":{"electricity.voltage.rms.l1":-2.3e30}"#);
    assert_eq!(decode(wide.as_bytes(), &plausible).unwrap_err().reason, RefusalReason::Implausible);
    reached.insert("implausible_value");

    // Of formats of their own: `results_and_blocks.rs` reaches them.
    reached.extend(["bad_result", "bad_block"]);

    let all: BTreeSet<_> = RefusalReason::ALL.iter().map(|reason| reason.word()).collect();
    assert_eq!(reached, all, "a reason without a payload, or a word without a reason");
}

#[test]
fn a_word_names_its_reason_again() {
    for reason in RefusalReason::ALL {
        assert_eq!(RefusalReason::from_word(reason.word()), Some(reason));
        assert_eq!(serde_json::to_string(&reason).unwrap(), format!("\"{reason}\""));
    }
    assert_eq!(RefusalReason::from_word("not_a_reason"), None);
}

#[test]
fn own_identifiers_are_refused_only_where_table_2_alone_counts() {
    let payload = measuring(r#""measurements":{"x.electricity.voltage.thd.l1":2.5}"#);
    let strict = DecodeRules { strict_table2: true, ..DecodeRules::default() };
    assert!(decode(payload.as_bytes(), &DecodeRules::default()).is_ok());
    let refusal = decode(payload.as_bytes(), &strict).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::UnknownIdentifier);
}

#[test]
fn the_reason_and_the_device_do_not_depend_on_the_order_of_the_keys() {
    let parts = [
        r#""hardwareId":"home""#,
        r#""type":"DeviceMeasurements""#,
        r#""request":{"eventDate":"never","measurements":{"forged":1},"updateState":3}"#,
    ];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let payload = format!("{{{}}}", order.map(|index| parts[index]).join(","));
        let refusal = decode(payload.as_bytes(), &DecodeRules::default()).unwrap_err();
        assert_eq!(refusal.reason, RefusalReason::UnknownIdentifier);
        assert!(refusal.detail.contains("`forged`"), "{}", refusal.detail);
        assert_eq!(refusal.hardware_id, Some(HardwareId::new("home").unwrap()));
    }
}

#[test]
fn keys_the_format_does_not_name_are_left_out() {
    let payload = r#"{"hardwareId":"a","colour":{"hardwareId":[1,{"a":null}]},
        "type":"DeviceMeasurements","request":{"measurements":{"water.volume":-0.0},
        "source":"Device","level":"nonsense","note":true,"note":2}}"#;
    let decoded = decode(payload.as_bytes(), &DecodeRules::default()).unwrap();
    let Request::Measurements(message) = decoded else { panic!("another type") };
    assert_eq!(message.values[0].1.to_bits(), (-0.0_f64).to_bits());
}

#[test]
fn a_serial_without_an_epoch_counts_in_epoch_zero() {
    for (metadata, number) in [
        (r#"{"serial":"7"}"#, Some((Epoch(0), Serial(7)))),
        (r#"{"serial":"7","epoch":"0"}"#, Some((Epoch(0), Serial(7)))),
        (r#"{"epoch":"3","serial":"18446744073709551615"}"#, Some((Epoch(3), Serial(u64::MAX)))),
        (r#"{"epoch":"3"}"#, None),
        ("{}", None),
        ("null", None),
    ] {
        let payload = measuring(&format!(r#"{ONE},"metadata":{metadata}"#));
        let Ok(Request::Measurements(message)) =
            decode(payload.as_bytes(), &DecodeRules::default())
        else {
            panic!("{metadata} is refused");
        };
        assert_eq!(message.number(), number, "{metadata}");
        assert!(message.metadata.is_empty());
    }
}

#[test]
fn a_device_refuses_what_is_no_command() {
    for (word, payload) in [
        ("not_json", "{"),
        ("trailing_data", "{}{}"),
        ("not_an_object", "[]"),
        ("missing_field", "{}"),
        ("wrong_type", r#"{"command":3}"#),
        ("missing_field", r#"{"command":{"invocation":{"id":"i"}}}"#),
        ("missing_field", r#"{"command":{"command":{},"invocation":{"id":"i"}}}"#),
        ("missing_field", r#"{"command":{"command":{"name":"n"},"invocation":{}}}"#),
        ("missing_field", r#"{"command":{"command":{"name":"n"},"invocation":{"id":""}}}"#),
        ("wrong_type", r#"{"command":{"command":{"name":5},"invocation":{"id":"i"}}}"#),
        (
            "wrong_type",
            r#"{"command":{"command":{"name":"n"},"invocation":{"id":"i"},"parameters":{"a":[]}}}"#,
        ),
        (
            "bad_date",
            r#"{"command":{"command":{"name":"n"},"invocation":{"id":"i","eventDate":"now"}}}"#,
        ),
        ("duplicate_key", r#"{"command":{"command":{"name":"n","name":"m"}}}"#),
        (
            "duplicate_key",
            r#"{"command":{"command":{"name":"n"},"invocation":{"id":"i"},"parameters":{"a":1,"a":2}}}"#,
        ),
        ("not_a_number", r#"{"command":{"parameters":{"a":1e999}}}"#),
    ] {
        let refusal = decode_command(payload.as_bytes(), &Limits::default()).unwrap_err();
        assert_eq!(refusal.reason.word(), word, "{payload}: {}", refusal.detail);
    }
    let deep = r#"{"command":"#.repeat(40) + "1" + &"}".repeat(40);
    let refusal = decode_command(deep.as_bytes(), &Limits::default()).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::TooDeep);
    let refusal = decode_command(&[0xFF], &Limits::default()).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::NotUtf8);
    let least = r#"{"command":{"command":{"name":"ping"},"invocation":{"id":"1"}}}"#;
    let command = decode_command(least.as_bytes(), &Limits::default()).unwrap();
    assert!(command.parameters.is_empty());
}

#[test]
fn a_value_that_nothing_on_earth_has_is_refused_where_that_is_asked_for() {
    let judged = |name: &str, value: &str, plausible_only| {
        let payload = format!(
            r#"{{"hardwareId":"a","type":"DeviceMeasurements","request":{{"measurements":{{"{name}":{value}}}}}}}"#
        );
        let rules = DecodeRules { plausible_only, ..DecodeRules::default() };
        decode(payload.as_bytes(), &rules).map_err(|refusal| refusal.to_string())
    };
    let voltage = "electricity.voltage.rms.l1";
    for (name, value) in
        [(voltage, "-2.3e30"), (voltage, "1.01e9"), ("electricity.power.apparent.l1", "-1.01e12")]
    {
        let refused = judged(name, value, true).unwrap_err();
        assert!(refused.starts_with("implausible_value: `electricity."), "{refused}");
        assert!(judged(name, value, false).is_ok());
    }
    assert!(
        judged(voltage, "-2.3e30", true).unwrap_err().contains("-2.3e30 V, expected at most 1e9 V")
    );
    for (name, value) in [(voltage, "-9.9e8"), ("electricity.power.apparent.l1", "9.9e11")] {
        assert!(judged(name, value, true).is_ok());
    }
}
