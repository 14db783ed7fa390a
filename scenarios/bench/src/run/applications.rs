//! Programs of the bench that act by the platform's REST: what it gave back goes in, commands come
//! out.

use std::collections::BTreeMap;

use lastmeter_language::{ApplicationRow, Reaction, Scenario};
use lastmeter_units::SimTime;

use super::ledger::StoredReading;

/// The command by which a point is set.
const SET_POINT: &str = "setPoint";

/// A command that an application wants to give.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WantedCommand {
    pub(crate) device: usize,
    pub(crate) command: String,
    pub(crate) parameters: BTreeMap<String, String>,
}

pub(crate) struct Applications {
    start: SimTime,
    all: Vec<Application>,
}

struct Application {
    row: ApplicationRow,
    /// The device whose values it reads.
    reads: String,
    next: SimTime,
    /// The last value by event time, in the SI unit, if it was not acted on.
    value: Option<(SimTime, f64)>,
    last_seen: Option<SimTime>,
    is_outside: bool,
    set_point: f64,
}

impl Applications {
    pub(crate) fn of(scenario: &Scenario) -> Self {
        let start = scenario.schedule.start;
        let application = |row: &ApplicationRow| Application {
            reads: scenario.devices[row.of].name.clone(),
            next: start + row.every,
            value: None,
            last_seen: None,
            is_outside: false,
            set_point: match row.acts {
                Reaction::Controller { initial, .. } => initial,
                Reaction::Threshold { .. } => 0.0,
            },
            row: row.clone(),
        };
        Self { start, all: scenario.applications.iter().map(application).collect() }
    }

    /// When one of them acts next.
    pub(crate) fn next(&self) -> Option<SimTime> {
        self.all.iter().map(|application| application.next).min()
    }

    /// Takes what the platform gave back.
    pub(crate) fn take(&mut self, readings: &[StoredReading]) {
        for application in &mut self.all {
            let quantity = application.row.quantity;
            for reading in readings.iter().filter(|reading| reading.device == application.reads) {
                let Some(value) = reading.values.get(quantity.name()) else { continue };
                let is_newer = application.last_seen.is_none_or(|seen| reading.event_time > seen);
                if is_newer {
                    application.last_seen = Some(reading.event_time);
                    application.value =
                        Some((reading.event_time, value * quantity.row().si_factor));
                }
            }
        }
    }

    pub(crate) fn act(&mut self, now: SimTime) -> Vec<WantedCommand> {
        let start = self.start;
        let due = self.all.iter_mut().filter(|application| application.next <= now);
        due.filter_map(|application| application.act(start, now)).collect()
    }
}

impl Application {
    fn act(&mut self, start: SimTime, now: SimTime) -> Option<WantedCommand> {
        let every = self.row.every;
        self.next = start + every * ((now - start).0.div_euclid(every.0.max(1)) + 1);
        let (_, value) = self.value.take()?;
        let wanted = |command: &str, parameters| WantedCommand {
            device: self.row.device,
            command: command.to_owned(),
            parameters,
        };
        match &self.row.acts {
            Reaction::Threshold { below, above, command, parameters } => {
                let is_outside = below.is_some_and(|least| value < least)
                    || above.is_some_and(|greatest| value > greatest);
                let was_outside = std::mem::replace(&mut self.is_outside, is_outside);
                (is_outside && !was_outside).then(|| wanted(command, parameters.clone()))
            }
            Reaction::Controller { target, gain, point, range: (least, greatest), .. } => {
                let next = self.set_point + gain * (target - value) / target;
                let next = next.clamp(*least, *greatest);
                // What a 32-bit word cannot distinguish is no change.
                if (next - self.set_point).abs() <= 1e-6 * next.abs().max(1.0) {
                    return None;
                }
                self.set_point = next;
                let parameters = BTreeMap::from([
                    ("point".to_owned(), point.clone()),
                    ("value".to_owned(), next.to_string()),
                ]);
                Some(wanted(SET_POINT, parameters))
            }
        }
    }
}
