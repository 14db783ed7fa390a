//! The co-generator: sums of fuel and heat that close, and when it runs.

use lastmeter_household::co_generator::{
    CoGenerator, ParameterError, Parameters, Reason, Slot, Wanted,
};
use lastmeter_household::{Energy, Rate};
use lastmeter_units::SimDuration;
use proptest::collection::vec;
use proptest::prelude::*;

const QUARTER: SimDuration = SimDuration::from_seconds(900);

/// 1 to 3 kW of electricity with 2.1 times as much heat, at 9 cents for 1 kWh of fuel: 32.14 cents
/// for 1 kWh of electricity.
const PARAMETERS: Parameters = Parameters {
    least_w: 1000,
    greatest_w: 3000,
    electric_permille: 280,
    heat_permille: 588,
    fuel: Rate(9_000_000),
    boiler_w: 15_000,
    boiler_permille: 920,
    capacity: Energy::from_watt_hours(8000),
    loss_per_hour_ppm: 12_000,
};

fn unit(parameters: Parameters) -> CoGenerator {
    CoGenerator::new(parameters).unwrap()
}

fn wanted(heat_w: i64, price: Option<i64>) -> Wanted {
    Wanted { slot: QUARTER, heat_w, price: price.map(Rate) }
}

/// Runs through slots of heat and price; each with what the store held before.
fn day(unit: &CoGenerator, slots: &[(i64, Option<i64>)]) -> Vec<(Energy, Slot)> {
    let mut stored = Energy::from_watt_hours(2000);
    let step = |(heat_w, price): &(i64, Option<i64>)| {
        let before = stored;
        let slot = unit.step(before, wanted(*heat_w, *price));
        stored = slot.stored;
        (before, slot)
    };
    slots.iter().map(step).collect()
}

fn total(slots: &[(Energy, Slot)], part: impl Fn(&Slot) -> Energy) -> i128 {
    slots.iter().map(|(_, slot)| part(slot).0).sum()
}

fn parameters() -> impl Strategy<Value = Parameters> {
    let sizes = (500..3000_i64, 0..6000_i64, 150..450_i64, 200..550_i64);
    let rest = (4_000_000..20_000_000_i64, 500..=1000_i64, 0..20_000_i64, 0..80_000_i64);
    (sizes, rest).prop_map(|((least, more, electric, heat), (fuel, boiler, store, loss))| {
        Parameters {
            least_w: least,
            greatest_w: least + 10 + more,
            electric_permille: electric,
            heat_permille: heat,
            fuel: Rate(fuel),
            boiler_permille: boiler,
            capacity: Energy::from_watt_hours(store),
            loss_per_hour_ppm: loss,
            ..PARAMETERS
        }
    })
}

fn slots() -> impl Strategy<Value = Vec<(i64, Option<i64>)>> {
    vec((0..15_000_i64, proptest::option::weighted(0.9, -5_000_000..90_000_000_i64)), 1..96)
}

proptest! {
    #[test]
    fn fuel_and_heat_close_over_a_day(parameters in parameters(), slots in slots()) {
        let day = day(&unit(parameters), &slots);
        let sum = |part: fn(&Slot) -> Energy| total(&day, part);
        // Demand in microjoules: W times 900 s.
        let demand: i128 = slots.iter().map(|(heat_w, _)| i128::from(*heat_w) * 900_000_000).sum();
        let made = sum(|slot| slot.heat) + sum(|slot| slot.boiler_heat);
        let before = day[0].0.min(parameters.capacity).0;
        let change = day[day.len() - 1].1.stored.0 - before;
        let gone = sum(|slot| slot.served) + sum(|slot| slot.rejected);
        prop_assert_eq!(made, gone + sum(|slot| slot.store_loss) + change);
        prop_assert_eq!(demand, sum(|slot| slot.served) + sum(|slot| slot.unmet));
        let from_fuel = sum(|slot| slot.electricity) + sum(|slot| slot.heat);
        prop_assert_eq!(sum(|slot| slot.fuel), from_fuel + sum(|slot| slot.unit_loss));
        // The boiler alone could bear every slot.
        prop_assert_eq!(sum(|slot| slot.unmet), 0);
        for (_, slot) in &day {
            let parts = [slot.unit_loss, slot.rejected, slot.store_loss, slot.stored];
            prop_assert!(parts.into_iter().all(|part| part >= Energy::ZERO));
            prop_assert!(slot.stored <= parameters.capacity);
            prop_assert!(slot.boiler_fuel >= slot.boiler_heat);
            // Shares of fuel, as ratios.
            let (electric, heat) = (parameters.electric_permille, parameters.heat_permille);
            prop_assert_eq!(slot.electricity.0 * i128::from(heat), slot.heat.0 * i128::from(electric));
            prop_assert_eq!(slot.electricity.0 * 1000, slot.fuel.0 * i128::from(electric));
        }
    }

    /// Written from the rule, in W and floating point: what lies on an edge is not judged.
    #[test]
    fn it_runs_where_heat_is_wanted_or_the_price_is_above_its_cost(
        parameters in parameters(), slots in slots()
    ) {
        let unit = unit(parameters);
        for ((before, slot), (heat_w, price)) in day(&unit, &slots).iter().zip(&slots) {
            let held = before.0.min(parameters.capacity.0) as f64;
            let kept = held * (1.0 - parameters.loss_per_hour_ppm as f64 * 1e-6 / 4.0);
            let room_w = (parameters.capacity.0 as f64 - kept) / 900e6;
            let wanted_w = *heat_w as f64 + room_w;
            let ratio = parameters.heat_permille as f64 / parameters.electric_permille as f64;
            let least_w = parameters.least_w as f64 * ratio;
            let cost = parameters.fuel.0 as f64 / (parameters.electric_permille as f64 / 1000.0);
            let pays = price.is_some_and(|price| price as f64 > cost);
            let electric_w = slot.electricity.0 as f64 / 900e6;
            let is_running = slot.electricity > Energy::ZERO;
            // Whole W of fuel are up to half a W of electricity and heat.
            if (wanted_w - least_w).abs() > 2.0 {
                prop_assert_eq!(is_running, wanted_w > least_w || pays);
            }
            if is_running {
                prop_assert!(electric_w >= parameters.least_w as f64 - 1e-6);
                prop_assert!(electric_w <= parameters.greatest_w as f64 + 1e-6);
            }
            match slot.reason {
                Reason::Price => {
                    prop_assert!(pays);
                    prop_assert!(electric_w > parameters.greatest_w as f64 - 1.0);
                }
                Reason::Heat => {
                    prop_assert_eq!(slot.rejected, Energy::ZERO);
                    let follows = wanted_w.min(parameters.greatest_w as f64 * ratio);
                    prop_assert!((electric_w * ratio - follows).abs() < 2.0);
                }
                Reason::Off => prop_assert!(!is_running && price.is_some()),
                Reason::PriceUnknown => prop_assert!(!is_running && price.is_none()),
            }
        }
    }
}

#[test]
fn each_reason_has_its_slot() {
    let unit = unit(PARAMETERS);
    let (full, empty) = (PARAMETERS.capacity, Energy::ZERO);
    let step = |stored, heat_w, price| unit.step(stored, wanted(heat_w, price));
    // A full store without loss has no room but for what it loses: 24 Wh in a quarter.
    let idle = step(full, 0, Some(30_000_000));
    assert_eq!(
        (idle.reason, idle.fuel, idle.store_loss),
        (Reason::Off, Energy::ZERO, Energy::from_watt_hours(24))
    );
    assert_eq!(step(full, 0, None).reason, Reason::PriceUnknown);
    // 9 / 0.28 = 32.142857 cents.
    assert_eq!(step(full, 0, Some(32_142_857)).reason, Reason::Off);
    let dear = step(full, 0, Some(32_142_858));
    assert_eq!(dear.reason, Reason::Price);
    // A price that is the cost of generation does not exceed it: 2.8 / 0.28 = 10 cents.
    let even = CoGenerator::new(Parameters { fuel: Rate(2_800_000), ..PARAMETERS }).unwrap();
    let at = |price| even.step(full, wanted(0, Some(price))).reason;
    assert_eq!((at(10_000_000), at(10_000_001)), (Reason::Off, Reason::Price));
    // 10714 W of fuel, 2999.92 W and 6299.832 W: 1574.958 Wh of heat, of which 24 Wh have room.
    assert_eq!(dear.fuel.0, 10_714 * 900_000_000);
    assert_eq!(dear.electricity.0, 2_999_920_000 * 900);
    assert_eq!(dear.rejected.0, 1_574_958 * 3_600_000 - 24 * 3_600_000_000);
    // 2100 W of heat are the least: at 3572 W of fuel 2100.336 W.
    assert_eq!(step(full, 2000, Some(0)).reason, Reason::Off);
    let least = step(full, 2010, Some(0));
    assert_eq!((least.reason, least.heat_least.0), (Reason::Heat, 2_100_336_000 * 900));
    let charging = step(empty, 0, None);
    assert_eq!((charging.reason, charging.stored), (Reason::Heat, charging.heat));
    // 15 kW from an empty store: 6.299832 kW by the unit, the boiler has the rest.
    let cold = step(empty, 15_000, Some(0));
    assert_eq!(cold.boiler_heat.0, (15_000_000 - 6_299_832) * 900_000);
    assert_eq!(cold.unmet, Energy::ZERO);
    assert!((unit.generation_cost_f64() - 32_142_857.142_857).abs() < 0.001);
}

/// What would show if heat unmet were never counted.
#[test]
fn a_boiler_that_is_too_small_leaves_heat_unmet() {
    let small = unit(Parameters { boiler_w: 5000, ..PARAMETERS });
    let slot = small.step(Energy::ZERO, wanted(15_000, Some(0)));
    assert_eq!(slot.unmet.0, (15_000_000 - 6_299_832 - 5_000_000) * 900_000);
    assert_eq!(slot.served + slot.unmet, Energy::from_watt_hours(3750));
}

#[test]
fn fuel_costs_what_it_is_worth() {
    // 1000 W of heat by the boiler: 1086.957 W of fuel for a quarter at 9 cents.
    let unit = unit(Parameters { capacity: Energy::ZERO, ..PARAMETERS });
    let slot = unit.step(Energy::ZERO, wanted(1000, Some(0)));
    assert_eq!((slot.reason, slot.fuel), (Reason::Off, Energy::ZERO));
    assert!((slot.fuel_cost.as_cents_f64() - 1.0 / 0.92 / 4.0 * 9.0).abs() < 1e-9);
}

#[test]
fn parameters_that_do_not_go_together_are_rejected() {
    let of = |parameters| CoGenerator::new(parameters).map(|_| ());
    let base = PARAMETERS;
    assert_eq!(of(base), Ok(()));
    assert_eq!(of(Parameters { least_w: 0, ..base }), Err(ParameterError::Output));
    assert_eq!(of(Parameters { least_w: 3001, ..base }), Err(ParameterError::Output));
    assert_eq!(of(Parameters { heat_permille: 721, ..base }), Err(ParameterError::Efficiency));
    assert_eq!(of(Parameters { boiler_permille: 0, ..base }), Err(ParameterError::Efficiency));
    assert_eq!(of(Parameters { boiler_w: -1, ..base }), Err(ParameterError::Boiler));
    assert_eq!(of(Parameters { capacity: Energy(-1), ..base }), Err(ParameterError::Store));
    assert_eq!(of(Parameters { loss_per_hour_ppm: 1_000_001, ..base }), Err(ParameterError::Store));
    assert_eq!(of(Parameters { fuel: Rate(i64::MIN), ..base }), Err(ParameterError::Fuel));
    // Whole W of fuel give 1000 W at 950 permille nowhere.
    let narrow = Parameters { greatest_w: 1000, electric_permille: 950, heat_permille: 50, ..base };
    assert_eq!(of(narrow), Err(ParameterError::Output));
    // The largest of all run through.
    let largest = Parameters {
        least_w: 1,
        greatest_w: 1_000_000,
        electric_permille: 1,
        heat_permille: 999,
        fuel: Rate(10_000_000_000),
        capacity: Energy::from_watt_hours(1_000_000_000),
        loss_per_hour_ppm: 1_000_000,
        ..base
    };
    let asked =
        Wanted { slot: SimDuration(i64::MAX), heat_w: i64::MAX, price: Some(Rate(i64::MAX)) };
    let slot = unit(largest).step(Energy(i128::MAX), asked);
    assert_eq!(slot.reason, Reason::Price);
}
