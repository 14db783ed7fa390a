//! Commands to a meter: what it understands, and how it answers.
//!
//! The commands are the rows of [`lastmeter_wire::commands`]. Every invocation is answered by an
//! `Acknowledge` message; the answer to one that cannot be carried out begins with
//! [`ERROR_PREFIX`]. An invocation that comes again (delivery is at least once) is answered again
//! with the same words, and not carried out again.

use std::collections::{BTreeMap, VecDeque};

use lastmeter_units::SimDuration;
use lastmeter_wire::commands::{self, ArgumentError, Arguments, CommandKind, Order};
use lastmeter_wire::flexmeter::{Limits, ParameterValue, Refusal, decode_command};

/// What an answer begins with if the command was not carried out.
pub const ERROR_PREFIX: &str = "error: ";

/// The answer of a device that is to open what it does not have.
pub(crate) const NO_BREAKER: &str = "this device has no breaker";

/// The answer of a device that is to write points of a simulator.
pub(crate) const NO_POINTS: &str = "this device has no points to write";

const REMEMBERED: usize = 256;

const PERIOD_MAX_S: f64 = 86_400.0;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ReceivedCommand {
    /// It came before, and was answered so.
    Repeated { invocation: String, response: String },
    /// It is new; if it cannot be understood, why.
    New { invocation: String, order: Result<Order, String> },
}

/// Judges commands and remembers how they were answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct CommandDesk {
    answered: VecDeque<(String, String)>,
}

impl CommandDesk {
    pub(crate) fn judge(&self, payload: &[u8]) -> Result<ReceivedCommand, Refusal> {
        let command = decode_command(payload, &Limits::default())?;
        let invocation = command.invocation.id.clone();
        if let Some((_, response)) = self.answered.iter().find(|(id, _)| *id == invocation) {
            return Ok(ReceivedCommand::Repeated { invocation, response: response.clone() });
        }
        let order = order(&command.definition.name, &command.parameters);
        Ok(ReceivedCommand::New { invocation, order })
    }

    pub(crate) fn answered(&mut self, invocation: &str, response: &str) {
        if self.answered.len() == REMEMBERED {
            self.answered.pop_front();
        }
        self.answered.push_back((invocation.to_owned(), response.to_owned()));
    }
}

/// What is wrong with a command that is to be given to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandFault {
    /// There is no such command, or not with these parameters: it cannot be given at all.
    Impossible {
        /// The parameter it is about; `None` if the command is meant, or what it lacks.
        parameter: Option<String>,
        /// What was found and what would do.
        what: String,
    },
    /// The device would answer with an error.
    Refused {
        /// The parameter it is about; `None` if the command is meant.
        parameter: Option<String>,
        /// What it would answer.
        what: String,
    },
}

impl CommandFault {
    pub(crate) fn refused(parameter: Option<&str>, what: String) -> Self {
        Self::Refused { parameter: parameter.map(str::to_owned), what }
    }

    fn impossible(parameter: Option<&str>, what: String) -> Self {
        Self::Impossible { parameter: parameter.map(str::to_owned), what }
    }
}

/// What a command orders that is given by texts, as a scenario does.
pub(crate) fn understood(
    name: &str,
    given: &BTreeMap<String, String>,
) -> Result<Order, CommandFault> {
    let Some(kind) = commands::find(name) else {
        let what = format!("unknown command `{name}`; there are {}", commands::names());
        return Err(CommandFault::impossible(None, what));
    };
    let arguments = kind.arguments(given).map_err(|error| misfit(kind, error))?;
    let only = kind.parameters.first().map(|known| &*known.name);
    let only = only.filter(|_| kind.parameters.len() == 1);
    (kind.order)(&Arguments(&arguments)).map_err(|what| CommandFault::refused(only, what))
}

fn misfit(kind: &CommandKind, error: ArgumentError) -> CommandFault {
    let name = kind.name;
    match error {
        ArgumentError::Unknown(other) => {
            let known: Vec<&str> = kind.parameters.iter().map(|known| &*known.name).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let what = format!("`{name}` has no parameter `{other}`; it has {known}");
            CommandFault::impossible(Some(&other), what)
        }
        ArgumentError::Missing(missing) => {
            CommandFault::impossible(None, format!("`{name}` needs the parameter `{missing}`"))
        }
        ArgumentError::Wrong { parameter, found } => {
            let what =
                format!("`{}` is `{found}`, expected {}", parameter.name, parameter.expected());
            CommandFault::impossible(Some(&parameter.name), what)
        }
    }
}

fn order(command: &str, parameters: &BTreeMap<String, ParameterValue>) -> Result<Order, String> {
    match commands::find(command) {
        Some(kind) => (kind.order)(&Arguments(parameters)),
        None => Err(format!("unknown command `{}`", command.chars().take(64).collect::<String>())),
    }
}

/// A reporting period that a device can keep.
pub(crate) fn period(seconds: f64, period_min: SimDuration) -> Result<SimDuration, String> {
    let period_min_s = period_min.as_seconds_f64();
    if !(period_min_s..=PERIOD_MAX_S).contains(&seconds) {
        return Err(format!(
            "`seconds` is {seconds}, expected a number from {period_min_s} to {PERIOD_MAX_S}"
        ));
    }
    Ok(SimDuration::from_seconds_f64(seconds))
}
