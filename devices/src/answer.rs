//! Commands to a meter: what it understands, and how it answers.
//!
//! `setReportingPeriod` with the parameter `seconds`; `setRegister` with `register` (a name or an
//! address) and `value`; `readRegister` with `register`; `setBreaker` with `state` (`open` or
//! `closed`). Every invocation is answered by an `Acknowledge` message; the answer to one that
//! cannot be carried out begins with [`ERROR_PREFIX`]. An invocation that comes again (delivery is
//! at least once) is answered again with the same words, and not carried out again.

use std::collections::{BTreeMap, VecDeque};

use lastmeter_units::SimDuration;
use lastmeter_wire::flexmeter::{Limits, ParameterValue, Refusal, decode_command};

/// What an answer begins with if the command was not carried out.
pub const ERROR_PREFIX: &str = "error: ";

/// How many invocations are remembered.
const REMEMBERED: usize = 256;

/// The longest reporting period in seconds.
const PERIOD_MAX_S: f64 = 86_400.0;

/// What a command asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Order {
    /// Report this often from now on.
    SetPeriod(SimDuration),
    /// Write this into a register.
    SetRegister { register: String, value: String },
    /// Tell what a register holds.
    ReadRegister { register: String },
    /// Open the breaker, or close it.
    SetBreaker { is_open: bool },
}

/// What became of a payload.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Judged {
    /// It came before, and was answered so.
    Again { invocation: String, response: String },
    /// It is new; if it cannot be understood, why.
    New { invocation: String, order: Result<Order, String> },
}

/// Judges commands and remembers how they were answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct CommandDesk {
    answered: VecDeque<(String, String)>,
}

impl CommandDesk {
    /// Judges a payload.
    pub(crate) fn judge(&self, payload: &[u8], period_min: SimDuration) -> Result<Judged, Refusal> {
        let command = decode_command(payload, &Limits::default())?;
        let invocation = command.invocation.id.clone();
        if let Some((_, response)) = self.answered.iter().find(|(id, _)| *id == invocation) {
            return Ok(Judged::Again { invocation, response: response.clone() });
        }
        let order = order(&command.definition.name, &command.parameters, period_min);
        Ok(Judged::New { invocation, order })
    }

    /// Remembers an answer.
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

/// The commands that meters know, with their parameters, all of which have to be given.
const COMMANDS: &[(&str, &[&str])] = &[
    ("setReportingPeriod", &["seconds"]),
    ("setRegister", &["register", "value"]),
    ("readRegister", &["register"]),
    ("setBreaker", &["state"]),
];

/// What a command asks for that is given by texts, as a scenario does.
pub(crate) fn understood(
    name: &str,
    given: &BTreeMap<String, String>,
    period_min: SimDuration,
) -> Result<Order, CommandFault> {
    let Some((_, known)) = COMMANDS.iter().find(|(known, _)| *known == name) else {
        let names: Vec<&str> = COMMANDS.iter().map(|(name, _)| *name).collect();
        let what = format!("unknown command `{name}`; there are {}", names.join(", "));
        return Err(CommandFault::impossible(None, what));
    };
    if let Some(other) = given.keys().find(|key| !known.contains(&key.as_str())) {
        let what = format!("`{name}` has no parameter `{other}`; it has {}", known.join(", "));
        return Err(CommandFault::impossible(Some(other), what));
    }
    if let Some(missing) = known.iter().find(|key| !given.contains_key(**key)) {
        let what = format!("`{name}` needs the parameter `{missing}`");
        return Err(CommandFault::impossible(None, what));
    }
    let seconds = given.get("seconds").map(|text| (text, text.parse::<f64>().ok()));
    if let Some((text, number)) = seconds
        && !number.is_some_and(|number| number.is_finite() && number > 0.0)
    {
        let what = format!("`seconds` is `{text}`, expected a number above zero");
        return Err(CommandFault::impossible(Some("seconds"), what));
    }
    // As the platform types them.
    let typed = |(key, text): (&String, &String)| {
        let number = text.parse().ok().filter(|_| key == "seconds");
        let text = || ParameterValue::Text(text.clone());
        (key.clone(), number.map_or_else(text, ParameterValue::Number))
    };
    let only = known.first().copied().filter(|_| known.len() == 1);
    order(name, &given.iter().map(typed).collect(), period_min)
        .map_err(|what| CommandFault::refused(only, what))
}

fn order(
    command: &str,
    parameters: &BTreeMap<String, ParameterValue>,
    period_min: SimDuration,
) -> Result<Order, String> {
    let text = |name: &str| match parameters.get(name) {
        Some(ParameterValue::Text(text)) => Ok(text.clone()),
        Some(other) => other
            .as_number()
            .map(|number| number.to_string())
            .ok_or_else(|| format!("the parameter `{name}` is neither a text nor a number")),
        None => Err(format!("the parameter `{name}` is missing")),
    };
    match command {
        "setReportingPeriod" => period(parameters, period_min).map(Order::SetPeriod),
        "setRegister" => {
            Ok(Order::SetRegister { register: text("register")?, value: text("value")? })
        }
        "readRegister" => Ok(Order::ReadRegister { register: text("register")? }),
        "setBreaker" => match text("state")?.as_str() {
            "open" => Ok(Order::SetBreaker { is_open: true }),
            "closed" => Ok(Order::SetBreaker { is_open: false }),
            _ => Err("`state` has to be `open` or `closed`".to_owned()),
        },
        name => {
            let name: String = name.chars().take(64).collect();
            Err(format!("unknown command `{name}`"))
        }
    }
}

fn period(
    parameters: &BTreeMap<String, ParameterValue>,
    period_min: SimDuration,
) -> Result<SimDuration, String> {
    let seconds = parameters.get("seconds").and_then(ParameterValue::as_number);
    let Some(seconds) = seconds else {
        return Err("the parameter `seconds` is missing or no number".to_owned());
    };
    let period_min_s = period_min.as_seconds_f64();
    if !(period_min_s..=PERIOD_MAX_S).contains(&seconds) {
        return Err(format!(
            "`seconds` is {seconds}, expected a number from {period_min_s} to {PERIOD_MAX_S}"
        ));
    }
    Ok(SimDuration::from_seconds_f64(seconds))
}
