//! Waves around an instant.

use std::f64::consts::{SQRT_2, TAU};
use std::sync::Arc;

use num_complex::Complex64;

use super::play::{Player, turned_rad};
use super::{MotionError, Operation, Pair, Section, Stretch, Waves};
use crate::transient::{Action, Phasors, Transient};

/// For so many periods nothing may have happened before waves end.
const QUIET_PERIODS: f64 = 2.0;

/// Waves as they are played.
pub(super) struct Window {
    from_ns: i64,
    period_s: f64,
    at_s: Vec<f64>,
    probes: Vec<Vec<(Vec<f64>, Vec<f64>)>>,
    /// The voltages across the parts of each probe's load at the last instant.
    across_v: Vec<[f64; 3]>,
    /// When something happened last.
    quiet_s: f64,
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
        let mut steady = circuit.begin(turned_rad(frequency_hz, from_ns))?;
        let probes = player.motion.probes.iter().map(|it| vec![Default::default(); it.pairs.len()]);
        let mut window = Self {
            from_ns,
            period_s: 1.0 / frequency_hz,
            at_s: Vec::new(),
            probes: probes.collect(),
            across_v: vec![[0.0; 3]; player.motion.probes.len()],
            quiet_s: 0.0,
        };
        for action in actions {
            circuit.schedule(0.0, *action)?;
        }
        for guard in &mut player.motion.guards {
            guard.begin_waves(&poles(&circuit, guard.switch, &player.motion.standing.closed));
        }
        window.keep(player, &circuit, 0.0);
        player.circuit = Some(circuit);
        let mut periods = 1.0;
        loop {
            window.advance(player, &mut steady)?;
            let now_s = *window.at_s.last().unwrap_or(&0.0);
            if now_s < periods * window.period_s {
                continue;
            }
            let end_s = (now_s / window.period_s + 1e-9).floor() * window.period_s;
            periods = (end_s / window.period_s).round() + 1.0;
            if let Some(jump) = window.is_over(player, &steady, now_s) {
                window.finish(player, end_s, jump);
                return Ok(());
            }
        }
    }

    /// A step.
    fn advance<const N: usize>(
        &mut self,
        player: &mut Player<'_, N>,
        steady: &mut Phasors<N>,
    ) -> Result<(), MotionError> {
        let before_s = *self.at_s.last().unwrap_or(&0.0);
        let step_s = player.motion.options.step_s;
        let from_ns = self.from_ns;
        let ns = |at_s: f64| from_ns + (at_s * 1e9).round() as i64;
        let events = player.events_until(ns(before_s + step_s));
        let Some(mut circuit) = player.circuit.take() else { return Ok(()) };
        for (at_ns, action) in events {
            circuit.schedule((at_ns - from_ns) as f64 * 1e-9, action)?;
        }
        let factored = circuit.factored();
        circuit.advance()?;
        let now_s = circuit.time_s();
        self.keep(player, &circuit, now_s - before_s);
        player.circuit = Some(circuit);
        player.sync(ns(now_s));
        let Some(mut circuit) = player.circuit.take() else { return Ok(()) };
        if circuit.factored() != factored {
            self.quiet_s = now_s;
            *steady = circuit.steady()?;
        }
        self.guard(player, &mut circuit, steady, (before_s, now_s))?;
        let motion = &mut *player.motion;
        for burning in &mut motion.standing.faults {
            let currents = circuit.fault_phasors_a(steady, burning.fault.id);
            let is_dead = currents.iter().all(|it| it.norm() < super::play::DEAD_A);
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
        let at_ns = self.from_ns + (before_s * 1e9).round() as i64;
        let views = player.views(at_ns, |node, wire| steady.voltage_v(node, wire));
        let motion = &mut *player.motion;
        motion.look(views);
        for guard in &mut motion.guards {
            let now_a = poles(circuit, guard.switch, &motion.standing.closed);
            let phasors: Vec<Complex64> = (0..now_a.len())
                .map(|pole| circuit.switch_phasor_a(steady, guard.switch, pole))
                .collect();
            for order in guard.step_waves(now_s - before_s, &now_a, &phasors) {
                let at_s = before_s + order.after_s;
                motion.operations.push(Operation {
                    at_ns: self.from_ns + (at_s * 1e9).round() as i64,
                    element: guard.name.clone(),
                    deed: order.deed,
                    detail: order.detail,
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
        let acts = player.motion.guards.iter().any(|guard| {
            let closed = &player.motion.standing.closed[guard.switch];
            let poles: Vec<Complex64> = (0..closed.len())
                .map(|pole| circuit.switch_phasor_a(steady, guard.switch, pole))
                .collect();
            guard.due_in(&poles).is_some_and(|due_s| due_s <= soon_s)
        });
        if quiet_s < soon_s || circuit.is_waiting() || is_due || acts {
            // An arc that finds no zero of its current does not keep waves going for ever.
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

    /// Ends with a whole period.
    fn finish<const N: usize>(mut self, player: &mut Player<'_, N>, end_s: f64, jump: f64) {
        let end_ns = (end_s * 1e9).round() as i64;
        let end_s = end_ns as f64 * 1e-9;
        let kept = self.at_s.partition_point(|it| *it < end_s - 1e-12);
        if kept > 0 && kept < self.at_s.len() {
            let (before_s, after_s) = (self.at_s[kept - 1], self.at_s[kept]);
            let share = ((end_s - before_s) / (after_s - before_s)).clamp(0.0, 1.0);
            let cut = |values: &mut Vec<f64>| {
                values[kept] = values[kept - 1] + (values[kept] - values[kept - 1]) * share;
                values.truncate(kept + 1);
            };
            for (voltages, currents) in self.probes.iter_mut().flatten() {
                cut(voltages);
                cut(currents);
            }
            self.at_s[kept] = end_s;
            self.at_s.truncate(kept + 1);
        }
        let shared = |kept: Vec<(Vec<f64>, Vec<f64>)>| {
            kept.into_iter().map(|(u, i)| (Arc::new(u), Arc::new(i))).collect()
        };
        let probes = self.probes.into_iter().map(shared).collect();
        let waves = Waves { at_s: Arc::new(self.at_s), probes, jump };
        player.sections.retain(|it| it.from_ns != self.from_ns);
        player.sections.push(Section { from_ns: self.from_ns, what: Stretch::Waves(waves) });
        player.now_ns = self.from_ns + end_ns;
        if let Some(circuit) = &mut player.circuit {
            circuit.turn(0.0);
        }
    }
}

/// The currents of a switch's poles.
fn poles<const N: usize>(circuit: &Transient<N>, switch: usize, closed: &[Vec<bool>]) -> Vec<f64> {
    (0..closed[switch].len()).map(|pole| circuit.switch_current_a(switch, pole)).collect()
}
