//! From TOML to the tables of a map; each mistake is reported, and reading goes on.

use std::borrow::Cow;
use std::collections::BTreeMap;

use lastmeter_params::{
    Code, Diagnostics, Dimension, Field, Kind, Node, NodeValue, QuantityError, SourceId, Span,
    Table, Values, WrittenUnit, nearest, parse_document, read_measurement, read_number_alone,
    read_table_of,
};
use lastmeter_units::MeasurementId;

use super::fields::{POINT, SIMULATOR, VALUE_KEYS, values_of};
use super::format::{Card, WireFormat};
use super::{
    Commanded, Meaning, Point, PointDirection, PointMap, PointRange, Simulator, StatusRole,
    WaveformChannel, WriteLimits, check, feed, layout, point_check,
};
use crate::sample::SignalType;
use crate::{FORMATS, FormatKind, FrameField};

const FORMAT: i64 = 1;

/// A table of the text, what could be read of it, and the words that stand in it even where
/// something else of it is wrong.
pub(super) struct Draft<'a> {
    pub(super) table: &'a Table,
    pub(super) span: Span,
    /// All its fields, where none is wrong.
    pub(super) values: Option<Values>,
    /// Its numbers in SI units, as far as they can be read by themselves: what is wrong with the
    /// table must not hide what is wrong with them.
    numbers: BTreeMap<&'static str, f64>,
}

impl<'a> Draft<'a> {
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.table.text(key)
    }

    pub(super) fn span_of(&self, key: &str) -> Span {
        self.table.get(key).map_or(self.span, |node| node.span)
    }

    pub(super) fn key_span_of(&self, key: &str) -> Span {
        self.table.entry(key).map_or(self.span, |entry| entry.key_span)
    }

    pub(super) fn si(&self, key: &str) -> Option<f64> {
        self.numbers.get(key).copied()
    }
}

fn numbers<'f>(
    table: &Table,
    span: Span,
    fields: impl Iterator<Item = &'f Field>,
) -> BTreeMap<&'static str, f64> {
    let read = |field: &Field| Some((field.name, read_number_alone(table, span, field)?));
    fields.filter(|field| matches!(field.kind, Kind::Quantity { .. })).filter_map(read).collect()
}

pub(super) struct PointDraft<'a> {
    pub(super) draft: Draft<'a>,
    pub(super) name: Option<&'a str>,
    pub(super) direction: Option<PointDirection>,
    pub(super) signal_type: Option<SignalType>,
    pub(super) role: Option<StatusRole>,
    /// `None` where the unit is unknown.
    pub(super) unit: Option<WrittenUnit>,
    pub(super) quantity: Option<MeasurementId>,
    pub(super) waveform: Option<WaveformChannel>,
}

/// What could be read of a map.
pub(super) struct MapDraft<'a> {
    pub(super) simulator: Option<Draft<'a>>,
    pub(super) points: Vec<PointDraft<'a>>,
    /// Where each of the points lies in a described frame, as far as that is known.
    pub(super) places: Vec<Option<FrameField>>,
}

impl MapDraft<'_> {
    pub(super) fn wire_format(&self) -> Option<WireFormat> {
        WireFormat::from_word(self.simulator.as_ref()?.text("wire_format")?)
    }

    /// The card; `None` where it is misspelt.
    pub(super) fn card(&self) -> Option<Card> {
        match self.simulator.as_ref()?.table.get("card") {
            None => Some(Card::None),
            Some(_) => Card::from_word(self.simulator.as_ref()?.text("card")?),
        }
    }

    pub(super) fn point_named(&self, name: &str) -> Option<usize> {
        self.points.iter().position(|point| point.name == Some(name))
    }
}

/// Reads and checks a text. `None`, with mistakes in `out`, where it makes no map.
pub(super) fn read(text: &str, out: &mut Diagnostics) -> Option<PointMap> {
    let root = parse_document(text, SourceId::FILE, out);
    let meant = check_root(&root, out);
    let simulator = simulator(&root, &meant, out);
    let format = simulator.as_ref().and_then(|draft| draft.text("wire_format"));
    let points = points(&root, &meant, format.and_then(WireFormat::from_word), out);
    let mut draft = MapDraft { simulator, points, places: Vec::new() };
    draft.places = layout::lay_out(&draft, out);
    point_check::check(&draft, out);
    check::check(&draft, out);
    if out.is_empty() { finish(text, &draft) } else { None }
}

/// Checks the version and the names of the sections; returns those that misspelt ones were
/// probably meant to be.
fn check_root(root: &Table, out: &mut Diagnostics) -> Vec<&'static str> {
    const KEYS: [&str; 3] = ["format", "simulator", "point"];
    let mut meant = Vec::new();
    for entry in &root.entries {
        if KEYS.contains(&entry.key.as_str()) || entry.node.value == NodeValue::Invalid {
            continue;
        }
        let near = nearest(&entry.key, KEYS.into_iter().filter(|key| root.entry(key).is_none()));
        meant.extend(near);
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "a map has `format`, `[simulator]` and `[[point]]`".to_owned(),
        };
        let message = format!("unknown section or key `{}`", entry.key);
        let label = "not part of a point map";
        out.report_with_help(Code::UNKNOWN_KEY, entry.key_span, message, label, Some(help));
    }
    match root.get("format") {
        None if root.incomplete || meant.contains(&"format") => {}
        None => out.report_with_help(
            Code::MISSING_KEY,
            Span::default(),
            "key `format` is missing",
            "a point map begins with its format version",
            Some(format!("write `format = {FORMAT}` on the first line")),
        ),
        Some(Node { value: NodeValue::Integer(FORMAT) | NodeValue::Invalid, .. }) => {}
        Some(node) => out.report(
            Code::FORMAT_VERSION,
            node.span,
            "this version of lastmeter reads another format of point maps",
            format!("expected {FORMAT}"),
        ),
    }
    meant
}

fn simulator<'a>(root: &'a Table, meant: &[&str], out: &mut Diagnostics) -> Option<Draft<'a>> {
    let Some(node) = root.get("simulator") else {
        if !root.incomplete && !meant.contains(&"simulator") {
            let help = "write `[simulator]` with `name`, `wire_format` and `sample_rate`";
            let message = "table `[simulator]` is missing";
            let (code, label) = (Code::MISSING_KEY, "in this map");
            out.report_with_help(code, Span::default(), message, label, Some(help.to_owned()));
        }
        return None;
    };
    let node = match &node.value {
        NodeValue::Array(list) => {
            report_several_simulators(list, node.span, out);
            list.first()?
        }
        _ => node,
    };
    match &node.value {
        NodeValue::Table(table) => {
            let format = table.text("wire_format").and_then(WireFormat::from_word);
            let (own, rest) = of_format(table, format, |row| row.simulator_keys, out);
            let values = read_table_of(&rest, node.span, &[SIMULATOR, own], out);
            let numbers = numbers(table, node.span, SIMULATOR.iter());
            Some(Draft { table, span: node.span, values, numbers })
        }
        NodeValue::Invalid => None,
        value => {
            let message = format!("`simulator` is one table, and this is {}", value.describe());
            let help = Some("write `[simulator]`, once".to_owned());
            let (code, label) = (Code::WRONG_KIND, "expected a table");
            out.report_with_help(code, node.span, message, label, help);
            None
        }
    }
}

/// The keys of a format, and the table without those of other formats, which are reported. While
/// the format is unknown, those of all formats may stand there.
fn of_format<'a>(
    table: &'a Table,
    format: Option<WireFormat>,
    keys: impl Fn(&FormatKind) -> &'static [Field],
    out: &mut Diagnostics,
) -> (&'static [Field], Cow<'a, Table>) {
    let has = |row: &FormatKind, key: &str| keys(row).iter().any(|field| field.name == key);
    let own = format.map_or(&[][..], |format| keys(format.kind()));
    let is_own = |key: &str| own.iter().any(|field| field.name == key);
    let foreign = |key: &str| FORMATS.iter().find(|row| !is_own(key) && has(row, key));
    let mut rest = Cow::Borrowed(table);
    for entry in &table.entries {
        let Some(row) = foreign(&entry.key) else { continue };
        rest.to_mut().entries.retain(|other| other.key != entry.key);
        let Some(format) = format else { continue };
        let message = format!("`{format}` has no `{}`", entry.key);
        let label = format!("expected the wire format `{}`", row.name);
        out.report(Code::DOES_NOT_FIT, entry.key_span, message, label);
    }
    (own, rest)
}

fn report_several_simulators(list: &[Node], span: Span, out: &mut Diagnostics) {
    if list.len() < 2 {
        let help = Some("write `[simulator]` with single brackets".to_owned());
        let message = "`simulator` is one table, and this is a list";
        out.report_with_help(Code::WRONG_KIND, span, message, "expected a table", help);
    }
    for node in list.iter().skip(1) {
        let message = format!("more than one simulator: the map has {}", list.len());
        let help = Some("write one map for each simulator".to_owned());
        let label = "expected one table `[simulator]`";
        out.report_with_help(Code::DOES_NOT_FIT, node.span, message, label, help);
    }
}

fn points<'a>(
    root: &'a Table,
    meant: &[&str],
    format: Option<WireFormat>,
    out: &mut Diagnostics,
) -> Vec<PointDraft<'a>> {
    let (list, span) = match root.get("point").map(|node| (&node.value, node.span)) {
        Some((NodeValue::Array(list), span)) => (list.as_slice(), span),
        Some((NodeValue::Invalid, _)) => return Vec::new(),
        Some((_, span)) => {
            report_no_point(span, out);
            return Vec::new();
        }
        None => (&[][..], Span::default()),
    };
    if list.is_empty() && !root.incomplete && !meant.contains(&"point") {
        let help = Some("write a `[[point]]` for each point, in the order on the wire".to_owned());
        let label = "expected at least one `[[point]]`";
        out.report_with_help(Code::MISSING_KEY, span, "the map is empty", label, help);
    }
    let mut points = Vec::new();
    for node in list {
        match &node.value {
            NodeValue::Table(table) => points.push(point(table, node.span, format, out)),
            NodeValue::Invalid => {}
            _ => report_no_point(node.span, out),
        }
    }
    points
}

fn report_no_point(span: Span, out: &mut Diagnostics) {
    let message = "`point` is a section whose tables repeat";
    let help = Some("write `[[point]]` with double brackets".to_owned());
    out.report_with_help(Code::WRONG_KIND, span, message, "expected `[[point]]`", help);
}

fn point<'a>(
    table: &'a Table,
    span: Span,
    format: Option<WireFormat>,
    out: &mut Diagnostics,
) -> PointDraft<'a> {
    let quantity = read_measurement(table, out);
    let unit = unit(table, quantity, out);
    let (own, rest) = of_format(table, format, |row| row.point_keys, out);
    let values = if let Some(unit) = &unit {
        read_table_of(&rest, span, &[POINT, own, values_of(unit.dimension)], out)
    } else {
        // Without the unit nothing can be stated about values: only the other keys are read.
        let mut rest = rest.into_owned();
        rest.entries.retain(|entry| !VALUE_KEYS.contains(&entry.key.as_str()));
        read_table_of(&rest, span, &[POINT, own], out);
        None
    };
    let of_unit = unit.as_ref().map_or(&[][..], |unit| values_of(unit.dimension));
    let numbers = numbers(table, span, POINT.iter().chain(of_unit));
    PointDraft {
        name: table.text("name"),
        direction: table.text("direction").and_then(PointDirection::from_word),
        signal_type: table.text("type").and_then(SignalType::from_word),
        role: table.text("role").and_then(StatusRole::from_word),
        waveform: table.text("waveform").and_then(WaveformChannel::from_word),
        unit,
        quantity,
        draft: Draft { table, span, values, numbers },
    }
}

/// The unit of a point; that of a bare number where none is written.
fn unit(
    table: &Table,
    quantity: Option<MeasurementId>,
    out: &mut Diagnostics,
) -> Option<WrittenUnit> {
    let Some(node) = table.get("unit") else { return Some(WrittenUnit::BARE) };
    // What is no text is reported with the other fields.
    let NodeValue::String(text) = &node.value else { return None };
    match WrittenUnit::parse(text) {
        Ok(unit) => Some(unit),
        Err(error) => {
            let help = match (&error, quantity) {
                (QuantityError::UnknownUnit { nearest: Some(_), .. }, _) => error.help(),
                (_, Some(id)) => {
                    let symbols = Dimension::of_unit(id.row().si_unit).unit_symbols();
                    Some(format!("units that fit: {}", symbols.collect::<Vec<_>>().join(", ")))
                }
                (_, None) => Some("such as `V`, `kW` or `%`; none for a bare number".to_owned()),
            };
            let message = format!("unknown unit `{text}`");
            out.report_with_help(Code::UNKNOWN_UNIT, node.span, message, "expected a unit", help);
            None
        }
    }
}

/// The map of a draft in which no mistake was found.
fn finish(text: &str, draft: &MapDraft<'_>) -> Option<PointMap> {
    let own = draft.simulator.as_ref()?;
    let values = own.values.as_ref()?;
    let simulator = Simulator {
        name: values.text("name").to_owned(),
        wire_format: draft.wire_format()?,
        card: draft.card()?,
        dev_id: values.integer_opt("dev_id").and_then(|id| i16::try_from(id).ok()),
        sample_rate: values.si("sample_rate"),
        frame_bytes_from_simulator: layout::frame_bytes(draft, PointDirection::FromSimulator),
        frame_bytes_to_simulator: layout::frame_bytes(draft, PointDirection::ToSimulator),
    };
    let points = draft.points.iter().zip(&draft.places);
    let points: Option<Vec<Point>> = points
        .map(|(point, place)| Some(Point { place: *place, ..finish_point(text, draft, point)? }))
        .collect();
    Some(PointMap { simulator, points: points? })
}

fn finish_point(text: &str, map: &MapDraft<'_>, point: &PointDraft<'_>) -> Option<Point> {
    let values = point.draft.values.as_ref()?;
    let device = values.text_opt("device").unwrap_or_default().to_owned();
    let range = values.si_opt("least").zip(values.si_opt("greatest"));
    let write = values.si_opt("initial").zip(values.si_opt("safe_value"));
    let write = write.map(|(initial, safe_value)| WriteLimits {
        greatest_change_per_second: values.si_opt("greatest_change_per_second"),
        initial,
        safe_value,
        reflected_by: values.text_opt("reflected_by").and_then(|name| map.point_named(name)),
        blocked_by_mode: values.boolean("blocked_by_mode"),
        commanded: (!device.is_empty()).then(|| Commanded {
            device: device.clone(),
            is_breaker: values.text_opt("command") == Some("setBreaker"),
        }),
        fed: feed::finish(point),
    });
    Some(Point {
        name: point.name?.to_owned(),
        direction: point.direction?,
        signal_type: point.signal_type?,
        unit: point.unit.clone()?,
        scale: values.si("scale"),
        offset: values.si_opt("offset").unwrap_or(0.0),
        range: range.map(|(least, greatest)| PointRange { least, greatest }),
        steepest: values.si_opt("greatest_change_per_second"),
        meaning: match (point.role, point.quantity, point.waveform) {
            (Some(role), ..) => Meaning::Status(role),
            (_, Some(quantity), _) => Meaning::Measured { device, quantity },
            (_, _, Some(channel)) => Meaning::Waveform { device, channel },
            (None, None, None) => Meaning::Raw,
        },
        write,
        place: None,
        line: text.get(..point.draft.span.start)?.matches('\n').count() + 1,
    })
}
