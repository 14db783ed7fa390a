//! Which loads are opened while the household takes more than it may, and when they close again.
//!
//! Rule: the excess is net power less the limit. Where one load covers it, the one of lowest
//! priority that does is opened. Where none does, the fewest loads that do together: of these sets
//! the one that reaches least far up the priorities, with the greatest powers up to there. Where
//! even all of them do not cover it, all are opened, and what remains is named. A load closes again
//! after it has been open for a least time, as soon as net power with it would be below the limit
//! by a hysteresis: the highest priority first.

use lastmeter_units::{SimDuration, SimTime};

use crate::quantity::POWER_MAX_W;

lastmeter_units::words! {
    /// Where a limit comes from.
    pub enum LimitSource {
        /// The power of the contract.
        Contract = "contract",
        /// The forecast of renewable energy.
        Forecast = "forecast",
        /// What the customer takes at most while energy is dear.
        Price = "price",
    }
}

/// The net power that the household may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// In W.
    pub power_w: i64,
    /// Where it comes from.
    pub source: LimitSource,
}

impl Limit {
    /// The lower of both; the contract's if there is no forecast, or both are the same.
    pub fn of(contract_w: i64, forecast_w: Option<i64>) -> Self {
        match forecast_w.filter(|forecast| *forecast < contract_w) {
            Some(power_w) => Self { power_w, source: LimitSource::Forecast },
            None => Self { power_w: contract_w, source: LimitSource::Contract },
        }
    }

    /// The lower of this limit and that of the price, where one holds; this one if they are the
    /// same.
    #[must_use]
    pub fn at_price(self, price_w: Option<i64>) -> Self {
        match price_w.filter(|price| *price < self.power_w) {
            Some(power_w) => Self { power_w, source: LimitSource::Price },
            None => self,
        }
    }
}

/// A load with a switching unit, as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchedLoad {
    /// The higher, the later it is opened; of equal ones the first is opened first.
    pub priority: u8,
    /// What it draws, in W.
    pub power_w: i64,
    /// Whether the customer allows that it is opened.
    pub is_allowed: bool,
}

/// How loads close again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reclosing {
    /// By how much net power has to stay below the limit, in W.
    pub hysteresis_w: i64,
    /// How long a load is open at least.
    pub open_at_least: SimDuration,
}

/// A load that is open, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// When it was opened.
    pub at: SimTime,
    /// What it drew before, in W: what it is expected to draw again.
    pub power_w: i64,
}

lastmeter_units::words! {
    /// What a switching unit does.
    pub enum Action {
        /// It opens.
        Open = "open",
        /// It closes: shedding does not hold it open any more.
        Close = "close",
    }
}

/// One switching, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switching {
    /// Which load, by its place.
    pub load: usize,
    /// What is done.
    pub action: Action,
    /// Net power in W before all switchings of this step.
    pub net_w: i64,
    /// The limit that held.
    pub limit: Limit,
    /// What the load draws, or is expected to draw, in W.
    pub power_w: i64,
    /// Net power in W that is expected after all switchings of this step.
    pub expected_w: i64,
    /// By how much that is still above the limit, in W.
    pub uncovered_w: i64,
    /// For how long the load was open; zero where it opens.
    pub open_for: SimDuration,
}

/// Which loads are open, by their place: a caller that goes on after a restart hands it over again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shedding {
    /// For each load, since when it is open.
    pub opened: Vec<Option<Opened>>,
}

impl Shedding {
    /// What is switched now, with net power as it is measured; loads keep their places.
    pub fn step(
        &mut self,
        at: SimTime,
        net_w: i64,
        limit: Limit,
        loads: &[SwitchedLoad],
        reclosing: Reclosing,
    ) -> Vec<Switching> {
        self.opened.resize(loads.len(), None);
        let net_w = net_w.clamp(-POWER_MAX_W, POWER_MAX_W);
        let limit_w = limit.power_w.clamp(-POWER_MAX_W, POWER_MAX_W);
        let of = |load: usize, action, power_w, open_for| Switching {
            load,
            action,
            net_w,
            limit,
            power_w,
            expected_w: net_w,
            uncovered_w: 0,
            open_for,
        };
        let mut expected_w = net_w;
        let mut switchings = Vec::new();
        for load in chosen(net_w - limit_w, &self.candidates(loads)) {
            let power_w = load.power_w;
            expected_w -= power_w;
            self.opened[load.place] = Some(Opened { at, power_w });
            switchings.push(of(load.place, Action::Open, power_w, SimDuration::ZERO));
        }
        if net_w <= limit_w {
            for load in self.closing(at, loads, reclosing) {
                let Some(opened) = self.opened[load] else { continue };
                if expected_w + opened.power_w + reclosing.hysteresis_w.max(0) <= limit_w {
                    expected_w += opened.power_w;
                    self.opened[load] = None;
                    switchings.push(of(load, Action::Close, opened.power_w, at - opened.at));
                }
            }
        }
        for switching in &mut switchings {
            switching.expected_w = expected_w;
            switching.uncovered_w = (expected_w - limit_w).max(0);
        }
        switchings
    }

    /// Loads that may be opened, the lowest priority first.
    fn candidates(&self, loads: &[SwitchedLoad]) -> Vec<Candidate> {
        let closed = loads.iter().zip(&self.opened).enumerate();
        let mut found: Vec<(u8, Candidate)> = closed
            .filter(|(_, (load, opened))| load.is_allowed && opened.is_none() && load.power_w > 0)
            .map(|(place, (load, _))| {
                (load.priority, Candidate { place, power_w: load.power_w.min(POWER_MAX_W) })
            })
            .collect();
        found.sort_by_key(|(priority, _)| *priority);
        found.into_iter().map(|(_, candidate)| candidate).collect()
    }

    /// Loads that were open for long enough, the highest priority first.
    fn closing(&self, at: SimTime, loads: &[SwitchedLoad], reclosing: Reclosing) -> Vec<usize> {
        let is_due = |load: &usize| {
            self.opened[*load].is_some_and(|opened| at - opened.at >= reclosing.open_at_least)
        };
        let mut due: Vec<usize> = (0..loads.len()).filter(is_due).collect();
        due.sort_by_key(|load| std::cmp::Reverse(loads[*load].priority));
        due
    }
}

/// A load that may be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Candidate {
    place: usize,
    power_w: i64,
}

/// The loads to be opened of candidates that are in order of priority.
fn chosen(excess_w: i64, candidates: &[Candidate]) -> Vec<Candidate> {
    if excess_w <= 0 {
        return Vec::new();
    }
    let Some(fewest) = (1..=candidates.len()).find(|count| {
        let power: i64 = greatest(*count, candidates).iter().map(|load| load.power_w).sum();
        power >= excess_w
    }) else {
        return candidates.to_vec();
    };
    let sets = (fewest..=candidates.len()).map(|end| greatest(fewest, &candidates[..end]));
    let covers =
        |set: &Vec<Candidate>| set.iter().map(|load| load.power_w).sum::<i64>() >= excess_w;
    sets.into_iter().find(covers).unwrap_or_default()
}

/// The candidates of greatest power, as many as asked for, the lowest priority first among equals.
fn greatest(count: usize, candidates: &[Candidate]) -> Vec<Candidate> {
    let mut sorted = candidates.to_vec();
    sorted.sort_by_key(|load| std::cmp::Reverse(load.power_w));
    sorted.truncate(count);
    sorted
}
