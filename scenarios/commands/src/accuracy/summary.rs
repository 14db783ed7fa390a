//! What `lastmeter accuracy` prints: lines for people, a document for programs.

use std::fmt::Write as _;
use std::path::Path;

use lastmeter_language::Scenario;
use lastmeter_plans::standard::{Connection, Skip, value_text};
use lastmeter_record::Status;
use lastmeter_reports::standard::{Assessed, Item, Missing, TestResult, with_uncertainty};
use lastmeter_reports::{Because, Evaluation, ExitCode};
use lastmeter_text::{number, plural};
use lastmeter_units::MeasurementId;
use serde_json::{Value, json};

use super::options::AccuracyOptions;
use super::ratings::Ratings;

/// The worst points that are listed.
const WORST_MAX: usize = 5;

/// Who was put to what, and what the meter is rated for.
pub(super) fn headline(
    scenario: &Scenario,
    options: &AccuracyOptions,
    assessed: &Assessed,
    ratings: &Ratings,
) -> String {
    let plan = &assessed.plan;
    let head = format!(
        "lastmeter {}  {}  {}  class {}  {}  {}, {} event time",
        env!("CARGO_PKG_VERSION"),
        options.meter,
        plan.test_plan.title,
        plan.test_plan.classes[plan.claim.class],
        plan.claim.connection.word(),
        plural(plan.points.len(), "point"),
        scenario.schedule.duration,
    );
    let claim = &plan.claim;
    let nominal = if claim.connection == Connection::Direct { "Ib" } else { "In" };
    let values = [
        format!("Un {} V", number(claim.voltage)),
        format!("{nominal} {} A", number(claim.current)),
        format!("Imax {} A", number(claim.maximum)),
        format!("fn {} Hz", number(claim.frequency)),
    ];
    let rated =
        values.iter().zip(ratings.origins()).map(|(value, from)| format!("{value} ({from})"));
    format!("{head}\n  rated {}", rated.collect::<Vec<_>>().join(", "))
}

/// Class verdict, tests and worst points for people.
pub(super) fn describe(assessed: &Assessed, color: bool) -> String {
    let test_plan = &assessed.plan.test_plan;
    let mut text = String::new();
    let mut line = |args: std::fmt::Arguments<'_>| {
        let _ = writeln!(text, "{args}");
    };
    for class in assessed.summary() {
        let status = painted(class.status, color);
        line(format_args!("{status}  class {}: {}", class.class, class.text));
    }
    line(format_args!(""));
    let rows: Vec<[String; 5]> =
        assessed.claimed().tests.iter().map(|test| row(assessed, test)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths = [0, 1, 2, 3].map(|column| width(column).unwrap_or(0));
    for (row, result) in rows.iter().zip(&assessed.claimed().tests) {
        let status = painted(doubted(assessed, result.status), color);
        let [name, worst, limit, points, place] = row;
        line(format_args!(
            "{status}  {name:0$}  {worst:>1$}  {limit:>2$}  {points:>3$}  {place}",
            widths[0], widths[1], widths[2], widths[3],
        ));
    }
    // Skipped tests stand among the tests already.
    let missing = missing_clauses(assessed);
    let width = missing.iter().map(|one| one.name.chars().count()).max().unwrap_or(0);
    for one in &missing {
        let status = painted(Status::Skipped, color);
        let (name, place, why) = (&one.name, one.place(), one.why());
        line(format_args!("{status}  {name:width$}  clause {place} is not in the suite: {why}"));
    }
    let mut worst: Vec<(&str, &Item)> = assessed
        .claimed()
        .tests
        .iter()
        .flat_map(|test| {
            let name = test_plan.tests[test.test].name.as_str();
            test.items.iter().map(move |item| (name, item))
        })
        .collect();
    worst.sort_by(|a, b| b.1.status.cmp(&a.1.status).then(b.1.share().total_cmp(&a.1.share())));
    if !worst.is_empty() {
        line(format_args!("\nWorst points, by the share of the limit they use:"));
    }
    for (name, item) in worst.into_iter().take(WORST_MAX) {
        let share = 100.0 * item.share();
        line(format_args!("  {share:5.1} %  {name}, {}", assessed.describe_item(item)));
    }
    text
}

/// The clauses that the claimed class asks for and the test plan does not have.
fn missing_clauses(assessed: &Assessed) -> Vec<Missing> {
    let test_plan = &assessed.plan.test_plan;
    let mut missing = assessed.claimed().missing(&assessed.plan);
    missing.retain(|one| test_plan.missing_clauses.iter().any(|clause| clause.name == one.name));
    missing
}

/// Name, worst figure, limit, number of points, and where the worst was or why there is none.
fn row(assessed: &Assessed, result: &TestResult) -> [String; 5] {
    let test = &assessed.plan.test_plan.tests[result.test];
    let name = test.name.clone();
    let points = match result.items.len() {
        0 => String::new(),
        count => plural(count, "point"),
    };
    let Some(worst) = result.worst() else {
        let why = result.skipped.as_ref().map_or("", Skip::reason).to_owned();
        return [name, String::new(), String::new(), points, why];
    };
    let confirmed = test.limits[worst.planned.limit].confirmed;
    let qualification = if confirmed { "" } else { "  (limit unconfirmed)" };
    let place = worst.planned.coordinates.describe(&assessed.plan.test_plan);
    match &worst.figures {
        None => [name, String::new(), String::new(), points, format!("{place}: {}", worst.why)],
        Some(figures) => [
            name,
            with_uncertainty(worst),
            format!("limit {}", value_text(worst.planned.figure, &figures.unit)),
            points,
            format!("{place}{qualification}"),
        ],
    }
}

/// As the verdicts have it: what the run leaves in doubt passes nothing.
fn doubted(assessed: &Assessed, status: Status) -> Status {
    match status {
        Status::Skipped => status,
        status => assessed.claimed().doubt(status).map_or(status, Because::status),
    }
}

fn painted(status: Status, color: bool) -> String {
    use anstyle::{AnsiColor, Style};
    let label = format!("{:>7}", status.label());
    let style = match status {
        Status::Pass => AnsiColor::Green.on_default(),
        Status::Skipped => Style::new(),
        Status::Inconclusive => AnsiColor::Yellow.on_default(),
        Status::Fail | Status::Error => AnsiColor::Red.on_default(),
    };
    if color { format!("{style}{label}{style:#}") } else { label }
}

/// Everything, for programs.
pub(super) fn document(
    assessed: &Assessed,
    evaluation: &Evaluation,
    exit: ExitCode,
    out: &Path,
    ratings: &Ratings,
) -> Value {
    let plan = &assessed.plan;
    let test_plan = &plan.test_plan;
    let classes: Vec<Value> = assessed
        .summary()
        .into_iter()
        .map(|class| {
            json!({
                "class": class.class, "status": class.status, "told": class.text,
                "qualification": class.qualification, "missing": class.missing,
            })
        })
        .collect();
    let tests: Vec<Value> = assessed
        .claimed()
        .tests
        .iter()
        .map(|result| {
            let test = &test_plan.tests[result.test];
            json!({
                "name": test.name, "title": test.title, "evaluate": test.evaluate.word(),
                "quantity": test.quantity, "status": doubted(assessed, result.status),
                "skipped": result.skipped.as_ref().map(Skip::reason),
                "points": result.items.iter().map(|i| point(assessed, result.test, i))
                    .collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "format_version": 1,
        "suite": test_plan.name,
        "edition": test_plan.edition,
        "class": test_plan.classes[plan.claim.class],
        "connection": plan.claim.connection.word(),
        "ratings": {
            "nominal_voltage_v": plan.claim.voltage,
            "nominal_current_a": plan.claim.current,
            "maximum_current_a": plan.claim.maximum,
            "frequency_hz": plan.claim.frequency,
            "from": ratings.document(),
        },
        "status": evaluation.status(),
        "exit": exit.number(),
        "classes": classes,
        "tests": tests,
        "missing_clauses": missing_clauses(assessed),
        "folder": out,
    })
}

fn point(assessed: &Assessed, test: usize, item: &Item) -> Value {
    let test_plan = &assessed.plan.test_plan;
    let limit = &test_plan.tests[test].limits[item.planned.limit];
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    let figures = item.figures.as_ref();
    json!({
        "at": item.planned.coordinates.describe(test_plan),
        "status": item.status,
        "figure": figures.and_then(|figures| finite(figures.value)),
        "unit": figures.map(|figures| figures.unit.clone()),
        "limit": item.planned.figure.value(),
        "uncertainty": figures.and_then(|figures| finite(figures.budget.expanded())),
        "reported": figures.and_then(|figures| finite(figures.reported)),
        "reference": figures.and_then(|figures| finite(figures.reference)),
        "quantity": figures.and_then(|figures| figures.quantity).map(MeasurementId::name),
        "readings": figures.map(|figures| figures.readings),
        "clause": limit.clause,
        "edition": limit.edition,
        "confirmed": limit.confirmed,
        "source": limit.source,
        "why": item.why,
    })
}
