//! What the readings of a run amount to.

use std::fmt;

use lastmeter_text::plural;
use serde::{Deserialize, Serialize};

/// What the account of all devices of a run amounts to, in readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Readings that were due.
    pub due: u64,
    /// Due readings that are stored as they were sent.
    pub stored: u64,
    /// Due readings that are not.
    pub missing: u64,
    /// Missing readings under whose number something else is stored.
    pub altered: u64,
    /// What is stored and was not due: other readings, copies, altered ones.
    pub unexpected: u64,
    /// What is stored under a device that is not on the bench, without a known value, or with a
    /// value that nobody sent.
    pub foreign: u64,
    /// Readings that rest on too few samples that could be used; they are counted in what they are
    /// otherwise as well.
    #[serde(default)]
    pub sparse: u64,
    /// Messages that the platform refused. They are not stored, so a reading among them that was
    /// due is missing; the others are nobody's loss, and are counted only.
    #[serde(default)]
    pub refused: u64,
}

impl Account {
    /// Whether everything that was due is stored as it was sent, on enough samples, and nothing else
    /// is.
    pub fn is_clean(&self) -> bool {
        self.missing == 0 && self.unexpected == 0 && self.foreign == 0 && self.sparse == 0
    }
}

/// `50 of 50 readings stored as sent, nothing missing, altered, unexpected or foreign`.
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.due == 0 {
            f.write_str("no reading was due")?;
        } else {
            write!(f, "{} of {} stored as sent", self.stored, plural(self.due, "reading"))?;
        }
        if self.is_clean() {
            f.write_str(", nothing missing, altered, unexpected or foreign")?;
        }
        let counts = [
            (self.missing, "missing"),
            (self.altered, "of these altered"),
            (self.unexpected, "unexpected"),
            (self.foreign, "foreign"),
            (self.sparse, "on too few samples"),
            (self.refused, "refused"),
        ];
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {count} {what}")?;
        }
        Ok(())
    }
}
