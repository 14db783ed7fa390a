//! The formats in which devices write messages: one row each.
//!
//! A row's code stands in journal entries, so it never changes and is never given again; the first
//! row is the format of entries that have none.

mod block;
mod flexmeter;
mod jsonbatch;
mod relay;
mod result;

use lastmeter_units::HardwareId;

use lastmeter_model::message::Message;

/// A format of messages: its names and how it is decoded.
pub(crate) struct Format {
    /// The last level of the input topics on which it is spoken.
    pub(crate) name: &'static str,
    /// What stands in journal entries.
    pub(crate) code: u8,
    /// What stands in `Content-Type` where a door has that.
    pub(crate) content_type: &'static str,
    /// The largest payload.
    pub(crate) bytes_max: usize,
    /// The only door that it comes through; any, if none is named.
    pub(crate) door: Option<&'static str>,
    /// Bytes of memory that a byte of payload may become, at most about.
    pub(crate) memory_per_byte: usize,
    read: fn(&[u8], Rules) -> Result<Vec<Message>, FormatRefusal>,
}

/// What a tenant takes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rules {
    /// The identifiers of Table 2 only.
    pub(crate) strict_table2: bool,
    /// No value beyond what is believed of its unit.
    pub(crate) plausible_only: bool,
}

/// A payload that breaks its format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FormatRefusal {
    /// The stable word.
    pub(crate) reason: &'static str,
    /// What was found and what was expected.
    pub(crate) detail: String,
    /// The device it claims to be of, as far as that could be read.
    pub(crate) device: Option<HardwareId>,
    /// Something in it is right in itself, and would be lost with the rest.
    pub(crate) holds_sound: bool,
}

/// Blocks of samples.
pub(crate) const BLOCK: Format = block::FORMAT;

pub(crate) static FORMATS: &[Format] =
    &[flexmeter::FORMAT, jsonbatch::FORMAT, relay::FORMAT, result::FORMAT, block::FORMAT];

/// Those that come through any door.
pub(crate) fn open() -> impl Iterator<Item = &'static Format> {
    FORMATS.iter().filter(|format| format.door.is_none())
}

/// The format of journal entries that name none.
pub(crate) fn first() -> &'static Format {
    &FORMATS[0]
}

pub(crate) fn by_name(name: &str) -> Option<&'static Format> {
    open().find(|format| format.name == name)
}

/// The format of this name at a door.
pub(crate) fn at_door(name: &str, door: &str) -> Option<&'static Format> {
    let is_spoken = |format: &Format| format.door.is_none_or(|only| only == door);
    FORMATS.iter().find(|format| format.name == name && is_spoken(format))
}

/// The format of journal entries with this code.
pub(crate) fn by_code(code: u8) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.code == code)
}

/// The format that a media type names, its parameters aside (RFC 9110, 8.3).
pub(crate) fn by_content_type(given: &str) -> Option<&'static Format> {
    let media_type = given.split(';').next().unwrap_or_default().trim();
    open().find(|format| format.content_type.eq_ignore_ascii_case(media_type))
}

impl Format {
    /// The messages that a payload holds, at least one.
    pub(crate) fn decode(
        &self,
        payload: &[u8],
        rules: Rules,
    ) -> Result<Vec<Message>, FormatRefusal> {
        if payload.len() > self.bytes_max {
            let detail = format!("{} bytes, at most {} are taken", payload.len(), self.bytes_max);
            let (reason, device) = ("too_large", None);
            return Err(FormatRefusal { reason, detail, device, holds_sound: false });
        }
        (self.read)(payload, rules)
    }
}

impl std::fmt::Debug for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_is_found_by_what_is_its_own() {
        for format in open() {
            let named = [
                by_name(format.name),
                by_code(format.code),
                by_content_type(format.content_type),
                by_content_type(&format!("{} ; charset=utf-8", format.content_type)),
            ];
            for found in named {
                assert_eq!(found.map(|found| found.name), Some(format.name));
            }
            assert!(format.code > 0 && format.memory_per_byte > 0);
        }
        assert!(by_name("relay").is_none() && at_door("relay", "http").is_none());
        assert_eq!(at_door("relay", "gateways").map(|format| format.code), Some(3));
        assert!(by_name("xml").is_none() && by_code(0).is_none() && by_content_type("").is_none());
    }

    /// They stand in data folders.
    #[test]
    fn codes_stay_what_they_were() {
        let codes: Vec<(&str, u8)> = FORMATS.iter().map(|row| (row.name, row.code)).collect();
        assert_eq!(
            codes,
            [("json", 1), ("jsonbatch", 2), ("relay", 3), ("result", 4), ("block", 5)]
        );
        assert_eq!(first().name, "json");
    }

    #[test]
    fn what_is_too_large_is_not_looked_at() {
        for format in FORMATS {
            let refused = format.decode(&vec![b' '; format.bytes_max + 1], Rules::default());
            assert_eq!(refused.unwrap_err().reason, "too_large");
            let looked_at = format.decode(&vec![b' '; format.bytes_max], Rules::default());
            let expected = match format.code {
                3 => "malformed_frame",
                5 => "bad_block",
                _ => "not_json",
            };
            assert_eq!(looked_at.unwrap_err().reason, expected);
        }
    }
}
