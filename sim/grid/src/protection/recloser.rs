//! Reclosers.

use super::{Action, Currents, Relay, SettingError, above_zero, not_negative, passes, runs_out};

/// What a recloser does at faults.
#[derive(Clone, Debug)]
pub struct RecloserSettings {
    /// What trips it, trip by trip: fast curves first, then slow ones. After the last trip it locks
    /// out.
    pub trips: Vec<Relay>,
    /// The time in seconds that it stays open after each trip but the last.
    pub dead_times_s: Vec<f64>,
    /// After this time in seconds in a row without pick-up it begins with the first trip again.
    pub reclaim_s: f64,
    /// From the trip until its contacts part, in seconds.
    pub opening_s: f64,
}

/// A recloser: a breaker that trips, recloses, and locks out after a sequence without success.
#[derive(Clone, Debug)]
pub struct Recloser {
    settings: RecloserSettings,
    pub(super) state: RecloserState,
    /// Of the trips of this sequence.
    count: usize,
    quiet_s: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum RecloserState {
    /// Closed, and watching the currents.
    Closed,
    /// Tripped: its contacts part in this time, in seconds.
    Opening(f64),
    /// Open: it recloses in this time, in seconds.
    Dead(f64),
    /// Open for good.
    LockedOut,
}

/// What a recloser does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecloserEvent {
    /// It opened at this trip of the sequence, from 1, and is to reclose.
    Opened(usize),
    /// It reclosed after this trip.
    Reclosed(usize),
    /// It opened at this last trip, for good.
    LockedOut(usize),
}

impl Recloser {
    /// A closed recloser.
    ///
    /// # Errors
    /// If it has no trips, not one dead time between each two of them, or a time that is negative
    /// (the dead times: zero) or not finite.
    pub fn new(settings: RecloserSettings) -> Result<Self, SettingError> {
        let (trips, dead_times) = (settings.trips.len(), settings.dead_times_s.len());
        if trips == 0 {
            return Err(SettingError::new("number of trips", &trips, "1 or more"));
        }
        if dead_times + 1 != trips {
            let expected = format!("{}, one between each two of {trips} trips", trips - 1);
            return Err(SettingError::new("number of dead times", &dead_times, &expected));
        }
        for (number, &dead_s) in (1..).zip(&settings.dead_times_s) {
            above_zero(&format!("dead time {number} in s"), dead_s)?;
        }
        not_negative("reclaim time in s", settings.reclaim_s)?;
        not_negative("opening time in s", settings.opening_s)?;
        Ok(Self { settings, state: RecloserState::Closed, count: 0, quiet_s: 0.0 })
    }

    /// How many trips a sequence has.
    pub fn trips_at_most(&self) -> usize {
        self.settings.trips.len()
    }

    /// How often it tripped in this sequence.
    pub fn trips(&self) -> usize {
        self.count
    }

    /// The time in seconds from a constant current in amperes, in a phase or as residual current,
    /// to the parting of its contacts, at a trip of the sequence, from 1.
    pub fn operating_time(&self, trip: usize, current_a: f64, earth: bool) -> Option<f64> {
        let relay = self.settings.trips.get(trip.checked_sub(1)?)?;
        Some(relay.operating_time(current_a, earth)? + self.settings.opening_s)
    }

    /// Points of the operating time at a trip for drawing, as [`super::Curve::points`].
    pub fn points(
        &self,
        trip: usize,
        from_a: f64,
        to_a: f64,
        earth: bool,
    ) -> impl Iterator<Item = (f64, f64)> + '_ {
        let relay = trip.checked_sub(1).and_then(|at| self.settings.trips.get(at));
        let points = relay.into_iter().flat_map(move |it| it.points(from_a, to_a, earth));
        points.map(|(current_a, time_s)| (current_a, time_s + self.settings.opening_s))
    }

    /// The time in seconds until it opens or recloses, if the currents stay.
    pub fn due_in(&self, currents: &Currents) -> Option<f64> {
        match self.state {
            RecloserState::Closed => {
                let tripped_s = self.settings.trips.get(self.count)?.due_in(currents)?;
                Some(tripped_s + self.settings.opening_s)
            }
            RecloserState::Opening(left_s) | RecloserState::Dead(left_s) => Some(left_s),
            RecloserState::LockedOut => None,
        }
    }

    /// Somebody opens it: what it has opened, or is about to, it does not close again.
    pub fn hold(&mut self) {
        if self.state != RecloserState::Closed {
            self.state = RecloserState::LockedOut;
        }
    }

    /// A step of `dt_s` seconds with constant currents.
    pub fn step(&mut self, dt_s: f64, currents: &Currents) -> Option<Action<RecloserEvent>> {
        if !passes(dt_s) {
            return None;
        }
        let mut from_s = 0.0;
        if self.state == RecloserState::Closed {
            from_s = self.watch(dt_s, currents)?;
            self.state = RecloserState::Opening(self.settings.opening_s);
        }
        let (left_s, event) = match &mut self.state {
            RecloserState::Opening(left_s) => {
                let after_s = runs_out(left_s, dt_s - from_s)?;
                self.count += 1;
                let dead_s = self.settings.dead_times_s.get(self.count - 1);
                self.state = dead_s.map_or(RecloserState::LockedOut, |it| RecloserState::Dead(*it));
                let goes_on = dead_s.is_some();
                let event = if goes_on { RecloserEvent::Opened } else { RecloserEvent::LockedOut };
                (after_s, event(self.count))
            }
            RecloserState::Dead(left_s) => {
                let after_s = runs_out(left_s, dt_s)?;
                (self.state, self.quiet_s) = (RecloserState::Closed, 0.0);
                self.settings.trips[self.count].reset();
                (after_s, RecloserEvent::Reclosed(self.count))
            }
            RecloserState::Closed | RecloserState::LockedOut => return None,
        };
        Some(Action { after_s: from_s + left_s, event })
    }

    /// Watches the currents of a step; if they trip it, when.
    fn watch(&mut self, dt_s: f64, currents: &Currents) -> Option<f64> {
        let relay = self.settings.trips.get_mut(self.count)?;
        if let Some(trip) = relay.step(dt_s, currents) {
            return Some(trip.after_s);
        }
        if relay.is_picked_up(currents) {
            self.quiet_s = 0.0;
        } else if currents.are_numbers() {
            self.quiet_s += dt_s;
        }
        if self.count > 0 && self.quiet_s >= self.settings.reclaim_s {
            self.count = 0;
            self.settings.trips[0].reset();
        }
        None
    }
}
