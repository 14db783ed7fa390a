//! The connections that the broker has, and who is behind each of them.
//!
//! The listener gives a connection to the broker together with its entry here, and the broker's
//! hooks find it by listener and address: what a certificate has proved, whose tenant the client
//! is in, where the connection's slot is, and what waits to be sent over it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use lastmeter_model::access::{Principal, PrincipalRef};
use lastmeter_store::lock;
use lastmeter_units::TenantName;
use rmqtt::net::unscope;
use rmqtt::types::Id;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use crate::gate::{Listener, Slot, Socket};
use crate::tls::DeviceCertificate;

/// The client's identifier as the client has it; the library has it with a scope.
pub(super) fn client_id(client: &Id) -> &str {
    unscope(&client.client_id).1
}

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

/// Connections of one device, gateway, user or application at a time.
const OF_PRINCIPAL_MAX: usize = 16;

/// Listener and peer of a connection.
type Key = (u16, SocketAddr);

#[derive(Default)]
pub(super) struct Links {
    connections: RwLock<BTreeMap<Key, Arc<Link>>>,
    /// Those with a client, or with something that waits.
    tenants: Mutex<BTreeMap<TenantName, Arc<TenantAccount>>>,
    /// Notified whenever a connection has been put down.
    put_down: Notify,
}

pub(super) struct Link {
    pub(super) from: SocketAddr,
    /// Its certificate.
    pub(super) certificate: Option<DeviceCertificate>,
    pub(super) socket: Socket,
    /// What waits to be sent over it.
    pub(super) account: Arc<Account>,
    /// The tenant of its client, once that is authenticated.
    tenant: OnceLock<Arc<TenantAccount>>,
    /// Who its client is, once that is known.
    principal: OnceLock<Arc<Principal>>,
    /// Once its client has a subscription by which live values can come.
    live_listener: OnceLock<LiveListener>,
    /// The filters of such subscriptions, and the identifier of the client.
    live_filters: Mutex<(BTreeSet<String>, String)>,
    /// Its slot; the last to go, after its descriptor.
    pub(super) slot: Slot,
}

/// What cutting a tenant's connections came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CutLinks {
    /// Connections that were cut.
    pub(crate) cut: usize,
    /// Those of them that the broker had not put down in time.
    pub(crate) left: usize,
}

impl Link {
    pub(super) fn new(
        from: SocketAddr,
        certificate: Option<DeviceCertificate>,
        socket: Socket,
        slot: Slot,
    ) -> Self {
        let (tenant, principal, live_listener) =
            (OnceLock::new(), OnceLock::new(), OnceLock::new());
        let (account, live_filters) = Default::default();
        Self {
            from,
            certificate,
            socket,
            account,
            tenant,
            principal,
            live_listener,
            live_filters,
            slot,
        }
    }

    /// The device that its certificate names.
    pub(super) fn device(&self) -> Option<&str> {
        self.certificate.as_ref().map(|certificate| &*certificate.device)
    }

    /// Who its client is, once that is known.
    pub(super) fn principal(&self) -> Option<Arc<Principal>> {
        self.principal.get().cloned()
    }

    /// The tenant of its client, once that is authenticated.
    pub(super) fn tenant(&self) -> Option<&Arc<TenantAccount>> {
        self.tenant.get()
    }

    /// Its client has a subscription by which live values can come.
    pub(super) fn listens_live(&self, filter: &str, client: &str) {
        let mut own = lock(&self.live_filters);
        own.0.insert(filter.to_owned());
        client.clone_into(&mut own.1);
        drop(own);
        if let Some(account) = self.tenant() {
            self.live_listener.get_or_init(|| LiveListener::new(Arc::clone(account)));
        }
    }

    /// The identifier of its client, if a live value comes by one of its subscriptions.
    fn live_client(&self, topic: &str) -> Option<String> {
        let own = lock(&self.live_filters);
        own.0.iter().any(|filter| is_match(filter, topic)).then(|| own.1.clone())
    }

    fn is_of(&self, tenant: &TenantName) -> bool {
        self.tenant().is_some_and(|account| account.name == *tenant)
    }
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
        let mut links = self.connections.write().unwrap_or_else(PoisonError::into_inner);
        links.insert((listener, link.from), Arc::clone(&link));
        drop(links);
        Wire { stream, _put_down: PutDown { links: Arc::clone(self), listener, link } }
    }

    /// Takes note that the client of a connection has proved to be this principal of a tenant,
    /// unless the tenant has as many connections as it may have, or the principal has. Those who
    /// share a secret have those of all of them.
    pub(super) fn authenticated(
        &self,
        link: &Link,
        (principal, tenant): (Principal, TenantName),
        most: usize,
    ) -> bool {
        let mut tenants = lock(&self.tenants);
        if most < usize::MAX && self.of_tenant(&tenant).len() >= most {
            return false;
        }
        let is_many = matches!(
            principal.reference,
            PrincipalRef::Bench | PrincipalRef::SharedDevices | PrincipalRef::PlatformAdmin(_)
        );
        if !is_many && self.of_principal(&tenant, &principal.reference).len() >= OF_PRINCIPAL_MAX {
            return false;
        }
        // Whoever has a client or a message of a tenant has its account.
        tenants.retain(|_, account| Arc::strong_count(account) > 1);
        let account = tenants
            .entry(tenant)
            .or_insert_with_key(|name| Arc::new(TenantAccount::new(name.clone())));
        // A connection has one CONNECT.
        let _ = link.tenant.set(Arc::clone(account));
        let _ = link.principal.set(Arc::new(principal));
        drop(tenants);
        link.slot.mark_authenticated();
        true
    }

    /// The connection of a client, unless it is gone.
    pub(super) fn find(&self, client: &Id) -> Option<Arc<Link>> {
        let key = (client.lid, client.remote_addr?);
        let links = self.connections.read().unwrap_or_else(PoisonError::into_inner);
        links.get(&key).cloned()
    }

    /// Whether a client of the tenant has a subscription by which live values can come.
    pub(super) fn has_live_listener(&self, tenant: &TenantName) -> bool {
        let account = lock(&self.tenants).get(tenant).cloned();
        account.is_some_and(|account| account.live_listeners.load(Ordering::Relaxed) > 0)
    }

    /// Whose clients a live value of a tenant goes to, each once: a connection that its client has
    /// replaced may still be there.
    pub(super) fn live_parties(&self, tenant: &TenantName, topic: &str) -> Vec<Arc<Principal>> {
        let links = self.connections.read().unwrap_or_else(PoisonError::into_inner);
        let of_tenant = links.values().filter(|link| link.is_of(tenant));
        let clients = of_tenant.filter_map(|link| {
            let who = link.principal()?;
            Some(((who.reference.clone(), link.live_client(topic)?), who))
        });
        clients.collect::<BTreeMap<_, _>>().into_values().collect()
    }

    /// The tenant for which most waits.
    pub(super) fn most_owed_tenant(&self) -> Option<Arc<TenantAccount>> {
        lock(&self.tenants).values().max_by_key(|account| account.bytes()).cloned()
    }

    /// The connection of a tenant that most waits for.
    pub(super) fn most_owed(&self, tenant: &TenantAccount) -> Option<Arc<Link>> {
        let links = self.connections.read().unwrap_or_else(PoisonError::into_inner);
        let of_tenant = links.values().filter(|link| link.is_of(&tenant.name));
        of_tenant.max_by_key(|link| link.account.open_bytes()).cloned()
    }

    /// Cuts all connections of a tenant and waits until they are put down.
    pub(super) async fn cut(&self, tenant: &TenantName, limit: Duration) -> CutLinks {
        let mut waited_for = self.of_tenant(tenant);
        let cut = waited_for.len();
        for link in waited_for.iter().filter_map(|(_, link)| link.upgrade()) {
            link.socket.cut();
        }
        let gone = async {
            loop {
                let changed = self.put_down.notified();
                tokio::pin!(changed);
                // From here on none that is put down is missed.
                changed.as_mut().enable();
                while waited_for.pop_if(|(key, link)| !self.has(key, link)).is_some() {}
                if waited_for.is_empty() {
                    return;
                }
                changed.await;
            }
        };
        // What is left then is counted.
        let _ = tokio::time::timeout(limit, gone).await;
        let left = waited_for.iter().filter(|(key, link)| self.has(key, link)).count();
        CutLinks { cut, left }
    }

    /// Cuts the connections of a principal.
    pub(super) fn cut_principal(&self, tenant: &TenantName, who: &PrincipalRef) {
        for link in self.of_principal(tenant, who).iter().filter_map(Weak::upgrade) {
            link.socket.cut();
        }
    }

    /// The connections of a principal; who holds these keeps no slot.
    fn of_principal(&self, tenant: &TenantName, who: &PrincipalRef) -> Vec<Weak<Link>> {
        let links = self.connections.read().unwrap_or_else(PoisonError::into_inner);
        let is_it = |link: &&Arc<Link>| {
            link.is_of(tenant) && link.principal.get().is_some_and(|one| one.reference == *who)
        };
        links.values().filter(is_it).map(Arc::downgrade).collect()
    }

    /// The connections of a tenant; who holds these keeps no slot.
    fn of_tenant(&self, tenant: &TenantName) -> Vec<(Key, Weak<Link>)> {
        let links = self.connections.read().unwrap_or_else(PoisonError::into_inner);
        let of_tenant = links.iter().filter(|(_, link)| link.is_of(tenant));
        of_tenant.map(|(key, link)| (*key, Arc::downgrade(link))).collect()
    }

    fn has(&self, key: &Key, sought: &Weak<Link>) -> bool {
        let links = self.connections.read().unwrap_or_else(PoisonError::into_inner);
        links.get(key).is_some_and(|link| std::ptr::eq(Arc::as_ptr(link), sought.as_ptr()))
    }
}

struct PutDown {
    links: Arc<Links>,
    listener: u16,
    link: Arc<Link>,
}

impl Drop for PutDown {
    fn drop(&mut self) {
        let mut links = self.links.connections.write().unwrap_or_else(PoisonError::into_inner);
        let key = (self.listener, self.link.from);
        // The address may be another connection's already.
        if links.get(&key).is_some_and(|link| Arc::ptr_eq(link, &self.link)) {
            links.remove(&key);
        }
        drop(links);
        self.links.put_down.notify_waiters();
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

/// Whether a filter (MQTT 5.0, 4.7) matches a topic.
fn is_match(filter: &str, topic: &str) -> bool {
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        match (wanted, levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (wanted, Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
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

/// What waits for all subscribers of a tenant.
#[derive(Debug)]
pub(super) struct TenantAccount {
    name: TenantName,
    bytes: AtomicUsize,
    /// Connections whose client has a subscription by which live values can come.
    live_listeners: AtomicUsize,
}

/// A connection among the live listeners of its tenant, as long as there is one.
struct LiveListener(Arc<TenantAccount>);

impl LiveListener {
    fn new(account: Arc<TenantAccount>) -> Self {
        account.live_listeners.fetch_add(1, Ordering::Relaxed);
        Self(account)
    }
}

impl Drop for LiveListener {
    fn drop(&mut self) {
        self.0.live_listeners.fetch_sub(1, Ordering::Relaxed);
    }
}

impl TenantAccount {
    fn new(name: TenantName) -> Self {
        Self { name, bytes: AtomicUsize::new(0), live_listeners: AtomicUsize::new(0) }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// So many bytes more wait; returns how many do now.
    pub(super) fn queued(&self, bytes: usize) -> usize {
        self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    /// So many bytes do not wait any more.
    pub(super) fn unqueued(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}
