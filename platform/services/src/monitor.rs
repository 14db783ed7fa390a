//! Monitoring: more refused messages in an hour than the tenant's settings allow are an alarm,
//! until there is an hour with fewer.

use lastmeter_model::calendar::Stretch;
use lastmeter_model::document::Document;
use lastmeter_model::entity::{AlarmKey, Body as _, TenantSettings};
use lastmeter_units::{SimDuration, SimTime};
use lastmeter_wire::flexmeter::AlertLevel;
use serde::{Deserialize, Serialize};

use crate::border::{Also, Asker, Input, Output, Query, Service, ServiceKind, Subject};

/// The row of [`crate::SERVICES`].
pub(crate) const KIND: ServiceKind = ServiceKind {
    name: "monitor",
    doc: "raises an alarm where more messages are refused in an hour than the settings' \
        `refusalsPerHour`",
    kinds: &[TenantSettings::CODE],
    build: |snapshot| Box::new(Monitor::of(snapshot)),
};

const REFUSALS: &str = "monitor.refusals";
const HOUR: SimDuration = SimDuration::from_seconds(3600);

#[derive(Debug, Default)]
struct Monitor {
    limit: Option<u64>,
    /// The hour that is looked at.
    asked: Option<Stretch>,
    kept: Kept,
}

/// What no document has.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// Until when hours have been looked at.
    after: Option<SimTime>,
    is_raised: bool,
}

impl Monitor {
    fn of(snapshot: Option<&[u8]>) -> Self {
        let kept = snapshot.and_then(|bytes| serde_json::from_slice(bytes).ok());
        Self { kept: kept.unwrap_or_default(), ..Self::default() }
    }

    fn document(&mut self, document: &Document, now: SimTime, out: &mut Vec<Output>) {
        let body = serde_json::from_str::<TenantSettings>(&document.body).ok();
        let body = body.filter(|_| !document.is_deleted);
        self.limit = body.and_then(|body| body.refusals_per_hour).map(|limit| limit.get().into());
        if self.limit.is_some() {
            self.kept.after.get_or_insert(begun(now));
        } else {
            self.kept.after = None;
            self.alarm(false, now, out);
        }
    }

    /// Raises the alarm, or ends it.
    fn alarm(&mut self, is_raised: bool, at: SimTime, out: &mut Vec<Output>) {
        if !is_raised && !self.kept.is_raised {
            return;
        }
        self.kept.is_raised = is_raised;
        let key =
            AlarmKey { source: KIND.name.to_owned(), kind: REFUSALS.to_owned(), device: None };
        let level = is_raised.then_some(AlertLevel::Warning);
        let text = "more messages are refused than the settings allow".to_owned();
        out.push(Output::Alarm { key, level, text, at, owner: None });
    }
}

/// When the hour began that an instant lies in.
fn begun(at: SimTime) -> SimTime {
    SimTime(at.0 - at.0.rem_euclid(HOUR.0))
}

impl Service for Monitor {
    fn step(&mut self, now: SimTime, input: Input<'_>, out: &mut Vec<Output>) {
        match input {
            Input::Document(document) => self.document(document, now, out),
            Input::Wake => {
                let Some(after) = self.kept.after else { return };
                // Of a time in which nothing ran only the last hour counts.
                let from = after.max(SimTime(begun(now).0 - HOUR.0));
                let within = Stretch { from, until: from + HOUR };
                self.asked = Some(within);
                let query = Query {
                    of: Subject::Devices(Vec::new()),
                    by: Asker::Platform,
                    quantities: Vec::new(),
                    within,
                    also: Also { refused: true, ..Also::default() },
                };
                out.push(Output::Ask { ask: 0, query });
            }
            Input::Answer { rows, .. } => {
                let Some(asked) = self.asked.take() else { return };
                self.kept.after = self.kept.after.map(|_| asked.until);
                if let (Ok(rows), Some(limit)) = (rows, self.limit) {
                    self.alarm(rows.refused > limit, now, out);
                }
            }
            Input::Started | Input::Reading { .. } | Input::Alert { .. } => {}
        }
    }

    fn is_idle(&self) -> bool {
        self.limit.is_none()
    }

    fn takes_rows(&self) -> bool {
        false
    }

    fn wake_at(&self) -> Option<SimTime> {
        let after = self.kept.after.filter(|_| self.asked.is_none())?;
        Some(after + HOUR)
    }

    fn snapshot(&self) -> Vec<u8> {
        serde_json::to_vec(&self.kept).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use lastmeter_model::document::kind_of_name;
    use serde_json::json;

    use super::*;
    use crate::border::{Rows, Unanswered};

    fn settings(limit: Option<u32>) -> Document {
        let kind = kind_of_name("tenant_settings").unwrap();
        let body = json!({
            "timeZone": "UTC", "currency": "EUR", "registration": "open",
            "refusalsPerHour": limit,
        });
        assert!((kind.check)(&body).is_ok(), "{body}");
        Document {
            kind,
            token: "settings".to_owned(),
            version: 1,
            created: SimTime(0),
            changed: SimTime(0),
            by: "user:adam".to_owned(),
            is_deleted: false,
            body: body.to_string(),
        }
    }

    fn at(hours: i64) -> SimTime {
        SimTime(HOUR.0 * hours)
    }

    /// What becomes of the alarm in the next hour, of which so much was refused.
    fn next(monitor: &mut Monitor, refused: Result<u64, Unanswered>) -> Option<bool> {
        let (due, mut out) = (monitor.wake_at().unwrap(), Vec::new());
        monitor.step(due, Input::Wake, &mut out);
        let Some(Output::Ask { ask, query }) = out.pop() else { panic!("{out:?}") };
        assert_eq!((query.within.until, monitor.wake_at()), (due, None));
        let rows = refused.map(|refused| Rows { refused, ..Rows::default() });
        let rows = rows.as_ref().map_err(|why| *why);
        monitor.step(due, Input::Answer { ask, rows }, &mut out);
        match &out[..] {
            [] => None,
            [Output::Alarm { level, .. }] => Some(level.is_some()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_hour_of_more_refusals_than_may_be_is_an_alarm_until_one_of_fewer() {
        let (mut monitor, mut out) = (Monitor::default(), Vec::new());
        monitor.step(at(5) + SimDuration(1), Input::Document(&settings(None)), &mut out);
        assert_eq!((monitor.is_idle(), monitor.wake_at()), (true, None));
        monitor.step(at(5) + SimDuration(1), Input::Document(&settings(Some(10))), &mut out);
        assert_eq!((monitor.wake_at(), out.len()), (Some(at(6)), 0));
        assert_eq!(next(&mut monitor, Ok(10)), None);
        assert_eq!(next(&mut monitor, Ok(11)), Some(true));
        // After a stop it goes on, and nothing ends unseen.
        monitor = Monitor { limit: Some(10), ..Monitor::of(Some(&monitor.snapshot())) };
        assert_eq!(next(&mut monitor, Err(Unanswered::TooSlow)), None);
        assert_eq!(next(&mut monitor, Ok(0)), Some(false));
        assert_eq!(next(&mut monitor, Ok(0)), None);
        assert_eq!(next(&mut monitor, Ok(12)), Some(true));
        monitor.step(at(12), Input::Document(&settings(None)), &mut out);
        assert!(matches!(&out[..], [Output::Alarm { level: None, .. }]), "{out:?}");
        assert_eq!((monitor.is_idle(), monitor.wake_at()), (true, None));
    }
}
