//! Standards' accuracy tests as data: read, and unrolled into operating points.
//!
//! Terms: a *suite* is one standard's tests as a file; an *operating point* is what the source
//! carries for a while; a *claim* is what a scenario says of the meter (class, connection, ratings)
//! and how it is tested; a *plan* is a suite unrolled for a claim, points one after another. A
//! limit is *confirmed* if its figure was read in a source that the suite names. A clause is
//! *missing* if no test of the suite plays it.

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
mod suite;
mod sweep;

#[cfg(test)]
mod tests;

pub use claim::{Claim, SUITE_FIELDS, SUITE_SOURCE};
pub use coordinates::{Conditions, Coordinates};
pub use describe::explain_suite;
pub use embedded::{EMBEDDED, SUITE_FILE_PREFIX, TRANSDUCER_FILE, embedded};
pub use fields::suite_json_schema;
pub use model::{
    Component, Connection, Evaluate, IN_THIS_PLAN, Limit, LimitFigure, MissingClause, Modulation,
    Relative, Shape, Subject, Test, Waveform, value_text,
};
pub(crate) use of_scenario::period_of;
pub use of_scenario::{plan_of, read_plan};
pub use plan::{PER_KILO_HOUR, Plan, PlannedItem, PlannedTest, Point, Skip, Swept};
pub use published::{Along, Published, Surface, Sweep};
pub use read::SUITE_BYTES_MAX;
pub use suite::Suite;
