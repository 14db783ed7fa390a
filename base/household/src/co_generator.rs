//! When a co-generator runs, beside a boiler and a store of heat.
//!
//! A unit burns fuel and gives electricity and heat, each a fixed share of the fuel: their ratio is
//! its heat-to-power ratio. It has a least output below which it cannot run. Rule, slot by slot: it
//! runs while heat is wanted, by demand or by room in the store, at least as much as it gives at
//! its least output; it follows that heat. Beside that it runs at its greatest output where the
//! price of electricity exceeds what its fuel costs for 1 kWh of electricity, with no credit for
//! heat; heat that has no place is then rejected by its cooler. Where the price is unknown, heat
//! alone decides. What unit and store do not cover comes from the boiler.
//!
//! Energy balances are exact: fuel in = electricity + heat + losses, and heat made = heat served +
//! rejected + stored + lost from the store, in whole microjoules.

use lastmeter_units::SimDuration;

use crate::quantity::{Amount, Energy, POWER_MAX_W, Rate};

const PERMILLE: i64 = 1000;
const PER_MILLION: i128 = 1_000_000;
const HOUR_NS: i128 = SimDuration::from_seconds(3600).0 as i128;

/// The unit, the boiler and the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// The least electric output of the unit while it runs, in W.
    pub least_w: i64,
    /// Its greatest electric output, in W.
    pub greatest_w: i64,
    /// Which share of its fuel becomes electricity, in thousandths.
    pub electric_permille: i64,
    /// Which share of its fuel becomes heat, in thousandths.
    pub heat_permille: i64,
    /// What 1 kWh of fuel costs, of unit and boiler.
    pub fuel: Rate,
    /// The greatest heat of the boiler, in W.
    pub boiler_w: i64,
    /// Which share of its fuel becomes heat, in thousandths.
    pub boiler_permille: i64,
    /// What the store holds at most.
    pub capacity: Energy,
    /// Which part of its content the store loses in an hour, in millionths.
    pub loss_per_hour_ppm: i64,
}

/// What is wrong with parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// Outputs of the unit.
    #[error("output: expected 0 < least <= greatest <= {POWER_MAX_W} W, a whole W of fuel apart")]
    Output,
    /// Shares of fuel.
    #[error("efficiency: expected more than 0, and electricity and heat at most 1000 permille")]
    Efficiency,
    /// The boiler's heat.
    #[error("boiler: expected from 0 to {POWER_MAX_W} W")]
    Boiler,
    /// The store.
    #[error("store: expected from 0 to 1e6 kWh and a loss of 0 to 1,000,000 ppm an hour")]
    Store,
    /// The price of fuel.
    #[error("fuel: expected at most 100 units of the currency for 1 kWh")]
    Fuel,
}

/// A co-generator with parameters that go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoGenerator {
    parameters: Parameters,
    least_fuel_w: i64,
    greatest_fuel_w: i64,
}

/// What is asked of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its length; whole microseconds count.
    pub slot: SimDuration,
    /// The heat that the household needs in it, in W.
    pub heat_w: i64,
    /// What 1 kWh of electricity costs in it, if that is known.
    pub price: Option<Rate>,
}

lastmeter_units::words! {
    /// Why the unit runs or does not.
    pub enum Reason {
        /// Heat is wanted, at least that of its least output.
        Heat = "heat wanted",
        /// The price of electricity exceeds its cost of generation.
        Price = "price above cost",
        /// Neither.
        Off = "no heat wanted, price not above cost",
        /// Too little heat is wanted, and the price of electricity is unknown.
        PriceUnknown = "no heat wanted, price unknown",
    }
}

/// What a slot brings, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Why the unit runs or does not.
    pub reason: Reason,
    /// Heat that was wanted: demand, and room in the store after its loss.
    pub heat_wanted: Energy,
    /// Heat that the unit gives in the slot at its least output.
    pub heat_least: Energy,
    /// The fuel of the unit.
    pub fuel: Energy,
    /// What it gives of electricity.
    pub electricity: Energy,
    /// What it gives of heat.
    pub heat: Energy,
    /// Fuel that becomes neither.
    pub unit_loss: Energy,
    /// The boiler's fuel, up to the next microjoule.
    pub boiler_fuel: Energy,
    /// The boiler's heat.
    pub boiler_heat: Energy,
    /// Heat that the household got.
    pub served: Energy,
    /// Heat that it needed and did not get.
    pub unmet: Energy,
    /// Heat that the cooler rejected.
    pub rejected: Energy,
    /// What the store lost.
    pub store_loss: Energy,
    /// What it holds at the end.
    pub stored: Energy,
    /// What the fuel of unit and boiler costs.
    pub fuel_cost: Amount,
}

impl CoGenerator {
    /// Checks parameters.
    ///
    /// # Errors
    /// A parameter is out of its range, or no whole number of W of fuel gives an output between
    /// least and greatest.
    pub fn new(parameters: Parameters) -> Result<Self, ParameterError> {
        let Parameters { least_w, greatest_w, electric_permille, heat_permille, .. } = parameters;
        let shares = [electric_permille, heat_permille, parameters.boiler_permille];
        if shares.iter().any(|share| !(1..=PERMILLE).contains(share))
            || electric_permille + heat_permille > PERMILLE
        {
            return Err(ParameterError::Efficiency);
        }
        if !(1..=POWER_MAX_W).contains(&least_w) || !(least_w..=POWER_MAX_W).contains(&greatest_w) {
            return Err(ParameterError::Output);
        }
        let least_fuel_w = (least_w * PERMILLE + electric_permille - 1) / electric_permille;
        let greatest_fuel_w = greatest_w * PERMILLE / electric_permille;
        if least_fuel_w > greatest_fuel_w {
            return Err(ParameterError::Output);
        }
        if !(0..=POWER_MAX_W).contains(&parameters.boiler_w) {
            return Err(ParameterError::Boiler);
        }
        let capacities = Energy::ZERO..=Energy::from_watt_hours(1_000_000_000);
        let losses = 0..=PER_MILLION as i64;
        if !capacities.contains(&parameters.capacity)
            || !losses.contains(&parameters.loss_per_hour_ppm)
        {
            return Err(ParameterError::Store);
        }
        if !parameters.fuel.is_within_range() {
            return Err(ParameterError::Fuel);
        }
        Ok(Self { parameters, least_fuel_w, greatest_fuel_w })
    }

    /// What 1 kWh of its electricity costs in fuel, in millionths of a cent, for display; decisions
    /// compare exactly.
    pub fn generation_cost_f64(&self) -> f64 {
        self.parameters.fuel.0 as f64 * PERMILLE as f64 / self.parameters.electric_permille as f64
    }

    /// What the unit does in a slot, from what the store holds at its beginning (within its
    /// capacity); the store's end is the next slot's beginning.
    pub fn step(&self, stored: Energy, wanted: Wanted) -> Slot {
        let Parameters { heat_permille, electric_permille, capacity, .. } = self.parameters;
        let slot = SimDuration(wanted.slot.0.max(0));
        let of_fuel = |fuel_w: i64, permille: i64| share(Energy::of_power(fuel_w, slot), permille);
        let stored = stored.clamp(Energy::ZERO, capacity);
        let store_loss = self.store_loss(stored, slot);
        let held = stored - store_loss;
        let demand = Energy::of_power(wanted.heat_w.clamp(0, POWER_MAX_W), slot);
        let heat_wanted = demand + (capacity - held);
        let heat_least = of_fuel(self.least_fuel_w, heat_permille);

        let (reason, fuel_w) = self.decided(slot, heat_wanted, wanted.price);
        let fuel = Energy::of_power(fuel_w, slot);
        let (electricity, heat) =
            (of_fuel(fuel_w, electric_permille), of_fuel(fuel_w, heat_permille));

        let from_unit_and_store = demand.min(heat + held);
        let left = heat + held - from_unit_and_store;
        let rejected = (left - capacity).max(Energy::ZERO);
        let short = demand - from_unit_and_store;
        let boiler_heat = short.min(Energy::of_power(self.parameters.boiler_w, slot));
        let boiler_permille = i128::from(self.parameters.boiler_permille);
        let boiler_fuel =
            Energy((boiler_heat.0 * i128::from(PERMILLE) + boiler_permille - 1) / boiler_permille);
        Slot {
            reason,
            heat_wanted,
            heat_least,
            fuel,
            electricity,
            heat,
            unit_loss: fuel - electricity - heat,
            boiler_fuel,
            boiler_heat,
            served: from_unit_and_store + boiler_heat,
            unmet: short - boiler_heat,
            rejected,
            store_loss,
            stored: left - rejected,
            fuel_cost: (fuel + boiler_fuel) * self.parameters.fuel,
        }
    }

    /// Why the unit runs or does not, and the fuel in W that it burns.
    fn decided(
        &self,
        slot: SimDuration,
        heat_wanted: Energy,
        price: Option<Rate>,
    ) -> (Reason, i64) {
        let Parameters { fuel, electric_permille, heat_permille, .. } = self.parameters;
        // Of 1 kWh of fuel, what its electricity is worth, and what it costs.
        let pays = price.is_some_and(|price| {
            i128::from(price.0) * i128::from(electric_permille)
                > i128::from(fuel.0) * i128::from(PERMILLE)
        });
        let heat_of_watt = Energy::of_power(1, slot).0 * i128::from(heat_permille);
        let follows = (heat_wanted.0 * i128::from(PERMILLE)).checked_div(heat_of_watt).unwrap_or(0);
        let follows = follows.min(i128::from(self.greatest_fuel_w)) as i64;
        if pays && follows < self.greatest_fuel_w {
            (Reason::Price, self.greatest_fuel_w)
        } else if follows >= self.least_fuel_w {
            (Reason::Heat, follows)
        } else if price.is_some() {
            (Reason::Off, 0)
        } else {
            (Reason::PriceUnknown, 0)
        }
    }

    /// What the store loses in a slot of what it holds at its beginning: down to a microjoule.
    fn store_loss(&self, stored: Energy, slot: SimDuration) -> Energy {
        let part = i128::from(self.parameters.loss_per_hour_ppm) * i128::from(slot.0);
        let all = HOUR_NS * PER_MILLION;
        Energy(stored.0 * part.min(all) / all)
    }
}

/// A share of fuel in thousandths, down to a microjoule; slots of whole milliseconds leave no rest.
fn share(fuel: Energy, permille: i64) -> Energy {
    Energy(fuel.0 * i128::from(permille) / i128::from(PERMILLE))
}
