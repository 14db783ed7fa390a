//! Channels: one open way to another party outside of the program, bytes in and bytes out.
//!
//! Terms: an *address* names the other party or the place where it is waited for, see
//! [`ChannelAddress`]; a channel is *up* while there is another party, and *down* otherwise; a
//! *transport* is a kind of address with the keys of its own, a row of [`TRANSPORTS`].
//!
//! A channel begins down and stays open whatever happens at its other end: it announces
//! [`ChannelEvent::Up`] when somebody is there, [`ChannelEvent::Down`] with the reason when nobody
//! is any more or an attempt failed, and goes on trying. No bytes are dropped silently: what is
//! sent while it is down is an error, and where nobody calls [`Channel::recv`] nothing more is read
//! from the other party. (UDP itself may lose datagrams, and a serial line has no memory of who
//! listens.)
//!
//! Everything runs in the runtime in which [`Channel::open`] is called, and ends when the channel
//! is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lastmeter_params::{Entry, Values};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

mod address;
mod driver;
mod losses;
mod mqtt;
mod pty;
mod tcp;
mod tty;
mod udp;
mod unix;

pub use address::{AddressError, ChannelAddress};
use driver::{Driver, Request};
pub use losses::DatagramCounts;
pub use mqtt::MQTT_FIELDS;
pub use tty::Parity;

/// Events that wait for [`Channel::recv`]; with more, nothing is read any more.
const EVENTS_LIMIT: usize = 64;
/// Sends that wait for their turn.
const REQUESTS_LIMIT: usize = 16;

/// How bytes are sent on serial lines. Other transports have no such settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelSettings {
    /// Bits per second.
    pub baud: u32,
    /// The parity bit.
    pub parity: Parity,
    /// Data bits of a byte, 5 to 8.
    pub data_bits: u8,
    /// Stop bits of a byte, 1 or 2.
    pub stop_bits: u8,
}

impl ChannelSettings {
    /// As M-Bus has it: 2400 baud, eight data bits, even parity, one stop bit (EN 13757-2, 5.1,
    /// unverified).
    pub const M_BUS: Self = Self { baud: 2400, parity: Parity::Even, data_bits: 8, stop_bits: 1 };

    /// As SLCAN adapters have it: eight data bits, no parity, one stop bit, and a common rate.
    pub const SLCAN: Self =
        Self { baud: 115_200, parity: Parity::None, data_bits: 8, stop_bits: 1 };

    /// What the checked keys of the transport `tty` mean.
    pub fn read(values: &Values) -> Self {
        tty::read_settings(values)
    }
}

/// What happens on a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelEvent {
    /// There is another party.
    Up,
    /// There is none any more, or an attempt to reach it failed. Announced once for each loss, and
    /// for failed attempts again only when the reason changes.
    Down {
        /// Why it could not be opened.
        reason: String,
    },
    /// The other party sent something.
    Arrived {
        /// When it was read, ns of [`crate::clock::monotonic_ns`].
        at_ns: i64,
        /// What, never empty. Where it is cut means nothing, but for UDP.
        bytes: Vec<u8>,
    },
}

/// Why a channel could not be opened, or bytes not be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// The address cannot be used as it is.
    #[error("cannot open {place}: {reason}")]
    Open {
        /// The address of the channel.
        place: String,
        /// What is in the way, and what to do.
        reason: String,
    },
    /// Nobody is at the other end; nothing was sent.
    #[error("nobody is connected to {place}; send again after the channel is up")]
    Down {
        /// The channel's address, see [`Channel::place`].
        place: String,
    },
    /// The other party was lost while sending; some of the bytes may have reached it.
    #[error("{place} was lost while sending: {reason}; send again after the channel is up")]
    Lost {
        /// The channel's address, see [`Channel::place`].
        place: String,
        /// The system's error, in words.
        reason: String,
    },
}

/// Sends on a channel that somebody else has.
#[derive(Clone, Debug)]
pub struct ChannelSender {
    place: String,
    requests: mpsc::Sender<Request>,
}

impl ChannelSender {
    /// Sends as [`Channel::send`] does.
    pub async fn send(&self, bytes: &[u8]) -> Result<(), ChannelError> {
        send(&self.place, &self.requests, bytes).await
    }
}

async fn send(
    place: &str,
    requests: &mpsc::Sender<Request>,
    bytes: &[u8],
) -> Result<(), ChannelError> {
    let (reply, answer) = oneshot::channel();
    let request = Request::Send { bytes: bytes.to_vec(), reply };
    let down = || ChannelError::Down { place: place.to_owned() };
    requests.send(request).await.map_err(|_| down())?;
    answer.await.unwrap_or_else(|_| {
        let reason = "the other party went away".to_owned();
        Err(ChannelError::Lost { place: place.to_owned(), reason })
    })
}

/// One open way to another party; see the module's documentation.
#[derive(Debug)]
pub struct Channel {
    place: String,
    requests: mpsc::Sender<Request>,
    events: mpsc::Receiver<ChannelEvent>,
    rejected: Arc<AtomicU64>,
    datagrams: DatagramCounts,
    driver: JoinHandle<()>,
}

impl Channel {
    /// Opens a channel; must be called within a tokio runtime. What is on this machine (a
    /// pseudo-terminal, a serial line, a port to listen on) has to be usable now; another party
    /// need not be there yet.
    pub async fn open(
        address: &ChannelAddress,
        settings: ChannelSettings,
    ) -> Result<Self, ChannelError> {
        let datagrams = DatagramCounts::default();
        let open = driver::Opener::new(address, &settings, &datagrams).await;
        let opener = open.map_err(|reason| ChannelError::Open {
            place: address.to_string(),
            reason: reason.to_string(),
        })?;
        let place = opener.place();
        let (request_sender, requests) = mpsc::channel(REQUESTS_LIMIT);
        let (event_sender, events) = mpsc::channel(EVENTS_LIMIT);
        let rejected = Arc::new(AtomicU64::new(0));
        let driver = Driver {
            opener,
            settings,
            place: place.clone(),
            requests,
            events: event_sender,
            rejected: Arc::clone(&rejected),
            datagrams: datagrams.clone(),
        };
        let driver = tokio::spawn(driver.run());
        Ok(Self { place, requests: request_sender, events, rejected, datagrams, driver })
    }

    /// What to show people: `pty /dev/pts/3`, `tcp 127.0.0.1:4711`.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Sends bytes to the other party. Returns when the kernel has them, or at most ten seconds
    /// after it took none any more.
    pub async fn send(&self, bytes: &[u8]) -> Result<(), ChannelError> {
        send(&self.place, &self.requests, bytes).await
    }

    /// A handle that sends on this channel as well, as long as it is there.
    pub fn sender(&self) -> ChannelSender {
        ChannelSender { place: self.place.clone(), requests: self.requests.clone() }
    }

    /// The next event. Cancelling it loses nothing.
    pub async fn recv(&mut self) -> ChannelEvent {
        let ended = || ChannelEvent::Down { reason: "the channel's task has ended".to_owned() };
        self.events.recv().await.unwrap_or_else(ended)
    }

    /// Sets the baud rate of a serial line, here or at a server, behind what was sent so far, also
    /// for when it is opened again; without effect on other transports.
    pub async fn set_baud(&self, baud: u32) {
        // Without a driver there is nothing to set.
        let _ = self.requests.send(Request::Baud(baud)).await;
    }

    /// Gives up the other party that is there, and looks for one as after a loss. Each time that
    /// follows without a loss between waits longer.
    pub async fn reopen(&self) {
        // Without a driver there is nothing to give up.
        let _ = self.requests.send(Request::Reopen).await;
    }

    /// What the kernel grants and loses, over UDP.
    pub fn datagrams(&self) -> &DatagramCounts {
        &self.datagrams
    }

    /// How many parties were rejected so far because another one was connected.
    pub fn rejected(&self) -> u64 {
        self.rejected.load(Ordering::Relaxed)
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// How addresses of a transport are written.
#[derive(Clone, Copy, Debug)]
pub struct AddressForm {
    /// The word before the first colon.
    pub prefix: &'static str,
    /// The form as shown in help: `tcp:HOST:PORT`.
    pub form: &'static str,
    /// Reads what stands behind the first colon (`None` without one), or states what was expected.
    pub parse: fn(Option<&str>) -> Result<ChannelAddress, &'static str>,
}

/// A kind of transport: its texts, keys and form of address.
#[derive(Clone, Copy, Debug)]
pub struct TransportKind {
    /// Its name, texts and keys.
    pub entry: Entry,
    /// How the addresses of its channels are written; `None` for a transport of messages, which has
    /// no channel of bytes.
    pub address: Option<AddressForm>,
}

/// Every kind of transport, in the order of `lastmeter list`.
pub static TRANSPORTS: &[TransportKind] =
    &[mqtt::MQTT, pty::PTY, tty::TTY, tcp::CONNECT, tcp::LISTEN, udp::UDP, udp::LISTEN, unix::UNIX];
