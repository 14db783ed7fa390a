//! Rules: a condition on what is measured, sent and on time, and what is done when it begins to
//! hold. What a rule does is done in its owner's name.

use lastmeter_units::{HardwareId, SimTime};
use lastmeter_wire::flexmeter::AlertLevel;
use serde::{Deserialize, Serialize};

use super::DocumentKind;
use super::body::{About, Body, Fault, Key, Metadata, Name, Text, Token, bodies, ensure, keys};
use super::money::Decimal;
use super::notification::Channel;
use super::specification::level;
use super::tariff::Direction;
use crate::access::{Kind, PrincipalRef, Target};
use crate::calendar::Zone;
use crate::schedule::{Schedule, TimeOfDay, Weekday};

pub(super) const KINDS: &[DocumentKind] = &[DocumentKind::of::<Rule>("rule", Kind::Rule)];

/// Conditions within conditions, and what is measured, in one rule.
const DEPTH_MAX: usize = 3;
const LEAVES_MAX: usize = 8;
const ACTIONS_MAX: usize = 4;
/// What the address of a webhook begins with.
const WEB: [&str; 2] = ["https://", "http://"];

lastmeter_units::words! {
    /// What somebody makes of a rule that is offered.
    pub enum OfferState in files {
        /// Nothing yet.
        Offered = "offered",
        /// It acts in its owner's name.
        Accepted = "accepted",
        /// It is not wanted.
        Refused = "refused",
        /// It was accepted, and is no longer wanted.
        Revoked = "revoked",
    }
}

bodies! {
    /// What is done when a condition begins to hold.
    document Rule {
        /// Name for people.
        name: Name,
        /// What it is for.
        description: Option<Text>,
        /// In whose name it acts, and whose it is; nobody's: the tenant's.
        owner: Option<PrincipalRef>,
        /// Who offers it to its owner, where it is not the owner's own.
        offer: Option<Offer>,
        /// Whether it does nothing for now.
        #[serde(default)]
        disabled: bool,
        /// The condition.
        when: Condition,
        /// What is done when it begins to hold.
        then: Vec<RuleAction>,
        /// For so many seconds after that it does nothing again.
        #[serde(default)]
        cool_down_seconds: u32,
    }

    /// Somebody else's rule for its owner.
    struct Offer {
        /// Whose it is.
        by: PrincipalRef,
        /// What its owner makes of it; it does nothing unless it is accepted.
        state: OfferState,
    }

    /// A value beyond a level.
    struct Threshold {
        /// Of which device.
        device: HardwareId,
        /// Which quantity, as messages name it.
        quantity: Name,
        /// It holds above this level, in the message's unit.
        above: Option<f64>,
        /// It holds below this one.
        below: Option<f64>,
        /// It ends only so far on the other side.
        #[serde(default)]
        hysteresis: f64,
        /// It holds once the value has been there for so many seconds.
        #[serde(default)]
        held_for_seconds: u32,
    }

    /// Nothing comes.
    struct Absence {
        /// Of which device.
        device: HardwareId,
        /// Which quantity; any at all if left out.
        quantity: Option<Name>,
        /// For so many seconds.
        for_seconds: u32,
    }

    /// A value that changes fast.
    struct Rate {
        /// Of which device.
        device: HardwareId,
        /// Which quantity.
        quantity: Name,
        /// It holds above this change in an hour, in the message's unit.
        above: Option<f64>,
        /// It holds below this one.
        below: Option<f64>,
        /// From the first value of so many seconds to the last one.
        window_seconds: u32,
    }

    /// What energy costs.
    struct TariffPrice {
        /// By which tariff.
        tariff: Token,
        /// Which way the energy flows.
        #[serde(default)]
        direction: Direction,
        /// It holds above this price for 1 kWh.
        above: Option<Decimal>,
        /// It holds below this one.
        below: Option<Decimal>,
        /// It holds while the price is called so.
        zone: Option<Name>,
    }

    /// A value of a feed beyond a level.
    struct FeedLevel {
        /// Of which feed.
        feed: Token,
        /// It holds above this level, in the feed's unit.
        above: Option<f64>,
        /// It holds below this one.
        below: Option<f64>,
        /// It ends only so far on the other side.
        #[serde(default)]
        hysteresis: f64,
        /// The value is the one that is valid so many seconds later.
        #[serde(default)]
        ahead_seconds: u32,
    }

    /// A part of some days, by the local clock.
    struct TimeWindow {
        /// On which days it begins.
        weekdays: Vec<Weekday>,
        /// When it begins.
        from: TimeOfDay,
        /// When it ends; on the next day where that is not later than `from`.
        until: TimeOfDay,
        /// Where.
        zone: Zone,
    }

    /// An alert comes. It holds for the instant at which it comes.
    struct AlertComes {
        /// Of which device; any if left out.
        device: Option<HardwareId>,
        /// Of which type; any if left out.
        #[serde(rename = "type")]
        alert_type: Option<Name>,
        /// Of which level at least.
        #[serde(default, with = "least")]
        level: Option<AlertLevel>,
    }

    /// An alert that a rule raises.
    struct RaiseAlert {
        /// Its type.
        #[serde(rename = "type")]
        alert_type: Name,
        /// How bad it is.
        #[serde(with = "level")]
        level: AlertLevel,
        /// For people.
        text: Text,
    }

    /// A command that a rule gives.
    struct GiveCommand {
        /// To which device.
        device: HardwareId,
        /// The command.
        command: Name,
        /// Its arguments, as texts.
        #[serde(default)]
        parameters: Metadata,
    }

    /// A message that a rule sends.
    struct SendMessage {
        /// How.
        channel: Channel,
        /// To which address, of a webhook; mail goes to the address of the owner's account.
        url: Option<Text>,
        /// What it is about, in some words.
        subject: Name,
        /// The rest.
        #[serde(default)]
        text: Option<Text>,
        /// How bad it is: what is critical is sent in quiet hours, too.
        #[serde(with = "level")]
        level: AlertLevel,
    }
}

/// What has to hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Condition {
    /// All of them.
    All(Vec<Self>),
    /// One of them at least.
    Any(Vec<Self>),
    /// It does not.
    Not(Box<Self>),
    /// A value is beyond a level.
    Threshold(Threshold),
    /// Nothing comes.
    Absence(Absence),
    /// A value changes fast.
    Rate(Rate),
    /// Energy has a price.
    Tariff(TariffPrice),
    /// A value of a feed is beyond a level.
    Weather(FeedLevel),
    /// It is time.
    Time(TimeWindow),
    /// An alert comes.
    Alert(AlertComes),
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RuleAction {
    /// An alert is raised, once.
    Alert(RaiseAlert),
    /// An alarm begins; it ends with the condition, or, where that is of an instant, by hand.
    Alarm(RaiseAlert),
    /// A command is given.
    Command(GiveCommand),
    /// A message is sent.
    Message(SendMessage),
}

impl Rule {
    /// Whether it does something: it is not disabled, and its owner's or accepted.
    pub fn is_on(&self) -> bool {
        let is_wanted = |offer: &Offer| offer.state == OfferState::Accepted;
        !self.disabled && self.offer.as_ref().is_none_or(is_wanted)
    }
}

impl Condition {
    /// What it asks of time and devices, from left to right.
    pub fn leaves(&self) -> Vec<&Self> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::leaves).collect(),
            Self::Not(part) => part.leaves(),
            leaf => vec![leaf],
        }
    }

    /// Whether it holds where its leaves, from left to right, do so or not; `None` as long as that
    /// is not known: where what is known of the leaves leaves it open.
    pub fn holds(&self, leaves: &mut impl Iterator<Item = Option<bool>>) -> Option<bool> {
        // Every leaf is taken, whatever the others are. One part decides, if it is so.
        let mut decided = |parts: &[Self], decides: bool| {
            let parts: Vec<_> = parts.iter().map(|part| part.holds(leaves)).collect();
            match (parts.contains(&Some(decides)), parts.contains(&None)) {
                (true, _) => Some(decides),
                (false, true) => None,
                (false, false) => Some(!decides),
            }
        };
        match self {
            Self::All(parts) => decided(parts, false),
            Self::Any(parts) => decided(parts, true),
            Self::Not(part) => part.holds(leaves).map(|holds| !holds),
            _ => leaves.next().flatten(),
        }
    }

    /// Whether it is of the instant at which something comes.
    pub fn is_of_an_instant(&self) -> bool {
        self.leaves().iter().any(|leaf| matches!(leaf, Self::Alert(_)))
    }

    /// The device of a leaf.
    pub fn device(&self) -> Option<&HardwareId> {
        match self {
            Self::Threshold(Threshold { device, .. })
            | Self::Absence(Absence { device, .. })
            | Self::Rate(Rate { device, .. }) => Some(device),
            Self::Alert(AlertComes { device, .. }) => device.as_ref(),
            _ => None,
        }
    }

    fn validate(&self, path: &str, depth: usize) -> Result<(), Fault> {
        let within = |name: &str| format!("{path}.{name}");
        // Both at once would hold within or without: that is `all` or `any` of two.
        let level = |above: Option<f64>, below: Option<f64>, name: &str| {
            let one = above.xor(below).is_some_and(f64::is_finite);
            ensure(one, within(&format!("{name}.above")), "one of `above` and `below`, a number")
        };
        match self {
            Self::All(parts) | Self::Any(parts) => {
                let name = if matches!(self, Self::All(_)) { "all" } else { "any" };
                ensure(!parts.is_empty(), within(name), "at least one condition")?;
                ensure(depth < DEPTH_MAX, within(name), "at most three conditions in each other")?;
                let mut parts = parts.iter().enumerate();
                parts.try_for_each(|(index, part)| {
                    part.validate(&within(&format!("{name}[{index}]")), depth + 1)
                })
            }
            Self::Not(part) => {
                ensure(depth < DEPTH_MAX, within("not"), "at most three conditions in each other")?;
                part.validate(&within("not"), depth + 1)
            }
            Self::Threshold(Threshold { above, below, hysteresis, .. }) => {
                level(*above, *below, "threshold")?;
                let is_distance = hysteresis.is_finite() && *hysteresis >= 0.0;
                ensure(is_distance, within("threshold.hysteresis"), "a number from 0")
            }
            Self::Rate(Rate { above, below, window_seconds, .. }) => {
                level(*above, *below, "rate")?;
                ensure(*window_seconds > 0, within("rate.windowSeconds"), "a number from 1")
            }
            Self::Absence(Absence { for_seconds, .. }) => {
                ensure(*for_seconds > 0, within("absence.forSeconds"), "a number from 1")
            }
            Self::Weather(FeedLevel { above, below, hysteresis, .. }) => {
                level(*above, *below, "weather")?;
                let is_distance = hysteresis.is_finite() && *hysteresis >= 0.0;
                ensure(is_distance, within("weather.hysteresis"), "a number from 0")
            }
            Self::Tariff(TariffPrice { above, below, zone, .. }) => {
                let given = [above.is_some(), below.is_some(), zone.is_some()];
                let is_one = given.iter().filter(|is_given| **is_given).count() == 1;
                ensure(is_one, within("tariff.above"), "one of `above`, `below` and `zone`")
            }
            Self::Time(TimeWindow { weekdays, .. }) => {
                ensure(!weekdays.is_empty(), within("time.weekdays"), "at least one day")
            }
            Self::Alert(_) => Ok(()),
        }
    }
}

impl SendMessage {
    fn validate(&self, index: usize, owner: Option<&PrincipalRef>) -> Result<(), Fault> {
        let field = |name: &str| format!("then[{index}].message.{name}");
        match (self.channel, &self.url) {
            (Channel::Webhook, Some(url)) => {
                let is_web = WEB.iter().any(|scheme| url.as_str().starts_with(scheme));
                ensure(is_web, field("url"), "an address that begins with `https://`")
            }
            (Channel::Webhook, None) => ensure(false, field("url"), "the address of the webhook"),
            (Channel::Email, url) => {
                let expected = "none: mail goes to the address of the owner's account";
                ensure(url.is_none(), field("url"), expected)?;
                let is_somebodys = matches!(owner, Some(PrincipalRef::User(_)));
                let expected = "a webhook: nobody owns the rule whom mail could go to";
                ensure(is_somebodys, field("channel"), expected)
            }
        }
    }
}

impl TimeWindow {
    /// Whether it is on at an instant, and the next one at which that changes. One that a change
    /// of offset leaves out from its beginning to its end is not on that day.
    pub fn at(&self, now: SimTime) -> (bool, Option<SimTime>) {
        // Where it ends it may begin again.
        let until = self.end(now);
        (until.is_some(), until.or_else(|| self.begin().next_after(now)))
    }

    fn begin(&self) -> Schedule {
        let (weekdays, zone) = (self.weekdays.clone(), self.zone.clone());
        Schedule::Calendar { weekdays, time: self.from, zone }
    }

    /// When it ends, if it is on at an instant.
    pub(super) fn end(&self, now: SimTime) -> Option<SimTime> {
        self.begin().due(SimTime(i64::MIN), now).and_then(|begun| {
            let day = self.zone.date(begun);
            let last = if self.until <= self.from { day.tomorrow().ok()? } else { day };
            Some(self.until.on(last, &self.zone)).filter(|until| now < *until)
        })
    }
}

impl Body for Rule {
    const CODE: u8 = 22;

    fn validate(&self) -> Result<(), Fault> {
        self.when.validate("when", 0)?;
        let leaves = self.when.leaves().len();
        ensure(leaves <= LEAVES_MAX, "when", "at most eight things that are measured")?;
        let actions = self.then.len();
        ensure((1..=ACTIONS_MAX).contains(&actions), "then", "one to four actions")?;
        self.then.iter().enumerate().try_for_each(|(index, action)| match action {
            RuleAction::Message(message) => message.validate(index, self.owner.as_ref()),
            _ => Ok(()),
        })
    }

    fn keys(&self) -> Vec<Key> {
        let mut devices: Vec<_> =
            self.when.leaves().iter().filter_map(|leaf| leaf.device()).collect();
        devices.sort_unstable();
        devices.dedup();
        let mut all = keys("device", devices);
        all.extend(keys("owner", &self.owner));
        all
    }

    fn about(&self, _token: &str) -> About {
        let leaves = self.when.leaves();
        let mut devices = leaves.iter().filter_map(|leaf| leaf.device());
        let subject = devices.next().cloned().map(Target::Device);
        About { owner: self.owner.clone(), ..About::of(subject) }
    }
}

/// A level that may be left out.
mod least {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::AlertLevel;

    #[expect(
        clippy::ref_option,
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes references"
    )]
    pub(super) fn serialize<S: Serializer>(
        level: &Option<AlertLevel>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        level.map(AlertLevel::word).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<AlertLevel>, D::Error> {
        let Some(word) = Option::<String>::deserialize(from)? else { return Ok(None) };
        let level = AlertLevel::from_word(&word).ok_or_else(|| {
            D::Error::custom(format_args!("expected one of {}", AlertLevel::WORDS.join(", ")))
        })?;
        Ok(Some(level))
    }
}
