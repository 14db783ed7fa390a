//! What a scenario does to a real-time bench at its instants: injections, commands, kills.

use std::time::Duration;

use lastmeter_devices::{PageAnswer, PageRequest};
use lastmeter_language::{Order, Through};
use lastmeter_link::clock::monotonic_ns;
use lastmeter_record::Event;
use lastmeter_units::SimDuration;
use lastmeter_wire::rest::Request;
use tokio::sync::mpsc::unbounded_channel;

use super::bench::{CommandTimes, RealBench};
use super::report::Report;
use super::sender::Control;
use crate::run::applications::AskedCommand;
use crate::run::commands::{CommandOrder, Ending};
use crate::run::console::Console;
use crate::run::error::{BenchError, chain};
use crate::run::gateway_rest;
use crate::run::injecting::TimedAction;
use crate::run::rest::Invocation;
use crate::run::tenants::RestOfAll;

/// How long a gateway may take to answer for a page.
const PAGE_LIMIT: Duration = Duration::from_secs(10);

impl RealBench<'_> {
    /// Does something to the bench that was due at an instant.
    pub(super) async fn act(
        &mut self,
        act: TimedAction,
        at_ns: i64,
        console: &Console<'_>,
    ) -> Result<(), BenchError> {
        let scenario = self.scenario;
        if let TimedAction::Begin(index) = act {
            let injection = &scenario.injections[index];
            console.injected(injection.at, injection);
        }
        if let TimedAction::Request(index) = act {
            let platform = &self.access.under_test;
            let event = match self.requests.page(scenario, index, platform) {
                None => self.requests.send(scenario, index, (platform, self.clocks.now())).await?,
                Some((gateway, request)) => {
                    let answer = self.page_of(&gateway, request).await;
                    self.requests.paged(scenario, (index, self.clocks.now()), answer)
                }
            };
            self.recording.note(event);
        }
        self.recording.events.extend(act.noted(scenario, self.clocks.now()));
        for order in act.orders(scenario) {
            self.carry_out(order, at_ns).await?;
        }
        Ok(())
    }

    /// The device of a gateway by which its sender is reached.
    fn behind(&self, gateway: usize) -> Option<usize> {
        let networks = &self.scenario.gateways[gateway].networks;
        let is_behind = |network: usize| networks.contains(&network);
        self.scenario.devices.iter().position(|row| row.on.is_some_and(is_behind))
    }

    /// Asks a gateway for a page.
    pub(super) async fn page_of(&self, gateway: &str, request: PageRequest) -> Option<PageAnswer> {
        let gateway = self.scenario.gateways.iter().position(|row| row.name == gateway)?;
        let (reply, mut answer) = unbounded_channel();
        self.senders.order_one(self.behind(gateway)?, Control::Page { request, reply });
        tokio::time::timeout(PAGE_LIMIT, answer.recv()).await.ok()?
    }

    /// Has what a gateway asks of REST carried out beside everything else.
    pub(super) fn asked(&self, of: &str, device: usize, request: Request) {
        let row = self.scenario.gateways.iter().find(|row| row.name == of);
        let name = row.and_then(|row| row.reads_as.as_deref());
        let under_test = &self.access.under_test;
        let token = name.and_then(|name| self.requests.token(name, under_test));
        let (profile, token) = (under_test.profile.clone(), token.map(str::to_owned));
        let sender = self.senders.states[device].control.clone();
        self.access.handle.spawn(async move {
            let answer = gateway_rest::ask(&profile, token.as_deref(), &request).await;
            // A sender that is gone has reported why.
            let _ = sender.send(Control::Answer(answer));
        });
    }

    async fn carry_out(&mut self, order: Order, at_ns: i64) -> Result<(), BenchError> {
        let scenario = self.scenario;
        // The lanes of a link that belong to these devices: their own, and their observers'.
        let owners = |through: &Through| {
            let devices = through.devices.as_deref();
            devices.map(|devices| scenario.lanes(through.link, Some(devices)))
        };
        let links = &self.access.links;
        match order {
            // Their own tasks know of it ahead, and do it at their event time. Nodes are played in
            // virtual time alone.
            Order::Fault { .. }
            | Order::Simulator(_)
            | Order::Can { .. }
            | Order::Firmware { .. } => {}
            Order::Command { device, command, parameters, must_be_refused } => {
                let (command, parameters) = (&command, &parameters);
                let order = CommandOrder { device, command, parameters, must_be_refused };
                self.command(order, at_ns)?;
            }
            Order::KillPlatform => self.kill().await?,
            Order::RestartGateway(gateway) => {
                if let Some(device) = self.behind(gateway) {
                    self.senders.order_one(device, Control::Restart);
                }
            }
            Order::Application { application, runs } => {
                self.applications.run(application, runs, &mut self.workers)?;
            }
            Order::Impair { through, change } => {
                links.impair(through.link, change.as_deref(), owners(&through).as_deref());
            }
            Order::Disconnect { through, how, begins } => {
                let how = begins.then_some(how);
                links.disconnect(through.link, how, owners(&through).as_deref());
            }
        }
        Ok(())
    }

    async fn kill(&mut self) -> Result<(), BenchError> {
        self.recording.note(Event::kill(self.clocks.now(), "platform"));
        self.access.under_test.kill().await?;
        self.access.under_test.restart().await?;
        self.recording.note(Event::restarted(self.clocks.now(), "platform"));
        Ok(())
    }

    fn command(&mut self, order: CommandOrder<'_>, intended_ns: i64) -> Result<(), BenchError> {
        let name = self.scenario.devices[order.device].name.clone();
        let at_device = (name.as_str(), self.senders.states[order.device].delivered);
        let given = CommandTimes { intended_ns, given_ns: monotonic_ns() };
        let (id, event) = self.commands.give(self.clocks.now(), order, at_device, given);
        self.recording.note(event);
        let mut rest = RestOfAll::new(&self.access.under_test)?;
        let (alarm, reporter) = (self.workers.alarm.clone(), self.workers.reporter.clone());
        let (command, parameters) = (order.command.to_owned(), order.parameters.clone());
        self.workers.spawn(async move {
            let state = rest.of(&name).carry_through(&name, &command, &parameters, &alarm).await;
            let state = state.map_err(|error| chain(&error));
            let _ = reporter.send(Report::Command { id, state, at_ns: monotonic_ns() });
            std::future::pending().await
        });
        Ok(())
    }

    /// Takes note of a command that an application has asked for: it is held against what becomes
    /// of it, as those of the bench are.
    pub(super) fn commanded(&mut self, asked: AskedCommand, at_ns: i64) -> Result<(), BenchError> {
        let AskedCommand { device: name, command, parameters, invocation } = asked;
        let devices = &self.scenario.devices;
        let Some(device) = devices.iter().position(|row| row.name == name) else { return Ok(()) };
        let (command, parameters) = (&command, &parameters);
        let order = CommandOrder { device, command, parameters, must_be_refused: false };
        // It may have reached its device before its application was answered.
        let before = self.senders.states[device].delivered.min(self.commands.given_to(device));
        let at_device = (name.as_str(), before);
        let given = CommandTimes { intended_ns: at_ns, given_ns: at_ns };
        let (id, event) =
            self.commands.give(self.clocks.event_time(at_ns), order, at_device, given);
        self.recording.note(event);
        self.ledger.notices.asked(&name, Some(&invocation));
        let mut rest = RestOfAll::new(&self.access.under_test)?;
        let (alarm, reporter) = (self.workers.alarm.clone(), self.workers.reporter.clone());
        self.workers.spawn(async move {
            let rest = rest.of(&invocation);
            let state = match rest.invocation(&invocation).await {
                Ok(found) => rest.follow(found, &alarm).await,
                Err(error) => Err(error),
            };
            let state = state.map_err(|error| chain(&error));
            let _ = reporter.send(Report::Command { id, state, at_ns: monotonic_ns() });
            std::future::pending().await
        });
        Ok(())
    }

    pub(super) fn command_ended(
        &mut self,
        id: u64,
        state: &Result<(Ending, Invocation), String>,
        at_ns: i64,
    ) {
        let Some(open) = self.commands.get(id) else { return };
        let device = open.device;
        let at = self.clocks.timeline.event_time(at_ns, SimDuration::ZERO);
        let invocation = state.as_ref().map_or("", |(_, state)| state.asked_for.as_str());
        let obeyed = self.senders.take_obeyed(device, invocation);
        let known = Some(invocation).filter(|invocation| !invocation.is_empty());
        self.ledger.notices.asked(&open.device_name, known);
        if let Ok((Ending::Acknowledged, found)) = state {
            let wrong = self.ledger.notices.answered(at, (id, open), found);
            self.recording.events.extend(wrong);
        }
        let answer = match state {
            Ok((ending, state)) => (*ending, state.response.clone().unwrap_or_default()),
            Err(error) => (Ending::Failed, error.clone()),
        };
        let delivered = self.senders.states[device].delivered;
        let Some(ended) = self.commands.end(id, at, answer, delivered) else { return };
        if let (true, Some(obeyed)) = (ended.is_acknowledged, &obeyed) {
            self.ledger.follow(&ended.command, obeyed.at);
        }
        self.recording.note(ended.event);
        let CommandTimes { intended_ns, given_ns } = ended.command.way;
        let acknowledged_ns = ended.is_acknowledged.then_some(at_ns);
        let row = self.recorder.command(
            device,
            id,
            (intended_ns, given_ns),
            (obeyed.map(|obeyed| obeyed.at_ns), acknowledged_ns),
        );
        self.recording.latency.push(row);
    }
}
