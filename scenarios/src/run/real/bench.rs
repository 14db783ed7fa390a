//! The one that keeps the record of a real-time run: takes in what the tasks tell, does what the
//! scenario says at its instant, and joins what was due with what came back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use lastmeter_link::clock::{ClockWatch, monotonic_ns};
use lastmeter_link::impair::LegName;
use lastmeter_link::proxy::LinkRecord;
use lastmeter_record::{Event, EventKind, field};
use lastmeter_record::{Floor, RealTimeFacts, RunWriter};
use lastmeter_units::{Epoch, Serial, SimDuration, SimTime};
use serde_json::{Map, Value, json};

use super::acts::{Act, Obeyed, OpenCommand};
use super::deadlines::Punctuality;
use super::grace::ten_limits_ns;
use super::load::LoadWatch;
use super::observer::reading_of;
use super::recorder::{self, LINGER_NS, Recorder};
use super::report::Report;
use super::sender::Control;
use super::setup::Parts;
use super::timeline::Timeline;
use super::{Punctual, reader};
use crate::language::{Scenario, TlsUse};
use crate::run::bench::Totals;
use crate::run::console::{Console, Progress};
use crate::run::error::{BenchError, chain};
use crate::run::host;
use crate::run::ledger::take_readings;
use crate::run::live::Live;
use crate::run::until;

/// How long all connections may take to be there.
const CONNECT_LIMIT: Duration = Duration::from_mins(2);

/// From when everything is connected and measured to the beginning of the schedule.
const LEAD_NS: i64 = 200_000_000;

/// How often the record is brought up to date.
pub(super) const TICK_NS: i64 = 250_000_000;

/// How often at most it is told where the checks stand.
const VERDICTS_EVERY: Duration = Duration::from_secs(5);

/// Reports taken in at once.
pub(super) const BATCH: usize = 1024;

/// What is not back by then after it was due is missing, unless its device still holds it.
const SETTLE_AFTER: SimDuration = SimDuration(LINGER_NS);

/// A reading that is not back yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) due: SimTime,
    /// When its device got rid of it: acknowledged, or never to be sent.
    pub(super) given_up_ns: Option<i64>,
}

/// Everything that runs, and its record.
pub(super) struct RealBench<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) parts: Parts,
    writer: RunWriter,
    pub(super) live: Live,
    pub(super) recorder: Recorder,
    pub(super) timeline: Timeline,
    clock: ClockWatch,
    punctuality: Punctuality,
    pub(super) totals: Totals,
    acts: VecDeque<(i64, Act)>,
    pub(super) events: Vec<Event>,
    pub(super) rows: Vec<recorder::Row>,
    pub(super) commands: BTreeMap<u64, OpenCommand>,
    pub(super) command_count: u64,
    /// What each device holds, by when it was due.
    pub(super) held: Vec<BTreeMap<(Epoch, Serial), Held>>,
    pub(super) delivered: Vec<u64>,
    /// Devices that have done everything and hold nothing more.
    pub(super) finished: usize,
    connections: Vec<u64>,
    observer_connections: u64,
    /// The observers' connections that have been there.
    observers_there: BTreeSet<String>,
    /// Invocations that devices have obeyed.
    pub(super) obeyed: Vec<Obeyed>,
    /// When the platform last told its refusals.
    pub(super) refusals_read_ns: i64,
    unreadable: u64,
    pub(super) recorded: SimTime,
    pub(super) floor_before: Option<Floor>,
    pub(super) floor_after: Option<Floor>,
    pub(super) waited_until_ns: i64,
    /// Wall clock minus monotonic clock, for instants the platform tells.
    wall_offset_ns: i64,
    latency_rows: u64,
    has_begun: bool,
    /// Processor time spent on taking in reports and writing the record.
    recorder_cpu_ns: i64,
    /// Over the machine's load, from the schedule's beginning on.
    load: Option<LoadWatch>,
}

impl<'a> RealBench<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        parts: Parts,
        (writer, live): (RunWriter, Live),
    ) -> Self {
        let devices: Vec<String> = scenario.devices.iter().map(|row| row.name.clone()).collect();
        let count = devices.len();
        let timeline = Timeline { start: scenario.start, origin_ns: monotonic_ns() };
        Self {
            recorder: Recorder::new(timeline.origin_ns, devices, parts.observers.clone()),
            scenario,
            parts,
            writer,
            live,
            timeline,
            clock: ClockWatch::start(),
            punctuality: Punctuality::new(),
            totals: Totals::default(),
            acts: VecDeque::new(),
            events: Vec::new(),
            rows: Vec::new(),
            commands: BTreeMap::new(),
            command_count: 0,
            held: vec![BTreeMap::new(); count],
            delivered: vec![0; count],
            finished: 0,
            connections: vec![0; count],
            observer_connections: 0,
            observers_there: BTreeSet::new(),
            obeyed: Vec::new(),
            refusals_read_ns: monotonic_ns(),
            unreadable: 0,
            recorded: scenario.start,
            floor_before: None,
            floor_after: None,
            waited_until_ns: 0,
            wall_offset_ns: host::wall_now().as_nanoseconds() - monotonic_ns(),
            latency_rows: 0,
            has_begun: false,
            recorder_cpu_ns: 0,
            load: None,
        }
    }

    /// Event time now, as the scenario's clock has it.
    pub(super) fn now(&self) -> SimTime {
        self.timeline.event_time(monotonic_ns(), SimDuration::ZERO).max(self.scenario.start)
    }

    pub(super) fn note(&mut self, event: Event) {
        self.events.push(event);
    }

    pub(super) fn recorded(&self) -> SimTime {
        self.recorded
    }

    /// Waits until every connection is there.
    pub(super) async fn connect(&mut self) -> Result<(), BenchError> {
        let deadline = monotonic_ns() + CONNECT_LIMIT.as_nanos() as i64;
        loop {
            let missing = self.connections.iter().position(|&connections| connections == 0);
            let observers = self.parts.observer_connections;
            if missing.is_none() && self.observers_there.len() >= observers {
                return Ok(());
            }
            let who = match missing {
                Some(device) => format!("device `{}`", self.scenario.devices[device].name),
                None => "the observers".to_owned(),
            };
            let what = format!("{who} to connect to the platform's broker{}", self.last_loss());
            self.take_until(deadline, &what).await?;
        }
    }

    fn last_loss(&self) -> String {
        let lost = self.events.iter().rev().find(|event| event.text(field::WHAT) == Some("lost"));
        let reason = lost.and_then(|event| event.text(field::DETAIL));
        reason.map(|reason| format!(" (last: {reason})")).unwrap_or_default()
    }

    /// Takes in the next report, with a limit.
    async fn take_until(&mut self, deadline_ns: i64, what: &str) -> Result<(), BenchError> {
        let alarm = self.parts.alarm.clone();
        tokio::select! {
            biased;
            ended = self.parts.tasks.join_next(), if !self.parts.tasks.is_empty() => {
                ended_early(ended)
            }
            report = self.parts.reports.recv() => {
                report.map_or(Ok(()), |report| self.take(report))
            }
            () = alarm.until(deadline_ns) => Err(BenchError::TimedOut {
                what: what.to_owned(),
                limit_s: CONNECT_LIMIT.as_secs(),
            }),
        }
    }

    /// Runs the schedule from its beginning to its end.
    pub(super) async fn run(
        &mut self,
        console: &Console,
        started: Instant,
    ) -> Result<(), BenchError> {
        self.begin();
        let end_ns =
            self.timeline.instant(self.scenario.start + self.scenario.duration, self.longest_lag());
        let mut batch = Vec::new();
        let mut tick_ns = self.timeline.origin_ns + TICK_NS;
        loop {
            let act_ns = self.acts.front().map_or(i64::MAX, |(at, _)| *at);
            let alarm = self.parts.alarm.clone();
            tokio::select! {
                biased;
                ended = self.parts.tasks.join_next() => ended_early(ended)?,
                () = alarm.until(act_ns.min(tick_ns).min(end_ns)) => {}
                _ = self.parts.reports.recv_many(&mut batch, BATCH) => {
                    self.take_all(&mut batch)?;
                    continue;
                }
            }
            let now_ns = monotonic_ns();
            while let Some((at_ns, act)) = self.acts.pop_front_if(|(at, _)| *at <= now_ns) {
                // What the bench does late is a deadline missed like any other.
                let served_ns = monotonic_ns();
                let lateness_ns = served_ns - at_ns;
                self.punctuality.served(served_ns, lateness_ns, SimDuration::from_seconds(60));
                self.act(act, at_ns, console).await?;
            }
            if now_ns >= end_ns {
                return Ok(());
            }
            if now_ns >= tick_ns {
                // A tick that was late is not made up for.
                tick_ns = now_ns + TICK_NS;
                self.update(now_ns).await?;
                if console.shows_progress() {
                    console.progress(self.scenario.duration, &self.progress(started.elapsed()));
                }
            }
        }
    }

    fn longest_lag(&self) -> SimDuration {
        self.parts.lags.iter().copied().max().unwrap_or(SimDuration::ZERO)
    }

    /// Sets the beginning of the schedule, and tells everybody.
    fn begin(&mut self) {
        self.has_begun = true;
        self.timeline.origin_ns = monotonic_ns() + LEAD_NS;
        self.recorder = Recorder::new(
            self.timeline.origin_ns,
            self.scenario.devices.iter().map(|row| row.name.clone()).collect(),
            self.parts.observers.clone(),
        )
        .with_linger(ten_limits_ns(self.scenario));
        self.clock = ClockWatch::start();
        self.load = LoadWatch::start(self.parts.watched.clone());
        self.wall_offset_ns = host::wall_now().as_nanoseconds() - monotonic_ns();
        // What came before belongs to nobody's event time.
        self.events.clear();
        let mut acts = Vec::new();
        for (index, injection) in self.scenario.injections.iter().enumerate() {
            let instant = |at: SimDuration| {
                self.timeline.instant(self.scenario.start + at, SimDuration::ZERO)
            };
            acts.push((instant(injection.at), Act::Begin(index)));
            if let Some(until) = until(injection) {
                acts.push((instant(until), Act::End(index)));
            }
        }
        // At one instant what ends comes before what begins: the next may begin right then.
        acts.sort_by_key(|(at, act)| (*at, matches!(act, Act::Begin(_))));
        self.acts = acts.into();
        for control in &self.parts.controls {
            // A sender that is gone has told why.
            let _ = control.send(Control::Begin(self.timeline));
        }
    }

    /// Takes in what the tasks have told, and counts the processor time it takes.
    pub(super) fn take_all(&mut self, batch: &mut Vec<Report>) -> Result<(), BenchError> {
        let began_ns = host::thread_cpu_ns();
        for report in batch.drain(..) {
            self.take(report)?;
        }
        self.recorder_cpu_ns += host::thread_cpu_ns() - began_ns;
        Ok(())
    }

    /// Takes in what a task has told.
    fn take(&mut self, report: Report) -> Result<(), BenchError> {
        match report {
            Report::Unserved { count } => self.punctuality.never_served(count),
            Report::Due { at_ns, lateness_ns, period } => {
                self.punctuality.served(at_ns, lateness_ns, period);
            }
            Report::Made { device, made } => {
                self.parts.accounts[device].made(made).map_err(|message| BenchError::Device {
                    device: self.scenario.devices[device].name.clone(),
                    message,
                })?;
                let held = Held { due: made.at, given_up_ns: None };
                self.held[device].insert((made.epoch, made.serial), held);
                let intended_ns = self.timeline.instant(made.at, self.parts.lags[device]);
                self.recorder.made((device, made.epoch, made.serial), intended_ns);
            }
            Report::Published { device, sent, at_ns, payload } => {
                let (epoch, serial) = sent.key();
                self.totals.published += 1;
                self.recorder.published((device, epoch, serial), at_ns, &payload);
                self.parts.accounts[device].sent(sent);
            }
            Report::Acknowledged { device, key, at_ns } => {
                if let Some(held) = self.held[device].get_mut(&key) {
                    held.given_up_ns.get_or_insert(at_ns);
                }
                self.recorder.acknowledged((device, key.0, key.1), at_ns);
            }
            Report::Idle { device, at_ns } => {
                for held in self.held[device].values_mut() {
                    held.given_up_ns.get_or_insert(at_ns);
                }
                self.recorder.idle(device, at_ns);
            }
            Report::Finished => self.finished += 1,
            Report::Obeyed { device, invocation, at, at_ns } => {
                self.obeyed.push(Obeyed { device, invocation, at, at_ns });
            }
            Report::Note { device, note } => {
                let name = &self.scenario.devices[device].name;
                let event = Event::device(note.at, name, note.kind.as_str(), &note.detail);
                self.events.push(event);
            }
            Report::Delivered { device } => self.delivered[device] += 1,
            Report::Connected { device, at_ns } => {
                self.connections[device] += 1;
                self.connection(device, at_ns, "connected", "");
            }
            Report::Disconnected { device, reason, at_ns } => {
                self.connection(device, at_ns, "lost", &reason);
            }
            Report::Received { observer, key, digest, at_ns } => {
                self.recorder.received(key, observer, digest, at_ns);
            }
            Report::Unreadable => self.unreadable += 1,
            Report::ObserverConnected { connection } => {
                self.observer_connections += 1;
                self.observers_there.insert(connection);
            }
            Report::ObserverDisconnected { observer, reason } => {
                let name = &self.scenario.observers[observer].name;
                let event = Event::new(self.now(), format!("observer:{name}"), EventKind::Lost);
                self.events.push(event.with(field::DETAIL, reason));
            }
            Report::Stored { page, at_ns } => self.stored(page, at_ns),
            Report::WrongAnswer { detail } => self.note(Event::wrong_answer(self.now(), &detail)),
            Report::Command { id, state, at_ns } => self.command_ended(id, state, at_ns),
            Report::Link { link, record } => self.passed(link, &record),
        }
        Ok(())
    }

    fn connection(&mut self, device: usize, at_ns: i64, what: &str, detail: &str) {
        let at = self.timeline.event_time(at_ns, SimDuration::ZERO).max(self.scenario.start);
        let name = &self.scenario.devices[device].name;
        self.events.push(Event::device(at, name, what, detail));
    }

    fn passed(&mut self, link: usize, record: &LinkRecord) {
        let LinkRecord::Publish { lane, leg, payload, in_ns, out_ns } = record else {
            return;
        };
        let Some((key, digest)) = reading_of(payload, &self.parts.devices) else { return };
        let scenario = self.scenario;
        let own = scenario.devices[key.0].name == **lane;
        let is_up = *leg == LegName::Up;
        if own && is_up {
            self.recorder.passed(key, None, digest, (*in_ns, *out_ns));
        } else if !own && !is_up {
            let observer = scenario.observers.iter().position(|observer| {
                observer.via == Some(link)
                    && (**lane == observer.name
                        || lane.strip_prefix(observer.name.as_str()).is_some_and(|rest| {
                            rest.strip_prefix('.') == Some(&scenario.devices[key.0].name)
                        }))
            });
            if let Some(observer) = observer {
                self.recorder.passed(key, Some(observer), digest, (*in_ns, *out_ns));
            }
        }
    }

    fn stored(&mut self, page: Vec<crate::run::ledger::Stored>, at_ns: i64) {
        for reading in &page {
            let (Some(epoch), Some(serial)) = (reading.epoch, reading.serial) else { continue };
            let Some(&device) = self.parts.devices.get(&reading.device) else { continue };
            let committed = reading.commit_time.map(|at| at.as_nanoseconds() - self.wall_offset_ns);
            // The clock of a platform somewhere else means nothing here.
            let committed = committed.filter(|_| self.parts.platform.is_own());
            // Other values than were sent are not the reading that was sent.
            if !self.parts.accounts[device].is_as_sent(reading) {
                continue;
            }
            self.recorder.readable((device, epoch, serial), committed, at_ns);
            self.held[device].remove(&(epoch, serial));
        }
        let now = self.now();
        take_readings(page, &mut self.parts.accounts, now, &mut self.events);
    }

    /// Brings the record up to date: rows that are complete, readings that are settled.
    async fn update(&mut self, now_ns: i64) -> Result<(), BenchError> {
        self.parts.platform.must_be_there()?;
        self.recorder.take(now_ns, &mut self.rows);
        self.read_refusals(now_ns).await?;
        let mut settled = Vec::new();
        let mut oldest = self.now();
        for index in 0..self.parts.accounts.len() {
            let until = self.timeline.event_time(now_ns, self.parts.lags[index]) - SETTLE_AFTER;
            // What its device has got rid of may still be on its way into the store.
            self.held[index].retain(|_, held| {
                held.given_up_ns.is_none_or(|given_up_ns| now_ns - given_up_ns <= LINGER_NS)
            });
            let held = self.held[index].values().map(|held| held.due).min();
            let until = held.map_or(until, |held| until.min(held - SimDuration(1)));
            oldest = oldest.min(until);
            if until > self.scenario.start {
                self.settle(index, until, &mut settled);
            }
        }
        self.recorded = self.recorded.max(oldest);
        self.write(settled)
    }

    fn write(&mut self, rows: Vec<crate::run::ledger::Row>) -> Result<(), BenchError> {
        let began_ns = host::thread_cpu_ns();
        let record = |error: &dyn std::error::Error| BenchError::Record(chain(error));
        for event in self.events.drain(..) {
            self.writer.event(&event);
            self.live.judge.event(&event);
        }
        self.totals.observations += rows.len() as u64;
        for row in rows {
            let observation = row.observation(&self.parts.accounts[row.device].device);
            self.writer.observation(&observation);
            self.live.judge.observation(&observation);
        }
        for row in self.rows.drain(..) {
            self.writer.latency(&row.view()).map_err(|e| record(&e))?;
            self.live.judge.latency(&row.view());
            self.latency_rows += 1;
        }
        let written = self.writer.sync().map_err(|e| record(&e));
        self.recorder_cpu_ns += host::thread_cpu_ns() - began_ns;
        written
    }

    /// Writes all there is: after the end everything, otherwise what was told.
    pub(super) fn close_record(&mut self, is_finished: bool) -> Result<(), BenchError> {
        while let Ok(report) = self.parts.reports.try_recv() {
            // The bench may have broken by such a report already.
            let _ = self.take(report);
        }
        let mut rows = Vec::new();
        let end = self.scenario.start + self.scenario.duration;
        if is_finished {
            for index in 0..self.parts.accounts.len() {
                self.settle(index, end, &mut rows);
            }
            self.recorded = end;
        } else if self.has_begun {
            self.settle_what_is_back(end, &mut rows);
        }
        for id in self.commands.keys().copied().collect::<Vec<_>>() {
            let gone = Err("no answer before the end".to_owned());
            self.command_ended(id, gone, monotonic_ns());
        }
        self.recorder.take_all(&mut self.rows);
        self.write(rows)
    }

    fn progress(&mut self, wall: Duration) -> Progress {
        Progress {
            simulated: self.now() - self.scenario.start,
            wall,
            published: self.totals.published,
            stored: self.totals.settled.stored,
            missing: self.totals.settled.missing,
            unexpected: self.totals.settled.unexpected,
            refused: self.totals.refused,
            verdicts: self.live.now_and_then(self.writer.facts(), VERDICTS_EVERY),
        }
    }

    /// Processor time of the record per message that was published.
    pub(super) fn recorder_cpu_per_message_ns(&self) -> i64 {
        self.recorder_cpu_ns / i64::try_from(self.totals.published.max(1)).unwrap_or(i64::MAX)
    }

    /// Figures of the run, for `run.json` only.
    pub(super) fn measured(&self, wall: Duration) -> Map<String, Value> {
        let totals = &self.totals;
        let counted = self.recorder.counted();
        let value = json!({
            "wall_s": wall.as_secs_f64(),
            "messages_published": totals.published,
            "readings_due": totals.settled.due,
            "readings_stored": totals.settled.stored,
            "readings_missing": totals.settled.missing,
            "readings_unexpected": totals.settled.unexpected,
            "refused": totals.refused,
            "observations": totals.observations,
            "latency_rows": self.latency_rows,
            "recorder_cpu_per_message_ns": self.recorder_cpu_per_message_ns(),
            "connections": self.connections.iter().sum::<u64>(),
            "observer_connections": self.observer_connections,
            "payloads_altered": counted.corrupted,
            "messages_foreign": counted.foreign,
            "messages_unreadable": self.unreadable,
        });
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    /// What the run says of its clocks, timers, links and floor.
    pub(super) async fn facts(&mut self, punctual: &Punctual) -> RealTimeFacts {
        let (policy, policy_refused) = punctual.policy().await;
        let origin_ns = self.timeline.origin_ns;
        let seen = self.load.take().and_then(|watch| watch.end(origin_ns));
        let (load, furthest_ns) = seen.map_or((None, 0), |(load, step)| (Some(load), step));
        let mut clock = host::clock_facts(&self.clock);
        // A step forth and back is none at the end.
        if furthest_ns.abs() > clock.wall_step_ns.abs() {
            clock.wall_step_ns = furthest_ns;
        }
        let (platform_policy, platform_policy_refused) = match self.parts.platform.policy() {
            Some((policy, refused)) => (Some(policy.clone()), refused.clone()),
            None => (None, None),
        };
        let counted = self.recorder.counted();
        let polls = self.parts.polls.load(Ordering::Relaxed);
        RealTimeFacts {
            clock,
            timer: lastmeter_link::timer::KIND.to_owned(),
            policy,
            policy_refused,
            platform_policy,
            platform_policy_refused,
            memory_locked: false,
            deadlines: self.punctuality.facts(),
            late_ticks: self.punctuality.late_ticks(origin_ns),
            load,
            waited_until_ns: self.waited_until_ns,
            floor_before: self.floor_before.clone(),
            floor_after: self.floor_after.clone(),
            links: self.parts.links.facts(self.scenario),
            nodelay: self.scenario.devices.iter().all(|row| row.nodelay),
            tls: match self.scenario.tls {
                TlsUse::None => "none",
                TlsUse::Server => "server",
                TlsUse::Mutual => "mutual",
            }
            .to_owned(),
            poll_ns: Some(if polls { reader::POLL.as_nanos() as i64 } else { 0 }),
            reordered: counted.reordered,
            duplicates: counted.duplicates,
            more: Map::new(),
        }
    }

    /// Ends connections, proxies and a platform of the bench's own in an orderly way.
    pub(super) async fn close(mut self) -> (RunWriter, Result<(), BenchError>) {
        for control in &self.parts.controls {
            let _ = control.send(Control::Close);
        }
        self.parts.closing.send_replace(true);
        let ended = async { while self.parts.tasks.join_next().await.is_some() {} };
        // Tasks that wait for a command's answer never end by themselves.
        let _ = tokio::time::timeout(Duration::from_secs(5), ended).await;
        self.parts.tasks.shutdown().await;
        self.parts.links.stop().await;
        let stopped = self.parts.platform.stop().await;
        (self.writer, stopped)
    }
}

/// A task that ends before the end has broken, or its platform has.
pub(super) fn ended_early(
    ended: Option<Result<Result<(), BenchError>, tokio::task::JoinError>>,
) -> Result<(), BenchError> {
    match ended {
        None | Some(Ok(Ok(()))) => Ok(()),
        Some(Ok(Err(error))) => Err(error),
        Some(Err(error)) => Err(super::super::bench::broken_device("unknown", error)),
    }
}
