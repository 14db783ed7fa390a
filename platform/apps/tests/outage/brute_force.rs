//! The search for areas against every choice of areas there is, on small trees.

use std::fmt::Write as _;

use lastmeter_apps::outage::areas::{Areas, ElementKind};
use lastmeter_apps::outage::score::{Prior, Weight, search};
use lastmeter_grid::network::{Wire, Wires};
use proptest::prelude::*;

use super::storms::read;

const PRIOR: Prior = Prior { area: 7, partial: 1 };

/// A tree: of each branch the node from which it goes, and whether it is a transformer; then loads,
/// each with its node and its wires.
fn network(branches: &[(usize, bool)], loads: &[(usize, &str)]) -> Areas {
    let mut text = String::from(
        "format = 1\nname = \"small\"\nfrequency = \"50 Hz\"\nvoltage = \"400 V\"\n[[source]]\n\
         name = \"s\"\nnode = \"n0\"\nshort_circuit_power = \"200 MVA\"\n[[node]]\nname = \"n0\"\n",
    );
    for (at, &(from, is_transformer)) in branches.iter().enumerate() {
        let (from, to) = (format!("n{}", from.min(at)), format!("n{}", at + 1));
        let _ = write!(text, "[[node]]\nname = \"{to}\"\n");
        if is_transformer {
            let _ = write!(
                text,
                "[[transformer]]\nname = \"{to}\"\nfrom = \"{from}\"\nto = \"{to}\"\n\
                 group = \"Dyn5\"\nvoltages = [\"400 V\", \"400 V\"]\npower = \"400 kVA\"\n\
                 uk = \"4 %\"\ncopper_loss = \"4600 W\"\nno_load_loss = \"430 W\"\n\
                 no_load_current = \"0.8 %\"\n"
            );
        } else {
            let _ = write!(
                text,
                "[[line]]\nname = \"{to}\"\nfrom = \"{from}\"\nto = \"{to}\"\nlength = \"9 m\"\n\
                 r1 = \"0.2 ohm/km\"\nx1 = \"0.1 ohm/km\"\nr0 = \"0.8 ohm/km\"\n\
                 x0 = \"0.3 ohm/km\"\n"
            );
        }
    }
    for (at, (node, wires)) in loads.iter().enumerate() {
        let node = node % (branches.len() + 1);
        let _ = write!(
            text,
            "[[load]]\nname = \"h{at}\"\nnode = \"n{node}\"\nwires = \"{wires}\"\n\
             connection = \"star\"\np = \"1 kW\"\npower_factor = 1.0\n"
        );
    }
    Areas::new(&read(&text))
}

fn set(bits: usize) -> Wires {
    Wire::PHASES.into_iter().filter(|wire| bits >> wire.index() & 1 == 1).collect()
}

/// What is out at each element if these phases are put out at them, by walking down.
fn out(areas: &Areas, put: &[Wires]) -> Vec<Wires> {
    let mut out: Vec<Wires> = Vec::new();
    for (element, put) in areas.elements().iter().zip(put) {
        let above = element.parent.map_or(Wires::NONE, |parent| out[parent as usize]);
        let is_mixed = element.kind == ElementKind::Transformer && above != Wires::ABC;
        out.push(if is_mixed { *put } else { above.union(*put) });
    }
    out
}

/// What a choice of areas is worth by the definition of the score.
fn worth(areas: &Areas, put: &[Wires], weights: &[Weight]) -> i64 {
    let out = out(areas, put);
    let is_dark = |weight: &&Weight| out[weight.element as usize].contains_all(weight.phases);
    let signs: i64 = weights.iter().filter(is_dark).map(|weight| weight.value).sum();
    let cost = |put: &Wires| match put.len() {
        0 => 0,
        3 => PRIOR.area,
        _ => PRIOR.area + PRIOR.partial,
    };
    signs - put.iter().map(cost).sum::<i64>()
}

/// The most that any choice is worth.
fn most(areas: &Areas, weights: &[Weight]) -> i64 {
    let count = areas.elements().len();
    let choices = 0..8_usize.pow(count as u32);
    let of = |choice: usize| {
        let put: Vec<Wires> = (0..count).map(|at| set(choice >> (3 * at))).collect();
        worth(areas, &put, weights)
    };
    choices.map(of).max().unwrap()
}

fn weights(areas: &Areas, values: &[i64]) -> Vec<Weight> {
    let of = |(at, &value): (usize, &i64)| {
        let element = areas.load(&format!("h{at}"))?;
        let phases = areas.elements()[element as usize].phases;
        Some(Weight { element, phases, value })
    };
    values.iter().enumerate().filter_map(of).collect()
}

fn wires() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("a"), Just("b"), Just("c"), Just("abc"), Just("ab")]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn no_choice_of_areas_is_worth_more(
        branches in prop::collection::vec((0..3_usize, prop::bool::weighted(0.2)), 1..3),
        loads in prop::collection::vec((0..3_usize, wires()), 2..4),
        values in prop::collection::vec(-6..14_i64, 3),
    ) {
        let areas = network(&branches, &loads);
        let weights = weights(&areas, &values);
        let cover = search(&areas, &weights, PRIOR);
        let mut put = vec![Wires::NONE; areas.elements().len()];
        for &(element, phases) in &cover.areas {
            put[element as usize] = phases;
        }
        prop_assert_eq!(&out(&areas, &put), &cover.phases);
        prop_assert_eq!(worth(&areas, &put, &weights), most(&areas, &weights));
        // No area has one upstream that the same phases are out by, and none could be moved up.
        for &(element, phases) in &cover.areas {
            if let Some(parent) = areas.elements()[element as usize].parent {
                let mut moved = put.clone();
                moved[element as usize] = Wires::NONE;
                moved[parent as usize] = moved[parent as usize].union(phases);
                let is_worse = worth(&areas, &moved, &weights) < worth(&areas, &put, &weights);
                prop_assert!(is_worse, "{:?} could be moved up", element);
            }
        }
    }
}

#[test]
fn ties_go_to_the_farthest_upstream() {
    // n0 - n1 - n2 with two services of phase a at n2 and a lit one of phase b at n0.
    let areas = network(&[(0, false), (1, false)], &[(2, "a"), (2, "a"), (0, "b")]);
    let cover = search(&areas, &weights(&areas, &[9, 9, -2]), PRIOR);
    let names: Vec<&str> =
        cover.areas.iter().map(|it| &*areas.elements()[it.0 as usize].name).collect();
    assert_eq!((names, cover.areas[0].1), (vec!["n1"], Wires::ABC));
    // Without the lit one the whole source is out; with a lit one of a at n1 the second line is.
    let cover = search(&areas, &weights(&areas, &[9, 9, 0]), PRIOR);
    assert_eq!(areas.elements()[cover.areas[0].0 as usize].kind, ElementKind::Source);
    // A single phase upstream of lit ones on others.
    let areas = network(&[(0, false)], &[(1, "a"), (1, "b"), (1, "a")]);
    let cover = search(&areas, &weights(&areas, &[9, -9, 9]), PRIOR);
    assert_eq!(cover.areas, [(0, set(1))]);
    // Which is no other phase's behind a transformer.
    let areas = network(&[(0, true)], &[(1, "a"), (1, "b"), (1, "a")]);
    let cover = search(&areas, &weights(&areas, &[9, -9, 9]), PRIOR);
    assert_eq!(cover.areas, [(1, set(1))]);
}
