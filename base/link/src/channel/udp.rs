//! UDP: datagrams to and from one other party, known beforehand or by what it sends.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use lastmeter_params::Entry;
use tokio::net::{UdpSocket, lookup_host};

use super::address::host_and_port;
use super::{AddressForm, ChannelAddress, DatagramCounts, TransportKind};

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
        description: "Takes the datagrams of whoever sends to this port; what is sent goes to who \
            sent last. It is up with the first datagram. With port 0 the system chooses one, which \
            is shown.",
        fields: &[],
    },
    address: Some(AddressForm {
        prefix: "udp-listen",
        form: "udp-listen:HOST:PORT",
        parse: |rest| Ok(ChannelAddress::UdpListen(host_and_port(rest)?)),
    }),
};

/// A port that others send to, with who sent last.
#[derive(Debug)]
pub(super) struct Listening {
    socket: Arc<UdpSocket>,
    last: Mutex<SocketAddr>,
}

pub(super) async fn bind(at: &str, counts: &DatagramCounts) -> io::Result<Arc<UdpSocket>> {
    let socket = UdpSocket::bind(at).await?;
    counts.ask_for_room(&socket);
    Ok(Arc::new(socket))
}

/// Waits until somebody has sent something, which stays to be read.
pub(super) async fn listening(socket: &Arc<UdpSocket>) -> io::Result<Listening> {
    let last = Mutex::new(socket.peek_sender().await?);
    Ok(Listening { socket: Arc::clone(socket), last })
}

impl Listening {
    pub(super) fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    pub(super) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let (count, from) = self.socket.recv_from(buffer).await?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = from;
        Ok(count)
    }

    pub(super) async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let to = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        self.socket.send_to(bytes, to).await
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
