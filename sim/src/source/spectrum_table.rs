//! The source `spectrum`: a spectrum table, as `lastmeter measure --spectrum` writes it. Its truth
//! is known in closed form.

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};
use lastmeter_waveform::spectrum::{SpectrumChannel, SpectrumTable};
use lastmeter_waveform::{Channel, Recording};

use super::files::{self, choose, doubt_content, read_file, refuse_content};
use super::{Signal, SourceContext, SourceKind};
use crate::program::Program;
use crate::spectrum::{ChannelSpectrum, Spectrum, Tone};

static FIELDS: [Field; 6] = [
    files::FILE,
    files::VOLTAGE,
    files::CURRENT,
    files::VOLTAGE_SCALE,
    files::CURRENT_SCALE,
    Field::optional(
        "frequency",
        Kind::Quantity { dimension: Dimension::Frequency, min: 1.0, max: 1000.0 },
        "Frequency of the fundamental instead of the table's; all orders move with it",
    ),
];

pub(crate) const KIND: SourceKind = SourceKind {
    entry: Entry {
        name: "spectrum",
        summary: "a spectrum table: order, RMS value and phase of each channel's components",
        description: "Plays a spectrum table in a loop: each line is one cosine, `sqrt(2) * rms * \
            cos(2 pi order f0 t + phase)`, at the scenario's start with the phase of the table; \
            order 0 is the DC component. The reference values are known in closed form. \
            `lastmeter measure FILE --spectrum TABLE` writes such a table from a recording.\n\n\
            The voltage and current channels are recognised by their units and phases, or named in \
            `voltage` and `current`. The lines may be scaled, and moved to another fundamental \
            frequency.",
        fields: &FIELDS,
    },
    build,
};

fn build(
    values: &Values,
    context: &SourceContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Signal> {
    let file = values.text("file");
    let bytes = read_file(values, file, context, diagnostics)?;
    let table = match lastmeter_waveform::spectrum::read(&bytes) {
        Ok(table) => table,
        Err(error) => {
            refuse_content(values, file, &error, diagnostics);
            return None;
        }
    };
    if lastmeter_waveform::is_cut(&bytes) {
        doubt_content(values, file, lastmeter_waveform::CUT, diagnostics);
    }
    let headers = headers(&table);
    let (voltages, currents) = choose(&headers, values, diagnostics)?;
    let fundamental_hz = values.si_opt("frequency").unwrap_or(table.fundamental_hz);
    let spectra = |chosen: &[&Channel], scale: f64| -> Vec<ChannelSpectrum> {
        let places = headers.channels.iter().zip(&table.channels);
        let lines = |header: &Channel| {
            places.clone().find(|(other, _)| std::ptr::eq(*other, header)).map(|(_, lines)| lines)
        };
        chosen.iter().filter_map(|h| lines(h)).map(|c| channel(c, fundamental_hz, scale)).collect()
    };
    let spectrum = Spectrum {
        fundamental_hz,
        voltages: spectra(&voltages, values.si("voltage_scale")),
        currents: spectra(&currents, values.si("current_scale")),
    };
    if let Err(error) = spectrum.check() {
        let span = values.span_of("file");
        diagnostics.report(Code::FILE_REFUSED, span, error.to_string(), "this table");
        return None;
    }
    Some(Signal::Program(Program::from_spectrum(spectrum)))
}

/// The table's channels without their content, to choose among them as among those of a recording.
fn headers(table: &SpectrumTable) -> Recording {
    let channels = table.channels.iter().map(|channel| Channel {
        name: channel.name.clone(),
        phase: channel.phase.clone(),
        unit: channel.unit.clone(),
        kind: channel.kind(),
        ..Channel::default()
    });
    Recording { channels: channels.collect(), ..Recording::default() }
}

fn channel(channel: &SpectrumChannel, fundamental_hz: f64, scale: f64) -> ChannelSpectrum {
    let mut spectrum = ChannelSpectrum::default();
    for line in &channel.lines {
        if line.order == 0.0 {
            spectrum.dc += scale * line.rms;
        } else {
            spectrum.tones.push(Tone {
                frequency_hz: line.order * fundamental_hz,
                rms: scale * line.rms,
                phase_rad: line.phase_deg.to_radians(),
            });
        }
    }
    spectrum
}
