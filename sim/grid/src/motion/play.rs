//! From one instant to the next.

use std::f64::consts::TAU;
use std::mem::take;

use num_complex::Complex64;

use super::network_state::{ActiveFault, begun};
use super::place::Site;
use super::probe::poles_in_flow;
use super::window::{Paused, PausedWires, Window};
use super::{
    LiveParts, Motion, MotionError, NetworkAction, Operation, OperationKind, Pair, Resolution,
    Segment, SegmentContent, Supply, is_alive, live_parts, part_voltages, phases, supplied_share,
};
use crate::flow::Flow;
use crate::network::{Network, NodeId, Wire};
use crate::protection::InterfaceView;
use crate::transient::{self, Action, Loads, Phasors, Pole, Transient};

/// A fault without more than this current is dead, amperes.
pub(super) const DEAD_A: f64 = 1e-3;

/// So many instants within a millisecond are none that a network has.
const TURNS_MAX: u32 = 10_000;

/// After each switching: what swings faster than steps can follow is gone then.
const DAMPED_STEPS: u8 = 3;

pub(super) struct Player<'a, const N: usize> {
    pub(super) motion: &'a mut Motion,
    /// With all switches as they are declared.
    pub(super) network: Network,
    pub(super) flow: &'a Flow,
    /// The circuit, once something has happened that is not in the flow.
    pub(super) circuit: Option<Transient<N>>,
    pub(super) now_ns: i64,
    pub(super) segments: Vec<Segment>,
    /// What somebody ordered to open and has not opened yet.
    pub(super) opening: Vec<(usize, Pole)>,
    /// Faults that are to end and have not ended yet.
    pub(super) clearing: Vec<(u32, Box<str>)>,
    /// Playing ends here, so that the power flow is solved again.
    ends: bool,
    /// When it is to end.
    pub(super) to_ns: i64,
    /// Waves that go on in the next one.
    pub(super) paused: Option<Box<Paused<N>>>,
}

/// What was to be done at the instant at which playing ended.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    actions: Vec<Action>,
    opening: Vec<(usize, Pole)>,
    clearing: Vec<(u32, Box<str>)>,
}

/// What there was, until when, and what goes on.
type PlayOutcome<const N: usize> = (Vec<Segment>, i64, Option<Box<Paused<N>>>);

/// A steady state.
enum View<'a, const N: usize> {
    Flow(&'a Flow),
    Circuit(&'a Transient<N>, Phasors<N>),
}

impl Motion {
    /// Plays from one instant to another one, with the loads of a power flow of the network as it
    /// stands ([`Self::stand`]). Waves that are under way at the end are played to their own end;
    /// where there are arcs or iron that saturates to the end of their period, and on in the next
    /// call, with the loads that they began with. Where loads come back
    /// ([`Self::end_at_returns`]) it ends early, maybe at once: go on from there, with the power
    /// flow of that instant.
    ///
    /// What comes back is what there was, in order, and until when: after long waves that may be
    /// before the end.
    ///
    /// # Errors
    /// If the circuit has an element that cannot be played, or no solution.
    pub fn play(
        &mut self,
        network: &Network,
        flow: &Flow,
        (from_ns, to_ns): (i64, i64),
    ) -> Result<(Vec<Segment>, i64), MotionError> {
        let (mut three, mut four) = (None, None);
        match self.paused.take() {
            Some(PausedWires::Three(it)) => three = Some(it),
            Some(PausedWires::Four(it)) => four = Some(it),
            None => {}
        }
        let span = (from_ns, to_ns);
        let (segments, until_ns, paused);
        if network.nodes.iter().any(|it| it.wires.contains(Wire::Neutral)) {
            (segments, until_ns, four) = self.play_wires::<4>(network, flow, span, four)?;
            paused = four.map(PausedWires::Four);
        } else {
            (segments, until_ns, three) = self.play_wires::<3>(network, flow, span, three)?;
            paused = three.map(PausedWires::Three);
        }
        self.paused = paused;
        Ok((segments, until_ns))
    }

    fn play_wires<const N: usize>(
        &mut self,
        network: &Network,
        flow: &Flow,
        (now_ns, to_ns): (i64, i64),
        paused: Option<Box<Paused<N>>>,
    ) -> Result<PlayOutcome<N>, MotionError> {
        let mut network = network.clone();
        network.switches.clone_from(&self.switches);
        let mut player = Player::<N> {
            motion: self,
            network,
            flow,
            circuit: None,
            now_ns,
            segments: Vec::new(),
            opening: Vec::new(),
            clearing: Vec::new(),
            ends: false,
            to_ns,
            paused: None,
        };
        if let Some(paused) = paused {
            paused.go_on(&mut player)?;
            if player.paused.is_some() || player.now_ns >= to_ns {
                return Ok((player.segments, player.now_ns, player.paused));
            }
            // From here on with the loads of this flow, and what was switched on the way.
            player.compile()?;
        } else if !player.motion.state.faults.is_empty()
            || player.motion.state.has_lost_neutral(&player.network)
        {
            player.compile()?;
        }
        if let Some(pending) = player.motion.pending.take() {
            player.catch_up(pending)?;
            return Ok((player.segments, player.now_ns, player.paused));
        }
        let (mut seen_ns, mut turns) = (now_ns, 0);
        while player.go(to_ns)? && !player.ends {
            // So many things do not happen within a millisecond.
            let has_moved = player.now_ns - seen_ns > 1_000_000;
            (seen_ns, turns) = if has_moved { (player.now_ns, 0) } else { (seen_ns, turns + 1) };
            if turns > TURNS_MAX {
                return Err(MotionError::Restless(player.now_ns));
            }
        }
        Ok((player.segments, player.now_ns, player.paused))
    }
}

impl<const N: usize> View<'_, N> {
    /// The currents of a switch's poles.
    fn poles(&self, switch: usize, closed: &[bool]) -> Vec<Complex64> {
        match self {
            Self::Flow(flow) => poles_in_flow(flow, switch, closed),
            Self::Circuit(circuit, steady) => (0..closed.len())
                .map(|pole| circuit.switch_phasor_a(steady, switch, pole))
                .collect(),
        }
    }
}

impl<const N: usize> Player<'_, N> {
    /// Makes the circuit, as everything stands.
    fn compile(&mut self) -> Result<(), MotionError> {
        let step_s = self.motion.options.step_s;
        let loads = Loads::AsFlow(self.flow);
        let saturations = &self.motion.options.saturations;
        let mut circuit =
            Transient::new(&self.network, &transient::Options { step_s, loads, saturations })?;
        circuit.damp_for(DAMPED_STEPS);
        circuit.set(&self.motion.state.actions(&self.network))?;
        self.circuit = Some(circuit);
        Ok(())
    }

    fn view(&self) -> Result<View<'_, N>, MotionError> {
        let Some(circuit) = &self.circuit else { return Ok(View::Flow(self.flow)) };
        // Beside waves it is that of their steps, so that one goes on where the other ends.
        let steady = match self.motion.options.resolution {
            Resolution::Phasors => circuit.phasors()?,
            Resolution::Waveforms => circuit.steady()?,
        };
        Ok(View::Circuit(circuit, steady))
    }

    /// To the next instant at which something happens, through it, or to the end; whether there is
    /// more.
    fn go(&mut self, to_ns: i64) -> Result<bool, MotionError> {
        let now_ns = self.now_ns;
        let closed = self.motion.state.closed.clone();
        let switches: Vec<usize> = self.motion.guards.iter().map(|it| it.switch).collect();
        let ids: Vec<u32> = self.motion.faults().map(|it| it.id).collect();
        let view = self.view()?;
        let poles: Vec<Vec<Complex64>> =
            switches.iter().map(|it| view.poles(*it, &closed[*it])).collect();
        let dead: Vec<bool> = ids.iter().map(|id| view.is_dead(*id)).collect();
        let views = self.views(now_ns, |node, wire| view.voltage_v(node, wire));
        let found = self.found(to_ns, |node, wire| view.voltage_v(node, wire));
        // An arc that stands has a current beside a steady state, which is none then.
        let is_awake = matches!(&view, View::Circuit(it, steady) if self.burns_in(it, steady));
        let (segment, parts) = self.steady_section(&view);
        self.motion.parts = parts;
        self.motion.look(views);
        self.segments.retain(|it| it.from_ns != now_ns);
        self.segments.push(segment);
        if is_awake {
            Window::play(self, &[])?;
            self.end_after_waves()?;
            return Ok(self.now_ns < to_ns && self.paused.is_none());
        }
        let mut due_ns = self.due_ns(to_ns, &poles, &dead);
        while due_ns < to_ns && self.wait_for_angles(due_ns, &found, 0) {
            due_ns = self.due_ns(to_ns, &poles, &dead);
        }
        let passed_s = (due_ns - now_ns) as f64 * 1e-9;
        let mut actions = Vec::new();
        let has_waves = self.motion.options.resolution == Resolution::Waveforms;
        for (guard, poles) in self.motion.guards.iter_mut().zip(&poles) {
            for order in guard.step(passed_s, poles, &[], has_waves) {
                let at_ns = now_ns + (order.after_s * 1e9).round() as i64;
                let node = self.network.switches[guard.switch].from.node;
                self.motion.operations.push(Operation {
                    at_ns,
                    element: guard.name.clone(),
                    node: self.network.nodes[node.index()].name.clone(),
                    kind: order.kind,
                    detail: order.detail.into(),
                    point: order.point,
                });
                actions.extend(order.action);
            }
        }
        for (burning, is_dead) in self.motion.state.faults.iter_mut().zip(dead) {
            burning.dead_s = if is_dead { burning.dead_s + passed_s } else { 0.0 };
        }
        self.now_ns = due_ns;
        actions.extend(self.extinguished());
        if due_ns >= to_ns && actions.is_empty() {
            return Ok(false);
        }
        if self.circuit.is_none() {
            // As everything stood before.
            self.compile()?;
        }
        if due_ns < to_ns {
            actions.extend(self.events_until(due_ns, &found).into_iter().map(|(_, action)| action));
        }
        if actions.is_empty() {
            return Ok(true);
        }
        if self.motion.awaits_returns() {
            let (opening, clearing) = (take(&mut self.opening), take(&mut self.clearing));
            self.motion.pending = Some(Pending { actions, opening, clearing });
            return Ok(false);
        }
        self.act(&actions)?;
        self.end_after_waves()?;
        Ok(self.now_ns < to_ns && self.paused.is_none())
    }

    /// Whether an arc that stands has a current beside a steady state.
    pub(super) fn burns_in(&self, circuit: &Transient<N>, steady: &Phasors<N>) -> bool {
        let arcs = self.motion.faults().filter(|it| it.arc.is_some());
        arcs.into_iter().any(|it| !circuit.arc_sleeps(steady, it.id))
    }

    /// What has a supply in a steady state that began at an instant.
    pub(super) fn supply(
        &self,
        from_ns: i64,
        voltage_v: impl Fn(NodeId, Wire) -> Complex64 + Copy,
    ) -> Supply {
        let network = &self.network;
        let parts = self.parts(voltage_v);
        let loads = network.loads.iter().zip(&parts);
        let mut supplied: Vec<f64> =
            loads.map(|(load, live)| supplied_share(load, *live)).collect();
        // Whoever disconnects itself from a network that goes on is not without supply.
        for guard in self.motion.guards.iter().filter(|it| it.device.has_disconnected()) {
            let Some((at, node)) = guard.watches else { continue };
            let load = &network.loads[at];
            supplied[at] = supplied_share(load, live_parts(network, load, node, voltage_v));
        }
        let alive = (0..network.nodes.len()).map(|node| {
            let node = NodeId(node as u32);
            let has = |wire: &Wire| is_alive(network, node, voltage_v(node, *wire));
            phases(network, node).filter(has).collect()
        });
        let (alive, closed) = (alive.collect(), self.motion.state.closed.clone());
        Supply { from_ns, supplied, parts, alive, closed }
    }

    fn act(&mut self, actions: &[Action]) -> Result<(), MotionError> {
        if self.motion.options.resolution == Resolution::Waveforms {
            return Window::play(self, actions);
        }
        let Some(circuit) = &mut self.circuit else { return Ok(()) };
        circuit.set(actions)?;
        self.sync(self.now_ns);
        Ok(())
    }

    /// Does what was to be done when playing ended here.
    fn catch_up(&mut self, pending: Pending) -> Result<(), MotionError> {
        if self.circuit.is_none() {
            self.compile()?;
        }
        (self.opening, self.clearing) = (pending.opening, pending.clearing);
        self.act(&pending.actions)?;
        self.see_parts()
    }

    /// Within waves a load may have been lost and have come back: then the power flow is solved
    /// again behind them.
    fn end_after_waves(&mut self) -> Result<(), MotionError> {
        let has_waves = self.motion.options.resolution == Resolution::Waveforms;
        if has_waves && self.paused.is_none() && self.motion.returning.contains(&true) {
            self.ends = true;
            self.see_parts()?;
        }
        Ok(())
    }

    /// Takes over which parts of loads have a voltage now; waves that go on do so themselves.
    fn see_parts(&mut self) -> Result<(), MotionError> {
        if self.paused.is_some() {
            return Ok(());
        }
        let view = self.view()?;
        self.motion.parts = self.parts(|node, wire| view.voltage_v(node, wire));
        Ok(())
    }

    fn parts(&self, voltage_v: impl Fn(NodeId, Wire) -> Complex64 + Copy) -> Vec<LiveParts> {
        let loads = self.network.loads.iter();
        let of = |load| live_parts(&self.network, load, load.connection.node, voltage_v);
        loads.map(of).collect()
    }

    /// What interface protections see, guard by guard.
    pub(super) fn views(
        &self,
        at_ns: i64,
        voltage_v: impl Fn(NodeId, Wire) -> Complex64,
    ) -> Vec<Option<InterfaceView>> {
        let view = |guard: &super::guard::Guard| {
            let (load, node) = guard.watches?;
            let load = &self.network.loads[load];
            let (across, rated_v) = part_voltages(&self.network, load, node, &voltage_v);
            let voltages_pu = across.into_iter().map(|it| it.norm() / rated_v).collect();
            let is_closed = self.motion.state.closed[guard.switch].iter().all(|it| *it);
            Some(InterfaceView { at_ns, voltages_pu, is_closed })
        };
        self.motion.guards.iter().map(view).collect()
    }

    /// When something happens next.
    fn due_ns(&self, to_ns: i64, poles: &[Vec<Complex64>], dead: &[bool]) -> i64 {
        let now_ns = self.now_ns;
        let guards = self.motion.guards.iter().zip(poles);
        let guards = guards.filter_map(|(guard, poles)| guard.due_in(poles));
        let burning = self.motion.state.faults.iter().zip(dead);
        let is_ending = |id: u32| self.clearing.iter().any(|(own, _)| *own == id);
        let burning = burning.filter(|(it, is_dead)| **is_dead && !is_ending(it.fault.id));
        let gone = burning.filter_map(|(it, _)| {
            it.fault.extinguishes_s.map(|whole_s| (whole_s - it.dead_s).max(0.0))
        });
        // A device that is due at once acts in a step that has a length.
        let due = guards.chain(gone).filter(|it| it.is_finite() && *it < 1e9);
        let due = due.map(|it| now_ns.saturating_add(((it * 1e9).ceil() as i64).max(1)));
        let event = self.motion.events.front().map(|it| it.at_ns.max(now_ns));
        due.chain(event).fold(to_ns, i64::min)
    }

    /// The ends of faults that have had no voltage for long enough.
    pub(super) fn extinguished(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        for ActiveFault { fault, dead_s } in &self.motion.state.faults {
            let is_over = fault.extinguishes_s.is_some_and(|whole_s| *dead_s >= whole_s - 1e-9);
            if is_over && !self.clearing.iter().any(|(id, _)| *id == fault.id) {
                // There is no current whose zero could be waited for.
                actions.push(Action::Clear { id: fault.id, at_zero: false });
                self.clearing.push((fault.id, fault.name.clone()));
            }
        }
        actions
    }

    /// Takes out the events up to an instant: what they do, and when.
    pub(super) fn events_until(&mut self, until_ns: i64, found: &[Site]) -> Vec<(i64, Action)> {
        let mut actions = Vec::new();
        while let Some(event) = self.motion.events.pop_front_if(|it| it.at_ns <= until_ns) {
            let at_ns = event.at_ns.max(self.now_ns);
            let action = match event.what {
                NetworkAction::Repair { id } => self.repaired(at_ns, id, found),
                what => self.taken(at_ns, what, found),
            };
            actions.extend(action.map(|action| (at_ns, action)));
        }
        actions
    }

    pub(super) fn taken(
        &mut self,
        at_ns: i64,
        what: NetworkAction,
        found: &[Site],
    ) -> Option<Action> {
        match what {
            NetworkAction::Fault(fault) => {
                let name = fault.name.clone();
                let burns = self.motion.state.faults.iter().any(|it| it.fault.id == fault.id);
                if burns {
                    let idle = (OperationKind::Idle, "it burns already".to_owned());
                    self.note(at_ns, (name, fault.node), idle);
                    return None;
                }
                let detail = self.about(&fault, found);
                self.note(at_ns, (name, fault.node), (OperationKind::Ignited, detail));
                let action = begun(&fault);
                self.motion.state.faults.push(ActiveFault { fault, dead_s: 0.0 });
                Some(action)
            }
            NetworkAction::Clear { id } | NetworkAction::RunOut { id } => {
                let burning = self.motion.state.faults.iter().find(|it| it.fault.id == id);
                let name = burning.map(|it| it.fault.name.clone())?;
                let at_zero = burning.is_some_and(|it| it.dead_s <= 0.0);
                if !self.clearing.iter().any(|(own, _)| *own == id) {
                    self.clearing.push((id, name));
                }
                Some(Action::Clear { id, at_zero })
            }
            // That is more, see above.
            NetworkAction::Repair { .. } => None,
            NetworkAction::Open { switch, pole } => {
                for guard in self.motion.guards.iter_mut().filter(|it| it.switch == switch) {
                    guard.device.hold();
                }
                if self.is_so(switch, pole, false) {
                    let idle = (OperationKind::Idle, "it is open already".to_owned());
                    self.note(at_ns, self.switch_place(switch), idle);
                    return None;
                }
                self.opening.push((switch, pole));
                Some(Action::Open { switch, pole, at_zero: true })
            }
            NetworkAction::Close { switch, pole } => {
                for guard in self.motion.guards.iter_mut().filter(|it| it.switch == switch) {
                    guard.renew();
                }
                let waits = self.opening.len();
                self.opening.retain(|(own, _)| *own != switch);
                let is_called_off = self.opening.len() < waits;
                let (kind, detail) = if !self.is_so(switch, pole, true) {
                    (OperationKind::Closed, String::new())
                } else if is_called_off {
                    (
                        OperationKind::Idle,
                        "its opening was called off: no current was zero yet".to_owned(),
                    )
                } else {
                    (OperationKind::Idle, "it is closed already".to_owned())
                };
                self.note(at_ns, self.switch_place(switch), (kind, detail));
                (kind == OperationKind::Closed || is_called_off)
                    .then_some(Action::Close { switch, pole })
            }
        }
    }

    /// The name of a switch, and the node of its first end.
    fn switch_place(&self, switch: usize) -> (Box<str>, NodeId) {
        let it = &self.network.switches[switch];
        (format!("switch:{}", it.name).into(), it.from.node)
    }

    fn note(
        &mut self,
        at_ns: i64,
        (element, node): (Box<str>, NodeId),
        (kind, detail): (OperationKind, String),
    ) {
        let node = self.network.nodes[node.index()].name.clone();
        let detail = detail.into();
        let operation = Operation { at_ns, element, node, kind, detail, point: None };
        self.motion.operations.push(operation);
    }

    /// Whether all of these poles are closed, or open.
    pub(super) fn is_so(&self, switch: usize, pole: Pole, is_closed: bool) -> bool {
        let closed = &self.motion.state.closed[switch];
        match pole {
            Pole::All => closed.iter().all(|it| *it == is_closed),
            Pole::One(pole) => closed.get(pole).is_none_or(|it| *it == is_closed),
        }
    }

    /// Takes over how the circuit stands.
    pub(super) fn sync(&mut self, at_ns: i64) {
        let Some(circuit) = &self.circuit else { return };
        for (switch, poles) in self.motion.state.closed.iter_mut().enumerate() {
            for (pole, closed) in poles.iter_mut().enumerate() {
                *closed = circuit.is_closed(switch, pole);
            }
        }
        let burns = |id: u32| circuit.burns(id);
        let over: Vec<(u32, Box<str>)> = self.clearing.extract_if(.., |it| !burns(it.0)).collect();
        for (id, name) in over {
            let burning = self.motion.state.faults.extract_if(.., |it| it.fault.id == id);
            if let Some(ActiveFault { fault, .. }) = burning.last() {
                self.note(at_ns, (name, fault.node), (OperationKind::Cleared, String::new()));
            }
        }
        let opening = take(&mut self.opening);
        for (switch, pole) in opening {
            if self.is_so(switch, pole, false) {
                let opened = (OperationKind::Opened, self.poles_text(switch, pole));
                self.note(at_ns, self.switch_place(switch), opened);
            } else {
                self.opening.push((switch, pole));
            }
        }
    }

    fn poles_text(&self, switch: usize, pole: Pole) -> String {
        match pole {
            Pole::All => String::new(),
            Pole::One(pole) => {
                let wires = self.network.switches[switch].from.wires;
                wires.as_slice().get(pole).map_or_else(String::new, |it| format!("phase {it}"))
            }
        }
    }

    /// What there is from now on, and which parts of loads have a voltage.
    fn steady_section(&self, view: &View<'_, N>) -> (Segment, Vec<LiveParts>) {
        let (network, probes) = (&self.network, self.motion.probes.iter());
        let closed = &self.motion.state.closed;
        let pairs: Vec<Vec<Pair>> = match view {
            View::Flow(flow) => probes.map(|it| it.in_flow(network, flow, closed)).collect(),
            View::Circuit(circuit, steady) => {
                probes.map(|it| it.in_steady(network, circuit, steady)).collect()
            }
        };
        let supply = self.supply(self.now_ns, |node, wire| view.voltage_v(node, wire));
        let parts = supply.parts.clone();
        (Segment { from_ns: self.now_ns, what: SegmentContent::Steady { pairs, supply } }, parts)
    }
}

impl Motion {
    /// Interface protections see what there is from now on.
    pub(super) fn look(&mut self, views: Vec<Option<InterfaceView>>) {
        for (guard, view) in self.guards.iter_mut().zip(views) {
            if let Some(view) = view {
                guard.seen = view;
            }
        }
    }
}

impl<const N: usize> View<'_, N> {
    fn voltage_v(&self, node: NodeId, wire: Wire) -> Complex64 {
        match self {
            Self::Flow(flow) => flow.nodes[node.index()].voltage_v[wire.index()],
            Self::Circuit(_, steady) => steady.voltage_v(node, wire),
        }
    }

    /// Whether a fault has no current.
    fn is_dead(&self, id: u32) -> bool {
        match self {
            Self::Flow(_) => false,
            Self::Circuit(circuit, steady) => {
                circuit.fault_phasors_a(steady, id).iter().all(|it| it.norm() < DEAD_A)
            }
        }
    }
}

/// The angle that a frequency has gone through at an instant, from 0 to a whole turn.
pub(super) fn turned_rad(frequency_hz: f64, at_ns: i64) -> f64 {
    let (seconds, rest_ns) = (at_ns.div_euclid(1_000_000_000), at_ns.rem_euclid(1_000_000_000));
    let whole = frequency_hz * seconds as f64;
    let turns = (whole - whole.floor()) + frequency_hz * (rest_ns as f64 * 1e-9);
    TAU * (turns - turns.floor())
}
