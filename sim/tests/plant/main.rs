//! The plant, seen through its public functions: what is rendered, and what is claimed to be true.

mod any_disturbances;
mod apparent;
mod closed_form;
mod disturbances;
mod energies;
mod excerpt_tones;
mod excerpts;
mod loops;
mod oracles;
mod pipes;
mod programs;
mod quality;
mod rendering;
mod sources;

use lastmeter_sim::{
    Block, ChannelSpectrum, Netting, ReferenceSpan, Spectrum, Streams, Terminal, Tone,
};
use lastmeter_units::{MeasurementId, SimDuration};

/// A span in seconds, its registers from the beginning of the scenario.
fn span(from_s: f64, to_s: f64) -> ReferenceSpan {
    ReferenceSpan {
        from: SimDuration::from_seconds_f64(from_s),
        to: SimDuration::from_seconds_f64(to_s),
        registers_from: SimDuration::ZERO,
    }
}

/// A tone of an RMS value and an angle in degrees.
fn tone(frequency_hz: f64, rms: f64, angle_deg: f64) -> Tone {
    Tone { frequency_hz, rms, phase_rad: angle_deg.to_radians() }
}

/// A channel of harmonics of 50 Hz: order, RMS value, angle in degrees.
fn harmonics(lines: &[(f64, f64, f64)]) -> ChannelSpectrum {
    let tones = lines.iter().map(|&(order, rms, deg)| tone(50.0 * order, rms, deg)).collect();
    ChannelSpectrum { tones, ..ChannelSpectrum::default() }
}

fn terminal(voltages: Vec<ChannelSpectrum>, currents: Vec<ChannelSpectrum>) -> Terminal {
    let spectrum = Spectrum { fundamental_hz: 50.0, voltages, currents };
    Terminal::from_spectrum(spectrum, "test", &Streams::new(1)).expect("a terminal")
}

fn render(terminal: &Terminal, first_sample: u64, rate_hz: f64, samples: usize) -> Block {
    let mut block = Block::default();
    terminal.render(first_sample, rate_hz, samples, &mut block);
    block
}

/// The reference value of an identifier, the netting being that of the phases.
fn value(terminal: &Terminal, name: &str, span: ReferenceSpan) -> Option<f64> {
    let id = MeasurementId::lookup(name).unwrap_or_else(|| panic!("no identifier `{name}`"));
    terminal.reference(id, span, Netting::Net)
}

/// Simpson's rule over equally spaced values, an odd number of them: their mean.
fn simpson_mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let last = values.len() - 1;
    assert!(last > 0 && last.is_multiple_of(2));
    let weighted = values.enumerate().map(|(k, value)| {
        let weight = if k == 0 || k == last { 1.0 } else { 2.0 + 2.0 * (k % 2) as f64 };
        weight * value
    });
    weighted.sum::<f64>() / (3.0 * last as f64)
}

/// Mean of the product of two rendered channels.
fn mean_product(a: &[f64], b: &[f64]) -> f64 {
    simpson_mean(a.iter().zip(b).map(|(a, b)| a * b))
}

fn assert_close(found: f64, expected: f64, limit: f64, what: &str) {
    let off = (found - expected).abs();
    assert!(off <= limit, "{what}: found {found}, expected {expected}, off by {off:e}");
}
