//! What the platform does by itself: commands by schedule or to many devices, and maintenance.

use std::collections::BTreeMap;

use lastmeter_units::{HardwareId, SimTime};
use serde::{Deserialize, Serialize};

use super::DocumentKind;
use super::body::{
    About, Body, Fault, Key, Metadata, Name, Text, Token, at_most, bodies, ensure, keys, within,
};
use crate::access::{Kind, Target};
use crate::schedule::Schedule;

pub(super) const KINDS: &[DocumentKind] = &[
    DocumentKind::of::<ScheduledCommand>("schedule", Kind::Schedule),
    DocumentKind::of::<Batch>("batch", Kind::Batch),
    DocumentKind::of::<Job>("job", Kind::Job),
];

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
    }

    /// One command to many devices.
    document Batch {
        /// What is to be done.
        command: CommandCall,
        /// By which devices.
        target: Targets,
        /// These devices when the batch was made.
        #[serde(deserialize_with = "at_most::<_, _, 100_000>")]
        elements: Vec<HardwareId>,
        /// How many of them have been sent the command.
        #[serde(default)]
        cursor: u32,
        /// How many answers there are, by state of the invocation.
        #[serde(default)]
        counts: BTreeMap<Name, u32>,
        /// The schedule that made it.
        schedule_token: Option<Token>,
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
        let is_within = self.cursor as usize <= self.elements.len();
        ensure(is_within, "cursor", "a number not above that of the elements")?;
        ensure(self.counts.len() <= 8, "counts", "the states of an invocation")
    }

    fn keys(&self) -> Vec<Key> {
        let command = keys("command", [&self.command.command_token]);
        [command, self.target.keys(), keys("schedule", &self.schedule_token)].concat()
    }

    fn about(&self, _: &str) -> About {
        self.target.about()
    }
}

impl Body for Job {
    const CODE: u8 = 19;

    fn keys(&self) -> Vec<Key> {
        [keys("kind", [self.kind]), keys("state", [self.state])].concat()
    }
}
