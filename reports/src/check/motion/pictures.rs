//! Pictures of a network in motion: what protective devices acted on, how far the dark area
//! reached, and what disturbance recorders kept.

use std::collections::BTreeMap;

use lastmeter_record::{Event, RecordError, RunReader, field, file, sha256};
use lastmeter_text::number;
use lastmeter_waveform::{Channel, ChannelKind, comtrade};
use serde::Deserialize;

use crate::error::RenderError;
use crate::render::figure::{Csv, Figure, Key, Picture};
use crate::render::plot::{Axis, Curve, Curves};

/// More excerpts than these are in their files only.
const EXCERPTS_MAX: usize = 6;

/// Of each recorder so many.
const OF_ONE_MAX: usize = 2;

/// More devices than these make a picture that nobody can read.
const DEVICES_MAX: usize = 4;

/// A curve has so many points in a picture at most.
const POINTS_MAX: usize = 1500;

/// Where a device acted.
pub(super) struct Acted {
    element: String,
    current_a: f64,
    time_s: f64,
}

impl Acted {
    pub(super) fn of(event: &Event) -> Option<Self> {
        let number = |name: &str| event.get(name).and_then(serde_json::Value::as_f64);
        let (current_a, time_s) = (number(field::CURRENT_A)?, number(field::AFTER_S)?);
        let element = event.text(field::ELEMENT)?.to_owned();
        (current_a > 0.0 && time_s > 0.0).then_some(Self { element, current_a, time_s })
    }
}

/// All there are.
pub(super) fn pictures(
    reader: &RunReader,
    points: &[Acted],
    figures: &mut Vec<Figure>,
) -> Result<Vec<Picture>, RenderError> {
    let mut pictures = Vec::new();
    pictures.extend(time_current(reader, points, figures)?);
    pictures.extend(dark(reader, figures)?);
    pictures.extend(excerpts(reader, figures)?);
    Ok(pictures)
}

fn read(reader: &RunReader, name: &str) -> Result<Option<Vec<u8>>, RenderError> {
    let path = reader.dir().join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(RecordError::io("read", &path)(error).into()),
    }
}

/// Rows of a table; those that cannot be read are left out: its seal tells of a change.
fn rows<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Vec<T> {
    csv::Reader::from_reader(bytes).deserialize().filter_map(Result::ok).collect()
}

#[derive(Deserialize)]
struct CurveRow {
    element: String,
    curve: String,
    current_a: f64,
    time_s: f64,
}

/// The curves of devices that acted, or of the first ones, with where they acted.
fn time_current(
    reader: &RunReader,
    points: &[Acted],
    figures: &mut Vec<Figure>,
) -> Result<Option<Picture>, RenderError> {
    let Some(bytes) = read(reader, file::GRID_CURVES)? else { return Ok(None) };
    let mut elements: Vec<String> = Vec::new();
    let mut curves: BTreeMap<(usize, String), Vec<(f64, f64)>> = BTreeMap::new();
    let rows: Vec<CurveRow> = rows(&bytes);
    let acted = |name: &str| points.iter().any(|it| it.element == name);
    for wanted in [true, false] {
        for row in rows.iter().filter(|row| acted(&row.element) == wanted) {
            let known = elements.contains(&row.element);
            if !known && elements.len() < DEVICES_MAX {
                elements.push(row.element.clone());
            }
        }
    }
    for row in rows {
        let Some(place) = elements.iter().position(|it| *it == row.element) else { continue };
        curves.entry((place, row.curve)).or_default().push((row.current_a, row.time_s));
    }
    if curves.is_empty() {
        return Ok(None);
    }
    let mut csv = Csv::new(&["element", "curve", "current_a", "time_s"]);
    let mut drawn = Vec::new();
    for ((place, name), points) in curves {
        for (current_a, time_s) in &points {
            csv.line(&[&elements[place], &name], &[*current_a, *time_s]);
        }
        drawn.push(Curve { colour: place, points, is_dots: false });
    }
    for (place, element) in elements.iter().enumerate() {
        let own = points.iter().filter(|it| it.element == *element);
        let own: Vec<(f64, f64)> = own.map(|it| (it.current_a, it.time_s)).collect();
        for (current_a, time_s) in &own {
            csv.line(&[element, "acted"], &[*current_a, *time_s]);
        }
        drawn.push(Curve { colour: place, points: own, is_dots: true });
    }
    // Around where they act, and from where each begins.
    let smallest = drawn.iter().flat_map(|it| &it.points).map(|it| it.0).fold(1e5, f64::min);
    let largest = points.iter().map(|it| it.current_a).fold(100.0 * smallest, f64::max);
    let shortest = points.iter().map(|it| it.time_s).fold(0.01, f64::min);
    let decade = |value: f64, step: fn(f64) -> f64| libm::pow(10.0, step(libm::log10(value)));
    let x = (decade(smallest, f64::floor), decade(largest, f64::ceil));
    let y = (decade(0.5 * shortest, f64::floor), 1000.0);
    let svg = Curves {
        x: Axis { label: "RMS current in A".to_owned(), range: x, is_logarithmic: true },
        y: Axis { label: "time in s".to_owned(), range: y, is_logarithmic: true },
        all: drawn,
        height: 380,
    }
    .svg()?;
    let name = "grid-time-current".to_owned();
    let figure = Figure { name, svg: Some(svg), csv: Some(csv.finish()) };
    let caption = "curves of protective devices (of a fuse minimum melting and total clearing), and \
                   dots where they acted: the RMS current since they picked up, and how long it \
                   flowed";
    let keys = elements.into_iter().enumerate();
    let keys = keys.map(|(place, name)| Key { colour: key_of(place), name });
    Ok(Some(Picture::of(figure, "time and current", caption, figures).with_keys(keys)))
}

/// The network when most loads had no supply.
fn dark(reader: &RunReader, figures: &mut Vec<Figure>) -> Result<Option<Picture>, RenderError> {
    let Some(bytes) = read(reader, file::GRID_DARK)? else { return Ok(None) };
    let svg = String::from_utf8_lossy(&bytes).into_owned();
    let figure = Figure { name: "grid-dark".to_owned(), svg: Some(svg), csv: None };
    let caption = "the network at the first instant at which most loads had no supply; point at a \
                   node for its name";
    Ok(Some(Picture::of(figure, "the dark area", caption, figures)))
}

#[derive(Deserialize)]
struct ExcerptRow {
    recorder: String,
    file: String,
    from: String,
    cfg_sha256: String,
    dat_sha256: String,
}

/// Of each recorder the first excerpts: half-cycle RMS above, the waveforms below.
fn excerpts(reader: &RunReader, figures: &mut Vec<Figure>) -> Result<Vec<Picture>, RenderError> {
    let Some(bytes) = read(reader, file::GRID_WAVEFORMS)? else { return Ok(Vec::new()) };
    let mut pictures = Vec::new();
    let mut drawn: BTreeMap<String, usize> = BTreeMap::new();
    let mut shown = 0;
    for row in rows::<ExcerptRow>(&bytes).into_iter().filter(|row| !row.file.is_empty()) {
        let count = drawn.entry(row.recorder.clone()).or_default();
        if *count >= OF_ONE_MAX || shown >= EXCERPTS_MAX {
            continue;
        }
        let folder = file::WAVEFORMS;
        let cfg = read(reader, &format!("{folder}/{}.cfg", row.file))?;
        let dat = read(reader, &format!("{folder}/{}.dat", row.file))?;
        let (Some(cfg), Some(dat)) = (cfg, dat) else { continue };
        // What was changed since is not what the run kept.
        if sha256(&cfg) != row.cfg_sha256 || sha256(&dat) != row.dat_sha256 {
            continue;
        }
        let Ok(recording) = comtrade::read(&cfg, &dat) else { continue };
        *count += 1;
        shown += 1;
        for (kind, word, unit) in [
            (ChannelKind::Voltage, "voltages to earth", "V"),
            (ChannelKind::Current, "currents", "A"),
        ] {
            let channels: Vec<&Channel> =
                recording.channels.iter().filter(|channel| channel.kind == kind).collect();
            if channels.is_empty() {
                continue;
            }
            let title = format!("{}: {word} from {}", row.recorder, row.from);
            let name = format!("waveform-{}-{}", row.file, kind_letter(kind));
            let about = (name, title, unit);
            pictures.push(excerpt(about, &channels, recording.rate_hz, figures)?);
        }
    }
    Ok(pictures)
}

fn kind_letter(kind: ChannelKind) -> &'static str {
    if kind == ChannelKind::Current { "i" } else { "u" }
}

fn excerpt(
    (name, title, unit): (String, String, &str),
    channels: &[&Channel],
    rate_hz: f64,
    figures: &mut Vec<Figure>,
) -> Result<Picture, RenderError> {
    let samples = channels.first().map_or(0, |channel| channel.samples.len());
    let end_ms = samples as f64 / rate_hz * 1e3;
    let every = samples.div_ceil(POINTS_MAX).max(1);
    let mut csv = Csv::new(&["channel", "time_ms", "rms"]);
    let (mut waves, mut values) = (Vec::new(), Vec::new());
    let mut largest = 0.0_f64;
    for (colour, channel) in channels.iter().enumerate() {
        let at_ms = |sample: usize| sample as f64 / rate_hz * 1e3;
        let all = channel.samples.iter().enumerate().step_by(every);
        let points: Vec<(f64, f64)> = all.map(|(at, value)| (at_ms(at), *value)).collect();
        let rms = sliding_rms(&channel.samples, rate_hz);
        largest = points.iter().map(|it| it.1.abs()).fold(largest, f64::max);
        // As they flowed is in the COMTRADE file, sample by sample.
        for (time_ms, value) in &rms {
            csv.line(&[&channel.name], &[*time_ms, *value]);
        }
        waves.push(Curve { colour, points, is_dots: false });
        values.push(Curve { colour, points: rms, is_dots: false });
    }
    let largest = if largest > 0.0 { 1.1 * largest } else { 1.0 };
    let x = |label: &str| Axis {
        label: label.to_owned(),
        range: (0.0, end_ms.max(1e-3)),
        is_logarithmic: false,
    };
    let y = |label: String, range| Axis { label, range, is_logarithmic: false };
    let wave_y = y(format!("{unit}, as it flowed"), (-largest, largest));
    let waves = Curves { x: x("ms"), y: wave_y, all: waves, height: 236 }.svg()?;
    let rms_y = y(format!("{unit}, RMS of 20 ms"), (0.0, largest / std::f64::consts::SQRT_2));
    let rms = Curves { x: x("ms"), y: rms_y, all: values, height: 180 }.svg()?;
    let both = stacked(&rms, &waves, (180, 236));
    let figure = Figure { name, svg: Some(both), csv: Some(csv.finish()) };
    let most =
        channels.iter().flat_map(|it| &it.samples).fold(0.0_f64, |most, it| most.max(it.abs()));
    let caption = format!("at most {} {unit}; the file has every sample", number(most));
    let keys = channels.iter().enumerate();
    let keys = keys.map(|(place, it)| Key { colour: key_of(place), name: it.name.clone() });
    Ok(Picture::of(figure, title, caption, figures).with_keys(keys))
}

/// The style of the key of a colour of the palette: blue, orange, teal, violet.
fn key_of(place: usize) -> usize {
    [1, 4, 2, 3][place % 4]
}

/// One picture above the other.
fn stacked(upper: &str, lower: &str, (first, second): (u32, u32)) -> String {
    let height = first + second;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 560 {height}\" width=\"560\" \
         height=\"{height}\">{upper}<g transform=\"translate(0 {first})\">{lower}</g></svg>"
    )
}

/// The RMS value of the 20 ms around each instant, every 2 ms: of a picture, not of a verdict.
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
            let middle_ms = (from as f64 + 0.5 * width as f64) / rate_hz * 1e3;
            (middle_ms, (square / width as f64).sqrt())
        })
        .collect()
}

#[cfg(test)]
mod tests {
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
    }
}
