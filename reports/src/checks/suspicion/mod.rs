//! `suspicion`: which household of a feeder is it that reports too little, too much, or by the
//! voltage of another phase?
//!
//! Judged is what came back through the platform, of households and infeeds; neither the plant's
//! truth nor its network is looked at. Losses and impedances follow from the readings.
//!
//! ```text
//! intervals   readings -> powers and voltages
//!   -> voltages   what reported currents explain of them
//!     -> ranking  losses, errors, scores
//!       -> mod      the verdict;  section  its table and picture
//! matrix      sums of products, and their inverse
//! ```
//!
//! Larger than its budget: it estimates the losses of a whole network, which others are given.

mod intervals;
mod matrix;
mod ranking;
mod section;
mod voltages;

use std::collections::BTreeSet;

use lastmeter_params::{Dimension, Entry, Field, Kind, Pattern};

use self::intervals::{Intervals, Readings};
use self::ranking::{Ranking, Suspect, rank};
use crate::check::BalancedMeters;
use crate::check::kind::{
    Check, CheckContext, CheckKind, RecordTable, Section, beyond_range, finish,
};
use crate::verdict::{Because, Devices, Reason, Verdict, VerdictText};
use lastmeter_record::{Event, Observation, RunFacts, RunState, Status};
use lastmeter_text::{append, number, plural, three_digits};

pub(super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "suspicion",
        summary: "which household of a feeder reports too little, too much or by another phase",
        description: "Ranks the households of a feeder by how likely it is that their readings are \
            wrong by a factor: part of a current that goes round its meter (a bypass), the ratio of a \
            current transformer, the voltage of another phase. It takes the energy registers and the \
            voltages that came back through the platform, of the meters at loads (`homes`) and at \
            infeeds (`substation`), interval by interval, and neither the plant's truth nor its \
            network. Balance: what was supplied less what was reported is the losses and each \
            household's own error times what it reports; the losses are a constant, the reported \
            currents times the drops of voltages that they cause, and what loads lose by moving within \
            an interval. Voltages: one household's current takes away at another what the other's \
            takes away at the first; where the reported ones do not, a current is not what was \
            reported. The score is the natural logarithm of how much more likely both are if a \
            household's error may be anything than if it lies in `class`; correlation with what \
            is unaccounted for stands beside it. From 10 on, 5 above the next, and with more energy \
            missing than the losses are uncertain by, a household is under suspicion; then the next \
            one is looked for, up to five. The check passes if exactly `suspects` are, and fails if \
            another one is or one of them is not. It does not decide, and is inconclusive, where less is missing \
            than the losses are uncertain by, where households are too alike, where something is \
            missing that no household explains, and where the losses are not known to a tenth of \
            them (twice the standard deviation). `measured` is how many households are judged \
            otherwise than expected, `n` how many there are; the whole ranking is \
            `figures/suspicion-CHECK.csv`. At least three intervals for two households are needed. \
            One that reports nothing at all has no course that could be recognised.",
        fields: &[
            Field::required(
                "substation",
                Kind::Text,
                "the device at the infeed: a name, or a pattern with *",
            ),
            Field::default(
                "homes",
                Kind::Text,
                "\"*\"",
                "the devices at the loads: a name, or a pattern with *; only those at \
                 `load:` count",
            ),
            Field::default(
                "class",
                Kind::Quantity { dimension: Dimension::Ratio, min: 1e-6, max: 0.1 },
                "\"0.5 %\"",
                "largest error of a household's meter that is none to be suspected",
            ),
            Field::default(
                "suspects",
                Kind::List(&Kind::Text),
                "[]",
                "the households that have to be under suspicion, the first of them first; no other may be",
            ),
        ],
    },
    build: |values, context, _| {
        Some(Box::new(Suspicion {
            context,
            class: values.si("class"),
            expected: values.text_list("suspects").into_iter().map(str::to_owned).collect(),
            wanted: BalancedMeters {
                substation: Pattern::new(values.text("substation")),
                homes: Pattern::new(values.text("homes")),
                every: None,
            },
            readings: Readings::default(),
            beyond_range: BTreeSet::new(),
        }))
    },
    tables: &[RecordTable::Observations, RecordTable::Events],
    section: Some(Section { place: 42, make: section::section }),
    takes_readings_as_exact: true,
    ..CheckKind::PLAIN
};

/// Losses have to be known to this share of them.
const UNCERTAINTY_MAX: f64 = 0.1;
/// Intervals for each household, at least.
const INTERVALS_MIN: f64 = 1.5;

#[derive(Clone)]
struct Suspicion {
    context: CheckContext,
    class: f64,
    expected: Vec<String>,
    wanted: BalancedMeters,
    readings: Readings,
    /// Meters whose converters may not have seen all.
    beyond_range: BTreeSet<String>,
}

impl Check for Suspicion {
    fn balances(&self) -> Option<&BalancedMeters> {
        Some(&self.wanted)
    }

    fn begin(&mut self, facts: &RunFacts) {
        self.readings = Readings::begin(&self.wanted, facts);
    }

    fn observation(&mut self, observation: &Observation<'_>) {
        self.readings.observation(observation);
    }

    fn event(&mut self, _line: u64, event: &Event) {
        if event.is_beyond_range()
            && let Some(device) = event.about()
            && self.readings.has(device)
        {
            self.beyond_range.insert(device.to_owned());
        }
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        // The whole run is judged at once, and that is too much to be done at every look.
        let judged = if facts.state == RunState::Running {
            Err(Because::new(Reason::Unfinished, "households are ranked when the run has ended"))
        } else {
            self.ranked()
        };
        let mut verdict = match judged {
            Ok((intervals, ranking)) => self.judge(&intervals, &ranking),
            Err(because) => self.context.verdict(because.reason, "1", because.why),
        };
        if verdict.status == Status::Pass && !self.beyond_range.is_empty() {
            verdict.set_reason(Reason::BeyondRange);
            verdict.why = beyond_range(&self.beyond_range, &verdict.why).into();
        }
        finish(verdict, facts)
    }
}

impl Suspicion {
    /// The ranking, or why there is none.
    fn ranked(&self) -> Result<(Intervals, Ranking), Because> {
        let (homes, infeeds) = (self.readings.homes(), self.readings.infeeds());
        let because = |reason, why: String| Err(Because::new(reason, why));
        if infeeds.is_empty() {
            let why = format!("no device fits `{}`", self.wanted.substation);
            return because(Reason::NothingToJudge, why);
        }
        if homes.len() < 2 {
            let found = plural(homes.len() as u64, "device");
            let why = format!("{found} at loads fit `{}`, expected two", self.wanted.homes);
            return because(Reason::NothingToJudge, why);
        }
        if let Some(absent) = self.expected.iter().find(|it| !homes.contains(*it)) {
            return because(Reason::NothingToJudge, format!("no household is called `{absent}`"));
        }
        if self.readings.is_too_many {
            let why = "there are more readings than are kept; let meters report less often";
            return because(Reason::TooMany, why.to_owned());
        }
        let intervals = self.readings.intervals();
        let least = (INTERVALS_MIN * homes.len() as f64).ceil() as usize;
        if intervals.count() < least {
            let why = format!(
                "{} of {} s, in which all {} meters report registers, and households their voltage; \
                 expected {least}; {} could not be used",
                plural(intervals.count() as u64, "interval"),
                number(intervals.length_s),
                homes.len() + infeeds.len(),
                intervals.left_out
            );
            return because(Reason::TooFew, why);
        }
        match rank(&intervals, self.class) {
            Some(ranking) => Ok((intervals, ranking)),
            None => because(Reason::TooFew, "the readings do not differ enough".to_owned()),
        }
    }

    fn judge(&self, intervals: &Intervals, ranking: &Ranking) -> Verdict {
        let name = |suspect: &Suspect| intervals.homes[suspect.home].as_str();
        let suspects = || ranking.suspects.iter().filter(|suspect| suspect.is_suspected);
        let found: Vec<&str> = suspects().map(name).collect();
        let expected: Vec<&str> = self.expected.iter().map(String::as_str).collect();
        let unexpected: Vec<&str> =
            found.iter().filter(|it| !expected.contains(it)).copied().collect();
        let missed: Vec<&str> = expected.iter().filter(|it| !found.contains(it)).copied().collect();
        // A suspicion that nobody expects counts whatever else is undecided.
        let is_first = found.first() == expected.first();
        let (reason, first) = if !unexpected.is_empty() {
            (
                Reason::OutsideLimit,
                format!("under suspicion, not expected: {}", unexpected.join(", ")),
            )
        } else if ranking.uncertainty_w > UNCERTAINTY_MAX * ranking.losses_w {
            (Reason::TooFew, "undecided: the losses are not known to a tenth of them".to_owned())
        } else if let Some(open) = self.open(intervals, ranking) {
            (Reason::BetweenBounds, format!("undecided: {open}"))
        } else if !missed.is_empty() {
            (Reason::OutsideLimit, format!("expected, not under suspicion: {}", missed.join(", ")))
        } else if !is_first {
            (Reason::OutsideLimit, format!("first is {}, not {}", found[0], expected[0]))
        } else if found.is_empty() {
            (Reason::WithinLimit, "no household is under suspicion".to_owned())
        } else {
            (Reason::WithinLimit, format!("under suspicion, as expected: {}", found.join(", ")))
        };
        let mut why = first;
        for suspect in
            suspects().chain(ranking.suspects.iter().filter(|it| !it.is_suspected).take(1))
        {
            append(&mut why, format_args!("; {}", evidence(name(suspect), suspect, intervals)));
        }
        append(&mut why, format_args!("; {}", sums(intervals, ranking)));
        let wrong = unexpected.len() + missed.len();
        let wrong = if wrong == 0 && !is_first { 1 } else { wrong };
        let shown = if found.is_empty() { "nobody".to_owned() } else { found.join(", ") };
        Verdict {
            measured: Some(wrong as f64),
            limit: Some(0.0),
            n: intervals.homes.len() as u64,
            told: Some(VerdictText {
                measured: format!("{shown} under suspicion"),
                basis: format!(
                    "{} households, losses {}",
                    intervals.homes.len(),
                    with_share(ranking.losses_w, ranking.uncertainty_w, intervals)
                ),
            }),
            devices: (reason.status() == Status::Fail)
                .then_some(Devices { wrong, judged: intervals.homes.len() }),
            ..self.context.verdict(reason, "1", why)
        }
    }

    /// What is missing and cannot be put down to a household.
    fn open(&self, intervals: &Intervals, ranking: &Ranking) -> Option<String> {
        if let Some(home) = ranking.undecided {
            let place = ranking.suspects.iter().find(|suspect| suspect.home == home)?;
            let missing_w = place.missing_w.abs();
            let name = &intervals.homes[home];
            return Some(if missing_w < ranking.uncertainty_w {
                format!(
                    "`{name}` has a high score, but less is missing than losses are uncertain by"
                )
            } else {
                format!("`{name}` has a high score, and others have one like it")
            });
        }
        let suspects = ranking.suspects.iter().filter(|suspect| suspect.is_suspected);
        let explained: f64 = suspects.map(|suspect| suspect.missing_w).sum();
        let left_w = ranking.unaccounted_w - explained;
        let supplied: f64 = intervals.supplied_w.iter().map(|power| power.abs()).sum();
        let of_meters = self.class * supplied / intervals.count() as f64;
        (left_w.abs() > ranking.uncertainty_w + of_meters).then(|| {
            let left = kwh(left_w, intervals);
            format!("{left} kWh are missing that no household's readings explain")
        })
    }
}

/// A mean power over all intervals, as energy.
fn energy_kwh(power_w: f64, intervals: &Intervals) -> f64 {
    power_w * intervals.length_s * intervals.count() as f64 / 3.6e6
}

fn kwh(power_w: f64, intervals: &Intervals) -> String {
    three_digits(energy_kwh(power_w, intervals))
}

/// `7.93 kWh within 0.31 kWh (3.9 %)`.
fn with_share(power_w: f64, uncertainty_w: f64, intervals: &Intervals) -> String {
    let [power, uncertainty] = [power_w, uncertainty_w].map(|it| kwh(it, intervals));
    let share = three_digits(100.0 * uncertainty_w / power_w.abs());
    format!("{power} kWh within {uncertainty} kWh ({share} %)")
}

fn sums(intervals: &Intervals, ranking: &Ranking) -> String {
    let mean = |series: &[f64]| series.iter().sum::<f64>() / intervals.count() as f64;
    let reported: f64 = intervals.power_w.iter().map(|power| mean(power)).sum();
    let mut text = format!(
        "in {} of {} s {} kWh were supplied and {} kWh reported; technical losses {}; {} kWh \
         unaccounted for",
        plural(intervals.count() as u64, "interval"),
        number(intervals.length_s),
        kwh(mean(&intervals.supplied_w), intervals),
        kwh(reported, intervals),
        with_share(ranking.losses_w, ranking.uncertainty_w, intervals),
        kwh(ranking.unaccounted_w, intervals),
    );
    if intervals.left_out > 0 {
        let left_out = plural(intervals.left_out as u64, "interval");
        append(&mut text, format_args!("; {left_out} could not be used"));
    }
    text
}

/// What a household's error means: what it takes relative to what it reports.
fn evidence(name: &str, suspect: &Suspect, intervals: &Intervals) -> String {
    let factor = 1.0 + suspect.error.0;
    let kind = if !suspect.is_suspected {
        "next in the ranking"
    } else if factor < 0.0 {
        "reports the wrong direction, as by the voltage of another phase"
    } else if factor > 1.0 {
        "reports too little"
    } else {
        "reports too much"
    };
    format!(
        "{name} {kind}: it takes {} times what it reports ({} kWh missing), by the voltages of \
         others {} times; score {}, correlation with what is unaccounted for {}",
        three_digits(factor),
        kwh(suspect.missing_w, intervals),
        three_digits(suspect.ratio.0.exp()),
        three_digits(suspect.score),
        three_digits(suspect.correlation),
    )
}

#[cfg(test)]
mod tests;
