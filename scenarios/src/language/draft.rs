//! The tables of a scenario, each checked by itself, on their way to one that makes sense.
//!
//! Everything that can be looked at is looked at, whatever else is wrong, so that all mistakes
//! come at once; only if there is none a [`Scenario`] comes out.

use std::path::Path;

use lastmeter_devices::{DEVICES, Device, DeviceKind};
use lastmeter_params::{Code, Diagnostics, NodeValue, Table, Values, nearest, read_table};
use lastmeter_reports::check::Pattern;
use lastmeter_reports::{CHECKS, CheckKind};
use lastmeter_sim::{SOURCES, SourceKind, Streams, Terminal};
use lastmeter_units::{MEASUREMENTS, SimDuration, SimTime};

use super::files::Files;
use super::parts::{self, Built, DevicePlace};
use super::read::{self, Row, Single};
use super::scenario::{
    Action, CheckRow, DeviceRow, Expect, Injection, PlatformUse, Scenario, Source,
};
use super::sections::{self, InjectKind};
use super::semantics::{self, Names};
use super::texts::Texts;

/// The tables of a scenario, each checked by itself.
pub(crate) struct Draft<'a> {
    root: &'a Table,
    /// Sections that stand in the file under a misspelt name.
    misspelt: Vec<&'static str>,
    head: Option<Single<'a>>,
    platform: Option<Single<'a>>,
    sources: Vec<Row<'a, &'static SourceKind>>,
    devices: Vec<Row<'a, &'static DeviceKind>>,
    injections: Vec<Row<'a, InjectKind>>,
    checks: Vec<Row<'a, &'static CheckKind>>,
    expect: Option<Single<'a>>,
}

/// What the tables refer to, by index.
struct References {
    source_of_device: Vec<Option<usize>>,
    device_of_injection: Vec<Option<usize>>,
    devices_of_check: Vec<Vec<usize>>,
}

/// What the parts of the bench turned out to be.
struct Parts {
    terminals: Vec<Option<Terminal>>,
    unavailable: Option<String>,
}

impl<'a> Draft<'a> {
    /// Reads every table.
    pub(crate) fn read(root: &'a Table, out: &mut Diagnostics) -> Self {
        let misspelt = read::check_root(root, out);
        let checks = sections::check_section();
        Self {
            root,
            misspelt,
            head: read::single(root, "scenario", sections::SCENARIO_FIELDS, out),
            platform: read::single(root, "platform", sections::PLATFORM_FIELDS, out),
            sources: read::rows(root, &sections::SOURCE, SOURCES.iter(), |k| &k.entry, out),
            devices: read::rows(root, &sections::DEVICE, DEVICES.iter(), |k| &k.entry, out),
            injections: read::rows(
                root,
                &sections::INJECT,
                InjectKind::all(),
                InjectKind::entry,
                out,
            ),
            checks: read::rows(root, &checks, CHECKS.iter(), |kind| &kind.entry, out),
            expect: read::single(root, "expect", sections::EXPECT_FIELDS, out),
        }
    }

    /// Looks at what holds between the tables and builds the parts; a scenario comes out if
    /// nothing is wrong.
    pub(crate) fn resolve(
        self,
        path: &Path,
        files: &Files<'_>,
        out: &mut Diagnostics,
    ) -> Option<Scenario> {
        let platform = self.platform_use(files, out);
        let references = self.check_between(platform.as_ref(), out);
        let parts = self.build(&references, files, out);
        if !out.is_empty() {
            return None;
        }
        self.into_scenario(path, platform?, &references, parts)
    }

    fn head_values(&self) -> Option<&Values> {
        self.head.as_ref()?.values.as_ref()
    }

    fn names<K>(&self, section: &str, rows: &[Row<'a, K>]) -> Names<'a> {
        Names::of(rows, !self.root.incomplete && !self.misspelt.contains(&section))
    }

    /// Which platform; `None` after a mistake.
    fn platform_use(&self, files: &Files<'_>, out: &mut Diagnostics) -> Option<PlatformUse> {
        let Some(platform) = &self.platform else {
            let is_left_out = self.root.get("platform").is_none()
                && !self.root.incomplete
                && !self.misspelt.contains(&"platform");
            return is_left_out.then_some(PlatformUse::Embedded);
        };
        let Some(node) = platform.table.get("use") else { return Some(PlatformUse::Embedded) };
        let NodeValue::String(text) = &node.value else { return None };
        match text.as_str() {
            "embedded" => return Some(PlatformUse::Embedded),
            "child" => return Some(PlatformUse::Child),
            _ => {}
        }
        let file = files.path(text);
        if let Some(file) = file.filter(|file| file.is_file()) {
            return Some(PlatformUse::Profile(file));
        }
        if let Some(near) = nearest(text, ["embedded", "child"]) {
            let message = format!("`use` cannot be `{text}`");
            let label = "expected `embedded`, `child` or a profile file";
            let help = Some(format!("did you mean `{near}`?"));
            out.report_with_help(Code::UNKNOWN_WORD, node.span, message, label, help);
        } else {
            let message = format!("there is no profile file `{text}`");
            let help = "write `embedded` or `child`, or the path of a profile file".to_owned();
            let code = Code::FILE_UNREADABLE;
            out.report_with_help(code, node.span, message, "no such file", Some(help));
        }
        None
    }

    fn check_between(&self, platform: Option<&PlatformUse>, out: &mut Diagnostics) -> References {
        semantics::names_are_unique("source", &self.sources, out);
        semantics::names_are_unique("device", &self.devices, out);
        semantics::names_are_unique("injection", &self.injections, out);
        semantics::names_are_unique("check", &self.checks, out);
        semantics::is_available(self.head.as_ref(), &self.devices, out);
        semantics::injections_are_in_time(&self.injections, self.head.as_ref(), out);
        semantics::commands_have_names(&self.injections, out);
        if let Some(platform) = platform {
            semantics::kill_has_a_victim(&self.injections, platform, out);
        }
        semantics::requirements_are_rows(&self.checks, out);
        semantics::twin_is_named(self.expect.as_ref(), &self.names("check", &self.checks), out);
        let sources = self.names("source", &self.sources);
        let devices = self.names("device", &self.devices);
        if !self.root.incomplete
            && self.root.get("check").is_none()
            && !self.misspelt.contains(&"check")
            && let Some(entry) = self.root.entry("scenario")
        {
            semantics::report_no_checks(entry.node.span, out);
        }
        if let Some(head) = self.head_values()
            && let Some(start) = head.instant_opt("start")
            && start.as_nanoseconds().checked_add(head.duration("duration").0).is_none()
        {
            let message = "the scenario would end after the year 2262";
            let label = "later instants cannot be counted in nanoseconds";
            out.report(Code::OUT_OF_RANGE, head.span_of("start"), message, label);
        }
        References {
            source_of_device: self
                .devices
                .iter()
                .map(|row| semantics::source_of(row, &sources, out))
                .collect(),
            device_of_injection: self
                .injections
                .iter()
                .map(|row| semantics::device_of(row, &devices, out))
                .collect(),
            devices_of_check: self
                .checks
                .iter()
                .map(|row| semantics::devices_of_check(row, &devices, out))
                .collect(),
        }
    }

    /// Calls the constructors of everything that has no mistake so far.
    fn build(&self, references: &References, files: &Files<'_>, out: &mut Diagnostics) -> Parts {
        let head = self.head_values();
        let seed = head.map_or(0, |head| head.integer("seed") as u64);
        let start = head.and_then(|head| head.instant_opt("start")).unwrap_or_default();
        let streams = Streams::new(seed);
        let mut unavailable = None;
        let terminals: Vec<Option<Terminal>> = self
            .sources
            .iter()
            .map(|row| {
                match parts::build_source(row.kind?, row.values.as_ref()?, streams, files, out) {
                    Built::Terminal(terminal) => Some(terminal),
                    Built::Unavailable(reason) => {
                        unavailable.get_or_insert(reason);
                        None
                    }
                    Built::Refused => None,
                }
            })
            .collect();
        let devices: Vec<Option<Box<dyn Device>>> = self
            .devices
            .iter()
            .zip(&references.source_of_device)
            .map(|(row, source)| {
                let source = (*source)?;
                let terminal = terminals.get(source)?.as_ref();
                semantics::has_spectrum_to_work_on(row, &self.sources[source], terminal, out)?;
                let terminal = terminal?;
                let name = row.name()?;
                let place = DevicePlace { name, start, streams, terminal };
                parts::build_device(row.kind?, row.values.as_ref()?, &place, out)
            })
            .collect();
        let scenario = head.map_or("", |head| head.text("name"));
        for (row, of) in self.checks.iter().zip(&references.devices_of_check) {
            let (Some(kind), Some(values)) = (row.kind, &row.values) else { continue };
            let mistakes = out.len();
            parts::try_check(kind, values, scenario, out);
            if out.len() == mistakes {
                report_what_is_not_measured(row, of, &devices, out);
            }
        }
        Parts { terminals, unavailable }
    }

    fn into_scenario(
        self,
        path: &Path,
        platform: PlatformUse,
        references: &References,
        parts: Parts,
    ) -> Option<Scenario> {
        let head = self.head?.values?;
        let platform_values = match self.platform {
            Some(platform) => platform.values?,
            None => defaults(sections::PLATFORM_FIELDS)?,
        };
        let start = head.instant_opt("start")?;
        let injections: Option<Vec<Injection>> = self
            .injections
            .into_iter()
            .zip(&references.device_of_injection)
            .map(|(row, device)| injection(row.kind?, row.values?, *device, start))
            .collect();
        let devices = self.devices.into_iter().zip(&references.source_of_device);
        let sources = self.sources.into_iter().zip(parts.terminals);
        let optional = |key: &str| head.text_opt(key).map(str::to_owned);
        let expect_values = match self.expect {
            Some(expect) => Some(expect.values?),
            None => None,
        };
        Some(Scenario {
            name: head.text("name").to_owned(),
            title: optional("title"),
            description: optional("description"),
            tags: head.text_list("tags").into_iter().map(str::to_owned).collect(),
            start,
            duration: head.duration("duration"),
            seed: head.integer("seed") as u64,
            platform,
            strict_table2: platform_values.boolean("strict_table2"),
            sources: sources.map(source).collect::<Option<_>>()?,
            devices: devices.map(device).collect::<Option<_>>()?,
            injections: injections?,
            checks: self.checks.into_iter().map(check).collect::<Option<_>>()?,
            expect: match &expect_values {
                Some(values) => Some(expect(values)?),
                None => None,
            },
            path: path.to_owned(),
            hash: String::new(),
            unavailable: parts.unavailable,
            texts: Texts::default(),
            head,
            platform_values,
            expect_values,
        })
    }
}

/// A check of a quantity is about one that its devices report.
fn report_what_is_not_measured<K>(
    check: &Row<'_, K>,
    of: &[usize],
    devices: &[Option<Box<dyn Device>>],
    out: &mut Diagnostics,
) {
    let Some((text, span)) = check.text("quantity") else { return };
    let pattern = Pattern::new(text);
    let reported: Option<Vec<&str>> =
        of.iter().map(|&index| devices.get(index)?.as_ref()).collect::<Option<Vec<_>>>().map(
            |devices| devices.iter().flat_map(|d| d.quantities()).map(|id| id.name()).collect(),
        );
    // Of a device that could not be built nobody knows what it reports.
    let Some(reported) = reported.filter(|names| !names.is_empty()) else { return };
    if reported.iter().any(|name| pattern.matches(name)) {
        return;
    }
    let near = nearest(text, reported.iter().copied());
    let help = near.map(|near| format!("did you mean `{near}`?"));
    if MEASUREMENTS.iter().any(|row| pattern.matches(row.name)) {
        let message = format!("none of the check's devices reports `{text}`");
        out.report_with_help(Code::CANNOT_MEASURE, span, message, "never measured here", help);
    } else {
        let message = format!("unknown measurement identifier `{text}`");
        let code = Code::UNKNOWN_MEASUREMENT;
        out.report_with_help(code, span, message, "not in the registry", help);
    }
}

/// The values of a table that is not there.
fn defaults(fields: &[lastmeter_params::Field]) -> Option<Values> {
    read_table(&Table::default(), semantics::FILE_START, fields, &mut Diagnostics::new())
}

fn source((row, terminal): (Row<'_, &'static SourceKind>, Option<Terminal>)) -> Option<Source> {
    let values = row.values?;
    let name = values.text("name").to_owned();
    Some(Source { name, kind: row.kind?.entry.name, terminal, values })
}

fn device((row, source): (Row<'_, &'static DeviceKind>, &Option<usize>)) -> Option<DeviceRow> {
    let values = row.values?;
    let name = values.text("name").to_owned();
    Some(DeviceRow { name, source: (*source)?, kind: row.kind?, values })
}

fn check(row: Row<'_, &'static CheckKind>) -> Option<CheckRow> {
    let values = row.values?;
    let name = values.text("name").to_owned();
    let covers = values.text_list("covers").into_iter().map(str::to_owned).collect();
    Some(CheckRow { name, kind: row.kind?.entry.name, covers, values })
}

fn injection(
    kind: InjectKind,
    values: Values,
    device: Option<usize>,
    start: SimTime,
) -> Option<Injection> {
    let at: SimDuration = values.duration("at");
    let action = match kind {
        InjectKind::Device(kind) => {
            Action::Device { device: device?, fault: (kind.build)(&values, start + at) }
        }
        InjectKind::Command => {
            let mut parameters = values.texts("command");
            let command = parameters.remove("name")?;
            Action::Command { device: device?, command, parameters }
        }
        InjectKind::Kill => Action::KillPlatform,
    };
    let name = values.text_opt("name").map(str::to_owned);
    Some(Injection { name, kind: kind.entry().name, at, action, values })
}

fn expect(values: &Values) -> Option<Expect> {
    let (scenario, check) = values.text("twin_of").split_once('/')?;
    Some(Expect {
        check: values.text("check").to_owned(),
        twin_scenario: scenario.to_owned(),
        twin_check: check.to_owned(),
    })
}
