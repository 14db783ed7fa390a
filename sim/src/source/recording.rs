//! The source `recording`: a measured or simulated waveform, played again and again.

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};
use lastmeter_waveform::csv::CsvOptions;
use lastmeter_waveform::{Channel, Recording, comtrade, csv};

use super::files::{self, choose, doubt_content, read_file, refuse_content};
use super::{Signal, SourceContext, SourceKind};
use crate::looped::Loop;

static FIELDS: [Field; 7] = [
    files::FILE,
    files::VOLTAGE,
    files::CURRENT,
    Field::optional("time", Kind::Text, "CSV: the column that holds the time"),
    Field::optional(
        "rate",
        Kind::Quantity { dimension: Dimension::Frequency, min: 1.0, max: 1e9 },
        "CSV: the sampling rate, instead of what the time column gives",
    ),
    files::VOLTAGE_SCALE,
    files::CURRENT_SCALE,
];

pub(crate) const KIND: SourceKind = SourceKind {
    entry: Entry {
        name: "recording",
        summary: "a COMTRADE or CSV recording, played in a loop of whole cycles",
        description: "Plays a recording in a loop. COMTRADE is recognised by `.cfg` (with its `.dat` \
            beside it) or `.cff`, CSV by `.csv` or `.txt`.\n\n\
            The fundamental is found in the first voltage, whatever a header states. The longest \
            whole number of cycles that leaves a quarter to one cycle over is resampled to at \
            least 512 points per cycle, and its end cross-faded into what came before its \
            beginning, so that the loop has no seam. What is played is the Catmull-Rom curve \
            through these points; the reference values are exact integrals of that curve. At \
            least 2.5 cycles are needed. Components above 0.4 of the recording's rate are not \
            kept; a channel's time skew is corrected. What is missing or wrong in it (samples, \
            time stamps, sample numbers, values beyond the declared range) is warned of, once each, \
            and played as `lastmeter measure` reads it.\n\n\
            A recording has no spectrum, so devices with `fidelity = \"windows\"` cannot be \
            connected, and nothing can be injected into it; `lastmeter measure FILE --spectrum TABLE` makes a table for the source \
            `spectrum` from it.",
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
    let recording = read(values, file, context, diagnostics)?;
    let (voltages, currents) = choose(&recording, values, diagnostics)?;
    let is_played = |index: usize| {
        let channel = recording.channels.get(index);
        let mut chosen = voltages.iter().chain(&currents);
        channel.is_some_and(|channel| chosen.any(|chosen| std::ptr::eq(*chosen, channel)))
    };
    for damage in recording.damage.iter().filter(|it| it.channel.is_none_or(is_played)) {
        doubt_content(values, file, &damage.note, diagnostics);
    }
    let scaled = |channels: &[&Channel], key: &str| -> Vec<Vec<f64>> {
        let scale = values.si(key);
        channels.iter().map(|c| c.samples.iter().map(|s| scale * s).collect()).collect()
    };
    let voltages = scaled(&voltages, "voltage_scale");
    let currents = scaled(&currents, "current_scale");
    match Loop::from_samples(&slices(&voltages), &slices(&currents), recording.rate_hz) {
        Ok(table) => Some(Signal::Recording(table)),
        Err(error) => {
            refuse_content(values, file, &error, diagnostics);
            None
        }
    }
}

fn slices(channels: &[Vec<f64>]) -> Vec<&[f64]> {
    channels.iter().map(Vec::as_slice).collect()
}

fn read(
    values: &Values,
    file: &str,
    context: &SourceContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Recording> {
    let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
    let is_csv = match extension.to_ascii_lowercase().as_str() {
        "csv" | "txt" => true,
        "cfg" | "cff" => false,
        _ => {
            let message = format!("`{file}` is not a recording: unknown file name extension");
            let label = "expected a name ending in .cfg, .cff, .csv or .txt";
            diagnostics.report(Code::FILE_REFUSED, values.span_of("file"), message, label);
            return None;
        }
    };
    if !is_csv {
        refuse_csv_keys(values, diagnostics)?;
    }
    let bytes = read_file(values, file, context, diagnostics)?;
    let refused = |error: &dyn std::error::Error, diagnostics: &mut Diagnostics| {
        refuse_content(values, file, error, diagnostics);
    };
    if is_csv {
        return csv::read(&bytes, &csv_options(values))
            .map_err(|error| refused(&error, diagnostics))
            .ok();
    }
    let recording = if extension.eq_ignore_ascii_case("cff") {
        comtrade::read_cff(&bytes)
    } else {
        let data = read_data(values, file, context, diagnostics)?;
        comtrade::read(&bytes, &data)
    };
    recording.map_err(|error| refused(&error, diagnostics)).ok()
}

/// The `.dat` beside a `.cfg`, its ending in the same case or in the other.
fn read_data(
    values: &Values,
    file: &str,
    context: &SourceContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<u8>> {
    let stem = &file[..file.len() - "cfg".len()];
    let is_upper = file.ends_with("CFG");
    let (first, second) = if is_upper { ("DAT", "dat") } else { ("dat", "DAT") };
    if let Ok(bytes) = (context.read_file)(&format!("{stem}{first}")) {
        return Some(bytes);
    }
    if let Ok(bytes) = (context.read_file)(&format!("{stem}{second}")) {
        return Some(bytes);
    }
    read_file(values, &format!("{stem}{first}"), context, diagnostics)
}

/// `time` and `rate` belong to CSV; COMTRADE states both itself.
fn refuse_csv_keys(values: &Values, diagnostics: &mut Diagnostics) -> Option<()> {
    let given = ["time", "rate"].into_iter().find(|key| values.get(key).is_some());
    let Some(key) = given else { return Some(()) };
    diagnostics.report(
        Code::DOES_NOT_FIT,
        values.span_of(key),
        format!("`{key}` belongs to CSV files; a COMTRADE file has it itself"),
        "leave it out",
    );
    None
}

fn csv_options(values: &Values) -> CsvOptions {
    let texts = |key: &str| values.text_list(key).into_iter().map(str::to_owned).collect();
    CsvOptions {
        voltage: texts("voltage"),
        current: texts("current"),
        time: values.text_opt("time").map(str::to_owned),
        rate_hz: values.si_opt("rate"),
    }
}
