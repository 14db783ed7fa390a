//! The command line of `lastmeter run`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lastmeter_language::{LoadOptions, Variation};

use lastmeter_reports::suite::Shard;

use crate::run::ConsoleOptions;

/// What `lastmeter run` is asked with.
#[derive(Clone, Debug, Args)]
pub struct SuiteOptions {
    /// Scenario files or folders
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// Where the results go [default: runs/NAME-TIME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Run only what fits: a name or pattern, `SCENARIO/TWIN`, `tag:WORD` or `covers:ROW`, or `!`
    /// before one for what does not fit it; of several joined by commas one has to fit, given more
    /// than once, all have to
    #[arg(long = "filter", value_name = "EXPR")]
    pub filters: Vec<String>,
    /// Overrides, seed, time and platform.
    #[command(flatten)]
    pub load: LoadOptions,
    /// Run a case for each of these values, and for each with each of others that vary: values with
    /// commas between them, or as in `[matrix]`: `source.mains.voltage="207 V,230 V"`
    #[arg(long, value_name = "KEY=A,B,..", conflicts_with = "must_fail")]
    pub vary: Vec<String>,
    /// Run each case with each of these seeds, both included, as in `1..20`
    #[arg(long, value_name = "A..B", conflicts_with_all = ["must_fail", "seed"])]
    pub seeds: Option<String>,
    /// Run each scenario, or each of its cases, so many times; with one seed runs in virtual time
    /// are all the same
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "must_fail")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub repeat: u16,
    /// Run more than 1,000 cases
    #[arg(long)]
    pub yes: bool,
    /// Run only the must-fail twins, and pass if each fails by its named check, and passes without
    /// its defect; what other options change comes after what a twin changes
    #[arg(long)]
    pub must_fail: bool,
    /// Whose controls run as well: of the must-fail twins that fit, as of `--filter`; a control is
    /// the scenario without the defect, which has to pass. `none` of no twin
    #[arg(long, value_name = "EXPR", default_value = "*", requires = "must_fail")]
    pub controls: String,
    /// Run one part of several, such as `2/4`: others run the others, and `lastmeter merge` joins
    /// them. Which part a run is in depends on its name alone
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Show what would run, and run nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Make a run that is no pass again, so many times at most, on a bench of its own each; what
    /// passes then is flaky, by its label, and each attempt is kept
    #[arg(long, value_name = "N", default_value_t = 0)]
    #[arg(value_parser = clap::value_parser!(u16).range(0..=100))]
    pub retries: u16,
    /// A file of runs that need be no pass for now, each with who sees to it, why, and until when:
    /// they run and are shown, and do not make the suite red; once an entry has expired they do
    #[arg(long, value_name = "FILE")]
    pub quarantine: Option<PathBuf>,
    /// Run only what is in quarantine, as if it was not
    #[arg(long, requires = "quarantine")]
    pub quarantine_verify: bool,
    /// Run only what was no pass in this suite folder
    #[arg(long, value_name = "DIR")]
    pub rerun_failed: Option<PathBuf>,
    /// Go on with the suite folder of `--out`, which was interrupted: what has a finished record of
    /// the same scenario is judged again by it, the rest runs
    #[arg(long, requires = "out")]
    pub resume: bool,
    /// Which records stay: `all`, or of runs that pass only `run.json`, `scenario.toml` and the
    /// verdicts
    #[arg(long, value_enum, default_value_t = KeptRecords::All)]
    pub keep: KeptRecords,
    /// Begin no other run once one has failed
    #[arg(long)]
    pub fail_fast: bool,
    /// Run nothing if one of the files is broken; else such a file is an error of the suite, and
    /// the rest runs
    #[arg(long)]
    pub strict: bool,
    /// End each run that takes longer in wall time, such as `90 s`: an error, behind which the
    /// others go on
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<String>,
    /// How long a real-time run waits for a machine on which all its checks can be judged, as in
    /// 2min; then it runs anyway
    #[arg(long, value_name = "TIME")]
    pub wait_quiet: Option<String>,
    /// Serve the pages of the first gateway that answers some at this address, such as
    /// `127.0.0.1:8080`: once a run in virtual time is over, and all through one in real time,
    /// until Ctrl-C
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "must_fail")]
    pub pages: Option<String>,
    /// Ask for no real-time priority, which a run in real time otherwise uses if it is granted
    #[arg(long)]
    pub normal_priority: bool,
    /// How many scenarios in virtual time run at a time; those in real time, with boards or with a
    /// platform, line or port of their own run alone
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: u16,
    /// For people, one JSON object per event and line, or for people with annotations
    #[arg(long, value_enum, default_value_t = SuiteFormat::Human)]
    pub format: SuiteFormat,
    /// No progress line, even on a terminal
    #[arg(long)]
    pub no_progress: bool,
    /// Whether words are coloured
    #[arg(skip)]
    pub color: bool,
}

/// What a suite prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SuiteFormat {
    /// For people
    Human,
    /// For programs
    Json,
    /// For people, and at the end an annotation of each run that is no pass, as GitHub Actions
    /// shows it beside the file; the summary goes to the job's page
    Github,
}

/// Of which runs the record stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum KeptRecords {
    /// Of all.
    #[default]
    All,
    /// Of those that were no pass.
    Failed,
}

impl SuiteOptions {
    /// What it varies.
    pub(crate) fn variation(&self) -> Variation<'_> {
        Variation { vary: &self.vary, seeds: self.seeds.as_deref(), repeat: self.repeat }
    }

    /// How the run is shown.
    pub(crate) fn console(&self) -> ConsoleOptions {
        ConsoleOptions {
            json: self.format == SuiteFormat::Json,
            color: self.color,
            progress: !self.no_progress,
            silent: false,
        }
    }
}
