//! One window of a plan: its constants, what oscillates, and the spread that noise gives.

use std::f64::consts::SQRT_2;

use num_complex::Complex64;

use super::converted::Components;
use super::plan::{Plan, Sums, unit};
use crate::gaussian::Gaussian;
use crate::window::MeasuredPhase;

/// What a window has beyond whole cycles; less than whole cycles if negative.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surplus {
    /// Its middle.
    pub(super) at_s: f64,
    /// Its part of the window.
    pub(super) part: f64,
}

/// A channel's value at an instant.
fn value(components: &Components, at_s: f64) -> f64 {
    components.iter().map(|&(f, x)| (x * unit(f * at_s)).re).sum()
}

/// One phase of one window: constants, oscillations, and the spread that noise gives.
pub(super) fn measure(
    plan: &Plan,
    number: usize,
    turns: &[Complex64],
    surplus: Option<Surplus>,
    noise: &mut Gaussian,
) -> MeasuredPhase {
    let phase = &plan.phases[number];
    let Sums { mut u2, mut i2, mut ui } = phase.means;
    let (mut u1, mut i1) = (phase.u1, phase.i1);
    for (oscillation, turn) in plan.oscillations.iter().zip(turns) {
        let swing = &oscillation.phases[number];
        u2 += (swing.means.u2 * turn).re;
        i2 += (swing.means.i2 * turn).re;
        ui += (swing.means.ui * turn).re;
        u1 += swing.u1[0] * turn + swing.u1[1] * turn.conj();
        i1 += swing.i1[0] * turn + swing.i1[1] * turn.conj();
    }
    if let Some(Surplus { at_s, part }) = surplus {
        // The product of what is there in its middle stands for all of it.
        let (u, i) = (value(&phase.u_components, at_s), value(&phase.i_components, at_s));
        let with = |mean: f64, product: f64| mean + (product - mean) * part;
        (u2, i2, ui) = (with(u2, u * u), with(i2, i * i), with(ui, u * i));
    }
    let mut q1_var = (u1 * i1.conj()).im;
    let (u_variance, i_variance) = (phase.u_variance, phase.i_variance);
    if u_variance > 0.0 || i_variance > 0.0 {
        let spread = phase.steady_spread.unwrap_or_else(|| {
            Spread::new(Sums { u2, i2, ui }, (u1, i1), (u_variance, i_variance), plan.samples)
        });
        q1_var += spread.reactive * noise.draw();
        let change = spread.draw(noise);
        u2 += u_variance + change.u2;
        i2 += i_variance + change.i2;
        ui += change.ui;
    }
    let (u_rms_v, i_rms_a) = (u2.max(0.0).sqrt(), i2.max(0.0).sqrt());
    MeasuredPhase {
        u_rms_v,
        i_rms_a,
        p_w: ui,
        q1_var,
        s_va: u_rms_v * i_rms_a,
        u1,
        i1,
        u_thd2: phase.u_thd2,
        i_thd2: phase.i_thd2,
        ..MeasuredPhase::default()
    }
}

/// How white noise spreads the means of one window.
///
/// With signals s, noise n, N samples: `mean(u^2)` gains `2 mean(s_u n_u) + mean(n_u^2) - sigma^2`,
/// and so on. The noise of the voltage is drawn along the voltage's signal and along what of the
/// current's is orthogonal to it, and the other way round, so that the results vary together as
/// they do in a converter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    u_sigma: f64,
    i_sigma: f64,
    /// The deviations over the root of N.
    u: f64,
    i: f64,
    u_rms: f64,
    i_rms: f64,
    /// mean(ui) over the RMS voltage and over the RMS current.
    p_over_u: f64,
    p_over_i: f64,
    /// What of the current is orthogonal to the voltage, and the other way round.
    i_across: f64,
    u_across: f64,
    /// Standard deviation of the fundamental's reactive power.
    pub(super) reactive: f64,
    /// Whether the products of noise with noise matter.
    is_noisy: bool,
}

impl Spread {
    /// Of a window with these means, fundamentals and variances.
    pub(super) fn new(
        Sums { u2, i2, ui }: Sums<f64>,
        (u1, i1): (Complex64, Complex64),
        (u_variance, i_variance): (f64, f64),
        samples: f64,
    ) -> Self {
        let (u_rms, i_rms) = (u2.max(0.0).sqrt(), i2.max(0.0).sqrt());
        let over = |rms: f64| if rms > 0.0 { ui / rms } else { 0.0 };
        let rest = |rms: f64, along: f64| (rms * rms - along * along).max(0.0).sqrt();
        let (u_sigma, i_sigma) = (u_variance.sqrt(), i_variance.sqrt());
        let (p_over_u, p_over_i) = (over(u_rms), over(i_rms));
        let root_n = samples.sqrt();
        let (u, i) = (u_sigma * u_sigma, i_sigma * i_sigma);
        Self {
            u_sigma,
            i_sigma,
            u: u_sigma / root_n,
            i: i_sigma / root_n,
            u_rms,
            i_rms,
            p_over_u,
            p_over_i,
            i_across: rest(i_rms, p_over_u),
            u_across: rest(u_rms, p_over_i),
            reactive: (u1.norm_sqr() * i + i1.norm_sqr() * u + u * i).sqrt() / root_n,
            is_noisy: u_variance > 1e-4 * u2 || i_variance > 1e-4 * i2,
        }
    }

    pub(super) fn draw(&self, noise: &mut Gaussian) -> Sums<f64> {
        let &Self { u, i, .. } = self;
        let (along_u, across_u) = (u * noise.draw(), u * noise.draw());
        let (along_i, across_i) = (i * noise.draw(), i * noise.draw());
        let mut change = Sums {
            u2: 2.0 * self.u_rms * along_u,
            i2: 2.0 * self.i_rms * along_i,
            ui: self.p_over_u * along_u
                + self.i_across * across_u
                + self.p_over_i * along_i
                + self.u_across * across_i,
        };
        if self.is_noisy {
            change.u2 += SQRT_2 * u * self.u_sigma * noise.draw();
            change.i2 += SQRT_2 * i * self.i_sigma * noise.draw();
            change.ui += u * self.i_sigma * noise.draw();
        }
        change
    }
}
