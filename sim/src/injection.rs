//! The kinds of what may be done to a running source.
//!
//! A kind lists the keys its `[[inject]]` table takes beside `name`, `at` and `kind`, and makes
//! the change of the checked values. All kinds have `source`, the source it happens to; those that
//! last have `for`, others stay. Since a terminal never changes once it is built, all injections
//! are known when it is.

pub(crate) mod components;
pub(crate) mod levels;
pub(crate) mod shapes;
pub(crate) mod steps;

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};
use lastmeter_units::SimDuration;

use crate::disturbance::{Change, Disturbance, Phases, PointOnWave};

/// What a constructor may look at besides its own values.
#[derive(Clone, Copy, Debug)]
pub struct InjectionContext {
    /// Phases of the source, one or three.
    pub phases: usize,
}

/// Makes the change; `None` after a mistake, which is then in the diagnostics.
pub type BuildChange = fn(&Values, InjectionContext, &mut Diagnostics) -> Option<Change>;

/// One kind of injection into a source.
#[derive(Clone, Copy)]
pub struct InjectionKind {
    /// Name, texts and keys.
    pub entry: Entry,
    /// The constructor.
    pub build: BuildChange,
}

impl InjectionKind {
    /// The disturbance that a table describes; `until` is the scenario's end, which whatever has no
    /// `for` lasts to. `None` after a mistake.
    pub fn disturbance(
        &self,
        values: &Values,
        context: InjectionContext,
        until: SimDuration,
        diagnostics: &mut Diagnostics,
    ) -> Option<Disturbance> {
        let at = values.duration("at");
        let change = (self.build)(values, context, diagnostics)?;
        let has_length = self.entry.fields.iter().any(|field| field.name == FOR.name);
        let length = has_length.then(|| values.duration_opt("for").unwrap_or(until - at));
        Some(Disturbance { at, length, change })
    }
}

/// A number of a dimension, within bounds in its SI unit.
pub(crate) const fn quantity(dimension: Dimension, min: f64, max: f64) -> Kind {
    Kind::Quantity { dimension, min, max }
}

/// Longest time that something may take.
const TIME_S_MAX: f64 = 1e9;

const TIME: Kind = quantity(Dimension::Time, 0.0, TIME_S_MAX);
const ANGLE: Kind = quantity(Dimension::Angle, -std::f64::consts::TAU, std::f64::consts::TAU);
const SOURCE: Field = Field::required("source", Kind::Name, "the source it happens to");
const FOR: Field = Field::optional(
    "for",
    quantity(Dimension::Time, 1e-9, TIME_S_MAX),
    "how long, within the scenario; until the end if left out",
);
const OVER: Field =
    Field::default("over", TIME, "\"0 s\"", "in which time, along a straight line; `0 s`: a step");
const PHASES: Field = Field::optional(
    "phases",
    Kind::List(&Kind::Integer { min: 1, max: 3 }),
    "to which phases, such as `[1, 3]`; to all if left out",
);
const START_PHASE: Field = Field::optional(
    "start_phase",
    ANGLE,
    "point on wave: it begins when the undisturbed voltage of the first of its phases next has this \
     angle, counted from the positive zero crossing; at once if left out",
);

fn phases(
    values: &Values,
    context: InjectionContext,
    diagnostics: &mut Diagnostics,
) -> Option<Phases> {
    use lastmeter_params::Value;
    if values.get("phases").is_none() {
        return Some(Phases::ALL);
    }
    let mut found = [false; 3];
    let mistakes = diagnostics.len();
    let list = values.list("phases");
    if list.is_empty() {
        let label = "expected for example `[1]`";
        let span = values.span_of("phases");
        diagnostics.report(Code::OUT_OF_RANGE, span, "it would happen to no phase", label);
    }
    for (value, span) in list {
        let Value::Integer(number) = value else { continue };
        let index = usize::try_from(number - 1).unwrap_or(usize::MAX);
        if index >= context.phases {
            let message = format!("the source has no phase {number}");
            let label = format!("it has {} phase(s)", context.phases);
            diagnostics.report(Code::DOES_NOT_FIT, *span, message, label);
        } else if found[index] {
            let message = format!("phase {number} is given twice");
            diagnostics.report(Code::DOES_NOT_FIT, *span, message, "give each phase once");
        } else {
            found[index] = true;
        }
    }
    (diagnostics.len() == mistakes).then_some(Phases(found))
}

/// The point on wave that `start_phase` gives, of the first of some phases.
fn point(values: &Values, phases: Phases) -> Option<PointOnWave> {
    let angle_rad = values.si_opt("start_phase")?;
    let phase = phases.0.iter().position(|is_hit| *is_hit).unwrap_or(0);
    Some(PointOnWave { phase, angle_rad })
}
