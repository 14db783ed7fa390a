//! What protective devices are to a network in motion: one trait, and a file for each device.
//!
//! A device stands in a switch, sees what flows through its poles step by step, and returns
//! what it does. Adding one is a file here, and a row of the language
//! (`scenarios/language/src/section/grid/protection`); `docs/add/protection.md` has the steps.

mod fuse_link;
mod interface;
mod recloser;
mod relay;
mod sectionalizer;

pub use fuse_link::FuseLink;
pub use interface::InterfaceProtection;
pub use relay::RelayBreaker;

use num_complex::Complex64;

use super::OperationKind;
use crate::network::Wire;
use crate::protection::{Currents, InterfaceView};
use crate::transient::{CurrentPiece, Pole};

/// The quantities that a device looks at: up to three poles, then the residual current.
pub(super) const RESIDUAL: usize = 3;

/// Of up to three poles, then of the residual current, the mean square in A2; none where it is not
/// picked up.
pub type Squares = [Option<f64>; 4];

/// A curve for drawing: its name, and currents in amperes with times in seconds.
pub type NamedCurve = (String, Vec<(f64, f64)>);

/// What a device sees during a step.
#[derive(Clone, Copy, Debug)]
pub struct DeviceInputs<'a> {
    /// The conductors of its switch's poles.
    pub wires: &'a [Wire],
    /// RMS phasors of the currents of its poles, amperes.
    pub poles_a: &'a [Complex64],
    /// In a step of waves the currents of its poles on the way, piece by piece; else nothing.
    pub flowing: &'a [CurrentPiece],
    /// Whether waves are played where something happens.
    pub has_waves: bool,
    /// The voltages in front of its load, if it has one ([`Device::load`]).
    pub voltages: &'a InterfaceView,
}

impl DeviceInputs<'_> {
    /// The currents of phases and the residual current.
    #[must_use]
    pub fn currents(&self) -> Currents {
        let mut phasors = [Complex64::ZERO; 3];
        for (wire, current) in self.wires.iter().zip(self.poles_a) {
            if let Some(own) = phasors.get_mut(wire.index()) {
                *own = *current;
            }
        }
        Currents::of_phasors(phasors)
    }

    /// What is picked up of the currents by their phasors, given whether one is, in amperes, and
    /// whether that is the residual one.
    pub fn picked_up(&self, is_on: impl Fn(f64, bool) -> bool) -> Squares {
        let Currents { phases_a: [a, b, c], residual_a } = self.currents();
        let square = |current_a: f64, is_residual: bool| {
            is_on(current_a, is_residual).then_some(current_a * current_a)
        };
        [square(a, false), square(b, false), square(c, false), square(residual_a, true)]
    }
}

/// What becomes of the switch that a device is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// It stays as it is.
    Stay,
    /// It opens, each pole at its current's zero.
    Open(Pole),
    /// It closes.
    Close,
}

/// Which current made a device act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// None.
    Other,
    /// That of a pole.
    Pole(usize),
    /// Of all that it looks at the one that was picked up first.
    First,
}

/// What a device does within a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    /// Seconds since the beginning of the step.
    pub after_s: f64,
    /// What it does to its switch.
    pub moves: Move,
    /// As it is recorded.
    pub kind: OperationKind,
    /// More about it, for people.
    pub detail: String,
    /// By which current, which is recorded with the time that it took.
    pub cause: Cause,
}

/// A protective device in a switch.
pub trait Device: DeviceClone + std::fmt::Debug + Send + Sync {
    /// Takes the conductors of its switch's poles, before anything else.
    fn begin(&mut self, _wires: &[Wire]) {}

    /// What of the currents is picked up, so that the time is recorded that it took to act on it.
    fn picked_up(&self, _seen: &DeviceInputs<'_>) -> Squares {
        [None; 4]
    }

    /// The seconds until it acts, or until it would see something else, if all stays.
    fn due_in(&self, seen: &DeviceInputs<'_>) -> Option<f64>;

    /// A step: what it does, in order. Its time stops where its switch opens or closes.
    fn step(&mut self, dt_s: f64, seen: &DeviceInputs<'_>) -> Vec<Act>;

    /// Somebody orders its switch to open.
    fn hold(&mut self) {}

    /// Somebody closes its switch; whether it goes on with what it remembers. Otherwise one as it
    /// was at first takes its place, as a fuse is replaced.
    fn goes_on(&mut self) -> bool {
        false
    }

    /// Its time-current curves between two currents in amperes.
    fn curves(&self, _from_a: f64, _to_a: f64) -> Vec<NamedCurve> {
        Vec::new()
    }

    /// The load, by its index in the network, at whose place on the other side of the switch it
    /// looks at voltages. A crew leaves such a switch alone: it reconnects by itself.
    fn load(&self) -> Option<usize> {
        None
    }

    /// Whether it has disconnected its load from a network that goes on.
    fn has_disconnected(&self) -> bool {
        false
    }

    /// After a reconnection its load's power rises from nothing in so many seconds; whoever gives
    /// the loads their powers sees to that.
    fn ramp_s(&self) -> f64 {
        0.0
    }

    /// Takes the course of the frequency, which goes straight from point to point: nanoseconds and
    /// hertz, in order of time.
    fn know_frequency(&mut self, _course: &[(i64, f64)]) {}

    /// Whether it is a fuse, which somebody may take out.
    fn is_fuse(&self) -> bool {
        false
    }
}

/// A copy of a device; every device that is `Clone` has it.
pub trait DeviceClone {
    /// A copy.
    fn boxed(&self) -> Box<dyn Device>;
}

impl<T: Device + Clone + 'static> DeviceClone for T {
    fn boxed(&self) -> Box<dyn Device> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Device> {
    fn clone(&self) -> Self {
        (**self).boxed()
    }
}

/// Curves that have points, each once.
fn distinct(all: impl IntoIterator<Item = NamedCurve>) -> Vec<NamedCurve> {
    let mut curves: Vec<NamedCurve> = Vec::new();
    for (name, points) in all {
        if !points.is_empty() && curves.iter().all(|(_, other)| *other != points) {
            curves.push((name, points));
        }
    }
    curves
}
