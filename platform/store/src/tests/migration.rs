//! A store of an earlier version opens with everything that it has.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use lastmeter_model::invocation::InvocationId;
use lastmeter_units::TenantName;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::damage::Damage;
use crate::seam::{Observer, Stretch};
use crate::stores::{OpenStore, STORES, StorePlace};
use crate::{StoreError, lock};

#[derive(Default)]
struct Noted(Mutex<Vec<String>>);

impl Observer for Noted {
    fn damaged(&self, damage: &Damage) {
        lock(&self.0).push(damage.to_string());
    }
    fn too_slow(&self) {}
    fn content_not_kept(&self) {}
    fn inspected(&self) {}
}

/// A folder with the store of format 2, after some changes of it.
fn format_2(changes: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(include_str!("format_2.sql")).unwrap();
    connection.execute_batch(changes).unwrap();
    (folder, path)
}

fn open(folder: &Path, noted: &Arc<Noted>) -> Result<OpenStore, StoreError> {
    let observer = Arc::clone(noted) as Arc<dyn Observer>;
    (STORES[0].open)(&StorePlace::new(TenantName::default(), folder.to_owned(), observer))
}

fn format(path: &Path) -> i64 {
    let connection = Connection::open(path).unwrap();
    connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

fn all(last: u64) -> Stretch {
    Stretch { after: 0, limit: 100, last }
}

#[tokio::test]
async fn what_format_2_has_is_there_in_format_3_and_in_the_backup() {
    let (folder, path) = format_2("");
    let noted = Arc::new(Noted::default());
    for _ in 0..2 {
        let opened = open(folder.path(), &noted).unwrap();
        let (standing, reader) = (opened.content.standing, &opened.content.reader);
        let counts = [standing.readings, standing.alerts, standing.refusals, standing.invocations];
        assert_eq!(counts, [4, 2, 1, 1]);
        let readings = reader.readings(all(4)).await.unwrap().rows;
        let values: Vec<f64> = readings.iter().map(|row| row.values[0].1).collect();
        assert_eq!(values, [231.5, 232.5, 233.5, 234.5]);
        let alerts = reader.alerts(all(2)).await.unwrap().rows;
        assert_eq!((&*alerts[0].message, &*alerts[1].message), ("cover opened", "battery"));
        assert_eq!(alerts[0].metadata["serial"], "9");
        let refusals = reader.refusals(all(1)).await.unwrap().rows;
        assert_eq!(refusals[0].reason, "missing_field");
        let invocation = reader.invocation(InvocationId(1)).await.unwrap().unwrap();
        assert_eq!(invocation.row.asked.command, "setReportingPeriod");
    }
    let backup = folder.path().join("backups/store-format-2.db");
    assert_eq!((format(&path), format(&backup)), (3, 2));
    assert_eq!(*lock(&noted.0), Vec::<String>::new());
}

/// Stopped before its transaction ends, at any statement, the file is the one that it was.
#[test]
fn a_migration_that_does_not_end_has_changed_nothing() {
    for table in ["document", "cursor", "audit"] {
        // Something in the way of one of its statements.
        let (folder, path) = format_2(&format!("CREATE TABLE {table} (x)"));
        assert!(open(folder.path(), &Arc::default()).is_err());
        assert_eq!(format(&path), 2);
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(&format!("DROP TABLE {table}")).unwrap();
        drop(connection);
        assert!(open(folder.path(), &Arc::default()).is_ok());
        assert_eq!(format(&path), 3);
    }
}

#[tokio::test]
async fn a_row_that_was_damaged_stays_so() {
    let (folder, _) = format_2("UPDATE alert SET message = 'nothing' WHERE sequence = 1");
    let opened = open(folder.path(), &Arc::default()).unwrap();
    let error = opened.content.reader.alerts(all(2)).await.unwrap_err();
    assert!(matches!(error, StoreError::DamagedPart(_)), "{error}");
    let second = Stretch { after: 1, limit: 1, last: 2 };
    assert_eq!(opened.content.reader.alerts(second).await.unwrap().rows[0].message, "battery");
}

#[test]
fn a_newer_format_is_refused_and_not_touched() {
    let (folder, path) = format_2("PRAGMA user_version = 4");
    let before = std::fs::read(&path).unwrap();
    let Err(error) = open(folder.path(), &Arc::default()) else { panic!("it was opened") };
    assert!(error.to_string().contains("has format 4, this version reads 3"), "{error}");
    assert!(!folder.path().join("backups").exists());
    assert_eq!(std::fs::read(&path).unwrap(), before);
}
