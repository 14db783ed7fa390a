//! The account of alerts and of answers to commands: what the bench's own devices and gateways
//! sent, held against what the platform gives back.
//!
//! Terms: a *notice* is an alert or an answer. What had been sent when the platform was read back
//! for the last time, at the end of the time of grace, is *owed*: it is stored or lost. Whose
//! messages do not pass the bench, as of a gateway somewhere else that reads a network and of an
//! application in real time, is *unseen*: nothing is held against it.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_language::{ApplicationRow, Scenario, TenantRow, tenant_prefix};
use lastmeter_record::{Event, EventKind, TimeMode, field};
use lastmeter_units::{HardwareId, SimTime};
use lastmeter_wire::flexmeter::{AcknowledgeMessage, DecodeRules, Request, decode};

use super::alerts::{Alert, AlertKey, AlertsRead};
use super::applications::tenant_of;
use super::blocks;
use super::commands::OpenCommand;
use super::ledger::SentReading;
use super::rest::Invocation;
use super::tenants::prefix_of;

pub(crate) enum SentMessage {
    Reading(SentReading),
    Notice(Notice),
}

/// An alert or an answer to a command as it left its sender.
#[derive(Clone, Debug)]
pub(crate) enum Notice {
    Alert(Alert),
    Answer(AcknowledgeMessage),
}

#[derive(Clone, Debug)]
pub(crate) enum NoticeKey {
    Alert(AlertKey),
    /// By the invocation, as the platform names it.
    Answer(String),
}

/// What becomes of a notice on its connection.
#[derive(Clone, Debug)]
pub(crate) enum NoticeNews {
    Sent(Notice),
    Acknowledged(NoticeKey),
}

impl SentMessage {
    /// Reads a message that goes under a topic, whose tenant is in the names of what it is about;
    /// `None` for what has no number.
    pub(crate) fn read(topic: &str, payload: &[u8]) -> Option<Self> {
        let named = |name: &str| format!("{}{name}", prefix_of(topic));
        if let Some(block) = blocks::sent(payload, named) {
            return Some(Self::Notice(Notice::Alert(block)));
        }
        Some(match decode(payload, &DecodeRules::default()).ok()? {
            Request::Measurements(message) => Self::Reading(SentReading::of(&message)?),
            Request::Alert(message) => {
                let mut alert = Alert::sent(message);
                alert.device = named(&alert.device);
                Self::Notice(Notice::Alert(alert))
            }
            Request::Acknowledge(message) => Self::Notice(Notice::Answer(AcknowledgeMessage {
                // Names with a tenant before them are ids as well.
                hardware_id: HardwareId::new(named(message.hardware_id.as_str())).ok()?,
                originating_event_id: named(&message.originating_event_id),
                ..message
            })),
        })
    }
}

impl Notice {
    /// Which it is; of an alert without a number nothing.
    pub(crate) fn key(&self) -> Option<NoticeKey> {
        match self {
            Self::Alert(alert) => alert.key().map(NoticeKey::Alert),
            Self::Answer(answer) => Some(NoticeKey::Answer(answer.originating_event_id.clone())),
        }
    }
}

/// What became of an alert that was sent.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Open,
    Stored,
    /// Stored like this.
    Altered(Alert),
}

#[derive(Debug)]
struct SentAlert {
    alert: Alert,
    is_acknowledged: bool,
    is_owed: bool,
    fate: Fate,
}

#[derive(Debug)]
struct SentAnswer {
    message: AcknowledgeMessage,
    is_acknowledged: bool,
}

#[derive(Default)]
pub(crate) struct Notices {
    /// Whether messages reach the platform that do not pass the bench.
    has_unseen: bool,
    /// Whose messages pass the bench.
    own: BTreeSet<String>,
    /// Applications that have connections of their own, which the bench sees nothing of.
    applications: BTreeSet<String>,
    /// What ids begin with that are the platform's own, in each tenant.
    platforms: Vec<String>,
    alerts: BTreeMap<AlertKey, SentAlert>,
    /// Stored alerts that are not, or not yet known to be, the first copy of one that was sent.
    odd: Vec<Alert>,
    is_unlisted: bool,
    answers: BTreeMap<String, SentAnswer>,
    /// Invocations whose state was given for a command.
    given: BTreeSet<String>,
    /// Invocations of the commands that the bench gave.
    asked: BTreeSet<String>,
    /// Devices with commands whose invocations the bench never learnt.
    unnamed: BTreeSet<String>,
    answers_sent: u64,
    answers_stored: u64,
}

impl Notices {
    pub(crate) fn of(scenario: &Scenario) -> Self {
        let devices = scenario.devices.iter().enumerate();
        let is_unseen =
            |index: usize| scenario.is_read_elsewhere(index) || scenario.is_carried(index);
        let seen = devices.filter(|(index, _)| !is_unseen(*index));
        let gateways = scenario.gateways.iter().map(|row| row.name.clone());
        let tenants = scenario.part::<Vec<TenantRow>>().into_iter().flatten();
        let prefixes = tenants.map(|tenant| tenant_prefix(&tenant.name)).chain([String::new()]);
        let is_real = scenario.schedule.time == TimeMode::Real;
        let applications = scenario.applications.iter().filter(|_| is_real);
        let named = |row: &ApplicationRow| {
            format!("{}{}", tenant_prefix(&tenant_of(scenario, row)), row.name)
        };
        Self {
            applications: applications.map(named).collect(),
            platforms: prefixes.map(|prefix| prefix + "$").collect(),
            has_unseen: (0..scenario.devices.len()).any(is_unseen),
            own: seen.map(|(_, row)| row.name.clone()).chain(gateways).collect(),
            ..Self::default()
        }
    }

    fn is_unseen(&self, sender: &str) -> bool {
        self.has_unseen && !self.own.contains(sender) || self.applications.contains(sender)
    }

    /// Takes what became of a notice on its connection. One that is sent again is the same.
    pub(crate) fn take(&mut self, news: NoticeNews) {
        match news {
            NoticeNews::Sent(Notice::Alert(alert)) => {
                let Some(key) = alert.key() else { return };
                let (is_acknowledged, is_owed, fate) = (false, false, Fate::Open);
                let sent = SentAlert { alert, is_acknowledged, is_owed, fate };
                self.alerts.entry(key).or_insert(sent);
            }
            NoticeNews::Sent(Notice::Answer(message)) => {
                let invocation = message.originating_event_id.clone();
                let sent = SentAnswer { message, is_acknowledged: false };
                self.answers.entry(invocation).or_insert(sent);
            }
            NoticeNews::Acknowledged(NoticeKey::Alert(key)) => {
                if let Some(sent) = self.alerts.get_mut(&key) {
                    sent.is_acknowledged = true;
                }
            }
            NoticeNews::Acknowledged(NoticeKey::Answer(invocation)) => {
                if let Some(sent) = self.answers.get_mut(&invocation) {
                    sent.is_acknowledged = true;
                }
            }
        }
    }

    /// Takes what the platform has of alerts.
    pub(crate) fn stored(&mut self, read: &AlertsRead) {
        self.is_unlisted |= read.is_newly_absent;
        // What the platform itself raises stands under ids that no device can have; nobody sent it.
        let is_platforms =
            |alert: &Alert| self.platforms.iter().any(|id| alert.device.starts_with(id));
        let sent: Vec<_> = read.alerts.iter().filter(|alert| !is_platforms(alert)).collect();
        for alert in sent {
            match alert.key().and_then(|key| self.alerts.get_mut(&key)) {
                Some(sent) if sent.alert.differences(alert).is_empty() => sent.fate = Fate::Stored,
                _ => self.odd.push(alert.clone()),
            }
        }
    }

    /// Whether any block of samples was sent.
    pub(crate) fn has_blocks(&self) -> bool {
        self.alerts.values().any(|sent| sent.alert.kind == blocks::BLOCK)
    }

    /// How many are sent and not acknowledged.
    pub(crate) fn under_way(&self) -> usize {
        let alerts = self.alerts.values().filter(|sent| !sent.is_acknowledged);
        alerts.count() + self.answers.values().filter(|sent| !sent.is_acknowledged).count()
    }

    /// What is sent by now is owed by what is read back next, for the last time.
    pub(crate) fn close(&mut self) {
        self.alerts.values_mut().for_each(|sent| sent.is_owed = true);
    }

    /// Takes the invocation of a command that the bench gave a device; none where that is not
    /// known.
    pub(crate) fn asked(&mut self, device: &str, invocation: Option<&str>) {
        match invocation {
            Some(invocation) => self.asked.insert(invocation.to_owned()),
            None => self.unnamed.insert(device.to_owned()),
        };
    }

    /// The events of answers to commands that the bench did not give: somebody else did, or one was
    /// given twice.
    fn not_asked(&self, at: SimTime) -> impl Iterator<Item = Event> + '_ {
        let foreign = self.answers.iter().filter(|(invocation, sent)| {
            let device = sent.message.hardware_id.as_str();
            !self.asked.contains(*invocation) && !self.unnamed.contains(device)
        });
        foreign.map(move |(_, sent)| {
            let device = sent.message.hardware_id.as_str();
            Event::new(at, "bench", EventKind::AnswerForeign)
                .with(field::DEVICE, device)
                .with(field::RESPONSE, sent.message.response.as_str())
        })
    }

    /// Holds the answer to a command, as the platform gives it back, against what its device sent;
    /// the event of what is wrong with it.
    pub(crate) fn answered<T>(
        &mut self,
        at: SimTime,
        (id, command): (u64, &OpenCommand<T>),
        found: &Invocation,
    ) -> Option<Event> {
        let device = command.device_name.as_str();
        if self.is_unseen(device) {
            return None;
        }
        let event = |kind| answer_event(at, kind, id, device);
        let is_again = !self.given.insert(found.asked_for.clone());
        let sent = self.answers.get(&found.asked_for);
        let Some(sent) = sent.filter(|sent| sent.message.hardware_id.as_str() == device) else {
            return Some(event(EventKind::AnswerForeign));
        };
        self.answers_sent += 1;
        let fields = answer_differences(&sent.message, command, found, is_again);
        if fields.is_empty() {
            self.answers_stored += 1;
            return None;
        }
        Some(event(EventKind::AnswerAltered).with(field::FIELDS, fields))
    }

    /// The event of a command that the platform gives no answer to at the end, where its device had
    /// answered.
    pub(crate) fn unanswered(
        &mut self,
        at: SimTime,
        (id, command): (u64, &OpenCommand<String>),
    ) -> Option<Event> {
        self.answers.get(&command.way).filter(|sent| sent.is_acknowledged)?;
        self.answers_sent += 1;
        Some(answer_event(at, EventKind::AnswerLost, id, &command.device_name))
    }

    /// What the account comes to once nothing more can come.
    pub(crate) fn finish(&mut self, at: SimTime) -> Vec<Event> {
        let mut odd = std::mem::take(&mut self.odd);
        odd.sort();
        odd.dedup_by(|one, other| one == other && one.key().is_some());
        let (mut events, mut differing) = (Vec::new(), Vec::new());
        let foreign = |alert: &Alert| alert.accounted(at, EventKind::AlertForeign);
        // What is stored as it was sent comes first: beside it anything else is one too many.
        for alert in odd {
            let is_unseen = self.is_unseen(&alert.device);
            match alert.key().and_then(|key| self.alerts.get_mut(&key)) {
                Some(sent) if sent.alert.differences(&alert).is_empty() => sent.fate = Fate::Stored,
                Some(_) => differing.push(alert),
                None if is_unseen => {}
                None => events.push(foreign(&alert)),
            }
        }
        for alert in differing {
            let sent = alert.key().and_then(|key| self.alerts.get_mut(&key));
            match sent {
                Some(sent) if sent.fate == Fate::Open => {
                    let fields = sent.alert.differences(&alert);
                    let event = sent.alert.accounted(at, EventKind::AlertAltered);
                    let found_type = alert.kind.as_str();
                    let event =
                        event.with(field::FIELDS, fields).with(field::FOUND_TYPE, found_type);
                    events.push(event);
                    sent.fate = Fate::Altered(alert);
                }
                _ => events.push(foreign(&alert)),
            }
        }
        let is_listed = !self.is_unlisted;
        let lost =
            self.alerts.values().filter(|it| it.is_owed && it.fate == Fate::Open && is_listed);
        events.extend(lost.map(|sent| sent.alert.accounted(at, EventKind::AlertLost)));
        events.extend(self.not_asked(at));
        events.extend(self.counts(at));
        events
    }

    /// How much was sent and stored, if anything was.
    fn counts(&self, at: SimTime) -> Option<Event> {
        let count = |is_meant: fn(&SentAlert) -> bool| {
            self.alerts.values().filter(|sent| is_meant(sent)).count() as u64
        };
        let alerts = count(|sent| sent.is_owed || sent.fate != Fate::Open);
        (alerts + self.answers_sent > 0).then(|| {
            Event::new(at, "bench", EventKind::Notices)
                .with(field::ALERTS_SENT, alerts)
                .with(field::ALERTS_STORED, count(|sent| sent.fate == Fate::Stored))
                .with(field::ANSWERS_SENT, self.answers_sent)
                .with(field::ANSWERS_STORED, self.answers_stored)
        })
    }
}

fn answer_event(at: SimTime, kind: EventKind, id: u64, device: &str) -> Event {
    Event::new(at, "bench", kind).with(field::ID, id).with(field::DEVICE, device)
}

/// What of an answer is otherwise than its device sent it, or than the command that was given.
/// `is_again`: the same invocation was given for another command already.
fn answer_differences<T>(
    sent: &AcknowledgeMessage,
    command: &OpenCommand<T>,
    found: &Invocation,
    is_again: bool,
) -> Vec<&'static str> {
    let differs = |found: Option<&str>, given: &str| found.is_some_and(|found| found != given);
    let parameters = found.parameter_values.as_ref();
    let ended = found.ended_date.zip(sent.event_date);
    let fields = [
        (field::ID, is_again || found.id != found.asked_for),
        (field::DEVICE, differs(found.device_hardware_id.as_deref(), &command.device_name)),
        (field::NAME, differs(found.command_token.as_deref(), &command.command)),
        (field::PARAMETERS, parameters.is_some_and(|found| *found != command.parameters)),
        (field::RESPONSE, found.response.as_deref().unwrap_or_default() != sent.response),
        (field::EVENT_TIME, ended.is_some_and(|(found, sent)| found != sent)),
    ];
    fields.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

#[cfg(test)]
#[path = "notices_tests.rs"]
mod tests;
