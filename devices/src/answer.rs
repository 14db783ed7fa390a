//! Commands to a meter: what it understands, and how it answers.
//!
//! The meter knows one command, `setReportingPeriod` with the parameter `seconds`. Every
//! invocation is answered by an `Acknowledge` message; the answer to one that cannot be carried
//! out begins with [`ERROR_PREFIX`]. An invocation that comes again (delivery is at least once) is
//! answered again with the same words, and not carried out again.

use std::collections::VecDeque;

use lastmeter_units::SimDuration;
use lastmeter_wire::flexmeter::{CommandMessage, Limits, ParameterValue, Refusal, decode_command};

/// What an answer begins with if the command was not carried out.
pub const ERROR_PREFIX: &str = "error: ";

/// How many invocations are remembered.
const REMEMBERED: usize = 256;

/// The longest reporting period in seconds.
const PERIOD_MAX_S: f64 = 86_400.0;

/// What is to be done about a command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Report this often from now on.
    SetPeriod(SimDuration),
    /// Nothing: it has been carried out before.
    Repeated,
    /// Nothing: it is not understood.
    Refused,
}

/// An answer to a command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) invocation: String,
    pub(crate) response: String,
    pub(crate) verdict: Verdict,
}

/// Judges commands and remembers which ones it has judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct CommandDesk {
    judged: VecDeque<(String, String)>,
}

impl CommandDesk {
    /// Judges a payload.
    pub(crate) fn judge(
        &mut self,
        payload: &[u8],
        period_min: SimDuration,
    ) -> Result<Answer, Refusal> {
        let command = decode_command(payload, &Limits::default())?;
        let invocation = command.invocation.id.clone();
        if let Some((_, response)) = self.judged.iter().find(|(id, _)| *id == invocation) {
            let response = response.clone();
            return Ok(Answer { invocation, response, verdict: Verdict::Repeated });
        }
        let (response, verdict) = match period(&command, period_min) {
            Ok(period) => (format!("reporting period set to {period}"), Verdict::SetPeriod(period)),
            Err(error) => (format!("{ERROR_PREFIX}{error}"), Verdict::Refused),
        };
        if self.judged.len() == REMEMBERED {
            self.judged.pop_front();
        }
        self.judged.push_back((invocation.clone(), response.clone()));
        Ok(Answer { invocation, response, verdict })
    }
}

fn period(command: &CommandMessage, period_min: SimDuration) -> Result<SimDuration, String> {
    let name = &command.definition.name;
    if name != "setReportingPeriod" {
        let name: String = name.chars().take(64).collect();
        return Err(format!("unknown command `{name}`"));
    }
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
