//! Lines by their conductors.

use num_complex::Complex64;

use crate::block::{Block, add_to, identity, inverse, is_finite, product, zero};
use crate::network::{Line, LineImpedance};

/// A line's matrices by its conductors; what is beyond `size` is zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LineModel {
    pub(crate) size: usize,
    /// Ohm.
    pub(crate) series: Block<4>,
    /// Charging at each end, siemens.
    pub(crate) half_shunt: Block<4>,
    /// Positive- and zero-sequence series impedance of conductors that are alike, ohm.
    pub(crate) sequence: Option<[Complex64; 2]>,
}

pub(crate) fn line_model(line: &Line) -> LineModel {
    let size = line.from.wires.as_slice().len();
    match &line.impedance {
        LineImpedance::Sequence(it) => LineModel {
            size,
            series: from_sequence(size, it.z1_ohm, it.z0_ohm),
            half_shunt: from_sequence(size, it.y1_s * 0.5, it.y0_s * 0.5),
            sequence: Some([it.z1_ohm, it.z0_ohm]),
        },
        LineImpedance::Matrix { series_ohm, shunt_s } => LineModel {
            size,
            series: series_ohm.rows,
            half_shunt: shunt_s.rows.map(|row| row.map(|value| value * 0.5)),
            sequence: None,
        },
    }
}

/// The matrix of conductors that are alike: self `(zero + 2 one) / 3`, mutual `(zero - one) / 3`.
pub(crate) fn from_sequence(size: usize, one: Complex64, zero_sequence: Complex64) -> Block<4> {
    let [own, mutual] = own_and_mutual(one, zero_sequence);
    let mut block = zero();
    for row in 0..size {
        for column in 0..size {
            block[row][column] = if row == column { own } else { mutual };
        }
    }
    block
}

/// The diagonal of that matrix, and all that is beside it.
pub(super) fn own_and_mutual(one: Complex64, zero_sequence: Complex64) -> [Complex64; 2] {
    [(zero_sequence + one * 2.0) / 3.0, (zero_sequence - one) / 3.0]
}

impl LineModel {
    /// The series admittance by conductors; none if the impedance has no inverse.
    pub(crate) fn admittance(&self) -> Option<Block<4>> {
        if let Some([one, zero_sequence]) = self.sequence {
            // Alike conductors: as many but one times `z1`, once what all of them see together.
            let count = self.size as f64;
            let together = one + (zero_sequence - one) * (count / 3.0);
            let (across, along) = (Complex64::ONE / one, Complex64::ONE / together);
            let mutual = (along - across) / count;
            let mut admittance = zero();
            for row in 0..self.size {
                for column in 0..self.size {
                    admittance[row][column] = if row == column { across + mutual } else { mutual };
                }
            }
            return is_finite(&admittance).then_some(admittance);
        }
        let mut filled = self.series;
        for (k, row) in filled.iter_mut().enumerate().skip(self.size) {
            row[k] = Complex64::ONE;
        }
        let mut admittance = inverse(&filled)?;
        for (k, row) in admittance.iter_mut().enumerate().skip(self.size) {
            row[k] = Complex64::ZERO;
        }
        Some(admittance)
    }

    /// What one end sees when the other is open: its own charging, and behind the impedance that of
    /// the other end.
    pub(crate) fn open_ended(&self) -> Block<4> {
        let mut through = identity();
        add_to(&mut through, &product(&self.series, &self.half_shunt));
        let mut seen = self.half_shunt;
        if let Some(through) = inverse(&through) {
            add_to(&mut seen, &product(&self.half_shunt, &through));
        }
        seen
    }
}
