//! What is watched beside the windows: voltage events, lost currents, flicker.

use std::collections::VecDeque;

use crate::events::{
    CurrentLossDetector, EventConfig, EventDetector, EventKind, HalfCycle, HalfCycles,
    RapidChangeConfig, RapidChangeDetector, Scope, VoltageEvent,
};
use crate::flagging::{FlagLedger, Flags};
use crate::flicker::{
    FlickerConfig, FlickerMeter, LONG_TERM_COUNT, Lamp, SETTLING_S, SHORT_TERM_S, long_term,
};
use crate::result::{
    CurrentEvent, Event, HalfCycleAnalysis, LongTermValue, PhaseFlicker, RapidChangeEvent,
    ShortTermValue,
};

/// Voltage events and what they flag.
#[derive(Clone, Debug)]
pub(super) struct VoltageWatch {
    rate_hz: f64,
    half_cycles: Vec<HalfCycles>,
    /// Values not yet judged, by phase.
    waiting: Vec<VecDeque<HalfCycle>>,
    detector: EventDetector,
    rapid: Vec<RapidChangeDetector>,
    ledger: FlagLedger,
    found: Vec<VoltageEvent>,
    /// Everything before this position is judged.
    judged: f64,
}

impl VoltageWatch {
    pub(super) fn new(
        rate_hz: f64,
        frequency_hz: f64,
        nominal_hz: f64,
        phases: usize,
        volts: f64,
    ) -> Self {
        let rapid = RapidChangeConfig::new(volts, nominal_hz);
        Self {
            rate_hz,
            half_cycles: vec![HalfCycles::new(rate_hz, frequency_hz); phases],
            waiting: vec![VecDeque::new(); phases],
            detector: EventDetector::new(EventConfig::new(phases, volts)),
            rapid: vec![RapidChangeDetector::new(rapid); phases],
            ledger: FlagLedger::default(),
            found: Vec::new(),
            judged: 0.0,
        }
    }

    pub(super) fn push(&mut self, voltages: &[&[f64]]) {
        for (half_cycles, samples) in self.half_cycles.iter_mut().zip(voltages) {
            half_cycles.push(samples);
        }
        self.judge(false);
    }

    pub(super) fn finish(&mut self) {
        for half_cycles in &mut self.half_cycles {
            half_cycles.finish();
        }
        self.judge(true);
        self.detector.finish();
        self.found.extend(std::iter::from_fn(|| self.detector.pop()));
        self.judged = f64::INFINITY;
    }

    /// Judges values in the order of their middles, as far as every phase has one.
    fn judge(&mut self, all: bool) {
        for (half_cycles, waiting) in self.half_cycles.iter_mut().zip(&mut self.waiting) {
            waiting.extend(std::iter::from_fn(|| half_cycles.pop()));
        }
        loop {
            let first = |(phase, queue): (usize, &VecDeque<HalfCycle>)| {
                queue.front().map(|value| (value.middle(), phase))
            };
            let ready = |queue: &VecDeque<HalfCycle>| all || !queue.is_empty();
            if !self.waiting.iter().all(ready) {
                break;
            }
            let earliest = self.waiting.iter().enumerate().filter_map(first);
            let Some((_, phase)) = earliest.min_by(|a, b| a.0.total_cmp(&b.0)) else { break };
            let Some(value) = self.waiting[phase].pop_front() else { break };
            self.detector.push(phase, value);
            for kind in [EventKind::Dip, EventKind::Swell, EventKind::Interruption] {
                if self.detector.is_open(kind) {
                    self.ledger.note(kind, value);
                }
            }
            self.rapid[phase].push(value);
            self.found.extend(std::iter::from_fn(|| self.detector.pop()));
            self.judged = value.start;
        }
    }

    /// Flags of a stretch in seconds; `None` while it is not judged yet.
    pub(super) fn flags(&mut self, start_s: f64, end_s: f64) -> Option<Flags> {
        let (start, end) = (start_s * self.rate_hz, end_s * self.rate_hz);
        if self.judged < end {
            return None;
        }
        // Ten minutes of flicker are asked for later than windows.
        self.ledger.forget(start - 2.0 * SHORT_TERM_S * self.rate_hz);
        Some(self.ledger.flags(start, end))
    }

    /// Events of single phases, then of the system, each in the order of time.
    pub(super) fn events(&self, names: &[String]) -> (Vec<Event>, Vec<Event>) {
        let mut found = self.found.clone();
        found.sort_by(|a, b| {
            let by_time = a.start.total_cmp(&b.start);
            by_time.then(a.scope.cmp(&b.scope)).then(a.kind.cmp(&b.kind))
        });
        let (system, single): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|event| event.scope == Scope::System);
        let describe = |list: Vec<VoltageEvent>| {
            list.iter().map(|event| self.describe(event, names)).collect()
        };
        (describe(single), describe(system))
    }

    fn describe(&self, event: &VoltageEvent, names: &[String]) -> Event {
        let kind = match event.kind {
            EventKind::Dip => "dip",
            EventKind::Swell => "swell",
            EventKind::Interruption => "interruption",
        };
        let phase = match event.scope {
            Scope::Phase(phase) => names.get(phase).cloned().unwrap_or_default(),
            Scope::System => "all".to_owned(),
        };
        Event {
            kind: kind.to_owned(),
            phase,
            start_s: event.start / self.rate_hz,
            duration_s: (event.end - event.start) / self.rate_hz,
            residual_v: event.extreme_v,
            residual_pct: event.residual_pct(),
            start_sample: event.start.round().max(0.0) as u64,
            complete: event.complete,
        }
    }

    pub(super) fn rapid_changes(&mut self, names: &[String]) -> Vec<RapidChangeEvent> {
        let rate_hz = self.rate_hz;
        let mut all = Vec::new();
        for (detector, name) in self.rapid.iter_mut().zip(names) {
            all.extend(std::iter::from_fn(|| detector.pop()).map(|change| RapidChangeEvent {
                phase: name.clone(),
                start_s: change.start / rate_hz,
                duration_s: (change.end - change.start) / rate_hz,
                largest_v: change.largest_v,
                steady_v: change.steady_v,
            }));
        }
        all
    }
}

/// RMS values and power of every half cycle, phase by phase.
#[derive(Clone, Debug)]
pub(super) struct HalfCycleWatch {
    rate_hz: f64,
    phases: Vec<HalfCycles>,
    found: Vec<HalfCycleAnalysis>,
}

impl HalfCycleWatch {
    pub(super) fn new(rate_hz: f64, frequency_hz: f64, voltages: usize) -> Self {
        let phases = vec![HalfCycles::new(rate_hz, frequency_hz); voltages];
        Self { rate_hz, phases, found: Vec::new() }
    }

    pub(super) fn push(&mut self, voltages: &[&[f64]], currents: &[&[f64]]) {
        for (phase, (half_cycles, u)) in self.phases.iter_mut().zip(voltages).enumerate() {
            match currents.get(phase) {
                Some(i) => half_cycles.push_pair(u, i),
                None => half_cycles.push(u),
            }
        }
        self.collect();
    }

    pub(super) fn finish(&mut self) {
        self.phases.iter_mut().for_each(HalfCycles::finish);
        self.collect();
    }

    fn collect(&mut self) {
        let rate_hz = self.rate_hz;
        for (phase, half_cycles) in self.phases.iter_mut().enumerate() {
            while let Some(HalfCycle { start, end, rms, current }) = half_cycles.pop() {
                self.found.push(HalfCycleAnalysis {
                    phase,
                    start_s: start / rate_hz,
                    duration_s: (end - start) / rate_hz,
                    u_rms_v: rms,
                    current,
                });
            }
        }
    }

    pub(super) fn take(&mut self) -> Vec<HalfCycleAnalysis> {
        std::mem::take(&mut self.found)
    }
}

/// Currents that go away.
#[derive(Clone, Debug)]
pub(super) struct CurrentWatch {
    rate_hz: f64,
    detectors: Vec<CurrentLossDetector>,
}

impl CurrentWatch {
    pub(super) fn new(rate_hz: f64, frequency_hz: f64, currents: usize) -> Self {
        let detectors = vec![CurrentLossDetector::new(rate_hz, frequency_hz); currents];
        Self { rate_hz, detectors }
    }

    pub(super) fn push(&mut self, currents: &[&[f64]]) {
        for (detector, samples) in self.detectors.iter_mut().zip(currents) {
            detector.push(samples);
        }
    }

    pub(super) fn finish(&mut self, names: &[String]) -> Vec<CurrentEvent> {
        let rate_hz = self.rate_hz;
        let mut all = Vec::new();
        for (detector, name) in self.detectors.iter_mut().zip(names) {
            detector.finish();
            all.extend(std::iter::from_fn(|| detector.pop()).map(|loss| CurrentEvent {
                kind: "current_interruption".to_owned(),
                phase: name.clone(),
                start_s: loss.sample as f64 / rate_hz,
                start_sample: loss.sample,
                before_a: loss.before_a,
                left_a: loss.left_a,
            }));
        }
        all.sort_by_key(|event| event.start_sample);
        all
    }
}

/// Flicker of all voltages.
#[derive(Clone, Debug)]
pub(super) struct FlickerWatch {
    lamp: Lamp,
    meters: Vec<FlickerMeter>,
    short: Vec<Vec<ShortTermValue>>,
}

impl FlickerWatch {
    /// `None` where no flickermeter works at the rate. Intervals begin `tick_s` after the first
    /// sample, give or take whole ten minutes, as soon as the filters have settled.
    pub(super) fn new(config: FlickerConfig, voltages: usize, tick_s: Option<f64>) -> Option<Self> {
        let lamp = config.lamp;
        let late_s = tick_s.map_or(0.0, |tick_s| (tick_s - SETTLING_S).rem_euclid(SHORT_TERM_S));
        let meter = FlickerMeter::new(config)?.with_first_interval_at(SETTLING_S + late_s);
        Some(Self { lamp, meters: vec![meter; voltages], short: vec![Vec::new(); voltages] })
    }

    /// Takes samples; values whose flags are not known yet are flagged later.
    pub(super) fn push(&mut self, voltages: &[&[f64]]) {
        for ((meter, short), samples) in self.meters.iter_mut().zip(&mut self.short).zip(voltages) {
            meter.push(samples);
            short.extend(std::iter::from_fn(|| meter.pop()).map(|value| ShortTermValue {
                start_s: value.start_s,
                pst: value.pst,
                pinst_max: value.pinst_max,
                flagged: None,
            }));
        }
    }

    /// Flags the values whose ten minutes are judged.
    pub(super) fn flag(&mut self, watch: &mut VoltageWatch) {
        for value in self.short.iter_mut().flat_map(|list| list.iter_mut().rev().take(2)) {
            if value.flagged.is_none() {
                let flags = watch.flags(value.start_s, value.start_s + SHORT_TERM_S);
                value.flagged = flags.map(Flags::any);
            }
        }
    }

    /// The lamp in words.
    pub(super) fn lamp(&self) -> &'static str {
        match self.lamp {
            Lamp::V230 => "230 V",
            Lamp::V120 => "120 V",
        }
    }

    /// The values of each voltage; empty where the recording is too short.
    pub(super) fn values(&self) -> Vec<PhaseFlicker> {
        let plt = |list: &[ShortTermValue]| -> Vec<LongTermValue> {
            list.chunks_exact(LONG_TERM_COUNT)
                .filter_map(|twelve| {
                    let pst: Vec<f64> = twelve.iter().map(|value| value.pst).collect();
                    Some(LongTermValue {
                        start_s: twelve[0].start_s,
                        plt: long_term(&pst)?,
                        flagged: twelve.iter().any(|value| value.flagged == Some(true)),
                    })
                })
                .collect()
        };
        self.short.iter().map(|list| PhaseFlicker { pst: list.clone(), plt: plt(list) }).collect()
    }
}
