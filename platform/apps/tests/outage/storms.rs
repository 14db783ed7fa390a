//! Storms for outage detection: networks, faults on them, who is in the dark by them, and what of
//! that meters send. Shared by the tests, the benchmark and the example that writes them down.
//!
//! Who is in the dark is found here by walking the network from its source for each phase, without
//! anything of the detector.

#![allow(
    missing_docs,
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "tests and the example each use a part of it"
)]

use lastmeter_apps::outage::areas::Areas;
use lastmeter_apps::outage::{Detector, Meter, Parameters, Report, Sign};
use lastmeter_grid::Network;
use lastmeter_grid::network::{Wire, Wires};
use lastmeter_units::{HardwareId, SimDuration, SimTime};

/// Seconds.
pub const PERIOD_S: f64 = 900.0;
/// How long a reading may be late before it counts as missing, seconds.
pub const GRACE_S: f64 = 60.0;
/// Gasps come within this time of the fault, seconds.
pub const GASP_S: f64 = 8.0;

/// Random numbers: splitmix64 (Steele, Lea and Flood, Fast splittable pseudorandom number
/// generators, 2014).
#[derive(Clone, Debug)]
pub struct Draws(pub u64);

impl Draws {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly from 0 to 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Evenly between two numbers.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Evenly below a number.
    pub fn below(&mut self, count: usize) -> usize {
        (self.bits() % count as u64) as usize
    }

    /// Whether something of a probability happens.
    pub fn is(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }
}

/// An instant, seconds after the beginning of 2027.
pub fn at(seconds: f64) -> SimTime {
    SimTime(1_798_761_600_000_000_000) + SimDuration::from_seconds_f64(seconds)
}

/// A branch of the network that can be out: a line, a switch, a transformer.
#[derive(Clone, Debug)]
pub struct Branch {
    /// `line`, `switch` or `transformer`.
    pub kind: &'static str,
    pub name: String,
    pub from: u32,
    pub to: u32,
    /// Whether phases are others behind it.
    pub is_transformer: bool,
    pub phases: Wires,
}

/// The closed branches of a network.
pub fn branches(network: &Network) -> Vec<Branch> {
    let branch = |kind, name: &str, ends: (u32, u32), phases| Branch {
        kind,
        name: name.to_owned(),
        from: ends.0,
        to: ends.1,
        is_transformer: kind == "transformer",
        phases,
    };
    let lines =
        network.lines.iter().filter(|it| it.from_closed && it.to_closed).map(|it| {
            branch("line", &it.name, (it.from.node.0, it.to.node.0), it.from.wires.set())
        });
    let switches =
        network.switches.iter().filter(|it| it.closed).map(|it| {
            branch("switch", &it.name, (it.from.node.0, it.to.node.0), it.from.wires.set())
        });
    let transformers = network.transformers.iter().map(|it| {
        let [from, to] = [0, 1].map(|at| it.windings[at].connection.node.0);
        branch("transformer", &it.name, (from, to), Wires::ABC)
    });
    lines.chain(switches).chain(transformers).collect()
}

/// Something that is out from an instant to another.
#[derive(Clone, Debug)]
pub struct Fault {
    /// A place in the list of branches; of a service a load, counted on behind them.
    pub place: usize,
    pub phases: Wires,
    /// Seconds.
    pub from: f64,
    pub until: f64,
}

/// Of each load whether it is in the dark: all of its phases are cut off.
pub fn dark(network: &Network, branches: &[Branch], faults: &[&Fault]) -> Vec<bool> {
    let mut lit = vec![Wires::NONE; network.nodes.len()];
    for phase in Wire::PHASES {
        let is_out = |place: usize| {
            faults.iter().any(|fault| fault.place == place && fault.phases.contains(phase))
        };
        let mut beside = vec![Vec::new(); network.nodes.len()];
        for (place, branch) in branches.iter().enumerate() {
            if branch.phases.contains(phase) && !is_out(place) {
                beside[branch.from as usize].push(branch.to);
                beside[branch.to as usize].push(branch.from);
            }
        }
        let mut open: Vec<u32> = network.sources.iter().map(|source| source.node.0).collect();
        while let Some(node) = open.pop() {
            if !lit[node as usize].contains(phase) {
                lit[node as usize] = lit[node as usize].with(phase);
                open.extend(&beside[node as usize]);
            }
        }
    }
    let is_dark = |(at, load): (usize, &lastmeter_grid::network::Load)| {
        let has = lit[load.connection.node.index()];
        let place = branches.len() + at;
        let own = load.connection.wires.set().common(Wires::ABC);
        faults.iter().any(|fault| fault.place == place) || has.common(own).is_empty()
    };
    network.loads.iter().enumerate().map(is_dark).collect()
}

/// Reads a network as people write it.
pub fn read(text: &str) -> Network {
    lastmeter_grid::format::toml::read("network.toml", text).expect("a network")
}

/// A low-voltage network of the tree kind: `transformers` of them on a medium-voltage cable, with
/// `meters` altogether on cables that branch at random.
pub fn random_network(draws: &mut Draws, transformers: usize, meters: usize) -> Network {
    use std::fmt::Write as _;
    let mut text = String::from(
        "format = 1\nname = \"random\"\nfrequency = \"50 Hz\"\nvoltage = \"400 V\"\n\
         [[code]]\nname = \"c\"\nr1 = \"0.2 ohm/km\"\nx1 = \"0.1 ohm/km\"\nr0 = \"0.8 ohm/km\"\n\
         x0 = \"0.3 ohm/km\"\n[[source]]\nname = \"grid\"\nnode = \"m0\"\n\
         short_circuit_power = \"200 MVA\"\n[[node]]\nname = \"m0\"\nvoltage = \"10 kV\"\n",
    );
    let line = |text: &mut String, name: &str, from: &str| {
        let _ = write!(
            text,
            "[[line]]\nname = \"l-{name}\"\nfrom = \"{from}\"\nto = \"{name}\"\ncode = \"c\"\n\
             length = \"40 m\"\n"
        );
    };
    for t in 0..transformers {
        let _ = write!(text, "[[node]]\nname = \"m{}\"\nvoltage = \"10 kV\"\n", t + 1);
        line(&mut text, &format!("m{}", t + 1), &format!("m{t}"));
        let _ = write!(
            text,
            "[[node]]\nname = \"b{t}\"\n[[transformer]]\nname = \"T{t}\"\nfrom = \"m{}\"\n\
             to = \"b{t}\"\ngroup = \"Dyn5\"\nvoltages = [\"10 kV\", \"400 V\"]\n\
             power = \"400 kVA\"\nuk = \"4 %\"\ncopper_loss = \"4600 W\"\n\
             no_load_loss = \"430 W\"\nno_load_current = \"0.8 %\"\n",
            t + 1
        );
    }
    let mut ends: Vec<Vec<String>> = (0..transformers).map(|t| vec![format!("b{t}")]).collect();
    for meter in 0..meters {
        let of = &mut ends[meter % transformers];
        // Mostly on from where the network grew last, so that it has both depth and branches.
        let back = if draws.is(0.7) { draws.below(3) } else { draws.below(of.len()) };
        let from = of[of.len() - 1 - back.min(of.len() - 1)].clone();
        let name = format!("n{meter}");
        let _ = write!(text, "[[node]]\nname = \"{name}\"\n");
        line(&mut text, &name, &from);
        let wires = ["a", "b", "c", "abc"][draws.below(4)];
        let _ = write!(
            text,
            "[[load]]\nname = \"h{meter}\"\nnode = \"{name}\"\nwires = \"{wires}\"\n\
             p = \"0.6 kW\"\npower_factor = 0.97\n"
        );
        of.push(name);
    }
    read(&text)
}

const FEEDER: &str = include_str!("../../../../scenarios/grids/lv-feeder-55.toml");

/// The storm of a number, over a feeder of 55 households or a network that is drawn.
pub fn storm(seed: u64) -> Storm {
    let mut draws = Draws(seed);
    let network = match seed % 5 {
        0 | 1 => read(FEEDER),
        2 => random_network(&mut draws, 1, 60),
        3 => random_network(&mut draws, 2, 150),
        _ => random_network(&mut draws, 4, 400),
    };
    Storm::new(&mut draws, network, &HABITS)
}

/// A storm: what came of each meter, and who was in the dark when.
#[derive(Clone, Debug)]
pub struct Storm {
    pub network: Network,
    pub branches: Vec<Branch>,
    pub meters: Vec<Meter>,
    pub faults: Vec<Fault>,
    /// When, which meter, what, and the date by its clock; by time.
    pub signs: Vec<(SimTime, usize, Sign, SimTime)>,
    /// Seconds at which it is over.
    pub end: f64,
}

/// What meters send, and how much of it is wrong.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    pub gasp_lost: f64,
    /// Of each lit meter in each event.
    pub false_gasp: f64,
    pub power_up_lost: f64,
    pub reading_lost: f64,
    pub unequipped: f64,
    /// How many have a clock that is wrong by up to two hours.
    pub skewed: f64,
    pub doubled: f64,
    /// How many gasps come after the window.
    pub late: f64,
}

pub const HABITS: Habits = Habits {
    gasp_lost: 0.1,
    false_gasp: 0.01,
    power_up_lost: 0.1,
    reading_lost: 0.01,
    unequipped: 0.05,
    skewed: 0.05,
    doubled: 0.03,
    late: 0.01,
};

impl Storm {
    /// Faults at random places of a network: some at the same time, some on top of others.
    pub fn new(draws: &mut Draws, network: Network, habits: &Habits) -> Self {
        let branches = branches(&network);
        let mut faults = Vec::new();
        let mut from = draws.between(1000.0, 1900.0);
        for _ in 0..=draws.below(3) {
            faults.push(fault(draws, &network, &branches, from));
            from +=
                if draws.is(0.3) { draws.between(0.0, 4.0) } else { draws.between(90.0, 1500.0) };
        }
        Self::of(draws, network, faults, habits)
    }

    /// What meters send when some faults happen.
    pub fn of(draws: &mut Draws, network: Network, faults: Vec<Fault>, habits: &Habits) -> Self {
        let branches = branches(&network);
        let meter = |(at, load): (usize, &lastmeter_grid::network::Load)| Meter {
            id: HardwareId::new(format!("meter-{at:05}")).expect("an id"),
            load: load.name.to_string(),
            is_equipped: !draws.is(habits.unequipped),
        };
        let meters: Vec<Meter> = network.loads.iter().enumerate().map(meter).collect();
        let end = faults.iter().map(|it| it.until).fold(0.0, f64::max) + 2.0 * PERIOD_S;
        let mut storm = Self { network, branches, meters, faults, signs: Vec::new(), end };
        let mut changes: Vec<f64> =
            storm.faults.iter().flat_map(|fault| [fault.from, fault.until]).collect();
        changes.sort_by(f64::total_cmp);
        let dark: Vec<Vec<bool>> = changes.iter().map(|&at| storm.dark_at(at)).collect();
        for meter in 0..storm.meters.len() {
            let of_meter: Vec<(f64, bool)> =
                changes.iter().zip(&dark).map(|(&at, dark)| (at, dark[meter])).collect();
            storm.sends(draws, meter, &of_meter, habits);
        }
        storm.signs.sort_by_key(|&(at, meter, ..)| (at, meter));
        storm
    }

    /// Of each meter whether it is in the dark just after an instant, seconds.
    pub fn dark_at(&self, seconds: f64) -> Vec<bool> {
        let faults: Vec<&Fault> =
            self.faults.iter().filter(|it| it.from <= seconds && seconds < it.until).collect();
        dark(&self.network, &self.branches, &faults)
    }

    fn sends(&mut self, draws: &mut Draws, meter: usize, dark: &[(f64, bool)], habits: &Habits) {
        let skew = if draws.is(habits.skewed) { draws.between(-7200.0, 7200.0) } else { 0.0 };
        let mut push = |seconds: f64, sign, date: f64| {
            self.signs.push((at(seconds), meter, sign, at(date + skew)));
        };
        let mut was_dark = false;
        for &(changed, is_dark) in dark {
            if is_dark && !was_dark && self.meters[meter].is_equipped {
                let is_late = draws.is(habits.late);
                let delay =
                    if is_late { draws.between(40.0, 120.0) } else { draws.between(0.1, GASP_S) };
                if !draws.is(habits.gasp_lost) {
                    push(changed + delay, Sign::Gasp(None), changed);
                    if draws.is(habits.doubled) {
                        push(changed + delay + 1.0, Sign::Gasp(None), changed);
                    }
                }
            } else if was_dark && !is_dark && !draws.is(habits.power_up_lost) {
                let boots = changed + draws.between(5.0, 20.0);
                push(boots, Sign::PowerUp, boots);
            }
            was_dark = is_dark;
        }
        for fault in &self.faults {
            let false_at = fault.from + draws.between(0.0, 30.0);
            let is_dark = dark.iter().rev().find(|it| it.0 <= false_at).is_some_and(|it| it.1);
            let is_equipped = self.meters[meter].is_equipped;
            if draws.is(habits.false_gasp) && is_equipped && !is_dark {
                push(false_at, Sign::Gasp(None), false_at);
            }
        }
        let mut due = draws.between(0.0, PERIOD_S);
        while due < self.end {
            let is_dark = |at: f64| dark.iter().rev().find(|it| it.0 <= at).is_some_and(|it| it.1);
            let is_working = !is_dark(due) && !is_dark(due - 20.0);
            if is_working && !draws.is(habits.reading_lost) {
                push(due + 0.2, Sign::Reading, due);
            } else {
                push(due + GRACE_S, Sign::Missing, due + GRACE_S);
            }
            due += PERIOD_S;
        }
    }

    /// The detector's reports, each with when it came.
    pub fn run(&self) -> Vec<(SimTime, Report)> {
        let areas = Areas::new(&self.network);
        let mut detector = Detector::new(areas, self.meters.clone(), Parameters::default());
        let mut reports = Vec::new();
        for &(now, meter, sign, date) in &self.signs {
            advance(&mut detector, now, &mut reports);
            detector.take(now, meter, sign, date);
            reports.extend(detector.advance(now).into_iter().map(|report| (now, report)));
        }
        advance(&mut detector, at(self.end + PERIOD_S), &mut reports);
        reports
    }
}

/// Moves a detector on to an instant.
pub fn advance(detector: &mut Detector, to: SimTime, reports: &mut Vec<(SimTime, Report)>) {
    while let Some(wake) = detector.wake_at().filter(|&wake| wake <= to) {
        reports.extend(detector.advance(wake).into_iter().map(|report| (wake, report)));
    }
}

/// A fault somewhere: in three of four cases what protects a part of the network cuts it off.
fn fault(draws: &mut Draws, network: &Network, branches: &[Branch], from: f64) -> Fault {
    let mut place = draws.below(branches.len());
    let cut = |place: usize| {
        let out = Fault { place, phases: Wires::ABC, from, until: from + 1.0 };
        dark(network, branches, &[&out]).iter().filter(|it| **it).count()
    };
    if draws.is(0.75) {
        let mut count = cut(place);
        while count < 5 {
            // Branches point away from the source in all networks here.
            let upstream = branches.iter().position(|it| it.to == branches[place].from);
            let Some(upstream) = upstream else { break };
            place = upstream;
            count = cut(place);
        }
    }
    let is_partial = draws.is(0.15);
    let is_low = branches[place].kind == "line" && !is_above_transformers(branches, place);
    let one = Wires::NONE.with(Wire::PHASES[draws.below(3)]);
    let phases = if is_partial && is_low { one } else { Wires::ABC };
    Fault { place, phases, from, until: from + draws.between(1300.0, 3600.0) }
}

fn is_above_transformers(branches: &[Branch], place: usize) -> bool {
    let node = branches[place].to;
    branches.iter().any(|it| it.is_transformer && it.from == node)
}
