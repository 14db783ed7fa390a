//! Frames to values and values to frames by a database, line by line, as other programs read them.
//!
//! `candump -L can0 | cargo run -p lastmeter-can --example dbc -- base/can/metering-network.dbc`
//! prints an object for each frame. With `encode` behind the file, lines are objects with `message`
//! and `values`, and frames are printed.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it found")]

use std::error::Error;
use std::io::BufRead as _;
use std::process::ExitCode;

use lastmeter_can::dbc::{Database, Rounding};
use lastmeter_can::frame::CanFrame;
use serde_json::{Map, Value, json};

fn decoded(database: &Database, line: &str) -> Result<Value, Box<dyn Error>> {
    let frame: CanFrame = line.split_whitespace().last().unwrap_or_default().parse()?;
    let values = database.decode(&frame)?;
    let (mut numbers, mut units, mut labels) = (Map::new(), Map::new(), Map::new());
    for value in values {
        numbers.insert(value.name.to_owned(), value.value.into());
        units.insert(value.name.to_owned(), value.unit.into());
        if let Some(label) = value.label {
            labels.insert(value.name.to_owned(), label.into());
        }
    }
    let message = database.message(frame.id()).map(|message| &message.name);
    Ok(json!({ "message": message, "values": numbers, "units": units, "labels": labels }))
}

fn encoded(database: &Database, line: &str) -> Result<Value, Box<dyn Error>> {
    let order: Value = serde_json::from_str(line)?;
    let name = order["message"].as_str().ok_or("no text 'message'")?;
    let values = order["values"].as_object().ok_or("no object 'values'")?;
    let number = |(name, value): (&String, &Value)| Some((name.clone(), value.as_f64()?));
    let values: Vec<(String, f64)> = values.iter().filter_map(number).collect();
    let values: Vec<(&str, f64)> = values.iter().map(|(name, x)| (name.as_str(), *x)).collect();
    let frame = database.encode(name, &values, Rounding::Error)?;
    Ok(json!({ "frame": frame.to_string() }))
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("give the path of a DBC file")?;
    let convert = if arguments.next().as_deref() == Some("encode") { encoded } else { decoded };
    let database = Database::from_bytes(&std::fs::read(path)?)?;
    for line in std::io::stdin().lock().lines() {
        let found = convert(&database, &line?);
        println!("{}", found.unwrap_or_else(|error| json!({ "error": error.to_string() })));
    }
    Ok(())
}

fn main() -> ExitCode {
    let Err(error) = run() else { return ExitCode::SUCCESS };
    eprintln!("{error}");
    ExitCode::FAILURE
}
