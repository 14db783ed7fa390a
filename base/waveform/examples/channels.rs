//! Reads a recording and prints each channel with its RMS value.
//!
//! `cargo run -p lastmeter-waveform --example channels -- FILE.cfg` (with FILE.dat beside it),
//! `... -- FILE.csv`, or nothing for a cycle that it writes as COMTRADE and reads again.

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;
use std::f64::consts::{SQRT_2, TAU};
use std::path::Path;

use lastmeter_waveform::{Channel, ChannelKind, Recording, comtrade, csv};

/// One cycle of 230 V and 5 A, sampled at 10 kHz.
fn one_cycle() -> Recording {
    let sine = |rms: f64| (0..200).map(move |k| SQRT_2 * rms * (TAU * f64::from(k) / 200.0).sin());
    let channel = |name: &str, unit: &str, kind, rms| Channel {
        name: name.to_owned(),
        phase: "a".to_owned(),
        unit: unit.to_owned(),
        kind,
        skew_s: 0.0,
        samples: sine(rms).collect(),
    };
    Recording {
        rate_hz: 10_000.0,
        nominal_hz: Some(50.0),
        channels: vec![
            channel("Ua", "V", ChannelKind::Voltage, 230.0),
            channel("Ia", "A", ChannelKind::Current, 5.0),
        ],
        ..Recording::default()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let recording = match std::env::args().nth(1) {
        Some(path) if Path::new(&path).extension().is_some_and(|end| end == "csv") => {
            csv::read(&std::fs::read(path)?, &csv::CsvOptions::default())?
        }
        Some(path) => {
            let data = std::fs::read(Path::new(&path).with_extension("dat"))?;
            comtrade::read(&std::fs::read(path)?, &data)?
        }
        None => {
            let (revision, kind) = (comtrade::Revision::R2013, comtrade::DataKind::Float32);
            let files = comtrade::write(&one_cycle(), kind, revision)?;
            comtrade::read(&files.cfg, &files.dat)?
        }
    };
    println!("{} samples at {} Hz", recording.samples(), recording.rate_hz);
    for channel in &recording.channels {
        let square: f64 = channel.samples.iter().map(|x| x * x).sum();
        let rms = (square / channel.samples.len() as f64).sqrt();
        println!("{:10} {:9.3} {} RMS", channel.name, rms, channel.unit);
    }
    recording.notes.iter().for_each(|note| println!("note: {note}"));
    Ok(())
}
