//! Intervals of the power profile of nodes, as values of the reading in which they are first seen.
//!
//! A node answers with the last whole interval until the next one is over. What is reported is its
//! number and its mean power, once: the number of the last one is kept with the message, so that an
//! aggregator that starts again does not report it twice. An interval that no poll saw is missing,
//! which the numbers show. Which span a number names is up to the node's clock.

use lastmeter_board::meter_node::ProfileInterval;
use lastmeter_units::Quantity;

use super::machine::whole_number;

/// Numbers of a compact register have 8 bits.
const COMPACT_SPAN: u64 = 1 << 8;

/// The number in full, and the values in SI units, of an interval other than that of the last
/// number reported (0: none). A node that counts again from 1 is believed where its numbers are
/// whole. Of 8 bits they are completed to the nearest, and one that is not ahead of the last is no
/// new one; nor is a zero without power, which is also what a node answers that has none.
pub(super) fn unreported(
    last: u64,
    of: ProfileInterval,
    is_compact: bool,
) -> Option<(u64, [(Quantity, f64); 2])> {
    let ProfileInterval { number, mean_power_w } = of;
    let low = u64::from(number);
    let number = if is_compact { whole_number(last, low, COMPACT_SPAN) } else { low };
    let is_none = low == 0 && (!is_compact || mean_power_w == 0.0);
    let is_new = if is_compact { number > last } else { number != last };
    let values =
        [(Quantity::ProfilePower, mean_power_w), (Quantity::ProfileInterval, number as f64)];
    (is_new && !is_none).then_some((number, values))
}

/// The number of the last interval reported, before this answer: none of a node that answers that
/// it has none, which counts again from 1.
pub(super) fn last_known(last: u64, of: Option<ProfileInterval>, is_compact: bool) -> u64 {
    let wraps = is_compact && (last + 1).is_multiple_of(COMPACT_SPAN);
    let is_none = of.is_some_and(|of| of.number == 0 && of.mean_power_w == 0.0);
    if is_none && !wraps { 0 } else { last }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(is_compact: bool, last: u64, answers: &[(u32, f64)]) -> Vec<u64> {
        let mut last = last;
        let mut found = Vec::new();
        for &(number, mean_power_w) in answers {
            let of = ProfileInterval { number, mean_power_w };
            last = last_known(last, Some(of), is_compact);
            if let Some((number, _)) = unreported(last, of, is_compact) {
                found.push(number);
                last = number;
            }
        }
        found
    }

    #[test]
    fn each_interval_is_reported_once_and_none_is_invented() {
        let answers = [(0, 0.0), (1, 5.0), (1, 5.0), (2, 5.0), (2, 5.0), (5, 0.0), (0, 0.0)];
        assert_eq!(numbers(false, 0, &answers), [1, 2, 5]);
        assert_eq!(numbers(true, 0, &answers), [1, 2, 5]);
        // A node that has lost its supply, at which the same number was the last.
        assert_eq!(numbers(false, 1, &[(0, 0.0), (1, 5.0)]), [1]);
        assert_eq!(numbers(true, 100, &[(0, 0.0), (1, 5.0)]), [1]);
        // After a restart with the last number kept; then a node that counts again.
        assert_eq!(numbers(false, 5, &[(5, 7.0), (6, 7.0), (1, 7.0), (1, 7.0)]), [6, 1]);
    }

    #[test]
    fn numbers_of_8_bits_are_completed_and_a_zero_without_power_is_none() {
        assert_eq!(numbers(true, 250, &[(255, 1.0), (0, 1.0), (1, 1.0)]), [255, 256, 257]);
        assert_eq!(numbers(true, 255, &[(0, 0.0), (1, 1.0)]), [257]);
        assert_eq!(numbers(true, 300, &[(40, 1.0), (44, 1.0), (45, 1.0)]), [301]);
    }
}
