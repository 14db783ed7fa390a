//! What a scenario does to a real-time bench at its instants: injections, commands, kills.

use std::collections::BTreeMap;

use lastmeter_devices::ERROR_PREFIX;
use lastmeter_link::clock::monotonic_ns;
use lastmeter_record::{Event, EventKind, field};
use lastmeter_units::{SimDuration, SimTime};
use serde_json::json;

use super::bench::RealBench;
use super::report::Report;
use crate::language::{Action, Injection};
use crate::run::console::Console;
use crate::run::error::{BenchError, chain};
use crate::run::rest::{Invocation, Rest};
use crate::run::until;

/// Something that is to be done at an instant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// The injection of this index begins.
    Begin(usize),
    /// It ends.
    End(usize),
}

/// A command whose answer is awaited.
pub(super) struct OpenCommand {
    pub(super) device: usize,
    pub(super) name: String,
    pub(super) parameters: BTreeMap<String, String>,
    /// When the scenario wanted it given.
    pub(super) intended_ns: i64,
    pub(super) given_ns: i64,
    /// What had arrived at the device before.
    pub(super) delivered: u64,
}

/// A command that a device has obeyed.
pub(super) struct Obeyed {
    pub(super) device: usize,
    /// The invocation, by the platform's name for it.
    pub(super) invocation: String,
    /// Event time of the device.
    pub(super) at: SimTime,
    pub(super) at_ns: i64,
}

impl RealBench<'_> {
    pub(super) async fn act(
        &mut self,
        act: Act,
        at_ns: i64,
        console: &Console,
    ) -> Result<(), BenchError> {
        let scenario = self.scenario;
        match act {
            Act::Begin(index) => {
                let injection = &scenario.injections[index];
                let detail = injection.detail();
                console.injected(injection.at, &format!("{}  {detail}", injection.kind));
                self.begin_injection((index, injection), at_ns, &detail).await
            }
            Act::End(index) => {
                self.end_injection(index, &scenario.injections[index]);
                Ok(())
            }
        }
    }

    async fn begin_injection(
        &mut self,
        (index, injection): (usize, &Injection),
        at_ns: i64,
        detail: &str,
    ) -> Result<(), BenchError> {
        let at = self.now();
        let until = until(injection).map(|until| self.scenario.start + until);
        let noted = |device: Option<&str>| {
            let event = Event::inject(at, injection.kind, device, detail);
            match until {
                Some(until) => event.with(field::UNTIL, until.to_string()),
                None => event,
            }
        };
        match &injection.action {
            Action::Device { device, .. } => {
                // The device's own task does it, at its event time.
                let event = noted(Some(&self.scenario.devices[*device].name));
                self.note(event);
            }
            Action::Source { source } => {
                // Its terminal carries it out by itself.
                let name = &self.scenario.sources[*source].name;
                let event = noted(None).with(field::INTO, format!("source:{name}"));
                self.note(event);
            }
            Action::Command { device, command, parameters, refused } => {
                self.command(*device, at_ns, (command, parameters), *refused)?;
            }
            Action::KillPlatform => self.kill().await?,
            Action::Impair { link, change, devices, .. } => {
                let owners = self.owners(*link, devices.as_deref());
                self.parts.links.impair(*link, change, owners.as_deref());
                let event = noted(None).with(field::LINK, self.scenario.links[*link].name.as_str());
                // By this its end is found, whatever else is broken meanwhile.
                self.note(event.with(field::INJECTION, index));
            }
            Action::Disconnect { link, how, devices, .. } => {
                let owners = self.owners(*link, devices.as_deref());
                self.parts.links.break_link(*link, *how, owners.as_deref());
                let lanes = self.scenario.lanes(*link, devices.as_deref());
                let event = noted(None).with(field::LINK, self.scenario.links[*link].name.as_str());
                let event = event.with(field::LANES, lanes);
                // By this its end is found, whatever else is broken meanwhile.
                self.note(event.with(field::INJECTION, index));
            }
        }
        Ok(())
    }

    fn end_injection(&mut self, index: usize, injection: &Injection) {
        let link = match &injection.action {
            Action::Impair { link, devices, .. } => {
                let owners = self.owners(*link, devices.as_deref());
                self.parts.links.restore(*link, owners.as_deref());
                *link
            }
            Action::Disconnect { link, devices, .. } => {
                let owners = self.owners(*link, devices.as_deref());
                self.parts.links.mend(*link, owners.as_deref());
                *link
            }
            Action::Device { .. }
            | Action::Source { .. }
            | Action::Command { .. }
            | Action::KillPlatform => return,
        };
        let name = self.scenario.links[link].name.as_str();
        let event = Event::restored(self.now(), name, injection.kind);
        self.note(event.with(field::INJECTION, index));
    }

    /// The lanes of a link that belong to these devices: their own, and their observers'.
    fn owners(&self, link: usize, devices: Option<&[usize]>) -> Option<Vec<String>> {
        devices.map(|devices| self.scenario.lanes(link, Some(devices)))
    }

    async fn kill(&mut self) -> Result<(), BenchError> {
        self.note(Event::kill(self.now(), "platform"));
        self.parts.platform.kill().await?;
        self.parts.platform.restart().await?;
        self.note(Event::restarted(self.now(), "platform"));
        Ok(())
    }

    fn command(
        &mut self,
        device: usize,
        intended_ns: i64,
        (command, parameters): (&str, &BTreeMap<String, String>),
        must_be_refused: bool,
    ) -> Result<(), BenchError> {
        self.command_count += 1;
        let id = self.command_count;
        let name = self.scenario.devices[device].name.clone();
        let event = Event::command(self.now(), id, &name, command);
        let event = event.with(field::PARAMETERS, json!(parameters));
        self.note(if must_be_refused { event.must_be_refused() } else { event });
        let open = OpenCommand {
            device,
            name: command.to_owned(),
            parameters: parameters.clone(),
            intended_ns,
            given_ns: monotonic_ns(),
            delivered: self.delivered[device],
        };
        self.commands.insert(id, open);
        let mut rest = Rest::new(self.parts.platform.profile())?;
        let (alarm, teller) = (self.parts.alarm.clone(), self.parts.teller.clone());
        let (command, parameters) = (command.to_owned(), parameters.clone());
        self.parts.tasks.spawn_on(
            async move {
                let state = rest.carry_through(&name, &command, &parameters, &alarm).await;
                let state = state.map_err(|error| chain(&error));
                let _ = teller.send(Report::Command { id, state, at_ns: monotonic_ns() });
                std::future::pending().await
            },
            &self.parts.handle,
        );
        Ok(())
    }

    pub(super) fn command_ended(&mut self, id: u64, state: Result<Invocation, String>, at_ns: i64) {
        let Some(open) = self.commands.remove(&id) else { return };
        let device = self.scenario.devices[open.device].name.clone();
        let at = self.timeline.event_time(at_ns, SimDuration::ZERO);
        let reached = self.delivered[open.device] > open.delivered;
        let failed =
            |kind: EventKind, response: &str| Event::not_obeyed(at, kind, id, &device, response);
        let invocation = state.as_ref().map(|state| state.id.clone()).unwrap_or_default();
        let found = self
            .obeyed
            .iter()
            .position(|obeyed| obeyed.device == open.device && obeyed.invocation == invocation);
        let obeyed = found.map(|at| self.obeyed.swap_remove(at));
        let (word, response) = match state {
            Ok(state) => (state.state().to_owned(), state.response.unwrap_or_default()),
            Err(error) => ("Failed".to_owned(), error),
        };
        let mut acknowledged_ns = None;
        let event = match word.as_str() {
            "Acknowledged" if !reached => failed(
                EventKind::CommandFailed,
                "nothing has reached the device, whatever the platform says",
            ),
            "Acknowledged" if response.starts_with(ERROR_PREFIX) => {
                failed(EventKind::CommandRefused, &response)
            }
            "Acknowledged" => {
                acknowledged_ns = Some(at_ns);
                self.follow(&open, obeyed.as_ref());
                Event::acknowledged(at, id, &device, &response)
            }
            other => failed(format!("command_{}", other.to_lowercase()).into(), &response),
        };
        self.note(event);
        let obeyed_ns = obeyed.map(|obeyed| obeyed.at_ns);
        let row = self.recorder.command(
            open.device,
            id,
            (open.intended_ns, open.given_ns),
            (obeyed_ns, acknowledged_ns),
        );
        self.rows.push(row);
    }

    /// What an acknowledged command promises is from then on what the bench expects.
    fn follow(&mut self, open: &OpenCommand, obeyed: Option<&Obeyed>) {
        let seconds = open.parameters.get("seconds").and_then(|text| text.parse::<f64>().ok());
        let obeyed = obeyed.map(|obeyed| obeyed.at);
        if let ("setReportingPeriod", Some(seconds), Some(at)) =
            (open.name.as_str(), seconds.filter(|seconds| *seconds > 0.0), obeyed)
        {
            let period = SimDuration::from_seconds_f64(seconds);
            self.parts.accounts[open.device].change_period(at, period);
        }
    }
}
