//! The example of the documentation and its variations; figures are worked out by hand.

use num_complex::Complex64;
use proptest::prelude::*;

use super::read;
use crate::network::{Configuration, LineImpedance, Magnetising, WindingKind, Wire};

/// The example as it stands in the documentation.
fn example() -> String {
    let documentation = include_str!("mod.rs");
    let begin = documentation.find("```toml\n").unwrap() + 8;
    let end = documentation[begin..].find("//! ```").unwrap() + begin;
    let lines = documentation[begin..end].lines();
    lines.map(|line| line.trim_start_matches("//!").trim_start().to_owned() + "\n").collect()
}

fn close(found: Complex64, re: f64, im: f64) {
    let expected = Complex64::new(re, im);
    assert!((found - expected).norm() <= 1e-12 * expected.norm(), "{found} is not {expected}");
}

#[test]
fn the_documented_example_is_read_as_described() {
    let network = read("two.toml", &example()).unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!((network.name.as_str(), network.frequency_hz), ("Two homes", 50.0));
    assert_eq!(network.nodes[0].rated_voltage_v, 10_000.0);
    assert_eq!(network.nodes[2].rated_voltage_v, 400.0);
    let LineImpedance::Sequence(line) = &network.lines[0].impedance else {
        panic!("by symmetrical components");
    };
    close(line.z1_ohm, 0.077_04, 0.009_96);
    close(line.z0_ohm, 0.308_4, 0.039_6);
    assert_eq!(network.lines[0].rated_current_a, Some(144.0));
    let transformer = &network.transformers[0];
    close(transformer.short_circuit_pu[0], 0.0115, (0.04_f64.powi(2) - 0.0115_f64.powi(2)).sqrt());
    assert_eq!((transformer.clock[0], transformer.windings[0].kind), (5, WindingKind::Delta));
    let none = Complex64::ZERO;
    assert_eq!(transformer.magnetising, Magnetising::BySequence { y1_pu: none, y0_pu: none });
    let source = &network.sources[0];
    assert!((source.z1_ohm.norm() - 0.4).abs() < 1e-12);
    let load = &network.loads[0];
    assert_eq!(load.connection.wires.as_slice(), [Wire::B]);
    close(load.power_va[0], 2500.0, 2500.0 * (1.0 / 0.95_f64.powi(2) - 1.0).sqrt());
}

#[test]
fn mistakes_are_reported_with_their_line_what_was_found_and_what_was_expected() {
    let cases = [
        ("format = 1\n", "", "f.toml:1: the file: format is missing; write `format = 1` on top"),
        ("= 1\n", "= 2\n", "f.toml:1: the file: format = 2 is found, `format = 1` is expected on"),
        ("0.642 ohm/km", "0.642", "f.toml:7: code NAYY 4x50: r1: \"0.642\" is found, its unit"),
        ("0.642 ohm/km", "ohm", "f.toml:7: code NAYY 4x50: r1: \"ohm\" is found, a value like"),
        (
            "r0 = ",
            "r2 = ",
            "f.toml:9: code NAYY 4x50: r2 is unknown; expected one of name, rated_current, r1",
        ),
        ("voltage = \"10 kV\"", "", "f.toml: "),
        ("to = \"home\"", "to = \"house\"", "f.toml:40: line L1: to is \"house\", but there is no"),
        ("\"Dyn5\"", "\"Dyn6\"", "f.toml:31: transformer T1: group is \"Dyn6\", one like"),
        ("length = \"120 m\"", "", "f.toml:37: line L1: length is missing"),
        ("\"120 m\"", "\"-3 m\"", "f.toml:42: line L1: length = \"-3 m\" is found, more than 0 is"),
        ("wires = \"b\"", "wires = \"bb\"", "f.toml:47: load home: wires is \"bb\", different"),
        (
            "wires = \"b\"",
            "wires = \"bn\"",
            "f.toml:47: load home: node home has wires abc, not all of bn",
        ),
        ("0.95", "1.5", "f.toml:49: load home: power_factor = 1.5 is found, a number from"),
        (
            "name = \"home\"\n",
            "name = \"grid\"\n",
            "f.toml:21: node grid: the name stands on line 13 too",
        ),
        ("[[source]]", "[[sauce]]", "f.toml:23: the file: sauce is unknown; expected one of"),
        ("name = \"T1\"", "name = T1", "f.toml:28: not TOML: "),
        ("\"400 kVA\"", "\"0 kVA\"", "f.toml:33: transformer T1: power = \"0 kVA\" is found"),
        ("\"2.5 kW\"", "\"nan kW\"", "f.toml:48: load home: p: \"nan kW\" is found, a value"),
        ("\"4.6 kW\"", "\"46 kW\"", "f.toml:35: transformer T1: copper_loss = \"46 kW\" is"),
        ("\"400 V\"]", "\"-4 V\"]", "f.toml:32: transformer T1: voltages = [\"10 kV\", \"-4 V\"]"),
        ("\"10 kV\"", "\"0 V\"", "f.toml:15: node grid: voltage = \"0 V\" is found"),
        (
            "uk = \"4 %\"",
            "uk = \"4 %\"\ntap = { step = 0.01,\nposition = 3 , highest = 2 }",
            "f.toml:36: transformer T1: tap: position 3 is outside of 0 to 2",
        ),
    ];
    assert_messages(&cases);
}

/// Figures that lack a unit, have more than one point, or are shares of more than the whole.
#[test]
fn figures_that_are_none_are_reported_with_what_to_write() {
    assert_messages(&[
        ("2.5 kW", "2,5 kW", "f.toml:48: load home: p: \"2,5 kW\" is found; decimals have a point"),
        (
            "uk = \"4 %\"",
            "uk = 4",
            "f.toml:34: transformer T1: uk = 4 is found, which is 400 %; write \"4 %\" if",
        ),
        ("\"4 %\"", "\"4\"", "f.toml:34: transformer T1: uk = \"4\" is found, which is 400 %; wr"),
        ("\"4 %\"", "\"104 %\"", "f.toml:34: transformer T1: uk = \"104 %\" is found, at most"),
        (
            "uk = \"4 %\"",
            "uk = \"4 %\"\nno_load_current = 1.5",
            "f.toml:35: transformer T1: no_load_current = 1.5 is found, which is 150 %; write",
        ),
        (
            "uk = \"4 %\"",
            "uk = \"4 %\"\ntap = { step = 2.5, highest = 2 }",
            "f.toml:35: transformer T1: tap: step = 2.5 is found, which is 250 %; write \"2.5 %\"",
        ),
        ("\"2.5 kW\"", "2.5", "f.toml:48: load home: p: 2.5 is found, a value with its unit in"),
        (
            "\"2.5 kW\"",
            "4000",
            "f.toml:48: load home: p: 4000 is found, a value with its unit in quotes is expected, \
             such as \"4000 W\" or \"4000 kW\"",
        ),
        ("\"2.5 kW\"", "true", "f.toml:48: load home: p: a value with its unit is expected, such"),
    ]);
}

#[test]
fn what_is_no_transformer_joins_nodes_of_one_voltage() {
    assert_messages(&[
        (
            "name = \"home\"\n",
            "name = \"home\"\nvoltage = \"230 V\"\n",
            "f.toml:41: line L1: node busbar is rated for 400 V and node home for 230 V, but the \
             same voltage is expected at both ends; the voltage of a node is that between lines",
        ),
        (
            "[[load]]",
            "[[switch]]\nname = \"S1\"\nfrom = \"grid\"\nto = \"busbar\"\n\n[[load]]",
            "f.toml:47: switch S1: node grid is rated for 10000 V and node busbar for 400 V, but",
        ),
    ]);
}

/// What changes of the example are refused with.
fn assert_messages(changes: &[(&str, &str, &str)]) {
    for (from, to, expected) in changes.iter().copied() {
        let text = example();
        assert!(text.contains(from), "{from}");
        let read = read("f.toml", &text.replacen(from, to, 1));
        if expected == "f.toml: " {
            // The voltage on top of the file takes its place.
            assert!(read.is_ok());
            continue;
        }
        let refusal = read.unwrap_err();
        let found: Vec<String> = refusal.mistakes.iter().map(ToString::to_string).collect();
        assert!(found.iter().any(|it| it.starts_with(expected)), "{found:?}\nlacks {expected}");
    }
}

#[test]
fn an_unknown_key_and_a_missing_one_of_a_table_are_reported_together() {
    for (key, missing, unknown) in [
        ("to = \"home\"", "f.toml:37: line L1: to is missing", "line L1: two is unknown"),
        ("p = \"2.5 kW\"", "f.toml:44: load home: p is missing", "load home: two is unknown"),
        ("group = \"Dyn5\"", "transformer T1: group is missing", "transformer T1: two is unknown"),
        ("name = \"T1\"", "transformer: name is missing", "transformer: two is unknown"),
    ] {
        let text = example();
        assert!(text.contains(key), "{key}");
        let refusal = read("f.toml", &text.replacen(key, "two = 2", 1)).unwrap_err();
        let found: Vec<String> = refusal.mistakes.iter().map(ToString::to_string).collect();
        for expected in [missing, unknown] {
            assert!(found.iter().any(|it| it.contains(expected)), "{found:?}\nlacks {expected}");
        }
    }
    let wrong = "[[load]]\nnode='home'\nwires='ca'\nconnection='delta'\nmodel='x'\np='1 kW'\n\
                 [[load]]\nnode='home'\nwires='b'\nconnection='delta'\np='1 kW'\n\
                 [[transformer]]\nname='T2'\nfrom='grid'\nto='busbar'\ngroup='Dyn5'\n\
                 voltages=['10 kV', '400 V']\npower='1 MVA'\nuk='4 %'\ntap={ site='to' }\n";
    let refusal = read("f.toml", &(example() + wrong)).unwrap_err();
    let found: Vec<String> = refusal.mistakes.iter().map(|it| it.what.clone()).collect();
    let expected = [
        "transformer T2: tap: site is unknown; expected one of step, side, position, lowest, highest",
        "transformer T2: tap: step is missing",
        "load: model is \"x\"; power, current, impedance exist",
        "load: wires b make no delta",
    ];
    assert_eq!(found, expected);
}

/// What is there, but refused, is not reported as missing where it is named.
#[test]
fn one_broken_key_is_reported_once() {
    let more = "[[regulator]]\nname='g'\ntransformer='T1'\nset_point='230 V'\nband='4 V'\n";
    for (from, to, expected) in [
        ("\"400 kVA\"", "\"400\"", "transformer T1: power"),
        ("0.642 ohm/km", "0.642", "code NAYY 4x50: r1"),
        ("name = \"busbar\"", "name = \"busbar\"\nwires = \"abx\"", "node busbar: wires"),
    ] {
        let text = example() + if from.contains("kVA") { more } else { "" };
        assert!(text.contains(from), "{from}");
        let refusal = read("f.toml", &text.replacen(from, to, 1)).unwrap_err();
        let found: Vec<String> = refusal.mistakes.iter().map(|it| it.what.clone()).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(expected), "{found:?}");
    }
}

/// Two phases by themselves may be one load between them, or two to earth.
#[test]
fn two_phases_without_a_neutral_need_a_connection() {
    let load = "[[node]]\nname='four'\nwires='abcn'\n[[load]]\nnode='four'\np='1 kW'\n";
    let describe = |more: &str| {
        let read = read("f.toml", &format!("{}{load}{more}", example()));
        read.map(|network| network.loads[1].configuration)
            .map_err(|refusal| refusal.mistakes.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let messages = describe("wires='ab'\n").unwrap_err();
    assert_eq!(messages.len(), 1, "{messages:?}");
    let expected = "f.toml:56: load: wires ab are two phases without a neutral; write connection =";
    assert!(messages[0].starts_with(expected), "{messages:?}");
    assert_eq!(describe("wires='ab'\nconnection='delta'\n"), Ok(Configuration::Delta));
    assert_eq!(describe("wires='ab'\nconnection='star'\n"), Ok(Configuration::Star));
    assert_eq!(describe("wires='abn'\n"), Ok(Configuration::Star));
    for (more, help) in [
        ("", "; a delta has no neutral: write wires = \"abc\""),
        ("wires='bcn'\n", "; a delta has no neutral: write wires = \"bc\""),
        ("wires='an'\n", ""),
    ] {
        let messages = describe(&format!("connection='delta'\n{more}")).unwrap_err();
        assert!(messages[0].ends_with(&format!(" make no delta{help}")), "{messages:?}");
    }
}

/// Every key that is known to a table can be written in it.
#[test]
fn all_keys_of_the_tables_are_read() {
    let more = "[[code]]\nname='m'\nr_matrix=[['1 ohm/km']]\nx_matrix=[['1 ohm/km']]\n\
        c_matrix=[['1 nF/km']]\nrated_current='1 A'\n\
        [[node]]\nname='n'\nvoltage='400 V'\nwires='abcn'\nat=[1, 2]\n\
        [[line]]\nname='l'\nfrom='busbar'\nto='n'\nlength='1 m'\ncode='m'\nwires='a'\n\
        open='from'\nrated_current='1 A'\n\
        [[line]]\nname='k'\nfrom='busbar'\nto='n'\nlength='1 m'\nr1='1 ohm/km'\nx1='1 ohm/km'\n\
        r0='1 ohm/km'\nx0='1 ohm/km'\nc1='1 nF/km'\nc0='1 nF/km'\n\
        [[switch]]\nname='s'\nfrom='busbar'\nto='n'\nkind='link'\nclosed=true\nwires='abc'\n\
        rated_current='1 A'\n\
        [[transformer]]\nname='T2'\nfrom='grid'\nto='busbar'\ngroup='Dyn5'\n\
        voltages=['10 kV', '400 V']\npower='1 MVA'\nuk='4 %'\ncopper_loss='1 kW'\n\
        no_load_loss='1 kW'\nno_load_current='1 %'\n\
        tap={ step='1 %', side='to', position=1, lowest=0, highest=2 }\n\
        [[source]]\nname='q'\nnode='grid'\nshort_circuit_power='1 MVA'\nvoltage='10 kV'\n\
        angle='1 deg'\nr_to_x=0.1\nz0_to_z1=1\nconnected=true\n\
        [[load]]\nname='x'\nnode='n'\np='1 kW'\nq='1 kvar'\nwires='an'\nconnection='star'\n\
        model='power'\nconnected=true\n\
        [[generator]]\nname='y'\nnode='n'\np='1 kW'\npower_factor=0.9\n\
        [[capacitor]]\nname='z'\nnode='n'\nq='1 kvar'\nwires='abc'\nconnection='star'\n\
        connected=true\n\
        [[regulator]]\nname='r'\ntransformer='T2'\nside='to'\nset_point='230 V'\nband='4 V'\n\
        voltage_transformer_ratio=2\nwire='b'\nenabled=true\n\
        line_drop={ current_transformer='300 A', r='3 V', x='1 V' }\n";
    let text = (example() + more).replacen("voltage =", "frequency = \"50 Hz\"\nvoltage =", 1);
    assert!(read("f.toml", &text).is_ok(), "{}", read("f.toml", &text).unwrap_err());
}

#[test]
fn wires_make_stars_and_deltas() {
    let more = "[[node]]\nname='four'\nwires='abcn'\n[[load]]\nnode='four'\np=['1 kW','2 kW','3 kW']\n\
        [[load]]\nnode='four'\nwires='ca'\nconnection='delta'\np='1 kW'\nq='-200 var'\n\
        [[capacitor]]\nnode='home'\nq='16 kvar'\nconnection='delta'\n\
        [[switch]]\nname='s'\nfrom='busbar'\nto='home'\nclosed=false\nkind='fuse'\n";
    let network = read("f.toml", &(example() + more)).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(network.loads[1].connection.wires.as_slice(), Wire::ALL);
    close(network.loads[1].power_va[2], 3000.0, 0.0);
    assert_eq!(network.loads[2].rated_voltage_v, 400.0);
    close(network.loads[2].power_va[0], 1000.0, -200.0);
    assert!(!network.switches[0].closed);
    let crate::network::ShuntAdmittance::Parts { y_s, .. } = network.shunts[0].admittance else {
        panic!("in parts");
    };
    close(y_s[1], 0.0, 16_000.0 / 3.0 / 160_000.0);
}

/// A transformer behind a weak source, as a script of `OpenDSS` and as TOML.
fn regulated(script: &str, table: &str) -> [crate::Network; 2] {
    let script = format!(
        "clear\nset defaultbasefrequency=50\nnew circuit.c bus1=high basekv=10 pu=0.93 \
         mvasc3=250 mvasc1=250\n\
         new transformer.t phases=3 windings=2 buses=[high low] conns=[delta wye] kvs=[10 0.4] \
         kvas=[400 400] xhl=4 %loadloss=1.15 ppm=0\n\
         new load.l bus1=low phases=3 kv=0.4 kw=150 kvar=40 vminpu=0.5\n{script}\n"
    );
    let mut open = |name: &str| Err(format!("{name} is not asked for"));
    let theirs = crate::format::dss::read("r.dss", &script, &mut open);
    let theirs = theirs.unwrap_or_else(|why| panic!("{why}")).network;
    let text = format!(
        "format = 1\nvoltage = '400 V'\n[[node]]\nname = 'high'\nvoltage = '10 kV'\n\
         [[node]]\nname = 'low'\n[[source]]\nnode = 'high'\nvoltage = '9.3 kV'\n\
         short_circuit_power = '250 MVA'\n[[load]]\nnode = 'low'\np = '150 kW'\n\
         q = '40 kvar'\n[[transformer]]\nname = 'T'\nfrom = 'high'\nto = 'low'\n\
         group = 'Dyn1'\nvoltages = ['10 kV', '400 V']\npower = '400 kVA'\nuk = '4.16 %'\n\
         copper_loss = '4.6 kW'\n\
         tap = {{ step = '0.625 %', side = 'to', lowest = -16, highest = 16 }}\n{table}"
    );
    [theirs, read("r.toml", &text).unwrap_or_else(|why| panic!("{why}"))]
}

#[test]
fn a_regulator_ends_at_the_tap_where_one_of_opendss_with_the_same_figures_does() {
    let mut ends = Vec::new();
    for (script, table) in [
        ("vreg=115 band=1 ptratio=2", "set_point='115 V'\nband='1 V'\nvoltage_transformer_ratio=2"),
        ("vreg=234 band=3 ptratio=1 ptphase=2", "set_point='234 V'\nband='3 V'\nwire='b'"),
        (
            "vreg=115 band=1 ptratio=2 ctprim=300 r=6 x=2",
            "set_point='115 V'\nband='1 V'\nvoltage_transformer_ratio=2\n\
             line_drop={ current_transformer='300 A', r='6 V', x='2 V' }",
        ),
        (
            "vreg=115 band=1 ptratio=2 maxtapchange=0",
            "set_point='115 V'\nband='1 V'\nenabled=false",
        ),
    ] {
        let networks = regulated(
            &format!("new regcontrol.g transformer=t winding=2 {script}"),
            &format!("[[regulator]]\ntransformer='T'\n{table}\n"),
        );
        let solved = networks.map(|network| {
            let flow = crate::flow::solve(&network, &crate::flow::Options::default());
            let flow = flow.unwrap_or_else(|why| panic!("{why}"));
            let low = network.nodes.iter().position(|it| &*it.name == "low").unwrap();
            (flow.taps, flow.nodes[low].voltage_v[0].norm())
        });
        assert_eq!(solved[0].0, solved[1].0, "{script}");
        assert!((solved[0].1 - solved[1].1).abs() < 0.1, "{script}: {solved:?}");
        ends.push(solved[0].0.first().map_or(0, |it| it.2));
    }
    // The drop of the line is more than that of the busbar, and who may not move does not.
    assert!(ends[0] > 8 && ends[2] > ends[0] && ends[1] > 8 && ends[3] == 0, "{ends:?}");
}

/// Taps of the side of higher voltage hold that of the other one: fewer turns there.
#[test]
fn a_regulator_holds_the_voltage_of_the_side_that_it_measures() {
    let tap = "uk = \"4 %\"\ntap = { step = \"2.5 %\", lowest = -4, highest = 4 }";
    let more = "voltage = \"9.3 kV\"\n[[regulator]]\ntransformer='T1'\nside='to'\n\
                set_point='231 V'\nband='6 V'\n";
    let source = "short_circuit_power = \"250 MVA\"\n";
    let (given, regulator) = more.split_at(more.find('[').unwrap());
    let text = example().replacen("uk = \"4 %\"", tap, 1);
    let text = text.replacen(source, &format!("{source}{given}"), 1) + regulator;
    let network = read("r.toml", &text).unwrap_or_else(|why| panic!("{why}"));
    let flow = crate::flow::solve(&network, &crate::flow::Options::default()).unwrap();
    assert!(flow.taps[0].2 < 0, "{:?}", flow.taps);
    let volts = flow.nodes[1].voltage_v[0].norm();
    assert!((volts - 231.0).abs() <= 3.0, "{volts}");
}

#[test]
fn mistakes_of_regulators_are_reported_with_the_line_of_their_key() {
    let good = "[[regulator]]\nname='g'\ntransformer='T1'\nset_point='230 V'\nband='4 V'\n";
    let tap = "uk = \"4 %\"\ntap = { step = \"2.5 %\", lowest = -2, highest = 2 }";
    let tapped = example().replacen("uk = \"4 %\"", tap, 1);
    let line = tapped.lines().count() + 1;
    let network = read("f.toml", &(tapped.clone() + good)).unwrap();
    let own = &network.regulators[0];
    assert_eq!((own.winding, own.node.index(), own.against), (0, 0, Some(Wire::B)));
    for (from, to, at, expected) in [
        ("'T1'", "'T9'", 2, "transformer is \"T9\", but there is no such transformer"),
        ("'230 V'", "'-1 V'", 3, "set_point = \"-1 V\" is found, more than 0"),
        ("'4 V'", "'4'", 4, "band: \"4\" is found, its unit is expected"),
        ("band='4 V'", "side='up'", 4, "side is \"up\", \"from\" or \"to\" is expected"),
        ("name='g'", "name='g'\nwire='n'", 2, "wire is \"n\"; a, b or c is expected"),
        (
            "band='4 V'",
            "bands='4 V'",
            4,
            "bands is unknown; expected one of name, transformer, side",
        ),
        (
            "band='4 V'",
            "band='4 V'\nside='to'\nline_drop={ current_transformer='1 A' }",
            6,
            "line_drop is known only where",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        let refusal = read("f.toml", &(tapped.clone() + &good.replacen(from, to, 1))).unwrap_err();
        let found: Vec<String> = refusal.mistakes.iter().map(ToString::to_string).collect();
        let expected = format!("f.toml:{}: regulator g: {expected}", line + at);
        assert!(found.iter().any(|it| it.starts_with(&expected)), "{found:?}\nlacks {expected}");
    }
    let refusal = read("f.toml", &(example() + good)).unwrap_err().to_string();
    assert!(refusal.contains("regulator g: transformer T1 has no taps that can move"), "{refusal}");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC*") {
        let _ = read("f.toml", &text);
    }

    #[test]
    fn no_change_of_the_example_makes_it_panic(
        at in 0usize..1000, length in 0usize..30, with in "[0-9a-z=\"\\[\\]{}., -]{0,8}"
    ) {
        let text = example();
        if let (Some(begin), Some(rest)) = (text.get(..at), text.get((at + length).min(text.len())..)) {
            let _ = read("f.toml", &format!("{begin}{with}{rest}"));
        }
    }
}
