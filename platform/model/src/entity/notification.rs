//! Notifications: what somebody's rule sends to people and programs outside, and what became of it.

use lastmeter_units::{SimDuration, SimTime};
use lastmeter_wire::flexmeter::AlertLevel;
use serde::{Deserialize, Serialize};

use super::DocumentKind;
use super::body::{About, Body, Fault, Key, Metadata, Name, Text, bodies, ensure, keys};
use super::identity::User;
use super::rule::TimeWindow;
use super::specification::level;
use crate::access::{Kind, PrincipalRef};
use crate::calendar::Zone;
use crate::schedule::Weekday;
use crate::token::notification_token;

pub(super) const KINDS: &[DocumentKind] =
    &[DocumentKind::of::<Notification>("notification", Kind::Notification)];

/// How long after each attempt that failed the next one is: there are five in all.
const WAITS_S: [i64; 4] = [60, 300, 1_800, 7_200];

lastmeter_units::words! {
    /// How somebody is told.
    pub enum Channel in files {
        /// By electronic mail, to the address of the owner's account.
        Email = "email",
        /// By a request to an address.
        Webhook = "webhook",
    }
}

lastmeter_units::words! {
    /// What became of a notification.
    pub enum NotificationState in files {
        /// It is sent, or sent again, when its time comes.
        Waiting = "waiting",
        /// The other side has taken it.
        Sent = "sent",
        /// It is not tried any more.
        Failed = "failed",
    }
}

bodies! {
    /// Something that somebody is told. It is sent at least once, each time under its token.
    document Notification {
        /// Whose rule it is from; nobody's: the tenant's.
        owner: Option<PrincipalRef>,
        /// How it is sent.
        channel: Channel,
        /// To which address; without, to that of the owner's account.
        to: Option<Text>,
        /// What it is about, in some words.
        subject: Name,
        /// The rest.
        text: Text,
        /// How bad it is: what is critical is sent in quiet hours, too.
        #[serde(with = "level")]
        level: AlertLevel,
        /// What caused it, as `rule:TOKEN`.
        cause: Name,
        /// When it was caused.
        at: SimTime,
        /// What became of it.
        state: NotificationState,
        /// How often it was tried.
        #[serde(default)]
        tries: u32,
        /// When it is tried next, as long as it waits.
        next: Option<SimTime>,
        /// When it was sent or given up.
        settled: Option<SimTime>,
        /// Why the last attempt failed.
        failure: Option<Text>,
    }
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The other side has taken it.
    Taken,
    /// It may be otherwise later.
    Failed(String),
    /// It will not be otherwise.
    Refused(String),
}

impl Notification {
    /// The token of the `index`-th notification of what happens at an instant.
    pub fn token(cause: &str, at: SimTime, index: usize) -> String {
        notification_token(cause, at.0, index)
    }

    /// It as it is after an attempt at an instant.
    #[must_use]
    pub fn after(mut self, attempt: Attempt, now: SimTime) -> Self {
        let wait = WAITS_S.get(self.tries as usize);
        self.tries += 1;
        let (state, why) = match attempt {
            Attempt::Taken => (NotificationState::Sent, None),
            Attempt::Failed(why) if wait.is_some() => (NotificationState::Waiting, Some(why)),
            Attempt::Failed(why) | Attempt::Refused(why) => (NotificationState::Failed, Some(why)),
        };
        let is_open = state == NotificationState::Waiting;
        let next = wait.map(|seconds| now + SimDuration::from_seconds(*seconds));
        self.state = state;
        self.next = next.filter(|_| is_open);
        self.settled = (!is_open).then_some(now);
        self.failure = why.and_then(|why| Text::try_from(why).ok());
        self
    }
}

/// Until when a user wants quiet at an instant, by the clock of a zone.
pub fn quiet_until(user: &User, zone: &Zone, at: SimTime) -> Option<SimTime> {
    let (from, until) = (user.quiet_from?, user.quiet_until?);
    let weekdays = Weekday::ALL.to_vec();
    TimeWindow { weekdays, from, until, zone: zone.clone() }.end(at)
}

impl Body for Notification {
    const CODE: u8 = 30;

    fn validate(&self) -> Result<(), Fault> {
        let is_open = self.state == NotificationState::Waiting;
        ensure(is_open == self.next.is_some(), "next", "an instant as long as it waits")?;
        ensure(is_open == self.settled.is_none(), "settled", "an instant once it is over")
    }

    fn keys(&self) -> Vec<Key> {
        let mut all = keys("owner", &self.owner);
        all.extend(keys("state", [self.state.word()]));
        all
    }

    fn about(&self, _token: &str) -> About {
        About { owner: self.owner.clone(), ..About::of(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> Notification {
        let at = SimTime(1_800_000_000_000_000_000);
        Notification {
            owner: None,
            channel: Channel::Email,
            to: None,
            subject: "s".to_owned().try_into().unwrap(),
            text: "t".to_owned().try_into().unwrap(),
            level: AlertLevel::Warning,
            cause: "rule:r".to_owned().try_into().unwrap(),
            at,
            state: NotificationState::Waiting,
            tries: 0,
            next: Some(at),
            settled: None,
            failure: None,
            metadata: Metadata::default(),
        }
    }

    #[test]
    fn it_is_tried_five_times_within_two_and_a_half_hours_and_given_up() {
        let (mut one, mut times) = (waiting(), Vec::new());
        while let Some(now) = one.next {
            times.push(now.since(one.at).0 / 1_000_000_000);
            one = one.after(Attempt::Failed("closed".to_owned()), now);
            assert_eq!(one.validate(), Ok(()));
        }
        assert_eq!(times, [0, 60, 360, 2_160, 9_360]);
        assert_eq!((one.state, one.tries), (NotificationState::Failed, 5));
        assert_eq!(one.failure.as_ref().map(Text::as_str), Some("closed"));
    }

    #[test]
    fn what_is_taken_or_refused_is_over_at_once() {
        let now = waiting().at;
        let sent = waiting().after(Attempt::Failed("closed".to_owned()), now);
        let sent = sent.after(Attempt::Taken, now);
        assert_eq!((sent.state, sent.tries, sent.next), (NotificationState::Sent, 2, None));
        assert_eq!((sent.settled, &sent.failure), (Some(now), &None));
        let refused = waiting().after(Attempt::Refused("no such host".to_owned()), now);
        assert_eq!((refused.state, refused.tries), (NotificationState::Failed, 1));
    }
}
