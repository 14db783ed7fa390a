//! Emulated boards: beside their simulated twins, stopped, and left by a bench that is killed.
#![expect(clippy::disallowed_methods, reason = "other processes are waited for by the clock")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bench::{emulated, json, lastmeter, library, run, verdict};

/// No wait of these tests is longer.
const LIMIT: Duration = Duration::from_mins(1);

fn evidence(out: &Path) -> Value {
    json(out, "run.json")["devices"][0]["as"].clone()
}

#[test]
fn one_line_makes_a_board_of_a_simulated_meter_with_the_same_verdicts() {
    if !emulated("boards: one line") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [board, model] = ["emulated", "simulated"].map(|way| {
        let out = folder.path().join(way);
        let done =
            run(&library("board-meter"), &out, &["--set", &format!("device.meter.as={way:?}")]);
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(evidence(&out), way);
        ["error", "readings-once"].map(|check| verdict(&out, check))
    });
    for (board, model) in board.iter().zip(&model) {
        assert_eq!(board["status"], model["status"]);
        // Figures of both are those of the same samples.
        if let (Some(board), Some(model)) = (board["measured"].as_f64(), model["measured"].as_f64())
        {
            assert!((board - model).abs() < 0.01, "{board} and {model}");
        }
    }
    let firmware =
        json(&folder.path().join("emulated"), "run.json")["devices"][0]["firmware"].clone();
    let firmware = firmware.as_str().unwrap();
    assert!(firmware.starts_with("meter, image ") && firmware.contains("sha256"), "{firmware}");
    let log = folder.path().join("emulated/boards/meter/serial.csv");
    let log = std::fs::read_to_string(log).unwrap();
    // The banner, in whatever pieces it came.
    let digits = |line: &str| line.split(',').nth(4).map(str::to_owned);
    let from = log.lines().filter(|line| line.contains(",network,from,")).filter_map(digits);
    // "LASTMETER meter 1.0 node 1".
    let banner = "4c4153544d45544552206d6574657220312e30206e6f64652031";
    assert!(from.collect::<String>().contains(banner), "{log}");
}

/// Reported values by device and quantity, of the last reading.
fn reported(out: &Path) -> BTreeMap<(String, String), f64> {
    let text = std::fs::read_to_string(out.join("observations.csv")).unwrap();
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let value = fields[7].parse().ok()?;
        Some(((fields[0].to_owned(), fields[3].to_owned()), value))
    };
    text.lines().skip(1).filter_map(row).collect()
}

/// Operating points drawn at random: U 50 to 100 %, I 10 to 100 %, cos phi at least 0.5, 42.5 to
/// 57.5 Hz. The firmware and the model were written apart; they get the same samples.
#[test]
fn at_random_points_a_board_and_its_simulated_twin_agree() {
    if !emulated("boards: random points") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut state = 5_u64;
    let mut draw = |from: f64, to: f64| {
        // Knuth's MMIX; the upper bits are drawn from.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        from + (to - from) * (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut text = "format = 1\n[scenario]\nname = \"points\"\nstart = 2027-01-18T17:00:00Z\n\
                    duration = \"3 s\"\nseed = 7\n"
        .to_owned();
    let mut apparent = Vec::new();
    for point in 0..6 {
        let volts = 230.0 * draw(0.5, 1.0);
        let amperes = 30.0 * draw(0.1, 1.0);
        let factor = draw(0.5, 1.0);
        let hertz = draw(42.5, 57.5);
        apparent.push(volts * amperes);
        writeln!(
            text,
            "[[source]]\nname = \"p{point}\"\nkind = \"synthetic\"\nphases = 1\n\
             voltage = \"{volts} V\"\ncurrent = \"{amperes} A\"\npower_factor = {factor}\n\
             frequency = \"{hertz} Hz\""
        )
        .unwrap();
        for (name, way) in [("model", "simulated"), ("board", "emulated")] {
            writeln!(
                text,
                "[[device]]\nname = \"{name}-{point}\"\nat = \"source:p{point}\"\n\
                 model = \"cvct-stm32f107\"\nas = \"{way}\"\nboard = \"emulated-meter\"\n\
                 sample_rate = \"8 kHz\"\nreport_every = \"1 s\"\nquantities = [\"voltage\", \
                 \"current\", \"active_power\", \"frequency\"]"
            )
            .unwrap();
        }
    }
    text += "[[check]]\nname = \"readings-once\"\nkind = \"no_loss\"\n";
    let scenario = folder.path().join("points.toml");
    std::fs::write(&scenario, text).unwrap();
    let out = folder.path().join("run");
    let done = run(scenario.to_str().unwrap(), &out, &[]);
    assert_eq!(done.code, 0, "{done:?}");
    let values = reported(&out);
    let mut worst = [0.0_f64; 3];
    for (point, apparent) in apparent.into_iter().enumerate() {
        let both = |quantity: &str| {
            ["model", "board"].map(|of| values[&(format!("{of}-{point}"), quantity.to_owned())])
        };
        let [u, other_u] = both("electricity.voltage.rms.l1");
        let [p, other_p] = both("electricity.power.active.consumed.l1");
        let [f, other_f] = both("electricity.frequency");
        let found = [100.0 * (u / other_u - 1.0), 100.0 * (p - other_p) / apparent, f - other_f];
        for (worst, found) in worst.iter_mut().zip(found) {
            *worst = worst.max(found.abs());
        }
    }
    println!(
        "largest differences: U {:.2e} %, P {:.2e} % of S, f {:.2e} Hz",
        worst[0], worst[1], worst[2]
    );
    assert!(worst[0] <= 0.02 && worst[1] <= 0.05 && worst[2] <= 1e-3, "{worst:?}");
}

/// Emulators whose command line names a folder of sockets that began after this test, by process
/// id, as far as they are not only waiting to be buried.
fn emulators_of(parent: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // `pid (name) state parent ...`
        let behind = stat.rsplit(')').next().unwrap_or_default();
        let mut fields = behind.split_whitespace();
        let (state, of) = (fields.next(), fields.next().and_then(|of| of.parse::<u32>().ok()));
        let is_emulator = stat.contains("(qemu-system-arm)");
        if is_emulator && of == Some(parent) && state != Some("Z") {
            found.push(id);
        }
    }
    found
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn begin(scenario: &str, out: &Path, more: &[&str]) -> Child {
    lastmeter()
        .args(["run", scenario, "--out", out.to_str().unwrap()])
        .args(more)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn is_alive(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap_or_default().trim().chars().next();
    stat.contains("(qemu-system-arm)") && state != Some('Z')
}

#[test]
fn a_bench_that_is_killed_leaves_no_emulator_behind() {
    if !emulated("boards: a killed bench") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let more = ["--set", "scenario.duration=\"10 min\""];
    let mut child = begin(&library("board-faults"), &folder.path().join("run"), &more);
    let three = || Some(emulators_of(child.id())).filter(|found| found.len() == 3);
    let emulators = until("three emulators", three);
    child.kill().unwrap();
    child.wait().unwrap();
    until("the end of the emulators", || (!emulators.iter().any(|&id| is_alive(id))).then_some(()));
}

fn order(id: u32, signal: &str) {
    let line = format!("kill -{signal} {id}");
    assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
}

/// What a board file of the library becomes with some of its text replaced.
fn changed_board(folder: &Path, change: (&str, &str)) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("scenarios/boards/impatient.toml")).unwrap();
    assert!(text.contains(change.0));
    let path = folder.join("changed.toml");
    std::fs::write(&path, text.replace(change.0, change.1)).unwrap();
    path
}

fn one_board(folder: &Path, board: &str, duration: &str) -> String {
    let text = format!(
        "format = 1\n[scenario]\nname = \"one-board\"\nstart = 2027-01-18T17:00:00Z\n\
         duration = \"{duration}\"\nseed = 7\n[[source]]\nname = \"mains\"\nkind = \"synthetic\"\n\
         phases = 1\n[[device]]\nname = \"meter\"\nat = \"source:mains\"\n\
         model = \"cvct-stm32f107\"\nas = \"emulated\"\nboard = \"{board}\"\n\
         sample_rate = \"4 kHz\"\nreport_every = \"1 s\"\nquantities = [\"voltage\"]\n\
         [[check]]\nname = \"voltage\"\nkind = \"accuracy\"\nlimit = \"0.5 %\"\n\
         quantity = \"electricity.voltage.rms.l1\"\n\
         [[check]]\nname = \"readings-once\"\nkind = \"no_loss\"\n"
    );
    let path = folder.join("one.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Nothing hangs, the board is named, and no late answer becomes another reading's.
#[test]
fn a_board_that_stands_still_for_three_seconds_costs_its_readings_and_no_more() {
    if !emulated("boards: a stopped board") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let board = changed_board(folder.path(), ("name = \"impatient-board\"", "name = \"sleeper\""));
    let scenario = one_board(folder.path(), board.to_str().unwrap(), "12 s");
    let out = folder.path().join("run");
    let mut child = begin(&scenario, &out, &[]);
    let [emulator] = until("the emulator", || emulators_of(child.id()).try_into().ok());
    // It is at work once samples have gone over its port.
    let log = out.join("boards/meter/serial.csv");
    until("samples", || std::fs::metadata(&log).is_ok_and(|it| it.len() > 8000).then_some(()));
    order(emulator, "STOP");
    std::thread::sleep(Duration::from_secs(3));
    order(emulator, "CONT");
    let code = until("the end of the run", || child.try_wait().unwrap()).code();
    assert_eq!(code, Some(1), "readings are missing");
    let events = std::fs::read_to_string(out.join("events.jsonl")).unwrap();
    assert!(events.contains("board sleeper: no answer within 700 ms"), "{events}");
    assert!(events.contains("reading_left_out"), "{events}");
    let missing = verdict(&out, "readings-once");
    assert_eq!(missing["status"], "fail");
    assert_eq!(verdict(&out, "voltage")["status"], "pass", "what there is, is right");
}

#[test]
fn a_board_that_is_not_the_one_that_is_wanted_is_refused() {
    if !emulated("boards: another firmware") {
        return;
    }
    for (change, expected) in [
        (("version = \"1.0\"", "version = \"9.9\""), "its firmware is version 1.0, expected 9.9"),
        (("firmware = \"meter\"", "firmware = \"kettle\""), "there is no firmware `kettle`"),
        (("stm32vldiscovery", "no-such-machine"), "qemu-system-arm has ended"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let board = changed_board(folder.path(), change);
        let scenario = one_board(folder.path(), board.to_str().unwrap(), "3 s");
        let done = run(&scenario, &folder.path().join("run"), &[]);
        assert_ne!(done.code, 0);
        let text = format!("{}{}", done.stdout, done.stderr);
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

/// Each board acknowledges what it hears, so of what is sent on a line that two share each gets the
/// acknowledgements of its own and of the other's requests.
#[test]
fn boards_on_one_line_hear_each_other_s_requests() {
    if !emulated("boards: one line for two") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let done = run(&library("board-nodes"), &out, &[]);
    assert_eq!(done.code, 0, "{done:?}");
    let log = std::fs::read_to_string(out.join("boards/node-1/serial.csv")).unwrap();
    let of = |direction: &str| {
        let lines = log.lines().filter(|line| line.contains(&format!(",network,{direction},")));
        lines.filter_map(|line| line.split('"').nth(1)).collect::<String>()
    };
    // Requests for registers of node 1, and what acknowledges any.
    let (asked, acknowledged) = (of("to").matches("r2").count(), of("from").matches('z').count());
    assert!(asked >= 15 && 2 * acknowledged >= 3 * asked, "{acknowledged} of {asked}: {log}");
}
