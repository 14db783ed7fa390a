//! The plant step: plays the network of a scenario ahead, between reading the file and starting a
//! platform.
//!
//! The language reads and solves nothing. Here what was read is played: every step of its network
//! is solved, with what happens between steps; the sources of the network get their terminals, and
//! what only a solution shows is reported where it is written, as a mistake of the file. A scenario
//! without a network that is played ahead passes through as it is.

mod shown;
mod watch;

use std::sync::Arc;

use lastmeter_params::Diagnostics;
use lastmeter_record::Signal;
use lastmeter_sim::grid::{Feeder, FeederFailure, Playing};
use lastmeter_units::SimDuration;

use crate::language::{LoadFailure, Scenario, cannot_be_played, failure};
pub(crate) use watch::{Watch, play};

/// Why the network of a scenario was not played.
#[derive(Debug)]
pub(crate) enum NotPlayed {
    /// The scenario has mistakes that its solution shows.
    Broken(Box<LoadFailure>),
    /// A signal came first.
    Interrupted(Signal),
    /// It took longer than this, as it was written.
    TooLong(String),
}

/// A scenario whose network is played as far as an instant, and can be played on from there.
pub struct PlantStep {
    scenario: Scenario,
    network: Option<Playing>,
    failed: Option<FeederFailure>,
}

impl PlantStep {
    /// Nothing of it is played.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        let network = scenario.network_ahead().cloned();
        Self { scenario: scenario.clone(), network, failed: None }
    }

    /// Until when it is played, since the start; none if there is nothing to play.
    #[must_use]
    pub fn played_until(&self) -> Option<SimDuration> {
        self.network.as_ref().map(Playing::played_until)
    }

    /// Plays whatever begins before an instant, since the start. What cannot be played shows at the
    /// end.
    pub fn play_until(&mut self, instant: SimDuration) {
        if let (Some(network), None) = (&mut self.network, &self.failed) {
            self.failed = network.play_until(instant).err();
        }
    }

    /// Plays what is left; the scenario with its plant.
    ///
    /// # Errors
    /// All that its solution shows to be a mistake.
    pub fn finish(self) -> Result<Scenario, LoadFailure> {
        let mut scenario = self.scenario;
        let played = match (self.network, self.failed) {
            (None, _) => return Ok(scenario),
            (Some(_), Some(failed)) => Err(failed),
            (Some(network), None) => network.finish(),
        };
        take_plant(&mut scenario, played)?;
        Ok(scenario)
    }
}

/// Plays the network of a scenario as a whole, for whoever has nothing else to watch over.
///
/// # Errors
/// As [`PlantStep::finish`].
pub fn play_now(scenario: &Scenario) -> Result<Scenario, LoadFailure> {
    PlantStep::new(scenario).finish()
}

/// Gives a scenario what was played of its network.
fn take_plant(
    scenario: &mut Scenario,
    played: Result<Feeder, FeederFailure>,
) -> Result<(), LoadFailure> {
    let mut out = Diagnostics::new();
    match played {
        Ok(feeder) => {
            let feeder = Arc::new(feeder);
            scenario.plant.feeder = Some(Arc::clone(&feeder));
            shown::of_network(scenario, &feeder, &mut out);
            shown::give_terminals(scenario, &feeder, &mut out);
            shown::of_devices(scenario, &mut out);
        }
        Err(why) => {
            let raster = scenario.network_ahead().map(|network| *network.raster());
            if let (Some(raster), Some(values)) = (raster, scenario.written.single("grid")) {
                cannot_be_played(&why, &raster, values, &mut out);
            }
        }
    }
    if !out.is_empty() {
        return Err(failure(out.into_sorted(), scenario.written.texts.clone()));
    }
    let warnings = &mut scenario.written.warnings;
    warnings.extend(out.take_warnings());
    warnings.sort_by_key(|warning| warning.span);
    Ok(())
}
