//! A sectionaliser in its switch.

use super::{Act, Cause, Device, DeviceInputs, Move};
use crate::motion::OperationKind;
use crate::protection::Sectionalizer;
use crate::transient::Pole;

impl Device for Sectionalizer {
    fn due_in(&self, seen: &DeviceInputs<'_>) -> Option<f64> {
        Sectionalizer::due_in(self, seen.currents().largest_phase_a())
    }

    fn step(&mut self, dt_s: f64, seen: &DeviceInputs<'_>) -> Vec<Act> {
        let act = Sectionalizer::step(self, dt_s, seen.currents().largest_phase_a());
        let act = act.map(|act| Act {
            after_s: act.after_s,
            moves: Move::Open(Pole::All),
            kind: OperationKind::Opened,
            detail: format!("after {} interruptions", self.counted()),
            cause: Cause::Other,
        });
        act.into_iter().collect()
    }
}
