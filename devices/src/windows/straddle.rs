//! A window in which the spectrum changes: the means of its parts, weighted with their lengths.
//!
//! Over a part that is no whole number of cycles a product of two tones has no special mean: each
//! pair is integrated, `integral of a e^(j x t) conj(b e^(j y t))` and the one with the sum of the
//! frequencies. The window ends where its cycles are complete, counted through all parts. Its
//! fundamentals and distortions are those of the parts, weighted with their lengths.

use std::f64::consts::PI;

use num_complex::Complex64;

use super::converted::Components;
use super::plan::{PhasePlan, Plan, Sums, unit};
use super::spread::Spread;
use crate::gaussian::Gaussian;
use crate::window::MeasuredPhase;

/// What a window has seen of a spectrum that is over.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) from_s: f64,
    pub(super) to_s: f64,
    pub(super) plan: Plan,
}

/// One phase of a window made of parts, the last of them by the present plan.
pub(super) fn measure(
    parts: &[(f64, f64, &Plan)],
    number: usize,
    noise: &mut Gaussian,
) -> MeasuredPhase {
    let whole_s: f64 = parts.iter().map(|(from_s, to_s, _)| to_s - from_s).sum();
    let mut phase = MeasuredPhase::default();
    let (mut u2, mut i2, mut ui) = (0.0, 0.0, 0.0);
    let (mut u_variance, mut i_variance) = (0.0, 0.0);
    for &(from_s, to_s, plan) in parts {
        let share = (to_s - from_s) / whole_s;
        let present = &plan.phases[number];
        let (u, i) = (&present.u_components, &present.i_components);
        let mean = |x: &Components, y: &Components| integral(x, y, from_s, to_s) / whole_s;
        u2 += mean(u, u);
        i2 += mean(i, i);
        ui += mean(u, i);
        u2 += share * present.u_left;
        i2 += share * present.i_left;
        ui += share * present.both_left;
        u_variance += share * present.u_variance;
        i_variance += share * present.i_variance;
        phase.q1_var += share * (present.u1 * present.i1.conj()).im;
        phase.u_thd2 += share * present.u_thd2;
        phase.i_thd2 += share * present.i_thd2;
        // Angles count from the first voltage, the only ones that parts have in common.
        let first = plan.phases[0].u1;
        let back = if first.norm() > 0.0 { first.conj() / first.norm() } else { Complex64::ONE };
        phase.u1 += share * present.u1 * back;
        phase.i1 += share * present.i1 * back;
    }
    if let Some((_, _, plan)) = parts.last()
        && (u_variance > 0.0 || i_variance > 0.0)
    {
        let PhasePlan { u_variance: of_u, i_variance: of_i, .. } = plan.phases[number];
        let fundamentals = (phase.u1, phase.i1);
        let spread = Spread::new(Sums { u2, i2, ui }, fundamentals, (of_u, of_i), plan.samples);
        phase.q1_var += spread.reactive * noise.draw();
        let change = spread.draw(noise);
        u2 += u_variance + change.u2;
        i2 += i_variance + change.i2;
        ui += change.ui;
    }
    phase.u_rms_v = u2.max(0.0).sqrt();
    phase.i_rms_a = i2.max(0.0).sqrt();
    phase.p_w = ui;
    phase.s_va = phase.u_rms_v * phase.i_rms_a;
    phase
}

/// Integral of the product of two channels.
fn integral(x: &Components, y: &Components, from_s: f64, to_s: f64) -> f64 {
    let mut sum = 0.0;
    for &(f, a) in x {
        for &(g, b) in y {
            sum += (a * b.conj() * turning(f - g, from_s, to_s)).re;
            sum += (a * b * turning(f + g, from_s, to_s)).re;
        }
    }
    // A direct component is its own conjugate, and the two halves of its product are one number.
    0.5 * sum
}

/// Integral of `e^(j 2 pi f t)`.
pub(super) fn turning(frequency_hz: f64, from_s: f64, to_s: f64) -> Complex64 {
    let length_s = to_s - from_s;
    let half = PI * frequency_hz * length_s;
    let shape = if half.abs() < 1e-9 { 1.0 } else { libm::sin(half) / half };
    unit(frequency_hz * 0.5 * (from_s + to_s)) * (length_s * shape)
}
