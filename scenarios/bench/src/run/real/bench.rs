//! The bench of a run in real time: takes in what the tasks report, does what is ordered at
//! its instant, and joins what was due with what came back.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lastmeter_devices::{PageAnswer, PageRequest};
use lastmeter_language::{Scenario, TlsUse};
use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::timer::TimerKind;
use lastmeter_record::{Event, Floor, RealTimeFacts, RunWriter, SimulatorFacts, field};
use lastmeter_units::{SimDuration, SimTime};
use serde_json::{Map, Value, json};

use super::access::PlatformAccess;
use super::applications::RealApplications;
use super::clocks::Clocks;
use super::grace::ten_limits_ns;
use super::observer::Observers;
use super::reader;
use super::recorder::{LINGER_NS, Recorder};
use super::sender::Control;
use super::senders::Senders;
use super::setup::Parts;
use super::workers::{Workers, ended_early};
use crate::run::commands::Commands;
use crate::run::console::Console;
use crate::run::error::BenchError;
use crate::run::injecting::{TimedAction, acts};
use crate::run::joining::Ledger;
use crate::run::moving::{Bench, Run};
use crate::run::recording::Recording;
use crate::run::requests::Requests;

/// How long all connections may take to be there.
const CONNECT_LIMIT: Duration = Duration::from_mins(2);

/// How often the record is brought up to date.
pub(super) const TICK_NS: i64 = 250_000_000;

/// How often at most it is reported where the checks stand.
const VERDICTS_EVERY: Duration = Duration::from_secs(5);

/// Reports taken in at once.
pub(super) const BATCH: usize = 1024;

/// What is not back by then after it was due is missing, unless its device still holds it.
const SETTLE_AFTER: SimDuration = SimDuration(LINGER_NS);

/// When a command was to be given, and when it was.
pub(super) struct CommandTimes {
    pub(super) intended_ns: i64,
    pub(super) given_ns: i64,
}

/// The floor that was measured before the schedule, and after it.
#[derive(Default)]
pub(super) struct Floors {
    pub(super) before: Option<Floor>,
    pub(super) after: Option<Floor>,
}

/// Everything that runs, and its record.
pub(crate) struct RealBench<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) access: PlatformAccess,
    pub(super) ledger: Ledger,
    pub(super) recording: Recording,
    pub(super) recorder: Recorder,
    pub(super) senders: Senders,
    pub(super) observers: Observers,
    pub(super) workers: Workers,
    pub(super) clocks: Clocks,
    pub(super) commands: Commands<CommandTimes>,
    pub(super) requests: Requests,
    pub(super) applications: RealApplications,
    acts: VecDeque<(i64, TimedAction)>,
    pub(super) floors: Floors,
    /// How well simulators kept their steps, once they are over.
    pub(super) simulators: Vec<SimulatorFacts>,
}

impl<'a> Bench for RealBench<'a> {
    type Parts = Parts<'a>;

    fn stand(parts: Parts<'a>, recording: Recording) -> Self {
        let Parts {
            scenario,
            access,
            ledger,
            senders,
            observers,
            workers,
            clocks,
            applications,
            ..
        } = parts;
        Self {
            recorder: recorder(scenario, &clocks, &observers),
            scenario,
            access,
            ledger,
            recording,
            senders,
            observers,
            workers,
            clocks,
            commands: Commands::new(),
            requests: Requests::default(),
            applications,
            simulators: Vec::new(),
            acts: VecDeque::new(),
            floors: Floors::default(),
        }
    }

    async fn run(&mut self, run: &Run<'_>, console: &Console<'_>) -> Result<(), BenchError> {
        self.connect().await?;
        self.measure_floor_before(console, run.options.wait_quiet).await?;
        self.play(run, console).await?;
        self.drain(console).await?;
        self.measure_floor_after(console).await
    }

    fn now(&self) -> SimTime {
        self.clocks.now()
    }

    fn recording(&mut self) -> &mut Recording {
        &mut self.recording
    }

    fn close_record(&mut self, is_finished: bool) -> Result<(), BenchError> {
        while let Ok(report) = self.workers.reports.try_recv() {
            // The bench may have broken by such a report already.
            let _ = self.take(report);
        }
        let mut rows = Vec::new();
        let end = self.end();
        if is_finished {
            for index in 0..self.ledger.accounts.len() {
                self.settle(index, end, &mut rows);
            }
            self.recording.recorded = end;
        } else if self.clocks.has_begun {
            self.settle_what_is_back(end, &mut rows);
        }
        for id in self.commands.open() {
            let gone = Err("no answer before the end".to_owned());
            self.command_ended(id, &gone, monotonic_ns());
        }
        self.recorder.take_all(&mut self.recording.latency);
        self.recording.note_plant(self.clocks.now());
        self.recording.events.extend(self.ledger.notices.finish(self.clocks.now()));
        self.recording.write(&self.ledger, &rows)?;
        self.recording.release(&self.ledger)
    }

    fn measured(&self, wall: Duration) -> Map<String, Value> {
        let counted = self.recorder.counted;
        let more = json!({
            "observations": self.recording.observations,
            "latency_rows": self.recording.latency_rows,
            "recorder_cpu_per_message_ns": self.recorder_cpu_per_message_ns(),
            "connections": self.senders.connections(),
            "observer_connections": self.observers.connections,
            "payloads_altered": counted.corrupted,
            "messages_foreign": counted.foreign,
            "messages_unreadable": self.observers.unreadable,
        });
        self.ledger.measured(wall, more)
    }

    /// What the run reports of its clocks, timers, links and floor.
    async fn facts(&mut self) -> Option<RealTimeFacts> {
        let (policy, policy_refused) = self.workers.punctual.policy().await;
        let (clock, load) = self.clocks.facts();
        let (platform_policy, refused) = self.access.under_test.policy.clone().unzip();
        let counted = self.recorder.counted;
        let polls = self.workers.polls.load(Ordering::Relaxed);
        let clocks = &self.clocks;
        Some(RealTimeFacts {
            clock,
            timer: TimerKind::Timerfd.to_string(),
            policy,
            policy_refused,
            platform_policy,
            platform_policy_refused: refused.flatten(),
            memory_locked: false,
            deadlines: clocks.punctuality.facts(),
            late_ticks: clocks.punctuality.late_ticks(clocks.timeline.origin_ns),
            load,
            waited_until_ns: clocks.waited_until_ns,
            floor_before: self.floors.before.clone(),
            floor_after: self.floors.after.clone(),
            links: self.access.links.facts(self.scenario),
            simulators: self.simulators.clone(),
            nodelay: self.scenario.devices.iter().all(|row| row.nodelay),
            tls: match self.scenario.platform.tls {
                TlsUse::None => "none",
                TlsUse::Server => "server",
                TlsUse::Mutual => "mutual",
            }
            .to_owned(),
            poll_ns: Some(if polls { reader::POLL.as_nanos() as i64 } else { 0 }),
            reordered: counted.reordered,
            duplicates: counted.duplicates,
            more: Map::new(),
        })
    }

    async fn page(&mut self, _: SimDuration, request: PageRequest) -> Option<PageAnswer> {
        for row in &self.scenario.gateways {
            let answer = self.page_of(&row.name, request.clone()).await;
            if answer.is_some() {
                return answer;
            }
        }
        None
    }

    async fn close(mut self) -> (RunWriter, Result<(), BenchError>) {
        self.senders.order(&Control::Close);
        self.workers.close().await;
        self.access.links.stop().await;
        let stopped = self.access.under_test.stop().await;
        (self.recording.into_writer(), stopped)
    }
}

fn recorder(scenario: &Scenario, clocks: &Clocks, observers: &Observers) -> Recorder {
    let devices = scenario.devices.iter().map(|row| row.name.clone()).collect();
    Recorder::new(clocks.timeline.origin_ns, devices, observers.rows.clone())
}

impl RealBench<'_> {
    pub(super) fn end(&self) -> SimTime {
        self.scenario.schedule.start + self.scenario.schedule.duration
    }

    /// Waits until every connection is there.
    async fn connect(&mut self) -> Result<(), BenchError> {
        let deadline = monotonic_ns() + CONNECT_LIMIT.as_nanos() as i64;
        loop {
            let who = match self.senders.first_missing() {
                Some(device) => self.scenario.whom_to_wait_for(device),
                None if self.observers.are_all_there() => return Ok(()),
                None => "the observers to connect to the platform's broker".to_owned(),
            };
            let what = format!("{who}{}", self.last_loss());
            self.take_until(deadline, &what).await?;
        }
    }

    fn last_loss(&self) -> String {
        let lost = |event: &&Event| event.text(field::WHAT) == Some("lost");
        let lost = self.recording.events.iter().rev().find(lost);
        let reason = lost.and_then(|event| event.prose(field::DETAIL));
        reason.map(|reason| format!(" (last: {reason})")).unwrap_or_default()
    }

    /// Takes in the next report, with a limit.
    async fn take_until(&mut self, deadline_ns: i64, what: &str) -> Result<(), BenchError> {
        let alarm = self.workers.alarm.clone();
        tokio::select! {
            biased;
            ended = self.workers.tasks.join_next(), if !self.workers.tasks.is_empty() => {
                ended_early(ended)
            }
            report = self.workers.reports.recv() => {
                report.map_or(Ok(()), |report| self.take(report))
            }
            () = alarm.until(deadline_ns) => Err(BenchError::timed_out(what, CONNECT_LIMIT)),
        }
    }

    /// Plays the schedule from its beginning to its end.
    async fn play(&mut self, run: &Run<'_>, console: &Console<'_>) -> Result<(), BenchError> {
        self.begin()?;
        let has_others = self.scenario.networks.iter().any(|network| network.line.is_some());
        console.schedule_begins(self.scenario.schedule.start, has_others);
        let timeline = self.clocks.timeline;
        let end_ns = timeline.instant(self.end(), self.senders.longest_lag());
        let mut batch = Vec::new();
        let mut tick_ns = timeline.origin_ns + TICK_NS;
        loop {
            let act_ns = self.acts.front().map_or(i64::MAX, |(at, _)| *at);
            let alarm = self.workers.alarm.clone();
            tokio::select! {
                biased;
                ended = self.workers.tasks.join_next() => ended_early(ended)?,
                () = alarm.until(act_ns.min(tick_ns).min(end_ns)) => {}
                _ = self.workers.reports.recv_many(&mut batch, BATCH) => {
                    self.take_all(&mut batch)?;
                    continue;
                }
                pending = run.next_page() => {
                    // Who asked may have gone away.
                    let _ = pending.reply.send(self.page(SimDuration::ZERO, pending.request).await);
                    continue;
                }
            }
            let now_ns = monotonic_ns();
            while let Some((at_ns, act)) = self.acts.pop_front_if(|(at, _)| *at <= now_ns) {
                // What the bench does late is a deadline missed like any other.
                let served_ns = monotonic_ns();
                let lateness_ns = served_ns - at_ns;
                let punctuality = &mut self.clocks.punctuality;
                punctuality.served(served_ns, lateness_ns, SimDuration::from_seconds(60));
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
                    let schedule = &self.scenario.schedule;
                    let verdicts = self.recording.verdicts_so_far(VERDICTS_EVERY, false);
                    let simulated = self.clocks.now() - schedule.start;
                    let wall = run.started.elapsed();
                    let progress = self.ledger.progress(simulated, wall, verdicts);
                    console.progress(schedule.duration, &progress);
                }
            }
        }
    }

    /// Sets the beginning of the schedule, and orders everybody to begin.
    fn begin(&mut self) -> Result<(), BenchError> {
        self.clocks.begin();
        self.recorder = recorder(self.scenario, &self.clocks, &self.observers)
            .with_linger(ten_limits_ns(self.scenario));
        // What came before belongs to nobody's event time.
        self.recording.events.clear();
        let timeline = self.clocks.timeline;
        let instant = |at| timeline.instant(timeline.start + at, SimDuration::ZERO);
        let acts = acts(self.scenario).into_iter();
        self.acts = acts.map(|(at, act)| (instant(at), act)).collect();
        self.senders.order(&Control::Begin(timeline));
        self.applications.begin(timeline, &mut self.workers)
    }

    /// Brings the record up to date: rows that are complete, readings that are settled.
    async fn update(&mut self, now_ns: i64) -> Result<(), BenchError> {
        self.access.under_test.ensure_running()?;
        self.recorder.take(now_ns, &mut self.recording.latency);
        self.read_refusals(now_ns).await?;
        let mut settled = Vec::new();
        let mut oldest = self.clocks.now();
        for index in 0..self.ledger.accounts.len() {
            let lag = self.senders.states[index].lag;
            let until = self.clocks.timeline.event_time(now_ns, lag) - SETTLE_AFTER;
            // What its device has got rid of may still be on its way into the store.
            self.senders.forget(index, now_ns);
            let until = self.senders.settled_until(index, until);
            oldest = oldest.min(until);
            self.settle(index, until, &mut settled);
        }
        self.recording.recorded = self.recording.recorded.max(oldest);
        self.recording.note_plant(self.clocks.now());
        self.recording.write(&self.ledger, &settled)
    }

    /// Processor time of the record per message that was published.
    pub(super) fn recorder_cpu_per_message_ns(&self) -> i64 {
        let published = i64::try_from(self.ledger.published.max(1)).unwrap_or(i64::MAX);
        self.recording.cpu_ns / published
    }
}
