//! Lines and switches.

use num_complex::Complex64;

use super::{Connection, Place};

/// A square matrix of complex figures for up to four conductors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Matrix {
    /// Rows and columns in use.
    pub size: usize,
    /// Row by row; what is beyond `size` is zero.
    pub rows: [[Complex64; 4]; 4],
}

impl Matrix {
    /// All zero.
    pub fn zero(size: usize) -> Self {
        Self { size, rows: [[Complex64::ZERO; 4]; 4] }
    }

    /// From one figure for each place; `value` is asked for places within `size` only.
    pub fn from_fn(size: usize, mut value: impl FnMut(usize, usize) -> Complex64) -> Self {
        let mut matrix = Self::zero(size);
        for row in 0..size {
            for column in 0..size {
                matrix.rows[row][column] = value(row, column);
            }
        }
        matrix
    }
}

/// A line's impedance by symmetrical components, of its whole length. Conductors are alike: the
/// self impedance is `(z0 + 2 z1) / 3`, the mutual one `(z0 - z1) / 3`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SequenceImpedance {
    /// Positive-sequence series impedance, ohm.
    pub z1_ohm: Complex64,
    /// Zero-sequence series impedance, ohm.
    pub z0_ohm: Complex64,
    /// Positive-sequence shunt admittance of both ends together, siemens.
    pub y1_s: Complex64,
    /// Zero-sequence shunt admittance of both ends together, siemens.
    pub y0_s: Complex64,
}

/// What stands between a line's ends, of its whole length.
#[derive(Clone, Debug, PartialEq)]
pub enum LineImpedance {
    /// By symmetrical components.
    Sequence(SequenceImpedance),
    /// In full, conductor by conductor.
    Matrix {
        /// Series impedance, ohm.
        series_ohm: Box<Matrix>,
        /// Shunt admittance of both ends together, siemens; half of it stands at each end.
        shunt_s: Box<Matrix>,
    },
}

impl LineImpedance {
    /// So many times this, as of another length.
    #[must_use]
    pub fn times(&self, times: f64) -> Self {
        let scaled = |matrix: &Matrix| {
            Box::new(Matrix::from_fn(matrix.size.min(4), |i, j| matrix.rows[i][j] * times))
        };
        match self {
            Self::Sequence(it) => Self::Sequence(SequenceImpedance {
                z1_ohm: it.z1_ohm * times,
                z0_ohm: it.z0_ohm * times,
                y1_s: it.y1_s * times,
                y0_s: it.y0_s * times,
            }),
            Self::Matrix { series_ohm, shunt_s } => {
                Self::Matrix { series_ohm: scaled(series_ohm), shunt_s: scaled(shunt_s) }
            }
        }
    }
}

/// A line or a cable: the pi model, half of its charging at each end.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Unique among the lines.
    pub name: Box<str>,
    /// One end.
    pub from: Connection,
    /// The other end, with as many conductors.
    pub to: Connection,
    /// Whether its breaker at `from` is closed; a line open at one end is charged from the other.
    pub from_closed: bool,
    /// Whether its breaker at `to` is closed.
    pub to_closed: bool,
    /// What stands between the ends.
    pub impedance: LineImpedance,
    /// Length in metres, for distances of faults and for drawing.
    pub length_m: Option<f64>,
    /// What a conductor may carry, amperes.
    pub rated_current_a: Option<f64>,
    /// Where it was read.
    pub place: Place,
}

/// A connection without impedance that is open or closed: a switch, a breaker, a fuse, a link.
#[derive(Clone, Debug, PartialEq)]
pub struct Switch {
    /// Unique among the switches.
    pub name: Box<str>,
    /// One end.
    pub from: Connection,
    /// The other end, with as many conductors.
    pub to: Connection,
    /// Whether current can flow.
    pub closed: bool,
    /// What it may carry, amperes.
    pub rated_current_a: Option<f64>,
    /// Where it was read.
    pub place: Place,
}
