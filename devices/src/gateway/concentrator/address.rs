//! Secondary addresses as text, and the hardware ids of meters that are not configured.

use lastmeter_mbus::header::{Identification, Identity, Manufacturer, Medium};
use lastmeter_units::HardwareId;

/// Reads a secondary address: identification, manufacturer, version and device type, the last two
/// as hexadecimal digits, such as `12345678-LMT-01-04`; blanks may stand for the hyphens.
pub(super) fn parse(text: &str) -> Option<Identity> {
    let words: Vec<&str> = text.split(['-', ' ']).collect();
    let [identification, manufacturer, version, medium] = words[..] else { return None };
    let is_number = identification.len() == 8 && identification.bytes().all(|b| b.is_ascii_digit());
    let byte = |text: &str| u8::from_str_radix(text, 16).ok().filter(|_| text.len() == 2);
    Some(Identity {
        identification: Identification::from_number(
            identification.parse().ok().filter(|_| is_number)?,
        )?,
        manufacturer: Manufacturer::from_letters(manufacturer)?,
        version: byte(version)?,
        medium: Medium(byte(medium)?),
    })
}

pub(super) fn text(identity: Identity) -> String {
    identity.to_string().replace(' ', "-")
}

/// The hardware id of a meter that is not configured: `mbus-` and its secondary address, such as
/// `mbus-12345678-lmt-01-04`.
pub(super) fn found_id(identity: Identity) -> Option<HardwareId> {
    HardwareId::new(format!("mbus-{}", text(identity).to_lowercase())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        let identity = parse("00345678-LMT-0A-04").unwrap();
        assert_eq!(identity.medium, Medium::HEAT_OUTLET);
        assert_eq!(text(identity), "00345678-LMT-0A-04");
        assert_eq!(parse("00345678 LMT 0A 04"), Some(identity));
        assert_eq!(found_id(identity).unwrap().as_str(), "mbus-00345678-lmt-0a-04");
        let wrong = ["", "5", "0034567-LMT-0A-04", "00345678-lmt-0A-04", "00345678-LMT-A-04"];
        for text in wrong.into_iter().chain(["0034567A-LMT-0A-04", "00345678-LMT-0A-04-1"]) {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
