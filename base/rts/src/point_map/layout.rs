//! Where the points of a described frame lie, and what is wrong with that.

use std::collections::BTreeMap;

use lastmeter_params::{Code, Diagnostics, NodeValue, Span};

use super::fields::is_point_key;
use super::format::WireFormat;
use super::point_check::called;
use super::read::{Draft, MapDraft, PointDraft};
use super::{PointDirection, StatusRole};
use crate::frame_description::FRAME_MAX_BYTES;
use crate::sample::SignalType;
use crate::{ByteOrder, FieldType, FrameField};

/// Where the point before ended.
struct End {
    /// In bits from the begin of the frame; `None` where something of it is wrong.
    bit: Option<usize>,
    byte_order: Option<ByteOrder>,
}

/// The place of each point of a map of described frames, `None` where it is not known; of other
/// formats none.
pub(super) fn lay_out(map: &MapDraft<'_>, out: &mut Diagnostics) -> Vec<Option<FrameField>> {
    let mut places = vec![None; map.points.len()];
    if map.wire_format() != Some(WireFormat::Frame) {
        return places;
    }
    check_default_order(map, out);
    for direction in PointDirection::ALL.map(Some).into_iter().chain([None]) {
        let mut before = End { bit: Some(0), byte_order: None };
        for (point, place) in map.points.iter().zip(&mut places) {
            if point.direction == direction {
                *place = place_of(map, point, &mut before, out);
            }
        }
        // Without its direction nobody knows which frame a point is in.
        if let Some(direction) = direction {
            check_frame(map, direction, &places, out);
        }
    }
    places
}

const fn frame_bytes_key(direction: PointDirection) -> &'static str {
    match direction {
        PointDirection::FromSimulator => "frame_bytes_from_simulator",
        PointDirection::ToSimulator => "frame_bytes_to_simulator",
    }
}

/// The stated length of a direction's frames.
pub(super) fn frame_bytes(map: &MapDraft<'_>, direction: PointDirection) -> Option<usize> {
    let draft = map.simulator.as_ref()?;
    whole(draft, frame_bytes_key(direction), 1, FRAME_MAX_BYTES)
}

/// A whole number within its bounds. Others are reported where the tables are read.
fn whole(draft: &Draft<'_>, key: &str, least: usize, most: usize) -> Option<usize> {
    let NodeValue::Integer(number) = draft.table.get(key)?.value else { return None };
    usize::try_from(number).ok().filter(|number| (least..=most).contains(number))
}

/// There is no default byte order: one that was assumed would read plausible nonsense.
fn check_default_order(map: &MapDraft<'_>, out: &mut Diagnostics) {
    let Some(simulator) = map.simulator.as_ref() else { return };
    let Some(point) = map.points.iter().find(|point| !point.draft.has("byte_order")) else {
        return;
    };
    if !simulator.has("byte_order") && !simulator.table.incomplete {
        let message = "`byte_order` is missing";
        let label = format!("expected it here, or in each point; {} has none", called(point));
        let help = Some("write `byte_order = \"little\"` or `\"big\"`".to_owned());
        out.report_with_help(Code::MISSING_KEY, simulator.span, message, label, help);
    }
}

fn place_of(
    map: &MapDraft<'_>,
    point: &PointDraft<'_>,
    before: &mut End,
    out: &mut Diagnostics,
) -> Option<FrameField> {
    let own = point.draft.text("byte_order");
    let of_all = || map.simulator.as_ref()?.text("byte_order");
    let word = if point.draft.has("byte_order") { own } else { of_all() };
    let byte_order = word.and_then(ByteOrder::from_word);
    let width = width(point, out);
    let begin = begin(point, before, byte_order, out);
    let bit = begin.zip(width).map(|(begin, width)| begin + usize::from(width));
    *before = End { bit, byte_order };
    let (width_bits, begin, byte_order) = (width?, begin?, byte_order?);
    let field = FrameField {
        bit_offset: (begin % 8) as u8,
        ..FrameField::new(begin / 8, width_bits, byte_order, field_type(point, width_bits, out)?)
    };
    check_alignment(point, &field, out)?;
    check_role(point, &field, out);
    Some(field)
}

fn width(point: &PointDraft<'_>, out: &mut Diagnostics) -> Option<u8> {
    let draft = &point.draft;
    // A misspelt key is one mistake: the right one is then not missing as well.
    let is_misspelt = draft.table.entries.iter().any(|entry| !is_point_key(&entry.key));
    if !draft.has("bits") && !is_misspelt && !draft.table.incomplete {
        let message = format!("{} has no `bits`", called(point));
        let help = Some("such as `bits = 32`".to_owned());
        let label = "expected its width in the frame, 1 to 64";
        out.report_with_help(Code::MISSING_KEY, draft.span, message, label, help);
    }
    let width = u8::try_from(whole(draft, "bits", 1, 64)?).ok()?;
    if point.signal_type == Some(SignalType::Float) && !matches!(width, 32 | 64) {
        let message = format!("no float is {width} bits wide");
        let help = Some("an integer with `scale` may have any width".to_owned());
        let (span, label) = (draft.span_of("bits"), "expected 32 or 64");
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, help);
    }
    Some(width)
}

/// The bit of the frame with which a point begins, in the order in which its own byte order counts.
fn begin(
    point: &PointDraft<'_>,
    before: &End,
    byte_order: Option<ByteOrder>,
    out: &mut Diagnostics,
) -> Option<usize> {
    let draft = &point.draft;
    if draft.has("byte_offset") {
        let bit = if draft.has("bit_offset") { whole(draft, "bit_offset", 0, 7)? } else { 0 };
        return Some(8 * whole(draft, "byte_offset", 0, FRAME_MAX_BYTES - 1)? + bit);
    }
    if draft.has("bit_offset") {
        let message = "`bit_offset` without `byte_offset`";
        let label = "expected `byte_offset` beside it";
        out.report(Code::MISSING_KEY, draft.key_span_of("bit_offset"), message, label);
        return None;
    }
    let begin = before.bit?;
    let is_turned = before.byte_order.zip(byte_order).is_some_and(|(a, b)| a != b);
    if is_turned && !begin.is_multiple_of(8) {
        let byte = begin / 8;
        let message = format!("byte {byte} is not full, and there the byte order changes");
        let help = "the two orders count the bits of a byte from different ends".to_owned();
        let label = format!("expected `byte_offset` in {}", called(point));
        out.report_with_help(Code::MISSING_KEY, draft.span, message, label, Some(help));
        return None;
    }
    Some(begin)
}

fn field_type(point: &PointDraft<'_>, width: u8, out: &mut Diagnostics) -> Option<FieldType> {
    let draft = &point.draft;
    let found = point.signal_type?;
    if draft.has("unsigned") && found != SignalType::Integer {
        let message = format!("a point of type `{found}` has no `unsigned`");
        let label = "expected a point of type `integer`";
        out.report(Code::DOES_NOT_FIT, draft.key_span_of("unsigned"), message, label);
    }
    let unsigned = draft.table.get("unsigned").map(|node| &node.value);
    match (found, width) {
        (SignalType::Float, 32) => Some(FieldType::Float32),
        (SignalType::Float, 64) => Some(FieldType::Float64),
        (SignalType::Integer, _) if unsigned == Some(&NodeValue::Boolean(true)) => {
            Some(FieldType::Unsigned)
        }
        (SignalType::Integer, _) => Some(FieldType::Signed),
        (SignalType::Boolean, _) => Some(FieldType::Boolean),
        (SignalType::Float | SignalType::Complex, _) => None,
    }
}

fn check_alignment(
    point: &PointDraft<'_>,
    field: &FrameField,
    out: &mut Diagnostics,
) -> Option<()> {
    let is_float = matches!(field.field_type, FieldType::Float32 | FieldType::Float64);
    if !is_float || field.bit_offset == 0 {
        return Some(());
    }
    let (byte, bit) = (field.byte_offset, field.bit_offset);
    let message = format!("a float begins at a whole byte, and this at bit {bit} of byte {byte}");
    let label = if point.draft.has("byte_offset") {
        "expected `bit_offset` 0".to_owned()
    } else {
        format!("expected `byte_offset`, such as {}", byte + 1)
    };
    out.report(Code::DOES_NOT_FIT, place_span(point), message, label);
    None
}

/// Where the key stands that decides where a point lies.
fn place_span(point: &PointDraft<'_>) -> Span {
    let keys = ["bit_offset", "byte_offset"];
    let key = keys.into_iter().find(|key| point.draft.has(key));
    key.map_or(point.draft.span, |key| point.draft.span_of(key))
}

/// A status that its width does not carry would be wrong without a sign of it.
fn check_role(point: &PointDraft<'_>, field: &FrameField, out: &mut Diagnostics) {
    let needed = match point.role {
        // What counts may wrap wherever it wants.
        None | Some(StatusRole::Sequence) => return,
        // Seconds end in 2038 where they are signed.
        Some(StatusRole::Seconds) => i128::from(i32::MAX),
        Some(role) => role.word_range().1 as i128,
    };
    let (least, greatest) = field.range();
    let role = point.role.map_or("", StatusRole::word);
    if greatest < needed {
        let message = format!("role `{role}` does not fit a word from {least} to {greatest}");
        let label = format!("expected room for {needed}");
        let help = Some("choose more `bits`, or `unsigned = true`".to_owned());
        let span = point.draft.span_of("bits");
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, help);
    }
}

/// Whether all points of one direction lie in their frame, and none on another.
fn check_frame(
    map: &MapDraft<'_>,
    direction: PointDirection,
    places: &[Option<FrameField>],
    out: &mut Diagnostics,
) {
    let key = frame_bytes_key(direction);
    let points = || map.points.iter().zip(places).filter(|(p, _)| p.direction == Some(direction));
    if let Some(draft) = map.simulator.as_ref().filter(|draft| draft.has(key))
        && points().next().is_none()
        && !map.points.is_empty()
    {
        let message = format!("`{key}` without points of that direction");
        let label = format!("expected a point `{direction}`");
        out.report(Code::DOES_NOT_FIT, draft.key_span_of(key), message, label);
    }
    let stated = frame_bytes(map, direction);
    let bytes = stated.unwrap_or(FRAME_MAX_BYTES);
    let mut owners: BTreeMap<usize, &PointDraft<'_>> = BTreeMap::new();
    for (point, field) in points().filter_map(|(point, place)| Some((point, (*place)?))) {
        let end = field.byte_offset + field.bytes();
        if end > bytes {
            let message = format!("{} ends in byte {}, behind the frame", called(point), end - 1);
            let label = match stated {
                Some(_) => format!("expected it within the {bytes} bytes of `{key}`"),
                None => format!("expected it within {bytes} bytes, as a datagram has at most"),
            };
            out.report(Code::OUT_OF_RANGE, place_span(point), message, label);
        }
        let mut met = None;
        for bit in field.bits() {
            match owners.get(&bit) {
                Some(owner) => met = met.or(Some((bit, *owner))),
                None => drop(owners.insert(bit, point)),
            }
        }
        if let Some((bit, owner)) = met {
            let message = format!("{} overlaps {}", called(point), called(owner));
            let label = format!("both have bits of byte {}", bit / 8);
            let help = Some("compare `byte_offset`, `bit_offset` and `bits` of both".to_owned());
            out.report_with_help(Code::DOES_NOT_FIT, place_span(point), message, label, help);
        }
    }
}
