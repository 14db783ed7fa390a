//! `lastmeter rts check`: every mistake of a point map, or what it means.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use lastmeter_bench::output::{TextFormat, complain, print_err, print_out, read_text};
use lastmeter_language::{Texts, failure};
use lastmeter_reports::ExitCode;
use lastmeter_rts::FrameField;
use lastmeter_rts::point_map::{
    Commanded, Feed, FeedSource, Meaning, Point, PointDirection, PointMap, are_shifts_watched,
    listed_points, unnoticeable_shifts, villas_points,
};
use serde_json::{Value, json};

/// Which maps are checked.
#[derive(Clone, Debug, Args)]
pub struct CheckOptions {
    /// Point maps; with --import what they are made from
    #[arg(required = true)]
    pub maps: Vec<PathBuf>,
    /// Print the beginning of a map instead: from a `VILLASnode` configuration as JSON, or from a
    /// list of points, `name,type[,unit[,direction]]` one per line
    #[arg(long, value_enum)]
    pub import: Option<Import>,
    /// With `--import villas`: which node of the configuration
    #[arg(long, value_name = "NAME")]
    pub node: Option<String>,
    /// For people, or one JSON object per map and line
    #[arg(long, value_enum, default_value_t = TextFormat::Human)]
    pub format: TextFormat,
}

/// What a map is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Import {
    /// A `VILLASnode` configuration as JSON
    Villas,
    /// A list of points
    List,
}

/// Checks all of them and returns the exit code.
pub(super) fn check(options: &CheckOptions) -> ExitCode {
    let mut code = ExitCode::Passed;
    for path in &options.maps {
        match one(path, options) {
            Ok(true) => {}
            Ok(false) => code = ExitCode::BadInput,
            Err(message) => code = complain(&message),
        }
    }
    code
}

/// Whether a map has no mistake; those that it has are shown at their places.
fn one(path: &Path, options: &CheckOptions) -> Result<bool, String> {
    if let Some(import) = options.import {
        let name = path.display();
        let text = read_text(path)?;
        let imported = match import {
            Import::Villas => villas_points(&text, options.node.as_deref()),
            Import::List => listed_points(&text),
        };
        print_out(imported.map_err(|error| format!("{name}: {error}"))?.trim_end());
        return Ok(true);
    }
    let text = read_text(path)?;
    let map = match PointMap::parse(&text) {
        Ok(map) => map,
        Err(mistakes) => {
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            let texts = Texts::new(path.display().to_string(), text);
            let found = mistakes.0.into_iter().map(|mistake| mistake.diagnostic).collect();
            print_err(failure(found, texts).render(false).trim_end());
            return Ok(false);
        }
    };
    match options.format {
        TextFormat::Human => print_out(described(&map).trim_end()),
        TextFormat::Json => print_out(&as_json(path, &map).to_string()),
    }
    Ok(true)
}

/// What a point stands for, for people.
fn meaning(point: &Point) -> String {
    match &point.meaning {
        Meaning::Measured { device, quantity } => format!("{device} {}", quantity.name()),
        Meaning::Waveform { device, channel } => format!("{device} waveform {channel}"),
        Meaning::Status(role) => format!("status {role}"),
        Meaning::Raw => {
            if let Some(fed) = point.write.as_ref().and_then(|write| write.fed.as_ref()) {
                return source(fed);
            }
            let commanded = point.write.as_ref().and_then(|write| write.commanded.as_ref());
            commanded.map_or_else(
                || "-".to_owned(),
                |Commanded { device, is_breaker }| {
                    format!("{device} {}", if *is_breaker { "setBreaker" } else { "setPoint" })
                },
            )
        }
    }
}

/// Where the value of a fed point comes from.
fn source(fed: &Feed) -> String {
    let (from, every) = match &fed.source {
        FeedSource::Device { device, quantity, every } => {
            (format!("{device} {}", quantity.name()), Some(every))
        }
        FeedSource::Topic { filter, at } => (format!("topic {filter} {}", at.value), None),
        FeedSource::Rest { path, at, every } => (format!("{path} {}", at.value), Some(every)),
    };
    let every = every.map_or_else(String::new, |every| format!(" every {every}"));
    format!("from {from}{every}, stale after {}", fed.stale_after)
}

/// Devices that take commands and send nothing: the platform gets to know a device by its first
/// message, so that nobody can give them one.
fn unknown_to_the_platform(map: &PointMap) -> Vec<String> {
    let is_sent = |name: &str| {
        map.of_direction(PointDirection::FromSimulator).any(|point| match &point.meaning {
            Meaning::Measured { device, .. } | Meaning::Waveform { device, .. } => device == name,
            Meaning::Status(_) | Meaning::Raw => false,
        })
    };
    let mut names = Vec::new();
    for point in map.of_direction(PointDirection::ToSimulator) {
        let commanded = point.write.as_ref().and_then(|write| write.commanded.as_ref());
        let Some(Commanded { device, .. }) = commanded else { continue };
        if !is_sent(device) && !names.contains(device) {
            names.push(device.clone());
        }
    }
    names
}

/// The declared range in the point's unit.
fn range(point: &Point) -> String {
    let Some(range) = point.range else { return "-".to_owned() };
    let of = |si: f64| si / point.unit.factor;
    format!("{} to {} {}", of(range.least), of(range.greatest), point.unit.symbol).trim().to_owned()
}

fn described(map: &PointMap) -> String {
    let simulator = &map.simulator;
    let (format, card, rate) = (simulator.wire_format, simulator.card, simulator.sample_rate);
    // Writing to a String cannot fail.
    let mut text = format!("{}: {format}, {rate} Hz, card {card}\n", simulator.name);
    for direction in [PointDirection::FromSimulator, PointDirection::ToSimulator] {
        let points: Vec<&Point> = map.of_direction(direction).collect();
        if points.is_empty() {
            continue;
        }
        let limit = card.rate_max(points.len() + format.header_words());
        let limit = limit.map_or_else(String::new, |limit| format!(", card at most {limit} Hz"));
        let _ = writeln!(text, "{direction}: {} points{limit}", points.len());
        for (number, point) in points.into_iter().enumerate() {
            let _ = write!(
                text,
                "  {number:>3}  {:<20} {:<8} {:<28} {}",
                point.name,
                point.signal_type.word(),
                range(point),
                meaning(point)
            );
            if let Some(place) = point.place {
                let FrameField { byte_offset, bit_offset, width_bits, .. } = place;
                let (kind, order) = (place.field_type, place.byte_order);
                let _ = write!(
                    text,
                    "  at byte {byte_offset} bit {bit_offset}: {width_bits} bits {kind}, {order} \
                     endian"
                );
            }
            if let Some(write) = &point.write {
                let steepest = write.greatest_change_per_second;
                let steepest = steepest.map_or_else(String::new, |most| {
                    format!(
                        ", at most {} {} per second",
                        most / point.unit.factor,
                        point.unit.symbol
                    )
                });
                let of = |si: f64| si / point.unit.factor;
                let (initial, safe) = (of(write.initial), of(write.safe_value));
                let by = write.reflected_by.and_then(|place| map.points.get(place));
                let by = by.map_or_else(String::new, |by| format!(", reflected by {}", by.name));
                let _ = write!(text, "  writable: first {initial}, on loss {safe}{steepest}{by}");
            }
            text.push('\n');
        }
    }
    for device in unknown_to_the_platform(map) {
        let _ = writeln!(
            text,
            "`{device}` takes commands and sends nothing: the platform does not know a device \
             before its first reading, so that commands for it are refused (404); let a point with \
             `direction = \"from-simulator\"` be its"
        );
    }
    let shifts = unnoticeable_shifts(map);
    if !are_shifts_watched(map) {
        text.push_str(
            "shifts are not looked for: the points are not words of one size and byte order in a \
             row\n",
        );
    } else if shifts.is_empty() {
        text.push_str("a shift by one word is noticed everywhere\n");
    }
    for shift in shifts {
        let _ = writeln!(text, "not noticed: {shift}");
    }
    text
}

fn as_json(path: &Path, map: &PointMap) -> Value {
    let point = |point: &Point| {
        json!({
            "name": point.name, "direction": point.direction.word(),
            "type": point.signal_type.word(), "unit": point.unit.symbol,
            "least": point.range.map(|range| range.least / point.unit.factor),
            "greatest": point.range.map(|range| range.greatest / point.unit.factor),
            "stands_for": meaning(point), "is_writable": point.write.is_some(),
            "is_fed": point.write.as_ref().is_some_and(|write| write.fed.is_some()),
        })
    };
    let shifts: Vec<String> = unnoticeable_shifts(map).iter().map(ToString::to_string).collect();
    json!({
        "map": path.display().to_string(), "simulator": map.simulator.name,
        "wire_format": map.simulator.wire_format.word(), "sample_rate_hz": map.simulator.sample_rate,
        "points": map.points.iter().map(point).collect::<Vec<_>>(), "not_noticed": shifts,
        "are_shifts_watched": are_shifts_watched(map),
        "devices_without_readings": unknown_to_the_platform(map),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_described_in_its_own_units() {
        let text = "format = 1\n[simulator]\nname = \"rack\"\nwire_format = \"gtnet-skt\"\n\
                    card = \"gtnetx2\"\nsample_rate = \"1 kHz\"\n[[point]]\nname = \"u\"\n\
                    direction = \"from-simulator\"\ntype = \"float\"\nunit = \"kV\"\n\
                    least = \"0 V\"\ngreatest = \"300 V\"\ndevice = \"house\"\n\
                    quantity = \"electricity.voltage.rms.l1\"\n[[point]]\nname = \"tap\"\n\
                    direction = \"to-simulator\"\ntype = \"integer\"\nleast = -8\ngreatest = 8\n\
                    greatest_change_per_second = 1\ninitial = 2\nsafe_value = 0\n";
        let limits = "least = \"0 kW\"\ngreatest = \"9 kW\"\nunit = \"kW\"\ntype = \"float\"\n\
                      greatest_change_per_second = \"1 kW\"\ninitial = \"0 kW\"\n\
                      safe_value = \"0 kW\"\ndirection = \"to-simulator\"\nstale_after = \"5 s\"\n";
        let fed =
            |name: &str, keys: &str| format!("[[point]]\nname = \"{name}\"\n{limits}{keys}\n");
        let device =
            "from = \"device:hall/electricity.power.active.consumed.total\"\nevery = \"2 s\"";
        let topic = "from = \"topic:t/+\"\npointer = \"/p\"";
        let rest = "from = \"rest:/api/v1/x\"\npointer = \"/p\"";
        let fed = [fed("a", device), fed("b", topic), fed("c", rest)].concat();
        let map = PointMap::parse(&format!("{text}{fed}")).unwrap();
        let described = described(&map);
        for expected in [
            "rack: gtnet-skt, 1000 Hz, card gtnetx2",
            "from-simulator: 1 points, card at most 5000 Hz",
            "0 to 0.3 kV",
            "house electricity.voltage.rms.l1",
            "-8 to 8",
            "writable: first 2, on loss 0, at most 1  per second",
            "from hall electricity.power.active.consumed.total every 2 s, stale after 5 s",
            "from topic t/+ /p, stale after 5 s",
            "from /api/v1/x /p every 1 s, stale after 5 s",
        ] {
            assert!(described.contains(expected), "{expected}: {described}");
        }
        let json = as_json(Path::new("rack.toml"), &map);
        assert_eq!(json["points"][0]["greatest"], 0.3);
        assert_eq!(json["points"][1]["is_writable"], true);
        assert_eq!(
            (&json["points"][1]["is_fed"], &json["points"][2]["is_fed"]),
            (&false.into(), &true.into())
        );
        assert_eq!(json["are_shifts_watched"], true);
    }

    #[test]
    fn of_a_described_frame_the_places_are_shown_and_no_shift_is_promised_to_be_noticed() {
        let point = |name: &str, kind: &str, keys: &str| {
            format!(
                "[[point]]\nname = \"{name}\"\ndirection = \"from-simulator\"\n\
                 type = \"{kind}\"\n{keys}\n"
            )
        };
        let of = |second: &str| {
            let text = "format = 1\n[simulator]\nname = \"rack\"\nwire_format = \"frame\"\n\
                        sample_rate = \"1 kHz\"\nbyte_order = \"little\"\n";
            let first = point("u", "float", "bits = 64\nleast = 1\ngreatest = 2");
            let map = PointMap::parse(&format!("{text}{first}{second}")).unwrap();
            described(&map)
        };
        let mixed = of(&point("n", "integer", "bits = 12\nunsigned = true"));
        assert!(mixed.contains("at byte 8 bit 0: 12 bits unsigned, little endian"), "{mixed}");
        assert!(mixed.contains("shifts are not looked for"), "{mixed}");
        assert!(!mixed.contains("noticed everywhere"), "{mixed}");
        let equal = of(&point("w", "float", "bits = 64\nleast = 7\ngreatest = 9"));
        assert!(equal.contains("a shift by one word is noticed everywhere"), "{equal}");
    }
}
