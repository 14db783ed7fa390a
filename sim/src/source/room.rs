//! The source `room`: the temperature of a room step by step, and when its window is open.

use lastmeter_params::{Diagnostics, Dimension, Entry, Field, Kind, Values};
use rand::RngExt as _;

use super::{Signal, SourceContext, SourceKind};
use crate::domain::MeteringPoint;
use crate::domain::daily::{Daily, Profile, STEADY, TIMES_TABLE, profile, step};
use crate::domain::room::{Room, RoomState};
use crate::injection::quantity;

const DIFFERENCE: Kind = quantity(Dimension::TemperatureDifference, 0.0, 20.0);

static PROFILES: [Profile; 3] = [
    Profile::new(
        "dwelling",
        [
            0.10, 0.05, 0.00, 0.00, 0.05, 0.30, 0.70, 0.90, 0.90, 0.80, 0.80, 0.80, 0.80, 0.80,
            0.80, 0.80, 0.85, 0.95, 1.00, 1.00, 1.00, 0.90, 0.60, 0.30,
        ],
    ),
    Profile::new(
        "office",
        [
            0.10, 0.05, 0.00, 0.00, 0.00, 0.20, 0.60, 0.90, 1.00, 1.00, 1.00, 1.00, 1.00, 1.00,
            1.00, 1.00, 1.00, 0.90, 0.60, 0.40, 0.30, 0.20, 0.15, 0.10,
        ],
    ),
    STEADY,
];

static FIELDS: [Field; 6] = [
    Field::default(
        "profile",
        Kind::Choice(&["dwelling", "office", "steady"]),
        "\"dwelling\"",
        "Daily course of the temperature, from all of `setback` (0) to none (1) by the hour (UTC)",
    ),
    Field::default(
        "temperature",
        quantity(Dimension::Temperature, -20.0, 50.0),
        "\"21 °C\"",
        "The temperature at the top of the profile",
    ),
    Field::default("setback", DIFFERENCE, "\"3 K\"", "By how much it is cooler at the bottom"),
    Field::default(
        "temperature_variation",
        DIFFERENCE,
        "\"0.2 K\"",
        "Half width of what is drawn for each step and added to the temperature",
    ),
    step("\"5 min\""),
    Field::default(
        "open",
        Kind::List(&TIMES_TABLE),
        "[]",
        "Times of every day at which its door or window is open, such as \
         `[{ at = \"7 h\", for = \"10 min\" }]`",
    ),
];

pub(crate) const KIND: SourceKind = SourceKind {
    entry: Entry {
        name: "room",
        summary: "a room: temperature, and a door or window that opens and closes",
        description: "A room with one door or window. Its temperature is drawn step by step around \
            a daily course, and does not change within a step. Sensors of rooms are connected to \
            it.",
        fields: &FIELDS,
    },
    build,
};

fn build(
    values: &Values,
    context: &SourceContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Signal> {
    let times = (context.start, context.duration);
    let daily = Daily::read((values, "open"), times, diagnostics)?;
    let course = profile(&PROFILES, values.text("profile"));
    let (warmest, setback_k) = (values.si("temperature"), values.si("setback"));
    let variation_k = values.si("temperature_variation");
    let mut draw = context.streams.stream(&format!("source/{}/room", context.name));
    let steps: Vec<f64> = (0..daily.steps)
        .map(|step| {
            let share = course.share(daily.begin(step));
            warmest - setback_k * (1.0 - share) + variation_k * draw.random_range(-1.0..=1.0)
        })
        .collect();
    let states = daily.pieces().into_iter().map(|piece| {
        (piece.begin, RoomState { celsius: steps[piece.step], is_open: piece.is_within })
    });
    Some(Signal::Pipe(MeteringPoint::Room(Room::new(states)?)))
}
