//! Links that misbehave: what a link is, and the machine that determines when bytes come out of it.
//!
//! Terms: a *link* joins a device (or an observer) and the platform; it has two *legs*, `up`
//! towards the platform and `down` from it; a *lane* is one owner's own pair of legs; a *chunk* is
//! what was written at once, a message in most cases; an *impairment* is what an injection puts on
//! top of a link for a while; a *breakage* ends or freezes connections.
//!
//! One law holds for all of it, per leg: a chunk that enters at `t` is sent when the line is free,
//! takes `delay + jitter + shift + rare + loss`, and is released in order,
//!
//! ```text
//! release(i) = max(release(i - 1), sent(i) + d(i))
//! ```
//!
//! since TCP never hands bytes over out of order. [`Leg`] is that law: it does no I/O, has no clock
//! (`now` is an argument, in ns of whatever clock the caller lives by) and never panics. The event
//! queue drives it in virtual time, [`crate::proxy`] in real time.
//!
//! What it is not: a model of TCP's congestion control, nor of packets. The proxy ends TCP on the
//! same machine, so that the kernels on both sides see loopback, not the link.

mod draw;
mod fields;
mod leg;
mod presets;
mod rate;
mod special;

pub(crate) use draw::Draws;
pub use fields::{IMPAIR_FIELDS, LINK_FIELDS, read_impairment, read_link};
pub use leg::Leg;
pub use presets::{PRESETS, Preset};
pub(crate) use rate::read_bits_per_s;

lastmeter_units::words! {
    /// One of the two directions of a link.
    pub enum LegName {
        /// From the owner of the lane towards the platform.
        Up = "up",
        /// From the platform to the owner of the lane.
        Down = "down",
    }
}

/// How a delay varies from chunk to chunk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum JitterLaw {
    /// Not at all.
    None,
    /// Evenly between plus and minus the half width.
    Uniform {
        /// Half of the width, ns.
        half_width_ns: f64,
    },
    /// Normally about zero.
    Normal {
        /// Standard deviation, ns.
        deviation_ns: f64,
    },
    /// By a gamma distribution, never below zero; its mean is `shape * scale`.
    Gamma {
        /// Shape, a bare number.
        shape: f64,
        /// Scale, ns.
        scale_ns: f64,
    },
    /// By a lognormal distribution, never below zero.
    Lognormal {
        /// Median, ns.
        median_ns: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
}

/// The variation of the delay, and how much one chunk's resembles that of the chunk before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter {
    /// The distribution of each single chunk's.
    pub law: JitterLaw,
    /// Correlation from chunk to chunk, 0 to 1: that of the normal scores behind the distribution
    /// (a Gaussian copula over a first-order autoregressive process).
    pub correlation: f64,
}

/// A second mode of the delay, in which the link dwells for a while now and then: two states with
/// exponential dwell times (a continuous-time Markov chain), started in its stationary state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// Mean of what a chunk is delayed more by in the slow state, ns. Cut off below zero.
    pub mean_ns: f64,
    /// Its standard deviation, ns.
    pub deviation_ns: f64,
    /// Mean dwell time in the fast state, ns.
    pub fast_dwell_ns: f64,
    /// Mean dwell time in the slow state, ns.
    pub slow_dwell_ns: f64,
}

/// Now and then a chunk takes much longer: a retransmission, a stall of the radio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rare {
    /// Probability for each chunk.
    pub probability: f64,
    /// Median of the lognormal delay, ns.
    pub median_ns: f64,
    /// Standard deviation of its logarithm.
    pub sigma: f64,
}

/// Losses, as TCP shows them to its user: a stall of a retransmission timeout, doubled each time
/// the segment is lost again. Nothing is ever missing; what comes after waits (head of line).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// Probability that one transmission of a segment of up to 1460 bytes is lost.
    pub probability: f64,
    /// The first retransmission timeout, ns.
    pub timeout_ns: f64,
}

/// How fast a leg's line is, and what may pass before it brakes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bandwidth {
    /// Payload bits per second; infinite for a line that takes no time. Headers below are not
    /// counted.
    pub bits_per_s: f64,
    /// Depth of the token bucket: so many bytes pass without waiting after a rest.
    pub burst_bytes: u32,
}

/// Everything one leg does to what passes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LegSpec {
    /// The fixed part of the delay, ns.
    pub delay_ns: f64,
    /// The varying part.
    pub jitter: Jitter,
    /// The second mode, if there is one.
    pub shift: Option<Shift>,
    /// Rare long delays.
    pub rare: Option<Rare>,
    /// How chunks are lost.
    pub loss: Loss,
    /// The line's speed.
    pub bandwidth: Bandwidth,
    /// Probability for each byte that one of its bits is inverted.
    pub byte_flip: f64,
}

impl LegSpec {
    /// A leg that changes nothing.
    pub const PERFECT: Self = Self {
        delay_ns: 0.0,
        jitter: Jitter { law: JitterLaw::None, correlation: 0.0 },
        shift: None,
        rare: None,
        loss: Loss { probability: 0.0, timeout_ns: RETRANSMISSION_TIMEOUT_NS },
        bandwidth: Bandwidth { bits_per_s: f64::INFINITY, burst_bytes: 0 },
        byte_flip: 0.0,
    };
}

/// Linux' least retransmission timeout (`TCP_RTO_MIN`), ns.
pub const RETRANSMISSION_TIMEOUT_NS: f64 = 200e6;

/// A link: two legs, and how the sockets at its ends are set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkSpec {
    /// Towards the platform.
    pub up: LegSpec,
    /// From the platform.
    pub down: LegSpec,
    /// `TCP_NODELAY` on the owner's socket and on both of the proxy's.
    pub nodelay: bool,
    /// Whether what goes up is written in two pieces, its first bytes and the rest, as clients do
    /// that write a message's header and its payload apart.
    pub two_writes: bool,
}

impl LinkSpec {
    /// A link that changes nothing.
    pub const PERFECT: Self =
        Self { up: LegSpec::PERFECT, down: LegSpec::PERFECT, nodelay: true, two_writes: false };

    /// One of its legs.
    pub const fn leg(&self, name: LegName) -> &LegSpec {
        match name {
            LegName::Up => &self.up,
            LegName::Down => &self.down,
        }
    }
}

/// What an injection puts on top of a link for a while. All of it comes on top of what the link
/// does anyway: delays add up, losses and flips are further causes of their own, and a bandwidth is
/// one more line in series, so that the slower one decides. A link never gets better by it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impairment {
    /// On the leg up.
    pub up: Option<LegSpec>,
    /// On the leg down.
    pub down: Option<LegSpec>,
}

impl Impairment {
    /// What it puts on one of the legs.
    pub const fn on(&self, name: LegName) -> Option<&LegSpec> {
        match name {
            LegName::Up => self.up.as_ref(),
            LegName::Down => self.down.as_ref(),
        }
    }
}

lastmeter_units::words! {
    /// How a link breaks, until it is mended.
    pub enum Breakage {
        /// Connections are reset (TCP RST); new ones are reset as soon as they are there.
        Reset = "reset",
        /// Connections are closed (TCP FIN), and new ones as soon as they are there. What was on
        /// its way is gone.
        Close = "close",
        /// Connections stay, and swallow forever what is written; neither end hears of it. New
        /// ones seem to be there, and come to life when the link is mended.
        HalfOpen = "half-open",
        /// Connections stay; everything is held and comes out in order when the link is mended.
        Stall = "stall",
    }
}
