//! `published_table`: r.m.s. deviations over a sweep, beside published ones.

use std::sync::Arc;

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Value, Values};

use super::{Check, CheckContext, CheckKind, Pattern, finish};
use crate::console::number;
use crate::record::{Observation, RunFacts};
use crate::standard::{Deviation, Deviations, Plan, Published};
use crate::text::append;
use crate::verdict::{At, Reason, Told, Verdict};

const RATIO: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1000.0 };

/// The registry's row.
pub(super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "published_table",
        summary: "r.m.s. deviations over a suite's sweep beside published ones",
        description: "For a scenario whose `[suite]` has sweeps and published figures: the r.m.s. \
            of all deviations of a quantity over all points of the sweeps, held against what was \
            published. Exactly one of three keys says how. `within`: no farther away than this \
            share of the published figure, either way. `at_most`: no more than this share of it. \
            `explained`: a row whose ratio to the published figure is above this, or below its \
            reciprocal, has an explanation in the suite, and is no farther than that from the figure \
            which is explained (`explained_ratio`); which is to say that a prediction may be \
            off, but not without a word. `rows` selects published rows by name, also with `*`. A \
            row of which nothing counts, or of which readings are missing, is inconclusive. \
            `measured`, `limit` and `at` are those of the row that uses most of what it may.",
        fields: &[
            Field::optional("device", Kind::Name, "which device; the suite's if left out"),
            Field::default(
                "rows",
                Kind::List(&Kind::Text),
                "[\"*\"]",
                "names of the suite's published rows, also with *",
            ),
            Field::optional("within", RATIO, "largest distance from the published figure"),
            Field::optional("at_most", RATIO, "largest share of the published figure"),
            Field::optional("explained", RATIO, "ratio beyond which there is an explanation"),
        ],
    },
    build,
};

/// How a row is held against what was published.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rule {
    Within(f64),
    AtMost(f64),
    Explained(f64),
}

struct TableCheck {
    context: CheckContext,
    plan: Arc<Plan>,
    device: String,
    rows: Vec<Pattern>,
    rule: Rule,
    /// From the start of the run on.
    deviations: Option<Deviations>,
}

fn build(values: &Values, context: CheckContext, out: &mut Diagnostics) -> Option<Box<dyn Check>> {
    let mistakes = out.len();
    let plan = context.plan.clone().filter(|plan| !plan.suite.published.is_empty());
    let Some(plan) = plan else {
        let message = "a check of kind `published_table` needs a `[suite]` with published figures";
        let label = "nothing was published of it";
        out.report(Code::DOES_NOT_FIT, values.span_of("kind"), message, label);
        return None;
    };
    let rules = [
        values.si_opt("within").map(Rule::Within),
        values.si_opt("at_most").map(Rule::AtMost),
        values.si_opt("explained").map(Rule::Explained),
    ];
    let mut rules = rules.into_iter().flatten();
    let (Some(rule), None) = (rules.next(), rules.next()) else {
        let message = "one of `within`, `at_most` and `explained` says how rows are judged";
        out.report(Code::DOES_NOT_FIT, values.span, message, "expected exactly one");
        return None;
    };
    let mut rows = Vec::new();
    for (value, span) in values.list("rows") {
        let Value::Text(text) = value else { continue };
        let pattern = Pattern::new(text);
        if !plan.suite.published.iter().any(|row| pattern.matches(&row.name)) {
            let names: Vec<&str> = plan.suite.published.iter().map(|r| r.name.as_str()).collect();
            let message = format!("no published row fits `{text}`");
            let label = format!("there are {}", names.join(", "));
            out.report(Code::UNKNOWN_REFERENCE, *span, message, label);
        }
        rows.push(pattern);
    }
    if rows.is_empty() {
        let message = "a check of no rows judges nothing";
        out.report(Code::OUT_OF_RANGE, values.span_of("rows"), message, "expected a row");
    }
    if out.len() > mistakes {
        return None;
    }
    let device = values.text_opt("device").unwrap_or(&plan.claim.device).to_owned();
    Some(Box::new(TableCheck { context, plan, device, rows, rule, deviations: None }))
}

impl Check for TableCheck {
    fn begin(&mut self, facts: &RunFacts) {
        let devices = [self.device.clone()];
        self.deviations = Some(Deviations::new((*self.plan).clone(), &devices, facts.start));
    }

    fn observation(&mut self, observation: &Observation<'_>) {
        if let Some(deviations) = &mut self.deviations {
            deviations.observation(observation);
        }
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let table = self.deviations.as_ref().map(|found| found.table(&self.device));
        let rows = &self.plan.suite.published;
        let judged = table.unwrap_or_default().into_iter().filter_map(|found| {
            let row = &rows[found.row];
            let is_meant = self.rows.iter().any(|pattern| pattern.matches(&row.name));
            is_meant.then(|| self.judged(row, found))
        });
        let judged: Vec<Judged<'_>> = judged.collect();
        let worst = judged.iter().max_by(|a, b| {
            a.reason.status().cmp(&b.reason.status()).then(a.share.total_cmp(&b.share))
        });
        let Some(worst) = worst else {
            let verdict = self.context.verdict(Reason::NothingToJudge, "%", "nothing was recorded");
            return finish(verdict, facts);
        };
        finish(self.told(worst, &judged), facts)
    }
}

/// One row, judged.
struct Judged<'a> {
    row: &'a Published,
    found: Deviation,
    reason: Reason,
    /// Which share of what is allowed is used.
    share: f64,
    limit: f64,
    why: String,
}

impl TableCheck {
    fn judged<'a>(&self, row: &'a Published, found: Deviation) -> Judged<'a> {
        let published = row.figure.value();
        let Some(ratio) = found.ratio(row) else {
            let why = format!("{}: nothing counts", row.name);
            let (reason, limit) = (Reason::NothingToJudge, published);
            return Judged { row, found, reason, share: 0.0, limit, why };
        };
        // NaN is inside nothing.
        let (is_good, limit, share) = match self.rule {
            Rule::Within(part) => {
                let limit = if ratio < 1.0 { 1.0 - part } else { 1.0 + part };
                ((ratio - 1.0).abs() <= part, limit, (ratio - 1.0).abs() / part)
            }
            Rule::AtMost(part) => (ratio <= part, part, ratio / part),
            Rule::Explained(part) => {
                // Off the published figure, or off the one that is explained: the nearer counts.
                let off = |from: f64| libm::log(ratio / from).abs() / libm::log(part);
                let from = row.explained_ratio.filter(|from| off(*from) < off(1.0)).unwrap_or(1.0);
                let is_near = ratio <= from * part && ratio >= from / part;
                (is_near, if ratio < from { from / part } else { from * part }, off(from))
            }
        };
        let reason = match (is_good, found.missing) {
            (false, _) => Reason::OutsideLimit,
            (true, 0) => Reason::WithinLimit,
            (true, _) => Reason::Incomplete,
        };
        let rms = found.rms.unwrap_or(f64::NAN);
        let mut why = format!(
            "{}: {}, published {}, ratio {}",
            row.name,
            row.figure_told(rms),
            row.told(),
            number(ratio)
        );
        if found.missing > 0 {
            append(&mut why, format_args!(", {} readings missing", found.missing));
        }
        if matches!(self.rule, Rule::Explained(_)) && !is_good {
            why.push_str(", and no explanation of it");
        }
        let share = if share.is_nan() { f64::INFINITY } else { share };
        Judged { row, found, reason, share, limit: limit * published, why }
    }

    fn told(&self, worst: &Judged<'_>, judged: &[Judged<'_>]) -> Verdict {
        let unit = worst.row.unit();
        let unit = if unit.is_empty() { "1" } else { &unit };
        let mut why = worst.why.clone();
        let others = judged.iter().filter(|one| one.row.name != worst.row.name);
        for other in others {
            append(&mut why, format_args!("; {}", other.why));
        }
        let mut verdict = self.context.verdict(worst.reason, unit, why);
        verdict.n = worst.found.readings;
        verdict.measured = worst.found.rms;
        verdict.limit = Some(worst.limit);
        // In the unit of the limit beside it, which is not always the one of publication.
        let measured = worst.found.rms.map_or_else(
            || "-".to_owned(),
            |rms| format!("{} {}", number(rms), worst.row.unit()).trim_end().to_owned(),
        );
        verdict.told = Some(Told {
            measured,
            basis: format!("{}, published {}", worst.row.name, worst.row.told()),
        });
        verdict.at = Some(At {
            device: Some(self.device.clone()),
            quantity: Some(worst.row.quantity.name().to_owned()),
            ..At::default()
        });
        verdict
    }
}

#[cfg(test)]
#[path = "published_table_tests.rs"]
mod tests;
