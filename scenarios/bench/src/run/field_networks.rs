//! The networks of transparent gateways at the platform: registered before the run, their nodes
//! once the platform has recognised them.

use std::collections::BTreeMap;

use lastmeter_language::Scenario;
use lastmeter_link::http::{Client, HttpError};
use lastmeter_zigbee::keys::NetworkKey;
use lastmeter_zigbee::packet::GatewayAddress;
use lastmeter_zigbee::session::GatewaySettings;
use serde::Deserialize;
use serde_json::json;

use super::device_setup::DeviceSetup;
use super::error::{BenchError, chain};
use super::own_settings::GATEWAYS_DOOR;
use super::run_platform::UnderTest;

/// The names that the platform gives nodes, with those of the scenario.
pub(crate) type NodeNames = BTreeMap<String, String>;

/// What registers networks and nodes.
pub(crate) struct FieldNetworks {
    client: Client,
    address: String,
    /// Nodes that are not registered yet.
    awaited: NodeNames,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MadeNetwork {
    key: String,
    gateway_number: u64,
}

/// A network that is registered.
pub(crate) struct Registered {
    /// Where the gateway dials.
    pub(crate) address: String,
    pub(crate) settings: GatewaySettings,
    /// The platform's number for the gateway.
    pub(crate) number: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recognised {
    hardware_id: String,
}

#[derive(Deserialize)]
struct List<T> {
    results: Vec<T>,
}

/// The nodes of a scenario by the platform's names for them.
pub(crate) fn node_names(scenario: &Scenario, setups: &[Option<DeviceSetup>]) -> NodeNames {
    let all = scenario.devices.iter().zip(setups);
    let carried = all.enumerate().filter(|(index, _)| scenario.is_carried(*index));
    let named = carried.filter_map(|(_, (row, setup))| {
        let address = setup.as_ref()?.device.network_address()?;
        Some((address.replace(':', ""), row.name.clone()))
    });
    named.collect()
}

impl FieldNetworks {
    /// For a scenario with such nodes.
    pub(crate) fn new(platform: &UnderTest, awaited: NodeNames) -> Result<Self, BenchError> {
        let profile = &platform.profile;
        let client = profile.rest_client().map_err(|error| BenchError::Rest(chain(&error)))?;
        let address = profile.doors.get(GATEWAYS_DOOR).cloned().ok_or_else(|| {
            let why = "it has no door of kind `gateways`, which a gateway of the scenario dials";
            BenchError::PlatformStart(why.to_owned())
        })?;
        Ok(Self { client, address, awaited })
    }

    /// Registers the network of a gateway.
    pub(crate) async fn register(
        &self,
        gateway: &str,
        (address, network_type): (u64, &str),
    ) -> Result<Registered, BenchError> {
        let body = json!({
            "gatewayAddress": format!("{address:016x}"),
            "type": network_type,
            "name": gateway,
            "options": {},
        });
        let made = self.client.post_json::<_, MadeNetwork>("/api/v1/networks", &body).await;
        let failed = |why: String| {
            BenchError::Rest(format!("the network of gateway `{gateway}` is not registered: {why}"))
        };
        let MadeNetwork { key, gateway_number: number } =
            made.map_err(|error| failed(chain(&error)))?;
        let key: NetworkKey = key.parse().map_err(|error| failed(format!("its key: {error}")))?;
        let settings = GatewaySettings::new(GatewayAddress(address), gateway, key);
        Ok(Registered { address: self.address.clone(), settings, number })
    }

    /// Registers the nodes of the scenario that the platform has recognised by now; whether there
    /// were any.
    pub(crate) async fn register_nodes(&mut self) -> Result<bool, BenchError> {
        if self.awaited.is_empty() {
            return Ok(false);
        }
        let failed = |error: HttpError| BenchError::Rest(format!("nodes: {}", chain(&error)));
        let path = "/api/v1/recognised?pageSize=1000";
        let found: List<Recognised> = self.client.get_json(path).await.map_err(failed)?;
        let mut is_any = false;
        for Recognised { hardware_id } in found.results {
            if let Some(name) = self.awaited.remove(&hardware_id) {
                let path = format!("/api/v1/recognised/{hardware_id}");
                let body = json!({ "name": name });
                let _: serde_json::Value =
                    self.client.post_json(&path, &body).await.map_err(failed)?;
                is_any = true;
            }
        }
        Ok(is_any)
    }
}
