//! Characters (bytes of data) on a bus whose bits are read wrongly: how many are hit on the wire,
//! before the CRC, beside 1 - (1 - p)^n, and how many are delivered wrong.
//!
//! n is the number of a character's bits on the wire, its stuff bits included, counted here apart
//! from the code that sends. Counted are characters that begin before any other bit of their frame
//! was read wrongly; up to there a frame goes on whoever reads it. Frames behind a bit that was
//! read wrongly in the pause are left out, for a receiver may still be busy with that.
//!
//! `cargo run --release -p lastmeter-can --example character_errors [CHARACTERS]`

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;
use std::ops::Range;
use std::sync::mpsc;

use chacha20::ChaCha8Rng;
use lastmeter_can::bus::{Bus, Detail, Happening, Noise};
use lastmeter_can::frame::{CanFrame, CanId};
use lastmeter_units::{SimDuration, SimTime};
use rand::{RngExt as _, SeedableRng as _};

/// Nanoseconds of a bit at 125 kbit/s.
const BIT: i64 = 8_000;
/// The node that sends, and the one that may read wrongly by itself, of three.
const SENDER: usize = 0;
const READER: usize = 1;
/// Bits in front of a frame in which nothing must have been read wrongly: more than an error frame.
const QUIET_BITS: i64 = 40;
/// The rates.
pub const RATES: [f64; 3] = [1e-5, 1e-4, 1e-3];

/// What was counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Characters that began.
    pub characters: u64,
    /// How many of them were hit.
    pub hit: u64,
    /// How many were to be expected.
    pub expected: f64,
    /// The variance of that.
    pub variance: f64,
    /// Characters that a receiver took from the bus.
    pub delivered: u64,
    /// Those of them that were not as they were sent.
    pub wrong: u64,
    /// Those of frames that came twice.
    pub twice: u64,
    /// Frames that were sent again.
    pub repeated: u64,
}

/// The places on the wire of each character of a frame, from its start of frame on.
fn characters(id: u32, bytes: &[u8]) -> Vec<Range<i64>> {
    let mut bits = format!("0{id:011b}000{:04b}", bytes.len());
    bits.extend(bytes.iter().map(|byte| format!("{byte:08b}")));
    let (mut stuffed, mut ends) = (String::new(), Vec::new());
    for (place, bit) in bits.chars().enumerate() {
        stuffed.push(bit);
        for (run, opposite) in [("00000", '1'), ("11111", '0')] {
            if stuffed.ends_with(run) {
                stuffed.push(opposite);
                break;
            }
        }
        if place >= 18 && (place - 18) % 8 == 0 {
            ends.push(stuffed.len() as i64);
        }
    }
    ends.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

/// A frame on the wire.
struct Attempt {
    start: i64,
    places: Vec<Range<i64>>,
}

/// What was read wrongly and is not passed yet, as places of bits since the start.
struct Flips {
    came: mpsc::Receiver<i64>,
    recent: Vec<i64>,
}

impl Flips {
    fn until(&mut self, place: i64) -> &[i64] {
        self.recent.extend(self.came.try_iter());
        self.recent.retain(|&flip| flip > place - 1_000);
        &self.recent
    }
}

impl Counts {
    fn attempt(&mut self, attempt: &Attempt, flips: &[i64], rate: f64) {
        let Attempt { start, places } = attempt;
        let first = |range: Range<i64>| flips.iter().filter(|&flip| range.contains(flip)).min();
        if first(start - QUIET_BITS..*start).is_some() {
            return;
        }
        let end = places.last().map_or(*start, |last| start + last.end);
        let hit_at = first(*start..end).map(|flip| flip - start);
        for place in places {
            if hit_at.is_some_and(|hit| hit < place.start) {
                return;
            }
            let bits = (place.end - place.start) as i32;
            let chance = 1.0 - (1.0 - rate).powi(bits);
            self.characters += 1;
            self.hit += u64::from(hit_at.is_some_and(|hit| place.contains(&hit)));
            self.expected += chance;
            self.variance += chance * (1.0 - chance);
        }
    }
}

/// Sends so many characters at a rate of bits in error, which all read wrongly or one receiver.
pub fn measure(rate: f64, is_of_all: bool, characters_min: u64, seed: u64) -> Counts {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut errors = ChaCha8Rng::seed_from_u64(seed + 1_000);
    let (flipped, came) = mpsc::channel();
    let mut at = 0_i64;
    let gap = move || {
        // The number of bits up to the next one is geometrically distributed.
        let uniform: f64 = errors.random();
        let bits = ((1.0 - uniform).ln() / (1.0 - rate).ln()).ceil().max(1.0) as i64;
        at += bits;
        let _ = flipped.send(at);
        SimDuration(bits * BIT)
    };
    let mut bus = Bus::new(Detail::Frames, SimDuration(BIT), SimTime(0), 3);
    let node = (!is_of_all).then_some(READER);
    bus.disturb(SimTime(0), Noise { node, gap: Box::new(gap) });
    let (mut flips, mut counts) = (Flips { came, recent: Vec::new() }, Counts::default());
    let (mut now, mut last) = (SimTime(1_000 * BIT), [None; 3]);
    while counts.characters < characters_min {
        let (id, bytes): (u32, [u8; 8]) = (random.random_range(0..0x7F0), random.random());
        let Ok(frame) = CanId::standard(id).and_then(|id| CanFrame::data(id, &bytes)) else {
            continue;
        };
        bus.offer(SENDER, now, Some(frame));
        let mut attempt = None;
        let mut is_sent = false;
        while !is_sent {
            let Some(event) = bus.pop(SimTime(i64::MAX)) else { break };
            now = event.at;
            match event.what {
                Happening::Begun(_) => {
                    let start = event.at.0 / BIT - 1;
                    attempt = Some(Attempt { start, places: characters(id, &bytes) });
                }
                Happening::Sent(_) | Happening::Error { .. } if event.node == SENDER => {
                    is_sent = matches!(event.what, Happening::Sent(_));
                    counts.repeated += u64::from(!is_sent && attempt.is_some());
                    if let Some(attempt) = attempt.take() {
                        counts.attempt(&attempt, flips.until(attempt.start), rate);
                    }
                }
                Happening::Received(received) => {
                    counts.delivered += 8;
                    let pairs = received.bytes().iter().zip(bytes);
                    let differ = pairs.filter(|(byte, sent)| **byte != *sent).count() as u64;
                    let is_other = received.id() != frame.id() || received.bytes().len() != 8;
                    counts.wrong += if is_other { 8 } else { differ };
                    let is_again = last[event.node].replace(received) == Some(received);
                    counts.twice += 8 * u64::from(is_again);
                }
                _ => {}
            }
        }
    }
    counts
}

fn main() -> Result<(), Box<dyn Error>> {
    let characters = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    println!("rate    read wrongly by  characters      hit  expected  wrong  twice  repeated");
    for rate in RATES {
        for is_of_all in [true, false] {
            let it = measure(rate, is_of_all, characters, 7);
            let who = if is_of_all { "all" } else { "one receiver" };
            println!(
                "{rate:<7.0e} {who:<16} {:>10} {:>8} {:>9.1} {:>6} {:>6} {:>9}",
                it.characters, it.hit, it.expected, it.wrong, it.twice, it.repeated
            );
        }
    }
    Ok(())
}
