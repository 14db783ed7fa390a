//! Sample numbers as a cross-check: they count up by one; a jump is noted, a step back refused, and
//! so are jumps all over the place.
//!
//! A jump is where the recorder lost records. One that loses them again and again records nothing
//! that could be measured, and where bytes are missing or too many in binary data all numbers
//! behind the place are wrong: what is read there is noise. So beyond [`FEW_JUMPS_MAX`] jumps, and
//! more than one in [`ONE_IN`] records, the data is refused. Numbers that go on by
//! another step, always the same,
//! are those of a recording of which every so many records were kept.

use super::ComtradeError;

/// So many jumps are few in any recording.
const FEW_JUMPS_MAX: u64 = 10;
/// One jump in so many records is few in a long one: so much spoils less than one of a few windows
/// of 10 cycles.
const ONE_IN: u64 = 1000;

/// A record, the number before its own, and its own.
type Jump = (u64, u64, u64);

/// Watches the sample numbers go by.
#[derive(Debug, Default)]
pub(super) struct SampleNumbers {
    last: Option<u64>,
    steps: u64,
    jumps: u64,
    first_jump: Option<Jump>,
    /// The first step, how many are otherwise, and where the first of these is.
    first_step: Option<u64>,
    other: u64,
    first_other: Option<Jump>,
}

impl SampleNumbers {
    /// Takes the number of a record (both counted from 1).
    pub(super) fn take(&mut self, record: u64, number: u64) -> Result<(), ComtradeError> {
        if let Some(previous) = self.last {
            if number < previous {
                return Err(ComtradeError::SampleNumber { record, found: number, previous });
            }
            let step = number - previous;
            self.steps += 1;
            if step != 1 {
                self.jumps += 1;
                self.first_jump.get_or_insert((record, previous, number));
            }
            if step != *self.first_step.get_or_insert(step) {
                self.other += 1;
                self.first_other.get_or_insert((record, previous, number));
            }
        }
        self.last = Some(number);
        Ok(())
    }

    /// A sentence about the jumps, if there were any.
    ///
    /// # Errors
    /// Too many of them for numbers that belong to their records.
    pub(super) fn note(&self, records: u64) -> Result<Option<String>, ComtradeError> {
        let (places, first) = if self.jumps <= self.other {
            (self.jumps, self.first_jump)
        } else {
            (self.other, self.first_other)
        };
        if let Some((record, previous, found)) = first
            && places > FEW_JUMPS_MAX.max(records / ONE_IN)
        {
            return Err(ComtradeError::SampleNumbers { record, previous, found, places, records });
        }
        Ok(self.first_jump.map(|(record, previous, number)| {
            format!(
                "sample numbers do not count up by one in {} place(s), the first at record \
                 {record} ({previous}, then {number}); records may be missing there",
                self.jumps
            )
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(numbers: impl Iterator<Item = u64>) -> Result<Option<String>, ComtradeError> {
        let mut watched = SampleNumbers::default();
        let mut records = 0;
        for number in numbers {
            records += 1;
            watched.take(records, number)?;
        }
        watched.note(records)
    }

    #[test]
    fn a_few_jumps_are_noted_and_many_are_refused() {
        assert_eq!(noted(1..=3000), Ok(None));
        // A record is lost after every `of`.
        let lossy = |of: u64| (1..=3000).filter(move |number| number % of != 0);
        let note = noted(lossy(300)).unwrap().unwrap();
        assert!(note.starts_with("sample numbers do not count up by one in 9 place(s)"), "{note}");
        assert_eq!(
            noted(lossy(100)),
            Err(ComtradeError::SampleNumbers {
                record: 100,
                previous: 99,
                found: 101,
                places: 29,
                records: 2970
            })
        );
        // In a long recording the same number of jumps is few.
        assert!(noted((1..=300_000).filter(|number| number % 10_000 != 0)).is_ok());
    }

    #[test]
    fn numbers_behind_bytes_too_many_are_refused_from_there_on() {
        let shifted = (1..=3000).map(|n: u64| if n > 1000 { n << 16 } else { n });
        let error = noted(shifted).unwrap_err().to_string();
        assert!(error.starts_with("record 1001 of the .dat has sample number 65601536 after 1000"));
        assert!(error.contains("in 2000 of 3000 records"), "{error}");
    }

    #[test]
    fn numbers_that_always_go_on_by_another_step_are_those_of_records_that_were_kept() {
        let note = noted((0..500).map(|n| 4 * n)).unwrap().unwrap();
        assert!(note.contains("in 499 place(s), the first at record 2 (0, then 4)"), "{note}");
        assert!(noted(std::iter::repeat_n(0, 500)).is_ok());
        // The first record alone is apart.
        assert!(noted(std::iter::once(1).chain(7..500)).is_ok());
    }
}
