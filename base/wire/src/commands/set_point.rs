//! `setPoint`: a value for a point of a real-time simulator.

use super::kind::{CommandKind, Effect, Order, ParameterKind};

/// The row of `COMMANDS`.
pub const COMMAND: CommandKind = CommandKind {
    name: "setPoint",
    description: "Writes a point of a real-time simulator, in the unit of its point map.",
    parameters: &[ParameterKind::text("point"), ParameterKind::number("value")],
    order: |arguments| {
        let point = arguments.text("point")?;
        Ok(Order::SetPoint { point, value: arguments.number("value")? })
    },
    effect: Effect::None,
};
