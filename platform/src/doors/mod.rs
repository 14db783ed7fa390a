//! The doors: the ways for devices to reach the platform, one row each.
//!
//! A door listens, lets in who shows the devices' secret, hands what arrives to the ingest port
//! (`port`) and takes commands for the devices that last came through it (`device_routes`). Behind
//! the port nothing knows by which door something came.
//!
//! | file or folder | purpose |
//! |---|---|
//! | `mqtt`, `http`, `gateways` | the doors: clients of MQTT, of HTTP, gateways of field networks |
//! | `live_topics` | what subscribers of MQTT are shown of what is committed |

mod gateways;
mod http;
mod live_topics;
mod mqtt;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use lastmeter_params::Entry;

use crate::config::{Config, ConfigError};
use crate::error::PlatformError;
use crate::gate::{Gate, Share};
use crate::open_doors::{Door, Doors};
use crate::tenants::Tenants;

pub(crate) struct DoorKind {
    /// Its name and its own keys.
    pub(crate) entry: Entry,
    /// Whether its keys can work; those of the first door are the platform's own.
    pub(crate) check: fn(&toml::Table) -> Result<(), ConfigError>,
    /// Connections that it wants at a time.
    connections: fn(&toml::Table) -> usize,
    open: for<'a> fn(Opening<'a>) -> Opened<'a>,
}

type Opened<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn Door>, PlatformError>> + Send + 'a>>;

pub(crate) struct Opening<'a> {
    config: &'a Config,
    /// Its own keys.
    keys: &'a toml::Table,
    /// Connections that it may have at a time.
    connections: usize,
    gate: Arc<Gate>,
    tenants: &'a Arc<Tenants>,
}

/// All kinds. The first is always open: its settings are the platform's own.
pub(crate) static DOORS: &[DoorKind] = &[mqtt::DOOR, http::DOOR, gateways::DOOR];

pub(crate) fn find(name: &str) -> Option<&'static DoorKind> {
    DOORS.iter().find(|kind| kind.entry.name == name)
}

/// Opens the first door and those of the settings, in their order. `share` is what there is of
/// connections: what further doors take, the first does not have.
pub(crate) async fn open(
    config: &Config,
    mut share: Share,
    gate: &Arc<Gate>,
    tenants: &Arc<Tenants>,
) -> Result<Doors, PlatformError> {
    let none = toml::Table::new();
    let mut rows = vec![(&DOORS[0], &none, 0)];
    for door in &config.doors {
        // The settings have been checked: there is such a kind.
        let Some(kind) = find(&door.kind) else { continue };
        rows.push((kind, &door.keys, share.set_aside((kind.connections)(&door.keys))));
    }
    rows[0].2 = share.mqtt;
    let mut open = Vec::new();
    for (kind, keys, connections) in rows {
        let opening = Opening { config, keys, connections, gate: Arc::clone(gate), tenants };
        match (kind.open)(opening).await {
            Ok(door) => {
                for tenant in tenants.all() {
                    door.attach(&tenant);
                }
                open.push(door);
            }
            Err(error) => {
                Doors::of(open).close(Duration::ZERO).await;
                return Err(error);
            }
        }
    }
    Ok(Doors::of(open))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_name_of_its_own_and_takes_no_key_that_is_not_its() {
        let names: Vec<&str> = DOORS.iter().map(|kind| kind.entry.name).collect();
        assert_eq!(names, ["mqtt", "http", "gateways"]);
        for kind in DOORS {
            assert!(find(kind.entry.name).is_some());
            let keys = toml::Table::from_iter([("nonsense".to_owned(), 1.into())]);
            let error = (kind.check)(&keys).unwrap_err();
            assert!(!error.to_string().is_empty());
        }
        assert!(find("window").is_none());
    }
}
