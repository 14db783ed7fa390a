//! The apparent power of a timeline, window by window.
//!
//! A product of RMS values is no integral: over a span in which a load moves it is larger than the
//! mean of what it is over the span's parts. So it matters over which length RMS values are taken,
//! and that is a window of 10/12 cycles (IEC 61000-4-30, 4.4); `truth` states which.

use super::Timeline;
use super::piece::Wave;
use crate::instant::Instant;

impl Timeline {
    /// The mean of each phase's apparent power over so many windows of one length that make up the
    /// span from one instant to a later one, in VA; each window has so many cycles.
    pub(crate) fn apparent_powers(
        &self,
        from: Instant,
        to: Instant,
        windows: u64,
        cycles: u32,
    ) -> Vec<f64> {
        let length_s = to.seconds_since(from) / windows as f64;
        let border = |number: u64| {
            if number == windows { to } else { from.plus_seconds(number as f64 * length_s) }
        };
        let mut sums = vec![0.0; self.phases()];
        let mut first = 0;
        while first < windows {
            let alike = self.alike(border(first), length_s, cycles).clamp(1, windows - first);
            let means = self.means_between(border(first), border(first + alike));
            let share = alike as f64 / windows as f64;
            for (sum, means) in sums.iter_mut().zip(&means) {
                *sum += share * means.phase.apparent_power_va();
            }
            first += alike;
        }
        sums
    }

    /// How many whole windows from an instant on have the same RMS values, as far as is known
    /// without looking at them.
    fn alike(&self, at: Instant, length_s: f64, cycles: u32) -> u64 {
        let index = self.index_at(at);
        let Some(piece) = self.pieces.get(index) else { return 0 };
        match &*piece.wave {
            Wave::Stationary(stationary) if stationary.repeats_every(cycles) => {
                let next = self.pieces.get(index + 1);
                next.map_or(u64::MAX, |next| (next.from.seconds_since(at) / length_s) as u64)
            }
            Wave::Stationary(_) | Wave::Moving(_) | Wave::Sampled(_) => 0,
        }
    }
}
