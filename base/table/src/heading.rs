//! Units in the headers of tables: `P [kW]`, `P (kW)`, `P / kW`, `P_kW`, `t [ms]`.

/// A header's name without its unit, and the unit if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heading<'a> {
    /// Without its unit.
    pub name: &'a str,
    /// In which its values are.
    pub unit: Option<Unit<'a>>,
}

/// A unit as it stands in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit<'a> {
    /// As it is written.
    pub text: &'a str,
    /// Whether it stands where only units stand: in brackets, or behind a stroke with blanks. The
    /// last word of a name may be anything.
    pub is_marked: bool,
}

/// Takes a header apart. A last word counts as a unit if `is_unit` knows it.
pub fn heading(text: &str, is_unit: impl Fn(&str) -> bool) -> Heading<'_> {
    let text = text.trim();
    for (open, close) in [('[', ']'), ('(', ')')] {
        if let Some((name, unit)) = text.strip_suffix(close).and_then(|it| it.rsplit_once(open))
            && !unit.trim().is_empty()
        {
            let unit = Some(Unit { text: unit.trim(), is_marked: true });
            return Heading { name: name.trim(), unit };
        }
    }
    if let Some((name, unit)) = text.rsplit_once(" / ")
        && !name.trim().is_empty()
    {
        return Heading {
            name: name.trim(),
            unit: Some(Unit { text: unit.trim(), is_marked: true }),
        };
    }
    if let Some((name, unit)) = text.rsplit_once(['_', ' '])
        && !name.trim().is_empty()
        && !is_quantity(text)
        && is_unit(unit)
    {
        let unit = Some(Unit { text: unit, is_marked: false });
        return Heading { name: name.trim(), unit };
    }
    Heading { name: text, unit: None }
}

/// Whether it ends in a number with its unit, as `EV 11 kW` does: what that is rated for.
fn is_quantity(text: &str) -> bool {
    text.rsplit(' ').nth(1).is_some_and(|word| word.parse::<f64>().is_ok())
}

/// Watts in a unit of active power.
pub fn watts(unit: &str) -> Option<f64> {
    if ["watt", "watts"].iter().any(|it| it.eq_ignore_ascii_case(unit)) {
        return Some(1.0);
    }
    prefixed(unit.strip_suffix(['W', 'w'])?)
}

/// Vars in a unit of reactive power.
pub fn vars(unit: &str) -> Option<f64> {
    let at = unit.len().checked_sub(3)?;
    let of = unit.get(at..).filter(|it| it.eq_ignore_ascii_case("var"))?;
    prefixed(unit.strip_suffix(of)?)
}

/// The factor of what stands before a unit of power.
fn prefixed(prefix: &str) -> Option<f64> {
    match prefix {
        "" => Some(1.0),
        "k" | "K" => Some(1e3),
        "M" => Some(1e6),
        "G" => Some(1e9),
        "m" => Some(1e-3),
        _ => None,
    }
}

/// Seconds in a unit of time.
pub fn seconds(unit: &str) -> Option<f64> {
    Some(match unit.to_ascii_lowercase().as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "ms" | "millisecond" | "milliseconds" => 1e-3,
        "us" | "\u{b5}s" | "\u{3bc}s" | "microsecond" | "microseconds" => 1e-6,
        "ns" | "nanosecond" | "nanoseconds" => 1e-9,
        "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return None,
    })
}

/// Whether it is a unit of something else than a power, so that it cannot be passed over.
pub fn is_no_power(unit: &str) -> bool {
    let stripped = unit.strip_prefix(['k', 'K', 'M', 'G', 'm']).unwrap_or(unit);
    let others =
        ["Wh", "Ws", "J", "varh", "VAh", "VA", "V", "A", "Hz", "%", "pu", "p.u.", "hp", "PS"];
    seconds(unit).is_some()
        || [unit, stripped]
            .iter()
            .any(|it| others.iter().any(|other| it.eq_ignore_ascii_case(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_found_where_headers_have_them() {
        for (text, name, unit) in [
            ("P [kW]", "P", Some(("kW", true))),
            ("P(kW)", "P", Some(("kW", true))),
            (" P / kW ", "P", Some(("kW", true))),
            ("P_kW", "P", Some(("kW", false))),
            ("home_1_kW", "home_1", Some(("kW", false))),
            ("{load} kW", "{load}", Some(("kW", false))),
            ("EV 11 kW", "EV 11 kW", None),
            ("[kW]", "", Some(("kW", true))),
            ("P [hp]", "P", Some(("hp", true))),
            ("home_1", "home_1", None),
            ("home", "home", None),
            ("kW", "kW", None),
            ("P []", "P []", None),
            ("a/b", "a/b", None),
            ("", "", None),
        ] {
            let unit = unit.map(|(text, is_marked)| Unit { text, is_marked });
            let found = heading(text, |unit| watts(unit).is_some());
            assert_eq!(found, Heading { name, unit }, "{text}");
        }
    }

    #[test]
    fn units_have_their_factors() {
        for (unit, factor) in [
            ("W", Some(1.0)),
            ("kW", Some(1e3)),
            ("KW", Some(1e3)),
            ("MW", Some(1e6)),
            ("mW", Some(1e-3)),
            ("Watt", Some(1.0)),
            ("kWh", None),
            ("var", None),
            ("xW", None),
        ] {
            assert_eq!(watts(unit), factor, "{unit}");
        }
        for (unit, factor) in [
            ("var", Some(1.0)),
            ("kVAr", Some(1e3)),
            ("Mvar", Some(1e6)),
            ("W", None),
            ("\u{e9}ar", None),
        ] {
            assert_eq!(vars(unit), factor, "{unit}");
        }
        for (unit, factor) in
            [("s", Some(1.0)), ("ms", Some(1e-3)), ("min", Some(60.0)), ("x", None)]
        {
            assert_eq!(seconds(unit), factor, "{unit}");
        }
        for unit in ["kWh", "A", "kVA", "%", "ms"] {
            assert!(is_no_power(unit), "{unit}");
        }
        for unit in ["W", "kW", "north", "L1"] {
            assert!(!is_no_power(unit), "{unit}");
        }
    }
}
