//! Clipping is reported wherever it begins, and only there.

use lastmeter_devices::{EventKind, Output};
use lastmeter_sim::Terminal;

use crate::support::{Bench, sines};

const THIRD: f64 = std::f64::consts::TAU / 3.0;

/// What was reported as clipped, in words.
fn clipped(out: &[Output]) -> Vec<String> {
    let detail = |output: &Output| match output {
        Output::Event { kind: EventKind::Clipped, detail } => Some(detail.clone()),
        _ => None,
    };
    out.iter().filter_map(detail).collect()
}

/// The instant that a report states.
fn instant_s(report: &str) -> f64 {
    let (_, rest) = report.split_once(" from ").expect("an instant");
    rest.split_once(" s on").expect("seconds").0.parse().expect("a number")
}

/// Three phases of 230 V with these currents.
fn loads(amperes: [f64; 3]) -> Terminal {
    let phase = |k: usize| (230.0, -THIRD * k as f64, amperes[k], 0.0);
    sines(50.0, [0, 1, 2].map(phase))
}

/// What a meter for 5 A reports while phase b is beyond its range from 2 to 4 s, and b and c from 7
/// to 8 s, in pieces of some length.
fn reports(piece_s: f64) -> Vec<String> {
    let toml = "report_every = \"1 s\"\nnominal_current = \"5 A\"\ncurrent_headroom = 1\n";
    let mut bench = Bench::new(toml, loads([4.0; 3]));
    let mut out = Vec::new();
    for (seconds, amperes) in [
        (2.0, [4.0, 4.0, 4.0]),
        (2.0, [4.0, 10.0, 4.0]),
        (3.0, [4.0, 4.0, 4.0]),
        (1.0, [4.0, 10.0, 8.0]),
        (3.0, [4.0, 4.0, 4.0]),
    ] {
        bench.terminal = loads(amperes);
        out.extend(bench.run_in_pieces(seconds, piece_s));
    }
    clipped(&out)
}

#[test]
fn a_channel_is_reported_each_time_that_its_clipping_begins() {
    let found = reports(1.0);
    let channels: Vec<&str> = found.iter().map(|text| &text[..22]).collect();
    assert_eq!(channels.len(), 3, "{found:?}");
    assert!(found[0].starts_with("the current of phase b") && found[0].contains("headrooms"));
    let mut later: Vec<&str> = channels[1..].to_vec();
    later.sort_unstable();
    assert_eq!(later, ["the current of phase b", "the current of phase c"]);
    // Within half a cycle, and what the filters before the converter are late.
    for (text, due_s) in found.iter().zip([2.0, 7.0, 7.0]) {
        assert!((0.0..0.015).contains(&(instant_s(text) - due_s)), "{text}");
    }
    for piece_s in [0.013, 0.2, 5.0] {
        assert_eq!(reports(piece_s), found, "{piece_s}");
    }
}

#[test]
fn a_transducer_that_starts_is_not_an_input_beyond_the_range() {
    let at = |volts: f64| sines(50.0, [(volts, 0.3, 5.0, 0.0)]);
    let mut bench = Bench::of("cvct-stm32f107", "report_every = \"1 s\"", at(115.0));
    let found = clipped(&bench.run(5.0));
    assert!(!found.is_empty());
    for text in &found {
        assert!(text.contains("while the supply of its transducer comes up"), "{text}");
        assert!(instant_s(text) < 0.1, "{text}");
    }
    // Once for each channel, whatever comes of it in the first cycles.
    assert!(found.len() <= 2, "{found:?}");
    bench.terminal = at(600.0);
    let found = clipped(&bench.run(2.0));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("the voltage of phase a") && found[0].contains("headrooms"));
    assert!((5.0..5.02).contains(&instant_s(&found[0])), "{found:?}");
    // Another converter, whose supply is there, is not clipped at all.
    let mut bench = Bench::of("ideal-1ph", "report_every = \"1 s\"", at(115.0));
    assert_eq!(clipped(&bench.run(5.0)), Vec::<String>::new());
}

#[test]
fn a_spectrum_beyond_the_range_is_announced_each_time_anew() {
    let toml = "fidelity = \"windows\"\nreport_every = \"1 s\"\nnominal_current = \"5 A\"\n\
                current_headroom = 1\n";
    let mut bench = Bench::new(toml, loads([4.0; 3]));
    let mut announced = Vec::new();
    for amperes in [4.0, 10.0, 10.0, 4.0, 10.0] {
        bench.terminal = loads([amperes; 3]);
        let out = bench.run(2.0);
        let is_it = |o: &&Output| matches!(o, Output::Event { kind: EventKind::BeyondRange, .. });
        announced.push(out.iter().filter(is_it).count());
    }
    assert_eq!(announced, [0, 1, 0, 0, 1]);
}
