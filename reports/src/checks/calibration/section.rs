//! The part of a report about a calibration: what was written into which register, and the errors
//! of the sweeps before and after, from the run folder alone.

use lastmeter_chart::{Axis, Chart, Colour, Figures, INK, Panel};
use serde::Serialize;

use super::describe;
use crate::calibration::{Assessor, Coefficient, ErrorBasis, SweepPoint, coefficient_of};
use crate::check::kind::{SectionHtml, SectionInput};
use crate::error::RenderError;
use crate::render::figure::{Csv, Figure, Picture};
use crate::render::page::Fact;
use crate::render::template::fill;
use lastmeter_plans::calibration::{Conditions, Plan, Procedure, Stage, Subject};
use lastmeter_text::number;

const TEMPLATE: &str = include_str!("section.html");

/// The paper's figures, for comparison.
const PUBLISHED_STATIC: &str = "published (low-cost ARM meter paper, 7.2): deviations before 0.1 to \
    0.8 %, after compensation mean error below 0.05 %, standard deviation below 0.03 %";
const PUBLISHED_PLUG: &str = "published (last-meter paper): accuracy after calibration 1.1 %";

#[derive(Serialize)]
struct Section {
    facts: Vec<Fact>,
    published: &'static str,
    registers: Vec<Row>,
    pictures: Vec<Picture>,
    summary: Vec<Summary>,
    points: Vec<PointRow>,
    is_direct: bool,
    links: String,
}

/// A register in the table of coefficients.
#[derive(Serialize)]
struct Row {
    step: String,
    register: String,
    meaning: String,
    word_before: String,
    before: String,
    wanted: String,
    word: String,
    after: String,
    left: String,
    taken: bool,
    response: String,
}

/// One subject, before and after.
#[derive(Serialize)]
struct Summary {
    subject: &'static str,
    before: String,
    after: String,
    deviation: String,
    against_reference: String,
}

/// One subject at one point.
#[derive(Serialize)]
struct PointRow {
    subject: &'static str,
    place: String,
    before: String,
    deviation_before: String,
    after: String,
    uncertainty: String,
    deviation_after: String,
    seen: String,
}

/// A point of both sweeps.
struct Pair<'a> {
    before: &'a SweepPoint,
    after: &'a SweepPoint,
    /// After, against the reference meter.
    seen: Option<&'a SweepPoint>,
}

/// The section; `None` if the run has no calibration.
pub(super) fn section(
    input: &SectionInput<'_>,
    figures: &mut Vec<Figure>,
) -> Result<Option<SectionHtml>, RenderError> {
    let Some(plan) = &input.scenario.calibration else { return Ok(None) };
    let reader = input.reader;
    let mut assessor = Assessor::new((**plan).clone(), reader.facts().start);
    // What cannot be read of the record is left out: the verdicts report it.
    let mut rows = reader.observations()?;
    while let Ok(Some(row)) = rows.next_row() {
        assessor.observation(&row);
    }
    let events = reader.events()?;
    let registers: Vec<Coefficient> =
        events.map_while(Result::ok).filter_map(|(_, event)| coefficient_of(&event)).collect();
    let plan = assessor.plan();
    let (truth, seen) =
        (assessor.sweeps(ErrorBasis::Truth), assessor.sweeps(ErrorBasis::Reference));
    let pairs = pairs(&truth, &seen);
    let tables = [
        Figure::table("calibration-registers", registers_csv(&registers)),
        Figure::table("calibration-points", points_csv(&pairs)),
    ];
    let links = tables.map(|table| table.keep(figures)).join(" · ");
    let subjects = Subject::ALL.into_iter();
    let subjects: Vec<Subject> = subjects
        .filter(|subject| pairs.iter().any(|pair| pair.before.subject == *subject))
        .collect();
    let mut pictures = Vec::new();
    for subject in &subjects {
        let of: Vec<&Pair<'_>> =
            pairs.iter().filter(|pair| pair.before.subject == *subject).collect();
        pictures.push(picture(*subject, &of, true, figures));
        pictures.push(picture(*subject, &of, false, figures));
    }
    let section = Section {
        facts: facts(plan),
        published: match plan.procedure {
            Procedure::Static => PUBLISHED_STATIC,
            Procedure::EnergyChip => PUBLISHED_PLUG,
        },
        registers: registers.iter().map(row).collect(),
        pictures,
        summary: subjects.iter().map(|subject| summary(*subject, &pairs)).collect(),
        points: pairs.iter().map(point_row).collect(),
        is_direct: plan.procedure == Procedure::Static,
        links,
    };
    Ok(Some(fill("calibration.html", TEMPLATE, &section)?.into()))
}

fn facts(plan: &Plan) -> Vec<Fact> {
    let stated = plan.reference_uncertainty;
    let stated =
        stated.map_or_else(|| "nothing".to_owned(), |u| format!("{} %", number(100.0 * u)));
    vec![
        Fact::new(
            "procedure",
            match plan.procedure {
                Procedure::EnergyChip => "energy chip: gains, phase, offsets",
                Procedure::Static => "static: least squares over levels",
            },
        ),
        Fact::new("meter", plan.device.clone()),
        Fact::new("reference meter", plan.reference.clone()),
        Fact::new("it states (k = 2)", stated),
        Fact::new("readings at each point", plan.readings.to_string()),
    ]
}

fn pairs<'a>(truth: &'a [SweepPoint], seen: &'a [SweepPoint]) -> Vec<Pair<'a>> {
    let same = |a: &SweepPoint, b: &SweepPoint| {
        a.subject == b.subject && a.conditions == b.conditions && b.stage == Stage::After
    };
    let before = truth.iter().filter(|point| point.stage == Stage::Before);
    let pairs = before.filter_map(|before| {
        let after = truth.iter().find(|after| same(before, after))?;
        Some(Pair { before, after, seen: seen.iter().find(|seen| same(before, seen)) })
    });
    pairs.collect()
}

fn row(written: &Coefficient) -> Row {
    let unit = if written.unit == "1" { String::new() } else { format!(" {}", written.unit) };
    let shown = |value: f64| format!("{}{unit}", exact(value));
    Row {
        step: written.step.clone(),
        register: written.register.clone(),
        meaning: written.meaning.clone(),
        word_before: written.before.0.clone(),
        before: shown(written.before.1),
        wanted: shown(written.wanted),
        word: written.after.0.clone(),
        after: shown(written.after.1),
        left: format!("{}{unit}", number(written.after.1 - written.wanted)),
        taken: written.response.starts_with(&written.register),
        response: written.response.clone(),
    }
}

/// With the digits of a register of 24 bits.
fn exact(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 1e-3 => format!("{value:.4e}"),
        _ => format!("{value:.7}"),
    }
}

fn of(point: &SweepPoint, value: impl Fn(&crate::calibration::Estimate) -> f64) -> String {
    point.figure.as_ref().map_or_else(|| "-".to_owned(), |figure| number(value(figure)))
}

fn summary(subject: Subject, pairs: &[Pair<'_>]) -> Summary {
    let worst = |values: Vec<f64>| match values[..] {
        [] => "-".to_owned(),
        _ => format!("{} %", number(values.into_iter().fold(0.0, f64::max))),
    };
    let mine = || pairs.iter().filter(move |pair| pair.before.subject == subject);
    let figures = |of: fn(&Pair<'_>) -> Option<f64>| mine().filter_map(of).collect::<Vec<_>>();
    Summary {
        subject: subject.word(),
        before: worst(figures(|pair| Some(pair.before.figure.as_ref()?.error.abs()))),
        after: worst(figures(|pair| Some(pair.after.figure.as_ref()?.error.abs()))),
        deviation: worst(figures(|pair| Some(pair.after.figure.as_ref()?.deviation))),
        against_reference: worst(figures(|pair| Some(pair.seen?.figure.as_ref()?.error.abs()))),
    }
}

fn point_row(pair: &Pair<'_>) -> PointRow {
    PointRow {
        subject: pair.before.subject.word(),
        place: describe(&pair.before.conditions),
        before: of(pair.before, |figure| figure.error),
        deviation_before: of(pair.before, |figure| figure.deviation),
        after: of(pair.after, |figure| figure.error),
        uncertainty: of(pair.after, |figure| figure.uncertainty.expanded()),
        deviation_after: of(pair.after, |figure| figure.deviation),
        seen: pair.seen.map_or_else(|| "-".to_owned(), |seen| of(seen, |figure| figure.error)),
    }
}

fn points_csv(pairs: &[Pair<'_>]) -> String {
    let mut csv = Csv::new(
        "quantity,point,reported_before,error_before_percent,deviation_before_percent,\
         reported_after,error_after_percent,uncertainty_after_percent,deviation_after_percent,\
         error_after_against_reference_percent",
    );
    for pair in pairs {
        let (Some(before), Some(after)) = (&pair.before.figure, &pair.after.figure) else {
            continue;
        };
        let seen = pair.seen.and_then(|seen| seen.figure.as_ref());
        let numbers = [
            before.reported,
            before.error,
            before.deviation,
            after.reported,
            after.error,
            after.uncertainty.expanded(),
            after.deviation,
            seen.map_or(f64::NAN, |figure| figure.error),
        ];
        csv.line(&[pair.before.subject.word(), &describe(&pair.before.conditions)], &numbers);
    }
    csv.finish()
}

fn registers_csv(registers: &[Coefficient]) -> String {
    let mut csv =
        Csv::new("step,register,meaning,unit,word_before,word,response,before,wanted,after");
    for written in registers {
        let texts = [
            &written.step,
            &written.register,
            &written.meaning,
            &written.unit,
            &written.before.0,
            &written.after.0,
            &written.response,
        ];
        let texts = texts.map(String::as_str);
        csv.line(&texts, &[written.before.1, written.wanted, written.after.1]);
    }
    csv.finish()
}

/// A curve: its name and its points, `x`, error, uncertainty.
type Curve = (String, Vec<(f64, f64, f64)>);

/// Where a point stands along the flat axis, and to which curve it belongs.
fn place(conditions: &Conditions) -> (f64, String) {
    match conditions {
        Conditions::Sine { current_a, lag_rad, .. } => {
            let power_factor = (1e6 * libm::cos(*lag_rad)).round() / 1e6;
            (*current_a, format!("PF {}", number(power_factor)))
        }
        Conditions::Direct { level } => (100.0 * level, String::new()),
    }
}

fn picture(
    subject: Subject,
    pairs: &[&Pair<'_>],
    has_before: bool,
    figures: &mut Vec<Figure>,
) -> Picture {
    let mut curves: Vec<Curve> = Vec::new();
    let mut csv = Csv::new("curve,x,error_percent,uncertainty_percent");
    let stages: &[&str] = if has_before { &["before", "after"] } else { &["after"] };
    for stage in stages {
        for pair in pairs {
            let point = if *stage == "before" { pair.before } else { pair.after };
            let Some(figure) = &point.figure else { continue };
            let (x, curve) = place(&point.conditions);
            let name = format!("{stage} {curve}").trim_end().to_owned();
            let at = curves.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
                curves.push((name.clone(), Vec::new()));
                curves.len() - 1
            });
            let uncertainty = figure.uncertainty.expanded();
            csv.line(&[&name], &[x, figure.error, uncertainty]);
            curves[at].1.push((x, figure.error, uncertainty));
        }
    }
    let title = format!("{}, {}", subject.word().replace('_', " "), stages.join(" and "));
    let is_direct =
        pairs.iter().any(|pair| matches!(pair.before.conditions, Conditions::Direct { .. }));
    let word = if has_before { "before-after" } else { "after" };
    let name = format!("calibration-{}-{word}", subject.word().replace('_', "-"));
    let figure = Figure::drawn(name, svg(&title, &curves, is_direct), csv.finish());
    let caption = format!(
        "mean error in % of {}; bars: expanded uncertainty (k = 2)",
        if is_direct { "full scale" } else { "the reading" }
    );
    Picture::of(figure, title, caption, figures)
}

fn svg(title: &str, curves: &[Curve], is_direct: bool) -> String {
    let all = || curves.iter().flat_map(|(_, points)| points.iter());
    let reaches = all().map(|(_, error, uncertainty)| error.abs() + uncertainty);
    let (first, last) =
        all().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), (x, ..)| (a.min(*x), b.max(*x)));
    // Without a point there is nothing but an empty frame.
    let (first, last) = if first <= last { (first, last) } else { (1.0, 10.0) };
    let flat = if is_direct {
        Axis::linear(first, last, Figures::Plain).named("level in % of full scale")
    } else {
        let current = Axis::logarithmic_around(first, last, Figures::Prefixed("A"));
        current.named("current, log scale")
    };
    let upright = Axis::symmetric(reaches, Figures::Plain).named("error in %");
    let (mut panel, mut chart) =
        (Panel::new(flat, upright, 200.0), Chart::new(format!("error: {title}")));
    panel.rule(0.0, "", INK, "");
    for (place, (name, points)) in curves.iter().enumerate() {
        chart = chart.with_key(Colour::of_curve(place), name);
        panel.errors(points, Colour::of_curve(place));
    }
    chart.with_panel(panel).svg()
}
