//! Feeds: what is given from outside for a stretch of time, such as prices or the weather. What a
//! feed has no value for is not known; it is never zero.

use lastmeter_units::SimTime;
use serde::{Deserialize, Serialize};

use super::DocumentKind;
use super::body::{About, Body, Fault, Metadata, Name, at_most, bodies, ensure};
use super::money::Decimal;
use crate::access::{Kind, Target};

pub(super) const KINDS: &[DocumentKind] = &[DocumentKind::of::<Feed>("feed", Kind::Feed)];

lastmeter_units::words! {
    /// What a feed is of.
    pub enum FeedKind in files {
        /// Prices of energy, for 1 kWh.
        Price = "price",
        /// The weather, measured or forecast.
        Weather = "weather",
        /// Power that is expected.
        LoadForecast = "loadForecast",
        /// How bad things are, as a provider sees it.
        Alarm = "alarm",
    }
}

bodies! {
    /// Values from outside, each from its instant to that of the next one.
    document Feed {
        /// Name for people.
        name: Name,
        /// What it is of.
        kind: FeedKind,
        /// Which quantity, such as `temperature`.
        quantity: Name,
        /// The unit of its values; of prices a currency for 1 kWh, as `EUR/kWh`.
        unit: Name,
        /// The first instant at which it is valid.
        valid_from: SimTime,
        /// The first instant after it, at which its last value ends.
        valid_until: SimTime,
        /// Its values, in order: as many as a month has quarters of an hour, and more.
        #[serde(default, deserialize_with = "at_most::<_, _, 3000>")]
        points: Vec<FeedPoint>,
    }
}

/// An instant and the value from it on; `null` where it is not known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeedPoint(pub SimTime, pub Option<f64>);

impl FeedPoint {
    /// The value as a price.
    pub fn price(self) -> Option<Decimal> {
        let micros = (self.1? * 1e6).round();
        // Beyond it a float has no single 1e-6.
        (micros.abs() < 9e15).then_some(Decimal::from_micros(micros as i64))
    }
}

impl Feed {
    /// The value at an instant, and the next instant at which it may be another.
    pub fn at(&self, now: SimTime) -> (Option<f64>, Option<SimTime>) {
        let next = self.points.partition_point(|point| point.0 <= now);
        let value = next.checked_sub(1).and_then(|last| self.points.get(last)?.1);
        let end = self.points.get(next).map_or(self.valid_until, |point| point.0);
        (value.filter(|_| now < self.valid_until), Some(end).filter(|end| now < *end))
    }
}

impl Body for Feed {
    const CODE: u8 = 26;

    fn validate(&self) -> Result<(), Fault> {
        let is_order = self.valid_from < self.valid_until;
        ensure(is_order, "validUntil", "an instant after `validFrom`")?;
        let currency = self.unit.as_str().strip_suffix("/kWh");
        let is_price = currency.is_some_and(|it| {
            it.len() == 3 && it.bytes().all(|letter| letter.is_ascii_uppercase())
        });
        let is_unit = self.kind != FeedKind::Price || is_price;
        ensure(is_unit, "unit", "a currency for 1 kWh, such as `EUR/kWh`")?;
        let mut earliest = self.valid_from;
        for (index, point) in self.points.iter().enumerate() {
            let is_next = earliest <= point.0 && point.0 < self.valid_until;
            let expected = "an instant within the validity, after the one before";
            ensure(is_next, format!("points[{index}]"), expected)?;
            let is_value =
                self.kind != FeedKind::Price || point.1.is_none() || point.price().is_some();
            ensure(is_value, format!("points[{index}]"), "a price of a customer")?;
            earliest = SimTime(point.0.0.saturating_add(1));
        }
        Ok(())
    }

    fn about(&self, token: &str) -> About {
        About::of(Some(Target::Feed(token.to_owned())))
    }
}
