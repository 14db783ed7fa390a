//! Power theory: the quantities of IEEE 1459-2010 and Budeanu's, of one phase and of three.
//!
//! Everything follows from a few mean values (squares of RMS values, powers), so it is the same
//! code for one window and for a mean over many: means first, definitions last.
//!
//! Two reactive powers exist and differ on distorted waveforms: Q1, of the fundamentals (IEEE 1459,
//! 3.1.2.3), and Budeanu's sum over all harmonics (IEEE 1459 lists it as historical). Both are
//! named here, and neither is ever called just Q.

use serde::Serialize;

use crate::numeric::ratio;
use crate::quantities::non_active;
use crate::window::{Effective, EffectiveResidue, PhaseQuantities, Phasor, Residue, Window};

/// The mean values of one phase everything else is defined by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PowerMeans {
    /// Mean square of the voltage in V^2.
    pub u2: f64,
    /// Mean square of the current in A^2.
    pub i2: f64,
    /// Square of the fundamental voltage's RMS in V^2.
    pub u1_2: f64,
    /// Square of the fundamental current's RMS in A^2.
    pub i1_2: f64,
    /// Active power in W.
    pub p_w: f64,
    /// Active power of the fundamentals in W.
    pub p1_w: f64,
    /// Reactive power of the fundamentals in var.
    pub q1_var: f64,
    /// What is left without the fundamentals: mean squares and active power.
    pub residue: Residue,
    /// Budeanu's reactive power of the harmonics from the second on in var; `None` where harmonics
    /// were not computed.
    pub q_harmonic_var: Option<f64>,
}

impl PowerMeans {
    /// The means of one window.
    pub fn of(phase: &PhaseQuantities) -> Self {
        let square = |x: Phasor| x.re * x.re + x.im * x.im;
        let budeanu = |h: &crate::PhaseHarmonics| {
            h.u.lines.iter().zip(&h.i.lines).skip(1).map(|(u, i)| reactive(*u, *i)).sum()
        };
        Self {
            u2: phase.u_rms_v * phase.u_rms_v,
            i2: phase.i_rms_a * phase.i_rms_a,
            u1_2: square(phase.u1),
            i1_2: square(phase.i1),
            p_w: phase.p_w,
            p1_w: active(phase.u1, phase.i1),
            q1_var: phase.q1_var,
            residue: phase.residue,
            q_harmonic_var: phase.harmonics.as_deref().map(budeanu),
        }
    }
}

/// The root of what is a square but for rounding; 0 below 0.
pub(crate) fn non_negative_root(square: f64) -> f64 {
    square.max(0.0).sqrt()
}

/// Re(U I*).
fn active(u: Phasor, i: Phasor) -> f64 {
    u.re * i.re + u.im * i.im
}

/// Im(U I*): positive for a lagging current.
fn reactive(u: Phasor, i: Phasor) -> f64 {
    u.im * i.re - u.re * i.im
}

/// The quantities of one phase (IEEE 1459-2010, 3.1). The residue of the fundamental (index H)
/// holds everything else: DC, harmonics and what lies between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PowerTheory {
    /// Fundamental voltage U1 in V.
    pub u1_v: f64,
    /// Fundamental current I1 in A.
    pub i1_a: f64,
    /// All but the fundamental of the voltage, UH = sqrt(U^2 - U1^2), in V.
    pub uh_v: f64,
    /// All but the fundamental of the current, IH, in A.
    pub ih_a: f64,
    /// Apparent power of the fundamentals, S1 = U1 I1, in VA.
    pub s1_va: f64,
    /// Active power of the fundamentals in W.
    pub p1_w: f64,
    /// Reactive power of the fundamentals in var, positive for a lagging current.
    pub q1_var: f64,
    /// Budeanu's reactive power, the sum of `Uh Ih sin(phi_h)`, in var; `None` without harmonics.
    pub q_budeanu_var: Option<f64>,
    /// Budeanu's distortion power sqrt(S^2 - P^2 - QB^2) in var; `None` without harmonics.
    pub d_budeanu_var: Option<f64>,
    /// Non-fundamental apparent power SN = sqrt(S^2 - S1^2) in VA.
    pub sn_va: f64,
    /// Current distortion power DI = U1 IH in var.
    pub di_var: f64,
    /// Voltage distortion power DV = UH I1 in var.
    pub dv_var: f64,
    /// Harmonic apparent power SH = UH IH in VA.
    pub sh_va: f64,
    /// Harmonic active power PH = P - P1 in W.
    pub ph_w: f64,
    /// Harmonic distortion power DH = sqrt(SH^2 - PH^2) in var.
    pub dh_var: f64,
    /// Apparent power S = U I in VA.
    pub s_va: f64,
    /// Active power P in W.
    pub p_w: f64,
    /// Non-active power N = sqrt(S^2 - P^2) in var.
    pub n_var: f64,
    /// Power factor P/S; `None` where S is 0.
    pub pf: Option<f64>,
    /// Displacement power factor P1/S1; `None` where S1 is 0.
    pub displacement_pf: Option<f64>,
    /// UH/U1 in per cent (IEEE 1459, with DC and interharmonics); `None` without a fundamental.
    pub thd_u_pct: Option<f64>,
    /// IH/I1 in per cent, likewise.
    pub thd_i_pct: Option<f64>,
}

impl PowerTheory {
    /// All quantities from the means.
    pub fn new(means: &PowerMeans) -> Self {
        let (u, i) = (non_negative_root(means.u2), non_negative_root(means.i2));
        let (u1, i1) = (non_negative_root(means.u1_2), non_negative_root(means.i1_2));
        let (uh, ih) = (non_negative_root(means.residue.u2), non_negative_root(means.residue.i2));
        let (s, s1, sh) = (u * i, u1 * i1, uh * ih);
        let ph_w = means.residue.p_w;
        let n_var = non_active(s, means.p_w);
        let (di_var, dv_var) = (u1 * ih, uh * i1);
        let dh_var = non_active(sh, ph_w);
        // S^2 - P^2 - QB^2 multiplied out: what cancels is no longer in it. The first difference is
        // zero but where the fundamentals change from window to window.
        let budeanu_2 = |qh: f64| {
            let (p1, q1) = (means.p1_w, means.q1_var);
            let first = (s1 * s1 - p1 * p1 - q1 * q1).max(0.0);
            let parts = di_var * di_var + dv_var * dv_var + dh_var * dh_var;
            first + parts - qh * qh - 2.0 * (p1 * ph_w + q1 * qh)
        };
        Self {
            u1_v: u1,
            i1_a: i1,
            uh_v: uh,
            ih_a: ih,
            s1_va: s1,
            p1_w: means.p1_w,
            q1_var: means.q1_var,
            q_budeanu_var: means.q_harmonic_var.map(|qh| means.q1_var + qh),
            d_budeanu_var: means.q_harmonic_var.map(|qh| non_negative_root(budeanu_2(qh))),
            // The sum of the parts is S^2 - S1^2 without its cancellation.
            sn_va: non_negative_root(di_var * di_var + dv_var * dv_var + sh * sh),
            di_var,
            dv_var,
            sh_va: sh,
            ph_w,
            dh_var,
            s_va: s,
            p_w: means.p_w,
            n_var,
            pf: ratio(means.p_w, s).map(|pf| pf.clamp(-1.0, 1.0)),
            displacement_pf: ratio(means.p1_w, s1).map(|pf| pf.clamp(-1.0, 1.0)),
            thd_u_pct: ratio(100.0 * uh, u1),
            thd_i_pct: ratio(100.0 * ih, i1),
        }
    }
}

/// Whether a neutral carries current; decides how effective values are defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wires {
    /// No neutral: Ie^2 = (Ia^2 + Ib^2 + Ic^2) / 3, Ue^2 = (Uab^2 + Ubc^2 + Uca^2) / 9.
    Three,
    /// With a neutral: see [`Effective`].
    Four,
}

/// Mean values of a three-phase system that its effective quantities are defined by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EffectiveMeans {
    /// Square of the effective voltage, four-wire, in V^2.
    pub ue_2: f64,
    /// Square of the effective current, four-wire, in A^2.
    pub ie_2: f64,
    /// Square of the effective voltage, three-wire, in V^2.
    pub ue_three_2: f64,
    /// Square of the effective current, three-wire, in A^2.
    pub ie_three_2: f64,
    /// Square of the neutral current in A^2.
    pub in_2: f64,
    /// The same five of the fundamentals.
    pub fundamental: [f64; 5],
    /// The first four of what is left without the fundamentals.
    pub residue: EffectiveResidue,
    /// Square of the positive-sequence fundamental voltage in V^2.
    pub u_positive_2: f64,
    /// Square of the positive-sequence fundamental current in A^2.
    pub i_positive_2: f64,
    /// Active power of the positive sequence, 3 U1+ I1+ cos, in W.
    pub p_positive_w: f64,
    /// Reactive power of the positive sequence in var.
    pub q_positive_var: f64,
    /// Active power of all phases in W.
    pub p_w: f64,
}

impl EffectiveMeans {
    /// The means of one window; `None` unless it has three phases.
    pub fn of(window: &Window) -> Option<Self> {
        let [a, b, c] = window.phases.as_slice() else { return None };
        let total = window.effective?;
        let (u, i) = ([a.u1, b.u1, c.u1], [a.i1, b.i1, c.i1]);
        let first = fundamental(u, i);
        let (up, ip) = (crate::Sequence::of(u).positive, crate::Sequence::of(i).positive);
        let five = |e: &Effective| {
            [e.ue_v, e.ie_a, e.ue_three_wire_v, e.ie_three_wire_a, e.in_a].map(|x| x * x)
        };
        let [ue_2, ie_2, ue_three_2, ie_three_2, in_2] = five(&total);
        Some(Self {
            ue_2,
            ie_2,
            ue_three_2,
            ie_three_2,
            in_2,
            fundamental: five(&first),
            residue: total.residue,
            u_positive_2: up.rms() * up.rms(),
            i_positive_2: ip.rms() * ip.rms(),
            p_positive_w: 3.0 * active(up, ip),
            q_positive_var: 3.0 * reactive(up, ip),
            p_w: a.p_w + b.p_w + c.p_w,
        })
    }

    /// Every mean as a list, for sums over windows.
    pub(crate) fn list(&self) -> [f64; 19] {
        let [a, b, c, d, e] = self.fundamental;
        let EffectiveResidue { ue_2, ie_2, ue_three_wire_2, ie_three_wire_2 } = self.residue;
        [
            self.ue_2,
            self.ie_2,
            self.ue_three_2,
            self.ie_three_2,
            self.in_2,
            a,
            b,
            c,
            d,
            e,
            self.u_positive_2,
            self.i_positive_2,
            self.p_positive_w,
            self.q_positive_var,
            self.p_w,
            ue_2,
            ie_2,
            ue_three_wire_2,
            ie_three_wire_2,
        ]
    }

    /// The inverse of [`EffectiveMeans::list`].
    pub(crate) fn from_list(x: [f64; 19]) -> Self {
        Self {
            ue_2: x[0],
            ie_2: x[1],
            ue_three_2: x[2],
            ie_three_2: x[3],
            in_2: x[4],
            fundamental: [x[5], x[6], x[7], x[8], x[9]],
            u_positive_2: x[10],
            i_positive_2: x[11],
            p_positive_w: x[12],
            q_positive_var: x[13],
            p_w: x[14],
            residue: EffectiveResidue {
                ue_2: x[15],
                ie_2: x[16],
                ue_three_wire_2: x[17],
                ie_three_wire_2: x[18],
            },
        }
    }
}

/// Effective values of the fundamentals alone, by their phasors.
fn fundamental(u: [Phasor; 3], i: [Phasor; 3]) -> Effective {
    let square = |x: Phasor| x.re * x.re + x.im * x.im;
    let minus = |x: Phasor, y: Phasor| Phasor { re: x.re - y.re, im: x.im - y.im };
    let sum2 = |x: [Phasor; 3]| x.iter().map(|x| square(*x)).sum::<f64>();
    let lines = square(minus(u[0], u[1])) + square(minus(u[1], u[2])) + square(minus(u[2], u[0]));
    let neutral = Phasor { re: i.iter().map(|x| x.re).sum(), im: i.iter().map(|x| x.im).sum() };
    let (u2, i2, n2) = (sum2(u), sum2(i), square(neutral));
    Effective {
        ue_v: ((3.0 * u2 + lines) / 18.0).sqrt(),
        ie_a: ((i2 + n2) / 3.0).sqrt(),
        ue_three_wire_v: (lines / 9.0).sqrt(),
        ie_three_wire_a: (i2 / 3.0).sqrt(),
        in_a: n2.sqrt(),
        residue: EffectiveResidue::default(),
    }
}

/// Effective quantities of a three-phase system (IEEE 1459-2010, 3.2.2 and 3.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EffectivePower {
    /// Which definition was used.
    pub wires: Wires,
    /// Effective voltage Ue in V.
    pub ue_v: f64,
    /// Effective current Ie in A.
    pub ie_a: f64,
    /// Neutral current (RMS of the sum of the phase currents) in A.
    pub in_a: f64,
    /// Effective apparent power Se = 3 Ue Ie in VA.
    pub se_va: f64,
    /// Of the fundamentals, Se1 = 3 Ue1 Ie1, in VA.
    pub se1_va: f64,
    /// Non-fundamental effective apparent power `SeN = sqrt(Se^2 - Se1^2)` in VA.
    pub sen_va: f64,
    /// Effective current distortion power `DeI = 3 Ue1 IeH` in var.
    pub dei_var: f64,
    /// Effective voltage distortion power `DeV = 3 UeH Ie1` in var.
    pub dev_var: f64,
    /// Effective harmonic apparent power `SeH = 3 UeH IeH` in VA.
    pub seh_va: f64,
    /// Positive-sequence apparent power of the fundamentals, 3 U1+ I1+, in VA.
    pub s1_positive_va: f64,
    /// Its active part P1+ in W.
    pub p1_positive_w: f64,
    /// Its reactive part Q1+ in var.
    pub q1_positive_var: f64,
    /// Unbalanced power SU1 = sqrt(Se1^2 - S1+^2) in VA.
    pub su1_va: f64,
    /// Effective power factor P/Se; `None` where Se is 0.
    pub pf: Option<f64>,
    /// Positive-sequence power factor P1+/S1+; `None` where S1+ is 0.
    pub pf1_positive: Option<f64>,
}

impl EffectivePower {
    /// Effective quantities in one form.
    pub fn new(means: &EffectiveMeans, wires: Wires) -> Self {
        let [ue1, ie1, ue1_three, ie1_three, _] = means.fundamental;
        let (rest, root) = (&means.residue, non_negative_root);
        let [ue, ie, ue1, ie1, ueh, ieh] = match wires {
            Wires::Four => [means.ue_2, means.ie_2, ue1, ie1, rest.ue_2, rest.ie_2],
            Wires::Three => {
                let rest = [rest.ue_three_wire_2, rest.ie_three_wire_2];
                [means.ue_three_2, means.ie_three_2, ue1_three, ie1_three, rest[0], rest[1]]
            }
        }
        .map(root);
        let (dei_var, dev_var, seh_va) = (3.0 * ue1 * ieh, 3.0 * ueh * ie1, 3.0 * ueh * ieh);
        let se_va = 3.0 * ue * ie;
        let se1_va = 3.0 * ue1 * ie1;
        let s1_positive_va = 3.0 * root(means.u_positive_2) * root(means.i_positive_2);
        Self {
            wires,
            ue_v: ue,
            ie_a: ie,
            in_a: root(means.in_2),
            se_va,
            se1_va,
            sen_va: root(dei_var * dei_var + dev_var * dev_var + seh_va * seh_va),
            dei_var,
            dev_var,
            seh_va,
            s1_positive_va,
            p1_positive_w: means.p_positive_w,
            q1_positive_var: means.q_positive_var,
            su1_va: non_active(se1_va, s1_positive_va),
            pf: ratio(means.p_w, se_va).map(|pf| pf.clamp(-1.0, 1.0)),
            pf1_positive: ratio(means.p_positive_w, s1_positive_va).map(|pf| pf.clamp(-1.0, 1.0)),
        }
    }
}
