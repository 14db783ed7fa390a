//! The handshake of a connection, and the end of one that has failed.

use std::cell::RefCell;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::TlsRefusal;
use super::verifier::CLAIMED;
use crate::gate::Socket;

/// The first byte of every TLS connection: a record of type "handshake" (RFC 8446 section 5.1).
const HANDSHAKE_RECORD: u8 = 22;
/// The first byte of every MQTT connection: CONNECT (MQTT 3.1.1 section 3.1).
const MQTT_CONNECT: u8 = 0x10;
/// How long a refused client may take to read why.
pub(crate) const LINGER_LIMIT: Duration = Duration::from_secs(2);
/// Bytes of a refused client that are read and thrown away.
const DISCARDED_BYTES_MAX: usize = 64 * 1024;

/// A handshake that was not.
pub(crate) struct Failed<S> {
    /// `None`: the client went away.
    pub(crate) refusal: Option<(TlsRefusal, String)>,
    /// Whose certificate was shown, if any: a claim.
    pub(crate) device: Option<String>,
    pub(crate) stream: S,
}

/// Takes a connection through its handshake; `stream` reads and writes `socket`.
pub(crate) async fn shake<S: AsyncRead + AsyncWrite + Unpin>(
    acceptor: &TlsAcceptor,
    socket: &Socket,
    stream: S,
) -> Result<TlsStream<S>, Failed<S>> {
    let failed = |refusal, stream| Failed { refusal, device: None, stream };
    match socket.peek().await {
        Ok(None) | Err(_) => return Err(failed(None, stream)),
        Ok(Some(HANDSHAKE_RECORD)) => {}
        Ok(Some(first)) => {
            let what = if first == MQTT_CONNECT { ", as plain MQTT does" } else { "" };
            let found = format!("it begins with 0x{first:02x}{what}, not with TLS");
            return Err(failed(Some((TlsRefusal::NotTls, found)), stream));
        }
    }
    let accept = acceptor.accept(stream).into_fallible();
    let (shaken, device) = CLAIMED
        .scope(RefCell::new(None), async {
            let shaken = accept.await;
            (shaken, CLAIMED.with(RefCell::take))
        })
        .await;
    shaken.map_err(|(error, stream)| Failed { refusal: TlsRefusal::of(&error), device, stream })
}

/// Closes without a reset, which could overtake the alert with the reason: reads what the client
/// has still sent, within bounds.
pub(crate) async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let reading = async {
        // Whatever happens, the connection is over.
        let _ = stream.shutdown().await;
        let (mut waste, mut left) = ([0; 1024], DISCARDED_BYTES_MAX);
        while let Ok(read) = stream.read(&mut waste).await {
            left = left.saturating_sub(read);
            if read == 0 || left == 0 {
                return;
            }
        }
    };
    let _ = timeout(LINGER_LIMIT, reading).await;
}
