//! A data folder of the version whose store had no seals (format 1), written by that version: it is
//! read, brought up to date, and used.
//!
//! `format_1/` holds what it left when it was killed: the blocks of 512 bytes of `store.db` that
//! are not empty, each behind its number, and the journal's segment with three readings that the
//! store does not have.

use std::fs;

use super::*;
use crate::commands::InvocationState;

const BLOCK: usize = 512;
const STORE: &[u8] = include_bytes!("format_1/store.blocks");
const SEGMENT: &[u8] = include_bytes!("format_1/journal.segment");

fn number(bytes: &[u8]) -> usize {
    u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize
}

fn store_file() -> Vec<u8> {
    let (length, blocks) = STORE.split_at(4);
    let mut file = vec![0; number(length)];
    for block in blocks.chunks_exact(4 + BLOCK) {
        let at = number(block) * BLOCK;
        file[at..at + BLOCK].copy_from_slice(&block[4..]);
    }
    file
}

fn old_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("default/journal");
    fs::create_dir_all(&journal).unwrap();
    fs::write(folder.path().join("default/store.db"), store_file()).unwrap();
    fs::write(journal.join("00000000000000000018.segment"), SEGMENT).unwrap();
    folder
}

async fn start() -> Bench {
    let folder = old_folder();
    let config = config(folder.path(), ClockSource::Driven);
    let core = Core::start(&config).unwrap();
    Bench::ready(core, config, folder).await
}

/// Serials 1 to 12 and, from the journal, 20 to 22: 230 V and a tenth per serial; every third of
/// the first is of home-2. One reading without a serial is between the two.
async fn check(core: &Core) {
    let rows = readings(core).await;
    let expected = (1..=12).map(Some).chain([None]).chain((20..=22).map(Some));
    for (row, serial) in rows.iter().zip(expected) {
        let device =
            if serial.is_some_and(|s| s % 3 == 0 && s <= 12) { "home-2" } else { "home-1" };
        assert_eq!((row.device.as_str(), row.number), (device, serial.map(|s| (1, s))));
        let volts = serial.map_or(99.5, |serial| 230.0 + serial as f64 / 10.0);
        let mut values = row.values.clone();
        values.sort_by(|a, b| a.0.cmp(&b.0));
        let frequency = "electricity.frequency".into();
        assert_eq!(values, [(frequency, 50.01), (VOLTAGE.into(), volts)]);
        let minute = serial.unwrap_or(30);
        assert_eq!(row.event, time(&format!("2027-01-18T17:{minute:02}:00Z")));
        let note = serial.map(|serial| ("note".to_owned(), format!("n{serial}")));
        assert_eq!(row.metadata(), note.into_iter().collect());
    }
    assert_eq!(rows.len(), 16);
    let reasons: Vec<String> = refusals(core).await.into_iter().map(|row| row.reason).collect();
    assert_eq!(reasons, ["conflicting_content", "not_json"]);
}

#[tokio::test]
async fn a_folder_of_the_version_before_is_read_and_used() {
    let bench = start().await;
    check(&bench.core).await;
    assert_eq!(bench.core.clock.now(), time("2027-01-18T18:00:00Z"));
    assert_eq!(bench.core.losses.count(), 0, "{:?}", bench.core.losses.list());
    let home_2 = bench.core.book.find("home-2").unwrap();
    assert_eq!((home_2.commands, home_2.last_command), (2, 2));
    let (state, commands) = bench
        .core
        .readers
        .with(move |reader| {
            let page = crate::store::Page { offset: 0, limit: 10 };
            Ok((reader.state(home_2.id)?, reader.invocations_of(home_2.id, page)?))
        })
        .await
        .unwrap();
    assert_eq!((state.alerts.len(), state.alerts[0].kind.as_str()), (1, "maximum.power"));
    let seconds: Vec<&str> =
        commands.1.iter().map(|row| row.row.asked.parameters["seconds"].as_str()).collect();
    assert_eq!((commands.0, seconds), (2, vec!["7", "5"]));
    assert!(commands.1.iter().all(|row| row.row.state == InvocationState::Pending));

    // It goes on: repetitions are recognised, conflicts kept, commands sent, new ones stored.
    let mut repeated = reading("home-1", Some(1), 230.1);
    repeated.event_date = Some(time("2027-01-18T17:01:00Z"));
    repeated.values.push((MeasurementId::lookup("electricity.frequency").unwrap(), 50.01));
    repeated.metadata.insert("note".to_owned(), "n1".to_owned());
    store(&bench.core, std::slice::from_ref(&repeated)).await;
    bench.devices.subscribe(&bench.core, "home-2");
    bench.core.advance(time("2027-01-18T18:30:00Z")).await.unwrap();
    assert_eq!(bench.devices.received("home-2").len(), 2);
    check(&bench.core).await;
    let bench = bench.restart().await;
    check(&bench.core).await;
    store(&bench.core, &[reading("home-3", Some(1), 1.0)]).await;
    assert_eq!(bench.core.book.page(0, 9).0, 3);
    assert_eq!(bench.core.losses.count(), 0);
    bench.stop().await;
}

#[tokio::test]
async fn a_damaged_store_of_the_version_before_gets_no_seals() {
    let folder = old_folder();
    let path = folder.path().join("default/store.db");
    let mut bytes = fs::read(&path).unwrap();
    // All pages but the first: whatever they are for, the trees they belong to break.
    bytes.chunks_mut(4096).skip(1).for_each(|page| page[..512].fill(0x5a));
    fs::write(&path, &bytes).unwrap();
    let error = Core::start(&config(folder.path(), ClockSource::Driven)).err().unwrap();
    assert!(error.to_string().contains("is damaged"), "{error}");
}
