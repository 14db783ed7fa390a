//! The mistakes of a text by line and column.

use std::fmt;

use crate::{Diagnostic, Diagnostics};

/// One mistake, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What was found, what was expected and what to do.
    pub diagnostic: Diagnostic,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnostic { code, message, label, help, .. } = &self.diagnostic;
        write!(f, "line {}: {code}: {message}: {label}", self.line)?;
        match help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

/// All mistakes of a text, in the order of its lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Mistakes {}

impl Diagnostics {
    /// Puts them at their lines of the text they came from.
    #[must_use]
    pub fn located_in(self, text: &str) -> Mistakes {
        let place = |diagnostic: Diagnostic| {
            let start = text.floor_char_boundary(diagnostic.span.start.min(text.len()));
            let before = &text[..start];
            let line_start = before.rfind('\n').map_or(0, |end| end + 1);
            Mistake {
                line: before.matches('\n').count() + 1,
                column: before[line_start..].chars().count() + 1,
                diagnostic,
            }
        };
        Mistakes(self.into_sorted().into_iter().map(place).collect())
    }
}
