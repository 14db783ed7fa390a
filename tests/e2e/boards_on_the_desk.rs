//! Boards that are there: a meter of text lines, played by this test on a socket, through right and
//! wrong values, a lock, a port that is missing and one that vanishes.
#![expect(clippy::disallowed_methods, reason = "a meter on the desk has its own time")]

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lastmeter_can::frame::CanFrame;
use lastmeter_can::slcan::{Adapter, Order};

use crate::bench::{Done, call, run, verdict};

/// What the meter on the desk does.
#[derive(Clone, Copy)]
struct Meter {
    volts: f64,
    /// After so many answers it goes, and its port with it.
    answers: usize,
    /// How long it takes to answer.
    takes: Duration,
}

/// Answers `READ?` with what it measures; each connection in turn.
fn play(meter: Meter, path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            answer(meter, stream);
        }
    });
}

fn answer(meter: Meter, mut stream: UnixStream) {
    let mut line = Vec::new();
    let mut byte = [0];
    let mut number = 0;
    while matches!(stream.read(&mut byte), Ok(1)) {
        line.push(byte[0]);
        if !line.ends_with(b"READ?\r\n") {
            continue;
        }
        line.clear();
        number += 1;
        std::thread::sleep(meter.takes);
        let amperes = 5.0;
        let watts = meter.volts * amperes;
        let text = format!("U={:.2} I={amperes:.3} P={watts:.1} n={number}\r\n", meter.volts);
        if number > meter.answers || stream.write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

/// The board file: the one that comes with the program, on another port and under a name of its
/// own, so that tests do not lock each other out.
fn board(folder: &Path, name: &str, socket: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("devices/boards/usb-serial-meter.toml")).unwrap();
    let line = "tty:/dev/serial/by-id/usb-EXAMPLE-if00-port0";
    assert!(text.contains(line));
    let text = text
        .replace(line, &format!("unix:{}", socket.display()))
        .replace("name = \"usb-serial-meter\"", &format!("name = \"{name}\""));
    let path = folder.join(format!("{name}.toml"));
    std::fs::write(&path, text).unwrap();
    path
}

fn scenario(folder: &Path, board: &Path, seconds: u32) -> String {
    let text = format!(
        "format = 1\n[scenario]\nname = \"desk\"\ntime = \"real\"\nduration = \"{seconds} s\"\n\
         seed = 1\n[floor]\nmessages = 200\n[[source]]\nname = \"generator\"\nkind = \"synthetic\"\nphases = 1\n\
         voltage = \"230 V\"\ncurrent = \"5 A\"\npower_factor = 1\n[[device]]\nname = \"meter\"\n\
         at = \"source:generator\"\nmodel = \"ideal-1ph\"\nas = \"hardware\"\nboard = \"{}\"\n\
         under_test = true\nreport_every = \"1 s\"\n\
         quantities = [\"voltage\", \"current\", \"active_power\"]\n\
         [[check]]\nname = \"voltage\"\nkind = \"accuracy\"\nlimit = \"1 %\"\n\
         quantity = \"electricity.voltage.rms.l1\"\n\
         [[check]]\nname = \"readings-once\"\nkind = \"no_loss\"\n",
        board.display()
    );
    let path = folder.join("desk.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn run_with(meter: Option<Meter>, name: &str, seconds: u32) -> (tempfile::TempDir, PathBuf, Done) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("port");
    if let Some(meter) = meter {
        play(meter, &socket);
    }
    let board = board(folder.path(), name, &socket);
    let out = folder.path().join("run");
    let done = run(&scenario(folder.path(), &board, seconds), &out, &[]);
    (folder, out, done)
}

#[test]
fn a_meter_of_text_lines_gets_its_verdict_by_its_board_file_alone() {
    let right = Meter { volts: 230.1, answers: usize::MAX, takes: Duration::ZERO };
    let (_folder, out, done) = run_with(Some(right), "desk-right", 5);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(verdict(&out, "voltage")["status"], "pass");
    let facts = crate::bench::json(&out, "run.json");
    assert_eq!(facts["devices"][0]["as"], "hardware");
    let log = std::fs::read_to_string(out.join("boards/meter/serial.csv")).unwrap();
    assert!(log.contains("READ?") && log.contains("U=230.10"), "{log}");
    let wrong = Meter { volts: 236.0, answers: usize::MAX, takes: Duration::ZERO };
    let (_folder, out, done) = run_with(Some(wrong), "desk-wrong", 5);
    assert_eq!(done.code, 1, "{done:?}");
    assert_eq!(verdict(&out, "voltage")["status"], "fail");
    assert_eq!(verdict(&out, "readings-once")["status"], "pass");
}

#[test]
fn a_port_that_is_not_there_is_an_error_with_the_reason() {
    let (_folder, _out, done) = run_with(None, "desk-nowhere", 3);
    assert_ne!(done.code, 0);
    let text = format!("{}{}", done.stdout, done.stderr);
    assert!(text.contains("is not there within 5 s"), "{text}");
}

#[test]
fn a_port_that_vanishes_is_a_lost_board_at_once() {
    let meter = Meter { volts: 230.0, answers: 2, takes: Duration::ZERO };
    let begun = Instant::now();
    let (_folder, out, done) = run_with(Some(meter), "desk-vanishing", 6);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(begun.elapsed() < Duration::from_mins(1));
    let events = std::fs::read_to_string(out.join("events.jsonl")).unwrap();
    assert!(events.contains("board_lost"), "{events}");
    assert!(events.contains("board desk-vanishing: its port is lost"), "{events}");
    assert_eq!(verdict(&out, "readings-once")["status"], "fail");
}

#[test]
fn a_second_bench_is_refused_with_the_first_ones_name() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("port");
    play(Meter { volts: 230.0, answers: usize::MAX, takes: Duration::ZERO }, &socket);
    let board = board(folder.path(), "desk-shared", &socket);
    let scenario = scenario(folder.path(), &board, 8);
    let mut first = crate::bench::lastmeter()
        .args(["run", &scenario, "--out", folder.path().join("first").to_str().unwrap()])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    let log = folder.path().join("first/boards/meter/serial.csv");
    while !log.exists() {
        assert!(Instant::now() < end, "the first run did not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    let done = run(&scenario, &folder.path().join("second"), &[]);
    let text = format!("{}{}", done.stdout, done.stderr);
    let expected = format!("the board `desk-shared` is in use by process {}", first.id());
    assert!(done.code != 0 && text.contains(&expected), "{text}");
    assert!(first.wait().unwrap().success(), "the first goes on");
}

/// An SLCAN adapter with a node that answers remote frames, on a socket.
fn play_adapter(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut adapter = Adapter::default();
            let mut buffer = [0; 256];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                let (mut answers, mut orders) = (Vec::new(), Vec::new());
                adapter.bytes(&buffer[..count], &mut answers, &mut orders);
                for order in orders {
                    let Order::Transmit(frame) = order else { continue };
                    if frame.is_remote() && frame.id().value() == 0x321 {
                        let version =
                            CanFrame::data(frame.id(), &[1, 0, 1, 0, 0, 0xC0, 0xFF, 0xEE]);
                        adapter.frame(&version.unwrap(), 0, &mut answers);
                    }
                }
                if stream.write_all(&answers).is_err() {
                    break;
                }
            }
        }
    });
}

#[test]
fn what_answers_on_a_port_is_found_out_and_frames_are_sent_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("adapter");
    play_adapter(&socket);
    let port = format!("unix:{}", socket.display());
    let done = call(&["boards", "probe", &port, "--listen", "100ms"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains("SLCAN       version 1013"), "{done:?}");
    assert!(done.stdout.contains("meter node 1: firmware 1.0, image 00c0ffee"), "{done:?}");
    let done = call(&["can", "send", &port, "321#R8", "--answer-within", "500ms"]);
    assert!(done.code == 0 && done.stdout.contains(") 321#0100010000C0FFEE"), "{done:?}");
    let done = call(&["can", "dump", &port, "--for", "200ms", "--format", "json"]);
    assert_eq!((done.code, done.stdout.as_str()), (0, ""), "{done:?}");
    let done = call(&["can", "send", &port, "321"]);
    assert!(done.code == 2 && done.stderr.contains("expected IDENTIFIER#DATA"), "{done:?}");
    let done = call(&["can", "dump", &port, "--bit-rate", "123"]);
    assert!(done.code == 2 && done.stderr.contains("found --bit-rate 123"), "{done:?}");
    // A meter of text lines is no adapter, and is found by its request.
    let meter = folder.path().join("meter");
    play(Meter { volts: 229.5, answers: usize::MAX, takes: Duration::ZERO }, &meter);
    let port = format!("unix:{}", meter.display());
    let done = call(&["boards", "probe", &port, "--listen", "100ms"]);
    assert!(done.code == 0 && done.stdout.contains("voltage.rms.l1 = 229.5 V"), "{done:?}");
    // A slow one is waited for as long as its board file has it.
    let slow = folder.path().join("slow");
    let takes = Duration::from_millis(700);
    play(Meter { volts: 228.5, answers: usize::MAX, takes }, &slow);
    let file = board(folder.path(), "slow-meter", &slow);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("timeout = "), "{text}");
    let lines = text
        .lines()
        .map(|line| if line.starts_with("timeout = ") { "timeout = \"1500 ms\"" } else { line });
    std::fs::write(&file, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let slow = format!("unix:{}", slow.display());
    let file = file.to_str().unwrap();
    let done = call(&["boards", "probe", &slow, "--listen", "100ms", "--board", file]);
    assert!(done.stdout.contains("slow-meter  electricity.voltage.rms.l1 = 228.5 V"), "{done:?}");
    let done = call(&["can", "send", &port, "321#R8", "--answer-within", "300ms"]);
    assert!(done.code == 2 && done.stderr.contains("no SLCAN adapter answers"), "{done:?}");
    let nobody = format!("unix:{}", folder.path().join("nobody").display());
    let done = call(&["boards", "probe", &nobody]);
    assert!(done.code == 2 && done.stderr.contains("nobody is at"), "{done:?}");
}

#[test]
fn boards_are_listed_with_what_keeps_them_from_being_used() {
    let folder = tempfile::tempdir().unwrap();
    let right = board(folder.path(), "desk-listed", Path::new("/nowhere"));
    let wrong = folder.path().join("wrong.toml");
    std::fs::write(&wrong, "format = 1\n[board]\nname = \"x\"\nlanguage = \"morse\"\n").unwrap();
    let [right, wrong] = [right, wrong].map(|path| path.to_str().unwrap().to_owned());
    let done = call(&["boards", &right, &wrong]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains("wrong.toml: line 4: "), "{done:?}");
    for expected in ["emulated-meter", "desk-listed", "it is not plugged in", "serial lines"] {
        assert!(done.stdout.contains(expected), "{expected}: {done:?}");
    }
    let done = call(&["boards", &right, "--format", "json"]);
    let all: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(all["boards"][4]["name"], "desk-listed");
    assert_eq!(all["boards"][0]["ways"][0], "emulated");
}
