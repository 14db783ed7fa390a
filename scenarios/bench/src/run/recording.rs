//! What is written of a run while it goes, and the checks that watch it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::ops::Bound;
use std::path::PathBuf;
use std::time::Duration;

use lastmeter_can::capture::Captured;
use lastmeter_language::{RecordRules, Scenario};
use lastmeter_record::{Counts, Event, EventKind, GridRecord, RunWriter, field};
use lastmeter_units::{SimDuration, SimTime};

use super::alerts::{self, AlertsRead};
use super::error::BenchError;
use super::joining::Ledger;
use super::latency_row::LatencyRecord;
use super::ledger::Row;
use super::live::Live;
use super::plant_notes;
use super::results::StoredResult;
use super::signals::Signals;
use super::tenants::RestOfAll;
use super::thinning::{Kept, Thinning};
use crate::capture::BusCaptures;
use crate::host;

pub(crate) struct Recording {
    writer: RunWriter,
    captures: BusCaptures,
    signals: Signals,
    pub(crate) live: Live,
    /// Leaves rows out, where the scenario has rules for that.
    thinning: Option<Thinning>,
    /// Noted, and not yet written.
    pub(crate) events: Vec<Event>,
    /// What is known ahead of the plant, in order of time.
    ahead: VecDeque<Event>,
    /// When meters work again whose supply is back, in order of time.
    starts: BTreeSet<SimTime>,
    /// The time of the last event that is written; the next ones stand at it or behind it.
    events_until: SimTime,
    /// Rows of the latency record that are not yet written.
    pub(crate) latency: Vec<LatencyRecord>,
    /// Up to when the record is complete.
    pub(crate) recorded: SimTime,
    pub(crate) observations: u64,
    pub(crate) latency_rows: u64,
    /// Processor time spent on taking in reports and writing the record.
    pub(crate) cpu_ns: i64,
}

impl Recording {
    pub(crate) fn new(
        mut writer: RunWriter,
        live: Live,
        scenario: &Scenario,
    ) -> Result<Self, BenchError> {
        let start = scenario.schedule.start;
        let rules = scenario.part::<RecordRules>();
        if rules.is_some() {
            writer.record_aggregates().map_err(BenchError::record)?;
        }
        let networks = scenario.networks.iter().enumerate();
        let networks = networks.filter(|(_, network)| network.is_captured());
        let networks = networks.map(|(number, network)| (number, network.name.as_str()));
        let captures = BusCaptures::create(writer.dir(), networks).map_err(uncaptured)?;
        let (signals, ahead) = (Signals::new(scenario), plant_notes::notes(scenario));
        Ok(Self {
            writer,
            thinning: rules.map(|rules| Thinning::new(rules.clone(), start)),
            captures,
            signals,
            live,
            events: Vec::new(),
            starts: starts(&ahead, scenario),
            ahead,
            events_until: start,
            latency: Vec::new(),
            recorded: start,
            observations: 0,
            latency_rows: 0,
            cpu_ns: 0,
        })
    }

    pub(crate) fn note(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Notes what has happened in the plant by an instant.
    pub(crate) fn note_plant(&mut self, now: SimTime) {
        while let Some(event) = self.ahead.pop_front_if(|event| event.time <= now) {
            self.events.push(event);
        }
    }

    /// When the plant, or a meter that starts after an outage, does something next behind an
    /// instant, as far as that is known.
    pub(crate) fn next_of_plant(&self, after: SimTime) -> Option<SimTime> {
        let next = self.ahead.front().map(|event| event.time);
        let start = self.starts.range((Bound::Excluded(after), Bound::Unbounded)).next().copied();
        next.into_iter().chain(start).min()
    }

    /// Notes what the platform has of alerts. Their own times are taken for event times if
    /// `is_event_time` states so of them; all others came at `now`.
    pub(crate) fn note_alerts(
        &mut self,
        read: AlertsRead,
        now: SimTime,
        is_event_time: impl Fn(SimTime) -> bool,
    ) {
        if read.is_newly_absent {
            self.note(alerts::unreadable(now));
        }
        for alert in read.alerts {
            let at = alert.event_time.filter(|at| is_event_time(*at)).unwrap_or(now);
            self.note(alert.event(at, self.events_until, now));
        }
    }

    /// Notes a result of an application, which came at an instant.
    pub(crate) fn note_result(
        &mut self,
        result: &StoredResult,
        scenario: &Scenario,
        (at, now): (SimTime, SimTime),
    ) {
        self.note(result.event(scenario, at.max(self.events_until).min(now)));
    }

    /// What the platform answered and could not be read is an event each.
    pub(crate) fn note_wrong_answers(&mut self, now: SimTime, rest: &mut RestOfAll) {
        for detail in rest.take_wrong() {
            self.note(Event::wrong_answer(now, &detail));
        }
    }

    /// Keeps what passed on the bus of a network, counted in the scenario.
    pub(crate) fn captured(
        &mut self,
        network: usize,
        at: SimTime,
        captured: Captured,
    ) -> Result<(), BenchError> {
        self.captures.take(network, at, captured).map_err(uncaptured)
    }

    /// Hands over what was noted and these rows; the writer sorts them.
    pub(crate) fn write(&mut self, ledger: &Ledger, rows: &[Row]) -> Result<(), BenchError> {
        let began_ns = host::thread_cpu_ns();
        for event in self.events.drain(..) {
            self.events_until = self.events_until.max(event.time);
            self.writer.event(&event);
            self.live.judge.event(&event);
        }
        let name = |device: usize| ledger.accounts[device].terms.device.as_str();
        match self.thinning.as_mut().map(|thinning| thinning.take(rows, name)) {
            Some(kept) => self.write_kept(ledger, &kept)?,
            None => self.write_rows(ledger, rows),
        }
        let (writer, live) = (&mut self.writer, &mut self.live);
        self.signals.take(rows, self.recorded, |sample| {
            live.judge.signal(sample);
            writer.signal(sample).map_err(BenchError::record)
        })?;
        for row in self.latency.drain(..) {
            self.writer.latency(&row.view()).map_err(BenchError::record)?;
            self.live.judge.latency(&row.view());
            self.latency_rows += 1;
        }
        self.captures.write().map_err(uncaptured)?;
        let written = self.writer.sync().map_err(BenchError::record);
        self.cpu_ns += host::thread_cpu_ns() - began_ns;
        written
    }

    /// Hands over what was held of rows that may be left out.
    pub(crate) fn release(&mut self, ledger: &Ledger) -> Result<(), BenchError> {
        let Some(kept) = self.thinning.as_mut().map(Thinning::finish) else { return Ok(()) };
        self.write_kept(ledger, &kept)
    }

    fn write_kept(&mut self, ledger: &Ledger, kept: &Kept) -> Result<(), BenchError> {
        self.write_rows(ledger, &kept.rows);
        for it in &kept.summed_up {
            let device = ledger.accounts[it.device].terms.device.as_str();
            self.writer.aggregate(&it.aggregate(device)).map_err(BenchError::record)?;
        }
        Ok(())
    }

    fn write_rows(&mut self, ledger: &Ledger, rows: &[Row]) {
        self.observations += rows.len() as u64;
        for row in rows {
            let account = &ledger.accounts[row.device];
            let observation = row.observation(&account.terms.device, account.way());
            self.writer.observation(&observation);
            self.live.judge.observation(&observation);
        }
    }

    /// How many checks stand at each status, were the run to end here; as it was not long ago
    /// unless this is its end.
    pub(crate) fn verdicts_so_far(&mut self, at_most_every: Duration, is_end: bool) -> Counts {
        let facts = self.writer.facts();
        if is_end { self.live.now(facts) } else { self.live.now_and_then(facts, at_most_every) }
    }

    /// Writes what flowed in the network that a simulator played.
    pub(crate) fn write_grid(&mut self, played: &GridRecord) -> Result<(), BenchError> {
        self.writer.grid(played).map_err(BenchError::record)
    }

    /// The writer, to finish the record.
    pub(crate) fn into_writer(self) -> RunWriter {
        self.writer
    }
}

/// A capture that cannot be written breaks the bench, as the rest of the record would.
fn uncaptured((path, error): (PathBuf, io::Error)) -> BenchError {
    BenchError::file("cannot write the capture", path)(error)
}

/// When meters work again whose supply is back: they report that.
fn starts(ahead: &VecDeque<Event>, scenario: &Scenario) -> BTreeSet<SimTime> {
    let boots: BTreeMap<&str, SimDuration> = scenario
        .devices
        .iter()
        .filter_map(|row| Some((row.name.as_str(), row.values.duration_opt("boot")?)))
        .collect();
    let returns = ahead.iter().filter(|event| event.kind == EventKind::SupplyReturned);
    let start = |event: &Event| Some(event.time + *boots.get(event.text(field::DEVICE)?)?);
    returns.filter_map(start).collect()
}
