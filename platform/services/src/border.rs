//! What a service takes and gives.

use std::collections::BTreeMap;

use lastmeter_model::access::{PrincipalRef, Target};
use lastmeter_model::calendar::Stretch;
use lastmeter_model::document::{Document, DocumentKind};
use lastmeter_model::entity::AlarmKey;
use lastmeter_model::invocation::InvocationRow;
use lastmeter_model::row::{AlertRow, ReadingRow};
use lastmeter_model::series::rollup::Summary;
use lastmeter_units::{HardwareId, MeasurementId, SimDuration, SimTime};
use lastmeter_wire::flexmeter::AlertLevel;
use serde_json::Value;

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
    /// What was asked, at the instant at which it was.
    Answer {
        /// The number of the question.
        ask: u64,
        /// What there is, or why that is not answered.
        rows: Result<&'a Rows, Unanswered>,
    },
}

/// Why a question is not answered. It is not asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// There are more rows than are looked at.
    TooMuch,
    /// The store took too long.
    TooSlow,
    /// Something of it is damaged.
    Damaged,
}

/// A question about what is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// About which devices.
    pub of: Subject,
    /// Who asks: only what they may read is answered.
    pub by: Asker,
    /// Summaries of which quantities; of all, if none is named.
    pub quantities: Vec<MeasurementId>,
    /// Of which time.
    pub within: Stretch,
    /// What else of the devices.
    pub also: Also,
}

/// The devices that a question is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// These.
    Devices(Vec<HardwareId>),
    /// Those that belong to a thing, for as long as they do, with the loads behind them.
    Of(Target),
}

/// Who asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Asker {
    /// The platform itself, for what it publishes of many.
    Platform,
    /// The administrators of the tenant.
    Administrators,
    /// Somebody.
    Principal(PrincipalRef),
}

/// What is asked of devices beside their series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Also {
    /// Their alerts, and those of the platform that name them in `device`.
    pub alerts: bool,
    /// Commands to them.
    pub commands: bool,
    /// What was refused of them.
    pub refusals: bool,
    /// How much was refused of whomever.
    pub refused: bool,
}

/// What is stored, as far as it was asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// By device.
    pub devices: Vec<DeviceRows>,
    /// In the order of their instants.
    pub alerts: Vec<AlertRow>,
    /// How many messages were refused in all, if that was asked for.
    pub refused: u64,
}

/// What is stored of one device.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceRows {
    /// The device.
    pub device: HardwareId,
    /// The device that it is behind.
    pub parent: Option<HardwareId>,
    /// How often it reports, if that is declared.
    pub reporting_period: Option<SimDuration>,
    /// By buckets of a quarter of an hour, in their order.
    pub summaries: BTreeMap<MeasurementId, Vec<Summary>>,
    /// Commands that were made in the time, oldest first.
    pub commands: Vec<InvocationRow>,
    /// How many messages were refused, by reason.
    pub refusals: BTreeMap<String, u64>,
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
        /// What they rest on.
        reads: Vec<Read>,
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
    /// A question, which is answered at the same instant, once what else there is of it is
    /// committed. No snapshot has it: what is not answered at a stop has to be asked again.
    Ask {
        /// Its number; among those of the service that are open, once.
        ask: u64,
        /// The question.
        query: Query,
    },
    /// A document as it is from now on: under the same token a new version.
    Put {
        /// Its kind.
        kind: &'static DocumentKind,
        /// Its token.
        token: String,
        /// Its body, which passes the kind's check.
        body: Value,
    },
    /// A reading of the platform's own.
    Reading {
        /// Under which id it stands; it begins with `$`.
        source: HardwareId,
        /// Of which instant.
        at: SimTime,
        /// The values.
        values: Vec<(MeasurementId, f64)>,
        /// What programs read beside them.
        metadata: BTreeMap<String, String>,
    },
}

/// Something that a service does again and again.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The document that it is done for.
    pub of: (&'static DocumentKind, String),
    /// What it does.
    pub name: String,
    /// How often: a word such as `day`, `1h`.
    pub period: &'static str,
    /// When it was done last.
    pub last: Option<SimTime>,
    /// When it is done next; `None`: it is not done by itself.
    pub next: Option<SimTime>,
    /// How it stands: `waiting`, `asking`, or how the last one failed.
    pub state: &'static str,
}

/// What effects rest on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Read {
    /// What a device measures and sends.
    Device(HardwareId),
    /// The feed of a token.
    Feed(String),
    /// The tariff of a token.
    Tariff(String),
}

/// A machine without clock and I/O.
pub trait Service: Send {
    /// Takes one input at an instant that is not before the last one's.
    fn step(&mut self, now: SimTime, input: Input<'_>, out: &mut Vec<Output>);

    /// Whether there is nothing for it to do: rows pass by without being read.
    fn is_idle(&self) -> bool;

    /// Whether it looks at rows as they come.
    fn takes_rows(&self) -> bool {
        !self.is_idle()
    }

    /// What it does again and again, as it stands.
    fn tasks(&self) -> Vec<Task> {
        Vec::new()
    }

    /// When it wants to be woken, whatever comes until then.
    fn wake_at(&self) -> Option<SimTime>;

    /// What it has to remember, apart from documents.
    fn snapshot(&self) -> Vec<u8>;
}
