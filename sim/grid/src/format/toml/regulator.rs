//! Regulators: what moves the taps of a transformer.

use super::reader::Reader;
use super::table::Table;
use super::unit::Unit;
use crate::network::{
    LineDropCompensation, Neutral, Pace, Place, Regulator, TapChanger, WindingKind, Wire, WireList,
};

pub(super) const KEYS: &str =
    "name transformer side set_point band voltage_transformer_ratio wire line_drop enabled";

/// Adds a regulator, whose transformer stands above all regulators.
pub(super) fn make(reader: &mut Reader, table: &mut Table<'_>) -> Option<()> {
    let (called, line) = table.need_text("transformer")?;
    let mut all = (0..).zip(&reader.network.transformers);
    let Some((transformer, own)) = all.find(|(_, it)| &*it.name == called) else {
        reader.not_there(table, "transformer", ("transformer", called), line);
        return None;
    };
    let Some(winding) = own.windings.iter().position(|it| it.tap.is_some_and(can_move)) else {
        let what = format!(
            "transformer {called} has no taps that can move; give it a `tap` with `lowest` and \
             `highest`"
        );
        table.refuse(line, &what);
        return None;
    };
    let at = table.end_named("side").ok()?.unwrap_or(winding);
    if let Some((_, line)) = table.field("line_drop")
        && at != winding
    {
        let what = "line_drop is known only where the side that is measured is that of the taps";
        table.refuse(line, what);
        return None;
    }
    let side = &own.windings[at];
    let ratio = match table.field("voltage_transformer_ratio") {
        None => 1.0,
        Some(_) => table.positive("voltage_transformer_ratio", Unit::Share)?,
    };
    let (wire, against) = measured(table, side.kind, side.connection.wires)?;
    let regulator = Regulator {
        name: Reader::name(table, "regulator", reader.network.regulators.len()),
        transformer,
        winding: winding as u8,
        node: side.connection.node,
        wire,
        against,
        voltage_transformer_ratio: ratio,
        set_point_v: table.positive("set_point", Unit::Volt)?,
        bandwidth_v: table.positive("band", Unit::Volt)?,
        compensation: match table.field("line_drop") {
            None => None,
            Some(_) => Some(line_drop(&table.table("line_drop")?)?),
        },
        pace: Pace::OneByOne,
        enabled: table.truth("enabled").unwrap_or(true),
        place: Place(table.line),
    };
    reader.network.regulators.push(regulator);
    Some(())
}

fn can_move(tap: TapChanger) -> bool {
    tap.lowest < tap.highest
}

/// The wire that is measured, and against what: as a winding of this kind is connected.
fn measured(table: &Table<'_>, kind: WindingKind, wires: WireList) -> Option<(Wire, Option<Wire>)> {
    let wires = wires.as_slice();
    let (name, line) = table.text("wire").unwrap_or(("a", table.line));
    let letter = ["a", "b", "c"].iter().position(|it| *it == name).map(|at| Wire::ALL[at]);
    let Some(at) = letter.and_then(|wire| wires.iter().position(|it| *it == wire)) else {
        table.refuse(line, &format!("wire is {name:?}; a, b or c is expected"));
        return None;
    };
    let against = match kind {
        WindingKind::Delta => Some(wires[(at + 1) % wires.len()]),
        WindingKind::Star(Neutral::Wire | Neutral::WireThrough(_)) => Some(Wire::Neutral),
        _ => None,
    };
    Some((wires[at], against))
}

fn line_drop(own: &Table<'_>) -> Option<LineDropCompensation> {
    own.end("current_transformer r x");
    let setting = |name| match own.field(name) {
        None => Some(0.0),
        Some(_) => own.figure(name, Unit::Volt),
    };
    Some(LineDropCompensation {
        current_transformer_a: own.positive("current_transformer", Unit::Ampere)?,
        resistive_v: setting("r")?,
        reactive_v: setting("x")?,
    })
}
