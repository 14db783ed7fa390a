//! How the cases of a scenario ended over two of what varies, for the index of a suite.

use std::collections::BTreeMap;

use lastmeter_record::Status;
use lastmeter_text::plural;
use serde::Serialize;

use super::files::{link_path, worst_share};
use super::{CaseValue, Suite, SuiteRun};

/// Shades of a cell, by what is used of the limit: up to a fifth, ..., the limit, and beyond.
const SHADES: f64 = 5.0;

/// A table of what cases came to.
#[derive(Serialize)]
pub(super) struct Map<'a> {
    scenario: &'a str,
    /// What varies from row to row; empty where it is one row.
    down: &'a str,
    across: &'a str,
    columns: Vec<&'a str>,
    rows: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    value: &'a str,
    cells: Vec<Option<Cell>>,
}

/// The cases that have both values.
#[derive(Serialize)]
struct Cell {
    status: Status,
    /// What the one closest to its limit has used of it, in percent.
    used: Option<String>,
    shade: u8,
    cases: String,
    link: Option<String>,
}

/// The maps of a suite, one for each scenario with cases.
pub(super) fn maps(suite: &Suite) -> Vec<Map<'_>> {
    let mut of: Vec<(&str, Vec<&SuiteRun>)> = Vec::new();
    for run in &suite.runs {
        let Some(case) = &run.case else { continue };
        match of.iter_mut().find(|(scenario, _)| *scenario == case.scenario) {
            Some((_, runs)) => runs.push(run),
            None => of.push((&case.scenario, vec![run])),
        }
    }
    of.into_iter().filter_map(|(scenario, runs)| map(scenario, &runs, &suite.map)).collect()
}

fn map<'a>(scenario: &'a str, runs: &[&'a SuiteRun], asked: &[String]) -> Option<Map<'a>> {
    // By address, its values in the order of the cases.
    let mut all: Vec<(&str, Vec<&str>)> = Vec::new();
    let values = runs.iter().filter_map(|run| run.case.as_ref()).flat_map(|case| &case.values);
    for CaseValue { address, value } in values {
        let place = all.iter().position(|(known, _)| known == address).unwrap_or_else(|| {
            all.push((address, Vec::new()));
            all.len() - 1
        });
        if !all[place].1.contains(&value.as_str()) {
            all[place].1.push(value);
        }
    }
    let asked: Vec<usize> = asked
        .iter()
        .filter_map(|address| all.iter().position(|(known, _)| known == address))
        .collect();
    let varying: Vec<usize> = (0..all.len()).filter(|place| all[*place].1.len() > 1).collect();
    let (across, down) = match (asked.as_slice(), varying.as_slice()) {
        (&[down, across], _) | (_, &[down, across, ..]) => (across, Some(down)),
        (_, &[across]) => (across, None),
        _ => return None,
    };
    let value_of = |run: &'a SuiteRun, place: usize| {
        let mut values = run.case.as_ref()?.values.iter();
        Some(values.find(|it| it.address == all[place].0)?.value.as_str())
    };
    let mut cells: BTreeMap<(Option<&str>, &str), Vec<&SuiteRun>> = BTreeMap::new();
    for run in runs {
        if let Some(column) = value_of(run, across) {
            cells.entry((down.and_then(|down| value_of(run, down)), column)).or_default().push(run);
        }
    }
    let columns = all[across].1.clone();
    let row = |value: Option<&'a str>| Row {
        value: shown(value.unwrap_or_default()),
        cells: columns.iter().map(|column| Some(cell(cells.get(&(value, *column))?))).collect(),
    };
    let rows = match down {
        Some(down) => all[down].1.iter().map(|value| row(Some(value))).collect(),
        None => vec![row(None)],
    };
    let down = down.map_or("", |down| all[down].0);
    let columns = columns.into_iter().map(shown).collect();
    Some(Map { scenario, down, across: all[across].0, rows, columns })
}

/// A TOML value for people: a text without its quotes.
fn shown(value: &str) -> &str {
    let text = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    text.filter(|text| !text.contains(['"', '\\'])).unwrap_or(value)
}

/// To whole percent, or one digit of less.
fn rounded(percent: f64) -> f64 {
    if percent >= 1.0 || percent <= 0.0 {
        return percent.round();
    }
    let scale = 10_f64.powf(-percent.log10().floor());
    (percent * scale).round() / scale
}

/// The worst of cases.
fn cell(runs: &[&SuiteRun]) -> Cell {
    let share = |run: &SuiteRun| run.judged().and_then(worst_share).map(|(share, _)| share);
    let used = runs.iter().filter_map(|run| share(run)).max_by(f64::total_cmp);
    let worst = runs.iter().max_by(|a, b| {
        let by_share = || share(a).unwrap_or(0.0).total_cmp(&share(b).unwrap_or(0.0));
        a.status().cmp(&b.status()).then_with(by_share)
    });
    let folder = worst.and_then(|run| run.folder.as_deref().filter(|_| run.judged().is_some()));
    Cell {
        status: worst.map_or(Status::Inconclusive, |run| run.status()),
        used: used.map(|share| lastmeter_text::number(rounded(100.0 * share))),
        shade: used.map_or(0, |share| (share * SHADES).floor().clamp(0.0, SHADES) as u8),
        cases: if runs.len() > 1 { plural(runs.len(), "case") } else { String::new() },
        link: folder.map(|folder| format!("{}/report.html", link_path(folder))),
    }
}
