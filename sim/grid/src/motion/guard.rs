//! Protective devices in the switches of a network.

use num_complex::Complex64;

use super::loading::{Loading, RESIDUAL};
use super::{Deed, OperatingPoint, Protection, Protector};
use crate::network::{Network, NodeId, Wire};
use crate::protection::{
    Currents, Fuse, FuseEvent, Interface, InterfaceCause, InterfaceEvent, InterfaceView, Quantity,
    Recloser, RecloserEvent, Relay, Sectionalizer,
};
use crate::transient::{Action, Pole};

/// A device at its switch.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    pub(super) name: Box<str>,
    pub(super) switch: usize,
    /// The wires of the switch's poles.
    wires: Vec<Wire>,
    /// As it was at first.
    fresh: State,
    state: State,
    /// The currents of the poles at the last instant, amperes.
    before_a: Vec<f64>,
    /// What it has seen since it was picked up.
    loading: Loading,
    /// Whose voltages it looks at: the load behind its switch, and the node before that.
    watches: Option<(usize, NodeId)>,
    /// What it sees of them.
    seen: InterfaceView,
}

#[derive(Clone, Debug)]
enum State {
    /// Of each pole, and what a blown one opens.
    Fuses(Vec<Fuse>, bool),
    Breaker {
        relay: Box<Relay>,
        opening_s: f64,
        opens_in_s: Option<f64>,
        /// It has opened, and what it measures of the current before that is not over yet.
        is_open: bool,
    },
    Recloser(Box<Recloser>),
    Sectionalizer(Sectionalizer),
    Interface(Box<Interface>),
}

/// What a device wants, and what it did.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    /// Seconds since the beginning of the step.
    pub(super) after_s: f64,
    /// What is to be done in the network.
    pub(super) action: Option<Action>,
    pub(super) deed: Deed,
    pub(super) detail: String,
    /// Whose fuse it is.
    pub(super) pole: Option<usize>,
    /// By which current, where one made it act.
    pub(super) point: Option<OperatingPoint>,
}

impl Guard {
    pub(super) fn new(protector: Protector, network: &Network) -> Self {
        let Protector { name, switch, what } = protector;
        let from = network.switches[switch].from;
        let wires = from.wires.as_slice().to_vec();
        let mut watches = None;
        let state = match what {
            Protection::Fuse { fuse, has_striker } => {
                State::Fuses(vec![fuse; wires.len()], has_striker)
            }
            Protection::Breaker { relay, opening_s } => {
                let (relay, opens_in_s) = (Box::new(relay), None);
                State::Breaker { relay, opening_s, opens_in_s, is_open: false }
            }
            Protection::Recloser(recloser) => State::Recloser(Box::new(recloser)),
            Protection::Sectionalizer(it) => State::Sectionalizer(it),
            Protection::Interface { interface, load, .. } => {
                watches = Some((load, from.node));
                State::Interface(interface)
            }
        };
        let before_a = vec![0.0; wires.len()];
        let loading = Loading::default();
        let (fresh, seen) = (state.clone(), InterfaceView::default());
        Self { name, switch, wires, fresh, state, before_a, loading, watches, seen }
    }

    /// The load and the node whose voltages it looks at, if it looks at such.
    pub(super) fn watches(&self) -> Option<(usize, NodeId)> {
        self.watches
    }

    /// Takes in what it sees from now on.
    pub(super) fn look(&mut self, seen: InterfaceView) {
        self.seen = seen;
    }

    /// Whether it has disconnected what is behind it from a network that goes on.
    pub(super) fn has_disconnected(&self) -> bool {
        matches!(&self.state, State::Interface(it) if it.is_open())
    }

    /// Somebody orders its switch to open.
    pub(super) fn hold(&mut self) {
        if let State::Interface(it) = &mut self.state {
            it.hold();
        }
    }

    /// Somebody closes its switch: it begins anew, and fuses are replaced.
    pub(super) fn renew(&mut self) {
        if let State::Interface(it) = &mut self.state {
            return it.close();
        }
        self.state = self.fresh.clone();
        self.loading = Loading::default();
    }

    /// Of each quantity its mean square where it is picked up: for a fuse of the currents as they
    /// flow, given those; for others of the phasors.
    fn squares(&self, poles: &[Complex64], flowing: Option<&[f64]>) -> [Option<f64>; 4] {
        let mut squares = [None; 4];
        if let State::Fuses(fuses, _) = &self.state {
            for (pole, (fuse, current)) in fuses.iter().zip(poles).enumerate().take(RESIDUAL) {
                let square = flowing.map_or(current.norm_sqr(), |it| it[pole]);
                let is_on = fuse.melting_time(current.norm()).is_some();
                squares[pole] = is_on.then_some(square);
            }
            return squares;
        }
        let currents = self.currents(poles);
        let is_on = |current_a: f64, earth: bool| match &self.state {
            State::Breaker { relay, .. } => relay.operating_time(current_a, earth).is_some(),
            State::Recloser(it) => it.operating_time(it.trips() + 1, current_a, earth).is_some(),
            State::Fuses(..) | State::Sectionalizer(_) | State::Interface(_) => false,
        };
        for (place, current_a) in currents.phases_a.into_iter().enumerate() {
            squares[place] = is_on(current_a, false).then_some(current_a * current_a);
        }
        let residual_a = currents.residual_a;
        squares[RESIDUAL] = is_on(residual_a, true).then_some(residual_a * residual_a);
        squares
    }

    /// The currents of its poles as it takes them.
    fn currents(&self, poles: &[Complex64]) -> Currents {
        let mut phasors = [Complex64::ZERO; 3];
        for (wire, current) in self.wires.iter().zip(poles) {
            if let Some(own) = phasors.get_mut(wire.index()) {
                *own = *current;
            }
        }
        Currents::of_phasors(phasors)
    }

    /// The seconds until it acts if the currents of its poles stay.
    pub(super) fn due_in(&self, poles: &[Complex64]) -> Option<f64> {
        let currents = self.currents(poles);
        match &self.state {
            State::Fuses(fuses, _) => {
                let due = fuses.iter().zip(poles).filter_map(|(it, pole)| it.due_in(pole.norm()));
                due.reduce(f64::min)
            }
            State::Breaker { opens_in_s: Some(left_s), .. } => Some(*left_s),
            State::Breaker { is_open: true, .. } => None,
            State::Breaker { relay, .. } => relay.due_in(&currents),
            State::Recloser(it) => it.due_in(&currents),
            State::Sectionalizer(it) => it.due_in(currents.largest_phase_a()),
            State::Interface(it) => it.due_in(&self.seen),
        }
    }

    /// A step of a steady state. Where it is between waves (`has_waves`) a fuse that has melted is
    /// blown at the zero of its current, in the waves that begin with its arc.
    pub(super) fn step(&mut self, dt_s: f64, poles: &[Complex64], has_waves: bool) -> Vec<Order> {
        let currents = self.currents(poles);
        let squares = self.squares(poles, None);
        let before = self.loading;
        self.loading.step(dt_s, squares);
        let mut orders = Vec::new();
        if let State::Fuses(fuses, has_striker) = &mut self.state {
            let has_striker = *has_striker;
            for (pole, (fuse, current)) in fuses.iter_mut().zip(poles).enumerate() {
                let mut passed_s = 0.0;
                while let Some(act) = fuse.step(dt_s - passed_s, current.norm()) {
                    passed_s += act.after_s;
                    let wire = self.wires[pole];
                    let needs_zero = has_waves && !fuse.has_clearing();
                    orders.push(fuse_order(
                        self.switch,
                        (pole, wire),
                        passed_s,
                        act.event,
                        (needs_zero == (act.event == FuseEvent::Melted), has_striker),
                    ));
                    if needs_zero || act.event == FuseEvent::Cleared {
                        break;
                    }
                }
            }
        } else {
            self.step_others(dt_s, &currents, &mut orders);
        }
        self.place(&mut orders, (before, squares));
        orders
    }

    /// At which currents it acted within a step.
    fn place(&self, orders: &mut [Order], (before, squares): (Loading, [Option<f64>; 4])) {
        for order in orders {
            let mut then = before;
            then.step(order.after_s, squares);
            order.point = match order.deed {
                Deed::Melted | Deed::Blown => order.pole.and_then(|pole| then.point(pole)),
                Deed::Tripped | Deed::LockedOut => then.first(),
                // Its relay has told of itself.
                Deed::Opened if matches!(self.state, State::Recloser(_)) => then.first(),
                _ => None,
            };
        }
    }

    /// A step of waves: fuses look at the currents at its ends, all others at the phasors.
    pub(super) fn step_waves(
        &mut self,
        dt_s: f64,
        now_a: &[f64],
        poles: &[Complex64],
    ) -> Vec<Order> {
        let mean = |(from, to): (&f64, &f64)| (from * from + from * to + to * to) / 3.0;
        let flowing: Vec<f64> = self.before_a.iter().zip(now_a).map(mean).collect();
        let squares = self.squares(poles, Some(&flowing));
        let before = self.loading;
        self.loading.step(dt_s, squares);
        let mut orders = Vec::new();
        if let State::Fuses(fuses, has_striker) = &mut self.state {
            let has_striker = *has_striker;
            for (pole, fuse) in fuses.iter_mut().enumerate() {
                let before_a = std::mem::replace(&mut self.before_a[pole], now_a[pole]);
                let Some(act) = fuse.step_instantaneous(dt_s, before_a, now_a[pole]) else {
                    continue;
                };
                let wire = self.wires[pole];
                let needs_zero = !fuse.has_clearing();
                orders.push(fuse_order(
                    self.switch,
                    (pole, wire),
                    act.after_s,
                    act.event,
                    (needs_zero == (act.event == FuseEvent::Melted), has_striker),
                ));
            }
        } else {
            let currents = self.currents(poles);
            self.step_others(dt_s, &currents, &mut orders);
        }
        self.place(&mut orders, (before, squares));
        orders
    }

    /// Takes the currents at which waves begin.
    pub(super) fn begin_waves(&mut self, now_a: &[f64]) {
        self.before_a.copy_from_slice(now_a);
    }

    fn step_others(&mut self, dt_s: f64, currents: &Currents, orders: &mut Vec<Order>) {
        let (switch, pole) = (self.switch, Pole::All);
        let open = Some(Action::Open { switch, pole, at_zero: true });
        let close = Some(Action::Close { switch, pole });
        let mut push = |after_s, action, deed, detail| {
            orders.push(Order { after_s, action, deed, detail, pole: None, point: None });
        };
        match &mut self.state {
            State::Fuses(..) => {}
            State::Breaker { relay, opening_s, opens_in_s, is_open } => {
                let phases = currents.phases_a.into_iter();
                let is_on =
                    |current_a: f64, earth| relay.operating_time(current_a, earth).is_some();
                let is_picked_up =
                    phases.clone().any(|it| is_on(it, false)) || is_on(currents.residual_a, true);
                *is_open &= is_picked_up;
                if *is_open {
                    return;
                }
                let mut from_s = 0.0;
                if opens_in_s.is_none()
                    && let Some(trip) = relay.step(dt_s, currents)
                {
                    from_s = trip.after_s;
                    *opens_in_s = Some(*opening_s);
                    push(
                        from_s,
                        None,
                        Deed::Tripped,
                        tripped_by(trip.event.quantity, trip.event.stage),
                    );
                }
                if let Some(left_s) = opens_in_s {
                    if *left_s <= dt_s - from_s {
                        push(from_s + *left_s, open, Deed::Opened, "by its relay".to_owned());
                        *opens_in_s = None;
                        *is_open = true;
                        relay.reset();
                    } else {
                        *left_s -= dt_s - from_s;
                    }
                }
            }
            State::Recloser(recloser) => {
                // What flows after it acts is another current, so it acts once.
                if let Some(act) = recloser.step(dt_s, currents) {
                    let (action, deed, trip) = match act.event {
                        RecloserEvent::Opened(trip) => (open, Deed::Opened, trip),
                        RecloserEvent::Reclosed(trip) => (close, Deed::Closed, trip),
                        RecloserEvent::LockedOut(trip) => (open, Deed::LockedOut, trip),
                    };
                    push(act.after_s, action, deed, format!("trip {trip}"));
                }
            }
            State::Sectionalizer(it) => {
                if let Some(act) = it.step(dt_s, currents.largest_phase_a()) {
                    let detail = format!("after {} interruptions", it.counted());
                    push(act.after_s, open, Deed::Opened, detail);
                }
            }
            State::Interface(it) => {
                for act in it.step(dt_s, &self.seen) {
                    let (deed, detail) = deed_of(act.event, &self.seen);
                    let action = match act.event {
                        InterfaceEvent::Tripped(_) => None,
                        InterfaceEvent::Opened => open,
                        InterfaceEvent::Closed => close,
                    };
                    push(act.after_s, action, deed, detail);
                }
            }
        }
    }
}

fn deed_of(event: InterfaceEvent, seen: &InterfaceView) -> (Deed, String) {
    match event {
        InterfaceEvent::Tripped(cause) => (Deed::Tripped, disconnected_by(cause, seen)),
        InterfaceEvent::Opened => (Deed::Opened, String::new()),
        InterfaceEvent::Closed => (Deed::Closed, "the network has come back".to_owned()),
    }
}

fn disconnected_by(cause: InterfaceCause, seen: &InterfaceView) -> String {
    let voltages: Vec<String> =
        seen.voltages_pu.iter().map(|it| format!("{:.1} %", 100.0 * it)).collect();
    let voltages = voltages.join(", ");
    match cause {
        InterfaceCause::Undervoltage(stage) => {
            format!("by undervoltage, stage {}: {voltages}", stage + 1)
        }
        InterfaceCause::Overvoltage(stage) => {
            format!("by overvoltage, stage {}: {voltages}", stage + 1)
        }
        InterfaceCause::MeanOvervoltage => {
            format!("by the voltage over ten minutes: now {voltages}")
        }
        InterfaceCause::Underfrequency => "by underfrequency".to_owned(),
        InterfaceCause::Overfrequency => "by overfrequency".to_owned(),
    }
}

fn tripped_by(quantity: Quantity, stage: usize) -> String {
    let what = match quantity {
        Quantity::Phase(phase) => format!("the current of phase {}", Wire::ALL[usize::from(phase)]),
        Quantity::Earth => "the residual current".to_owned(),
    };
    format!("by {what}, stage {}", stage + 1)
}

fn fuse_order(
    switch: usize,
    (pole, wire): (usize, Wire),
    after_s: f64,
    event: FuseEvent,
    (opens, has_striker): (bool, bool),
) -> Order {
    let deed = if event == FuseEvent::Melted { Deed::Melted } else { Deed::Blown };
    let which = if has_striker { Pole::All } else { Pole::One(pole) };
    let open = Action::Open { switch, pole: which, at_zero: true };
    let (action, detail) = (opens.then_some(open), format!("phase {wire}"));
    Order { after_s, action, deed, detail, pole: Some(pole), point: None }
}
