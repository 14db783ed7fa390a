//! `jitter`: enough of all messages were at most so much slower than the fastest one.

use lastmeter_params::{Entry, Field};

use super::latency::{about_population, number_of, rounded};
use super::rows::{self, Gather};
use super::{Check, CheckContext, CheckKind, Demand, finish};
use crate::console::number;
use crate::latency::{Correlation, EXACT_MAX, Judgement, Limit, Population, Validity, told};
use crate::record::{LatencyRow, RunFacts};
use crate::text::append;
use crate::verdict::{Because, Reason, Status, Told, Verdict};

/// The registry's row.
pub(super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "jitter",
        summary: "enough of all messages were not much slower than the fastest one",
        description: "Judges the delay variation of a path: how much longer each message took than \
            the fastest of the run, as ITU-T Y.1540 defines packet delay variation with the least \
            delay as reference. A lost message counts as over the limit. The share over `limit` is \
            judged like that of a latency check: by an exact bound at 95 % confidence, \
            three-valued, with the same population, warm-up and floor. `measured`, `bound` and `limit` are in %. \
            In virtual time the check is skipped.",
        fields: &[
            rows::PATH,
            Field::required("limit", rows::LIMIT_KIND, "largest variation allowed"),
            rows::COVERAGE,
            rows::WARM_UP,
            rows::DEVICE,
            rows::OBSERVER,
            rows::MESSAGES,
        ],
    },
    build: |values, context, out| {
        let limit_ns = rows::time_ns(values, "limit")?;
        let gather = Gather::read(values, &[Limit::Within(limit_ns)], out)?;
        let coverage = values.si_opt("coverage").unwrap_or(rows::DEFAULT_COVERAGE);
        Some(Box::new(Jitter { context, limit_ns, coverage, gather }))
    },
};

struct Jitter {
    context: CheckContext,
    limit_ns: i64,
    coverage: f64,
    gather: Gather,
}

impl Check for Jitter {
    fn demand(&self) -> Option<Demand> {
        Some(self.gather.demand(Some(self.coverage)))
    }

    fn begin(&mut self, facts: &RunFacts) {
        self.gather.begin(facts);
    }

    fn latency(&mut self, row: &LatencyRow<'_>) {
        self.gather.row(row);
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let validity = Validity::of(facts);
        let judged = if validity.modelled {
            Err(Because::new(Reason::Modelled, ""))
        } else {
            self.gather.population().and_then(|population| {
                let judged = population.judge_variation(self.limit_ns, self.coverage);
                let why = || {
                    let why = format!(
                        "more than {EXACT_MAX} messages: the fastest is known only at the end, and \
                         so many are not kept; choose devices with `device`"
                    );
                    Because::new(Reason::TooMany, why)
                };
                Ok((population, judged.ok_or_else(why)?))
            })
        };
        let verdict = match judged {
            Ok((population, judged)) => self.judge(population, &judged, &validity, facts),
            Err(because) => rows::without_judgement(&self.context, facts, "%", because),
        };
        let limit = rounded(100.0 * (1.0 - self.coverage));
        finish(Verdict { limit: Some(limit), ..verdict }, facts)
    }
}

impl Jitter {
    fn judge(
        &self,
        population: &Population,
        judged: &Judgement,
        validity: &Validity,
        facts: &RunFacts,
    ) -> Verdict {
        let conclusion = validity.conclude(population, Limit::Within(self.limit_ns), judged);
        let limit = told(self.limit_ns);
        let percent = number(100.0 * self.coverage);
        let mut why = match conclusion.status() {
            Status::Pass => {
                format!("delay variation within {limit} at p{percent}, 95 % confidence, this run")
            }
            Status::Fail => {
                format!("delay variation above {limit} at p{percent}, 95 % confidence, this run")
            }
            _ => conclusion.why.clone(),
        };
        let (k, n) = (judged.tally.k(), judged.tally.n);
        let bound = number_of(100.0 * judged.bound());
        let deff = number_of(judged.deff_of_bound());
        append(
            &mut why,
            format_args!("; {k} of {n} over {limit}, bound {bound} % with deff {deff}"),
        );
        let least = population.distribution().quantile(0.0).unwrap_or(i64::MAX);
        append(
            &mut why,
            format_args!("; fastest {}; {}", told(least), about_population(population)),
        );
        for flag in &validity.flags {
            append(&mut why, format_args!("; {flag}"));
        }
        let mut basis = format!("at {percent} %, n {n}, deff {deff}");
        if judged.deff.correlation != Correlation::Assessed {
            append(&mut basis, format_args!(", {}", judged.deff.correlation.words()));
        }
        let named = population.first_lost().or(population.worst());
        Verdict {
            measured: Some(100.0 * judged.share()),
            bound: Some(100.0 * judged.bound()),
            n,
            at: named.map(|named| rows::place(named, facts)),
            told: Some(Told { measured: format!("{k} over {limit}, bound {bound} %"), basis }),
            ..self.context.verdict(conclusion.reason, "%", why)
        }
    }
}

#[cfg(test)]
#[path = "jitter_tests.rs"]
mod tests;
