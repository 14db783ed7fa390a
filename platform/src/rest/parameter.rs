//! Parameters of paths and queries: what a row of `ROUTES` declares is what a handler reads.

/// A parameter of a path or a query.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    /// As it is in the path or the query.
    pub(crate) name: &'static str,
    /// What it selects, for people.
    pub(crate) summary: &'static str,
    /// What it may be.
    pub(crate) value: ParameterValue,
    /// Whether a query without it is refused; every variable of a path is.
    pub(crate) is_required: bool,
    /// A value that can exist, as the documentation shows it.
    pub(crate) example: Option<&'static str>,
}

/// The values of a parameter.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ParameterValue {
    /// Any text.
    Text,
    /// Texts: repeated, or separated by commas.
    Texts,
    /// An instant as RFC 3339 has it.
    Instant,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number within bounds, both included.
    Whole { least: u64, most: u64, default: u64 },
}

impl Parameter {
    const fn new(name: &'static str, summary: &'static str, value: ParameterValue) -> Self {
        Self { name, summary, value, is_required: false, example: None }
    }

    /// One that may be any text.
    pub(crate) const fn text(name: &'static str, summary: &'static str) -> Self {
        Self::new(name, summary, ParameterValue::Text)
    }

    /// One that holds several texts.
    pub(crate) const fn texts(name: &'static str, summary: &'static str) -> Self {
        Self::new(name, summary, ParameterValue::Texts)
    }

    /// One that is an instant.
    pub(crate) const fn instant(name: &'static str, summary: &'static str) -> Self {
        Self::new(name, summary, ParameterValue::Instant)
    }

    /// One that is one of some words.
    pub(crate) const fn word(
        name: &'static str,
        summary: &'static str,
        words: &'static [&'static str],
    ) -> Self {
        Self::new(name, summary, ParameterValue::Word(words))
    }

    /// A whole number with the value that it has where it is not given, its least and its most.
    pub(crate) const fn whole(
        name: &'static str,
        summary: &'static str,
        default: u64,
        (least, most): (u64, u64),
    ) -> Self {
        Self::new(name, summary, ParameterValue::Whole { least, most, default })
    }

    /// With a value that can exist.
    pub(crate) const fn example(self, example: &'static str) -> Self {
        Self { example: Some(example), ..self }
    }

    /// Refused where it is missing.
    pub(crate) const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }
}

/// The hardware id of the examples, of which `ASSIGNMENT` is the assignment.
pub(crate) const EXAMPLE_DEVICE: &str = "meter-1";

pub(super) const HARDWARE_ID: Parameter =
    Parameter::text("hardwareId", "the device's hardware id").example(EXAMPLE_DEVICE);
pub(super) const ASSIGNMENT: Parameter =
    Parameter::text("token", "the token of an assignment, `assignmentToken` of its device")
        .example("1e777fd0-2951-9c25-7c8a-973b60082969");
pub(super) const PAGE: Parameter =
    // The bound keeps the offset within what the store counts with.
    Parameter::whole("page", "the page, from 1", 1, (1, u32::MAX as u64));
/// SiteWhere's default.
pub(super) const PAGE_SIZE: Parameter =
    Parameter::whole("pageSize", "rows of a page", 100, (1, 1000));
pub(super) const START_DATE: Parameter =
    Parameter::instant("startDate", "the first instant of the range, included");
pub(super) const END_DATE: Parameter =
    Parameter::instant("endDate", "the last instant of the range, included");
