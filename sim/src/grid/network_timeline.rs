//! A network in motion: faults, switching and protection at their own instants, and what a meter
//! sees of them.
//!
//! Loads follow their profiles step by step. What happens in between is played by
//! [`lastmeter_grid::motion`]; a change of a load or of a source's voltage is a jump from one
//! steady state to the next at its instant.

use std::sync::Arc;

use lastmeter_grid::motion::{
    Event, Operation, Options, Probe, Protector, Segment, SegmentContent, Supply,
};
use lastmeter_grid::network::{Network, VoltageBand};
use lastmeter_units::SimDuration;
use num_complex::Complex64;

use super::cold_load_pickup::Pickup;
use super::input::{GridInput, Inputs};
use super::playing::Playing;
use super::recorder::Recorder;
use super::solved_network::{NetworkFailure, Setup, SolvedNetwork};
use super::view::{Pair, probe_at};
use crate::Excerpt;
use crate::disturbance::Disturbance;

/// What happens in a network between its steps.
#[derive(Clone, Debug, Default)]
pub struct DynamicNetworkSetup {
    /// How it is played.
    pub options: Options,
    /// Faults and switching.
    pub events: Vec<Event>,
    /// Protective devices, one in a switch.
    pub protectors: Vec<Protector>,
    /// Loads and sources that change, since the start, in any order.
    pub changes: Vec<(SimDuration, GridInput)>,
    /// What becomes of the frequency of the whole network.
    pub frequency: Vec<Disturbance>,
    /// What keeps waveforms.
    pub recorders: Vec<Recorder>,
    /// Of each source, then of each load, whether a meter looks at it: only of those, and of what
    /// recorders are at, waveforms are kept. What is not listed is.
    pub metered: Vec<bool>,
    /// Of each load what an outage does to it; of what is not listed nothing.
    pub pickups: Vec<Option<Pickup>>,
    /// Outages that were announced: when each begins, and the place of its switch in the network.
    pub planned: Vec<(SimDuration, usize)>,
    /// The instant whose dark area is to be drawn; none: when most loads have no supply.
    pub dark_at: Option<SimDuration>,
}

/// What a network in motion came to.
#[derive(Clone, Debug)]
pub struct NetworkTimeline {
    pub(super) segments: Vec<Segment>,
    pub(super) operations: Vec<Operation>,
    /// In order of time.
    pub(super) changes: Vec<(SimDuration, GridInput)>,
    pub(super) frequency: Vec<Disturbance>,
    pub(super) protectors: Vec<Protector>,
    pub(super) recorders: Vec<Recorder>,
    /// When each planned outage begins, and the element that opens then.
    pub(super) planned: Vec<(SimDuration, String)>,
    pub(super) dark_at: Option<SimDuration>,
}

/// So long after a planned outage has begun what loses its supply does so by that: until all poles
/// have opened, each at its current's zero.
const POLES_OPEN: SimDuration = SimDuration::from_milliseconds(100);

impl NetworkTimeline {
    /// Takes over what was done since it was done so last, of all that was done.
    pub(super) fn take_operations(&mut self, all: &[Operation]) {
        let news = &all[self.operations.len()..];
        if !news.is_empty() {
            self.operations.extend_from_slice(news);
            self.operations.sort_by_key(|it| it.at_ns);
        }
    }

    /// Whether what had no supply from an instant on owes that to planned outages: since the first
    /// of those that can have done it nothing else was done to the network.
    fn is_planned(&self, from: SimDuration) -> bool {
        let mut recent =
            self.planned.iter().filter(|(at, _)| *at <= from && from < *at + POLES_OPEN);
        let Some((begun, _)) = recent.next() else { return false };
        let done = self.operations.iter().filter(|it| it.kind.switches());
        let mut within = done.filter(|it| (begun.0..=from.0).contains(&it.at_ns));
        let changed = self
            .changes
            .iter()
            .any(|(at, input)| input.load().is_none() && (*begun..=from).contains(at));
        !changed
            && within.all(|it| self.planned.iter().any(|(_, element)| **element == *it.element))
    }

    /// What had a supply, from when on, in order of time: in steady states, and within waves.
    pub(super) fn supplies(&self) -> Vec<(SimDuration, &Supply)> {
        let mut all: Vec<(SimDuration, &Supply)> = Vec::new();
        for (at, segment) in self.segments.iter().enumerate() {
            match &segment.what {
                SegmentContent::Steady { supply, .. } => {
                    let before = &self.segments[..at];
                    let changed_ns = changed_before(before, &self.operations, segment.from_ns);
                    // Contacts part before the zeros at which currents end.
                    let before = all.last().map_or(SimDuration::ZERO, |it| it.0);
                    all.push((SimDuration(changed_ns).max(before), supply));
                }
                SegmentContent::Waveforms(waves) => {
                    all.extend(waves.supply.iter().map(|it| (SimDuration(it.from_ns), it)));
                }
            }
        }
        all
    }
}

/// When the network came to the state that it has at an instant, after these segments: where waves
/// lead to it, by the last thing that was done in them.
pub(super) fn changed_before(segments: &[Segment], operations: &[Operation], until_ns: i64) -> i64 {
    // Long ones come in pieces.
    let before = segments.iter().rev();
    let waves = before.take_while(|it| matches!(it.what, SegmentContent::Waveforms(_))).last();
    let Some(waves) = waves else { return until_ns };
    let within = |it: &&Operation| (waves.from_ns..until_ns).contains(&it.at_ns);
    let switched = operations.iter().filter(|it| it.kind.switches());
    switched.rev().find(within).map_or(waves.from_ns, |it| it.at_ns)
}

/// Time without supply of a load, or of parts of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Interruption {
    /// The load's place in the network.
    pub load: usize,
    /// When it began.
    pub from: SimDuration,
    /// When it ended; none: not before the end of the last step.
    pub to: Option<SimDuration>,
    /// Of the load's power the share that had no supply, from each instant on.
    pub lost: Vec<(SimDuration, f64)>,
    /// Whether it began by an outage that was planned, and by nothing else.
    pub is_planned: bool,
}

/// Between these shares of its rated voltage a load keeps to its model where the network states
/// nothing else; beyond them it is an impedance, as it is while waves are played. Without that a
/// network that has lost a phase has no solution.
const BAND: VoltageBand = VoltageBand { lowest: 0.8, highest: 1.2, turned: None };

/// How long something stays, and the pairs of a probe.
type SteadyPart = (SimDuration, Vec<Pair>);

/// The instants within a step between which nothing is changed from outside.
fn borders(
    (begin, end): (SimDuration, SimDuration),
    changes: &[(SimDuration, GridInput)],
) -> Vec<SimDuration> {
    let within = changes.iter().map(|(at, _)| *at).filter(|at| begin < *at && *at < end);
    let mut all: Vec<SimDuration> = within.chain([begin, end]).collect();
    all.sort_unstable();
    all.dedup();
    all
}

impl SolvedNetwork {
    /// Plays a network: the power flow of every step, and between steps what happens there.
    ///
    /// # Errors
    /// The first step that has no solution, or what cannot be played.
    pub fn play(setup: Setup, wanted: &DynamicNetworkSetup) -> Result<Self, NetworkFailure> {
        Playing::new(setup, Some(wanted.clone()))?.finish()
    }

    /// What happened in a network in motion, in order of time.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        self.timeline.as_ref().map_or(&[], |timeline| &timeline.operations)
    }

    /// When loads had no supply, load by load in order of time; none of a network that only steps.
    #[must_use]
    pub fn interruptions(&self) -> Vec<Interruption> {
        let Some(timeline) = &self.timeline else { return Vec::new() };
        let (mut all, supplies) = (Vec::new(), timeline.supplies());
        for load in 0..self.setup.network.loads.len() {
            let mut open: Option<Interruption> = None;
            for &(from, supply) in &supplies {
                let lost = 1.0 - supply.supplied.get(load).copied().unwrap_or(1.0);
                match &mut open {
                    None if lost > 0.0 => {
                        let lost = vec![(from, lost)];
                        let is_planned = timeline.is_planned(from);
                        open = Some(Interruption { load, from, to: None, lost, is_planned });
                    }
                    Some(it) if lost > 0.0 => it.lost.push((from, lost)),
                    Some(it) => {
                        it.to = Some(from);
                        all.extend(open.take());
                    }
                    None => {}
                }
            }
            all.extend(open);
        }
        all
    }

    /// Energy that an interruption kept from its load, up to an instant, watt-seconds.
    #[must_use]
    pub fn unserved_j(&self, interruption: &Interruption, until: SimDuration) -> f64 {
        let Interruption { load, lost, .. } = interruption;
        let mut sum = 0.0;
        for (place, (from, share)) in lost.iter().enumerate() {
            let to = lost.get(place + 1).map_or(until, |next| next.0.min(until));
            sum += share * self.wanted_j(*load, *from, to);
        }
        sum
    }

    /// Energy that a load would have drawn over a span by its profile and what was changed of it,
    /// watt-seconds; never less than nothing.
    #[must_use]
    pub fn wanted_j(&self, load: usize, from: SimDuration, to: SimDuration) -> f64 {
        let Setup { raster, network, powers, changes, .. } = &self.setup;
        let declared_va: Complex64 = network.loads[load].power_va.iter().sum();
        let profile = powers.get(load).and_then(Option::as_ref);
        // Those of a step hold before those of its first instant.
        let of_steps = changes.iter().map(|it| (raster.begin(it.step), it.input));
        let since_start = self.timeline.iter().flat_map(|it| it.changes.iter().copied());
        let mut changes: Vec<(SimDuration, GridInput)> = of_steps.chain(since_start).collect();
        changes.retain(|(_, input)| input.load() == Some(load));
        changes.sort_by_key(|(at, _)| *at);
        let (mut ahead, mut inputs) = (changes.iter().peekable(), Inputs::default());
        let first = usize::try_from(from.0.div_euclid(raster.step.0.max(1))).unwrap_or(0);
        let mut sum = 0.0;
        for step in first..raster.steps {
            let (begin, end) = (raster.begin(step), raster.begin(step) + raster.step);
            if begin >= to {
                break;
            }
            let profile_va = profile.and_then(|it| it.get(step).or(it.last())).copied();
            for two in borders((begin, end), &changes).windows(2) {
                while let Some((_, input)) = ahead.next_if(|(at, _)| *at <= two[0]) {
                    // What does not fit changes nothing, as where it is played.
                    let _ = inputs.take(network, *input);
                }
                let power_va = inputs.wanted_va(load, profile_va, declared_va);
                let length = two[1].min(to) - two[0].max(from);
                sum += power_va.re.max(0.0) * length.as_seconds_f64().max(0.0);
            }
        }
        sum
    }

    /// What a probe sees, as operating points with their lengths, and the waves between.
    pub(super) fn seen(&self, probe: usize) -> (Vec<SteadyPart>, Vec<Arc<Excerpt>>) {
        let (mut points, mut excerpts) = (Vec::new(), Vec::new());
        let Some(timeline) = &self.timeline else { return (points, excerpts) };
        let end = self.setup.raster.begin(self.setup.raster.steps);
        for (at, segment) in timeline.segments.iter().enumerate() {
            let next = timeline.segments.get(at + 1).map_or(end.0, |next| next.from_ns);
            let length = SimDuration((next - segment.from_ns).max(1));
            match &segment.what {
                SegmentContent::Steady { pairs, .. } => points.push((length, pairs[probe].clone())),
                SegmentContent::Waveforms(waves) => {
                    let later = timeline.segments[at..].iter().find_map(|it| match &it.what {
                        SegmentContent::Steady { pairs, .. } => Some(pairs[probe].clone()),
                        SegmentContent::Waveforms(_) => None,
                    });
                    let beneath =
                        later.unwrap_or_else(|| vec![Pair::default(); waves.probes[probe].len()]);
                    points.push((length, beneath));
                    let kept = &waves.probes[probe];
                    excerpts.push(Arc::new(Excerpt {
                        from: SimDuration(segment.from_ns),
                        at_s: Arc::clone(&waves.at_s),
                        voltages_v: kept.iter().map(|pair| pair.0.clone()).collect(),
                        currents_a: kept.iter().map(|pair| pair.1.clone()).collect(),
                    }));
                }
            }
        }
        (points, excerpts)
    }
}

/// Gives loads the band of a network in motion, but for those that have their own.
pub(super) fn play_loads_in_band(network: &mut Network) {
    for load in network.loads.iter_mut().filter(|load| load.band.is_none()) {
        load.band = Some(BAND);
    }
}

/// What meters may look at: every source, then every load; and what recorders do.
pub(super) fn probes(setup: &Setup, recorders: &[Recorder]) -> Vec<Probe> {
    let meters = 0..setup.network.sources.len() + setup.network.loads.len();
    let meters = meters.map(|place| probe_at(setup, place));
    meters.chain(recorders.iter().map(Recorder::probe)).collect()
}
