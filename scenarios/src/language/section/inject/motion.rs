//! What may be injected into a network in motion: faults, open conductors, outages and what ends
//! them, and sources that change.

use std::f64::consts::TAU;

use lastmeter_params::{Dimension, Entry, Field, Kind};

use crate::language::section::scenario::DURATION_S_MAX;

const TIME: Kind = Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: DURATION_S_MAX };
const LENGTH: Kind = Kind::Quantity { dimension: Dimension::Time, min: 1e-6, max: DURATION_S_MAX };

const ARC: Kind = Kind::Quantity { dimension: Dimension::Voltage, min: 1e-3, max: 1e7 };

const PHASES: Field = Field::default(
    "phases",
    Kind::Choice(&["a", "b", "c", "ab", "bc", "ca", "abc"]),
    "\"a\"",
    "which conductors",
);

const ALL_PHASES: Field = Field::default(
    "phases",
    Kind::Choice(&["a", "b", "c", "ab", "bc", "ca", "abc"]),
    "\"abc\"",
    "which conductors",
);

const EARTH: Field =
    Field::default("earth", Kind::Boolean, "true", "whether to earth, or only with each other");

const RESISTANCE: Field = Field::default(
    "resistance",
    Kind::Quantity { dimension: Dimension::Resistance, min: 0.0, max: 1e9 },
    "\"0 ohm\"",
    "of each conductor to earth, or from one to the other",
);

const ANGLE: Field = Field::optional(
    "angle",
    Kind::Quantity { dimension: Dimension::Angle, min: 0.0, max: TAU },
    "it begins when the voltage that it shorts is at this angle from its positive zero crossing, \
     within a period after `at`; left out, at `at`",
);

const FAULT_FOR: Field = Field::optional(
    "for",
    LENGTH,
    "it ends so much after `at`, each current at its zero; left out, not by itself",
);

const EXTINGUISHES: Field = Field::optional(
    "extinguishes",
    LENGTH,
    "a fault of an arc: gone after so much time without a current through it, with `arc_voltage` \
     within a half wave too; left out, it stays",
);

const ARC_VOLTAGE: Field = Field::optional(
    "arc_voltage",
    ARC,
    "an arc burns: a direct voltage against its current, which flows only where the network's \
     voltage is above it, behind `resistance`. Its waveforms go on until it is over. Needs \
     `resolution = \"waveforms\"`",
);

const ARC_VOLTAGE_NEGATIVE: Field = Field::optional(
    "arc_voltage_negative",
    ARC,
    "the same in negative half waves; another one makes even harmonics. Left out, `arc_voltage`",
);

const ARC_TIME_CONSTANT: Field = Field::optional(
    "arc_time_constant",
    Kind::Quantity { dimension: Dimension::Time, min: 1e-5, max: 10.0 },
    "the arc's conductance follows the stationary one, `1 / (arc_voltage / current + resistance)`, \
     with this time constant; it begins with that of `resistance`, at most 100 S",
);

const FOR: Field =
    Field::optional("for", LENGTH, "until when, counted from `at`; left out, until the end");

pub(super) static NODE_FAULT: Entry = Entry {
    name: "node-fault",
    summary: "conductors at a node of the network are shorted",
    description: "To earth, or with each other. Needs `resolution` of `[grid]` other than \
        `steps`. Fuses and relays of `[[grid.protection]]` see its currents; what they do is in the \
        record as `operated`.",
    fields: &[
        Field::required("into", Kind::Text, "`node:NAME`"),
        PHASES,
        EARTH,
        RESISTANCE,
        ANGLE,
        FAULT_FOR,
        EXTINGUISHES,
        ARC_VOLTAGE,
        ARC_VOLTAGE_NEGATIVE,
        ARC_TIME_CONSTANT,
    ],
};

pub(super) static LINE_FAULT: Entry = Entry {
    name: "line-fault",
    summary: "conductors along a line of the network are shorted",
    description: "As a `node-fault`, at a place along a line: by its share of the length from the \
        end `from`, or by its distance in metres from there where the line has a length.",
    fields: &[
        Field::required("into", Kind::Text, "`line:NAME`"),
        Field::optional(
            "position",
            Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1.0 },
            "share of the line's length; left out with `distance_m` too, 50 %",
        ),
        Field::optional(
            "distance_m",
            Kind::Integer { min: 0, max: 10_000_000 },
            "the same in metres",
        ),
        PHASES,
        EARTH,
        RESISTANCE,
        ANGLE,
        FAULT_FOR,
        EXTINGUISHES,
        ARC_VOLTAGE,
        ARC_VOLTAGE_NEGATIVE,
        ARC_TIME_CONSTANT,
    ],
};

pub(super) static OPEN_CONDUCTOR: Entry = Entry {
    name: "open-conductor",
    summary: "conductors of a line or a switch are broken",
    description: "Each at the zero of its current; what is behind them keeps what it gets by the \
        others.",
    fields: &[Field::required("into", Kind::Text, "`line:NAME` or `switch:NAME`"), PHASES, FOR],
};

pub(super) static FUSE: Entry = Entry {
    name: "fuse",
    summary: "fuses of a switch are gone, whatever flows",
    description: "As if somebody had taken them out: the poles open at the zeros of their \
        currents. `restore` puts new ones in.",
    fields: &[Field::required("into", Kind::Text, "`switch:NAME`"), ALL_PHASES],
};

pub(super) static OUTAGE: Entry = Entry {
    name: "outage",
    summary: "something of the network is switched off",
    description: "A switch, a line, a transformer, a load or a source is cut off in all phases: a \
        planned outage, or one that nobody explains. Whatever is fed through it alone is dark; \
        what is due of a meter there that lives on its supply (`hold_up`) is no loss.",
    fields: &[
        Field::required(
            "into",
            Kind::Text,
            "`switch:NAME`, `line:NAME`, `transformer:NAME`, `load:NAME` or `source:NAME`",
        ),
        FOR,
        Field::default(
            "planned",
            Kind::Boolean,
            "false",
            "whether it was announced to customers: what begins by that alone is a planned \
             interruption, which checks `unserved` may leave out (IEEE 1366)",
        ),
    ],
};

pub(super) static RESTORE: Entry = Entry {
    name: "restore",
    summary: "what was switched off comes back, or a fault is mended",
    description: "Closes what an `outage`, an `open-conductor`, a fuse or a breaker has opened; a \
        protective device begins again, and fuses are replaced. `fault:NAME` mends the fault of an \
        injection with that name: do that first.",
    fields: &[Field::required(
        "into",
        Kind::Text,
        "`switch:NAME`, `line:NAME`, `transformer:NAME`, `load:NAME`, `source:NAME` or `fault:NAME`",
    )],
};

pub(super) static TAP: Entry = Entry {
    name: "tap",
    summary: "the taps of a transformer move",
    description: "To a position of the winding that has taps. A regulator of the network moves on \
        from there.",
    fields: &[
        Field::required("into", Kind::Text, "`transformer:NAME`"),
        Field::required("position", Kind::Integer { min: -1000, max: 1000 }, "where to"),
    ],
};

const POWER: Kind = Kind::Quantity { dimension: Dimension::ActivePower, min: -1e12, max: 1e12 };

pub(super) static GENERATION_STEP: Entry = Entry {
    name: "generation-step",
    summary: "a generator of the network delivers more or less than its profile gives",
    description: "A generator is a load with a negative power. It holds until another one, or a \
        `load-step`, into the same element; `0 W` ends it.",
    fields: &[
        Field::required("into", Kind::Text, "`load:NAME`, as generators are called too"),
        Field::required("active_power", POWER, "what it delivers more; negative: less"),
    ],
};

pub(super) static SOURCE_VOLTAGE: Entry = Entry {
    name: "source-voltage",
    summary: "the voltage of a source goes to another value, at once or along a ramp",
    description: "Behind its impedance. A ramp goes in steps of 0.1 s. It holds until another one \
        or a `set-point` of the same source.",
    fields: &[
        Field::required("into", Kind::Text, "`source:NAME`"),
        Field::required(
            "to",
            Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 2.0 },
            "relative to the rated voltage of its node",
        ),
        Field::default("over", TIME, "\"0 s\"", "how long the ramp takes"),
    ],
};

pub(super) static GRID_FREQUENCY: Entry = Entry {
    name: "grid-frequency",
    summary: "the frequency of the whole network goes to another value, swinging or not",
    description: "At once, or along a ramp, then perhaps swinging about it: each half period a \
        ramp from one extreme to the other, half as far each time. Voltages and currents keep \
        their sizes: what reactances change by is left out. Not beside faults by waveforms, which \
        have the rated frequency.",
    fields: &[
        Field::required(
            "to",
            Kind::Quantity { dimension: Dimension::Frequency, min: 1.0, max: 1000.0 },
            "the frequency that it goes to",
        ),
        Field::default("over", TIME, "\"0 s\"", "how long the ramp takes"),
        Field::optional(
            "swing",
            Kind::Quantity { dimension: Dimension::Frequency, min: 1e-6, max: 10.0 },
            "how far it swings beyond it at first",
        ),
        Field::default("period", LENGTH, "\"2 s\"", "of a swing"),
        Field::default("swings", Kind::Integer { min: 1, max: 100 }, "4", "how many periods"),
    ],
};

pub(super) static STORM: Entry = Entry {
    name: "storm",
    summary: "faults at random places and instants, each mended after a while",
    description: "Within `for` from `at` on, `faults` of them at instants that are drawn evenly, \
        each on a line of `into` (the longer, the likelier), anywhere along it: 70 % one conductor \
        to earth, 15 % two with each other, 10 % two to earth, 5 % all three; resistances from 0.5 % \
        of `resistance` up to it, evenly on a logarithmic axis; inception at any angle. A share of `temporary` is \
        gone after 0.1 s without current. All others are mended after `repair`, and what \
        protective devices have opened is closed again. Drawn from the random stream \
        `grid.storm.NUMBER` of the scenario's seed.",
    fields: &[
        Field::default("into", Kind::Text, "\"line:*\"", "which lines, as a pattern"),
        Field::required("faults", Kind::Integer { min: 1, max: 10_000 }, "how many"),
        Field::required("for", LENGTH, "within which time"),
        Field::default(
            "resistance",
            Kind::Quantity { dimension: Dimension::Resistance, min: 1e-3, max: 1e6 },
            "\"20 ohm\"",
            "the largest of a fault",
        ),
        Field::default(
            "temporary",
            Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1.0 },
            "\"50 %\"",
            "the share that is gone once its current is interrupted",
        ),
        Field::default("repair", LENGTH, "\"1 h\"", "how long a crew takes"),
    ],
};
