//! What a meter makes of the half-cycle RMS values of its voltages: who sees them, and which dips,
//! swells and interruptions it reports (IEC 61000-4-30, 5.4 and 5.5).

use std::collections::VecDeque;

use lastmeter_metrology::events::{
    EventConfig, EventDetector, EventKind, HalfCycle, HalfCycles, Scope, VoltageEvent,
};

use crate::border::{EventFacts, VoltageEventKind};

/// Half-cycle RMS values of all phases, in the order of the middles of their cycles.
#[derive(Debug)]
pub(crate) struct HalfCycleVoltages {
    phases: Vec<(HalfCycles, VecDeque<HalfCycle>)>,
}

impl HalfCycleVoltages {
    pub(crate) fn new(rate_hz: f64, nominal_hz: f64, phases: usize) -> Self {
        let of_phase = || (HalfCycles::new(rate_hz, nominal_hz), VecDeque::new());
        Self { phases: (0..phases).map(|_| of_phase()).collect() }
    }

    pub(crate) fn push(&mut self, phase: usize, samples: &[f64]) {
        let Some((half_cycles, values)) = self.phases.get_mut(phase) else { return };
        half_cycles.push(samples);
        values.extend(std::iter::from_fn(|| half_cycles.pop()));
    }

    /// The next value, once every phase has one: phase and value.
    pub(crate) fn pop(&mut self) -> Option<(usize, HalfCycle)> {
        let mut earliest: Option<(usize, f64)> = None;
        for (phase, (_, values)) in self.phases.iter().enumerate() {
            let middle = values.front()?.middle();
            if earliest.is_none_or(|(_, other)| middle < other) {
                earliest = Some((phase, middle));
            }
        }
        let (phase, _) = earliest?;
        Some((phase, self.phases[phase].1.pop_front()?))
    }
}

/// A half-cycle value of one phase, and when it was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeenVoltage {
    pub(crate) phase: usize,
    pub(crate) value: HalfCycle,
    /// Begin and end of its cycle, in seconds since the scenario's start.
    pub(crate) from_s: f64,
    pub(crate) to_s: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct EndedEvent {
    pub(crate) kind: VoltageEventKind,
    pub(crate) phase: usize,
    /// In seconds, by the meter's clock.
    pub(crate) duration_s: f64,
    /// How long ago it ended when it was seen, in seconds by the meter's clock.
    pub(crate) since_s: f64,
    /// The lowest half-cycle RMS in V, of a swell the highest.
    pub(crate) residual_v: f64,
}

#[derive(Debug)]
pub(crate) struct VoltageEvents {
    pub(crate) facts: EventFacts,
    config: EventConfig,
    /// Samples per second of the meter's clock.
    rate_hz: f64,
    detector: EventDetector,
}

impl VoltageEvents {
    pub(crate) fn new(config: EventConfig, kinds: Vec<VoltageEventKind>, rate_hz: f64) -> Self {
        let declared_v = config.reference_v;
        let facts = EventFacts {
            declared_v,
            dip_v: config.dip * declared_v,
            swell_v: config.swell * declared_v,
            interruption_v: config.interruption * declared_v,
            hysteresis_v: config.hysteresis * declared_v,
            kinds,
        };
        Self { facts, config, rate_hz, detector: EventDetector::new(config) }
    }

    /// Forgets what goes on: the meter has not seen it begin.
    pub(crate) fn restart(&mut self) {
        self.detector = EventDetector::new(self.config);
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        self.detector.is_open(EventKind::Interruption)
    }

    /// Takes the next value; the events of the kinds asked for that end with it. One that had begun
    /// before the first value is left out.
    pub(crate) fn push(&mut self, phase: usize, value: HalfCycle) -> Vec<EndedEvent> {
        self.detector.push(phase, value);
        let mut ended = Vec::new();
        while let Some(event) = self.detector.pop() {
            let VoltageEvent { start, end, extreme_v, complete, .. } = event;
            let Scope::Phase(phase) = event.scope else { continue };
            let kind = match event.kind {
                EventKind::Dip => VoltageEventKind::Dip,
                EventKind::Swell => VoltageEventKind::Swell,
                EventKind::Interruption => VoltageEventKind::Interruption,
            };
            if complete && self.facts.kinds.contains(&kind) {
                ended.push(EndedEvent {
                    kind,
                    phase,
                    duration_s: (end - start) / self.rate_hz,
                    since_s: (value.end - end) / self.rate_hz,
                    residual_v: extreme_v,
                });
            }
        }
        ended
    }
}
