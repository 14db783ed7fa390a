//! What PostgreSQL gives back is what SQLite gives back, for the same batches.

use std::time::Duration;

use lastmeter_model::access::{Cut, Decision, Pattern, Permit, Quantities, Scope, Window};
use lastmeter_model::invocation::{InvocationId, NewInvocation};
use lastmeter_model::message::{Message, MessageBody};
use lastmeter_model::refusal::RefusalRecord;
use lastmeter_model::work::{Body, Change};
use lastmeter_store::{Page, Range, SeriesQuery, Stretch};
use lastmeter_units::{HardwareId, MeasurementId, SimDuration, SimTime};

use crate::server::postgres_for_tests;
use crate::{Job, Open, apply, delivery, device, entry, open, open_kind, reading, texts, wait};

fn open_sqlite() -> Open {
    open_kind("sqlite", None, Duration::from_secs(10)).unwrap()
}

fn of_values(name: &str, number: (u64, u64), values: &[f64]) -> Message {
    let values = MeasurementId::all().skip(3).zip(values.iter().copied()).collect();
    Message {
        number: Some(number),
        event: Some(SimTime(77)),
        metadata: texts(&[("k", "z\0\u{1a}0ü")]),
        originator: Some("o".to_owned()),
        ..Message::new(device(name), MessageBody::Measurements(values))
    }
}

fn alert(name: &str, text: &str, updates_state: bool) -> Message {
    let (kind, text) = ("k\0ind".to_owned(), text.to_owned());
    let body = MessageBody::Alert { kind, level: "Warning", text };
    Message { updates_state, metadata: texts(&[("a", "b")]), ..Message::new(device(name), body) }
}

fn answer(name: &str, id: i64, response: &str) -> Message {
    let invocation = InvocationId(id).to_string();
    let body = MessageBody::Acknowledgement { invocation, response: response.to_owned() };
    Message::new(device(name), body)
}

fn command(row: i64) -> Job {
    Job::Change(Change::Invoke(Box::new(NewInvocation {
        device: row,
        command: "relay".to_owned(),
        parameters: texts(&[("state", "on\0")]),
        initiator: "REST".to_owned(),
        initiator_id: "me\0".to_owned(),
        metadata: texts(&[]),
        created: SimTime(1),
        expires: SimTime(2),
    })))
}

/// Batches with everything that is decided.
fn batches() -> Vec<Vec<Job>> {
    let extremes = [-0.0, f64::MIN_POSITIVE / 8.0, f64::MAX, 0.1 + 0.2, -1.0 / 3.0];
    let mut refused = delivery(12, Vec::new());
    refused.body = Body::Refusal(RefusalRecord {
        reason: "not_json".to_owned(),
        device: None,
        topic: "a\0b".to_owned(),
        detail: "d\u{1a}".to_owned(),
        content: None,
    });
    let undated = Message { event: None, number: None, ..reading("b", 1, 1, 2) };
    vec![
        vec![
            entry(1, vec![reading("a", 1, 1, 5)]),
            entry(2, vec![reading("a", 1, 2, 0), reading("a", 1, 1, 5), reading("a", 1, 1, 4)]),
            entry(3, vec![of_values("a", (u64::MAX, u64::MAX), &extremes)]),
            entry(4, vec![alert("a", "te\0xt", true), alert("b", "other", false)]),
        ],
        vec![
            // Conflict and repetition with what is committed, out of order, without a number.
            entry(5, vec![reading("a", 1, 1, 5), reading("a", 1, 2, 1), undated.clone(), undated]),
            entry(6, vec![of_values("a", (u64::MAX, u64::MAX), &extremes)]),
            entry(7, vec![reading("a", 2, 5, 3), reading("a", 2, 4, 3), reading("a", 1, 9, 3)]),
            command(1),
            command(2),
            command(1),
        ],
        vec![
            Job::Change(Change::Sent(InvocationId(1), SimTime(3))),
            entry(8, vec![answer("a", 1, "o\0k"), answer("a", 1, "o\0k"), answer("a", 1, "no")]),
            entry(9, vec![answer("b", 3, "not mine"), answer("b", 9, "nobody's")]),
            Job::Change(Change::Expire(InvocationId(2), SimTime(4))),
            Job::Change(Change::Failed(InvocationId(3), SimTime(4), "why\0".to_owned())),
            command(2),
            Job::Change(Change::Clock(SimTime(9))),
        ],
        vec![
            entry(10, vec![answer("b", 2, "late")]),
            entry(11, (0..12).map(|n| alert("a", &n.to_string(), true)).collect()),
            Job::Entry(refused),
            entry(13, vec![Message::new(device("c"), MessageBody::Registration)]),
            entry(14, vec![reading("c", 1, 3, 60), reading("c", 1, 3, 60)]),
        ],
    ]
}

/// Everything a store answers, as text; a number's bits show in it.
fn answers(open: &Open) -> Vec<String> {
    let readers = &*open.readers;
    let totals = open.writer.standing().totals();
    let invocations = open.writer.standing().invocations.cast_signed();
    let range = Range { start: SimTime(0), end: SimTime(i64::MAX) };
    let few = Range { start: SimTime(77), end: SimTime(4_000_000_000) };
    let ids: Vec<_> = MeasurementId::all().take(9).collect();
    wait(async {
        let mut all = Vec::new();
        let mut note = |what: String| all.push(what);
        for (after, limit) in [(0, 100), (2, 3), (1000, 5)] {
            let stretch = |last| Stretch { after, limit, last };
            note(format!("{:?}", readers.readings(stretch(totals.readings)).await));
            note(format!("{:?}", readers.refusals(stretch(totals.refusals)).await));
            note(format!("{:?}", readers.alerts(stretch(totals.alerts)).await));
        }
        for row in 1..=open.devices.count() as i64 {
            note(format!("{:?}", readers.state(row).await));
            note(format!("{:?}", readers.quantities_of(row).await));
            let pages = [Page { offset: 0, limit: 10 }, Page { offset: 1, limit: 1 }];
            for (page, cut) in pages.into_iter().flat_map(|page| cuts().map(|cut| (page, cut))) {
                note(format!("{:?}", readers.invocations_of(row, page, cut.clone()).await));
                for range in [range, few] {
                    note(format!("{:?}", readers.events(row, range, page, cut.clone()).await));
                    for after in [None, Some((1_000_000_000, 1))] {
                        let (ids, cut) = (ids.clone(), cut.clone());
                        let query = SeriesQuery { device: row, ids, range, page, after, cut };
                        note(format!("{:?}", readers.series(query).await));
                    }
                }
            }
        }
        for number in [(1, 1), (u64::MAX, u64::MAX), (3, 3)] {
            note(format!("{:?}", readers.numbered(1, number).await));
        }
        let ids = (1..=invocations).map(InvocationId).collect();
        note(format!("{:?}", readers.invocations(ids).await));
        note(format!("{:?}", readers.invocation(InvocationId(5)).await));
        all
    })
}

#[test]
fn the_same_batches_have_the_same_outcomes_and_answers_as_in_sqlite() {
    let Some(server) = postgres_for_tests(false) else { return };
    let mut sqlite = open_sqlite();
    let mut postgres = open(&server.connection()).unwrap();
    for batch in batches() {
        let expected = apply(&mut sqlite.writer, &batch).unwrap();
        assert_eq!(apply(&mut postgres.writer, &batch).unwrap(), expected);
        assert_eq!(answers(&postgres), answers(&sqlite));
    }
    assert!(sqlite.writer.standing().readings > 8 && sqlite.writer.standing().refusals > 4);
    assert_eq!(*postgres.heard.damages.lock().unwrap(), []);
    let before = answers(&postgres);

    // The same after a restart, and what was stored goes on being known.
    let (standing, count) = (*postgres.writer.standing(), postgres.devices.count());
    drop(postgres);
    let mut postgres = open(&server.connection()).unwrap();
    assert_eq!((*postgres.writer.standing(), postgres.devices.count()), (standing, count));
    assert_eq!(postgres.devices.open(None), sqlite.devices.open(None));
    assert_eq!(answers(&postgres), before);
    let again =
        vec![entry(15, vec![reading("a", 1, 1, 5), reading("c", 1, 3, 60), reading("c", 1, 2, 1)])];
    let expected = apply(&mut sqlite.writer, &again).unwrap();
    assert_eq!((expected.repetitions, expected.stored), (2, 1));
    assert_eq!(apply(&mut postgres.writer, &again).unwrap(), expected);
    assert_eq!(answers(&postgres), answers(&sqlite));
    let bits = server.psql(r#"SELECT "values" FROM "t_north-1".reading WHERE sequence = 3"#);
    assert!(bits.starts_with("{-0,"), "{bits}");
}

#[test]
fn a_batch_of_a_thousand_readings_of_five_values_is_stored_in_time() {
    let Some(server) = postgres_for_tests(true) else { return };
    for (name, mut store) in
        [("sqlite", open_sqlite()), ("postgres", open(&server.connection()).unwrap())]
    {
        let times: Vec<Duration> = (0..10).map(|batch| one_batch(&mut store, batch)).collect();
        let least = times.iter().min().unwrap();
        println!("{name}: 1,000 readings of five values of 50 devices in {least:?}; all {times:?}");
        assert!(*least < Duration::from_secs(2));
        assert_eq!(store.writer.standing().readings, 10_000);
    }
}

#[expect(clippy::disallowed_methods, reason = "a time is what is measured")]
fn one_batch(store: &mut Open, batch: u64) -> Duration {
    let one = |n: u64| {
        let number = batch * 1000 + n;
        entry(number + 1, vec![reading(&format!("d{}", n % 50), 1, number + 1, 5)])
    };
    let jobs: Vec<Job> = (0..1000).map(one).collect();
    let begun = std::time::Instant::now();
    apply(&mut store.writer, &jobs).unwrap();
    begun.elapsed()
}

/// What may be given: everything, some quantities of two spans, and whole roll-ups.
fn cuts() -> [Cut; 3] {
    let device = HardwareId::new("d").unwrap();
    let name = MeasurementId::all().next().unwrap().name();
    let some = Quantities::Like([name.parse::<Pattern>().unwrap()].into());
    let window = |from: i64, until: i64, quantities, finest: Option<i64>| Window {
        device: device.clone(),
        from: SimTime(from),
        until: SimTime(until),
        quantities,
        finest: finest.map(SimDuration),
    };
    let two = vec![
        window(i64::MIN, 1_000_000_001, Quantities::All, None),
        window(2_000_000_000, i64::MAX, some, None),
    ];
    let whole = vec![window(0, 3_000_000_000, Quantities::All, Some(1_000_000_000))];
    let of = |windows| {
        let permit = Decision::Yes(Scope::Windows(windows)).permit().unwrap();
        permit.cut_with(&device, |_, span| Some(span))
    };
    [Permit::whole_tenant().cut(&device), of(two), of(whole)]
}
