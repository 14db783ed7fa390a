//! Every decoder of bytes from outside, on inputs that were changed at random: the fuzzers' table
//! under the stable compiler, the same inputs each time. How to search on: `docs/fuzzing.md`.

#[expect(unreachable_pub, reason = "it is a package of its own, too")]
#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::collections::BTreeMap;
use std::error::Error;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

/// Inputs of each target.
const INPUTS: u64 = 5000;
/// Changes of a seed, at most.
const CHANGES: u64 = 6;
/// What all of them together may reserve; a count in a header that was believed is more.
const BYTES_MAX: u64 = 1 << 30;

/// What one input of a past mistake may take; it takes milliseconds.
const REGRESSION_MAX: Duration = Duration::from_mins(1);

/// Texts at which decoders turn off.
const WORDS: &[&[u8]] = &[
    b"4294967296",
    b"-1",
    b"1e308",
    b"nan",
    b"\n",
    b"\r\n",
    b"\"",
    b"[",
    b"]]",
    b"{",
    b"}",
    b",,",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b" ~ ",
    b"null",
    b"0",
    b"99999999",
    b"=",
    b"\"\"\"",
    b"//",
];

/// Numbers that look random and are the same each time (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        for shift in [13_i32, -7, 17] {
            self.0 ^= if shift > 0 { self.0 << shift } else { self.0 >> -shift };
        }
        (self.0 % count.max(1) as u64) as usize
    }

    /// One place changed: a byte, a word, a stretch gone, doubled, or from another place.
    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        let end = (at + self.below(40)).min(bytes.len());
        match self.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 => drop(bytes.splice(at..end, WORDS[self.below(WORDS.len())].iter().copied())),
            2 => drop(bytes.splice(at..at, WORDS[self.below(WORDS.len())].iter().copied())),
            3 => drop(bytes.drain(at..end)),
            4 => bytes.truncate(at),
            _ => {
                let stretch = bytes[at..end].to_vec();
                let to = self.below(bytes.len() + 1);
                drop(bytes.splice(to..to, stretch));
            }
        }
    }
}

/// The largest address space this process ever had; 0 where the system does not report it.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}

#[test]
fn no_bytes_make_a_decoder_panic_or_reserve_what_they_do_not_justify() {
    let before = peak_bytes();
    for target in fuzz::TARGETS {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        let refused = target.seeds.iter().position(|seed| !(target.run)(seed));
        assert_eq!(refused, None, "{}: a seed is not decoded", target.name);
        for number in 0..INPUTS {
            let mut bytes = target.seeds[dice.below(target.seeds.len())].to_vec();
            for _ in 0..=number % CHANGES {
                dice.change(&mut bytes);
            }
            let text = String::from_utf8_lossy(&bytes);
            assert!(catch_unwind(|| (target.run)(&bytes)).is_ok(), "{}: {text:?}", target.name);
        }
    }
    assert!(peak_bytes() - before < BYTES_MAX, "{} bytes", peak_bytes() - before);
}

/// The inputs of past mistakes, by the name of their target. A folder that names none of these
/// targets, or has no file, is an error.
fn regressions(
    folder: &Path,
    targets: &[fuzz::Target],
) -> Result<BTreeMap<String, Vec<PathBuf>>, Box<dyn Error>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !targets.iter().any(|target| target.name == name) {
            return Err(format!("{name}: no target has this name").into());
        }
        let inputs = std::fs::read_dir(entry.path())?.map(|input| Ok(input?.path()));
        let inputs = inputs.collect::<Result<Vec<_>, std::io::Error>>()?;
        if inputs.is_empty() {
            return Err(format!("{name}: the folder is empty").into());
        }
        found.insert(name, inputs);
    }
    Ok(found)
}

#[test]
fn no_input_of_a_past_mistake_is_one_again() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/regressions");
    let mut inputs = regressions(&folder, fuzz::TARGETS)?;
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    for target in fuzz::TARGETS {
        for path in inputs.remove(target.name).unwrap_or_default() {
            let (bytes, run) = (std::fs::read(&path)?, target.run);
            let (done, end) = mpsc::channel();
            std::thread::spawn(move || done.send(run(&bytes)));
            // A decoder that panics takes its end of the channel with it.
            let end = end.recv_timeout(REGRESSION_MAX);
            assert!(end.is_ok(), "{}: {end:?}", path.display());
        }
    }
    Ok(())
}

#[test]
fn a_folder_without_a_target_and_one_without_inputs_are_errors() -> Result<(), Box<dyn Error>> {
    for (name, expected) in
        [("nobody", "nobody: no target has this name"), ("dss", "dss: the folder is empty")]
    {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join(name))?;
        let error = regressions(folder.path(), fuzz::TARGETS).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some(expected));
    }
    Ok(())
}
