//! Who sits where: a bounded number of connections, of which those that have not shown who they are
//! give way to newcomers.
//!
//! A newcomer that finds every seat taken gets that of a guest: of the address with most guests,
//! its oldest. So an address that only opens connections loses its own. A guest has a time of grace
//! in which it keeps its seat, so that a crowd of honest clients, all at once, is let in one after
//! the other instead of chasing itself away; until then a newcomer waits.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use super::{Door, Gate, Socket, Turned, lock};

/// Guests that were sent away and have not gone yet, beyond which nobody is let in for them.
const LEAVING_MOST: usize = 64;
/// How long to wait for those before looking again, should nobody say that they are gone.
const LEAVING_WAIT: Duration = Duration::from_millis(50);

/// The bounds of one door.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DoorLimits {
    /// The door.
    pub(crate) door: Door,
    /// Connections at a time.
    pub(crate) seats: usize,
    /// Guests among them.
    pub(crate) guests: usize,
    /// Connections of one address at a time.
    pub(crate) of_peer: usize,
    /// How long a guest keeps its seat whoever comes.
    pub(crate) grace: Duration,
}

/// The seats that some doors share.
pub(crate) struct Seats {
    gate: Arc<Gate>,
    book: Mutex<Book<Socket>>,
    freed: Notify,
}

/// Who sits where; `T` is what ends a guest's connection. Pure: time comes in.
struct Book<T> {
    limit: usize,
    doors: Vec<DoorBook<T>>,
    leaving: usize,
    next: u64,
}

struct DoorBook<T> {
    limits: DoorLimits,
    seats: usize,
    guests: BTreeMap<u64, Guest<T>>,
    peers: BTreeMap<IpAddr, Peer>,
}

struct Guest<T> {
    peer: IpAddr,
    since: Duration,
    socket: T,
}

#[derive(Default)]
struct Peer {
    seats: usize,
    guests: BTreeSet<u64>,
}

/// What becomes of a newcomer.
pub(crate) enum Answer {
    /// It has a seat.
    Seated(Seat),
    /// There may be one after so long, or when one is freed.
    Wait(Duration),
    /// There is none.
    Full(Turned),
}

/// A seat, until it is dropped.
pub(crate) struct Seat {
    seats: Arc<Seats>,
    door: Door,
    peer: IpAddr,
    id: u64,
    is_guest: AtomicBool,
}

impl Seats {
    /// So many seats for these doors together.
    pub(crate) fn new(limit: usize, doors: &[DoorLimits], gate: Arc<Gate>) -> Arc<Self> {
        let book = Mutex::new(Book::new(limit, doors));
        Arc::new(Self { gate, book, freed: Notify::new() })
    }

    /// Asks for a seat for a connection that has just come.
    pub(crate) fn ask(self: &Arc<Self>, door: Door, peer: IpAddr, socket: &Socket) -> Answer {
        let now = self.gate.now();
        let mut book = lock(&self.book);
        match book.room(door, peer, now) {
            Room::There => {}
            Room::Of(guest) => {
                let (from, socket) = book.send_away(guest);
                self.gate.tally.left(from, true);
                self.gate.turn_away(from, Turned::CrowdedOut);
                socket.cut();
            }
            Room::Later(wait) => return Answer::Wait(wait),
            Room::None(reason) => return Answer::Full(reason),
        }
        let id = book.seat(door, peer, now, socket.clone());
        self.gate.tally.came(door);
        let seats = Arc::clone(self);
        Answer::Seated(Seat { seats, door, peer, id, is_guest: AtomicBool::new(true) })
    }

    /// Waits for a seat, and no longer than this even where none is to be had now.
    pub(crate) async fn wait(
        self: &Arc<Self>,
        door: Door,
        peer: IpAddr,
        socket: &Socket,
        patience: Duration,
    ) -> Option<Seat> {
        let seated = self.seated(door, peer, socket, |_| false);
        tokio::time::timeout(patience, seated).await.ok().flatten()
    }

    /// Waits for a seat; `None` if there is none, with the reason counted.
    pub(crate) async fn sit(
        self: &Arc<Self>,
        door: Door,
        peer: IpAddr,
        socket: &Socket,
    ) -> Option<Seat> {
        let gives_up = |reason| {
            self.gate.turn_away(door, reason);
            true
        };
        self.seated(door, peer, socket, gives_up).await
    }

    /// Asks for a seat until there is one; `None` once whoever finds all taken gives up.
    async fn seated(
        self: &Arc<Self>,
        door: Door,
        peer: IpAddr,
        socket: &Socket,
        gives_up: impl Fn(Turned) -> bool,
    ) -> Option<Seat> {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            match self.ask(door, peer, socket) {
                Answer::Seated(seat) => return Some(seat),
                Answer::Full(reason) if gives_up(reason) => return None,
                Answer::Full(_) => freed.await,
                // Out of time, the oldest guest has had its grace.
                Answer::Wait(wait) => drop(tokio::time::timeout(wait, freed).await),
            }
        }
    }
}

/// Where a newcomer could sit.
enum Room {
    There,
    /// In the seat of this guest, at that door.
    Of((Door, u64)),
    Later(Duration),
    None(Turned),
}

impl<T> Book<T> {
    fn new(limit: usize, doors: &[DoorLimits]) -> Self {
        let doors = doors.iter().map(|limits| DoorBook {
            limits: *limits,
            seats: 0,
            guests: BTreeMap::new(),
            peers: BTreeMap::new(),
        });
        Self { limit, doors: doors.collect(), leaving: 0, next: 0 }
    }

    fn at(&self, door: Door) -> &DoorBook<T> {
        let found = self.doors.iter().find(|book| book.limits.door == door);
        found.expect("connections are admitted by their own interface")
    }

    fn at_mut(&mut self, door: Door) -> &mut DoorBook<T> {
        let found = self.doors.iter_mut().find(|book| book.limits.door == door);
        found.expect("connections are admitted by their own interface")
    }

    fn room(&self, door: Door, peer: IpAddr, now: Duration) -> Room {
        let book = self.at(door);
        let of_peer = book.peers.get(&peer).map_or(0, |peer| peer.seats);
        let all: usize = self.doors.iter().map(|book| book.seats).sum();
        let (guest, reason) = if of_peer >= book.limits.of_peer {
            (book.oldest_of(peer), Turned::FullOfPeer)
        } else if book.seats >= book.limits.seats || book.guests.len() >= book.limits.guests {
            (book.least_welcome(), Turned::Full)
        } else if all >= self.limit {
            let guests = self.doors.iter().filter_map(DoorBook::least_welcome);
            (guests.min_by_key(|guest| guest.2), Turned::Full)
        } else {
            return Room::There;
        };
        let Some((door, id, until)) = guest else { return Room::None(reason) };
        let wait = until.saturating_sub(now);
        if !wait.is_zero() {
            return Room::Later(wait);
        }
        if self.leaving >= LEAVING_MOST {
            return Room::Later(LEAVING_WAIT);
        }
        Room::Of((door, id))
    }

    fn seat(&mut self, door: Door, peer: IpAddr, now: Duration, socket: T) -> u64 {
        let id = self.next;
        self.next += 1;
        let book = self.at_mut(door);
        book.seats += 1;
        book.guests.insert(id, Guest { peer, since: now, socket });
        let of_peer = book.peers.entry(peer).or_default();
        of_peer.seats += 1;
        of_peer.guests.insert(id);
        id
    }

    /// Takes a guest's seat from it; it has yet to go.
    fn send_away(&mut self, (door, id): (Door, u64)) -> (Door, T) {
        let book = self.at_mut(door);
        let guest = book.no_guest(id).expect("it was found among the guests");
        book.leave(guest.peer);
        self.leaving += 1;
        (door, guest.socket)
    }

    /// Somebody has shown who it is. `false` if it was sent away before.
    fn introduce(&mut self, door: Door, id: u64) -> bool {
        self.at_mut(door).no_guest(id).is_some()
    }

    /// Somebody is gone. `false` if its seat is another's already.
    fn free(&mut self, door: Door, peer: IpAddr, id: u64, is_guest: bool) -> bool {
        if is_guest && !self.introduce(door, id) {
            self.leaving -= 1;
            return false;
        }
        self.at_mut(door).leave(peer);
        true
    }
}

impl<T> DoorBook<T> {
    /// The guest that gives way first, and until when it has its grace.
    fn least_welcome(&self) -> Option<(Door, u64, Duration)> {
        let most = self.peers.values().map(|peer| peer.guests.len()).max()?;
        let crowds = self.peers.values().filter(|peer| peer.guests.len() == most);
        let oldest = crowds.filter_map(|peer| peer.guests.first()).min()?;
        self.with_grace(*oldest)
    }

    fn oldest_of(&self, peer: IpAddr) -> Option<(Door, u64, Duration)> {
        self.with_grace(*self.peers.get(&peer)?.guests.first()?)
    }

    fn with_grace(&self, id: u64) -> Option<(Door, u64, Duration)> {
        Some((self.limits.door, id, self.guests.get(&id)?.since + self.limits.grace))
    }

    /// Somebody is no guest any more.
    fn no_guest(&mut self, id: u64) -> Option<Guest<T>> {
        let guest = self.guests.remove(&id)?;
        if let Some(peer) = self.peers.get_mut(&guest.peer) {
            peer.guests.remove(&id);
        }
        Some(guest)
    }

    /// A seat of this address is free.
    fn leave(&mut self, peer: IpAddr) {
        self.seats -= 1;
        if let Some(of_peer) = self.peers.get_mut(&peer) {
            of_peer.seats -= 1;
            if of_peer.seats == 0 {
                self.peers.remove(&peer);
            }
        }
    }
}

impl Seat {
    /// Whoever has it has shown who it is, and keeps it.
    pub(crate) fn is_known(&self) {
        if !self.is_guest.load(Ordering::Acquire) {
            return;
        }
        // One that was sent away a moment ago stays a guest, without a seat.
        if lock(&self.seats.book).introduce(self.door, self.id) {
            self.is_guest.store(false, Ordering::Release);
            self.seats.gate.tally.became_known(self.door);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let was_guest = self.is_guest.load(Ordering::Acquire);
        if lock(&self.seats.book).free(self.door, self.peer, self.id, was_guest) {
            self.seats.gate.tally.left(self.door, was_guest);
        }
        self.seats.freed.notify_waiters();
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

    fn door(door: Door, seats: usize, guests: usize, of_peer: usize) -> DoorLimits {
        DoorLimits { door, seats, guests, of_peer, grace: GRACE }
    }

    fn one_door(seats: usize) -> Book<()> {
        Book::new(100, &[door(Door::Mqtt, seats, 100, 100)])
    }

    /// A newcomer with all that is done for it: whose seat it gets, if it gets one.
    fn come(book: &mut Book<()>, door: Door, peer: IpAddr, now: Duration) -> Result<u64, Room> {
        match book.room(door, peer, now) {
            Room::There => {}
            Room::Of(guest) => drop(book.send_away(guest)),
            none => return Err(none),
        }
        Ok(book.seat(door, peer, now, ()))
    }

    #[test]
    fn the_oldest_guest_of_the_largest_crowd_gives_way_after_its_grace() {
        let mut book = one_door(4);
        for (number, from) in [(0, 7), (1, 9), (2, 9), (3, 8)] {
            assert_eq!(come(&mut book, Door::Mqtt, peer(from), at(number * 10)).ok(), Some(number));
        }
        assert!(matches!(
            book.room(Door::Mqtt, peer(1), at(500)),
            Room::Later(wait) if wait == at(510)
        ));
        // Peer 9 has two; the older of them is number 1, although number 0 is older.
        assert!(matches!(book.room(Door::Mqtt, peer(1), at(1010)), Room::Of((Door::Mqtt, 1))));
        assert_eq!(come(&mut book, Door::Mqtt, peer(1), at(1010)).ok(), Some(4));
        // Then each has one, and the oldest of all goes.
        assert!(matches!(book.room(Door::Mqtt, peer(1), at(1030)), Room::Of((Door::Mqtt, 0))));
    }

    #[test]
    fn members_keep_their_seats_and_a_full_house_says_so() {
        let mut book = one_door(2);
        for id in 0..2 {
            assert_eq!(come(&mut book, Door::Mqtt, peer(1), at(0)).ok(), Some(id));
            assert!(book.introduce(Door::Mqtt, id));
        }
        let later = at(1_000_000);
        assert!(matches!(book.room(Door::Mqtt, peer(2), later), Room::None(Turned::Full)));
        assert!(book.free(Door::Mqtt, peer(1), 1, false));
        assert!(matches!(book.room(Door::Mqtt, peer(2), later), Room::There));
    }

    #[test]
    fn an_address_has_its_own_limit_and_crowds_out_itself_only() {
        let mut book: Book<()> = Book::new(100, &[door(Door::Rest, 10, 10, 3)]);
        assert_eq!(come(&mut book, Door::Rest, peer(2), at(0)).ok(), Some(0));
        for id in 1..4 {
            assert_eq!(come(&mut book, Door::Rest, peer(1), at(1)).ok(), Some(id));
        }
        assert!(matches!(book.room(Door::Rest, peer(1), at(9000)), Room::Of((Door::Rest, 1))));
        for id in 1..4 {
            assert!(book.introduce(Door::Rest, id));
        }
        let full = book.room(Door::Rest, peer(1), at(9000));
        assert!(matches!(full, Room::None(Turned::FullOfPeer)));
        assert!(matches!(book.room(Door::Rest, peer(2), at(9000)), Room::There));
    }

    #[test]
    fn doors_that_share_their_seats_crowd_out_each_others_guests() {
        let doors = [door(Door::Mqtt, 100, 100, 100), door(Door::Mqtts, 2, 100, 100)];
        let mut book: Book<()> = Book::new(3, &doors);
        for (id, at_door) in [(0, Door::Mqtts), (1, Door::Mqtt), (2, Door::Mqtt)] {
            assert_eq!(come(&mut book, at_door, peer(1), at(id)).ok(), Some(id));
        }
        assert!(matches!(book.room(Door::Mqtt, peer(1), at(5000)), Room::Of((Door::Mqtts, 0))));
    }

    #[test]
    fn those_sent_away_are_waited_for_when_they_are_many() {
        let mut book = one_door(1);
        for id in 0..=LEAVING_MOST as u64 {
            assert_eq!(come(&mut book, Door::Mqtt, peer(1), at(id * 2000)).ok(), Some(id));
        }
        let now = at(1_000_000);
        assert!(matches!(book.room(Door::Mqtt, peer(1), now), Room::Later(LEAVING_WAIT)));
        assert!(!book.free(Door::Mqtt, peer(1), 0, true));
        assert!(matches!(book.room(Door::Mqtt, peer(1), now), Room::Of(_)));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Come { door: bool, peer: u8, after_ms: u64 },
        Introduce(prop::sample::Index),
        Leave(prop::sample::Index),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (any::<bool>(), 0..5_u8, 0..400_u64)
                .prop_map(|(door, peer, after_ms)| Step::Come { door, peer, after_ms }),
            1 => any::<prop::sample::Index>().prop_map(Step::Introduce),
            1 => any::<prop::sample::Index>().prop_map(Step::Leave),
        ];
        prop::collection::vec(step, 0..300)
    }

    proptest! {
        /// Against a list of everybody who is there: no bound is ever exceeded, no member and no
        /// guest in its grace loses its seat, and nobody is turned away while there is room.
        #[test]
        fn bounds_hold_and_members_stay(steps in steps()) {
            let limits = [door(Door::Mqtt, 6, 4, 3), door(Door::Mqtts, 5, 5, 100)];
            let mut book: Book<()> = Book::new(8, &limits);
            // (id, door, peer, since, is guest, was sent away)
            let mut there: Vec<(u64, Door, IpAddr, Duration, bool, bool)> = Vec::new();
            let mut now = Duration::ZERO;
            for step in steps {
                match step {
                    Step::Come { door, peer: from, after_ms } => {
                        now += at(after_ms);
                        let (door, from) =
                            (if door { Door::Mqtt } else { Door::Mqtts }, peer(from));
                        let before = there.iter().filter(|row| !row.5).count();
                        let room = book.room(door, from, now);
                        if let Room::Of((_, id)) = room {
                            let sent = there.iter_mut().find(|row| row.0 == id).unwrap();
                            prop_assert!(sent.4 && !sent.5 && sent.3 + GRACE <= now);
                            sent.5 = true;
                        }
                        if let Room::Later(_) | Room::None(_) = room {
                            let at_door = there.iter().filter(|row| !row.5 && row.1 == door);
                            let (seats, guests) =
                                (at_door.clone().count(), at_door.clone().filter(|r| r.4).count());
                            let of_peer = at_door.filter(|row| row.2 == from).count();
                            let (most, most_guests, most_of_peer) =
                                if door == Door::Mqtt { (6, 4, 3) } else { (5, 5, 100) };
                            prop_assert!(before >= 8 || seats >= most || guests >= most_guests
                                || of_peer >= most_of_peer);
                        }
                        if let Ok(id) = come(&mut book, door, from, now) {
                            there.push((id, door, from, now, true, false));
                        }
                    }
                    Step::Introduce(which) if !there.is_empty() => {
                        let row = which.index(there.len());
                        let row = &mut there[row];
                        if row.4 {
                            prop_assert_eq!(book.introduce(row.1, row.0), !row.5);
                            row.4 = row.5;
                        }
                    }
                    Step::Leave(which) if !there.is_empty() => {
                        let row = there.swap_remove(which.index(there.len()));
                        prop_assert_eq!(book.free(row.1, row.2, row.0, row.4), !row.5);
                    }
                    _ => {}
                }
                let seated: Vec<_> = there.iter().filter(|row| !row.5).collect();
                prop_assert!(seated.len() <= 8);
                for (limits, door) in limits.iter().zip([Door::Mqtt, Door::Mqtts]) {
                    let at_door: Vec<_> = seated.iter().filter(|row| row.1 == door).collect();
                    prop_assert!(at_door.len() <= limits.seats);
                    prop_assert!(at_door.iter().filter(|row| row.4).count() <= limits.guests);
                    let mut of_peers = BTreeMap::new();
                    for row in at_door {
                        *of_peers.entry(row.2).or_insert(0) += 1;
                    }
                    prop_assert!(of_peers.values().all(|count| *count <= limits.of_peer));
                }
            }
            for row in there {
                book.free(row.1, row.2, row.0, row.4);
            }
            prop_assert_eq!(book.leaving, 0);
            for door in &book.doors {
                prop_assert_eq!(door.seats, 0);
                prop_assert!(door.guests.is_empty() && door.peers.is_empty());
            }
        }
    }
}
