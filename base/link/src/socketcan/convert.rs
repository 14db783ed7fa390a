//! Frames of the crate `socketcan`, which are laid out as the kernel's, and ours.

use lastmeter_can::frame::{CanFrame, CanId, Content, FrameError};
use socketcan::{EmbeddedFrame as _, ExtendedId, Id, StandardId};

use super::CanContent;

/// The kernel's frame of one of ours.
#[must_use]
pub fn to_kernel(frame: &CanFrame) -> socketcan::CanFrame {
    let value = frame.id().value();
    let id = if frame.id().is_extended() {
        ExtendedId::new(value).map(Id::from)
    } else {
        u16::try_from(value).ok().and_then(StandardId::new).map(Id::from)
    };
    let made = id.and_then(|id| match frame.content() {
        Content::Data(bytes) => socketcan::CanFrame::new(id, bytes),
        Content::Remote { dlc } => socketcan::CanFrame::new_remote(id, usize::from(dlc)),
    });
    made.expect("our frames keep identifiers and lengths within those of the kernel")
}

/// Our frame of one of the kernel's, or the words for its error frame.
///
/// # Errors
/// [`FrameError`] for more than 8 bytes, which no kernel hands over as classical CAN.
pub fn from_kernel(frame: &socketcan::CanFrame) -> Result<CanContent, FrameError> {
    let id = || match frame.id() {
        Id::Standard(id) => CanId::standard(u32::from(id.as_raw())),
        Id::Extended(id) => CanId::extended(id.as_raw()),
    };
    match frame {
        socketcan::CanFrame::Data(data) => {
            Ok(CanContent::Frame(CanFrame::data(id()?, data.data())?))
        }
        socketcan::CanFrame::Remote(remote) => {
            let dlc = u8::try_from(remote.dlc()).unwrap_or(u8::MAX);
            Ok(CanContent::Frame(CanFrame::remote(id()?, dlc)?))
        }
        socketcan::CanFrame::Error(error) => Ok(CanContent::Error(error.into_error().to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastmeter_can::frame::{EXTENDED_ID_MAX, STANDARD_ID_MAX};
    use proptest::prelude::*;
    use socketcan::{CanErrorFrame, Frame as _};

    /// Flags of the identifier in `linux/can.h`.
    const EXTENDED_FLAG: u32 = 0x8000_0000;
    const REMOTE_FLAG: u32 = 0x4000_0000;

    /// Extended identifiers, many of which would fit 11 bits.
    fn extended() -> impl Strategy<Value = u32> {
        prop_oneof![0..=STANDARD_ID_MAX, 0..=EXTENDED_ID_MAX]
    }

    fn id() -> impl Strategy<Value = CanId> {
        prop_oneof![
            (0..=STANDARD_ID_MAX).prop_map(|value| CanId::standard(value).unwrap()),
            extended().prop_map(|value| CanId::extended(value).unwrap()),
        ]
    }

    fn ours() -> impl Strategy<Value = CanFrame> {
        let data = (id(), prop::collection::vec(any::<u8>(), 0..=8))
            .prop_map(|(id, bytes)| CanFrame::data(id, &bytes).unwrap());
        let remote = (id(), 0_u8..=8).prop_map(|(id, dlc)| CanFrame::remote(id, dlc).unwrap());
        prop_oneof![data, remote]
    }

    fn theirs() -> impl Strategy<Value = socketcan::CanFrame> {
        let id = prop_oneof![
            (0..=0x7FF_u16).prop_map(|raw| Id::from(StandardId::new(raw).unwrap())),
            extended().prop_map(|raw| Id::from(ExtendedId::new(raw).unwrap())),
        ];
        (id, prop::collection::vec(any::<u8>(), 0..=8), any::<bool>()).prop_map(
            |(id, bytes, is_remote)| {
                let made = if is_remote {
                    socketcan::CanFrame::new_remote(id, bytes.len())
                } else {
                    socketcan::CanFrame::new(id, &bytes)
                };
                made.unwrap()
            },
        )
    }

    /// The kernel's frame of a text, as its identifier with flags, length and data.
    fn words(text: &str) -> (u32, usize, Vec<u8>) {
        let frame = to_kernel(&text.parse().unwrap());
        let data = if frame.is_remote_frame() { &[][..] } else { frame.data() };
        (frame.id_word(), frame.dlc(), data.to_vec())
    }

    #[test]
    fn typed_in_frames_have_the_flags_of_the_kernel() {
        assert_eq!(words("123#1122"), (0x123, 2, vec![0x11, 0x22]));
        assert_eq!(words("7FF#"), (0x7FF, 0, vec![]));
        assert_eq!(words("321#R8"), (0x321 | REMOTE_FLAG, 8, vec![]));
        assert_eq!(words("00000123#00"), (0x123 | EXTENDED_FLAG, 1, vec![0]));
        assert_eq!(words("1FFFFFFF#R"), (0x1FFF_FFFF | EXTENDED_FLAG | REMOTE_FLAG, 0, vec![]));
    }

    #[test]
    fn error_frames_are_words() {
        // Bus off and counters; a missing acknowledgement; a controller in both warning states.
        let cases: [(u32, [u8; 8], &str); 3] = [
            (0x240, [0, 0, 0, 0, 0, 0, 255, 3], "bus off; error counters: tx=255, rx=3"),
            (0x020, [0; 8], "no ack"),
            (0x004, [0, 0x0C, 0, 0, 0, 0, 0, 0], "controller problem: rx warning, tx warning"),
        ];
        for (classes, data, expected) in cases {
            let frame = CanErrorFrame::new_error(classes, &data).unwrap();
            let read = from_kernel(&socketcan::CanFrame::Error(frame));
            assert_eq!(read, Ok(CanContent::Error(expected.to_owned())));
        }
    }

    proptest! {
        #[test]
        fn ours_come_back_as_they_went(frame in ours()) {
            let kernel = to_kernel(&frame);
            prop_assert_eq!(kernel.is_extended(), frame.id().is_extended());
            prop_assert_eq!(kernel.is_remote_frame(), frame.is_remote());
            prop_assert_eq!(kernel.dlc(), usize::from(frame.dlc()));
            prop_assert_eq!(kernel.raw_id(), frame.id().value());
            prop_assert_eq!(from_kernel(&kernel), Ok(CanContent::Frame(frame)));
        }

        #[test]
        fn theirs_come_back_as_they_went(kernel in theirs()) {
            let Ok(CanContent::Frame(frame)) = from_kernel(&kernel) else {
                return Err(TestCaseError::fail("no frame"));
            };
            prop_assert_eq!(to_kernel(&frame), kernel);
        }

        #[test]
        fn no_error_frame_panics(classes in any::<u32>(), data in any::<[u8; 8]>()) {
            let frame = CanErrorFrame::new_error(classes, &data).unwrap();
            let read = from_kernel(&socketcan::CanFrame::Error(frame));
            let is_words = matches!(read, Ok(CanContent::Error(words)) if !words.is_empty());
            prop_assert!(is_words);
        }
    }
}
