//! What a check of kind `published_table` asks for, and whether all of a publication is asked for.

use std::collections::BTreeMap;

use lastmeter_params::{Code, Diagnostics, Pattern, Span, Value, Values};
use lastmeter_plans::standard::{Plan, Published};

/// How a row is held against what was published; shares of the published value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    /// No farther away than this, either way.
    Within(f64),
    AtMost(f64),
    /// Farther away than this, with an explanation.
    NotReproduced(f64),
}

impl Rule {
    /// Whether a ratio to the published value is inside.
    pub(crate) fn allows(self, ratio: f64) -> bool {
        match self {
            Self::Within(part) | Self::NotReproduced(part) => (ratio - 1.0).abs() <= part,
            Self::AtMost(part) => ratio <= part,
        }
    }

    /// The least and the most that is allowed, in the row's unit.
    pub(crate) fn band(self, row: &Published) -> (Option<f64>, f64) {
        let published = row.figure.value();
        match self {
            Self::Within(part) | Self::NotReproduced(part) => {
                (Some((1.0 - part).max(0.0) * published), (1.0 + part) * published)
            }
            Self::AtMost(part) => (None, part * published),
        }
    }

    /// `allowed 0.032 to 0.048 %`.
    pub(crate) fn describe(self, row: &Published) -> String {
        let (low, high) = self.band(row);
        let high = row.value_text(high);
        let Some(low) = low else { return format!("allowed up to {high}") };
        let low = row.value_text(low);
        let low = low.split_once(' ').map_or(low.as_str(), |(number, _)| number);
        match self {
            Self::NotReproduced(_) => format!("the band is {low} to {high}"),
            _ => format!("allowed {low} to {high}"),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    /// Its name; empty where none is known.
    pub(crate) check: String,
    /// Whose deviations.
    pub(crate) device: String,
    /// The published rows by their place in the test plan, each with its explanation if it is not
    /// reproduced.
    pub(crate) rows: Vec<(usize, String)>,
    /// How they are judged.
    pub(crate) rule: Rule,
    /// What a pass is worth less by.
    pub(crate) qualification: Option<String>,
}

impl Request {
    /// Whether its rows are declared to miss their band.
    pub(crate) fn is_not_reproduced(&self) -> bool {
        matches!(self.rule, Rule::NotReproduced(_))
    }

    /// Whether it states of its rows that they are reproduced, or are not.
    pub(crate) fn is_about_the_band(&self) -> bool {
        !matches!(self.rule, Rule::AtMost(_))
    }

    /// Reads a check's table; what makes no sense is reported.
    pub(crate) fn read(values: &Values, plan: &Plan, out: &mut Diagnostics) -> Option<Self> {
        let mistakes = out.len();
        let rule = rule_of(values, out)?;
        let rows = match rule {
            Rule::NotReproduced(_) => not_reproduced(values, plan, out),
            _ => selected(values, plan, out),
        };
        (out.len() == mistakes).then(|| Self {
            check: values.text_opt("name").unwrap_or_default().to_owned(),
            device: values.text_opt("device").unwrap_or(&plan.claim.device).to_owned(),
            rows,
            rule,
            qualification: values.text_opt("qualification").map(str::to_owned),
        })
    }
}

fn rule_of(values: &Values, out: &mut Diagnostics) -> Option<Rule> {
    let is_excused = !values.list("not_reproduced").is_empty();
    let rules = (values.si_opt("within"), values.si_opt("at_most"), is_excused);
    let (message, label, span) = match rules {
        (Some(part), None, false) => return Some(Rule::Within(part)),
        (None, Some(part), false) => return Some(Rule::AtMost(part)),
        (Some(part), None, true) if values.is_default("rows") => {
            return Some(Rule::NotReproduced(part));
        }
        (Some(_), None, true) => (
            "rows that are not reproduced stand in a check of their own",
            "leave `rows` out beside `not_reproduced`",
            values.span_of("rows"),
        ),
        (_, _, true) => (
            "`not_reproduced` needs `within`: the band that its rows miss",
            "expected `within` beside it, and no `at_most`",
            values.span_of("not_reproduced"),
        ),
        (_, _, false) => (
            "one of `within` and `at_most` states how rows are judged",
            "expected exactly one",
            values.span,
        ),
    };
    out.report(Code::DOES_NOT_FIT, span, message, label);
    None
}

fn unknown_row(text: &str, span: Span, plan: &Plan, out: &mut Diagnostics) {
    let names: Vec<&str> = plan.test_plan.published.iter().map(|row| row.name.as_str()).collect();
    let message = format!("no published row fits `{text}`");
    out.report(Code::UNKNOWN_REFERENCE, span, message, format!("there are {}", names.join(", ")));
}

fn selected(values: &Values, plan: &Plan, out: &mut Diagnostics) -> Vec<(usize, String)> {
    let mut patterns = Vec::new();
    for (value, span) in values.list("rows") {
        let Value::Text(text) = value else { continue };
        let pattern = Pattern::new(text);
        if !plan.test_plan.published.iter().any(|row| pattern.matches(&row.name)) {
            unknown_row(text, *span, plan, out);
        }
        patterns.push(pattern);
    }
    if patterns.is_empty() {
        let message = "a check of no rows judges nothing";
        out.report(Code::OUT_OF_RANGE, values.span_of("rows"), message, "expected a row");
    }
    let rows = plan.test_plan.published.iter().enumerate();
    rows.filter(|(_, row)| patterns.iter().any(|pattern| pattern.matches(&row.name)))
        .map(|(index, _)| (index, String::new()))
        .collect()
}

/// The rows that `not_reproduced` names, with their explanations.
fn not_reproduced(values: &Values, plan: &Plan, out: &mut Diagnostics) -> Vec<(usize, String)> {
    let mut rows: Vec<(usize, String)> = Vec::new();
    for excuse in values.tables("not_reproduced") {
        let name = excuse.text("row");
        // It stands before a semicolon where it is shown.
        let explanation = excuse.text("explanation").trim().trim_end_matches('.');
        if explanation.is_empty() {
            let message = format!("nothing explains why `{name}` is not reproduced");
            let label = "expected an explanation";
            out.report(Code::OUT_OF_RANGE, excuse.span_of("explanation"), message, label);
        }
        match plan.test_plan.published.iter().position(|row| row.name == name) {
            None => unknown_row(name, excuse.span_of("row"), plan, out),
            Some(row) if rows.iter().any(|(known, _)| *known == row) => {
                let message = format!("`{name}` is already among `not_reproduced`");
                out.report(Code::NAME_TAKEN, excuse.span_of("row"), message, "named twice");
            }
            Some(row) => rows.push((row, explanation.to_owned())),
        }
    }
    rows
}

/// Reports published rows of which no check, or more than one, states whether they are reproduced:
/// by the test plan's device, and by any other device of which a check states it.
///
/// `checks` are the tables of the scenario's checks of kind `published_table`, `test_plan` is where
/// the scenario names the test plan.
pub(super) fn each_row_has_its_check(
    plan: &Plan,
    checks: &[&Values],
    test_plan: Span,
    out: &mut Diagnostics,
) {
    let published = &plan.test_plan.published;
    if published.is_empty() {
        return;
    }
    let mut named: BTreeMap<String, Vec<Option<String>>> = BTreeMap::new();
    named.insert(plan.claim.device.clone(), vec![None; published.len()]);
    for values in checks {
        // What makes no sense is reported where the check is made.
        let Some(request) = Request::read(values, plan, &mut Diagnostics::new()) else { return };
        if !request.is_about_the_band() {
            continue;
        }
        let rows =
            named.entry(request.device.clone()).or_insert_with(|| vec![None; published.len()]);
        let key = if request.is_not_reproduced() { "not_reproduced" } else { "rows" };
        for (row, _) in request.rows {
            let Some(other) = rows[row].replace(request.check.clone()) else { continue };
            let name = &published[row].name;
            let message = format!(
                "published row `{name}` of `{}` stands in two checks, `{other}` and `{}`",
                request.device, request.check
            );
            let label = "expected in exactly one";
            out.report(Code::DOES_NOT_FIT, values.span_of(key), message, label);
        }
    }
    for (device, rows) in named {
        let left = published.iter().zip(&rows).filter(|(_, check)| check.is_none());
        let left: Vec<String> = left.map(|(row, _)| format!("`{}`", row.name)).collect();
        if left.is_empty() {
            continue;
        }
        let left = left.join(", ");
        let message = format!("no check states whether `{device}` reproduces {left}");
        let label = "each published row stands in exactly one check";
        let help = "name it in `rows` of a check `published_table` with `within`, or in \
                    `not_reproduced` with its explanation"
            .to_owned();
        out.report_with_help(Code::DOES_NOT_FIT, test_plan, message, label, Some(help));
    }
}
