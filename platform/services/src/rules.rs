//! Rules: what people want done when something begins to hold.
//!
//! A rule acts when its condition begins to hold, at that instant, and not again before its
//! cool-down is over: what begins to hold meanwhile is passed over, not made good later. An owner's
//! rules do 60 things an hour at most.
//!
//! A value that comes behind a later one of its quantity changes nothing: neither a level nor a
//! rate goes back. For absence it counts when it comes. A rule that is changed begins anew.
//!
//! What is not known neither begins nor ends anything: a rule stands as it did.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lastmeter_model::access::PrincipalRef;
use lastmeter_model::document::Document;
use lastmeter_model::entity::{
    Absence, AlarmKey, AlertComes, Body as _, Condition, Feed, GiveCommand, Metadata, Notification,
    NotificationState, RaiseAlert, Rate, Rule, RuleAction, SendMessage, Tariff, Threshold,
};
use lastmeter_model::row::{AlertRow, ReadingRow};
use lastmeter_units::{HardwareId, SimDuration, SimTime};
use lastmeter_wire::flexmeter::AlertLevel;
use serde::{Deserialize, Serialize};

use crate::border::{Input, Output, Read, Service, ServiceKind};

use outside::{Outside, read_of};

mod outside;
mod trial;

pub use trial::{Firing, tried};

/// The row of [`crate::SERVICES`].
pub(crate) const KIND: ServiceKind = ServiceKind {
    name: "rules",
    doc: "does what the rules of people want done when their conditions begin to hold: alerts, \
        alarms and commands, each in its owner's name",
    kinds: &[Rule::CODE, Tariff::CODE, Feed::CODE],
    build: |snapshot| Box::new(Rules::of(snapshot)),
};

/// What the rules of one owner do in an hour at most.
const ACTIONS_MAX: usize = 60;
const HOUR: SimDuration = SimDuration(3_600_000_000_000);
/// Values that a rate looks at; of more in its window, the oldest are passed over.
const RATE_VALUES_MAX: usize = 1_000;

/// The rules of a tenant.
#[derive(Debug, Default)]
struct Rules {
    running: BTreeMap<String, Running>,
    /// Rules by the device and the quantity that they look at.
    by_quantity: BTreeMap<HardwareId, BTreeMap<String, BTreeSet<String>>>,
    /// Rules that look at whether anything comes, by device.
    by_device: BTreeMap<HardwareId, BTreeSet<String>>,
    /// Rules that look at alerts.
    by_alert: BTreeSet<String>,
    /// Rules by the tariff or feed that they look at.
    by_read: BTreeMap<Read, BTreeSet<String>>,
    outside: Outside,
    /// When rules are to be looked at although nothing comes.
    wakes: BTreeSet<(SimTime, String)>,
    kept: Kept,
}

/// A rule and where it stands.
#[derive(Debug)]
struct Running {
    rule: Rule,
    wake: Option<SimTime>,
}

/// What no document has.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    rules: BTreeMap<String, Stands>,
    /// When the rules of an owner did something, the latest hour.
    actions: BTreeMap<String, VecDeque<SimTime>>,
}

/// Where a rule stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Stands {
    version: u64,
    leaves: Vec<Leaf>,
    /// Whether its condition held when it was looked at last.
    held: bool,
    acted: Option<SimTime>,
    /// Types of its alarms that have begun and not ended.
    alarms: BTreeSet<String>,
}

/// What a part of a condition has to remember.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Leaf {
    /// Since when values are beyond the level, and when the last one was.
    Threshold { since: Option<SimTime>, last: Option<SimTime> },
    /// When something came last.
    Absence { last: SimTime },
    /// Values of the window, oldest first.
    Rate { values: VecDeque<(SimTime, f64)> },
    /// Whether the value of a feed was beyond the level when it was known last.
    Feed { is_beyond: bool },
    /// Nothing.
    Nothing,
}

fn seconds(seconds: u32) -> SimDuration {
    SimDuration::from_seconds(i64::from(seconds))
}

impl Leaf {
    fn of(condition: &Condition, now: SimTime) -> Self {
        match condition {
            Condition::Threshold(_) => Self::Threshold { since: None, last: None },
            Condition::Absence(_) => Self::Absence { last: now },
            Condition::Rate(_) => Self::Rate { values: VecDeque::new() },
            Condition::Weather(_) => Self::Feed { is_beyond: false },
            _ => Self::Nothing,
        }
    }

    /// Takes a value of the quantity that it looks at.
    fn value(&mut self, condition: &Condition, at: SimTime, value: f64) {
        match (self, condition) {
            (
                Self::Threshold { since, last },
                Condition::Threshold(Threshold { above, below, hysteresis, .. }),
            ) if last.is_none_or(|last| last <= at) => {
                *last = Some(at);
                let back = if since.is_some() { *hysteresis } else { 0.0 };
                let is_beyond = above.is_some_and(|level| value > level - back)
                    || below.is_some_and(|level| value < level + back);
                *since = is_beyond.then(|| since.unwrap_or(at));
            }
            (Self::Rate { values }, Condition::Rate(_))
                if values.back().is_none_or(|(last, _)| *last < at) =>
            {
                values.push_back((at, value));
                if values.len() > RATE_VALUES_MAX {
                    values.pop_front();
                }
            }
            _ => {}
        }
    }

    /// Whether it holds at an instant, if that is known; `alert` is what comes just then. And the
    /// next instant at which that may be otherwise although nothing comes.
    fn at(
        &mut self,
        condition: &Condition,
        now: SimTime,
        alert: Option<&AlertRow>,
        outside: &mut Outside,
    ) -> (Option<bool>, Option<SimTime>) {
        match (self, condition) {
            // Without any value it is not known.
            (Self::Threshold { since: None, last }, _) => (last.map(|_| false), None),
            (
                Self::Threshold { since: Some(since), .. },
                Condition::Threshold(Threshold { held_for_seconds, .. }),
            ) => {
                let from = *since + seconds(*held_for_seconds);
                (Some(from <= now), Some(from).filter(|from| now < *from))
            }
            (Self::Absence { last }, Condition::Absence(Absence { for_seconds, .. })) => {
                let from = *last + seconds(*for_seconds);
                (Some(from <= now), Some(from).filter(|from| now < *from))
            }
            (Self::Rate { values }, Condition::Rate(Rate { above, below, window_seconds, .. })) => {
                let window = seconds(*window_seconds);
                while values.front().is_some_and(|(at, _)| *at + window < now) {
                    values.pop_front();
                }
                let next = values.front().map(|(at, _)| SimTime((*at + window).0 + 1));
                let (Some(first), Some(last)) = (values.front(), values.back()) else {
                    return (None, None);
                };
                let hours = last.0.since(first.0).0 as f64 / HOUR.0 as f64;
                if hours <= 0.0 {
                    return (None, None);
                }
                let rate = (last.1 - first.1) / hours;
                let is_beyond = above.is_some_and(|level| rate > level)
                    || below.is_some_and(|level| rate < level);
                (Some(is_beyond), next)
            }
            (Self::Feed { is_beyond }, Condition::Weather(asked)) => {
                let (holds, next) = outside.is_beyond(asked, *is_beyond, now);
                *is_beyond = holds.unwrap_or(*is_beyond);
                (holds, next)
            }
            (_, Condition::Tariff(asked)) => outside.is_priced(asked, now),
            (_, Condition::Time(window)) => {
                let (is_on, next) = window.at(now);
                (Some(is_on), next)
            }
            (_, Condition::Alert(asked)) => {
                (Some(alert.is_some_and(|row| is_asked(asked, row))), None)
            }
            _ => (None, None),
        }
    }
}

fn is_asked(asked: &AlertComes, row: &AlertRow) -> bool {
    let AlertComes { device, alert_type, level } = asked;
    device.as_ref().is_none_or(|device| *device == row.device)
        && alert_type.as_ref().is_none_or(|kind| kind.as_str() == row.kind)
        && level.is_none_or(|least| {
            AlertLevel::from_word(&row.level).is_some_and(|level| least <= level)
        })
}

impl Rules {
    fn of(snapshot: Option<&[u8]>) -> Self {
        let kept = snapshot.and_then(|bytes| serde_json::from_slice(bytes).ok());
        Self { kept: kept.unwrap_or_default(), ..Self::default() }
    }

    /// Takes a tariff or a feed.
    fn given(&mut self, document: &Document, now: SimTime, out: &mut Vec<Output>) {
        let touched = self.outside.document(document);
        let touched = touched.iter().filter_map(|read| self.by_read.get(read));
        let touched: BTreeSet<String> = touched.flatten().cloned().collect();
        for token in touched {
            self.look(&token, now, None, out);
        }
    }

    fn rule(&mut self, document: &Document, now: SimTime, out: &mut Vec<Output>) {
        let token = &document.token;
        let rule = serde_json::from_str::<Rule>(&document.body).ok();
        let rule = rule.filter(|rule| !document.is_deleted && rule.is_on());
        self.forget(token);
        // A version that is known goes on where it stood; of another one the alarms end.
        let stands = self.kept.rules.get(token).filter(|stands| stands.version == document.version);
        if stands.is_none()
            && let Some(before) = self.kept.rules.remove(token)
        {
            for kind in before.alarms {
                out.push(ended(token, &kind, now));
            }
        }
        let Some(rule) = rule else { return };
        let leaves = rule.when.leaves();
        for leaf in &leaves {
            if let Some(read) = read_of(leaf) {
                self.by_read.entry(read).or_default().insert(token.clone());
            }
            let quantity = match leaf {
                Condition::Threshold(Threshold { quantity, .. })
                | Condition::Rate(Rate { quantity, .. }) => Some(quantity),
                Condition::Absence(Absence { quantity, .. }) => quantity.as_ref(),
                Condition::Alert(_) => {
                    self.by_alert.insert(token.clone());
                    continue;
                }
                _ => continue,
            };
            let Some(device) = leaf.device() else { continue };
            let rules = match quantity {
                Some(quantity) => {
                    let of_device = self.by_quantity.entry(device.clone()).or_default();
                    of_device.entry(quantity.as_str().to_owned()).or_default()
                }
                None => self.by_device.entry(device.clone()).or_default(),
            };
            rules.insert(token.clone());
        }
        self.kept.rules.entry(token.clone()).or_insert_with(|| Stands {
            version: document.version,
            leaves: leaves.into_iter().map(|leaf| Leaf::of(leaf, now)).collect(),
            held: false,
            acted: None,
            alarms: BTreeSet::new(),
        });
        let running = Running { rule, wake: None };
        self.running.insert(token.clone(), running);
        self.look(token, now, None, out);
    }

    /// Looks at a rule no longer.
    fn forget(&mut self, token: &str) {
        let Some(Running { wake, .. }) = self.running.remove(token) else { return };
        if let Some(wake) = wake {
            self.wakes.remove(&(wake, token.to_owned()));
        }
        self.by_alert.remove(token);
        for rules in self.by_read.values_mut() {
            rules.remove(token);
        }
        self.by_read.retain(|_, rules| !rules.is_empty());
        for rules in self.by_device.values_mut() {
            rules.remove(token);
        }
        self.by_device.retain(|_, rules| !rules.is_empty());
        for quantities in self.by_quantity.values_mut() {
            for rules in quantities.values_mut() {
                rules.remove(token);
            }
            quantities.retain(|_, rules| !rules.is_empty());
        }
        self.by_quantity.retain(|_, quantities| !quantities.is_empty());
    }

    /// Looks at whether the condition of a rule holds, and acts if it begins to.
    fn look(&mut self, token: &str, now: SimTime, alert: Option<&AlertRow>, out: &mut Vec<Output>) {
        let Some(running) = self.running.get_mut(token) else { return };
        let Some(stands) = self.kept.rules.get_mut(token) else { return };
        let mut wake: Option<SimTime> = None;
        let conditions = running.rule.when.leaves();
        let outside = &mut self.outside;
        let mut holds = |alert: Option<&AlertRow>| {
            let leaves = conditions.iter().zip(&mut stands.leaves);
            let truths: Vec<Option<bool>> = leaves
                .map(|(condition, leaf)| {
                    let (holds, next) = leaf.at(condition, now, alert, outside);
                    wake = [wake, next].into_iter().flatten().min();
                    holds
                })
                .collect();
            running.rule.when.holds(&mut truths.into_iter())
        };
        // What comes at an instant holds for that instant alone.
        let during = holds(alert);
        let after = if alert.is_some() { holds(None) } else { during };
        let after = after.unwrap_or(stands.held);
        let before = std::mem::replace(&mut stands.held, after);
        if let Some(old) = std::mem::replace(&mut running.wake, wake) {
            self.wakes.remove(&(old, token.to_owned()));
        }
        self.wakes.extend(wake.map(|wake| (wake, token.to_owned())));
        if during == Some(true) && !before {
            let cause = Cause { token, now, alert };
            act(&cause, &running.rule, stands, &mut self.kept.actions, out);
        }
        if !after && before && !running.rule.when.is_of_an_instant() {
            let ends = std::mem::take(&mut stands.alarms);
            out.extend(ends.iter().map(|kind| ended(token, kind, now)));
        }
    }

    fn reading(&mut self, row: &ReadingRow, now: SimTime, out: &mut Vec<Output>) {
        let mut touched = BTreeSet::new();
        touched.extend(self.by_device.get(&row.device).into_iter().flatten().cloned());
        if let Some(of_device) = self.by_quantity.get(&row.device) {
            let rules = row.values.iter().filter_map(|(name, _)| of_device.get(&**name));
            touched.extend(rules.flatten().cloned());
        }
        // What is dated after now counts as of now.
        let at = row.event.min(now);
        for token in touched {
            let (Some(running), Some(stands)) =
                (self.running.get(&token), self.kept.rules.get_mut(&token))
            else {
                continue;
            };
            let leaves = running.rule.when.leaves().into_iter().zip(&mut stands.leaves);
            for (condition, leaf) in leaves.filter(|(one, _)| one.device() == Some(&row.device)) {
                take(condition, leaf, row, (at, now));
            }
            self.look(&token, now, None, out);
        }
    }

    fn alert(&mut self, row: &AlertRow, now: SimTime, out: &mut Vec<Output>) {
        let mut touched = self.by_alert.clone();
        touched.extend(self.by_device.get(&row.device).into_iter().flatten().cloned());
        for token in touched {
            // A rule does not answer itself.
            if row.device.as_str().strip_prefix(SOURCE) == Some(&*token) {
                continue;
            }
            if let (Some(running), Some(stands)) =
                (self.running.get(&token), self.kept.rules.get_mut(&token))
            {
                let leaves = running.rule.when.leaves().into_iter().zip(&mut stands.leaves);
                for (condition, leaf) in leaves {
                    if let (Condition::Absence(Absence { device, quantity: None, .. }), leaf) =
                        (condition, leaf)
                        && *device == row.device
                    {
                        *leaf = Leaf::Absence { last: now };
                    }
                }
            }
            self.look(&token, now, Some(row), out);
        }
    }
}

/// Takes what a reading has for a leaf that looks at its device.
fn take(condition: &Condition, leaf: &mut Leaf, row: &ReadingRow, (at, now): (SimTime, SimTime)) {
    let of = |quantity: &str| row.values.iter().find(|(name, _)| **name == *quantity);
    match condition {
        Condition::Threshold(Threshold { quantity, .. })
        | Condition::Rate(Rate { quantity, .. }) => {
            if let Some((_, value)) = of(quantity.as_str()) {
                leaf.value(condition, at, *value);
            }
        }
        Condition::Absence(Absence { quantity, .. })
            if quantity.as_ref().is_none_or(|quantity| of(quantity.as_str()).is_some()) =>
        {
            *leaf = Leaf::Absence { last: now };
        }
        _ => {}
    }
}

/// Alerts of a rule stand under this and its token.
const SOURCE: &str = "$rule-";

/// Why a rule acts.
struct Cause<'a> {
    token: &'a str,
    now: SimTime,
    alert: Option<&'a AlertRow>,
}

fn key(token: &str, kind: &str) -> AlarmKey {
    AlarmKey { source: format!("rule:{token}"), kind: kind.to_owned(), device: None }
}

fn ended(token: &str, kind: &str, at: SimTime) -> Output {
    Output::Alarm { key: key(token, kind), level: None, text: String::new(), at, owner: None }
}

/// Does what a rule wants done, unless it did so lately or its owner's rules have done too much.
fn act(
    cause: &Cause<'_>,
    rule: &Rule,
    stands: &mut Stands,
    actions: &mut BTreeMap<String, VecDeque<SimTime>>,
    out: &mut Vec<Output>,
) {
    let Cause { token, now, alert } = *cause;
    // What is nobody's is done as the tenant's administrators do it.
    let by = rule.owner.clone().unwrap_or(PrincipalRef::Bench);
    let is_cooling = stands.acted.is_some_and(|at| now.since(at) < seconds(rule.cool_down_seconds));
    let of_owner = actions.entry(by.to_string()).or_default();
    while of_owner.front().is_some_and(|at| now.since(*at) >= HOUR) {
        of_owner.pop_front();
    }
    if is_cooling || of_owner.len() + rule.then.len() > ACTIONS_MAX {
        return;
    }
    stands.acted = Some(now);
    of_owner.extend(rule.then.iter().map(|_| now));
    let leaves = rule.when.leaves();
    let devices = leaves.iter().filter_map(|leaf| leaf.device()).cloned();
    let devices = devices.chain(alert.map(|row| row.device.clone())).map(Read::Device);
    let mut reads: Vec<Read> =
        devices.chain(leaves.iter().filter_map(|leaf| read_of(leaf))).collect();
    reads.sort_unstable();
    reads.dedup();
    let effects = rule.then.iter().enumerate().filter_map(|(index, action)| {
        effect(cause, rule, (index, action)).inspect(|effect| {
            if let Output::Alarm { key, .. } = effect {
                stands.alarms.insert(key.kind.clone());
            }
        })
    });
    let effects = effects.collect();
    let cause = format!("rule:{token}");
    out.push(Output::InTheNameOf { by, reads, cause, effects });
}

fn effect(cause: &Cause<'_>, rule: &Rule, (index, action): (usize, &RuleAction)) -> Option<Output> {
    let Cause { token, now, alert } = *cause;
    Some(match action {
        RuleAction::Alert(RaiseAlert { alert_type, level, text }) => {
            let source = HardwareId::new(format!("{SOURCE}{token}")).ok()?;
            let mut metadata = BTreeMap::from([("rule".to_owned(), token.to_owned())]);
            if let Some(device) = rule.when.leaves().iter().find_map(|leaf| leaf.device()) {
                metadata.insert("device".to_owned(), device.to_string());
            }
            if let Some(row) = alert {
                metadata.insert("device".to_owned(), row.device.to_string());
                metadata.insert("alert".to_owned(), row.kind.clone());
            }
            let (kind, text) = (alert_type.to_string(), text.to_string());
            Output::Alert { source, kind, level: *level, text, at: now, metadata }
        }
        RuleAction::Alarm(RaiseAlert { alert_type, level, text }) => Output::Alarm {
            key: key(token, alert_type.as_str()),
            level: Some(*level),
            text: text.to_string(),
            at: now,
            owner: rule.owner.clone(),
        },
        RuleAction::Command(GiveCommand { device, command, parameters }) => Output::Command {
            device: device.clone(),
            name: command.to_string(),
            parameters: parameters.0.clone(),
            by: rule.owner.clone().unwrap_or(PrincipalRef::Bench),
            cause: vec![format!("rule:{token}")],
        },
        RuleAction::Message(message) => told(message, &format!("rule:{token}"), rule, now, index)?,
    })
}

/// The notification of a message.
fn told(
    message: &SendMessage,
    cause: &str,
    rule: &Rule,
    now: SimTime,
    index: usize,
) -> Option<Output> {
    let SendMessage { channel, url, subject, text, level } = message;
    let notification = Notification {
        owner: rule.owner.clone(),
        channel: *channel,
        to: url.clone(),
        subject: subject.clone(),
        text: text.clone().or_else(|| String::new().try_into().ok())?,
        level: *level,
        // A token that is longer than a name is not told from others that begin alike.
        cause: cause.chars().take(128).collect::<String>().try_into().ok()?,
        at: now,
        state: NotificationState::Waiting,
        tries: 0,
        next: Some(now),
        settled: None,
        failure: None,
        metadata: Metadata::default(),
    };
    let token = Notification::token(cause, now, index);
    let body = serde_json::to_value(notification).ok()?;
    Some(Output::Put { kind: Notification::kind(), token, body })
}

impl Service for Rules {
    fn step(&mut self, now: SimTime, input: Input<'_>, out: &mut Vec<Output>) {
        match input {
            Input::Document(document) if document.kind.code == Rule::CODE => {
                self.rule(document, now, out);
            }
            Input::Document(document) => self.given(document, now, out),
            Input::Started => {
                let is_gone = |token: &&String| !self.running.contains_key(*token);
                let gone: Vec<String> = self.kept.rules.keys().filter(is_gone).cloned().collect();
                for token in gone {
                    let alarms = self.kept.rules.remove(&token).map(|stands| stands.alarms);
                    let kinds = alarms.into_iter().flatten();
                    out.extend(kinds.map(|kind| ended(&token, &kind, now)));
                }
            }
            Input::Reading { row, .. } => self.reading(row, now, out),
            Input::Alert { row, .. } => self.alert(row, now, out),
            Input::Wake => {
                let due = self.wakes.iter().take_while(|(at, _)| *at <= now);
                let due: Vec<String> = due.map(|(_, token)| token.clone()).collect();
                for token in &due {
                    self.look(token, now, None, out);
                }
            }
            // They ask nothing.
            Input::Answer { .. } => {}
        }
    }

    fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    fn wake_at(&self) -> Option<SimTime> {
        self.wakes.first().map(|(at, _)| *at)
    }

    fn snapshot(&self) -> Vec<u8> {
        serde_json::to_vec(&self.kept).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
