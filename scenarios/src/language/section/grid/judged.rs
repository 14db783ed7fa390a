//! What checks are told of the network of a scenario.

use lastmeter_reports::check::PlannedNetwork;
use lastmeter_sim::grid::Playing;

use super::feed::Grid;

/// The network as far as it could be read. What acts in one that is played ahead shows when it is.
pub(crate) fn planned_network(grid: &Grid) -> PlannedNetwork {
    let (ahead, live) = (grid.ahead.as_deref(), grid.live.as_ref());
    let elements = live.map(|live| {
        let switches = live.network.switches.iter().map(|it| format!("switch:{}", it.name));
        live.moving.iter().flatten().cloned().chain(switches).collect()
    });
    let motion = ahead.map(Playing::motion);
    PlannedNetwork {
        is_in_motion: motion
            .map(|motion| motion.is_some())
            .or_else(|| live.map(|live| live.moving.is_some())),
        is_simulated: live.is_some(),
        has_planned_outages: motion.flatten().is_none_or(|motion| !motion.planned.is_empty()),
        elements,
    }
}
