//! Wires that no source reaches beside wires that one does: nothing flows along them.

#![expect(clippy::unwrap_used, reason = "what is not as expected fails its test")]

use lastmeter_grid::flow::{self, Flow, Method, Options};
use lastmeter_grid::format::{dss, toml};
use lastmeter_grid::short_circuit::{self, Fault, Location, PrefaultState, Scaling};
use lastmeter_grid::{Complex64, Network, check, network::NodeId};

/// Of one conductor beside two others at 0.3 + j0.3 ohm/km and four times that: ohm per km.
const OWN: Complex64 = Complex64::new(0.6, 0.6);

const SOURCE: &str = r#"
    format = 1
    voltage = "400 V"
    node = [{ name = "supply" }, { name = "gate" }, { name = "home" }]
    source = [{ node = "supply", short_circuit_power = "1e6 MVA" }]
"#;

/// A line of one phase from the supply to the gate, and one of these wires on to the home.
fn lateral(wires: &str, more: &str) -> Network {
    let line = |name: &str, from: &str, to: &str, wires: &str| {
        format!(
            "[[line]]\nname = \"{name}\"\nfrom = \"{from}\"\nto = \"{to}\"\nwires = \"{wires}\"\n\
             length = \"500 m\"\nr1 = \"0.3 ohm/km\"\nx1 = \"0.3 ohm/km\"\nr0 = \"1.2 ohm/km\"\n\
             x0 = \"1.2 ohm/km\"\n"
        )
    };
    let lines = line("first", "supply", "gate", "a") + &line("second", "gate", "home", wires);
    let load = "[[load]]\nname = \"heater\"\nnode = \"home\"\nwires = \"a\"\nmodel = \"impedance\"\n\
                p = \"10 kW\"\n";
    toml::read("net.toml", &format!("{SOURCE}{lines}{load}{more}")).unwrap()
}

fn solve(network: &Network) -> Vec<Flow> {
    let by = |method| flow::solve(network, &Options { method, ..Options::default() }).unwrap();
    [Method::Sweep, Method::CurrentInjection, Method::Newton].map(by).into()
}

fn refused(network: &Network) -> String {
    let message = check::check(network).faults.first().map(ToString::to_string).unwrap_or_default();
    let solved = flow::solve(network, &Options::default()).unwrap_err().to_string();
    assert!(!message.is_empty() && solved.ends_with(&message), "{solved}\n{message}");
    message.split_once(": ").unwrap().1.to_owned()
}

#[test]
fn conductors_beside_the_one_that_is_fed_are_no_shield() {
    let volts = 400.0 / 3.0_f64.sqrt();
    let load = volts * volts / 10e3;
    let current = volts / (OWN + load).norm();
    for wires in ["a", "ab", "ca", "abc"] {
        let network = lateral(wires, "");
        for flow in solve(&network) {
            let at = flow.nodes[2].voltage_v;
            assert!((at[0].norm() / (current * load) - 1.0).abs() < 1e-6, "{wires}: {at:?}");
            assert!((flow.losses_va.re / (current * current * OWN.re) - 1.0).abs() < 1e-6);
            assert_eq!((at[1], at[2]), (Complex64::ZERO, Complex64::ZERO));
            let conductors = flow.lines[1].from.current_a.map(Complex64::norm);
            let fed = network.lines[1].from.wires.as_slice().iter().position(|it| it.index() == 0);
            for (k, flowing) in conductors.into_iter().enumerate() {
                let expected = if Some(k) == fed { current } else { 0.0 };
                assert!((flowing - expected).abs() < 1e-5, "{wires}: {conductors:?}");
            }
        }
    }
}

#[test]
fn they_are_none_in_a_fault_either_nor_with_their_line_broken() {
    let options = short_circuit::Options {
        before: PrefaultState::Unloaded(Scaling::Maximum),
        ..short_circuit::Options::default()
    };
    let volts = 1.1 * 400.0 / 3.0_f64.sqrt();
    for wires in ["a", "ab", "abc"] {
        let network = lateral(wires, "");
        let current = |kind: &str, location: Location| {
            let kind = kind.parse().unwrap();
            let fault = Fault { kind, location, impedance_ohm: Complex64::ZERO };
            short_circuit::solve(&network, &[fault], &options).map(|it| it.faults[0].current_a[0])
        };
        let found = current("ag", Location::Node(NodeId(2))).unwrap().norm();
        assert!((found * OWN.norm() / volts - 1.0).abs() < 1e-6, "{wires}: {found}");
        for share in [0.0, 0.4, 1.0] {
            let location = Location::Line { line: 1, share };
            let found = current("ag", location).unwrap().norm();
            let expected = volts / (OWN * (0.5 + 0.5 * share)).norm();
            assert!((found / expected - 1.0).abs() < 1e-6, "{wires} {share}: {found}");
            let broken = current("open-a", location).unwrap();
            assert!(broken.norm() < 1e-6, "{wires} {share}: {broken}");
        }
    }
}

/// All of the loop in a row: both lines, the load, and what is left between the broken ends.
#[test]
fn beside_a_broken_conductor_they_are_no_shield_either() {
    let options = short_circuit::Options {
        before: PrefaultState::Loaded(Options::default()),
        ..short_circuit::Options::default()
    };
    let volts = 400.0 / 3.0_f64.sqrt();
    let (load, between) = (volts * volts / 10e3, Complex64::new(5.0, 0.0));
    let current = volts / (OWN + load + between).norm();
    for wires in ["a", "ab", "abc"] {
        let network = lateral(wires, "");
        for share in [0.0, 0.4, 1.0] {
            let fault = Fault {
                kind: "open-a".parse().unwrap(),
                location: Location::Line { line: 1, share },
                impedance_ohm: between,
            };
            let found = short_circuit::solve(&network, &[fault], &options).unwrap().faults[0];
            let through = found.current_a[0].norm();
            assert!((through / current - 1.0).abs() < 1e-6, "{wires} {share}: {through}");
            let across = found.voltage_v[0].norm();
            assert!((across / (current * 5.0) - 1.0).abs() < 1e-6, "{wires} {share}: {across}");
        }
    }
}

/// The others' charging lets them float: two capacitances between wires in a row are one of half
/// the size.
#[test]
fn what_charges_them_lets_them_float() {
    let line = |bus: &str, capacitances: &str| {
        let phases = bus.matches('.').count();
        let r = ["[0.6]", "[0.6|0.3 0.6]", "[0.6|0.3 0.6|0.3 0.3 0.6]"][phases - 1];
        let text = format!(
            "clear\nset defaultbasefrequency=50\nnew circuit.c basekv=0.4 bus1=s mvasc3=1e6 \
             mvasc1=1e6\nnew line.first bus1=s.1 bus2=g.1 phases=1 r1=0.6 x1=0 c1=0\n\
             new line.second bus1=g{bus} bus2=h{bus} phases={phases} rmatrix={r} xmatrix={r} \
             cmatrix={capacitances}\n"
        );
        dss::read("c.dss", &text, &mut |_| Err("none".to_owned())).unwrap().network
    };
    let charging = |network: &Network| {
        let flow = flow::solve(network, &Options::default()).unwrap();
        -flow.sources[0].power_va[0].im
    };
    // 50 uF to earth, 10 uF to b and as much from there to earth: 50 + 5 uF.
    let alone = charging(&line(".1", "[55000]"));
    let beside = charging(&line(".1.2", "[60000|-10000 20000]"));
    assert!(alone > 100.0 && (beside / alone - 1.0).abs() < 1e-9, "{alone} {beside}");
    // b and c 10 uF to a and between each other, none to earth: they have the voltage of a.
    let alone = charging(&line(".1", "[50000]"));
    let matrix = "[70000|-10000 20000|-10000 -10000 20000]";
    let beside = charging(&line(".1.2.3", matrix));
    assert!((beside / alone - 1.0).abs() < 1e-9, "{alone} {beside}");
}

#[test]
fn capacitors_half_on_such_wires_are_refused() {
    let bank = "[[capacitor]]\nname = \"bank\"\nnode = \"home\"\nwires = \"abc\"\n\
                connection = \"delta\"\nq = \"30 kvar\"\n";
    assert_eq!(
        refused(&lateral("a", bank)),
        "shunt `bank`: it stands between `a` and `b` of node `home`, but `b` is de-energised \
         there; give the lines there that wire, or leave it out"
    );
    // From each wire to earth nothing is shared.
    let star = bank.replace("connection = \"delta\"\n", "");
    let network = lateral("abc", &star);
    let report = check::check(&network);
    let remarks: Vec<_> = report.remarks.iter().map(ToString::to_string).collect();
    let expected = "line 32: shunt `bank`: `bc` of node `home` is de-energised: nothing is drawn \
                    from there";
    assert!(report.is_sound() && remarks == [expected], "{remarks:?}");
    let one = bank.replace("\"abc\"\nconnection = \"delta\"", "\"a\"").replace("30", "10");
    let [three, one] = [network, lateral("abc", &one)].map(|it| solve(&it)[0].sources[0].power_va);
    assert!((three[0] - one[0]).norm() < 1e-6 * one[0].norm(), "{three:?} {one:?}");
}

#[test]
fn a_loop_of_such_conductors_is_refused() {
    let beside = "[[line]]\nname = \"third\"\nfrom = \"gate\"\nto = \"home\"\nwires = \"bc\"\n\
                  length = \"500 m\"\nr1 = \"0.3 ohm/km\"\nx1 = \"0.3 ohm/km\"\n";
    assert_eq!(
        refused(&lateral("abc", beside)),
        "line `third`: its conductor `b` closes a de-energised loop, in which the \
         conductors beside it would drive a current; open it, or leave out wires that are not fed"
    );
    assert!(check::check(&lateral("a", beside)).is_sound());
    let open = beside.to_owned() + "open = \"to\"\n";
    assert!(check::check(&lateral("abc", &open)).is_sound());
}
