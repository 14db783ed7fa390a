//! What may be injected into the network of `[grid]`: faults, switching, steps of loads, sources
//! that change.
//!
//! A network that only steps has those with a `step`; one in motion plays them all.
//!
//! Larger than its budget: it holds fourteen kinds.

mod change;
mod fault;
mod storm;
mod switching;

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Span};

use super::kind::InjectKind;
use super::target::Places;
use crate::draft::{Draft, Row};
use crate::references::Target;
use crate::section::grid::{GRID, NetworkInjection, NetworkKind};
use crate::section::scenario::DURATION_S_MAX;

pub(super) static INJECTIONS: &[&NetworkKind] = &[
    &switching::BREAKER,
    &change::LOAD_STEP,
    &change::SET_POINT,
    &fault::NODE_FAULT,
    &fault::LINE_FAULT,
    &switching::OPEN_CONDUCTOR,
    &switching::FUSE,
    &switching::OUTAGE,
    &switching::RESTORE,
    &change::TAP,
    &change::GENERATION_STEP,
    &change::SOURCE_VOLTAGE,
    &change::GRID_FREQUENCY,
    &storm::STORM,
];

/// Which injection into the network a table has.
pub(crate) fn network_kind_of(row: &Row<'_>) -> Option<&'static NetworkKind> {
    row.kind_of(INJECTIONS, |kind| &kind.entry).copied()
}

impl NetworkKind {
    /// One that does nothing, to begin a row with.
    const PLAIN: Self = Self {
        entry: Entry { name: "", summary: "", description: "", fields: &[] },
        is_fault: false,
        opens: false,
        step: None,
        prepare: |_, _| None,
        play: |_, _| None,
    };
}

impl InjectKind for NetworkKind {
    fn entry(&self) -> Entry {
        self.entry
    }

    /// What is injected into a network needs one.
    fn check(&self, row: &Row<'_>, draft: &Draft<'_>, out: &mut Diagnostics) {
        if draft.single(&GRID).is_some() || !draft.all_read(&GRID) {
            return;
        }
        let (kind, span) = row.text("kind").unwrap_or(("", row.span));
        let message = format!("a `{kind}` needs a network, and there is no `[grid]`");
        let help = "write `[grid]` with the `file` of a network".to_owned();
        let label = "no network to inject it into";
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help));
    }

    fn target(&self, _row: &Row<'_>, _places: &mut Places<'_>) -> Option<Target> {
        Some(Target::Network)
    }
}

const TIME: Kind = Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: DURATION_S_MAX };
const LENGTH: Kind = Kind::Quantity { dimension: Dimension::Time, min: 1e-6, max: DURATION_S_MAX };

const FOR: Field =
    Field::optional("for", LENGTH, "until when, counted from `at`; left out, until the end");

/// Which conductors are broken: one of them if that is left out, or the neutral wire.
const BROKEN: Field = Field::default(
    "phases",
    Kind::Choice(&["a", "b", "c", "ab", "bc", "ca", "abc", "n"]),
    "\"a\"",
    "which conductors; `n` is the neutral wire",
);

/// Which conductors are shorted, one of them if that is left out.
const SHORTED: Field = Field::default(
    "phases",
    Kind::Choice(&["a", "b", "c", "ab", "bc", "ca", "abc", "an", "bn", "cn"]),
    "\"a\"",
    "which conductors; with `n` a phase and the neutral wire, with each other",
);

/// Which conductors, all if that is left out.
const ALL_PHASES: Field = Field::default(
    "phases",
    Kind::Choice(&["a", "b", "c", "ab", "bc", "ca", "abc"]),
    "\"abc\"",
    "which conductors",
);

/// Most that a load may be set to draw, or to deliver, in W and var: more than any network has.
const POWER_MAX: f64 = 1e12;

const ACTIVE: Kind =
    Kind::Quantity { dimension: Dimension::ActivePower, min: -POWER_MAX, max: POWER_MAX };
const REACTIVE: Kind =
    Kind::Quantity { dimension: Dimension::ReactivePower, min: -POWER_MAX, max: POWER_MAX };

/// Relative to the rated voltage: twice that is more than any source has.
const VOLTAGE: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 2.0 };

/// Reports an element that is of none of the kinds it could be.
fn refuse_target<T>(
    (into, span): (&str, Span),
    expected: &str,
    out: &mut Diagnostics,
) -> Option<T> {
    let message = format!("`{into}` is nothing that this can be injected into");
    out.report(Code::BAD_NAME, span, message, format!("expected {expected}"));
    None
}
