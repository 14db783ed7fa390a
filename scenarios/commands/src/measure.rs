//! `lastmeter measure`: the metrology engine over a recording, as a table, JSON or CSV.
//!
//! Reads the file, picks the channels, hands the samples to `lastmeter-metrology`, prints. The
//! JSON form is a promise to users; the table is for eyes only.

use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use lastmeter_bench::output::{complain, write_out};
use lastmeter_bench::run::chain;
use lastmeter_metrology::flicker::Lamp;
use lastmeter_metrology::{
    Analyser, AnalyserSetup, Analysis, AnalysisInput, AnalysisOptions, SpectrumOptions, spectrum,
};
use lastmeter_reports::ExitCode;
pub use lastmeter_units::SimTime;
use lastmeter_waveform::spectrum::{Line, SpectrumChannel, SpectrumTable};

mod beside;
mod options;
mod signals;
mod table;
mod windows;

use beside::ExtraTables;
pub use options::MeasureOptions;
use signals::Signals;
use windows::Windows;

/// Measures a recording and returns the exit code.
pub fn measure(options: &MeasureOptions) -> ExitCode {
    match try_measure(options) {
        Ok((analysis, windows)) => {
            write_out(|out| windows.print(&analysis, &options.file, out));
            ExitCode::Passed
        }
        Err(message) => complain(&format!("{}: {message}", options.file.display())),
    }
}

/// The analysis, and its windows apart.
fn try_measure(options: &MeasureOptions) -> Result<(Analysis, Windows), String> {
    let written = [
        (&options.spectrum, "spectrum"),
        (&options.waveform, "waveform"),
        (&options.half_cycles, "table of half cycles"),
    ];
    let written = written.map(|(path, what)| path.as_deref().map(|path| (path, what)));
    let written: Vec<(&Path, &str)> = written.into_iter().flatten().collect();
    are_distinct(&written, &options.file)?;
    let mut signals = Signals::open(options)?;
    let (mut analysis, windows, beside) = analysed(&mut signals, options)?;
    analysis.notes.extend(signals.clipped());
    beside.save(options)?;
    let mut notes = signals.recording().notes.clone();
    if let Some(path) = &options.spectrum {
        notes.extend(write_spectrum(path, &mut signals, options)?);
    }
    notes.append(&mut analysis.notes);
    analysis.notes = notes;
    Ok((analysis, windows))
}

/// Plays the recording through the analysis, block by block.
fn analysed(
    signals: &mut Signals,
    options: &MeasureOptions,
) -> Result<(Analysis, Windows, ExtraTables), String> {
    let (voltages, currents) = signals.names();
    let mut beside = ExtraTables::new(options, &signals.names(), signals.phases())?;
    let setup = AnalyserSetup {
        rate_hz: signals.recording().rate_hz,
        nominal_hz: options.nominal_hz(),
        names: signals.phases(),
        voltages: voltages.len(),
        currents: currents.len(),
        options: AnalysisOptions {
            declared_voltage_v: options.declared_voltage,
            stated_hz: signals.recording().nominal_hz,
            lamp: options
                .lamp
                .as_deref()
                .map(|volts| if volts == "120" { Lamp::V120 } else { Lamp::V230 }),
            first_sample_unix_ns: options.start.or(signals.recording().start).map(|start| start.0),
            half_cycles: options.half_cycles.is_some(),
            samples_per_cycle: options.waveform.as_ref().map(|_| options.per_cycle),
        },
    };
    let mut analyser = Analyser::new(setup).map_err(|error| chain(&error))?;
    let mut windows = Windows::new(options.format);
    let mut outcome = Ok(());
    signals.play(&mut |voltages, currents| {
        let taken = analyser.push(voltages, currents).map_err(|error| chain(&error));
        let taken = taken.and_then(|()| beside.take(&mut analyser));
        outcome = taken.and_then(|()| windows.take(&analyser.take_windows()));
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome?;
    let mut analysis = analyser.finish().map_err(|error| chain(&error))?;
    windows.take(&std::mem::take(&mut analysis.windows))?;
    beside.take_last(&mut analysis)?;
    Ok((analysis, windows, beside))
}

/// Each table has a file of its own, which is not the recording.
fn are_distinct(written: &[(&Path, &str)], recording: &Path) -> Result<(), String> {
    for (place, &(path, what)) in written.iter().enumerate() {
        is_another_file(path, recording, what)?;
        if let Some((_, other)) = written[..place].iter().find(|(other, _)| is_same(other, path)) {
            let path = path.display();
            return Err(format!("{path} is to hold the {other} and the {what}; name two files"));
        }
    }
    Ok(())
}

/// A recording is not written over by what was measured in it.
fn is_another_file(path: &Path, recording: &Path, what: &str) -> Result<(), String> {
    let data = ["dat", "DAT", "Dat"].map(|extension| recording.with_extension(extension));
    if is_same(recording, path) || data.iter().any(|data| is_same(data, path)) {
        let path = path.display();
        return Err(format!(
            "the {what} would be written over the recording {path}; name another file"
        ));
    }
    Ok(())
}

/// Whether two names mean one file, also by way of links, or will once it is there.
fn is_same(one: &Path, other: &Path) -> bool {
    match (std::fs::metadata(one).ok(), std::fs::metadata(other).ok()) {
        // Into a pipe or `/dev/null` goes as much as one likes.
        (Some(one), Some(other)) => {
            one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino())
        }
        (None, None) => std::path::absolute(one).ok() == std::path::absolute(other).ok(),
        _ => false,
    }
}

/// Samples of a channel, and of all channels together, that a spectrum is taken of: its transforms
/// need over a hundred bytes for each of them.
const SPECTRUM_SAMPLES: usize = 1 << 19;
const SPECTRUM_SAMPLES_OF_ALL: usize = 1 << 20;

/// Writes the lines of all channels as a table that a `spectrum` source plays back; of a long
/// recording those of its beginning, which is then reported.
fn write_spectrum(
    path: &Path,
    signals: &mut Signals,
    options: &MeasureOptions,
) -> Result<Option<String>, String> {
    let (voltage_names, current_names) = signals.names();
    let channels = (voltage_names.len() + current_names.len()).max(1);
    let most = SPECTRUM_SAMPLES.min(SPECTRUM_SAMPLES_OF_ALL / channels);
    let [voltages, currents] = signals.beginning(most)?;
    let rate_hz = signals.recording().rate_hz;
    let input = AnalysisInput {
        rate_hz,
        nominal_hz: options.nominal_hz(),
        names: &signals.phases(),
        voltages: &voltages,
        currents: &currents,
    };
    let options = SpectrumOptions {
        threshold: options.threshold,
        stated_hz: signals.recording().nominal_hz,
        ..SpectrumOptions::default()
    };
    let found = spectrum(&input, &options).map_err(|error| chain(&error))?;
    let channels = |list: &[lastmeter_metrology::SpectrumChannel], names: &[String], unit: &str| {
        let rows = list.iter().zip(names).map(|(channel, name)| SpectrumChannel {
            name: name.clone(),
            unit: unit.to_owned(),
            phase: channel.phase.clone(),
            lines: std::iter::once(Line { order: 0.0, rms: channel.dc, phase_deg: 0.0 })
                .filter(|line| line.rms != 0.0) // a line at order 0 is a DC component
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
        channels: channels(&found.voltages, &voltage_names, "V"),
    };
    table.channels.extend(channels(&found.currents, &current_names, "A"));
    let bytes = lastmeter_waveform::spectrum::write(&table);
    std::fs::write(path, bytes)
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok((signals.samples() > most as u64).then(|| {
        let seconds = most as f64 / rate_hz;
        format!("the spectrum table is that of the first {seconds:.3} s, the most that is held")
    }))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use lastmeter_bench::output::Format;

    /// Window starts in s of two seconds at 50 Hz and 2 kS/s in a file, its stamps as given.
    fn starts(stamp: impl Fn(u32) -> String, start: Option<&str>) -> Vec<f64> {
        starts_and_waveform(stamp, start).0
    }

    /// The same with the rows of the waveform file.
    fn starts_and_waveform(
        stamp: impl Fn(u32) -> String,
        start: Option<&str>,
    ) -> (Vec<f64>, Vec<[f64; 2]>) {
        let mut text = "time,Va_V\n".to_owned();
        for k in 0..4000_u32 {
            let angle = std::f64::consts::TAU * f64::from(k % 40) / 40.0;
            let _ = writeln!(text, "{},{}", stamp(k), 325.0 * angle.sin());
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("recording.csv");
        std::fs::write(&file, text).unwrap();
        let options = MeasureOptions {
            file,
            voltage: Vec::new(),
            current: Vec::new(),
            time_column: None,
            rate: None,
            start: start.map(|text| text.parse().unwrap()),
            nominal: None,
            declared_voltage: None,
            lamp: None,
            format: Format::Csv,
            spectrum: None,
            waveform: Some(folder.path().join("waveform.csv")),
            per_cycle: 32,
            half_cycles: Some(folder.path().join("half.csv")),
            threshold: 1e-4,
        };
        let (analysis, windows) = try_measure(&options).unwrap();
        let mut out = Vec::new();
        windows.print(&analysis, &options.file, &mut out).unwrap();
        let rows = String::from_utf8(out).unwrap();
        let half = std::fs::read_to_string(options.half_cycles.unwrap()).unwrap();
        // Two seconds have 200 half cycles, of which two make a value.
        assert_eq!(half.lines().count(), 1 + 199, "{half}");
        for row in half.lines().skip(1) {
            let cells: Vec<&str> = row.split(',').collect();
            let [_, duration_s, "a", volts, "", ""] = cells[..] else { panic!("{row}") };
            let due = 325.0 / std::f64::consts::SQRT_2;
            // The last one ends with the recording: its last sample stands for what follows.
            assert!((volts.parse::<f64>().unwrap() - due).abs() < 0.1, "{row}");
            assert!((duration_s.parse::<f64>().unwrap() - 0.02).abs() < 1e-7, "{row}");
        }
        let starts = rows.lines().skip(1).map(|row| row.split(',').next().unwrap());
        let waveform = std::fs::read_to_string(options.waveform.unwrap()).unwrap();
        assert!(waveform.starts_with("time_s,\"Va_V [V]\"\n"), "{waveform:.40}");
        let rows = waveform.lines().skip(1).map(|row| {
            let (time_s, volts) = row.split_once(',').unwrap();
            [time_s, volts].map(|cell| cell.parse().unwrap())
        });
        (starts.map(|start| start.parse().unwrap()).collect(), rows.collect())
    }

    /// Neither the recording nor another table, whatever its name: `..`, a hard link, a soft one.
    #[test]
    fn no_table_is_written_over_another_file_of_the_same_call() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (recording, hard, soft) = (path("recording.csv"), path("hard.csv"), path("soft.csv"));
        std::fs::write(&recording, "t,Va\n").unwrap();
        std::fs::hard_link(&recording, &hard).unwrap();
        std::os::unix::fs::symlink(&recording, &soft).unwrap();
        for name in [&recording, &hard, &soft] {
            let message = is_another_file(name, &recording, "waveform").unwrap_err();
            assert!(message.contains("written over the recording"), "{message}");
        }
        assert_eq!(is_another_file(&path("new.csv"), &recording, "waveform"), Ok(()));
        let same = |one: &str, other: &str| is_same(&path(one), &path(other));
        assert!(same("new.csv", "./new.csv") && same("hard.csv", "soft.csv"));
        assert!(!same("new.csv", "other.csv") && !same("new.csv", "hard.csv"));
        assert!(!is_same(Path::new("/dev/null"), Path::new("/dev/null")));
        let distinct = |names: [&str; 2]| {
            let both = names.map(path);
            are_distinct(&[(&both[0], "spectrum"), (&both[1], "waveform")], &recording)
        };
        assert_eq!(distinct(["new.csv", "other.csv"]), Ok(()));
        let message = distinct(["new.csv", "./new.csv"]).unwrap_err();
        assert!(
            message.ends_with("is to hold the spectrum and the waveform; name two files"),
            "{message}"
        );
    }

    #[test]
    fn waveforms_have_32_points_per_cycle_and_none_twice_at_a_tick() {
        let number = |k: u32| format!("{:.4}", f64::from(k) / 2000.0);
        for start in [None, Some("2026-11-20T09:59:59.27Z")] {
            let (_, waveform) = starts_and_waveform(number, start);
            // 1.93 s of windows with a tick, 2 s without; each is a point of the sine.
            let seconds = if start.is_some() { 1.93 } else { 2.0 };
            assert_eq!(waveform.len(), (seconds * 50.0 * 32.0) as usize);
            for (k, [time_s, volts]) in waveform.into_iter().enumerate() {
                assert!((time_s - k as f64 / 1600.0).abs() < 1e-6, "{k}: {time_s}");
                let due = 325.0 * (std::f64::consts::TAU * 50.0 * time_s).sin();
                assert!((volts - due).abs() < 0.01, "{k}: {volts} for {due}");
            }
        }
    }

    #[test]
    fn the_clock_of_a_recording_or_of_its_user_puts_a_window_at_the_tick() {
        let number = |k: u32| format!("{:.4}", f64::from(k) / 2000.0);
        // The first sample is 0.73 s before ten o'clock.
        let date = |k: u32| {
            let ticks = 592_700 + 5 * k;
            let (minute, second) = if ticks < 600_000 { ("09:59", 50) } else { ("10:00", 0) };
            let rest = if ticks < 600_000 { ticks - 500_000 } else { ticks - 600_000 };
            format!("2026-11-20T{minute}:{:02}.{:04}Z", second + rest / 10_000, rest % 10_000)
        };
        assert_eq!((date(0).as_str(), date(1460).as_str()), TICK);
        let by_hand = |expected: &[f64], found: &[f64]| {
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
            }
        };
        let at_tick = [0.0, 0.2, 0.4, 0.6, 0.73, 0.93, 1.13, 1.33, 1.53, 1.73];
        by_hand(&at_tick, &starts(date, None));
        by_hand(&at_tick, &starts(number, Some("2026-11-20T09:59:59.27Z")));
        let gapless: Vec<f64> = (0..10).map(|k| 0.2 * f64::from(k)).collect();
        by_hand(&gapless, &starts(number, None));
        // A differing statement of the user is believed.
        by_hand(&gapless, &starts(date, Some("2026-11-20T09:51:00Z")));
    }

    const TICK: (&str, &str) = ("2026-11-20T09:59:59.2700Z", "2026-11-20T10:00:00.0000Z");
}
