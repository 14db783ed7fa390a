//! Who uses a board: one bench at a time.
//!
//! A file by the board's name is locked as long as the board is used (`flock`), and so is the
//! serial line itself; the kernel gives both free when the process ends, however it ends. That the
//! file is there means nothing; what stands in it is who locked it last.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use lastmeter_link::channel::ChannelAddress;

use crate::host::wall_now;

/// The lock of a board.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    _line: Option<File>,
}

/// Where the lock of a board is.
pub fn path(board: &str) -> PathBuf {
    let folder = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|folder| folder.is_dir())
        .unwrap_or_else(std::env::temp_dir);
    folder.join(format!("lastmeter-board-{board}.lock"))
}

impl Lock {
    /// Locks a board and its line; the error names who has them.
    pub fn take(board: &str, line: &ChannelAddress) -> Result<Self, String> {
        let path = path(board);
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| format!("the lock {} cannot be opened: {error}", path.display()));
        let mut file = opened?;
        if let Err(error) = file.try_lock() {
            return Err(match error {
                TryLockError::WouldBlock => {
                    format!("the board `{board}` is in use by {}", holder(&mut file))
                }
                TryLockError::Error(error) => {
                    format!("{} cannot be locked: {error}", path.display())
                }
            });
        }
        let own_line = match line {
            ChannelAddress::Tty(path) => Some(locked_line(path)?),
            _ => None,
        };
        let command = std::env::args().take(4).collect::<Vec<_>>().join(" ");
        let text = format!("process {} ({command}) since {}\n", std::process::id(), wall_now());
        // It holds the lock, whether its name can be written or not.
        let _ = file.set_len(0).and_then(|()| file.write_all(text.as_bytes()));
        Ok(Self { _file: file, _line: own_line })
    }
}

/// Who holds the lock of a board now; `None`: nobody.
pub fn held_by(board: &str) -> Option<String> {
    let mut file = OpenOptions::new().read(true).write(true).open(path(board)).ok()?;
    matches!(file.try_lock(), Err(TryLockError::WouldBlock)).then(|| holder(&mut file))
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_string(&mut text));
    match read {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "another process".to_owned(),
    }
}

/// A serial line that no other bench has, under whatever name of a board.
fn locked_line(path: &std::path::Path) -> Result<File, String> {
    // Neither waits for a carrier nor becomes this process' terminal.
    const FLAGS: rustix::fs::OFlags =
        rustix::fs::OFlags::NONBLOCK.union(rustix::fs::OFlags::NOCTTY);
    let flags = i32::try_from(FLAGS.bits()).unwrap_or(0);
    let opened = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path);
    let file = opened.map_err(|error| {
        format!(
            "{} cannot be opened: {error}; is it plugged in, and may this user open it? `lastmeter \
             boards` lists what is there",
            path.display()
        )
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(format!("{} is in use by another program", path.display()))
        }
        Err(TryLockError::Error(error)) => {
            Err(format!("{} cannot be locked: {error}", path.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_bench_is_rejected_with_the_name_of_the_first() {
        let name = format!("test-{}", std::process::id());
        let line = ChannelAddress::TcpConnect("127.0.0.1:1".to_owned());
        let first = Lock::take(&name, &line).unwrap();
        let refused = Lock::take(&name, &line).unwrap_err();
        let expected = format!("in use by process {} (", std::process::id());
        assert!(refused.contains(&expected), "{refused}");
        assert!(held_by(&name).is_some());
        drop(first);
        assert_eq!(held_by(&name), None);
        drop(Lock::take(&name, &line).unwrap());
        std::fs::remove_file(path(&name)).unwrap();
    }

    #[test]
    fn a_line_that_is_not_there_is_named() {
        let name = format!("gone-{}", std::process::id());
        let line = ChannelAddress::Tty(PathBuf::from("/dev/nothing-here"));
        let refused = Lock::take(&name, &line).unwrap_err();
        assert!(refused.contains("/dev/nothing-here cannot be opened"), "{refused}");
        std::fs::remove_file(path(&name)).unwrap();
    }
}
