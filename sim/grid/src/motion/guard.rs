//! Protective devices in the switches of a network.

use num_complex::Complex64;

use super::device::{Act, Cause, Device, DeviceInputs, Move, Squares};
use super::loading::Loading;
use super::{OperatingPoint, OperationKind, Protector};
use crate::network::{Network, NodeId, Wire};
use crate::protection::InterfaceView;
use crate::transient::{Action, CurrentPiece, Pole, Transient};

/// A device at its switch.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    pub(super) name: Box<str>,
    pub(super) switch: usize,
    /// The wires of the switch's poles.
    wires: Vec<Wire>,
    /// As it was at first.
    fresh: Box<dyn Device>,
    pub(super) device: Box<dyn Device>,
    /// The currents of the poles at the last instant, amperes.
    before_a: Vec<f64>,
    /// What it has seen since it was picked up.
    loading: Loading,
    /// Whose voltages it looks at: the load behind its switch, and the node before that.
    pub(super) watches: Option<(usize, NodeId)>,
    /// What it sees of them.
    pub(super) seen: InterfaceView,
}

/// What a device wants, and what it did.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    /// Seconds since the beginning of the step.
    pub(super) after_s: f64,
    pub(super) action: Option<Action>,
    pub(super) kind: OperationKind,
    pub(super) detail: String,
    /// By which current, where one made it act.
    pub(super) point: Option<OperatingPoint>,
}

impl Guard {
    pub(super) fn new(protector: Protector, network: &Network) -> Self {
        let Protector { name, switch, mut device } = protector;
        let from = network.switches[switch].from;
        let wires = from.wires.as_slice().to_vec();
        device.begin(&wires);
        let watches = device.load().map(|load| (load, from.node));
        let (fresh, before_a) = (device.clone(), vec![0.0; wires.len()]);
        let (loading, seen) = (Loading::default(), InterfaceView::default());
        Self { name, switch, wires, fresh, device, before_a, loading, watches, seen }
    }

    /// Somebody closes its switch: it begins again, and fuses are replaced.
    pub(super) fn renew(&mut self) {
        if !self.device.goes_on() {
            self.device = self.fresh.clone();
            self.loading = Loading::default();
        }
    }

    /// The seconds until it acts if the currents of its poles stay.
    pub(super) fn due_in(&self, poles: &[Complex64]) -> Option<f64> {
        let Self { wires, seen: voltages, .. } = self;
        let (poles_a, flowing, has_waves) = (poles, &[][..], false);
        self.device.due_in(&DeviceInputs { wires, poles_a, flowing, has_waves, voltages })
    }

    /// A step of waves, by the currents on its way and by phasors.
    pub(super) fn step_waves<const N: usize>(
        &mut self,
        (before_s, circuit): (f64, &Transient<N>),
        poles: &[Complex64],
    ) -> Vec<Order> {
        let way = circuit.way_a(self.switch, (before_s, &self.before_a));
        let orders = self.step(circuit.time_s() - before_s, poles, &way, true);
        if let Some(last) = way.last() {
            self.begin_waves(&last.to_a);
        }
        orders
    }

    /// Takes the currents at which waves begin.
    pub(super) fn begin_waves(&mut self, now_a: &[f64]) {
        self.before_a.copy_from_slice(now_a);
    }

    /// A step of a steady state, which may be between waves, or with the currents on its way of
    /// waves.
    pub(super) fn step(
        &mut self,
        dt_s: f64,
        poles_a: &[Complex64],
        flowing: &[CurrentPiece],
        has_waves: bool,
    ) -> Vec<Order> {
        let Self { wires, device, seen: voltages, .. } = &mut *self;
        let seen = DeviceInputs { wires, poles_a, flowing, has_waves, voltages };
        let squares = device.picked_up(&seen);
        let acts = device.step(dt_s, &seen);
        let before = self.loading;
        self.loading.step(dt_s, squares);
        acts.into_iter().map(|act| self.order(act, before, squares)).collect()
    }

    fn order(&self, act: Act, mut loading: Loading, squares: Squares) -> Order {
        let Act { after_s, moves, kind, detail, cause } = act;
        loading.step(after_s, squares);
        let switch = self.switch;
        let action = match moves {
            Move::Stay => None,
            Move::Open(pole) => Some(Action::Open { switch, pole, at_zero: true }),
            Move::Close => Some(Action::Close { switch, pole: Pole::All }),
        };
        let point = match cause {
            Cause::Other => None,
            Cause::Pole(pole) => loading.point(pole),
            Cause::First => loading.first(),
        };
        Order { after_s, action, kind, detail, point }
    }
}
