//! Why a run could not be judged, or its report not be made.

use lastmeter_params::Diagnostic;
use lastmeter_record::RecordError;

/// Why a run could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// The record cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The `[[check]]` tables of the scenario make no sense to this version.
    #[error("{}", list(.0))]
    Scenario(Vec<Diagnostic>),
}

fn list(diagnostics: &[Diagnostic]) -> String {
    let lines: Vec<String> =
        diagnostics.iter().map(|d| format!("scenario.toml: {}: {}", d.code, d.message)).collect();
    lines.join("\n")
}

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The run could not be judged.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// The record could not be read, or the report not be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The page could not be put together.
    #[error("failed to fill in a page: {0}")]
    Page(#[from] minijinja::Error),
}
