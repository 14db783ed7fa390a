//! What is played of a network.

use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::{SQRT_2, TAU};

use num_complex::Complex64;
use thiserror::Error;

use super::Transient;
use super::elements::{Capacitor, Coil, Conductance, Emf, Series, Taps};
use super::nonlinear::{Bend, Saturation};
use super::switching::{PoleAt, Switching};
use crate::block::{Block, add_to, inverse_on, product, zero};
use crate::block_lu::{LowRankUpdate, Matrix, Symbolic};
use crate::circuit::{
    SWITCH_OHM, coil_volts, coils, line_model, parts_between, positive_sequence, shunt_admittance,
};
use crate::flow::Flow;
use crate::network::{
    Fault, Line, Load, Magnetising, Network, Neutral, Source, Transformer, WindingKind, Wire,
};
use crate::topology::NONE;

/// What keeps a side without any earth to a definite potential, siemens at each wire.
const LEAKAGE_S: f64 = 1e-9;

/// How loads are played: as what draws at the voltages of the beginning what the load draws there.
/// A part that takes active and inductive power is a resistance and an inductance in series, so
/// that no direct current stays in it; any other one is a conductance beside an inductance or a
/// capacitance.
#[derive(Clone, Copy, Debug)]
pub enum Loads<'a> {
    /// None.
    None,
    /// At rated voltage.
    Rated,
    /// At the voltages of a power flow of the same network.
    AsFlow(&'a Flow),
}

/// How a network is played.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The length of a step, seconds.
    pub step_s: f64,
    /// What loads are.
    pub loads: Loads<'a>,
    /// Transformers whose iron saturates; all others stay linear.
    pub saturations: &'a [Saturation],
}

/// Why a network cannot be played.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum TransientError {
    /// A step that is none.
    #[error("a step of {0} s: expected one between 0 and a tenth of a period")]
    Step(f64),
    /// An element that cannot be played.
    #[error("{0}")]
    Element(Fault),
    /// A neutral wire among three wires.
    #[error("node `{0}` has a neutral wire: expected the transient of four wires")]
    Neutral(Box<str>),
    /// The matrix cannot be inverted there.
    #[error("the network has no solution at node `{0}`")]
    Singular(Box<str>),
    /// An action about something that is not there.
    #[error("there is no {what} {place}: the network has {count}, counted from 0")]
    Place {
        /// What kind of element.
        what: &'static str,
        /// Which was meant.
        place: usize,
        /// How many there are.
        count: usize,
    },
    /// A figure that an action cannot have.
    #[error("{what} of {found}: expected {expected}")]
    Figure {
        /// Of what.
        what: &'static str,
        /// What was given.
        found: f64,
        /// What is possible.
        expected: &'static str,
    },
}

/// Which element is where.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) nodes: Vec<Box<str>>,
    /// Of each line its series branch.
    pub(super) line: Vec<Option<usize>>,
    pub(super) load: Vec<[Option<LoadPart>; 3]>,
}

/// What a part of a load is played by.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoadPart {
    pub(super) taps: Taps,
    pub(super) coil: Option<usize>,
    pub(super) conductance: Option<usize>,
    /// It stands among those of its node.
    pub(super) farad: f64,
}

impl Names {
    pub(super) fn of_node(&self, node: u32) -> Box<str> {
        let star_point = || "the neutral point of a transformer".into();
        self.nodes.get(node as usize).cloned().unwrap_or_else(star_point)
    }
}

/// What is gathered before the matrix can be made.
struct Elements<const N: usize> {
    omega: f64,
    step_s: f64,
    nodes: usize,
    series: Vec<Series<N>>,
    farad: BTreeMap<u32, Block<N, f64>>,
    coils: Vec<Coil>,
    conductances: Vec<Conductance>,
    sources: Vec<Emf<N>>,
    bends: Vec<Bend>,
}

pub(super) fn compile<const N: usize>(
    network: &Network,
    options: &Options<'_>,
) -> Result<Transient<N>, TransientError> {
    let step_s = options.step_s;
    if !(step_s > 0.0 && step_s <= 0.1 / network.frequency_hz) {
        return Err(TransientError::Step(step_s));
    }
    if N < 4
        && let Some(node) = network.nodes.iter().find(|it| it.wires.contains(Wire::Neutral))
    {
        return Err(TransientError::Neutral(node.name.clone()));
    }
    let mut gathered = Elements::<N> {
        omega: TAU * network.frequency_hz,
        step_s,
        nodes: network.nodes.len(),
        series: Vec::new(),
        farad: BTreeMap::new(),
        coils: Vec::new(),
        conductances: Vec::new(),
        sources: Vec::new(),
        bends: Vec::new(),
    };
    let mut names = Names {
        nodes: network.nodes.iter().map(|node| node.name.clone()).collect(),
        ..Names::default()
    };
    for line in &network.lines {
        names.line.push(gathered.line(line)?);
    }
    for it in options.saturations {
        it.check(network.transformers.len())?;
    }
    for (place, transformer) in network.transformers.iter().enumerate() {
        let mut own = options.saturations.iter().filter(|it| it.transformer == place);
        let saturation = own.next();
        if own.next().is_some() {
            let what = "it has two saturations: expected one at most";
            let fault = Fault::new("transformer", &transformer.name, transformer.place, what);
            return Err(TransientError::Element(fault));
        }
        gathered.transformer(transformer, saturation)?;
    }
    for (place, source) in network.sources.iter().enumerate().filter(|(_, it)| it.connected) {
        gathered.source(network, place, source)?;
    }
    for shunt in network.shunts.iter().filter(|it| it.connected) {
        let admittance = shunt_admittance(shunt).map_err(TransientError::Element)?;
        gathered.shunt(shunt.connection.node.0, &admittance);
    }
    for (place, load) in network.loads.iter().enumerate() {
        let parts =
            if load.connected { gathered.load((place, load), options.loads)? } else { [None; 3] };
        names.load.push(parts);
    }
    let mut switching = Switching::default();
    for switch in &network.switches {
        let first = gathered.conductances.len();
        let wires = switch.from.wires.as_slice().iter().zip(switch.to.wires.as_slice());
        for (from, to) in wires {
            let taps = Taps::between(
                (switch.from.node.0, from.index()),
                Some((switch.to.node.0, to.index())),
            );
            let own = Conductance::switched(taps, 1.0 / SWITCH_OHM, switch.closed);
            gathered.conductances.push(own);
        }
        switching.poles.push(PoleAt { first, count: gathered.conductances.len() - first });
    }
    gathered.leak(network);
    Ok(gathered.made(names, switching))
}

fn real<const N: usize>(block: &Block<N>, of: impl Fn(Complex64) -> f64) -> Block<N, f64> {
    std::array::from_fn(|i| std::array::from_fn(|j| of(block[i][j])))
}

/// Rows and columns of conductors, put where their wires are.
fn placed<const N: usize>(conductors: &Block<4>, wires: &[Wire]) -> Block<N> {
    let mut block = zero();
    for (i, row) in wires.iter().enumerate() {
        for (j, column) in wires.iter().enumerate() {
            block[row.index()][column.index()] = conductors[i][j];
        }
    }
    block
}

impl<const N: usize> Elements<N> {
    /// A series branch of an impedance at rated frequency.
    fn series(
        &mut self,
        (from, to): (u32, u32),
        impedance: &Block<N>,
        wires: &[Wire],
    ) -> Option<usize> {
        let resistance_ohm = real(impedance, |z| z.re);
        let omega = self.omega;
        let inductance_h = real(impedance, |z| z.im / omega);
        let twice = inductance_h.map(|row| row.map(|l| 2.0 * l / self.step_s));
        let mut sum = resistance_ohm;
        add_to(&mut sum, &twice);
        let conductance = inverse_on(&sum, |wire| wires.iter().any(|it| it.index() == wire))?;
        let damped = product(&conductance, &twice);
        let mut memory = damped;
        let lost = product(&conductance, &resistance_ohm);
        for (memory, lost) in memory.as_flattened_mut().iter_mut().zip(lost.as_flattened()) {
            *memory -= lost;
        }
        self.series.push(Series {
            from,
            to,
            pair: 0,
            resistance_ohm,
            inductance_h,
            conductance,
            memory,
            damped,
            emf_v: [0.0; N],
            current_a: [0.0; N],
            driven_a: [0.0; N],
            history_a: [0.0; N],
        });
        Some(self.series.len() - 1)
    }

    fn coil(&mut self, taps: Taps, impedance_ohm: Complex64) {
        let (resistance_ohm, inductance_h) = (impedance_ohm.re, impedance_ohm.im / self.omega);
        let twice = 2.0 * inductance_h / self.step_s;
        let conductance = 1.0 / (resistance_ohm + twice);
        self.coils.push(Coil {
            taps,
            resistance_ohm,
            inductance_h,
            conductance,
            memory: conductance * (twice - resistance_ohm),
            damped: conductance * twice,
            current_a: 0.0,
            driven_a: 0.0,
            history_a: 0.0,
        });
    }

    /// An admittance at rated frequency between two places: a conductance, beside it an inductance
    /// or a capacitance. Capacitances are joined by node.
    fn admittance(
        &mut self,
        taps: Taps,
        (node, wire, against): (u32, usize, Option<usize>),
        y: Complex64,
    ) {
        if y.re != 0.0 {
            self.conductances.push(Conductance::fixed(taps, y.re));
        }
        if y.im < 0.0 {
            self.coil(taps, Complex64::new(0.0, -1.0 / y.im));
        } else if y.im > 0.0 {
            let farad = y.im / self.omega;
            let block = self.farad.entry(node).or_insert_with(zero);
            block[wire][wire] += farad;
            if let Some(against) = against {
                block[against][against] += farad;
                block[wire][against] -= farad;
                block[against][wire] -= farad;
            }
        }
    }

    fn line(&mut self, line: &Line) -> Result<Option<usize>, TransientError> {
        let fault =
            |what: &str| TransientError::Element(Fault::new("line", &line.name, line.place, what));
        if !(line.from_closed && line.to_closed) {
            if line.from_closed == line.to_closed {
                return Ok(None);
            }
            return Err(fault(
                "it is open at one end, which transients do not play: open both ends",
            ));
        }
        let wires = line.from.wires.as_slice();
        if wires != line.to.wires.as_slice() {
            return Err(fault("its conductors change places, which transients do not play"));
        }
        let model = line_model(line);
        let (from, to) = (line.from.node.0, line.to.node.0);
        for node in [from, to] {
            self.shunt::<4>(node, &placed(&model.half_shunt, wires));
        }
        let series = self.series((from, to), &placed(&model.series, wires), wires);
        series.map(Some).ok_or_else(|| fault("its impedance has no inverse"))
    }

    /// A constant admittance to earth and between the wires of a node, at rated frequency.
    fn shunt<const M: usize>(&mut self, node: u32, admittance: &Block<M>) {
        let mut admittance = *admittance;
        if (0..M).all(|wire| admittance[wire][wire].im >= 0.0) {
            // As a whole: between wires there may be less than nothing.
            let farad = self.farad.entry(node).or_insert_with(zero);
            for row in 0..M.min(N) {
                for column in 0..M.min(N) {
                    farad[row][column] += admittance[row][column].im / self.omega;
                    admittance[row][column].im = 0.0;
                }
            }
        }
        for row in 0..M.min(N) {
            for column in row + 1..M.min(N) {
                let y = -admittance[row][column];
                let taps = Taps::between((node, row), Some((node, column)));
                self.admittance(taps, (node, row, Some(column)), y);
            }
            let to_earth: Complex64 = admittance[row].iter().sum();
            self.admittance(Taps::between((node, row), None), (node, row, None), to_earth);
        }
    }

    fn source(
        &mut self,
        network: &Network,
        place: usize,
        source: &Source,
    ) -> Result<(), TransientError> {
        let (z1, z0) = (source.z1_ohm, source.z0_ohm);
        let own = (z0 + z1 * 2.0) / 3.0;
        let mutual = (z0 - z1) / 3.0;
        let mut impedance = zero();
        for row in 0..3 {
            for column in 0..3 {
                impedance[row][column] = if row == column { own } else { mutual };
            }
            if z1 == Complex64::ZERO {
                // An ideal voltage is as stiff as a closed switch.
                impedance[row][row] += SWITCH_OHM;
            }
        }
        let node = source.node.0;
        let series = self.series((NONE, node), &impedance, &Wire::PHASES).ok_or_else(|| {
            let what = "its impedance has no inverse";
            TransientError::Element(Fault::new("source", &source.name, source.place, what))
        })?;
        if N == 4 && network.nodes[source.node.index()].wires.contains(Wire::Neutral) {
            self.earth(node, 3);
        }
        let turned = Complex64::from_polar(source.voltage_v / 3.0_f64.sqrt(), source.angle_rad);
        let phases = positive_sequence();
        let phasor_v =
            std::array::from_fn(|k| phases.get(k).map_or(Complex64::ZERO, |it| it * turned));
        let frequency_hz = network.frequency_hz;
        let (share, described_v) = (1.0, phasor_v);
        self.sources.push(Emf {
            source: place,
            series,
            frequency_hz,
            share,
            described_v,
            phasor_v,
        });
        Ok(())
    }

    /// Earths a wire solidly.
    fn earth(&mut self, node: u32, wire: usize) {
        let taps = Taps::between((node, wire), None);
        self.conductances.push(Conductance::fixed(taps, 1.0 / SWITCH_OHM));
    }

    fn load(
        &mut self,
        (place, load): (usize, &Load),
        loads: Loads<'_>,
    ) -> Result<[Option<LoadPart>; 3], TransientError> {
        let mut parts = [None; 3];
        let node = load.connection.node.0;
        let Some(between) = parts_between(&load.connection, load.configuration) else {
            let what = "its neutral point is isolated, which transients do not play";
            let fault = Fault::new("load", &load.name, load.place, what);
            return Err(TransientError::Element(fault));
        };
        let rated = load.rated_voltage_v * load.rated_voltage_v;
        for (part, &(wire, against)) in between.as_slice().iter().take(load.parts()).enumerate() {
            let at_rated = || load.power_va[part].conj() / rated;
            let y = match loads {
                Loads::None => return Ok(parts),
                Loads::Rated => at_rated(),
                Loads::AsFlow(flow) => {
                    let of = |wire: Wire| {
                        let state = flow.nodes.get(node as usize);
                        state.map_or(Complex64::ZERO, |it| it.voltage_v[wire.index()])
                    };
                    let across = of(wire) - against.map_or(Complex64::ZERO, of);
                    let drawn =
                        flow.loads.get(place).map_or(Complex64::ZERO, |it| it.power_va[part]);
                    // What is dark begins as at rated voltage.
                    if across == Complex64::ZERO {
                        at_rated()
                    } else {
                        drawn.conj() / across.norm_sqr()
                    }
                }
            };
            let (wire, against) = (wire.index(), against.map(Wire::index));
            let taps = Taps::between((node, wire), against.map(|it| (node, it)));
            let (coils, conductances) = (self.coils.len(), self.conductances.len());
            if y.re > 0.0 && y.im < 0.0 {
                self.coil(taps, Complex64::ONE / y);
            } else {
                self.admittance(taps, (node, wire, against), y);
            }
            parts[part] = Some(LoadPart {
                taps,
                coil: (self.coils.len() > coils).then_some(coils),
                conductance: (self.conductances.len() > conductances).then_some(conductances),
                farad: (y.im / self.omega).max(0.0),
            });
        }
        Ok(parts)
    }

    fn transformer(
        &mut self,
        it: &Transformer,
        saturation: Option<&Saturation>,
    ) -> Result<(), TransientError> {
        let fault = |what: &str| {
            TransientError::Element(Fault::new("transformer", &it.name, it.place, what))
        };
        if it.windings.len() != 2 {
            return Err(fault("it has three windings, which transients do not play"));
        }
        let phases = if it.windings[0].connection.wires.as_slice().len() == 3 { 3 } else { 1 };
        let limbs: Vec<_> = (0..2)
            .map(|winding| coils(it, winding, phases))
            .collect::<Result<_, _>>()
            .map_err(|what| fault(&what))?;
        let volts = [0, 1].map(|winding| coil_volts(it, winding, phases));
        let star = [0, 1].map(|winding| self.star_point(it, winding));
        let terminal = |at: usize, own: &[Option<u32>; 2]| match at {
            0..8 => Some((it.windings[at / 4].connection.node.0, at % 4)),
            _ => own[at - 12].map(|node| (node, 0)),
        };
        let base_va = it.rated_power_va / phases as f64;
        let leakage_ohm = it.short_circuit_pu[0] * (volts[0] * volts[0] / base_va);
        let ratio = volts[0] / volts[1];
        let (y_pu, shares) = match it.magnetising {
            Magnetising::BySequence { y1_pu, .. } => (y1_pu, [0.5, 0.5]),
            Magnetising::AtWinding { winding: 0, y_pu, .. } => (y_pu, [1.0, 0.0]),
            Magnetising::AtWinding { y_pu, .. } => (y_pu, [0.0, 1.0]),
        };
        if let Some(saturation) = saturation {
            saturation.check_beside(-y_pu.im)?;
        }
        for limb in 0..phases {
            let mut both = Taps::default();
            for (winding, turns) in [1.0, -ratio].into_iter().enumerate() {
                let (plus, minus) = limbs[winding][limb];
                let mut own = Taps::default();
                for (at, sign) in [(plus, 1.0), (minus, -1.0)] {
                    let Some((node, wire)) = terminal(at, &star) else { continue };
                    own.add(node, wire, sign);
                    both.add(node, wire, sign * turns);
                }
                if it.closed[winding] {
                    let of_share = shares[winding] * base_va / (volts[winding] * volts[winding]);
                    self.magnetising(own, y_pu * of_share);
                    if let Some(saturation) = saturation.filter(|_| shares[winding] > 0.0) {
                        let more_pu = 1.0 / saturation.air_core_reactance_pu + y_pu.im.min(0.0);
                        let slope = self.omega * of_share * more_pu;
                        self.core(own, (saturation, limb), volts[winding], slope);
                    }
                }
            }
            if it.closed.iter().all(|closed| *closed) {
                self.coil(both, leakage_ohm);
            }
        }
        Ok(())
    }

    /// A magnetising branch: losses beside an inductance.
    fn magnetising(&mut self, taps: Taps, y: Complex64) {
        if y.re > 0.0 {
            self.conductances.push(Conductance::fixed(taps, y.re));
        }
        if y.im < 0.0 {
            self.coil(taps, Complex64::new(0.0, -1.0 / y.im));
        }
    }

    /// What a core draws more beyond its knee: `slope` amperes by volt second.
    fn core(&mut self, taps: Taps, (it, limb): (&Saturation, usize), rated_v: f64, slope: f64) {
        let rated_vs = SQRT_2 * rated_v / self.omega;
        let of = (it.transformer, limb, rated_vs);
        let flux_vs = (it.knee_pu * rated_vs, it.residual_flux_pu[limb] * rated_vs);
        let bend = Bend::core(self.conductances.len(), of, (slope, self.step_s), flux_vs);
        let own = Conductance::switched(taps, slope * self.step_s / 2.0, false);
        self.conductances.push(own.bent(self.bends.len()));
        self.bends.push(bend);
    }

    /// The node of a winding's star point, if that has a potential of its own.
    fn star_point(&mut self, it: &Transformer, winding: usize) -> Option<u32> {
        let node = it.windings[winding].connection.node.0;
        match it.windings[winding].kind {
            WindingKind::Star(Neutral::Earthed(through)) if through == Complex64::ZERO => None,
            WindingKind::Star(Neutral::Earthed(through)) => {
                let own = self.extra_node();
                self.coil(Taps::between((own, 0), None), through);
                Some(own)
            }
            WindingKind::Star(Neutral::Isolated) => Some(self.extra_node()),
            WindingKind::Star(Neutral::EarthedWire) => {
                self.earth(node, 3);
                None
            }
            WindingKind::Star(Neutral::WireThrough(through)) => {
                self.coil(Taps::between((node, 3), None), through);
                None
            }
            WindingKind::Star(Neutral::Wire) | WindingKind::Delta | WindingKind::Zigzag(_) => None,
        }
    }

    fn extra_node(&mut self) -> u32 {
        self.nodes += 1;
        (self.nodes - 1) as u32
    }

    /// A little to earth everywhere, and ones where there is no wire.
    fn leak(&mut self, network: &Network) {
        for node in 0..self.nodes as u32 {
            for wire in 0..N {
                let described = network.nodes.get(node as usize);
                let has = described.map_or(wire == 0, |it| it.wires.contains(Wire::ALL[wire]));
                let taps = Taps::between((node, wire), None);
                let siemens = if has { LEAKAGE_S } else { 1.0 };
                self.conductances.push(Conductance::fixed(taps, siemens));
            }
        }
    }

    /// The nodes that elements join, in twos, in order.
    fn pairs(&self) -> Vec<(u32, u32)> {
        let series = self.series.iter().map(|it| (it.from, it.to));
        let taps = self.coils.iter().map(|it| &it.taps);
        let taps = taps.chain(self.conductances.iter().map(|it| &it.taps));
        let joined = series.chain(taps.flat_map(Taps::pairs));
        let two = joined.filter(|(a, b)| a != b && *a != NONE);
        let pairs: BTreeSet<(u32, u32)> = two.map(|(a, b)| (a.min(b), a.max(b))).collect();
        pairs.into_iter().collect()
    }

    /// The matrix of everything that is never switched.
    fn fixed(&self, symbolic: &Symbolic, capacitors: &[Capacitor<N>]) -> Matrix<N, f64> {
        let mut fixed = Matrix::new(symbolic);
        for it in &self.series {
            it.stamp(&mut fixed, symbolic, &it.conductance);
        }
        for it in capacitors {
            add_to(fixed.diagonal_mut(symbolic, it.node), &it.conductance);
        }
        for it in &self.coils {
            it.taps.stamp(&mut fixed, symbolic, it.conductance, |_| true);
        }
        for it in self.conductances.iter().filter(|it| !it.is_switched) {
            it.taps.stamp(&mut fixed, symbolic, it.siemens, |_| true);
        }
        fixed
    }

    fn made(mut self, names: Names, switching: Switching) -> Transient<N> {
        let pairs = self.pairs();
        let symbolic = Symbolic::for_many_solutions(self.nodes, &pairs);
        for it in self.series.iter_mut().filter(|it| it.from != NONE) {
            let pair = (it.from.min(it.to), it.from.max(it.to));
            it.pair = pairs.binary_search(&pair).unwrap_or_default();
        }
        let capacitors: Vec<Capacitor<N>> = std::mem::take(&mut self.farad)
            .into_iter()
            .map(|(node, farad)| Capacitor {
                node,
                farad,
                conductance: farad.map(|row| row.map(|it| 2.0 * it / self.step_s)),
                current_a: [0.0; N],
                history_a: [0.0; N],
            })
            .collect();
        let fixed = self.fixed(&symbolic, &capacitors);
        let each = self.conductances.iter().enumerate();
        let switched = each.filter(|(_, it)| it.is_switched).map(|(at, _)| at).collect();
        Transient {
            step_s: self.step_s,
            time_s: 0.0,
            matrix: fixed.clone(),
            update: LowRankUpdate::default(),
            unfactored: Vec::new(),
            fixed,
            voltage_v: vec![[0.0; N]; self.nodes],
            right: Vec::new(),
            work: Vec::new(),
            series: self.series,
            capacitors,
            coils: self.coils,
            conductances: self.conductances,
            switched,
            sources: self.sources,
            bends: self.bends,
            is_unsettled: false,
            switching,
            spare: None,
            names,
            #[cfg(test)]
            energy: None,
            factored: 0,
            switchings: 0,
            damped_steps: 1,
            contributors: symbolic.contributors(),
            symbolic,
        }
    }
}
