//! Alarms: what holds, as long as it holds, and who knows of it. An alert is what somebody sent
//! once; an alarm begins, goes on and ends, and is one however often it is raised.

use lastmeter_units::{HardwareId, SimTime};
use lastmeter_wire::flexmeter::AlertLevel;
use serde::{Deserialize, Serialize};

use super::DocumentKind;
use super::body::{About, Body, Key, Metadata, Name, Text, bodies, keys};
use super::specification::level;
use crate::access::{Kind, PrincipalRef, Target};

pub(super) const KINDS: &[DocumentKind] = &[DocumentKind::of::<Alarm>("alarm", Kind::Alarm)];

bodies! {
    /// A condition that holds or has held.
    document Alarm {
        /// What raises it, as `presence` or `rule:TOKEN`.
        source: Text,
        /// What holds, in one word.
        #[serde(rename = "type")]
        alarm_type: Name,
        /// Of which device.
        hardware_id: Option<HardwareId>,
        /// Whose it is; nobody's: the tenant's.
        owner: Option<PrincipalRef>,
        /// How bad it is.
        #[serde(with = "level")]
        level: AlertLevel,
        /// Why, for people.
        text: Text,
        /// Whether it holds.
        active: bool,
        /// How often it has begun.
        count: u64,
        /// When it began first.
        first: SimTime,
        /// When it began last.
        last: SimTime,
        /// When it ended last.
        ended: Option<SimTime>,
        /// Who knows of it, and since when; nobody if it has begun or become worse since.
        acknowledged_by: Option<PrincipalRef>,
        /// See `acknowledged_by`.
        acknowledged_at: Option<SimTime>,
        /// Until when it is not to be shown among those that need somebody.
        shelved_until: Option<SimTime>,
    }
}

/// What raises an alarm: there is one of each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AlarmKey {
    /// What raises it, as `presence` or `rule:TOKEN`.
    pub source: String,
    /// What holds.
    pub kind: String,
    /// Of which device.
    pub device: Option<HardwareId>,
}

impl AlarmKey {
    /// The token of the alarm's document in a tenant.
    pub fn token(&self, tenant: &str) -> String {
        let device = self.device.as_ref().map_or("", HardwareId::as_str);
        crate::token::alarm_token(tenant, [&self.source, &self.kind, device])
    }
}

impl Alarm {
    /// An alarm that begins, or goes on: once more, worse or with another text. `None` if nothing
    /// is different, or what raises it has no valid form.
    pub fn raised(
        before: Option<&Self>,
        key: &AlarmKey,
        (level, text): (AlertLevel, &str),
        owner: Option<PrincipalRef>,
        at: SimTime,
    ) -> Option<Self> {
        let new = || {
            Some(Self {
                source: key.source.clone().try_into().ok()?,
                alarm_type: key.kind.clone().try_into().ok()?,
                hardware_id: key.device.clone(),
                owner,
                level,
                text: text.to_owned().try_into().ok()?,
                active: true,
                count: 1,
                first: at,
                last: at,
                ended: None,
                acknowledged_by: None,
                acknowledged_at: None,
                shelved_until: None,
                metadata: Metadata::default(),
            })
        };
        let Some(before) = before else { return new() };
        let mut now = before.clone();
        now.text = text.to_owned().try_into().ok()?;
        if !before.active {
            (now.active, now.last, now.count) = (true, at, before.count.saturating_add(1));
        }
        if !before.active || before.level < level {
            (now.acknowledged_by, now.acknowledged_at) = (None, None);
        }
        now.level = level;
        (now != *before).then_some(now)
    }

    /// The alarm when what it is of holds no longer; `None` if it does not hold anyway.
    pub fn cleared(&self, at: SimTime) -> Option<Self> {
        self.active.then(|| Self { active: false, ended: Some(at), ..self.clone() })
    }

    /// The alarm when somebody knows of it; `None` if somebody does already.
    pub fn acknowledged(&self, by: PrincipalRef, at: SimTime) -> Option<Self> {
        let now = || Self { acknowledged_by: Some(by), acknowledged_at: Some(at), ..self.clone() };
        self.acknowledged_at.is_none().then(now)
    }

    /// The alarm when it is not to be shown until an instant; `None` shows it again.
    #[must_use]
    pub fn shelved(&self, until: Option<SimTime>) -> Self {
        Self { shelved_until: until, ..self.clone() }
    }

    /// Whether somebody is needed: it holds or nobody knows of it yet, and it is not shelved.
    pub fn is_open(&self, now: SimTime) -> bool {
        (self.active || self.acknowledged_at.is_none())
            && self.shelved_until.is_none_or(|until| until <= now)
    }
}

impl Body for Alarm {
    const CODE: u8 = 23;

    fn keys(&self) -> Vec<Key> {
        let mut keys_of = keys("device", &self.hardware_id);
        keys_of.extend(keys("state", [if self.active { "active" } else { "ended" }]));
        keys_of
    }

    fn about(&self, _token: &str) -> About {
        let subject = self.hardware_id.clone().map(Target::Device);
        About { owner: self.owner.clone(), ..About::of(subject) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> AlarmKey {
        AlarmKey { source: "presence".into(), kind: "missing".into(), device: None }
    }

    fn raised(before: Option<&Alarm>, level: AlertLevel, at: i64) -> Option<Alarm> {
        Alarm::raised(before, &key(), (level, "silent"), None, SimTime(at))
    }

    #[test]
    fn an_alarm_begins_once_ends_once_and_begins_anew() {
        let first = raised(None, AlertLevel::Warning, 1).unwrap();
        assert!(first.is_open(SimTime(1)));
        assert_eq!(raised(Some(&first), AlertLevel::Warning, 2), None, "it goes on");
        let ended = first.cleared(SimTime(5)).unwrap();
        assert_eq!((ended.cleared(SimTime(6)), ended.ended), (None, Some(SimTime(5))));
        assert!(ended.is_open(SimTime(6)), "nobody knows of it yet");
        let again = raised(Some(&ended), AlertLevel::Warning, 9).unwrap();
        assert_eq!((again.count, again.first, again.last), (2, SimTime(1), SimTime(9)));
        assert!(again.active);
    }

    #[test]
    fn who_knows_of_it_does_not_know_that_it_became_worse_or_began_anew() {
        let by = PrincipalRef::Bench;
        let alarm = raised(None, AlertLevel::Warning, 1).unwrap();
        let known = alarm.acknowledged(by.clone(), SimTime(2)).unwrap();
        assert_eq!(known.acknowledged(PrincipalRef::Anonymous, SimTime(3)), None);
        let milder = raised(Some(&known), AlertLevel::Info, 4).unwrap();
        assert_eq!(milder.acknowledged_by, Some(by));
        let worse = raised(Some(&known), AlertLevel::Critical, 4).unwrap();
        assert_eq!((worse.acknowledged_by, worse.count), (None, 1));
        let ended = known.cleared(SimTime(5)).unwrap();
        assert!(!ended.is_open(SimTime(5)));
        assert_eq!(raised(Some(&ended), AlertLevel::Warning, 6).unwrap().acknowledged_at, None);
    }

    #[test]
    fn a_shelved_alarm_is_shown_again_at_its_end() {
        let alarm = raised(None, AlertLevel::Error, 1).unwrap().shelved(Some(SimTime(10)));
        assert!(!alarm.is_open(SimTime(9)) && alarm.is_open(SimTime(10)));
        assert!(alarm.shelved(None).is_open(SimTime(2)));
    }
}
