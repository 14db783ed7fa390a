//! What stands between nodes: lines, links, transformers.

use num_complex::Complex64;

use super::Component;
use super::document::Reader;
use super::json::{Row, RowResult};
use crate::network::{
    Connection, Line, LineImpedance, Magnetising, Matrix, Neutral, Node, NodeId, Place,
    SequenceImpedance, TapChanger, Transformer, Winding, WindingKind, Wires,
};

/// Angular frequency of all such networks, radians per second.
const OMEGA: f64 = std::f64::consts::TAU * super::FREQUENCY_HZ;

/// The ends of a line between two nodes of the same rated voltage, which comes third.
fn ends(reader: &Reader<'_>, row: &Row) -> RowResult<(NodeId, NodeId, f64)> {
    let (from, from_v) = reader.node_of(row, "from_node")?;
    let (to, to_v) = reader.node_of(row, "to_node")?;
    if (from_v - to_v).abs() > 1e-8 {
        return Err(format!(
            "its nodes are rated {from_v} V and {to_v} V; it can only join equal ones"
        ));
    }
    Ok((from, to, from_v))
}

fn push_line(
    reader: &mut Reader<'_>,
    row: &Row,
    (from, to, _): (NodeId, NodeId, f64),
    impedance: LineImpedance,
    rated_current_a: Option<f64>,
) -> RowResult<usize> {
    reader.document.network.lines.push(Line {
        name: row.id.to_string().into(),
        from: Connection::abc(from),
        to: Connection::abc(to),
        from_closed: row.status("from_status")?,
        to_closed: row.status("to_status")?,
        impedance,
        length_m: row.length_m,
        rated_current_a,
        place: Place(row.at.0),
    });
    Ok(reader.document.network.lines.len() - 1)
}

fn charging(capacitance_f: f64, loss_factor: f64) -> Complex64 {
    Complex64::new(loss_factor, 1.0) * (OMEGA * capacitance_f)
}

pub(super) fn line(reader: &mut Reader<'_>, row: &Row) -> RowResult<usize> {
    let ends = ends(reader, row)?;
    let z1_ohm = Complex64::new(row.need("r1")?, row.need("x1")?);
    let y1_s = charging(row.need("c1")?, row.need("tan1")?);
    let zero = ["r0", "x0", "c0", "tan0"].map(|name| row.number(name));
    let (z0_ohm, y0_s) = match zero {
        [Ok(Some(r0)), Ok(Some(x0)), Ok(Some(c0)), Ok(Some(tan0))] => {
            (Complex64::new(r0, x0), charging(c0, tan0))
        }
        found => {
            for value in found {
                value?;
            }
            reader.symmetric_only(Component::Line, row, "has no r0, x0, c0 and tan0");
            (z1_ohm, y1_s)
        }
    };
    for (name, z) in [("r1 and x1", z1_ohm), ("r0 and x0", z0_ohm)] {
        if z == Complex64::ZERO {
            return Err(format!("{name} are both 0; take a link instead"));
        }
    }
    let impedance = LineImpedance::Sequence(SequenceImpedance { z1_ohm, z0_ohm, y1_s, y0_s });
    push_line(reader, row, ends, impedance, row.number("i_n")?)
}

pub(super) fn asym_line(reader: &mut Reader<'_>, row: &Row) -> RowResult<usize> {
    let ends = ends(reader, row)?;
    let wire = ["a", "b", "c", "n"];
    let lower = |kind: &str, i: usize, j: usize| {
        let (i, j) = (i.max(j), i.min(j));
        row.need(&format!("{kind}_{}{}", wire[i], wire[j]))
    };
    let size = if row.number("r_nn")?.is_some() || row.number("x_nn")?.is_some() { 4 } else { 3 };
    let mut series = Matrix::zero(size);
    for i in 0..size {
        for j in 0..size {
            series.rows[i][j] = Complex64::new(lower("r", i, j)?, lower("x", i, j)?);
        }
    }
    if size == 4 {
        series = without_neutral(&series).ok_or_else(|| "r_nn and x_nn are 0".to_owned())?;
    }
    let mut shunt = Matrix::zero(3);
    if let (Some(c0), Some(c1)) = (row.number("c0")?, row.number("c1")?) {
        shunt = Matrix::from_fn(3, |i, j| {
            let own = if i == j { (2.0 * c1 + c0) / 3.0 } else { (c0 - c1) / 3.0 };
            charging(own, 0.0)
        });
    } else {
        for i in 0..3 {
            for j in 0..3 {
                shunt.rows[i][j] = charging(lower("c", i, j)?, 0.0);
            }
        }
    }
    let impedance =
        LineImpedance::Matrix { series_ohm: Box::new(series), shunt_s: Box::new(shunt) };
    push_line(reader, row, ends, impedance, row.number("i_n")?)
}

/// Eliminates the fourth conductor, whose ends are earthed.
fn without_neutral(full: &Matrix) -> Option<Matrix> {
    let own = full.rows[3][3];
    (own != Complex64::ZERO).then(|| {
        Matrix::from_fn(3, |i, j| full.rows[i][j] - full.rows[i][3] * full.rows[3][j] / own)
    })
}

/// A link has an admittance of 1e8 (1 + j) per unit of 1 MVA (`y_link` in its `common.hpp`: 1e6
/// siemens at 10 kV), so it is a line here.
pub(super) fn link(reader: &mut Reader<'_>, row: &Row) -> RowResult<usize> {
    let ends = ends(reader, row)?;
    let base_ohm = ends.2 * ends.2 / 1e6;
    let z = Complex64::new(1e8, 1e8).inv() * base_ohm;
    let none = Complex64::ZERO;
    let impedance =
        LineImpedance::Sequence(SequenceImpedance { z1_ohm: z, z0_ohm: z, y1_s: none, y0_s: none });
    push_line(reader, row, ends, impedance, None)
}

fn winding_kind(row: &Row, name: &str, end: &str) -> RowResult<WindingKind> {
    let earthing = || -> RowResult<Neutral> {
        let r = row.or(&format!("r_grounding_{end}"), 0.0)?;
        Ok(Neutral::Earthed(Complex64::new(r, row.or(&format!("x_grounding_{end}"), 0.0)?)))
    };
    Ok(match row.need_small(name)? {
        0 => WindingKind::Star(Neutral::Isolated),
        1 => WindingKind::Star(earthing()?),
        2 => WindingKind::Delta,
        3 => WindingKind::Zigzag(Neutral::Isolated),
        4 => WindingKind::Zigzag(earthing()?),
        found => return Err(format!("{name} is {found}, expected 0 to 4")),
    })
}

fn clock(row: &Row, name: &str, one: WindingKind, other: WindingKind) -> RowResult<u8> {
    let found = row.need_small(name)?;
    let star = |kind| matches!(kind, WindingKind::Star(_));
    if (found % 2 == 0) != (star(one) == star(other)) {
        return Err(format!(
            "{name} is {found}: even is only possible between two wye windings or two others"
        ));
    }
    Ok(found.rem_euclid(12) as u8)
}

/// The tap changer: its side (0 first), its figures, and how far from nominal it stands.
struct Tap {
    side: i32,
    changer: TapChanger,
    minimum: i32,
    maximum: i32,
}

impl Tap {
    fn read(row: &Row, rated: &[f64]) -> RowResult<Self> {
        let (minimum, maximum) = (row.need_small("tap_min")?, row.need_small("tap_max")?);
        let neutral = row.small("tap_nom")?.unwrap_or(0);
        let position = row.small("tap_pos")?.unwrap_or(neutral);
        let side = row.need_small("tap_side")?;
        let Some(rated) = usize::try_from(side).ok().and_then(|side| rated.get(side)) else {
            let last = rated.len() - 1;
            return Err(format!("tap_side is {side}, expected 0 to {last}"));
        };
        let (lowest, highest) = (minimum.min(maximum), minimum.max(maximum));
        let direction = if maximum > minimum { 1.0 } else { -1.0 };
        let changer = TapChanger {
            step: direction * row.need("tap_size")? / rated,
            position: position.clamp(lowest, highest),
            neutral,
            lowest,
            highest,
        };
        if changer.ratio() <= 0.0 {
            let (size, position) = (row.need("tap_size")?, changer.position);
            return Err(format!("tap_size {size} V leaves no turns at position {position}"));
        }
        Ok(Self { side, changer, minimum, maximum })
    }

    fn at(&self, winding: i32) -> Option<TapChanger> {
        (self.side == winding && (self.changer.step != 0.0)).then_some(self.changer)
    }

    /// A figure that was measured at nominal and perhaps at the extreme taps, where the tap stands.
    fn adjust(&self, row: &Row, name: &str) -> RowResult<f64> {
        let nominal = row.need(name)?;
        let (position, neutral) = (self.changer.position, self.changer.neutral);
        let towards_maximum =
            position.clamp(neutral.min(self.maximum), neutral.max(self.maximum)) == position;
        let (end, suffix) =
            if towards_maximum { (self.maximum, "max") } else { (self.minimum, "min") };
        let extreme = row.or(&format!("{name}_{suffix}"), nominal)?;
        if end == neutral {
            return Ok(nominal);
        }
        let share = f64::from(position - neutral) / f64::from(end - neutral);
        Ok(nominal + (extreme - nominal) * share)
    }
}

/// Resistance by the loss, reactance by what is left of the impedance.
fn impedance(size_pu: f64, loss_pu: f64) -> Complex64 {
    let reactance = (size_pu * size_pu - loss_pu * loss_pu).max(0.0).sqrt();
    Complex64::new(loss_pu, reactance.copysign(size_pu))
}

/// Conductance by the loss, susceptance (inductive) by what is left of the current.
fn magnetising(current_pu: f64, loss_pu: f64) -> Complex64 {
    impedance(current_pu.abs(), loss_pu).conj()
}

fn winding(
    node: NodeId,
    kind: WindingKind,
    rated_voltage_v: f64,
    tap: Option<TapChanger>,
) -> Winding {
    Winding { connection: Connection::abc(node), kind, rated_voltage_v, tap }
}

pub(super) fn transformer(reader: &mut Reader<'_>, row: &Row) -> RowResult<usize> {
    let (from, _) = reader.node_of(row, "from_node")?;
    let (to, _) = reader.node_of(row, "to_node")?;
    let rated = [row.positive("u1")?, row.positive("u2")?];
    let sn = row.positive("sn")?;
    let tap = Tap::read(row, &rated)?;
    row.positive("uk")?;
    let kinds =
        [winding_kind(row, "winding_from", "from")?, winding_kind(row, "winding_to", "to")?];
    let (uk, pk) = (tap.adjust(row, "uk")?, tap.adjust(row, "pk")?);
    let (i0, p0) = (row.need("i0")?, row.need("p0")?);
    let i00 = row.or("i0_zero_sequence", i0)?;
    let p00 = row.or("p0_zero_sequence", p0 + row.need("pk")? * (i00 * i00 - i0 * i0))?;
    let transformer = Transformer {
        name: row.id.to_string().into(),
        windings: vec![
            winding(from, kinds[0], rated[0], tap.at(0)),
            winding(to, kinds[1], rated[1], tap.at(1)),
        ],
        clock: vec![clock(row, "clock", kinds[0], kinds[1])?],
        closed: vec![row.status("from_status")?, row.status("to_status")?],
        rated_power_va: sn,
        short_circuit_pu: vec![impedance(uk, pk / sn)],
        magnetising: Magnetising::BySequence {
            y1_pu: magnetising(i0, p0 / sn),
            y0_pu: magnetising(i00, p00 / sn),
        },
        place: Place(row.at.0),
    };
    reader.document.network.transformers.push(transformer);
    Ok(reader.document.network.transformers.len() - 1)
}

/// A generic branch is a transformer whose figures are given at its `to` side; there is no zero
/// sequence of it.
pub(super) fn generic_branch(reader: &mut Reader<'_>, row: &Row) -> RowResult<usize> {
    let (from, from_v) = reader.node_of(row, "from_node")?;
    let (to, to_v) = reader.node_of(row, "to_node")?;
    let twelfths = row.or("theta", 0.0)? * 6.0 / std::f64::consts::PI;
    if (twelfths - twelfths.round()).abs() > 1e-9 {
        let theta = row.or("theta", 0.0)?;
        return Err(format!(
            "theta is {theta}; only multiples of 30 degrees (pi / 6) can be expressed here"
        ));
    }
    let ratio = match row.number("k")? {
        None => 1.0,
        Some(_) => row.positive("k")?,
    };
    let z_ohm = Complex64::new(row.need("r1")?, row.need("x1")?);
    if z_ohm == Complex64::ZERO {
        return Err("r1 and x1 are both 0; take a link instead".to_owned());
    }
    let sn = row.number("sn")?.filter(|&sn| sn > 0.0).unwrap_or(1e6);
    let base_ohm = to_v * to_v / sn;
    let star = WindingKind::Star(Neutral::Isolated);
    let transformer = Transformer {
        name: row.id.to_string().into(),
        windings: vec![winding(from, star, from_v * ratio, None), winding(to, star, to_v, None)],
        clock: vec![(twelfths.round() as i64).rem_euclid(12) as u8],
        closed: vec![row.status("from_status")?, row.status("to_status")?],
        rated_power_va: sn,
        short_circuit_pu: vec![z_ohm / base_ohm],
        magnetising: Magnetising::BySequence {
            y1_pu: Complex64::new(row.need("g1")?, row.need("b1")?) * base_ohm,
            y0_pu: Complex64::ZERO,
        },
        place: Place(row.at.0),
    };
    reader.symmetric_only(Component::GenericBranch, row, "has no zero sequence");
    reader.document.network.transformers.push(transformer);
    Ok(reader.document.network.transformers.len() - 1)
}

/// The sides of a transformer of three windings.
struct Sides {
    nodes: [NodeId; 3],
    rated_v: [f64; 3],
    sn: [f64; 3],
    kinds: [WindingKind; 3],
    closed: [bool; 3],
}

impl Sides {
    fn read(reader: &Reader<'_>, row: &Row) -> RowResult<Self> {
        let mut sides = Self {
            nodes: [NodeId(0); 3],
            rated_v: [0.0; 3],
            sn: [0.0; 3],
            kinds: [WindingKind::Delta; 3],
            closed: [false; 3],
        };
        for k in 0..3 {
            let side = k + 1;
            sides.nodes[k] = reader.node_of(row, &format!("node_{side}"))?.0;
            sides.rated_v[k] = row.positive(&format!("u{side}"))?;
            sides.sn[k] = row.positive(&format!("sn_{side}"))?;
            sides.kinds[k] = winding_kind(row, &format!("winding_{side}"), &side.to_string())?;
            sides.closed[k] = row.status(&format!("status_{side}"))?;
        }
        Ok(sides)
    }
}

/// With its star point earthed solidly, where it is earthed at all.
fn solid(kind: WindingKind) -> WindingKind {
    let earth = Neutral::Earthed(Complex64::ZERO);
    match kind {
        WindingKind::Star(Neutral::Earthed(_)) => WindingKind::Star(earth),
        WindingKind::Zigzag(Neutral::Earthed(_)) => WindingKind::Zigzag(earth),
        other => other,
    }
}

/// A transformer of three windings is three of two that meet at a node of their own, as
/// power-grid-model does it: the first is star to star and solidly earthed inside.
pub(super) fn three_winding_transformer(reader: &mut Reader<'_>, row: &Row) -> RowResult<usize> {
    let Sides { nodes, rated_v, sn, kinds, closed } = Sides::read(reader, row)?;
    let clocks = [
        0,
        (12 - clock(row, "clock_12", kinds[0], kinds[1])?) % 12,
        (12 - clock(row, "clock_13", kinds[0], kinds[2])?) % 12,
    ];
    let tap = Tap::read(row, &rated_v)?;
    let z = star_of_three(row, &tap, sn)?;
    let magnetising_pu = magnetising(row.need("i0")?, row.need("p0")? / sn[0]);
    // The middle has the first side's voltage, at that side's tap.
    let middle_v = rated_v[0] * tap.at(0).map_or(1.0, |tap| tap.ratio());
    let middle_rated = reader.node_of(row, "node_1")?.1;
    let network = &mut reader.document.network;
    let middle = network.push_node(Node {
        name: format!("{}: middle", row.id).into(),
        wires: Wires::ABC,
        rated_voltage_v: middle_rated,
        position: None,
        place: Place(row.at.0),
    });
    let star = WindingKind::Star(Neutral::Earthed(Complex64::ZERO));
    let at = network.transformers.len();
    for k in 0..3 {
        let (outer, inner, own) = match (k, kinds[0]) {
            (0, WindingKind::Star(Neutral::Earthed(_))) => (kinds[0], star, magnetising_pu),
            (0, _) => (star, star, magnetising_pu),
            (_, first) => (kinds[k], solid(first), Complex64::ZERO),
        };
        network.transformers.push(Transformer {
            name: format!("{}: side {}", row.id, k + 1).into(),
            windings: vec![
                winding(nodes[k], outer, rated_v[k], tap.at(k as i32)),
                winding(middle, inner, middle_v, None),
            ],
            clock: vec![clocks[k]],
            closed: vec![closed[k], true],
            rated_power_va: sn[k],
            short_circuit_pu: vec![z[k]],
            magnetising: Magnetising::BySequence { y1_pu: own, y0_pu: own },
            place: Place(row.at.0),
        });
    }
    Ok(at)
}

/// The star that is equivalent to the three impedances between windings, each side in per unit of
/// its own rated power.
fn star_of_three(row: &Row, tap: &Tap, sn: [f64; 3]) -> RowResult<[Complex64; 3]> {
    let pairs = [(0, 1), (0, 2), (1, 2)];
    let (mut uk, mut pk) = ([0.0; 3], [0.0; 3]);
    for (k, (one, other)) in pairs.into_iter().enumerate() {
        let name = format!("{}{}", one + 1, other + 1);
        row.positive(&format!("uk_{name}"))?;
        let scale = sn[0] / sn[one].min(sn[other]);
        uk[k] = tap.adjust(row, &format!("uk_{name}"))? * scale;
        pk[k] = tap.adjust(row, &format!("pk_{name}"))? * scale * scale;
    }
    let star = |[z12, z13, z23]: [f64; 3]| {
        [0.5 * (z12 + z13 - z23), 0.5 * (z12 + z23 - z13), 0.5 * (z13 + z23 - z12)]
    };
    let (uk, pk) = (star(uk), star(pk));
    Ok([0, 1, 2].map(|k| {
        let scale = sn[k] / sn[0];
        impedance(uk[k] * scale, pk[k] * scale * scale / sn[k])
    }))
}
