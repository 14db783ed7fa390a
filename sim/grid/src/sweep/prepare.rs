//! From a circuit to its sweep: what is linear is eliminated, rows are cut into pieces.

use num_complex::Complex64;

use super::loads::in_matrix;
use super::prepared::{Constant, Item, Kind, Loops, Sweep, SweepObstacle, TransferBlocks};
use crate::block::{Block, add_to, apply, identity, inverse, is_finite, negative, product, zero};
use crate::circuit::{Circuit, Coupling, EARTH, SourceNode, TwoPort, series_admittance};
use crate::network::Wires;
use crate::topology::NONE;

/// How many rows are swept forward and backward at once: what a processor's own cache holds, also
/// in eight lanes.
const PIECE: u32 = 512;
/// Branches with fewer rows are no piece of their own.
const TWIG: u32 = 32;

impl<const N: usize> Sweep<N> {
    /// Prepares a circuit.
    ///
    /// # Errors
    /// If it cannot be swept; it can be solved by its matrix then.
    pub fn new(circuit: &Circuit<N>, constant: Constant) -> Result<Self, SweepObstacle> {
        let roots: Vec<u32> = circuit.roots().collect();
        let mut sweep = Self {
            constant,
            emf: Vec::with_capacity(roots.len()),
            parent: Vec::with_capacity(roots.len() + circuit.nodes()),
            weight: vec![0.0; roots.len()],
            wires: circuit.wires.clone(),
            items: Vec::new(),
            alike: Vec::new(),
            full: Vec::new(),
            slot: Vec::new(),
            through: Vec::new(),
            injections: Vec::new(),
            loops: None,
        };
        sweep.parent.resize(roots.len(), NONE);
        let mut root = 0;
        for &parent in &circuit.parent {
            if parent == NONE {
                sweep.parent.push(root);
                root += 1;
            } else {
                sweep.parent.push(roots.len() as u32 + parent);
            }
        }
        sweep.weight.extend(circuit.rated_voltage_v.iter().map(|&rated| {
            let weight = 1.0 / (rated * rated);
            if weight.is_finite() { weight } else { 1.0 }
        }));
        let mut builder = Builder {
            circuit,
            general: vec![false; circuit.nodes()],
            kept: Vec::new(),
            kept_at: vec![NONE; circuit.nodes()],
            feeding: vec![NONE; circuit.nodes()],
            sweep,
        };
        builder.wires()?;
        builder.sources(&roots)?;
        builder.admittances();
        builder.pieces();
        builder.eliminate()?;
        let mut sweep = builder.sweep;
        sweep.loops = Loops::new(circuit, &sweep)?;
        Ok(sweep)
    }
}

struct Builder<'a, const N: usize> {
    circuit: &'a Circuit<N>,
    /// By node: whether it is anything but an impedance with nothing constant downstream.
    general: Vec<bool>,
    /// Admittances seen at the nodes that have one, with all that is downstream.
    kept: Vec<Block<N>>,
    kept_at: Vec<u32>,
    /// By root: index of the source whose voltage is its emf.
    feeding: Vec<u32>,
    sweep: Sweep<N>,
}

impl<const N: usize> Builder<'_, N> {
    /// Whether each wire of each node comes from its parent.
    fn wires(&self) -> Result<(), SweepObstacle> {
        if N == 1 {
            return Ok(());
        }
        for node in 0..self.circuit.nodes() {
            let conductors = match self.coupling(node) {
                Some(Coupling::Series { wires, .. }) => *wires,
                Some(Coupling::Alike { .. }) if N == 3 => Wires::ABC,
                _ => continue,
            };
            if !conductors.contains_all(self.circuit.wires[node]) {
                return Err(SweepObstacle::Wire(node as u32));
            }
        }
        Ok(())
    }

    fn sources(&mut self, roots: &[u32]) -> Result<(), SweepObstacle> {
        let circuit = self.circuit;
        for (index, source) in circuit.sources.iter().enumerate() {
            let feeding = &mut self.feeding[source.node as usize];
            let fixed = |at: u32| circuit.sources[at as usize].admittance.is_none();
            if circuit.parent[source.node as usize] == NONE
                && (*feeding == NONE || (source.admittance.is_none() && !fixed(*feeding)))
            {
                *feeding = index as u32;
            }
        }
        for &root in roots {
            let source = self.feeding[root as usize];
            let none = [Complex64::ZERO; N];
            self.sweep.emf.push(circuit.sources.get(source as usize).map_or(none, |it| it.voltage));
        }
        for (index, source) in circuit.sources.iter().enumerate() {
            if self.feeding[source.node as usize] != index as u32 {
                self.beside(source)?;
            }
        }
        Ok(())
    }

    /// A source that is no tree's first: an admittance, and a current that is always the same.
    fn beside(&mut self, source: &SourceNode<N>) -> Result<(), SweepObstacle> {
        let admittance = source.admittance.ok_or(SweepObstacle::FixedSource(source.node))?;
        add_to(self.admittance(source.node), &admittance);
        let row = self.sweep.row(source.node);
        let current = apply(&admittance, &source.voltage).map(|current| -current);
        self.sweep.injections.push((row, current));
        Ok(())
    }

    fn admittance(&mut self, node: u32) -> &mut Block<N> {
        let at = &mut self.kept_at[node as usize];
        if *at == NONE {
            *at = self.kept.len() as u32;
            self.kept.push(zero());
        }
        &mut self.kept[*at as usize]
    }

    /// What is constant at each node; and which nodes have something constant downstream.
    fn admittances(&mut self) {
        let circuit = self.circuit;
        for node in 0..circuit.nodes() {
            if let Some(&(mut shunt)) = circuit.shunt.get(node) {
                for wire in (0..N).filter(|&wire| !circuit.has_wire(node as u32, wire)) {
                    clear(&mut shunt, wire);
                }
                add_to(self.admittance(node as u32), &shunt);
            }
        }
        if self.sweep.constant == Constant::InMatrix {
            for part in &circuit.parts {
                let Some((wire, against, admittance)) = in_matrix(circuit, part) else { continue };
                let block = self.admittance(part.node);
                let (wire, earthed) = (usize::from(wire), against == EARTH);
                block[wire][wire] += admittance;
                if !earthed {
                    let against = usize::from(against);
                    block[against][against] += admittance;
                    block[wire][against] -= admittance;
                    block[against][wire] -= admittance;
                }
            }
        }
        for node in (0..circuit.nodes()).rev() {
            let two_port = matches!(self.coupling(node), Some(Coupling::TwoPort(_)));
            self.general[node] = two_port || self.kept_at[node] != NONE;
            if self.general[node] && circuit.parent[node] != NONE {
                self.admittance(circuit.parent[node]);
            }
        }
    }

    fn coupling(&self, node: usize) -> Option<&Coupling<N>> {
        let branch = self.circuit.parent_branch[node];
        self.circuit.branches.get(branch as usize).map(|branch| &branch.coupling)
    }

    /// The impedances of conductors that are alike and all in use, as most are: on the diagonal and
    /// beside it.
    fn alike(&self, node: usize) -> Option<[Complex64; 2]> {
        match self.coupling(node) {
            Some(Coupling::Alike { own, mutual }) if N == 1 || self.has_all(node) => {
                Some([*own, *mutual])
            }
            _ => None,
        }
    }

    /// Whether a node has a wire of each kind.
    fn has_all(&self, node: usize) -> bool {
        let all = if N == 4 { Wires::ABCN } else { Wires::ABC };
        self.circuit.wires[node].contains_all(all)
    }

    /// The impedance towards the parent if there is nothing else.
    fn series(&self, node: usize) -> Option<Block<N>> {
        match self.coupling(node) {
            None => {
                let source = self.circuit.sources.get(self.feeding[node] as usize);
                Some(source.map_or(zero(), |source| source.impedance))
            }
            Some(coupling) => {
                let (impedance, wires) = coupling.impedance()?;
                let dead: Wires = wires
                    .iter()
                    .filter(|wire| {
                        N > wire.index() && !self.circuit.has_wire(node as u32, wire.index())
                    })
                    .collect();
                if N == 1 || dead.is_empty() {
                    return Some(impedance);
                }
                Some(earthed_conductors(&impedance, wires, dead))
            }
        }
    }

    /// Cuts the rows into pieces, and makes room for their figures.
    fn pieces(&mut self) {
        let circuit = self.circuit;
        let nodes = circuit.nodes();
        let mut size = vec![1_u32; nodes];
        for node in (0..nodes).rev() {
            if circuit.parent[node] != NONE {
                size[circuit.parent[node] as usize] += size[node];
            }
        }
        let mut trunk: Option<u32> = None;
        let mut node = 0;
        while node < nodes as u32 {
            let branch = size[node as usize];
            if branch > PIECE || (branch < TWIG && trunk.is_some()) {
                trunk = trunk.or(Some(node));
                node += if branch > PIECE { 1 } else { branch };
                continue;
            }
            if let Some(first) = trunk.take() {
                self.item(first, node, true);
            }
            // Whole branches side by side, as long as they are few.
            let first = node;
            while node < nodes as u32
                && size[node as usize] <= PIECE
                && node - first + size[node as usize] <= PIECE
            {
                node += size[node as usize];
            }
            self.item(first, node, false);
        }
        if let Some(first) = trunk {
            self.item(first, nodes as u32, true);
        }
        self.sweep.full = vec![zero(); self.sweep.slot.len()];
    }

    fn item(&mut self, first: u32, end: u32, trunk: bool) {
        let kind = (first..end).map(|node| self.kind(node as usize)).max().unwrap_or(Kind::Full);
        let count = (end - first) as usize;
        let first_matrix = if kind == Kind::Alike {
            self.sweep.alike.resize(self.sweep.alike.len() + count, [0.0; 4]);
            self.sweep.alike.len() - count
        } else {
            self.sweep.slot.resize(self.sweep.slot.len() + count, NONE);
            self.sweep.slot.len() - count
        };
        let [first, end] = [first, end].map(|node| self.sweep.row(node));
        let first_matrix = first_matrix as u32;
        self.sweep.items.push(Item { first, end, kind, trunk, first_matrix });
    }

    fn kind(&self, node: usize) -> Kind {
        if self.general[node] {
            return Kind::General;
        }
        if N > 1 && self.alike(node).is_some() {
            return Kind::Alike;
        }
        match self.series(node) {
            Some(impedance) if N > 1 && is_alike(&impedance) => Kind::Alike,
            _ => Kind::Full,
        }
    }

    /// From the leaves to the roots: what each node sees downstream, and what that makes of it.
    fn eliminate(&mut self) -> Result<(), SweepObstacle> {
        for at in (0..self.sweep.items.len()).rev() {
            let item = self.sweep.items[at];
            for row in item.rows().rev() {
                let node = row - self.sweep.emf.len();
                let place = item.first_matrix as usize + (row - item.first as usize);
                if !self.general[node] {
                    if let (Some([own, mutual]), Kind::Alike) = (self.alike(node), item.kind) {
                        let own = own - mutual;
                        self.sweep.alike[place] = [own.re, own.im, mutual.re, mutual.im];
                        continue;
                    }
                    let impedance = self.series(node).unwrap_or(zero());
                    if item.kind == Kind::Alike {
                        let mutual = impedance[0][N - 1];
                        let own = impedance[0][0] - mutual;
                        self.sweep.alike[place] = [own.re, own.im, mutual.re, mutual.im];
                    } else {
                        self.sweep.full[place] = impedance;
                    }
                    continue;
                }
                let (through, drop, seen) = self
                    .reduced(node)
                    .filter(|(through, drop, seen)| {
                        [&through.voltage, &through.current, drop, seen].into_iter().all(is_finite)
                    })
                    .ok_or(SweepObstacle::Singular(node as u32))?;
                self.sweep.full[place] = drop;
                self.sweep.slot[place] = self.sweep.through.len() as u32;
                self.sweep.through.push(through);
                if self.circuit.parent[node] != NONE {
                    add_to(self.admittance(self.circuit.parent[node]), &seen);
                }
            }
        }
        Ok(())
    }

    /// `A` and `M`, `B`, and the admittance that the parent sees.
    fn reduced(&self, node: usize) -> Option<(TransferBlocks<N>, Block<N>, Block<N>)> {
        let behind = self.kept.get(self.kept_at[node] as usize).copied().unwrap_or(zero());
        if let Some(impedance) = self.series(node) {
            let mut left = identity();
            add_to(&mut left, &product(&impedance, &behind));
            let mut right = identity();
            add_to(&mut right, &product(&behind, &impedance));
            let (voltage, current) = (inverse(&left)?, inverse(&right)?);
            let drop = product(&voltage, &impedance);
            let seen = product(&current, &behind);
            let (voltage, current) = (negative(&voltage), negative(&current));
            return Some((TransferBlocks { voltage, current }, drop, seen));
        }
        let Some(Coupling::TwoPort(it)) = self.coupling(node) else { return None };
        let TwoPort { mut ff, mut ft, mut tf, tt } = **it;
        let mut own = tt;
        add_to(&mut own, &behind);
        let parent = self.circuit.parent[node];
        for wire in (0..N).filter(|&wire| !self.circuit.has_wire(node as u32, wire)) {
            clear(&mut own, wire);
            own[wire][wire] = Complex64::ONE;
        }
        let mut drop = inverse(&own)?;
        for wire in (0..N).filter(|&wire| !self.circuit.has_wire(node as u32, wire)) {
            clear(&mut drop, wire);
        }
        for wire in (0..N).filter(|&wire| !self.circuit.has_wire(parent, wire)) {
            clear(&mut ff, wire);
            ft[wire] = [Complex64::ZERO; N];
            for row in &mut tf {
                row[wire] = Complex64::ZERO;
            }
        }
        let voltage = product(&drop, &tf);
        let current = product(&ft, &drop);
        let mut seen = ff;
        add_to(&mut seen, &negative(&product(&ft, &voltage)));
        Some((TransferBlocks { voltage, current }, drop, seen))
    }
}

fn clear<const N: usize>(block: &mut Block<N>, wire: usize) {
    for k in 0..N {
        block[wire][k] = Complex64::ZERO;
        block[k][wire] = Complex64::ZERO;
    }
}

/// Whether all diagonal entries are equal, and all others.
fn is_alike<const N: usize>(block: &Block<N>) -> bool {
    let (own, mutual) = (block[0][0], block[0][N - 1]);
    block.iter().enumerate().all(|(row, figures)| {
        figures
            .iter()
            .enumerate()
            .all(|(column, &it)| it == if row == column { own } else { mutual })
    })
}

/// An impedance of which some conductors are earthed at both ends.
fn earthed_conductors<const N: usize>(impedance: &Block<N>, wires: Wires, dead: Wires) -> Block<N> {
    let without = |block: &Block<N>| {
        let mut block = *block;
        for wire in dead.iter().filter(|wire| wire.index() < N) {
            clear(&mut block, wire.index());
        }
        block
    };
    let left: Wires = wires.iter().filter(|&wire| !dead.contains(wire)).collect();
    series_admittance(impedance, wires)
        .and_then(|admittance| series_admittance(&without(&admittance), left))
        .unwrap_or_else(|| without(impedance))
}
