//! Baselines: values of runs in a TOML file, each with what it may change by.
//!
//! ```toml
//! format = 1
//!
//! [[scenario]]
//! name = "first-light"
//! time = "virtual"
//! seed = 1
//!
//! [[scenario.metric]]
//! name = "check voltage"
//! status = "pass"
//! unit = "%"
//! limit = 0.1
//! value = 0.0423
//! relative_percent = 1.0
//! absolute = 0.0001
//! ```
//!
//! In real time `runs` has the value of each run, `value` is their median, and `judged_runs` and
//! `failed_runs` count the runs in which a check was judged, and failed.

use std::ops::Range;
use std::path::Path;

use lastmeter_record::{Status, TimeMode};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::metric::Metric;
use super::side::{Group, Side};
use crate::gate::median;

const FORMAT: u32 = 1;

const HEAD: &str = "\
# A baseline of `lastmeter compare`, written from runs. A value is worse if it changes by more than
# both of its tolerances: `relative_percent` of itself, and `absolute` in its unit. Edit both.

";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File<N> {
    format: N,
    scenario: Vec<ScenarioTable>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScenarioTable {
    name: Spanned<String>,
    time: TimeMode,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    metric: Vec<MetricTable>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricTable {
    name: Spanned<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    judged_runs: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_runs: Option<usize>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    unit: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_low: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Spanned<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runs: Option<Spanned<Vec<f64>>>,
    relative_percent: Spanned<f64>,
    absolute: Spanned<f64>,
}

/// Without a place: what is written has none yet.
fn unplaced<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}

impl MetricTable {
    fn of(metric: &Metric, time: TimeMode) -> Self {
        let tolerance = metric.tolerance();
        let is_real = time == TimeMode::Real;
        let counts = is_real && metric.status.is_some();
        let value = match metric.values.first() {
            Some(_) if is_real => Some(median(&metric.values)),
            first => first.copied(),
        };
        Self {
            name: unplaced(metric.name.clone()),
            status: metric.status,
            judged_runs: counts.then_some(metric.judged),
            failed_runs: counts.then_some(metric.failed),
            unit: metric.unit.clone(),
            limit: metric.limit,
            limit_low: metric.limit_low,
            value: value.map(unplaced),
            runs: (is_real && value.is_some()).then(|| unplaced(metric.values.clone())),
            relative_percent: unplaced(100.0 * tolerance.relative),
            absolute: unplaced(tolerance.absolute),
        }
    }

    fn metric(self) -> Metric {
        let one = self.value.map(Spanned::into_inner).into_iter().collect();
        let judged = usize::from(self.status.is_some());
        Metric {
            name: self.name.into_inner(),
            unit: self.unit,
            status: self.status,
            judged: self.judged_runs.unwrap_or(judged),
            failed: self.failed_runs.unwrap_or(0),
            values: self.runs.map_or(one, Spanned::into_inner),
            limit: self.limit,
            limit_low: self.limit_low,
            relative: self.relative_percent.into_inner() / 100.0,
            absolutes: vec![self.absolute.into_inner()],
        }
    }

    /// What makes no sense of it, and where.
    fn mistake(&self) -> Option<(Range<usize>, String)> {
        let no_number = |it: &Spanned<f64>| it.get_ref().is_nan();
        let out_of_range = |it: &Spanned<f64>| !(it.get_ref().is_finite() && *it.get_ref() >= 0.0);
        if let Some(value) = self.value.as_ref().filter(|value| no_number(value)) {
            return Some((value.span(), "`value` is nan; expected a number".to_owned()));
        }
        if let Some(runs) = self.runs.as_ref().filter(|it| it.get_ref().iter().any(|v| v.is_nan()))
        {
            return Some((runs.span(), "`runs` has a nan; expected numbers".to_owned()));
        }
        let tolerances =
            [("relative_percent", &self.relative_percent), ("absolute", &self.absolute)];
        let (field, wrong) = tolerances.into_iter().find(|(_, value)| out_of_range(value))?;
        let found = wrong.get_ref();
        Some((wrong.span(), format!("`{field}` is {found}; expected a number of 0 or more")))
    }
}

/// Reads a baseline file. The error states the file, the line, and what was found and expected.
pub(super) fn read(path: &Path) -> Result<Vec<Group>, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    groups(&text).map_err(|(span, what)| match span {
        Some(span) => {
            let before = text.get(..span.start).unwrap_or_default();
            format!("{shown}:{}: {what}", before.matches('\n').count() + 1)
        }
        None => format!("{shown}: {what}"),
    })
}

type Mistake = (Option<Range<usize>>, String);

fn groups(text: &str) -> Result<Vec<Group>, Mistake> {
    let file: File<Spanned<u32>> =
        toml::from_str(text).map_err(|error| (error.span(), error.message().to_owned()))?;
    let format = file.format.get_ref();
    if *format != FORMAT {
        let what = format!("`format` is {format}; expected {FORMAT}");
        return Err((Some(file.format.span()), what));
    }
    let mut groups: Vec<Group> = Vec::new();
    for table in file.scenario {
        if let Some((span, what)) = table.metric.iter().find_map(MetricTable::mistake) {
            return Err((Some(span), what));
        }
        let mut group = Group {
            scenario: table.name.get_ref().clone(),
            time: Some(table.time),
            seed: table.seed,
            ..Group::default()
        };
        if groups.iter().any(|other| other.is_like(&group)) {
            let what = format!("the scenario `{}` is there twice", group.scenario);
            return Err((Some(table.name.span()), what));
        }
        for metric in table.metric {
            let span = metric.name.span();
            let metric = metric.metric();
            if group.metric(&metric.name).is_some() {
                return Err((Some(span), format!("the metric `{}` is there twice", metric.name)));
            }
            group.runs = group.runs.max(metric.values.len()).max(metric.judged);
            group.metrics.push(metric);
        }
        groups.push(group);
    }
    Ok(groups)
}

/// The text of a baseline file of these runs; `None` if there is none with a record.
pub(super) fn written(side: &Side) -> Option<String> {
    let table = |group: &Group| {
        let time = group.time.filter(|_| group.runs > 0)?;
        Some(ScenarioTable {
            name: unplaced(group.scenario.clone()),
            time,
            seed: group.seed,
            metric: group.metrics.iter().map(|metric| MetricTable::of(metric, time)).collect(),
        })
    };
    let scenario: Vec<ScenarioTable> = side.groups.iter().filter_map(table).collect();
    let is_empty = scenario.is_empty();
    let text = toml::to_string(&File { format: FORMAT, scenario }).ok()?;
    (!is_empty).then(|| HEAD.to_owned() + &text)
}
