//! Windows from one zero crossing to another, as the published meter has them.
//!
//! The samples about a crossing are computed from the tones and go through the converter's steps,
//! and the crossing is found in them as the engine finds it; so the limits of windows, and with
//! them the frequency, are off by as much as there. From one limit to the next the cycles of the
//! true fundamental are counted. Unlike with samples the distortions are those of whole cycles, and
//! a window that begins without voltage and without current is not ended where they come back.
//!
//! A window is given out when the engine could have computed it, so that readings hold the same
//! windows.

use std::collections::VecDeque;
use std::f64::consts::TAU;

use lastmeter_metrology::{CROSSING_BAND, next_rising_crossing};
use num_complex::Complex64;

use super::converted::{Components, Converted};
use super::plan::{Plan, unit};
use super::straddle::turning;
use crate::front_end::converter::Digitiser;
use crate::front_end::{Channel, Sampling};
use crate::gaussian::Gaussian;
use crate::window::MeasuredWindow;

/// The lowest frequency that the engine tracks, relative to nominal, and the cycles of it beside a
/// window's own that it waits for.
const LOWEST: f64 = 0.845;
const CYCLES_MORE: f64 = 1.5;

/// Samples that the front end looks ahead: those by which registers may shift a phase, one to be
/// between, and less than one for the filter before the converter.
const FRONT_END: f64 = 8.5;

/// Cycles to look for the first crossing in: one to come down in, and one to cross in.
const CYCLES_FIRST: f64 = 2.0;

/// Cycles on either side of where a crossing is expected, and where it is looked for if it is not
/// there: the voltage has then changed.
const CYCLES_NEAR: f64 = 0.08;
const CYCLES_FAR: f64 = 0.5;

/// A channel's signal before its steps.
#[derive(Clone, Debug)]
pub(super) struct Wave {
    components: Components,
    noise_rms: f64,
    mean_square: f64,
    /// Steps with the gain and the offset of the calibration that follows them.
    steps: Option<(Digitiser, f64, f64)>,
}

impl Wave {
    /// That of a channel, before its steps act; `None` if it does not come beyond one.
    pub(super) fn of(converted: &Converted, channel: &Channel) -> Option<Self> {
        let calibration = channel.calibration;
        let coarse = channel.coarse_steps(converted.source_variance);
        let power = |(f, x): &(f64, Complex64)| if *f == 0.0 { 1.0 } else { 0.5 } * x.norm_sqr();
        let mean_square: f64 = converted.components.iter().map(power).sum();
        let moves = converted.components.iter().filter(|(f, _)| *f != 0.0).map(|(_, x)| x.norm());
        let least = coarse.map_or(0.0, |(steps, _)| steps.step * calibration.gain.abs());
        (moves.sum::<f64>() > least).then(|| Self {
            components: converted.components.clone(),
            noise_rms: match coarse {
                Some((_, rms)) => rms * calibration.gain.abs(),
                None => converted.variance.sqrt(),
            },
            mean_square: mean_square + converted.variance,
            steps: coarse.map(|(steps, _)| {
                (steps.clone(), calibration.gain, calibration.offset * channel.full_scale)
            }),
        })
    }

    /// Half-width of the band about zero that goes by the RMS of the samples over `length_s` from
    /// the one before an instant on. Where these are no whole cycles the square of the fundamental
    /// and its products with the other tones count; those of the others among each other do not.
    fn band(&self, from_s: f64, (length_s, rate_hz): (f64, f64), fundamental_hz: f64) -> f64 {
        let from_s = ((from_s * rate_hz).floor() - 0.5) / rate_hz;
        let mean = |frequency_hz| turning(frequency_hz, from_s, from_s + length_s) / length_s;
        let first = self.components.iter().find(|(f, _)| *f == fundamental_hz);
        let ripple = first.map_or(0.0, |&(f, a)| {
            let product = |&(g, b): &(f64, Complex64)| {
                if g == f {
                    return 0.5 * (a * a * mean(2.0 * f)).re;
                }
                (a * b.conj() * mean(f - g) + a * b * mean(f + g)).re
            };
            self.components.iter().map(product).sum()
        });
        CROSSING_BAND * (2.0 * (self.mean_square + ripple).max(0.0)).sqrt()
    }

    /// The first rising crossing of a band among the samples of a stretch.
    fn rising(
        &self,
        (from_s, to_s): (f64, f64),
        band: f64,
        rate_hz: f64,
        noise: &mut Gaussian,
    ) -> Option<f64> {
        let first = (from_s * rate_hz - 1e-6).ceil().max(0.0);
        let count = (to_s * rate_hz - first).floor().max(0.0) as usize + 1;
        let mut samples = vec![0.0; count];
        for &(frequency_hz, x) in &self.components {
            let mut turned = x * unit(frequency_hz * (first / rate_hz));
            let (sin, cos) = libm::sincos(TAU * frequency_hz / rate_hz);
            for sample in &mut samples {
                *sample += turned.re;
                turned *= Complex64::new(cos, sin);
            }
        }
        if self.noise_rms > 0.0 {
            noise.add_to(self.noise_rms, &mut samples);
        }
        if let Some((steps, gain, offset)) = &self.steps {
            for y in &mut samples {
                *y = (*y - offset) / gain;
            }
            steps.process(&mut samples);
            for y in &mut samples {
                *y = gain * *y + offset;
            }
        }
        let (position, _) = next_rising_crossing(&samples, 0, band)?;
        Some((first + position) / rate_hz)
    }
}

/// Finds the limits of windows, and keeps windows until the engine would have them.
#[derive(Debug)]
pub(super) struct Crossings {
    rate_hz: f64,
    nominal_hz: f64,
    cycles: f64,
    /// Samples from a window's start on that the engine waits for.
    ahead: f64,
    noise: Gaussian,
    /// Whether windows have a crossing to begin at.
    is_aligned: bool,
    kept: VecDeque<MeasuredWindow>,
}

impl Crossings {
    pub(super) fn new(sampling: &Sampling, cycles: f64, noise: Gaussian) -> Self {
        let nominal_hz = sampling.nominal_hz * (1.0 + sampling.clock_error);
        Self {
            rate_hz: sampling.true_rate_hz(),
            nominal_hz,
            cycles,
            ahead: (cycles + CYCLES_MORE) / LOWEST * sampling.rate_hz / sampling.nominal_hz,
            noise,
            is_aligned: false,
            kept: VecDeque::new(),
        }
    }

    /// The length of time that the band goes by, and the rate.
    fn level(&self) -> (f64, f64) {
        (self.cycles / self.nominal_hz, self.rate_hz)
    }

    pub(super) fn begin_again(&mut self) {
        self.is_aligned = false;
        self.kept.clear();
    }

    /// Where windows that have no crossing to begin at begin from an instant on; `None` if they
    /// have one, or nothing crosses zero.
    pub(super) fn first(&mut self, plan: &Plan, from_s: f64) -> Option<f64> {
        let wave = plan.wave.as_ref().filter(|_| !self.is_aligned)?;
        let stretch = (from_s, from_s + CYCLES_FIRST / plan.frequency_hz);
        let band = wave.band(from_s, self.level(), plan.frequency_hz);
        let found = wave.rising(stretch, band, self.rate_hz, &mut self.noise)?;
        self.is_aligned = true;
        Some(found)
    }

    /// The end of a window that is expected at an instant, and the frequency that follows.
    pub(super) fn near(&mut self, plan: &Plan, (from_s, to_s): (f64, f64)) -> (f64, f64) {
        let cycle_s = plan.frequency_hz.recip();
        let level = self.level();
        let found = plan.wave.as_ref().and_then(|wave| {
            let band = wave.band(from_s, level, plan.frequency_hz);
            [CYCLES_NEAR, CYCLES_FAR].into_iter().find_map(|cycles| {
                let stretch = (to_s - cycles * cycle_s, to_s + cycles * cycle_s);
                wave.rising(stretch, band, self.rate_hz, &mut self.noise)
            })
        });
        self.is_aligned = found.is_some();
        // Where nothing crosses zero the engine takes the frequency for nominal.
        found.map_or((to_s, self.nominal_hz), |at_s| (at_s, self.cycles / (at_s - from_s)))
    }

    pub(super) fn keep(&mut self, window: MeasuredWindow) {
        self.kept.push_back(window);
    }

    /// The next window that the engine would have at an instant.
    pub(super) fn seen(&mut self, until_s: f64) -> Option<MeasuredWindow> {
        let (rate_hz, ahead) = (self.rate_hz, self.ahead);
        let last = |window: &MeasuredWindow| (window.from_s * rate_hz + ahead).ceil() + FRONT_END;
        self.kept.pop_front_if(|window| last(window) <= until_s * rate_hz)
    }
}
