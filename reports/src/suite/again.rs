//! A suite folder read again: its runs are judged again by their records, and shards are joined.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use lastmeter_record::{FORMAT_VERSION, RecordError, file};
use lastmeter_text::{Prose, plural};
use serde::Deserialize;

use super::{
    Attempt, Case, Control, Outcome, PassedOver, Quarantine, Shard, Suite, SuiteRun, Twin,
};
use crate::evaluate::evaluate;
use crate::exit::ExitCode;
use crate::verdict::Reason;

/// Why suite folders cannot be read or joined.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// `suite.json` is none.
    #[error("{}: expected what a suite writes, found {found}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// A folder has not what it has to have.
    #[error("{0}")]
    NoFolder(String),
    /// The folders are not the shards of one suite.
    #[error("{0}")]
    NoShards(String),
}

#[derive(Deserialize)]
struct SuiteText {
    format_version: u32,
    name: String,
    shard: Option<Shard>,
    // What suites of before had no need of.
    #[serde(default)]
    in_all: usize,
    #[serde(default)]
    planned: String,
    #[serde(default)]
    map: Vec<String>,
    runs: Vec<RunText>,
    passed_over: Vec<PassedOver>,
}

#[derive(Deserialize)]
struct RunText {
    #[serde(default)]
    place: usize,
    scenario: String,
    file: Option<String>,
    folder: Option<String>,
    case: Option<Case>,
    reason: Reason,
    exit_code: u8,
    must_fail: Option<Twin>,
    quarantine: Option<Quarantine>,
    #[serde(default)]
    attempts: Vec<Attempt>,
    why: Option<Prose>,
}

impl Suite {
    /// Reads a suite folder, and judges each of its runs again.
    pub fn read(dir: &Path) -> Result<Self, SuiteError> {
        let path = dir.join("suite.json");
        let bytes = fs::read(&path).map_err(RecordError::io("read", &path))?;
        let unreadable = |found: String| SuiteError::Unreadable { path: path.clone(), found };
        let text: SuiteText =
            serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
        if text.format_version != FORMAT_VERSION {
            return Err(unreadable(format!("format version {}", text.format_version)));
        }
        // What leads out of the folder is of no suite.
        let folders = text.runs.iter().flat_map(|run| {
            let control = run.must_fail.as_ref().and_then(|twin| twin.control.as_ref());
            let attempts = run.attempts.iter().map(|attempt| Some(attempt.folder.as_str()));
            let own =
                [run.folder.as_deref(), control.and_then(|control| control.folder.as_deref())];
            own.into_iter().chain(attempts)
        });
        if let Some(folder) = folders.flatten().find(|folder| !is_inside(folder)) {
            return Err(unreadable(format!("the folder `{folder}`")));
        }
        let runs: Vec<SuiteRun> = text.runs.into_iter().map(|run| run.judged(dir)).collect();
        let facts = || runs.iter().filter_map(|run| Some(&run.judged()?.facts));
        let host = facts().next().and_then(|facts| facts.host.get("name")?.as_str());
        Ok(Self {
            name: text.name,
            started: facts().map(|facts| facts.started).min(),
            host: host.map(str::to_owned),
            shard: text.shard,
            in_all: text.in_all,
            planned: text.planned,
            map: text.map,
            passed_over: text.passed_over,
            runs,
        })
    }

    /// Joins the shards of one suite in a new folder; it has all of them, or there is none.
    pub fn merge(dirs: &[PathBuf], out: &Path) -> Result<Self, SuiteError> {
        let mut joined = Joined::default();
        for dir in dirs {
            joined.take(dir, Self::read(dir)?)?;
        }
        joined.whole(out)
    }
}

/// Shards on their way to a whole suite.
#[derive(Default)]
struct Joined<'a> {
    suite: Option<Suite>,
    shards: BTreeMap<u32, &'a Path>,
    /// Of each place the folder that has its run.
    places: BTreeMap<usize, &'a Path>,
}

impl<'a> Joined<'a> {
    /// Takes what a folder has; that it is no further shard of the same suite is an error.
    fn take(&mut self, dir: &'a Path, suite: Suite) -> Result<(), SuiteError> {
        let at = dir.display();
        let Some(shard) = suite.shard else {
            return no_shards(format!("{at} is no shard: it was run without `--shard`"));
        };
        let first = self.suite.get_or_insert_with(|| Suite {
            runs: Vec::new(),
            passed_over: Vec::new(),
            ..suite.clone()
        });
        let of = first.shard.map_or(0, |shard| shard.of);
        if (&first.name, of, first.in_all) != (&suite.name, shard.of, suite.in_all) {
            return no_shards(format!(
                "{at} is of another suite: `{}`, {} in {} shards, where the first is of `{}`, {} in \
                 {of} shards",
                suite.name,
                plural(suite.in_all, "run"),
                shard.of,
                first.name,
                plural(first.in_all, "run"),
            ));
        }
        if first.planned != suite.planned {
            return no_shards(format!(
                "{at} was to run something else than the first: other files, or other options of \
                 the command line"
            ));
        }
        if let Some(other) = self.shards.insert(shard.number, dir) {
            return no_shards(format!("{} and {at} are both shard {shard}", other.display()));
        }
        for run in &suite.runs {
            if let Some(other) = self.places.insert(run.place, dir) {
                return no_shards(format!(
                    "{} and {at} both have run {}, here {}: their command lines differ",
                    other.display(),
                    run.place + 1,
                    run.scenario
                ));
            }
        }
        // A host is named only where all of them ran there: JUnit has one.
        first.started = first.started.min(suite.started);
        first.host = first.host.take().filter(|host| suite.host.as_ref() == Some(host));
        first.runs.extend(suite.runs);
        for over in suite.passed_over {
            if !first.passed_over.contains(&over) {
                first.passed_over.push(over);
            }
        }
        Ok(())
    }

    /// The whole suite, with its run folders in a new one; that something is missing is an error.
    fn whole(self, out: &Path) -> Result<Suite, SuiteError> {
        let Some(mut whole) = self.suite else {
            return no_shards("no folder was given".to_owned());
        };
        let of = whole.shard.map_or(0, |shard| shard.of);
        if let Some(missing) = (1..=of).find(|number| !self.shards.contains_key(number)) {
            return no_shards(format!("shard {missing}/{of} is missing"));
        }
        if whole.runs.len() != whole.in_all {
            return no_shards(format!(
                "the shards have {} of {}: they were not made by one command line",
                whole.runs.len(),
                plural(whole.in_all, "run")
            ));
        }
        whole.runs.sort_by_key(|run| run.place);
        for run in &whole.runs {
            let Some(dir) = self.places.get(&run.place) else { continue };
            for folder in run.folders() {
                copy(&dir.join(folder), &out.join(folder))?;
            }
        }
        whole.shard = None;
        Ok(whole)
    }
}

fn no_shards<T>(text: String) -> Result<T, SuiteError> {
    Err(SuiteError::NoShards(text))
}

impl SuiteRun {
    /// The folders of its run, of its control and of the attempts before.
    fn folders(&self) -> impl Iterator<Item = &str> {
        let control = self.twin.as_ref().and_then(|twin| twin.control.as_ref());
        let control = control.and_then(|control| control.folder.as_deref());
        // A control may stand in the folder of its twin.
        let own = self.folder.as_deref();
        let control = control.filter(|it| !own.is_some_and(|own| Path::new(it).starts_with(own)));
        let attempts = self.attempts.iter().map(|attempt| attempt.folder.as_str());
        own.into_iter().chain(control).chain(attempts)
    }
}

impl RunText {
    /// The run, by its record where there is one.
    fn judged(self, dir: &Path) -> SuiteRun {
        let exit = exit_of(self.exit_code);
        let outcome = outcome(dir, self.folder.as_deref(), (exit, self.reason, self.why));
        let mut twin = self.must_fail;
        if let Some(control) = twin.as_mut().and_then(|twin| twin.control.as_mut()) {
            control.judge(dir);
        }
        SuiteRun {
            folder: self.folder,
            scenario: self.scenario,
            file: self.file,
            place: self.place,
            case: self.case,
            twin,
            quarantine: self.quarantine,
            attempts: self.attempts,
            outcome,
        }
    }
}

impl Control {
    /// Judges it again.
    fn judge(&mut self, dir: &Path) {
        let exit = ExitCode::of_status(Some(self.status));
        let ended = (exit, self.reason, self.why.take());
        *self = Self::of(&SuiteRun {
            outcome: outcome(dir, self.folder.as_deref(), ended),
            folder: self.folder.take(),
            scenario: std::mem::take(&mut self.scenario),
            file: None,
            place: 0,
            case: None,
            twin: None,
            quarantine: None,
            attempts: Vec::new(),
        });
    }
}

/// What a record is judged to be; without one, how the run ended.
fn outcome(
    dir: &Path,
    folder: Option<&str>,
    (exit, reason, why): (ExitCode, Reason, Option<Prose>),
) -> Outcome {
    let folder = folder.map(|folder| dir.join(folder)).filter(|it| it.join(file::RUN).exists());
    let Some(folder) = folder else {
        // What passed has a record.
        let is_lost = exit == ExitCode::Passed;
        return Outcome::NotRun {
            exit: if is_lost { ExitCode::Broken } else { exit },
            reason: if is_lost { Reason::RecordUnreadable } else { reason },
            why: if is_lost { "its run folder is gone".into() } else { why.unwrap_or_default() },
        };
    };
    match evaluate(&folder) {
        Ok(evaluation) => Outcome::Judged(Box::new(evaluation)),
        Err(error) => Outcome::NotRun {
            exit: ExitCode::Broken,
            reason: Reason::RecordUnreadable,
            why: error.to_string().into(),
        },
    }
}

fn exit_of(number: u8) -> ExitCode {
    ExitCode::ALL.into_iter().find(|code| code.number() == number).unwrap_or(ExitCode::Broken)
}

/// Whether a folder of a run lies in that of its suite.
fn is_inside(folder: &str) -> bool {
    use std::path::Component;
    let path = Path::new(folder);
    path.components().all(|part| matches!(part, Component::Normal(_))) && !folder.is_empty()
}

/// Copies a folder with all that is in it; links are not followed.
fn copy(from: &Path, to: &Path) -> Result<(), RecordError> {
    if !from.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(to).map_err(RecordError::io("create", to))?;
    let entries = fs::read_dir(from).map_err(RecordError::io("read", from))?;
    for entry in entries {
        let entry = entry.map_err(RecordError::io("read", from))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(RecordError::io("read", &path))?;
        if kind.is_dir() {
            copy(&path, &target)?;
        } else if kind.is_file() {
            fs::copy(&path, &target).map_err(RecordError::io("copy", &path))?;
        }
    }
    Ok(())
}
