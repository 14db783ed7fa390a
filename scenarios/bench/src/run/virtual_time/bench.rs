//! The bench of one run in virtual time: what it is made of, and how it moves.
//!
//! Terms: a *sync point* is an instant at which everything comes to rest before the bench goes on:
//! each injection, the end, and at least every `sync_every`. Between two sync points the devices
//! run ahead concurrently over real sockets; at a sync point the platform's clock is advanced,
//! what it sent is delivered round by round, and everything it has stored is read back.

use std::sync::atomic::Ordering;
use std::time::Duration;

use lastmeter_devices::{GatewayInput, PageAnswer, PageRequest};
use lastmeter_language::{DeviceRow, Order, Through};
use lastmeter_link::impair::{Breakage, Impairment};
use lastmeter_record::{BusFacts, Event, RealTimeFacts, RunWriter};
use lastmeter_sim::home::Breaker;
use lastmeter_units::{SimDuration, SimTime};
use lastmeter_wire::rest::Answer;
use serde_json::{Map, Value, json};

use super::ahead::RunAhead;
use super::calibrator::Calibrator;
use super::platform::Kill;
use super::setup::Parts;
use crate::host::monotonic;
use crate::run::commands::{CommandOrder, Commands, Ending};
use crate::run::console::Console;
use crate::run::error::BenchError;
use crate::run::field::Field;
use crate::run::firmware;
use crate::run::gateway_rest;
use crate::run::injecting::{TimedAction, acts};
use crate::run::ledger::{Account, Row};
use crate::run::moving::{Bench, Run};
use crate::run::network;
use crate::run::recording::Recording;
use crate::run::requests::Requests;
use crate::run::shell::Shell;

/// How soon it does again once a node was sent something: its answer takes the way over the air.
const ANSWER_AFTER: SimDuration = SimDuration::from_seconds(1);
/// How often it does so while there is no answer.
const ANSWERS_MAX: u32 = 10;

/// Rounds of a sync point after which something is wrong.
const ROUNDS_MAX: u32 = 100;
/// How often a platform that keeps devices waiting is asked whether it works.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How often it may answer that it does not before the run ends.
const TROUBLED_MAX: u32 = 5;

pub(crate) struct VirtualBench<'a> {
    pub(super) parts: Parts<'a>,
    /// The shell that each device is in.
    pub(super) shell_of: Vec<usize>,
    pub(super) recording: Recording,
    /// With the platform's names for those it has taken.
    pub(super) commands: Commands<String>,
    requests: Requests,
    pub(super) now: SimTime,
    /// For how many more sync points nodes behind transparent gateways may answer what they were
    /// sent.
    answers_due: u32,
    /// Wall time spent on reading back and writing the record.
    read_back: Duration,
}

impl<'a> Bench for VirtualBench<'a> {
    type Parts = Parts<'a>;

    fn stand(parts: Parts<'a>, recording: Recording) -> Self {
        let shell_of = |row: &DeviceRow| {
            let carries = |shell: &Shell| shell.parts.client.device(&row.name).is_some();
            parts.shells.iter().position(carries).expect("each device has a shell")
        };
        Self {
            shell_of: parts.scenario.devices.iter().map(shell_of).collect(),
            now: parts.scenario.schedule.start,
            answers_due: 0,
            parts,
            recording,
            commands: Commands::new(),
            requests: Requests::default(),
            read_back: Duration::ZERO,
        }
    }

    /// Moves from sync point to sync point.
    async fn run(&mut self, run: &Run<'_>, console: &Console<'_>) -> Result<(), BenchError> {
        self.connect().await?;
        let schedule = &self.parts.scenario.schedule;
        let (start, end) = (schedule.start, schedule.start + schedule.duration);
        let mut acts = acts(self.parts.scenario);
        loop {
            let since_start = self.now - start;
            while let Some((at, act)) = acts.pop_front_if(|(at, _)| *at <= since_start) {
                if let TimedAction::Begin(index) = act {
                    console.injected(at, &self.parts.scenario.injections[index]);
                }
                self.act(act).await?;
            }
            let next_calibration = self.parts.calibrator.as_ref().and_then(Calibrator::next);
            if next_calibration.is_some_and(|at| at <= self.now) {
                self.calibrate().await?;
            }
            // What was to be done at the end, nobody could answer any more.
            let is_their_turn = self.parts.applications.next().is_some_and(|at| at <= self.now);
            if is_their_turn && self.now < end {
                self.let_applications_act().await?;
            }
            if self.now >= end && self.parts.platform.kills_ordered == 0 {
                return self.release_held().await;
            }
            let planned = acts.front().map_or(end, |(at, _)| start + *at);
            let next_calibration = self.parts.calibrator.as_ref().and_then(Calibrator::next);
            let planned = next_calibration.map_or(planned, |at| planned.min(at));
            let next_application = self.parts.applications.next().into_iter();
            let planned = next_application.chain(self.alerts_come()).fold(planned, SimTime::min);
            let planned = self.settles_at().map_or(planned, |at| planned.min(at));
            let awaits = self.parts.shells.iter().any(Shell::awaits_answer);
            let is_soon = awaits || self.answers_due > 0;
            let sync_every = if is_soon { ANSWER_AFTER } else { schedule.sync_every };
            // Frames that are lost are sent again, so the first may not be the one.
            let is_open = !self.commands.open().is_empty();
            self.answers_due = self.answers_due.saturating_sub(1) * u32::from(is_open);
            self.run_to(planned.min(self.now + sync_every).min(end)).await?;
            if console.shows_progress() {
                let verdicts = self.recording.verdicts_so_far(Duration::ZERO, self.now >= end);
                let wall = run.started.elapsed();
                let progress = self.parts.ledger.progress(self.now - start, wall, verdicts);
                console.progress(schedule.duration, &progress);
            }
        }
    }

    fn now(&self) -> SimTime {
        self.now
    }

    fn recording(&mut self) -> &mut Recording {
        &mut self.recording
    }

    fn close_record(&mut self, is_finished: bool) -> Result<(), BenchError> {
        self.note_obeying_plant(true);
        if let Some(plant) = &self.parts.plant {
            self.recording.write_grid(&plant.record()?)?;
        }
        let fields = self.parts.shells.iter().filter_map(|shell| shell.parts.client.field());
        for simulator in fields.flat_map(Field::simulators) {
            if let Some(played) = simulator.endpoint.grid().played() {
                self.recording.write_grid(&network::record(&played))?;
            }
        }
        let (now, notices) = (self.now, &mut self.parts.ledger.notices);
        let open = self.commands.open().into_iter().filter(|_| is_finished);
        let open = open.filter_map(|id| Some((id, self.commands.get(id)?)));
        self.recording.events.extend(open.filter_map(|open| notices.unanswered(now, open)));
        self.recording.events.extend(notices.finish(now));
        self.recording.write(&self.parts.ledger, &[])?;
        self.recording.release(&self.parts.ledger)
    }

    fn measured(&self, wall: Duration) -> Map<String, Value> {
        let more = json!({
            "read_back_wall_s": self.read_back.as_secs_f64(),
            "messages_per_second": self.parts.ledger.published as f64 / wall.as_secs_f64().max(1e-9),
            "values_unknown": self.parts.ledger.settled.unknown_values,
            "observations": self.recording.observations,
            "platform_kills": self.parts.platform.kills,
            "connections": self.parts.shells.iter().map(|shell| shell.connections).sum::<u64>(),
        });
        let mut measured = self.parts.ledger.measured(wall, more);
        let fields = self.parts.shells.iter().filter_map(|shell| shell.parts.client.field());
        let buses: Vec<BusFacts> = fields.flat_map(Field::buses).collect();
        BusFacts::keep(&buses, &mut measured);
        measured
    }

    async fn facts(&mut self) -> Option<RealTimeFacts> {
        None
    }

    async fn page(&mut self, after: SimDuration, request: PageRequest) -> Option<PageAnswer> {
        let now = self.now + after;
        self.parts.shells.iter_mut().find_map(|shell| shell.page_aside(now, request.clone()))
    }

    async fn close(self) -> (RunWriter, Result<(), BenchError>) {
        for shell in self.parts.shells {
            shell.close().await;
        }
        let stopped = self.parts.platform.under_test.stop().await;
        (self.recording.into_writer(), stopped)
    }
}

impl VirtualBench<'_> {
    /// Waits for every device's connection, and takes the platform's clock to the start.
    async fn connect(&mut self) -> Result<(), BenchError> {
        self.parts.platform.rest.require_empty().await?;
        self.parts.platform.rest.advance(self.now).await?;
        let sources = self.parts.scenario.plant.sources.iter();
        sources.filter_map(|source| source.breaker.as_ref()).for_each(Breaker::reset);
        for shell in &mut self.parts.shells {
            shell.connected_after(0).await?;
            shell.begin().await?;
        }
        self.parts.applications.begin(self.now).await?;
        // A switching unit that is open from the start on is so before anybody looks.
        self.switch_breakers();
        Ok(())
    }

    /// Moves everything to the next sync point, and brings it to rest there.
    async fn run_to(&mut self, until: SimTime) -> Result<(), BenchError> {
        let scenario = self.parts.scenario;
        if let Some(plant) = &mut self.parts.plant {
            plant.play_to(until)?;
        }
        let breakers = scenario.plant.sources.iter().filter_map(|source| source.breaker.as_ref());
        breakers.for_each(|breaker| breaker.follow(until - scenario.schedule.start));
        if self.parts.platform.kills_ordered > 0 {
            self.run_devices_through_a_kill(until).await?;
        } else {
            self.run_devices(until).await?;
        }
        self.now = until;
        self.come_to_rest().await?;
        if let Some(networks) = &mut self.parts.networks
            && networks.register_nodes().await?
        {
            self.come_to_rest().await?;
        }
        let began = monotonic();
        let read = self.read_back().await;
        self.read_back += began.elapsed();
        read
    }

    /// When a gateway wants everything to be settled next, after the present instant.
    fn settles_at(&self) -> Option<SimTime> {
        let fields = self.parts.shells.iter().filter_map(|shell| shell.parts.client.field());
        let flows = self.parts.flows.next(self.now, &self.parts.ledger.accounts);
        let next = fields.filter_map(Field::settles_at).chain(flows).min()?;
        Some(next.max(self.now + SimDuration(1)))
    }

    /// Carries out what gateways have asked of REST, one after another; whether there was any.
    async fn answer_gateways(&mut self) -> Result<bool, BenchError> {
        let (scenario, under_test) = (self.parts.scenario, &self.parts.platform.under_test);
        let mut has_asked = false;
        for shell in &mut self.parts.shells {
            let row = scenario.gateways.iter().find(|row| row.name == shell.name());
            let name = row.and_then(|row| row.reads_as.as_deref());
            let token = name.and_then(|name| self.requests.token(name, under_test));
            for request in shell.take_asked() {
                has_asked = true;
                let answer = if shell.is_cut() {
                    Answer { number: request.number, status: 0, body: Vec::new() }
                } else {
                    gateway_rest::ask(&under_test.profile, token, &request).await
                };
                shell.hand(GatewayInput::Answer(answer)).await?;
            }
        }
        Ok(has_asked)
    }

    /// Sends the request of this index, to the platform or to a gateway's page.
    async fn request(&mut self, index: usize) -> Result<(), BenchError> {
        let (scenario, platform) = (self.parts.scenario, &self.parts.platform.under_test);
        let event = match self.requests.page(scenario, index, platform) {
            None => self.requests.send(scenario, index, (platform, self.now)).await?,
            Some((gateway, request)) => {
                let mut shells = self.parts.shells.iter_mut();
                let answer = match shells.find(|shell| shell.name() == gateway) {
                    Some(shell) => shell.page(index as u64, request).await?,
                    None => None,
                };
                self.requests.paged(scenario, (index, self.now), answer)
            }
        };
        self.recording.note(event);
        Ok(())
    }

    /// Runs the devices ahead, each in a task of its own.
    async fn run_devices(&mut self, until: SimTime) -> Result<(), BenchError> {
        let mut ahead = RunAhead::start(std::mem::take(&mut self.parts.shells), until);
        let mut troubled = 0;
        loop {
            match tokio::time::timeout(LOOK_AGAIN, ahead.next()).await {
                Ok(true) => {}
                Ok(false) => break,
                // Devices send again what is not acknowledged, and cannot know that it is in vain.
                Err(_) => match self.parts.platform.rest.trouble().await {
                    None => troubled = 0,
                    Some(why) if troubled >= TROUBLED_MAX => {
                        return Err(BenchError::PlatformTroubled(why));
                    }
                    Some(_) => troubled += 1,
                },
            }
        }
        self.parts.shells = ahead.finish()?;
        Ok(())
    }

    /// Runs the devices ahead, and kills the platform once half of their messages have arrived.
    ///
    /// The other half is then on its way, journaled or not, and has to survive. At which message
    /// the kill falls differs from run to run; what the record states afterwards must not.
    async fn run_devices_through_a_kill(&mut self, until: SimTime) -> Result<(), BenchError> {
        let at_kill = self.now;
        let due = |account: &Account| account.schedule.clone().take_until(until).len();
        let expected: usize = self.parts.ledger.accounts.iter().map(due).sum();
        let before = self.parts.acknowledged.load(Ordering::Relaxed);
        let enough = before + (expected as u64).div_ceil(2);
        let connections: Vec<u64> =
            self.parts.shells.iter().map(|shell| shell.connections).collect();
        let mut ahead = RunAhead::start(std::mem::take(&mut self.parts.shells), until);
        let mut tick = tokio::time::interval(Duration::from_millis(1));
        while self.parts.acknowledged.load(Ordering::Relaxed) < enough {
            tokio::select! {
                more = ahead.next() => if !more { break },
                _ = tick.tick() => {}
            }
        }
        for _ in 0..std::mem::take(&mut self.parts.platform.kills_ordered) {
            let acknowledged = self.parts.acknowledged.load(Ordering::Relaxed) - before;
            self.parts.platform.under_test.kill().await?;
            self.parts.platform.under_test.restart().await?;
            self.parts.applications.reconnected().await?;
            self.parts.platform.kills.push(Kill { expected: expected as u64, acknowledged });
            self.recording.note(Event::kill(at_kill, "platform"));
            self.recording.note(Event::restarted(at_kill, "platform"));
        }
        while ahead.next().await {}
        self.parts.shells = ahead.finish()?;
        // A device that had nothing to send may not have noticed yet.
        for (shell, connections) in self.parts.shells.iter_mut().zip(connections) {
            shell.connected_after(connections).await?;
            shell.drained().await?;
        }
        Ok(())
    }

    /// Advances the platform's clock and delivers what it sent, until nothing moves.
    pub(super) async fn come_to_rest(&mut self) -> Result<(), BenchError> {
        for _ in 0..ROUNDS_MAX {
            // What was sent at this instant is journalled before the platform's clock goes on: else
            // it would be chance whether it is committed now or at the next sync point.
            for shell in &mut self.parts.shells {
                shell.drained().await?;
            }
            let parties = self.parts.platform.advance(self.now).await?;
            self.parts.applications.went_to(&parties);
            self.parts.flows.went_to(&parties);
            let mut moved = false;
            for shell in &mut self.parts.shells {
                let sent = shell.parts.client.names().into_iter();
                let sent = sent.map(|name| self.parts.platform.sent_to(name)).sum();
                shell.arrived(sent).await?;
                let is_delivered = shell.deliver().await?;
                moved |= is_delivered;
                if is_delivered && shell.carries_unread() {
                    self.answers_due = ANSWERS_MAX;
                }
                shell.drained().await?;
            }
            moved |= self.answer_gateways().await?;
            moved |= self.parts.flows.deliver(&mut self.parts.shells).await?;
            moved |= self.parts.applications.deliver(self.now).await?;
            self.note_asked();
            self.switch_breakers();
            if !moved {
                return Ok(());
            }
        }
        Err(BenchError::NoRest { at: self.now.to_string(), rounds: ROUNDS_MAX })
    }

    /// Lets the plant follow the breakers that acted. All devices have looked at it up to the
    /// present instant and no further, so it is from there on that nothing flows.
    fn switch_breakers(&mut self) {
        let (scenario, at) = (self.parts.scenario, self.now - self.parts.scenario.schedule.start);
        for (device, is_closed) in self.parts.shells.iter_mut().flat_map(|it| it.switched.drain(..))
        {
            let plant = self.parts.plant.as_mut();
            if plant.is_some_and(|plant| plant.order(self.now, device, is_closed)) {
                continue;
            }
            let source = &scenario.plant.sources[scenario.devices[device].source];
            if let Some(breaker) = &source.breaker {
                breaker.switch(at, is_closed);
            }
        }
    }

    /// Reads back what the platform has made of it, and writes the record up to the present.
    async fn read_back(&mut self) -> Result<(), BenchError> {
        self.recording.note_plant(self.now);
        self.note_obeying_plant(false);
        self.take_from_devices()?;
        let readings = self.parts.platform.rest.readings().await?;
        self.recording.note_wrong_answers(self.now, &mut self.parts.platform.rest);
        self.recording.events.extend(self.parts.ledger.stored(readings, self.now));
        for refused in self.parts.platform.rest.refusals().await? {
            let at = refused.event_time.unwrap_or(self.now).min(self.now);
            self.recording.note(self.parts.ledger.refused(&refused, at));
        }
        self.read_alerts().await?;
        let mut rows = Vec::new();
        self.recording.recorded = self.now;
        // Rows are in the order of time, so that all devices wait for a frame that is on the air.
        let on_air = self.parts.shells.iter().filter_map(Shell::oldest_on_air).min();
        for (index, &shell) in self.shell_of.iter().enumerate() {
            // What a link still holds is neither stored nor missing.
            let held = self.parts.shells[shell].oldest_held().into_iter().chain(on_air).min();
            let until = held.map_or(self.now, |held| self.now.min(held - SimDuration(1)));
            let never_made = self.parts.ledger.settle(index, until, &mut rows);
            self.recording.recorded = self.recording.recorded.min(until);
            if let Some(modelled) = &mut self.parts.modelled
                && modelled.has(index)
            {
                for (number, due) in never_made {
                    modelled.never_made(index, number, due);
                }
            }
        }
        self.parts.ledger.published = self.parts.shells.iter().map(|shell| shell.published).sum();
        self.write(&rows)?;
        // What was due until now was due by the old schedule; only then does a new one hold.
        self.settle_commands().await?;
        self.note_calibrated();
        Ok(())
    }

    /// Notes what has happened in a network that obeys by now; at the end also what goes on.
    fn note_obeying_plant(&mut self, is_last: bool) {
        if let Some(plant) = &mut self.parts.plant {
            let accounts = &mut self.parts.ledger.accounts;
            self.recording.events.extend(plant.news((self.now, is_last), accounts));
        }
    }

    async fn read_alerts(&mut self) -> Result<(), BenchError> {
        let alerts = self.parts.platform.rest.alerts().await?;
        self.parts.ledger.notices.stored(&alerts);
        if self.parts.ledger.notices.has_blocks() {
            let blocks = self.parts.platform.rest.blocks().await?;
            self.parts.ledger.notices.stored(&blocks);
        }
        self.recording.note_alerts(alerts, self.now, |_| true);
        self.read_results().await?;
        self.recording.note_wrong_answers(self.now, &mut self.parts.platform.rest);
        Ok(())
    }

    fn take_notices(&mut self) {
        for shell in &mut self.parts.shells {
            shell.notices.drain(..).for_each(|news| self.parts.ledger.notices.take(news));
        }
    }

    fn take_from_devices(&mut self) -> Result<(), BenchError> {
        self.take_notices();
        let mut left = Vec::new();
        for shell in &mut self.parts.shells {
            for (device, made) in shell.made.drain(..) {
                if let Some(modelled) = &mut self.parts.modelled
                    && modelled.has(device)
                {
                    modelled.made((device, made.epoch, made.serial), made.at);
                }
                self.parts.ledger.made(device, made)?;
            }
            for (device, identifier, exchange) in shell.exchanged.drain(..) {
                if let Some(modelled) = &mut self.parts.modelled {
                    modelled.exchanged(device, identifier, &exchange);
                }
            }
            for (network, at, captured) in shell.captured.drain(..) {
                self.recording.captured(network, at, captured)?;
            }
            for (device, carried) in shell.carried.drain(..) {
                self.parts.ledger.carried(device, carried);
            }
            for (device, sent) in shell.sent.drain(..) {
                self.parts.ledger.sent(device, sent);
            }
            let has_uplink = shell.parts.uplink.is_some();
            let gone = shell.left.iter_mut().flat_map(|left| left.drain(..));
            left.extend(gone.map(|gone| (gone, has_uplink)));
            self.recording.events.append(&mut shell.notes);
        }
        if let Some(modelled) = &mut self.parts.modelled {
            modelled.left(left);
        }
        Ok(())
    }

    fn write(&mut self, rows: &[Row]) -> Result<(), BenchError> {
        if let Some(calibrator) = &mut self.parts.calibrator {
            for row in rows {
                let device = &self.parts.ledger.accounts[row.device].terms.device;
                if let Some(reported) = row.reported {
                    calibrator.reported(device, (row.event_time, row.quantity), reported);
                }
            }
        }
        if let Some(modelled) = &mut self.parts.modelled {
            self.recording.latency.append(&mut modelled.rows);
        }
        self.recording.write(&self.parts.ledger, rows)
    }

    /// Does something to the bench at the present instant, and lets it come to rest again.
    async fn act(&mut self, act: TimedAction) -> Result<(), BenchError> {
        self.recording.events.extend(act.noted(self.parts.scenario, self.now));
        for order in act.orders(self.parts.scenario) {
            self.carry_out(order).await?;
        }
        if let TimedAction::Request(index) = act {
            self.request(index).await?;
        }
        if !matches!(act, TimedAction::End(_)) {
            self.come_to_rest().await?;
            self.settle_commands().await?;
        }
        Ok(())
    }

    async fn carry_out(&mut self, order: Order) -> Result<(), BenchError> {
        match order {
            Order::Fault { device, fault } => {
                self.parts.shells[self.shell_of[device]].fault(device, fault).await?;
            }
            Order::Command { device, command, parameters, must_be_refused } => {
                let (command, parameters) = (&command, &parameters);
                self.command(CommandOrder { device, command, parameters, must_be_refused }).await?;
            }
            Order::Firmware { device, image, bytes, is_damaged } => {
                let name = self.parts.scenario.devices[device].name.as_str();
                let streams = self.parts.scenario.streams();
                let file = firmware::file_of(streams, name, (image, bytes, is_damaged));
                let (client, node) = self.parts.platform.rest.of(name).node(name);
                firmware::give(client, (name, &node), (image, &file)).await?;
            }
            Order::KillPlatform => self.parts.platform.kills_ordered += 1,
            Order::RestartGateway(gateway) => {
                let index = self.parts.scenario.devices.len() + gateway;
                let shell = self.parts.shells.iter_mut().find(|shell| shell.parts.index == index);
                shell.into_iter().for_each(Shell::restart);
            }
            Order::Application { application, runs } => {
                self.parts.applications.run(application, runs, self.now).await?;
                self.applications_acted().await?;
            }
            Order::Impair { through, change } => {
                let is_of = |shell: &&Shell| shell.parts.via == Some(through.link);
                let dials = |shell: &&Shell| shell.carries_unread() && is_of(shell);
                if let Some(shell) = self.parts.shells.iter().find(dials) {
                    let why = "the link of a gateway that dials its platform can be broken, and \
                               not be impaired";
                    return Err(BenchError::device(shell.name(), why));
                }
                self.change_link(&through, change.as_deref());
            }
            Order::Disconnect { through, how, begins } => {
                self.cut_gateways(&through, how, begins);
            }
            // They know of it from the beginning.
            Order::Simulator(_) | Order::Can { .. } => {}
        }
        Ok(())
    }

    /// Lets a link get worse, or be itself again.
    fn change_link(&mut self, through: &Through, change: Option<&Impairment>) {
        let devices = through.devices.as_deref();
        for shell in &mut self.parts.shells {
            if !through.is_of(shell.parts.index) || shell.parts.via != Some(through.link) {
                continue;
            }
            match (&mut shell.parts.uplink, change) {
                (Some(uplink), Some(change)) => uplink.impair(self.now, change),
                (Some(uplink), None) => uplink.restore(self.now),
                (None, _) => {}
            }
        }
        for observer in self.parts.modelled.iter_mut().flat_map(|modelled| &mut modelled.observers)
        {
            if observer.via == Some(through.link) {
                match change {
                    Some(change) => observer.impair(self.now, change, devices),
                    None => observer.restore(self.now, devices),
                }
            }
        }
    }

    /// Gateways hear at once that their link is broken, and keep what they have to send; how links
    /// treat the messages of devices is known from the beginning.
    fn cut_gateways(&mut self, through: &Through, how: Breakage, begins: bool) {
        for shell in &mut self.parts.shells {
            // A connection that stalls stays; a gateway that dials holds back what would.
            if how == Breakage::Stall && !shell.carries_unread() {
                continue;
            }
            let goes_through =
                shell.parts.via == Some(through.link) && through.is_of(shell.parts.index);
            if goes_through && shell.parts.client.field().is_some() {
                if begins { shell.cut() } else { shell.mend() }
            }
        }
    }

    /// After the end: what links still hold arrives late, but arrives.
    async fn release_held(&mut self) -> Result<(), BenchError> {
        if self.parts.shells.iter().any(|shell| shell.oldest_held().is_some()) {
            for shell in &mut self.parts.shells {
                shell.release_all().await?;
                shell.drained().await?;
            }
            self.come_to_rest().await?;
            self.read_back().await?;
        }
        // What was done at the very end may have led to alerts.
        self.take_notices();
        self.parts.ledger.notices.close();
        self.read_alerts().await?;
        for shell in &mut self.parts.shells {
            shell.finish_exchanges();
        }
        self.take_from_devices()?;
        if let Some(modelled) = &mut self.parts.modelled {
            modelled.finish();
        }
        self.write(&[])
    }

    /// Gives a command; its number.
    pub(super) async fn command(&mut self, order: CommandOrder<'_>) -> Result<u64, BenchError> {
        let name = self.parts.scenario.devices[order.device].name.as_str();
        let at_device = (name, self.parts.shells[self.shell_of[order.device]].received);
        let (id, event) = self.commands.give(self.now, order, at_device, String::new());
        self.recording.note(event);
        let rest = self.parts.platform.rest.of(name);
        match rest.invoke(name, order.command, order.parameters).await {
            Ok(invocation) => {
                self.parts.ledger.notices.asked(name, Some(&invocation.id));
                if let Some(open) = self.commands.get_mut(id) {
                    open.way = invocation.id;
                }
            }
            // The platform does not know the device yet, or will not have the command.
            Err(BenchError::Refused(response)) => {
                let ended = self.commands.end(id, self.now, (Ending::Failed, response), 0);
                self.recording.events.extend(ended.map(|ended| ended.event));
            }
            Err(error) => return Err(error),
        }
        Ok(id)
    }

    /// Asks the platform what has become of the commands that are still open.
    pub(super) async fn settle_commands(&mut self) -> Result<(), BenchError> {
        self.take_notices();
        for id in self.commands.open() {
            let Some(open) = self.commands.get_mut(id) else { continue };
            let delivered = self.parts.shells[self.shell_of[open.device]].received;
            let rest = self.parts.platform.rest.of(&open.way);
            let invocation = rest.invocation(&open.way).await?;
            let Some(ending) = invocation.ending() else { continue };
            if let (Ending::Acknowledged, Some(open)) = (ending, self.commands.get(id)) {
                let notices = &mut self.parts.ledger.notices;
                self.recording.events.extend(notices.answered(self.now, (id, open), &invocation));
            }
            let answer = (ending, invocation.response.unwrap_or_default());
            let ended = self.commands.end(id, self.now, answer, delivered);
            if let Some(ended) = ended {
                if ended.is_acknowledged {
                    self.parts.ledger.follow(&ended.command, self.now);
                }
                self.recording.note(ended.event);
            }
        }
        Ok(())
    }
}
