//! The quantities of one window from the samples of all channels.

use std::f64::consts::{SQRT_2, TAU};

use crate::edge::{Edge, Span};
use crate::numeric::oscillate;
use crate::window::{Effective, PhaseQuantities, Phasor};

/// Where a window lies in the channels' slices, with the fundamental's cosine and sine over it.
pub(crate) struct Frame<'a> {
    /// Voltages first, then currents; all slices begin with the first weighted sample.
    pub(crate) channels: Vec<&'a [f64]>,
    /// The weights.
    pub(crate) span: Span,
    /// Cosine of the fundamental, zero angle at the start of the window.
    pub(crate) cos: &'a [f64],
    /// Its sine.
    pub(crate) sin: &'a [f64],
}

impl<'a> Frame<'a> {
    /// The window of `cycles` cycles from `start` (a position in the slices) over `length` samples.
    pub(crate) fn new(
        edge: &Edge,
        channels: &[&'a [f64]],
        (start, length, cycles): (f64, f64, u32),
        oscillator: (&'a mut Vec<f64>, &'a mut Vec<f64>),
    ) -> Self {
        let samples = channels.first().map_or(0, |c| c.len());
        let span = Span::new(edge, start, length, samples);
        let omega = TAU * f64::from(cycles) / length;
        let (cos, sin) = oscillator;
        oscillate((span.first as f64 - start) * omega, omega, span.count(), cos, sin);
        let channels = channels.iter().map(|c| &c[span.first..]).collect();
        Self { channels, span, cos, sin }
    }

    /// Mean of the product of two channels.
    fn mean(&self, x: usize, y: usize) -> f64 {
        self.span.mean(self.channels[x], self.channels[y])
    }

    /// The fundamental of a channel.
    fn fundamental(&self, x: usize) -> Phasor {
        let [re, im] = self.span.turned(self.channels[x], self.cos, self.sin);
        Phasor { re: SQRT_2 * re, im: -SQRT_2 * im }
    }

    /// The quantities of the phase made of a voltage and a current.
    pub(crate) fn phase(&self, voltage: usize, current: usize) -> PhaseQuantities {
        let [uu, ii, p_w] = self.span.power(self.channels[voltage], self.channels[current]);
        let (u_rms_v, i_rms_a) = (uu.max(0.0).sqrt(), ii.max(0.0).sqrt());
        let (u1, i1) = (self.fundamental(voltage), self.fundamental(current));
        let s_va = u_rms_v * i_rms_a;
        PhaseQuantities {
            u_rms_v,
            i_rms_a,
            p_w,
            q1_var: u1.im * i1.re - u1.re * i1.im,
            s_va,
            n_var: non_active(s_va, p_w),
            pf: power_factor(s_va, p_w),
            u1,
            i1,
            harmonics: None,
        }
    }

    /// Effective values of three phases: voltages 0..3, currents 3..6. `phases` are their
    /// quantities, so that only the mixed products remain to be summed.
    pub(crate) fn effective(&self, phases: &[PhaseQuantities]) -> Option<Effective> {
        let [a, b, c] = phases else { return None };
        let u2 = a.u_rms_v * a.u_rms_v + b.u_rms_v * b.u_rms_v + c.u_rms_v * c.u_rms_v;
        let i2 = a.i_rms_a * a.i_rms_a + b.i_rms_a * b.i_rms_a + c.i_rms_a * c.i_rms_a;
        let u_mixed = self.mean(0, 1) + self.mean(1, 2) + self.mean(2, 0);
        let i_mixed = self.mean(3, 4) + self.mean(4, 5) + self.mean(5, 3);
        // Sum of the squared line voltages, and the square of the summed currents.
        let line2 = (2.0 * (u2 - u_mixed)).max(0.0);
        let neutral2 = (i2 + 2.0 * i_mixed).max(0.0);
        Some(Effective {
            ue_v: ((3.0 * u2 + line2) / 18.0).sqrt(),
            ie_a: ((i2 + neutral2) / 3.0).sqrt(),
            ue_three_wire_v: (line2 / 9.0).sqrt(),
            ie_three_wire_a: (i2 / 3.0).sqrt(),
            in_a: neutral2.sqrt(),
        })
    }
}

/// N = sqrt(S^2 - P^2), zero where rounding makes |P| exceed S.
pub(crate) fn non_active(s_va: f64, p_w: f64) -> f64 {
    (s_va - p_w).max(0.0).sqrt() * (s_va + p_w).max(0.0).sqrt()
}

/// PF = P/S within -1..=1; 0 where S is 0.
pub(crate) fn power_factor(s_va: f64, p_w: f64) -> f64 {
    if s_va > 0.0 { (p_w / s_va).clamp(-1.0, 1.0) } else { 0.0 }
}
