//! The TLS port: accepts, shakes hands, and carries bytes to the broker.
//!
//! Bounds: so many handshakes at a time, each within a limit; so many connections; nothing is read
//! ahead of what the broker takes. Tasks and sockets live on the broker's threads and end with
//! them.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::super::counters::{Running, count};
use super::identity::device_name;
use super::peers::{Peer, Peers};
use super::verifier::CLAIMED;
use super::{Reports, Settings, TlsRefusal};

/// Connections that wait to be accepted, beyond which the system refuses them.
const BACKLOG: u32 = 1024;
/// The first byte of every TLS connection: a record of type "handshake" (RFC 8446 section 5.1).
const HANDSHAKE_RECORD: u8 = 22;
/// The first byte of every MQTT connection: CONNECT (MQTT 3.1.1 section 3.1).
const MQTT_CONNECT: u8 = 0x10;
/// How long a refused client may take to read why, and one end to follow the other's.
const LINGER: Duration = Duration::from_secs(2);
/// Bytes of a refused client that are read and thrown away.
const WASTE_BYTES: usize = 64 * 1024;
/// Bytes carried at a time, each way.
const CHUNK_BYTES: usize = 16 * 1024;
/// The pause after the system could not give a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The broker's inner listeners.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inner {
    /// For clients without certificate.
    pub(crate) tls: SocketAddr,
    /// For clients with one.
    pub(crate) certified: SocketAddr,
}

/// The TLS port.
pub(crate) struct Door {
    acceptor: TlsAcceptor,
    handshake_limit: Duration,
    handshakes: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    connections_limit: usize,
    inner: Inner,
    peers: Arc<Peers>,
    reports: Arc<Reports>,
    counters: Arc<Running>,
}

/// A handshake that was not.
struct Failed {
    /// `None`: the client went away.
    refusal: Option<(TlsRefusal, String)>,
    /// Whose certificate was shown, if any: a claim.
    device: Option<String>,
    stream: TcpStream,
}

impl Door {
    /// Binds the port and serves it, in tasks of the runtime that this is called in.
    pub(crate) fn open(
        settings: &Settings,
        inner: Inner,
        peers: Arc<Peers>,
        reports: Arc<Reports>,
        counters: Arc<Running>,
    ) -> io::Result<SocketAddr> {
        let socket = match settings.address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        // What it accepts inherits it: a client that vanished is noticed even without keep-alive.
        socket.set_keepalive(true)?;
        socket.bind(settings.address)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let door = Arc::new(Self {
            acceptor: TlsAcceptor::from(Arc::clone(&settings.server)),
            handshake_limit: settings.handshake_limit,
            handshakes: Arc::new(Semaphore::new(settings.handshakes)),
            connections: Arc::new(Semaphore::new(settings.connections)),
            connections_limit: settings.connections,
            inner,
            peers,
            reports: Arc::clone(&reports),
            counters,
        });
        tokio::spawn(async move { reports.attend().await });
        tokio::spawn(door.accept(listener));
        Ok(address)
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        loop {
            let Ok(handshake) = Arc::clone(&self.handshakes).acquire_owned().await else { return };
            let (stream, from) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "the TLS port could not accept a connection");
                    pause().await;
                    continue;
                }
            };
            let Ok(seat) = Arc::clone(&self.connections).try_acquire_owned() else {
                let detail = format!("{from}: {} are connected already", self.connections_limit);
                self.reports.tell(TlsRefusal::Overloaded, None, detail);
                continue;
            };
            tokio::spawn(Arc::clone(&self).serve(stream, from, handshake, seat));
        }
    }

    /// One connection from its first byte to its last. The seat is taken until then.
    async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        from: SocketAddr,
        handshake: OwnedSemaphorePermit,
        _seat: OwnedSemaphorePermit,
    ) {
        let shaken = timeout(self.handshake_limit, self.shake(stream)).await;
        drop(handshake);
        match shaken {
            Ok(Ok(client)) => {
                count(&self.counters.tls_handshakes);
                self.welcome(client, from).await;
            }
            Ok(Err(Failed { refusal: None, .. })) => count(&self.counters.tls_abandoned),
            Ok(Err(Failed { refusal: Some((reason, found)), device, stream })) => {
                let whose = match &device {
                    Some(device) => format!(", certificate of {device:?}"),
                    None => String::new(),
                };
                self.reports.tell(reason, device, format!("{from}{whose}: {found}"));
                linger(stream).await;
            }
            Err(_) => {
                let limit = self.handshake_limit;
                let detail = format!("{from}: no complete handshake within {limit:?}");
                self.reports.tell(TlsRefusal::HandshakeTimeout, None, detail);
            }
        }
    }

    async fn shake(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, Failed> {
        let failed = |refusal, stream| Failed { refusal, device: None, stream };
        let mut first = [0];
        // What fails here fails again with the first byte.
        let _ = stream.set_nodelay(true);
        match stream.peek(&mut first).await {
            Ok(0) | Err(_) => return Err(failed(None, stream)),
            Ok(_) if first[0] == HANDSHAKE_RECORD => {}
            Ok(_) => {
                let what = if first[0] == MQTT_CONNECT { ", as plain MQTT does" } else { "" };
                let found = format!("it begins with 0x{:02x}{what}, not with TLS", first[0]);
                return Err(failed(Some((TlsRefusal::NotTls, found)), stream));
            }
        }
        let accept = self.acceptor.accept(stream).into_fallible();
        let (shaken, device) = CLAIMED
            .scope(RefCell::new(None), async {
                let shaken = accept.await;
                (shaken, CLAIMED.with(RefCell::take))
            })
            .await;
        shaken.map_err(|(error, stream)| Failed { refusal: TlsRefusal::of(&error), device, stream })
    }

    /// From the handshake on. The broker hears of a connection with its first byte, because it
    /// would wait for that without limit.
    async fn welcome(&self, mut client: TlsStream<TcpStream>, from: SocketAddr) {
        let shown = client.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let device = match shown.map(|certificate| device_name(certificate)).transpose() {
            Ok(device) => device,
            Err(why) => {
                self.reports.tell(TlsRefusal::BadCertificate, None, format!("{from}: {why}"));
                return part(client).await;
            }
        };
        let mut first = vec![0; CHUNK_BYTES];
        let length = match timeout(self.handshake_limit, client.read(&mut first)).await {
            Ok(Ok(length)) if length > 0 => length,
            Ok(_) => return count(&self.counters.tls_abandoned),
            Err(_) => {
                let limit = self.handshake_limit;
                let detail = format!("{from}: nothing after the handshake within {limit:?}");
                self.reports.tell(TlsRefusal::NoConnect, device, detail);
                return part(client).await;
            }
        };
        first.truncate(length);
        if let Err(error) = self.carry(client, Peer { from, device }, first).await {
            count(&self.counters.tls_unserved);
            tracing::warn!(%error, "the TLS port cannot reach the broker");
        }
    }

    /// Carries bytes both ways until one side ends. The error is about the broker.
    async fn carry(
        &self,
        client: TlsStream<TcpStream>,
        peer: Peer,
        first: Vec<u8>,
    ) -> io::Result<()> {
        let inner = if peer.device.is_some() { self.inner.certified } else { self.inner.tls };
        let mut broker = TcpStream::connect(inner).await?;
        broker.set_nodelay(true)?;
        // Declared after the socket, so gone before it.
        let _written = self.peers.add(broker.local_addr()?, peer);
        broker.write_all(&first).await?;
        drop(first);
        let (mut from_broker, mut to_broker) = broker.split();
        let (mut from_client, mut to_client) = tokio::io::split(client);
        let up = async {
            // However one side ends, the other is told, and what is under way ends with it.
            let _ = tokio::io::copy(&mut from_client, &mut to_broker).await;
            let _ = to_broker.shutdown().await;
        };
        let down = async {
            let _ = tokio::io::copy(&mut from_broker, &mut to_client).await;
            let _ = to_client.shutdown().await;
        };
        tokio::pin!(up, down);
        tokio::select! {
            () = &mut up => drop(timeout(LINGER, down).await),
            () = &mut down => drop(timeout(LINGER, up).await),
        }
        Ok(())
    }
}

/// Ends a TLS connection that nothing was carried over.
async fn part(mut client: TlsStream<TcpStream>) {
    // Told or not, it ends.
    let _ = timeout(LINGER, client.shutdown()).await;
    linger(client.into_inner().0).await;
}

/// Closes without a reset, which could overtake the alert that says why: reads what the client has
/// still sent, within bounds.
async fn linger(mut stream: TcpStream) {
    let reading = async {
        // Whatever happens, the connection is over.
        let _ = stream.shutdown().await;
        let (mut waste, mut left) = ([0; 1024], WASTE_BYTES);
        while let Ok(read) = stream.read(&mut waste).await {
            left = left.saturating_sub(read);
            if read == 0 || left == 0 {
                return;
            }
        }
    };
    let _ = timeout(LINGER, reading).await;
}

#[expect(clippy::disallowed_methods, reason = "there is no event to wait for: descriptors ran out")]
async fn pause() {
    tokio::time::sleep(ACCEPT_PAUSE).await;
}
