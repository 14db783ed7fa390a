//! The mistakes of a grammar, each with its line.

use std::fmt;

use lastmeter_params::{Diagnostic, Diagnostics};

/// One mistake, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct GrammarMistake {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What was found, what was expected and what to do.
    pub diagnostic: Diagnostic,
}

impl fmt::Display for GrammarMistake {
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
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct GrammarError(pub Vec<GrammarMistake>);

fn lines(mistakes: &[GrammarMistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Puts mistakes at their lines of the text they came from.
pub fn locate(text: &str, diagnostics: Diagnostics) -> GrammarError {
    let place = |diagnostic: Diagnostic| {
        let start = text.floor_char_boundary(diagnostic.span.start.min(text.len()));
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        GrammarMistake {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            diagnostic,
        }
    };
    GrammarError(diagnostics.into_sorted().into_iter().map(place).collect())
}
