//! Slots of time with their price, and what is forecast for them of what cannot be moved.

use lastmeter_units::{SimDuration, SimTime};

use crate::quantity::{Amount, Energy, POWER_MAX_W};
use crate::tariff::{Direction, Price, PriceFault, PriceSeries};

/// The most slots of a forecast: two days of quarters of an hour.
pub const SLOTS_MAX: usize = 192;

/// One slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// What holds in it.
    pub price: Price,
    /// Demand that cannot be moved less production and co-generation, in W; below zero it is a
    /// surplus.
    pub net_w: i64,
}

/// What is known of the time ahead, as far as prices and powers both reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    beginning: SimTime,
    slot: SimDuration,
    slots: Vec<Slot>,
}

/// What is wrong with a forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForecastError {
    /// The length of a slot.
    #[error("slots of {0} ns, expected whole microseconds above 0 and at most a day")]
    SlotLength(i64),
    /// Too many slots, or such that end beyond the last instant.
    #[error("{0} slots, expected at most {SLOTS_MAX}, before the year 2262")]
    Slots(usize),
    /// A power beyond [`POWER_MAX_W`].
    #[error("slot {0}: expected at most {POWER_MAX_W} W in either direction")]
    Power(usize),
    /// Two prices in a slot.
    #[error("two prices in the slot that {0} lies in, expected changes between slots")]
    PriceChanges(SimTime),
}

impl Forecast {
    /// From the net power in W of each slot; it ends before the first slot with an unknown price.
    ///
    /// # Errors
    /// Slots or powers are out of range, or a price changes within a slot.
    pub fn new(
        prices: &PriceSeries,
        beginning: SimTime,
        slot: SimDuration,
        net_w: &[i64],
    ) -> Result<Self, ForecastError> {
        let day = SimDuration::from_seconds(86_400);
        if slot <= SimDuration::ZERO || slot > day || slot.0 % 1000 != 0 {
            return Err(ForecastError::SlotLength(slot.0));
        }
        let length = slot.0 * net_w.len().min(SLOTS_MAX) as i64;
        if net_w.len() > SLOTS_MAX || beginning.0.checked_add(length).is_none() {
            return Err(ForecastError::Slots(net_w.len()));
        }
        let range = -POWER_MAX_W..=POWER_MAX_W;
        if let Some(wrong) = net_w.iter().position(|power| !range.contains(power)) {
            return Err(ForecastError::Power(wrong));
        }
        let mut forecast = Self { beginning, slot, slots: Vec::new() };
        for net_w in net_w {
            let from = forecast.instant(forecast.slots.len());
            let rates = Direction::ALL.map(|direction| prices.over(direction, from, from + slot));
            let price = match rates {
                [Ok(import), Ok(export)] => Price { import, export },
                [Err(PriceFault::Changes(at)), _] | [_, Err(PriceFault::Changes(at))] => {
                    return Err(ForecastError::PriceChanges(at));
                }
                [Err(PriceFault::Unknown(_)), _] | [_, Err(PriceFault::Unknown(_))] => break,
            };
            forecast.slots.push(Slot { price, net_w: *net_w });
        }
        Ok(forecast)
    }

    /// All slots whose price is known.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The first instant behind them.
    pub fn horizon(&self) -> SimTime {
        self.instant(self.slots.len())
    }

    /// When a slot begins.
    pub(super) fn instant(&self, slot: usize) -> SimTime {
        self.beginning + self.slot * slot as i64
    }

    /// The first slot that begins at an instant or later.
    pub(super) fn first_slot_from(&self, at: SimTime) -> usize {
        let ahead = i128::from(at.0) - i128::from(self.beginning.0);
        let slot = i128::from(self.slot.0);
        usize::try_from((ahead + slot - 1).div_euclid(slot).max(0)).unwrap_or(usize::MAX)
    }

    /// How many slots end at an instant or earlier, also beyond the horizon.
    pub(super) fn slots_until(&self, at: SimTime) -> usize {
        let ahead = i128::from(at.0) - i128::from(self.beginning.0);
        usize::try_from(ahead.div_euclid(i128::from(self.slot.0)).max(0)).unwrap_or(usize::MAX)
    }

    /// The energy of all slots, with a part of each one's power.
    pub(super) fn energy(&self, net_w: &[i64], part: impl Fn(i64) -> i64) -> Energy {
        net_w.iter().map(|net| Energy::of_power(part(*net), self.slot)).sum()
    }

    /// What a slot costs at a net power.
    pub(super) fn slot_cost(&self, slot: usize, net_w: i64) -> Amount {
        self.slots[slot].price.of_net(Energy::of_power(net_w, self.slot))
    }

    /// What all slots cost.
    pub(super) fn cost(&self, net_w: &[i64]) -> Amount {
        net_w.iter().enumerate().map(|(slot, net)| self.slot_cost(slot, *net)).sum()
    }
}
