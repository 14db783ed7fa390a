//! Exchanges on CAN buses: when a request was asked for, was on the wire and was heard, and when
//! its answer was requested, was on the wire and was taken.
//!
//! An *exchange* is a remote frame and the data frame of its identifier, or a data frame to node 0
//! that names a node and the data frame that this one answers with. What software does is reported
//! by the nodes themselves, as if all were asked by remote frames, what the wire does by the bus.
//! An exchange that is asked for again before it was answered has no answer.

use std::collections::BTreeMap;

use lastmeter_board::meter_node::Register;
use lastmeter_can::authentication::NODE_MAX;
use lastmeter_can::bus::Happening;
use lastmeter_can::frame::CanFrame;
use lastmeter_can::wire::frame_bits;
use lastmeter_devices::ExchangeStage;
use lastmeter_record::{BusFacts, IdentifierFacts, Point};
use lastmeter_units::{SimDuration, SimTime};

use super::latency_row::Stamps;

/// An exchange that is open at the end of a run counts as not answered after so long.
const OPEN_MAX: SimDuration = SimDuration::from_seconds(1);

/// One exchange, as far as it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BusExchange {
    asked: Option<SimTime>,
    requested: Option<SimTime>,
    /// When the request was on the wire as a whole.
    sent: Option<SimTime>,
    /// What the request took on the wire.
    request_takes: SimDuration,
    heard: Option<SimTime>,
    answer_requested: Option<SimTime>,
    answer_sent: Option<SimTime>,
    answer_takes: SimDuration,
    answer_bytes: u32,
    answered: Option<SimTime>,
}

/// Where the time of an exchange goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shares {
    /// Its own two frames.
    pub(crate) bus: SimDuration,
    /// In a mailbox, while others had the bus.
    pub(crate) queue: SimDuration,
    /// The rest: that of the nodes' software.
    pub(crate) software: SimDuration,
}

impl BusExchange {
    /// Where its time went, if it was answered.
    pub(crate) fn shares(&self) -> Option<Shares> {
        let whole = self.answered? - self.asked?;
        let bus = self.request_takes + self.answer_takes;
        // Who receives has a frame a bit before who sends has it out.
        let arrived = self.sent?.min(self.heard?);
        let software = (self.requested? - self.asked?)
            + (self.answer_requested? - arrived)
            + (self.answered? - self.answer_sent?);
        let queue = (whole - software - bus).max(SimDuration::ZERO);
        Some(Shares { bus, queue, software })
    }

    /// Its instants as points of the latency record.
    pub(crate) fn points(&self, start: SimTime) -> Stamps {
        let mut points = [None; Point::COUNT];
        let since = |at: Option<SimTime>| at.map(|at| (at - start).0);
        points[Point::Intended.index()] = since(self.asked);
        points[Point::Asked.index()] = since(self.asked);
        points[Point::Heard.index()] = since(self.heard);
        points[Point::Answered.index()] = since(self.answered);
        points
    }

    /// How many bytes of data its answer had.
    pub(crate) fn answer_bytes(&self) -> u32 {
        self.answer_bytes
    }

    /// Whether it has an answer.
    pub(crate) fn is_answered(&self) -> bool {
        self.answered.is_some()
    }
}

/// The exchanges of one bus, and how busy it is.
#[derive(Debug)]
pub(crate) struct BusExchanges {
    bit: SimDuration,
    open: BTreeMap<u32, BusExchange>,
    facts: BusFacts,
    by_identifier: BTreeMap<u32, IdentifierFacts>,
}

impl BusExchanges {
    pub(crate) fn new(network: &str, bits_per_second: u32) -> Self {
        let bit = SimDuration(1_000_000_000 / i64::from(bits_per_second.max(1)));
        let facts =
            BusFacts { network: network.to_owned(), bits_per_second, ..BusFacts::default() };
        Self { bit, open: BTreeMap::new(), facts, by_identifier: BTreeMap::new() }
    }

    /// Counts an exchange of a device that is over.
    pub(crate) fn count(&mut self, identifier: u32, device: &str, exchange: &BusExchange) {
        let facts = self.by_identifier.entry(identifier).or_insert_with(|| IdentifierFacts {
            identifier,
            device: device.to_owned(),
            ..IdentifierFacts::default()
        });
        facts.asked += 1;
        if exchange.is_answered() {
            facts.answered += 1;
            facts.bytes += u64::from(exchange.answer_bytes());
        }
        if let Some(shares) = exchange.shares() {
            facts.bus.take(shares.bus.0);
            facts.queue.take(shares.queue.0);
            facts.software.take(shares.software.0);
        }
    }

    /// What there is to report of the bus after so long, with so many nodes that answer.
    pub(crate) fn facts(&self, watched: SimDuration, nodes: usize) -> BusFacts {
        let identifiers = self.by_identifier.values().cloned().collect();
        BusFacts { watched_ns: watched.0, nodes, identifiers, ..self.facts.clone() }
    }

    /// The master's software has come to a stage; an exchange that is over by that.
    pub(crate) fn by_master(
        &mut self,
        now: SimTime,
        stage: ExchangeStage,
        frame: CanFrame,
    ) -> Option<BusExchange> {
        let identifier = frame.id().value();
        match stage {
            ExchangeStage::Asked => {
                let asked = BusExchange { asked: Some(now), ..BusExchange::default() };
                self.open.insert(identifier, asked)
            }
            ExchangeStage::Requested => {
                if let Some(exchange) = self.open.get_mut(&identifier) {
                    exchange.requested = Some(now);
                }
                None
            }
            ExchangeStage::Taken => {
                let exchange = self.open.remove(&identifier)?;
                // Who receives has a frame a bit before who sends has it out.
                Some(BusExchange {
                    answered: Some(now),
                    answer_sent: exchange.answer_sent.or(Some(now)),
                    answer_takes: self.takes(&frame),
                    answer_bytes: u32::from(frame.dlc()),
                    ..exchange
                })
            }
        }
    }

    /// A slave's software has come to a stage.
    pub(crate) fn by_slave(&mut self, now: SimTime, stage: ExchangeStage, frame: CanFrame) {
        let Some(exchange) = self.open.get_mut(&frame.id().value()) else { return };
        match stage {
            ExchangeStage::Taken if frame.is_remote() => exchange.heard = Some(now),
            ExchangeStage::Requested => exchange.answer_requested = Some(now),
            ExchangeStage::Taken | ExchangeStage::Asked => {}
        }
    }

    /// Something happened at the wire's end of whoever sends.
    pub(crate) fn on_wire(&mut self, at: SimTime, what: Happening) {
        match what {
            Happening::Sent(frame) => {
                let takes = self.takes(&frame);
                self.facts.busy_ns += takes.0;
                self.facts.frames += 1;
                let identifier = asked_by_data(&frame).unwrap_or(frame.id().value());
                let Some(exchange) = self.open.get_mut(&identifier) else { return };
                if frame.is_remote() || identifier != frame.id().value() {
                    (exchange.sent, exchange.request_takes) = (Some(at), takes);
                } else {
                    exchange.answer_sent = Some(at);
                }
            }
            Happening::Error { is_sender: true, .. } => self.facts.errors += 1,
            _ => {}
        }
    }

    /// How long a frame is on the wire.
    fn takes(&self, frame: &CanFrame) -> SimDuration {
        self.bit * i64::from(frame_bits(frame))
    }

    /// Those that are still open at the end, but for what was asked so shortly before that nobody
    /// knows whether it would have been answered.
    pub(crate) fn finish(&mut self, end: SimTime) -> impl Iterator<Item = (u32, BusExchange)> {
        let is_old = move |(_, exchange): &(u32, BusExchange)| {
            exchange.asked.is_some_and(|asked| end - asked >= OPEN_MAX)
        };
        std::mem::take(&mut self.open).into_iter().filter(is_old)
    }
}

/// The identifier that the node which a data frame to node 0 names answers with. An order gives one
/// that no exchange has.
fn asked_by_data(frame: &CanFrame) -> Option<u32> {
    let identifier = u16::try_from(frame.id().value()).ok()?;
    let (register, 0) = Register::of_identifier(identifier)? else { return None };
    let node = frame.bytes().first().filter(|node| **node <= NODE_MAX)?;
    Some(u32::from(register.identifier(*node)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> CanFrame {
        text.parse().unwrap()
    }

    #[test]
    fn the_time_of_an_exchange_is_shared_out() {
        let mut bus = BusExchanges::new("riser", 125_000);
        let (ask, answer) = (frame("223#R8"), frame("223#0011223344556677"));
        let ms = |value: i64| SimTime(value * 1_000_000);
        assert_eq!(bus.by_master(ms(0), ExchangeStage::Asked, ask), None);
        bus.by_master(ms(3), ExchangeStage::Requested, ask);
        bus.on_wire(ms(5), Happening::Sent(ask));
        bus.by_slave(ms(6), ExchangeStage::Taken, ask);
        bus.by_slave(ms(16), ExchangeStage::Requested, answer);
        bus.on_wire(ms(20), Happening::Sent(answer));
        let done = bus.by_master(ms(21), ExchangeStage::Taken, answer).unwrap();
        // Lengths counted by hand: bits of the frames, times 8 us.
        let bus_ns = (i64::from(frame_bits(&ask)) + i64::from(frame_bits(&answer))) * 8_000;
        let shares = done.shares().unwrap();
        assert_eq!(shares.bus.0, bus_ns);
        assert_eq!(shares.queue.0, 6_000_000 - bus_ns);
        assert_eq!(shares.software.0, 21_000_000 - 6_000_000);
        let points = done.points(ms(0));
        assert_eq!(points[Point::Heard.index()], Some(6_000_000));
        assert_eq!(points[Point::Answered.index()], Some(21_000_000));
        bus.count(0x223, "m", &done);
        let facts = bus.facts(SimDuration(1_000_000_000), 1);
        assert_eq!((facts.frames, facts.busy_ns, facts.errors), (2, bus_ns, 0));
        let [one] = &facts.identifiers[..] else { panic!("{facts:?}") };
        assert_eq!((one.asked, one.answered, one.bytes, one.device.as_str()), (1, 1, 8, "m"));
        assert_eq!(one.software.sum_ns, 15_000_000);
    }

    #[test]
    fn a_request_by_data_frame_is_on_the_wire_for_the_node_that_it_names() {
        let mut bus = BusExchanges::new("riser", 125_000);
        // Register 17 of node 3, as a remote frame and as what asks for it on the wire.
        let (ask, wire, answer) = (frame("223#R8"), frame("220#03"), frame("223#0011223344556677"));
        let ms = |value: i64| SimTime(value * 1_000_000);
        bus.by_master(ms(0), ExchangeStage::Asked, ask);
        bus.by_master(ms(3), ExchangeStage::Requested, ask);
        bus.on_wire(ms(4), Happening::Sent(frame("220#04")));
        bus.on_wire(ms(5), Happening::Sent(wire));
        bus.by_slave(ms(6), ExchangeStage::Taken, ask);
        bus.by_slave(ms(16), ExchangeStage::Requested, answer);
        bus.on_wire(ms(20), Happening::Sent(answer));
        let shares = bus.by_master(ms(21), ExchangeStage::Taken, answer).unwrap().shares().unwrap();
        // 3 ms to ask, 11 ms to answer and 1 ms to take it; the rest are the frames and queues.
        assert_eq!(shares.software.0, 15_000_000);
        let bus_ns = i64::from(frame_bits(&wire) + frame_bits(&answer)) * 8_000;
        assert_eq!((shares.bus.0, shares.queue.0), (bus_ns, 6_000_000 - bus_ns));
    }

    #[test]
    fn what_is_asked_again_was_not_answered() {
        let mut bus = BusExchanges::new("riser", 125_000);
        let ask = frame("223#R8");
        bus.by_master(SimTime(0), ExchangeStage::Asked, ask);
        let lost = bus.by_master(SimTime(9), ExchangeStage::Asked, ask).unwrap();
        assert_eq!((lost.is_answered(), lost.shares()), (false, None));
        assert_eq!(bus.finish(SimTime(9) + OPEN_MAX).count(), 1);
        bus.by_master(SimTime(9), ExchangeStage::Asked, ask);
        assert_eq!(bus.finish(SimTime(8) + OPEN_MAX).count(), 0, "it may be answered yet");
    }
}
