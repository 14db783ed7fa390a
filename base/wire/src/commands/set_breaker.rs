//! `setBreaker`: opens or closes a meter's breaker.

use super::kind::{CommandKind, Effect, Order, ParameterKind};

/// The row of `COMMANDS`.
pub const COMMAND: CommandKind = CommandKind {
    name: "setBreaker",
    description: "Opens or closes the meter's breaker: `open` or `closed`.",
    parameters: &[ParameterKind::text("state")],
    order: |arguments| match arguments.text("state")?.as_str() {
        "open" => Ok(Order::SetBreaker { is_open: true }),
        "closed" => Ok(Order::SetBreaker { is_open: false }),
        _ => Err("`state` has to be `open` or `closed`".to_owned()),
    },
    effect: Effect::None,
};
