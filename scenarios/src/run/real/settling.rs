//! Joins what was due with what came back, once nothing more can come.

use lastmeter_link::clock::monotonic_ns;
use lastmeter_reports::Event;
use lastmeter_units::{SimDuration, SimTime};

use super::bench::RealBench;
use crate::run::error::BenchError;
use crate::run::ledger::Row;
use crate::run::rest::Refused;

/// How long the platform may not tell its refusals before the bench is broken.
const SILENCE_LIMIT_NS: i64 = 60_000_000_000;

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
                Ok(())
            }
            Err(error) if now_ns - self.refusals_read_ns > SILENCE_LIMIT_NS => Err(error),
            Err(_) => Ok(()),
        }
    }

    pub(super) fn refused(&mut self, refused: &Refused) {
        self.totals.refused += 1;
        let now = self.now();
        // The platform's clock is the wall clock here, event time is the scenario's.
        let told = refused.event_time.filter(|at| (self.scenario.start..=now).contains(at));
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
            if until > self.scenario.start {
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
