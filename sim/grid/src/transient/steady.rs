//! Where playing begins: the steady state, as the steps have it.
//!
//! At the frequency of the sources the trapezoidal rule makes of an inductance `L` the reactance
//! `(2 / h) tan(w h / 2) L`. With that the beginning is a steady state of the steps themselves, and
//! nothing swings in.

use std::f64::consts::{SQRT_2, TAU};

use num_complex::Complex64;

use super::nonlinear::Bend;
use super::{Phasors, Transient, TransientError};
use crate::block::{Block, Column, add_to, apply, inverse_on, zero};
use crate::block_lu::Matrix;

impl<const N: usize> Transient<N> {
    /// Begins again at instant 0 in the steady state, with switches and faults as they stand and
    /// the voltages of all sources turned ahead by an angle in radians.
    ///
    /// # Errors
    /// If the network has no solution.
    pub fn begin(&mut self, turned_rad: f64) -> Result<Phasors<N>, TransientError> {
        self.turn(turned_rad);
        self.time_s = 0.0;
        self.straighten();
        self.refactor()?;
        let phasors = self.steady()?;
        self.take_phasors(&phasors);
        Ok(phasors)
    }

    /// Turns the voltages of all sources ahead of how they are described by an angle in radians.
    pub fn turn(&mut self, turned_rad: f64) {
        let turned = Complex64::from_polar(1.0, turned_rad);
        for it in &mut self.sources {
            it.phasor_v = it.described_v.map(|it| it * turned);
        }
    }

    /// The steady state with switches and faults as they stand, whatever flows at present, as steps
    /// have it. What bends is as it is between its bounds: iron unsaturated, arcs without current.
    ///
    /// # Errors
    /// If the network has no solution.
    pub fn steady(&self) -> Result<Phasors<N>, TransientError> {
        let half_angle = TAU * self.frequency_hz() * self.step_s / 2.0;
        self.steady_by(2.0 / self.step_s * libm::tan(half_angle))
    }

    /// The same as the network itself has it, without what the rule of the steps makes of its
    /// reactances.
    ///
    /// # Errors
    /// If the network has no solution.
    pub fn phasors(&self) -> Result<Phasors<N>, TransientError> {
        self.steady_by(TAU * self.frequency_hz())
    }

    /// The frequency of the sources, 0 without any.
    fn frequency_hz(&self) -> f64 {
        self.sources.first().map_or(0.0, |it| it.frequency_hz)
    }

    /// The steady state with inductances and capacitances of this angular frequency.
    fn steady_by(&self, omega: f64) -> Result<Phasors<N>, TransientError> {
        if self.sources.is_empty() {
            let voltage_v = vec![[Complex64::ZERO; N]; self.voltage_v.len()];
            let series = vec![zero(); self.series.len()];
            return Ok(Phasors { voltage_v, series, s: Complex64::ZERO });
        }
        let s = Complex64::new(0.0, omega);
        let singular = |names: &super::compile::Names, node: u32| {
            TransientError::Singular(names.of_node(node))
        };
        let mut matrix: Matrix<N> = Matrix::new(&self.symbolic);
        let mut phasors: Vec<Column<N>> = vec![[Complex64::ZERO; N]; self.voltage_v.len()];
        let mut admittances = Vec::with_capacity(self.series.len());
        for it in &self.series {
            let impedance: Block<N> = std::array::from_fn(|i| {
                std::array::from_fn(|j| it.resistance_ohm[i][j] + s * it.inductance_h[i][j])
            });
            let own = inverse_on(&impedance, |wire| it.conductance[wire][wire] != 0.0)
                .ok_or_else(|| singular(&self.names, it.to))?;
            it.stamp(&mut matrix, &self.symbolic, &own);
            admittances.push(own);
        }
        for it in &self.sources {
            let series = &self.series[it.series];
            let driven = apply(&admittances[it.series], &it.phasor_v.map(|volts| volts * it.share));
            for (right, driven) in phasors[series.to as usize].iter_mut().zip(driven) {
                *right += driven;
            }
        }
        for it in &self.capacitors {
            let own = it.farad.map(|row| row.map(|farad| s * farad));
            add_to(matrix.diagonal_mut(&self.symbolic, it.node), &own);
        }
        for it in &self.coils {
            let own = Complex64::ONE / (it.resistance_ohm + s * it.inductance_h);
            it.taps.stamp(&mut matrix, &self.symbolic, own, |_| true);
        }
        for it in self.conductances.iter().filter(|it| it.is_closed && it.bend.is_none()) {
            it.taps.stamp(&mut matrix, &self.symbolic, it.siemens.into(), |_| true);
        }
        matrix.factor(&self.symbolic).map_err(|it| singular(&self.names, it.0))?;
        matrix.solve(&self.symbolic, &mut phasors, &mut Vec::new());
        Ok(Phasors { voltage_v: phasors, series: admittances, s })
    }

    fn take_phasors(&mut self, steady: &Phasors<N>) {
        let Phasors { voltage_v: phasors, series: admittances, s } = steady;
        let s = *s;
        let wave = |phasor: Complex64| SQRT_2 * phasor.im;
        for (voltage, phasor) in self.voltage_v.iter_mut().zip(phasors) {
            *voltage = phasor.map(wave);
        }
        self.sources_at(0.0);
        let mut emf = vec![None; self.series.len()];
        for it in &self.sources {
            emf[it.series] = Some(it.phasor_v.map(|volts| volts * it.share));
        }
        let voltage_v = &self.voltage_v;
        for ((it, own), emf) in self.series.iter_mut().zip(admittances).zip(emf) {
            let to = &phasors[it.to as usize];
            let from = emf.unwrap_or_else(|| phasors[it.from as usize]);
            let across: Column<N> = std::array::from_fn(|k| from[k] - to[k]);
            it.current_a = apply(own, &across).map(wave);
            it.driven_a = apply(&it.conductance, &it.across(voltage_v));
        }
        for it in &mut self.capacitors {
            let own = it.farad.map(|row| row.map(|farad| s * farad));
            it.current_a = apply(&own, &phasors[it.node as usize]).map(wave);
        }
        for it in &mut self.coils {
            let across = it.taps.phasor_across(phasors);
            it.current_a = wave(across / (it.resistance_ohm + s * it.inductance_h));
            it.driven_a = it.conductance * it.taps.across(voltage_v);
        }
        for it in &mut self.bends {
            let own = &self.conductances[it.conductance];
            let across = own.taps.phasor_across(phasors);
            let flux = if s == Complex64::ZERO { Complex64::ZERO } else { across / s };
            it.begin(wave(across), wave(flux), own);
        }
        // What is beyond its knee already bends in the first step.
        self.is_unsettled = self.bends.iter().any(Bend::is_missed);
    }
}
