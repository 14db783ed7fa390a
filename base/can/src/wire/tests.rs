//! Bits of frames: check values, the shortest and the longest ones, and wrong bits.

use proptest::prelude::*;

use super::*;
use crate::frame::STANDARD_ID_MAX;
use crate::tests::frame as any_frame;

fn levels(bits: &WireBits) -> Vec<bool> {
    (0..bits.len()).map(|place| bits.is_recessive(place)).collect()
}

/// What a receiver makes of bits; the field in which it stopped.
fn receive(bits: &[bool]) -> (Receiver, Taken) {
    let mut receiver = Receiver::new();
    let mut taken = Taken::More;
    for bit in bits {
        taken = receiver.take(*bit);
        if !matches!(taken, Taken::More | Taken::Valid) {
            break;
        }
    }
    (receiver, taken)
}

/// The check value of CRC-15/CAN in the catalogue of parametrised CRC algorithms.
#[test]
fn crc_has_its_check_value() {
    let bits = b"123456789".iter().fold(0, |bits, &byte| bits << 8 | u128::from(byte));
    assert_eq!(crc_15(bits), 0x059E);
}

/// Typed in: identifier 0 and no data, of which each fifth bit is followed by a stuff bit.
#[test]
fn stuff_bits_stand_behind_five_equal_ones() {
    let frame = CanFrame::data(CanId::standard(0).unwrap(), &[]).unwrap();
    let text: String =
        levels(&WireBits::of(&frame)).iter().map(|&bit| if bit { '1' } else { '0' }).collect();
    // 19 dominant bits and 15 of a CRC that is 0.
    assert_eq!(text, "0000010000010000010000010000010000010000");
}

/// Frames with the fewest and the most stuff bits, over all identifiers and data: by the state that
/// the sender is in after each bit, of which there are 2^15 of the CRC, 5 runs and 2 levels.
struct Extremes {
    /// Fewest and most stuff bits so far by CRC, run and level.
    states: Vec<Option<(u8, u8)>>,
}

impl Extremes {
    const RUNS: usize = 6;

    fn at(crc: u16, run: usize, level: bool) -> usize {
        (usize::from(crc) * Self::RUNS + run) * 2 + usize::from(level)
    }

    /// After the start of frame.
    fn new() -> Self {
        let mut states = vec![None; 0x8000 * Self::RUNS * 2];
        states[Self::at(0, 1, false)] = Some((0, 0));
        Self { states }
    }

    /// One more bit: one of these levels.
    fn bit(&mut self, levels: &[bool]) {
        let mut after = vec![None; self.states.len()];
        for (crc, run, last, found) in self.each() {
            for &level in levels {
                // Written apart from the code under test: division by the polynomial.
                let shifted = u32::from(crc) << 1 ^ if level { 0x8000 } else { 0 };
                let crc = if shifted & 0x8000 == 0 { shifted } else { shifted ^ 0xC599 } as u16;
                Self::put(&mut after, crc & 0x7FFF, (run, last), level, found);
            }
        }
        self.states = after;
    }

    fn put(
        after: &mut [Option<(u8, u8)>],
        crc: u16,
        (run, last): (usize, bool),
        level: bool,
        (fewest, most): (u8, u8),
    ) {
        // Behind five equal bits one of the other level was put in.
        let stuffed = u8::from(run == 5);
        let (run, last) = if run == 5 { (1, !last) } else { (run, last) };
        let run = if level == last { run + 1 } else { 1 };
        let place = &mut after[Self::at(crc, run, level)];
        let (low, high) = place.unwrap_or((u8::MAX, 0));
        *place = Some((low.min(fewest + stuffed), high.max(most + stuffed)));
    }

    fn each(&self) -> Vec<(u16, usize, bool, (u8, u8))> {
        let states = self.states.iter().enumerate();
        let there = states.filter_map(|(at, found)| Some((at, (*found)?)));
        there
            .map(|(at, found)| {
                ((at / 2 / Self::RUNS) as u16, at / 2 % Self::RUNS, at % 2 == 1, found)
            })
            .collect()
    }

    /// The fewest and the most bits of a frame with so many before the CRC sequence.
    fn bits(&self, before: u32) -> (u32, u32) {
        let mut bounds = (u32::MAX, 0);
        for (crc, run, last, (fewest, most)) in self.each() {
            let (mut run, mut last, mut stuffed) = (run, last, 0);
            for bit in (0..15).rev().map(|bit| crc >> bit & 1 == 1) {
                if run == 5 {
                    (run, last, stuffed) = (1, !last, stuffed + 1);
                }
                (run, last) = (if bit == last { run + 1 } else { 1 }, bit);
            }
            stuffed += u32::from(run == 5);
            let fixed = before + 15 + TRAILER_BITS + INTERMISSION_BITS + stuffed;
            bounds =
                (bounds.0.min(fixed + u32::from(fewest)), bounds.1.max(fixed + u32::from(most)));
        }
        bounds
    }
}

/// The bounds that are published are 55 and 135 bits: no frame reaches them, since the bits of
/// the control field and of the CRC sequence are not free.
#[test]
fn the_shortest_and_the_longest_frames_are_known() {
    let bounds = |is_remote: bool, length: u8| {
        let mut extremes = Extremes::new();
        (0..11).for_each(|_| extremes.bit(&[false, true]));
        for level in [is_remote, false, false] {
            extremes.bit(&[level]);
        }
        (0..4).rev().for_each(|bit| extremes.bit(&[length >> bit & 1 == 1]));
        let data = if is_remote { 0 } else { 8 * u32::from(length) };
        (0..data).for_each(|_| extremes.bit(&[false, true]));
        extremes.bits(19 + data)
    };
    let remote = (0..=8).map(|length| bounds(true, length));
    let remote = remote.fold((u32::MAX, 0), |all, one| (all.0.min(one.0), all.1.max(one.1)));
    assert_eq!(remote, (47, 53));
    assert_eq!(bounds(false, 8), (111, 133));
    // Each one that is: a remote frame has few enough of them to look at all.
    let all = (0..=STANDARD_ID_MAX).flat_map(|id| (0..=8).map(move |length| (id, length)));
    let all = all.map(|(id, length)| {
        let frame = CanFrame::remote(CanId::standard(id).unwrap(), length).unwrap();
        frame_bits(&frame) + INTERMISSION_BITS
    });
    let found = all.fold((u32::MAX, 0), |(low, high), bits| (low.min(bits), high.max(bits)));
    assert_eq!(found, remote);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_frame_is_received_as_it_was_sent(frame in any_frame()) {
        let mut bits = levels(&WireBits::of(&frame));
        bits.extend([true, false]);
        bits.extend([true; 8]);
        prop_assert_eq!(bits.len() as u32, frame_bits(&frame));
        let (receiver, taken) = receive(&bits);
        prop_assert_eq!((receiver.frame(), taken), (Some(frame), Taken::Over));
        prop_assert!(receiver.has_right_crc());
    }

    /// What the CRC is for: up to five bits anywhere, where the frame keeps its form.
    #[test]
    fn a_frame_with_a_wrong_bit_is_refused(
        frame in any_frame(),
        at in any::<prop::sample::Index>(),
    ) {
        let mut bits = levels(&WireBits::of(&frame));
        let place = 1 + at.index(bits.len() - 1);
        bits[place] = !bits[place];
        bits.extend([true, false]);
        bits.extend([true; 8]);
        let (receiver, taken) = receive(&bits);
        let is_accepted = taken == Taken::Over && receiver.frame().is_some();
        prop_assert!(!is_accepted, "{receiver:?}");
    }

    #[test]
    fn no_bits_panic(bits in proptest::collection::vec(any::<bool>(), 0..400)) {
        let (receiver, _) = receive(&bits);
        let _ = receiver.frame();
    }
}
