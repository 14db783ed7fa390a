//! A day of each strategy in one household, and what an attacker's change of a start costs.

use lastmeter_household::schedule::{Plan, Strategy, plan};
use lastmeter_household::tariff::{Reading, Register, Tariff, bill};
use lastmeter_household::{Amount, Energy};

use crate::home::{EXPORT, IMPORT, SLOT, SLOTS, demand_w, forecast, loads, midnight, production_w};

/// In cents, and in Wh of production that is used, and in W: of a plan's starts, summed up here.
struct Measures {
    cents: f64,
    own_wh: f64,
    peak_w: i64,
    late_slots: usize,
}

fn starts(plan: &Plan) -> Vec<usize> {
    let slot = |at: lastmeter_units::SimTime| ((at - midnight()).0 / SLOT.0) as usize;
    plan.decisions.iter().map(|decision| slot(decision.unwrap().chosen.start)).collect()
}

/// Demand of each slot with loads at their starts.
fn demand(starts: &[usize]) -> Vec<i64> {
    let mut demand: Vec<i64> = (0..SLOTS).map(demand_w).collect();
    for (load, start) in loads().iter().zip(starts) {
        for (at, power) in load.profile_w.iter().enumerate() {
            demand[start + at] += power;
        }
    }
    demand
}

fn measures(starts: &[usize]) -> Measures {
    let demand = demand(starts);
    let (mut cents, mut own_wh) = (0.0, 0.0);
    let mut peak_w = i64::MIN;
    for (slot, demand) in demand.iter().enumerate() {
        let production = production_w(slot);
        let taken = (demand - production).max(0) as f64 / 4000.0;
        let fed_in = (production - demand).max(0) as f64 / 4000.0;
        cents += taken * IMPORT[slot / 4] as f64 / 100.0 - fed_in * EXPORT as f64 / 100.0;
        own_wh += *demand.min(&production) as f64 / 4.0;
        peak_w = peak_w.max(demand - production);
    }
    let earliest = [0, 28, 24, 4];
    let late_slots = starts.iter().zip(earliest).map(|(start, earliest)| start - earliest).sum();
    Measures { cents, own_wh, peak_w, late_slots }
}

#[test]
fn each_strategy_is_the_best_in_its_own_measure() {
    let of = |strategy: Strategy| {
        let plan = plan(&forecast(), strategy, &loads()).unwrap();
        let measures = measures(&starts(&plan));
        assert!((plan.cost.as_cents_f64() - measures.cents).abs() < 1e-6);
        assert_eq!(plan.peak_w, measures.peak_w);
        println!(
            "{strategy}: {:.2} cents, {:.0} Wh own, {} W, {} slots late",
            measures.cents, measures.own_wh, measures.peak_w, measures.late_slots
        );
        measures
    };
    let all = Strategy::ALL.map(of);
    let [cost, own, peak, comfort] = &all;
    for (at, other) in all.iter().enumerate() {
        // Strictly: in this household the strategies differ.
        assert!(at == 0 || cost.cents < other.cents - 0.01);
        assert!(at == 1 || own.own_wh > other.own_wh + 1.0);
        assert!(at == 2 || peak.peak_w < other.peak_w);
        assert!(at == 3 || comfort.late_slots < other.late_slots);
    }
}

#[test]
fn four_loads_of_the_household_are_at_the_best_cost_of_all_starts_of_any_two() {
    let plan = plan(&forecast(), Strategy::LeastCost, &loads()).unwrap();
    let chosen = starts(&plan);
    let windows = [(0, 81), (28, 90), (24, 87), (4, 66)];
    let best = measures(&chosen).cents;
    for one in 0..4 {
        for other in one + 1..4 {
            for start in windows[one].0..=windows[one].1 {
                for second in windows[other].0..=windows[other].1 {
                    let mut moved = chosen.clone();
                    (moved[one], moved[other]) = (start, second);
                    assert!(measures(&moved).cents > best - 1e-9, "{moved:?}");
                }
            }
        }
    }
}

/// The registers of a day, read each quarter of an hour.
fn bill_of(starts: &[usize]) -> Amount {
    let (mut import, mut export) = (Energy::from_watt_hours(123_456), Energy::ZERO);
    let mut readings = vec![Reading { at: midnight(), import, export }];
    for (slot, demand) in demand(starts).into_iter().enumerate() {
        let net_w = demand - production_w(slot);
        import += Energy::of_power(net_w.max(0), SLOT);
        export += Energy::of_power((-net_w).max(0), SLOT);
        readings.push(Reading { at: midnight() + SLOT * (slot as i64 + 1), import, export });
    }
    let tariff =
        Tariff { prices: crate::home::prices(), fixed: Amount::from_microcents(31_500_000) };
    let bill = bill(&tariff, &Register { wraps_at: None, power_max_w: 20_000 }, &readings).unwrap();
    assert!(bill.is_complete());
    bill.total()
}

#[test]
fn the_bill_of_registers_is_the_cost_of_the_plan() {
    for strategy in Strategy::ALL {
        let plan = plan(&forecast(), strategy, &loads()).unwrap();
        let fixed = Amount::from_microcents(31_500_000);
        assert_eq!(bill_of(&starts(&plan)), plan.cost + fixed, "{strategy}");
    }
}

/// Somebody has the washing machine run in the morning instead of the night.
#[test]
fn a_washing_machine_moved_to_the_morning_raises_the_bill_by_the_computed_amount() {
    // From 3 o'clock its first four quarters of an hour have one price and the others the next;
    // from 6:30 two, four and one. What cannot be moved takes all production, so all is imported.
    assert!((26..33).all(|slot| demand_w(slot) > production_w(slot)));
    let machine = [300, 2050, 1400, 180, 160, 220, 480];
    let (night, morning) = ([12, 28, 24, 60], [26, 28, 24, 60]);
    let mut cents = 0.0;
    for (at, power) in machine.iter().enumerate() {
        let night_price = if at < 4 { 6.40 } else { 6.90 };
        let morning_price = match at {
            0..2 => 25.30,
            2..6 => 33.40,
            _ => 36.20,
        };
        cents += f64::from(*power) / 4000.0 * (morning_price - night_price);
    }
    let rise = bill_of(&morning) - bill_of(&night);
    println!("night {} cents, morning {}", bill_of(&night).cents(), bill_of(&morning).cents());
    assert!((rise.as_cents_f64() - cents).abs() < 1e-9, "{} and {cents}", rise.as_cents_f64());
    assert_eq!(rise.cents(), 28);
}
