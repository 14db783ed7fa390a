//! Which frames an adapter receives: `M` and `m` set the acceptance registers of an SJA1000.

use crate::frame::CanFrame;

/// Acceptance code and mask of an SJA1000 in dual filter mode, as the adapter begins with them.
/// A set bit of the mask means that this bit may be either.
///
/// A standard frame passes filter 1 by identifier, RTR and first data byte, or filter 2 by
/// identifier and RTR; an extended frame passes either by the upper 16 bits of its identifier
/// (data sheet of the SJA1000, section 6.4.15, unverified).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// Set by `Mxxxxxxxx`, AC0 to AC3.
    pub code: [u8; 4],
    /// Set by `mxxxxxxxx`, AM0 to AM3.
    pub mask: [u8; 4],
}

/// All frames.
impl Default for Acceptance {
    fn default() -> Self {
        Self { code: [0; 4], mask: [0xFF; 4] }
    }
}

impl Acceptance {
    /// Whether the adapter receives a frame.
    #[must_use]
    pub fn passes(&self, frame: &CanFrame) -> bool {
        let (code, mask) = (u32::from_be_bytes(self.code), u32::from_be_bytes(self.mask));
        let matches = |bits: u32, compared: u32| (bits ^ code) & !mask & compared == 0;
        if frame.id().is_extended() {
            let upper = frame.id().value() >> 13;
            return matches(upper << 16, 0xFFFF_0000) || matches(upper, 0x0000_FFFF);
        }
        // 11 bits of identifier, RTR, then a nibble that is data of filter 1.
        let head = frame.id().value() << 5 | u32::from(frame.is_remote()) << 4;
        let (data, compared) = frame.bytes().first().map_or((0, 0), |&first| {
            (u32::from(first >> 4) << 16 | u32::from(first & 0x0F), 0x000F_000F)
        });
        matches(head << 16 | data, 0xFFF0_0000 | compared) || matches(head, 0x0000_FFF0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(code: u32, mask: u32, frame: &str) -> bool {
        Acceptance { code: code.to_be_bytes(), mask: mask.to_be_bytes() }
            .passes(&frame.parse().unwrap())
    }

    #[test]
    fn all_frames_pass_at_first() {
        for frame in ["000#", "7FF#R8", "1FFFFFFF#FF", "00000000#R"] {
            assert!(Acceptance::default().passes(&frame.parse().unwrap()), "{frame}");
        }
    }

    #[test]
    fn each_filter_has_its_identifier() {
        // 300h for filter 1 and 301h for filter 2, RTR and data either.
        let (code, mask) = (0x6000_6020, 0x001F_001F);
        assert!(passes(code, mask, "300#55") && passes(code, mask, "301#R"));
        assert!(!passes(code, mask, "302#55") && !passes(code, mask, "700#"));
        // Only remote frames.
        assert!(passes(0x6010_6010, 0x000F_000F, "300#R"));
        assert!(!passes(0x6010_6010, 0x000F_000F, "300#"));
    }

    #[test]
    fn the_first_data_byte_counts_for_filter_1_of_standard_frames() {
        // Filter 2 asks for 7FFh.
        let (code, mask) = (0x600A_FFE5, 0x0010_0010);
        assert!(passes(code, mask, "300#A5") && passes(code, mask, "300#"));
        assert!(!passes(code, mask, "300#A4") && !passes(code, mask, "300#B5"));
        assert!(passes(code, mask, "7FF#00"));
    }

    #[test]
    fn extended_frames_are_compared_in_their_upper_16_bits() {
        let (code, mask) = (0x91A2_FFFF, 0);
        assert!(passes(code, mask, "12344000#"), "{:X}", 0x1234_4000 >> 13);
        assert!(passes(code, mask, "12345FFF#R") && passes(code, mask, "1FFFE000#"));
        assert!(!passes(code, mask, "12346000#"));
    }
}
