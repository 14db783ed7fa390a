//! A terminal with harmonics: its exact truth beside the mean of the samples that a meter gets.
//!
//! `cargo run -p lastmeter-sim --example truth`

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;

use lastmeter_sim::{
    Block, ChannelSpectrum, Netting, ReferenceSpan, Spectrum, Streams, Terminal, Tone,
};
use lastmeter_units::{MeasurementId, SimDuration};

/// A fundamental of this value and a tenth of it as third harmonic.
fn channel(rms: f64) -> ChannelSpectrum {
    let tone = |order, rms| Tone { frequency_hz: 50.0 * order, rms, phase_rad: 0.0 };
    ChannelSpectrum { dc: 0.0, tones: vec![tone(1.0, rms), tone(3.0, rms / 10.0)], noise_rms: 0.0 }
}

fn main() -> Result<(), Box<dyn Error>> {
    let spectrum = Spectrum {
        fundamental_hz: 50.0,
        voltages: vec![channel(230.0)],
        currents: vec![channel(10.0)],
    };
    let terminal = Terminal::from_spectrum(spectrum, "home", &Streams::new(1))?;

    // One second: as tones in closed form, and as 8,000 samples.
    let (from, to) = (SimDuration::from_seconds(0), SimDuration::from_seconds(1));
    let truth = terminal.truth(ReferenceSpan { from, to, registers_from: from });
    let mut block = Block::default();
    terminal.render(0, 8000.0, 8000, &mut block);
    let mean = |products: &mut dyn Iterator<Item = f64>| products.sum::<f64>() / 8000.0;
    let (u, i) = (&block.voltages[0], &block.currents[0]);
    let sampled = [
        ("electricity.voltage.rms.l1", mean(&mut u.iter().map(|u| u * u)).sqrt()),
        ("electricity.current.rms.l1", mean(&mut i.iter().map(|i| i * i)).sqrt()),
        ("electricity.power.active.consumed.l1", mean(&mut u.iter().zip(i).map(|(u, i)| u * i))),
    ];
    for (name, sampled) in sampled {
        let id = MeasurementId::lookup(name).ok_or("no such quantity")?;
        let exact = truth.value(id, Netting::Net).ok_or("not known here")?;
        println!("{name}: {exact:.6} exact, {sampled:.6} of samples");
    }
    Ok(())
}
