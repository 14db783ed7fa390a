//! The run folder: what is written, in which order, and how it reads back whole or torn.

#![expect(clippy::unwrap_used, reason = "a test shows by its panic what went wrong")]

use std::fs;
use std::io::Write;
use std::path::Path;

use lastmeter_record::{
    Event, OBSERVATION_HEADER, Observation, RecordError, RunReader, RunState, RunWriter, Status,
    file,
};
use lastmeter_reports::evaluate;
use lastmeter_units::{Epoch, MeasurementId, Serial, SimDuration, SimTime};
use proptest::prelude::*;
use sample::Sample;

use crate::sample;

const U: &str = "electricity.voltage.rms.l1";

fn row(device: &str, serial: Option<u64>, second: i64) -> Observation<'_> {
    Observation {
        device,
        epoch: serial.map(|_| Epoch(1)),
        serial: serial.map(Serial),
        quantity: MeasurementId::lookup(U).unwrap(),
        event_time: Sample::start() + SimDuration::from_seconds(second),
        reference: Some(230.0),
        reported: Some(230.25),
        span: None,
    }
}

fn lines(dir: &Path, name: &str) -> Vec<String> {
    fs::read_to_string(dir.join(name)).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_row_is_written_as_promised() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = RunWriter::create(dir.path(), &Sample::CALM.start_facts()).unwrap();
    writer.observation(&row("meter", Some(7), 10));
    writer.observation(&Observation { reported: None, ..row("meter", Some(8), 20) });
    writer.observation(&Observation { reference: None, ..row("meter", None, 30) });
    writer.observation(&row("a, \"b\"", Some(1), 40));
    writer.sync().unwrap();
    assert_eq!(
        lines(dir.path(), file::OBSERVATIONS),
        [
            "device,epoch,serial,quantity,unit,event_time,reference,reported",
            "meter,1,7,electricity.voltage.rms.l1,V,2027-01-18T17:00:10.000Z,230,230.25",
            "meter,1,8,electricity.voltage.rms.l1,V,2027-01-18T17:00:20.000Z,230,",
            "meter,,,electricity.voltage.rms.l1,V,2027-01-18T17:00:30.000Z,,230.25",
            "\"a, \"\"b\"\"\",1,1,electricity.voltage.rms.l1,V,2027-01-18T17:00:40.000Z,230,230.25",
        ]
    );
    assert_eq!(OBSERVATION_HEADER.join(","), lines(dir.path(), file::OBSERVATIONS)[0]);
}

#[test]
fn what_is_handed_over_in_any_order_is_written_in_one() {
    let write = |order: [i64; 3]| {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = RunWriter::create(dir.path(), &Sample::CALM.start_facts()).unwrap();
        for place in order {
            let device = ["a", "b", "c"][place as usize];
            writer.observation(&row(device, Some(1), 10));
            writer.event(&Event::device(Sample::start(), device, "ready", ""));
            writer.event(&Event::note(Sample::start() + SimDuration::from_seconds(place), "x"));
        }
        writer.sync().unwrap();
        [file::OBSERVATIONS, file::EVENTS].map(|name| fs::read(dir.path().join(name)).unwrap())
    };
    let first = write([0, 1, 2]);
    assert_eq!(first, write([2, 0, 1]));
    assert_eq!(first, write([1, 2, 0]));
    let events = String::from_utf8(first[1].clone()).unwrap();
    let sources: Vec<_> =
        events.lines().map(|line| serde_json::from_str::<Event>(line).unwrap().source).collect();
    // At the start `a`, `b`, `bench`, `c` by name; then two remarks a second apart.
    assert_eq!(sources, ["a", "b", "bench", "c", "bench", "bench"]);
}

#[test]
fn a_folder_with_a_run_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    Sample::CALM.write(dir.path()).unwrap();
    let before = fs::read(dir.path().join(file::RUN)).unwrap();
    let again = RunWriter::create(dir.path(), &Sample::CALM.start_facts());
    assert!(matches!(again, Err(RecordError::Occupied(_))));
    assert_eq!(fs::read(dir.path().join(file::RUN)).unwrap(), before);
}

#[test]
fn what_was_synced_is_there_when_the_process_dies() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = RunWriter::create(dir.path(), &Sample::CALM.start_facts()).unwrap();
    writer.observation(&row("meter", Some(1), 10));
    writer.event(&Event::note(Sample::start(), "synced"));
    writer.sync().unwrap();
    writer.observation(&row("meter", Some(2), 20));
    // A killed process runs no destructors.
    std::mem::forget(writer);
    let reader = RunReader::open(dir.path()).unwrap();
    assert_eq!(reader.facts().state, RunState::Running);
    assert_eq!(reader.events().unwrap().count(), 1);
    let mut rows = reader.observations().unwrap();
    assert_eq!(rows.next_row().unwrap(), Some(row("meter", Some(1), 10)));
    assert_eq!(rows.next_row().unwrap(), None);
    assert_eq!(rows.found(0).torn, None);
}

/// Cuts both files at every byte of their beginning and end: never an error, never half a line, and
/// the tear is reported.
#[test]
fn wherever_a_file_is_torn_its_whole_lines_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let sample = Sample { readings: 3, disturbed: true, ..Sample::CALM };
    sample.write(dir.path()).unwrap();
    for name in [file::OBSERVATIONS, file::EVENTS] {
        let path = dir.path().join(name);
        let whole = fs::read(&path).unwrap();
        let near_an_end = |length: &usize| *length < 300 || whole.len() - *length < 300;
        for length in (0..=whole.len()).filter(near_an_end) {
            let kept = &whole[..length];
            fs::write(&path, kept).unwrap();
            let full_lines = kept.split(|&byte| byte == b'\n').count() - 1;
            let is_torn = length > 0 && kept[length - 1] != b'\n';
            let reader = RunReader::open(dir.path()).unwrap();
            let (count, torn) = if name == file::EVENTS {
                let mut events = reader.events().unwrap();
                (events.by_ref().map(Result::unwrap).count(), events.found().torn)
            } else {
                let mut rows = reader.observations().unwrap();
                let mut count = 0;
                while rows.next_row().unwrap().is_some() {
                    count += 1;
                }
                // The header is no row.
                (count + usize::from(full_lines > 0), rows.found(0).torn)
            };
            assert_eq!((count, torn.is_some()), (full_lines, is_torn), "{name} cut at {length}");
        }
        fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn a_line_that_is_wrong_and_not_last_is_an_error_with_its_number() {
    let dir = tempfile::tempdir().unwrap();
    Sample::CALM.write(dir.path()).unwrap();
    let path = dir.path().join(file::OBSERVATIONS);
    let mut text = fs::read_to_string(&path).unwrap();
    let place = text.match_indices('\n').nth(4).unwrap().0;
    text.insert_str(place + 1, "meter,1,what\n");
    fs::write(&path, text).unwrap();
    let evaluation = evaluate(dir.path()).unwrap();
    assert!(evaluation.verdicts.iter().all(|verdict| verdict.status == Status::Error));
    let why = evaluation.unreadable.unwrap();
    assert!(why.contains("observations.csv:6: found 3 fields, expected 8"), "{why}");
    assert_eq!(evaluation.verdicts.len(), 6);
}

#[test]
fn a_record_of_another_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    Sample::CALM.write(dir.path()).unwrap();
    let path = dir.path().join(file::RUN);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("\"format_version\": 1"));
    fs::write(&path, text.replace("\"format_version\": 1", "\"format_version\": 2")).unwrap();
    assert!(matches!(RunReader::open(dir.path()), Err(RecordError::Version { found: 2, .. })));
    fs::File::create(&path).unwrap().write_all(b"{").unwrap();
    assert!(matches!(RunReader::open(dir.path()), Err(RecordError::Malformed { .. })));
}

#[test]
fn no_wall_clock_time_is_in_the_compared_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut facts = Sample::CALM.start_facts();
    facts.facts.started = "1999-12-31T23:59:59Z".parse().unwrap();
    let writer = RunWriter::create(dir.path(), &facts).unwrap();
    drop(writer);
    for name in [file::OBSERVATIONS, file::EVENTS, file::SCENARIO] {
        assert!(!fs::read_to_string(dir.path().join(name)).unwrap().contains("1999"));
    }
    assert!(fs::read_to_string(dir.path().join(file::RUN)).unwrap().contains("1999-12-31"));
}

/// Device, epoch and serial, quantity, time, bits of reference and reported.
type AnyRow = (String, Option<(u64, u64)>, usize, i64, [Option<u64>; 2]);

fn any_row() -> impl Strategy<Value = AnyRow> {
    let device = "[ -~äß]{1,12}";
    let serial = prop::option::of((any::<u64>(), any::<u64>()));
    let quantity = 0..lastmeter_units::MEASUREMENTS.len();
    let values = [prop::option::of(any::<u64>()), prop::option::of(any::<u64>())];
    (device, serial, quantity, any::<i64>(), values)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the device is called and whatever the numbers are, bit for bit.
    #[test]
    fn any_row_reads_back_as_it_was_written(rows in prop::collection::vec(any_row(), 1..20)) {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = RunWriter::create(dir.path(), &Sample::CALM.start_facts()).unwrap();
        let rows: Vec<Observation<'_>> = rows
            .iter()
            .map(|(device, serial, quantity, time, values)| Observation {
                device,
                epoch: serial.map(|(epoch, _)| Epoch(epoch)),
                serial: serial.map(|(_, serial)| Serial(serial)),
                quantity: MeasurementId::from_index(*quantity).unwrap(),
                event_time: SimTime(*time),
                reference: values[0].map(f64::from_bits),
                reported: values[1].map(f64::from_bits), span: None,
            })
            .collect();
        for row in &rows {
            // One row per interval keeps their order.
            writer.observation(row);
            writer.sync().unwrap();
        }
        let reader = RunReader::open(dir.path()).unwrap();
        let mut read = reader.observations().unwrap();
        // NaN payloads are not kept: there is one NaN in the record.
        let bits = |value: Option<f64>| value.map(|value| if value.is_nan() { 0 } else { value.to_bits() });
        for row in &rows {
            let back = read.next_row().unwrap().unwrap();
            prop_assert_eq!(bits(back.reference), bits(row.reference));
            prop_assert_eq!(bits(back.reported), bits(row.reported));
            let without = |row: &Observation<'_>| format!("{:?}", (row.device, row.reading(), row.quantity, row.event_time));
            prop_assert_eq!(without(&back), without(row));
        }
        prop_assert!(read.next_row().unwrap().is_none());
    }
}
