//! The report for people: one self-contained page, and its pictures with their data.
//!
//! Everything comes from the run folder: the record is judged, then read once more for tables and
//! pictures, in bounded memory.

mod page;

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::RenderError;
use crate::evaluate::evaluate;
use crate::evaluation::Evaluation;
use lastmeter_record::{RecordError, RunReader, file, write_whole};

/// Judges a run by its folder and writes `report.html` and `figures/` into it. Gives the page's
/// path. Nothing else in the folder changes.
pub fn render(dir: &Path) -> Result<PathBuf, RenderError> {
    render_evaluated(dir, &evaluate(dir)?)
}

/// Completes the folder of a run that was just judged: its page and pictures, and behind them its
/// verdicts. Gives the page's path.
///
/// In this order, for where there is no room for all of it, what is there must claim nothing good.
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
    // The page that was made of the record is all there is.
    if evaluation.facts.removed_behind.is_some() {
        return Ok(dir.join(file::REPORT));
    }
    let reader = RunReader::open(dir)?;
    let (page, figures) = page::page(&reader, evaluation)?;
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
