//! Writes a run folder of three readings into a folder that is given, or a temporary one, and reads
//! its rows back: `cargo run -p lastmeter-record --example write_and_read`.

use std::path::PathBuf;

use lastmeter_record::{Observation, RunEnd, RunFacts, RunReader, RunStart, RunState, RunWriter};
use lastmeter_units::{Epoch, MeasurementId, Serial, SimDuration, SimTime};

#[expect(clippy::print_stdout, reason = "it shows its rows to whoever runs it")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let temporary = tempfile::tempdir()?;
    let folder = std::env::args().nth(1).map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| temporary.path().join("run"));
    let start: SimTime = "2027-01-18T17:00:00Z".parse()?;
    let end = start + SimDuration::from_seconds(30);
    let facts = RunFacts {
        scenario: "example".to_owned(),
        start,
        end,
        started: start,
        ..RunFacts::default()
    };
    let mut writer = RunWriter::create(&folder, &RunStart { scenario_toml: String::new(), facts })?;
    let quantity = MeasurementId::lookup("electricity.voltage.rms.l1").ok_or("no such quantity")?;
    for (serial, reported) in [(1, Some(230.1)), (2, None), (3, Some(229.8))] {
        writer.observation(&Observation {
            device: "meter",
            epoch: Some(Epoch(1)),
            serial: Some(Serial(serial)),
            quantity,
            event_time: start + SimDuration::from_seconds(10 * serial as i64),
            reference: Some(230.0),
            reported,
            span: None,
        });
    }
    writer.finish(RunEnd {
        state: RunState::Finished,
        cause: None,
        recorded_until: end,
        ended: end,
        guarantees: Vec::new(),
        more: serde_json::Map::new(),
    })?;

    let reader = RunReader::open(&folder)?;
    let mut rows = reader.observations()?;
    while let Some(row) = rows.next_row()? {
        let reported = row.reported.map_or("missing".to_owned(), |volts| format!("{volts} V"));
        println!("{} of {} at {}: {reported}", row.quantity.name(), row.device, row.event_time);
    }
    Ok(())
}
