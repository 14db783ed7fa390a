//! A network while it is played: up to an instant, and on from there.
//!
//! A piece is what holds for one power flow: a step, or in a network in motion the time until
//! something changes. Pieces are played as a whole, so wherever somebody stops in between, what
//! comes out is the same bit by bit; a clone goes on as the original does. Pieces are played to
//! their own end, maybe beyond the instant that was asked for; who learns then what is to happen
//! there goes back ([`Playing::checkpoint`]) and plays that piece again.

use lastmeter_grid::motion::{Event, Motion, MotionError, Segment, SegmentContent};
use lastmeter_grid::network::Network;
use lastmeter_units::SimDuration;

use super::cold_load_pickup::LoadRecovery;
use super::input::GridInput;
use super::network_timeline::{DynamicNetworkSetup, NetworkTimeline, play_loads_in_band, probes};
use super::plant::Plant;
use super::solved_network::{NetworkFailure, Setup, SolvedNetwork, effect_of};

/// So often the network is not solved again at one instant.
const TURNS_MAX: u32 = 10_000;

/// So many values of waves are kept: 4 GiB.
const VALUES_MAX: usize = 1 << 29;

/// A network that is played ahead, step by step, with what happens between steps where something
/// can.
#[derive(Clone, Debug)]
pub struct Playing {
    /// All that flows, as far as it is played.
    solved: SolvedNetwork,
    plant: Plant,
    /// Where the next piece begins.
    from: SimDuration,
    moving: Option<NetworkMotion>,
}

/// Where a network that is played can be taken back to.
#[derive(Clone, Debug)]
pub(super) struct Checkpoint {
    plant: Plant,
    from: SimDuration,
    moving: Option<NetworkMotion>,
    effects: Vec<f64>,
    steps: usize,
    /// How many segments stay as they are whatever follows, and those behind them.
    segments: usize,
    last_segments: Vec<Segment>,
}

/// What happens between its steps.
#[derive(Clone, Debug)]
struct NetworkMotion {
    wanted: DynamicNetworkSetup,
    motion: Motion,
    recovery: LoadRecovery,
    /// How many of the changes were taken in.
    taken: usize,
    /// Until when it was played: maybe beyond where a piece ends.
    reached: SimDuration,
    /// How many values of waves are kept.
    kept: usize,
    /// How often it was solved again at this instant.
    turns: u32,
}

impl Playing {
    /// A network before its first step; with what happens between steps it is one in motion.
    ///
    /// # Errors
    /// If something happens to an element that is not there, or that cannot be played.
    pub fn new(
        mut setup: Setup,
        wanted: Option<DynamicNetworkSetup>,
    ) -> Result<Self, NetworkFailure> {
        if wanted.is_some() {
            play_loads_in_band(&mut setup.network);
        }
        let plant = Plant::new(&setup);
        let moving = wanted.map(|wanted| NetworkMotion::new(&setup, &plant.network, wanted));
        let moving = moving.transpose();
        let moving = moving.map_err(|why| NetworkFailure::Motion { at: SimDuration::ZERO, why })?;
        // What a defect changes is looked at in steps only.
        let effect = if moving.is_some() { f64::INFINITY } else { 0.0 };
        let effects = vec![effect; setup.defects.len()];
        let steps = Vec::with_capacity(setup.raster.steps);
        let timeline = moving.as_ref().map(|moving| moving.timeline(&plant.network));
        let solved = SolvedNetwork { setup, steps, effects, timeline };
        Ok(Self { solved, plant, from: SimDuration::ZERO, moving })
    }

    /// The declared network.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.solved.setup.network
    }

    /// When the steps are, as many as are played.
    #[must_use]
    pub fn raster(&self) -> &super::Raster {
        &self.solved.setup.raster
    }

    /// What happens between its steps, where something can.
    #[must_use]
    pub fn motion(&self) -> Option<&DynamicNetworkSetup> {
        self.moving.as_ref().map(|moving| &moving.wanted)
    }

    /// Until when it is played, since the start.
    #[must_use]
    pub fn played_until(&self) -> SimDuration {
        self.from
    }

    /// Whether all steps are played.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.from >= self.solved.setup.raster.length()
    }

    /// Plays every piece that begins before an instant, since the start.
    ///
    /// # Errors
    /// The first step that has no solution, or what cannot be played; then it is at its end.
    pub fn play_until(&mut self, instant: SimDuration) -> Result<(), NetworkFailure> {
        while !self.is_over() && self.from < instant {
            self.piece()?;
        }
        Ok(())
    }

    /// Plays what is left; all that flows.
    ///
    /// # Errors
    /// As [`Self::play_until`].
    pub fn finish(mut self) -> Result<SolvedNetwork, NetworkFailure> {
        self.play_until(self.solved.setup.raster.length())?;
        Ok(self.solved)
    }

    /// All that flows, as far as it is played.
    pub(super) fn so_far(&self) -> &SolvedNetwork {
        &self.solved
    }

    /// Until when what flows is known: beyond [`Self::played_until`] where waves go on.
    pub(super) fn reached(&self) -> SimDuration {
        self.moving.as_ref().map_or(self.from, |moving| moving.reached)
    }

    /// Where it is.
    pub(super) fn checkpoint(&self) -> Checkpoint {
        let all = self.solved.timeline.as_ref().map_or(&[][..], |it| &it.segments);
        let reached_ns = self.reached().0;
        let segments = all.partition_point(|it| it.from_ns < reached_ns);
        Checkpoint {
            plant: self.plant.clone(),
            from: self.from,
            moving: self.moving.clone(),
            effects: self.solved.effects.clone(),
            steps: self.solved.steps.len(),
            segments,
            last_segments: all[segments..].to_vec(),
        }
    }

    /// Goes back to where it was.
    pub(super) fn go_back(&mut self, to: Checkpoint) {
        let Checkpoint { plant, from, moving, effects, steps, segments, last_segments } = to;
        (self.plant, self.from, self.moving) = (plant, from, moving);
        self.solved.effects = effects;
        self.solved.steps.truncate(steps);
        if let (Some(timeline), Some(moving)) = (&mut self.solved.timeline, &self.moving) {
            timeline.segments.truncate(segments);
            timeline.segments.extend(last_segments);
            timeline.operations.clear();
            timeline.take_operations(moving.motion.operations());
        }
    }

    /// Has something happen in a network in motion, not before it is [reached](Self::reached).
    ///
    /// # Errors
    /// If it is about an element that is not there; then nothing is changed.
    pub(super) fn order(&mut self, event: Event) -> Result<(), MotionError> {
        let Some(moving) = &mut self.moving else { return Ok(()) };
        moving.motion.order(&self.plant.network, event)
    }

    /// Solves the power flow of an instant and plays from there, over as much as that holds.
    pub(super) fn piece(&mut self) -> Result<(), NetworkFailure> {
        let SolvedNetwork { setup, steps, effects, timeline } = &mut self.solved;
        let raster = setup.raster;
        let step = (self.from.0 / raster.step.0.max(1)) as usize;
        let end = raster.begin(step) + raster.step;
        self.plant.take_ahead(setup, step);
        let mut to = end;
        if let (Some(moving), Some(timeline)) = (&mut self.moving, &*timeline) {
            while let Some(input) = moving.next_change(&timeline.changes, self.from) {
                self.plant.take(setup, input);
            }
            to = moving.border(&timeline.changes, end);
        }
        self.plant.set(setup, step);
        let flow = if let (Some(moving), Some(timeline)) = (&mut self.moving, timeline) {
            let span = (self.from, to);
            let (flow, until) = moving.piece((&mut self.plant, timeline), step, span)?;
            // Waves that go on are played to their own end.
            self.from = until.min(to);
            flow
        } else {
            let flow = self.plant.flow(step).map_err(NetworkFailure::Step)?;
            let networks = (&setup.network, &self.plant.network);
            for (effect, defect) in effects.iter_mut().zip(&setup.defects) {
                *effect = effect.max(effect_of(defect, networks, &flow));
            }
            self.from = to;
            flow
        };
        if steps.len() == step {
            let step = self.plant.step(setup, step, flow).map_err(NetworkFailure::Step)?;
            steps.push(step);
        }
        Ok(())
    }
}

impl NetworkMotion {
    fn new(
        setup: &Setup,
        plant: &Network,
        wanted: DynamicNetworkSetup,
    ) -> Result<Self, MotionError> {
        let mut motion = Motion::new(
            plant,
            wanted.options.clone(),
            wanted.events.clone(),
            wanted.protectors.clone(),
            probes(setup, &wanted.recorders),
        )?;
        let recovery = LoadRecovery::new(&wanted);
        motion.end_at_returns(recovery.of_loads(setup.network.loads.len()));
        Ok(Self {
            wanted,
            motion,
            recovery,
            taken: 0,
            reached: SimDuration::ZERO,
            kept: 0,
            turns: 0,
        })
    }

    /// The next change that holds from an instant on, if there is one.
    fn next_change(
        &mut self,
        changes: &[(SimDuration, GridInput)],
        at: SimDuration,
    ) -> Option<GridInput> {
        let (from, input) = changes.get(self.taken)?;
        (*from <= at).then(|| {
            self.taken += 1;
            *input
        })
    }

    /// Until when nothing is changed from outside, at most until the end of the step.
    fn border(&self, changes: &[(SimDuration, GridInput)], end: SimDuration) -> SimDuration {
        changes.get(self.taken).map_or(end, |(at, _)| end.min(*at))
    }

    /// Solves the power flow of a piece and plays it; until when.
    fn piece(
        &mut self,
        (plant, timeline): (&mut Plant, &mut NetworkTimeline),
        step: usize,
        (from, to): (SimDuration, SimDuration),
    ) -> Result<(lastmeter_grid::flow::Flow, SimDuration), NetworkFailure> {
        let to = self.recovery.piece(from, to);
        self.recovery.scale(&mut plant.network, (from, to));
        self.motion.stand(&mut plant.network);
        let flow = plant.flow(step).map_err(NetworkFailure::Step)?;
        let begin = from.max(self.reached);
        let mut until = to;
        if begin < to {
            let failed = |why: MotionError| NetworkFailure::Motion { at: from, why };
            let played = self.motion.play(&plant.network, &flow, (begin.0, to.0));
            let (segments, until_ns) = played.map_err(failed)?;
            until = SimDuration(until_ns);
            self.keep(timeline, segments, to)?;
            timeline.take_operations(self.motion.operations());
            let played = (&timeline.segments[..], self.motion.operations());
            self.recovery.follow(played, self.motion.live_parts(), until);
            self.turns = if until > begin { 0 } else { self.turns + 1 };
            if self.turns > TURNS_MAX {
                return Err(failed(MotionError::Restless(until_ns)));
            }
            self.reached = until;
        }
        Ok((flow, until))
    }

    /// Keeps what was played, in place of what begins with it or later: nothing lasted there.
    fn keep(
        &mut self,
        timeline: &mut NetworkTimeline,
        segments: Vec<Segment>,
        at: SimDuration,
    ) -> Result<(), NetworkFailure> {
        let all = &mut timeline.segments;
        for segment in segments {
            while all.pop_if(|last| last.from_ns >= segment.from_ns).is_some() {}
            let segment = only_metered(segment, &self.wanted.metered);
            self.kept += values_of(&segment);
            all.push(segment);
        }
        if self.kept > VALUES_MAX { Err(NetworkFailure::Waveforms { at }) } else { Ok(()) }
    }

    /// What it comes to, before anything is played in this network.
    fn timeline(&self, network: &Network) -> NetworkTimeline {
        let wanted = &self.wanted;
        let element =
            |place: usize| network.switches.get(place).map(|it| format!("switch:{}", it.name));
        let planned = wanted.planned.iter();
        let mut planned: Vec<(SimDuration, String)> =
            planned.filter_map(|(at, switch)| Some((*at, element(*switch)?))).collect();
        planned.sort_unstable();
        let mut changes = wanted.changes.clone();
        changes.sort_by_key(|(at, _)| *at);
        NetworkTimeline {
            segments: Vec::new(),
            operations: Vec::new(),
            changes,
            frequency: wanted.frequency.clone(),
            protectors: wanted.protectors.clone(),
            recorders: wanted.recorders.clone(),
            planned,
            dark_at: wanted.dark_at,
        }
    }
}

/// How many values of waves a segment keeps.
fn values_of(segment: &Segment) -> usize {
    let SegmentContent::Waveforms(waves) = &segment.what else { return 0 };
    waves.at_s.len()
        + waves.probes.iter().flatten().map(|it| it.0.len() + it.1.len()).sum::<usize>()
}

/// A segment without the waves that nobody looks at: those of a large network take gigabytes.
fn only_metered(mut segment: Segment, metered: &[bool]) -> Segment {
    if let SegmentContent::Waveforms(waves) = &mut segment.what {
        for (kept, _) in waves.probes.iter_mut().zip(metered).filter(|(_, metered)| !**metered) {
            *kept = vec![Default::default(); kept.len()];
        }
    }
    segment
}
