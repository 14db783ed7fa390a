//! Devices and checks that are programs of others: what they do wrong ends in the right verdict,
//! in time, and names them.

#![expect(clippy::disallowed_methods, reason = "how long a program is waited for is wall time")]

use std::path::Path;
use std::time::{Duration, Instant};

use crate::bench::{COMPARED, Done, json, library, run, verdict};

/// The scenario of the library with other programs and a short limit.
fn written(folder: &Path, device: Option<&str>, check: Option<&str>) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/library");
    let data = folder.join("data");
    std::fs::create_dir_all(&data).unwrap();
    for (name, other) in [("external-meter.py", device), ("external-check.py", check)] {
        let own = std::fs::read_to_string(root.join("data").join(name)).unwrap();
        std::fs::write(data.join(name), other.unwrap_or(&own)).unwrap();
    }
    let text = std::fs::read_to_string(root.join("external-meter.toml")).unwrap();
    let text = text
        .replace("[[check]]\nname = \"means\"", "[[check]]\nwithin = \"2 s\"\nname = \"means\"");
    let text = text.replace("report_every =", "within = \"2 s\"\nreport_every =");
    let file = folder.join("external-meter.toml");
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

fn ran(device: Option<&str>, check: Option<&str>) -> (Done, tempfile::TempDir, Duration) {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), device, check);
    let began = Instant::now();
    let done = run(&file, &folder.path().join("out"), &[]);
    (done, folder, began.elapsed())
}

#[test]
fn a_program_is_a_meter_and_another_judges_it() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    for out in [&one, &two] {
        let done = run(&library("external-meter"), out, &[]);
        assert_eq!(done.code, 0, "{done:?}");
    }
    for file in COMPARED {
        let bytes = |out: &Path| std::fs::read(out.join(file)).unwrap();
        assert!(bytes(&one) == bytes(&two), "{file}");
    }
    // The programs' texts are in the record: it is judged again, and played again, without them.
    let facts = json(&one, "run.json");
    assert!(facts["files"]["data/external-check.py"].as_str().unwrap().contains("mean error"));
    let again = crate::bench::call(&["report", one.to_str().unwrap()]);
    assert_eq!(again.code, 0, "{again:?}");
}

/// A meter that answers as the one of the library does until it is shown so many spectra.
fn meter_that(does: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/library/data");
    let own = std::fs::read_to_string(root.join("external-meter.py")).unwrap();
    let from = "            meter.spectrum(ask)\n";
    assert!(own.contains(from));
    let with = format!("{from}            if ask[\"until_s\"] > 25:\n                {does}\n");
    format!("import os, time\n{}", own.replace(from, &with))
}

#[test]
fn a_meter_that_misbehaves_ends_the_run_and_is_named() {
    for (does, expected) in [
        ("os.kill(os.getpid(), 9)", "python3 data/external-meter.py` has ended (signal: 9"),
        ("time.sleep(60)", "python3 data/external-meter.py` has not answered within 2s"),
        ("os.kill(os.getpid(), 19)", "python3 data/external-meter.py` has not answered within 2s"),
        ("print('x' * 100, flush=True); print('{}', flush=True); time.sleep(1)", "`home"),
        ("raise ValueError('no such load')", "ValueError: no such load"),
        ("answer = {'error': 'licence'}", "it reports an error: licence"),
    ] {
        let (done, folder, took) = ran(Some(&meter_that(does)), None);
        assert_eq!(done.code, 3, "{does}: {done:?}");
        let facts = json(&folder.path().join("out"), "run.json");
        let cause = facts["cause"].as_str().unwrap();
        assert_eq!(facts["state"], "error");
        let names = cause.contains("meter") && (expected == "`home" || cause.contains(expected));
        assert!(names, "{does}: {cause}");
        assert!(took < Duration::from_secs(40), "{does}: {took:?}");
    }
}

#[test]
fn a_check_that_misbehaves_is_an_error_of_its_own() {
    for (program, expected) in [
        (
            "import os; os.kill(os.getpid(), 9)",
            "`python3 data/external-check.py` has ended (signal: 9",
        ),
        (
            "import time; time.sleep(60)",
            "`python3 data/external-check.py` has not answered within 2s",
        ),
        (
            "import time; input()\nprint('x' * 17_000_000, flush=True)\ntime.sleep(60)",
            "a line of more than",
        ),
        ("while True: print('{}')", "external-check.py`"),
        ("input(); print('maybe')", "expected one JSON object"),
        ("raise RuntimeError('no file')", "RuntimeError: no file"),
    ] {
        let (done, folder, took) = ran(None, Some(program));
        assert_eq!(done.code, 3, "{program}: {done:?}");
        let out = folder.path().join("out");
        let own = verdict(&out, "means");
        let why = own["why"].as_str().unwrap();
        assert!(own["status"] == "error" && why.contains(expected), "{program}: {own}");
        assert_eq!(verdict(&out, "all-inside")["status"], "pass");
        assert!(took < Duration::from_secs(40), "{program}: {took:?}");
    }
}
