//! How many messages the record owes: readings that were due, and commands that were given.
//!
//! Terms: a row of the latency record is *owed* for each reading that was due, whatever became of
//! it, on each path, and for each command. A share of late messages is only worth something if no
//! row is missing, so what `latency.csv` has is compared with what `observations.csv` and
//! `events.jsonl` say, per device. Each device lags behind the schedule by some time of its own
//! (so that not all send at once), which follows from any of its readings that has a row.
//!
//! Memory: readings that follow one another at one distance are kept as one stretch, so a device
//! costs a few words, and a few more for each change of its period and each reading it never made.

use std::collections::BTreeMap;

use lastmeter_units::{Epoch, Serial, SimTime};

use super::judge::Judgement;
use super::population::Window;
use crate::record::{Event, LatencyRow, Observation, Point, kind};
use crate::text::plural;
use crate::verdict::{Because, Reason, Status};

/// So many rows of a device are remembered to find its lag by.
const SAMPLES: usize = 4;

/// What the rest of the record says was due or given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owed {
    start: SimTime,
    readings: BTreeMap<String, Vec<Stretch>>,
    /// How many commands were given to each device.
    commands: BTreeMap<String, u64>,
}

/// Readings of a device that were due one after the other at one distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    /// The number of the first; `None`: never made.
    number: Option<(Epoch, Serial)>,
    /// When the first was due, since the schedule began, in ns; without the device's lag.
    first_ns: i64,
    step_ns: i64,
    count: u64,
}

/// The rows of one path, by device.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    by_device: BTreeMap<String, RowsOfDevice>,
}

#[derive(Clone, Debug, Default)]
struct RowsOfDevice {
    all: u64,
    /// Due in the judged window.
    judged: u64,
    samples: Vec<(Epoch, Serial, i64)>,
}

/// Rows that are not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// How many of those due have a row.
    rows: u64,
    /// Readings that were due in the judged window, or commands that were given in the run.
    due: u64,
    /// The first device that lacks some, with the same two numbers.
    device: (String, u64, u64),
    of_commands: bool,
}

impl Missing {
    /// How many are missing.
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
        let (device, rows, due) = &self.device;
        let what = match self.of_commands {
            true => format!("{} given", plural(self.due, "command")),
            false => format!("{} due in the judged time", plural(self.due, "reading")),
        };
        let why = format!(
            "the record is incomplete: latency.csv has {} of {what} (device {device}: {rows} of \
             {due})",
            self.rows,
        );
        Because::new(Reason::Incomplete, why)
    }
}

impl Stretch {
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

impl Owed {
    /// Of a run that began then.
    pub(crate) fn new(start: SimTime) -> Self {
        Self { start, ..Self::default() }
    }

    /// Takes the next value of the record: each reading that was due is taken once.
    pub(crate) fn observation(&mut self, observation: &Observation<'_>) {
        if observation.reference.is_none() {
            return;
        }
        let at_ns = (observation.event_time - self.start).0;
        let number = observation.epoch.zip(observation.serial);
        if !self.readings.contains_key(observation.device) {
            self.readings.insert(observation.device.to_owned(), Vec::new());
        }
        let Some(stretches) = self.readings.get_mut(observation.device) else { return };
        if let Some(last) = stretches.last_mut() {
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
        stretches.push(Stretch { number, first_ns: at_ns, step_ns: 0, count: 1 });
    }

    /// Takes the next event of the record.
    pub(crate) fn event(&mut self, event: &Event) {
        if event.kind == kind::COMMAND
            && let Some(device) = event.text("device")
        {
            *self.commands.entry(device.to_owned()).or_default() += 1;
        }
    }

    /// The rows of a path that are missing in the window, of devices that `wanted` names.
    pub(crate) fn missing(
        &self,
        path: &str,
        rows: &Rows,
        window: Window,
        wanted: impl Fn(&str) -> bool,
    ) -> Option<Missing> {
        let of_commands = path == "command";
        let readings_due = |(device, stretches): (&String, &Vec<Stretch>)| {
            let lag_ns = rows.lag_ns(device, stretches);
            let from_ns = window.from_ns.saturating_sub(lag_ns);
            let to_ns = window.to_ns.saturating_sub(lag_ns);
            stretches.iter().map(|stretch| stretch.count_in(from_ns, to_ns)).sum()
        };
        let due: Vec<(&String, u64)> = if of_commands {
            self.commands.iter().map(|(device, &given)| (device, given)).collect()
        } else {
            self.readings.iter().map(|of| (of.0, readings_due(of))).collect()
        };
        let (mut found, mut all, mut first) = (0, 0, None);
        for (device, due) in due.into_iter().filter(|(device, _)| wanted(device)) {
            let of_device = rows.by_device.get(device);
            let rows = of_device.map_or(0, |of| if of_commands { of.all } else { of.judged });
            found += rows.min(due);
            all += due;
            if rows < due && first.is_none() {
                first = Some((device.clone(), rows, due));
            }
        }
        Some(Missing { rows: found, due: all, device: first?, of_commands })
    }
}

impl Rows {
    /// Takes a row of the path.
    pub(crate) fn row(&mut self, row: &LatencyRow<'_>, window: Window) {
        if !self.by_device.contains_key(row.device()) {
            self.by_device.insert(row.device().to_owned(), RowsOfDevice::default());
        }
        let Some(rows) = self.by_device.get_mut(row.device()) else { return };
        let Some(intended_ns) = row.at(Point::Intended) else { return };
        rows.all += 1;
        rows.judged += u64::from(window.holds(intended_ns));
        if rows.samples.len() < SAMPLES
            && let Some((epoch, serial)) = number_of(row.id)
        {
            rows.samples.push((epoch, serial, intended_ns));
        }
    }

    /// Whether a device has any.
    pub(crate) fn has(&self, device: &str) -> bool {
        self.by_device.contains_key(device)
    }

    /// How far a device lags behind the schedule; 0 if nothing tells.
    fn lag_ns(&self, device: &str, stretches: &[Stretch]) -> i64 {
        let Some(rows) = self.by_device.get(device) else { return 0 };
        let lag_of = |&(epoch, serial, intended_ns): &(Epoch, Serial, i64)| {
            let due_ns = stretches.iter().find_map(|stretch| stretch.due_ns(epoch, serial))?;
            Some(intended_ns.saturating_sub(due_ns))
        };
        rows.samples.iter().find_map(lag_of).unwrap_or(0)
    }
}

/// Epoch and serial of `DEVICE/EPOCH/SERIAL`.
fn number_of(id: &str) -> Option<(Epoch, Serial)> {
    let mut parts = id.split('/').skip(1);
    let epoch = parts.next()?.parse().ok()?;
    let serial = parts.next()?.parse().ok()?;
    Some((Epoch(epoch), Serial(serial)))
}

#[cfg(test)]
#[path = "owed_tests.rs"]
mod tests;
