//! Folders of scenarios: which files run, what a broken one does, and what is reported of them.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;

use crate::bench::{Done, call, json, lastmeter, run, verdict};

/// A run of a second: an ideal meter, whose errors have to be within `limit`.
fn scenario(name: &str, limit: &str) -> String {
    format!(
        "format = 1\n[scenario]\nname = \"{name}\"\nduration = \"20 s\"\n[[source]]\nname = \"g\"\n\
         kind = \"synthetic\"\n[[device]]\nname = \"home\"\nat = \"source:g\"\n\
         model = \"ideal-3ph\"\nvoltage_gain_error = \"1 %\"\n[[check]]\nname = \"voltage\"\n\
         kind = \"accuracy\"\nquantity = \"electricity.voltage.rms.*\"\nlimit = \"{limit}\"\n\
         [[check]]\nname = \"once\"\nkind = \"no_loss\"\n"
    )
}

/// A twin of it in a file of its own: the meter is off by more than the limit.
fn twin_of(of: &str, name: &str) -> String {
    let expect = "[expect]\nverdict = \"fail\"\ncheck = \"voltage\"\n";
    let broken = scenario(name, "2 %").replace("error = \"1 %\"", "error = \"3 %\"");
    format!("{broken}{expect}twin_of = \"{of}/voltage\"\n")
}

fn write(folder: &Path, file: &str, text: &str) {
    let path = folder.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn path(folder: &Path) -> &str {
    folder.to_str().unwrap()
}

/// Of each run of a suite: what it is called, its status and its reason.
fn runs(out: &Path) -> Vec<(String, String, String)> {
    let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let suite = json(out, "suite.json");
    let runs = suite["runs"].as_array().unwrap().iter();
    runs.map(|run| (word(&run["scenario"]), word(&run["status"]), word(&run["reason"]))).collect()
}

#[test]
fn a_failing_scenario_is_found_behind_a_link_and_in_any_case() {
    for (file, is_linked) in [("bad.TOML", false), ("bad.toml", true)] {
        let folder = tempfile::tempdir().unwrap();
        let suite = folder.path().join("suite");
        write(&suite, "good.toml", &scenario("good", "2 %"));
        write(&suite, "good.toml~", "what the editor kept");
        let elsewhere = folder.path().join("elsewhere");
        let bad = if is_linked { &elsewhere } else { &suite };
        write(bad, file, &scenario("bad", "0.5 %"));
        if is_linked {
            symlink(&elsewhere, suite.join("more")).unwrap();
            symlink(&suite, elsewhere.join("back")).unwrap();
        }
        let out = folder.path().join("out");
        let done = run(path(&suite), &out, &[]);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.stdout.contains("2 scenarios: 1 as expected, 1 fail  exit 1"), "{done:?}");
        assert!(
            done.stderr.contains("good.toml~: the backup of an editor, passed over"),
            "{done:?}"
        );
        let mut found = runs(&out);
        found.sort();
        assert_eq!(found[0], ("bad".into(), "fail".into(), "outside-limit".into()));
        assert_eq!(found[1], ("good".into(), "pass".into(), "within-limit".into()));
        let left = &json(&out, "suite.json")["passed_over"];
        assert_eq!(left.as_array().unwrap().len(), 1, "{left}");
    }
}

/// A scenario with `[expect]` is taken for a twin, which somebody may not have meant.
#[test]
fn twins_that_are_left_out_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("suite");
    write(&suite, "good.toml", &scenario("good", "2 %"));
    for (count, expected) in [
        (1, "twin-1.toml: a must-fail twin, which `--must-fail` runs, passed over"),
        (2, "2 must-fail twins, passed over: `--must-fail` runs them; the first is "),
    ] {
        let name = format!("twin-{count}");
        write(&suite, &format!("{name}.toml"), &twin_of("good", &name));
        let out = folder.path().join(format!("out-{count}"));
        let done = run(path(&suite), &out, &[]);
        assert_eq!((done.code, runs(&out).len()), (0, 1), "{done:?}");
        assert!(done.stderr.contains(expected), "{done:?}");
        let left = &json(&out, "suite.json")["passed_over"];
        assert_eq!(left.as_array().unwrap().len(), count, "{left}");
    }
    // Named itself, or asked for, it is not left out.
    let out = folder.path().join("twins");
    let done = run(path(&suite), &out, &["--must-fail"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(!done.stderr.contains("passed over"), "{done:?}");
}

#[test]
fn twins_of_tables_run_as_those_of_files_do() {
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("suite");
    let twin = |name: &str, gain: &str| {
        format!(
            "[[must_fail]]\nname = \"{name}\"\ncheck = \"voltage\"\n\
             set = {{ \"device.home.voltage_gain_error\" = \"{gain}\" }}\n"
        )
    };
    let twins = format!("{}{}", twin("gain", "3 %"), twin("loss", "-3 %"));
    write(&suite, "good.toml", &format!("{}{twins}", scenario("good", "2 %")));
    let out = |name: &str| folder.path().join(name);
    let plain = run(path(&suite), &out("plain"), &[]);
    assert_eq!((plain.code, runs(&out("plain")).len()), (0, 1), "{plain:?}");
    let expected = "good.toml: its 2 must-fail twins, which `--must-fail` runs, passed over";
    assert!(plain.stderr.contains(expected), "{plain:?}");
    let passed = |name: &str| (name.to_owned(), "pass".to_owned(), "within-limit".to_owned());
    for (filter, expected) in [
        (&[][..], &["gain", "loss"][..]),
        (&["--filter", "good/*"], &["gain", "loss"]),
        (&["--filter", "good/loss"], &["loss"]),
        (&["--filter", "gain"], &["gain"]),
    ] {
        let out = out(&format!("twins-{}", filter.join("-").replace('/', "-")));
        let done = run(path(&suite), &out, &[&["--must-fail"][..], filter].concat());
        assert_eq!(done.code, 0, "{done:?}");
        assert!(!done.stderr.contains("passed over"), "{done:?}");
        let expected: Vec<_> = expected.iter().map(|name| passed(name)).collect();
        assert_eq!(runs(&out), expected, "{filter:?}");
        for (name, ..) in expected {
            assert_eq!(verdict(&out.join(name), "voltage")["status"], "fail");
        }
    }
    // What is written to the run folder is the twin, as a file of its own.
    let kept = out("twins-").join("gain/scenario.toml");
    write(folder.path(), "bare/good.toml", &scenario("good", "2 %"));
    let bare = folder.path().join("bare");
    let again = run(path(&kept), &out("again"), &[path(&bare), "--must-fail"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(!again.stderr.contains("nothing here fits"), "{again:?}");
    // Its control is its scenario, which has to be there.
    let alone = run(path(&kept), &out("alone"), &["--must-fail"]);
    assert_eq!(alone.code, 2, "{alone:?}");
    assert!(alone.stderr.contains("the twin of `good`, which is not among"), "{alone:?}");
    let alone = run(path(&kept), &out("alone"), &["--must-fail", "--controls", "none"]);
    assert_eq!(alone.code, 0, "{alone:?}");
    // A twin that is not red, and one that cannot be made.
    let healed = ["--must-fail", "--filter", "gain", "--set", "device.home.voltage_gain_error=0 %"];
    let done = run(path(&suite), &out("healed"), &healed);
    assert_eq!((done.code, &*runs(&out("healed"))[0].2), (1, "not-as-expected"), "{done:?}");
    write(&suite, "bad.toml", &format!("{}{}", scenario("bad", "2 %"), twin("tiny", "1.5 %")));
    write(&suite, "odd.toml", &format!("{}{}", scenario("odd", "2 %"), twin("many", "many")));
    let done = run(path(&suite), &out("bad"), &["--must-fail"]);
    let words: Vec<String> = runs(&out("bad")).into_iter().map(|run| run.2).collect();
    let expected = ["not-as-expected", "within-limit", "within-limit", "file-broken"];
    assert_eq!((done.code, &words[..]), (2, &expected.map(str::to_owned)[..]), "{done:?}");
    assert!(done.stderr.contains("odd.toml:24:"), "{done:?}");
    let validated = call(&["validate", path(&suite)]);
    assert_eq!(validated.code, 2, "{validated:?}");
    assert!(validated.stdout.contains("good.toml  (2 must-fail twins)"), "{validated:?}");
}

/// What turns a check red without the defect is not what the twin is for.
#[test]
fn a_twin_that_fails_without_its_defect_is_not_as_expected() {
    let folder = tempfile::tempdir().unwrap();
    let head = "[[must_fail]]\nname = \"gain\"\ncheck = \"voltage\"\n";
    let gain = "set = { \"device.home.voltage_gain_error\" = \"3 %\" }\n";
    let silent = "set = { \"source.g.current\" = \"2 A\" }\n";
    let tight = "shortened = { reason = \"x\", set = { \"check.voltage.limit\" = \"1 uV\" } }\n";
    for (name, limit, table, options, code, reason) in [
        ("right", "2 %", gain.to_owned(), &[][..], 0, "within-limit"),
        // The scenario fails by the same check, as it is and shortened.
        ("fails", "0.5 %", gain.to_owned(), &[], 1, "not-as-expected"),
        ("tight", "2 %", format!("{tight}{gain}"), &[], 1, "not-as-expected"),
        // The defect does nothing, with the limit that turns it red and without.
        ("nothing", "2 %", format!("{tight}{silent}"), &[], 1, "not-as-expected"),
        ("green", "2 %", silent.to_owned(), &[], 1, "not-as-expected"),
        // Nobody looks.
        ("unseen", "0.5 %", gain.to_owned(), &["--controls", "none"], 0, "within-limit"),
        ("other", "0.5 %", gain.to_owned(), &["--controls", "other/*"], 1, "not-as-expected"),
    ] {
        let suite = folder.path().join(name);
        write(&suite, "a.toml", &format!("{}{head}{table}", scenario(name, limit)));
        let out = folder.path().join(format!("{name}-out"));
        let done = run(path(&suite), &out, &[&["--must-fail"], options].concat());
        assert_eq!((done.code, &*runs(&out)[0].2), (code, reason), "{name}: {done:?}");
        assert_eq!(runs(&out).len(), 1);
        let control = &json(&out, "suite.json")["runs"][0]["must_fail"]["control"];
        assert_eq!(control.is_null(), name == "unseen", "{name}: {control}");
        assert_eq!(out.join("gain/control/run.json").exists(), name != "unseen", "{name}");
        if matches!(name, "fails" | "tight" | "nothing" | "other") {
            let expected = format!("without its defect `{name}` has to pass and is fail");
            assert!(done.stdout.contains(&expected), "{done:?}");
            let xml = std::fs::read_to_string(out.join("junit.xml")).unwrap();
            assert!(xml.contains("name=\"control\" value=\"fail\""), "{xml}");
        }
    }
    // What is judged is no defect, and a twin in a file of its own has the checks of its scenario.
    let suite = folder.path().join("judged");
    let judged = format!("{head}set = {{ \"check.voltage.limit\" = \"1 uV\" }}\n");
    write(&suite, "a.toml", &format!("{}{judged}", scenario("a", "2 %")));
    let done = run(path(&suite), &folder.path().join("judged-out"), &["--must-fail"]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains("`check.voltage.limit` is not a defect"), "{done:?}");
    let suite = folder.path().join("file");
    write(&suite, "a.toml", &scenario("a", "2 %"));
    let tight = twin_of("a", "tight").replace("3 %", "1 %").replace("\"2 %\"", "\"1 uV\"");
    write(&suite, "tight.toml", &tight);
    let done = run(path(&suite), &folder.path().join("file-out"), &["--must-fail"]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains("the check `voltage` is not that of `a`"), "{done:?}");
    write(&suite, "tight.toml", &twin_of("nowhere", "tight"));
    let done = run(path(&suite), &folder.path().join("file-out"), &["--must-fail"]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains("nowhere/voltage, which is not among"), "{done:?}");
}

#[test]
fn a_broken_file_is_one_error_and_the_rest_runs_unless_it_is_to_be_strict() {
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("suite");
    write(&suite, "a.toml", &scenario("a", "2 %").replace("ideal-3ph", "ideal-4ph"));
    write(&suite, "b.toml", &scenario("b", "2 %"));
    let out = folder.path().join("out");
    let done = run(path(&suite), &out, &[]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains("unknown device model `ideal-4ph`"), "{done:?}");
    assert!(done.stdout.contains("2 scenarios: 1 as expected, 1 error  exit 2"), "{done:?}");
    let file = suite.join("a.toml").display().to_string();
    assert_eq!(
        runs(&out),
        [
            (file.clone(), "error".into(), "file-broken".into()),
            ("b".into(), "pass".into(), "within-limit".into()),
        ]
    );
    assert_eq!(verdict(&out.join("b"), "voltage")["status"], "pass");
    let xml = std::fs::read_to_string(out.join("junit.xml")).unwrap();
    assert!(xml.contains("tests=\"3\" failures=\"0\" errors=\"1\""), "{xml}");
    assert!(xml.contains("unknown device model `ideal-4ph` (line 11, S012)"), "{xml}");
    // The broken one may be what a twin mirrors, so that is nobody's mistake.
    write(&suite, "twin.toml", &twin_of("a", "twin"));
    let twins = folder.path().join("twins");
    let done = run(path(&suite), &twins, &["--must-fail"]);
    assert_eq!((done.code, runs(&twins).len()), (2, 2), "{done:?}");
    let strict = folder.path().join("strict");
    let done = run(path(&suite), &strict, &["--strict"]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains("1 broken file; nothing was run"), "{done:?}");
    assert!(!strict.exists(), "something was written");
    // Named alone there is no suite to be an error of.
    let alone = folder.path().join("alone");
    assert_eq!(run(&file, &alone, &[]).code, 2);
    assert!(!alone.exists(), "something was written");
}

#[test]
fn an_override_that_misses_in_one_file_names_it_and_nothing_runs() {
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("suite");
    for name in ["a", "b", "c"] {
        write(&suite, &format!("{name}.toml"), &scenario(name, "2 %"));
    }
    write(&suite, "d.toml", &scenario("d", "2 %").replace("\"home\"", "\"flat\""));
    let out = folder.path().join("out");
    let done = run(path(&suite), &out, &["--set", "device.home.voltage_gain_error=0 %"]);
    assert_eq!(done.code, 2, "{done:?}");
    assert_eq!(done.stderr.matches("error[S023]").count(), 1, "{done:?}");
    let named = format!("for the scenario {}", suite.join("d.toml").display());
    assert!(done.stderr.contains(&named) && done.stderr.contains("nothing was run"), "{done:?}");
    assert!(!out.exists(), "something was written");
}

#[test]
fn what_the_command_line_changed_is_shown_wherever_the_result_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.toml");
    std::fs::write(&file, scenario("a", "0.5 %")).unwrap();
    let out = folder.path().join("out");
    let done = run(path(&file), &out, &["--set", "check.voltage.limit=5 %", "--seed", "1"]);
    assert_eq!(done.code, 0, "{done:?}");
    let changed = "check.voltage.limit = \"5 %\" (was \"0.5 %\")";
    assert!(done.stdout.contains(&format!("changed by --set: {changed}")), "{done:?}");
    let overrides = &json(&out, "run.json")["overrides"];
    let expected = serde_json::json!([{
        "option": "--set", "address": "check.voltage.limit", "value": "\"5 %\"", "was": "\"0.5 %\"",
    }]);
    assert_eq!(*overrides, expected, "the seed is the file's own");
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page[..page.find("<tbody>").unwrap()].contains("check.voltage.limit"), "first screen");
    let xml = std::fs::read_to_string(out.join("junit.xml")).unwrap();
    assert!(xml.contains("<property name=\"override\" value=\"check.voltage.limit"), "{xml}");
    // A limit that nothing can miss is not taken from there either.
    let absurd = ["--set", "check.voltage.limit=1000000 %"];
    let done = run(path(&file), &folder.path().join("absurd"), &absurd);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains("a meter that reports nothing would pass"), "{done:?}");
}

#[test]
fn results_are_never_put_where_there_are_some() {
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("suite");
    write(&suite, "a.toml", &scenario("a", "2 %"));
    let file = suite.join("a.toml");
    let (of_a_run, of_a_suite) = (folder.path().join("run"), folder.path().join("suites"));
    std::fs::create_dir(&of_a_run).unwrap();
    assert_eq!(run(path(&file), &of_a_run, &[]).code, 0, "an empty folder is none");
    assert_eq!(run(path(&suite), &of_a_suite, &[]).code, 0);
    for (out, what) in [(&of_a_run, "a run"), (&of_a_suite, "a suite")] {
        let before = std::fs::read(out.join("junit.xml")).unwrap();
        for asked in [path(&file), path(&suite)] {
            let done = run(asked, out, &[]);
            assert_eq!(done.code, 2, "{done:?}");
            assert!(done.stderr.contains(&format!("already holds {what}")), "{done:?}");
        }
        let suite = ["accuracy", "stpm34-3ph", "--suite", "iec-62053-22-2003", "--out", path(out)];
        assert_eq!(call(&suite).code, 2);
        assert_eq!(std::fs::read(out.join("junit.xml")).unwrap(), before);
    }
    // A run of this name lies where the suite would put its own.
    std::fs::remove_file(of_a_suite.join("suite.json")).unwrap();
    for name in ["junit.xml", "summary.md", "index.html"] {
        std::fs::remove_file(of_a_suite.join(name)).unwrap();
    }
    assert_eq!(run(path(&suite), &of_a_suite, &[]).code, 2);
    assert_eq!(run(path(&file), &file, &[]).code, 2, "a file is no folder");
}

#[test]
fn a_folder_that_cannot_be_read_is_an_error_and_not_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.toml", &scenario("a", "2 %"));
    write(folder.path(), "locked/b.toml", &scenario("b", "2 %"));
    let mode = |path: &Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(folder.path(), 0o755);
    let locked = folder.path().join("locked");
    mode(&locked, 0);
    let mut command = lastmeter();
    // Nothing is locked for root.
    if std::fs::read_dir(&locked).is_ok() {
        command.uid(65_534).gid(65_534);
    }
    let done: Done = command.args(["validate", path(folder.path())]).output().unwrap().into();
    mode(&locked, 0o755);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains("locked: Permission denied"), "{done:?}");
}

#[test]
fn a_warning_is_printed_and_changes_no_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("odd.toml");
    let odd = scenario("odd", "2 %").replace("\"synthetic\"", "\"synthetic\"\nvoltage = \"500 V\"");
    std::fs::write(&file, odd).unwrap();
    let checked = call(&["validate", path(&file)]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(checked.stderr.contains("warning[W003]"), "{checked:?}");
    assert!(checked.stdout.contains("(1 warning)"), "{checked:?}");
    let checked = call(&["validate", "--format", "json", path(&file)]);
    let value: serde_json::Value = serde_json::from_str(&checked.stdout).unwrap();
    assert_eq!((&value["valid"], &value["warnings"][0]["code"]), (&true.into(), &"W003".into()));
    let done = run(path(&file), &folder.path().join("out"), &[]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stderr.contains("warning[W003]"), "{done:?}");
}

#[test]
fn the_library_warns_of_nothing() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/library");
    let checked = call(&["validate", folder]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(!checked.stderr.contains("warning["), "{}", checked.stderr);
}

#[test]
fn every_reason_is_listed_and_explained() {
    let listed = call(&["list", "reasons", "--format", "json"]);
    let value: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    let reasons = value["reasons"].as_array().unwrap();
    let lines = call(&["list", "reasons"]).stdout;
    assert_eq!(lines.lines().count(), reasons.len());
    for row in reasons {
        let [word, meaning] = ["reason", "meaning"].map(|key| row[key].as_str().unwrap());
        let line = lines.lines().find(|line| line.split(' ').next() == Some(word)).unwrap();
        assert!(line.contains(meaning) && line.contains(row["status"].as_str().unwrap()), "{line}");
        assert_eq!(line.ends_with("(of the machine)"), row["of_the_machine"] == true, "{line}");
        let done = call(&["explain", word]);
        assert_eq!(done.code, 0, "{word}");
        assert!(done.stdout.contains(meaning), "{}", done.stdout);
    }
    let near = call(&["explain", "host-laod"]);
    assert!(near.stderr.contains("did you mean `host-load`?"), "{near:?}");
}

#[test]
fn the_events_on_the_console_have_the_reason_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.toml");
    std::fs::write(&file, scenario("a", "0.5 %")).unwrap();
    let done = run(path(&file), &folder.path().join("out"), &["--format", "json"]);
    assert_eq!(done.code, 1, "{done:?}");
    let events: Vec<serde_json::Value> =
        done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let finished = events.iter().find(|event| event["event"] == "finished").unwrap();
    assert_eq!(finished["reason"], "outside-limit");
    let verdicts = events.iter().filter(|event| event["event"] == "verdict");
    let reasons: Vec<&str> = verdicts.map(|event| event["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["outside-limit", "within-limit"]);
}

/// Twenty seconds of a load that draws so much, in a suite beside its network.
fn network(folder: &Path, name: &str, power: &str) {
    let text = format!(
        "format = 1\nvoltage = \"400 V\"\n[[node]]\nname = \"bus\"\n[[node]]\nname = \"end\"\n\
         [[source]]\nname = \"supply\"\nnode = \"bus\"\nshort_circuit_power = \"10 MVA\"\n\
         [[line]]\nname = \"L\"\nfrom = \"bus\"\nto = \"end\"\nlength = \"100 m\"\n\
         r1 = \"0.2 ohm/km\"\nx1 = \"0.1 ohm/km\"\n[[load]]\nname = \"h\"\nnode = \"end\"\n\
         p = \"{power}\"\n"
    );
    write(folder, &format!("{name}-net.toml"), &text);
    let scenario = format!(
        "format = 1\n[scenario]\nname = \"{name}\"\nduration = \"20 s\"\n[grid]\n\
         file = \"../{name}-net.toml\"\nstep = \"10 s\"\n[[device]]\nname = \"home\"\n\
         at = \"load:h\"\nmodel = \"ideal-3ph\"\n[[check]]\nname = \"once\"\n\
         kind = \"no_loss\"\n"
    );
    write(folder, &format!("suite/{name}.toml"), &scenario);
}

/// A network without a solution is a mistake of its file that shows when it is played, not when it
/// is read.
#[test]
fn a_network_without_a_solution_is_a_broken_file_that_shows_when_it_is_played() {
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("suite");
    network(folder.path(), "a", "90 MW");
    network(folder.path(), "b", "9 kW");
    let mistake = "step 1, at ";
    let checked = call(&["validate", path(&suite)]);
    assert_eq!(checked.code, 0, "{checked:?}");
    let checked = call(&["validate", "--play", path(&suite)]);
    assert_eq!(checked.code, 2, "{checked:?}");
    assert!(checked.stderr.contains(mistake) && checked.stderr.contains("1 error in 1 file"));
    assert!(checked.stdout.contains("b.toml"), "{checked:?}");
    let listed = call(&["list", "scenarios", path(&suite)]);
    assert_eq!((listed.code, listed.stdout.lines().count()), (0, 2), "{listed:?}");

    let file = suite.join("a.toml").display().to_string();
    let out = folder.path().join("out");
    let done = run(path(&suite), &out, &[]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains(mistake) && done.stderr.contains("[S027]"), "{done:?}");
    let found = runs(&out);
    assert_eq!(found[0], (file.clone(), "error".into(), "file-broken".into()));
    assert_eq!((found[1].0.as_str(), found[1].1.as_str()), ("b", "pass"));
    assert!(!out.join("a").exists(), "a run folder of what did not run");
    for (asked, more) in [(path(&suite), &["--strict"][..]), (&file, &[])] {
        let out = folder.path().join("none");
        let done = run(asked, &out, more);
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.stderr.contains(mistake), "{done:?}");
        assert!(done.stderr.contains("1 broken file; nothing was run"), "{done:?}");
        assert!(!out.exists(), "something was written");
    }
}

/// What shows when networks are played is reported with the twin that has it; warnings likewise.
#[test]
fn what_shows_when_it_is_played_names_its_twin_and_warnings_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    network(folder.path(), "a", "90 MW");
    network(folder.path(), "b", "9 kW");
    let file = folder.path().join("suite/b.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let twin = "[[must_fail]]\nname = \"b-overloaded\"\ncheck = \"once\"\n\
                set = { \"grid.file\" = \"../a-net.toml\" }\n";
    std::fs::write(&file, format!("{text}{twin}")).unwrap();
    let checked = call(&["validate", "--play", path(&file)]);
    assert_eq!(checked.code, 2, "{checked:?}");
    assert!(checked.stderr.contains("in the must-fail twin `b-overloaded`: step 1"), "{checked:?}");

    let rated = text.replace("ideal-3ph\"\n", "ideal-3ph\"\nnominal_voltage = \"57.7 V\"\n");
    std::fs::write(&file, rated).unwrap();
    let checked = call(&["validate", path(&file)]);
    assert!(checked.code == 0 && !checked.stderr.contains("W003"), "{checked:?}");
    let checked = call(&["validate", "--play", path(&file)]);
    assert!(checked.code == 0 && checked.stderr.contains("warning[W003]"), "{checked:?}");
}
