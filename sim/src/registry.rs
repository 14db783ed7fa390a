//! What a scenario may name: every kind of source, and of injection into one.

use crate::injection::{InjectionKind, components, levels, shapes, steps};
use crate::source::{
    SourceKind, heat_circuit, recording, room, spectrum_table, synthetic, water_supply,
};

/// Every kind of source.
pub static SOURCES: &[SourceKind] = &[
    synthetic::KIND,
    recording::KIND,
    spectrum_table::KIND,
    heat_circuit::KIND,
    water_supply::KIND,
    room::KIND,
];

/// Every kind of injection into a source.
pub static INJECTIONS: &[InjectionKind] = &[
    steps::AMPLITUDE,
    steps::FREQUENCY,
    steps::ANGLE,
    steps::TEMPERATURE,
    levels::DIP,
    levels::SWELL,
    levels::INTERRUPTION,
    levels::RAPID_CHANGE,
    levels::UNBALANCE,
    levels::REVERSED_SEQUENCE,
    components::HARMONIC,
    components::INTERHARMONIC,
    components::FLICKER,
    components::TRANSIENT,
    components::DC,
    components::NOISE,
    shapes::NOTCHES,
    shapes::CURRENT_SHAPE,
];
