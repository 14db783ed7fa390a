//! Accepting connections, at a pace that never spins where the system gives none.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};

use super::{Gate, LOG_EVERY, Listener, Socket};
use crate::log_throttle::LogThrottle;

/// Connections that wait to be accepted, beyond which the system refuses them.
const BACKLOG: u32 = 1024;
/// The first pause after the system gave no connection; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

pub(crate) struct Acceptor {
    socket: TcpListener,
    listener: Listener,
    gate: Arc<Gate>,
    pause: Duration,
    log: LogThrottle,
}

impl Acceptor {
    /// Binds an address; port 0 takes a free one.
    pub(crate) fn bind(
        address: SocketAddr,
        listener: Listener,
        gate: Arc<Gate>,
    ) -> io::Result<Self> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let socket = socket.listen(BACKLOG)?;
        Ok(Self { socket, listener, gate, pause: Duration::ZERO, log: LogThrottle::new(LOG_EVERY) })
    }

    /// Where it listens, with the real port.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The next connection. Where the system has none to give, because descriptors or memory have
    /// run out, it waits ever longer, and logs it now and then.
    pub(crate) async fn accept(&mut self) -> (Socket, SocketAddr) {
        loop {
            match self.socket.accept().await {
                Ok((stream, from)) => {
                    self.pause = Duration::ZERO;
                    return (Socket::new(stream), from);
                }
                Err(error) => self.failed(&error).await,
            }
        }
    }

    async fn failed(&mut self, error: &io::Error) {
        self.gate.tally.accept_failed(self.listener);
        if let Some(unsaid) = self.log.admit() {
            let door = self.listener.word();
            tracing::warn!(door, %error, unsaid, "a connection could not be accepted");
        }
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        rest_for(self.pause).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "there is no event to wait for: descriptors ran out")]
async fn rest_for(pause: Duration) {
    tokio::time::sleep(pause).await;
}
