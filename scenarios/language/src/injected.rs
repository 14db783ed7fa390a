//! What is recorded of injections, with the names of those whom they befall.

use lastmeter_record::{Event, TimeMode, field};
use lastmeter_units::SimTime;

use super::references::{Target, Through};
use super::scenario::Scenario;
use super::section::inject::Injection;

impl Injection {
    /// What is recorded when it begins; `index` is its place in the scenario.
    pub fn begun(&self, index: usize, scenario: &Scenario, at: SimTime) -> Option<Event> {
        let befallen = match &self.target {
            Target::Device(device) | Target::Bus { device: Some(device), .. } => {
                Some(&scenario.devices[*device].name)
            }
            Target::Gateway(gateway) => Some(&scenario.gateways[*gateway].name),
            Target::Application(application) => Some(&scenario.applications[*application].name),
            Target::Simulator(simulator) => Some(&scenario.simulators[*simulator].name),
            _ => None,
        };
        let befallen = befallen.map(String::as_str);
        let mut event = Event::inject(at, self.kind.entry().name, befallen, &self.detail());
        if let Some(until) = self.until() {
            event = event.with(field::UNTIL, (scenario.schedule.start + until).to_string());
        }
        event = match &self.target {
            Target::Source(source) => {
                let name = &scenario.plant.sources[*source].name;
                event.with(field::INTO, format!("source:{name}"))
            }
            Target::Bus { network, .. } => {
                let name = &scenario.networks[*network].name;
                event.with(field::INTO, format!("network:{name}"))
            }
            Target::Network => {
                event.with(field::INTO, self.values.text_opt("into").unwrap_or("grid"))
            }
            Target::Link(through) => {
                event.with(field::LINK, scenario.links[through.link].name.as_str())
            }
            _ => event,
        };
        let lanes = |through: &Through| {
            let is_real = scenario.schedule.time == TimeMode::Real;
            is_real.then(|| scenario.lanes(through.link, through.devices.as_deref()))
        };
        self.kind.begun(self, &lanes, event).map(|event| self.numbered(index, scenario, event))
    }

    /// What is recorded when it ends: that its link is itself again.
    pub fn ended(&self, index: usize, scenario: &Scenario, at: SimTime) -> Option<Event> {
        let link = &scenario.links[self.through()?.link];
        let event = Event::restored(at, &link.name, self.kind.entry().name);
        Some(self.numbered(index, scenario, event))
    }

    /// In real time what befalls links overlaps: by its number the end of an injection is found.
    fn numbered(&self, index: usize, scenario: &Scenario, event: Event) -> Event {
        match (scenario.schedule.time, self.through()) {
            (TimeMode::Real, Some(_)) => event.with(field::INJECTION, index),
            _ => event,
        }
    }
}
