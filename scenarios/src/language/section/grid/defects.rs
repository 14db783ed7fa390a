//! `[[grid.defect]]`: what is wrong with the plant.

use lastmeter_grid::Network;
use lastmeter_grid::network::Wire;
use lastmeter_params::{Code, Diagnostics, Values, nearest};
use lastmeter_sim::grid::{Defect, Feeder, part_names};

use super::fields::{DefectKind, defect_of};
use crate::language::draft::Row;
use crate::language::names::Names;

/// The defects that have no mistake; the others are told.
pub(super) fn defects(
    rows: &[Row<'_>],
    network: &Network,
    loads: &Names,
    out: &mut Diagnostics,
) -> Vec<Defect> {
    Names::of("defect", rows, false, out);
    let mut met = Vec::new();
    let defect = |row: &Row<'_>| {
        let kind = defect_of(row)?;
        let place = match kind {
            DefectKind::Resistance => line(row, network, out)?,
            DefectKind::Bypass | DefectKind::WrongPhase => {
                let (name, span) = row.text("load")?;
                loads.find(name, span, out)?
            }
        };
        is_new(row, (kind, place), &mut met, out)?;
        let values = row.values.as_ref()?;
        match kind {
            DefectKind::Bypass => bypass(values, place, out),
            DefectKind::WrongPhase => wrong_phase(row, place, network, out),
            DefectKind::Resistance => resistance(row, values, place, out),
        }
    };
    rows.iter().filter_map(defect).collect()
}

/// Of one kind there is one defect at a load or a line.
fn is_new(
    row: &Row<'_>,
    own: (DefectKind, usize),
    met: &mut Vec<(DefectKind, usize)>,
    out: &mut Diagnostics,
) -> Option<()> {
    if !met.contains(&own) {
        met.push(own);
        return Some(());
    }
    let target = target(own.0);
    let (name, span) = row.text(target)?;
    let message = format!("{target} `{name}` has a defect `{}` already", own.0.entry().name);
    let help = Some("write down in one table what is wrong there".to_owned());
    out.report_with_help(Code::DOES_NOT_FIT, span, message, "written twice", help);
    None
}

/// The key that says what a defect is about.
fn target(kind: DefectKind) -> &'static str {
    match kind {
        DefectKind::Bypass | DefectKind::WrongPhase => "load",
        DefectKind::Resistance => "line",
    }
}

fn bypass(values: &Values, load: usize, out: &mut Diagnostics) -> Option<Defect> {
    let share = values.si("share");
    if 1.0 - share < 1.0 {
        return Some(Defect::Bypass { load, share });
    }
    let message = "this bypass leads nothing round the meter";
    out.report(Code::OUT_OF_RANGE, values.span_of("share"), message, "expected more than 0 %");
    None
}

fn resistance(
    row: &Row<'_>,
    values: &Values,
    line: usize,
    out: &mut Diagnostics,
) -> Option<Defect> {
    let (factor, added_ohm) = (values.si("factor"), values.si("added"));
    if factor != 1.0 || added_ohm > 0.0 {
        return Some(Defect::Resistance { line, factor, added_ohm });
    }
    let written = ["added", "factor"].into_iter().find_map(|key| row.table.get(key));
    let span = written.map_or(row.span, |node| node.span);
    let message = "this defect leaves the line's resistance as it is";
    let help = Some("write for example `added = \"0.2 ohm\"`, or `factor = 3`".to_owned());
    out.report_with_help(Code::DOES_NOT_FIT, span, message, "changes nothing", help);
    None
}

/// Every defect, each of a table in this order, changes something in some step.
pub(crate) fn have_effect(tables: &[&Values], feeder: &Feeder, out: &mut Diagnostics) {
    for values in feeder.idle_defects().into_iter().filter_map(|index| tables.get(index)) {
        let mut kinds = DefectKind::ALL.into_iter();
        let Some(kind) = kinds.find(|it| it.entry().name == values.text("kind")) else {
            continue;
        };
        let (name, span) = (values.text(target(kind)), values.span_of(target(kind)));
        let message = match kind {
            DefectKind::Bypass | DefectKind::WrongPhase => {
                format!("load `{name}` draws nothing in any step, so its meter sees the same")
            }
            DefectKind::Resistance => {
                format!(
                    "line `{name}` carries next to nothing in any step, whatever its resistance"
                )
            }
        };
        out.report(Code::DOES_NOT_FIT, span, message, "changes nothing");
    }
}

fn line(row: &Row<'_>, network: &Network, out: &mut Diagnostics) -> Option<usize> {
    let (name, span) = row.text("line")?;
    let found = network.lines.iter().position(|line| &*line.name == name);
    if found.is_none() {
        let near = nearest(name, network.lines.iter().map(|line| &*line.name));
        let help = near.map(|near| format!("did you mean `{near}`?"));
        let message = format!("there is no line named `{name}`");
        let label = "not in the network";
        out.report_with_help(Code::UNKNOWN_REFERENCE, span, message, label, help);
    }
    found
}

fn wrong_phase(
    row: &Row<'_>,
    load: usize,
    network: &Network,
    out: &mut Diagnostics,
) -> Option<Defect> {
    let (word, span) = row.text("phase")?;
    let phase = Wire::PHASES.into_iter().find(|wire| wire.to_string() == word)?;
    let own = &network.loads[load];
    let node = &network.nodes[own.connection.node.index()];
    let name = &own.name;
    let mut refuse = |message: String, label: &str| {
        out.report(Code::DOES_NOT_FIT, span, message, label);
        None
    };
    match part_names(own).as_slice() {
        [only] if only == word => {
            refuse(format!("load `{name}` is on phase {word} already"), "expected another phase")
        }
        [only] if only.len() == 1 && node.wires.contains(phase) => {
            Some(Defect::WrongPhase { load, phase })
        }
        [only] if only.len() == 1 => {
            refuse(format!("node `{}` has no phase {word}", node.name), "not there")
        }
        _ => refuse(
            format!("load `{name}` is not connected to one phase alone"),
            "expected a load with one phase",
        ),
    }
}
