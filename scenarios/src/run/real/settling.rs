//! Joins what was due with what came back, once nothing more can come.

use std::collections::BTreeMap;

use lastmeter_link::clock::monotonic_ns;
use lastmeter_record::Event;
use lastmeter_units::{SimDuration, SimTime};

use super::bench::{BATCH, Held, RealBench, TICK_NS, ended_early};
use super::grace::grace_ns;
use super::sender::Control;
use crate::run::console::Console;
use crate::run::error::BenchError;
use crate::run::ledger::Row;
use crate::run::rest::Refused;

/// How long the platform may not tell its refusals before the bench is broken.
const SILENCE_LIMIT_NS: i64 = 60_000_000_000;

/// How often a platform is asked whether it has decided on everything.
const COMMIT_POLL_NS: i64 = 20_000_000;

/// How long a platform that does not tell how far it is may take over its last messages.
const SILENT_COMMIT_NS: i64 = 2_000_000_000;

impl RealBench<'_> {
    /// Takes in what the platform has refused. It may be starting again after a kill, and is then
    /// asked once more; a platform that does not answer for long breaks the bench.
    pub(super) async fn read_refusals(&mut self, now_ns: i64) -> Result<(), BenchError> {
        match self.parts.rest.refusals().await {
            Ok(refusals) => {
                self.refusals_read_ns = now_ns;
                for refused in &refusals {
                    self.refused(refused);
                }
                self.note_wrong_refusals();
                Ok(())
            }
            Err(error @ BenchError::WrongAnswer(_)) => Err(error),
            Err(error) if now_ns - self.refusals_read_ns > SILENCE_LIMIT_NS => Err(error),
            Err(_) => Ok(()),
        }
    }

    fn note_wrong_refusals(&mut self) {
        for detail in self.parts.rest.take_wrong() {
            self.note(Event::wrong_answer(self.now(), &detail));
        }
    }

    /// Waits for what is still on its way, so long as it may still come.
    pub(super) async fn drain(&mut self, console: &Console) -> Result<(), BenchError> {
        for control in &self.parts.controls {
            let _ = control.send(Control::Finish);
        }
        let grace_ns = grace_ns(self.scenario);
        let deadline_ns = monotonic_ns() + grace_ns;
        let mut has_told = false;
        let mut batch = Vec::new();
        loop {
            let now_ns = monotonic_ns();
            let has_sent_all =
                |held: &BTreeMap<_, Held>| held.values().all(|held| held.given_up_ns.is_some());
            // A device may hold what is no reading, such as what a fault made it send.
            let is_quiet = self.finished == self.parts.devices.len()
                && self.held.iter().all(has_sent_all)
                && self.recorder.pending() == 0
                && self.commands.is_empty();
            if is_quiet || now_ns >= deadline_ns {
                break;
            }
            if !std::mem::replace(&mut has_told, true) {
                let (open, seconds) = (self.recorder.pending(), grace_ns / 1_000_000_000);
                console.remark(&format!(
                    "the schedule is over; waiting up to {seconds} s for {open} messages"
                ));
            }
            let alarm = self.parts.alarm.clone();
            tokio::select! {
                biased;
                ended = self.parts.tasks.join_next() => ended_early(ended)?,
                () = alarm.until(deadline_ns.min(now_ns + TICK_NS)) => {}
                _ = self.parts.reports.recv_many(&mut batch, BATCH) => {
                    self.take_all(&mut batch)?;
                }
            }
        }
        self.waited_until_ns = monotonic_ns() - self.timeline.origin_ns;
        self.wait_for_commits(deadline_ns).await?;
        // The last word on what was refused; without it nothing can be said about refusals.
        for refused in self.parts.rest.refusals().await? {
            self.refused(&refused);
        }
        self.note_wrong_refusals();
        let late = self.recorder.pending();
        if late > 0 {
            console.remark(&format!("{late} messages did not arrive within the time of grace"));
        }
        Ok(())
    }

    /// Returns once the platform has decided on everything it has taken over: what arrived last is
    /// refused last.
    async fn wait_for_commits(&mut self, deadline_ns: i64) -> Result<(), BenchError> {
        let alarm = self.parts.alarm.clone();
        while monotonic_ns() < deadline_ns {
            match self.parts.rest.in_flight_bytes().await? {
                Some(0) => break,
                Some(_) => alarm.until(deadline_ns.min(monotonic_ns() + COMMIT_POLL_NS)).await,
                None => {
                    // It does not tell.
                    alarm.until(deadline_ns.min(monotonic_ns() + SILENT_COMMIT_NS)).await;
                    break;
                }
            }
        }
        Ok(())
    }

    pub(super) fn refused(&mut self, refused: &Refused) {
        self.totals.refused += 1;
        let now = self.now();
        // The platform's clock is the wall clock here, event time is the scenario's.
        let told =
            refused.event_time.filter(|at| (self.scenario.schedule.start..=now).contains(at));
        self.note(Event::refused(
            told.unwrap_or(now),
            &refused.reason,
            refused.device.as_deref(),
            refused.topic.as_deref().unwrap_or_default(),
            refused.detail.as_deref().unwrap_or_default(),
        ));
    }

    /// Of a run that was ended early: what was due is settled up to the first reading that is still
    /// on its way.
    pub(super) fn settle_what_is_back(&mut self, end: SimTime, rows: &mut Vec<Row>) {
        let now_ns = monotonic_ns();
        let mut oldest = end;
        for index in 0..self.parts.accounts.len() {
            // A device may just be about to make one.
            let now = self.timeline.event_time(now_ns, self.parts.lags[index]);
            let until = (now - SimDuration::from_seconds(1)).min(end);
            let held = self.held[index].values().map(|held| held.due).min();
            let until = held.map_or(until, |held| until.min(held - SimDuration(1)));
            oldest = oldest.min(until);
            if until > self.scenario.schedule.start {
                self.settle(index, until, rows);
            }
        }
        self.recorded = self.recorded.max(oldest);
    }

    pub(super) fn settle(&mut self, index: usize, until: SimTime, rows: &mut Vec<Row>) {
        let account = &mut self.parts.accounts[index];
        self.totals.settled += account.settle(until, rows);
        for (number, at) in account.take_never_made() {
            let intended_ns = self.timeline.instant(at, self.parts.lags[index]);
            self.recorder.never_made(index, number, intended_ns, &mut self.rows);
        }
    }
}
