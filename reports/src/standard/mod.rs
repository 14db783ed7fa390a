//! Standards' accuracy tests, judged: how a meter stands against a class, by what the record shows.
//!
//! Observations go through `readings` and `register_step` to `point_error`; `uncertainty` adds the
//! bench's own; `assess` compares with the limits of a class and `class_line` concludes, with what
//! is `missing`. `assessor` holds all of it, `folder` runs it on a run folder, and `deviation`
//! compares sweeps with published surfaces.
//!
//! Terms: a *test plan* is one standard's tests as a file; an *operating point* is what the source
//! carries for a while; a *claim* is what a scenario states of the meter (class, connection,
//! ratings) and how it is tested; a *plan* is a test plan unrolled for a claim, points one after
//! another; an *assessment* is what the record shows of a plan. A limit is *confirmed* if its
//! figure was read in a source that the test plan names; else a pass is qualified
//! ("limit unconfirmed"). A clause is *missing* if no test of the test plan plays it; then a class
//! is met in the tests that the plan has.
//!
//! Nothing here knows the plant: the scenarios' package plays the points, the record shows what
//! came of them.

mod assess;
mod assessor;
mod class_line;
mod deviation;
mod folder;
mod missing;
mod point_error;
mod readings;
mod register_step;
mod uncertainty;

#[cfg(test)]
pub(crate) mod judge_tests;

pub use assess::{Assessment, Item, TestResult, with_uncertainty};
pub use assessor::{Assessor, Figures};
pub use class_line::ClassLine;
pub use deviation::{Cell, Deviation, DeviationSurface, Deviations};
pub use folder::Assessed;
pub use missing::Missing;
pub(crate) use missing::{MISSING, UNCONFIRMED, named};
pub use uncertainty::{Budget, coverage_factor};
pub(crate) use uncertainty::{decide, deviation, of_value, scatter};
