//! Holds what is one row of a registry to its budget, or to a reason at its head.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{files, root};

/// Folders of which each entry is a codec, device, gateway, source, check, command or section.
const FOLDERS: [&str; 13] = [
    "base/link/src/channel",
    "base/link/src/medium",
    "base/rts/src",
    "base/wire/src/commands",
    "devices/src/gateway",
    "devices/src/model",
    "platform/src/doors",
    "platform/src/format",
    "reports/src/checks",
    "scenarios/language/src/section",
    "scenarios/language/src/section/inject",
    "sim/grid/src/format",
    "sim/src/injection",
];

/// Lines of one of them, its tests included; a larger one begins with the reason.
const LINES_MAX: usize = 800;
const REASON: &str = "Larger than its budget";

/// The entry of a folder that a file belongs to, without its ending and that of its tests.
fn entry(folder: &Path, path: &Path) -> Option<PathBuf> {
    let first = path.strip_prefix(folder).ok()?.iter().next()?.to_str()?;
    let name = first.trim_end_matches(".rs").trim_end_matches("_tests");
    (!["mod", "lib", "tests"].contains(&name)).then(|| folder.join(name))
}

#[test]
fn what_exceeds_its_budget_states_why() {
    let sources: Vec<(PathBuf, String)> = files(".rs")
        .into_iter()
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect();
    let mut faults = Vec::new();
    for folder in FOLDERS.map(|folder| root().join(folder)) {
        let mut entries: BTreeMap<PathBuf, (usize, String)> = BTreeMap::new();
        for (path, code) in &sources {
            let Some(entry) = entry(&folder, path) else { continue };
            let heads = [entry.with_extension("rs"), entry.join("mod.rs")];
            let (lines, head) = entries.entry(entry).or_default();
            *lines += code.lines().count();
            if heads.contains(path) {
                let comments = code.lines().map_while(|line| line.strip_prefix("//!"));
                head.push_str(&comments.collect::<String>());
            }
        }
        assert!(!entries.is_empty(), "{} has no entry", folder.display());
        for (entry, (lines, head)) in entries {
            if lines > LINES_MAX && !head.contains(REASON) {
                let shown = entry.strip_prefix(root()).unwrap().display();
                faults.push(format!("{shown}: {lines} lines, and its head has no `{REASON}`"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
