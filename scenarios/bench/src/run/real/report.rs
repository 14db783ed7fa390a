//! What the tasks of a real-time run report to the one that keeps the record.

use std::collections::BTreeMap;

use bytes::Bytes;
use lastmeter_can::capture::Captured;
use lastmeter_link::proxy::LinkRecord;
use lastmeter_record::{Event, GridRecord, SimulatorFacts};
use lastmeter_units::{Epoch, Serial, SimDuration, SimTime};
use lastmeter_wire::rest::Request;

use crate::run::applications::AskedCommand;
use crate::run::commands::Ending;
use crate::run::device_note::DeviceNote;
use crate::run::latency_row::Key;
use crate::run::ledger::{AnnouncedReading, SentReading, StoredReading};
use crate::run::notices::NoticeNews;
use crate::run::rest::Invocation;

/// One thing that happened; instants are those of the monotonic clock.
#[derive(Debug)]
pub(crate) enum Report {
    /// Due instants were never served.
    Unserved { count: u64 },
    /// A due instant was served: its message was handed over at this instant, so late.
    Due { at_ns: i64, lateness_ns: i64, period: SimDuration },
    /// A device made a reading.
    Reading { device: usize, made: AnnouncedReading },
    /// A reading was handed to the link for the first time.
    Published { device: usize, sent: SentReading, at_ns: i64, payload: Bytes },
    /// The platform took a reading over.
    Acknowledged { device: usize, key: (Epoch, Serial), at_ns: i64 },
    /// An alert or an answer was handed to the link, or the platform took it over.
    Notice(NoticeNews),
    /// A device holds nothing any more.
    Idle { device: usize, at_ns: i64 },
    /// A device was informed that the schedule is over, and holds nothing any more.
    Finished,
    /// A device obeyed the command of this invocation; `at` is its event time.
    Obeyed { device: usize, invocation: String, at: SimTime, at_ns: i64 },
    /// The gateway of this name asks the platform's REST; any of its devices leads to it.
    Asked { of: String, device: usize, request: Request },
    /// A device or gateway reported something about itself.
    Note { of: String, note: DeviceNote },
    /// Something for the record with facts of its own.
    Event(Box<Event>),
    /// Something passed on the bus of a network, counted in the scenario, whose traffic is kept.
    Captured(usize, SimTime, Captured),
    /// A device answered somebody at the other end of its line, with these values in SI units.
    Answered { device: usize, at: SimTime, values: BTreeMap<String, f64> },
    /// A message of the platform reached a device.
    Delivered { device: usize },
    /// A device's connection is there.
    Connected { device: usize, at_ns: i64 },
    /// A device's connection is gone.
    Disconnected { device: usize, reason: String, at_ns: i64 },
    /// An observer received a reading.
    Received { observer: usize, key: Key, digest: u64, at_ns: i64 },
    /// An observer received what is no reading of the bench.
    Unreadable,
    /// One of an observer's connections is there.
    ObserverConnected { connection: String },
    /// One of an observer's connections is gone.
    ObserverDisconnected { observer: usize, reason: String },
    /// The platform gave readings back.
    Stored { page: Vec<StoredReading>, at_ns: i64 },
    /// The platform gave back what cannot be read.
    WrongAnswer { detail: String },
    /// A command's state has changed for good, or cannot be asked.
    Command { id: u64, state: Result<(Ending, Invocation), String>, at_ns: i64 },
    /// An application has asked for a command.
    Commanded { command: AskedCommand, at_ns: i64 },
    /// A simulator was played to its end: how late its steps were, and what flowed in its network.
    Played { facts: SimulatorFacts, grid: Option<Box<GridRecord>> },
    /// A proxy passed something on.
    Link { link: usize, record: LinkRecord },
}
