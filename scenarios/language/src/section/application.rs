//! `[[application]]`: a program beside the platform that sees its REST and MQTT.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastmeter_apps::{APPLICATIONS, ApplicationKind, Need};
use lastmeter_grid::Network;
use lastmeter_grid::network::Wire;
use lastmeter_params::{Code, Diagnostics, Dimension, Field, Kind, Values, nearest};
use lastmeter_rts::point_map::PointDirection;
use lastmeter_units::MeasurementId;

use super::device::DEVICE;
use super::gateway::GATEWAY;
use super::grid::Grid;
use super::observer::OBSERVER;
use super::simulator::{SIMULATOR, SimulatorRow};
use super::tenant::TENANT;
use crate::draft::{Draft, Row, Section};
use crate::names::Names;
use crate::references::References;

pub(crate) static APPLICATION: Section = Section {
    name: "application",
    noun: "application",
    doc: "A program beside the platform: it hears of readings and alerts over \
        MQTT, asks REST, and acts by commands and by what it publishes, each with a credential of \
        its own and rights to what its kind needs. What it does not see, it does not know: a \
        reading that came too late or not at all is not there.",
    fields: &[
        Field::required(
            "name",
            Kind::Name,
            "what it is called, and the device as which it publishes",
        ),
        Field::required("kind", Kind::Text, "which application"),
        Field::default(
            "as",
            Kind::Choice(&[TASK, PROCESS]),
            "\"task\"",
            "in real time: whether it runs within the bench, or as `lastmeter app`, a process of \
             its own; in virtual time the bench moves it",
        ),
        spread(
            "line_spread",
            "of the network that `fault-location` is given: the standard deviation of each \
            line's resistance and reactance about the declared ones",
        ),
        Field::default(
            "line_error",
            Kind::Quantity { dimension: Dimension::Ratio, min: -0.9, max: 10.0 },
            "\"0 %\"",
            "of the network that `fault-location` is given: by how much all lines are off \
            together",
        ),
        spread(
            "load_spread",
            "of the network that `fault-location` is given: by how much each load's power is \
            off at most",
        ),
    ],
    kind: Some(("kind", "application")),
    entries: || APPLICATIONS.iter().map(|kind| kind.entry).collect(),
    heading: "applications",
    refers: &[("of", "device"), ("device", "device"), ("recorder", "device")],
    rules: &[validate_application_values],
    ..Section::REPEATED
};

/// The keys of what is wrong with the network that an application is given, and the kinds to which
/// that makes a difference.
const OF_NETWORK: [&str; 3] = ["line_spread", "line_error", "load_spread"];
const MINDING: &[&str] = &["fault-location"];
/// What a `recorder` has to be.
const FAULT_RECORDER: &str = "fault-recorder";

/// How it runs in real time.
const TASK: &str = "task";
const PROCESS: &str = "process";

const fn spread(name: &'static str, doc: &'static str) -> Field {
    let kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1.0 };
    Field::default(name, kind, "\"0 %\"", doc)
}

/// How well an application knows its network, each a ratio.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KnownNetwork {
    /// Standard deviation of each line's resistance and reactance.
    pub line_spread: f64,
    /// By how much all lines are off together.
    pub line_error: f64,
    /// By how much each load's power is off at most.
    pub load_spread: f64,
}

/// A table `[[application]]`.
#[derive(Clone, Debug)]
pub struct ApplicationRow {
    /// The application's name.
    pub name: String,
    /// What it is.
    pub kind: &'static ApplicationKind,
    /// Whether it runs as a process of its own.
    pub is_process: bool,
    /// How well it knows its network, if it is given one.
    pub known: KnownNetwork,
    /// Its keys.
    pub values: Arc<Values>,
}

impl ApplicationRow {
    /// Whether it is given the network, and whether it gives commands to devices at it.
    pub fn network(&self) -> Option<bool> {
        self.kind.needs.iter().find_map(|need| match need {
            Need::Network { commands } => {
                Some(commands.is_some_and(|field| self.values.integer(field) > 0))
            }
            Need::Reads { .. } | Need::Commands(_) => None,
        })
    }

    /// The devices that it names: the indices of those it reads, and of those it gives commands.
    pub fn devices(&self, position: impl Fn(&str) -> Option<usize>) -> [Vec<usize>; 2] {
        let [mut reads, mut commands] = [Vec::new(), Vec::new()];
        for need in self.kind.needs {
            match need {
                Need::Reads { device, .. } => reads.extend(position(self.values.text(device))),
                Need::Commands(device) => commands.extend(position(self.values.text(device))),
                Need::Network { .. } => {}
            }
        }
        [reads, commands]
    }
}

/// The applications; `None` only where a mistake was reported before.
pub(crate) fn applications(draft: &Draft<'_>, devices: &Names) -> Option<Vec<ApplicationRow>> {
    draft.rows(&APPLICATION).iter().map(|row| application(row, devices)).collect()
}

/// Name and kind of each application.
pub(crate) fn names_and_kinds(draft: &Draft<'_>) -> Vec<(String, String)> {
    let of = |row: &Row<'_>| {
        let [name, kind] = ["name", "kind"].map(|key| row.text(key));
        Some((name?.0.to_owned(), kind?.0.to_owned()))
    };
    draft.rows(&APPLICATION).iter().filter_map(of).collect()
}

/// At the platform an application is a device of its name, in the tenant of those that it names,
/// and so are gateways; and of several connections of one name the platform keeps the last.
pub(crate) fn report_shared_names(
    draft: &Draft<'_>,
    by_section: &BTreeMap<&'static str, Names>,
    out: &mut Diagnostics,
) {
    let tenants = draft.rows(&TENANT).iter().filter_map(Row::name);
    let prefixes: Vec<String> = tenants.map(|tenant| format!("{tenant}.")).collect();
    for row in draft.rows(&APPLICATION) {
        let Some((name, span)) = row.reference("name") else { continue };
        let named = APPLICATION.refers.iter().find_map(|(key, _)| row.reference(key));
        let prefix = prefixes.iter().find(|it| named.is_some_and(|(of, _)| of.starts_with(*it)));
        let own = format!("{}{name}", prefix.map_or("", String::as_str));
        let others = [&DEVICE, &GATEWAY, &OBSERVER];
        let is_taken = |other: &&&Section| by_section[other.name].position(&own).is_some();
        if let Some(other) = others.iter().find(is_taken) {
            let article = if other.noun.starts_with('o') { "an" } else { "a" };
            let message = format!("`{own}` is {article} {} too", other.noun);
            let label = "expected another name: at the platform they would share it";
            out.report(Code::NAME_TAKEN, span, message, label);
        }
    }
}

fn application(row: &Row<'_>, devices: &Names) -> Option<ApplicationRow> {
    let kind = row.kind_of(APPLICATIONS, |kind| &kind.entry)?;
    let values = Arc::clone(row.values.as_ref()?);
    for need in kind.needs {
        match need {
            Need::Reads { device, quantity, .. } => {
                devices.position(values.text(device))?;
                MeasurementId::lookup(values.text(quantity))?;
            }
            Need::Commands(device) => _ = devices.position(values.text(device))?,
            Need::Network { .. } => {}
        }
    }
    let known = KnownNetwork {
        line_spread: values.si("line_spread"),
        line_error: values.si("line_error"),
        load_spread: values.si("load_spread"),
    };
    let is_process = values.text("as") == PROCESS;
    Some(ApplicationRow { name: row.name()?.to_owned(), kind, is_process, known, values })
}

/// What a controller sets is a point that a simulator of ours takes for its device.
fn report_missing_points(draft: &Draft<'_>, simulators: &[SimulatorRow], out: &mut Diagnostics) {
    // One that could not be read has its own message.
    if simulators.is_empty() || simulators.len() != draft.rows(&SIMULATOR).len() {
        return;
    }
    let controllers = draft.rows(&APPLICATION).iter();
    for row in controllers.filter(|row| row.kind == Some("controller")) {
        let Some(values) = row.values.as_ref() else { continue };
        let (name, device) = (values.text("point"), values.text("device"));
        let points =
            simulators.iter().flat_map(|it| it.map.of_direction(PointDirection::ToSimulator));
        let own: Vec<&str> = points
            .filter(|point| {
                let commanded = point.write.as_ref().and_then(|write| write.commanded.as_ref());
                commanded.is_some_and(|it| it.device == device && !it.is_breaker)
            })
            .map(|point| point.name.as_str())
            .collect();
        if own.is_empty() || own.contains(&name) {
            continue;
        }
        let message = format!("`{device}` has no point `{name}` that is set by commands");
        let near = nearest(name, own.iter().copied());
        let help = near.map(|near| format!("did you mean `{near}`?"));
        let label = format!("expected one of {}", own.join(", "));
        out.report_with_help(
            Code::UNKNOWN_REFERENCE,
            values.span_of("point"),
            message,
            label,
            help,
        );
    }
}

/// The network of an application is one that it can be given, and has the station that it names;
/// its recorder is one, and there is a point that it sets.
pub(crate) fn report_unfit(
    draft: &Draft<'_>,
    (grid, simulators): (Option<&Grid>, &[SimulatorRow]),
    references: &References,
    out: &mut Diagnostics,
) {
    report_missing_points(draft, simulators, out);
    for row in draft.rows(&APPLICATION) {
        let kind = row.kind_of(APPLICATIONS, |kind| &kind.entry);
        let (Some(values), Some(kind)) = (row.values.as_ref(), kind) else { continue };
        report_unfit_recorder(draft, values, references, out);
        if !kind.needs.iter().any(|need| matches!(need, Need::Network { .. })) {
            continue;
        }
        if let Some(network) = grid.and_then(|grid| grid.declared.as_deref()) {
            report_unfit_network(kind, values, network, out);
        } else if grid.is_none() {
            let message = format!("`{}` works on the network, and there is none", kind.entry.name);
            let label = "expected a `[grid]` beside it";
            out.report(Code::DOES_NOT_FIT, values.span_of("kind"), message, label);
        }
    }
}

/// The network is given as JSON of power-grid-model, which has three wires everywhere.
fn report_unfit_network(
    kind: &ApplicationKind,
    values: &Values,
    network: &Network,
    out: &mut Diagnostics,
) {
    if let Some(node) = network.nodes.iter().find(|node| node.wires.contains(Wire::Neutral)) {
        let message = format!(
            "`{}` is given the network as JSON of power-grid-model, which has no neutral wires, \
             found one at node `{}`",
            kind.entry.name, node.name
        );
        let label = "expected a network with the wires a, b and c";
        let help = "leave `n` out of the `wires` of the network: then the neutral is earth, and \
                    `r0` and `x0` of lines are those of the way back";
        let span = values.span_of("kind");
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
    }
    let Some(station) = values.text_opt("station") else { return };
    let sources = network.sources.iter().map(|it| &*it.name);
    let lines = network.lines.iter().map(|it| &*it.name);
    let nodes = network.nodes.iter().map(|it| &*it.name);
    let names: Vec<&str> = sources.chain(nodes).chain(lines).collect();
    // Switches are lines of the network that is given.
    let is_switch = network.switches.iter().any(|it| &*it.name == station);
    if !is_switch && !names.contains(&station) {
        let message = format!("the network has no source, node or line named `{station}`");
        let near = nearest(station, names.iter().copied());
        let help = near.map(|near| format!("did you mean `{near}`?"));
        let (code, label) = (Code::UNKNOWN_REFERENCE, "not in the network");
        out.report_with_help(code, values.span_of("station"), message, label, help);
    }
}

fn report_unfit_recorder(
    draft: &Draft<'_>,
    values: &Values,
    references: &References,
    out: &mut Diagnostics,
) {
    let model_of = |name: &str| {
        let (_, table) = references.devices.get(references.device_names.position(name)?)?;
        draft.rows(&DEVICE).get(*table)?.kind
    };
    let recorder = values.text_opt("recorder");
    let found = recorder.and_then(|name| Some((name, model_of(name)?)));
    if let Some((name, model)) = found.filter(|(_, model)| *model != FAULT_RECORDER) {
        let message = format!("`{name}` is a device of model `{model}`, which records no faults");
        let label = format!("expected a device of model `{FAULT_RECORDER}`");
        out.report(Code::DOES_NOT_FIT, values.span_of("recorder"), message, label);
    }
    let tenants = draft.rows(&TENANT).iter().filter_map(Row::name);
    let is_of = |tenant: &str| {
        let of = recorder.and_then(|name| name.strip_prefix(tenant));
        of.is_some_and(|rest| rest.starts_with('.'))
    };
    if let Some(tenant) = tenants.into_iter().find(|tenant| is_of(tenant)) {
        let message =
            format!("the recorder is one of tenant `{tenant}`, whose blocks it cannot see");
        let label = "expected one of the default tenant, as the network is";
        out.report(Code::DOES_NOT_FIT, values.span_of("recorder"), message, label);
    }
}

/// What is wrong with the network makes a difference to some kinds only.
fn report_idle_keys(kind: &ApplicationKind, values: &Values, out: &mut Diagnostics) {
    // Defaults that are written out change nothing.
    let is_idle = |key: &&&str| values.is_written(key) && !values.is_default(key);
    for key in OF_NETWORK.iter().filter(is_idle).filter(|_| !MINDING.contains(&kind.entry.name)) {
        let message = format!("`{key}` has no effect on `{}`", kind.entry.name);
        let label = format!("expected with the kind `{}` only", MINDING.join("`, `"));
        let help = Some("leave it out".to_owned());
        out.report_with_help(Code::DOES_NOT_FIT, values.span_of(key), message, label, help);
    }
}

/// What it reads its device reports; and what its kind asks for.
fn validate_application_values(draft: &Draft<'_>, out: &mut Diagnostics) {
    for row in draft.rows(&APPLICATION) {
        let kind = row.kind_of(APPLICATIONS, |kind| &kind.entry);
        let (Some(values), Some(kind)) = (row.values.as_ref(), kind) else { continue };
        for need in kind.needs {
            if let Need::Reads { device, quantity, .. } = need {
                report_unreported(draft, values, (device, quantity), out);
            }
        }
        report_idle_keys(kind, values, out);
        kind.check(values, out);
    }
}

fn report_unreported(
    draft: &Draft<'_>,
    values: &Values,
    (device, quantity): (&str, &str),
    out: &mut Diagnostics,
) {
    let (text, of) = (values.text(quantity), values.text(device));
    let does_not_report = |device: &Row<'_>| {
        device.name() == Some(of)
            && device.values.as_ref().is_some_and(|own| {
                let listed = own.get("quantities").map(|_| own.text_list("quantities"));
                // Others list kinds of quantities by words of their own.
                let is_of_ids =
                    |all: &Vec<&str>| all.iter().any(|it| MeasurementId::lookup(it).is_some());
                listed.filter(is_of_ids).is_some_and(|all| !all.contains(&text))
            })
    };
    let is_known = MeasurementId::lookup(text).is_some();
    if is_known && draft.rows(&DEVICE).iter().any(does_not_report) {
        let message = format!("`{of}` does not report `{text}`");
        out.report(Code::DOES_NOT_FIT, values.span_of(quantity), message, "nothing to read");
    }
}
