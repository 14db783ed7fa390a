//! Why there is no solution, and where.

use std::fmt;

use num_complex::Complex64;

use super::continuation::Continuation;
use super::nodal::Nodal;
use super::options::{Options, across};
use super::result::Flow;
use super::{grounding, newton};
use crate::block::{Column, magnitude};
use crate::block_lu::Singular;
use crate::circuit::{Circuit, EARTH, Part};
use crate::network::{Fault, Network, NodeId, Place, Wire};
use crate::topology::NONE;

/// Why a power flow has no solution.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// The network cannot be solved as it is described.
    Description(Fault),
    /// Voltages collapse before all loads are served.
    Collapse(Box<Collapse>),
    /// Currents do not add up although voltages stand still.
    Inexact {
        /// The node at which most is missing.
        node: Box<str>,
        /// At which wire.
        wire: Wire,
        /// The power that is missing there, volt-amperes.
        residual_va: f64,
        /// Up to what would be right, volt-amperes.
        allowed_va: f64,
    },
    /// Voltages do not stand still within the tolerance, but do within a coarser one: what moves
    /// them are the last digits of the numbers.
    Tolerance {
        /// What was asked for, per unit.
        wanted_pu: f64,
        /// By how much a step of Newton's method still moves voltages, per unit.
        moving_pu: f64,
        /// The node and the wire whose voltage moves most.
        at: (Box<str>, Wire),
        /// A tolerance within which there is a solution, per unit; none if none was found, but the
        /// network has no solution even without loads, so that none of them can be too much.
        reached_pu: Option<f64>,
    },
    /// Regulators did not come to rest.
    Regulators {
        /// How many rounds of tap changes were tried.
        rounds: u32,
        /// A regulator that still wanted to move.
        name: Box<str>,
    },
}

/// Where voltages collapse.
#[derive(Clone, Debug, PartialEq)]
pub struct Collapse {
    /// The source of the island.
    pub source: Box<str>,
    /// The node whose voltage has moved most.
    pub node: Box<str>,
    /// At which wire.
    pub wire: Wire,
    /// Its voltage, per unit, at the largest share of the loads for which there is a solution.
    pub voltage_pu: f64,
    /// That share of all loads; zero if there is none at all.
    pub share: f64,
    /// The load there that weighs most against what can get there, if it is one alone that is too
    /// much.
    pub too_much: Option<TooMuch>,
    /// From the source to that node: names and lowest voltages of the nodes, per unit; where much
    /// is lost shows what is too weak.
    pub path: Vec<(Box<str>, f64)>,
}

/// A load that cannot be served even if it is alone.
#[derive(Clone, Debug, PartialEq)]
pub struct TooMuch {
    /// The load.
    pub load: Box<str>,
    /// What one of its parts would draw, or feed in, at the voltage without loads, volt-amperes.
    pub wanted_va: f64,
    /// The most that the network can carry to that part at that power factor, volt-amperes.
    pub most_va: f64,
}

impl Collapse {
    /// The excerpt of a long path: its ends, and the nodes before which most is lost.
    fn excerpt(&self) -> impl Iterator<Item = &(Box<str>, f64)> {
        let last = self.path.len().saturating_sub(1);
        let mut steps: Vec<usize> = (1..last).collect();
        let drop = |at: usize| self.path[at - 1].1 - self.path[at].1;
        steps.sort_by(|&a, &b| drop(b).total_cmp(&drop(a)));
        steps.truncate(10);
        let chosen = move |at: usize| at == 0 || at == last || steps.contains(&at);
        self.path.iter().enumerate().filter(move |(at, _)| chosen(*at)).map(|(_, it)| it)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Description(fault) => fault.fmt(f),
            Self::Regulators { rounds, name } => write!(
                f,
                "regulators did not settle in {rounds} rounds; `{name}` still moves: its band \
                 may be narrower than a tap"
            ),
            Self::Inexact { node, wire, residual_va, allowed_va } => write!(
                f,
                "no solution that can be trusted: at node `{node}` wire {wire} {residual_va:.3e} VA \
                 do not add up, at most {allowed_va:.3e} VA are allowed; an impedance there is too \
                 small beside the others for numbers of 16 digits: make it a closed switch, or \
                 write down what it is"
            ),
            Self::Tolerance { wanted_pu, moving_pu, at: (node, wire), reached_pu } => {
                write!(
                    f,
                    "the tolerance of {wanted_pu:e} pu cannot be reached: rounding (numbers have \
                     16 digits) still moves node `{node}` wire {wire} by {moving_pu:.1e} pu in every \
                     iteration; very small impedances such as links do that, and \
                     sides that hardly anything earths"
                )?;
                match reached_pu {
                    Some(reached) => write!(f, "; try --tolerance {reached:e}"),
                    None => write!(f, "; make very small impedances closed switches"),
                }
            }
            Self::Collapse(it) => {
                write!(
                    f,
                    "no solution: behind source `{}` voltages collapse at {} % of the loads; most \
                     moves node `{}` wire {}, to {:.3} pu",
                    it.source,
                    percent(it.share),
                    it.node,
                    it.wire,
                    it.voltage_pu
                )?;
                if let Some(TooMuch { load, wanted_va, most_va }) = &it.too_much {
                    write!(
                        f,
                        "; load `{load}` is {wanted_va:.3e} VA on one of its phases, and at most \
                         {most_va:.3e} VA can get there"
                    )?;
                }
                write!(f, "; on the way there")?;
                for (name, voltage) in it.excerpt() {
                    write!(f, " {name} {voltage:.3}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for Failure {}

/// With as many digits as a small one needs.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent == 0.0 || percent >= 0.1 {
        format!("{percent:.1}")
    } else {
        format!("{percent:.1e}")
    }
}

/// How many tolerances of all that flows may be missing at a node.
///
/// What loads draw follows the voltages of the iteration before, so when those stand still within
/// the tolerance, currents are wrong by about as much of themselves; meshes and steep loads make
/// some tolerances of it. Far more than that comes of digits that cancelled, whatever the
/// tolerance.
const TOLERANCES: f64 = 1e3;
/// No tolerance below this one is kept to; nor need powers be more exact than this where hardly
/// anything flows, volt-amperes.
const TOLERANCE_LEAST_PU: f64 = 1e-8;
const RESIDUAL_LEAST_VA: f64 = 1.0;

/// Whether currents add up as well as the tolerance promises.
pub(super) fn is_exact(network: &Network, flow: &Flow, options: &Options) -> Result<(), Failure> {
    // In-feed and loads may cancel at the sources, so that both count.
    let at_sources = flow.sources.iter().flat_map(|it| it.power_va);
    let at_loads = flow.loads.iter().flat_map(|it| it.power_va);
    let flowing_va: f64 = at_sources.chain(at_loads).map(magnitude).sum();
    let share = TOLERANCES * options.tolerance_pu.max(TOLERANCE_LEAST_PU);
    let allowed_va = RESIDUAL_LEAST_VA.max(share * flowing_va);
    let residual_va = flow.residual_va;
    match flow.residual_at {
        Some((node, wire)) if residual_va.is_nan() || residual_va > allowed_va => {
            let node = network.nodes[node as usize].name.clone();
            Err(Failure::Inexact { node, wire, residual_va, allowed_va })
        }
        _ => Ok(()),
    }
}

/// The first node of the network that is this one of the circuit.
fn name_of<'a, const N: usize>(
    network: &'a Network,
    circuit: &Circuit<N>,
    node: u32,
) -> (&'a str, Place) {
    let at = circuit.node_of.iter().position(|&it| it == node);
    at.map_or(("?", Place::default()), |at| (&*network.nodes[at].name, network.nodes[at].place))
}

pub(crate) fn singular<const N: usize>(
    network: &Network,
    circuit: &Circuit<N>,
    Singular(node): Singular,
) -> Failure {
    let (name, place) = name_of(network, circuit, node);
    let what = "nothing determines its voltage: an admittance is infinite, or cancels another one, \
                or all that is connected to it floats";
    Failure::Description(Fault::new("node", name, place, what))
}

/// At the largest share of the loads that can be served, the voltage that has moved most: where
/// in-feed is too much, voltages rise, and the lowest one is somewhere else.
pub(super) fn collapse<const N: usize>(
    network: &Network,
    circuit: &Circuit<N>,
    nodal: &mut Nodal<N>,
    start: &[Column<N>],
    reached: Continuation<N>,
) -> Failure {
    let Continuation { voltages: best, share, .. } = reached;
    let (mut worst, mut furthest) = ((0, 0), -1.0);
    for node in 0..circuit.nodes() as u32 {
        for wire in (0..N.min(3)).filter(|&wire| circuit.has_wire(node, wire)) {
            let change = best[node as usize][wire] - start[node as usize][wire];
            let moved = magnitude(change) / circuit.rated_voltage_v[node as usize];
            if moved > furthest {
                (worst, furthest) = ((node, wire), moved);
            }
        }
    }
    let (node, wire) = worst;
    // Looked up once for all: the path may be as long as the network is large.
    let mut first = vec![NONE; circuit.nodes()];
    for (at, &node) in (0..network.nodes.len() as u32).zip(&circuit.node_of).rev() {
        if node != NONE {
            first[node as usize] = at;
        }
    }
    if let Some(&at) = first.get(node as usize).filter(|&&at| at != NONE)
        && let Some(fault) = grounding::missing(network, NodeId(at))
    {
        return Failure::Description(fault);
    }
    let name = |node: u32| match first.get(node as usize) {
        Some(&at) if at != NONE => &*network.nodes[at as usize].name,
        _ => "?",
    };
    let mut path = Vec::new();
    let (mut at, mut root) = (node, node);
    while at != NONE && (at as usize) < circuit.nodes() {
        path.push((name(at).into(), per_unit(circuit, &best, at, wire)));
        (root, at) = (at, circuit.parent[at as usize]);
    }
    path.reverse();
    let source = circuit.sources.iter().find(|source| source.node == root);
    Failure::Collapse(Box::new(Collapse {
        source: source.map_or("?", |it| &network.sources[it.source as usize].name).into(),
        node: name(node).into(),
        wire: Wire::ALL[wire],
        voltage_pu: per_unit(circuit, &best, node, wire),
        share,
        too_much: too_much(network, circuit, nodal, start, node),
        path,
    }))
}

/// The load at a node that weighs most against what can get there, if it is too much by itself.
/// With `V` and `Z` the source of voltage and the impedance that the network is for it (Thevenin),
/// a load at the angle `a` can be `|V|^2 / 2 (|Z| + R cos a + X sin a)`, and `V^2 / 4 |Z|` where
/// `a` is the angle of `Z`.
fn too_much<const N: usize>(
    network: &Network,
    circuit: &Circuit<N>,
    nodal: &mut Nodal<N>,
    start: &[Column<N>],
    node: u32,
) -> Option<TooMuch> {
    let mut found: Option<TooMuch> = None;
    let at_node: Vec<&Part> = circuit.parts.iter().filter(|part| part.node == node).collect();
    for part in at_node.into_iter().filter(|part| !part.is_constant()) {
        let (wire, against) = (usize::from(part.wire), usize::from(part.against));
        let mut response = vec![[Complex64::ZERO; N]; circuit.nodes()];
        response[node as usize][wire] = Complex64::ONE;
        if part.against != EARTH {
            response[node as usize][against] = -Complex64::ONE;
        }
        nodal.respond(&mut response);
        let open_v = magnitude(across(part, &start[node as usize]));
        let z_ohm = across(part, &response[node as usize]);
        let wanted = part.power(open_v);
        let wanted_va = magnitude(wanted);
        let along = (z_ohm * wanted.conj()).re / wanted_va;
        let most_va = open_v * open_v / (2.0 * (magnitude(z_ohm) + along));
        let weight = |it: &TooMuch| it.wanted_va / it.most_va;
        let own =
            TooMuch { load: network.loads[part.load as usize].name.clone(), wanted_va, most_va };
        if weight(&own) > found.as_ref().map_or(1.0, weight) {
            found = Some(own);
        }
    }
    found
}

/// Up to this tolerance a solution is looked for where a finer one cannot be reached, per unit.
const COARSER_PU: [f64; 2] = [1e-6, 1e-4];
/// In so many steps of Newton's method it is seen by how much voltages move.
const STEPS_SEEN: u32 = 5;

/// The coarser tolerances that may be reached where this one is not.
pub(super) fn coarser(tolerance_pu: f64) -> impl Iterator<Item = f64> {
    COARSER_PU.into_iter().filter(move |&it| it > tolerance_pu)
}

/// That rounding keeps voltages from standing still, seen at those of a coarser tolerance, or of
/// none.
pub(super) fn unreachable<const N: usize>(
    network: &Network,
    circuit: &Circuit<N>,
    mut voltages: Vec<Column<N>>,
    (wanted_pu, reached_pu): (f64, Option<f64>),
) -> Failure {
    let mut least = (f64::INFINITY, (0, 0));
    for _ in 0..STEPS_SEEN {
        let Some(next) = newton::whole_step(circuit, &voltages) else { break };
        let moving = largest_change_at(circuit, &voltages, &next);
        if moving.0 < least.0 {
            least = moving;
        }
        voltages = next;
    }
    let (moving_pu, (node, wire)) = least;
    let at = (name_of(network, circuit, node).0.into(), Wire::ALL[wire]);
    Failure::Tolerance { wanted_pu, moving_pu, at, reached_pu }
}

/// The largest change of any voltage, per unit, and at which wire of which node.
fn largest_change_at<const N: usize>(
    circuit: &Circuit<N>,
    before: &[Column<N>],
    after: &[Column<N>],
) -> (f64, (u32, usize)) {
    let mut largest = (0.0, (0, 0));
    for (node, (a, b)) in (0..).zip(before.iter().zip(after)) {
        for wire in 0..N {
            let change = magnitude(b[wire] - a[wire]) / circuit.rated_voltage_v[node as usize];
            if change > largest.0 {
                largest = (change, (node, wire));
            }
        }
    }
    largest
}

fn per_unit<const N: usize>(
    circuit: &Circuit<N>,
    voltages: &[Column<N>],
    node: u32,
    wire: usize,
) -> f64 {
    magnitude(voltages[node as usize][wire]) / circuit.rated_voltage_v[node as usize]
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Description(fault)
    }
}
