//! Sparse matrices of small blocks, factored as `L U`: symbolically once for a pattern, numerically
//! as often as figures change, with a solution for any number of right-hand sides.
//!
//! The pattern is symmetric (what joins two nodes is seen by both), the figures need not be. Within
//! a block rows are exchanged for pivots, blocks keep the order that makes the least fill; on a
//! tree there is none, and everything takes time in proportion to the nodes.

mod low_rank_update;
mod order;

pub use low_rank_update::{End, LowRankUpdate, UPDATES_MAX};
use order::DIAGONAL;
pub use order::{Contributors, Symbolic};

use multiversion::multiversion;

use crate::block::{Block, Column, Scalar, apply, inverse, product, sub_apply, sub_product, zero};

/// A node at which the matrix cannot be inverted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Singular(pub u32);

/// The figures of a matrix, and after [`Matrix::factor`] those of its factors.
#[derive(Clone, Debug)]
pub struct Matrix<const N: usize, T = num_complex::Complex64> {
    /// After factoring the inverse.
    diagonal: Vec<Block<N, T>>,
    /// Left of the diagonal, by the column's pattern.
    lower: Vec<Block<N, T>>,
    /// Right of the diagonal, by the row's pattern.
    upper: Vec<Block<N, T>>,
}

impl<const N: usize, T: Scalar> Matrix<N, T> {
    /// All zero.
    pub fn new(symbolic: &Symbolic) -> Self {
        Self {
            diagonal: vec![zero(); symbolic.nodes()],
            lower: vec![zero(); symbolic.entries()],
            upper: vec![zero(); symbolic.entries()],
        }
    }

    /// Makes everything zero again.
    pub fn clear(&mut self) {
        for blocks in [&mut self.diagonal, &mut self.lower, &mut self.upper] {
            blocks.fill(zero());
        }
    }

    /// The block of a node on the diagonal.
    pub fn diagonal_mut(&mut self, symbolic: &Symbolic, node: u32) -> &mut Block<N, T> {
        &mut self.diagonal[symbolic.row_of[node as usize] as usize]
    }

    /// Both blocks of a pair: that in the first node's row, and that in the second's. None if both
    /// nodes are the same one.
    pub fn pair_mut(
        &mut self,
        symbolic: &Symbolic,
        pair: usize,
    ) -> Option<(&mut Block<N, T>, &mut Block<N, T>)> {
        let (entry, in_order) = symbolic.pairs[pair];
        if entry == DIAGONAL {
            return None;
        }
        let (upper, lower) = (&mut self.upper[entry as usize], &mut self.lower[entry as usize]);
        Some(if in_order { (upper, lower) } else { (lower, upper) })
    }

    /// The block in a node's row and another one's column; none if that pair has no entry.
    pub fn block_mut(
        &mut self,
        symbolic: &Symbolic,
        row: u32,
        column: u32,
    ) -> Option<&mut Block<N, T>> {
        let (a, b) = (*symbolic.row_of.get(row as usize)?, *symbolic.row_of.get(column as usize)?);
        if a == b {
            return self.diagonal.get_mut(a as usize);
        }
        let range = symbolic.range(a.min(b) as usize);
        let at = symbolic.column[range.clone()].binary_search(&a.max(b)).ok()?;
        let blocks = if a < b { &mut self.upper } else { &mut self.lower };
        blocks.get_mut(range.start + at)
    }

    /// Factors the matrix in place.
    ///
    /// # Errors
    /// The first node whose block cannot be inverted any more.
    pub fn factor(&mut self, symbolic: &Symbolic) -> Result<(), Singular> {
        factor(self, symbolic)
    }

    /// Takes rows, by their number in the elimination, from a matrix that is not factored.
    pub fn reload(&mut self, symbolic: &Symbolic, from: &Self, rows: &[u32]) {
        for &row in rows {
            let row = row as usize;
            self.diagonal[row] = from.diagonal[row];
            let range = symbolic.range(row);
            self.lower[range.clone()].copy_from_slice(&from.lower[range.clone()]);
            self.upper[range.clone()].copy_from_slice(&from.upper[range]);
        }
    }

    /// Factors rows that were loaded again, and all that depend on them
    /// ([`Symbolic::rows_above`]); the others are factored and stay. Gives what [`Self::factor`]
    /// gives, bit by bit.
    ///
    /// # Errors
    /// The first node whose block cannot be inverted any more.
    pub fn factor_rows(
        &mut self,
        symbolic: &Symbolic,
        contributors: &Contributors,
        rows: &[u32],
    ) -> Result<(), Singular> {
        factor_rows(self, symbolic, contributors, rows)
    }

    /// Solves for the right-hand side `x`, in place, by the factors. `work` is any room.
    pub fn solve(&self, symbolic: &Symbolic, x: &mut [Column<N, T>], work: &mut Vec<Column<N, T>>) {
        solve(self, symbolic, x, work, |_| ());
    }

    /// The part of the inverse that the factors have entries for (Takahashi, Fagan and Chen 1973),
    /// of which the diagonal is what short circuits at every node need.
    #[must_use]
    pub fn selected_inverse(&self, symbolic: &Symbolic) -> Self {
        let mut result = Self::new(symbolic);
        for row in (0..symbolic.nodes()).rev() {
            let range = symbolic.range(row);
            let mut own = self.diagonal[row];
            // Each known block of the inverse between two columns of this row's pattern.
            let known = |result: &Self, a: usize, b: usize| {
                let (low, high) = (symbolic.column[a.min(b)], symbolic.column[a.max(b)]);
                if low == high {
                    return result.diagonal[low as usize];
                }
                let of_row = symbolic.range(low as usize);
                let at =
                    of_row.start + symbolic.column[of_row].partition_point(|&column| column < high);
                if a < b { result.upper[at] } else { result.lower[at] }
            };
            for entry in range.clone() {
                let (mut right, mut below) = (zero(), zero());
                for by in range.clone() {
                    let through = product(&self.diagonal[row], &self.upper[by]);
                    sub_product(&mut right, &through, &known(&result, by, entry));
                    sub_product(&mut below, &known(&result, entry, by), &self.lower[by]);
                }
                result.upper[entry] = right;
                result.lower[entry] = below;
            }
            for entry in range {
                let through = product(&self.diagonal[row], &self.upper[entry]);
                sub_product(&mut own, &through, &result.lower[entry]);
            }
            result.diagonal[row] = own;
        }
        result
    }

    /// The block of a node on the diagonal.
    pub fn diagonal(&self, symbolic: &Symbolic, node: u32) -> &Block<N, T> {
        &self.diagonal[symbolic.row_of[node as usize] as usize]
    }
}

impl<const N: usize> Matrix<N, f64> {
    /// [`Self::solve`] with what is kept beside the factors.
    pub fn solve_with(
        &self,
        symbolic: &Symbolic,
        update: &LowRankUpdate<N>,
        x: &mut [Column<N, f64>],
        work: &mut Vec<Column<N, f64>>,
    ) {
        if update.is_empty() {
            self.solve(symbolic, x, work);
        } else {
            solve(self, symbolic, x, work, |work| update.correct(work));
        }
    }

    /// Whether the determinant of what was factored is below zero.
    pub fn determinant_is_negative(&self) -> bool {
        // Its blocks on the diagonal are exchanged row for row within themselves only.
        let negative = |block: &Block<N, f64>| crate::block::determinant(block) < 0.0;
        self.diagonal.iter().filter(|block| negative(block)).count() % 2 == 1
    }
}

/// [`Matrix::factor`], compiled for each vector unit: what is in the blocks keeps its order.
#[multiversion(targets = "simd")]
fn factor<const N: usize, T: Scalar>(
    matrix: &mut Matrix<N, T>,
    symbolic: &Symbolic,
) -> Result<(), Singular> {
    let Matrix { diagonal, lower, upper } = matrix;
    for row in 0..symbolic.nodes() {
        let Some(pivot) = inverse(&diagonal[row]) else {
            let node = symbolic.row_of.iter().position(|&it| it as usize == row);
            return Err(Singular(node.unwrap_or(0) as u32));
        };
        diagonal[row] = pivot;
        let range = symbolic.range(row);
        for entry in range.clone() {
            lower[entry] = product(&lower[entry], &pivot);
        }
        for entry in range.clone() {
            let target = symbolic.column[entry] as usize;
            let (left, right) = (lower[entry], upper[entry]);
            sub_product(&mut diagonal[target], &left, &right);
            let mut at = symbolic.first[target] as usize;
            for other in entry + 1..range.end {
                let column = symbolic.column[other];
                while symbolic.column[at] < column {
                    at += 1;
                }
                let (beside, below) = (upper[other], lower[other]);
                sub_product(&mut upper[at], &left, &beside);
                sub_product(&mut lower[at], &below, &right);
            }
        }
    }
    Ok(())
}

/// [`Matrix::factor_rows`], likewise: what [`factor`] hands on to later rows is fetched here from
/// earlier ones, in the same order.
#[multiversion(targets = "simd")]
fn factor_rows<const N: usize, T: Scalar>(
    matrix: &mut Matrix<N, T>,
    symbolic: &Symbolic,
    contributors: &Contributors,
    rows: &[u32],
) -> Result<(), Singular> {
    let Matrix { diagonal, lower, upper } = matrix;
    for &target in rows {
        let target = target as usize;
        for &(row, entry) in contributors.of(target) {
            let (entry, range) = (entry as usize, symbolic.range(row as usize));
            let (left, right) = (lower[entry], upper[entry]);
            sub_product(&mut diagonal[target], &left, &right);
            let mut at = symbolic.first[target] as usize;
            for other in entry + 1..range.end {
                let column = symbolic.column[other];
                while symbolic.column[at] < column {
                    at += 1;
                }
                let (beside, below) = (upper[other], lower[other]);
                sub_product(&mut upper[at], &left, &beside);
                sub_product(&mut lower[at], &below, &right);
            }
        }
        let Some(pivot) = inverse(&diagonal[target]) else {
            let node = symbolic.row_of.iter().position(|&it| it as usize == target);
            return Err(Singular(node.unwrap_or(0) as u32));
        };
        diagonal[target] = pivot;
        for entry in symbolic.range(target) {
            lower[entry] = product(&lower[entry], &pivot);
        }
    }
    Ok(())
}

/// [`Matrix::solve`], likewise.
#[multiversion(targets = "simd")]
fn solve<const N: usize, T: Scalar>(
    matrix: &Matrix<N, T>,
    symbolic: &Symbolic,
    x: &mut [Column<N, T>],
    work: &mut Vec<Column<N, T>>,
    half_way: impl FnOnce(&mut [Column<N, T>]),
) {
    work.clear();
    work.resize(symbolic.nodes(), [T::ZERO; N]);
    for (value, &row) in x.iter().zip(&symbolic.row_of) {
        work[row as usize] = *value;
    }
    for row in 0..symbolic.nodes() {
        let value = work[row];
        for entry in symbolic.range(row) {
            let target = symbolic.column[entry] as usize;
            sub_apply(&mut work[target], &matrix.lower[entry], &value);
        }
    }
    half_way(work);
    for row in (0..symbolic.nodes()).rev() {
        let mut value = work[row];
        for entry in symbolic.range(row) {
            let known = work[symbolic.column[entry] as usize];
            sub_apply(&mut value, &matrix.upper[entry], &known);
        }
        work[row] = apply(&matrix.diagonal[row], &value);
    }
    for (value, &row) in x.iter_mut().zip(&symbolic.row_of) {
        *value = work[row as usize];
    }
}

#[cfg(test)]
mod tests {
    use num_complex::Complex64;

    use super::*;
    use crate::block::magnitude;

    /// Figures that look random, the same each time.
    fn figures() -> impl FnMut() -> Complex64 {
        let mut state = 12345_u64;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as f64 / f64::from(1_u32 << 31) - 0.5
        };
        move || Complex64::new(next(), next())
    }

    type Dense = nalgebra::DMatrix<nalgebra::Complex<f64>>;

    struct Case {
        symbolic: Symbolic,
        matrix: Matrix<2>,
        dense: Dense,
    }

    /// A matrix of blocks of two, and the same one written down densely.
    fn case(nodes: usize, pairs: &[(u32, u32)]) -> Case {
        case_of(Symbolic::new(nodes, pairs), pairs)
    }

    fn case_of(symbolic: Symbolic, pairs: &[(u32, u32)]) -> Case {
        let (mut next, nodes) = (figures(), symbolic.nodes());
        let mut matrix = Matrix::new(&symbolic);
        let mut dense = Dense::zeros(2 * nodes, 2 * nodes);
        let mut put = |into: &mut Block<2>, a: u32, b: u32, value: Block<2>| {
            crate::block::add_to(into, &value);
            for (i, row) in value.iter().enumerate() {
                for (j, it) in row.iter().enumerate() {
                    let at = (2 * a as usize + i, 2 * b as usize + j);
                    dense[at] += nalgebra::Complex::new(it.re, it.im);
                }
            }
        };
        for node in 0..nodes as u32 {
            let own = [[next() + 4.0, next()], [next(), next() - 4.0]];
            put(matrix.diagonal_mut(&symbolic, node), node, node, own);
        }
        for (pair, &(a, b)) in pairs.iter().enumerate() {
            let blocks =
                [[[next(), next()], [next(), next()]], [[next(), next()], [next(), next()]]];
            let (ab, ba) = matrix.pair_mut(&symbolic, pair).unwrap();
            put(ab, a, b, blocks[0]);
            put(ba, b, a, blocks[1]);
        }
        Case { symbolic, matrix, dense }
    }

    fn pairs_of_a_mesh() -> Vec<(u32, u32)> {
        let mut pairs = Vec::new();
        for y in 0..5 {
            for x in 0..6 {
                let at = 6 * y + x;
                pairs.extend((x < 5).then_some((at + 1, at)));
                pairs.extend((y < 4).then_some((at, at + 6)));
            }
        }
        pairs.push((0, 29));
        pairs.push((29, 0));
        pairs
    }

    #[test]
    fn solves_what_a_dense_solver_solves() {
        let pairs = pairs_of_a_mesh();
        solves_as_a_dense_solver(case(30, &pairs));
        solves_as_a_dense_solver(case_of(Symbolic::for_many_solutions(30, &pairs), &pairs));
    }

    fn solves_as_a_dense_solver(case: Case) {
        let Case { symbolic, mut matrix, dense } = case;
        matrix.factor(&symbolic).unwrap();
        let mut next = figures();
        let mut x: Vec<Column<2>> = (0..30).map(|_| [next(), next()]).collect();
        let right = nalgebra::DVector::from_iterator(
            60,
            x.iter().flatten().map(|it| nalgebra::Complex::new(it.re, it.im)),
        );
        matrix.solve(&symbolic, &mut x, &mut Vec::new());
        let expected = dense.lu().solve(&right).unwrap();
        for (at, value) in x.iter().flatten().enumerate() {
            let expected = Complex64::new(expected[at].re, expected[at].im);
            assert!(magnitude(value - expected) < 1e-11, "{at}: {value} {expected}");
        }
    }

    #[test]
    fn the_diagonal_of_the_inverse_is_that_of_a_dense_one() {
        let Case { symbolic, mut matrix, dense } = case(30, &pairs_of_a_mesh());
        matrix.factor(&symbolic).unwrap();
        let selected = matrix.selected_inverse(&symbolic);
        let expected = dense.try_inverse().unwrap();
        for node in 0..30 {
            for (i, row) in selected.diagonal(&symbolic, node).iter().enumerate() {
                for (j, value) in row.iter().enumerate() {
                    let it = expected[(2 * node as usize + i, 2 * node as usize + j)];
                    assert!(
                        magnitude(value - Complex64::new(it.re, it.im)) < 1e-11,
                        "{node} {i} {j}"
                    );
                }
            }
        }
    }

    #[test]
    fn rows_that_are_factored_again_are_what_the_whole_gives() {
        let pairs = pairs_of_a_mesh();
        let Case { symbolic, matrix: plain, .. } = case(30, &pairs);
        let contributors = symbolic.contributors();
        let mut factored = plain.clone();
        factored.factor(&symbolic).unwrap();
        for node in 0..30 {
            let mut changed = plain.clone();
            changed.diagonal_mut(&symbolic, node)[0][1] += Complex64::new(3.0, 1.0);
            let rows = symbolic.rows_above(std::iter::once(node));
            let mut part = factored.clone();
            part.reload(&symbolic, &changed, &rows);
            part.factor_rows(&symbolic, &contributors, &rows).unwrap();
            changed.factor(&symbolic).unwrap();
            assert!(part.diagonal == changed.diagonal, "{node}");
            assert!(part.lower == changed.lower && part.upper == changed.upper, "{node}");
        }
    }

    #[test]
    fn trees_have_no_fill_and_a_singular_block_is_reported() {
        let pairs: Vec<(u32, u32)> = (1..1000_u32).map(|node| (node, node * 7919 % node)).collect();
        assert_eq!(Symbolic::new(1000, &pairs).entries(), 999);
        assert_eq!(Symbolic::for_many_solutions(1000, &pairs).entries(), 999);

        let Case { symbolic, mut matrix, .. } = case(30, &[(3, 4)]);
        *matrix.diagonal_mut(&symbolic, 17) = zero();
        assert_eq!(matrix.factor(&symbolic), Err(Singular(17)));
    }
}
