//! Fault location: where a short circuit is on a feeder, from the waveforms that a recorder at its
//! station took around it.
//!
//! A recorder sends a block of samples of three voltages and three currents, some cycles before the
//! inception of the fault and some after it, and raises an alert that names the block. The
//! phasors of both states go into a search over all lines of the feeder, which is the answer; the
//! classic formulas of one end (reactance, Takagi) are worked out beside it, for comparison. Where
//! places of a feeder explain the phasors equally well, meters that lost their supply or kept it
//! rank them.
//!
//! ```text
//! recording    a block's channels as volts and amperes
//!   -> phasors   inception, clean cycles, phasors without the decaying offset
//!     -> formulas  kind of fault, reactance, Takagi
//!     -> locate    the search on the network, and all of it as one finding
//!       -> evidence    what meters report, on the candidates
//!         -> application  what it asks of the platform, and what it sends
//! ```

mod application;
mod evidence;
pub mod formulas;
mod locate;
mod model;
pub mod phasors;
mod recording;

pub(crate) use application::FAULT_LOCATION;
pub use evidence::{Evidence, Supply, rank};
pub use locate::{Finding, LocateError, Locator};
pub use recording::{Recording, RecordingError};
