//! What is set and stays: amplitude, frequency, angle and ambient temperature, as steps and ramps.

use lastmeter_params::{Dimension, Entry, Field, Kind, Values};

use super::{ANGLE as ANGLE_KIND, InjectionKind, OVER, PHASES, SOURCE, phases, quantity};
use crate::disturbance::{Change, Side};

/// What electronics are built for, with a margin.
const CELSIUS: Kind = quantity(Dimension::Ratio, -60.0, 120.0);

fn side(values: &Values) -> Side {
    Side::from_word(values.text("of")).unwrap_or(Side::Voltage)
}

pub(crate) const AMPLITUDE: InjectionKind = InjectionKind {
    entry: Entry {
        name: "amplitude",
        summary: "a source's voltage or current steps or ramps to a part of what it was given as",
        description: "All that the channel carries, harmonics and DC component included, goes \
            to `to` of what the source's own keys give, and stays there; a later `amplitude` starts \
            from where it is then. `current` with `to = \"0 %\"` switches the load off. What happens \
            for a while only is a `dip`, a `swell` or a `rapid_change`, which multiply with it.",
        fields: &[
            SOURCE,
            Field::default("of", Kind::Choice(Side::WORDS), "\"voltage\"", "what changes"),
            PHASES,
            Field::required(
                "to",
                quantity(Dimension::Ratio, 0.0, 100.0),
                "where it goes, relative to the source's keys",
            ),
            OVER,
        ],
    },
    build: |values, context, diagnostics| {
        Some(Change::Amplitude {
            side: side(values),
            phases: phases(values, context, diagnostics)?,
            to: values.si("to"),
            over: values.duration("over"),
        })
    },
};

pub(crate) const FREQUENCY: InjectionKind = InjectionKind {
    entry: Entry {
        name: "frequency",
        summary: "a source's frequency steps or ramps to another",
        description: "The fundamental goes to `to` and stays there; harmonics follow, interharmonics \
            keep their frequencies. The angle goes on without a jump. The reference of the frequency \
            is the mean of the true one over the span; during a ramp there is no reference of THD.",
        fields: &[
            SOURCE,
            Field::required("to", quantity(Dimension::Frequency, 1.0, 1000.0), "where it goes"),
            OVER,
        ],
    },
    build: |values, _, _| {
        Some(Change::Frequency { to_hz: values.si("to"), over: values.duration("over") })
    },
};

pub(crate) const ANGLE: InjectionKind = InjectionKind {
    entry: Entry {
        name: "angle",
        summary: "a source's wave jumps or glides ahead by an angle",
        description: "The whole wave of the channels, harmonics included, goes ahead by `by` of the \
            fundamental, and stays there; several add up. `of = \"current\"` with a negative angle \
            makes the current lag more. While it glides the frequency of these channels differs; \
            the reference of the frequency is that of the undisturbed fundamental.",
        fields: &[
            SOURCE,
            Field::default("of", Kind::Choice(Side::WORDS), "\"both\"", "what moves"),
            PHASES,
            Field::required("by", ANGLE_KIND, "by how much it goes ahead"),
            OVER,
        ],
    },
    build: |values, context, diagnostics| {
        Some(Change::Angle {
            side: side(values),
            phases: phases(values, context, diagnostics)?,
            by_rad: values.si("by"),
            over: values.duration("over"),
        })
    },
};

pub(crate) const TEMPERATURE: InjectionKind = InjectionKind {
    entry: Entry {
        name: "temperature",
        summary: "the ambient temperature of the devices at a source steps or ramps to another",
        description: "The devices at the source are at 23 degrees Celsius before, the reference \
            temperature of the standards, and at `to` from then on; a ramp goes in steps of at \
            most a quarter of a kelvin. The source and the reference stay as they are: what changes \
            is what the temperature does to a device (`voltage_gain_temperature` and the like, \
            `clock_temperature`), at once and without a thermal time constant. A device with such \
            a slope needs `fidelity = \"samples\"`.",
        fields: &[
            SOURCE,
            Field::required("to", CELSIUS, "in degrees Celsius, a number without a unit"),
            OVER,
        ],
    },
    build: |values, _, _| {
        Some(Change::Temperature { celsius: values.si("to"), over: values.duration("over") })
    },
};
