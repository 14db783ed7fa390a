//! What a master can be asked for, and what becomes of it.

use super::exchange::Garble;
use crate::application::ApplicationError;
use crate::header::Identity;

/// Whom a job concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A slave by its primary address, 0 to 250 (254: the only one on the bus).
    Primary(u8),
    /// A slave by its secondary address; digits F and bytes FF are wildcards.
    Secondary(Identity),
}

/// What a master is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Reads all telegrams of a slave, as long as more records follow.
    Read {
        /// The slave, by its primary or secondary address.
        target: Target,
        /// Whether the slave is initialised first, so that its first telegram comes first.
        initialise: bool,
    },
    /// Looks for slaves at primary addresses by initialising each.
    Scan {
        /// The first address.
        first: u8,
        /// The last address.
        last: u8,
    },
    /// Finds all slaves by their secondary addresses.
    Search {
        /// Among whom; [`Identity::ANY`] for all.
        among: Identity,
    },
}

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The telegrams of a slave, as frames.
    Telegrams {
        /// One after another.
        telegrams: Vec<Vec<u8>>,
        /// Whether the last one is; otherwise there were more than the master reads.
        complete: bool,
    },
    /// Nobody answered, however often it was repeated.
    Silent,
    /// What was received is no answer, however often it was repeated.
    Garbled(Garble),
    /// The slave answers with an application error.
    Refused(ApplicationError),
    /// Primary addresses that answered.
    Scanned {
        /// Those with one slave.
        found: Vec<u8>,
        /// Those with a garbled answer: several slaves, or a bad line.
        garbled: Vec<u8>,
    },
    /// Slaves that were found by their secondary addresses.
    Searched {
        /// Them, in the order of the search.
        found: Vec<Identity>,
        /// Masks behind which somebody answers who could not be separated.
        unresolved: Vec<Identity>,
    },
}
