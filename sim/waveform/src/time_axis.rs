//! The sampling rate that time stamps tell, and how regular they are.
//!
//! Terms: the *median step* decides what a regular step is; the rate is one over the mean of the
//! regular steps, so that stamps rounded to whole microseconds (65, 65, 66, ... at 15,360 Hz) do
//! not give a rate that is wrong by half a unit. Steps that differ from the median by more than 1 %
//! and by more than one unit of the stamps' resolution are irregular: counted and noted, never
//! repaired. Time is in whole picoseconds, so that nothing here rounds.

/// Picoseconds in a second.
pub(crate) const PICOSECONDS_PER_SECOND: f64 = 1e12;

/// What the stamps tell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rate {
    pub(crate) rate_hz: f64,
    /// A sentence about the irregular steps, if there are any.
    pub(crate) note: Option<String>,
}

/// Why stamps tell no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRate {
    TooFew,
    NotAdvancing,
}

/// The rate of stamps that are `resolution_ps` fine.
pub(crate) fn rate_of(stamps_ps: &[i64], resolution_ps: i64) -> Result<Rate, NoRate> {
    let steps: Vec<i128> =
        stamps_ps.windows(2).map(|pair| i128::from(pair[1]) - i128::from(pair[0])).collect();
    if steps.is_empty() {
        return Err(NoRate::TooFew);
    }
    let mut sorted = steps.clone();
    let middle = sorted.len() / 2;
    let median = *sorted.select_nth_unstable(middle).1;
    if median <= 0 {
        return Err(NoRate::NotAdvancing);
    }
    let resolution = i128::from(resolution_ps);
    // Rounding moves a step by up to one unit; but where a step is one unit, two are a lost row.
    let tolerance = (median / 100).max(if median >= 2 * resolution { resolution } else { 0 });
    let regular = |step: i128| step > 0 && (step - median).abs() <= tolerance;
    let (mut count, mut sum) = (0_i128, 0_i128);
    let mut worst: Option<(usize, i128)> = None;
    for (index, &step) in steps.iter().enumerate() {
        if regular(step) {
            count += 1;
            sum += step;
        } else if worst.is_none_or(|(_, of)| (step - median).abs() > (of - median).abs()) {
            worst = Some((index, step));
        }
    }
    let rate_hz = PICOSECONDS_PER_SECOND * count as f64 / sum as f64;
    let note = worst.map(|(index, step)| {
        format!(
            "{} of {} time steps are irregular; the worst is {} us instead of {} us, between \
             samples {} and {} (counted from 1); the samples are taken as evenly spaced",
            steps.len() as i128 - count,
            steps.len(),
            step as f64 / 1e6,
            median as f64 / 1e6,
            index + 1,
            index + 2,
        )
    });
    Ok(Rate { rate_hz, note })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICROSECOND: i64 = 1_000_000;

    #[test]
    fn rounded_stamps_give_the_rate_they_were_rounded_from() {
        let stamps: Vec<i64> =
            (0..1537_i64).map(|k| (k * 1_000_000 + 7_680) / 15_360 * MICROSECOND).collect();
        let rate = rate_of(&stamps, MICROSECOND).unwrap();
        // The plain median, 65 us, would give 15,384.6 Hz.
        assert!((rate.rate_hz - 15_360.0).abs() < 0.2, "{}", rate.rate_hz);
        assert_eq!(rate.note, None);
    }

    #[test]
    fn an_irregular_step_is_counted_and_located_and_does_not_move_the_rate() {
        let mut stamps: Vec<i64> = (0..100).map(|k| k * 20 * MICROSECOND).collect();
        for stamp in &mut stamps[40..] {
            *stamp -= 2 * MICROSECOND;
        }
        let rate = rate_of(&stamps, 1000).unwrap();
        assert_eq!(rate.rate_hz, 50_000.0);
        let note = rate.note.unwrap();
        assert!(note.starts_with("1 of 99 time steps are irregular; the worst is 18 us instead"));
        assert!(note.contains("between samples 40 and 41"), "{note}");
    }

    #[test]
    fn a_lost_row_shows_even_where_a_step_is_one_unit_of_the_stamps() {
        let stamps: Vec<i64> = (0..50).filter(|&k| k != 7).map(|k| k * MICROSECOND).collect();
        let rate = rate_of(&stamps, MICROSECOND).unwrap();
        assert_eq!(rate.rate_hz, 1e6);
        assert!(rate.note.unwrap().contains("2 us instead of 1 us, between samples 7 and 8"));
    }

    #[test]
    fn stamps_without_a_rate_say_why() {
        assert_eq!(rate_of(&[], 1), Err(NoRate::TooFew));
        assert_eq!(rate_of(&[5], 1), Err(NoRate::TooFew));
        assert_eq!(rate_of(&[5, 5, 5], 1), Err(NoRate::NotAdvancing));
        assert_eq!(rate_of(&[9, 6, 3], 1), Err(NoRate::NotAdvancing));
        assert!(rate_of(&[i64::MIN, i64::MAX], 1).is_ok());
    }
}
