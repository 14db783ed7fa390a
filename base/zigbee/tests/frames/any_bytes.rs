//! Any bytes: 100,000 inputs, the same each time, of which some are changed frames.

use crate::exercise::exercise;

/// Numbers that look random and are the same each time (xorshift64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count.max(1) as u64) as usize
    }
}

const HEAD: &[u8] = &[0x1A, 0x2B, 0, 0x12, 0x4B, 0, 1, 2, 3, 4, 1, 1, 1, 4, 0x0B, 4, 200, 9];
const FRAMES: &[&[u8]] = &[
    &[0x18, 7, 0x0A, 0x0B, 5, 0x29, 0xD2, 4, 5, 5, 0x21, 0xFD, 8, 4, 0, 0x42, 2, 0x61, 0x62],
    &[0x08, 1, 1, 5, 5, 0, 0x21, 0xFF, 0xFF, 0xFF, 5, 0x86],
    &[0, 1, 6, 0, 0x0B, 5, 0x29, 5, 0, 60, 0, 10, 0, 1, 5, 5, 44, 1],
    &[0x08, 1, 4, 0x88, 5, 5],
    &[0x08, 1, 7, 0x8C, 0, 16, 5],
    &[0x11, 6, 3, 3, 1, 0, 2, 0, 4, 3, 2, 1, 48, 0, 0, 0, 48, 4, 3, 2, 1, 0, 0x4B, 0x12, 0, 9, 0],
    &[0x19, 6, 5, 0, 1, 0, 2, 0, 4, 3, 2, 1, 48, 0, 0, 0, 3, 10, 11, 12],
    &[0x0D, 0xF0, 0xFF, 4, 0, 7, 0, 0xA0, 0x0F, 0x60, 0, 2, 0xFF, 0xFF, 0, 1],
    &[5, 0x2B, 0x1A, 4, 3, 2, 1, 0, 0x4B, 0x12, 0, 0x8E],
];

#[test]
fn no_bytes_make_a_decoder_panic() {
    let (mut dice, mut whole) = (Dice(0x9E37_79B9_7F4A_7C15), 0);
    for number in 0..100_000 {
        let mut bytes: Vec<u8> = Vec::new();
        match number % 4 {
            0 => bytes.resize(dice.below(150), 0),
            kind => {
                if kind != 1 {
                    bytes.extend(HEAD);
                }
                bytes.extend(FRAMES[dice.below(FRAMES.len())]);
                for _ in 0..dice.below(4) {
                    let (at, byte) = (dice.below(bytes.len()), dice.next() as u8);
                    match dice.below(3) {
                        0 => bytes.truncate(at),
                        1 => bytes.insert(at, byte),
                        _ => bytes.iter_mut().skip(at).take(1).for_each(|one| *one = byte),
                    }
                }
            }
        }
        if number % 4 == 0 {
            for byte in &mut bytes {
                *byte = dice.next() as u8;
            }
        }
        whole += usize::from(exercise(&bytes));
    }
    // A test of refusals alone would be none.
    assert!(whole > 20_000, "{whole} inputs were whole");
}
