//! From tables without mistakes to a scenario.

use std::path::Path;
use std::sync::Arc;

use lastmeter_params::{Diagnostics, Table, Values, read_table};

use super::construct::Parts;
use super::draft::{Draft, FILE_START, Section};
use super::plans::Plans;
use super::references::References;
use super::scenario::{Plant, PlayedPlans, Scenario, Written};
use super::section::check::{CHECK, check};
use super::section::device::{DEVICE, devices};
use super::section::floor::{FLOOR, floor};
use super::section::inject::{INJECT, Subject, injection, kind_of};
use super::section::link::{LINK, link};
use super::section::observer::{OBSERVER, observer};
use super::section::platform::{PLATFORM, PlatformSetup, PlatformUse, tls};
use super::section::scenario::{SCENARIO, Schedule, about, time_mode};
use super::section::source::{SOURCE, sources};
use super::texts::Texts;

/// The scenario; `None` only where a mistake was reported before.
pub(super) fn scenario(
    draft: &Draft<'_>,
    path: &Path,
    platform: PlatformUse,
    references: &References,
    (parts, plans): (Parts, Plans),
) -> Option<Scenario> {
    let tables = tables(draft)?;
    let values = |section: &Section| {
        let found = tables.iter().find(|(known, _)| known.name == section.name);
        found.map(|(_, values)| Arc::clone(values)).or_else(|| defaults(section))
    };
    let head = draft.values(&SCENARIO)?;
    let start = head.instant_opt("start")?;
    let platform_values = values(&PLATFORM)?;
    let injections = draft.rows(&INJECT).iter().enumerate().map(|(index, row)| {
        let about = subject(index, references, &parts);
        injection(kind_of(row)?, row.values.clone()?, about?, start)
    });
    let injections = injections.collect::<Option<_>>()?;
    let observers = draft.rows(&OBSERVER).iter().zip(&references.via_of_observer);
    let observers = observers.zip(&references.devices_of_observer);
    let duration = plans.duration().or(head.duration_opt("duration"))?;
    let player = plans.player();
    Some(Scenario {
        about: about(head),
        schedule: Schedule {
            time: time_mode(head),
            start,
            duration,
            seed: head.integer("seed") as u64,
        },
        platform: PlatformSetup {
            choice: platform,
            strict_table2: platform_values.boolean("strict_table2"),
            tls: tls(&platform_values),
            authority: references.authority.clone().ok()?,
        },
        floor: floor(&*values(&FLOOR)?, references.via_of_floor)?,
        plant: Plant {
            sources: sources(draft.rows(&SOURCE), (parts.terminals, parts.grid), player)?,
            feeder: plans.grid.and_then(|grid| grid.feeder),
            unavailable: parts.unavailable,
        },
        links: draft.rows(&LINK).iter().zip(parts.links).map(link).collect::<Option<_>>()?,
        devices: devices(references, draft.rows(&DEVICE))?,
        observers: observers
            .map(|((row, via), of)| observer(row, *via, of))
            .collect::<Option<_>>()?,
        injections,
        checks: draft.rows(&CHECK).iter().map(check).collect::<Option<_>>()?,
        parts: draft.sections.iter().filter_map(|(known, rows)| (known.build)(rows)).collect(),
        plans: PlayedPlans { suite: plans.suite, calibration: plans.calibration },
        written: Written {
            path: path.to_owned(),
            hash: String::new(),
            texts: Texts::default(),
            overrides: Vec::new(),
            warnings: Vec::new(),
            files: parts.files,
            tables,
        },
    })
}

/// Each table with its section, in the order of a file.
fn tables(draft: &Draft<'_>) -> Option<Vec<(&'static Section, Arc<Values>)>> {
    let mut all = Vec::new();
    for (section, rows) in &draft.sections {
        for row in rows {
            all.push((*section, row.values.clone()?));
        }
        if rows.is_empty() && (section.is_implied)(draft) {
            all.push((*section, defaults(section)?));
        }
    }
    Some(all)
}

/// The values of a table that is not there.
fn defaults(section: &Section) -> Option<Arc<Values>> {
    let none = Table::default();
    read_table(&none, FILE_START, section.fields, &mut Diagnostics::new()).map(Arc::new)
}

/// What the injection of an index is about.
fn subject(index: usize, references: &References, parts: &Parts) -> Option<Subject> {
    Some(Subject {
        device: *references.device_of_injection.get(index)?,
        source: *references.source_of_injection.get(index)?,
        target: references.target_of_injection.get(index)?.clone(),
        change: *parts.impairments.get(index)?,
    })
}
