//! Plans for tests.

use lastmeter_plans::standard::{Claim, Connection, Plan, TestPlan, embedded};
use lastmeter_units::SimDuration;

/// The plan of an embedded test plan for a meter named `meter` that reports every half second.
pub(crate) fn plan(name: &str, class: &str, connection: Connection) -> Plan {
    let test_plan = TestPlan::read(embedded(name).unwrap()).unwrap();
    let class = test_plan.class(class).unwrap();
    let claim = Claim { device: "meter".to_owned(), ..Claim::usual(&test_plan, class, connection) };
    Plan::new(test_plan, claim, SimDuration::from_milliseconds(500)).unwrap()
}
