//! Records that leave rows out by rules: the verdicts are those of the whole record.

use std::path::Path;

use crate::bench::{call, json, library, run, verdict};

const RULES: &str = "\n[record]\nevery = \"1 min\"\nrules = [{ keep = \"aggregates\" }]\n";

const ONCE: &str = "\n[[check]]\nname = \"readings-once\"\nkind = \"no_loss\"\n";

fn written(folder: &Path, more: &str) -> String {
    let text = std::fs::read_to_string(library("two-hundred-meters")).unwrap();
    let file = folder.join("two-hundred-meters.toml");
    let text = text
        .replace("quantities = [\"active_power\"]", "quantities = [\"voltage\", \"active_power\"]");
    std::fs::write(&file, text + ONCE + more).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_thinned_record_comes_to_the_same_and_states_what_it_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, thin) = (folder.path().join("whole"), folder.path().join("thin"));
    let file = written(folder.path(), "");
    assert_eq!(run(&file, &whole, &[]).code, 0);
    let file = written(folder.path(), RULES);
    let done = run(&file, &thin, &[]);
    assert_eq!(done.code, 0, "{done:?}");
    let rows = |out: &Path| json(out, "run.json")["observations"].as_u64().unwrap();
    // Of each reading its first value, of the others the worst of the minute in two ways.
    assert!(3 * rows(&thin) < 2 * rows(&whole), "{} of {}", rows(&thin), rows(&whole));
    for key in ["status", "measured", "at"] {
        assert_eq!(verdict(&whole, "class-1")[key], verdict(&thin, "class-1")[key], "{key}");
    }
    let once = verdict(&thin, "readings-once");
    assert_eq!((&once["status"], &once["n"]), (&"pass".into(), &2400.into()));
    let aggregates = std::fs::read_to_string(thin.join("aggregates.csv")).unwrap();
    let first: Vec<&str> = aggregates.lines().nth(1).unwrap().split(',').collect();
    assert_eq!((first[0], first[5]), ("meter-001", "12"), "{first:?}");
    // It is sealed as the rest of the record is.
    std::fs::write(thin.join("aggregates.csv"), aggregates.replacen(",12,", ",13,", 1)).unwrap();
    let again = call(&["report", thin.to_str().unwrap()]);
    assert_eq!(again.code, 3, "{again:?}");
    assert_eq!(verdict(&thin, "class-1")["reason"], "record-changed");
}

#[test]
fn a_check_that_needs_every_row_is_not_starved() {
    let folder = tempfile::tempdir().unwrap();
    let check = "\n[[check]]\nname = \"first-to-last\"\nkind = \"accuracy\"\n\
                 quantity = \"electricity.voltage.rms.l1\"\nlimit = \"1 %\"\nminimum = \"10 V\"\n";
    let file = written(folder.path(), &format!("{RULES}{check}"));
    let done = call(&["validate", &file]);
    assert_eq!(done.code, 2, "{done:?}");
    let text = done.stdout + &done.stderr;
    assert!(text.contains("needs every row of its series"), "{text}");
    let kept = RULES.replace("[{", "[{ quantity = \"*.voltage.*\", keep = \"all\" }, {");
    let done = call(&["validate", &written(folder.path(), &format!("{kept}{check}"))]);
    assert_eq!(done.code, 0, "{done:?}");
}
