//! All decoders on the same bytes: nothing panics, and what is read is written as it came. Tests
//! and fuzzers share it.

use std::time::Duration;

use lastmeter_zigbee::bytes::{DecodeError, Reader};
use lastmeter_zigbee::capture::{Capture, CaptureError, FrameCheck};
use lastmeter_zigbee::opcode::Direction as Way;
use lastmeter_zigbee::relay::{Content, Relay};
use lastmeter_zigbee::scale::Scales;
use lastmeter_zigbee::zcl::cluster::ias_zone::StatusChange;
use lastmeter_zigbee::zcl::cluster::on_off::OnOff;
use lastmeter_zigbee::zcl::cluster::ota::Ota;
use lastmeter_zigbee::zcl::cluster::plug::{CalibrationWrite, WaveformBlock};
use lastmeter_zigbee::zcl::{Attribute, Frame, Global, Record, Records, global};
use lastmeter_zigbee::zdp::{self, Zdp};

/// A relayed payload, its frame, and everything else that the bytes could be; whether the payload
/// and its frame are whole.
pub fn exercise(bytes: &[u8]) -> bool {
    _ = cluster_frame(bytes);
    for cluster in [zdp::DEVICE_ANNOUNCE, zdp::LEAVE_REQUEST, zdp::LEAVE_RESPONSE] {
        _ = announcement(cluster, bytes);
    }
    let Ok(relay) = Relay::decode(bytes) else { return false };
    let mut again = Vec::new();
    relay.encode(&mut again);
    assert_eq!(again, bytes);
    captured(&relay);
    match relay.content() {
        Ok(Content::Zcl(_)) => cluster_frame(relay.frame),
        Ok(Content::Zdp(_)) => announcement(relay.cluster, relay.frame),
        Err(_) => false,
    }
}

fn announcement(cluster: u16, bytes: &[u8]) -> bool {
    let Ok(read) = Zdp::decode(cluster, bytes) else { return false };
    assert_eq!(read.cluster(), cluster);
    let mut again = Vec::new();
    read.encode(&mut again);
    assert_eq!(again, bytes);
    true
}

fn cluster_frame(bytes: &[u8]) -> bool {
    let Ok(frame) = Frame::decode(bytes) else { return false };
    let mut again = Vec::new();
    frame.encode(&mut again);
    // Reserved bits are not kept.
    assert_eq!((again[0], &again[1..]), (bytes[0] & 0x1F, &bytes[1..]));
    let payload = frame.payload;
    let single = [
        OnOff::of(&frame).is_some(),
        image(&frame),
        one::<StatusChange>(payload).is_ok(),
        one::<WaveformBlock<'_>>(payload).is_ok(),
        one::<CalibrationWrite>(payload).is_ok(),
    ];
    match Global::decode(&frame) {
        Ok(Global::Read(records)) => list(records, payload),
        Ok(Global::ReadResponse(records)) => list(records, payload),
        Ok(Global::Write(records) | Global::Report(records)) => {
            scaled(records.clone());
            list(records, payload)
        }
        Ok(Global::WriteResponse(records)) => list(records, payload),
        Ok(Global::ConfigureReporting(records)) => list(records, payload),
        Ok(Global::ConfigureReportingResponse(records)) => list(records, payload),
        Ok(Global::DefaultResponse(_)) => true,
        Err(_) => single.contains(&true),
    }
}

fn image(frame: &Frame<'_>) -> bool {
    let Ok(command) = Ota::decode(frame) else { return false };
    let again = command.frame(frame.header.sequence).expect("what was read can be written");
    assert_eq!(again[3..], *frame.payload);
    true
}

/// Whether the whole list is read; then it is written as it came.
fn list<'a, R: Record<'a>>(records: Records<'a, R>, payload: &[u8]) -> bool {
    let Ok(read) = records.collect::<Result<Vec<R>, DecodeError>>() else { return false };
    let mut again = Vec::new();
    global::encode(&read, &mut again).expect("what was read can be written");
    assert_eq!(again, payload);
    true
}

/// A payload that is one record.
fn one<'a, R: Record<'a>>(payload: &'a [u8]) -> Result<R, DecodeError> {
    let mut reader = Reader::new(payload);
    let read = R::take(&mut reader)?;
    let mut again = Vec::new();
    read.put(&mut again).expect("what was read can be written");
    assert_eq!(again, payload[..reader.at()]);
    Ok(read)
}

/// Every attribute as a scale and as a value: what comes out is a number with a resolution.
fn scaled<'a>(records: impl Iterator<Item = Result<Attribute<'a>, DecodeError>>) {
    let mut scales = Scales::default();
    for record in records.flatten() {
        for cluster in [0x0001, 0x0402, 0x0702, 0x0B04] {
            _ = scales.learn(cluster, &record);
            if let Ok(Some(scaled)) = scales.convert(cluster, &record) {
                assert!(scaled.value.is_finite() && scaled.resolution > 0.0, "{scaled:?}");
            }
        }
        _ = scales.accept_changes();
    }
}

fn captured(relay: &Relay<'_>) {
    for (check, way) in [(FrameCheck::Written, Way::Up), (FrameCheck::LeftOut, Way::Down)] {
        let mut capture = Capture::new(Vec::new(), check, 1).expect("memory takes it");
        let done = capture.frame(Duration::ZERO, way, relay);
        let is_too_long = matches!(done, Err(CaptureError::TooLong { .. }));
        assert_eq!(is_too_long, relay.frame.len() > 92, "{done:?}");
    }
}
