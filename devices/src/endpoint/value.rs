//! What a simulator's points show of a place in its network: computed from voltages and currents of
//! its last step, and counted by itself. The bench's reference values are computed elsewhere.

use std::f64::consts::{SQRT_2, TAU};

use lastmeter_rts::point_map::WaveformChannel;
use lastmeter_sim::grid::LivePoint;
use lastmeter_units::{Direction, MeasurementId, Quantity, SimDuration};
use num_complex::Complex64;

/// A quantity at a place of the network, with its register if it is one.
#[derive(Clone, Debug)]
pub struct Probe {
    live: LivePoint,
    id: MeasurementId,
    /// What was counted before the present step.
    counted: f64,
    /// What goes in its direction in the present step, watts or var.
    rate: f64,
}

impl Probe {
    /// Of a quantity in its SI unit; registers begin at zero.
    pub const fn new(live: LivePoint, id: MeasurementId) -> Self {
        Self { live, id, counted: 0.0, rate: 0.0 }
    }

    /// A step was solved: registers have counted all of the one before, of this length.
    pub(super) fn count(&mut self, step: SimDuration) {
        let (direction, part): (Direction, fn(Complex64) -> f64) = match self.id.row().quantity {
            Quantity::ActiveEnergy(direction) => (direction, |power| power.re),
            Quantity::ReactiveEnergy(direction) => (direction, |power| power.im),
            _ => return,
        };
        let power = self.power().map_or(0.0, part);
        self.counted += self.rate * step.as_seconds_f64();
        self.rate = way(power, direction);
    }

    /// The complex power of its phase, or of all.
    fn power(&self) -> Option<Complex64> {
        let pairs = self.live.pairs()?;
        let power = |(voltage, current): &(Complex64, Complex64)| voltage * current.conj();
        match self.id.row().phase.index() {
            Some(phase) => pairs.get(phase).map(power),
            None => Some(pairs.iter().map(power).sum()),
        }
    }

    /// The value so far into the present step; `None` before the first one, and of a quantity that
    /// there is not here.
    pub(super) fn value(&self, into_step: SimDuration) -> Option<f64> {
        let row = self.id.row();
        let pairs = self.live.pairs()?;
        let own = |of: fn(&(Complex64, Complex64)) -> f64| match row.phase.index() {
            Some(phase) => pairs.get(phase).map(of),
            None => Some(pairs.iter().map(of).sum()),
        };
        let apparent = own(|(voltage, current)| voltage.norm() * current.norm());
        match row.quantity {
            Quantity::VoltageRms => pairs.get(row.phase.index()?).map(|pair| pair.0.norm()),
            Quantity::CurrentRms => pairs.get(row.phase.index()?).map(|pair| pair.1.norm()),
            Quantity::ActivePower(direction) => Some(way(self.power()?.re, direction)),
            Quantity::ReactivePower(direction) => Some(way(self.power()?.im, direction)),
            Quantity::ApparentPower => apparent,
            Quantity::PowerFactor => Some(self.power()?.re / apparent?),
            Quantity::Frequency => Some(self.live.frequency_hz()),
            Quantity::ActiveEnergy(_) | Quantity::ReactiveEnergy(_) => {
                Some(self.counted + self.rate * into_step.as_seconds_f64())
            }
            _ => None,
        }
    }
}

/// The part of a signed value that goes in a direction.
fn way(value: f64, direction: Direction) -> f64 {
    match direction {
        Direction::Consumed => value.max(0.0),
        Direction::Injected => (-value).max(0.0),
    }
}

/// The instantaneous value of a channel at an instant since the start, by the last step.
pub(super) fn instantaneous(
    live: &LivePoint,
    channel: WaveformChannel,
    at: SimDuration,
) -> Option<f64> {
    let pairs = live.pairs()?;
    let of = |phase: usize| pairs.get(phase).copied().unwrap_or_default();
    let phasor = match channel {
        WaveformChannel::U1 => of(0).0,
        WaveformChannel::U2 => of(1).0,
        WaveformChannel::U3 => of(2).0,
        WaveformChannel::I1 => of(0).1,
        WaveformChannel::I2 => of(1).1,
        WaveformChannel::I3 => of(2).1,
        WaveformChannel::In => pairs.iter().map(|pair| pair.1).sum(),
    };
    let turns = at.as_seconds_f64() * live.frequency_hz();
    Some(SQRT_2 * phasor.norm() * libm::sin(TAU * turns.fract() + phasor.arg()))
}
