//! `[[grid.defect]]`: what is wrong with the plant.

use lastmeter_grid::Network;
use lastmeter_grid::network::Wire;
use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Span, Values, nearest};
use lastmeter_sim::grid::{Defect, SolvedNetwork, part_names};

use super::fields::{SHARE, quantity};
use crate::draft::{Naming, Row, Section};
use crate::names::Names;

pub(crate) static GRID_DEFECT: Section = Section {
    name: "grid.defect",
    noun: "defect",
    doc: "Something that is wrong with the plant: what makes meters and the declared network \
        disagree. An override addresses one by its name, or by its number: `--set \
        grid.defect.1.share=\"20 %\"`.",
    fields: &[
        Field::optional("name", Kind::Name, "what it is called"),
        Field::required("kind", Kind::Text, "which defect"),
    ],
    naming: Naming::Free,
    kind: Some(("kind", "defect")),
    entries: || DEFECTS.iter().map(|kind| kind.entry).collect(),
    heading: "defects",
    ..Section::REPEATED
};

struct DefectKind {
    entry: Entry,
    /// The key that names which load it is about, or which line.
    about: &'static str,
    /// Makes one of its values and the place of that load or line; a mistake is reported.
    build: fn(&Values, usize, &Network, &mut Diagnostics) -> Option<Defect>,
}

const LOAD: &str = "load";
const LINE: &str = "line";

/// What may be wrong with the plant.
static DEFECTS: &[DefectKind] = &[
    DefectKind {
        entry: Entry {
            name: "bypass",
            summary: "part of a load's current does not pass its meter",
            description: "The load draws what it draws, and the network carries it; its meter sees \
                the rest of the current only.",
            fields: &[
                METERED_LOAD,
                Field::default(
                    "share",
                    SHARE,
                    "\"50 %\"",
                    "the share of the current that goes round",
                ),
            ],
        },
        about: LOAD,
        build: bypass,
    },
    DefectKind {
        entry: Entry {
            name: "wrong-phase",
            summary: "a meter's voltage comes from another phase than its current",
            description: "The meter of a load with one phase has its voltage clamp on another wire \
                of the same node: it multiplies what does not belong together.",
            fields: &[
                METERED_LOAD,
                Field::required(
                    "phase",
                    Kind::Choice(&["a", "b", "c"]),
                    "whose voltage the meter sees",
                ),
            ],
        },
        about: LOAD,
        build: wrong_phase,
    },
    DefectKind {
        entry: Entry {
            name: "resistance",
            summary: "a line has more resistance than is written down: a corroded joint",
            description: "The plant is solved with another resistance of each of the line's \
                conductors, while the declared network, whose losses the energy balance counts \
                with, keeps what its file has.",
            fields: &[
                Field::required(LINE, Kind::Text, "the line of the network"),
                Field::default(
                    "factor",
                    quantity(Dimension::Ratio, 0.0, 1e6),
                    "1",
                    "what its resistance is multiplied by",
                ),
                Field::default(
                    "added",
                    quantity(Dimension::Resistance, 0.0, 1e6),
                    "\"0 ohm\"",
                    "what is added to that",
                ),
            ],
        },
        about: LINE,
        build: resistance,
    },
];

const METERED_LOAD: Field = Field::required(LOAD, Kind::Text, "the load whose meter it is about");

/// The defects that have no mistake; the others are reported.
pub(super) fn defects(
    rows: &[Row<'_>],
    network: &Network,
    loads: &Names,
    out: &mut Diagnostics,
) -> Vec<Defect> {
    Names::of("defect", rows, false, out);
    let mut met = Vec::new();
    let defect = |row: &Row<'_>| {
        let kind = row.kind_of(DEFECTS, |kind| &kind.entry)?;
        let (name, span) = row.text(kind.about)?;
        let place = match kind.about {
            LINE => line((name, span), network, out)?,
            _ => loads.find(name, span, out)?,
        };
        // Of one kind there is one defect at a load or a line.
        if met.contains(&(kind.entry.name, place)) {
            let (about, defect) = (kind.about, kind.entry.name);
            let message = format!("{about} `{name}` has a defect `{defect}` already");
            let help = Some("write down in one table what is wrong there".to_owned());
            out.report_with_help(Code::DOES_NOT_FIT, span, message, "written twice", help);
            return None;
        }
        met.push((kind.entry.name, place));
        (kind.build)(row.values.as_ref()?, place, network, out)
    };
    rows.iter().filter_map(defect).collect()
}

fn bypass(values: &Values, load: usize, _: &Network, out: &mut Diagnostics) -> Option<Defect> {
    let share = values.si("share");
    if 1.0 - share < 1.0 {
        return Some(Defect::Bypass { load, share });
    }
    let message = "this bypass leads nothing round the meter";
    out.report(Code::OUT_OF_RANGE, values.span_of("share"), message, "expected more than 0 %");
    None
}

fn resistance(values: &Values, line: usize, _: &Network, out: &mut Diagnostics) -> Option<Defect> {
    let (factor, added_ohm) = (values.si("factor"), values.si("added"));
    if factor != 1.0 || added_ohm > 0.0 {
        return Some(Defect::Resistance { line, factor, added_ohm });
    }
    let written = ["added", "factor"].into_iter().find(|key| values.is_written(key));
    let span = written.map_or(values.span, |key| values.span_of(key));
    let message = "this defect leaves the line's resistance as it is";
    let help = Some("write for example `added = \"0.2 ohm\"`, or `factor = 3`".to_owned());
    out.report_with_help(Code::DOES_NOT_FIT, span, message, "changes nothing", help);
    None
}

/// Every defect, each of a table in this order, changes something in some step.
pub fn report_idle_defects(tables: &[&Values], feeder: &SolvedNetwork, out: &mut Diagnostics) {
    for values in feeder.idle_defects().into_iter().filter_map(|index| tables.get(index)) {
        let kind = DEFECTS.iter().find(|it| it.entry.name == values.text("kind"));
        let Some(DefectKind { about, .. }) = kind else { continue };
        let (name, span) = (values.text(about), values.span_of(about));
        let message = match *about {
            LINE => {
                format!(
                    "line `{name}` carries next to nothing in any step, whatever its resistance"
                )
            }
            _ => format!("load `{name}` draws nothing in any step, so its meter sees the same"),
        };
        out.report(Code::DOES_NOT_FIT, span, message, "changes nothing");
    }
}

fn line((name, span): (&str, Span), network: &Network, out: &mut Diagnostics) -> Option<usize> {
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
    values: &Values,
    load: usize,
    network: &Network,
    out: &mut Diagnostics,
) -> Option<Defect> {
    let (word, span) = (values.text("phase"), values.span_of("phase"));
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
