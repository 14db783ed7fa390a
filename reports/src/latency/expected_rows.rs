//! How many messages the record has to have: readings that were due, and commands that were given.
//!
//! Terms: a row of the latency record is *expected* for each reading that was due, whatever became
//! of it, on each path, and for each command. A share of late messages is worth something only if
//! no row is missing, so what `latency.csv` has is compared with what `observations.csv` and
//! `events.jsonl` show. Each device lags behind the schedule by some time of its own (so that not
//! all send at once), which follows from any of its readings that has a row.
//!
//! Memory: readings that follow one another at one distance are kept as one series, so a device
//! costs a few words, and a few more for each change of its period and each reading it never made.

use lastmeter_units::{Epoch, Serial, SimTime};

use super::judge::Judgement;
use super::population::{Population, Sender};
use crate::by_device::ByDevice;
use crate::verdict::{Because, Reason};
use lastmeter_params::Pattern;
use lastmeter_record::{
    Event, EventKind, LatencyPath, Observation, RunFacts, Status, TimeMode, field,
};
use lastmeter_text::plural;

/// What the rest of the record shows was due or given.
#[derive(Debug)]
pub(crate) struct ExpectedRows {
    /// In virtual time no share is judged.
    is_judged: bool,
    start: SimTime,
    readings: ByDevice<Vec<ReadingSeries>>,
    commands: u64,
}

/// Readings of a device that were due one after the other at one distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ReadingSeries {
    /// The number of the first; `None`: never made.
    number: Option<(Epoch, Serial)>,
    /// When the first was due, since the schedule began, in ns; without the device's lag.
    first_ns: i64,
    step_ns: i64,
    count: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MissingRows {
    /// How many of those due have a row.
    rows: u64,
    /// Readings that were due in the judged time, or commands that were given in the run.
    due: u64,
    /// Of readings: the first device that lacks some, with the same two numbers.
    device: Option<(String, u64, u64)>,
}

impl MissingRows {
    pub(crate) fn count(&self) -> u64 {
        self.due - self.rows
    }

    /// What holds of a judgement of the rows that are there: a fail that it would be with the
    /// missing ones in time, and what speaks against the run itself.
    pub(crate) fn outweighs(&self, conclusion: Because, judged: &Judgement) -> Because {
        let is_judged = conclusion.reason == judged.reason();
        let n = judged.tally.n + self.count();
        let fails = judged.status == Status::Fail && judged.fails_with(judged.tally.over, n);
        if is_judged && !fails { self.because() } else { conclusion }
    }

    /// As the reason of a verdict.
    pub(crate) fn because(&self) -> Because {
        let Self { rows, due, .. } = *self;
        let found = format!("the record is incomplete: latency.csv has {rows} of");
        let why = match &self.device {
            Some((device, rows, of)) => {
                let readings = plural(due, "reading");
                format!(
                    "{found} {readings} due in the judged time (device {device}: {rows} of {of})"
                )
            }
            None => format!("{found} {} given", plural(due, "command")),
        };
        Because::new(Reason::Incomplete, why)
    }
}

impl ReadingSeries {
    /// Takes one more reading if it follows.
    fn extend(&mut self, number: Option<(Epoch, Serial)>, at_ns: i64) -> bool {
        let first_step_ns = at_ns.saturating_sub(self.first_ns);
        let step_ns = if self.count == 1 { first_step_ns } else { self.step_ns };
        let follows = match (self.number, number) {
            (None, None) => true,
            (Some((epoch, first)), Some((other, serial))) => {
                epoch == other && Some(serial.0) == first.0.checked_add(self.count)
            }
            _ => false,
        };
        let next_ns = Self { step_ns, ..*self }.place_ns(self.count);
        let extends = follows && step_ns > 0 && next_ns == at_ns;
        if extends {
            self.step_ns = step_ns;
            self.count += 1;
        }
        extends
    }

    /// When a reading was due; `None` if it is none of these.
    fn due_ns(&self, epoch: Epoch, serial: Serial) -> Option<i64> {
        let (own, first) = self.number?;
        let place = serial.0.checked_sub(first.0).filter(|place| *place < self.count)?;
        (own == epoch).then(|| self.place_ns(place))
    }

    /// When the one at a place was due; each place was one of an instant of the record.
    fn place_ns(&self, place: u64) -> i64 {
        let since_ns = self.step_ns.saturating_mul(i64::try_from(place).unwrap_or(i64::MAX));
        self.first_ns.saturating_add(since_ns)
    }

    /// How many were due in a stretch of time, both ends included.
    fn count_in(&self, from_ns: i64, to_ns: i64) -> u64 {
        let step_ns = self.step_ns.max(1);
        // Those at or before an instant.
        let until = |at_ns: i64| match at_ns.checked_sub(self.first_ns) {
            Some(since_ns) if since_ns >= 0 => (since_ns / step_ns) as u64 + 1,
            _ => 0,
        };
        let upto = |at_ns: i64| until(at_ns).min(self.count);
        upto(to_ns).saturating_sub(upto(from_ns.saturating_sub(1)))
    }
}

impl ExpectedRows {
    pub(crate) fn new(facts: &RunFacts, devices: Pattern) -> Self {
        Self {
            is_judged: facts.time == TimeMode::Real || facts.real_time.is_some(),
            start: facts.start,
            readings: ByDevice::new(devices),
            commands: 0,
        }
    }

    /// Takes the next value of the record: each reading that was due is taken once.
    pub(crate) fn observation(&mut self, observation: &Observation<'_>) {
        if !self.is_judged || observation.reference.is_none() {
            return;
        }
        let Some(series) = self.readings.entry(observation.device) else { return };
        let at_ns = (observation.event_time - self.start).0;
        let number = observation.epoch.zip(observation.serial);
        if let Some(last) = series.last_mut() {
            let is_same = match (last.number, number) {
                (Some((epoch, first)), Some((other, serial))) => {
                    epoch == other && Some(serial.0) == first.0.checked_add(last.count - 1)
                }
                (None, None) => last.place_ns(last.count - 1) == at_ns,
                _ => false,
            };
            // Another value of the reading before, or the next reading.
            if is_same || last.extend(number, at_ns) {
                return;
            }
        }
        series.push(ReadingSeries { number, first_ns: at_ns, step_ns: 0, count: 1 });
    }

    pub(crate) fn event(&mut self, event: &Event) {
        let device = event.text(field::DEVICE).filter(|_| event.kind == EventKind::Command);
        let is_wanted = |device: &str| self.readings.pattern.matches(device);
        self.commands += u64::from(self.is_judged && device.is_some_and(is_wanted));
    }

    /// The rows that are missing of a population of this path, by the devices that it is about.
    pub(crate) fn missing(
        &self,
        path: &str,
        population: &Population,
        is_about: impl Fn(&str) -> bool,
    ) -> Option<MissingRows> {
        if path == LatencyPath::COMMAND {
            let rows = population.n() + population.warm_up.n() + population.outside;
            let due = self.commands;
            return (rows < due).then_some(MissingRows { rows, due, device: None });
        }
        let window = population.window;
        let (mut found, mut all, mut first) = (0, 0, None);
        for (device, series) in self.readings.iter().filter(|(device, _)| is_about(device)) {
            let sender = population.sender(device);
            let lag_ns = sender.map_or(0, |sender| lag_ns(sender, series));
            let from_ns = window.from_ns.saturating_sub(lag_ns);
            let to_ns = window.to_ns.saturating_sub(lag_ns);
            let due: u64 = series.iter().map(|one| one.count_in(from_ns, to_ns)).sum();
            let rows = sender.map_or(0, |sender| sender.rows);
            found += rows.min(due);
            all += due;
            if rows < due && first.is_none() {
                first = Some((device.to_owned(), rows, due));
            }
        }
        first.map(|device| MissingRows { rows: found, due: all, device: Some(device) })
    }
}

/// How far a device lags behind the schedule; 0 if nothing shows it.
fn lag_ns(sender: &Sender, series: &[ReadingSeries]) -> i64 {
    let Some((epoch, serial, intended_ns)) = sender.numbered else { return 0 };
    let due_ns = series.iter().find_map(|one| one.due_ns(epoch, serial));
    due_ns.map_or(0, |due_ns| intended_ns.saturating_sub(due_ns))
}

#[cfg(test)]
#[path = "expected_rows_tests.rs"]
mod tests;
