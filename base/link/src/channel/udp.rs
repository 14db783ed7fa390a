//! UDP: datagrams to and from one other party, known beforehand or by what it sends.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lastmeter_params::Entry;
use tokio::net::{UdpSocket, lookup_host};

use super::address::host_and_port;
use super::{AddressForm, ChannelAddress, DatagramCounts, TransportKind};
use crate::clock::monotonic_ns;

pub(super) const UDP: TransportKind = TransportKind {
    entry: Entry {
        name: "udp",
        summary: "UDP datagrams to and from another party",
        description: "Sends each piece as one datagram and takes datagrams of this party alone. It \
            is up as soon as the name is resolved, since UDP does not show whether anybody is \
            there; an ICMP answer that nobody is makes it down for a moment. Datagrams may be \
            lost on the way.",
        fields: &[],
    },
    address: Some(AddressForm {
        prefix: "udp",
        form: "udp:HOST:PORT",
        parse: |rest| Ok(ChannelAddress::Udp(host_and_port(rest)?)),
    }),
};

pub(super) const LISTEN: TransportKind = TransportKind {
    entry: Entry {
        name: "udp-listen",
        summary: "a UDP port of this machine to which another party sends",
        description: "Takes the datagrams of the party that sends to this port first, and sends to \
            it. Those of others are refused and counted, until the first one has been silent for \
            2 s: then the channel is down for a moment, and up with the next one. It is up with \
            the first datagram. With port 0 the system chooses one, which is shown.",
        fields: &[],
    },
    address: Some(AddressForm {
        prefix: "udp-listen",
        form: "udp-listen:HOST:PORT",
        parse: |rest| Ok(ChannelAddress::UdpListen(host_and_port(rest)?)),
    }),
};

/// How long the party at a port is silent before another one may take its place.
const PARTY_SILENT_NS: i64 = 2_000_000_000;

/// A port that others send to.
#[derive(Debug)]
pub(super) struct Port {
    socket: UdpSocket,
    /// The datagram of a new party with which it took the place of another.
    first: Mutex<Option<(SocketAddr, Vec<u8>)>>,
}

/// A port with the party that it serves.
#[derive(Debug)]
pub(super) struct Listening {
    port: Arc<Port>,
    party: SocketAddr,
    /// When it was heard last, ns of the monotonic clock.
    heard_ns: AtomicI64,
    counts: DatagramCounts,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Port {
    pub(super) async fn bind(at: &str, counts: &DatagramCounts) -> io::Result<Arc<Self>> {
        let socket = UdpSocket::bind(at).await?;
        counts.ask_for_room(&socket);
        Ok(Arc::new(Self { socket, first: Mutex::new(None) }))
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// Waits until somebody has sent something, which stays to be read.
pub(super) async fn listening(port: &Arc<Port>, counts: &DatagramCounts) -> io::Result<Listening> {
    let waiting = lock(&port.first).as_ref().map(|(from, _)| *from);
    let party = match waiting {
        Some(from) => from,
        None => port.socket.peek_sender().await?,
    };
    let heard_ns = AtomicI64::new(monotonic_ns());
    Ok(Listening { port: Arc::clone(port), party, heard_ns, counts: counts.clone() })
}

impl Listening {
    pub(super) fn socket(&self) -> &UdpSocket {
        &self.port.socket
    }

    /// A datagram of its party; an error once another one takes its place.
    pub(super) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some((_, bytes)) = lock(&self.port.first).take() {
            // No datagram is larger than the buffer.
            let count = bytes.len().min(buffer.len());
            buffer[..count].copy_from_slice(&bytes[..count]);
            return Ok(count);
        }
        loop {
            let (count, from) = self.port.socket.recv_from(buffer).await?;
            if from == self.party {
                self.heard_ns.store(monotonic_ns(), Ordering::Relaxed);
                return Ok(count);
            }
            if monotonic_ns() - self.heard_ns.load(Ordering::Relaxed) < PARTY_SILENT_NS {
                self.counts.refuse_one();
                continue;
            }
            *lock(&self.port.first) = Some((from, buffer[..count].to_vec()));
            let what = format!("{} is silent, and {from} sends", self.party);
            return Err(io::Error::other(what));
        }
    }

    pub(super) async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.port.socket.send_to(bytes, self.party).await
    }
}

pub(super) async fn connect(to: &str, counts: &DatagramCounts) -> io::Result<UdpSocket> {
    let none = || io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let peer = lookup_host(to).await?.next().ok_or_else(none)?;
    let any = match peer.ip() {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    counts.ask_for_room(&socket);
    socket.connect(peer).await?;
    Ok(socket)
}
