//! Dips, swells and interruptions out of the half-cycle values of all phases.

use std::collections::VecDeque;

use super::half_cycle::HalfCycle;

/// The kind of a voltage event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// Below the dip threshold.
    Dip,
    /// Above the swell threshold.
    Swell,
    /// Below the interruption threshold. The dip that contains it is an event of its own.
    Interruption,
}

/// Which voltage it happened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// One phase, by its index.
    Phase(usize),
    /// The system of several phases.
    System,
}

/// Thresholds, relative to the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EventConfig {
    /// Phases that make one system.
    pub phases: usize,
    /// The declared voltage (or another reference to begin with) in V.
    pub reference_v: f64,
    /// A dip is below this.
    pub dip: f64,
    /// A swell is above this.
    pub swell: f64,
    /// An interruption is below this.
    pub interruption: f64,
    /// What it must be back by.
    pub hysteresis: f64,
}

impl EventConfig {
    /// The usual thresholds: 90 %, 110 %, 5 %, hysteresis 2 % (IEC 61000-4-30, 5.4 and 5.5).
    pub fn new(phases: usize, reference_v: f64) -> Self {
        Self { phases, reference_v, dip: 0.9, swell: 1.1, interruption: 0.05, hysteresis: 0.02 }
    }
}

/// A dip, a swell or an interruption.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VoltageEvent {
    /// Dip, swell or interruption.
    pub kind: EventKind,
    /// The phase, or the system of all phases.
    pub scope: Scope,
    /// Start, in samples since the first one; may lie between two.
    pub start: f64,
    /// End of the event, likewise.
    pub end: f64,
    /// The lowest half-cycle value in V; for a swell the highest.
    pub extreme_v: f64,
    /// The reference in force when it began, in V.
    pub reference_v: f64,
    /// False if it had begun before the first value or had not ended by the last.
    pub complete: bool,
}

impl VoltageEvent {
    /// The residual (or largest) voltage in per cent of the reference.
    pub fn residual_pct(&self) -> f64 {
        100.0 * self.extreme_v / self.reference_v
    }
}

#[derive(Clone, Copy, Debug)]
struct Open {
    start: f64,
    extreme_v: f64,
    reference_v: f64,
    began_inside: bool,
}

/// Finds events; half-cycle values in the order of their middles.
#[derive(Clone, Debug)]
pub struct EventDetector {
    config: EventConfig,
    references: Vec<f64>,
    /// By kind, then by phase.
    open: [Vec<Option<Open>>; 3],
    /// By kind, of the system.
    system: [Option<Open>; 3],
    seen: Vec<bool>,
    last: f64,
    ready: VecDeque<VoltageEvent>,
}

const KINDS: [EventKind; 3] = [EventKind::Dip, EventKind::Swell, EventKind::Interruption];

impl EventDetector {
    /// Nothing has happened yet. Phases are judged one by one, and together from two on.
    pub fn new(config: EventConfig) -> Self {
        let phases = config.phases;
        Self {
            references: vec![config.reference_v; phases],
            open: std::array::from_fn(|_| vec![None; phases]),
            system: [None; 3],
            seen: vec![false; phases],
            last: 0.0,
            ready: VecDeque::new(),
            config,
        }
    }

    /// The next event that is over.
    pub fn pop(&mut self) -> Option<VoltageEvent> {
        self.ready.pop_front()
    }

    /// Whether any event of a kind goes on in any phase.
    pub fn is_open(&self, kind: EventKind) -> bool {
        self.open[kind as usize].iter().any(Option::is_some)
    }

    /// Takes the next value of a phase. Of all phases, the one whose middle is earliest goes first.
    pub fn push(&mut self, phase: usize, value: HalfCycle) {
        if phase >= self.config.phases {
            return;
        }
        self.last = value.middle();
        let first = !std::mem::replace(&mut self.seen[phase], true);
        for kind in KINDS {
            let limits = self.limits(kind, phase);
            let slot = &mut self.open[kind as usize][phase];
            match slot {
                None if beyond(kind, value.rms, limits.0) => {
                    *slot = Some(Open {
                        start: if first { value.start } else { value.middle() },
                        extreme_v: value.rms,
                        reference_v: self.references[phase],
                        began_inside: !first,
                    });
                }
                Some(open) if back(kind, value.rms, limits.1) => {
                    let event = closed(*open, kind, Scope::Phase(phase), value.middle(), true);
                    *slot = None;
                    self.ready.push_back(event);
                }
                Some(open) => open.extreme_v = further(kind, open.extreme_v, value.rms),
                None => {}
            }
            self.follow(kind);
        }
    }

    /// Ends the signal: events that go on are given out as incomplete.
    pub fn finish(&mut self) {
        let end = self.last;
        for kind in KINDS {
            for phase in 0..self.config.phases {
                if let Some(open) = self.open[kind as usize][phase].take() {
                    let event = closed(open, kind, Scope::Phase(phase), end, false);
                    self.ready.push_back(event);
                }
            }
            if let Some(open) = self.system[kind as usize].take() {
                self.ready.push_back(closed(open, kind, Scope::System, end, false));
            }
        }
    }

    /// Threshold to begin, threshold to end, in V. An event's own reference holds to its end.
    fn limits(&self, kind: EventKind, phase: usize) -> (f64, f64) {
        let EventConfig { dip, swell, interruption, hysteresis, .. } = self.config;
        let reference =
            self.open[kind as usize][phase].map_or(self.references[phase], |open| open.reference_v);
        let (begin, end) = match kind {
            EventKind::Dip => (dip, dip + hysteresis),
            EventKind::Swell => (swell, swell - hysteresis),
            EventKind::Interruption => (interruption, interruption + hysteresis),
        };
        (begin * reference, end * reference)
    }

    /// Brings the system's event of a kind up to the phases' state.
    fn follow(&mut self, kind: EventKind) {
        if self.config.phases < 2 {
            return;
        }
        let phases = &self.open[kind as usize];
        let now = match kind {
            EventKind::Interruption => phases.iter().all(Option::is_some),
            EventKind::Dip | EventKind::Swell => phases.iter().any(Option::is_some),
        };
        let extreme = phases.iter().flatten().copied().reduce(|a, b| Open {
            extreme_v: further(kind, a.extreme_v, b.extreme_v),
            began_inside: a.began_inside && b.began_inside,
            ..a
        });
        let slot = &mut self.system[kind as usize];
        match (slot.as_mut(), now, extreme) {
            (None, true, Some(found)) => {
                let start = if found.began_inside { self.last } else { found.start };
                *slot = Some(Open { start, ..found });
            }
            (Some(open), true, Some(found)) => {
                open.extreme_v = further(kind, open.extreme_v, found.extreme_v);
            }
            (Some(open), false, _) => {
                let event = closed(*open, kind, Scope::System, self.last, true);
                *slot = None;
                self.ready.push_back(event);
            }
            _ => {}
        }
    }
}

fn beyond(kind: EventKind, rms: f64, limit: f64) -> bool {
    if kind == EventKind::Swell { rms > limit } else { rms < limit }
}

fn back(kind: EventKind, rms: f64, limit: f64) -> bool {
    if kind == EventKind::Swell { rms < limit } else { rms >= limit }
}

fn further(kind: EventKind, a: f64, b: f64) -> f64 {
    if kind == EventKind::Swell { a.max(b) } else { a.min(b) }
}

fn closed(open: Open, kind: EventKind, scope: Scope, end: f64, ended: bool) -> VoltageEvent {
    let Open { start, extreme_v, reference_v, began_inside } = open;
    let complete = began_inside && ended;
    VoltageEvent { kind, scope, start, end, extreme_v, reference_v, complete }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half-cycle values of several phases, one column per half cycle, 10 ms each.
    fn run(phases: &[&[f64]]) -> Vec<VoltageEvent> {
        let mut detector = EventDetector::new(EventConfig::new(phases.len(), 100.0));
        for k in 0..phases[0].len() {
            for (phase, values) in phases.iter().enumerate() {
                let start = 10.0 * k as f64;
                let (end, rms) = (start + 20.0, values[k]);
                detector.push(phase, HalfCycle { start, end, rms, current: None });
            }
        }
        detector.finish();
        std::iter::from_fn(|| detector.pop()).collect()
    }

    #[test]
    fn hysteresis_keeps_a_dip_open_and_thresholds_are_not_dips() {
        let found = run(&[&[100.0, 90.0, 89.9, 91.9, 89.0, 92.0, 100.0]]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].start, found[0].end), (30.0, 60.0));
        assert_eq!(found[0].extreme_v, 89.0);
        assert!(found[0].complete);
        assert!(run(&[&[100.0, 90.0, 110.0, 95.0]]).is_empty());
    }

    #[test]
    fn a_swell_has_its_largest_value_and_ends_below_its_hysteresis() {
        let found = run(&[&[100.0, 111.0, 130.0, 108.1, 107.9, 100.0]]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].kind, EventKind::Swell);
        assert_eq!((found[0].start, found[0].end, found[0].extreme_v), (20.0, 50.0, 130.0));
    }

    #[test]
    fn a_system_dips_with_any_phase_and_is_interrupted_with_all() {
        // Phase a goes first and comes back last; b and c only for a while.
        let a = [100.0, 80.0, 2.0, 2.0, 2.0, 2.0, 80.0, 100.0, 100.0];
        let b = [100.0, 100.0, 2.0, 2.0, 2.0, 100.0, 100.0, 100.0, 100.0];
        let c = [100.0, 100.0, 100.0, 2.0, 2.0, 2.0, 70.0, 95.0, 100.0];
        let found = run(&[&a, &b, &c]);
        let system: Vec<_> = found.iter().filter(|e| e.scope == Scope::System).collect();
        assert_eq!(system.len(), 2);
        let of = |kind| system.iter().find(|e| e.kind == kind).expect("an event");
        let dip = of(EventKind::Dip);
        assert_eq!((dip.start, dip.end, dip.extreme_v), (20.0, 80.0, 2.0));
        // All below from the fourth value on; b is the first to recover.
        let gone = of(EventKind::Interruption);
        assert_eq!((gone.start, gone.end, gone.extreme_v), (40.0, 60.0, 2.0));
        assert_eq!(found.iter().filter(|e| e.kind == EventKind::Interruption).count(), 4);
    }

    #[test]
    fn what_began_before_or_goes_on_after_is_incomplete() {
        let found = run(&[&[50.0, 50.0, 100.0, 100.0, 60.0]]);
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|event| !event.complete));
        assert_eq!((found[0].start, found[0].end), (0.0, 30.0));
    }
}
