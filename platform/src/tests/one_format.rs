//! A data folder of the version whose journal entries named no format, written by that version
//! (`one_format/README.md`): all of it is read, and used.

use std::fs;

use lastmeter_model::invocation::{InvocationId, InvocationState};

use super::*;

const BLOCK: usize = 512;
const FOLDER: &[u8] = include_bytes!("one_format/folder.blocks");

fn unpack(folder: &Path) {
    let mut rest = FOLDER;
    let mut take = |bytes: usize| {
        let (taken, behind) = rest.split_at(bytes.min(rest.len()));
        rest = behind;
        taken
    };
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap()) as usize;
    loop {
        let Ok(length) = <[u8; 2]>::try_from(take(2)) else { return };
        let name = take(u16::from_le_bytes(length).into());
        let path = folder.join(std::str::from_utf8(name).unwrap());
        let mut file = vec![0; number(take(4))];
        for _ in 0..number(take(4)) {
            let at = number(take(4)) * BLOCK;
            let end = file.len().min(at + BLOCK);
            file[at..end].copy_from_slice(&take(BLOCK)[..end - at]);
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file).unwrap();
    }
}

async fn start() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    unpack(folder.path());
    let config = config(folder.path(), ClockSource::Driven);
    let core = Tenant::start(&config).unwrap();
    Bench::ready(core, config, folder).await
}

async fn check(core: &Tenant) {
    let rows = readings(core).await;
    let expected = (1..=12).map(Some).chain([None]).chain((20..=25).map(Some));
    for (row, serial) in rows.iter().zip(expected.clone()) {
        let device = if serial.is_some_and(|serial| serial % 3 == 0) { "home-2" } else { "home-1" };
        assert_eq!((row.device.as_str(), row.number), (device, serial.map(|s| (1, s))));
        let volts = serial.map_or(99.5, |serial| 230.0 + serial as f64 / 10.0);
        assert!(row.values.contains(&(VOLTAGE.into(), volts)), "{row:?}");
        let event = serial.map_or(time("2027-01-18T17:30:00Z"), |minute| {
            time(&format!("2027-01-18T17:{minute:02}:00Z"))
        });
        assert_eq!(row.event, event);
        let note = serial.map(|serial| ("note".to_owned(), format!("n{serial}")));
        assert_eq!(row.metadata(), note.into_iter().collect());
    }
    assert_eq!(rows.len(), expected.count());
    let reasons: Vec<String> = refusals(core).await.into_iter().map(|row| row.reason).collect();
    assert_eq!(reasons, ["not_json", "conflicting_content", "not_an_object"]);
    let answered = core.readers.store().invocation(InvocationId(1)).await.unwrap();
    let answered = answered.unwrap();
    assert_eq!(answered.row.state, InvocationState::Acknowledged);
    assert_eq!(answered.row.response.as_deref(), Some("done"));
}

#[tokio::test]
async fn a_folder_of_before_formats_had_names_is_read_and_used() {
    let bench = start().await;
    let replayed = bench.core.metrics.journal_replayed.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(replayed, 9, "the journal alone has the last ones");
    check(&bench.core).await;
    assert_eq!(bench.core.clock.now(), time("2027-01-18T18:00:00Z"));
    assert_eq!(bench.core.losses.count(), 0, "{:?}", bench.core.losses.list());

    // It goes on, in both formats, and the new entries are read back beside the old ones.
    let mut repeated = reading("home-1", Some(25), 232.5);
    repeated.event_date = Some(time("2027-01-18T17:25:00Z"));
    repeated.values.push((MeasurementId::lookup("electricity.frequency").unwrap(), 50.01));
    repeated.metadata.insert("note".to_owned(), "n25".to_owned());
    store(&bench.core, std::slice::from_ref(&repeated)).await;
    let batch = br#"{"hardwareId":"home-3","measurements":[
        {"measurements":{"electricity.voltage.rms.l1":1},"metadata":{"serial":"1"}}]}"#;
    let topic = "default/SiteWhere/input/jsonbatch";
    let accepted = take(&bench.core, arrival(topic, batch.to_vec())).await.unwrap();
    assert_eq!(accepted, Accepted::Stored);
    let bench = bench.restart().await;
    let rows = readings(&bench.core).await;
    assert_eq!((rows.len(), rows[19].device.as_str()), (20, "home-3"));
    assert_eq!(bench.core.losses.count(), 0);
    bench.stop().await;
}
