//! The metering platform: broker, journal, pipeline, store, REST.
//!
//! Terms: a *tenant* has a folder, a journal and a store of its own; *durable* is what survives
//! power loss; *committed* is what queries see.
//!
//! ```text
//! device -> doors/{mqtt: broker/, http} -> port -> ingest (format/) -> journal/ -> PUBACK or 204
//!             each connection: gate/                                      |
//! client <- rest/ <- store <- pipeline <----------------------------------+
//! device <- device_routes <- commands/ (dispatcher)    timers: clock    lost or damaged: losses
//! ```
//! Every stage is bounded, and a full one makes the stage before it wait, back to the sender's
//! socket. `start` recovers what a stop left behind, `tenant` puts the stages of one tenant
//! together, `tenants` has all that are open behind the same doors. `live` gives on what is committed. `store_thread` gives the store
//! (`lastmeter_store`) what it decides by the rules of `lastmeter_model`; `store_reports` hears of
//! damage. Of all of them: `error`; `access`, `certificates` and `tls` for what is secret, `folder`
//! for what lies where; `metrics`, `log_throttle` for who operates it. `bench` is for benchmarks
//! and fuzzers alone.
//!
//! A product of its own: it never knows what was really there to be measured, and it reads the
//! wall's clock in one place (`clock`), which can be driven instead.
//!
//! ```no_run
//! # async fn example() -> Result<(), lastmeter_platform::PlatformError> {
//! use lastmeter_platform::{ClockSource, Config, Platform, Token};
//!
//! let token = Token::new("a long random text");
//! let config = Config::embedded("data".as_ref(), token, ClockSource::Driven);
//! let running = Platform::start(config).await?;
//! println!("MQTT on {}, REST on {}", running.mqtt_address(), running.rest_address());
//! running.shutdown().await;
//! # Ok(()) }
//! ```

mod access;
#[doc(hidden)]
pub mod bench;
mod broker;
mod certificates;
mod clock;
mod commands;
mod config;
mod device_routes;
mod doors;
mod error;
mod folder;
mod format;
mod gate;
mod ingest;
mod journal;
mod live;
mod log_throttle;
mod losses;
mod metrics;
mod pipeline;
mod port;
mod rest;
mod start;
mod store_reports;
mod store_thread;
mod tenant;
mod tenants;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use config::{
    ClockSource, Config, ConfigError, DoorConfig, Limits, Network, Pem, RestTlsConfig, TENANT,
    TlsConfig, Token,
};
use error::BarrierError;
pub use error::PlatformError;
use lastmeter_params::Entry;
use lastmeter_store::files::FolderLock;
pub use lastmeter_units::TenantName;

use crate::doors::Doors;
use crate::gate::{Gate, GuessLimits, Rate, Share};
use crate::port::IngestPort;
use crate::rest::{Edge, Server};
use crate::tenant::{Secrets, Tenant};
use crate::tenants::Tenants;

/// Tenants that may be open at a time.
const TENANTS_MAX: usize = 16;

/// The platform; see [`Platform::start`].
#[derive(Debug)]
pub struct Platform;

impl Platform {
    /// Recovers what a stop of any kind left behind and starts listening. When this returns,
    /// everything that was ever acknowledged is committed, or reported as missing, and both
    /// addresses are bound. Where nothing can be written, as on a full disk, what is stored is
    /// served, and messages are taken as soon as they can be.
    ///
    /// # Errors
    /// [`PlatformError`] with what stands in the way; nothing is left running then.
    pub async fn start(config: Config) -> Result<Running, PlatformError> {
        config.check()?;
        check_doors(&config)?;
        let share = gate::share(config.limits.connections, config.limits.rest_connections)
            .map_err(|error| PlatformError::Descriptors(Box::new(error)))?;
        if config.device_token.is_none() {
            tracing::warn!(
                "one secret is the administrators' token and every meter's password: a meter can \
                 read and command all others; give the meters their own with `device_token`"
            );
        }
        let changing = tokio::sync::Mutex::default();
        let keep = Arc::new(folder::lock_folder(&config.data)?);
        let secrets = Secrets::of(&config);
        let first = start_tenant(TenantName::default(), secrets, &config, &keep).await?;
        let stop_limit = Duration::from_secs(config.limits.shutdown_s);
        let tenants = Arc::new(Tenants::of(Arc::clone(&first)));
        match listen(&config, share, &tenants).await {
            Ok((doors, server)) => {
                let (addresses, rest) = (doors.addresses(), server.address);
                tracing::info!(?addresses, %rest, connections = ?share, "listening");
                Ok(Running {
                    tenants,
                    doors,
                    addresses,
                    server,
                    stop_limit,
                    config: Box::new(config),
                    keep,
                    changing,
                })
            }
            Err(error) => {
                first.stop(stop_limit).await;
                Err(error)
            }
        }
    }
}

/// Starts a tenant; what was acknowledged before is committed when queries of it are answered.
async fn start_tenant(
    name: TenantName,
    secrets: Secrets,
    config: &Config,
    keep: &Arc<FolderLock>,
) -> Result<Arc<Tenant>, PlatformError> {
    let (config, keep) = (config.clone(), Arc::clone(keep));
    let start = move || Tenant::start_as(name, secrets, &config, keep);
    let started = tokio::task::spawn_blocking(start).await;
    Ok(Arc::new(started.map_err(|panic| PlatformError::Store(Box::new(panic)))??))
}

/// Refuses doors that there are not, or not twice.
fn check_doors(config: &Config) -> Result<(), ConfigError> {
    let (key, all) = ("door.kind", &config.doors);
    for (index, door) in all.iter().enumerate() {
        let found = format!("`{}`", door.kind);
        let Some(kind) = doors::find(&door.kind) else {
            return Err(ConfigError::Value { key, found, expected: "see `lastmeter list doors`" });
        };
        if all[..index].iter().any(|other| other.kind == door.kind) {
            return Err(ConfigError::Value { key, found, expected: "give one of each kind" });
        }
        (kind.check)(&door.keys)?;
    }
    Ok(())
}

async fn listen(
    config: &Config,
    share: Share,
    tenants: &Arc<Tenants>,
) -> Result<(Doors, Server), PlatformError> {
    tenants.first().ready().await?;
    let limits = &config.limits;
    let (address, principal) = (limits.rest_per_address_s, limits.rest_per_principal_s);
    let gate = Gate::new(GuessLimits {
        burst: limits.wrong_secrets,
        per_minute: limits.wrong_secrets_per_minute,
        wait: Duration::from_secs(limits.wrong_secret_wait_s),
    })
    .with_rates(
        Rate { per_second: address, burst: address },
        Rate { per_second: principal, burst: principal.saturating_mul(4) },
    );
    let gate = Arc::new(gate);
    let port = Arc::clone(tenants) as Arc<dyn IngestPort>;
    let edge = Edge::of(config, config.rest_tls.as_ref().map(RestTlsConfig::identity), port)?;
    let doors = Doors::open(config, share, &gate, tenants).await?;
    let settings = rest::Settings::of(limits, gate::Listener::Rest, share.rest, &gate);
    let settings = rest::Settings { edge, ..settings };
    let router = rest::router(Arc::clone(tenants), config, &settings);
    let address = config.rest_address;
    match Server::start(address, router, settings) {
        Ok(server) => Ok((doors, server)),
        Err(source) => {
            doors.close(Duration::ZERO).await;
            Err(PlatformError::Listen { what: "REST", address, source })
        }
    }
}

/// The kinds of doors that `Config::doors` may name, with their keys.
pub fn door_kinds() -> impl Iterator<Item = Entry> {
    doors::DOORS.iter().skip(1).map(|kind| kind.entry)
}

/// A running platform. Dropping it without [`Running::shutdown`] is like a crash: what was
/// acknowledged is in the journal and is committed at the next start.
pub struct Running {
    tenants: Arc<Tenants>,
    doors: Doors,
    addresses: Vec<(&'static str, SocketAddr)>,
    server: Server,
    stop_limit: Duration,
    config: Box<Config>,
    keep: Arc<FolderLock>,
    /// One tenant is opened or closed at a time; those that did not end in time.
    changing: tokio::sync::Mutex<BTreeSet<TenantName>>,
}

impl Running {
    /// Where the doors listen, by the names that stand in the ready line.
    pub fn door_addresses(&self) -> &[(&'static str, SocketAddr)] {
        &self.addresses
    }

    /// Where MQTT listens: without TLS, unless `tls.plain` is false.
    pub fn mqtt_address(&self) -> SocketAddr {
        // It listens on at least one of them, and is the first of the doors.
        self.plain_mqtt_address().unwrap_or(self.addresses[0].1)
    }

    /// Where MQTT listens without TLS, if it does.
    pub fn plain_mqtt_address(&self) -> Option<SocketAddr> {
        self.door_address("mqtt")
    }

    /// Where MQTT over TLS listens, if it does.
    pub fn mqtts_address(&self) -> Option<SocketAddr> {
        self.door_address("mqtts")
    }

    fn door_address(&self, name: &str) -> Option<SocketAddr> {
        self.addresses.iter().find(|(door, _)| *door == name).map(|(_, address)| *address)
    }

    /// Where REST listens.
    pub fn rest_address(&self) -> SocketAddr {
        self.server.address
    }

    /// The base URL of REST: `https://...` where it has a certificate.
    pub fn rest_url(&self) -> String {
        let scheme = if self.server.has_tls { "https" } else { "http" };
        format!("{scheme}://{}", self.server.address)
    }

    /// Opens a further tenant, which is made if the data folder has none of its name: a journal, a
    /// store, a clock and commands of its own behind the same doors, and secrets that no other
    /// tenant has.
    ///
    /// # Errors
    /// [`PlatformError`] with what stands in the way; nothing of the tenant is left running then.
    pub async fn open_tenant(
        &self,
        name: TenantName,
        administrators: Token,
        devices: Token,
    ) -> Result<(), PlatformError> {
        let found = |found: String, expected| {
            Err(ConfigError::Value { key: "tenant", found, expected }.into())
        };
        let unfinished = self.changing.lock().await;
        if self.tenants.find(&name).is_some() || unfinished.contains(&name) {
            return found(
                format!("`{name}`"),
                "give the name of none that is open or still closing",
            );
        }
        if self.tenants.all().len() >= TENANTS_MAX {
            return found(format!("one more than {TENANTS_MAX}"), "close one before");
        }
        let all = [&administrators, &devices];
        if all.iter().any(|secret| secret.reveal().is_empty() || self.tenants.has(secret))
            || administrators == devices
        {
            let expected = "give each tenant secrets that nobody else has";
            return found(format!("`{name}` with a secret that is empty or in use"), expected);
        }
        let secrets = Secrets { administrators, devices };
        let tenant = start_tenant(name, secrets, &self.config, &self.keep).await?;
        if let Err(error) = tenant.ready().await {
            tenant.stop(self.stop_limit).await;
            return Err(error);
        }
        self.doors.attach(&tenant);
        tracing::info!(tenant = %tenant.name, "a tenant was opened");
        self.tenants.add(tenant);
        Ok(())
    }

    /// Closes a tenant: nobody of it is let in any more, its connections are cut, and what was
    /// acknowledged is committed. With `remove` its data is removed. Returns `false` for one that
    /// is not open, and for `default`, which stays.
    ///
    /// # Errors
    /// If what was acknowledged is not committed within `limits.shutdown_s`, or its data could not
    /// be removed. Nobody is let in all the same; in the first case nothing is removed, and it
    /// cannot be opened again before the next start, which commits what is missing.
    pub async fn close_tenant(
        &self,
        name: &TenantName,
        remove: bool,
    ) -> Result<bool, PlatformError> {
        let mut unfinished = self.changing.lock().await;
        let Some(tenant) = self.tenants.take(name) else { return Ok(false) };
        let mut left = self.doors.cut(name).await;
        // Whoever was being let in at that moment is there now.
        left += self.doors.cut(name).await;
        let stopped = tenant.stop(self.stop_limit).await;
        tracing::info!(tenant = %name, left, stopped, "a tenant was closed");
        if !stopped {
            // Its threads may still write.
            unfinished.insert(name.clone());
            return Err(PlatformError::NotReady(Box::new(BarrierError::Late)));
        }
        if remove {
            folder::Places::of(name, &self.config).remove(&self.config.data)?;
        }
        Ok(true)
    }

    /// Stops listening, commits what was acknowledged, closes everything. Returns whether all of
    /// it was committed within `limits.shutdown_s`; if not, the journal has what is missing, and
    /// the next start commits it. REST requests have half of that time to be answered; clients that
    /// do not end theirs, or do not read the answer, are cut off then, which is no failure.
    pub async fn shutdown(self) -> bool {
        let limit = self.stop_limit / 2;
        let (rest, doors) = tokio::join!(self.server.stop(limit), self.doors.close(limit));
        let answered = rest && doors;
        if !answered {
            tracing::warn!("HTTP connections that did not end in time were cut off");
        }
        let mut stopping = tokio::task::JoinSet::new();
        for tenant in self.tenants.take_all() {
            stopping.spawn(async move { tenant.stop(self.stop_limit).await });
        }
        let stopped = stopping.join_all().await.into_iter().all(|stopped| stopped);
        tracing::info!(answered, stopped, "stopped");
        stopped
    }
}
