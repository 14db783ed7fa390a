//! The section of injections: its keys, what must hold of them all, and what an injection is once
//! it has been read.

use std::sync::Arc;

use lastmeter_params::{Code, Diagnostics, Dimension, Field, Kind, Span, Values, parse_quantity};
use lastmeter_units::{SimDuration, SimTime};

use super::injections;
use super::kind::{InjectKind, kind_of};
use super::link::report_overlaps;
use super::order::Order;
use super::target::Places;
use crate::draft::{Draft, Row, Section};
use crate::references::{Target, Through};
use crate::section::scenario::{DURATION_S_MAX, SCENARIO};

pub(crate) static INJECT: Section = Section {
    name: "inject",
    noun: "injection",
    doc: "Something that is done to the bench at an instant.",
    fields: &[
        Field::optional("name", Kind::Name, "what overrides call it; else its number"),
        Field::required(
            "at",
            Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: DURATION_S_MAX },
            "when it happens, since the start",
        ),
        Field::required("kind", Kind::Text, "which injection"),
    ],
    kind: Some(("kind", "injection")),
    entries: || injections().map(InjectKind::entry).collect(),
    heading: "injections",
    rules: &[report_late_injections, validate_injection_tables],
    ..Section::REPEATED
};

/// How long an injection lasts.
pub(super) const FOR: Field = Field::optional(
    "for",
    Kind::Quantity { dimension: Dimension::Time, min: 1e-3, max: DURATION_S_MAX },
    "how long, within the scenario; until the end if left out",
);

/// Something that is done to the bench at an instant.
#[derive(Clone)]
pub struct Injection {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// When, since the start.
    pub at: SimDuration,
    pub(crate) kind: &'static dyn InjectKind,
    /// The same in event time.
    pub instant: SimTime,
    pub(crate) target: Target,
    /// Its keys.
    pub values: Arc<Values>,
}

impl Injection {
    /// Its keys beside name, time and kind as one line of TOML, for people.
    pub fn detail(&self) -> String {
        let own = self.values.to_toml();
        let mut keys: Vec<&str> = own.lines().collect();
        keys.retain(|line| {
            !["name = ", "at = ", "kind = "].iter().any(|key| line.starts_with(key))
        });
        keys.join(", ")
    }

    /// The name of its kind.
    pub fn kind_name(&self) -> &'static str {
        self.kind.entry().name
    }

    /// The device that it befalls.
    pub fn device(&self) -> Option<usize> {
        match self.target {
            Target::Device(device) => Some(device),
            _ => None,
        }
    }

    /// The connections that it befalls.
    pub(crate) fn through(&self) -> Option<&Through> {
        match &self.target {
            Target::Link(through) => Some(through),
            _ => None,
        }
    }

    /// When the bench has to end it, since the start: when the `for` of what befalls a link or an
    /// application is over. Whoever else is befallen knows it.
    pub fn until(&self) -> Option<SimDuration> {
        let is_the_benchs = matches!(self.target, Target::Link(_) | Target::Application(_));
        if !is_the_benchs {
            return None;
        }
        Some(self.at + self.values.duration_opt("for")?)
    }

    /// What the bench has to do when it begins.
    pub fn begin(&self) -> Vec<Order> {
        self.kind.begin(self)
    }

    /// What the bench has to do when it ends.
    pub fn end(&self) -> Vec<Order> {
        self.kind.end(self)
    }
}

/// The injection of a row; `None` only after a mistake.
pub(crate) fn injection(
    row: &Row<'_>,
    target: Option<&Target>,
    start: SimTime,
) -> Option<Injection> {
    let (kind, values) = (kind_of(row)?, row.values.clone()?);
    let at: SimDuration = values.duration("at");
    let name = values.text_opt("name").map(str::to_owned);
    Some(Injection { name, at, kind, instant: start + at, target: target?.clone(), values })
}

/// Whom each injection befalls; what is wrong with that is reported.
pub(crate) fn targets(rows: &[Row<'_>], mut places: Places<'_>) -> Vec<Option<Target>> {
    let target = |row: &Row<'_>| {
        let kind = kind_of(row);
        if kind.is_none() {
            // Whatever it was to be, a device that it names has to be there.
            places.device(row);
        }
        kind?.target(row, &mut places)
    };
    let targets: Vec<Option<Target>> = rows.iter().map(target).collect();
    report_overlaps(rows, &targets, places.out);
    report_exclusions(rows, &targets, places.out);
    targets
}

/// Of what excludes another one of its kind there is one at a time.
fn report_exclusions(injections: &[Row<'_>], targets: &[Option<Target>], out: &mut Diagnostics) {
    let span = |row: &Row<'_>| {
        let (from, ..) = time(row, "at")?;
        Some((from, time(row, "for").map_or(i64::MAX, |(length, ..)| from.saturating_add(length))))
    };
    let all = || injections.iter().zip(targets).filter_map(|(row, to)| Some((row, to.as_ref()?)));
    for (place, (row, target)) in all().enumerate() {
        let (Some(kind), Some((from, until))) = (kind_of(row), span(row)) else { continue };
        let meets = |(other, to): (&Row<'_>, &Target)| {
            let is_same = other.kind == row.kind && kind.excludes(target, to);
            is_same && span(other).is_some_and(|(first, last)| first < until && from < last)
        };
        if all().take(place).any(meets) {
            let at = row.text("at").map_or(row.span, |(_, span)| span);
            let whom = match target {
                Target::Application(_) => "the application",
                Target::Device(_) => "the device",
                _ => "the bus",
            };
            let message = format!("another `{}` befalls {whom} at that time", kind.entry().name);
            let help = "let the one before end with `for`".to_owned();
            let label = "begins before the one before has ended";
            out.report_with_help(Code::OVERLAP, at, message, label, Some(help));
        }
    }
}

/// A time as it is written, in ns, with its text and place; `None` if it is not there or wrong.
pub(super) fn time<'a>(row: &Row<'a>, key: &str) -> Option<(i64, &'a str, Span)> {
    let (text, span) = row.text(key)?;
    Some((nanoseconds(text)?, text, span))
}

fn nanoseconds(text: &str) -> Option<i64> {
    let (seconds, _) = parse_quantity(text, &[Dimension::Time]).ok()?;
    Some(SimDuration::from_seconds_f64(seconds).0)
}

/// An injection happens before the end.
fn report_late_injections(draft: &Draft<'_>, out: &mut Diagnostics) {
    let seconds = |text: &str| parse_quantity(text, &[Dimension::Time]).map(|(si, _)| si).ok();
    let Some(duration) = draft.single(&SCENARIO).and_then(|head| head.table.text("duration"))
    else {
        return;
    };
    let Some(duration_s) = seconds(duration) else { return };
    for (at, span) in draft.rows(&INJECT).iter().filter_map(|row| row.text("at")) {
        if seconds(at).is_some_and(|at_s| at_s >= duration_s) {
            let message = format!("at {at} the scenario is over");
            let label = format!("the duration is {duration}");
            out.report(Code::OUTSIDE_SCENARIO, span, message, label);
        }
    }
}

/// Each kind has its own rules.
fn validate_injection_tables(draft: &Draft<'_>, out: &mut Diagnostics) {
    for row in draft.rows(&INJECT) {
        if let Some(kind) = kind_of(row) {
            kind.check(row, draft, out);
        }
    }
}

/// What lasts for a time of its own is over before the scenario is.
pub(super) fn report_late_end(row: &Row<'_>, draft: &Draft<'_>, out: &mut Diagnostics) {
    let head = draft.single(&SCENARIO);
    let Some(duration) = head.and_then(|head| head.table.text("duration")) else { return };
    let Some(end) = nanoseconds(duration) else { return };
    let (Some((at, at_text, _)), Some((length, text, span))) = (time(row, "at"), time(row, "for"))
    else {
        return;
    };
    // What begins after the end has been reported.
    if at < end && at.saturating_add(length) > end {
        let message = format!("{text} from {at_text} on is longer than the scenario");
        let label = format!("the duration is {duration}");
        let help = "leave `for` out if it shall last to the end".to_owned();
        out.report_with_help(Code::OUTSIDE_SCENARIO, span, message, label, Some(help));
    }
}
