//! Makes the principal that an application is: its name, credentials, and the rights that its kind
//! needs. It has no other, and the bench's token is not given to it.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_language::{ApplicationRow, Scenario};
use lastmeter_link::http::{Client, HttpError};
use lastmeter_units::TenantName;
use serde::Deserialize;
use serde_json::{Value, json};

use super::network::{self, GivenNetwork};
use crate::run::error::{BenchError, chain};
use crate::run::run_platform::UnderTest;

/// From when to when its rights hold: always.
const ALWAYS: (&str, &str) = ("1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z");

/// The group of all devices at the network.
const METERS: &str = "network-meters";
const READ_AND_COMMAND: [&str; 2] = ["read", "command"];

/// By what it is let in.
pub(super) struct Secrets {
    /// The password of its MQTT connection.
    pub(super) password: String,
    /// Its bearer token for REST.
    pub(super) key: String,
}

#[derive(Deserialize)]
struct MadeCredential {
    secret: String,
}

#[derive(Deserialize)]
struct MadeKey {
    key: String,
}

/// Registers the applications of a run, and what they have rights to.
pub(super) struct Registrar<'a> {
    scenario: &'a Scenario,
    platform: &'a UnderTest,
    /// Devices that the platform knows: rights are to such.
    registered: BTreeSet<usize>,
    /// Whether the network and the group of its meters are there.
    has_network: bool,
}

/// An application that is registered.
pub(super) struct Registered {
    pub(super) secrets: Secrets,
    /// The token and the model of the network that it was given.
    pub(super) network: Option<(String, String)>,
}

impl<'a> Registrar<'a> {
    pub(super) fn new(scenario: &'a Scenario, platform: &'a UnderTest) -> Self {
        Self { scenario, platform, registered: BTreeSet::new(), has_network: false }
    }

    /// Makes an application, in its tenant.
    pub(super) async fn make(
        &mut self,
        tenant: &TenantName,
        row: &ApplicationRow,
    ) -> Result<Registered, BenchError> {
        let given = row.network().map(|_| network::given(self.scenario, row)).transpose()?;
        let made = self.made(tenant, row, given.as_ref()).await;
        let secrets = made.map_err(|error| {
            let name = &row.name;
            BenchError::Rest(format!("application `{name}` is not registered: {}", chain(&error)))
        })?;
        Ok(Registered { secrets, network: given.map(|given| (given.token, given.model)) })
    }

    async fn made(
        &mut self,
        tenant: &TenantName,
        row: &ApplicationRow,
        given: Option<&GivenNetwork>,
    ) -> Result<Secrets, HttpError> {
        let client = self.platform.profile_of(tenant).rest_client()?;
        let (of, secret) = application(&client, &row.name).await?;
        let actions = ["read", "write", "command"];
        let body = json!({ "of": of, "actions": actions, "until": ALWAYS.1 });
        let MadeKey { key } = client.post_json("/api/v1/keys", &body).await?;
        if let (Some(given), Some(commands)) = (given, row.network()) {
            self.register_network(&client).await?;
            given.put(&client).await?;
            // Of the declared network it sees the states of switches and not the model.
            let declared = self.scenario.network_name().unwrap_or_default();
            for (token, action) in [(&given.token, "read"), (&declared, "outline")] {
                grant(&client, (&of, &format!("electric-network:{token}")), &[action]).await?;
            }
            let actions = if commands { &READ_AND_COMMAND[..] } else { &READ_AND_COMMAND[..1] };
            grant(&client, (&of, &format!("group:{METERS}")), actions).await?;
            // What it publishes it has to find again after a restart.
            let body = json!({ "hardwareId": row.name });
            client.post_json::<_, Value>("/sitewhere/api/devices", &body).await?;
            grant(&client, (&of, &format!("device:{}", row.name)), &READ_AND_COMMAND[..1]).await?;
        }
        let devices = &self.scenario.devices;
        let position = |name: &str| devices.iter().position(|device| device.name == name);
        let [reads, commands] = row.devices(position);
        for (devices, actions) in [(reads, &READ_AND_COMMAND[..1]), (commands, &READ_AND_COMMAND)] {
            for device in devices {
                self.register(&client, device).await?;
                let on = format!("device:{}", self.scenario.devices[device].hardware_id());
                grant(&client, (&of, &on), actions).await?;
            }
        }
        Ok(Secrets { password: secret, key })
    }

    /// Registers the declared network, and all devices at it as a group.
    async fn register_network(&mut self, client: &Client) -> Result<(), HttpError> {
        if std::mem::replace(&mut self.has_network, true) {
            return Ok(());
        }
        if let Ok(declared) = network::declared(self.scenario) {
            declared.put(client).await?;
        }
        let mut members = Vec::new();
        for (index, row) in self.scenario.devices.iter().enumerate() {
            if row.tenant == TenantName::default() && !self.scenario.is_carried(index) {
                self.register(client, index).await?;
                let of = json!({ "device": row.hardware_id() });
                members.push(json!({ "of": of, "from": ALWAYS.0 }));
            }
        }
        let group =
            json!({ "token": METERS, "name": "Devices at the network", "members": members });
        client.post_json::<_, Value>("/sitewhere/api/devicegroups", &group).await.map(drop)
    }

    /// Registers a device; one at a load of the network with that.
    async fn register(&mut self, client: &Client, device: usize) -> Result<(), HttpError> {
        if !self.registered.insert(device) {
            return Ok(());
        }
        let row = &self.scenario.devices[device];
        let mut metadata = BTreeMap::new();
        if let (Some(load), Some(network)) =
            (self.scenario.load_of(row), self.scenario.network_name())
        {
            let values = &row.values;
            let has_gasp = values.get("hold_up").is_some() && values.boolean("last_gasp");
            metadata.insert("network", network);
            metadata.insert("load", load.to_owned());
            metadata.insert("last_gasp", has_gasp.to_string());
        }
        let body = json!({ "hardwareId": row.hardware_id(), "metadata": metadata });
        client.post_json::<_, Value>("/sitewhere/api/devices", &body).await.map(drop)
    }
}

/// Makes an application; who it is, and the password of its MQTT connection.
pub(crate) async fn application(
    client: &Client,
    name: &str,
) -> Result<(String, String), HttpError> {
    let body = json!({ "token": name });
    client.post_json::<_, Value>("/api/v1/applications", &body).await?;
    let of = format!("app:{name}");
    let body = json!({ "of": of });
    let MadeCredential { secret } = client.post_json("/api/v1/credentials", &body).await?;
    Ok((of, secret))
}

/// Lets it do something with a thing of others, for its purpose.
pub(crate) async fn grant(
    client: &Client,
    (to, on): (&str, &str),
    actions: &[&str],
) -> Result<(), HttpError> {
    let (from, until) = ALWAYS;
    let grant = json!({
        "to": to, "on": on, "actions": actions, "quantities": ["*"], "with_history": true,
        "from": from, "until": until, "purpose": "what the application is for", "by": "bench",
    });
    client.post_json::<_, Value>("/api/v1/grants", &grant).await.map(drop)
}
