//! A simulator in a process of its own, at the other end of a real line.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use crate::bench::{Done, lastmeter, run, signal, verdict};
use crate::outcome::{alone, library};

/// A run against a simulator that begins with it.
fn run_with_simulator(scenario: &str, out: &Path, more: &[&str]) -> Done {
    let mut simulator = lastmeter()
        .args(["rts", "serve", &library("rts-real-time"), "--on", "udp:127.0.0.1:7201"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut printed = BufReader::new(simulator.stdout.take().unwrap()).lines();
    assert!(printed.next().unwrap().unwrap().contains(r#""ready":true"#));
    let done = run(scenario, out, more);
    signal(&simulator, "TERM");
    let summary = printed.map(Result::unwrap).last().unwrap();
    assert!(simulator.wait().unwrap().success());
    assert!(summary.contains(r#""frames":"#), "{summary}");
    done
}

#[test]
fn a_simulator_on_a_real_line_is_held_against_what_it_is_meant_to_play() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let done = run_with_simulator("scenarios/foreign/rts-foreign-simulator.toml", &out, &[]);
    assert_eq!(done.code, 0, "{done:?}");
    for check in ["readings-once", "values", "voltages", "counted", "obeyed"] {
        assert_eq!(verdict(&out, check)["status"], "pass");
    }
    let scenario = "scenarios/foreign/rts-foreign-simulator.toml";
    // Its control is the run before: the simulator plays once.
    let twin = ["--must-fail", "--controls", "none"];
    let done = run_with_simulator(scenario, &folder.path().join("twin"), &twin);
    assert_eq!(done.code, 0, "{done:?}");
}
