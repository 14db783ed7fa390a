//! A broker made of bytes typed from MQTT 3.1.1 (OASIS, 29 October 2014), so that the session can
//! be shown what no real broker does: lost acknowledgements, wrong packet identifiers, silence.

use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// No step of a test takes longer, or the test fails with its name.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// Waits with the limit.
pub(crate) async fn soon<T>(what: &str, waited_for: impl Future<Output = T>) -> T {
    let Ok(value) = timeout(LIMIT, waited_for).await else { panic!("waited {LIMIT:?} for {what}") };
    value
}

/// The listening end.
pub(crate) struct Fake {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

impl Fake {
    pub(crate) async fn listen() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap(), tls: None }
    }

    /// The same behind TLS.
    pub(crate) async fn listen_tls(config: Arc<ServerConfig>) -> Self {
        Self { tls: Some(config.into()), ..Self::listen().await }
    }

    /// The next connection, as the socket that it is.
    pub(crate) async fn socket(&self) -> TcpStream {
        soon("a connection", self.listener.accept()).await.unwrap().0
    }

    /// The next connection, of which nothing is read yet, or why its handshake failed.
    pub(crate) async fn accept(&self) -> std::io::Result<Peer> {
        let stream = self.socket().await;
        Ok(match &self.tls {
            None => Peer { stream: Box::new(stream) },
            Some(tls) => Peer { stream: Box::new(soon("a handshake", tls.accept(stream)).await?) },
        })
    }

    pub(crate) fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// The next connection, whose CONNECT is read and left unanswered.
    pub(crate) async fn connecting(&self) -> (Peer, Vec<u8>) {
        let mut peer = self.accept().await.unwrap();
        let (header, connect) = peer.packet().await;
        assert_eq!(header, 0x10, "CONNECT, section 3.1");
        (peer, connect)
    }

    /// The next connection, accepted (section 3.2, return code 0).
    pub(crate) async fn connected(&self) -> Peer {
        let (mut peer, _) = self.connecting().await;
        peer.send(&[0x20, 2, 0, 0]).await;
        peer
    }
}

/// Either kind of connection.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One connection.
pub(crate) struct Peer {
    stream: Box<dyn Stream>,
}

/// A PUBLISH as it arrived.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) topic: String,
    pub(crate) id: u16,
    pub(crate) payload: Vec<u8>,
}

impl Peer {
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let sending = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        soon("the client to take bytes", sending).await.unwrap();
    }

    /// What is left to read until the end of the connection; an error where that is not orderly.
    pub(crate) async fn rest(mut self) -> std::io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        soon("the end of the connection", self.stream.read_to_end(&mut rest)).await?;
        Ok(rest)
    }

    /// The next packet: first byte and what follows the remaining length; `None` at the end of the
    /// connection.
    pub(crate) async fn try_packet(&mut self) -> Option<(u8, Vec<u8>)> {
        let reading = async {
            let first = self.stream.read_u8().await.ok()?;
            // Section 2.2.3: seven bits per byte, least significant first.
            let (mut length, mut shift) = (0_usize, 0);
            loop {
                let byte = self.stream.read_u8().await.ok()?;
                length |= usize::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            let mut body = vec![0; length];
            self.stream.read_exact(&mut body).await.ok()?;
            Some((first, body))
        };
        soon("a packet", reading).await
    }

    pub(crate) async fn packet(&mut self) -> (u8, Vec<u8>) {
        self.try_packet().await.expect("the connection ended")
    }

    /// The next packet, which must be a QoS 1 PUBLISH without DUP and RETAIN (section 3.3).
    pub(crate) async fn published(&mut self) -> Published {
        let (header, body) = self.packet().await;
        assert_eq!(header, 0x32, "QoS 1 PUBLISH, no DUP, no RETAIN");
        parse_publish(&body)
    }

    /// PUBACK, section 3.4.
    pub(crate) async fn acknowledge(&mut self, id: u16) {
        let [high, low] = id.to_be_bytes();
        self.send(&[0x40, 2, high, low]).await;
    }

    /// QoS 0 PUBLISH of a short payload.
    pub(crate) async fn publish(&mut self, topic: &str, payload: &[u8]) {
        let length = 2 + topic.len() + payload.len();
        let mut packet = vec![0x30];
        let mut rest = length;
        loop {
            let more = rest > 0x7f;
            packet.push((rest & 0x7f) as u8 | if more { 0x80 } else { 0 });
            rest >>= 7;
            if !more {
                break;
            }
        }
        packet.extend((topic.len() as u16).to_be_bytes());
        packet.extend(topic.as_bytes());
        packet.extend(payload);
        self.send(&packet).await;
    }

    /// Reads SUBSCRIBE and answers with these return codes (sections 3.8, 3.9). Returns the
    /// filters.
    pub(crate) async fn subscribed(&mut self, codes: &[u8]) -> Vec<String> {
        let (header, body) = self.packet().await;
        assert_eq!(header, 0x82, "SUBSCRIBE");
        let mut packet = vec![0x90, 2 + codes.len() as u8, body[0], body[1]];
        packet.extend(codes);
        self.send(&packet).await;
        let mut filters = Vec::new();
        let mut rest = &body[2..];
        while let [high, low, tail @ ..] = rest {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            filters.push(String::from_utf8(tail[..length].to_vec()).unwrap());
            assert_eq!(tail[length], 1, "QoS 1 is asked for");
            rest = &tail[length + 1..];
        }
        filters
    }
}

/// Takes a QoS 1 PUBLISH apart.
pub(crate) fn parse_publish(body: &[u8]) -> Published {
    let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
    let topic = String::from_utf8(body[2..2 + length].to_vec()).unwrap();
    let id = u16::from_be_bytes([body[2 + length], body[3 + length]]);
    Published { topic, id, payload: body[4 + length..].to_vec() }
}
