//! A registered meter model at a terminal of two tones: the readings it sends in half a minute.
//!
//! `cargo run -p lastmeter-devices --example meter`

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;
use std::sync::Arc;

use lastmeter_devices::{DEVICES, DeviceContext, Feed, Input, Output};
use lastmeter_params::{Diagnostics, read_text};
use lastmeter_sim::{ChannelSpectrum, Spectrum, Streams, Tone};
use lastmeter_units::{HardwareId, SimDuration, SimTime};

fn main() -> Result<(), Box<dyn Error>> {
    let kind = DEVICES.iter().find(|kind| kind.entry.name == "ideal-1ph").ok_or("no such model")?;
    let toml = "fidelity = \"windows\"\nvoltage_gain_error = \"0.5 %\"\n\
                quantities = [\"voltage\", \"current\", \"active_power\"]";
    let values = read_text(toml, &[kind.entry.fields]).map_err(|wrong| format!("{wrong:?}"))?;
    let (start, streams) = (SimTime(1_800_291_600_000_000_000), Streams::new(42));
    let context = DeviceContext {
        name: "meter-7",
        hardware_id: HardwareId::new("meter-7")?,
        start,
        streams: &streams,
        node: None,
        phases: 1,
        has_spectrum: true,
    };
    let mut diagnostics = Diagnostics::new();
    let device = (kind.build)(&values, &context, &mut diagnostics);
    let mut meter = device.ok_or_else(|| format!("{:?}", diagnostics.into_sorted()))?;
    assert_eq!(meter.feed(), Feed::Spectrum);

    // 230 V, and 10 A that lag by 60 degrees: 1150 W; the meter's voltage is half a per cent high.
    let channel = |rms: f64, lag_deg: f64| ChannelSpectrum {
        dc: 0.0,
        tones: vec![Tone { frequency_hz: 50.0, rms, phase_rad: -lag_deg.to_radians() }],
        noise_rms: 0.0,
    };
    let (voltages, currents) = (vec![channel(230.0, 0.0)], vec![channel(10.0, 60.0)]);
    let spectrum = Arc::new(Spectrum { fundamental_hz: 50.0, voltages, currents });

    let mut out = Vec::new();
    meter.step(start, Input::Connected, &mut out);
    let until = SimDuration::from_seconds(30);
    meter.step(start + until, Input::Spectrum { until, spectrum, celsius: 23.0 }, &mut out);
    for output in out {
        match output {
            Output::Reading { serial, span, .. } => {
                println!("reading {} covers {} to {}", serial.0, span.from, span.to);
            }
            Output::Send { payload, .. } => println!("  {}", String::from_utf8_lossy(&payload)),
            other => println!("{other:?}"),
        }
    }
    Ok(())
}
