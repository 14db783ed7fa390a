//! What the readings of a run amount to, and its alerts and answers to commands.

use std::fmt;

use lastmeter_text::plural;
use serde::{Deserialize, Serialize};

/// What the account of alerts, or of answers to commands, amounts to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeAccount {
    /// Sent by the bench's own devices and gateways.
    pub sent: u64,
    /// Of those, stored as they were sent.
    pub stored: u64,
    /// Acknowledged by the platform and not stored.
    pub lost: u64,
    /// Stored otherwise than they were sent.
    pub altered: u64,
    /// Stored and never sent, or once more under a number of its own.
    pub foreign: u64,
    /// Stored once more with the same number and content: no failure.
    pub repeated: u64,
}

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
    /// Of alerts that devices sent.
    #[serde(default)]
    pub alerts: NoticeAccount,
    /// Answers to commands.
    #[serde(default)]
    pub answers: NoticeAccount,
    /// Whether the platform does not list alerts.
    #[serde(default)]
    pub alerts_unreadable: bool,
}

impl NoticeAccount {
    /// Whether everything that was sent is stored as it was sent, and nothing else is.
    pub fn is_clean(&self) -> bool {
        self.lost == 0 && self.altered == 0 && self.foreign == 0
    }

    /// `12 of 13 alerts stored as sent, 1 lost`; nothing of what there is nothing of.
    fn write(&self, f: &mut fmt::Formatter<'_>, one: &str) -> fmt::Result {
        let counts = [
            (self.lost, "lost"),
            (self.altered, "altered"),
            (self.foreign, "foreign"),
            (self.repeated, "repeated"),
        ];
        if self.sent == 0 && counts.iter().all(|(count, _)| *count == 0) {
            return Ok(());
        }
        write!(f, "; {} of {} stored as sent", self.stored, plural(self.sent, one))?;
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {count} {what}")?;
        }
        Ok(())
    }
}

impl Account {
    /// Whether everything that was due or sent is stored as it was sent, and nothing else is.
    pub fn is_clean(&self) -> bool {
        self.has_clean_readings() && self.alerts.is_clean() && self.answers.is_clean()
    }

    /// The same of readings alone, which have to rest on enough samples as well.
    pub fn has_clean_readings(&self) -> bool {
        self.missing == 0 && self.unexpected == 0 && self.foreign == 0 && self.sparse == 0
    }
}

/// `50 of 50 readings stored as sent, nothing missing, altered, unexpected or foreign; 2 of 2
/// alerts stored as sent`.
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.due == 0 {
            f.write_str("no reading was due")?;
        } else {
            write!(f, "{} of {} stored as sent", self.stored, plural(self.due, "reading"))?;
        }
        if self.has_clean_readings() {
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
        if self.alerts_unreadable {
            write!(f, "; alerts unreadable, {} sent", self.alerts.sent)?;
        } else {
            self.alerts.write(f, "alert")?;
        }
        self.answers.write(f, "answer")
    }
}
