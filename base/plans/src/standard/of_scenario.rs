//! The plan that a scenario's `[test_plan]` makes.

use std::collections::BTreeMap;

use lastmeter_params::{
    Code, Diagnostics, Dimension, NodeValue, Span, Table, Values, parse_quantity, read_table,
};
use lastmeter_units::SimDuration;

use super::claim::{Claim, TEST_PLAN_FIELDS};
use super::embedded::{TEST_PLAN_FILE_PREFIX, embedded};
use super::plan::Plan;
use super::test_plan::TestPlan;

/// How often a meter reports whose table does not state it.
const REPORT_EVERY: SimDuration = SimDuration::from_seconds(10);

/// The plan of a scenario document, as judging needs it: the test plan's text comes from the files
/// that the run was judged by, or from those that come along. `None` without a `[test_plan]`, and
/// after a mistake, which is then reported.
pub fn plan_of(
    document: &Table,
    files: &BTreeMap<String, String>,
    out: &mut Diagnostics,
) -> Option<Plan> {
    let node = document.get("test_plan")?;
    let NodeValue::Table(table) = &node.value else {
        out.report(
            Code::WRONG_KIND,
            node.span,
            "`test_plan` is one table",
            "expected `[test_plan]`",
        );
        return None;
    };
    let values = read_table(table, node.span, TEST_PLAN_FIELDS, out)?;
    let standard = values.text("standard");
    let kept = files.get(&format!("{TEST_PLAN_FILE_PREFIX}{standard}")).map(String::as_str);
    let Some(text) = kept.or_else(|| embedded(standard)) else {
        let message = format!("there is no built-in test plan `{standard}`");
        out.report(Code::UNKNOWN_THING, values.span_of("standard"), message, "unknown test plan");
        return None;
    };
    let period = period_of(document, values.text("device"));
    read_plan(&values, text, period, out)
}

/// How often a device of a scenario document reports.
pub(crate) fn period_of(document: &Table, device: &str) -> SimDuration {
    let seconds = si_of_device(document, device, "report_every", Dimension::Time);
    seconds.map_or(REPORT_EVERY, SimDuration::from_seconds_f64)
}

/// A quantity in the table of a device of a scenario document, in the SI unit.
pub(crate) fn si_of_device(
    document: &Table,
    device: &str,
    key: &str,
    dimension: Dimension,
) -> Option<f64> {
    let NodeValue::Array(list) = &document.get("device")?.value else { return None };
    let written = list.iter().find_map(|node| match &node.value {
        NodeValue::Table(table) if table.text("name") == Some(device) => table.text(key),
        _ => None,
    })?;
    parse_quantity(written, &[dimension]).ok().map(|(si, _)| si)
}

/// The plan that the checked keys of a `[test_plan]` make of a test plan's text, for a meter that
/// reports every `period`; what is wrong is reported where the scenario has it.
pub fn read_plan(
    values: &Values,
    text: &str,
    period: SimDuration,
    out: &mut Diagnostics,
) -> Option<Plan> {
    let span = values.span_of("standard");
    let test_plan = match TestPlan::read(text) {
        Ok(test_plan) => test_plan,
        Err(mistakes) => {
            let standard = values.text("standard");
            let first = mistakes.first().map_or_else(String::new, |mistake| {
                format!("line {}: {}", line_of(text, mistake.span), mistake.message)
            });
            let more = match mistakes.len() {
                0 | 1 => String::new(),
                count => format!(", and {} more", count - 1),
            };
            let message = format!("test plan `{standard}` has mistakes: {first}{more}");
            let help = Some("`lastmeter validate` with the test plan's file shows them".to_owned());
            out.report_with_help(Code::FILE_REFUSED, span, message, "not a test plan", help);
            return None;
        }
    };
    let claim = Claim::read(values, &test_plan, out)?;
    match Plan::new(test_plan, claim, period) {
        Ok(plan) if plan.points.is_empty() => {
            let message = "nothing of this test plan can be played for this claim";
            let skipped = plan.tests.iter().filter_map(|test| {
                let name = &plan.test_plan.tests[test.test].name;
                Some(format!("{name}: {}", test.skipped.as_ref()?.reason()))
            });
            let help = Some(skipped.collect::<Vec<_>>().join("; "));
            out.report_with_help(
                Code::CANNOT_MEASURE,
                span,
                message,
                "every test is skipped",
                help,
            );
            None
        }
        Ok(plan) => Some(plan),
        Err(message) => {
            out.report(Code::DOES_NOT_FIT, span, message, "makes no plan");
            None
        }
    }
}

fn line_of(text: &str, span: Span) -> usize {
    let end = text.floor_char_boundary(span.start.min(text.len()));
    text[..end].matches('\n').count() + 1
}
