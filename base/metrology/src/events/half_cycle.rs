//! Urms(1/2): the RMS of one cycle, refreshed every half cycle, up to a zero crossing.
//!
//! IEC 61000-4-30, 3.20. The zero crossings are the fundamental's: at each crossing that is due, a
//! one-cycle Fourier sum centred on it shows how far off it is (the sum is blind to harmonics, and
//! to a change of amplitude at the crossing itself), and the next crossing follows half a cycle
//! later. Where the voltage is gone, crossings go on as they were due. Positions lie between
//! samples; the squared signal is integrated as a polygon, which is exact to third order because
//! it has no slope where it is cut.
//!
//! A fault may turn the phase: then crossings are no half cycle apart, and what lies between three
//! of them is no cycle. So a value always reaches back from its crossing by one period as it was
//! learnt from crossings that came in time, and where the next crossing is late, one more value
//! ends where it was due: no part of the signal is passed over by more than half a cycle.

use std::collections::VecDeque;

use multiversion::multiversion;

use crate::engine::usable;
use crate::numeric::{direction, dot, dots, product, tone};

/// Part of the cycle's mean square the fundamental must have for its crossing to count.
const SHARE_MIN: f64 = 0.25;

/// Part of the usual amplitude below which what is left of a fundamental is not trusted.
const AMPLITUDE_MIN: f64 = 0.05;

/// An amplitude that changes by more than this part from crossing to crossing steps within the
/// cycle, which turns its phase: the crossing is taken as due, a few times at most.
const AMPLITUDE_STEP_MIN: f64 = 0.02;

/// Crossings in a row that may be taken as due for that reason.
const DUE_CROSSINGS_MAX: u32 = 4;

/// Crossings after which the frequency is taken for known.
const ACQUIRED_CROSSINGS: u32 = 12;

/// Weight of one crossing in the frequency until then, at least.
const ACQUIRING_GAIN: f64 = 0.4;

/// Weight of one crossing in the frequency from then on.
const FREQUENCY_GAIN: f64 = 0.1;

/// Weight of one crossing in the frequency's drift, for both to settle without a swing: without
/// the drift the period would lag behind a frequency that moves.
const DRIFT_GAIN: f64 = 0.25 * FREQUENCY_GAIN * FREQUENCY_GAIN;

/// The most that half a cycle drifts from one to the next, as a part of it: 5 Hz in a second.
const DRIFT_MAX: f64 = 0.001;

/// A crossing this part of a half cycle early or late is a phase jump: the frequency stays.
const PHASE_JUMP_MIN: f64 = 0.005;

/// So many crossings in a row that are all early, or all late, are another frequency.
const ASTRAY_MAX: i32 = 8;

/// A crossing that is later than due by this part of a half cycle leaves room for one more value.
const LATENESS_MAX: f64 = 0.02;

/// So many samples may be missing at either end: the last one stands for the time up to the next
/// one, and rounding must not cost a recording of whole cycles its first or last.
const END_TOLERANCE: f64 = 0.01;

/// Two half cycles that are less than this many samples from one period are summed up to it by the
/// polygon's value there; otherwise the period is summed as a whole.
const SUM_TOLERANCE: f64 = 0.5;

/// Samples that are taken at a time: what is summed is then still in the nearest cache.
const PIECE_SAMPLES: usize = 256;

/// One value of Urms(1/2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HalfCycle {
    /// Start of the cycle, in samples since the first one; may lie between two.
    pub start: f64,
    /// End of the cycle, likewise.
    pub end: f64,
    /// RMS over it, in the unit of the samples.
    pub rms: f64,
    /// RMS of the current beside it in A, and active power, the mean of u times i, in W, positive
    /// for import; `None` without a current.
    pub current: Option<(f64, f64)>,
}

impl HalfCycle {
    /// The crossing in the middle: where the half cycle that is new in this value begins.
    pub fn middle(&self) -> f64 {
        0.5 * (self.start + self.end)
    }
}

/// Integrals over a stretch: of the square, and with a current of its square and the product.
#[derive(Clone, Copy, Debug)]
struct Sums {
    uu: f64,
    ii_ui: Option<[f64; 2]>,
}

impl Sums {
    /// Of both, the second one with a weight.
    fn with(self, other: Self, weight: f64) -> Self {
        let both = |([ii, ui], [more_ii, more_ui]): ([f64; 2], [f64; 2])| {
            [ii + weight * more_ii, ui + weight * more_ui]
        };
        Self { uu: self.uu + weight * other.uu, ii_ui: self.ii_ui.zip(other.ii_ui).map(both) }
    }

    /// Whether so much of this is a part that rounding would show in what is left without it.
    fn is_mostly(self, part: Self) -> bool {
        let ii = |sums: Self| sums.ii_ui.map_or(0.0, |[ii, _]| ii);
        2.0 * part.uu > self.uu || 2.0 * ii(part) > ii(self)
    }
}

/// Urms(1/2) of one channel, and of a current beside it; samples in pieces of any size.
///
/// A one-cycle window that slides by half a cycle: each half is summed once and belongs to two
/// values, so nothing drifts. By how much two halves are more or less than one period is summed
/// beside them.
#[derive(Clone, Debug)]
pub struct HalfCycles {
    /// Samples from index `base` on.
    samples: Vec<f64>,
    /// Of the current, as many; none where there is no current.
    currents: Vec<f64>,
    /// The half cycle before the present one.
    before: Option<Sums>,
    base: u64,
    /// Half a cycle in samples, as far as known.
    half: f64,
    half_range: (f64, f64),
    /// What it grows by from crossing to crossing.
    drift: f64,
    /// Crossings in a row beyond a phase jump's limit: as many late, or less than none early.
    astray: i32,
    /// The latest three crossings, the last one being the next due.
    crossings: VecDeque<f64>,
    /// Crossings that agreed with what was due.
    agreed: u32,
    /// Of the fundamental: slowly followed, and at the latest crossing.
    amplitude: (f64, f64),
    held: u32,
    finished: bool,
    /// Cycles of samples that are kept behind the present position.
    kept_cycles: f64,
    ready: VecDeque<HalfCycle>,
}

impl HalfCycles {
    /// At rest. `frequency_hz` is where the search begins: the nominal frequency will do.
    pub fn new(rate_hz: f64, frequency_hz: f64) -> Self {
        let half = (0.5 * rate_hz / frequency_hz).clamp(2.0, 1e9);
        Self {
            samples: Vec::new(),
            currents: Vec::new(),
            before: None,
            base: 0,
            half,
            // What IEC 61000-4-30 calls the range of a nominal frequency, and some more.
            half_range: (half / 1.2, half / 0.8),
            drift: 0.0,
            astray: 0,
            crossings: VecDeque::new(),
            agreed: 0,
            amplitude: (0.0, 0.0),
            held: 0,
            finished: false,
            kept_cycles: 0.0,
            ready: VecDeque::new(),
        }
    }

    /// The same with some cycles of samples kept behind the present position, to be looked into.
    pub(super) fn keeping(self, kept_cycles: f64) -> Self {
        Self { kept_cycles, ..self }
    }

    /// Takes the next samples; what is no finite number counts as 0, and so does the current from
    /// now on if there was one before.
    pub fn push(&mut self, samples: &[f64]) {
        if !self.currents.is_empty() {
            return self.push_pair(samples, &[]);
        }
        for samples in samples.chunks(PIECE_SAMPLES) {
            append(&mut self.samples, samples);
            self.advance();
        }
    }

    /// Takes the next samples of a voltage, and of its current: as many, or zero stands for what is
    /// missing.
    pub fn push_pair(&mut self, voltages: &[f64], currents: &[f64]) {
        self.currents.resize(self.samples.len(), 0.0);
        for (piece, voltages) in voltages.chunks(PIECE_SAMPLES).enumerate() {
            append(&mut self.samples, voltages);
            let currents = currents.get(piece * PIECE_SAMPLES..).unwrap_or(&[]);
            append(&mut self.currents, &currents[..currents.len().min(voltages.len())]);
            self.currents.resize(self.samples.len(), 0.0);
            self.advance();
        }
    }

    /// Ends the signal: cycles that end with it are still given out.
    pub fn finish(&mut self) {
        self.finished = true;
        self.advance();
    }

    /// The next value.
    pub fn pop(&mut self) -> Option<HalfCycle> {
        self.ready.pop_front()
    }

    /// Half a cycle in samples, as last measured.
    pub fn half_cycle(&self) -> f64 {
        self.half
    }

    /// Samples from a position on that are still kept, at most `count`.
    pub(super) fn kept(&self, from: u64, count: usize) -> &[f64] {
        let skipped = usize::try_from(from.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let rest = self.samples.get(skipped..).unwrap_or(&[]);
        &rest[..count.min(rest.len())]
    }

    /// The first sample that is still kept.
    pub(super) fn first_kept(&self) -> u64 {
        self.base
    }

    fn end(&self) -> f64 {
        (self.base + self.samples.len() as u64) as f64
    }

    fn advance(&mut self) {
        loop {
            let due = match self.crossings.back() {
                Some(last) => last + self.half,
                None => match self.first_crossing() {
                    Some(first) => first,
                    None => return,
                },
            };
            let crossing = if due + self.half + 1.0 <= self.end() {
                self.locate(due)
            } else if self.finished && due <= self.end() + END_TOLERANCE {
                due
            } else {
                return;
            };
            if crossing > due + LATENESS_MAX * self.half && self.agreed >= ACQUIRED_CROSSINGS {
                self.value(due);
            }
            self.crossings.push_back(crossing);
            self.complete();
            if self.crossings.len() == 3 {
                self.crossings.pop_front();
            }
            self.forget();
        }
    }

    /// The first crossing not before the first sample: where the first cycle's fundamental has it,
    /// or at the first sample if there is none. `None` while too little is known.
    fn first_crossing(&mut self) -> Option<f64> {
        let due = 2.0 * self.half;
        let needed = if self.finished { due - END_TOLERANCE } else { due + 1.0 };
        if needed > self.end() {
            return None;
        }
        let Some(off) = self.offset(self.half) else { return Some(0.0) };
        let mut first = self.half + off;
        while first - self.half >= -END_TOLERANCE {
            first -= self.half;
        }
        Some(first.max(0.0))
    }

    /// Where the crossing that is due really is.
    fn locate(&mut self, due: f64) -> f64 {
        let Some(off) = self.offset(due) else { return due };
        let due_to = due + off.clamp(-0.25 * self.half, 0.25 * self.half);
        self.learn(off);
        due_to
    }

    /// Learns the frequency from a crossing.
    fn learn(&mut self, off: f64) {
        if self.agreed < ACQUIRED_CROSSINGS {
            let gain = (1.0 / f64::from(self.agreed + 1)).max(ACQUIRING_GAIN);
            self.half += gain * off;
        } else if off.abs() < PHASE_JUMP_MIN * self.half {
            let most = DRIFT_MAX * self.half;
            self.drift = (self.drift + DRIFT_GAIN * off).clamp(-most, most);
            self.half += FREQUENCY_GAIN * off + self.drift;
        } else {
            let sign = if off > 0.0 { 1 } else { -1 };
            self.astray = sign + if sign * self.astray > 0 { self.astray } else { 0 };
            if self.astray.abs() >= ASTRAY_MAX {
                (self.agreed, self.astray, self.drift) = (0, 0, 0.0);
            }
            return;
        }
        self.half = self.half.clamp(self.half_range.0, self.half_range.1);
        self.agreed = self.agreed.saturating_add(1);
        self.astray = 0;
    }

    /// How many samples after `due` the fundamental crosses zero; `None` without a fundamental.
    fn offset(&mut self, due: f64) -> Option<f64> {
        let (from, to) = (due - self.half, due + self.half);
        if from < self.base as f64 || to > self.end() {
            return None;
        }
        let omega = std::f64::consts::PI / self.half;
        let step = direction(omega);
        let signal = Line { values: &self.samples, first: self.base };
        let stretch = Stretch::new(from, to);
        let values = signal.within(&stretch);
        let [re, im, square] = tone(values, step);
        // Half a turn before and after what is due: that the signs are turned over does not matter.
        let begin = direction(omega * stretch.head);
        let end = direction(-omega * stretch.tail);
        let (mut even, mut odd) = product((re, im), begin);
        let ends = [product(begin, (step.0, -step.1)), begin, end, product(end, step)];
        let mut total = square;
        let weights = stretch.weights(values.len());
        for ((x, weight), (cos, sin)) in stretch.ends(signal).into_iter().zip(weights).zip(ends) {
            even += weight * x * cos;
            odd += weight * x * sin;
            total += weight * x * x;
        }
        let square = odd * odd + even * even;
        let amplitude = square.sqrt() / self.half;
        let fundamental = square / self.half;
        let usual = self.amplitude.0;
        if total <= 0.0 || fundamental < SHARE_MIN * total || amplitude < AMPLITUDE_MIN * usual {
            return None;
        }
        let followed = if usual == 0.0 { amplitude } else { usual + 0.02 * (amplitude - usual) };
        let before = std::mem::replace(&mut self.amplitude, (followed, amplitude)).1;
        let stepped = before > 0.0 && (amplitude / before - 1.0).abs() > AMPLITUDE_STEP_MIN;
        if stepped && self.agreed >= ACQUIRED_CROSSINGS && self.held < DUE_CROSSINGS_MAX {
            self.held += 1;
            return None;
        }
        self.held = 0;
        // x = A sin(omega (t - due) - phi): of either sign, for the crossing may rise or fall.
        Some(libm::atan(-even / odd) / omega).filter(|off| off.is_finite())
    }

    /// Sums the half cycle between the last two crossings; two of these make a value.
    fn complete(&mut self) {
        let (Some(&to), Some(&from)) = (self.crossings.back(), self.crossings.iter().nth_back(1))
        else {
            return;
        };
        let sums = self.sums(from, to);
        let Some(before) = self.before.replace(sums) else { return };
        let Some(&start) = self.crossings.front() else { return };
        let sums = before.with(sums, 1.0);
        // So little is missing, or too much, that what is there is one sample's value.
        let missing = start - (to - 2.0 * self.half);
        let middle = start - 0.5 * missing;
        if missing.abs() < SUM_TOLERANCE && middle > self.base as f64 + SUM_TOLERANCE {
            let part = self.squares_at(middle);
            if !sums.is_mostly(part) {
                return self.give((start - missing, to), sums.with(part, missing));
            }
        }
        self.value(to);
    }

    /// Gives out the value of the period that ends at a position, or of the first one there is.
    fn value(&mut self, to: f64) {
        let period = 2.0 * self.half;
        let start = (to - period).max(self.base as f64);
        let to = (start + period).min(self.end()).max(to);
        self.give((start, to), self.sums(start, to));
    }

    fn give(&mut self, (start, end): (f64, f64), Sums { uu, ii_ui }: Sums) {
        let length = (end - start).max(1.0);
        let rms = |sum: f64| (sum / length).max(0.0).sqrt();
        let current = ii_ui.map(|[ii, ui]| (rms(ii), ui / length));
        self.ready.push_back(HalfCycle { start, end, rms: rms(uu), current });
    }

    /// What the sums grow by from one sample to the next at a position.
    fn squares_at(&self, position: f64) -> Sums {
        let u = Line { values: &self.samples, first: self.base };
        let below = position.floor();
        let (sample, share) = (below as u64, position - below);
        let between = |(x, y): (Line<'_>, Line<'_>)| {
            let at = |sample| x.at(sample) * y.at(sample);
            at(sample) + share * (at(sample + 1) - at(sample))
        };
        let ii_ui = (!self.currents.is_empty()).then(|| {
            let i = Line { values: &self.currents, first: self.base };
            [between((i, i)), between((u, i))]
        });
        Sums { uu: between((u, u)), ii_ui }
    }

    /// The integrals between two positions.
    fn sums(&self, from: f64, to: f64) -> Sums {
        let u = Line { values: &self.samples, first: self.base };
        let stretch = Stretch::new(from, to);
        if self.currents.is_empty() {
            return Sums { uu: stretch.square(u), ii_ui: None };
        }
        let i = Line { values: &self.currents, first: self.base };
        let [uu, ii, ui] = stretch.squares(u, i);
        Sums { uu, ii_ui: Some([ii, ui]) }
    }

    fn forget(&mut self) {
        let present = self.crossings.front().copied().unwrap_or(0.0);
        // More than lies between crossings, for two that come early.
        let behind = (0.6 + 2.0 * self.kept_cycles) * self.half + 1.0;
        let keep_from = (present - behind).max(0.0) as u64;
        let unused = usize::try_from(keep_from.saturating_sub(self.base)).unwrap_or(0);
        if 2 * unused > self.samples.len() {
            self.samples.drain(..unused);
            self.currents.drain(..unused.min(self.currents.len()));
            self.base += unused as u64;
        }
    }
}

/// Appends samples, and zeros for what cannot be measured.
#[multiversion(targets = "simd")]
fn append(kept: &mut Vec<f64>, samples: &[f64]) {
    let clean = |x: &f64| if usable(*x) { *x } else { 0.0 };
    kept.extend(samples.iter().map(clean));
}

/// Values at samples, and the polygon through them.
#[derive(Clone, Copy)]
struct Line<'a> {
    values: &'a [f64],
    /// The sample of the first value.
    first: u64,
}

impl Line<'_> {
    /// Beyond the last sample the signal stays as it is, for less than one sample.
    fn at(self, sample: u64) -> f64 {
        let place = usize::try_from(sample.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.values.get(place).or(self.values.last()).copied().unwrap_or(0.0)
    }

    /// The values from a sample on, at most `count`.
    fn from(&self, sample: u64, count: usize) -> &[f64] {
        let skipped = usize::try_from(sample.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let rest = self.values.get(skipped..).unwrap_or(&[]);
        &rest[..count.min(rest.len())]
    }

    /// The values a stretch needs whole.
    fn within(&self, stretch: &Stretch) -> &[f64] {
        self.from(stretch.first, stretch.count)
    }
}

/// What lies between two positions: whole samples, and parts at both ends.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    first: u64,
    last: u64,
    count: usize,
    /// From the beginning to the first whole sample, below 1.
    head: f64,
    /// From the last whole sample to the end, below 1.
    tail: f64,
}

impl Stretch {
    fn new(from: f64, to: f64) -> Self {
        let (first, last) = (from.ceil(), to.floor());
        let (head, tail) = (first - from, to - last);
        let (first, last) = (first as u64, last as u64);
        Self { first, last, count: (last + 1).saturating_sub(first) as usize, head, tail }
    }

    /// A line's values about both ends.
    fn ends(&self, line: Line<'_>) -> [f64; 4] {
        let Self { first, last, .. } = *self;
        [first.saturating_sub(1), first, last, last + 1].map(|sample| line.at(sample))
    }

    /// By how much more than once these count in the integral of the polygon through them, when
    /// the first `known` whole samples were summed.
    fn weights(&self, known: usize) -> [f64; 4] {
        let Self { count, head, tail, .. } = *self;
        // Of a part p of an interval the near end has p - p^2 / 2, the far end p^2 / 2; half of
        // what the ends have in the sum belongs to intervals outside.
        let (far_head, far_tail) = (0.5 * head * head, 0.5 * tail * tail);
        let missing = count.saturating_sub(known) as f64;
        [far_head, head - far_head - 0.5, tail - far_tail - 0.5 + missing, far_tail]
    }

    /// The integral of a line's square.
    fn square(&self, line: Line<'_>) -> f64 {
        let values = line.within(self);
        let ends = self.ends(line).into_iter().zip(self.weights(values.len()));
        ends.fold(dot(values, values), |sum, (x, weight)| sum + weight * x * x)
    }

    /// The integrals of two lines' squares and of their product.
    fn squares(&self, x: Line<'_>, y: Line<'_>) -> [f64; 3] {
        let (xs, ys) = (x.within(self), y.within(self));
        let known = xs.len().min(ys.len());
        let mut sums = dots(&xs[..known], &ys[..known]);
        let ends = self.ends(x).into_iter().zip(self.ends(y));
        for ((x, y), weight) in ends.zip(self.weights(known)) {
            let (by_x, by_y) = (weight * x, weight * y);
            sums = [sums[0] + by_x * x, sums[1] + by_y * y, sums[2] + by_x * y];
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(rate_hz: f64, f: f64, phase_deg: f64, count: usize) -> Vec<f64> {
        (0..count)
            .map(|k| {
                let angle = std::f64::consts::TAU * f * k as f64 / rate_hz;
                std::f64::consts::SQRT_2 * (angle + phase_deg.to_radians()).sin()
            })
            .collect()
    }

    fn values(rate_hz: f64, nominal_hz: f64, samples: &[f64], piece: usize) -> Vec<HalfCycle> {
        let mut half_cycles = HalfCycles::new(rate_hz, nominal_hz);
        samples.chunks(piece).for_each(|samples| half_cycles.push(samples));
        half_cycles.finish();
        std::iter::from_fn(|| half_cycles.pop()).collect()
    }

    #[test]
    fn a_sine_of_any_frequency_and_phase_reads_its_rms_everywhere() {
        for (rate_hz, nominal_hz, f, phase) in [
            (6400.0, 50.0, 50.0, 0.0),
            (6400.0, 50.0, 50.0, 90.0),
            (7812.5, 50.0, 43.1, 33.0),
            (7812.5, 50.0, 57.4, 211.0),
            (1200.0, 60.0, 60.0, 17.0),
            (1200.0, 60.0, 59.83, 71.0),
            (50_000.0, 60.0, 66.0, 300.0),
        ] {
            let samples = sine(rate_hz, f, phase, (1.5 * rate_hz) as usize);
            let found = values(rate_hz, nominal_hz, &samples, 777);
            let expected = 2.0 * 1.5 * f;
            assert!((found.len() as f64 - expected).abs() < 4.0, "{f}: {}", found.len());
            for (k, value) in found.iter().enumerate() {
                // The first cycles of a strange frequency are still being learnt.
                let tolerance = if k < 12 { 0.02 } else { 2e-4 };
                assert!((value.rms - 1.0).abs() < tolerance, "{f} {rate_hz} {k}: {value:?}");
            }
            let last = found.last().expect("values");
            assert!(last.end > samples.len() as f64 - rate_hz / f, "{last:?}");
        }
    }

    #[test]
    fn pieces_make_no_difference() {
        let samples = sine(7812.5, 49.7, 12.0, 9000);
        let whole = values(7812.5, 50.0, &samples, 9000);
        for piece in [1, 7, 100, 4096] {
            assert_eq!(values(7812.5, 50.0, &samples, piece), whole);
        }
    }

    #[test]
    fn crossings_go_on_through_silence_and_distortion_does_not_move_them() {
        let rate_hz = 6400.0;
        let mut samples = sine(rate_hz, 50.0, 0.0, 6400);
        for (k, x) in samples.iter_mut().enumerate() {
            let angle = std::f64::consts::TAU * 50.0 * k as f64 / rate_hz;
            *x += 0.3 * (5.0 * angle + 1.0).sin() + 0.2 * (7.0 * angle + 2.0).sin();
            if (1280..2560).contains(&k) {
                *x = 0.0;
            }
        }
        let found = values(rate_hz, 50.0, &samples, 500);
        for (k, value) in found.iter().enumerate() {
            // Where the harmonics are cut off in the middle, half a sample is in doubt.
            assert!((value.start - 64.0 * k as f64).abs() < 0.15, "{k}: {value:?}");
            if value.start >= 1281.0 && value.end <= 2559.0 {
                assert!(value.rms < 1e-6, "{value:?}");
            }
        }
        assert_eq!(found.len(), 99);
    }

    #[test]
    fn a_voltage_and_its_current_have_their_power_every_half_cycle_and_nothing_drifts() {
        let (rate_hz, f) = (7812.5, 50.3);
        let u = sine(rate_hz, f, 20.0, 40_000);
        let mut i = sine(rate_hz, f, 20.0 - 60.0, 40_000);
        // A surge of the current is gone with its cycle: a running sum would keep its rounding.
        i[20_000] = 1e9;
        for piece in [997, 40_000] {
            let mut half_cycles = HalfCycles::new(rate_hz, 50.0);
            for (u, i) in u.chunks(piece).zip(i.chunks(piece)) {
                half_cycles.push_pair(u, i);
            }
            half_cycles.finish();
            let found: Vec<_> = std::iter::from_fn(|| half_cycles.pop()).collect();
            // 515 half cycles, less the first, half a turn's rest, and the last.
            assert_eq!(found.len(), 513);
            for (k, value) in found.iter().enumerate().skip(20) {
                let (i_rms_a, p_w) = value.current.unwrap();
                if value.end < 20_000.0 || value.start > 20_001.0 {
                    assert!((i_rms_a - 1.0).abs() < 2e-4, "{k}: {value:?}");
                    assert!((p_w - 0.5).abs() < 2e-4, "{k}: {value:?}");
                }
            }
        }
    }

    #[test]
    fn strange_input_does_no_harm() {
        for samples in [vec![], vec![1.0], vec![f64::NAN; 3000], vec![f64::INFINITY; 3000]] {
            for value in values(6400.0, 50.0, &samples, 100) {
                assert_eq!(value.rms, 0.0);
            }
        }
        assert!(values(6400.0, 50.0, &vec![1e99; 3000], 100).iter().all(|v| v.rms.is_finite()));
    }
}
