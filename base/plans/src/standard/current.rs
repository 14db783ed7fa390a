//! Currents as standards write them: `0.05 Ib | 0.02 In`, `Imax`, `0.5 Imax`, `Itr`.
//!
//! Alternatives are separated by `|`; the first whose symbol means something for the connection is
//! meant: `Ib` is the base current of a meter that is connected directly, `In` the nominal one of a
//! meter at a transformer, `Iref` either, `Imax` the maximum. A test plan may name more.

/// One current, as written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expression {
    /// The expression as the file has it.
    pub text: String,
    pub(super) terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term {
    pub(super) factor: f64,
    pub(super) symbol: String,
}

/// Symbols every test plan knows.
pub(crate) const BASE: [&str; 4] = ["Ib", "In", "Iref", "Imax"];

/// Beyond these a factor is a slip of the pen.
const FACTOR_MIN: f64 = 1e-9;
const FACTOR_MAX: f64 = 1e6;

/// There are two connections; more alternatives than these only multiply with the depth.
const ALTERNATIVES_MAX: usize = 4;

impl Expression {
    /// Reads an expression; the error names what is wrong with it.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let alternatives = text.split('|').count();
        if alternatives > ALTERNATIVES_MAX {
            return Err(format!("{alternatives} alternatives; at most {ALTERNATIVES_MAX}"));
        }
        let terms: Result<Vec<Term>, String> = text.split('|').map(term).collect();
        Ok(Self { text: text.trim().to_owned(), terms: terms? })
    }

    pub(crate) fn symbols(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().map(|term| term.symbol.as_str())
    }
}

fn term(text: &str) -> Result<Term, String> {
    let text = text.trim();
    let (factor, symbol) = split(text).ok_or_else(|| {
        format!("`{text}` names no current; write a factor and a symbol such as `0.05 In`")
    })?;
    let factor = match factor.trim() {
        "" => 1.0,
        number => number
            .parse::<f64>()
            .ok()
            .filter(|factor| (FACTOR_MIN..=FACTOR_MAX).contains(factor))
            .ok_or_else(|| {
                format!(
                    "`{number}` in `{text}` is not a factor between {FACTOR_MIN:e} and {FACTOR_MAX:e}"
                )
            })?,
    };
    if !symbol.chars().all(char::is_alphanumeric) {
        return Err(format!("`{symbol}` is not a symbol of a current"));
    }
    Ok(Term { factor, symbol: symbol.to_owned() })
}

/// Factor and symbol: what stands before the last blank, or else the longest number, such as the
/// `1e-3` of `1e-3Ib`.
fn split(text: &str) -> Option<(&str, &str)> {
    let word = text.rfind(char::is_whitespace).map(|blank| blank + 1);
    let word = word.and_then(|at| text.get(at..)).map_or(text, |word| word);
    let before = text.len() - word.len();
    let is_number = |at: &usize| {
        *at == 0 || (word.starts_with(|c: char| !c.is_alphabetic()) && is_float(&word[..*at]))
    };
    let starts = word.char_indices().filter(|(_, c)| c.is_alphabetic()).map(|(at, _)| at);
    if before > 0 {
        return word.starts_with(char::is_alphabetic).then(|| text.split_at(before));
    }
    let first = word.find(char::is_alphabetic)?;
    let at = starts.rev().find(is_number).unwrap_or(first);
    Some(text.split_at(at))
}

fn is_float(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

impl std::fmt::Display for Term {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.factor == 1.0 {
            f.write_str(&self.symbol)
        } else {
            write!(f, "{} {}", self.factor, self.symbol)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_current_is_refused() {
        for text in ["", "0.05", "-1 In", "0 In", "x In", "1 I-n", "nan In", "In |"] {
            assert!(Expression::read(text).is_err(), "{text}");
        }
        assert!(Expression::read("In | In | In | In | In").unwrap_err().contains("at most 4"));
        let both = Expression::read("0.05 Ib | 0.02 In").unwrap();
        assert_eq!(both.terms.len(), 2);
        assert_eq!(both.symbols().collect::<Vec<_>>(), ["Ib", "In"]);
    }

    #[test]
    fn a_factor_may_have_an_exponent_and_a_symbol_digits() {
        for (text, factor, symbol) in [
            ("1e-3 Ib", 0.001, "Ib"),
            ("1e-3Ib", 0.001, "Ib"),
            ("5E2 In", 500.0, "In"),
            ("0.05Ib", 0.05, "Ib"),
            (" 2  I1 ", 2.0, "I1"),
            ("2I1", 2.0, "I1"),
            ("1e3x", 1000.0, "x"),
            ("Imax", 1.0, "Imax"),
            ("2e", 2.0, "e"),
        ] {
            let found = &Expression::read(text).unwrap().terms[0];
            assert_eq!((found.factor, found.symbol.as_str()), (factor, symbol), "{text}");
        }
        for text in ["1e300 In", "1e-300 In", "inf In", "1 e 3 In", "In 3"] {
            assert!(Expression::read(text).is_err(), "{text}");
        }
    }
}
