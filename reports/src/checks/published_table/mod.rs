//! `published_table`: r.m.s. deviations over a sweep, beside published ones.
//!
//! Larger than its budget: tables and surfaces of a publication are drawn beside what came of the
//! sweep.

mod request;
mod section;
mod transducer;

use std::sync::Arc;

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};

use crate::check::kind::{Check, CheckContext, CheckKind, Needs, RecordTable, Section, finish};
use crate::standard::{Deviation, Deviations};
use crate::verdict::{At, Reason, Verdict, VerdictText};
use lastmeter_plans::standard::{Plan, Published};
use lastmeter_record::{Observation, RunFacts};
use lastmeter_text::{append, number, plural};

use request::{Request, Rule, each_row_has_its_check};

const RATIO: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1000.0 };

/// What to write instead of the key that earlier versions had.
const NO_LONGER_EXPLAINED: &str = "name each row that is missed in `not_reproduced`, with its \
    explanation, and hold the others to `within`: \
    `not_reproduced = [{ row = \"...\", explanation = \"...\" }]` in a check of its own";

/// Keys of one of `not_reproduced`.
const NOT_REPRODUCED: &[Field] = &[
    Field::required("row", Kind::Name, "the name of a published row"),
    Field::required(
        "explanation",
        Kind::Text,
        "why the model misses it, and what would explain the published value",
    ),
];

pub(super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "published_table",
        summary: "r.m.s. deviations over a test plan's sweep beside published ones",
        description: "For a scenario whose `[test_plan]` has sweeps and published values: the r.m.s. \
            of all deviations of a quantity over all points of the sweeps, held against what was \
            published. `within`: a row is reproduced if it is no farther away than this share of \
            the published value, either way. `at_most`: no more than this share of it. `rows` \
            selects published rows by name, also with `*`.\n\n\
            Rows that are known to miss the band of `within` stand in a check of their own, in \
            `not_reproduced` instead of `rows`, each with its explanation. Such a check is skipped \
            with the reason `not-reproduced`, shows both values, and may cover no requirement; \
            if one of its rows is within the band after all, it fails, since the explanation is \
            out of date. Each published row of the test plan's device, and of any other device that \
            is held to `within`, stands in exactly one check with `within`.\n\n\
            A row of which nothing counts, or of which readings are missing, is inconclusive. \
            `measured`, `limit_low` and `limit` are those of the row that uses most of what it may.",
        fields: &[
            Field::optional("device", Kind::Name, "which device; the test plan's if left out"),
            Field::default(
                "rows",
                Kind::List(&Kind::Text),
                "[\"*\"]",
                "names of the test plan's published rows, also with *",
            ),
            Field::optional("within", RATIO, "largest distance from the published value"),
            Field::optional("at_most", RATIO, "largest share of the published value"),
            Field::default(
                "not_reproduced",
                Kind::List(&Kind::Table(NOT_REPRODUCED)),
                "[]",
                "instead of `rows`: those that miss the band of `within`, with explanations",
            ),
            Field::optional(
                "qualification",
                Kind::Text,
                "what a pass is worth less by: something that was not published and is assumed",
            ),
            Field::retired("explained", NO_LONGER_EXPLAINED),
        ],
    },
    build,
    tables: &[RecordTable::Observations],
    needs: Needs::TestPlan,
    together: Some(each_row_has_its_check),
    section: Some(Section { place: 10, make: section::section }),
    takes_readings_as_exact: true,
    ..CheckKind::PLAIN
};

struct TableCheck {
    context: CheckContext,
    plan: Arc<Plan>,
    request: Request,
    /// From the start of the run on.
    deviations: Option<Deviations>,
}

fn build(values: &Values, context: CheckContext, out: &mut Diagnostics) -> Option<Box<dyn Check>> {
    let mistakes = out.len();
    let plan = context.plan.clone().filter(|plan| !plan.test_plan.published.is_empty());
    let Some(plan) = plan else {
        let message =
            "a check of kind `published_table` needs a `[test_plan]` with published values";
        let label = "nothing was published of it";
        out.report(Code::DOES_NOT_FIT, values.span_of("kind"), message, label);
        return None;
    };
    let request = Request::read(values, &plan, out)?;
    if request.is_not_reproduced() && !context.covers.is_empty() {
        let message = "a row that is not reproduced covers no requirement";
        let label = format!("`{}` would count as covered", context.covers.join("`, `"));
        let help = "leave `covers` to the checks whose rows are within their band".to_owned();
        let span = values.span_of("covers");
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help));
    }
    if out.len() > mistakes {
        return None;
    }
    Some(Box::new(TableCheck { context, plan, request, deviations: None }))
}

impl Check for TableCheck {
    fn begin(&mut self, facts: &RunFacts) {
        let devices = [self.request.device.clone()];
        self.deviations = Some(Deviations::new((*self.plan).clone(), &devices, facts.start));
    }

    fn observation(&mut self, observation: &Observation<'_>) {
        if let Some(deviations) = &mut self.deviations {
            deviations.observation(observation);
        }
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let table = self.deviations.as_ref().map(|found| found.table(&self.request.device));
        let table = table.unwrap_or_default();
        let judged = self.request.rows.iter().filter_map(|(index, explanation)| {
            let found = table.iter().find(|found| found.row == *index)?.clone();
            let row = &self.plan.test_plan.published[*index];
            Some(self.judged(row, found, explanation))
        });
        let judged: Vec<Judged<'_>> = judged.collect();
        let worst = judged.iter().max_by(|a, b| {
            a.reason.status().cmp(&b.reason.status()).then(a.share.total_cmp(&b.share))
        });
        let Some(worst) = worst else {
            let verdict = self.context.verdict(Reason::NothingToJudge, "%", "nothing was recorded");
            return finish(verdict, facts);
        };
        finish(self.describe(worst, &judged), facts)
    }
}

/// One row, judged.
struct Judged<'a> {
    row: &'a Published,
    found: Deviation,
    reason: Reason,
    /// Which share of what is allowed is used; of a row that is not reproduced, how far it is off.
    share: f64,
    why: String,
}

impl TableCheck {
    fn judged<'a>(&self, row: &'a Published, found: Deviation, explanation: &str) -> Judged<'a> {
        let Some(ratio) = found.ratio(row) else {
            let why = format!("{}: nothing counts", row.name);
            return Judged { row, found, reason: Reason::NothingToJudge, share: 0.0, why };
        };
        let rule = &self.request.rule;
        // NaN is inside nothing.
        let is_inside = rule.allows(ratio);
        let share = match rule {
            Rule::Within(part) => (ratio - 1.0).abs() / part,
            Rule::AtMost(part) => ratio / part,
            Rule::NotReproduced(_) => libm::log(ratio).abs(),
        };
        let reason = match (self.request.is_not_reproduced(), is_inside, found.missing) {
            (false, false, _) => Reason::OutsideLimit,
            (false, true, 0) => Reason::WithinLimit,
            (true, false, 0) if ratio.is_finite() => Reason::NotReproduced,
            (true, false, _) if !ratio.is_finite() => Reason::OutsideLimit,
            (true, true, 0) => Reason::StaleExplanation,
            _ => Reason::Incomplete,
        };
        // The test plan's device was fitted, no other was.
        let is_fitted = row.fitted && self.request.device == self.plan.claim.device;
        let kind = match rule {
            Rule::AtMost(_) => "",
            _ if is_fitted => " (fitted)",
            _ => " (predicted)",
        };
        let mut why = format!(
            "{}{kind}: {}, published {}, ratio {}, {}",
            row.name,
            found.rms.map_or_else(|| "-".to_owned(), |rms| row.value_text(rms)),
            row.describe(),
            number(ratio),
            rule.describe(row),
        );
        if found.missing > 0 {
            append(&mut why, format_args!(", {} readings missing", found.missing));
        }
        match reason {
            Reason::NotReproduced => append(&mut why, format_args!("; explanation: {explanation}")),
            Reason::StaleExplanation => why.push_str(
                ": it is reproduced, so its explanation is out of date; take it out of \
                 `not_reproduced` and name it in `rows`",
            ),
            _ => {}
        }
        let share = if share.is_nan() { f64::INFINITY } else { share };
        Judged { row, found, reason, share, why }
    }

    fn describe(&self, worst: &Judged<'_>, judged: &[Judged<'_>]) -> Verdict {
        let (row, rule) = (worst.row, &self.request.rule);
        let unit = row.unit();
        let unit = if unit.is_empty() { "1" } else { &unit };
        let others = judged.iter().filter(|one| one.row.name != row.name);
        let all: Vec<&str> =
            [worst].into_iter().chain(others).map(|one| one.why.as_str()).collect();
        let mut verdict = self.context.verdict(worst.reason, unit, all.join("; "));
        verdict.n = worst.found.readings;
        verdict.measured = worst.found.rms;
        let rows = plural(judged.len() as u64, "row");
        let mut basis = if self.request.is_not_reproduced() {
            format!("{}, farthest of {rows} not reproduced", row.name)
        } else {
            // What is skipped has no limit.
            let (low, high) = rule.band(row);
            (verdict.limit_low, verdict.limit) = (low, Some(high));
            format!("{}, nearest to its limit of {rows}", row.name)
        };
        if let Some(qualification) = &self.request.qualification {
            append(&mut basis, format_args!(", {qualification}"));
            append(&mut verdict.why, format_args!("; {qualification}"));
            verdict.qualification =
                Some(qualification.clone()).filter(|_| worst.reason == Reason::WithinLimit);
        }
        let measured = match worst.found.rms {
            None => "-".to_owned(),
            // In the unit of the limit beside it, which is not always the one of publication.
            Some(rms) if verdict.limit_low.is_none() && verdict.limit.is_some() => {
                format!("{} {}", number(rms), row.unit()).trim_end().to_owned()
            }
            Some(rms) => row.value_text(rms),
        };
        let mut measured = format!("{measured}, published {}", row.describe());
        if self.request.is_about_the_band() {
            append(&mut measured, format_args!(", {}", rule.describe(row)));
        }
        verdict.told = Some(VerdictText { measured, basis });
        verdict.at = Some(At {
            device: Some(self.request.device.clone()),
            quantity: Some(row.quantity.name().to_owned()),
            ..At::default()
        });
        verdict
    }
}

#[cfg(test)]
mod tests;
