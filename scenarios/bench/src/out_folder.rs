//! Folders that results go to: they are never overwritten.

use std::path::Path;

use lastmeter_record::file;

/// What keeps results from going to a folder: it is none, or holds some already.
pub fn occupied(folder: &Path) -> Option<String> {
    let about = folder.metadata().ok()?;
    let shown = folder.display();
    if !about.is_dir() {
        return Some(format!("--out: {shown} is a file; give a folder"));
    }
    let of_a_suite = ["suite.json", "summary.md", "index.html"];
    let of_a_run =
        [file::RUN, file::SCENARIO, file::EVENTS, file::OBSERVATIONS, file::VERDICTS, file::JUNIT];
    let holds = |files: &[&str]| files.iter().any(|name| folder.join(name).exists());
    let what = match (holds(&of_a_suite), holds(&of_a_run)) {
        (true, _) => "a suite",
        (false, true) => "a run",
        (false, false) => return None,
    };
    Some(format!(
        "--out: {shown} already holds {what}; give another folder, results are never overwritten"
    ))
}
