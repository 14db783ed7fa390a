//! Waves around an instant.

use std::f64::consts::{SQRT_2, TAU};
use std::sync::Arc;

use num_complex::Complex64;

use super::last_period::LastPeriod;
use super::play::{Player, turned_rad};
use super::{Motion, MotionError, Operation, Pair, Segment, SegmentContent, Supply, Waveforms};
use crate::transient::{Action, Phasors, Pole, Transient};

/// For so many periods nothing may have happened before waves end.
const QUIET_PERIODS: f64 = 2.0;

/// Waves that may last are handed on in pieces that are no longer, seconds.
const PIECE_S: f64 = 10.0;

/// Waves as they are played.
#[derive(Clone, Debug)]
pub(super) struct Window {
    from_ns: i64,
    period_s: f64,
    /// When the piece began whose values are kept, seconds since the beginning.
    piece_s: f64,
    at_s: Vec<f64>,
    probes: Vec<Vec<(Vec<f64>, Vec<f64>)>>,
    /// The voltages across the parts of each probe's load at the last instant.
    across_v: Vec<[f64; 3]>,
    /// When something happened last.
    quiet_s: f64,
    /// Of each protective device its currents, where what flows may have no phasors.
    last_periods: Vec<LastPeriod>,
    supply: Vec<Supply>,
}

/// Waves that go on later.
#[derive(Clone, Debug)]
pub(super) struct Paused<const N: usize> {
    window: Window,
    circuit: Transient<N>,
    steady: Phasors<N>,
    opening: Vec<(usize, Pole)>,
    clearing: Vec<(u32, Box<str>)>,
}

/// The same of three wires, or of four.
#[derive(Clone, Debug)]
pub(super) enum PausedWires {
    Three(Box<Paused<3>>),
    Four(Box<Paused<4>>),
}

impl<const N: usize> Paused<N> {
    pub(super) fn go_on(self, player: &mut Player<'_, N>) -> Result<(), MotionError> {
        let Self { window, circuit, steady, opening, clearing } = self;
        player.circuit = Some(circuit);
        (player.opening, player.clearing) = (opening, clearing);
        window.run(player, steady)
    }
}

impl Window {
    /// Plays waves from now on, in which something happens at once, until they are steady.
    pub(super) fn play<const N: usize>(
        player: &mut Player<'_, N>,
        actions: &[Action],
    ) -> Result<(), MotionError> {
        let Some(mut circuit) = player.circuit.take() else { return Ok(()) };
        let (network, from_ns) = (&player.network, player.now_ns);
        let frequency_hz = network.frequency_hz;
        let steady = circuit.begin(turned_rad(frequency_hz, from_ns))?;
        circuit.magnetise(&steady);
        let probes = player.motion.probes.iter().map(|it| vec![Default::default(); it.pairs.len()]);
        let mut window = Self {
            from_ns,
            period_s: 1.0 / frequency_hz,
            piece_s: 0.0,
            at_s: Vec::new(),
            probes: probes.collect(),
            across_v: vec![[0.0; 3]; player.motion.probes.len()],
            quiet_s: 0.0,
            last_periods: Vec::new(),
            supply: Vec::new(),
        };
        if player.motion.is_bent {
            let of = |switch: usize| phasors(&circuit, &steady, switch, player.motion);
            let guards = player.motion.guards.iter();
            let last = guards.map(|it| LastPeriod::new(window.period_s, &of(it.switch)));
            window.last_periods = last.collect();
        }
        for action in actions {
            circuit.schedule(0.0, *action)?;
        }
        for guard in &mut player.motion.guards {
            guard.begin_waves(&poles(&circuit, guard.switch, &player.motion.state.closed));
        }
        window.keep(player, &circuit, 0.0);
        player.circuit = Some(circuit);
        window.run(player, steady)
    }

    /// Goes on until it is over, or to the end of a piece.
    fn run<const N: usize>(
        mut self,
        player: &mut Player<'_, N>,
        mut steady: Phasors<N>,
    ) -> Result<(), MotionError> {
        let mut periods = (self.piece_s / self.period_s).round() + 1.0;
        loop {
            self.advance(player, &mut steady)?;
            let now_s = *self.at_s.last().unwrap_or(&0.0);
            if now_s < periods * self.period_s {
                continue;
            }
            let end_s = (now_s / self.period_s + 1e-9).floor() * self.period_s;
            periods = (end_s / self.period_s).round() + 1.0;
            if let Some(jump) = self.is_over(player, &steady, now_s) {
                self.hand_on(player, end_s, jump);
                if let Some(circuit) = &mut player.circuit {
                    circuit.turn(0.0);
                }
                return Ok(());
            }
            let end_ns = self.from_ns + (end_s * 1e9).round() as i64;
            let is_long = end_ns >= player.to_ns || end_s - self.piece_s >= PIECE_S;
            if player.motion.is_bent && is_long {
                self.hand_on(player, end_s, 0.0);
                self.piece_s = end_s;
                let opening = std::mem::take(&mut player.opening);
                let clearing = std::mem::take(&mut player.clearing);
                let Some(circuit) = player.circuit.take() else { return Ok(()) };
                let paused = Paused { window: self, circuit, steady, opening, clearing };
                player.paused = Some(Box::new(paused));
                return Ok(());
            }
        }
    }

    fn advance<const N: usize>(
        &mut self,
        player: &mut Player<'_, N>,
        steady: &mut Phasors<N>,
    ) -> Result<(), MotionError> {
        let before_s = *self.at_s.last().unwrap_or(&0.0);
        let step_s = player.motion.options.step_s;
        let from_ns = self.from_ns;
        let ns = |at_s: f64| from_ns + (at_s * 1e9).round() as i64;
        let until_ns = ns(before_s + step_s);
        let mut found = Vec::new();
        if player.motion.events.front().is_some_and(|it| it.at_ns <= until_ns) {
            found = player.found(until_ns, |node, wire| steady.voltage_v(node, wire));
            player.wait_for_angles(until_ns, &found, from_ns);
        }
        let events = player.events_until(until_ns, &found);
        let Some(mut circuit) = player.circuit.take() else { return Ok(()) };
        for (at_ns, action) in events {
            circuit.schedule((at_ns - from_ns) as f64 * 1e-9, action)?;
        }
        let switchings = circuit.switchings();
        circuit.advance()?;
        let now_s = circuit.time_s();
        self.keep(player, &circuit, now_s - before_s);
        player.circuit = Some(circuit);
        player.sync(ns(now_s));
        let Some(mut circuit) = player.circuit.take() else { return Ok(()) };
        if circuit.switchings() != switchings {
            self.quiet_s = now_s;
            *steady = circuit.steady()?;
            let mut done = player.motion.operations.iter().rev();
            let last = done.find(|it| it.kind.switches()).map(|it| it.at_ns);
            let at_ns = last.filter(|it| *it >= ns(before_s)).unwrap_or_else(|| ns(now_s));
            let supply = player.supply(at_ns, |node, wire| steady.voltage_v(node, wire));
            player.motion.parts.clone_from(&supply.parts);
            self.supply.push(supply);
        }
        self.guard(player, &mut circuit, steady, (before_s, now_s))?;
        let motion = &mut *player.motion;
        for burning in &mut motion.state.faults {
            let id = burning.fault.id;
            let is_none = |current_a: f64| current_a.abs() < super::play::DEAD_A;
            let is_dead = if burning.fault.arc.is_some() {
                circuit.fault_currents_a(id).into_iter().all(is_none)
            } else {
                circuit.fault_phasors_a(steady, id).iter().all(|it| is_none(it.norm()))
            };
            burning.dead_s = if is_dead { burning.dead_s + now_s - before_s } else { 0.0 };
        }
        for action in player.extinguished() {
            circuit.schedule(now_s, action)?;
            self.quiet_s = now_s;
        }
        player.circuit = Some(circuit);
        Ok(())
    }

    /// Protective devices look at a step.
    fn guard<const N: usize>(
        &mut self,
        player: &mut Player<'_, N>,
        circuit: &mut Transient<N>,
        steady: &Phasors<N>,
        (before_s, now_s): (f64, f64),
    ) -> Result<(), MotionError> {
        for (guard, last) in player.motion.guards.iter().zip(&mut self.last_periods) {
            let closed = &player.motion.state.closed;
            last.push(now_s, &poles(circuit, guard.switch, closed));
        }
        let seen = self.seen(player, circuit, steady);
        let at_ns = self.from_ns + (before_s * 1e9).round() as i64;
        let views = player.views(at_ns, |node, wire| steady.voltage_v(node, wire));
        let motion = &mut *player.motion;
        motion.look(views);
        for (guard, phasors) in motion.guards.iter_mut().zip(seen) {
            for order in guard.step_waves((before_s, circuit), &phasors) {
                let at_s = before_s + order.after_s;
                let node = player.network.switches[guard.switch].from.node;
                motion.operations.push(Operation {
                    at_ns: self.from_ns + (at_s * 1e9).round() as i64,
                    element: guard.name.clone(),
                    node: player.network.nodes[node.index()].name.clone(),
                    kind: order.kind,
                    detail: order.detail.into(),
                    point: order.point,
                });
                if let Some(action) = order.action {
                    circuit.schedule(now_s, action)?;
                    self.quiet_s = now_s;
                }
            }
        }
        Ok(())
    }

    /// What each protective device sees as phasors: those of the network as it stands or, where an
    /// arc burns or iron may saturate, the fundamentals of what flowed over the last period.
    fn seen<const N: usize>(
        &self,
        player: &Player<'_, N>,
        circuit: &Transient<N>,
        steady: &Phasors<N>,
    ) -> Vec<Vec<Complex64>> {
        let motion = &*player.motion;
        if motion.is_bent && (circuit.has_cores() || player.burns_in(circuit, steady)) {
            return self.last_periods.iter().map(LastPeriod::phasors).collect();
        }
        let guards = motion.guards.iter();
        guards.map(|it| phasors(circuit, steady, it.switch, motion)).collect()
    }

    /// Keeps what the probes see.
    fn keep<const N: usize>(
        &mut self,
        player: &Player<'_, N>,
        circuit: &Transient<N>,
        elapsed_s: f64,
    ) {
        self.at_s.push(circuit.time_s());
        let all = player.motion.probes.iter().zip(&mut self.probes).zip(&mut self.across_v);
        for ((probe, kept), across_v) in all {
            let pairs = probe.now(&player.network, circuit, (across_v, elapsed_s));
            for ((voltages, currents), (voltage, current)) in kept.iter_mut().zip(pairs) {
                voltages.push(voltage);
                currents.push(current);
            }
        }
    }

    /// Whether waves have become steady: then how far they still are from that.
    fn is_over<const N: usize>(
        &self,
        player: &Player<'_, N>,
        steady: &Phasors<N>,
        now_s: f64,
    ) -> Option<f64> {
        let options = &player.motion.options;
        let Some(circuit) = &player.circuit else { return Some(0.0) };
        let quiet_s = now_s - self.quiet_s;
        let soon_s = QUIET_PERIODS * self.period_s;
        let soon_ns = self.from_ns + ((now_s + soon_s) * 1e9) as i64;
        let is_due = player.motion.events.front().is_some_and(|it| it.at_ns <= soon_ns);
        if player.motion.is_bent && player.burns_in(circuit, steady) {
            return None;
        }
        let seen = self.seen(player, circuit, steady);
        let acts = player
            .motion
            .guards
            .iter()
            .zip(seen)
            .any(|(guard, poles)| guard.due_in(&poles).is_some_and(|due_s| due_s <= soon_s));
        if quiet_s < soon_s || circuit.is_waiting() || is_due || acts {
            // An arc that finds no zero of its current does not keep waves going forever.
            return (quiet_s > options.longest_s && !is_due && !acts).then_some(f64::INFINITY);
        }
        let pairs = player.motion.probes.iter();
        let pairs =
            pairs.map(|it| it.in_steady(&player.network, circuit, steady)).collect::<Vec<_>>();
        let jump = self.farthest(&pairs, now_s);
        (jump <= options.tolerance || quiet_s > options.longest_s).then_some(jump)
    }

    /// How far the last period is from a steady state, as a share of each probe's largest values.
    fn farthest(&self, steady: &[Vec<Pair>], now_s: f64) -> f64 {
        let first = self.at_s.partition_point(|it| *it < now_s - self.period_s);
        let omega = TAU / self.period_s;
        let turns: Vec<(f64, f64)> =
            self.at_s[first..].iter().map(|at_s| libm::sincos(omega * at_s)).collect();
        let distance = |values: &[f64], phasor: Complex64| {
            let wave = turns.iter().map(|(sin, cos)| SQRT_2 * (phasor.re * sin + phasor.im * cos));
            let apart = values[first..].iter().zip(wave).map(|(value, wave)| (value - wave).abs());
            apart.fold(0.0, f64::max)
        };
        let largest = |values: &[f64]| values.iter().fold(0.0_f64, |most, it| most.max(it.abs()));
        let mut farthest = 0.0_f64;
        for (kept, steady) in self.probes.iter().zip(steady) {
            let voltage = kept.iter().map(|(voltages, _)| largest(voltages)).fold(0.0, f64::max);
            let current = kept.iter().map(|(_, currents)| largest(currents)).fold(0.0, f64::max);
            for ((voltages, currents), (u, i)) in kept.iter().zip(steady) {
                for (values, phasor, scale) in [(voltages, *u, voltage), (currents, *i, current)] {
                    if scale > 1e-6 {
                        farthest = farthest.max(distance(values, phasor) / scale);
                    }
                }
            }
        }
        farthest
    }

    /// Hands on what was kept up to the end of a whole period; what is beyond stays.
    fn hand_on<const N: usize>(&mut self, player: &mut Player<'_, N>, end_s: f64, jump: f64) {
        let end_ns = (end_s * 1e9).round() as i64;
        let end_s = end_ns as f64 * 1e-9;
        let begin_ns = (self.piece_s * 1e9).round() as i64;
        let kept = self.at_s.partition_point(|it| *it < end_s - 1e-12);
        let mut at_s = self.at_s.clone();
        let mut probes = std::mem::take(&mut self.probes);
        self.probes = probes.iter().map(|it| vec![Default::default(); it.len()]).collect();
        if kept > 0 && kept < at_s.len() {
            let (before_s, after_s) = (at_s[kept - 1], at_s[kept]);
            let share = ((end_s - before_s) / (after_s - before_s)).clamp(0.0, 1.0);
            // What lies on the end itself is not kept twice.
            let rest = if after_s - end_s <= 1e-12 { kept + 1 } else { kept };
            let cut = |values: &mut Vec<f64>, left: &mut Vec<f64>| {
                let end = values[kept - 1] + (values[kept] - values[kept - 1]) * share;
                left.push(end);
                left.extend_from_slice(&values[rest..]);
                values[kept] = end;
                values.truncate(kept + 1);
            };
            for (own, left) in probes.iter_mut().flatten().zip(self.probes.iter_mut().flatten()) {
                cut(&mut own.0, &mut left.0);
                cut(&mut own.1, &mut left.1);
            }
            self.at_s = std::iter::once(end_s).chain(at_s[rest..].iter().copied()).collect();
            at_s[kept] = end_s;
            at_s.truncate(kept + 1);
        }
        let begin_s = begin_ns as f64 * 1e-9;
        for at_s in &mut at_s {
            *at_s -= begin_s;
        }
        let shared = |kept: Vec<(Vec<f64>, Vec<f64>)>| {
            kept.into_iter().map(|(u, i)| (Arc::new(u), Arc::new(i))).collect()
        };
        let probes = probes.into_iter().map(shared).collect();
        let supply = std::mem::take(&mut self.supply);
        let waves = Waveforms { at_s: Arc::new(at_s), probes, jump, supply };
        let from_ns = self.from_ns + begin_ns;
        player.segments.retain(|it| it.from_ns != from_ns);
        player.segments.push(Segment { from_ns, what: SegmentContent::Waveforms(waves) });
        player.now_ns = self.from_ns + end_ns;
    }
}

/// The phasors of a switch's poles in a steady state.
fn phasors<const N: usize>(
    circuit: &Transient<N>,
    steady: &Phasors<N>,
    switch: usize,
    motion: &Motion,
) -> Vec<Complex64> {
    let poles = 0..motion.state.closed[switch].len();
    poles.map(|pole| circuit.switch_phasor_a(steady, switch, pole)).collect()
}

/// The currents of a switch's poles.
fn poles<const N: usize>(circuit: &Transient<N>, switch: usize, closed: &[Vec<bool>]) -> Vec<f64> {
    (0..closed[switch].len()).map(|pole| circuit.switch_current_a(switch, pole)).collect()
}
