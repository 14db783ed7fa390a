//! What is measured in one window: the result types of the streaming engine.

use serde::Serialize;

/// Highest order that is reported.
pub(crate) const ORDER_MAX: usize = 50;

/// An RMS phasor in the cosine convention: x(t) = sqrt(2) |X| cos(2 pi f t + arg X).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Phasor {
    /// Real part, RMS.
    pub re: f64,
    /// Imaginary part, RMS.
    pub im: f64,
}

impl Phasor {
    /// The RMS value.
    pub fn rms(self) -> f64 {
        (self.re * self.re + self.im * self.im).sqrt()
    }

    /// The phase angle in radians, -pi..=pi; 0 for a zero phasor.
    pub fn phase_rad(self) -> f64 {
        libm::atan2(self.im, self.re)
    }

    /// The same phasor turned by an angle in radians.
    #[must_use]
    pub fn rotated(self, angle_rad: f64) -> Self {
        let (s, c) = libm::sincos(angle_rad);
        Self { re: self.re * c - self.im * s, im: self.re * s + self.im * c }
    }
}

/// One window of a whole number of cycles.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Start, in seconds since the first sample. The next window starts where this one ends, or
    /// at a tick of the clock before that (see `before_tick`).
    pub start_s: f64,
    /// Length in seconds.
    pub duration_s: f64,
    /// Cycles of the fundamental in it: 10 (50 Hz) or 12 (60 Hz).
    pub cycles: u32,
    /// Frequency of the tracked fundamental in Hz; the nominal one where nothing could be tracked.
    pub frequency_hz: f64,
    /// The phases, in the order of the input.
    pub phases: Vec<PhaseQuantities>,
    /// Effective quantities of a three-phase system; `None` unless there are three phases.
    pub effective: Option<Effective>,
    /// Whether a fundamental was tracked; if not, the frequency is the nominal one.
    pub tracked: bool,
    /// True if the window is not synchronous to a fundamental: nothing could be tracked (the
    /// window then has nominal length), or the fundamental's phase jumped.
    pub flagged: bool,
    /// True for the first and, after [`finish`](crate::WindowEngine::finish), the last window:
    /// the few samples needed beyond the end of the signal were taken from one window away, which
    /// is exact for a periodic signal only.
    pub extended: bool,
    /// The 10-minute interval of the clock it starts in (IEC 61000-4-30), counted since
    /// 1970-01-01T00:00:00Z, if the configuration holds the time of the first sample.
    pub ten_minutes: Option<i64>,
    /// What counts for energies where the window runs across the tick that ends its interval, to
    /// which it still belongs: the next one starts at the tick. `None` where it does not.
    pub before_tick: Option<Box<BeforeTick>>,
    /// The waveforms at a whole number of points per cycle, if the configuration asked for them.
    pub synchronous: Option<Box<SynchronousSamples>>,
}

/// The part of a window that lies before the tick it runs across. Together with the window that
/// starts at the tick it is gapless: energies are to be added up from these two.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BeforeTick {
    /// From the window's start to the tick, in s.
    pub duration_s: f64,
    /// Mean of u times i over that time, by phase, in W.
    pub p_w: Vec<f64>,
}

/// What one voltage and its current amount to in one window (IEEE 1459, single phase).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PhaseQuantities {
    /// RMS voltage in V, everything from DC to the input's Nyquist frequency.
    pub u_rms_v: f64,
    /// RMS current in A, likewise.
    pub i_rms_a: f64,
    /// Active power, mean of u times i, in W; positive for import.
    pub p_w: f64,
    /// Reactive power of the fundamentals in var; positive for a lagging current (inductive).
    pub q1_var: f64,
    /// Apparent power U I in VA.
    pub s_va: f64,
    /// Non-active power sqrt(S^2 - P^2) in var.
    pub n_var: f64,
    /// Power factor P/S, -1..=1; 0 where S is 0 (defined so: without current there is no power).
    pub pf: f64,
    /// Fundamental voltage in V; phase relative to the start of the window.
    pub u1: Phasor,
    /// Fundamental current in A; phase relative to the start of the window.
    pub i1: Phasor,
    /// What is left of both without their fundamentals.
    pub residue: Residue,
    /// Harmonics, if the configuration asked for them.
    pub harmonics: Option<Box<PhaseHarmonics>>,
}

/// What is left of a voltage and its current without their fundamentals: DC, harmonics and all
/// between them (index H of IEEE 1459-2010, 3.1.2). Of the samples themselves, not a difference of
/// near-equal squares, so that of a pure sine nothing is left.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Residue {
    /// Mean square of the voltage, UH^2, in V^2.
    pub u2: f64,
    /// Mean square of the current, IH^2, in A^2.
    pub i2: f64,
    /// Active power PH in W.
    pub p_w: f64,
}

/// Squares of the effective values of what is left without the fundamentals.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EffectiveResidue {
    /// Effective voltage `UeH` of the four-wire form, squared, in V^2.
    pub ue_2: f64,
    /// Effective current `IeH` of the four-wire form, squared, in A^2.
    pub ie_2: f64,
    /// Effective voltage of the three-wire form, squared, in V^2.
    pub ue_three_wire_2: f64,
    /// Effective current of the three-wire form, squared, in A^2.
    pub ie_three_wire_2: f64,
}

/// Effective values of a three-phase system in one window (IEEE 1459-2010, 3.2).
///
/// Four-wire form, the neutral current being the sum of the phase currents:
/// Ie^2 = (Ia^2 + Ib^2 + Ic^2 + In^2) / 3 and
/// Ue^2 = (3 (Ua^2 + Ub^2 + Uc^2) + Uab^2 + Ubc^2 + Uca^2) / 18.
/// Three-wire form: Ie without In, Ue^2 = (Uab^2 + Ubc^2 + Uca^2) / 9. The two are equal where
/// neither a neutral current nor a zero-sequence voltage exists. Se = 3 Ue Ie.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Effective {
    /// Effective voltage of the four-wire form in V.
    pub ue_v: f64,
    /// Effective current of the four-wire form in A.
    pub ie_a: f64,
    /// Effective voltage of the three-wire form in V.
    pub ue_three_wire_v: f64,
    /// Effective current of the three-wire form in A.
    pub ie_three_wire_a: f64,
    /// RMS of the sum of the three currents in A.
    pub in_a: f64,
    /// The same without the fundamentals.
    pub residue: EffectiveResidue,
}

/// Harmonics of a voltage and its current in one window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PhaseHarmonics {
    /// Of the voltage, in V.
    pub u: Harmonics,
    /// Of the current, in A.
    pub i: Harmonics,
}

/// Harmonics of one channel in one window (IEC 61000-4-7).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Harmonics {
    /// Phasor of each order, element 0 being order 1; phases relative to the window's start. Up
    /// to order 50, or to what lies below the input's Nyquist frequency.
    pub lines: Vec<Phasor>,
    /// RMS of each harmonic sub-group (the bin of the order and its two neighbours), like `lines`.
    /// Equal to the plain harmonics where the window has fewer than four cycles.
    pub sub_groups: Vec<f64>,
    /// RMS of each harmonic group: the bins nearer to the order than to its neighbours, those
    /// half-way shared between two. Like `sub_groups`.
    pub groups: Vec<f64>,
    /// RMS of all bins between an order and the next: element 0 is below the fundamental, element
    /// n between orders n and n + 1. Empty where the window has fewer than four cycles.
    pub interharmonic_groups: Vec<f64>,
    /// RMS of each centred interharmonic sub-group: the same without the bins next to the orders.
    pub interharmonic_sub_groups: Vec<f64>,
}

impl Harmonics {
    /// Total harmonic distortion over plain harmonics 2.. relative to the fundamental, in per cent
    /// (IEC 61000-4-7 THD); `None` without a fundamental.
    pub fn thd_pct(&self) -> Option<f64> {
        distortion_pct(self.lines.iter().map(|line| line.re * line.re + line.im * line.im))
    }

    /// Total harmonic distortion over sub-groups, in per cent (IEC 61000-4-7 THDS); `None` without
    /// a fundamental.
    pub fn thds_pct(&self) -> Option<f64> {
        distortion_pct(self.sub_groups.iter().map(|rms| rms * rms))
    }
}

/// Root of the sum of squares of all but the first, relative to the first, in per cent.
pub(crate) fn distortion_pct(mut squares: impl Iterator<Item = f64>) -> Option<f64> {
    let fundamental = squares.next()?;
    let rest: f64 = squares.sum();
    (fundamental > 0.0).then(|| 100.0 * (rest / fundamental).sqrt())
}

/// The waveforms of a window at equidistant points, a whole number of them per cycle; the first is
/// at the window's start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SynchronousSamples {
    /// Points per cycle.
    pub per_cycle: usize,
    /// One list per voltage, in V.
    pub voltages: Vec<Vec<f64>>,
    /// One list per current, in A.
    pub currents: Vec<Vec<f64>>,
}
