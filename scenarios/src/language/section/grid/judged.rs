//! What checks are told of the network of a scenario.

use lastmeter_reports::check::PlannedNetwork;
use lastmeter_sim::grid::Feeder;

use super::feed::Grid;

/// The network as far as it could be read.
pub(crate) fn planned_network(grid: &Grid) -> PlannedNetwork {
    let (feeder, live) = (grid.feeder.as_deref(), grid.live.as_ref());
    let is_in_motion = feeder.map(Feeder::is_in_motion);
    let (network, names): (_, Vec<String>) = match (feeder, live) {
        (Some(feeder), _) => {
            let devices = feeder.protectors().iter().map(|it| it.name.to_string());
            let done = feeder.operations().iter().map(|it| it.element.to_string());
            (Some(feeder.network()), devices.chain(done).collect())
        }
        (None, Some(live)) => (Some(&*live.network), live.moving.clone().unwrap_or_default()),
        (None, None) => (None, Vec::new()),
    };
    let elements = network.map(|network| {
        let switches = network.switches.iter().map(|it| format!("switch:{}", it.name));
        names.into_iter().chain(switches).collect()
    });
    PlannedNetwork {
        is_in_motion: is_in_motion.or_else(|| live.map(|live| live.moving.is_some())),
        is_simulated: live.is_some(),
        has_planned_outages: feeder.is_none_or(Feeder::has_planned_outages),
        elements,
    }
}
