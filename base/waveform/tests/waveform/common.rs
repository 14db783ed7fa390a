//! What the tests of this package share: sample recordings, and the record of the standard.
//!
//! Recordings are found through `LASTMETER_RECORDINGS`; a test that needs one and does not find it
//! reports that and returns, unless `LASTMETER_REQUIRE` asks for data.

use std::fmt::Write as _;
use std::path::PathBuf;

use lastmeter_waveform::Recording;
use lastmeter_waveform::comtrade::{self, DataKind, Revision};

/// The bytes of a sample recording, or nothing with the reason printed.
pub(crate) fn sample(path: &str) -> Option<Vec<u8>> {
    let folder = std::env::var_os("LASTMETER_RECORDINGS").map(PathBuf::from);
    let bytes = folder.ok_or("LASTMETER_RECORDINGS is not set".to_owned()).and_then(|folder| {
        let file = folder.join(path);
        std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))
    });
    match bytes {
        Ok(bytes) => Some(bytes),
        Err(reason) => {
            let required = std::env::var("LASTMETER_REQUIRE").unwrap_or_default();
            let needed = required.split(',').any(|tier| matches!(tier.trim(), "all" | "data"));
            assert!(!needed, "required data is missing: {reason}");
            println!("SKIPPED: {reason}");
            None
        }
    }
}

/// A header with six analogue and six digital channels, as the worked example of the standard has
/// them (IEEE C37.111-1999 clause 8: record 5, stamp 667), with `records` records.
pub(crate) fn six_and_six(revision: &str, kind: &str, records: u64) -> String {
    let mut text = format!("Condie,518{revision}\r\n12,6A,6D\r\n");
    let old = revision.is_empty();
    for (number, unit) in (1..).zip(["V", "V", "V", "A", "A", "A"]) {
        let ratio = if old { "" } else { ",1,1,P" };
        let phase = ["A", "B", "C"][(number - 1) % 3];
        let _ = write!(text, "{number},Ch{number},{phase},,{unit},1,0,0,-2048,2047{ratio}\r\n");
    }
    for number in 1..=6 {
        let fields = if old { "" } else { ",," };
        let _ = write!(text, "{number},St{number}{fields},0\r\n");
    }
    let date = if old { "07/17/95" } else { "17/07/1995" };
    let _ = write!(text, "60\r\n1\r\n6000,{records}\r\n");
    let _ = write!(text, "{date},14:38:26.687500\r\n{date},14:38:26.687500\r\n{kind}\r\n");
    if !old {
        text += "1\r\n";
    }
    if revision.ends_with("2013") {
        text += "0,0\r\n0,0\r\n";
    }
    text
}

/// The values of that record.
pub(crate) const RECORD: [f64; 6] = [-760.0, 1274.0, 72.0, 61.0, -140.0, -502.0];
/// Its digital states: the last two are set.
pub(crate) const STATES: [bool; 6] = [false, false, false, false, true, true];

/// The record as the standard prints it, text.
pub(crate) const ASCII: &[u8] = b"5,667,-760,1274,72,61,-140,-502,0,0,0,0,1,1\r\n";
/// The record as the standard prints it, 16-bit integers.
pub(crate) const BINARY: [u8; 22] = [
    0x05, 0x00, 0x00, 0x00, // sample 5
    0x9B, 0x02, 0x00, 0x00, // 667 us
    0x08, 0xFD, // -760
    0xFA, 0x04, // 1274
    0x48, 0x00, // 72
    0x3D, 0x00, // 61
    0x74, 0xFF, // -140
    0x0A, 0xFE, // -502
    0x30, 0x00, // digital 5 and 6
];
/// The record in 32-bit integers (2013).
pub(crate) const BINARY32: [u8; 34] = [
    0x05, 0x00, 0x00, 0x00, 0x9B, 0x02, 0x00, 0x00, // sample 5, 667 us
    0x08, 0xFD, 0xFF, 0xFF, 0xFA, 0x04, 0x00, 0x00, 0x48, 0x00, 0x00, 0x00, // -760, 1274, 72
    0x3D, 0x00, 0x00, 0x00, 0x74, 0xFF, 0xFF, 0xFF, 0x0A, 0xFE, 0xFF, 0xFF, // 61, -140, -502
    0x30, 0x00,
];
/// The record in IEEE 754 single precision (2013).
pub(crate) const FLOAT32: [u8; 34] = [
    0x05, 0x00, 0x00, 0x00, 0x9B, 0x02, 0x00, 0x00, // sample 5, 667 us
    0x00, 0x00, 0x3E, 0xC4, 0x00, 0x40, 0x9F, 0x44, 0x00, 0x00, 0x90, 0x42, // -760, 1274, 72
    0x00, 0x00, 0x74, 0x42, 0x00, 0x00, 0x0C, 0xC3, 0x00, 0x00, 0xFB, 0xC3, // 61, -140, -502
    0x30, 0x00,
];

/// A small header: one voltage and one digital channel of revision 1999, with the rate lines, the
/// kind and whatever follows it given.
pub(crate) fn one_and_one(channel: &str, rates: &str, kind: &str, rest: &str) -> String {
    format!(
        "s,d,1999\n2,1A,1D\n{channel}\n1,D,,,0\n50\n{rates}\n\
         01/02/2003,04:05:06.000007\n01/02/2003,04:05:06.000007\n{kind}\n{rest}"
    )
}

/// A usual line for the analogue channel of [`one_and_one`].
pub(crate) const UA: &str = "1,UA,A,,V,1,0,0,-32767,32767,1,1,P";

/// Writes a single-file recording of revision 2013.
pub(crate) fn cff(recording: &Recording, kind: DataKind) -> Vec<u8> {
    let written = comtrade::write(recording, kind, Revision::R2013).unwrap();
    let mut bytes = b"--- file type: CFG ---\r\n".to_vec();
    bytes.extend(&written.cfg);
    bytes.extend(b"--- file type: INF ---\r\n\r\n--- file type: HDR ---\r\n\r\n");
    let data = match kind {
        DataKind::Ascii => "--- file type: DAT ASCII ---\r\n".to_owned(),
        _ => format!("--- file type: DAT BINARY: {} ---\r\n", written.dat.len()),
    };
    bytes.extend(data.as_bytes());
    bytes.extend(&written.dat);
    bytes
}
