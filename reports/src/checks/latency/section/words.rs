//! Times and shares as people read them.

use crate::latency::{Delay, INFINITE};
use lastmeter_text::number;

/// A duration: in ms up to 10 s, with four digits; longer ones in s, min or h.
pub(super) fn duration(nanoseconds: f64) -> String {
    let (unit, name) = match nanoseconds.abs() {
        ..10e9 => (1e6, "ms"),
        ..600e9 => (1e9, "s"),
        ..7_200e9 => (60e9, "min"),
        _ => (3_600e9, "h"),
    };
    if nanoseconds == f64::INFINITY {
        return "infinite".to_owned();
    }
    format!("{} {name}", number(nanoseconds / unit))
}

/// A limit as it was typed: `3 ms`, `1 s`, `4 h`.
pub(super) fn limit(nanoseconds: i64) -> String {
    for (unit, name) in [(3_600_000_000_000, "h"), (60_000_000_000, "min"), (1_000_000_000, "s")] {
        // 1000 ms is how the classes are known.
        if nanoseconds >= 10_000_000_000 && nanoseconds % unit == 0 {
            return format!("{} {name}", nanoseconds / unit);
        }
    }
    duration(nanoseconds as f64)
}

/// A share in percent; a share that is not quite nothing, or not quite all, is never shown as such.
pub(super) fn percent(share: f64) -> String {
    let text = number(100.0 * share);
    if share < 1.0 && text == "100" {
        return format!("{} %", 100.0 * share);
    }
    format!("{text} %")
}

/// A delay as a number: infinite for a lost message.
pub(super) fn nanoseconds(delay: Delay) -> f64 {
    if delay == INFINITE { f64::INFINITY } else { delay as f64 }
}

/// Milliseconds for a file: exact to the nanosecond.
pub(super) fn milliseconds(nanoseconds: i64) -> f64 {
    nanoseconds as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_four_digits_and_a_unit_that_suits() {
        for (nanoseconds, text) in [
            (140_400_123.0, "140.4 ms"),
            (104_300.0, "0.1043 ms"),
            (3_443_000_000.0, "3443 ms"),
            (12_345_000_000.0, "12.35 s"),
            (14_400e9, "4 h"),
            (f64::INFINITY, "infinite"),
        ] {
            assert_eq!(duration(nanoseconds), text);
        }
        assert_eq!(limit(3_000_000), "3 ms");
        assert_eq!(limit(1_000_000_000), "1000 ms");
        assert_eq!(limit(15_000_000_000), "15 s");
        assert_eq!(limit(14_400_000_000_000), "4 h");
    }

    #[test]
    fn a_share_is_never_rounded_to_all_or_nothing() {
        assert_eq!(percent(0.966), "96.6 %");
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.999_999), "99.9999 %");
        assert_eq!(percent(1e-7), "1e-5 %");
    }

    #[test]
    fn milliseconds_keep_every_nanosecond() {
        assert_eq!(milliseconds(140_400_123).to_string(), "140.400123");
        assert_eq!(milliseconds(1).to_string(), "0.000001");
    }
}
