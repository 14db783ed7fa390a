//! What may be injected into the network of `[grid]`: breakers, steps of loads, set-points.

use lastmeter_params::{Dimension, Entry, Field, Kind};

use super::motion;

/// Most that a load may be set to draw, or to deliver, in W and var: more than any network has.
const POWER_MAX: f64 = 1e12;

/// Twice the rated voltage: more than any source has.
const VOLTAGE_PU_MAX: f64 = 2.0;

const ACTIVE: Kind =
    Kind::Quantity { dimension: Dimension::ActivePower, min: -POWER_MAX, max: POWER_MAX };
const REACTIVE: Kind =
    Kind::Quantity { dimension: Dimension::ReactivePower, min: -POWER_MAX, max: POWER_MAX };

/// What happens to an element of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GridInject {
    Breaker,
    LoadStep,
    SetPoint,
    NodeFault,
    LineFault,
    OpenConductor,
    Fuse,
    Outage,
    Restore,
    Tap,
    GenerationStep,
    SourceVoltage,
    Frequency,
    Storm,
}

impl GridInject {
    pub(crate) const ALL: [Self; 14] = [
        Self::Breaker,
        Self::LoadStep,
        Self::SetPoint,
        Self::NodeFault,
        Self::LineFault,
        Self::OpenConductor,
        Self::Fuse,
        Self::Outage,
        Self::Restore,
        Self::Tap,
        Self::GenerationStep,
        Self::SourceVoltage,
        Self::Frequency,
        Self::Storm,
    ];

    /// Whether a network that only steps has it too.
    pub(crate) fn is_of_steps(self) -> bool {
        matches!(self, Self::Breaker | Self::LoadStep | Self::SetPoint)
    }

    pub(crate) fn entry(self) -> &'static Entry {
        match self {
            Self::Breaker => &BREAKER,
            Self::LoadStep => &LOAD_STEP,
            Self::SetPoint => &SET_POINT,
            Self::NodeFault => &motion::NODE_FAULT,
            Self::LineFault => &motion::LINE_FAULT,
            Self::OpenConductor => &motion::OPEN_CONDUCTOR,
            Self::Fuse => &motion::FUSE,
            Self::Outage => &motion::OUTAGE,
            Self::Restore => &motion::RESTORE,
            Self::Tap => &motion::TAP,
            Self::GenerationStep => &motion::GENERATION_STEP,
            Self::SourceVoltage => &motion::SOURCE_VOLTAGE,
            Self::Frequency => &motion::GRID_FREQUENCY,
            Self::Storm => &motion::STORM,
        }
    }
}

/// The positions that a breaker may be put into.
pub(crate) const OPEN: &str = "open";
const CLOSED: &str = "closed";

static BREAKER: Entry = Entry {
    name: "breaker",
    summary: "a breaker of the network opens or closes",
    description: "A switch of the network of `[grid]`, or a line at both of its ends. It holds from \
        the first step of `[grid]` that begins at `at` or after it, until another injection about \
        the same breaker. Meters of what is de-energised see no voltage, loads there draw nothing.",
    fields: &[
        Field::required("into", Kind::Text, "`breaker:NAME`, a switch of the network or a line"),
        Field::required("state", Kind::Choice(&[OPEN, CLOSED]), "its position from then on"),
    ],
};

static LOAD_STEP: Entry = Entry {
    name: "load-step",
    summary: "a load of the network draws more or less than its profile gives",
    description: "What is given is added to what the profile, or a set-point, gives in each step, \
        at rated voltage. It holds from the first step of `[grid]` that begins at `at` or after \
        it, until another `load-step` of the same load; one of `0 W` ends it.",
    fields: &[
        Field::required("into", Kind::Text, "`load:NAME`, a load of the network"),
        Field::required("active_power", ACTIVE, "what is added; negative: taken off"),
        Field::default("reactive_power", REACTIVE, "\"0 var\"", "what is added to it, likewise"),
    ],
};

static SET_POINT: Entry = Entry {
    name: "set-point",
    summary: "a load of the network draws what is given, or a source has another voltage",
    description: "Of a load, `active_power` and `reactive_power` stand in place of its profile, at \
        rated voltage; of a source, `voltage` is that behind its impedance. It holds from the first \
        step of `[grid]` that begins at `at` or after it, until another `set-point` of the same \
        load or source.",
    fields: &[
        Field::required("into", Kind::Text, "`load:NAME` or `source:NAME` of the network"),
        Field::optional("active_power", ACTIVE, "what the load draws; negative: it delivers"),
        Field::optional("reactive_power", REACTIVE, "the same; `0 var` if left out"),
        Field::optional(
            "voltage",
            Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: VOLTAGE_PU_MAX },
            "of the source, relative to the rated voltage of its node",
        ),
    ],
};
