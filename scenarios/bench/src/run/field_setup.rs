//! Puts a gateway, its networks and the devices there together, from the scenario.
//!
//! Every device of a scenario is set up once, in the scenario's order; those on a network then move
//! into the field of its gateway.

use std::collections::VecDeque;
use std::sync::Arc;

use lastmeter_devices::endpoint::{Endpoint, EndpointInput, EndpointSetup, Probe, Shown};
use lastmeter_devices::{EPOCH, GatewayContext, NetworkContext, slcan_adapter};
use lastmeter_language::{GatewayRow, Order, Scenario, ShownBy, SimulatorRow};
use lastmeter_link::medium::{Medium, MediumSpec};
use lastmeter_params::Diagnostics;
use lastmeter_rts::point_map::PointMap;
use lastmeter_sim::MeteringPoint;
use lastmeter_units::{HardwareId, SimTime};
use lastmeter_wire::topics::TENANT;

use super::bus_faults::{BusCounters, disturb};
use super::device_setup::DeviceSetup;
use super::error::BenchError;
use super::exchanges::BusExchanges;
use super::field::{Field, FieldDevice, FieldNetwork, MakeGateway};
use super::field_simulator::FieldSimulator;
use super::injecting::ahead;
use super::real_node::RealNode;

/// The field of a gateway; the devices on its networks are taken out of the setups, which are in
/// the scenario's order.
pub(crate) fn field(
    scenario: &Scenario,
    row: &GatewayRow,
    setups: &mut [Option<DeviceSetup>],
) -> Result<Field, BenchError> {
    let broken = || BenchError::unmade(&row.name);
    let (mut networks, mut devices, mut contexts) = (Vec::new(), Vec::new(), Vec::new());
    for &network in &row.networks {
        let (on, context) = field_network(scenario, network, setups, (&row.name, &mut devices))?;
        networks.push(on);
        contexts.push(context);
    }
    let make = make_gateway(scenario, row, contexts).ok_or_else(broken)?;
    let start = scenario.schedule.start;
    let nodes = real_nodes(scenario, (row, &networks), &devices);
    let mut field = Field::new(&row.name, start, make, networks, devices).ok_or_else(broken)?;
    field.place_real_nodes(nodes);
    Ok(field)
}

/// The field of a simulated bus that somebody on a real line is on: as its second network, where an
/// SLCAN adapter is between both. It is called as the network.
pub(crate) fn adapter_field(
    scenario: &Scenario,
    network: usize,
    setups: &mut [Option<DeviceSetup>],
) -> Result<Field, BenchError> {
    let name = &scenario.networks[network].name;
    let mut devices = Vec::new();
    let (bus, NetworkContext { bits_per_second, .. }) =
        field_network(scenario, network, setups, (name, &mut devices))?;
    let line = FieldNetwork {
        medium: None,
        devices: Vec::new(),
        simulator: None,
        exchanges: None,
        captured_as: None,
        counters: None,
    };
    let make: MakeGateway = Box::new(move |_| Some(slcan_adapter(bits_per_second)));
    let start = scenario.schedule.start;
    let field = Field::new(name, start, make, vec![bus, line], devices);
    field.ok_or_else(|| BenchError::unmade(name))
}

/// The devices that are real by a line of their own; those of one line are behind one adapter,
/// which is on the bus as the first of them.
fn real_nodes(
    scenario: &Scenario,
    (row, networks): (&GatewayRow, &[FieldNetwork]),
    devices: &[FieldDevice],
) -> Vec<RealNode> {
    let mut nodes: Vec<RealNode> = Vec::new();
    for (number, (network, on)) in row.networks.iter().zip(networks).enumerate() {
        let rate = scenario.networks[*network].bits_per_second().unwrap_or(0);
        for (place, device) in on.devices.iter().map(|&device| &devices[device]).enumerate() {
            let Some(address) = &scenario.devices[device.index].line else { continue };
            if !nodes.iter().any(|node| node.network == number && node.address == *address) {
                let at = (number, place);
                nodes.push(RealNode::new(&device.name, address.clone(), at, rate));
            }
        }
    }
    nodes
}

/// A network with its devices, which come behind those that there are.
fn field_network(
    scenario: &Scenario,
    network: usize,
    setups: &mut [Option<DeviceSetup>],
    (master, devices): (&str, &mut Vec<FieldDevice>),
) -> Result<(FieldNetwork, NetworkContext), BenchError> {
    let medium_row = &scenario.networks[network];
    let broken = || BenchError::unmade(&medium_row.name);
    let simulator = simulator(scenario, network)?;
    let mut places = Vec::new();
    let mut addresses = Vec::new();
    for (index, device) in scenario.devices.iter().enumerate() {
        if device.on != Some(network) {
            continue;
        }
        let setup = setups[index].take().ok_or_else(broken)?;
        let id = HardwareId::new(&device.name).map_err(|_| broken())?;
        addresses.push((id, setup.device.network_address().unwrap_or_default()));
        places.push(devices.len());
        devices.push(FieldDevice {
            // What a simulator's points stand for does nothing by itself.
            is_hardware: device.is_hardware || simulator.is_some(),
            index,
            name: device.name.clone(),
            device: setup.device,
            feed: setup.feed,
            last_turn: None,
        });
    }
    let stream = scenario.streams().stream(&format!("network/{}", medium_row.name));
    let spec = (medium_row.kind.build)(&medium_row.values, &mut Diagnostics::new());
    let spec = spec.ok_or_else(broken)?;
    let ends = if simulator.is_some() { 1 } else { places.len() };
    // Where no bytes go over it, a real line leads to it.
    let is_simulated = medium_row.line.is_none() || !spec.carries_bytes();
    let mut medium = is_simulated.then(|| spec.open(ends, scenario.schedule.start, &stream));
    if let Some(can) = medium.as_mut().and_then(Medium::can) {
        let on = places.iter().map(|&place: &usize| &devices[place]);
        disturb(can, scenario, network, on);
    }
    let bits_per_second = spec.bits_per_second().unwrap_or(0);
    let is_can = matches!(spec, MediumSpec::Can(_));
    let names = || places.iter().map(|&place| devices[place].name.clone()).collect();
    let on = FieldNetwork {
        medium,
        simulator,
        exchanges: is_can.then(|| BusExchanges::new(&medium_row.name, bits_per_second)),
        counters: is_can.then(|| BusCounters::new(&medium_row.name, master, names())),
        devices: places,
        captured_as: spec.is_captured().then_some(network),
    };
    Ok((on, NetworkContext { bits_per_second, devices: addresses }))
}

/// The simulator on a network, with the network of the plant, which it takes for itself.
fn simulator(scenario: &Scenario, network: usize) -> Result<Option<FieldSimulator>, BenchError> {
    let Some(row) = scenario.simulator_on(network) else { return Ok(None) };
    let failed = |message: &str| BenchError::device(&row.name, message);
    let every = scenario.poll_period(network);
    let every = every.ok_or_else(|| failed("how often its adapter reports is unknown"))?;
    let start = scenario.schedule.start;
    let end = Some(start + scenario.schedule.duration);
    let endpoint = endpoint_of(scenario, row, false, (start, end)).map_err(|why| failed(&why))?;
    let inputs = inputs_of(scenario, start);
    Ok(Some(FieldSimulator::new(&row.name, endpoint, (start, every), inputs)))
}

/// What befalls the simulator, and when, in order.
pub fn inputs_of(scenario: &Scenario, start: SimTime) -> VecDeque<(SimTime, EndpointInput)> {
    let faults = ahead(scenario, |order| match order {
        Order::Simulator(fault) => Some(EndpointInput::Fault(fault)),
        _ => None,
    });
    faults.into_iter().map(|(injection, input)| (start + injection.at, input)).collect()
}

/// A simulator with the network of the plant, which it takes for itself.
pub fn endpoint_of(
    scenario: &Scenario,
    row: &SimulatorRow,
    is_stream: bool,
    (start, end): (SimTime, Option<SimTime>),
) -> Result<Endpoint, String> {
    let grid = scenario.take_live_grid();
    let mut grid = grid.ok_or_else(|| "its network is played by another run".to_owned())?;
    if end.is_some() {
        grid.keep();
    }
    let live_point = |device: &usize| {
        let source = &scenario.plant.sources[scenario.devices[*device].source];
        source.metering_point.as_ref().and_then(MeteringPoint::live).cloned()
    };
    let shown = |by: &ShownBy| {
        Some(match by {
            ShownBy::Quantity(device, id) => Shown::Value(Probe::new(live_point(device)?, *id)),
            ShownBy::Waveform(device, channel) => Shown::Waveform(live_point(device)?, *channel),
            ShownBy::Breaker(at) => Shown::Breaker(*at),
            ShownBy::Echo(place) => Shown::Echo(*place),
            ShownBy::Status(role) => Shown::Status(*role),
            ShownBy::Word(word) => Shown::Word(*word),
        })
    };
    let shows = row.shows.iter().map(shown).collect::<Option<Vec<Shown>>>();
    let shows = shows.ok_or_else(|| "a device is at no place of the network".to_owned())?;
    let (map, drives) = (PointMap::clone(&row.map), row.drives.clone());
    Endpoint::new(EndpointSetup { map, is_stream, grid, start, end, shows, drives })
}

fn make_gateway(
    scenario: &Scenario,
    row: &GatewayRow,
    networks: Vec<NetworkContext>,
) -> Option<MakeGateway> {
    let hardware_id = HardwareId::new(&row.name).ok()?;
    let (name, kind, values) = (row.name.clone(), row.kind, Arc::clone(&row.values));
    let start = scenario.schedule.start;
    let (files, streams) = (scenario.written.files.clone(), scenario.streams());
    Some(Box::new(move |kept| {
        let context = GatewayContext {
            name: &name,
            hardware_id: hardware_id.clone(),
            tenant: TENANT,
            start,
            epoch: EPOCH,
            networks: networks.clone(),
            streams: &streams,
            files: &files,
        };
        (kind.build)(&values, &context, kept, &mut Diagnostics::new())
    }))
}
