//! The commands that do not run anything, and what every command owes its caller.

use std::process::Stdio;

use crate::bench::{call, lastmeter, library};

#[test]
fn the_help_of_every_command_names_its_options() {
    for command in [
        "run",
        "validate",
        "list",
        "explain",
        "report",
        "schema",
        "serve",
        "store",
        "audit",
        "certificates",
        "measure",
        "grid",
        "accuracy",
        "doctor",
        "completions",
    ] {
        let help = call(&[command, "--help"]);
        assert_eq!(help.code, 0, "{help:?}");
        assert!(help.stdout.contains("Usage: lastmeter"), "{help:?}");
    }
    assert!(call(&["--help"]).stdout.contains("Exit codes:"));
}

#[test]
fn the_help_of_serve_shows_every_limit_with_its_default() {
    let help = call(&["serve", "--help"]).stdout;
    let limits = lastmeter_commands::serve::limit_names();
    assert!(limits.len() > 25, "{limits:?}");
    for (name, default) in &limits {
        let shown = help.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some(name)).then(|| words.next().unwrap_or_default().to_owned())
        });
        assert_eq!(shown, Some(default.to_string()), "{name} in {help}");
    }
    for (limit, word) in [
        ("mqtt_conections=5", "mqtt_connections"),
        ("queue_messages=many", "many"),
        ("queue_messages", "NAME=N"),
        ("queue_messages=0", "limits.queue_messages"),
    ] {
        let arguments = ["serve", "--data", "nowhere", "--token", "x", "--limit", limit];
        let refused = call(&arguments);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains(word), "{refused:?}");
    }
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    for arguments in [&["fly"][..], &["run"], &["run", "nowhere.toml"], &["run", "--bogus", "x"]] {
        assert_eq!(call(arguments).code, 2, "{arguments:?}");
    }
    let timeout = call(&["run", &library("first-light"), "--timeout", "5 V"]);
    assert_eq!(timeout.code, 2, "{timeout:?}");
}

#[test]
fn pages_that_cannot_be_served_are_refused_before_the_run() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out").display().to_string();
    let free = "127.0.0.1:0";
    for (name, at, why) in [
        ("can-home", "127.0.0.1", "expected a free address"),
        ("can-home", ":80", "expected a free address"),
        ("can-home", "127.0.0.1:99999", "expected a free address"),
        ("can-home", &taken, "expected a free address"),
        ("first-light", free, "no gateway of `first-light` has a `household`"),
        ("can-secured", free, "no gateway of `can-secured` has a `household`"),
    ] {
        let done = call(&["run", &library(name), "--out", &out, "--pages", at]);
        let refused = "error: --pages ";
        assert_eq!(done.code, 2, "{name} {at}: {done:?}");
        assert!(done.stderr.contains(refused) && done.stderr.contains(why), "{done:?}");
        assert!(!std::path::Path::new(&out).exists(), "nothing has run");
    }
}

#[test]
fn the_doctor_reports_what_can_be_measured_where_results_would_go() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("runs").display().to_string();
    let asked = ["doctor", "--quick", "--format", "json", "--out", &out];
    let done = call(&asked);
    assert_eq!(done.code, 0, "{done:?}");
    let value: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&value["format_version"], &value["complete"]), (&1.into(), &true.into()));
    assert_eq!(value["classes"].as_array().unwrap().len(), 7);
    assert!(!std::path::Path::new(&out).exists(), "it leaves nothing behind");
    // What cannot be measured at all has its own exit code, and everything else is reported.
    let done = call(&["doctor", "--quick", "--out", "/proc/nowhere"]);
    assert_eq!(done.code, 3, "{done:?}");
    assert!(done.stdout.contains("something could not be measured"), "{done:?}");
    assert!(done.stdout.contains("TT6"), "{done:?}");
}

#[test]
fn everything_that_is_listed_can_be_explained() {
    let listed = call(&["list", "--format", "json"]);
    let value: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    let rows = value["registered"].as_array().unwrap();
    assert!(rows.len() >= 12, "{rows:?}");
    for row in rows {
        let name = row["name"].as_str().unwrap();
        let done = call(&["explain", name]);
        assert_eq!(done.code, 0, "{name}");
        assert!(done.stdout.len() > 100, "{name}: {}", done.stdout);
    }
    for code in ["S001", "S004", "S012"] {
        assert_eq!(call(&["explain", code]).code, 0, "{code}");
    }
    let unknown = call(&["explain", "no_los"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("`no_loss`"), "{unknown:?}");
}

#[test]
fn profiles_and_defects_of_a_network_are_listed_by_these_names() {
    let whole = call(&["list"]).stdout;
    for (section, name) in [
        ("profiles", "constant"),
        ("profiles", "csv"),
        ("profiles", "household"),
        ("profiles", "solar"),
        ("profiles", "standard"),
        ("defects", "bypass"),
        ("defects", "resistance"),
        ("defects", "wrong-phase"),
    ] {
        let listed = call(&["list", section]);
        assert_eq!(listed.code, 0, "{listed:?}");
        assert!(listed.stdout.starts_with(&format!("{section}:\n  ")), "{listed:?}");
        let line = listed.stdout.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
        let summary = line.trim_start().trim_start_matches(name).trim();
        assert!(summary.len() > 10, "{line}");
        assert!(call(&["explain", name]).stdout.contains(summary), "{name}: {summary}");
        assert!(
            format!("\n{whole}").contains(&format!("\n{section}:\n")) && whole.contains(summary),
            "{whole}"
        );
    }
}

#[test]
fn the_schema_that_is_checked_in_is_the_one_that_is_printed() {
    let printed = call(&["schema"]);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/schema.json");
    assert_eq!(printed.stdout, std::fs::read_to_string(path).unwrap());
}

/// What somebody may try who has not read the manual.
#[test]
fn what_is_not_there_is_answered_with_what_may_be_meant() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let elsewhere = |arguments: &[&str]| {
        let done = lastmeter().current_dir(folder.path()).args(arguments).output().unwrap();
        let text = String::from_utf8(done.stderr).unwrap();
        (done.status.code().unwrap(), text)
    };
    // A scenario goes by its name where the library lies.
    let valid = call(&["validate", "energy-reversal"]);
    assert_eq!(valid.code, 0, "{valid:?}");
    assert!(valid.stdout.contains("scenarios/library/energy-reversal.toml"), "{valid:?}");
    let near = call(&["run", "first-lihgt"]);
    assert!(near.code == 2 && near.stderr.contains("did you mean `first-light`"), "{near:?}");
    // Elsewhere the library in the program is meant.
    let (code, printed) = elsewhere(&["run", "first-lihgt"]);
    assert!(code == 2 && printed.contains("did you mean `first-light`"), "{printed}");
    // Rows of requirements.
    let row = call(&["explain", "c-04"]);
    assert!(row.code == 0 && row.stdout.contains("quantities of a CAN meter"), "{row:?}");
    let board = call(&["explain", "board"]);
    assert!(board.code == 0 && board.stdout.contains("A key of [[device]]"), "{board:?}");
    std::fs::write(path("home.yaml"), "scenario:\n  name: home\n").unwrap();
    let yaml = call(&["validate", &path("home.yaml")]);
    assert!(yaml.code == 2 && yaml.stderr.contains("written in TOML"), "{yaml:?}");
    // A list of all names what it leaves out.
    let all = call(&["list"]).stdout;
    for word in ["commands:\n", "setReportingPeriod", "list quantities", "list reasons"] {
        assert!(all.contains(word), "{word}: {all}");
    }
}

#[test]
fn a_suite_does_not_take_the_place_of_its_own_files_and_is_judged_again_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(library("energy-reversal")).unwrap();
    let text = text.split("[[must_fail]]").next().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (file, name) in [("a.toml", "junit.xml"), ("b.toml", "b")] {
        let named = text.replacen("\"energy-reversal\"", &format!("\"{name}\""), 1);
        std::fs::write(path(file), named).unwrap();
    }
    let (all, out) = (path(""), path("out"));
    let done = call(&["run", &all, "--out", &out]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains("a suite has a file of its own named `junit.xml`"), "{done:?}");
    let done = call(&["run", &all, "--filter", "b", "--out", &out]);
    assert_eq!(done.code, 0, "{done:?}");
    let report = call(&["report", &out]);
    assert_eq!(report.code, 0, "{report:?}");
    assert!(report.stdout.contains("1 run: 1 pass"), "{report:?}");
}

#[test]
fn nothing_selected_is_not_a_pass() {
    let empty = tempfile::tempdir().unwrap();
    let folder = empty.path().to_str().unwrap();
    assert_eq!(call(&["run", folder]).code, 4);
    let recording = library("first-light-recording");
    assert_eq!(call(&["run", &recording, "--must-fail"]).code, 4);
    // Where twins alone are meant, the option that runs them is named.
    let light = library("first-light");
    for filter in ["skipped-reading", "first-light/skipped-reading"] {
        let twins = call(&["run", &light, "--filter", filter]);
        assert_eq!(twins.code, 4, "{twins:?}");
        assert!(
            twins.stderr.contains("there is 1 must-fail twin, which `--must-fail` runs"),
            "{twins:?}"
        );
    }
}

#[test]
fn a_link_that_leads_nowhere_is_reported_and_not_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(library("class-61000-4-7"), folder.path().join("class.toml")).unwrap();
    let asked = ["validate", folder.path().to_str().unwrap()];
    // As editors lock a file.
    std::os::unix::fs::symlink("nobody@nowhere", folder.path().join(".#first.toml")).unwrap();
    assert_eq!(call(&asked).code, 0);
    std::os::unix::fs::symlink("moved.toml", folder.path().join("other.toml")).unwrap();
    for command in ["validate", "run"] {
        let done = call(&[command, asked[1]]);
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.stderr.contains("other.toml leads nowhere"), "{done:?}");
    }
}

#[test]
fn a_filter_leaves_out_what_does_not_fit_and_is_rejected_if_it_is_none() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/library");
    let none = call(&["run", folder, "--filter", "no-such-scenario"]);
    assert_eq!(none.code, 4, "{none:?}");
    // The override makes sense to nobody, and nobody is meant.
    let none = call(&["run", folder, "--filter", "tag:no-such-tag", "--set", "device.x.y=1"]);
    assert_eq!(none.code, 4, "{none:?}");
    let meant = call(&["run", folder, "--filter", "first-light", "--set", "device.x.y=1"]);
    assert_eq!(meant.code, 2, "{meant:?}");
    assert_eq!(meant.stderr.matches("error[S023]").count(), 1, "{meant:?}");
    let bad = call(&["run", folder, "--filter", "about:meters"]);
    assert_eq!(bad.code, 2, "{bad:?}");
    assert!(bad.stderr.contains("--filter: `about:` is an unsupported kind of term"), "{bad:?}");
}

#[test]
fn time_can_be_chosen_where_a_scenario_is_checked_and_what_links_there_are_is_listed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/library/real-time");
    for time in ["real", "virtual"] {
        let checked = call(&["validate", folder, "--time", time]);
        assert_eq!(checked.code, 0, "{checked:?}");
    }
    assert_eq!(call(&["validate", folder, "--time", "wall"]).code, 2);
    let links = call(&["list", "links"]);
    assert!(links.stdout.starts_with("links:\n  flexmeter-wan "), "{links:?}");
    assert!(call(&["list", "injections"]).stdout.contains("\n  disconnect "));
    for name in ["flexmeter-wan", "link", "observer", "floor", "impair", "S031"] {
        assert_eq!(call(&["explain", name]).code, 0, "{name}");
    }
    let near = call(&["explain", "observr"]);
    assert!(near.stderr.contains("did you mean `observer`?"), "{near:?}");
}

#[test]
fn completions_are_written_for_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let script = call(&["completions", shell]);
        assert_eq!(script.code, 0);
        assert!(script.stdout.contains("lastmeter"), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_breaks_nothing() {
    let mut child =
        lastmeter().args(["schema"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(done.stderr.is_empty(), "{done:?}");
}

#[test]
fn the_scenario_of_the_readme_runs_as_it_is_printed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (_, rest) = readme.split_once("```toml\n# Does").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("my-first.toml");
    std::fs::write(&file, format!("# Does{text}")).unwrap();
    let out = folder.path().join("run");
    let done = crate::bench::run(file.to_str().unwrap(), &out, &[]);
    assert_eq!(done.code, 0, "{done:?}");
}
