//! A meter's reading on its way: encoded, shown, decoded again; and one that is refused.
//!
//! `cargo run -p lastmeter-wire --example reading`

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;

use lastmeter_units::{Epoch, HardwareId, MeasurementId, Serial, SimTime};
use lastmeter_wire::flexmeter::{DecodeRules, MeasurementMessage, Request, decode, encode};
use lastmeter_wire::topics;

fn main() -> Result<(), Box<dyn Error>> {
    let meter = HardwareId::new("meter-7")?;
    let power =
        MeasurementId::lookup("electricity.power.active.consumed.l1").ok_or("no such row")?;
    let reading = MeasurementMessage {
        event_date: Some(SimTime(1_582_568_121_499_000_000)),
        epoch: Some(Epoch(1)),
        serial: Some(Serial(42)),
        ..MeasurementMessage::new(meter.clone(), vec![(power, 1.25)])
    };
    let sent = Request::Measurements(reading);
    let mut payload = Vec::new();
    encode(&sent, &mut payload);
    println!("{}\n{}", topics::device_input("default", &meter), String::from_utf8_lossy(&payload));

    let received = decode(&payload, &DecodeRules::default())?;
    println!("read again the same: {}", received == sent);

    // A value that is no number is not guessed at.
    let bent = String::from_utf8(payload)?.replace("1.25", "\"1.25\"");
    match decode(bent.as_bytes(), &DecodeRules::default()) {
        Ok(_) => println!("taken"),
        Err(refusal) => println!("refused: {refusal}"),
    }
    Ok(())
}
