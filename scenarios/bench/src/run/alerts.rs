//! Alerts as a platform lists them, and as they are noted in the record.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_record::{Event, EventKind, field};
use lastmeter_text::Prose;
use lastmeter_units::SimTime;
use lastmeter_wire::flexmeter::AlertMessage;
use serde::Deserialize;

use super::blocks::BLOCK;

/// The number of an alert: its sender, its epoch, its serial.
pub(crate) type AlertKey = (String, u64, u64);

/// An alert that the platform has stored. The order is that of content: when it happened, whose it
/// is, its text, its number and its facts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Alert {
    /// When it happened, as its sender dates it; without a date, when it arrived.
    pub(crate) event_time: Option<SimTime>,
    pub(crate) device: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) level: String,
    pub(crate) message: Prose,
    #[serde(default)]
    epoch: Option<u64>,
    #[serde(default)]
    serial: Option<u64>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

/// How far a platform's list of alerts has been read.
#[derive(Debug)]
pub(crate) enum AlertsPage {
    /// Up to this sequence.
    Listed { after: u64 },
    /// It has no such list; `is_noted` once that is known to whoever reads.
    Absent { is_noted: bool },
}

/// What one look at the list brought.
#[derive(Debug)]
pub(crate) struct AlertsRead {
    /// In the order of their content.
    pub(crate) alerts: Vec<Alert>,
    /// The platform has no list of alerts, and this is the first look that shows it.
    pub(crate) is_newly_absent: bool,
}

impl Alert {
    /// An alert as it left its sender.
    pub(crate) fn sent(message: AlertMessage) -> Self {
        Self {
            event_time: message.event_date,
            device: message.hardware_id.as_str().to_owned(),
            kind: message.alert_type,
            level: message.level.word().to_owned(),
            message: message.message.into(),
            epoch: message.epoch.map(|epoch| epoch.0),
            serial: message.serial.map(|serial| serial.0),
            metadata: message.metadata,
        }
    }

    /// A result of an application as it is accounted for: whose, of which kind, and what it states.
    pub(crate) fn of_result(
        (device, kind, text): (String, String, String),
        from: SimTime,
        (epoch, serial): (Option<u64>, Option<u64>),
    ) -> Self {
        let (event_time, metadata) = (Some(from), BTreeMap::new());
        let (level, message) = ("Info".to_owned(), text.into());
        Self { event_time, device, kind, level, message, epoch, serial, metadata }
    }

    /// What stands in the account for a block of samples: its number, when it begins, what it
    /// holds.
    pub(crate) fn of_block(
        (device, epoch, serial): AlertKey,
        first: SimTime,
        metadata: BTreeMap<String, String>,
    ) -> Self {
        Self {
            event_time: Some(first),
            device,
            kind: BLOCK.to_owned(),
            level: "Info".to_owned(),
            message: String::new().into(),
            epoch: Some(epoch),
            serial: Some(serial),
            metadata,
        }
    }

    /// Its number, if it has one. Blocks are counted apart: no name has a slash in it.
    pub(crate) fn key(&self) -> Option<AlertKey> {
        let mut device = self.device.clone();
        if self.kind == BLOCK {
            device.push_str("/block");
        }
        Some((device, self.epoch?, self.serial?))
    }

    /// What of an alert that was sent is otherwise where it is stored: fields by their names, facts
    /// as `metadata.NAME`. One that was sent without a date has the platform's.
    pub(crate) fn differences(&self, stored: &Self) -> Vec<String> {
        let fields = [
            (field::TYPE, self.kind != stored.kind),
            (field::LEVEL, self.level != stored.level),
            ("message", self.message != stored.message),
            (field::EVENT_TIME, self.event_time.is_some() && self.event_time != stored.event_time),
        ];
        let fields = fields.into_iter().filter(|(_, differs)| *differs);
        let names: BTreeSet<&String> = self.metadata.keys().chain(stored.metadata.keys()).collect();
        let differs = |name: &&String| self.metadata.get(*name) != stored.metadata.get(*name);
        let facts = names.into_iter().filter(differs);
        let facts = facts.map(|name| format!("{}.{name}", field::METADATA));
        fields.map(|(name, _)| name.to_owned()).chain(facts).collect()
    }

    /// What is noted of its account.
    pub(crate) fn accounted(&self, now: SimTime, kind: EventKind) -> Event {
        let mut event = Event::new(now, "bench", kind)
            .with(field::DEVICE, self.device.as_str())
            .with(field::TYPE, self.kind.as_str())
            .with(field::LEVEL, self.level.as_str());
        if let Some(at) = self.event_time {
            event = event.with(field::EVENT_TIME, at.to_string());
        }
        self.numbered(event)
    }

    fn numbered(&self, mut event: Event) -> Event {
        for (name, number) in [(field::EPOCH, self.epoch), (field::SERIAL, self.serial)] {
            if let Some(number) = number {
                event = event.with(name, number);
            }
        }
        event
    }

    /// What is noted of it. Its event stands at its own time `at` where the record is still open
    /// for that, which is from `open_from` to `now`; otherwise at the nearest such instant, with
    /// its own time in a field.
    pub(crate) fn event(&self, at: SimTime, open_from: SimTime, now: SimTime) -> Event {
        let stands_at = at.max(open_from).min(now);
        let mut event = Event::new(stands_at, "platform", EventKind::Alert)
            .with(field::DEVICE, self.device.as_str())
            .with(field::TYPE, self.kind.as_str())
            .with(field::LEVEL, self.level.as_str())
            .with_prose(field::MESSAGE, self.message.clone());
        if stands_at != at {
            event = event.with(field::EVENT_TIME, at.to_string());
        }
        event = self.numbered(event);
        if self.metadata.is_empty() {
            return event;
        }
        let facts = self.metadata.iter().map(|(name, fact)| (name.clone(), fact.as_str().into()));
        event.with(field::METADATA, facts.collect::<serde_json::Map<_, _>>())
    }
}

/// What is noted, once, of a platform that does not list alerts.
pub(crate) fn unreadable(now: SimTime) -> Event {
    let detail = "the platform has no /api/v1/alerts (404 or 501), so alerts cannot be read back";
    Event::new(now, "platform", EventKind::AlertsUnreadable).with_prose(field::DETAIL, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert() -> Alert {
        let json = r#"{"sequence":3,"device":"cellar","type":"device.unreachable","level":"Warning",
            "message":"heat-1","event_time":"1970-01-01T00:00:05Z","received_time":"x"}"#;
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn numbers_and_facts_stand_behind_what_alerts_have_always_had() {
        let json = r#"{"sequence":3,"device":"m","type":"voltage.dip","level":"Warning",
            "message":"m: dip","event_time":"1970-01-01T00:00:05Z","epoch":1,"serial":7,
            "metadata":{"residual_v":"81.2","phase":"l1"},"received_time":"x"}"#;
        let alert: Alert = serde_json::from_str(json).unwrap();
        let event = alert.event(seconds(5), seconds(7), seconds(10));
        let line = serde_json::to_string(&event).unwrap();
        let fields = concat!(
            r#""message":"m: dip","event_time":"1970-01-01T00:00:05.000Z","epoch":1,"serial":7,"#,
            r#""metadata":{"phase":"l1","residual_v":"81.2"}}"#
        );
        assert!(line.ends_with(fields), "{line}");
        let read: Event = serde_json::from_str(&line).unwrap();
        assert_eq!(read, event);
        assert_eq!((read.fact("phase"), read.fact("message")), (Some("l1"), None));
    }

    fn seconds(seconds: i64) -> SimTime {
        SimTime(seconds * 1_000_000_000)
    }

    #[test]
    fn an_alert_stands_at_its_own_time_where_the_record_is_open_for_it() {
        let alert = alert();
        assert_eq!(alert.event_time, Some(seconds(5)));
        let line = serde_json::to_string(&alert.event(seconds(5), seconds(5), seconds(5))).unwrap();
        let fields = concat!(
            r#""source":"platform","kind":"alert","device":"cellar","type":"device.unreachable","#,
            r#""level":"Warning","message":"heat-1""#
        );
        assert_eq!(line, format!(r#"{{"time":"1970-01-01T00:00:05.000Z",{fields}}}"#));
        // It came after the record was written up to 7 s, or is dated in the future.
        for (at, stands_at) in [(seconds(5), seconds(7)), (seconds(11), seconds(10))] {
            let event = alert.event(at, seconds(7), seconds(10));
            assert_eq!(event.time, stands_at);
            assert_eq!(event.text(field::EVENT_TIME), Some(at.to_string().as_str()));
        }
    }

    #[test]
    fn the_order_of_alerts_is_that_of_their_content() {
        let mut alerts: Vec<Alert> =
            ["c", "a", "b"].map(|message| Alert { message: message.into(), ..alert() }).into();
        alerts.push(Alert { event_time: Some(seconds(4)), ..alert() });
        alerts.sort();
        let messages: Vec<&Prose> = alerts.iter().map(|alert| &alert.message).collect();
        let expected = ["heat-1", "a", "b", "c"].map(Prose::from);
        assert_eq!(messages, expected.iter().collect::<Vec<_>>());
    }
}
