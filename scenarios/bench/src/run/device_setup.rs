//! What both benches make of a device of the scenario before it is connected.

use lastmeter_devices::{Device, DeviceFault};
use lastmeter_language::{DeviceRow, Order, Scenario, reported};
use lastmeter_units::SimDuration;

use super::error::BenchError;
use super::injecting::ahead;
use super::ledger::{Account, AccountTerms, SupplyOutages};
use super::programs;
use super::signal_feed::SignalFeed;

/// How long a node may take to join.
const JOINING_MAX: SimDuration = SimDuration::from_seconds(30);

/// A device at its metering point.
pub struct DeviceSetup {
    /// The device.
    pub device: Box<dyn Device>,
    /// What feeds it.
    pub feed: SignalFeed,
    /// Its reporting period.
    pub(crate) period: SimDuration,
}

/// Builds the device of an index, with the account of what it owes; a board has to have an image of
/// this CRC-32 in it.
pub fn device_setup(
    scenario: &Scenario,
    index: usize,
    image: Option<u32>,
) -> Result<(DeviceSetup, Account), BenchError> {
    let row = &scenario.devices[index];
    let point = scenario.plant.sources[row.source].metering_point.clone();
    let (Some(mut device), Some(point)) = (scenario.build_device_with(index, image), point) else {
        return Err(BenchError::unmade(&row.name));
    };
    programs::start(scenario, row, device.as_mut())?;
    let period = due_every(scenario, row, device.as_ref())?;
    let supply = device.supply();
    let darkness = SupplyOutages::of(supply.as_ref(), point.terminal(), scenario.schedule.duration);
    let is_carried = scenario.is_carried(index);
    let account = Account::open(AccountTerms {
        darkness,
        answers_others: scenario.is_read_elsewhere(index) && !row.is_hardware,
        device: row.name.clone(),
        index,
        metering_point: point.clone(),
        electricity: device.electricity(),
        quantities: reported(&row.values, device.quantities()),
        start: scenario.schedule.start,
        period,
        offset: row.on.map_or(SimDuration::ZERO, |network| scenario.poll_offset(network)),
        end: scenario.schedule.start + scenario.schedule.duration,
        declared: row.declared.or_else(|| device.declared()),
        way: row.on.map(|network| scenario.way_of(network).to_owned()),
        is_closed_here: row.board.is_some(),
        may_leave_out: is_carried
            || row.on.is_some_and(|network| scenario.simulator_on(network).is_some()),
        is_carried,
        away: away(scenario, index),
    });
    let feed = SignalFeed::new(point, scenario.schedule.start);
    Ok((DeviceSetup { device, feed, period }, account))
}

/// When a node is no member of its network: from when it is taken away until it has joined again.
fn away(scenario: &Scenario, index: usize) -> Vec<(SimDuration, SimDuration)> {
    let faults = ahead(scenario, |order| match order {
        Order::Fault { device, fault: DeviceFault::Away { until, .. } } if device == index => {
            Some(until - scenario.schedule.start + JOINING_MAX)
        }
        _ => None,
    });
    faults.into_iter().map(|(injection, until)| (injection.at, until)).collect()
}

/// How often a reading is due: as often as the gateway is to poll, or as the scenario asks of the
/// device; that the device follows it is for the checks to find out, but one that does not even
/// claim to is broken.
fn due_every(
    scenario: &Scenario,
    row: &DeviceRow,
    device: &dyn Device,
) -> Result<SimDuration, BenchError> {
    if let Some(polled) = row.on.and_then(|network| scenario.poll_period(network)) {
        return Ok(polled);
    }
    let Some(asked) = row.values.duration_opt("report_every") else {
        return Ok(device.report_period());
    };
    if device.report_period() == asked {
        return Ok(asked);
    }
    let reports = device.report_period();
    Err(BenchError::device(&row.name, format!("it reports every {reports}, not every {asked}")))
}
