//! The medium of a field network: what is sent by one party, and when which other party hears it.
//!
//! Terms: the *master* is the gateway that polls; a *slave* is a field device, counted from 0; a
//! *telegram* is what one party sends without a pause; an *arrival* is what one party receives at
//! once.
//!
//! On most media what is sent is under way from then on, and only who receives it hears of it. On a
//! CAN bus all hear all and a frame waits, is lost to another one or destroyed: what happens there
//! is a *wire event* at each party's end.
//!
//! A medium does no I/O and has no clock: instants are arguments, in the caller's time. The event
//! queue drives it in virtual time, a timer in real time. It draws from one named stream, so the
//! same sends give the same arrivals. Whoever drives it takes all arrivals up to an instant before
//! it sends anything at or after that instant.
//!
//! One kind of network is one file with one row, and a line in [`NETWORKS`].

use std::collections::VecDeque;

use chacha20::ChaCha8Rng;
use lastmeter_params::{Diagnostics, Entry, Values};
use lastmeter_units::{SimDuration, SimTime};

mod bus;
mod can;
mod can_fault;
mod lanes;
mod line;
mod radio;

pub use bus::{BITS_PER_BYTE, Bus, BusSpec, M_BUS_MEDIUM_FIELDS, read_bus};
pub use can::{CAN_MEDIUM_FIELDS, Can, CanSpec, WireEvent};
pub use can_fault::{AttackReport, CanAttack, CanDisturbance, CanFault};
pub use lanes::{Lanes, LanesSpec, STREAM_MEDIUM_FIELDS, read_lanes};
pub use lastmeter_can::attacker::{Attack, Protection};
pub use radio::{RADIO_MEDIUM_FIELDS, Radio, RadioSpec};

const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;

/// Who takes part in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// The gateway that polls.
    Master,
    /// A field device, counted from 0.
    Slave(usize),
}

/// What one party receives at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Who receives it.
    pub to: Party,
    /// The slave on whose lane it came to the master; `None` where the medium does not separate
    /// its slaves, and at a slave.
    pub lane: Option<usize>,
    /// The end of the last stop bit in it, at the receiver.
    pub at: SimTime,
    /// What is received.
    pub bytes: Vec<u8>,
    /// The rate at which the receiver listened.
    pub bits_per_second: u32,
}

/// What happens on a medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediumEvent {
    /// A party receives something.
    Arrival(Arrival),
    /// Something happens at a party's end of a wire that all share.
    Wire(WireEvent),
    /// An attack on it is over.
    Attacked(AttackReport),
}

/// What a network's medium is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MediumSpec {
    /// A two-conductor bus.
    Bus(BusSpec),
    /// A lane between the master and each slave.
    Lanes(LanesSpec),
    /// A radio channel.
    Radio(RadioSpec),
    /// A CAN bus.
    Can(CanSpec),
}

impl MediumSpec {
    /// The medium with so many slaves, drawing from the key of `rng` (where that stream stands
    /// does not matter). Nothing happens on it before `start`.
    pub fn open(&self, slaves: usize, start: SimTime, rng: &ChaCha8Rng) -> Medium {
        match self {
            Self::Bus(spec) => Medium::Bus(Box::new(Bus::new(*spec, slaves, rng))),
            Self::Lanes(spec) => Medium::Lanes(Lanes::new(*spec, slaves)),
            Self::Radio(spec) => Medium::Radio(Radio::new(*spec, slaves, rng)),
            Self::Can(spec) => Medium::Can(Box::new(Can::new(*spec, slaves, start, rng))),
        }
    }

    /// Whether what is asked and answered on it is recorded.
    pub const fn records_exchanges(&self) -> bool {
        matches!(self, Self::Can(spec) if spec.records_exchanges)
    }

    /// Whether what passes on it is kept in files of the run folder.
    pub const fn is_captured(&self) -> bool {
        matches!(self, Self::Can(spec) if spec.is_captured)
    }

    /// Whether bytes go over it, so that a real line can stand for it.
    pub const fn carries_bytes(&self) -> bool {
        !matches!(self, Self::Can(_))
    }

    /// The rate at which all parties begin, where the medium has one of its own.
    pub const fn bits_per_second(&self) -> Option<u32> {
        match self {
            Self::Bus(spec) => Some(spec.bits_per_second),
            Self::Can(spec) => Some(spec.bits_per_second),
            Self::Lanes(_) | Self::Radio(_) => None,
        }
    }
}

/// A network's medium, of whichever kind.
#[derive(Debug)]
pub enum Medium {
    /// A two-conductor bus.
    Bus(Box<Bus>),
    /// A lane between the master and each slave.
    Lanes(Lanes),
    /// A radio channel.
    Radio(Radio),
    /// A CAN bus.
    Can(Box<Can>),
}

impl Medium {
    /// A party sends a telegram whose first start bit is at `at`, or as soon after it as what the
    /// same party sent before is out. Returns when its last stop bit is out.
    ///
    /// `to` is the slave that the master sends to; on a bus all slaves hear it regardless, on lanes
    /// and over the air `None` means all of them. A slave is heard by the master alone. One that
    /// the medium does not have sends and hears nothing. A CAN bus takes no bytes: frames are
    /// [offered](Can::offer) there.
    pub fn transmit(
        &mut self,
        from: Party,
        to: Option<usize>,
        at: SimTime,
        bits_per_second: u32,
        bytes: &[u8],
    ) -> SimTime {
        match self {
            Self::Bus(bus) => bus.transmit(from, at, bits_per_second, bytes),
            Self::Lanes(lanes) => lanes.transmit(from, to, at, bits_per_second, bytes),
            Self::Radio(radio) => radio.transmit(from, to, at, bytes),
            Self::Can(_) => at,
        }
    }

    /// A party listens at this rate from now on. Without effect where there is no rate that both
    /// ends have to agree on.
    pub fn set_rate(&mut self, party: Party, bits_per_second: u32) {
        match self {
            Self::Bus(bus) => bus.set_rate(party, bits_per_second),
            Self::Lanes(_) | Self::Radio(_) | Self::Can(_) => {}
        }
    }

    /// It as a CAN bus; `None`: it is none.
    pub fn can(&mut self) -> Option<&mut Can> {
        match self {
            Self::Can(can) => Some(can),
            Self::Bus(_) | Self::Lanes(_) | Self::Radio(_) => None,
        }
    }

    /// When something happens next, as long as nobody sends before it; on a CAN bus it may be
    /// nothing that anybody notices.
    pub fn next(&self) -> Option<SimTime> {
        match self {
            Self::Bus(bus) => bus.next(),
            Self::Lanes(lanes) => lanes.next(),
            Self::Radio(radio) => radio.next(),
            Self::Can(can) => can.next(),
        }
    }

    /// What happens next, if it is not after `until`: in order of time; at the same instant the
    /// master's before the slaves', these in the order in which they were sent, then by number.
    pub fn pop(&mut self, until: SimTime) -> Option<MediumEvent> {
        let arrival = match self {
            Self::Bus(bus) => bus.pop(until),
            Self::Lanes(lanes) => lanes.pop(until),
            Self::Radio(radio) => radio.pop(until),
            Self::Can(can) => {
                let report = can.pop_report().map(MediumEvent::Attacked);
                return report.or_else(|| can.pop(until).map(MediumEvent::Wire));
            }
        };
        arrival.map(MediumEvent::Arrival)
    }
}

/// One kind of network that `[[network]]` can name.
#[derive(Clone, Copy, Debug)]
pub struct NetworkKind {
    /// Its name, texts and keys.
    pub entry: Entry,
    /// What the checked keys mean. `None` if they do not fit together; what is wrong is then in
    /// the diagnostics.
    pub build: fn(&Values, &mut Diagnostics) -> Option<MediumSpec>,
}

/// Every kind of network.
pub static NETWORKS: &[NetworkKind] = &[bus::M_BUS, lanes::STREAM, radio::ZIGBEE, can::CAN];

/// Arrivals that are due, in order of time; at the same instant as they were put in.
#[derive(Debug, Default)]
struct Due(VecDeque<Arrival>);

impl Due {
    fn put(&mut self, arrival: Arrival) {
        // What is sent later arrives later, but for a few: the place is at or near the end.
        let behind = self.0.iter().rev().take_while(|other| other.at > arrival.at).count();
        self.0.insert(self.0.len() - behind, arrival);
    }

    fn next(&self) -> Option<SimTime> {
        self.0.front().map(|arrival| arrival.at)
    }

    fn pop(&mut self) -> Option<Arrival> {
        self.0.pop_front()
    }
}

/// An instant so much later, at most the last one that there is.
const fn later(at: SimTime, span: SimDuration) -> SimTime {
    SimTime(at.0.saturating_add(span.0))
}
