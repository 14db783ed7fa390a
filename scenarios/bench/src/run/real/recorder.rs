//! Puts together what became of each message: one row of the latency record per message.
//!
//! Terms: a *digest* stands for a payload's bytes, so that an altered payload is not taken for the
//! message; a message is *complete* when it was published, received by every observer that covers
//! its device, and readable. A complete message is kept a little longer, for repetitions; one that
//! is not complete stays as long as its device still holds it, and [`LINGER_NS`] after that. So
//! memory is bounded by what is on its way.
//!
//! Pure: all instants are arguments. It never judges.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};

use lastmeter_record::{LatencyPath, Point};
use lastmeter_units::{Epoch, Serial};

use crate::run::latency_row::{Key, LatencyRecord, Stamps};

/// How long a complete message is watched for repetitions.
const REPEAT_NS: i64 = 2_000_000_000;

/// How long a message that its device has got rid of may take to arrive everywhere.
pub(crate) const LINGER_NS: i64 = 30_000_000_000;

/// Stands for a payload.
pub(crate) fn digest(payload: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(payload);
    hasher.finish()
}

/// What one observer saw of a message.
#[derive(Clone, Debug, Default)]
struct ObserverStamps {
    proxy_in: Option<i64>,
    proxy_out: Option<i64>,
    received: Option<i64>,
    copies: u32,
}

#[derive(Clone, Debug)]
struct Open {
    stamps: Stamps,
    digest: Option<u64>,
    bytes: u32,
    /// When its device got rid of it: acknowledged, or never to be sent.
    given_up: Option<i64>,
    seen: Vec<ObserverStamps>,
    complete: Option<i64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ArrivalCounts {
    /// Arrivals at an observer of what it had already.
    pub(crate) duplicates: u64,
    /// Arrivals after a later reading of the same device.
    pub(crate) reordered: u64,
    /// Arrivals whose payload is not what was sent.
    pub(crate) corrupted: u64,
    /// Arrivals of what nobody on the bench has sent.
    pub(crate) foreign: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Observer {
    pub(crate) name: String,
    /// Whether it covers the device of this index.
    pub(crate) covers: Vec<bool>,
}

/// Collects the instants of all messages.
pub(crate) struct Recorder {
    origin_ns: i64,
    devices: Vec<String>,
    observers: Vec<Observer>,
    open: BTreeMap<Key, Open>,
    /// The last reading received, by observer and device.
    last: BTreeMap<(usize, usize), (Epoch, Serial)>,
    pub(crate) counted: ArrivalCounts,
    linger_ns: i64,
}

impl Recorder {
    /// Nothing on its way yet; `origin_ns` is where the schedule begins.
    pub(crate) fn new(origin_ns: i64, devices: Vec<String>, observers: Vec<Observer>) -> Self {
        Self {
            origin_ns,
            devices,
            observers,
            open: BTreeMap::new(),
            last: BTreeMap::new(),
            counted: ArrivalCounts::default(),
            linger_ns: LINGER_NS,
        }
    }

    /// The same, that waits longer for messages their devices have got rid of.
    pub(crate) fn with_linger(mut self, at_least_ns: i64) -> Self {
        self.linger_ns = at_least_ns.max(LINGER_NS);
        self
    }

    pub(crate) fn pending(&self) -> usize {
        // What was never sent, and never will be, is not on its way.
        let is_sent = |open: &Open| open.stamps[Point::Published as usize].is_some();
        let may_come = |open: &Open| is_sent(open) || open.given_up.is_none();
        self.open.values().filter(|open| open.complete.is_none() && may_come(open)).count()
    }

    /// A reading was made, whose sending the schedule intended at this instant.
    pub(crate) fn made(&mut self, key: Key, intended_ns: i64) {
        let mut stamps = Stamps::default();
        stamps[Point::Intended as usize] = Some(intended_ns);
        self.open.entry(key).or_insert_with(|| Open {
            stamps,
            digest: None,
            bytes: 0,
            given_up: None,
            seen: vec![ObserverStamps::default(); self.observers.len()],
            complete: None,
        });
    }

    /// A message was handed to the link; the first time counts.
    pub(crate) fn published(&mut self, key: Key, at_ns: i64, payload: &[u8]) {
        let Some(open) = self.open.get_mut(&key) else { return };
        open.stamps[Point::Published as usize].get_or_insert(at_ns);
        open.digest = Some(digest(payload));
        open.bytes = payload.len() as u32;
    }

    /// The device need not send it again.
    pub(crate) fn acknowledged(&mut self, key: Key, at_ns: i64) {
        if let Some(open) = self.open.get_mut(&key) {
            open.stamps[Point::Acknowledged as usize].get_or_insert(at_ns);
            open.given_up.get_or_insert(at_ns);
        }
    }

    /// The device holds nothing any more: what it made until now and was not acknowledged will
    /// never be sent.
    pub(crate) fn idle(&mut self, device: usize, at_ns: i64) {
        let first = (device, Epoch(0), Serial(0));
        for (_, open) in self.open.range_mut(first..).take_while(|(key, _)| key.0 == device) {
            open.given_up.get_or_insert(at_ns);
        }
    }

    /// A proxy passed it on, towards the platform or (`observer`) from it.
    pub(crate) fn passed(
        &mut self,
        key: Key,
        observer: Option<usize>,
        payload_digest: u64,
        (in_ns, out_ns): (i64, i64),
    ) {
        let Some(open) = self.open.get_mut(&key) else { return };
        if open.digest.is_some_and(|digest| digest != payload_digest) {
            return;
        }
        match observer.map(|observer| open.seen.get_mut(observer)) {
            None => {
                open.stamps[Point::ProxyInUp as usize].get_or_insert(in_ns);
                open.stamps[Point::ProxyOutUp as usize].get_or_insert(out_ns);
            }
            Some(Some(seen)) => {
                seen.proxy_in.get_or_insert(in_ns);
                seen.proxy_out.get_or_insert(out_ns);
            }
            Some(None) => {}
        }
    }

    pub(crate) fn received(&mut self, key: Key, observer: usize, payload_digest: u64, at_ns: i64) {
        let (device, epoch, serial) = key;
        let number = (epoch, serial);
        let last = self.last.get(&(observer, device)).copied();
        let is_late = last.is_some_and(|last| number < last);
        let is_known = last.is_some_and(|last| number <= last);
        self.last.insert((observer, device), last.map_or(number, |last| last.max(number)));
        let Some(open) = self.open.get_mut(&key) else {
            // Finished long ago, or never sent.
            let counter =
                if is_known { &mut self.counted.duplicates } else { &mut self.counted.foreign };
            *counter += 1;
            return;
        };
        if open.digest.is_some_and(|digest| digest != payload_digest) {
            self.counted.corrupted += 1;
            return;
        }
        let Some(seen) = open.seen.get_mut(observer) else { return };
        seen.copies += 1;
        if seen.received.is_some() {
            self.counted.duplicates += 1;
        } else {
            seen.received = Some(at_ns);
            self.counted.reordered += u64::from(is_late);
        }
        Self::complete(&self.observers, device, open, at_ns);
    }

    /// The platform's interface gave it back; `committed` is the platform's own word.
    pub(crate) fn readable(&mut self, key: Key, committed_ns: Option<i64>, at_ns: i64) {
        let Some(open) = self.open.get_mut(&key) else { return };
        if let Some(committed_ns) = committed_ns {
            open.stamps[Point::Committed as usize].get_or_insert(committed_ns);
        }
        open.stamps[Point::Queryable as usize].get_or_insert(at_ns);
        Self::complete(&self.observers, key.0, open, at_ns);
    }

    fn complete(observers: &[Observer], device: usize, open: &mut Open, at_ns: i64) {
        let covered = |observer: &Observer| observer.covers.get(device).copied().unwrap_or(false);
        let arrived = observers
            .iter()
            .zip(&open.seen)
            .all(|(observer, seen)| !covered(observer) || seen.received.is_some());
        let has = |point: Point| open.stamps[point as usize].is_some();
        if arrived && has(Point::Published) && has(Point::Queryable) {
            open.complete.get_or_insert(at_ns);
        }
    }

    /// Takes out the rows of messages nothing more is expected of.
    pub(crate) fn take(&mut self, now_ns: i64, rows: &mut Vec<LatencyRecord>) {
        let is_over = |open: &Open| match (open.complete, open.given_up) {
            (Some(complete), _) => now_ns - complete > REPEAT_NS,
            (None, Some(given_up)) => now_ns - given_up > self.linger_ns,
            (None, None) => false,
        };
        let over: Vec<Key> =
            self.open.iter().filter(|(_, open)| is_over(open)).map(|(key, _)| *key).collect();
        for key in over {
            self.finish(key, rows);
        }
    }

    /// Takes out everything: what has not arrived by now is lost.
    pub(crate) fn take_all(&mut self, rows: &mut Vec<LatencyRecord>) {
        while let Some((&key, _)) = self.open.first_key_value() {
            self.finish(key, rows);
        }
    }

    /// A reading that was due and never made.
    pub(crate) fn never_made(
        &mut self,
        device: usize,
        number: u64,
        intended_ns: i64,
        rows: &mut Vec<LatencyRecord>,
    ) {
        let mut stamps = Stamps::default();
        stamps[Point::Intended as usize] = Some(intended_ns);
        let id = format!("{}//{number}", self.devices[device]);
        let seen = vec![ObserverStamps::default(); self.observers.len()];
        self.rows(device, &id, (stamps, 0), &seen, rows);
    }

    /// The row of a command: given, obeyed by its device, acknowledged through the platform.
    pub(crate) fn command(
        &self,
        device: usize,
        id: u64,
        (intended_ns, given_ns): (i64, i64),
        (obeyed_ns, acknowledged_ns): (Option<i64>, Option<i64>),
    ) -> LatencyRecord {
        let mut points = Stamps::default();
        points[Point::Intended as usize] = Some(intended_ns - self.origin_ns);
        points[Point::Published as usize] = Some(given_ns - self.origin_ns);
        points[Point::Obeyed as usize] = obeyed_ns.map(|at| at - self.origin_ns);
        points[Point::Acknowledged as usize] = acknowledged_ns.map(|at| at - self.origin_ns);
        LatencyRecord {
            path: LatencyPath::COMMAND.to_owned(),
            id: format!("{}//{id}", self.devices[device]),
            points,
            bytes: 0,
            copies: u32::from(acknowledged_ns.is_some()),
        }
    }

    fn finish(&mut self, key: Key, rows: &mut Vec<LatencyRecord>) {
        let Some(open) = self.open.remove(&key) else { return };
        let (device, epoch, serial) = key;
        let id = format!("{}/{}/{}", self.devices[device], epoch.0, serial.0);
        self.rows(device, &id, (open.stamps, open.bytes), &open.seen, rows);
    }

    /// One row for the way to the platform, and one per observer that covers the device.
    fn rows(
        &self,
        device: usize,
        id: &str,
        (stamps, bytes): (Stamps, u32),
        seen: &[ObserverStamps],
        rows: &mut Vec<LatencyRecord>,
    ) {
        let mut push = |path: String, mut stamps: Stamps, copies: u32| {
            for stamp in stamps.iter_mut().flatten() {
                *stamp -= self.origin_ns;
            }
            rows.push(LatencyRecord { path, id: id.to_owned(), points: stamps, bytes, copies });
        };
        let copies = u32::from(stamps[Point::Queryable as usize].is_some());
        push(LatencyPath::READING.to_owned(), stamps, copies);
        for (observer, seen) in self.observers.iter().zip(seen) {
            if !observer.covers.get(device).copied().unwrap_or(false) {
                continue;
            }
            let mut stamps = stamps;
            stamps[Point::ProxyInDown as usize] = seen.proxy_in;
            stamps[Point::ProxyOutDown as usize] = seen.proxy_out;
            stamps[Point::Received as usize] = seen.received;
            push(LatencyPath::Observed(&observer.name).to_string(), stamps, seen.copies);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = (0, Epoch(1), Serial(7));
    const PAYLOAD: &[u8] = b"payload";

    fn recorder() -> Recorder {
        let observer = |name: &str, covers: Vec<bool>| Observer { name: name.to_owned(), covers };
        let observers =
            vec![observer("near", vec![true, false]), observer("far", vec![true, true])];
        Recorder::new(1000, vec!["m".to_owned(), "n".to_owned()], observers)
    }

    fn sent() -> Recorder {
        let mut recorder = recorder();
        recorder.made(KEY, 1010);
        recorder.published(KEY, 1011, PAYLOAD);
        recorder
    }

    fn all(mut recorder: Recorder) -> Vec<LatencyRecord> {
        let mut rows = Vec::new();
        recorder.take_all(&mut rows);
        rows
    }

    fn point(row: &LatencyRecord, point: Point) -> Option<i64> {
        row.points[point as usize]
    }

    #[test]
    fn a_message_gets_one_row_per_observer_that_covers_its_device() {
        let mut recorder = sent();
        let digest = digest(PAYLOAD);
        recorder.passed(KEY, None, digest, (1012, 1020));
        recorder.received(KEY, 0, digest, 1030);
        recorder.passed(KEY, Some(1), digest, (1031, 1040));
        recorder.received(KEY, 1, digest, 1041);
        recorder.readable(KEY, Some(1025), 1050);
        let rows = all(recorder);
        let paths: Vec<&str> = rows.iter().map(|row| row.path.as_str()).collect();
        assert_eq!(paths, ["reading", "reading>near", "reading>far"]);
        assert_eq!(point(&rows[0], Point::Queryable), Some(50));
        assert_eq!(point(&rows[0], Point::Received), None);
        let rows = &rows[1..];
        assert_eq!(rows[0].id, "m/1/7");
        assert_eq!(point(&rows[0], Point::Intended), Some(10));
        assert_eq!(point(&rows[0], Point::ProxyOutUp), Some(20));
        assert_eq!(point(&rows[0], Point::ProxyInDown), None);
        assert_eq!(point(&rows[0], Point::Received), Some(30));
        assert_eq!(point(&rows[1], Point::ProxyInDown), Some(31));
        assert_eq!(point(&rows[1], Point::Received), Some(41));
        assert_eq!(point(&rows[1], Point::Committed), Some(25));
        assert_eq!(point(&rows[1], Point::Queryable), Some(50));
        assert_eq!((rows[1].bytes, rows[1].copies), (7, 1));
    }

    #[test]
    fn only_the_payload_that_was_sent_counts_as_received() {
        let mut recorder = sent();
        recorder.received(KEY, 1, digest(b"pay1oad"), 1030);
        assert_eq!(recorder.counted.corrupted, 1);
        assert!(all(recorder).iter().all(|row| point(row, Point::Received).is_none()));
    }

    #[test]
    fn the_first_arrival_counts_and_repetitions_are_counted() {
        let mut recorder = sent();
        let digest = digest(PAYLOAD);
        recorder.received(KEY, 1, digest, 1030);
        recorder.received(KEY, 1, digest, 1090);
        assert_eq!(recorder.counted.duplicates, 1);
        let rows = all(recorder);
        assert_eq!((point(&rows[2], Point::Received), rows[2].copies), (Some(30), 2));
    }

    #[test]
    fn a_late_copy_of_the_newest_reading_is_a_repetition_and_nothing_foreign() {
        let mut recorder = sent();
        let digest = digest(PAYLOAD);
        recorder.received(KEY, 1, digest, 1030);
        recorder.take_all(&mut Vec::new());
        recorder.received(KEY, 1, digest, 9_000);
        let counted = recorder.counted;
        assert_eq!((counted.duplicates, counted.foreign), (1, 0));
    }

    #[test]
    fn a_later_reading_that_arrives_first_is_a_reordering() {
        let mut recorder = sent();
        let later = (0, Epoch(1), Serial(8));
        recorder.made(later, 1500);
        recorder.published(later, 1501, b"later");
        recorder.received(later, 1, digest(b"later"), 1502);
        recorder.received(KEY, 1, digest(PAYLOAD), 1503);
        assert_eq!(recorder.counted.reordered, 1);
    }

    #[test]
    fn rows_leave_when_nothing_more_is_expected_and_not_before() {
        let mut recorder = sent();
        let digest = digest(PAYLOAD);
        let mut rows = Vec::new();
        recorder.take(i64::MAX / 2, &mut rows);
        assert_eq!(rows.len(), 0, "its device still holds it");
        recorder.acknowledged(KEY, 2000);
        recorder.take(2000 + LINGER_NS, &mut rows);
        assert_eq!(rows.len(), 0);
        recorder.received(KEY, 0, digest, 2100);
        recorder.received(KEY, 1, digest, 2200);
        recorder.readable(KEY, None, 2300);
        assert_eq!(recorder.pending(), 0);
        recorder.take(2300 + REPEAT_NS, &mut rows);
        assert_eq!(rows.len(), 0, "a repetition may still come");
        recorder.take(2301 + REPEAT_NS, &mut rows);
        assert_eq!(rows.len(), 3);
    }

    #[test]
    fn what_was_due_and_never_made_has_a_row_with_an_empty_end() {
        let mut recorder = recorder();
        let mut rows = Vec::new();
        recorder.never_made(1, 3, 1600, &mut rows);
        let [own, row] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((own.path.as_str(), own.copies), ("reading", 0));
        assert_eq!((row.path.as_str(), row.id.as_str()), ("reading>far", "n//3"));
        assert_eq!(row.points.iter().flatten().collect::<Vec<_>>(), [&600]);
    }

    #[test]
    fn what_nobody_sent_is_counted_and_not_recorded() {
        let mut recorder = recorder();
        recorder.received(KEY, 0, 1, 1030);
        assert_eq!(recorder.counted.foreign, 1);
        assert_eq!(all(recorder), []);
    }
}
