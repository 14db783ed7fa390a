//! A run folder of an older version: `recorded-before` is what `report` reads of a run that was
//! recorded before alerts had facts, when all of its checks passed.

use std::path::Path;

use serde_json::{Value, json};

use crate::bench::{call, json as read};

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/recorded-before");

#[test]
fn checks_that_need_facts_of_an_older_record_are_inconclusive() {
    let folder = tempfile::tempdir().unwrap();
    for entry in Path::new(RECORDED).read_dir().unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let before = read(folder.path(), "run.json");
    assert_eq!(before["verdicts"]["pass"], 8, "all of them, when it was recorded");

    let done = call(&["report", folder.path().to_str().unwrap()]);
    assert_eq!(done.code, 5, "{done:?}");
    let verdicts = read(folder.path(), "verdicts.json");
    let of = |it: &Value| [it["check"].clone(), it["reason"].clone(), it["measured"].clone()];
    let (all, mut unknown) = (verdicts.as_array().unwrap(), Vec::new());
    for verdict in all {
        match verdict["status"].as_str().unwrap() {
            "pass" => {}
            "inconclusive" => unknown.push(of(verdict)),
            other => panic!("{other}: {verdict}"),
        }
    }
    // Voltages and phases of reports, and whom an alert is about; when somebody gasped is known.
    let incomplete = |check: &str| [json!(check), json!("incomplete"), Value::Null];
    assert_eq!((all.len(), unknown), (8, vec![incomplete("dips"), incomplete("dip-of-the-mill")]));
}
