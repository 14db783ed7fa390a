//! Puts the report together: facts, pictures and tables, handed to the template.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use lastmeter_units::SimTime;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::check::kind::{ScenarioChecks, SectionInput};
use crate::checks::CHECKS;
use crate::checks::accuracy::Accuracy;
use crate::console::format_duration;
use crate::error::RenderError;
use crate::evaluation::Evaluation;
use crate::render::collect::{Collected, Judged};
use crate::render::figure::{Figure, Picture};
use crate::render::page::{
    self, CheckRow, CoverageRow, DeliveryRow, EventRow, Fact, FailureDetail, RefusedRow,
};
use crate::render::pictures;
use crate::render::template::{fill, style};
use crate::render::under_test::{UnderTest, under_test};
use lastmeter_record::{
    RecordError, RunFacts, RunReader, RunState, Status, TimeMode, file, hexadecimal,
};
use lastmeter_text::plural;

const TEMPLATE: &str = include_str!("report.html");
const DELIVERY_ROWS_MAX: usize = 60;
/// With more devices that table is opened only if something is wrong.
const DELIVERY_OPEN_MAX: usize = 12;

#[derive(Serialize)]
struct Page {
    style: String,
    status: Status,
    title: String,
    scenario: String,
    counts: String,
    exit_code: u8,
    banners: Vec<Banner>,
    under_test: Vec<UnderTest>,
    /// `measured` or `modelled`, if the run records latency.
    evidence: Option<&'static str>,
    facts: Vec<Fact>,
    /// What became of readings, alerts and answers.
    account: String,
    /// What options of the command line have changed.
    overrides: Vec<Fact>,
    command: String,
    checks: Vec<CheckRow>,
    timeline: Option<Picture>,
    trouble: Vec<FailureDetail>,
    bench: Picture,
    sections: Vec<String>,
    delivery: Delivery,
    refused: Vec<RefusedRow>,
    coverage: Vec<CoverageRow>,
    events: Events,
    environment: Vec<Fact>,
    scenario_toml: String,
    footer: String,
}

#[derive(Serialize)]
struct Banner {
    status: Status,
    text: String,
}

#[derive(Serialize)]
struct Delivery {
    rows: Vec<DeliveryRow>,
    /// How many devices are not listed; empty if all are.
    more: String,
    summary: String,
    /// Whether the table is shown without being asked for.
    open: bool,
}

#[derive(Serialize)]
struct Events {
    rows: Vec<EventRow>,
    total: u64,
    more: bool,
}

pub(crate) fn page(
    reader: &RunReader,
    evaluation: &Evaluation,
) -> Result<(String, Vec<Figure>), RenderError> {
    let facts = &evaluation.facts;
    let scenario_toml = reader.scenario_toml()?;
    let scenario = ScenarioChecks::read(&facts.scenario, &scenario_toml, &facts.files)?;
    // What a register counted is one value, and no error over time.
    let accuracy: Vec<Judged<'_>> = scenario
        .of::<Accuracy>()
        .filter(|check| !check.spec.difference)
        .map(|Accuracy { context, spec, .. }| {
            let verdict = evaluation.verdicts.iter().find(|it| it.check == context.name);
            Judged { name: &context.name, spec, verdict }
        })
        .collect();
    let collected = Collected::read(reader, &accuracy, &evaluation.verdicts);
    let mut figures = Vec::new();
    let end_s = shown_until(facts, &collected);
    let events = Events {
        rows: collected.events.iter().map(|(n, event)| page::event_row(*n, event, false)).collect(),
        total: collected.events_total,
        more: collected.events_total > collected.events.len() as u64,
    };
    let (collected, verdicts) = (&collected, &evaluation.verdicts[..]);
    let accuracy = &accuracy;
    let input = SectionInput { reader, scenario: &scenario, verdicts, accuracy, collected, end_s };
    let (sections, evidence) = sections(&input, &mut figures)?;
    let page = Page {
        style: style(),
        status: evaluation.status(),
        title: if facts.title.is_empty() { facts.scenario.clone() } else { facts.title.clone() },
        scenario: facts.scenario.clone(),
        counts: evaluation.counts().to_string(),
        exit_code: evaluation.exit_code().number(),
        banners: banners(evaluation, collected),
        under_test: under_test(facts),
        evidence,
        facts: facts_list(facts),
        account: evaluation.account.to_string(),
        overrides: overrides(facts),
        command: command(&facts.command_line),
        checks: page::checks(verdicts),
        timeline: pictures::timeline(facts, collected, end_s, &mut figures),
        trouble: page::trouble(verdicts, collected),
        bench: pictures::bench(facts, &scenario.document, &mut figures),
        sections,
        delivery: delivery(collected),
        refused: page::refusals(collected),
        coverage: page::coverage(verdicts),
        events,
        environment: environment(reader.dir(), evaluation, collected)?,
        scenario_toml,
        footer: format!(
            "lastmeter {}. Times are UTC. Nothing here is a certification; the timing classes of \
             IEC 61850-5 are applied to the bench's own paths.",
            facts.versions.get("lastmeter").map_or("", String::as_str)
        ),
    };
    Ok((fill("report.html", TEMPLATE, &page)?, figures))
}

/// The deliveries, opened where something is missing or the devices are few.
fn delivery(collected: &Collected) -> Delivery {
    let (rows, more) = page::deliveries(collected, DELIVERY_ROWS_MAX);
    let devices = rows.len() + more;
    let bad = page::devices_with_losses(collected);
    let all = plural(devices, "device");
    let summary = match bad {
        0 => format!("{all}, each reading stored that was due, and no other"),
        _ => format!("{bad} of {all} with missing or unexpected readings, those first"),
    };
    let more = if more == 0 { String::new() } else { plural(more, "more device") };
    Delivery { rows, more, summary, open: bad > 0 || devices <= DELIVERY_OPEN_MAX }
}

/// The sections of all kinds of checks, each in its place; and what the run's latency is, if one
/// of them shows it.
fn sections(
    input: &SectionInput<'_>,
    figures: &mut Vec<Figure>,
) -> Result<(Vec<String>, Option<&'static str>), RenderError> {
    let mut kinds: Vec<_> = CHECKS.iter().filter_map(|kind| kind.section).collect();
    kinds.sort_by_key(|section| section.place);
    let (mut sections, mut evidence) = (Vec::new(), None);
    for kind in kinds {
        if let Some(section) = (kind.make)(input, figures)? {
            sections.push(section.html);
            evidence = evidence.or(section.evidence);
        }
    }
    Ok((sections, evidence))
}

/// The end of all time axes, in seconds since the start.
fn shown_until(facts: &RunFacts, collected: &Collected) -> f64 {
    let last_event = collected.events.last().map(|(_, event)| event.time);
    let known = facts.recorded_until.or(last_event).unwrap_or(facts.start);
    let planned = (facts.end - facts.start).as_seconds_f64();
    let tracks = collected.compared.values().flat_map(|it| [&it.worst, &it.others]);
    let seen = tracks.flat_map(|tracks| {
        let bins = &tracks.reported;
        bins.iter().map(|(start_s, _)| start_s + bins.width_s())
    });
    let seen = seen.fold((known - facts.start).as_seconds_f64(), f64::max);
    if planned > 0.0 { planned } else { seen }
}

fn banners(evaluation: &Evaluation, collected: &Collected) -> Vec<Banner> {
    let facts = &evaluation.facts;
    let cause = facts.cause.as_deref().map(|cause| format!(": {cause}")).unwrap_or_default();
    let until = facts.recorded_until.map(|until| format!(", recorded until {until}"));
    let until = until.unwrap_or_default();
    let ended = |how: &str| format!("The run was {how}{cause}{until}. This is what there was.");
    let mut banners = Vec::new();
    let mut add = |status, text: String| banners.push(Banner { status, text });
    match facts.state {
        RunState::Finished => {}
        RunState::Interrupted => add(Status::Inconclusive, ended("interrupted")),
        RunState::Stopped => add(Status::Fail, ended("stopped")),
        RunState::Running => add(
            Status::Inconclusive,
            "Interrupted: the run never finished its record. It was killed, or is still going. \
             This is what there was."
                .to_owned(),
        ),
        RunState::Error => add(Status::Error, format!("The bench broke{cause}{until}.")),
        RunState::Skipped => add(Status::Skipped, format!("The run was skipped{cause}.")),
    }
    for torn in &evaluation.torn {
        add(Status::Inconclusive, format!("{torn}."));
    }
    if let Some(why) = evaluation.unreadable.as_ref().or(collected.unreadable.as_ref()) {
        add(Status::Error, format!("{why}; what stands before it is shown."));
    }
    if let Some(what) = &evaluation.changed {
        add(Status::Error, format!("The record is not what the run wrote: {what}."));
    }
    banners
}

fn facts_list(facts: &RunFacts) -> Vec<Fact> {
    let time = match facts.time {
        TimeMode::Virtual => "virtual",
        TimeMode::Real => "real",
    };
    let span = format!("{time}, {}", facts.end - facts.start);
    let mut list = vec![
        Fact::new("seed", facts.seed.to_string()),
        Fact::new("time", span),
        Fact::new("platform", facts.platform.clone()),
        Fact::new("version", facts.versions.get("lastmeter").cloned().unwrap_or_default()),
        Fact::new("started", page::to_the_second(facts.started)),
    ];
    if let Some(took) = facts.ended.and_then(|ended| wall(facts.started, ended)) {
        list.push(Fact::new("took", format_duration(took)));
    }
    if let Some(name) = facts.host.get("name").and_then(|name| name.as_str()) {
        list.push(Fact::new("host", name));
    }
    list.retain(|fact| !fact.is_empty());
    list
}

/// What options of the command line have changed, each with its option.
fn overrides(facts: &RunFacts) -> Vec<Fact> {
    let changed = facts.overrides().iter();
    changed.map(|changed| Fact::new(&changed.option, changed.to_string())).collect()
}

fn wall(started: SimTime, ended: SimTime) -> Option<std::time::Duration> {
    let nanoseconds = u64::try_from((ended - started).0).ok()?;
    Some(std::time::Duration::from_nanos(nanoseconds))
}

/// The command as it can be pasted into a shell.
fn command(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    let quoted = words.iter().map(|word| {
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

fn environment(
    dir: &Path,
    evaluation: &Evaluation,
    collected: &Collected,
) -> Result<Vec<Fact>, RenderError> {
    let facts = &evaluation.facts;
    let mut list = vec![
        Fact::new("scenario, SHA-256", facts.scenario_hash.clone()),
        Fact::new("rows in observations.csv", page::grouped(collected.rows_total)),
    ];
    let name = |group: &str, name: &str| format!("{group}, {name}");
    for (which, version) in &facts.versions {
        list.push(Fact::new(&name("version", which), version.clone()));
    }
    for (which, value) in &facts.host {
        list.push(Fact::new(&name("host", which), plain(value)));
    }
    for guarantee in &facts.guarantees {
        list.push(Fact::new("guarantee that held", guarantee.clone()));
    }
    for (which, value) in &facts.more {
        list.push(Fact::new(which, plain(value)));
    }
    for compared in [file::OBSERVATIONS, file::EVENTS, file::VERDICTS] {
        // A hash that judging has just compared need not be taken again.
        let is_compared =
            compared != file::VERDICTS && facts.state != RunState::Running && evaluation.is_whole();
        let known = facts.hashes.get(compared).filter(|_| is_compared);
        let hash = match known {
            Some(hash) => Some(hash.clone()),
            None => sha256(&dir.join(compared))?,
        };
        if let Some(hash) = hash {
            list.push(Fact::new(&name(compared, "SHA-256"), hash));
        }
    }
    list.retain(|fact| !fact.is_empty());
    Ok(list)
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The hash of a file, `None` if there is none.
fn sha256(path: &Path) -> Result<Option<String>, RecordError> {
    let Ok(mut file) = File::open(path) else { return Ok(None) };
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 16];
    loop {
        match file.read(&mut block).map_err(RecordError::io("read", path))? {
            0 => break,
            length => hash.update(&block[..length]),
        }
    }
    Ok(Some(hexadecimal(hash)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_pasted_into_a_shell() {
        let words = ["lastmeter", "run", "a b.toml", "--set", "x=\"1 %\"", "it's", ""];
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        assert_eq!(command(&words), r#"lastmeter run 'a b.toml' --set 'x="1 %"' 'it'\''s' ''"#);
    }
}
