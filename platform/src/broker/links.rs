//! The connections that the broker has, and who is behind each of them.
//!
//! The listener gives a connection to the broker together with its entry here, and the broker's
//! hooks find it by listener and address: what a certificate has proved, where the connection's
//! slot is, and what waits to be sent over it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::task::{Context, Poll};

use rmqtt::types::Id;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::gate::{Listener, Slot, Socket};

/// The transport by which a connection reached the broker; each has a listener there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Plain,
    /// TLS, without a certificate.
    Tls,
    /// TLS, with a device certificate.
    Certified,
}

impl Transport {
    pub(super) const ALL: [Self; 3] = [Self::Plain, Self::Tls, Self::Certified];

    /// The name under which rmqtt keeps the listener.
    pub(super) const fn listener_id(self) -> u16 {
        self as u16 + 1
    }

    pub(super) fn of(client: &Id) -> Self {
        let came_by = |transport: &Self| transport.listener_id() == client.lid;
        // What has no listener is the platform itself.
        Self::ALL.into_iter().find(came_by).unwrap_or(Self::Plain)
    }

    /// The platform's listener of this transport.
    pub(super) const fn listener(self) -> Listener {
        match self {
            Self::Plain => Listener::Mqtt,
            Self::Tls | Self::Certified => Listener::Mqtts,
        }
    }
}

#[derive(Default)]
pub(super) struct Links(RwLock<BTreeMap<(u16, SocketAddr), Arc<Link>>>);

pub(super) struct Link {
    pub(super) from: SocketAddr,
    /// The name in its certificate.
    pub(super) device: Option<String>,
    pub(super) socket: Socket,
    /// What waits to be sent over it.
    pub(super) account: Arc<Account>,
    /// Its slot; the last to go, after its descriptor.
    pub(super) slot: Slot,
}

impl Links {
    /// Puts a connection down, until the wire made of it goes.
    pub(super) fn join<S>(
        self: &Arc<Self>,
        transport: Transport,
        stream: S,
        link: Link,
    ) -> Wire<S> {
        let (listener, link) = (transport.listener_id(), Arc::new(link));
        let mut links = self.0.write().unwrap_or_else(PoisonError::into_inner);
        links.insert((listener, link.from), Arc::clone(&link));
        drop(links);
        Wire { stream, _put_down: PutDown { links: Arc::clone(self), listener, link } }
    }

    /// The connection of a client, unless it is gone.
    pub(super) fn find(&self, client: &Id) -> Option<Arc<Link>> {
        let key = (client.lid, client.remote_addr?);
        let links = self.0.read().unwrap_or_else(PoisonError::into_inner);
        links.get(&key).cloned()
    }

    /// The connection that most waits for.
    pub(super) fn most_owed(&self) -> Option<Arc<Link>> {
        let links = self.0.read().unwrap_or_else(PoisonError::into_inner);
        links.values().max_by_key(|link| link.account.open_bytes()).cloned()
    }
}

struct PutDown {
    links: Arc<Links>,
    listener: u16,
    link: Arc<Link>,
}

impl Drop for PutDown {
    fn drop(&mut self) {
        let mut links = self.links.0.write().unwrap_or_else(PoisonError::into_inner);
        let key = (self.listener, self.link.from);
        // The address may be another connection's already.
        if links.get(&key).is_some_and(|link| Arc::ptr_eq(link, &self.link)) {
            links.remove(&key);
        }
    }
}

/// A connection as the broker library has it.
pub(super) struct Wire<S> {
    stream: S,
    /// Declared after the stream, so gone after it.
    _put_down: PutDown,
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// What waits for one subscriber.
#[derive(Debug, Default)]
pub(super) struct Account(Mutex<Owed>);

#[derive(Debug, Default)]
pub(super) struct Owed {
    pub(super) messages: usize,
    pub(super) bytes: usize,
    /// It has been cut; what it still holds is about to go.
    pub(super) is_closed: bool,
}

impl Account {
    pub(super) fn owed(&self) -> MutexGuard<'_, Owed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that wait; none if it has been cut.
    pub(super) fn open_bytes(&self) -> usize {
        let owed = self.owed();
        if owed.is_closed { 0 } else { owed.bytes }
    }
}
