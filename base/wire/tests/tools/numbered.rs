//! Results and blocks of samples for the fuzzers: what to begin from, and what holds of whatever is
//! read.

use lastmeter_wire::block::{decode_block, encode_block};
use lastmeter_wire::flexmeter::{self, Limits};

/// A result of an application.
pub(super) const RESULT: &[u8] =
    br#"{"hardwareId":"a","type":"Result","request":{"kind":"outage","subject":
    "outage-1","from":"2020-02-24T18:15:21Z","until":"2020-02-24T18:15:22Z","content":{"a":[{"b":
    null,"c":1.5}]},"metadata":{"epoch":"1","serial":"2"}}}"#;
/// A block of one channel of two samples.
pub(super) const BLOCK: &[u8] = b"LMSB\x01\x01\x01\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\x99\x40\x02\0\0\0r\x1eelectricity.voltage.instant.l1\
    \0\0\0\0\0\0\xe0\x3f\x01\0\xfe\xff";

/// A result of an application; what is read is read the same again as it is written.
pub fn result(bytes: &[u8]) -> bool {
    let Ok(result) = flexmeter::decode_result(bytes, &Limits::BATCH) else { return false };
    let mut again = Vec::new();
    flexmeter::encode_result(&result, &mut again);
    if again.len() <= Limits::BATCH.bytes_max {
        assert_eq!(flexmeter::decode_result(&again, &Limits::BATCH), Ok(result));
    }
    true
}

/// A block of samples; it has one form of writing only.
pub fn block(bytes: &[u8]) -> bool {
    let Ok(read) = decode_block(bytes) else { return false };
    assert_eq!(encode_block(&read).as_deref(), Ok(bytes));
    true
}
