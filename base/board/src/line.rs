//! What a serial line does to bytes, and an emulated one does not: time, pauses, wrong bits, bytes
//! that nobody sent, and bytes that come faster than they are taken.
//!
//! A pure machine: instants and random numbers are arguments.

use lastmeter_params::{Dimension, Field, Kind, Values};

const RATE: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1.0 };

/// The keys of `[line]` in a board file.
pub static LINE: &[Field] = &[
    Field::optional(
        "baud",
        Kind::Integer { min: 50, max: 4_000_000 },
        "bytes take as long as at this rate, ten bits each; without it no time",
    ),
    Field::optional(
        "pause",
        Kind::Quantity { dimension: Dimension::Time, min: 1e-6, max: 10.0 },
        "a pause after every `pause_every` bytes",
    ),
    Field::default(
        "pause_every",
        Kind::Integer { min: 1, max: 1_000_000 },
        "1",
        "how many bytes lie between two pauses",
    ),
    Field::default("bit_error_rate", RATE, "0", "the share of bits that are inverted"),
    Field::default("loss_rate", RATE, "0", "the share of bytes that are lost"),
    Field::default(
        "garbage",
        Kind::Integer { min: 0, max: 4096 },
        "0",
        "how many random bytes come from the board before its first",
    ),
    Field::optional(
        "overrun",
        Kind::Integer { min: 1, max: 1_000_000 },
        "of more bytes than these at once the board loses the rest, as without a buffer",
    ),
];

/// Bits of a byte on the line: a start bit, eight of data, a stop bit.
const BITS_PER_BYTE: u64 = 10;

/// What a line does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LineSpec {
    /// Bits per second; `None`: bytes take no time.
    pub baud: Option<u32>,
    /// A pause in nanoseconds, after so many bytes.
    pub pause: Option<(u64, u64)>,
    /// The share of bits that are inverted.
    pub bit_error_rate: f64,
    /// The share of bytes that are lost.
    pub loss_rate: f64,
    /// Random bytes before the board's first.
    pub garbage: usize,
    /// More bytes at once lose the rest.
    pub overrun: Option<usize>,
}

impl LineSpec {
    /// What the checked keys mean.
    pub fn read(values: &Values) -> Self {
        let count = |key: &str| {
            let whole = values.integer_opt(key)?;
            usize::try_from(whole).ok()
        };
        let pause = values.duration_opt("pause").and_then(|it| u64::try_from(it.0).ok());
        let every = u64::try_from(values.integer("pause_every")).unwrap_or(1).max(1);
        Self {
            baud: values.integer_opt("baud").and_then(|baud| u32::try_from(baud).ok()),
            pause: pause.map(|pause| (pause, every)),
            bit_error_rate: values.si("bit_error_rate"),
            loss_rate: values.si("loss_rate"),
            garbage: count("garbage").unwrap_or(0),
            overrun: count("overrun"),
        }
    }
}

/// The direction of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the board.
    ToBoard,
    /// From the board.
    FromBoard,
}

/// A line at work, with both directions.
#[derive(Clone, Debug)]
pub struct Line {
    spec: LineSpec,
    /// Bytes so far, and when the last of them ended, per direction.
    directions: [DirectionState; 2],
    has_begun: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct DirectionState {
    begun_ns: u64,
    /// Since `begun_ns`, without a pause of the sender's.
    bytes: u64,
    ends_ns: u64,
}

impl Line {
    /// A line that nothing has passed yet.
    pub fn new(spec: LineSpec) -> Self {
        Self { spec, directions: [DirectionState::default(); 2], has_begun: false }
    }

    /// What becomes of bytes that are handed over now: what arrives, and when the last of it does.
    /// `draw` gives random numbers of 64 bits.
    pub fn pass(
        &mut self,
        direction: Direction,
        now_ns: u64,
        bytes: &[u8],
        mut draw: impl FnMut() -> u64,
    ) -> (u64, Vec<u8>) {
        let mut all = Vec::with_capacity(bytes.len());
        if direction == Direction::FromBoard && !std::mem::replace(&mut self.has_begun, true) {
            for _ in 0..self.spec.garbage {
                all.push(draw().to_le_bytes()[0]);
            }
        }
        let room = match (direction, self.spec.overrun) {
            (Direction::ToBoard, Some(room)) => room.min(bytes.len()),
            _ => bytes.len(),
        };
        for &byte in &bytes[..room] {
            if self.spec.loss_rate > 0.0 && chance(&mut draw, self.spec.loss_rate) {
                continue;
            }
            all.push(self.struck(byte, &mut draw));
        }
        (self.ends(direction, now_ns, bytes.len() as u64), all)
    }

    fn struck(&self, byte: u8, draw: &mut impl FnMut() -> u64) -> u8 {
        if self.spec.bit_error_rate == 0.0 {
            return byte;
        }
        let mut found = byte;
        for bit in 0..8 {
            if chance(draw, self.spec.bit_error_rate) {
                found ^= 1 << bit;
            }
        }
        found
    }

    /// When the last of so many bytes has arrived: a sender waits for what it sent before. Exact:
    /// each instant is counted from where the bytes began to follow each other.
    fn ends(&mut self, direction: Direction, now_ns: u64, count: u64) -> u64 {
        let state = &mut self.directions[usize::from(direction == Direction::FromBoard)];
        if now_ns >= state.ends_ns {
            (state.begun_ns, state.bytes) = (now_ns, 0);
        }
        state.bytes += count;
        let per_second = 1_000_000_000_u128 * u128::from(BITS_PER_BYTE);
        let of_bits = self
            .spec
            .baud
            .map_or(0, |baud| u128::from(state.bytes) * per_second / u128::from(baud.max(1)));
        let of_pauses = self
            .spec
            .pause
            .map_or(0, |(pause_ns, every)| u128::from(state.bytes / every) * u128::from(pause_ns));
        let length = u64::try_from(of_bits + of_pauses).unwrap_or(u64::MAX);
        state.ends_ns = state.begun_ns.saturating_add(length);
        state.ends_ns
    }
}

fn chance(draw: &mut impl FnMut() -> u64, probability: f64) -> bool {
    ((draw() >> 11) as f64) / (1_u64 << 53) as f64 >= 1.0 - probability
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Knuth's MMIX, whose upper bits are drawn from.
    fn draws(mut state: u64) -> impl FnMut() -> u64 {
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005);
            state = state.wrapping_add(1_442_695_040_888_963_407);
            state
        }
    }

    /// Ten bits a byte: 8.68 us at 115200 baud, and no drift over a million bytes.
    #[test]
    fn bytes_take_their_time_and_a_million_of_them_a_million_times_that() {
        let mut line = Line::new(LineSpec { baud: Some(115_200), ..LineSpec::default() });
        let (ends, _) = line.pass(Direction::ToBoard, 1000, &[1], draws(1));
        assert_eq!(ends, 1000 + 86_805);
        let mut last = 0;
        for _ in 0..1000 {
            (last, _) = line.pass(Direction::ToBoard, 1000, &[7; 1000], draws(1));
        }
        assert_eq!(last, 1000 + 1_000_001 * 10_000_000_000 / 115_200);
        // Whoever pauses begins again; the other way has its own time.
        assert_eq!(line.pass(Direction::FromBoard, 5, &[1], draws(1)).0, 5 + 86_805);
    }

    #[test]
    fn pauses_lie_between_bytes() {
        let pause = Some((1_000_000, 4));
        let mut line = Line::new(LineSpec { pause, ..LineSpec::default() });
        assert_eq!(line.pass(Direction::ToBoard, 0, &[1; 3], draws(1)).0, 0);
        assert_eq!(line.pass(Direction::ToBoard, 0, &[1; 3], draws(1)).0, 0);
        let mut line = Line::new(LineSpec { pause, ..LineSpec::default() });
        assert_eq!(line.pass(Direction::ToBoard, 0, &[1; 9], draws(1)).0, 2_000_000);
    }

    /// Shares of errors and losses lie within four standard deviations.
    #[test]
    fn shares_are_those_that_are_written() {
        let (bit_error_rate, loss_rate) = (1e-3, 0.02);
        let mut line = Line::new(LineSpec { bit_error_rate, loss_rate, ..LineSpec::default() });
        let count = 100_000;
        let (_, arrived) = line.pass(Direction::FromBoard, 0, &vec![0x55; count], draws(3));
        let within = |found: u64, share: f64, of: f64| {
            (found as f64 - share * of).abs() < 4.0 * (share * of).sqrt()
        };
        let lost = (count - arrived.len()) as u64;
        assert!(within(lost, loss_rate, count as f64), "{lost}");
        let wrong: u32 = arrived.iter().map(|byte| (byte ^ 0x55).count_ones()).sum();
        assert!(within(wrong.into(), bit_error_rate, 8.0 * arrived.len() as f64), "{wrong}");
    }

    #[test]
    fn garbage_comes_once_and_an_overrun_loses_the_rest() {
        let spec = LineSpec { garbage: 5, overrun: Some(3), ..LineSpec::default() };
        let mut line = Line::new(spec);
        let (_, first) = line.pass(Direction::FromBoard, 0, b"banner", draws(9));
        assert!(first.len() == 11 && first.ends_with(b"banner"), "{first:?}");
        assert_eq!(line.pass(Direction::FromBoard, 0, b"next", draws(9)).1, b"next");
        assert_eq!(line.pass(Direction::ToBoard, 0, b"12345", draws(9)).1, b"123");
    }

    proptest! {
        #[test]
        fn without_faults_nothing_is_invented(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut line = Line::new(LineSpec::default());
            let passed = line.pass(Direction::FromBoard, 9, &bytes, draws(1));
            prop_assert_eq!(passed, (9, bytes));
        }

        /// A line of the same draws does the same however bytes are cut.
        #[test]
        fn the_cut_of_bytes_changes_nothing(
            bytes in prop::collection::vec(any::<u8>(), 1..300), cut in 1_usize..40,
        ) {
            let spec = LineSpec {
                baud: Some(9600), bit_error_rate: 0.05, loss_rate: 0.1, ..LineSpec::default()
            };
            let of = |cut: usize| {
                let (mut line, mut draw) = (Line::new(spec.clone()), draws(5));
                let mut all = (0, Vec::new());
                for piece in bytes.chunks(cut) {
                    let (ends, arrived) = line.pass(Direction::ToBoard, 3, piece, &mut draw);
                    all.0 = ends;
                    all.1.extend(arrived);
                }
                all
            };
            prop_assert_eq!(of(cut), of(bytes.len()));
        }
    }
}
