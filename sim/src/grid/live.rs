//! A network that answers: each step is solved when it is asked for, with what came in until then.

use lastmeter_grid::motion::{MotionError, Operation};
use lastmeter_grid::network::Source;

use super::input::{BreakerAt, GridChange, GridInput, InputError};
use super::live_motion::LiveMotion;
use super::live_point::LivePoint;
use super::network_timeline::DynamicNetworkSetup;
use super::plant::Plant;
use super::profile::Raster;
use super::solved_network::{NetworkFailure, Setup, SolvedNetwork, Step};
use super::view::{pairs_at, phases_of};

/// A network that is solved step by step, with inputs between the steps. The same inputs at the
/// same steps give what [`super::SolvedNetwork::solve`] gives for them, bit by bit.
#[derive(Debug)]
pub struct LiveGrid {
    setup: Setup,
    plant: Plant,
    /// What came since the last step.
    came: Vec<GridInput>,
    next_step: usize,
    last: Option<Step>,
    /// What flowed and what was done, where it is kept for a record.
    kept: Option<GridHistory>,
    /// Each with its place among the sources, then the loads.
    points: Vec<(usize, LivePoint)>,
    /// What happens between steps, where something can.
    moving: Option<LiveMotion>,
}

/// What is kept of a network that is played.
#[derive(Debug, Default)]
struct GridHistory {
    steps: Vec<Step>,
    changes: Vec<GridChange>,
}

impl LiveGrid {
    /// A network before its first step. Defects and changes that are known ahead hold as they do in
    /// a feeder; the raster gives when steps begin, not how many there are.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let plant = Plant::new(&setup);
        let (came, points) = (Vec::new(), Vec::new());
        Self { setup, plant, came, next_step: 0, last: None, kept: None, points, moving: None }
    }

    /// A network in motion before its first step: faults, outages and protective devices act by
    /// phasors, and what points see of a step is the state that stands at its end. Orders to
    /// switches are carried out, and devices act on them, as on what is known ahead.
    ///
    /// # Errors
    /// If something happens to an element that is not there.
    pub fn in_motion(mut setup: Setup, wanted: &DynamicNetworkSetup) -> Result<Self, MotionError> {
        let moving = Some(LiveMotion::new(&mut setup, wanted)?);
        Ok(Self { moving, ..Self::new(setup) })
    }

    /// What faults, switches and protective devices did since this was asked last, in order.
    pub fn news(&mut self) -> Vec<Operation> {
        self.moving.as_mut().map_or_else(Vec::new, LiveMotion::news)
    }

    /// Keeps all steps from here on, for [`Self::played`].
    pub fn keep(&mut self) {
        self.kept.get_or_insert_default();
    }

    /// All that has flowed, if it was kept from the first step on.
    #[must_use]
    pub fn played(&self) -> Option<SolvedNetwork> {
        let kept = self.kept.as_ref()?;
        let mut setup = self.setup.clone();
        setup.changes.extend(&kept.changes);
        Some(SolvedNetwork {
            setup,
            steps: kept.steps.clone(),
            effects: Vec::new(),
            timeline: None,
        })
    }

    /// Takes an input in. It holds from the next step that is solved, after those that came before
    /// it and those that were known ahead for that step.
    ///
    /// # Errors
    /// As [`GridInput::check`]; then nothing is changed.
    pub fn apply(&mut self, input: GridInput) -> Result<(), InputError> {
        input.check(&self.setup.network)?;
        if let Some(kept) = &mut self.kept {
            kept.changes.push(GridChange { step: self.next_step, input });
        }
        self.came.push(input);
        Ok(())
    }

    /// Solves the next step. Beyond the end of the raster it goes on with the last powers of the
    /// profiles.
    ///
    /// # Errors
    /// If the step has no solution: loads that the network cannot carry, or switches that close a
    /// loop without impedance. It is then the next one still, with all inputs that have come, so
    /// another input can mend it.
    /// In motion also if what happens in the step cannot be played.
    pub fn step(&mut self) -> Result<&Step, NetworkFailure> {
        let at = self.next_step;
        let begin = self.setup.raster.begin(at);
        self.plant.take_ahead(&self.setup, at);
        if let Some(moving) = &mut self.moving {
            while let Some(input) = moving.next_change(begin) {
                self.plant.take(&self.setup, input);
            }
        }
        for input in self.came.drain(..) {
            let network = &self.setup.network;
            if !self.moving.as_mut().is_some_and(|it| it.order(network, begin, input)) {
                self.plant.take(&self.setup, input);
            }
        }
        self.plant.set(&self.setup, at);
        if let Some(moving) = &self.moving {
            moving.stand(&mut self.plant.network);
        }
        let flow = self.plant.flow(at).map_err(NetworkFailure::Step)?;
        let end = begin + self.setup.raster.step;
        let seen = match &mut self.moving {
            Some(moving) => moving
                .play(&self.plant.network, &flow, (begin, end))
                .map_err(|why| NetworkFailure::Motion { at: begin, why })?,
            None => Vec::new(),
        };
        let step = self.plant.step(&self.setup, at, flow).map_err(NetworkFailure::Step)?;
        for (place, point) in &self.points {
            match seen.get(*place) {
                Some(pairs) => point.push(pairs),
                None => point.push(&pairs_at(&self.setup, *place, &step)),
            }
        }
        self.next_step += 1;
        if let Some(kept) = &mut self.kept {
            kept.steps.push(step.clone());
        }
        Ok(self.last.insert(step))
    }

    /// The step that is solved next, from 0.
    #[must_use]
    pub fn next_step(&self) -> usize {
        self.next_step
    }

    /// When steps begin, and of which length they are.
    #[must_use]
    pub fn raster(&self) -> &Raster {
        &self.setup.raster
    }

    /// Whether a breaker was closed in the last step that was solved, before the first one as it is
    /// declared; of a line at both ends. What is not there is open.
    #[must_use]
    pub fn is_closed(&self, at: BreakerAt) -> bool {
        if let (Some(moving), BreakerAt::Switch(switch)) = (&self.moving, at) {
            return moving.is_closed(switch);
        }
        at.is_closed(&self.plant.network)
    }

    /// What a meter at a load sees from the next step on; none if there is no such load.
    #[must_use]
    pub fn live_load(&mut self, load: usize) -> Option<LivePoint> {
        let phases = phases_of(self.setup.network.loads.get(load)?);
        Some(self.live(self.setup.network.sources.len() + load, phases))
    }

    /// What a meter at a source sees from the next step on, three phases of what flows from there
    /// into the network; none if there is no such source.
    #[must_use]
    pub fn live_source(&mut self, source: usize) -> Option<LivePoint> {
        let _: &Source = self.setup.network.sources.get(source)?;
        Some(self.live(source, 3))
    }

    fn live(&mut self, place: usize, phases: usize) -> LivePoint {
        let step = self.setup.raster.step;
        let point = LivePoint::new(step, self.setup.frequency_hz, phases, self.next_step);
        self.points.push((place, point.clone()));
        point
    }
}
