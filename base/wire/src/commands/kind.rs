//! What a row of the list of commands holds, and how its arguments are typed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use lastmeter_units::SimDuration;

use super::Command;
use crate::flexmeter::{CommandDefinition, ParameterType, ParameterValue};

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

/// A parameter of a command: of a row of [`super::COMMANDS`], or of a [`Command`] that a
/// specification defines.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterKind {
    /// Name of the parameter.
    pub name: Cow<'static, str>,
    /// The type of its values.
    pub kind: ParameterType,
    /// Whether it must be given.
    pub required: bool,
    /// Whether only numbers above zero make sense.
    pub positive: bool,
    /// The smallest number.
    pub min: Option<f64>,
    /// The greatest number.
    pub max: Option<f64>,
    /// The longest text in bytes.
    pub bytes_max: Option<usize>,
    /// The only texts that make sense; all do if there are none.
    pub choices: Vec<String>,
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
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ArgumentError {
    /// A required one is not there.
    #[error("parameter `{0}` is missing")]
    Missing(String),
    /// One that the command does not have.
    #[error("the command has no parameter `{0}`")]
    Unknown(String),
    /// One of another type.
    #[error(
        "parameter `{}` is `{}`, expected a {:?}{}",
        parameter.name,
        &found[..found.floor_char_boundary(80)],
        parameter.kind,
        parameter.limits()
    )]
    Wrong {
        /// The parameter that has no valid argument.
        parameter: Box<ParameterKind>,
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
        &self,
        given: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, ParameterValue>, ArgumentError> {
        arguments(self.parameters, given)
    }

    /// The period at which an invocation with these arguments makes readings due.
    pub fn new_period(&self, given: &BTreeMap<String, String>) -> Option<SimDuration> {
        let Effect::ReportsEvery(name) = self.effect else { return None };
        let seconds = Arguments(&self.arguments(given).ok()?).number(name).ok()?;
        Some(SimDuration::from_seconds_f64(seconds))
    }

    /// The definition as it goes to a device (Flexmeter deliverable, section 4.5.3).
    pub fn definition(&self) -> CommandDefinition {
        Command::from(self).definition()
    }
}

/// Turns texts into the typed arguments of these parameters.
pub(super) fn arguments(
    parameters: &[ParameterKind],
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, ParameterValue>, ArgumentError> {
    if let Some(name) = given.keys().find(|name| parameters.iter().all(|kind| kind.name != **name))
    {
        return Err(ArgumentError::Unknown(name.clone()));
    }
    let mut arguments = BTreeMap::new();
    for kind in parameters {
        match given.get(&*kind.name) {
            Some(text) => {
                arguments.insert(kind.name.to_string(), kind.read(text)?);
            }
            None if kind.required => return Err(ArgumentError::Missing(kind.name.to_string())),
            None => {}
        }
    }
    Ok(arguments)
}

impl ParameterKind {
    /// A text that must be given.
    pub const fn text(name: &'static str) -> Self {
        Self::required(name, ParameterType::String, false)
    }

    /// A number above zero that must be given.
    pub const fn positive(name: &'static str) -> Self {
        Self::required(name, ParameterType::Double, true)
    }

    /// A number that must be given.
    pub const fn number(name: &'static str) -> Self {
        Self::required(name, ParameterType::Double, false)
    }

    /// A parameter of some type that must be given.
    pub const fn required(name: &'static str, kind: ParameterType, positive: bool) -> Self {
        Self {
            name: Cow::Borrowed(name),
            kind,
            required: true,
            positive,
            min: None,
            max: None,
            bytes_max: None,
            choices: Vec::new(),
        }
    }

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
        value.filter(|value| self.has_within(value)).ok_or_else(|| ArgumentError::Wrong {
            parameter: Box::new(self.clone()),
            found: text.to_owned(),
        })
    }

    /// Whether a value of the type is within the limits.
    fn has_within(&self, value: &ParameterValue) -> bool {
        let is_unsigned = matches!(self.kind, ParameterType::UInt64 | ParameterType::Fixed64);
        let is_number_within = value.as_number().is_none_or(|number| {
            (!self.positive || number > 0.0)
                && (!is_unsigned || number >= 0.0)
                && self.min.is_none_or(|min| min <= number)
                && self.max.is_none_or(|max| number <= max)
        });
        let ParameterValue::Text(text) = value else { return is_number_within };
        self.bytes_max.is_none_or(|max| text.len() <= max)
            && (self.choices.is_empty() || self.choices.contains(text))
    }

    /// The limits of its values, to stand after their type.
    fn limits(&self) -> String {
        let above = if self.positive { " above zero" } else { "" };
        let range = match (self.min, self.max) {
            (Some(min), Some(max)) => format!(" from {min} to {max}"),
            (Some(min), None) => format!(" of at least {min}"),
            (None, Some(max)) => format!(" of at most {max}"),
            (None, None) => String::new(),
        };
        let texts = match (self.choices.is_empty(), self.bytes_max) {
            (false, _) => format!(", one of {}", self.choices.join(", ")),
            (true, Some(max)) => format!(" of at most {max} bytes"),
            (true, None) => String::new(),
        };
        format!("{above}{range}{texts}")
    }

    /// What would do, for people.
    pub fn expected(&self) -> String {
        let what = match self.kind {
            ParameterType::Double | ParameterType::Float => "a number",
            ParameterType::Bool => "`true` or `false`",
            ParameterType::String | ParameterType::Bytes => "a text",
            _ => "a whole number",
        };
        format!("{what}{}", self.limits())
    }
}
