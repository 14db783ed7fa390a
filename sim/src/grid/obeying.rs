//! A network in motion that obeys: played from one instant to the next, with orders to its switches
//! at the instants in between.
//!
//! An order given at an instant does what the same switching does that is known ahead, bit by bit,
//! wherever somebody stopped before. What was played beyond the instant, since pieces and waves end
//! where they do, is taken back and played again. Waves alone notice a difference: those that end
//! less than two periods before a switching go on up to it where it is known ahead, which they
//! cannot where it is not.

use lastmeter_grid::motion::{Event, MotionError, NetworkAction, OperationKind};
use lastmeter_grid::transient::Pole;
use lastmeter_units::SimDuration;

use super::playing::{Checkpoint, Playing};
use super::solved_network::{NetworkFailure, SolvedNetwork};
use super::switch_point::SwitchState;

/// A network in motion whose switches are ordered while it is played.
#[derive(Clone, Debug)]
pub struct ObeyingNetwork {
    pub(super) playing: Playing,
    /// Where it was when nothing was known beyond the present instant.
    back: Option<Checkpoint>,
    now: SimDuration,
}

impl ObeyingNetwork {
    /// A network before its first step; `None` if it only steps: its switches have no instants.
    #[must_use]
    pub fn new(playing: Playing) -> Option<Self> {
        playing.motion()?;
        Some(Self { playing, back: None, now: SimDuration::ZERO })
    }

    /// Orders a switch, by its place in the network, to open or close at the present instant, after
    /// whatever else happens there. What comes of it shows when it is played on.
    ///
    /// # Errors
    /// If there is no such switch; then nothing is changed.
    pub fn order(&mut self, switch: usize, is_closed: bool) -> Result<(), MotionError> {
        let pole = Pole::All;
        let what = if is_closed {
            NetworkAction::Close { switch, pole }
        } else {
            NetworkAction::Open { switch, pole }
        };
        if self.playing.reached() > self.now
            && let Some(back) = self.back.take()
        {
            self.playing.go_back(back);
        }
        self.playing.order(Event { at_ns: self.now.0, what })
    }

    /// Plays up to an instant since the start, at which orders may be given then.
    ///
    /// # Errors
    /// As [`Playing::play_until`]; what was played until then is there.
    pub fn play_to(&mut self, until: SimDuration) -> Result<(), NetworkFailure> {
        while !self.playing.is_over() && self.playing.played_until() < until {
            if self.playing.reached() <= until {
                self.back = Some(self.playing.checkpoint());
            }
            self.playing.piece()?;
        }
        self.now = self.now.max(until);
        Ok(())
    }

    /// All that flows as far as it is played: at least up to the present instant, and what lies
    /// beyond may still change.
    #[must_use]
    pub fn so_far(&self) -> &SolvedNetwork {
        self.playing.so_far()
    }
}

impl SolvedNetwork {
    /// How a switch stands, by its place in the network, from instants since the start on, in
    /// order; of a network that only steps as it is declared.
    #[must_use]
    pub fn switch_states(&self, switch: usize) -> Vec<(SimDuration, SwitchState)> {
        let declared = self.setup.network.switches.get(switch);
        let is_closed = declared.is_some_and(|it| it.closed);
        let state = SwitchState { is_closed, is_open: !is_closed, is_locked_out: false };
        let mut states = vec![(SimDuration::ZERO, state)];
        let Some(timeline) = &self.timeline else { return states };
        let own = timeline.protectors.iter().find(|it| it.switch == switch);
        let is_lock_out = |element: &str, kind: OperationKind| {
            kind == OperationKind::LockedOut && own.is_some_and(|it| *it.name == *element)
        };
        let lock_outs = timeline.operations.iter().filter(|it| is_lock_out(&it.element, it.kind));
        let lock_outs: Vec<i64> = lock_outs.map(|it| it.at_ns).collect();
        let mut closed_at_ns = 0;
        for (from, supply) in timeline.supplies() {
            let poles: &[bool] = supply.closed.get(switch).map_or(&[], |it| it);
            let (is_closed, is_open) = (!poles.contains(&false), !poles.contains(&true));
            if is_closed {
                closed_at_ns = from.0;
            }
            let is_since = |at_ns: &i64| (closed_at_ns..=from.0).contains(at_ns);
            let is_locked_out = !is_closed && lock_outs.iter().any(is_since);
            let state = SwitchState { is_closed, is_open, is_locked_out };
            match states.last_mut() {
                Some((last, own)) if *last >= from => *own = state,
                Some((_, own)) if *own == state => {}
                _ => states.push((from, state)),
            }
        }
        states
    }
}
