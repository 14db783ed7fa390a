//! A water meter on an M-Bus line: a master asks it, and its telegram is decoded.
//!
//! `cargo run -p lastmeter-devices --example m_bus`

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;

use lastmeter_devices::{DEVICES, DeviceContext, Input, Output};
use lastmeter_mbus::application::Application;
use lastmeter_mbus::frame::Frame;
use lastmeter_mbus::record::Item;
use lastmeter_params::{Diagnostics, read_text};
use lastmeter_sim::{PipeState, Streams, WaterState};
use lastmeter_units::{HardwareId, SimDuration, SimTime};

/// `SND_NKE` and `REQ_UD2` to the primary address 5.
const REQUESTS: [&[u8]; 2] = [&[0x10, 0x40, 0x05, 0x45, 0x16], &[0x10, 0x7B, 0x05, 0x80, 0x16]];

fn main() -> Result<(), Box<dyn Error>> {
    let name = "m-bus-water-meter";
    let kind = DEVICES.iter().find(|kind| kind.entry.name == name).ok_or("no such model")?;
    let toml = "primary_address = 5";
    let values = read_text(toml, &[kind.entry.fields]).map_err(|wrong| format!("{wrong:?}"))?;
    let (start, streams) = (SimTime(1_800_291_600_000_000_000), Streams::new(42));
    let context = DeviceContext {
        name: "meter-5",
        hardware_id: HardwareId::new("meter-5")?,
        start,
        streams: &streams,
        node: None,
        phases: 0,
        has_spectrum: false,
    };
    let mut diagnostics = Diagnostics::new();
    let device = (kind.build)(&values, &context, &mut diagnostics);
    let mut meter = device.ok_or_else(|| format!("{:?}", diagnostics.into_sorted()))?;
    println!("address on the line: {}", meter.network_address().unwrap_or_default());

    // An hour of 0.6 m3/h.
    let until = SimDuration::from_seconds(3600);
    let state = PipeState::Water(WaterState { volume_flow_m3_per_s: 0.6 / 3600.0 });
    let mut out = Vec::new();
    meter.step(start + until, Input::Pipe { until, state }, &mut out);
    for (number, request) in (1..).zip(REQUESTS) {
        let now = start + until + SimDuration::from_seconds(number);
        meter.step(now, Input::Heard { bytes: request.to_vec() }, &mut out);
    }
    for output in out {
        let Output::Transmit { bytes, .. } = output else { continue };
        let frame = Frame::decode(&bytes)?;
        let Frame::Long { .. } = frame else { continue };
        let Application::Variable { records, .. } = Application::decode(&frame)? else { continue };
        for item in records {
            if let Item::Record(record) = item? {
                println!("{:?} {:?}: {:?}", record.quantity(), record.unit(), record.number());
            }
        }
    }
    Ok(())
}
