//! What meters and protective devices had to do while the network was in motion.
//!
//! | file | purpose |
//! |---|---|
//! | `event`, `supply`, `tamper` | checks of what meters report by themselves |
//! | `protection_operation`, `reliability` | checks of protective devices and of the supply |
//! | `fits` | what of these a planned bench cannot show |
//! | `section`, `tampered`, `pictures`, `excerpts` | the section of the report |
//!
//! `Outcome` compares what had to be reported with what was, for the first three.
//!
//! Larger than its budget: five checks share one comparison and one section of the report.

pub(super) mod event;
mod excerpts;
mod fits;
mod pictures;
pub(super) mod protection_operation;
pub(super) mod reliability;
pub(super) mod section;
pub(super) mod supply;
pub(super) mod tamper;
mod tampered;

use std::ops::RangeInclusive;

use lastmeter_params::{Pattern, Values};
use lastmeter_record::{DeviceFacts, Event, EventKind, RunFacts, Status, field};
use lastmeter_text::{append, plural};
use lastmeter_units::{SimDuration, SimTime};

pub(super) use fits::expected_within;

use crate::check::kind::{CheckContext, finish};
use crate::checks::reading_count::ReadingCount;
use crate::verdict::{At, Reason, Verdict, VerdictText, some_of};

/// Of so many that are missing, or too many, it is listed what they are.
const SHOWN_MAX: usize = 5;

/// So many times `within` after its time a report is a late one, and not another.
const LATE_REPORT_FACTOR: i64 = 10;

/// Why nothing can be judged of a platform without a list of alerts.
const UNLISTED: &str = "the platform does not list alerts, so whether any came is unknown";

/// Why nothing can be judged where alerts have to be read and have no facts.
pub(super) const WITHOUT_FACTS: &str = "alerts have no facts (`metadata`), as in runs recorded before they had any, so what they \
     report is unknown";

/// Why nothing can be judged where an event of the record does not state what it has to.
const UNSTATED: &str = "an event of the record lacks what it has to state of what happened";

/// What alerts about tampering begin with.
const TAMPER: &str = "tamper.";

fn figure(event: &Event, name: &str) -> Option<f64> {
    event.get(name)?.as_f64()
}

/// Whether what an event is about was to be seen for certain.
fn is_certain(event: &Event) -> bool {
    event.get(field::IS_CERTAIN).and_then(serde_json::Value::as_bool) != Some(false)
}

/// An alert: of which device, when, and where in the record.
#[derive(Clone, Debug)]
struct ReceivedAlert {
    device: String,
    time: SimTime,
    line: u64,
}

impl ReceivedAlert {
    /// The alert of an event, if it is one of this type.
    fn of(line: u64, event: &Event, kind: &str) -> Option<Self> {
        if event.kind != EventKind::Alert || event.text(field::TYPE) != Some(kind) {
            return None;
        }
        Some(Self { device: event.text(field::DEVICE)?.to_owned(), time: event.own_time(), line })
    }

    fn at(&self) -> At {
        At::of_device(&self.device, self.time, self.line)
    }
}

/// What an alert reports, and the alert.
type Reported = (&'static str, ReceivedAlert);

#[derive(Clone, Debug)]
struct RequiredReport {
    device: String,
    what: &'static str,
    from: SimTime,
    until: SimTime,
    line: u64,
    /// Whether it had to be, and not only may have been.
    is_certain: bool,
}

impl RequiredReport {
    fn is_in(&self, times: RangeInclusive<SimTime>, (what, alert): &Reported) -> bool {
        *what == self.what && alert.device == self.device && times.contains(&alert.time)
    }
}

/// What devices have to report by themselves for a check to see it.
#[derive(Clone, Debug)]
struct WantedReports {
    /// The words of the check's `what`.
    kinds: Vec<String>,
    /// Whether each has to be reported; else they stand for those that a device does report.
    needs_all: bool,
}

impl WantedReports {
    /// That of a check `event` or `tamper`. All three kinds stand for those that each device
    /// reports, unless none of them may have happened.
    fn of(values: &Values) -> Self {
        let kinds: Vec<String> = values.text_list("what").into_iter().map(str::to_owned).collect();
        let needs_all = values.boolean("none") || kinds.len() < 3;
        Self { kinds, needs_all }
    }

    /// Whether what a device reports is enough.
    fn are_in(&self, reported: &[impl AsRef<str>]) -> bool {
        let is_in = |kind: &String| reported.iter().any(|it| it.as_ref() == kind);
        let mut kinds = self.kinds.iter();
        if self.needs_all { !self.kinds.is_empty() && kinds.all(is_in) } else { kinds.any(is_in) }
    }

    /// Which devices of a pattern do not report enough, for people; `None` if all do. Of a run
    /// that was recorded before it was kept what they report nothing is known.
    fn left_out(&self, device: &Pattern, devices: &[DeviceFacts]) -> Option<String> {
        let meant: Vec<_> = devices.iter().filter(|it| device.matches(&it.name)).collect();
        let lacking = meant.iter().filter(|it| !self.are_in(&it.reports)).count();
        let all = meant.len();
        (0 < lacking && lacking < all).then(|| {
            let what = if self.needs_all { "not all of these" } else { "none of these" };
            format!("; {lacking} of {all} devices report {what}: what they do not is left out")
        })
    }
}

/// What these checks have in common: of which devices, and what there is to judge by.
struct ReportState {
    context: CheckContext,
    device: Pattern,
    start: SimTime,
    unknown: Option<(At, &'static str)>,
    readings: ReadingCount,
    expects_none: bool,
    wanted: Option<WantedReports>,
    /// Which devices report too little, for people.
    left_out: Option<String>,
}

impl ReportState {
    /// Of a check that takes what devices do not report as `wanted` for left out.
    fn new(values: &Values, context: CheckContext, wanted: Option<WantedReports>) -> Self {
        Self {
            context,
            device: Pattern::new(values.text("device")),
            start: SimTime(0),
            unknown: None,
            readings: ReadingCount::new(),
            expects_none: wanted.is_some() && values.boolean("none"),
            wanted,
            left_out: None,
        }
    }

    fn begin(&mut self, facts: &RunFacts) {
        self.start = facts.start;
        let wanted = self.wanted.as_ref();
        self.left_out = wanted.and_then(|it| it.left_out(&self.device, &facts.devices));
    }

    /// Notes why an event leaves open what there was or what came, if it is the first that does.
    fn leave_open(&mut self, line: u64, event: &Event, why: &'static str) {
        let at = At { time: Some(event.time), event: Some(line), ..At::default() };
        self.unknown.get_or_insert((at, why));
    }

    fn outcome(&self) -> Outcome {
        Outcome {
            unknown: self.unknown.clone(),
            others: self.readings.count(),
            expects_none: self.expects_none,
            ..Outcome::default()
        }
    }

    fn verdict(&self, outcome: &Outcome, facts: &RunFacts, what: &str) -> Verdict {
        let mut verdict = outcome.verdict(&self.context, facts, what);
        let left_out = self.left_out.as_deref().unwrap_or_default();
        append(&mut verdict.why, format_args!("{left_out}"));
        verdict
    }
}

/// Seconds since the start, for people.
fn since(start: SimTime, time: SimTime) -> String {
    format!("{} s", (time - start).as_seconds_f64())
}

/// A time with its distance to both sides.
fn about(time: SimTime, distance: SimDuration) -> RangeInclusive<SimTime> {
    time - distance..=time + distance
}

/// The indefinite article of a word.
fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

#[derive(Default)]
struct Outcome {
    /// How many had to be.
    wanted: u64,
    /// What there was besides to judge by.
    others: u64,
    missing: Vec<(String, At)>,
    surplus: Vec<(String, At)>,
    /// What there was and need not be reported: its word, whose it was and why not, and how often.
    left_out: std::collections::BTreeMap<(String, String), u64>,
    wrong: Vec<(String, At)>,
    /// So many may be missing all the same.
    may_lack: u64,
    /// Where in the record alerts could not be read, or have no facts; and which of both.
    unknown: Option<(At, &'static str)>,
    /// Whether none had to be, and that is what is judged.
    expects_none: bool,
}

impl Outcome {
    /// Takes from the reports those that are required. What had to be reported by `last`, and was
    /// not, is missing.
    fn take(
        &mut self,
        required: &[RequiredReport],
        left: &mut Vec<&Reported>,
        (start, within, last): (SimTime, SimDuration, SimTime),
        name: impl Fn(&RequiredReport) -> String,
    ) {
        let mut missing = Vec::new();
        // What has to be reported has the first choice of what was.
        let (surely, perhaps): (Vec<&RequiredReport>, Vec<&RequiredReport>) =
            required.iter().partition(|it| it.is_certain);
        for one in surely.into_iter().chain(perhaps) {
            match left.iter().position(|it| one.is_in(one.from..=one.until, it)) {
                Some(place) => {
                    left.remove(place);
                    self.wanted += u64::from(one.is_certain);
                }
                None if one.is_certain && one.until <= last => {
                    self.wanted += 1;
                    missing.push(one);
                }
                None => {}
            }
        }
        // One that is late is missing, and not one too many besides.
        for one in missing {
            let latest = one.until + within * LATE_REPORT_FACTOR;
            let late = left.iter().position(|it| one.is_in(one.until..=latest, it));
            let late = late.map(|place| left.remove(place).1.time);
            let came = late.map(|late| format!(" (it came at {})", since(start, late)));
            let at = At::of_device(&one.device, one.until, one.line);
            self.missing.push((name(one) + &came.unwrap_or_default(), at));
        }
    }

    fn verdict(&self, context: &CheckContext, facts: &RunFacts, what: &str) -> Verdict {
        let missing = self.missing.len() as u64;
        let lacks = missing > self.may_lack;
        let mut why = format!("{} had to come", plural(self.wanted, what));
        if missing > 0 {
            append(&mut why, format_args!(", {} did", self.wanted.saturating_sub(missing)));
        }
        let mut list_missing = |list: &[(String, At)], words: &str| {
            if list.is_empty() {
                return;
            }
            let shown: Vec<&str> =
                list.iter().take(SHOWN_MAX).map(|(what, _)| what.as_str()).collect();
            append(&mut why, format_args!("; {words}: {}", some_of(&shown, list.len())));
        };
        list_missing(&self.missing, "did not come");
        list_missing(&self.wrong, "came otherwise");
        list_missing(&self.surplus, "not expected");
        let off = missing + (self.surplus.len() + self.wrong.len()) as u64;
        // A report that should not have come is a finding whatever else is unknown.
        let reason = if !self.surplus.is_empty() || !self.wrong.is_empty() {
            Reason::UnexpectedAlert
        } else if let Some((_, unknown)) = &self.unknown {
            why = String::from(*unknown);
            Reason::Incomplete
        } else if lacks && facts.is_finished() {
            Reason::AlertMissing
        } else if lacks {
            Reason::Incomplete
        } else if self.wanted == 0 && !(self.expects_none && self.others > 0) {
            why = format!("nothing happened of which there had to be {} {what}", article(what));
            Reason::NothingToJudge
        } else {
            Reason::WithinLimit
        };
        let text = self.text(off, what, reason);
        self.name_left_out(&mut why);
        let places = self.surplus.iter().chain(&self.wrong);
        let places = places.chain(self.missing.iter().filter(|_| lacks));
        let verdict = Verdict {
            measured: Some(off as f64).filter(|_| self.unknown.is_none()),
            limit: Some(self.may_lack as f64),
            n: self.wanted + if self.expects_none { self.others } else { 0 },
            at: places
                .map(|(_, at)| at)
                .chain(self.unknown.as_ref().map(|it| &it.0))
                .next()
                .cloned(),
            told: text,
            ..context.verdict(reason, "1", why)
        };
        finish(verdict, facts)
    }

    /// The verdict in a few words; none where the numbers suffice.
    fn text(&self, off: u64, what: &str, reason: Reason) -> Option<VerdictText> {
        let counts = [
            (self.missing.len(), "missing"),
            (self.wrong.len(), "otherwise"),
            (self.surplus.len(), "not expected"),
        ];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0);
        let counts: Vec<String> = counts.map(|(count, word)| format!("{count} {word}")).collect();
        // Surplus ones are none of those that had to come, so no share covers all.
        let had_to = format!("{} had to come", plural(self.wanted, what));
        let not_asked: u64 = self.left_out.values().sum();
        if self.unknown.is_some() {
            None
        } else if off > 0 && reason.status() != Status::Pass {
            Some(VerdictText { measured: counts.join(", "), basis: had_to })
        } else if not_asked > 0 && reason.status() == Status::Pass {
            let basis = format!("{not_asked} not asked for");
            Some(VerdictText { measured: had_to, basis })
        } else {
            None
        }
    }

    fn name_left_out(&self, why: &mut String) {
        if self.left_out.is_empty() || self.unknown.is_some() {
            return;
        }
        let text = |((word, rest), count): (&(String, String), &u64)| {
            format!("{} {rest}", plural(*count, word))
        };
        let shown: Vec<String> = self.left_out.iter().map(text).take(SHOWN_MAX).collect();
        append(why, format_args!("; not asked for: {}", shown.join(", ")));
        if self.left_out.len() > shown.len() {
            let rest: u64 = self.left_out.values().skip(shown.len()).sum();
            append(why, format_args!(" and {rest} more"));
        }
    }
}
