//! A line's speed as people write it: `128 kbit/s`, `1.5 Mbit/s`, `unlimited`.

use lastmeter_params::{Code, Diagnostics, Values, nearest};

/// Units of a bit rate and what they stand for, bit/s.
const UNITS: [(&str, f64); 4] = [("bit/s", 1.0), ("kbit/s", 1e3), ("Mbit/s", 1e6), ("Gbit/s", 1e9)];
/// Slowest and fastest line, bit/s.
const BOUNDS: [f64; 2] = [1.0, 1e12];

/// The word for a line that takes no time.
const UNLIMITED: &str = "unlimited";

/// Reads the text of a field as bits per second; infinite for an unlimited line.
pub(crate) fn read_bits_per_s(values: &Values, name: &str, out: &mut Diagnostics) -> Option<f64> {
    let text = values.text_opt(name)?.trim();
    if text == UNLIMITED {
        return Some(f64::INFINITY);
    }
    let span = values.span_of(name);
    let mut report = |code: Code, message: String, help: Option<String>| {
        let label = "expected a bit rate such as `\"128 kbit/s\"`, or `\"unlimited\"`";
        out.report_with_help(code, span, message, label, help);
        None
    };
    // An `e` belongs to the number where a digit or sign follows.
    let end = text
        .char_indices()
        .find(|&(at, c)| {
            let exponent = matches!(c, 'e' | 'E')
                && text[at + 1..].starts_with(|next: char| next.is_ascii_digit() || next == '-');
            !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-') || exponent)
        })
        .map_or(text.len(), |(at, _)| at);
    let (number, unit) = (text[..end].trim(), text[end..].trim());
    let known = UNITS.iter().map(|(symbol, _)| *symbol);
    let Ok(number) = number.parse::<f64>() else {
        return report(Code::BAD_NUMBER, format!("`{text}` is not a number with a unit"), None);
    };
    if unit.is_empty() {
        let help = format!("write `\"{number} kbit/s\"` or `\"{number} Mbit/s\"`");
        return report(Code::MISSING_UNIT, format!("`{text}` has no unit"), Some(help));
    }
    let Some((_, factor)) = UNITS.iter().find(|(symbol, _)| *symbol == unit) else {
        let help = match nearest(unit, known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("units that fit: {}", known.collect::<Vec<_>>().join(", ")),
        };
        return report(
            Code::UNKNOWN_UNIT,
            format!("`{unit}` is not a unit of a bit rate"),
            Some(help),
        );
    };
    let rate = number * factor;
    let [slowest, fastest] = BOUNDS;
    if (slowest..=fastest).contains(&rate) {
        return Some(rate);
    }
    let help = "from 1 bit/s to 1000 Gbit/s".to_owned();
    report(Code::OUT_OF_RANGE, format!("`{name}` is out of range"), Some(help))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastmeter_params::{Field, Kind, read_text};

    const FIELDS: &[Field] = &[Field::optional("bandwidth", Kind::Text, "")];

    fn read(text: &str) -> Result<f64, &'static str> {
        let values = read_text(&format!("bandwidth = \"{text}\""), &[FIELDS]).unwrap();
        let mut out = Diagnostics::new();
        match read_bits_per_s(&values, "bandwidth", &mut out) {
            Some(rate) => Ok(rate),
            None => Err(out.into_sorted()[0].code.code()),
        }
    }

    #[test]
    fn rates_are_read_with_their_units() {
        for (text, expected) in [
            ("9600 bit/s", 9600.0),
            ("128 kbit/s", 128e3),
            (" 1.5Mbit/s ", 1.5e6),
            ("1e3 kbit/s", 1e6),
            ("2.5 Gbit/s", 2.5e9),
            ("unlimited", f64::INFINITY),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_rate_is_refused_by_its_kind_of_mistake() {
        for (text, code) in [
            ("fast", "S011"),
            ("", "S011"),
            ("1,5 Mbit/s", "S009"),
            ("128", "S008"),
            ("128 kb/s", "S009"),
            ("128 KBit/s", "S009"),
            ("1e3", "S008"),
            ("0 bit/s", "S006"),
            ("-1 bit/s", "S006"),
            ("1e400 bit/s", "S006"),
        ] {
            assert_eq!(read(text), Err(code), "{text}");
        }
    }
}
