//! What a meter notices of tampering: contacts at its covers and a sensor of magnetic fields.
//!
//! A change of what a sensor shows is *detected* once it has lasted for the debounce time. What is
//! detected is latched in a log that survives the dark, until it is reported; each detection is
//! reported once, dated by when it was detected. While the meter is dark its sensors are not read,
//! but for contacts that a battery reads. What is not read is seen at the start: a cover that was
//! opened in the dark and still is open is detected then, one that is closed again never was.

use std::collections::VecDeque;

use lastmeter_units::SimDuration;

mod injection;

pub(crate) use injection::{INJECTION, SENSOR_INJECTION};

use crate::border::{TamperFacts, TamperKind, TamperSensorFault};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Detected {
    /// When, since the start.
    pub(crate) at: SimDuration,
    pub(crate) what: TamperKind,
    pub(crate) begins: bool,
}

impl Detected {
    /// The kind of its alert, and what is behind the device's name there.
    pub(crate) fn words(&self) -> (&'static str, &'static str) {
        match (self.what, self.begins) {
            (TamperKind::Cover, true) => ("tamper.cover_opened", "the cover was opened"),
            (TamperKind::Cover, false) => ("tamper.cover_closed", "the cover was closed"),
            (TamperKind::TerminalCover, true) => {
                ("tamper.terminal_cover_opened", "the terminal cover was opened")
            }
            (TamperKind::TerminalCover, false) => {
                ("tamper.terminal_cover_closed", "the terminal cover was closed")
            }
            (TamperKind::MagneticField, true) => {
                ("tamper.field_began", "a strong magnetic field began")
            }
            (TamperKind::MagneticField, false) => {
                ("tamper.field_ended", "the strong magnetic field ended")
            }
        }
    }
}

/// Why a sensor shows what it does; a later one goes before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    Tampering,
    ShowsTampering,
    ShowsNothing,
}

#[derive(Clone, Debug)]
struct Sensor {
    what: TamperKind,
    /// What acts on it, from an instant since the start until another; `None`: to the end.
    causes: Vec<(Cause, SimDuration, Option<SimDuration>)>,
    /// What was detected last, kept in the dark.
    is_detected: bool,
    /// Since when it shows something else, as far as it is read.
    changed: Option<SimDuration>,
    is_read: bool,
    /// Up to when it has been looked at.
    passed: SimDuration,
}

impl Sensor {
    fn new(what: TamperKind) -> Self {
        Self {
            what,
            causes: Vec::new(),
            is_detected: false,
            changed: None,
            is_read: true,
            passed: SimDuration::ZERO,
        }
    }

    fn shows_at(&self, at: SimDuration) -> bool {
        let acts = |(_, from, until): &&(Cause, SimDuration, Option<SimDuration>)| {
            *from <= at && until.is_none_or(|until| at < until)
        };
        let last = self.causes.iter().filter(acts).map(|(cause, ..)| *cause).max();
        last.is_some_and(|cause| cause != Cause::ShowsNothing)
    }

    /// When what it shows may change next.
    fn next_edge(&self) -> Option<SimDuration> {
        let edges = self.causes.iter().flat_map(|(_, from, until)| [Some(*from), *until]);
        edges.flatten().filter(|at| *at > self.passed).min()
    }

    fn pass(&mut self, to: SimDuration, debounce: SimDuration, log: &mut Vec<Detected>) {
        while self.passed < to {
            let differs = self.is_read && self.shows_at(self.passed) != self.is_detected;
            self.changed = differs.then(|| self.changed.unwrap_or(self.passed));
            let detection = self.changed.map(|since| since + debounce).filter(|at| *at <= to);
            // One that lasts just so long is detected.
            let edge = self.next_edge().filter(|at| *at <= to);
            match (detection, edge) {
                (Some(at), edge) if edge.is_none_or(|edge| at <= edge) => {
                    self.is_detected = !self.is_detected;
                    self.changed = None;
                    self.passed = at.max(self.passed);
                    log.push(Detected { at, what: self.what, begins: self.is_detected });
                }
                (_, Some(edge)) => self.passed = edge,
                (_, None) => self.passed = to,
            }
        }
        // What is over does not act again.
        let passed = self.passed;
        self.causes.retain(|(_, _, until)| until.is_none_or(|until| until > passed));
    }
}

/// The sensors of a meter, and what they have latched.
#[derive(Clone, Debug)]
pub(crate) struct Tamper {
    pub(crate) facts: TamperFacts,
    sensors: Vec<Sensor>,
    /// What has not been reported yet, in order of time.
    log: VecDeque<Detected>,
    pub(crate) is_dark: bool,
}

impl Tamper {
    pub(crate) fn new(facts: TamperFacts) -> Self {
        let sensors = facts.kinds.iter().map(|&what| Sensor::new(what)).collect();
        Self { facts, sensors, log: VecDeque::new(), is_dark: false }
    }

    /// Somebody tampers with the meter from an instant on, or its sensor `shows` what is not so;
    /// whether it has a sensor for that.
    pub(crate) fn tampered(
        &mut self,
        what: TamperKind,
        shows: Option<TamperSensorFault>,
        (from, until): (SimDuration, Option<SimDuration>),
    ) -> bool {
        let cause = match shows {
            None => Cause::Tampering,
            Some(TamperSensorFault::Nothing) => Cause::ShowsNothing,
            Some(TamperSensorFault::Tampering) => Cause::ShowsTampering,
        };
        let sensor = self.sensors.iter_mut().find(|sensor| sensor.what == what);
        if let Some(sensor) = sensor {
            sensor.causes.push((cause, from, until));
            return true;
        }
        false
    }

    pub(crate) fn pass(&mut self, to: SimDuration) {
        let mut detected = Vec::new();
        for sensor in &mut self.sensors {
            sensor.pass(to, self.facts.debounce, &mut detected);
        }
        detected.sort_by_key(|it| (it.at, it.what));
        self.log.extend(detected);
    }

    /// The meter is dark from the instant on up to which time has passed.
    pub(crate) fn goes_dark(&mut self) {
        self.is_dark = true;
        for sensor in &mut self.sensors {
            sensor.is_read = self.facts.has_battery && sensor.what.is_contact();
            if !sensor.is_read {
                sensor.changed = None;
            }
        }
    }

    /// The meter works again from the instant on up to which time has passed.
    pub(crate) fn works_again(&mut self) {
        self.is_dark = false;
        for sensor in &mut self.sensors {
            sensor.is_read = true;
        }
    }

    /// What is to be reported.
    pub(crate) fn take(&mut self) -> VecDeque<Detected> {
        std::mem::take(&mut self.log)
    }
}

#[cfg(test)]
mod tests;
