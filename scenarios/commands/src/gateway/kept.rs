//! The durable records of a gateway that runs by itself: an append-only file with checksums.
//!
//! A record counts as kept when `fdatasync` has returned. A record that was being written when the
//! supply failed stands at the end, incomplete, and is cut off: it was acknowledged to nobody.
//! Anything else that is wrong with the file is reported and nothing is changed. When most of the
//! file is forgotten, what is left is written to a new one, which then takes its place.
//!
//! A file has an epoch, written before anything is counted in it: serials that begin again with a
//! new file are others than those before.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

/// What the file begins with.
const MAGIC: &[u8; 8] = b"LMKEPT01";
/// Kind, length and number, their checksum, and the checksum of the record.
const HEAD_BYTES: usize = 1 + 4 + 8 + 4 + 4;
/// No record is longer; a length beyond it is damage.
const RECORD_BYTES_MAX: usize = 16 << 20;
/// A file with fewer forgotten bytes is not written anew.
const FORGOTTEN_BYTES_MIN: u64 = 1 << 20;

/// What a record is.
const KEEP: u8 = 1;
const FORGET: u8 = 2;
/// Its number is the epoch of all that is counted in this file.
const EPOCH: u8 = 3;
/// The epoch of a file that has been in use and has none: files had none at first.
const EPOCH_OF_OLD_FILES: u64 = 1;

/// Why records cannot be kept or read.
#[derive(Debug, Error)]
pub enum KeptError {
    /// The file system refuses.
    #[error("{what} {path}: {source}", path = path.display())]
    File {
        /// What was being done.
        what: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// Another gateway works on it.
    #[error("{path} is in use by another gateway: give each a folder of its own", path = .0.display())]
    InUse(PathBuf),
    /// It is no such file, or of another version.
    #[error("{path} begins with none of the marks of a gateway's records: give another folder, or move the file away", path = .0.display())]
    Foreign(PathBuf),
    /// A record before the end is damaged.
    #[error("{path} is damaged at byte {at}, {left} bytes before its end: restore it from a copy, or move it away and lose what it keeps", path = path.display())]
    Damaged {
        /// The file that is damaged.
        path: PathBuf,
        /// The first byte of the record that is wrong.
        at: usize,
        /// How many bytes follow.
        left: usize,
    },
}

/// The records of one gateway.
#[derive(Debug)]
pub struct RecordStore {
    path: PathBuf,
    file: File,
    records: BTreeMap<u64, Vec<u8>>,
    epoch: Option<u64>,
    /// Bytes of what is forgotten.
    forgotten_bytes: u64,
    /// Bytes of all there is.
    bytes: u64,
    /// Bytes of an incomplete record that were cut off when it was opened.
    cut_bytes: usize,
}

impl RecordStore {
    /// Opens the records in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// If the folder is in use, or its file is damaged or none of a gateway.
    pub fn open(folder: &Path) -> Result<Self, KeptError> {
        std::fs::create_dir_all(folder).map_err(failed("cannot create", folder))?;
        let path = folder.join("kept.log");
        let mut options = OpenOptions::new();
        let options = options.read(true).append(true).create(true);
        let mut file = options.open(&path).map_err(failed("cannot open", &path))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| KeptError::InUse(path.clone()))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed("cannot read", &path))?;
        // A file whose very mark was not complete was never in use.
        if bytes.len() < MAGIC.len() && MAGIC.starts_with(&bytes) {
            file.set_len(0).map_err(failed("cannot write", &path))?;
            file.write_all(MAGIC).map_err(failed("cannot write", &path))?;
            file.sync_all().map_err(failed("cannot write", &path))?;
            sync_folder(folder)?;
            bytes = MAGIC.to_vec();
        }
        if !bytes.starts_with(MAGIC) {
            return Err(KeptError::Foreign(path));
        }
        let mut kept = Self {
            path,
            file,
            records: BTreeMap::new(),
            epoch: None,
            forgotten_bytes: 0,
            bytes: bytes.len() as u64,
            cut_bytes: 0,
        };
        kept.read(&bytes)?;
        Ok(kept)
    }

    /// Takes in what the file holds, and cuts an incomplete record off its end.
    fn read(&mut self, bytes: &[u8]) -> Result<(), KeptError> {
        let mut at = MAGIC.len();
        while at < bytes.len() {
            match parse(&bytes[at..]) {
                Parsed::Record { kind, number, record, length } => {
                    self.take(kind, number, record);
                    at += length;
                }
                Parsed::Incomplete => {
                    self.cut_bytes = bytes.len() - at;
                    self.bytes = at as u64;
                    let cut = self.file.set_len(at as u64).and_then(|()| self.file.sync_all());
                    return cut.map_err(failed("cannot write", &self.path));
                }
                Parsed::Damaged => {
                    let (path, left) = (self.path.clone(), bytes.len() - at);
                    return Err(KeptError::Damaged { path, at, left });
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, kind: u8, number: u64, record: &[u8]) {
        if kind == KEEP {
            self.records.insert(number, record.to_vec());
        } else if kind == EPOCH {
            self.epoch = Some(number);
        } else {
            let left = self.records.split_off(&number.saturating_add(1));
            let gone = std::mem::replace(&mut self.records, left);
            let bytes = gone.values().map(|record| (HEAD_BYTES + record.len()) as u64);
            self.forgotten_bytes += bytes.sum::<u64>() + HEAD_BYTES as u64;
        }
    }

    /// The epoch of all that is counted in this file: the one it was begun with, which is `new`
    /// where nothing has been counted in it yet.
    ///
    /// # Errors
    /// If a new one cannot be written.
    pub fn epoch(&mut self, new: u64) -> Result<u64, KeptError> {
        if self.epoch.is_none() && self.records.is_empty() && self.forgotten_bytes == 0 {
            let mut out = Vec::new();
            encode(EPOCH, new, &[], &mut out);
            self.write(&out)?;
            self.epoch = Some(new);
        }
        Ok(self.epoch.unwrap_or(EPOCH_OF_OLD_FILES))
    }

    /// Bytes of an incomplete record that were cut off when it was opened.
    pub fn cut_bytes(&self) -> usize {
        self.cut_bytes
    }

    /// What is kept, in the order of the numbers.
    pub fn records(&self) -> Vec<Vec<u8>> {
        self.records.values().cloned().collect()
    }

    /// Writes records; they are durable when it returns.
    ///
    /// # Errors
    /// If they cannot be written: then none of them counts as kept.
    pub fn keep(&mut self, records: &[(u64, Vec<u8>)]) -> Result<(), KeptError> {
        let mut out = Vec::new();
        for (number, record) in records {
            encode(KEEP, *number, record, &mut out);
        }
        self.write(&out)?;
        for (number, record) in records {
            self.take(KEEP, *number, record);
        }
        Ok(())
    }

    /// Forgets all records up to this number.
    ///
    /// # Errors
    /// If that cannot be written.
    pub fn forget(&mut self, upto: u64) -> Result<(), KeptError> {
        let mut out = Vec::new();
        encode(FORGET, upto, &[], &mut out);
        self.write(&out)?;
        self.take(FORGET, upto, &[]);
        if self.forgotten_bytes >= FORGOTTEN_BYTES_MIN && 2 * self.forgotten_bytes > self.bytes {
            self.write_anew()?;
        }
        Ok(())
    }

    fn write(&mut self, out: &[u8]) -> Result<(), KeptError> {
        let written = self.file.write_all(out).and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            // Half a record would be damage once something follows it.
            let _ = self.file.set_len(self.bytes);
            return Err(failed("cannot write", &self.path)(source));
        }
        self.bytes += out.len() as u64;
        Ok(())
    }

    /// Writes what is left to a new file, which takes the place of the old one.
    fn write_anew(&mut self) -> Result<(), KeptError> {
        let fresh = self.path.with_extension("new");
        let mut out = MAGIC.to_vec();
        if let Some(epoch) = self.epoch {
            encode(EPOCH, epoch, &[], &mut out);
        }
        for (number, record) in &self.records {
            encode(KEEP, *number, record, &mut out);
        }
        let folder = self.path.parent().unwrap_or(Path::new(".")).to_owned();
        let failed_here = || failed("cannot write", &fresh);
        // What a failure may have left of an earlier one is of no use.
        let _ = std::fs::remove_file(&fresh);
        let mut options = OpenOptions::new();
        let options = options.read(true).append(true).create_new(true);
        let mut file = options.open(&fresh).map_err(failed_here())?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| KeptError::InUse(fresh.clone()))?;
        file.write_all(&out).and_then(|()| file.sync_all()).map_err(failed_here())?;
        std::fs::rename(&fresh, &self.path).map_err(failed_here())?;
        sync_folder(&folder)?;
        (self.file, self.bytes, self.forgotten_bytes) = (file, out.len() as u64, 0);
        Ok(())
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> KeptError + use<> {
    let path = path.to_owned();
    move |source| KeptError::File { what, path, source }
}

fn sync_folder(folder: &Path) -> Result<(), KeptError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(failed("cannot write", folder))
}

/// Appends a record. The head has a checksum of its own, so that a length can be believed.
fn encode(kind: u8, number: u64, record: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.push(kind);
    out.extend(u32::try_from(record.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(number.to_le_bytes());
    out.extend(crc32c::crc32c(&out[start..]).to_le_bytes());
    out.extend(crc32c::crc32c(record).to_le_bytes());
    out.extend(record);
}

/// What bytes begin with.
#[derive(Debug, PartialEq)]
enum Parsed<'a> {
    Record {
        kind: u8,
        number: u64,
        record: &'a [u8],
        length: usize,
    },
    /// The end of the file came first.
    Incomplete,
    Damaged,
}

fn parse(bytes: &[u8]) -> Parsed<'_> {
    let Some((head, rest)) = bytes.split_at_checked(HEAD_BYTES) else { return Parsed::Incomplete };
    let four = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (kind, record_length) = (head[0], four(1) as usize);
    let number = u64::from(four(5)) | u64::from(four(9)) << 32;
    let is_whole = crc32c::crc32c(&head[..13]) == four(13)
        && [KEEP, FORGET, EPOCH].contains(&kind)
        && record_length <= RECORD_BYTES_MAX;
    if !is_whole {
        // A power failure can leave zeros where a record was to be.
        let is_blank = bytes.iter().all(|&byte| byte == 0);
        return if is_blank { Parsed::Incomplete } else { Parsed::Damaged };
    }
    let Some(record) = rest.get(..record_length) else { return Parsed::Incomplete };
    let length = HEAD_BYTES + record_length;
    if crc32c::crc32c(record) != four(17) {
        // The last one may have been on its way to the disk.
        let is_last = length == bytes.len();
        return if is_last { Parsed::Incomplete } else { Parsed::Damaged };
    }
    Parsed::Record { kind, number, record, length }
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
