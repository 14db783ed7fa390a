//! What disturbance recorders kept: of each excerpt the RMS values, and the samples below.

use std::collections::BTreeMap;

use lastmeter_chart::{Axis, Chart, Colour, Figures, INK, Panel};
use lastmeter_record::{RunReader, file, sha256};
use lastmeter_text::{Prose, append, number, plural};
use lastmeter_units::{SimDuration, SimTime};
use lastmeter_waveform::{Channel, ChannelKind, Recording, comtrade};
use serde::Deserialize;

use super::pictures::{read, rows};
use super::section::{NetworkOperation, short_time};
use crate::error::RenderError;
use crate::render::figure::{Csv, Figure, Picture};

/// More excerpts than these are in their files only.
const EXCERPTS_MAX: usize = 6;

/// Of each recorder so many.
const OF_ONE_MAX: usize = 2;

/// A curve has so many points in a picture at most.
const POINTS_MAX: usize = 1500;

/// So many operations of an excerpt are listed below it.
const LISTED_MAX: usize = 8;

/// From here on figures are in kilovolts and kiloamperes.
const KILO_FROM: f64 = 1e4;

/// Heights of both halves, in units of the picture.
const HEIGHTS: (f64, f64) = (100.0, 150.0);

#[derive(Deserialize)]
struct ExcerptRow {
    recorder: String,
    file: String,
    from: String,
    cfg_sha256: String,
    dat_sha256: String,
    /// Where the recorder is; not in older runs.
    #[serde(default)]
    place: Prose,
    /// Whether it keeps currents there; not in older runs.
    #[serde(default)]
    keeps_currents: bool,
}

/// Pictures of excerpts, those of one excerpt together, and what is not drawn.
#[derive(Default)]
pub(super) struct Excerpts {
    pub(super) groups: Vec<Vec<Picture>>,
    pub(super) notes: Vec<String>,
}

/// Of each recorder the first excerpts: RMS above, the waveforms below.
pub(super) fn excerpts(
    reader: &RunReader,
    done: &[NetworkOperation],
    figures: &mut Vec<Figure>,
) -> Result<Excerpts, RenderError> {
    let mut all = Excerpts::default();
    let Some(bytes) = read(reader, file::GRID_WAVEFORMS)? else { return Ok(all) };
    let mut drawn: BTreeMap<String, usize> = BTreeMap::new();
    let mut undrawn: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows::<ExcerptRow>(&bytes) {
        if row.file.is_empty() {
            // What the recorder had no room for, in words.
            all.notes.push(format!("Recorder {}: {}.", row.recorder, row.from));
            continue;
        }
        let count = drawn.entry(row.recorder.clone()).or_default();
        if *count >= OF_ONE_MAX || all.groups.len() >= EXCERPTS_MAX {
            undrawn.entry(row.recorder).or_default().push(row.file);
            continue;
        }
        let Some(recording) = unchanged(reader, &row)? else {
            let name = row.file;
            all.notes.push(format!("{name} was changed since the run, or cannot be read."));
            continue;
        };
        *count += 1;
        all.groups.push(pair(&row, &recording, done, figures));
    }
    for (recorder, files) in undrawn {
        let (count, folder) = (plural(files.len(), "more recording"), file::WAVEFORMS);
        let names = files.join(", ");
        all.notes.push(format!(
            "Recorder {recorder}: {count} not drawn here for lack of room, in {folder}/: {names} \
             (.cfg and .dat)."
        ));
    }
    Ok(all)
}

/// A recording as the run kept it; what was changed since is none.
fn unchanged(reader: &RunReader, row: &ExcerptRow) -> Result<Option<Recording>, RenderError> {
    let [cfg, dat] = files(&row.file);
    let (Some(cfg), Some(dat)) = (read(reader, &cfg)?, read(reader, &dat)?) else {
        return Ok(None);
    };
    if sha256(&cfg) != row.cfg_sha256 || sha256(&dat) != row.dat_sha256 {
        return Ok(None);
    }
    Ok(comtrade::read(&cfg, &dat).ok())
}

fn files(name: &str) -> [String; 2] {
    ["cfg", "dat"].map(|ending| format!("{}/{name}.{ending}", file::WAVEFORMS))
}

/// The voltages of an excerpt, and its currents.
fn pair(
    row: &ExcerptRow,
    recording: &Recording,
    done: &[NetworkOperation],
    figures: &mut Vec<Figure>,
) -> Vec<Picture> {
    let from = row.from.parse().ok().or(recording.start).unwrap_or(SimTime(0));
    let to = from + SimDuration::from_seconds_f64(recording.duration_s());
    let within: Vec<&NetworkOperation> =
        done.iter().filter(|it| (from..=to).contains(&it.time)).collect();
    let context = ExcerptContext::of(row, from, &within);
    let mut pictures = Vec::new();
    let of =
        |kind| recording.channels.iter().filter(move |channel: &&Channel| channel.kind == kind);
    for kind in [ChannelKind::Voltage, ChannelKind::Current] {
        let channels: Vec<&Channel> = of(kind).collect();
        if channels.is_empty() {
            continue;
        }
        // A phase with a voltage has a conductor, so a current of which nothing is kept was none.
        let kept: Vec<usize> = channels.iter().map(|it| colour_of(it)).collect();
        let beside = of(ChannelKind::Voltage).filter(|it| !kept.contains(&colour_of(it)));
        let zero: Vec<String> = match kind {
            ChannelKind::Current => beside.map(|it| it.name.replacen('U', "I", 1)).collect(),
            // Everywhere but at a node a recorder keeps currents, too.
            _ if of(ChannelKind::Current).next().is_none() && row.keeps_currents => {
                vec!["all currents".to_owned()]
            }
            _ => Vec::new(),
        };
        pictures.push(excerpt(&context, kind, &channels, (recording.rate_hz, &zero), figures));
    }
    pictures
}

/// What is common to the pictures of an excerpt.
struct ExcerptContext<'a> {
    row: &'a ExcerptRow,
    from: SimTime,
    /// The instant that is 0 ms: the first operation, or the beginning.
    zero: SimTime,
    marks: Vec<(f64, String)>,
    operations: String,
}

impl<'a> ExcerptContext<'a> {
    fn of(row: &'a ExcerptRow, from: SimTime, done: &[&NetworkOperation]) -> Self {
        let zero = done.first().map_or(from, |it| it.time);
        let after_ms = |time: SimTime| (time - zero).as_seconds_f64() * 1e3;
        let marks: Vec<(f64, String)> =
            done.iter().map(|it| (after_ms(it.time), it.word())).collect();
        let mut operations = match marks.first() {
            Some((_, word)) => format!("0 ms is {} ({word})", short_time(zero)),
            None => format!("0 ms is {}", short_time(zero)),
        };
        for (at_ms, word) in marks.iter().skip(1).take(LISTED_MAX) {
            let at = (at_ms * 1e3).round() / 1e3;
            append(&mut operations, format_args!(", {word} at {} ms", number(at)));
        }
        if marks.len() > LISTED_MAX + 1 {
            append(&mut operations, format_args!(" and {} more", marks.len() - LISTED_MAX - 1));
        }
        Self { row, from, zero, marks, operations }
    }

    /// Milliseconds of a sample of the recording.
    fn at_ms(&self, sample: f64, rate_hz: f64) -> f64 {
        sample / rate_hz * 1e3 - (self.zero - self.from).as_seconds_f64() * 1e3
    }
}

/// The colour of a channel's phase, which is the same in all pictures: a, b, c, neutral.
fn colour_of(channel: &Channel) -> usize {
    let letter = |text: &str| text.chars().last().map(|it| it.to_ascii_lowercase());
    match letter(&channel.phase).or_else(|| letter(&channel.name)) {
        Some('a' | '1') => 0,
        Some('b' | '2') => 1,
        Some('c' | '3') => 2,
        _ => 3,
    }
}

fn excerpt(
    context: &ExcerptContext<'_>,
    kind: ChannelKind,
    channels: &[&Channel],
    (rate_hz, zero): (f64, &[String]),
    figures: &mut Vec<Figure>,
) -> Picture {
    let (letter, word, unit) = match kind {
        ChannelKind::Current => ("i", "currents", "A"),
        _ => ("u", "voltages to earth", "V"),
    };
    let samples = channels.first().map_or(0, |channel| channel.samples.len());
    let every = samples.div_ceil(POINTS_MAX).max(1);
    let peak =
        channels.iter().flat_map(|it| &it.samples).fold(0.0_f64, |most, it| most.max(it.abs()));
    let (scale, shown) =
        if peak >= KILO_FROM { (1e-3, format!("k{unit}")) } else { (1.0, unit.to_owned()) };
    let mut csv = Csv::new(&format!("channel,time_ms,rms_{}", unit.to_lowercase()));
    let largest = if peak > 0.0 { 1.1 * scale * peak } else { 1.0 };
    let begin = context.at_ms(0.0, rate_hz);
    let end = context.at_ms(samples as f64, rate_hz).max(begin + 1e-3);
    let time = || Axis::linear(begin, end, Figures::Plain).named("time in ms");
    let axis = |from: f64, to: f64, what: &str| {
        Axis::linear(from, to, Figures::Plain).named(format!("{what} in {shown}"))
    };
    let rms_axis = axis(0.0, largest / std::f64::consts::SQRT_2, "RMS of 20 ms");
    let mut values = Panel::new(time(), rms_axis, HEIGHTS.0).without_x_figures();
    let mut waves = Panel::new(time(), axis(-largest, largest, "instantaneous"), HEIGHTS.1);
    let title = format!("{}: {word}", context.row.file);
    let mut chart = Chart::new(&*title);
    for channel in channels {
        let colour = Colour::of_curve(colour_of(channel));
        chart = chart.with_key(colour, &*channel.name);
        let at_ms = |sample: f64| context.at_ms(sample, rate_hz);
        let all = channel.samples.iter().enumerate().step_by(every);
        waves.line(all.map(|(at, value)| (at_ms(at as f64), scale * value)), colour, 1.0);
        let rms = sliding_rms(&channel.samples, rate_hz);
        // Samples are in the COMTRADE file, one by one.
        for (sample, value) in &rms {
            csv.line(&[&channel.name], &[at_ms(*sample), *value]);
        }
        values.line(rms.iter().map(|(at, value)| (at_ms(*at), scale * value)), colour, 1.3);
    }
    for (at_ms, word) in &context.marks {
        values.mark(*at_ms, &**word, INK, (1.0, "3 3"));
        waves.mark(*at_ms, "", INK, (1.0, "3 3"));
    }
    let name = format!("waveform-{}-{letter}", context.row.file);
    let svg = chart.with_panel(values).with_panel(waves).svg();
    let figure = Figure::drawn(name, svg, csv.finish());
    let mut caption = context.operations.clone();
    if context.row.place != Prose::default() {
        append(&mut caption, format_args!("; recorder at {}", context.row.place));
    }
    append(&mut caption, format_args!("; peak {} {shown}", number(scale * peak)));
    if !zero.is_empty() {
        append(&mut caption, format_args!("; zero throughout: {}", zero.join(", ")));
    }
    caption.push_str("; RMS over 20 ms, as in the CSV; all samples are in the COMTRADE files");
    let picture = Picture::of(figure, title, caption, figures);
    picture.with_files(&files(&context.row.file))
}

/// The RMS value of the 20 ms before each place, counted in samples, every 2 ms: of a picture, not
/// of a verdict.
fn sliding_rms(samples: &[f64], rate_hz: f64) -> Vec<(f64, f64)> {
    let width = ((0.02 * rate_hz).round() as usize).max(1);
    let step = ((0.002 * rate_hz).round() as usize).max(1);
    if samples.len() < width {
        return Vec::new();
    }
    let places = (0..=samples.len() - width).step_by(step);
    places
        .map(|from| {
            let square: f64 = samples[from..from + width].iter().map(|it| it * it).sum();
            ((from + width) as f64, (square / width as f64).sqrt())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::at;
    use super::*;

    #[test]
    fn the_value_of_a_sine_is_its_amplitude_over_the_root_of_two() {
        let rate_hz = 10_000.0;
        let wave = |k: usize| (std::f64::consts::TAU * 50.0 * k as f64 / rate_hz).sin() * 100.0;
        let samples: Vec<f64> = (0..2000).map(wave).collect();
        let rms = sliding_rms(&samples, rate_hz);
        assert_eq!(rms.len(), 91);
        assert!(rms.iter().all(|(_, value)| (value - 70.710_678).abs() < 1e-4));
        assert!(sliding_rms(&samples[..100], rate_hz).is_empty());
        // It never shows what comes later.
        let step: Vec<f64> = (0..2000).map(|k| if k < 1000 { 0.0 } else { 1.0 }).collect();
        let rms = sliding_rms(&step, rate_hz);
        assert!(rms.iter().all(|(sample, value)| (*value > 0.0) == (*sample > 1000.0)));
    }

    fn recording(channels: &[(&str, f64)]) -> Recording {
        let channel = |(name, peak): &(&str, f64)| Channel {
            name: (*name).to_owned(),
            phase: name[1..].to_lowercase(),
            kind: if name.starts_with('U') { ChannelKind::Voltage } else { ChannelKind::Current },
            samples: (0..2000).map(|k| peak * (f64::from(k) * 0.0314).sin()).collect(),
            ..Channel::default()
        };
        let channels = channels.iter().map(channel).collect();
        Recording { rate_hz: 10_000.0, channels, ..Recording::default() }
    }

    fn done(ms: i64, element: &str, what: &str) -> NetworkOperation {
        let time = at(10) + SimDuration::from_milliseconds(ms);
        NetworkOperation { time, element: element.to_owned(), what: what.to_owned() }
    }

    fn drawn(channels: &[(&str, f64)], all: &[NetworkOperation]) -> (Vec<Picture>, Vec<Figure>) {
        let row = ExcerptRow {
            recorder: "r".to_owned(),
            file: "r-1".to_owned(),
            from: at(10).to_string(),
            cfg_sha256: String::new(),
            dat_sha256: String::new(),
            place: "switch F1, at its end fork".into(),
            keeps_currents: true,
        };
        let mut figures = Vec::new();
        (pair(&row, &recording(channels), all, &mut figures), figures)
    }

    #[test]
    fn a_phase_keeps_its_colour_where_another_has_no_curve() {
        let channels = [("UA", 16e3), ("UB", 16e3), ("UC", 16e3), ("IA", 10.0), ("IC", 10.0)];
        let (pictures, figures) = drawn(&channels, &[]);
        let svg = figures[0].svg.clone().unwrap();
        let [a, b, c] = [0, 1, 2].map(|phase| Colour::of_curve(phase).to_string());
        assert!([&a, &b, &c].iter().all(|word| svg.contains(*word)));
        let svg = figures[1].svg.clone().unwrap();
        assert!(svg.contains(&a) && svg.contains(&c) && !svg.contains(&b));
        assert!(pictures[1].caption.contains("zero throughout: IB"));
    }

    #[test]
    fn time_counts_from_the_first_operation_which_are_marked() {
        let all = [
            done(-500, "switch:x", "opened"),
            done(100, "fault:tree", "ignited"),
            done(133, "fuse-link:F1", "melted"),
        ];
        let (pictures, figures) = drawn(&[("UA", 16e3)], &all);
        let (caption, svg) = (&pictures[0].caption, figures[0].svg.clone().unwrap());
        assert!(caption.contains("(tree ignited), F1 melted at 33 ms"), "{caption}");
        assert!(caption.contains("switch F1, at its end fork; peak 16 kV"), "{caption}");
        assert!(caption.contains("zero throughout: all currents"), "{caption}");
        assert!(svg.contains("tree ignited") && svg.contains("F1 melted"));
        assert!(!svg.contains("opened") && svg.contains("RMS of 20 ms in kV"));
        let csv = figures[0].csv.clone().unwrap();
        assert!(csv.starts_with("channel,time_ms,rms_v\nUA,-80,"), "{}", &csv[..40]);
        assert!(pictures[0].links.contains("href=\"waveforms/r-1.cfg\""));
    }
}
