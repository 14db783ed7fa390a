//! Takes in a record for a plan.

use lastmeter_plans::standard::Plan;
use lastmeter_record::{Event, Observation};
use lastmeter_units::{MeasurementId, SiUnit, SimTime};

use super::readings::Gatherer;
use super::uncertainty::Budget;

/// The figures of one item.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// What is held against the limit, with its sign, in [`Self::unit`].
    pub value: f64,
    /// `%`, `%/K`, an SI unit, or `1` for pulses.
    pub unit: String,
    /// The bench's expanded uncertainty (k = 2) of it.
    pub budget: Budget,
    /// What was reported at the point, in [`Self::quantity_unit`].
    pub reported: f64,
    /// What was true.
    pub reference: f64,
    /// The unit of both.
    pub quantity_unit: SiUnit,
    /// Which of several quantities was worst.
    pub quantity: Option<MeasurementId>,
    /// How many readings it rests on.
    pub readings: usize,
    /// When the last of them was due.
    pub at: Option<SimTime>,
}

/// Takes in a record, and reports how it stands.
#[derive(Clone, Debug)]
pub struct Assessor {
    pub(super) plan: Plan,
    pub(super) gathered: Gatherer,
    pub(super) beyond_range: bool,
    pub(super) unreadable: Option<String>,
}

impl Assessor {
    /// Of a run of this plan that begins at an instant.
    pub fn new(plan: Plan, start: SimTime) -> Self {
        let gathered = Gatherer::new(&plan, start);
        Self { plan, gathered, beyond_range: false, unreadable: None }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Takes the next row of the record.
    pub fn observation(&mut self, row: &Observation<'_>) {
        self.gathered.observation(row);
    }

    /// Takes the next event of the record.
    pub fn event(&mut self, event: &Event) {
        self.beyond_range |=
            event.is_beyond_range() && event.about() == Some(self.plan.claim.device.as_str());
    }

    /// Notes that the record could not be read to its end.
    pub fn unreadable(&mut self, why: String) {
        self.unreadable.get_or_insert(why);
    }
}
