//! How a bench in real time takes in what its tasks report.

use std::collections::BTreeMap;

use lastmeter_language::tenant_prefix;
use lastmeter_link::impair::LegName;
use lastmeter_link::proxy::LinkRecord;
use lastmeter_record::{Event, EventKind, field};
use lastmeter_units::SimTime;
use serde_json::{Map, Value};

use super::bench::RealBench;
use super::observer::reading_of;
use super::report::Report;
use super::senders::{ObeyedCommand, PendingReading};
use crate::host;
use crate::run::error::BenchError;
use crate::run::ledger::StoredReading;

impl RealBench<'_> {
    /// Takes in what the tasks have reported, and counts the processor time it takes.
    pub(super) fn take_all(&mut self, batch: &mut Vec<Report>) -> Result<(), BenchError> {
        let began_ns = host::thread_cpu_ns();
        for report in batch.drain(..) {
            self.take(report)?;
        }
        self.recording.cpu_ns += host::thread_cpu_ns() - began_ns;
        Ok(())
    }

    /// Takes in what a task has reported.
    pub(super) fn take(&mut self, report: Report) -> Result<(), BenchError> {
        match report {
            Report::Unserved { count } => self.clocks.punctuality.never_served(count),
            Report::Due { at_ns, lateness_ns, period } => {
                self.clocks.punctuality.served(at_ns, lateness_ns, period);
            }
            Report::Reading { device, made } => {
                self.ledger.made(device, made)?;
                // On which messages somebody else puts it nobody here knows.
                if self.scenario.is_read_elsewhere(device) {
                    return Ok(());
                }
                let sender = &mut self.senders.states[device];
                let pending = PendingReading { due: made.at, given_up_ns: None };
                sender.held.insert((made.epoch, made.serial), pending);
                let intended_ns = self.clocks.timeline.instant(made.at, sender.lag);
                self.recorder.made((device, made.epoch, made.serial), intended_ns);
            }
            Report::Published { device, sent, at_ns, payload } => {
                self.ledger.published += 1;
                self.recorder.published((device, sent.key.0, sent.key.1), at_ns, &payload);
                self.ledger.sent(device, sent);
            }
            Report::Acknowledged { device, key, at_ns } => {
                if let Some(held) = self.senders.states[device].held.get_mut(&key) {
                    held.given_up_ns.get_or_insert(at_ns);
                }
                self.recorder.acknowledged((device, key.0, key.1), at_ns);
            }
            Report::Notice(news) => self.ledger.notices.take(news),
            Report::Idle { device, at_ns } => {
                self.senders.idle(device, at_ns);
                self.recorder.idle(device, at_ns);
            }
            Report::Finished => self.senders.finished += 1,
            Report::Played { facts, grid } => {
                self.simulators.push(facts);
                grid.map_or(Ok(()), |grid| self.recording.write_grid(&grid))?;
            }
            Report::Obeyed { device, invocation, at, at_ns } => {
                self.obeyed(ObeyedCommand { device, invocation, at, at_ns });
            }
            Report::Asked { of, device, request } => self.asked(&of, device, request),
            Report::Event(event) => self.recording.note(*event),
            Report::Captured(network, at, what) => self.recording.captured(network, at, what)?,
            Report::Answered { device, at, values } => self.answered(device, at, values),
            Report::Note { of, note } => self.recording.note(note.event(&of)),
            Report::Delivered { device } => self.senders.states[device].delivered += 1,
            Report::Connected { device, at_ns } => {
                self.senders.states[device].connections += 1;
                self.connection(device, at_ns, "connected", "");
            }
            Report::Disconnected { device, reason, at_ns } => {
                self.connection(device, at_ns, "lost", &reason);
            }
            Report::Received { observer, key, digest, at_ns } => {
                self.recorder.received(key, observer, digest, at_ns);
            }
            Report::Unreadable => self.observers.unreadable += 1,
            Report::ObserverConnected { connection } => self.observers.connected(connection),
            Report::ObserverDisconnected { observer, reason } => {
                self.observer_lost(observer, reason);
            }
            Report::Stored { page, at_ns } => self.stored(page, at_ns),
            Report::WrongAnswer { detail } => {
                self.recording.note(Event::wrong_answer(self.clocks.now(), &detail));
            }
            Report::Commanded { command, at_ns } => self.commanded(command, at_ns)?,
            Report::Command { id, state, at_ns } => self.command_ended(id, &state, at_ns),
            Report::Link { link, record } => self.passed(link, &record),
        }
        Ok(())
    }

    /// A device knows the invocation by what its tenant calls it.
    fn obeyed(&mut self, mut command: ObeyedCommand) {
        let prefix = tenant_prefix(&self.scenario.devices[command.device].tenant);
        command.invocation.insert_str(0, &prefix);
        self.senders.obeyed.push(command);
    }

    /// A device of the bench has answered somebody else: what comes of it has to be that.
    fn answered(&mut self, device: usize, at: SimTime, values: BTreeMap<String, f64>) {
        let name = self.scenario.devices[device].name.as_str();
        let reported = values.iter().map(|(id, value)| (id.clone(), Value::from(*value)));
        let event = Event::new(at, name, EventKind::Answered).with(field::DEVICE, name);
        self.recording.note(event.with(field::VALUES, reported.collect::<Map<String, Value>>()));
        self.ledger.accounts[device].answered(at, values);
    }

    fn observer_lost(&mut self, observer: usize, reason: String) {
        let name = &self.scenario.observers[observer].name;
        let event = Event::new(self.clocks.now(), format!("observer:{name}"), EventKind::Lost);
        self.recording.note(event.with_prose(field::DETAIL, reason));
    }

    fn connection(&mut self, device: usize, at_ns: i64, what: &str, detail: &str) {
        let at = self.clocks.event_time(at_ns);
        let name = &self.scenario.devices[device].name;
        self.recording.note(Event::device(at, name, what, detail));
    }

    fn passed(&mut self, link: usize, record: &LinkRecord) {
        let LinkRecord::Publish { lane, leg, topic, payload, in_ns, out_ns } = record else {
            return;
        };
        let found = reading_of(topic, payload, &self.senders.by_name);
        let Some((key, digest)) = found else { return };
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

    /// Notes of what came why it is not what a device of the bench answered on its line.
    fn note_unanswered(&mut self, page: &[StoredReading]) {
        for reading in page {
            let device = self.senders.by_name.get(&reading.device);
            let Some(account) = device.map(|device| &self.ledger.accounts[*device]) else {
                continue;
            };
            if let Some(what) = account.unanswered(reading) {
                let (name, epoch, serial) = reading.key();
                let event = Event::new(self.clocks.now(), "platform", EventKind::NotAnswered)
                    .with(field::DEVICE, name)
                    .with(field::EPOCH, epoch)
                    .with(field::SERIAL, serial)
                    .with(field::WHAT, what);
                self.recording.note(event);
            }
        }
    }

    fn stored(&mut self, page: Vec<StoredReading>, at_ns: i64) {
        for reading in &page {
            let (Some(epoch), Some(serial)) = (reading.epoch, reading.serial) else { continue };
            let Some(&device) = self.senders.by_name.get(&reading.device) else { continue };
            // The clock of a platform somewhere else means nothing here.
            let is_own = self.access.under_test.is_own();
            let committed = reading.commit_time.filter(|_| is_own);
            let committed = committed.map(|at| self.clocks.at_wall(at));
            // Other values than were sent are not the reading that was sent.
            if !self.ledger.accounts[device].is_as_sent(reading) {
                continue;
            }
            self.recorder.readable((device, epoch, serial), committed, at_ns);
            self.senders.states[device].held.remove(&(epoch, serial));
        }
        self.note_unanswered(&page);
        self.recording.events.extend(self.ledger.stored(page, self.clocks.now()));
    }
}
