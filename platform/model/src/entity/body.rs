//! Reading bodies of documents: texts with bounds, and errors that name the field.

use std::collections::BTreeMap;
use std::fmt;

use lastmeter_units::TenantName;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_path_to_error::Segment;

use super::{DocumentKind, kind_of_code};
use crate::access::{Kind, Owner, PrincipalRef, Resource, Subject, Target};
use crate::token::validate_token;

/// What a document has as its body, apart from what the types of its fields demand.
pub trait Body: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Number of its kind in stores; never given to another one.
    const CODE: u8;

    /// Its kind.
    fn kind() -> &'static DocumentKind {
        kind_of_code(Self::CODE).expect("each body has a row in `KINDS`")
    }

    /// Checks what concerns several fields.
    ///
    /// # Errors
    /// The first field that has no valid value, without what was found.
    fn validate(&self) -> Result<(), Fault> {
        Ok(())
    }

    /// The keys under which the document is found.
    fn keys(&self) -> Vec<Key> {
        Vec::new()
    }

    /// What rights look at in a document with this token.
    fn about(&self, _token: &str) -> About {
        About::default()
    }
}

/// What rights look at in a document; nothing of it makes the document the tenant's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// What it is about.
    pub subject: Option<Target>,
    /// Whose it is.
    pub owner: Option<PrincipalRef>,
    /// Whom it is to.
    pub to: Option<PrincipalRef>,
}

impl About {
    /// About one thing.
    pub(super) fn of(subject: Option<Target>) -> Self {
        Self { subject, ..Self::default() }
    }

    /// The document as a resource of a tenant.
    pub fn resource<'a>(&'a self, kind: Kind, tenant: &'a TenantName) -> Resource<'a> {
        let subject = self.subject.as_ref().map_or(Subject::Nothing, Subject::One);
        let owner = self.owner.as_ref().map_or(Owner::Tenant, Owner::Of);
        Resource { to: self.to.as_ref(), ..Resource::new(kind, tenant, subject).owned(owner) }
    }
}

/// A secondary key: documents of a kind are listed by it. A key may have several values in one
/// document, and one value in several documents.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// What it is, such as `device` or `site`.
    pub name: &'static str,
    /// Its value.
    pub value: String,
}

/// Why a body is none of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {found}, expected {expected}")]
pub struct FieldError {
    /// The field, as `parameters[2].min`.
    pub field: String,
    /// What it has, or that it is missing.
    pub found: String,
    /// What it should have.
    pub expected: String,
}

/// A field with a value that does not go with the others: the field, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(pub(super) String, pub(super) String);

/// A fault unless a condition holds.
pub(super) fn ensure(holds: bool, field: impl Into<String>, expected: &str) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault(field.into(), expected.to_owned())) }
}

/// Keys of one name, one for each value.
pub(super) fn keys<T: fmt::Display>(
    name: &'static str,
    values: impl IntoIterator<Item = T>,
) -> Vec<Key> {
    values.into_iter().map(|value| Key { name, value: value.to_string() }).collect()
}

/// What rights look at in a document.
pub(super) fn about<T: Body>(token: &str, body: &str) -> About {
    let read = serde_json::from_str::<T>(body);
    read.map_or_else(|_| About::default(), |read| read.about(token))
}

/// Checks a body, and names its keys.
pub(super) fn check<T: Body>(body: &Value) -> Result<Vec<Key>, FieldError> {
    read::<T>(body).map(|read| read.keys())
}

/// Reads a body.
///
/// # Errors
/// The first field that has no valid value.
pub fn read<T: Body>(body: &Value) -> Result<T, FieldError> {
    let read: T = serde_path_to_error::deserialize(body).map_err(|error| {
        let path = error.path();
        let found = path.iter().try_fold(body, |value, segment| match segment {
            Segment::Seq { index } => value.get(index),
            Segment::Map { key } => value.get(key),
            Segment::Enum { variant } => value.get(variant).or(Some(value)),
            Segment::Unknown => Some(value),
        });
        let within = Some(path.to_string()).filter(|path| path != ".");
        field_error(within.unwrap_or_default(), found, &error.inner().to_string())
    })?;
    read.validate().map_err(|Fault(field, expected)| {
        let pointer = format!("/{}", field.replace(['.', '['], "/").replace(']', ""));
        FieldError { found: shown(body.pointer(&pointer)), field, expected }
    })?;
    Ok(read)
}

/// The error of a message of serde about what stands at a path.
fn field_error(path: String, found: Option<&Value>, message: &str) -> FieldError {
    let expected = match message.split_once("expected ") {
        Some((_, expected)) => expected.split(", found `").next().unwrap_or_default().to_owned(),
        None if message.starts_with("missing field") => "a value".to_owned(),
        None => format!("a valid value: {message}"),
    };
    let unknown = message.strip_prefix("unknown field `");
    let member = unknown.or_else(|| message.strip_prefix("missing field `"));
    let Some(member) = member.and_then(|rest| rest.split('`').next()) else {
        let field = if path.is_empty() { "body".to_owned() } else { path };
        return FieldError { field, found: shown(found), expected };
    };
    // The path ends at an unknown member, or at the object that lacks one.
    if unknown.is_some() && (path == member || path.ends_with(&format!(".{member}"))) {
        return FieldError { field: path, found: shown(found), expected };
    }
    let field = if path.is_empty() { member.to_owned() } else { format!("{path}.{member}") };
    FieldError { field, found: shown(found.and_then(|value| value.get(member))), expected }
}

/// The longest part of a value that an error shows.
const SHOWN_BYTES_MAX: usize = 80;

/// A value for people, shortened.
fn shown(value: Option<&Value>) -> String {
    match value {
        None => "missing".to_owned(),
        Some(value) => {
            let text = value.to_string();
            format!("`{}`", &text[..text.floor_char_boundary(SHOWN_BYTES_MAX)])
        }
    }
}

/// Structs of bodies: members in camel case, unknown ones refused. A `document` has free texts too.
macro_rules! bodies {
    () => {};
    ($(#[$meta:meta])* document $name:ident { $($fields:tt)* } $($rest:tt)*) => {
        bodies! {
            $(#[$meta])*
            struct $name {
                $($fields)*
                /// Free texts by name.
                #[serde(default)]
                metadata: Metadata,
            }
            $($rest)*
        }
    };
    (
        $(#[$meta:meta])*
        struct $name:ident { $($(#[$of:meta])* $field:ident: $type:ty,)* }
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $name { $($(#[$of])* pub $field: $type,)* }
        bodies! { $($rest)* }
    };
}
pub(super) use bodies;

/// Texts with a condition.
macro_rules! texts {
    ($($(#[$meta:meta])* $name:ident: $expected:literal, $is_valid:expr;)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                let is_valid: fn(&str) -> bool = $is_valid;
                if is_valid(&text) { Ok(Self(text)) } else { Err(concat!("expected ", $expected)) }
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

texts! {
    /// The token of another document.
    Token: "a token: 1 to 128 letters, digits and `-`, `_`, `.`, `:`, `~`",
        |text| validate_token(text).is_ok();
    /// A name for people.
    Name: "a text of 1 to 128 bytes without control characters",
        |text| (1..=128).contains(&text.len()) && !text.contains(char::is_control);
    /// SHA-256 of a certificate.
    Fingerprint: "64 lower-case hexadecimal digits",
        |text| text.len() == 64 && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    /// A currency (ISO 4217).
    Currency: "three capital letters such as `EUR`",
        |text| text.len() == 3 && text.bytes().all(|c| c.is_ascii_uppercase());
    /// What is known of a node.
    Context: "at most 2048 hexadecimal digits", |text| is_hex(text, 2048);
    /// A frame of a node.
    Frame: "at most 16384 hexadecimal digits", |text| is_hex(text, 16_384);
    /// The bytes of an image.
    Content: "at most 1000000 hexadecimal digits", |text| is_hex(text, 1_000_000);
    /// A text.
    Text: "a text of at most 1024 bytes", |text| text.len() <= 1024;
}

/// Whether a text is bytes as lower-case hexadecimal digits, and how many at most.
fn is_hex(text: &str, most: usize) -> bool {
    let is_digit = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
    text.len() <= most && text.len().is_multiple_of(2) && text.bytes().all(is_digit)
}

/// Free texts by name, at most 4 KiB of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct Metadata(pub BTreeMap<String, String>);

impl TryFrom<BTreeMap<String, String>> for Metadata {
    type Error = &'static str;

    fn try_from(texts: BTreeMap<String, String>) -> Result<Self, Self::Error> {
        let bytes: usize = texts.iter().map(|(name, text)| name.len() + text.len()).sum();
        if bytes <= 4096 { Ok(Self(texts)) } else { Err("expected at most 4096 bytes of texts") }
    }
}

/// A list of a bounded length.
pub(super) fn at_most<'de, D, T, const MAX: usize>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let list = Vec::deserialize(from)?;
    if list.len() <= MAX {
        Ok(list)
    } else {
        Err(D::Error::custom(format_args!("expected a list of at most {MAX}")))
    }
}

/// A number, if there is one, from `MIN` to `MAX`.
pub(super) fn within<'de, D, const MIN: i64, const MAX: i64>(
    from: D,
) -> Result<Option<f64>, D::Error>
where
    D: Deserializer<'de>,
{
    let number = Option::<f64>::deserialize(from)?;
    if number.is_none_or(|number| (MIN as f64..=MAX as f64).contains(&number)) {
        Ok(number)
    } else {
        Err(D::Error::custom(format_args!("expected a number from {MIN} to {MAX}")))
    }
}
