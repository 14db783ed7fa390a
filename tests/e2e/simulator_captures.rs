//! What a simulator sends, captured and played again.

use std::io::Write as _;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::bench::{call, first_line, lastmeter};
use crate::simulators::{MAP, frame, pause};

/// `rts watch` until its end; gives where it listens.
fn watch(folder: &Path, on: &str, more: &[&str]) -> (Child, String) {
    let map = folder.join("map.toml");
    std::fs::write(&map, MAP).unwrap();
    let mut child = lastmeter()
        .args(["rts", "watch"])
        .arg(map)
        .args(["--on", on, "--format", "json", "--for", "2500 ms"])
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ready = first_line(&mut child);
    let place = ready["line"].as_str().unwrap();
    (child, place.rsplit(' ').next().unwrap().to_owned())
}

fn summary(child: Child) -> Value {
    let done = child.wait_with_output().unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

#[test]
fn what_is_captured_is_played_again_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("rack.pcapng");
    let path = capture.to_str().unwrap();
    let (first, at) = watch(folder.path(), "udp-listen:127.0.0.1:0", &["--capture", path]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..100 {
        socket.send_to(&frame(number), &at).unwrap();
        pause(5);
    }
    let first = summary(first);
    assert_eq!(first["samples"], 100);
    let (second, at) = watch(folder.path(), "udp-listen:127.0.0.1:0", &[]);
    let on = format!("udp:{at}");
    let done = call(&["rts", "replay", path, "--on", &on]);
    assert_eq!(done.code, 0, "{done:?}");
    let second = summary(second);
    assert_eq!(second["samples"], 100);
    for (before, after) in
        first["points"].as_array().unwrap().iter().zip(second["points"].as_array().unwrap())
    {
        for key in ["last", "least", "greatest", "samples"] {
            assert_eq!(before[key], after[key], "{key} of {before}");
        }
    }
    let played: Value = serde_json::from_str(done.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&played["sent"], &played["bytes"]), (&100.into(), &800.into()));
    // A capture that is there is not overwritten, and a damaged one is played up to its damage.
    let map = folder.path().join("map.toml");
    let again = [
        "rts",
        "watch",
        map.to_str().unwrap(),
        "--on",
        "udp-listen:127.0.0.1:0",
        "--capture",
        path,
    ];
    assert!(call(&again).stderr.contains("is there already; name another file"));
    let bytes = std::fs::read(&capture).unwrap();
    std::fs::write(&capture, &bytes[..bytes.len() / 2]).unwrap();
    let done = call(&["rts", "replay", path, "--on", &on, "--speed", "max"]);
    assert!(done.code == 1 && done.stderr.contains("cut or damaged at byte"), "{done:?}");
    let unknown = call(&["rts", "replay", path, "--on", &on, "--from", "9"]);
    assert!(unknown.code == 2 && unknown.stderr.contains("no UDP or TCP"), "{unknown:?}");
    std::fs::write(&capture, "no capture").unwrap();
    assert!(call(&["rts", "replay", path, "--on", &on]).stderr.contains("begins like no pcap"));
}

#[test]
fn a_stream_is_played_again_whatever_its_pieces_were() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("rack.pcapng");
    let path = capture.to_str().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let on = format!("tcp:{}", listener.local_addr().unwrap());
    let (first, _) = watch(folder.path(), &on, &["--capture", path]);
    let (mut stream, _) = listener.accept().unwrap();
    let all: Vec<u8> = (0..50).flat_map(frame).collect();
    for piece in all.chunks(7) {
        stream.write_all(piece).unwrap();
        pause(2);
    }
    assert_eq!(summary(first)["samples"], 50);
    let (second, at) = watch(folder.path(), "tcp-listen:127.0.0.1:0", &[]);
    let on = format!("tcp:{at}");
    let done = call(&["rts", "replay", path, "--on", &on, "--speed", "2", "--times", "2"]);
    assert_eq!(done.code, 0, "{done:?}");
    let second = summary(second);
    assert_eq!((&second["samples"], &second["points"][0]["last"]), (&100.into(), &49.0.into()));
}
