//! The TLS connection below a session.
//!
//! TCP and TLS are made here, with their own words for what fails, before rumqttc is given the
//! stream: its own TLS would bring a second verifier. It ends a connection by dropping the stream,
//! so the session keeps a handle, with which TLS ends in order where the session does.
//! Dropping all handles cuts the connection as a crash would.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::tls::{ClientTls, TlsError, handshake_words};

/// How to reach a broker over TLS, prepared once per session.
pub(super) struct Dialer {
    connector: TlsConnector,
    name: ServerName<'static>,
}

/// A handle on one connection to the broker.
#[derive(Clone)]
pub(super) struct Connection(Arc<Mutex<TlsStream<TcpStream>>>);

impl Dialer {
    pub(super) fn new(tls: &ClientTls) -> Result<Self, TlsError> {
        let (config, name) = tls.config()?;
        Ok(Self { connector: TlsConnector::from(config), name })
    }

    /// Connects and shakes hands. The error is the reason in words.
    pub(super) async fn dial(&self, address: &str, nodelay: bool) -> Result<Connection, String> {
        let plain = |error: io::Error| format!("cannot connect to {address}: {error}");
        let tcp = TcpStream::connect(address).await.map_err(plain)?;
        tcp.set_nodelay(nodelay).map_err(plain)?;
        let broker = self.connector.connect(self.name.clone(), tcp).await;
        let broker = broker.map_err(|error| handshake_words(&error, address))?;
        Ok(Connection(Arc::new(Mutex::new(broker))))
    }
}

impl Connection {
    /// Ends the connection in order once nobody else uses it: what was written leaves, then
    /// `close_notify`, and the broker may end its side.
    pub(super) async fn end(mut self, limit: Duration) {
        let end = async {
            self.shutdown().await?;
            tokio::io::copy(&mut self, &mut tokio::io::sink()).await
        };
        // Out of time, the connection is cut instead.
        let _ = tokio::time::timeout(limit, end).await;
    }

    fn with<T>(&self, act: impl FnOnce(Pin<&mut TlsStream<TcpStream>>) -> T) -> T {
        // One task uses the handles, one after the other.
        act(Pin::new(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_shutdown(context))
    }
}
