//! What is done with a data folder whose platform does not run: the audit and the store verified,
//! backed up, restored, exported and imported.

use std::fs;

use lastmeter_model::audit::{Chain, Hash};
use lastmeter_model::document::{Note, Transaction};
use lastmeter_model::row::{BlockRow, ResultRow};
use lastmeter_store::Stretch;
use lastmeter_units::{HardwareId, SimTime, TenantName};
use rusqlite::Connection;
use serde_json::json;

use super::commands::put;
use super::*;
use crate::backup;
use crate::error::PlatformError;
use crate::losses::LossKind;
use crate::maintenance::{DataFolder, Extent, Verified, restore};

async fn note(core: &Tenant, what: &str) {
    let [action, resource, outcome] = [what, "device:home", "done"].map(str::to_owned);
    let notes = vec![Note { action, resource, outcome }];
    let by = "user:ann".to_owned();
    core.apply(Transaction { by, notes, ..Transaction::default() }).await.unwrap();
}

/// A platform with readings, refusals, alerts, documents and an audit of so many notes.
async fn filled(notes: u32) -> Bench {
    let bench = Bench::start(ClockSource::Driven).await;
    let messages: Vec<_> = (1..=40).map(|n| reading("home", Some(n), n as f64)).collect();
    store(&bench.core, &messages).await;
    store(&bench.core, &[reading("home, attic", None, 1.5), reading("barn", Some(7), 2.5)]).await;
    let alert = br#"{"hardwareId":"home","type":"DeviceAlert","request":{"type":"t","level":"Info",
        "message":"close","eventDate":"2027-01-18T17:00:00Z","metadata":{"phase":"a"}}}"#;
    assert_eq!(accept(&bench.core, alert.to_vec()).await.unwrap(), Accepted::Stored);
    accept(&bench.core, b"{".to_vec()).await.unwrap();
    put(&bench.core, "site", "north", json!({ "name": "North" })).await;
    put(&bench.core, "zone", "feeder", json!({ "name": "Feeder", "kind": "feeder" })).await;
    for number in 0..notes {
        note(&bench.core, &format!("note-{number}")).await;
    }
    bench.core.barrier().await.unwrap();
    bench
}

/// Stops a platform; its folder and settings.
async fn left(bench: Bench) -> (TempDir, Config) {
    let (config, folder) = (bench.config.clone(), bench.folder);
    assert!(bench.core.stop(STOP_LIMIT).await);
    (folder, config)
}

async fn verified(config: &Config, extent: Extent) -> Verified {
    let folder = DataFolder::open(config.clone()).unwrap();
    assert_eq!(folder.tenants().unwrap(), [TenantName::default()]);
    folder.verify(&TenantName::default(), extent).await.unwrap()
}

fn kinds(found: &Verified) -> Vec<(&str, &str)> {
    let mut kinds: Vec<_> =
        found.findings.iter().map(|one| (one.kind.as_str(), one.place.as_str())).collect();
    kinds.sort_unstable();
    kinds
}

fn database(folder: &Path) -> Connection {
    Connection::open(folder.join("default/store.db")).unwrap()
}

/// The checksum of a row of the audit, as `sqlite::seal` documents it.
fn seal(database: &Connection, number: i64) {
    use rusqlite::types::ValueRef;
    let query = "SELECT number, at_ns, who, action, resource, before, after, outcome, hash
                 FROM audit WHERE number = ?1";
    let sum = database.query_row(query, [number], |row| {
        let mut sum = crc32c::crc32c(b"audit");
        for column in 0..9 {
            let (tag, bytes) = match row.get_ref(column)? {
                ValueRef::Null => (vec![0], &[][..]),
                ValueRef::Integer(number) => {
                    sum = crc32c::crc32c_append(sum, &[1]);
                    (number.to_le_bytes().to_vec(), &[][..])
                }
                ValueRef::Text(text) => {
                    ([vec![3], (text.len() as u64).to_le_bytes().to_vec()].concat(), text)
                }
                ValueRef::Blob(blob) => {
                    ([vec![4], (blob.len() as u64).to_le_bytes().to_vec()].concat(), blob)
                }
                ValueRef::Real(_) => panic!("there are none"),
            };
            sum = crc32c::crc32c_append(crc32c::crc32c_append(sum, &tag), bytes);
        }
        Ok(sum)
    });
    let set = "UPDATE audit SET sum = ?1 WHERE number = ?2";
    assert_eq!(database.execute(set, [i64::from(sum.unwrap()), number]).unwrap(), 1);
}

/// Has the store believe that its audit ends with a row, as `sqlite::standing` documents it.
fn state_chain(database: &Connection, chain: Chain) {
    let get = "SELECT value FROM meta WHERE key = 'standing'";
    let mut bytes: Vec<u8> = database.query_row(get, [], |row| row.get(0)).unwrap();
    let end = bytes.len() - 4;
    bytes[3 + 17 * 8..3 + 18 * 8].copy_from_slice(&chain.count.to_le_bytes());
    bytes[3 + 18 * 8..3 + 22 * 8].copy_from_slice(&chain.hash);
    let sum = crc32c::crc32c(&bytes[..end]);
    bytes[end..].copy_from_slice(&sum.to_le_bytes());
    database.execute("UPDATE meta SET value = ?1 WHERE key = 'standing'", [bytes]).unwrap();
}

fn hash_of(database: &Connection, number: u64) -> Hash {
    let get = "SELECT hash FROM audit WHERE number = ?1";
    let bytes: Vec<u8> = database.query_row(get, [number as i64], |row| row.get(0)).unwrap();
    bytes.try_into().unwrap()
}

/// Removes the rows of the audit behind one, and all that the store has of them.
fn cut_audit(folder: &Path, count: u64) {
    let database = database(folder);
    let removed = database.execute("DELETE FROM audit WHERE number > ?1", [count as i64]);
    assert!(removed.unwrap() > 0);
    state_chain(&database, Chain { count, hash: hash_of(&database, count) });
}

#[tokio::test]
async fn a_sound_folder_is_verified_and_left_as_it_is() {
    let (folder, config) = left(filled(600).await).await;
    for extent in [Extent::Audit, Extent::Everything, Extent::Audit] {
        let found = verified(&config, extent).await;
        assert_eq!((kinds(&found), found.notes.len()), (vec![], 0), "{found:?}");
        // Two documents and the notes.
        assert_eq!((found.audit.rows, found.audit.head_rows), (602, 602));
        assert_eq!((found.rows["readings"], found.rows["documents"]), (42, 2));
    }
    let core = Tenant::start(&config).unwrap();
    let bench = Bench::ready(core, config, folder).await;
    assert_eq!((bench.core.losses.count(), readings(&bench.core).await.len()), (0, 42));
    let used = DataFolder::open(bench.config.clone()).err().unwrap();
    assert!(matches!(used, PlatformError::DataInUse { .. }), "{used}");
    let nowhere = Config { data: bench.folder.path().join("nowhere"), ..bench.config.clone() };
    let error = DataFolder::open(nowhere).err().unwrap();
    assert!(matches!(error, PlatformError::Config(_)), "{error}");
    assert!(!bench.folder.path().join("nowhere").exists());
    bench.stop().await;
}

#[tokio::test]
async fn a_changed_row_of_the_audit_is_found_by_its_checksum_or_by_the_chain() {
    let (folder, config) = left(filled(5).await).await;
    let change = "UPDATE audit SET who = 'user:bob' WHERE number = 4";
    assert_eq!(database(folder.path()).execute(change, []).unwrap(), 1);
    let found = verified(&config, Extent::Audit).await;
    let (damaged, cut) = (("damaged_store", "audit 4"), ("audit_chain", "4-7"));
    assert_eq!(kinds(&found), [cut, damaged], "{found:?}");
    // Whoever changes the row changes its checksum too.
    seal(&database(folder.path()), 4);
    let found = verified(&config, Extent::Audit).await;
    assert_eq!(kinds(&found), [("audit_chain", "4")], "{found:?}");
    assert_eq!(found.audit.rows, 3);
    let everything = verified(&config, Extent::Everything).await;
    assert_eq!(kinds(&everything), kinds(&found));
}

#[tokio::test]
async fn an_audit_that_was_cut_off_shows_by_the_head_alone() {
    let (folder, config) = left(filled(5).await).await;
    cut_audit(folder.path(), 5);
    let found = verified(&config, Extent::Audit).await;
    assert_eq!(kinds(&found), [("audit_chain", "6-7")], "{found:?}");
    let everything = verified(&config, Extent::Everything).await;
    assert_eq!(kinds(&everything), kinds(&found), "nothing else shows it");
    // A start reports it, once, and goes on from what there is.
    let core = Tenant::start(&config).unwrap();
    let bench = Bench::ready(core, config, folder).await.restart().await;
    let (losses, _) = bench.core.losses.list();
    let reported: Vec<_> = losses.iter().map(|loss| (loss.kind, &*loss.place)).collect();
    assert_eq!(reported, [(LossKind::MissingAudit, "6-7")]);
    note(&bench.core, "later").await;
    let (_folder, config) = left(bench).await;
    let found = verified(&config, Extent::Everything).await;
    assert_eq!((kinds(&found), found.audit.rows), (vec![], 6));
    assert_eq!(found.notes, ["1 reports of losses have not been acknowledged"]);
}

#[tokio::test]
async fn another_last_row_than_the_head_knows_is_reported_at_a_start() {
    let (folder, config) = left(filled(5).await).await;
    {
        let database = database(folder.path());
        let other = "UPDATE audit SET outcome = 'denied' WHERE number = 7";
        assert_eq!(database.execute(other, []).unwrap(), 1);
        // With all that the store has of it.
        let mut chain = Chain { count: 6, hash: hash_of(&database, 6) };
        let row = lastmeter_model::audit::AuditRow {
            number: 7,
            at: SimTime(
                database
                    .query_row("SELECT at_ns FROM audit WHERE number = 7", [], |row| row.get(0))
                    .unwrap(),
            ),
            who: "user:ann".to_owned(),
            action: "note-4".to_owned(),
            resource: "device:home".to_owned(),
            before: None,
            after: None,
            outcome: "denied".to_owned(),
        };
        let hash = chain.append(&row);
        let set = "UPDATE audit SET hash = ?1 WHERE number = 7";
        assert_eq!(database.execute(set, [hash.to_vec()]).unwrap(), 1);
        seal(&database, 7);
        state_chain(&database, chain);
    }
    let found = verified(&config, Extent::Audit).await;
    assert_eq!(kinds(&found), [("audit_chain", "7")], "{found:?}");
    let bench = Bench::ready(Tenant::start(&config).unwrap(), config, folder).await;
    let losses = bench.core.losses.list().0;
    assert_eq!((losses.len(), losses[0].kind), (1, LossKind::MissingAudit), "{losses:?}");
    bench.stop().await;
}

#[tokio::test]
async fn a_head_of_a_version_before_is_taken_over() {
    let (folder, config) = left(filled(5).await).await;
    let path = folder.path().join("default.head");
    let head = fs::read(&path).unwrap();
    fs::write(&path, &head[..3072]).unwrap();
    let found = verified(&config, Extent::Everything).await;
    assert_eq!((kinds(&found), found.audit.head_rows, found.notes.len()), (vec![], 0, 1));
    let bench = Bench::ready(Tenant::start(&config).unwrap(), config, folder).await;
    assert_eq!(bench.core.losses.count(), 0);
    let (_folder, config) = left(bench).await;
    assert_eq!(verified(&config, Extent::Audit).await.audit.head_rows, 7);
}

#[tokio::test]
async fn damage_anywhere_in_the_store_and_around_it_is_found() {
    let (folder, config) = left(filled(1).await).await;
    let image = || {
        let image = tempfile::tempdir().unwrap();
        missing::copy(folder.path(), image.path());
        image
    };
    for (harm, kind, place) in [
        (
            "UPDATE reading SET event_ns = event_ns + 1 WHERE sequence = 9",
            "damaged_store",
            "reading 9",
        ),
        ("UPDATE refusal SET detail = 'x'", "damaged_store", "refusal 1"),
        ("UPDATE alert SET message = 'x'", "damaged_store", "alert 1"),
        ("DELETE FROM reading WHERE sequence = 9", "damaged_store", "reading 9"),
        ("UPDATE document SET body = '{}' WHERE token = 'north'", "damaged_store", "document 1"),
    ] {
        let image = image();
        assert_eq!(database(image.path()).execute(harm, []).unwrap(), 1, "{harm}");
        let config = Config { data: image.path().to_owned(), ..config.clone() };
        let found = verified(&config, Extent::Everything).await;
        assert!(kinds(&found).contains(&(kind, place)), "{harm}: {found:?}");
    }
    let image = image();
    fs::remove_file(image.path().join("default.head")).unwrap();
    let config = Config { data: image.path().to_owned(), ..config.clone() };
    let found = verified(&config, Extent::Everything).await;
    assert_eq!(kinds(&found)[0].0, "missing_head", "{found:?}");
}

/// Readings, alerts and documents as what they are, without where and when they were stored.
async fn content(core: &Tenant) -> Vec<String> {
    let of_reading = |row: ReadingRow| {
        let ReadingRow { device, number, event, updates_state, values, extra, .. } = row;
        format!("{device} {number:?} {event} {updates_state} {values:?} {extra:?}")
    };
    let of_alert = |row: AlertRow| {
        let AlertRow { device, event, level, kind, message, metadata, .. } = row;
        format!("{device} {event} {level} {kind} {message} {metadata:?}")
    };
    let mut all: Vec<String> = readings(core).await.into_iter().map(of_reading).collect();
    all.extend(alerts(core).await.into_iter().map(of_alert));
    let (store, totals) = (core.readers.store(), core.progress.totals());
    let stretch = |last| Stretch { after: 0, limit: 1000, last };
    all.extend(store.results(stretch(totals.results)).await.unwrap().rows.into_iter().map(|row| {
        let ResultRow { device, number, kind, subject, from, until, content, .. } = row;
        format!("{device} {number:?} {kind} {subject} {from} {until:?} {content}")
    }));
    all.extend(store.blocks(stretch(totals.blocks)).await.unwrap().rows.into_iter().map(|row| {
        let BlockRow { device, number, event, content, .. } = row;
        format!("{device} {number:?} {event} {content:?}")
    }));
    for kind in lastmeter_model::document::KINDS.iter().copied().flatten() {
        let documents = core.documents.all(kind).into_iter();
        all.extend(documents.map(|one| format!("{} {} {}", kind.name, one.token, one.body)));
    }
    all.sort_unstable();
    all
}

/// The content of a folder when it is started.
async fn started(config: &Config) -> Vec<String> {
    let core = Tenant::start(config).unwrap();
    core.ready().await.unwrap();
    assert_eq!(core.losses.count(), 0, "{:?}", core.losses.list());
    let content = content(&core).await;
    assert!(core.stop(STOP_LIMIT).await);
    content
}

#[tokio::test]
async fn a_backup_made_while_messages_come_has_each_that_was_committed_before() {
    let bench = filled(5).await;
    let before = content(&bench.core).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let to = elsewhere.path().join("monday");
    let sender = {
        let core = Arc::clone(&bench.core);
        tokio::spawn(async move {
            for serial in 1000.. {
                if core
                    .ingest
                    .accept(arrival(INPUT, bytes(&reading("busy", Some(serial), 1.0))))
                    .await
                    .is_err()
                {
                    return;
                }
            }
        })
    };
    let (core, target) = (Arc::clone(&bench.core), to.clone());
    let manifest = tokio::task::spawn_blocking(move || backup::back_up(&core, &target));
    let manifest = manifest.await.unwrap().unwrap();
    sender.abort();
    let error = backup::back_up(&bench.core, &to).unwrap_err();
    assert!(matches!(error, PlatformError::Unusable { .. }), "{error}");
    bench.stop().await;
    assert_eq!(backup::check(&to).unwrap(), manifest);

    let new = tempfile::tempdir().unwrap();
    let config = config(&new.path().join("data"), ClockSource::Driven);
    assert_eq!(restore(config.clone(), &to, false).unwrap(), manifest);
    let found = verified(&config, Extent::Everything).await;
    assert_eq!((kinds(&found), &found.rows), (vec![], &manifest.rows));
    assert_eq!((found.audit.rows, found.audit.head_rows), (7, 7));
    let after = started(&config).await;
    assert!(after.len() >= before.len());
    let missing: Vec<_> = before.iter().filter(|one| !after.contains(one)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    // What is there is not replaced, unless it is put aside.
    let error = restore(config.clone(), &to, false).unwrap_err();
    assert!(error.to_string().contains("--replace"), "{error}");
    restore(config.clone(), &to, true).unwrap();
    assert_eq!(started(&config).await, after);
    assert!(config.data.join("removed/default-1/default/store.db").is_file());
}

#[tokio::test]
async fn a_flipped_byte_anywhere_in_a_backup_is_refused() {
    let (_folder, config) = left(filled(3).await).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let to = elsewhere.path().join("one");
    let folder = DataFolder::open(config).unwrap();
    folder.back_up(&TenantName::default(), &to).await.unwrap();
    let new = super::config(&elsewhere.path().join("data"), ClockSource::Driven);
    for name in ["store.db", "head", "losses", "backup.json"] {
        let path = to.join(name);
        // There have been no losses.
        let Ok(content) = fs::read(&path) else { continue };
        let step = content.len() / 97 + 1;
        for at in (0..content.len()).step_by(step).chain([content.len() - 1]) {
            let mut other = content.clone();
            other[at] ^= 1 << (at % 8);
            fs::write(&path, &other).unwrap();
            let error = restore(new.clone(), &to, false).unwrap_err();
            assert!(matches!(error, PlatformError::DamagedBackup { .. }), "{name} {at}: {error}");
        }
        fs::write(&path, &content[..content.len() - 1]).unwrap();
        restore(new.clone(), &to, false).unwrap_err();
        fs::write(&path, &content).unwrap();
    }
    assert!(!new.data.exists(), "nothing was changed");
    restore(new.clone(), &to, false).unwrap();
    let nothing = restore(new, elsewhere.path(), false).unwrap_err();
    assert!(matches!(nothing, PlatformError::Unusable { .. }), "{nothing}");
}

#[tokio::test]
async fn an_export_that_is_imported_elsewhere_gives_equal_content_and_twice_nothing_new() {
    let bench = filled(3).await;
    let (app, at) = (HardwareId::new("outages").unwrap(), SimTime(1_800_000_000_000_000_000));
    for serial in 1..=3 {
        let concluded = json!({ "serial": serial });
        let sent = numbered::result(&app, (2, serial), (at, "outage"), &concluded);
        numbered::take(&bench.core, (&app, "result"), sent).await.unwrap();
        let sent = numbered::block(&app, (2, serial), (at, 1600.0));
        numbered::take(&bench.core, (&app, "block"), sent).await.unwrap();
    }
    bench.core.barrier().await.unwrap();
    let expected = content(&bench.core).await;
    let (_folder, from) = left(bench).await;
    let tenant = TenantName::default();
    for is_csv in [false, true] {
        let elsewhere = tempfile::tempdir().unwrap();
        let to = elsewhere.path().join("exported");
        let out =
            DataFolder::open(from.clone()).unwrap().export(&tenant, &to, is_csv).await.unwrap();
        let name = if is_csv { "readings.csv" } else { "readings.jsonl" };
        assert_eq!((out.rows[name], out.rows["alerts.jsonl"]), (42, 1), "{out:?}");
        assert_eq!((out.rows["documents.jsonl"], out.rows["devices.jsonl"]), (2, 4));
        assert_eq!((out.rows["results.jsonl"], out.rows["blocks.jsonl"]), (3, 3));
        let data = elsewhere.path().join("data");
        fs::create_dir(&data).unwrap();
        let config = config(&data, ClockSource::Driven);
        let done = DataFolder::open(config.clone()).unwrap().import(&tenant, &to).await.unwrap();
        assert_eq!((&done.rows, done.refused, done.repeated), (&out.rows, 0, 0), "{done:?}");
        assert_eq!(started(&config).await, expected, "csv: {is_csv}");
        let again = DataFolder::open(config.clone()).unwrap().import(&tenant, &to).await.unwrap();
        assert_eq!((again.rows.values().sum::<u64>(), again.refused), (0, 0), "{again:?}");
        assert_eq!(again.repeated, 42 + 1 + 2 + 4 + 3 + 3);
        assert_eq!(started(&config).await, expected);
        // Other content under a number that is there stays out, and is counted.
        let results = fs::read_to_string(to.join("results.jsonl")).unwrap();
        assert!(results.contains("{\"serial\":2}"), "{results}");
        let results = results.replace("{\"serial\":2}", "{\"serial\":7}");
        fs::write(to.join("results.jsonl"), results).unwrap();
        let other = DataFolder::open(config.clone()).unwrap().import(&tenant, &to).await.unwrap();
        assert_eq!((other.rows["results.jsonl"], other.refused), (0, 1), "{other:?}");
        assert_eq!(started(&config).await, expected);
        let full = DataFolder::open(from.clone()).unwrap().export(&tenant, &to, is_csv).await;
        assert!(matches!(full, Err(PlatformError::Unusable { .. })), "it is not empty");
    }
}

#[tokio::test]
async fn what_is_wrong_in_an_import_is_refused_line_by_line_and_what_is_there_stays() {
    let (folder, config) = left(filled(0).await).await;
    let from = tempfile::tempdir().unwrap();
    let write = |name: &str, lines: &[&str]| {
        fs::write(from.path().join(name), lines.join("\n")).unwrap();
    };
    write(
        "documents.jsonl",
        &[
            r#"{"kind":"site","token":"north","version":1,"created":"2027-01-18T17:00:00Z","changed":"2027-01-18T17:00:00Z","by":"x","body":{"name":"Other"}}"#,
            r#"{"kind":"nothing","token":"a","version":1,"created":"2027-01-18T17:00:00Z","changed":"2027-01-18T17:00:00Z","by":"x","body":{}}"#,
            r#"{"kind":"site","token":"south","version":9,"created":"2027-01-18T17:00:00Z","changed":"2027-01-18T17:00:00Z","by":"x","body":{"name":"South"}}"#,
            r#"{"kind":"site","token":"west","version":1,"created":"2027-01-18T17:00:00Z","changed":"2027-01-18T17:00:00Z","by":"x","body":{"name":7}}"#,
            "no document",
        ],
    );
    write("readings.jsonl", &["{", ""]);
    let tenant = TenantName::default();
    let done =
        DataFolder::open(config.clone()).unwrap().import(&tenant, from.path()).await.unwrap();
    assert_eq!((done.rows["documents.jsonl"], done.refused), (1, 5), "{done:?}");
    let places: Vec<_> = done.refusals.iter().map(|one| one.place.as_str()).collect();
    let expected = ["1", "2", "4", "5"].map(|line| format!("documents.jsonl, line {line}"));
    assert_eq!(places[..4], expected);
    assert_eq!(places[4], "readings.jsonl, line 1");
    let bench = Bench::ready(Tenant::start(&config).unwrap(), config, folder).await;
    let site = lastmeter_model::document::kind_of_name("site").unwrap();
    let north = bench.core.documents.find(site, "north").unwrap();
    assert!(north.body.contains("North") && bench.core.documents.find(site, "south").is_some());
    bench.stop().await;
    let empty = tempfile::tempdir().unwrap();
    let folder = DataFolder::open(super::config(empty.path(), ClockSource::Driven)).unwrap();
    let error = folder.import(&tenant, empty.path()).await.unwrap_err();
    assert!(matches!(error, PlatformError::Unusable { .. }), "{error}");
}
