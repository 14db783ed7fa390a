//! Times of this library for networks that `beside_power_grid_model.py` writes and times
//! power-grid-model on: `beside_power_grid_model NETWORK PHASES WHAT RUNS [VOLTAGES]`.
//!
//! `WHAT` is `single`, `batch`, `memory`, `faults` or `scale`. Prints one line of JSON. Times are
//! processor time in seconds; reading the file is in none of them. Voltages in per unit (of faults
//! the currents, amperes) are written node by node in the order of the file, for comparison.

#![expect(clippy::print_stdout, reason = "its result")]

use std::fs;

use lastmeter_grid::Complex64;
use lastmeter_grid::circuit::{Circuit, compile};
use lastmeter_grid::flow::{Batch, Method, Nodal, Options, Phases, solve_circuit};
use lastmeter_grid::network::{
    Configuration, Connection, Line, LineImpedance, Load, LoadModel, Network, Node, NodeId, Place,
    SequenceImpedance, Source, Wire, Wires,
};
use lastmeter_grid::short_circuit::{self, Kind};
use lastmeter_grid::sweep::{Constant, Loads, Sweep};
use rustix::time::{ClockId, clock_gettime};

const VOLTS: f64 = 10_000.0;
const MOST_ITERATIONS: u32 = 60;
const TOLERANCE_PU: f64 = 1e-8;
const LOWEST_PU: f64 = 0.945;

/// Memory that is used once and given back before a batch is timed: what the host of a virtual
/// machine takes to hand out fresh pages is neither side's.
const TOUCHED_BYTES_PER_NODE: usize = 30_000;

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
    network: Network,
    runs: usize,
    voltages: Option<String>,
}

fn options(tolerance_pu: f64) -> Options {
    Options { tolerance_pu, most_iterations: MOST_ITERATIONS, ..Options::default() }
}

/// From the description to the voltages of all nodes, then again with all that was prepared.
fn single<const N: usize>(arguments: &Arguments) {
    let network = &arguments.network;
    let options = options(TOLERANCE_PU);
    let mut result = vec![[Complex64::ZERO; N]; network.nodes.len()];
    let (mut first, mut compiling, mut last) = (Vec::new(), Vec::new(), None);
    // What was made before is there until the next is, as it is in the script.
    for _ in 0..arguments.runs {
        let begin = processor_s();
        let fixed = compile::<N>(network).expect("a good network");
        compiling.push(processor_s() - begin);
        let solved = solve_circuit(network, &fixed, &options).expect("a solution");
        for (result, &node) in result.iter_mut().zip(&fixed.circuit.node_of) {
            let unit = 1.0 / fixed.circuit.rated_voltage_v[node as usize];
            *result = solved.voltages[node as usize].map(|it| it * unit);
        }
        first.push(processor_s() - begin);
        last = Some((fixed, solved));
    }
    let Some((fixed, solved)) = last else { return };
    write(arguments, &result);
    let (circuit, nodes) = (&fixed.circuit, inverse_of(&fixed.circuit));
    let mut again = Vec::new();
    let mut time = |solve: &mut dyn FnMut(&mut [[Complex64; N]])| {
        for _ in 0..arguments.runs {
            let begin = processor_s();
            solve(&mut result);
            again.push(processor_s() - begin);
        }
    };
    if solved.method == Method::Sweep {
        let sweep = Sweep::new(circuit, Constant::InMatrix).expect("it was swept");
        let loads = Loads::<N, 1>::new(circuit, &sweep);
        let mut state = sweep.state();
        time(&mut |result| {
            state.restart();
            let outcome = sweep.solve(&loads, &mut state, TOLERANCE_PU, MOST_ITERATIONS);
            assert!(outcome.converged, "{outcome:?}");
            by_node(circuit, sweep.voltages(&state, 0), &nodes, result);
        });
    } else {
        let mut nodal = Nodal::new(circuit).expect("a regular matrix");
        time(&mut |result| {
            let start = nodal.without_load();
            let solved = nodal.solve(circuit, start, &options);
            assert!(solved.converged, "{} iterations", solved.iterations);
            by_node(circuit, solved.voltages.iter().copied(), &nodes, result);
        });
    }
    println!(
        "{{\"method\": \"{:?}\", \"iterations\": {}, \"compile_s\": {compiling:?}, \"first_s\": \
         {first:?}, \"again_s\": {again:?}}}",
        solved.method, solved.iterations
    );
}

/// Once, with everything kept until the end: the network, the circuit and the solution.
fn memory<const N: usize>(arguments: &Arguments) {
    let described_kib = peak_kib();
    let network = &arguments.network;
    let fixed = compile::<N>(network).expect("a good network");
    let solved = solve_circuit(network, &fixed, &options(TOLERANCE_PU)).expect("a solution");
    let nodes = inverse_of(&fixed.circuit);
    let mut result = vec![[Complex64::ZERO; N]; nodes.len()];
    by_node(&fixed.circuit, solved.voltages.iter().copied(), &nodes, &mut result);
    let peak_kib = peak_kib();
    write(arguments, &result);
    println!("{{\"described_kib\": {described_kib}, \"peak_kib\": {peak_kib}}}");
}

/// By how much loads are to be multiplied for the lowest voltage to be 0.945 pu. Begins with loads
/// so low that there is a solution, and never asks why there is none, which takes long in large
/// meshes.
fn scale<const N: usize>(arguments: &mut Arguments) {
    let (mut all, mut by) = (1.0, 1e-3);
    for _ in 0..20 {
        all *= by;
        for power in arguments.network.loads.iter_mut().flat_map(|load| &mut load.power_va) {
            *power *= by;
        }
        let circuit = compile::<N>(&arguments.network).expect("a good network").circuit;
        let lowest = lowest_pu(&circuit);
        by = lowest.map_or(0.3, |lowest| ((1.0 - LOWEST_PU) / (1.0 - lowest)).min(100.0));
        if lowest.is_some_and(|lowest| (lowest - LOWEST_PU).abs() < 0.005) {
            break;
        }
    }
    println!("{{\"factor\": {all}}}");
}

fn lowest_pu<const N: usize>(circuit: &Circuit<N>) -> Option<f64> {
    let voltages = if let Ok(sweep) = Sweep::new(circuit, Constant::InMatrix) {
        let loads = Loads::<N, 1>::new(circuit, &sweep);
        let mut state = sweep.state();
        let solved = sweep.solve(&loads, &mut state, 1e-6, MOST_ITERATIONS);
        solved.converged.then(|| sweep.into_voltages(state))
    } else {
        let mut nodal = Nodal::new(circuit).expect("a regular matrix");
        let start = nodal.without_load();
        let solved = nodal.solve(circuit, start, &options(1e-6));
        solved.converged.then_some(solved.voltages)
    };
    let shares = voltages?
        .into_iter()
        .zip(&circuit.rated_voltage_v)
        .flat_map(|(it, rated)| it.map(|it| it.norm() / rated))
        .fold(2.0, f64::min);
    Some(shares)
}

fn write<const N: usize>(arguments: &Arguments, figures: &[[Complex64; N]]) {
    if let Some(path) = &arguments.voltages {
        let figures = figures.iter().flatten().flat_map(|it| [it.re, it.im]);
        let bytes: Vec<u8> = figures.flat_map(f64::to_le_bytes).collect();
        fs::write(path, bytes).expect("room for voltages");
    }
}

fn batch<const N: usize>(arguments: &Arguments) {
    let network = &arguments.network;
    let cases = arguments.runs;
    // Powers are there before the clock begins, as they are for power-grid-model.
    let powers: Vec<Vec<[Complex64; 3]>> = (0..cases)
        .map(|case| {
            // The script computes the same.
            let factor =
                |at: usize| 0.8 + 0.4 * ((at * 7919 + case * 104_729) % 1000) as f64 / 1000.0;
            let loads = network.loads.iter().enumerate();
            loads.map(|(at, load)| load.power_va.map(|it| it * factor(at))).collect()
        })
        .collect();
    // As the script does before power-grid-model's clock begins.
    drop(std::hint::black_box(vec![1_u8; TOUCHED_BYTES_PER_NODE * network.nodes.len()]));
    let begin = processor_s();
    let batch = Batch::<N>::new(network, &options(TOLERANCE_PU)).expect("a good network");
    let circuit = batch.circuit();
    let set_up = processor_s() - begin;
    let results = batch.run(
        cases,
        1,
        |case, load| powers[case][load],
        |case| {
            let numbers = circuit.node_of.iter().map(|&number| number as usize);
            let per_unit = |number: usize| {
                let unit = 1.0 / circuit.rated_voltage_v[number];
                case.voltages[number].map(|it| it * unit)
            };
            (case.outcome.is_some(), numbers.map(per_unit).collect::<Vec<_>>())
        },
    );
    let each = (processor_s() - begin) / cases as f64;
    let swept = results.iter().filter(|it| matches!(it, Ok((true, _)))).count();
    let (_, last) = results.into_iter().next_back().expect("some case").expect("a solution");
    write(arguments, &last);
    println!("{{\"prepare_s\": {set_up}, \"each_s\": {each}, \"swept\": {swept}}}");
}

/// A fault at every node, one at a time: of three phases, or from one phase to earth.
fn faults(arguments: &Arguments, phases: &str) {
    let (kind, phases) = if phases == "1" {
        (Kind::ThreePhase, Phases::Balanced)
    } else {
        (Kind::SinglePhaseToGround(Wire::A), Phases::All)
    };
    let options = short_circuit::Options { phases, ..short_circuit::Options::default() };
    let (mut times, mut currents) = (Vec::new(), Vec::new());
    for _ in 0..arguments.runs {
        let begin = processor_s();
        let swept = short_circuit::sweep(&arguments.network, &[kind], Complex64::ZERO, &options)
            .expect("faults that can be");
        let nodes = (0..arguments.network.nodes.len() as u32).map(NodeId);
        let current = |node| swept.fault(node, 0).expect("a current").current_a[0];
        currents = nodes.map(|node| [current(node)]).collect();
        times.push(processor_s() - begin);
    }
    write(arguments, &currents);
    println!("{{\"times_s\": {times:?}}}");
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
    let mut arguments = Arguments { network: read(&network), runs, voltages: words.next() };
    match (phases.as_str(), what.as_str()) {
        ("1", "batch") => batch::<1>(&arguments),
        ("3", "batch") => batch::<3>(&arguments),
        ("1", "memory") => memory::<1>(&arguments),
        ("3", "memory") => memory::<3>(&arguments),
        ("1", "scale") => scale::<1>(&mut arguments),
        ("3", "scale") => scale::<3>(&mut arguments),
        (phases, "faults") => faults(&arguments, phases),
        ("1", _) => single::<1>(&arguments),
        _ => single::<3>(&arguments),
    }
}
