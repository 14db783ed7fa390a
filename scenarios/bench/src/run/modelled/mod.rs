//! Links in virtual time: when a message would arrive, by the same machines that delay it in real
//! time.
//!
//! The instants that come out are *modelled*: they show something about the link, nothing about the
//! platform, and no verdict on the platform's latency rests on them. What a broker and a network
//! stack add is not modelled: it counts as nothing.

mod downlink;
mod record;
mod uplink;

use std::time::Duration;

use lastmeter_language::{DeviceRow, Injection, NetworkRow, Order, Scenario};
use lastmeter_link::impair::{Leg, LegName};
use lastmeter_units::{SimDuration, SimTime};

use crate::run::injecting::ahead;
pub(crate) use downlink::Downlink;
pub(crate) use record::ModelledRecord;
pub(crate) use uplink::{Outage, ReleasedReading, Uplink};

/// The way from the party of this index and name to the platform through a link; `None` if it
/// passes none.
pub(crate) fn uplink(
    scenario: &Scenario,
    (index, name): (usize, &str),
    via: Option<usize>,
    acknowledge_limit: Duration,
) -> Option<Uplink> {
    let link = via?;
    let up = leg(scenario, link, name, LegName::Up);
    let outages = outages(scenario, link, index);
    Some(Uplink::new(up, outages, SimDuration(acknowledge_limit.as_nanos() as i64)))
}

/// Whether messages have rows in the latency record: without links and observers nobody knows when
/// they pass anything.
pub(crate) fn records_messages(scenario: &Scenario) -> bool {
    !scenario.links.is_empty() || !scenario.observers.is_empty()
}

/// The latency record of a scenario, with the ways to its observers; `None`: it has none.
pub(crate) fn record(scenario: &Scenario) -> Option<ModelledRecord> {
    let records_exchanges = scenario.networks.iter().any(NetworkRow::records_exchanges);
    if !records_messages(scenario) && !records_exchanges {
        return None;
    }
    let observers = scenario.observers.iter().map(|row| {
        let mut covers = vec![false; scenario.devices.len()];
        row.devices.iter().for_each(|&device| covers[device] = true);
        let down = |link: usize, owner: &str| leg(scenario, link, owner, LegName::Down);
        let (legs, outages) = match row.via {
            None => (Vec::new(), Vec::new()),
            Some(link) => {
                let of = |device: &DeviceRow| down(link, &format!("{}.{}", row.name, device.name));
                let legs = if row.per_device {
                    scenario.devices.iter().map(of).collect()
                } else {
                    vec![down(link, &row.name)]
                };
                let broken = |device| outages(scenario, link, device);
                (legs, (0..scenario.devices.len()).map(broken).collect())
            }
        };
        Downlink { name: row.name.clone(), via: row.via, covers, legs, outages }
    });
    let devices = scenario.devices.iter().enumerate();
    let has = |index: usize| records_messages(scenario) && !scenario.is_carried(index);
    let devices = devices.map(|(index, row)| (row.name.clone(), has(index)));
    let start = scenario.schedule.start;
    Some(ModelledRecord::new(start, devices.collect(), observers.collect()))
}

/// A leg of an owner's lane, drawn from the same stream as the proxy draws from.
fn leg(scenario: &Scenario, link: usize, owner: &str, leg: LegName) -> Leg {
    let row = &scenario.links[link];
    let stream = scenario.streams().stream(&format!("link/{}/{owner}/{}", row.name, leg.word()));
    Leg::new(&row.spec, leg, &stream)
}

/// When a link is broken for a party.
fn outages(scenario: &Scenario, link: usize, party: usize) -> Vec<Outage> {
    let breakages = ahead(scenario, |order| match order {
        Order::Disconnect { through, how, .. } => {
            (through.link == link && through.is_of(party)).then_some(how)
        }
        _ => None,
    });
    let outage = |(injection, how): (&Injection, _)| {
        let start = scenario.schedule.start;
        let to = injection.until().map_or(SimTime(i64::MAX), |until| start + until);
        Outage { from: injection.instant, to, how }
    };
    breakages.into_iter().map(outage).collect()
}
