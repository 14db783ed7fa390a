//! Where nodes stand.

use crate::network::{Network, NodeId};

/// Pixels between neighbours of a tree, to the right and downwards.
const STEP: (f64, f64) = (90.0, 46.0);

/// Up to how many nodes those on one another are moved apart; more are too near anyway.
const SEPARATED: usize = 250;

/// Places of all nodes in pixels, the smallest of them at zero.
pub(super) fn places(network: &Network) -> Vec<(f64, f64)> {
    let own: Vec<Option<(f64, f64)>> = network
        .nodes
        .iter()
        .map(|node| node.position.filter(|(x, y)| x.is_finite() && y.is_finite()))
        .collect();
    let known = own.iter().flatten().count();
    if known >= 2 && known * 10 >= own.len() * 8 {
        by_position(network, own)
    } else {
        as_tree(network)
    }
}

/// Which nodes are joined by something that could carry current, in the order of the lists.
fn neighbours(network: &Network) -> Vec<Vec<usize>> {
    let mut beside = vec![Vec::new(); network.nodes.len()];
    let mut join = |one: NodeId, other: NodeId| {
        if one != other && one.index() < beside.len() && other.index() < beside.len() {
            beside[one.index()].push(other.index());
            beside[other.index()].push(one.index());
        }
    };
    for line in &network.lines {
        join(line.from.node, line.to.node);
    }
    for transformer in &network.transformers {
        for winding in transformer.windings.iter().skip(1) {
            join(transformer.windings[0].connection.node, winding.connection.node);
        }
    }
    for switch in network.switches.iter().filter(|switch| switch.closed) {
        join(switch.from.node, switch.to.node);
    }
    beside
}

/// By the positions of the network, northwards up; nodes without one beside those with.
fn by_position(network: &Network, mut own: Vec<Option<(f64, f64)>>) -> Vec<(f64, f64)> {
    let beside = neighbours(network);
    // What has no place takes that of what it hangs on, a little aside.
    loop {
        let mut found = Vec::new();
        for at in (0..own.len()).filter(|&at| own[at].is_none()) {
            if let Some(place) = beside[at].iter().find_map(|&other| own[other]) {
                found.push((at, place));
            }
        }
        if found.is_empty() {
            break;
        }
        for (at, place) in found {
            own[at] = Some(place);
        }
    }
    let placed: Vec<(f64, f64)> = own.iter().flatten().copied().collect();
    let bounds = |of: fn(&(f64, f64)) -> f64| {
        let values = placed.iter().map(of);
        values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), it| (low.min(it), high.max(it)))
    };
    let ((west, east), (south, north)) = (bounds(|it| it.0), bounds(|it| it.1));
    let span = (east - west).max(north - south);
    let size = 320.0 + 26.0 * (network.nodes.len() as f64).sqrt() * 2.2;
    let scale = if span > 0.0 { size / span } else { 1.0 };
    let mut places: Vec<(f64, f64)> = own
        .iter()
        .map(|place| {
            place.map_or((0.0, size + 30.0), |(x, y)| ((x - west) * scale, (north - y) * scale))
        })
        .collect();
    if places.len() <= SEPARATED {
        separate(&mut places);
    }
    places
}

/// Moves nodes that stand on one another a little to the right.
fn separate(places: &mut [(f64, f64)]) {
    let mut order: Vec<usize> = (0..places.len()).collect();
    let key = |(x, y): (f64, f64)| ((y / 3.0).round() as i64, (x / 3.0).round() as i64);
    order.sort_by_key(|&at| (key(places[at]), at));
    for pair in order.windows(2) {
        let (before, after) = (places[pair[0]], places[pair[1]]);
        if key(before) == key(after) {
            places[pair[1]] = (before.0 + 22.0, before.1);
        }
    }
}

/// A tree from the sources to the right; each further island below.
fn as_tree(network: &Network) -> Vec<(f64, f64)> {
    let beside = neighbours(network);
    let mut depth = vec![usize::MAX; network.nodes.len()];
    let mut children = vec![Vec::new(); network.nodes.len()];
    let mut order = Vec::new();
    let sources = network.sources.iter().map(|source| source.node.index());
    let roots: Vec<usize> = sources.chain(0..network.nodes.len()).collect();
    let mut trees = Vec::new();
    for root in roots {
        if depth.get(root).is_none_or(|&depth| depth != usize::MAX) {
            continue;
        }
        depth[root] = 0;
        trees.push(root);
        let begin = order.len();
        order.push(root);
        let mut next = begin;
        while let Some(&at) = order.get(next) {
            next += 1;
            for &other in &beside[at] {
                if depth[other] == usize::MAX {
                    depth[other] = depth[at] + 1;
                    children[at].push(other);
                    order.push(other);
                }
            }
        }
    }
    let mut weight = vec![1_usize; network.nodes.len()];
    for &at in order.iter().rev() {
        let below: usize = children[at].iter().map(|&child| weight[child]).sum();
        weight[at] = below.max(1);
    }
    // Each child gets as many rows as it has leaves; the heaviest goes straight on.
    let mut row = vec![0_usize; network.nodes.len()];
    let mut next_row = 0;
    for &root in &trees {
        row[root] = next_row;
        next_row += weight[root];
    }
    for &at in &order {
        let mut own = children[at].clone();
        own.sort_by_key(|&child| (std::cmp::Reverse(weight[child]), child));
        let mut below = row[at];
        for child in own {
            row[child] = below;
            below += weight[child];
        }
    }
    (0..network.nodes.len())
        .map(|at| (depth[at] as f64 * STEP.0, row[at] as f64 * STEP.1))
        .collect()
}
