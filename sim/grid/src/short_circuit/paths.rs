//! Faults as paths for currents: between wires, or from wires to earth.

use std::fmt;
use std::str::FromStr;

use num_complex::Complex64;

use super::dense;
use super::place::{PlacedFaults, Short, wrong};
use crate::block::{Block, Column, apply};
use crate::circuit::{Circuit, positive_sequence};
use crate::flow::Nodal;
use crate::network::{self, Wire, Wires};
use crate::topology::NONE;

/// What is connected with what, or broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The three phases and earth, each through an impedance of its own.
    ThreePhase,
    /// One wire and earth.
    SinglePhaseToGround(Wire),
    /// Two wires; a phase and the neutral are two.
    TwoPhase(Wire, Wire),
    /// Two wires with each other, and through the impedance with earth.
    TwoPhaseToGround(Wire, Wire),
    /// Conductors that are broken, by their wires at the line's end `from`.
    OpenConductors(Wires),
}

impl Kind {
    /// All short circuits between phases and earth: of three phases, one, two, and two to earth.
    pub const SHORT: [Self; 10] = [
        Self::ThreePhase,
        Self::SinglePhaseToGround(Wire::A),
        Self::SinglePhaseToGround(Wire::B),
        Self::SinglePhaseToGround(Wire::C),
        Self::TwoPhase(Wire::A, Wire::B),
        Self::TwoPhase(Wire::B, Wire::C),
        Self::TwoPhase(Wire::A, Wire::C),
        Self::TwoPhaseToGround(Wire::A, Wire::B),
        Self::TwoPhaseToGround(Wire::B, Wire::C),
        Self::TwoPhaseToGround(Wire::A, Wire::C),
    ];
}

/// As it is written: the wires that are connected (`abc`, `ab`), a `g` if earth is one of them
/// (`ag`, `abg`), `open-` before wires that are broken (`open-a`).
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ThreePhase => f.write_str("abc"),
            Self::SinglePhaseToGround(wire) => write!(f, "{wire}g"),
            Self::TwoPhase(one, other) => write!(f, "{one}{other}"),
            Self::TwoPhaseToGround(one, other) => write!(f, "{one}{other}g"),
            Self::OpenConductors(wires) => {
                f.write_str("open-")?;
                wires.iter().try_for_each(|wire| wire.fmt(f))
            }
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not a fault; expected abc, one wire and g (ag), two wires (ab), two \
                 wires and g (abg), or open- and wires (open-a)"
            )
        };
        let (wires, broken) = match text.strip_prefix("open-") {
            Some(wires) => (wires, true),
            None => (text, false),
        };
        let (wires, earth) = match wires.strip_suffix('g') {
            Some(wires) => (wires, true),
            None => (wires, false),
        };
        let wires: Vec<Wire> = wires
            .chars()
            .map(|letter| Wire::ALL.into_iter().find(|wire| wire.to_string() == letter.to_string()))
            .collect::<Option<_>>()
            .ok_or_else(wrong)?;
        let set: Wires = wires.iter().copied().collect();
        if set.len() != wires.len() || (broken && earth) {
            return Err(wrong());
        }
        match (wires.as_slice(), broken, earth) {
            ([_, ..], true, _) => Ok(Self::OpenConductors(set)),
            ([_, _, _], _, _) if set == Wires::ABC => Ok(Self::ThreePhase),
            ([wire], _, true) => Ok(Self::SinglePhaseToGround(*wire)),
            ([one, other], _, true) => Ok(Self::TwoPhaseToGround(*one, *other)),
            ([one, other], _, false) => Ok(Self::TwoPhase(*one, *other)),
            _ => Err(wrong()),
        }
    }
}

/// The currents that can flow in one fault: up to three, each with what it draws from the wires
/// and the impedances it meets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Branches<const N: usize> {
    pub(super) count: usize,
    /// What each current draws from the wires of the node.
    pub(super) draws: [Column<N>; 3],
    /// Voltages of the fault's impedances by those currents, ohm.
    pub(super) impedance: [[Complex64; 3]; 3],
}

impl<const N: usize> Branches<N> {
    /// None if a wire is not among those `N` is for, or a wire is connected with itself.
    pub(super) fn new(kind: Kind, z: Complex64) -> Option<Self> {
        let none = Complex64::ZERO;
        let unit = |wire: Wire| {
            let mut column = [none; N];
            *column.get_mut(wire.index())? = Complex64::ONE;
            Some(column)
        };
        let empty = [none; N];
        let impedance = [[z, none, none], [none; 3], [none; 3]];
        if N == 1 {
            let draws = [[Complex64::ONE; N], empty, empty];
            return (kind == Kind::ThreePhase).then_some(Self { count: 1, draws, impedance });
        }
        Some(match kind {
            Kind::ThreePhase => Self {
                count: 3,
                draws: [unit(Wire::A)?, unit(Wire::B)?, unit(Wire::C)?],
                impedance: [[z, none, none], [none, z, none], [none, none, z]],
            },
            Kind::SinglePhaseToGround(wire) => {
                Self { count: 1, draws: [unit(wire)?, empty, empty], impedance }
            }
            Kind::TwoPhase(one, other) if one != other => {
                let mut draws = unit(one)?;
                *draws.get_mut(other.index())? = (-1.0).into();
                Self { count: 1, draws: [draws, empty, empty], impedance }
            }
            Kind::TwoPhaseToGround(one, other) if one != other => Self {
                count: 2,
                draws: [unit(one)?, unit(other)?, empty],
                impedance: [[z, z, none], [z, z, none], [none; 3]],
            },
            _ => return None,
        })
    }

    fn touches(&self, wire: usize) -> bool {
        let draws = |it: &Column<N>| it.get(wire).is_some_and(|it| *it != Complex64::ZERO);
        self.draws[..self.count].iter().any(draws)
    }

    /// The same at a node: what it draws from an earthed neutral there is drawn from earth. None if
    /// the node has not all wires that it touches, or only earth is left.
    pub(super) fn at(mut self, circuit: &Circuit<N>, node: u32) -> Option<Self> {
        let neutral = Wire::Neutral.index();
        if self.touches(neutral) && circuit.earthed.binary_search(&node).is_ok() {
            for draws in &mut self.draws[..self.count] {
                draws[neutral] = Complex64::ZERO;
            }
        }
        let is_some = self.draws[..self.count].iter().all(|it| *it != [Complex64::ZERO; N]);
        let fits = (0..N).all(|wire| !self.touches(wire) || circuit.has_wire(node, wire));
        (is_some && fits).then_some(self)
    }

    /// What the fault draws from each wire of a node that had these voltages and is seen with this
    /// impedance; none if nothing limits it.
    pub(super) fn current(&self, seen: &Block<N>, before: &Column<N>) -> Option<Column<N>> {
        let (mut a, mut b) = ([[Complex64::ZERO; 3]; 3], [Complex64::ZERO; 3]);
        for (row, own) in self.draws.iter().enumerate() {
            if row >= self.count {
                a[row][row] = Complex64::ONE;
                continue;
            }
            for (by, draws) in self.draws[..self.count].iter().enumerate() {
                a[row][by] = self.impedance[row][by] + dot(own, &apply(seen, draws));
            }
            b[row] = dot(own, before);
        }
        let inverse = crate::block::inverse(&a)?;
        let by_path = apply(&inverse, &b);
        let mut current = [Complex64::ZERO; N];
        for (draws, amperes) in self.draws[..self.count].iter().zip(by_path) {
            for (current, draw) in current.iter_mut().zip(draws) {
                *current += draw * amperes;
            }
        }
        Some(current)
    }
}

fn dot<const N: usize>(a: &Column<N>, b: &Column<N>) -> Complex64 {
    a.iter().zip(b).fold(Complex64::ZERO, |sum, (a, b)| sum + a * b)
}

/// All short circuits of a network.
pub(super) struct Paths<'a, const N: usize> {
    placed: &'a PlacedFaults<'a>,
    /// Of each short circuit: the node of the circuit, its currents, and the first one that is the
    /// same, for which currents are solved: itself, or an earlier one.
    of: Vec<(u32, Branches<N>, usize)>,
}

type Solved<const N: usize> = (Vec<[Complex64; 4]>, Vec<Column<N>>);

impl<'a, const N: usize> Paths<'a, N> {
    pub(super) fn new(
        placed: &'a PlacedFaults<'a>,
        circuit: &Circuit<N>,
    ) -> Result<Self, network::Fault> {
        let mut of = Vec::with_capacity(placed.short.len());
        for (index, short) in placed.short.iter().enumerate() {
            let at = circuit.node_of[short.node.index()];
            let mut branches = Branches::new(short.kind, short.impedance_ohm)
                .ok_or_else(|| refused(placed, short, "these wires make none in this network"))?;
            if at != NONE {
                branches = branches.at(circuit, at).ok_or_else(|| {
                    refused(
                        placed,
                        short,
                        "it needs wires that are de-energised there, or joins earth with earth",
                    )
                })?;
            }
            // How currents divide between equal short circuits without impedance is
            // undetermined: they share them.
            let same = placed.short[..index].iter().position(|other| {
                let node = circuit.node_of[other.node.index()];
                let bolted = other.impedance_ohm == Complex64::ZERO;
                node == at && other.kind == short.kind && bolted
            });
            let bolted = short.impedance_ohm == Complex64::ZERO;
            of.push((at, branches, same.filter(|_| bolted).unwrap_or(index)));
        }
        Ok(Self { placed, of })
    }

    /// The current of each short circuit, and the voltages of all nodes.
    pub(super) fn solve(
        &self,
        nodal: &mut Nodal<N>,
        circuit: &Circuit<N>,
        before: &[Column<N>],
    ) -> Result<Solved<N>, network::Fault> {
        let mut columns: Vec<(usize, usize)> = Vec::new();
        for (index, (at, branches, first)) in self.of.iter().enumerate() {
            if *at != NONE && *first == index {
                columns.extend((0..branches.count).map(|path| (index, path)));
            }
        }
        // What each current does to the voltages of all nodes.
        let responses: Vec<Vec<Column<N>>> = columns
            .iter()
            .map(|&(index, path)| {
                let (at, branches, _) = &self.of[index];
                let mut response = vec![[Complex64::ZERO; N]; circuit.nodes()];
                response[*at as usize] = branches.draws[path];
                nodal.respond(&mut response);
                response
            })
            .collect();
        let mut a = Vec::with_capacity(columns.len());
        let mut b = Vec::with_capacity(columns.len());
        for &(index, path) in &columns {
            let (at, branches, _) = &self.of[index];
            let own = &branches.draws[path];
            let row = columns.iter().zip(&responses).map(|(&(other, by), response)| {
                let through = dot(own, &response[*at as usize]);
                if other == index { through + branches.impedance[path][by] } else { through }
            });
            a.push(row.collect::<Vec<_>>());
            b.push(vec![dot(own, &before[*at as usize])]);
        }
        dense::solve(&mut a, &mut b).map_err(|at| {
            let short = &self.placed.short[columns[at].0];
            refused(self.placed, short, "nothing limits its current; give it an impedance")
        })?;
        let mut voltages = before.to_vec();
        for (response, amperes) in responses.iter().zip(&b) {
            for (voltage, change) in voltages.iter_mut().zip(response) {
                for (voltage, change) in voltage.iter_mut().zip(change) {
                    *voltage -= change * amperes[0];
                }
            }
        }
        Ok((self.currents(&columns, &b), voltages))
    }

    fn currents(
        &self,
        columns: &[(usize, usize)],
        amperes: &[Vec<Complex64>],
    ) -> Vec<[Complex64; 4]> {
        let mut currents = vec![[Complex64::ZERO; 4]; self.of.len()];
        for (&(index, path), amperes) in columns.iter().zip(amperes) {
            let draws = &self.of[index].1.draws[path];
            if N == 1 {
                for (current, phasor) in currents[index].iter_mut().zip(positive_sequence()) {
                    *current += phasor * amperes[0];
                }
                continue;
            }
            for (current, draw) in currents[index].iter_mut().zip(draws) {
                *current += draw * amperes[0];
            }
        }
        let shares = |first: usize| self.of.iter().filter(|it| it.2 == first).count() as f64;
        let whole = currents.clone();
        for (current, (_, _, first)) in currents.iter_mut().zip(&self.of) {
            *current = whole[*first].map(|it| it / shares(*first));
        }
        currents
    }
}

fn refused(placed: &PlacedFaults<'_>, short: &Short, what: &str) -> network::Fault {
    let node = &placed.network.nodes[short.node.index()];
    wrong("node", &node.name, node.place, what)
}
