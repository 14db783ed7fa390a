//! `setRegister`: a word of calibration.

use super::kind::{CommandKind, Effect, Order, ParameterKind};

/// The row of `COMMANDS`.
pub const COMMAND: CommandKind = CommandKind {
    name: "setRegister",
    description: "Writes a calibration register; whole numbers, decimal or hexadecimal.",
    parameters: &[ParameterKind::text("register"), ParameterKind::text("value")],
    order: |arguments| {
        let register = arguments.text("register")?;
        Ok(Order::SetRegister { register, value: arguments.text("value")? })
    },
    effect: Effect::None,
};
