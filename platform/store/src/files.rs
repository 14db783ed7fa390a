//! What lies in the data folder is for its owner alone: folders are made with mode 0700, files with
//! 0600, and looser ones of earlier versions are tightened when they are found.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Bits that others than the owner have.
const OTHERS_MODE_BITS: u32 = 0o077;

/// Makes a folder and those above it that are missing, all for the owner alone; what is there is
/// left as it is.
pub fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Takes a file or folder away from everybody but its owner; whether anything was different.
pub fn tighten(path: &Path) -> io::Result<bool> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & OTHERS_MODE_BITS == 0 {
        return Ok(false);
    }
    fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS_MODE_BITS))?;
    tracing::info!(path = %path.display(), "closed to everybody but its owner");
    Ok(true)
}

/// Options for a file for the owner alone.
pub fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Which file this is, wherever its name goes: device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity(u64, u64);

impl Identity {
    /// Of an open file.
    pub fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self(metadata.dev(), metadata.ino()))
    }

    /// Of what a path leads to.
    pub fn at(path: &Path) -> io::Result<Self> {
        Self::and_length_at(path).map(|(identity, _)| identity)
    }

    /// Of what a path leads to, and its length in bytes.
    pub fn and_length_at(path: &Path) -> io::Result<(Self, u64)> {
        let metadata = fs::metadata(path)?;
        Ok((Self(metadata.dev(), metadata.ino()), metadata.len()))
    }
}

/// Replaces a file's content as a whole, durably: after a crash there is the old or the new one.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    let mut file = private().create(true).write(true).truncate(true).open(beside)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    let replaced = written.and_then(|()| fs::rename(beside, path));
    if let Err(error) = replaced {
        // What is left of it is overwritten by the next one.
        let _ = fs::remove_file(beside);
        return Err(error);
    }
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Whether an error means that nothing can be written here, while reading may well go on.
pub fn cannot_write(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem)
}

/// What makes one process at a time use a data folder; it ends with the process, however that
/// ends.
pub struct FolderLock {
    /// The folder itself: whatever is removed from it, it stays locked.
    pub folder: File,
    /// The lock file, where one could be made.
    pub file: Option<File>,
}

impl Drop for FolderLock {
    /// Given up by name, not left to closing: a child process that somebody starts at this moment
    /// holds copies of the files until it becomes its program, and with them the lock.
    fn drop(&mut self) {
        for held in self.file.iter().chain([&self.folder]) {
            if let Err(error) = held.unlock() {
                tracing::debug!(%error, "the lock goes with its file");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_made_is_for_its_owner_alone_and_what_was_looser_is_tightened() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        make_folder(&deep).unwrap();
        assert_eq!((mode(&folder.path().join("a")), mode(&deep)), (0o700, 0o700));
        let file = deep.join("file");
        replace(&file, b"one").unwrap();
        replace(&file, b"two").unwrap();
        assert_eq!((fs::read(&file).unwrap(), mode(&file)), (b"two".to_vec(), 0o600));
        assert_eq!(fs::read_dir(&deep).unwrap().count(), 1, "nothing is left beside it");
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert!(tighten(&file).unwrap() && !tighten(&file).unwrap());
        assert_eq!(mode(&file), 0o600);
    }

    #[test]
    fn a_file_that_took_anothers_place_is_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = private().create(true).write(true).open(&path).unwrap();
        assert_eq!(Identity::of(&file).unwrap(), Identity::at(&path).unwrap());
        fs::rename(&path, folder.path().join("moved")).unwrap();
        assert!(Identity::at(&path).is_err());
        fs::write(&path, b"").unwrap();
        assert_ne!(Identity::of(&file).unwrap(), Identity::at(&path).unwrap());
    }
}
