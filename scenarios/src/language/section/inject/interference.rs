//! What must hold about injections into links: whom they are about, that they end before the
//! scenario does, and that no two of a kind are on one link at a time.

use lastmeter_params::{Code, Diagnostics, Dimension, Span, parse_quantity};
use lastmeter_units::SimDuration;

use super::kinds::{InjectKind, kind_of};
use crate::language::draft::Row;
use crate::language::names::Names;
use crate::language::section::link::Via;

/// What an injection into a link is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The link's index.
    pub(crate) link: usize,
    /// The devices whose connections it is about; `None`: whatever goes through the link.
    pub(crate) devices: Option<Vec<usize>>,
}

/// Who is connected through what, as far as it could be read.
pub(crate) struct Connected<'a> {
    pub(crate) links: &'a Names,
    pub(crate) devices: &'a Names,
    pub(crate) via_of_device: Vec<Via>,
    pub(crate) via_of_gateway: &'a [Via],
    pub(crate) via_of_observer: &'a [Via],
}

/// Whether an injection is one into a link.
pub(crate) fn is_into_link(row: &Row<'_>) -> bool {
    matches!(kind_of(row), Some(InjectKind::Impair | InjectKind::Disconnect))
}

/// What an injection into a link is about; `None` if it is none, or after a mistake.
pub(crate) fn target_of(
    row: &Row<'_>,
    connected: &Connected<'_>,
    out: &mut Diagnostics,
) -> Option<Target> {
    if !is_into_link(row) {
        return None;
    }
    let (name, span) = row.text("link")?;
    let link = connected.links.find(name, span, out);
    let fitting =
        row.text("device").map(|(text, span)| (connected.devices.fitting(text, span, out), span));
    let (link, via) = (link?, Ok(Some(link?)));
    let mut refuse = |span: Span, message: String| {
        let label = "nothing would happen";
        let help = format!("write `via = \"{name}\"` in a `[[device]]` or `[[observer]]`");
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help));
    };
    let Some((fitting, span)) = fitting else {
        let all = connected.via_of_device.iter().chain(connected.via_of_gateway);
        let mut all = all.chain(connected.via_of_observer);
        if connected.devices.is_complete() && !all.any(|other| other.is_err() || *other == via) {
            refuse(span, format!("nothing is connected through link `{name}`"));
            return None;
        }
        return Some(Target { link, devices: None });
    };
    let via_of = |device: usize| connected.via_of_device.get(device).copied().unwrap_or(Ok(None));
    let through: Vec<usize> =
        fitting.iter().copied().filter(|&device| via_of(device) == via).collect();
    if through.is_empty() && fitting.iter().all(|&device| via_of(device).is_ok()) {
        if !fitting.is_empty() {
            let which = row.text("device").map_or("", |(text, _)| text);
            refuse(span, format!("no device `{which}` is connected through link `{name}`"));
        }
        return None;
    }
    Some(Target { link, devices: Some(through) })
}

/// A time as it is written, in ns, with its text and place; `None` if it is not there or wrong.
fn time<'a>(row: &Row<'a>, key: &str) -> Option<(i64, &'a str, Span)> {
    let (text, span) = row.text(key)?;
    Some((nanoseconds(text)?, text, span))
}

fn nanoseconds(text: &str) -> Option<i64> {
    let (seconds, _) = parse_quantity(text, &[Dimension::Time]).ok()?;
    Some(SimDuration::from_seconds_f64(seconds).0)
}

/// From when to when an injection lasts, ns since the start.
fn span_of(row: &Row<'_>) -> Option<(i64, i64)> {
    let (at, ..) = time(row, "at")?;
    match time(row, "for") {
        Some((length, ..)) => Some((at, at.saturating_add(length))),
        None => row.table.get("for").is_none().then_some((at, i64::MAX)),
    }
}

/// An injection into a link or a source is over before the scenario is.
pub(crate) fn are_over_in_time(
    injections: &[Row<'_>],
    head: Option<&Row<'_>>,
    out: &mut Diagnostics,
) {
    let Some(duration) = head.and_then(|head| head.table.text("duration")) else { return };
    let Some(end) = nanoseconds(duration) else { return };
    let is_into_source = |row: &&Row<'_>| matches!(kind_of(row), Some(InjectKind::Source(_)));
    for row in injections.iter().filter(|row| is_into_link(row) || is_into_source(row)) {
        let (Some((at, at_text, _)), Some((length, text, span))) =
            (time(row, "at"), time(row, "for"))
        else {
            continue;
        };
        // What begins after the end has been told.
        if at < end && at.saturating_add(length) > end {
            let message = format!("{text} from {at_text} on is longer than the scenario");
            let label = format!("the duration is {duration}");
            let help = "leave `for` out if it shall last to the end".to_owned();
            let code = Code::OUTSIDE_SCENARIO;
            out.report_with_help(code, span, message, label, Some(help));
        }
    }
}

/// On one link there is one impairment at a time, and one breakage.
pub(crate) fn do_not_overlap(
    injections: &[Row<'_>],
    targets: &[Option<Target>],
    out: &mut Diagnostics,
) {
    struct Lasting<'a> {
        what: &'static str,
        target: &'a Target,
        begin: i64,
        end: i64,
        place: Span,
    }
    let mut lasting: Vec<Lasting<'_>> = Vec::new();
    for (row, target) in injections.iter().zip(targets) {
        let what = match kind_of(row) {
            Some(InjectKind::Impair) => "impaired",
            Some(InjectKind::Disconnect) => "broken",
            _ => continue,
        };
        let (Some(target), Some((begin, end))) = (target, span_of(row)) else { continue };
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
fn share_devices(a: &Target, b: &Target) -> bool {
    match (&a.devices, &b.devices) {
        (Some(a), Some(b)) => a.iter().any(|device| b.binary_search(device).is_ok()),
        _ => true,
    }
}
