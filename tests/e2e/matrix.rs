//! Cases of a scenario: from a table of its own, and from the command line.

use std::path::Path;

use serde_json::{Value, json as value};

use crate::bench::{COMPARED, call, json, lastmeter, run};

/// An ideal meter that reads too much voltage, held to 2 %.
const SCENARIO: &str = r#"format = 1
[scenario]
name = "gains"
duration = "20 s"
[matrix]
vary = { "device.home.voltage_gain_error" = ["1 %", "3 %"], "source.g.voltage" = ["207 V", "230 V"] }
[[source]]
name = "g"
kind = "synthetic"
[[device]]
name = "home"
at = "source:g"
model = "ideal-3ph"
[[check]]
name = "voltage"
kind = "accuracy"
quantity = "electricity.voltage.rms.*"
limit = "2 %"
[[must_fail]]
name = "much"
check = "voltage"
set = { "device.home.voltage_gain_error" = "5 %" }
"#;

const NAMES: [&str; 4] = [
    "gains/voltage_gain_error=1pct+voltage=207V",
    "gains/voltage_gain_error=1pct+voltage=230V",
    "gains/voltage_gain_error=3pct+voltage=207V",
    "gains/voltage_gain_error=3pct+voltage=230V",
];

fn written(folder: &Path) -> String {
    let file = folder.join("gains.toml");
    std::fs::write(&file, SCENARIO).unwrap();
    file.to_str().unwrap().to_owned()
}

/// The runs of a suite with their statuses.
fn runs(out: &Path) -> Vec<(String, String)> {
    let suite = json(out, "suite.json");
    let word = |run: &Value, key: &str| run[key].as_str().unwrap().to_owned();
    let pair = |run: &Value| (word(run, "scenario"), word(run, "status"));
    suite["runs"].as_array().unwrap().iter().map(pair).collect()
}

#[test]
fn each_case_is_a_run_by_its_name_and_can_be_repeated_and_rendered_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path());
    let out = folder.path().join("out");
    let done = run(&file, &out, &["--jobs", "2"]);
    assert_eq!(done.code, 1, "{done:?}");
    let statuses = ["pass", "pass", "fail", "fail"];
    let expected: Vec<(String, String)> = NAMES
        .iter()
        .zip(statuses)
        .map(|(name, status)| (name.to_string(), status.to_owned()))
        .collect();
    assert_eq!(runs(&out), expected);
    let suite = json(&out, "suite.json");
    assert_eq!(suite["runs"][2]["case"]["name"], "voltage_gain_error=3pct+voltage=207V");
    assert_eq!(
        suite["runs"][2]["case"]["values"][0],
        value!({ "address": "device.home.voltage_gain_error", "value": "\"3 %\"" })
    );
    // The variant stands in console, JUnit, record and report.
    let junit = std::fs::read_to_string(out.join("junit.xml")).unwrap();
    for name in NAMES {
        assert!(done.stdout.contains(name), "{name} in {}", done.stdout);
        assert!(junit.contains(&format!("<testsuite name=\"{name}\"")), "{name} in {junit}");
        assert_eq!(json(&out.join(name), "run.json")["scenario"], name);
        let report = std::fs::read_to_string(out.join(name).join("report.html")).unwrap();
        assert!(report.replace("&#x2f;", "/").replace("&#x3d;", "=").contains(name), "{name}");
    }
    let index = std::fs::read_to_string(out.join("index.html")).unwrap();
    assert!(index.contains("<table class=\"heat\">") && index.contains("150 %"), "{index}");
    // The command that its record has repeats one case.
    let facts = json(&out.join(NAMES[2]), "run.json");
    let words: Vec<&str> =
        facts["command_line"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    let again = folder.path().join("again");
    let status = lastmeter().args(&words[1..]).arg("--out").arg(&again).output().unwrap();
    assert_eq!(status.status.code(), Some(1), "{words:?}");
    for name in COMPARED {
        let [one, two] =
            [out.join(NAMES[2]), again.clone()].map(|it| std::fs::read(it.join(name)).unwrap());
        assert!(one == two, "{name} differs");
    }
    let rendered = call(&["report", again.to_str().unwrap()]);
    assert_eq!(rendered.code, 1, "{rendered:?}");
}

#[test]
fn the_command_line_varies_selects_and_asks_before_it_runs_many() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path());
    let out = |name: &str| folder.path().join(name);
    let vary = "scenario.duration=20 s,30 s";
    let filter =
        "gains/*gain_error=1pct*20s*seed=2,gains/*gain_error=3pct+voltage=207V+*30s*seed=1";
    let more = ["--vary", vary, "--seeds", "1..2", "--filter", filter];
    let done = run(&file, &out("some"), &more);
    assert_eq!(done.code, 1, "{done:?}");
    let end = "+duration=20s+seed=2";
    let expected = [
        (format!("{}{end}", NAMES[0]), "pass".to_owned()),
        (format!("{}{end}", NAMES[1]), "pass".to_owned()),
        (format!("{}+duration=30s+seed=1", NAMES[2]), "fail".to_owned()),
    ];
    assert_eq!(runs(&out("some")), expected);
    assert_eq!(json(&out("some").join(&expected[0].0), "run.json")["seed"], 2);
    // Its repeat command has what varies.
    let words = json(&out("some").join(&expected[2].0), "run.json")["command_line"].to_string();
    assert!(
        words.contains("--vary") && words.contains("--seeds") && !words.contains("--seed\""),
        "{words}"
    );
    // What is set varies no more; its only case left is a run by itself.
    let set = ["--set", "device.home.voltage_gain_error=1 %", "--set", "source.g.voltage=230 V"];
    let done = run(&file, &out("set"), &set);
    assert_eq!((done.code, out("set").join("run.json").exists()), (0, true), "{done:?}");
    // Twins are those of the scenario itself.
    let done = run(&file, &out("twins"), &["--must-fail"]);
    assert_eq!(
        (done.code, json(&out("twins"), "run.json")["scenario"].as_str()),
        (0, Some("much"))
    );
    let done = run(&file, &out("many"), &["--seeds", "1..251"]);
    assert_eq!((done.code, out("many").exists()), (2, false), "{done:?}");
    assert!(done.stderr.contains("1004 cases") && done.stderr.contains("--yes"), "{done:?}");
    let done = run(&file, &out("none"), &["--vary", "source.h.voltage=1 V,2 V"]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains("did you mean `source.g.voltage`?"), "{done:?}");
    assert!(done.stderr.contains("nothing was run"), "{done:?}");
    // A case that cannot be is an error beside the others.
    let done = run(&file, &out("odd"), &["--vary", "source.g.voltage=230 V,-5 V"]);
    assert_eq!(done.code, 2, "{done:?}");
}
