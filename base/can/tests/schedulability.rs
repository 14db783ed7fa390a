//! Response times on the bus beside the analysis of Davis, Burns, Bril and Lukkien, "Controller
//! Area Network (CAN) schedulability analysis: refuted, revisited and revised" (2007): no message
//! takes longer than its bound, and the critical instant reaches it.
//!
//! The bound takes the length of each frame's own bits, counted here apart from the code under
//! test.

#![expect(clippy::unwrap_used, reason = "what is not as expected fails its test")]

use std::collections::VecDeque;

use lastmeter_can::bus::{Bus, Detail, Happening};
use lastmeter_can::frame::{CanFrame, CanId};
use lastmeter_units::{SimDuration, SimTime};
use rand::{RngExt as _, SeedableRng as _};

/// Nanoseconds of a bit at 125 kbit/s.
const BIT: i64 = 8_000;
/// Bits between frames.
const PAUSE: i64 = 3;
/// Sets of messages that are drawn.
const SETS: usize = 10_000;

/// A message of a node of its own; times in bits.
#[derive(Clone, Debug)]
struct Message {
    frame: CanFrame,
    period: i64,
    /// Its length with the pause behind it.
    length: i64,
}

impl Message {
    fn new(id: u32, bytes: &[u8], period: i64) -> Self {
        let frame = CanFrame::data(CanId::standard(id).unwrap(), bytes).unwrap();
        Self { frame, period, length: length(id, bytes) }
    }
}

/// Bits of a data frame with the pause behind it: as text, by division of polynomials.
fn length(id: u32, bytes: &[u8]) -> i64 {
    let mut bits = format!("0{id:011b}000{:04b}", bytes.len());
    bits.extend(bytes.iter().map(|byte| format!("{byte:08b}")));
    let mut rest: Vec<u8> = bits.bytes().map(|bit| bit - b'0').chain([0; 15]).collect();
    let generator = [1, 1, 0, 0, 0, 1, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1];
    for at in 0..bits.len() {
        if rest[at] == 1 {
            (0..16).for_each(|place| rest[at + place] ^= generator[place]);
        }
    }
    bits.extend(rest[bits.len()..].iter().map(|bit| char::from(b'0' + bit)));
    let mut stuffed = String::new();
    for bit in bits.chars() {
        stuffed.push(bit);
        for run in ["00000", "11111"] {
            if stuffed.ends_with(run) {
                stuffed.push(if run == "00000" { '1' } else { '0' });
            }
        }
    }
    stuffed.len() as i64 + 10 + PAUSE
}

fn load(messages: &[Message]) -> f64 {
    messages.iter().map(|it| it.length as f64 / it.period as f64).sum()
}

/// The longest response of each message, in bits up to the end of its frame; the first message has
/// the lowest identifier.
fn bounds(messages: &[Message]) -> Vec<i64> {
    let over = |time: i64, period: i64| time.div_euclid(period) + i64::from(time % period != 0);
    let bound = |m: usize| {
        let (mine, higher) = (&messages[m], &messages[..m]);
        let blocking = messages[m + 1..].iter().map(|it| it.length).max().unwrap_or(0);
        let mut busy = mine.length;
        loop {
            let of = |it: &Message| over(busy, it.period) * it.length;
            let next = blocking + messages[..=m].iter().map(of).sum::<i64>();
            if next == busy {
                break;
            }
            busy = next;
        }
        let instances = over(busy, mine.period);
        let response = |q: i64| {
            let mut wait = blocking + q * mine.length;
            loop {
                let of = |it: &Message| over(wait + 1, it.period) * it.length;
                let next = blocking + q * mine.length + higher.iter().map(of).sum::<i64>();
                if next == wait {
                    return wait - q * mine.period + mine.length - PAUSE;
                }
                wait = next;
            }
        };
        (0..instances).map(response).max().unwrap()
    };
    (0..messages.len()).map(bound).collect()
}

/// The longest response of each message until an instant, in nanoseconds, if each is queued at its
/// offset and then once a period.
fn play(messages: &[Message], offsets: &[i64], until: i64) -> Vec<i64> {
    let nodes = messages.len() + 1;
    let mut bus = Bus::new(Detail::Frames, SimDuration(BIT), SimTime(-11 * BIT), nodes);
    let mut next: Vec<i64> = offsets.to_vec();
    let mut queued = vec![VecDeque::<i64>::new(); messages.len()];
    let mut longest = vec![0; messages.len()];
    loop {
        let at = next.iter().copied().min().unwrap().min(until);
        while let Some(event) = bus.pop(SimTime(at)) {
            if let Happening::Sent(frame) = event.what {
                let m = event.node;
                let since = queued[m].pop_front().unwrap();
                longest[m] = longest[m].max(event.at.0 - since);
                bus.offer(m, event.at, queued[m].front().map(|_| frame));
            }
        }
        if at == until {
            return longest;
        }
        for (m, message) in
            messages.iter().enumerate().filter(|(m, _)| next[*m] == at).collect::<Vec<_>>()
        {
            queued[m].push_back(at);
            if queued[m].len() == 1 {
                bus.offer(m, SimTime(at), Some(message.frame));
            }
            next[m] += message.period * BIT;
        }
    }
}

/// A lower message has just begun, and all from this one on are queued.
fn critical(messages: &[Message], m: usize) -> i64 {
    let lower = (m + 1..messages.len()).max_by_key(|&it| messages[it].length);
    let never = i64::MAX / 4;
    let offsets: Vec<i64> = (0..messages.len())
        .map(|it| {
            if it <= m {
                1
            } else if Some(it) == lower {
                0
            } else {
                never
            }
        })
        .collect();
    let longest = messages.iter().map(|it| it.period).max().unwrap();
    play(messages, &offsets, 40 * longest * BIT)[m]
}

fn draw(rng: &mut chacha20::ChaCha8Rng, target: f64) -> Vec<Message> {
    let count = rng.random_range(3..=20);
    let mut ids: Vec<u32> = Vec::new();
    while ids.len() < count {
        let id = rng.random_range(0..0x7F0);
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids.sort_unstable();
    let mut messages: Vec<Message> = ids
        .iter()
        .map(|&id| {
            let bytes: Vec<u8> = (0..rng.random_range(0..=8)).map(|_| rng.random()).collect();
            Message::new(id, &bytes, rng.random_range(500..8_000))
        })
        .collect();
    let factor = load(&messages) / target;
    for message in &mut messages {
        message.period = ((message.period as f64 * factor) as i64).max(message.length + 1);
    }
    messages
}

#[test]
fn no_response_exceeds_its_bound() {
    let mut rng = chacha20::ChaCha8Rng::seed_from_u64(2007);
    let (mut checked, mut closest) = (0, 0.0_f64);
    for set in 0..SETS {
        let target = rng.random_range(0.2..0.85);
        let messages = draw(&mut rng, target);
        let bounds = bounds(&messages);
        let offsets: Vec<i64> =
            messages.iter().map(|it| rng.random_range(0..it.period * BIT)).collect();
        let longest = messages.iter().map(|it| it.period).max().unwrap();
        let found = play(&messages, &offsets, 10 * longest * BIT);
        for (m, (bound, found)) in bounds.iter().zip(found).enumerate() {
            assert!(found <= bound * BIT, "set {set}, message {m}: {found} ns, bound {bound} bits");
            assert!(found >= (messages[m].length - PAUSE) * BIT, "set {set}, message {m}");
            checked += 1;
            closest = closest.max(found as f64 / (bound * BIT) as f64);
        }
    }
    assert!(checked > SETS * 5);
    assert!(closest > 0.9, "{closest}");
}

#[test]
fn the_critical_instant_reaches_the_bound_within_a_bit() {
    let mut rng = chacha20::ChaCha8Rng::seed_from_u64(1994);
    for set in 0..60 {
        let messages = draw(&mut rng, 0.6);
        for (m, bound) in bounds(&messages).into_iter().enumerate() {
            let found = critical(&messages, m);
            let rest = bound * BIT - found;
            assert!((0..=BIT).contains(&rest), "set {set}, message {m}: {rest} ns are missing");
        }
    }
}

/// The example that refuted the analysis of 1994: three messages of 1 ms, of which the last one is
/// late in its second instance.
#[test]
fn the_second_instance_may_be_the_late_one() {
    // 122 bits and the pause: a millisecond at 125 kbit/s.
    let of = |id: u32, period: i64| {
        let long = (0..u64::MAX).map(|it| (it * 0x0001_0101_0101_0101).to_be_bytes());
        let bytes = long.into_iter().find(|bytes| length(id, bytes) == 125).unwrap();
        Message::new(id, &bytes, period)
    };
    let messages = [of(1, 312), of(2, 437), of(3, 437)];
    let ms = |bits: i64| (bits + PAUSE) as f64 * BIT as f64 / 1e6;
    let bounds: Vec<f64> = bounds(&messages).into_iter().map(ms).collect();
    for (bound, published) in bounds.iter().zip([2.0, 3.0, 3.5]) {
        assert!((bound - published).abs() < 0.02, "{bounds:?}");
    }
    let found = critical(&messages, 2) as f64 / 1e6;
    // By the refuted analysis it is 3 ms.
    assert!((found + 0.024 - 3.5).abs() < 0.02, "{found}");
}
