//! `fidelity = "samples"`: every sample goes through the front end and the metrology engine.

use lastmeter_metrology::flicker::{FlickerConfig, FlickerMeter, SHORT_TERM_S};
use lastmeter_metrology::{EngineConfig, EngineError, PhaseQuantities, Window, WindowEngine};
use lastmeter_sim::{Block, Streams};
use lastmeter_units::SimDuration;
use num_complex::Complex64;

use crate::front_end::coupling::CouplingParameters;
use crate::front_end::group::{Clipped, FrontEnd};
use crate::front_end::{Calibration, Channel, ChannelError, Sampling};
use crate::running_mean::RunningMean;
use crate::voltage_events::{HalfCycleVoltages, SeenVoltage};
use crate::window::{BeforeTick, MeasuredPhase, MeasuredWindow, ORDERS, Orders, PHASES_MAX};

/// By how much earlier than the ten minutes since its start a flickermeter's interval ends, in
/// seconds: so much more than its filters are late that the reading due then has it.
const FLICKER_EARLY_S: f64 = 0.5;

/// The first sample at or after an instant. A billionth of a sample early counts as at.
pub(crate) fn first_sample_at(instant: SimDuration, rate_hz: f64) -> u64 {
    (instant.as_seconds_f64() * rate_hz - 1e-6).ceil().max(0.0) as u64
}

/// Front end and engine of one meter.
#[derive(Debug)]
pub(crate) struct Sampled {
    phases: usize,
    /// Whether the only phase is measured twice: line and neutral, before and behind the breaker.
    has_second: bool,
    front_end: FrontEnd,
    engine: WindowEngine,
    /// Of each channel, voltages first; empty where nobody asks for mean values.
    means: Vec<RunningMean>,
    /// Samples per second of the device's own clock.
    rate_hz: f64,
    /// Whether harmonics are reported one by one; the engine has to find them.
    pub(crate) has_orders: bool,
    /// Whether what lies between them is reported; the engine has to find it.
    pub(crate) has_between: bool,
    /// One for each voltage, where flicker is reported.
    flicker: Vec<FlickerMeter>,
    /// The ten minutes of the clock that the last window belongs to.
    ten_minutes: Option<i64>,
    /// How many windows nobody measures after each that is measured: they are taken to be like it.
    pub(crate) gaps: u32,
    /// The last window that was measured, and how many have gone by since.
    held: Option<(MeasuredWindow, u32)>,
    /// Half-cycle values of the voltages, where somebody looks at them.
    half_cycles: Option<HalfCycleVoltages>,
}

impl Sampled {
    /// A chain of voltages and as many currents; noise streams are named after the device. With
    /// two of each for a single phase, the second pair is behind the breaker and in the neutral.
    pub(crate) fn new(
        sampling: Sampling,
        channels: Vec<Channel>,
        crosstalk: f64,
        config: EngineConfig,
        device: &str,
        streams: Streams,
    ) -> Result<Self, EngineError> {
        let has_second = config.phases == 2;
        let rate_hz = config.rate_hz;
        Ok(Self {
            phases: if has_second { 1 } else { config.phases },
            has_second,
            front_end: FrontEnd::new(sampling, channels, crosstalk, device, streams),
            engine: WindowEngine::new(config)?,
            means: Vec::new(),
            rate_hz,
            has_orders: false,
            has_between: false,
            flicker: Vec::new(),
            ten_minutes: None,
            gaps: 0,
            held: None,
            half_cycles: None,
        })
    }

    pub(crate) fn with_coupling(mut self, parameters: CouplingParameters) -> Self {
        self.front_end = self.front_end.with_coupling(parameters);
        self
    }

    /// Measures mean values too.
    pub(crate) fn with_means(mut self) -> Self {
        self.means = vec![RunningMean::default(); self.front_end.channels()];
        self
    }

    /// The same with a flickermeter on each voltage that has classes up to `range`; `None` if the
    /// rate does not do.
    pub(crate) fn with_flicker(mut self, config: FlickerConfig, range: f64) -> Option<Self> {
        let first_s = SHORT_TERM_S - FLICKER_EARLY_S;
        let meter = FlickerMeter::new(config)?.with_first_interval_at(first_s).with_range(range);
        self.flicker = vec![meter; self.phases];
        Some(self)
    }

    /// The same with the half-cycle RMS values of each phase's voltage.
    pub(crate) fn with_half_cycles(mut self, nominal_hz: f64) -> Self {
        self.half_cycles = Some(HalfCycleVoltages::new(self.rate_hz, nominal_hz, self.phases));
        self
    }

    /// The next half-cycle value of a voltage; of all phases, the earliest first.
    pub(crate) fn pop_half_cycle(&mut self) -> Option<SeenVoltage> {
        let (phase, value) = self.half_cycles.as_mut()?.pop()?;
        let at_s = |sample: f64| self.front_end.true_time_near_s(sample / self.rate_hz);
        Some(SeenVoltage { phase, value, from_s: at_s(value.start), to_s: at_s(value.end) })
    }

    /// What was measured before is not taken to be like what comes.
    pub(crate) fn forget(&mut self) {
        self.held = None;
    }

    /// Values of Pst that have become known: phase and value.
    pub(crate) fn pop_flicker(&mut self) -> Option<(usize, f64)> {
        let mut meters = self.flicker.iter_mut().enumerate();
        meters.find_map(|(phase, meter)| Some((phase, meter.pop()?.pst)))
    }

    /// Whether a block has the right channels, all of one length; the length.
    pub(crate) fn samples_in(&self, block: &Block) -> Option<usize> {
        let samples = block.voltages.first()?.len();
        let fits = |channels: &[Vec<f64>]| {
            channels.len() == self.phases && channels.iter().all(|c| c.len() == samples)
        };
        (fits(&block.voltages) && fits(&block.currents)).then_some(samples)
    }

    /// Takes samples `from..to` of a block that fits; with `is_open` the currents do not flow.
    pub(crate) fn push<'a>(
        &mut self,
        block: &'a Block,
        (from, to): (usize, usize),
        is_open: bool,
    ) -> Result<(), EngineError> {
        let none = vec![0.0; if is_open { to - from } else { 0 }];
        let cut = |samples: &'a Vec<f64>| &samples[from..to];
        let behind = |samples: &'a Vec<f64>| if is_open { &none[..] } else { cut(samples) };
        let twice = usize::from(self.has_second);
        let voltages = block.voltages.iter().map(cut);
        let voltages = voltages.chain(block.voltages.iter().take(twice).map(behind));
        let currents = block.currents.iter().map(behind);
        let currents = currents.chain(block.currents.iter().take(twice).map(behind));
        self.front_end.push(voltages.chain(currents));
        for (number, mean) in self.means.iter_mut().enumerate() {
            mean.push(self.front_end.converted(number));
        }
        let sets = self.front_end.channels() / 2;
        let of = |first: usize| -> Vec<&[f64]> {
            (first..first + sets).map(|n| self.front_end.converted(n)).collect()
        };
        for (number, meter) in self.flicker.iter_mut().enumerate() {
            meter.push(self.front_end.converted(number));
        }
        if let Some(half_cycles) = &mut self.half_cycles {
            for number in 0..self.phases {
                half_cycles.push(number, self.front_end.converted(number));
            }
        }
        self.engine.push(&of(0), &of(sets))
    }

    /// From here on the meter has this temperature in degrees Celsius.
    pub(crate) fn set_temperature(&mut self, celsius: f64) -> Result<(), ChannelError> {
        self.front_end.set_temperature(celsius)
    }

    /// From here on a channel (voltages first) has this calibration.
    pub(crate) fn calibrate(
        &mut self,
        channel: usize,
        calibration: Calibration,
    ) -> Result<(), ChannelError> {
        self.front_end.calibrate(channel, calibration)
    }

    /// Which channels began to be clipped since this was asked last, in words, and from when on in
    /// seconds of the device's own clock.
    pub(crate) fn take_clipped(&mut self) -> Vec<(String, f64, Clipped)> {
        let sets = self.front_end.channels() / 2;
        let name = |channel: usize| {
            let (kind, set) =
                channel.checked_sub(sets).map_or(("voltage", channel), |set| ("current", set));
            match (self.has_second, kind, set) {
                (true, "voltage", 1) => "voltage behind the breaker".to_owned(),
                (true, "current", 1) => "current of the neutral".to_owned(),
                _ => format!("{kind} of phase {}", ["a", "b", "c"].get(set).unwrap_or(&"?")),
            }
        };
        let begun = self.front_end.take_clipped();
        begun
            .into_iter()
            .map(|(channel, clipped)| {
                (name(channel), clipped.sample as f64 / self.rate_hz, clipped)
            })
            .collect()
    }

    /// The next complete window.
    pub(crate) fn pop(&mut self) -> Option<MeasuredWindow> {
        let window = self.measure()?;
        if self.gaps == 0 {
            return Some(window);
        }
        match &mut self.held {
            Some((held, gone)) if *gone < self.gaps => {
                *gone += 1;
                Some(MeasuredWindow {
                    from_s: window.from_s,
                    duration_s: window.duration_s,
                    clock_error: window.clock_error,
                    before_tick: window.before_tick,
                    begins_interval: window.begins_interval,
                    ..held.clone()
                })
            }
            held => {
                *held = Some((window.clone(), 0));
                Some(window)
            }
        }
    }

    fn measure(&mut self) -> Option<MeasuredWindow> {
        let window = self.engine.pop()?;
        let mut phases = [MeasuredPhase::default(); PHASES_MAX];
        for (phase, found) in phases.iter_mut().zip(&window.phases) {
            *phase = measured(found);
        }
        if !self.means.is_empty() {
            let sets = self.front_end.channels() / 2;
            let from = window.start_s * self.rate_hz;
            let to = (window.start_s + window.duration_s) * self.rate_hz;
            for (number, phase) in phases.iter_mut().enumerate().take(sets) {
                phase.u_mean_v = self.means[number].over(from, to);
                phase.i_mean_a = self.means[sets + number].over(from, to);
            }
        }
        let ten_minutes = window.ten_minutes;
        let before = std::mem::replace(&mut self.ten_minutes, ten_minutes);
        let from_s = self.front_end.true_time_s(window.start_s);
        let before_tick = window.before_tick.as_deref().map(|part| {
            let tick_s = self.front_end.true_time_s(window.start_s + part.duration_s);
            let mut p_more_w = [0.0; PHASES_MAX];
            let powers = part.p_w.iter().zip(&window.phases).take(self.phases);
            for (more, (p_w, phase)) in p_more_w.iter_mut().zip(powers) {
                *more = p_w - phase.p_w;
            }
            BeforeTick { duration_s: tick_s - from_s, p_more_w }
        });
        let device_end_s = window.start_s + window.duration_s;
        let to_s = self.front_end.true_time_s(device_end_s);
        // Where both clocks are one, times are those of the window, to the last bit.
        let is_same = to_s == device_end_s && from_s == window.start_s;
        let duration_s = if is_same { window.duration_s } else { to_s - from_s };
        Some(MeasuredWindow {
            from_s,
            duration_s,
            clock_error: if is_same { 0.0 } else { window.duration_s / duration_s - 1.0 },
            frequency_hz: window.frequency_hz,
            phases,
            second: MeasuredPhase::default(),
            orders: self.has_orders.then(|| orders(&window)),
            between2: self.has_between.then(|| between2(&window)),
            before_tick,
            begins_interval: before.is_some() && before != ten_minutes,
        })
    }
}

fn orders(window: &Window) -> Box<Orders> {
    let mut orders = Box::new([[[f64::NAN; ORDERS]; PHASES_MAX]; 2]);
    for (phase, found) in window.phases.iter().enumerate().take(PHASES_MAX) {
        let Some(harmonics) = found.harmonics.as_deref() else { continue };
        for (side, found) in [&harmonics.u, &harmonics.i].into_iter().enumerate() {
            for (order, rms) in orders[side][phase].iter_mut().zip(found.sub_groups.iter().skip(1))
            {
                *order = *rms;
            }
        }
    }
    orders
}

/// Squares of all centred interharmonic sub-groups of a window together.
fn between2(window: &Window) -> [[f64; PHASES_MAX]; 2] {
    let mut squares = [[0.0; PHASES_MAX]; 2];
    for (phase, found) in window.phases.iter().enumerate().take(PHASES_MAX) {
        let Some(harmonics) = found.harmonics.as_deref() else { continue };
        for (side, found) in [&harmonics.u, &harmonics.i].into_iter().enumerate() {
            let groups = found.interharmonic_sub_groups.iter().take(ORDERS + 1);
            squares[side][phase] = groups.map(|rms| rms * rms).sum();
        }
    }
    squares
}

fn measured(found: &PhaseQuantities) -> MeasuredPhase {
    let harmonics = found.harmonics.as_deref();
    let square = |pct: Option<f64>| pct.map_or(0.0, |pct| 1e-4 * pct * pct);
    MeasuredPhase {
        u_rms_v: found.u_rms_v,
        i_rms_a: found.i_rms_a,
        p_w: found.p_w,
        q1_var: found.q1_var,
        s_va: found.s_va,
        u1: Complex64::new(found.u1.re, found.u1.im),
        i1: Complex64::new(found.i1.re, found.i1.im),
        u_thd2: square(harmonics.and_then(|h| h.u.thd_pct())),
        i_thd2: square(harmonics.and_then(|h| h.i.thd_pct())),
        ..MeasuredPhase::default()
    }
}
