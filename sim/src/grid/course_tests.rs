//! When an interruption begins, whatever ends it.

use lastmeter_grid::format::toml;
use lastmeter_grid::motion::{
    Deed, Event, FaultAt, Happening, Options, Protection, Protector, Resolution,
};
use lastmeter_grid::network::{NodeId, Wires};
use lastmeter_grid::protection::{Curve, Relay, Reset, Stage};
use lastmeter_grid::transient::FaultKind;
use lastmeter_units::{SimDuration, SimTime};

use super::course::MotionSetup;
use super::feeder::{Feeder, Setup};
use super::profile::Raster;

/// A load behind a breaker that opens so long after a fault at its node that nothing limits.
fn played(resolution: Resolution, delay_s: f64) -> Feeder {
    let text = "format = 1\nvoltage = \"400 V\"\n[[node]]\nname = \"bus\"\n[[node]]\n\
         name = \"feeder\"\n[[source]]\nname = \"supply\"\nnode = \"bus\"\n\
         short_circuit_power = \"10 MVA\"\n[[switch]]\nname = \"cb\"\nfrom = \"bus\"\n\
         to = \"feeder\"\n[[load]]\nname = \"h\"\nnode = \"feeder\"\nwires = \"abc\"\n\
         connection = \"star\"\np = \"3 kW\"\n";
    let network = toml::read("test.toml", text).unwrap();
    let fault = FaultAt {
        id: 1,
        name: "fault:f".into(),
        node: NodeId(1),
        kind: FaultKind::Ground(Wires::ABC),
        resistance_ohm: 1e-4,
        arc: None,
        angle_rad: None,
        extinguishes_s: None,
    };
    let stage = Stage::new(Curve::definite(100.0, delay_s).unwrap(), Reset::Instantaneous).unwrap();
    let what = Protection::Breaker { relay: Relay::new(&[stage], &[]), opening_s: 0.02 };
    let wanted = MotionSetup {
        options: Options { resolution, ..Options::default() },
        events: vec![Event { at_ns: 1_003_000_000, what: Happening::Fault(fault) }],
        protectors: vec![Protector { name: "relay:cb".into(), switch: 0, what }],
        changes: Vec::new(),
        frequency: Vec::new(),
        recorders: Vec::new(),
        metered: Vec::new(),
        pickups: Vec::new(),
    };
    let step = SimDuration::from_seconds(10);
    let raster = Raster { start: SimTime(0), step, steps: 1 };
    let powers = vec![None; network.loads.len()];
    let (defects, changes) = (Vec::new(), Vec::new());
    let setup = Setup { network, frequency_hz: 50.0, raster, powers, defects, changes };
    Feeder::play(setup, &wanted).unwrap()
}

#[test]
fn an_interruption_begins_where_the_voltage_is_gone() {
    for resolution in [Resolution::Phasors, Resolution::Waveforms] {
        // Within the same waves, and long after they have settled.
        for delay_s in [0.02, 0.1, 2.0] {
            let feeder = played(resolution, delay_s);
            let opened = feeder.operations().iter().find(|it| it.deed == Deed::Opened).unwrap();
            assert!(opened.at_ns > 1_003_000_000 + (delay_s * 1e9) as i64, "{opened:?}");
            let dark = feeder.interruptions();
            assert_eq!(dark.len(), 1);
            assert_eq!((dark[0].from.0, dark[0].to), (1_003_000_000, None), "{delay_s}");
            let times = dark[0].lost.iter().map(|it| it.0);
            assert!(times.is_sorted());
        }
    }
}
