//! Which requirements runs and their must-fail twins cover.
//!
//! A row is *covered* if a check that names it passed and a must-fail twin of that check did what
//! it has to: only then would it have been noticed if the row did not hold. Read are the verdicts
//! as they were written; nothing is judged again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lastmeter_params::Requirement;
use lastmeter_record::{FORMAT_VERSION, RecordError, Status, file};
use serde::{Deserialize, Serialize};

use super::SuiteError;
use crate::verdict::Verdict;

lastmeter_units::words! {
    /// What is known of a row.
    pub enum CoverageState in files {
        /// A check that names it was no pass.
        Failed = "failed",
        /// A check that names it passed, and its twin was not what it has to be.
        TwinMissed = "twin missed",
        /// A check that names it passed, and nothing has shown that it could fail.
        WithoutTwin = "without twin",
        /// A check that names it passed, and a twin of it went red.
        Covered = "covered",
        /// No check names it.
        NotChecked = "not checked",
    }
}

/// A row with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CoveredRow {
    /// Its name, such as `F-04`.
    pub id: &'static str,
    /// What it asks for.
    pub words: &'static str,
    /// What is known of it.
    pub state: CoverageState,
    /// Checks that name it, as `SCENARIO/CHECK`, with what each was and how its twins went.
    pub checks: Vec<CoveringCheck>,
}

/// A check that names a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CoveringCheck {
    /// `SCENARIO/CHECK`.
    pub check: String,
    /// How it ended; of several cases the worst.
    pub status: Status,
    /// Its must-fail twins that ran.
    pub twins: usize,
    /// How many of them did what they have to.
    pub red: usize,
}

/// The rows of all requirements.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Coverage {
    /// In the order of the page of requirements.
    pub rows: Vec<CoveredRow>,
}

#[derive(Default)]
struct Gathered {
    /// By scenario and check: the worst status, and the rows.
    checks: BTreeMap<(String, String), (Status, Vec<String>)>,
    /// By `SCENARIO/CHECK`: twins that ran, and how many went red.
    twins: BTreeMap<String, (usize, usize)>,
}

#[derive(Deserialize)]
struct SuiteText {
    format_version: u32,
    runs: Vec<RunText>,
}

#[derive(Deserialize)]
struct RunText {
    folder: Option<String>,
    status: Status,
    must_fail: Option<TwinText>,
}

#[derive(Deserialize)]
struct TwinText {
    twin_of: String,
}

impl Coverage {
    /// Reads run folders and suite folders, of scenarios and of twins, in any order.
    ///
    /// # Errors
    /// If a folder is none of a run or a suite, or cannot be read.
    pub fn read<'a>(folders: impl IntoIterator<Item = &'a Path>) -> Result<Self, SuiteError> {
        let mut gathered = Gathered::default();
        for folder in folders {
            gathered.take(folder)?;
        }
        let rows = Requirement::all().map(|row| gathered.row(row)).collect();
        Ok(Self { rows })
    }

    /// How many rows are in a state.
    pub fn count(&self, state: CoverageState) -> usize {
        self.rows.iter().filter(|row| row.state == state).count()
    }
}

impl Gathered {
    fn take(&mut self, folder: &Path) -> Result<(), SuiteError> {
        let path = folder.join("suite.json");
        let none = |found: &str| SuiteError::NoFolder(format!("{}: {found}", folder.display()));
        if !folder.is_dir() {
            return Err(none("no such folder"));
        }
        if folder.join("control").is_dir() {
            return Err(none("a twin on its own; run the folder of its scenario with --must-fail"));
        }
        if !path.exists() {
            return self.take_run(folder);
        }
        let bytes = fs::read(&path).map_err(RecordError::io("read", &path))?;
        let unreadable = |found: String| SuiteError::Unreadable { path: path.clone(), found };
        let suite: SuiteText =
            serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
        if suite.format_version != FORMAT_VERSION {
            return Err(unreadable(format!("format version {}", suite.format_version)));
        }
        for run in suite.runs {
            let own = run.folder.as_ref().map(|own| folder.join(own).join(file::VERDICTS));
            if let Some(gone) = own.filter(|it| run.status == Status::Pass && !it.exists()) {
                return Err(none(&format!("{} is gone, of a run that passed", gone.display())));
            }
            match (run.must_fail, run.folder) {
                (Some(twin), _) => {
                    let (ran, red) = self.twins.entry(twin.twin_of).or_default();
                    *ran += 1;
                    *red += usize::from(run.status == Status::Pass);
                }
                (None, Some(own)) if folder.join(&own).join(file::VERDICTS).exists() => {
                    self.take_run(&folder.join(own))?;
                }
                // What never ran has no verdicts.
                (None, _) => {}
            }
        }
        Ok(())
    }

    fn take_run(&mut self, folder: &Path) -> Result<(), SuiteError> {
        let path = folder.join(file::VERDICTS);
        let bytes = fs::read(&path).map_err(RecordError::io("read", &path))?;
        let verdicts: Vec<Verdict> = serde_json::from_slice(&bytes)
            .map_err(|error| SuiteError::Unreadable { path, found: error.to_string() })?;
        for verdict in verdicts {
            // Cases of one scenario are of one check.
            let scenario = verdict.scenario.split('/').next().unwrap_or_default().to_owned();
            let known = self
                .checks
                .entry((scenario, verdict.check))
                .or_insert_with(|| (verdict.status, verdict.covers.clone()));
            known.0 = known.0.max(verdict.status);
        }
        Ok(())
    }

    fn row(&self, row: Requirement) -> CoveredRow {
        let Requirement { id, words, .. } = row;
        let naming = self.checks.iter().filter(|(_, (_, covers))| covers.iter().any(|it| it == id));
        let check = |((scenario, check), (status, _)): (&(String, String), &(Status, _))| {
            let check = format!("{scenario}/{check}");
            let (twins, red) = self.twins.get(&check).copied().unwrap_or_default();
            CoveringCheck { check, status: *status, twins, red }
        };
        let checks: Vec<CoveringCheck> = naming.map(check).collect();
        CoveredRow { id, words, state: state(&checks), checks }
    }
}

/// What is known of a row by its checks.
fn state(checks: &[CoveringCheck]) -> CoverageState {
    let is_bad = |it: &&CoveringCheck| !matches!(it.status, Status::Pass | Status::Skipped);
    let passed = || checks.iter().filter(|it| it.status == Status::Pass);
    if checks.iter().any(|it| is_bad(&it)) {
        CoverageState::Failed
    } else if passed().any(|it| it.red < it.twins) {
        CoverageState::TwinMissed
    } else if passed().any(|it| it.red > 0) {
        CoverageState::Covered
    } else if passed().next().is_some() {
        CoverageState::WithoutTwin
    } else {
        CoverageState::NotChecked
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn suite(dir: &Path, runs: &serde_json::Value) {
        fs::create_dir_all(dir).unwrap();
        let text = json!({ "format_version": FORMAT_VERSION, "runs": runs });
        fs::write(dir.join("suite.json"), text.to_string()).unwrap();
    }

    fn verdicts(dir: &Path, verdicts: &[(&str, &str, &[&str])]) {
        fs::create_dir_all(dir).unwrap();
        let one = |(check, status, covers): &(&str, &str, &[&str])| {
            let reason = if *status == "pass" { "within-limit" } else { "outside-limit" };
            json!({
                "check": check, "scenario": "home/a=1", "status": status, "reason": reason,
                "measured": null, "limit": null, "unit": "1", "n": 1, "covers": covers, "why": "",
            })
        };
        let all: Vec<_> = verdicts.iter().map(one).collect();
        fs::write(dir.join(file::VERDICTS), json!(all).to_string()).unwrap();
    }

    #[test]
    fn a_row_is_covered_by_a_pass_and_a_twin_that_went_red() {
        let folder = tempfile::tempdir().unwrap();
        let (own, twins) = (folder.path().join("suite"), folder.path().join("twins"));
        let run = |folder: &str| json!({ "folder": folder, "status": "pass", "must_fail": null });
        suite(&own, &json!([run("home/a=1"), run("home/a=2")]));
        verdicts(
            &own.join("home/a=1"),
            &[
                ("good", "pass", &["F-04"]),
                ("bad", "pass", &["F-10"]),
                ("alone", "pass", &["C-04"]),
            ],
        );
        verdicts(&own.join("home/a=2"), &[("bad", "fail", &["F-10"])]);
        let twin = |of: &str, status: &str| json!({ "folder": null, "status": status, "must_fail": { "twin_of": of } });
        suite(&twins, &json!([twin("home/good", "pass"), twin("home/bad", "pass")]));
        let state = |folders: &[&Path], id: &str| {
            let coverage = Coverage::read(folders.iter().copied()).unwrap();
            coverage.rows.iter().find(|row| row.id == id).unwrap().state
        };
        let both = [own.as_path(), twins.as_path()];
        assert_eq!(state(&both, "F-04"), CoverageState::Covered);
        assert_eq!(state(&both, "F-10"), CoverageState::Failed);
        assert_eq!(state(&both, "C-04"), CoverageState::WithoutTwin);
        assert_eq!(state(&both, "F-12"), CoverageState::NotChecked);
        // A twin that is gone takes its row with it, and so does one that was not found.
        assert_eq!(state(&[&own], "F-04"), CoverageState::WithoutTwin);
        suite(&twins, &json!([twin("home/good", "pass"), twin("home/good", "fail")]));
        assert_eq!(state(&both, "F-04"), CoverageState::TwinMissed);
        assert!(Coverage::read([folder.path()]).is_err());
        // What is gone proves nothing.
        suite(&own, &json!([run("home/a=1"), run("gone")]));
        assert!(Coverage::read([own.as_path()]).is_err());
    }
}
