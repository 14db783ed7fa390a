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

use lastmeter_language::{LoadFailure, Scenario, failure, report_unplayable};
use lastmeter_params::Diagnostics;
use lastmeter_record::Signal;
use lastmeter_sim::grid::{NetworkFailure, SolvedNetwork};

pub use watch::{Watch, play};

/// Why the network of a scenario was not played.
#[derive(Debug)]
pub enum NotPlayed {
    /// The scenario has mistakes that its solution shows.
    Broken(Box<LoadFailure>),
    /// A signal came first.
    Interrupted(Signal),
    /// It took longer than this, as it was written.
    TooLong(String),
}

/// Gives a scenario what was played of its network.
pub fn take_plant(
    scenario: &mut Scenario,
    played: Result<SolvedNetwork, NetworkFailure>,
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
                report_unplayable(&why, &raster, values, &mut out);
            }
        }
    }
    if !out.is_empty() {
        let mut mistakes = out.into_sorted();
        if scenario.written.is_in_table {
            let twin = format!("in the must-fail twin `{}`", scenario.about.name);
            for mistake in &mut mistakes {
                mistake.message = format!("{twin}: {}", mistake.message);
            }
        }
        return Err(failure(mistakes, scenario.written.texts.clone()));
    }
    let warnings = &mut scenario.written.warnings;
    warnings.extend(out.take_warnings());
    warnings.sort_by_key(|warning| warning.span);
    Ok(())
}

#[cfg(test)]
mod tests;
