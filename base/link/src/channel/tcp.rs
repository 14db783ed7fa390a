//! TCP, in both directions: connecting to another party, and waiting for one.
//!
//! A listener serves one party at a time. Another one that connects meanwhile is closed at once and
//! counted: a bus has one master, and a second one must notice that it is not it.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lastmeter_params::Entry;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::address::host_and_port;
use super::{AddressForm, ChannelAddress, TransportKind};

/// How long one attempt to connect may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

pub(super) const CONNECT: TransportKind = TransportKind {
    entry: Entry {
        name: "tcp",
        summary: "a TCP connection to another party",
        description: "Connects to another party, such as a gateway that gives access to a serial \
            line. If it cannot be reached or the connection is lost, the next attempt follows \
            after 0.1 s, and each further one after twice the time, at most 5 s.",
        fields: &[],
    },
    address: Some(AddressForm {
        prefix: "tcp",
        form: "tcp:HOST:PORT",
        parse: |rest| Ok(ChannelAddress::TcpConnect(host_and_port(rest)?)),
    }),
};

pub(super) const LISTEN: TransportKind = TransportKind {
    entry: Entry {
        name: "tcp-listen",
        summary: "a TCP port on which another party is waited for",
        description: "Waits for another party to connect and serves one at a time: another one \
            that connects meanwhile is closed at once and counted. With port 0 the system chooses \
            one, which is shown.",
        fields: &[],
    },
    address: Some(AddressForm {
        prefix: "tcp-listen",
        form: "tcp-listen:HOST:PORT",
        parse: |rest| Ok(ChannelAddress::TcpListen(host_and_port(rest)?)),
    }),
};

pub(super) async fn connect(to: &str) -> io::Result<TcpStream> {
    let late = || {
        let message = format!("no answer within {} s", CONNECT_LIMIT.as_secs());
        io::Error::new(io::ErrorKind::TimedOut, message)
    };
    let stream = timeout(CONNECT_LIMIT, TcpStream::connect(to)).await.map_err(|_| late())??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

pub(super) async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Closes whoever connects, and counts them. Ends with an error of the listener.
pub(super) async fn reject_others(listener: &TcpListener, rejected: &AtomicU64) -> io::Error {
    loop {
        match listener.accept().await {
            Ok((_, peer)) => {
                rejected.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%peer, "rejected: another party is connected");
            }
            Err(error) => return error,
        }
    }
}
