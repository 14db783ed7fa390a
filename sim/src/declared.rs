//! What a device declares of its readings where it cannot announce them, and how far the reference
//! may differ over all that the declaration admits.
//!
//! Terms: the *nominal span* is what a reading covers if the device is exactly as declared; the
//! *admitted spans* are those that the declaration allows; the *spread* of a quantity is the
//! largest difference between its reference over an admitted span and that over the nominal one.
//!
//! # Which spans are looked at
//!
//! There are infinitely many admitted spans. These few hold the extremes, by the shape of each
//! reference as a function of the shift. Let *f* be what is averaged or counted, constant between
//! the instants at which the plant changes.
//!
//! - A register is the integral of *f* up to the end of the span. Its derivative is *f* there, of
//!   one sign between two changes: the register is monotone between them.
//! - A mean over a window of fixed length W has the derivative `(f(end) - f(begin)) / W`, constant
//!   until one of both ends meets a change. A window that would begin before the start is cut
//!   there, and is a mean as in the next line until it is cut no more.
//! - A mean whose ends move independently has the derivative `(f(end) - mean) / length` by its
//!   end, which keeps its sign while f(end) is the same, since the mean only approaches f(end);
//!   likewise by its beginning. So its extremes over a rectangle without changes lie in a corner.
//! - What is a monotone function of such a value (an RMS value, a split by direction) is monotone.
//! - A value at the end of the span (a temperature that is read) is constant between changes. On a
//!   change it is that of before, so one nanosecond later is looked at too.
//!
//! A terminal's f also oscillates within each cycle. That adds to a mean an oscillation of twice
//! the fundamental's frequency, of at most `1 / (2 omega W)` of it for each end: eight shifts in
//! half a cycle on either side of the above see at least 92 % of it; four where both ends move,
//! 70 %.
//! Power factor, apparent and non-active power are ratios, or are formed over windows that follow
//! the span's beginning; their spread is that of the same shifts, which need not hold their
//! extremes.
//!
//! Where the plant has more than [`CHANGES_MAX`] changes in an admitted range, or no stretches
//! there (recordings, ramps, waves that are cut), a grid of [`GRID`] equidistant shifts of the
//! range is looked at instead, [`GRID_OF_TWO`] for each end where both move.

use lastmeter_units::{Formation, MeasurementId, SimDuration};

use crate::domain::{ElectricityFacts, MeteringPoint};
use crate::truth::ReferenceSpan;

/// What a device's readings are identified by, where it does not announce them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A number that the protocol carries (access number, frame counter), and its instant.
    Number,
    /// When it was due and nothing else.
    Schedule,
}

/// What a device declares of the spans of its readings, which it does not announce.
///
/// The nominal end of a span is the instant of the reading's number, or the instant at which it
/// was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeclaredSpan {
    /// What its readings are identified by.
    pub identity: Identity,
    /// What a mean covers; `None`: everything since the nominal end before.
    pub window: Option<SimDuration>,
    /// How long before its nominal end a span may end.
    pub earliest: SimDuration,
    /// How long after its nominal end a span may end.
    pub latest: SimDuration,
    /// How long before its nominal end a register may have stood so, where that differs from
    /// `earliest`: a meter of whole windows whose registers count every sample.
    pub registers_earliest: Option<SimDuration>,
}

impl DeclaredSpan {
    /// The spans that are admitted for a reading with this nominal end; both instants since the
    /// scenario's start, `before` is the nominal end of the reading before, zero for the first.
    #[must_use]
    pub fn admitted(&self, before: SimDuration, end: SimDuration) -> AdmittedSpans {
        let begin = self.window.map_or(before, |window| end - window);
        let begin = begin.max(SimDuration::ZERO);
        let nominal = ReferenceSpan { from: begin, to: end, registers_from: SimDuration::ZERO };
        AdmittedSpans { nominal, declared: *self }
    }
}

/// The spans that a declaration admits for one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmittedSpans {
    nominal: ReferenceSpan,
    declared: DeclaredSpan,
}

/// So many changes in an admitted range are looked at one by one.
pub const CHANGES_MAX: usize = 32;

/// Where both ends move, so many in each of both ranges.
const CHANGES_OF_TWO_MAX: usize = 6;

/// Shifts of a range where the plant has no stretches, or too many.
pub const GRID: i64 = 65;

/// The same for each end where both move independently.
pub const GRID_OF_TWO: i64 = 17;

impl AdmittedSpans {
    /// The span of a device that is exactly as declared.
    #[must_use]
    pub fn nominal(&self) -> ReferenceSpan {
        self.nominal
    }

    /// Instants from the earliest to the latest that an end may have.
    fn range(&self, end: SimDuration) -> (SimDuration, SimDuration) {
        let DeclaredSpan { earliest, latest, .. } = self.declared;
        ((end - earliest).max(SimDuration::ZERO), (end + latest).max(SimDuration::ZERO))
    }

    /// The spans that are looked at, as the module describes them.
    fn candidates(&self, point: &MeteringPoint) -> Vec<ReferenceSpan> {
        let ReferenceSpan { from, to, registers_from } = self.nominal;
        // A span that may be empty has no mean, so nothing is known of it; registers have theirs.
        let span = |from: SimDuration, to: SimDuration| ReferenceSpan {
            from: from.clamp(SimDuration::ZERO, to),
            to,
            registers_from,
        };
        let (first, last) = self.range(to);
        if let Some(window) = self.declared.window {
            let of_ends = instants(point, first, last, CHANGES_MAX);
            // A change that the beginning meets, as the instant of the end.
            let of_begins = instants(point, first - window, last - window, CHANGES_MAX);
            let ends = match (of_ends, of_begins) {
                (Some(ends), Some(begins)) => {
                    let mut all = ends;
                    all.extend(begins.into_iter().map(|begin| begin + window));
                    around(point, &all, last, RIPPLE)
                }
                _ => grid(first, last, GRID),
            };
            ends.into_iter().map(|end| span(end - window, end)).collect()
        } else {
            let of = |(first, last)| match instants(point, first, last, CHANGES_OF_TWO_MAX) {
                Some(instants) => around(point, &instants, last, RIPPLE_OF_TWO),
                None => grid(first, last, GRID_OF_TWO),
            };
            // The run's first reading begins where everything does.
            let begins = if from == SimDuration::ZERO { vec![from] } else { of(self.range(from)) };
            let ends = of((first, last));
            let ends_of = |begin: SimDuration| ends.iter().map(move |&end| span(begin, end));
            begins.into_iter().flat_map(ends_of).collect()
        }
    }
}

/// Parts of half a cycle at which the oscillation of a mean is looked at.
const RIPPLE: i64 = 8;

/// The same where both ends move.
const RIPPLE_OF_TWO: i64 = 4;

/// The ends of a range and the changes in it, each with the nanosecond after it; `None` where the
/// plant has no stretches there, or too many.
fn instants(
    point: &MeteringPoint,
    first: SimDuration,
    last: SimDuration,
    changes_max: usize,
) -> Option<Vec<SimDuration>> {
    let mut found = vec![first, last];
    let mut at = first.max(SimDuration::ZERO);
    // A window that is cut at the start is longest where it is cut no more.
    if at > first && at <= last {
        found.push(at);
    }
    loop {
        let change = next_change(point, at)?;
        if change > last {
            return Some(found);
        }
        if found.len() >= 2 + 2 * changes_max {
            return None;
        }
        found.extend([change, (change + SimDuration(1)).min(last)]);
        at = change;
    }
}

/// The first change after an instant, at the end of all time if there is none; `None` where there
/// is no stretch.
fn next_change(point: &MeteringPoint, at: SimDuration) -> Option<SimDuration> {
    let until = match point {
        MeteringPoint::Electricity(terminal) => terminal.spectrum_at(at)?.until,
        MeteringPoint::Live(point) => Some(point.next_change(at)?),
        MeteringPoint::Heat(_)
        | MeteringPoint::Water(_)
        | MeteringPoint::Room(_)
        | MeteringPoint::Switch(_) => point.pipe(at)?.until,
    };
    // What does not go on would be looked at forever.
    Some(until.filter(|until| *until > at).unwrap_or(SimDuration(i64::MAX)))
}

/// Of a terminal also the instants around these within half a cycle; each instant once.
fn around(
    point: &MeteringPoint,
    instants: &[SimDuration],
    last: SimDuration,
    parts: i64,
) -> Vec<SimDuration> {
    let mut all = instants.to_vec();
    if let Some(terminal) = point.terminal() {
        let part = SimDuration::from_seconds_f64(0.5 / terminal.fundamental_hz() / parts as f64);
        let first = instants.iter().copied().min().unwrap_or(last);
        for &instant in instants {
            all.extend((1 - parts..parts).map(|number| instant + part * number));
        }
        all.retain(|instant| (first..=last).contains(instant));
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// So many equidistant instants of a range.
fn grid(first: SimDuration, last: SimDuration, count: i64) -> Vec<SimDuration> {
    let length = i128::from((last - first).0);
    let at = |number: i64| {
        let share = length * i128::from(number) / i128::from(count - 1);
        first + SimDuration(i64::try_from(share).unwrap_or(i64::MAX))
    };
    let mut all: Vec<_> = (0..count).map(at).collect();
    all.dedup();
    all
}

impl MeteringPoint {
    /// The spread of the reference of each quantity over all spans that a declaration admits, in
    /// the SI unit of a difference of two of its values. Not a number where the reference is known
    /// over one of the spans and not over another. Zero where a declaration admits one span alone.
    #[must_use]
    pub fn spread(
        &self,
        admitted: &AdmittedSpans,
        electricity: Option<ElectricityFacts>,
        quantities: &[MeasurementId],
    ) -> Vec<f64> {
        let mut spreads = self.spread_of_all(admitted, electricity, quantities);
        if let Some(earliest) = admitted.declared.registers_earliest {
            let declared = DeclaredSpan { earliest, ..admitted.declared };
            let of_registers = AdmittedSpans { declared, ..*admitted };
            let of_registers = self.spread_of_all(&of_registers, electricity, quantities);
            for ((spread, own), id) in spreads.iter_mut().zip(of_registers).zip(quantities) {
                if id.row().quantity.formation() == Some(Formation::Register) {
                    *spread = own;
                }
            }
        }
        spreads
    }

    /// The same, of registers as of means.
    fn spread_of_all(
        &self,
        admitted: &AdmittedSpans,
        electricity: Option<ElectricityFacts>,
        quantities: &[MeasurementId],
    ) -> Vec<f64> {
        let DeclaredSpan { earliest, latest, .. } = admitted.declared;
        if earliest == SimDuration::ZERO && latest == SimDuration::ZERO {
            return vec![0.0; quantities.len()];
        }
        let nominal = self.truth(admitted.nominal, electricity);
        let nominal: Vec<_> = quantities.iter().map(|&id| nominal.value(id)).collect();
        let mut spreads = vec![0.0_f64; quantities.len()];
        for span in admitted.candidates(self) {
            let truth = self.truth(span, electricity);
            for ((spread, &id), nominal) in spreads.iter_mut().zip(quantities).zip(&nominal) {
                let difference = match (nominal, truth.value(id)) {
                    (Some(nominal), Some(other)) => (other - nominal).abs(),
                    (None, None) => 0.0,
                    _ => f64::NAN,
                };
                // Once unknown it stays so: `max` would forget it.
                *spread = if difference.is_nan() || spread.is_nan() {
                    f64::NAN
                } else {
                    spread.max(difference)
                };
            }
        }
        spreads
    }
}

#[cfg(test)]
#[path = "declared_tests.rs"]
mod tests;
