//! `[[check]]`: what is judged.

use std::sync::Arc;

use lastmeter_params::{
    Code, Diagnostics, Dimension, Field, Kind, NodeValue, Pattern, Value, Values,
};
use lastmeter_reports::{CHECK_FIELDS, CHECKS, CheckKind, IMPLICIT_CHECKS};

use crate::draft::{Draft, Row, Section};
use crate::names::Names;

/// The key of a device, also in the lists of a check.
const DEVICE_KEY: &str = "device";

pub(crate) static CHECK: Section = Section {
    name: "check",
    noun: "check",
    doc: "What is judged.",
    fields: CHECK_FIELDS,
    is_required: true,
    kind: Some(("kind", "check")),
    entries: || CHECKS.iter().map(|kind| kind.entry).collect(),
    renamed: |name| CHECKS.iter().find(|kind| kind.is_called(name)).map(|kind| kind.entry.name),
    heading: "checks",
    refers: &[("signal", "signal"), ("other", "signal")],
    rules: &[report_unknown_requirements, report_reserved_check_name, report_missing_check],
    ..Section::REPEATED
};

pub(crate) fn kind_of(row: &Row<'_>) -> Option<&'static CheckKind> {
    row.kind_of(CHECKS, |kind| &kind.entry)
}

/// A check; the package of the checks reads it again from the resolved scenario.
#[derive(Clone)]
pub struct CheckRow {
    /// The check's name.
    pub name: String,
    /// The registered kind.
    pub kind: &'static CheckKind,
    /// The requirements it covers.
    pub covers: Vec<String>,
    /// Its keys.
    pub values: Arc<Values>,
}

/// `covers` lists requirement rows such as `F-04`.
fn report_unknown_requirements(draft: &Draft<'_>, out: &mut Diagnostics) {
    for check in draft.rows(&CHECK) {
        let Some(NodeValue::Array(list)) = check.table.get("covers").map(|node| &node.value) else {
            continue;
        };
        for node in list {
            let NodeValue::String(text) = &node.value else { continue };
            if !is_requirement(text) {
                let message = format!("`{text}` is not a requirement");
                let label = "expected a letter L, C, F or K, a dash and two digits";
                let help = Some("write for example `F-04`".to_owned());
                out.report_with_help(Code::BAD_REQUIREMENT, node.span, message, label, help);
            }
        }
    }
}

fn is_requirement(text: &str) -> bool {
    matches!(text.as_bytes(), [b'L' | b'C' | b'F' | b'K', b'-', tens, ones]
        if tens.is_ascii_digit() && ones.is_ascii_digit())
}

/// The names of verdicts that nobody has to write a check for stay free for them.
fn report_reserved_check_name(draft: &Draft<'_>, out: &mut Diagnostics) {
    for (name, span) in draft.rows(&CHECK).iter().filter_map(|row| row.text("name")) {
        if IMPLICIT_CHECKS.contains(&name) {
            let message = format!("`{name}` is not a name for a check");
            let label = "the bench gives this verdict by itself";
            out.report(Code::BAD_NAME, span, message, label);
        }
    }
}

/// A scenario judges something.
fn report_missing_check(draft: &Draft<'_>, out: &mut Diagnostics) {
    let Some(entry) = draft.root.entry("scenario").filter(|_| draft.is_left_out(&CHECK)) else {
        return;
    };
    let message = "the scenario has no checks, so it judges nothing";
    let help =
        "add for example `[[check]]` with `name = \"readings-once\"` and `kind = \"no_loss\"`";
    let label = "nothing is checked";
    out.report_with_help(Code::NO_CHECKS, entry.node.span, message, label, Some(help.to_owned()));
}

/// The indices of the devices that a check is about; if it names any, one has to be there, or
/// where that may be a gateway or an application of the name.
pub(crate) fn devices_of_check(
    check: &Row<'_>,
    (devices, gateways, applications): (&Names, &Names, &Names),
    out: &mut Diagnostics,
) -> Vec<usize> {
    report_unknown_listed_devices(check, (devices, gateways), out);
    let names_others =
        |text| [gateways, applications].into_iter().any(|others| names_others(check, text, others));
    match check.text("device") {
        Some((text, _)) if names_others(text) => devices.matching(&Pattern::new(text)),
        Some((text, span)) => devices.fitting(text, span, out),
        None => (0..devices.len()).collect(),
    }
}

/// The devices that stand in the lists of a check are there; messages may be a gateway's too.
fn report_unknown_listed_devices(
    check: &Row<'_>,
    (devices, gateways): (&Names, &Names),
    out: &mut Diagnostics,
) {
    let (Some(kind), Some(values)) = (kind_of(check), check.values.as_ref()) else { return };
    let names_devices = |field: &&Field| match field.kind {
        Kind::List(Kind::Table(inner)) => inner.iter().any(|field| field.name == DEVICE_KEY),
        _ => false,
    };
    let lists = kind.entry.fields.iter().filter(names_devices);
    for table in lists.flat_map(|field| values.tables(field.name)) {
        let Some(name) = table.text_opt(DEVICE_KEY) else { continue };
        if gateways.position(name).is_none() {
            devices.find(name, table.span_of(DEVICE_KEY), out);
        }
    }
}

/// Whether the devices of a check are others that send alerts, or some of them, where they may be.
fn names_others(check: &Row<'_>, text: &str, others: &Names) -> bool {
    kind_of(check).is_some_and(|kind| kind.is_about_gateways_too)
        && !others.matching(&Pattern::new(text)).is_empty()
}

/// A limit that even a meter keeps which reports zero judges nothing.
pub(crate) fn report_unmissable_limit(values: &Values, out: &mut Diagnostics) {
    let Some(Value::Quantity { si, dimension: Dimension::Ratio, .. }) = values.get("limit") else {
        return;
    };
    if *si >= 1.0 {
        let percent = lastmeter_text::number(100.0 * si);
        let message =
            format!("with a limit of {percent} % a meter that reports nothing would pass");
        let help = "relative limits are below 100 %; near zero, leave values out with `minimum`";
        let label = "expected less than 100 %";
        let span = values.span_of("limit");
        out.report_with_help(Code::OUT_OF_RANGE, span, message, label, Some(help.to_owned()));
    }
}

pub(crate) fn check(row: &Row<'_>) -> Option<CheckRow> {
    let values = row.values.clone()?;
    let name = values.text("name").to_owned();
    let covers = values.text_list("covers").into_iter().map(str::to_owned).collect();
    Some(CheckRow { name, kind: kind_of(row)?, covers, values })
}
