//! Loads by their single-phase parts, and shunts by their matrices.

use num_complex::Complex64;

use super::line::{from_sequence, placed};
use crate::block::{Block, zero};
use crate::network::{
    Configuration, Connection, Fault, Load, LoadModel, Shunt, ShuntAdmittance, VoltageBand, Wire,
    Wires,
};

/// The other end of a part that is connected to earth.
pub const EARTH: u8 = u8::MAX;

/// How the power of a part follows the voltage across it, as a share of the rated one.
#[derive(Clone, Debug, PartialEq)]
pub enum VoltageDependence {
    /// The same power.
    Power,
    /// Its power times the share.
    Current,
    /// Its power times the share squared.
    Impedance,
    /// A sum of the three: powers of constant impedance, constant current and constant power, VA.
    Mixed([Complex64; 3]),
    /// Active power by one exponent, reactive power by another.
    Exponential {
        /// Of the active power.
        active: f64,
        /// Of the reactive power.
        reactive: f64,
    },
}

/// What a part does that is not always the same power.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// Rated voltage across the part, volts.
    pub rated_voltage_v: f64,
    /// How its power follows that.
    pub law: VoltageDependence,
    /// Within which voltages.
    pub band: Option<VoltageBand>,
}

/// A single-phase load between a wire and another one, or earth. There are very many, so what only
/// some of them need stands elsewhere.
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
    /// Its power at rated voltage, VA.
    pub power_va: Complex64,
    /// How that follows the voltage; none if it is the same at any voltage.
    pub follows: Option<Box<Response>>,
}

impl Part {
    /// The power drawn at this voltage across the part, volts; VA.
    pub fn power(&self, voltage_v: f64) -> Complex64 {
        let Some(it) = &self.follows else { return self.power_va };
        let share = voltage_v / it.rated_voltage_v;
        match &it.band {
            Some(band) if share < band.lowest && band.lowest > 0.0 => {
                let [by_share, by_square] = self.below(&it.law, band, share);
                (by_square * share + by_share) * share
            }
            Some(band) if share > band.highest => {
                let share = share / band.highest;
                self.within(&it.law, band.highest) * (share * share)
            }
            _ => self.within(&it.law, share),
        }
    }

    /// Its power below the band, at about this share of the rated voltage: what goes with the share
    /// and what with its square, VA.
    fn below(&self, law: &VoltageDependence, band: &VoltageBand, share: f64) -> [Complex64; 2] {
        let border = self.within(law, band.lowest) / band.lowest;
        match band.turned {
            None => [Complex64::ZERO, border / band.lowest],
            Some(turned) if share <= turned => [Complex64::ZERO, self.power_va],
            // Conjugated currents by rated voltage, from the one at `turned` to that at the border.
            Some(turned) => {
                let slope = (border - self.power_va * turned) / (band.lowest - turned);
                [border - slope * band.lowest, slope]
            }
        }
    }

    fn within(&self, law: &VoltageDependence, share: f64) -> Complex64 {
        match law {
            VoltageDependence::Power => self.power_va,
            VoltageDependence::Current => self.power_va * share,
            VoltageDependence::Impedance => self.power_va * (share * share),
            VoltageDependence::Mixed([impedance, current, power]) => {
                (impedance * share + current) * share + power
            }
            VoltageDependence::Exponential { active, reactive } => Complex64::new(
                self.power_va.re * libm::pow(share, *active),
                self.power_va.im * libm::pow(share, *reactive),
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
        let it = self.follows.as_ref().filter(|it| it.law == VoltageDependence::Impedance)?;
        Some(self.power_va.conj() / (it.rated_voltage_v * it.rated_voltage_v))
    }

    /// Whether it is a constant admittance.
    pub fn is_constant(&self) -> bool {
        self.follows.as_ref().is_some_and(|it| it.law == VoltageDependence::Impedance)
    }

    /// How the power changes with the voltage across the part, VA by volt.
    pub fn slope(&self, voltage_v: f64) -> Complex64 {
        let Some(it) = &self.follows else { return Complex64::ZERO };
        let share = voltage_v / it.rated_voltage_v;
        let by_share = match &it.band {
            Some(band) if share < band.lowest && band.lowest > 0.0 => {
                let [by_share, by_square] = self.below(&it.law, band, share);
                by_square * (2.0 * share) + by_share
            }
            Some(band) if share > band.highest => {
                self.within(&it.law, band.highest) * (2.0 * share / (band.highest * band.highest))
            }
            _ => match &it.law {
                VoltageDependence::Power => Complex64::ZERO,
                VoltageDependence::Current => self.power_va,
                VoltageDependence::Impedance => self.power_va * (2.0 * share),
                VoltageDependence::Mixed(mixed) => mixed[0] * (2.0 * share) + mixed[1],
                VoltageDependence::Exponential { active, reactive } => Complex64::new(
                    self.power_va.re * active * libm::pow(share, active - 1.0),
                    self.power_va.im * reactive * libm::pow(share, reactive - 1.0),
                ),
            },
        };
        by_share / it.rated_voltage_v
    }

    /// With all its powers multiplied by this.
    pub fn scale(&mut self, by: f64) {
        self.power_va *= by;
        if let Some(Response { law: VoltageDependence::Mixed(mixed), .. }) =
            self.follows.as_deref_mut()
        {
            for power in mixed {
                *power *= by;
            }
        }
    }

    /// Makes it draw this power at its rated voltage, VA, by its load's model.
    pub(crate) fn set(&mut self, model: LoadModel, power_va: Complex64) {
        self.power_va = power_va;
        if let Some(it) = &mut self.follows {
            it.law = law(model, power_va);
        }
    }
}

/// What a part of a load does that is not always the same power; none if it is that.
fn follows(load: &Load, power_va: Complex64, rated_voltage_v: f64) -> Option<Box<Response>> {
    if load.model == LoadModel::ConstantPower && load.band.is_none() {
        return None;
    }
    let law = law(load.model, power_va);
    Some(Box::new(Response { rated_voltage_v, law, band: load.band }))
}

/// The rated voltage across the parts of a load, volts; of a balanced circuit's in star.
pub(crate) fn rated_across(load: &Load, balanced: bool) -> f64 {
    if balanced && load.configuration == Configuration::Delta {
        return load.rated_voltage_v / 3.0_f64.sqrt();
    }
    load.rated_voltage_v
}

/// Pairs of wires that parts stand between, or a wire and earth.
#[derive(Clone, Copy)]
pub(crate) struct WirePairs {
    pairs: [(Wire, Option<Wire>); 4],
    count: usize,
}

impl WirePairs {
    pub(crate) fn as_slice(&self) -> &[(Wire, Option<Wire>)] {
        &self.pairs[..self.count]
    }
}

/// Which wires the parts of something stand between; none for [`Configuration::StarIsolated`].
pub(crate) fn parts_between(
    connection: &Connection,
    configuration: Configuration,
) -> Option<WirePairs> {
    let wires = connection.wires.as_slice();
    let mut between = WirePairs { pairs: [(Wire::A, None); 4], count: 0 };
    let mut put = |wire: Wire, against: Option<Wire>| {
        between.pairs[between.count] = (wire, against);
        between.count += 1;
    };
    match configuration {
        Configuration::Star => {
            let (phases, neutral) = match wires {
                [phases @ .., Wire::Neutral] if !phases.is_empty() => (phases, Some(Wire::Neutral)),
                wires => (wires, None),
            };
            for &wire in phases {
                put(wire, neutral);
            }
        }
        Configuration::Delta => match *wires {
            [a, b] => put(a, Some(b)),
            [a, b, c] => {
                put(a, Some(b));
                put(b, Some(c));
                put(c, Some(a));
            }
            _ => {}
        },
        Configuration::StarIsolated => return None,
    }
    Some(between)
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

/// Whether a load can have parts between three wires or four.
pub(super) fn has_parts(load: &Load) -> Result<(), &'static str> {
    match parts_between(&load.connection, load.configuration) {
        None if load.model != LoadModel::ConstantImpedance || load.band.is_some() => Err(
            "its neutral point is isolated: only constant impedances without a band of voltages \
                 can be solved there; describe it as a delta",
        ),
        Some(between) if between.count == 0 || between.count > 3 => {
            Err("its wires make no parts, expected one to three phases")
        }
        _ => Ok(()),
    }
}

/// Adds the parts of a load, which [`has_parts`] has looked at, at a node of the circuit that has
/// three wires or four; but for those between a phase that nothing reaches and a neutral that is
/// reached.
pub(super) fn parts(
    index: u32,
    load: &Load,
    (node, reached): (u32, Wires),
    instead_of_none: Option<Complex64>,
    into: &mut Vec<Part>,
) {
    let rated = load.rated_voltage_v;
    let part = |slot: usize, wire: Wire, against: Option<Wire>, power_va: Complex64| Part {
        node,
        load: index,
        slot: slot as u8,
        wire: wire.index() as u8,
        against: against.map_or(EARTH, |wire| wire.index() as u8),
        power_va,
        follows: follows(load, power_va, rated),
    };
    let Some(between) = parts_between(&load.connection, load.configuration) else {
        let star = load.power_va.map(|power| power.conj() / (rated * rated));
        let mesh = mesh_of_star(load.connection.wires.as_slice(), star);
        let powers = mesh.into_iter().map(|(a, b, y)| (a, b, y.conj() * (rated * rated)));
        into.extend(powers.enumerate().map(|(slot, (a, b, power))| part(slot, a, Some(b), power)));
        return;
    };
    for (slot, (&(wire, against), &power)) in
        between.as_slice().iter().zip(&load.power_va).enumerate()
    {
        if against.is_some_and(|it| reached.contains(it) && !reached.contains(wire)) {
            continue;
        }
        let power = if power == Complex64::ZERO { instead_of_none } else { Some(power) };
        into.extend(power.map(|power| part(slot, wire, against, power)));
    }
}

/// Whether a load can be one of the positive sequence.
pub(super) fn fits_balanced(load: &Load) -> Result<(), &'static str> {
    let wires = load.connection.wires.as_slice();
    if wires.len() < 3 || wires[..3].contains(&Wire::Neutral) {
        return Err("it has not three phases: a balanced solution would not be one of this \
                    network");
    }
    Ok(())
}

/// The positive-sequence part of a three-phase load: the mean of its parts, in star.
pub(super) fn balanced_part(
    index: u32,
    load: &Load,
    node: u32,
    instead_of_none: Option<Complex64>,
) -> Part {
    let power_va = (load.power_va[0] + load.power_va[1] + load.power_va[2]) / 3.0;
    let none = power_va == Complex64::ZERO;
    let power_va = instead_of_none.filter(|_| none).unwrap_or(power_va);
    let follows = follows(load, power_va, rated_across(load, true));
    Part { node, load: index, slot: 0, wire: 0, against: EARTH, power_va, follows }
}

/// How a load of this model and this power follows the voltage.
pub(crate) fn law(model: LoadModel, power: Complex64) -> VoltageDependence {
    match model {
        LoadModel::ConstantPower => VoltageDependence::Power,
        LoadModel::ConstantCurrent => VoltageDependence::Current,
        LoadModel::ConstantImpedance => VoltageDependence::Impedance,
        LoadModel::Exponential { active, reactive } => {
            VoltageDependence::Exponential { active, reactive }
        }
        LoadModel::Zip { active, reactive } => {
            let share = |p: f64, q: f64| Complex64::new(power.re * p, power.im * q);
            VoltageDependence::Mixed([
                share(active.impedance, reactive.impedance),
                share(active.current, reactive.current),
                share(active.power, reactive.power),
            ])
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
            let by_conductor = from_sequence(wires.len(), y1_s, y0_s);
            return Ok(placed(&by_conductor, shunt.connection.wires, shunt.connection.wires));
        }
        ShuntAdmittance::Parts { configuration, y_s } => {
            match parts_between(&shunt.connection, configuration) {
                Some(parts) if (1..=3).contains(&parts.count) => {
                    for (&(a, b), y) in parts.as_slice().iter().zip(y_s) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::ZipShares;

    /// The border and the turn are where pieces meet; its slope is that of its power everywhere.
    #[test]
    fn below_its_band_a_load_turns_into_an_impedance_without_a_leap() {
        let shares = ZipShares { impedance: 0.2, current: 0.3, power: 0.5 };
        for model in [
            LoadModel::ConstantPower,
            LoadModel::ConstantCurrent,
            LoadModel::Exponential { active: 0.8, reactive: 2.0 },
            LoadModel::Zip { active: shares, reactive: shares },
        ] {
            for turned in [None, Some(0.0), Some(0.5)] {
                let power_va = Complex64::new(3000.0, 1000.0);
                let band = Some(VoltageBand { lowest: 0.9, highest: 1.1, turned });
                let law = law(model, power_va);
                let part = Part {
                    node: 0,
                    load: 0,
                    slot: 0,
                    wire: 0,
                    against: EARTH,
                    power_va,
                    follows: Some(Box::new(Response { rated_voltage_v: 230.0, law, band })),
                };
                for border in [0.5, 0.9, 1.1] {
                    let [below, above] = [-1e-9, 1e-9].map(|by| part.power(230.0 * (border + by)));
                    assert!((above - below).norm() < 1e-4, "{model:?} {turned:?} at {border}");
                }
                for share in [0.01, 0.3, 0.6, 0.8, 0.95, 1.2] {
                    let volts = 230.0 * share;
                    let by = (part.power(volts + 1e-4) - part.power(volts - 1e-4)) / 2e-4;
                    let off = (part.slope(volts) - by).norm();
                    assert!(off < 1e-5, "{model:?} {turned:?} at {share}: {off}");
                }
                if turned == Some(0.5) {
                    assert!((part.power(69.0) - power_va * 0.09).norm() < 1e-9);
                }
            }
        }
    }
}
