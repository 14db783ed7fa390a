//! Waves that are cut or of another shape: commutation notches, the class tests' currents.

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};

use super::{ANGLE, FOR, InjectionKind, PHASES, SOURCE, phases, quantity};
use crate::disturbance::{Change, Phases};
use crate::plan::WaveShape;

/// How a current may be shaped.
pub(crate) const SHAPES: &[&str] =
    &["sine", "half-wave", "phase-fired", "burst-fired", "quadriform", "peaked"];

pub(crate) const FIRING_ANGLE: Field = Field::default(
    "firing_angle",
    quantity(Dimension::Angle, 0.0, std::f64::consts::PI),
    "\"90 deg\"",
    "with phase-fired: from where on each half wave conducts",
);

pub(crate) const BURST_ON: Field = Field::default(
    "burst_on",
    Kind::Integer { min: 1, max: 10_000 },
    "2",
    "with burst-fired: cycles on",
);

pub(crate) const BURST_OFF: Field = Field::default(
    "burst_off",
    Kind::Integer { min: 1, max: 10_000 },
    "2",
    "with burst-fired: cycles off",
);

/// The shape that `word` and the keys beside it give.
pub(crate) fn shape(
    values: &Values,
    word: &str,
    diagnostics: &mut Diagnostics,
) -> Option<WaveShape> {
    let of = [
        ("firing_angle", "phase-fired"),
        ("burst_on", "burst-fired"),
        ("burst_off", "burst-fired"),
    ];
    for (key, shape) in of {
        if !values.is_default(key) && word != shape {
            let message = format!("`{key}` belongs to the shape `{shape}`, but this is `{word}`");
            let span = values.span_of(key);
            diagnostics.report(Code::DOES_NOT_FIT, span, message, "has no effect");
            return None;
        }
    }
    let cycles = |key: &str| u32::try_from(values.integer(key)).unwrap_or(1);
    Some(match word {
        "half-wave" => WaveShape::HalfWave,
        "phase-fired" => WaveShape::PhaseFired { angle_rad: values.si("firing_angle") },
        "burst-fired" => WaveShape::BurstFired { on: cycles("burst_on"), off: cycles("burst_off") },
        "quadriform" => WaveShape::Quadriform,
        "peaked" => WaveShape::Peaked,
        _ => WaveShape::Sine,
    })
}

pub(crate) const CURRENT_SHAPE: InjectionKind = InjectionKind {
    entry: Entry {
        name: "current_shape",
        summary: "a source's current is cut or shaped as in the class tests for a while",
        description: "`half-wave` lets only the positive half waves through, `phase-fired` each half \
            wave from `firing_angle` on, `burst-fired` `burst_on` whole cycles out of `burst_on` + \
            `burst_off`, from the first positive zero crossing on. What is cut is the current as \
            the source's keys make it, by the angle of its own fundamental: a half wave of 10 A \
            has 7.07 A. `quadriform` and `peaked` add harmonics 3, 5, 7, 11 and 13 of 30, 18, 14, 9 \
            and 5 %, all in phase at the zero crossing, or with the sign of sin(90 degrees h) (OIML \
            R 46-2:2012; the values are unverified). `sine` puts an end to the source's own \
            shape.\n\nA cut current has no spectrum, so devices with `fidelity = \"windows\"` cannot \
            be connected to its source; truth is in closed form all the same.",
        fields: &[
            SOURCE,
            Field::required("shape", Kind::Choice(SHAPES), "of the current"),
            FIRING_ANGLE,
            BURST_ON,
            BURST_OFF,
            PHASES,
            FOR,
        ],
    },
    build: |values, context, diagnostics| {
        let phases = phases(values, context, diagnostics)?;
        let shape = shape(values, values.text("shape"), diagnostics)?;
        Some(Change::Shape { phases, shape })
    },
};

/// The keys that describe where the notches are.
pub(crate) const NOTCH_KEYS: [Field; 4] = [
    Field::default("per_cycle", Kind::Integer { min: 1, max: 100 }, "6", "notches in each cycle"),
    Field::default(
        "angle",
        ANGLE,
        "\"30 deg\"",
        "where the first begins, from the voltage's positive zero crossing",
    ),
    Field::default(
        "width",
        quantity(Dimension::Angle, 1e-6, std::f64::consts::TAU),
        "\"3 deg\"",
        "how wide each is",
    ),
    Field::required("depth", quantity(Dimension::Ratio, 0.0, 2.0), "how much is missing there"),
];

pub(crate) fn notches(
    values: &Values,
    phases: Phases,
    diagnostics: &mut Diagnostics,
) -> Option<Change> {
    let per_cycle = u32::try_from(values.integer("per_cycle")).ok()?;
    let width_rad = values.si("width");
    if width_rad * f64::from(per_cycle) > std::f64::consts::TAU {
        let message = format!("{per_cycle} notches of this width do not fit into a cycle");
        let label = "expected less than a cycle in all";
        diagnostics.report(Code::DOES_NOT_FIT, values.span_of("width"), message, label);
        return None;
    }
    let (first_rad, depth) = (values.si("angle"), values.si("depth"));
    Some(Change::Notch { phases, per_cycle, first_rad, width_rad, depth })
}

static NOTCH_FIELDS: [Field; 7] =
    [SOURCE, NOTCH_KEYS[0], NOTCH_KEYS[1], NOTCH_KEYS[2], NOTCH_KEYS[3], PHASES, FOR];

pub(crate) const NOTCHES: InjectionKind = InjectionKind {
    entry: Entry {
        name: "notches",
        summary: "commutation notches in a source's voltage for a while",
        description: "Parts of each cycle in which the voltage is smaller by `depth`, as a converter \
            makes them while it commutates, at equal distances. A voltage with notches has no \
            spectrum, so devices with `fidelity = \"windows\"` cannot be connected to its source; \
            truth is in closed form all the same.",
        fields: &NOTCH_FIELDS,
    },
    build: |values, context, diagnostics| {
        notches(values, phases(values, context, diagnostics)?, diagnostics)
    },
};
