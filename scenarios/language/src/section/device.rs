//! `[[device]]`: a device, or many alike.

use std::sync::Arc;
use std::time::Duration;

use lastmeter_devices::{
    BoardContext, DEVICES, Device, DeviceContext, DeviceKind, Fits, TamperKind, VoltageEventKind,
    board_device,
};
use lastmeter_link::channel::{ChannelAddress, MQTT_FIELDS};
use lastmeter_params::{Code, Diagnostics, Dimension, Field, Kind, Pattern, Value, Values};
use lastmeter_reports::check::PlannedReports;
use lastmeter_sim::{DeclaredSpan, Identity, MeteringPoint, Streams, Terminal};
use lastmeter_units::{HardwareId, MeasurementId, SimDuration, SimTime, TenantName};

use super::board::{
    self, BOARD, BoardRow, Boards, report_equal_nodes, report_unservable_boards,
    validate_ways_of_boards,
};
use super::floor::wall;
use super::keys::{AS, EMULATED, HARDWARE, ON};
use super::link::VIA;
use super::network::LINE;
use super::tenant::{self, TENANT, tenant_of, tenant_prefix};
use crate::draft::{Draft, Row, Section, joined};
use crate::names::{COUNT_MAX, HOME_PREFIX, LOAD_PREFIX, PlaceNames, SOURCE_PREFIX, SWITCH_PREFIX};
use crate::references::References;

/// The key of what single devices of a table differ in.
pub(crate) const MEMBER: &str = "member";

/// The key of which quantities arrive.
const REPORTS: &str = "reports";

const READINGS: &str = "readings";
const SPAN_WINDOW: &str = "span_window";
const SPAN_EARLIEST: &str = "span_earliest";
const SPAN_LATEST: &str = "span_latest";

const SPAN_SHIFT: Kind = Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 86_400.0 };

pub(crate) static DEVICE: Section = Section {
    name: "device",
    noun: "device",
    doc: "A device, or with `count` many alike. An override addresses the table and with it all \
        of them: `--set device.meter.report_every=\"5 s\"`; the name of one of them addresses that one: \
        `--set device.meter-07.report_every=\"5 s\"`. A number may be drawn for each of them by the \
        seed, as any number of a scenario may: `\"normal(0 %, 0.3 %)\"`, `truncated`, `uniform`, \
        `triangular`, `table`.",
    fields: &FIELDS,
    kind: Some(("model", "device model")),
    entries: || DEVICES.iter().map(|kind| kind.entry).collect(),
    heading: "devices",
    rules: &[
        |draft, out| validate_ways_of_boards(draft.rows(&DEVICE), draft, out),
        |draft, out| report_unservable_boards(draft.rows(&DEVICE), draft, out),
        |draft, out| report_equal_nodes(draft.rows(&DEVICE), out),
        report_invalid_keep_alive,
        report_superfluous_spans,
    ],
    refers: &[(tenant::OF_DEVICE.name, TENANT.name)],
    ..Section::REPEATED
};

/// The keys of a device by itself.
const OWN: &[Field] = &[
    Field::required("name", Kind::Name, "what checks and injections refer to; its hardware id"),
    Field::optional(
        "count",
        Kind::Integer { min: 1, max: COUNT_MAX },
        "makes so many devices of the table, named NAME-1 to NAME-9, NAME-01 to NAME-50, ...",
    ),
    Field::required(
        "at",
        Kind::Pattern,
        "where it is connected: `source:NAME`, or with a `[grid]` also `load:NAME`, and \
         `switch:NAME` of its drive; `load:*`, \
         `source:flat-*`, a list or another pattern makes a device for each of those that fit, named \
         by this name, a dash and that of the load or source; `!` leaves out: `[\"load:*\", \
         \"!load:12\"]`",
    ),
    Field::optional(
        MEMBER,
        Kind::List(&Kind::Open),
        "tables `[[device.member]]` with keys that single devices of the group have, behind its own: \
         of those whose `name` fits, a name, pattern or list of them, or of as many as `drawn` \
         states, which the seed draws",
    ),
    tenant::OF_DEVICE,
    Field::required("model", Kind::Text, "which device model"),
    Field::default(
        AS,
        Kind::Choice(&["simulated", EMULATED, HARDWARE]),
        "\"simulated\"",
        "how it is there: `emulated` is the firmware of its `board` on an emulated processor, \
         `hardware` is its `board` itself, or what a gateway reads on the `line` of a network",
    ),
    Field::optional(
        LINE,
        Kind::Text,
        "on a CAN bus, in real time: the real line on which its node is, beside those that are \
         simulated: `pty:PATH`, `tty:PATH`, `tcp:HOST:PORT`, `tcp-listen:HOST:PORT`, \
         `udp:HOST:PORT`, with an SLCAN adapter at its other end. It is `hardware` then; devices of \
         one line are behind one adapter",
    ),
    BOARD,
    board::NODE,
    board::LINE,
    Field::default("under_test", Kind::Boolean, "false", "whether it is what the run judges"),
    Field::optional(
        ON,
        Kind::Text,
        "the field network it is on, `network:NAME`; left out, it has a connection to the platform",
    ),
    VIA,
    Field::optional(
        REPORTS,
        Kind::List(&Kind::Text),
        "of readings that are `scheduled`: which of its model's quantities arrive, as identifiers or \
         patterns with *; left out, all of them",
    ),
];

/// What may be declared of the readings of a device that does not announce them.
const SPANS: &[Field] = &[
    Field::optional(
        READINGS,
        Kind::Choice(&["announced", "numbered", "scheduled"]),
        "what identifies its readings: `announced` with number and span, as without this key; \
         `numbered` by the protocol, at instants but without a span; `scheduled` by when they \
         were due and nothing else. Without an announced span the reference is taken over the \
         declared one, and how far it may be off guards the verdicts",
    ),
    Field::optional(
        SPAN_WINDOW,
        Kind::Quantity { dimension: Dimension::Time, min: 1e-3, max: 86_400.0 },
        "what a mean of a reading covers up to the reading's instant; without it, everything \
         since the reading before",
    ),
    Field::optional(
        SPAN_EARLIEST,
        SPAN_SHIFT,
        "how long before the reading's instant its span may end; without it `0 s`",
    ),
    Field::optional(
        SPAN_LATEST,
        SPAN_SHIFT,
        "how long after the reading's instant its span may end; without it `0 s`",
    ),
];

static FIELDS: [Field; OWN.len() + MQTT_FIELDS.len() + SPANS.len()] =
    joined(&[OWN, &MQTT_FIELDS, SPANS]);

pub(crate) fn kind_of(row: &Row<'_>) -> Option<&'static DeviceKind> {
    row.kind_of(DEVICES, |kind| &kind.entry)
}

/// What a device reports by itself, for the checks that are about that.
pub(crate) fn what_it_reports(device: &dyn Device) -> PlannedReports {
    let events = device.watched_events().into_iter().flat_map(|facts| facts.kinds);
    let tamper = device.watched_tamper().into_iter().flat_map(|facts| facts.kinds);
    PlannedReports {
        has_hold_up: device.supply().is_some(),
        events: events.map(VoltageEventKind::word).collect(),
        tamper: tamper.map(TamperKind::word).collect(),
    }
}

/// A device, to be built with `Scenario::build_device`.
#[derive(Clone)]
pub struct DeviceRow {
    /// Its name: its tenant and a dot, unless that is `default`, and its hardware id.
    pub name: String,
    /// Whose device it is.
    pub tenant: TenantName,
    /// The index of the source it is connected to.
    pub source: usize,
    /// The registered model.
    pub kind: &'static DeviceKind,
    /// The index of the network it is on; `None`: it has a connection to the platform.
    pub on: Option<usize>,
    /// Whether it is the thing itself, at the other end of its network's line.
    pub is_hardware: bool,
    /// The real line on which it is by itself, if it is not on that of its network.
    pub line: Option<ChannelAddress>,
    /// The index of the link it is connected through; `None`: straight to the platform.
    pub via: Option<usize>,
    /// Wall time a message may stay unacknowledged before the connection counts as lost.
    pub acknowledge_limit: Duration,
    /// MQTT keep-alive in wall time; zero: none.
    pub keep_alive: Duration,
    /// `TCP_NODELAY` of its connection.
    pub nodelay: bool,
    /// Whether it publishes on a topic of its own.
    pub is_bound: bool,
    /// What it declares of its readings; `None`: it announces them.
    pub declared: Option<DeclaredSpan>,
    /// The board that it is; `None`: it is simulated, or on a network.
    pub board: Option<BoardRow>,
    /// The values of its table, which devices made by `count` share.
    pub values: Arc<Values>,
}

impl DeviceRow {
    /// Its hardware id.
    pub fn hardware_id(&self) -> &str {
        let name = self.name.as_str();
        name.strip_prefix(&tenant_prefix(&self.tenant)).unwrap_or(name)
    }
}

/// Where a device is put.
pub(crate) struct DevicePlace<'a> {
    pub(crate) name: &'a str,
    pub(crate) hardware_id: &'a str,
    pub(crate) start: SimTime,
    pub(crate) streams: Streams,
    /// The node of the network that it is connected to, where that matters.
    pub(crate) node: Option<&'a str>,
    pub(crate) point: &'a MeteringPoint,
    pub(crate) board: Option<&'a BoardRow>,
    /// The CRC-32 of the image that has to be in the board, if that matters.
    pub(crate) image: Option<u32>,
}

pub(crate) fn build_device(
    kind: &DeviceKind,
    values: &Values,
    place: &DevicePlace<'_>,
    out: &mut Diagnostics,
) -> Option<Box<dyn Device>> {
    let terminal = place.point.terminal();
    let context = DeviceContext {
        name: place.name,
        // Every name is a hardware id: names are stricter.
        hardware_id: HardwareId::new(place.hardware_id).ok()?,
        start: place.start,
        streams: &place.streams,
        node: place.node,
        phases: terminal.map_or(0, Terminal::phases),
        has_spectrum: terminal.is_some_and(Terminal::has_spectrum_throughout),
    };
    let device = match place.board {
        None => (kind.build)(values, &context, out)?,
        Some(BoardRow { description, way, .. }) => {
            let board = BoardContext { description, way: *way, image: place.image };
            board_device(kind, values, &context, &board, out)?
        }
    };
    report_unmeasured(values, device.as_ref(), out);
    Some(device)
}

/// MQTT counts its keep-alive in whole seconds (3.1.1, 3.1.2.10).
fn report_invalid_keep_alive(draft: &Draft<'_>, out: &mut Diagnostics) {
    for values in draft.rows(&DEVICE).iter().filter_map(|row| row.values.as_ref()) {
        let seconds = values.si("keep_alive");
        if seconds != seconds.round() {
            let message =
                format!("keep-alive must be a whole number of seconds, and is {seconds} s");
            let label = "MQTT counts it in whole seconds";
            out.report(Code::OUT_OF_RANGE, values.span_of("keep_alive"), message, label);
        }
    }
}

/// Only of a span that is not announced is there anything to declare.
fn report_superfluous_spans(draft: &Draft<'_>, out: &mut Diagnostics) {
    for values in draft.rows(&DEVICE).iter().filter_map(|row| row.values.as_ref()) {
        if identity(values).is_some() {
            continue;
        }
        for key in [SPAN_WINDOW, SPAN_EARLIEST, SPAN_LATEST] {
            if values.get(key).is_some() {
                let message = format!("`{key}` declares what this device announces");
                let label = "expected only with readings that are not announced";
                let help = "write `readings = \"numbered\"` or `\"scheduled\"`, or leave this out";
                let span = values.span_of(key);
                let help = Some(help.to_owned());
                out.report_with_help(Code::DOES_NOT_FIT, span, message, label, help);
            }
        }
    }
}

/// Readings that only their schedule identifies have a period each to themselves: else one that
/// came twice could stand for one that was lost.
pub(crate) fn report_overlapping_spans(row: &Row<'_>, period: SimDuration, out: &mut Diagnostics) {
    let Some(values) = row.values.as_ref() else { return };
    let by_schedule = declared(values).filter(|it| it.identity == Identity::Schedule);
    let Some(DeclaredSpan { earliest, latest, .. }) = by_schedule else { return };
    if earliest + latest < period {
        return;
    }
    let key = if earliest > latest { SPAN_EARLIEST } else { SPAN_LATEST };
    let message = format!(
        "a reading every {period} that may be dated from {earliest} before to {latest} after it is due"
    );
    let help = "make `span_earliest` and `span_latest` together shorter than the reporting period, \
                or identify readings by number";
    let label = "which reading is which would be unknown";
    let help = Some(help.to_owned());
    out.report_with_help(Code::DOES_NOT_FIT, values.span_of(key), message, label, help);
}

/// Whether a table is of the thing itself, on a network.
pub(crate) fn is_hardware(device: &Row<'_>) -> bool {
    let is_real = device.text(AS).is_some_and(|(way, _)| way == HARDWARE);
    device.table.get(ON).is_some() && (is_real || device.text(LINE).is_some())
}

/// Whether a table's readings are identified by when they were due and nothing else.
pub(super) fn is_scheduled(device: &Row<'_>) -> bool {
    device.values.as_ref().and_then(|values| identity(values)) == Some(Identity::Schedule)
}

/// Which of a model's quantities arrive of the devices of a table.
pub fn reported(values: &Values, all: &[MeasurementId]) -> Vec<MeasurementId> {
    if values.get(REPORTS).is_none() {
        return all.to_vec();
    }
    let patterns: Vec<Pattern> = values.text_list(REPORTS).into_iter().map(Pattern::new).collect();
    let is_reported =
        |id: &&MeasurementId| patterns.iter().any(|pattern| pattern.matches(id.name()));
    all.iter().filter(is_reported).copied().collect()
}

/// Each entry of `reports` is about something that the model measures.
pub(crate) fn report_unmeasured(values: &Values, device: &dyn Device, out: &mut Diagnostics) {
    if values.get(REPORTS).is_none() {
        return;
    }
    let is_known = |text: &str| {
        let pattern = Pattern::new(text);
        device.quantities().iter().any(|id| pattern.matches(id.name()))
    };
    for (entry, span) in values.list(REPORTS) {
        let Value::Text(text) = entry else { continue };
        if !is_known(text) {
            let all: Vec<&str> = device.quantities().iter().map(|id| id.name()).collect();
            let message = format!("nothing that this model measures fits `{text}`");
            let label = format!("expected one of {}", all.join(", "));
            out.report(Code::UNKNOWN_REFERENCE, *span, message, label);
        }
    }
    if identity(values) != Some(Identity::Schedule) || values.list(REPORTS).is_empty() {
        let message = "which quantities arrive is known of the model";
        let label = "expected only with `readings = \"scheduled\"`, and never empty";
        out.report(Code::DOES_NOT_FIT, values.span_of(REPORTS), message, label);
    }
}

/// What identifies the readings of a device that does not announce them.
fn identity(values: &Values) -> Option<Identity> {
    match values.text_opt(READINGS) {
        Some("numbered") => Some(Identity::Number),
        Some("scheduled") => Some(Identity::Schedule),
        _ => None,
    }
}

/// What a table declares of its devices' readings.
fn declared(values: &Values) -> Option<DeclaredSpan> {
    Some(DeclaredSpan {
        identity: identity(values)?,
        window: values.duration_opt(SPAN_WINDOW),
        earliest: values.duration_opt(SPAN_EARLIEST).unwrap_or(SimDuration::ZERO),
        latest: values.duration_opt(SPAN_LATEST).unwrap_or(SimDuration::ZERO),
        registers_earliest: None,
    })
}

/// The indices of the sources that the devices of a table are connected to, by `at`: one for
/// all of them, or with a pattern one for each. The loads of a network follow the sources, homes
/// the loads, and switches of the network the homes.
pub(crate) fn sources_of(
    device: &Row<'_>,
    PlaceNames { sources, loads, homes, switches }: PlaceNames<'_>,
    out: &mut Diagnostics,
) -> Vec<usize> {
    let Some((at, span)) = device.text("at") else { return Vec::new() };
    if let Some(pattern) = at.strip_prefix(HOME_PREFIX) {
        let found = homes.fitting(pattern, span, out);
        return found.into_iter().map(|place| sources.len() + loads.len() + place).collect();
    }
    let of_network = [
        (LOAD_PREFIX, loads, sources.len(), "load"),
        (SWITCH_PREFIX, switches, sources.len() + loads.len() + homes.len(), "switch"),
    ];
    for (prefix, names, from, what) in of_network {
        let Some(pattern) = at.strip_prefix(prefix) else { continue };
        if names.len() == 0 && names.is_complete {
            let message =
                format!("`{at}` is a {what} of a network, and the scenario has no network");
            let help = Some("add a `[grid]` with the `file` of one".to_owned());
            let code = Code::UNKNOWN_REFERENCE;
            out.report_with_help(code, span, message, "no network in this scenario", help);
            return Vec::new();
        }
        let found = names.fitting(pattern, span, out);
        return found.into_iter().map(|place| from + place).collect();
    }
    let Some(name) = at.strip_prefix(SOURCE_PREFIX) else {
        let help = match sources.iter().find(|name| *name == at).or_else(|| sources.get(0)) {
            Some(name) => format!("write `at = \"source:{name}\"`"),
            None => "write `at = \"source:NAME\"`".to_owned(),
        };
        let message = format!("`{at}` is not a place to connect a device to");
        let label = "expected `source:` and the name of a source";
        out.report_with_help(Code::UNKNOWN_REFERENCE, span, message, label, Some(help));
        return Vec::new();
    };
    sources.fitting(name, span, out)
}

/// A device is connected to what its model is made for; `None` if it is not.
pub(crate) fn is_of_its_domain(
    device: &Row<'_>,
    point: &MeteringPoint,
    out: &mut Diagnostics,
) -> Option<()> {
    let kind = kind_of(device)?;
    let (own, found) = (kind.fits.domain(), point.domain());
    if own == found {
        return Some(());
    }
    let (at, span) = device.text("at")?;
    let message = format!("`{}` measures {own}, and `{at}` is {found}", kind.entry.name);
    let fit = DEVICES.iter().filter(|kind| kind.fits != Fits::Switch);
    let fit = fit.filter(|kind| kind.fits.domain() == found);
    let fit: Vec<&str> = fit.map(|kind| kind.entry.name).collect();
    let help = format!("connect it to a source of {own}, or use {}", fit.join(", "));
    let label = format!("expected a source of {own}");
    out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help));
    None
}

/// A device that computes from spectra is connected to a source that is tones at every instant, or
/// to what plays such; `None` if it is not.
pub(crate) fn has_spectrum_to_work_on(
    device: &Row<'_>,
    source: Option<&Row<'_>>,
    terminal: Option<&Terminal>,
    out: &mut Diagnostics,
) -> Option<()> {
    // Of a recording that is not here it is known as well.
    let plays_a_recording = match terminal {
        Some(terminal) => terminal.is_recording(),
        None => source.is_some_and(|source| source.kind == Some("recording")),
    };
    let is_tones = !plays_a_recording && terminal.is_none_or(Terminal::has_spectrum_throughout);
    let values = device.values.as_ref()?;
    if is_tones || values.get("fidelity") != Some(&Value::Text("windows".to_owned())) {
        return Some(());
    }
    let label = "expected `samples` with this source";
    let name = source.and_then(Row::name).unwrap_or_default();
    let (message, label, help) = if source.is_none() {
        (
            "the test plan plays waves that are cut, which have no spectrum to compute from"
                .to_owned(),
            "expected `samples` with these tests",
            "write `fidelity = \"samples\"`, or leave those tests out with `tests` of `[test_plan]`",
        )
    } else if plays_a_recording {
        (
            format!("`{name}` plays a recording, which has no spectrum to compute from"),
            label,
            "write `fidelity = \"samples\"`, or make a spectrum table with `lastmeter measure FILE \
             --spectrum TABLE` and a source of kind `spectrum`",
        )
    } else {
        (
            format!("`{name}` is not made of tones all the time, so it has no spectrum there"),
            label,
            "write `fidelity = \"samples\"`, or leave out its ramps, transients, notches and cut \
             currents; steps, dips, flicker and steady harmonics have a spectrum",
        )
    };
    let span = values.span_of("fidelity");
    out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
    None
}

/// The board that the devices of a table are, if they are one.
pub(crate) fn board_of(device: &Row<'_>, boards: &Boards) -> Option<BoardRow> {
    let (name, _) = device.text(BOARD.name)?;
    let mut description = Arc::clone(boards.get(name)?);
    let values = device.values.as_ref()?;
    let node = values.integer_opt(board::NODE.name).and_then(|node| u8::try_from(node).ok());
    if let Some(node) = node {
        Arc::make_mut(&mut description).set_node(node);
    }
    let line = values.text_opt(board::LINE.name).map(str::to_owned);
    Some(BoardRow { description, way: board::way_of(device)?, line })
}

pub(crate) fn devices(
    references: &References,
    tables: &[Row<'_>],
    boards: &Boards,
) -> Option<Vec<DeviceRow>> {
    let device = |((name, table), source): (&(String, usize), &Option<usize>)| {
        let table_of_device = tables.get(*table)?;
        let values = table_of_device.values.as_ref()?;
        Some(DeviceRow {
            name: name.clone(),
            tenant: tenant_of(table_of_device),
            source: (*source)?,
            kind: kind_of(table_of_device)?,
            on: *references.on_networks.of_table.get(*table)?,
            is_hardware: values.text(AS) == HARDWARE || values.get(LINE).is_some(),
            // That it is an address was looked at before.
            line: values.text_opt(LINE).map(str::parse).transpose().ok()?,
            board: board_of(table_of_device, boards),
            via: (*references.via_of_table.get(*table)?).ok()?,
            acknowledge_limit: wall(values, "acknowledge_limit"),
            keep_alive: wall(values, "keep_alive"),
            nodelay: values.boolean("nodelay"),
            is_bound: values.text("input_topic") == "bound",
            declared: declared(values),
            values: Arc::clone(values),
        })
    };
    references.devices.iter().zip(&references.source_of_device).map(device).collect()
}
