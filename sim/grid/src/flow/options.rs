//! What may be chosen, what a method comes to, and what all methods have in common.

use num_complex::Complex64;

use crate::block::{Column, magnitude};
use crate::circuit::{Circuit, EARTH, Part};

/// Which wires are solved for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phases {
    /// Each phase by itself, and the neutral where there is one.
    #[default]
    All,
    /// The positive sequence only: for networks of three phases that are loaded alike, or to see
    /// the mean of their phases.
    Balanced,
}

/// How it is solved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// Whatever is best for the network: a sweep for trees and few loops, currents with a factored
    /// matrix for others, Newton where they do not converge.
    #[default]
    Auto,
    /// Forward and backward along the tree ([`crate::sweep`]).
    Sweep,
    /// Loads as currents that are corrected until they fit; the matrix is factored once.
    CurrentInjection,
    /// Newton's method: a matrix for each step, also for networks close to collapse.
    Newton,
}

/// What may be chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Which wires.
    pub phases: Phases,
    /// How.
    pub method: Method,
    /// It is solved when no voltage changes by more than this any more, per unit of the rated one.
    pub tolerance_pu: f64,
    /// After how many iterations a method is given up.
    pub most_iterations: u32,
    /// Whether regulators that are enabled move their taps.
    pub regulate: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            phases: Phases::All,
            method: Method::Auto,
            tolerance_pu: 1e-8,
            most_iterations: 60,
            regulate: true,
        }
    }
}

/// What a method has come to.
#[derive(Clone, Debug)]
pub struct Solved<const N: usize> {
    /// Of each node: voltages to earth, volts.
    pub voltages: Vec<Column<N>>,
    /// How many iterations it took.
    pub iterations: u32,
    /// Whether voltages stood still in the end.
    pub converged: bool,
    /// Which method it was.
    pub method: Method,
}

/// The voltage across a part of a load, by those of its node, volts.
pub(super) fn across<const N: usize>(part: &Part, at: &Column<N>) -> Complex64 {
    let wire = at[usize::from(part.wire)];
    if part.against == EARTH { wire } else { wire - at[usize::from(part.against)] }
}

/// Adds the currents that the parts of loads draw from the nodes, amperes; constant admittances
/// are left out if they are in the matrix.
pub(super) fn add_drawn<const N: usize>(
    circuit: &Circuit<N>,
    voltages: &[Column<N>],
    but_constant: bool,
    sign: f64,
    into: &mut [Column<N>],
) {
    for part in &circuit.parts {
        if but_constant && part.is_constant() {
            continue;
        }
        let current = part.current(across(part, &voltages[part.node as usize])) * sign;
        let into = &mut into[part.node as usize];
        into[usize::from(part.wire)] += current;
        if part.against != EARTH {
            into[usize::from(part.against)] -= current;
        }
    }
    // What is not there draws nothing.
    for (node, into) in into.iter_mut().enumerate() {
        for (wire, current) in into.iter_mut().enumerate() {
            if !circuit.has_wire(node as u32, wire) {
                *current = Complex64::ZERO;
            }
        }
    }
}

/// The largest change of any voltage per unit of its rated one.
pub(super) fn largest_change<const N: usize>(
    circuit: &Circuit<N>,
    before: &[Column<N>],
    after: &[Column<N>],
) -> f64 {
    let mut largest = 0.0_f64;
    for ((a, b), rated) in before.iter().zip(after).zip(&circuit.rated_voltage_v) {
        for (a, b) in a.iter().zip(b) {
            let change = magnitude(a - b) / rated;
            // A change that is not a number must not pass for none.
            if !change.is_finite() {
                return f64::INFINITY;
            }
            largest = largest.max(change);
        }
    }
    largest
}
