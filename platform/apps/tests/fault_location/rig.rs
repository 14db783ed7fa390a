//! Faults whose places are known: waveforms of a feeder that is played instant by instant, sampled
//! as a recorder does, and networks as an application may be given them.
//!
//! What is played shares no code with the search: it integrates the feeder with the trapezoidal
//! rule, from the power flow on, with the offsets and the oscillations that a fault brings.

use std::f64::consts::{SQRT_2, TAU};

use chacha20::ChaCha8Rng;
use lastmeter_apps::fault_location::Recording;
use lastmeter_grid::Complex64;
use lastmeter_grid::fault_search::{Candidate, Options, Station};
use lastmeter_grid::flow;
use lastmeter_grid::network::{
    Configuration, Connection, Line, LineImpedance, Load, LoadModel, Network, Node, NodeId, Place,
    SequenceImpedance, Source, Wire, Wires,
};
use lastmeter_grid::short_circuit::split;
use lastmeter_grid::transient::{self, Action, FaultKind, Loads, Transient};
use lastmeter_units::SimTime;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// Instants of the transient in one sample.
const STEPS: usize = 20;
const SAMPLES_BY_CYCLE: usize = 32;
const FREQUENCY_HZ: f64 = 50.0;

/// A kind of feeder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct FeederKind {
    pub(crate) name: &'static str,
    /// Positive and zero sequence, ohm by kilometre; capacitance, farad by kilometre.
    pub(crate) z1: [f64; 2],
    pub(crate) z0: [f64; 2],
    pub(crate) farad: f64,
    /// Volts between lines.
    pub(crate) rated_v: f64,
    pub(crate) source_ohm: [f64; 2],
    /// Metres of each section; sections of the main line, of the branch, and where that begins.
    pub(crate) section_m: f64,
    pub(crate) main: u32,
    pub(crate) branch: u32,
    pub(crate) fork: u32,
    /// Of each load, all phases together.
    pub(crate) load_va: [f64; 2],
    /// What 20 times of is the largest current that the recorder takes.
    pub(crate) rated_a: f64,
}

/// 20 kV, 10 km of overhead line and 4 km of branch, 14 loads.
pub(crate) const OVERHEAD: FeederKind = FeederKind {
    name: "overhead",
    z1: [0.30, 0.36],
    z0: [0.45, 1.50],
    farad: 9e-9,
    rated_v: 20e3,
    source_ohm: [0.2, 1.99],
    section_m: 1000.0,
    main: 10,
    branch: 4,
    fork: 4,
    load_va: [380e3, 125e3],
    rated_a: 300.0,
};

/// The same of cable.
pub(crate) const CABLE: FeederKind =
    FeederKind { name: "cable", z1: [0.206, 0.12], z0: [0.90, 0.60], farad: 254e-9, ..OVERHEAD };

/// 400 V, 500 m of cable behind a transformer of 400 kVA, 20 homes.
pub(crate) const LOW_VOLTAGE: FeederKind = FeederKind {
    name: "LV cable",
    z1: [0.208, 0.080],
    z0: [0.832, 0.320],
    farad: 261e-9,
    rated_v: 400.0,
    source_ohm: [0.0046, 0.0153],
    section_m: 25.0,
    main: 20,
    branch: 0,
    fork: 0,
    load_va: [3e3, 0.8e3],
    rated_a: 577.0,
};

/// A place: whether it is on the branch, and metres from the station.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TruePlace {
    pub(crate) on_branch: bool,
    pub(crate) distance_m: f64,
}

impl FeederKind {
    pub(crate) fn length_m(&self) -> f64 {
        f64::from(self.main) * self.section_m
    }

    /// The network without errors.
    pub(crate) fn network(&self) -> Network {
        let mut network = Network::new(self.name, FREQUENCY_HZ);
        for at in 0..=self.main + self.branch {
            network.push_node(Node {
                name: format!("n{at}").into(),
                wires: Wires::ABC,
                rated_voltage_v: self.rated_v,
                position: None,
                place: Place(0),
            });
        }
        let ohm = |z: [f64; 2]| Complex64::new(z[0], z[1]);
        network.sources.push(Source {
            name: "station".into(),
            node: NodeId(0),
            voltage_v: 1.02 * self.rated_v,
            angle_rad: 0.0,
            z1_ohm: ohm(self.source_ohm),
            z0_ohm: ohm(self.source_ohm),
            connected: true,
            place: Place(0),
        });
        for at in 1..=self.main + self.branch {
            let before = if at == self.main + 1 { self.fork } else { at - 1 };
            let kilometres = self.section_m / 1e3;
            let charging = Complex64::new(0.0, TAU * FREQUENCY_HZ * self.farad * kilometres);
            network.lines.push(Line {
                name: format!("l{at}").into(),
                from: Connection::abc(NodeId(before)),
                to: Connection::abc(NodeId(at)),
                from_closed: true,
                to_closed: true,
                impedance: LineImpedance::Sequence(SequenceImpedance {
                    z1_ohm: ohm(self.z1) * kilometres,
                    z0_ohm: ohm(self.z0) * kilometres,
                    y1_s: charging,
                    y0_s: charging * 0.6,
                }),
                length_m: Some(self.section_m),
                rated_current_a: None,
                place: Place(0),
            });
            network.loads.push(self.load(at));
        }
        network
    }

    /// Between the phases at medium voltage, as behind delta windings; of one phase after the other
    /// at low voltage.
    fn load(&self, at: u32) -> Load {
        let whole = Complex64::new(self.load_va[0], self.load_va[1]);
        let is_low_voltage = self.rated_v < 1e3;
        let mut power_va = [whole / 3.0; 3];
        let (mut configuration, mut rated_voltage_v) = (Configuration::Delta, self.rated_v);
        if is_low_voltage {
            power_va = [Complex64::ZERO; 3];
            power_va[at as usize % 3] = whole;
            (configuration, rated_voltage_v) = (Configuration::Star, self.rated_v / 3f64.sqrt());
        }
        Load {
            name: format!("d{at}").into(),
            connection: Connection::abc(NodeId(at)),
            configuration,
            power_va,
            model: LoadModel::ConstantPower,
            rated_voltage_v,
            band: None,
            connected: true,
            generator: false,
            place: Place(0),
        }
    }

    /// Where a candidate is.
    pub(crate) fn place(&self, candidate: &Candidate) -> TruePlace {
        TruePlace { on_branch: candidate.line >= self.main, distance_m: candidate.distance_m }
    }

    /// Metres along the lines between two places.
    pub(crate) fn apart_m(&self, one: TruePlace, other: TruePlace) -> f64 {
        let fork_m = f64::from(self.fork) * self.section_m;
        if one.on_branch == other.on_branch {
            return (one.distance_m - other.distance_m).abs();
        }
        let beyond =
            |it: TruePlace| it.distance_m - fork_m.min(one.distance_m).min(other.distance_m);
        beyond(one) + beyond(other)
    }
}

/// How a known network differs from the true one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Errors {
    /// Each load by up to this share.
    pub(crate) loads: f64,
    /// Each line's r and x by this standard deviation.
    pub(crate) lines: f64,
    /// All lines together by this share.
    pub(crate) all_lines: f64,
}

/// The network as an application is given it.
pub(crate) fn known(network: &Network, errors: Errors, draws: &mut ChaCha8Rng) -> Network {
    let mut known = network.clone();
    for load in &mut known.loads {
        let factor = 1.0 + errors.loads * draws.random_range(-1.0..1.0);
        load.power_va = load.power_va.map(|it| it * factor);
    }
    for line in &mut known.lines {
        let mut factor = || {
            let normal: f64 = StandardNormal.sample(draws);
            (1.0 + errors.all_lines) * (1.0 + errors.lines * normal)
        };
        let (r, x) = (factor(), factor());
        if let LineImpedance::Sequence(it) = &mut line.impedance {
            for z in [&mut it.z1_ohm, &mut it.z0_ohm] {
                *z = Complex64::new(z.re * r, z.im * x);
            }
        }
    }
    known
}

/// A fault.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TrueFault {
    pub(crate) place: TruePlace,
    pub(crate) kind: FaultKind,
    pub(crate) ohm: f64,
    /// Cycles of the recording before it and after it.
    pub(crate) cycles: [usize; 2],
}

/// The waveforms at the station, without a recorder's errors.
pub(crate) fn play(of: &FeederKind, fault: &TrueFault, draws: &mut ChaCha8Rng) -> Recording {
    let mut network = of.network();
    let fork_m = f64::from(of.fork) * of.section_m;
    let (first, metres) = if fault.place.on_branch {
        (of.main, fault.place.distance_m - fork_m)
    } else {
        (0, fault.place.distance_m)
    };
    let section = (metres / of.section_m).floor();
    let line = first as usize + section as usize;
    let node = split(&mut network, line, metres / of.section_m - section);
    let solved = flow::solve(&network, &flow::Options::default()).unwrap();
    let step_s = 1.0 / (FREQUENCY_HZ * (SAMPLES_BY_CYCLE * STEPS) as f64);
    let options = transient::Options { step_s, loads: Loads::AsFlow(&solved), saturations: &[] };
    let mut played = Transient::<3>::new(&network, &options).unwrap();
    let begin_s = (fault.cycles[0] as f64 + draws.random_range(0.0..1.0)) / FREQUENCY_HZ;
    let action = Action::Fault {
        id: 1,
        place: transient::Place(node),
        kind: fault.kind,
        resistance_ohm: fault.ohm,
    };
    played.schedule(begin_s, action).unwrap();
    let samples = (fault.cycles[0] + 1 + fault.cycles[1]) * SAMPLES_BY_CYCLE;
    let mut channels: [Vec<f64>; 6] = Default::default();
    let rate_hz = FREQUENCY_HZ * SAMPLES_BY_CYCLE as f64;
    for sample in 0..samples {
        let until_s = sample as f64 / rate_hz - 0.5 * step_s;
        while played.time_s() < until_s {
            played.advance().unwrap();
        }
        for (wire, k) in Wire::PHASES.into_iter().zip(0..) {
            channels[k].push(played.voltage_v(NodeId(0), wire));
            channels[3 + k].push(played.source_current_a(0, wire));
        }
    }
    Recording { first: SimTime(0), rate_hz, channels }
}

/// As a recorder takes it: noise of half a percent of each channel, 12 bits over 20 times the rated
/// current and twice the rated voltage.
pub(crate) fn recorded(of: &FeederKind, true_one: &Recording, draws: &mut ChaCha8Rng) -> Recording {
    let mut taken = true_one.clone();
    for (at, channel) in taken.channels.iter_mut().enumerate() {
        let rms = (channel.iter().map(|it| it * it).sum::<f64>() / channel.len() as f64).sqrt();
        let rated = if at < 3 { 2.0 * of.rated_v / 3f64.sqrt() } else { 20.0 * of.rated_a };
        let count = 2.0 * SQRT_2 * rated / 4096.0;
        for sample in channel.iter_mut() {
            let normal: f64 = StandardNormal.sample(draws);
            let noisy = *sample + 0.005 * rms * normal;
            *sample = (noisy / count).round().clamp(-2048.0, 2047.0) * count;
        }
    }
    taken
}

/// Draws of a name.
pub(crate) fn draws(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// What a fault connects.
pub(crate) fn kind_of(name: &str) -> FaultKind {
    let of = |wires: &[Wire]| wires.iter().copied().collect::<Wires>();
    match name {
        "AG" => FaultKind::Ground(of(&[Wire::A])),
        "BC" => FaultKind::Between(of(&[Wire::B, Wire::C])),
        "CAG" => FaultKind::Ground(of(&[Wire::C, Wire::A])),
        _ => FaultKind::Ground(Wires::ABC),
    }
}

/// The station of all these feeders.
pub(crate) const STATION: Station = Station::Source(0);

/// What the application is configured with for them.
pub(crate) fn options() -> Options {
    Options { load_spread: 0.2 / 3f64.sqrt(), ..Options::default() }
}
