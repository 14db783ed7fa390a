//! What must hold about the checks of latency, so that each can end in a verdict: that there is
//! something to receive what it is about, that the clock is the right one, and that enough messages
//! are planned for what it claims. Each rule is one function and reports each mistake once.
//!
//! Terms: a *demand* is what a check states of the bench it needs; a message is *planned* if the
//! schedule has it due in the judged time.

use lastmeter_params::{Code, Diagnostics, Span};
use lastmeter_record::{Point, TimeMode};
use lastmeter_reports::check::Demand;
use lastmeter_reports::latency::{CONFIDENCE, Due, default_warm_up_ns};
use lastmeter_units::SimDuration;

use super::draft::Row;
use super::names::Names;
use super::references::{Target, Via};
use crate::stagger::stagger;

/// The bench as far as it is known, for what a check demands.
pub(crate) struct Planned<'a> {
    /// The clock it runs by.
    pub(crate) time: TimeMode,
    /// What the file states of the clock, whatever an option made of it.
    pub(crate) time_in_file: TimeMode,
    pub(crate) duration: SimDuration,
    pub(crate) devices: &'a [PlannedDevice<'a>],
    pub(crate) observers: &'a Names,
    pub(crate) via_of_observer: &'a [Via],
    pub(crate) devices_of_observer: &'a [Vec<usize>],
    /// Each command that is injected: to which device, and when.
    pub(crate) commands: Vec<(usize, SimDuration)>,
    /// Each link that breaks, and each kill.
    pub(crate) breakages: Vec<Breakage<'a>>,
}

/// A link that breaks, or a platform that is killed.
pub(crate) struct Breakage<'a> {
    /// What breaks; `None` if that is not known, by a mistake that has been reported.
    pub(crate) what: Option<&'a Target>,
    /// Whether it is mended before the end.
    pub(crate) ends: bool,
}

/// A device, as far as it is known.
pub(crate) struct PlannedDevice<'a> {
    pub(crate) name: &'a str,
    pub(crate) via: Via,
    /// Between two readings; `None` where that is not known, or changes during the run.
    pub(crate) period: Option<SimDuration>,
}

/// A check of latency: its table, the devices it is about, and what it demands.
pub(crate) struct Claim<'a> {
    pub(crate) row: &'a Row<'a>,
    pub(crate) of: &'a [usize],
    pub(crate) demand: &'a Demand,
}

impl Claim<'_> {
    /// Where a key stands, or else the check's kind.
    fn place(&self, keys: &[&str]) -> Span {
        let of_key = |key: &&str| self.row.table.get(key).map(|node| node.span);
        let kind = || self.row.text("kind").map(|(_, span)| span);
        keys.iter().find_map(of_key).or_else(kind).unwrap_or(self.row.span)
    }
}

/// Reports what keeps a check of latency from ever ending in a verdict.
pub(crate) fn report_unjudgeable(claim: &Claim<'_>, planned: &Planned<'_>, out: &mut Diagnostics) {
    report_missing_real_time(claim, planned, out);
    let observer = is_received(claim, planned, out);
    report_unpassed_links(claim, observer, planned, out);
    if claim.demand.needs_breakage {
        report_missing_breakage(claim, observer, planned, out);
    }
    if !is_skipped(claim, planned) {
        report_too_few_messages(claim, planned, out);
    }
}

/// Whether the check is not judged in this run.
fn is_skipped(claim: &Claim<'_>, planned: &Planned<'_>) -> bool {
    planned.time == TimeMode::Virtual && !claim.demand.in_virtual_time
}

/// What platforms and links really take is judged by the clock on the wall only.
fn report_missing_real_time(claim: &Claim<'_>, planned: &Planned<'_>, out: &mut Diagnostics) {
    if !is_skipped(claim, planned) || planned.time_in_file == TimeMode::Real {
        return;
    }
    let kind = claim.row.text("kind").map_or("", |(kind, _)| kind);
    let message = format!("a {kind} check needs real time");
    let label = "in virtual time a delay is the model's, not the platform's";
    let help = "write `time = \"real\"` under `[scenario]`; `--time virtual` then skips the check";
    let code = Code::NEEDS_REAL_TIME;
    out.report_with_help(code, claim.place(&["kind"]), message, label, Some(help.to_owned()));
}

/// What is received needs somebody who receives it. Returns the observer.
fn is_received(claim: &Claim<'_>, planned: &Planned<'_>, out: &mut Diagnostics) -> Option<usize> {
    let ends = [claim.demand.span.from, claim.demand.span.to];
    let at_observer = [Point::Received, Point::ProxyInDown, Point::ProxyOutDown];
    let point = ends.into_iter().find(|point| at_observer.contains(point));
    if let Some((name, span)) = claim.row.text("observer") {
        let observer = planned.observers.find(name, span, out)?;
        covers(claim, observer, span, planned, out)?;
        return Some(observer);
    }
    let point = point.filter(|_| !claim.demand.of_commands)?;
    let span = claim.place(&["path"]);
    let word = point.word();
    let mut refuse = |message: String, label: &str, help: &str| {
        let help = Some(help.to_owned());
        out.report_with_help(Code::NOT_OBSERVED, span, message, label, help);
    };
    match planned.observers.len() {
        0 if planned.observers.is_complete => {
            let message =
                format!("`{word}` is where an observer receives, and the scenario has no observer");
            let help = "add an `[[observer]]` with a `name`";
            refuse(message, "nobody receives anything", help);
            None
        }
        1 => covers(claim, 0, span, planned, out).map(|()| 0),
        0 => None,
        _ => {
            let names: Vec<String> =
                planned.observers.iter().map(|name| format!("`{name}`")).collect();
            let message = format!("`{word}` at which observer? there are {}", names.join(", "));
            refuse(message, "each receives by itself", "name one with `observer`");
            None
        }
    }
}

/// An observer receives what all devices of the check send; `None` if not, which is reported.
fn covers(
    claim: &Claim<'_>,
    observer: usize,
    span: Span,
    planned: &Planned<'_>,
    out: &mut Diagnostics,
) -> Option<()> {
    let observed = planned.devices_of_observer.get(observer)?;
    let missing = claim.of.iter().find(|device| observed.binary_search(device).is_err());
    let Some(missing) = missing.and_then(|&device| planned.devices.get(device)) else {
        return Some(());
    };
    let observer = planned.observers.get(observer).unwrap_or_default();
    let message = format!("observer `{observer}` does not receive what `{}` sends", missing.name);
    let label = "it would count as lost";
    let help = format!("change `devices` of observer `{observer}`, or `device` of the check");
    out.report_with_help(Code::NOT_OBSERVED, span, message, label, Some(help));
    None
}

/// Only what goes through a link passes its ends.
fn report_unpassed_links(
    claim: &Claim<'_>,
    observer: Option<usize>,
    planned: &Planned<'_>,
    out: &mut Diagnostics,
) {
    let ends = [claim.demand.span.from, claim.demand.span.to];
    let has = |points: [Point; 2]| ends.into_iter().find(|end| points.contains(end));
    let up = has([Point::ProxyInUp, Point::ProxyOutUp]);
    let down = has([Point::ProxyInDown, Point::ProxyOutDown]);
    let mut refuse = |point: Point, who: String| {
        let message =
            format!("nothing passes `{}`: {who} goes straight to the platform", point.word());
        let label = "there is no link in between";
        let help = "write `via` with the name of a `[[link]]`".to_owned();
        let code = Code::CANNOT_MEASURE;
        out.report_with_help(code, claim.place(&["path"]), message, label, Some(help));
    };
    let straight = claim.of.iter().filter_map(|&device| planned.devices.get(device));
    let straight = straight.into_iter().find(|device| device.via == Ok(None));
    // What a command passes on its way down is the link of its device.
    let of_device = if claim.demand.of_commands { up.or(down) } else { up };
    if let (Some(point), Some(device)) = (of_device, straight) {
        refuse(point, format!("device `{}`", device.name));
    }
    if let (Some(point), Some(observer)) = (down, observer)
        && planned.via_of_observer.get(observer) == Some(&Ok(None))
    {
        refuse(point, format!("observer `{}`", planned.observers.get(observer).unwrap_or("?")));
    }
}

/// Who shall recover has to be broken first, and mended.
fn report_missing_breakage(
    claim: &Claim<'_>,
    observer: Option<usize>,
    planned: &Planned<'_>,
    out: &mut Diagnostics,
) {
    let touching: Vec<_> = planned
        .breakages
        .iter()
        .filter(|breakage| {
            claim.of.iter().any(|&device| touches(breakage.what, device, observer, planned))
        })
        .collect();
    let (message, help) = if planned.breakages.is_empty() {
        (
            "nothing is injected that one could recover from",
            "add an injection `disconnect` or `kill`",
        )
    } else if touching.is_empty() {
        (
            "no injection touches what this check is about: the links that break carry none of \
             its messages",
            "choose other devices with `device`, or break the link they are connected through",
        )
    } else if touching.iter().any(|breakage| !breakage.ends) {
        ("a link breaks until the end, so nothing can recover from it", "give it an end with `for`")
    } else {
        return;
    };
    let label = "could never end in a verdict";
    let code = Code::CANNOT_MEASURE;
    out.report_with_help(code, claim.place(&["kind"]), message, label, Some(help.to_owned()));
}

/// Whether a breakage is in the way of a device's messages, to the platform or to the observer.
fn touches(
    what: Option<&Target>,
    device: usize,
    observer: Option<usize>,
    planned: &Planned<'_>,
) -> bool {
    // The platform touches every message.
    let Some(Target::Link(through)) = what else { return true };
    let is_meant = through.is_of(device);
    // What is not known may be it: that mistake has been reported.
    let goes_through =
        |via: Option<&Via>| via.is_none_or(|via| via.is_err() || *via == Ok(Some(through.link)));
    let own = goes_through(planned.devices.get(device).map(|device| &device.via));
    let observed =
        observer.is_some_and(|observer| goes_through(planned.via_of_observer.get(observer)));
    is_meant && (own || observed)
}

/// From when on messages are judged, in a run of this duration.
fn judged_from(claim: &Claim<'_>, duration_ns: i64, planned: &Planned<'_>) -> i64 {
    match (claim.demand.warm_up_ns, planned.time) {
        (Some(warm_up_ns), _) => warm_up_ns,
        (None, TimeMode::Real) => default_warm_up_ns(duration_ns),
        (None, TimeMode::Virtual) => 0,
    }
}

/// Period and lag of each device a check is about; `None` if unknown.
fn schedules(claim: &Claim<'_>, planned: &Planned<'_>) -> Option<Vec<(i64, i64)>> {
    let schedule = |&device: &usize| {
        let period = planned.devices.get(device)?.period.filter(|period| period.0 > 0)?;
        // In real time each device lags a little behind the one before it.
        let lag_ns = match planned.time {
            TimeMode::Real => stagger(device, planned.devices.len(), period, planned.duration).0,
            TimeMode::Virtual => 0,
        };
        Some((period.0, lag_ns))
    };
    claim.of.iter().map(schedule).collect()
}

/// When commands are planned for the devices of a check.
fn commands(claim: &Claim<'_>, planned: &Planned<'_>) -> Vec<i64> {
    let judged = |(device, at): &(usize, SimDuration)| {
        claim.of.binary_search(device).is_ok().then_some(at.0)
    };
    planned.commands.iter().filter_map(judged).collect()
}

/// How many messages a check can count on; `None` if unknown.
fn messages(claim: &Claim<'_>, duration_ns: i64, planned: &Planned<'_>) -> Option<u64> {
    let from_ns = judged_from(claim, duration_ns, planned);
    if claim.demand.of_commands {
        let window = from_ns..=duration_ns;
        let judged = commands(claim, planned).into_iter().filter(|at_ns| window.contains(at_ns));
        return Some(judged.count() as u64);
    }
    let mut all = 0_u64;
    for (period_ns, lag_ns) in schedules(claim, planned)? {
        // Due are the multiples of the period from the warm-up's end to the schedule's.
        let until = |at_ns: i64| (at_ns - lag_ns).max(0) / period_ns;
        let before = until(from_ns.saturating_sub(1));
        all = all.saturating_add(until(duration_ns).saturating_sub(before).max(0) as u64);
    }
    Some(all)
}

/// The most messages that are planned for any stretch of the claim's stall: so many count as one.
/// At least 1; no more than there are, and where they are many it is that of a part of the run.
fn per_stall(claim: &Claim<'_>, planned: &Planned<'_>) -> u64 {
    let Some(shares) = claim.demand.claim else { return 1 };
    let mut instants = if claim.demand.of_commands {
        commands(claim, planned)
    } else {
        let Some(schedules) = schedules(claim, planned) else { return 1 };
        let longest_ns = schedules.iter().map(|(period_ns, _)| *period_ns).max().unwrap_or(0);
        // Long enough for a whole stall wherever it begins within a period.
        let until_ns = shares.stall_ns.saturating_add(longest_ns.saturating_mul(2));
        let room = INSTANTS_MAX / schedules.len().max(1) as u64;
        let due = |(period_ns, lag_ns): (i64, i64)| {
            let count = (until_ns.saturating_sub(lag_ns) / period_ns).clamp(0, room as i64);
            (1..=count).map(move |number| lag_ns + number * period_ns)
        };
        schedules.into_iter().flat_map(due).collect()
    };
    instants.sort_unstable();
    Due::Each(instants).most_within(shares.stall_ns).max(1)
}

/// So many planned instants are looked at, at most.
const INSTANTS_MAX: u64 = 1_000_000;

/// What a claim needs to pass with no message late.
struct RequiredMessages {
    messages: u64,
    /// So many of the messages count as one.
    per_stall: u64,
}

impl RequiredMessages {
    /// With w messages counted as one and none of n late, the upper bound is 1 - 0.05^(w / n).
    fn by(claim: &Claim<'_>, planned: &Planned<'_>) -> Self {
        let per_stall = per_stall(claim, planned);
        let least = claim.demand.messages_min;
        let messages = match claim.demand.claim {
            Some(shares) if per_stall > 1 => {
                let stalls = (1.0 - CONFIDENCE).ln() / shares.coverage.ln();
                least.max((stalls * per_stall as f64).ceil() as u64)
            }
            _ => least,
        };
        Self { messages, per_stall }
    }
}

/// A claim needs messages, and time: with too few it can never pass.
fn report_too_few_messages(claim: &Claim<'_>, planned: &Planned<'_>, out: &mut Diagnostics) {
    let duration_ns = planned.duration.0;
    let needed = RequiredMessages::by(claim, planned);
    let Some(all) = messages(claim, duration_ns, planned).filter(|all| *all < needed.messages)
    else {
        return;
    };
    let longer =
        enough_after(claim, needed.messages, planned).filter(|_| !claim.demand.of_commands);
    let what = match claim.demand.claim {
        Some(shares) => format!("a coverage of {} %", trimmed(100.0 * shares.coverage)),
        None => "this check".to_owned(),
    };
    let stall = claim.demand.claim.filter(|_| needed.per_stall > 1); // it hits several at once
    let (message, help) = match (stall, longer) {
        (Some(shares), Some(longer)) => (
            format!(
                "{what} with stalls of up to {} needs a duration of {longer}, and {} are planned",
                SimDuration(shares.stall_ns),
                planned.duration
            ),
            format!(
                "take a duration of {longer}, a shorter `stall` if none lasts longer, or claim less"
            ),
        ),
        (Some(_), None) => (
            format!(
                "{what} needs {} messages, and {all} are planned, up to {} of them in one stall",
                needed.messages, needed.per_stall
            ),
            "plan more messages, farther apart than `stall`, or claim less".to_owned(),
        ),
        (None, longer) => (
            format!("{what} needs {} messages, and {all} are planned", needed.messages),
            match longer {
                Some(longer) => {
                    format!("take more devices, a duration of {longer}, or claim less")
                }
                None => "plan more messages, or claim less".to_owned(),
            },
        ),
    };
    let label = "with less it cannot pass, even if no message is late";
    let span = claim.place(&["coverage", "profile"]);
    out.report_with_help(Code::TOO_FEW_MESSAGES, span, message, label, Some(help));
}

/// The shortest duration, in whole seconds, at which a check has so many messages.
fn enough_after(claim: &Claim<'_>, needed: u64, planned: &Planned<'_>) -> Option<SimDuration> {
    let enough = |seconds: i64| {
        let duration_ns = SimDuration::from_seconds(seconds).0;
        messages(claim, duration_ns, planned).is_some_and(|all| all >= needed)
    };
    // What is not enough, and what is: between the two lies the answer.
    let (mut short, mut long) = (0, 1);
    while !enough(long) {
        short = long;
        long *= 2;
        if long > SECONDS_MAX {
            return None;
        }
    }
    while long - short > 1 {
        let middle = short + (long - short) / 2;
        if enough(middle) { long = middle } else { short = middle }
    }
    Some(SimDuration::from_seconds(long))
}

/// Longer runs are no advice.
const SECONDS_MAX: i64 = 30 * 86_400;

/// A number without the digits that come of binary fractions.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
