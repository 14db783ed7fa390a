//! What a scenario does to the bench, when, and what is noted of it.

use std::collections::VecDeque;

use lastmeter_record::{Event, TimeMode, field};
use lastmeter_units::{SimDuration, SimTime};

use crate::language::{Action, Injection, Scenario};

/// Something that is to be done at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// The injection of this index begins.
    Begin(usize),
    /// It ends.
    End(usize),
}

/// When an injection that the bench itself has to end is over.
pub(crate) fn until(injection: &Injection) -> Option<SimDuration> {
    match &injection.action {
        Action::Impair { until, .. } | Action::Disconnect { until, .. } => *until,
        // Devices know the ends of their faults themselves, and terminals of what happens there;
        // in a network everything lasts until the next.
        Action::Device { .. }
        | Action::Source { .. }
        | Action::Grid { .. }
        | Action::Motion
        | Action::Command { .. }
        | Action::RestartGateway { .. }
        | Action::Simulator { .. }
        | Action::KillPlatform => None,
    }
}

/// What happens when, since the start: injections, and the ends of those that last.
pub(crate) fn acts(scenario: &Scenario) -> VecDeque<(SimDuration, Act)> {
    let mut acts = Vec::new();
    for (index, injection) in scenario.injections.iter().enumerate() {
        acts.push((injection.at, Act::Begin(index)));
        acts.extend(until(injection).map(|until| (until, Act::End(index))));
    }
    // At one instant what ends comes before what begins: the next may begin right then.
    acts.sort_by_key(|(at, act)| (*at, matches!(act, Act::Begin(_))));
    acts.into()
}

/// What is noted of an act; commands and kills are noted when they are carried out.
pub(crate) fn noted(scenario: &Scenario, act: Act, at: SimTime) -> Option<Event> {
    match act {
        Act::Begin(index) => begun(scenario, index, at),
        Act::End(index) => ended(scenario, index, at),
    }
}

fn begun(scenario: &Scenario, index: usize, at: SimTime) -> Option<Event> {
    let injection = &scenario.injections[index];
    let event = |device: Option<&str>| {
        let event = Event::inject(at, injection.kind, device, &injection.detail());
        match until(injection) {
            Some(until) => event.with(field::UNTIL, (scenario.schedule.start + until).to_string()),
            None => event,
        }
    };
    let of_link = |link: usize| event(None).with(field::LINK, scenario.links[link].name.as_str());
    Some(match &injection.action {
        Action::Device { device, .. } => event(Some(&scenario.devices[*device].name)),
        Action::Source { source } => {
            let name = &scenario.plant.sources[*source].name;
            event(None).with(field::INTO, format!("source:{name}"))
        }
        Action::Grid { .. } | Action::Motion => {
            let into = injection.values.text_opt("into").unwrap_or("grid");
            event(None).with(field::INTO, into)
        }
        Action::RestartGateway { gateway } => event(Some(&scenario.gateways[*gateway].name)),
        Action::Simulator { simulator, .. } => event(Some(&scenario.simulators[*simulator].name)),
        Action::Impair { link, .. } => numbered(scenario, of_link(*link), index),
        Action::Disconnect { link, devices, .. } => {
            let mut event = of_link(*link);
            if scenario.schedule.time == TimeMode::Real {
                event = event.with(field::LANES, scenario.lanes(*link, devices.as_deref()));
            }
            numbered(scenario, event, index)
        }
        Action::Command { .. } | Action::KillPlatform => return None,
    })
}

fn ended(scenario: &Scenario, index: usize, at: SimTime) -> Option<Event> {
    let injection = &scenario.injections[index];
    let (Action::Impair { link, .. } | Action::Disconnect { link, .. }) = &injection.action else {
        return None;
    };
    let name = scenario.links[*link].name.as_str();
    let event = Event::restored(at, name, injection.kind);
    Some(numbered(scenario, event, index))
}

/// In real time what is broken overlaps: by its number the end of an injection is found.
fn numbered(scenario: &Scenario, event: Event, index: usize) -> Event {
    match scenario.schedule.time {
        TimeMode::Real => event.with(field::INJECTION, index),
        TimeMode::Virtual => event,
    }
}
