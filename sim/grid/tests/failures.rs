//! What is reported where there is no solution, or none to be trusted. Limits are closed forms.

#![expect(clippy::unwrap_used, reason = "what is not reported as expected fails its test")]

use std::fmt::Write as _;

use lastmeter_grid::flow::{self, Failure, Flow, Options};
use lastmeter_grid::format::{pgm, toml};
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
        // Who asks for no more gets it, and what is missing is what Ohm's law gives.
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

/// Homes along branching lines of 0.1 ohm, three links between some of them; any powers of a few
/// hundred watts. In JSON of power-grid-model, which has links.
fn linked(mut seed: u64) -> Network {
    let mut draw = move |low: f64, high: f64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        low + (high - low) * ((seed >> 33) as f64 / (1_u64 << 31) as f64)
    };
    let (mut nodes, mut lines, mut links, mut loads) =
        ("{\"id\":0,\"u_rated\":400}".to_owned(), String::new(), String::new(), String::new());
    for node in 1..80_u32 {
        let before = node.saturating_sub(draw(1.0, 4.0) as u32);
        let _ = write!(nodes, ",{{\"id\":{node},\"u_rated\":400}}");
        let _ = write!(
            lines,
            ",{{\"id\":{},\"from_node\":{before},\"to_node\":{node},\"from_status\":1,\
             \"to_status\":1,\"r1\":{},\"x1\":{},\"c1\":4e-8,\"tan1\":0,\"r0\":0.3,\"x0\":0.2,\
             \"c0\":2e-8,\"tan0\":0}}",
            1000 + node,
            draw(0.03, 0.1),
            draw(0.01, 0.05)
        );
        let mut powers = |low, high| [(); 3].map(|()| draw(low, high));
        let (p, q) = (powers(-100.0, 200.0), powers(-50.0, 100.0));
        let _ = write!(
            loads,
            ",{{\"id\":{},\"node\":{node},\"status\":1,\"type\":{},\"p_specified\":{p:?},\
             \"q_specified\":{q:?}}}",
            2000 + node,
            (node * node / 3) % 3
        );
    }
    for link in 0..3 {
        let [one, other] = [draw(1.0, 40.0), draw(40.0, 80.0)].map(|at| at as u32);
        let _ = write!(
            links,
            ",{{\"id\":{},\"from_node\":{one},\"to_node\":{other},\"from_status\":1,\
             \"to_status\":1}}",
            3000 + link
        );
    }
    let text = format!(
        "{{\"version\":\"1.0\",\"type\":\"input\",\"is_batch\":false,\"attributes\":{{}},\"data\":{{\
         \"node\":[{nodes}],\"line\":[{}],\"link\":[{}],\"asym_load\":[{}],\"source\":[{{\
         \"id\":9999,\"node\":0,\"status\":1,\"u_ref\":1,\"sk\":2e8}}]}}}}",
        &lines[1..],
        &links[1..],
        &loads[1..]
    );
    pgm::read("net.json", &text).unwrap_or_else(|refusal| panic!("{refusal}")).network
}

/// What no number of 16 digits can reach is no collapse: links beside usual lines keep voltages
/// moving by their last digits. Then a coarser tolerance is named that is kept to.
#[test]
fn a_tolerance_that_cannot_be_reached_is_no_collapse() {
    let at = |network: &Network, tolerance_pu: f64| {
        flow::solve(network, &Options { tolerance_pu, ..Options::default() })
    };
    let mut unreached = 0;
    for seed in 0..150 {
        let network = linked(seed);
        let Err(failure) = at(&network, 1e-10) else { continue };
        let text = failure.to_string();
        // These loads are far from too much: none of them may be blamed.
        let Failure::Tolerance { wanted_pu, moving_pu, reached_pu, .. } = failure else {
            panic!("{seed}: {text}")
        };
        let reached = reached_pu.unwrap_or_else(|| panic!("{seed}: {text}"));
        assert!(wanted_pu < moving_pu && moving_pu < reached, "{seed}: {text}");
        assert!(text.starts_with("the tolerance of 1e-10 pu cannot be reached"), "{text}");
        assert!(text.ends_with(&format!("try --tolerance {reached:e}")), "{text}");
        assert!(at(&network, reached).is_ok(), "{seed}: {text}");
        unreached += 1;
    }
    assert!(unreached > 0, "none of the networks was of that kind");
    // Of loads that are too much no tolerance makes a question of digits.
    for tolerance_pu in [1e-13, 1e-8] {
        let failure = at(&homes(&[("near", 0.1, 2.0 * most_w(0.1))]), tolerance_pu).unwrap_err();
        assert!(matches!(failure, Failure::Collapse(_)), "{tolerance_pu}: {failure}");
    }
}

/// Behind a source of next to no impedance a home's voltage is `V0 / 2 + sqrt(V0^2 / 4 - P R)`.
#[test]
fn a_source_without_limits_is_solved_like_any_other() {
    for power in ["1e9 GVA", "1e20 GVA"] {
        let mut network = homes(&[("far", 2.0, 3000.0)]);
        let text = "format = 1\nvoltage = '400 V'\n[[node]]\nname = 'bus'\n[[source]]\n\
                    node = 'bus'\nshort_circuit_power = 'POWER'\n"
            .replace("POWER", power);
        network.sources = toml::read("net.toml", &text).unwrap().sources;
        let flow = flow::solve(&network, &Options::default())
            .unwrap_or_else(|failure| panic!("{power}: {failure}"));
        let half = 200.0 / 3f64.sqrt();
        let expected = half + (half * half - 3000.0 * 2.0).sqrt();
        let found = flow.nodes[1].voltage_v[0].norm();
        assert!((found / expected - 1.0).abs() < 1e-7, "{power}: {found} is not {expected}");
    }
}

/// A home behind a transformer of this group; three uneven loads.
fn behind(group: &str, connection: &str) -> Network {
    let text = format!(
        "format = 1\nvoltage = '400 V'\n[[node]]\nname = 'grid'\nvoltage = '10 kV'\n[[node]]\n\
         name = 'bus'\n[[node]]\nname = 'home'\n[[source]]\nnode = 'grid'\n\
         short_circuit_power = '250 MVA'\n[[transformer]]\nname = 'T1'\nfrom = 'grid'\nto = 'bus'\n\
         group = '{group}'\nvoltages = ['10 kV', '400 V']\npower = '400 kVA'\nuk = '4 %'\n[[line]]\n\
         name = 'l'\nfrom = 'bus'\nto = 'home'\nlength = '10 m'\nr1 = '1 ohm/km'\nx1 = '1 ohm/km'\n\
         [[load]]\nname = 'h'\nnode = 'home'\np = ['3 kW', '1 kW', '2 kW']\n\
         connection = '{connection}'\n"
    );
    toml::read("net.toml", &text).unwrap_or_else(|refusal| panic!("{refusal}"))
}

#[test]
fn a_star_of_loads_behind_a_bare_delta_has_no_way_back() {
    for (group, kind) in [("YNd11", "a delta"), ("Dd0", "a delta"), ("Dy5", "a wye without earth")]
    {
        let failure = flow::solve(&behind(group, "star"), &Options::default()).unwrap_err();
        let text = failure.to_string();
        assert!(matches!(failure, Failure::Description(_)), "{group}: {text}");
        let expected = format!(
            "load `h`: its current has no way back: it draws from `abc` of node `home` to earth, and \
             nothing there is earthed, as winding 2 of transformer `T1` is {kind}; connect the load \
             in delta, or earth a neutral point"
        );
        assert!(text.ends_with(&expected), "{group}: {text}");
        assert!(flow::solve(&behind(group, "delta"), &Options::default()).is_ok(), "{group}");
    }
    assert!(flow::solve(&behind("Dyn5", "star"), &Options::default()).is_ok());
    // What is too much collapses there as elsewhere.
    let mut network = behind("YNd11", "delta");
    network.loads[0].power_va = [Complex64::new(1e9, 0.0); 3];
    let failure = flow::solve(&network, &Options::default()).unwrap_err();
    assert!(matches!(failure, Failure::Collapse(_)), "{failure}");
}
