//! Supply against a search by hand, over every position that an unknown switch may have.

use lastmeter_model::entity::{ElectricNetwork, read};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::model::{Cut, ElementKind, Model, Position, State, Supply, phases_of};

/// A network of nodes `N0` and so on, of which the first has a source, with what joins them: two
/// nodes, and whether it is a switch, which are called by their place. A load `C0` and so on stands
/// at each node.
pub(crate) fn network(nodes: usize, joins: &[(usize, usize, bool)], normal: &[bool]) -> Value {
    let named = |id: usize, name: String, mut row: Value| {
        row["id"] = json!(id);
        row["name"] = json!(name);
        row
    };
    let node = |at: usize| named(at, format!("N{at}"), json!({ "u_rated": 400.0 }));
    let (mut lines, mut links, mut switches) = (Vec::new(), Vec::new(), Vec::new());
    for (at, &(from, to, is_switch)) in joins.iter().enumerate() {
        let (id, ends) = (1000 + at, (json!(from), json!(to)));
        let mut row = json!({ "from_node": ends.0, "to_node": ends.1, "from_status": 1,
            "to_status": 1 });
        if is_switch {
            let closed = normal.get(switches.len()).copied().unwrap_or(true);
            switches.push(json!({ "id": id, "normal": closed }));
            links.push(named(id, format!("S{at}"), row));
        } else {
            for (name, value) in [("r1", 0.1), ("x1", 0.1), ("c1", 0.0), ("tan1", 0.0)] {
                row[name] = json!(value);
            }
            lines.push(named(id, format!("L{at}"), row));
        }
    }
    let load = |at: usize| {
        let row = json!({ "node": at, "status": 1, "type": 0, "p_specified": 3000.0,
            "q_specified": 0.0 });
        named(3000 + at, format!("C{at}"), row)
    };
    let source = json!({ "node": 0, "status": 1, "u_ref": 1.0 });
    let model = json!({ "version": "1.0", "type": "input", "is_batch": false, "attributes": {},
        "data": {
            "node": (0..nodes).map(node).collect::<Vec<_>>(),
            "line": lines, "link": links,
            "source": [named(2000, "Station".to_owned(), source)],
            "sym_load": (0..nodes).map(load).collect::<Vec<_>>(),
        } });
    json!({ "name": "Feeder", "model": model.to_string(), "switches": switches })
}

fn model(nodes: usize, joins: &[(usize, usize, bool)], normal: &[bool]) -> Model {
    let given: ElectricNetwork = read(&network(nodes, joins, normal)).unwrap();
    Model::read(&given).unwrap()
}

/// Which nodes are reached from the first, by what is closed.
fn reached(nodes: usize, joins: &[(usize, usize, bool)], is_closed: &[bool]) -> Vec<bool> {
    let mut found = vec![false; nodes];
    found[0] = true;
    for _ in 0..nodes {
        for (&(from, to, _), closed) in joins.iter().zip(is_closed) {
            if *closed && (found[from] || found[to]) {
                (found[from], found[to]) = (true, true);
            }
        }
    }
    found
}

/// Every way in which what is not known can be.
fn ways(known: &[Option<bool>]) -> Vec<Vec<bool>> {
    known.iter().fold(vec![Vec::new()], |ways, one| {
        let with = |closed: bool| {
            ways.iter().map(move |way| way.iter().copied().chain([closed]).collect::<Vec<_>>())
        };
        match one {
            Some(closed) => with(*closed).collect(),
            None => with(false).chain(with(true)).collect(),
        }
    })
}

fn expected(found: &[Vec<bool>], node: usize) -> Supply {
    match found.iter().filter(|way| way[node]).count() {
        0 => Supply::No,
        count if count == found.len() => Supply::Yes,
        _ => Supply::Unknown,
    }
}

/// Networks of up to 7 nodes with a path through all of them and some more ways.
fn joins() -> impl Strategy<Value = (usize, Vec<(usize, usize, bool)>)> {
    (2..8_usize).prop_flat_map(|nodes| {
        let more = prop::collection::vec((0..nodes, 0..nodes, any::<bool>()), 0..4);
        let ways = prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), nodes - 1);
        (ways, more).prop_map(move |(ways, more)| {
            let tree = ways
                .iter()
                .enumerate()
                .map(|(at, (from, is_switch))| (from.index(at + 1), at + 1, *is_switch));
            let more = more.into_iter().filter(|(from, to, _)| from != to);
            (nodes, tree.chain(more).collect())
        })
    })
}

proptest! {
    #[test]
    fn supply_is_what_every_position_of_unknown_switches_agrees_on(
        (nodes, joins) in joins(),
        positions in prop::collection::vec(prop::option::of(any::<bool>()), 10),
        failed in any::<prop::sample::Index>(),
    ) {
        let model = model(nodes, &joins, &[]);
        let count = joins.iter().filter(|join| join.2).count();
        let mut switch = positions.iter();
        let mut of = |is_switch: bool| if is_switch { *switch.next().unwrap() } else { Some(true) };
        let known: Vec<Option<bool>> = joins.iter().map(|join| of(join.2)).collect();
        let states = model.states(&positions[..count], &[]);
        let all: Vec<Vec<bool>> =
            ways(&known).iter().map(|way| reached(nodes, &joins, way)).collect();
        for node in 0..nodes {
            let wanted = expected(&all, node);
            prop_assert_eq!(states[node].supply(), wanted);
            let load = model.find("load", &format!("C{node}")).unwrap();
            prop_assert_eq!(states[load].supply(), wanted);
        }
        for (at, join) in joins.iter().enumerate().filter(|(_, join)| join.2) {
            let own = states[model.find("switch", &format!("S{at}")).unwrap()];
            let position = match known[at] {
                Some(true) => Position::Closed,
                Some(false) => Position::Open,
                None => Position::Unknown,
            };
            prop_assert_eq!(own.position, Some(position), "{:?}", join);
        }
        // What an outage of something takes is what only it fed, where all switches are known.
        if known.iter().all(Option::is_some) {
            let failed = failed.index(joins.len());
            let kind = if joins[failed].2 { "switch" } else { "line" };
            let name = format!("{}{failed}", if joins[failed].2 { "S" } else { "L" });
            let cut = Cut {
                failed: vec![(model.find(kind, &name).unwrap(), phases_of("abc"))],
                ..Cut::default()
            };
            let mut without: Vec<bool> = known.iter().map(|one| one.unwrap()).collect();
            without[failed] = false;
            let without = reached(nodes, &joins, &without);
            let states = model.states(&positions[..count], &[cut]);
            for node in 0..nodes {
                prop_assert_eq!(states[node].supply() == Supply::Yes, without[node]);
            }
        }
    }
}

#[test]
fn phases_meters_and_words_of_an_outage() {
    let joins = [(0, 1, false), (1, 2, true), (2, 3, false)];
    let model = model(4, &joins, &[]);
    let at = |kind: &str, name: &str| model.find(kind, name).unwrap();
    let text = |cut: Cut| -> Vec<String> {
        let states: Vec<State> = model.states(&[Some(true)], &[cut]);
        ["C1", "C2", "C3"].map(|name| states[at("load", name)].text()).to_vec()
    };
    // An area may call a switch of the model a line, and the other way round.
    assert_eq!(at("line", "S1"), at("switch", "S1"));
    assert_eq!(model.elements[at("line", "S1")].kind, ElementKind::Switch);
    let failed = vec![(at("switch", "S1"), phases_of("abc"))];
    let (lit, doubtful) = (vec![at("load", "C3")], vec![at("load", "C2")]);
    let cut = Cut { failed: failed.clone(), ..Cut::default() };
    assert_eq!(text(cut), ["energised", "no supply", "no supply"]);
    let cut = Cut { failed, lit, doubtful };
    assert_eq!(text(cut), ["energised", "supply unknown", "energised"]);
    let failed = vec![(at("line", "L2"), phases_of("AC"))];
    let cut = Cut { failed, ..Cut::default() };
    assert_eq!(text(cut), ["energised", "energised", "no supply on phase a, c"]);
    let open = model.states(&[Some(false)], &[])[at("switch", "S1")];
    assert_eq!(open.text(), "open");
}
