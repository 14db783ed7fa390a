//! Captured frames that are damaged, and reports of errors by slaves.

use lastmeter_mbus::application::{Application, ApplicationDecodeError};
use lastmeter_mbus::frame::{Frame, FrameError};
use lastmeter_mbus::record::RecordError;

use crate::common::{captured, hex};
use crate::xml::text;

/// The name of what is wrong with a frame.
fn fault(bytes: &[u8]) -> Option<(&'static str, String)> {
    let frame = match Frame::decode(bytes) {
        Ok(frame) => frame,
        Err(error) => {
            let name = match error {
                FrameError::Start { .. } => "start",
                FrameError::Length { .. } => "length",
                FrameError::Checksum { .. } => "checksum",
                _ => "another frame error",
            };
            return Some((name, error.to_string()));
        }
    };
    let error = Application::decode_all(&frame).err()?;
    let name = match error {
        ApplicationDecodeError::TooShort { .. } => "data too short",
        ApplicationDecodeError::Record(RecordError::EndOfData { .. }) => "end of data",
        ApplicationDecodeError::Record(RecordError::TooManyDife { .. }) => "too many DIFE",
        ApplicationDecodeError::Record(RecordError::TooManyVife { .. }) => "too many VIFE",
        _ => "another error",
    };
    Some((name, error.to_string()))
}

/// The damaged frames, by what is wrong and by the end of the message.
const DAMAGED: [(&str, &str, &str); 13] = [
    ("invalid_length", "length", "length 0 at byte 1, expected at least 3"),
    (
        "invalid_length2",
        "data too short",
        "15 bytes from byte 7 on, expected 16 behind control \
      information 73",
    ),
    ("manual_frame1", "start", "start 0D at byte 0, expected E5, 10 or 68"),
    ("premature_end_of_data1", "end of data", "value at byte 32 has 0 bytes, expected 3"),
    ("premature_end_of_data2", "end of data", "value at byte 32 has 2 bytes, expected 3"),
    ("premature_end_of_dif1", "end of data", "DIFE at byte 30 has 0 bytes, expected 1"),
    ("premature_end_of_dif2", "end of data", "DIFE at byte 31 has 0 bytes, expected 1"),
    ("premature_end_of_var_vif1", "end of data", "unit text at byte 44 has 6 bytes, expected 19"),
    ("premature_end_of_vif1", "end of data", "VIF at byte 31 has 0 bytes, expected 1"),
    ("too_long_var_vif", "end of data", "unit text at byte 44 has 6 bytes, expected 243"),
    ("too_many_dife", "too many DIFE", "an 11th DIFE at byte 40, expected at most 10"),
    ("too_many_vife", "too many VIFE", "an 11th VIFE at byte 42, expected at most 10"),
    (
        "too_short_header",
        "data too short",
        "5 bytes from byte 7 on, expected 12 behind control \
      information 72",
    ),
];

/// The other frames: what they are.
const DECODED: [(&str, &str); 4] = [
    ("manual_frame4", "data to a slave: sets the primary address"),
    ("manual_frame5", "data to a slave: sets the secondary address"),
    ("manual_frame6", "data to a slave: sets the identification and an energy"),
    ("svm_f22_telegram2", "nothing but a block of the manufacturer, with more to follow"),
];

/// libmbus' texts for errors of slaves, as ours.
const REPORTS: [(&str, &str); 9] = [
    ("Unspecified error", "unspecified error"),
    ("Unimplemented CI-Field", "unimplemented control information field"),
    ("Buffer too long, truncated", "buffer too long, truncated"),
    ("Too many records", "too many records"),
    ("Premature end of record", "premature end of record"),
    ("More than 10 DIFE\u{fffd}s", "more than 10 DIFE"),
    ("More than 10 VIFE\u{fffd}s", "more than 10 VIFE"),
    ("Application busy", "application too busy for the readout request"),
    ("Too many readouts", "too many readouts"),
];

#[test]
fn damaged_frames_are_rejected_by_what_is_wrong_and_reports_of_errors_are_read() {
    let Some(files) = captured("mbus-error") else { return };
    let (mut damaged, mut decoded, mut reports) = (0, 0, 0);
    for (name, content) in &files {
        let Some(stem) = name.strip_suffix(".hex") else { continue };
        let bytes = hex(content);
        let fault = fault(&bytes);
        if let Some((_, kind, message)) = DAMAGED.iter().find(|row| row.0 == stem) {
            assert_eq!(fault, Some((*kind, (*message).to_owned())), "{stem}");
            damaged += 1;
            continue;
        }
        assert_eq!(fault, None, "{stem}");
        let frame = Frame::decode(&bytes).expect("it has no fault");
        match Application::decode(&frame) {
            Ok(Application::Error(error)) => {
                let xml = &files[&format!("{stem}.xml")];
                let theirs = text(xml, "Error").expect("a text").replace('´', "\u{fffd}");
                let row = REPORTS.iter().find(|row| row.0 == theirs);
                assert_eq!(row.map(|row| row.1), Some(error.to_string().as_str()), "{theirs}");
                reports += 1;
            }
            Ok(_) if DECODED.iter().any(|row| row.0 == stem) => decoded += 1,
            other => panic!("{stem}: {other:?}"),
        }
    }
    assert_eq!((damaged, decoded, reports), (DAMAGED.len(), DECODED.len(), 10));
    println!("{damaged} damaged frames rejected, {reports} error reports, {decoded} others read");
}
