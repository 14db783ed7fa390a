//! What injections into links have in common: whom they are about, and that no two of a kind are on
//! one link at a time.

use lastmeter_params::{Code, Diagnostics, Field, Kind, Span};
use lastmeter_record::Event;
use lastmeter_units::SimTime;

use super::injection::{Injection, time};
use super::kind::{InjectKind, kind_of};
use super::target::{Places, Target, Through};
use crate::language::draft::Row;
use crate::language::scenario::Scenario;

/// Which link.
pub(super) const LINK: Field = Field::required("link", Kind::Name, "the link it happens to");

/// Whose connections.
pub(super) const DEVICE: Field = Field::optional(
    "device",
    Kind::Text,
    "only the connections of these devices: a name, or a pattern with *; else everything that goes \
     through the link, observers too",
);

/// What an injection into a link is about; `None` after a mistake.
pub(super) fn target(row: &Row<'_>, places: &Places<'_>, out: &mut Diagnostics) -> Option<Target> {
    let (name, span) = row.text("link")?;
    let link = places.links.find(name, span, out);
    let fitting =
        row.text("device").map(|(text, span)| (places.devices.fitting(text, span, out), span));
    let (link, via) = (link?, Ok(Some(link?)));
    let mut refuse = |span: Span, message: String| {
        let label = "nothing would happen";
        let help = format!("write `via = \"{name}\"` in a `[[device]]` or `[[observer]]`");
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help));
    };
    let Some((fitting, span)) = fitting else {
        let all = places.via_of_device.iter().chain(places.via_of_gateway);
        let mut all = all.chain(places.via_of_observer);
        if places.devices.is_complete() && !all.any(|other| other.is_err() || *other == via) {
            refuse(span, format!("nothing is connected through link `{name}`"));
            return None;
        }
        return Some(Target::Link(Through { link, devices: None }));
    };
    let via_of = |device: usize| places.via_of_device.get(device).copied().unwrap_or(Ok(None));
    let through: Vec<usize> =
        fitting.iter().copied().filter(|&device| via_of(device) == via).collect();
    if through.is_empty() && fitting.iter().all(|&device| via_of(device).is_ok()) {
        if !fitting.is_empty() {
            let which = row.text("device").map_or("", |(text, _)| text);
            refuse(span, format!("no device `{which}` is connected through link `{name}`"));
        }
        return None;
    }
    Some(Target::Link(Through { link, devices: Some(through) }))
}

/// What is recorded when the link is itself again.
pub(super) fn restored(injection: &Injection, scenario: &Scenario, at: SimTime) -> Option<Event> {
    let link = &scenario.links[injection.through()?.link];
    Some(Event::restored(at, &link.name, injection.kind.entry().name))
}

/// From when to when an injection lasts, ns since the start.
fn span_of(row: &Row<'_>) -> Option<(i64, i64)> {
    let (at, ..) = time(row, "at")?;
    match time(row, "for") {
        Some((length, ..)) => Some((at, at.saturating_add(length))),
        None => row.table.get("for").is_none().then_some((at, i64::MAX)),
    }
}

/// On one link there is one impairment at a time, and one breakage.
pub(super) fn do_not_overlap(
    injections: &[Row<'_>],
    targets: &[Option<Target>],
    out: &mut Diagnostics,
) {
    struct Lasting<'a> {
        what: &'static str,
        target: &'a Through,
        begin: i64,
        end: i64,
        place: Span,
    }
    let mut lasting: Vec<Lasting<'_>> = Vec::new();
    for (row, target) in injections.iter().zip(targets) {
        let Some(what) = kind_of(row).and_then(InjectKind::link_is) else { continue };
        let (Some(Target::Link(target)), Some((begin, end))) = (target, span_of(row)) else {
            continue;
        };
        let place = row.text("at").map_or(row.span, |(_, span)| span);
        lasting.push(Lasting { what, target, begin, end, place });
    }
    // A breakage of no length still needs its instant for itself.
    lasting.sort_by_key(|one| (one.what, one.target.link, one.begin, one.place));
    for (index, later) in lasting.iter().enumerate() {
        let same = |earlier: &&Lasting<'_>| {
            (earlier.what, earlier.target.link) == (later.what, later.target.link)
        };
        let before = lasting[..index].iter().rev().take_while(same);
        let clash = |earlier: &Lasting<'_>| {
            (later.begin < earlier.end || later.begin == earlier.begin)
                && share_devices(earlier.target, later.target)
        };
        if before.into_iter().any(clash) {
            let what = later.what;
            let message = format!("the link is already {what} at that time");
            let label = "begins before the one before has ended";
            let help = "let the one before end with `for`, or name other devices with `device`";
            let code = Code::OVERLAP;
            out.report_with_help(code, later.place, message, label, Some(help.to_owned()));
        }
    }
}

/// Whether two injections of one link are about the same connections; devices stand in order.
fn share_devices(a: &Through, b: &Through) -> bool {
    match (&a.devices, &b.devices) {
        (Some(a), Some(b)) => a.iter().any(|device| b.binary_search(device).is_ok()),
        _ => true,
    }
}
