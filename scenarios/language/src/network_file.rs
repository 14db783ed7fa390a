//! Network files: which format they are in, and the files that they name.

use std::path::{Path, PathBuf};

use lastmeter_grid::Network;
use lastmeter_grid::check::check;
use lastmeter_grid::format::{Refusal, dss, pgm, toml};

const MOST_BYTES: u64 = 1 << 30;

/// Where a network comes from.
#[derive(Debug)]
pub enum Origin {
    /// JSON of power-grid-model; its network has been taken out.
    Pgm(Box<pgm::Document>),
    /// A script of `OpenDSS`, or our own TOML: elements have names.
    Named,
}

/// A network as it was read.
#[derive(Debug)]
pub struct Read {
    /// The network, as read.
    pub network: Network,
    /// What was left out, and the like.
    pub notes: Vec<String>,
    /// Where it comes from.
    pub origin: Origin,
}

/// Reads a network file: JSON of power-grid-model if it ends in `.json` or begins with `{`, our own
/// TOML if it ends in `.toml`, else an `OpenDSS` script.
///
/// # Errors
/// Every mistake in the file on a line of its own, with file and line; also what the file states
/// clearly, but no network can be.
pub fn read(path: &Path) -> Result<Read, String> {
    let shown = path.display().to_string();
    let text = text_of(path).map_err(|why| format!("error: {shown}: {why}"))?;
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let mut open = |name: &str| text_of(&found(&folder, name));
    understood(&shown, path, &text, &mut open).map_err(|mistakes| {
        let lines: Vec<String> = mistakes.iter().map(|line| format!("error: {line}")).collect();
        lines.join("\n")
    })
}

/// The network of a text, which is called `shown` in messages; `path` shows its format by its
/// name, `open` reads the files that it names.
///
/// # Errors
/// Every mistake, with file and line.
pub fn understood(
    shown: &str,
    path: &Path,
    text: &str,
    open: &mut dyn FnMut(&str) -> Result<String, String>,
) -> Result<Read, Vec<String>> {
    let mut read = described(shown, path, text, open)
        .map_err(|refusal| refusal.to_string().lines().map(str::to_owned).collect::<Vec<_>>())?;
    let report = check(&read.network);
    if report.is_sound() {
        let notes = report.remarks.iter().chain(&report.doubts);
        read.notes.extend(notes.map(ToString::to_string));
        return Ok(read);
    }
    let mut lines: Vec<_> = report.faults.iter().map(|fault| format!("{shown}: {fault}")).collect();
    if report.left_out > 0 {
        lines.push(format!("{shown}: and {} more", report.left_out));
    }
    Err(lines)
}

fn described(
    shown: &str,
    path: &Path,
    text: &str,
    open: &mut dyn FnMut(&str) -> Result<String, String>,
) -> Result<Read, Refusal> {
    let ends_in = |expected: &str| {
        path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(expected))
    };
    if ends_in("toml") {
        let network = toml::read(shown, text)?;
        return Ok(Read { network, notes: Vec::new(), origin: Origin::Named });
    }
    if ends_in("json") || text.trim_start_matches('\u{feff}').trim_start().starts_with('{') {
        let mut document = pgm::read(shown, text)?;
        let network = std::mem::replace(&mut document.network, Network::new("", 50.0));
        let notes = std::mem::take(&mut document.notes);
        return Ok(Read { network, notes, origin: Origin::Pgm(Box::new(document)) });
    }
    let document = dss::read(shown, text, open)?;
    Ok(Read { network: document.network, notes: document.notes, origin: Origin::Named })
}

fn text_of(path: &Path) -> Result<String, String> {
    let describe = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let size = std::fs::metadata(path).map_err(describe)?.len();
    if size > MOST_BYTES {
        return Err(format!("{} has {size} bytes, more than 1 GiB", path.display()));
    }
    let bytes = std::fs::read(path).map_err(describe)?;
    // Older scripts have comments in other encodings; what matters in them is ASCII.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A file by its name from a folder; scripts that were written where case does not matter find
/// theirs too.
fn found(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    if path.exists() {
        return path;
    }
    let mut at = if name.starts_with('/') { PathBuf::from("/") } else { folder.to_path_buf() };
    for part in name.split('/').filter(|part| !part.is_empty()) {
        let exact = at.join(part);
        if part == ".." || exact.exists() {
            at = exact;
            continue;
        }
        let listed = if at.as_os_str().is_empty() { Path::new(".") } else { &at };
        let mut names: Vec<_> = std::fs::read_dir(listed)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name())
            .filter(|name| name.to_string_lossy().eq_ignore_ascii_case(part))
            .collect();
        names.sort();
        match names.first() {
            Some(name) => at = at.join(name),
            None => return path,
        }
    }
    at
}
