//! CAN buses in the run folder: of each `can/NETWORK.log`, lines as `candump -L` writes them, and
//! `can/NETWORK.pcapng`, the same as packets of `SocketCAN`.
//!
//! Both are written in whole lines and blocks: what a run leaves that is killed can be read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use lastmeter_can::capture::{Captured, LINK_TYPE};
use lastmeter_units::SimTime;

use super::pcapng;

/// The folder in the run folder.
const FOLDER: &str = "can";
/// From so many bytes on they are written without waiting for the next sync.
const WAITING_MAX: usize = 1 << 20;

/// What is captured of the buses of a run, by their networks' numbers.
#[derive(Debug, Default)]
pub(crate) struct BusCaptures(BTreeMap<usize, BusCapture>);

#[derive(Debug)]
struct BusCapture {
    /// What its lines name as the interface.
    network: String,
    log: Appended,
    packets: Appended,
    /// Two nodes that send the same frame at once make one frame on the wire.
    last: Option<(SimTime, Captured)>,
}

/// A file with what is not in it yet.
#[derive(Debug)]
struct Appended {
    path: PathBuf,
    file: File,
    waiting: Vec<u8>,
}

/// A file that cannot be written.
pub(crate) type Unwritable = (PathBuf, io::Error);

impl Appended {
    fn create(path: PathBuf, begin: Vec<u8>) -> Result<Self, Unwritable> {
        match File::create(&path) {
            Ok(file) => Ok(Self { path, file, waiting: begin }),
            Err(error) => Err((path, error)),
        }
    }

    fn write(&mut self) -> Result<(), Unwritable> {
        let written = self.file.write_all(&self.waiting);
        self.waiting.clear();
        written.map_err(|error| (self.path.clone(), error))
    }
}

impl BusCaptures {
    /// Begins the files of networks, given by number and name. Without any there is no folder.
    ///
    /// # Errors
    /// If a file cannot be made.
    pub(crate) fn create<'a>(
        out: &Path,
        networks: impl Iterator<Item = (usize, &'a str)>,
    ) -> Result<Self, Unwritable> {
        let folder = out.join(FOLDER);
        let mut of = BTreeMap::new();
        for (number, network) in networks {
            std::fs::create_dir_all(&folder).map_err(|error| (folder.clone(), error))?;
            let path = |ending: &str| folder.join(format!("{network}.{ending}"));
            let head = pcapng::head(LINK_TYPE, network);
            let capture = BusCapture {
                network: network.to_owned(),
                log: Appended::create(path("log"), Vec::new())?,
                packets: Appended::create(path("pcapng"), head)?,
                last: None,
            };
            of.insert(number, capture);
        }
        let mut captures = Self(of);
        captures.write()?;
        Ok(captures)
    }

    /// Takes what passed on the bus of a network, in order of time; it is in the files after the
    /// next [`Self::write`].
    ///
    /// # Errors
    /// If a file cannot be written.
    pub(crate) fn take(
        &mut self,
        network: usize,
        at: SimTime,
        captured: Captured,
    ) -> Result<(), Unwritable> {
        let Some(capture) = self.0.get_mut(&network) else { return Ok(()) };
        let is_frame = matches!(captured, Captured::Frame(_));
        if is_frame && capture.last.replace((at, captured)) == Some((at, captured)) {
            return Ok(());
        }
        capture.log.waiting.extend(captured.line(at, &capture.network).bytes());
        let at_ns = at.0.max(0).unsigned_abs();
        capture.packets.waiting.extend(pcapng::packet(at_ns, &captured.packet()));
        match capture.packets.waiting.len() {
            0..WAITING_MAX => Ok(()),
            _ => self.write(),
        }
    }

    /// Writes what was taken.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub(crate) fn write(&mut self) -> Result<(), Unwritable> {
        for capture in self.0.values_mut() {
            capture.log.write()?;
            capture.packets.write()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::read;

    #[test]
    fn both_files_hold_what_was_taken_as_soon_as_it_is_written() {
        let out = tempfile::tempdir().unwrap();
        let mut captures = BusCaptures::create(out.path(), [(3, "two")].into_iter()).unwrap();
        let frame = |text: &str| Captured::Frame(text.parse().unwrap());
        captures.take(3, SimTime(1_000_376_000), frame("223#R8")).unwrap();
        // Of two that send the same at once there is one frame; later it is another one.
        captures.take(3, SimTime(1_000_376_000), frame("223#R8")).unwrap();
        captures.take(3, SimTime(2_000_000_001), frame("223#R8")).unwrap();
        captures.take(4, SimTime(2_000_000_001), frame("223#")).unwrap();
        let found = |ending: &str| std::fs::read(out.path().join("can/two").with_extension(ending));
        assert_eq!(found("log").unwrap(), b"");
        assert_eq!(read(&found("pcapng").unwrap()).packets, []);
        captures.write().unwrap();
        let lines = "(0000000001.000376) two 223#R8\n(0000000002.000000) two 223#R8\n";
        assert_eq!(String::from_utf8(found("log").unwrap()).unwrap(), lines);
        let packets = read(&found("pcapng").unwrap());
        assert_eq!(packets.damage, None);
        let found: Vec<_> = packets.packets.iter().map(|it| (it.at_ns, it.link)).collect();
        assert_eq!(found, [(1_000_376_000, 227), (2_000_000_001, 227)]);
        assert_eq!(packets.packets[0].bytes[..8], [0x40, 0, 2, 0x23, 8, 0, 0, 0]);
    }

    #[test]
    fn without_a_network_there_is_no_folder() {
        let out = tempfile::tempdir().unwrap();
        BusCaptures::create(out.path(), std::iter::empty()).unwrap();
        assert!(!out.path().join(FOLDER).exists());
    }
}
