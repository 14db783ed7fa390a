//! `latency`: enough of all messages came within a limit, lost ones included.
//!
//! `claim` is what a check states, `section` the part of the report.
//!
//! Larger than its budget: the section of the report has a picture and a table for each statistic.

mod claim;
mod section;

use lastmeter_params::{Entry, Field, Kind};

use self::claim::Claim;
use super::rows::{self, Populations};
use super::share::{self, ShareWords};
use crate::check::demand::Demand;
use crate::check::kind::{Check, CheckContext, CheckKind, RecordTable, Section};
use crate::check::selection::DEVICE;
use crate::latency::{Population, Validity};
use crate::verdict::{Because, Reason, Verdict};
use lastmeter_record::RunFacts;
use lastmeter_text::append;

pub(super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "latency",
        summary: "enough of all messages came within a limit, lost ones included",
        description: "Judges the time between two measuring points (`path`), for every message \
            that was due after the warm-up: intended, published, proxy_in_up, proxy_out_up, \
            proxy_in_down, proxy_out_down, received, committed, queryable, obeyed, acknowledged. A \
            lost message counts as over every limit. The limit is a time (`limit`), a \
            transfer-time or performance class of IEC 61850-5 (`class`, such as TT3 or ed2-P4) or a row of \
            another table (`profile`, such as on-demand-read, or a row of your own file \
            `requirements`); `coverage` is the share of messages that has to keep it. `stall` is \
            the longest stretch, a cluster of stalls counted as one, in which one cause (a garbage \
            collection, a full disk, a broken link) may make the messages of all devices late: what \
            one stall can hit counts as one message. It passes if the exact upper bound (Clopper \
            and Pearson) on the share over the limit, at 95 % confidence, is at most what the \
            coverage leaves; it fails if the lower bound is above that; else it is inconclusive. \
            The shortest time to judge for a pass, with nothing late, is 3 x stall / (1 - \
            coverage): with a stall of 1 s 100 s at 97 %, 5 min at 99 %, 50 min at 99.9 %; a \
            scenario with less is refused. Each pass states the longest stall with which it would \
            still be one. It is inconclusive, too, where the record lacks rows of messages that \
            were due, where the bench missed more than 0.1 % of its deadlines, unless it fails \
            with all that this may have delayed counted as in time, where a clock was stepped, or \
            the limit is below ten times the floor of this machine. Messages with a negative delay \
            count against a pass, and not for a fail. `measured` is the share over the limit, \
            `bound` what was compared with `limit`, all in %; without a `bound` something else \
            decided. A pass means \
            timing consistent with the limit at this coverage in this run, and no compliance with \
            a standard. In virtual time the check is skipped: the delays are the model's.",
        fields: &[
            rows::PATH,
            Field::optional("limit", rows::LIMIT_KIND, "longest time allowed"),
            Field::optional("class", Kind::Name, "a class of IEC 61850-5 instead of a limit"),
            Field::optional("profile", Kind::Name, "a row of a requirement table instead"),
            Field::optional(
                "requirements",
                Kind::Text,
                "a file with your own requirement table, whose rows `profile` may name",
            ),
            rows::COVERAGE,
            rows::STALL,
            rows::WARM_UP,
            DEVICE,
            rows::OBSERVER,
            rows::MESSAGES,
        ],
    },
    build: |values, context, out| {
        let claim = Claim::read(values, &context, out)?;
        let gather = Populations::read(values, &[claim.limit], out)?;
        Some(Box::new(Latency { context, claim, gather }))
    },
    tables: &[RecordTable::Observations, RecordTable::Events, RecordTable::Latency],
    section: Some(Section { place: 50, make: section::section }),
    ..CheckKind::PLAIN
};

pub(super) struct Latency {
    context: CheckContext,
    claim: Claim,
    gather: Populations,
}

impl Latency {
    /// What is to be shown, if its limit is the scenario's or one of a built-in table.
    fn built_in_claim(&self) -> Option<&Claim> {
        Some(&self.claim).filter(|claim| !claim.is_own)
    }
}

impl Check for Latency {
    rows::feed_gather!();

    fn demand(&self) -> Option<Demand> {
        Some(self.gather.demand(Some(self.claim.shares)))
    }

    fn is_not_measurable(&self, validity: &Validity) -> Option<Because> {
        validity.is_not_measurable(self.claim.limit)
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let Claim { limit, shares, .. } = self.claim;
        let judge = |population: &Population| {
            population.judge(limit, shares).ok_or_else(|| {
                Because::new(Reason::NotEvaluated, "the population was not asked about the limit")
            })
        };
        let about = (&self.context, facts);
        let mut verdict =
            share::verdict(about, (&self.gather, limit), shares, judge, |_, judged| {
                let name = self.claim.describe();
                ShareWords {
                    pass: format!("timing consistent with {name}"),
                    fail: format!("timing not consistent with {name}"),
                    late: self.claim.over(judged.tally.k()),
                    name: self.claim.name.clone(),
                }
            });
        if !self.claim.source.is_empty() && verdict.told.is_some() {
            append(&mut verdict.why, format_args!("; limit after {}", self.claim.source));
        }
        verdict
    }
}

#[cfg(test)]
pub(in crate::checks) mod tests;
