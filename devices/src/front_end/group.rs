//! All channels of a front end on their common clock: from the feed to the converters' samples.
//!
//! The converter's sample n is taken at the feed's position `n * oversampling`, later by the
//! channel's skew and by the jitter of that sample; with a crystal that drifts the distance of the
//! samples follows the temperature. The first samples, for which the feed would have to reach back
//! before the scenario's start, are left out, and [`FrontEnd::true_time_s`] knows.
//!
//! Nothing depends on how the feed is cut.

use std::collections::VecDeque;
use std::sync::Arc;

use lastmeter_sim::Streams;

use super::coupling::{Coupling, CouplingParameters};
use super::kernel::{Feed, Fixed, Kernel};
use super::linear::Linear;
use super::phase::PhaseState;
use super::transformer::Transformer;
use super::wander::WanderState;
use super::{Calibration, Channel, ChannelError, Sampling};
use crate::gaussian::Gaussian;

/// Jitter beyond this many standard deviations does not come out of the draws used here.
const SIGMAS: f64 = 9.0;

/// Seconds without a sample at the end of the range after which clipping begins again.
const CLIP_PAUSE_S: f64 = 1.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clipped {
    /// Number of the first sample at the end of the converter's range.
    pub(crate) sample: u64,
    /// Whether a supply that still comes up has moved it there, and not what comes in.
    pub(crate) by_supply: bool,
}

#[derive(Debug, Default)]
struct Clips {
    /// The last sample at the end of the range, and how its clipping began.
    last: Option<(u64, Clipped)>,
    begun: Vec<Clipped>,
}

impl Clips {
    /// Takes which samples, from number `first` on, are at the end of the range.
    fn take(
        &mut self,
        at_end: impl Iterator<Item = bool>,
        first: u64,
        rate_hz: f64,
        by_supply: impl Fn(usize) -> bool,
    ) {
        for (k, _) in at_end.enumerate().filter(|(_, at_end)| *at_end) {
            let clipped = Clipped { sample: first + k as u64, by_supply: by_supply(k) };
            let goes_on = self.last.is_some_and(|(last, begun)| {
                let pause_s = (clipped.sample - last) as f64 / rate_hz;
                pause_s <= CLIP_PAUSE_S && (clipped.by_supply || !begun.by_supply)
            });
            let begun = self.last.filter(|_| goes_on).map_or(clipped, |(_, begun)| begun);
            if !goes_on {
                self.begun.push(clipped);
            }
            self.last = Some((clipped.sample, begun));
        }
    }
}

#[derive(Debug)]
struct ChannelState {
    channel: Channel,
    stages: Vec<Linear>,
    transformer: Option<Transformer>,
    /// The feed as far as it is still needed, after the analogue stages; the first is number
    /// `feed_base`.
    feed: Vec<f64>,
    feed_base: i64,
    fixed: Option<Fixed>,
    compensation: Option<(f64, f64)>,
    phase: Option<PhaseState>,
    noise: Gaussian,
    flicker: Gaussian,
    flicker_memory: Vec<(f64, f64)>,
    wander: Option<WanderState>,
    high_pass_mean: f64,
    clips: Clips,
    /// Samples of all channels meet here.
    waiting: Vec<f64>,
    converted: Vec<f64>,
}

/// Since a sample: where it lay on the feed, and how far apart samples are.
#[derive(Clone, Copy, Debug)]
struct SamplingSegment {
    sample: u64,
    position: f64,
    step: f64,
}

/// The channels of a meter: voltages, then as many currents.
#[derive(Debug)]
pub(crate) struct FrontEnd {
    sampling: Sampling,
    lines: Vec<ChannelState>,
    /// What of the other channel's full scale a channel of the same phase sees.
    crosstalk: f64,
    coupling: Option<Coupling>,
    kernel: Option<Arc<Kernel>>,
    jitter: Gaussian,
    /// Number of the next sample to be taken, and where it lies on the feed.
    next: u64,
    whole: i64,
    fraction: f64,
    step: f64,
    /// Samples converted so far.
    converted: u64,
    first: u64,
    segments: VecDeque<SamplingSegment>,
}

impl FrontEnd {
    /// A front end of voltages and as many currents; noise streams are named after the device.
    pub(crate) fn new(
        sampling: Sampling,
        channels: Vec<Channel>,
        crosstalk: f64,
        device: &str,
        streams: Streams,
    ) -> Self {
        let phases = channels.len() / 2;
        let per_sample = sampling.oversampling();
        let feed_hz = sampling.feed_hz();
        let is_decimated = sampling.average() > 1;
        let is_late = channels.iter().any(|channel| channel.parameters.late_s != 0.0);
        let kernel = (is_decimated || sampling.moves() || is_late)
            .then(|| Arc::new(Kernel::new(sampling.average())));
        // A phase stage delays its channel: where one channel has it all do, and stay aligned.
        let shifts = channels.iter().any(|c| !c.phase.is_none() || c.parameters.is_adjustable);
        let is_wide = channels.iter().any(|c| {
            c.phase.is_wide() || c.parameters.is_adjustable || c.parameters.lead_slope != 0.0
        });
        let lines = channels.into_iter().enumerate().map(|(number, channel)| {
            let (kind, phase) = ("voltage", number);
            let (kind, phase) = phase.checked_sub(phases).map_or((kind, phase), |p| ("current", p));
            let stream = |what: &str| {
                Gaussian::new(streams.stream(&format!("device/{device}/{kind}/{phase}/{what}")))
            };
            let late = channel.parameters.late_s * feed_hz;
            let fixed = kernel.as_ref().filter(|_| !sampling.moves()).map(|k| k.fixed(late));
            ChannelState {
                stages: channel.stages.clone(),
                transformer: channel.transformer.clone(),
                feed: Vec::new(),
                feed_base: 0,
                fixed,
                compensation: None,
                phase: (shifts || is_wide).then(|| PhaseState::new(is_wide)),
                noise: stream("noise"),
                flicker: stream("flicker"),
                flicker_memory: Vec::new(),
                wander: (channel.parameters.wander.rms > 0.0).then(|| {
                    let rate_hz = sampling.true_rate_hz();
                    WanderState::new(channel.parameters.wander, rate_hz, stream("wander"))
                }),
                high_pass_mean: 0.0,
                clips: Clips::default(),
                waiting: Vec::new(),
                converted: Vec::new(),
                channel,
            }
        });
        let mut front_end = Self {
            sampling,
            lines: lines.collect(),
            crosstalk,
            coupling: None,
            kernel,
            jitter: Gaussian::new(streams.stream(&format!("device/{device}/clock/jitter"))),
            next: 0,
            whole: 0,
            fraction: 0.0,
            step: per_sample as f64,
            converted: 0,
            first: 0,
            segments: VecDeque::new(),
        };
        front_end.first = front_end.first_sample(per_sample);
        front_end.next = front_end.first;
        front_end.whole = front_end.first as i64 * per_sample as i64;
        front_end.begin_segment();
        front_end
    }

    pub(crate) fn with_coupling(mut self, parameters: CouplingParameters) -> Self {
        let rate_hz = self.sampling.true_rate_hz();
        self.coupling = (!parameters.is_none()).then(|| Coupling::new(parameters, rate_hz));
        self
    }

    /// The first sample that needs nothing from before the start.
    fn first_sample(&self, per_sample: usize) -> u64 {
        if self.kernel.is_none() {
            return 0;
        }
        let (back, _) = self.reach();
        (back as u64).div_ceil(per_sample as u64)
    }

    /// Feed samples needed before and after a nominal position.
    fn reach(&self) -> (i64, i64) {
        let Some(kernel) = &self.kernel else { return (0, 0) };
        let (before, after) = kernel.reach();
        let feed_hz = self.sampling.feed_hz();
        let moved = (SIGMAS * self.sampling.jitter_s * feed_hz).ceil() + 1.0;
        let late = |line: &ChannelState| line.channel.parameters.late_s * feed_hz;
        let latest = self.lines.iter().map(late).fold(0.0, f64::max);
        let earliest = self.lines.iter().map(late).fold(0.0, f64::min);
        (
            before as i64 + (moved - earliest).ceil() as i64,
            after as i64 + (moved + latest).ceil() as i64,
        )
    }

    fn begin_segment(&mut self) {
        let position = self.whole as f64 + self.fraction;
        let sample = self.next - self.first;
        self.segments.push_back(SamplingSegment { sample, position, step: self.step });
    }

    pub(crate) fn channels(&self) -> usize {
        self.lines.len()
    }

    /// From here on the front end has this temperature in degrees Celsius.
    pub(crate) fn set_temperature(&mut self, celsius: f64) -> Result<(), ChannelError> {
        for line in &mut self.lines {
            line.channel.set(celsius, line.channel.calibration)?;
        }
        if self.sampling.clock_curve != 0.0 {
            let faster = 1.0 + self.sampling.drift(celsius) / (1.0 + self.sampling.clock_error);
            self.step = self.sampling.oversampling() as f64 / faster;
            self.begin_segment();
        }
        Ok(())
    }

    pub(crate) fn calibrate(
        &mut self,
        channel: usize,
        calibration: Calibration,
    ) -> Result<(), ChannelError> {
        self.lines.get_mut(channel).map_or(Ok(()), |line| line.channel.calibrate(calibration))
    }

    /// Seconds since the scenario's start at which a sample of the device's clock was taken;
    /// instants are asked for in rising order.
    pub(crate) fn true_time_s(&mut self, device_s: f64) -> f64 {
        let true_s = self.true_time_near_s(device_s);
        let sample = device_s * self.sampling.rate_hz;
        while self.segments.get(1).is_some_and(|next| next.sample as f64 <= sample) {
            self.segments.pop_front();
        }
        true_s
    }

    /// The same of an instant that is not older than those asked for last, in any order.
    pub(crate) fn true_time_near_s(&self, device_s: f64) -> f64 {
        let is_plain = self.sampling.clock_error == 0.0 && self.first == 0;
        if is_plain && self.sampling.clock_curve == 0.0 {
            return device_s;
        }
        let sample = device_s * self.sampling.rate_hz;
        let begun = |segment: &&SamplingSegment| segment.sample as f64 <= sample;
        let segment = self.segments.iter().rev().find(begun).or(self.segments.front());
        let Some(segment) = segment else { return device_s };
        let position = segment.position + (sample - segment.sample as f64) * segment.step;
        position / self.sampling.feed_hz()
    }

    /// Where channels began to be clipped since this was asked last: channel and beginning.
    pub(crate) fn take_clipped(&mut self) -> Vec<(usize, Clipped)> {
        let mut begun = Vec::new();
        for (channel, line) in self.lines.iter_mut().enumerate() {
            begun.extend(line.clips.begun.drain(..).map(|clipped| (channel, clipped)));
        }
        begun.sort_by_key(|(channel, clipped)| (clipped.sample, *channel));
        begun
    }

    /// Takes the next samples of the feed, as many of each channel, and converts those they
    /// complete, which [`Self::converted`] then holds.
    pub(crate) fn push<'a>(&mut self, feed: impl Iterator<Item = &'a [f64]>) {
        for (line, samples) in self.lines.iter_mut().zip(feed) {
            line.take(samples);
        }
        if self.sampling.oversampling() == 1 && self.kernel.is_none() {
            for line in &mut self.lines {
                let samples = std::mem::take(&mut line.feed);
                line.align(&samples);
                line.feed = samples;
                line.feed.clear();
            }
        } else {
            self.sample();
        }
        let ready = self.lines.iter().map(|line| line.waiting.len()).min().unwrap_or(0);
        for line in &mut self.lines {
            line.amplify(ready);
        }
        self.couple();
        self.mix();
        let rate_hz = self.sampling.true_rate_hz();
        let first = self.first + self.converted;
        for line in &mut self.lines {
            line.convert(first, rate_hz);
        }
        self.converted += ready as u64;
    }

    /// The samples of a channel that the last [`Self::push`] completed.
    pub(crate) fn converted(&self, channel: usize) -> &[f64] {
        self.lines.get(channel).map_or(&[], |line| &line.converted)
    }

    /// Takes samples of the feed at the instants of the clock.
    fn sample(&mut self) {
        let end = self.lines.iter().map(ChannelState::feed_end).min().unwrap_or(0);
        let (back, ahead) = self.reach();
        let feed_hz = self.sampling.feed_hz();
        let mut instants = Vec::new();
        if !self.sampling.moves() {
            let step = self.step as i64;
            while self.whole + ahead < end {
                instants.push((self.whole, 0.0));
                self.next += 1;
                self.whole += step;
            }
        }
        while self.whole + ahead < end {
            let jitter = match self.sampling.jitter_s {
                0.0 => 0.0,
                rms => (rms * self.jitter.draw()).clamp(-SIGMAS * rms, SIGMAS * rms) * feed_hz,
            };
            instants.push((self.whole, self.fraction + jitter));
            self.next += 1;
            let position = self.fraction + self.step;
            self.whole += position.floor() as i64;
            self.fraction = position - position.floor();
        }
        let mut taken = Vec::with_capacity(instants.len());
        for line in &mut self.lines {
            taken.clear();
            line.at(&instants, self.kernel.as_deref(), feed_hz, &mut taken);
            line.align(&taken);
            line.forget(self.whole - back);
        }
    }

    fn couple(&mut self) {
        let Some(coupling) = &mut self.coupling else { return };
        let phases = self.lines.len() / 2;
        let (voltages, currents) = self.lines.split_at_mut(phases);
        let samples = |line| {
            let line: &mut ChannelState = line;
            &mut line.converted[..]
        };
        let mut voltages: Vec<_> = voltages.iter_mut().map(samples).collect();
        let mut currents: Vec<_> = currents.iter_mut().map(samples).collect();
        coupling.process(&mut voltages, &mut currents);
    }

    /// Adds to each channel what it sees of its phase's other one.
    fn mix(&mut self) {
        if self.crosstalk == 0.0 {
            return;
        }
        let phases = self.lines.len() / 2;
        let (voltages, currents) = self.lines.split_at_mut(phases);
        for (u, i) in voltages.iter_mut().zip(currents) {
            let to_current = self.crosstalk * i.channel.full_scale / u.channel.full_scale;
            let to_voltage = self.crosstalk * u.channel.full_scale / i.channel.full_scale;
            for (u, i) in u.converted.iter_mut().zip(&mut i.converted) {
                (*u, *i) = (*u + to_voltage * *i, *i + to_current * *u);
            }
        }
    }
}

impl ChannelState {
    /// Takes samples of the feed through the analogue stages.
    fn take(&mut self, samples: &[f64]) {
        if self.stages.is_empty() && self.transformer.is_none() {
            return self.feed.extend_from_slice(samples);
        }
        let mut samples = samples.to_vec();
        if let Some(transformer) = &mut self.transformer {
            transformer.process(&mut samples);
        }
        for stage in &mut self.stages {
            stage.process(&mut samples);
        }
        self.feed.extend_from_slice(&samples);
    }

    /// The number of the first sample of the feed that is not there yet.
    fn feed_end(&self) -> i64 {
        self.feed_base + self.feed.len() as i64
    }

    /// The channel's values at instants of the feed.
    fn at(
        &self,
        instants: &[(i64, f64)],
        kernel: Option<&Kernel>,
        feed_hz: f64,
        taken: &mut Vec<f64>,
    ) {
        let Some(kernel) = kernel else {
            let place = |whole: i64| (whole - self.feed_base).max(0) as usize;
            let value = |&(whole, _): &(i64, f64)| self.feed.get(place(whole)).copied();
            return taken.extend(instants.iter().map(|at| value(at).unwrap_or(0.0)));
        };
        taken.resize(instants.len(), 0.0);
        let feed = Feed { base: self.feed_base, samples: &self.feed };
        match &self.fixed {
            Some(fixed) => fixed.sample(feed, instants, taken),
            None => {
                kernel.sample(feed, instants, self.channel.parameters.late_s * feed_hz, taken);
            }
        }
    }

    fn forget(&mut self, position: i64) {
        let unused = (position - self.feed_base).max(0) as usize;
        if unused > self.feed.len() / 2 {
            let unused = unused.min(self.feed.len());
            self.feed.drain(..unused);
            self.feed_base += unused as i64;
        }
    }

    /// Compensation and phase, which look ahead.
    fn align(&mut self, samples: &[f64]) {
        let compensated;
        let samples = match &self.channel.compensation {
            None => samples,
            Some(compensation) => {
                let mut changed = samples.to_vec();
                compensation.process(&mut self.compensation, &mut changed);
                compensated = changed;
                &compensated
            }
        };
        match &mut self.phase {
            None => self.waiting.extend_from_slice(samples),
            Some(state) => state.process(self.channel.phase, samples, &mut self.waiting),
        }
    }

    /// Moves samples that all channels have on, with gain and offset.
    fn amplify(&mut self, ready: usize) {
        let Channel { gain, offset, .. } = self.channel;
        self.converted.clear();
        self.converted.extend(self.waiting[..ready].iter().map(|x| gain * x + offset));
        if let Some(wander) = &mut self.wander {
            wander.process(&mut self.converted);
        }
        self.waiting.drain(..ready);
    }

    /// The converter and what is digital; the samples are those from number `first` on.
    fn convert(&mut self, first: u64, rate_hz: f64) {
        let (channel, samples) = (&self.channel, &mut self.converted[..]);
        let p = &channel.parameters;
        // What comes in, as long as a supply that comes up may be what moves it to the end.
        let comes_up = p.supply.filter(|supply| first as f64 / rate_hz <= supply.is_over_at_s());
        let given = comes_up.map(|_| samples.to_vec());
        if let Some(supply) = p.supply {
            supply.process(first, rate_hz, channel.full_scale, samples);
        }
        if !p.curve.is_straight() {
            p.curve.process(channel.full_scale, samples);
        }
        if channel.noise_rms != 0.0 {
            self.noise.add_to(channel.noise_rms, samples);
            if let Some(flicker) = &channel.flicker {
                let memory = &mut self.flicker_memory;
                flicker.add_to(channel.noise_rms, &mut self.flicker, memory, samples);
            }
        }
        channel.digitiser.process(samples);
        if samples.iter().fold(false, |any, &y| any | channel.digitiser.is_at_end(y)) {
            let by_supply = |k: usize| {
                given.as_ref().is_some_and(|given| !channel.digitiser.is_at_end(given[k]))
            };
            let at_end = samples.iter().map(|&y| channel.digitiser.is_at_end(y));
            self.clips.take(at_end, first, rate_hz, by_supply);
        }
        if let Some(high_pass) = &channel.high_pass {
            high_pass.process(&mut self.high_pass_mean, samples);
        }
        let Calibration { gain, offset, .. } = channel.calibration;
        if gain != 1.0 || offset != 0.0 {
            let offset = offset * channel.full_scale;
            for y in samples {
                *y = gain * *y + offset;
            }
        }
    }
}
