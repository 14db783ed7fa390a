//! What passes between a client and its connection, both ways.

use std::collections::BTreeMap;

use lastmeter_can::capture::Captured;
use lastmeter_devices::PageAnswer;
use lastmeter_record::Event;
use lastmeter_units::{HardwareId, SimTime};
use lastmeter_wire::rest::Request;

use super::carried::Carried;
use super::device_note::DeviceNote;
use super::exchanges::BusExchange;
use super::ledger::{AnnouncedReading, SentReading};

/// What happens on the connection that a client has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkEvent {
    Connected,
    Disconnected,
    Acknowledged { message: u64 },
    Received { owner: HardwareId, payload: Vec<u8> },
}

#[derive(Clone, Debug)]
pub(crate) enum ClientOutput {
    /// A message for the platform.
    Send {
        /// Its number: rises from message to message, the same when it is sent again.
        message: u64,
        /// Whose it is: the name of a device or gateway.
        owner: String,
        /// When it was handed over, if it is a reading.
        at: SimTime,
        payload: Vec<u8>,
    },
    /// Bytes for a network that is a real line.
    ToLine { network: usize, bits_per_second: u32, bytes: Vec<u8> },
    /// A network that is a real line is to be opened again.
    Reopen { network: usize },
    /// A device has made a reading.
    Reading { device: usize, made: AnnouncedReading },
    /// A reading of a device went out as frames, with these values.
    Sent { device: usize, sent: SentReading },
    /// One of these frames has reached the gateway.
    Carried { device: usize, carried: Carried },
    /// What was asked of a device on a CAN bus is answered, or will not be.
    Exchanged { device: usize, identifier: u32, exchange: BusExchange },
    /// A device has answered whoever asked it with these values, in SI units.
    Answered { device: usize, at: SimTime, values: BTreeMap<String, f64> },
    /// Something passed on a CAN bus whose traffic is kept; the network is counted in the scenario.
    Captured { network: usize, at: SimTime, captured: Captured },
    /// The breaker of a device acted.
    Switched { device: usize, is_closed: bool },
    /// Something for the record with facts of its own.
    Event(Box<Event>),
    /// A gateway asks the platform's REST.
    Asked(Request),
    /// A gateway answers the request of this number for a page.
    Paged { number: u64, answer: PageAnswer },
    /// A device cannot go on.
    Failed { of: String, why: String },
    /// Something for the record, of a device or gateway of this name.
    Note { of: String, note: DeviceNote },
}

impl From<Event> for ClientOutput {
    fn from(event: Event) -> Self {
        Self::Event(Box::new(event))
    }
}
