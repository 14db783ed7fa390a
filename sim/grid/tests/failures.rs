//! What is told where there is no solution, or none to be trusted. Limits are closed forms.

#![expect(clippy::unwrap_used, reason = "what is not told as expected fails its test")]

use std::fmt::Write as _;

use lastmeter_grid::flow::{self, Failure, Flow, Options};
use lastmeter_grid::format::toml;
use lastmeter_grid::network::LineImpedance;
use lastmeter_grid::{Complex64, Network};

/// 400 V behind next to nothing, and a line to each of these homes: name, ohm, watts on wire a.
fn homes(homes: &[(&str, f64, f64)]) -> Network {
    let mut text = "format = 1\nvoltage = '400 V'\n[[node]]\nname = 'bus'\n\
                    [[source]]\nname = 'supply'\nnode = 'bus'\nshort_circuit_power = '1000 GVA'\n"
        .to_owned();
    for (name, ohm, watts) in homes {
        let _ = write!(
            text,
            "[[node]]\nname = '{name}'\n[[line]]\nname = 'to {name}'\nfrom = 'bus'\nto = '{name}'\n\
             length = '1 m'\nr1 = '{ohm:e} ohm/m'\nx1 = '0 ohm/m'\n\
             [[load]]\nname = 'load {name}'\nnode = '{name}'\nwires = 'a'\np = '{watts:e} W'\n"
        );
    }
    toml::read("net.toml", &text).unwrap_or_else(|refusal| panic!("{refusal}"))
}

fn collapse(network: &Network) -> (flow::Collapse, String) {
    let failure = flow::solve(network, &Options::default()).unwrap_err();
    let text = failure.to_string();
    let Failure::Collapse(it) = failure else { panic!("{text}") };
    (*it, text)
}

/// `V^2 / 4 R`, watts.
fn most_w(ohm: f64) -> f64 {
    (400.0_f64 * 400.0 / 3.0) / (4.0 * ohm)
}

/// Beside homes at the end of longer lines, whose voltages are the lowest ones as long as there is
/// a solution for so small a share of the loads that hardly anything flows.
#[test]
fn an_absurd_load_is_named_with_what_could_get_there() {
    for watts in [2.0 * most_w(0.1), 1e6, 1e9, 1e12] {
        let network = homes(&[("far", 2.0, 3000.0), ("near", 0.1, watts), ("next", 0.5, 5000.0)]);
        let (found, text) = collapse(&network);
        assert_eq!((&*found.source, &*found.node), ("supply", "near"), "{text}");
        assert!((found.share * watts / most_w(0.1) - 1.0).abs() < 5e-3, "{watts}: {text}");
        // At the limit half of the voltage is left.
        assert!((0.5..0.55).contains(&found.voltage_pu), "{text}");
        let too_much = found.too_much.unwrap();
        assert_eq!(&*too_much.load, "load near");
        assert!((too_much.wanted_va / watts - 1.0).abs() < 1e-9, "{text}");
        assert!((too_much.most_va / most_w(0.1) - 1.0).abs() < 1e-4, "{text}");
        assert!(text.contains("load `load near`"), "{text}");
    }
}

/// Two loads that a shared line cannot carry together, while it could each of them alone.
#[test]
fn no_load_is_blamed_where_none_is_too_much_alone() {
    let mut network = homes(&[("one", 0.1, 0.7 * most_w(0.1)), ("two", 0.1, 0.0)]);
    let mut other = network.loads[0].clone();
    other.name = "other".into();
    network.loads.push(other);
    let (found, text) = collapse(&network);
    assert_eq!((&*found.node, found.too_much.as_ref()), ("one", None), "{text}");
    assert!((found.share * 1.4 - 1.0).abs() < 5e-3, "{text}");
}

/// In-feed `G` behind `R + jX` ends at `V^2 / 2 (|Z| - R)`; there `|V|^2 = V0^2 / 2 + R G` is above
/// the voltage without it. Another home has the lowest voltage.
#[test]
fn too_much_in_feed_is_found_where_the_voltage_rises() {
    let mut network = homes(&[("far", 1.0, 4000.0), ("roof", 0.1, -1e9)]);
    for line in &mut network.lines {
        let LineImpedance::Sequence(own) = &mut line.impedance else {
            panic!("by symmetrical components");
        };
        (own.z1_ohm.im, own.z0_ohm.im) = (0.05, 0.05);
    }
    let (found, text) = collapse(&network);
    let (volts, ohm) = (400.0 / 3f64.sqrt(), 0.1_f64.hypot(0.05));
    let most = volts * volts / (2.0 * (ohm - 0.1));
    assert_eq!(&*found.node, "roof", "{text}");
    let too_much = found.too_much.unwrap();
    assert!((too_much.most_va / most - 1.0).abs() < 1e-3, "{too_much:?} is not {most}");
    assert!((found.share * 1e9 / most - 1.0).abs() < 5e-3, "{text}");
    let end = (0.5 + 0.1 * most / (volts * volts)).sqrt();
    assert!((found.voltage_pu - end).abs() < 0.1 * end && end > 1.0, "{text}");
}

/// A mesh of a nanometre of cable beside lines of megohms.
fn ill_conditioned(thin_ohm: f64, thick_ohm: f64) -> Network {
    let mut text = "format = 1\nvoltage = '400 V'\n[[source]]\nname = 'supply'\nnode = 'n0'\n\
                    short_circuit_power = '10 MVA'\n"
        .to_owned();
    for node in 0..6 {
        let _ = write!(text, "[[node]]\nname = 'n{node}'\n");
    }
    let lines = [(0, 1, 0.1), (1, 2, thin_ohm), (2, 3, thick_ohm), (3, 4, thin_ohm), (4, 5, 0.2)];
    let ties = [(5, 1, 0.3), (2, 4, thin_ohm), (3, 1, thin_ohm), (0, 4, thick_ohm)];
    for (number, (from, to, ohm)) in lines.into_iter().chain(ties).enumerate() {
        let _ = write!(
            text,
            "[[line]]\nname = 'l{number}'\nfrom = 'n{from}'\nto = 'n{to}'\nlength = '1 m'\n\
             r1 = '{ohm:e} ohm/m'\nx1 = '{:e} ohm/m'\n",
            0.3 * ohm
        );
    }
    for node in 2..6 {
        let _ = write!(text, "[[load]]\nname = 'h{node}'\nnode = 'n{node}'\np = '{node} kW'\n");
    }
    toml::read("net.toml", &text).unwrap_or_else(|refusal| panic!("{refusal}"))
}

/// The power that is missing at each node but the first, by Ohm's law from the voltages: wire a to
/// c, volt-amperes.
fn missing_va(network: &Network, flow: &Flow) -> Vec<[f64; 3]> {
    let mut drawn = vec![[Complex64::ZERO; 3]; network.nodes.len()];
    for line in &network.lines {
        let LineImpedance::Sequence(own) = &line.impedance else { panic!("by components") };
        let [from, to] = [&line.from, &line.to].map(|end| end.node.index());
        let across =
            |wire: usize| flow.nodes[from].voltage_v[wire] - flow.nodes[to].voltage_v[wire];
        // Both sequences are alike, so nothing couples the wires.
        let currents = [0, 1, 2].map(|wire| across(wire) / own.z1_ohm);
        drawn[from].iter_mut().zip(currents).for_each(|(drawn, current)| *drawn += current);
        drawn[to].iter_mut().zip(currents).for_each(|(drawn, current)| *drawn -= current);
    }
    for load in &network.loads {
        let at = load.connection.node.index();
        let powers = load.power_va.iter().zip(flow.nodes[at].voltage_v);
        for (drawn, (power, voltage)) in drawn[at].iter_mut().zip(powers) {
            *drawn += (power / voltage).conj();
        }
    }
    let power = |node: usize, wire: usize| {
        drawn[node][wire].norm() * flow.nodes[node].voltage_v[wire].norm()
    };
    (1..network.nodes.len()).map(|node| [0, 1, 2].map(|wire| power(node, wire))).collect()
}

#[test]
fn a_solution_in_which_currents_do_not_add_up_is_none() {
    let sound = flow::solve(&ill_conditioned(1e-3, 1.0), &Options::default()).unwrap();
    let largest = |all: Vec<[f64; 3]>| all.into_iter().flatten().fold(0.0, f64::max);
    let sound_va = largest(missing_va(&ill_conditioned(1e-3, 1.0), &sound));
    assert!(sound_va < 1e-2 && sound.residual_va < 1e-2, "{sound_va} {}", sound.residual_va);
    for thin_ohm in [1e-13, 1e-15] {
        let network = ill_conditioned(thin_ohm, 1e6);
        let failure = flow::solve(&network, &Options::default()).unwrap_err();
        let text = failure.to_string();
        let Failure::Inexact { node, residual_va, allowed_va, .. } = failure else {
            panic!("{text}")
        };
        // 14 kW at the source and at the loads, and a share of 1e-5 of that.
        assert!(residual_va > 100.0 && allowed_va == 1.0, "{text}");
        assert!(["n1", "n2", "n3", "n4"].contains(&&*node), "{text}");
        assert!(text.contains(&format!("at node `{node}` wire ")), "{text}");
        // Who asks for no more gets it, and what is missing is what Ohm's law says.
        let careless = Options { tolerance_pu: 1.0, ..Options::default() };
        let flow = flow::solve(&network, &careless).unwrap();
        let by_hand = missing_va(&network, &flow);
        let (at, wire) = flow.residual_at.unwrap();
        let there = by_hand[at as usize - 1][wire.index()];
        assert!(flow.residual_va > 100.0, "{}", flow.residual_va);
        assert!((there / flow.residual_va - 1.0).abs() < 1e-3, "{there} {}", flow.residual_va);
        assert!((largest(by_hand) / there - 1.0).abs() < 1e-3, "{there}");
    }
}

/// Without loads, and where loads and in-feed cancel, nothing is divided by what hardly flows.
#[test]
fn what_hardly_carries_anything_is_solved() {
    for watts in [[0.0, 0.0], [5000.0, -5000.0], [1e-6, 0.0]] {
        let network = homes(&[("one", 0.01, watts[0]), ("two", 0.01, watts[1])]);
        assert!(flow::solve(&network, &Options::default()).is_ok(), "{watts:?}");
    }
}
