//! The files a scenario names: beside it, or among the recordings of this machine.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};

use lastmeter_params::nearest;
use lastmeter_record::RunFacts;

/// What a name of a recording begins with.
const RECORDINGS: &str = "recordings:";

/// Larger files are refused rather than read into memory.
const BYTES_MAX: u64 = 1 << 30;

/// What a run folder keeps.
struct RunFiles {
    texts: BTreeMap<String, String>,
    /// Whether these are what the run wrote, as far as their seal shows.
    is_as_written: bool,
}

pub(crate) struct Files<'a> {
    folder: &'a Path,
    /// Where recordings are, if this machine has any.
    recordings: Option<&'a Path>,
    /// The texts a run was judged by, if the scenario is that of a run folder.
    kept: Option<RunFiles>,
    unavailable: RefCell<Option<String>>,
}

impl<'a> Files<'a> {
    /// The files of a scenario that may be a run folder's, which keeps what the run was judged by.
    pub(crate) fn beside(scenario: &'a Path, recordings: Option<&'a Path>) -> Self {
        let folder = scenario.parent().unwrap_or(Path::new(""));
        let is_of_run = scenario.file_name().is_some_and(|name| name == RESOLVED);
        let kept = is_of_run.then(|| kept_in(&folder.join(FACTS))).flatten();
        Self { folder, recordings, kept, unavailable: RefCell::new(None) }
    }

    /// Whether the scenario is that of a run folder.
    pub(crate) fn is_of_run(&self) -> bool {
        self.kept.is_some()
    }

    /// The copy that the run folder keeps of a file, if it is one and has one; the error shows that
    /// somebody changed what is kept.
    pub(crate) fn kept(&self, name: &str) -> Result<Option<&str>, String> {
        let Some(kept) = &self.kept else { return Ok(None) };
        let text = kept.texts.get(name).map(String::as_str);
        if text.is_some() && !kept.is_as_written {
            return Err(format!(
                "{FACTS} beside the scenario was changed after the run, or is of another version: \
                 the copies that it keeps are not what the run was judged by"
            ));
        }
        Ok(text)
    }

    /// Where a file named in the scenario is; `None` for a recording on a machine without any.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        match name.strip_prefix(RECORDINGS) {
            Some(recording) => Some(self.recordings?.join(recording)),
            None => Some(self.folder.join(name)),
        }
    }

    /// Reads a file, or the copy that a run folder keeps of it; the error states why that failed.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        if let Some(text) = self.kept(name)? {
            return Ok(text.as_bytes().to_vec());
        }
        let Some(path) = self.path(name) else {
            let reason = format!(
                "`{name}` is a recording, and the environment variable LASTMETER_RECORDINGS is \
                 not set to the folder of recordings"
            );
            *self.unavailable.borrow_mut() = Some(reason.clone());
            return Err(reason);
        };
        read(&path).map_err(|error| error.to_string())
    }

    /// What a file that is not there may be meant to be, by its folder's files: `did you mean ...?`
    pub(crate) fn near(&self, name: &str) -> Option<String> {
        let path = self.folder.join(name);
        if self.is_of_run() || name.starts_with(RECORDINGS) || path.exists() {
            return None;
        }
        let wanted = path.file_name()?.to_str()?;
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
        let listed = std::fs::read_dir(folder.unwrap_or(Path::new("."))).ok()?;
        let files = listed.flatten().take(LISTED_MAX).filter(|entry| entry.path().is_file());
        let mut names: Vec<String> =
            files.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        let near = nearest(wanted, names.iter().map(String::as_str))?;
        let near = Path::new(name).with_file_name(near);
        Some(format!("did you mean `{}`?", near.display()))
    }

    /// Why a file is not to be had on this machine, if one was asked for that is not; forgets it.
    pub(crate) fn take_unavailable(&self) -> Option<String> {
        self.unavailable.borrow_mut().take()
    }
}

/// In larger folders nobody looks for the name that was meant.
const LISTED_MAX: usize = 10_000;

/// What a run folder calls its scenario, and where it keeps what the run was judged by.
const RESOLVED: &str = "scenario.toml";
const FACTS: &str = "run.json";

/// The texts that a run folder keeps; `None` if this is none.
fn kept_in(facts: &Path) -> Option<RunFiles> {
    let facts: serde_json::Value = serde_json::from_slice(&read(facts).ok()?).ok()?;
    // Any folder may have files of these names; only a run's shows how it went.
    facts.get("state")?;
    let files = facts.get("files").and_then(serde_json::Value::as_object);
    let text = |(name, text): (&String, &serde_json::Value)| {
        Some((name.clone(), text.as_str()?.to_owned()))
    };
    let texts = files.into_iter().flatten().filter_map(text).collect();
    let is_as_written =
        serde_json::from_value::<RunFacts>(facts).is_ok_and(|facts| facts.is_as_written());
    Some(RunFiles { texts, is_as_written })
}

/// Reads a whole file of reasonable size.
pub fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if regular(path)?.len() > BYTES_MAX {
        return Err(std::io::Error::other("it is larger than 1 GiB"));
    }
    std::fs::read(path)
}

/// Opens a file of any size that can be read more than once.
pub fn open(path: &Path) -> std::io::Result<File> {
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
        return Err(std::io::Error::other("it is not a regular file"));
    }
    Ok(metadata)
}
