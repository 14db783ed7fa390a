//! Polls: meters whose answer would decide are asked whether they answer.
//!
//! A poll is the command `readRegister`. Whatever a meter answers, it has its supply; who does not
//! answer in time has been silent once more.

use std::collections::BTreeSet;

use lastmeter_params::Values;
use lastmeter_units::{SimDuration, SimTime};
use lastmeter_wire::rest::Answer;
use serde::Deserialize;
use serde_json::json;

use super::reading::Asked;
use super::{Detector, Sign};
use crate::border::AppOutput;
use crate::client::Client;
use crate::platform::body;

/// A poll that is to be looked at.
#[derive(Debug)]
struct Poll {
    meter: usize,
    asked: SimTime,
    due: SimTime,
    invocation: String,
}

/// The polls of a window, of meters by their places.
#[derive(Debug)]
pub(super) struct Polls {
    /// How many there may be of a window.
    most: usize,
    within: SimDuration,
    register: String,
    /// When that window was opened, and who was polled since.
    opened: Option<SimTime>,
    polled: BTreeSet<usize>,
    /// In the order in which they are due.
    open: Vec<Poll>,
}

/// A command that was given, and what became of it.
#[derive(Debug, Deserialize)]
struct Invocation {
    id: String,
    response: Option<String>,
}

impl Polls {
    pub(super) fn new(values: &Values) -> Self {
        Self {
            most: usize::try_from(values.integer("polls")).unwrap_or(0),
            within: values.duration("answer"),
            register: values.text("register").to_owned(),
            opened: None,
            polled: BTreeSet::new(),
            open: Vec::new(),
        }
    }

    /// The meters are others.
    pub(super) fn forget(&mut self) {
        (self.opened, self.polled) = (None, BTreeSet::new());
        self.open.clear();
    }

    /// When it is looked for an answer next.
    pub(super) fn wake_at(&self) -> Option<SimTime> {
        self.open.first().map(|poll| poll.due)
    }

    /// Polls who is unsure, by the tokens of the meters' assignments, and looks for answers that
    /// are due.
    pub(super) fn advance(
        &mut self,
        now: SimTime,
        (detector, tokens): (&Detector, &[String]),
        client: &mut Client<Asked>,
        out: &mut Vec<AppOutput>,
    ) {
        let due = self.open.iter().take_while(|poll| poll.due <= now).count();
        for Poll { meter, asked, invocation, .. } in self.open.drain(..due) {
            let path = format!("/sitewhere/api/invocations/{invocation}");
            client.get(Asked::Answer(meter, asked), path, out);
        }
        if self.most == 0 {
            return;
        }
        if self.opened.replace(detector.opened) != Some(detector.opened) {
            self.polled.clear();
        }
        for meter in detector.unsure() {
            let Some(token) = tokens.get(meter) else { continue };
            if self.polled.len() == self.most || !self.polled.insert(meter) {
                continue;
            }
            let path = format!("/sitewhere/api/assignments/{token}/invocations");
            let order = json!({
                "commandToken": "readRegister", "parameterValues": { "register": self.register },
                "expiresAfterSeconds": self.within.as_seconds_f64(),
            });
            let key = format!("poll-{token}-{}", now.0);
            client.post(Asked::Poll(meter, now), path, (&order, key), out);
        }
    }

    /// Takes what the platform answers to a poll: it is on its way, or it is not.
    pub(super) fn given(&mut self, meter: usize, asked: SimTime, answer: &Answer) {
        if let Some(Invocation { id, .. }) = body(answer) {
            self.open.push(Poll { meter, asked, due: asked + self.within, invocation: id });
        }
    }
}

/// What came of a poll that is due; none if that is not known.
pub(super) fn outcome(answer: &Answer) -> Option<Sign> {
    let Invocation { response, .. } = body(answer)?;
    Some(if response.is_some() { Sign::Answer } else { Sign::Unanswered })
}
