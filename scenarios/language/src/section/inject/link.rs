//! Injections into links: they get worse, or break, for a while. No two of a kind are on one link
//! at a time.

use lastmeter_link::impair::{Breakage, IMPAIR_FIELDS, read_impairment};
use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Span, Values};
use lastmeter_record::{Event, field};

use super::injection::{FOR, Injection, report_late_end, time};
use super::kind::{InjectKind, Lanes, kind_of};
use super::order::Order;
use super::target::Places;
use crate::draft::{Draft, Row, joined};
use crate::references::{Target, Through};
use crate::section::scenario::DURATION_S_MAX;

const LINK: Field = Field::required("link", Kind::Name, "the link it happens to");

const DEVICE: Field = Field::optional(
    "device",
    Kind::Text,
    "only the connections of these devices: a name, or a pattern with *; else everything that goes \
     through the link, observers too",
);

pub(super) struct LinkKind {
    entry: Entry,
    /// What the link is called meanwhile; two that call it the same do not meet on one link.
    link_is: &'static str,
    /// Whether connections break.
    breaks: bool,
    /// Reports what is wrong with its values.
    check: fn(&Values, &mut Diagnostics),
    /// What the bench has to do when it begins, or ends.
    order: fn(&Values, Through, bool) -> Option<Order>,
}

/// `impair`: a link gets worse for a while.
pub(super) static IMPAIR: LinkKind = LinkKind {
    entry: Entry {
        name: "impair",
        summary: "a link gets worse for a while: slower, lossy, narrow, corrupting",
        description: "Its effect comes on top of what the link does anyway: delays add up, \
            losses are further causes of their own, a bandwidth is one more line in series. \
            Connections stay. In virtual time the same law is computed for each message, and \
            what comes out is labelled modelled. Two impairments of one link may follow each \
            other, but not overlap.",
        fields: &IMPAIR_ALL,
    },
    link_is: "impaired",
    breaks: false,
    check: |values, out| _ = read_impairment(values, out),
    order: |values, through, begins| {
        let change = read_impairment(values, &mut Diagnostics::new()).filter(|_| begins);
        Some(Order::Impair { through, change: change.map(Box::new) })
    },
};

static IMPAIR_ALL: [Field; 3 + IMPAIR_FIELDS.len()] =
    joined(&[&[LINK, DEVICE, FOR], IMPAIR_FIELDS]);

/// `disconnect`: a link breaks for a while.
pub(super) static DISCONNECT: LinkKind = LinkKind {
    entry: Entry {
        name: "disconnect",
        summary: "a link breaks for a while: reset, closed, half-open, stalled",
        description: "`reset`: connections end with a TCP reset, and new ones as soon as they \
            are there. `close`: the same with an orderly end. `half-open`: connections stay \
            and swallow what is written, and neither end hears of it; what notices is a limit \
            for acknowledgements (`acknowledge_limit`) or the keep-alive. `stall`: connections \
            stay, everything is held, and comes out in order afterwards.\n\n\
            When `for` is over the link works again. Devices connect again by themselves and \
            send what is in their outbox, in order. Two breakages of one link may follow each \
            other, but not overlap.",
        fields: &[
            LINK,
            DEVICE,
            Field::default("how", Kind::Choice(Breakage::WORDS), "\"reset\"", "how it breaks"),
            Field::optional(
                "for",
                Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: DURATION_S_MAX },
                "how long, within the scenario; `0 s`: only connections that are there; until the \
                 end if left out",
            ),
        ],
    },
    link_is: "broken",
    breaks: true,
    check: |_, _| {},
    order: |values, through, begins| {
        let how = Breakage::from_word(values.text("how"))?;
        Some(Order::Disconnect { through, how, begins })
    },
};

impl LinkKind {
    fn orders(&self, injection: &Injection, begins: bool) -> Vec<Order> {
        let through = injection.through().cloned();
        let order = through.and_then(|through| (self.order)(&injection.values, through, begins));
        order.into_iter().collect()
    }
}

impl InjectKind for LinkKind {
    fn entry(&self) -> Entry {
        self.entry
    }

    fn check(&self, row: &Row<'_>, draft: &Draft<'_>, out: &mut Diagnostics) {
        report_late_end(row, draft, out);
        if let Some(values) = &row.values {
            (self.check)(values, out);
        }
    }

    fn target(&self, row: &Row<'_>, places: &mut Places<'_>) -> Option<Target> {
        target(row, places)
    }

    fn link_is(&self) -> Option<&'static str> {
        Some(self.link_is)
    }

    fn breakage_ends(&self, row: &Row<'_>) -> Option<bool> {
        self.breaks.then(|| row.table.get("for").is_some())
    }

    fn begin(&self, injection: &Injection) -> Vec<Order> {
        self.orders(injection, true)
    }

    fn end(&self, injection: &Injection) -> Vec<Order> {
        self.orders(injection, false)
    }

    /// The connections that break have each an end in the record.
    fn begun(&self, injection: &Injection, lanes: &Lanes<'_>, event: Event) -> Option<Event> {
        match injection.through().filter(|_| self.breaks).and_then(lanes) {
            Some(lanes) => Some(event.with(field::LANES, lanes)),
            None => Some(event),
        }
    }
}

/// What an injection into a link is about; `None` after a mistake.
fn target(row: &Row<'_>, places: &mut Places<'_>) -> Option<Target> {
    let (name, span) = row.text("link")?;
    let link = places.links.find(name, span, places.out);
    let fitting = row
        .text("device")
        .map(|(text, span)| (places.devices.fitting(text, span, places.out), span));
    let (link, via) = (link?, Ok(Some(link?)));
    let mut refuse = |span: Span, message: String| {
        let label = "nothing would happen";
        let help = format!("write `via = \"{name}\"` in a `[[device]]` or `[[observer]]`");
        places.out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help));
    };
    let Some((fitting, span)) = fitting else {
        let all = places.via_of_device.iter().chain(places.via_of_gateway);
        let mut all = all.chain(places.via_of_observer);
        if places.devices.is_complete && !all.any(|other| other.is_err() || *other == via) {
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

/// From when to when an injection lasts, ns since the start.
fn span_of(row: &Row<'_>) -> Option<(i64, i64)> {
    let (at, ..) = time(row, "at")?;
    match time(row, "for") {
        Some((length, ..)) => Some((at, at.saturating_add(length))),
        None => row.table.get("for").is_none().then_some((at, i64::MAX)),
    }
}

/// On one link there is one impairment at a time, and one breakage.
pub(super) fn report_overlaps(
    injections: &[Row<'_>],
    targets: &[Option<Target>],
    out: &mut Diagnostics,
) {
    struct ActiveSpan<'a> {
        what: &'static str,
        target: &'a Through,
        begin: i64,
        end: i64,
        place: Span,
    }
    let mut lasting: Vec<ActiveSpan<'_>> = Vec::new();
    for (row, target) in injections.iter().zip(targets) {
        let Some(what) = kind_of(row).and_then(InjectKind::link_is) else { continue };
        let (Some(Target::Link(target)), Some((begin, end))) = (target, span_of(row)) else {
            continue;
        };
        let place = row.text("at").map_or(row.span, |(_, span)| span);
        lasting.push(ActiveSpan { what, target, begin, end, place });
    }
    // A breakage of no length still needs its instant for itself.
    lasting.sort_by_key(|one| (one.what, one.target.link, one.begin, one.place));
    for (index, later) in lasting.iter().enumerate() {
        let same = |earlier: &&ActiveSpan<'_>| {
            (earlier.what, earlier.target.link) == (later.what, later.target.link)
        };
        let before = lasting[..index].iter().rev().take_while(same);
        let clash = |earlier: &ActiveSpan<'_>| {
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
