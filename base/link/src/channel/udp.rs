//! UDP: datagrams to and from one other party.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lastmeter_params::Entry;
use tokio::net::{UdpSocket, lookup_host};

use super::address::host_and_port;
use super::{AddressForm, ChannelAddress, TransportKind};

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

pub(super) async fn connect(to: &str) -> io::Result<UdpSocket> {
    let none = || io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let peer = lookup_host(to).await?.next().ok_or_else(none)?;
    let any = match peer.ip() {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(peer).await?;
    Ok(socket)
}
