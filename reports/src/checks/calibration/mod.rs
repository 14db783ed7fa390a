//! `calibration`: errors after a calibration within a limit, and before it not.
//!
//! Larger than its budget: it judges both states of a meter, before and after, and draws each.

mod section;

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};
use lastmeter_units::SimTime;

use crate::calibration::{Assessor, Coefficient, ErrorBasis, Estimate, SweepPoint, coefficient_of};
use crate::check::kind::{Check, CheckContext, CheckKind, Needs, RecordTable, Section, finish};
use crate::standard::decide;
use crate::verdict::{At, Reason, Verdict, VerdictText};
use lastmeter_plans::calibration::{Conditions, Stage, Subject};
use lastmeter_record::{Event, Observation, RunFacts, Status};
use lastmeter_text::{number, plural};

const RATIO: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1.0 };

pub(super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "calibration",
        summary: "errors after a calibration within a limit, and before it not",
        description: "Judges the sweeps of `[calibration]`: at each point the mean error of its \
            readings (`figure = \"mean\"`) or their standard deviation (`\"deviation\"`), in % of \
            the reading, or of the full scale where levels are direct. Errors are counted from the \
            truth, or `against = \"reference\"` from what the reference meter reported, as a \
            laboratory has to; its stated uncertainty then enters. |value| <= limit - U passes, \
            |value| > limit + U fails, in between it is too close to call. A calibration that \
            had nothing to do proves nothing: if no error of the sweep before is larger than \
            `before` (`limit` if left out), a pass is inconclusive. `before_range` holds the worst \
            and the least error before to a range, as papers state them.",
        fields: &[
            Field::default(
                "quantities",
                Kind::List(&Kind::Choice(Subject::WORDS)),
                "[\"voltage\", \"current\", \"active_power\"]",
                "what is judged; what the meter is not calibrated in is left out",
            ),
            Field::default(
                "figure",
                Kind::Choice(&["mean", "deviation"]),
                "\"mean\"",
                "mean error of the readings at a point, or their standard deviation",
            ),
            Field::default(
                "over",
                Kind::Choice(&["point", "sweep"]),
                "\"point\"",
                "the readings of each point by themselves, or of the whole sweep together",
            ),
            Field::required("limit", RATIO, "largest value allowed after the calibration"),
            Field::default(
                "against",
                Kind::Choice(ErrorBasis::WORDS),
                "\"truth\"",
                "what errors are counted from",
            ),
            Field::optional(
                "from",
                Kind::Quantity { dimension: Dimension::Current, min: 0.0, max: 1e6 },
                "points of smaller currents are not judged",
            ),
            Field::optional("before", RATIO, "the worst error before is larger than this"),
            Field::default(
                "before_range",
                Kind::List(&RATIO),
                "[]",
                "two values: every error before lies between them",
            ),
        ],
    },
    build,
    tables: &[RecordTable::Observations, RecordTable::Events],
    needs: Needs::Calibration,
    section: Some(Section { place: 20, make: section::section }),
    takes_readings_as_exact: true,
    ..CheckKind::PLAIN
};

struct CalibrationCheck {
    context: CheckContext,
    /// Anew from the start of the run on.
    assessor: Assessor,
    written: Vec<Coefficient>,
    subjects: Vec<Subject>,
    is_deviation: bool,
    is_over_sweep: bool,
    against: ErrorBasis,
    from_a: f64,
    /// The most that an error may be, in percent.
    limit: f64,
    before: Option<f64>,
    before_range: Option<(f64, f64)>,
}

fn build(values: &Values, context: CheckContext, out: &mut Diagnostics) -> Option<Box<dyn Check>> {
    let Some(plan) = context.calibration.clone() else {
        let message = "a check of kind `calibration` needs a `[calibration]` in the scenario";
        let help = Some("write `[calibration]` with `procedure`, `device`, `reference`".to_owned());
        let label = "`[calibration]` is missing";
        out.report_with_help(Code::DOES_NOT_FIT, values.span_of("kind"), message, label, help);
        return None;
    };
    let subjects = values.text_list("quantities").into_iter().filter_map(Subject::from_word);
    let range: Vec<f64> =
        values.si_list("before_range").iter().map(|share| 100.0 * share).collect();
    let before_range = match range[..] {
        [] => None,
        [least, most] if least < most => Some((least, most)),
        _ => {
            let (message, label) = ("a range has two values", "expected the least and the most");
            out.report(Code::DOES_NOT_FIT, values.span_of("before_range"), message, label);
            return None;
        }
    };
    let against = match values.text("against") {
        "reference" => ErrorBasis::Reference,
        _ => ErrorBasis::Truth,
    };
    if against == ErrorBasis::Reference && plan.reference_uncertainty.is_none() {
        let message = format!("`{}` states no uncertainty", plan.reference);
        let label = "nothing can be judged against it";
        let help = Some("use a reference instrument, with `stated_uncertainty`".to_owned());
        let span = values.span_of("against");
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, help);
        return None;
    }
    Some(Box::new(CalibrationCheck {
        subjects: subjects.collect(),
        is_deviation: values.text("figure") == "deviation",
        is_over_sweep: values.text("over") == "sweep",
        against,
        from_a: values.si_opt("from").unwrap_or(0.0),
        limit: 100.0 * values.si("limit"),
        before: values.si_opt("before").map(|share| 100.0 * share),
        before_range,
        assessor: Assessor::new((*plan).clone(), SimTime::default()),
        written: Vec::new(),
        context,
    }))
}

impl Check for CalibrationCheck {
    fn begin(&mut self, facts: &RunFacts) {
        self.assessor = Assessor::new(self.assessor.plan().clone(), facts.start);
    }

    fn observation(&mut self, observation: &Observation<'_>) {
        self.assessor.observation(observation);
    }

    fn event(&mut self, _line: u64, event: &Event) {
        self.written.extend(coefficient_of(event));
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let points = self.assessor.sweeps(self.against);
        let judged: Vec<&SweepPoint> =
            points.iter().filter(|point| self.is_judged(point)).collect();
        finish(self.judge(&judged), facts)
    }
}

impl CalibrationCheck {
    fn is_judged(&self, point: &SweepPoint) -> bool {
        let is_there = match point.conditions {
            Conditions::Sine { current_a, .. } => current_a >= self.from_a,
            Conditions::Direct { .. } => true,
        };
        is_there && self.subjects.contains(&point.subject)
    }

    /// The figure in question, its uncertainty.
    fn of(&self, figure: &Estimate) -> (f64, f64) {
        if self.is_deviation {
            (figure.deviation, figure.deviation_uncertainty)
        } else {
            (figure.error, figure.uncertainty.expanded())
        }
    }

    fn judge(&self, judged: &[&SweepPoint]) -> Verdict {
        let of_stage = |stage: Stage| {
            judged.iter().filter(move |point| point.stage == stage).copied().collect::<Vec<_>>()
        };
        let (before, after) = (of_stage(Stage::Before), of_stage(Stage::After));
        let missing = judged.iter().filter(|point| point.figure.is_none()).count();
        let figures = self.figures(&after);
        let mut worst: Option<(&str, &Estimate, Status)> = None;
        let n = after.iter().filter(|point| point.figure.is_some()).count() as u64;
        let mut outside = 0_u64;
        for (place, figure) in &figures {
            let (value, uncertainty) = self.of(figure);
            let status = decide(value.abs(), uncertainty, self.limit);
            outside += u64::from(status == Status::Fail);
            let is_worse = worst.is_none_or(|(_, other, other_status)| {
                status.cmp(&other_status).then(value.abs().total_cmp(&self.of(other).0.abs()))
                    == std::cmp::Ordering::Greater
            });
            if is_worse {
                worst = Some((place, figure, status));
            }
        }
        let Some((place, figure, status)) = worst else {
            let why = "no point of the sweep after was measured";
            return self.context.verdict(Reason::NothingToJudge, "%", why);
        };
        let (value, uncertainty) = self.of(figure);
        let shown = format!("{} ± {} %", number(value), number(uncertainty));
        let mut why = format!("{place}: {shown}, limit {} %", number(self.limit));
        let mut reason = Reason::of(status);
        if outside > 1 {
            why = format!("{outside} of {} values outside; {why}", figures.len());
        }
        // A doubt takes the place of a better verdict only: a fail stays one.
        for (doubt, text) in self.doubts(&before, missing) {
            if reason.status() <= doubt.status() {
                reason = doubt;
                why = format!("{text}; otherwise {why}");
            } else {
                why = format!("{why}; {text}");
            }
        }
        if let Some(text) = self.unwritten() {
            why = format!("{why}; {text}");
        }
        let basis = format!("{}, {}", plural(n, "point"), self.describe_before(&before));
        let mut verdict = self.context.verdict(reason, "%", why);
        verdict.n = n;
        verdict.measured = Some(value.abs());
        verdict.limit = Some(self.limit);
        verdict.told = Some(VerdictText { measured: shown, basis });
        verdict.at =
            Some(At { device: Some(self.assessor.plan().device.clone()), ..At::default() });
        verdict
    }

    /// What is judged, and where it was: each point, or each quantity over all of them.
    fn figures(&self, points: &[&SweepPoint]) -> Vec<(String, Estimate)> {
        let measured = points.iter().filter_map(|point| Some((point, point.figure?)));
        if !self.is_over_sweep {
            let place = |point: &SweepPoint| {
                format!("{} at {}", point.subject.word(), describe(&point.conditions))
            };
            return measured.map(|(point, figure)| (place(point), figure)).collect();
        }
        let of = |subject: Subject| {
            let mine = measured.clone().filter(|(point, _)| point.subject == subject);
            let mine: Vec<Estimate> = mine.map(|(_, figure)| figure).collect();
            Some((format!("{} over the sweep", subject.word()), Estimate::together(&mine)?))
        };
        Subject::ALL.into_iter().filter_map(of).collect()
    }

    /// What keeps a pass from being one.
    fn doubts(&self, before: &[&SweepPoint], missing: usize) -> Vec<(Reason, String)> {
        let mut doubts = Vec::new();
        if missing > 0 {
            let text = format!("{} without enough readings", plural(missing as u64, "point"));
            doubts.push((Reason::Incomplete, text));
        }
        if self.is_deviation {
            return doubts;
        }
        let errors = before.iter().filter_map(|point| Some(point.figure.as_ref()?.error.abs()));
        let errors: Vec<f64> = errors.collect();
        let worst = errors.iter().copied().fold(0.0, f64::max);
        let least = self.before.unwrap_or(self.limit);
        if worst <= least {
            let text = format!(
                "before the calibration no error was larger than {} %, which shows nothing",
                number(least)
            );
            doubts.push((Reason::ShowsNothing, text));
        }
        if let Some((least, most)) = self.before_range {
            let out = errors.iter().filter(|error| **error < least || **error > most).count();
            if out > 0 {
                let text = format!(
                    "before the calibration {out} of {} errors were outside {} to {} %",
                    errors.len(),
                    number(least),
                    number(most)
                );
                doubts.push((Reason::OutsideLimit, text));
            }
        }
        doubts
    }

    /// What the errors were before, beside what they may have been.
    fn describe_before(&self, before: &[&SweepPoint]) -> String {
        let figures = before.iter().filter_map(|point| point.figure.as_ref());
        let figures = figures.map(|figure| self.of(figure).0.abs());
        let worst = figures.clone().fold(0.0, f64::max);
        match self.before_range.filter(|_| !self.is_deviation && !before.is_empty()) {
            None => format!("before up to {} %", number(worst)),
            Some((least, most)) => format!(
                "before {} to {} %, allowed {} to {} %",
                number(figures.fold(f64::INFINITY, f64::min)),
                number(worst),
                number(least),
                number(most)
            ),
        }
    }

    /// Which registers did not take what was computed.
    fn unwritten(&self) -> Option<String> {
        let is_taken = |written: &Coefficient| written.response.starts_with(&written.register);
        let refused: Vec<&str> = self
            .written
            .iter()
            .filter(|written| !is_taken(written))
            .map(|written| written.register.as_str())
            .collect();
        if self.written.is_empty() {
            return Some("no coefficient was computed".to_owned());
        }
        (!refused.is_empty()).then(|| format!("not written: {}", refused.join(", ")))
    }
}

pub(crate) fn describe(conditions: &Conditions) -> String {
    match conditions {
        Conditions::Sine { current_a, lag_rad, .. } => {
            let power_factor = (1e6 * libm::cos(*lag_rad)).round() / 1e6;
            format!("{} A, PF {}", number(*current_a), number(power_factor))
        }
        Conditions::Direct { level } => {
            format!("{} % of full scale", number((1e6 * 100.0 * level).round() / 1e6))
        }
    }
}

#[cfg(test)]
mod tests;
