//! A run that passed and whose record was removed, as `--keep failed` asks: what it came to stays.

use std::fs;
use std::path::Path;

use lastmeter_record::{RecordError, RunFacts, RunReader, file, sha256, write_facts};

use crate::evaluation::Evaluation;
use crate::verdict::{Reason, Verdict};

/// What stays of such a run.
const KEPT: [&str; 5] = [file::RUN, file::SCENARIO, file::VERDICTS, file::JUNIT, file::REPORT];

/// Removes the record of a run that was judged, and all that was made of it but its page and its
/// verdicts, by whose hash a later change of them is noticed.
///
/// # Errors
/// If a file cannot be read, written or removed.
pub fn remove_record(dir: &Path) -> Result<(), RecordError> {
    let mut facts = RunReader::open(dir)?.facts().clone();
    let path = dir.join(file::VERDICTS);
    let verdicts = fs::read(&path).map_err(RecordError::io("read", &path))?;
    facts.removed_behind = Some(sha256(&verdicts));
    // First, so that a folder that is found half empty states why.
    write_facts(dir, &facts)?;
    for entry in fs::read_dir(dir).map_err(RecordError::io("read", dir))? {
        let entry = entry.map_err(RecordError::io("read", dir))?;
        let (path, name) = (entry.path(), entry.file_name());
        if KEPT.iter().any(|kept| name == *kept) {
            continue;
        }
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(RecordError::io("remove", &path))?;
    }
    Ok(())
}

/// What such a run came to, by its verdicts alone; these were changed if they do not have this
/// hash.
pub(crate) fn judged_before(dir: &Path, facts: RunFacts, hash: &str) -> Evaluation {
    let bytes = fs::read(dir.join(file::VERDICTS)).unwrap_or_default();
    let read = serde_json::from_slice::<Vec<Verdict>>(&bytes);
    let is_same = sha256(&bytes) == hash && facts.is_as_written();
    let changed = (!is_same).then(|| {
        format!("the record was removed, and {} is not what the run wrote", file::VERDICTS)
    });
    let unreadable = read.as_ref().err().map(|error| format!("{}: {error}", file::VERDICTS));
    let mut verdicts = read.unwrap_or_default();
    for verdict in verdicts.iter_mut().filter(|_| changed.is_some()) {
        verdict.set_reason(Reason::RecordChanged);
        verdict.why = changed.clone().unwrap_or_default().into();
    }
    Evaluation {
        account: facts.account.unwrap_or_default(),
        unreadable,
        verdicts,
        torn: Vec::new(),
        changed,
        facts,
    }
}
