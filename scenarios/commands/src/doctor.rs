//! `lastmeter doctor`: what this machine can measure, what it cannot, and what to do about it.
//!
//! Terms: a *finding* is one line of the answer, `ok`, `limited` or `no`; a *floor* is what bench,
//! machine and broker add on their own. Which transfer-time classes can be judged here follows
//! from the floor by the rule that verdicts use: a limit below ten times the floor's 99th
//! percentile is not measurable.
//!
//! It changes nothing that outlives it: probes run for some seconds, a platform is started in a
//! temporary folder and stopped again, and no device is opened.

mod broker;
mod classes;
mod disk;
mod equipment;
mod finding;
mod machine;
mod rights;
mod show;
#[cfg(test)]
mod tests;
mod timers;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use classes::ClassFinding;
use finding::Finding;
use lastmeter_bench::floor::ROOT;
use lastmeter_bench::output::{TextFormat, broken, print_err, print_out};
use lastmeter_record::{Floor, Summary};
use lastmeter_reports::ExitCode;
use lastmeter_reports::latency::FloorBound;
use lastmeter_sim::Streams;
use serde::Serialize;
use timers::TimerRow;

/// What `lastmeter doctor` is asked with.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  lastmeter doctor
  lastmeter doctor --quick --format json
  lastmeter doctor --out /srv/results

Reports rights, processors, clocks and timers, the disk, the way through a broker, and equipment,
each as ok, limited or no with what to do about it; and which transfer-time classes TT6 to TT0 can
be judged here: those whose limit is at least ten times the floor's 99th percentile.

Exit codes:
  0    everything could be measured, whatever was found
  3    something could not be measured at all")]
pub struct DoctorOptions {
    /// Take a few seconds instead of half a minute; percentiles are rougher
    #[arg(long)]
    pub quick: bool,
    /// The folder results would go to: its disk is tried
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
    /// For people, or one JSON document
    #[arg(long, value_enum, default_value_t = TextFormat::Human)]
    pub format: TextFormat,
    /// Whether words are coloured
    #[arg(skip)]
    pub color: bool,
}

/// Everything that was found. The keys are stable within a `format_version`.
#[derive(Debug, Serialize)]
struct Examination {
    format_version: u32,
    lastmeter: &'static str,
    quick: bool,
    machine: String,
    /// Whether everything that is measured could be measured.
    complete: bool,
    findings: Vec<Finding>,
    timers: Vec<TimerRow>,
    sync: Option<Summary>,
    floors: Vec<BrokerFloor>,
    classes: Vec<ClassFinding>,
}

/// The floor of the embedded platform over one transport.
#[derive(Clone, Debug, Serialize)]
struct BrokerFloor {
    /// `plain` or `tls`.
    transport: &'static str,
    /// Under which scheduling policy the bench's side ran.
    policy: String,
    floor: Floor,
}

impl BrokerFloor {
    /// As verdicts would see it before a run.
    fn bound(&self) -> (&'static str, FloorBound) {
        let echo_p50_ns = self.floor.echo.map_or(0, |echo| echo.p50_ns);
        let p50_ns = echo_p50_ns.max(self.floor.timer.p50_ns);
        (self.transport, FloorBound { p50_ns, p99_ns: self.floor.p99_ns() })
    }
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Effort {
    timer_probes: usize,
    syncs: usize,
    floor_probes: u32,
    echoes: u32,
}

const FULL: Effort = Effort { timer_probes: 500, syncs: 300, floor_probes: 2000, echoes: 2000 };
const QUICK: Effort = Effort { timer_probes: 60, syncs: 60, floor_probes: 200, echoes: 300 };

/// Examines the machine and prints what was found. The exit code is that of success unless
/// something could not be measured at all: what a machine cannot do is a finding, not a failure.
pub fn doctor(options: &DoctorOptions) -> ExitCode {
    let examination = examine(options);
    if options.format == TextFormat::Json {
        match serde_json::to_string_pretty(&examination) {
            Ok(text) => print_out(&text),
            Err(error) => {
                return broken(&format!("the findings cannot be written as JSON: {error}"));
            }
        }
    } else {
        for line in show::lines(&examination, options.color) {
            print_out(&line);
        }
    }
    if examination.complete { ExitCode::Passed } else { ExitCode::Broken }
}

fn examine(options: &DoctorOptions) -> Examination {
    let effort = if options.quick { QUICK } else { FULL };
    let root = Path::new(ROOT);
    let streams = Streams::new(1);
    let note = |what: &str| {
        if std::io::stderr().is_terminal() {
            print_err(&format!("  {what} ..."));
        }
    };
    let mut findings = rights::findings(root);
    findings.extend(machine::findings(root));
    note("waking timers");
    let (timers, timer_findings) = timers::measure(effort.timer_probes, streams);
    findings.extend(timer_findings);
    note("writing to the disk");
    let (sync, disk) = disk::measure(&options.out, effort.syncs);
    findings.push(disk);
    note("sending echoes through a broker");
    let (floors, broker_findings) = broker::measure(effort, streams);
    findings.extend(broker_findings);
    findings.extend(equipment::findings(root, std::env::var_os("PATH").as_deref()));
    let bounds: Vec<(&str, FloorBound)> = floors.iter().map(BrokerFloor::bound).collect();
    Examination {
        format_version: 1,
        lastmeter: env!("CARGO_PKG_VERSION"),
        quick: options.quick,
        machine: machine::title(root),
        complete: findings.iter().all(|finding| !finding.unmeasured),
        findings,
        timers,
        sync,
        floors,
        classes: classes::findings(&bounds),
    }
}
