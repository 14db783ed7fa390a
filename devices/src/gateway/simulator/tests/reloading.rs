//! Samples as they come, set-points as they come, and a point map that is read again.

use std::collections::BTreeMap;

use super::*;

/// The map with points that may jump.
fn quick() -> String {
    MAP.replace("greatest_change_per_second = 1\n", "greatest_change_per_second = 1000\n")
}

/// An adapter by it, that waits long for the simulator.
fn quick_bench() -> Bench {
    let keys = "raw = \"json\"\nreport_every = \"10 s\"\nsilent_after = \"60 s\"";
    Bench::of(make_of(&quick(), keys, &[]).unwrap())
}

impl Bench {
    fn live(&self) -> Vec<String> {
        let payload = |output: &'_ GatewayOutput| match output {
            GatewayOutput::Live { channel: "points", payload } => {
                Some(String::from_utf8(payload.clone()).unwrap())
            }
            _ => None,
        };
        self.out.iter().filter_map(payload).collect()
    }

    fn written(&self) -> Vec<Vec<u8>> {
        let frame = |output: &'_ GatewayOutput| match output {
            GatewayOutput::Bytes { bytes, .. } => Some(bytes.clone()),
            _ => None,
        };
        self.out.iter().filter_map(frame).collect()
    }

    fn reload(&mut self, milliseconds: i64, map: &str) -> Result<(), Vec<String>> {
        let files = BTreeMap::from([("rack.toml".to_owned(), map.to_owned())]);
        let mut out = Vec::new();
        let read = self.adapter.reload(at(milliseconds), &files, &mut out);
        self.follow(milliseconds, out);
        read
    }
}

#[test]
fn samples_go_out_as_they_come_where_that_is_asked_for() {
    let mut bench = Bench::new("");
    bench.bytes(100, frame(0.25, 5.0, 231));
    assert!(bench.live().is_empty());
    let mut bench = Bench::new("raw = \"json\"\nraw_decimate = 2");
    for volts in 1..=3 {
        bench.bytes(100, frame(0.25, f32::NAN, volts));
    }
    // Also those out of their range, and before anything is reported.
    let head = "{\"t\":[1800000000,100000000],\"sequence\":";
    let sample = |number, volts| {
        format!("{head}{number},\"points\":{{\"u\":0.25,\"w\":\"NaN\",\"v\":{volts}}}}}")
    };
    assert_eq!(bench.live(), [sample(0, 1), sample(2, 3)]);
}

#[test]
fn set_points_that_come_live_are_written_or_refused_without_a_flood_of_lines() {
    let mut bench = quick_bench();
    let live = |payload: &str| GatewayInput::Live { payload: payload.as_bytes().to_vec() };
    bench.step(10, live("{\"tap\":1}"));
    let refused = bench.events(GatewayEventKind::CommandRefused);
    assert!(refused[0].contains("nobody is at the simulator's end"), "{refused:?}");
    bench.step(20, GatewayInput::LineUp { network: 0 });
    bench.step(1020, live("{\"tap\":4}"));
    // 9 is outside of the range, `v` comes from the simulator: nothing of these is written.
    for payload in ["{\"tap\":9}", "{\"tap\":5,\"v\":1}", "{\"tap\":null}"] {
        bench.step(1100, live(payload));
    }
    for _ in 0..1000 {
        bench.step(1200, live("[]"));
    }
    assert_eq!(bench.events(GatewayEventKind::CommandRefused).len(), 4);
    assert_eq!(bench.events(GatewayEventKind::PointWritten).len(), 1);
    bench.step(2100, GatewayInput::Wake);
    let frames = bench.written();
    assert_eq!(frames, [[0, 0, 0, 3], [0, 0, 0, 4]]);
    // It is kept with the readings of the period, so that a restart writes it again.
    bench.step(10_000, GatewayInput::Wake);
    let mut again = Bench::of(make("", &bench.kept).unwrap());
    again.step(20, GatewayInput::LineUp { network: 0 });
    assert_eq!(again.written(), [[0, 0, 0, 4]]);
}

#[test]
fn a_wrong_map_is_refused_with_all_mistakes_and_the_old_one_holds() {
    let mut bench = Bench::new("");
    bench.bytes(100, frame(0.229, 5.0, 231));
    let wrong = MAP.replace("\"kV\"", "\"kA\"").replace("\"integer\"", "\"text\"");
    let mistakes = bench.reload(200, &wrong).unwrap_err();
    assert!(mistakes.len() >= 3 && mistakes[0].starts_with("line "), "{mistakes:?}");
    assert!(bench.readings().is_empty());
    bench.bytes(300, frame(0.231, 5.0, 231));
    bench.step(1000, GatewayInput::Wake);
    assert!((bench.readings()[0].3[0].1 - 230.0).abs() < 1e-4, "{:?}", bench.readings());
}

#[test]
fn a_new_map_holds_after_what_came_by_the_old_one_is_reported() {
    let mut bench = Bench::new("");
    bench.bytes(100, frame(0.25, 5.0, 231));
    bench.bytes(150, vec![0; 11]);
    let other = MAP.replace("house-2", "house-3").replace("\"kV\"", "\"V\"");
    bench.reload(200, &other).unwrap();
    let readings = bench.readings();
    let of = |rows: &[(String, i64, u64, Values)]| {
        rows.iter().map(|row| (row.0.clone(), row.2)).collect::<Vec<_>>()
    };
    assert_eq!(of(&readings), [("house-1".to_owned(), 1), ("house-2".to_owned(), 1)]);
    assert_eq!((readings[0].1, readings[0].3[0].1), (200, 250.0));
    bench.bytes(300, frame(125.0, 5.0, 231));
    // Refused frames are counted on.
    bench.bytes(300, vec![0; 11]);
    bench.step(1000, GatewayInput::Wake);
    let readings = bench.readings();
    assert_eq!(of(&readings[2..]), [("house-1".to_owned(), 2), ("house-3".to_owned(), 1)]);
    assert_eq!(readings[2].3[0].1, 125.0);
    assert_eq!(bench.events(GatewayEventKind::AnswerRefused).len(), 1);
}

#[test]
fn written_points_keep_their_values_where_the_map_keeps_the_points() {
    let mut bench = quick_bench();
    bench.step(10, GatewayInput::LineUp { network: 0 });
    bench.step(2010, GatewayInput::Live { payload: b"{\"tap\":4}".to_vec() });
    bench.reload(2500, &quick().replace("house-2", "house-3")).unwrap();
    bench.step(4000, GatewayInput::Wake);
    assert_eq!(bench.written(), [[0, 0, 0, 3], [0, 0, 0, 4]]);
    // Another range: all points are written again. Another name: another point.
    bench.reload(4500, &quick().replace("greatest = 8", "greatest = 5")).unwrap();
    bench.step(6000, GatewayInput::Wake);
    assert_eq!(bench.written()[2..], [[0, 0, 0, 4]]);
    let refused = bench.reload(6200, &quick().replace("greatest = 8", "greatest = 3")).unwrap_err();
    assert!(refused[0].contains("outside of -8 to 3: bring it"), "{refused:?}");
    let other = quick().replace("\"tap\"", "\"tap-2\"").replace("initial = 3", "initial = 7");
    bench.reload(6500, &other).unwrap();
    bench.step(8000, GatewayInput::Wake);
    assert_eq!(bench.written()[3..], [[0, 0, 0, 7]]);
}

#[test]
fn in_a_stream_a_new_map_waits_for_the_end_of_a_frame() {
    let mut bench = Bench::new("carrier = \"stream\"");
    let other = MAP.replace("house-2", "house-3");
    let whole = frame(0.25, 5.0, 231);
    bench.bytes(100, whole[..5].to_vec());
    bench.reload(200, &other).unwrap();
    assert!(bench.events(GatewayEventKind::FilesRead).is_empty());
    bench.bytes(300, whole[5..].to_vec());
    assert_eq!(bench.events(GatewayEventKind::FilesRead).len(), 1);
    bench.bytes(400, whole);
    bench.step(1000, GatewayInput::Wake);
    let devices: Vec<String> = bench.readings().into_iter().map(|row| row.0).collect();
    assert_eq!(devices, ["house-1", "house-2", "house-1", "house-3"]);
}

#[test]
fn counts_the_latest_sample_and_what_is_written_are_shown() {
    let mut bench = quick_bench();
    assert_eq!(bench.adapter.points(), None);
    bench.step(10, GatewayInput::LineUp { network: 0 });
    bench.bytes(100, frame(0.25, 5.0, 231));
    bench.bytes(200, vec![0; 11]);
    let post = |is_json, bytes: &[u8]| GatewayInput::Frame { is_json, bytes: bytes.to_vec() };
    bench.step(300, post(false, &frame(0.5, f32::NAN, 231)));
    bench.step(400, post(false, &[0; 13]));
    bench.step(500, post(true, b"[{\"data\":[0.125,5.5,231]},{\"data\":[1]}]"));
    bench.step(2000, GatewayInput::Live { payload: b"{\"tap\":4}".to_vec() });
    let text = String::from_utf8(bench.adapter.points().unwrap()).unwrap();
    let points = "\"points\":{\"u\":0.125,\"w\":5.5,\"v\":231}}";
    assert_eq!(text, format!("{{\"t\":[1800000000,500000000],\"sequence\":2,{points}"));
    bench.step(3000, GatewayInput::Wake);
    assert_eq!(bench.adapter.set_points().unwrap(), b"{\"points\":{\"tap\":4}}");
    bench.step(10_000, GatewayInput::Wake);
    let text = crate::gateway::Metric::text("", &bench.adapter.metrics());
    for line in [
        "samples_total 3",
        "refused_total{reason=\"remainder\"} 2",
        "refused_total{reason=\"too-few-values\"} 1",
        "left_out_total{point=\"u\"} 1",
        "left_out_total{point=\"w\"} 1",
        "readings_total 2",
        "outbox_messages 2",
        "writes_total 2",
        "sets_total 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}
