//! Puts a bench for virtual time together: platform, devices, modelled links.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use lastmeter_language::{GatewayRow, Scenario};
use lastmeter_link::mqtt::{Session, SessionOptions};
use lastmeter_units::TenantName;

use super::calibrator::Calibrator;
use super::flows::Flows;
use super::obeying::ObeyingPlant;
use super::platform::DrivenPlatform;
use crate::run::applications::Applications;
use crate::run::board::{BoardShell, introduce};
use crate::run::client::{Client, SoleDevice};
use crate::run::connection::Connection;
use crate::run::device_setup::{DeviceSetup, device_setup};
use crate::run::error::BenchError;
use crate::run::field::Field;
use crate::run::field_networks::{FieldNetworks, NodeNames, Registered, node_names};
use crate::run::field_setup::field;
use crate::run::joining::Ledger;
use crate::run::modelled::{self, ModelledRecord};
use crate::run::mqtt_port::MqttPort;
use crate::run::run_platform::{StartOptions, UnderTest};
use crate::run::shell::{Shell, ShellParts};
use crate::run::tenants::RestOfAll;

/// What a bench is assembled from, before there is anything to record.
pub(crate) struct Parts<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) shells: Vec<Shell>,
    pub(crate) ledger: Ledger,
    pub(crate) platform: DrivenPlatform,
    /// The network, where devices are at its switches.
    pub(crate) plant: Option<ObeyingPlant<'a>>,
    /// Counts the acknowledgements of all devices.
    pub(crate) acknowledged: Arc<AtomicU64>,
    /// The latency record, where links or observers are modelled.
    pub(crate) modelled: Option<ModelledRecord>,
    pub(crate) calibrator: Option<Calibrator>,
    pub(crate) applications: Applications,
    pub(crate) flows: Flows,
    /// Those of transparent gateways.
    pub(crate) networks: Option<FieldNetworks>,
}

/// How a client is connected.
struct Route<'a> {
    /// Its index among the parties.
    index: usize,
    tenant: &'a TenantName,
    client_id: &'a str,
    /// The index of its link.
    via: Option<usize>,
    acknowledge_limit: Duration,
    is_bound: bool,
}

/// Builds the devices, and opens their accounts.
fn set_up(
    scenario: &Scenario,
    place: &StartOptions<'_>,
    ledger: &mut Ledger,
) -> Result<Vec<Option<DeviceSetup>>, BenchError> {
    let mut setups = Vec::with_capacity(scenario.devices.len());
    for index in 0..scenario.devices.len() {
        let (setup, account) = device_setup(scenario, index, place.boards.crc32(index))?;
        ledger.accounts.push(account);
        setups.push(Some(setup));
    }
    Ok(setups)
}

/// What registers the networks of transparent gateways, if the scenario has nodes behind any.
async fn networks(
    scenario: &Scenario,
    (platform, rest): (&UnderTest, &mut RestOfAll),
    names: NodeNames,
) -> Result<Option<FieldNetworks>, BenchError> {
    if names.is_empty() {
        return Ok(None);
    }
    rest.require_empty().await?;
    // Gateways take the platform's time when they connect.
    rest.advance(scenario.schedule.start).await?;
    rest.name_nodes(&names);
    Ok(Some(FieldNetworks::new(platform, names)?))
}

/// Registers the network of a gateway, if that dials the dispatcher.
async fn register(
    networks: Option<&FieldNetworks>,
    row: &GatewayRow,
    field: &mut Field,
) -> Result<Option<Registered>, BenchError> {
    let (Some(networks), Some(dials)) = (networks, row.dispatcher()) else { return Ok(None) };
    let registered = networks.register(&row.name, dials).await?;
    field.carries_unread(registered.number);
    Ok(Some(registered))
}

/// The applications of a scenario and who hears topics, registered and connected.
async fn applications(
    scenario: &Scenario,
    (platform, rest): (&UnderTest, &mut RestOfAll),
) -> Result<(Applications, Flows), BenchError> {
    if scenario.applications.is_empty() && !Flows::are_heard(scenario) {
        return Ok((Applications::default(), Flows::default()));
    }
    rest.require_empty().await?;
    // What is registered is so from the start on.
    rest.advance(scenario.schedule.start).await?;
    let applications = Applications::start(scenario, platform).await?;
    Ok((applications, Flows::start(scenario, platform).await?))
}

/// The connection of a client: to the broker, or of a gateway that dials to the dispatcher.
fn connection(
    scenario: &Scenario,
    platform: &UnderTest,
    (port, way): (&MqttPort, &Route<'_>),
    dials: Option<Registered>,
) -> Result<Connection, BenchError> {
    if let Some(Registered { address, settings, .. }) = dials {
        let topic = port.subscriptions().into_iter().next().unwrap_or_default();
        let start = scenario.schedule.start;
        return Ok(Connection::to_dispatcher(address, settings, topic, start));
    }
    let broker = platform.broker_address()?;
    let options = SessionOptions {
        subscriptions: port.subscriptions(),
        ..platform.session_options(way.tenant, way.client_id, broker)?
    };
    let (session, events) = Session::open(options);
    Ok(Connection::Mqtt { session, events })
}

/// Starts the platform and connects the devices to it.
pub(crate) async fn assemble<'a>(
    scenario: &'a Scenario,
    place: &StartOptions<'_>,
) -> Result<Parts<'a>, BenchError> {
    let platform = UnderTest::start(&scenario.platform.choice, place).await?;
    let mut rest = RestOfAll::new(&platform)?;
    let (acknowledged, records_latency) = (Arc::default(), modelled::records_messages(scenario));
    let mut ledger = Ledger::of(scenario);
    let (mut setups, mut shells) = (set_up(scenario, place, &mut ledger)?, Vec::new());
    let names = node_names(scenario, &setups);
    let networks = networks(scenario, (&platform, &mut rest), names).await?;
    let mut open = |it: Client,
                    way: Route<'_>,
                    board: Option<BoardShell>,
                    dials: Option<Registered>|
     -> Result<(), BenchError> {
        let name = it.name().to_owned();
        let tenant = platform.profile.tenant(way.tenant);
        let port = MqttPort::new(&tenant, way.is_bound, it.names().into_iter());
        let connection = connection(scenario, &platform, (&port, &way), dials)?;
        // Links model messages; packets that are numbered by their gateway wait there.
        let modelled = way.via.filter(|_| matches!(connection, Connection::Mqtt { .. }));
        let uplink =
            modelled::uplink(scenario, (way.index, &name), modelled, way.acknowledge_limit);
        shells.push(Shell::new(ShellParts {
            client: it,
            index: way.index,
            via: way.via,
            port,
            connection,
            acknowledged: Arc::clone(&acknowledged),
            uplink,
            records_latency,
            board,
        }));
        Ok(())
    };
    for (index, row) in scenario.devices.iter().enumerate().filter(|(_, row)| row.on.is_none()) {
        let Some(DeviceSetup { mut device, feed, .. }) = setups[index].take() else { continue };
        let mut board = place.boards.start(index, row).await?;
        if let Some(board) = &mut board {
            introduce(board, device.as_mut(), scenario.schedule.start).await?;
        }
        let client = Client::Device(Box::new(SoleDevice::new(index, &row.name, device, feed)));
        let (via, acknowledge_limit, is_bound) = (row.via, row.acknowledge_limit, row.is_bound);
        let (tenant, client_id) = (&row.tenant, row.hardware_id());
        let way = Route { index, tenant, client_id, via, acknowledge_limit, is_bound };
        open(client, way, board, None)?;
    }
    let first = TenantName::default();
    for (gateway, row) in scenario.gateways.iter().enumerate() {
        let mut field = field(scenario, row, &mut setups)?;
        let registered = register(networks.as_ref(), row, &mut field).await?;
        let index = scenario.devices.len() + gateway;
        let (via, acknowledge_limit, is_bound) = (row.via, row.acknowledge_limit, row.is_bound);
        let (tenant, client_id) = (&first, row.name.as_str());
        let way = Route { index, tenant, client_id, via, acknowledge_limit, is_bound };
        open(Client::Field(Box::new(field)), way, None, registered)?;
    }
    let (applications, flows) = applications(scenario, (&platform, &mut rest)).await?;
    Ok(Parts {
        scenario,
        shells,
        ledger,
        platform: DrivenPlatform::new(platform, rest),
        plant: ObeyingPlant::of(scenario)?,
        acknowledged,
        modelled: modelled::record(scenario),
        calibrator: Calibrator::of(scenario),
        applications,
        flows,
        networks,
    })
}
