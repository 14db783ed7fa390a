//! What the platform does by itself: commands by schedule or to many devices, the doors that
//! devices came through, and maintenance.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use lastmeter_units::{HardwareId, SimTime};
use serde::{Deserialize, Serialize};

use super::DocumentKind;
use super::body::{
    About, Body, Fault, Key, Metadata, Name, Text, Token, at_most, bodies, ensure, keys, within,
};
use crate::access::{Kind, PrincipalRef, Target};
use crate::invocation::InvocationState;
use crate::schedule::Schedule;

pub(super) const KINDS: &[DocumentKind] = &[
    DocumentKind::of::<ScheduledCommand>("schedule", Kind::Schedule),
    DocumentKind::of::<Batch>("batch", Kind::Batch),
    DocumentKind::of::<Job>("job", Kind::Job),
    DocumentKind {
        is_resident: false,
        ..DocumentKind::of::<BatchElements>("batch_elements", Kind::Batch)
    },
    DocumentKind::of::<DeviceRoute>("device_route", Kind::Device),
];

/// The most devices of one batch.
pub const ELEMENTS_MAX: usize = 100_000;
/// The most commands of one batch that are open at a time.
pub const UNDER_WAY_MAX: usize = 256;

lastmeter_units::words! {
    /// What a job does.
    pub enum JobKind in files {
        /// Copies the store.
        Backup = "backup",
        /// Removes what is older than is kept.
        Retention = "retention",
        /// Seals network keys with another key.
        KeyRotation = "key-rotation",
        /// Ends assignments.
        AssignmentEnd = "assignment-end",
        /// Takes refused messages in again.
        Replay = "replay",
        /// Takes devices or readings in from a file.
        Import = "import",
    }
}

lastmeter_units::words! {
    /// How a job stands.
    pub enum JobState in files {
        /// Not begun.
        Waiting = "waiting",
        /// Under way; begun again after a restart.
        Running = "running",
        /// Ended with a result.
        Done = "done",
        /// Ended without one.
        Failed = "failed",
    }
}

bodies! {
    /// A command that is made when it is due.
    document ScheduledCommand {
        /// Name for people.
        name: Option<Name>,
        /// When it is due.
        schedule: Schedule,
        /// What is to be done.
        command: CommandCall,
        /// By which devices.
        target: Targets,
        /// Whether it is never due.
        #[serde(default)]
        disabled: bool,
        /// The last instant for which it was made.
        last_due: Option<SimTime>,
    }

    /// A command with its arguments.
    struct CommandCall {
        /// The command.
        command_token: Token,
        /// Arguments by name, as texts.
        #[serde(default)]
        parameter_values: Metadata,
        /// After how many seconds each invocation expires; as the settings have it, if left out.
        expires_after_seconds: Option<NonZeroU32>,
    }

    /// One command to many devices.
    document Batch {
        /// What is to be done.
        command: CommandCall,
        /// By which devices; nothing for a list of them.
        target: Option<Targets>,
        /// The document with these devices as they were when the batch was made.
        elements_token: Token,
        /// How many they are.
        size: u32,
        /// How many of them have an invocation.
        #[serde(default)]
        cursor: u32,
        /// How many of these got theirs last, and are not in `under_way`.
        #[serde(default)]
        last: u32,
        /// Numbers of invocations before those that had not ended.
        #[serde(default, deserialize_with = "at_most::<_, _, 256>")]
        under_way: Vec<i64>,
        /// How many have ended, by their state.
        #[serde(default)]
        counts: BTreeMap<Name, u32>,
        /// Whether no more of them are made.
        #[serde(default)]
        cancelled: bool,
        /// Who made it, with whose rights.
        by: PrincipalRef,
        /// The schedule that made it.
        schedule_token: Option<Token>,
    }

    /// The devices of a batch.
    document BatchElements {
        /// Each once, in their order.
        #[serde(deserialize_with = "at_most::<_, _, 100_000>")]
        elements: Vec<HardwareId>,
    }

    /// The door that a device last came through, where that is not the first one; its token is the
    /// device's.
    document DeviceRoute {
        /// Name of the door.
        door: Name,
    }

    /// A job of maintenance.
    document Job {
        /// What it does.
        kind: JobKind,
        /// What it was given, by name.
        #[serde(default)]
        parameters: Metadata,
        /// How it stands.
        state: JobState,
        /// How far it is, in percent.
        #[serde(default, deserialize_with = "within::<_, 0, 100>")]
        progress: Option<f64>,
        /// What it left, or why it failed.
        result: Option<Text>,
    }
}

/// The devices of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Targets {
    /// One device.
    Device(HardwareId),
    /// Those that belong to a group.
    Group(Token),
    /// Those that are in a zone.
    Zone(Token),
    /// A list.
    Devices(#[serde(deserialize_with = "at_most::<_, _, 100_000>")] Vec<HardwareId>),
}

impl Targets {
    fn about(&self) -> About {
        About::of(match self {
            Self::Device(id) => Some(Target::Device(id.clone())),
            Self::Group(token) => Some(Target::Group(token.as_str().to_owned())),
            Self::Zone(token) => Some(Target::Zone(token.as_str().to_owned())),
            Self::Devices(_) => None,
        })
    }

    fn keys(&self) -> Vec<Key> {
        match self {
            Self::Device(id) => keys("device", [id]),
            Self::Group(token) => keys("group", [token]),
            Self::Zone(token) => keys("zone", [token]),
            Self::Devices(ids) => keys("device", ids),
        }
    }
}

impl Body for ScheduledCommand {
    const CODE: u8 = 15;

    fn validate(&self) -> Result<(), Fault> {
        self.schedule.validate().map_err(|error| {
            let text = error.to_string();
            let field = text.split(':').next().unwrap_or_default();
            let expected = text.split("expected ").last().unwrap_or_default();
            Fault(format!("schedule.{field}"), expected.to_owned())
        })
    }

    fn keys(&self) -> Vec<Key> {
        [keys("command", [&self.command.command_token]), self.target.keys()].concat()
    }

    fn about(&self, _: &str) -> About {
        self.target.about()
    }
}

impl Body for Batch {
    const CODE: u8 = 16;

    fn validate(&self) -> Result<(), Fault> {
        ensure(self.cursor <= self.size, "cursor", "a number not above `size`")?;
        ensure(self.last <= self.cursor, "last", "a number not above `cursor`")?;
        ensure(self.counts.len() <= 8, "counts", "the states of an invocation")
    }

    fn keys(&self) -> Vec<Key> {
        // Its group or zone may go: the devices are frozen.
        let state = if self.is_done() { "done" } else { "open" };
        let schedule = keys("schedule", &self.schedule_token);
        [keys("command", [&self.command.command_token]), schedule, keys("state", [state])].concat()
    }

    fn about(&self, _: &str) -> About {
        let of_list = || About { owner: Some(self.by.clone()), ..About::default() };
        self.target.as_ref().map_or_else(of_list, Targets::about)
    }
}

impl Batch {
    /// Whether all that it makes has ended.
    pub fn is_done(&self) -> bool {
        let is_made = self.cancelled || self.cursor == self.size;
        is_made && self.last == 0 && self.under_way.is_empty()
    }

    /// Counts an element whose invocation has ended.
    pub fn count(&mut self, state: InvocationState) {
        if let Ok(name) = Name::try_from(state.word().to_owned()) {
            *self.counts.entry(name).or_default() += 1;
        }
    }
}

impl Body for BatchElements {
    const CODE: u8 = 20;
}

impl Body for DeviceRoute {
    const CODE: u8 = 21;

    fn about(&self, token: &str) -> About {
        About::of(HardwareId::new(token).ok().map(Target::Device))
    }
}

impl Body for Job {
    const CODE: u8 = 19;

    fn keys(&self) -> Vec<Key> {
        [keys("kind", [self.kind]), keys("state", [self.state])].concat()
    }
}
