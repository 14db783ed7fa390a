//! Commands to a meter: what it understands, and how it answers.
//!
//! `setReportingPeriod` with the parameter `seconds`; `setRegister` with `register` (a name or an
//! address) and `value`; `readRegister` with `register`; `setBreaker` with `state` (`open` or
//! `closed`). Every invocation is answered by an `Acknowledge` message; the answer to one that
//! cannot be carried out begins with [`ERROR_PREFIX`]. An invocation that comes again (delivery is
//! at least once) is answered again with the same words, and not carried out again.

use std::collections::VecDeque;

use lastmeter_units::SimDuration;
use lastmeter_wire::flexmeter::{CommandMessage, Limits, ParameterValue, Refusal, decode_command};

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
        Ok(Judged::New { invocation, order: order(&command, period_min) })
    }

    /// Remembers an answer.
    pub(crate) fn answered(&mut self, invocation: &str, response: &str) {
        if self.answered.len() == REMEMBERED {
            self.answered.pop_front();
        }
        self.answered.push_back((invocation.to_owned(), response.to_owned()));
    }
}

fn order(command: &CommandMessage, period_min: SimDuration) -> Result<Order, String> {
    let text = |name: &str| match command.parameters.get(name) {
        Some(ParameterValue::Text(text)) => Ok(text.clone()),
        Some(other) => other
            .as_number()
            .map(|number| number.to_string())
            .ok_or_else(|| format!("the parameter `{name}` is neither a text nor a number")),
        None => Err(format!("the parameter `{name}` is missing")),
    };
    match command.definition.name.as_str() {
        "setReportingPeriod" => period(command, period_min).map(Order::SetPeriod),
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

fn period(command: &CommandMessage, period_min: SimDuration) -> Result<SimDuration, String> {
    let seconds = command.parameters.get("seconds").and_then(ParameterValue::as_number);
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
