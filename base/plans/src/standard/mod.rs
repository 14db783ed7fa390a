//! Standards' accuracy tests as data: read, and unrolled into operating points.
//!
//! ```text
//! embedded, fields, read_values     the files that come along, the keys, what rows share
//!   -> read_test, read_published, read_symbols, read   a file to a test_plan of model, published
//! claim, current                    the section of a scenario, and the currents of its meter
//!   -> coordinates, sweep, plan     tests unrolled to points, one after another in time
//! of_scenario                       all of it; describe: a test plan explained
//! ```
//!
//! Terms: a *test plan* is one standard's tests as a file; an *operating point* is what the source
//! carries for a while; a *claim* is what a scenario states of the meter (class, connection,
//! ratings) and how it is tested; a *plan* is a test plan unrolled for a claim, points one after
//! another. A limit is *confirmed* if its figure was read in a source that the test plan names. A
//! clause is *missing* if no test of the test plan plays it.

mod claim;
mod coordinates;
mod current;
mod describe;
mod embedded;
mod fields;
mod model;
mod of_scenario;
mod plan;
mod published;
mod ratings;
mod read;
mod read_published;
mod read_symbols;
mod read_test;
mod read_values;
mod sweep;
mod test_plan;

#[cfg(test)]
mod tests;

pub use claim::{Claim, TEST_PLAN_FIELDS, TEST_PLAN_SOURCE};
pub use coordinates::{Conditions, Coordinates};
pub use describe::explain_test_plan;
pub use embedded::{EMBEDDED, TEST_PLAN_FILE_PREFIX, TRANSDUCER_FILE, embedded};
pub use fields::test_plan_json_schema;
pub use model::{
    Component, Connection, Evaluate, IN_THIS_PLAN, Limit, LimitFigure, MissingClause, Modulation,
    Relative, Shape, Subject, Test, Waveform, value_text,
};
pub(crate) use of_scenario::{period_of, si_of_device};
pub use of_scenario::{plan_of, read_plan};
pub use plan::{PER_KILO_HOUR, Plan, PlannedItem, PlannedTest, Point, Skip, Swept};
pub use published::{Along, Published, Surface};
pub use read::TEST_PLAN_BYTES_MAX;
pub use test_plan::TestPlan;
