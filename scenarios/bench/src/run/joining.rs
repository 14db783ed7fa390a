//! The ledger of a run: every device's account of what was due, made, sent and stored, and what
//! they amount to.

use std::time::Duration;

use lastmeter_language::Scenario;
use lastmeter_record::{Counts, Event};
use lastmeter_units::SimTime;
use serde_json::{Map, Value, json};

use super::carried::Carried;
use super::commands::OpenCommand;
use super::console::Progress;
use super::error::BenchError;
use super::ledger::{
    Account, AnnouncedReading, Row, SentReading, StoredReading, Tally, take_readings,
};
use super::notices::Notices;
use super::rest::RefusedMessage;

/// The accounts of all devices, in the scenario's order.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) accounts: Vec<Account>,
    pub(crate) settled: Tally,
    pub(crate) published: u64,
    refused: u64,
    /// Alerts, and answers to commands.
    pub(crate) notices: Notices,
}

impl Ledger {
    /// Without the accounts of the devices, which follow.
    pub(crate) fn of(scenario: &Scenario) -> Self {
        Self { notices: Notices::of(scenario), ..Self::default() }
    }

    /// Takes what a device hands over about a reading.
    pub(crate) fn made(&mut self, device: usize, made: AnnouncedReading) -> Result<(), BenchError> {
        let account = &mut self.accounts[device];
        account.made(made).map_err(|message| BenchError::device(&account.terms.device, message))
    }

    /// Takes a reading as it left its device.
    pub(crate) fn sent(&mut self, device: usize, sent: SentReading) {
        self.accounts[device].sent(sent);
    }

    /// Takes a frame of a reading that has reached its gateway.
    pub(crate) fn carried(&mut self, device: usize, carried: Carried) {
        self.accounts[device].carried(carried);
    }

    /// Takes what the platform gave back; the events of what belongs to no device.
    pub(crate) fn stored(&mut self, readings: Vec<StoredReading>, now: SimTime) -> Vec<Event> {
        let mut events = Vec::new();
        take_readings(readings, &mut self.accounts, now, &mut events);
        events
    }

    /// Counts something the platform refused, and returns what is noted of it.
    pub(crate) fn refused(&mut self, refused: &RefusedMessage, at: SimTime) -> Event {
        self.refused += 1;
        Event::refused(
            at,
            &refused.reason,
            refused.device.as_deref(),
            refused.topic.as_deref().unwrap_or_default(),
            refused.detail.as_deref().unwrap_or_default(),
        )
    }

    /// Joins what one device owed up to an instant; the numbers and instants of readings that were
    /// due and never made.
    pub(crate) fn settle(
        &mut self,
        device: usize,
        until: SimTime,
        rows: &mut Vec<Row>,
    ) -> Vec<(u64, SimTime)> {
        let account = &mut self.accounts[device];
        self.settled += account.settle(until, rows);
        account.take_never_made()
    }

    /// What an obeyed command promises is from an instant on what the bench expects.
    pub(crate) fn follow<T>(&mut self, command: &OpenCommand<T>, at: SimTime) {
        if let Some(period) = command.new_period() {
            self.accounts[command.device].change_period(at, period);
        }
    }

    pub(crate) fn progress(
        &self,
        simulated: lastmeter_units::SimDuration,
        wall: Duration,
        verdicts: Counts,
    ) -> Progress {
        Progress {
            simulated,
            wall,
            published: self.published,
            settled: self.settled,
            refused: self.refused,
            verdicts,
        }
    }

    /// Figures of the run, for `run.json` only.
    pub(crate) fn measured(&self, wall: Duration, more: Value) -> Map<String, Value> {
        let own = json!({
            "wall_s": wall.as_secs_f64(),
            "messages_published": self.published,
            "readings_due": self.settled.due,
            "readings_stored": self.settled.stored,
            "readings_missing": self.settled.missing,
            "readings_unexpected": self.settled.unexpected,
            "refused": self.refused,
        });
        let maps = [own, more].into_iter().filter_map(|value| match value {
            Value::Object(map) => Some(map),
            _ => None,
        });
        maps.flatten().collect()
    }
}
