//! The three date forms of the data format (D-10), and nothing else.
//!
//! The general reader of instants also takes ISO 8601 forms (week dates, time zone names in
//! brackets, commas); a message with one of those comes from a sender that is not understood.

use lastmeter_units::SimTime;

/// Reads `2016-02-10T19:40:03.391` followed by `Z`, `+02:00` or `-0500`; the fraction has no or
/// one to nine digits. `None` for anything else.
pub(super) fn read(text: &str) -> Option<SimTime> {
    has_form(text.as_bytes()).then(|| text.parse().ok()).flatten()
}

fn has_form(text: &[u8]) -> bool {
    const DATE_AND_TIME: &[u8] = b"dddd-dd-ddTdd:dd:dd";
    let Some((head, mut rest)) = text.split_at_checked(DATE_AND_TIME.len()) else {
        return false;
    };
    if !matches(head, DATE_AND_TIME) {
        return false;
    }
    if let [b'.', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&digits) {
            return false;
        }
        rest = &fraction[digits..];
    }
    match rest {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', offset @ ..] => matches(offset, b"dd:dd") || matches(offset, b"dddd"),
        _ => false,
    }
}

fn matches(text: &[u8], pattern: &[u8]) -> bool {
    text.len() == pattern.len()
        && text.iter().zip(pattern).all(|(byte, form)| match form {
            b'd' => byte.is_ascii_digit(),
            b'T' => matches!(byte, b'T' | b't'),
            other => byte == other,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_three_forms_are_read() {
        // 2016-02-10T17:40:03Z is 1455126003 s after 1970, by `date -u -d @1455126003`.
        for text in [
            "2016-02-10T19:40:03.391+02:00",
            "2016-02-10T12:40:03.391-0500",
            "2016-02-10T17:40:03.391Z",
            "2016-02-10t17:40:03.391000000z",
        ] {
            assert_eq!(read(text), Some(SimTime(1_455_126_003_391_000_000)), "{text}");
        }
        for text in [
            "",
            "2016-02-10",
            "2016-02-10T17:40:03",
            "2016-02-10T17:40Z",
            "2016-02-10T17:40:03.Z",
            "2016-02-10T17:40:03,391Z",
            "2016-02-10T17:40:03.3910000000Z",
            "2016-02-10T19:40:03+02",
            "2016-02-10T19:40:03+02:00[Europe/Rome]",
            "2016-02-10T19:40:03+99:00",
            "2016-02-30T17:40:03Z",
            "2016-W06-3T17:40:03Z",
            "9999-01-01T00:00:00Z",
            "2016-02-10T17:40:03é",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
