//! A fuse in each pole of a switch.

use super::{Act, Cause, Device, Move, NamedCurve, RESIDUAL, Seen, Squares, distinct};
use crate::motion::Deed;
use crate::network::Wire;
use crate::protection::{Action, Fuse, FuseEvent};
use crate::transient::Pole;

/// Fuses that are all alike. They go by the square of the current as it flows.
#[derive(Clone, Debug)]
pub struct FuseLink {
    fuse: Fuse,
    has_striker: bool,
    poles: Vec<Fuse>,
}

impl FuseLink {
    /// Of the fuse in a pole, and whether a striker opens all poles of the switch, each at its
    /// current's zero.
    #[must_use]
    pub const fn new(fuse: Fuse, has_striker: bool) -> Self {
        Self { fuse, has_striker, poles: Vec::new() }
    }
}

impl Device for FuseLink {
    fn begin(&mut self, wires: &[Wire]) {
        self.poles = vec![self.fuse.clone(); wires.len()];
    }

    fn picked_up(&self, seen: &Seen<'_>) -> Squares {
        let mut squares = [None; 4];
        for (pole, (fuse, current)) in
            self.poles.iter().zip(seen.poles_a).enumerate().take(RESIDUAL)
        {
            let mean = |from: f64, to: f64| (from * from + from * to + to * to) / 3.0;
            let flowing = seen.flowing_a.map(|(from, to)| mean(from[pole], to[pole]));
            let is_on = fuse.melting_time(current.norm()).is_some();
            squares[pole] = is_on.then_some(flowing.unwrap_or(current.norm_sqr()));
        }
        squares
    }

    fn due_in(&self, seen: &Seen<'_>) -> Option<f64> {
        let due = self.poles.iter().zip(seen.poles_a);
        due.filter_map(|(it, pole)| it.due_in(pole.norm())).reduce(f64::min)
    }

    /// Where a steady state is between waves a fuse that has melted is blown at the zero of its
    /// current, in the waves that begin with its arc.
    fn step(&mut self, dt_s: f64, seen: &Seen<'_>) -> Vec<Act> {
        let mut acts = Vec::new();
        for (pole, (fuse, current)) in self.poles.iter_mut().zip(seen.poles_a).enumerate() {
            let needs_zero = seen.has_waves && !fuse.has_clearing();
            let act = |Action { after_s, event }: Action<FuseEvent>| {
                let which = if self.has_striker { Pole::All } else { Pole::One(pole) };
                let opens = needs_zero == (event == FuseEvent::Melted);
                let moves = if opens { Move::Open(which) } else { Move::Stay };
                let melts = event == FuseEvent::Melted;
                let deed = if melts { Deed::Melted } else { Deed::Blown };
                let (detail, cause) = (format!("phase {}", seen.wires[pole]), Cause::Pole(pole));
                Act { after_s, moves, deed, detail, cause }
            };
            if let Some((from_a, to_a)) = seen.flowing_a {
                acts.extend(fuse.step_instantaneous(dt_s, from_a[pole], to_a[pole]).map(act));
                continue;
            }
            let mut passed_s = 0.0;
            while let Some(found) = fuse.step(dt_s - passed_s, current.norm()) {
                passed_s += found.after_s;
                acts.push(act(Action { after_s: passed_s, ..found }));
                if needs_zero || found.event == FuseEvent::Cleared {
                    break;
                }
            }
        }
        acts
    }

    fn curves(&self, from_a: f64, to_a: f64) -> Vec<NamedCurve> {
        let fuse = &self.fuse;
        let melting = fuse.melting_points(from_a, to_a).collect();
        let clearing = ("total clearing".to_owned(), fuse.points(from_a, to_a).collect());
        let all = [(fuse.curve_name().to_owned(), melting)];
        distinct(all.into_iter().chain(fuse.has_clearing().then_some(clearing)))
    }

    fn is_fuse(&self) -> bool {
        true
    }
}
