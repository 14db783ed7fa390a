//! The quantities of one window from the samples of all channels.

use std::f64::consts::{SQRT_2, TAU};

use crate::edge::{Edge, Span};
use crate::numeric::oscillate;
use crate::window::{Effective, EffectiveResidue, PhaseQuantities, Phasor, Residue};

/// Where a window lies in the channels' slices, with the fundamental's cosine and sine over it.
pub(crate) struct Frame<'a> {
    /// Voltages first, then currents; all slices begin with the first weighted sample.
    pub(crate) channels: Vec<&'a [f64]>,
    /// Weights of the window's samples.
    pub(crate) span: Span,
    /// Cosine of the fundamental, zero angle at the start of the window.
    pub(crate) cos: &'a [f64],
    pub(crate) sin: &'a [f64],
    /// Means of the cosine's square, of the sine's and of their product: near 1/2, 1/2 and 0, as
    /// near as the weights of the samples come to the integral they stand for.
    turning: [f64; 3],
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
        let turning = span.power(cos, sin);
        Self { channels, span, cos, sin, turning }
    }

    /// Mean of the product of what is left of two channels without their fundamentals, given the
    /// mean of the channels' product. Multiplied out, that is the sum over the samples' remainders
    /// but for rounding: the product of the fundamentals, which were found as 2 mean(x cos), is
    /// counted with the means their own sums have.
    fn residue(&self, xy: f64, x: Phasor, y: Phasor) -> f64 {
        let [cc, ss, cs] = self.turning;
        let mixed = x.re * y.im + x.im * y.re;
        xy - 2.0 * (x.re * y.re * (1.0 - cc) + x.im * y.im * (1.0 - ss) + mixed * cs)
    }

    /// Means of the products of three channels: of the first and the second, the second and the
    /// third, the third and the first.
    fn mixed(&self, first: usize) -> [f64; 3] {
        let [x, y, z] = [0, 1, 2].map(|k| self.channels[first + k]);
        self.span.mixed(x, y, z)
    }

    /// The quantities of the phase made of a voltage and a current.
    pub(crate) fn phase(&self, voltage: usize, current: usize) -> PhaseQuantities {
        let (u, i) = (self.channels[voltage], self.channels[current]);
        let [uu, ii, p_w, uc, us, ic, is] = self.span.phase(u, i, self.cos, self.sin);
        let (u_rms_v, i_rms_a) = (uu.max(0.0).sqrt(), ii.max(0.0).sqrt());
        let fundamental = |re: f64, im: f64| Phasor { re: SQRT_2 * re, im: -SQRT_2 * im };
        let (u1, i1) = (fundamental(uc, us), fundamental(ic, is));
        let s_va = u_rms_v * i_rms_a;
        let residue = Residue {
            u2: self.residue(uu, u1, u1).max(0.0),
            i2: self.residue(ii, i1, i1).max(0.0),
            p_w: self.residue(p_w, u1, i1),
        };
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
            residue,
            harmonics: None,
        }
    }

    /// Effective values of three phases: voltages 0..3, currents 3..6. `phases` are their
    /// quantities, so that only the mixed products remain to be summed.
    pub(crate) fn effective(&self, phases: &[PhaseQuantities]) -> Option<Effective> {
        let [a, b, c] = phases else { return None };
        let pairs = [(0, 1), (1, 2), (2, 0)];
        let (u_mixed, i_mixed) = (self.mixed(0), self.mixed(3));
        let left = |mixed: [f64; 3], phasors: [Phasor; 3]| {
            let pairs = pairs.iter().zip(mixed);
            pairs.map(|(&(x, y), xy)| self.residue(xy, phasors[x], phasors[y])).sum()
        };
        let all = Squares {
            u2: a.u_rms_v * a.u_rms_v + b.u_rms_v * b.u_rms_v + c.u_rms_v * c.u_rms_v,
            i2: a.i_rms_a * a.i_rms_a + b.i_rms_a * b.i_rms_a + c.i_rms_a * c.i_rms_a,
            u_mixed: u_mixed.iter().sum(),
            i_mixed: i_mixed.iter().sum(),
        };
        let residue = Squares {
            u2: a.residue.u2 + b.residue.u2 + c.residue.u2,
            i2: a.residue.i2 + b.residue.i2 + c.residue.i2,
            u_mixed: left(u_mixed, [a.u1, b.u1, c.u1]),
            i_mixed: left(i_mixed, [a.i1, b.i1, c.i1]),
        };
        let ([ue_2, ie_2, ue_three_2, ie_three_2, in_2], rest) =
            (all.effective(), residue.effective());
        Some(Effective {
            ue_v: ue_2.sqrt(),
            ie_a: ie_2.sqrt(),
            ue_three_wire_v: ue_three_2.sqrt(),
            ie_three_wire_a: ie_three_2.sqrt(),
            in_a: in_2.sqrt(),
            residue: EffectiveResidue {
                ue_2: rest[0],
                ie_2: rest[1],
                ue_three_wire_2: rest[2],
                ie_three_wire_2: rest[3],
            },
        })
    }
}

/// Mean squares of three voltages and three currents, and of their products with each other, each
/// added up.
struct Squares {
    u2: f64,
    i2: f64,
    u_mixed: f64,
    i_mixed: f64,
}

impl Squares {
    /// Squares of Ue and Ie of the four-wire form, of the three-wire form, and of the sum of the
    /// currents.
    fn effective(&self) -> [f64; 5] {
        // Sum of the squared line voltages, and the square of the summed currents.
        let line_2 = (2.0 * (self.u2 - self.u_mixed)).max(0.0);
        let in_2 = (self.i2 + 2.0 * self.i_mixed).max(0.0);
        let ue_2 = (3.0 * self.u2 + line_2) / 18.0;
        [ue_2, (self.i2 + in_2) / 3.0, line_2 / 9.0, self.i2 / 3.0, in_2]
    }
}

impl PhaseQuantities {
    /// Takes something away from the mean squares of voltage and current.
    pub(crate) fn lose_squares(&mut self, of_voltage: f64, of_current: f64) {
        let less = |rms: f64, square: f64| (rms * rms - square).max(0.0).sqrt();
        self.u_rms_v = less(self.u_rms_v, of_voltage);
        self.i_rms_a = less(self.i_rms_a, of_current);
        self.s_va = self.u_rms_v * self.i_rms_a;
        self.n_var = non_active(self.s_va, self.p_w);
        self.pf = power_factor(self.s_va, self.p_w);
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
