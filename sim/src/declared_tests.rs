//! The spread against typed-in figures and against dense grids of shifts.

use proptest::prelude::*;

use super::*;
use crate::domain::water::WaterSupply;
use crate::energy::Netting;
use crate::plan::OperatingPoint;
use crate::program::Program;
use crate::random::Streams;
use crate::terminal::Terminal;

fn ms(milliseconds: i64) -> SimDuration {
    SimDuration::from_milliseconds(milliseconds)
}

fn s(seconds: i64) -> SimDuration {
    SimDuration::from_seconds(seconds)
}

fn ids(names: &[&str]) -> Vec<MeasurementId> {
    names.iter().map(|name| MeasurementId::lookup(name).unwrap()).collect()
}

fn declared(window: Option<SimDuration>, earliest: i64, latest: i64) -> DeclaredSpan {
    let (earliest, latest) = (ms(earliest), ms(latest));
    DeclaredSpan { identity: Identity::Number, window, earliest, latest, registers_earliest: None }
}

/// Flows in m3/s from seconds on.
fn water(flows: &[(SimDuration, f64)]) -> MeteringPoint {
    MeteringPoint::Water(WaterSupply::new(flows.iter().copied()).unwrap())
}

const WATER: [&str; 2] = ["water.volume", "water.flowrate"];

/// A terminal with these currents, each for a second.
fn currents(amperes: &[f64]) -> MeteringPoint {
    let point = |&current: &f64| OperatingPoint::balanced(s(1), 1, 50.0, 230.0, current);
    let points: Vec<_> = amperes.iter().map(point).collect();
    let program = Program::from_points(&points).unwrap();
    Terminal::from_program(&program, "s", &Streams::new(1)).unwrap().into()
}

fn facts() -> ElectricityFacts {
    ElectricityFacts { netting: Netting::Net, pulse_constant: 1000.0, profile: None }
}

/// 2 l/s, and 3 l/s from 10 s on.
#[test]
fn typed_in_figures_of_a_step() {
    let point = water(&[(s(0), 2e-3), (s(10), 3e-3)]);
    let of = |declared: DeclaredSpan, before, end| {
        point.spread(&declared.admitted(s(before), s(end)), None, &ids(&WATER))
    };
    for (what, declared, before, end, volume, flow) in [
        ("exact", declared(None, 0, 0), 0, 5, 0.0, 0.0),
        ("quiet: the register only", declared(Some(s(4)), 500, 500), 0, 5, 1e-3, 0.0),
        // 1.5 s of the last 4 s are at 3 l/s, where nominally none is.
        ("a step that the end meets", declared(Some(s(4)), 0, 1500), 0, 10, 4.5e-3, 1.5e-3 / 4.0),
        // From 9 s to 13 s nominally: 3 of 4 s; at best all 4.
        ("a step that the beginning meets", declared(Some(s(4)), 0, 2000), 0, 13, 6e-3, 0.25e-3),
        // From 8 s to 12 s; at worst from 9 s to 13 s or 7 s to 11 s.
        ("since the reading before", declared(None, 1000, 1000), 8, 12, 3e-3, 0.25e-3),
    ] {
        let spread = of(declared, before, end);
        assert!((spread[0] - volume).abs() < 1e-12, "{what}: volume {spread:?}");
        assert!((spread[1] - flow).abs() < 1e-12, "{what}: flow {spread:?}");
    }
}

/// The mean of a window that is cut at the start approaches the flow at its end; from where it is
/// cut no more, what it loses at its beginning moves it the other way.
#[test]
fn a_window_is_looked_at_where_the_start_cuts_it_no_more() {
    let point = water(&[(ms(0), 0.0), (ms(241), 4.0), (ms(965), 2.0)]);
    let admitted = declared(Some(ms(4268)), 363, 0).admitted(ms(1549), ms(4290));
    let spread = point.spread(&admitted, None, &ids(&WATER));
    // 2.896 m3 until 965 ms, 2 m3/s from there on.
    let volume = |end: f64| 2.896 + 2.0 * (end - 0.965);
    let flow = (volume(4.290) - volume(4.268)) / 4.268;
    assert!((spread[1] - flow).abs() < 1e-12, "{spread:?}, {flow}");
}

#[test]
fn a_declaration_gives_its_nominal_span() {
    let window = declared(Some(s(2)), 0, 0);
    let span = window.admitted(s(3), s(10)).nominal();
    assert_eq!((span.from, span.to, span.registers_from), (s(8), s(10), s(0)));
    let since = declared(None, 0, 0).admitted(s(3), s(10)).nominal();
    assert_eq!((since.from, since.to), (s(3), s(10)));
    // Nothing is known of what was before the start.
    assert_eq!(window.admitted(s(0), s(1)).nominal().from, s(0));
}

/// THD has a reference only where the waveform stays the same.
#[test]
fn where_a_reference_is_lost_the_spread_is_not_known() {
    let point = currents(&[5.0, 5.0, 0.0, 0.0]);
    let thd = ids(&["x.electricity.power.nonactive.l1", "electricity.powerFactor.l1"]);
    let spread = |latest| {
        point.spread(&declared(Some(s(1)), 0, latest).admitted(s(1), s(2)), Some(facts()), &thd)
    };
    assert!(spread(500).iter().all(|spread| spread.is_finite()), "{:?}", spread(500));
    let thd = ids(&["x.electricity.current.thd.l1"]);
    let spread = |latest| {
        point.spread(&declared(Some(s(1)), 0, latest).admitted(s(1), s(2)), Some(facts()), &thd)
    };
    let steady = currents(&[5.0]);
    let quiet =
        steady.spread(&declared(Some(s(1)), 0, 500).admitted(s(1), s(2)), Some(facts()), &thd);
    assert!(quiet[0] < 1e-9, "{quiet:?}");
    assert!(spread(1000)[0].is_nan(), "{:?}", spread(1000));
}

const ELECTRICITY: [&str; 5] = [
    "electricity.voltage.rms.l1",
    "electricity.current.rms.l1",
    "electricity.power.active.consumed.l1",
    "electricity.energy.active.consumed.l1",
    "electricity.frequency",
];

/// The largest difference over a dense grid of spans.
fn dense(
    point: &MeteringPoint,
    admitted: &AdmittedSpans,
    quantities: &[MeasurementId],
    count: i64,
) -> Vec<f64> {
    let nominal = point.truth(admitted.nominal, Some(facts()));
    let (first, last) = admitted.range(admitted.nominal.to);
    let begins = match admitted.declared.window {
        Some(_) => vec![SimDuration::ZERO],
        None if admitted.nominal.from == SimDuration::ZERO => vec![SimDuration::ZERO],
        None => {
            let (first, last) = admitted.range(admitted.nominal.from);
            (0..=count).map(|n| first + SimDuration((last - first).0 * n / count)).collect()
        }
    };
    let mut spreads = vec![0.0_f64; quantities.len()];
    for to in (0..=count).map(|n| first + SimDuration((last - first).0 * n / count)) {
        for &begin in &begins {
            let from = admitted.declared.window.map_or(begin, |window| to - window);
            let from = from.max(SimDuration::ZERO);
            if from >= to {
                continue;
            }
            let truth = point.truth(ReferenceSpan { from, to, ..admitted.nominal }, Some(facts()));
            for (spread, &id) in spreads.iter_mut().zip(quantities) {
                let [nominal, other] = [&nominal, &truth].map(|truth| truth.value(id).unwrap());
                *spread = spread.max((other - nominal).abs());
            }
        }
    }
    spreads
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// In pipes nothing is larger than the spread, and the spread is reached.
    #[test]
    fn of_a_pipe_it_is_exact(
        flows in prop::collection::vec((1_i64..4_000, 0_u32..5), 1..12),
        window in prop::option::of(100_i64..8_000),
        (earliest, latest) in (0_i64..3_000, 0_i64..3_000),
        (before, length) in (0_i64..6_000, 500_i64..9_000),
    ) {
        let mut at = 0;
        let flows: Vec<_> = flows.into_iter().map(|(length, flow)| {
            let from = at;
            at += length;
            (ms(from), f64::from(flow))
        }).collect();
        let point = water(&flows);
        let admitted =
            declared(window.map(ms), earliest, latest).admitted(ms(before), ms(before + length));
        let quantities = ids(&WATER);
        let spread = point.spread(&admitted, None, &quantities);
        let dense = dense(&point, &admitted, &quantities, 300);
        for (spread, dense) in spread.iter().zip(&dense) {
            // The ends of a span may meet: an empty one has no mean.
            if spread.is_nan() {
                let is_first = earliest >= before + length;
                prop_assert!(is_first || (window.is_none() && earliest + latest >= length));
                continue;
            }
            prop_assert!(*dense <= spread * (1.0 + 1e-9) + 1e-9, "{spread} below {dense}");
            // A grid of 20 ms does not meet each change; flows are up to 4 m3/s.
            prop_assert!(spread - dense <= 0.5 + 0.1 * spread, "{spread} far above {dense}");
        }
    }

    /// Of a terminal all but a part of the oscillation of means is seen.
    #[test]
    fn of_a_terminal_it_is_nearly_exact(
        amperes in prop::collection::vec(0_u32..10, 1..7),
        window in prop::option::of(300_i64..3_000),
        (earliest, latest) in (0_i64..400, 0_i64..400),
        (before, length) in (0_i64..2_000, 1_000_i64..4_000),
    ) {
        let amperes: Vec<_> = amperes.into_iter().map(f64::from).collect();
        let point = currents(&amperes);
        let admitted =
            declared(window.map(ms), earliest, latest).admitted(ms(before), ms(before + length));
        let quantities = ids(&ELECTRICITY);
        let spread = point.spread(&admitted, Some(facts()), &quantities);
        let dense = dense(&point, &admitted, &quantities, 120);
        // 30 % of the oscillation at both ends, over the shortest window: of an RMS
        // value half of that of its square; of a register, S / (2 omega).
        let length_s = window.unwrap_or(length).min(length) as f64 / 1e3;
        // The shortest span that is admitted since the reading before is shorter than that.
        let length_s = if window.is_none() { length_s - 0.8 } else { length_s };
        let part = 2.0 * 0.3 / (2.0 * 314.0 * length_s);
        let unseen = [230.0 * part, 9.0 * part.sqrt(), 2070.0 * part, 2070.0 / 628.0, 1e-9];
        for (place, (spread, dense)) in spread.iter().zip(&dense).enumerate() {
            prop_assert!(!spread.is_nan(), "{} unknown", ELECTRICITY[place]);
            prop_assert!(
                *dense <= spread + unseen[place],
                "{}: {spread} below {dense}", ELECTRICITY[place]
            );
        }
    }
}
