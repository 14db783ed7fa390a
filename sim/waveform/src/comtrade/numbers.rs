//! Sample numbers as a cross-check: they count up by one; a jump is noted, a step back refused.

use super::ComtradeError;

/// Watches the sample numbers go by.
#[derive(Debug, Default)]
pub(super) struct SampleNumbers {
    last: Option<u64>,
    jumps: u64,
    first_jump: Option<(u64, u64, u64)>,
}

impl SampleNumbers {
    /// Takes the number of a record (both counted from 1).
    pub(super) fn take(&mut self, record: u64, number: u64) -> Result<(), ComtradeError> {
        if let Some(previous) = self.last {
            if number < previous {
                return Err(ComtradeError::SampleNumber { record, found: number, previous });
            }
            if number != previous.saturating_add(1) {
                self.jumps += 1;
                self.first_jump.get_or_insert((record, previous, number));
            }
        }
        self.last = Some(number);
        Ok(())
    }

    /// A sentence about the jumps, if there were any.
    pub(super) fn note(&self) -> Option<String> {
        self.first_jump.map(|(record, previous, number)| {
            format!(
                "sample numbers do not count up by one in {} place(s), the first at record \
                 {record} ({previous}, then {number}); records may be missing there",
                self.jumps
            )
        })
    }
}
