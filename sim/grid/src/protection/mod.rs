//! What protective devices do with the currents through them, step by step.
//!
//! Each device is a state machine with a `step`: a length of time in seconds and the currents
//! during it. If the device acts within the step, it returns an [`Action`] with the instant, and
//! **its own time stops there**: the network is another one from that instant, so the caller
//! solves it again and steps the rest of the time (`dt_s - after_s`) with the new currents. Where
//! several devices act on one network, `due_in` gives the time until each acts if the currents
//! stay; the earliest of them is the longest step that is exact for all.
//!
//! Currents that change inside a step are the caller's to resolve by shorter steps. A step whose
//! length is not finite and above zero does nothing. The sign of a current does not matter; an
//! infinite current is above every setting; a current that is not a number is one that the device
//! does not see: it neither progresses nor resets, while running times (opening, dead time) go on.

mod curve;
mod fuse;
mod gates;
mod interface;
mod recloser;
mod relay;
mod sectionalizer;
#[cfg(test)]
mod tests;

use std::fmt::Display;

use num_complex::Complex64;

pub use curve::{Characteristic, Curve};
pub use fuse::{Fuse, FuseEvent};
pub use gates::GgGates;
pub use interface::{
    Interface, InterfaceCause, InterfaceEvent, InterfaceSettings, InterfaceView, VoltageStage,
};
pub use recloser::{Recloser, RecloserEvent, RecloserSettings};
pub use relay::{Quantity, Relay, Trip};
pub use sectionalizer::{Sectionalizer, SectionalizerSettings};

/// What a device did within a step, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Action<E> {
    /// Seconds since the beginning of the step; never more than its length.
    pub after_s: f64,
    /// What it did.
    pub event: E,
}

/// The RMS currents at a three-phase device.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Currents {
    /// Of the phases, in amperes.
    pub phases_a: [f64; 3],
    /// The residual current 3I0, in amperes.
    pub residual_a: f64,
}

impl Currents {
    /// Of the phasors of the three phases, in amperes (RMS).
    pub fn of_phasors(phasors_a: [Complex64; 3]) -> Self {
        let magnitude = |phasor: Complex64| libm::hypot(phasor.re, phasor.im);
        let [a, b, c] = phasors_a;
        Self { phases_a: phasors_a.map(magnitude), residual_a: magnitude(a + b + c) }
    }

    /// The largest current of a phase, in amperes; not a number if one is not.
    pub fn largest_phase_a(&self) -> f64 {
        let larger =
            |most: f64, it: &f64| if it.abs() > most || it.is_nan() { it.abs() } else { most };
        self.phases_a.iter().fold(0.0, larger)
    }

    fn are_numbers(&self) -> bool {
        !self.residual_a.is_nan() && !self.largest_phase_a().is_nan()
    }
}

/// A setting that no device can have: which one, what it is, and what it has to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingError(String);

impl SettingError {
    fn new(setting: &str, found: &dyn Display, expected: &str) -> Self {
        Self(format!("{setting} is {found}; expected {expected}"))
    }
}

fn above_zero(setting: &str, value: f64) -> Result<(), SettingError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(SettingError::new(setting, &value, "a finite value above 0"))
}

fn not_negative(setting: &str, value: f64) -> Result<(), SettingError> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(SettingError::new(setting, &value, "a finite value of 0 or more"))
}

/// Whether time passes at all in a step.
fn passes(dt_s: f64) -> bool {
    dt_s.is_finite() && dt_s > 0.0
}

/// Takes a step's length from a running time; if that ends within the step, when.
fn runs_out(left_s: &mut f64, dt_s: f64) -> Option<f64> {
    if *left_s <= dt_s {
        return Some(std::mem::take(left_s));
    }
    *left_s -= dt_s;
    None
}

/// Points per decade of current in a drawing.
const POINTS_PER_DECADE: f64 = 50.0;

/// Currents in amperes and times in seconds for drawing: evenly spaced on a logarithmic axis from
/// one current to another, and the corners in between. Empty unless `0 < from_a <= to_a`, finite.
fn points(
    from_a: f64,
    to_a: f64,
    corners_a: Vec<f64>,
    time: impl Fn(f64) -> Option<f64>,
) -> impl Iterator<Item = (f64, f64)> {
    let mut currents = corners_a;
    currents.retain(|current| (from_a..=to_a).contains(current));
    if passes(from_a) && to_a.is_finite() && from_a <= to_a {
        let decades = libm::log10(to_a) - libm::log10(from_a);
        let count = (decades * POINTS_PER_DECADE).ceil().max(1.0);
        let at = |nth: u32| from_a * libm::pow(10.0, decades * f64::from(nth) / count);
        currents.extend((0..=count as u32).map(at).map(|it| it.clamp(from_a, to_a)));
    } else {
        currents.clear();
    }
    currents.sort_by(f64::total_cmp);
    currents.dedup();
    currents.into_iter().filter_map(move |current| Some((current, time(current)?)))
}
