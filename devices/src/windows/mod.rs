//! `fidelity = "windows"`: each window in closed form from the terminal's tones.
//!
//! Window k lasts 10 (12) cycles of the true fundamental and starts where the one before ended,
//! the first at time zero. A mean of a product of two tones over a window is a constant if the
//! tones have one frequency; otherwise it oscillates from window to window with the sum and the
//! difference of the frequencies, scaled by the window's response there, which is zero at every
//! multiple of one over the window's length. So harmonics cost nothing per window, and only
//! interharmonics leave oscillations. Noise and rounding to the converter's steps enter as their
//! expected power and as a spread of the window's results with the variance that white noise
//! over that many samples gives them.
//!
//! Of the front end everything linear is followed by its response, a clock error by the meter's
//! own time, and the steps of a coarse converter by what they make of a cycle (`steps`). Windows
//! that reach from one zero crossing to another have limits that are found as the meter finds them
//! (`crossing`). Not modelled, unlike with samples: clipping (it is announced instead), the error
//! of the window's length where interharmonics disturb the frequency estimate, the first window's
//! start, how filters settle, a transducer that starts; what is not linear is refused beforehand
//! (`Channel::beyond_windows`). A change of the calibration acts from the next window on.
//!
//! Terms: a *component* is a tone as the converter sees it, a complex peak amplitude at time zero;
//! the direct component is one of 0 Hz. An *oscillation* is a frequency at which window results
//! oscillate.

mod converted;
mod crossing;
mod plan;
mod spread;
mod steps;
mod straddle;

use std::collections::BTreeMap;
use std::f64::consts::{FRAC_1_SQRT_2, PI, TAU};
use std::sync::Arc;

use lastmeter_sim::{ChannelSpectrum, Spectrum, Streams};
use num_complex::Complex64;

use converted::{Converted, ON_GRID};
use crossing::{Crossings, Wave};
use plan::{Oscillation, PhaseOscillation, PhasePlan, Plan, Sums, unit};
use spread::Surplus;
use straddle::Part;

use crate::front_end::{Calibration, Channel, ChannelError, Sampling};
use crate::gaussian::Gaussian;
use crate::window::{MeasuredPhase, MeasuredWindow, PHASES_MAX};

/// Half the width of the metrology's smooth window edges in samples, and the shape of the Kaiser
/// kernel that smooths them: what the window's response differs by from that of a rectangle.
const EDGE_SAMPLES: f64 = 12.0;
const EDGE_KAISER_BETA: f64 = 8.0;

/// Beyond this part of the sampling frequency the smooth edges leave nothing of an oscillation.
const EDGE_STOP: f64 = 0.2;

/// Oscillations smaller than this, relative to the channels they are made of, are left out.
const NEGLIGIBLE: f64 = 1e-10;

/// Spread of the frequency estimate over a window of n samples: `rate * noise/signal * this /
/// n^1.5`, from the noise of the estimator's two sums under its Nuttall weights.
const FREQUENCY_SPREAD: f64 = 0.92;

/// Closed-form windows of one meter.
#[derive(Debug)]
pub(crate) struct ClosedForm {
    /// Voltages, then as many currents.
    channels: Vec<Channel>,
    crosstalk: f64,
    sampling: Sampling,
    cycles: f64,
    /// Phases of the terminal; one may be measured twice (see [`crate::sampled`]).
    phases: usize,
    is_open: bool,
    noise: Vec<Gaussian>,
    frequency_noise: Gaussian,
    present: Option<(Arc<Spectrum>, Plan)>,
    /// The windows of the present plan count from here.
    origin_s: f64,
    index: u64,
    /// Up to when spectra are known.
    known_s: f64,
    /// What the window in the making has seen of earlier spectra, and how many cycles of them.
    parts: Vec<Part>,
    part_cycles: f64,
    /// Where windows reach from one zero crossing to another.
    crossings: Option<Crossings>,
    /// Gain of a resampling at a frequency in cycles per sample.
    resampling_gain: fn(f64) -> f64,
}

/// Half a nanosecond: times are whole nanoseconds.
const ROUNDING_S: f64 = 0.5e-9;

impl ClosedForm {
    /// Windows of `cycles` cycles of voltages and as many currents; noise streams are named after
    /// the device.
    pub(crate) fn new(
        sampling: Sampling,
        channels: Vec<Channel>,
        crosstalk: f64,
        cycles: f64,
        device: &str,
        streams: Streams,
    ) -> Self {
        let stream = |name: String| Gaussian::new(streams.stream(&name));
        let noise = |phase| stream(format!("device/{device}/windows/{phase}/noise"));
        Self {
            phases: if channels.len() == 4 { 1 } else { channels.len() / 2 },
            noise: (0..channels.len() / 2).map(noise).collect(),
            channels,
            crosstalk,
            sampling,
            cycles,
            is_open: false,
            frequency_noise: stream(format!("device/{device}/windows/frequency/noise")),
            present: None,
            origin_s: 0.0,
            index: 0,
            known_s: 0.0,
            parts: Vec::new(),
            part_cycles: 0.0,
            crossings: None,
            resampling_gain: |_| 1.0,
        }
    }

    /// Windows from one zero crossing to another instead, as the published meter has them.
    pub(crate) fn with_crossings(mut self, device: &str, streams: Streams) -> Self {
        let stream = streams.stream(&format!("device/{device}/windows/crossing/noise"));
        self.crossings = Some(Crossings::new(&self.sampling, self.cycles, Gaussian::new(stream)));
        self
    }

    /// Distortions from points on straight lines between the samples.
    pub(crate) fn with_straight_lines(mut self) -> Self {
        self.resampling_gain = straight_line_gain;
        self
    }

    /// From the next window on a channel (voltages first) has this calibration.
    pub(crate) fn calibrate(
        &mut self,
        channel: usize,
        calibration: Calibration,
    ) -> Result<(), ChannelError> {
        let Some(channel) = self.channels.get_mut(channel) else { return Ok(()) };
        channel.calibrate(calibration)?;
        self.renew();
        Ok(())
    }

    /// From the next window on currents flow, or not.
    pub(crate) fn set_open(&mut self, is_open: bool) {
        self.is_open = is_open;
        self.renew();
    }

    /// Plans the present spectrum again.
    fn renew(&mut self) {
        let next_s = self.next_start_s();
        if let Some((spectrum, _)) = self.present.take() {
            (self.origin_s, self.index) = (next_s, 0);
            let plan = self.plan(&spectrum);
            self.present = Some((spectrum, plan));
        }
    }

    /// Takes the spectrum that holds from where the last one ended; whether it can be used.
    pub(crate) fn hold(&mut self, spectrum: &Arc<Spectrum>) -> bool {
        if let Some((present, _)) = &self.present
            && (Arc::ptr_eq(present, spectrum) || present == spectrum)
        {
            return true;
        }
        let phases = self.phases;
        let frequency_hz = spectrum.fundamental_hz;
        if spectrum.voltages.len() != phases
            || spectrum.currents.len() != phases
            || !(frequency_hz.is_finite() && frequency_hz > 0.0)
        {
            return false;
        }
        self.put_by();
        // Windows are counted on: to begin to count at every change adds up roundings.
        if self.present.as_ref().is_none_or(|(_, plan)| plan.frequency_hz != frequency_hz) {
            (self.origin_s, self.index) = (self.next_start_s(), 0);
        }
        let plan = self.plan(spectrum);
        self.present = Some((Arc::clone(spectrum), plan));
        true
    }

    /// Windows begin again at an instant in the present spectrum.
    pub(crate) fn begin_again(&mut self, at_s: f64) {
        self.parts.clear();
        self.part_cycles = 0.0;
        (self.origin_s, self.index) = (at_s, 0);
        self.known_s = self.known_s.max(at_s);
        if let Some(crossings) = &mut self.crossings {
            crossings.begin_again();
        }
    }

    /// Keeps what the window in the making has seen of the present spectrum, which is over.
    fn put_by(&mut self) {
        let from_s = self.parts.last().map_or_else(|| self.next_start_s(), |part| part.to_s);
        let to_s = self.known_s;
        if let Some((_, plan)) = &self.present
            && to_s - from_s > ROUNDING_S
        {
            self.part_cycles += plan.frequency_hz * (to_s - from_s);
            self.parts.push(Part { from_s, to_s, plan: plan.clone() });
        }
    }

    /// Whether the present spectrum may exceed the converter's range.
    pub(crate) fn is_beyond_range(&self) -> bool {
        self.present.as_ref().is_some_and(|(_, plan)| plan.is_beyond_range)
    }

    fn next_start_s(&self) -> f64 {
        if let Some(part) = self.parts.first() {
            return part.from_s;
        }
        let Some((_, plan)) = &self.present else { return self.origin_s };
        self.origin_s + self.index as f64 * self.cycles / plan.frequency_hz
    }

    /// The next window, if it is complete at `until_s` seconds since the scenario's start.
    pub(crate) fn next(&mut self, until_s: f64) -> Option<MeasuredWindow> {
        if self.crossings.is_none() {
            return self.complete(until_s);
        }
        self.align();
        while let Some(window) = self.complete(until_s) {
            self.crossings.as_mut()?.keep(window);
        }
        self.crossings.as_mut()?.seen(until_s)
    }

    /// Begins the first window at a zero crossing.
    fn align(&mut self) {
        if let (Some(crossings), Some((_, plan))) = (&mut self.crossings, &self.present)
            && self.parts.is_empty()
            && let Some(at_s) = crossings.first(plan, self.origin_s)
        {
            (self.origin_s, self.index) = (at_s, 0);
        }
    }

    /// The next window that ends by an instant.
    fn complete(&mut self, until_s: f64) -> Option<MeasuredWindow> {
        if self.present.is_some() {
            self.known_s = self.known_s.max(until_s);
        }
        if !self.parts.is_empty() {
            return self.next_of_parts(until_s);
        }
        let (_, plan) = self.present.as_ref()?;
        // Cycles over frequency in this order: exact where the window's length is not.
        let start_s = |index: u64| self.origin_s + index as f64 * self.cycles / plan.frequency_hz;
        let (from_s, to_s) = (start_s(self.index), start_s(self.index + 1));
        if to_s > until_s + ROUNDING_S {
            return None;
        }
        let whole_s = to_s;
        let crossing = self.crossings.as_mut().map(|it| it.near(plan, (from_s, to_s)));
        let (to_s, found_hz) = crossing.unwrap_or((to_s, plan.frequency_hz));
        let surplus = crossing.map(|(to_s, _)| Surplus {
            at_s: 0.5 * (whole_s + to_s),
            part: (to_s - whole_s) / (to_s - from_s),
        });
        let mut phases = [MeasuredPhase::default(); PHASES_MAX];
        let middle_s = 0.5 * (from_s + to_s);
        let turns: Vec<Complex64> =
            plan.oscillations.iter().map(|o| unit(o.frequency_hz * middle_s)).collect();
        for (number, noise) in self.noise.iter_mut().enumerate() {
            phases[number] = spread::measure(plan, number, &turns, surplus, noise);
        }
        let frequency_hz = found_hz + plan.frequency_spread_hz * self.frequency_noise.draw();
        if crossing.is_some() {
            (self.origin_s, self.index) = (to_s, 0);
        } else {
            self.index += 1;
        }
        Some(self.window(from_s, to_s, frequency_hz, &phases))
    }

    /// The next window, of which a part lies before the present spectrum.
    fn next_of_parts(&mut self, until_s: f64) -> Option<MeasuredWindow> {
        let (_, plan) = self.present.as_ref()?;
        let (from_s, changed_s) = (self.parts.first()?.from_s, self.parts.last()?.to_s);
        let is_steady = self.parts.iter().all(|it| it.plan.frequency_hz == plan.frequency_hz);
        let to_s = if is_steady {
            self.origin_s + (self.index + 1) as f64 * self.cycles / plan.frequency_hz
        } else {
            changed_s + (self.cycles - self.part_cycles).max(0.0) / plan.frequency_hz
        };
        if to_s > until_s + ROUNDING_S {
            return None;
        }
        let crossing = self.crossings.as_mut().map(|it| it.near(plan, (from_s, to_s)));
        let (to_s, found_hz) = crossing.unwrap_or((to_s, self.cycles / (to_s - from_s)));
        // A crossing that a step of the phase has moved to before the change.
        let to_s = to_s.max(changed_s);
        let mut parts: Vec<_> =
            self.parts.iter().map(|part| (part.from_s, part.to_s, &part.plan)).collect();
        parts.push((changed_s, to_s, plan));
        let mut phases = [MeasuredPhase::default(); PHASES_MAX];
        for (number, noise) in self.noise.iter_mut().enumerate() {
            phases[number] = straddle::measure(&parts, number, noise);
        }
        let spread_hz = plan.frequency_spread_hz;
        let frequency_hz = found_hz + spread_hz * self.frequency_noise.draw();
        if is_steady && crossing.is_none() {
            self.index += 1;
        } else {
            (self.origin_s, self.index) = (to_s, 0);
        }
        self.parts.clear();
        self.part_cycles = 0.0;
        Some(self.window(from_s, to_s, frequency_hz, &phases))
    }

    fn window(
        &self,
        from_s: f64,
        to_s: f64,
        frequency_hz: f64,
        phases: &[MeasuredPhase; PHASES_MAX],
    ) -> MeasuredWindow {
        let clock_error = self.sampling.clock_error;
        MeasuredWindow {
            from_s,
            duration_s: to_s - from_s,
            clock_error,
            frequency_hz: frequency_hz / (1.0 + clock_error),
            phases: *phases,
            ..MeasuredWindow::default()
        }
    }

    /// The channels of a phase before their steps.
    fn converted(
        &self,
        spectrum: &Spectrum,
        number: usize,
        (voltage, current): (&Channel, &Channel),
    ) -> (Converted, Converted) {
        let silence = ChannelSpectrum::default();
        let source = number % self.phases;
        let behind = |channel| if self.is_open { &silence } else { channel };
        let before = &spectrum.voltages[source];
        let before = if number == source { before } else { behind(before) };
        let mut u = Converted::new(before, voltage);
        let mut i = Converted::new(behind(&spectrum.currents[source]), current);
        if self.crosstalk != 0.0 {
            let (before_u, before_i) = (u.components.clone(), i.components.clone());
            // Crosstalk happens before the calibration's gain.
            let gains = voltage.calibration.gain / current.calibration.gain;
            let scale = gains * self.crosstalk * voltage.full_scale / current.full_scale;
            u.add(&before_i, scale);
            i.add(&before_u, self.crosstalk * self.crosstalk / scale);
        }
        (u, i)
    }

    fn plan(&self, spectrum: &Spectrum) -> Plan {
        let frequency_hz = spectrum.fundamental_hz;
        let rate_hz = self.sampling.true_rate_hz();
        let length_s = self.cycles / frequency_hz;
        let response = Response { rate_hz, length_s };
        let samples = length_s * rate_hz;
        let mut oscillations = BTreeMap::new();
        let mut phases = Vec::new();
        let mut is_beyond_range = false;
        let mut waves = [const { Vec::new() }; 2];
        let (voltages, currents) = self.channels.split_at(self.channels.len() / 2);
        for (number, (voltage, current)) in voltages.iter().zip(currents).enumerate() {
            let (mut u, mut i) = self.converted(spectrum, number, (voltage, current));
            is_beyond_range |= u.peak() > voltage.full_scale;
            is_beyond_range |= i.peak() > current.full_scale;
            if self.crossings.is_some() {
                waves[0].push(Wave::of(&u, voltage));
                waves[1].push(Wave::of(&i, current));
            }
            let both_left =
                steps::round([(&mut u, voltage), (&mut i, current)], frequency_hz, rate_hz);
            let mut planner = Planner { response, number, oscillations: &mut oscillations };
            let floor = NEGLIGIBLE;
            phases.push(PhasePlan {
                means: Sums {
                    u2: u.left.square + planner.mean(&u, &u, floor, |sums| &mut sums.means.u2),
                    i2: i.left.square + planner.mean(&i, &i, floor, |sums| &mut sums.means.i2),
                    ui: both_left + planner.mean(&u, &i, floor, |sums| &mut sums.means.ui),
                },
                u1: planner.fundamental(&u, frequency_hz, |sums| &mut sums.u1),
                i1: planner.fundamental(&i, frequency_hz, |sums| &mut sums.i1),
                u_thd2: u.thd2(frequency_hz, rate_hz, samples, self.resampling_gain),
                i_thd2: i.thd2(frequency_hz, rate_hz, samples, self.resampling_gain),
                u_variance: u.variance,
                i_variance: i.variance,
                u_left: u.left.square,
                i_left: i.left.square,
                both_left,
                u_components: u.components,
                i_components: i.components,
                steady_spread: None,
            });
        }
        if oscillations.is_empty() {
            for phase in &mut phases {
                phase.keep_spread(samples);
            }
        }
        let signal = phases.first().map_or(0.0, |phase| phase.u1.norm_sqr());
        let noise = phases.first().map_or(0.0, |phase| phase.u_variance);
        // The noise of crossings is drawn where they are looked for.
        let has_spread = signal > 0.0 && self.crossings.is_none();
        let spread = if has_spread { (noise / signal).sqrt() } else { 0.0 };
        Plan {
            samples,
            frequency_hz,
            frequency_spread_hz: rate_hz * spread * FREQUENCY_SPREAD / (samples * samples.sqrt()),
            phases,
            oscillations: oscillations.into_values().collect(),
            is_beyond_range,
            wave: waves.into_iter().flatten().flatten().next(),
        }
    }
}

/// Gain of points that lie on straight lines between samples, on the average of their places: the
/// transform of a triangle.
fn straight_line_gain(per_sample: f64) -> f64 {
    let x = PI * per_sample;
    if x < 1e-9 { 1.0 } else { (libm::sin(x) / x).powi(2) }
}

/// The window's response to an oscillation.
#[derive(Clone, Copy)]
struct Response {
    rate_hz: f64,
    length_s: f64,
}

impl Response {
    /// The frequency an oscillation has once it is sampled, with its sign, and the response there.
    fn at(self, frequency_hz: f64) -> (f64, f64) {
        let folded = frequency_hz - self.rate_hz * (frequency_hz / self.rate_hz).round();
        let cycles = folded * self.length_s;
        if cycles.abs() < ON_GRID {
            return (0.0, 1.0);
        }
        let per_sample = folded / self.rate_hz;
        if (cycles - cycles.round()).abs() < ON_GRID || per_sample.abs() > EDGE_STOP {
            return (folded, 0.0);
        }
        (folded, libm::sin(PI * cycles) / (PI * cycles) * smooth_edge(per_sample))
    }
}

/// Response of the kernel that smooths the window's edges, at a frequency in cycles per sample.
fn smooth_edge(per_sample: f64) -> f64 {
    let beta = EDGE_KAISER_BETA;
    let x = TAU * per_sample * EDGE_SAMPLES;
    let square = beta * beta - x * x;
    let root = square.abs().sqrt();
    let shape = if root < 1e-6 {
        1.0
    } else if square > 0.0 {
        libm::sinh(root) / root
    } else {
        libm::sin(root) / root
    };
    shape * beta / libm::sinh(beta)
}

/// Fills in the oscillations of one phase.
struct Planner<'a> {
    response: Response,
    number: usize,
    /// By frequency in nanohertz, so that equal ones meet.
    oscillations: &'a mut BTreeMap<u64, Oscillation>,
}

impl Planner<'_> {
    fn oscillation(&mut self, frequency_hz: f64) -> &mut PhaseOscillation {
        let key = (frequency_hz * 1e9).round() as u64;
        let oscillation = self
            .oscillations
            .entry(key)
            .or_insert_with(|| Oscillation { frequency_hz, ..Oscillation::default() });
        &mut oscillation.phases[self.number]
    }

    /// The constant part of the mean of a product; the rest goes to the oscillations.
    fn mean(
        &mut self,
        x: &Converted,
        y: &Converted,
        floor: f64,
        place: fn(&mut PhaseOscillation) -> &mut Complex64,
    ) -> f64 {
        let floor = floor * (x.power * y.power).sqrt();
        let mut constant = 0.0;
        for &(f, a) in &x.components {
            for &(g, b) in &y.components {
                for (frequency_hz, product) in [(f - g, a * b.conj()), (f + g, a * b)] {
                    let (folded, response) = self.response.at(frequency_hz);
                    let amplitude = product * (0.5 * response);
                    if folded == 0.0 {
                        constant += amplitude.re;
                    } else if amplitude.norm() > floor {
                        let swing = place(self.oscillation(folded.abs()));
                        *swing += if folded > 0.0 { amplitude } else { amplitude.conj() };
                    }
                }
            }
        }
        constant
    }

    /// The constant part of the fundamental's RMS phasor, turning with it; the rest goes to the
    /// oscillations.
    fn fundamental(
        &mut self,
        x: &Converted,
        fundamental_hz: f64,
        place: fn(&mut PhaseOscillation) -> &mut [Complex64; 2],
    ) -> Complex64 {
        let floor = NEGLIGIBLE * x.power.sqrt();
        let mut constant = Complex64::ZERO;
        for &(f, a) in &x.components {
            for (frequency_hz, amplitude) in
                [(f - fundamental_hz, a), (-f - fundamental_hz, a.conj())]
            {
                let (folded, response) = self.response.at(frequency_hz);
                let amplitude = amplitude * (FRAC_1_SQRT_2 * response);
                if folded == 0.0 {
                    constant += amplitude;
                } else if amplitude.norm() > floor {
                    let [ahead, behind] = place(self.oscillation(folded.abs()));
                    *if folded > 0.0 { ahead } else { behind } += amplitude;
                }
            }
        }
        constant
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front_end::ChannelParameters;
    use lastmeter_sim::Tone;

    fn one_phase(fundamental_hz: f64, u_rms: f64) -> Arc<Spectrum> {
        let channel = |rms: f64| ChannelSpectrum {
            dc: 0.0,
            tones: vec![Tone { frequency_hz: fundamental_hz, rms, phase_rad: 0.0 }],
            noise_rms: 0.0,
        };
        let (voltages, currents) = (vec![channel(u_rms)], vec![channel(1.0)]);
        Arc::new(Spectrum { fundamental_hz, voltages, currents })
    }

    fn windows() -> ClosedForm {
        let sampling = Sampling::ideal(50.0, 7812.5);
        let channel = Channel::new(&ChannelParameters::ideal(230.0, 2.0, 24), &sampling).unwrap();
        let channels = vec![channel.clone(), channel];
        ClosedForm::new(sampling, channels, 0.0, 10.0, "a", Streams::new(1))
    }

    #[test]
    fn windows_follow_each_other_without_a_gap_when_the_spectrum_changes() {
        let mut windows = windows();
        assert_eq!(windows.next(1e9), None);
        assert!(windows.hold(&one_phase(50.0, 230.0)));
        let first: Vec<_> = std::iter::from_fn(|| windows.next(1.0)).collect();
        // 10 cycles of 50 Hz: five windows in a second, the last ending exactly there.
        assert_eq!(first.len(), 5);
        assert!(windows.hold(&one_phase(40.0, 200.0)));
        let next = windows.next(1.25).unwrap();
        assert_eq!((next.from_s, next.duration_s, next.frequency_hz.round()), (1.0, 0.25, 40.0));
        assert!((next.phases[0].u_rms_v - 200.0).abs() < 1e-3);
        assert_eq!(windows.next(1.25), None);
        assert!(windows.hold(&one_phase(40.0, 200.0)), "the same again");
        assert_eq!(windows.next(1.5).unwrap().from_s, 1.25);
    }

    /// 230 V for a quarter of a window and 115 V for the rest; 50 Hz, then 60 Hz.
    #[test]
    fn a_window_with_a_change_in_it_is_the_mean_of_its_parts() {
        let mut windows = windows();
        assert!(windows.hold(&one_phase(50.0, 230.0)));
        assert!(windows.next(0.2).is_some() && windows.next(0.25).is_none());
        assert!(windows.hold(&one_phase(60.0, 115.0)));
        let window = windows.next(9.0).unwrap();
        // 2.5 cycles of the one take 0.05 s, 7.5 of the other 0.125 s.
        assert!((window.from_s - 0.2).abs() < 1e-12 && (window.duration_s - 0.175).abs() < 1e-12);
        let square = (0.05 * 230.0_f64.powi(2) + 0.125 * 115.0_f64.powi(2)) / 0.175;
        // The parts are 2.5 and 7.5 cycles: the squares' ripple of twice the frequency vanishes;
        // what rounding to 24 bits adds does not.
        assert!((window.phases[0].u_rms_v - square.sqrt()).abs() < 1e-5);
        assert!((window.phases[0].p_w - (0.05 * 230.0 + 0.125 * 115.0) / 0.175).abs() < 2e-3);
        let next = windows.next(9.0).unwrap();
        assert!(
            (next.from_s - 0.375).abs() < 1e-12 && (next.phases[0].u_rms_v - 115.0).abs() < 1e-5
        );
    }

    /// The transform of the Kaiser kernel, integrated by the trapezoidal rule.
    #[test]
    fn the_smooth_edge_is_the_transform_of_its_kernel() {
        let bessel_i0 = |x: f64| {
            let (mut sum, mut term) = (1.0, 1.0);
            for k in 1..60 {
                term *= (x / 2.0 / f64::from(k)).powi(2);
                sum += term;
            }
            sum
        };
        let kernel = |x: f64| bessel_i0(EDGE_KAISER_BETA * (1.0 - x * x).max(0.0).sqrt());
        let points = 20_000_i32;
        let integral = |per_sample: f64| -> f64 {
            (-points..=points)
                .map(|k| {
                    let x = f64::from(k) / f64::from(points);
                    let half = if k.abs() == points { 0.5 } else { 1.0 };
                    half * kernel(x) * (TAU * per_sample * EDGE_SAMPLES * x).cos()
                })
                .sum()
        };
        for per_sample in [0.0, 0.01, 0.05, 0.1, 0.11, 0.15, 0.2] {
            let expected = integral(per_sample) / integral(0.0);
            let found = smooth_edge(per_sample);
            assert!((found - expected).abs() < 1e-6, "{per_sample}: {found} for {expected}");
        }
    }
}
