//! How a bench in real time takes in what its tasks report.

use lastmeter_link::impair::LegName;
use lastmeter_link::proxy::LinkRecord;
use lastmeter_record::{Event, EventKind, field};

use super::bench::RealBench;
use super::observer::reading_of;
use super::report::Report;
use super::senders::{Obeyed, PendingReading};
use crate::run::error::BenchError;
use crate::run::host;
use crate::run::ledger::Stored;

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
            Report::Made { device, made } => {
                self.ledger.made(device, made)?;
                // On which messages somebody else puts it nobody here knows.
                if self.scenario.is_read_elsewhere(device) {
                    return Ok(());
                }
                let sender = &mut self.senders.states[device];
                let held = PendingReading { due: made.at, given_up_ns: None };
                sender.held.insert((made.epoch, made.serial), held);
                let intended_ns = self.clocks.timeline.instant(made.at, sender.lag);
                self.recorder.made((device, made.epoch, made.serial), intended_ns);
            }
            Report::Published { device, sent, at_ns, payload } => {
                let (epoch, serial) = sent.key;
                self.ledger.published += 1;
                self.recorder.published((device, epoch, serial), at_ns, &payload);
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
                if let Some(grid) = grid {
                    self.recording.write_grid(&grid)?;
                }
            }
            Report::Obeyed { device, invocation, at, at_ns } => {
                self.senders.obeyed.push(Obeyed { device, invocation, at, at_ns });
            }
            Report::Operated(event) => self.recording.note(*event),
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
            Report::Command { id, state, at_ns } => self.command_ended(id, &state, at_ns),
            Report::Link { link, record } => self.passed(link, &record),
        }
        Ok(())
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
        let LinkRecord::Publish { lane, leg, payload, in_ns, out_ns } = record else {
            return;
        };
        let Some((key, digest)) = reading_of(payload, &self.senders.by_name) else { return };
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

    fn stored(&mut self, page: Vec<Stored>, at_ns: i64) {
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
        self.recording.events.extend(self.ledger.stored(page, self.clocks.now()));
    }
}
