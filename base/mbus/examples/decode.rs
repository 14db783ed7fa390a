//! Prints what an M-Bus frame states: `cargo run -p lastmeter-mbus --example decode -- HEX`.
//!
//! The digits may have blanks between bytes; several arguments are one frame.

use std::fmt::Write as _;
use std::process::ExitCode;

use lastmeter_mbus::application::Application;
use lastmeter_mbus::frame::Frame;
use lastmeter_mbus::header::Header;
use lastmeter_mbus::record::{Fixed, Item, Record, Text, Vif};

/// Bytes of hex digits; anything else between them is skipped.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).map(|digit| digit as u8).ok_or(format!("`{c}` is not a hex digit")))
        .collect::<Result<_, _>>()?;
    if digits.len() % 2 == 1 {
        return Err(format!("{} hex digits, expected two for each byte", digits.len()));
    }
    Ok(digits.chunks_exact(2).map(|two| two[0] << 4 | two[1]).collect())
}

fn head(header: &Header) -> String {
    let identity = header.identity().map_or(String::new(), |identity| {
        let medium = identity.medium.name();
        let (id, maker) = (identity.identification, identity.manufacturer);
        format!("meter {id} of {maker}, version {}, {medium}\n", identity.version)
    });
    let state = header.state().map_or(String::new(), |(access, status, signature)| {
        format!("access number {access}, status {:02X}, signature {signature:04X}\n", status.0)
    });
    identity + &state
}

/// A record as a row: function, storage, tariff, subunit, quantity, value, unit, extensions.
fn row(record: &Record<'_>) -> String {
    let value = record.decimal().map_or_else(
        || record.number().map_or_else(|| record.value.to_string(), |number| number.to_string()),
        |decimal| decimal.to_string(),
    );
    let unit = match record.vif {
        Vif::PlainText(text) => Text(text).to_string(),
        _ => record.unit().symbol().to_owned(),
    };
    let (function, quantity) = (record.function.word(), record.quantity().name());
    let (storage, tariff, subunit) = (record.storage, record.tariff, record.subunit);
    let row = format!(
        "{function:<18} {storage:>7} {tariff:>6} {subunit:>7}  {quantity:<24} {value:>20} {unit}"
    );
    record.vifes.modifiers().fold(row, |row, modifier| format!("{row}; {modifier:?}"))
}

fn fixed(fixed: &Fixed) -> String {
    let mut text = format!(
        "meter {}, {}\naccess number {}, status {:02X}\n",
        fixed.identification,
        fixed.medium_name(),
        fixed.access_number,
        fixed.status.0
    );
    for counter in 0..2 {
        let meaning = fixed.meaning(counter);
        let value = fixed
            .decimal(counter)
            .map_or_else(|| fixed.counters[counter].to_string(), |decimal| decimal.to_string());
        let (quantity, unit) = (meaning.quantity.name(), meaning.unit.symbol());
        let _ = writeln!(text, "{quantity:<24} {value:>20} {unit}");
    }
    text
}

fn table(frame: &[u8]) -> Result<String, String> {
    let frame = Frame::decode(frame).map_err(|error| error.to_string())?;
    if frame.user_data().is_none() {
        return Ok(format!("{frame:?}\n"));
    }
    let application = Application::decode(&frame).map_err(|error| error.to_string())?;
    let mut text = match &application {
        Application::Variable { header, .. } => head(header),
        Application::Fixed { fixed: counters, .. } => return Ok(fixed(counters)),
        Application::Data { .. } => "data to a slave\n".to_owned(),
        Application::Select { mask, .. } => format!("selection of {mask}\n"),
        other => return Ok(format!("{other:?}\n")),
    };
    let columns = ("function", "storage", "tariff", "subunit", "quantity", "value");
    let (a, b, c, d, e, f) = columns;
    let _ = writeln!(text, "{a:<18} {b:>7} {c:>6} {d:>7}  {e:<24} {f:>20} unit");
    for item in application.records().into_iter().flat_map(Clone::clone) {
        let _ = match item.map_err(|error| format!("{text}{error}"))? {
            Item::Record(record) => writeln!(text, "{}", row(&record)),
            Item::GlobalReadout => writeln!(text, "all data is asked for"),
            Item::Manufacturer { more_records_follow, data } => {
                let more = if more_records_follow { ", more records follow" } else { "" };
                writeln!(text, "{} bytes of the manufacturer: {data:02X?}{more}", data.len())
            }
        };
    }
    Ok(text)
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program of its own")]
fn main() -> ExitCode {
    let arguments: String = std::env::args().skip(1).collect();
    match bytes(&arguments).and_then(|bytes| table(&bytes)) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
