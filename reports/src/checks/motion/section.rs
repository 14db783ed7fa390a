//! The part of a report about what happened in the network: operations, interruptions, and what
//! meters made of the voltage events.

use lastmeter_record::{Event, EventKind, field};
use lastmeter_text::{Prose, number};
use lastmeter_units::{SimDuration, SimTime};
use serde::Serialize;

use super::excerpts::{self, Excerpts};
use super::pictures::{self, OperatingPoint};
use super::reliability::{Indices, Planned};
use super::tampered::{TamperRecord, TamperRow};
use super::{ReceivedAlert, about, is_certain};
use crate::check::kind::{SectionHtml, SectionInput};
use crate::error::RenderError;
use crate::render::figure::{Figure, Picture};
use crate::render::page::Fact;
use crate::render::template::fill;

const TEMPLATE: &str = include_str!("section.html");

/// More operations than these are listed in their file only.
const OPERATIONS_MAX: usize = 200;

/// More than these are never marked in pictures.
const MARKED_OPERATIONS_MAX: usize = 20_000;

/// Longer names are cut in pictures, characters.
const NAME_MAX: usize = 16;

/// Interruptions from here on are sustained, seconds (EN 50160).
const SUSTAINED_S: f64 = 180.0;

const KINDS: [&str; 3] = ["dip", "swell", "interruption"];

/// A report belongs to an event that begins within this time of its own, and is of its phase.
const REPORT_TOLERANCE: SimDuration = SimDuration::from_milliseconds(50);

#[derive(Serialize)]
struct Section {
    operations: Vec<Operation>,
    further: usize,
    has_currents: bool,
    indices: Vec<Fact>,
    confusion: Vec<Confusion>,
    tampering: Vec<TamperRow>,
    /// Pictures that belong together.
    groups: Vec<Vec<Picture>>,
    /// What is not drawn.
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Operation {
    time: String,
    element: String,
    what: String,
    /// What a protective device acted on, and for how long; empty where nothing did.
    current: String,
    duration: String,
    detail: Prose,
}

/// What was done, and when: for marks in pictures.
pub(super) struct NetworkOperation {
    pub(super) time: SimTime,
    pub(super) element: String,
    pub(super) what: String,
}

impl NetworkOperation {
    /// `F1 melted`.
    pub(super) fn word(&self) -> String {
        let name = own_name(&self.element);
        let short: String = name.chars().take(NAME_MAX).collect();
        let cut = if short.len() < name.len() { "…" } else { "" };
        format!("{short}{cut} {}", self.what.replace('_', " "))
    }
}

/// How often events of a kind were reported as what.
#[derive(Serialize)]
struct Confusion {
    name: String,
    counts: [u64; 4],
}

/// What the record has of all that.
#[derive(Default)]
struct Found {
    operations: Vec<Operation>,
    further: usize,
    done: Vec<NetworkOperation>,
    tampered: TamperRecord,
    indices: Indices,
    /// Of planned interruptions alone.
    planned: Indices,
    points: Vec<OperatingPoint>,
    /// Kind, device, phase, beginning, and its end at the latest.
    truths: Vec<(usize, String, String, SimTime, SimTime)>,
    /// Of each device that lost its supply, since when and until when.
    dark: Vec<(String, SimTime, Option<SimTime>)>,
    /// Kind, phase if that is known, and the alert.
    reported: Vec<(usize, Option<String>, ReceivedAlert)>,
}

/// The section; `None` of a run in which nothing of it happened.
pub(super) fn section(
    input: &SectionInput<'_>,
    figures: &mut Vec<Figure>,
) -> Result<Option<SectionHtml>, RenderError> {
    let only = Indices { planned: Planned::Only, ..Indices::default() };
    let mut found = Found { planned: only, ..Found::default() };
    // What cannot be read of the record is left out: the verdicts report it.
    let Ok(events) = input.reader.events() else { return Ok(None) };
    for (line, event) in events.filter_map(Result::ok) {
        found.take(line, &event);
    }
    let confusion = found.confusion();
    let Found { operations, further, done, tampered, indices, planned, points, .. } = found;
    let tampering = tampered.rows(OPERATIONS_MAX);
    let is_quiet = operations.is_empty() && indices.events == 0;
    if is_quiet && confusion.is_empty() && tampering.is_empty() {
        return Ok(None);
    }
    let pictures = pictures::pictures(input.reader, &points, figures)?;
    let Excerpts { groups: excerpts, notes } = excerpts::excerpts(input.reader, &done, figures)?;
    let groups = [pictures].into_iter().chain(excerpts).filter(|it| !it.is_empty()).collect();
    let has_currents = operations.iter().any(|it| !it.current.is_empty());
    let indices = facts(&indices, &planned);
    let section =
        Section { operations, further, has_currents, indices, confusion, tampering, groups, notes };
    Ok(Some(fill("motion.html", TEMPLATE, &section)?.into()))
}

/// A detail whose place on a line, a share of its length at the end of the text, has two digits.
fn short_share(detail: &Prose) -> Prose {
    let text = detail.to_string();
    let parts = text.rsplit_once(" at ");
    match parts.and_then(|(line, share)| Some((line, share.parse::<f64>().ok()?))) {
        Some((line, share)) if share.fract() != 0.0 => format!("{line} at {share:.2}").into(),
        _ => text.into(),
    }
}

impl Found {
    fn take(&mut self, line: u64, event: &Event) {
        self.indices.take(event, SUSTAINED_S);
        self.planned.take(event, SUSTAINED_S);
        let text = |name: &str| event.text(name).unwrap_or_default().to_owned();
        if event.kind == EventKind::Operated {
            self.points.extend(OperatingPoint::of(event));
            let (time, element, what) = (event.time, text(field::ELEMENT), text(field::WHAT));
            // What had nothing to do left no trace.
            if what != "idle" && self.done.len() < MARKED_OPERATIONS_MAX {
                self.done.push(NetworkOperation { time, element, what });
            }
        }
        self.tampered.take(line, event);
        match event.kind {
            EventKind::Operated if self.operations.len() >= OPERATIONS_MAX => self.further += 1,
            EventKind::Operated => self.operations.push(Operation {
                time: short_time(event.time),
                element: text(field::ELEMENT),
                what: text(field::WHAT).replace('_', " "),
                current: current(event),
                duration: super::figure(event, field::AFTER_S).map(elapsed).unwrap_or_default(),
                detail: event.prose(field::DETAIL).map(short_share).unwrap_or_default(),
            }),
            EventKind::VoltageEvent => {
                let kind = KINDS.iter().position(|kind| *kind == text(field::WHAT));
                // What not every alignment sees is no miss.
                if let Some(kind) = kind.filter(|_| is_certain(event)) {
                    let (device, phase) = (text(field::DEVICE), text(field::PHASE));
                    let most_s = super::figure(event, field::DURATION_MAX_S).unwrap_or(0.0);
                    let ends = event.time + SimDuration::from_seconds_f64(most_s);
                    self.truths.push((kind, device, phase, event.time, ends));
                }
            }
            EventKind::SupplyLost => self.dark.push((text(field::DEVICE), event.time, None)),
            EventKind::SupplyReturned => {
                let device = text(field::DEVICE);
                let open = self.dark.iter_mut().rev().find(|(own, ..)| *own == device);
                if let Some((_, _, until)) = open {
                    *until = Some(event.time);
                }
            }
            EventKind::Alert => {
                for (place, kind) in KINDS.iter().enumerate() {
                    let alert = ReceivedAlert::of(line, event, &format!("voltage.{kind}"));
                    let phase = event.fact(field::PHASE).map(str::to_owned);
                    self.reported.extend(alert.map(|alert| (place, phase, alert)));
                }
            }
            _ => {}
        }
    }

    /// Of each kind that there was; a last row for what was reported of nothing.
    fn confusion(&self) -> Vec<Confusion> {
        // Of alerts without facts it is not known what they report.
        let is_known = self.reported.iter().all(|(_, phase, _)| phase.is_some());
        if !is_known || (self.truths.is_empty() && self.reported.is_empty()) {
            return Vec::new();
        }
        let mut counts = [[0_u64; 4]; 4];
        let mut left: Vec<_> = self.reported.iter().collect();
        // Without a supply nobody looks.
        let is_dark = |device: &str, from: SimTime, to: SimTime| {
            self.dark.iter().any(|(own, since, until)| {
                own == device && *since <= to && until.is_none_or(|until| from <= until)
            })
        };
        for (kind, device, phase, time, ends) in &self.truths {
            let fits = |(_, own, alert): &(usize, Option<String>, ReceivedAlert)| {
                alert.device == *device
                    && about(*time, REPORT_TOLERANCE).contains(&alert.time)
                    && own.as_ref() == Some(phase)
            };
            // One of its own kind first: a dip contains the interruption that has its beginning.
            let own = left.iter().position(|it| it.0 == *kind && fits(it));
            match own.or_else(|| left.iter().position(|it| fits(it))) {
                Some(place) => counts[*kind][left.remove(place).0] += 1,
                None if is_dark(device, *time, *ends) => {}
                None => counts[*kind][3] += 1,
            }
        }
        for (kind, ..) in left {
            counts[3][*kind] += 1;
        }
        let names = KINDS.into_iter().chain(["nothing"]);
        let rows = names.zip(counts).filter(|(_, counts)| counts.iter().any(|it| *it > 0));
        rows.map(|(name, counts)| Confusion { name: name.to_owned(), counts }).collect()
    }
}

/// What a protective device acted on.
fn current(event: &Event) -> String {
    let Some(current_a) = super::figure(event, field::CURRENT_A) else { return String::new() };
    let residual = event.get(field::IS_RESIDUAL).and_then(serde_json::Value::as_bool);
    let kind = if residual == Some(true) { " residual" } else { "" };
    format!("{}{kind}", amperes(current_a))
}

/// The name of an element without its kind: `F1` of `fuse-link:F1`.
pub(super) fn own_name(element: &str) -> &str {
    element.split_once(':').map_or(element, |(_, name)| name)
}

/// A current for people.
pub(super) fn amperes(current_a: f64) -> String {
    if current_a >= 1e4 {
        format!("{} kA", number(current_a / 1e3))
    } else {
        format!("{} A", number(current_a))
    }
}

/// A time that passed, for people.
pub(super) fn elapsed(time_s: f64) -> String {
    if time_s < 1.0 {
        format!("{} ms", number(1e3 * time_s))
    } else {
        format!("{} s", number(time_s))
    }
}

/// A time to the microsecond.
pub(super) fn short_time(time: SimTime) -> String {
    SimTime(time.0.saturating_add(500).div_euclid(1000) * 1000).to_string()
}

fn facts(indices: &Indices, planned: &Indices) -> Vec<Fact> {
    if indices.events == 0 {
        return Vec::new();
    }
    let minutes = |seconds: f64| format!("{} min", number(seconds / 60.0));
    // Of all, and how much of it was planned where any was.
    let of = |all: String, part: String| {
        if planned.events == 0 { all } else { format!("{all}, planned {part}") }
    };
    vec![
        Fact::new("SAIFI", of(number(indices.saifi()), number(planned.saifi()))),
        Fact::new("SAIDI", of(minutes(indices.saidi_s()), minutes(planned.saidi_s()))),
        Fact::new("CAIDI", minutes(indices.caidi_s())),
        Fact::new("MAIFI", number(indices.maifi())),
        Fact::new("not supplied", format!("{} kWh", number(indices.unserved_wh / 1e3))),
        Fact::new("customers", number(indices.customers)),
        Fact::new("not over at the end", indices.open.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::at;
    use super::*;

    #[test]
    fn operations_are_listed_as_people_read_them() {
        assert_eq!((amperes(1264.509), amperes(12_345.0)), ("1265 A".into(), "12.35 kA".into()));
        assert_eq!((elapsed(0.032_8), elapsed(1.25)), ("32.8 ms".into(), "1.25 s".into()));
        let time: SimTime = "2027-01-18T17:00:08.032815687Z".parse().unwrap();
        assert_eq!(short_time(time), "2027-01-18T17:00:08.032816Z");
        let short = |detail: &str| short_share(&detail.into()).to_string();
        assert_eq!(short("at south 3 at 0.4444444444444444"), "at south 3 at 0.44");
        assert_eq!(
            [short("at 7"), short("at K 1 at bus"), short("")],
            ["at 7", "at K 1 at bus", ""]
        );
        let done = |element: &str, what: &str| {
            NetworkOperation { time: at(0), element: element.to_owned(), what: what.to_owned() }
                .word()
        };
        assert_eq!(done("recloser:R1", "locked_out"), "R1 locked out");
        assert_eq!(done("switch:a name that is long", "opened"), "a name that is l… opened");
    }

    #[test]
    fn what_was_reported_as_what_is_counted() {
        let truth = |seconds: i64, what: &str| {
            Event::new(at(seconds), "bench", EventKind::VoltageEvent)
                .with(field::DEVICE, "m")
                .with(field::WHAT, what)
                .with(field::PHASE, "l1")
        };
        let alert = |seconds: i64, what: &str| {
            Event::new(at(seconds), "platform", EventKind::Alert)
                .with(field::DEVICE, "m")
                .with(field::TYPE, format!("voltage.{what}"))
                .with(field::METADATA, serde_json::json!({ "kind": what, "phase": "l1" }))
        };
        let events = [
            truth(1, "dip"),
            alert(1, "dip"),
            truth(2, "dip"),
            alert(2, "interruption"),
            truth(3, "swell"),
            alert(4, "dip"),
        ];
        let only = Indices { planned: Planned::Only, ..Indices::default() };
        let mut found = Found { planned: only, ..Found::default() };
        for (line, event) in (1..).zip(&events) {
            found.take(line, event);
        }
        let rows: Vec<(String, [u64; 4])> =
            found.confusion().into_iter().map(|it| (it.name, it.counts)).collect();
        let row = |name: &str, counts| (name.to_owned(), counts);
        assert_eq!(
            rows,
            [row("dip", [1, 0, 1, 0]), row("swell", [0, 0, 0, 1]), row("nothing", [1, 0, 0, 0])]
        );
        // Of an older run: which of them is of which phase is not known.
        let bare = Event::new(at(5), "platform", EventKind::Alert)
            .with(field::DEVICE, "m")
            .with(field::TYPE, "voltage.dip");
        found.take(9, &bare);
        assert!(found.confusion().is_empty());
    }
}
