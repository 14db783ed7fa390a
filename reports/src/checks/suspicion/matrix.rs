//! Symmetric matrices of sums of products, and the inverse of one that is positive definite.

/// A square matrix, row by row.
#[derive(Clone, Debug)]
pub(super) struct Square {
    size: usize,
    values: Vec<f64>,
}

impl Square {
    pub(super) fn diagonal(values: &[f64]) -> Self {
        let size = values.len();
        let mut diagonal = Self { size, values: vec![0.0; size * size] };
        for (place, value) in values.iter().enumerate() {
            diagonal.values[place * (size + 1)] = *value;
        }
        diagonal
    }

    /// The product of each two columns.
    pub(super) fn of_products(columns: &[Vec<f64>]) -> Self {
        let mut products = Self::diagonal(&vec![0.0; columns.len()]);
        for (row, one) in columns.iter().enumerate() {
            for (column, other) in columns[..=row].iter().enumerate() {
                let product = dot(one, other);
                products.values[row * products.size + column] = product;
                products.values[column * products.size + row] = product;
            }
        }
        products
    }

    pub(super) fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.size + column]
    }

    pub(super) fn add(&mut self, row: usize, column: usize, value: f64) {
        self.values[row * self.size + column] += value;
    }

    pub(super) fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.size..][..self.size]
    }

    /// Each value times a factor, and on the diagonal these values more.
    pub(super) fn scaled(&self, factor: f64, diagonal: &[f64]) -> Self {
        let mut scaled = self.clone();
        scaled.values.iter_mut().for_each(|value| *value *= factor);
        for (place, more) in diagonal.iter().enumerate() {
            scaled.add(place, place, *more);
        }
        scaled
    }

    pub(super) fn times(&self, vector: &[f64]) -> Vec<f64> {
        (0..self.size).map(|row| dot(self.row(row), vector)).collect()
    }

    /// The inverse, by Cholesky's factors; `None` if the matrix is not positive definite.
    pub(super) fn inverse(&self) -> Option<Self> {
        let size = self.size;
        // The lower factor, then its inverse.
        let mut lower = Self::diagonal(&vec![0.0; size]);
        for row in 0..size {
            for column in 0..=row {
                let (above, own) = (&lower.row(column)[..column], &lower.row(row)[..column]);
                let rest = self.at(row, column) - dot(own, above);
                let value = if row == column {
                    Some(rest.sqrt()).filter(|root| root.is_finite() && *root > 0.0)?
                } else {
                    rest / lower.at(column, column)
                };
                lower.add(row, column, value);
            }
        }
        // Column by column of that inverse, kept as rows.
        let mut turned = Self::diagonal(&vec![0.0; size]);
        for column in 0..size {
            for row in column..size {
                let begun = dot(&lower.row(row)[column..row], &turned.row(column)[column..row]);
                let unit = if row == column { 1.0 } else { 0.0 };
                turned.add(column, row, (unit - begun) / lower.at(row, row));
            }
        }
        let mut inverse = Self::diagonal(&vec![0.0; size]);
        for row in 0..size {
            for column in 0..=row {
                let value = dot(&turned.row(row)[row..], &turned.row(column)[row..]);
                inverse.values[row * size + column] = value;
                inverse.values[column * size + row] = value;
            }
        }
        Some(inverse)
    }
}

pub(super) fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_is_the_one_of_the_closed_form() {
        // Hilbert's matrix of four rows has an inverse of whole numbers.
        let columns = [(0, 0), (1, 0), (2, 0), (3, 0)].map(|(from, _)| {
            (0..4).map(|row| 1.0 / f64::from(from + row + 1)).collect::<Vec<f64>>()
        });
        let mut hilbert = Square::diagonal(&[0.0; 4]);
        for (row, values) in columns.iter().enumerate() {
            for (column, value) in values.iter().enumerate() {
                hilbert.add(row, column, *value);
            }
        }
        let expected = [
            [16.0, -120.0, 240.0, -140.0],
            [-120.0, 1200.0, -2700.0, 1680.0],
            [240.0, -2700.0, 6480.0, -4200.0],
            [-140.0, 1680.0, -4200.0, 2800.0],
        ];
        let inverse = hilbert.inverse().unwrap();
        for (row, values) in expected.iter().enumerate() {
            for (found, value) in inverse.row(row).iter().zip(values) {
                assert!((found - value).abs() < 1e-8 * value.abs(), "{found} {value}");
            }
        }
        let one = hilbert.times(inverse.row(2));
        assert!((one[2] - 1.0).abs() < 1e-9 && one[0].abs() < 1e-9);
        assert_eq!(Square::of_products(&columns).at(0, 1), dot(&columns[0], &columns[1]));
    }

    #[test]
    fn what_is_not_positive_definite_has_none() {
        let mut flat = Square::diagonal(&[1.0, 1.0]);
        flat.add(0, 1, 2.0);
        flat.add(1, 0, 2.0);
        assert!(flat.inverse().is_none());
        assert!(Square::diagonal(&[1.0, f64::NAN]).inverse().is_none());
    }
}
