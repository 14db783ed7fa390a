//! What has to hold of the points of a map together.

use std::collections::BTreeMap;

use lastmeter_params::{Code, Diagnostics, NodeValue, Span, nearest};

use super::format::{Card, WireFormat};
use super::point_check::called;
use super::read::{MapDraft, PointDraft};
use super::{PointDirection, StatusRole};

pub(super) fn check(map: &MapDraft<'_>, out: &mut Diagnostics) {
    check_simulator(map, out);
    check_names(map, out);
    check_meanings(map, out);
    check_roles(map, out);
    check_breakers(map, out);
    for direction in PointDirection::ALL {
        check_count(map, direction, out);
    }
    check_rate(map, out);
    check_references(map, out);
}

/// A card that does not send the format.
fn check_simulator(map: &MapDraft<'_>, out: &mut Diagnostics) {
    let (Some(draft), Some(format)) = (&map.simulator, map.wire_format()) else { return };
    if let Some(card) = map.card().filter(|card| *card != Card::None && !format.is_gtnet()) {
        let message = format!("card `{card}` does not send `{format}`");
        let label = "expected `none`, or the wire format `gtnet-skt` or `gtnet-skt-header`";
        out.report(Code::DOES_NOT_FIT, draft.span_of("card"), message, label);
    }
}

/// Reports at `key` the second and each later point of one value, with the first one of it.
fn report_repeated<'a, K: Ord>(
    map: &MapDraft<'a>,
    key: &str,
    value_of: impl Fn(&PointDraft<'a>) -> Option<K>,
    report: impl Fn(&PointDraft<'a>, &PointDraft<'a>) -> (String, String),
    out: &mut Diagnostics,
) {
    let mut first: BTreeMap<K, &PointDraft<'a>> = BTreeMap::new();
    for point in &map.points {
        let Some(value) = value_of(point) else { continue };
        if let Some(earlier) = first.get(&value) {
            let (message, label) = report(point, earlier);
            out.report(Code::NAME_TAKEN, point.draft.span_of(key), message, label);
        } else {
            first.insert(value, point);
        }
    }
}

fn check_names(map: &MapDraft<'_>, out: &mut Diagnostics) {
    let report = |point: &PointDraft<'_>, _: &PointDraft<'_>| {
        let message = format!("two points are named `{}`", point.name.unwrap_or_default());
        (message, "expected a name of its own".to_owned())
    };
    report_repeated(map, "name", |point| point.name, report, out);
}

fn check_meanings(map: &MapDraft<'_>, out: &mut Diagnostics) {
    for key in ["quantity", "waveform"] {
        let value_of = |point: &PointDraft<'_>| {
            let own = point.draft.text(key).filter(|_| point.role.is_none())?.to_owned();
            Some((point.direction?, point.draft.text("device")?.to_owned(), own))
        };
        let report = |point: &PointDraft<'_>, earlier: &PointDraft<'_>| {
            let text = |key| point.draft.text(key).unwrap_or_default();
            let message =
                format!("two points carry `{}` of device `{}`", text(key), text("device"));
            (message, format!("already carried by {}", called(earlier)))
        };
        report_repeated(map, key, value_of, report, out);
    }
}

/// A device has one breaker.
fn check_breakers(map: &MapDraft<'_>, out: &mut Diagnostics) {
    let value_of = |point: &PointDraft<'_>| {
        let is_breaker = point.draft.text("command") == Some("setBreaker");
        point.draft.text("device").filter(|_| is_breaker).map(str::to_owned)
    };
    let report = |point: &PointDraft<'_>, earlier: &PointDraft<'_>| {
        let device = point.draft.text("device").unwrap_or_default();
        let message = format!("two points are the breaker of device `{device}`");
        (message, format!("already {}", called(earlier)))
    };
    report_repeated(map, "command", value_of, report, out);
}

fn check_roles(map: &MapDraft<'_>, out: &mut Diagnostics) {
    let report = |point: &PointDraft<'_>, earlier: &PointDraft<'_>| {
        let message =
            format!("two points are of role `{}`", point.role.map_or("", StatusRole::word));
        (message, format!("already the role of {}", called(earlier)))
    };
    report_repeated(map, "role", |point| Some((point.direction?, point.role?)), report, out);
    if map.wire_format() != Some(WireFormat::GtnetSktHeader) {
        return;
    }
    let in_header = [StatusRole::Sequence, StatusRole::Seconds, StatusRole::Nanoseconds];
    for point in
        map.points.iter().filter(|point| point.role.is_some_and(|r| in_header.contains(&r)))
    {
        let role = point.role.map_or("", StatusRole::word);
        let message = format!("`{role}` stands in the header of `gtnet-skt-header`");
        let help = "leave the point out; for a draft that has it elsewhere, use `gtnet-skt`";
        let (code, span) = (Code::DOES_NOT_FIT, point.draft.span_of("role"));
        out.report_with_help(code, span, message, "twice on the wire", Some(help.to_owned()));
    }
}

fn points_of<'m, 'a>(
    map: &'m MapDraft<'a>,
    direction: PointDirection,
) -> impl Iterator<Item = &'m PointDraft<'a>> {
    map.points.iter().filter(move |point| point.direction == Some(direction))
}

/// How many points stand in one packet of a direction, with the words of a header.
fn words_of(map: &MapDraft<'_>, format: WireFormat, direction: PointDirection) -> usize {
    match points_of(map, direction).count() {
        0 => 0,
        points => points + format.header_words(),
    }
}

fn check_count(map: &MapDraft<'_>, direction: PointDirection, out: &mut Diagnostics) {
    let Some(format) = map.wire_format() else { return };
    let header = format.header_words();
    let mut limits = Vec::new();
    limits.extend(format.values_max().map(|max| (max, format!("`{format}`"))));
    let of_card = map.card().and_then(|card| Some((card.points_max()?, card)));
    limits
        .extend(of_card.map(|(max, card)| (max.saturating_sub(header), format!("card `{card}`"))));
    let Some((max, what)) = limits.into_iter().min() else { return };
    let found = points_of(map, direction).count();
    if let Some(point) = points_of(map, direction).nth(max) {
        let message = format!("{found} points {direction} are more than {what} carries");
        let besides = match header {
            0 => String::new(),
            words => format!(" besides the {words} words of the header"),
        };
        let label = format!("expected at most {max}{besides}; this is the first beyond");
        let help = Some("send fewer points, or divide them between two simulator maps".to_owned());
        out.report_with_help(Code::OUT_OF_RANGE, point.draft.span, message, label, help);
    }
}

fn check_rate(map: &MapDraft<'_>, out: &mut Diagnostics) {
    let (Some(draft), Some(format), Some(card)) = (&map.simulator, map.wire_format(), map.card())
    else {
        return;
    };
    let Some(rate) = draft.si("sample_rate") else { return };
    let words = PointDirection::ALL.map(|direction| words_of(map, format, direction));
    let words = words.into_iter().max().unwrap_or(0);
    let Some(max) = card.rate_max(words).filter(|max| rate > *max) else { return };
    let message = format!("{rate} Hz with {words} points is above what card `{card}` allows");
    let label = format!("expected at most {max} Hz");
    let help = Some("too high a rate can halt the card until its power is cycled".to_owned());
    out.report_with_help(Code::OUT_OF_RANGE, draft.span_of("sample_rate"), message, label, help);
}

fn check_references(map: &MapDraft<'_>, out: &mut Diagnostics) {
    let has_mode = map.points.iter().any(|point| point.role == Some(StatusRole::Mode));
    for point in points_of(map, PointDirection::ToSimulator) {
        let draft = &point.draft;
        let blocked = draft.table.get("blocked_by_mode");
        let blocked = blocked.is_some_and(|node| node.value == NodeValue::Boolean(true));
        if blocked && !has_mode {
            let message = "`blocked_by_mode` without a point that reports the mode";
            let label = "expected a point from the simulator of role `mode`";
            let span = draft.span_of("blocked_by_mode");
            out.report(Code::UNKNOWN_REFERENCE, span, message, label);
        }
        if let Some(name) = draft.text("reflected_by").filter(|_| point.role.is_none()) {
            check_reflection(map, point, name, out);
        }
    }
}

fn check_reflection(map: &MapDraft<'_>, point: &PointDraft<'_>, name: &str, out: &mut Diagnostics) {
    let span: Span = point.draft.span_of("reflected_by");
    let Some(other) = map.point_named(name).map(|at| &map.points[at]) else {
        let names = points_of(map, PointDirection::FromSimulator).filter_map(|other| other.name);
        let help = nearest(name, names).map(|near| format!("did you mean `{near}`?"));
        let message = format!("there is no point `{name}`");
        let label = "expected a point from the simulator";
        out.report_with_help(Code::UNKNOWN_REFERENCE, span, message, label, help);
        return;
    };
    if other.direction == Some(PointDirection::ToSimulator) {
        let message = format!("`{name}` goes to the simulator and reflects nothing");
        let label = "expected a point from the simulator";
        out.report(Code::DOES_NOT_FIT, span, message, label);
        return;
    }
    if let (Some(own), Some(theirs)) = (&point.unit, &other.unit)
        && own.dimension != theirs.dimension
    {
        let message = format!("`{name}` is of the dimension {}", theirs.dimension);
        let label = format!("expected {}, as {} has", own.dimension, called(point));
        out.report(Code::WRONG_DIMENSION, span, message, label);
    }
}
