//! What flows in a steady state, element by element.

use num_complex::Complex64;

use super::Transient;
use crate::block::{Block, Column};
use crate::network::{NodeId, Wire};

/// A steady state of a network that is played: RMS phasors at the instant 0.
#[derive(Clone, Debug)]
pub struct Phasors<const N: usize> {
    /// Of each wire to earth, volts.
    pub(super) voltage_v: Vec<Column<N>>,
    /// The admittance of each series branch, siemens.
    pub(super) series: Vec<Block<N>>,
    /// `j w`, or what the steps make of it, 1/s.
    pub(super) s: Complex64,
}

impl<const N: usize> Phasors<N> {
    /// The voltage of a wire of a node to earth, volts; zero for one that it does not have.
    #[must_use]
    pub fn voltage_v(&self, node: NodeId, wire: Wire) -> Complex64 {
        let column = self.voltage_v.get(node.index());
        column.and_then(|column| column.get(wire.index())).copied().unwrap_or_default()
    }
}

impl<const N: usize> Transient<N> {
    /// The current through a pole of a switch from its end `from` in a steady state, amperes.
    #[must_use]
    pub fn switch_phasor_a(&self, steady: &Phasors<N>, switch: usize, pole: usize) -> Complex64 {
        let conductance = self.pole_at(switch, pole);
        conductance.map_or(Complex64::ZERO, |it| self.conductance_phasor_a(steady, it))
    }

    /// The currents of a fault in a steady state, as [`Self::fault_currents_a`], amperes; those of
    /// an arc are zero, as it is not in it.
    #[must_use]
    pub fn fault_phasors_a(&self, steady: &Phasors<N>, id: u32) -> Vec<Complex64> {
        self.fault_at(id).map(|it| self.conductance_phasor_a(steady, it)).collect()
    }

    fn conductance_phasor_a(&self, steady: &Phasors<N>, conductance: usize) -> Complex64 {
        let it = &self.conductances[conductance];
        if !it.is_closed || it.bend.is_some() {
            return Complex64::ZERO;
        }
        it.taps.phasor_across(&steady.voltage_v) * it.siemens
    }

    /// The current that a source delivers at a wire in a steady state, amperes.
    #[must_use]
    pub fn source_phasor_a(&self, steady: &Phasors<N>, source: usize, wire: Wire) -> Complex64 {
        let Some(own) = self.sources.iter().find(|it| it.source == source) else {
            return Complex64::ZERO;
        };
        let to = self.series[own.series].to as usize;
        let row =
            steady.series[own.series].get(wire.index()).copied().unwrap_or([Complex64::ZERO; N]);
        let across = (0..N).map(|k| own.phasor_v[k] * own.share - steady.voltage_v[to][k]);
        row.iter().zip(across).map(|(y, across)| y * across).sum()
    }

    /// The current through a part of a load in a steady state, amperes.
    #[must_use]
    pub fn load_phasor_a(&self, steady: &Phasors<N>, load: usize, part: usize) -> Complex64 {
        let Some(it) = self.load_part(load, part) else { return Complex64::ZERO };
        let across = it.taps.phasor_across(&steady.voltage_v);
        let coil = it.coil.map_or(Complex64::ZERO, |coil| {
            let coil = &self.coils[coil];
            Complex64::ONE / (coil.resistance_ohm + steady.s * coil.inductance_h)
        });
        let siemens = it.conductance.map_or(0.0, |it| self.conductances[it].siemens);
        across * (coil + siemens + steady.s * it.farad)
    }

    /// The current through a part of a load, amperes. What flows into a capacitance is given by how
    /// the voltage across it has changed since it was `before_v`, `elapsed_s` ago.
    #[must_use]
    pub fn load_current_a(
        &self,
        load: usize,
        part: usize,
        (before_v, elapsed_s): (f64, f64),
    ) -> f64 {
        let Some(it) = self.load_part(load, part) else { return 0.0 };
        let across = it.taps.across(&self.voltage_v);
        let coil = it.coil.map_or(0.0, |coil| self.coils[coil].current_a);
        let siemens = it.conductance.map_or(0.0, |it| self.conductances[it].siemens);
        let rise = if elapsed_s > 0.0 { (across - before_v) / elapsed_s } else { 0.0 };
        coil + siemens * across + it.farad * rise
    }

    /// The voltage across a part of a load, volts.
    #[must_use]
    pub fn load_voltage_v(&self, load: usize, part: usize) -> f64 {
        self.load_part(load, part).map_or(0.0, |it| it.taps.across(&self.voltage_v))
    }

    fn load_part(&self, load: usize, part: usize) -> Option<super::compile::LoadPart> {
        self.names.load.get(load)?.get(part).copied().flatten()
    }
}
