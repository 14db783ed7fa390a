//! Times of this library for networks that `beside_power_grid_model.py` writes and times
//! power-grid-model on: `beside_power_grid_model NETWORK PHASES WHAT RUNS [VOLTAGES]`.
//!
//! `WHAT` is `single`, `batch` or `memory`. Prints one line of JSON. Times are processor time in
//! seconds; reading the file is in none of them. Voltages are written node by node in the order of
//! the file, in per unit, for comparison.

#![expect(clippy::print_stdout, reason = "its result")]

use std::fs;

use lastmeter_grid::Complex64;
use lastmeter_grid::circuit::{Circuit, compile};
use lastmeter_grid::flow::{Batch, Method, Nodal, Options};
use lastmeter_grid::network::{
    Configuration, Connection, Line, LineImpedance, Load, LoadModel, Network, Node, NodeId, Place,
    SequenceImpedance, Source, Wires,
};
use lastmeter_grid::sweep::{Constant, Loads, Sweep};
use rustix::time::{ClockId, clock_gettime};

const VOLTS: f64 = 10_000.0;
const MOST_ITERATIONS: u32 = 60;

fn processor_s() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 + 1e-9 * now.tv_nsec as f64
}

/// The file, piece by piece.
struct Figures {
    bytes: std::io::BufReader<fs::File>,
}

impl Figures {
    fn take<const K: usize>(&mut self) -> [u8; K] {
        let mut bytes = [0; K];
        std::io::Read::read_exact(&mut self.bytes, &mut bytes).expect("a file of the script's");
        bytes
    }

    fn integer(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn figure(&mut self) -> f64 {
        f64::from_le_bytes(self.take())
    }

    fn complex(&mut self) -> Complex64 {
        let re = self.figure();
        Complex64::new(re, self.figure())
    }
}

fn read(path: &str) -> Network {
    let mut from =
        Figures { bytes: std::io::BufReader::new(fs::File::open(path).expect("a file")) };
    let [nodes, lines, loads] = [from.integer(), from.integer(), from.integer()];
    let mut network = Network::new("bench", 50.0);
    network.nodes.reserve_exact(nodes as usize);
    network.lines.reserve_exact(lines as usize);
    network.loads.reserve_exact(loads as usize);
    for node in 0..nodes {
        network.push_node(Node {
            name: node.to_string().into(),
            wires: Wires::ABC,
            rated_voltage_v: VOLTS,
            position: None,
            place: Place(0),
        });
    }
    network.sources.push(Source {
        name: "source".into(),
        node: NodeId(from.integer()),
        voltage_v: VOLTS,
        angle_rad: 0.0,
        z1_ohm: from.complex(),
        z0_ohm: from.complex(),
        connected: true,
        place: Place(0),
    });
    for line in 0..lines {
        let ends = [from.integer(), from.integer()];
        network.lines.push(Line {
            name: line.to_string().into(),
            from: Connection::abc(NodeId(ends[0])),
            to: Connection::abc(NodeId(ends[1])),
            from_closed: true,
            to_closed: true,
            impedance: LineImpedance::Sequence(SequenceImpedance {
                z1_ohm: from.complex(),
                z0_ohm: from.complex(),
                y1_s: Complex64::ZERO,
                y0_s: Complex64::ZERO,
            }),
            length_m: None,
            rated_current_a: None,
            place: Place(0),
        });
    }
    for load in 0..loads {
        let node = NodeId(from.integer());
        network.loads.push(Load {
            name: load.to_string().into(),
            connection: Connection::abc(node),
            configuration: Configuration::Star,
            power_va: [from.complex(), from.complex(), from.complex()],
            model: LoadModel::ConstantPower,
            rated_voltage_v: VOLTS / 3.0_f64.sqrt(),
            band: None,
            connected: true,
            generator: false,
            place: Place(0),
        });
    }
    network
}

/// Voltages in the order of the network's nodes, per unit.
fn by_node<const N: usize>(
    circuit: &Circuit<N>,
    voltages: impl Iterator<Item = [Complex64; N]>,
    node_of: &[u32],
    into: &mut [[Complex64; N]],
) {
    for ((voltage, &node), rated) in voltages.zip(node_of).zip(&circuit.rated_voltage_v) {
        let unit = 1.0 / *rated;
        into[node as usize] = voltage.map(|it| it * unit);
    }
}

/// Which of the network's nodes each of the circuit's is.
fn inverse_of<const N: usize>(circuit: &Circuit<N>) -> Vec<u32> {
    let mut nodes = vec![0; circuit.nodes()];
    for (node, &number) in circuit.node_of.iter().enumerate() {
        nodes[number as usize] = node as u32;
    }
    nodes
}

struct Arguments {
    network: String,
    what: String,
    runs: usize,
    voltages: Option<String>,
}

fn single<const N: usize>(arguments: &Arguments, tolerance_pu: f64) {
    let network = read(&arguments.network);
    let begin = processor_s();
    let circuit = compile::<N>(&network).expect("a good network").circuit;
    let compiled = processor_s();
    drop(network);
    let nodes = inverse_of(&circuit);
    let mut result = vec![[Complex64::ZERO; N]; circuit.nodes()];
    let mut figures: Vec<String> = Vec::new();
    let mut tell = |method: &str, set_up: f64, iterations: u32, times: &[f64]| {
        figures.push(format!(
            "\"{method}\": {{\"compile_s\": {}, \"prepare_s\": {set_up}, \"iterations\": \
             {iterations}, \"times_s\": {times:?}}}",
            compiled - begin
        ));
    };
    let begin = processor_s();
    if let Ok(sweep) = Sweep::new(&circuit, Constant::InMatrix) {
        let (loads, _) = Loads::<N, 1>::new(&circuit, &sweep);
        let set_up = processor_s() - begin;
        let mut times = Vec::new();
        let mut iterations = 0;
        let mut state = sweep.state();
        for _ in 0..arguments.runs {
            let begin = processor_s();
            state.restart();
            let outcome = sweep.solve(&loads, &mut state, tolerance_pu, MOST_ITERATIONS);
            by_node(&circuit, sweep.voltages(&state, 0), &nodes, &mut result);
            times.push(processor_s() - begin);
            assert!(outcome.converged, "{outcome:?}");
            iterations = outcome.iterations;
        }
        tell("sweep", set_up, iterations, &times);
    }
    if arguments.what != "memory" {
        let kept = result.clone();
        let begin = processor_s();
        let mut nodal = Nodal::new(&circuit).expect("a regular matrix");
        let set_up = processor_s() - begin;
        let options = Options {
            method: Method::CurrentInjection,
            tolerance_pu,
            most_iterations: MOST_ITERATIONS,
            ..Options::default()
        };
        let (mut times, mut iterations) = (Vec::new(), 0);
        for _ in 0..arguments.runs {
            let begin = processor_s();
            let start = nodal.without_load();
            let solved = nodal.solve(&circuit, start, &options);
            by_node(&circuit, solved.voltages.iter().copied(), &nodes, &mut result);
            times.push(processor_s() - begin);
            assert!(solved.converged);
            iterations = solved.iterations;
        }
        tell("nodal", set_up, iterations, &times);
        if kept[0][0] != Complex64::ZERO {
            let pairs = kept.iter().flatten().zip(result.iter().flatten());
            let apart = pairs.map(|(a, b)| (a - b).norm()).fold(0.0, f64::max);
            assert!(apart < 1e-7, "both methods differ by {apart} pu");
        }
    }
    write(arguments, &result);
    println!("{{{}, \"peak_kib\": {}}}", figures.join(", "), peak_kib());
}

fn write<const N: usize>(arguments: &Arguments, voltages: &[[Complex64; N]]) {
    if let Some(path) = &arguments.voltages {
        let figures = voltages.iter().flatten().flat_map(|it| [it.re, it.im]);
        let bytes: Vec<u8> = figures.flat_map(f64::to_le_bytes).collect();
        fs::write(path, bytes).expect("room for voltages");
    }
}

fn batch<const N: usize>(arguments: &Arguments, tolerance_pu: f64) {
    let network = read(&arguments.network);
    let options = Options { tolerance_pu, ..Options::default() };
    let begin = processor_s();
    let batch = Batch::<N>::new(&network, &options).expect("a good network");
    let set_up = processor_s() - begin;
    let nodes = inverse_of(batch.circuit());
    let powers = |case: usize, powers: &mut [[Complex64; 3]]| {
        for (at, (power, load)) in powers.iter_mut().zip(&network.loads).enumerate() {
            // The script computes the same.
            let factor = 0.8 + 0.4 * ((at * 7919 + case * 104_729) % 1000) as f64 / 1000.0;
            *power = load.power_va.map(|it| it * factor);
        }
    };
    let begin = processor_s();
    let results = batch.run(arguments.runs, 1, powers, |case| {
        assert!(case.outcome.is_some(), "case {} was not swept", case.index);
        let mut result = vec![[Complex64::ZERO; N]; nodes.len()];
        by_node(batch.circuit(), case.voltages.iter().copied(), &nodes, &mut result);
        result
    });
    let each = (processor_s() - begin) / arguments.runs as f64;
    let last = results.into_iter().next_back().expect("some case").expect("a solution");
    write(arguments, &last);
    println!("{{\"batch\": {{\"prepare_s\": {set_up}, \"each_s\": {each}}}}}");
}

/// The most memory this process had at once, KiB.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let (Some(network), Some(phases), Some(what), Some(runs)) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        println!("{{}}");
        return;
    };
    let runs = runs.parse().expect("a number of runs");
    let arguments = Arguments { network, what, runs, voltages: words.next() };
    match (phases.as_str(), arguments.what.as_str()) {
        ("1", "batch") => batch::<1>(&arguments, 1e-8),
        ("3", "batch") => batch::<3>(&arguments, 1e-8),
        ("1", _) => single::<1>(&arguments, 1e-8),
        _ => single::<3>(&arguments, 1e-8),
    }
}
