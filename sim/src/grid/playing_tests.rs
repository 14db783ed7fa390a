//! A network that is played in parts is the one that is played as a whole.

use lastmeter_grid::format::toml;
use lastmeter_grid::motion::{
    Event, FaultAt, NetworkAction, Options, Protector, RelayBreaker, Resolution,
};
use lastmeter_grid::network::{NodeId, Wire};
use lastmeter_grid::protection::{Curve, Relay};
use lastmeter_grid::transient::{FaultKind, Pole};
use lastmeter_units::{SimDuration, SimTime};
use num_complex::Complex64;

use super::{Defect, DynamicNetworkSetup, GridInput, Pickup, Playing, Raster, Setup};

/// Four steps of two seconds: a load that draws another power in each, behind a breaker.
pub(super) fn setup() -> Setup {
    let text = "format = 1\nvoltage = \"400 V\"\n[[node]]\nname = \"bus\"\n[[node]]\n\
         name = \"feeder\"\n[[source]]\nname = \"supply\"\nnode = \"bus\"\n\
         short_circuit_power = \"10 MVA\"\n[[switch]]\nname = \"cb\"\nfrom = \"bus\"\n\
         to = \"feeder\"\n[[load]]\nname = \"h\"\nnode = \"feeder\"\nwires = \"abc\"\n\
         connection = \"star\"\np = \"3 kW\"\n";
    let network = toml::read("test.toml", text).unwrap();
    let raster = Raster { start: SimTime(0), step: SimDuration::from_seconds(2), steps: 4 };
    let powers = [3e3, 2e3, 5e3, 1e3].map(|watts| Complex64::new(watts, 0.2 * watts));
    let defects = vec![Defect::Bypass { load: 0, share: 0.25 }];
    let (powers, changes) = (vec![Some(powers.to_vec())], Vec::new());
    Setup { network, frequency_hz: 50.0, raster, powers, defects, changes }
}

/// A fault that a relay clears, a breaker that is closed again upon a load with cold-load pickup,
/// and a voltage that changes within a step.
pub(super) fn wanted(resolution: Resolution) -> DynamicNetworkSetup {
    let stage = Curve::definite(100.0, 0.15).unwrap();
    let device = Box::new(RelayBreaker::new(Relay::new(&[stage], &[]), 0.02));
    let fault = FaultAt {
        id: 1,
        name: "fault:f".into(),
        node: NodeId(1),
        kind: FaultKind::Ground([Wire::A].into_iter().collect()),
        resistance_ohm: 0.05,
        arc: None,
        angle_rad: None,
        extinguishes_s: Some(0.1),
    };
    let close = NetworkAction::Close { switch: 0, pole: Pole::All };
    let pickup = Pickup {
        factor: 2.0,
        lost: SimDuration::from_seconds(2),
        decay: SimDuration::from_seconds(1),
    };
    DynamicNetworkSetup {
        options: Options { resolution, ..Options::default() },
        events: vec![
            Event { at_ns: 1_003_000_000, what: NetworkAction::Fault(fault) },
            Event { at_ns: 4_500_000_000, what: close },
        ],
        protectors: vec![Protector { name: "relay:cb".into(), switch: 0, device }],
        changes: vec![(
            SimDuration::from_milliseconds(6_700),
            GridInput::SourceVoltage { source: 0, voltage_pu: 0.96 },
        )],
        frequency: Vec::new(),
        recorders: Vec::new(),
        metered: Vec::new(),
        pickups: vec![Some(pickup)],
        planned: Vec::new(),
        dark_at: None,
    }
}

/// Stops, in any order; the last one beyond the end.
const STOPS_MS: [i64; 8] = [0, 1_003, 1_160, 3_999, 4_000, 4_501, 5_300, 60_000];

#[test]
fn stopping_and_going_on_changes_no_bit() {
    let motions = [Resolution::Phasors, Resolution::Waveforms].map(|it| Some(wanted(it)));
    for motion in motions.into_iter().chain([None]) {
        let start = Playing::new(setup(), motion).unwrap();
        let whole = start.clone().finish().unwrap();
        // Something happens that is not the same before and after each of the stops.
        let is_moving = start.motion().is_some();
        assert_eq!(whole.operations().len() >= 5, is_moving, "{:?}", whole.operations());
        let mut parts = start;
        let mut clones = Vec::new();
        for stop_ms in STOPS_MS {
            let stop = SimDuration::from_milliseconds(stop_ms);
            parts.play_until(stop).unwrap();
            assert!(parts.played_until() >= stop || parts.is_over(), "{stop_ms}");
            clones.push(parts.clone());
        }
        for parts in clones {
            assert_eq!(format!("{:?}", parts.finish().unwrap()), format!("{whole:?}"));
        }
    }
}

#[test]
fn what_begins_at_an_instant_is_not_played_until_it() {
    let mut steps = Playing::new(setup(), None).unwrap();
    let until = |steps: &mut Playing, ms| {
        steps.play_until(SimDuration::from_milliseconds(ms)).unwrap();
        steps.played_until().0 / 1_000_000
    };
    let played = [0, 1, 2_000, 2_001, 7_999, 9_000].map(|ms| until(&mut steps, ms));
    assert_eq!(played, [0, 2_000, 2_000, 4_000, 8_000, 8_000]);
    assert!(steps.is_over());
}
