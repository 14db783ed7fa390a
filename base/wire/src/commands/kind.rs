//! What a row of the list of commands holds, and how its arguments are typed.

use std::collections::BTreeMap;

use lastmeter_units::SimDuration;

use crate::flexmeter::{CommandDefinition, ParameterDefinition, ParameterType, ParameterValue};

/// A command: one row of [`super::COMMANDS`].
#[derive(Debug)]
pub struct CommandKind {
    /// What the device goes by; also the command's token.
    pub name: &'static str,
    /// What it does, for people.
    pub description: &'static str,
    /// Its parameters; a scenario has to give all of them.
    pub parameters: &'static [ParameterKind],
    /// What it orders a device to do.
    pub order: fn(&Arguments<'_>) -> Result<Order, String>,
    /// What is expected of a device that has obeyed.
    pub effect: Effect,
}

/// A parameter of a command.
#[derive(Debug, PartialEq, Eq)]
pub struct ParameterKind {
    /// Name of the parameter.
    pub name: &'static str,
    /// The type of its values.
    pub kind: ParameterType,
    /// Whether it must be given.
    pub required: bool,
    /// Whether only numbers above zero make sense.
    pub positive: bool,
}

/// What a device is able to do when it is ordered to.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Report this often from now on.
    SetPeriod {
        /// The new period, seconds.
        seconds: f64,
    },
    /// Write into a register.
    SetRegister {
        /// Its name or address.
        register: String,
        /// What to write.
        value: String,
    },
    /// Answer with what a register holds.
    ReadRegister {
        /// Its name or address.
        register: String,
    },
    /// Open the breaker, or close it.
    SetBreaker {
        /// Whether it is open afterwards.
        is_open: bool,
    },
    /// Write a point of a simulator.
    SetPoint {
        /// Name of the point.
        point: String,
        /// In the unit of the point map.
        value: f64,
    },
}

/// What an obeyed command changes of what a bench expects of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changes no schedule.
    None,
    /// Readings are due at another period: as many seconds as this parameter holds.
    ReportsEvery(&'static str),
}

/// The typed arguments of one invocation, as a device has them.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a>(pub &'a BTreeMap<String, ParameterValue>);

impl Arguments<'_> {
    /// A number.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn number(&self, name: &str) -> Result<f64, String> {
        let number = self.0.get(name).and_then(ParameterValue::as_number);
        number.ok_or_else(|| format!("the parameter `{name}` is missing or no number"))
    }

    /// A text; a number will do.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn text(&self, name: &str) -> Result<String, String> {
        match self.0.get(name) {
            Some(ParameterValue::Text(text)) => Ok(text.clone()),
            Some(other) => other
                .as_number()
                .map(|number| number.to_string())
                .ok_or_else(|| format!("the parameter `{name}` is neither a text nor a number")),
            None => Err(format!("the parameter `{name}` is missing")),
        }
    }
}

/// Why arguments do not fit a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// A required one is not there.
    #[error("parameter `{0}` is missing")]
    Missing(&'static str),
    /// One that the command does not have.
    #[error("the command has no parameter `{0}`")]
    Unknown(String),
    /// One of another type.
    #[error(
        "parameter `{}` is `{}`, expected a {:?}{}",
        parameter.name,
        &found[..found.floor_char_boundary(80)],
        parameter.kind,
        parameter.above()
    )]
    Wrong {
        /// The parameter that has no valid argument.
        parameter: &'static ParameterKind,
        /// What was given.
        found: String,
    },
}

impl CommandKind {
    /// Turns texts into typed arguments.
    ///
    /// # Errors
    /// The first argument that does not fit.
    pub fn arguments(
        &'static self,
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

    /// The period at which an invocation with these arguments makes readings due.
    pub fn new_period(&'static self, given: &BTreeMap<String, String>) -> Option<SimDuration> {
        let Effect::ReportsEvery(name) = self.effect else { return None };
        let seconds = Arguments(&self.arguments(given).ok()?).number(name).ok()?;
        Some(SimDuration::from_seconds_f64(seconds))
    }

    /// The definition as it goes to a device (Flexmeter deliverable, section 4.5.3).
    pub fn definition(&self) -> CommandDefinition {
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
    /// A text that must be given.
    pub const fn text(name: &'static str) -> Self {
        Self { name, kind: ParameterType::String, required: true, positive: false }
    }

    /// A number above zero that must be given.
    pub const fn positive(name: &'static str) -> Self {
        Self { name, kind: ParameterType::Double, required: true, positive: true }
    }

    /// A number that must be given.
    pub const fn number(name: &'static str) -> Self {
        Self { name, kind: ParameterType::Double, required: true, positive: false }
    }

    fn read(&'static self, text: &str) -> Result<ParameterValue, ArgumentError> {
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
        value
            .filter(|value| !self.positive || above_zero(value))
            .ok_or_else(|| ArgumentError::Wrong { parameter: self, found: text.to_owned() })
    }

    fn above(&self) -> &'static str {
        if self.positive { " above zero" } else { "" }
    }

    /// What would do, for people.
    pub fn expected(&self) -> String {
        let what = match self.kind {
            ParameterType::Double | ParameterType::Float => "a number",
            ParameterType::Bool => "`true` or `false`",
            ParameterType::String | ParameterType::Bytes => "a text",
            _ => "a whole number",
        };
        format!("{what}{}", self.above())
    }
}
