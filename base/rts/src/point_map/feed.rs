//! Where the value of a fed point comes from: a device's quantity, a topic, or a path of REST; and
//! how it is read from what came.
//!
//! Terms: a point is *fed* where `from` names its source; its *pointer* is the place of the value
//! in a JSON document (RFC 6901). A reading of a device is in the unit of its quantity's
//! identifier, any other value in `from_unit`, or else in the unit of the point. Filters of topics
//! are those of MQTT 5 (4.7).

use lastmeter_params::{Code, Diagnostics, Dimension, NodeValue, WrittenUnit};
use lastmeter_units::{HardwareId, MeasurementId, SimDuration, SimTime};
use serde_json::Value as Json;

use super::PointDirection;
use super::fields::FEED_KEYS;
use super::point_check::called;
use super::read::PointDraft;

/// How often a device or a path is asked unless `every` states it.
const EVERY_S: f64 = 1.0;
/// What a path of REST begins with.
const PATHS: [&str; 2] = ["/api/v1/", "/sitewhere/api/"];

/// What writes a point beside commands.
#[derive(Clone, Debug, PartialEq)]
pub struct Feed {
    /// Where the value comes from.
    pub source: FeedSource,
    /// A value of the source times this is one in the SI unit.
    pub factor: f64,
    /// Without a newer value for so long the point gets its safe value.
    pub stale_after: SimDuration,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum FeedSource {
    /// The last value that the platform has of a device.
    Device {
        /// The device.
        device: HardwareId,
        /// The quantity.
        quantity: MeasurementId,
        /// How often the platform is asked.
        every: SimDuration,
    },
    /// Messages of a flow of information.
    Topic {
        /// The filter of MQTT that is subscribed to.
        filter: String,
        /// Where the value stands.
        at: Pointers,
    },
    /// A path of the platform's REST.
    Rest {
        /// Path with query.
        path: String,
        /// Where the value stands.
        at: Pointers,
        /// How often it is asked.
        every: SimDuration,
    },
}

/// Places in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointers {
    /// Of the value: a number, or `true` and `false`.
    pub value: String,
    /// Of its time in RFC 3339; without it the value is of when it came.
    pub time: Option<String>,
}

/// A value that came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FedValue {
    /// In the SI unit.
    pub si: f64,
    /// Of when it is; `None`: of when it came.
    pub at: Option<SimTime>,
}

impl Feed {
    /// The path of REST that is asked, and how often; `None` of a flow that comes by itself.
    pub fn polled(&self) -> Option<(String, SimDuration)> {
        match &self.source {
            FeedSource::Device { device, every, .. } => Some((
                format!("/api/v1/latest?device={}", percent_encoded(device.as_str())),
                *every,
            )),
            FeedSource::Rest { path, every, .. } => Some((path.clone(), *every)),
            FeedSource::Topic { .. } => None,
        }
    }

    /// The filter of a flow, if it is one.
    pub fn filter(&self) -> Option<&str> {
        match &self.source {
            FeedSource::Topic { filter, .. } => Some(filter),
            FeedSource::Device { .. } | FeedSource::Rest { .. } => None,
        }
    }

    /// The value in a document of its source.
    ///
    /// # Errors
    /// What was found, and what was expected.
    pub fn value(&self, document: &[u8]) -> Result<FedValue, String> {
        let json: Json = serde_json::from_slice(document).map_err(|error| error.to_string())?;
        let (value, time) = match &self.source {
            FeedSource::Device { device, quantity, .. } => {
                let name = quantity.name();
                let values = json.pointer("/results/0/values").and_then(Json::as_array);
                let mut values = values.into_iter().flatten();
                let found = values.find(|value| value["quantity"] == name);
                let found = found.ok_or_else(|| format!("there is no {name} of {device} yet"))?;
                (found.get("value"), Some(found.get("event_time")))
            }
            FeedSource::Topic { at, .. } | FeedSource::Rest { at, .. } => {
                let time = at.time.as_ref().map(|pointer| json.pointer(pointer));
                (json.pointer(&at.value), time)
            }
        };
        let number = match value {
            Some(Json::Bool(value)) => Some(f64::from(u8::from(*value))),
            other => other.and_then(Json::as_f64),
        };
        let number = number.ok_or_else(|| {
            let found = value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
            let found: String = found.chars().take(64).collect();
            format!("found {found}, expected a number, or true or false")
        })?;
        let at = match time {
            None => None,
            Some(found) => {
                Some(found.and_then(Json::as_str).and_then(|it| it.parse().ok()).ok_or(
                    "found no time beside the value, expected one such as 2027-01-18T00:00:00Z",
                )?)
            }
        };
        Ok(FedValue { si: number * self.factor, at })
    }
}

/// Whether a filter of MQTT takes a topic.
pub fn is_filter_of(filter: &str, topic: &str) -> bool {
    let mut levels = topic.split('/');
    for part in filter.split('/') {
        match (part, levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (part, Some(level)) if part == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

fn percent_encoded(text: &str) -> String {
    let of = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(of).collect()
}

/// What `from` of a map means, without its other keys.
enum Written {
    Device(HardwareId, MeasurementId),
    Topic(String),
    Rest(String),
}

/// # Errors
/// What was expected.
fn written(from: &str) -> Result<Written, String> {
    let is_plain = |text: &str| !text.contains(|c: char| c.is_control() || c.is_whitespace());
    match from.split_once(':') {
        Some(("device", of)) => {
            let (device, quantity) =
                of.rsplit_once('/').ok_or("expected `device:NAME/QUANTITY`".to_owned())?;
            let device = HardwareId::new(device).map_err(|error| error.to_string())?;
            let quantity = MeasurementId::lookup(quantity)
                .ok_or_else(|| format!("expected a measurement identifier, found `{quantity}`"))?;
            Ok(Written::Device(device, quantity))
        }
        Some(("topic", filter)) => {
            let levels: Vec<&str> = filter.split('/').collect();
            let is_sound = |(place, level): (usize, &&str)| match *level {
                "#" => place + 1 == levels.len(),
                "+" => true,
                other => !other.contains(['+', '#']),
            };
            if filter.is_empty() || !is_plain(filter) || !levels.iter().enumerate().all(is_sound) {
                return Err("expected a filter of MQTT, such as `default/echo/weather`".to_owned());
            }
            Ok(Written::Topic(filter.to_owned()))
        }
        Some(("rest", path)) => {
            let is_ours = PATHS.iter().any(|begin| path.starts_with(begin));
            if !is_ours || !is_plain(path) || !path.is_ascii() {
                return Err("expected a path from `/api/v1/` or `/sitewhere/api/` on".to_owned());
            }
            Ok(Written::Rest(path.to_owned()))
        }
        _ => Err("expected `device:NAME/QUANTITY`, `topic:FILTER` or `rest:PATH`".to_owned()),
    }
}

/// The unit of a source's values, and the key that states it.
fn unit_of(point: &PointDraft<'_>, written: &Written) -> Option<WrittenUnit> {
    match written {
        Written::Device(_, quantity) => {
            let row = quantity.row();
            let dimension = Dimension::of_unit(row.si_unit);
            Some(WrittenUnit { symbol: row.unit.to_owned(), dimension, factor: row.si_factor })
        }
        Written::Topic(_) | Written::Rest(_) => match point.draft.text("from_unit") {
            Some(text) => WrittenUnit::parse(text).ok(),
            None => point.unit.clone(),
        },
    }
}

/// What has to hold of the keys of a source.
pub(super) fn check(point: &PointDraft<'_>, out: &mut Diagnostics) {
    let draft = &point.draft;
    let Some(own) = FEED_KEYS.iter().find(|key| draft.has(key)) else { return };
    // Where it may not stand at all, that is reported.
    if point.direction == Some(PointDirection::FromSimulator) || point.role.is_some() {
        return;
    }
    let Some(from) = draft.text("from") else {
        if !draft.has("from") {
            let message = format!("`{own}` without `from`");
            let label = "expected `from` beside it";
            out.report(Code::MISSING_KEY, draft.key_span_of(own), message, label);
        }
        return;
    };
    for key in ["device", "command", "quantity", "waveform"] {
        if draft.has(key) {
            let message = format!("`{key}` beside `from`");
            let label = format!("{} is fed, and takes no commands", called(point));
            out.report(Code::DOES_NOT_FIT, draft.key_span_of(key), message, label);
        }
    }
    let written = match written(from) {
        Ok(written) => written,
        Err(label) => {
            let message = format!("`{from}` is no source of values");
            out.report(Code::UNKNOWN_REFERENCE, draft.span_of("from"), message, label);
            return;
        }
    };
    check_keys(point, &written, out);
    check_unit(point, &written, out);
    let (every, stale) = (draft.si("every").unwrap_or(EVERY_S), draft.si("stale_after"));
    if stale.is_some_and(|stale| stale < every) && !matches!(written, Written::Topic(_)) {
        let message = "`stale_after` is shorter than `every`";
        let label = format!("expected at least {every} s, after which the source is asked again");
        out.report(Code::OUT_OF_RANGE, draft.span_of("stale_after"), message, label);
    }
}

/// The keys that a kind of source needs, and those that it has not.
fn check_keys(point: &PointDraft<'_>, written: &Written, out: &mut Diagnostics) {
    let draft = &point.draft;
    let (kind, foreign, needed): (_, &[&str], &[&str]) = match written {
        Written::Device(..) => {
            ("a device", &["pointer", "time_pointer", "from_unit"], &["stale_after"])
        }
        Written::Topic(_) => ("a topic", &["every"], &["pointer", "stale_after"]),
        Written::Rest(_) => ("a path of REST", &[], &["pointer", "stale_after"]),
    };
    for key in foreign.iter().filter(|key| draft.has(key)) {
        let message = format!("{kind} has no `{key}`");
        let label = format!("{} is fed by {kind}", called(point));
        out.report(Code::DOES_NOT_FIT, draft.key_span_of(key), message, label);
    }
    let missing: Vec<String> =
        needed.iter().filter(|key| !draft.has(key)).map(|key| format!("`{key}`")).collect();
    if !missing.is_empty() && !draft.table.incomplete {
        let message =
            format!("{} is fed by {kind} and has no {}", called(point), missing.join(", "));
        let label = "expected beside `from`";
        out.report(Code::MISSING_KEY, draft.key_span_of("from"), message, label);
    }
    for key in ["pointer", "time_pointer"] {
        let is_pointer = |text: &str| {
            let mut escapes = text.split('~').skip(1);
            (text.is_empty() || text.starts_with('/'))
                && escapes.all(|it| it.starts_with(['0', '1']))
        };
        if let Some(text) = draft.text(key).filter(|text| !is_pointer(text)) {
            let message = format!("`{text}` is no JSON pointer");
            let label = "expected one such as `/values/power`";
            out.report(Code::DOES_NOT_FIT, draft.span_of(key), message, label);
        }
    }
}

/// The source's values and the point's have to be of one dimension.
fn check_unit(point: &PointDraft<'_>, written: &Written, out: &mut Diagnostics) {
    let (draft, Some(own)) = (&point.draft, &point.unit) else { return };
    let Some(unit) = unit_of(point, written) else {
        if let Some(NodeValue::String(text)) = draft.table.get("from_unit").map(|it| &it.value) {
            let (code, message) = (Code::UNKNOWN_UNIT, format!("unknown unit `{text}`"));
            out.report(code, draft.span_of("from_unit"), message, "expected a unit");
        }
        return;
    };
    if unit.dimension == own.dimension {
        return;
    }
    let key = if draft.has("from_unit") { "from_unit" } else { "from" };
    let of = if unit.symbol.is_empty() { "bare numbers".to_owned() } else { unit.symbol };
    let message = format!("the source is of the dimension {} ({of})", unit.dimension);
    let label = format!("expected {}, as {} has", own.dimension, called(point));
    out.report(Code::WRONG_DIMENSION, draft.span_of(key), message, label);
}

/// The source of a point in which no mistake was found.
pub(super) fn finish(point: &PointDraft<'_>) -> Option<Feed> {
    let draft = &point.draft;
    let written = written(draft.text("from")?).ok()?;
    let factor = unit_of(point, &written)?.factor;
    let every = SimDuration::from_seconds_f64(draft.si("every").unwrap_or(EVERY_S));
    let at = || {
        let time = draft.text("time_pointer").map(str::to_owned);
        Some(Pointers { value: draft.text("pointer")?.to_owned(), time })
    };
    let source = match written {
        Written::Device(device, quantity) => FeedSource::Device { device, quantity, every },
        Written::Topic(filter) => FeedSource::Topic { filter, at: at()? },
        Written::Rest(path) => FeedSource::Rest { path, at: at()?, every },
    };
    let stale_after = SimDuration::from_seconds_f64(draft.si("stale_after")?);
    Some(Feed { source, factor, stale_after })
}
