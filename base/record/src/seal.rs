//! What tells a record as the run wrote it from one that was changed or cut afterwards.
//!
//! Terms: the *seal* of a file is the number of its lines and the SHA-256 of its bytes, taken while
//! it is written and kept in `run.json`. It guards against accidents and edits of a record, not
//! against somebody who also rewrites `run.json`: nothing here is signed.

use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};

use super::{RunFacts, RunState, Torn, file};
use lastmeter_text::append;

/// The SHA-256 of some bytes, in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(Sha256::new_with_prefix(bytes))
}

/// A hash as it is written.
pub fn hexadecimal(hash: Sha256) -> String {
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        append(&mut text, format_args!("{byte:02x}"));
    }
    text
}

/// Hashes what is read or written through it, so that no second pass is needed.
#[derive(Debug)]
pub(super) struct Hashed<T> {
    inner: T,
    /// `None`: nobody wants to know.
    hash: Option<Sha256>,
}

impl<T> Hashed<T> {
    pub(super) fn new(inner: T, is_wanted: bool) -> Self {
        Self { inner, hash: is_wanted.then(Sha256::new) }
    }

    /// The SHA-256 of all bytes that have passed, in hexadecimal.
    pub(super) fn so_far(&self) -> Option<String> {
        self.hash.clone().map(hexadecimal)
    }
}

impl<T: Write> Write for Hashed<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        if let Some(hash) = &mut self.hash {
            hash.update(&bytes[..count]);
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Hashed<T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(bytes)?;
        if let Some(hash) = &mut self.hash {
            hash.update(&bytes[..count]);
        }
        Ok(count)
    }
}

/// What was found on reading one of the sealed files to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The file's name in the run folder.
    pub file: &'static str,
    /// How many rows or events it holds.
    pub lines: u64,
    /// The SHA-256 of its whole lines.
    pub sha256: Option<String>,
    /// Its unfinished last line.
    pub torn: Option<Torn>,
}

/// In what the record differs from what the run wrote, as one sentence; `None` if in nothing. A run
/// that never finished its record left no seal on its files, only on the scenario.
pub fn changed(facts: &RunFacts, scenario_toml: &str, found: &[Found]) -> Option<String> {
    let mut said = Vec::new();
    if sha256(scenario_toml.as_bytes()) != facts.scenario_hash {
        said.push(format!(
            "{} was changed after the run: its SHA-256 is not the `scenario_hash` of {}",
            file::SCENARIO,
            file::RUN
        ));
    }
    if facts.state != RunState::Running {
        if !facts.is_as_written() {
            said.push(format!(
                "{} was changed after the run: it is not what its own hash says",
                file::RUN
            ));
        }
        said.extend(found.iter().filter_map(|found| difference(facts, found)));
    }
    (!said.is_empty()).then(|| said.join("; "))
}

impl RunFacts {
    /// Whether they are what the run wrote, by their own hash. A run that never finished its record
    /// left none, and nothing is known of it.
    pub fn is_as_written(&self) -> bool {
        self.state == RunState::Running || self.hashes.get(file::RUN) == Some(&facts_hash(self))
    }
}

/// The SHA-256 of what `run.json` says, without what is added when the run is judged. It notices a
/// figure that was changed by hand; who makes the hash anew is not noticed by it.
pub(crate) fn facts_hash(facts: &RunFacts) -> String {
    let mut facts = facts.clone();
    facts.hashes.remove(file::RUN);
    (facts.exit_code, facts.verdicts, facts.account) = (None, None, None);
    // Facts that were read or written are text and numbers, which always can be.
    sha256(&serde_json::to_vec(&facts).unwrap_or_default())
}

fn difference(facts: &RunFacts, found: &Found) -> Option<String> {
    let name = found.file;
    let (what, count) = match name {
        file::OBSERVATIONS => ("rows", facts.observations),
        file::LATENCY => ("rows", facts.latency),
        file::GRID | file::GRID_LOADS | file::GRID_VOLTAGES => ("rows", facts.grid),
        // Of a picture only the bytes count.
        file::GRID_HEAVIEST | file::GRID_HIGHEST => ("lines", Some(found.lines)),
        _ => ("events", facts.events),
    };
    let (Some(count), Some(sha256)) = (count, facts.hashes.get(name)) else {
        return Some(format!(
            "{} does not say how many {what} {name} held at the end of the run, or not its \
             SHA-256: it was changed after the run, or is of a version that did not finish it",
            file::RUN
        ));
    };
    if found.lines != count {
        let lines = found.lines;
        return Some(format!(
            "{name} holds {lines} of {count} {what}: the record was changed or cut after the run"
        ));
    }
    if let Some(torn) = found.torn {
        return Some(format!("{torn}: the record was changed or cut after the run"));
    }
    (found.sha256.as_ref() != Some(sha256)).then(|| {
        format!("{name} was changed after the run: its SHA-256 is not the one in {}", file::RUN)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2, appendix B.1 and the empty message.
    #[test]
    fn the_hash_is_sha_256() {
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn what_passes_in_pieces_is_hashed_as_a_whole() {
        let mut written = Hashed::new(Vec::new(), true);
        for piece in [&b"a"[..], b"", b"bc"] {
            written.write_all(piece).unwrap();
        }
        assert_eq!((written.so_far(), written.inner), (Some(sha256(b"abc")), b"abc".to_vec()));
        let mut read = Hashed::new(&b"abc"[..], true);
        io::copy(&mut read, &mut io::sink()).unwrap();
        assert_eq!(read.so_far(), Some(sha256(b"abc")));
        assert_eq!(Hashed::new(&b"abc"[..], false).so_far(), None);
    }
}
