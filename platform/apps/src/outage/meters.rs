//! What is known of each meter, and how much it weighs for it being in the dark.

use std::collections::BTreeSet;

use lastmeter_grid::network::Wires;
use lastmeter_units::{HardwareId, SimDuration, SimTime};

use super::Parameters;
use super::areas::ElementKind;
use super::score::millionths;

/// A meter and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Meter {
    /// Its hardware id.
    pub id: HardwareId,
    /// The load of the network that it measures.
    pub load: String,
    /// Whether it sends a last gasp when its supply fails; one that does not is expected in an
    /// area, and its silence is no sign of anything.
    pub is_equipped: bool,
}

/// What is known of a meter now.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// The load that it measures in the tree; none if that is without supply by the switches.
    pub(super) element: Option<u32>,
    /// The phases that are out if it is in the dark.
    pub(super) phases: Wires,
    /// When its last gasp came, until it is known to be lit.
    pub(super) gasp: Option<SimTime>,
    /// The date of its last gasp by its own clock, by which repetitions are known and readings are
    /// placed before or after it.
    pub(super) gasp_date: Option<SimTime>,
    /// The date of its last power-up message.
    pub(super) power_up_date: Option<SimTime>,
    /// Whether it has powered up since, in no outage yet.
    pub(super) has_returned: bool,
    /// Whether it was not back when an outage ended: its gasp counts only with its silence since.
    pub(super) is_left: bool,
    /// Readings that it owed since the last one.
    pub(super) missing: u8,
    /// Polls without an answer since the last reading.
    pub(super) unanswered: u8,
    /// Whether it was in the dark by what is no longer known after a restart.
    pub(super) was_judged: bool,
    /// When it was last known to be lit.
    pub(super) heard: Option<SimTime>,
    /// How much later than dated its last reading came.
    pub(super) behind: SimDuration,
    /// Alerts that came until then are in what was reported before a restart.
    pub(super) settled: Option<SimTime>,
    /// The outage that it is a member of, by its number.
    pub(super) outage: Option<u32>,
    /// The outage that it was a member of last, and from when on signs count for that.
    pub(super) joined: Option<(u32, SimTime)>,
}

/// Who is without supply by an element that was switched off.
#[derive(Clone, Debug)]
pub(super) struct SwitchedOff {
    /// The element farthest upstream, and its phases.
    pub(super) element: (ElementKind, String, Wires),
    pub(super) is_planned: bool,
    pub(super) meters: BTreeSet<usize>,
}

/// Signs of one kind are counted so often: what is wrong with a meter makes all of them.
const SIGNS_MAX: u8 = 3;

/// The weights of signs, millionths of the natural logarithm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weights {
    gasp: i64,
    no_gasp: i64,
    missing: i64,
    unanswered: i64,
    pub(super) heard: i64,
}

impl Weights {
    pub(super) fn new(of: &Parameters) -> Self {
        let log = |dark: f64, lit: f64| millionths((dark / lit).ln());
        let Parameters { gasp, false_gasp, missed, unanswered, answer_in_dark, .. } = *of;
        Self {
            gasp: log(gasp, false_gasp),
            no_gasp: log(1.0 - gasp, 1.0 - false_gasp),
            missing: log(1.0 - answer_in_dark, missed),
            unanswered: log(1.0 - answer_in_dark, unanswered),
            heard: log(answer_in_dark, 1.0 - missed),
        }
    }
}

impl Standing {
    /// Its weight for being in the dark since an instant.
    pub(super) fn weight(&self, is_equipped: bool, since: SimTime, by: &Weights) -> i64 {
        let gasp = match self.gasp {
            Some(_) if self.has_sign() => by.gasp,
            None if is_equipped => by.no_gasp,
            _ => 0,
        };
        let heard = match self.heard {
            _ if self.has_returned => by.gasp,
            Some(at) if at > since => by.heard,
            _ => 0,
        };
        let times = |count: u8, weight: i64| i64::from(count.min(SIGNS_MAX)) * weight;
        let silence = times(self.missing, by.missing) + times(self.unanswered, by.unanswered);
        gasp + heard + silence + if self.was_judged { 2 * by.missing } else { 0 }
    }

    /// Whether it is a sign of an outage.
    pub(super) fn has_sign(&self) -> bool {
        let is_silent = self.missing > 0 || self.unanswered > 0;
        self.has_returned || self.gasp.is_some() && (is_silent || !self.is_left)
    }

    /// Where an instant of its clock is in time: what comes late by as much as before was dated by
    /// a clock that is wrong, what does not comes late.
    pub(super) fn dated(&mut self, date: SimTime, now: SimTime, limit: SimDuration) -> SimTime {
        let behind = since(now, date);
        let is_steady = since(SimTime(behind.0), SimTime(self.behind.0)).0.abs() <= limit.0;
        self.behind = behind;
        if is_steady && behind.0.abs() > limit.0 { now } else { date.min(now) }
    }

    /// It is lit from an instant on: no sign of the time before counts any more.
    pub(super) fn mark_lit(&mut self, at: SimTime) {
        self.heard = Some(self.heard.map_or(at, |before| before.max(at)));
        (self.missing, self.unanswered, self.was_judged) = (0, 0, false);
    }

    /// Nothing is held against it any more.
    pub(super) fn clear(&mut self) {
        (self.gasp, self.has_returned, self.is_left) = (None, false, false);
        (self.missing, self.unanswered, self.was_judged) = (0, 0, false);
    }
}

/// How much later an instant is than a date, which may be any; never less than the least number, so
/// that it has an absolute value.
pub(super) fn since(now: SimTime, date: SimTime) -> SimDuration {
    SimDuration(now.0.saturating_sub(date.0).max(-i64::MAX))
}
