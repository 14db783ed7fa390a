//! The report for people: one self-contained page, and its pictures with their data.
//!
//! Everything comes from the run folder: the record is judged, then read once more for tables and
//! pictures, in bounded memory. The page needs no network and no other file; texts of the record
//! (device names, refused payloads) are escaped wherever they stand.

mod bins;
mod calibration;
mod collect;
mod diagram;
mod errors;
mod figure;
mod latency;
mod network;
mod page;
mod pictures;
mod plot;
mod report;
mod standard;
mod svg;
mod units;

use std::fs;
use std::path::{Path, PathBuf};

pub use plot::PlotError;

use crate::evaluate::{EvaluateError, Evaluation, evaluate};
use lastmeter_record::{RecordError, RunReader, file, write_whole};

/// The style sheet of all pages.
pub(crate) const STYLE: &str = include_str!("style.css");

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The run could not be judged.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// The record could not be read, or the report not be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A picture could not be drawn.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// The page could not be put together.
    #[error("failed to fill in a page: {0}")]
    Page(#[from] minijinja::Error),
}

/// Judges a run by its folder and writes `report.html` and `figures/` into it. Gives the page's
/// path. Nothing else in the folder changes.
pub fn render(dir: &Path) -> Result<PathBuf, RenderError> {
    render_evaluated(dir, &evaluate(dir)?)
}

/// Completes the folder of a run that was just judged: its page and pictures, and behind them its
/// verdicts. Gives the page's path.
///
/// In this order, for where there is no room for all of it, what is there has to say nothing good.
///
/// # Errors
/// If something cannot be made or written; the rest is not written then.
pub fn complete(dir: &Path, evaluation: &Evaluation) -> Result<PathBuf, RenderError> {
    let page = render_evaluated(dir, evaluation)?;
    evaluation.write(dir)?;
    Ok(page)
}

/// Like [`render`], for a run that was just judged.
pub fn render_evaluated(dir: &Path, evaluation: &Evaluation) -> Result<PathBuf, RenderError> {
    let reader = RunReader::open(dir)?;
    let (page, figures) = report::page(&reader, evaluation)?;
    let folder = dir.join(file::FIGURES);
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(RecordError::io("replace", &folder))?;
    }
    fs::create_dir_all(&folder).map_err(RecordError::io("create", &folder))?;
    for figure in &figures {
        figure.write(&folder)?;
    }
    let path = dir.join(file::REPORT);
    write_whole(&path, page.as_bytes())?;
    Ok(path)
}

/// Fills in a page. Names ending in `.html` are escaped by the template engine.
pub(crate) fn fill(
    name: &'static str,
    template: &'static str,
    content: &impl serde::Serialize,
) -> Result<String, minijinja::Error> {
    let mut environment = minijinja::Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.add_template(name, template)?;
    environment.get_template(name)?.render(minijinja::value::Serde(content))
}
