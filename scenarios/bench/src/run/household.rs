//! What the aggregator of a household decides and bills, as events of the record.

use lastmeter_devices::household::record::{Billed, Decided};
use lastmeter_record::{Event, EventKind, field};
use lastmeter_units::SimTime;

/// A decision of the gateway of this name.
pub(crate) fn decision(at: SimTime, gateway: &str, decided: Decided) -> Event {
    Event::new(at, gateway, EventKind::HouseholdDecision)
        .with(field::ABOUT, decided.about)
        .with(field::ACTION, decided.action)
        .with(field::REASON, decided.reason)
        .with(field::STRATEGY, decided.strategy)
        .with(field::NET_W, decided.net_w)
        .with(field::LIMIT_W, decided.limit_w)
        .with(field::PLANNED_FOR, decided.planned_for.map(|at| at.to_string()))
        .with_prose(field::DETAIL, decided.detail)
}

/// A bill of the gateway of this name. Sums are texts: they may exceed what a number of JSON holds.
pub(crate) fn bill(at: SimTime, gateway: &str, billed: &Billed) -> Event {
    let cents = i64::try_from(billed.total.cents()).ok();
    Event::new(at, gateway, EventKind::HouseholdBill)
        .with(field::FROM, billed.from.to_string())
        .with(field::UNTIL, billed.until.to_string())
        .with(field::IMPORT_UJ, billed.import.0.to_string())
        .with(field::EXPORT_UJ, billed.export.0.to_string())
        .with(field::TOTAL_UCENT, billed.total.microcents().to_string())
        .with(field::TOTAL_CENT, cents)
        .with(field::CURRENCY, billed.currency.as_str())
        .with(field::OPEN_STEPS, billed.open_steps as u64)
}
