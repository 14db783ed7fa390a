//! The files a scenario names: beside it, or among the recordings of this machine.

use std::cell::RefCell;
use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};

/// What a name of a recording begins with.
const RECORDINGS: &str = "recordings:";

/// Larger files are refused rather than read into memory.
const BYTES_MAX: u64 = 1 << 30;

/// Reads the files a scenario names.
pub(crate) struct Files<'a> {
    /// The scenario's folder.
    folder: &'a Path,
    /// Where recordings are, if this machine has any.
    recordings: Option<&'a Path>,
    unavailable: RefCell<Option<String>>,
}

impl<'a> Files<'a> {
    pub(crate) fn new(folder: &'a Path, recordings: Option<&'a Path>) -> Self {
        Self { folder, recordings, unavailable: RefCell::new(None) }
    }

    /// Where a file named in the scenario is; `None` for a recording on a machine without any.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        match name.strip_prefix(RECORDINGS) {
            Some(recording) => Some(self.recordings?.join(recording)),
            None => Some(self.folder.join(name)),
        }
    }

    /// Reads a file; the error says why that failed.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        let Some(path) = self.path(name) else {
            let reason = format!(
                "`{name}` is a recording, and the environment variable LASTMETER_RECORDINGS does \
                 not say where recordings are"
            );
            *self.unavailable.borrow_mut() = Some(reason.clone());
            return Err(reason);
        };
        read(&path).map_err(|error| error.to_string())
    }

    /// Why a file is not to be had on this machine, if one was asked for that is not; forgets it.
    pub(crate) fn take_unavailable(&self) -> Option<String> {
        self.unavailable.borrow_mut().take()
    }
}

/// Reads a whole file of reasonable size.
pub(crate) fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if regular(path)?.len() > BYTES_MAX {
        return Err(std::io::Error::other("it is larger than 1 GiB"));
    }
    std::fs::read(path)
}

/// Opens a file of any size that can be read more than once.
pub(crate) fn open(path: &Path) -> std::io::Result<File> {
    regular(path)?;
    File::open(path)
}

fn regular(path: &Path) -> std::io::Result<Metadata> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(std::io::Error::other("it is a folder"));
    }
    if !metadata.is_file() {
        // A pipe or a device may have no end.
        return Err(std::io::Error::other("it is no regular file"));
    }
    Ok(metadata)
}
