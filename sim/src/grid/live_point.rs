//! What a meter sees of a network that is solved while time goes on, and the truth of it.
//!
//! Within a step everything is a steady sine. Over a span the truth of a quantity is the mean over
//! time of what it is in each step: of RMS values the mean of the steps' RMS values, of the power
//! factor the mean of the steps' factors. That is what the mean of samples comes to which a
//! simulator sends once a step. It differs from the truth of a terminal ([`crate::Truth`]), which
//! is that of one meter that looks at the wave of the whole span. What the waves do within parts of
//! a cycle is left out.
//!
//! Registers count by the intervals that the plant's energy is netted in everywhere: a step, or
//! shorter steps joined to 0.2 s from the first step on; what is left of one at an end of the span
//! is netted with its neighbour if it is shorter than that.

use std::f64::consts::PI;
use std::sync::{Arc, PoisonError, RwLock};

use lastmeter_units::{Direction, MeasurementId, Phase, Quantity, SimDuration};
use num_complex::Complex64;

use super::view::{Pair, angle, size};
use crate::energy::{Flows, NETTED_S, Netting, of_phase};
use crate::truth::{ReferenceSpan, split};

/// What a meter sees at a load or at a source of a [`super::LiveGrid`]: cheap to clone, all clones
/// see every step as soon as it is solved. What was the same in step after step is kept once.
#[derive(Clone, Debug)]
pub struct LivePoint {
    frequency_hz: f64,
    step: SimDuration,
    phases: usize,
    seen: Arc<RwLock<SolvedSteps>>,
}

/// All that was solved.
#[derive(Debug)]
struct SolvedSteps {
    /// The steps that are solved end here.
    solved: usize,
    /// In order, each up to the next one; the first begins where the point does.
    spans: Vec<SteadySpan>,
}

/// Steps in which nothing changes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct SteadySpan {
    first_step: usize,
    state: State,
}

/// Voltages and currents of up to three phases, the rest zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct State {
    pairs: [Pair; 3],
}

impl LivePoint {
    pub(super) fn new(
        step: SimDuration,
        frequency_hz: f64,
        phases: usize,
        next_step: usize,
    ) -> Self {
        let seen = SolvedSteps { solved: next_step, spans: Vec::new() };
        Self { frequency_hz, step, phases, seen: Arc::new(RwLock::new(seen)) }
    }

    /// Adds what is seen in the next step.
    pub(super) fn push(&self, pairs: &[Pair]) {
        let mut state = State::default();
        for (own, pair) in state.pairs.iter_mut().zip(pairs) {
            *own = *pair;
        }
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        let first_step = seen.solved;
        if seen.spans.last().is_none_or(|last| last.state != state) {
            seen.spans.push(SteadySpan { first_step, state });
        }
        seen.solved += 1;
    }

    /// Frequency of all voltages and currents, hertz.
    #[must_use]
    pub fn frequency_hz(&self) -> f64 {
        self.frequency_hz
    }

    /// The reference value of a quantity over a span, in the SI unit of its registry row.
    ///
    /// `None` where steps of the span are not solved yet or lie before the point's first one, of a
    /// mean over an empty span, and where the point does not have the quantity: another phase,
    /// harmonics, pulses; angles that are not the same all over the span.
    #[must_use]
    pub fn truth_value(
        &self,
        span: ReferenceSpan,
        netting: Netting,
        id: MeasurementId,
    ) -> Option<f64> {
        let row = id.row();
        let ReferenceSpan { from, to, registers_from } = span;
        match row.quantity {
            Quantity::ActiveEnergy(direction) => {
                self.energy(registers_from, to, State::active_w)?.of(row.phase, direction, netting)
            }
            Quantity::ReactiveEnergy(direction) => self
                .energy(registers_from, to, State::reactive_var)?
                .of(row.phase, direction, netting),
            Quantity::ApparentEnergy => {
                let flows = self.energy(registers_from, to, State::apparent_va)?;
                flows.of(row.phase, Direction::Consumed, Netting::Net)
            }
            Quantity::VoltagePhase | Quantity::CurrentPhase => {
                let mut values = Vec::new();
                self.for_parts(from, to, |_, _, it| values.push(self.value(it, netting, id)))?;
                let first = (*values.first()?)?;
                values.iter().all(|value| *value == Some(first)).then_some(first)
            }
            _ => {
                let length = (to - from).0 as f64;
                let mut sum = (from < to).then_some(0.0);
                self.for_parts(from, to, |begin, end, state| {
                    let value = self.value(state, netting, id);
                    let share = (end - begin).0 as f64 / length;
                    sum = sum.zip(value).map(|(sum, value)| sum + value * share);
                })?;
                sum
            }
        }
    }

    /// Voltage and current of each phase in the last step that was solved; none before the first.
    /// Angles are those of a terminal at the same place: where one is 0 the wave begins with its
    /// positive zero crossing.
    #[must_use]
    pub fn pairs(&self) -> Option<Vec<(Complex64, Complex64)>> {
        self.read(|seen| Some(seen.spans.last()?.state.pairs[..self.phases].to_vec()))
    }

    /// When something changes next after an instant, since the scenario's start: the end of the
    /// last solved step at the latest. `None` where nothing is solved.
    #[must_use]
    pub fn next_change(&self, at: SimDuration) -> Option<SimDuration> {
        self.read(|seen| {
            let index = self.index_at(seen, at)?;
            let next = seen.spans.get(index + 1).map_or(seen.solved, |next| next.first_step);
            Some(self.begin(next))
        })
    }

    fn read<T>(&self, of: impl FnOnce(&SolvedSteps) -> T) -> T {
        of(&self.seen.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn begin(&self, step: usize) -> SimDuration {
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        SimDuration(self.step.0.saturating_mul(step))
    }

    /// The span that an instant lies in; at a border the one that begins.
    fn index_at(&self, seen: &SolvedSteps, at: SimDuration) -> Option<usize> {
        let begun = |span: &SteadySpan| self.begin(span.first_step) <= at;
        let index = seen.spans.partition_point(begun).checked_sub(1)?;
        (at < self.begin(seen.solved)).then_some(index)
    }

    /// Looks at the parts of a span in which nothing changes, from and to, in order, at none if it
    /// is empty; `None` if not all of it is solved.
    fn for_parts(
        &self,
        from: SimDuration,
        to: SimDuration,
        mut each: impl FnMut(SimDuration, SimDuration, &State),
    ) -> Option<()> {
        self.read(|seen| {
            if to > self.begin(seen.solved) || from > to {
                return None;
            }
            if from == to {
                return Some(());
            }
            for index in self.index_at(seen, from)?..seen.spans.len() {
                let SteadySpan { first_step, state } = seen.spans[index];
                let begin = self.begin(first_step).max(from);
                if begin >= to {
                    break;
                }
                let next = seen.spans.get(index + 1);
                let end = next.map_or(to, |next| self.begin(next.first_step).min(to));
                each(begin, end, &state);
            }
            Some(())
        })
    }

    /// What registers of a power hold that stood at zero at an instant.
    fn energy(
        &self,
        from: SimDuration,
        to: SimDuration,
        power: impl Fn(&State) -> [f64; 3],
    ) -> Option<Flows> {
        let borders = Borders::new(self.step, from, to);
        let mut flows = Flows::new(self.phases);
        let mut open = [0.0; 3];
        self.for_parts(from, to, |begin, end, state| {
            let power = power(state);
            let mut add = |from: SimDuration, to: SimDuration, is_end: bool| {
                let length_s = (to - from).as_seconds_f64();
                for (sum, power) in open.iter_mut().zip(power) {
                    *sum += power * length_s;
                }
                if is_end {
                    flows.add(std::mem::take(&mut open)[..self.phases].iter().copied());
                }
            };
            match borders.within(begin, end) {
                Some((first, last)) => {
                    add(begin, first, true);
                    // Whole intervals in which nothing changes count as one.
                    add(first, last, true);
                    add(last, end, false);
                }
                None => add(begin, end, false),
            }
        })?;
        flows.add(open[..self.phases].iter().copied());
        Some(flows)
    }

    /// What a quantity that is no register is in one step.
    fn value(&self, state: &State, netting: Netting, id: MeasurementId) -> Option<f64> {
        let row = id.row();
        let own = |values: [f64; 3]| values[..self.phases].to_vec();
        let pair = || state.pairs[..self.phases].get(row.phase.index()?).copied();
        let active = || own(state.active_w());
        let apparent = || of_phase(&own(state.apparent_va()), row.phase);
        let value = match row.quantity {
            Quantity::ActivePower(direction) => split(&active(), row.phase, direction, netting),
            Quantity::ReactivePower(direction) => {
                split(&own(state.reactive_var()), row.phase, direction, netting)
            }
            Quantity::ApparentPower => apparent(),
            Quantity::VoltageRms => Some(size(pair()?.0)),
            Quantity::CurrentRms => Some(size(pair()?.1)),
            Quantity::VoltagePhase => self.relative_angle(state, pair()?.0),
            Quantity::CurrentPhase => self.relative_angle(state, pair()?.1),
            Quantity::PowerFactor => {
                let (active, apparent) = (of_phase(&active(), row.phase)?, apparent()?);
                // Where nothing flows there is no factor; a meter shows 0, and so does the truth.
                Some(if apparent == 0.0 { 0.0 } else { active / apparent })
            }
            Quantity::NonActivePower => {
                let (active, apparent) = (of_phase(&active(), row.phase)?, apparent()?);
                Some(((apparent - active) * (apparent + active)).max(0.0).sqrt())
            }
            Quantity::Frequency => (row.phase == Phase::None).then_some(self.frequency_hz),
            _ => None,
        };
        value.filter(|value| value.is_finite())
    }

    /// An angle relative to the first voltage's, from -pi to pi; none of what is zero.
    fn relative_angle(&self, state: &State, phasor: Complex64) -> Option<f64> {
        let reference = state.pairs[..self.phases].first()?.0;
        let relative = phasor * reference.conj();
        (relative != Complex64::ZERO).then(|| angle(relative).clamp(-PI, PI))
    }
}

impl State {
    fn of(&self, of: impl Fn(Complex64, Complex64) -> f64) -> [f64; 3] {
        self.pairs.map(|(voltage, current)| of(voltage, current))
    }

    fn active_w(&self) -> [f64; 3] {
        self.of(|voltage, current| (voltage * current.conj()).re)
    }

    fn reactive_var(&self) -> [f64; 3] {
        self.of(|voltage, current| (voltage * current.conj()).im)
    }

    fn apparent_va(&self) -> [f64; 3] {
        self.of(|voltage, current| size(voltage) * size(current))
    }
}

/// The instants within a span between which energy is netted: multiples of a length, from the first
/// to the last of them; none of them if the last lies before the first.
#[derive(Clone, Copy, Debug)]
struct Borders {
    // Nanoseconds since the start.
    length: i64,
    first: i64,
    last: i64,
}

impl Borders {
    fn new(step: SimDuration, from: SimDuration, to: SimDuration) -> Self {
        let least_ns = SimDuration::from_seconds_f64(NETTED_S).0;
        let step_ns = step.0.max(1);
        let length = step_ns.saturating_mul((least_ns - 1) / step_ns + 1);
        let mut first = next_multiple(from, length);
        let mut last = (to.0 - 1).div_euclid(length) * length;
        if first <= last && first - from.0 < least_ns {
            first = first.saturating_add(length);
        }
        if first <= last && to.0 - last < least_ns {
            last -= length;
        }
        Self { length, first, last }
    }

    /// The first and the last one behind an instant and up to another one.
    fn within(&self, from: SimDuration, to: SimDuration) -> Option<(SimDuration, SimDuration)> {
        let first = next_multiple(from, self.length);
        let last = to.0.div_euclid(self.length) * self.length;
        let (first, last) = (first.max(self.first), last.min(self.last));
        (first <= last).then_some((SimDuration(first), SimDuration(last)))
    }
}

/// The first multiple of a length behind an instant.
fn next_multiple(at: SimDuration, length: i64) -> i64 {
    (at.0.div_euclid(length) + 1).saturating_mul(length)
}
