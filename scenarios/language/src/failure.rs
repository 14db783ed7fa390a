//! Why a scenario was not loaded: all its mistakes, with the texts they are in.

use std::fmt;

use lastmeter_params::Diagnostic;

use super::render;
use super::texts::Texts;

/// Every mistake of a scenario, ordered by place.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadFailure {
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) texts: Texts,
}

impl LoadFailure {
    /// The mistakes, ordered by place.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The texts they are in.
    pub fn texts(&self) -> &Texts {
        &self.texts
    }

    /// As text for people, each mistake with its line and the marked span; with colours if `color`.
    pub fn render(&self, color: bool) -> String {
        render::human(&self.diagnostics, &self.texts, color)
    }

    /// One object for each mistake: `code`, `message`, `file`, `line`, `column`, `end_line`,
    /// `end_column`, `label`, `help`.
    pub fn to_json(&self) -> Vec<serde_json::Value> {
        render::json(&self.diagnostics, &self.texts)
    }
}

impl fmt::Display for LoadFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for LoadFailure {}
