//! How a master behaves.

use lastmeter_units::SimDuration;

use crate::baud::BaudRate;
use crate::header::Manufacturer;

/// How a master behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterConfig {
    /// The rate of the slaves.
    pub baud: BaudRate,
    /// How often a request is repeated (EN 13757-2, 5.7.5: up to two times).
    pub repetitions: u8,
    /// What answers may take beyond 330 bit times and 50 ms, and bytes of one answer beyond 33 bit
    /// times, for converters on the way.
    pub patience: SimDuration,
    /// Most telegrams that are read of one slave at a time.
    pub telegrams_max: usize,
    /// Manufacturers by which slaves with the same identification, version and device type are
    /// separated. Empty for all 17,576 codes of three letters, which takes more than an hour.
    pub manufacturers: Vec<Manufacturer>,
}

impl Default for MasterConfig {
    fn default() -> Self {
        Self {
            baud: BaudRate::default(),
            repetitions: 2,
            patience: SimDuration::ZERO,
            telegrams_max: 64,
            manufacturers: Vec::new(),
        }
    }
}
