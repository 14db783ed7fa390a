//! `[scenario]`: what the experiment is called, and when it happens.

use lastmeter_params::{Code, Diagnostics, Dimension, Field, Kind, Values};
use lastmeter_record::TimeMode;
use lastmeter_units::{SimDuration, SimTime};

use crate::draft::{Draft, Section};
use crate::matrix::is_case_name;

/// The longest scenario: ten years, so that every instant stays within a 64-bit nanosecond count.
pub(super) const DURATION_S_MAX: f64 = 10.0 * 365.25 * 86_400.0;

pub(crate) static SCENARIO: Section = Section {
    name: "scenario",
    doc: "The experiment.",
    fields: &[
        Field::required("name", Kind::Name, "what reports, verdicts and twins call it"),
        Field::optional("title", Kind::Text, "one line for the head of the report"),
        Field::optional("description", Kind::Text, "what it is about, at length"),
        Field::default("tags", Kind::List(&Kind::Name), "[]", "words to select scenarios by"),
        Field::default(
            "time",
            Kind::Choice(&["virtual", "real"]),
            "\"virtual\"",
            "virtual: done as fast as possible, latency not judged; real: as long as stated, by the \
             clock on the wall",
        ),
        Field::optional(
            "time_in_file",
            Kind::Choice(&["virtual", "real"]),
            "stands in resolved scenarios: the file's value where `--time` overrode it, so that \
             checks of latency are known to be skipped, not misplaced",
        ),
        Field::optional(
            "case",
            Kind::Text,
            "stands in resolved scenarios: the case of the matrix that it is",
        ),
        Field::default(
            "start",
            Kind::Instant,
            "2027-01-01T00:00:00Z",
            "event time of the first sample",
        ),
        Field::optional(
            "duration",
            Kind::Quantity { dimension: Dimension::Time, min: 0.001, max: DURATION_S_MAX },
            "how long it lasts in event time; with `[test_plan]` or `[calibration]` as long as its \
             plan",
        ),
        Field::default(
            "seed",
            Kind::Integer { min: 0, max: i64::MAX },
            "1",
            "the number all randomness comes from",
        ),
        Field::default(
            "sync_every",
            Kind::Quantity { dimension: Dimension::Time, min: 1.0, max: 600.0 },
            "\"60 s\"",
            "virtual time: how often at least everything becomes quiescent, so that the platform has \
             all and its commands arrive; longer is faster",
        ),
    ],
    is_required: true,
    rules: &[report_case],
    ..Section::ONCE
};

/// The name of a case is one of a folder.
fn report_case(draft: &Draft<'_>, out: &mut Diagnostics) {
    let Some((case, span)) = draft.single(&SCENARIO).and_then(|row| row.text("case")) else {
        return;
    };
    if !is_case_name(case) {
        let message = format!("`{case}` is not the name of a case");
        let label = "expected letters, digits and `.`, `_`, `-`, `=`, `+`, as the bench writes it";
        out.report(Code::BAD_NAME, span, message, label);
    }
}

/// What a scenario is called and what it is about.
#[derive(Clone)]
pub struct About {
    /// The scenario's name; of a case with that behind it, as `SCENARIO/CASE`.
    pub name: String,
    /// The case of its matrix that it is.
    pub case: Option<String>,
    /// One line for the head of a report.
    pub title: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// Words to select it by.
    pub tags: Vec<String>,
}

/// When a scenario happens, and by which clock and dice.
#[derive(Clone)]
pub struct Schedule {
    /// Whether it runs as fast as it can, or by the clock on the wall.
    pub time: TimeMode,
    /// Event time of the first sample.
    pub start: SimTime,
    /// How long it lasts.
    pub duration: SimDuration,
    /// In virtual time: how often everything comes to rest at least.
    pub sync_every: SimDuration,
    /// Where all randomness comes from.
    pub seed: u64,
}

pub(crate) fn about(head: &Values) -> About {
    let optional = |key: &str| head.text_opt(key).map(str::to_owned);
    let name = head.text("name");
    let case = optional("case");
    About {
        name: case.as_ref().map_or_else(|| name.to_owned(), |case| format!("{name}/{case}")),
        case,
        title: optional("title"),
        description: optional("description"),
        tags: head.text_list("tags").into_iter().map(str::to_owned).collect(),
    }
}

/// What `[scenario]` states of its time, and the seed.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    pub(crate) time: TimeMode,
    /// What the file states, whatever an option made of it.
    pub(crate) time_in_file: TimeMode,
    pub(crate) start: SimTime,
    /// `None` where it follows from a plan.
    pub(crate) duration: Option<SimDuration>,
    pub(crate) sync_every: SimDuration,
    pub(crate) seed: u64,
}

/// The head of a scenario, if it has no mistake.
pub(crate) fn head(draft: &Draft<'_>) -> Option<Head> {
    let values = draft.values(&SCENARIO)?;
    let mode = |word: &str| TimeMode::from_word(word).unwrap_or_default();
    let time = mode(values.text("time"));
    Some(Head {
        time,
        time_in_file: values.text_opt("time_in_file").map_or(time, mode),
        start: values.instant_opt("start")?,
        duration: values.duration_opt("duration"),
        sync_every: values.duration("sync_every"),
        seed: values.integer("seed") as u64,
    })
}

/// Whether the clock on the wall is the one to go by.
pub(crate) fn is_in_real_time(draft: &Draft<'_>) -> bool {
    head(draft).is_some_and(|head| head.time == TimeMode::Real)
}

/// A duration is given, unless it follows from the plan of a test plan.
pub(crate) fn validate_duration(head: &Values, has_plan: bool, out: &mut Diagnostics) {
    match (head.duration_opt("duration"), has_plan) {
        (None, false) => out.report_with_help(
            Code::MISSING_KEY,
            head.span,
            "key `duration` is missing",
            "needs a time",
            Some("`duration`: how long it lasts in event time".to_owned()),
        ),
        (Some(_), true) => out.report_with_help(
            Code::DOES_NOT_FIT,
            head.span_of("duration"),
            "how long a scenario with `[test_plan]` or `[calibration]` lasts follows from its plan",
            "cannot be chosen",
            Some("leave `duration` out".to_owned()),
        ),
        _ => {}
    }
}

/// From its start on it can be counted as clocks of platforms count, in time since 1970, and to its
/// end in nanoseconds, as every instant is.
pub(crate) fn report_times(head: &Values, planned: Option<SimDuration>, out: &mut Diagnostics) {
    let Some(start) = head.instant_opt("start") else { return };
    if start.as_nanoseconds() < 0 {
        let message = "the scenario would start before 1970";
        let label = "platforms count time from 1970-01-01T00:00:00Z on";
        out.report(Code::OUT_OF_RANGE, head.span_of("start"), message, label);
    }
    let Some(duration) = planned.or_else(|| head.duration_opt("duration")) else { return };
    if start.as_nanoseconds().checked_add(duration.0).is_none() {
        let message = "the scenario would end after the year 2262";
        let label = "later instants cannot be counted in nanoseconds";
        out.report(Code::OUT_OF_RANGE, head.span_of("start"), message, label);
    }
}
