//! `[[grid.defect]]`: what is wrong with the plant.

use lastmeter_grid::Network;
use lastmeter_grid::network::Wire;
use lastmeter_params::{Code, Diagnostics, nearest};
use lastmeter_sim::grid::{Defect, part_names};

use super::fields::DefectKind;
use crate::language::names::Names;
use crate::language::read::Row;

/// The defects that have no mistake; the others are told.
pub(super) fn defects(
    rows: &[Row<'_, DefectKind>],
    network: &Network,
    loads: &Names,
    out: &mut Diagnostics,
) -> Vec<Defect> {
    let defect = |row: &Row<'_, DefectKind>| {
        let kind = row.kind?;
        let place = match kind {
            DefectKind::Resistance => line(row, network, out)?,
            DefectKind::Bypass | DefectKind::WrongPhase => {
                let (name, span) = row.text("load")?;
                loads.find(name, span, out)?
            }
        };
        let values = row.values.as_ref()?;
        match kind {
            DefectKind::Bypass => Some(Defect::Bypass { load: place, share: values.si("share") }),
            DefectKind::WrongPhase => wrong_phase(row, place, network, out),
            DefectKind::Resistance => Some(Defect::Resistance {
                line: place,
                factor: values.si("factor"),
                added_ohm: values.si("added_ohm"),
            }),
        }
    };
    rows.iter().filter_map(defect).collect()
}

fn line(row: &Row<'_, DefectKind>, network: &Network, out: &mut Diagnostics) -> Option<usize> {
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
    row: &Row<'_, DefectKind>,
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
