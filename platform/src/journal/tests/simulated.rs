//! A disk in memory that forgets what was not synced, cut off at any operation; for tests only.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use super::file::{Directory, SegmentFile};
use super::head::{Facts, Head, HeadFile, Syncing};

/// Name of the head.
pub(crate) const HEAD: &str = "head";

/// One file: what would survive a crash, and what is only in the cache.
#[derive(Clone, Debug, Default)]
struct Content {
    durable: Vec<u8>,
    cached: Vec<u8>,
    name_durable: bool,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Content>,
    /// What a crash after each operation would leave; the first is before any.
    images: Vec<BTreeMap<String, Vec<u8>>>,
    free_bytes: Option<u64>,
    failing_syncs: u32,
    ignore_sync: bool,
}

impl State {
    fn crash_image(&self) -> BTreeMap<String, Vec<u8>> {
        let durable = self.files.iter().filter(|(_, content)| content.name_durable);
        durable.map(|(name, content)| (name.clone(), content.durable.clone())).collect()
    }

    fn remember(&mut self) {
        let image = self.crash_image();
        self.images.push(image);
    }
}

/// The simulated folder; clones share it.
#[derive(Clone, Default)]
pub(crate) struct SimulatedDirectory(Arc<Mutex<State>>);

impl SimulatedDirectory {
    /// A folder as a crash left it.
    pub(crate) fn from_image(image: &BTreeMap<String, Vec<u8>>) -> Self {
        let directory = Self::default();
        for (name, bytes) in image {
            let content =
                Content { durable: bytes.clone(), cached: bytes.clone(), name_durable: true };
            directory.state().files.insert(name.clone(), content);
        }
        directory
    }

    /// Makes every sync return at once without doing anything: the bug to be noticed.
    pub(crate) fn leave_out_syncs(&self) {
        self.state().ignore_sync = true;
    }

    /// From now on only so many bytes fit (ENOSPC).
    pub(crate) fn limit_space(&self, bytes: Option<u64>) {
        self.state().free_bytes = bytes;
    }

    /// The next syncs fail (EIO).
    pub(crate) fn fail_syncs(&self, count: u32) {
        self.state().failing_syncs = count;
    }

    /// A head on the same disk, under a name that is no segment's.
    pub(crate) fn head(&self, facts: Facts) -> Arc<Head> {
        let head = Head::new(facts, |content| {
            let mut file = self.create(HEAD)?;
            file.append(content)?;
            file.sync()?;
            self.sync()?;
            Ok(Box::new(SimulatedFile { directory: self.clone(), name: HEAD.to_owned() }))
        });
        Arc::new(head.unwrap())
    }

    /// What a crash now would leave.
    pub(crate) fn crash_image(&self) -> BTreeMap<String, Vec<u8>> {
        self.state().crash_image()
    }

    /// What is there while nothing crashes, or only the process.
    pub(crate) fn image(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.state();
        state.files.iter().map(|(name, file)| (name.clone(), file.cached.clone())).collect()
    }

    /// What a crash after each operation so far would have left.
    pub(crate) fn images(&self) -> Vec<BTreeMap<String, Vec<u8>>> {
        self.state().images.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

fn missing(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, name.to_owned())
}

impl Directory for SimulatedDirectory {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().files.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        let mut state = self.state();
        state.files.insert(name.to_owned(), Content::default());
        state.remember();
        Ok(Box::new(SimulatedFile { directory: self.clone(), name: name.to_owned() }))
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.state().files.get(name).map(|file| file.cached.clone()).ok_or_else(|| missing(name))
    }

    fn truncate(&self, name: &str, bytes: u64) -> io::Result<()> {
        let mut state = self.state();
        let file = state.files.get_mut(name).ok_or_else(|| missing(name))?;
        file.cached.truncate(bytes as usize);
        file.durable.truncate(bytes as usize);
        state.remember();
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let file = state.files.remove(from).ok_or_else(|| missing(from))?;
        state.files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.state().files.remove(name).map(|_| ()).ok_or_else(|| missing(name))
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        if !state.ignore_sync {
            state.files.values_mut().for_each(|file| file.name_durable = true);
        }
        state.remember();
        Ok(())
    }
}

struct SimulatedFile {
    directory: SimulatedDirectory,
    name: String,
}

impl SegmentFile for SimulatedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.directory.state();
        let fits = state.free_bytes.map_or(bytes.len(), |free| bytes.len().min(free as usize));
        let file = state.files.get_mut(&self.name).ok_or_else(|| missing(&self.name))?;
        file.cached.extend_from_slice(&bytes[..fits]);
        if let Some(free) = &mut state.free_bytes {
            *free -= fits as u64;
        }
        state.remember();
        if fits < bytes.len() {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.directory.state();
        if state.failing_syncs > 0 {
            state.failing_syncs -= 1;
            return Err(io::Error::other("the disk reports an error"));
        }
        if !state.ignore_sync {
            let file = state.files.get_mut(&self.name).ok_or_else(|| missing(&self.name))?;
            file.durable = file.cached.clone();
        }
        state.remember();
        Ok(())
    }

    fn check_in_place(&self, bytes: u64) -> io::Result<()> {
        let state = self.directory.state();
        let file = state.files.get(&self.name).ok_or_else(|| missing(&self.name))?;
        if file.cached.len() as u64 == bytes {
            return Ok(());
        }
        Err(io::Error::other(format!("{} bytes, expected {bytes}", file.cached.len())))
    }
}

impl HeadFile for SimulatedFile {
    fn write_at(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.directory.state();
        let file = state.files.get_mut(&self.name).ok_or_else(|| missing(&self.name))?;
        file.cached[offset..offset + bytes.len()].copy_from_slice(bytes);
        state.remember();
        Ok(())
    }

    fn syncing(&mut self) -> io::Result<Syncing> {
        let mut file = Self { directory: self.directory.clone(), name: self.name.clone() };
        Ok(Box::new(move || SegmentFile::sync(&mut file)))
    }
}
