//! Tariffs: what energy costs at each instant, and what a month costs.
//!
//! A price holds while the local clock shows a time within its part of the week: an hour that
//! occurs twice has it twice, one that is left out does not have it.

use std::collections::BTreeSet;

use lastmeter_units::{SimDuration, SimTime};
use serde::{Deserialize, Serialize};

use super::DocumentKind;
use super::body::{
    Body, Currency, Fault, Key, Metadata, Name, Token, at_most, bodies, ensure, keys,
};
use super::feed::Feed;
use super::money::Decimal;
use crate::access::Kind;
use crate::calendar::{Stretch, Zone};
use crate::schedule::{TimeOfDay, Weekday};

pub(super) const KINDS: &[DocumentKind] = &[DocumentKind::of::<Tariff>("tariff", Kind::Tariff)];

const DAY: i128 = SimDuration::from_seconds(86_400).0 as i128;

lastmeter_units::words! {
    /// Which way energy flows, seen from the customer.
    pub enum Direction in files {
        /// Taken from the grid.
        Import = "import",
        /// Fed into the grid.
        Export = "export",
    }
}

lastmeter_units::words! {
    /// Over which stretch of local time the power of a peak is a mean.
    pub enum PeakWindow in files {
        /// A quarter of an hour.
        Minutes15 = "15m",
    }
}

bodies! {
    /// Prices of energy, and of other terms of a contract.
    document Tariff {
        /// Name for people.
        name: Name,
        /// The currency of all amounts.
        currency: Currency,
        /// By which clock and calendar it goes.
        zone: Zone,
        /// The first instant at which it is valid.
        valid_from: SimTime,
        /// The first instant after it.
        valid_until: Option<SimTime>,
        /// Prices of energy that is taken; the first one is the base, later ones win.
        #[serde(default, deserialize_with = "at_most::<_, _, 64>")]
        imports: Vec<PriceZone>,
        /// Prices of energy that is fed in, which the customer is paid; in the same way.
        #[serde(default, deserialize_with = "at_most::<_, _, 64>")]
        exports: Vec<PriceZone>,
        /// What each month costs.
        #[serde(default, deserialize_with = "at_most::<_, _, 64>")]
        fixed: Vec<FixedTerm>,
        /// What the highest power of a month costs.
        peak: Option<PeakTerm>,
        /// Prices by instants, which win over all others: as many as a month has quarters of an
        /// hour, and more. In order, without overlap in a direction.
        #[serde(default, deserialize_with = "at_most::<_, _, 3000>")]
        prices: Vec<DatedPrice>,
        /// The feed that has all prices of energy that is taken.
        price_feed: Option<Token>,
    }

    /// A price during a part of each week.
    struct PriceZone {
        /// Name for people, such as `F1`.
        name: Name,
        /// On which days it begins; on all of them if none is named.
        #[serde(default, deserialize_with = "at_most::<_, _, 7>")]
        weekdays: Vec<Weekday>,
        /// When it begins; at midnight if left out.
        from: Option<TimeOfDay>,
        /// When it ends, at midnight if left out; on the next day where that is not later than
        /// `from`.
        until: Option<TimeOfDay>,
        /// For 1 kWh.
        price: Decimal,
    }

    /// A term by month.
    struct FixedTerm {
        /// Name for people.
        name: Name,
        /// For a whole month; below zero for a discount.
        per_month: Decimal,
    }

    /// A term by the highest mean power of a month.
    struct PeakTerm {
        /// Name for people.
        name: Name,
        /// For 1 kW and a whole month.
        per_kw_month: Decimal,
        /// Over which stretch the power is a mean.
        window: PeakWindow,
    }

    /// A price from an instant to another, such as a spike.
    struct DatedPrice {
        /// Name for people; that of the tariff if left out.
        name: Option<Name>,
        /// Of energy that flows this way.
        #[serde(default)]
        direction: Direction,
        /// The first instant.
        from: SimTime,
        /// The first instant after it.
        until: SimTime,
        /// For 1 kWh.
        price: Decimal,
    }
}

/// A stretch of time with one price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its first instant.
    pub from: SimTime,
    /// The first instant after it.
    pub until: SimTime,
    /// For 1 kWh.
    pub price: Decimal,
    /// What the price is called.
    pub name: Name,
}

#[expect(clippy::derivable_impls, reason = "the words of `words!` have no default")]
impl Default for Direction {
    fn default() -> Self {
        Self::Import
    }
}

impl Piece {
    /// Adds a piece to those before it: as part of the last one if that only goes on.
    pub(crate) fn push(self, pieces: &mut Vec<Self>) {
        match pieces.last_mut() {
            Some(last)
                if last.until == self.from
                    && (last.price, &last.name) == (self.price, &self.name) =>
            {
                last.until = self.until;
            }
            _ => pieces.push(self),
        }
    }
}

impl PriceZone {
    fn is_base(&self) -> bool {
        self.weekdays.is_empty() && self.from.is_none() && self.until.is_none()
    }

    /// When it begins and ends, in seconds of the day.
    fn times(&self) -> [i128; 2] {
        [self.from, self.until].map(|time| time.map_or(0, |time| time.second_of_day().into()))
    }

    /// Whether it holds on a day, counted from 1970-01-01, at a time of it.
    fn holds(&self, day: i128, nanoseconds: i128) -> bool {
        let [from, until] = self.times().map(|second| second * 1_000_000_000);
        let begins_on = |day: i128| {
            // 1970-01-01 was a Thursday.
            let weekday = (day + 3).rem_euclid(7);
            let is_it = |one: &Weekday| *one as i128 == weekday;
            self.weekdays.is_empty() || self.weekdays.iter().any(is_it)
        };
        if from < until {
            begins_on(day) && (from..until).contains(&nanoseconds)
        } else {
            begins_on(day) && from <= nanoseconds || begins_on(day - 1) && nanoseconds < until
        }
    }
}

impl Tariff {
    /// When it is valid.
    pub fn validity(&self) -> Stretch {
        Stretch { from: self.valid_from, until: self.valid_until.unwrap_or(SimTime(i64::MAX)) }
    }

    /// It with the prices of its feed, as those of stretches.
    #[must_use]
    pub fn with_feed(&self, feed: &Feed) -> Self {
        let mut own = self.clone();
        let ends = feed.points.iter().skip(1).map(|point| point.0).chain([feed.valid_until]);
        own.prices.extend(feed.points.iter().zip(ends).filter_map(|(point, until)| {
            let (name, direction, price) = (None, Direction::Import, point.price()?);
            Some(DatedPrice { name, direction, from: point.0, until, price })
        }));
        own
    }

    /// What energy of a direction costs between two instants: maximal stretches of one price and
    /// name, in order. Where the tariff is not valid or has no price there is none.
    pub fn pieces(&self, direction: Direction, from: SimTime, until: SimTime) -> Vec<Piece> {
        let validity = self.validity();
        let (from, until) = (from.max(validity.from), until.min(validity.until));
        let zones = match direction {
            Direction::Import => &self.imports,
            Direction::Export => &self.exports,
        };
        let dated: Vec<_> =
            self.prices.iter().filter(|price| price.direction == direction).collect();
        let mut borders = self.borders(zones, from, until);
        let instants = dated.iter().flat_map(|price| [price.from, price.until]);
        borders.extend(instants.filter(|at| from < *at && *at < until));
        let ends = borders.iter().copied().skip(1).chain([until]);
        let mut pieces = Vec::new();
        for (from, until) in borders.iter().copied().zip(ends) {
            let next = dated.partition_point(|price| price.from <= from);
            let dated = next.checked_sub(1).and_then(|last| dated.get(last));
            let zone = || {
                let local = i128::from(from.0) + i128::from(self.zone.offset(from).0);
                let (day, time) = (local.div_euclid(DAY), local.rem_euclid(DAY));
                zones.iter().rfind(|zone| zone.holds(day, time))
            };
            let found = match dated.filter(|price| from < price.until) {
                Some(dated) => Some((dated.price, dated.name.as_ref().unwrap_or(&self.name))),
                None => zone().map(|zone| (zone.price, &zone.name)),
            };
            if let Some((price, name)) = found {
                Piece { from, until, price, name: name.clone() }.push(&mut pieces);
            }
        }
        pieces
    }

    /// The instants from one up to, not including, another at which the local clock shows a time
    /// at which a price may begin or end, or changes its offset; and the first one.
    fn borders(&self, zones: &[PriceZone], from: SimTime, until: SimTime) -> BTreeSet<SimTime> {
        let mut times: BTreeSet<i128> = zones.iter().flat_map(PriceZone::times).collect();
        times.insert(0);
        let mut borders = BTreeSet::new();
        let mut at = from;
        while at < until {
            borders.insert(at);
            // While the offset is the same, the local clock goes evenly.
            let offset = i128::from(self.zone.offset(at).0);
            let end = self.zone.change_after(at).min(until);
            let day = |at: SimTime| (i128::from(at.0) + offset).div_euclid(DAY);
            for day in day(at)..=day(end) {
                let instant = |second: &i128| {
                    let instant = day * DAY + second * 1_000_000_000 - offset;
                    i64::try_from(instant).ok().map(SimTime)
                };
                let instants = times.iter().filter_map(instant);
                borders.extend(instants.filter(|instant| at < *instant && *instant < end));
            }
            at = end;
        }
        borders
    }
}

impl Body for Tariff {
    const CODE: u8 = 24;

    fn validate(&self) -> Result<(), Fault> {
        let is_order = self.valid_until.is_none_or(|until| self.valid_from < until);
        ensure(is_order, "validUntil", "an instant after `validFrom`")?;
        for (list, zones) in [("imports", &self.imports), ("exports", &self.exports)] {
            for (index, zone) in zones.iter().enumerate() {
                let expected = match index {
                    0 => "the base first: a price without `weekdays`, `from` and `until`",
                    _ => "`weekdays`, `from` or `until`, since it is not the first",
                };
                ensure(zone.is_base() == (index == 0), format!("{list}[{index}]"), expected)?;
            }
        }
        let is_charge = self.peak.as_ref().is_none_or(|peak| peak.per_kw_month.micros() >= 0);
        ensure(is_charge, "peak.perKwMonth", "an amount from 0")?;
        let mut ends = [SimTime(i64::MIN); Direction::ALL.len()];
        for (index, price) in self.prices.iter().enumerate() {
            let end = &mut ends[price.direction as usize];
            let field = |name: &str| format!("prices[{index}].{name}");
            ensure(*end <= price.from, field("from"), "an instant not before the last `until`")?;
            ensure(price.from < price.until, field("until"), "an instant after `from`")?;
            *end = price.until;
        }
        let is_import = |price: &DatedPrice| price.direction == Direction::Import;
        let has_own = !self.imports.is_empty() || self.prices.iter().any(is_import);
        let is_one = self.price_feed.is_none() || !has_own;
        ensure(is_one, "priceFeed", "none where `imports` or `prices` has prices of import")
    }

    fn keys(&self) -> Vec<Key> {
        keys("feed", &self.price_feed)
    }
}
