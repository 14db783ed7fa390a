//! What GitHub Actions shows of a suite: a workflow command for each run that needs attention, and
//! the summary on the job's page.
//!
//! Commands are lines `::error file=FILE,title=TITLE::TEXT` on standard output, in which `%`, line
//! ends, and of a property `:` and `,` are written as in an address of the web.

use std::io::Write as _;

use lastmeter_record::Status;
use lastmeter_reports::suite::{Suite, SuiteRun};

use crate::output::{print_err, print_out};

/// The variable that names the file of the job's page.
const STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Prints an annotation of each run that is no pass, is flaky, or is in quarantine.
pub(super) fn print(suite: &Suite) {
    suite.runs.iter().filter_map(annotation).for_each(|line| print_out(&line));
    let Some(path) = std::env::var_os(STEP_SUMMARY).filter(|path| !path.is_empty()) else { return };
    let file = std::fs::OpenOptions::new().append(true).create(true).open(&path);
    if let Err(error) = file.and_then(|mut file| file.write_all(suite.markdown().as_bytes())) {
        print_err(&format!("warning: {STEP_SUMMARY}: {}: {error}", path.display()));
    }
}

/// What is shown of a run; nothing of one that passed and is nothing else.
fn annotation(run: &SuiteRun) -> Option<String> {
    let status = run.status();
    let level = match status {
        Status::Fail | Status::Error if !run.is_excused() => "error",
        Status::Pass if run.is_flaky() => "warning",
        Status::Pass => return None,
        Status::Skipped => "notice",
        Status::Inconclusive | Status::Fail | Status::Error => "warning",
    };
    let why = run.why().map(|why| why.to_string());
    let why = why.unwrap_or_else(|| format!("flaky: it took {} attempts", run.attempts.len() + 1));
    let note = run.quarantine.as_ref().map(|entry| format!(" ({})", entry.label()));
    let text = format!("{status}{}: {why}", note.unwrap_or_default());
    let file = run.file.as_deref().map(|file| format!("file={},", property(file)));
    let (file, title) = (file.unwrap_or_default(), property(&run.scenario));
    Some(format!("::{level} {file}title={title}::{}", data(&text)))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use lastmeter_reports::suite::Outcome;
    use lastmeter_reports::{ExitCode, Reason};

    use super::*;

    fn run(exit: ExitCode, reason: Reason, why: &str) -> SuiteRun {
        SuiteRun {
            folder: None,
            scenario: "a,b: 50 %".to_owned(),
            file: Some("suite/a.toml".to_owned()),
            place: 0,
            case: None,
            twin: None,
            quarantine: None,
            attempts: Vec::new(),
            outcome: Outcome::NotRun { exit, reason, why: why.into() },
        }
    }

    #[test]
    fn runs_that_need_attention_are_annotated() {
        let broke = run(ExitCode::Broken, Reason::BenchBroke, "no room\nleft, 100 % full");
        assert_eq!(
            annotation(&broke).unwrap(),
            "::error file=suite/a.toml,title=a%2Cb%3A 50 %25::error: no room%0Aleft, 100 %25 full"
        );
        let skipped = run(ExitCode::NothingEvaluated, Reason::RunSkipped, "no recordings");
        let line = annotation(&SuiteRun { file: None, ..skipped }).unwrap();
        assert!(line.starts_with("::notice title=a%2Cb%3A 50 %25::skipped: no rec"), "{line}");
    }
}
