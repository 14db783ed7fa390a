//! Connection slots: a bounded number of connections, of which unauthenticated ones give way to new
//! ones.
//!
//! A new connection that finds every slot in use takes that of an unauthenticated one: of the
//! address with most of them, the oldest. So an address that only opens connections loses its own.
//! An unauthenticated connection keeps its slot for a time of grace, so that many honest clients at
//! once are admitted one after the other instead of evicting each other; until then a new one
//! waits.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use super::{Gate, Listener, RejectReason, Socket, lock};

/// Evicted connections that have not closed yet, beyond which no further one is evicted.
const EVICTED_MAX: usize = 64;
/// How long to wait for those before looking again, should none be reported closed.
const EVICTED_WAIT: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug)]
pub(crate) struct ListenerLimits {
    pub(crate) listener: Listener,
    /// Connections at a time.
    pub(crate) slots: usize,
    /// Unauthenticated ones among them.
    pub(crate) unauthenticated: usize,
    /// Connections of one address at a time.
    pub(crate) of_peer: usize,
    /// How long an unauthenticated one keeps its slot whoever comes.
    pub(crate) grace: Duration,
}

/// The slots that some listeners share.
pub(crate) struct ConnectionSlots {
    gate: Arc<Gate>,
    table: Mutex<SlotTable<Socket>>,
    freed: Notify,
}

/// The slots in use; `T` is what ends an unauthenticated connection. Pure: time comes in.
struct SlotTable<T> {
    limit: usize,
    listeners: Vec<ListenerSlots<T>>,
    evicted: usize,
    next: u64,
}

struct ListenerSlots<T> {
    limits: ListenerLimits,
    slots: usize,
    unauthenticated: BTreeMap<u64, Unauthenticated<T>>,
    peers: BTreeMap<IpAddr, Peer>,
}

struct Unauthenticated<T> {
    peer: IpAddr,
    since: Duration,
    socket: T,
}

#[derive(Default)]
struct Peer {
    slots: usize,
    unauthenticated: BTreeSet<u64>,
}

/// By which listener a connection comes, and from which address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) listener: Listener,
    pub(crate) peer: IpAddr,
}

/// What becomes of a new connection.
pub(crate) enum SlotOffer {
    Granted(Slot),
    /// There may be one after so long, or when one is freed.
    Wait(Duration),
    Full(RejectReason),
}

/// A slot, until it is dropped.
pub(crate) struct Slot {
    slots: Arc<ConnectionSlots>,
    origin: Origin,
    id: u64,
    is_unauthenticated: AtomicBool,
}

impl ConnectionSlots {
    /// So many slots for these listeners together.
    pub(crate) fn new(limit: usize, listeners: &[ListenerLimits], gate: Arc<Gate>) -> Arc<Self> {
        let table = Mutex::new(SlotTable::new(limit, listeners));
        Arc::new(Self { gate, table, freed: Notify::new() })
    }

    /// A slot for a connection that has just come, if there is one now.
    pub(crate) fn try_admit(self: &Arc<Self>, origin: Origin, socket: &Socket) -> SlotOffer {
        let now = self.gate.now();
        let mut table = lock(&self.table);
        match table.availability(origin, now) {
            Availability::Free => {}
            Availability::Evict(oldest) => {
                let (from, socket) = table.evict(oldest);
                self.gate.tally.closed(from, true);
                self.gate.reject(from, RejectReason::CrowdedOut);
                socket.cut();
            }
            Availability::Later(wait) => return SlotOffer::Wait(wait),
            Availability::Full(reason) => return SlotOffer::Full(reason),
        }
        let id = table.occupy(origin, now, socket.clone());
        self.gate.tally.connected(origin.listener);
        let (slots, is_unauthenticated) = (Arc::clone(self), AtomicBool::new(true));
        SlotOffer::Granted(Slot { slots, origin, id, is_unauthenticated })
    }

    /// Waits for a slot, and no longer than this even where none is to be had now.
    pub(crate) async fn admit_within(
        self: &Arc<Self>,
        origin: Origin,
        socket: &Socket,
        patience: Duration,
    ) -> Option<Slot> {
        let admitted = self.admit_when_free(origin, socket, |_| false);
        tokio::time::timeout(patience, admitted).await.ok().flatten()
    }

    /// Waits for a slot; `None` if there is none, with the reason counted.
    pub(crate) async fn admit(self: &Arc<Self>, origin: Origin, socket: &Socket) -> Option<Slot> {
        let gives_up = |reason| {
            self.gate.reject(origin.listener, reason);
            true
        };
        self.admit_when_free(origin, socket, gives_up).await
    }

    /// Tries until there is a slot; `None` once `gives_up` of the reason why all are in use.
    async fn admit_when_free(
        self: &Arc<Self>,
        origin: Origin,
        socket: &Socket,
        gives_up: impl Fn(RejectReason) -> bool,
    ) -> Option<Slot> {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            match self.try_admit(origin, socket) {
                SlotOffer::Granted(slot) => return Some(slot),
                SlotOffer::Full(reason) if gives_up(reason) => return None,
                SlotOffer::Full(_) => freed.await,
                // Out of time, the oldest unauthenticated connection has had its grace.
                SlotOffer::Wait(wait) => drop(tokio::time::timeout(wait, freed).await),
            }
        }
    }
}

/// Whether there is a slot for a new connection.
enum Availability {
    Free,
    /// That of this unauthenticated connection, of that listener.
    Evict((Listener, u64)),
    Later(Duration),
    Full(RejectReason),
}

impl<T> SlotTable<T> {
    fn new(limit: usize, listeners: &[ListenerLimits]) -> Self {
        let listeners = listeners.iter().map(|limits| ListenerSlots {
            limits: *limits,
            slots: 0,
            unauthenticated: BTreeMap::new(),
            peers: BTreeMap::new(),
        });
        Self { limit, listeners: listeners.collect(), evicted: 0, next: 0 }
    }

    fn at(&self, listener: Listener) -> &ListenerSlots<T> {
        let found = self.listeners.iter().find(|slots| slots.limits.listener == listener);
        found.expect("connections are admitted by their own interface")
    }

    fn at_mut(&mut self, listener: Listener) -> &mut ListenerSlots<T> {
        let found = self.listeners.iter_mut().find(|slots| slots.limits.listener == listener);
        found.expect("connections are admitted by their own interface")
    }

    fn availability(&self, origin: Origin, now: Duration) -> Availability {
        let (table, peer) = (self.at(origin.listener), origin.peer);
        let of_peer = table.peers.get(&peer).map_or(0, |peer| peer.slots);
        let all: usize = self.listeners.iter().map(|table| table.slots).sum();
        let (candidate, reason) = if of_peer >= table.limits.of_peer {
            (table.oldest_of(peer), RejectReason::FullOfPeer)
        } else if table.slots >= table.limits.slots
            || table.unauthenticated.len() >= table.limits.unauthenticated
        {
            (table.eviction_candidate(), RejectReason::Full)
        } else if all >= self.limit {
            let candidates = self.listeners.iter().filter_map(ListenerSlots::eviction_candidate);
            (candidates.min_by_key(|candidate| candidate.2), RejectReason::Full)
        } else {
            return Availability::Free;
        };
        let Some((listener, id, until)) = candidate else { return Availability::Full(reason) };
        let wait = until.saturating_sub(now);
        if !wait.is_zero() {
            return Availability::Later(wait);
        }
        if self.evicted >= EVICTED_MAX {
            return Availability::Later(EVICTED_WAIT);
        }
        Availability::Evict((listener, id))
    }

    fn occupy(&mut self, Origin { listener, peer }: Origin, now: Duration, socket: T) -> u64 {
        let id = self.next;
        self.next += 1;
        let table = self.at_mut(listener);
        table.slots += 1;
        table.unauthenticated.insert(id, Unauthenticated { peer, since: now, socket });
        let of_peer = table.peers.entry(peer).or_default();
        of_peer.slots += 1;
        of_peer.unauthenticated.insert(id);
        id
    }

    /// Takes the slot of an unauthenticated connection, which has yet to close.
    fn evict(&mut self, (listener, id): (Listener, u64)) -> (Listener, T) {
        let table = self.at_mut(listener);
        let evicted = table.remove_unauthenticated(id).expect("an unauthenticated one is evicted");
        table.release(evicted.peer);
        self.evicted += 1;
        (listener, evicted.socket)
    }

    /// A connection is authenticated. `false` if it was evicted before.
    fn authenticate(&mut self, listener: Listener, id: u64) -> bool {
        self.at_mut(listener).remove_unauthenticated(id).is_some()
    }

    /// A connection is closed. `false` if its slot is another's already.
    fn release(&mut self, origin: Origin, id: u64, is_unauthenticated: bool) -> bool {
        if is_unauthenticated && !self.authenticate(origin.listener, id) {
            self.evicted -= 1;
            return false;
        }
        self.at_mut(origin.listener).release(origin.peer);
        true
    }
}

impl<T> ListenerSlots<T> {
    /// The unauthenticated connection that gives way first, and until when it has its grace.
    fn eviction_candidate(&self) -> Option<(Listener, u64, Duration)> {
        let most = self.peers.values().map(|peer| peer.unauthenticated.len()).max()?;
        let largest = self.peers.values().filter(|peer| peer.unauthenticated.len() == most);
        let oldest = largest.filter_map(|peer| peer.unauthenticated.first()).min()?;
        self.with_grace(*oldest)
    }

    fn oldest_of(&self, peer: IpAddr) -> Option<(Listener, u64, Duration)> {
        self.with_grace(*self.peers.get(&peer)?.unauthenticated.first()?)
    }

    fn with_grace(&self, id: u64) -> Option<(Listener, u64, Duration)> {
        Some((self.limits.listener, id, self.unauthenticated.get(&id)?.since + self.limits.grace))
    }

    /// A connection is authenticated or gone.
    fn remove_unauthenticated(&mut self, id: u64) -> Option<Unauthenticated<T>> {
        let removed = self.unauthenticated.remove(&id)?;
        if let Some(peer) = self.peers.get_mut(&removed.peer) {
            peer.unauthenticated.remove(&id);
        }
        Some(removed)
    }

    /// A slot of this address is free.
    fn release(&mut self, peer: IpAddr) {
        self.slots -= 1;
        if let Some(of_peer) = self.peers.get_mut(&peer) {
            of_peer.slots -= 1;
            if of_peer.slots == 0 {
                self.peers.remove(&peer);
            }
        }
    }
}

impl Slot {
    /// From which address its connection comes.
    pub(crate) fn peer(&self) -> IpAddr {
        self.origin.peer
    }

    /// Its connection has proved its identity, and keeps it.
    pub(crate) fn mark_authenticated(&self) {
        if !self.is_unauthenticated.load(Ordering::Acquire) {
            return;
        }
        // One that was evicted a moment ago stays unauthenticated, without a slot.
        if lock(&self.slots.table).authenticate(self.origin.listener, self.id) {
            self.is_unauthenticated.store(false, Ordering::Release);
            self.slots.gate.tally.authenticated(self.origin.listener);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let was_unauthenticated = self.is_unauthenticated.load(Ordering::Acquire);
        if lock(&self.slots.table).release(self.origin, self.id, was_unauthenticated) {
            self.slots.gate.tally.closed(self.origin.listener, was_unauthenticated);
        }
        self.slots.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GRACE: Duration = Duration::from_secs(1);

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn peer(number: u8) -> IpAddr {
        IpAddr::V4([192, 0, 2, number].into())
    }

    fn limits(
        listener: Listener,
        slots: usize,
        unauthenticated: usize,
        of_peer: usize,
    ) -> ListenerLimits {
        ListenerLimits { listener, slots, unauthenticated, of_peer, grace: GRACE }
    }

    fn origin(listener: Listener, peer: IpAddr) -> Origin {
        Origin { listener, peer }
    }

    fn one_listener(slots: usize) -> SlotTable<()> {
        SlotTable::new(100, &[limits(Listener::Mqtt, slots, 100, 100)])
    }

    /// A new connection with all that is done for it: its id, if it gets a slot.
    fn connect(
        table: &mut SlotTable<()>,
        origin: Origin,
        now: Duration,
    ) -> Result<u64, Availability> {
        match table.availability(origin, now) {
            Availability::Free => {}
            Availability::Evict(oldest) => drop(table.evict(oldest)),
            none => return Err(none),
        }
        Ok(table.occupy(origin, now, ()))
    }

    #[test]
    fn the_oldest_of_the_address_with_most_is_evicted_after_its_grace() {
        let mut table = one_listener(4);
        for (number, from) in [(0, 7), (1, 9), (2, 9), (3, 8)] {
            assert_eq!(
                connect(&mut table, origin(Listener::Mqtt, peer(from)), at(number * 10)).ok(),
                Some(number)
            );
        }
        assert!(matches!(
            table.availability(origin(Listener::Mqtt, peer(1)), at(500)),
            Availability::Later(wait) if wait == at(510)
        ));
        // Peer 9 has two; the older of them is number 1, although number 0 is older.
        assert!(matches!(
            table.availability(origin(Listener::Mqtt, peer(1)), at(1010)),
            Availability::Evict((Listener::Mqtt, 1))
        ));
        assert_eq!(connect(&mut table, origin(Listener::Mqtt, peer(1)), at(1010)).ok(), Some(4));
        // Then each has one, and the oldest of all goes.
        assert!(matches!(
            table.availability(origin(Listener::Mqtt, peer(1)), at(1030)),
            Availability::Evict((Listener::Mqtt, 0))
        ));
    }

    #[test]
    fn authenticated_connections_keep_their_slots_and_new_ones_find_none() {
        let mut table = one_listener(2);
        for id in 0..2 {
            assert_eq!(connect(&mut table, origin(Listener::Mqtt, peer(1)), at(0)).ok(), Some(id));
            assert!(table.authenticate(Listener::Mqtt, id));
        }
        let later = at(1_000_000);
        assert!(matches!(
            table.availability(origin(Listener::Mqtt, peer(2)), later),
            Availability::Full(RejectReason::Full)
        ));
        assert!(table.release(origin(Listener::Mqtt, peer(1)), 1, false));
        assert!(matches!(
            table.availability(origin(Listener::Mqtt, peer(2)), later),
            Availability::Free
        ));
    }

    #[test]
    fn an_address_has_its_own_limit_and_evicts_only_its_own() {
        let mut table: SlotTable<()> = SlotTable::new(100, &[limits(Listener::Rest, 10, 10, 3)]);
        assert_eq!(connect(&mut table, origin(Listener::Rest, peer(2)), at(0)).ok(), Some(0));
        for id in 1..4 {
            assert_eq!(connect(&mut table, origin(Listener::Rest, peer(1)), at(1)).ok(), Some(id));
        }
        assert!(matches!(
            table.availability(origin(Listener::Rest, peer(1)), at(9000)),
            Availability::Evict((Listener::Rest, 1))
        ));
        for id in 1..4 {
            assert!(table.authenticate(Listener::Rest, id));
        }
        let full = table.availability(origin(Listener::Rest, peer(1)), at(9000));
        assert!(matches!(full, Availability::Full(RejectReason::FullOfPeer)));
        assert!(matches!(
            table.availability(origin(Listener::Rest, peer(2)), at(9000)),
            Availability::Free
        ));
    }

    #[test]
    fn listeners_that_share_their_slots_evict_from_each_other() {
        let listeners =
            [limits(Listener::Mqtt, 100, 100, 100), limits(Listener::Mqtts, 2, 100, 100)];
        let mut table: SlotTable<()> = SlotTable::new(3, &listeners);
        for (id, at_listener) in [(0, Listener::Mqtts), (1, Listener::Mqtt), (2, Listener::Mqtt)] {
            assert_eq!(connect(&mut table, origin(at_listener, peer(1)), at(id)).ok(), Some(id));
        }
        assert!(matches!(
            table.availability(origin(Listener::Mqtt, peer(1)), at(5000)),
            Availability::Evict((Listener::Mqtts, 0))
        ));
    }

    #[test]
    fn many_evicted_connections_are_waited_for() {
        let mut table = one_listener(1);
        for id in 0..=EVICTED_MAX as u64 {
            assert_eq!(
                connect(&mut table, origin(Listener::Mqtt, peer(1)), at(id * 2000)).ok(),
                Some(id)
            );
        }
        let now = at(1_000_000);
        assert!(matches!(
            table.availability(origin(Listener::Mqtt, peer(1)), now),
            Availability::Later(EVICTED_WAIT)
        ));
        assert!(!table.release(origin(Listener::Mqtt, peer(1)), 0, true));
        assert!(matches!(
            table.availability(origin(Listener::Mqtt, peer(1)), now),
            Availability::Evict(_)
        ));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Connect { listener: bool, peer: u8, after_ms: u64 },
        Authenticate(prop::sample::Index),
        Close(prop::sample::Index),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (any::<bool>(), 0..5_u8, 0..400_u64)
                .prop_map(|(listener, peer, after_ms)| Step::Connect { listener, peer, after_ms }),
            1 => any::<prop::sample::Index>().prop_map(Step::Authenticate),
            1 => any::<prop::sample::Index>().prop_map(Step::Close),
        ];
        prop::collection::vec(step, 0..300)
    }

    proptest! {
        /// Against a list of all connections: no bound is ever exceeded, none that is authenticated
        /// or in its grace loses its slot, and none is rejected while there is room.
        #[test]
        fn bounds_hold_and_authenticated_connections_stay(steps in steps()) {
            let limits = [limits(Listener::Mqtt, 6, 4, 3), limits(Listener::Mqtts, 5, 5, 100)];
            let mut table: SlotTable<()> = SlotTable::new(8, &limits);
            // (id, listener, peer, since, is unauthenticated, was evicted)
            let mut there: Vec<(u64, Listener, IpAddr, Duration, bool, bool)> = Vec::new();
            let mut now = Duration::ZERO;
            for step in steps {
                match step {
                    Step::Connect { listener, peer: from, after_ms } => {
                        now += at(after_ms);
                        let (listener, from) =
                            (if listener { Listener::Mqtt } else { Listener::Mqtts }, peer(from));
                        let before = there.iter().filter(|row| !row.5).count();
                        let availability = table.availability(origin(listener, from), now);
                        if let Availability::Evict((_, id)) = availability {
                            let sent = there.iter_mut().find(|row| row.0 == id).unwrap();
                            prop_assert!(sent.4 && !sent.5 && sent.3 + GRACE <= now);
                            sent.5 = true;
                        }
                        if let Availability::Later(_) | Availability::Full(_) = availability {
                            let at_listener = there.iter().filter(|row| !row.5 && row.1 == listener);
                            let (slots, unauthenticated) =
                                (at_listener.clone().count(), at_listener.clone().filter(|r| r.4).count());
                            let of_peer = at_listener.filter(|row| row.2 == from).count();
                            let (most, most_unauthenticated, most_of_peer) =
                                if listener == Listener::Mqtt { (6, 4, 3) } else { (5, 5, 100) };
                            prop_assert!(before >= 8 || slots >= most || unauthenticated >= most_unauthenticated
                                || of_peer >= most_of_peer);
                        }
                        if let Ok(id) = connect(&mut table, origin(listener, from), now) {
                            there.push((id, listener, from, now, true, false));
                        }
                    }
                    Step::Authenticate(which) if !there.is_empty() => {
                        let row = which.index(there.len());
                        let row = &mut there[row];
                        if row.4 {
                            prop_assert_eq!(table.authenticate(row.1, row.0), !row.5);
                            row.4 = row.5;
                        }
                    }
                    Step::Close(which) if !there.is_empty() => {
                        let row = there.swap_remove(which.index(there.len()));
                        prop_assert_eq!(table.release(origin(row.1, row.2), row.0, row.4), !row.5);
                    }
                    _ => {}
                }
                let admitted: Vec<_> = there.iter().filter(|row| !row.5).collect();
                prop_assert!(admitted.len() <= 8);
                for (limits, listener) in limits.iter().zip([Listener::Mqtt, Listener::Mqtts]) {
                    let at_listener: Vec<_> = admitted.iter().filter(|row| row.1 == listener).collect();
                    prop_assert!(at_listener.len() <= limits.slots);
                    prop_assert!(at_listener.iter().filter(|row| row.4).count() <= limits.unauthenticated);
                    let mut of_peers = BTreeMap::new();
                    for row in at_listener {
                        *of_peers.entry(row.2).or_insert(0) += 1;
                    }
                    prop_assert!(of_peers.values().all(|count| *count <= limits.of_peer));
                }
            }
            for row in there {
                table.release(origin(row.1, row.2), row.0, row.4);
            }
            prop_assert_eq!(table.evicted, 0);
            for listener in &table.listeners {
                prop_assert_eq!(listener.slots, 0);
                prop_assert!(listener.unauthenticated.is_empty() && listener.peers.is_empty());
            }
        }
    }
}
