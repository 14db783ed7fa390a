//! A gateway's connection to a dispatcher: the sockets, waits and repeated attempts around
//! [`GatewayEnd`], which the gateway always opens itself.
//!
//! As with [MQTT](crate::mqtt), the owner keeps the outbox: what is on its way when a connection is
//! lost is forgotten here, and sent again by the owner after [`DispatcherEvent::Connected`].

use std::sync::Arc;
use std::time::Duration;

use lastmeter_units::SimTime;
use lastmeter_zigbee::keys::Nonce;
use lastmeter_zigbee::opcode::Opcode;
use lastmeter_zigbee::payload::Delivered;
use lastmeter_zigbee::session::{GatewayEnd, GatewayEvent, GatewaySettings, Instants, Refusal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::clock::monotonic_ns;

/// Packets that wait to be written.
const QUEUE: usize = 256;
/// Bytes of packets that are written together, up to the last packet.
const WRITTEN_TOGETHER: usize = 8 * 1024;
/// First wait before connecting again; doubled with each failure.
const BACK_OFF_FIRST: Duration = Duration::from_millis(100);

/// How long a dispatcher may take to take in what is sent.
const WRITE_LIMIT: Duration = Duration::from_mins(3);

/// What a connection needs.
#[derive(Clone)]
pub struct DispatcherOptions {
    /// `host:port` of the dispatcher; an IPv6 address stands in brackets.
    pub address: String,
    /// What the gateway is set up with.
    pub settings: GatewaySettings,
    /// The gateway's own clock, by which its readings are dated.
    pub clock: Arc<dyn Fn() -> SimTime + Send + Sync>,
    /// How long connecting may take.
    pub connect_limit: Duration,
    /// The longest wait before connecting again.
    pub back_off_longest: Duration,
}

/// What happens on the connection, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DispatcherEvent {
    /// The session is open.
    Connected {
        /// Its number: packets are sent over this connection, or not at all.
        connection: u64,
        /// Up to where the gateway's numbered packets are on disk.
        delivered: Delivered,
    },
    /// A connection was lost, or could not be made; the next attempt follows by itself.
    Disconnected {
        /// Why the dispatcher ended it, as far as it gave a reason.
        refusal: Option<Refusal>,
        /// Why, in words for a person.
        reason: String,
    },
    /// A packet of the dispatcher.
    Packet {
        /// What it is.
        opcode: Opcode,
        /// Its payload.
        payload: Vec<u8>,
    },
}

/// There is no such connection any more; what was to be sent is the owner's to send again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not connected to the dispatcher; send again after the connection is made")]
pub struct NotConnected;

struct Packet {
    connection: u64,
    opcode: Opcode,
    payload: Vec<u8>,
}

/// The owner's handle on a connection that is made again and again. Dropping it cuts it.
#[derive(Debug)]
pub struct Dispatcher {
    packets: mpsc::Sender<Packet>,
    task: JoinHandle<()>,
}

impl std::fmt::Debug for Packet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Packet({})", self.opcode)
    }
}

impl Dispatcher {
    /// Begins; must be called within a tokio runtime. The first event reports how the first attempt
    /// went.
    pub fn open(options: DispatcherOptions) -> (Self, mpsc::Receiver<DispatcherEvent>) {
        let (to, events) = mpsc::channel(QUEUE);
        let (packets, from) = mpsc::channel(QUEUE);
        let task = tokio::spawn(run(options, from, to));
        (Self { packets, task }, events)
    }

    /// Sends a packet over one connection; waits while many are to be written.
    ///
    /// # Errors
    /// If that connection is known to be gone. One that goes just now takes the packet with it.
    pub async fn send(
        &self,
        connection: u64,
        opcode: Opcode,
        payload: Vec<u8>,
    ) -> Result<(), NotConnected> {
        let packet = Packet { connection, opcode, payload };
        self.packets.send(packet).await.map_err(|_| NotConnected)
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How a connection ended.
struct Lost {
    refusal: Option<Refusal>,
    reason: String,
    /// Whether it was open for a while.
    was_open: bool,
}

impl Lost {
    fn because(reason: String) -> Self {
        Self { refusal: None, reason, was_open: false }
    }
}

async fn run(
    options: DispatcherOptions,
    mut packets: mpsc::Receiver<Packet>,
    events: mpsc::Sender<DispatcherEvent>,
) {
    let mut back_off = BACK_OFF_FIRST;
    for connection in 1.. {
        let lost = serve(&options, connection, &mut packets, &events).await;
        let Some(Lost { refusal, reason, was_open }) = lost else { return };
        tracing::debug!(gateway = %options.settings.gateway, reason, "dispatcher connection lost");
        if events.send(DispatcherEvent::Disconnected { refusal, reason }).await.is_err() {
            return;
        }
        if was_open {
            back_off = BACK_OFF_FIRST;
        }
        // What the owner sends in the meantime is for the connection that is lost.
        let waiting = async { while packets.recv().await.is_some() {} };
        if tokio::time::timeout(back_off, waiting).await.is_ok() {
            return;
        }
        back_off = (back_off * 2).min(options.back_off_longest);
    }
}

/// What wakes a connection.
enum Woken {
    Read(std::io::Result<usize>),
    Packet(Option<Packet>),
    Time,
}

/// Waits until something comes from the dispatcher, or from the owner where that may be sent.
async fn wake(
    stream: &mut TcpStream,
    bytes: &mut [u8],
    packets: Option<&mut mpsc::Receiver<Packet>>,
) -> Woken {
    let Some(packets) = packets else { return Woken::Read(stream.read(bytes).await) };
    tokio::select! {
        read = stream.read(bytes) => Woken::Read(read),
        packet = packets.recv() => Woken::Packet(packet),
    }
}

/// One connection until it is lost; `None` if the owner is gone.
async fn serve(
    options: &DispatcherOptions,
    connection: u64,
    packets: &mut mpsc::Receiver<Packet>,
    events: &mpsc::Sender<DispatcherEvent>,
) -> Option<Lost> {
    let address = &options.address;
    let (mut stream, nonce) = match connect(options).await {
        Ok(connected) => connected,
        Err(reason) => return Some(Lost::because(reason)),
    };
    let now = || Instants { clock: (options.clock)(), watch: SimTime(monotonic_ns()) };
    let mut to = Vec::new();
    let mut end = GatewayEnd::new(options.settings.clone(), nonce, now(), &mut to);
    let mut bytes = vec![0; 16 * 1024];
    let mut was_open = false;
    // What can happen, one after the other; each of it changes the machine.
    loop {
        let wait_ns = end.wake_at().map_or(0, |at| at.0.saturating_sub(monotonic_ns()));
        let wait = Duration::from_nanos(wait_ns.max(0).unsigned_abs());
        let woken = match tokio::time::timeout(WRITE_LIMIT, stream.write_all(&to)).await {
            Ok(Ok(())) => {
                let packets = end.is_open().then_some(&mut *packets);
                let waking = wake(&mut stream, &mut bytes, packets);
                tokio::time::timeout(wait, waking).await.unwrap_or(Woken::Time)
            }
            Ok(Err(error)) => Woken::Read(Err(error)),
            Err(_) => Woken::Read(Err(std::io::ErrorKind::TimedOut.into())),
        };
        to.clear();
        let lost = |reason| Some(Lost { refusal: None, reason, was_open });
        match woken {
            Woken::Read(Ok(0)) => {
                return lost(format!("{address} has closed the connection{}", hint(was_open)));
            }
            Woken::Read(Err(error)) => {
                return lost(format!("the connection to {address} broke: {error}"));
            }
            Woken::Read(Ok(count)) => {
                let (happened, ended) =
                    take(&mut end, now(), &bytes[..count], &mut to, connection, options);
                was_open |= end.is_open();
                for event in happened {
                    events.send(event).await.ok()?;
                }
                if let Some((refusal, reason)) = ended {
                    return Some(Lost { refusal, reason, was_open });
                }
            }
            Woken::Packet(packet) => {
                let mut next = Some(packet?);
                // What waits goes out together, as much as is read at once at the other end.
                while let Some(Packet { connection: over, opcode, payload }) = next {
                    if over == connection {
                        let write = |to: &mut Vec<u8>| to.extend_from_slice(&payload);
                        end.send_payload(now(), opcode, write, &mut to);
                    }
                    let has_room = to.len() < WRITTEN_TOGETHER;
                    next = has_room.then(|| packets.try_recv().ok()).flatten();
                }
            }
            Woken::Time if end.tick(now(), &mut to).is_some() => {
                return lost(format!("nothing came from {address} for too long{}", hint(was_open)));
            }
            Woken::Time => {}
        }
    }
}

/// Makes a connection; the error is why there is none, in words.
async fn connect(options: &DispatcherOptions) -> Result<(TcpStream, Nonce), String> {
    let DispatcherOptions { address, connect_limit: limit, .. } = options;
    let none = || format!("no connection to the dispatcher at {address}");
    let stream = match tokio::time::timeout(*limit, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(format!("{}: {error}", none())),
        Err(_) => return Err(format!("{} within {limit:?}", none())),
    };
    // Without it small packets are late, not wrong.
    let _ = stream.set_nodelay(true);
    let nonce = nonce().map_err(|error| format!("{}: no random numbers: {error}", none()))?;
    Ok((stream, nonce))
}

/// Why the dispatcher ended a connection, as far as it gave a reason, and in words.
type Ended = (Option<Refusal>, String);

/// Gives the machine what came: what is for the owner, and whether the connection has ended.
fn take(
    end: &mut GatewayEnd,
    now: Instants,
    bytes: &[u8],
    to: &mut Vec<u8>,
    connection: u64,
    options: &DispatcherOptions,
) -> (Vec<DispatcherEvent>, Option<Ended>) {
    let (mut happened, mut ended) = (Vec::new(), None);
    end.receive(now, bytes, to, |event| match event {
        GatewayEvent::Accepted { delivered } => {
            happened.push(DispatcherEvent::Connected { connection, delivered });
        }
        GatewayEvent::Packet(down) => {
            let mut payload = Vec::new();
            down.write(&mut payload);
            happened.push(DispatcherEvent::Packet { opcode: down.opcode(), payload });
        }
        GatewayEvent::Rejected { refusal } => ended = Some((refusal, rejection(refusal, options))),
        GatewayEvent::Refused { refusal, .. } if refusal.ends_connection() => {
            ended = Some((None, own_refusal(refusal, options)));
        }
        GatewayEvent::Refused { refusal, opcode } => {
            tracing::warn!(%refusal, opcode, "packet of the dispatcher refused");
        }
    });
    (happened, ended)
}

/// What is likely wrong with who never answered as a dispatcher does.
fn hint(was_open: bool) -> &'static str {
    if was_open { "" } else { ": is it the dispatcher's address and port?" }
}

/// Why the dispatcher has ended the connection, and what to do.
fn rejection(refusal: Option<Refusal>, options: &DispatcherOptions) -> String {
    let DispatcherOptions { address, settings, .. } = options;
    let (gateway, name) = (settings.gateway, &settings.network_name);
    match refusal {
        Some(Refusal::UnknownGateway) => format!(
            "{address} knows no network of the gateway {gateway}: register it there, or correct \
             the gateway's address"
        ),
        Some(Refusal::WrongName) => format!(
            "{address} has another name than `{name}` for the network of the gateway {gateway}"
        ),
        Some(Refusal::WrongKey) => format!(
            "{address} has another key for the network `{name}`: enter the one that was shown when \
             it was registered"
        ),
        Some(refusal) => format!("{address} has ended the connection: {refusal}"),
        None => format!("{address} has ended the connection for a reason unknown here"),
    }
}

/// Why the gateway has ended the connection.
fn own_refusal(refusal: Refusal, options: &DispatcherOptions) -> String {
    let address = &options.address;
    match refusal {
        Refusal::Version | Refusal::Length | Refusal::Handshake => {
            format!("{address} does not answer as a dispatcher does: is it its address and port?")
        }
        Refusal::WrongKey => {
            format!("{address} does not prove that it has the network's key: {refusal}")
        }
        refusal => format!("a packet of {address} was refused: {refusal}"),
    }
}

fn nonce() -> std::io::Result<Nonce> {
    let mut nonce = Nonce::default();
    let mut filled = 0;
    while let Some(rest) = nonce.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        filled += rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(nonce)
}

#[cfg(test)]
mod tests;
