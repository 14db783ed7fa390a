//! Voltages of every node during faults as a network in motion has them:
//! `played_faults FILE.dss KIND@NODE=OHM...`, and with a wire lost in a line: `lost-n@LINE`.
//!
//! Each fault is played by itself from the power flow on, as phasors and as waveforms at 50 us.
//! Kinds are those of phases to earth, each through OHM (`ag`, `bcg`, `abcg`), and of wires with
//! each other (`ab` or `an` through OHM, `abc` in star, each through OHM). Prints one line of JSON:
//! of each fault and each node RMS phasors in volts by wire, `null` where it has none.

use std::f64::consts::{SQRT_2, TAU};
use std::io::Write as _;

use lastmeter_grid::Complex64;
use lastmeter_grid::flow;
use lastmeter_grid::format::dss;
use lastmeter_grid::motion::{
    Event, FaultAt, Motion, NetworkAction, Options, Piece, Probe, ProbeAt, ProbePair, Resolution,
    Segment, SegmentContent, Waveforms, cut,
};
use lastmeter_grid::network::{Network, NodeId, Wire, Wires};
use lastmeter_grid::transient::{FaultKind, Pole};

/// The fault begins here, at no special angle.
const BEGIN_NS: i64 = 13_700_000;

type Failure = Box<dyn std::error::Error>;

fn network(path: &str) -> Result<Network, Failure> {
    let text = std::fs::read_to_string(path)?;
    let folder = std::path::Path::new(path).parent().unwrap_or(std::path::Path::new("."));
    let mut open = |name: &str| {
        let found = std::fs::read_to_string(folder.join(name));
        found.map_err(|why| format!("{name}: {why}"))
    };
    let mut network = dss::read(path, &text, &mut open)?.network;
    network.regulators.clear();
    Ok(network)
}

/// What a word such as `abg@646=0.5` describes.
fn fault(network: &Network, word: &str) -> Result<FaultAt, Failure> {
    let expected = || format!("{word}: expected KIND@NODE=OHM");
    let (kind, rest) = word.split_once('@').ok_or_else(expected)?;
    let (place, ohm) = rest.split_once('=').ok_or_else(expected)?;
    let mut wires = Wires::NONE;
    for letter in kind.trim_end_matches('g').chars() {
        let at = "abcn".find(letter).ok_or_else(expected)?;
        wires = wires.with(Wire::ALL[at]);
    }
    let kind =
        if kind.ends_with('g') { FaultKind::Ground(wires) } else { FaultKind::Between(wires) };
    let same = |name: &str| name.eq_ignore_ascii_case(place);
    let at = network.nodes.iter().position(|node| same(&node.name)).ok_or_else(expected)?;
    let (name, node) = (word.into(), NodeId(at as u32));
    let (resistance_ohm, angle_rad, extinguishes_s) = (ohm.parse()?, None, None);
    Ok(FaultAt { id: 1, name, node, kind, resistance_ohm, arc: None, angle_rad, extinguishes_s })
}

/// What happens by a word; a line whose wire is lost gets a switch.
fn happening(network: &mut Network, word: &str) -> Result<NetworkAction, Failure> {
    let Some((letter, line)) = word.strip_prefix("lost-").and_then(|it| it.split_once('@')) else {
        return Ok(NetworkAction::Fault(fault(network, word)?));
    };
    let expected = || format!("{word}: expected lost-WIRE@LINE");
    let same = |name: &str| name.eq_ignore_ascii_case(line);
    let at = network.lines.iter().position(|it| same(&it.name)).ok_or_else(expected)?;
    let switch = cut(network, Piece::Line(at)).ok_or_else(expected)?;
    let wires = network.switches[switch].from.wires;
    let pole = wires.as_slice().iter().position(|it| it.to_string() == letter);
    Ok(NetworkAction::Open { switch, pole: Pole::One(pole.ok_or_else(expected)?) })
}

/// The voltages of all nodes, wire by wire.
fn probes(network: &Network) -> Vec<Probe> {
    let pair = |wire: usize| {
        let mut voltage = [0.0; 4];
        voltage[wire] = 1.0;
        ProbePair { voltage, current: [0.0; 4] }
    };
    let pairs: Vec<ProbePair> = (0..4).map(pair).collect();
    let at = |node: usize| ProbeAt::Node(NodeId(node as u32));
    (0..network.nodes.len()).map(|node| Probe { at: at(node), pairs: pairs.clone() }).collect()
}

/// What is played with the fault in it.
fn played(
    network: &Network,
    flow: &flow::Flow,
    what: &NetworkAction,
    resolution: Resolution,
) -> Result<Vec<Segment>, Failure> {
    let options = Options { resolution, tolerance: 1e-5, ..Options::default() };
    let events = vec![Event { at_ns: BEGIN_NS, what: what.clone() }];
    let mut motion = Motion::new(network, options, events, Vec::new(), probes(network))?;
    let (segments, _) = motion.play(network, flow, (0, 2 * BEGIN_NS))?;
    Ok(segments)
}

/// The phasors of a wave's last whole period, by least squares: steps are no whole part of it.
fn phasors(waves: &Waveforms, from_ns: i64, frequency_hz: f64) -> Vec<Vec<Complex64>> {
    let end_s = waves.at_s.last().copied().unwrap_or(0.0);
    let first = waves.at_s.partition_point(|it| *it < end_s - 1.0 / frequency_hz);
    // Angles count from the beginning of what is played.
    let turns: Vec<(f64, f64)> = waves.at_s[first..]
        .iter()
        .map(|at_s| (TAU * frequency_hz * (from_ns as f64 * 1e-9 + at_s)).sin_cos())
        .collect();
    let sum = |of: &dyn Fn(usize, (f64, f64)) -> f64| -> f64 {
        turns.iter().enumerate().map(|(at, turn)| of(at, *turn)).sum()
    };
    let [ss, sc, cc] = [
        sum(&|_, (sin, _)| sin * sin),
        sum(&|_, (sin, cos)| sin * cos),
        sum(&|_, (_, cos)| cos * cos),
    ];
    let determinant = (ss * cc - sc * sc) * SQRT_2;
    let phasor = |values: &[f64]| {
        let ys = sum(&|at, (sin, _)| values[first + at] * sin);
        let yc = sum(&|at, (_, cos)| values[first + at] * cos);
        Complex64::new((ys * cc - yc * sc) / determinant, (yc * ss - ys * sc) / determinant)
    };
    waves.probes.iter().map(|pairs| pairs.iter().map(|it| phasor(&it.0)).collect()).collect()
}

/// The voltages during the fault, by what is played last.
fn during(
    network: &Network,
    segments: &[Segment],
    resolution: Resolution,
) -> Result<Vec<Vec<Complex64>>, Failure> {
    let found = segments.iter().rev().find_map(|it| match (&it.what, resolution) {
        (SegmentContent::Steady { pairs, .. }, Resolution::Phasors) if it.from_ns == BEGIN_NS => {
            Some(pairs.iter().map(|all| all.iter().map(|pair| pair.0).collect()).collect())
        }
        (SegmentContent::Waveforms(waves), Resolution::Waveforms) => {
            Some(phasors(waves, it.from_ns, network.frequency_hz))
        }
        _ => None,
    });
    found.ok_or_else(|| "the fault was not played".into())
}

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [path, faults @ ..] = words.as_slice() else {
        return Err("expected: FILE.dss KIND@NODE=OHM...".into());
    };
    let described = network(path)?;
    let options = flow::Options { tolerance_pu: 1e-12, ..flow::Options::default() };
    let mut rows = Vec::new();
    for word in faults {
        let mut network = described.clone();
        let what = happening(&mut network, word)?;
        let flow = flow::solve(&network, &options)?;
        let mut row = vec![format!("\"fault\": \"{word}\"")];
        for (name, resolution) in
            [("phasors", Resolution::Phasors), ("waveforms", Resolution::Waveforms)]
        {
            let segments = played(&network, &flow, &what, resolution)?;
            let volts = during(&network, &segments, resolution)?;
            let nodes = network.nodes.iter().zip(&volts).map(|(node, volts)| {
                let wires = Wire::ALL.iter().zip(volts).map(|(wire, it)| {
                    if node.wires.contains(*wire) {
                        format!("[{:e}, {:e}]", it.re, it.im)
                    } else {
                        "null".to_owned()
                    }
                });
                format!("\"{}\": [{}]", node.name, wires.collect::<Vec<_>>().join(", "))
            });
            let nodes: Vec<String> = nodes.collect();
            row.push(format!("\"{name}\": {{{}}}", nodes.join(", ")));
        }
        rows.push(format!("{{{}}}", row.join(", ")));
    }
    writeln!(std::io::stdout(), "[{}]", rows.join(",\n"))?;
    Ok(())
}
