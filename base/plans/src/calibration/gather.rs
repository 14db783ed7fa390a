//! What one device reported at each point of the plan.

use std::collections::BTreeMap;

use lastmeter_units::{MeasurementId, Phase, SimDuration};

use super::plan::{Plan, Subject};

/// The values of each subject at one point, in the order of the readings.
pub type Readings = BTreeMap<Subject, Vec<f64>>;

/// Gathers the readings of one device, value by value in the record's order.
#[derive(Clone, Debug)]
pub struct Gatherer {
    points: Vec<Readings>,
    /// The phase's values and the totals, which a device of one phase may report instead.
    open: Option<(SimDuration, [BTreeMap<Subject, f64>; 2])>,
    /// When the last reading was due.
    previous: SimDuration,
}

impl Gatherer {
    /// For the points of a plan.
    pub fn new(plan: &Plan) -> Self {
        Self {
            points: vec![Readings::new(); plan.points.len()],
            open: None,
            previous: SimDuration::ZERO,
        }
    }

    /// Takes a value of the reading that was due at `due` since the start.
    pub fn value(&mut self, plan: &Plan, due: SimDuration, id: MeasurementId, value: f64) {
        let is_total = id.row().phase == Phase::Total;
        let of_phase =
            if is_total { MeasurementId::of(id.row().quantity, Phase::L1) } else { Some(id) };
        let Some((subject, sign)) = of_phase.and_then(|id| plan.subject_of(id)) else { return };
        if self.open.as_ref().is_some_and(|(open, _)| *open != due) {
            self.close(plan);
        }
        let (_, values) = self.open.get_or_insert_with(|| (due, Default::default()));
        *values[usize::from(is_total)].entry(subject).or_insert(0.0) += sign * value;
    }

    /// The reading that is being taken in is whole.
    pub fn close(&mut self, plan: &Plan) {
        let Some((due, [phase, mut values])) = self.open.take() else { return };
        values.extend(phase);
        if let Some(place) = plan.point_of(self.previous, due) {
            for (subject, value) in values {
                self.points[place].entry(subject).or_default().push(value);
            }
        }
        self.previous = due;
    }

    /// What there is of each point, whole readings only.
    pub fn points(&self) -> &[Readings] {
        &self.points
    }
}
