//! Standards' accuracy tests as data: read, unrolled into operating points, and judged.
//!
//! Terms: a *suite* is one standard's tests as a file; an *operating point* is what the source
//! carries for a while; a *claim* is what a scenario says of the meter (class, connection, ratings)
//! and how it is tested; a *plan* is a suite unrolled for a claim, points one after another; an
//! *assessment* is what the record says of a plan. A limit is *confirmed* if its figure was read in
//! a source that the suite names; else a pass is qualified ("limit unconfirmed"). A clause is
//! *missing* if no test of the suite plays it; then a class is met in the tests that the plan has.
//!
//! Nothing here knows the plant: the scenarios' package plays the points, the record tells what
//! came of them.

mod assess;
mod claim;
mod class_line;
mod current;
mod deviation;
mod embedded;
mod fields;
mod folder;
mod missing;
mod model;
mod of_scenario;
mod plan;
mod point_error;
mod published;
mod read;
mod read_symbols;
mod read_test;
mod readings;
mod register_step;
mod sweep;
mod tell;
mod uncertainty;

#[cfg(test)]
mod judge_tests;
#[cfg(test)]
pub(crate) mod tests;

pub use crate::check::suite::with_uncertainty;
pub use assess::{Assessment, Assessor, Figures, Item, TestResult};
pub use claim::{Claim, SUITE_FIELDS, SUITE_SOURCE};
pub use class_line::ClassLine;
pub use deviation::{Cell, Deviation, Deviations, Drawn};
pub use embedded::{EMBEDDED, SUITE_FILE_PREFIX, TRANSDUCER_FILE, embedded};
pub use fields::suite_json_schema;
pub use folder::Assessed;
pub use missing::Missing;
pub(crate) use missing::{IN_THIS_PLAN, MISSING, named};
pub use model::{
    Component, Connection, Evaluate, Limit, LimitFigure, MissingClause, Modulation, Relative,
    Shape, Subject, Suite, Test, Waveform,
};
pub(crate) use of_scenario::period_of;
pub use of_scenario::{plan_of, read_plan};
pub use plan::{Conditions, Coordinates, Plan, PlannedItem, PlannedTest, Point, Skip, Swept};
pub use published::{Along, Published, Surface, Sweep};
pub use read::SUITE_BYTES_MAX;
pub use tell::{explain_suite, figure_told};
pub use uncertainty::{Budget, coverage_factor};
pub(crate) use uncertainty::{decide, deviation, of_value, scatter};
