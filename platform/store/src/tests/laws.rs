//! What holds of the content whatever the work was.

use std::collections::BTreeMap;

use lastmeter_model::audit::verify;
use lastmeter_model::decide::Outcome;
use lastmeter_model::invocation::{InvocationId, InvocationRow, InvocationState};
use lastmeter_model::message::{Message, MessageBody};
use lastmeter_model::row::{
    AlertRow, BlockRow, DeviceState, ReadingRow, RefusalRow, ResultRow, block_extra,
};
use lastmeter_model::standing::Standing;
use lastmeter_model::work::Changed;
use lastmeter_units::{HardwareId, SimTime};
use proptest::prelude::*;

use super::ledger::Ledger;
use super::subject::Subject;
use super::work::{DEVICES, Job, Step, kinds, steps};
use crate::seam::{Page, Rows, Stretch};
use crate::stores::STORES;

const ALL: Page = Page { offset: 0, limit: 1000 };

/// The reference; the contract makes every other store equal to it.
fn reference() -> Subject {
    Subject::new(STORES.iter().find(|kind| kind.name == "memory").unwrap(), None)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn batches_restarts_and_replays_change_nothing(
        steps in steps(), from in any::<prop::sample::Index>(),
    ) {
        let (mut whole, mut parts) = (reference(), reference());
        let all: Vec<Job> = steps.iter().flat_map(Step::jobs).cloned().collect();
        let at_once = counts([&whole.apply(&all, 0)]);
        let (mut journal, mut outcomes) = (Vec::new(), Vec::new());
        for step in &steps {
            outcomes.push(parts.step(step, 0));
            let entries = step.jobs().iter().filter(|job| matches!(job, Job::Delivery(_)));
            journal.extend(entries.cloned());
            let again = if journal.is_empty() { 0 } else { from.index(journal.len()) };
            let before = Standing { is_guarded: true, ..parts.standing() };
            let replayed = parts.apply(&journal[again..], 1);
            prop_assert_eq!(replayed, Outcome { standing: before, ..Outcome::default() });
        }
        prop_assert_eq!(at_once, counts(&outcomes));
        let standing = Standing { is_guarded: true, ..parts.standing() };
        prop_assert_eq!(whole.standing(), standing);
        prop_assert_eq!(whole.seen(), parts.seen());
    }

    #[test]
    fn each_message_is_stored_once_or_repeats_or_is_refused(steps in steps()) {
        let (mut store, mut ledger, mut repetitions) = (reference(), Ledger::default(), 0);
        for (index, step) in steps.iter().enumerate() {
            let outcome = store.step(step, index);
            repetitions += outcome.repetitions;
            let mut changes = outcome.changes.into_iter();
            for job in step.jobs() {
                let is_change = matches!(job, Job::Change(_));
                let changed = if is_change { changes.next().unwrap() } else { Changed::default() };
                ledger.enter(job, &changed);
            }
        }
        let content = Content::of(&store);
        prop_assert_eq!(repetitions, ledger.repetitions);
        let expected = ledger.readings.iter().map(of_message).collect::<Vec<_>>();
        prop_assert_eq!(content.readings.iter().map(of_reading).collect::<Vec<_>>(), expected);
        let expected = ledger.alerts.iter().map(of_message).collect::<Vec<_>>();
        prop_assert_eq!(content.alerts.iter().map(of_alert).collect::<Vec<_>>(), expected);
        let expected = ledger.results.iter().map(of_message).collect::<Vec<_>>();
        prop_assert_eq!(content.results.iter().map(of_result).collect::<Vec<_>>(), expected);
        let expected = ledger.blocks.iter().map(of_message).collect::<Vec<_>>();
        prop_assert_eq!(content.blocks.iter().map(of_block).collect::<Vec<_>>(), expected);
        let refused = content.refusals.into_iter();
        let refused = refused.map(|row| (row.reason, row.content, row.content_bytes));
        prop_assert_eq!(refused.collect::<Vec<_>>(), ledger.refusals);
        let answers = content.invocations.into_iter();
        let answers: Vec<_> = answers.map(|(device, row)| (device, row.response)).collect();
        prop_assert_eq!(answers, ledger.invocations);
    }

    #[test]
    fn sequences_have_no_gaps_and_counts_are_right(steps in steps()) {
        let mut store = reference();
        for (index, step) in steps.iter().enumerate() {
            store.step(step, index);
            let (content, standing) = (Content::of(&store), store.standing());
            let sequences: Vec<u64> = content.readings.iter().map(|row| row.sequence).collect();
            prop_assert_eq!(sequences, (1..=standing.readings).collect::<Vec<_>>());
            let sequences: Vec<u64> = content.alerts.iter().map(|row| row.sequence).collect();
            prop_assert_eq!(sequences, (1..=standing.alerts).collect::<Vec<_>>());
            let sequences: Vec<u64> = content.refusals.iter().map(|row| row.sequence).collect();
            prop_assert_eq!(sequences, (1..=standing.refusals).collect::<Vec<_>>());
            let sequences: Vec<u64> = content.results.iter().map(|row| row.sequence).collect();
            prop_assert_eq!(sequences, (1..=standing.results).collect::<Vec<_>>());
            let sequences: Vec<u64> = content.blocks.iter().map(|row| row.sequence).collect();
            prop_assert_eq!(sequences, (1..=standing.blocks).collect::<Vec<_>>());
            let mut devices: Vec<i64> = store.devices().into_iter().map(|row| row.id).collect();
            devices.sort_unstable();
            prop_assert_eq!(devices, (1..=standing.devices.cast_signed()).collect::<Vec<_>>());
            prop_assert_eq!(content.invocations.len() as u64, standing.invocations);
            let open = content.invocations.iter().filter(|(_, row)| row.is_open()).count();
            prop_assert_eq!(open as u64, standing.open);
            let kept = content.refusals.iter().filter_map(|row| row.content.as_ref());
            prop_assert_eq!(kept.map(Vec::len).sum::<usize>() as u64, standing.refused_bytes);
            let all = Stretch { after: 0, limit: u32::MAX, last: standing.chain.count };
            let audit = rows(store.wait(store.reader().audit(all)).unwrap());
            prop_assert_eq!(verify(audit, standing.chain.head()), Ok(standing.chain));
            let (mut versions, mut bytes) = (0, 0);
            for kind in kinds() {
                for document in store.wait(store.reader().documents(kind, None, ALL)).unwrap().1 {
                    let history = store.reader().history(kind, document.token.clone(), ALL);
                    let (count, history) = store.wait(history).unwrap();
                    prop_assert_eq!((count, &history[0]), (document.version, &document));
                    let numbers: Vec<u64> = history.iter().rev().map(|one| one.version).collect();
                    prop_assert_eq!(numbers, (1..=count).collect::<Vec<_>>());
                    versions += count;
                    bytes += history.iter().map(|one| one.body.len() as u64).sum::<u64>();
                    let same = store.documents().find(kind, &document.token);
                    let same = same.map(|same| (*same).clone());
                    prop_assert_eq!(same, kind.is_resident.then_some(document));
                }
            }
            // Those of removed documents are not in the lists.
            prop_assert!(versions <= standing.versions && bytes <= standing.document_bytes);
        }
    }

    #[test]
    fn state_never_turns_back(steps in steps()) {
        let mut store = reference();
        let mut before = Content::of(&store);
        for (index, step) in steps.iter().enumerate() {
            store.step(step, index);
            let after = Content::of(&store);
            for (device, known) in &before.states {
                prop_assert!(is_later(known, &after.states[device]), "device {}", device);
            }
            for ((_, known), (_, row)) in before.invocations.iter().zip(&after.invocations) {
                prop_assert!(goes_on(known, row), "{:?}, then {:?}", known, row);
            }
            before = after;
        }
    }
}

/// Everything that is stored.
struct Content {
    readings: Vec<ReadingRow>,
    alerts: Vec<AlertRow>,
    refusals: Vec<RefusalRow>,
    results: Vec<ResultRow>,
    blocks: Vec<BlockRow>,
    invocations: Vec<(HardwareId, InvocationRow)>,
    states: BTreeMap<i64, DeviceState>,
}

impl Content {
    fn of(store: &Subject) -> Self {
        let (reader, standing) = (store.reader(), store.standing());
        let all = |last| Stretch { after: 0, limit: u32::MAX, last };
        let ids = (1..=standing.invocations.cast_signed()).map(InvocationId).collect();
        let invocations = store.wait(reader.invocations(ids)).unwrap();
        let state = |device| store.wait(reader.state(device)).ok().map(|state| (device, state));
        Self {
            readings: rows(store.wait(reader.readings(all(standing.readings))).unwrap()),
            alerts: rows(store.wait(reader.alerts(all(standing.alerts))).unwrap()),
            refusals: rows(store.wait(reader.refusals(all(standing.refusals))).unwrap()),
            results: rows(store.wait(reader.results(all(standing.results))).unwrap()),
            blocks: rows(store.wait(reader.blocks(all(standing.blocks))).unwrap()),
            invocations: invocations.into_iter().map(|one| (one.hardware_id, one.row)).collect(),
            states: (1..=DEVICES).filter_map(state).collect(),
        }
    }
}

fn rows<T>(rows: Rows<T>) -> Vec<T> {
    assert!(!rows.is_more);
    rows.rows
}

/// Readings, repetitions, alerts, late answers, refusals, contents not kept.
fn counts<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> [u64; 6] {
    outcomes.into_iter().fold([0; 6], |so_far, one| {
        let late = one.late_acknowledgements;
        let refused = one.refused.len() as u64;
        let more = [one.stored, one.repetitions, one.alerts, late, refused, one.content_not_kept];
        std::array::from_fn(|index| so_far[index] + more[index])
    })
}

/// A message as text; as stored, without what its row does not have.
fn of_message((message, received): &(Message, SimTime)) -> String {
    let Message { device, number, event, updates_state, metadata, .. } = message;
    let at = event.unwrap_or(*received);
    match &message.body {
        MessageBody::Measurements(values) => {
            let mut values: Vec<_> = values.iter().map(|(id, value)| (id.name(), value)).collect();
            values.sort_by_key(|(name, _)| *name);
            let is_dated = event.is_some();
            format!(
                "{device:?} {number:?} {at} {is_dated} {received} {updates_state} \
                 {values:?} {metadata:?}"
            )
        }
        MessageBody::Alert { kind, level, text } => {
            format!("{device:?} {at} {received} {kind} {level} {text} {metadata:?}")
        }
        MessageBody::Result { kind, subject, until, content } => {
            format!("{device:?} {number:?} {at} {received} {kind} {subject} {until:?} {content}")
        }
        MessageBody::Block { channels, samples, rate_hz, content } => {
            let channels: Vec<String> = channels.iter().map(|id| id.name().to_owned()).collect();
            let extra = block_extra(&channels, *samples as u64);
            format!("{device:?} {number:?} {at} {received} {extra} {rate_hz} {content:?}")
        }
        other => format!("{other:?}"),
    }
}

fn of_result(row: &ResultRow) -> String {
    let ResultRow { device, number, from, until, received, kind, subject, content, .. } = row;
    format!("{device:?} {number:?} {from} {received} {kind} {subject} {until:?} {content}")
}

fn of_block(row: &BlockRow) -> String {
    let BlockRow { device, number, event, received, samples, rate_hz, content, .. } = row;
    let extra = serde_json::json!({ "channels": row.channels, "samples": samples });
    format!("{device:?} {number:?} {event} {received} {extra} {rate_hz} {content:?}")
}

fn of_reading(row: &ReadingRow) -> String {
    let ReadingRow { device, number, event, is_dated, received, updates_state, .. } = row;
    let mut values: Vec<_> = row.values.iter().map(|(name, value)| (&**name, value)).collect();
    values.sort_by_key(|(name, _)| *name);
    let metadata = row.metadata();
    format!(
        "{device:?} {number:?} {event} {is_dated} {received} {updates_state} \
         {values:?} {metadata:?}"
    )
}

fn of_alert(row: &AlertRow) -> String {
    let AlertRow { device, event, received, kind, level, message, metadata, .. } = row;
    format!("{device:?} {event} {received} {kind} {level} {message} {metadata:?}")
}

/// Whether a state can follow another one.
fn is_later(before: &DeviceState, after: &DeviceState) -> bool {
    let values: BTreeMap<_, _> =
        after.values.iter().map(|value| (&value.name, value.event)).collect();
    let mut known = before.values.iter();
    let newest = |state: &DeviceState| state.alerts.first().map(|alert| alert.sequence);
    before.last_interaction <= after.last_interaction
        && known.all(|value| values.get(&value.name).is_some_and(|event| value.event <= *event))
        && newest(before) <= newest(after)
        && after.alerts.is_sorted_by(|newer, older| newer.sequence > older.sequence)
}

/// Whether an invocation can become another one.
fn goes_on(before: &InvocationRow, after: &InvocationRow) -> bool {
    let is_next = match (before.state, after.state) {
        (InvocationState::Pending, _) => true,
        (InvocationState::Sent, next) => next != InvocationState::Pending,
        (ended, next) => ended == next && before.ended == after.ended,
    };
    is_next
        && (before.sent.is_none() || before.sent == after.sent)
        && (before.response.is_none() || before.response == after.response)
        && (before.id, before.previous, before.asked.device)
            == (after.id, after.previous, after.asked.device)
}
