//! `setReportingPeriod`: readings come at another period.

use super::kind::{CommandKind, Effect, Order, ParameterKind};

const SECONDS: &str = "seconds";

/// The row of `COMMANDS`.
pub const COMMAND: CommandKind = CommandKind {
    name: "setReportingPeriod",
    description: "Sends readings at this period from now on.",
    parameters: &[ParameterKind::positive(SECONDS)],
    order: |arguments| Ok(Order::SetPeriod { seconds: arguments.number(SECONDS)? }),
    effect: Effect::ReportsEvery(SECONDS),
};
