//! `latency`: enough of all messages came within a limit, lost ones included.

use lastmeter_params::{Code, Diagnostics, Entry, Field, Kind, Values};

use super::rows::{self, Gather};
use super::{Check, CheckContext, CheckKind, Demand, finish};
use crate::console::number;
use crate::latency::{
    Correlation, Judgement, Limit, Population, Requirement, RequirementTable, Span, Validity,
    find_class, find_profile, told,
};
use crate::record::{LatencyRow, Point, RunFacts};
use crate::text::{append, plural};
use crate::verdict::{Because, Reason, Status, Told, Verdict};

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
            `requirements`); `coverage` is the share of messages that has to keep it. It passes if \
            the exact upper bound on the share over the limit, at 95 % confidence and for an \
            effective number of messages where late ones come together, is at most what the \
            coverage leaves; it fails if the lower bound is above that; else it is inconclusive, \
            and so it is where the bench missed more than 0.1 % of its deadlines, unless it fails \
            with all that this may have delayed counted as in time, where a clock was stepped, or the limit is below ten times the floor of this machine. `measured` is the \
            share over the limit, `bound` what was compared with `limit`, all in %. A pass means \
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
    coverage: f64,
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
        let coverage = values.si_opt("coverage");
        if key == "limit" {
            return Some(Self {
                limit: Limit::of(rows::time_ns(values, key)),
                coverage: coverage.unwrap_or(rows::DEFAULT_COVERAGE),
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
            Ok((table, row)) => Some(Self::of(table, row, coverage)),
            Err(why) => {
                out.report(Code::UNKNOWN_REFERENCE, values.span_of(key), why, "not in a table");
                None
            }
        }
    }

    fn of(table: &RequirementTable, row: &Requirement, coverage: Option<f64>) -> Self {
        Self {
            limit: Limit::of(row.limit_ns),
            coverage: coverage.or(row.coverage).unwrap_or(rows::DEFAULT_COVERAGE),
            name: row.name.clone(),
            source: format!("{}, {}", table.edition, row.standing.words()),
        }
    }

    /// `99 %`.
    fn percent(&self) -> String {
        format!("{} %", number(100.0 * self.coverage))
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
        Some(self.gather.demand(Some(self.claim.coverage)))
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
                let judged = population.judge(self.claim.limit, self.claim.coverage);
                Ok((
                    population,
                    judged.ok_or_else(|| {
                        let why = "the population was not told of the limit";
                        Because::new(Reason::NotEvaluated, why)
                    })?,
                ))
            })
        };
        let verdict = match judged {
            Ok((population, judged)) => self.judge(population, &judged, &validity, facts),
            Err(because) => rows::without_judgement(&self.context, facts, "%", because),
        };
        let limit = 100.0 * (1.0 - self.claim.coverage);
        finish(Verdict { limit: Some(rounded(limit)), ..verdict }, facts)
    }
}

/// A share in % without the digits that subtracting from 1 leaves behind.
pub(super) fn rounded(percent: f64) -> f64 {
    format!("{percent:.9}").parse().unwrap_or(percent)
}

impl Latency {
    fn judge(
        &self,
        population: &Population,
        judged: &Judgement,
        validity: &Validity,
        facts: &RunFacts,
    ) -> Verdict {
        let conclusion = validity.conclude(population, self.claim.limit, judged);
        let mut why = self.headline(&conclusion, judged);
        append(&mut why, format_args!("; {}", self.counted(judged)));
        append(&mut why, format_args!("; {}", about_population(population)));
        if let Some(longest) = population.longest_run(self.claim.limit).filter(|run| *run > 1) {
            append(&mut why, format_args!("; up to {longest} of a device in a row"));
        }
        for flag in &validity.flags {
            append(&mut why, format_args!("; {flag}"));
        }
        if conclusion.status() == Status::Fail && validity.missed.is_some() {
            append(&mut why, format_args!("; {}", conclusion.why));
            for invalid in &validity.invalid {
                append(&mut why, format_args!("; {}", invalid.why));
            }
        }
        if !self.claim.source.is_empty() {
            append(&mut why, format_args!("; limit after {}", self.claim.source));
        }
        let named = population.first_lost().or(population.worst());
        Verdict {
            measured: Some(100.0 * judged.share()),
            bound: Some(100.0 * judged.bound()),
            n: judged.tally.n,
            at: named.map(|named| rows::place(named, facts)),
            told: Some(Told {
                measured: format!(
                    "{}, bound {} %",
                    self.claim.over(judged.tally.k()),
                    number_of(100.0 * judged.bound())
                ),
                basis: self.basis(judged),
            }),
            ..self.context.verdict(conclusion.reason, "%", why)
        }
    }

    /// The sentence that stands first.
    fn headline(&self, conclusion: &Because, judged: &Judgement) -> String {
        let at = format!(
            "with {} at p{}, 95 % confidence, this run",
            self.claim.told(),
            number(100.0 * judged.coverage)
        );
        match conclusion.status() {
            Status::Pass => format!("timing consistent {at}"),
            Status::Fail => format!("timing not consistent {at}"),
            _ => conclusion.why.clone(),
        }
    }

    /// `66 over 1 s of 18408 (0.36 %), bound 0.49 % with deff 2.3`.
    fn counted(&self, judged: &Judgement) -> String {
        let mut text = format!(
            "{} of {} ({} %), bound {} % with deff {}",
            self.claim.over(judged.tally.k()),
            judged.tally.n,
            number_of(100.0 * judged.share()),
            number_of(100.0 * judged.bound()),
            number_of(judged.deff_of_bound()),
        );
        if judged.tally.k() > 1 {
            let deff = judged.deff;
            let (estimate, blocks) = (number_of(deff.estimate), deff.blocks);
            let block = told(deff.block_ns);
            append(&mut text, format_args!(" ({estimate} from {blocks} blocks of {block})"));
        }
        let words = judged.deff.correlation.words();
        if judged.deff.correlation != Correlation::Assessed {
            append(&mut text, format_args!(", {words}"));
        }
        text
    }

    /// `TT1 at 99 %, n 18408, deff 2.3`.
    fn basis(&self, judged: &Judgement) -> String {
        let name = if self.claim.name.is_empty() { "" } else { &self.claim.name };
        let space = if name.is_empty() { "" } else { " " };
        let mut text = format!(
            "{name}{space}at {}, n {}, deff {}",
            self.claim.percent(),
            judged.tally.n,
            number_of(judged.deff_of_bound())
        );
        if judged.deff.correlation != Correlation::Assessed {
            append(&mut text, format_args!(", {}", judged.deff.correlation.words()));
        }
        text
    }
}

/// A figure with three digits.
pub(super) fn number_of(value: f64) -> String {
    number(format!("{value:.2e}").parse().unwrap_or(value))
}

/// What else is to be known of the messages.
pub(super) fn about_population(population: &Population) -> String {
    let mut text = format!("{} lost", population.lost());
    let counts = [
        (population.too_late(), "came after the grace"),
        (population.duplicated(), "came more than once"),
        (population.early(), "published before due"),
    ];
    for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
        append(&mut text, format_args!(", {count} {what}"));
    }
    if let Some(worst) = population.worst() {
        append(&mut text, format_args!(", slowest {}", told(worst.delay)));
    }
    let warm_up = population.warm_up();
    if warm_up.n() > 0 {
        let delays = warm_up.distribution();
        let [p50, max] = [0.5, 1.0].map(|share| told(delays.quantile(share).unwrap_or(0)));
        let messages = plural(warm_up.n(), "message");
        append(
            &mut text,
            format_args!("; {messages} of the warm-up left out (p50 {p50}, max {max})"),
        );
    }
    text
}

#[cfg(test)]
#[path = "latency_tests.rs"]
pub(in crate::check) mod tests;
