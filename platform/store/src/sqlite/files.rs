//! The files of a store, to notice that they have been taken away: SQLite would go on writing to
//! what nobody can open any more.

use std::path::{Path, PathBuf};

use crate::error::{StoreError, StoreResult};
use crate::files::Identity;

/// Which files there were when the store was opened for writing.
pub(super) struct StoreFiles(Vec<(PathBuf, Identity)>);

impl StoreFiles {
    /// Those of the store at a path.
    pub(super) fn of(path: &Path) -> StoreResult<Self> {
        let mut beside = path.as_os_str().to_owned();
        beside.push("-wal");
        let paths = [path.to_owned(), PathBuf::from(beside)];
        let known = paths.into_iter().map(|path| match Identity::at(&path) {
            Ok(identity) => Ok((path, identity)),
            Err(source) => Err(StoreError::File { path, source }),
        });
        known.collect::<StoreResult<_>>().map(Self)
    }

    /// Which of them is not where it was, and what to do then.
    pub(super) fn trouble(&self) -> Option<String> {
        let is_gone =
            |(path, known): &&(PathBuf, Identity)| Identity::at(path).ok() != Some(*known);
        let (path, _) = self.0.iter().find(is_gone)?;
        Some(format!("{} was taken away while it was in use; restart", path.display()))
    }
}
