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

fn processor_s() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
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

/// Microseconds of a step, and of a switching.
fn timed(network: &Network) -> [f64; 2] {
    let options = Options { step_s: STEP_S, loads: Loads::Rated, saturations: &[] };
    let begun = Transient::<3>::new(network, &options).expect("a network that can be played");
    let last = network.nodes.len() as u32 - 1;
    let fault = |id| Action::Fault {
        id,
        place: Place(NodeId(last / 2)),
        kind: FaultKind::Ground(Wires::NONE.with(Wire::A)),
        resistance_ohm: 1.0,
    };
    let (mut steps, mut switchings) = (Vec::new(), Vec::new());
    let mut taken = 0.0;
    for _ in 0..RUNS {
        let mut transient = begun.clone();
        let from = processor_s();
        for _ in 0..STEPS {
            transient.advance().expect("a step");
            for wire in Wire::PHASES {
                taken +=
                    transient.voltage_v(NodeId(last), wire) + transient.source_current_a(0, wire);
            }
        }
        steps.push((processor_s() - from) / STEPS as f64 * 1e6);
        let mut each = Vec::new();
        for id in 0..50 {
            transient.schedule(0.0, fault(id)).expect("a place");
            let from = processor_s();
            transient.advance().expect("a fault");
            each.push((processor_s() - from) * 1e6);
            transient.schedule(0.0, Action::Clear { id, at_zero: false }).expect("a fault");
            transient.advance().expect("its end");
        }
        switchings.push(median(each));
    }
    assert!(taken.is_finite());
    [median(steps), median(switchings)]
}

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    let mut rows: Vec<String> = Vec::new();
    let mut row = |name: &str, network: &Network| {
        let [step_us, switching_us] = timed(network);
        rows.push(format!(
            "{{\"network\": \"{name}\", \"nodes\": {}, \"step_us\": {step_us:.3}, \
             \"switching_us\": {switching_us:.3}}}",
            network.nodes.len()
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
