//! `[[grid.recorder]]`: disturbance recorders.

use lastmeter_grid::Network;
use lastmeter_grid::motion::ProbeAt;
use lastmeter_grid::network::NodeId;
use lastmeter_params::{Diagnostics, Dimension, Field, Kind};
use lastmeter_sim::grid::Recorder;

use super::pieces::{Pieces, find};
use crate::draft::{Row, Section};

const RATE: Kind = Kind::Quantity { dimension: Dimension::Frequency, min: 500.0, max: 1e5 };
const TIME: Kind = Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 10.0 };

pub(crate) static GRID_RECORDER: Section = Section {
    name: "grid.recorder",
    noun: "disturbance recorder",
    doc: "Keeps voltages and currents of a place as COMTRADE (IEC 60255-24, FLOAT32) in the folder \
        `waveforms` of the run, around each instant at which something is switched, faulted or \
        mended; what was done is in its digital channels. Needs `resolution` of `[grid]` other \
        than `steps`. The report draws the first ones.",
    fields: &[
        Field::required("name", Kind::Name, "what it is called, and the files begin with"),
        Field::required(
            "at",
            Kind::Text,
            "`node:NAME` for its voltages to earth; `switch:NAME`, `line:NAME` (its end `from`), \
                `transformer:NAME`, `load:NAME` or `source:NAME` for these and the currents there",
        ),
        Field::default("rate", RATE, "\"10 kHz\"", "samples per second"),
        Field::default("before", TIME, "\"100 ms\"", "of what is kept before something happens"),
        Field::default(
            "after",
            TIME,
            "\"200 ms\"",
            "of what is kept after it; what happens within that is kept together",
        ),
        Field::default(
            "room",
            Kind::Integer { min: 1, max: 10_000 },
            "100",
            "for so many excerpts, the first ones; how many more there were is noted",
        ),
    ],
    ..Section::REPEATED
};

/// The recorders that have no mistake; the others are reported.
pub(super) fn recorders(
    rows: &[Row<'_>],
    network: &mut Network,
    pieces: &mut Pieces,
    out: &mut Diagnostics,
) -> Vec<Recorder> {
    let mut made = Vec::new();
    for row in rows {
        let Some(values) = row.values.as_ref() else { continue };
        let (at, span) = (values.text("at"), values.span_of("at"));
        let place = if let Some(name) = at.strip_prefix("node:") {
            let names = network.nodes.iter().map(|it| &*it.name);
            let node = find(names, ("node", name), span, out);
            node.and_then(|node| u32::try_from(node).ok()).map(|node| ProbeAt::Node(NodeId(node)))
        } else {
            pieces.switch(at, span, network, out).map(ProbeAt::Switch)
        };
        let Some(at) = place else { continue };
        made.push(Recorder {
            name: values.text("name").to_owned(),
            at,
            rate_hz: values.si("rate"),
            before: values.duration("before"),
            after: values.duration("after"),
            room: usize::try_from(values.integer("room")).unwrap_or(1),
        });
    }
    made
}
