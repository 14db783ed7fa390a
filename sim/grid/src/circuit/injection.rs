//! Loads by their single-phase parts, and shunts by their matrices.

use num_complex::Complex64;

use super::line::from_sequence;
use crate::block::{Block, zero};
use crate::network::{
    Configuration, Connection, Fault, Load, LoadModel, Shunt, ShuntAdmittance, VoltageBand, Wire,
};

/// The other end of a part that is connected to earth.
pub const EARTH: u8 = u8::MAX;

/// How the power of a part follows the voltage across it, as a share of the rated one.
#[derive(Clone, Debug, PartialEq)]
pub enum Law {
    /// The same power, VA.
    Power(Complex64),
    /// This power times the share.
    Current(Complex64),
    /// This power times the share squared.
    Impedance(Complex64),
    /// A sum of the three.
    Mixed(Box<[Complex64; 3]>),
    /// Active power by one exponent, reactive power by another.
    Exponential(Box<Exponential>),
}

/// A power that follows the voltage by exponents.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exponential {
    /// At rated voltage, VA.
    pub power: Complex64,
    /// Exponent of the active power.
    pub active: f64,
    /// Exponent of the reactive power.
    pub reactive: f64,
}

/// A single-phase load between a wire and another one, or earth.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// At which node of the circuit.
    pub node: u32,
    /// Index into the network's loads.
    pub load: u32,
    /// Which part of that load, from 0.
    pub slot: u8,
    /// From this wire.
    pub wire: u8,
    /// To this one, or [`EARTH`].
    pub against: u8,
    /// Rated voltage across it, volts.
    pub rated_voltage_v: f64,
    /// How it follows that.
    pub law: Law,
    /// Within which voltages.
    pub band: Option<Box<VoltageBand>>,
}

impl Part {
    /// The power drawn at this voltage across the part, volts; VA.
    pub fn power(&self, voltage_v: f64) -> Complex64 {
        let share = voltage_v / self.rated_voltage_v;
        match self.band.as_deref() {
            Some(band) if share < band.lowest && band.lowest > 0.0 => {
                let share = share / band.lowest;
                self.within(band.lowest) * (share * share)
            }
            Some(band) if share > band.highest => {
                let share = share / band.highest;
                self.within(band.highest) * (share * share)
            }
            _ => self.within(share),
        }
    }

    fn within(&self, share: f64) -> Complex64 {
        match &self.law {
            Law::Power(power) => *power,
            Law::Current(power) => *power * share,
            Law::Impedance(power) => *power * (share * share),
            Law::Mixed(mixed) => {
                let [impedance, current, power] = **mixed;
                (impedance * share + current) * share + power
            }
            Law::Exponential(it) => Complex64::new(
                it.power.re * libm::pow(share, it.active),
                it.power.im * libm::pow(share, it.reactive),
            ),
        }
    }

    /// The current drawn at this voltage across the part, amperes; none flows without voltage.
    pub fn current(&self, across: Complex64) -> Complex64 {
        let size = across.norm_sqr();
        if size == 0.0 {
            return Complex64::ZERO;
        }
        // conj(S / V), with the division written out
        (self.power(size.sqrt()).conj() * across) / size
    }

    /// Its admittance if it is a constant one, siemens.
    pub fn admittance(&self) -> Option<Complex64> {
        match self.law {
            Law::Impedance(power) => {
                Some(power.conj() / (self.rated_voltage_v * self.rated_voltage_v))
            }
            _ => None,
        }
    }

    /// Whether it is a constant admittance.
    pub fn is_constant(&self) -> bool {
        matches!(self.law, Law::Impedance(_))
    }

    /// How the power changes with the voltage across the part, VA by volt.
    pub fn slope(&self, voltage_v: f64) -> Complex64 {
        let share = voltage_v / self.rated_voltage_v;
        let by_share = match self.band.as_deref() {
            Some(band) if share < band.lowest && band.lowest > 0.0 => {
                self.within(band.lowest) * (2.0 * share / (band.lowest * band.lowest))
            }
            Some(band) if share > band.highest => {
                self.within(band.highest) * (2.0 * share / (band.highest * band.highest))
            }
            _ => match &self.law {
                Law::Power(_) => Complex64::ZERO,
                Law::Current(power) => *power,
                Law::Impedance(power) => *power * (2.0 * share),
                Law::Mixed(mixed) => mixed[0] * (2.0 * share) + mixed[1],
                Law::Exponential(it) => Complex64::new(
                    it.power.re * it.active * libm::pow(share, it.active - 1.0),
                    it.power.im * it.reactive * libm::pow(share, it.reactive - 1.0),
                ),
            },
        };
        by_share / self.rated_voltage_v
    }
}

/// Which wires the parts of something stand between; none for [`Configuration::StarIsolated`].
pub(crate) fn parts_between(
    connection: &Connection,
    configuration: Configuration,
) -> Option<Vec<(Wire, Option<Wire>)>> {
    let wires = connection.wires.as_slice();
    match configuration {
        Configuration::Star => Some(match wires {
            [phases @ .., Wire::Neutral] if !phases.is_empty() => {
                phases.iter().map(|&wire| (wire, Some(Wire::Neutral))).collect()
            }
            wires => wires.iter().map(|&wire| (wire, None)).collect(),
        }),
        Configuration::Delta => Some(match *wires {
            [a, b] => vec![(a, Some(b))],
            [a, b, c] => vec![(a, Some(b)), (b, Some(c)), (c, Some(a))],
            _ => Vec::new(),
        }),
        Configuration::StarIsolated => None,
    }
}

/// Admittances between wires that do what a star does whose star point is connected to nothing.
fn mesh_of_star(wires: &[Wire], star: [Complex64; 3]) -> Vec<(Wire, Wire, Complex64)> {
    let star = &star[..wires.len().min(3)];
    let sum = star.iter().fold(Complex64::ZERO, |sum, y| sum + y);
    let mut mesh = Vec::new();
    for a in 0..star.len() {
        for b in a + 1..star.len() {
            let y = if sum == Complex64::ZERO { sum } else { star[a] * star[b] / sum };
            mesh.push((wires[a], wires[b], y));
        }
    }
    mesh
}

/// The parts of a load at a node of the circuit that has three wires or four.
pub(super) fn parts(index: u32, load: &Load, node: u32) -> Result<Vec<Part>, Fault> {
    let fault = |what: &str| Fault::new("load", &load.name, load.place, what);
    let part = |slot: usize, wire: Wire, against: Option<Wire>, law: Law, rated_v: f64| Part {
        node,
        load: index,
        slot: slot as u8,
        wire: wire.index() as u8,
        against: against.map_or(EARTH, |wire| wire.index() as u8),
        rated_voltage_v: rated_v,
        law,
        band: load.band.map(Box::new),
    };
    let rated = load.rated_voltage_v;
    let Some(between) = parts_between(&load.connection, load.configuration) else {
        if load.model != LoadModel::ConstantImpedance || load.band.is_some() {
            let what = "its star point is isolated: only constant impedances without a band of \
                        voltages can be solved there; describe it as a delta";
            return Err(fault(what));
        }
        let star = load.power_va.map(|power| power.conj() / (rated * rated));
        let mesh = mesh_of_star(load.connection.wires.as_slice(), star);
        return Ok(mesh
            .into_iter()
            .enumerate()
            .map(|(slot, (a, b, y))| {
                part(slot, a, Some(b), Law::Impedance(y.conj() * (rated * rated)), rated)
            })
            .collect());
    };
    if between.is_empty() || between.len() > 3 {
        return Err(fault("its wires make no parts, expected one to three phases"));
    }
    let parts = between.into_iter().enumerate();
    Ok(parts
        .filter(|&(slot, _)| load.power_va[slot] != Complex64::ZERO)
        .map(|(slot, (wire, against))| {
            part(slot, wire, against, law(load.model, load.power_va[slot]), rated)
        })
        .collect())
}

/// The positive-sequence part of a three-phase load: the mean of its parts, in star.
pub(super) fn balanced_part(index: u32, load: &Load, node: u32) -> Result<Part, Fault> {
    let wires = load.connection.wires.as_slice();
    if wires.len() < 3 || wires[..3].contains(&Wire::Neutral) {
        let what = "it has not three phases: a balanced solution would not be one of this network";
        return Err(Fault::new("load", &load.name, load.place, what));
    }
    let power = (load.power_va[0] + load.power_va[1] + load.power_va[2]) / 3.0;
    let rated = match load.configuration {
        Configuration::Delta => load.rated_voltage_v / 3.0_f64.sqrt(),
        Configuration::Star | Configuration::StarIsolated => load.rated_voltage_v,
    };
    let law = law(load.model, power);
    let (slot, wire, band) = (0, 0, load.band.map(Box::new));
    Ok(Part { node, load: index, slot, wire, against: EARTH, rated_voltage_v: rated, law, band })
}

/// How a load of this model and this power follows the voltage.
pub(crate) fn law(model: LoadModel, power: Complex64) -> Law {
    match model {
        LoadModel::ConstantPower => Law::Power(power),
        LoadModel::ConstantCurrent => Law::Current(power),
        LoadModel::ConstantImpedance => Law::Impedance(power),
        LoadModel::Exponential { active, reactive } => {
            Law::Exponential(Box::new(Exponential { power, active, reactive }))
        }
        LoadModel::Zip { active, reactive } => {
            let share = |p: f64, q: f64| Complex64::new(power.re * p, power.im * q);
            Law::Mixed(Box::new([
                share(active.impedance, reactive.impedance),
                share(active.current, reactive.current),
                share(active.power, reactive.power),
            ]))
        }
    }
}

/// The admittance of a shunt between the wires of its node, siemens.
pub(crate) fn shunt_admittance(shunt: &Shunt) -> Result<Block<4>, Fault> {
    let wires = shunt.connection.wires.as_slice();
    let mut block = zero();
    let mut between = |a: Wire, b: Option<Wire>, y: Complex64| {
        block[a.index()][a.index()] += y;
        if let Some(b) = b {
            block[b.index()][b.index()] += y;
            block[a.index()][b.index()] -= y;
            block[b.index()][a.index()] -= y;
        }
    };
    match shunt.admittance {
        ShuntAdmittance::Sequence { y1_s, y0_s } => {
            let figures = from_sequence(wires.len(), y1_s, y0_s);
            let mut block = zero();
            for (row, a) in wires.iter().enumerate() {
                for (column, b) in wires.iter().enumerate() {
                    block[a.index()][b.index()] = figures[row][column];
                }
            }
            return Ok(block);
        }
        ShuntAdmittance::Parts { configuration, y_s } => {
            match parts_between(&shunt.connection, configuration) {
                Some(parts) if (1..=3).contains(&parts.len()) => {
                    for ((a, b), y) in parts.into_iter().zip(y_s) {
                        between(a, b, y);
                    }
                }
                None if wires.len() <= 3 => {
                    for (a, b, y) in mesh_of_star(wires, y_s) {
                        between(a, Some(b), y);
                    }
                }
                _ => {
                    let what = "its wires make no parts, expected one to three phases";
                    return Err(Fault::new("shunt", &shunt.name, shunt.place, what));
                }
            }
        }
    }
    Ok(block)
}
