//! `[[home]]`: sockets with appliances behind one feed-in, on a supply.

use std::collections::BTreeMap;

use lastmeter_devices::Device;
use lastmeter_params::{
    Code, Diagnostics, Dimension, Field, Kind, Node, NodeValue, Table, Values, is_name,
};
use lastmeter_sim::home::{
    APPLIANCES, Appliance, Breaker, HomeContext, HomesBuilder, Socket, SwitchedOn,
};
use lastmeter_sim::{MeteringPoint, Streams, Terminal};
use lastmeter_units::SimDuration;

use super::device::DEVICE;
use super::grid::GRID;
use super::scenario::{head, is_in_real_time};
use super::source::{SOURCE, Source};
use crate::draft::{Draft, Row, Section};
use crate::names::{HOME_PREFIX, Names, SOURCE_PREFIX};
use crate::references::References;
use crate::scenario::Plans;

/// Most times that one entry switches an appliance on.
const TIMES_MAX: i64 = 100_000;

const TIME: Kind = Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 315_576_000.0 };
const LENGTH: Kind = Kind::Quantity { dimension: Dimension::Time, min: 1e-3, max: 315_576_000.0 };

static ON: [Field; 3] = [
    Field::default("at", TIME, "\"0 s\"", "when it is switched on, since the start"),
    Field::optional("for", LENGTH, "how long it stays so; left out, to the end"),
    Field::optional("every", LENGTH, "again after each such time"),
];

/// Of an appliance that waits for its supply.
const WITH_SUPPLY: &str = "with its supply";

static SOCKETS: [Field; 5] = [
    Field::required("name", Kind::Name, "what it is called within its home"),
    Field::required("load", Kind::Choice(APPLIANCES), "the appliance that is plugged in"),
    Field::default("phase", Kind::Integer { min: 1, max: 3 }, "1", "of the supply"),
    Field::optional(
        "on",
        Kind::List(&Kind::Table(&ON)),
        "when it is switched on; left out, since long before the start",
    ),
    Field::default(
        "begins",
        Kind::Choice(&["when switched on", WITH_SUPPLY]),
        "\"when switched on\"",
        "where a breaker is open when it is switched on: it is in its cycle all the same, or begins \
         once the breaker is closed",
    ),
];

pub(crate) static HOME: Section = Section {
    name: "home",
    noun: "home",
    doc: "A home: sockets with appliances behind one feed-in. Devices are connected with `at = \
        \"home:NAME\"` to its feed-in and with `at = \"home:NAME/SOCKET\"` to a socket. It has the \
        voltages of its supply; what flows into it is the sum of what its sockets take, and the \
        supply carries that of every home on it beside its own currents. Where the breaker of a \
        device opens (`setBreaker`), nothing flows behind it from that instant on. What an \
        appliance takes stands in the catalogue of appliances; its durations vary, each socket's \
        from a random stream of its own. Photovoltaics feed back.",
    fields: &[
        Field::required("name", Kind::Name, "what `at` and checks call it"),
        Field::required("at", Kind::Text, "its supply, `source:NAME`"),
        Field::required(
            "sockets",
            Kind::List(&Kind::Table(&SOCKETS)),
            "its sockets, each with what is plugged in",
        ),
    ],
    rules: &[report_network, report_sockets],
    ..Section::REPEATED
};

/// A network is solved ahead of the run, and cannot follow who switches what.
fn report_network(draft: &Draft<'_>, out: &mut Diagnostics) {
    let Some(row) = draft.rows(&HOME).first().filter(|_| draft.single(&GRID).is_some()) else {
        return;
    };
    let message = "a home cannot stand beside `[grid]`: a network is solved ahead of the run, and \
                   would not follow a breaker that opens";
    let help = "give the home a `[[source]]` as its supply and leave out `[grid]`, or describe what \
                the home takes as a `[[grid.load]]`";
    let label = "expected no network in this scenario";
    out.report_with_help(Code::DOES_NOT_FIT, row.span, message, label, Some(help.to_owned()));
}

/// Sockets have names of their own, and appliances are switched on one time after another.
fn report_sockets(draft: &Draft<'_>, out: &mut Diagnostics) {
    for values in draft.rows(&HOME).iter().filter_map(|row| row.values.as_ref()) {
        let sockets = values.tables("sockets");
        for (number, socket) in sockets.iter().enumerate() {
            let (name, span) = (socket.text("name"), socket.span_of("name"));
            if sockets[..number].iter().any(|other| other.text("name") == name) {
                let message = format!("there is already a socket named `{name}` in this home");
                out.report(Code::NAME_TAKEN, span, message, "used twice");
            }
            let appliance = Appliance::named(socket.text("load"));
            let needs_switching = appliance.is_some_and(Appliance::needs_switching);
            if needs_switching && socket.get("on").is_none() {
                let message = format!("`{name}` runs once, and nobody switches it on");
                let help = "write for example `on = [{ at = \"10 min\" }]`".to_owned();
                let (code, label) = (Code::MISSING_KEY, "expected `on` as well");
                let span = socket.span_of("load");
                out.report_with_help(code, span, message, label, Some(help));
            }
        }
    }
}

/// The names of feed-ins and sockets, in the order of the homes.
pub(crate) fn home_places(rows: &[Row<'_>], all_read: bool) -> Names {
    let is_complete = all_read && rows.iter().all(|row| row.values.is_some());
    let read = rows.iter().filter_map(|row| row.values.as_deref());
    Names::given("place", read.flat_map(names_of), is_complete)
}

/// The feed-in of a home, then its sockets.
fn names_of(values: &Values) -> Vec<String> {
    let name = values.text("name");
    let sockets = values.tables("sockets").into_iter();
    let sockets = sockets.map(|socket| format!("{name}/{}", socket.text("name")));
    std::iter::once(name.to_owned()).chain(sockets).collect()
}

/// The same of a table that is not checked yet, as far as it can be read.
pub(crate) fn names_in(table: &Table) -> Vec<String> {
    let Some(name) = table.text("name") else { return Vec::new() };
    let sockets = match table.get("sockets").map(|node| &node.value) {
        Some(NodeValue::Array(sockets)) => sockets.as_slice(),
        _ => &[],
    };
    let socket = |node: &Node| match &node.value {
        NodeValue::Table(socket) => Some(format!("{name}/{}", socket.text("name")?)),
        _ => None,
    };
    std::iter::once(name.to_owned()).chain(sockets.iter().filter_map(socket)).collect()
}

/// The places of all homes. A supply is given the terminal that carries what they take.
pub(crate) fn homes(
    draft: &Draft<'_>,
    (points, plans): (&mut [Option<MeteringPoint>], &Plans),
    streams: Streams,
    out: &mut Diagnostics,
) -> Vec<Source> {
    let rows: Vec<&Values> =
        draft.rows(&HOME).iter().filter_map(|row| row.values.as_deref()).collect();
    let context = head(draft).and_then(|head| {
        let duration = plans.duration().or(head.duration)?;
        Some(HomeContext { streams: &streams, start: head.start, duration })
    });
    let mut on_supply: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (home, values) in rows.iter().enumerate() {
        if let Some(supply) = supply_of(draft, values, out) {
            on_supply.entry(supply).or_default().push(home);
        }
    }
    let mut taps: Vec<Vec<(Terminal, Breaker)>> = vec![Vec::new(); rows.len()];
    for (supply, homes) in on_supply {
        let own: Vec<&Values> = homes.iter().map(|home| rows[*home]).collect();
        let (Some(point), Some(context)) = (points[supply].as_ref(), context) else { continue };
        let mut wired = wired(point, &own, context, out).into_iter();
        for (home, values) in homes.into_iter().zip(own) {
            taps[home] = wired.by_ref().take(names_of(values).len()).collect();
        }
        points[supply] = wired.next().map(|(terminal, _)| terminal.into());
    }
    let mut places = Vec::new();
    for (values, taps) in rows.into_iter().zip(taps) {
        let mut taps = taps.into_iter();
        for name in names_of(values) {
            let (terminal, breaker) = taps.next().unzip();
            let point = terminal.map(Into::into);
            let source = Source::new(format!("{HOME_PREFIX}{name}"), HOME.name, point);
            places.push(Source { breaker, ..source });
        }
    }
    places
}

/// The index of the source that a home is on; reports one that cannot be it.
fn supply_of(draft: &Draft<'_>, values: &Values, out: &mut Diagnostics) -> Option<usize> {
    let (at, span) = (values.text("at"), values.span_of("at"));
    let Some(name) = at.strip_prefix(SOURCE_PREFIX).filter(|name| is_name(name)) else {
        let message = format!("`{at}` is not a supply of a home");
        let help = Some("write `at = \"source:NAME\"`".to_owned());
        let label = "expected `source:` and the name of a source";
        out.report_with_help(Code::UNKNOWN_REFERENCE, span, message, label, help);
        return None;
    };
    let found = draft.rows(&SOURCE).iter().position(|row| row.name() == Some(name));
    if found.is_none() && draft.all_read(&SOURCE) {
        let message = format!("there is no `[[source]]` named `{name}`");
        out.report(Code::UNKNOWN_REFERENCE, span, message, "not in this scenario");
    }
    found
}

/// The taps of the homes on a supply in their order, the supply's last; none after a mistake.
fn wired(
    supply: &MeteringPoint,
    homes: &[&Values],
    context: HomeContext<'_>,
    out: &mut Diagnostics,
) -> Vec<(Terminal, Breaker)> {
    let Some(first) = homes.first() else { return Vec::new() };
    let (at, span) = (first.text("at"), first.span_of("at"));
    let name = at.strip_prefix(SOURCE_PREFIX).unwrap_or(at);
    let builder = supply.terminal().and_then(|terminal| HomesBuilder::new(terminal, name, context));
    let Some(mut builder) = builder else {
        let message =
            format!("`{at}` is not made of tones at every instant, as a supply has to be");
        let help =
            "take a source of kind `synthetic` or `spectrum`; leave out its ramps, transients, \
                    notches and cut currents"
                .to_owned();
        let label = "expected a source of tones";
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help));
        return Vec::new();
    };
    let mistakes = out.len();
    let phases = builder.phases();
    for values in homes {
        let sockets: Vec<Socket<'_>> = values
            .tables("sockets")
            .into_iter()
            .filter_map(|socket| self::socket(socket, phases, context.duration, out))
            .collect();
        if let Err(error) = builder.home(values.text("name"), &sockets) {
            let label = "no terminal can be built for it";
            out.report(Code::DOES_NOT_FIT, values.span, error.to_string(), label);
        }
    }
    if out.len() > mistakes {
        return Vec::new();
    }
    builder.finish().unwrap_or_else(|error| {
        let label = "no terminal can be built with what is on it";
        out.report(Code::DOES_NOT_FIT, span, error.to_string(), label);
        Vec::new()
    })
}

fn socket<'a>(
    values: &'a Values,
    phases: usize,
    duration: SimDuration,
    out: &mut Diagnostics,
) -> Option<Socket<'a>> {
    let phase = values.integer("phase") as usize;
    if phase > phases {
        let message = format!("phase {phase} of a supply with {phases}");
        out.report(Code::DOES_NOT_FIT, values.span_of("phase"), message, "not there");
        return None;
    }
    let on = match values.get("on") {
        None => vec![SwitchedOn { from: None, until: None }],
        Some(_) => switched_on(values, duration, out)?,
    };
    let appliance = Appliance::named(values.text("load"))?;
    let begins_with_supply = values.text("begins") == WITH_SUPPLY;
    let (name, phase) = (values.text("name"), phase - 1);
    Some(Socket { name, phase, appliance, on, begins_with_supply })
}

/// All times that an appliance is switched on, in order; `None` after a mistake.
fn switched_on(
    values: &Values,
    duration: SimDuration,
    out: &mut Diagnostics,
) -> Option<Vec<SwitchedOn>> {
    let mut all = Vec::new();
    for row in values.tables("on") {
        let (mut from, length) = (row.duration("at"), row.duration_opt("for"));
        let every = row.duration_opt("every");
        if every.is_some_and(|every| duration.0 / every.0.max(1) > TIMES_MAX) {
            let message = format!("switched on more than {TIMES_MAX} times");
            out.report(Code::OUT_OF_RANGE, row.span_of("every"), message, "too often");
            return None;
        }
        while from < duration {
            let until = length.map(|length| from + length);
            all.push(SwitchedOn { from: Some(from), until });
            let Some(every) = every else { break };
            from = from + every;
        }
    }
    all.sort_by_key(|span| span.from);
    let clash = all.windows(2).find(|pair| match pair {
        [first, second] => first.until.is_none_or(|until| second.from.is_some_and(|at| at < until)),
        _ => false,
    });
    if let Some(at) = clash.and_then(|pair| pair[1].from) {
        let message = format!("switched on at {at}, when it is on already");
        let help = Some("give `for`, so that it is switched off before".to_owned());
        let (code, span) = (Code::DOES_NOT_FIT, values.span_of("on"));
        out.report_with_help(code, span, message, "expected one after another", help);
        return None;
    }
    Some(all)
}

/// In real time everybody looks at the plant up to an instant of its own, so a breaker in a home
/// would open behind what others have seen.
pub(crate) fn report_late_breakers(
    draft: &Draft<'_>,
    references: &References,
    devices: &[Option<Box<dyn Device>>],
    out: &mut Diagnostics,
) {
    if !is_in_real_time(draft) {
        return;
    }
    let open = BTreeMap::from([("state".to_owned(), "open".to_owned())]);
    let tables = draft.rows(&DEVICE).iter().zip(devices).zip(&references.source_of_table);
    for ((row, device), source) in tables {
        // Behind the written sources, and the one that plays a plan, there are homes alone.
        let is_in_home = source.is_some_and(|source| source >= references.grid_from);
        let Some(device) = device.as_ref().filter(|_| is_in_home) else { continue };
        let has_unit = row.text("switch").is_some_and(|(word, _)| word != "none");
        if has_unit || device.validate_command("setBreaker", &open).is_none() {
            let message = "a breaker in a home acts in virtual time only";
            let help = "write `time = \"virtual\"`, or take a model without a breaker, or a meter \
                        without a switching unit"
                .to_owned();
            let label = "expected no breaker in real time";
            out.report_with_help(Code::DOES_NOT_FIT, row.span, message, label, Some(help));
        }
    }
}
