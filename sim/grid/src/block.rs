//! Small square matrices of a size known when compiling: what stands between the wires of two
//! nodes.
//!
//! Plain arrays and plain functions. One order of operations everywhere and no fused
//! multiply-add, so results are the same on every machine.

use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};

use num_complex::Complex64;

/// What matrices are made of: real or complex numbers.
pub trait Scalar:
    Copy
    + PartialEq
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
{
    /// Nothing.
    const ZERO: Self;
    /// One.
    const ONE: Self;

    /// How large it is, for choosing a pivot; not exactly the magnitude.
    fn size(self) -> f64;
}

impl Scalar for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;

    fn size(self) -> f64 {
        self.abs()
    }
}

impl Scalar for Complex64 {
    const ZERO: Self = Self { re: 0.0, im: 0.0 };
    const ONE: Self = Self { re: 1.0, im: 0.0 };

    fn size(self) -> f64 {
        self.re.abs() + self.im.abs()
    }
}

/// A square matrix, row by row.
pub type Block<const N: usize, T = Complex64> = [[T; N]; N];

/// A column.
pub type Column<const N: usize, T = Complex64> = [T; N];

/// All zero.
pub fn zero<T: Scalar, const N: usize>() -> Block<N, T> {
    [[T::ZERO; N]; N]
}

/// Ones on the diagonal.
pub fn identity<T: Scalar, const N: usize>() -> Block<N, T> {
    let mut block = zero();
    for (k, row) in block.iter_mut().enumerate() {
        row[k] = T::ONE;
    }
    block
}

/// `a += b`.
pub fn add_to<T: Scalar, const N: usize>(a: &mut Block<N, T>, b: &Block<N, T>) {
    for (a, b) in a.as_flattened_mut().iter_mut().zip(b.as_flattened()) {
        *a += *b;
    }
}

/// `a -= b c`.
#[inline]
pub fn sub_product<T: Scalar, const N: usize>(
    a: &mut Block<N, T>,
    b: &Block<N, T>,
    c: &Block<N, T>,
) {
    for i in 0..N {
        for k in 0..N {
            let factor = b[i][k];
            for j in 0..N {
                a[i][j] -= factor * c[k][j];
            }
        }
    }
}

/// `a b`.
#[inline]
pub fn product<T: Scalar, const N: usize>(a: &Block<N, T>, b: &Block<N, T>) -> Block<N, T> {
    let mut result = zero();
    for i in 0..N {
        for k in 0..N {
            let factor = a[i][k];
            for j in 0..N {
                result[i][j] += factor * b[k][j];
            }
        }
    }
    result
}

/// `-a`.
pub fn negative<T: Scalar, const N: usize>(a: &Block<N, T>) -> Block<N, T> {
    a.map(|row| row.map(|value| -value))
}

/// `a x`.
#[inline]
pub fn apply<T: Scalar, const N: usize>(a: &Block<N, T>, x: &Column<N, T>) -> Column<N, T> {
    let mut result = [T::ZERO; N];
    for i in 0..N {
        for j in 0..N {
            result[i] += a[i][j] * x[j];
        }
    }
    result
}

/// `y -= a x`.
#[inline]
pub fn sub_apply<T: Scalar, const N: usize>(
    y: &mut Column<N, T>,
    a: &Block<N, T>,
    x: &Column<N, T>,
) {
    for i in 0..N {
        let mut sum = T::ZERO;
        for j in 0..N {
            sum += a[i][j] * x[j];
        }
        y[i] -= sum;
    }
}

/// Whether every figure is finite: neither infinite nor not a number.
pub fn is_finite<const N: usize>(a: &Block<N>) -> bool {
    a.as_flattened().iter().all(|value| value.re.is_finite() && value.im.is_finite())
}

/// The inverse, by elimination with row pivots; none if it is singular or not finite.
#[inline]
pub fn inverse<T: Scalar, const N: usize>(a: &Block<N, T>) -> Option<Block<N, T>> {
    let (mut a, mut result) = (*a, identity::<T, N>());
    for column in 0..N {
        // Rows are exchanged one by one, so that which ones they are is known beforehand.
        for row in column + 1..N {
            if a[row][column].size() > a[column][column].size() {
                a.swap(column, row);
                result.swap(column, row);
            }
        }
        let size = a[column][column].size();
        if size == 0.0 || !size.is_finite() {
            return None;
        }
        let scale = T::ONE / a[column][column];
        for j in 0..N {
            a[column][j] = a[column][j] * scale;
            result[column][j] = result[column][j] * scale;
        }
        for row in 0..N {
            if row != column {
                let factor = a[row][column];
                let (from, into) = (a[column], result[column]);
                for j in 0..N {
                    a[row][j] -= factor * from[j];
                    result[row][j] -= factor * into[j];
                }
            }
        }
    }
    let finite = result.as_flattened().iter().all(|value| value.size().is_finite());
    finite.then_some(result)
}

/// The inverse on the wires that have a conductor, zero elsewhere.
pub(crate) fn inverse_on<const N: usize, T: Scalar>(
    block: &Block<N, T>,
    has_conductor: impl Fn(usize) -> bool,
) -> Option<Block<N, T>> {
    let mut filled = *block;
    for wire in (0..N).filter(|wire| !has_conductor(*wire)) {
        filled[wire][wire] = T::ONE;
    }
    let mut inverted = inverse(&filled)?;
    for wire in (0..N).filter(|wire| !has_conductor(*wire)) {
        inverted[wire][wire] = T::ZERO;
    }
    Some(inverted)
}

/// The determinant, by elimination with row pivots.
pub fn determinant<const N: usize>(a: &Block<N, f64>) -> f64 {
    let (mut a, mut determinant) = (*a, 1.0);
    for column in 0..N {
        let mut pivot = column;
        for row in column + 1..N {
            if a[row][column].abs() > a[pivot][column].abs() {
                pivot = row;
            }
        }
        if pivot != column {
            a.swap(column, pivot);
            determinant = -determinant;
        }
        let from = a[column];
        if from[column] == 0.0 {
            return 0.0;
        }
        determinant *= from[column];
        for row in &mut a[column + 1..] {
            let factor = row[column] / from[column];
            for (value, from) in row.iter_mut().zip(&from) {
                *value -= factor * from;
            }
        }
    }
    determinant
}

/// The magnitude of a complex number, with the same digits on every machine.
pub fn magnitude(value: Complex64) -> f64 {
    value.norm_sqr().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverse_times_matrix_is_identity_and_singular_matrices_have_none() {
        let a = [
            [Complex64::new(0.0, 0.0), Complex64::new(2.0, 1.0), Complex64::new(1.0, 0.0)],
            [Complex64::new(1.0, -1.0), Complex64::new(0.5, 0.0), Complex64::new(0.0, 3.0)],
            [Complex64::new(4.0, 0.0), Complex64::new(0.0, 1.0), Complex64::new(2.0, 2.0)],
        ];
        let unit = product(&a, &inverse(&a).unwrap());
        for (i, row) in unit.iter().enumerate() {
            for (j, value) in row.iter().enumerate() {
                let expected = if i == j { Complex64::ONE } else { Complex64::ZERO };
                assert!(magnitude(value - expected) < 1e-14, "{i} {j} {value}");
            }
        }
        assert!(inverse(&[[1.0, 2.0], [2.0, 4.0]]).is_none());
        assert!(inverse(&[[f64::NAN]]).is_none());
    }

    #[test]
    fn the_determinant_has_its_sign_whatever_rows_are_exchanged() {
        let rows = [[0.0, 2.0, 1.0], [1.0, 0.0, 3.0], [4.0, 1.0, 0.0]];
        assert!((determinant(&rows) - 25.0).abs() < 1e-12, "{}", determinant(&rows));
        let turned = [rows[1], rows[0], rows[2]];
        assert!((determinant(&turned) + 25.0).abs() < 1e-12, "{}", determinant(&turned));
        assert_eq!(determinant(&[[1.0, 2.0], [2.0, 4.0]]), 0.0);
    }
}
