//! The beginnings of a map from what a laboratory already has. What the source does not know
//! stands in the text as comments to fill in, so that a map is never run with a guess.

use std::fmt::Write as _;

use lastmeter_params::{WrittenUnit, is_name, nearest, quote};
use lastmeter_table::{TableError, rows};
use serde_json::{Map, Value as Json};

use super::format::WireFormat;
use super::{PointDirection, StatusRole};
use crate::ByteOrder;
use crate::sample::SignalType;

/// The most signals that one `{count, type}` may stand for.
const COUNT_MAX: u64 = 65_535;

/// Why a text is not imported.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ImportError {
    /// The text form of libconfig.
    #[error(
        "this is VILLASnode's configuration in libconfig's text form, expected JSON: convert it \
         with `villas conf2json FILE > FILE.json`"
    )]
    Libconfig,
    /// Not JSON.
    #[error("not JSON, line {line}: {reason}")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The message of the JSON parser.
        reason: String,
    },
    /// Something of the configuration is not as it should be.
    #[error("`{place}`: found {found}, expected {expected}")]
    Unexpected {
        /// The keys that lead there.
        place: String,
        /// What stands there.
        found: String,
        /// What is allowed there.
        expected: String,
    },
    /// Lines of a list, each with what is wrong.
    #[error("{}", .0.join("\n"))]
    Lines(Vec<String>),
}

struct Signal {
    name: String,
    direction: PointDirection,
    carried_as: SignalType,
    unit: Option<String>,
}

/// What a source knows of the simulator.
struct Source<'a> {
    /// What the text was made from.
    origin: &'a str,
    name: &'a str,
    /// The format, and where that is not certain, why.
    format: (Option<WireFormat>, Option<String>),
    dev_id: Option<i64>,
    /// Byte order and bits of all values of `raw`.
    raw: Option<(ByteOrder, u64)>,
}

/// Makes the text of a map from a node of a `VILLASnode` configuration in JSON: `in.signals` come
/// from the simulator, `out.signals` go to it; each is a list of `{name, type, unit}`, or
/// `{count, type}`. Without `node` the configuration has to have one node only.
///
/// # Errors
/// For libconfig's text form, text that is not JSON, and signals that cannot be read.
pub fn villas_points(text: &str, node: Option<&str>) -> Result<String, ImportError> {
    let root: Json = serde_json::from_str(text).map_err(|error| not_json(text, &error))?;
    let nodes = root.get("nodes").and_then(Json::as_object);
    let Some(nodes) = nodes else {
        return Err(unexpected("nodes", root.get("nodes"), "an object with the nodes"));
    };
    let (name, node) = chosen(nodes, node)?;
    let place = format!("nodes.{name}");
    let mut signals = Vec::new();
    for (key, direction) in
        [("in", PointDirection::FromSimulator), ("out", PointDirection::ToSimulator)]
    {
        let found = node.get(key).and_then(|way| way.get("signals"));
        // Signals may stand beside `in` as well, for both ways; the way's own ones come first.
        let found = found.or_else(|| node.get("signals").filter(|_| key == "in"));
        if let Some(found) = found {
            read_signals(found, &format!("{place}.{key}.signals"), direction, &mut signals)?;
        }
    }
    if signals.is_empty() {
        let place = format!("{place}.in.signals");
        return Err(unexpected(&place, None, "a list of signals, or `{count, type}`"));
    }
    let origin = "a configuration of VILLASnode";
    let format = villas_format(node);
    let dev_id = node.pointer("/format/dev_id").and_then(Json::as_i64);
    let raw = (format.0 == Some(WireFormat::Frame)).then(|| villas_raw(node));
    Ok(map_text(&Source { origin, name, format, dev_id, raw }, &signals))
}

fn not_json(text: &str, error: &serde_json::Error) -> ImportError {
    let line_is_setting = |line: &str| {
        let line = line.trim_start();
        let end = line.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '*')));
        let rest = end.filter(|end| *end > 0).map_or("", |end| line[end..].trim_start());
        rest.starts_with(['=', ':']) || line.starts_with("@include")
    };
    if text.lines().any(line_is_setting) {
        return ImportError::Libconfig;
    }
    ImportError::NotJson { line: error.line(), reason: error.to_string() }
}

fn unexpected(place: &str, found: Option<&Json>, expected: &str) -> ImportError {
    let found = match found {
        None => "nothing".to_owned(),
        Some(Json::Object(_)) => "an object".to_owned(),
        Some(Json::Array(_)) => "a list".to_owned(),
        Some(value) => format!("`{value}`"),
    };
    ImportError::Unexpected { place: place.to_owned(), found, expected: expected.to_owned() }
}

fn chosen<'a>(
    nodes: &'a Map<String, Json>,
    wanted: Option<&str>,
) -> Result<(&'a str, &'a Json), ImportError> {
    let names: Vec<&str> = nodes.keys().map(String::as_str).collect();
    let found = match (wanted, names.as_slice()) {
        (Some(wanted), _) => nodes.get_key_value(wanted),
        (None, [only]) => nodes.get_key_value(*only),
        (None, _) => None,
    };
    found.map(|(name, node)| (name.as_str(), node)).ok_or_else(|| ImportError::Unexpected {
        place: "nodes".to_owned(),
        found: wanted.map_or_else(
            || format!("{} nodes", names.len()),
            |wanted| format!("no node `{wanted}`"),
        ),
        expected: format!("the name of one of: {}", names.join(", ")),
    })
}

/// The wire format of a node. Where the configuration leaves it out, it depends on the kind of
/// node, and the text leaves it to be confirmed.
fn villas_format(node: &Json) -> (Option<WireFormat>, Option<String>) {
    let format = node.get("format");
    let named = format.and_then(Json::as_str);
    let named = named.or_else(|| format.and_then(|format| format.get("type")?.as_str()));
    let has_header = node.pointer("/format/fake").and_then(Json::as_bool) == Some(true);
    let known = match named {
        Some("gtnet") if has_header => WireFormat::GtnetSktHeader,
        Some("gtnet") => WireFormat::GtnetSkt,
        Some("opal.asyncip") => WireFormat::OpalAsyncIp,
        Some("villas.binary") => WireFormat::VillasBinary,
        Some("json") => WireFormat::VillasJson,
        Some("protobuf") => WireFormat::VillasProtobuf,
        Some("raw") => WireFormat::Frame,
        Some(other) => return (None, Some(format!("the source has `{other}`"))),
        None => return (None, Some("the source has no `format`".to_owned())),
    };
    (Some(known), None)
}

/// Byte order and bits of `raw`, which are little endian and 32 unless given (`VILLASnode` 1.2.0,
/// `lib/formats/raw.cpp`).
fn villas_raw(node: &Json) -> (ByteOrder, u64) {
    let order = node.pointer("/format/endianess").and_then(Json::as_str);
    let order = order.and_then(ByteOrder::from_word).unwrap_or(ByteOrder::Little);
    (order, node.pointer("/format/bits").and_then(Json::as_u64).unwrap_or(32))
}

fn read_signals(
    found: &Json,
    place: &str,
    direction: PointDirection,
    signals: &mut Vec<Signal>,
) -> Result<(), ImportError> {
    let is_first = signals.is_empty();
    let prefix = if is_first { "signal" } else { "out-signal" };
    match found {
        Json::Object(object) => {
            let count = object.get("count").and_then(Json::as_u64);
            let Some(count) = count.filter(|count| *count <= COUNT_MAX) else {
                let place = format!("{place}.count");
                return Err(unexpected(&place, object.get("count"), "a number up to 65535"));
            };
            let signal_type = villas_type(found, place)?;
            let unit = found.get("unit").and_then(Json::as_str).map(str::to_owned);
            signals.extend((0..count).map(|number| Signal {
                name: format!("{prefix}{number}"),
                direction,
                carried_as: signal_type,
                unit: unit.clone(),
            }));
        }
        Json::Array(list) => {
            for (number, one) in list.iter().enumerate() {
                let place = format!("{place}[{number}]");
                if !one.is_object() {
                    return Err(unexpected(&place, Some(one), "an object `{name, type, unit}`"));
                }
                let text = |key: &str| one.get(key).and_then(Json::as_str).map(str::to_owned);
                signals.push(Signal {
                    name: text("name").unwrap_or_else(|| format!("{prefix}{number}")),
                    direction,
                    carried_as: villas_type(one, &place)?,
                    unit: text("unit"),
                });
            }
        }
        other => {
            return Err(unexpected(place, Some(other), "a list of signals, or `{count, type}`"));
        }
    }
    Ok(())
}

/// `VILLASnode` takes a signal without a type for a float.
fn villas_type(signal: &Json, place: &str) -> Result<SignalType, ImportError> {
    let Some(written) = signal.get("type") else { return Ok(SignalType::Float) };
    let found = written.as_str().and_then(SignalType::from_word);
    found.ok_or_else(|| {
        let expected = "`float`, `integer`, `boolean` or `complex`";
        unexpected(&format!("{place}.type"), Some(written), expected)
    })
}

/// Makes the text of a map from a plain list, one point a line in the order on the wire, as typed
/// from a draft of RSCAD: `name,type[,unit[,direction]]`, separated by commas, semicolons or tabs.
/// Empty lines and what follows `#` are left out, and so is a heading that begins with `name`. A
/// point without a direction comes from the simulator.
///
/// # Errors
/// All lines that cannot be read.
pub fn listed_points(text: &str) -> Result<String, ImportError> {
    // Lists are typed: each line may have its own separator, and its comment.
    let plain = |line: &str| line.split('#').next().unwrap_or("").replace([';', '\t'], ",") + "\n";
    let rows = rows(&text.lines().map(plain).collect::<String>());
    let rows = rows.map_err(|why| ImportError::Lines(vec![why.to_string()]))?;
    let (mut signals, mut faults) = (Vec::new(), Vec::new());
    for row in &rows {
        if signals.is_empty() && row[0].eq_ignore_ascii_case("name") {
            continue;
        }
        match listed_point(&row.fields().collect::<Vec<_>>()) {
            Ok(signal) => signals.push(signal),
            Err(what) => faults.push(TableError::line(row.line, what).to_string()),
        }
    }
    if signals.is_empty() && faults.is_empty() {
        faults.push("line 1: no point found, expected `name,type[,unit[,direction]]`".to_owned());
    }
    if !faults.is_empty() {
        return Err(ImportError::Lines(faults));
    }
    let reason = Some("the source does not name it".to_owned());
    let origin = "a list of points";
    Ok(map_text(
        &Source { origin, name: "simulator", format: (None, reason), dev_id: None, raw: None },
        &signals,
    ))
}

fn listed_point(cells: &[&str]) -> Result<Signal, String> {
    let (name, signal_type, unit, direction) = match *cells {
        [name, signal_type] => (name, signal_type, "", ""),
        [name, signal_type, unit] => (name, signal_type, unit, ""),
        [name, signal_type, unit, direction] => (name, signal_type, unit, direction),
        [_, _, _, _, extra, ..] => return Err(format!("unexpected extra cell `{extra}`")),
        [] | [_] => {
            let found = cells.concat();
            return Err(format!("found `{found}`, expected `name,type[,unit[,direction]]`"));
        }
    };
    if name.is_empty() {
        return Err("the name is empty, expected a name before the first separator".to_owned());
    }
    let signal_type = match signal_type.to_ascii_lowercase().as_str() {
        "float" | "real" => SignalType::Float,
        "int" | "integer" => SignalType::Integer,
        _ => {
            return Err(format!("found the type `{signal_type}`, expected `float` or `integer`"));
        }
    };
    let direction = match direction {
        "" => PointDirection::FromSimulator,
        word => PointDirection::from_word(word).ok_or_else(|| {
            let near = nearest(word, PointDirection::WORDS.iter().copied());
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            let expected = "expected `from-simulator` or `to-simulator`";
            format!("found the direction `{word}`, {expected}{near}")
        })?,
    };
    let unit = (!unit.is_empty()).then(|| unit.to_owned());
    Ok(Signal { name: name.to_owned(), direction, carried_as: signal_type, unit })
}

/// A name as a map allows it: other characters become `-`.
fn map_name(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = name.chars().map(|c| if allowed(c) { c } else { '-' }).take(64).collect();
    if is_name(&name) { name } else { format!("p{name}").chars().take(64).collect() }
}

/// A comment cannot break its line.
fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn map_text(source: &Source<'_>, signals: &[Signal]) -> String {
    let mut text = String::new();
    text.push_str("# A point map made from ");
    text.push_str(source.origin);
    text.push_str(".\n# Complete the lines that begin with `# TO FILL IN`.\nformat = 1\n");
    let _ = write!(text, "\n[simulator]\nname = {}\n", quote(&map_name(source.name)));
    match &source.format {
        (Some(format), _) => {
            let _ = writeln!(text, "wire_format = {}", quote(format.word()));
        }
        (None, reason) => {
            let reason = comment(reason.as_deref().unwrap_or_default());
            let words = WireFormat::WORDS.join(", ");
            let _ =
                writeln!(text, "# TO FILL IN ({reason}), one of {words}:\n# wire_format = \"\"");
        }
    }
    if source.format.0.is_none_or(WireFormat::is_gtnet) {
        text.push_str(
            "# TO FILL IN where there is a card, gtnetx2 or gtnet:\n# card = \"gtnetx2\"\n",
        );
    }
    if let (Some(id), Some(WireFormat::OpalAsyncIp)) = (source.dev_id, source.format.0) {
        let _ = writeln!(text, "dev_id = {id}");
    }
    if let Some((order, _)) = source.raw {
        let _ = writeln!(text, "byte_order = \"{order}\"");
    }
    text.push_str("# TO FILL IN, packets per second:\n# sample_rate = \"1 kHz\"\n");
    for signal in signals {
        point_text(signal, source.raw.map(|(_, bits)| bits), &mut text);
    }
    text
}

fn point_text(signal: &Signal, bits: Option<u64>, text: &mut String) {
    let name = map_name(&signal.name);
    if name != signal.name {
        let _ = write!(text, "\n# named `{}` in the source", comment(&signal.name));
    }
    let Signal { direction, carried_as: signal_type, .. } = signal;
    let _ = write!(
        text,
        "\n[[point]]\nname = {}\ndirection = \"{direction}\"\ntype = \"{signal_type}\"\n",
        quote(&name)
    );
    if let Some(bits) = bits {
        let _ = writeln!(text, "bits = {bits}");
    }
    let is_number = matches!(signal_type, SignalType::Float | SignalType::Integer);
    let unit = signal.unit.as_deref();
    let known = unit.filter(|_| is_number).and_then(|unit| WrittenUnit::parse(unit).ok());
    match (unit, &known) {
        (Some(unit), Some(_)) => {
            let _ = writeln!(text, "unit = {}", quote(unit));
        }
        (Some(unit), None) => {
            let unit = comment(unit);
            let _ = writeln!(text, "# TO FILL IN (the source has `{unit}`):\n# unit = \"\"");
        }
        (None, _) if is_number => {
            text.push_str("# TO FILL IN, unless it is a bare number:\n# unit = \"\"\n");
        }
        (None, _) => {}
    }
    // A source has no such keys. The map is refused until somebody has filled them in, which is
    // better than a guess that reads well.
    let symbol = known.map(|unit| unit.symbol).unwrap_or_default();
    let is_written = *direction == PointDirection::ToSimulator;
    text.push_str("# TO FILL IN, what it stands for:\n");
    text.push_str("# device = \"\"\n# quantity = \"\"\n");
    if *signal_type == SignalType::Integer {
        let _ = writeln!(text, "# or, of a status word, one of {}:", StatusRole::WORDS.join(", "));
        text.push_str("# role = \"\"\n");
    }
    let value = |key: &str| format!("# {key} = {}\n", quote(format!("0 {symbol}").trim_end()));
    if is_number {
        text.push_str("# TO FILL IN, the declared range:\n");
        text.push_str(&(value("least") + &value("greatest")));
    }
    if is_written {
        text.push_str("# TO FILL IN, how it may be written:\n");
        if is_number {
            text.push_str(&value("greatest_change_per_second"));
        }
        text.push_str(&(value("initial") + &value("safe_value")));
        text.push_str("# reflected_by = \"\"\n");
    }
}
