//! The commands devices understand, as one list (invariant: adding one is one entry).

use std::collections::BTreeMap;

use lastmeter_wire::flexmeter::{
    CommandDefinition, ParameterDefinition, ParameterType, ParameterValue,
};

/// A command.
pub(crate) struct CommandKind {
    /// What the device goes by; also the command's token.
    pub(crate) name: &'static str,
    /// What it does, for people.
    pub(crate) description: &'static str,
    /// Its parameters.
    pub(crate) parameters: &'static [ParameterKind],
}

/// A parameter of a command.
pub(crate) struct ParameterKind {
    /// Its name.
    pub(crate) name: &'static str,
    /// The type of its values.
    pub(crate) kind: ParameterType,
    /// Whether it must be given.
    pub(crate) required: bool,
    /// Whether only numbers above zero make sense.
    pub(crate) positive: bool,
}

/// All commands.
pub(crate) static COMMANDS: &[CommandKind] = &[
    CommandKind {
        name: "setReportingPeriod",
        description: "Sends readings at this period from now on.",
        parameters: &[ParameterKind {
            name: "seconds",
            kind: ParameterType::Double,
            required: true,
            positive: true,
        }],
    },
    CommandKind {
        name: "setRegister",
        description: "Writes a calibration register; whole numbers, decimal or hexadecimal.",
        parameters: &[text("register"), text("value")],
    },
    CommandKind {
        name: "readRegister",
        description: "Answers with what a register holds.",
        parameters: &[text("register")],
    },
    CommandKind {
        name: "setBreaker",
        description: "Opens or closes the meter's breaker: `open` or `closed`.",
        parameters: &[text("state")],
    },
];

/// A text that must be given.
const fn text(name: &'static str) -> ParameterKind {
    ParameterKind { name, kind: ParameterType::String, required: true, positive: false }
}

/// Why arguments do not fit a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgumentError {
    /// A required one is not there.
    #[error("parameter `{0}` is missing")]
    Missing(&'static str),
    /// One that the command does not have.
    #[error("the command has no parameter `{0}`")]
    Unknown(String),
    /// One of another type.
    #[error("parameter `{name}` is `{found}`, expected {expected}")]
    Wrong {
        /// Its name.
        name: &'static str,
        /// What was given.
        found: String,
        /// What would do.
        expected: String,
    },
}

impl CommandKind {
    /// The command of a name.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        COMMANDS.iter().find(|kind| kind.name == name)
    }

    /// Turns texts into typed arguments (F-02).
    pub(crate) fn arguments(
        &self,
        given: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, ParameterValue>, ArgumentError> {
        if let Some(name) =
            given.keys().find(|name| self.parameters.iter().all(|kind| kind.name != *name))
        {
            return Err(ArgumentError::Unknown(name.clone()));
        }
        let mut arguments = BTreeMap::new();
        for kind in self.parameters {
            match given.get(kind.name) {
                Some(text) => {
                    arguments.insert(kind.name.to_owned(), kind.read(text)?);
                }
                None if kind.required => return Err(ArgumentError::Missing(kind.name)),
                None => {}
            }
        }
        Ok(arguments)
    }

    /// The definition as it goes to a device (Flexmeter deliverable, section 4.5.3).
    pub(crate) fn definition(&self) -> CommandDefinition {
        let parameter = |kind: &ParameterKind| ParameterDefinition {
            name: kind.name.to_owned(),
            kind: kind.kind,
            required: kind.required,
        };
        CommandDefinition {
            token: self.name.to_owned(),
            namespace: "urn:lastmeter:commands".to_owned(),
            name: self.name.to_owned(),
            description: self.description.to_owned(),
            parameters: self.parameters.iter().map(parameter).collect(),
            ..CommandDefinition::default()
        }
    }
}

impl ParameterKind {
    fn read(&self, text: &str) -> Result<ParameterValue, ArgumentError> {
        let value = match self.kind {
            ParameterType::Double | ParameterType::Float => text
                .parse()
                .ok()
                .filter(|value: &f64| value.is_finite())
                .map(ParameterValue::Number),
            ParameterType::Bool => text.parse().ok().map(ParameterValue::Boolean),
            ParameterType::String | ParameterType::Bytes => {
                Some(ParameterValue::Text(text.to_owned()))
            }
            ParameterType::UInt32 | ParameterType::Fixed32 => {
                text.parse().ok().map(|value: u32| ParameterValue::Integer(value.into()))
            }
            ParameterType::Int32 | ParameterType::SInt32 | ParameterType::SFixed32 => {
                text.parse().ok().map(|value: i32| ParameterValue::Integer(value.into()))
            }
            ParameterType::Int64
            | ParameterType::UInt64
            | ParameterType::SInt64
            | ParameterType::Fixed64
            | ParameterType::SFixed64 => text.parse().ok().map(ParameterValue::Integer),
        };
        let above_zero = |value: &ParameterValue| value.as_number().is_some_and(|v| v > 0.0);
        value.filter(|value| !self.positive || above_zero(value)).ok_or_else(|| {
            let found = crate::refusal::shortened(text, 80);
            let above = if self.positive { " above zero" } else { "" };
            ArgumentError::Wrong {
                name: self.name,
                found,
                expected: format!("a {:?}{above}", self.kind),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn texts_become_typed_arguments() {
        let kind = CommandKind::find("setReportingPeriod").unwrap();
        let arguments = kind.arguments(&given(&[("seconds", "5")])).unwrap();
        assert_eq!(arguments["seconds"], ParameterValue::Number(5.0));
    }

    #[test]
    fn arguments_that_do_not_fit_are_refused() {
        let kind = CommandKind::find("setReportingPeriod").unwrap();
        assert_eq!(kind.arguments(&given(&[])), Err(ArgumentError::Missing("seconds")));
        let unknown = given(&[("seconds", "5"), ("colour", "red")]);
        assert_eq!(kind.arguments(&unknown), Err(ArgumentError::Unknown("colour".into())));
        for text in ["", "five", "inf", "NaN", "0", "-1"] {
            let error = kind.arguments(&given(&[("seconds", text)])).unwrap_err();
            assert!(matches!(error, ArgumentError::Wrong { name: "seconds", .. }), "{text}");
        }
        assert!(CommandKind::find("blinkLed").is_none());
    }

    #[test]
    fn names_are_unique_and_described() {
        for (index, kind) in COMMANDS.iter().enumerate() {
            assert!(!kind.description.is_empty());
            assert!(COMMANDS[index + 1..].iter().all(|other| other.name != kind.name));
        }
    }
}
