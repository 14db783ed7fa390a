//! What few conductances change, kept beside the factors of a matrix.
//!
//! Conductances at a node change its row of the factors and all rows that depend on it. Here only
//! their own row is factored again. What that hands on to the rows above is `W C V^T` with one
//! vector for each conductance, and a solution takes it into account between its two halves
//! (Alsac, Stott and Tinney, Sparsity-Oriented Compensation Methods for Modified Network
//! Solutions, IEEE Trans. PAS-102, 1983). However large a conductance is, `C` is at most what its
//! own row has, so no digits are lost there; where they would be in the rows above, nothing is kept
//! beside.

use super::{Matrix, Symbolic};
use crate::block::{Block, Column, apply, identity, inverse};

/// So many conductances at most.
pub const UPDATES_MAX: usize = 4;

/// So many vectors are kept for conductances that come back.
const CACHED_VECTORS: usize = 8;

/// By how much the rows above may become stiffer, and how close to each other vectors may be: so
/// many digits are lost.
const GROWTH_MAX: f64 = 1e4;

/// An end of a conductance, with the turns of a winding.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct End {
    /// At which node.
    pub node: u32,
    /// Which wire of it, from 0.
    pub wire: u8,
    /// The end counts so often; less than zero at the other end.
    pub turns: f64,
}

/// Conductances with the same lowest row that the factors know nothing of.
#[derive(Clone, Debug, Default)]
pub struct LowRankUpdate<const N: usize> {
    /// The lowest row that they have an end in.
    row: Option<u32>,
    /// That row as the factors have it without them.
    own: Vec<Block<N, f64>>,
    /// It and all that depend on it, ascending.
    rows: Vec<u32>,
    /// Of each entry of these rows its column, as a place among them.
    columns: Vec<u32>,
    /// Those that were asked for so far, and room.
    vectors: Vec<Vector<N>>,
    known: usize,
    /// `V^T D^-1 W` of each two, in the row itself and in those above.
    in_row: [[f64; CACHED_VECTORS]; CACHED_VECTORS],
    above: [[f64; CACHED_VECTORS]; CACHED_VECTORS],
    /// Which of them are there now.
    chosen: [usize; UPDATES_MAX],
    count: usize,
    /// `(C^-1 + V^T D^-1 W)^-1` of these.
    through: Block<UPDATES_MAX, f64>,
}

#[derive(Clone, Debug, Default)]
struct Vector<const N: usize> {
    ends: Vec<End>,
    /// `W`, row by row.
    left: Vec<Column<N, f64>>,
    /// `D^-T V`.
    right: Vec<Column<N, f64>>,
}

fn apply_transposed<const N: usize>(a: &Block<N, f64>, x: &Column<N, f64>) -> Column<N, f64> {
    let mut result = [0.0; N];
    for i in 0..N {
        for j in 0..N {
            result[j] += a[i][j] * x[i];
        }
    }
    result
}

fn subtract<const N: usize>(from: &mut Column<N, f64>, it: &Column<N, f64>) {
    for (from, it) in from.iter_mut().zip(it) {
        *from -= it;
    }
}

impl<const N: usize> LowRankUpdate<N> {
    /// Whether anything is kept here.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The row that holds what is kept here.
    pub const fn row(&self) -> Option<u32> {
        self.row
    }

    /// Leaves the factors as they are without what is kept here.
    pub fn restore(&mut self, symbolic: &Symbolic, matrix: &mut Matrix<N, f64>) {
        let Some(row) = self.row.filter(|_| self.count > 0) else { return };
        let range = symbolic.range(row as usize);
        let (lower, upper) = self.own[1..].split_at(range.len());
        matrix.diagonal[row as usize] = self.own[0];
        matrix.lower[range.clone()].copy_from_slice(lower);
        matrix.upper[range].copy_from_slice(upper);
        self.count = 0;
    }

    /// Forgets everything: the factors have changed.
    pub const fn forget(&mut self) {
        (self.row, self.known, self.count) = (None, 0, 0);
    }

    /// For conductances with this lowest row; the factors have to be restored.
    pub fn begin(&mut self, symbolic: &Symbolic, matrix: &Matrix<N, f64>, row: u32) {
        (self.row, self.known, self.count) = (Some(row), 0, 0);
        let range = symbolic.range(row as usize);
        self.own.clear();
        self.own.push(matrix.diagonal[row as usize]);
        self.own.extend_from_slice(&matrix.lower[range.clone()]);
        self.own.extend_from_slice(&matrix.upper[range]);
        self.rows.clear();
        let mut next = Some(row);
        while let Some(row) = next {
            self.rows.push(row);
            next = symbolic.column[symbolic.range(row as usize)].first().copied();
        }
        // The columns of a row are all among the rows that depend on it.
        self.columns.clear();
        for (place, &row) in self.rows.iter().enumerate() {
            let mut at = place;
            for &column in &symbolic.column[symbolic.range(row as usize)] {
                while self.rows[at] < column {
                    at += 1;
                }
                self.columns.push(at as u32);
            }
        }
    }

    /// Keeps these conductances, and no others, beside the factors; their own row is to be factored
    /// with them. False if that cannot be done well: nothing is kept then, though the row may
    /// still have to be restored.
    pub fn keep<'a>(
        &mut self,
        symbolic: &Symbolic,
        matrix: &Matrix<N, f64>,
        all: impl ExactSizeIterator<Item = (&'a [End], f64)>,
    ) -> bool {
        let count = all.len();
        if count > UPDATES_MAX {
            return false;
        }
        if self.known + count > CACHED_VECTORS {
            self.known = 0;
        }
        // What is more than there are is alone with itself.
        let (mut own, mut whole) = (identity::<f64, UPDATES_MAX>(), identity::<f64, UPDATES_MAX>());
        let mut ohm = [0.0; UPDATES_MAX];
        for (place, (ends, siemens)) in all.enumerate() {
            let Some(vector) = self.vector(symbolic, matrix, ends) else { return false };
            (self.chosen[place], ohm[place]) = (vector, 1.0 / siemens);
        }
        let chosen = &self.chosen[..count];
        for (i, &one) in chosen.iter().enumerate() {
            for (j, &other) in chosen.iter().enumerate() {
                own[i][j] = self.in_row[one][other] + if i == j { ohm[i] } else { 0.0 };
                whole[i][j] = own[i][j] + self.above[one][other];
            }
        }
        let (Some(admitted), Some(through)) = (inverse(&own), inverse(&whole)) else {
            return false;
        };
        let each = (0..count).flat_map(|i| (0..count).map(move |j| (i, j)));
        let growth: f64 = each.map(|(i, j)| admitted[i][j] * whole[j][i]).sum();
        // What one of them does the others do nearly, as in a delta without resistance; what each
        // of them carries is then a small difference. Infinite if they do the same.
        let depends = |own: &Block<UPDATES_MAX, f64>, inverse: &Block<UPDATES_MAX, f64>| {
            (0..count).any(|i| (own[i][i] * inverse[i][i]).abs() > GROWTH_MAX)
        };
        if !(0.0..=GROWTH_MAX).contains(&growth)
            || depends(&own, &admitted)
            || depends(&whole, &through)
        {
            return false;
        }
        (self.through, self.count) = (through, count);
        true
    }

    /// The vector of a conductance, made if there is none yet.
    fn vector(
        &mut self,
        symbolic: &Symbolic,
        matrix: &Matrix<N, f64>,
        ends: &[End],
    ) -> Option<usize> {
        if let Some(known) = self.vectors[..self.known].iter().position(|it| it.ends == ends) {
            return Some(known);
        }
        let place = self.known;
        if place == self.vectors.len() {
            self.vectors.push(Vector::default());
        }
        let mut new = std::mem::take(&mut self.vectors[place]);
        let is_done = self.fill(symbolic, matrix, ends, &mut new);
        self.vectors[place] = new;
        if !is_done {
            return None;
        }
        for other in 0..=place {
            for (one, other) in [(place, other), (other, place)] {
                let (right, left) = (&self.vectors[one].right, &self.vectors[other].left);
                (self.in_row[one][other], self.above[one][other]) = in_row_and_above(right, left);
            }
        }
        self.known += 1;
        Some(place)
    }

    fn fill(
        &self,
        symbolic: &Symbolic,
        matrix: &Matrix<N, f64>,
        ends: &[End],
        into: &mut Vector<N>,
    ) -> bool {
        let Vector { ends: own, left, right } = into;
        own.clear();
        own.extend_from_slice(ends);
        for all in [&mut *left, &mut *right] {
            all.clear();
            all.resize(self.rows.len(), [0.0; N]);
        }
        for end in ends {
            let row = symbolic.holder(end.node, end.node);
            let Ok(place) = self.rows.binary_search(&row) else { return false };
            left[place][usize::from(end.wire)] += end.turns;
            right[place][usize::from(end.wire)] += end.turns;
        }
        let mut columns = self.columns.as_slice();
        for place in 0..self.rows.len() {
            let row = self.rows[place] as usize;
            let range = symbolic.range(row);
            let (of_row, others) = columns.split_at(range.len());
            columns = others;
            let (diagonal, lower, upper) = if place == 0 {
                let (lower, upper) = self.own[1..].split_at(range.len());
                (&self.own[0], lower, upper)
            } else {
                let (lower, upper) = (&matrix.lower[range.clone()], &matrix.upper[range]);
                (&matrix.diagonal[row], lower, upper)
            };
            let (w, q) = (left[place], apply_transposed(diagonal, &right[place]));
            right[place] = q;
            for ((&column, lower), upper) in of_row.iter().zip(lower).zip(upper) {
                subtract(&mut left[column as usize], &apply(lower, &w));
                subtract(&mut right[column as usize], &apply_transposed(upper, &q));
            }
        }
        true
    }

    /// In the middle of a solution, by what the rows have come to.
    #[inline]
    pub(super) fn correct(&self, work: &mut [Column<N, f64>]) {
        let Some(above) = self.rows.get(1..) else { return };
        let mut driving = [0.0; UPDATES_MAX];
        for (driving, &vector) in driving.iter_mut().zip(&self.chosen[..self.count]) {
            let mut sum = [0.0; N];
            for (right, &row) in self.vectors[vector].right[1..].iter().zip(above) {
                let value = &work[row as usize];
                for k in 0..N {
                    sum[k] += right[k] * value[k];
                }
            }
            *driving = sum.iter().sum();
        }
        let flowing = apply(&self.through, &driving);
        for (flowing, &vector) in flowing.iter().zip(&self.chosen[..self.count]) {
            for (left, &row) in self.vectors[vector].left[1..].iter().zip(above) {
                let value = &mut work[row as usize];
                for k in 0..N {
                    value[k] -= left[k] * flowing;
                }
            }
        }
    }
}

/// The products of two vectors, of their first rows and of all others.
fn in_row_and_above<const N: usize>(
    right: &[Column<N, f64>],
    left: &[Column<N, f64>],
) -> (f64, f64) {
    let mut of = right
        .iter()
        .zip(left)
        .map(|(right, left)| -> Column<N, f64> { std::array::from_fn(|k| right[k] * left[k]) });
    let own = of.next().unwrap_or([0.0; N]);
    let above = of.fold([0.0; N], |sum, it| std::array::from_fn(|k| sum[k] + it[k]));
    (own.iter().sum(), above.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIRS: [(u32, u32); 9] =
        [(0, 1), (1, 2), (2, 3), (3, 0), (3, 4), (4, 5), (2, 6), (6, 7), (7, 2)];
    const NODES: u32 = 8;

    /// A matrix without any symmetry in its figures.
    fn plain(symbolic: &Symbolic) -> Matrix<2, f64> {
        let mut matrix = Matrix::new(symbolic);
        let figure = |at: u32| f64::from(at * 7919 % 101) / 101.0 - 0.4;
        for node in 0..NODES {
            *matrix.diagonal_mut(symbolic, node) =
                [[4.0 + figure(node), figure(node + 1)], [figure(node + 2), 5.0]];
        }
        for (pair, _) in PAIRS.iter().enumerate() {
            let at = 10 * pair as u32;
            let (one, other) = matrix.pair_mut(symbolic, pair).unwrap();
            *one = [[figure(at), figure(at + 1)], [figure(at + 2), figure(at + 3)]];
            *other = [[figure(at + 4), figure(at + 5)], [figure(at + 6), figure(at + 7)]];
        }
        matrix
    }

    fn add(matrix: &mut Matrix<2, f64>, symbolic: &Symbolic, (ends, siemens): (&[End], f64)) {
        for one in ends {
            for other in ends {
                let block = matrix.block_mut(symbolic, one.node, other.node).unwrap();
                block[usize::from(one.wire)][usize::from(other.wire)] +=
                    siemens * one.turns * other.turns;
            }
        }
    }

    const fn end(node: u32, wire: u8, turns: f64) -> End {
        End { node, wire, turns }
    }

    /// All conductances from wire to earth and from wire to wire, and along each pair.
    fn places() -> Vec<Vec<Vec<End>>> {
        let at = |node| {
            let (a, b) = (end(node, 0, 1.0), end(node, 1, 1.0));
            vec![vec![a], vec![b], vec![a, end(node, 1, -1.0)]]
        };
        let along = PAIRS.map(|(one, other)| {
            let pole = |wire| vec![end(one, wire, 1.0), end(other, wire, -1.5)];
            vec![pole(0), pole(1)]
        });
        (0..NODES).map(at).chain(along).collect()
    }

    #[test]
    fn solutions_are_those_of_the_whole_and_the_factors_come_back() {
        for symbolic in
            [Symbolic::new(8, &PAIRS), Symbolic::for_many_solutions(NODES as usize, &PAIRS)]
        {
            let (plain, contributors) = (plain(&symbolic), symbolic.contributors());
            let mut factored = plain.clone();
            factored.factor(&symbolic).unwrap();
            let (mut matrix, mut update) = (factored.clone(), LowRankUpdate::default());
            for place in places() {
                let nodes = place[0].iter().map(|it| symbolic.holder(it.node, it.node));
                let row = nodes.min().unwrap();
                update.restore(&symbolic, &mut matrix);
                update.begin(&symbolic, &matrix, row);
                // What is large between two wires costs the whole its digits.
                let large = if place[0].len() == 1 { 1e9 } else { 1e3 };
                for (count, siemens) in [(1, 0.3), (place.len(), 7.0), (1, large), (1, 2.0)] {
                    let all = place[..count].iter().map(|ends| (ends.as_slice(), siemens));
                    assert!(update.keep(&symbolic, &matrix, all.clone()));
                    let mut whole = plain.clone();
                    all.for_each(|it| add(&mut whole, &symbolic, it));
                    matrix.reload(&symbolic, &whole, &[row]);
                    matrix.factor_rows(&symbolic, &contributors, &[row]).unwrap();
                    whole.factor(&symbolic).unwrap();
                    let x: Vec<Column<2, f64>> =
                        (0..NODES).map(|it| [f64::from(it) - 3.0, 2.0]).collect();
                    let (mut own, mut other, mut work) = (x.clone(), x, Vec::new());
                    matrix.solve_with(&symbolic, &update, &mut own, &mut work);
                    whole.solve(&symbolic, &mut other, &mut work);
                    for (own, other) in own.iter().flatten().zip(other.iter().flatten()) {
                        assert!((own - other).abs() < 1e-11, "{place:?} {own} {other}");
                    }
                }
            }
            update.restore(&symbolic, &mut matrix);
            assert!(update.is_empty());
            assert!(matrix.diagonal == factored.diagonal, "as before, bit by bit");
            assert!(matrix.lower == factored.lower && matrix.upper == factored.upper);
        }
    }

    #[test]
    fn too_many_are_refused_and_what_would_cost_digits() {
        let symbolic = Symbolic::new(2, &[(0, 1)]);
        let mut matrix = Matrix::<1, f64>::new(&symbolic);
        // An island with next to nothing to earth.
        for node in 0..2 {
            *matrix.diagonal_mut(&symbolic, node) = [[1.0 + 1e-9]];
        }
        let (one, other) = matrix.pair_mut(&symbolic, 0).unwrap();
        (*one, *other) = ([[-1.0]], [[-1.0]]);
        matrix.factor(&symbolic).unwrap();
        let mut update = LowRankUpdate::default();
        let node = u32::from(symbolic.holder(1, 1) == 0);
        update.begin(&symbolic, &matrix, 0);
        let ends = [end(node, 0, 1.0)];
        let mut keep = |count: usize, siemens: f64| {
            update.keep(&symbolic, &matrix, vec![(&ends[..], siemens); count].into_iter())
        };
        assert!(keep(1, 1e-6));
        assert!(!keep(1, 1.0), "it would leave 7 digits");
        assert!(!keep(UPDATES_MAX + 1, 1e-9));
        assert!(!keep(1, f64::NAN));

        // Two in the same place carry what one does; each of them half if neither is large.
        let mut matrix = Matrix::<1, f64>::new(&symbolic);
        for node in 0..2 {
            *matrix.diagonal_mut(&symbolic, node) = [[2.0]];
        }
        matrix.factor(&symbolic).unwrap();
        update.begin(&symbolic, &matrix, 0);
        let mut keep = |count: usize, siemens: f64| {
            update.keep(&symbolic, &matrix, vec![(&ends[..], siemens); count].into_iter())
        };
        assert!(keep(1, 1e9) && keep(2, 1e3));
        assert!(!keep(2, 1e9), "it would leave 7 digits");
    }
}
