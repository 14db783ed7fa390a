//! Lines by their conductors.

use num_complex::Complex64;

use crate::block::{Block, add_to, identity, inverse, is_finite, product, zero};
use crate::network::{Line, LineImpedance, WireList};

/// A line's matrices by its conductors; what is beyond `size` is zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LineModel {
    pub(crate) size: usize,
    /// The conductors that carry no current, as no source reaches them; all figures are zero there.
    pub(crate) dead: [bool; 4],
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
            dead: [false; 4],
            series: from_sequence(size, it.z1_ohm, it.z0_ohm),
            half_shunt: from_sequence(size, it.y1_s * 0.5, it.y0_s * 0.5),
            sequence: Some([it.z1_ohm, it.z0_ohm]),
        },
        LineImpedance::Matrix { series_ohm, shunt_s } => LineModel {
            size,
            dead: [false; 4],
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

/// From an element's conductors to the wires of nodes.
pub(crate) fn placed(by_conductor: &Block<4>, rows: WireList, columns: WireList) -> Block<4> {
    let mut block = zero();
    for (row, at) in rows.as_slice().iter().enumerate() {
        for (column, by) in columns.as_slice().iter().enumerate() {
            block[at.index()][by.index()] = by_conductor[row][column];
        }
    }
    block
}

impl LineModel {
    /// With conductors that no source reaches: nothing flows along them, whatever is induced there.
    /// Their charging lets them float at each end, as the others' charging divides the voltages.
    pub(crate) fn without(mut self, dead: [bool; 4]) -> Self {
        if dead == [false; 4] {
            return self;
        }
        self.half_shunt = floating(&self.half_shunt, dead);
        for conductor in (0..4).filter(|&it| dead[it]) {
            self.series[conductor] = [Complex64::ZERO; 4];
            self.series.iter_mut().for_each(|row| row[conductor] = Complex64::ZERO);
        }
        Self { dead, sequence: None, ..self }
    }

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
        let absent = |conductor: usize| conductor >= self.size || self.dead[conductor];
        for conductor in (0..4).filter(|&it| absent(it)) {
            filled[conductor][conductor] = Complex64::ONE;
        }
        let mut admittance = inverse(&filled)?;
        for conductor in (0..4).filter(|&it| absent(it)) {
            admittance[conductor][conductor] = Complex64::ZERO;
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

/// An admittance of which some conductors are connected to nothing else, seen from the others;
/// without any admittance of those there, they are left out.
fn floating(admittance: &Block<4>, dead: [bool; 4]) -> Block<4> {
    let mut own = identity();
    let [mut towards, mut left] = [zero(), zero()];
    for row in 0..4 {
        for column in 0..4 {
            let value = admittance[row][column];
            match [dead[row], dead[column]] {
                [true, true] => own[row][column] = value,
                [true, false] => towards[row][column] = value,
                [false, true] => {}
                [false, false] => left[row][column] = value,
            }
        }
    }
    if let Some(own) = inverse(&own) {
        let voltages = product(&own, &towards);
        for row in (0..4).filter(|&it| !dead[it]) {
            for column in (0..4).filter(|&it| !dead[it]) {
                for by in (0..4).filter(|&it| dead[it]) {
                    left[row][column] -= admittance[row][by] * voltages[by][column];
                }
            }
        }
    }
    left
}
