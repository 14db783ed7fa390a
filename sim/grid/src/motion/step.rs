//! Whether a step is short enough for what a network does by itself.
//!
//! Two times of the network without loads are looked at, which bound what a switching sets going:
//!
//! - of a loop, `L / R` of what a short circuit at a node goes through, with which its offset
//!   decays;
//! - of an oscillation, the period `2 pi sqrt(L C)` of a capacitor bank, or of all capacitances of
//!   a part without transformers together, with the inductance that a short circuit there goes
//!   through (at the node that has most of them).
//!
//! What carries next to nothing is left out, whatever its time: a loop whose offset is at most a
//! fifth of the peak (`X / Z`; so all loops along thin cables), and an oscillation whose current
//! is less than a fiftieth of the short-circuit current (the reciprocal of its order). Steps damp
//! those. Lines by themselves are no modes: short ones swing with the whole part that they belong
//! to.

use std::f64::consts::TAU;

use num_complex::Complex64;

use crate::block::Block;
use crate::circuit::{line_model, shunt_admittance};
use crate::flow::joined;
use crate::network::{Line, LineImpedance, Network, NodeId, ShuntAdmittance, Wire};
use crate::short_circuit::{Kind, Options, PrefaultState, Scaling, Sweep, sweep};
use crate::topology::Groups;

/// A time that has fewer steps than these is coarse.
const STEPS: f64 = 10.0;

/// An offset of at most this share of the peak is next to nothing.
const OFFSET_SHARE: f64 = 0.2;

/// An oscillation with less than this share of the short-circuit current is next to nothing.
const RINGING_SHARE: f64 = 0.02;

const KINDS: [Kind; 4] = [
    Kind::ThreePhase,
    Kind::SinglePhaseToGround(Wire::A),
    Kind::SinglePhaseToGround(Wire::B),
    Kind::SinglePhaseToGround(Wire::C),
];

/// What is too fast for a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fast {
    /// The offset of a short circuit at a node.
    Offset,
    /// A capacitor bank with its supply.
    Bank,
    /// All capacitances of a part with its supply.
    Part,
    /// What is charged beyond a line, with a fault at its other end.
    Fault,
}

/// A step that is too long for a network.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRemark {
    /// What is too fast.
    pub what: Fast,
    /// The node or the bank.
    pub element: Box<str>,
    /// The time constant of an offset, or the period of an oscillation, seconds.
    pub time_s: f64,
    /// The step, seconds.
    pub step_s: f64,
    /// The longest step that follows it, seconds.
    pub recommended_step_s: f64,
}

impl std::fmt::Display for StepRemark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, element, time_s, step_s, recommended_step_s } = self;
        let us = |seconds: &f64| format!("{:.3} us", seconds * 1e6);
        let time = us(time_s);
        write!(f, "a step of {} is too long: ", us(step_s))?;
        match what {
            Fast::Offset => write!(f, "a short circuit at node `{element}` decays with {time}")?,
            Fast::Bank => write!(f, "`{element}` and its supply swing with a period of {time}")?,
            Fast::Part => write!(
                f,
                "what is charged around node `{element}` and its supply swing with a period of \
                 {time}"
            )?,
            Fast::Fault => write!(
                f,
                "behind a fault, what is charged beyond `{element}` swings with a period of {time}"
            )?,
        }
        write!(f, ", expected {} or less", us(recommended_step_s))
    }
}

/// The fastest of what a step is too long for, by less than a tenth of its time; none where all
/// that carries energy is followed, or the network has no short circuits to be seen.
#[must_use]
pub fn step_remark(network: &Network, step_s: f64) -> Option<StepRemark> {
    step_remark_with(network, step_s, &[])
}

/// The same with faults at these nodes.
#[must_use]
pub fn step_remark_with(network: &Network, step_s: f64, faults: &[NodeId]) -> Option<StepRemark> {
    let seen = BareNetwork::new(network)?;
    let behind = faults.iter().flat_map(|node| seen.behind(*node));
    let all = seen.offsets().chain(seen.banks()).chain(seen.parts()).chain(behind);
    let coarse = all.filter(|(_, _, time_s)| *time_s < STEPS * step_s * (1.0 - 1e-9));
    let (what, element, time_s) = coarse.min_by(|one, other| one.2.total_cmp(&other.2))?;
    let recommended_step_s = time_s / STEPS;
    Some(StepRemark { what, element: element.into(), time_s, step_s, recommended_step_s })
}

type Time<'a> = (Fast, &'a str, f64);

/// A network without loads and capacitances, as short circuits see it.
struct BareNetwork<'a> {
    network: &'a Network,
    omega: f64,
    swept: Sweep,
    /// Of each node, farads of a phase: charging and banks.
    farad: Vec<f64>,
}

impl<'a> BareNetwork<'a> {
    fn new(network: &'a Network) -> Option<Self> {
        let mut bare = network.clone();
        for it in &mut bare.lines {
            match &mut it.impedance {
                LineImpedance::Sequence(it) => {
                    (it.y1_s, it.y0_s) = (Complex64::ZERO, Complex64::ZERO);
                }
                LineImpedance::Matrix { shunt_s, .. } => shunt_s.rows = crate::block::zero(),
            }
        }
        bare.shunts.retain(|it| !is_capacitive(&it.admittance));
        let before = PrefaultState::Unloaded(Scaling::Actual);
        let options = Options { before, ..Options::default() };
        let swept = sweep(&bare, &KINDS, Complex64::ZERO, &options).ok()?;
        let (omega, mut farad) = (TAU * network.frequency_hz, vec![0.0; network.nodes.len()]);
        for it in network.lines.iter().filter(|it| it.from_closed && it.to_closed) {
            let model = line_model(it);
            let own = positive(&model.half_shunt).im.max(0.0) / omega;
            farad[it.from.node.index()] += own;
            farad[it.to.node.index()] += own;
        }
        let mut seen = Self { network, omega, swept, farad };
        for it in 0..network.shunts.len() {
            seen.farad[network.shunts[it].connection.node.index()] += seen.bank_farad(it);
        }
        Some(seen)
    }

    /// Farads of a phase of a bank, 0 of what is none.
    fn bank_farad(&self, shunt: usize) -> f64 {
        let it = &self.network.shunts[shunt];
        if !it.connected || !is_capacitive(&it.admittance) {
            return 0.0;
        }
        let own = shunt_admittance(it).map(|block| positive(&block).im);
        own.unwrap_or(0.0).max(0.0) / self.omega
    }

    /// What a short circuit goes through: of three phases, or else of the first that there is.
    fn impedance_ohm(&self, node: usize) -> Option<Complex64> {
        let at = NodeId(node as u32);
        let before = self.swept.before_v.get(*self.swept.number.get(node)? as usize)?;
        (0..KINDS.len()).find_map(|kind| {
            let fault = self.swept.fault(at, kind)?;
            let wire = (0..3).find(|wire| fault.current_a[*wire].norm() > 0.0)?;
            Some(before[wire] / fault.current_a[wire])
        })
    }

    fn offsets(&self) -> impl Iterator<Item = Time<'_>> {
        (0..self.network.nodes.len()).filter_map(|node| {
            let z = self.impedance_ohm(node)?;
            let carries = z.re > 0.0 && z.im > OFFSET_SHARE * z.norm();
            let name = &*self.network.nodes[node].name;
            carries.then(|| (Fast::Offset, name, z.im / z.re / self.omega))
        })
    }

    /// The period of a capacitance at a node, if it swings with enough current.
    fn period_s(&self, node: usize, farad: f64) -> Option<f64> {
        self.period_with_s(self.impedance_ohm(node)?.im, farad)
    }

    fn period_with_s(&self, reactance_ohm: f64, farad: f64) -> Option<f64> {
        let order = 1.0 / (self.omega * farad * reactance_ohm).sqrt();
        (order.is_finite() && order * RINGING_SHARE <= 1.0).then(|| TAU / self.omega / order)
    }

    /// What is charged at the far ends of the lines at a fault, as switches join it, with the line.
    fn behind(&self, fault: NodeId) -> Vec<Time<'_>> {
        let mut joined = Groups::new(self.network.nodes.len());
        for it in self.network.switches.iter().filter(|it| it.closed) {
            joined.join(it.from.node.0, it.to.node.0);
        }
        let of: Vec<u32> = (0..self.farad.len() as u32).map(|node| joined.find(node)).collect();
        let here = of.get(fault.index()).copied();
        let lines = self.network.lines.iter().filter(|it| it.from_closed && it.to_closed);
        let time = |it: &'a Line| {
            let ends = [it.from.node, it.to.node].map(|end| of[end.index()]);
            let at = ends.iter().position(|end| Some(*end) == here)?;
            let own = self.farad.iter().zip(&of).filter(|(_, group)| **group == ends[1 - at]);
            let reactance_ohm = positive(&line_model(it).series).im;
            let period_s = self.period_with_s(reactance_ohm, own.map(|(farad, _)| farad).sum())?;
            Some((Fast::Fault, &*it.name, period_s))
        };
        lines.filter_map(time).collect()
    }

    fn banks(&self) -> impl Iterator<Item = Time<'_>> {
        self.network.shunts.iter().enumerate().filter_map(|(at, it)| {
            let farad = self.bank_farad(at);
            let period_s = self.period_s(it.connection.node.index(), farad);
            period_s.map(|period_s| (Fast::Bank, &*it.name, period_s))
        })
    }

    fn parts(&self) -> impl Iterator<Item = Time<'_>> {
        // What lines and closed switches join.
        let mut joined = joined(self.network);
        let nodes = self.network.nodes.len();
        let mut sums = vec![0.0; nodes];
        let mut most: Vec<Option<usize>> = vec![None; nodes];
        for node in 0..nodes {
            let part = joined.find(node as u32) as usize;
            sums[part] += self.farad[node];
            if most[part].is_none_or(|other| self.farad[other] < self.farad[node]) {
                most[part] = Some(node);
            }
        }
        most.into_iter().zip(sums).filter_map(|(node, farad)| {
            let node = node?;
            let period_s = self.period_s(node, farad)?;
            Some((Fast::Part, &*self.network.nodes[node].name, period_s))
        })
    }
}

fn is_capacitive(admittance: &ShuntAdmittance) -> bool {
    match admittance {
        ShuntAdmittance::Sequence { y1_s, .. } => y1_s.im > 0.0,
        ShuntAdmittance::Parts { y_s, .. } => y_s.iter().any(|it| it.im > 0.0),
    }
}

/// What a matrix is for currents that add up to nothing: the mean of its diagonal less that of the
/// rest, where it has conductors.
fn positive(block: &Block<4>) -> Complex64 {
    let rows = block.iter().enumerate().filter(|(at, row)| row[*at] != Complex64::ZERO);
    let (mut size, mut own, mut all) = (0.0, Complex64::ZERO, Complex64::ZERO);
    for (at, row) in rows {
        size += 1.0;
        own += row[at];
        all += row.iter().sum::<Complex64>();
    }
    match size {
        0.0 => Complex64::ZERO,
        1.0 => own,
        _ => own / size - (all - own) / (size * (size - 1.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::network;
    use super::*;
    use crate::network::{Connection, Place, Shunt};

    /// The 20 kV network with a bank of so many siemens in each phase at its busbar.
    fn with_bank(siemens: f64) -> Network {
        let mut network = network();
        let y = Complex64::new(0.0, siemens);
        network.shunts.push(Shunt {
            name: "bank".into(),
            connection: Connection::abc(NodeId(0)),
            admittance: ShuntAdmittance::Sequence { y1_s: y, y0_s: y },
            connected: true,
            place: Place(0),
        });
        network
    }

    #[test]
    fn steps_that_follow_everything_have_no_remark() {
        assert_eq!(step_remark(&network(), 50e-6), None);
        // A bank with a period of exactly ten steps; one that is far too small to matter.
        let siemens = 1.0 / 1.5 / 400.0;
        assert_eq!(step_remark(&with_bank(siemens), 100e-6), None);
        assert_eq!(step_remark(&with_bank(1e-6), 100e-6), None);
    }

    #[test]
    fn a_bank_that_swings_with_its_supply_is_named_with_its_period() {
        // 1.5 ohm of the source: of the order 25, so 0.8 ms at 50 Hz.
        let network = with_bank(1.0 / 1.5 / 625.0);
        let remark = step_remark(&network, 100e-6).unwrap();
        assert_eq!((remark.what, &*remark.element), (Fast::Bank, "bank"));
        assert!((remark.time_s - 0.8e-3).abs() < 1e-9, "{remark}");
        assert!((remark.recommended_step_s - 80e-6).abs() < 1e-10, "{remark}");
        let expected = "a step of 100.000 us is too long: `bank` and its supply swing with a \
                        period of 800.000 us, expected 80.000 us or less";
        assert_eq!(remark.to_string(), expected);
        assert_eq!(step_remark(&network, remark.recommended_step_s), None);
    }

    #[test]
    fn charging_counts_as_a_whole() {
        let mut network = network();
        for line in &mut network.lines {
            if let LineImpedance::Sequence(it) = &mut line.impedance {
                it.y1_s = Complex64::new(0.0, 1e-3);
            }
        }
        // Half of 2 mS stands at each end; the network joins all of it by lines and switches, and
        // the two far ends have most of it beside the two near ones, behind 3 ohm or 1.5 ohm.
        let remark = step_remark(&network, 200e-6).unwrap();
        assert_eq!(remark.what, Fast::Part);
        let reactance_ohm: f64 = if &*remark.element == "n1" { 1.5 } else { 3.0 };
        let expected_s = 0.02 * (2e-3 * reactance_ohm).sqrt();
        assert!((remark.time_s / expected_s - 1.0).abs() < 1e-6, "{remark}");
    }

    #[test]
    fn what_a_fault_discharges_through_a_line_is_reported() {
        let mut network = network();
        for line in &mut network.lines {
            if let LineImpedance::Sequence(it) = &mut line.impedance {
                it.y1_s = Complex64::new(0.0, 1e-3);
            }
        }
        // At `n1`, which a switch joins with the busbar and the other feeder, two halves of a line.
        let remark = step_remark_with(&network, 100e-6, &[NodeId(3)]).unwrap();
        assert_eq!(remark.what, Fast::Fault);
        let expected_s = 0.02 * (1e-3 * 1.5_f64).sqrt();
        assert!((remark.time_s / expected_s - 1.0).abs() < 1e-6, "{remark}");
        assert_eq!(step_remark_with(&network, 70e-6, &[NodeId(3)]), None);
        assert_eq!(step_remark(&network, 100e-6), None);
    }

    #[test]
    fn an_offset_is_reported_where_it_is_large() {
        // Behind 2.2 + j 3 ohm it decays with 4.3 ms, at the busbar with 23.9 ms.
        let network = network();
        let remark = step_remark(&network, 1e-3).unwrap();
        assert_eq!(remark.what, Fast::Offset);
        let expected_s = 3.0 / 2.2 / (TAU * 50.0);
        assert!((remark.time_s / expected_s - 1.0).abs() < 1e-6, "{remark}");
        assert!(["n3", "n4"].contains(&&*remark.element), "{remark}");
        // Along thin cables it decays within a step, and is next to nothing.
        let mut thin = network;
        for line in &mut thin.lines {
            if let LineImpedance::Sequence(it) = &mut line.impedance {
                it.z1_ohm = Complex64::new(200.0, 1.5);
            }
        }
        assert_eq!(step_remark(&thin, 1e-3), None);
    }
}
