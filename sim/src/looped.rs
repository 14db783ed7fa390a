//! A recording played again and again: a table of one loop, and exact integrals of it.
//!
//! The waveform as played is a documented continuous function: the table's points, equally spaced
//! over the loop, joined by the Catmull-Rom cubic (Keys 1981, a = -1/2), periodically. Truth is
//! integrated from exactly that function: on each piece the products of two channels are
//! polynomials of degree 6, for which a Gauss-Legendre rule of 4 points is exact. Integrals from
//! the loop's beginning to each point are kept, so any span costs two look-ups and two pieces.
//!
//! Terms: a *loop* is a whole number of cycles of the fundamental; a *piece* is the curve between
//! two points of the table; a *position* counts pieces from the loop's beginning.

mod build;
mod fundamental;
mod resample;

pub use build::LoopError;

use std::f64::consts::{SQRT_2, TAU};

use lastmeter_units::SimDuration;
use num_complex::Complex64;

use crate::energy::{Flows, NETTED_S};
use crate::means::{PhaseHarmonics, PhaseMeans};
use crate::phase::{cis, turns};
use crate::quality::ORDER_MAX;

/// Cycles whose energy is netted.
const NETTED_CYCLES: u32 = 10;

/// Samples between two exact positions, on an absolute grid.
const CELL: u64 = 1024;

/// Abscissae and weights of the Gauss-Legendre rule of 4 points on [0, 1] (Abramowitz and Stegun,
/// table 25.4): exact for polynomials up to degree 7.
const GAUSS: [(f64, f64); 4] = [
    (0.069_431_844_202_973_71, 0.173_927_422_568_726_93),
    (0.330_009_478_207_571_87, 0.326_072_577_431_273_07),
    (0.669_990_521_792_428_1, 0.326_072_577_431_273_07),
    (0.930_568_155_797_026_3, 0.173_927_422_568_726_93),
];

/// Points of one channel over the loop, with one before and two after so that every piece finds
/// its four.
#[derive(Clone, Debug)]
struct Track {
    padded: Vec<f64>,
}

/// One loop of a recording, of one or three phases.
#[derive(Clone, Debug)]
pub struct Loop {
    repetition_hz: f64,
    cycles: u32,
    points: usize,
    voltages: Vec<Track>,
    currents: Vec<Track>,
    /// Per phase and point: the integrals of u^2, i^2 and u*i from the loop's beginning, in pieces.
    integrals: Vec<Vec<PhaseMeans>>,
    pub(crate) harmonics: Vec<PhaseHarmonics>,
    /// The points at which groups of cycles begin whose energy is netted.
    group_starts: Vec<usize>,
    /// The active energy from the loop's beginning to that of each group, and of the whole loop.
    flows: Vec<Flows>,
}

impl Track {
    fn new(points: &[f64]) -> Self {
        let periodic = points.iter().copied().cycle();
        let padded = periodic.skip(points.len() - 1).take(points.len() + 3).collect();
        Self { padded }
    }

    fn points(&self) -> &[f64] {
        &self.padded[1..self.padded.len() - 2]
    }

    fn value(&self, piece: usize, part: f64) -> f64 {
        let [before, left, right, after] = std::array::from_fn(|point| self.padded[piece + point]);
        let cubic = 3.0 * (left - right) + (after - before);
        let square = 2.0 * before - 5.0 * left + 4.0 * right - after;
        left + 0.5 * part * ((right - before) + part * (square + part * cubic))
    }

    /// Complex amplitude (peak) of the order counted in loops, of the curve as played: the
    /// discrete Fourier sum of the points times the transform of the interpolation's kernel.
    fn amplitude(&self, order: usize, roots: &[Complex64]) -> Complex64 {
        let points = self.points();
        let mut at = 0;
        let mut sum = Complex64::ZERO;
        for point in points {
            sum += roots[at].conj() * point;
            at = (at + order) % roots.len();
        }
        sum * (2.0 / points.len() as f64 * kernel_transform(order as f64 / points.len() as f64))
    }
}

impl Loop {
    /// From the points of each channel over a whole number of cycles. The channels have one
    /// length, at least four points; as many currents as voltages.
    fn new(fundamental_hz: f64, cycles: u32, voltages: &[Vec<f64>], currents: &[Vec<f64>]) -> Self {
        let points = voltages[0].len();
        let tracks = |channels: &[Vec<f64>]| channels.iter().map(|c| Track::new(c)).collect();
        let (voltages, currents): (Vec<Track>, Vec<Track>) = (tracks(voltages), tracks(currents));
        let roots: Vec<Complex64> =
            (0..points).map(|k| cis(TAU * k as f64 / points as f64)).collect();
        let phases = || voltages.iter().zip(&currents);
        let integrals = phases().map(|(u, i)| running_integrals(u, i, points)).collect();
        let harmonics = phases()
            .map(|(u, i)| {
                let (u1, thd_u) = fundamental_and_thd(u, cycles as usize, &roots);
                let (i1, thd_i) = fundamental_and_thd(i, cycles as usize, &roots);
                PhaseHarmonics { u1, i1, thd_u, thd_i }
            })
            .collect();
        let repetition_hz = fundamental_hz / f64::from(cycles);
        // Cycles that make no group of their own are the last one's.
        let groups = (cycles / NETTED_CYCLES).max(1);
        let start = |group: u32| {
            let cycle = u64::from(group * NETTED_CYCLES);
            (cycle * points as u64 / u64::from(cycles.max(1))) as usize
        };
        let group_starts = (0..groups).map(start).collect();
        let flows = Vec::new();
        let mut made = Self {
            repetition_hz,
            cycles,
            points,
            voltages,
            currents,
            integrals,
            harmonics,
            group_starts,
            flows,
        };
        made.flows = made.running_flows();
        made
    }

    /// Frequency of the fundamental in hertz.
    pub fn fundamental_hz(&self) -> f64 {
        self.repetition_hz * f64::from(self.cycles)
    }

    /// One or three.
    pub fn phases(&self) -> usize {
        self.voltages.len()
    }

    /// Whole cycles of the fundamental in the loop.
    pub fn cycles(&self) -> u32 {
        self.cycles
    }

    /// Points of the table per loop.
    pub fn points(&self) -> usize {
        self.points
    }

    pub(crate) fn render(&self, first_sample: u64, rate_hz: f64, channels: &mut [&mut [f64]]) {
        let samples = channels.first().map_or(0, |channel| channel.len());
        let step = self.repetition_hz / rate_hz;
        let mut positions = [(0_usize, 0.0_f64); CELL as usize];
        let mut done = 0;
        while done < samples {
            let at = first_sample.wrapping_add(done as u64);
            let from = at % CELL;
            let count = (CELL - from).min((samples - done) as u64) as usize;
            let base = self.loop_part(at.wrapping_sub(from) as i64, rate_hz);
            for (k, position) in (from..).zip(&mut positions[..count]) {
                *position = self.piece(base + k as f64 * step);
            }
            let tracks = self.voltages.iter().chain(&self.currents);
            for (track, channel) in tracks.zip(channels.iter_mut()) {
                let part = &mut channel[done..done + count];
                for (sample, &(piece, part)) in part.iter_mut().zip(&positions) {
                    *sample = track.value(piece, part);
                }
            }
            done += count;
        }
    }

    pub(crate) fn means(&self, from: SimDuration, to: SimDuration) -> Vec<PhaseMeans> {
        let (begin, end) = (self.loop_part(from.0, 1e9), self.loop_part(to.0, 1e9));
        let length_s = to.0.saturating_sub(from.0) as f64 / 1e9;
        let whole_loops = (length_s * self.repetition_hz - (end - begin)).round();
        let length = (whole_loops + (end - begin)) * self.points as f64;
        (0..self.integrals.len())
            .map(|phase| {
                let loops = self.integrals[phase][self.points];
                let (until, since) = (self.integral(phase, end), self.integral(phase, begin));
                let mean = |of: fn(&PhaseMeans) -> f64| {
                    (whole_loops * of(&loops) + (of(&until) - of(&since))) / length
                };
                PhaseMeans { u2: mean(|m| m.u2), i2: mean(|m| m.i2), ui: mean(|m| m.ui) }
            })
            .collect()
    }

    /// The mean of each phase's apparent power over so many windows of one length that make up a
    /// span, in VA; each window has so many cycles.
    pub(crate) fn apparent_powers(
        &self,
        from: SimDuration,
        to: SimDuration,
        windows: u64,
        cycles: u32,
    ) -> Vec<f64> {
        // Where every window plays the same, one stands for all.
        let windows = if cycles.is_multiple_of(self.cycles.max(1)) { 1 } else { windows };
        let length_ns = to.0.saturating_sub(from.0) as f64 / windows as f64;
        let border = |number: u64| {
            let passed = SimDuration((number as f64 * length_ns).round() as i64);
            if number == windows { to } else { from + passed }
        };
        let mut sums = vec![0.0; self.phases()];
        for window in 0..windows {
            let means = self.means(border(window), border(window + 1));
            for (sum, means) in sums.iter_mut().zip(&means) {
                *sum += means.apparent_power_va() / windows as f64;
            }
        }
        sums
    }

    /// Counts the active energy of a span: the nets of groups of cycles, what the span leaves of
    /// the first and last of them with their neighbours if it is short.
    pub(crate) fn count_active(&self, from: SimDuration, to: SimDuration, flows: &mut Flows) {
        let (begin, end) = (self.loop_part(from.0, 1e9), self.loop_part(to.0, 1e9));
        let length_s = to.0.saturating_sub(from.0) as f64 / 1e9;
        let whole_loops = (length_s * self.repetition_hz - (end - begin)).round();
        let (begin, end) = ((0.0, begin), (whole_loops, end));
        let groups = self.group_starts.len() as i64;
        // Borders are counted from the beginning of the loop in which the span begins.
        let place = |border: i64| {
            let start = self.group_starts[border.rem_euclid(groups) as usize];
            (border.div_euclid(groups) as f64, start as f64 / self.points as f64)
        };
        let between = |a: (f64, f64), b: (f64, f64)| (b.0 - a.0) + (b.1 - a.1);
        let netted = NETTED_S * self.repetition_hz;
        let mut first = 0;
        while between(begin, place(first)) < netted {
            first += 1;
        }
        let mut last = (whole_loops as i64 + 1) * groups;
        while between(place(last), end) < netted && last >= first {
            last -= 1;
        }
        let mut net = |a: (f64, f64), b: (f64, f64)| {
            flows.add((0..self.integrals.len()).map(|phase| {
                let loops = (b.0 - a.0) * self.integrals[phase][self.points].ui;
                let rest = self.integral(phase, b.1).ui - self.integral(phase, a.1).ui;
                (loops + rest) * self.piece_s()
            }));
        };
        if last < first {
            return net(begin, end);
        }
        net(begin, place(first));
        net(place(last), end);
        let group = |border: i64| &self.flows[border.rem_euclid(groups) as usize];
        let loops = last.div_euclid(groups) - first.div_euclid(groups);
        flows.add_times(&self.flows[groups as usize], loops as f64);
        flows.add_times(group(last), 1.0);
        flows.add_times(group(first), -1.0);
    }

    fn piece_s(&self) -> f64 {
        1.0 / (self.repetition_hz * self.points as f64)
    }

    /// The flows from the loop's beginning to each group's, and to its end.
    fn running_flows(&self) -> Vec<Flows> {
        let mut sum = Flows::new(self.phases());
        let mut flows = vec![sum.clone()];
        let ends = self.group_starts[1..].iter().copied().chain([self.points]);
        for (&start, end) in self.group_starts.iter().zip(ends) {
            let net = |sums: &Vec<PhaseMeans>| (sums[end].ui - sums[start].ui) * self.piece_s();
            sum.add(self.integrals.iter().map(net));
            flows.push(sum.clone());
        }
        flows
    }

    /// The part (0 to 1) of the loop that has been played after a number of ticks.
    fn loop_part(&self, count: i64, per_second: f64) -> f64 {
        let part = turns(self.repetition_hz, count, per_second);
        if part < 0.0 { part + 1.0 } else { part }
    }

    /// Piece and part of it at a number of loops, which is not negative.
    fn piece(&self, loops: f64) -> (usize, f64) {
        let position = (loops - (loops as u64) as f64) * self.points as f64;
        let piece = position as usize;
        // Rounding may reach the loop's very end, which is its beginning.
        if piece < self.points { (piece, position - piece as f64) } else { (0, 0.0) }
    }

    /// The integrals of a phase from the loop's beginning to a part of it, in pieces.
    fn integral(&self, phase: usize, loop_part: f64) -> PhaseMeans {
        let (piece, part) = self.piece(loop_part);
        let before = self.integrals[phase][piece];
        let rest = piece_integrals(&self.voltages[phase], &self.currents[phase], piece, part);
        before.merged(&rest, |before, rest| before + rest)
    }
}

/// The exact integrals of u^2, i^2 and u*i over the first `part` of a piece.
fn piece_integrals(voltage: &Track, current: &Track, piece: usize, part: f64) -> PhaseMeans {
    let mut sum = PhaseMeans::default();
    for (abscissa, weight) in GAUSS {
        let (u, i) = (voltage.value(piece, abscissa * part), current.value(piece, abscissa * part));
        let weight = weight * part;
        sum.u2 += weight * u * u;
        sum.i2 += weight * i * i;
        sum.ui += weight * u * i;
    }
    sum
}

/// The integrals from the loop's beginning to each of its points, the end included, summed with
/// compensation (Neumaier 1974) so that long loops lose nothing.
fn running_integrals(voltage: &Track, current: &Track, points: usize) -> Vec<PhaseMeans> {
    let mut sums = [(0.0_f64, 0.0_f64); 3];
    let mut integrals = Vec::with_capacity(points + 1);
    integrals.push(PhaseMeans::default());
    for piece in 0..points {
        let PhaseMeans { u2, i2, ui } = piece_integrals(voltage, current, piece, 1.0);
        for ((sum, lost), term) in sums.iter_mut().zip([u2, i2, ui]) {
            let next = *sum + term;
            let larger_first = sum.abs() >= term.abs();
            *lost += if larger_first { (*sum - next) + term } else { (term - next) + *sum };
            *sum = next;
        }
        let [u2, i2, ui] = sums.map(|(sum, lost)| sum + lost);
        integrals.push(PhaseMeans { u2, i2, ui });
    }
    integrals
}

/// RMS phasor of the fundamental, and THD of the orders 2 to 50 as far as the table has them.
fn fundamental_and_thd(track: &Track, cycles: usize, roots: &[Complex64]) -> (Complex64, f64) {
    let fundamental = track.amplitude(cycles, roots) / SQRT_2;
    let orders = (2..=ORDER_MAX as usize).map(|order| order * cycles);
    let harmonics_square: f64 = orders
        .take_while(|&order| order * 2 < roots.len())
        .map(|order| track.amplitude(order, roots).norm_sqr() / 2.0)
        .sum();
    (fundamental, harmonics_square.sqrt() / fundamental.norm_sqr().sqrt())
}

/// Fourier transform of the Catmull-Rom kernel at a frequency in periods per piece: what the
/// interpolation leaves of a component. By composite Gauss rule, converged to rounding for
/// frequencies up to one half.
fn kernel_transform(frequency: f64) -> f64 {
    const PARTS: u32 = 64;
    let width = 2.0 / f64::from(PARTS);
    let mut sum = 0.0;
    for part in 0..PARTS {
        for (abscissa, weight) in GAUSS {
            let x = (f64::from(part) + abscissa) * width;
            let kernel = if x < 1.0 {
                (1.5 * x - 2.5) * x * x + 1.0
            } else {
                ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
            };
            sum += weight * width * kernel * libm::cos(TAU * frequency * x);
        }
    }
    2.0 * sum
}
