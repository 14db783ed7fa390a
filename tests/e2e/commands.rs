//! Commands that come to nothing: reported by the checks or beside them, and never green.

use crate::bench::{run, verdict};

/// A meter whose first three readings are lost, so that the platform does not know it at 7 s.
const UNKNOWN_YET: &str = r#"format = 1
[scenario]
name = "unknown-yet"
start = 2027-01-18T17:00:00Z
duration = "1 min"
[[source]]
name = "mains"
kind = "synthetic"
[[device]]
name = "meter"
at = "source:mains"
model = "stpm34-3ph"
fidelity = "windows"
report_every = "5 s"
[[inject]]
at = "0 s"
kind = "skip_reading"
device = "meter"
count = 3
[[inject]]
at = "7 s"
kind = "command"
device = "meter"
command = { name = "setReportingPeriod", seconds = 2 }
[[check]]
name = "voltage"
kind = "accuracy"
quantity = "electricity.voltage.rms.*"
limit = "0.5 %"
"#;

#[test]
fn a_command_that_cannot_be_given_breaks_no_run_and_leaves_none_green() {
    let folder = tempfile::tempdir().unwrap();
    let judged = format!("{UNKNOWN_YET}[[check]]\nname = \"obeyed\"\nkind = \"command_ack\"\n");
    for (name, text, code, check, status) in [
        ("unjudged", UNKNOWN_YET, 5, "unjudged-commands", "inconclusive"),
        ("judged", &judged, 1, "obeyed", "fail"),
    ] {
        let path = folder.path().join(format!("{name}.toml"));
        std::fs::write(&path, text).unwrap();
        let out = folder.path().join(name);
        let done = run(path.to_str().unwrap(), &out, &[]);
        assert_eq!(done.code, code, "{name}: {done:?}");
        let found = verdict(&out, check);
        assert_eq!(found["status"], status, "{found}");
        assert!(found["why"].as_str().unwrap().contains("there is no device"), "{found}");
        assert_eq!(verdict(&out, "voltage")["status"], "pass");
    }
}
