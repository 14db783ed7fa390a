//! The TLS connection below a session: rumqttc on a Unix socket, TLS to the broker.
//!
//! rumqttc 0.25.1 takes no stream of ours, and its own TLS brings a second provider and a verifier
//! with open advisories. It does connect to Unix sockets, so TCP and TLS are made here first, with
//! their own words for what fails, and then a task carries bytes between a socket of this process
//! and the broker. The socket has an abstract name (`unix(7)`): no file, gone with its listener;
//! it takes one connection, from this process.
//!
//! Ends with whichever side ends first; dropping the [`Tunnel`] cuts both as a crash would.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::tls::{ClientTls, TlsError, handshake_words, later_words};

/// Tunnels made by this process, for their names.
static MADE: AtomicU64 = AtomicU64::new(0);

/// How to reach a broker over TLS, prepared once per session.
pub(super) struct Dialer {
    connector: TlsConnector,
    name: ServerName<'static>,
}

/// One connection to the broker.
pub(super) struct Tunnel {
    socket: String,
    /// Why it ended, if TLS knows better than "closed".
    why: Arc<OnceLock<String>>,
    task: JoinHandle<()>,
}

impl Dialer {
    pub(super) fn new(tls: &ClientTls) -> Result<Self, TlsError> {
        let (config, name) = tls.config()?;
        Ok(Self { connector: TlsConnector::from(config), name })
    }

    /// Connects, shakes hands and begins to carry. The error is the reason in words.
    pub(super) async fn dial(&self, address: &str, nodelay: bool) -> Result<Tunnel, String> {
        let plain = |error: io::Error| format!("cannot connect to {address}: {error}");
        let tcp = TcpStream::connect(address).await.map_err(plain)?;
        tcp.set_nodelay(nodelay).map_err(plain)?;
        let broker = self.connector.connect(self.name.clone(), tcp).await;
        let broker = broker.map_err(|error| handshake_words(&error, address))?;
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let socket = format!("\0lastmeter-mqtt-{}-{number}", std::process::id());
        let listener = UnixListener::bind(&socket)
            .map_err(|error| format!("a socket for the TLS connection: {error}"))?;
        let why = Arc::new(OnceLock::new());
        let task = tokio::spawn(carry(listener, broker, why.clone()));
        Ok(Tunnel { socket, why, task })
    }
}

impl Tunnel {
    /// The socket that leads to the broker: an abstract name, which begins with a NUL.
    pub(super) fn socket(&self) -> &str {
        &self.socket
    }

    /// Why the connection to the broker ended, if TLS has a word for it.
    pub(super) fn why(&self) -> Option<String> {
        self.why.get().cloned()
    }

    /// Waits until all that was handed over has left, once nobody is at the other end any more.
    pub(super) async fn drain(mut self, limit: Duration) {
        // Out of time, the connection is cut instead.
        let _ = tokio::time::timeout(limit, &mut self.task).await;
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(
    listener: UnixListener,
    mut broker: TlsStream<TcpStream>,
    why: Arc<OnceLock<String>>,
) {
    let Ok(mut client) = own_client(listener).await else { return };
    if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut broker).await
        && let Some(words) = later_words(&error)
    {
        // Set before the sockets close, so that it is there when the client sees them closed.
        let _ = why.set(words);
    }
}

/// The first connection that comes from this process: abstract names are open to all users.
async fn own_client(listener: UnixListener) -> io::Result<UnixStream> {
    loop {
        let (client, _) = listener.accept().await?;
        let from = client.peer_cred()?.pid();
        if from.and_then(|pid| u32::try_from(pid).ok()) == Some(std::process::id()) {
            return Ok(client);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixStream as StdStream};
    use std::process::Command;

    use super::*;

    /// Tells the process that it is the stranger, and which socket to go to.
    const STRANGER: &str = "LASTMETER_TEST_STRANGER";

    /// The stranger; does nothing when it is run as an ordinary test.
    #[test]
    fn stranger() {
        let Some(name) = std::env::var_os(STRANGER) else { return };
        let address = SocketAddr::from_abstract_name(name.as_encoded_bytes()).unwrap();
        let mut stream = StdStream::connect_addr(&address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // Closed without a byte.
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }

    #[tokio::test]
    async fn another_process_gets_no_tunnel() {
        let name = format!("lastmeter-test-{}", std::process::id());
        let listener = UnixListener::bind(format!("\0{name}")).unwrap();
        let own = tokio::spawn(own_client(listener));
        let status = tokio::task::spawn_blocking({
            let name = name.clone();
            move || {
                Command::new(std::env::current_exe().unwrap())
                    .args(["mqtt::tunnel::tests::stranger", "--exact"])
                    .env(STRANGER, name)
                    .status()
            }
        });
        assert!(status.await.unwrap().unwrap().success(), "see what it says above");
        assert!(!own.is_finished());
        let _ours = UnixStream::connect(format!("\0{name}")).await.unwrap();
        own.await.unwrap().unwrap();
    }
}
