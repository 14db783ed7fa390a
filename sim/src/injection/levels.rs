//! Voltages on another level for a while: dips, swells, interruptions, rapid changes, unbalance.

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};

use super::{
    ANGLE, FOR, InjectionContext, InjectionKind, PHASES, SOURCE, START_PHASE, phases, point,
    quantity,
};
use crate::disturbance::Change;

const PHASE_JUMP: Field = Field::default(
    "phase_jump",
    ANGLE,
    "\"0 deg\"",
    "by how much the voltage is ahead meanwhile; a dip often has it behind",
);

/// The keys of a level that is given by `to`.
const fn level(to: Field) -> [Field; 6] {
    [SOURCE, to, PHASES, START_PHASE, PHASE_JUMP, FOR]
}

static DIP_FIELDS: [Field; 6] = level(Field::required(
    "to",
    quantity(Dimension::Ratio, 0.0, 1.0),
    "residual voltage, relative to before",
));

static SWELL_FIELDS: [Field; 6] = level(Field::required(
    "to",
    quantity(Dimension::Ratio, 1.0, 10.0),
    "voltage during the swell, relative to before",
));

static RAPID_FIELDS: [Field; 6] = level(Field::required(
    "to",
    quantity(Dimension::Ratio, 0.0, 10.0),
    "voltage after the change, relative to before",
));

/// The change of all phases that are hit to one level.
fn to_level(
    values: &Values,
    context: InjectionContext,
    diagnostics: &mut Diagnostics,
    to: f64,
) -> Option<Change> {
    let hit = phases(values, context, diagnostics)?;
    let jump = if values.get("phase_jump").is_some() { values.si("phase_jump") } else { 0.0 };
    Some(Change::Level {
        factors: std::array::from_fn(|phase| if hit.has(phase) { to } else { 1.0 }),
        jumps_rad: std::array::from_fn(|phase| if hit.has(phase) { jump } else { 0.0 }),
        point: point(values, hit),
    })
}

pub(crate) const DIP: InjectionKind = InjectionKind {
    entry: Entry {
        name: "dip",
        summary: "a source's voltage falls to a part of itself for a while",
        description: "The voltages of `phases` fall to `to` of what they were, with a jump of their \
            angle if there is one, and come back after `for`. With `start_phase` it begins at that \
            point on the wave, exactly, and lasts from there.",
        fields: &DIP_FIELDS,
    },
    build: |values, context, diagnostics| to_level(values, context, diagnostics, values.si("to")),
};

pub(crate) const SWELL: InjectionKind = InjectionKind {
    entry: Entry {
        name: "swell",
        summary: "a source's voltage rises for a while",
        description: "The voltages of `phases` rise to `to` of what they were, and come back after `for`; \
            all else is as with a `dip`. A converter may clip at its top.",
        fields: &SWELL_FIELDS,
    },
    build: |values, context, diagnostics| to_level(values, context, diagnostics, values.si("to")),
};

pub(crate) const INTERRUPTION: InjectionKind = InjectionKind {
    entry: Entry {
        name: "interruption",
        summary: "a source's voltage is gone for a while",
        description: "As a `dip` to nothing. The currents go on; `amplitude` switches them off.",
        fields: &[SOURCE, PHASES, START_PHASE, FOR],
    },
    build: |values, context, diagnostics| to_level(values, context, diagnostics, 0.0),
};

pub(crate) const RAPID_CHANGE: InjectionKind = InjectionKind {
    entry: Entry {
        name: "rapid_change",
        summary: "a source's voltage changes from one steady level to another",
        description: "A rapid voltage change: a step to `to`, within the thresholds of dips and \
            swells or not, which lasts to the end unless `for` is given.",
        fields: &RAPID_FIELDS,
    },
    build: |values, context, diagnostics| to_level(values, context, diagnostics, values.si("to")),
};

pub(crate) const UNBALANCE: InjectionKind = InjectionKind {
    entry: Entry {
        name: "unbalance",
        summary: "a source's voltages are on different levels for a while",
        description: "Each voltage goes to its own part of what it was, and ahead by its own angle. \
            `factors = [\"100 %\", \"95 %\", \"105 %\"]` makes an unbalance u2 and u0 of 2.887 %.",
        fields: &[
            SOURCE,
            Field::required(
                "factors",
                Kind::List(&quantity(Dimension::Ratio, 0.0, 10.0)),
                "one for each phase, relative to before",
            ),
            Field::optional(
                "angles",
                Kind::List(&ANGLE),
                "one for each phase: by how much it is ahead meanwhile",
            ),
            FOR,
        ],
    },
    build: |values, context, diagnostics| {
        let mistakes = diagnostics.len();
        let mut list = |key: &str, default: f64| {
            let found = values.si_list(key);
            if values.get(key).is_some() && found.len() != context.phases {
                let (count, phases) = (found.len(), context.phases);
                let message = format!("`{key}` has {count} values, but the source {phases} phases");
                let label = format!("expected {phases} values");
                diagnostics.report(Code::DOES_NOT_FIT, values.span_of(key), message, label);
            }
            std::array::from_fn(|phase| found.get(phase).copied().unwrap_or(default))
        };
        let (factors, jumps_rad) = (list("factors", 1.0), list("angles", 0.0));
        let is_sound = diagnostics.len() == mistakes;
        is_sound.then_some(Change::Level { factors, jumps_rad, point: None })
    },
};

pub(crate) const REVERSED_SEQUENCE: InjectionKind = InjectionKind {
    entry: Entry {
        name: "reversed_sequence",
        summary: "a source's phases follow each other in reversed order for a while",
        description: "Voltages and currents of L2 and L3 change places.",
        fields: &[SOURCE, FOR],
    },
    build: |values, context, diagnostics| {
        if context.phases != 3 {
            let message = "a source of one phase has no sequence to reverse";
            let span = values.span_of("source");
            diagnostics.report(Code::DOES_NOT_FIT, span, message, "expected three phases");
            return None;
        }
        Some(Change::ReversedSequence)
    },
};
