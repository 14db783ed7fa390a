//! A network that obeys does what one does in which the same switching was known ahead.

use lastmeter_grid::motion::{Event, NetworkAction, OperationKind, Resolution};
use lastmeter_grid::transient::Pole;
use lastmeter_units::SimDuration;
use proptest::prelude::*;

use super::playing_tests::{setup, wanted};
use super::{ObeyingNetwork, Playing, SolvedNetwork};

const fn ms(ms: i64) -> SimDuration {
    SimDuration::from_milliseconds(ms)
}

/// Instants at which the switch is ordered, in milliseconds, and whether to close: with nothing
/// else there, at the border of a step, and so in the midst of one. At 4.5 s a crew closes it.
type Orders = [(i64, bool)];

const ORDERS: [(i64, bool); 4] = [(2_500, true), (4_000, false), (5_300, false), (5_301, true)];

/// The independent reference: a network that knows all of it ahead, played as a whole.
fn known_ahead(orders: &Orders, resolution: Resolution) -> SolvedNetwork {
    let mut wanted = wanted(resolution);
    wanted.events.extend(orders.iter().map(|(at_ms, is_closed)| {
        let (switch, pole) = (0, Pole::All);
        let what = if *is_closed {
            NetworkAction::Close { switch, pole }
        } else {
            NetworkAction::Open { switch, pole }
        };
        Event { at_ns: ms(*at_ms).0, what }
    }));
    SolvedNetwork::play(setup(), &wanted).unwrap()
}

/// The same by orders, given at their instants, with stops in between.
fn obeyed(orders: &Orders, resolution: Resolution, stops_ms: &[i64]) -> SolvedNetwork {
    let playing = Playing::new(setup(), Some(wanted(resolution))).unwrap();
    let mut network = ObeyingNetwork::new(playing).unwrap();
    let mut all: Vec<i64> = orders.iter().map(|it| it.0).chain(stops_ms.iter().copied()).collect();
    all.sort_unstable();
    all.dedup();
    for stop_ms in all {
        network.play_to(ms(stop_ms)).unwrap();
        for (_, is_closed) in orders.iter().filter(|it| it.0 == stop_ms) {
            network.order(0, *is_closed).unwrap();
        }
    }
    network.play_to(ms(60_000)).unwrap();
    network.so_far().clone()
}

#[test]
fn an_order_does_what_the_same_switching_known_ahead_does() {
    for resolution in [Resolution::Phasors, Resolution::Waveforms] {
        let ahead = known_ahead(&ORDERS, resolution);
        let found = obeyed(&ORDERS, resolution, &[1, 1_100, 3_999, 4_600, 7_000]);
        let operations = ahead.operations().iter();
        let by_order = operations.filter(|it| &*it.element == "switch:cb").count();
        assert!(by_order >= 4, "{:?}", ahead.operations());
        assert_eq!(found.operations(), ahead.operations());
        assert_eq!(found.interruptions(), ahead.interruptions());
        assert_eq!(format!("{found:?}"), format!("{ahead:?}"), "to the bit");
    }
}

#[test]
fn an_order_within_waves_takes_back_what_was_played_beyond_it() {
    // The fault of 1.003 s is played by waves that last for 40 ms at least.
    let orders = [(1_020, false)];
    let playing = Playing::new(setup(), Some(wanted(Resolution::Waveforms))).unwrap();
    let mut network = ObeyingNetwork::new(playing).unwrap();
    network.play_to(ms(1_020)).unwrap();
    assert!(network.playing.reached() > ms(1_040));
    let ahead = known_ahead(&orders, Resolution::Waveforms);
    let found = obeyed(&orders, Resolution::Waveforms, &[1_010, 1_015]);
    assert_eq!(format!("{found:?}"), format!("{ahead:?}"));
    let opened = found.operations().iter().find(|it| it.kind == OperationKind::Opened).unwrap();
    assert_eq!((&*opened.element, opened.at_ns / 10_000_000), ("switch:cb", 102));
}

#[test]
fn how_the_switch_stands_is_read_back_from_the_network() {
    let found = obeyed(&[(5_300, false)], Resolution::Phasors, &[]);
    let states = found.switch_states(0);
    let closed: Vec<(i64, bool)> =
        states.iter().map(|(from, it)| (from.0 / 1_000_000, it.is_closed)).collect();
    // A fault at 1.003 s, a relay with 0.15 s and a breaker with 0.02 s; a crew at 4.5 s.
    assert_eq!(closed, [(0, true), (1_173, false), (4_500, true), (5_300, false)]);
    assert!(states.iter().all(|it| !it.1.is_locked_out && it.1.is_open != it.1.is_closed));
}

#[test]
fn a_network_that_only_steps_obeys_nobody() {
    assert!(ObeyingNetwork::new(Playing::new(setup(), None).unwrap()).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Where somebody stops in between reaches no bit of it.
    #[test]
    fn stops_in_between_change_nothing(stops in prop::collection::vec(0_i64..8_000, 0..12)) {
        let plain = obeyed(&ORDERS, Resolution::Phasors, &[]);
        let stopped = obeyed(&ORDERS, Resolution::Phasors, &stops);
        prop_assert_eq!(format!("{plain:?}"), format!("{stopped:?}"));
    }
}
