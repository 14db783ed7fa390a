//! Commands that a specification of devices defines: documents in, [`Command`]s out.

use std::borrow::Cow;
use std::collections::BTreeSet;

use lastmeter_wire::commands::{self, Command, ParameterKind};
use lastmeter_wire::flexmeter::ParameterType;
use serde::{Deserialize, Serialize};

use super::DocumentKind;
use super::body::{Body, Fault, Key, Metadata, Name, Text, Token, at_most, bodies, ensure, keys};
use crate::access::Kind;

pub(super) const KINDS: &[DocumentKind] =
    &[DocumentKind::of::<CommandBody>("command", Kind::Specification)];

/// The longest text that an argument may be, in bytes.
const TEXT_BYTES_MAX: usize = 1024;

bodies! {
    /// The definition of a command.
    document CommandBody {
        /// The specification that has it.
        specification_token: Token,
        /// What devices know it by.
        name: Name,
        /// What distinguishes commands of one name.
        namespace: Option<Text>,
        /// What it does, for people.
        description: Option<Text>,
        /// Its parameters.
        #[serde(default, deserialize_with = "at_most::<_, _, 64>")]
        parameters: Vec<ParameterBody>,
    }

    /// A parameter of a command.
    struct ParameterBody {
        /// Its name.
        name: Name,
        /// The type of its values.
        #[serde(rename = "type")]
        kind: ParameterType,
        /// Whether it must be given.
        #[serde(default)]
        required: bool,
        /// The smallest number.
        min: Option<f64>,
        /// The greatest number.
        max: Option<f64>,
        /// The only texts that are valid; all are if there are none.
        #[serde(default, deserialize_with = "at_most::<_, _, 64>")]
        choices: Vec<Text>,
    }
}

impl Body for CommandBody {
    const CODE: u8 = 2;

    fn validate(&self) -> Result<(), Fault> {
        let is_new = commands::find(self.name.as_str()).is_none();
        ensure(is_new, "name", "another name than the built-in commands have")?;
        for (index, parameter) in self.parameters.iter().enumerate() {
            let ensure = |holds, field: &str, expected: &str| {
                ensure(holds, format!("parameters[{index}].{field}"), expected)
            };
            let is_first = self.parameters[..index].iter().all(|it| it.name != parameter.name);
            ensure(is_first, "name", "a name that no other parameter has")?;
            let is_number = !parameter.is_text() && parameter.kind != ParameterType::Bool;
            for (field, bound) in [("min", parameter.min), ("max", parameter.max)] {
                let expected = "no bound, since the type is no number";
                ensure(is_number || bound.is_none(), field, expected)?;
            }
            let is_range = parameter.min.zip(parameter.max).is_none_or(|(min, max)| min <= max);
            ensure(is_range, "max", "a number not below `min`")?;
            let has_choices = !parameter.choices.is_empty();
            let expected = "none, since the type is no text";
            ensure(!has_choices || parameter.is_text(), "choices", expected)?;
            let different: BTreeSet<_> = parameter.choices.iter().collect();
            ensure(different.len() == parameter.choices.len(), "choices", "different texts")?;
        }
        Ok(())
    }

    fn keys(&self) -> Vec<Key> {
        [keys("specification", [&self.specification_token]), keys("name", [&self.name])].concat()
    }
}

impl CommandBody {
    /// The command of a definition with this token.
    pub fn command(&self, token: &str) -> Command {
        let text = |text: &Option<Text>| text.as_ref().map(ToString::to_string).unwrap_or_default();
        Command {
            token: token.to_owned(),
            specification: self.specification_token.to_string(),
            namespace: text(&self.namespace),
            name: self.name.to_string(),
            description: text(&self.description),
            parameters: self.parameters.iter().map(ParameterBody::parameter).collect(),
        }
    }
}

impl ParameterBody {
    fn is_text(&self) -> bool {
        matches!(self.kind, ParameterType::String | ParameterType::Bytes)
    }

    fn parameter(&self) -> ParameterKind {
        ParameterKind {
            name: Cow::Owned(self.name.to_string()),
            kind: self.kind,
            required: self.required,
            positive: false,
            min: self.min,
            max: self.max,
            bytes_max: self.is_text().then_some(TEXT_BYTES_MAX),
            choices: self.choices.iter().map(ToString::to_string).collect(),
        }
    }
}
