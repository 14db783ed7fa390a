//! Networks of our own through the JSON of power-grid-model and back: what an application that is
//! given such a file still knows of them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on is over")]

use lastmeter_grid::flow::{self, Flow};
use lastmeter_grid::format::{pgm, toml};
use lastmeter_grid::network::Network;

fn of_library(name: &str) -> Network {
    let path = format!("{}/../../scenarios/grids/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    toml::read(name, &std::fs::read_to_string(path).unwrap()).unwrap()
}

fn solved(network: &Network) -> Flow {
    flow::solve(network, &flow::Options::default()).unwrap()
}

/// Names and lengths come back; switches come back as lines of their name without a length; the
/// loads draw what they drew.
#[test]
fn names_and_lengths_come_back_and_switches_become_lines() {
    for name in ["medium-voltage", "lv-feeder-55"] {
        let before = of_library(name);
        let after = pgm::read("model.json", &pgm::write(&before).unwrap().json).unwrap();
        assert!(after.notes.iter().all(|it| !it.contains("names")), "{:?}", after.notes);
        let after = after.network;
        macro_rules! names {
            ($network:ident, $list:ident) => {
                $network.$list.iter().map(|it| &*it.name).collect::<Vec<_>>()
            };
        }
        assert_eq!(names!(before, nodes), names!(after, nodes));
        assert_eq!(names!(before, loads), names!(after, loads));
        assert_eq!(names!(before, sources), names!(after, sources));
        assert_eq!(names!(before, transformers), names!(after, transformers));
        let of = |line: &lastmeter_grid::network::Line| (line.name.clone(), line.length_m);
        let mut expected: Vec<_> = before.lines.iter().map(of).collect();
        assert!(expected.iter().all(|it| it.1.is_some()), "{name}: every line has a length");
        expected.extend(before.switches.iter().map(|it| (it.name.clone(), None)));
        assert_eq!(after.lines.iter().map(of).collect::<Vec<_>>(), expected);
        assert!(after.switches.is_empty());

        let (one, other) = (solved(&before), solved(&after));
        for ((load, one), other) in before.loads.iter().zip(&one.loads).zip(&other.loads) {
            let [one, other] =
                [one, other].map(|it| it.power_va.iter().sum::<lastmeter_grid::Complex64>());
            assert!((one - other).norm() < 1e-3 * one.norm(), "{}: {one} {other}", load.name);
        }
    }
}
