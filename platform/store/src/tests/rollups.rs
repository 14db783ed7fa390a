//! Sums of buckets and what retention leaves, against everything that was ever sent.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use lastmeter_model::access::{Cut, Decision, Permit, Quantities, Scope, Window};
use lastmeter_model::decide::Retention;
use lastmeter_model::message::{Message, MessageBody};
use lastmeter_model::refusal::RefusalReason;
use lastmeter_model::series::rollup::{Summary, bucket};
use lastmeter_model::standing::Standing;
use lastmeter_model::work::{Body, Delivery};
use lastmeter_units::{HardwareId, MeasurementId, SimTime};
use proptest::prelude::*;

use super::server::postgres_for_tests;
use super::subject::{Subject, after_a_day};
use super::work::{Job, quantities};
use super::{subjects, with_cases};
use crate::seam::{Range, Stretch, SummaryQuery};
use crate::sqlite::standing::{decode, encode};
use crate::stores::STORES;

const SECOND: i64 = 1_000_000_000;
const ALWAYS: Range = Range { start: SimTime(i64::MIN), end: SimTime(i64::MAX) };

/// A reading that was sent.
#[derive(Clone, Debug)]
struct Sent {
    device: i64,
    serial: u64,
    event: SimTime,
    received: SimTime,
    values: Vec<(MeasurementId, f64)>,
}

impl Sent {
    fn job(&self, sequence: u64) -> Job {
        let device = HardwareId::new(format!("meter-{}", self.device)).unwrap();
        let body = MessageBody::Measurements(self.values.clone());
        let (number, event) = (Some((1, self.serial)), Some(self.event));
        Job::Delivery(Delivery {
            sequence,
            received: self.received,
            topic: "default/SiteWhere/input/json".to_owned(),
            body: Body::Messages(vec![Message { number, event, ..Message::new(device, body) }]),
            content: Bytes::from_static(b"{}"),
        })
    }
}

#[derive(Clone, Debug)]
enum Act {
    /// Readings in one batch.
    Send(Vec<Sent>),
    /// Readings from so far back are sent again.
    Repeat(Vec<usize>),
    Restart,
    /// What was received by an instant is removed; the first attempt has so many writes.
    Tend(i64, usize),
}

/// Readings of two devices in and around six buckets, some late, some of a clock that is fast.
fn sent() -> impl Strategy<Value = Sent> {
    let offset = prop_oneof![
        4 => 0..900 * SECOND,
        1 => prop::sample::select(&[0, 1, 450 * SECOND, 900 * SECOND - 1][..]),
    ];
    let later = prop_oneof![5 => 0..2000 * SECOND, 1 => -2000 * SECOND..0];
    let values = prop::collection::btree_map(0_usize..3, -1e3..1e3, 1..3);
    (1..3_i64, 0..6_i64, offset, later, values).prop_map(|(device, at, offset, later, values)| {
        let event = SimTime((at - 1) * 900 * SECOND + offset);
        let ids = quantities();
        let values = values.into_iter().map(|(index, value)| (ids[index], value)).collect();
        Sent { device, serial: 0, event, received: SimTime(event.0 + later), values }
    })
}

fn acts(with_retention: bool) -> impl Strategy<Value = Vec<Act>> {
    let tend = if with_retention { 3 } else { 0 };
    let act = prop_oneof![
        8 => prop::collection::vec(sent(), 1..16).prop_map(Act::Send),
        2 => prop::collection::vec(0_usize..40, 1..4).prop_map(Act::Repeat),
        2 => Just(Act::Restart),
        tend => (-1000 * SECOND..7000 * SECOND, 0_usize..60)
            .prop_map(|(due, writes)| Act::Tend(due, writes)),
    ];
    prop::collection::vec(act, 1..12).prop_map(|mut acts| {
        let mut serials = BTreeMap::new();
        for act in &mut acts {
            let Act::Send(readings) = act else { continue };
            for one in readings {
                let serial = serials.entry(one.device).or_insert(0);
                *serial += 1;
                one.serial = *serial;
            }
        }
        acts
    })
}

/// What may be given of a device: everything, or some of it.
fn cut(windows: Option<&[(i64, i64, bool)]>) -> Cut {
    let device = HardwareId::new("d").unwrap();
    let Some(windows) = windows else { return Permit::whole_tenant().cut(&device) };
    let one = [quantities()[0].name().parse().unwrap()];
    let window = |(from, until, is_some): &(i64, i64, bool)| Window {
        device: device.clone(),
        from: SimTime(from * SECOND),
        until: SimTime(until * SECOND),
        quantities: if *is_some { Quantities::Like(one.clone().into()) } else { Quantities::All },
        finest: None,
    };
    let windows = windows.iter().map(window).collect();
    Decision::Yes(Scope::Windows(windows)).permit().unwrap().cut(&device)
}

type Sums = BTreeMap<(SimTime, MeasurementId), Summary>;

/// From the values themselves.
fn naive(sent: &[Sent], device: i64, range: Range, cut: &Cut) -> Sums {
    let mut sums = Sums::new();
    for one in sent.iter().filter(|one| one.device == device) {
        let values = one.values.iter().filter(|(id, _)| {
            let is_in = range.start <= one.event && one.event <= range.end;
            is_in && cut.has_value(one.event, one.received, id.name())
        });
        for (id, value) in values {
            let summary = Summary::of(one.event, *value);
            let known = sums.entry((bucket(one.event), *id));
            known.and_modify(|known| known.merge(&summary)).or_insert(summary);
        }
    }
    sums
}

/// What a store answers, page by page.
fn asked(store: &Subject, device: i64, mut range: Range, cut: &Cut, limit: usize) -> Sums {
    let mut sums = Sums::new();
    loop {
        let (ids, cut, rows_from) = (quantities(), cut.clone(), SimTime(i64::MIN));
        let query = SummaryQuery { device, ids, range, rows_from, limit, cut };
        let Ok(found) = store.wait(store.reader().summaries(query)) else { return sums };
        for (id, summary) in found.summaries {
            let place = (bucket(summary.first.0), id);
            assert!(sums.insert(place, summary).is_none(), "{place:?} is given twice");
        }
        match found.next {
            None => return sums,
            Some(next) => range.start = next,
        }
    }
}

fn ranges() -> [Range; 3] {
    let range = |start: i64, end: i64| Range { start: SimTime(start), end: SimTime(end) };
    [ALWAYS, range(0, 2700 * SECOND - 1), range(450 * SECOND, 2000 * SECOND)]
}

#[test]
fn closed_buckets_answer_as_the_readings_do() {
    let server = postgres_for_tests(false);
    let windows = [(450, 1800, false), (900, 3600, true), (1000, 2000, false)];
    let cuts = [cut(None), cut(Some(&windows)), cut(Some(&windows[..1]))];
    proptest!(with_cases(48), |(acts in acts(false))| {
        for mut store in subjects(server.as_ref()) {
            let (mut all, mut sequence) = (Vec::<Sent>::new(), 0);
            for (index, act) in acts.iter().enumerate() {
                match act {
                    Act::Send(readings) => send(&mut store, readings, &mut sequence, index),
                    Act::Repeat(backs) => {
                        let again: Vec<_> = repeated(&all, backs).collect();
                        send(&mut store, &again, &mut sequence, index);
                        continue;
                    }
                    Act::Restart => store.restart(),
                    Act::Tend(..) => {}
                }
                if let Act::Send(readings) = act {
                    all.extend(readings.iter().cloned());
                }
            }
            // The order in which they come is the order of their rows.
            let rows = rows_of(&store);
            let of_range = |range: Range| cuts.iter().map(move |cut| (range, cut));
            for (range, cut) in ranges().into_iter().flat_map(of_range) {
                for (device, row) in &rows {
                    let expected = naive(&all, *device, range, cut);
                    for limit in [1, 4, 1000] {
                        let found = asked(&store, *row, range, cut, limit);
                        let name = store.name();
                        prop_assert_eq!(&found, &expected, "{} {:?} {:?}", name, range, cut);
                    }
                }
            }
        }
    });
}

/// The rows of the devices.
fn rows_of(store: &Subject) -> Vec<(i64, i64)> {
    let row = |device: i64| {
        let id = format!("meter-{device}");
        let found = store.devices().into_iter().find(|one| one.hardware_id.as_str() == id);
        found.map(|found| (device, found.id))
    };
    (1..3).filter_map(row).collect()
}

fn repeated<'a>(all: &'a [Sent], backs: &'a [usize]) -> impl Iterator<Item = Sent> + 'a {
    backs.iter().filter_map(|back| all.iter().rev().nth(*back).cloned())
}

fn send(store: &mut Subject, readings: &[Sent], sequence: &mut u64, now: usize) {
    let job = |one: &Sent| {
        *sequence += 1;
        one.job(*sequence)
    };
    let jobs: Vec<Job> = readings.iter().map(job).collect();
    store.apply(&jobs, now);
}

#[test]
fn retention_removes_from_the_front_and_nothing_else() {
    let server = postgres_for_tests(false);
    proptest!(with_cases(48), |(acts in acts(true))| {
        for mut store in subjects(server.as_ref()) {
            let (mut all, mut sequence, mut floor) = (Vec::<Sent>::new(), 0, 0);
            let mut time = i64::MIN;
            for (index, act) in acts.iter().enumerate() {
                match act {
                    Act::Send(readings) => {
                        send(&mut store, readings, &mut sequence, index);
                        all.extend(readings.iter().cloned());
                    }
                    Act::Repeat(backs) => {
                        let again: Vec<_> = repeated(&all, backs).collect();
                        let (removed, refusals) = (&all[..floor], store.standing().refusals);
                        let highest = |device| {
                            let of = removed.iter().filter(|one| one.device == device);
                            of.map(|one| one.serial).max().unwrap_or(0)
                        };
                        let is_there = |one: &Sent| {
                            all[floor..].iter().any(|other| {
                                (other.device, other.serial) == (one.device, one.serial)
                            })
                        };
                        let beyond = again.iter().filter(|one| !is_there(one)).count();
                        let is_removed = |one: &Sent| one.serial <= highest(one.device);
                        prop_assert!(again.iter().all(|one| is_there(one) || is_removed(one)));
                        send(&mut store, &again, &mut sequence, index);
                        prop_assert_eq!(store.standing().refusals - refusals, beyond as u64);
                    }
                    Act::Restart => store.restart(),
                    Act::Tend(due, writes) => {
                        time = time.max(*due);
                        let due = &time;
                        let (limits, now) = (Retention::of(Some(1), None), after_a_day(*due));
                        let before = store.standing();
                        if store.tend(*writes, limits, now).is_err() {
                            prop_assert_eq!(store.standing(), before);
                        }
                        while store.tend(usize::MAX, limits, now).unwrap() {}
                        let is_due = |one: &&Sent| one.received.0 <= *due;
                        floor += all[floor..].iter().take_while(is_due).count();
                    }
                }
                prop_assert_eq!(store.standing().reading_floor, floor as u64);
                check(&store, &all, floor)?;
            }
        }
    });
}

/// The readings behind the floor are there as they were sent, and sums are of all that ever were.
fn check(store: &Subject, all: &[Sent], floor: usize) -> Result<(), TestCaseError> {
    let standing = store.standing();
    prop_assert_eq!(standing.readings, all.len() as u64);
    let stretch = Stretch { after: 0, limit: 1000, last: standing.readings };
    let found = store.wait(store.reader().readings(stretch)).unwrap();
    prop_assert!(!found.is_more);
    let numbers = |row: &lastmeter_model::row::ReadingRow| (row.device.to_string(), row.number);
    let found: Vec<_> = found.rows.iter().map(numbers).collect();
    let sent = |one: &Sent| (format!("meter-{}", one.device), Some((1, one.serial)));
    prop_assert_eq!(found, all[floor..].iter().map(sent).collect::<Vec<_>>(), "{}", store.name());
    for (device, row) in rows_of(store) {
        let expected = naive(all, device, ALWAYS, &cut(None));
        let found = asked(store, row, ALWAYS, &cut(None), 3);
        prop_assert_eq!(found, expected, "{}, device {}", store.name(), device);
    }
    let stretch = Stretch { after: 0, limit: 1000, last: standing.refusals };
    let refusals = store.wait(store.reader().refusals(stretch)).unwrap().rows;
    let reasons: BTreeSet<String> = refusals.into_iter().map(|row| row.reason).collect();
    let word = RefusalReason::RepetitionBeyondRetention.word();
    prop_assert!(reasons.iter().all(|reason| reason == word), "{:?}", reasons);
    Ok(())
}

/// Rows of roll-ups that a file has, once it is one of a version that wrote none, if that is asked.
fn rows_in(folder: &std::path::Path, is_made_earlier: bool) -> i64 {
    let connection = rusqlite::Connection::open(folder.join("store.db")).unwrap();
    if is_made_earlier {
        let bytes: Vec<u8> =
            connection.query_row("SELECT value FROM meta", [], |row| row.get(0)).unwrap();
        let standing = Standing { rolled_up: 0, ..decode(&bytes).unwrap() };
        connection.execute("UPDATE meta SET value = ?1", [&encode(&standing)[..]]).unwrap();
    }
    connection.query_row("SELECT count(*) FROM rollup", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_store_of_an_earlier_version_gets_its_rows_part_by_part() {
    let mut store = Subject::new(&STORES[0], None);
    let one = |n: i64| Sent {
        device: n % 2 + 1,
        serial: n.cast_unsigned() + 1,
        event: SimTime(n * 90 * SECOND),
        received: SimTime(n * 90 * SECOND + 1),
        values: vec![(quantities()[0], n as f64)],
    };
    let mut all: Vec<Sent> = (0..1000).map(one).collect();
    let mut sequence = 0;
    send(&mut store, &all, &mut sequence, 0);
    // Each bucket has five readings of each device; the last one is open.
    assert_eq!(rows_in(store.folder(), true), 2 * 99);
    store.restart();
    assert_eq!(rows_in(store.folder(), false), 0);
    let late = Sent { serial: 2000, event: SimTime(7), ..one(0) };
    send(&mut store, std::slice::from_ref(&late), &mut sequence, 1);
    all.push(late);
    let mut parts = 0;
    loop {
        for (device, row) in rows_of(&store) {
            let expected = naive(&all, device, ALWAYS, &cut(None));
            assert_eq!(asked(&store, row, ALWAYS, &cut(None), 1000), expected);
        }
        if !store.tend(usize::MAX, Retention::default(), SimTime(0)).unwrap() {
            break;
        }
        parts += 1;
    }
    assert!(parts > 2, "{parts}");
    assert_eq!((rows_in(store.folder(), false), store.standing().rolled_up), (2 * 99, 2));
}
