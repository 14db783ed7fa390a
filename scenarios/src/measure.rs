//! `lastmeter measure`: the metrology engine over a recording, as a table, JSON or CSV.
//!
//! Reads the file, picks the channels, hands the samples to `lastmeter-metrology`, prints. The
//! JSON form is a promise to users; the table is for eyes only.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use lastmeter_metrology::{
    Analysis, AnalysisInput, PhaseValues, SpectrumOptions, analyse, spectrum,
};
use lastmeter_reports::ExitCode;
use lastmeter_waveform::spectrum::{Line, SpectrumChannel, SpectrumTable};

use crate::run::chain;
use crate::suite::{tell, tell_out};

mod signals;

use signals::Signals;

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// One document.
    Json,
    /// One row per window and phase.
    Csv,
}

/// What `lastmeter measure` was asked for.
#[derive(Clone, Debug)]
pub struct MeasureOptions {
    /// The recording.
    pub file: PathBuf,
    /// Which voltages, by name or unique part of one.
    pub voltage: Vec<String>,
    /// Which currents.
    pub current: Vec<String>,
    /// CSV: the time column.
    pub time: Option<String>,
    /// CSV: the sampling rate.
    pub rate_hz: Option<f64>,
    /// 50 or 60, where it cannot be told.
    pub nominal_hz: Option<f64>,
    /// How to print.
    pub format: Format,
    /// Where the spectrum table goes, if one is wanted.
    pub spectrum: Option<PathBuf>,
    /// Lines below this part of a channel's largest are left out of the spectrum table.
    pub threshold: f64,
}

/// Measures a recording; says how it ended.
pub fn measure(options: &MeasureOptions) -> ExitCode {
    match try_measure(options) {
        Ok(text) => {
            tell_out(text.trim_end_matches('\n'));
            ExitCode::Passed
        }
        Err(message) => {
            tell(&format!("error: {}: {message}", options.file.display()));
            ExitCode::BadInput
        }
    }
}

fn try_measure(options: &MeasureOptions) -> Result<String, String> {
    let mut signals = Signals::open(options)?;
    let [voltages, currents] = signals.beginning(usize::MAX)?;
    let recording = signals.recording();
    let input = AnalysisInput {
        rate_hz: recording.rate_hz,
        nominal_hz: options.nominal_hz.or(recording.nominal_hz.filter(|hz| is_nominal(*hz))),
        names: &signals.phases(),
        voltages: &voltages,
        currents: &currents,
    };
    // A header may claim another frequency than the waveform has; then the waveform is believed.
    let analysis = match analyse(&input) {
        Err(_) if options.nominal_hz.is_none() && input.nominal_hz.is_some() => {
            analyse(&AnalysisInput { nominal_hz: None, ..input })
        }
        other => other,
    };
    let mut analysis = analysis.map_err(|error| chain(&error))?;
    let mut notes = recording.notes.clone();
    notes.append(&mut analysis.notes);
    analysis.notes = notes;
    if let Some(path) = &options.spectrum {
        write_spectrum(path, &input, &signals.names(), options.threshold)?;
    }
    Ok(match options.format {
        Format::Json => serde_json::to_string_pretty(&analysis).map_err(|e| e.to_string())?,
        Format::Csv => as_csv(&analysis),
        Format::Table => as_table(&analysis, &options.file),
    })
}

fn is_nominal(hz: f64) -> bool {
    hz == 50.0 || hz == 60.0
}

/// Writes the lines of all channels as a table that a `spectrum` source plays back.
fn write_spectrum(
    path: &Path,
    input: &AnalysisInput<'_>,
    (voltages, currents): &(Vec<String>, Vec<String>),
    threshold: f64,
) -> Result<(), String> {
    let options = SpectrumOptions { threshold, ..SpectrumOptions::default() };
    let found = spectrum(input, &options).map_err(|error| chain(&error))?;
    let channels = |list: &[lastmeter_metrology::SpectrumChannel], names: &[String], unit: &str| {
        let rows = list.iter().zip(names).map(|(channel, name)| SpectrumChannel {
            name: name.clone(),
            unit: unit.to_owned(),
            phase: channel.phase.clone(),
            lines: std::iter::once(Line { order: 0.0, rms: channel.dc, phase_deg: 0.0 })
                .filter(|line| line.rms != 0.0)
                .chain(channel.lines.iter().map(|line| Line {
                    order: line.order,
                    rms: line.rms,
                    phase_deg: line.phase_deg,
                }))
                .collect(),
        });
        rows.collect::<Vec<_>>()
    };
    let mut table = SpectrumTable {
        fundamental_hz: found.fundamental_hz,
        channels: channels(&found.voltages, voltages, "V"),
    };
    table.channels.extend(channels(&found.currents, currents, "A"));
    let bytes = lastmeter_waveform::spectrum::write(&table);
    std::fs::write(path, bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

const COLUMNS: [&str; 12] = [
    "u_rms_v",
    "i_rms_a",
    "p_w",
    "q1_var",
    "s_va",
    "n_var",
    "pf",
    "thd_u_pct",
    "thd_i_pct",
    "thd_u_harm_pct",
    "thd_i_harm_pct",
    "",
];

fn cells(values: &PhaseValues) -> [Option<f64>; 11] {
    [
        values.u_rms_v,
        values.i_rms_a,
        values.p_w,
        values.q1_var,
        values.s_va,
        values.n_var,
        values.pf,
        values.thd_u_pct,
        values.thd_i_pct,
        values.thd_u_harm_pct,
        values.thd_i_harm_pct,
    ]
}

/// One row per window and phase; empty where there is nothing to tell.
fn as_csv(analysis: &Analysis) -> String {
    let mut text =
        format!("start_s,duration_s,flagged,frequency_hz,phase,{}\n", COLUMNS[..11].join(","));
    let shown = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    for window in &analysis.windows {
        for phase in &window.phases {
            let row: Vec<String> = cells(phase).into_iter().map(shown).collect();
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{},{},{},{},{},{}",
                window.start_s,
                window.duration_s,
                window.flagged,
                shown(window.frequency_hz),
                phase.name,
                row.join(",")
            );
        }
    }
    text
}

fn as_table(analysis: &Analysis, file: &Path) -> String {
    let mut text = format!(
        "{}\n{} samples/s, {} s, {}, {:.4} Hz\n\n",
        file.display(),
        analysis.rate_hz,
        analysis.duration_s,
        analysis.basis,
        analysis.frequency_hz
    );
    let rows = [
        ("U", "V"),
        ("I", "A"),
        ("P", "W"),
        ("Q1", "var"),
        ("S", "VA"),
        ("N", "var"),
        ("PF", ""),
        ("THD U, sub-groups", "%"),
        ("THD I, sub-groups", "%"),
        ("THD U, harmonics", "%"),
        ("THD I, harmonics", "%"),
    ];
    let total = &analysis.total;
    let totals = [None, None, total.p_w, total.q1_var, total.s_va];
    let _ = write!(text, "{:24}", "");
    for phase in &analysis.phases {
        let _ = write!(text, "{:>14}", phase.values.name);
    }
    let _ = writeln!(text, "{:>14}", "total");
    for (index, (name, unit)) in rows.iter().enumerate() {
        let _ = write!(
            text,
            "{:24}",
            format!("{name}{}{unit}", if unit.is_empty() { "" } else { " / " })
        );
        for phase in &analysis.phases {
            let _ = write!(text, "{:>14}", shown(cells(&phase.values)[index]));
        }
        let total = totals.get(index).copied().flatten();
        let _ =
            writeln!(text, "{:>14}", total.map_or_else(String::new, |value| shown(Some(value))));
    }
    if let Some(effective) = total.se_va {
        let _ = writeln!(text, "{:24}{}", "Se, IEEE 1459 / VA", shown(Some(effective)));
    }
    for note in &analysis.notes {
        let _ = write!(text, "\nnote: {note}");
    }
    text
}

/// Seven digits are more than any recording holds.
fn shown(value: Option<f64>) -> String {
    let Some(value) = value else { return "-".to_owned() };
    let magnitude = value.abs();
    let decimals = if magnitude >= 1e5 {
        1
    } else if magnitude >= 1e3 {
        3
    } else if magnitude >= 10.0 {
        4
    } else {
        6
    };
    format!("{value:.decimals$}")
}
