//! The task behind a channel: opens the line, moves bytes both ways, and begins again after a loss.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use serial2_tokio::SerialPort;
use tokio::io::unix::AsyncFd;
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::losses::SocketDrops;
use super::pty::Pty;
use super::udp::{Listening, Port};
use super::{
    ChannelAddress, ChannelError, ChannelEvent, ChannelSettings, DatagramCounts, pty, tcp, tty,
    udp, unix,
};
use crate::clock::monotonic_ns;

/// The wait before the first attempt after a loss; each further one doubles it.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LIMIT: Duration = Duration::from_secs(5);
/// How long the kernel may take none of the bytes that are to be sent.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// A UDP datagram is never larger.
const BUFFER_BYTES: usize = 1 << 16;

/// What the owner of a channel asks for.
#[derive(Debug)]
pub(super) enum Request {
    Send { bytes: Vec<u8>, reply: oneshot::Sender<Result<(), ChannelError>> },
    Baud(u32),
    Reopen,
}

/// What can give a line to another party, again and again.
#[derive(Debug)]
pub(super) enum Opener {
    Pty(Pty),
    /// The first line is opened with the channel, so that a mistake is an error of opening it.
    Tty(PathBuf, Option<SerialPort>),
    TcpConnect(String),
    TcpListen(TcpListener),
    Udp(String),
    UdpListen(Arc<Port>),
    Unix(PathBuf),
}

/// A port that another program listens on has one reader, and this is not it.
fn is_taken(error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::AddrInUse {
        return error;
    }
    let why = "it is in use: another program listens there, and a port has one listener; stop that one, or \
               choose another port";
    io::Error::new(io::ErrorKind::AddrInUse, why)
}

impl Opener {
    pub(super) async fn new(
        address: &ChannelAddress,
        settings: &ChannelSettings,
        datagrams: &DatagramCounts,
    ) -> io::Result<Self> {
        Ok(match address {
            ChannelAddress::Pty(link) => Self::Pty(Pty::new(link.as_deref())?),
            ChannelAddress::Tty(path) => Self::Tty(path.clone(), Some(tty::open(path, *settings)?)),
            ChannelAddress::TcpConnect(to) => Self::TcpConnect(to.clone()),
            ChannelAddress::TcpListen(at) => {
                Self::TcpListen(TcpListener::bind(at).await.map_err(is_taken)?)
            }
            ChannelAddress::Udp(to) => Self::Udp(to.clone()),
            ChannelAddress::UdpListen(at) => {
                Self::UdpListen(Port::bind(at, datagrams).await.map_err(is_taken)?)
            }
            ChannelAddress::Unix(path) => Self::Unix(path.clone()),
        })
    }

    pub(super) fn place(&self) -> String {
        match self {
            Self::Pty(pty) => pty.place(),
            Self::Tty(path, _) => format!("tty {}", path.display()),
            Self::TcpConnect(to) => format!("tcp {to}"),
            Self::TcpListen(listener) => match listener.local_addr() {
                Ok(at) => format!("tcp-listen {at}"),
                Err(_) => "tcp-listen".to_owned(),
            },
            Self::Udp(to) => format!("udp {to}"),
            Self::UdpListen(port) => match port.local_addr() {
                Ok(at) => format!("udp-listen {at}"),
                Err(_) => "udp-listen".to_owned(),
            },
            Self::Unix(path) => format!("unix {}", path.display()),
        }
    }

    /// Whether [`Opener::line`] waits for the other party, so that it can be called at once after
    /// a loss.
    const fn waits(&self) -> bool {
        matches!(self, Self::Pty(_) | Self::TcpListen(_) | Self::UdpListen(_))
    }

    async fn line(
        &mut self,
        settings: &ChannelSettings,
        datagrams: &DatagramCounts,
    ) -> io::Result<Line> {
        Ok(match self {
            Self::Pty(pty) => Line::Pty(pty.opened().await?),
            Self::Tty(path, first) => Line::Tty(match first.take() {
                Some(port) => port,
                None => tty::open(path, *settings)?,
            }),
            Self::TcpConnect(to) => Line::Tcp(tcp::connect(to).await?),
            Self::TcpListen(listener) => Line::Tcp(tcp::accept(listener).await?),
            Self::Udp(to) => Line::Udp(udp::connect(to, datagrams).await?),
            Self::UdpListen(port) => Line::UdpListen(udp::listening(port, datagrams).await?),
            Self::Unix(path) => Line::Unix(unix::connect(path).await?),
        })
    }

    /// Keeps other parties out while one is served; ends only if that fails.
    async fn reject_others(&self, rejected: &AtomicU64) -> io::Error {
        match self {
            Self::TcpListen(listener) => tcp::reject_others(listener, rejected).await,
            _ => std::future::pending().await,
        }
    }
}

#[derive(Debug)]
enum Line {
    Pty(AsyncFd<Arc<OwnedFd>>),
    Tty(SerialPort),
    Tcp(TcpStream),
    Udp(UdpSocket),
    UdpListen(Listening),
    Unix(UnixStream),
}

impl Line {
    /// Reads what is there; 0 at the end of a stream.
    async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Pty(side) => pty::read(side, buffer).await,
            Self::Tty(port) => port.read(buffer).await,
            Self::Tcp(stream) => once_ready(|| stream.readable(), || stream.try_read(buffer)).await,
            Self::Unix(stream) => {
                once_ready(|| stream.readable(), || stream.try_read(buffer)).await
            }
            Self::Udp(socket) => socket.recv(buffer).await,
            Self::UdpListen(socket) => socket.read(buffer).await,
        }
    }

    /// Writes some of the bytes, all of them on UDP.
    async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Pty(side) => pty::write(side, bytes).await,
            Self::Tty(port) => port.write(bytes).await,
            Self::Unix(stream) => {
                once_ready(|| stream.writable(), || stream.try_write(bytes)).await
            }
            Self::Tcp(stream) => once_ready(|| stream.writable(), || stream.try_write(bytes)).await,
            Self::Udp(socket) => socket.send(bytes).await,
            Self::UdpListen(socket) => socket.write(bytes).await,
        }
    }

    async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        let stuck = || {
            let message = format!("the other party took nothing for {} s", WRITE_LIMIT.as_secs());
            io::Error::new(io::ErrorKind::TimedOut, message)
        };
        while !bytes.is_empty() {
            let written = timeout(WRITE_LIMIT, self.write(bytes)).await.map_err(|_| stuck())??;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = bytes.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    /// Counts what the kernel loses; does not end.
    async fn watch(&self, counts: &DatagramCounts, drops: &mut SocketDrops) {
        match self {
            Self::Udp(socket) => counts.watch(socket, drops).await,
            Self::UdpListen(socket) => counts.watch(socket.socket(), drops).await,
            Self::Pty(_) | Self::Tty(_) | Self::Tcp(_) | Self::Unix(_) => {
                std::future::pending::<()>().await;
            }
        }
    }

    fn set_baud(&mut self, baud: u32) -> io::Result<()> {
        match self {
            Self::Tty(port) => tty::set_baud(port, baud),
            _ => Ok(()),
        }
    }
}

/// Tries as soon as a socket is ready, and again where it turns out not to be.
async fn once_ready<Ready: Future<Output = io::Result<()>>>(
    ready: impl Fn() -> Ready,
    mut attempt: impl FnMut() -> io::Result<usize>,
) -> io::Result<usize> {
    loop {
        ready().await?;
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
}

/// Why a line is not served any more.
enum Ended {
    Lost(String),
    /// Another baud rate is to be set, and the line goes on.
    Baud(u32),
    Reopen,
    Dropped,
}

pub(super) struct Driver {
    pub(super) opener: Opener,
    pub(super) settings: ChannelSettings,
    pub(super) place: String,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) events: mpsc::Sender<ChannelEvent>,
    pub(super) rejected: Arc<AtomicU64>,
    pub(super) datagrams: DatagramCounts,
}

impl Driver {
    /// Until the channel is dropped.
    pub(super) async fn run(mut self) {
        let mut wait = RETRY_FIRST;
        let mut announced = None;
        let mut drops = SocketDrops::default();
        loop {
            match self.line().await {
                None => return,
                Some(Err(error)) => {
                    let reason = Some(error.to_string());
                    if reason != announced {
                        announced.clone_from(&reason);
                        self.announce_down(error.to_string()).await;
                    }
                }
                Some(Ok(line)) => {
                    announced = None;
                    let events = self.events.clone();
                    self.refusing(events.send(ChannelEvent::Up)).await;
                    let (ended, has_received) = self.serve(line, &mut drops).await;
                    let reason = match ended {
                        Ended::Lost(reason) => {
                            if has_received {
                                wait = RETRY_FIRST;
                            }
                            reason
                        }
                        // What comes may be wrong again: each time it waits longer.
                        Ended::Reopen => "given up here, to be opened again".to_owned(),
                        Ended::Baud(_) | Ended::Dropped => return,
                    };
                    self.announce_down(reason).await;
                    if self.opener.waits() {
                        continue;
                    }
                }
            }
            // Nothing ends this wait but its limit.
            let nothing = std::future::pending::<()>();
            if timeout(wait, self.refusing(nothing)).await.is_ok() {
                return;
            }
            wait = (wait * 2).min(RETRY_LIMIT);
        }
    }

    /// A line, while requests are refused; `None` if the channel was dropped.
    async fn line(&mut self) -> Option<io::Result<Line>> {
        let Self { opener, settings, requests, place, datagrams, .. } = self;
        let current = *settings;
        tokio::select! {
            line = opener.line(&current, datagrams) => Some(line),
            () = refuse(requests, settings, place) => None,
        }
    }

    /// Does something, while requests are refused; `None` if the channel was dropped.
    async fn refusing<T>(&mut self, what: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = what => Some(done),
            () = refuse(&mut self.requests, &mut self.settings, &self.place) => None,
        }
    }

    async fn announce_down(&mut self, reason: String) {
        let events = self.events.clone();
        self.refusing(events.send(ChannelEvent::Down { reason })).await;
    }

    /// Moves bytes until the line ends, and whether any came.
    async fn serve(&mut self, mut line: Line, drops: &mut SocketDrops) -> (Ended, bool) {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut has_received = false;
        loop {
            let ended = tokio::select! {
                ended = write_requests(&line, &mut self.requests, &self.place) => ended,
                ended = read_events(&line, &self.events, &mut buffer, &mut has_received) => ended,
                error = self.opener.reject_others(&self.rejected) => Ended::Lost(error.to_string()),
                () = line.watch(&self.datagrams, drops) => Ended::Dropped,
            };
            let Ended::Baud(baud) = ended else { return (ended, has_received) };
            self.settings.baud = baud;
            if let Err(error) = line.set_baud(baud) {
                let reason = format!("cannot set {baud} baud: {error}");
                return (Ended::Lost(reason), has_received);
            }
        }
    }
}

/// Answers requests of a channel that is down, until the channel is dropped.
async fn refuse(
    requests: &mut mpsc::Receiver<Request>,
    settings: &mut ChannelSettings,
    place: &str,
) {
    while let Some(request) = requests.recv().await {
        match request {
            Request::Baud(baud) => settings.baud = baud,
            Request::Reopen => {}
            Request::Send { reply, .. } => {
                // Whoever does not wait for the answer does not get it.
                let _ = reply.send(Err(ChannelError::Down { place: place.to_owned() }));
            }
        }
    }
}

async fn write_requests(line: &Line, requests: &mut mpsc::Receiver<Request>, place: &str) -> Ended {
    while let Some(request) = requests.recv().await {
        let (bytes, reply) = match request {
            Request::Send { bytes, reply } => (bytes, reply),
            Request::Baud(baud) => return Ended::Baud(baud),
            Request::Reopen => return Ended::Reopen,
        };
        let written = line.write_all(&bytes).await;
        let lost = written.err().map(|error| error.to_string());
        let result = lost
            .clone()
            .map_or(Ok(()), |reason| Err(ChannelError::Lost { place: place.to_owned(), reason }));
        // Whoever does not wait for the answer does not get it.
        let _ = reply.send(result);
        if let Some(reason) = lost {
            return Ended::Lost(reason);
        }
    }
    Ended::Dropped
}

/// Reads while there is room for an event, so that being cancelled loses nothing.
async fn read_events(
    line: &Line,
    events: &mpsc::Sender<ChannelEvent>,
    buffer: &mut [u8],
    has_received: &mut bool,
) -> Ended {
    loop {
        let Ok(room) = events.reserve().await else { return Ended::Dropped };
        match line.read(buffer).await {
            // An empty datagram holds nothing, and does not end anything.
            Ok(0) if matches!(line, Line::Udp(_) | Line::UdpListen(_)) => {}
            Ok(0) => return Ended::Lost("closed by the other party".to_owned()),
            Ok(count) => {
                *has_received = true;
                let bytes = buffer.get(..count).unwrap_or_default().to_vec();
                room.send(ChannelEvent::Arrived { at_ns: monotonic_ns(), bytes });
            }
            Err(error) => return Ended::Lost(error.to_string()),
        }
    }
}
