//! What the points of a simulator's map show of the plant, and what they drive in it.

use lastmeter_devices::endpoint::Driven;
use lastmeter_devices::measured_of_waveforms;
use lastmeter_grid::Network;
use lastmeter_params::{Code, Diagnostics, Span, nearest};
use lastmeter_rts::point_map::{
    Meaning, Point, PointDirection, PointMap, StatusRole, WaveformChannel,
};
use lastmeter_sim::grid::BreakerAt;
use lastmeter_units::MeasurementId;

use super::{DRIVES, MAP, SHOWS};
use crate::draft::{Draft, Row};
use crate::references::References;
use crate::section::device::DEVICE;
use crate::section::grid::Grid;

/// What is written of a point that is to drive nothing.
const NOTHING: &str = "nothing";

/// How many names a message lists.
const LISTED: usize = 12;

/// What a point that the simulator sends shows, by indices of the scenario.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ShownBy {
    /// A quantity where the device of this index is.
    Quantity(usize, MeasurementId),
    /// Instantaneous values where the device of this index is.
    Waveform(usize, WaveformChannel),
    /// Whether a breaker is closed.
    Breaker(BreakerAt),
    /// What was written to a point, by its place among those that are written.
    Echo(usize),
    /// A status of the simulator.
    Status(StatusRole),
    /// The same all the time.
    Word(f64),
}

/// A map that is held against the scenario.
pub(super) struct Binding<'a> {
    pub(super) draft: &'a Draft<'a>,
    pub(super) row: &'a Row<'a>,
    pub(super) map: &'a PointMap,
    /// The index of the simulator's network.
    pub(super) network: usize,
    pub(super) grid: &'a Grid,
    pub(super) references: &'a References,
}

impl Binding<'_> {
    /// What the points show and drive; `None` after a mistake.
    pub(super) fn bind(&self, out: &mut Diagnostics) -> Option<(Vec<ShownBy>, Vec<Driven>)> {
        let before = out.len();
        self.report_tables_without_points(out);
        self.report_devices_without_points(out);
        let shows: Vec<Option<ShownBy>> = self
            .map
            .of_direction(PointDirection::FromSimulator)
            .map(|point| self.shown(point, out))
            .collect();
        let drives: Vec<Option<Driven>> = self
            .map
            .of_direction(PointDirection::ToSimulator)
            .map(|point| self.driven(point, out))
            .collect();
        let all = shows.into_iter().collect::<Option<_>>().zip(drives.into_iter().collect());
        all.filter(|_| out.len() == before)
    }

    /// What a key of the simulator's table has for a point, with its place.
    fn written(&self, key: &str, point: &str) -> Option<(String, Span)> {
        let values = self.row.values.as_ref()?;
        values.get(key)?;
        Some((values.texts(key).remove(point)?, values.span_of(key)))
    }

    fn map_span(&self) -> Span {
        self.row.text(MAP).map_or(self.row.span, |(_, span)| span)
    }

    /// What is written is about points that there are, of the key's direction.
    fn report_tables_without_points(&self, out: &mut Diagnostics) {
        let Some(values) = self.row.values.as_ref() else { return };
        let keys = [
            (SHOWS, PointDirection::FromSimulator, "takes"),
            (DRIVES, PointDirection::ToSimulator, "sends"),
        ];
        for (key, direction, other) in keys {
            if values.get(key).is_none() {
                continue;
            }
            let span = values.span_of(key);
            for name in values.texts(key).keys() {
                let Some(point) = self.map.points.iter().find(|point| point.name == *name) else {
                    let own = self.map.of_direction(direction);
                    let names: Vec<&str> = own.map(|point| point.name.as_str()).collect();
                    let message = format!("the map has no point `{name}`");
                    let label = format!("expected one of {}", names.join(", "));
                    out.report(Code::UNKNOWN_REFERENCE, span, message, label);
                    continue;
                };
                if point.direction != direction {
                    let message = format!("`{name}` is a point that the simulator {other}");
                    let label = format!("not to be written under `{key}`");
                    out.report(Code::DOES_NOT_FIT, span, message, label);
                } else if key == SHOWS && point.meaning != Meaning::Raw {
                    let message = format!("the map states already what `{name}` shows");
                    out.report(Code::DOES_NOT_FIT, span, message, "leave it out here");
                }
            }
        }
    }

    /// What a device on the simulator's network reports is what points carry for it.
    fn report_devices_without_points(&self, out: &mut Diagnostics) {
        let rows = self.draft.rows(&DEVICE);
        for (name, table) in &self.references.devices {
            if self.references.on_networks.of_table.get(*table) != Some(&Some(self.network)) {
                continue;
            }
            let Some(values) = rows.get(*table).and_then(|row| row.values.as_ref()) else {
                continue;
            };
            if values.get("quantities").is_none() {
                continue;
            }
            let carried = self.map.of_direction(PointDirection::FromSimulator);
            let (mut channels, mut names) = (Vec::new(), Vec::new());
            for point in carried {
                match &point.meaning {
                    Meaning::Measured { device, quantity } if device == name => {
                        names.push(quantity.name());
                    }
                    Meaning::Waveform { device, channel } if device == name => {
                        channels.push(*channel);
                    }
                    _ => {}
                }
            }
            // What the adapter measures of waveforms comes beside what points carry.
            let measured = measured_of_waveforms(&channels);
            let carried: Vec<&str> =
                names.into_iter().chain(measured.into_iter().map(MeasurementId::name)).collect();
            let asked = values.text_list("quantities");
            let missing = asked.iter().find(|quantity| !carried.contains(quantity));
            let more = carried.iter().find(|quantity| !asked.contains(quantity));
            let span = values.span_of("quantities");
            if let Some(missing) = missing {
                let message = format!("no point of the map carries `{missing}` of `{name}`");
                let label = format!("the map has {}", carried.join(", "));
                out.report(Code::DOES_NOT_FIT, span, message, label);
            } else if let Some(more) = more {
                let message = format!("a point of the map carries `{more}` of `{name}` too");
                out.report(Code::DOES_NOT_FIT, span, message, "expected it here as well");
            }
        }
    }

    /// The index of a device on the simulator's network.
    fn device(&self, name: &str, point: &Point, out: &mut Diagnostics) -> Option<usize> {
        let devices = &self.references.devices;
        let found = devices.iter().position(|(other, table)| {
            other == name
                && self.references.on_networks.of_table.get(*table) == Some(&Some(self.network))
        });
        if found.is_none() {
            let message = format!(
                "point `{}` (line {}) is of the device `{name}`, which is not on this network",
                point.name, point.line
            );
            let help = format!(
                "add a `[[device]]` named `{name}` of model `simulator-meter` with the same `on`"
            );
            let label = "the map names a device that is missing";
            let code = Code::UNKNOWN_REFERENCE;
            out.report_with_help(code, self.map_span(), message, label, Some(help));
        }
        found
    }

    fn shown(&self, point: &Point, out: &mut Diagnostics) -> Option<ShownBy> {
        match &point.meaning {
            Meaning::Measured { device, quantity } => {
                Some(ShownBy::Quantity(self.device(device, point, out)?, *quantity))
            }
            Meaning::Waveform { device, channel } => {
                Some(ShownBy::Waveform(self.device(device, point, out)?, *channel))
            }
            Meaning::Status(role) => Some(ShownBy::Status(*role)),
            Meaning::Raw => self.shown_by_table(point, out),
        }
    }

    fn shown_by_table(&self, point: &Point, out: &mut Diagnostics) -> Option<ShownBy> {
        let Some((shows, span)) = self.written(SHOWS, &point.name) else {
            let message =
                format!("what point `{}` (line {}) shows is open", point.name, point.line);
            let name = &point.name;
            let help = format!(
                "write `shows = {{ \"{name}\" = \"breaker:NAME\" }}`, `\"point:NAME\"` of a point \
                 that is written, or a number that it always has"
            );
            let label = "a point without a quantity";
            let code = Code::MISSING_KEY;
            out.report_with_help(code, self.map_span(), message, label, Some(help));
            return None;
        };
        if let Ok(word) = shows.parse::<f64>() {
            return Some(ShownBy::Word(word)).filter(|_| word.is_finite());
        }
        if let Some(name) = shows.strip_prefix("breaker:") {
            return self.breaker(name, span, out).map(ShownBy::Breaker);
        }
        if let Some(name) = shows.strip_prefix("point:") {
            let mut written = self.map.of_direction(PointDirection::ToSimulator);
            if let Some(place) = written.position(|other| other.name == name) {
                return Some(ShownBy::Echo(place));
            }
        }
        let message = format!("`{shows}` is nothing that a point shows");
        let label = "expected `breaker:NAME`, `point:NAME` of a point that is written, or a number";
        out.report(Code::UNKNOWN_REFERENCE, span, message, label);
        None
    }

    fn driven(&self, point: &Point, out: &mut Diagnostics) -> Option<Driven> {
        let Some((drives, span)) = self.written(DRIVES, &point.name) else {
            // What nobody orders, or is the simulator's own, drives nothing.
            if point.write.is_none() {
                return Some(Driven::Nothing);
            }
            let name = &point.name;
            let message = format!("what point `{name}` (line {}) drives is open", point.line);
            let help = format!(
                "write `drives = {{ \"{name}\" = \"load:NAME\" }}`, `\"source:NAME\"`, \
                 `\"breaker:NAME\"`, or `\"{NOTHING}\"`"
            );
            let label = "a point that is written, and drives nothing";
            let code = Code::MISSING_KEY;
            out.report_with_help(code, self.map_span(), message, label, Some(help));
            return None;
        };
        if drives == NOTHING {
            return Some(Driven::Nothing);
        }
        if let Some(name) = drives.strip_prefix("breaker:") {
            return self.breaker(name, span, out).map(Driven::Breaker);
        }
        let network = self.network_of_grid()?;
        let load = |name| network.loads.iter().position(|load| &*load.name == name);
        let source = |name| network.sources.iter().position(|source| &*source.name == name);
        let found = match drives.split_once(':') {
            Some(("load", name)) => load(name).map(Driven::LoadPower),
            Some(("source", name)) => source(name).map(Driven::SourceVoltage),
            _ => None,
        };
        if found.is_none() {
            let message = format!("`{drives}` is nothing that a point drives");
            let label = format!(
                "expected `breaker:NAME`, `load:NAME`, `source:NAME` of the network of `[grid]`, or \
                 `{NOTHING}`"
            );
            let loads = network.loads.iter().map(|load| format!("load:{}", load.name));
            let sources = network.sources.iter().map(|source| format!("source:{}", source.name));
            let all: Vec<String> = loads.chain(sources).collect();
            let near = nearest(&drives, all.iter().map(String::as_str));
            let help = near.map_or_else(
                || {
                    let first: Vec<&str> = all.iter().take(LISTED).map(String::as_str).collect();
                    format!("it has {}", first.join(", "))
                },
                |near| format!("did you mean `{near}`?"),
            );
            out.report_with_help(Code::UNKNOWN_REFERENCE, span, message, label, Some(help));
        }
        found
    }

    fn network_of_grid(&self) -> Option<&Network> {
        self.grid.live.as_ref().map(|live| &*live.network)
    }

    fn breaker(&self, name: &str, span: Span, out: &mut Diagnostics) -> Option<BreakerAt> {
        let network = self.network_of_grid()?;
        let found = BreakerAt::named(network, name);
        if found.is_none() {
            let lines = network.lines.iter().map(|line| &*line.name);
            let names: Vec<&str> = lines
                .chain(network.switches.iter().map(|switch| &*switch.name))
                .take(LISTED)
                .collect();
            let message = format!("the network has no line and no switch `{name}`");
            let label = format!("expected one of {}", names.join(", "));
            out.report(Code::UNKNOWN_REFERENCE, span, message, label);
        }
        found
    }
}
