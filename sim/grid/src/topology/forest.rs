//! Graphs, their spanning trees from given roots, and what is downstream.

use super::NONE;

/// An undirected graph: which edges meet at which node.
#[derive(Clone, Debug)]
pub struct Graph {
    ends: Vec<(u32, u32)>,
    first: Vec<u32>,
    /// Node by node: an edge and the node at its other end.
    beside: Vec<(u32, u32)>,
}

impl Graph {
    /// From pairs of nodes `0..nodes`; edges keep their order. An edge from a node to itself is
    /// kept in the list, but meets no node.
    ///
    /// # Panics
    /// If an edge names a node that is not there: callers number nodes themselves.
    pub fn new(nodes: usize, ends: Vec<(u32, u32)>) -> Self {
        // Counted two places ahead, so that filling in moves each beginning to where it belongs.
        let mut first = vec![0_u32; nodes + 2];
        for &(a, b) in ends.iter().filter(|(a, b)| a != b) {
            first[a as usize + 2] += 1;
            first[b as usize + 2] += 1;
        }
        for node in 0..=nodes {
            first[node + 1] += first[node];
        }
        let mut beside = vec![(0_u32, 0_u32); first[nodes + 1] as usize];
        for (edge, &(a, b)) in ends.iter().enumerate().filter(|(_, (a, b))| a != b) {
            for (node, other) in [(a, b), (b, a)] {
                let at = &mut first[node as usize + 1];
                beside[*at as usize] = (edge as u32, other);
                *at += 1;
            }
        }
        first.pop();
        Self { ends, first, beside }
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.first.len() - 1
    }

    /// Both nodes of each edge.
    pub fn ends(&self) -> &[(u32, u32)] {
        &self.ends
    }

    /// The edges that meet at a node, each with the node at its other end.
    pub fn beside(&self, node: u32) -> &[(u32, u32)] {
        let node = node as usize;
        &self.beside[self.first[node] as usize..self.first[node + 1] as usize]
    }

    /// Depth-first trees from the roots, in their order; what no root reaches is in no tree. A root
    /// that an earlier one reaches begins no tree of its own.
    pub fn forest(&self, roots: &[u32]) -> Forest {
        let mut forest = Forest {
            order: Vec::with_capacity(self.nodes()),
            number: vec![NONE; self.nodes()],
            parent: Vec::with_capacity(self.nodes()),
            parent_edge: Vec::with_capacity(self.nodes()),
            chords: Vec::new(),
        };
        let mut stack: Vec<(u32, u32, u32)> = Vec::new();
        for &root in roots {
            stack.push((root, NONE, NONE));
            // A node is numbered when it is taken off the stack, so trees are truly depth-first:
            // every edge that is left joins a node with one of its ancestors.
            while let Some((node, parent, edge)) = stack.pop() {
                if forest.number[node as usize] != NONE {
                    continue;
                }
                let number = forest.order.len() as u32;
                forest.number[node as usize] = number;
                forest.order.push(node);
                forest.parent.push(parent);
                forest.parent_edge.push(edge);
                for &(next, other) in self.beside(node).iter().rev() {
                    if forest.number[other as usize] == NONE {
                        stack.push((other, number, next));
                    }
                }
            }
        }
        forest.chords = self.chords(&forest);
        forest
    }

    /// The edges that roots reach and that are in no tree.
    fn chords(&self, forest: &Forest) -> Vec<u32> {
        let in_trees = forest.parent_edge.iter().filter(|&&edge| edge != NONE).count();
        if in_trees == self.ends.len() {
            return Vec::new();
        }
        let mut in_tree = vec![false; self.ends.len()];
        for &edge in forest.parent_edge.iter().filter(|&&edge| edge != NONE) {
            in_tree[edge as usize] = true;
        }
        let reached = |node: u32| forest.number[node as usize] != NONE;
        let edges = self.ends.iter().zip(&in_tree).zip(0..);
        edges
            .filter(|&((&(a, b), &in_tree), _)| a != b && !in_tree && reached(a))
            .map(|(_, edge)| edge)
            .collect()
    }
}

/// Spanning trees of what some roots reach, numbered depth-first: parents come before their
/// children, and what is downstream of a node follows it without a gap.
#[derive(Clone, Debug)]
pub struct Forest {
    /// The graph's node of each number.
    pub order: Vec<u32>,
    /// The number of each of the graph's nodes; [`NONE`] if no root reaches it.
    pub number: Vec<u32>,
    /// By number: the number of the node towards the root; [`NONE`] for roots.
    pub parent: Vec<u32>,
    /// By number: the edge towards the root; [`NONE`] for roots.
    pub parent_edge: Vec<u32>,
    /// The edges that are in no tree: each closes one loop.
    pub chords: Vec<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    //      0        8   (reached by nobody)
    //    1   4
    //  2  3  5-6      7 = 7 (a loop to itself)
    fn graph() -> Graph {
        let ends = vec![(0, 1), (2, 1), (1, 3), (0, 4), (4, 5), (6, 5), (6, 4), (7, 7)];
        Graph::new(9, ends)
    }

    #[test]
    fn trees_are_numbered_depth_first_and_loops_are_reported() {
        let forest = graph().forest(&[0, 7, 5]);
        assert_eq!(forest.order, [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(forest.parent, [NONE, 0, 1, 1, 0, 4, 5, NONE]);
        assert_eq!(forest.number[8], NONE);
        assert_eq!(forest.chords, [6]);
    }

    #[test]
    fn a_chain_of_a_million_nodes_needs_no_stack() {
        let count = 1_000_000;
        let graph = Graph::new(count, (1..count as u32).map(|node| (node - 1, node)).collect());
        let forest = graph.forest(&[0]);
        assert!(forest.chords.is_empty());
        assert_eq!(forest.parent[count - 1], count as u32 - 2);
    }
}
