//! Frames and the reader of a stream, byte by byte.

use lastmeter_mbus::baud::BaudRate;
use lastmeter_mbus::control::Control;
use lastmeter_mbus::frame::{Frame, FrameError};
use lastmeter_mbus::reader::{Reader, Received};
use lastmeter_units::{SimDuration, SimTime};
use proptest::collection::vec;
use proptest::prelude::*;

/// `SND_NKE` to address 1, and a switch of its rate (EN 13757-2, 5.5).
const SHORT: [u8; 5] = [0x10, 0x40, 0x01, 0x41, 0x16];
const CONTROL: [u8; 9] = [0x68, 0x03, 0x03, 0x68, 0x53, 0x01, 0xBD, 0x11, 0x16];

#[test]
fn each_fault_has_its_name_and_place() {
    let changed = |at: usize, byte: u8| {
        let mut bytes = CONTROL;
        bytes[at] = byte;
        bytes
    };
    let wrong: [(&[u8], FrameError); 13] = [
        (&[], FrameError::Empty),
        (&[0x00], FrameError::Start { found: 0 }),
        (&changed(3, 0x67), FrameError::SecondStart { found: 0x67 }),
        (&changed(2, 0x04), FrameError::LengthsDiffer { first: 3, second: 4 }),
        (&[0x68, 2, 2, 0x68, 0x53, 1, 0x54, 0x16], FrameError::Length { found: 2 }),
        (&SHORT[..4], FrameError::TooShort { found: 4, needed: 5 }),
        (&CONTROL[..2], FrameError::TooShort { found: 2, needed: 9 }),
        (&CONTROL[..8], FrameError::TooShort { found: 8, needed: 9 }),
        (&changed(7, 0x12), FrameError::Checksum { at: 7, expected: 0x11, found: 0x12 }),
        (&changed(8, 0x17), FrameError::Stop { at: 8, found: 0x17 }),
        (&[0xE5, 0xE5], FrameError::Trailing { at: 1, count: 1 }),
        (&[0xE5; 262], FrameError::TooLong { found: 262 }),
        (&[0x10, 0xFF, 0x01, 0x00, 0x16], FrameError::Control { at: 1, found: 0xFF }),
    ];
    for (bytes, error) in wrong {
        assert_eq!(Frame::decode(bytes), Err(error), "{bytes:02X?}");
    }
    let control = Control::SendUserData { frame_count: Some(false) };
    let read = Frame::Control { control, address: 1, information: 0xBD };
    assert_eq!(Frame::decode(&CONTROL), Ok(read));
    let control = Control::SendReset;
    assert_eq!(Frame::decode(&SHORT), Ok(Frame::Short { control, address: 1 }));
}

/// Feeds stretches of bytes, with a gap between them, and yields what came of them.
fn read(stretches: &[Vec<u8>]) -> Vec<Received> {
    let baud = BaudRate::Baud2400;
    let (mut reader, mut now, mut results) = (Reader::new(baud), SimTime(0), Vec::new());
    for bytes in stretches {
        for &byte in bytes {
            now += baud.bytes(1);
            results.extend(reader.byte(now, byte).into_iter().flatten());
        }
        now += baud.bits(40);
        results.extend(reader.silent(now));
        assert!(reader.is_idle());
    }
    results
}

fn whole(bytes: &[u8], noise: usize) -> Received {
    Received::Frame { bytes: bytes.to_vec(), noise }
}

#[test]
fn a_gap_ends_a_frame_and_noise_before_one_is_skipped() {
    let garbled = |error, count| Received::Garbled { error, count };
    let stretches = [
        SHORT.to_vec(),
        [&[0x00, 0xFF][..], &CONTROL].concat(),
        CONTROL[..5].to_vec(),
        [&[0xE5][..], &SHORT].concat(),
        vec![0x01, 0x02],
        // Wrong once it has begun: nothing behind it counts, up to the gap.
        [&[0x68, 0x03, 0x04][..], &SHORT].concat(),
        CONTROL.to_vec(),
    ];
    let expected = [
        whole(&SHORT, 0),
        whole(&CONTROL, 2),
        garbled(FrameError::TooShort { found: 5, needed: 9 }, 5),
        whole(&[0xE5], 0),
        whole(&SHORT, 0),
        garbled(FrameError::Start { found: 1 }, 2),
        garbled(FrameError::LengthsDiffer { first: 3, second: 4 }, 8),
        whole(&CONTROL, 0),
    ];
    assert_eq!(read(&stretches), expected);
}

#[test]
fn a_late_byte_ends_what_began_before_it() {
    let mut reader = Reader::with_gap(SimDuration::from_milliseconds(10));
    let at = |milliseconds: i64| SimTime(milliseconds * 1_000_000);
    assert_eq!(reader.byte(at(0), 0x68), [None, None]);
    assert_eq!(reader.deadline(), Some(at(10)));
    assert_eq!(reader.silent(at(9)), None);
    let error = FrameError::TooShort { found: 1, needed: 9 };
    let expected = [Some(Received::Garbled { error, count: 1 }), Some(whole(&[0xE5], 0))];
    assert_eq!(reader.byte(at(20), 0xE5), expected);
    assert_eq!(reader.deadline(), None);
}

proptest! {
    #[test]
    fn a_reader_finds_the_frame_behind_any_damaged_one(
        damaged in vec(any::<u8>(), 0..300),
        data in vec(any::<u8>(), 0..=252),
    ) {
        let mut bytes = Vec::new();
        let frame = Frame::with_data(Control::RESPONSE, 5, 0x78, &data).expect("it fits");
        frame.encode(&mut bytes).expect("it fits");
        let results = read(&[damaged, bytes.clone()]);
        prop_assert_eq!(results.last(), Some(&whole(&bytes, 0)));
    }
}
