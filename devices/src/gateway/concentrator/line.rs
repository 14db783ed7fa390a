//! One line of the concentrator: whom it asks, and when.
//!
//! Work is done one piece after another by the line's master. A poll that falls due while there is
//! work left begins after it; two polls never run at once.

use std::collections::VecDeque;

use lastmeter_mbus::baud::BaudRate;
use lastmeter_mbus::frame::PRIMARY_MAX;
use lastmeter_mbus::header::Identity;
use lastmeter_mbus::master::{Job, Master, MasterConfig, Outcome, Step, Target};
use lastmeter_units::{HardwareId, SimDuration, SimTime};

#[derive(Debug, Clone)]
pub(super) struct Meter {
    /// Its id, as far as it is known.
    pub(super) hardware_id: Option<HardwareId>,
    /// Its secondary address, as far as it is known.
    pub(super) identity: Option<Identity>,
    /// How it is asked; nothing while its primary address is not found.
    pub(super) target: Option<Target>,
    /// Polls without an answer since the last one with.
    pub(super) failures: i64,
}

impl Meter {
    pub(super) fn name(&self) -> String {
        match (&self.hardware_id, self.target) {
            (Some(id), _) => id.to_string(),
            (None, Some(Target::Primary(address))) => format!("primary address {address}"),
            (None, _) => "a meter without an address".to_owned(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Finds out who is there.
    Search,
    /// Reads the meter at this place.
    Read(usize),
    /// Notes that the meter at this place could not be read, unless its address was found.
    Missing(usize),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    pub(super) start: SimTime,
    pub(super) poll_every: SimDuration,
    /// How much later than due each poll begins.
    pub(super) poll_offset: SimDuration,
    pub(super) search_at_start: bool,
    pub(super) search_every: Option<SimDuration>,
    /// Meters are asked by their primary addresses.
    pub(super) primary: bool,
}

impl Schedule {
    /// When the first poll after an instant begins.
    fn next_poll(&self, now: SimTime) -> SimTime {
        next_due(self.start + self.poll_offset, self.poll_every, now)
    }
}

#[derive(Debug)]
pub(super) enum Next {
    Send(Vec<u8>),
    /// A piece of work is over; nothing was sent for a meter without an address.
    Concluded(Work, Option<Outcome>),
    /// A poll was due at this instant, and the work before it is not done.
    Late(SimTime),
    /// Nothing before [`Line::wake_at`], unless bytes come.
    Wait,
}

/// The master's side of one bus.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) baud: BaudRate,
    pub(super) meters: Vec<Meter>,
    /// No search has found anybody yet, or the last one did not.
    pub(super) found_nobody: bool,
    schedule: Schedule,
    master: Master,
    queue: VecDeque<Work>,
    running: Option<Work>,
    wait: Option<SimTime>,
    next_poll: SimTime,
    next_search: Option<SimTime>,
    poll_waits: bool,
    search_waits: bool,
    /// A poll has begun although a search was waiting.
    search_passed: bool,
    last_byte: Option<SimTime>,
}

/// The first instant after `now` at a whole number of periods, at least one, after the start.
fn next_due(start: SimTime, every: SimDuration, now: SimTime) -> SimTime {
    let passed = (now - start).0.max(0) / every.0.max(1);
    start + every * (passed + 1)
}

impl Line {
    pub(super) fn new(config: MasterConfig, schedule: Schedule, meters: Vec<Meter>) -> Self {
        Self {
            baud: config.baud,
            meters,
            found_nobody: true,
            master: Master::new(config),
            queue: VecDeque::new(),
            running: None,
            wait: None,
            next_poll: schedule.next_poll(schedule.start),
            next_search: None,
            poll_waits: false,
            search_waits: schedule.search_at_start,
            search_passed: false,
            last_byte: None,
            schedule,
        }
    }

    /// Polls and searches that would have been due before are not made up for.
    pub(super) fn begin(&mut self, now: SimTime) {
        let Schedule { start, search_every, .. } = self.schedule;
        self.next_poll = self.schedule.next_poll(now);
        self.next_search = search_every.map(|every| next_due(start, every, now));
    }

    /// Somebody is at the other end: a search at the start that found nobody, or went on meanwhile,
    /// is made again.
    pub(super) fn up(&mut self) {
        let is_in_vain = self.found_nobody && !self.queue.contains(&Work::Search);
        if self.schedule.search_at_start && (is_in_vain || self.running == Some(Work::Search)) {
            self.search_waits = true;
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.running.is_some() || !self.queue.is_empty()
    }

    pub(super) fn wake_at(&self) -> SimTime {
        let wait = self.wait.filter(|_| self.is_busy());
        let dues = [wait, self.next_search].into_iter().flatten();
        dues.fold(self.next_poll, SimTime::min)
    }

    /// Bytes without a pause; the last one's stop bit ended at this instant.
    pub(super) fn bytes(&mut self, now: SimTime, bytes: &[u8]) {
        for (place, byte) in bytes.iter().enumerate() {
            let behind = self.baud.bytes(bytes.len() - 1 - place);
            let end = SimTime(now.0.saturating_sub(behind.0));
            let end = self.last_byte.map_or(end, |last| last.max(end));
            self.last_byte = Some(end);
            self.master.byte(end, *byte);
        }
    }

    pub(super) fn answered_at(&self) -> Option<SimTime> {
        self.master.answered_at()
    }

    /// What to do now; to be asked until it waits.
    pub(super) fn next(&mut self, now: SimTime) -> Next {
        if let Some(late) = self.take_due(now) {
            return Next::Late(late);
        }
        if self.running.is_none() {
            let Some(work) = self.queue.pop_front() else {
                self.wait = None;
                return Next::Wait;
            };
            let Some(job) = self.job(work) else { return Next::Concluded(work, None) };
            self.master.submit(job);
            self.running = Some(work);
        }
        match self.master.step(now) {
            Step::Send { bytes, .. } => {
                self.last_byte = None;
                return Next::Send(bytes);
            }
            Step::Wait(until) => self.wait = Some(until),
            Step::Idle => {}
        }
        if let Some(outcome) = self.master.finished()
            && let Some(work) = self.running.take()
        {
            return Next::Concluded(work, Some(outcome));
        }
        Next::Wait
    }

    /// Queues what is due; gives the instant of a poll that has to wait.
    fn take_due(&mut self, now: SimTime) -> Option<SimTime> {
        let Schedule { start, search_every, .. } = self.schedule;
        if let (Some(due), Some(every)) = (self.next_search, search_every)
            && now >= due
        {
            self.next_search = Some(next_due(start, every, now));
            self.search_waits = true;
        }
        let mut late = None;
        if now >= self.next_poll {
            late = Some(self.next_poll).filter(|_| self.is_busy());
            self.next_poll = self.schedule.next_poll(now);
            self.poll_waits = true;
        }
        // A poll goes before a search, but polls that take longer than their period only once.
        let is_passed = self.search_waits && self.search_passed;
        if !self.is_busy() && !is_passed && std::mem::take(&mut self.poll_waits) {
            self.search_passed = self.search_waits;
            // Those without an address last: the others' answers may show whose theirs are.
            let places = 0..self.meters.len();
            let has_target = |place: &usize| self.meters[*place].target.is_some();
            let (read, missing): (Vec<_>, Vec<_>) = places.partition(has_target);
            self.queue.extend(read.into_iter().map(Work::Read));
            self.queue.extend(missing.into_iter().map(Work::Missing));
        }
        if !self.is_busy() && std::mem::take(&mut self.search_waits) {
            self.search_passed = false;
            self.queue.push_back(Work::Search);
        }
        late
    }

    /// What the master is asked for; nothing where there is nobody to ask.
    fn job(&self, work: Work) -> Option<Job> {
        match work {
            Work::Search if self.schedule.primary => {
                Some(Job::Scan { first: 0, last: PRIMARY_MAX })
            }
            Work::Search => Some(Job::Search { among: Identity::ANY }),
            Work::Missing(_) => None,
            Work::Read(place) => {
                let meter = self.meters.get(place)?;
                Some(Job::Read { target: meter.target?, initialise: meter.failures > 0 })
            }
        }
    }

    /// Takes out a meter that turned out to be another one. Only for the meter that was read last:
    /// those behind it move up.
    pub(super) fn remove(&mut self, place: usize) {
        self.meters.remove(place);
        for work in &mut self.queue {
            if let Work::Read(other) | Work::Missing(other) = work
                && *other > place
            {
                *other -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_is_due_at_whole_periods_after_the_start() {
        let due = |now| next_due(SimTime(100), SimDuration(10), SimTime(now)).0;
        assert_eq!([0, 99, 100, 109, 110, 111].map(due), [110, 110, 110, 110, 120, 120]);
    }
}
