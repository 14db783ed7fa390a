//! Energy, prices of it and amounts of money, as integers.
//!
//! Energy is counted in microjoules (1 W for 1 ms is 1000 of them), a price in millionths of a cent
//! for 1 kWh. Their product is an amount in a unit of its own, 1 / 3.6e12 of a millionth of a cent,
//! which neither addition nor subtraction rounds.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Neg, Sub};

use lastmeter_units::SimDuration;

/// The most power in W that a household's line, load or unit can have here.
pub const POWER_MAX_W: i64 = 1_000_000;
/// The highest price, and the lowest below zero: 100 units of the currency for 1 kWh.
pub const RATE_MAX: i64 = 10_000_000_000;

/// Microjoules of 1 kWh.
const MICROJOULES_PER_KWH: i128 = 3_600_000_000_000;
const MICROCENTS_PER_CENT: i128 = 1_000_000;

/// Energy in microjoules, signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Energy(pub i128);

/// What 1 kWh costs, in millionths of a cent; below zero it is paid for being taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(pub i64);

/// An exact amount of money; [`cents`](Self::cents) rounds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i128);

impl Energy {
    /// None.
    pub const ZERO: Self = Self(0);

    /// That of a whole number of Wh, as registers count it.
    pub const fn from_watt_hours(watt_hours: i64) -> Self {
        Self(watt_hours as i128 * 3_600_000_000)
    }

    /// That of a power in W over a span, of which whole microseconds count.
    pub const fn of_power(watts: i64, span: SimDuration) -> Self {
        Self(watts as i128 * (span.0 / 1000) as i128)
    }

    /// In Wh, for display.
    pub fn as_watt_hours_f64(self) -> f64 {
        self.0 as f64 / 3.6e9
    }
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// A whole number of millionths of a cent.
    pub const fn from_microcents(microcents: i64) -> Self {
        Self(microcents as i128 * MICROJOULES_PER_KWH)
    }

    /// In the unit of sums, in which it is kept.
    pub const fn parts(self) -> i128 {
        self.0
    }

    /// From the unit of sums.
    pub const fn from_parts(parts: i128) -> Self {
        Self(parts)
    }

    /// In cents, half to even.
    pub const fn cents(self) -> i128 {
        self.in_units_of(MICROJOULES_PER_KWH * MICROCENTS_PER_CENT)
    }

    /// In millionths of a cent, half to even.
    pub const fn microcents(self) -> i128 {
        self.in_units_of(MICROJOULES_PER_KWH)
    }

    const fn in_units_of(self, unit: i128) -> i128 {
        let (below, rest) = (self.0.div_euclid(unit), self.0.rem_euclid(unit));
        let is_odd = below.rem_euclid(2) == 1;
        let rises = 2 * rest > unit || (2 * rest == unit && is_odd);
        below + rises as i128
    }

    /// In cents, for display.
    pub fn as_cents_f64(self) -> f64 {
        self.0 as f64 / (MICROJOULES_PER_KWH * MICROCENTS_PER_CENT) as f64
    }
}

impl Rate {
    /// Whether the price is one that sums are exact for: at most [`RATE_MAX`] from zero.
    pub const fn is_within_range(self) -> bool {
        self.0 >= -RATE_MAX && self.0 <= RATE_MAX
    }
}

impl Mul<Rate> for Energy {
    type Output = Amount;
    fn mul(self, rate: Rate) -> Amount {
        Amount(self.0 * i128::from(rate.0))
    }
}

macro_rules! sums {
    ($($name:ident)+) => { $(
        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }
        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
        }
        impl Neg for $name {
            type Output = Self;
            fn neg(self) -> Self {
                Self(-self.0)
            }
        }
        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                self.0 += other.0;
            }
        }
        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
                all.fold(Self(0), Add::add)
            }
        }
    )+ };
}

sums!(Energy Amount);
