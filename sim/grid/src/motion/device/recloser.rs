//! A recloser in its switch.

use super::{Act, Cause, Device, DeviceInputs, Move, NamedCurve, Squares, distinct};
use crate::motion::OperationKind;
use crate::protection::{Recloser, RecloserEvent};
use crate::transient::Pole;

impl Device for Recloser {
    fn picked_up(&self, seen: &DeviceInputs<'_>) -> Squares {
        let trip = self.trips() + 1;
        seen.picked_up(|current_a, earth| self.operating_time(trip, current_a, earth).is_some())
    }

    fn due_in(&self, seen: &DeviceInputs<'_>) -> Option<f64> {
        Recloser::due_in(self, &seen.currents())
    }

    fn hold(&mut self) {
        Recloser::hold(self);
    }

    /// What flows after it acts is another current, so it acts once.
    fn step(&mut self, dt_s: f64, seen: &DeviceInputs<'_>) -> Vec<Act> {
        let act = Recloser::step(self, dt_s, &seen.currents()).map(|act| {
            let open = Move::Open(Pole::All);
            let (moves, kind, cause, trip) = match act.event {
                RecloserEvent::Opened(trip) => (open, OperationKind::Opened, Cause::First, trip),
                RecloserEvent::Reclosed(trip) => {
                    (Move::Close, OperationKind::Closed, Cause::Other, trip)
                }
                RecloserEvent::LockedOut(trip) => {
                    (open, OperationKind::LockedOut, Cause::First, trip)
                }
            };
            Act { after_s: act.after_s, moves, kind, detail: format!("trip {trip}"), cause }
        });
        act.into_iter().collect()
    }

    fn curves(&self, from_a: f64, to_a: f64) -> Vec<NamedCurve> {
        let both = [("phases", false), ("residual", true)];
        let all = (1..=self.trips_at_most()).flat_map(|trip| both.map(|it| (trip, it)));
        distinct(all.map(|(trip, (name, earth))| {
            let points = self.points(trip, from_a, to_a, earth).collect();
            (format!("{name}, from trip {trip} on"), points)
        }))
    }
}
