//! Small dense systems of a size that is known when they come up.

use num_complex::Complex64;

use crate::block::Scalar;

/// Solves `a x = b` in place by elimination with row pivots; rows of `a` have as many figures as it
/// has rows, those of `b` as many as there are right-hand sides. An error is the singular row.
pub(super) fn solve(a: &mut [Vec<Complex64>], b: &mut [Vec<Complex64>]) -> Result<(), usize> {
    let size = a.len();
    for column in 0..size {
        let mut pivot = column;
        for row in column + 1..size {
            if a[row][column].size() > a[pivot][column].size() {
                pivot = row;
            }
        }
        let found = a[pivot][column].size();
        if found == 0.0 || !found.is_finite() {
            return Err(column);
        }
        a.swap(column, pivot);
        b.swap(column, pivot);
        let scale = Complex64::ONE / a[column][column];
        let (of_a, of_b) = (a[column].clone(), b[column].clone());
        for row in column + 1..size {
            let factor = a[row][column] * scale;
            if factor == Complex64::ZERO {
                continue;
            }
            for (value, above) in a[row].iter_mut().zip(&of_a).skip(column) {
                *value -= factor * above;
            }
            for (value, above) in b[row].iter_mut().zip(&of_b) {
                *value -= factor * above;
            }
        }
    }
    for row in (0..size).rev() {
        let scale = Complex64::ONE / a[row][row];
        for side in 0..b[row].len() {
            let mut value = b[row][side];
            for column in row + 1..size {
                value -= a[row][column] * b[column][side];
            }
            b[row][side] = value * scale;
        }
    }
    Ok(())
}
