//! `jitter`: enough of all messages were at most so much slower than the fastest one.

use lastmeter_params::{Entry, Field};

use super::rows::{self, Populations};
use super::share::{self, ShareWords};
use crate::check::demand::Demand;
use crate::check::kind::{Check, CheckContext, CheckKind, RecordTable};
use crate::check::selection::DEVICE;
use crate::latency::{Claim, EXACT_MAX, Limit, Population, Validity, describe};
use crate::verdict::{Because, Reason, Verdict};
use lastmeter_record::RunFacts;

pub(super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "jitter",
        summary: "enough of all messages were not much slower than the fastest one",
        description: "Judges the delay variation of a path: how much longer each message took than \
            the fastest of the run, as ITU-T Y.1540 defines packet delay variation with the least \
            delay as reference. A lost message counts as over the limit. The share over `limit` is \
            judged like that of a latency check: by an exact bound at 95 % confidence, \
            three-valued, with the same population, warm-up, `stall` and floor. `measured`, `bound` and `limit` are in %. \
            In virtual time the check is skipped.",
        fields: &[
            rows::PATH,
            Field::required("limit", rows::LIMIT_KIND, "largest variation allowed"),
            rows::COVERAGE,
            rows::STALL,
            rows::WARM_UP,
            DEVICE,
            rows::OBSERVER,
            rows::MESSAGES,
        ],
    },
    build: |values, context, out| {
        let limit_ns = rows::time_ns(values, "limit")?;
        let gather = Populations::read(values, &[Limit::Within(limit_ns)], out)?;
        let claim = rows::shares(values, None)?;
        Some(Box::new(Jitter { context, limit_ns, claim, gather }))
    },
    tables: &[RecordTable::Observations, RecordTable::Events, RecordTable::Latency],
    ..CheckKind::PLAIN
};

struct Jitter {
    context: CheckContext,
    limit_ns: i64,
    claim: Claim,
    gather: Populations,
}

impl Check for Jitter {
    rows::feed_gather!();

    fn demand(&self) -> Option<Demand> {
        Some(self.gather.demand(Some(self.claim)))
    }

    fn is_not_measurable(&self, validity: &Validity) -> Option<Because> {
        validity.is_not_measurable(Limit::Within(self.limit_ns))
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let judge = |population: &Population| {
            population.judge_variation(self.limit_ns, self.claim).ok_or_else(|| {
                let why = format!(
                    "more than {EXACT_MAX} messages: the fastest is known only at the end, and so \
                     many are not kept; choose devices with `device`"
                );
                Because::new(Reason::TooMany, why)
            })
        };
        let limit = describe(self.limit_ns);
        let of = (&self.gather, Limit::Within(self.limit_ns));
        share::verdict((&self.context, facts), of, self.claim, judge, |population, judged| {
            let fastest = describe(population.fastest().unwrap_or(i64::MAX));
            let k = judged.tally.k();
            ShareWords {
                pass: format!("delay variation within {limit} of the fastest, {fastest},"),
                fail: format!("delay variation above {limit} of the fastest, {fastest},"),
                late: format!("{k} over {limit}"),
                name: String::new(),
            }
        })
    }
}

#[cfg(test)]
#[path = "jitter_tests.rs"]
mod tests;
