//! What a scenario is loaded with, and what a file is meant as.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::TypedValueParser;
use lastmeter_params::{
    Code, Diagnostic, Diagnostics, Node, NodeValue, SourceId, Span, Table, parse_document,
};
use lastmeter_record::TimeMode;

use super::choice::one_of;
use super::draft::FILE_START;
use super::failure::LoadFailure;
use super::files;
use super::read::table_at_mut;
use super::texts::Texts;

/// The variable that names the folder of recordings.
const RECORDINGS_VARIABLE: &str = "LASTMETER_RECORDINGS";

/// What changes a scenario from outside of its file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct LoadOptions {
    /// Override a scenario value, as in `device.home.voltage_gain_error="1 %"`; by its number
    /// where a table has no name, or shares it: `inject.1.at="2 min"`, `grid.load.h1.2.scale=0.5`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Override the scenario's seed
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Whether to run as fast as it can, or by the clock on the wall; what needs the other one is
    /// skipped
    #[arg(long, value_parser = time_modes())]
    pub time: Option<TimeMode>,
    /// embedded, child, or a profile file with the addresses of a platform
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,
    /// The folder of `recordings:NAME`; scenarios that need it are unavailable without.
    #[arg(skip)]
    pub recordings: Option<PathBuf>,
}

impl LoadOptions {
    /// No changes; the folder of recordings is the one that the environment names.
    pub fn from_environment() -> Self {
        Self::default().in_environment()
    }

    /// These changes, with the folder of recordings that the environment names.
    #[must_use]
    pub fn in_environment(self) -> Self {
        let recordings = std::env::var_os(RECORDINGS_VARIABLE).filter(|value| !value.is_empty());
        Self { recordings: recordings.map(PathBuf::from), ..self }
    }

    /// Every change as an override, with the option it came with.
    pub(super) fn changes(&self) -> Vec<(&'static str, String)> {
        let mut changes: Vec<(&'static str, String)> =
            self.overrides.iter().map(|text| ("--set", text.clone())).collect();
        changes.extend(self.seed.map(|seed| ("--seed", format!("scenario.seed={seed}"))));
        changes.extend(self.platform.as_deref().map(|platform| {
            // A profile on the command line is relative to the current folder, in a scenario to
            // the scenario's; an absolute path means the same in both.
            let text = if matches!(platform, "embedded" | "child") {
                platform.to_owned()
            } else {
                std::path::absolute(platform)
                    .map_or_else(|_| platform.to_owned(), |path| path.display().to_string())
            };
            ("--platform", format!("platform.use={}", lastmeter_params::quote(&text)))
        }));
        changes.extend(self.time.map(|time| ("--time", format!("scenario.time={}", time.word()))));
        changes
    }
}

/// The clocks of the option `--time`.
pub fn time_modes() -> impl TypedValueParser<Value = TimeMode> {
    one_of(&[
        ("virtual", "As fast as it can; latency is not judged", TimeMode::Virtual),
        ("real", "The clock on the wall", TimeMode::Real),
    ])
}

/// What a file is meant as, so that its mistakes are reported as one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// A scenario.
    Scenario,
    /// A test plan.
    TestPlan,
    /// A network.
    Network,
}

impl Document {
    /// By the tables in it; JSON and scripts of `OpenDSS` are networks by their names.
    pub fn of(path: &Path, text: &str) -> Self {
        Self::read(path, text, &mut Diagnostics::new()).0
    }

    /// The same with the tables, which are not read of what is a network by its name.
    pub(super) fn read(path: &Path, text: &str, out: &mut Diagnostics) -> (Self, Table) {
        let is_named = |ending: &str| {
            path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(ending))
        };
        if is_named("dss") || is_named("json") {
            return (Self::Network, Table::default());
        }
        let root = parse_document(text, SourceId::FILE, out);
        let has = |key: &str| root.get(key).is_some();
        let of_scenario = ["scenario", "grid", "platform", "device", "check"];
        let meant = if lastmeter_plans::standard::TestPlan::is_meant(&root) {
            Self::TestPlan
        } else if has("node") && !of_scenario.into_iter().any(has) {
            Self::Network
        } else {
            Self::Scenario
        };
        (meant, root)
    }

    /// The same of a file that may not be there: then it is reported as a scenario that is not.
    pub fn of_file(path: &Path) -> Self {
        let text = files::read(path).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        text.map_or(Self::Scenario, |text| Self::of(path, &text))
    }
}

/// Keeps what a file states about its time, before an option overrides it.
pub(super) fn keep_time(root: &mut Table, span: Span) {
    let Some(head) = table_at_mut(root, "scenario") else { return };
    if head.get("time_in_file").is_none() {
        let default = Node { value: NodeValue::String(TimeMode::Virtual.word().to_owned()), span };
        let written = head.get("time").cloned().unwrap_or(default);
        head.set("time_in_file", written.span, written);
    }
}

/// A failure of mistakes that were found elsewhere, in these texts.
pub fn failure(diagnostics: Vec<Diagnostic>, texts: Texts) -> LoadFailure {
    LoadFailure { diagnostics, texts }
}

/// A test plan or a network where a scenario is due: the mistakes of the test plan, or that it is
/// none.
pub(super) fn instead_of_scenario(
    meant: Document,
    path: &Path,
    text: &str,
    texts: Texts,
) -> LoadFailure {
    let (message, help) = if meant == Document::Network {
        let name = path.display();
        let help = format!(
            "solve it with `lastmeter grid {name}`, or name it with `file` of `[grid]` in a \
             scenario"
        );
        ("this is a network, and no scenario", help)
    } else {
        let mistakes = lastmeter_plans::standard::TestPlan::read(text).err().unwrap_or_default();
        if !mistakes.is_empty() {
            return LoadFailure { diagnostics: mistakes, texts };
        }
        let help = "name it with `standard` of `[test_plan]`, or run `lastmeter accuracy`";
        ("this is a test plan without mistakes, and no scenario", help.to_owned())
    };
    let mut diagnostics = Diagnostics::new();
    let (code, label) = (Code::DOES_NOT_FIT, "needs a scenario to be played in");
    diagnostics.report_with_help(code, FILE_START, message, label, Some(help));
    LoadFailure { diagnostics: diagnostics.into_sorted(), texts }
}
