//! A network that is solved as time goes, and what flows at its places.
//!
//! Each step is solved when it is asked for, with what has been done to the network until then, so
//! that what reacts to its values can act on it. Within a step everything is constant.

use std::f64::consts::{SQRT_2, TAU};
use std::sync::{Arc, PoisonError, RwLock};

use lastmeter_grid::Network;
use lastmeter_grid::flow::{self, Options};
use lastmeter_units::{Direction, MeasurementId, Phase, Quantity, SimDuration};
use num_complex::Complex64;

use super::feeder::{Feeder, Setup, Step, StepFailure, losses, set_powers};
use super::input::{BreakerAt, GridChange, GridInput, Inputs, is_closed};
use super::profile::Raster;
use crate::energy::Netting;
use crate::truth::ReferenceSpan;

/// Where a live point is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Load(usize),
    Source(usize),
}

/// A network that is solved as time goes.
#[derive(Debug)]
pub struct LiveGrid {
    /// Of what is written down; its steps are those that have been solved.
    feeder: Feeder,
    /// As it is now: breakers, taps, powers.
    network: Network,
    inputs: Inputs,
    /// Of each load, whether a profile sets what it draws.
    profiled: Vec<bool>,
    points: Vec<(Place, LivePoint)>,
}

impl LiveGrid {
    /// Before its first step. Defects and changes of the setup are not played.
    pub fn new(setup: Setup) -> Self {
        let profiled = |load| setup.powers.get(load).is_some_and(Option::is_some);
        Self {
            network: setup.network.clone(),
            inputs: Inputs::none(&setup.network),
            profiled: (0..setup.network.loads.len()).map(profiled).collect(),
            points: Vec::new(),
            feeder: Feeder::unsolved(setup),
        }
    }

    /// The network as it is written down.
    pub fn network(&self) -> &Network {
        self.feeder.network()
    }

    /// When its steps are.
    pub fn raster(&self) -> &Raster {
        self.feeder.raster()
    }

    /// All that has flowed until now.
    pub const fn played(&self) -> &Feeder {
        &self.feeder
    }

    /// The step that is solved next, from 0.
    pub fn next_step(&self) -> usize {
        self.feeder.steps().len()
    }

    /// Something is done to the network; it holds from the next step on.
    pub fn apply(&mut self, input: GridInput) {
        self.inputs.take(input, &mut self.network);
        // So that a step can be drawn again.
        let step = self.next_step();
        self.feeder.setup.changes.push(GridChange { step, input });
    }

    /// Whether current can flow through a breaker.
    pub fn is_closed(&self, at: BreakerAt) -> bool {
        is_closed(&self.network, at)
    }

    /// What a meter at a load sees, from the first step on.
    pub fn live_load(&mut self, load: usize) -> LivePoint {
        self.live(Place::Load(load))
    }

    /// What a meter at a source sees, from the first step on.
    pub fn live_source(&mut self, source: usize) -> LivePoint {
        self.live(Place::Source(source))
    }

    fn live(&mut self, place: Place) -> LivePoint {
        let point = LivePoint(Arc::new(RwLock::new(Track {
            step: self.raster().step,
            frequency_hz: self.feeder.setup.frequency_hz,
            steps: Vec::new(),
            counted: Vec::new(),
            counted_net: [0.0; 4],
        })));
        self.points.push((place, point.clone()));
        point
    }

    /// Solves the next step. After the last one of its profiles they stay as they are.
    ///
    /// # Errors
    /// If it has no solution.
    pub fn step(&mut self) -> Result<(), StepFailure> {
        let step = self.next_step();
        let last = self.raster().steps.saturating_sub(1);
        set_powers(&mut self.network, &self.feeder.setup.powers, step.min(last));
        self.inputs.set(&self.feeder.setup.network, &mut self.network, &self.profiled);
        let flow = flow::solve(&self.network, &Options::default());
        let flow = flow.map_err(|why| StepFailure { step, is_declared: false, why })?;
        flow::keep_taps(&flow, &mut self.network);
        let losses_va = losses(&flow);
        let flow::Flow { nodes, loads, sources, .. } = flow;
        let solved = Step { nodes, loads, sources, losses_va, declared_losses_va: losses_va };
        for (place, point) in &self.points {
            let pairs = match *place {
                Place::Load(load) => self.feeder.pairs_of(load, &solved),
                Place::Source(source) => self.feeder.pairs_of_source(source, &solved),
            };
            point.write(|track| track.take(&pairs));
        }
        self.feeder.steps.push(solved);
        Ok(())
    }
}

/// What flows at a place of a live network: cheap to clone, filled as the network is solved.
#[derive(Clone, Debug)]
pub struct LivePoint(Arc<RwLock<Track>>);

/// Voltage and current of a phase.
type Pair = (Complex64, Complex64);

#[derive(Debug)]
struct Track {
    step: SimDuration,
    frequency_hz: f64,
    /// Of each step the pairs of all phases.
    steps: Vec<Vec<Pair>>,
    /// Of each phase the energies until now, consumed and injected, active and reactive.
    counted: Vec<[f64; 4]>,
    /// The same of all phases netted.
    counted_net: [f64; 4],
}

impl Track {
    fn take(&mut self, pairs: &[Pair]) {
        let seconds = self.step.as_seconds_f64();
        self.counted.resize(pairs.len(), [0.0; 4]);
        let count = |counted: &mut [f64; 4], power: Complex64| {
            for (place, value) in [power.re, -power.re, power.im, -power.im].into_iter().enumerate()
            {
                counted[place] += value.max(0.0) * seconds;
            }
        };
        let mut sum = Complex64::ZERO;
        for (counted, (voltage, current)) in self.counted.iter_mut().zip(pairs) {
            let power = voltage * current.conj();
            count(counted, power);
            sum += power;
        }
        count(&mut self.counted_net, sum);
        self.steps.push(pairs.to_vec());
    }
}

impl LivePoint {
    fn read<T>(&self, of: impl FnOnce(&Track) -> T) -> T {
        of(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, change: impl FnOnce(&mut Track)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// How many phases it has: none before the first step.
    pub fn phases(&self) -> usize {
        self.read(|track| track.steps.first().map_or(0, Vec::len))
    }

    /// A quantity as it is in the last step that was solved, in the SI unit of its registry row;
    /// registers at that step's end. `None` before the first step, and of what there is not here.
    pub fn now_value(&self, id: MeasurementId) -> Option<f64> {
        self.read(|track| {
            let pairs = track.steps.last()?;
            let row = id.row();
            let phase = row.phase.index();
            let phase = phase.map(|phase| pairs.get(phase).copied().map(|pair| (phase, pair)));
            let apparent = |pair: &Pair| pair.0.norm() * pair.1.norm();
            let total: Complex64 = pairs.iter().map(|(u, i)| u * i.conj()).sum();
            let power = match phase {
                Some(found) => found.map(|(_, (u, i))| u * i.conj()),
                None => Some(total),
            };
            let size = match phase {
                Some(found) => found.map(|(_, pair)| apparent(&pair)),
                None => Some(pairs.iter().map(apparent).sum()),
            };
            let counted = match phase {
                Some(found) => found.and_then(|(phase, _)| track.counted.get(phase)),
                None => Some(&track.counted_net),
            };
            match row.quantity {
                Quantity::VoltageRms => Some(phase??.1.0.norm()),
                Quantity::CurrentRms => Some(phase??.1.1.norm()),
                Quantity::ActivePower(Direction::Consumed) => Some(power?.re.max(0.0)),
                Quantity::ActivePower(Direction::Injected) => Some((-power?.re).max(0.0)),
                Quantity::ReactivePower(Direction::Consumed) => Some(power?.im.max(0.0)),
                Quantity::ReactivePower(Direction::Injected) => Some((-power?.im).max(0.0)),
                Quantity::ApparentPower => size,
                Quantity::PowerFactor => Some(power?.re / size?).filter(|it| it.is_finite()),
                Quantity::Frequency => Some(track.frequency_hz),
                Quantity::ActiveEnergy(Direction::Consumed) => Some(counted?[0]),
                Quantity::ActiveEnergy(Direction::Injected) => Some(counted?[1]),
                Quantity::ReactiveEnergy(Direction::Consumed) => Some(counted?[2]),
                Quantity::ReactiveEnergy(Direction::Injected) => Some(counted?[3]),
                _ => None,
            }
        })
    }

    /// The momentary value of a channel: voltages of the phases from 0 on, their currents from 3 on,
    /// 6 the neutral's, by the last step that was solved.
    pub fn instantaneous(&self, channel: usize, since_start: SimDuration) -> f64 {
        self.read(|track| {
            let Some(pairs) = track.steps.last() else { return f64::NAN };
            let phasor = match channel {
                0..=2 => pairs.get(channel).map_or(Complex64::ZERO, |pair| pair.0),
                3..=5 => pairs.get(channel - 3).map_or(Complex64::ZERO, |pair| pair.1),
                _ => -pairs.iter().map(|pair| pair.1).sum::<Complex64>(),
            };
            let turns = since_start.as_seconds_f64() * track.frequency_hz;
            SQRT_2 * phasor.norm() * libm::cos(TAU * turns.fract() + phasor.arg())
        })
    }

    /// The reference value of a quantity over a span: the mean over what the steps have in it, of a
    /// register what flowed since it stood at zero. `None` of what there is not here, and where a
    /// step of the span is not solved.
    pub fn truth_value(
        &self,
        span: ReferenceSpan,
        netting: Netting,
        id: MeasurementId,
    ) -> Option<f64> {
        let row = id.row();
        let of = |per_step: &dyn Fn(&[Pair]) -> Option<f64>, from: SimDuration| {
            self.read(|track| track.integral(from, span.to, per_step))
        };
        let length = (span.to - span.from).as_seconds_f64();
        let mean = |per_step: &dyn Fn(&[Pair]) -> Option<f64>| {
            Some(of(per_step, span.from)? / length).filter(|mean| mean.is_finite())
        };
        let power = |pairs: &[Pair], sign: f64, part: fn(Complex64) -> f64| {
            directed(pairs, row.phase, netting, |pair| sign * part(pair.0 * pair.1.conj()))
        };
        let sign = |direction: Direction| match direction {
            Direction::Consumed => 1.0,
            Direction::Injected => -1.0,
        };
        match row.quantity {
            Quantity::VoltageRms => mean(&|pairs| Some(pairs.get(row.phase.index()?)?.0.norm())),
            Quantity::CurrentRms => mean(&|pairs| Some(pairs.get(row.phase.index()?)?.1.norm())),
            Quantity::ActivePower(way) => mean(&|pairs| power(pairs, sign(way), |it| it.re)),
            Quantity::ReactivePower(way) => mean(&|pairs| power(pairs, sign(way), |it| it.im)),
            Quantity::ApparentPower => mean(&|pairs| apparent_va(pairs, row.phase)),
            Quantity::PowerFactor => mean(&|pairs| {
                let active = in_phase(pairs, row.phase, |pair| (pair.0 * pair.1.conj()).re)?;
                Some(active / apparent_va(pairs, row.phase)?).filter(|it| it.is_finite())
            }),
            Quantity::Frequency => {
                let frequency_hz = self.read(|track| track.frequency_hz);
                mean(&|_| Some(frequency_hz))
            }
            Quantity::ActiveEnergy(way) => {
                of(&|pairs| power(pairs, sign(way), |it| it.re), span.registers_from)
            }
            Quantity::ReactiveEnergy(way) => {
                of(&|pairs| power(pairs, sign(way), |it| it.im), span.registers_from)
            }
            _ => None,
        }
    }
}

impl Track {
    /// What a value of each step comes to over a span, times seconds.
    fn integral(
        &self,
        from: SimDuration,
        to: SimDuration,
        per_step: &dyn Fn(&[Pair]) -> Option<f64>,
    ) -> Option<f64> {
        let step = self.step.0.max(1);
        if from.0 < 0 || to < from {
            return None;
        }
        let (first, mut sum) = (from.0 / step, 0.0);
        let mut at = from.0;
        for number in first.. {
            if at >= to.0 {
                break;
            }
            let end = ((number + 1) * step).min(to.0);
            let pairs = self.steps.get(usize::try_from(number).ok()?)?;
            sum += per_step(pairs)? * SimDuration(end - at).as_seconds_f64();
            at = end;
        }
        Some(sum)
    }
}

/// What the phase asked for, or all of them, come to.
fn in_phase(pairs: &[Pair], phase: Phase, of: impl Fn(&Pair) -> f64) -> Option<f64> {
    match phase.index() {
        Some(phase) => pairs.get(phase).map(of),
        None => Some(pairs.iter().map(of).sum()),
    }
}

/// The part of a power that flows in one direction.
fn directed(
    pairs: &[Pair],
    phase: Phase,
    netting: Netting,
    of: impl Fn(&Pair) -> f64,
) -> Option<f64> {
    match (phase.index(), netting) {
        (Some(phase), _) => pairs.get(phase).map(|pair| of(pair).max(0.0)),
        (None, Netting::Net) => Some(pairs.iter().map(of).sum::<f64>().max(0.0)),
        (None, Netting::PerPhase) => Some(pairs.iter().map(|pair| of(pair).max(0.0)).sum()),
    }
}

fn apparent_va(pairs: &[Pair], phase: Phase) -> Option<f64> {
    in_phase(pairs, phase, |pair| pair.0.norm() * pair.1.norm())
}
