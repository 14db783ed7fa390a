//! `[[simulator]]`: a real-time simulator of our own, which plays the network of `[grid]`.

mod points;

use std::collections::BTreeMap;
use std::sync::Arc;

use lastmeter_devices::endpoint::Driven;
use lastmeter_params::{Code, Diagnostics, Field, Kind, Span, nearest};
use lastmeter_rts::point_map::{Feed, FeedSource, PointMap};
use lastmeter_units::SimDuration;

use super::device::DEVICE;
use super::gateway::{GATEWAY, NETWORK_PREFIX, READS_AS, kind_of};
use super::grid::{GRID, Grid, kept_text};
use super::inject::INJECT;
use super::keys::ON;
use super::network::{self, NETWORK};
use crate::draft::{Draft, Row, Section, warn};
use crate::files::Files;
use crate::references::References;
pub use points::ShownBy;

/// The key of the point map, here and of a gateway.
pub(super) const MAP: &str = "map";

/// What topics of committed readings and alerts begin with.
const LIVE: &str = "default/live/";
const REST_INSTEAD: &str = "write `device:NAME/QUANTITY` or `rest:PATH`; beside a scenario topics \
                            are heard by `lastmeter rts bridge`";
const LIVE_TOPICS: &str =
    "write `topic:default/live/device/NAME`, `topic:default/live/alerts`, or `rest:PATH`";

const SHOWS: &str = "shows";
const DRIVES: &str = "drives";

pub(crate) static SIMULATOR: Section = Section {
    name: "simulator",
    noun: "simulator",
    doc: "A real-time simulator of our own in the place of a rack: it solves the network of \
        `[grid]` step by step as the run goes, sends its points in frames over a `[[network]]` of \
        kind `stream`, and obeys what is written to it. A `[[gateway]]` of model \
        `simulator-adapter` on the same network makes readings of it. Points that carry a quantity \
        of a device or a status need no word; what others show and drive is written here.",
    fields: &[
        Field::required("name", Kind::Name, "what injections refer to"),
        Field::required(MAP, Kind::Text, "the file with its point map, as the simulator has it"),
        Field::required(ON, Kind::Text, "the network it is on: `network:NAME`"),
        Field::optional(
            SHOWS,
            Kind::Texts,
            "by point that it sends: `breaker:NAME` (1: closed), `point:NAME` (what was written to \
             that point), or a number that it always has: `shows = { state = \"breaker:B1\" }`",
        ),
        Field::optional(
            DRIVES,
            Kind::Texts,
            "by point that it takes: `breaker:NAME` (a line or a switch), `load:NAME` (its active \
             power), `source:NAME` (its voltage per unit); a point that is not there drives nothing",
        ),
    ],
    rules: &[validate_network_of_simulators, report_streams_without_simulator],
    ..Section::REPEATED
};

/// A table `[[simulator]]`.
#[derive(Clone)]
pub struct SimulatorRow {
    /// The simulator's name.
    pub name: String,
    /// The index of its network.
    pub network: usize,
    /// The points that it sends and takes.
    pub map: Arc<PointMap>,
    /// What the points show that it sends, in the order of the map.
    pub shows: Vec<ShownBy>,
    /// What the points drive that it takes, in the order of the map.
    pub drives: Vec<Driven>,
}

/// A stream is a line for each of its devices; only a simulator sends and takes all of its points
/// on one.
fn report_streams_without_simulator(draft: &Draft<'_>, out: &mut Diagnostics) {
    for row in draft.rows(&NETWORK) {
        let Some((_, span)) = row.text(network::LINE) else { continue };
        let spec = network::kind_of(row).zip(row.values.as_ref());
        let spec = spec.and_then(|(kind, values)| (kind.build)(values, &mut Diagnostics::new()));
        let is_stream = spec.is_some_and(|spec| spec.bits_per_second().is_none());
        if is_stream && !has_adapter(draft, row.name()) {
            let message = "a network of kind `stream` has a line for each of its devices";
            let help = "leave `line` out: the streams are simulated then; only the line of a \
                        simulator, with a `simulator-adapter` on it, is one for all";
            let label = "expected on a network with one line";
            out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
        }
    }
}

/// There is one network to play, and it is played once.
fn validate_network_of_simulators(draft: &Draft<'_>, out: &mut Diagnostics) {
    let rows = draft.rows(&SIMULATOR);
    if let Some(second) = rows.get(1) {
        let message = "a second simulator would play the same network";
        out.report(Code::DOES_NOT_FIT, second.span, message, "expected one `[[simulator]]`");
    }
    if let Some(first) = rows.first().filter(|_| draft.is_left_out(&GRID)) {
        let message = "a simulator plays the network of `[grid]`, which is missing";
        let help = Some("add a `[grid]` with the `file` of one".to_owned());
        let label = "nothing to play";
        out.report_with_help(Code::MISSING_KEY, first.span, message, label, help);
    }
}

/// The file of a map, read; every mistake of it is reported at the key that names it.
fn read_map(
    row: &Row<'_>,
    files: &Files<'_>,
    kept: &mut BTreeMap<String, String>,
    out: &mut Diagnostics,
) -> Option<PointMap> {
    let (name, span) = row.text(MAP)?;
    let text = kept_text((name, span), "expected a point map", files, kept, out)?;
    match PointMap::parse(&text) {
        Ok(map) => Some(map),
        Err(error) => {
            for mistake in &error.0 {
                let message = format!("{name}: {mistake}");
                out.report(Code::FILE_REFUSED, span, message, "the point map of this file");
            }
            None
        }
    }
}

/// Reads the files that gateways' keys name, which are point maps.
pub(crate) fn maps_of_gateways(
    draft: &Draft<'_>,
    files: &Files<'_>,
    kept: &mut BTreeMap<String, String>,
    out: &mut Diagnostics,
) {
    for row in draft.rows(&GATEWAY) {
        let Some(kind) = kind_of(row).filter(|kind| kind.files.contains(&MAP)) else { continue };
        let (Some(map), Some((on, span))) = (read_map(row, files, kept, out), row.text(ON)) else {
            continue;
        };
        report_sources(draft, row, &map, out);
        let is_on = |simulator: &&Row<'_>| simulator.text(ON).is_some_and(|(other, _)| other == on);
        let here = draft.rows(&SIMULATOR).iter().find(is_on);
        let is_real = draft.rows(&NETWORK).iter().any(|network| {
            network.text(network::LINE).is_some()
                && network.name() == on.strip_prefix(NETWORK_PREFIX)
        });
        match here {
            Some(here) if is_real => {
                let message = "the simulator of a real line is at the other end of it";
                let help = "leave `[[simulator]]` out and start one there, such as `lastmeter rts \
                            serve` with it; or leave `line` out";
                let (code, help) = (Code::DOES_NOT_FIT, Some(help.to_owned()));
                out.report_with_help(code, here.span, message, "not beside `line`", help);
            }
            Some(here) => report_differing_maps(row, here, kept, out),
            None if !is_real && draft.all_read(&SIMULATOR) => {
                let message = format!("no simulator is on the network of this {}", kind.entry.name);
                let help = "add a `[[simulator]]` with the same `on`, or the `line` of a network \
                            with a real one";
                let (label, help) = ("nobody sends anything there", Some(help.to_owned()));
                out.report_with_help(Code::MISSING_KEY, span, message, label, help);
            }
            None => {}
        }
    }
}

/// What feeds points has to be there: a credential for the platform, and of topics those that come
/// at sync points, when all before is committed.
fn report_sources(draft: &Draft<'_>, row: &Row<'_>, map: &PointMap, out: &mut Diagnostics) {
    let Some((_, span)) = row.text(MAP) else { return };
    let is_kill = |row: &Row<'_>| row.text("kind").is_some_and(|(kind, _)| kind == "kill");
    let is_killed = draft.rows(&INJECT).iter().any(is_kill);
    for point in &map.points {
        let Some(feed) = point.write.as_ref().and_then(|it| it.fed.as_ref()) else { continue };
        let message = format!("point `{}` (line {}) is fed", point.name, point.line);
        report_strange_device(draft, (&message, span), feed, out);
        if let Some(filter) = feed.filter() {
            let (label, help) = if is_killed {
                // Which readings it had committed by then is chance, and those do not come again.
                ("by a topic of a platform that is killed", REST_INSTEAD)
            } else if filter.starts_with(LIVE) {
                continue;
            } else {
                ("by a topic on which nobody publishes here", LIVE_TOPICS)
            };
            let help = Some(help.to_owned());
            out.report_with_help(Code::DOES_NOT_FIT, span, message, label, help);
        } else if row.text(READS_AS).is_none() {
            let help = "write `reads_as` with the name under which a `[[request]]` kept a token";
            let (code, label) = (Code::MISSING_KEY, "nobody may ask the platform for it");
            out.report_with_help(code, span, message, label, Some(help.to_owned()));
        }
    }
}

/// The device whose readings feed a point is one of the scenario; a node's begin with its name.
fn report_strange_device(
    draft: &Draft<'_>,
    (message, span): (&str, Span),
    feed: &Feed,
    out: &mut Diagnostics,
) {
    let live = feed.filter().and_then(|filter| filter.strip_prefix(LIVE)?.strip_prefix("device/"));
    let named = match &feed.source {
        FeedSource::Device { device, .. } => Some(device.as_str()),
        _ => live.filter(|device| !device.contains(['+', '#', '/'])),
    };
    let rows = draft.rows(&DEVICE).iter().chain(draft.rows(&GATEWAY));
    let names: Vec<&str> = rows.filter_map(Row::name).collect();
    let is_own = |device: &str, name: &str| {
        device.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let all_read = draft.all_read(&DEVICE) && draft.all_read(&GATEWAY);
    let Some(device) = named.filter(|it| all_read && !names.iter().any(|name| is_own(it, name)))
    else {
        return;
    };
    let label = format!("by `{device}`, which is no device of the scenario");
    let help = nearest(device, names).map(|name| format!("did you mean `{name}`?"));
    out.report_with_help(Code::UNKNOWN_REFERENCE, span, message, label, help);
}

/// Two ends of one line that read it by two maps: an experiment, or more likely a mistake.
fn report_differing_maps(
    adapter: &Row<'_>,
    simulator: &Row<'_>,
    kept: &BTreeMap<String, String>,
    out: &mut Diagnostics,
) {
    let (Some((own, span)), Some((other, _))) = (adapter.text(MAP), simulator.text(MAP)) else {
        return;
    };
    if own == other || kept.get(own) == kept.get(other) {
        return;
    }
    let message = format!("the simulator on this line has the map `{other}`");
    let label = "not the map that the simulator sends by";
    let help =
        "write the same `map`, unless what an adapter with a wrong map does is what is tested";
    warn(out, Code::TWO_MAPS, span, message, label, help);
}

/// The simulators, as far as they have no mistake.
pub(crate) fn simulators(
    draft: &Draft<'_>,
    (grid, references): (Option<&Grid>, &References),
    files: &Files<'_>,
    kept: &mut BTreeMap<String, String>,
    out: &mut Diagnostics,
) -> Vec<SimulatorRow> {
    let mut all = Vec::new();
    for row in draft.rows(&SIMULATOR) {
        let map = read_map(row, files, kept, out);
        let network = network_of(draft, row, out);
        let (Some(map), Some(network), Some(grid), Some(name)) = (map, network, grid, row.name())
        else {
            continue;
        };
        validate_periods(draft, (row, &map), out);
        let bound = points::Binding { draft, row, map: &map, network, grid, references };
        if let Some((shows, drives)) = bound.bind(out) {
            let (name, map) = (name.to_owned(), Arc::new(map));
            all.push(SimulatorRow { name, network, map, shows, drives });
        }
    }
    all
}

/// Whether an adapter of simulators is on the network of this name.
fn has_adapter(draft: &Draft<'_>, network: Option<&str>) -> bool {
    let is_adapter =
        |gateway: &&Row<'_>| kind_of(gateway).is_some_and(|kind| kind.files.contains(&MAP));
    let is_on = |gateway: &Row<'_>| {
        gateway.text(ON).and_then(|(on, _)| on.strip_prefix(NETWORK_PREFIX)) == network
    };
    network.is_some() && draft.rows(&GATEWAY).iter().filter(is_adapter).any(is_on)
}

/// Steps and reporting periods are whole multiples of the time between two frames: else a reading
/// has parts of what its reference has not.
fn validate_periods(draft: &Draft<'_>, (row, map): (&Row<'_>, &PointMap), out: &mut Diagnostics) {
    let rate_hz = map.simulator.sample_rate;
    let is_multiple = |time: SimDuration| {
        let frames = time.as_seconds_f64() * rate_hz;
        frames.round() >= 1.0 && (frames - frames.round()).abs() < 1e-6
    };
    let report = |what: &str, time: SimDuration, span, out: &mut Diagnostics| {
        let message = format!("{what} of {time} is not a whole number of frames at {rate_hz} Hz");
        let help = Some(format!(
            "write a multiple of {}, or another `sample_rate` in the point map",
            SimDuration::from_seconds_f64(1.0 / rate_hz)
        ));
        out.report_with_help(Code::DOES_NOT_FIT, span, message, "between two frames", help);
    };
    let grid = draft.values(&GRID);
    let step = grid.and_then(|values| Some((values.duration_opt("step")?, values)));
    if let Some((step, values)) = step.filter(|(step, _)| !is_multiple(*step)) {
        report("a `step`", step, values.span_of("step"), out);
    }
    let on = row.text(ON).map(|(on, _)| on);
    for gateway in draft.rows(&GATEWAY) {
        let Some(values) = gateway.values.as_ref() else { continue };
        if gateway.text(ON).is_none_or(|(other, _)| Some(other) != on) {
            continue;
        }
        if let Some(every) = values.duration_opt("report_every").filter(|it| !is_multiple(*it)) {
            report("a `report_every`", every, values.span_of("report_every"), out);
        }
    }
}

/// The index of a simulator's network, which is one of streams with an adapter.
fn network_of(draft: &Draft<'_>, row: &Row<'_>, out: &mut Diagnostics) -> Option<usize> {
    let (on, span) = row.text(ON)?;
    let name = on.strip_prefix(NETWORK_PREFIX);
    let networks = draft.rows(&NETWORK);
    let found = networks.iter().position(|network| name.is_some() && network.name() == name);
    let Some(found) = found else {
        let names: Vec<&str> = networks.iter().filter_map(Row::name).collect();
        let message = format!("`{on}` is not a network");
        let label = format!("expected `network:` and one of {}", names.join(", "));
        out.report(Code::UNKNOWN_REFERENCE, span, message, label);
        return None;
    };
    if network::kind_of(&networks[found])?.entry.name != "stream" {
        let message = format!("a simulator cannot be on `{on}`");
        out.report(Code::DOES_NOT_FIT, span, message, "expected a network of kind `stream`");
        return None;
    }
    if !has_adapter(draft, name) && draft.all_read(&GATEWAY) {
        let message = "nothing takes what this simulator sends".to_owned();
        let help = format!("add a `[[gateway]]` of model `simulator-adapter` with `on = \"{on}\"`");
        let label = "a network without an adapter";
        out.report_with_help(Code::MISSING_KEY, span, message, label, Some(help));
        return None;
    }
    Some(found)
}
