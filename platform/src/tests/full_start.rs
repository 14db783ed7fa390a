//! A start with as much as a tenant may have: devices, resident documents, and a journal whose
//! entries the store has not got yet.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::Instant;

use lastmeter_model::document::{Edit, Expect, Transaction};
use lastmeter_model::entity::kind_of_name;
use lastmeter_units::TenantName;

use super::*;
use crate::bench::BenchStore;
use crate::folder::Places;
use crate::format;
use crate::journal::{Appender, Facts, Head, Kind, Position, RealDirectory, survey};
use crate::pipeline::{Entry, encode_message};

/// Devices, and as many documents, unless `LASTMETER_TEST_DEVICES` names another number, as
/// `tests/long` does.
const DEVICES: u64 = 5000;
const DOCUMENTS_AT_ONCE: u64 = 1000;
/// The longest that a start may take until everything of the journal is stored.
const START_LIMIT: Duration = Duration::from_secs(5);
const STOP_LIMIT: Duration = Duration::from_mins(1);

/// Makes places, many in a transaction.
async fn make_documents(core: &Tenant, count: u64) {
    let kind = kind_of_name("asset").unwrap();
    for first in (0..count).step_by(DOCUMENTS_AT_ONCE as usize) {
        let edit = |number: u64| Edit {
            kind,
            token: Some(format!("place-{number}")),
            expect: Expect::New,
            body: Some(serde_json::json!({ "category": "place", "name": "Cellar" })),
        };
        let edits = (first..count.min(first + DOCUMENTS_AT_ONCE)).map(edit).collect();
        let by = "bench".to_owned();
        let changed = core.apply(Transaction { by, edits, ..Transaction::default() }).await;
        assert_eq!(changed.map(|done| (done.conflict, done.limit)).unwrap(), (None, None));
    }
}

/// Fills the journal behind what is stored with as much as may be under way; how many entries.
fn fill_journal(config: &Config, folder: &Path) -> u64 {
    let places = Places::of(&TenantName::default(), config);
    let directory = RealDirectory::open(&places.journal).unwrap();
    let stored = crate::journal::read_head(&places.head);
    let crate::journal::Found::Facts(facts) = stored.unwrap() else { panic!("no head") };
    let found = survey(&directory, facts.synced, facts.synced).unwrap();
    let position = Position { durable: found.durable, used: found.used };
    let head = Arc::new(Head::create(&folder.join("head"), Facts::default()).unwrap());
    let segment_bytes = config.limits.segment_bytes;
    let mut appender =
        Appender::new(Box::new(directory), head, segment_bytes, position, found.segments);
    let (mut left, mut entries) = (config.limits.in_flight_bytes as usize, Vec::new());
    while left > 0 {
        let serial = entries.len() as u64 + 1;
        let mut payload = Vec::new();
        flexmeter::encode_measurements(&reading("home", Some(serial), 230.0), &mut payload);
        let entry = encode_message(&Entry {
            received: SimTime(0),
            format: format::by_name("json").unwrap(),
            topic: "default/SiteWhere/input/json",
            payload: &payload,
        });
        left = left.saturating_sub(entry.len());
        entries.push(entry);
    }
    for group in entries.chunks(1000) {
        let group: Vec<_> = group.iter().map(|entry| (Kind::Message, &**entry)).collect();
        appender.append_group(&group).unwrap();
    }
    entries.len() as u64
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "how long a start takes is what is tested")]
async fn a_start_with_all_that_a_tenant_may_have_takes_no_longer_than_its_limit() {
    let named = std::env::var("LASTMETER_TEST_DEVICES").ok();
    let count = named.map_or(DEVICES, |text| text.parse().expect("a number of devices"));
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), ClockSource::Driven);
    let tenant = config.tenant_folder();
    fs::create_dir_all(&tenant).unwrap();
    let mut store = BenchStore::open(&tenant, 1, 1);
    // One place is left for the device of the journal's entries.
    let batch = store.batch(count as usize - 1, count - 1);
    store.apply(&batch);
    drop(store);
    let core = Tenant::start(&config).unwrap();
    core.ready().await.unwrap();
    make_documents(&core, count).await;
    assert!(core.stop(STOP_LIMIT).await);
    drop(core);
    let mut entries = 0;
    // What else the machine does must not decide this.
    let mut tries = Vec::new();
    for run in 0..3 {
        entries += fill_journal(&config, &folder.path().join("default"));
        let begun = Instant::now();
        let core = Tenant::start(&config).unwrap();
        core.ready().await.unwrap();
        core.barrier().await.unwrap();
        tries.push(begun.elapsed());
        assert!(core.metrics.journal_replayed.load(Ordering::Relaxed) > 1000);
        assert_eq!(core.devices.count() as u64, count);
        if run == 0 {
            assert_eq!(core.progress.totals().readings, count - 1 + entries);
        }
        assert!(core.stop(STOP_LIMIT).await);
        if tries.last().is_some_and(|took| *took < START_LIMIT) {
            break;
        }
    }
    println!("started with {count} devices and documents, {entries} entries, in {tries:?}");
    assert!(tries.iter().any(|took| *took < START_LIMIT), "{tries:?}");
}
