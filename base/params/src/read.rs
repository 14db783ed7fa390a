//! Checks a table against its fields: one diagnostic for each mistake, and on it goes.
//!
//! Nothing is ignored: an unknown key is a mistake, since a misspelt limit would pass silently.

use std::collections::BTreeSet;

use lastmeter_units::{MEASUREMENTS, MeasurementId, SimTime};

use crate::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, SourceId, Span};
use crate::field::{Dimension, Field, Kind, Presence};
use crate::nearest::{nearest, registered_measurement_help};
use crate::node::{Node, NodeValue, Table, TableEntry, parse_as_written, parse_override};
use crate::quantity::parse_quantity;
use crate::synonyms;
use crate::values::{Item, Value, Values};

/// Of more keys than these a list helps nobody.
const KEYS_LISTED_MAX: usize = 12;

const NAME_CHARACTERS_MAX: usize = 64;

/// Reads a table with these fields. `None` if it has a mistake, which is then in `diagnostics`.
pub fn read_table(
    table: &Table,
    span: Span,
    fields: &[Field],
    diagnostics: &mut Diagnostics,
) -> Option<Values> {
    read_table_of(table, span, &[fields], diagnostics)
}

/// Like [`read_table`], for fields that come in groups: those common to a section's tables, and
/// those of the entry.
pub fn read_table_of(
    table: &Table,
    span: Span,
    groups: &[&[Field]],
    diagnostics: &mut Diagnostics,
) -> Option<Values> {
    read_named_table(table, span, (None, groups), diagnostics)
}

/// Like [`read_table_of`], of a table that `lastmeter explain` knows by a name: an entry, or a
/// section.
pub fn read_named_table(
    table: &Table,
    span: Span,
    (name, groups): (Option<&str>, &[&[Field]]),
    diagnostics: &mut Diagnostics,
) -> Option<Values> {
    let fields = || groups.iter().flat_map(|group| group.iter());
    let mut whole = true;
    // A misspelt key is one mistake: the right one is then not missing as well.
    let mut meant: Vec<&str> = Vec::new();
    for entry in &table.entries {
        match fields().find(|field| field.name == entry.key) {
            Some(field) if field.is_current() => {}
            Some(field) => {
                whole = false;
                report_retired_key(field, entry, diagnostics);
            }
            None => {
                whole = false;
                let known = fields().filter(|field| field.is_current()).map(|field| field.name);
                meant.extend(report_unknown_key(entry, (name, table), known, diagnostics));
            }
        }
    }
    let mut items = Vec::new();
    for field in fields() {
        let default = match field.presence {
            Presence::Default(text) => Some(default_value(field, text, span)),
            Presence::Required | Presence::Optional => None,
            Presence::Retired => continue,
        };
        let (value, span) = match table.get(field.name) {
            Some(node) => {
                let place = Place { name: field.name, quantity: table.text("quantity") };
                (read_value(node, &field.kind, place, diagnostics), node.span)
            }
            None if field.presence == Presence::Optional => continue,
            None => {
                let is_required = field.presence == Presence::Required;
                if is_required && !table.incomplete && !meant.contains(&field.name) {
                    report_missing_key(field, span, diagnostics);
                }
                (default.clone(), span)
            }
        };
        let is_default = matches!((&value, &default), (Some(a), Some(b)) if a.same(b));
        match value {
            Some(value) => items.push(Item { name: field.name, value, span, is_default }),
            None => whole = false,
        }
    }
    whole.then_some(Values { span, items })
}

/// Reads a TOML text as one table with these groups of fields, as tests and tools need it.
pub fn read_text(text: &str, groups: &[&[Field]]) -> Result<Values, Vec<Diagnostic>> {
    let mut diagnostics = Diagnostics::new();
    let table = parse_as_written(text, SourceId::FILE, &mut diagnostics);
    let values = read_table_of(&table, Span::default(), groups, &mut diagnostics);
    match values {
        Some(values) if diagnostics.is_empty() => Ok(values),
        _ => Err(diagnostics.into_sorted()),
    }
}

/// The number of one field in its SI unit, as far as it can be read by itself: what else is wrong
/// with the table must not hide what is wrong with it.
pub fn read_number_alone(table: &Table, span: Span, field: &Field) -> Option<f64> {
    let entries = table.entries.iter().filter(|entry| entry.key == field.name);
    let own = Table { entries: entries.cloned().collect(), incomplete: false };
    read_table(&own, span, &[*field], &mut Diagnostics::new())?.si_opt(field.name)
}

/// The measurement that the key `quantity` of a table names; one that is unknown is reported.
pub fn read_measurement(table: &Table, out: &mut Diagnostics) -> Option<MeasurementId> {
    let text = table.text("quantity")?;
    let found = MeasurementId::lookup(text);
    if let (None, Some(node)) = (found, table.get("quantity")) {
        let message = format!("unknown quantity `{text}`");
        let label = "expected a measurement identifier";
        let help = Some(registered_measurement_help(text));
        out.report_with_help(Code::UNKNOWN_MEASUREMENT, node.span, message, label, help);
    }
    found
}

/// Reports a key that is none of the known ones, and returns the one that was probably meant.
fn report_unknown_key<'a>(
    entry: &TableEntry,
    (name, table): (Option<&str>, &Table),
    known: impl Iterator<Item = &'a str>,
    diagnostics: &mut Diagnostics,
) -> Option<&'a str> {
    if entry.node.value == NodeValue::Invalid {
        return None;
    }
    // A key that is already written is not what was meant by this one.
    let free: Vec<&str> = known.filter(|name| table.entry(name).is_none()).collect();
    let meant = nearest(&entry.key, free.iter().copied());
    let listed = match name {
        _ if free.is_empty() => None,
        _ if free.len() <= KEYS_LISTED_MAX => {
            Some(format!("keys that may stand here: {}", quoted(&free)))
        }
        Some(name) => Some(format!("`lastmeter explain {name}` lists the keys")),
        None => Some("`lastmeter explain`, with what this table is, lists its keys".to_owned()),
    };
    let help = match (meant, synonyms::hint(&entry.key)) {
        (Some(near), _) => {
            let note = synonyms::note(&entry.key, near).map(|note| format!(" {note}"));
            Some(format!("did you mean `{near}`?{}", note.unwrap_or_default()))
        }
        (None, Some(hint)) => {
            Some(listed.map_or_else(|| hint.to_owned(), |listed| format!("{hint}; {listed}")))
        }
        (None, None) => listed,
    };
    let message = format!("unknown key `{}`", entry.key);
    let code = Code::UNKNOWN_KEY;
    diagnostics.report_with_help(code, entry.key_span, message, "unexpected here", help);
    meant
}

fn report_retired_key(field: &Field, entry: &TableEntry, diagnostics: &mut Diagnostics) {
    let message = format!("key `{}` is no longer supported", field.name);
    let (label, help) = ("a key of earlier versions", Some(field.doc.to_owned()));
    diagnostics.report_with_help(Code::UNKNOWN_KEY, entry.key_span, message, label, help);
}

fn report_missing_key(field: &Field, span: Span, diagnostics: &mut Diagnostics) {
    diagnostics.report_with_help(
        Code::MISSING_KEY,
        span,
        format!("key `{}` is missing", field.name),
        format!("needs {}", describe_kind(&field.kind)),
        Some(format!("`{}`: {}", field.name, field.doc)),
    );
}

/// The value that stands in the place of an absent field.
///
/// # Panics
/// If the registry entry's default is not a value of its own kind: a broken invariant of the
/// program, which the test of each registry slice finds.
fn default_value(field: &Field, text: &str, span: Span) -> Value {
    let mut diagnostics = Diagnostics::new();
    let mut node = parse_override(text, 0, span.source);
    node.set_span(span);
    let place = Place { name: field.name, quantity: None };
    let value = read_value(&node, &field.kind, place, &mut diagnostics);
    value.unwrap_or_else(|| panic!("default {text} of field `{}` is not of its kind", field.name))
}

impl Node {
    /// Puts the value and all it contains at one place.
    fn set_span(&mut self, span: Span) {
        self.span = span;
        match &mut self.value {
            NodeValue::Array(list) => list.iter_mut().for_each(|node| node.set_span(span)),
            NodeValue::Table(table) => {
                for entry in &mut table.entries {
                    entry.key_span = span;
                    entry.node.set_span(span);
                }
            }
            _ => {}
        }
    }
}

/// Where a value stands, for its diagnostics.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// Its key.
    name: &'a str,
    /// The value of the key `quantity` beside it: a limit is written in that one's unit.
    quantity: Option<&'a str>,
}

fn read_value(node: &Node, kind: &Kind, place: Place<'_>, out: &mut Diagnostics) -> Option<Value> {
    let name = place.name;
    match (kind, &node.value) {
        (_, NodeValue::Invalid) => None,
        (Kind::Text | Kind::Pattern, NodeValue::String(text)) => Some(Value::Text(text.clone())),
        (Kind::Name, NodeValue::String(text)) => read_name(text, node.span, out),
        (Kind::Boolean, NodeValue::Boolean(value)) => Some(Value::Boolean(*value)),
        (Kind::Integer { min, max }, NodeValue::Integer(value)) => {
            read_integer(*value, *min, *max, name, node.span, out)
        }
        (Kind::Quantity { dimension, min, max }, _) => {
            let (si, dimension, written) = read_quantity(node, kind, &[*dimension], place, out)?;
            in_range((si, dimension, &written), (*min, *max), name, node.span, out)?;
            Some(Value::Quantity { si, dimension, written })
        }
        (Kind::QuantityOfAny(dimensions), _) => {
            let (si, dimension, written) = read_quantity(node, kind, dimensions, place, out)?;
            in_range((si, dimension, &written), (0.0, f64::INFINITY), name, node.span, out)?;
            Some(Value::Quantity { si, dimension, written })
        }
        (Kind::Instant, NodeValue::Datetime(text)) => read_instant(text, node.span, out),
        (Kind::Choice(words), NodeValue::String(text)) => {
            read_choice(text, words, name, node.span, out)
        }
        (Kind::List(of), NodeValue::Array(list)) => {
            let items: Vec<Option<(Value, Span)>> = list
                .iter()
                .map(|item| Some((read_value(item, of, place, out)?, item.span)))
                .collect();
            items.into_iter().collect::<Option<_>>().map(Value::List)
        }
        (Kind::Texts, NodeValue::Table(table)) => read_texts(table, name, out),
        (Kind::Open, NodeValue::Table(_)) => Some(Value::Open(node.value.to_toml())),
        (Kind::Table(fields), NodeValue::Table(table)) => {
            read_table(table, node.span, fields, out).map(Value::Table)
        }
        _ => {
            report_wrong_kind(node, kind, name, out);
            None
        }
    }
}

fn read_texts(table: &Table, name: &str, out: &mut Diagnostics) -> Option<Value> {
    let mut texts = std::collections::BTreeMap::new();
    let mut whole = true;
    for entry in &table.entries {
        let text = match &entry.node.value {
            NodeValue::String(text) | NodeValue::Datetime(text) => text.clone(),
            NodeValue::Integer(number) => number.to_string(),
            NodeValue::Float(number) => number.to_string(),
            NodeValue::Boolean(value) => value.to_string(),
            NodeValue::Invalid => {
                whole = false;
                continue;
            }
            NodeValue::Array(_) | NodeValue::Table(_) => {
                whole = false;
                let found = entry.node.value.describe();
                let message =
                    format!("`{name}.{}` takes a plain value, and this is {found}", entry.key);
                let label = "expected text, a number, a date, or `true` or `false`";
                out.report(Code::WRONG_KIND, entry.node.span, message, label);
                continue;
            }
        };
        texts.insert(entry.key.clone(), text);
    }
    whole.then_some(Value::Texts(texts))
}

fn report_wrong_kind(node: &Node, kind: &Kind, name: &str, out: &mut Diagnostics) {
    let help = match (kind, &node.value) {
        (Kind::Instant, NodeValue::String(text)) => {
            Some(format!("write `{name} = {}`, without quotes", instant_like(text)))
        }
        (Kind::Integer { .. } | Kind::Boolean, NodeValue::String(_)) => {
            Some("leave the quotes out".to_owned())
        }
        (Kind::Text | Kind::Pattern | Kind::Name | Kind::Choice(_), value)
            if !matches!(value, NodeValue::Array(_) | NodeValue::Table(_)) =>
        {
            Some("text stands between double quotes".to_owned())
        }
        _ => None,
    };
    let message =
        format!("`{name}` takes {}, and this is {}", describe_kind(kind), node.value.describe());
    let label = format!("expected {}", describe_kind(kind));
    out.report_with_help(Code::WRONG_KIND, node.span, message, label, help);
}

/// What a kind of field holds, for a sentence (`a whole number`).
pub fn describe_kind(kind: &Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Name => "a name".to_owned(),
        Kind::Pattern => "a name, a pattern with `*`, or a list of them".to_owned(),
        Kind::Boolean => "`true` or `false`".to_owned(),
        Kind::Integer { .. } => "a whole number".to_owned(),
        Kind::Quantity { dimension, .. } => describe_quantity(&[*dimension]),
        Kind::QuantityOfAny(dimensions) => describe_quantity(dimensions),
        Kind::Instant => "a date with time and offset".to_owned(),
        Kind::Choice(words) => format!("one of {}", quoted(words)),
        Kind::List(of) => format!("a list, each item {}", describe_kind(of)),
        Kind::Texts | Kind::Open | Kind::Table(_) => "a table".to_owned(),
    }
}

fn describe_quantity(dimensions: &[Dimension]) -> String {
    if dimensions == [Dimension::Ratio] {
        return "a ratio such as `\"1 %\"` or `0.01`".to_owned();
    }
    let names: Vec<String> = dimensions.iter().map(|dimension| dimension.with_article()).collect();
    format!("{} with its unit, as text", names.join(" or "))
}

pub(crate) fn quoted(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

fn read_name(text: &str, span: Span, out: &mut Diagnostics) -> Option<Value> {
    if is_name(text) {
        return Some(Value::Text(text.to_owned()));
    }
    let help = "letters, digits, `-`, `_` and `.`, starting with a letter or digit, at most 64";
    out.report_with_help(
        Code::BAD_NAME,
        span,
        "this is no name",
        "not usable as a name",
        Some(help.to_owned()),
    );
    None
}

/// Whether a text may be used as a name.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.len() <= NAME_CHARACTERS_MAX
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn read_integer(
    value: i64,
    min: i64,
    max: i64,
    name: &str,
    span: Span,
    out: &mut Diagnostics,
) -> Option<Value> {
    if (min..=max).contains(&value) {
        return Some(Value::Integer(value));
    }
    let message = format!("`{name}` is out of range");
    let label = match (min, max) {
        (_, i64::MAX) => format!("at least {min}"),
        (i64::MIN, _) => format!("at most {max}"),
        _ => format!("from {min} to {max}"),
    };
    out.report(Code::OUT_OF_RANGE, span, message, label);
    None
}

/// A quantity with its dimension and the text that describes it.
fn read_quantity(
    node: &Node,
    kind: &Kind,
    dimensions: &[Dimension],
    place: Place<'_>,
    out: &mut Diagnostics,
) -> Option<(f64, Dimension, String)> {
    let written = match &node.value {
        NodeValue::String(text) => text.trim().to_owned(),
        NodeValue::Integer(number) => number.to_string(),
        NodeValue::Float(number) => number.to_string(),
        _ => {
            report_wrong_kind(node, kind, place.name, out);
            return None;
        }
    };
    match parse_quantity(&written, dimensions) {
        Ok((si, dimension)) => Some((si, dimension, written)),
        Err(error) => {
            // Of all units only those of the quantity it is about are worth naming.
            let narrow = narrowed(dimensions, place.quantity);
            let (error, dimensions) = match narrow.as_deref() {
                Some(narrow) => match parse_quantity(&written, narrow) {
                    Err(error) => (error, narrow),
                    Ok(_) => (error, dimensions),
                },
                None => (error, dimensions),
            };
            let label = format!("expected {}", describe_quantity(dimensions));
            out.report_with_help(error.code(), node.span, error.to_string(), label, error.help());
            None
        }
    }
}

/// Those of many dimensions in which a limit of these quantities can be written: a share, and the
/// quantities' own. `None` where that is not known.
fn narrowed(dimensions: &[Dimension], quantity: Option<&str>) -> Option<Vec<Dimension>> {
    let text = quantity?;
    // A pattern is good enough up to its first star.
    let start = text.split('*').next().unwrap_or_default();
    let fits = |name: &str| if text == start { name == text } else { name.starts_with(start) };
    // A limit of temperatures is a difference.
    let own = MEASUREMENTS.iter().filter(|row| fits(row.name));
    let own = own.map(|row| Dimension::of_unit(row.si_unit.of_difference()));
    let own: BTreeSet<Dimension> = own.collect();
    // A bare number is a share where nothing else may stand, and here something else may.
    let is_other = own.iter().any(|dimension| *dimension != Dimension::Ratio);
    let few = dimensions.iter().copied();
    let few = few.filter(|few| *few == Dimension::Ratio || own.contains(few));
    (is_other && dimensions.len() > 2).then(|| few.collect())
}

fn in_range(
    (si, dimension, written): (f64, Dimension, &str),
    (min, max): (f64, f64),
    name: &str,
    span: Span,
    out: &mut Diagnostics,
) -> Option<()> {
    if si >= min && si <= max {
        return Some(());
    }
    let bound = |si: f64| dimension.display_like(written, si);
    let label = match (min.is_finite(), max.is_finite()) {
        // An instant since the start; where it ends is reported for those that are too late.
        (true, _) if min == 0.0 && si < 0.0 && name == "at" && dimension == Dimension::Time => {
            format!("this is before the start, expected {} or later", bound(0.0))
        }
        (true, false) if min == 0.0 => "must not be negative".to_owned(),
        (true, false) => format!("at least {}", bound(min)),
        (false, _) => format!("at most {}", bound(max)),
        (true, true) => format!("from {} to {}", bound(min), bound(max)),
    };
    out.report(Code::OUT_OF_RANGE, span, format!("`{name}` is out of range"), label);
    None
}

fn read_instant(text: &str, span: Span, out: &mut Diagnostics) -> Option<Value> {
    if let Ok(instant) = text.parse::<SimTime>() {
        return Some(Value::Instant(instant));
    }
    out.report_with_help(
        Code::BAD_INSTANT,
        span,
        "this is no instant",
        "expected a date with time and offset, in the years 1678 to 2261",
        Some(format!("write `{}`", instant_like(text))),
    );
    None
}

/// The instant that a text most likely stands for, as it is to be written: with what it lacks.
fn instant_like(text: &str) -> String {
    let text = text.trim().replace(' ', "T");
    let whole =
        [text.clone(), format!("{text}Z"), format!("{text}:00Z"), format!("{text}T00:00:00Z")];
    let found = whole.into_iter().find(|text| text.parse::<SimTime>().is_ok());
    found.unwrap_or_else(|| "2027-01-18T17:00:00Z".to_owned())
}

fn read_choice(
    text: &str,
    words: &[&str],
    name: &str,
    span: Span,
    out: &mut Diagnostics,
) -> Option<Value> {
    if words.contains(&text) {
        return Some(Value::Text(text.to_owned()));
    }
    let help = nearest(text, words.iter().copied()).map(|near| format!("did you mean `{near}`?"));
    let message = format!("`{name}` cannot be `{text}`");
    let label = format!("expected one of {}", quoted(words));
    out.report_with_help(Code::UNKNOWN_WORD, span, message, label, help);
    None
}
