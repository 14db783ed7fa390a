//! A recording, located on a network.

use lastmeter_grid::Network;
use lastmeter_grid::fault_search::{
    Candidate, FaultSearchError, Feeder, Options, Reference, Station,
};
use lastmeter_grid::short_circuit::Kind;
use lastmeter_units::SimTime;
use thiserror::Error;

use super::Recording;
use super::formulas::{Distances, classify, distances};
use super::phasors::{PhasorError, measure};

/// Why a fault is not located.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum LocateError {
    /// The recording shows none.
    #[error(transparent)]
    Phasors(#[from] PhasorError),
    /// The network has no feeder to search.
    #[error(transparent)]
    Search(#[from] FaultSearchError),
    /// No place explains it.
    #[error("no current of a fault behind the station")]
    Nowhere,
}

/// What is found of a fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// When it began, to about a sample.
    pub at: SimTime,
    /// What is connected.
    pub kind: Kind,
    /// The same by the change of the currents alone.
    pub classified: Option<Kind>,
    /// The places that explain it, the likeliest first.
    pub candidates: Vec<Candidate>,
    /// What the classic formulas give.
    pub formulas: Distances,
}

/// A feeder on which faults are located.
#[derive(Clone, Debug)]
pub struct Locator {
    feeder: Feeder,
    reference: Reference,
    frequency_hz: f64,
    options: Options,
}

impl Locator {
    /// Of the feeder behind a station.
    ///
    /// # Errors
    /// If the network cannot be searched from there.
    pub fn new(
        network: &Network,
        station: Station,
        options: Options,
    ) -> Result<Self, FaultSearchError> {
        let feeder = Feeder::new(network, station)?;
        let (reference, frequency_hz) = (feeder.reference(), network.frequency_hz);
        Ok(Self { feeder, reference, frequency_hz, options })
    }

    /// The feeder.
    #[must_use]
    pub fn feeder(&self) -> &Feeder {
        &self.feeder
    }

    /// Where the fault of a recording is.
    ///
    /// # Errors
    /// If the recording shows no fault, or none behind the station.
    pub fn locate(&self, recording: &Recording) -> Result<Finding, LocateError> {
        let measured = measure(recording, self.frequency_hz)?;
        let observation = &measured.observation;
        let candidates = self.feeder.search(observation, &self.options)?;
        let kind = candidates.first().ok_or(LocateError::Nowhere)?.kind;
        Ok(Finding {
            at: measured.inception,
            kind,
            classified: classify(observation),
            formulas: distances(observation, kind, &self.reference),
            candidates,
        })
    }
}
