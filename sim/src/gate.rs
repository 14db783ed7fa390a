//! Waves that are cut: what lets a channel through, by the angle of its own fundamental.
//!
//! A gate is a factor over one or several cycles, counted from the positive zero crossing of the
//! sine it is cut from, and repeated forever. Half waves, phase-fired and burst-fired currents and
//! commutation notches are gates; several gates of one channel multiply.

use crate::closed_form::Comb;
use crate::instant::{Instant, turns_within, wrap};
use crate::plan::WaveShape;

/// Positions nearer to each other than this, in turns, are one.
const SAME_TURNS: f64 = 1e-12;

/// A part of the cycle, in turns, with the factor there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cut {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) factor: f64,
}

/// A factor that repeats every so many cycles; one outside of its cuts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Gate {
    pub(crate) cycles: u32,
    /// The position, in turns, where the clock's segment begins.
    pub(crate) offset: f64,
    pub(crate) cuts: Vec<Cut>,
}

/// The cycles after which a shape repeats, and what it cuts out; `None`: it is not a cut one.
pub(crate) fn cuts_of(shape: &WaveShape) -> Option<(u32, Vec<Cut>)> {
    let nothing = |from: f64, to: f64| Cut { from, to, factor: 0.0 };
    match *shape {
        WaveShape::Sine | WaveShape::Quadriform | WaveShape::Peaked => None,
        WaveShape::HalfWave => Some((1, vec![nothing(0.5, 1.0)])),
        WaveShape::PhaseFired { angle_rad } => {
            let angle = (angle_rad / std::f64::consts::TAU).clamp(0.0, 0.5);
            Some((1, vec![nothing(0.0, angle), nothing(0.5, 0.5 + angle)]))
        }
        WaveShape::BurstFired { on, off } => {
            let (on, off) = (on.max(1), off.max(1));
            let all = f64::from(on) + f64::from(off);
            Some((on.saturating_add(off), vec![nothing(f64::from(on), all)]))
        }
    }
}

impl Gate {
    /// The factor at a position of the gate's own.
    pub(crate) fn factor(&self, position: f64) -> f64 {
        let position = wrap(position, self.cycles);
        let within = |cut: &&Cut| {
            let length = cut.to - cut.from;
            wrap(position - cut.from, self.cycles) < length
        };
        self.cuts.iter().filter(within).map(|cut| cut.factor).product()
    }

    /// The positions at which it changes.
    pub(crate) fn edges(&self) -> impl Iterator<Item = f64> {
        self.cuts.iter().filter(|cut| cut.from < cut.to).flat_map(|cut| [cut.from, cut.to])
    }
}

/// The gates of all channels at a constant frequency, on one cycle.
#[derive(Clone, Debug)]
pub(crate) struct Cycle {
    pub(crate) origin: Instant,
    pub(crate) frequency_hz: f64,
    /// After how many cycles everything repeats.
    pub(crate) cycles: u32,
    /// Where something changes, in turns since the origin, in order, from 0 to below `cycles`.
    pub(crate) edges: Vec<f64>,
    /// By edge and channel, the factor from there on.
    pub(crate) factors: Vec<Vec<f64>>,
}

impl Cycle {
    /// The cycle of the gates of each channel; `None` if nothing is cut.
    pub(crate) fn new(origin: Instant, frequency_hz: f64, gates: &[&[Gate]]) -> Option<Self> {
        let all = || gates.iter().flat_map(|gates| gates.iter());
        let cycles = all().map(|gate| gate.cycles).fold(1, lcm);
        let mut edges = Vec::new();
        for gate in all() {
            for edge in gate.edges() {
                let repeats = 0..cycles / gate.cycles;
                edges.extend(repeats.map(|k| {
                    let lap = f64::from(k) * f64::from(gate.cycles);
                    wrap(edge - gate.offset + lap, cycles)
                }));
            }
        }
        edges.sort_by(f64::total_cmp);
        edges.dedup_by(|later, earlier| *later - *earlier < SAME_TURNS);
        if edges.len() > 1 && edges[0] + f64::from(cycles) - edges[edges.len() - 1] < SAME_TURNS {
            edges.pop();
        }
        if edges.is_empty() {
            return None;
        }
        let mut made = Self { origin, frequency_hz, cycles, edges, factors: Vec::new() };
        let factors = (0..made.edges.len()).map(|part| {
            let (from, to) = made.span_of(part);
            let middle = 0.5 * (from + to);
            let of = |gates: &&[Gate]| {
                gates.iter().map(|gate| gate.factor(middle + gate.offset)).product()
            };
            gates.iter().map(of).collect()
        });
        made.factors = factors.collect();
        Some(made)
    }

    pub(crate) fn position(&self, at: Instant) -> f64 {
        turns_within(self.origin, at, self.frequency_hz, self.cycles)
    }

    /// The part of the cycle that holds at a position.
    pub(crate) fn part_at(&self, position: f64) -> usize {
        let begun = self.edges.partition_point(|edge| *edge <= position);
        if begun == 0 { self.edges.len() - 1 } else { begun - 1 }
    }

    /// Turns from a position to the end of the part of the cycle that holds there.
    pub(crate) fn turns_left(&self, position: f64) -> f64 {
        let begun = self.edges.partition_point(|edge| *edge <= position);
        let end = self.edges.get(begun).copied();
        end.unwrap_or(self.edges[0] + f64::from(self.cycles)) - position
    }

    /// The edge a position lies on, if it is within a tolerance of one, as the part it begins.
    pub(crate) fn edge_at(&self, position: f64, tolerance: f64) -> Option<usize> {
        let after = self.edges.partition_point(|edge| *edge < position - tolerance);
        let cycles = f64::from(self.cycles);
        let near = |index: usize, edge: f64| {
            (edge - position).abs() <= tolerance && index < self.edges.len()
        };
        if let Some(edge) = self.edges.get(after)
            && near(after, *edge)
        {
            return Some(after);
        }
        // The first edge may lie just after the end, the last one just before the beginning.
        let last = self.edges.len() - 1;
        if near(0, self.edges[0] + cycles) {
            return Some(0);
        }
        near(last, self.edges[last] - cycles).then_some(last)
    }

    /// From where to where a part reaches, in turns; the last one may reach beyond the cycle.
    pub(crate) fn span_of(&self, part: usize) -> (f64, f64) {
        let first = self.edges[0] + f64::from(self.cycles);
        (self.edges[part], self.edges.get(part + 1).copied().unwrap_or(first))
    }

    /// A span as combs of spans, each within one part of the cycle, with that part.
    pub(crate) fn combs(&self, from: Instant, to: Instant) -> Vec<(Comb, usize)> {
        let laps = to.seconds_since(from) * self.frequency_hz / f64::from(self.cycles);
        let mut repeats = laps.floor().max(0.0) as u64;
        let after = |repeats: u64| {
            from.plus_cycles(repeats as i64 * i64::from(self.cycles), self.frequency_hz)
        };
        if after(repeats) > to {
            repeats = repeats.saturating_sub(1);
        }
        let rest = after(repeats);
        let mut combs = Vec::with_capacity(2 * self.edges.len() + 2);
        if repeats > 0 {
            self.parts_of(from, after(1), repeats, &mut combs);
        }
        if rest < to {
            self.parts_of(rest, to, 1, &mut combs);
        }
        combs
    }

    /// Cuts a span of at most one cycle into the parts it goes through.
    fn parts_of(&self, from: Instant, to: Instant, repeats: u64, combs: &mut Vec<(Comb, usize)>) {
        let start = self.position(from);
        let mut part = self.part_at(start);
        let (mut at, mut turned) = (from, 0.0);
        let mut left = self.turns_left(start);
        while at < to {
            turned += left;
            let end = from.plus_seconds(turned / self.frequency_hz);
            let end = if end < to { end } else { to };
            if at < end {
                let (cycles, frequency_hz) = (self.cycles, self.frequency_hz);
                combs.push((Comb { from: at, to: end, repeats, cycles, frequency_hz }, part));
            }
            at = end;
            part = if part + 1 == self.edges.len() { 0 } else { part + 1 };
            let (begins, ends) = self.span_of(part);
            left = ends - begins;
        }
    }

    /// The part before another.
    pub(crate) fn before(&self, part: usize) -> usize {
        if part == 0 { self.edges.len() - 1 } else { part - 1 }
    }
}

/// The least common multiple, or the largest number there is.
fn lcm(a: u32, b: u32) -> u32 {
    let (mut x, mut y) = (a.max(1), b.max(1));
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a.max(1) / x).saturating_mul(b.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::FRAC_PI_2;

    fn gate(shape: &WaveShape, offset: f64) -> Gate {
        let (cycles, cuts) = cuts_of(shape).expect("a cut shape");
        Gate { cycles, offset, cuts }
    }

    #[test]
    fn shapes_let_through_what_they_describe() {
        let open = |shape: WaveShape, positions: &[f64]| -> Vec<f64> {
            positions.iter().map(|p| gate(&shape, 0.0).factor(*p)).collect()
        };
        let eighths: Vec<f64> = (0..8).map(|k| (f64::from(k) + 0.5) / 8.0).collect();
        let half = open(WaveShape::HalfWave, &eighths);
        assert_eq!(half, [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        let fired = open(WaveShape::PhaseFired { angle_rad: FRAC_PI_2 }, &eighths);
        assert_eq!(fired, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
        let burst = open(WaveShape::BurstFired { on: 2, off: 1 }, &[0.5, 1.5, 2.5, 3.5, -0.5]);
        assert_eq!(burst, [1.0, 1.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn gates_of_different_lengths_share_a_cycle() {
        let burst = [gate(&WaveShape::BurstFired { on: 2, off: 2 }, 0.25)];
        let half = [gate(&WaveShape::HalfWave, 0.0)];
        let cycle = Cycle::new(Instant::default(), 50.0, &[&burst, &half]).unwrap();
        assert_eq!(cycle.cycles, 4);
        assert_eq!(cycle.edges, [0.0, 0.5, 1.0, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 3.75]);
        let at = |position: f64| cycle.factors[cycle.part_at(position)].clone();
        assert_eq!(at(0.1), [1.0, 1.0]);
        assert_eq!(at(1.8), [0.0, 0.0]);
        assert_eq!(at(2.2), [0.0, 1.0]);
        assert_eq!(at(3.9), [1.0, 0.0]);
        assert_eq!(
            (cycle.edge_at(3.999_999_999_999_99, 1e-12), cycle.edge_at(0.3, 1e-12)),
            (Some(0), None)
        );
        assert!((cycle.turns_left(3.8) - 0.2).abs() < 1e-12);
    }

    #[test]
    fn a_position_is_exact_after_a_day() {
        // 86 400 s of 50 Hz are whole groups of four cycles.
        let day = Instant::new(86_400_000_000_000, 0.0);
        assert_eq!(turns_within(Instant::default(), day, 50.0, 4), 0.0);
        let later =
            turns_within(Instant::default(), Instant::new(day.ns + 5_000_000, 0.5), 50.0, 4);
        assert!((later - 0.25 - 2.5e-8).abs() < 1e-15);
    }
}
