//! The MQTT listeners: each connection is accepted, admitted to a slot, taken through TLS where
//! that is spoken, and given to the broker with its first packet, which has to be CONNECT and to be
//! there in time.
//!
//! The first packet is only framed here (type and length, MQTT 3.1.1 section 2.2); it is the
//! broker's one parser that reads it, so no byte that a client sends is read in two ways. Tasks and
//! sockets live on the broker's threads and end with them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rmqtt::net::{Arrived, Entry, Wire as AnyWire};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::counters::{Running, count};
use super::links::{Link, Links, Transport};
use super::tls::Reports;
use crate::gate::{Acceptor, ConnectionSlots, Gate, Origin, RejectReason, Slot, Socket};
use crate::tls::{Failed, LINGER_LIMIT, Settings, TlsRefusal, device_certificate, linger, shake};

/// The first byte of every MQTT connection: CONNECT (MQTT 3.1.1 section 3.1).
const MQTT_CONNECT: u8 = 0x10;
/// What is read into until CONNECT is whole, and then by the broker, bytes: as much as a connection
/// of the broker library begins with, so that it is not made anew.
const READ_BYTES: usize = 8 * 1024;

/// What a connection may take until its CONNECT is whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectLimits {
    /// Time for the first byte.
    pub(crate) first_byte: Duration,
    /// Time for the whole packet, from the beginning.
    pub(crate) connect: Duration,
    /// Largest CONNECT without its fixed header, bytes.
    pub(crate) bytes: usize,
}

/// What both listeners share.
pub(super) struct ListenerContext {
    pub(super) gate: Arc<Gate>,
    pub(super) slots: Arc<ConnectionSlots>,
    pub(super) links: Arc<Links>,
    pub(super) counters: Arc<Running>,
    pub(super) limits: ConnectLimits,
    /// The broker's listeners, in the order of [`Transport::ALL`].
    pub(super) entries: [Entry; Transport::ALL.len()],
}

/// Serves the port without TLS; never ends.
pub(super) async fn serve_plain(context: Arc<ListenerContext>, mut acceptor: Acceptor) {
    loop {
        let (socket, from) = acceptor.accept().await;
        if let Some(slot) = context.admit(Transport::Plain, from, &socket).await {
            tokio::spawn(Arc::clone(&context).serve_connection(socket, from, slot));
        }
    }
}

impl ListenerContext {
    async fn admit(&self, transport: Transport, from: SocketAddr, socket: &Socket) -> Option<Slot> {
        let origin = Origin { listener: transport.listener(), peer: from.ip() };
        self.slots.admit(origin, socket).await
    }

    async fn serve_connection(self: Arc<Self>, mut socket: Socket, from: SocketAddr, slot: Slot) {
        match first_packet(&mut socket, &self.limits).await {
            Ok(read) => {
                let stream = socket.clone();
                let link = Link::new(from, None, socket, slot);
                self.hand_over(Transport::Plain, stream, link, read).await;
            }
            // Who was crowded out is counted as that.
            Err(_) if socket.is_cut() => {}
            Err(reason) => self.gate.reject(Transport::Plain.listener(), reason),
        }
    }

    /// Gives a connection to the broker.
    async fn hand_over(
        &self,
        transport: Transport,
        stream: impl AnyWire + 'static,
        link: Link,
        read: BytesMut,
    ) {
        let from = link.from;
        let wire = Box::new(self.links.join(transport, stream, link));
        // The broker ends before this does, if at all.
        let _ = self.entries[transport as usize].send(Arrived { wire, read, from }).await;
    }
}

/// Reads until the first packet is whole, which has to be CONNECT.
async fn first_packet(
    stream: &mut (impl AsyncRead + Unpin),
    limits: &ConnectLimits,
) -> Result<BytesMut, RejectReason> {
    let begun = Instant::now();
    let mut read = BytesMut::with_capacity(READ_BYTES);
    let mut until = begun + limits.first_byte;
    loop {
        if packet_length(&read, limits.bytes)?.is_some_and(|length| read.len() >= length) {
            return Ok(read);
        }
        read.reserve(1);
        match timeout_at(until, stream.read_buf(&mut read)).await {
            Ok(Ok(count)) if count > 0 => until = begun + limits.connect,
            Ok(_) => return Err(RejectReason::GaveUp),
            Err(_) if read.is_empty() => return Err(RejectReason::Silent),
            Err(_) => return Err(RejectReason::Slow),
        }
    }
}

/// Length of the CONNECT that begins with these bytes; `None` where the length is not whole yet.
fn packet_length(read: &[u8], most: usize) -> Result<Option<usize>, RejectReason> {
    let Some((&kind, rest)) = read.split_first() else { return Ok(None) };
    if kind != MQTT_CONNECT {
        return Err(RejectReason::NotMqtt);
    }
    // Section 2.2.3: seven bits a byte, the lowest first, at most four bytes.
    let mut length = 0;
    for (place, &byte) in rest.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            let whole = 2 + place + length;
            return if length > most { Err(RejectReason::TooLarge) } else { Ok(Some(whole)) };
        }
    }
    if rest.len() >= 4 { Err(RejectReason::NotMqtt) } else { Ok(None) }
}

pub(super) struct TlsListener {
    acceptor: TlsAcceptor,
    settings: Settings,
    context: Arc<ListenerContext>,
    reports: Arc<Reports>,
}

impl TlsListener {
    pub(super) fn new(
        settings: &Settings,
        context: Arc<ListenerContext>,
        reports: Arc<Reports>,
    ) -> Arc<Self> {
        let acceptor = TlsAcceptor::from(Arc::clone(&settings.server));
        Arc::new(Self { acceptor, settings: settings.clone(), context, reports })
    }

    /// Serves the port; never ends.
    pub(super) async fn serve(self: Arc<Self>, mut acceptor: Acceptor) {
        loop {
            let (socket, from) = acceptor.accept().await;
            if let Some(slot) = self.context.admit(Transport::Tls, from, &socket).await {
                drop(tokio::spawn(Arc::clone(&self).serve_connection(socket, from, slot)));
            } else {
                let detail = format!("{from}: every connection slot is in use");
                self.reports.report(TlsRefusal::Overloaded, None, detail);
            }
        }
    }

    /// One connection, until the broker has it.
    async fn serve_connection(self: Arc<Self>, socket: Socket, from: SocketAddr, slot: Slot) {
        let limit = self.settings.handshake_limit;
        match timeout(limit, shake(&self.acceptor, &socket, socket.clone())).await {
            // It was crowded out, and counted as that.
            _ if socket.is_cut() => {}
            Ok(Ok(client)) => {
                count(&self.context.counters.tls_handshakes);
                self.open(client, socket, from, slot).await;
            }
            Ok(Err(Failed { refusal: None, .. })) => count(&self.context.counters.tls_abandoned),
            Ok(Err(Failed { refusal: Some((reason, found)), device, stream })) => {
                let whose = match &device {
                    Some(device) => format!(", certificate of {device:?}"),
                    None => String::new(),
                };
                self.reports.report(reason, device, format!("{from}{whose}: {found}"));
                linger(stream).await;
            }
            Err(_) => {
                let detail = format!("{from}: no complete handshake within {limit:?}");
                self.reports.report(TlsRefusal::HandshakeTimeout, None, detail);
            }
        }
    }

    /// From the handshake to CONNECT.
    async fn open(
        &self,
        mut client: TlsStream<Socket>,
        socket: Socket,
        from: SocketAddr,
        slot: Slot,
    ) {
        let shown = client.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let shown = shown.map(|certificate| device_certificate(certificate));
        let certificate = match shown.transpose() {
            Ok(certificate) => certificate,
            Err(why) => {
                self.reports.report(TlsRefusal::BadCertificate, None, format!("{from}: {why}"));
                return part(client).await;
            }
        };
        let limit = self.settings.handshake_limit;
        let limits = ConnectLimits { first_byte: limit, connect: limit, ..self.context.limits };
        let refused = match first_packet(&mut client, &limits).await {
            Ok(read) => {
                let transport = match certificate {
                    Some(_) => Transport::Certified,
                    None => Transport::Tls,
                };
                let link = Link::new(from, certificate, socket, slot);
                return self.context.hand_over(transport, client, link, read).await;
            }
            Err(refused) => refused,
        };
        match refused {
            _ if socket.is_cut() => {}
            RejectReason::GaveUp => count(&self.context.counters.tls_abandoned),
            RejectReason::Silent | RejectReason::Slow => {
                let detail = format!("{from}: no CONNECT within {limit:?} after the handshake");
                let device = certificate.map(|certificate| certificate.device);
                self.reports.report(TlsRefusal::NoConnect, device, detail);
                part(client).await;
            }
            other => {
                self.context.gate.reject(Transport::Tls.listener(), other);
                part(client).await;
            }
        }
    }
}

/// Ends a TLS connection that nothing was carried over.
async fn part(mut client: TlsStream<Socket>) {
    // Whether or not the client reads why, it ends.
    let _ = timeout(LINGER_LIMIT, client.shutdown()).await;
    linger(client.into_inner().0).await;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: ConnectLimits = ConnectLimits {
        first_byte: Duration::from_millis(400),
        connect: Duration::from_millis(1200),
        bytes: 1000,
    };

    #[test]
    fn the_length_of_a_connect_is_known_once_its_length_field_is_whole() {
        // MQTT 3.1.1 section 2.2.3 has these: 64 is 0x40, 321 is 193 + 2 * 128.
        for (read, expected) in [
            (&[][..], Ok(None)),
            (&[0x10], Ok(None)),
            (&[0x10, 0], Ok(Some(2))),
            (&[0x10, 0x40], Ok(Some(66))),
            (&[0x10, 193], Ok(None)),
            (&[0x10, 193, 2], Ok(Some(324))),
            (&[0x10, 0xe8, 0x07], Ok(Some(1003))),
            (&[0x10, 0xe9, 0x07], Err(RejectReason::TooLarge)),
            (&[0x10, 0xff, 0xff, 0xff, 0x7f], Err(RejectReason::TooLarge)),
            (&[0x10, 0xff, 0xff, 0xff], Ok(None)),
            (&[0x10, 0xff, 0xff, 0xff, 0xff], Err(RejectReason::NotMqtt)),
            (&[0x11], Err(RejectReason::NotMqtt)),
            (&[22, 3, 1], Err(RejectReason::NotMqtt)),
            (b"GET /", Err(RejectReason::NotMqtt)),
        ] {
            assert_eq!(packet_length(read, 1000), expected, "{read:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_and_more_of_them_never_change_the_answer(
            bytes in proptest::collection::vec(any::<u8>(), 0..12),
        ) {
            let answers: Vec<_> =
                (0..=bytes.len()).map(|end| packet_length(&bytes[..end], 1000)).collect();
            for pair in answers.windows(2) {
                prop_assert!(pair[0] == Ok(None) || pair[0] == pair[1], "{answers:?}");
            }
        }
    }

    /// A client that sends these, each after a pause, and what becomes of it.
    async fn client(pieces: &[(u64, &[u8])]) -> Result<BytesMut, RejectReason> {
        let (mut server, mut client) = tokio::io::duplex(64 * 1024);
        let sending = async {
            for (after_ms, bytes) in pieces {
                let pause = timeout(Duration::from_millis(*after_ms), std::future::pending::<()>());
                let _ = pause.await;
                if client.write_all(bytes).await.is_err() {
                    return;
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = sending => unreachable!("the client stays"),
            read = first_packet(&mut server, &LIMITS) => read,
        }
    }

    #[tokio::test]
    async fn a_connect_has_to_begin_and_to_end_in_time() {
        let whole = [0x10, 4, 1, 2, 3, 4];
        assert_eq!(client(&[(0, &whole[..])]).await.as_deref(), Ok(&whole[..]));
        let pieces: [(u64, &[u8]); 3] = [(0, &[0x10]), (1, &[4, 1, 2]), (1, &[3, 4, 9])];
        // What comes behind it is the broker's to read.
        assert_eq!(client(&pieces).await.as_deref(), Ok(&[0x10, 4, 1, 2, 3, 4, 9][..]));
        assert_eq!(client(&[]).await, Err(RejectReason::Silent));
        assert_eq!(client(&[(900, &whole[..])]).await, Err(RejectReason::Silent));
        assert_eq!(client(&[(0, &[0x10]), (3000, &whole[1..])]).await, Err(RejectReason::Slow));
        let drip: Vec<(u64, &[u8])> = whole.chunks(1).map(|byte| (300, byte)).collect();
        let drip = [&[(0, &whole[..1])], &drip[1..]].concat();
        assert_eq!(client(&drip).await, Err(RejectReason::Slow), "six bytes, one every 0.3 s");
        assert_eq!(client(&[(0, b"\x10\xe9\x07")]).await, Err(RejectReason::TooLarge));
        assert_eq!(client(&[(0, b"GET / HTTP/1.1\r\n")]).await, Err(RejectReason::NotMqtt));
    }

    #[tokio::test]
    async fn a_client_that_closes_before_its_connect_is_counted_as_given_up() {
        for sent in [&[][..], &[0x10], &[0x10, 4, 1]] {
            let (mut server, mut client) = tokio::io::duplex(64);
            client.write_all(sent).await.unwrap();
            drop(client);
            assert_eq!(first_packet(&mut server, &LIMITS).await, Err(RejectReason::GaveUp));
        }
    }
}
