//! A CAN bus (ISO 11898-1): all hear all, the lowest identifier has the right of way, and a frame
//! that is begun may be withdrawn, lost to another one or destroyed.
//!
//! What a party has to send is *offered*, and from then on the bus reports what becomes of it at
//! each party's end: begun, lost to another one, sent, received, in error. The master is node 0,
//! slave n is node n + 1; behind the slaves is one node more, which has no supply unless somebody
//! [intrudes](CanFault::Attack).

use std::collections::VecDeque;

use chacha20::ChaCha8Rng;
use lastmeter_can::bus::{Bus, BusEvent, Change, Detail, ErrorCounters, Happening, Noise};
use lastmeter_can::frame::CanFrame;
use lastmeter_can::slcan::BitRate;
use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};
use lastmeter_units::{SimDuration, SimTime};

use super::can_fault::{AttackReport, CanDisturbance, CanFault, Intruder, error_gaps, gaps_until};
use super::{MediumSpec, NANOSECONDS_PER_SECOND, NetworkKind, Party};
use crate::impair::Draws;

/// The keys of a CAN bus.
pub static CAN_MEDIUM_FIELDS: &[Field] = &[
    Field::default(
        "bit_rate",
        Kind::Integer { min: 10_000, max: 1_000_000 },
        "125000",
        "Bits per second: 10000, 20000, 50000, 100000, 125000, 250000, 500000, 800000 or 1000000",
    ),
    Field::optional(
        "length_m",
        Kind::Integer { min: 1, max: 10_000 },
        "How long the bus is, in metres; refused beyond what a bit's way there and back leaves room for at \
         this rate: 500 m at 125 kbit/s, 40 m at 1 Mbit/s (CiA 102)",
    ),
    Field::default(
        "detail",
        Kind::Choice(&["frames", "bits"]),
        "\"frames\"",
        "`frames`: each bit where it is disturbed or two nodes disagree, else whole frames; \
         `bits`: each bit, which takes longer and comes to the same",
    ),
    Field::default(
        "bit_error_rate",
        Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 0.1 },
        "\"0 %\"",
        "Probability for each bit that all nodes read it wrongly",
    ),
    Field::default(
        "node_bit_error_rate",
        Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 0.1 },
        "\"0 %\"",
        "Probability for each bit and each node that this one alone reads it wrongly",
    ),
    Field::default(
        "record_exchanges",
        Kind::Boolean,
        "true",
        "Whether each request with its answer has a row in `latency.csv`",
    ),
    Field::default(
        "capture",
        Kind::Boolean,
        "false",
        "Whether the run folder gets `can/NETWORK.log`, as `candump -L` writes it, and \
         `can/NETWORK.pcapng`, for Wireshark: each frame that was sent, at the end of its last \
         bit, and each that its sender found to be in error",
    ),
];

pub(super) const CAN: NetworkKind = NetworkKind {
    entry: Entry {
        name: "can",
        summary: "CAN: a bus on which all hear all, and the lowest identifier goes first",
        description: "A CAN bus (ISO 11898-1, base frames) with bit stuffing, CRC, arbitration by \
            identifier, acknowledgement, error frames, error counters, error-passive and bus-off \
            states and recovery. A frame takes the time of its own bits. Whoever receives an error \
            destroys the frame for all, and it is sent again. The gateway is one node, each device \
            another one.",
        fields: CAN_MEDIUM_FIELDS,
    },
    build: |values, out| read_can(values, out).map(MediumSpec::Can),
};

/// What a CAN bus is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CanSpec {
    /// Bits per second of all nodes.
    pub bits_per_second: u32,
    /// How it is calculated.
    pub detail: Detail,
    /// Probability for each bit to be read wrongly by all nodes.
    pub bit_error_rate: f64,
    /// Probability for each bit and each node to be read wrongly by that one.
    pub node_bit_error_rate: f64,
    /// Whether each request with its answer is recorded.
    pub records_exchanges: bool,
    /// Whether what passes on it is kept in files.
    pub is_captured: bool,
}

/// What the checked keys of a CAN bus mean. `None` if they do not fit together; what is wrong is
/// then in `out`.
fn read_can(values: &Values, out: &mut Diagnostics) -> Option<CanSpec> {
    let bits_per_second = u32::try_from(values.integer("bit_rate")).unwrap_or(0);
    let Some(rate) = BitRate::from_bits_per_second(bits_per_second) else {
        let rates = BitRate::ALL.map(|(_, rate)| rate.to_string()).join(", ");
        let message = format!("a bus of {bits_per_second} bit/s, expected one of {rates}");
        let label = "no bit rate of CAN";
        out.report(Code::OUT_OF_RANGE, values.span_of("bit_rate"), message, label);
        return None;
    };
    let longest_m = rate.longest_bus_m();
    if let Some(length_m) = values.integer_opt("length_m").filter(|&it| it > i64::from(longest_m)) {
        let message = format!(
            "{length_m} m at {bits_per_second} bit/s, expected at most {longest_m} m: a bit would \
             be over before its answer is back, and arbitration and acknowledgement fail"
        );
        let label = "too long for this bit rate";
        out.report(Code::DOES_NOT_FIT, values.span_of("length_m"), message, label);
        return None;
    }
    let detail = if values.text("detail") == "bits" { Detail::Bits } else { Detail::Frames };
    let (bit_error_rate, node_bit_error_rate) =
        (values.si("bit_error_rate"), values.si("node_bit_error_rate"));
    let records_exchanges = values.boolean("record_exchanges");
    Some(CanSpec {
        bits_per_second,
        detail,
        bit_error_rate,
        node_bit_error_rate,
        records_exchanges,
        is_captured: values.boolean("capture"),
    })
}

/// What happened at a party's end of a bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireEvent {
    /// At whose end.
    pub party: Party,
    /// The end of the bit in which it happened.
    pub at: SimTime,
    /// What.
    pub what: Happening,
    /// The party's error counters after that bit.
    pub counters: ErrorCounters,
}

/// A CAN bus with the nodes of its parties.
#[derive(Debug)]
pub struct Can {
    bus: Bus,
    bit: SimDuration,
    start: SimTime,
    intruders: Vec<Intruder>,
    reports: VecDeque<AttackReport>,
}

/// Streams of draws: one for what all read wrongly, one for each node.
const STREAM_OF_ALL: u64 = 0;

/// The node of a party.
const fn node_of(party: Party) -> usize {
    match party {
        Party::Master => 0,
        Party::Slave(slave) => slave.saturating_add(1),
    }
}

/// The party of a node.
const fn party_of(node: usize) -> Party {
    match node.checked_sub(1) {
        None => Party::Master,
        Some(slave) => Party::Slave(slave),
    }
}

impl Can {
    /// An idle bus with so many slaves, whose nodes get their supply at `start`.
    pub fn new(spec: CanSpec, slaves: usize, start: SimTime, rng: &ChaCha8Rng) -> Self {
        let bit_ns = NANOSECONDS_PER_SECOND / i64::from(spec.bits_per_second.max(1));
        let bit = SimDuration(bit_ns.max(1));
        let nodes = slaves + 2;
        let mut bus = Bus::new(spec.detail, bit, start, nodes);
        let wrong = |bus: &mut Bus, node: Option<usize>, stream: u64, rate: f64| {
            if rate > 0.0 {
                let gap = error_gaps(Draws::new(rng.get_seed(), stream), rate, bit);
                bus.disturb(start, Noise { node, gap: Box::new(gap) });
            }
        };
        // Nobody hears with it, nor acknowledges.
        bus.schedule(start, Change::Supply(nodes - 1, false));
        wrong(&mut bus, None, STREAM_OF_ALL, spec.bit_error_rate);
        for node in 0..nodes - 1 {
            wrong(&mut bus, Some(node), 1 + node as u64, spec.node_bit_error_rate);
        }
        Self { bus, bit, start, intruders: Vec::new(), reports: VecDeque::new() }
    }

    /// Something happens to the bus from outside; to be known before it begins. Two cuts, or two
    /// shorts, are not to overlap; nor are two attacks, for one node has one frame to send. What is
    /// random is drawn from the key of `rng`.
    pub fn disturb(&mut self, it: &CanDisturbance, rng: &ChaCha8Rng) {
        let CanDisturbance { fault, party, from, until, .. } = *it;
        let node = party.map(node_of);
        let draws = Draws::new(rng.get_seed(), STREAM_OF_ALL);
        let changes = match (fault, node) {
            (CanFault::Cut, Some(node)) => [Change::Cut(node), Change::Mend],
            (CanFault::Short { is_recessive }, _) => [Change::Hold(is_recessive), Change::Release],
            (CanFault::Babble, Some(node)) => {
                [Change::Babble(node, true), Change::Babble(node, false)]
            }
            (CanFault::Cut | CanFault::Babble, None) => return,
            (CanFault::BitErrors { rate }, node) => {
                let gap = gaps_until((from, until), error_gaps(draws, rate, self.bit));
                return self.bus.disturb(from, Noise { node, gap: Box::new(gap) });
            }
            (CanFault::Attack(attack), _) => {
                let spare = self.bus.nodes().saturating_sub(1);
                self.bus.schedule(self.start, Change::Supply(spare, true));
                let intruder = Intruder::new((it, attack), (spare, self.bit), draws);
                return self.intruders.extend(intruder);
            }
        };
        let [begins, ends] = changes;
        self.schedule(from, begins);
        self.schedule(until, ends);
    }

    /// From `at` on a party has this frame to send and no other one, or none; see [`Bus::offer`].
    pub fn offer(&mut self, from: Party, at: SimTime, frame: Option<CanFrame>) {
        self.bus.offer(node_of(from), at, frame);
    }

    /// A party stays bus-off until it is let back, or comes back by itself.
    pub fn set_recovery(&mut self, party: Party, is_automatic: bool) {
        self.bus.set_recovery(node_of(party), is_automatic);
    }

    /// A party has its supply from `at` on, or has not: then it neither hears nor acknowledges. Of
    /// a frame that is on the wire then after that; see [`Bus::schedule`].
    pub fn set_supply(&mut self, party: Party, at: SimTime, is_on: bool) {
        self.bus.schedule(at, Change::Supply(node_of(party), is_on));
    }

    /// Something changes at the wire or at a node from outside; see [`Bus::schedule`].
    pub fn schedule(&mut self, at: SimTime, change: Change) {
        self.bus.schedule(at, change);
    }

    /// The node of a party, as [`Change`] numbers it.
    pub fn node(&self, party: Party) -> usize {
        node_of(party)
    }

    /// When something may happen next, as long as nobody offers anything.
    pub fn next(&self) -> Option<SimTime> {
        let report = self.reports.front().map(|report| report.at);
        self.bus.next().into_iter().chain(report).chain(self.next_intrusion()).min()
    }

    fn next_intrusion(&self) -> Option<SimTime> {
        self.intruders.iter().map(Intruder::next).min()
    }

    /// The next thing that happened, if it is not after `until`.
    pub fn pop(&mut self, until: SimTime) -> Option<WireEvent> {
        loop {
            let intrusion = self.next_intrusion().filter(|&at| at <= until);
            let event = self.bus.pop(intrusion.unwrap_or(until));
            let at = event.map(|event| event.at).or(intrusion)?;
            self.intrude(at, event.as_ref());
            if let Some(BusEvent { node, at, what, counters }) = event {
                return Some(WireEvent { party: party_of(node), at, what, counters });
            }
        }
    }

    /// Attackers hear what happened, or that it is time.
    fn intrude(&mut self, at: SimTime, event: Option<&BusEvent>) {
        let Self { bus, intruders, reports, .. } = self;
        intruders.retain_mut(|intruder| {
            match event {
                Some(event) => intruder.follow(event, bus),
                None => intruder.wake(bus, at),
            }
            let report = intruder.over(bus, at);
            reports.extend(report);
            report.is_none()
        });
    }

    /// What came of an attack that is over.
    pub fn pop_report(&mut self) -> Option<AttackReport> {
        self.reports.pop_front()
    }
}
