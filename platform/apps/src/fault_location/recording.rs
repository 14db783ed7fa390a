//! A block's channels as volts and amperes.

use lastmeter_units::{MeasurementId, SimTime};
use lastmeter_wire::block::decode_block;
use thiserror::Error;

/// Samples of the three voltages to earth and the three currents of a station, taken at the same
/// instants.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// When the first sample was taken.
    pub first: SimTime,
    /// Samples per second of each channel.
    pub rate_hz: f64,
    /// Voltages of the three phases, volts, then their currents, amperes; all of one length.
    pub channels: [Vec<f64>; 6],
}

/// Why a block is no recording of a station.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum RecordingError {
    /// The bytes are no block.
    #[error("no block of samples: {0}")]
    Block(String),
    /// A channel is missing.
    #[error("the block has no channel `{0}`")]
    Channel(String),
}

impl Recording {
    /// From the bytes of a block.
    ///
    /// # Errors
    /// If they are no block, or one of the six channels is missing.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordingError> {
        let block = decode_block(bytes).map_err(|it| RecordingError::Block(it.detail))?;
        let mut channels: [Vec<f64>; 6] = Default::default();
        for (index, channel) in channels.iter_mut().enumerate() {
            let quantity = if index < 3 { "voltage" } else { "current" };
            let name = format!("electricity.{quantity}.instant.l{}", index % 3 + 1);
            let found = MeasurementId::lookup(&name).and_then(|id| block.channel(id));
            let found = found.ok_or(RecordingError::Channel(name))?;
            *channel = found.values().collect();
        }
        Ok(Self { first: block.first, rate_hz: block.rate_hz, channels })
    }

    /// How many samples each channel has: those of the shortest.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.channels.iter().map(Vec::len).min().unwrap_or(0)
    }
}
