//! The source `water`: what a household or a works draws, step by step.

use lastmeter_params::{Diagnostics, Dimension, Entry, Field, Kind, Values};
use rand::RngExt as _;

use super::{Signal, SourceContext, SourceKind};
use crate::domain::MeteringPoint;
use crate::domain::daily::{Daily, OFF_TIMES, Profile, STEADY, profile, step};
use crate::domain::water::WaterSupply;
use crate::injection::quantity;

static PROFILES: [Profile; 3] = [
    Profile::new(
        "dwelling",
        [
            0.04, 0.02, 0.02, 0.02, 0.05, 0.25, 0.85, 1.00, 0.75, 0.50, 0.40, 0.45, 0.60, 0.50,
            0.35, 0.35, 0.45, 0.65, 0.85, 0.90, 0.75, 0.55, 0.30, 0.12,
        ],
    ),
    Profile::new(
        "works",
        [
            0.05, 0.05, 0.05, 0.05, 0.10, 0.60, 0.90, 1.00, 1.00, 0.95, 0.95, 0.90, 0.80, 0.95,
            0.95, 0.85, 0.60, 0.30, 0.15, 0.10, 0.05, 0.05, 0.05, 0.05,
        ],
    ),
    STEADY,
];

const FLOW: Kind = quantity(Dimension::VolumeFlow, 0.0, 1e3);

static FIELDS: [Field; 7] = [
    Field::default(
        "profile",
        Kind::Choice(&["dwelling", "works", "steady"]),
        "\"dwelling\"",
        "Daily course of how often water is drawn, as shares of `drawing` by the hour (UTC)",
    ),
    Field::default("peak_flow", FLOW, "\"1.2 m3/h\"", "The largest volume flow that is drawn"),
    Field::default(
        "smallest_flow",
        quantity(Dimension::Ratio, 0.0, 1.0),
        "\"5 %\"",
        "The smallest, relative to `peak_flow`; each draw is somewhere in between, evenly",
    ),
    Field::default(
        "drawing",
        quantity(Dimension::Ratio, 0.0, 1.0),
        "\"30 %\"",
        "The share of steps at the peak of the profile in which water is drawn",
    ),
    Field::default("leak", FLOW, "\"0 l/h\"", "Volume flow that never stops but at `off` times"),
    step("\"30 s\""),
    OFF_TIMES,
];

pub(crate) const KIND: SourceKind = SourceKind {
    entry: Entry {
        name: "water",
        summary: "drinking water: volume flow and volume",
        description: "A pipe from which water is drawn, step by step: whether in a step follows \
            `profile` and `drawing`, how much is drawn evenly between `smallest_flow` and \
            `peak_flow`. Within a step nothing changes. Water meters are connected to it.",
        fields: &FIELDS,
    },
    build,
};

fn build(
    values: &Values,
    context: &SourceContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Signal> {
    let daily = Daily::read((values, "off"), (context.start, context.duration), diagnostics)?;
    let course = profile(&PROFILES, values.text("profile"));
    let (peak, smallest) = (values.si("peak_flow"), values.si("smallest_flow"));
    let (drawing, leak) = (values.si("drawing"), values.si("leak"));
    let mut draw = context.streams.stream(&format!("source/{}/water", context.name));
    let steps: Vec<f64> = (0..daily.steps)
        .map(|step| {
            let (chance, size): (f64, f64) = (draw.random(), draw.random());
            let is_drawn = chance < drawing * course.share(daily.begin(step));
            leak + if is_drawn { peak * (smallest + (1.0 - smallest) * size) } else { 0.0 }
        })
        .collect();
    let flows = daily.pieces().into_iter().map(|piece| {
        let flow = if piece.is_within { 0.0 } else { steps[piece.step] };
        (piece.begin, flow)
    });
    Some(Signal::Pipe(MeteringPoint::Water(WaterSupply::new(flows)?)))
}
