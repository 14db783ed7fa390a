//! Takes from the record the readings that lie wholly within a point's measuring time.
//!
//! The span of a reading begins where the one before ended, which is less than half a second before
//! that one was due, and ends before it is due itself. So a reading counts if it and the one before
//! were due within the measuring time, its beginning included; settling is longer than that half
//! second.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_units::{Direction, MeasurementId, Phase, Quantity, SimDuration, SimTime};

use super::register_step::RegisterStep;
use lastmeter_plans::standard::{Plan, Subject};
use lastmeter_record::{Observation, RecordedSpan};

/// The values of one reading: reference beside what was reported.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Reading {
    values: BTreeMap<MeasurementId, (f64, Option<f64>)>,
    /// How far references differ over the spans that the device declares, where they do.
    spreads: BTreeMap<MeasurementId, f64>,
}

/// What came of an energy or a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pair {
    /// The device does not report it.
    Absent,
    /// It was due and did not come.
    Missing,
    /// Reference and reported.
    Of(f64, f64),
}

const PHASES: [Phase; 3] = [Phase::L1, Phase::L2, Phase::L3];

/// The registers of an energy in one direction: the total, then the phases.
fn registers(subject: &Subject, direction: Direction) -> [Option<MeasurementId>; 4] {
    let quantity = match subject {
        Subject::ReactiveEnergy => Quantity::ReactiveEnergy(direction),
        Subject::ActiveEnergy | Subject::Each(_) => Quantity::ActiveEnergy(direction),
    };
    [Phase::Total, PHASES[0], PHASES[1], PHASES[2]].map(|phase| MeasurementId::of(quantity, phase))
}

/// Whether a quantity is a register of energy.
fn is_register(id: MeasurementId) -> bool {
    matches!(id.row().quantity, Quantity::ActiveEnergy(_) | Quantity::ReactiveEnergy(_))
}

impl Reading {
    pub(super) fn value(&self, id: MeasurementId) -> Pair {
        match self.values.get(&id) {
            None => Pair::Absent,
            Some((_, None)) => Pair::Missing,
            Some((reference, Some(reported))) => Pair::Of(*reference, *reported),
        }
    }

    /// How far the reference of one value differs over the spans that are admitted.
    pub(super) fn spread(&self, id: MeasurementId) -> f64 {
        self.spreads.get(&id).copied().unwrap_or(0.0)
    }

    /// The same of a register: of the total, or else of as many phases as the meter has.
    pub(super) fn register_spread(
        &self,
        subject: &Subject,
        direction: Direction,
        phases: usize,
    ) -> f64 {
        let [total, each @ ..] = registers(subject, direction);
        match total.filter(|&id| self.value(id) != Pair::Absent) {
            Some(total) => self.spread(total),
            None => each.into_iter().take(phases).flatten().map(|id| self.spread(id)).sum(),
        }
    }

    /// What a register of one direction stands at: the total, or else the sum of as many phases as
    /// the meter has; without one of them it is missing.
    pub(super) fn register(&self, subject: &Subject, direction: Direction, phases: usize) -> Pair {
        let [total, each @ ..] = registers(subject, direction);
        if let Some(total) = total.map(|id| self.value(id)).filter(|got| *got != Pair::Absent) {
            return total;
        }
        let each = each.into_iter().take(phases);
        let each: Vec<Pair> = each.map(|id| id.map_or(Pair::Absent, |id| self.value(id))).collect();
        if each.iter().all(|got| *got == Pair::Absent) {
            return Pair::Absent;
        }
        each.into_iter().fold(Pair::Of(0.0, 0.0), |sum, got| match (sum, got) {
            (Pair::Of(a, b), Pair::Of(c, d)) => Pair::Of(a + c, b + d),
            _ => Pair::Missing,
        })
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct PointRecord {
    /// The reading before the first that counts.
    pub(super) before: Option<Reading>,
    /// The readings that count.
    pub(super) readings: Vec<Reading>,
    /// When the last of them was due.
    pub(super) last: Option<SimTime>,
}

/// Gathers what a plan needs, row by row.
#[derive(Clone, Debug)]
pub(super) struct Gatherer {
    device: String,
    start: SimTime,
    wanted: BTreeSet<MeasurementId>,
    /// Beginning of measuring and end of each point, since the start.
    spans: Vec<(SimDuration, SimDuration)>,
    points: Vec<PointRecord>,
    /// What the device was seen to report, or owed.
    pub(super) seen: BTreeSet<MeasurementId>,
    /// Of each register that was seen, its last digit.
    steps: BTreeMap<MeasurementId, RegisterStep>,
    /// Rows of the device.
    pub(super) rows: u64,
    open: Option<(SimTime, bool, Reading)>,
    /// The last reading that was made, and when it was due.
    previous: Option<(SimTime, Reading)>,
}

impl Gatherer {
    pub(super) fn new(plan: &Plan, start: SimTime) -> Self {
        let mut wanted = BTreeSet::new();
        for test in &plan.test_plan.tests {
            if let Subject::Each(ids) = &test.subject {
                wanted.extend(ids.iter().copied());
                continue;
            }
            for direction in [Direction::Consumed, Direction::Injected] {
                wanted.extend(registers(&test.subject, direction).into_iter().flatten());
            }
        }
        Self::of(&plan.claim.device, wanted, plan, start)
    }

    /// Of some quantities of any device that reports as often as the plan's.
    pub(super) fn of(
        device: &str,
        wanted: BTreeSet<MeasurementId>,
        plan: &Plan,
        start: SimTime,
    ) -> Self {
        Self {
            device: device.to_owned(),
            start,
            wanted,
            spans: plan.points.iter().map(|point| (point.measure_from, point.end)).collect(),
            points: vec![PointRecord::default(); plan.points.len()],
            seen: BTreeSet::new(),
            steps: BTreeMap::new(),
            rows: 0,
            open: None,
            previous: None,
        }
    }

    pub(super) fn observation(&mut self, row: &Observation<'_>) {
        // What was not due is the business of other checks.
        let Some(reference) = row.reference else { return };
        if row.device != self.device {
            return;
        }
        self.rows += 1;
        if !self.wanted.contains(&row.quantity) {
            return;
        }
        self.seen.insert(row.quantity);
        if let Some(reported) = row.reported
            && is_register(row.quantity)
        {
            self.steps.entry(row.quantity).or_default().add(reported);
        }
        if self.open.as_ref().is_some_and(|(due, ..)| *due != row.event_time) {
            self.close();
        }
        let made = row.serial.is_some();
        let (_, _, reading) =
            self.open.get_or_insert_with(|| (row.event_time, made, Reading::default()));
        reading.values.insert(row.quantity, (reference, row.reported));
        if let Some(span) = row.span.filter(RecordedSpan::is_uncertain) {
            reading.spreads.insert(row.quantity, span.spread);
        }
    }

    /// The reading that was being taken in is whole.
    fn close(&mut self) {
        let Some((due, made, reading)) = self.open.take() else { return };
        // One that was never made has no span; the next one's span begins where it would have.
        if !made {
            return;
        }
        let since = due - self.start;
        let from = self.previous.as_ref().map_or(SimDuration::ZERO, |(due, _)| *due - self.start);
        // The first point whose end is not before this reading.
        let place = self.spans.partition_point(|(_, end)| *end < since);
        if let Some((measure_from, _)) = self.spans.get(place).filter(|span| span.0 <= from) {
            let point = &mut self.points[place];
            // Without the reading right before, what a register gained is not known.
            if point.readings.is_empty() && from >= *measure_from {
                point.before = self.previous.as_ref().map(|(_, reading)| reading.clone());
            }
            point.readings.push(reading.clone());
            point.last = Some(due);
        }
        self.previous = Some((due, reading));
    }

    /// The last digit of an energy's register in one direction, zero if none is known; of a sum
    /// over phases the root of the sum of squares.
    pub(super) fn register_step(
        &self,
        subject: &Subject,
        direction: Direction,
        phases: usize,
    ) -> f64 {
        let [total, each @ ..] = registers(subject, direction);
        let of = |id: Option<MeasurementId>| self.steps.get(&id?).map(RegisterStep::joules);
        of(total).unwrap_or_else(|| {
            let phases = each.into_iter().take(phases).filter_map(of);
            phases.map(|step| step * step).sum::<f64>().sqrt()
        })
    }

    /// What there is of each point so far.
    pub(super) fn points(&self) -> Vec<PointRecord> {
        let mut whole = self.clone();
        whole.close();
        whole.points
    }
}
