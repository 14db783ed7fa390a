//! Energies, booked step by step; counted in tests only.

use crate::block::{Column, apply};
use crate::transient::elements::Taps;
use crate::transient::nonlinear::Bend;
use crate::transient::switching::Snapshot;
use crate::transient::{Rule, Transient};

/// Where energy went, joules. Between switchings what came in equals what was dissipated and what
/// is stored more than before, as far as numbers go; the trapezoidal rule keeps that exactly.
#[expect(clippy::struct_field_names, reason = "they end with their unit")]
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::transient) struct Energy {
    /// From sources.
    pub(super) in_j: f64,
    /// In resistances, those of sources, closed switches and faults among them, and in arcs.
    pub(super) dissipated_j: f64,
    /// In inductances and capacitances now.
    pub(super) stored_j: f64,
    /// The same when counting began.
    pub(super) stored_before_j: f64,
    /// What switchings and the damping after them took out.
    pub(super) removed_j: f64,
    /// What did not add up before the present step.
    settled_j: f64,
}

impl Energy {
    /// What does not add up, joules.
    pub(super) fn residual_j(&self) -> f64 {
        let stored_more_j = self.stored_j - self.stored_before_j;
        self.in_j - self.dissipated_j - stored_more_j - self.removed_j
    }
}

/// Currents and voltages at one instant, as far as energies need them.
#[derive(Clone, Debug)]
pub(in crate::transient) struct Flows<const N: usize> {
    time_s: f64,
    series: Vec<(Column<N, f64>, Column<N, f64>)>,
    coils: Vec<f64>,
    bends: Vec<f64>,
    voltage_v: Vec<Column<N, f64>>,
}

/// What was counted up to an instant, and what flows there.
#[derive(Clone, Debug)]
pub(in crate::transient) struct EnergyCount<const N: usize> {
    energy: Energy,
    flows: Flows<N>,
}

fn dot<const N: usize>(a: &Column<N, f64>, b: &Column<N, f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// What is stored beyond the knee of a core, joules.
fn stored_beyond_j(it: &Bend) -> f64 {
    let beyond = (it.driver - it.driver.clamp(it.bounds[0], it.bounds[1])).powi(2);
    if it.is_core() { it.slope * beyond / 2.0 } else { 0.0 }
}

impl<const N: usize> Transient<N> {
    /// Counts energies from here on.
    pub(super) fn count_energy(&mut self) {
        let stored_j = self.stored_j();
        self.energy = Some(Energy { stored_before_j: stored_j, stored_j, ..Energy::default() });
    }

    /// The energies since they are counted.
    pub(super) const fn energy(&self) -> Option<&Energy> {
        self.energy.as_ref()
    }

    /// What is stored in inductances and capacitances, joules.
    fn stored_j(&self) -> f64 {
        let series = self
            .series
            .iter()
            .map(|it| dot(&it.current_a, &apply(&it.inductance_h, &it.current_a)) / 2.0);
        let capacitors = self.capacitors.iter().map(|it| {
            let voltage = &self.voltage_v[it.node as usize];
            dot(voltage, &apply(&it.farad, voltage)) / 2.0
        });
        let coils = self.coils.iter().map(|it| it.inductance_h * it.current_a.powi(2) / 2.0);
        let cores = self.bends.iter().map(stored_beyond_j);
        series.chain(capacitors).chain(coils).chain(cores).sum()
    }

    /// What flows now, where energies are counted.
    pub(in crate::transient) fn flows_now(&self) -> Option<Flows<N>> {
        self.energy?;
        Some(Flows {
            time_s: self.time_s,
            series: self.series.iter().map(|it| (it.current_a, it.emf_v)).collect(),
            coils: self.coils.iter().map(|it| it.current_a).collect(),
            bends: self.bends.iter().map(|it| it.current_a).collect(),
            voltage_v: self.voltage_v.clone(),
        })
    }

    /// The same with what was counted so far.
    pub(in crate::transient) fn counted(&self) -> Option<EnergyCount<N>> {
        Some(EnergyCount { energy: self.energy?, flows: self.flows_now()? })
    }

    /// Books the energies of a step from these flows to those of now: means of both ends, with
    /// which the trapezoidal rule is exact, and the end of a damped step, which knows nothing of
    /// the voltages before a switching.
    pub(in crate::transient) fn book(&mut self, before: Option<&Flows<N>>, rule: Rule) {
        let Some(before) = before else { return };
        let length_s = self.time_s - before.time_s;
        let of_both = |now: f64, before: f64| match rule {
            Rule::Trapezoidal => f64::midpoint(now, before),
            Rule::Damped => now,
        };
        let mean = |a: &Column<N, f64>, b: &Column<N, f64>| -> Column<N, f64> {
            std::array::from_fn(|k| of_both(a[k], b[k]))
        };
        let (mut in_w, mut dissipated_w) = (0.0, 0.0);
        for (it, (current, emf)) in self.series.iter().zip(&before.series) {
            let current = mean(&it.current_a, current);
            in_w += dot(&mean(&it.emf_v, emf), &current);
            dissipated_w += dot(&current, &apply(&it.resistance_ohm, &current));
        }
        for (it, current) in self.coils.iter().zip(&before.coils) {
            dissipated_w += it.resistance_ohm * of_both(it.current_a, *current).powi(2);
        }
        let across_v =
            |taps: &Taps| of_both(taps.across(&self.voltage_v), taps.across(&before.voltage_v));
        for it in self.conductances.iter().filter(|it| it.is_closed && it.bend.is_none()) {
            let across = across_v(&it.taps);
            dissipated_w += it.siemens * across * across;
        }
        for (it, current) in self.bends.iter().zip(&before.bends).filter(|(it, _)| !it.is_core()) {
            let across = across_v(&self.conductances[it.conductance].taps);
            dissipated_w += of_both(it.current_a, *current) * across;
        }
        let stored_j = self.stored_j();
        if let Some(energy) = &mut self.energy {
            energy.in_j += in_w * length_s;
            energy.dissipated_j += dissipated_w * length_s;
            energy.stored_j = stored_j;
        }
    }

    /// Books the part of a step from a snapshot to now in place of all that was booked since.
    pub(in crate::transient) fn book_part(&mut self, before: &Snapshot<N>) {
        let Some(EnergyCount { energy, flows }) = &before.counted else { return };
        self.energy = Some(*energy);
        self.sources_at(self.time_s);
        self.book(Some(flows), Rule::Trapezoidal);
    }

    /// A step begins.
    pub(in crate::transient) fn settle_energy(&mut self) {
        if let Some(energy) = &mut self.energy {
            energy.settled_j = energy.residual_j();
        }
    }

    /// What does not add up more than before the step is what the damping took out, and what lies
    /// between the step's beginning and a switching in it.
    pub(in crate::transient) fn book_removed(&mut self) {
        if let Some(energy) = &mut self.energy {
            energy.removed_j += energy.residual_j() - energy.settled_j;
        }
    }
}
