//! `recovery`: how long messages stayed away, and how soon they came again after an injection.
//!
//! Terms: a message is *in time* if it took at most `in_time`. An *outage* of a device is a stretch
//! of the schedule in which none of its messages arrives in time; it is at least as long as the
//! device's period. An *injection* here is a broken link or a killed process, from the instant at
//! which the bench did it to the one at which it is over by the record. A device has
//! *recovered* when everything that was due before the injection's end has arrived, and the first
//! message due after it has arrived in time.
//!
//! Every injection is judged for every device that it *touches*: a kill touches all, a broken link
//! those whose messages go through it, to the platform or to the observer. There is no statistical
//! bound.
//!
//! Larger than its budget: links, kills and observers each have their own span of an outage, and
//! its tests.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_params::{Code, Entry, Field};
use lastmeter_units::SimTime;

use super::rows;
use crate::by_device::ByDevice;
use crate::check::demand::Demand;
use crate::check::kind::{Check, CheckContext, CheckKind, RecordTable, finish};
use crate::check::selection::{DEVICE, Selection};
use crate::latency::{EXACT_MAX, HoldUps, Limit, Validity, describe};
use crate::verdict::{At, Because, Reason, Verdict, VerdictText};
use lastmeter_record::{Event, EventKind, LatencyPath, LatencyRow, Point, RunFacts, field};
use lastmeter_text::{Prose, append, number, plural};

pub(super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "recovery",
        summary: "no outage was too long, and all came again soon after each injection",
        description: "Judges what broken links and killed processes do to messages. `in_time` states \
            which arrivals count. `longest_outage` limits the longest stretch of the schedule in \
            which no message of a device arrived in time; it includes the device's period. \
            `recover_within` limits the time from each injection's end until everything that was \
            due before it has arrived and messages arrive in time again. At least one of the two \
            is needed. Injections are those of kind disconnect, and kills; with nothing injected, or \
            an injection that is not over when the record ends, the check is inconclusive, as in a \
            run that carries no verdict on latency, and so is a check of devices that none of them touches. A message that was due before the end and \
            never arrived fails. `measured` and `limit` are in s, of the value nearest to its limit. In \
            virtual time the check is skipped.",
        fields: &[
            rows::PATH,
            Field::default("in_time", rows::LIMIT_KIND, "\"1 s\"", "slower messages do not count"),
            Field::optional("longest_outage", rows::LIMIT_KIND, "longest outage of a device"),
            Field::optional(
                "recover_within",
                rows::LIMIT_KIND,
                "longest time from an injection's end until all is as before",
            ),
            DEVICE,
            rows::OBSERVER,
            rows::MESSAGES,
        ],
    },
    build: |values, context, out| {
        let limits = ["longest_outage", "recover_within"].map(|key| rows::time_ns(values, key));
        if limits == [None, None] {
            let message = "a recovery check needs longest_outage, recover_within, or both";
            out.report(Code::MISSING_KEY, values.span, message, "nothing is limited");
            return None;
        }
        let selection = Selection::read(values, out)?;
        Some(Box::new(Recovery {
            context,
            in_time_ns: rows::time_ns(values, "in_time")?,
            longest_outage_ns: limits[0],
            recover_within_ns: limits[1],
            selection,
            start: SimTime::default(),
            end_ns: 0,
            waited_until_ns: 0,
            injections: Vec::new(),
            by_path: BTreeMap::new(),
            kept: 0,
        }))
    },
    tables: &[RecordTable::Events, RecordTable::Latency],
    ..CheckKind::PLAIN
};

struct Recovery {
    context: CheckContext,
    selection: Selection,
    in_time_ns: i64,
    longest_outage_ns: Option<i64>,
    recover_within_ns: Option<i64>,
    start: SimTime,
    /// The schedule's end, since its start.
    end_ns: i64,
    waited_until_ns: i64,
    injections: Vec<Injection>,
    by_path: BTreeMap<String, ByDevice<DeviceState>>,
    /// How many arrivals are kept.
    kept: usize,
}

/// What was done to the system.
struct Injection {
    line: u64,
    what: String,
    at_ns: i64,
    end_ns: Option<i64>,
    /// What the event that ends it is recognised by: the link, or the process.
    ends_with: EndEvent,
    /// Which injection of the scenario it is, if the record has it.
    number: Option<u64>,
    /// Whose connections broke: devices, observers, and `OBSERVER.DEVICE`. `None`: everybody's.
    lanes: Option<BTreeSet<String>>,
}

impl Injection {
    fn new(line: u64, event: &Event, at_ns: i64, what: String, ends_with: EndEvent) -> Self {
        let lanes = event.get(field::LANES).and_then(serde_json::Value::as_array);
        let lanes = lanes.map(|lanes| {
            lanes.iter().filter_map(|lane| lane.as_str().map(str::to_owned)).collect()
        });
        let number = event.number(field::INJECTION);
        Self { line, what, at_ns, end_ns: None, ends_with, number, lanes }
    }

    /// Whether messages of a device on a path went through what broke.
    fn touches(&self, path: &str, device: &str) -> bool {
        let Some(lanes) = &self.lanes else { return true };
        let at_observer = LatencyPath::observer_of(path).is_some_and(|observer| {
            lanes.contains(observer) || lanes.contains(&format!("{observer}.{device}"))
        });
        at_observer || lanes.contains(device)
    }
}

#[derive(PartialEq)]
enum EndEvent {
    /// The event `restored` of this link; of any link if the injection names none.
    Restored(Option<String>),
    /// The event `restarted` of this process.
    Restarted(String),
}

#[derive(Default)]
struct DeviceState {
    first_due_ns: Option<i64>,
    /// When its messages arrived in time.
    in_time: Vec<i64>,
    after: Vec<AfterInjection>,
}

#[derive(Clone, Default)]
struct AfterInjection {
    /// When the last of what was due before the end arrived.
    last_before_ns: Option<i64>,
    /// How many of those never arrived, and when the first was due.
    lost: u64,
    first_lost_ns: Option<i64>,
    /// When the first message was due at the end or later.
    first_due_ns: Option<i64>,
    /// Of the first of those that arrived in time: due and arrival.
    first_in_time: Option<(i64, i64)>,
}

impl Check for Recovery {
    fn messages(&self) -> Option<&Selection> {
        Some(&self.selection)
    }

    fn demand(&self) -> Option<Demand> {
        Some(Demand { needs_breakage: true, ..self.selection.demand() })
    }

    fn is_not_measurable(&self, validity: &Validity) -> Option<Because> {
        let limits = [Some(self.in_time_ns), self.longest_outage_ns, self.recover_within_ns];
        let least = limits.into_iter().flatten().min().map(Limit::Within);
        least.and_then(|limit| validity.is_not_measurable(limit))
    }

    fn begin(&mut self, facts: &RunFacts) {
        self.start = facts.start;
        self.end_ns = (facts.end - facts.start).0;
        self.waited_until_ns =
            facts.real_time.as_ref().map_or(i64::MAX, |real| real.waited_until_ns);
    }

    fn event(&mut self, line: u64, event: &Event) {
        let at_ns = (event.time - self.start).0;
        let text = |name: &str| event.text(name).map(str::to_owned);
        match &event.kind {
            EventKind::Inject if event.text(field::INJECT) == Some("disconnect") => {
                let detail = event.prose(field::DETAIL).filter(|it| **it != Prose::default());
                let what = detail.map_or("disconnect".to_owned(), |d| format!("disconnect {d}"));
                let ends_with = EndEvent::Restored(text(field::LINK));
                self.injections.push(Injection::new(line, event, at_ns, what, ends_with));
            }
            EventKind::Kill => {
                let target = text(field::TARGET).unwrap_or_default();
                let what = format!("kill {target}");
                let ends_with = EndEvent::Restarted(target);
                self.injections.push(Injection::new(line, event, at_ns, what, ends_with));
            }
            EventKind::Restored | EventKind::Restarted => self.end(event, at_ns),
            _ => {}
        }
    }

    fn latency(&mut self, row: &LatencyRow<'_>) {
        if !self.selection.takes(row.path) {
            return;
        }
        if !self.by_path.contains_key(row.path) {
            let devices = ByDevice::new(self.selection.device.clone());
            self.by_path.insert(row.path.to_owned(), devices);
        }
        let Some(devices) = self.by_path.get_mut(row.path) else { return };
        let Some(intended_ns) = row.at(Point::Intended) else { return };
        let Some(device) = devices.entry(row.device()) else { return };
        device.first_due_ns =
            Some(device.first_due_ns.map_or(intended_ns, |first| first.min(intended_ns)));
        let arrival_ns = row.at(self.selection.span.to);
        let delay_ns = self.selection.span.delay(row);
        let in_time_ns = arrival_ns.filter(|_| delay_ns.is_some_and(|ns| ns <= self.in_time_ns));
        if let Some(arrival_ns) = in_time_ns
            && self.kept < EXACT_MAX
        {
            device.in_time.push(arrival_ns);
        }
        self.kept += usize::from(in_time_ns.is_some());
        device.after.resize_with(self.injections.len(), AfterInjection::default);
        for (injection, after) in self.injections.iter().zip(&mut device.after) {
            let Some(end_ns) = injection.end_ns else { continue };
            after.row(intended_ns, end_ns, arrival_ns, in_time_ns);
        }
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let validity = Validity::of(facts);
        let judged = match self.cannot_judge(&validity) {
            Some(because) => Err(because),
            None => self.devices().map_err(|why| Because::new(Reason::NothingToJudge, why)),
        };
        let verdict = match judged {
            Ok((path, devices)) => self.judge((path, devices), facts, &validity),
            Err(because) => rows::without_judgement(&self.context, facts, "s", because),
        };
        finish(verdict, facts)
    }
}

impl AfterInjection {
    fn row(&mut self, due_ns: i64, end_ns: i64, arrival_ns: Option<i64>, in_time_ns: Option<i64>) {
        if due_ns < end_ns {
            if let Some(arrival_ns) = arrival_ns {
                self.last_before_ns = self.last_before_ns.max(Some(arrival_ns));
            } else {
                self.lost += 1;
                let first_ns = self.first_lost_ns.map_or(due_ns, |first| first.min(due_ns));
                self.first_lost_ns = Some(first_ns);
            }
            return;
        }
        self.first_due_ns = Some(self.first_due_ns.map_or(due_ns, |first| first.min(due_ns)));
        if let Some(arrival_ns) = in_time_ns
            && self.first_in_time.is_none_or(|first| (due_ns, arrival_ns) < first)
        {
            self.first_in_time = Some((due_ns, arrival_ns));
        }
    }

    /// When messages were in time again: at the injection's end if the first that was due then was,
    /// else when the first that was in time arrived.
    fn in_time_again_ns(&self, end_ns: i64) -> Option<i64> {
        let (due_ns, arrival_ns) = self.first_in_time?;
        Some(if self.first_due_ns == Some(due_ns) { end_ns } else { arrival_ns })
    }
}

/// A path, and what is kept of its devices.
type OfPath<'a> = (&'a str, &'a ByDevice<DeviceState>);

/// The worst of something, and where it was.
#[derive(Clone)]
struct Worst {
    ns: i64,
    device: String,
    /// Since the schedule began.
    from_ns: i64,
    injection: Option<usize>,
}

enum Recovered {
    /// In time at the latest so long after an injection's end.
    Within(Option<Worst>),
    /// A message never came.
    Never(Worst, u64),
    Unknown(String),
}

impl Recovery {
    /// Ends the last injection that fits and is not over.
    fn end(&mut self, event: &Event, at_ns: i64) {
        let link = event.text(field::LINK).or(event.source.strip_prefix("link:"));
        let is_disconnect = event.text(field::INJECT).is_none_or(|inject| inject == "disconnect");
        let fits = |injection: &&mut Injection| {
            let is_same = match &injection.ends_with {
                EndEvent::Restored(own) => {
                    event.kind == EventKind::Restored
                        && is_disconnect
                        && own.as_deref().is_none_or(|own| link.is_none_or(|link| link == own))
                }
                EndEvent::Restarted(own) => {
                    event.kind == EventKind::Restarted
                        && event.text(field::TARGET) == Some(own.as_str())
                }
            };
            // Several may be broken at a time, each for its own devices.
            let number = event.number(field::INJECTION);
            let is_other = injection.number.is_some() && number.is_some();
            injection.end_ns.is_none() && is_same && (!is_other || injection.number == number)
        };
        if let Some(injection) = self.injections.iter_mut().find(fits) {
            injection.end_ns = Some(at_ns);
        }
    }

    fn cannot_judge(&self, validity: &Validity) -> Option<Because> {
        if validity.modelled {
            return Some(Because::new(Reason::Modelled, ""));
        }
        let of_run = validity.invalid().or_else(|| validity.without_floor());
        if let Some(because) = of_run.or_else(|| self.is_not_measurable(validity)) {
            return Some(because);
        }
        if self.injections.is_empty() {
            let why = "nothing was injected: no broken link and no kill";
            return Some(Because::new(Reason::NothingToJudge, why));
        }
        (self.kept > EXACT_MAX).then(|| {
            let why = format!("more than {EXACT_MAX} messages to keep; choose with `device`");
            Because::new(Reason::TooMany, why)
        })
    }

    /// The devices of the path that is judged, or why there is nothing to judge.
    fn devices(&self) -> Result<OfPath<'_>, String> {
        let path = self.selection.judged_path(self.by_path.keys().map(String::as_str))?;
        let devices = self.by_path.get(path);
        let devices = devices.filter(|devices| devices.iter().next().is_some());
        let devices_text = self.selection.describe();
        let devices =
            devices.ok_or_else(|| format!("the record has no latency of {devices_text}"))?;
        if self.touching((path, devices)).next().is_none() {
            return Err(format!("no injection touched the messages of {devices_text}"));
        }
        Ok((path, devices))
    }

    /// The injections that touch a device of a path.
    fn touching<'a>(
        &'a self,
        (path, devices): OfPath<'a>,
    ) -> impl Iterator<Item = (usize, &'a Injection)> {
        let touches = move |injection: &Injection| {
            devices.iter().any(|(name, _)| injection.touches(path, name))
        };
        self.injections.iter().enumerate().filter(move |(_, injection)| touches(injection))
    }

    fn longest_outage(&self, devices: &ByDevice<DeviceState>) -> Option<Worst> {
        let mut worst: Option<Worst> = None;
        for (name, state) in devices.iter() {
            let Some(first_ns) = state.first_due_ns else { continue };
            let mut arrivals = state.in_time.clone();
            arrivals.sort_unstable();
            let mut since_ns = first_ns;
            // What arrives after the schedule's end has nothing to follow it.
            for at_ns in arrivals.into_iter().map(|at| at.min(self.end_ns)).chain([self.end_ns]) {
                let ns = at_ns.saturating_sub(since_ns);
                if worst.as_ref().is_none_or(|worst| ns > worst.ns) {
                    let device = name.to_owned();
                    worst = Some(Worst { ns, device, from_ns: since_ns, injection: None });
                }
                since_ns = since_ns.max(at_ns);
            }
        }
        worst
    }

    /// The longest time from an injection's end until a device is as before.
    fn recovered(&self, (path, devices): OfPath<'_>) -> Recovered {
        let mut worst: Option<Worst> = None;
        for (number, injection) in self.touching((path, devices)) {
            let Some(end_ns) = injection.end_ns else {
                return Recovered::Unknown(format!("{} never ended in the record", injection.what));
            };
            let touched = devices.iter().filter(|(name, _)| injection.touches(path, name));
            for (name, state) in touched.filter(|(_, state)| state.first_due_ns.is_some()) {
                let after = state.after.get(number).cloned().unwrap_or_default();
                let mut one = Worst {
                    ns: 0,
                    device: name.to_owned(),
                    from_ns: after.first_lost_ns.unwrap_or(end_ns),
                    injection: Some(number),
                };
                if after.lost > 0 {
                    let within_ns = self.recover_within_ns.unwrap_or(0);
                    if self.waited_until_ns < end_ns.saturating_add(within_ns) {
                        let what = &injection.what;
                        let why = format!("the bench did not wait long enough after {what}");
                        return Recovered::Unknown(why);
                    }
                    return Recovered::Never(one, after.lost);
                }
                let Some(again_ns) = after.in_time_again_ns(end_ns) else {
                    return self.not_again(name, one, &after, injection);
                };
                let back_ns = after.last_before_ns.map_or(again_ns, |last| last.max(again_ns));
                one.ns = back_ns.saturating_sub(end_ns).max(0);
                if worst.as_ref().is_none_or(|worst| one.ns > worst.ns) {
                    worst = Some(one);
                }
            }
        }
        Recovered::Within(worst)
    }

    /// No message of a device was in time after an injection.
    fn not_again(
        &self,
        name: &str,
        one: Worst,
        after: &AfterInjection,
        injection: &Injection,
    ) -> Recovered {
        let what = &injection.what;
        let end_ns = injection.end_ns.unwrap_or(injection.at_ns);
        // A message that was due so early had all the time it may take.
        let last_due_ns = end_ns.saturating_add(self.recover_within_ns.unwrap_or(i64::MAX));
        let last_due_ns = last_due_ns.saturating_sub(self.in_time_ns);
        match after.first_due_ns {
            None => Recovered::Unknown(format!("no message of {name} was due after {what}")),
            Some(due_ns) if due_ns <= last_due_ns && self.end_ns >= last_due_ns => {
                Recovered::Never(one, 0)
            }
            Some(_) => Recovered::Unknown(format!(
                "the schedule ended too soon after {what} to see {name} in time again"
            )),
        }
    }

    fn judge(&self, (path, devices): OfPath<'_>, facts: &RunFacts, validity: &Validity) -> Verdict {
        let mut parts = Vec::new();
        if let (Some(limit_ns), Some(worst)) =
            (self.longest_outage_ns, self.longest_outage(devices))
        {
            let hold_ups = hold_ups(facts);
            let text = format!(
                "longest outage {} of {} from {}",
                describe(worst.ns),
                worst.device,
                describe(worst.from_ns)
            );
            let span = (worst.from_ns, worst.from_ns.saturating_add(worst.ns));
            let (reason, text) = timed(worst.ns, limit_ns, &hold_ups, span, text);
            parts.push(Part { reason, text, ns: Some(worst.ns), limit_ns, worst: Some(worst) });
        }
        if let Some(limit_ns) = self.recover_within_ns {
            parts.push(self.recovery_part((path, devices), limit_ns, facts));
        }
        // The worst status first, then what is nearest to its limit.
        let share =
            |part: &Part| part.ns.map_or(f64::INFINITY, |ns| ns as f64 / part.limit_ns as f64);
        parts.sort_by(|a, b| {
            b.reason.status().cmp(&a.reason.status()).then(share(b).total_cmp(&share(a)))
        });
        let Some(first) = parts.first() else {
            return self.context.verdict(Reason::NothingToJudge, "s", "nothing to judge");
        };
        let mut why = String::new();
        for part in &parts {
            let limit = describe(part.limit_ns);
            let separator = if why.is_empty() { "" } else { "; " };
            append(&mut why, format_args!("{separator}{}, limit {limit}", part.text));
        }
        let count = self.touching((path, devices)).count() as u64;
        append(&mut why, format_args!("; {}", plural(count, "injection")));
        for flag in &validity.flags {
            append(&mut why, format_args!("; {flag}"));
        }
        let seconds = |ns: i64| ns as f64 / 1e9;
        let measured = first.ns.map(seconds);
        Verdict {
            measured,
            limit: Some(seconds(first.limit_ns)),
            n: count,
            at: first.worst.as_ref().map(|worst| self.place(worst, facts)),
            told: Some(VerdictText {
                measured: measured.map_or("never".to_owned(), |s| format!("{} s", number(s))),
                basis: plural(count, "injection"),
            }),
            ..self.context.verdict(first.reason, "s", why)
        }
    }

    fn recovery_part(&self, of: OfPath<'_>, limit_ns: i64, facts: &RunFacts) -> Part {
        let hold_ups = hold_ups(facts);
        match self.recovered(of) {
            Recovered::Within(worst) => {
                let ns = worst.as_ref().map_or(0, |worst| worst.ns);
                let of = worst.as_ref().map(|worst| {
                    format!(" of {} after {}", worst.device, self.what(worst.injection))
                });
                let text = format!("recovered within {}{}", describe(ns), of.unwrap_or_default());
                let end_ns = worst.as_ref().map_or(0, |worst| worst.from_ns);
                let span = (end_ns, end_ns.saturating_add(ns));
                let (reason, text) = timed(ns, limit_ns, &hold_ups, span, text);
                Part { reason, text, ns: Some(ns), limit_ns, worst }
            }
            Recovered::Never(worst, lost) => {
                let what = self.what(worst.injection);
                let text = if lost > 0 {
                    let lost = plural(lost, "message");
                    format!(
                        "never recovered: {lost} of {} from before the end of {what} lost",
                        worst.device
                    )
                } else {
                    format!("never recovered: {} was not in time again after {what}", worst.device)
                };
                // Load loses nothing, but it may keep every later message from being in time.
                let later = (worst.from_ns, self.end_ns);
                let is_touched = lost == 0 && hold_ups.touch(later, self.in_time_ns);
                let reason = if is_touched { Reason::HostLoad } else { Reason::NotRecovered };
                let text = if is_touched { format!("{text}, {BY_LOAD}") } else { text };
                Part { reason, text, ns: None, limit_ns, worst: Some(worst) }
            }
            Recovered::Unknown(text) => {
                Part { reason: Reason::Incomplete, text, ns: None, limit_ns, worst: None }
            }
        }
    }

    fn what(&self, injection: Option<usize>) -> &str {
        let injection = injection.and_then(|number| self.injections.get(number));
        injection.map_or("", |injection| injection.what.as_str())
    }

    fn place(&self, worst: &Worst, facts: &RunFacts) -> At {
        let injection = worst.injection.and_then(|number| self.injections.get(number));
        At {
            device: Some(worst.device.clone()),
            time: Some(facts.start + lastmeter_units::SimDuration(worst.from_ns)),
            event: injection.map(|injection| injection.line),
            ..At::default()
        }
    }
}

/// The addition to a figure that may be the machine's.
const BY_LOAD: &str = "which load on this machine may have caused";

fn hold_ups(facts: &RunFacts) -> HoldUps {
    facts.real_time.as_ref().map(HoldUps::of).unwrap_or_default()
}

/// Whether a time is within its limit: over it only if it is so without what load may have added.
fn timed(
    ns: i64,
    limit_ns: i64,
    hold_ups: &HoldUps,
    span: (i64, i64),
    text: String,
) -> (Reason, String) {
    if ns <= limit_ns {
        (Reason::WithinLimit, text)
    } else if ns.saturating_sub(hold_ups.touching_ns(span, limit_ns)) > limit_ns {
        (Reason::TooLate, text)
    } else {
        (Reason::HostLoad, format!("{text}, {BY_LOAD}"))
    }
}

/// One of the two figures of the verdict.
struct Part {
    reason: Reason,
    text: String,
    /// `None`: never, or not known.
    ns: Option<i64>,
    limit_ns: i64,
    worst: Option<Worst>,
}

#[cfg(test)]
#[path = "recovery_tests.rs"]
mod tests;
