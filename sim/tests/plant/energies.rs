//! Registers where the flow of energy turns round: each direction adds up by itself.

use super::disturbances::{ALL, at, build, disturbed};
use super::*;
use lastmeter_sim::Loop;
use lastmeter_sim::disturbance::{Change, Side};
use lastmeter_sim::plan::OperatingPoint;
use proptest::prelude::*;
use std::f64::consts::{PI, SQRT_2, TAU};

const DIRECTIONS: [&str; 2] = ["consumed", "injected"];

/// Reference of a register in joules or var-seconds.
fn joules(terminal: &Terminal, name: &str, span: ReferenceSpan, netting: Netting) -> f64 {
    let id = MeasurementId::lookup(name).unwrap_or_else(|| panic!("no identifier `{name}`"));
    terminal.reference(id, span, netting).expect("a reference")
}

/// The parts of a sum of energies that flow either way.
fn either_way(nets: impl Iterator<Item = f64>) -> [f64; 2] {
    nets.fold([0.0; 2], |[consumed, injected], net| {
        [consumed + net.max(0.0), injected + (-net).max(0.0)]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Expected from the drawn powers alone: whole cycles of constant power, one after another.
    #[test]
    fn registers_keep_the_directions_apart(
        drawn in prop::collection::vec(
            (10_i64..60, prop::array::uniform3((0.5_f64..20.0, 0.0..TAU))), 1..150),
        skipped in 0_usize..3,
    ) {
        let skipped = skipped.min(drawn.len() - 1);
        let cycle = SimDuration(20_000_000);
        let points: Vec<OperatingPoint> = drawn.iter().map(|(cycles, phases)| {
            let duration = SimDuration(cycle.0 * cycles);
            let mut point = OperatingPoint::balanced(duration, 3, 50.0, 230.0, 1.0);
            point.currents_a = phases.iter().map(|phase| phase.0).collect();
            point.current_lags_rad = phases.iter().map(|phase| phase.1).collect();
            point
        }).collect();
        let terminal = build(&points, &[]).expect("a terminal");
        let length = |points: &[OperatingPoint]| points.iter().map(|p| p.duration.0).sum::<i64>();
        let span = ReferenceSpan {
            from: SimDuration::ZERO,
            to: SimDuration(length(&points)),
            registers_from: SimDuration(length(&points[..skipped])),
        };
        for (kind, factor) in [("active", f64::cos as fn(f64) -> f64), ("reactive", f64::sin)] {
            // By piece and phase.
            let nets: Vec<[f64; 3]> = drawn[skipped..].iter().map(|(cycles, phases)| {
                phases.map(|(i, lag)| 230.0 * i * factor(lag) * 0.02 * *cycles as f64)
            }).collect();
            let scale: f64 = nets.iter().flatten().map(|net| net.abs()).sum::<f64>().max(1.0);
            let by_phase: Vec<[f64; 2]> =
                (0..3).map(|n| either_way(nets.iter().map(|net| net[n]))).collect();
            let total = either_way(nets.iter().map(|net| net.iter().sum()));
            for (d, direction) in DIRECTIONS.iter().enumerate() {
                let name = |phase: &str| format!("electricity.energy.{kind}.{direction}.{phase}");
                for (n, phase) in ["l1", "l2", "l3"].iter().enumerate() {
                    let found = joules(&terminal, &name(phase), span, Netting::Net);
                    let off = (found - by_phase[n][d]).abs();
                    prop_assert!(off < 1e-9 * scale, "{} {found} {:?}", name(phase), by_phase[n]);
                }
                let found = joules(&terminal, &name("total"), span, Netting::Net);
                prop_assert!((found - total[d]).abs() < 1e-9 * scale, "{found} {total:?}");
                let found = joules(&terminal, &name("total"), span, Netting::PerPhase);
                let expected: f64 = by_phase.iter().map(|phase| phase[d]).sum();
                prop_assert!((found - expected).abs() < 1e-9 * scale, "{found} {expected}");
            }
        }
    }
}

#[test]
fn a_turning_angle_turns_the_flow_halfway() {
    // The current turns by 180 degrees in 10 s, beginning 30 degrees behind: the power is
    // 2300 W cos(30 + 18 t/s degrees).
    let over = SimDuration::from_seconds_f64(10.0);
    let turn = Change::Angle { side: Side::Current, phases: ALL, by_rad: -PI, over };
    let terminal = disturbed(&[at(0.0, None, turn)]);
    let expected = |from: f64, to: f64| {
        let angle = |t: f64| PI / 6.0 + PI * t / 10.0;
        2300.0 * 10.0 / PI * (angle(to).sin() - angle(from).sin())
    };
    let turned = 10.0 / 3.0;
    for (direction, joules_expected) in
        [("consumed", expected(0.0, turned)), ("injected", -expected(turned, 10.0))]
    {
        let name = format!("electricity.energy.active.{direction}.total");
        let found = joules(&terminal, &name, span(0.0, 10.0), Netting::Net);
        // It turns 133 ms into an interval: there 722 W/s make 6.4 J that are netted.
        assert_close(found, joules_expected, 8.0, direction);
        assert!((found - joules_expected).abs() > 1e-6, "the interval is not resolved");
    }
}

#[test]
fn short_pieces_are_netted_and_a_cut_cycle_injects_nothing() {
    // Half a cycle reversed, and a register read 3 ms after that: too short to be seen.
    let half = Change::Level { factors: [-1.0; 3], jumps_rad: [0.0; 3], point: None };
    let terminal = disturbed(&[at(1.0, Some(0.01), half)]);
    let name = "electricity.energy.active.injected.total";
    assert_eq!(joules(&terminal, name, span(0.0, 1.013), Netting::Net), 0.0);
    assert_eq!(joules(&terminal, name, span(0.0, 5.0), Netting::Net), 0.0);
    assert_eq!(joules(&terminal, name, span(0.0, 0.003), Netting::Net), 0.0);
}

#[test]
fn a_recording_that_reverses_registers_both_ways() {
    // 100 cycles of 50 Hz at 10 kS/s, the second half reversed; played 100 times.
    let turns = |k: usize| TAU * k as f64 / 200.0;
    let sign = |k: usize| if k < 10_300 { 1.0 } else { -1.0 };
    let u: Vec<f64> = (0..20_600).map(|k| 230.0 * SQRT_2 * turns(k).sin()).collect();
    let i: Vec<f64> = (0..20_600).map(|k| 5.0 * SQRT_2 * sign(k) * turns(k).sin()).collect();
    let table = Loop::from_samples(&[&u], &[&i], 10_000.0).expect("a loop");
    let loop_s = f64::from(table.cycles()) / table.fundamental_hz();
    let terminal = Terminal::from_loop(table);
    let name = |direction: &str| format!("electricity.energy.active.{direction}.l1");
    for to_s in [100.0 * loop_s, 100.3 * loop_s, 7.77 * loop_s] {
        let span = ReferenceSpan { registers_from: seconds_of(0.31), ..span(0.31, to_s) };
        let [consumed, injected] =
            DIRECTIONS.map(|direction| joules(&terminal, &name(direction), span, Netting::Net));
        let net: f64 = DIRECTIONS
            .iter()
            .zip([1.0, -1.0])
            .map(|(direction, sign)| {
                let name = format!("electricity.power.active.{direction}.l1");
                sign * joules(&terminal, &name, span, Netting::Net) * (to_s - 0.31)
            })
            .sum();
        let all = 1150.0 * (to_s - 0.31);
        assert_close(consumed - injected, net, 1e-7 * all, "what is netted");
        // One group of ten cycles per loop holds both.
        assert!((consumed + injected) / all > 0.88, "{consumed} {injected} of {all}");
        assert!((consumed + injected) / all < 1.0 + 1e-3, "{consumed} {injected} of {all}");
    }
}

fn seconds_of(seconds: f64) -> SimDuration {
    SimDuration::from_seconds_f64(seconds)
}
