//! Loads, generators, capacitors and earthings: what is connected to a node.

use num_complex::Complex64;

use super::reader::Reader;
use super::table::Table;
use super::unit::Unit;
use crate::network::{
    Configuration, Connection, Load, LoadModel, Place, Shunt, ShuntAdmittance, Wire, WireList,
};

/// Where parts are connected, how, how many they are, and the rated voltage across each.
fn parts(reader: &Reader, table: &Table<'_>) -> Option<(Connection, Configuration, usize, f64)> {
    let node = reader.at(table, "node")?;
    let own = &reader.network.nodes[node.index()];
    let default = if own.wires.contains(Wire::Neutral) { "abcn" } else { "abc" };
    let (wires, line_of_wires) = Reader::wires(table, "wires", default)?;
    let connection = reader.connect(table, ("node", node), wires)?;
    let (name, line) = table.text("connection").unwrap_or(("star", table.line));
    let list = wires.as_slice();
    let neutral = list.contains(&Wire::Neutral);
    if list.len() == 2 && !neutral && table.field("connection").is_none() {
        let what = format!(
            "wires {wires} are two phases without a neutral; write connection = \"delta\" for one \
             part between them, or connection = \"star\" for two parts, from each to earth"
        );
        table.refuse(line_of_wires, &what);
        return None;
    }
    let phase = own.rated_voltage_v / 3f64.sqrt();
    match name {
        "star" if !neutral || (list.len() > 1 && list.last() == Some(&Wire::Neutral)) => {
            let parts = list.len() - usize::from(neutral);
            Some((connection, Configuration::Star, parts, phase))
        }
        "delta" if !neutral && list.len() >= 2 => {
            let parts = if list.len() == 2 { 1 } else { 3 };
            Some((connection, Configuration::Delta, parts, own.rated_voltage_v))
        }
        "star" | "delta" => {
            let phases: String = wires.to_string().chars().filter(|&wire| wire != 'n').collect();
            let help = match phases.len() {
                2 | 3 if name == "delta" => {
                    format!("; a delta has no neutral: write wires = \"{phases}\"")
                }
                _ => String::new(),
            };
            table.refuse(line, &format!("wires {wires} make no {name}{help}"));
            None
        }
        other => {
            table.refuse(line, &format!("connection is {other:?}; star and delta exist"));
            None
        }
    }
}

pub(super) fn load(reader: &mut Reader, table: &mut Table<'_>, generator: bool) -> Option<()> {
    let (connection, configuration, parts, rated_voltage_v) = parts(reader, table)?;
    if table.field("p").is_none() {
        table.missing("p");
    }
    let active = spread(table, "p", table.figures("p", Unit::Watt)?, parts)?;
    let reactive = match (table.field("q"), table.figure("power_factor", Unit::Share)) {
        (Some((_, line)), Some(_)) => {
            table.refuse(line, "q and power_factor are both given; leave out one");
            return None;
        }
        (Some(_), None) => spread(table, "q", table.figures("q", Unit::Var)?, parts)?,
        (None, None) => [0.0; 3],
        (None, Some(factor)) if factor != 0.0 && factor.abs() <= 1.0 => {
            let tangent = (1.0 / (factor * factor) - 1.0).sqrt() * factor.signum();
            active.map(|p| p * tangent)
        }
        (None, Some(_)) => {
            let expected = "a number from -1 to 1 without 0 is expected";
            table.refuse_found("power_factor", expected);
            return None;
        }
    };
    let model = match table.text("model") {
        None | Some(("power", _)) => LoadModel::ConstantPower,
        Some(("current", _)) => LoadModel::ConstantCurrent,
        Some(("impedance", _)) => LoadModel::ConstantImpedance,
        Some((other, line)) => {
            table.refuse(line, &format!("model is {other:?}; power, current, impedance exist"));
            return None;
        }
    };
    let sign = if generator { -1.0 } else { 1.0 };
    let kind = if generator { "generator" } else { "load" };
    reader.network.loads.push(Load {
        name: Reader::name(table, kind, reader.network.loads.len()),
        connection,
        configuration,
        power_va: [0, 1, 2].map(|k| Complex64::new(active[k], reactive[k]) * sign),
        model,
        rated_voltage_v,
        band: None,
        connected: table.truth("connected").unwrap_or(true),
        generator,
        place: Place(table.line),
    });
    Some(())
}

pub(super) fn capacitor(reader: &mut Reader, table: &mut Table<'_>) -> Option<()> {
    let (connection, configuration, parts, volts) = parts(reader, table)?;
    if table.field("q").is_none() {
        table.missing("q");
    }
    let reactive = spread(table, "q", table.figures("q", Unit::Var)?, parts)?;
    let y_s = reactive.map(|q| Complex64::new(0.0, q / (volts * volts)));
    reader.network.shunts.push(Shunt {
        name: Reader::name(table, "capacitor", reader.network.shunts.len()),
        connection,
        admittance: ShuntAdmittance::Parts { configuration, y_s },
        connected: table.truth("connected").unwrap_or(true),
        place: Place(table.line),
    });
    Some(())
}

/// From a neutral wire to earth: an electrode.
pub(super) fn earthing(reader: &mut Reader, table: &mut Table<'_>) -> Option<()> {
    let node = reader.at(table, "node")?;
    let connection = reader.connect(table, ("node", node), WireList::single(Wire::Neutral))?;
    let resistance = table.positive("resistance", Unit::Ohm)?;
    let reactance = match table.field("reactance") {
        None => 0.0,
        Some(_) => table.figure("reactance", Unit::Ohm)?,
    };
    let admittance = Complex64::ONE / Complex64::new(resistance, reactance);
    reader.network.shunts.push(Shunt {
        name: Reader::name(table, "earthing", reader.network.shunts.len()),
        connection,
        admittance: ShuntAdmittance::Parts {
            configuration: Configuration::Star,
            y_s: [admittance, Complex64::ZERO, Complex64::ZERO],
        },
        connected: table.truth("connected").unwrap_or(true),
        place: Place(table.line),
    });
    Some(())
}

/// One figure for all parts together, or one for each.
fn spread(
    table: &Table<'_>,
    name: &str,
    (figures, line): (Vec<f64>, u32),
    parts: usize,
) -> Option<[f64; 3]> {
    let mut each = [0.0; 3];
    if let [all] = figures[..] {
        each[..parts].fill(all / parts as f64);
    } else if figures.len() == parts {
        each[..parts].copy_from_slice(&figures);
    } else {
        let count = figures.len();
        table.refuse(line, &format!("{name} has {count} values; one, or {parts} are expected"));
        return None;
    }
    Some(each)
}
