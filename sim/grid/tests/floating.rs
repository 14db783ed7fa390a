//! Sides that nothing earths. What stands between wires has no part in voltages to earth, so behind
//! a transformer without any earth it has the voltages that it has behind one with an earthed star
//! point, whose currents to earth are none: the earthed ones are the reference.

use std::fmt::Write as _;

use lastmeter_grid::flow::{self, Collapse, Failure, Options, Phases};
use lastmeter_grid::format::{dss, toml};
use lastmeter_grid::{Complex64, Network};

/// Rated voltages, the transformer, and the length and impedances of a line.
struct Level {
    high: &'static str,
    low: &'static str,
    transformer: &'static str,
    line: &'static str,
    /// More than can be served, watts.
    far_too_much_w: f64,
    /// Of a generator of constant impedance, watts.
    generator_w: f64,
}

const LOW: Level = Level {
    high: "10 kV",
    low: "400 V",
    transformer: "power = '100 kVA', uk = '4 %', copper_loss = '1 kW'",
    line: "r1 = '0.45 ohm/km', x1 = '0.08 ohm/km'",
    far_too_much_w: 3e6,
    generator_w: 4e3,
};
const MEDIUM: Level = Level {
    high: "110 kV",
    low: "20 kV",
    transformer: "power = '40 MVA', uk = '12 %', copper_loss = '150 kW'",
    line: "r1 = '0.2 ohm/km', x1 = '0.12 ohm/km'",
    far_too_much_w: 1e9,
    generator_w: 2e6,
};

/// A feeder of lines of these lengths, metres, and what is at its end.
fn feeder(level: &Level, group: &str, lengths_m: &[f64], at_end: &str) -> Network {
    let Level { high, low, transformer, line, .. } = level;
    let mut text = format!(
        "format = 1\nvoltage = '{low}'\n\
         [[node]]\nname = 'grid'\nvoltage = '{high}'\n[[node]]\nname = 'n0'\n\
         [[source]]\nnode = 'grid'\nshort_circuit_power = '2 GVA'\n\
         [[transformer]]\nname = 't'\nfrom = 'grid'\nto = 'n0'\ngroup = '{group}'\n\
         voltages = ['{high}', '{low}']\n{}\n",
        transformer.replace(", ", "\n")
    );
    for (at, length) in lengths_m.iter().enumerate() {
        let (from, to) = (at, at + 1);
        let _ = write!(
            text,
            "[[node]]\nname = 'n{to}'\n[[line]]\nname = 'l{to}'\nfrom = 'n{from}'\nto = 'n{to}'\n\
             length = '{length} m'\n{}\n",
            line.replace(", ", "\n")
        );
    }
    text += &at_end.replace("LAST", &format!("n{}", lengths_m.len()));
    toml::read("feeder.toml", &text).unwrap_or_else(|refusal| panic!("{refusal}"))
}

fn delta(what: &str, model: &str, wires: &str, power_w: f64) -> String {
    format!(
        "[[{what}]]\nname = 'it'\nnode = 'LAST'\nwires = '{wires}'\nconnection = 'delta'\n\
         model = '{model}'\np = '{power_w} W'\n"
    )
}

const FEEDERS: [&[f64]; 5] = [
    &[40.0],
    &[18.3, 12.6, 13.8, 17.5],
    &[49.0, 77.0, 44.0, 31.0, 92.0, 105.0],
    // Next to no impedance: what rounding leaves of large currents is larger.
    &[0.5, 0.01, 60.0, 0.3],
    &[2.0; 60],
];
const WIRES: [&str; 4] = ["abc", "ab", "bc", "ac"];

/// All of the same network: with an earthed star point, and with none.
const EARTHED_AND_NOT: [(&Level, &str, &[&str]); 2] = [
    (&LOW, "Dyn5", &["Dd0", "Yd1", "Yd11", "Yy0", "Dy5", "YNd11"]),
    (&MEDIUM, "YNyn0", &["YNd5", "Yy0"]),
];

/// The voltages from wire to wire at all nodes, volts.
fn between_wires(network: &Network) -> Result<Vec<f64>, Failure> {
    let flow = flow::solve(network, &Options::default())?;
    let of_node = |it: &flow::NodeState| {
        let v: [Complex64; 4] = it.voltage_v;
        [(v[0] - v[1]).norm(), (v[1] - v[2]).norm(), (v[2] - v[0]).norm()]
    };
    Ok(flow.nodes.iter().skip(1).flat_map(of_node).collect())
}

fn collapse(network: &Network) -> Collapse {
    match flow::solve(network, &Options { phases: Phases::All, ..Options::default() }) {
        Err(Failure::Collapse(it)) => *it,
        Err(why) => panic!("{why}"),
        Ok(_) => panic!("this cannot be served"),
    }
}

/// Compares voltages from wire to wire with those that were expected.
fn agree(found: Result<Vec<f64>, Failure>, expected: &[f64], within: f64, what: &str) {
    let found = found.unwrap_or_else(|why| panic!("{what}: {why}"));
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let off = (found / expected - 1.0).abs();
        assert!(off < within, "{what}: {found} V, expected {expected} V");
    }
}

#[test]
fn generators_of_constant_impedance_are_solved_where_nothing_is_earthed() {
    for (level, earthed, floating) in EARTHED_AND_NOT {
        for lengths in FEEDERS {
            for wires in WIRES {
                let at_end = delta("generator", "impedance", wires, level.generator_w);
                let of = |group: &str| between_wires(&feeder(level, group, lengths, &at_end));
                let expected = of(earthed).unwrap_or_else(|why| panic!("{why}"));
                for group in floating {
                    agree(of(group), &expected, 1e-8, &format!("{group} {wires} {lengths:?}"));
                }
            }
        }
    }
}

#[test]
fn loads_are_served_up_to_where_voltages_collapse_and_no_further() {
    for (level, earthed, floating) in EARTHED_AND_NOT {
        for lengths in FEEDERS {
            for wires in WIRES {
                let with = |group: &str, power_w: f64| {
                    feeder(level, group, lengths, &delta("load", "power", wires, power_w))
                };
                let most_w =
                    level.far_too_much_w * collapse(&with(earthed, level.far_too_much_w)).share;
                for of_most in [0.8, 0.9, 0.95, 0.99] {
                    let power_w = of_most * most_w;
                    let expected = between_wires(&with(earthed, power_w));
                    let expected = expected.unwrap_or_else(|why| panic!("{why}"));
                    for group in floating {
                        let found = between_wires(&with(group, power_w));
                        let what = format!("{group} {wires} {lengths:?} {of_most}");
                        agree(found, &expected, 1e-6, &what);
                    }
                }
                for of_most in [1.01, 1.6] {
                    for group in floating {
                        let found = collapse(&with(group, of_most * most_w)).share * of_most;
                        let off = (found - 1.0).abs();
                        assert!(off < 1e-4, "{group} {wires} {lengths:?} {of_most}: {found}");
                    }
                }
            }
        }
    }
}

#[test]
fn windings_held_by_reactors_to_earth_only_are_solved_too() {
    // OpenDSS: `ppm_antifloat` of a delta winding is all that holds its side.
    let network = |connections: &str| {
        let text = format!(
            "new circuit.c bus1=s basekv=10 pu=0.99 mvasc3=500 mvasc1=60\n\
             new transformer.t phases=3 windings=2 buses=[s b0] conns=[{connections}] \
             kvs=[10 0.4] kvas=[100 100] xhl=4.7 %rs=[0.98 0.87]\n\
             new line.l0 bus1=b0 bus2=b1 r1=0.28 x1=0.33 r0=0.28 x0=0.33 c1=0 c0=0 length=0.00005\n\
             new line.l1 bus1=b1 bus2=b2 r1=0.35 x1=0.30 r0=0.35 x0=0.30 c1=0 c0=0 length=0.00012\n\
             new line.l2 bus1=b0 bus2=b3 r1=0.22 x1=0.29 r0=0.22 x0=0.29 c1=0 c0=0 length=0.18\n\
             new load.g bus1=b2.1.3 phases=1 kv=0.4 model=2 kw=-2.9 pf=0.9 vminpu=0.5 vmaxpu=1.5\n\
             new load.d bus1=b3 phases=3 conn=delta kv=0.4 kw=9 pf=0.95 vminpu=0.5\n"
        );
        let mut none = |_: &str| Err("no other file".to_owned());
        dss::read("held.dss", &text, &mut none)
            .unwrap_or_else(|refusal| panic!("{refusal}"))
            .network
    };
    let expected = between_wires(&network("wye wye")).unwrap_or_else(|why| panic!("{why}"));
    agree(between_wires(&network("delta delta")), &expected, 1e-5, "delta delta");
}

/// A load from a wire to earth that a floating side hardly carries: what holds the side is a
/// susceptance of 1e-8 of the short-circuit one at each wire, behind which two nodes' closed form
/// has `v^2 = (1 + sqrt(1 - 4 p^2)) / 2` up to `p = 1 / 2`.
#[test]
fn rounding_hides_nothing_that_loads_to_earth_do() {
    let volts = 400.0 / 3f64.sqrt();
    let unit_w = 3.0 * 1e-8 * 100e3 / 400.0 / 400.0 / 0.04 * volts * volts;
    let network = |p: f64| {
        let at_end = format!(
            "[[load]]\nname = 'it'\nnode = 'LAST'\nwires = 'a'\nconnection = 'star'\np = '{} W'\n",
            p * unit_w
        );
        feeder(&LOW, "Dd0", FEEDERS[1], &at_end)
    };
    for p in [0.1_f64, 0.3, 0.4, 0.45, 0.49, 0.499] {
        let flow = flow::solve(&network(p), &Options::default());
        let flow = flow.unwrap_or_else(|why| panic!("{p}: {why}"));
        let found = flow.nodes[flow.nodes.len() - 1].voltage_v[0].norm() / volts;
        let expected = (0.5 + (0.25 - p * p).sqrt()).sqrt();
        assert!((found - expected).abs() < 1e-4, "{p}: {found}, expected {expected}");
    }
    for p in [0.501, 0.6, 1.0, 30.0, 1e4] {
        // Beyond it there is none, for the reason that nothing there is earthed.
        let Err(why) = flow::solve(&network(p), &Options::default()) else { panic!("{p}: served") };
        let why = why.to_string();
        let expected = "load `it`: its current has no way back: it draws from `a` of node `n4`";
        assert!(why.contains(expected), "{p}: {why}");
    }
}
