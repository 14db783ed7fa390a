//! Regulators end where arithmetic requires it, always at the same taps.

use lastmeter_grid::flow::{self, Options};
use lastmeter_grid::network::{
    Configuration, Connection, LineDropCompensation, Load, LoadModel, Magnetising, Network,
    Neutral, Node, NodeId, Pace, Place, Regulator, Source, TapChanger, Transformer, Winding,
    WindingKind, Wire, Wires,
};
use num_complex::Complex64;

const VOLTS: f64 = 2400.0;
/// At the relay: 20 to 1.
const RATIO: f64 = 20.0;

fn tap(step: f64) -> TapChanger {
    TapChanger { step, position: 0, neutral: 0, lowest: -16, highest: 16 }
}

/// A source, a transformer of hardly any impedance with a tap at `winding`, a load of constant
/// current that draws 100 A per phase.
fn network(source_pu: f64, winding: usize, step: f64, regulator: Regulator) -> Network {
    let mut network = Network::new("regulated", 60.0);
    let line_volts = VOLTS * 3.0_f64.sqrt();
    let [before, behind] = ["before", "behind"].map(|name| {
        network.push_node(Node {
            name: name.into(),
            wires: Wires::ABC,
            rated_voltage_v: line_volts,
            position: None,
            place: Place::default(),
        })
    });
    network.sources.push(Source {
        name: "grid".into(),
        node: before,
        voltage_v: line_volts * source_pu,
        angle_rad: 0.0,
        z1_ohm: Complex64::ZERO,
        z0_ohm: Complex64::ZERO,
        connected: true,
        place: Place::default(),
    });
    let mut windings = [before, behind].map(|node| Winding {
        connection: Connection::abc(node),
        kind: WindingKind::Star(Neutral::Earthed(Complex64::ZERO)),
        rated_voltage_v: line_volts,
        tap: None,
    });
    windings[winding].tap = Some(tap(step));
    network.transformers.push(Transformer {
        name: "regulator".into(),
        windings: windings.into(),
        clock: vec![0],
        closed: vec![true; 2],
        rated_power_va: 5e6,
        short_circuit_pu: vec![Complex64::new(1e-6, 1e-5)],
        magnetising: Magnetising::AtWinding {
            winding: 0,
            y_pu: Complex64::ZERO,
            antifloat_pu: 1e-6,
        },
        place: Place::default(),
    });
    network.loads.push(Load {
        name: "load".into(),
        connection: Connection::abc(behind),
        configuration: Configuration::Star,
        power_va: [Complex64::new(100.0 * VOLTS, 0.0); 3],
        model: LoadModel::ConstantCurrent,
        rated_voltage_v: VOLTS,
        band: None,
        connected: true,
        generator: false,
        place: Place::default(),
    });
    network.regulators.push(regulator);
    network
}

fn regulator(winding: u8, set_point_v: f64, bandwidth_v: f64) -> Regulator {
    Regulator {
        name: "relay".into(),
        transformer: 0,
        winding,
        node: NodeId(1),
        wire: Wire::A,
        against: None,
        voltage_transformer_ratio: RATIO,
        set_point_v,
        bandwidth_v,
        compensation: None,
        pace: Pace::OneByOne,
        enabled: true,
        place: Place::default(),
    }
}

fn taps(network: &Network) -> (Vec<(u32, u8, i32)>, f64) {
    let flow = flow::solve(network, &Options::default()).unwrap_or_else(|error| panic!("{error}"));
    let again = flow::solve(network, &Options::default()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(flow, again);
    (flow.taps.clone(), flow.nodes[1].voltage_v[0].norm() / RATIO)
}

#[test]
fn a_tap_behind_moves_up_until_the_voltage_is_in_its_band() {
    // 0.95 of 120 V is 114 V; 1 V of band begins at 119.5 V: 119.5 / 114 = 1.0482, eight steps.
    let (taps, relay) = taps(&network(0.95, 1, 0.00625, regulator(1, 120.0, 1.0)));
    assert_eq!(taps, [(0, 1, 8)]);
    assert!((relay - 114.0 * 1.05).abs() < 0.01, "{relay}");
}

#[test]
fn a_tap_before_moves_down_to_the_same_end() {
    // 114 V / (1 - 7 * 0.00625) = 119.2 V is too low, with eight steps it is 120.0 V.
    let (taps, relay) = taps(&network(0.95, 0, 0.00625, regulator(0, 120.0, 1.0)));
    assert_eq!(taps, [(0, 0, -8)]);
    assert!((relay - 114.0 / 0.95).abs() < 0.01, "{relay}");
}

#[test]
fn it_stops_at_the_end_of_its_range_and_beside_a_band_narrower_than_a_tap() {
    let (ends, relay) = taps(&network(0.8, 1, 0.00625, regulator(1, 120.0, 1.0)));
    assert_eq!(ends, [(0, 1, 16)]);
    assert!((relay - 96.0 * 1.1).abs() < 0.01, "{relay}");
    // 114 V in steps of 5 %: 119.7 V, 125.4 V; neither is within 0.1 V of 120 V.
    let (beside, _) = taps(&network(0.95, 1, 0.05, regulator(1, 120.0, 0.2)));
    assert!(beside == [(0, 1, 1)] || beside == [(0, 1, 2)], "{beside:?}");
}

#[test]
fn line_drop_compensation_adds_the_drop_of_the_line() {
    // 100 A through a current transformer of 200 A is half the setting: 3 V more at the relay, as
    // the load is ohmic: 122.5 V at least, 122.5 / 114 = 1.0746, twelve steps.
    let mut compensated = regulator(1, 120.0, 1.0);
    compensated.compensation = Some(LineDropCompensation {
        current_transformer_a: 200.0,
        resistive_v: 6.0,
        reactive_v: 0.0,
    });
    let (taps, relay) = taps(&network(0.95, 1, 0.00625, compensated));
    assert_eq!(taps, [(0, 1, 12)]);
    assert!((relay - 114.0 * 1.075).abs() < 0.01, "{relay}");
}

#[test]
fn a_regulator_that_is_not_enabled_leaves_its_tap_alone() {
    let still = Regulator { enabled: false, ..regulator(1, 120.0, 1.0) };
    let (taps, relay) = taps(&network(0.95, 1, 0.00625, still));
    assert!(taps.is_empty());
    assert!((relay - 114.0).abs() < 0.01, "{relay}");
}

/// 120 V at the relay to begin with, 0.75 V for each tap, a band of 126 V +- 1.6 V. One by one it
/// stops at the first tap inside, 124.5 V. As `OpenDSS` moves: of the 8 taps that are missing
/// seven tenths, 5, then at 123.75 V two of three, which is 125.25 V; by one at a time as before.
#[test]
fn a_pace_towards_the_set_point_goes_farther_into_the_band() {
    let towards = |most| Pace::Towards { most, delay_s: 15.0 };
    for (pace, expected) in
        [(Pace::OneByOne, 6), (towards(16), 7), (towards(1), 6), (towards(4), 6), (towards(0), 0)]
    {
        let own = Regulator { pace, enabled: pace != towards(0), ..regulator(1, 126.0, 3.2) };
        let (taps, relay) = taps(&network(1.0, 1, 0.00625, own));
        let position = taps.first().map_or(0, |tap| tap.2);
        assert_eq!(position, expected, "{pace:?}");
        assert!((relay - (120.0 + 0.75 * f64::from(expected))).abs() < 0.01, "{relay}");
    }
    // 121.1 V needs 1.467 taps, which is one; 120.3 V less than half a one, which is none.
    for (set_point, expected) in [(121.1, 1), (120.3, 0), (117.0, -4)] {
        let own = Regulator { pace: towards(16), ..regulator(1, set_point, 0.1) };
        let (taps, _) = taps(&network(1.0, 1, 0.00625, own));
        assert_eq!(taps.first().map_or(0, |tap| tap.2), expected, "{set_point}");
    }
}
