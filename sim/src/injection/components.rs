//! What is added to a source or modulates it: harmonics, interharmonics, flicker, transients,
//! direct components, noise.

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};
use lastmeter_units::SimDuration;

use super::{
    ANGLE, FOR, InjectionContext, InjectionKind, PHASES, SOURCE, START_PHASE, TIME, phases, point,
    quantity,
};
use crate::disturbance::{Change, Component, ComponentPlace, Modulation};

const SHARE: Kind = quantity(Dimension::Ratio, 0.0, 100.0);

/// The keys of a component beside its place in the spectrum.
const fn component(place: Field) -> [Field; 12] {
    [
        SOURCE,
        place,
        PHASES,
        Field::default(
            "voltage",
            SHARE,
            "\"0 %\"",
            "relative to the undisturbed voltage's fundamental",
        ),
        Field::default(
            "current",
            SHARE,
            "\"0 %\"",
            "relative to the undisturbed current's fundamental",
        ),
        Field::default("voltage_phase", ANGLE, "\"0 deg\"", "angle of the voltage's component"),
        Field::default("current_phase", ANGLE, "\"0 deg\"", "angle of the current's component"),
        Field::default("rise", TIME, "\"0 s\"", "in which time it grows from nothing"),
        Field::default("fall", TIME, "\"0 s\"", "in which time it goes back to nothing at its end"),
        Field::default(
            "swing",
            quantity(Dimension::Ratio, 0.0, 1.0),
            "\"0 %\"",
            "how far its amplitude swings up and down along a sine",
        ),
        Field::default(
            "swing_frequency",
            quantity(Dimension::Frequency, 1e-6, 1000.0),
            "\"1 Hz\"",
            "how often it swings",
        ),
        FOR,
    ]
}

static HARMONIC_FIELDS: [Field; 12] = component(Field::required(
    "order",
    Kind::Integer { min: 2, max: 2500 },
    "multiple of the fundamental's frequency",
));

static INTERHARMONIC_FIELDS: [Field; 12] = component(Field::required(
    "frequency",
    quantity(Dimension::Frequency, 0.001, 1e6),
    "frequency of the component",
));

fn added(
    values: &Values,
    context: InjectionContext,
    diagnostics: &mut Diagnostics,
    place: ComponentPlace,
) -> Option<Change> {
    let phases = phases(values, context, diagnostics)?;
    let (rise, fall) = (values.duration("rise"), values.duration("fall"));
    let length = values.duration_opt("for");
    if length.is_some_and(|length| rise.0.saturating_add(fall.0) > length.0) {
        let key = if rise > SimDuration::ZERO { "rise" } else { "fall" };
        let message = "it would not have grown before it has to go back";
        let label = "`rise` and `fall` together are longer than `for`";
        diagnostics.report(Code::DOES_NOT_FIT, values.span_of(key), message, label);
        return None;
    }
    let component = Component {
        place,
        voltage_share: values.si("voltage"),
        voltage_angle_rad: values.si("voltage_phase"),
        current_share: values.si("current"),
        current_angle_rad: values.si("current_phase"),
        rise,
        fall,
        swing: values.si("swing"),
        swing_hz: values.si("swing_frequency"),
    };
    Some(Change::Component { phases, component })
}

pub(crate) const HARMONIC: InjectionKind = InjectionKind {
    entry: Entry {
        name: "harmonic",
        summary: "a harmonic on a source's voltage or current for a while",
        description: "A cosine at a multiple of the fundamental, which it follows. Its angle counts \
            as in the source `synthetic`: where the voltage's fundamental of its phase has its \
            maximum, also for the current. It may grow, go back and swing.",
        fields: &HARMONIC_FIELDS,
    },
    build: |values, context, diagnostics| {
        let order = u32::try_from(values.integer("order")).ok()?;
        added(values, context, diagnostics, ComponentPlace::Order(order))
    },
};

pub(crate) const INTERHARMONIC: InjectionKind = InjectionKind {
    entry: Entry {
        name: "interharmonic",
        summary: "a component of any frequency on a source's voltage or current for a while",
        description: "A cosine of a frequency of its own, which it keeps; its angle counts where it \
            begins. It may grow, go back and swing.",
        fields: &INTERHARMONIC_FIELDS,
    },
    build: |values, context, diagnostics| {
        let place = ComponentPlace::Hertz(values.si("frequency"));
        added(values, context, diagnostics, place)
    },
};

pub(crate) const FLICKER: InjectionKind = InjectionKind {
    entry: Entry {
        name: "flicker",
        summary: "a source's voltage is modulated, as in the tests of IEC 61000-4-15",
        description: "The voltage is multiplied by `1 + depth/2 sin(2 pi f t)`, or by `1 + depth/2` \
            and `1 - depth/2` in turn. `depth` is dV/V of the standard: from the highest to the \
            lowest level, relative to the mean. How often is given by `frequency`, or by \
            `changes_per_minute`, two of which are one period. The sine is a carrier with two side \
            bands, and each half of the rectangle a piece of its own, so truth is in closed form.",
        fields: &FLICKER_FIELDS,
    },
    build: |values, context, diagnostics| {
        let phases = phases(values, context, diagnostics)?;
        let (modulation, depth, hz) = flicker(values, diagnostics)?;
        Some(Change::Flicker { phases, modulation, depth, hz })
    },
};

static FLICKER_FIELDS: [Field; 7] =
    [SOURCE, FLICKER_KEYS[0], FLICKER_KEYS[1], FLICKER_KEYS[2], FLICKER_KEYS[3], PHASES, FOR];

/// The keys that describe how the voltage is modulated.
pub(crate) const FLICKER_KEYS: [Field; 4] = [
    Field::default("shape", Kind::Choice(&["sine", "rectangle"]), "\"sine\"", "of the modulation"),
    Field::required("depth", quantity(Dimension::Ratio, 0.0, 2.0), "dV/V"),
    Field::optional(
        "frequency",
        quantity(Dimension::Frequency, 1e-6, 1000.0),
        "periods per second; either this or `changes_per_minute`",
    ),
    Field::optional(
        "changes_per_minute",
        quantity(Dimension::Ratio, 1e-4, 120_000.0),
        "changes of the level per minute",
    ),
];

/// Shape, depth and frequency in hertz.
pub(crate) fn flicker(
    values: &Values,
    diagnostics: &mut Diagnostics,
) -> Option<(Modulation, f64, f64)> {
    let (frequency, changes) = (values.si_opt("frequency"), values.si_opt("changes_per_minute"));
    let hz = match (frequency, changes) {
        (Some(hz), None) => hz,
        (None, Some(changes)) => changes / 120.0,
        (Some(_), Some(_)) => {
            let message = "`changes_per_minute` and `frequency` give the same thing twice";
            let span = values.span_of("changes_per_minute");
            diagnostics.report(Code::DOES_NOT_FIT, span, message, "leave out this or `frequency`");
            return None;
        }
        (None, None) => {
            let message = "how often the voltage changes is missing";
            let label = "needs `frequency` or `changes_per_minute`";
            diagnostics.report(Code::MISSING_KEY, values.span, message, label);
            return None;
        }
    };
    let modulation = match values.text("shape") {
        "rectangle" => Modulation::Rectangle,
        _ => Modulation::Sine,
    };
    Some((modulation, values.si("depth"), hz))
}

pub(crate) const TRANSIENT: InjectionKind = InjectionKind {
    entry: Entry {
        name: "transient",
        summary: "an oscillation on a source's voltage that dies away",
        description: "`peak e^(-t/decay) sin(2 pi f t)` is added to the voltages of `phases`, from \
            `at` on, or from the point on the wave that `start_phase` gives. After forty time \
            constants nothing is left.",
        fields: &[
            SOURCE,
            PHASES,
            Field::required("peak", quantity(Dimension::Voltage, -1e7, 1e7), "its amplitude"),
            Field::required(
                "frequency",
                quantity(Dimension::Frequency, 0.0, 1e6),
                "of the oscillation; `0 Hz` leaves nothing",
            ),
            Field::required("decay", quantity(Dimension::Time, 1e-6, 10.0), "its time constant"),
            START_PHASE,
        ],
    },
    build: |values, context, diagnostics| {
        let phases = phases(values, context, diagnostics)?;
        Some(Change::Transient {
            phases,
            peak_v: values.si("peak"),
            hz: values.si("frequency"),
            decay_s: values.si("decay"),
            point: point(values, phases),
        })
    },
};

pub(crate) const DC: InjectionKind = InjectionKind {
    entry: Entry {
        name: "dc",
        summary: "a DC component on a source's voltage or current for a while",
        description: "It is added last: dips and cut currents do not reach it.",
        fields: &[
            SOURCE,
            PHASES,
            Field::default(
                "voltage",
                quantity(Dimension::Voltage, -1e7, 1e7),
                "\"0 V\"",
                "on each voltage",
            ),
            Field::default(
                "current",
                quantity(Dimension::Current, -1e6, 1e6),
                "\"0 A\"",
                "on each current",
            ),
            FOR,
        ],
    },
    build: |values, context, diagnostics| {
        Some(Change::Direct {
            phases: phases(values, context, diagnostics)?,
            voltage_v: values.si("voltage"),
            current_a: values.si("current"),
        })
    },
};

pub(crate) const NOISE: InjectionKind = InjectionKind {
    entry: Entry {
        name: "noise",
        summary: "white noise on a source's voltage or current for a while",
        description: "White Gaussian noise up to half of whatever rate a device samples at; its \
            power adds to that of the source's own noise, and counts in the reference with its \
            expected value.",
        fields: &[
            SOURCE,
            PHASES,
            Field::default(
                "voltage",
                quantity(Dimension::Voltage, 0.0, 1e7),
                "\"0 V\"",
                "RMS value on each voltage",
            ),
            Field::default(
                "current",
                quantity(Dimension::Current, 0.0, 1e6),
                "\"0 A\"",
                "RMS value on each current",
            ),
            FOR,
        ],
    },
    build: |values, context, diagnostics| {
        Some(Change::Noise {
            phases: phases(values, context, diagnostics)?,
            voltage_v: values.si("voltage"),
            current_a: values.si("current"),
        })
    },
};
