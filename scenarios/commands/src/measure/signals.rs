//! The recording that `lastmeter measure` was given: its files, the channels that are measured, and
//! their samples in blocks, so that a file of any size is measured in the same memory.
//!
//! How far the reading is shows on standard error for long files, if that is a terminal.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressBarIter, ProgressDrawTarget, ProgressStyle};
use lastmeter_bench::run::chain;
use lastmeter_language::{open_file, read_file};
use lastmeter_waveform::csv::CsvOptions;
use lastmeter_waveform::{Channel, ChannelKind, Clipping, Recording, Stream};

use super::options::MeasureOptions;

/// Samples of each channel handed on at a time.
const BLOCK: usize = 4096;
/// Files from this size on take long enough for a progress bar.
const LONG_BYTES: u64 = 1 << 26;
/// No header of a recording is larger.
const HEADER_BYTES: u64 = 1 << 27;

/// Who takes a block: the samples of the voltages and of the currents, all equally long.
pub(super) type BlockSink<'a> = dyn FnMut(&[&[f64]], &[&[f64]]) -> ControlFlow<()> + 'a;

/// A file that shows how far it is read.
type ProgressFile = ProgressBarIter<File>;

/// The recording and the channels of it that are measured.
#[derive(Debug)]
pub(super) struct Signals {
    stream: Stream<ProgressFile>,
    bar: ProgressBar,
    voltages: Vec<usize>,
    currents: Vec<usize>,
}

impl Signals {
    /// Opens the recording, reads it through, and chooses the channels.
    pub(super) fn open(options: &MeasureOptions) -> Result<Self, String> {
        let path = &options.file;
        let named = |path: &Path, error: io::Error| {
            // The recording's own name stands before every message anyway.
            let itself = *path == options.file;
            if itself { error.to_string() } else { format!("{}: {error}", path.display()) }
        };
        let open = |path: &Path| -> Result<(ProgressFile, ProgressBar), String> {
            let file = open_file(path).map_err(|error| named(path, error))?;
            let length = file.metadata().map_err(|error| named(path, error))?.len();
            if length == 0 {
                return Err(named(path, io::Error::other("the file is empty (0 bytes)")));
            }
            let bar = bar(length);
            Ok((bar.wrap_read(file), bar))
        };
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        let (stream, bar) = match extension.as_deref() {
            Some("cff") => {
                let (file, bar) = open(path)?;
                (Stream::cff(file, BLOCK).map_err(|error| chain(&error)), bar)
            }
            Some("cfg") => {
                let data = beside(path)?;
                let size = std::fs::metadata(path).map_err(|error| named(path, error))?.len();
                if size > HEADER_BYTES {
                    return Err(format!("it has {size} bytes; no header is over 128 MiB"));
                }
                let header = read_file(path).map_err(|error| named(path, error))?;
                let (file, bar) = open(&data)?;
                (Stream::comtrade(&header, file, BLOCK).map_err(|error| chain(&error)), bar)
            }
            Some("dat") => {
                return Err("this is the data of a COMTRADE recording; give its .cfg".to_owned());
            }
            _ => {
                let csv_options = CsvOptions {
                    voltage: options.voltage.clone(),
                    current: options.current.clone(),
                    time: options.time_column.clone(),
                    rate_hz: options.rate,
                };
                let (file, bar) = open(path)?;
                (Stream::csv(file, &csv_options, BLOCK).map_err(|error| chain(&error)), bar)
            }
        };
        bar.finish_and_clear();
        let stream = stream?;
        let (voltages, currents) = select(stream.recording(), options)?;
        let signals = Self { stream, bar, voltages, currents };
        signals.check_samples()?;
        Ok(signals)
    }

    /// Refuses a recording all of whose measured channels are missing from the first sample to the
    /// last.
    fn check_samples(&self) -> Result<(), String> {
        let samples = self.stream.samples();
        let mut channels = self.voltages.iter().chain(&self.currents).peekable();
        if channels.peek().is_some() && channels.all(|&c| self.stream.missing(c) == samples) {
            return Err(format!(
                "there is nothing to measure: all {samples} samples of every chosen channel are \
                 missing"
            ));
        }
        Ok(())
    }

    /// Rate, nominal frequency and notes; the channels hold no samples.
    pub(super) const fn recording(&self) -> &Recording {
        self.stream.recording()
    }

    /// Number of sampling instants.
    pub(super) const fn samples(&self) -> u64 {
        self.stream.samples()
    }

    /// The phases' names, as many as there are voltages or currents, whichever are more.
    pub(super) fn phases(&self) -> Vec<String> {
        let letter = |index: usize| ["a", "b", "c"].get(index).copied();
        let count = self.voltages.len().max(self.currents.len());
        (0..count)
            .map(|index| letter(index).map_or_else(|| (index + 1).to_string(), str::to_owned))
            .collect()
    }

    /// The names of the voltages and of the currents in the file.
    pub(super) fn names(&self) -> (Vec<String>, Vec<String>) {
        let channels = &self.recording().channels;
        let of = |list: &[usize]| list.iter().map(|&index| channels[index].name.clone()).collect();
        (of(&self.voltages), of(&self.currents))
    }

    /// A sentence about each level at which a channel was clipped, as far as it was played last.
    pub(super) fn clipped(&self) -> Vec<String> {
        let phases = self.phases();
        let of = |(place, levels): (usize, Vec<Clipping>)| -> Vec<String> {
            let (what, unit, phase) = match place.checked_sub(self.voltages.len()) {
                None => ("voltage", "V", place),
                Some(current) => ("current", "A", current),
            };
            let note = |clipping: Clipping| {
                let Clipping { level, times, first_sample, last_sample } = clipping;
                let (first, last) = (first_sample + 1, last_sample + 1);
                let name = phases.get(phase).map_or("?", String::as_str);
                format!(
                    "clipped at {level} {unit}: the {what} {name} stays there {times} times, first \
                     from sample {first} and last from sample {last} on (counted from 1); its \
                     values are those of the clipped waveform"
                )
            };
            levels.into_iter().map(note).collect()
        };
        self.stream.clipping().into_iter().enumerate().flat_map(of).collect()
    }

    /// Hands on the samples of the voltages and of the currents, block by block; as often as
    /// wanted.
    pub(super) fn play(&mut self, take: &mut BlockSink<'_>) -> Result<(), String> {
        let channels: Vec<usize> = self.voltages.iter().chain(&self.currents).copied().collect();
        let voltages = self.voltages.len();
        self.bar.reset();
        let played = self.stream.play(&channels, &mut |block| {
            let (voltages, currents) = block.split_at(voltages);
            take(voltages, currents)
        });
        self.bar.finish_and_clear();
        played.map_err(|error| chain(&error))
    }

    /// The beginning of the voltages and of the currents: so many samples of each at most.
    pub(super) fn beginning(&mut self, most: usize) -> Result<[Vec<Vec<f64>>; 2], String> {
        let mut found = [vec![vec![]; self.voltages.len()], vec![vec![]; self.currents.len()]];
        let mut length = 0;
        self.play(&mut |voltages, currents| {
            let part = voltages.first().or(currents.first()).map_or(0, |samples| samples.len());
            let part = part.min(most - length);
            for (list, block) in found.iter_mut().zip([voltages, currents]) {
                for (samples, more) in list.iter_mut().zip(block) {
                    samples.extend_from_slice(&more[..part]);
                }
            }
            length += part;
            if length < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(found)
    }
}

/// A bar for the bytes of a long file, if anybody sees it.
fn bar(length: u64) -> ProgressBar {
    if length < LONG_BYTES || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("  {bar:30} {percent:>3} %  {bytes} of {total_bytes}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let target = ProgressDrawTarget::stderr_with_hz(5);
    ProgressBar::with_draw_target(Some(length), target).with_style(style)
}

/// The `.dat` beside a `.cfg`, in either case of letters.
fn beside(path: &Path) -> Result<PathBuf, String> {
    let candidates = ["dat", "DAT", "Dat"].map(|extension| path.with_extension(extension));
    candidates
        .iter()
        .find(|candidate| candidate.is_file())
        .cloned()
        .ok_or_else(|| format!("its data file {} is missing", candidates[0].display()))
}

/// The voltages and the currents that are measured, as indices of the recording's channels.
fn select(
    recording: &Recording,
    options: &MeasureOptions,
) -> Result<(Vec<usize>, Vec<usize>), String> {
    let of_kind = |kind: ChannelKind, selectors: &[String], other_named: bool| {
        let chosen = if !selectors.is_empty() {
            recording.select(kind, selectors).or_else(|error| {
                // A channel without a unit is of no kind; who names it exactly means it.
                let exact = |name: &String| recording.channels.iter().find(|c| c.name == *name);
                let named: Option<Vec<_>> = selectors.iter().map(exact).collect();
                named.ok_or_else(|| chain(&error))
            })
        } else if other_named || recording.of_kind(kind).is_empty() {
            // Who names one kind only, wants that kind only.
            Ok(Vec::new())
        } else {
            recording.phases(kind).map_err(|error| {
                let option = if kind == ChannelKind::Voltage { "--voltage" } else { "--current" };
                format!("{} (choose with {option})", chain(&error))
            })
        };
        let place =
            |channel: &Channel| recording.channels.iter().position(|c| std::ptr::eq(c, channel));
        chosen.map(|list| list.into_iter().filter_map(place).collect::<Vec<usize>>())
    };
    let voltages = of_kind(ChannelKind::Voltage, &options.voltage, !options.current.is_empty())?;
    let currents = of_kind(ChannelKind::Current, &options.current, !options.voltage.is_empty())?;
    if !voltages.is_empty() && !currents.is_empty() && voltages.len() != currents.len() {
        return Err(format!(
            "{} voltages and {} currents do not make phases; choose as many of each with \
             --voltage and --current",
            voltages.len(),
            currents.len()
        ));
    }
    Ok((voltages, currents))
}
