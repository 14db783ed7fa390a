//! A table of a scenario from one description of its fields: read with units and defaults, with
//! each mistake at its place, and as JSON Schema.
//!
//! `cargo run -p lastmeter-params --example fields`

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use lastmeter_params::{Dimension, Field, Kind, read_text, schema};

static FIELDS: &[Field] = &[
    Field::required("name", Kind::Name, "What others call it."),
    Field::default(
        "voltage",
        Kind::Quantity { dimension: Dimension::Voltage, min: 0.0, max: 1e6 },
        "\"230 V\"",
        "RMS value.",
    ),
    Field::default("mode", Kind::Choice(&["samples", "windows"]), "\"samples\"", "How it sends."),
];

fn main() {
    for text in ["name = \"meter\"\nvoltage = \"0.4 kV\"", "name = \"meter\"\nvoltge = 230"] {
        println!("{text}\n");
        match read_text(text, &[FIELDS]) {
            Ok(values) => println!("voltage: {} V\n", values.si("voltage")),
            Err(mistakes) => {
                for mistake in mistakes {
                    let (code, place) = (mistake.code.code(), mistake.span.start);
                    println!("{code} at byte {place}: {}", mistake.message);
                    mistake.help.iter().for_each(|help| println!("  help: {help}"));
                }
                println!();
            }
        }
    }
    println!("{:#}", schema::object(&[FIELDS])["properties"]["voltage"]);
}
