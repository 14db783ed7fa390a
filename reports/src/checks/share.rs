//! What the checks on a share of late messages, `latency` and `jitter`, have in common: how a
//! judgement becomes a verdict, and its words.

use super::rows::{self, Populations};
use crate::check::kind::{CheckContext, finish};
use crate::latency::{Claim, Judgement, Limit, MissingRows, Population, Validity};
use crate::verdict::{Because, Reason, Verdict, VerdictText};
use lastmeter_record::{RunFacts, Status};
use lastmeter_text::{append, number, three_digits};

/// A share of late messages that was judged.
pub(super) struct Share<'a> {
    population: &'a Population,
    judged: &'a Judgement,
    validity: Validity,
    missing: Option<MissingRows>,
    conclusion: Because,
}

pub(super) struct ShareWords {
    /// What passes: `timing consistent with TT3`.
    pub(super) pass: String,
    pub(super) fail: String,
    /// The late ones: `66 over 1 s`.
    pub(super) late: String,
    /// The class, if there is one.
    pub(super) name: String,
}

impl<'a> Share<'a> {
    fn of(
        gather: &Populations,
        (population, judged): (&'a Population, &'a Judgement),
        limit: Limit,
        validity: Validity,
    ) -> Self {
        let conclusion = validity.conclude(population, limit, judged);
        let missing = gather.missing();
        let conclusion = match &missing {
            Some(missing) => missing.outweighs(conclusion, judged),
            None => conclusion,
        };
        Self { population, judged, validity, missing, conclusion }
    }

    /// The bound that was compared with what is allowed, in %; `None` if none was, since something
    /// else decided.
    fn bound(&self) -> Option<f64> {
        let is_compared = self.conclusion.reason == self.judged.reason();
        is_compared.then(|| 100.0 * self.judged.bound())
    }

    /// The sentence that stands first.
    fn headline(&self, words: &ShareWords) -> String {
        let percentile = number(100.0 * self.judged.claim.coverage);
        let at = format!("at p{percentile}, 95 % confidence, this run");
        match self.conclusion.status() {
            Status::Pass => format!("{} {at}, {}", words.pass, self.judged.words()),
            Status::Fail => format!("{} {at}; {}", words.fail, self.judged.words()),
            _ => self.conclusion.why.to_string(),
        }
    }

    /// `66 over 1 s of 18408 (0.36 %), bound 0.49 %, 100 messages counted as one (...)`.
    fn counted(&self, late: &str) -> String {
        let Judgement { tally, .. } = self.judged;
        let share = three_digits(100.0 * self.judged.share());
        let mut text = format!("{late} of {} ({share} %)", tally.n);
        if let Some(bound) = self.bound() {
            let weight = self.judged.weight_words();
            append(&mut text, format_args!(", bound {} %, {weight}", three_digits(bound)));
        }
        if self.judged.longest_of_device > 1 {
            let run = self.judged.longest_of_device;
            append(&mut text, format_args!("; up to {run} of a device in a row"));
        }
        text
    }

    /// `TT1 at 99 %, n 18408, no stall above 1.4 s`; `stall 1 s` where it is no pass.
    fn basis(&self, name: &str) -> String {
        let Judgement { claim, tally, .. } = self.judged;
        let space = if name.is_empty() { "" } else { " " };
        let percent = number(100.0 * claim.coverage);
        let stall = self.judged.stall_words(self.conclusion.status());
        format!("{name}{space}at {percent} %, n {}, {stall}", tally.n)
    }

    fn verdict(&self, context: &CheckContext, facts: &RunFacts, words: &ShareWords) -> Verdict {
        let mut why = self.headline(words);
        append(&mut why, format_args!("; {}", self.counted(&words.late)));
        append(&mut why, format_args!("; {}", about_population(self.population)));
        for flag in &self.validity.flags {
            append(&mut why, format_args!("; {flag}"));
        }
        if self.conclusion.status() == Status::Fail && self.judged.tally.touched > 0 {
            append(&mut why, format_args!("; {}", self.conclusion.why));
        }
        if self.conclusion.status() == Status::Fail {
            for invalid in &self.validity.invalid {
                append(&mut why, format_args!("; {}", invalid.why));
            }
        }
        if let Some(missing) = &self.missing
            && self.conclusion.reason != Reason::Incomplete
        {
            append(&mut why, format_args!("; {}", missing.because().why));
        }
        let bound = self.bound();
        let bound_text = bound.map(|bound| format!(", bound {} %", three_digits(bound)));
        let named = self.population.first_lost().or(self.population.worst());
        Verdict {
            measured: Some(100.0 * self.judged.share()),
            bound,
            n: self.judged.tally.n,
            at: named.map(|named| rows::place(named, facts)),
            told: Some(VerdictText {
                measured: format!("{}{}", words.late, bound_text.unwrap_or_default()),
                basis: self.basis(&words.name),
            }),
            ..context.verdict(self.conclusion.reason, "%", why)
        }
    }
}

/// The verdict of a check on a share of late messages; `judge` judges its population.
pub(super) fn verdict(
    (context, facts): (&CheckContext, &RunFacts),
    (gather, limit): (&Populations, Limit),
    claim: Claim,
    judge: impl Fn(&Population) -> Result<Judgement, Because>,
    words: impl Fn(&Population, &Judgement) -> ShareWords,
) -> Verdict {
    let validity = Validity::of(facts);
    let judged = if validity.modelled {
        Err(Because::new(Reason::Modelled, ""))
    } else {
        let population = gather.population();
        population.and_then(|population| Ok((population, judge(population)?)))
    };
    let verdict = match judged {
        Ok((population, judged)) => {
            let words = words(population, &judged);
            let share = Share::of(gather, (population, &judged), limit, validity);
            share.verdict(context, facts, &words)
        }
        Err(because) => rows::without_judgement(context, facts, "%", because),
    };
    let allowed = rounded(100.0 * (1.0 - claim.coverage));
    finish(Verdict { limit: Some(allowed), ..verdict }, facts)
}

/// A share in % without the digits that subtracting from 1 leaves behind.
pub(super) fn rounded(percent: f64) -> f64 {
    format!("{percent:.9}").parse().unwrap_or(percent)
}

/// What else is to be known of the messages.
pub(super) fn about_population(population: &Population) -> String {
    use crate::latency::describe;
    let mut text = format!("{} lost", population.lost);
    let counts = [
        (population.too_late, "came after the grace"),
        (population.duplicated, "came more than once"),
        (population.early, "published or received before due, and counted against a pass alone"),
    ];
    for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
        append(&mut text, format_args!(", {count} {what}"));
    }
    if let Some(worst) = population.worst() {
        append(&mut text, format_args!(", slowest {}", describe(worst.delay)));
    }
    let warm_up = &population.warm_up;
    if warm_up.n() > 0 {
        let delays = warm_up.distribution();
        let [p50, max] = [0.5, 1.0].map(|share| describe(delays.quantile(share).unwrap_or(0)));
        let messages = lastmeter_text::plural(warm_up.n(), "message");
        append(
            &mut text,
            format_args!("; {messages} of the warm-up left out (p50 {p50}, max {max})"),
        );
    }
    text
}
