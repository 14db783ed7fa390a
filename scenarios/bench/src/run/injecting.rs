//! What a scenario does to the bench, when, and what is noted of it.

use std::collections::VecDeque;

use lastmeter_language::{Injection, Order, Scenario};
use lastmeter_record::Event;
use lastmeter_units::{SimDuration, SimTime};

use super::requests::requests;

/// Something that is to be done at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimedAction {
    /// The injection of this index begins.
    Begin(usize),
    /// The injection of this index ends.
    End(usize),
    /// The request of this index is sent.
    Request(usize),
}

impl TimedAction {
    /// When its turn comes at an instant.
    fn turn(self) -> u8 {
        match self {
            Self::End(_) => 0,
            Self::Begin(_) => 1,
            Self::Request(_) => 2,
        }
    }

    /// What is noted of it; commands, requests and kills are noted when they are carried out.
    pub(crate) fn noted(self, scenario: &Scenario, at: SimTime) -> Option<Event> {
        match self {
            Self::Begin(index) => scenario.injections[index].begun(index, scenario, at),
            Self::End(index) => scenario.injections[index].ended(index, scenario, at),
            Self::Request(_) => None,
        }
    }

    /// What the bench has to do.
    pub(crate) fn orders(self, scenario: &Scenario) -> Vec<Order> {
        match self {
            Self::Begin(index) => scenario.injections[index].begin(),
            Self::End(index) => scenario.injections[index].end(),
            Self::Request(_) => Vec::new(),
        }
    }
}

/// What happens when, since the start: injections, and the ends of those that last.
pub(crate) fn acts(scenario: &Scenario) -> VecDeque<(SimDuration, TimedAction)> {
    let mut acts = Vec::new();
    for (index, injection) in scenario.injections.iter().enumerate() {
        acts.push((injection.at, TimedAction::Begin(index)));
        acts.extend(injection.until().map(|until| (until, TimedAction::End(index))));
    }
    let requests = requests(scenario).iter().enumerate();
    acts.extend(requests.map(|(index, request)| (request.at, TimedAction::Request(index))));
    // At one instant what ends comes before what begins: the next may begin right then. Requests
    // find what was begun.
    acts.sort_by_key(|(at, act)| (*at, act.turn()));
    acts.into()
}

/// Those orders of beginning injections that somebody has to know ahead, in order of time.
pub(crate) fn ahead<T>(
    scenario: &Scenario,
    of: impl Fn(Order) -> Option<T>,
) -> Vec<(&Injection, T)> {
    let of_one = |injection| {
        let orders = Injection::begin(injection).into_iter();
        orders.filter_map(&of).map(move |order| (injection, order))
    };
    let mut all: Vec<(&Injection, T)> = scenario.injections.iter().flat_map(of_one).collect();
    all.sort_by_key(|(injection, _)| injection.at);
    all
}
