//! Work of every kind, made at random: few devices, numbers, dates and invocations, so that
//! repetitions, conflicts and late answers are frequent.

use std::collections::BTreeMap;

use bytes::Bytes;
use lastmeter_model::document::{
    AnswerKey, Cursor, DocumentKind, Edit, Expect, KINDS, NewAnswer, NewAnswerBody, Note,
    Transaction,
};
use lastmeter_model::invocation::{InvocationId, NewInvocation};
use lastmeter_model::message::{Message, MessageBody, Number};
use lastmeter_model::refusal::RefusalRecord;
use lastmeter_model::work::{Body, Change, Delivery, Work};
use lastmeter_units::{HardwareId, MeasurementId, SimTime};
use proptest::prelude::*;

/// Rows of devices that there may be, and one more.
pub(super) const DEVICES: i64 = 4;
/// Invocations that there may be.
pub(super) const INVOCATIONS: i64 = 40;
/// Bytes of refused content there is room for: some of it does not fit into a device's share.
pub(super) const REFUSED_BYTES: u64 = 16 * 30;

pub(super) const EPOCHS: [u64; 3] = [0, 7, u64::MAX];
pub(super) const SERIALS: [u64; 6] = [0, 1, 2, 3, 4, u64::MAX];
const DATES: [i64; 7] =
    [-60_000_000_001, -1, 0, 59_999_999_999, 60_000_000_000, 61_000_000_000, 1_700_000_000_000_000];
const VALUES: [f64; 4] = [-0.0, 0.0, 1.5, -1e300];
const TOPIC: &str = "sitewhere/default/input/json";

/// One piece of work that owns its content.
#[derive(Clone, Debug)]
pub(super) enum Job {
    Delivery(Delivery),
    Change(Change),
    Settle(u64, u64),
}

impl Job {
    pub(super) fn work(&self) -> Work<'_> {
        match self {
            Self::Delivery(delivery) => Work::Delivery(delivery),
            Self::Change(change) => Work::Change(change),
            Self::Settle(committed, changes) => {
                Work::Settle { committed: *committed, changes: *changes }
            }
        }
    }
}

/// What is done to a store.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A batch in one transaction.
    Commit(Vec<Job>),
    /// A batch that fails after so many writes, and is repeated.
    Fail(usize, Vec<Job>),
    /// What was received by an instant is removed, and roll-ups that are so many days old.
    Tend(Option<u32>, i64),
    /// The store is opened again by another writer.
    Restart,
}

impl Step {
    pub(super) fn jobs(&self) -> &[Job] {
        match self {
            Self::Commit(jobs) | Self::Fail(_, jobs) => jobs,
            Self::Restart | Self::Tend(..) => &[],
        }
    }
}

/// A job before the journal has given it its sequence.
#[derive(Clone, Debug)]
enum Draft {
    Delivery {
        received: i64,
        body: Body,
    },
    Change(Change),
    /// Entries and changes that are missing.
    Settle(u64, u64),
    /// A delivery from so far back, once more.
    Again(usize),
}

/// Steps with everything in them, after some of which rows are removed.
pub(super) fn steps_with_retention() -> impl Strategy<Value = Vec<Step>> {
    let days = prop_oneof![2 => Just(None), 1 => Just(Some(1)), 1 => Just(Some(2))];
    let tend = (days, prop::sample::select(&DATES[..]));
    let tends = prop::collection::vec(prop::option::weighted(0.3, tend), 10);
    (steps(), tends).prop_map(|(steps, tends)| {
        let with = |(step, tend): (Step, Option<(Option<u32>, i64)>)| {
            std::iter::once(step).chain(tend.map(|(days, due)| Step::Tend(days, due)))
        };
        steps.into_iter().zip(tends).flat_map(with).collect()
    })
}

/// Steps with everything in them but retention.
pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let batch = || prop::collection::vec(draft(), 0..12);
    let step = prop_oneof![
        6 => batch().prop_map(|jobs| (None, jobs)),
        2 => (0_usize..16, batch()).prop_map(|(writes, jobs)| (Some(writes), jobs)),
        1 => Just((None, Vec::new())),
    ];
    prop::collection::vec(step, 1..10).prop_map(numbered)
}

fn numbered(drafts: Vec<(Option<usize>, Vec<Draft>)>) -> Vec<Step> {
    let (mut sequence, mut changes, mut journal) = (0, 0, Vec::<Delivery>::new());
    let mut job = |draft| match draft {
        Draft::Delivery { received, body } => {
            sequence += 1;
            let content = Bytes::from(format!("entry {sequence}"));
            let (received, topic) = (SimTime(received), TOPIC.to_owned());
            let delivery = Delivery { sequence, received, topic, body, content };
            journal.push(delivery.clone());
            Some(Job::Delivery(delivery))
        }
        Draft::Change(change) => {
            changes += 1;
            Some(Job::Change(change))
        }
        Draft::Settle(entries, missing) => {
            sequence += entries;
            changes += missing;
            Some(Job::Settle(sequence, changes))
        }
        Draft::Again(back) => journal.iter().rev().nth(back).cloned().map(Job::Delivery),
    };
    let mut step = |(writes, drafts): (Option<usize>, Vec<Draft>)| {
        let jobs: Vec<Job> = drafts.into_iter().filter_map(&mut job).collect();
        match writes {
            Some(writes) => Step::Fail(writes, jobs),
            None if jobs.is_empty() => Step::Restart,
            None => Step::Commit(jobs),
        }
    };
    drafts.into_iter().map(&mut step).collect()
}

fn draft() -> impl Strategy<Value = Draft> {
    let received = || prop::sample::select(&DATES[..]);
    let messages = prop_oneof![
        4 => message().prop_map(|one| vec![one]),
        1 => prop::collection::vec(message(), 1..4),
    ];
    prop_oneof![
        12 => (received(), messages)
            .prop_map(|(received, messages)| delivery(received, Body::Messages(messages))),
        2 => (received(), refusal())
            .prop_map(|(received, record)| delivery(received, Body::Refusal(record))),
        8 => change().prop_map(Draft::Change),
        1 => (0_u64..3, 0_u64..3).prop_map(|(entries, missing)| Draft::Settle(entries, missing)),
        2 => (0_usize..10).prop_map(Draft::Again),
    ]
}

fn delivery(received: i64, body: Body) -> Draft {
    Draft::Delivery { received, body }
}

fn device() -> impl Strategy<Value = HardwareId> {
    (1..=DEVICES).prop_map(|row| HardwareId::new(format!("meter-{row}")).unwrap())
}

fn message() -> impl Strategy<Value = Message> {
    let number = prop::option::weighted(0.8, number());
    let event = prop::option::weighted(0.7, prop::sample::select(&DATES[..]).prop_map(SimTime));
    let metadata = prop::option::weighted(0.2, prop::sample::select(&["a", "ü"][..]));
    let originator = prop::option::weighted(0.1, Just("000000000000000000000001".to_owned()));
    let around = (number, event, any::<bool>(), originator, metadata);
    (device(), around, body()).prop_map(|(device, around, body)| {
        let (number, event, updates_state, originator, metadata) = around;
        let metadata = metadata.map(|text| ("place".to_owned(), text.to_owned()));
        let metadata = metadata.into_iter().collect();
        // What the wire has of these always has its date.
        let is_dated = matches!(body, MessageBody::Result { .. } | MessageBody::Block { .. });
        let event = if is_dated { Some(event.unwrap_or_default()) } else { event };
        Message { number, event, updates_state, originator, metadata, ..Message::new(device, body) }
    })
}

fn number() -> impl Strategy<Value = Number> {
    let epoch = prop_oneof![4 => Just(EPOCHS[1]), 1 => prop::sample::select(&EPOCHS[..])];
    (epoch, prop::sample::select(&SERIALS[..]))
}

fn body() -> impl Strategy<Value = MessageBody> {
    let response = prop::sample::select(&["done", "not done"][..]);
    let invocation = prop_oneof![
        6 => (1_i64..4).prop_map(|id| InvocationId(id).to_string()),
        1 => Just("7".to_owned()),
    ];
    let value = prop::sample::select(&VALUES[..]);
    let values = prop::collection::btree_map(0_usize..4, value, 1..3);
    prop_oneof![
        8 => values.prop_map(|values| MessageBody::Measurements(measurements(&values))),
        2 => prop::sample::select(&["Info", "Critical"][..]).prop_map(|level| {
            MessageBody::Alert { kind: "tamper".to_owned(), level, text: "cover".to_owned() }
        }),
        3 => (invocation, response).prop_map(|(invocation, response)| {
            MessageBody::Acknowledgement { invocation, response: response.to_owned() }
        }),
        2 => prop::sample::select(&["outage-1", "outage-2"][..]).prop_map(|subject| {
            let (kind, content) = ("outage".to_owned(), r#"{"areas":["é"]}"#.to_owned());
            MessageBody::Result { kind, subject: subject.to_owned(), until: Some(SimTime(9)), content }
        }),
        2 => (1..3_usize).prop_map(|samples| MessageBody::Block {
            channels: quantities(),
            samples,
            rate_hz: 1600.0,
            content: vec![0, 0xff, samples.to_le_bytes()[0]],
        }),
        1 => Just(MessageBody::Registration),
    ]
}

/// Quantities from the end of the registry, in falling order, and their values.
fn measurements(values: &BTreeMap<usize, f64>) -> Vec<(MeasurementId, f64)> {
    let quantities = quantities();
    values.iter().rev().map(|(index, value)| (quantities[*index], *value)).collect()
}

/// The quantities that devices send here.
pub(super) fn quantities() -> Vec<MeasurementId> {
    MeasurementId::all().step_by(5).take(4).collect()
}

fn refusal() -> impl Strategy<Value = RefusalRecord> {
    let content = prop::option::of(prop::sample::select(&["", "short", "longer than others"][..]));
    (prop::option::of(device()), content).prop_map(|(device, content)| RefusalRecord {
        reason: "too_many_devices".to_owned(),
        device,
        topic: TOPIC.to_owned(),
        detail: "one device more than `limits.devices`".to_owned(),
        content: content.map(|text| Bytes::from_static(text.as_bytes())),
    })
}

fn change() -> impl Strategy<Value = Change> {
    let id = || (1_i64..5).prop_map(InvocationId);
    let at = || prop::sample::select(&DATES[..]).prop_map(SimTime);
    prop_oneof![
        4 => (1..=DEVICES, at())
            .prop_map(|(device, at)| Change::Invoke(Box::new(asked(device, at)))),
        2 => (id(), at()).prop_map(|(id, at)| Change::Sent(id, at)),
        1 => (id(), at()).prop_map(|(id, at)| Change::Failed(id, at, "no door".to_owned())),
        1 => (id(), at()).prop_map(|(id, at)| Change::Expire(id, at)),
        1 => at().prop_map(Change::Clock),
        5 => transaction(),
    ]
}

/// The kinds of documents that are changed here; none while there are none.
pub(super) fn kinds() -> Vec<&'static DocumentKind> {
    let kinds = ["site", "zone", "electric_network"];
    KINDS.iter().copied().flatten().filter(|kind| kinds.contains(&kind.name)).collect()
}

pub(super) const TOKENS: [&str; 3] = ["a", "b", "c"];
pub(super) const PRINCIPALS: [&str; 2] = ["user:ann", "app:é"];

fn transaction() -> impl Strategy<Value = Change> {
    let principal = || prop::sample::select(&PRINCIPALS[..]).prop_map(str::to_owned);
    let answer = (principal(), 0..4_usize, 0..3_u8).prop_map(|(by, gives, key)| NewAnswer {
        key: AnswerKey { by, key: key.to_string() },
        request: [key; 32],
        status: 201,
        body: match gives {
            0 => NewAnswerBody::Edited(0),
            1 => NewAnswerBody::Invoked(0),
            2 => NewAnswerBody::Text("{}".to_owned()),
            _ => NewAnswerBody::Secret,
        },
    });
    let cursor = (prop::sample::select(&["a", "b"][..]), any::<Vec<u8>>())
        .prop_map(|(name, value)| Cursor { name: name.to_owned(), value });
    let note = Just(Note { action: "log-in".into(), resource: "é".into(), outcome: "no".into() });
    let asked = (1..=DEVICES).prop_map(|device| asked(device, SimTime(1)));
    (
        principal(),
        prop::collection::vec(edit(), if kinds().is_empty() { 0..1 } else { 0..4 }),
        prop::collection::vec(asked, 0..2),
        prop::collection::vec(note, 0..2),
        prop::option::weighted(0.4, answer),
        prop::collection::vec(cursor, 0..2),
    )
        .prop_map(|(by, edits, invocations, notes, answer, cursors)| {
            let edits = edits.into_iter().flatten().collect();
            Change::Apply(Box::new(Transaction {
                by,
                edits,
                invocations,
                messages: Vec::new(),
                notes,
                answer,
                cursors,
                reserve: false,
            }))
        })
}

fn edit() -> impl Strategy<Value = Option<Edit>> {
    let expect = prop_oneof![
        4 => Just(Expect::Anything),
        2 => Just(Expect::New),
        4 => (1_u64..4).prop_map(Expect::Version),
    ];
    let token = prop::option::weighted(0.8, prop::sample::select(&TOKENS[..]));
    let body = prop::option::weighted(0.8, (0..3_u8, any::<bool>()));
    (any::<prop::sample::Index>(), token, expect, body).prop_map(|(kind, token, expect, body)| {
        let kinds = kinds();
        let kind = (!kinds.is_empty()).then(|| *kind.get(&kinds))?;
        let body = body.map(|(name, has_parent)| {
            let mut body = serde_json::json!({"name": name.to_string()});
            match kind.name {
                "zone" => body["kind"] = "area".into(),
                "electric_network" => body["model"] = "{}".into(),
                _ => {}
            }
            if has_parent && kind.name != "electric_network" {
                let member = if kind.name == "site" { "parentToken" } else { "siteToken" };
                body[member] = "a".into();
            }
            body
        });
        Some(Edit { kind, token: token.map(str::to_owned), expect, body })
    })
}

fn asked(device: i64, created: SimTime) -> NewInvocation {
    NewInvocation {
        device,
        command: "ping".to_owned(),
        parameters: BTreeMap::from([("text".to_owned(), "é".to_owned())]),
        initiator: "REST".to_owned(),
        initiator_id: "contract".to_owned(),
        metadata: BTreeMap::new(),
        created,
        expires: SimTime(created.as_nanoseconds() + 1),
    }
}
