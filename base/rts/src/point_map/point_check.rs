//! What has to hold of each point by itself.

use lastmeter_params::{Code, Diagnostics, Dimension, NodeValue, WrittenUnit};

use super::fields::{VALUE_KEYS, WRITE_KEYS, is_point_key};
use super::format::WireFormat;
use super::read::{MapDraft, PointDraft};
use super::{PointDirection, feed};
use crate::sample::SignalType;
use crate::{FieldType, FrameField};

/// A whole word is met within this, relative to the word: the rounding of conversions.
const WHOLE_TOLERANCE: f64 = 1e-9;

pub(super) fn check(map: &MapDraft<'_>, out: &mut Diagnostics) {
    let format = map.wire_format();
    for (point, place) in map.points.iter().zip(&map.places) {
        if let Some(format) = format {
            check_type(point, format, out);
        }
        check_role(point, format, out);
        check_meaning(point, out);
        check_logical(point, out);
        check_shares(point, out);
        check_scale(point, out);
        check_range(point, out);
        check_write(point, out);
        feed::check(point, out);
        if let Some(format) = format {
            check_words(point, word_limits(point, format, place.as_ref()), out);
        }
    }
}

/// How a point is called in a sentence.
pub(super) fn called(point: &PointDraft<'_>) -> String {
    point.name.map_or_else(|| "the point".to_owned(), |name| format!("point `{name}`"))
}

fn words(types: &[SignalType]) -> String {
    let words: Vec<String> = types.iter().map(|one| format!("`{one}`")).collect();
    words.join(", ")
}

fn check_type(point: &PointDraft<'_>, format: WireFormat, out: &mut Diagnostics) {
    let Some(found) = point.signal_type.filter(|found| !format.carries(*found)) else { return };
    let message = format!("`{format}` carries no value of type `{found}`");
    let label = format!("expected {}", words(format.types()));
    out.report(Code::DOES_NOT_FIT, point.draft.span_of("type"), message, label);
}

fn check_role(point: &PointDraft<'_>, format: Option<WireFormat>, out: &mut Diagnostics) {
    let Some(role) = point.role else { return };
    let draft = &point.draft;
    let own = ["unit", "device", "quantity", "waveform", "scale"];
    for key in own.iter().chain(&VALUE_KEYS).chain(&WRITE_KEYS[3..]) {
        if draft.has(key) {
            let message = format!("a status word has no `{key}`");
            let help = Some("leave the key out, or `role` if it is not a status word".to_owned());
            let label = format!("{} is of role `{role}`", called(point));
            out.report_with_help(Code::DOES_NOT_FIT, draft.key_span_of(key), message, label, help);
        }
    }
    let is_whole = match point.signal_type {
        Some(SignalType::Float) => format.is_none_or(|format| !format.carries(SignalType::Integer)),
        Some(SignalType::Complex) => false,
        Some(SignalType::Integer | SignalType::Boolean) | None => true,
    };
    if !is_whole {
        let message = format!("a status word of role `{role}` is a whole number");
        let label = "expected `integer`";
        out.report(Code::DOES_NOT_FIT, draft.span_of("type"), message, label);
    }
    if role.is_of_simulator() && point.direction == Some(PointDirection::ToSimulator) {
        let message = format!("only the simulator knows a status of role `{role}`");
        let label = "expected `from-simulator`";
        out.report(Code::DOES_NOT_FIT, draft.span_of("direction"), message, label);
    }
}

/// Device, quantity and waveform, and whether the unit fits them.
fn check_meaning(point: &PointDraft<'_>, out: &mut Diagnostics) {
    let draft = &point.draft;
    let (quantity, waveform) = (draft.has("quantity"), draft.has("waveform"));
    // A status word belongs to the simulator, not to a device.
    if point.role.is_some() {
        return;
    }
    if quantity && waveform {
        let message = format!("{} is both a quantity and a waveform", called(point));
        let label = "expected `quantity` or `waveform`";
        out.report(Code::DOES_NOT_FIT, draft.key_span_of("waveform"), message, label);
        return;
    }
    if (quantity || waveform) && !draft.has("device") {
        let key = if quantity { "quantity" } else { "waveform" };
        let message = format!("`{key}` without `device`");
        let help = Some("name the device that it belongs to".to_owned());
        let label = "expected `device` beside it";
        out.report_with_help(Code::MISSING_KEY, draft.key_span_of(key), message, label, help);
    }
    let is_written = point.direction == Some(PointDirection::ToSimulator);
    if is_written && draft.has("command") && !draft.has("device") {
        let message = "`command` without `device`";
        let help = Some("name the device whose command it is".to_owned());
        let label = "expected `device` beside it";
        out.report_with_help(Code::MISSING_KEY, draft.key_span_of("command"), message, label, help);
    }
    let is_breaker = draft.text("command") == Some("setBreaker");
    let ends = draft.si("least").zip(draft.si("greatest"));
    if is_written
        && is_breaker
        && ends.is_some_and(|(least, greatest)| least > 0.0 || greatest < 1.0)
    {
        let message = "a breaker is written as 0 and 1";
        let label = "expected a range with 0 and 1";
        out.report(Code::OUT_OF_RANGE, draft.span_of("least"), message, label);
    }
    if draft.has("device") && !quantity && !waveform && !is_written {
        let message = "`device` without `quantity` or `waveform`";
        let label = "expected one of them beside it";
        out.report(Code::MISSING_KEY, draft.key_span_of("device"), message, label);
    }
    let carried = match (point.quantity, point.waveform) {
        (Some(id), _) => (Dimension::of_unit(id.row().si_unit), id.name()),
        (None, Some(channel)) => (channel.dimension(), channel.word()),
        (None, None) => return,
    };
    if let Some(unit) = &point.unit {
        check_dimension(point, unit, carried, out);
    }
}

fn check_dimension(
    point: &PointDraft<'_>,
    unit: &WrittenUnit,
    (dimension, name): (Dimension, &str),
    out: &mut Diagnostics,
) {
    if unit.dimension == dimension {
        return;
    }
    let symbols: Vec<&str> = dimension.unit_symbols().collect();
    let help = Some(format!("units that fit: {}", symbols.join(", ")));
    let label = format!("`{name}` is of the dimension {dimension}");
    if point.draft.has("unit") {
        let message =
            format!("`{}` is a unit of {}, not of {dimension}", unit.symbol, unit.dimension);
        let (code, span) = (Code::WRONG_DIMENSION, point.draft.span_of("unit"));
        out.report_with_help(code, span, message, label, help);
    } else {
        let message = format!("{} has no `unit`", called(point));
        out.report_with_help(Code::MISSING_UNIT, point.draft.span, message, label, help);
    }
}

/// A boolean has neither unit nor range; a complex value can only be passed on.
fn check_logical(point: &PointDraft<'_>, out: &mut Diagnostics) {
    let draft = &point.draft;
    let Some(kind @ (SignalType::Boolean | SignalType::Complex)) = point.signal_type else {
        return;
    };
    if point.role.is_some() {
        return;
    }
    let ranged = ["unit", "scale", "offset", "least", "greatest", "greatest_change_per_second"];
    for key in ranged.into_iter().filter(|key| draft.has(key)) {
        let message = format!("a point of type `{kind}` has no `{key}`");
        let label = "expected a point of type `float` or `integer`";
        out.report(Code::DOES_NOT_FIT, draft.key_span_of(key), message, label);
    }
    let is_written = point.direction == Some(PointDirection::ToSimulator);
    if kind == SignalType::Complex && (is_written || draft.has("device")) {
        let message = "a complex point can only be a raw signal from the simulator";
        let label = "expected `float` or `integer`";
        out.report(Code::DOES_NOT_FIT, draft.span_of("type"), message, label);
    }
    if kind == SignalType::Boolean {
        for key in ["initial", "safe_value"] {
            if draft.si(key).is_some_and(|value| value != 0.0 && value != 1.0) {
                let message = format!("`{key}` of a boolean point is out of range");
                out.report(Code::OUT_OF_RANGE, draft.span_of(key), message, "expected 0 or 1");
            }
        }
    }
}

/// Of a point in percent a bare number would be a hundred times what is meant.
fn check_shares(point: &PointDraft<'_>, out: &mut Diagnostics) {
    let Some(unit) = point.unit.as_ref() else { return };
    if unit.dimension != Dimension::Ratio || unit.symbol.is_empty() {
        return;
    }
    for key in VALUE_KEYS {
        let Some(node) = point.draft.table.get(key) else { continue };
        let number = match &node.value {
            NodeValue::Integer(number) => number.to_string(),
            NodeValue::Float(number) => number.to_string(),
            _ => continue,
        };
        let symbol = &unit.symbol;
        let message = format!("`{number}` has no unit, and the point is in `{symbol}`");
        let help = Some(format!("write `\"{number} {symbol}\"`"));
        let label = format!("expected a number with `{symbol}`");
        out.report_with_help(Code::MISSING_UNIT, node.span, message, label, help);
    }
}

fn check_scale(point: &PointDraft<'_>, out: &mut Diagnostics) {
    if point.draft.si("scale") == Some(0.0) {
        let message = "`scale` is 0: every word would be the same value";
        let label = "expected another number than 0";
        out.report(Code::OUT_OF_RANGE, point.draft.span_of("scale"), message, label);
    }
}

fn check_range(point: &PointDraft<'_>, out: &mut Diagnostics) {
    let draft = &point.draft;
    if draft.has("least") != draft.has("greatest") {
        let (key, other) =
            if draft.has("least") { ("least", "greatest") } else { ("greatest", "least") };
        let message = format!("`{key}` without `{other}`");
        let label = format!("expected `{other}` beside it");
        out.report(Code::MISSING_KEY, draft.key_span_of(key), message, label);
    }
    let (Some(least), Some(greatest)) = (draft.si("least"), draft.si("greatest")) else { return };
    let show = |si| shown(point, si);
    if least >= greatest {
        let message = format!("the range is reversed: `least` is {}", show(least));
        let label = format!("expected less than `greatest`, which is {}", show(greatest));
        out.report(Code::OUT_OF_RANGE, draft.span_of("least"), message, label);
        return;
    }
    for key in ["initial", "safe_value"] {
        let Some(value) = draft.si(key).filter(|value| *value < least || *value > greatest) else {
            continue;
        };
        let message = format!("`{key}` is outside the limits: {}", show(value));
        let label = format!("expected from {} to {}", show(least), show(greatest));
        out.report(Code::OUT_OF_RANGE, draft.span_of(key), message, label);
    }
}

/// A value as the unit of the point writes it.
fn shown(point: &PointDraft<'_>, si: f64) -> String {
    let Some(unit) = &point.unit else { return si.to_string() };
    // Without the digits that come of binary fractions.
    let value: f64 = format!("{:.12e}", si / unit.factor).parse().unwrap_or(si);
    format!("{value} {}", unit.symbol).trim_end().to_owned()
}

/// A written point needs limits, since a wrong value moves the plant; another one has none.
fn check_write(point: &PointDraft<'_>, out: &mut Diagnostics) {
    let draft = &point.draft;
    if point.direction == Some(PointDirection::FromSimulator) && point.role.is_none() {
        // How fast a measured value may change is of those that come too.
        let of_written = if point.quantity.is_some() { &WRITE_KEYS[1..] } else { &WRITE_KEYS[..] };
        for key in of_written.iter().filter(|key| draft.has(key)) {
            let message = format!("`{key}` is of points that are written");
            let label = format!("{} comes from the simulator", called(point));
            out.report(Code::DOES_NOT_FIT, draft.key_span_of(key), message, label);
        }
    }
    let is_written = point.direction == Some(PointDirection::ToSimulator) && point.role.is_none();
    if !is_written || point.signal_type == Some(SignalType::Complex) || draft.table.incomplete {
        return;
    }
    let needed = ["initial", "safe_value", "least", "greatest", "greatest_change_per_second"];
    let count = if point.signal_type == Some(SignalType::Boolean) { 2 } else { needed.len() };
    // A misspelt key is one mistake: the right one is then not missing as well.
    let spare = draft.table.entries.iter().filter(|entry| !is_point_key(&entry.key)).count();
    let missing = needed[..count].iter().filter(|key| !draft.has(key));
    let missing: Vec<String> = missing.map(|key| format!("`{key}`")).collect();
    // One of `least` and `greatest` without the other has been reported.
    if missing.len() > spare && missing != ["`least`"] && missing != ["`greatest`"] {
        let message = format!("{} is written and has no {}", called(point), missing.join(", "));
        let help = "without limits one slip would reach the plant".to_owned();
        let label = "expected limits, an initial and a safe value";
        out.report_with_help(Code::MISSING_KEY, draft.span, message, label, Some(help));
    }
}

/// The least and the greatest word that can carry a point; `None` where any number can be carried.
fn word_limits(
    point: &PointDraft<'_>,
    format: WireFormat,
    place: Option<&FrameField>,
) -> Option<(f64, f64)> {
    if let Some(place) = place {
        let (least, greatest) = place.range();
        return match place.field_type {
            // A sample has signed integers of 64 bits.
            FieldType::Signed | FieldType::Unsigned => {
                Some((least as f64, greatest.min(i64::MAX.into()) as f64))
            }
            FieldType::Float32 => Some((f64::from(f32::MIN), f64::from(f32::MAX))),
            FieldType::Float64 | FieldType::Boolean => None,
        };
    }
    match (point.signal_type?, format.word_bits()) {
        (SignalType::Integer, Some(32)) => Some((f64::from(i32::MIN), f64::from(i32::MAX))),
        (SignalType::Integer, _) => Some((i64::MIN as f64, i64::MAX as f64)),
        (SignalType::Float, Some(32)) => Some((f64::from(f32::MIN), f64::from(f32::MAX))),
        _ => None,
    }
}

/// Whether the words on the wire can be what the map declares.
fn check_words(point: &PointDraft<'_>, limits: Option<(f64, f64)>, out: &mut Diagnostics) {
    let (draft, Some(unit)) = (&point.draft, &point.unit) else { return };
    let Some((least_word, greatest_word)) = limits else { return };
    let Some(scale) = draft.si("scale").filter(|scale| *scale != 0.0) else { return };
    let offset = draft.si("offset").unwrap_or(0.0);
    let word_of = |si: f64| (si - offset) / (scale * unit.factor);
    let is_integer = point.signal_type == Some(SignalType::Integer);
    let is_written = point.direction == Some(PointDirection::ToSimulator);
    for key in ["least", "greatest", "initial", "safe_value"] {
        let Some(si) = draft.si(key) else { continue };
        let word = word_of(si);
        if word < least_word || word > greatest_word {
            let message = format!("`{key}` is {word} on the wire, and no word can carry that");
            let label = format!("expected a word from {least_word} to {greatest_word}");
            let help = Some("choose another `scale`".to_owned());
            out.report_with_help(Code::OUT_OF_RANGE, draft.span_of(key), message, label, help);
        } else if is_integer && is_written && !is_whole(word) {
            let si_of = |word: f64| shown(point, word * (scale * unit.factor) + offset);
            // Without the digits that come of binary fractions.
            let short = format!("{word:.9}");
            let short = short.trim_end_matches('0');
            let message = format!("`{key}` is {short} on the wire, and an integer would lose that");
            let label = format!("expected {} or {}", si_of(word.floor()), si_of(word.ceil()));
            let help = Some("choose a value on the integer's steps, or a finer `scale`".to_owned());
            out.report_with_help(Code::DOES_NOT_FIT, draft.span_of(key), message, label, help);
        }
    }
    if let (true, Some(least), Some(greatest)) =
        (is_integer, draft.si("least"), draft.si("greatest"))
        && least < greatest
        && (word_of(greatest) - word_of(least)).abs() < 1.0
    {
        let message = "the range is narrower than one step of the integer";
        let label = format!("one step is {}", shown(point, (scale * unit.factor).abs()));
        let help = Some("choose a finer `scale`, or the type `float`".to_owned());
        out.report_with_help(Code::DOES_NOT_FIT, draft.span_of("least"), message, label, help);
    }
}

fn is_whole(word: f64) -> bool {
    (word - word.round()).abs() <= WHOLE_TOLERANCE * word.abs().max(1.0)
}
