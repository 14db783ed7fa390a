//! Arcs and saturating iron in a network in motion, against closed forms and the transients alone.

use std::f64::consts::{FRAC_PI_2, PI, SQRT_2, TAU};

use num_complex::Complex64;

use super::tests::{network as feeders, probes as feeder_probes};
use super::{
    Event, FaultAt, Motion, NetworkAction, Operation, OperationKind, Options, Probe, ProbeAt,
    ProbePair, Protector, RelayBreaker, Resolution, Segment, SegmentContent,
};
use crate::flow;
use crate::network::{Magnetising, Network, Neutral, NodeId, WindingKind, Wire, Wires};
use crate::protection::{Curve, Relay};
use crate::testing::{add_node, add_source, add_switch, add_transformer, c};
use crate::transient::{self, Action, Arc, FaultKind, Loads, Pole, Saturation, Transient};

const MS: i64 = 1_000_000;
const PEAK_V: f64 = 20e3 * SQRT_2 / 1.732_050_807_568_877_2;

fn source(network: &mut Network, node: NodeId, z: Complex64) {
    add_source(network, node, [z, z]).angle_rad = 0.4;
}

/// A source behind a resistance, and a busbar behind a switch where an arc may burn.
fn resistive() -> Network {
    let mut network = Network::new("arc", 50.0);
    let [busbar, place] = [add_node(&mut network, 20e3), add_node(&mut network, 20e3)];
    source(&mut network, busbar, c(50.0, 0.0));
    add_switch(&mut network, busbar, place, true);
    network
}

fn source_probe() -> Vec<Probe> {
    let pair = |wire: usize| {
        let mut only = [0.0; 4];
        only[wire] = 1.0;
        ProbePair { voltage: only, current: only }
    };
    vec![Probe { at: ProbeAt::Source(0), pairs: (0..3).map(pair).collect() }]
}

fn long(positive_v: f64, negative_v: f64) -> Arc {
    Arc::Long { positive_v, negative_v, resistance_ohm: 100.0 }
}

fn at(ms: i64, what: NetworkAction) -> Event {
    Event { at_ns: ms * MS, what }
}

fn fault(id: u32, ms: i64, wires: Wires, arc: Option<Arc>) -> Event {
    let what = NetworkAction::Fault(FaultAt {
        id,
        name: format!("fault:{id}").into(),
        node: NodeId(1),
        kind: FaultKind::Ground(wires),
        resistance_ohm: 5.0,
        arc,
        angle_rad: None,
        extinguishes_s: None,
    });
    at(ms, what)
}

fn a() -> Wires {
    Wires::NONE.with(Wire::A)
}

struct PlayResult {
    motion: Motion,
    segments: Vec<Segment>,
    /// When each call of it ended.
    ends: Vec<i64>,
}

/// Plays steps of a length, each with its own power flow.
fn play(
    network: &Network,
    options: Options,
    (events, protectors, probes): (Vec<Event>, Vec<Protector>, Vec<Probe>),
    (step_ns, steps): (i64, i64),
) -> PlayResult {
    let mut motion = Motion::new(network, options, events, protectors, probes).unwrap();
    let (mut segments, mut ends, mut from_ns) = (Vec::new(), Vec::new(), 0);
    for step in 1..=steps {
        let mut now = network.clone();
        motion.stand(&mut now);
        let flow = flow::solve(&now, &flow::Options::default()).unwrap();
        while from_ns < step * step_ns {
            let (more, until_ns) = motion.play(&now, &flow, (from_ns, step * step_ns)).unwrap();
            segments.extend(more);
            from_ns = until_ns;
            ends.push(until_ns);
        }
    }
    PlayResult { motion, segments, ends }
}

impl PlayResult {
    fn kinds(&self) -> Vec<(&str, OperationKind)> {
        let mut all: Vec<&Operation> = self.motion.operations().iter().collect();
        all.sort_by_key(|it| it.at_ns);
        all.iter().map(|it| (&*it.element, it.kind)).collect()
    }

    fn when(&self, element: &str, kind: OperationKind) -> i64 {
        let mut all = self.motion.operations().iter();
        all.find(|it| &*it.element == element && it.kind == kind).unwrap().at_ns
    }

    /// Instants since the beginning and the current of a phase of the first probe, in all waves.
    fn currents(&self, phase: usize) -> Vec<(f64, f64)> {
        let mut all = Vec::new();
        for segment in &self.segments {
            let SegmentContent::Waveforms(waves) = &segment.what else { continue };
            let from_s = segment.from_ns as f64 * 1e-9;
            let values = waves.probes[0][phase].1.iter();
            all.extend(waves.at_s.iter().map(|it| from_s + it).zip(values.copied()));
        }
        all
    }

    /// The borders at which waves follow waves.
    fn seams(&self) -> Vec<i64> {
        let is_waves = |it: &Segment| matches!(it.what, SegmentContent::Waveforms(_));
        let two = self.segments.windows(2).filter(|it| is_waves(&it[0]) && is_waves(&it[1]));
        two.map(|it| it[1].from_ns).collect()
    }
}

/// The peak of the harmonic of an order over a period up to an instant, by the trapezoidal rule.
fn harmonic(all: &[(f64, f64)], until_s: f64, order: f64) -> f64 {
    let straight = |at_s: f64| {
        let next = all.partition_point(|it| it.0 < at_s - 1e-9).clamp(1, all.len() - 1);
        let ((from_s, from_a), (to_s, to_a)) = (all[next - 1], all[next]);
        (at_s, from_a + (to_a - from_a) * ((at_s - from_s) / (to_s - from_s)).clamp(0.0, 1.0))
    };
    let begin_s = until_s - 0.02;
    let within = |it: &&(f64, f64)| (begin_s + 1e-9..until_s - 1e-9).contains(&it.0);
    let mut period = vec![straight(begin_s)];
    period.extend(all.iter().filter(within));
    period.push(straight(until_s));
    let turned = |(at_s, a): (f64, f64)| Complex64::from_polar(a, -order * TAU * 50.0 * at_s);
    let area = |it: &[(f64, f64)]| (turned(it[0]) + turned(it[1])) * (it[1].0 - it[0].0);
    (period.windows(2).map(area).sum::<Complex64>() / 0.02).norm()
}

/// The peaks of the first and the third harmonic of `(E sin x - U) / R`, four times from where it
/// is zero to a quarter period.
fn coefficients(arc_v: f64, ohm: f64) -> (f64, f64) {
    let x1 = (arc_v / PEAK_V).asin();
    let of_sin = |n: f64| -((n * FRAC_PI_2).cos() - (n * x1).cos()) / n;
    let squares = |x: f64| x / 2.0 - (2.0 * x).sin() / 4.0;
    let crossed = |x: f64| (2.0 * x).sin() / 4.0 - (4.0 * x).sin() / 8.0;
    let scale = 4.0 / PI / ohm;
    let first = scale * (PEAK_V * (squares(FRAC_PI_2) - squares(x1)) - arc_v * of_sin(1.0));
    let third = scale * (PEAK_V * (crossed(FRAC_PI_2) - crossed(x1)) - arc_v * of_sin(3.0));
    (first, third.abs())
}

#[test]
fn an_arc_burns_across_borders_of_steps_with_its_closed_form_and_harmonics() {
    let events = vec![
        fault(1, 503, a(), Some(long(5000.0, 5000.0))),
        at(3_504, NetworkAction::Clear { id: 1 }),
    ];
    let parts = (events, Vec::new(), source_probe());
    let played = play(&resistive(), Options::default(), parts, (1000 * MS, 5));
    let (from, to) = (
        played.when("fault:1", OperationKind::Ignited),
        played.when("fault:1", OperationKind::Cleared),
    );
    assert_eq!(from, 503 * MS);
    assert!((3_504 * MS..3_514 * MS).contains(&to), "{to}");
    // Whole periods, so the first border behind a second is 3 ms later.
    assert_eq!(played.seams(), [1003, 2003, 3003].map(|ms| ms * MS));
    assert_eq!(&played.ends[..3], [1003, 2003, 3003].map(|ms| ms * MS));
    let all = played.currents(0);
    let (mut largest, mut burning) = (0.0_f64, 0);
    for &(at_s, current_a) in &all {
        let emf = PEAK_V * (TAU * 50.0 * at_s + 0.4).sin();
        let is_on = (from..to).contains(&((at_s * 1e9).round() as i64));
        let expected = ((emf - 5000.0).max(0.0) + (emf + 5000.0).min(0.0)) / 150.0;
        // A first instant is the steady state before.
        if is_on && at_s > 0.503_2 {
            assert!((current_a - expected).abs() < 1e-2, "{at_s}: {current_a} {expected}");
            burning += usize::from(expected != 0.0);
        }
        largest = largest.max(current_a.abs());
    }
    assert!(burning > 35_000 && largest > 70.0, "{burning} {largest}");
    let (first, third) = coefficients(5000.0, 150.0);
    for until_s in [0.603, 1.003, 2.503, 3.403] {
        let found = harmonic(&all, until_s, 3.0) / harmonic(&all, until_s, 1.0);
        assert!((found - third / first).abs() < 1e-3, "{until_s}: {found} {}", third / first);
        let found = harmonic(&all, until_s, 1.0);
        assert!((found / first - 1.0).abs() < 1e-3, "{until_s}: {found} {first}");
        assert!(harmonic(&all, until_s, 2.0) < 1e-4 * first, "{until_s}");
    }
    // The steady state that follows has no current, and nothing is left when waves lead there.
    let last = played.segments.last().unwrap();
    let SegmentContent::Steady { pairs, .. } = &last.what else { panic!() };
    assert!(pairs[0][0].1.norm() < 1e-3, "{}", pairs[0][0].1);
    assert!(all.last().unwrap().1.abs() < 1e-2);
    assert!(played.motion.faults().next().is_none());
}

#[test]
fn pieces_are_what_was_played_as_a_whole() {
    let events = || {
        vec![
            fault(1, 103, a(), Some(long(5000.0, 7000.0))),
            at(704, NetworkAction::Clear { id: 1 }),
        ]
    };
    let [whole, parts] = [(2000, 1), (200, 10)].map(|(ms, steps)| {
        let all = (events(), Vec::new(), source_probe());
        play(&resistive(), Options::default(), all, (ms * MS, steps))
    });
    assert!(whole.seams().is_empty());
    assert_eq!(parts.seams().len(), 3, "{:?}", parts.seams());
    let (one, other) = (whole.currents(0), parts.currents(0));
    let straight = |at_s: f64| {
        let next = one.partition_point(|it| it.0 < at_s - 1e-9).clamp(1, one.len() - 1);
        let ((from_s, from_a), (to_s, to_a)) = (one[next - 1], one[next]);
        from_a + (to_a - from_a) * ((at_s - from_s) / (to_s - from_s)).clamp(0.0, 1.0)
    };
    for (at_s, found) in other {
        assert!((found - straight(at_s)).abs() < 1e-3, "{at_s}: {found} {}", straight(at_s));
    }
    // Other voltages of the halves make even harmonics.
    assert!(harmonic(&one, 0.603, 2.0) > 0.02 * harmonic(&one, 0.603, 1.0));
}

#[test]
fn a_dynamic_arc_in_motion_is_the_library_s() {
    let arc = Arc::Dynamic {
        voltage_v: 3000.0,
        resistance_ohm: 20.0,
        time_constant_s: 1e-3,
        initial_siemens: 0.05,
    };
    let events = vec![fault(1, 100, a(), Some(arc)), at(304, NetworkAction::Clear { id: 1 })];
    let network = resistive();
    let played =
        play(&network, Options::default(), (events, Vec::new(), source_probe()), (1000 * MS, 1));
    let options = transient::Options { step_s: 50e-6, loads: Loads::None, saturations: &[] };
    let mut alone = Transient::<3>::new(&network, &options).unwrap();
    alone.damp_for(3);
    let (place, kind) = (transient::Place(NodeId(1)), FaultKind::Ground(a()));
    alone.schedule(0.1, Action::ArcFault { id: 1, place, kind, arc }).unwrap();
    let mut seen = 0;
    let all = played.currents(0);
    while alone.time_s() < 0.3 {
        alone.advance().unwrap();
        let near = all.iter().find(|it| (it.0 - alone.time_s()).abs() < 1e-9);
        let Some((_, found)) = near.filter(|it| it.0 > 0.1) else { continue };
        let expected = alone.source_current_a(0, Wire::A);
        assert!((found - expected).abs() < 1e-2, "{}: {found} {expected}", alone.time_s());
        seen += 1;
    }
    assert!(seen > 3000, "{seen}");
    assert_eq!(
        played.kinds(),
        [("fault:1", OperationKind::Ignited), ("fault:1", OperationKind::Cleared)]
    );
}

fn relay(pickup_a: f64, delay_s: f64) -> Vec<Protector> {
    let curve = Curve::definite(pickup_a, delay_s).unwrap();
    let relay = Relay::new(&[curve], &[]);
    let device = Box::new(RelayBreaker::new(relay, 0.04));
    vec![Protector { name: "breaker:q".into(), switch: 0, device }]
}

#[test]
fn a_relay_sees_the_fundamental_of_an_arc_and_waves_end_where_it_has_no_supply() {
    let (first, _) = coefficients(5000.0, 150.0);
    let rms_a = first / SQRT_2;
    for (pickup, trips) in [(0.99, true), (1.01, false)] {
        let events = vec![
            fault(1, 100, a(), Some(long(5000.0, 5000.0))),
            at(1_300, NetworkAction::Clear { id: 1 }),
        ];
        let protectors = relay(pickup * rms_a, 0.2);
        let parts = (events, protectors, source_probe());
        let played = play(&resistive(), Options::default(), parts, (1000 * MS, 2));
        let own: Vec<_> = played.kinds().into_iter().filter(|it| it.0 == "breaker:q").collect();
        if !trips {
            assert_eq!(own, []);
            continue;
        }
        assert_eq!(
            own,
            [("breaker:q", OperationKind::Tripped), ("breaker:q", OperationKind::Opened)]
        );
        let tripped = played.when("breaker:q", OperationKind::Tripped);
        // The last period has to be full of it, which it is after one.
        assert!((tripped - 320 * MS).abs() < 8 * MS, "{tripped}");
        // Without a voltage it has no current, so there is a steady state, and it stands in that.
        let steady = played.segments.iter().find_map(|it| match &it.what {
            SegmentContent::Steady { supply, .. } if it.from_ns > tripped => {
                Some(supply.closed.clone())
            }
            _ => None,
        });
        assert_eq!(steady.unwrap()[0], [false; 3]);
        assert_eq!(played.kinds().last().unwrap(), &("fault:1", OperationKind::Cleared));
    }
}

#[test]
fn an_arc_comes_back_with_the_supply_unless_it_has_been_out_for_long_enough() {
    for (extinguishes_s, comes_back) in [(None, true), (Some(0.3), false)] {
        let mut event = fault(1, 100, a(), Some(long(5000.0, 5000.0)));
        if let NetworkAction::Fault(it) = &mut event.what {
            it.extinguishes_s = extinguishes_s;
        }
        let (switch, pole) = (0, Pole::All);
        let events = vec![
            event,
            at(300, NetworkAction::Open { switch, pole }),
            at(1_500, NetworkAction::Close { switch, pole }),
            at(1_900, NetworkAction::Clear { id: 1 }),
        ];
        let parts = (events, Vec::new(), source_probe());
        let played = play(&resistive(), Options::default(), parts, (1000 * MS, 3));
        let later = played.currents(0).into_iter().filter(|it| it.0 > 1.6);
        let largest = later.map(|it| it.1.abs()).fold(0.0, f64::max);
        assert_eq!(largest > 50.0, comes_back, "{largest}");
        let cleared = played.when("fault:1", OperationKind::Cleared);
        assert_eq!(cleared > 1_800 * MS, comes_back, "{cleared}");
    }
}

#[test]
fn a_voltage_below_the_arc_s_is_steady_at_once() {
    let volts = 1.001 * PEAK_V;
    let events = vec![fault(1, 100, a(), Some(long(volts, volts)))];
    let parts = (events, Vec::new(), source_probe());
    let played = play(&resistive(), Options::default(), parts, (1000 * MS, 2));
    let waves = played.segments.iter().filter(|it| matches!(it.what, SegmentContent::Waveforms(_)));
    assert_eq!(waves.count(), 1);
    assert_eq!(*played.ends.last().unwrap(), 2000 * MS);
    assert_eq!(played.motion.faults().count(), 1);
}

#[test]
fn what_has_no_phasors_is_refused_by_phasors() {
    let options = || Options { resolution: Resolution::Phasors, ..Options::default() };
    let events = vec![fault(1, 100, a(), Some(long(5000.0, 5000.0)))];
    let found = Motion::new(&resistive(), options(), events.clone(), vec![], vec![]).unwrap_err();
    assert_eq!(found.to_string(), "the arc of `fault:1` has no phasors: expected waveforms");
    let mut motion = Motion::new(&resistive(), options(), vec![], vec![], vec![]).unwrap();
    assert!(motion.order(&resistive(), events[0].clone()).is_err());
    let iron = Options { saturations: vec![IRON], ..options() };
    let found = Motion::new(&transformer(true), iron.clone(), vec![], vec![], vec![]).unwrap_err();
    assert!(found.to_string().starts_with("iron of `t` that saturates has no phasors"), "{found}");
    assert!(Motion::new(&resistive(), iron, vec![], vec![], vec![]).is_err());
}

const IRON: Saturation = Saturation {
    transformer: 0,
    knee_pu: 1.15,
    air_core_reactance_pu: 0.3,
    residual_flux_pu: [0.7, -0.3, -0.4],
};

/// A transformer without load behind a switch.
fn transformer(is_closed: bool) -> Network {
    let mut network = Network::new("inrush", 50.0);
    let [top, high] = [add_node(&mut network, 20e3), add_node(&mut network, 20e3)];
    let low = add_node(&mut network, 400.0);
    source(&mut network, top, c(5.0, 20.0));
    add_switch(&mut network, top, high, is_closed);
    let star = WindingKind::Star(Neutral::Earthed(Complex64::ZERO));
    let windings = [(high, star), (low, star)];
    let transformer = add_transformer(&mut network, windings, 0, 400e3, c(0.01, 0.04));
    transformer.magnetising =
        Magnetising::AtWinding { winding: 0, y_pu: c(0.0, -0.01), antifloat_pu: 0.0 };
    network
}

/// Current by what a source's voltage has left of itself in both inductances, volt seconds.
fn on_the_curve(both_vs: f64, residual_vs: f64) -> f64 {
    let (omega, base_ohm) = (TAU * 50.0, 20e3 * 20e3 / 400e3);
    let knee_vs = IRON.knee_pu * PEAK_V / omega;
    let [source_h, iron_h, air_h] = [20.0, base_ohm / 0.01, 0.3 * base_ohm].map(|it| it / omega);
    let sign = both_vs.signum();
    let knee_a = (sign * knee_vs - residual_vs) / iron_h;
    let current_a = (both_vs - residual_vs) / (source_h + iron_h);
    if (current_a - knee_a) * sign <= 0.0 {
        return current_a;
    }
    knee_a + (both_vs - sign * knee_vs - source_h * knee_a) / (source_h + air_h)
}

/// The current of a phase at instants after closing, by a Runge-Kutta rule at a microsecond.
fn integrated(begin_s: f64, phase: usize, at_s: &[f64]) -> Vec<f64> {
    let angle_rad = 0.4 - TAU / 3.0 * phase as f64;
    let residual_vs = IRON.residual_flux_pu[phase] * PEAK_V / (TAU * 50.0);
    let slope = |at: f64, both_vs: f64| {
        PEAK_V * (TAU * 50.0 * at + angle_rad).sin() - 5.0 * on_the_curve(both_vs, residual_vs)
    };
    let (mut now_s, mut both_vs) = (begin_s, residual_vs);
    let mut result = Vec::new();
    for &until_s in at_s {
        let steps = ((until_s - now_s) / 1e-6).ceil().max(1.0);
        let h = (until_s - now_s) / steps;
        for _ in 0..steps as usize {
            let k1 = slope(now_s, both_vs);
            let k2 = slope(now_s + h / 2.0, both_vs + h / 2.0 * k1);
            let k3 = slope(now_s + h / 2.0, both_vs + h / 2.0 * k2);
            let k4 = slope(now_s + h, both_vs + h * k3);
            both_vs += h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4);
            now_s += h;
        }
        result.push(on_the_curve(both_vs, residual_vs));
    }
    result
}

fn iron(longest_s: f64) -> Options {
    Options { saturations: vec![IRON], longest_s, ..Options::default() }
}

#[test]
fn energising_a_transformer_in_motion_has_the_inrush_of_the_equation() {
    for begin_ns in [118_726_761, 221_234_000] {
        let close = NetworkAction::Close { switch: 0, pole: Pole::All };
        let parts = (vec![Event { at_ns: begin_ns, what: close }], Vec::new(), source_probe());
        let played = play(&transformer(false), iron(0.3), parts, (1000 * MS, 1));
        let begin_s = begin_ns as f64 * 1e-9;
        for phase in 0..3 {
            let all = played.currents(phase);
            let all: Vec<_> =
                all.into_iter().filter(|it| it.0 > begin_s && it.0 < begin_s + 0.1).collect();
            let at_s: Vec<f64> = all.iter().map(|it| it.0).collect();
            let expected = integrated(begin_s, phase, &at_s);
            let largest = expected.iter().fold(0.0_f64, |most, it| most.max(it.abs()));
            assert!(all.len() > 1900 && largest > 0.15, "{} {largest}", all.len());
            for ((at_s, found), expected) in all.iter().zip(&expected) {
                let off = (found - expected).abs() / largest;
                assert!(off < 1.5e-3, "{at_s}: {found} {expected} of {largest}");
            }
        }
    }
}

#[test]
fn waves_of_an_inrush_last_as_long_as_they_may_and_what_follows_is_steady() {
    for longest_s in [0.3, 1.4] {
        let close = NetworkAction::Close { switch: 0, pole: Pole::All };
        let parts = (vec![at(100, close)], Vec::new(), source_probe());
        let played = play(&transformer(false), iron(longest_s), parts, (1000 * MS, 3));
        let last = played.currents(0).last().unwrap().0;
        assert!((last - 0.1 - longest_s).abs() < 0.03, "{longest_s} {last}");
        assert_eq!(played.seams().len(), usize::from(longest_s > 1.0));
        let SegmentContent::Steady { pairs, .. } = &played.segments.last().unwrap().what else {
            panic!()
        };
        let expected = 400e3 / 3f64.sqrt() / 20e3 * 0.01;
        assert!((pairs[0][0].1.norm() - expected).abs() < 0.02 * expected, "{}", pairs[0][0].1);
    }
}

#[test]
fn iron_that_has_been_energised_for_long_has_no_residual_flux() {
    // Something else is switched: what its flux is then has been decided by its voltage.
    let mut network = transformer(true);
    let other = add_node(&mut network, 20e3);
    add_switch(&mut network, NodeId(0), other, false);
    let close = NetworkAction::Close { switch: 1, pole: Pole::All };
    let parts = (vec![at(100, close)], Vec::new(), source_probe());
    let played = play(&network, iron(1.0), parts, (1000 * MS, 1));
    let largest = played.currents(0).iter().map(|it| it.1.abs()).fold(0.0, f64::max);
    assert!((0.1..0.2).contains(&largest), "{largest}");
    let jumps = played.segments.iter().filter_map(|it| match &it.what {
        SegmentContent::Waveforms(waves) => Some(waves.jump),
        SegmentContent::Steady { .. } => None,
    });
    assert_eq!(jumps.filter(|it| *it > 1e-3).count(), 0);
}

#[test]
fn a_fault_evolves_from_one_phase_to_three_and_comes_back() {
    let two = a().with(Wire::B);
    let all = two.with(Wire::C);
    let events = || {
        vec![
            fault(1, 100, a(), None),
            fault(2, 160, two, None),
            fault(3, 240, all, None),
            at(400, NetworkAction::Clear { id: 1 }),
            at(400, NetworkAction::Clear { id: 2 }),
            at(400, NetworkAction::Clear { id: 3 }),
            fault(4, 700, a(), None),
            at(800, NetworkAction::Clear { id: 4 }),
            fault(5, 900, a(), Some(long(5000.0, 5000.0))),
            at(1_100, NetworkAction::Clear { id: 5 }),
        ]
    };
    let played = |resolution, events: Vec<Event>| {
        let options = Options { resolution, ..Options::default() };
        play(&feeders(), options, (events, Vec::new(), feeder_probes()), (1500 * MS, 1))
    };
    let waves = played(Resolution::Waveforms, events());
    let names = ["fault:1", "fault:2", "fault:3", "fault:4", "fault:5"];
    for name in names {
        assert!(
            waves.when(name, OperationKind::Ignited) < waves.when(name, OperationKind::Cleared),
            "{name}"
        );
    }
    let mut linear = events();
    linear.truncate(8);
    let phasors = played(Resolution::Phasors, linear);
    // In each stage as many phases have a fault's current as there should be, and waves have the
    // sizes of the phasors (the offset is gone within some ten milliseconds).
    for (at_ms, faulted) in [(155, 1), (235, 2), (390, 3), (650, 0), (790, 1), (890, 0)] {
        let last = phasors.segments.iter().rfind(|it| it.from_ns <= at_ms * MS).unwrap();
        let SegmentContent::Steady { pairs, .. } = &last.what else { panic!() };
        let mut found = 0;
        for (phase, (_, current)) in pairs[0].iter().enumerate() {
            found += usize::from(current.norm() > 500.0);
            let until_s = at_ms as f64 * 1e-3;
            let all = waves.currents(phase);
            if all.iter().any(|it| (it.0 - until_s).abs() < 1e-4) {
                let peak = harmonic(&all, until_s, 1.0);
                let expected = SQRT_2 * current.norm();
                assert!((peak / expected - 1.0).abs() < 0.02, "{at_ms} {phase} {peak} {expected}");
            }
        }
        assert_eq!(found, faulted, "{at_ms}");
    }
}
