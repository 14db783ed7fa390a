//! Grants, ownership over time, and what follows from them: windows of data.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use lastmeter_units::{HardwareId, SimDuration, SimTime};
use serde::{Deserialize, Serialize};

use super::action::Action;
use super::principal::{FormError, PrincipalRef, serde_as_text};
use super::resource::Target;

lastmeter_units::words! {
    /// Who sees a device or virtual device without being named.
    pub enum Visibility in files {
        /// Nobody but its owner and those with a grant.
        Private = "private",
        /// The same, and its owner lists it as one to ask for.
        Shared = "shared",
        /// Everybody.
        Public = "public",
    }
}

/// An interval on the tenant's clock, without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first instant.
    pub from: SimTime,
    /// The first instant after it.
    pub until: SimTime,
}

impl Span {
    /// All of time.
    pub const ALWAYS: Self = Self { from: SimTime(i64::MIN), until: SimTime(i64::MAX) };

    /// Whether an instant lies in it.
    pub fn contains(&self, at: SimTime) -> bool {
        self.from <= at && at < self.until
    }

    /// What two have in common, if anything.
    pub fn intersection(self, other: Self) -> Option<Self> {
        let span = Self { from: self.from.max(other.from), until: self.until.min(other.until) };
        (span.from < span.until).then_some(span)
    }
}

/// Who owned a thing in an interval; those of one thing cover all of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenure {
    /// The owner: the person of the assignment, else the owner of the field network.
    pub owner: Option<PrincipalRef>,
    /// When.
    pub span: Span,
}

/// Selects quantities by name: a whole name, or the beginning of one followed by `*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern(String);

impl Pattern {
    /// Whether the quantity of a name is selected.
    pub fn is_match(&self, quantity: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => quantity.starts_with(beginning),
            None => self.0 == quantity,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Pattern {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, FormError> {
        let name = text.strip_suffix('*').unwrap_or(text);
        if text.is_empty() || text.len() > 128 || name.contains('*') {
            return Err(FormError::new("a name of 1 to 128 bytes, `*` at its end only", text));
        }
        Ok(Self(text.to_owned()))
    }
}

serde_as_text!(Pattern);

/// A set of quantities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quantities {
    /// All of them.
    All,
    /// Those that one of the patterns selects.
    Like(BTreeSet<Pattern>),
}

impl Quantities {
    /// Whether the quantity of a name is in the set.
    pub fn contains(&self, quantity: &str) -> bool {
        match self {
            Self::All => true,
            Self::Like(patterns) => patterns.iter().any(|one| one.is_match(quantity)),
        }
    }
}

/// What a reader may have of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The device or virtual device.
    pub device: HardwareId,
    /// The first instant.
    pub from: SimTime,
    /// The first instant after it.
    pub until: SimTime,
    /// Which quantities.
    pub quantities: Quantities,
    /// If given, only closed roll-ups of this width that lie in the interval as a whole.
    pub finest: Option<SimDuration>,
}

impl Window {
    /// Everything of a device in an interval.
    pub(super) fn of(device: &HardwareId, Span { from, until }: Span) -> Self {
        let device = device.clone();
        Self { device, from, until, quantities: Quantities::All, finest: None }
    }

    /// Its interval.
    pub fn span(&self) -> Span {
        Span { from: self.from, until: self.until }
    }
}

/// A document by which an owner, or the tenant for a purpose, lets somebody use a thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Who may use it.
    pub to: PrincipalRef,
    /// What is granted.
    pub on: Target,
    /// To do what.
    pub actions: BTreeSet<Action>,
    /// Which quantities; `*` is all of them.
    pub quantities: BTreeSet<Pattern>,
    /// If given, only closed roll-ups of this width.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finest: Option<SimDuration>,
    /// Whether values from before `from` are granted too.
    #[serde(default)]
    pub with_history: bool,
    /// When it begins.
    pub from: SimTime,
    /// The first instant after it.
    pub until: SimTime,
    /// The purpose for which the tenant grants it on what is owned by others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Who granted it: without a purpose, it gives what this principal owns and no more.
    pub by: PrincipalRef,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<SimTime>,
}

impl Grant {
    /// Whether it holds at an instant.
    pub fn is_in_force(&self, now: SimTime) -> bool {
        self.from <= now && now < self.until && self.revoked.is_none_or(|at| now < at)
    }

    /// The interval of data that it gives while it is in force.
    pub fn data_span(&self) -> Span {
        let from = if self.with_history { SimTime(i64::MIN) } else { self.from };
        Span { from, until: self.until }
    }

    /// What it gives of a device in an interval.
    pub(super) fn window(&self, device: &HardwareId, span: Span) -> Window {
        let is_all = self.quantities.iter().any(|one| one.0 == "*");
        let quantities =
            if is_all { Quantities::All } else { Quantities::Like(self.quantities.clone()) };
        Window { quantities, finest: self.finest, ..Window::of(device, span) }
    }
}
