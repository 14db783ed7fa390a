//! Bills: lines that show how each amount comes about, and what is not known yet. They are made by
//! [`crate::bill`].

use lastmeter_units::{HardwareId, SimTime};
use serde::{Deserialize, Serialize};

use super::DocumentKind;
use super::body::{About, Body, Currency, Fault, Key, Metadata, Name, Token, bodies, ensure, keys};
use super::money::{Decimal, Money};
use super::tariff::Direction;
use crate::access::{Kind, PrincipalRef, Target};

pub(super) const KINDS: &[DocumentKind] =
    &[DocumentKind { is_resident: false, ..DocumentKind::of::<Bill>("bill", Kind::Bill) }];

lastmeter_units::words! {
    /// Why energy is not known.
    pub enum OpenCause in files {
        /// There is no reading at the instant or before it, or none after it.
        NoReading = "no-reading",
        /// The register fell.
        Fall = "fall",
        /// The register has two values at an instant.
        Conflict = "conflict",
    }
}

bodies! {
    /// What a customer pays for a period.
    document Bill {
        /// The person asset that is the customer.
        customer: Token,
        /// Whose it is; nobody's: the tenant's.
        owner: Option<PrincipalRef>,
        /// The first instant of the period.
        from: SimTime,
        /// The first instant after it.
        until: SimTime,
        /// The currency of all amounts.
        currency: Currency,
        /// What it is made of.
        lines: Vec<Line>,
        /// The sum of all amounts of lines that are known; below zero it is paid to the customer.
        total: Money,
        /// Whether a line has an amount that is not known.
        is_open: bool,
        /// The feeds that prices are from, with the versions that counted.
        #[serde(default)]
        price_feeds: Vec<PriceFeed>,
        /// Whether a feed has had other prices for this time since the bill was kept before.
        #[serde(default)]
        prices_changed: bool,
        /// Until when everything is known: the end of the period, or where the first line begins
        /// whose amount is not.
        complete_until: SimTime,
    }

    /// A version of a feed of prices.
    struct PriceFeed {
        /// The feed.
        feed: Token,
        /// Its version.
        version: u64,
    }

    /// Energy of one meter and direction at one price: `energy_wh` / 1000 x `price`, rounded once.
    struct EnergyLine {
        /// The meter.
        meter: HardwareId,
        /// Which way the energy flowed.
        direction: Direction,
        /// What the price is called.
        name: Name,
        /// For 1 kWh.
        price: Decimal,
        /// The sum of what its registers counted, in Wh.
        energy_wh: i64,
        /// What it costs; below zero for energy that was fed in.
        amount: Money,
        /// From which registers to which ones, in order.
        registers: Vec<RegisterSpan>,
    }

    /// What a register counted from an instant to another.
    struct RegisterSpan {
        /// The instant of the first reading.
        from: SimTime,
        /// The instant of the last one.
        until: SimTime,
        /// The register at the first one, in Wh.
        first_wh: i64,
        /// The register at the last one, in Wh.
        last_wh: i64,
        /// Whether readings in between are missing, so that only their total is known.
        #[serde(default)]
        only_total: bool,
    }

    /// Energy of which it is not known which part had which price, since there is no reading at the
    /// instant of the change.
    struct GapLine {
        /// The meter.
        meter: HardwareId,
        /// Which way the energy flowed.
        direction: Direction,
        /// The instant of the reading before.
        from: SimTime,
        /// The instant of the reading after.
        until: SimTime,
        /// The register before, in Wh.
        first_wh: i64,
        /// The register after, in Wh.
        last_wh: i64,
        /// What it counted in between, in Wh.
        energy_wh: i64,
        /// Whether a reading is missing: the two are further apart than the meter is read. If not,
        /// the meter is not read at the instants at which prices change.
        missed: bool,
        /// The prices of this time, each with what all of the energy would cost.
        prices: Vec<GapPrice>,
        /// What it costs, where all prices are the same.
        amount: Option<Money>,
        /// What it costs at least; nothing if a part of the time has no price.
        lower: Option<Money>,
        /// What it costs at most; nothing if a part of the time has no price.
        upper: Option<Money>,
    }

    /// One of the prices that energy may have had.
    struct GapPrice {
        /// What it is called.
        name: Name,
        /// For 1 kWh.
        price: Decimal,
        /// What all of the energy would cost.
        amount: Money,
    }

    /// Time in which a meter's energy is not known.
    struct OpenLine {
        /// The meter.
        meter: HardwareId,
        /// Which way the energy would flow.
        direction: Direction,
        /// Its first instant.
        from: SimTime,
        /// The first instant after it.
        until: SimTime,
        /// Why.
        cause: OpenCause,
        /// The register before, in Wh.
        first_wh: Option<i64>,
        /// The register after, in Wh.
        last_wh: Option<i64>,
    }

    /// A term by month: `per_month` x `days` / `days_of_month`, rounded once.
    struct FixedLine {
        /// What the term is called.
        name: Name,
        /// For a whole month.
        per_month: Decimal,
        /// The first instant of the part of a month that is meant.
        from: SimTime,
        /// The first instant after it.
        until: SimTime,
        /// How many local days begin in it.
        days: u32,
        /// How many local days the whole month has.
        days_of_month: u32,
        /// What it costs.
        amount: Money,
    }

    /// A term by the highest mean power of a month: `per_kw_month` x W / 1000 x `days` /
    /// `days_of_month`, rounded once.
    struct PeakLine {
        /// What the term is called.
        name: Name,
        /// For 1 kW and a whole month.
        per_kw_month: Decimal,
        /// The first instant of the part of a month that is meant.
        from: SimTime,
        /// The first instant after it.
        until: SimTime,
        /// How many local days begin in it.
        days: u32,
        /// How many local days the whole month has.
        days_of_month: u32,
        /// When the window begins that has the highest power which is certain.
        window: SimTime,
        /// That power, in W.
        lower_w: i64,
        /// The highest power that is possible, in W; nothing if there is no bound.
        upper_w: Option<i64>,
        /// What it costs, if both are the same.
        amount: Option<Money>,
        /// What it costs at least.
        lower: Money,
        /// What it costs at most.
        upper: Option<Money>,
    }
}

/// A line of a bill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Line {
    /// Energy at one price.
    Energy(EnergyLine),
    /// Energy at one of several prices.
    Gap(GapLine),
    /// Time without known energy.
    GapOpen(OpenLine),
    /// A term by month.
    Fixed(FixedLine),
    /// A term by the highest power.
    Peak(PeakLine),
}

impl Line {
    /// What it costs; `None` as long as that is not known.
    pub const fn amount(&self) -> Option<Money> {
        match self {
            Self::Energy(line) => Some(line.amount),
            Self::Gap(line) => line.amount,
            Self::GapOpen(_) => None,
            Self::Fixed(line) => Some(line.amount),
            Self::Peak(line) => line.amount,
        }
    }
}

impl Bill {
    /// The sum of all amounts that are known; `None` beyond what is counted, or if one has other
    /// decimal places than the currency.
    pub fn sum(lines: &[Line], currency: &Currency) -> Option<Money> {
        let zero = Money::zero(currency.minor_places());
        lines.iter().filter_map(Line::amount).try_fold(zero, Money::checked_add)
    }
}

impl Body for Bill {
    const CODE: u8 = 25;

    fn validate(&self) -> Result<(), Fault> {
        ensure(self.from < self.until, "until", "an instant after `from`")?;
        let sum = Self::sum(&self.lines, &self.currency);
        ensure(sum == Some(self.total), "total", "the sum of the amounts of `lines`")?;
        let is_open = self.lines.iter().any(|line| line.amount().is_none());
        ensure(self.is_open == is_open, "isOpen", "whether a line has no amount")?;
        let is_within = (self.from..=self.until).contains(&self.complete_until);
        ensure(is_within, "completeUntil", "an instant from `from` to `until`")
    }

    fn keys(&self) -> Vec<Key> {
        let state = if self.is_open { "open" } else { "complete" };
        [keys("customer", [&self.customer]), keys("state", [state])].concat()
    }

    fn about(&self, _token: &str) -> About {
        let subject = Some(Target::Asset(self.customer.as_str().to_owned()));
        About { owner: self.owner.clone(), ..About::of(subject) }
    }
}
