//! Whether what no reader of rows looks at is what the run wrote. Of what disturbance recorders
//! kept, `grid-waveforms.csv`, which is sealed itself, has the SHA-256 of each file in the folder
//! `waveforms`; that of `aggregates.csv` is in `run.json`.

use std::path::Path;

use super::facts::RunFacts;
use super::file;
use super::hash::sha256;

/// Whether `aggregates.csv`, which no check reads, differs from what the run wrote, as one
/// sentence.
#[must_use]
pub fn changed_aggregates(dir: &Path, facts: &RunFacts) -> Option<String> {
    let name = file::AGGREGATES;
    let hash = facts.hashes.get(name)?;
    match std::fs::read(dir.join(name)) {
        Ok(bytes) if sha256(&bytes) == *hash => None,
        Ok(_) => Some(format!(
            "{name} was changed after the run: its SHA-256 is not the one in {}",
            file::RUN
        )),
        Err(error) => Some(format!("{name} cannot be read: {error}")),
    }
}

/// Which files differ from what the table lists, as one sentence; `None` if none does. A table that
/// is not there, or that a change made unreadable, is for its own seal to report.
#[must_use]
pub fn changed_waveforms(dir: &Path) -> Option<String> {
    let index = std::fs::read(dir.join(file::GRID_WAVEFORMS)).ok()?;
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(&*index);
    let header = reader.headers().ok()?.clone();
    let column = |name: &str| header.iter().position(|it| it == name);
    let (name, cfg, dat) = (column("file")?, column("cfg_sha256")?, column("dat_sha256")?);
    let mut changed = Vec::new();
    for row in reader.records().filter_map(Result::ok) {
        let cell = |at: usize| row.get(at).unwrap_or_default();
        let name = cell(name);
        // What had no room is a row without a file.
        for (ending, hash) in [("cfg", cell(cfg)), ("dat", cell(dat))] {
            if name.is_empty() {
                continue;
            }
            let shown = format!("{}/{name}.{ending}", file::WAVEFORMS);
            match std::fs::read(dir.join(&shown)) {
                Ok(bytes) if sha256(&bytes) == hash => {}
                Ok(_) => changed.push(format!("{shown} was changed after the run")),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    changed.push(format!("{shown} is missing"));
                }
                Err(error) => changed.push(format!("{shown} cannot be read ({error})")),
            }
        }
    }
    let first = changed.first()?;
    let more = match changed.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let index = file::GRID_WAVEFORMS;
    Some(format!("{first}{more}: it is not the file of which {index} has the SHA-256"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_or_missing_excerpt_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(file::WAVEFORMS);
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        assert_eq!(changed_waveforms(dir.path()), None);
        std::fs::create_dir(&folder).unwrap();
        let (cfg, dat) = (sha256(b"header"), sha256(b"samples"));
        let index = format!(
            "recorder,file,from,samples,rate_hz,cfg_sha256,dat_sha256,place\n\
             r,r-1,2027-01-18T17:00:00Z,7,10000,{cfg},{dat},\"switch q, from a\"\n\
             r,,2 more had no room,,,,,node a\n"
        );
        std::fs::write(dir.path().join(file::GRID_WAVEFORMS), index).unwrap();
        write("r-1.cfg", "header");
        write("r-1.dat", "samples");
        assert_eq!(changed_waveforms(dir.path()), None);
        write("r-1.dat", "samplxs");
        let found = changed_waveforms(dir.path()).unwrap();
        assert!(found.starts_with("waveforms/r-1.dat was changed after the run"), "{found}");
        std::fs::remove_dir_all(&folder).unwrap();
        let found = changed_waveforms(dir.path()).unwrap();
        assert!(
            found.starts_with("waveforms/r-1.cfg is missing (and 1 more): it is not"),
            "{found}"
        );
    }
}
