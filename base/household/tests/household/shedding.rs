//! Opened loads beside all sets of loads, and a household that is shed over time.

use lastmeter_household::shed::{
    Action, Limit, LimitSource, Opened, Reclosing, Shedding, SwitchedLoad, Switching,
};
use lastmeter_units::{SimDuration, SimTime};
use proptest::collection::vec;
use proptest::prelude::*;

const RECLOSING: Reclosing =
    Reclosing { hysteresis_w: 200, open_at_least: SimDuration::from_seconds(300) };

fn minute(minute: i64) -> SimTime {
    SimTime(1_800_000_000_000_000_000) + SimDuration::from_seconds(60 * minute)
}

fn load(priority: u8, power_w: i64) -> SwitchedLoad {
    SwitchedLoad { priority, power_w, is_allowed: true }
}

fn opened(switchings: &[Switching]) -> Vec<usize> {
    let mut loads: Vec<usize> = switchings
        .iter()
        .filter(|switching| switching.action == Action::Open)
        .map(|switching| switching.load)
        .collect();
    loads.sort_unstable();
    loads
}

/// The best of all sets that cover an excess: the fewest loads, then the one that reaches least far
/// up the priorities.
fn best_of_all_sets(loads: &[SwitchedLoad], excess_w: i64) -> Option<(usize, (u8, usize))> {
    let covering = (1..1_u32 << loads.len()).filter_map(|set| {
        let within: Vec<usize> = (0..loads.len()).filter(|at| set >> at & 1 == 1).collect();
        let may = within.iter().all(|at| loads[*at].is_allowed && loads[*at].power_w > 0);
        let power: i64 = within.iter().map(|at| loads[*at].power_w).sum();
        let highest = within.iter().map(|at| (loads[*at].priority, *at)).max()?;
        (may && power >= excess_w).then_some((within.len(), highest))
    });
    covering.min()
}

proptest! {
    #[test]
    fn the_fewest_loads_of_lowest_priority_open(
        drawn in vec((0..4_u8, 0..12_i64, any::<bool>()), 0..9),
        net in -20..60_i64,
        limit in -10..40_i64,
    ) {
        let load = |(priority, power, barred): &(u8, i64, bool)| SwitchedLoad {
            priority: *priority,
            power_w: power * 250,
            is_allowed: !barred || *power > 8,
        };
        let loads: Vec<SwitchedLoad> = drawn.iter().map(load).collect();
        let (net_w, limit) = (net * 250, Limit::of(limit * 250, None));
        let mut shedding = Shedding::default();
        let switchings = shedding.step(minute(0), net_w, limit, &loads, RECLOSING);
        let found = opened(&switchings);
        let excess_w = net_w - limit.power_w;
        let power: i64 = found.iter().map(|at| loads[*at].power_w).sum();
        if excess_w <= 0 {
            prop_assert!(found.is_empty());
            return Ok(());
        }
        if let Some((fewest, highest)) = best_of_all_sets(&loads, excess_w) {
            prop_assert!(power >= excess_w);
            let reached = found.iter().map(|at| (loads[*at].priority, *at)).max();
            prop_assert_eq!((found.len(), reached), (fewest, Some(highest)));
        } else {
            let may = |at: &usize| loads[*at].is_allowed && loads[*at].power_w > 0;
            prop_assert_eq!(&found, &(0..loads.len()).filter(may).collect::<Vec<_>>());
        }
        for switching in &switchings {
            prop_assert_eq!(switching.expected_w, net_w - power);
            prop_assert_eq!(switching.uncovered_w, (excess_w - power).max(0));
            prop_assert_eq!((switching.net_w, switching.limit), (net_w, limit));
            prop_assert_eq!(switching.power_w, loads[switching.load].power_w);
        }
    }

    /// Minute by minute: what remains is within the limit, or all that may be open is; nothing
    /// closes early or into an excess.
    #[test]
    fn a_household_stays_within_its_limit(
        fixed in vec(0..6000_i64, 120),
        powers in vec((0..5_u8, 100..3000_i64), 1..6),
    ) {
        let limit = Limit::of(4500, None);
        let mut shedding = Shedding::default();
        for (at, fixed_w) in (0..).zip(fixed) {
            let before = shedding.clone();
            let is_open = |place: usize| before.opened.get(place).is_some_and(Option::is_some);
            let draw = |place: usize| if is_open(place) { 0 } else { powers[place].1 };
            let loads: Vec<SwitchedLoad> =
                (0..powers.len()).map(|place| load(powers[place].0, draw(place))).collect();
            let net_w = fixed_w + loads.iter().map(|load| load.power_w).sum::<i64>();
            let switchings = shedding.step(minute(at), net_w, limit, &loads, RECLOSING);
            let still: i64 = (0..powers.len())
                .filter(|place| shedding.opened[*place].is_none())
                .map(|place| powers[place].1)
                .sum();
            let all_are_open = shedding.opened.iter().all(Option::is_some);
            prop_assert!(fixed_w + still <= 4500 || all_are_open);
            for switching in &switchings {
                prop_assert_eq!(switching.expected_w, fixed_w + still);
                if switching.action == Action::Close {
                    prop_assert!(switching.open_for >= RECLOSING.open_at_least);
                    prop_assert!(fixed_w + still + 200 <= 4500);
                }
            }
            // Every change of a state was reported once.
            let changed = (0..powers.len())
                .filter(|place| is_open(*place) != shedding.opened[*place].is_some());
            let mut reported: Vec<usize> = switchings.iter().map(|it| it.load).collect();
            reported.sort_unstable();
            prop_assert_eq!(reported, changed.collect::<Vec<_>>());
        }
    }
}

#[test]
fn one_load_that_covers_goes_before_several_of_lower_priority() {
    let loads = [load(0, 300), load(1, 400), load(7, 2000), load(2, 900), load(9, 5000)];
    let opened_at = |net_w| {
        let limit = Limit::of(3000, None);
        opened(&Shedding::default().step(minute(0), net_w, limit, &loads, RECLOSING))
    };
    assert_eq!(opened_at(3000), [0; 0]);
    assert_eq!(opened_at(3001), [0]);
    assert_eq!(opened_at(3301), [1]);
    assert_eq!(opened_at(3900), [3]);
    assert_eq!(opened_at(3901), [2]);
    assert_eq!(opened_at(8100), [2, 4]);
}

#[test]
fn a_load_closes_after_its_time_and_below_the_hysteresis_only() {
    let limit = Limit::of(4000, Some(3000));
    assert_eq!(limit, Limit { power_w: 3000, source: LimitSource::Forecast });
    assert_eq!(Limit::of(3000, Some(3000)).source, LimitSource::Contract);
    let dear = limit.at_price(Some(1000));
    assert_eq!(dear, Limit { power_w: 1000, source: LimitSource::Price });
    assert_eq!([limit.at_price(None), limit.at_price(Some(3000))], [limit; 2]);
    let loads = [load(1, 1000), load(5, 800)];
    let mut shedding = Shedding::default();
    let first = shedding.step(minute(0), 4500, limit, &loads, RECLOSING);
    assert_eq!(opened(&first), [0, 1]);
    let open = [load(1, 0), load(5, 0)];
    let mut at = |minutes, net_w| {
        let switchings = shedding.step(minute(minutes), net_w, limit, &open, RECLOSING);
        switchings.iter().map(|it| (it.load, it.open_for.0 / 60_000_000_000)).collect::<Vec<_>>()
    };
    // Room enough, but a minute too early; then room for the higher priority alone, which closes to
    // the minute; 1 W too much for the hysteresis; at last the other one.
    assert_eq!(at(4, 0), []);
    assert_eq!(at(5, 1801), [(1, 5)]);
    assert_eq!(at(6, 1801), []);
    assert_eq!(at(7, 1800), [(0, 7)]);
}

#[test]
fn what_is_open_survives_a_restart_of_the_caller() {
    let state = Shedding { opened: vec![Some(Opened { at: minute(0), power_w: 700 }), None] };
    let loads = [load(0, 0), load(1, 500)];
    let mut again = Shedding { opened: state.opened };
    let switchings = again.step(minute(9), 500, Limit::of(2000, None), &loads, RECLOSING);
    assert_eq!(switchings.len(), 1);
    assert_eq!((switchings[0].load, switchings[0].action), (0, Action::Close));
    assert_eq!((switchings[0].power_w, switchings[0].expected_w), (700, 1200));
}
