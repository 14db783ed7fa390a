//! A waveform while something moves: ramps of amplitude, frequency or angle, dying oscillations.
//!
//! Every sample is computed from its instant alone. Means are integrated by the Gauss-Legendre rule
//! of ten points, between all edges of gates, in panels in which the fastest product of two
//! components makes at most one turn: the rule's error is then below 1e-13 of the amplitudes.

use std::f64::consts::{FRAC_1_SQRT_2, PI, SQRT_2, TAU};
use std::sync::LazyLock;

use num_complex::Complex64;

use crate::clock::Segment;
use crate::instant::{Instant, wrap};
use crate::law::{ClosedForm, Place, product};
use crate::means::{PhaseHarmonics, SpanMeans};
use crate::phase::cis;
use crate::track::Line;

/// Points of the rule.
const POINTS: usize = 10;

/// Orders up to this are made by multiplying rotations, which costs less than a cosine each.
const ORDERS_BY_PRODUCT: usize = 64;

/// Abscissae and weights of the rule on [0, 1], by Newton's method on the Legendre polynomial.
pub(crate) static GAUSS: LazyLock<[(f64, f64); POINTS]> = LazyLock::new(|| {
    std::array::from_fn(|k| {
        let n = POINTS as f64;
        let mut x = libm::cos(PI * (k as f64 + 0.75) / (n + 0.5));
        let mut slope = 1.0;
        for _ in 0..20 {
            let (mut before, mut value) = (1.0, x);
            for order in 2..=POINTS {
                let order = order as f64;
                (before, value) =
                    (value, ((2.0 * order - 1.0) * x * value - (order - 1.0) * before) / order);
            }
            slope = n * (x * value - before) / (x * x - 1.0);
            x -= value / slope;
        }
        (0.5 * (1.0 - x), 1.0 / ((1.0 - x * x) * slope * slope))
    })
});

/// The laws of all channels, voltages first, while the frequency is that of one segment.
#[derive(Debug)]
pub(crate) struct SegmentForms {
    segment: Segment,
    channels: Vec<ClosedForm>,
    orders: Vec<u32>,
    hertz: Vec<f64>,
    /// By channel and line: where its rotation stands in the table, and its peak phasor.
    lines: Vec<Vec<(usize, Complex64)>>,
    /// The fundamental of each gated channel over that of the sine it is cut from.
    cut: Vec<Complex64>,
}

impl SegmentForms {
    pub(crate) fn new(segment: Segment, channels: Vec<ClosedForm>, at: Instant) -> Self {
        let places = || channels.iter().flat_map(|law| &law.lines).map(|line| line.line.place);
        let mut orders: Vec<u32> = places()
            .filter_map(|place| if let Place::Order(order) = place { Some(order) } else { None })
            .collect();
        orders.sort_unstable();
        orders.dedup();
        let mut hertz: Vec<f64> = places()
            .filter_map(|place| if let Place::Hertz(hz) = place { Some(hz) } else { None })
            .collect();
        hertz.sort_by(f64::total_cmp);
        hertz.dedup();
        let index_of = |place: Place| match place {
            Place::Order(order) => orders.binary_search(&order).unwrap_or(0),
            Place::Hertz(hz) => {
                orders.len() + hertz.binary_search_by(|f| f.total_cmp(&hz)).unwrap_or(0)
            }
        };
        let phasors = |law: &ClosedForm| {
            let line = |line: &crate::law::ClosedFormLine| {
                (index_of(line.line.place), cis(TAU * line.line.turns) * (SQRT_2 * line.line.rms))
            };
            law.lines.iter().map(line).collect()
        };
        let lines = channels.iter().map(phasors).collect();
        let cut = channels.iter().map(|law| cut_fundamental(law, &segment, at)).collect();
        Self { segment, channels, orders, hertz, lines, cut }
    }

    pub(crate) fn phases(&self) -> usize {
        self.channels.len() / 2
    }

    pub(crate) fn noise_rms(&self) -> impl Iterator<Item = f64> {
        self.channels.iter().map(|law| law.noise_rms)
    }

    pub(crate) fn fundamental_hz(&self) -> f64 {
        self.segment.frequency_hz
    }

    /// The course of the fundamental's frequency.
    pub(crate) fn frequency(&self) -> Line {
        let Segment { from, frequency_hz, slope_hz_per_s, .. } = self.segment;
        Line { since: from, value: frequency_hz, per_s: slope_hz_per_s }
    }

    pub(crate) fn render(&self, first_sample: u64, rate_hz: f64, channels: &mut [&mut [f64]]) {
        let samples = channels.first().map_or(0, |channel| channel.len());
        let mut rotations = Vec::new();
        for k in 0..samples {
            let at = Instant::of_sample(first_sample.wrapping_add(k as u64), rate_hz);
            self.rotate(at, &mut rotations);
            for (number, channel) in channels.iter_mut().enumerate() {
                channel[k] = self.value(number, at, &rotations, true);
            }
        }
    }

    /// Fills the table of rotations: the orders', then those of other frequencies.
    fn rotate(&self, at: Instant, rotations: &mut Vec<Complex64>) {
        rotations.clear();
        let turns = self.segment.turns_at(at);
        let top = self.orders.last().map_or(0, |order| *order as usize);
        if top <= ORDERS_BY_PRODUCT {
            let mut powers = [Complex64::ONE; ORDERS_BY_PRODUCT + 1];
            powers[1] = cis(TAU * turns);
            for order in 2..=top {
                powers[order] = powers[order / 2] * powers[order - order / 2];
            }
            rotations.extend(self.orders.iter().map(|order| powers[*order as usize]));
        } else {
            let turned = self.orders.iter().map(|order| {
                let turned = f64::from(*order) * turns;
                cis(TAU * (turned - turned.round()))
            });
            rotations.extend(turned);
        }
        let start = Instant::default();
        rotations.extend(self.hertz.iter().map(|hz| cis(TAU * at.turns_since(start, *hz))));
    }

    /// A channel's value without its noise; `on_edges`: the mean of both sides on a gate's edge.
    fn value(&self, channel: usize, at: Instant, rotations: &[Complex64], on_edges: bool) -> f64 {
        let law = &self.channels[channel];
        let shift = law.shift.map(|shift| shift.at(at));
        let mut inner = law.dc;
        for (line, (index, phasor)) in law.lines.iter().zip(&self.lines[channel]) {
            let mut rotation = rotations[*index];
            if let Some(shift) = shift {
                let orders = match line.line.place {
                    Place::Order(order) => f64::from(order),
                    Place::Hertz(hz) => hz / self.segment.frequency_hz,
                };
                rotation *= cis(TAU * orders * shift);
            }
            let value = rotation.re * phasor.re - rotation.im * phasor.im;
            inner += value * product(&line.factors, at);
        }
        if !law.gates.is_empty() {
            inner *= self.gated(law, at, shift.unwrap_or_default(), on_edges);
        }
        let rings: f64 = law.rings.iter().map(|ring| ring.at(at)).sum();
        inner * product(&law.factors, at) + law.added_dc + rings
    }

    fn gated(&self, law: &ClosedForm, at: Instant, shift: f64, on_edges: bool) -> f64 {
        let tolerance = at.nearness_s() * self.segment.frequency_at(at);
        let factor = |gate: &crate::gate::Gate| {
            let position = gate.offset + self.segment.turns_within(at, gate.cycles) + shift;
            let is_edge = |edge: f64| {
                let off = wrap(position - edge, gate.cycles);
                off <= tolerance || off >= f64::from(gate.cycles) - tolerance
            };
            if on_edges && gate.edges().any(is_edge) {
                let aside = 2.0 * tolerance;
                return 0.5 * (gate.factor(position - aside) + gate.factor(position + aside));
            }
            gate.factor(position)
        };
        law.gates.iter().map(factor).product()
    }

    /// The end of the whole cycles, one at least, that come next to a length of time from an
    /// instant on.
    pub(crate) fn after_whole_cycles(&self, at: Instant, length_s: f64) -> Instant {
        let frequency_hz = self.segment.frequency_at(at.plus_seconds(0.5 * length_s));
        if frequency_hz > 0.0 {
            let cycles = (length_s * frequency_hz).round().max(1.0);
            return at.plus_seconds(cycles / frequency_hz);
        }
        at.plus_seconds(length_s)
    }

    /// Means over a span within the piece.
    pub(crate) fn means(&self, from: Instant, to: Instant) -> Vec<SpanMeans> {
        let length_s = to.seconds_since(from);
        let ends_hz = [from, to].map(|at| self.segment.frequency_at(at));
        let fastest_hz = ends_hz[0].max(ends_hz[1]);
        let top_hz = self.channels.iter().map(|law| law.top_hz(fastest_hz)).fold(0.0, f64::max);
        // A lap is at most one cycle, and no panel is longer than one.
        let laps = (length_s * fastest_hz).ceil().max(1.0) as u64;
        let lap_s = length_s / laps as f64;
        let panel_s = 0.5 / top_hz.max(0.5 * fastest_hz);
        let mut sums = vec![SpanMeans::default(); self.phases()];
        for lap in 0..laps {
            let begin = from.plus_seconds(lap as f64 * lap_s);
            for (sum, means) in sums.iter_mut().zip(self.lap(begin, lap_s, panel_s)) {
                let part = lap_s / length_s;
                let means = SpanMeans { s_va: means.phase.apparent_power_va(), ..means };
                *sum = sum.merged(&means, |sum, mean| sum + part * mean);
            }
        }
        sums
    }

    /// Means over at most one cycle, the apparent power left out.
    fn lap(&self, begin: Instant, lap_s: f64, panel_s: f64) -> Vec<SpanMeans> {
        let mut borders = vec![0.0, lap_s];
        borders.extend(self.edges(begin, lap_s));
        borders.sort_by(f64::total_cmp);
        let mut sums = vec![SpanMeans::default(); self.phases()];
        let mut rotations = Vec::new();
        let mut values = vec![0.0; self.channels.len()];
        for border in borders.windows(2) {
            let (from_s, part_s) = (border[0], border[1] - border[0]);
            let panels = (part_s / panel_s).ceil().max(1.0) as u64;
            let width_s = part_s / panels as f64;
            for panel in 0..panels {
                for (abscissa, weight) in *GAUSS {
                    let at = begin.plus_seconds(from_s + (panel as f64 + abscissa) * width_s);
                    self.rotate(at, &mut rotations);
                    for (number, value) in values.iter_mut().enumerate() {
                        *value = self.value(number, at, &rotations, false);
                    }
                    let weight = weight * width_s / lap_s;
                    let frequency_hz = self.segment.frequency_at(at);
                    for (phase, sum) in sums.iter_mut().enumerate() {
                        let (u, i) = (values[phase], values[phase + self.phases()]);
                        sum.phase.u2 += weight * u * u;
                        sum.phase.i2 += weight * i * i;
                        sum.phase.ui += weight * u * i;
                        sum.q1_var += weight * self.q1_var(phase, at);
                        sum.frequency_hz += weight * frequency_hz;
                    }
                }
            }
        }
        for (phase, sum) in sums.iter_mut().enumerate() {
            sum.phase.u2 += self.channels[phase].noise_rms.powi(2);
            sum.phase.i2 += self.channels[phase + self.phases()].noise_rms.powi(2);
        }
        sums
    }

    /// When gates open or close within a lap, in seconds from its beginning.
    fn edges(&self, begin: Instant, lap_s: f64) -> Vec<f64> {
        let mut found = Vec::new();
        for law in &self.channels {
            for gate in &law.gates {
                let rate = |at: Instant| {
                    self.segment.frequency_at(at) + law.shift.map_or(0.0, |shift| shift.per_s)
                };
                let position = |at: Instant| {
                    let shift = law.shift.map_or(0.0, |shift| shift.at(at));
                    gate.offset + self.segment.turns_within(at, gate.cycles) + shift
                };
                for edge in gate.edges() {
                    let missing = wrap(edge - position(begin), gate.cycles);
                    let mut seconds = missing / rate(begin);
                    for _ in 0..5 {
                        let at = begin.plus_seconds(seconds);
                        let half = 0.5 * f64::from(gate.cycles);
                        let off = wrap(edge - position(at) + half, gate.cycles) - half;
                        seconds += off / rate(at);
                    }
                    if seconds > 0.0 && seconds < lap_s {
                        found.push(seconds);
                    }
                }
            }
        }
        found
    }

    /// RMS phasor of a channel's fundamental, beside the clock's angle.
    fn fundamental(&self, channel: usize, at: Instant) -> Complex64 {
        let law = &self.channels[channel];
        let shift = law.shift.map_or(0.0, |shift| shift.at(at));
        law.fundamental(at) * cis(TAU * shift) * self.cut[channel]
    }

    fn q1_var(&self, phase: usize, at: Instant) -> f64 {
        (self.fundamental(phase, at) * self.fundamental(phase + self.phases(), at).conj()).im
    }

    /// Angles, where nothing shifts them; a distortion has no meaning.
    pub(crate) fn harmonics(&self, at: Instant) -> Vec<PhaseHarmonics> {
        let fundamental = |channel: usize| {
            let is_shifting = self.channels[channel].shift.is_some();
            let unknown = Complex64::new(f64::NAN, f64::NAN);
            if is_shifting { unknown } else { self.fundamental(channel, at) }
        };
        let phase = |phase: usize| PhaseHarmonics {
            u1: fundamental(phase),
            i1: fundamental(phase + self.phases()),
            thd_u: f64::NAN,
            thd_i: f64::NAN,
        };
        (0..self.phases()).map(phase).collect()
    }
}

/// What gates leave of a channel's fundamental: the Fourier coefficient of the cut wave, its lines
/// as they are at an instant, over that of the whole one.
fn cut_fundamental(law: &ClosedForm, segment: &Segment, at: Instant) -> Complex64 {
    let whole = law.fundamental(at);
    if law.gates.is_empty() || whole == Complex64::ZERO {
        return Complex64::ONE;
    }
    let common = product(&law.factors, at);
    let gates: &[_] = &law.gates;
    let Some(cycle) = crate::gate::Cycle::new(Instant::default(), 1.0, &[gates]) else {
        return Complex64::ONE;
    };
    let mut sum = Complex64::ZERO;
    for part in 0..cycle.edges.len() {
        let (from, to) = cycle.span_of(part);
        let factor = cycle.factors[part][0] * common;
        let over = |m: f64| crate::stationary::turned_over(m, from, to) * factor;
        sum += over(-1.0) * (2.0 * law.dc);
        for line in &law.lines {
            let Place::Order(order) = line.line.place else { continue };
            let phasor = cis(TAU * line.line.turns) * (SQRT_2 * line.line.rms);
            let order = f64::from(order);
            // Positions count from the segment's beginning.
            let phasor = phasor * cis(TAU * order * segment.turns) * product(&line.factors, at);
            sum += phasor * over(order - 1.0) + phasor.conj() * over(-order - 1.0);
        }
    }
    sum * cis(-TAU * segment.turns) * FRAC_1_SQRT_2 / f64::from(cycle.cycles) / whole
}
