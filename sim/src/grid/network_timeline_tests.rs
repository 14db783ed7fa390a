//! When an interruption begins, whatever ends it.

use lastmeter_grid::motion::{
    Event, FaultAt, NetworkAction, OperationKind, Options, Protector, RelayBreaker, Resolution,
};
use lastmeter_grid::network::{Network, NodeId, Wires};
use lastmeter_grid::protection::{Curve, Relay};
use lastmeter_grid::transient::{FaultKind, Pole};
use lastmeter_units::{SimDuration, SimTime};
use num_complex::Complex64;

use super::input::GridInput;
use super::network_timeline::DynamicNetworkSetup;
use super::profile::Raster;
use super::solved_network::{Setup, SolvedNetwork};
use super::tests::network;

/// A load behind a breaker.
fn network() -> Network {
    network::network(10, true, None, &network::three_phase_load("feeder", ""))
}

/// A fault without resistance at the load's node.
fn fault() -> NetworkAction {
    NetworkAction::Fault(FaultAt {
        id: 1,
        name: "fault:f".into(),
        node: NodeId(1),
        kind: FaultKind::Ground(Wires::ABC),
        resistance_ohm: 1e-4,
        arc: None,
        angle_rad: None,
        extinguishes_s: None,
    })
}

/// A load behind a breaker that opens so long after a fault at its node that nothing limits.
fn played(resolution: Resolution, delay_s: f64) -> SolvedNetwork {
    let relay = Relay::new(&[Curve::definite(100.0, delay_s).unwrap()], &[]);
    let device = Box::new(RelayBreaker::new(relay, 0.02));
    let protectors = vec![Protector { name: "relay:cb".into(), switch: 0, device }];
    play(&DynamicNetworkSetup {
        events: vec![Event { at_ns: 1_003_000_000, what: fault() }],
        protectors,
        ..nothing(resolution)
    })
}

fn nothing(resolution: Resolution) -> DynamicNetworkSetup {
    DynamicNetworkSetup {
        options: Options { resolution, ..Options::default() },
        events: Vec::new(),
        protectors: Vec::new(),
        changes: Vec::new(),
        frequency: Vec::new(),
        recorders: Vec::new(),
        metered: Vec::new(),
        pickups: Vec::new(),
        planned: Vec::new(),
        dark_at: None,
    }
}

/// Ten seconds of it.
fn play(wanted: &DynamicNetworkSetup) -> SolvedNetwork {
    let network = network();
    let step = SimDuration::from_seconds(10);
    let raster = Raster { start: SimTime(0), step, steps: 1 };
    let powers = vec![None; network.loads.len()];
    let (defects, changes) = (Vec::new(), Vec::new());
    let setup = Setup { network, frequency_hz: 50.0, raster, powers, defects, changes };
    SolvedNetwork::play(setup, wanted).unwrap()
}

#[test]
fn an_interruption_begins_where_the_voltage_is_gone() {
    for resolution in [Resolution::Phasors, Resolution::Waveforms] {
        // Within the same waves, and long after they have settled.
        for delay_s in [0.02, 0.1, 2.0] {
            let feeder = played(resolution, delay_s);
            let opened =
                feeder.operations().iter().find(|it| it.kind == OperationKind::Opened).unwrap();
            assert!(opened.at_ns > 1_003_000_000 + (delay_s * 1e9) as i64, "{opened:?}");
            let dark = feeder.interruptions();
            assert_eq!(dark.len(), 1);
            assert_eq!((dark[0].from.0, dark[0].to), (1_003_000_000, None), "{delay_s}");
            let times = dark[0].lost.iter().map(|it| it.0);
            assert!(times.is_sorted());
        }
    }
}

#[test]
fn the_dark_area_is_that_of_the_instant_asked_for_or_else_the_first_of_the_darkest() {
    let at = |at_ns, what| Event { at_ns, what };
    let events = vec![
        at(2_000_000_000, NetworkAction::Open { switch: 0, pole: Pole::All }),
        at(4_000_000_000, NetworkAction::Close { switch: 0, pole: Pole::All }),
        at(6_000_000_000, NetworkAction::Open { switch: 0, pole: Pole::All }),
    ];
    for resolution in [Resolution::Phasors, Resolution::Waveforms] {
        let of = |dark_at: Option<i64>, events: &[Event]| {
            let dark_at = dark_at.map(SimDuration);
            let wanted =
                DynamicNetworkSetup { events: events.to_vec(), dark_at, ..nothing(resolution) };
            let area = play(&wanted).dark_area();
            // A switch opens pole by pole: most is dark once all of them are open.
            area.map(|it| (it.at.0, it.dark, it.closed[0].contains(&true), it.is_asked_for))
        };
        let (at_ns, dark, is_closed, is_asked_for) = of(None, &events).unwrap();
        assert!((2_000_000_000..2_020_000_000).contains(&at_ns), "{at_ns}");
        assert_eq!((dark, is_closed, is_asked_for), (1, false, false));
        for (asked_ns, dark) in [(0, 0), (3_000_000_000, 1), (5_000_000_000, 0), (9_000_000_000, 1)]
        {
            let due = Some((asked_ns, dark, dark == 0, true));
            assert_eq!(of(Some(asked_ns), &events), due);
        }
        // All had a supply always: that is drawn if it is asked for.
        assert_eq!(of(None, &[]), None);
        assert_eq!(of(Some(1_000), &[]), Some((1_000, 0, true, true)));
    }
}

#[test]
fn an_interruption_is_planned_if_nothing_but_a_planned_outage_began_it() {
    const BEGIN_NS: i64 = 2_003_000_000;
    let open = |at_ns| Event { at_ns, what: NetworkAction::Open { switch: 0, pole: Pole::All } };
    let close = |at_ns| Event { at_ns, what: NetworkAction::Close { switch: 0, pole: Pole::All } };
    let source = |at_ns, share| {
        (SimDuration(at_ns), GridInput::SourceVoltage { source: 0, voltage_pu: share })
    };
    let load = (
        SimDuration(BEGIN_NS),
        GridInput::LoadStep { load: 0, change_va: Complex64::new(500.0, 0.0) },
    );
    let outage = || vec![open(BEGIN_NS), close(5_000_000_000)];
    let planned = vec![(SimDuration(BEGIN_NS), 0)];
    for resolution in [Resolution::Phasors, Resolution::Waveforms] {
        for (events, changes, planned, due) in [
            (outage(), vec![], vec![], vec![false]),
            (outage(), vec![], planned.clone(), vec![true]),
            // A load that changes takes no supply away, a source does.
            (outage(), vec![load], planned.clone(), vec![true]),
            (vec![], vec![source(3_000_000_000, 0.0)], planned.clone(), vec![false]),
            (outage(), vec![source(BEGIN_NS, 0.0)], planned.clone(), vec![false]),
            // A fault after it is over.
            (
                [outage(), vec![Event { at_ns: 8_000_000_000, what: fault() }]].concat(),
                vec![],
                planned.clone(),
                vec![true, false],
            ),
            // One was dark before.
            (
                [vec![Event { at_ns: 1_000_000_000, what: fault() }], outage()].concat(),
                vec![],
                planned.clone(),
                vec![false],
            ),
        ] {
            let wanted = DynamicNetworkSetup { events, changes, planned, ..nothing(resolution) };
            let case = format!("{wanted:?}");
            let feeder = play(&wanted);
            let found: Vec<bool> = feeder.interruptions().iter().map(|it| it.is_planned).collect();
            assert_eq!(found, due, "{case}");
        }
    }
}
