//! How long a message may be on its way before the bench gives it up.

use lastmeter_language::{CheckRow, Scenario};
use lastmeter_params::{Dimension, Value};
use lastmeter_reports::latency::find_profile;
use lastmeter_units::SimDuration;

/// How long after the end what is under way may take to arrive, at least.
const GRACE_NS: i64 = 10_000_000_000;

/// And at most: for limits of hours nobody waits; what is not there then may still have come.
const GRACE_MAX_NS: i64 = 600_000_000_000;

/// How long after the end of the schedule the bench waits for what is under way.
pub(super) fn grace_ns(scenario: &Scenario) -> i64 {
    GRACE_NS.max(ten_limits_ns(scenario)).min(GRACE_MAX_NS)
}

/// Ten times the largest limit that messages of the scenario are held to: until then one that has
/// not arrived may still come, and still be late.
pub(super) fn ten_limits_ns(scenario: &Scenario) -> i64 {
    let limit_ns = |check: &CheckRow| {
        // Other checks limit other things by that key.
        let own = match check.values.get("limit") {
            Some(Value::Quantity { si, dimension: Dimension::Time, .. }) => {
                Some(SimDuration::from_seconds_f64(*si).0)
            }
            _ => None,
        };
        let profile = check.values.text_opt("profile");
        own.or_else(|| {
            let (_, row) = find_profile(&[], profile?).ok()?;
            row.limit_ns
        })
    };
    let limits = scenario.checks.iter().filter_map(limit_ns);
    limits.map(|limit_ns| limit_ns.saturating_mul(10)).max().unwrap_or(0)
}
