//! What distinguishes a record as the run wrote it from one that was changed or cut afterwards.
//!
//! Terms: the *seal* of a file is the number of its lines and the SHA-256 of its bytes, taken while
//! it is written and kept in `run.json`. It guards against accidents and edits of a record, not
//! against somebody who also rewrites `run.json`: nothing here is signed.

use super::facts::{RunFacts, RunState};
use super::file;
use super::hash::sha256;

/// The unfinished last line of a file whose writer was killed; it was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The file's name in the run folder.
    pub file: &'static str,
    /// How many bytes were left out.
    pub bytes: u64,
}

impl std::fmt::Display for Torn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the last line of {} is torn; its {} bytes were left out", self.file, self.bytes)
    }
}

/// What was found on reading one of the sealed files to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The file's name in the run folder.
    pub file: &'static str,
    /// How many rows or events it holds.
    pub lines: u64,
    /// The SHA-256 of its whole lines.
    pub sha256: Option<String>,
    /// Its unfinished last line.
    pub torn: Option<Torn>,
}

/// In what the record differs from what the run wrote, as one sentence; `None` if in nothing. A run
/// that never finished its record left no seal on its files, only on the scenario.
pub fn changed(facts: &RunFacts, scenario_toml: &str, found: &[Found]) -> Option<String> {
    let mut differences = Vec::new();
    if sha256(scenario_toml.as_bytes()) != facts.scenario_hash {
        differences.push(format!(
            "{} was changed after the run: its SHA-256 is not the `scenario_hash` of {}",
            file::SCENARIO,
            file::RUN
        ));
    }
    if facts.state != RunState::Running {
        if !facts.is_as_written() {
            differences.push(format!(
                "{} was changed after the run: it does not match its own hash",
                file::RUN
            ));
        }
        differences.extend(found.iter().filter_map(|found| difference(facts, found)));
    }
    (!differences.is_empty()).then(|| differences.join("; "))
}

impl RunFacts {
    /// Whether they are what the run wrote, by their own hash. A run that never finished its record
    /// left none, and nothing is known of it.
    pub fn is_as_written(&self) -> bool {
        self.state == RunState::Running || self.hashes.get(file::RUN) == Some(&facts_hash(self))
    }
}

/// The SHA-256 of what `run.json` holds, without what is added when the run is judged. It notices a
/// figure that was changed by hand; who makes the hash anew is not noticed by it.
pub(crate) fn facts_hash(facts: &RunFacts) -> String {
    let mut facts = facts.clone();
    facts.hashes.remove(file::RUN);
    (facts.exit_code, facts.verdicts, facts.account) = (None, None, None);
    facts.removed_behind = None;
    // Facts that were read or written are text and numbers, which always can be.
    sha256(&serde_json::to_vec(&facts).unwrap_or_default())
}

fn difference(facts: &RunFacts, found: &Found) -> Option<String> {
    let name = found.file;
    let (what, count) = match name {
        file::OBSERVATIONS => ("rows", facts.observations),
        file::SPANS => ("rows", facts.spans),
        file::SIGNALS => ("rows", facts.signals),
        file::LATENCY => ("rows", facts.latency),
        file::GRID | file::GRID_LOADS | file::GRID_VOLTAGES | file::GRID_INPUTS => {
            ("rows", facts.grid)
        }
        // Of a picture only the bytes count, and of what has no row for each step.
        file::GRID_HEAVIEST
        | file::GRID_HIGHEST
        | file::GRID_DARK
        | file::GRID_CURVES
        | file::GRID_WAVEFORMS => ("lines", Some(found.lines)),
        _ => ("events", facts.events),
    };
    let (Some(count), Some(sha256)) = (count, facts.hashes.get(name)) else {
        return Some(format!(
            "{} does not state how many {what} {name} held at the end of the run, or not its \
             SHA-256: it was changed after the run, or is of a version that did not finish it",
            file::RUN
        ));
    };
    if found.lines != count {
        let lines = found.lines;
        return Some(format!(
            "{name} holds {lines} of {count} {what}: the record was changed or cut after the run"
        ));
    }
    if let Some(torn) = found.torn {
        return Some(format!("{torn}: the record was changed or cut after the run"));
    }
    (found.sha256.as_ref() != Some(sha256)).then(|| {
        format!("{name} was changed after the run: its SHA-256 is not the one in {}", file::RUN)
    })
}
