//! The commands that devices understand, one file each: adding one is a file and a line in
//! [`COMMANDS`] (docs/add/command.md).
//!
//! Platform, devices, scenarios and bench all read these rows: the platform checks and types the
//! arguments and sends them, a device decodes them into an [`Order`], a scenario is checked with
//! the same rows, and the bench takes from them what to expect of a device that has obeyed.

use std::fmt::Write as _;

mod command;
mod kind;
pub mod read_register;
pub mod set_breaker;
pub mod set_point;
pub mod set_register;
pub mod set_reporting_period;

pub use command::Command;
pub use kind::{ArgumentError, Arguments, CommandKind, Effect, Order, ParameterKind};

/// All commands that a platform can send, one row each.
pub static COMMANDS: &[CommandKind] = &[
    set_reporting_period::COMMAND,
    set_register::COMMAND,
    read_register::COMMAND,
    set_breaker::COMMAND,
    set_point::COMMAND,
];

/// The command of a name.
pub fn find(name: &str) -> Option<&'static CommandKind> {
    COMMANDS.iter().find(|kind| kind.name == name)
}

/// All about a command, for people; `None` if there is none of that name.
pub fn explain(name: &str) -> Option<String> {
    let CommandKind { name, description, parameters, .. } = find(name)?;
    let mut text = format!("{name} (a command)\n\n{description}\n\n");
    for ParameterKind { name, kind, required, positive, .. } in *parameters {
        let must = if *required { "required" } else { "optional" };
        let above = if *positive { ", above 0" } else { "" };
        let _ = writeln!(text, "  {name}: {kind:?}, {must}{above}");
    }
    text += "\nSent by an injection of kind `command` (`lastmeter explain command`), or by\n\
             `POST .../invocations` of the platform.";
    Some(text)
}

/// All names, for a message.
pub fn names() -> String {
    COMMANDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::flexmeter::ParameterValue;

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn texts_become_typed_arguments() {
        let kind = find("setReportingPeriod").unwrap();
        let arguments = kind.arguments(&given(&[("seconds", "5")])).unwrap();
        assert_eq!(arguments["seconds"], ParameterValue::Number(5.0));
    }

    #[test]
    fn arguments_that_do_not_fit_are_refused() {
        let kind = find("setReportingPeriod").unwrap();
        assert_eq!(kind.arguments(&given(&[])), Err(ArgumentError::Missing("seconds".into())));
        let unknown = given(&[("seconds", "5"), ("colour", "red")]);
        assert_eq!(kind.arguments(&unknown), Err(ArgumentError::Unknown("colour".into())));
        for text in ["", "five", "inf", "NaN", "0", "-1"] {
            let error = kind.arguments(&given(&[("seconds", text)])).unwrap_err();
            let ArgumentError::Wrong { parameter, .. } = error else { panic!("{error}") };
            assert_eq!(parameter.name, "seconds", "{text}");
        }
        assert!(find("blinkLed").is_none());
    }

    #[test]
    fn names_are_unique_and_described() {
        for (index, kind) in COMMANDS.iter().enumerate() {
            assert!(explain(kind.name).unwrap().contains(kind.description));
            assert!(COMMANDS[index + 1..].iter().all(|other| other.name != kind.name));
        }
    }
}
