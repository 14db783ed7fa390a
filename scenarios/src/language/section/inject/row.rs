//! The section of injections: its keys, what must hold of them, and what they do.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastmeter_devices::DeviceFault;
use lastmeter_devices::endpoint::EndpointFault;
use lastmeter_link::impair::{Breakage, Impairment};
use lastmeter_params::{
    Code, Diagnostics, Dimension, Field, Kind, NodeValue, Values, parse_quantity,
};
use lastmeter_sim::grid::GridChange;
use lastmeter_units::{SimDuration, SimTime};

use super::interference::{self, Target};
use super::kinds::{InjectKind, kind_of};
use crate::language::draft::{Draft, Row, Section};
use crate::language::names::Names;
use crate::language::references::References;
use crate::language::section::grid::{GRID, is_into_grid};
use crate::language::section::platform::PlatformUse;
use crate::language::section::scenario::{DURATION_S_MAX, SCENARIO};

pub(crate) static INJECT: Section = Section {
    name: "inject",
    noun: "injection",
    doc: "Something that is done to the bench at an instant.",
    fields: &[
        Field::optional("name", Kind::Name, "what overrides call it; else its number"),
        Field::required(
            "at",
            Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: DURATION_S_MAX },
            "when it happens, since the start",
        ),
        Field::required("kind", Kind::Text, "which injection"),
    ],
    kind: Some(("kind", "injection")),
    entries: || InjectKind::all().map(|kind| *kind.entry()).collect(),
    heading: "injections",
    rules: &[injections_are_in_time, are_over_in_time, commands_have_names, inputs_have_a_grid],
    ..Section::REPEATED
};

/// What an injection does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A fault of a device.
    Device {
        /// The device's index.
        device: usize,
        /// What it is told.
        fault: DeviceFault,
    },
    /// Something that happens to a source; its terminal knows of it from the beginning.
    Source {
        /// The source's index.
        source: usize,
    },
    /// A change of the network; all steps are solved with it before anything runs.
    Grid {
        /// What changes, and the first step in which it holds.
        change: GridChange,
    },
    /// Something that happens in a network in motion, which knows of it from the beginning.
    Motion,
    /// A command to a device through the platform.
    Command {
        /// The device's index.
        device: usize,
        /// The command.
        command: String,
        /// Its parameters.
        parameters: BTreeMap<String, String>,
        /// Whether the device has to refuse it.
        refused: bool,
    },
    /// The platform's child process is killed and started again.
    KillPlatform,
    /// A gateway loses its supply and starts again.
    RestartGateway {
        /// The gateway's index.
        gateway: usize,
    },
    /// Something goes wrong inside a simulator, which knows of it from the beginning.
    Simulator {
        /// The simulator's index.
        simulator: usize,
        /// What.
        fault: EndpointFault,
    },
    /// A link gets worse. What ends at an instant ends before what begins then.
    Impair {
        /// The link's index.
        link: usize,
        /// What is put on top of it.
        change: Box<Impairment>,
        /// When that is over, since the start; `None`: not before the end.
        until: Option<SimDuration>,
        /// The indices of the devices whose connections it is about, all of which go through the
        /// link; `None`: whatever goes through it.
        devices: Option<Vec<usize>>,
    },
    /// A link breaks. What ends at an instant ends before what begins then.
    Disconnect {
        /// The link's index.
        link: usize,
        /// How it breaks.
        how: Breakage,
        /// When it is mended, since the start; `None`: not before the end.
        until: Option<SimDuration>,
        /// As with [`Action::Impair`].
        devices: Option<Vec<usize>>,
    },
}

/// Something that is done to the bench at an instant.
#[derive(Clone)]
pub struct Injection {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The registered kind's name.
    pub kind: &'static str,
    /// When, since the start.
    pub at: SimDuration,
    /// What.
    pub action: Action,
    pub(crate) values: Arc<Values>,
}

impl Injection {
    /// Its keys beside name, time and kind as one line of TOML, for people.
    pub fn detail(&self) -> String {
        let own = self.values.to_toml();
        let mut keys: Vec<&str> = own.lines().collect();
        keys.retain(|line| {
            !["name = ", "at = ", "kind = "].iter().any(|key| line.starts_with(key))
        });
        keys.join(", ")
    }
}

/// Whether it is about what one device does.
pub(crate) fn is_of_device(row: &Row<'_>) -> bool {
    matches!(kind_of(row), Some(InjectKind::Device(_) | InjectKind::Command))
}

/// The injection of a row, with what it does to a link or to the network, if it does.
pub(crate) fn injection(
    (row, change, of_grid): (&Row<'_>, Option<Impairment>, Option<GridChange>),
    (index, references): (usize, &References),
    start: SimTime,
) -> Option<Injection> {
    let (kind, values) = (kind_of(row)?, row.values.clone()?);
    let device = *references.device_of_injection.get(index)?;
    let source = *references.source_of_injection.get(index)?;
    let target = references.target_of_injection.get(index)?.clone();
    let at: SimDuration = values.duration("at");
    let until = |values: &Values| values.duration_opt("for").map(|length| at + length);
    let action = match kind {
        InjectKind::Device(kind) => {
            Action::Device { device: device?, fault: (kind.build)(&values, start + at) }
        }
        InjectKind::Source(_) => Action::Source { source: source? },
        InjectKind::Grid(_) => of_grid.map_or(Action::Motion, |change| Action::Grid { change }),
        InjectKind::Command => {
            let mut parameters = values.texts("command");
            let command = parameters.remove("name")?;
            let refused = values.boolean("refused");
            Action::Command { device: device?, command, parameters, refused }
        }
        InjectKind::Kill => Action::KillPlatform,
        InjectKind::Restart => {
            Action::RestartGateway { gateway: (*references.gateway_of_injection.get(index)?)? }
        }
        InjectKind::Simulator => {
            let until = until(&values).map(|until| start + until);
            let fault = match values.text("what") {
                "silent" => EndpointFault::Silent { until },
                "stale" => EndpointFault::Stale { until },
                "manual" => EndpointFault::Manual { until },
                _ => {
                    let every = u64::try_from(values.integer("every")).unwrap_or(1);
                    EndpointFault::Lossy { every, until }
                }
            };
            let simulator = (*references.simulator_of_injection.get(index)?)?;
            Action::Simulator { simulator, fault }
        }
        InjectKind::Impair => {
            let Target { link, devices } = target?;
            let change = Box::new(change?);
            Action::Impair { link, change, until: until(&values), devices }
        }
        InjectKind::Disconnect => {
            let Target { link, devices } = target?;
            let how = Breakage::from_word(values.text("how"))?;
            Action::Disconnect { link, how, until: until(&values), devices }
        }
    };
    let name = values.text_opt("name").map(str::to_owned);
    Some(Injection { name, kind: kind.entry().name, at, action, values })
}

/// An injection happens before the end.
fn injections_are_in_time(draft: &Draft<'_>, out: &mut Diagnostics) {
    let seconds = |text: &str| parse_quantity(text, &[Dimension::Time]).map(|(si, _)| si).ok();
    let Some(duration) = draft.single(&SCENARIO).and_then(|head| head.table.text("duration"))
    else {
        return;
    };
    let Some(duration_s) = seconds(duration) else { return };
    for (at, span) in draft.rows(&INJECT).iter().filter_map(|row| row.text("at")) {
        if seconds(at).is_some_and(|at_s| at_s >= duration_s) {
            let message = format!("at {at} the scenario is over");
            let label = format!("the duration is {duration}");
            out.report(Code::OUTSIDE_SCENARIO, span, message, label);
        }
    }
}

fn are_over_in_time(draft: &Draft<'_>, out: &mut Diagnostics) {
    interference::are_over_in_time(draft.rows(&INJECT), draft.single(&SCENARIO), out);
}

/// A command has a name.
fn commands_have_names(draft: &Draft<'_>, out: &mut Diagnostics) {
    for row in
        draft.rows(&INJECT).iter().filter(|row| matches!(kind_of(row), Some(InjectKind::Command)))
    {
        let Some(node) = row.table.get("command") else { continue };
        let NodeValue::Table(command) = &node.value else { continue };
        if command.get("name").is_none() {
            let help = "write `command = { name = \"setReportingPeriod\", seconds = 5 }`";
            let message = "the command has no name";
            let label = "needs `name`";
            out.report_with_help(
                Code::MISSING_KEY,
                node.span,
                message,
                label,
                Some(help.to_owned()),
            );
        }
    }
}

/// What is injected into a network needs one.
fn inputs_have_a_grid(draft: &Draft<'_>, out: &mut Diagnostics) {
    if draft.single(&GRID).is_some() || !draft.all_read(&GRID) {
        return;
    }
    for row in draft.rows(&INJECT).iter().filter(|row| is_into_grid(row)) {
        let (kind, span) = row.text("kind").unwrap_or(("", row.span));
        let message = format!("a `{kind}` needs a network, and there is no `[grid]`");
        let help = "write `[grid]` with the `file` of a network".to_owned();
        let label = "no network to inject it into";
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help));
    }
}

/// Only a child process can be killed.
pub(crate) fn kill_has_a_victim(
    injections: &[Row<'_>],
    platform: &PlatformUse,
    out: &mut Diagnostics,
) {
    let (message, label) = match platform {
        PlatformUse::Child => return,
        PlatformUse::Embedded => {
            ("an embedded platform cannot be killed", "it is part of the bench's process")
        }
        PlatformUse::Profile(_) => {
            ("a platform that was started by somebody else is not killed", "not the bench's own")
        }
    };
    for row in injections.iter().filter(|row| matches!(kind_of(row), Some(InjectKind::Kill))) {
        let help = "write `use = \"child\"` under `[platform]`, or give `--platform child`";
        let span = row.text("kind").map_or(row.span, |(_, span)| span);
        out.report_with_help(Code::PLATFORM_CANNOT, span, message, label, Some(help.to_owned()));
    }
}

/// The index of the device that an injection names; one into a link is about its connections.
pub(crate) fn device_of(row: &Row<'_>, devices: &Names, out: &mut Diagnostics) -> Option<usize> {
    if interference::is_into_link(row) {
        return None;
    }
    let (name, span) = row.reference("device")?;
    devices.find(name, span, out)
}

/// The index of the gateway that an injection names.
pub(crate) fn gateway_of(row: &Row<'_>, gateways: &Names, out: &mut Diagnostics) -> Option<usize> {
    if !matches!(kind_of(row), Some(InjectKind::Restart)) {
        return None;
    }
    let (name, span) = row.reference("gateway")?;
    gateways.find(name, span, out)
}

/// The index of the simulator that an injection names.
pub(crate) fn simulator_of(
    row: &Row<'_>,
    simulators: &Names,
    out: &mut Diagnostics,
) -> Option<usize> {
    if !matches!(kind_of(row), Some(InjectKind::Simulator)) {
        return None;
    }
    let (name, span) = row.reference("simulator")?;
    simulators.find(name, span, out)
}

/// The index of the source that an injection happens to.
pub(crate) fn source_of_injection(
    row: &Row<'_>,
    sources: &Names,
    (player, grid_from): (Option<&str>, usize),
    out: &mut Diagnostics,
) -> Option<usize> {
    if !matches!(kind_of(row), Some(InjectKind::Source(_))) {
        return None;
    }
    let (name, span) = row.reference("source")?;
    if player == Some(name) {
        let message =
            format!("nothing can be injected into `{name}`, which plays its plan's points");
        let section = name.replace('-', "_");
        let help = format!(
            "leave the injection out, or write a `[[source]]` of its own instead of `[{section}]`"
        );
        let label = "expected a source that is written here";
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help));
        return None;
    }
    if sources.position(name).is_some_and(|place| place >= grid_from) {
        let message = format!("nothing can be injected into `{name}`, which the network feeds");
        let label = "expected a source that is written here";
        out.report(Code::DOES_NOT_FIT, span, message, label);
        return None;
    }
    sources.find(name, span, out)
}
