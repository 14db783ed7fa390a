//! `[expect]`: how a must-fail twin has to end.

use std::sync::Arc;

use lastmeter_params::{Code, Diagnostics, Field, Kind, Values, nearest};
use lastmeter_record::Status;
use lastmeter_reports::{IMPLICIT_CHECKS, Reason};

use crate::draft::{Draft, Part, Row, Section};
use crate::names::Names;

/// What `reason` is for, of a table and of `[expect]`.
pub(super) const REASON: &str = "the reason that the named check has to have, a word of `lastmeter \
                                 list reasons`; without it any of its verdict will do but those of \
                                 the machine";

pub(crate) static EXPECT: Section = Section {
    name: "expect",
    doc: "Makes the scenario a must-fail twin.",
    fields: &[
        Field::required(
            "verdict",
            Kind::Choice(&["fail", "inconclusive"]),
            "how the named check has to end",
        ),
        Field::required(
            "check",
            Kind::Name,
            "the check that has to end so; no other one may fail or end in error",
        ),
        Field::optional("reason", Kind::Name, REASON),
        Field::required("twin_of", Kind::Text, "the check it mirrors, as `SCENARIO/CHECK`"),
    ],
    build: |rows| Some(Arc::new(expect(rows.first()?.values.as_ref()?)?) as Part),
    ..Section::ONCE
};

/// How a must-fail twin has to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// How the named check has to end: [`Status::Fail`] or [`Status::Inconclusive`].
    pub verdict: Status,
    /// The check that has to end so; no other may fail or end in error.
    pub check: String,
    /// The reason that it has to have, if one is named.
    pub reason: Option<Reason>,
    /// The scenario it mirrors.
    pub twin_scenario: String,
    /// The check it mirrors.
    pub twin_check: String,
}

/// A must-fail twin names one of its own checks, or one that nobody has to write, and the check it
/// mirrors.
pub(crate) fn report_missing_twin_name(draft: &Draft<'_>, checks: &Names, out: &mut Diagnostics) {
    let Some(expect) = draft.single(&EXPECT) else { return };
    validate_reason(expect, out);
    if let Some((check, span)) = expect.text("check")
        && checks.position(check).is_none()
        && !IMPLICIT_CHECKS.contains(&check)
        && checks.is_complete
    {
        let help = nearest(check, checks.iter()).map(|near| format!("did you mean `{near}`?"));
        let message = format!("there is no check named `{check}` that could end so");
        out.report_with_help(Code::BAD_TWIN, span, message, "not in this scenario", help);
    }
    if let Some((twin, span)) = expect.text("twin_of") {
        let parts: Vec<&str> = twin.split('/').collect();
        if parts.len() != 2 || !parts.iter().all(|part| lastmeter_params::is_name(part)) {
            let message = format!("`{twin}` names no check of another scenario");
            let label = "expected `SCENARIO/CHECK`";
            let help = Some("write for example `first-light/accuracy-u`".to_owned());
            out.report_with_help(Code::BAD_TWIN, span, message, label, help);
        }
    }
}

/// The named reason is one, and of the verdict that is expected.
pub(super) fn validate_reason(row: &Row<'_>, out: &mut Diagnostics) {
    let Some((word, span)) = row.text("reason") else { return };
    let verdict = row.text("verdict").map_or("fail", |(verdict, _)| verdict);
    let Some(status) = Status::from_word(verdict) else { return };
    let fitting = Reason::ALL.iter().filter(|reason| reason.status() == status);
    if fitting.clone().any(|reason| reason.word() == word) {
        return;
    }
    let message = match Reason::lookup(word) {
        Some(reason) => format!("`{word}` is the reason of a verdict that is {}", reason.status()),
        None => format!("`{word}` is not a reason of a verdict"),
    };
    let near = nearest(word, fitting.map(|reason| reason.word()));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`lastmeter list reasons` has them all".to_owned(),
    };
    let label = format!("expected one of a verdict that is {verdict}");
    out.report_with_help(Code::BAD_TWIN, span, message, label, Some(help));
}

fn expect(values: &Values) -> Option<Expect> {
    let (scenario, check) = values.text("twin_of").split_once('/')?;
    Some(Expect {
        verdict: Status::from_word(values.text("verdict"))?,
        check: values.text("check").to_owned(),
        reason: values.text_opt("reason").and_then(Reason::lookup),
        twin_scenario: scenario.to_owned(),
        twin_check: check.to_owned(),
    })
}
