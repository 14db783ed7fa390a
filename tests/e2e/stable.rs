//! What others wrote before stays valid: scenario files and spellings of earlier versions.
//!
//! `tests/e2e/format-1` holds the library and its networks as they were when scenario files of
//! `format = 1` were declared stable. Nothing in it is ever edited; a later format gets a folder of
//! its own.

use std::path::Path;

use serde_json::Value;

use crate::bench::call;

const FORMAT_1: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/format-1/library");

/// How many scenarios are below a folder.
fn count(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| match path.extension() {
            _ if path.is_dir() => count(&path),
            Some(extension) if extension == "toml" => 1,
            _ => 0,
        })
        .sum()
}

#[test]
fn scenario_files_of_format_1_are_valid_as_they_were_written() {
    let valid = call(&["validate", FORMAT_1]);
    assert_eq!(valid.code, 0, "{valid:?}");
    let lines = valid.stdout.lines().filter(|line| line.starts_with("ok  ")).count();
    assert_eq!((lines, count(Path::new(FORMAT_1))), (186, 186), "{valid:?}");
    // Only those whose recordings are elsewhere have a warning, as they always had.
    assert!(!valid.stderr.contains("error["), "{valid:?}");
}

/// One of them still runs, and ends as it ended.
#[test]
fn a_scenario_of_format_1_ends_as_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let scenario = format!("{FORMAT_1}/standby.toml");
    let done = call(&["run", &scenario, "--out", out.to_str().unwrap()]);
    assert_eq!(done.code, 0, "{done:?}");
    let text = std::fs::read_to_string(out.join("verdicts.json")).unwrap();
    let verdicts: Value = serde_json::from_str(&text).unwrap();
    assert!(verdicts.as_array().unwrap().iter().all(|verdict| verdict["status"] == "pass"));
}
