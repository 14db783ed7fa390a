//! Results of applications and blocks of samples: what is written is read the same, what is not
//! exactly one is refused with its reason, and no bytes at all make either decoder panic.

use lastmeter_units::{Epoch, HardwareId, MeasurementId, Serial, SimTime};
use lastmeter_wire::block::{BYTES_MAX, Block, Channel, decode_block, encode_block};
use lastmeter_wire::flexmeter::{Limits, ResultMessage, decode_result, encode_result};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn device(id: &str) -> HardwareId {
    HardwareId::new(id).expect("a hardware id")
}

fn id(name: &str) -> MeasurementId {
    MeasurementId::lookup(name).expect("an identifier of the registry")
}

fn block() -> Block {
    let channel =
        |name, samples: &[i16]| Channel { id: id(name), scale: 0.5, samples: samples.to_vec() };
    Block {
        hardware_id: device("rec"),
        epoch: Epoch(2),
        serial: Serial(3),
        first: SimTime(-5),
        rate_hz: 1600.0,
        channels: vec![
            channel("electricity.voltage.instant.l1", &[1, -2]),
            channel("electricity.current.instant.l1", &[i16::MAX, i16::MIN]),
        ],
    }
}

/// Written out by hand from the table at the head of `block.rs`.
fn by_hand() -> Vec<u8> {
    let mut bytes = b"LMSB\x01\x02\x03\x00\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0".to_vec();
    bytes.extend_from_slice(b"\xfb\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\x99\x40\x02\0\0\0rec");
    for name in ["electricity.voltage.instant.l1", "electricity.current.instant.l1"] {
        bytes.push(30);
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b"\0\0\0\0\0\0\xe0\x3f");
    }
    bytes.extend_from_slice(b"\x01\0\xfe\xff\xff\x7f\0\x80");
    bytes
}

#[test]
fn a_block_has_the_bytes_of_its_description() {
    assert_eq!(encode_block(&block()).expect("a block"), by_hand());
    let read = decode_block(&by_hand()).expect("a block");
    assert_eq!(read, block());
    assert_eq!(read.instant(2), SimTime(1_249_995), "two samples at 1.6 kHz are 1.25 ms");
    let current = read.channel(id("electricity.current.instant.l1")).expect("a channel");
    assert_eq!(current.values().collect::<Vec<_>>(), [16383.5, -16384.0]);
}

#[test]
fn a_block_that_breaks_its_form_is_refused_with_its_reason() {
    let changed = |at: usize, to: &[u8]| {
        let mut bytes = by_hand();
        bytes[at..at + to.len()].copy_from_slice(to);
        bytes
    };
    let mut longer = by_hand();
    longer.push(0);
    for (bytes, reason, what) in [
        (vec![], "bad_block", "nothing"),
        (changed(0, b"X"), "bad_block", "magic"),
        (changed(4, &[2]), "bad_block", "version"),
        (changed(5, &[0]), "bad_block", "no channel"),
        (changed(5, &[17]), "unknown_identifier", "more channels than there are"),
        (changed(16, &[0]), "bad_block", "serial 0"),
        (changed(32, &[0; 8]), "bad_block", "no rate"),
        (changed(32, &f64::NAN.to_le_bytes()), "bad_block", "a rate that is no number"),
        (changed(40, &[0]), "bad_block", "no samples"),
        (changed(40, &[0xff; 4]), "bad_block", "samples that are not there"),
        (changed(44, b"/"), "bad_hardware_id", "hardware id"),
        (changed(44, &[0xff]), "not_utf8", "hardware id"),
        (changed(48, b"E"), "unknown_identifier", "name"),
        (changed(78, &f64::INFINITY.to_le_bytes()), "bad_block", "scale"),
        (changed(78, &(-1.0_f64).to_le_bytes()), "bad_block", "scale"),
        (changed(99, b"voltage"), "duplicate_key", "one channel twice"),
        (longer, "bad_block", "a byte behind it"),
        (vec![0; BYTES_MAX + 1], "too_large", "size"),
    ] {
        let refusal = decode_block(&bytes).expect_err(what);
        assert_eq!(refusal.reason.word(), reason, "{what}: {refusal}");
    }
    for end in 0..by_hand().len() {
        assert!(decode_block(&by_hand()[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn what_would_be_refused_is_not_written() {
    let refused = |change: &dyn Fn(&mut Block)| {
        let mut block = block();
        change(&mut block);
        encode_block(&block).expect_err("it is not one").reason.word()
    };
    assert_eq!(refused(&|block| block.channels.clear()), "bad_block");
    assert_eq!(refused(&|block| block.channels[1].samples.clear()), "bad_block");
    assert_eq!(refused(&|block| block.channels[0].scale = f64::NAN), "bad_block");
    assert_eq!(refused(&|block| block.channels[1].id = block.channels[0].id), "duplicate_key");
    let long = |block: &mut Block| {
        block.channels.iter_mut().for_each(|channel| channel.samples = vec![0; BYTES_MAX / 4]);
    };
    assert_eq!(refused(&long), "too_large");
}

fn content(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).expect("an object")
}

fn result() -> ResultMessage {
    ResultMessage {
        hardware_id: device("outage"),
        kind: "outage".to_owned(),
        subject: "outage-7".to_owned(),
        from: "2027-01-18T17:00:00Z".parse().expect("a date"),
        until: None,
        content: content(r#"{"areas":[{"name":"T1","likelihood":0.1}],"state":"detected"}"#),
        epoch: Epoch(1),
        serial: Serial(12),
    }
}

fn written() -> Value {
    json!({
        "hardwareId": "outage", "type": "Result",
        "request": {
            "kind": "outage", "subject": "outage-7", "from": "2027-01-18T17:00:00.000Z",
            "content": { "state": "detected", "areas": [{ "name": "T1", "likelihood": 0.1 }] },
            "metadata": { "epoch": "1", "serial": "12" },
        },
    })
}

#[test]
fn a_result_has_the_form_of_its_description() {
    let mut out = Vec::new();
    encode_result(&result(), &mut out);
    assert_eq!(serde_json::from_slice::<Value>(&out).expect("JSON"), written());
    assert_eq!(decode_result(written().to_string().as_bytes(), &Limits::BATCH), Ok(result()));
}

#[test]
fn a_result_that_breaks_its_form_is_refused_with_its_reason() {
    for (path, to, reason) in [
        ("/hardwareId", json!(null), "missing_field"),
        ("/hardwareId", json!("a/b"), "bad_hardware_id"),
        ("/type", json!("DeviceAlert"), "unknown_type"),
        ("/request", json!([]), "wrong_type"),
        ("/request/kind", json!(""), "missing_field"),
        ("/request/kind", json!("Outage"), "bad_result"),
        ("/request/kind", json!("x".repeat(65)), "bad_result"),
        ("/request/subject", json!(7), "wrong_type"),
        ("/request/subject", json!("a\nb"), "bad_result"),
        ("/request/from", json!(null), "missing_field"),
        ("/request/from", json!("yesterday"), "bad_date"),
        ("/request/content", json!("text"), "wrong_type"),
        ("/request/metadata/serial", json!("0"), "bad_metadata"),
        ("/request/metadata/serial", json!(1), "bad_metadata"),
        ("/request/metadata/epoch", json!("-1"), "bad_metadata"),
        ("/request/metadata/epoch", json!(null), "missing_field"),
        ("/request/content", json!({ "x": nested(14) }), "too_deep"),
    ] {
        let mut document = written();
        *document.pointer_mut(path).expect("a place") = to.clone();
        let refused = decode_result(document.to_string().as_bytes(), &Limits::BATCH);
        assert_eq!(refused.expect_err(path).reason.word(), reason, "{path} {to}");
    }
    let text = written().to_string();
    let ended = text.replace(r#""subject""#, r#""until":"2027-01-18T16:00:00Z","subject""#);
    let misspelt = text.replace(r#""subject""#, r#""till":"2027-01-18T18:00:00Z","subject""#);
    let twice = text.replace(r#""name":"T1""#, r#""name":"T1","name":"T2""#);
    for (text, reason) in [
        (ended, "bad_result"),
        (misspelt, "bad_result"),
        (twice, "duplicate_key"),
        (format!("{text} x"), "trailing_data"),
        (text[1..].to_owned(), "trailing_data"),
        ("[]".to_owned(), "not_an_object"),
        (text.replace("0.1", "1e999"), "not_a_number"),
        (" ".repeat(Limits::BATCH.bytes_max + 1), "too_large"),
    ] {
        let refused = decode_result(text.as_bytes(), &Limits::BATCH).expect_err(reason);
        assert_eq!(refused.reason.word(), reason, "{refused}");
    }
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(json!(1), |inner, _| json!([inner]))
}

prop_compose! {
    fn blocks()(
        name in "[^/+#\\p{Cc}]{1,32}",
        (epoch, serial, first) in (any::<u64>(), 1..=u64::MAX, any::<i64>()),
        rate_hz in 1e-3..1e6,
        ids in prop::sample::subsequence(MeasurementId::all().collect::<Vec<_>>(), 1..=16),
        (scale, length) in (1e-9..1e9, 1..200_usize),
        count in any::<i16>(),
    ) -> Block {
        let samples = (0..length).map(|at| count.wrapping_mul(at.to_le_bytes()[0].into()));
        let channel = |id| Channel { id, scale, samples: samples.clone().collect() };
        Block {
            hardware_id: device(&name),
            epoch: Epoch(epoch), serial: Serial(serial), first: SimTime(first), rate_hz,
            channels: ids.into_iter().map(channel).collect(),
        }
    }
}

proptest! {
    #[test]
    fn blocks_are_read_as_they_were_written(block in blocks()) {
        let bytes = encode_block(&block).expect("a block");
        prop_assert_eq!(decode_block(&bytes), Ok(block));
    }

    /// A byte changed anywhere is refused, or is another block that is written with that byte.
    #[test]
    fn a_block_has_one_form(
        block in blocks(), at in any::<prop::sample::Index>(), to in any::<u8>(),
    ) {
        let mut bytes = encode_block(&block).expect("a block");
        let place = at.index(bytes.len());
        bytes[place] = to;
        if let Ok(read) = decode_block(&bytes) {
            prop_assert_eq!(encode_block(&read).expect("a block"), bytes);
        }
    }

    #[test]
    fn results_are_read_as_they_were_written(
        (kind, subject) in ("[a-z0-9-]{1,64}", "[^\\p{Cc}]{1,40}"),
        (from, span) in (-1_000_000_000..4_000_000_000_i64, 0..1_000_000_i64),
        goes_on in any::<bool>(),
        keys in prop::collection::btree_map(any::<String>(), any::<f64>(), 0..6),
        (epoch, serial) in (any::<u64>(), 1..=u64::MAX),
    ) {
        let from = SimTime(from * 1_000_000_000);
        let values = keys.into_iter().filter(|(_, value)| value.is_finite());
        let message = ResultMessage {
            kind, subject, from,
            until: (!goes_on).then_some(SimTime(from.0 + span)),
            content: values.map(|(key, value)| (key, json!(value))).collect(),
            epoch: Epoch(epoch), serial: Serial(serial),
            ..result()
        };
        let mut out = Vec::new();
        encode_result(&message, &mut out);
        prop_assert_eq!(decode_result(&out, &Limits::BATCH), Ok(message));
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode_block(&bytes);
        let _ = decode_block(&[&by_hand()[..60], &bytes].concat());
        let _ = decode_result(&bytes, &Limits::BATCH);
    }
}
