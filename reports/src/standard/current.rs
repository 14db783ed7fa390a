//! Currents as standards write them: `0.05 Ib | 0.02 In`, `Imax`, `0.5 Imax`, `Itr`.
//!
//! Alternatives are separated by `|`; the first whose symbol means something for the connection is
//! meant: `Ib` is the base current of a meter that is connected directly, `In` the nominal one of a
//! meter at a transformer, `Iref` either, `Imax` the maximum. A suite may name more.

use super::model::{Connection, Suite};

/// One current, as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// As written.
    pub text: String,
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq)]
struct Term {
    factor: f64,
    symbol: String,
}

/// Symbols every suite knows.
const BASE: [&str; 4] = ["Ib", "In", "Iref", "Imax"];

/// Deeper chains of symbols are taken for circles.
const DEPTH_MAX: usize = 6;

/// There are two connections; more alternatives than these only multiply with the depth.
const ALTERNATIVES_MAX: usize = 4;

/// What symbols stand for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ratings {
    pub(super) connection: Connection,
    pub(super) class: usize,
    /// In amperes.
    pub(super) nominal: f64,
    /// In amperes.
    pub(super) maximum: f64,
}

impl Expression {
    /// Reads an expression; the error says what is wrong with it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let alternatives = text.split('|').count();
        if alternatives > ALTERNATIVES_MAX {
            return Err(format!("{alternatives} alternatives; at most {ALTERNATIVES_MAX}"));
        }
        let terms: Result<Vec<Term>, String> = text.split('|').map(term).collect();
        Ok(Self { text: text.trim().to_owned(), terms: terms? })
    }

    /// The alternative that is meant, as written, and its current in amperes.
    pub(super) fn resolve(&self, suite: &Suite, of: &Ratings) -> Result<(String, f64), String> {
        let found = self.terms.iter().find_map(|term| {
            let amperes = term.factor * symbol(&term.symbol, suite, of, 0)?;
            Some((term.to_string(), amperes))
        });
        match found {
            Some((text, amperes)) if amperes.is_finite() && amperes >= 0.0 => Ok((text, amperes)),
            _ => Err(format!(
                "`{}` is no current of a meter with connection {} and class {}",
                self.text,
                of.connection.word(),
                suite.classes.get(of.class).map_or("?", String::as_str),
            )),
        }
    }

    /// The symbols that are neither known to every suite nor among `own`.
    pub(super) fn unknown<'a>(&'a self, own: &'a [&str]) -> impl Iterator<Item = &'a str> {
        let symbols = self.terms.iter().map(|term| term.symbol.as_str());
        symbols.filter(move |symbol| !BASE.contains(symbol) && !own.contains(symbol))
    }
}

fn term(text: &str) -> Result<Term, String> {
    let text = text.trim();
    let at = text.find(char::is_alphabetic).ok_or_else(|| {
        format!("`{text}` names no current; write a factor and a symbol such as `0.05 In`")
    })?;
    let (factor, symbol) = text.split_at(at);
    let factor = match factor.trim() {
        "" => 1.0,
        number => number
            .parse::<f64>()
            .ok()
            .filter(|factor| factor.is_finite() && *factor > 0.0)
            .ok_or_else(|| format!("`{number}` in `{text}` is no factor above zero"))?,
    };
    if !symbol.chars().all(char::is_alphanumeric) {
        return Err(format!("`{symbol}` is no symbol of a current"));
    }
    Ok(Term { factor, symbol: symbol.to_owned() })
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

fn symbol(name: &str, suite: &Suite, of: &Ratings, depth: usize) -> Option<f64> {
    if depth > DEPTH_MAX {
        return None;
    }
    match (name, of.connection) {
        ("Ib", Connection::Direct) | ("In", Connection::Transformer) | ("Iref", _) => {
            Some(of.nominal)
        }
        ("Imax", _) => Some(of.maximum),
        ("Ib" | "In", _) => None,
        _ => {
            let fits = |row: &&super::model::Symbol| {
                row.name == name && (row.classes.is_empty() || row.classes.contains(&of.class))
            };
            suite.symbols.iter().filter(fits).find_map(|row| {
                row.value.terms.iter().find_map(|term| {
                    Some(term.factor * symbol(&term.symbol, suite, of, depth + 1)?)
                })
            })
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
        assert_eq!(both.unknown(&[]).count(), 0);
        assert_eq!(Expression::read("2 Itr").unwrap().unknown(&[]).next(), Some("Itr"));
    }
}
