//! Plans for tests.

use lastmeter_plans::standard::{Claim, Connection, Plan, Suite, embedded};
use lastmeter_units::SimDuration;

/// The plan of an embedded suite for a meter named `meter` that reports every half second.
pub(crate) fn plan(name: &str, class: &str, connection: Connection) -> Plan {
    let suite = Suite::read(embedded(name).unwrap()).unwrap();
    let class = suite.class(class).unwrap();
    let claim = Claim { device: "meter".to_owned(), ..Claim::usual(&suite, class, connection) };
    Plan::new(suite, claim, SimDuration::from_milliseconds(500)).unwrap()
}
