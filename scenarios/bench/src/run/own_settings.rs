//! Settings of a platform of the bench's own: where its store is, and tables for a child.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use lastmeter_language::{Scenario, StoreUse, postgres_address};
use lastmeter_platform::{DoorConfig, Pem, RestTlsConfig, StoreConfig, TlsConfig};
use serde_json::Value;

/// The door that transparent gateways dial.
pub(super) const GATEWAYS_DOOR: &str = "gateways";

/// The store of a run: a file, or a schema of its own in the database of the environment.
pub(super) fn store_of(scenario: &Scenario) -> StoreConfig {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    match (scenario.platform.store, postgres_address()) {
        (StoreUse::Postgres, Some(address)) => {
            let (process, run) = (std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
            let schema_prefix = format!("run_{process}_{run}_");
            StoreConfig { schema_prefix, ..StoreConfig::postgres(address) }
        }
        _ => StoreConfig::default(),
    }
}

/// Its doors beside MQTT: those of the scenario, and that which the gateways there dial.
pub(super) fn doors_of(scenario: &Scenario) -> Vec<DoorConfig> {
    let mut doors = scenario.part::<Vec<DoorConfig>>().cloned().unwrap_or_default();
    let is_dialled = scenario.gateways.iter().any(|gateway| gateway.kind.dispatcher.is_some());
    if is_dialled && doors.iter().all(|door| door.kind != GATEWAYS_DOOR) {
        let keys = [("address".to_owned(), "127.0.0.1:0".into())].into_iter().collect();
        doors.push(DoorConfig { kind: GATEWAYS_DOOR.to_owned(), keys });
    }
    doors
}

/// The table of it in the settings of a child; a file has none.
pub(super) fn store_table(config: &StoreConfig) -> Option<toml::Table> {
    let StoreConfig { kind, url, schema_prefix, .. } = config;
    let url = url.as_ref()?.reveal();
    let keys = [("kind", kind.as_str()), ("url", url), ("schema_prefix", schema_prefix)];
    Some(keys.map(|(name, value)| (name.to_owned(), value.into())).into_iter().collect())
}

/// A door at the address where it listened before.
pub(super) fn door_table(door: &DoorConfig, doors: &BTreeMap<String, Value>) -> toml::Table {
    let mut table = door.keys.clone();
    if let Some(Value::String(address)) = doors.get(&door.kind) {
        table.insert("address".to_owned(), address.clone().into());
    }
    table.insert("kind".to_owned(), door.kind.clone().into());
    table
}

/// As settings have it.
fn pem_text(pem: &Pem) -> String {
    match pem {
        Pem::File(path) => path.display().to_string(),
        Pem::Text(text) => text.clone(),
    }
}

/// MQTT over TLS at an address.
pub(super) fn tls_table(tls: &TlsConfig, address: &str) -> toml::Table {
    let mut table = toml::Table::new();
    let mut set = |key: &str, value: toml::Value| table.insert(key.to_owned(), value);
    set("address", address.into());
    set("certificate", pem_text(&tls.certificate).into());
    set("key", pem_text(&tls.key).into());
    if let Some(authority) = &tls.client_authority {
        set("client_authority", pem_text(authority).into());
    }
    set("require_client_certificate", tls.require_client_certificate.into());
    set("plain", tls.plain.into());
    table
}

/// REST over TLS.
pub(super) fn rest_tls_table(RestTlsConfig { certificate, key }: &RestTlsConfig) -> toml::Table {
    let keys = [("certificate", certificate), ("key", key)];
    keys.map(|(name, pem)| (name.to_owned(), pem_text(pem).into())).into_iter().collect()
}
