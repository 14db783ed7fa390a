//! What a service takes and gives.

use std::collections::BTreeMap;

use lastmeter_model::access::PrincipalRef;
use lastmeter_model::document::Document;
use lastmeter_model::entity::AlarmKey;
use lastmeter_model::row::{AlertRow, ReadingRow};
use lastmeter_units::{HardwareId, SimTime};
use lastmeter_wire::flexmeter::AlertLevel;

/// A service.
#[derive(Debug)]
pub struct ServiceKind {
    /// Its name, in logs and as that of its place in the store.
    pub name: &'static str,
    /// What it does, for people.
    pub doc: &'static str,
    /// Codes of the kinds of documents that it hears of.
    pub kinds: &'static [u8],
    /// Makes it from its last snapshot; `None`: it has never run. A snapshot that cannot be read
    /// is as none.
    pub build: fn(Option<&[u8]>) -> Box<dyn Service>,
}

/// What a service is given, in the order of instants.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A document of its kinds as it is now: all of them at the start, then each that changes; a
    /// removed one is marked so.
    Document(&'a Document),
    /// All documents that there are have been given: what is remembered of others is of ones that
    /// were removed meanwhile.
    Started,
    /// A reading. `is_late`: others that are later have been given before.
    Reading {
        /// The reading.
        row: &'a ReadingRow,
        /// Whether it is behind others.
        is_late: bool,
    },
    /// An alert, of a device or of the platform's own.
    Alert {
        /// The alert.
        row: &'a AlertRow,
        /// Whether it is behind others.
        is_late: bool,
    },
    /// The instant of [`Service::wake_at`] has come.
    Wake,
}

/// An effect of a service. Effects of one instant are committed together.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// An alert of the platform's own.
    Alert {
        /// Under which id it stands; it begins with `$`.
        source: HardwareId,
        /// The type of the alert.
        kind: String,
        /// How bad it is.
        level: AlertLevel,
        /// For people.
        text: String,
        /// When it happened.
        at: SimTime,
        /// What programs read of it.
        metadata: BTreeMap<String, String>,
    },
    /// A condition holds, or does so no longer.
    Alarm {
        /// What identifies the alarm.
        key: AlarmKey,
        /// How bad it is; `None`: it is over.
        level: Option<AlertLevel>,
        /// Why.
        text: String,
        /// When.
        at: SimTime,
        /// Whose the alarm is; `None`: the tenant's.
        owner: Option<PrincipalRef>,
    },
    /// Effects that somebody wants. Whether they may read what the effects rest on is asked when
    /// they are done; if not, none of them is.
    InTheNameOf {
        /// Who.
        by: PrincipalRef,
        /// The devices that they rest on.
        reads: Vec<HardwareId>,
        /// What causes them, as `rule:TOKEN`.
        cause: String,
        /// The effects.
        effects: Vec<Self>,
    },
    /// A command in somebody's name, whose rights are asked when it is made.
    Command {
        /// To which device.
        device: HardwareId,
        /// The command's name.
        name: String,
        /// Its arguments, as texts.
        parameters: BTreeMap<String, String>,
        /// In whose name.
        by: PrincipalRef,
        /// What caused it, as `rule:TOKEN`, the nearest first.
        cause: Vec<String>,
    },
}

/// A machine without clock and I/O.
pub trait Service: Send {
    /// Takes one input at an instant that is not before the last one's.
    fn step(&mut self, now: SimTime, input: Input<'_>, out: &mut Vec<Output>);

    /// Whether there is nothing for it to do: rows pass by without being read.
    fn is_idle(&self) -> bool;

    /// When it wants to be woken, whatever comes until then.
    fn wake_at(&self) -> Option<SimTime>;

    /// What it has to remember, apart from documents.
    fn snapshot(&self) -> Vec<u8>;
}
