//! A command as a value: one of the rows, or one that a specification of devices defines.

use std::collections::BTreeMap;

use super::kind::{ArgumentError, CommandKind, ParameterKind, arguments};
use crate::flexmeter::{CommandDefinition, ParameterDefinition, ParameterValue};

/// A command that a platform can send: what there is to know about it without the device that
/// obeys.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Identifies it.
    pub token: String,
    /// The token of the specification that defines it; empty for a row of [`super::COMMANDS`].
    pub specification: String,
    /// Distinguishes equal names of different makers.
    pub namespace: String,
    /// What the device goes by.
    pub name: String,
    /// What it does, for people.
    pub description: String,
    /// Its parameters.
    pub parameters: Vec<ParameterKind>,
}

impl From<&CommandKind> for Command {
    fn from(kind: &CommandKind) -> Self {
        Self {
            token: kind.name.to_owned(),
            specification: String::new(),
            namespace: "urn:lastmeter:commands".to_owned(),
            name: kind.name.to_owned(),
            description: kind.description.to_owned(),
            parameters: kind.parameters.to_vec(),
        }
    }
}

impl Command {
    /// Turns texts into typed arguments.
    ///
    /// # Errors
    /// The first argument that does not fit.
    pub fn arguments(
        &self,
        given: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, ParameterValue>, ArgumentError> {
        arguments(&self.parameters, given)
    }

    /// The definition as it goes to a device (Flexmeter deliverable, section 4.5.3).
    pub fn definition(&self) -> CommandDefinition {
        let parameter = |kind: &ParameterKind| ParameterDefinition {
            name: kind.name.to_string(),
            kind: kind.kind,
            required: kind.required,
        };
        CommandDefinition {
            token: self.token.clone(),
            specification_token: self.specification.clone(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            description: self.description.clone(),
            parameters: self.parameters.iter().map(parameter).collect(),
            ..CommandDefinition::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::{COMMANDS, find};
    use crate::flexmeter::ParameterType;

    fn reason(parameter: ParameterKind, text: &str) -> Option<String> {
        let given = BTreeMap::from([(parameter.name.to_string(), text.to_owned())]);
        let mut command = Command::from(find("readRegister").unwrap());
        command.parameters = vec![parameter];
        command.arguments(&given).err().map(|error| error.to_string())
    }

    #[test]
    fn rows_check_and_define_as_their_values_do() {
        for kind in COMMANDS {
            let command = Command::from(kind);
            assert_eq!(command.definition(), kind.definition());
            for texts in [vec![], vec!["1", "1", "1"], vec!["x", "0"], vec!["-1", "NaN"]] {
                let names = kind.parameters.iter().map(|one| one.name.to_string());
                let given = names.zip(texts.into_iter().map(str::to_owned)).collect();
                assert_eq!(command.arguments(&given), kind.arguments(&given));
            }
        }
    }

    #[test]
    fn limits_are_held_and_reported() {
        let number = |min, max| ParameterKind { min, max, ..ParameterKind::number("n") };
        let refused = |limits: &str| Some(format!("parameter `n` is `11`, expected a {limits}"));
        assert_eq!(reason(number(None, Some(11.0)), "11"), None);
        assert_eq!(reason(number(Some(1.0), Some(10.5)), "11"), refused("Double from 1 to 10.5"));
        assert_eq!(reason(number(None, Some(10.0)), "11"), refused("Double of at most 10"));
        assert_eq!(reason(number(Some(12.0), None), "11"), refused("Double of at least 12"));
        let text = ParameterKind { bytes_max: Some(1), ..ParameterKind::text("n") };
        assert_eq!(reason(text.clone(), "1"), None);
        assert_eq!(reason(text.clone(), "11"), refused("String of at most 1 bytes"));
        let choices = vec!["red".to_owned(), "blue".to_owned()];
        let choice = ParameterKind { choices, ..text };
        assert_eq!(reason(choice.clone(), "11"), refused("String, one of red, blue"));
        assert_eq!(reason(ParameterKind { bytes_max: None, ..choice }, "red"), None);
        let unsigned = ParameterKind::required("n", ParameterType::UInt64, false);
        assert!(reason(unsigned.clone(), "-1").is_some());
        assert_eq!(reason(unsigned, "0"), None);
    }
}
