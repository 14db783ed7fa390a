//! When movable loads run: a start for each, by the strategy that the customer selected.
//!
//! Time is cut into slots of one length, in each of which one price holds and the power of what
//! cannot be moved is forecast. A load has a power for each slot of its run, is not interrupted,
//! and lies in its window as a whole. With `net` the power of everything in a slot, positive where
//! it is imported, a strategy looks for the least of:
//!
//! | strategy | its measure |
//! |---|---|
//! | least cost | the amount of all slots: import at its price, less export at its own |
//! | most own energy | energy that is fed in, so that most of it is used in the household |
//! | lowest peak | the highest `net` of a slot |
//! | comfort first | each load's start, as early as it is wished |
//!
//! Where nothing is paid for export, the first is the paper's rule: the sum of price x (power
//! beyond the surplus). One load has the best of all its starts. Several are placed one after
//! another, the one of most energy first, and then two at a time are moved to the best of all their
//! pairs of starts while that helps (up to [`ROUNDS_MAX`] times all pairs): so two loads have the
//! best pair of all. Of equally good starts the earlier one is taken.
//!
//! Bounds for more than two loads: energy of the household's own that is used is at least half of
//! what is possible, and so is, where export never pays more than import costs, the saving against
//! loads that run at their dearest and use no surplus. Both are monotone submodular, with one start
//! for each load (Fisher, Nemhauser and Wolsey, "An analysis of approximations for maximizing
//! submodular set functions II", 1978). A peak is at most that of what cannot be moved, or zero if
//! that is below, plus the highest powers of all loads.

mod forecast;
mod placing;

use lastmeter_units::SimTime;

pub use forecast::{Forecast, ForecastError, SLOTS_MAX, Slot};
pub use placing::ROUNDS_MAX;

use crate::quantity::{Amount, Energy, POWER_MAX_W};
use placing::{Placing, Run};

/// The most loads that are placed at once.
pub const LOADS_MAX: usize = 16;

lastmeter_units::words! {
    /// What the customer wants of the household's energy.
    pub enum Strategy {
        /// The lowest bill.
        LeastCost = "least cost",
        /// The most energy of the household's own production used in it.
        MostOwnEnergy = "most own energy",
        /// The lowest of highest powers.
        LowestPeak = "lowest peak",
        /// Each load as early as it is wished.
        ComfortFirst = "comfort first",
    }
}

/// A load that may be moved in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovableLoad {
    /// Its power in W in each slot of its run.
    pub profile_w: Vec<i64>,
    /// When it may start at the earliest.
    pub from: SimTime,
    /// When it must have ended.
    pub until: SimTime,
}

/// What a start of one load brings about, with all other loads as they are placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// When it starts.
    pub start: SimTime,
    /// By how much the load raises the bill.
    pub cost: Amount,
    /// How much of its energy is the household's own, which would have been fed in without it.
    pub own: Energy,
    /// The highest net power in W of all slots.
    pub peak_w: i64,
}

lastmeter_units::words! {
    /// What keeps a load from a start that is better in the strategy's measure.
    pub enum Binding {
        /// Nothing: one slot earlier or later would not be better, or is allowed as well.
        Nothing = "nothing",
        /// It may not start one slot earlier, which would be better.
        WindowBegin = "begin of window",
        /// It may not end one slot later, which would be better.
        WindowEnd = "end of window",
        /// It starts as late as prices and forecast reach; its window goes on.
        Horizon = "horizon",
    }
}

/// When a load runs, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// By which strategy.
    pub strategy: Strategy,
    /// What was chosen.
    pub chosen: Effect,
    /// What it is to be compared with: the earliest start; if that is chosen, the cheapest other
    /// one. None if there is one start only.
    pub alternative: Option<Effect>,
    /// What limits the choice.
    pub binding: Binding,
}

lastmeter_units::words! {
    /// Why a load has no start.
    pub enum Unplaced {
        /// What is left of its window is shorter than its run.
        WindowTooShort = "window too short",
        /// Its window has room, but prices or forecast are not known for long enough.
        BeyondHorizon = "beyond horizon",
    }
}

/// What is wrong with loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Too many of them.
    #[error("{0} loads, expected at most {LOADS_MAX}")]
    Number(usize),
    /// A run without slots, or a power that no load has.
    #[error("load {0}: expected powers from 0 to {POWER_MAX_W} W, one for each slot of its run")]
    Profile(usize),
}

/// The forecast with all loads at their starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// When each load runs, or why it does not, in the order in which they were given.
    pub decisions: Vec<Result<Decision, Unplaced>>,
    /// Net power in W of each slot.
    pub net_w: Vec<i64>,
    /// What all slots cost.
    pub cost: Amount,
    /// Energy taken.
    pub import: Energy,
    /// Energy fed in.
    pub export: Energy,
    /// The highest net power in W.
    pub peak_w: i64,
}

/// Places loads by a strategy.
///
/// # Errors
/// There are too many loads, or one has no or impossible powers.
pub fn plan(
    forecast: &Forecast,
    strategy: Strategy,
    loads: &[MovableLoad],
) -> Result<Plan, LoadError> {
    if loads.len() > LOADS_MAX {
        return Err(LoadError::Number(loads.len()));
    }
    let has_powers = |load: &MovableLoad| {
        let mut powers = load.profile_w.iter();
        !load.profile_w.is_empty() && powers.all(|power| (0..=POWER_MAX_W).contains(power))
    };
    if let Some(wrong) = loads.iter().position(|load| !has_powers(load)) {
        return Err(LoadError::Profile(wrong));
    }
    let found: Vec<Result<Run<'_>, Unplaced>> =
        loads.iter().map(|load| run_of(forecast, load)).collect();
    let runs: Vec<Run<'_>> = found.iter().filter_map(|run| run.ok()).collect();
    let placing = Placing::find(forecast, strategy, &runs);
    let mut placed = (0..runs.len()).map(|index| decision(forecast, strategy, &placing, index));
    let decisions = found
        .iter()
        .map(|run| run.and_then(|_| placed.next().ok_or(Unplaced::BeyondHorizon)))
        .collect();
    let net_w = placing.net_w();
    Ok(Plan {
        decisions,
        cost: forecast.cost(net_w),
        import: forecast.energy(net_w, |power| power.max(0)),
        export: forecast.energy(net_w, |power| (-power).max(0)),
        peak_w: peak(net_w),
        net_w: net_w.to_vec(),
    })
}

fn peak(net_w: &[i64]) -> i64 {
    net_w.iter().copied().max().unwrap_or(0)
}

/// The starts that a load has, or why it has none.
fn run_of<'a>(forecast: &Forecast, load: &'a MovableLoad) -> Result<Run<'a>, Unplaced> {
    let slots = load.profile_w.len();
    let first = forecast.first_slot_from(load.from);
    let end = forecast.slots_until(load.until);
    let in_window = end.checked_sub(slots).filter(|last| *last >= first);
    let window_last = in_window.ok_or(Unplaced::WindowTooShort)?;
    let known_last = forecast.slots().len().checked_sub(slots).filter(|last| *last >= first);
    let known_last = known_last.ok_or(Unplaced::BeyondHorizon)?;
    let last = window_last.min(known_last);
    Ok(Run { profile_w: &load.profile_w, first, last, is_cut: window_last > known_last })
}

/// The reason of a load's start, which is compared with others of the same load alone.
fn decision(
    forecast: &Forecast,
    strategy: Strategy,
    placing: &Placing<'_>,
    index: usize,
) -> Decision {
    let (run, start) = (placing.run(index), placing.start(index));
    let without = placing.net_without(index);
    let cost = forecast.cost(&without);
    let export = |net: &[i64]| forecast.energy(net, |power| (-power).max(0));
    let effect = |start: usize| {
        let net = run.added(&without, start);
        Effect {
            start: forecast.instant(start),
            cost: forecast.cost(&net) - cost,
            own: export(&without) - export(&net),
            peak_w: peak(&net),
        }
    };
    let others = (run.first..=run.last).filter(|other| *other != start);
    let alternative = if start == run.first {
        others.map(effect).min_by_key(|effect| effect.cost)
    } else {
        Some(effect(run.first))
    };
    let measure = |start: usize| placing.measure(&run.added(&without, start));
    let is_better = |other: usize| measure(other) < measure(start);
    let latest = forecast.slots().len() - run.profile_w.len();
    let starts_early = start == run.first && start > 0 && is_better(start - 1);
    let binding = if strategy == Strategy::ComfortFirst || starts_early {
        Binding::WindowBegin
    } else if start == run.last && run.is_cut {
        Binding::Horizon
    } else if start == run.last && start < latest && is_better(start + 1) {
        Binding::WindowEnd
    } else {
        Binding::Nothing
    };
    Decision { strategy, chosen: effect(start), alternative, binding }
}
