//! `[[grid.protection]]`: fuses, relays with their breakers, reclosers, sectionalisers, interface
//! protections. Each is a row of [`PROTECTIONS`] in a file of its own (docs/add/protection.md).

mod fuse_link;
mod interface;
mod recloser;
mod relay;
mod sectionalizer;

use lastmeter_grid::Network;
use lastmeter_grid::motion::{Device, Protector};
use lastmeter_grid::protection::SettingError;
use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};

pub(super) use interface::know_frequency;

use super::pieces::Pieces;
use crate::draft::{Naming, Row, Section};

/// Every kind of protective device.
static PROTECTIONS: [&ProtectionKind; 5] = [
    &fuse_link::FUSE_LINK,
    &relay::RELAY,
    &recloser::RECLOSER,
    &sectionalizer::SECTIONALIZER,
    &interface::INTERFACE,
];

/// Keys without effect, and with what they would have one.
type IdleKeys = (&'static [&'static str], &'static str);

type BuiltDevice = Result<Box<dyn Device>, Refusal>;

/// A kind of protective device.
struct ProtectionKind {
    /// Its name, keys and texts.
    entry: Entry,
    /// At which elements it may be, by what stands before their names.
    places: &'static [&'static str],
    /// The message about another place.
    help: Option<&'static str>,
    /// Keys that the others leave without effect, and with what they would have one.
    idle: fn(&Values) -> Option<IdleKeys>,
    /// Makes one of the values and what it is in.
    build: fn(&Values, &Place) -> BuiltDevice,
}

/// What a device is in.
struct Place {
    /// The load at `load:NAME`, by its index in the network; else 0.
    load: usize,
    frequency_hz: f64,
}

/// What most devices may be in, or in front of.
const PLACES: &[&str] = &["switch:", "line:", "transformer:", "load:", "source:"];

const AMPERES: Kind = Kind::Quantity { dimension: Dimension::Current, min: 1e-3, max: 1e6 };
const SECONDS: Kind = Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 1e6 };
const RATIO: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1e3 };

pub(crate) static GRID_PROTECTION: Section = Section {
    name: "grid.protection",
    noun: "protective device",
    doc: "A device that opens a switch of the network by the current through it, or by the voltage \
        in front of it. Needs `resolution` of `[grid]` other than `steps`. Fuses go by the square \
        of the current as it flows, all others by phasors. What one does is in the record as `operated` of `KIND:NAME`.",
    fields: &[
        Field::required("name", Kind::Name, "what it is called"),
        Field::required("kind", Kind::Text, "which device"),
        Field::required(
            "at",
            Kind::Text,
            "`switch:NAME`, `line:NAME` at the end `from` of a line, `transformer:NAME` at its \
             first winding, `load:NAME` or `source:NAME`; each has one device",
        ),
    ],
    naming: Naming::Free,
    kind: Some(("kind", "protective device")),
    entries: || PROTECTIONS.map(|kind| kind.entry).to_vec(),
    heading: "protective devices",
    ..Section::REPEATED
};

/// The devices that have no mistake; the others are reported.
pub(super) fn protectors(
    rows: &[Row<'_>],
    network: &mut Network,
    pieces: &mut Pieces,
    out: &mut Diagnostics,
) -> Vec<Protector> {
    let mut made: Vec<Protector> = Vec::new();
    for row in rows {
        let kind = row.kind_of(PROTECTIONS, |kind| &kind.entry);
        let (Some(kind), Some(values)) = (kind, row.values.as_ref()) else { continue };
        let (at, span) = (values.text("at"), values.span_of("at"));
        if !kind.places.iter().any(|it| at.starts_with(it)) {
            report_place(kind, values, network, out);
            continue;
        }
        let Some(switch) = pieces.switch(at, span, network, out) else { continue };
        let name = format!("{}:{}", kind.entry.name, values.text("name"));
        if made.iter().any(|it| *it.name == *name) {
            let message = format!("there is already a protective device named `{name}`");
            out.report(Code::NAME_TAKEN, values.span_of("name"), message, "used twice");
            continue;
        }
        report_idle_keys(kind, values, out);
        if let Some(other) = made.iter().find(|it| it.switch == switch) {
            let message = format!("`{}` is there already", other.name);
            let help = "put this one into another switch, or in front of a line with `line:NAME`";
            let label = "expected one device at each place";
            out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
            continue;
        }
        let load = at.strip_prefix("load:");
        let load = load.and_then(|name| network.loads.iter().position(|it| &*it.name == name));
        let place = Place { load: load.unwrap_or_default(), frequency_hz: network.frequency_hz };
        match (kind.build)(values, &place) {
            Ok(device) => made.push(Protector { name: name.into(), switch, device }),
            Err(Refusal::Setting(why)) => {
                let label = "these settings cannot be";
                out.report(Code::OUT_OF_RANGE, values.span, format!("`{name}`: {why}"), label);
            }
            Err(Refusal::Text(what, key)) => {
                let message = format!("`{name}`: {what}");
                let label = "see `lastmeter explain`";
                out.report(Code::DOES_NOT_FIT, values.span_of(key), message, label);
            }
        }
    }
    made
}

/// Reports a place that a kind of device cannot be at.
fn report_place(kind: &ProtectionKind, values: &Values, network: &Network, out: &mut Diagnostics) {
    let (at, noun) = (values.text("at"), kind.entry.name);
    let message = format!("`{at}` is not a place of a device of kind `{noun}`");
    let label = match kind.places {
        [only] => format!("expected `{only}NAME`"),
        _ => "expected `switch:NAME`, `line:NAME` or another place of a device".to_owned(),
    };
    let is_switch = || network.switches.iter().any(|own| &*own.name == at);
    let is_line = || network.lines.iter().any(|own| &*own.name == at);
    let help = match kind.help {
        Some(help) => Some(help.to_owned()),
        None if is_switch() => Some(format!("write `switch:{at}`")),
        None => is_line().then(|| format!("write `line:{at}`")),
    };
    out.report_with_help(Code::BAD_NAME, values.span_of("at"), message, label, help);
}

/// Reports keys that the others leave without effect: most likely another device was meant.
fn report_idle_keys(kind: &ProtectionKind, values: &Values, out: &mut Diagnostics) {
    let Some((keys, with)) = (kind.idle)(values) else { return };
    // Defaults that are written out change nothing.
    let is_idle = |key: &&&str| {
        values.get(key).is_some() && values.is_written(key) && !values.is_default(key)
    };
    for key in keys.iter().filter(is_idle) {
        let message = format!("`{key}` has no effect without {with}");
        let help = format!("leave it out, or write {with}");
        let label = "changes nothing here";
        out.report_with_help(Code::DOES_NOT_FIT, values.span_of(key), message, label, Some(help));
    }
}

/// Why there is no such device.
enum Refusal {
    Setting(SettingError),
    Text(String, &'static str),
}

impl From<SettingError> for Refusal {
    fn from(why: SettingError) -> Self {
        Self::Setting(why)
    }
}
