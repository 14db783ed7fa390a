//! The few things a journal does to files, behind a trait, so that a simulated disk can lose what
//! was not synced.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use lastmeter_store::files::{self, Identity};

/// A folder that holds segments.
pub(crate) trait Directory: Send {
    /// Names of all files, sorted.
    fn list(&self) -> io::Result<Vec<String>>;
    /// A new empty file to append to; an old one of that name is emptied.
    fn create(&self, name: &str) -> io::Result<Box<dyn SegmentFile>>;
    /// The whole content of a file.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// Cuts a file to a length, durably.
    fn truncate(&self, name: &str, bytes: u64) -> io::Result<()>;
    /// Gives a file another name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes the names of created files durable.
    fn sync(&self) -> io::Result<()>;
}

/// A file that is only appended to.
pub(crate) trait SegmentFile: Send {
    /// Writes all bytes at the end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when everything appended is durable (`fdatasync`).
    fn sync(&mut self) -> io::Result<()>;
    /// Makes sure that the file is still where it was made and so long: one that was removed can
    /// be appended to and synced all the same, and is not there after a restart.
    fn check_in_place(&self, bytes: u64) -> io::Result<()>;
}

/// Folders above the journal's that the platform makes: the tenant's, the data folder, and where
/// that one lies.
const PARENTS: usize = 3;

/// A folder of the real file system.
pub(crate) struct RealDirectory {
    path: PathBuf,
}

impl RealDirectory {
    /// Opens a folder, making it if needed.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        files::make_folder(path)?;
        // A folder is only there for good once the one above it has been synced.
        for parent in path.ancestors().skip(1).take(PARENTS).filter(|p| p.is_dir()) {
            fs::File::open(parent)?.sync_all()?;
        }
        Ok(Self { path: path.to_owned() })
    }

    /// A folder as it is, to be looked at.
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }
}

impl Directory for RealDirectory {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        let path = self.path.join(name);
        // Appended to wherever its end is: cut short by somebody else, it shows as too short.
        let file = files::private().create(true).append(true).open(&path)?;
        file.set_len(0)?;
        let identity = Identity::of(&file)?;
        Ok(Box::new(RealFile { file, path, identity }))
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path.join(name))
    }

    fn truncate(&self, name: &str, bytes: u64) -> io::Result<()> {
        let file = fs::File::options().write(true).open(self.path.join(name))?;
        file.set_len(bytes)?;
        file.sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        fs::File::open(&self.path)?.sync_all()
    }
}

struct RealFile {
    file: fs::File,
    path: PathBuf,
    identity: Identity,
}

impl SegmentFile for RealFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn check_in_place(&self, bytes: u64) -> io::Result<()> {
        let (identity, length) = Identity::and_length_at(&self.path)
            .map_err(|error| io::Error::new(error.kind(), gone(&self.path, &error)))?;
        if identity != self.identity {
            return Err(io::Error::other(gone(&self.path, &"another file is in its place")));
        }
        if length != bytes {
            let why = format!("it has {length} bytes, expected {bytes}");
            return Err(io::Error::other(gone(&self.path, &why)));
        }
        Ok(())
    }
}

fn gone(path: &Path, why: &dyn std::fmt::Display) -> String {
    format!("{} was taken away while it was written: {why}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_does_what_is_asked_and_reports_what_it_cannot() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let directory = RealDirectory::open(&path).unwrap();
        directory.create("a").unwrap().append(b"12345").unwrap();
        directory.rename("a", "b").unwrap();
        assert_eq!(directory.list().unwrap(), ["b"]);
        directory.truncate("b", 3).unwrap();
        assert_eq!(directory.read("b").unwrap(), b"123");
        directory.sync().unwrap();
        assert_eq!(directory.rename("a", "c").unwrap_err().kind(), io::ErrorKind::NotFound);
        directory.remove("b").unwrap();
        assert!(directory.list().unwrap().is_empty());
        fs::remove_dir(&path).unwrap();
        assert_eq!(directory.sync().unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    /// Linux syncs no character device (fsync(2), `EINVAL`).
    #[test]
    fn what_cannot_be_made_durable_is_an_error() {
        let path = PathBuf::from("/dev/null");
        let file = fs::File::options().append(true).open(&path).unwrap();
        let identity = Identity::of(&file).unwrap();
        let mut file = RealFile { file, path, identity };
        file.append(b"gone").unwrap();
        assert!(file.sync().is_err());
    }
}
