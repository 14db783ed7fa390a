//! The candidates of a fault on the feeder, along its lines, and where it was.

use lastmeter_record::Event;
use lastmeter_text::{append, plural};
use lastmeter_units::SimTime;
use serde_json::Value;

use super::super::Concluded;
use super::super::missed::LineFault;
use super::drawing::{Drawing, Supply};
use super::plan::Plan;
use super::{Pictures, first};
use crate::render::figure::{Csv, Figure, Picture};
use crate::render::page::clock;

/// More faults than these are in the table only.
const FAULTS_MAX: usize = 8;

/// A place on a line.
pub(crate) struct Place {
    pub(crate) line: String,
    along_m: f64,
    /// The share of the line's length, where no metres are stated.
    share: Option<f64>,
    /// From the station along the lines; not a number where the plant does not know that.
    pub(crate) distance_m: f64,
}

impl Place {
    fn of(value: &Value) -> Option<Self> {
        let number = |key: &str| value[key].as_f64();
        let line = value["line"].as_str()?.to_owned();
        let along_m = number("along_m")?;
        let distance_m = number("distance_m").unwrap_or(f64::NAN);
        Some(Self { line, along_m, share: None, distance_m })
    }

    pub(crate) fn text(&self) -> String {
        if self.distance_m.is_nan() {
            return self.line.clone();
        }
        format!("{}, {:.0} m", self.line, self.distance_m)
    }

    /// Where it is in a picture; `None` if the line is not there or has no length.
    fn at(&self, plan: &Plan, drawing: &Drawing<'_>) -> Option<(f64, f64)> {
        let line = plan.network.lines.iter().find(|line| *line.name == *self.line)?;
        let length_m = line.length_m.filter(|length_m| *length_m > 0.0)?;
        let ends = (line.from.node.index(), line.to.node.index());
        drawing.on_line(ends, self.share.unwrap_or(self.along_m / length_m))
    }
}

/// A fault as an application located it.
pub(crate) struct Located {
    application: String,
    pub(crate) subject: String,
    pub(crate) made: SimTime,
    pub(crate) conductors: String,
    /// How far it is by simple reactance, Takagi and the modified one.
    pub(crate) formulas: String,
    /// Each with its likelihood, best first.
    pub(crate) candidates: Vec<(Place, f64)>,
    pub(crate) truth: Option<Place>,
    pub(crate) deviations_m: Vec<f64>,
    /// Whether no application located it.
    is_missed: bool,
}

#[derive(Default)]
pub(crate) struct Places(pub(crate) Vec<Located>);

impl Places {
    pub(super) fn take(&mut self, event: &Event) {
        let Some(result) = Concluded::of(event, "fault") else { return };
        let list = result.content("candidates").and_then(Value::as_array).into_iter().flatten();
        let candidates = list.filter_map(|it| Some((Place::of(it)?, it["likelihood"].as_f64()?)));
        let formula = |name: &str| {
            let metres = result.content(name).and_then(Value::as_f64);
            metres.map_or_else(|| "-".to_owned(), |metres| format!("{metres:.0} m"))
        };
        let formulas = ["reactance_m", "takagi_m", "modified_takagi_m"].map(formula);
        let conductors = result.content("loop").and_then(Value::as_str).unwrap_or("-");
        self.0.push(Located {
            application: result.application.to_owned(),
            subject: result.subject.to_owned(),
            made: result.made,
            conductors: conductors.to_owned(),
            formulas: formulas.join(" / "),
            candidates: candidates.collect(),
            truth: event.get(lastmeter_record::field::TRUTH).and_then(Place::of),
            deviations_m: result.deviations_m(),
            is_missed: false,
        });
    }

    /// Adds a fault that nobody located.
    pub(super) fn add_missed(&mut self, fault: &LineFault) {
        let along_m = fault.along_m.unwrap_or(f64::NAN);
        let share = fault.along_m.is_none().then_some(fault.share);
        let truth = Place { line: fault.line.clone(), along_m, share, distance_m: f64::NAN };
        self.0.push(Located {
            application: "nobody".to_owned(),
            subject: "not located".to_owned(),
            made: fault.at,
            conductors: fault.conductors.clone(),
            formulas: String::new(),
            candidates: Vec::new(),
            truth: Some(truth),
            deviations_m: Vec::new(),
            is_missed: true,
        });
    }

    /// Draws those that are farthest off, in order of time.
    pub(super) fn pictures(
        &self,
        plan: &Plan,
        start: SimTime,
        figures: &mut Vec<Figure>,
        all: &mut Pictures,
    ) {
        let is_drawn = |it: &&Located| !it.candidates.is_empty() || it.is_missed;
        let mut located = self.0.iter().filter(is_drawn).peekable();
        if located.peek().is_none() {
            return;
        }
        if plan.network.lines.iter().any(|line| line.length_m.is_none()) {
            let why = "Some lines have no length, so no place on them can be drawn.";
            all.place_notes.push(why.to_owned());
            return;
        }
        let off_m = |it: &Located| it.deviations_m.first().copied().unwrap_or(f64::INFINITY);
        let by_distance = |one: &Located, other: &Located| off_m(other).total_cmp(&off_m(one));
        let (drawn, left_out) = first(located, FAULTS_MAX, by_distance);
        for (number, located) in (1..).zip(drawn) {
            all.places.push(picture(plan, located, (number, start), figures));
        }
        if left_out > 0 {
            let faults = plural(left_out, "fault");
            all.place_notes.push(format!("{faults} that were located more closely are not drawn."));
        }
    }
}

fn picture(
    plan: &Plan,
    located: &Located,
    (number, start): (usize, SimTime),
    figures: &mut Vec<Figure>,
) -> Picture {
    let Located { application, subject, conductors, .. } = located;
    let title = format!("{application}, {subject}: {conductors}");
    let mut drawing = Drawing::new(plan, &plan.tree.along_m, &title);
    drawing.tree(|_| Supply::Whole);
    let mut csv = Csv::new("place,line,rank,along_m,distance_m,likelihood");
    let at = clock((located.made - start).as_seconds_f64());
    let mut caption = format!("at {at}");
    if let Some(truth) = &located.truth {
        if let Some(place) = truth.at(plan, &drawing) {
            drawing.ring(place, &format!("where it was: {}", truth.text()));
        }
        let numbers = [f64::NAN, truth.along_m, truth.distance_m, f64::NAN];
        csv.line(&["true", &truth.line], &numbers);
        append(&mut caption, format_args!("; it was on {}", truth.text()));
    }
    for (rank, (candidate, likelihood)) in (1..).zip(&located.candidates) {
        if let Some(place) = candidate.at(plan, &drawing) {
            let title = format!("candidate {rank}: {}", candidate.text());
            drawing.candidate(place, rank, *likelihood, &title);
        }
        let numbers = [rank as f64, candidate.along_m, candidate.distance_m, *likelihood];
        csv.line(&["candidate", &candidate.line], &numbers);
    }
    if located.is_missed {
        caption.push_str("; located by no application");
    }
    if let Some((first, _)) = located.candidates.first() {
        append(&mut caption, format_args!("; first candidate {}", first.text()));
    }
    drawing.metres();
    let figure = Figure::drawn(format!("fault-{number}-places"), drawing.finish(), csv.finish());
    Picture::of(figure, title, caption, figures)
}
