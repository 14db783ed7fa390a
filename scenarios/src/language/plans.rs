//! What a scenario plays: the points of a test plan or a calibration, or what a network feeds.

use std::sync::Arc;

use lastmeter_plans::calibration::{self, CALIBRATION_SOURCE};
use lastmeter_plans::standard::{Plan, TEST_PLAN_SOURCE};
use lastmeter_units::SimDuration;

use super::section::grid::Grid;

/// What a source of its own plays: at most one of them is there.
#[derive(Clone)]
pub(crate) struct Plans {
    pub(crate) test_plan: Option<Arc<Plan>>,
    pub(crate) calibration: Option<Arc<calibration::Plan>>,
    /// What feeds loads and feeding points.
    pub(crate) grid: Option<Grid>,
}

impl Plans {
    /// The source that plays one.
    pub(crate) fn player(&self) -> Option<&'static str> {
        let calibration = self.calibration.as_ref().map(|_| CALIBRATION_SOURCE);
        self.test_plan.as_ref().map(|_| TEST_PLAN_SOURCE).or(calibration)
    }

    /// How long the scenario lasts, if a plan says so.
    pub(crate) fn duration(&self) -> Option<SimDuration> {
        let test_plan = self.test_plan.as_ref().map(|plan| plan.duration());
        test_plan.or_else(|| self.calibration.as_ref().map(|plan| plan.duration()))
    }
}
