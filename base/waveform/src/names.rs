//! What the spellings in files mean: units with prefixes, phases, and kinds recognised by names.
//!
//! Terms: *base* is a unit without prefix. Phases are normalised to `a`, `b`, `c`, `n`; the
//! spellings L1/L2/L3, R/S/T and 1/2/3 mean the same in this order.

use crate::recording::ChannelKind;

/// A unit as an SI unit without prefix and the factor that leads there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SiUnit {
    pub(crate) symbol: String,
    pub(crate) factor: f64,
    pub(crate) kind: ChannelKind,
}

const BASES: &[(&str, &str, ChannelKind)] = &[
    ("v", "V", ChannelKind::Voltage),
    ("volt", "V", ChannelKind::Voltage),
    ("volts", "V", ChannelKind::Voltage),
    ("a", "A", ChannelKind::Current),
    ("amp", "A", ChannelKind::Current),
    ("amps", "A", ChannelKind::Current),
    ("ampere", "A", ChannelKind::Current),
    ("amperes", "A", ChannelKind::Current),
    ("w", "W", ChannelKind::Other),
    ("va", "VA", ChannelKind::Other),
    ("var", "var", ChannelKind::Other),
    ("hz", "Hz", ChannelKind::Other),
];

/// Reads a unit such as `kV`, `mA`, `V`; case matters only for `m` against `M`. An unknown unit is
/// kept as it is with factor 1.
pub(crate) fn si_unit(text: &str) -> SiUnit {
    let text = text.trim();
    let base = |rest: &str| {
        BASES.iter().find(|(spelling, ..)| rest.trim_start().eq_ignore_ascii_case(spelling))
    };
    let made = |symbol: &str, factor, kind| SiUnit { symbol: symbol.to_owned(), factor, kind };
    if let Some(&(_, symbol, kind)) = base(text) {
        return made(symbol, 1.0, kind);
    }
    let mut characters = text.chars();
    let factor = match characters.next() {
        Some('n') => 1e-9,
        Some('u' | '\u{b5}' | '\u{3bc}') => 1e-6,
        Some('m') => 1e-3,
        Some('k' | 'K') => 1e3,
        Some('M') => 1e6,
        Some('G') => 1e9,
        _ => return made(text, 1.0, ChannelKind::Other),
    };
    match base(characters.as_str()) {
        Some(&(_, symbol, kind)) => made(symbol, factor, kind),
        None => made(text, 1.0, ChannelKind::Other),
    }
}

/// The phase a symbol means, if it is one of the known spellings (any case; a trailing `n` or
/// `-n`, "against neutral", is dropped).
pub(crate) fn phase_symbol(text: &str) -> Option<&'static str> {
    let lower = text.trim().to_ascii_lowercase();
    let bare = match lower.strip_suffix('n') {
        Some(rest) if !rest.is_empty() => rest.trim_end_matches('-'),
        _ => lower.as_str(),
    };
    match bare {
        "a" | "l1" | "r" | "1" => Some("a"),
        "b" | "l2" | "s" | "2" => Some("b"),
        "c" | "l3" | "t" | "3" => Some("c"),
        "n" => Some("n"),
        _ => None,
    }
}

fn tokens(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_alphanumeric()).filter(|token| !token.is_empty())
}

/// Kind and phase of a word such as `Va`, `UL1`, `Ib`, `IT`.
fn phase_quantity(token: &str) -> Option<(ChannelKind, &'static str)> {
    let kind = match token.chars().next()? {
        'v' | 'V' | 'u' | 'U' => ChannelKind::Voltage,
        'i' | 'I' => ChannelKind::Current,
        _ => return None,
    };
    phase_symbol(&token[1..]).map(|phase| (kind, phase))
}

/// The phase in a voltage's or current's name: a word such as `Va`, `IL1`, `VR`, or else one of
/// L1, L2, L3 alone.
pub(crate) fn phase_of_name(name: &str, kind: ChannelKind) -> Option<&'static str> {
    let quantities = || tokens(name).filter_map(phase_quantity);
    let by_quantity = quantities().find(|(of, _)| *of == kind).map(|(_, phase)| phase);
    by_quantity.or_else(|| {
        tokens(name).find(|t| t.len() == 2 && t.starts_with(['l', 'L'])).and_then(phase_symbol)
    })
}

/// The kind in a column's name: a word such as `Va` or `IL1`, or else a last word that is a
/// unit (`V`, `kV`, `A`, or the plain letter `I`), or else the whole name `U`, or else `volt` or
/// `curr` anywhere.
pub(crate) fn kind_of_name(name: &str) -> ChannelKind {
    if let Some((kind, _)) = tokens(name).find_map(phase_quantity) {
        return kind;
    }
    let last = tokens(name).last().unwrap_or("");
    let by_unit = si_unit(last).kind;
    if by_unit != ChannelKind::Other {
        return by_unit;
    }
    let lower = name.to_ascii_lowercase();
    // Only by itself: the last word of `torque p.u` is no voltage.
    if lower.trim() == "u" {
        ChannelKind::Voltage
    } else if last.eq_ignore_ascii_case("i") || lower.contains("curr") {
        ChannelKind::Current
    } else if lower.contains("volt") {
        ChannelKind::Voltage
    } else {
        ChannelKind::Other
    }
}

/// The unit a column's name ends in (`Va_kV`, `current [mA]`), if it is one of this kind.
pub(crate) fn unit_in_name(name: &str, kind: ChannelKind) -> Option<SiUnit> {
    let unit = si_unit(tokens(name).last()?);
    (unit.kind == kind).then_some(unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ChannelKind::{Current, Other, Voltage};

    #[test]
    fn prefixes_lead_to_si() {
        for (text, symbol, factor, kind) in [
            ("V", "V", 1.0, Voltage),
            ("kV", "V", 1e3, Voltage),
            ("KV", "V", 1e3, Voltage),
            ("MV", "V", 1e6, Voltage),
            ("mV", "V", 1e-3, Voltage),
            ("\u{b5}V", "V", 1e-6, Voltage),
            (" kA ", "A", 1e3, Current),
            ("mA", "A", 1e-3, Current),
            ("Amps", "A", 1.0, Current),
            ("kW", "W", 1e3, Other),
            ("MVAr", "var", 1e6, Other),
            ("kVA", "VA", 1e3, Other),
            ("none", "none", 1.0, Other),
            ("", "", 1.0, Other),
            ("deg", "deg", 1.0, Other),
        ] {
            let expected = SiUnit { symbol: symbol.to_owned(), factor, kind };
            assert_eq!(si_unit(text), expected, "{text}");
        }
    }

    #[test]
    fn phases_are_recognised_in_every_usual_spelling() {
        for (text, phase) in [
            ("A", Some("a")),
            ("b", Some("b")),
            ("L3", Some("c")),
            ("R", Some("a")),
            ("S", Some("b")),
            ("T", Some("c")),
            ("N", Some("n")),
            ("A-N", Some("a")),
            ("BN", Some("b")),
            ("AB", None),
            ("", None),
        ] {
            assert_eq!(phase_symbol(text), phase, "{text}");
        }
    }

    #[test]
    fn kind_and_phase_are_recognised_by_name() {
        for (name, kind, phase) in [
            ("MODAQ_Va_V", Voltage, Some("a")),
            ("MODAQ_Ic_I", Current, Some("c")),
            ("HV Bus VR", Voltage, Some("a")),
            ("LV IT", Current, Some("c")),
            ("UL2", Voltage, Some("b")),
            ("Voltage L3", Voltage, Some("c")),
            ("current [mA]", Current, None),
            ("line_kV", Voltage, None),
            ("u", Voltage, None),
            ("torque p.u", Other, None),
            ("3I0", Other, None),
            ("IBIAS", Other, None),
            ("Time_UTC", Other, None),
        ] {
            assert_eq!(kind_of_name(name), kind, "{name}");
            assert_eq!(phase_of_name(name, kind), phase, "{name}");
        }
        assert_eq!(unit_in_name("Va_kV", Voltage).unwrap().factor, 1e3);
        assert_eq!(unit_in_name("Va", Voltage), None);
    }
}
