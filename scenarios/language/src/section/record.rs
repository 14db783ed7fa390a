//! `[record]`: which rows of `observations.csv` a long run keeps.

use std::sync::Arc;

use lastmeter_params::{Code, Diagnostics, Dimension, Field, Kind, Pattern, Values};
use lastmeter_reports::check::RecordTable;
use lastmeter_units::{MEASUREMENTS, MeasurementId, SimDuration};

use super::check::{CHECK, kind_of};
use crate::draft::{Draft, Part, Row, Section};
use crate::names::Names;

pub(crate) static RECORD: Section = Section {
    name: "record",
    noun: "record",
    doc: "Which rows of `observations.csv` are kept; without it, all. A reading is never left out \
        whole: its first value stays. So do values that are missing, unexpected or of an uncertain \
        reference, and of what is left out the one that is farthest off, in its unit and in relation \
        to its reference: verdicts of what may be thinned are the same. `aggregates.csv` has number, \
        mean, extremes and worst error of what became of each series.",
    fields: &[
        Field::required(
            "rules",
            Kind::List(&Kind::Table(&RULE)),
            "of several rules the first that a value fits; one that fits none is kept",
        ),
        Field::default(
            "every",
            Kind::Quantity { dimension: Dimension::Time, min: 1.0, max: 31_622_400.0 },
            "\"15 min\"",
            "length of the intervals of `aggregates.csv`, counted from the scenario's start",
        ),
    ],
    rules: &[report_rules],
    build: |rows| Some(Arc::new(record_rules(rows.first()?.values.as_ref()?)) as Part),
    ..Section::ONCE
};

const RULE: [Field; 4] = [
    Field::default("device", Kind::Text, "\"*\"", "name of the device, or a pattern with *"),
    Field::default("quantity", Kind::Text, "\"*\"", "measurement identifier, or a pattern with *"),
    Field::required(
        "keep",
        Kind::Choice(&["all", "changes", "aggregates"]),
        "`changes`: rows in which reference or reported value differ from the row before; \
         `aggregates`: the worst rows of each interval",
    ),
    Field::default(
        "change",
        Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1.0 },
        "\"0 %\"",
        "with `changes`: by how much of the value kept last a value has to differ",
    ),
];

/// The rules of a run's record.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordRules {
    /// The intervals that are summed up.
    pub every: SimDuration,
    /// In their order.
    pub rules: Vec<RecordRule>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordRule {
    /// Whose values it is about.
    pub device: Pattern,
    /// Which quantities.
    pub quantity: Pattern,
    /// What is kept of them.
    pub keep: Keep,
}

/// What is kept of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Keep {
    /// Every row.
    All,
    /// Rows that differ by more than this part of the value from the row kept last.
    Changes(f64),
    /// The worst of each interval.
    Aggregates,
}

impl RecordRules {
    /// The rule that a series falls under, if it is one that leaves something out.
    pub fn of(&self, device: &str, quantity: MeasurementId) -> Option<&RecordRule> {
        let fits = |rule: &&RecordRule| {
            rule.device.matches(device) && rule.quantity.matches(quantity.name())
        };
        self.rules.iter().find(fits).filter(|rule| rule.keep != Keep::All)
    }
}

fn record_rules(values: &Values) -> RecordRules {
    let rule = |table: &Values| RecordRule {
        device: Pattern::new(table.text("device")),
        quantity: Pattern::new(table.text("quantity")),
        keep: match table.text("keep") {
            "changes" => Keep::Changes(table.si("change")),
            "aggregates" => Keep::Aggregates,
            _ => Keep::All,
        },
    };
    let rules = values.tables("rules").into_iter().map(rule).collect();
    RecordRules { every: values.duration("every"), rules }
}

/// A rule is about quantities that there are, and states what its way of keeping takes.
fn report_rules(draft: &Draft<'_>, out: &mut Diagnostics) {
    let Some(values) = draft.values(&RECORD) else { return };
    for rule in values.tables("rules") {
        let pattern = Pattern::new(rule.text("quantity"));
        if !MEASUREMENTS.iter().any(|row| pattern.matches(row.name)) {
            let message = format!("no measurement identifier fits `{pattern}`");
            let label = "expected an identifier of the registry, or a pattern with *";
            out.report(Code::UNKNOWN_MEASUREMENT, rule.span_of("quantity"), message, label);
        }
        if rule.is_written("change") && rule.text("keep") != "changes" {
            let message = "`change` is of `keep = \"changes\"`";
            let label = format!("not of `{}`", rule.text("keep"));
            out.report(Code::DOES_NOT_FIT, rule.span_of("change"), message, label);
        }
    }
}

/// A check that needs every row of a series finds them all.
pub(crate) fn report_starved_checks(
    draft: &Draft<'_>,
    (devices, devices_of_check): (&Names, &[Vec<usize>]),
    out: &mut Diagnostics,
) {
    let Some(values) = draft.values(&RECORD) else { return };
    let rules = record_rules(values);
    for (rule, written) in rules.rules.iter().zip(values.tables("rules")) {
        if devices.matching(&rule.device).is_empty() && devices.is_complete {
            let message = format!("no device has a name that fits `{}`", rule.device);
            let span = written.span_of("device");
            out.report(Code::UNKNOWN_REFERENCE, span, message, "fits nothing");
        }
    }
    for (check, of) in draft.rows(&CHECK).iter().zip(devices_of_check) {
        let (Some(kind), Some(values)) = (kind_of(check), check.values.as_ref()) else { continue };
        let reads = kind.reads_folder || kind.tables.contains(&RecordTable::Observations);
        if !reads || (kind.takes_thinned)(values) {
            continue;
        }
        let quantities = quantities_of(check);
        let thinned = of.iter().filter_map(|&device| devices.get(device)).find_map(|device| {
            let rule = quantities.iter().find_map(|id| rules.of(device, *id).map(|_| *id));
            rule.map(|id| (device, id))
        });
        let Some((device, id)) = thinned else { continue };
        let message = format!(
            "a check of kind `{}` needs every row of its series, and `[record]` leaves out some of \
             {id} of `{device}`",
            kind.entry.name
        );
        let help = "add a rule before the others with this quantity and `keep = \"all\"`";
        let (code, label) = (Code::DOES_NOT_FIT, "judges rows that would not be there");
        out.report_with_help(code, check.span, message, label, Some(help.to_owned()));
    }
}

/// Which quantities a check is about; all, if it names none.
fn quantities_of(check: &Row<'_>) -> Vec<MeasurementId> {
    let pattern = check.text("quantity").map_or(Pattern::new("*"), |(text, _)| Pattern::new(text));
    let all = MEASUREMENTS.iter().filter(|row| pattern.matches(row.name));
    all.filter_map(|row| MeasurementId::lookup(row.name)).collect()
}
