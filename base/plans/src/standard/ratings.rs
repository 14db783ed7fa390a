//! What currents come to for one meter.

use super::current::{BASE, Expression};
use super::model::{Connection, Symbol};
use super::test_plan::TestPlan;

/// Deeper chains of symbols are taken for circles.
pub(crate) const DEPTH_MAX: usize = 6;

/// What symbols stand for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratings {
    pub(crate) connection: Connection,
    pub(crate) class: usize,
    /// In amperes.
    pub(crate) nominal: f64,
    /// In amperes.
    pub(crate) maximum: f64,
}

impl Expression {
    /// The alternative that is meant, as written, and its current in amperes.
    pub(crate) fn resolve(
        &self,
        test_plan: &TestPlan,
        of: &Ratings,
    ) -> Result<(String, f64), String> {
        let found = self.terms.iter().find_map(|term| {
            let amperes = term.factor * symbol(&term.symbol, test_plan, of, 0)?;
            Some((term.to_string(), amperes))
        });
        match found {
            Some((text, amperes)) if amperes.is_finite() && amperes >= 0.0 => Ok((text, amperes)),
            _ => Err(format!(
                "`{}` is not a current of a meter with connection {} and class {}",
                self.text,
                of.connection.word(),
                test_plan.classes.get(of.class).map_or("?", String::as_str),
            )),
        }
    }

    /// The symbols that are neither known to every test plan nor to this one.
    pub(crate) fn unknown<'a>(&'a self, test_plan: &'a TestPlan) -> impl Iterator<Item = &'a str> {
        let is_own = |symbol: &str| test_plan.symbols.iter().any(|row| row.name == symbol);
        self.symbols().filter(move |symbol| !BASE.contains(symbol) && !is_own(symbol))
    }
}

fn symbol(name: &str, test_plan: &TestPlan, of: &Ratings, depth: usize) -> Option<f64> {
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
            let fits = |row: &&Symbol| {
                row.name == name && (row.classes.is_empty() || row.classes.contains(&of.class))
            };
            test_plan.symbols.iter().filter(fits).find_map(|row| {
                row.value.terms.iter().find_map(|term| {
                    Some(term.factor * symbol(&term.symbol, test_plan, of, depth + 1)?)
                })
            })
        }
    }
}
