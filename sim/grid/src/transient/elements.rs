//! Elements as conductances and currents of their past.

use std::f64::consts::{SQRT_2, TAU};

use num_complex::Complex64;

use super::{Rule, Transient};
use crate::block::{Block, Column, Scalar, add_to, apply, negative};
use crate::block_lu::{End, Matrix, Symbolic};
use crate::topology::NONE;

/// Coupled branches between two nodes, wire by wire: a resistance and an inductance in series.
#[derive(Clone, Debug)]
pub(super) struct Series<const N: usize> {
    /// [`NONE`] of a source, which has its own voltage there.
    pub(super) from: u32,
    pub(super) to: u32,
    /// Index of the pair in the matrix's pattern.
    pub(super) pair: usize,
    pub(super) resistance_ohm: Block<N, f64>,
    pub(super) inductance_h: Block<N, f64>,
    /// `G = (R + 2 L / h)^-1`.
    pub(super) conductance: Block<N, f64>,
    /// `G (2 L / h - R)`.
    pub(super) memory: Block<N, f64>,
    /// `G 2 L / h`.
    pub(super) damped: Block<N, f64>,
    /// Of a source the voltage behind the impedance, else zero.
    pub(super) emf_v: Column<N, f64>,
    pub(super) current_a: Column<N, f64>,
    /// `G` times the voltage across it.
    pub(super) driven_a: Column<N, f64>,
    pub(super) history_a: Column<N, f64>,
}

/// Capacitances of a node's wires to earth and to each other.
#[derive(Clone, Debug)]
pub(super) struct Capacitor<const N: usize> {
    pub(super) node: u32,
    pub(super) farad: Block<N, f64>,
    /// `2 C / h`.
    pub(super) conductance: Block<N, f64>,
    pub(super) current_a: Column<N, f64>,
    pub(super) history_a: Column<N, f64>,
}

/// Where a single branch is connected, with which turns: what is not listed is earth.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taps {
    at: [End; 4],
    count: u8,
}

/// A single branch: a resistance and an inductance in series; windings of a limb are one.
#[derive(Clone, Debug)]
pub(super) struct Coil {
    pub(super) taps: Taps,
    pub(super) resistance_ohm: f64,
    pub(super) inductance_h: f64,
    pub(super) conductance: f64,
    pub(super) memory: f64,
    pub(super) damped: f64,
    pub(super) current_a: f64,
    pub(super) driven_a: f64,
    pub(super) history_a: f64,
}

/// A conductance, which may be switched.
#[derive(Clone, Debug)]
pub(super) struct Conductance {
    pub(super) taps: Taps,
    pub(super) siemens: f64,
    pub(super) is_switched: bool,
    pub(super) is_closed: bool,
    /// The branch that has it beyond its bounds, and its own law.
    pub(super) bend: Option<usize>,
    /// What the factors of the matrix have of it, if it is switched.
    pub(super) factored_siemens: f64,
}

impl Conductance {
    pub(super) const fn fixed(taps: Taps, siemens: f64) -> Self {
        let (bend, factored_siemens) = (None, 0.0);
        Self { taps, siemens, is_switched: false, is_closed: true, bend, factored_siemens }
    }

    pub(super) const fn switched(taps: Taps, siemens: f64, is_closed: bool) -> Self {
        let (bend, factored_siemens) = (None, 0.0);
        Self { taps, siemens, is_switched: true, is_closed, bend, factored_siemens }
    }

    /// What it is as it stands.
    pub(super) const fn present_siemens(&self) -> f64 {
        if self.is_closed { self.siemens } else { 0.0 }
    }

    /// What the factors lack of it.
    pub(super) const fn lacking_siemens(&self) -> f64 {
        self.present_siemens() - self.factored_siemens
    }

    pub(super) const fn bent(self, bend: usize) -> Self {
        Self { bend: Some(bend), ..self }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Emf<const N: usize> {
    /// Index into the network's sources.
    pub(super) source: usize,
    pub(super) series: usize,
    pub(super) frequency_hz: f64,
    /// What is left of its voltage.
    pub(super) share: f64,
    /// RMS, to earth, as the network describes it.
    pub(super) described_v: [Complex64; N],
    /// The same at the instant 0.
    pub(super) phasor_v: [Complex64; N],
}

impl Taps {
    /// Adds one; there are four at most, and any more are left out.
    pub(super) fn add(&mut self, node: u32, wire: usize, turns: f64) {
        if let Some(tap) = self.at.get_mut(usize::from(self.count)) {
            *tap = End { node, wire: wire as u8, turns };
            self.count += 1;
        }
    }

    /// From one place to another one; `None` is earth.
    pub(super) fn between(from: (u32, usize), to: Option<(u32, usize)>) -> Self {
        let mut taps = Self::default();
        taps.add(from.0, from.1, 1.0);
        if let Some((node, wire)) = to {
            taps.add(node, wire, -1.0);
        }
        taps
    }

    pub(super) fn as_slice(&self) -> &[End] {
        &self.at[..usize::from(self.count)]
    }

    /// The nodes that it joins, in twos.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (u32, u32)> {
        let own = *self;
        (0..usize::from(self.count)).flat_map(move |a| {
            (a + 1..usize::from(own.count)).map(move |b| (own.at[a].node, own.at[b].node))
        })
    }

    #[inline]
    pub(super) fn across<const N: usize>(&self, voltage_v: &[Column<N, f64>]) -> f64 {
        let of = |tap: &End| tap.turns * voltage_v[tap.node as usize][usize::from(tap.wire)];
        self.as_slice().iter().map(of).sum()
    }

    pub(super) fn phasor_across<const N: usize>(&self, voltage_v: &[Column<N>]) -> Complex64 {
        let of = |tap: &End| voltage_v[tap.node as usize][usize::from(tap.wire)] * tap.turns;
        self.as_slice().iter().map(of).sum()
    }

    /// Adds a current through it to what flows into the nodes from outside.
    #[inline]
    fn inject<const N: usize>(&self, right: &mut [Column<N, f64>], current_a: f64) {
        for tap in self.as_slice() {
            right[tap.node as usize][usize::from(tap.wire)] -= tap.turns * current_a;
        }
    }

    /// With how many turns a wire of a node is one of its ends.
    pub(super) fn turns_at(&self, node: u32, wire: usize) -> f64 {
        let own = self.as_slice().iter();
        let here = own.filter(|tap| tap.node == node && usize::from(tap.wire) == wire);
        here.map(|tap| tap.turns).sum()
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = u32> {
        let own = *self;
        (0..usize::from(self.count)).map(move |at| own.at[at].node)
    }

    /// Adds an admittance to a matrix, to the rows of it that are wanted.
    pub(super) fn stamp<const N: usize, T: Scalar + From<f64>>(
        &self,
        matrix: &mut Matrix<N, T>,
        symbolic: &Symbolic,
        admittance: T,
        is_wanted: impl Fn(u32) -> bool,
    ) {
        for row in self.as_slice() {
            for column in self.as_slice() {
                if !is_wanted(symbolic.holder(row.node, column.node)) {
                    continue;
                }
                let value = admittance * T::from(row.turns * column.turns);
                let (i, j) = (usize::from(row.wire), usize::from(column.wire));
                if row.node == column.node {
                    matrix.diagonal_mut(symbolic, row.node)[i][j] += value;
                } else if let Some(block) = matrix.block_mut(symbolic, row.node, column.node) {
                    block[i][j] += value;
                }
            }
        }
    }
}

impl<const N: usize> Series<N> {
    #[inline]
    pub(super) fn across(&self, voltage_v: &[Column<N, f64>]) -> Column<N, f64> {
        let to = &voltage_v[self.to as usize];
        if self.from == NONE {
            return std::array::from_fn(|k| self.emf_v[k] - to[k]);
        }
        let from = &voltage_v[self.from as usize];
        std::array::from_fn(|k| from[k] - to[k])
    }

    /// Adds an admittance of it to a matrix.
    pub(super) fn stamp<T: Scalar>(
        &self,
        matrix: &mut Matrix<N, T>,
        symbolic: &Symbolic,
        admittance: &Block<N, T>,
    ) {
        add_to(matrix.diagonal_mut(symbolic, self.to), admittance);
        if self.from == NONE {
            return;
        }
        add_to(matrix.diagonal_mut(symbolic, self.from), admittance);
        if let Some((one, other)) = matrix.pair_mut(symbolic, self.pair) {
            let across = negative(admittance);
            add_to(one, &across);
            add_to(other, &across);
        }
    }
}

impl<const N: usize> Transient<N> {
    pub(super) fn sources_at(&mut self, at_s: f64) {
        for Emf { series, frequency_hz, share, phasor_v, .. } in &self.sources {
            let turns = at_s * frequency_hz;
            let (sin, cos) = libm::sincos(TAU * (turns - turns.floor()));
            let size = SQRT_2 * share;
            let wave = |phasor: Complex64| size * (phasor.re * sin + phasor.im * cos);
            self.series[*series].emf_v = phasor_v.map(wave);
        }
    }

    /// What elements bring along from the past, on the right side.
    pub(super) fn gather(&mut self, rule: Rule) {
        let right = &mut self.right;
        right.clear();
        right.resize(self.voltage_v.len(), [0.0; N]);
        for it in &mut self.series {
            it.history_a = match rule {
                Rule::Trapezoidal => {
                    let kept = apply(&it.memory, &it.current_a);
                    std::array::from_fn(|k| it.driven_a[k] + kept[k])
                }
                Rule::Damped => apply(&it.damped, &it.current_a),
            };
            let to = &mut right[it.to as usize];
            if it.from == NONE {
                let driven = apply(&it.conductance, &it.emf_v);
                for k in 0..N {
                    to[k] += it.history_a[k] + driven[k];
                }
                continue;
            }
            for k in 0..N {
                to[k] += it.history_a[k];
            }
            let from = &mut right[it.from as usize];
            for k in 0..N {
                from[k] -= it.history_a[k];
            }
        }
        for it in &mut self.capacitors {
            let charged = apply(&it.conductance, &self.voltage_v[it.node as usize]);
            it.history_a = match rule {
                Rule::Trapezoidal => std::array::from_fn(|k| -charged[k] - it.current_a[k]),
                Rule::Damped => charged.map(|it| -it),
            };
            for (right, history) in right[it.node as usize].iter_mut().zip(it.history_a) {
                *right -= history;
            }
        }
        for it in &mut self.coils {
            it.history_a = match rule {
                Rule::Trapezoidal => it.driven_a + it.memory * it.current_a,
                Rule::Damped => it.damped * it.current_a,
            };
            it.taps.inject(right, it.history_a);
        }
        for it in &mut self.bends {
            let taps = &self.conductances[it.conductance].taps;
            taps.inject(right, it.history_a(rule, taps.across(&self.voltage_v)));
        }
    }

    /// Currents by the voltages that were solved.
    pub(super) fn take_voltages(&mut self) {
        let voltage_v = &self.voltage_v;
        for it in &mut self.series {
            it.driven_a = apply(&it.conductance, &it.across(voltage_v));
            it.current_a = std::array::from_fn(|k| it.driven_a[k] + it.history_a[k]);
        }
        for it in &mut self.capacitors {
            let charged = apply(&it.conductance, &voltage_v[it.node as usize]);
            it.current_a = std::array::from_fn(|k| charged[k] + it.history_a[k]);
        }
        for it in &mut self.coils {
            it.driven_a = it.conductance * it.taps.across(voltage_v);
            it.current_a = it.driven_a + it.history_a;
        }
        for it in &mut self.bends {
            let own = &self.conductances[it.conductance];
            it.take(own.taps.across(voltage_v), own);
        }
    }
}
