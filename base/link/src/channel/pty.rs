//! A pseudo-terminal: this program holds one side, another one opens the other as its serial line.
//!
//! The other side's name is in the channel's place, and behind a symbolic link if one is asked for.
//! It is in raw mode; a program that opens it may change that. It comes and goes as it likes:
//! Linux reports that nobody has it open (EIO, POLLHUP), but not when somebody opens it, so that is
//! asked for 50 times a second.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lastmeter_params::Entry;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, QueueSelector, tcflush, tcgetattr, tcsetattr};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{MissedTickBehavior, interval};

use super::address::path;
use super::{AddressForm, ChannelAddress, TransportKind};

/// How often it is asked whether somebody has opened the other side.
const ASK_EVERY: Duration = Duration::from_millis(20);

pub(super) const PTY: TransportKind = TransportKind {
    entry: Entry {
        name: "pty",
        summary: "a new pseudo-terminal that another program opens as its serial line",
        description: "A pair of connected terminals without a line between them. The program shows \
            the name of the side that others open, such as `/dev/pts/3`; with `pty:PATH` the path \
            becomes a symbolic link to it, which is removed at the end. The other program may \
            close it and open it again. Baud rate and parity have no effect.",
        fields: &[],
    },
    address: Some(AddressForm {
        prefix: "pty",
        form: "pty[:PATH]",
        parse: |rest| match rest {
            None => Ok(ChannelAddress::Pty(None)),
            some => Ok(ChannelAddress::Pty(Some(path(some)?))),
        },
    }),
};

/// This program's side.
#[derive(Debug)]
pub(super) struct Pty {
    side: Arc<OwnedFd>,
    /// The name of the other side.
    other: PathBuf,
    link: Option<PathBuf>,
}

impl Pty {
    pub(super) fn new(link: Option<&Path>) -> io::Result<Self> {
        let side = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&side)?;
        unlockpt(&side)?;
        rustix::io::ioctl_fionbio(&side, true)?;
        let name = ptsname(&side, Vec::new())?;
        let other = PathBuf::from(name.to_string_lossy().into_owned());
        // Once opened and closed again, Linux knows that nobody has it open; before, it does not.
        let opened = open_other(&other)?;
        let mut settings = tcgetattr(&opened)?;
        settings.make_raw();
        tcsetattr(&opened, OptionalActions::Now, &settings)?;
        drop(opened);
        let link = link.map(|link| make_link(link, &other)).transpose()?;
        Ok(Self { side: Arc::new(side), other, link })
    }

    pub(super) fn place(&self) -> String {
        match &self.link {
            Some(link) => format!("pty {} ({})", self.other.display(), link.display()),
            None => format!("pty {}", self.other.display()),
        }
    }

    /// Waits until somebody has opened the other side, or has left something there.
    pub(super) async fn opened(&self) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
        // What a program has left unread is not for the next one. Nothing was sent to that one yet.
        tcflush(open_other(&self.other)?, QueueSelector::IFlush)?;
        let mut ticks = interval(ASK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !has_something(&self.side)? {
            ticks.tick().await;
        }
        // Registered again each time, since a side that was closed once stays closed for tokio.
        registered(&self.side)
    }
}

fn open_other(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

#[expect(
    deprecated,
    reason = "what replaces it is unsafe; an `Arc<OwnedFd>` keeps what that asks for: the same \
        open descriptor as long as it lives"
)]
fn registered(side: &Arc<OwnedFd>) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    AsyncFd::new(Arc::clone(side))
}

impl Drop for Pty {
    fn drop(&mut self) {
        if let Some(link) = &self.link
            && std::fs::read_link(link).is_ok_and(|leads_to| leads_to == self.other)
        {
            // What is left behind is replaced the next time.
            let _ = std::fs::remove_file(link);
        }
    }
}

fn make_link(link: &Path, to: &Path) -> io::Result<PathBuf> {
    if std::fs::symlink_metadata(link).is_ok() {
        if !std::fs::symlink_metadata(link)?.is_symlink() {
            let message = format!(
                "{} exists and is not a symbolic link; remove it or choose another path",
                link.display()
            );
            return Err(io::Error::other(message));
        }
        std::fs::remove_file(link)?;
    }
    std::os::unix::fs::symlink(to, link)?;
    Ok(link.to_owned())
}

/// Which of the asked-for conditions hold now.
fn conditions(side: &OwnedFd) -> io::Result<PollFlags> {
    let mut asked = [PollFd::new(side, PollFlags::IN)];
    poll(&mut asked, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
    Ok(asked[0].revents())
}

fn has_something(side: &OwnedFd) -> io::Result<bool> {
    let found = conditions(side)?;
    Ok(!found.contains(PollFlags::HUP) || found.contains(PollFlags::IN))
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "no program has the other side open")
}

/// Reads what is there, at least one byte.
pub(super) async fn read(side: &AsyncFd<Arc<OwnedFd>>, buffer: &mut [u8]) -> io::Result<usize> {
    let read = |fd: &Arc<OwnedFd>| Ok(rustix::io::read(fd, &mut *buffer)?);
    match side.async_io(Interest::READABLE, read).await {
        // EIO is how Linux reports that nobody has the other side open.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
            Err(closed())
        }
        other => other,
    }
}

/// Writes some of the bytes. Linux would keep them for whoever opens the other side next, so it is
/// asked first whether somebody has it open.
pub(super) async fn write(side: &AsyncFd<Arc<OwnedFd>>, bytes: &[u8]) -> io::Result<usize> {
    let write = |fd: &Arc<OwnedFd>| {
        if conditions(fd)?.contains(PollFlags::HUP) {
            return Err(closed());
        }
        Ok(rustix::io::write(fd, bytes)?)
    };
    side.async_io(Interest::WRITABLE, write).await
}
