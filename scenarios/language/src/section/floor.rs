//! `[floor]`: how the floor is measured.

use std::time::Duration;

use lastmeter_params::{Dimension, Field, Kind, Values};
use lastmeter_reports::CheckKind;

use super::check::{CHECK, kind_of};
use super::link::VIA;
use super::scenario::is_in_real_time;
use crate::draft::{Draft, Section};
use crate::references::Via;

pub(crate) static FLOOR: Section = Section {
    name: "floor",
    doc: "How the floor is measured: what this machine, its timers and the broker cost by \
        themselves, before and after a run in real time. A latency limit below ten times \
        the floor's 99th percentile is not measurable here. Without this section it is measured if \
        a check judges latency (`latency`, `jitter`, `recovery`, `published`), else not.",
    fields: &[
        Field::default(
            "messages",
            Kind::Integer { min: 100, max: 1_000_000 },
            "2000",
            "echo messages, and as many timer probes, before and after the run",
        ),
        Field::default(
            "period",
            Kind::Quantity { dimension: Dimension::Time, min: 1e-4, max: 10.0 },
            "\"2 ms\"",
            "from one echo message to the next; they are sent by the clock, not after the answer",
        ),
        VIA,
    ],
    is_implied: is_needed,
    ..Section::ONCE
};

/// Whether it is measured even if nothing is written about it.
fn is_needed(draft: &Draft<'_>) -> bool {
    let mut kinds = draft.rows(&CHECK).iter().filter_map(kind_of);
    is_in_real_time(draft) && kinds.any(CheckKind::needs_floor)
}

/// How the floor is measured, before and after a run in real time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FloorRow {
    /// Echo messages, and as many timer probes.
    pub messages: u32,
    /// From one echo message to the next.
    pub period: Duration,
    /// The index of the link the echo goes through; `None`: straight to the platform.
    pub via: Option<usize>,
}

pub(super) fn wall(values: &Values, key: &str) -> Duration {
    Duration::from_secs_f64(values.si(key))
}

pub(crate) fn floor(values: &Values, via: Via) -> Option<FloorRow> {
    Some(FloorRow {
        messages: u32::try_from(values.integer("messages")).ok()?,
        period: wall(values, "period"),
        via: via.ok()?,
    })
}
