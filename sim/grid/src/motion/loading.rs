//! For how long a protective device has seen a current that makes it act, and which.

use super::OperatingPoint;
use super::device::{RESIDUAL, Squares};

/// Of each quantity the time since it was picked up, seconds, and the integral of its square since,
/// A2s.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Loading {
    own: [(f64, f64); 4],
}

impl Loading {
    /// A step of a length; `None` of a quantity that is not picked up, else its mean square, A2.
    pub(super) fn step(&mut self, dt_s: f64, squares: Squares) {
        for ((time_s, square_time), square) in self.own.iter_mut().zip(squares) {
            if let Some(square) = square {
                *time_s += dt_s;
                *square_time += square * dt_s;
            } else {
                (*time_s, *square_time) = (0.0, 0.0);
            }
        }
    }

    /// Where a quantity is now; none before it was picked up.
    pub(super) fn point(&self, quantity: usize) -> Option<OperatingPoint> {
        let (time_s, square_time) = *self.own.get(quantity)?;
        let is_residual = quantity == RESIDUAL;
        let current_a = (square_time / time_s).sqrt();
        (time_s > 0.0).then_some(OperatingPoint { current_a, time_s, is_residual })
    }

    /// The quantity that was picked up first; of several the one with the largest current.
    pub(super) fn first(&self) -> Option<OperatingPoint> {
        let all = (0..self.own.len()).filter_map(|quantity| self.point(quantity));
        all.max_by(|one, other| {
            (one.time_s, one.current_a)
                .partial_cmp(&(other.time_s, other.current_a))
                .unwrap_or(std::cmp::Ordering::Equal)
        })
    }
}
