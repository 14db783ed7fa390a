//! Who hears the topics of committed readings and alerts that feed points of a simulator: an
//! application of its gateway's name, on a connection of its own, with a grant on the devices that
//! the topics are of.

use lastmeter_language::{GatewayRow, Scenario};
use lastmeter_link::http::{Client, HttpError};
use lastmeter_link::mqtt::{Session, SessionEvents, SessionOptions};
use lastmeter_rts::point_map::is_filter_of;
use lastmeter_units::{HardwareId, TenantName};
use lastmeter_wire::topics;
use serde_json::json;

use super::applications::principal;
use super::error::{BenchError, chain};
use super::hearing::{Hearer, Hearing};
use super::run_platform::UnderTest;

/// Who hears for a gateway, registered.
pub(crate) struct FlowHearer {
    gateway: String,
    /// Whose readings it hears, by their places in the scenario.
    pub(crate) devices: Vec<usize>,
    pub(crate) client_id: String,
    username: String,
    password: String,
    filters: Vec<String>,
}

/// The filters of the topics that feed points of a gateway.
pub(crate) fn filters(scenario: &Scenario, row: &GatewayRow) -> Vec<String> {
    (row.kind.flows)(&row.values, &scenario.written.files)
}

impl FlowHearer {
    /// Registers who hears for a gateway, if topics feed points of it.
    pub(crate) async fn register(
        (scenario, row): (&Scenario, &GatewayRow),
        platform: &UnderTest,
    ) -> Result<Option<Self>, BenchError> {
        let filters = filters(scenario, row);
        if filters.is_empty() {
            return Ok(None);
        }
        let own = TenantName::default();
        let tenant = platform.profile.tenant(&own);
        let hears = |topic: &str| filters.iter().any(|filter| is_filter_of(filter, topic));
        let hears_all = hears(&topics::live_alerts(tenant.as_str()));
        let of_device = |id: &str| {
            let id = HardwareId::new(id).ok();
            hears_all || id.is_some_and(|id| hears(&topics::live(tenant.as_str(), &id)))
        };
        let devices = scenario.devices.iter().enumerate();
        let devices = devices.filter(|(_, it)| it.tenant == own && of_device(it.hardware_id()));
        let devices: Vec<usize> = devices.map(|(index, _)| index).collect();
        if devices.is_empty() {
            let topics = filters.join(", ");
            let why = format!("no device of the scenario has readings on {topics}");
            return Err(BenchError::device(&row.name, why));
        }
        let ids = devices.iter().map(|&index| scenario.devices[index].hardware_id());
        let refused = |error: HttpError| {
            BenchError::Rest(format!("who hears for `{}`: {}", row.name, chain(&error)))
        };
        let client = platform.profile.rest_client().map_err(refused)?;
        let password = register(&client, &row.name, ids).await.map_err(refused)?;
        Ok(Some(Self {
            gateway: row.name.clone(),
            devices,
            client_id: format!("{}-flows", row.name),
            username: format!("{tenant}/app/{}", row.name),
            password,
            filters,
        }))
    }

    /// How it connects where a device of its client id would.
    pub(crate) fn connect(&self, of_device: SessionOptions) -> SessionOptions {
        SessionOptions {
            username: self.username.clone(),
            password: self.password.clone(),
            subscriptions: self.filters.clone(),
            ..of_device
        }
    }

    /// Waits until it hears by a connection.
    pub(crate) async fn hearing(
        &self,
        session: (Session, SessionEvents),
    ) -> Result<Hearing, BenchError> {
        let mut hearing = Hearing::new(Hearer::Gateway, &self.gateway, session);
        hearing.connected("to hear its topics").await?;
        Ok(hearing)
    }
}

/// Makes the application that hears for a gateway, with a grant on each of these devices; the
/// password of its connection.
async fn register(
    client: &Client,
    name: &str,
    devices: impl Iterator<Item = &str>,
) -> Result<String, HttpError> {
    let (of, password) = principal::application(client, name).await?;
    for device in devices {
        let body = json!({ "hardwareId": device }).to_string();
        let body = Some(("application/json", body.as_str()));
        // An application may have had it registered.
        client.ask("POST", "/sitewhere/api/devices", body, None).await?;
        principal::grant(client, (&of, &format!("device:{device}")), &["read"]).await?;
    }
    Ok(password)
}
