//! `run.json`: who ran what, where and when, and how it ended.
//!
//! The only file of the record that holds wall-clock times; it is never compared between repeats.

use std::collections::BTreeMap;

use lastmeter_units::SimTime;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::real_time::RealTimeFacts;
use super::signal::SignalFacts;
use crate::{Account, Counts};

/// How far a run got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// Still going, or its process was killed: the record was never finished.
    #[default]
    Running,
    /// Ran to its end.
    Finished,
    /// Ended early by the user or by a signal.
    Interrupted,
    /// Ended early by what is under test: nothing more could be learnt from it.
    Stopped,
    /// The bench could not go on.
    Error,
    /// Could not run on this machine although nothing is wrong; the cause names what is missing.
    Skipped,
}

lastmeter_units::words! {
    /// The signal that ended a run early.
    pub enum Signal in files {
        /// The terminal went away.
        HangUp = "SIGHUP",
        /// Ctrl-C at the terminal.
        Interrupt = "SIGINT",
        /// What `kill`, service managers and CI runners send to end a process.
        Terminate = "SIGTERM",
    }
}

impl Signal {
    /// What it did to the run, for people.
    pub const fn cause(self) -> &'static str {
        match self {
            Self::HangUp => "ended by SIGHUP",
            Self::Interrupt => "ended by SIGINT",
            Self::Terminate => "ended by SIGTERM",
        }
    }
}

/// A value of the scenario that an option of the command line has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// The option: `--set`, `--seed`, `--platform` or `--time`.
    pub option: String,
    /// Which value, as `--set` addresses it: `check.voltage.limit`.
    pub address: String,
    /// What it is now, as a TOML value.
    pub value: String,
    /// What the file has, or the default, as a TOML value; `None` where there was nothing.
    pub was: Option<String>,
}

/// `check.voltage.limit = "5 %" (was "0.5 %")`.
impl std::fmt::Display for Override {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let was = self.was.as_deref().unwrap_or("not set");
        write!(f, "{} = {} (was {was})", self.address, self.value)
    }
}

lastmeter_units::words! {
    /// Whether simulated time runs as fast as it can or with the clock on the wall.
    #[derive(Default)]
    pub enum TimeMode in files {
        /// An event queue; platform latency is not judged.
        #[default]
        Virtual = "virtual",
        /// The monotonic clock of the host.
        Real = "real",
    }
}

lastmeter_units::words! {
    /// In which of the three ways a device is there.
    pub enum Evidence in files {
        /// A model, no instrument.
        Simulated = "simulated",
        /// Its firmware on an emulated processor.
        Emulated = "emulated",
        /// The thing itself.
        Hardware = "hardware",
    }
}

/// One device of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceFacts {
    /// Its name in the record.
    pub name: String,
    /// The model of the scenario (`stpm34-1ph`).
    pub model: String,
    /// In which way it is there.
    #[serde(rename = "as")]
    pub evidence: Evidence,
    /// Where it is connected (`source:generator`).
    pub at: String,
    /// Whether it is what the run judges.
    #[serde(default)]
    pub under_test: bool,
    /// `samples` or `windows`.
    #[serde(default)]
    pub fidelity: Option<String>,
    /// Serial number of the thing itself.
    #[serde(default)]
    pub serial: Option<String>,
    /// Hash of its firmware.
    #[serde(default)]
    pub firmware: Option<String>,
    /// The voltage events and the tampering that it reports by alerts (`dip`, `cover`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<String>,
}

/// What is known when a run starts.
#[derive(Clone, Debug)]
pub struct RunStart {
    /// The scenario as resolved, every default and override written out.
    pub scenario_toml: String,
    /// The rest; the format's version and the hash of the above are filled in as it is written.
    pub facts: RunFacts,
}

/// What is known when a run ends.
#[derive(Clone, Debug)]
pub struct RunEnd {
    /// How it ended.
    pub state: RunState,
    /// Why, if it did not run to its end.
    pub cause: Option<String>,
    /// Event time up to which everything is in the record.
    pub recorded_until: SimTime,
    /// The wall clock now.
    pub ended: SimTime,
    /// The guarantees that held, as sentences.
    pub guarantees: Vec<String>,
    /// Whatever else is worth keeping: reconnects, messages per second, ...
    pub more: Map<String, Value>,
}

/// The content of `run.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// Version of the folder's format.
    pub format_version: u32,
    /// How far the run got.
    pub state: RunState,
    /// Why it did not run to its end.
    #[serde(default)]
    pub cause: Option<String>,
    /// The signal that ended it early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<Signal>,
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's title.
    #[serde(default)]
    pub title: String,
    /// SHA-256 of the bytes of `scenario.toml` in the run folder, in hexadecimal.
    #[serde(default)]
    pub scenario_hash: String,
    /// SHA-256 of the scenario as it was loaded, with all it reads, before anything was resolved.
    #[serde(default)]
    pub source_hash: String,
    /// The texts of the files that its checks name, by the names as written there: what it was
    /// judged by, wherever it is judged again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// The seed of all random streams.
    pub seed: u64,
    /// How time runs.
    pub time: TimeMode,
    /// Event time of the first sample.
    pub start: SimTime,
    /// Event time at which the scenario is over.
    pub end: SimTime,
    /// Event time up to which everything is in the record; known at the end.
    #[serde(default)]
    pub recorded_until: Option<SimTime>,
    /// Wall clock at the start.
    pub started: SimTime,
    /// Wall clock at the end.
    #[serde(default)]
    pub ended: Option<SimTime>,
    /// The command that repeats the run, program name first.
    #[serde(default)]
    pub command_line: Vec<String>,
    /// What options of the command line have changed of the scenario's file; `None` in folders
    /// that were written before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Vec<Override>>,
    /// Versions by name, `lastmeter` first of all.
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
    /// `embedded`, `child`, or the profile of somebody else's platform.
    #[serde(default)]
    pub platform: String,
    /// The devices of the run.
    #[serde(default)]
    pub devices: Vec<DeviceFacts>,
    /// The signals that the scenario names to be recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recorded_signals: Vec<SignalFacts>,
    /// About the machine: processor, cores, kernel, ...
    #[serde(default)]
    pub host: BTreeMap<String, Value>,
    /// How many rows `observations.csv` held when the run ended, without its header.
    #[serde(default)]
    pub observations: Option<u64>,
    /// How many lines `events.jsonl` held when the run ended.
    #[serde(default)]
    pub events: Option<u64>,
    /// How many rows `spans.csv` held when the run ended, without its header; `None` if no device
    /// declares the spans of its readings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spans: Option<u64>,
    /// How many rows `latency.csv` held when the run ended, without its header; `None` if the run
    /// does not record latency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<u64>,
    /// How many rows `signals.csv` held when the run ended, without its header; `None` if the run
    /// names no signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signals: Option<u64>,
    /// How many rows `grid.csv` and each of the tables beside it hold, without their headers;
    /// `None` if the run has no network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<u64>,
    /// SHA-256 of `observations.csv`, `spans.csv`, `signals.csv`, `events.jsonl`, `latency.csv`
    /// and the files of the network when the run ended, by file name, and of these facts
    /// themselves.
    #[serde(default)]
    pub hashes: BTreeMap<String, String>,
    /// What a real-time run reports of its clock, its timers, its links and its floor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub real_time: Option<RealTimeFacts>,
    /// The guarantees that held.
    #[serde(default)]
    pub guarantees: Vec<String>,
    /// Whatever else was kept: clocks, peers, reconnects, messages per second, ...
    #[serde(default)]
    pub more: Map<String, Value>,
    /// The exit code of the run, once it was judged.
    #[serde(default)]
    pub exit_code: Option<u8>,
    /// How many checks ended with each status, once they were judged.
    #[serde(default)]
    pub verdicts: Option<Counts>,
    /// What became of the readings that were due, once the run was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// SHA-256 of `verdicts.json`, of a run whose record was removed once it was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_behind: Option<String>,
}

impl RunFacts {
    /// Adds what is known at the end.
    pub fn set_end(&mut self, end: RunEnd) {
        self.state = end.state;
        self.cause = end.cause;
        self.recorded_until = Some(end.recorded_until);
        self.ended = Some(end.ended);
        self.guarantees = end.guarantees;
        self.more.extend(end.more);
    }

    /// What options of the command line have changed of the scenario's file, as far as is known.
    pub fn overrides(&self) -> &[Override] {
        self.overrides.as_deref().unwrap_or_default()
    }

    /// Whether the run got to its end, so that a check may pass.
    pub fn is_finished(&self) -> bool {
        self.state == RunState::Finished
    }
}
