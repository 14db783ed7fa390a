//! A fuse in each pole of a switch that is in a phase; a neutral conductor is not fused.

use super::{Act, Cause, Device, DeviceInputs, Move, NamedCurve, RESIDUAL, Squares, distinct};
use crate::motion::OperationKind;
use crate::network::Wire;
use crate::protection::{Action, Fuse, FuseEvent};
use crate::transient::{CurrentPiece, Pole};

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

/// What a fuse does in a step of waves. Its element melts within one of the pieces; an arc ends by
/// what flows where the step begins and ends.
fn flowed(
    fuse: &mut Fuse,
    way: &[CurrentPiece],
    pole: usize,
    prospective_a: f64,
) -> Option<Action<FuseEvent>> {
    let mut before_s = 0.0;
    if fuse.is_whole() {
        return way.iter().find_map(|it| {
            let ends = (it.from_a[pole], it.to_a[pole]);
            let found = fuse.step_instantaneous(it.seconds, ends, prospective_a);
            before_s += it.seconds;
            let begun_s = before_s - it.seconds;
            found.map(|found| Action { after_s: begun_s + found.after_s, ..found })
        });
    }
    let (first, last) = (way.first()?, way.last()?);
    let whole_s = way.iter().map(|it| it.seconds).sum();
    fuse.step_instantaneous(whole_s, (first.from_a[pole], last.to_a[pole]), prospective_a)
}

fn is_fused(seen: &DeviceInputs<'_>, pole: usize) -> bool {
    seen.wires.get(pole) != Some(&Wire::Neutral)
}

impl Device for FuseLink {
    fn begin(&mut self, wires: &[Wire]) {
        self.poles = vec![self.fuse.clone(); wires.len()];
    }

    fn picked_up(&self, seen: &DeviceInputs<'_>) -> Squares {
        let whole_s: f64 = seen.flowing.iter().map(|it| it.seconds).sum();
        let mut squares = [None; 4];
        let poles = self.poles.iter().zip(seen.poles_a).enumerate().take(RESIDUAL);
        for (pole, (fuse, current)) in poles.filter(|(pole, _)| is_fused(seen, *pole)) {
            let square_time = |it: &CurrentPiece| {
                let (from, to) = (it.from_a[pole], it.to_a[pole]);
                it.seconds * (from * from + from * to + to * to) / 3.0
            };
            let flowing = seen.flowing.iter().map(square_time).sum::<f64>() / whole_s;
            let is_on = fuse.melting_time(current.norm()).is_some();
            let square = if whole_s > 0.0 { flowing } else { current.norm_sqr() };
            squares[pole] = is_on.then_some(square);
        }
        squares
    }

    fn due_in(&self, seen: &DeviceInputs<'_>) -> Option<f64> {
        let poles = self.poles.iter().zip(seen.poles_a).enumerate();
        let due = poles.filter(|(pole, _)| is_fused(seen, *pole));
        due.filter_map(|(_, (it, current))| it.due_in(current.norm())).reduce(f64::min)
    }

    /// Where a steady state is between waves a fuse that has melted is blown at the zero of its
    /// current, in the waves that begin with its arc.
    fn step(&mut self, dt_s: f64, seen: &DeviceInputs<'_>) -> Vec<Act> {
        let mut acts = Vec::new();
        let poles = self.poles.iter_mut().zip(seen.poles_a).enumerate();
        for (pole, (fuse, current)) in poles.filter(|(pole, _)| is_fused(seen, *pole)) {
            let needs_zero = seen.has_waves && !fuse.has_clearing();
            let act = |Action { after_s, event }: Action<FuseEvent>| {
                let which = if self.has_striker { Pole::All } else { Pole::One(pole) };
                let opens = needs_zero == (event == FuseEvent::Melted);
                let moves = if opens { Move::Open(which) } else { Move::Stay };
                let melts = event == FuseEvent::Melted;
                let kind = if melts { OperationKind::Melted } else { OperationKind::Blown };
                let (detail, cause) = (format!("phase {}", seen.wires[pole]), Cause::Pole(pole));
                Act { after_s, moves, kind, detail, cause }
            };
            if !seen.flowing.is_empty() {
                let found = flowed(fuse, seen.flowing, pole, current.norm());
                acts.extend(found.map(act));
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
