//! `[[must_fail]]`: the same scenario with something broken, which has to end by a named check.

use lastmeter_params::{Code, Diagnostics, Dimension, Field, Kind, NodeValue, TableEntry};

use super::expect::{EXPECT, REASON, validate_reason};
use super::scenario::{DURATION_S_MAX, SCENARIO};
use crate::draft::{Draft, Section};
use crate::read::table_at;

pub(crate) static MUST_FAIL: Section = Section {
    name: "must_fail",
    noun: "must-fail twin",
    doc: "A must-fail twin: this scenario with a defect, which a named check has to find. It \
          inherits all else and covers nothing; `lastmeter run --must-fail` runs it. What shortens \
          it and the checks that it leaves out come first, then the defect: values are set, tables \
          and keys removed, tables added, addressed as by `--set`. The scenario without the defect, \
          but with all that comes before it, is the control: it runs as well and has to pass, or \
          the twin shows nothing. So what is judged (scenario, test plan, signals, checks) changes \
          in `shortened` and `without` alone.",
    fields: &[
        Field::required("name", Kind::Name, "the name of its run folder and of its verdicts"),
        Field::optional("title", Kind::Text, "what is broken, in one line"),
        Field::required(
            "check",
            Kind::Name,
            "the check that has to end so; no other one may fail or end in error",
        ),
        Field::default(
            "verdict",
            Kind::Choice(&["fail", "inconclusive"]),
            "\"fail\"",
            "how the named check has to end",
        ),
        Field::optional("reason", Kind::Name, REASON),
        Field::optional(
            "mirrors",
            Kind::Name,
            "the check of this scenario that it is the twin of, where `check` is none of its own",
        ),
        Field::optional("set", Kind::Open, "the defect: values by their addresses"),
        Field::optional("remove", REMOVE, "the defect: addresses of what is left out"),
        Field::optional("add", Kind::Open, "the defect: tables that are added, by their sections"),
        Field::optional("without", Kind::Texts, "checks that are left out, each with its reason"),
        Field::optional(
            "shortened",
            Kind::Table(SHORTENED),
            "what saves time, or is besides the defect: the scenario passes with it alone",
        ),
    ],
    rules: &[report_undescribed_twins],
    ..Section::REPEATED
};

const REMOVE: Kind = Kind::List(&Kind::Text);

/// What else differs from the scenario, mostly to save time.
const SHORTENED: &[Field] = &[
    Field::required("reason", Kind::Text, "why the check needs no more"),
    Field::optional(
        "duration",
        Kind::Quantity { dimension: Dimension::Time, min: 0.001, max: DURATION_S_MAX },
        "how long it lasts",
    ),
    Field::optional("start", Kind::Instant, "when it begins"),
    Field::optional("tests", REMOVE, "the tests of its test plan that are played"),
    Field::optional("set", Kind::Open, "values by their addresses"),
    Field::optional("remove", REMOVE, "addresses of what is left out"),
    Field::optional("add", Kind::Open, "tables that are added, by their sections"),
];

/// A twin has a name of its own, and none has twins itself.
fn report_undescribed_twins(draft: &Draft<'_>, out: &mut Diagnostics) {
    let twins = draft.rows(&MUST_FAIL);
    if let (Some(twin), Some(_)) = (twins.first(), draft.single(&EXPECT)) {
        let message = "a must-fail twin has no twins, and `[expect]` makes this scenario one";
        let label = "expected in the scenario that it mirrors";
        out.report(Code::DOES_NOT_FIT, twin.span, message, label);
    }
    let name = draft.single(&SCENARIO).and_then(|scenario| scenario.text("name"));
    for (twin, span) in twins.iter().filter_map(|twin| twin.text("name")) {
        if name.is_some_and(|(name, _)| name == twin) {
            let message = format!("the scenario itself is named `{twin}`");
            out.report(Code::NAME_TAKEN, span, message, "used twice");
        }
    }
    for twin in twins {
        validate_reason(twin, out);
        let shortened = table_at(twin.table, "shortened");
        let why = shortened.and_then(|it| it.entry("reason"));
        let without = table_at(twin.table, "without").map_or(&[][..], |it| &it.entries);
        for TableEntry { key, node, .. } in why.into_iter().chain(without) {
            if matches!(&node.value, NodeValue::String(text) if text.trim().is_empty()) {
                let message = format!("`{key}` has no reason");
                let label = "expected why, in a few words";
                out.report(Code::BAD_TWIN, node.span, message, label);
            }
        }
    }
}
