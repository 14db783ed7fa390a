//! What a step of a transient costs:
//! `cargo bench -p lastmeter-grid --bench transient [NETWORK.dss]`.
//!
//! Chains of sections of R and L with a resistance at their end, as
//! `transient_beside_dpsim.py` makes them for `DPsim`, and a network of a file, if one is named,
//! with six channels taken at each step. Processor time, the median of five. Prints one line of
//! JSON.

#![expect(clippy::print_stdout, reason = "its result")]

use lastmeter_grid::Complex64;
use lastmeter_grid::network::{
    Configuration, Connection, Line, LineImpedance, Load, LoadModel, Network, Node, NodeId,
    Place as Read, SequenceImpedance, Source, Wire, Wires,
};
use lastmeter_grid::transient::{Action, FaultKind, Loads, Options, Place, Transient};
use rustix::time::{ClockId, clock_gettime};

const STEP_S: f64 = 50e-6;
const STEPS: usize = 4000;
const RUNS: usize = 5;
const EVENTS: u32 = 60;
const TRIES: usize = 9;
const WARM: u32 = 20;

fn processor_s() -> f64 {
    now_s(ClockId::ProcessCPUTime)
}

fn now_s(clock: ClockId) -> f64 {
    let now = clock_gettime(clock);
    now.tv_sec as f64 + 1e-9 * now.tv_nsec as f64
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn chain(nodes: usize) -> Network {
    let mut network = Network::new("chain", 50.0);
    let z = Complex64::new(0.05, std::f64::consts::TAU * 50.0 * 1e-3);
    for node in 0..nodes {
        network.push_node(Node {
            name: format!("n{node}").into(),
            wires: Wires::ABC,
            rated_voltage_v: 400.0,
            position: None,
            place: Read(0),
        });
        if node == 0 {
            continue;
        }
        network.lines.push(Line {
            name: format!("l{node}").into(),
            from: Connection::abc(NodeId(node as u32 - 1)),
            to: Connection::abc(NodeId(node as u32)),
            from_closed: true,
            to_closed: true,
            impedance: LineImpedance::Sequence(SequenceImpedance {
                z1_ohm: z,
                z0_ohm: z,
                y1_s: Complex64::ZERO,
                y0_s: Complex64::ZERO,
            }),
            length_m: None,
            rated_current_a: None,
            place: Read(0),
        });
    }
    network.sources.push(Source {
        name: "source".into(),
        node: NodeId(0),
        voltage_v: 400.0,
        angle_rad: 0.0,
        z1_ohm: Complex64::ZERO,
        z0_ohm: Complex64::ZERO,
        connected: true,
        place: Read(0),
    });
    network.loads.push(Load {
        name: "load".into(),
        connection: Connection::abc(NodeId(nodes as u32 - 1)),
        configuration: Configuration::Star,
        power_va: [Complex64::new(8000.0 / 3.0, 0.0); 3],
        model: LoadModel::ConstantImpedance,
        rated_voltage_v: 400.0 / 3.0_f64.sqrt(),
        band: None,
        connected: true,
        generator: false,
        place: Read(0),
    });
    network
}

/// Microseconds of a plain step.
fn step_us(begun: &Transient<3>, last: NodeId) -> f64 {
    let (mut steps, mut taken) = (Vec::new(), 0.0);
    for _ in 0..RUNS {
        let mut transient = begun.clone();
        let from = processor_s();
        for _ in 0..STEPS {
            transient.advance().expect("a step");
            for wire in Wire::PHASES {
                taken += transient.voltage_v(last, wire) + transient.source_current_a(0, wire);
            }
        }
        steps.push((processor_s() - from) / STEPS as f64 * 1e6);
    }
    assert!(taken.is_finite());
    median(steps)
}

/// Of each switching what it takes, as a multiple of the steps just before it, and by how many
/// steps it moves time on.
type Costs = Vec<(f64, f64)>;

/// At the beginning of a step, within one, and at the zero of a current.
struct Switchings {
    at_once: Costs,
    within: Costs,
    at_zero: Costs,
    /// Steps in which a zero is waited for.
    waiting: Costs,
}

/// How long an advance takes in microseconds. By the clock, which does not leave the program to be
/// read, so that what is in its caches stays there; what others take is left out by medians.
fn advance_us(transient: &mut Transient<3>) -> f64 {
    let from = now_s(ClockId::Monotonic);
    transient.advance().expect("a step");
    (now_s(ClockId::Monotonic) - from) * 1e6
}

/// Faults of one, two and three phases at nodes all over a network, each at several instants of a
/// step; of each the median of some runs.
fn switchings(begun: &Transient<3>, nodes: u32) -> Switchings {
    let (at_once, within, at_zero, waiting) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut all = Switchings { at_once, within, at_zero, waiting };
    let middle = |runs: &[(f64, f64)]| {
        (median(runs.iter().map(|it| it.0).collect()), median(runs.iter().map(|it| it.1).collect()))
    };
    for event in 0..EVENTS {
        // Golden sections of the nodes and of a step.
        let node = NodeId(((f64::from(event) * 0.618_034).fract() * f64::from(nodes)) as u32);
        let share = (f64::from(event) * 0.754_877 + 0.1).fract();
        let phases = Wire::PHASES.iter().take(event as usize % 3 + 1);
        let kind = FaultKind::Ground(phases.fold(Wires::NONE, |all, wire| all.with(*wire)));
        let fault = Action::Fault { id: 1, place: Place(node), kind, resistance_ohm: 0.01 };
        let mut runs: [Vec<(f64, f64)>; 4] = Default::default();
        for _ in 0..TRIES {
            for (at, share) in [(0, 0.0), (1, share)] {
                let mut transient = begun.clone();
                // A first one makes room for others.
                transient.schedule(0.0, fault).expect("a place");
                transient.advance().expect("a fault");
                transient.schedule(0.0, Action::Clear { id: 1, at_zero: false }).expect("a fault");
                for _ in 0..WARM {
                    transient.advance().expect("a step");
                }
                let step_us = median((0..WARM).map(|_| advance_us(&mut transient)).collect());
                let (at_s, factored) = (transient.time_s(), transient.factored());
                transient.schedule(at_s + share * STEP_S, fault).expect("a place");
                let us = advance_us(&mut transient);
                assert_eq!(transient.factored(), factored + 1, "it switches");
                runs[at].push((us / step_us, (transient.time_s() - at_s) / STEP_S));
                let clear = Action::Clear { id: 1, at_zero: true };
                transient.schedule(transient.time_s(), clear).expect("a fault");
                transient.advance().expect("the order");
                while transient.is_waiting() {
                    let (at_s, factored) = (transient.time_s(), transient.factored());
                    let us = advance_us(&mut transient);
                    let steps = (transient.time_s() - at_s) / STEP_S;
                    let has_switched = transient.factored() > factored;
                    runs[if has_switched { 2 } else { 3 }].push((us / step_us, steps));
                }
            }
        }
        let lists = [&mut all.at_once, &mut all.within, &mut all.at_zero, &mut all.waiting];
        for (list, runs) in lists.into_iter().zip(&runs).filter(|(_, runs)| !runs.is_empty()) {
            list.push(middle(runs));
        }
    }
    all
}

/// The median and the worst of what switchings cost: in steps more than the same time without them,
/// and altogether.
fn median_and_worst(costs: &Costs) -> String {
    let of = |cost: &dyn Fn(&(f64, f64)) -> f64| {
        let all: Vec<f64> = costs.iter().map(cost).collect();
        let worst = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("[{:.2}, {worst:.2}]", median(all))
    };
    let (more, whole) = (of(&|(whole, steps)| whole - steps), of(&|(whole, _)| *whole));
    format!("{{\"more_steps\": {more}, \"whole_steps\": {whole}}}")
}

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    let mut rows: Vec<String> = Vec::new();
    let mut row = |name: &str, network: &Network| {
        let options = Options { step_s: STEP_S, loads: Loads::Rated, saturations: &[] };
        let begun = Transient::<3>::new(network, &options).expect("a network that can be played");
        let nodes = network.nodes.len() as u32;
        let step_us = step_us(&begun, NodeId(nodes - 1));
        let all = switchings(&begun, nodes);
        rows.push(format!(
            "{{\"network\": \"{name}\", \"nodes\": {nodes}, \"step_us\": {step_us:.3}, \
             \"at_once\": {}, \"within\": {}, \"at_zero\": {}, \"waiting\": {}}}",
            median_and_worst(&all.at_once),
            median_and_worst(&all.within),
            median_and_worst(&all.at_zero),
            median_and_worst(&all.waiting),
        ));
    };
    for nodes in [5, 20, 50, 99] {
        row(&format!("chain {nodes}"), &chain(nodes));
    }
    for path in &arguments {
        let path = std::path::Path::new(path);
        let folder = path.parent().unwrap_or(std::path::Path::new("."));
        let text = std::fs::read_to_string(path).expect("a script");
        let mut open = |name: &str| {
            let found = std::fs::read_to_string(folder.join(name));
            found.map_err(|why| format!("{name}: {why}"))
        };
        let document = lastmeter_grid::format::dss::read("network", &text, &mut open);
        let mut network = document.map_err(|why| why.to_string()).expect("a network").network;
        network.regulators.clear();
        row("file", &network);
    }
    println!("[{}]", rows.join(", "));
}
