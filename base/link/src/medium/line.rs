//! The line of a bus as a receiver sees it: levels that add up, and a UART that samples them.
//!
//! A byte is a start bit (low), eight data bits from the lowest on, an even parity bit and a stop
//! bit (high), 11 in all (EN 13757-2, 5.1, unverified). The line is high when idle, and low as soon
//! as one sender makes it low: the currents of several slaves add up, and the master sees a space
//! from one on. So what two send at the same time is received as the AND of their bits.
//!
//! The receiver looks for the line to become low, then takes a sample in the middle of each bit, at
//! its own rate. Another rate, or senders out of step, are received as what these samples give.

use lastmeter_units::{SimDuration, SimTime};

use super::{NANOSECONDS_PER_SECOND, later};

/// Bits of a byte on the line: start, eight data, even parity, stop (EN 13757-2, 5.1).
pub const BITS_PER_BYTE: u32 = 11;

/// How long so many half bits take, rounded down.
fn half_bits(count: u64, bits_per_second: u32) -> SimDuration {
    let nanoseconds = u128::from(count) * NANOSECONDS_PER_SECOND as u128
        / (2 * u128::from(bits_per_second.max(1)));
    SimDuration(i64::try_from(nanoseconds).unwrap_or(i64::MAX))
}

/// How long so many bytes take without gaps, rounded down.
pub(super) fn bytes_take(count: usize, bits_per_second: u32) -> SimDuration {
    half_bits((count as u64).saturating_mul(2 * u64::from(BITS_PER_BYTE)), bits_per_second)
}

/// What one sender puts on the line.
#[derive(Clone, Debug)]
pub(super) struct Telegram {
    /// The first start bit, as the receiver sees it.
    pub(super) start: SimTime,
    pub(super) bits_per_second: u32,
    pub(super) byte_gap: SimDuration,
    pub(super) bytes: Vec<u8>,
}

impl Telegram {
    /// The start bit of a byte, or where that of one more byte would be.
    fn byte_start(&self, index: usize) -> SimTime {
        let gaps = self.byte_gap.0.saturating_mul(i64::try_from(index).unwrap_or(i64::MAX));
        later(later(self.start, bytes_take(index, self.bits_per_second)), SimDuration(gaps))
    }

    /// The end of a byte's stop bit.
    fn byte_end(&self, index: usize) -> SimTime {
        let gaps = self.byte_gap.0.saturating_mul(i64::try_from(index).unwrap_or(i64::MAX));
        later(later(self.start, bytes_take(index + 1, self.bits_per_second)), SimDuration(gaps))
    }

    /// The end of the last stop bit; `start` if there are no bytes.
    pub(super) fn end(&self) -> SimTime {
        self.bytes.len().checked_sub(1).map_or(self.start, |last| self.byte_end(last))
    }

    /// The number of the byte in which, or in the gap behind which, an instant lies.
    fn index_at(&self, at: SimTime) -> usize {
        let since = i128::from(at.0) - i128::from(self.start.0);
        let rate = i128::from(self.bits_per_second.max(1));
        let byte = i128::from(BITS_PER_BYTE) * i128::from(NANOSECONDS_PER_SECOND);
        let period = byte + i128::from(self.byte_gap.0) * rate;
        let near = usize::try_from(since.max(0) * rate / period.max(1)).unwrap_or(usize::MAX);
        // Each byte's start is rounded by itself.
        let next = near.saturating_add(1);
        if self.byte_start(next) <= at { next } else { near }
    }

    /// The first byte that starts at or after an instant, with its number.
    fn first_from(&self, at: SimTime) -> Option<usize> {
        let index = if at <= self.start {
            0
        } else {
            let around = self.index_at(at);
            around.saturating_add(usize::from(self.byte_start(around) < at))
        };
        (index < self.bytes.len()).then_some(index)
    }

    /// The bit of the telegram at an instant: whether it is high, and when it ends. `None` outside
    /// of its bytes, where this sender leaves the line high.
    fn bit_at(&self, at: SimTime) -> Option<(bool, SimTime)> {
        if at < self.start || at >= self.end() {
            return None;
        }
        let index = self.index_at(at);
        let (start, byte) = (self.byte_start(index), *self.bytes.get(index)?);
        let end_of =
            |bit: u32| later(start, half_bits(u64::from(bit + 1) * 2, self.bits_per_second));
        let bit = (0..BITS_PER_BYTE).find(|&bit| at < end_of(bit))?;
        let high = match bit {
            0 => false,
            1..=8 => byte >> (bit - 1) & 1 == 1,
            9 => byte.count_ones() % 2 == 1,
            _ => true,
        };
        Some((high, end_of(bit)))
    }

    /// The first instant from `from` on at which this sender makes the line low.
    fn next_low(&self, from: SimTime) -> Option<SimTime> {
        let mut at = from;
        while let Some((high, end)) = self.bit_at(at) {
            if !high {
                return Some(at);
            }
            at = end;
        }
        // Between bytes, before the first, or behind the last.
        self.first_from(at).map(|index| self.byte_start(index))
    }
}

/// A byte as a receiver hears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// The end of its stop bit.
    pub(super) at: SimTime,
    pub(super) byte: u8,
    pub(super) resume: Resume,
}

/// From where a receiver looks for the next start bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resume {
    pub(super) from: SimTime,
    /// Whether the line was low where it has to be high: it has to be high again first.
    pub(super) is_broken: bool,
    /// Whether the last byte was the only sender's, so that its next one begins with a start bit.
    pub(super) is_in_step: bool,
}

impl Resume {
    /// Before anything was heard.
    pub(super) const START: Self =
        Self { from: SimTime(i64::MIN), is_broken: false, is_in_step: false };
}

/// The next byte that a receiver at this rate hears of what is on the line. A byte with a wrong
/// parity or stop bit, which a UART would mark, is inverted: whoever takes it has a wrong one.
pub(super) fn hear(line: &[Telegram], rate: u32, resume: Resume) -> Option<Heard> {
    if let [only] = line
        && only.bits_per_second == rate
        && (resume.is_in_step || (!resume.is_broken && resume.from <= only.start))
    {
        return hear_one(only, resume.from).filter(is_in_time);
    }
    hear_sampled(line, rate, resume).filter(is_in_time)
}

/// Whether a byte ends before time does, where instants cannot be distinguished any more.
fn is_in_time(heard: &Heard) -> bool {
    heard.at < SimTime(i64::MAX)
}

/// The next byte of the only sender, at its own rate.
fn hear_one(telegram: &Telegram, from: SimTime) -> Option<Heard> {
    let index = telegram.first_from(from)?;
    let at = telegram.byte_end(index);
    let from = SimTime(at.0.saturating_sub(half_bits(1, telegram.bits_per_second).0));
    let resume = Resume { from, is_broken: false, is_in_step: true };
    Some(Heard { at, byte: *telegram.bytes.get(index)?, resume })
}

/// The next byte of several senders or at another rate, from samples.
fn hear_sampled(line: &[Telegram], rate: u32, resume: Resume) -> Option<Heard> {
    let mut from = if resume.is_broken { next_high(line, resume.from) } else { resume.from };
    loop {
        let edge = line.iter().filter_map(|telegram| telegram.next_low(from)).min()?;
        let sample = |bit: u32| later(edge, half_bits(u64::from(bit) * 2 + 1, rate));
        let is_high = |bit: u32| is_high(line, sample(bit));
        if is_high(0) {
            // Too short for a start bit. The sample may be as near as the clock is fine.
            from = sample(0).max(SimTime(edge.0.checked_add(1)?));
            continue;
        }
        let byte = (1..=8).fold(0, |byte, bit| byte | u8::from(is_high(bit)) << (bit - 1));
        let is_even = is_high(9) == (byte.count_ones() % 2 == 1);
        let stops = is_high(BITS_PER_BYTE - 1);
        let from = sample(BITS_PER_BYTE - 1);
        let resume = Resume { from, is_broken: !stops, is_in_step: false };
        let byte = if is_even && stops { byte } else { !byte };
        // Each byte's end is rounded by itself: it is the sender's, where that is in step.
        let of_sender = |telegram: &Telegram| {
            let index = telegram.first_from(edge).filter(|_| telegram.bits_per_second == rate)?;
            (telegram.byte_start(index) == edge).then(|| telegram.byte_end(index))
        };
        let at = line.iter().find_map(of_sender);
        let at = at.unwrap_or_else(|| later(edge, bytes_take(1, rate)));
        return Some(Heard { at, byte, resume });
    }
}

fn is_high(line: &[Telegram], at: SimTime) -> bool {
    line.iter().all(|telegram| telegram.bit_at(at).is_none_or(|(high, _)| high))
}

/// The first instant from `from` on at which nobody makes the line low.
fn next_high(line: &[Telegram], from: SimTime) -> SimTime {
    let mut at = from;
    loop {
        let low = |telegram: &Telegram| telegram.bit_at(at).filter(|(high, _)| !high);
        let Some((_, end)) = line.iter().find_map(low) else { return at };
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All that a receiver hears, by a way of hearing.
    fn all(
        line: &[Telegram],
        rate: u32,
        hear: fn(&[Telegram], u32, Resume) -> Option<Heard>,
    ) -> Vec<(SimTime, u8)> {
        let mut resume = Resume::START;
        std::iter::from_fn(|| {
            let heard = hear(line, rate, resume)?;
            resume = heard.resume;
            Some((heard.at, heard.byte))
        })
        .collect()
    }

    fn telegram(start: i64, bits_per_second: u32, bytes: &[u8]) -> Telegram {
        Telegram {
            start: SimTime(start),
            bits_per_second,
            byte_gap: SimDuration::ZERO,
            bytes: bytes.to_vec(),
        }
    }

    proptest! {
        #[test]
        fn samples_give_what_the_only_sender_sent(
            start in 0_i64..1_000_000_000, gap in 0_i64..20_000_000, step in 0_u32..8,
            bytes in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let rate = 300 << step;
            let sent = Telegram { byte_gap: SimDuration(gap), ..telegram(start, rate, &bytes) };
            let line = [sent];
            let (exact, sampled) = (all(&line, rate, hear), all(&line, rate, hear_sampled));
            prop_assert_eq!(exact.iter().map(|one| one.1).collect::<Vec<_>>(), bytes);
            prop_assert_eq!(exact, sampled);
        }

        #[test]
        fn two_in_step_are_received_as_the_and_of_their_bits(
            pairs in prop::collection::vec(any::<(u8, u8)>(), 1..40),
        ) {
            let (one, other): (Vec<u8>, Vec<u8>) = pairs.iter().copied().unzip();
            let line = [telegram(0, 2400, &one), telegram(0, 2400, &other)];
            let odd = |byte: u8| byte.count_ones() % 2 == 1;
            let expected: Vec<u8> = pairs
                .iter()
                .map(|&(a, b)| {
                    let both = a & b;
                    if (odd(a) && odd(b)) == odd(both) { both } else { !both }
                })
                .collect();
            let found: Vec<u8> = all(&line, 2400, hear).into_iter().map(|one| one.1).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn any_number_of_senders_at_any_rates_comes_to_an_end(
            sent in prop::collection::vec(
                (any::<i64>(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..8)), 0..5),
            rate in any::<u32>(),
        ) {
            let line: Vec<Telegram> = sent.iter().map(|(at, rate, b)| telegram(*at, *rate, b)).collect();
            let found = all(&line, rate, hear_sampled);
            prop_assert!(found.len() <= 100_000);
        }
    }

    #[test]
    fn another_rate_hears_what_a_uart_would() {
        // 0x55 at 300 baud: low and high by turns, each 8 bits long at 2400 baud. A start bit and
        // seven low bits, then high: 0x80, odd parity seen as high, a good stop bit. The first is
        // low, 1, 0, 1, 0, 1, 0, 1, 0 (data), parity 0, stop: five times low.
        let found = all(&[telegram(0, 300, &[0x55])], 2400, hear);
        let bytes: Vec<u8> = found.iter().map(|one| one.1).collect();
        // The last two low bits (the highest data bit and the parity bit) are one space of 16 bits:
        // no stop bit, so the byte is inverted, and nothing begins before the line is high.
        assert_eq!(bytes, [0x80, 0x80, 0x80, 0x80, 0xFF]);
    }
}
