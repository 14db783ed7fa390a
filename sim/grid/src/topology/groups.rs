//! Disjoint sets that grow together.

/// Sets of numbers `0..n`, of which any two can be joined.
#[derive(Clone, Debug)]
pub struct Groups {
    parent: Vec<u32>,
}

impl Groups {
    /// Each number a set of its own.
    pub fn new(count: usize) -> Self {
        Self { parent: (0..count as u32).collect() }
    }

    /// The number that stands for the set: its smallest one.
    pub fn find(&mut self, mut at: u32) -> u32 {
        while self.parent[at as usize] != at {
            let next = self.parent[self.parent[at as usize] as usize];
            self.parent[at as usize] = next;
            at = next;
        }
        at
    }

    /// Joins the sets of `a` and `b`; whether they were apart before.
    pub fn join(&mut self, a: u32, b: u32) -> bool {
        let (a, b) = (self.find(a), self.find(b));
        let (low, high) = (a.min(b), a.max(b));
        self.parent[high as usize] = low;
        low != high
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_named_by_their_smallest_member_in_whatever_order_they_join() {
        for order in [[(1, 2), (3, 4), (2, 4)], [(4, 2), (2, 1), (4, 3)]] {
            let mut groups = Groups::new(6);
            for (a, b) in order {
                assert!(groups.join(a, b));
            }
            assert!(!groups.join(1, 3));
            assert_eq!((0..6).map(|at| groups.find(at)).collect::<Vec<_>>(), [0, 1, 1, 1, 1, 5]);
        }
    }
}
