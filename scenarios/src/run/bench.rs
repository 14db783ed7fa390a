//! The bench of one run in virtual time: what it is made of, and how it moves.
//!
//! Terms: a *sync point* is an instant at which everything comes to rest before the bench goes on:
//! each injection, the end, and at least every 60 s. Between two sync points the devices
//! run ahead concurrently over real sockets; at a sync point the platform's clock is advanced,
//! what it sent is delivered round by round, and everything it has stored is read back.

mod ahead;
mod calibrate;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lastmeter_devices::ERROR_PREFIX;
use lastmeter_link::impair::Impairment;
use lastmeter_record::RunWriter;
use lastmeter_record::{Counts, Event, EventKind, field};
use lastmeter_units::{SimDuration, SimTime};
use serde_json::json;

use super::error::{BenchError, chain};
use super::host::monotonic;
use super::ledger::{Account, Row, Settled, take_readings};
use super::live::Live;
use super::modelled::ModelledRecord;
use super::rest::Rest;
use super::shell::Shell;
use super::under_test::UnderTest;
use super::until;
use crate::language::{Action, Injection};

use ahead::Ahead;
pub(crate) use calibrate::Calibrator;

/// The bench comes to rest at least this often.
pub(crate) const SYNC_EVERY: SimDuration = SimDuration::from_seconds(60);

/// Rounds of a sync point after which something is wrong.
const ROUNDS_MAX: u32 = 100;
/// How often a platform that keeps devices waiting is asked whether it works.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How often it may answer that it does not before the run ends.
const TROUBLED_MAX: u32 = 5;

/// A command that was invoked and whose answer is awaited.
struct OpenCommand {
    id: u64,
    invocation: String,
    device: usize,
    name: String,
    parameters: BTreeMap<String, String>,
    /// What had arrived at the device before.
    received: u64,
}

/// How far the devices' messages were when the platform was killed: wall-clock chance.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct Kill {
    /// Readings due between the kill's sync point and the next.
    pub(crate) expected: u64,
    /// How many of them had been acknowledged.
    pub(crate) acknowledged: u64,
}

/// What the run has amounted to so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) published: u64,
    pub(crate) settled: Settled,
    pub(crate) refused: u64,
    pub(crate) observations: u64,
    pub(crate) kills: Vec<Kill>,
    /// Wall time spent on reading back and writing the record.
    pub(crate) read_back: Duration,
}

/// Everything that runs.
pub(crate) struct Bench {
    pub(crate) shells: Vec<Shell>,
    pub(crate) totals: Totals,
    accounts: Vec<Account>,
    rest: Rest,
    platform: UnderTest,
    writer: RunWriter,
    live: Live,
    acknowledged: Arc<AtomicU64>,
    now: SimTime,
    /// Messages the platform says it has sent to each device since the run began.
    sent: BTreeMap<String, u64>,
    open_commands: Vec<OpenCommand>,
    commands: u64,
    kills_ordered: u32,
    /// Up to when the record is complete.
    recorded: SimTime,
    events: Vec<Event>,
    /// The latency record, where links or observers are modelled.
    modelled: Option<ModelledRecord>,
    latency_rows: u64,
    start: SimTime,
    /// The links' names.
    links: Vec<String>,
    /// The sources' names.
    sources: Vec<String>,
    /// The link each device is connected through.
    via: Vec<Option<usize>>,
    calibrator: Option<Calibrator>,
    has_calibration: bool,
    /// What devices answered to commands of the calibration, by the commands' numbers.
    answers: BTreeMap<u64, String>,
}

/// What a bench is assembled from, before there is anything to record.
pub(crate) struct Parts {
    pub(crate) shells: Vec<Shell>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) rest: Rest,
    pub(crate) platform: UnderTest,
    pub(crate) acknowledged: Arc<AtomicU64>,
    /// The latency record, where links or observers are modelled.
    pub(crate) modelled: Option<ModelledRecord>,
    /// The links' names.
    pub(crate) links: Vec<String>,
    /// The sources' names.
    pub(crate) sources: Vec<String>,
    /// The link each device is connected through.
    pub(crate) via: Vec<Option<usize>>,
    pub(crate) calibrator: Option<Calibrator>,
}

impl Bench {
    /// A bench at rest at the start, with the record it writes and the checks that watch it.
    pub(crate) fn new(parts: Parts, writer: RunWriter, live: Live, start: SimTime) -> Self {
        let Parts {
            shells,
            accounts,
            rest,
            platform,
            acknowledged,
            modelled,
            links,
            sources,
            via,
            calibrator,
        } = parts;
        Self {
            shells,
            accounts,
            rest,
            platform,
            writer,
            live,
            acknowledged,
            totals: Totals::default(),
            now: start,
            sent: BTreeMap::new(),
            open_commands: Vec::new(),
            commands: 0,
            kills_ordered: 0,
            recorded: start,
            events: Vec::new(),
            modelled,
            latency_rows: 0,
            start,
            links,
            sources,
            via,
            has_calibration: calibrator.is_some(),
            calibrator,
            answers: BTreeMap::new(),
        }
    }

    /// Waits for every device's connection, and takes the platform's clock to the start.
    pub(crate) async fn connect(&mut self) -> Result<(), BenchError> {
        self.rest.require_empty().await?;
        self.rest.advance(self.now).await?;
        for shell in &mut self.shells {
            shell.connected_after(0).await?;
        }
        Ok(())
    }

    /// Moves everything to the next sync point, and brings it to rest there.
    pub(crate) async fn run_to(&mut self, until: SimTime) -> Result<(), BenchError> {
        if self.kills_ordered > 0 {
            self.run_devices_through_a_kill(until).await?;
        } else {
            self.run_devices(until).await?;
        }
        self.now = until;
        self.come_to_rest().await?;
        let began = monotonic();
        let read = self.read_back().await;
        self.totals.read_back += began.elapsed();
        read
    }

    /// Runs the devices ahead, each in a task of its own.
    async fn run_devices(&mut self, until: SimTime) -> Result<(), BenchError> {
        let mut ahead = Ahead::start(std::mem::take(&mut self.shells), until);
        let mut troubled = 0;
        loop {
            match tokio::time::timeout(LOOK_AGAIN, ahead.next()).await {
                Ok(true) => {}
                Ok(false) => break,
                // Devices send again what is not acknowledged, and cannot know that it is in vain.
                Err(_) => match self.rest.trouble().await {
                    None => troubled = 0,
                    Some(why) if troubled >= TROUBLED_MAX => {
                        return Err(BenchError::PlatformTroubled(why));
                    }
                    Some(_) => troubled += 1,
                },
            }
        }
        self.shells = ahead.finish()?;
        Ok(())
    }

    /// Runs the devices ahead, and kills the platform once half of their messages have arrived.
    ///
    /// The other half is then on its way, journaled or not, and has to survive. At which message
    /// the kill falls differs from run to run; what the record says afterwards must not.
    async fn run_devices_through_a_kill(&mut self, until: SimTime) -> Result<(), BenchError> {
        let at_kill = self.now;
        let due = |account: &Account| account.schedule.clone().take_until(until).len();
        let expected: usize = self.accounts.iter().map(due).sum();
        let before = self.acknowledged.load(Ordering::Relaxed);
        let enough = before + (expected as u64).div_ceil(2);
        let connections: Vec<u64> = self.shells.iter().map(Shell::connections).collect();
        let mut ahead = Ahead::start(std::mem::take(&mut self.shells), until);
        let mut tick = tokio::time::interval(Duration::from_millis(1));
        while self.acknowledged.load(Ordering::Relaxed) < enough {
            tokio::select! {
                more = ahead.next() => if !more { break },
                _ = tick.tick() => {}
            }
        }
        for _ in 0..std::mem::take(&mut self.kills_ordered) {
            let acknowledged = self.acknowledged.load(Ordering::Relaxed) - before;
            self.platform.kill().await?;
            self.platform.restart().await?;
            self.totals.kills.push(Kill { expected: expected as u64, acknowledged });
            self.note(Event::kill(at_kill, "platform"));
            self.note(Event::restarted(at_kill, "platform"));
        }
        while ahead.next().await {}
        self.shells = ahead.finish()?;
        // A device that had nothing to send may not have noticed yet.
        for (shell, connections) in self.shells.iter_mut().zip(connections) {
            shell.connected_after(connections).await?;
            shell.drained().await?;
        }
        Ok(())
    }

    /// Advances the platform's clock and delivers what it sent, until nothing moves.
    async fn come_to_rest(&mut self) -> Result<(), BenchError> {
        for _ in 0..ROUNDS_MAX {
            let advanced = self.rest.advance(self.now).await?;
            for (device, count) in &advanced.sent {
                *self.sent.entry(device.clone()).or_default() += count;
            }
            let mut moved = false;
            for shell in &mut self.shells {
                let total = self.sent.get(&shell.name).copied().unwrap_or(0);
                shell.arrived(total).await?;
                moved |= shell.deliver().await?;
                shell.drained().await?;
            }
            if !moved {
                return Ok(());
            }
        }
        Err(BenchError::NoRest { at: self.now.to_string(), rounds: ROUNDS_MAX })
    }

    /// Reads back what the platform has made of it, and writes the record up to the present.
    async fn read_back(&mut self) -> Result<(), BenchError> {
        self.take_from_devices()?;
        let readings = self.rest.readings().await?;
        self.note_wrong_answers();
        take_readings(readings, &mut self.accounts, self.now, &mut self.events);
        for refused in self.rest.refusals().await? {
            self.totals.refused += 1;
            let at = refused.event_time.unwrap_or(self.now).min(self.now);
            self.note(Event::refused(
                at,
                &refused.reason,
                refused.device.as_deref(),
                refused.topic.as_deref().unwrap_or_default(),
                refused.detail.as_deref().unwrap_or_default(),
            ));
        }
        self.note_wrong_answers();
        let mut rows = Vec::new();
        self.recorded = self.now;
        for (index, account) in self.accounts.iter_mut().enumerate() {
            // What a link still holds is neither stored nor missing.
            let held = self.shells[index].oldest_held();
            let until = held.map_or(self.now, |held| self.now.min(held - SimDuration(1)));
            self.totals.settled += account.settle(until, &mut rows);
            self.recorded = self.recorded.min(until);
            let never_made = account.take_never_made();
            if let Some(modelled) = &mut self.modelled {
                for (number, due) in never_made {
                    modelled.never_made(index, number, due);
                }
            }
        }
        self.totals.published = self.shells.iter().map(|shell| shell.published).sum();
        self.totals.observations += rows.len() as u64;
        self.write(rows)?;
        // What was due until now was due by the old schedule; only then does a new one hold.
        self.settle_commands().await
    }

    /// What the platform answered and could not be read is an event each.
    fn note_wrong_answers(&mut self) {
        for detail in self.rest.take_wrong() {
            self.note(Event::wrong_answer(self.now, &detail));
        }
    }

    fn take_from_devices(&mut self) -> Result<(), BenchError> {
        let mut left = Vec::new();
        for (index, (shell, account)) in self.shells.iter_mut().zip(&mut self.accounts).enumerate()
        {
            for made in shell.made.drain(..) {
                if let Some(modelled) = &mut self.modelled {
                    modelled.made((index, made.epoch, made.serial), made.at);
                }
                account.made(made).map_err(|message| BenchError::Device {
                    device: shell.name.clone(),
                    message,
                })?;
            }
            for sent in shell.sent.drain(..) {
                account.sent(sent);
            }
            let has_uplink = shell.uplink().is_some();
            let gone = shell.left.iter_mut().flat_map(|left| left.drain(..));
            left.extend(gone.map(|gone| (index, gone, has_uplink)));
            for note in shell.notes.drain(..) {
                self.events.push(Event::device(
                    note.at,
                    &shell.name,
                    note.kind.as_str(),
                    &note.detail,
                ));
            }
        }
        if let Some(modelled) = &mut self.modelled {
            modelled.left(left);
        }
        Ok(())
    }

    /// Hands over what belongs to the time up to the present; the writer sorts it.
    fn write(&mut self, rows: Vec<Row>) -> Result<(), BenchError> {
        for event in self.events.drain(..) {
            self.writer.event(&event);
            self.live.judge.event(&event);
        }
        for row in rows {
            let observation = row.observation(&self.accounts[row.device].device);
            if let (Some(calibrator), Some(reported)) = (&mut self.calibrator, observation.reported)
            {
                let of = (observation.event_time, observation.quantity);
                calibrator.reported(observation.device, of, reported);
            }
            self.writer.observation(&observation);
            self.live.judge.observation(&observation);
        }
        if let Some(modelled) = &mut self.modelled {
            for row in modelled.rows.drain(..) {
                let written = self.writer.latency(&row.view());
                written.map_err(|error| BenchError::Record(chain(&error)))?;
                self.live.judge.latency(&row.view());
                self.latency_rows += 1;
            }
        }
        self.writer.sync().map_err(|error| BenchError::Record(chain(&error)))
    }

    /// Does something to the bench at the present instant, and lets it come to rest again.
    pub(crate) async fn act(&mut self, injection: &Injection) -> Result<(), BenchError> {
        match &injection.action {
            Action::Device { device, fault } => {
                let name = self.shells[*device].name.clone();
                let detail = injection.detail();
                self.note(Event::inject(self.now, injection.kind, Some(&name), &detail));
                self.shells[*device].fault(fault.clone()).await?;
            }
            Action::Source { source } => {
                // Its terminal carries it out by itself.
                let detail = injection.detail();
                let event = Event::inject(self.now, injection.kind, None, &detail);
                self.note(event.with(field::INTO, format!("source:{}", self.sources[*source])));
            }
            Action::Command { device, command, parameters, refused } => {
                self.command(*device, (command, parameters), *refused).await?;
            }
            Action::KillPlatform => self.kills_ordered += 1,
            Action::Impair { link, change, devices, .. } => {
                self.change_link(injection, *link, devices.as_deref(), Some(change));
            }
            Action::Disconnect { link, .. } => {
                // The links know of it from the beginning.
                self.note_link(injection, *link);
            }
        }
        self.come_to_rest().await?;
        self.settle_commands().await
    }

    /// An injection that lasts is over.
    pub(crate) fn end_act(&mut self, injection: &Injection) {
        let link = match &injection.action {
            Action::Impair { link, devices, .. } => {
                let name = self.links[*link].clone();
                self.change_link_legs(*link, devices.as_deref(), None);
                name
            }
            Action::Disconnect { link, .. } => self.links[*link].clone(),
            Action::Device { .. }
            | Action::Source { .. }
            | Action::Command { .. }
            | Action::KillPlatform => return,
        };
        self.note(Event::restored(self.now, &link, injection.kind));
    }

    fn change_link(
        &mut self,
        injection: &Injection,
        link: usize,
        devices: Option<&[usize]>,
        change: Option<&Impairment>,
    ) {
        self.note_link(injection, link);
        self.change_link_legs(link, devices, change);
    }

    fn note_link(&mut self, injection: &Injection, link: usize) {
        let detail = injection.detail();
        let event = Event::inject(self.now, injection.kind, None, &detail);
        let event = match until(injection) {
            Some(until) => event.with(field::UNTIL, (self.start + until).to_string()),
            None => event,
        };
        self.note(event.with(field::LINK, self.links[link].as_str()));
    }

    fn change_link_legs(
        &mut self,
        link: usize,
        devices: Option<&[usize]>,
        change: Option<&Impairment>,
    ) {
        for (index, shell) in self.shells.iter_mut().enumerate() {
            let is_meant = devices.is_none_or(|devices| devices.contains(&index));
            if !is_meant || self.via[index] != Some(link) {
                continue;
            }
            match (shell.uplink(), change) {
                (Some(uplink), Some(change)) => uplink.impair(self.now, change),
                (Some(uplink), None) => uplink.restore(self.now),
                (None, _) => {}
            }
        }
        for observer in self.modelled.iter_mut().flat_map(|modelled| &mut modelled.observers) {
            if observer.via == Some(link) {
                match change {
                    Some(change) => observer.impair(self.now, change, devices),
                    None => observer.restore(self.now, devices),
                }
            }
        }
    }

    /// After the end: what links still hold arrives late, but arrives.
    pub(crate) async fn let_go(&mut self) -> Result<(), BenchError> {
        if self.shells.iter().all(|shell| shell.oldest_held().is_none()) {
            return self.finish_modelled();
        }
        for shell in &mut self.shells {
            shell.release_all().await?;
            shell.drained().await?;
        }
        self.come_to_rest().await?;
        self.read_back().await?;
        self.finish_modelled()
    }

    fn finish_modelled(&mut self) -> Result<(), BenchError> {
        if let Some(modelled) = &mut self.modelled {
            modelled.finish();
        }
        self.write(Vec::new())
    }

    async fn command(
        &mut self,
        device: usize,
        (command, parameters): (&str, &BTreeMap<String, String>),
        must_be_refused: bool,
    ) -> Result<(), BenchError> {
        self.commands += 1;
        let id = self.commands;
        let name = self.shells[device].name.clone();
        let event = Event::command(self.now, id, &name, command);
        let event = event.with(field::PARAMETERS, json!(parameters));
        self.note(if must_be_refused { event.must_be_refused() } else { event });
        let received = self.shells[device].received();
        let invocation = match self.rest.invoke(&name, command, parameters).await {
            Ok(invocation) => invocation,
            // The platform does not know the device yet, or will not have the command.
            Err(BenchError::Refused(response)) => {
                self.note(Event::not_obeyed(
                    self.now,
                    EventKind::CommandFailed,
                    id,
                    &name,
                    &response,
                ));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.open_commands.push(OpenCommand {
            id,
            invocation: invocation.id,
            device,
            name: command.to_owned(),
            parameters: parameters.clone(),
            received,
        });
        Ok(())
    }

    /// Asks the platform what has become of the commands that are still open.
    async fn settle_commands(&mut self) -> Result<(), BenchError> {
        for open in std::mem::take(&mut self.open_commands) {
            let state = self.rest.invocation(&open.invocation).await?;
            let device = self.shells[open.device].name.clone();
            let response = state.response.clone().unwrap_or_default();
            if self.has_calibration && state.state() == "Acknowledged" {
                self.answers.insert(open.id, response.clone());
            }
            match state.state() {
                // The platform's word alone does not do.
                "Acknowledged" if self.shells[open.device].received() == open.received => {
                    let response = "nothing has reached the device, whatever the platform says";
                    self.note(Event::not_obeyed(
                        self.now,
                        EventKind::CommandFailed,
                        open.id,
                        &device,
                        response,
                    ));
                }
                "Acknowledged" if response.starts_with(ERROR_PREFIX) => {
                    let kind = EventKind::CommandRefused;
                    self.note(Event::not_obeyed(self.now, kind, open.id, &device, &response));
                }
                "Acknowledged" => {
                    self.note(Event::acknowledged(self.now, open.id, &device, &response));
                    self.follow(&open);
                }
                status @ ("Failed" | "Expired") => {
                    let kind = format!("command_{}", status.to_lowercase()).into();
                    self.note(Event::not_obeyed(self.now, kind, open.id, &device, &response));
                }
                _ => self.open_commands.push(open),
            }
        }
        Ok(())
    }

    /// What an acknowledged command promises is from now on what the bench expects.
    fn follow(&mut self, command: &OpenCommand) {
        if command.name != "setReportingPeriod" {
            return;
        }
        let seconds = command.parameters.get("seconds").and_then(|text| text.parse::<f64>().ok());
        if let Some(seconds) = seconds.filter(|seconds| *seconds > 0.0) {
            let period = SimDuration::from_seconds_f64(seconds);
            self.accounts[command.device].change_period(self.now, period);
        }
    }

    /// The present instant.
    pub(crate) fn now(&self) -> SimTime {
        self.now
    }

    /// Whether a kill has been ordered that has not taken place.
    pub(crate) fn kill_pending(&self) -> bool {
        self.kills_ordered > 0
    }

    /// Up to when the record is complete.
    pub(crate) fn recorded(&self) -> SimTime {
        self.recorded
    }

    /// How many checks stand at each status, were the run to end here; as it was not long ago
    /// unless this is its end.
    pub(crate) fn verdicts_so_far(&mut self) -> Counts {
        let facts = self.writer.facts();
        if self.now >= facts.end {
            return self.live.now(facts);
        }
        self.live.now_and_then(facts, Duration::ZERO)
    }

    /// Notes something that happened, for the record.
    pub(crate) fn note(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Writes what was noted and not yet written, at the end or on the way out.
    pub(crate) fn flush(&mut self) -> Result<(), BenchError> {
        self.write(Vec::new())
    }

    /// Ends connections and a platform of the bench's own in an orderly way.
    pub(crate) async fn close(self) -> (RunWriter, Result<(), BenchError>) {
        for shell in self.shells {
            shell.close().await;
        }
        let stopped = self.platform.stop().await;
        (self.writer, stopped)
    }
}

pub(crate) fn broken_device(device: &str, error: tokio::task::JoinError) -> BenchError {
    let message = match error.try_into_panic() {
        Ok(panic) => panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "panicked without a message".to_owned()),
        Err(error) => error.to_string(),
    };
    BenchError::Device { device: device.to_owned(), message }
}
