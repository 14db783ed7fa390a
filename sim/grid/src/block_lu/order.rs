//! In which order to eliminate, and what that fills in.

use std::collections::VecDeque;

use crate::topology::{Graph, NONE};

/// An order of little fill: always a node of (nearly) the fewest neighbours next, as Amestoy, Davis
/// and Duff count them (An approximate minimum degree ordering algorithm, 1996). What was
/// eliminated is kept as elements, whose members are neighbours of each other.
fn minimum_degree(graph: &Graph) -> Vec<u32> {
    let nodes = graph.nodes();
    let mut state = Quotient::new(graph);
    let mut order = Vec::with_capacity(nodes);
    while let Some(pivot) = state.next() {
        order.push(pivot);
        state.eliminate(pivot, nodes - order.len());
    }
    order
}

struct Quotient {
    /// Neighbours that are not eliminated and not reached by a common element.
    neighbours: Vec<Vec<u32>>,
    /// Elements that a node is a member of.
    elements: Vec<Vec<u32>>,
    /// Members of the element that an eliminated node has become.
    members: Vec<Vec<u32>>,
    degree: Vec<u32>,
    /// Nodes of one neighbour or none, in the order in which they became such: so leaves of a tree
    /// go layer by layer, its centre is last, and what depends on a row is few others.
    leaves: VecDeque<u32>,
    is_leaf: Vec<bool>,
    /// First and next nodes of each other degree, doubly linked.
    head: Vec<u32>,
    next: Vec<u32>,
    previous: Vec<u32>,
    lowest: usize,
    eliminated: Vec<bool>,
    mark: Vec<u32>,
    marks: u32,
    /// Of an element: how many of its members are not in the latest one, at this stamp.
    outside: Vec<(u32, u32)>,
}

impl Quotient {
    fn new(graph: &Graph) -> Self {
        let nodes = graph.nodes();
        let mut neighbours: Vec<Vec<u32>> = Vec::with_capacity(nodes);
        for node in 0..nodes as u32 {
            let mut of_node: Vec<u32> =
                graph.beside(node).iter().map(|&(_, other)| other).collect();
            of_node.sort_unstable();
            of_node.dedup();
            neighbours.push(of_node);
        }
        let degree: Vec<u32> = neighbours.iter().map(|it| it.len() as u32).collect();
        let mut state = Self {
            neighbours,
            elements: vec![Vec::new(); nodes],
            members: vec![Vec::new(); nodes],
            degree,
            leaves: VecDeque::new(),
            is_leaf: vec![false; nodes],
            head: vec![NONE; nodes.max(1)],
            next: vec![NONE; nodes],
            previous: vec![NONE; nodes],
            lowest: 0,
            eliminated: vec![false; nodes],
            mark: vec![0; nodes],
            marks: 0,
            outside: vec![(0, 0); nodes],
        };
        for node in (0..nodes as u32).rev() {
            state.link(node);
        }
        state
    }

    fn link(&mut self, node: u32) {
        if self.is_leaf[node as usize] {
            return;
        }
        let degree = self.degree[node as usize] as usize;
        if degree <= 1 {
            self.is_leaf[node as usize] = true;
            self.leaves.push_back(node);
            return;
        }
        let head = self.head[degree];
        self.next[node as usize] = head;
        self.previous[node as usize] = NONE;
        if head != NONE {
            self.previous[head as usize] = node;
        }
        self.head[degree] = node;
        self.lowest = self.lowest.min(degree);
    }

    fn unlink(&mut self, node: u32) {
        if self.is_leaf[node as usize] {
            return;
        }
        let (previous, next) = (self.previous[node as usize], self.next[node as usize]);
        if previous == NONE {
            self.head[self.degree[node as usize] as usize] = next;
        } else {
            self.next[previous as usize] = next;
        }
        if next != NONE {
            self.previous[next as usize] = previous;
        }
    }

    fn next(&mut self) -> Option<u32> {
        // A leaf fills in nothing, so no other node has more neighbours by it.
        if let Some(leaf) = self.leaves.pop_front() {
            return Some(leaf);
        }
        while self.lowest < self.head.len() {
            let node = self.head[self.lowest];
            if node != NONE {
                self.unlink(node);
                return Some(node);
            }
            self.lowest += 1;
        }
        None
    }

    fn eliminate(&mut self, pivot: u32, left: usize) {
        self.eliminated[pivot as usize] = true;
        self.marks += 1;
        let stamp = self.marks;
        self.mark[pivot as usize] = stamp;
        let mut members = Vec::new();
        let absorbed = std::mem::take(&mut self.elements[pivot as usize]);
        let own = std::mem::take(&mut self.neighbours[pivot as usize]);
        let of_absorbed: Vec<Vec<u32>> =
            absorbed.iter().map(|&it| std::mem::take(&mut self.members[it as usize])).collect();
        for &node in own.iter().chain(of_absorbed.iter().flatten()) {
            if self.mark[node as usize] != stamp && !self.eliminated[node as usize] {
                self.mark[node as usize] = stamp;
                members.push(node);
            }
        }
        for &node in &members {
            for at in 0..self.elements[node as usize].len() {
                let element = self.elements[node as usize][at] as usize;
                if self.outside[element].0 != stamp {
                    let live = self.members[element].len() as u32;
                    self.outside[element] = (stamp, live);
                }
                self.outside[element].1 = self.outside[element].1.saturating_sub(1);
            }
        }
        for &node in &members {
            self.unlink(node);
            let mut degree = members.len() as u32 - 1;
            let mut elements = std::mem::take(&mut self.elements[node as usize]);
            elements.retain(|&element| {
                let outside = self.outside[element as usize].1;
                // An element without members of its own is part of the new one.
                let stays = !self.members[element as usize].is_empty() && outside > 0;
                degree += if stays { outside } else { 0 };
                stays
            });
            elements.push(pivot);
            self.elements[node as usize] = elements;
            let mut neighbours = std::mem::take(&mut self.neighbours[node as usize]);
            neighbours.retain(|&other| self.mark[other as usize] != stamp);
            degree += neighbours.len() as u32;
            self.neighbours[node as usize] = neighbours;
            self.degree[node as usize] = degree.min(left.saturating_sub(1) as u32);
            self.link(node);
        }
        self.members[pivot as usize] = members;
    }
}

/// The pattern of the factors when nodes are eliminated in this order, or in one that fills in the
/// same and keeps what belongs together close together.
fn factor_pattern(graph: &Graph, order: &[u32], arranged: Arranged) -> Symbolic {
    let nodes = graph.nodes();
    let mut rank = vec![0_u32; nodes];
    for (at, &node) in order.iter().enumerate() {
        rank[node as usize] = at as u32;
    }
    let parent = elimination_tree(graph, order, &rank);
    let mut after = post_order(&parent);
    if arranged == Arranged::ByLevels {
        sort_by_levels(&mut after, &parent);
    }
    let mut row_of = vec![0_u32; nodes];
    let mut node_of = vec![0_u32; nodes];
    for (row, &at) in after.iter().enumerate() {
        row_of[order[at as usize] as usize] = row as u32;
        node_of[row] = order[at as usize];
    }

    // A row's pattern: its own neighbours and what its children in the tree hand on.
    let mut children: Vec<u32> = vec![NONE; nodes];
    let mut sibling: Vec<u32> = vec![NONE; nodes];
    let (mut first, mut column) = (Vec::with_capacity(nodes + 1), Vec::with_capacity(nodes));
    let mut mark = vec![NONE; nodes];
    first.push(0);
    for row in 0..nodes {
        mark[row] = row as u32;
        let begin = column.len();
        let mut take = |column: &mut Vec<u32>, it: u32| {
            if it as usize > row && mark[it as usize] != row as u32 {
                mark[it as usize] = row as u32;
                column.push(it);
            }
        };
        for &(_, other) in graph.beside(node_of[row]) {
            take(&mut column, row_of[other as usize]);
        }
        let mut child = children[row];
        while child != NONE {
            let (from, to) = (first[child as usize], first[child as usize + 1]);
            for at in from..to {
                let it = column[at as usize];
                take(&mut column, it);
            }
            child = sibling[child as usize];
        }
        column[begin..].sort_unstable();
        if let Some(&parent) = column.get(begin) {
            sibling[row] = children[parent as usize];
            children[parent as usize] = row as u32;
        }
        first.push(column.len() as u32);
    }
    Symbolic { row_of, first, column, pairs: Vec::new() }
}

/// By rank: the rank of the next node that an elimination touches (Liu 1986).
fn elimination_tree(graph: &Graph, order: &[u32], rank: &[u32]) -> Vec<u32> {
    let nodes = order.len();
    let (mut parent, mut ancestor) = (vec![NONE; nodes], vec![NONE; nodes]);
    for at in 0..nodes as u32 {
        let node = order[at as usize];
        for &(_, other) in graph.beside(node) {
            let mut below = rank[other as usize];
            while below < at {
                let next = ancestor[below as usize];
                ancestor[below as usize] = at;
                if next == NONE {
                    parent[below as usize] = at;
                    break;
                }
                below = next;
            }
        }
    }
    parent
}

/// Children before their parents, subtree by subtree.
fn post_order(parent: &[u32]) -> Vec<u32> {
    let nodes = parent.len();
    let (mut child, mut sibling) = (vec![NONE; nodes], vec![NONE; nodes]);
    for at in (0..nodes).rev() {
        if parent[at] != NONE {
            sibling[at] = child[parent[at] as usize];
            child[parent[at] as usize] = at as u32;
        }
    }
    let mut order = Vec::with_capacity(nodes);
    let mut stack = Vec::new();
    for root in (0..nodes as u32).filter(|&at| parent[at as usize] == NONE) {
        stack.push(root);
        while let Some(&at) = stack.last() {
            let next = child[at as usize];
            if next == NONE {
                order.push(at);
                stack.pop();
            } else {
                child[at as usize] = sibling[next as usize];
                stack.push(next);
            }
        }
    }
    order
}

/// How rows that do not depend on each other are arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arranged {
    /// Subtree by subtree.
    ByBranches,
    /// All that are equally far from the last row of their tree, the farthest first. A solution is
    /// a chain of small products along each branch; side by side, those of many branches are
    /// calculated at once.
    ByLevels,
}

/// Puts a post-order into that of the levels, each of them in the order that it had.
fn sort_by_levels(order: &mut [u32], parent: &[u32]) {
    let mut level = vec![0_u32; parent.len()];
    for &at in order.iter().rev() {
        let above = parent[at as usize];
        level[at as usize] = if above == NONE { 0 } else { level[above as usize] + 1 };
    }
    order.sort_by_key(|&at| std::cmp::Reverse(level[at as usize]));
}

/// The pattern of a matrix and of its factors.
#[derive(Clone, Debug)]
pub struct Symbolic {
    /// The row of each node.
    pub(super) row_of: Vec<u32>,
    /// Where each row's entries to the right of the diagonal begin.
    pub(super) first: Vec<u32>,
    /// Their columns, ascending.
    pub(super) column: Vec<u32>,
    /// Where each pair is: its entry, and whether its first node comes first.
    pub(super) pairs: Vec<(u32, bool)>,
}

/// No entry: a pair of a node with itself.
pub(super) const DIAGONAL: u32 = u32::MAX;

impl Symbolic {
    /// For nodes `0..nodes` of which these pairs have entries beside the diagonal.
    pub fn new(nodes: usize, pairs: &[(u32, u32)]) -> Self {
        Self::arranged(nodes, pairs, Arranged::ByBranches)
    }

    /// The same with the rows arranged for many solutions by real numbers.
    pub fn for_many_solutions(nodes: usize, pairs: &[(u32, u32)]) -> Self {
        Self::arranged(nodes, pairs, Arranged::ByLevels)
    }

    fn arranged(nodes: usize, pairs: &[(u32, u32)], arranged: Arranged) -> Self {
        let graph = Graph::new(nodes, pairs.to_vec());
        let mut symbolic = factor_pattern(&graph, &minimum_degree(&graph), arranged);
        symbolic.pairs = pairs
            .iter()
            .map(|&(a, b)| {
                let (a, b) = (symbolic.row_of[a as usize], symbolic.row_of[b as usize]);
                if a == b {
                    return (DIAGONAL, true);
                }
                let range = symbolic.range(a.min(b) as usize);
                let columns = &symbolic.column[range.clone()];
                let at = columns.partition_point(|&column| column < a.max(b));
                ((range.start + at) as u32, a < b)
            })
            .collect();
        symbolic
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.row_of.len()
    }

    /// How many blocks the factors have beside the diagonal, on each side of it.
    pub fn entries(&self) -> usize {
        self.column.len()
    }

    pub(super) fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.first[row] as usize..self.first[row + 1] as usize
    }
}

/// Which rows an elimination has to take into account for each row.
#[derive(Clone, Debug)]
pub struct Contributors {
    first: Vec<u32>,
    /// The row, and its entry in the column of the other.
    of: Vec<(u32, u32)>,
}

impl Contributors {
    /// In ascending order.
    pub(super) fn of(&self, row: usize) -> &[(u32, u32)] {
        &self.of[self.first[row] as usize..self.first[row + 1] as usize]
    }
}

impl Symbolic {
    /// Which rows contribute to which.
    #[must_use]
    pub fn contributors(&self) -> Contributors {
        let mut first = vec![0_u32; self.nodes() + 1];
        for &column in &self.column {
            first[column as usize + 1] += 1;
        }
        for row in 0..self.nodes() {
            first[row + 1] += first[row];
        }
        let mut next = first.clone();
        let mut of = vec![(0, 0); self.column.len()];
        for row in 0..self.nodes() {
            for entry in self.range(row) {
                let place = &mut next[self.column[entry] as usize];
                of[*place as usize] = (row as u32, entry as u32);
                *place += 1;
            }
        }
        Contributors { first, of }
    }

    /// The row that holds the block of a pair of nodes, or of one with itself.
    pub fn holder(&self, one: u32, other: u32) -> u32 {
        self.row_of[one as usize].min(self.row_of[other as usize])
    }

    /// The rows of these nodes and all that depend on them, ascending.
    pub fn rows_above(&self, nodes: impl Iterator<Item = u32>) -> Vec<u32> {
        let mut rows: Vec<u32> = Vec::new();
        for node in nodes {
            let known = rows.len();
            let mut row = self.row_of[node as usize];
            // What depends on a row that is known is known too. Rows are ascending up to there.
            while rows[..known].binary_search(&row).is_err() {
                rows.push(row);
                let range = self.range(row as usize);
                let Some(&above) = self.column[range].first() else { break };
                row = above;
            }
            if known > 0 && known < rows.len() {
                rows.sort_unstable();
            }
        }
        rows
    }
}
