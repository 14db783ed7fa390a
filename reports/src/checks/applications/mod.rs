//! What applications of the grid have concluded, against what the plant did: who has no supply, and
//! where a fault is. Nothing here is shared with what concludes it.
//!
//! Larger than its budget: two checks with one section, and what both read of results.
//! [`outage_area`] and [`fault_distance`] are the checks; [`section`] is their part of the report
//! with its [`pictures`], and [`missed`] what it shows that no application concluded.

mod fault_distance;
mod missed;
mod outage_area;
mod pictures;
mod section;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_params::{Code, Diagnostics, Dimension, Field, Kind, Pattern, Values};
use lastmeter_record::{Event, EventKind, field};
use lastmeter_units::SimTime;
use serde_json::Value;

pub(super) use fault_distance::KIND as FAULT_DISTANCE;
pub(super) use outage_area::KIND as OUTAGE_AREA;

use crate::check::planned::PlannedBench;

const APPLICATION: Field =
    Field::default("application", Kind::Pattern, "\"*\"", "whose results; a name, or a pattern");

const TIME: Kind = Kind::Quantity { dimension: Dimension::Time, min: 1e-3, max: 1e6 };
const SHARE: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1.0 };

/// Refuses a check of what applications of a kind conclude where it means none of that kind.
fn report_without(kind: &str, values: &Values, bench: &PlannedBench<'_>, out: &mut Diagnostics) {
    let text = values.text("application");
    let pattern = Pattern::new(text);
    let meant = bench.applications.iter().filter(|(name, _)| pattern.matches(name));
    let first = meant.clone().next();
    let own = meant.filter(|(_, own)| own == kind).map(|(name, _)| format!("`{name}`"));
    match own.collect::<Vec<_>>().as_slice() {
        [] => {}
        [_] => return,
        several => {
            let key = if values.is_written("application") { "application" } else { "kind" };
            let message = format!("{} would be held for one application", several.join(" and "));
            let (span, label) = (values.span_of(key), "whose results?");
            let help =
                Some("write a check of this kind for each, with its `application`".to_owned());
            out.report_with_help(Code::DOES_NOT_FIT, span, message, label, help);
            return;
        }
    }
    let right = bench.applications.iter().filter(|(_, own)| own == kind);
    let right: Vec<String> = right.map(|(name, _)| format!("`{name}`")).collect();
    let (code, message) = match first {
        _ if right.is_empty() => {
            let check = values.text("kind");
            let message = format!("`{check}` judges applications of kind `{kind}`: there is none");
            (Code::CANNOT_MEASURE, message)
        }
        Some((name, other)) => {
            (Code::DOES_NOT_FIT, format!("`{name}` is an application of kind `{other}`"))
        }
        None => (Code::UNKNOWN_REFERENCE, format!("there is no application named `{text}`")),
    };
    let label = match right.len() {
        0 => format!("expected an `[[application]]` of kind `{kind}`"),
        _ => format!("expected {}", right.join(" or ")),
    };
    let key = if values.is_written("application") { "application" } else { "kind" };
    out.report(code, values.span_of(key), message, label);
}

/// An application and its name of an outage or a fault.
type Subject = (String, String);

/// Since when, and until when if it is over.
type Spell = (SimTime, Option<SimTime>);

/// Whether a spell has an instant in common with a time.
fn meets((from, to): &Spell, since: SimTime, until: SimTime) -> bool {
    *from <= until && to.is_none_or(|to| to > since)
}

/// By meter, when it had no supply, with the line of each loss.
#[derive(Default)]
struct Darkness(BTreeMap<String, Vec<(Spell, u64)>>);

impl Darkness {
    fn take(&mut self, line: u64, event: &Event) {
        let device = event.text(field::DEVICE).unwrap_or_default();
        if event.kind == EventKind::SupplyLost {
            self.0.entry(device.to_owned()).or_default().push(((event.time, None), line));
        } else if event.kind == EventKind::SupplyReturned
            && let Some((last, _)) = self.0.get_mut(device).and_then(|all| all.last_mut())
        {
            last.1.get_or_insert(event.time);
        }
    }

    /// Who had no supply at some instant of a time.
    fn within(&self, since: SimTime, until: SimTime) -> BTreeSet<String> {
        let is_own = |spells: &[(Spell, u64)]| spells.iter().any(|it| meets(&it.0, since, until));
        let own = self.0.iter().filter(|(_, spells)| is_own(spells));
        own.map(|(meter, _)| meter.clone()).collect()
    }
}

/// How often the alert of each conclusion came.
#[derive(Default)]
struct Raised(BTreeMap<Subject, i64>);

impl Raised {
    /// Counts an alert of this type, whose metadata have the subject under this key.
    fn take(&mut self, event: &Event, application: &Pattern, [kind, key]: [&str; 2]) {
        let device = event.text(field::DEVICE).unwrap_or_default();
        let is_own = event.kind == EventKind::Alert && event.text(field::TYPE) == Some(kind);
        if is_own && application.matches(device) {
            let metadata = event.get(field::METADATA);
            let subject = metadata.and_then(|it| it[key].as_str()).unwrap_or_default();
            *self.0.entry((device.to_owned(), subject.to_owned())).or_default() += 1;
        }
    }

    /// How many are missing and too many, given which conclusions need one.
    fn odd<'a>(&'a self, conclusions: impl Iterator<Item = (&'a Subject, bool)>) -> u64 {
        let mut odd: BTreeMap<_, i64> = self.0.iter().map(|(of, count)| (of, *count)).collect();
        for (subject, is_due) in conclusions {
            *odd.entry(subject).or_default() -= i64::from(is_due);
        }
        odd.values().map(|count| count.unsigned_abs()).sum()
    }
}

/// An element of an outage in words.
fn element([kind, name, phases]: &[String; 3]) -> String {
    format!("{kind} {name} ({phases})")
}

/// A result of an application.
struct Concluded<'a> {
    application: &'a str,
    subject: &'a str,
    /// When it was made.
    made: SimTime,
    event: &'a Event,
}

impl<'a> Concluded<'a> {
    /// The result of a kind that an event is.
    fn of(event: &'a Event, kind: &str) -> Option<Self> {
        if event.kind != EventKind::Result || event.text(field::RESULT) != Some(kind) {
            return None;
        }
        let application = event.text(field::DEVICE)?;
        let subject = event.text(field::SUBJECT)?;
        Some(Self { application, subject, made: event.time, event })
    }

    fn content(&self, name: &str) -> Option<&'a Value> {
        self.event.get(field::CONTENT)?.get(name)
    }

    fn truth(&self, name: &str) -> Option<&'a Value> {
        self.event.get(field::TRUTH)?.get(name)
    }

    /// When what it speaks of begins.
    fn from(&self) -> Option<SimTime> {
        self.event.text(field::FROM)?.parse().ok()
    }

    fn key(&self) -> Subject {
        (self.application.to_owned(), self.subject.to_owned())
    }

    /// From each candidate of a fault to its true place, metres; infinite from where there is none.
    fn deviations_m(&self) -> Vec<f64> {
        let list = self.truth("deviations_m").and_then(Value::as_array).into_iter().flatten();
        list.map(|metres| metres.as_f64().unwrap_or(f64::INFINITY)).collect()
    }

    /// Whom an outage is held to have left without supply.
    fn held(&self) -> BTreeSet<String> {
        let (is_over, back) = (self.is_over(), self.texts("restored").collect::<BTreeSet<_>>());
        let held = self.texts("expected").filter(|meter| !is_over && !back.contains(meter));
        held.map(str::to_owned).collect()
    }

    /// Whether the outage that it is about is over.
    fn is_over(&self) -> bool {
        let state = self.content("state").and_then(Value::as_str);
        matches!(state, Some("restored" | "withdrawn"))
    }

    /// Kind, name and phases of each element of an outage.
    fn areas(&self) -> Vec<[String; 3]> {
        let areas = self.content("areas").and_then(Value::as_array).into_iter().flatten();
        let text = |area: &Value, name: &str| area[name].as_str().unwrap_or("-").to_owned();
        areas.map(|area| ["element", "name", "phases"].map(|key| text(area, key))).collect()
    }

    /// The texts of a list in its content.
    fn texts(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let list = self.content(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str)
    }
}
