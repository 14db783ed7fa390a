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

/// Which nodes are joined by something that could carry current, in the order of the lists, and the
/// length of the line that joins them, metres.
fn neighbours(network: &Network) -> Vec<Vec<(usize, f64)>> {
    let mut beside = vec![Vec::new(); network.nodes.len()];
    let mut join = |one: NodeId, other: NodeId, length_m: f64| {
        if one != other && one.index() < beside.len() && other.index() < beside.len() {
            beside[one.index()].push((other.index(), length_m));
            beside[other.index()].push((one.index(), length_m));
        }
    };
    for line in &network.lines {
        join(line.from.node, line.to.node, line.length_m.unwrap_or(0.0));
    }
    for transformer in &network.transformers {
        for winding in transformer.windings.iter().skip(1) {
            join(transformer.windings[0].connection.node, winding.connection.node, 0.0);
        }
    }
    for switch in network.switches.iter().filter(|switch| switch.closed) {
        join(switch.from.node, switch.to.node, 0.0);
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
            if let Some(place) = beside[at].iter().find_map(|&(other, _)| own[other]) {
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

/// A network as a tree from its sources: what hangs on what.
#[derive(Clone, Debug)]
pub struct Tree {
    /// All nodes, each behind the one that it hangs on; a further island where no source is left.
    pub order: Vec<usize>,
    /// Of each node the one that it hangs on; none of a root.
    pub parents: Vec<Option<usize>>,
    /// Of each node its row: the heaviest branch goes straight on, others have rows below.
    pub rows: Vec<usize>,
    /// Of each node how far it is from its root along the lines, metres; what has no length counts
    /// nothing.
    pub along_m: Vec<f64>,
}

/// The tree of a network, by the fewest elements from a source to each node.
pub(super) fn tree(network: &Network) -> Tree {
    let beside = neighbours(network);
    let count = network.nodes.len();
    let mut is_seen = vec![false; count];
    let (mut parents, mut along_m) = (vec![None; count], vec![0.0; count]);
    let mut children = vec![Vec::new(); count];
    let mut order = Vec::new();
    let sources = network.sources.iter().map(|source| source.node.index());
    let mut trees = Vec::new();
    for root in sources.chain(0..count) {
        if is_seen.get(root).is_none_or(|is_seen| *is_seen) {
            continue;
        }
        is_seen[root] = true;
        trees.push(root);
        let mut next = order.len();
        order.push(root);
        while let Some(&at) = order.get(next) {
            next += 1;
            for &(other, length_m) in &beside[at] {
                if !is_seen[other] {
                    is_seen[other] = true;
                    (parents[other], along_m[other]) = (Some(at), along_m[at] + length_m);
                    children[at].push(other);
                    order.push(other);
                }
            }
        }
    }
    let rows = rows(&order, &children, &trees);
    Tree { order, parents, rows, along_m }
}

/// Each child gets as many rows as it has leaves; the heaviest goes straight on.
fn rows(order: &[usize], children: &[Vec<usize>], trees: &[usize]) -> Vec<usize> {
    let mut weight = vec![1_usize; children.len()];
    for &at in order.iter().rev() {
        let below: usize = children[at].iter().map(|&child| weight[child]).sum();
        weight[at] = below.max(1);
    }
    let mut row = vec![0_usize; children.len()];
    let mut next_row = 0;
    for &root in trees {
        row[root] = next_row;
        next_row += weight[root];
    }
    for &at in order {
        let mut own = children[at].clone();
        own.sort_by_key(|&child| (std::cmp::Reverse(weight[child]), child));
        let mut below = row[at];
        for child in own {
            row[child] = below;
            below += weight[child];
        }
    }
    row
}

/// A tree from the sources to the right; each further island below.
fn as_tree(network: &Network) -> Vec<(f64, f64)> {
    let tree = tree(network);
    let mut depth = vec![0_usize; network.nodes.len()];
    for &at in &tree.order {
        depth[at] = tree.parents[at].map_or(0, |parent| depth[parent] + 1);
    }
    let places = depth.iter().zip(&tree.rows);
    places.map(|(depth, row)| (*depth as f64 * STEP.0, *row as f64 * STEP.1)).collect()
}
