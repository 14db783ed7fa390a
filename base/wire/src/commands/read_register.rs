//! `readRegister`: asks what a register holds.

use super::kind::{CommandKind, Effect, Order, ParameterKind};

/// The row of `COMMANDS`.
pub const COMMAND: CommandKind = CommandKind {
    name: "readRegister",
    description: "Answers with what a register holds.",
    parameters: &[ParameterKind::text("register")],
    order: |arguments| Ok(Order::ReadRegister { register: arguments.text("register")? }),
    effect: Effect::None,
};
