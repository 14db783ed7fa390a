//! The store's numbers of quantities.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastmeter_units::{MEASUREMENTS, Measurement, MeasurementId};

/// The store's numbers of quantities, which outlive the order of the registry.
#[derive(Clone, Debug, Default)]
pub struct Quantities {
    /// Store number by registry index.
    numbers: Vec<u16>,
    names: BTreeMap<u16, Arc<str>>,
}

impl Quantities {
    /// Quantities by their numbers in the store; what the registry has and the store has not gets
    /// a number that is nothing's.
    pub(crate) fn new(names: &BTreeMap<u16, String>) -> Self {
        let by_name: BTreeMap<&str, u16> =
            names.iter().map(|(number, name)| (name.as_str(), *number)).collect();
        let number = |measurement: &Measurement| by_name.get(measurement.name).copied();
        let numbers = MEASUREMENTS.iter().map(|one| number(one).unwrap_or(u16::MAX)).collect();
        let names = names.iter().map(|(number, name)| (*number, name.as_str().into())).collect();
        Self { numbers, names }
    }

    pub(crate) fn number(&self, id: MeasurementId) -> u16 {
        self.numbers[id.index()]
    }

    /// The identifier of a stored quantity, if there is one of that number.
    pub(crate) fn name(&self, number: u16) -> Option<&Arc<str>> {
        self.names.get(&number)
    }
}
