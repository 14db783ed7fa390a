//! Links known by name, as data.
//!
//! `flexmeter-wan` is fitted to a published figure and states which parts of it are this project's
//! assumption. The others are round figures of this project's own, to have something plausible at
//! hand; none of them is a standard's, a vendor's, or measured.

use super::{
    Bandwidth, Jitter, JitterLaw, LegSpec, LinkSpec, Loss, RETRANSMISSION_TIMEOUT_NS, Rare, Shift,
};

/// A link known by name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preset {
    /// The word in a scenario's `preset`.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// What it is, where its figures come from, and what it is not.
    pub description: &'static str,
    /// The link of this preset.
    pub link: LinkSpec,
}

impl Preset {
    /// The preset of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }
}

const MILLISECOND: f64 = 1e6;
const SECOND: f64 = 1e9;
const KILOBIT: f64 = 1e3;
const MEGABIT: f64 = 1e6;

/// The names, for the field; a test holds them against the table.
pub(super) const NAMES: &[&str] =
    &["flexmeter-wan", "flexmeter-nagle", "lan", "wifi", "lte", "umts", "6lowpan", "plc-slow"];

/// The leg down of the published histogram's model; the leg up has the slow mode besides.
const WAN_LEG: LegSpec = LegSpec {
    delay_ns: 50.0 * MILLISECOND,
    jitter: Jitter {
        law: JitterLaw::Gamma { shape: 0.5625, scale_ns: 9.0 * MILLISECOND },
        correlation: 0.3,
    },
    rare: Some(Rare { probability: 0.018, median_ns: 180.0 * MILLISECOND, sigma: 0.9 }),
    ..LegSpec::PERFECT
};

const WAN_SHIFT: Shift = Shift {
    mean_ns: 39.0 * MILLISECOND,
    deviation_ns: 5.0 * MILLISECOND,
    fast_dwell_ns: 20.0 * SECOND,
    slow_dwell_ns: 27.6 * SECOND,
};

/// A leg with a gamma-distributed jitter and a line, for the round figures.
const fn plain_leg(
    delay_ms: f64,
    (shape, scale_ms, correlation): (f64, f64, f64),
    bits_per_s: f64,
    burst_bytes: u32,
    loss: f64,
) -> LegSpec {
    LegSpec {
        delay_ns: delay_ms * MILLISECOND,
        jitter: Jitter {
            law: JitterLaw::Gamma { shape, scale_ns: scale_ms * MILLISECOND },
            correlation,
        },
        loss: Loss { probability: loss, timeout_ns: RETRANSMISSION_TIMEOUT_NS },
        bandwidth: Bandwidth { bits_per_s, burst_bytes },
        ..LegSpec::PERFECT
    }
}

const fn link(up: LegSpec, down: LegSpec) -> LinkSpec {
    LinkSpec { up, down, nodelay: true, two_writes: false }
}

/// All presets, in the order in which they are listed.
pub static PRESETS: &[Preset] = &[
    Preset {
        name: "flexmeter-wan",
        summary: "the wide-area network of the published latency histogram: 100 to 210 ms, some longer",
        description: "Fitted to the published box plot of 30 000 messages, one every 500 ms, from \
            publisher to subscriber: quartiles 110, 140 and 150 ms, whiskers 100 and 210 ms, about \
            97 % below 210 ms.\n\n\
            Each leg takes 50 ms, plus a gamma-distributed jitter (shape 0.5625, scale 9 ms, \
            correlation 0.3 from message to message), plus, with a probability of 1.8 %, a \
            lognormal delay (median 180 ms, sigma 0.9). The leg up has a slow mode of 39 ms more \
            (deviation 5 ms), entered for 27.6 s on average after 20 s without it.\n\n\
            The histogram shows no values above 210 ms and nothing about time: the long tail and \
            the dwell times are assumptions of this project. Messages that follow each other \
            faster than every 500 ms wait for each other and see another law; use more devices \
            instead.",
        link: link(LegSpec { shift: Some(WAN_SHIFT), ..WAN_LEG }, WAN_LEG),
    },
    Preset {
        name: "flexmeter-nagle",
        summary: "the same network without its slow mode, but with Nagle's algorithm at work",
        description: "The other reading of the published histogram: its two modes are 39 ms apart, and \
            Linux delays an acknowledgement by at least 40 ms. A client that writes a message's \
            header and its payload apart, without TCP_NODELAY, has its payload held back by \
            Nagle's algorithm until the header is acknowledged.\n\n\
            The legs are those of `flexmeter-wan` without the slow mode; `nodelay` is off and \
            `two_writes` on. In real time nothing is modelled: the proxy writes each message in \
            two pieces on a socket with Nagle's algorithm, and the kernels do what they do; they \
            may acknowledge early, as they do at a connection's start. In virtual time a model \
            stands in for them: the payload leaves 40 ms after the header, together with \
            whatever was written meanwhile.\n\n\
            A hypothesis, not a fit: it explains the distance of the modes, not how often each \
            of them occurs.",
        link: LinkSpec { up: WAN_LEG, down: WAN_LEG, nodelay: false, two_writes: true },
    },
    Preset {
        name: "lan",
        summary: "a switched network within one building",
        description: "0.1 ms each way with a jitter of 0.05 ms on average, 100 Mbit/s, no losses. \
            Round values of this project's own.",
        link: {
            let leg = plain_leg(0.1, (2.0, 0.025, 0.0), 100.0 * MEGABIT, 65_536, 0.0);
            link(leg, leg)
        },
    },
    Preset {
        name: "wifi",
        summary: "a busy radio network within one house",
        description: "2 ms each way with a jitter of 3 ms on average that bunches (correlation \
            0.5), 20 Mbit/s, and one message in 200 delayed by 40 ms or so. Round values of this \
            project's own, not those of IEEE 802.11.",
        link: {
            let leg = LegSpec {
                rare: Some(Rare { probability: 0.005, median_ns: 40.0 * MILLISECOND, sigma: 0.6 }),
                ..plain_leg(2.0, (1.0, 3.0, 0.5), 20.0 * MEGABIT, 65_536, 0.0)
            };
            link(leg, leg)
        },
    },
    Preset {
        name: "lte",
        summary: "a mobile network of the fourth generation",
        description: "20 ms each way with a jitter of 10 ms on average (correlation 0.4), 10 Mbit/s \
            up and 30 Mbit/s down, and one message in 200 delayed by 150 ms or so. Round values \
            of this project's own, not those of 3GPP or of any operator.",
        link: {
            let rare =
                Some(Rare { probability: 0.005, median_ns: 150.0 * MILLISECOND, sigma: 0.7 });
            let jitter = (2.0, 5.0, 0.4);
            link(
                LegSpec { rare, ..plain_leg(20.0, jitter, 10.0 * MEGABIT, 65_536, 0.0) },
                LegSpec { rare, ..plain_leg(20.0, jitter, 30.0 * MEGABIT, 65_536, 0.0) },
            )
        },
    },
    Preset {
        name: "umts",
        summary: "a mobile network of the third generation",
        description: "60 ms each way with a jitter of 30 ms on average (correlation 0.4), 384 kbit/s \
            up and 2 Mbit/s down, and one message in 100 delayed by 500 ms or so. Round values of \
            this project's own, not those of 3GPP or of any operator.",
        link: {
            let rare = Some(Rare { probability: 0.01, median_ns: 500.0 * MILLISECOND, sigma: 0.7 });
            let jitter = (2.0, 15.0, 0.4);
            link(
                LegSpec { rare, ..plain_leg(60.0, jitter, 384.0 * KILOBIT, 8192, 0.0) },
                LegSpec { rare, ..plain_leg(60.0, jitter, 2.0 * MEGABIT, 16_384, 0.0) },
            )
        },
    },
    Preset {
        name: "6lowpan",
        summary: "a low-power radio mesh of a few hops",
        description: "30 ms each way with a jitter of 30 ms on average (correlation 0.3), 50 kbit/s \
            of payload, and 2 % of the segments lost. Round values of this project's own, not \
            those of IEEE 802.15.4 or of an RFC; the mesh's own retransmissions are in the jitter.",
        link: {
            let leg = plain_leg(30.0, (1.5, 20.0, 0.3), 50.0 * KILOBIT, 127, 0.02);
            link(leg, leg)
        },
    },
    Preset {
        name: "plc-slow",
        summary: "a narrow-band power line to a concentrator, slow and noisy",
        description: "80 ms each way with a jitter of 60 ms on average (correlation 0.5), 10 kbit/s \
            of payload, and 5 % of the segments lost. A message of 1.3 kB is over a second on the \
            line. Round values of this project's own, not those of PRIME, G3 or IEEE 1901.2.",
        link: {
            let leg = plain_leg(80.0, (1.5, 40.0, 0.5), 10.0 * KILOBIT, 0, 0.05);
            link(leg, leg)
        },
    },
];
