//! `[[source]]`: what makes voltage and current, or flows in a pipe.

use lastmeter_params::{Code, Diagnostics, Field, Kind, Node, NodeValue, Table, Values};
use lastmeter_sim::home::Breaker;
use lastmeter_sim::{
    InjectionContext, InjectionKind, MeteringPoint, SOURCES, Signal, SourceContext, SourceKind,
    Streams, Terminal,
};
use lastmeter_units::{SimDuration, SimTime};

use crate::draft::{Row, Section};
use crate::files::Files;
use crate::names::{SWITCH_PREFIX, numbered};

pub(crate) static SOURCE: Section = Section {
    name: "source",
    noun: "source",
    doc: "What makes voltage and current, or what flows in a pipe.",
    fields: &[
        Field::required("name", Kind::Name, "what devices refer to"),
        Field::optional(
            "count",
            Kind::Integer { min: 1, max: COUNT_MAX },
            "makes so many sources of the table, named NAME-1 to NAME-9, NAME-01 to NAME-50, ...; what \
             is random differs among them",
        ),
        Field::required("kind", Kind::Text, "which source"),
    ],
    kind: Some(("kind", "source kind")),
    entries: || SOURCES.iter().map(|kind| kind.entry).collect(),
    heading: "sources",
    ..Section::REPEATED
};

/// Most sources that one table makes.
const COUNT_MAX: i64 = 1000;

/// Puts in place of each source with a `count` as many tables, each with its number in its name.
pub(crate) fn multiplied(root: &mut Table) {
    let Some(Node { value: NodeValue::Array(list), .. }) = root.get_mut(SOURCE.name) else {
        return;
    };
    *list = std::mem::take(list).into_iter().flat_map(of_table).collect();
}

/// The sources that one table makes: itself, where its name or count cannot be read.
fn of_table(node: Node) -> Vec<Node> {
    let NodeValue::Table(table) = &node.value else { return vec![node] };
    let (Some(name), Some(count)) = (table.get("name"), table.get("count")) else {
        return vec![node];
    };
    let (NodeValue::String(text), NodeValue::Integer(count @ 1..=COUNT_MAX)) =
        (&name.value, &count.value)
    else {
        return vec![node];
    };
    let numbered = |number: i64| {
        let mut own = table.clone();
        own.entries.retain(|entry| entry.key != "count");
        if let Some(name) = own.get_mut("name") {
            name.value = NodeValue::String(numbered(text, number as usize, *count as usize));
        }
        Node { value: NodeValue::Table(own), ..node.clone() }
    };
    (1..=*count).map(numbered).collect()
}

/// The kind of the sources that a network makes; no `[[source]]` can be of it.
pub(crate) const GRID_SOURCE: &str = "grid";

/// The registered kind of a table.
pub(crate) fn kind_of(row: &Row<'_>) -> Option<&'static SourceKind> {
    row.kind_of(SOURCES, |kind| &kind.entry)
}

/// A source with its metering point.
#[derive(Clone)]
pub struct Source {
    /// The source's name.
    pub name: String,
    /// The registered kind's name.
    pub kind: &'static str,
    /// What devices are connected to; `None` if `Scenario::unavailable`, and of a network before it
    /// is played.
    pub metering_point: Option<MeteringPoint>,
    /// What cuts off what is behind it, in a home.
    pub breaker: Option<Breaker>,
}

impl Source {
    /// One that nothing cuts off.
    pub(crate) fn new(
        name: String,
        kind: &'static str,
        metering_point: Option<MeteringPoint>,
    ) -> Self {
        Self { name, kind, metering_point, breaker: None }
    }

    /// Whether it is a place of the network.
    pub fn is_of_network(&self) -> bool {
        self.kind == GRID_SOURCE
    }

    /// The name of the switch of the network that it is, if it is one.
    pub fn switch_name(&self) -> Option<&str> {
        self.metering_point.as_ref()?.switch()?;
        self.name.strip_prefix(SWITCH_PREFIX)
    }

    /// Its terminal, if it is an electrical one that is there.
    pub fn terminal(&self) -> Option<&Terminal> {
        self.metering_point.as_ref()?.terminal()
    }
}

/// Where a source is put, and what happens to it.
pub(crate) struct SourcePlace<'a> {
    pub(crate) streams: Streams,
    pub(crate) start: SimTime,
    /// How long the scenario lasts, if it states it.
    pub(crate) duration: Option<SimDuration>,
    pub(crate) injections: Vec<(&'static InjectionKind, &'a Values)>,
    pub(crate) files: &'a Files<'a>,
}

/// Makes the metering point of a source, with everything that will be injected into it. `None`
/// after a mistake, and if it needs a file that this machine does not have, which is the reason why
/// the scenario is unavailable.
pub(crate) fn build_source(
    kind: &SourceKind,
    values: &Values,
    place: &SourcePlace<'_>,
    unavailable: &mut Option<String>,
    out: &mut Diagnostics,
) -> Option<MeteringPoint> {
    let mut found = Diagnostics::new();
    let read_file = |name: &str| place.files.read(name);
    let context = SourceContext {
        name: values.text("name"),
        streams: &place.streams,
        start: place.start,
        duration: place.duration.unwrap_or_default(),
        read_file: &read_file,
    };
    let signal = (kind.build)(values, &context, &mut found);
    let point = signal.and_then(|signal| disturb(signal, values, place, &mut found));
    // What is not here cannot be wrong; the scenario is skipped with the reason instead.
    if let Some(reason) = place.files.take_unavailable() {
        unavailable.get_or_insert(reason);
        return None;
    }
    let sound = found.is_empty();
    found.take_warnings().into_iter().for_each(|warning| out.warn(warning));
    found.into_sorted().into_iter().for_each(|diagnostic| out.push(diagnostic));
    point.filter(|_| sound)
}

/// The metering point of a signal, into which something may be injected.
fn disturb(
    mut signal: Signal,
    values: &Values,
    place: &SourcePlace<'_>,
    out: &mut Diagnostics,
) -> Option<MeteringPoint> {
    let name = values.text("name");
    for (kind, injection) in &place.injections {
        let Signal::Program(program) = &mut signal else {
            let is_pipe = matches!(signal, Signal::Pipe(_));
            let what = if is_pipe { "is a pipe" } else { "plays a recording" };
            let message = format!("`{name}` {what}, into which nothing can be injected");
            let help = if is_pipe {
                "use the keys of the source, such as `off`"
            } else {
                "make a spectrum table with `lastmeter measure FILE --spectrum TABLE` and a source \
                 of kind `spectrum`"
            };
            let (code, span) = (Code::DOES_NOT_FIT, injection.span_of("source"));
            let label = "expected a source of tones";
            out.report_with_help(code, span, message, label, Some(help.to_owned()));
            continue;
        };
        let context = InjectionContext { phases: program.phases() };
        let until = place.duration.unwrap_or_default();
        if let Some(disturbance) = kind.disturbance(injection, context, until, out) {
            program.disturb(disturbance);
        }
    }
    match signal.metering_point(name, &place.streams) {
        Ok(point) => Some(point),
        Err(error) => {
            let label = "no terminal can be built with what is injected into it";
            out.report(Code::DOES_NOT_FIT, values.span_of("name"), error.to_string(), label);
            None
        }
    }
}

/// The name of a source that is not written is taken, or another could be measured in its place.
pub(crate) fn report_taken(taken: &str, message: &str, rows: &[Row<'_>], out: &mut Diagnostics) {
    for (name, span) in rows.iter().filter_map(|row| row.text("name")) {
        if name == taken {
            out.report(Code::NAME_TAKEN, span, message, "expected another name");
        }
    }
}

/// The sources, behind them the one that plays a test plan or a calibration, then those of a
/// network.
pub(crate) fn sources(
    rows: &[Row<'_>],
    (mut points, grid): (Vec<Option<MeteringPoint>>, Vec<Source>),
    player: Option<&'static str>,
) -> Option<Vec<Source>> {
    let played = player.and_then(|kind| {
        let metering_point = points.pop()?;
        Some(Source::new(kind.to_owned(), kind, metering_point))
    });
    let mut all = Vec::new();
    for (row, metering_point) in rows.iter().zip(points) {
        let name = row.values.as_ref()?.text("name").to_owned();
        all.push(Source::new(name, row.kind?, metering_point));
    }
    all.extend(played.into_iter().chain(grid));
    Some(all)
}
