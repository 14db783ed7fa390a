//! The machine of one leg: a chunk enters, and the instant it comes out is known at once.
//!
//! Terms: a *section* is one stretch of the way, with its line and its delays; the link's own is
//! always there, an impairment's comes behind it for a while; the *score* of a jitter, see
//! [`super::draw`]. All instants are ns of the caller's clock.
//!
//! Every cause draws from a stream of its own (the number below, under the leg's key): another loss
//! probability leaves the jitter of every chunk as it was.

use chacha20::ChaCha8Rng;

use super::draw::{DELAY_LIMIT_NS, Draws, JitterDraws};
use super::{Impairment, LegName, LegSpec, LinkSpec, Loss, Shift};

/// Payload of a full TCP segment on Ethernet without options, bytes.
const SEGMENT_BYTES: usize = 1460;
/// Linux' greatest retransmission timeout (`TCP_RTO_MAX`), ns.
const TIMEOUT_LIMIT_NS: f64 = 120e9;
/// How often Linux sends a segment again before it gives up (`tcp_retries2`). Here it gets through.
const RETRANSMISSIONS_LIMIT: u32 = 15;
/// Linux' least delay of an acknowledgement (`TCP_DELACK_MIN`), ns.
const DELAYED_ACK_NS: i64 = 40_000_000;
/// After so many changes of state the chain has forgotten where it came from.
const CHANGES_LIMIT: u32 = 1000;

/// Streams of a section; a leg's n-th impairment has those from `n * SECTION_STREAMS`.
const SECTION_STREAMS: u64 = 8;
const JITTER: u64 = 0;
const STATE: u64 = 1;
const SHIFT: u64 = 2;
const RARE: u64 = 3;
const LOSS: u64 = 4;
const FLIP: u64 = 5;

/// One leg of one lane: its law and where it stands.
#[derive(Debug)]
pub struct Leg {
    name: LegName,
    key: [u8; 32],
    own: Section,
    extra: Option<Section>,
    /// Impairments so far, for their streams.
    impairments: u64,
    /// The last entry; the clock never goes back here.
    entered_ns: i64,
    /// The last release; nothing comes out before it.
    released_ns: i64,
    /// Whether the owner's writes wait for acknowledgements, and until when the next one does.
    holds_writes: bool,
    acknowledged_ns: i64,
    flipped_bytes: u64,
}

impl Leg {
    /// A leg of a link at rest, drawing from the key of `rng` (where that stream stands does not
    /// matter).
    pub fn new(link: &LinkSpec, name: LegName, rng: &ChaCha8Rng) -> Self {
        Self {
            name,
            own: Section::new(link.leg(name), rng.get_seed(), 0),
            extra: None,
            impairments: 0,
            key: rng.get_seed(),
            entered_ns: i64::MIN,
            released_ns: i64::MIN,
            holds_writes: name == LegName::Up && link.two_writes && !link.nodelay,
            acknowledged_ns: i64::MIN,
            flipped_bytes: 0,
        }
    }

    /// A chunk enters now: when it comes out, never before an earlier chunk and never before now.
    /// Flips bytes in place.
    pub fn send(&mut self, now_ns: i64, chunk: &mut [u8]) -> i64 {
        let flipped = self.own.flip(chunk) + self.extra.as_mut().map_or(0, |s| s.flip(chunk));
        self.flipped_bytes = self.flipped_bytes.saturating_add(flipped);
        self.entered_ns = self.entered_ns.max(now_ns);
        self.pass(self.entered_ns, chunk.len())
    }

    /// The same without the payload, for virtual time, where no kernel stands between: where the
    /// owner writes in two pieces and without `TCP_NODELAY`, what Nagle's algorithm and a delayed
    /// acknowledgement would do is modelled here (see the preset `flexmeter-nagle`).
    pub fn send_bytes(&mut self, now_ns: i64, bytes: usize) -> i64 {
        self.entered_ns = self.entered_ns.max(now_ns);
        let mut sent_ns = self.entered_ns;
        if self.holds_writes {
            // The head leaves at once and asks for an acknowledgement, which the far end delays in
            // vain for data to send along. Until then Nagle's algorithm holds everything behind.
            if sent_ns >= self.acknowledged_ns {
                self.acknowledged_ns = sent_ns.saturating_add(DELAYED_ACK_NS);
            }
            sent_ns = self.acknowledged_ns;
        }
        self.pass(sent_ns, bytes)
    }

    fn pass(&mut self, sent_ns: i64, bytes: usize) -> i64 {
        let mut out_ns = self.own.pass(sent_ns, bytes);
        if let Some(extra) = &mut self.extra {
            out_ns = extra.pass(out_ns, bytes);
        }
        self.released_ns = self.released_ns.max(out_ns);
        self.released_ns
    }

    /// Puts an impairment on the leg, in the place of one that is there. What has entered before
    /// keeps its release, and what enters now does not overtake it. Nothing changes where the
    /// impairment is on the other leg only.
    pub fn impair(&mut self, now_ns: i64, change: &Impairment) {
        self.entered_ns = self.entered_ns.max(now_ns);
        if let Some(spec) = change.on(self.name) {
            self.impairments = self.impairments.saturating_add(1);
            let first = self.impairments.saturating_mul(SECTION_STREAMS);
            self.extra = Some(Section::new(spec, self.key, first));
        }
    }

    /// Takes the impairment away.
    pub fn restore(&mut self, now_ns: i64) {
        self.entered_ns = self.entered_ns.max(now_ns);
        self.extra = None;
    }

    /// The owner has a new connection, which does not wait for what the old one had on its way. The
    /// link's own state, its line and its slow or fast mode, goes on.
    pub fn reconnected(&mut self, now_ns: i64) {
        self.entered_ns = self.entered_ns.max(now_ns);
        self.released_ns = i64::MIN;
        self.acknowledged_ns = i64::MIN;
        for section in std::iter::once(&mut self.own).chain(&mut self.extra) {
            section.line_free_ns = section.line_free_ns.min(self.entered_ns);
        }
    }

    /// Holds whatever enters from now on until this instant: a stall whose end is known, as it is
    /// in virtual time.
    pub fn hold_until(&mut self, at_ns: i64) {
        self.released_ns = self.released_ns.max(at_ns);
    }

    /// How many bytes were changed so far.
    pub const fn flipped_bytes(&self) -> u64 {
        self.flipped_bytes
    }
}

/// One stretch of the way.
#[derive(Debug)]
struct Section {
    spec: LegSpec,
    jitter: JitterDraws,
    chain: Option<Chain>,
    rare: Draws,
    loss: Draws,
    flips: Draws,
    /// Bytes until the next one that is flipped; `None` before the first draw.
    until_flip: Option<u64>,
    /// When the line would be free if its whole burst were used up.
    line_free_ns: i64,
}

impl Section {
    fn new(spec: &LegSpec, key: [u8; 32], first_stream: u64) -> Self {
        let draws = |stream: u64| Draws::new(key, first_stream.saturating_add(stream));
        let chain =
            |shift| Chain { shift, steps: draws(STATE), amounts: draws(SHIFT), state: None };
        Self {
            spec: *spec,
            jitter: JitterDraws::new(spec.jitter, draws(JITTER)),
            chain: spec.shift.map(chain),
            rare: draws(RARE),
            loss: draws(LOSS),
            flips: draws(FLIP),
            until_flip: None,
            line_free_ns: i64::MIN,
        }
    }

    /// When a chunk that enters now is at the other end, regardless of the ones before it.
    fn pass(&mut self, now_ns: i64, bytes: usize) -> i64 {
        let sent_ns = self.transmit(now_ns, bytes);
        let mut delay_ns = self.spec.delay_ns + self.jitter.next_ns();
        if let Some(chain) = &mut self.chain {
            delay_ns += chain.at(now_ns);
        }
        if let Some(rare) = self.spec.rare
            && self.rare.uniform() < rare.probability
        {
            delay_ns += self.rare.lognormal(rare.median_ns, rare.sigma);
        }
        if self.spec.loss.probability > 0.0 {
            delay_ns += stall_ns(&self.spec.loss, self.loss.uniform(), bytes);
        }
        sent_ns.saturating_add(delay_ns.max(0.0).round() as i64)
    }

    /// When the last bit is on the line: a token bucket, kept as the instant its debt is paid.
    fn transmit(&mut self, now_ns: i64, bytes: usize) -> i64 {
        let line = self.spec.bandwidth;
        if !line.bits_per_s.is_finite() {
            return now_ns;
        }
        let takes_ns = |bytes: f64| (bytes * 8e9 / line.bits_per_s).round() as i64;
        let start_ns = self.line_free_ns.max(now_ns);
        self.line_free_ns = start_ns.saturating_add(takes_ns(bytes as f64));
        let burst_ns = takes_ns(f64::from(line.burst_bytes));
        now_ns.max(self.line_free_ns.saturating_sub(burst_ns))
    }

    /// Inverts one bit of each byte that is due, by the distances between them (a geometric
    /// distribution, so that how the bytes are cut into chunks changes nothing).
    fn flip(&mut self, chunk: &mut [u8]) -> u64 {
        let probability = self.spec.byte_flip;
        if probability <= 0.0 {
            return 0;
        }
        let keep = libm::log1p(-probability.min(1.0));
        let mut flipped = 0;
        let mut rest = chunk;
        loop {
            let distance = self
                .until_flip
                .unwrap_or_else(|| (-self.flips.exponential() / keep).floor() as u64);
            let place = usize::try_from(distance).unwrap_or(usize::MAX);
            if place >= rest.len() {
                self.until_flip = Some(distance - rest.len() as u64);
                return flipped;
            }
            rest[place] ^= 1 << self.flips.bit_index();
            flipped += 1;
            self.until_flip = None;
            rest = &mut rest[place + 1..];
        }
    }
}

/// How long losses hold a chunk up, from one draw: the most often lost of its segments decides.
fn stall_ns(loss: &Loss, draw: f64, bytes: usize) -> f64 {
    let segments = bytes.div_ceil(SEGMENT_BYTES).max(1) as f64;
    let mut lost_again = loss.probability;
    let (mut stall_ns, mut timeout_ns) = (0.0, loss.timeout_ns);
    for _ in 0..RETRANSMISSIONS_LIMIT {
        // That no segment is lost more often than so.
        if draw < libm::pow(1.0 - lost_again, segments) {
            break;
        }
        stall_ns += timeout_ns;
        timeout_ns = (timeout_ns * 2.0).min(TIMEOUT_LIMIT_NS);
        lost_again *= loss.probability;
    }
    stall_ns
}

/// The two states of a shift, and the delay of the slow one.
#[derive(Debug)]
struct Chain {
    shift: Shift,
    steps: Draws,
    amounts: Draws,
    /// Whether it is slow, and until when.
    state: Option<(bool, i64)>,
}

impl Chain {
    /// The additional delay of a chunk at this instant, ns.
    fn at(&mut self, now_ns: i64) -> f64 {
        if !self.is_slow(now_ns) {
            return 0.0;
        }
        let amount = self.shift.mean_ns + self.shift.deviation_ns * self.amounts.normal();
        amount.clamp(0.0, DELAY_LIMIT_NS)
    }

    fn is_slow(&mut self, now_ns: i64) -> bool {
        for _ in 0..CHANGES_LIMIT {
            match self.state {
                Some((slow, until_ns)) if now_ns < until_ns => return slow,
                Some((slow, until_ns)) => self.dwell(!slow, until_ns),
                None => break,
            }
        }
        // At the beginning, and after a rest so long that the chain has forgotten its state.
        let slow = self.draw_stationary();
        self.dwell(slow, now_ns);
        slow
    }

    /// Is in a state from this instant on, for a time that has no memory.
    fn dwell(&mut self, slow: bool, from_ns: i64) {
        let mean_ns = if slow { self.shift.slow_dwell_ns } else { self.shift.fast_dwell_ns };
        let dwell_ns = (mean_ns * self.steps.exponential()).max(1.0) as i64;
        self.state = Some((slow, from_ns.saturating_add(dwell_ns)));
    }

    fn draw_stationary(&mut self) -> bool {
        let Shift { fast_dwell_ns, slow_dwell_ns, .. } = self.shift;
        self.steps.uniform() * (fast_dwell_ns + slow_dwell_ns) < slow_dwell_ns
    }
}

#[cfg(test)]
mod tests;
