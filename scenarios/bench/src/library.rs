//! The library of scenarios with what they name, which is in the program itself: `library:NAME`
//! anywhere, and names where
//! no checkout is.
//!
//! To be run its files stand in a folder of the user's cache, named by their hash. What of them was
//! changed there is written again.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use lastmeter_record::hexadecimal;
use sha2::{Digest as _, Sha256};

/// Where the scenarios of a checkout lie.
pub const LIBRARY: &str = "scenarios/library";

/// What a path begins with that means the one in the program.
pub const PREFIX: &str = "library:";

/// Name and bytes of each file.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/library.rs"));

/// The folder of the library: that of a checkout where one is, else the program's.
///
/// # Errors
/// If the program's cannot be written to a folder.
pub fn folder() -> Result<PathBuf, String> {
    let own = PathBuf::from(LIBRARY);
    if own.is_dir() { Ok(own) } else { written() }
}

/// The folder with the files of the program.
///
/// # Errors
/// If they cannot be written.
pub(crate) fn written() -> Result<PathBuf, String> {
    let mut sha = Sha256::new();
    for (name, bytes) in FILES {
        sha.update(name);
        sha.update((bytes.len() as u64).to_le_bytes());
        sha.update(bytes);
    }
    let hash = hexadecimal(sha);
    let folder = cache().join("lastmeter").join(format!("library-{}", &hash[..12]));
    write(&folder).map_err(|error| {
        let shown = folder.display();
        format!("the library cannot be written to {shown}: {error}; set XDG_CACHE_HOME")
    })?;
    Ok(folder.join("library"))
}

fn write(folder: &Path) -> io::Result<()> {
    for (name, bytes) in FILES {
        let path = folder.join(name);
        if fs::read(&path).is_ok_and(|found| found == *bytes) {
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        // Another process may be at the same.
        let new = path.with_extension(format!("{}.new", std::process::id()));
        fs::write(&new, bytes)?;
        fs::rename(&new, &path)?;
    }
    Ok(())
}

fn cache() -> PathBuf {
    let named = |variable: &str| env::var_os(variable).filter(|it| !it.is_empty());
    let of_user = named("XDG_CACHE_HOME").map(PathBuf::from);
    let of_user = of_user.or_else(|| Some(PathBuf::from(named("HOME")?).join(".cache")));
    of_user.unwrap_or_else(env::temp_dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_in_the_program_and_what_was_changed_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        let changed = folder.path().join("library/first-light.toml");
        let own = fs::read(Path::new("../library/first-light.toml")).unwrap();
        assert_eq!(fs::read(&changed).unwrap(), own);
        assert!(folder.path().join("grids/lv-feeder-55.toml").exists());
        fs::write(&changed, "format = 2").unwrap();
        write(folder.path()).unwrap();
        assert_eq!(fs::read(&changed).unwrap(), own);
        let files = |at: &Path| fs::read_dir(at).unwrap().count();
        assert_eq!(files(&folder.path().join("library")), files(Path::new("../library")));
    }
}
