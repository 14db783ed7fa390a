//! Electromagnetic transients: what flows instant by instant while a network is switched and
//! faulted.
//!
//! Each element is a conductance and a current that its past gives (a companion model by the
//! trapezoidal rule: Dommel, Digital Computer Solution of Electromagnetic Transients in Single- and
//! Multiphase Networks, IEEE Trans. PAS-88, 1969), so a step of fixed length is one solution of a
//! real nodal matrix that is factored once for a state of the switches. Blocks of the wires of a
//! node are eliminated along the network's tree, in time linear in its nodes where it has no loops.
//!
//! A switching happens at its instant within a step, between which and the instant before currents
//! go straight. After it two half steps by the backward Euler rule (critical damping adjustment:
//! Marti and Lin, Suppression of Numerical Oscillations in the EMTP, IEEE Trans. PWRS-4, 1989) have
//! the same matrix, and leave no oscillation behind where a current was cut off. What else is
//! ordered within these two half steps happens at their end. The raster of the steps begins again
//! there, so nothing is interpolated on the way; only what is shown at instants between is.
//!
//! Voltages are those of each wire to earth, currents go into an element's end `from`; a phasor's
//! wave is `sqrt(2) |V| sin(2 pi f t + angle)`.
//!
//! ```text
//! compile, elements       what is played, as conductances and currents of the past
//! nonlinear, switching    iron and arcs; switches and faults on the way
//! steady, phasors         the state at the beginning, and what flows in it
//! ```

mod compile;
mod elements;
mod nonlinear;
mod phasors;
mod steady;
mod switching;
#[cfg(test)]
mod tests;

pub use compile::{Loads, Options, TransientError};
pub use nonlinear::{Arc, Saturation};
pub use phasors::Phasors;
pub use switching::{Action, CurrentPiece, FaultKind, Place, Pole};

use crate::block::Column;
use crate::block_lu::{Contributors, LowRankUpdate, Matrix, Symbolic, UPDATES_MAX};
use crate::network::{Network, NodeId, Wire};
use elements::{Capacitor, Coil, Conductance, Emf, Series};

/// A network that is played instant by instant; `N` is 3, or 4 with a neutral wire.
#[derive(Clone, Debug)]
pub struct Transient<const N: usize> {
    /// Seconds.
    step_s: f64,
    time_s: f64,
    symbolic: Symbolic,
    contributors: Contributors,
    /// Of everything that is not switched.
    fixed: Matrix<N, f64>,
    /// Factored, as the switches stood.
    matrix: Matrix<N, f64>,
    /// What was switched since, where that is little.
    update: LowRankUpdate<N>,
    /// The conductances of it.
    unfactored: Vec<usize>,
    voltage_v: Vec<Column<N, f64>>,
    right: Vec<Column<N, f64>>,
    work: Vec<Column<N, f64>>,
    series: Vec<Series<N>>,
    capacitors: Vec<Capacitor<N>>,
    coils: Vec<Coil>,
    conductances: Vec<Conductance>,
    /// Those of them that are switched.
    switched: Vec<usize>,
    sources: Vec<Emf<N>>,
    bends: Vec<nonlinear::Bend>,
    /// Whether the next step is damped, as a branch bent late in the last one.
    is_unsettled: bool,
    switching: switching::Switching,
    /// Room for the next snapshot.
    spare: Option<switching::Snapshot<N>>,
    names: compile::Names,
    /// Counted where a test asks for it.
    #[cfg(test)]
    energy: Option<tests::energy::Energy>,
    /// How often the matrix was factored since the beginning.
    factored: u64,
    /// How often something that was ordered happened.
    switchings: u64,
    /// For so many steps the damping after a switching lasts.
    damped_steps: u8,
}

/// By which rule a step goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Trapezoidal,
    /// Backward Euler over half a step, which has the same conductances.
    Damped,
}

impl<const N: usize> Transient<N> {
    /// A network in its steady state at the instant 0, switches as they are declared.
    ///
    /// # Errors
    /// If the network has an element that cannot be played, or no solution.
    pub fn new(network: &Network, options: &Options<'_>) -> Result<Self, TransientError> {
        let mut transient = compile::compile(network, options)?;
        transient.refactor()?;
        transient.begin(0.0)?;
        Ok(transient)
    }

    /// The instant that everything shown holds for, seconds.
    #[must_use]
    pub const fn time_s(&self) -> f64 {
        self.time_s
    }

    /// How often the matrix was factored: once at the beginning, and for each switching.
    #[must_use]
    pub const fn factored(&self) -> u64 {
        self.factored
    }

    /// How often something that was ordered has happened: not what arcs and cores do by themselves.
    #[must_use]
    pub const fn switchings(&self) -> u64 {
        self.switchings
    }

    /// The voltage of a wire of a node to earth, volts; zero for one that it does not have.
    #[must_use]
    pub fn voltage_v(&self, node: NodeId, wire: Wire) -> f64 {
        let column = self.voltage_v.get(node.index());
        column.and_then(|column| column.get(wire.index())).copied().unwrap_or(0.0)
    }

    /// The current into the end `from` of a line's series branch at a wire, amperes: without the
    /// charging that stands at the end.
    #[must_use]
    pub fn line_current_a(&self, line: usize, wire: Wire) -> f64 {
        let place = self.names.line.get(line).copied().flatten();
        let column = place.and_then(|place| self.series.get(place)).map(|it| it.current_a);
        column.and_then(|column| column.get(wire.index()).copied()).unwrap_or(0.0)
    }

    /// The current that a source delivers at a wire, amperes.
    #[must_use]
    pub fn source_current_a(&self, source: usize, wire: Wire) -> f64 {
        let own = self.sources.iter().find(|it| it.source == source);
        let column = own.and_then(|it| self.series.get(it.series)).map(|it| it.current_a);
        column.and_then(|column| column.get(wire.index()).copied()).unwrap_or(0.0)
    }

    /// Damps for so many steps after each switching, one unless set. What swings faster than steps
    /// can follow, as short cables do with their supply, loses all but a fortieth in each; what is
    /// slow loses digits: at 50 us and 50 Hz some 1e-4 of a changing current in four.
    pub fn damp_for(&mut self, steps: u8) {
        self.damped_steps = steps.max(1);
    }

    /// Goes on by a step, or to the end of a switching in it.
    ///
    /// # Errors
    /// If a switching leaves a network without a solution.
    pub fn advance(&mut self) -> Result<(), TransientError> {
        #[cfg(test)]
        self.settle_energy();
        self.switching.way.clear();
        let until_s = self.time_s + self.step_s;
        if self.is_watched(until_s) {
            return self.advance_with_switching(until_s);
        }
        self.step(until_s)
    }

    /// One solution by a rule, up to an instant.
    fn go(&mut self, rule: Rule, until_s: f64) {
        self.go_with_sources_of(rule, until_s, until_s);
    }

    /// The same with the sources of an instant.
    fn go_with_sources_of(&mut self, rule: Rule, until_s: f64, sources_s: f64) {
        #[cfg(test)]
        let before = self.flows_now();
        self.sources_at(sources_s);
        self.gather(rule);
        let Self { matrix, symbolic, update, right, work, .. } = self;
        matrix.solve_with(symbolic, update, right, work);
        std::mem::swap(&mut self.voltage_v, &mut self.right);
        self.take_voltages();
        self.time_s = until_s;
        #[cfg(test)]
        self.book(before.as_ref(), rule);
    }

    /// Factors the matrix for the switches as they stand.
    fn refactor(&mut self) -> Result<(), TransientError> {
        self.matrix.clone_from(&self.fixed);
        self.update.forget();
        self.unfactored.clear();
        for &at in &self.switched {
            let it = &mut self.conductances[at];
            it.factored_siemens = it.present_siemens();
            if it.is_closed {
                it.taps.stamp(&mut self.matrix, &self.symbolic, it.siemens, |_| true);
            }
        }
        self.factored += 1;
        let factored = self.matrix.factor(&self.symbolic);
        factored.map_err(|it| TransientError::Singular(self.names.of_node(it.0)))
    }

    /// The same where only these conductances have changed since. Few that were added at one place
    /// are kept beside the factors; else what depends on them is factored again.
    fn refactor_changed(&mut self, changed: &[usize]) -> Result<(), TransientError> {
        self.factored += 1;
        for at in changed {
            if !self.unfactored.contains(at) {
                self.unfactored.push(*at);
            }
        }
        self.unfactored.retain(|at| self.conductances[*at].lacking_siemens() != 0.0);
        if self.keep_as_update()? {
            return Ok(());
        }
        self.update.restore(&self.symbolic, &mut self.matrix);
        self.update.forget();
        let nodes = self.unfactored.iter().flat_map(|at| self.conductances[*at].taps.nodes());
        let rows = self.symbolic.rows_above(nodes);
        let factored = self.factor_rows(&rows);
        for &at in &self.unfactored {
            let it = &mut self.conductances[at];
            // What could not be factored is not known.
            it.factored_siemens = if factored.is_ok() { it.present_siemens() } else { f64::NAN };
        }
        if factored.is_ok() {
            self.unfactored.clear();
        }
        factored
    }

    /// Whether what the factors lack could be kept beside them.
    fn keep_as_update(&mut self) -> Result<bool, TransientError> {
        let lacking = self.unfactored.iter().map(|at| &self.conductances[*at]);
        let lowest =
            |taps: &elements::Taps| taps.nodes().map(|node| self.symbolic.holder(node, node)).min();
        let Some(row) = lacking.clone().map(|it| lowest(&it.taps)).next() else {
            self.update.restore(&self.symbolic, &mut self.matrix);
            return Ok(true);
        };
        let is_possible = |it: &Conductance| {
            let siemens = it.lacking_siemens();
            siemens > 0.0 && siemens.is_finite() && lowest(&it.taps) == row
        };
        let Some(row) =
            row.filter(|_| lacking.len() <= UPDATES_MAX && lacking.clone().all(is_possible))
        else {
            return Ok(false);
        };
        if self.update.row() != Some(row) {
            self.update.restore(&self.symbolic, &mut self.matrix);
            self.update.begin(&self.symbolic, &self.matrix, row);
        }
        let all = lacking.map(|it| (it.taps.as_slice(), it.lacking_siemens()));
        if !self.update.keep(&self.symbolic, &self.matrix, all) {
            return Ok(false);
        }
        self.factor_rows(&[row])?;
        Ok(true)
    }

    /// Factors rows as the switches stand.
    fn factor_rows(&mut self, rows: &[u32]) -> Result<(), TransientError> {
        self.matrix.reload(&self.symbolic, &self.fixed, rows);
        let is_touched = |holder: u32| rows.binary_search(&holder).is_ok();
        let switched = self.switched.iter().map(|at| &self.conductances[*at]);
        for it in switched.filter(|it| it.is_closed) {
            it.taps.stamp(&mut self.matrix, &self.symbolic, it.siemens, is_touched);
        }
        let factored = self.matrix.factor_rows(&self.symbolic, &self.contributors, rows);
        factored.map_err(|it| TransientError::Singular(self.names.of_node(it.0)))
    }
}
