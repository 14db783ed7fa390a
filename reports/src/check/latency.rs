//! `latency`: enough of all messages came within a limit, lost ones included.

use lastmeter_params::{Code, Diagnostics, Entry, Field, Kind, Values};

use super::rows::{self, Gather};
use super::share::{self, Words};
use super::{Check, CheckContext, CheckKind, Demand};
use crate::latency::{
    Claim as Shares, Limit, Population, Requirement, RequirementTable, Span, Validity, find_class,
    find_profile, told,
};
use crate::verdict::{Because, Reason, Verdict};
use lastmeter_record::{Event, LatencyRow, Observation, Point, RunFacts};

/// The registry's row.
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
            rows::DEVICE,
            rows::OBSERVER,
            rows::MESSAGES,
        ],
    },
    build: |values, context, out| {
        let claim = Claim::read(values, &context, out)?;
        let gather = Gather::read(values, &[claim.limit], out)?;
        Some(Box::new(Latency { context, claim, gather }))
    },
};

/// What is to be shown.
#[derive(Clone, Debug)]
struct Claim {
    limit: Limit,
    shares: Shares,
    /// The class or profile; empty if a plain limit is given.
    name: String,
    /// From where it is, for people.
    source: String,
}

impl Claim {
    fn read(values: &Values, context: &CheckContext, out: &mut Diagnostics) -> Option<Self> {
        let keys = ["limit", "class", "profile"];
        let written: Vec<&str> = keys.into_iter().filter(|key| values.get(key).is_some()).collect();
        let [key] = written[..] else {
            let found = match written[..] {
                [] => "none".to_owned(),
                _ => format!("`{}`", written.join("` and `")),
            };
            let message =
                format!("a latency check needs one of limit, class, profile; has {found}");
            let help = "write for example limit = \"1 s\" or class = \"TT3\"".to_owned();
            let label = "no one limit";
            out.report_with_help(Code::DOES_NOT_FIT, values.span, message, label, Some(help));
            return None;
        };
        if key == "limit" {
            return Some(Self {
                limit: Limit::of(rows::time_ns(values, key)),
                shares: rows::shares(values, None)?,
                name: String::new(),
                source: String::new(),
            });
        }
        if let Ok(span) = Span::read(values.text("path"))
            && span.from != Point::Intended
        {
            let message = format!("a {key} is about the whole way, from when a message was due");
            let help = "write `intended..` at the beginning of `path`, or a plain `limit`";
            let (label, place) = ("leaves the sender's lag out", values.span_of("path"));
            let help = Some(help.to_owned());
            out.report_with_help(Code::DOES_NOT_FIT, place, message, label, help);
            return None;
        }
        let own = own_tables(values, context, out)?;
        let name = values.text(key);
        let found = if key == "class" { find_class(name) } else { find_profile(&own, name) };
        match found {
            Ok((table, row)) => Some(Self {
                limit: Limit::of(row.limit_ns),
                shares: rows::shares(values, row.coverage)?,
                name: row.name.clone(),
                source: source_of(table, row),
            }),
            Err(why) => {
                out.report(Code::UNKNOWN_REFERENCE, values.span_of(key), why, "not in a table");
                None
            }
        }
    }

    /// `TT1`, or `1 s` without a class.
    fn told(&self) -> String {
        if self.name.is_empty() { told(self.limit.ns().unwrap_or(0)) } else { self.name.clone() }
    }

    /// `66 over 1 s`, `66 lost` where delivery alone is asked for.
    fn over(&self, k: u64) -> String {
        match self.limit.ns() {
            Some(limit_ns) => format!("{k} over {}", told(limit_ns)),
            None => format!("{k} lost"),
        }
    }
}

/// From where a limit is, for people.
fn source_of(table: &RequirementTable, row: &Requirement) -> String {
    format!("{}, {}", table.edition, row.standing.words())
}

/// The scenario's own tables; `None` after a mistake.
fn own_tables(
    values: &Values,
    context: &CheckContext,
    out: &mut Diagnostics,
) -> Option<Vec<RequirementTable>> {
    let Some(name) = values.text_opt("requirements") else { return Some(Vec::new()) };
    let span = values.span_of("requirements");
    let Some(text) = context.files.get(name) else {
        let message = format!("the file `{name}` cannot be read");
        out.report(Code::FILE_UNREADABLE, span, message, "no such file");
        return None;
    };
    match RequirementTable::read(name, text) {
        Ok(table) => Some(vec![table]),
        Err(errors) => {
            let message = format!("`{name}` is no requirement table: {}", errors.join("; "));
            out.report(Code::FILE_REFUSED, span, message, "not a requirement table");
            None
        }
    }
}

struct Latency {
    context: CheckContext,
    claim: Claim,
    gather: Gather,
}

impl Check for Latency {
    fn demand(&self) -> Option<Demand> {
        Some(self.gather.demand(Some(self.claim.shares)))
    }

    fn is_not_measurable(&self, validity: &Validity) -> Option<Because> {
        validity.is_not_measurable(self.claim.limit)
    }

    fn begin(&mut self, facts: &RunFacts) {
        self.gather.begin(facts);
    }

    fn observation(&mut self, observation: &Observation<'_>) {
        self.gather.observation(observation);
    }

    fn event(&mut self, _line: u64, event: &Event) {
        self.gather.event(event);
    }

    fn latency(&mut self, row: &LatencyRow<'_>) {
        self.gather.row(row);
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
                let name = self.claim.told();
                Words {
                    pass: format!("timing consistent with {name}"),
                    fail: format!("timing not consistent with {name}"),
                    late: self.claim.over(judged.tally.k()),
                    name: self.claim.name.clone(),
                }
            });
        if !self.claim.source.is_empty() && verdict.told.is_some() {
            verdict.why.push_str("; limit after ");
            verdict.why.push_str(&self.claim.source);
        }
        verdict
    }
}

#[cfg(test)]
#[path = "latency_tests.rs"]
pub(in crate::check) mod tests;
