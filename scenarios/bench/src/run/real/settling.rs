//! Joins what was due with what came back, once nothing more can come.

use lastmeter_link::clock::monotonic_ns;
use lastmeter_units::{SimDuration, SimTime};

use super::bench::{BATCH, RealBench, TICK_NS};
use super::grace::grace_ns;
use super::sender::Control;
use super::workers::ended_early;
use crate::run::console::Console;
use crate::run::error::BenchError;
use crate::run::ledger::Row;
use crate::run::rest::RefusedMessage;

/// How long the platform may not report its refusals before the bench is broken.
const SILENCE_LIMIT_NS: i64 = 60_000_000_000;

/// How often a platform is asked whether it has decided on everything.
const COMMIT_POLL_NS: i64 = 20_000_000;

/// How long a platform that does not report how far it is may take over its last messages.
const SILENT_COMMIT_NS: i64 = 2_000_000_000;

impl RealBench<'_> {
    /// Takes in what the platform has refused, and the alerts and results that it has. It may be
    /// starting again after a kill, and is then asked once more; a platform that does not answer
    /// for long breaks the bench.
    pub(super) async fn read_refusals(&mut self, now_ns: i64) -> Result<(), BenchError> {
        match self.take_refusals_and_alerts().await {
            Ok(()) => {
                self.access.refusals_read_ns = now_ns;
                Ok(())
            }
            Err(error @ BenchError::WrongAnswer(_)) => Err(error),
            Err(error) if now_ns - self.access.refusals_read_ns > SILENCE_LIMIT_NS => Err(error),
            Err(_) => Ok(()),
        }
    }

    /// Each list as soon as it is read: what was read once is not given again.
    async fn take_refusals_and_alerts(&mut self) -> Result<(), BenchError> {
        for refused in self.access.rest.refusals().await? {
            self.refused(&refused);
        }
        let alerts = self.access.rest.alerts().await?;
        self.ledger.notices.stored(&alerts);
        if self.ledger.notices.has_blocks() {
            let blocks = self.access.rest.blocks().await?;
            self.ledger.notices.stored(&blocks);
        }
        let (start, now) = (self.scenario.schedule.start, self.clocks.now());
        // An alert without a date has the platform's, which is the wall clock's here.
        self.recording.note_alerts(alerts, now, |at| (start..=now).contains(&at));
        if !self.scenario.applications.is_empty() {
            for result in self.access.rest.results().await? {
                let at = self.clocks.event_time(self.clocks.at_wall(result.received_time));
                self.recording.note_result(&result, self.scenario, (at, now));
            }
        }
        self.recording.note_wrong_answers(now, &mut self.access.rest);
        Ok(())
    }

    /// Waits for what is still on its way, so long as it may still come.
    pub(super) async fn drain(&mut self, console: &Console<'_>) -> Result<(), BenchError> {
        self.senders.order(&Control::Finish);
        let grace_ns = grace_ns(self.scenario);
        let deadline_ns = monotonic_ns() + grace_ns;
        let mut has_reported = false;
        let mut batch = Vec::new();
        loop {
            let now_ns = monotonic_ns();
            let is_quiet = self.senders.are_quiet()
                && self.recorder.pending() == 0
                && self.commands.open().is_empty();
            if is_quiet || now_ns >= deadline_ns {
                break;
            }
            if !std::mem::replace(&mut has_reported, true) {
                let open = self.recorder.pending() + self.ledger.notices.under_way();
                let seconds = grace_ns / 1_000_000_000;
                console.remark(&format!(
                    "the schedule is over; waiting up to {seconds} s for {open} messages"
                ));
            }
            let alarm = self.workers.alarm.clone();
            tokio::select! {
                biased;
                ended = self.workers.tasks.join_next() => ended_early(ended)?,
                () = alarm.until(deadline_ns.min(now_ns + TICK_NS)) => {}
                _ = self.workers.reports.recv_many(&mut batch, BATCH) => {
                    self.take_all(&mut batch)?;
                }
            }
        }
        self.clocks.waited_until_ns = monotonic_ns() - self.clocks.timeline.origin_ns;
        self.wait_for_commits(deadline_ns).await?;
        // The last word on what was refused and on alerts; without it nothing is known of them.
        self.ledger.notices.close();
        self.take_refusals_and_alerts().await?;
        let late = self.recorder.pending();
        if late > 0 {
            console.remark(&format!("{late} messages did not arrive within the time of grace"));
        }
        Ok(())
    }

    /// Returns once the platform has decided on everything it has taken over: what arrived last is
    /// refused last.
    async fn wait_for_commits(&mut self, deadline_ns: i64) -> Result<(), BenchError> {
        let alarm = self.workers.alarm.clone();
        while monotonic_ns() < deadline_ns {
            match self.access.rest.in_flight_bytes().await? {
                Some(0) => break,
                Some(_) => alarm.until(deadline_ns.min(monotonic_ns() + COMMIT_POLL_NS)).await,
                None => {
                    // It does not report it.
                    alarm.until(deadline_ns.min(monotonic_ns() + SILENT_COMMIT_NS)).await;
                    break;
                }
            }
        }
        Ok(())
    }

    fn refused(&mut self, refused: &RefusedMessage) {
        let now = self.clocks.now();
        // The platform's clock is the wall clock here, event time is the scenario's.
        let start = self.scenario.schedule.start;
        let at = refused.event_time.filter(|at| (start..=now).contains(at));
        self.recording.note(self.ledger.refused(refused, at.unwrap_or(now)));
    }

    /// Of a run that was ended early: what was due is settled up to the first reading that is still
    /// on its way.
    pub(super) fn settle_what_is_back(&mut self, end: SimTime, rows: &mut Vec<Row>) {
        let now_ns = monotonic_ns();
        let mut oldest = end;
        for index in 0..self.ledger.accounts.len() {
            // A device may just be about to make one.
            let now = self.clocks.timeline.event_time(now_ns, self.senders.states[index].lag);
            let until = (now - SimDuration::from_seconds(1)).min(end);
            let until = self.senders.settled_until(index, until);
            oldest = oldest.min(until);
            self.settle(index, until, rows);
        }
        self.recording.recorded = self.recording.recorded.max(oldest);
    }

    /// Joins what a device owed up to an instant, if anything was due by then.
    pub(super) fn settle(&mut self, index: usize, until: SimTime, rows: &mut Vec<Row>) {
        if until <= self.scenario.schedule.start {
            return;
        }
        let never_made = self.ledger.settle(index, until, rows);
        if self.scenario.is_read_elsewhere(index) {
            return;
        }
        for (number, at) in never_made {
            let intended_ns = self.clocks.timeline.instant(at, self.senders.states[index].lag);
            let rows = &mut self.recording.latency;
            self.recorder.never_made(index, number, intended_ns, rows);
        }
    }
}
