//! `step`, `constant`, `settles`, `follows`: what a recorded signal does over time.
//!
//! All four hold the samples of a `[[signal]]` against a band in one or two parts of the time, as
//! [`judge`] describes; they differ in where the parts lie and what the band is around. Which keys
//! each has stands in `kinds`.
//!
//! Larger than its budget: four checks with one judge.

mod judge;
pub(super) mod kinds;
mod section;

use std::collections::BTreeMap;

use lastmeter_record::{RunFacts, SignalFacts, SignalOrigin, SignalSample};
use lastmeter_text::{append, number, plural};
use lastmeter_units::{SimDuration, SimTime};

use crate::check::kind::{Check, CheckContext, finish};
use crate::verdict::{At, Reason, Verdict};
use judge::{Interval, Judgement, Part, Sample, Wanted, intervals, judge, mean};

/// With fewer samples nothing is judged: one may be chance, and shows no course of time.
const SAMPLES_MIN: u64 = 2;

#[derive(Clone, Debug, PartialEq)]
enum Rule {
    /// At one level until an instant, and at another from shortly after it.
    Step { before: f64, after: f64, at: SimDuration, within: SimDuration },
    /// At this level; `None`: at its own mean.
    Constant { value: Option<f64> },
    /// At a level from shortly after an instant until the end.
    Settles { to: f64, at: SimDuration, within: SimDuration },
    /// Where another signal is, or was not long ago.
    Follows { other: String, lag: SimDuration },
}

#[derive(Clone)]
struct SignalCheck {
    context: CheckContext,
    signal: String,
    rule: Rule,
    /// In the SI unit of a difference of two of the signal's values.
    tolerance: f64,
    /// For which share of the judged time it must hold.
    share: f64,
    /// When judging begins, since the start.
    since: SimDuration,
    /// When it ends; `None`: with the run.
    until: Option<SimDuration>,
    samples: Vec<Sample>,
    /// Of the other signal, if there is one.
    others: Vec<Sample>,
    signals: BTreeMap<String, SignalFacts>,
}

impl Check for SignalCheck {
    fn is_about_readings(&self) -> bool {
        let other = match &self.rule {
            Rule::Follows { other, .. } => Some(other),
            _ => None,
        };
        let mut named = [Some(&self.signal), other].into_iter().flatten();
        let of_plant = |facts: &SignalFacts| matches!(facts.from, SignalOrigin::Plant(_));
        !named.all(|name| self.signals.get(name).is_some_and(of_plant))
    }

    fn begin(&mut self, facts: &RunFacts) {
        let named = facts.recorded_signals.iter();
        self.signals = named.map(|signal| (signal.name.clone(), signal.clone())).collect();
    }

    fn signal(&mut self, sample: &SignalSample<'_>) {
        let own = Sample { at_ns: sample.time.0, value: sample.value };
        if sample.signal == self.signal {
            self.samples.push(own);
        }
        if matches!(&self.rule, Rule::Follows { other, .. } if other == sample.signal) {
            self.others.push(own);
        }
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let (own, other) = (intervals(&self.samples), intervals(&self.others));
        let parts = self.parts(&own, &other, facts.end - facts.start);
        let judged: Vec<Judgement> =
            parts.iter().map(|part| judge(&own, part, self.tolerance, self.share)).collect();
        let mut verdict = self.conclude(&parts, &judged, facts.start);
        verdict.n = judged.iter().map(|one| one.n).sum();
        verdict.limit = Some(self.tolerance);
        if verdict.n > 0 {
            verdict.measured = judged.iter().map(|one| one.needed).reduce(f64::max);
        }
        finish(verdict, facts)
    }
}

impl SignalCheck {
    /// The parts of the time that are judged, with what is wanted in each.
    fn parts<'a>(
        &self,
        own: &[Interval],
        other: &'a [Interval],
        duration: SimDuration,
    ) -> Vec<Part<'a>> {
        let end_ns = self.until.map_or(duration.0, |until| until.0.min(duration.0));
        let part = |from_ns, to_ns, wanted| Part { from_ns, to_ns, wanted };
        match &self.rule {
            Rule::Step { before, after, at, within } => vec![
                part(self.since.0, at.0, Wanted::Level(*before)),
                part((*at + *within).0, end_ns, Wanted::Level(*after)),
            ],
            Rule::Constant { value } => {
                let level = value.or_else(|| mean(own, self.since.0, end_ns));
                // Of a signal without any number there is no mean, and no sample is within it.
                let level = level.unwrap_or(f64::NAN);
                vec![part(self.since.0, end_ns, Wanted::Level(level))]
            }
            Rule::Settles { to, at, within } => {
                vec![part((*at + *within).0, end_ns, Wanted::Level(*to))]
            }
            Rule::Follows { lag, .. } => {
                let wanted = Wanted::Follows { other, lag_ns: lag.0 };
                vec![part(self.since.0, end_ns, wanted)]
            }
        }
    }

    /// The verdict, but for its figures.
    fn conclude(&self, parts: &[Part<'_>], judged: &[Judgement], start: SimTime) -> Verdict {
        let allowed = |one: &Judgement| judge::allowed_ns(one.judged_ns, self.share);
        let unit = self.unit();
        let bad = judged.iter().find(|one| one.outside_ns > allowed(one));
        let all = parts.iter().zip(judged);
        if let Some(first_ns) = bad.and_then(|one| one.first_ns) {
            let mut why = format!(
                "`{}` is outside {}, first at {}",
                self.signal,
                self.band(parts, &unit),
                seconds(first_ns)
            );
            all.for_each(|both| append(&mut why, format_args!("; {}", self.describe(both))));
            let mut verdict = self.context.verdict(Reason::OutsideLimit, &unit, why);
            verdict.at = Some(self.place(start + SimDuration(first_ns)));
            return verdict;
        }
        let few = all.clone().find(|(_, one)| one.n < SAMPLES_MIN || !one.is_whole);
        if let Some((part, one)) = few {
            let (from, to) = (seconds(part.from_ns), seconds(part.to_ns));
            let (reason, why) = if one.n < SAMPLES_MIN {
                let why = format!(
                    "{} of `{}` from {from} to {to}, expected {SAMPLES_MIN} or more; record it \
                     more often, or judge a longer time",
                    plural(one.n, "sample"),
                    self.signal
                );
                (if one.n == 0 { Reason::NothingToJudge } else { Reason::TooFew }, why)
            } else {
                let why = format!(
                    "the samples of `{}` do not reach from {from} to {to}; {}",
                    self.signal,
                    self.describe((part, one))
                );
                (Reason::Incomplete, why)
            };
            return self.context.verdict(reason, &unit, why);
        }
        let mut why = format!("`{}` is within {}", self.signal, self.band(parts, &unit));
        all.for_each(|both| append(&mut why, format_args!("; {}", self.describe(both))));
        self.context.verdict(Reason::WithinLimit, &unit, why)
    }

    /// What the signal is held against, for a sentence.
    fn band(&self, parts: &[Part<'_>], unit: &str) -> String {
        let tolerance = format!("{} {unit}", number(self.tolerance));
        let level = |part: &Part<'_>| match part.wanted {
            Wanted::Level(level) => format!("{} {unit}", number(level)),
            Wanted::Follows { .. } => String::new(),
        };
        let levels: Vec<String> = parts.iter().map(level).collect();
        let levels = levels.join(" and then ");
        match &self.rule {
            Rule::Follows { other, lag } => {
                format!("{tolerance} of `{other}` with a lag of up to {}", seconds(lag.0))
            }
            Rule::Constant { value: None } => format!("{tolerance} of its own mean of {levels}"),
            _ => format!("{tolerance} of {levels}"),
        }
    }

    fn describe(&self, (part, one): (&Part<'_>, &Judgement)) -> String {
        let (from, to) = (seconds(part.from_ns), seconds(part.to_ns));
        let held = number(100.0 * one.share());
        let mut text = format!(
            "from {from} to {to} for {held} % of {} in {}",
            seconds(one.judged_ns),
            plural(one.n, "sample")
        );
        if self.share < 1.0 {
            append(&mut text, format_args!(", expected {} %", number(100.0 * self.share)));
        }
        match one.worst {
            Some((off, at_ns)) if off.is_finite() => {
                let (off, unit, at) = (number(off), self.unit(), seconds(at_ns));
                append(&mut text, format_args!(", worst deviation {off} {unit} at {at}"));
            }
            Some((_, at_ns)) => {
                append(&mut text, format_args!(", no number at {}", seconds(at_ns)));
            }
            None => {}
        }
        if one.left_out > 0 {
            let left_out = plural(one.left_out, "sample");
            append(&mut text, format_args!(", {left_out} with nothing to compare left out"));
        }
        text
    }

    fn facts(&self) -> Option<&SignalFacts> {
        self.signals.get(&self.signal)
    }

    /// The SI unit of a deviation; `1` where the run does not know the signal.
    fn unit(&self) -> String {
        let measurement = self.facts().and_then(SignalFacts::measurement);
        let unit = measurement.map(|id| id.row().si_unit.of_difference().to_string());
        unit.filter(|unit| !unit.is_empty()).unwrap_or_else(|| "1".to_owned())
    }

    /// Where in the record.
    fn place(&self, time: SimTime) -> At {
        let facts = self.facts();
        let device = facts.and_then(|facts| match &facts.from {
            SignalOrigin::Device(device) => Some(device.clone()),
            SignalOrigin::Plant(_) => None,
        });
        let quantity = facts.map(|facts| facts.quantity.clone());
        At { device, quantity, time: Some(time), ..At::default() }
    }
}

fn seconds(ns: i64) -> String {
    format!("{} s", SimDuration(ns).as_seconds_f64())
}

#[cfg(test)]
mod judge_tests;
#[cfg(test)]
mod tests;
