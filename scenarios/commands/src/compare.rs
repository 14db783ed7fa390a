//! `lastmeter compare`: what changed between runs, and whether anything got worse.

use std::path::{Path, PathBuf};

use clap::Args;
use lastmeter_bench::output::{TextFormat, broken, complain, print_err, print_out};
use lastmeter_reports::ExitCode;
use lastmeter_reports::compare::{Comparison, Side, baseline_of};

/// Options of `lastmeter compare`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  lastmeter compare runs/before --against runs/after
  lastmeter compare before-1 before-2 before-3 before-4 before-5 --against after-1 after-2 ...
  lastmeter compare runs/before --write-baseline baseline.toml
  lastmeter compare baseline.toml --against runs/after --format json

Exit codes:
  0  nothing got worse
  1  a check or a value got worse
  2  bad command line or baseline
  3  a run cannot be read
  4  no scenario is on both sides
  5  nothing got worse as far as it could be judged, but some values could not: too few runs in real
     time, or too much spread among them")]
pub struct CompareOptions {
    /// What to compare with: run folders, suite folders, or a baseline file (.toml)
    #[arg(required = true, value_name = "BASE")]
    pub base: Vec<PathBuf>,
    /// What is new: run folders or suite folders. In real time 5 runs of each side at least
    #[arg(long, value_name = "NEW", num_args = 1.., required_unless_present = "write_baseline")]
    pub against: Vec<PathBuf>,
    /// Write the values of BASE into a baseline file instead, with tolerances to edit
    #[arg(long, value_name = "FILE", conflicts_with = "against")]
    pub write_baseline: Option<PathBuf>,
    /// For people, or one JSON document
    #[arg(long, value_enum, default_value_t = TextFormat::Human)]
    pub format: TextFormat,
}

/// Compares runs, or writes a baseline of them.
pub fn compare(options: &CompareOptions) -> ExitCode {
    let base = match Side::read(&options.base) {
        Ok(side) => side,
        Err(error) => return complain(&error.to_string()),
    };
    if let Some(file) = &options.write_baseline {
        return write(&base, file);
    }
    let new = match Side::read(&options.against) {
        Ok(side) => side,
        Err(error) => return complain(&error.to_string()),
    };
    let comparison = Comparison::of(&base, &new);
    for what in &comparison.broken {
        print_err(&format!("error: {what}"));
    }
    match options.format {
        TextFormat::Human => print_out(&comparison.to_string()),
        TextFormat::Json => print_out(&comparison.json()),
    }
    comparison.exit()
}

fn write(base: &Side, file: &Path) -> ExitCode {
    if file.exists() {
        return complain(&format!("--write-baseline {}: it is there already", file.display()));
    }
    if let Some(what) = base.broken().first() {
        return broken(what);
    }
    let Some(text) = baseline_of(base) else {
        return complain("no run of BASE ran to its end, so there is no baseline to write");
    };
    if let Err(error) = std::fs::write(file, text) {
        return broken(&format!("--write-baseline {}: {error}", file.display()));
    }
    print_out(&format!("Baseline {}", file.display()));
    ExitCode::Passed
}
