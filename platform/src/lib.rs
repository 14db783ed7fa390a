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
//! socket. `start` recovers what a stop left behind, `attention` has the devices to which something
//! may be sent, `tenant` puts the stages of one tenant together, `tenants` has all that are open
//! behind the same doors, `process` makes and removes them behind the `open_doors`, within their
//! `tenant_limits`. `store_thread` gives the store (`lastmeter_store`) what it decides by the rules
//! of `lastmeter_model`; `store_reports` hears of damage. `ops` has a function for each use case of
//! people and programs, which REST and the `pages` call, with `problem` for what is no success and
//! `reader` for queries; `services` feeds the machines of `lastmeter_services` with what is
//! committed; `outgoing` sends to others outside and reads of them. `backup` copies a tenant while
//! it runs, `maintenance` works on one that does not.
//! `identity` finds who is behind what a client presents. Of all of them: `error`; `access`,
//! `certificates` and `tls` for what is secret, `folder` and `database` for what lies where;
//! `metrics`, `log_throttle` for who operates it. `live` is what subscriptions share,
//! `shared_places` what nobody has more than a share of, `gateways` how those of field networks
//! stand, `concluded` the last results of applications. `bench` is for benchmarks and fuzzers.
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

/// Asserts in the package's own tests alone: builds for tests are without `debug_assert!`.
macro_rules! assert_in_tests {
    ($($of:tt)*) => {
        if cfg!(test) {
            assert!($($of)*);
        }
    };
}

mod access;
mod attention;
mod backup;
#[doc(hidden)]
pub mod bench;
mod broker;
mod certificates;
mod clock;
mod commands;
mod concluded;
mod config;
mod database;
mod device_routes;
mod doors;
mod error;
mod folder;
mod format;
mod gate;
mod gateways;
mod identity;
mod ingest;
mod journal;
mod live;
mod log_throttle;
mod losses;
pub mod maintenance;
mod metrics;
mod open_doors;
mod ops;
mod outgoing;
mod pages;
mod pipeline;
mod port;
mod problem;
mod process;
mod reader;
mod rest;
mod services;
mod shared_places;
mod start;
mod store_reports;
mod store_thread;
mod tenant;
mod tenant_limits;
mod tenants;
#[cfg(test)]
mod tests;
mod tls;

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use backup::{FileSum, Manifest};
pub use config::{
    Becomes, ClockSource, Config, ConfigError, ConnectionConfig, DoorConfig, Limits, Network,
    OutgoingConfig, Pem, RestTlsConfig, StoreConfig, TENANT, TlsConfig, Token,
};
pub use database::remove_store;
pub use error::PlatformError;
use lastmeter_params::Entry;
pub use lastmeter_units::TenantName;

use crate::gate::{Gate, GuessLimits, Rate, Share};
use crate::port::IngestPort;
use crate::process::{Process, start_tenant};
use crate::rest::{Edge, Server};
use crate::tenant::Secrets;

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
        if config.token.is_some() && config.device_token.is_none() {
            tracing::warn!(
                "one secret is the administrators' token and every meter's password: a meter can \
                 read and command all others; give the meters their own with `device_token`"
            );
        }
        let keep = Arc::new(folder::lock_folder(&config.data)?);
        let (file, records) = process::open_file(&config)?;
        let (connections, of_rest) = (config.limits.connections, config.limits.rest_connections);
        let (share, tenants_max) = gate::share(connections, of_rest, 1 + records.len())
            .map_err(|error| PlatformError::Descriptors(Box::new(error)))?;
        let secrets = Secrets::of(&config);
        let first = start_tenant(TenantName::default(), secrets, &config, &keep).await?;
        let process = Process::of(first, (config.clone(), keep), (file, records), tenants_max);
        process.resume().await;
        match listen(&config, share, &process).await {
            Ok((addresses, server)) => {
                let rest = server.address;
                tracing::info!(?addresses, %rest, connections = ?share, "listening");
                Ok(Running { process, addresses, server })
            }
            Err(error) => {
                process.close_doors(Duration::ZERO).await;
                process.stop().await;
                Err(error)
            }
        }
    }
}

/// Prints the one-time password of the user `admin`, where there is nobody else to let people in.
async fn make_first_administrator(process: &Process) {
    let tenant = Arc::clone(process.tenants.first());
    let caller = ops::Caller { tenant, who: Arc::default() };
    match ops::accounts::first_administrator(&caller).await {
        Ok(Some(code)) => {
            let text = format!(
                "the user `admin` has the one-time password {code} for 24 h; replace it by PUT \
                 /api/v1/account/password, or start again for another one\n"
            );
            // Where nobody reads it there is another one at the next start.
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
        Ok(None) => {}
        Err(problem) => tracing::error!(?problem, "the first administrator could not be made"),
    }
}

/// Refuses doors that there are not, or not twice.
fn check_doors(config: &Config) -> Result<(), ConfigError> {
    let (key, all) = ("door.kind", &config.doors);
    for (index, door) in all.iter().enumerate() {
        let found = format!("`{}`", door.kind);
        let Some(kind) = doors::find(&door.kind) else {
            return Err(ConfigError::value(key, found, "see `lastmeter list doors`"));
        };
        if all[..index].iter().any(|other| other.kind == door.kind) {
            return Err(ConfigError::value(key, found, "give one of each kind"));
        }
        (kind.check)(&door.keys)?;
    }
    Ok(())
}

async fn listen(
    config: &Config,
    share: Share,
    process: &Arc<Process>,
) -> Result<(Vec<(&'static str, SocketAddr)>, Server), PlatformError> {
    let tenants = &process.tenants;
    tenants.first().ready().await?;
    if config.token.is_none() && tenants.first().is_ready() {
        make_first_administrator(process).await;
    }
    tenants.all().iter().for_each(ops::jobs::resume);
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
    let doors = doors::open(config, share, &gate, tenants).await?;
    let addresses = doors.addresses();
    process.open(doors).await;
    let settings = rest::Settings::of(limits, gate::Listener::Rest, share.rest, &gate);
    let settings = rest::Settings { edge, ..settings };
    let router = web(process, config, &settings);
    let address = config.rest_address;
    let server = Server::start(address, router, settings)
        .map_err(|source| PlatformError::Listen { what: "REST", address, source })?;
    Ok((addresses, server))
}

/// REST and the pages, behind one server with these settings.
fn web(process: &Arc<Process>, config: &Config, settings: &rest::Settings) -> axum::Router {
    let router = rest::router(process, config, settings);
    pages::with_missing_page(router.merge(pages::router(process, config, settings)))
}

/// The kinds of doors that `Config::doors` may name, with their keys.
pub fn door_kinds() -> impl Iterator<Item = Entry> {
    doors::DOORS.iter().skip(1).map(|kind| kind.entry)
}

/// A running platform. Dropping it without [`Running::shutdown`] is like a crash: what was
/// acknowledged is in the journal and is committed at the next start.
pub struct Running {
    process: Arc<Process>,
    addresses: Vec<(&'static str, SocketAddr)>,
    server: Server,
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

    /// Stops listening, commits what was acknowledged, closes everything. Returns whether all of
    /// it was committed within `limits.shutdown_s`; if not, the journal has what is missing, and
    /// the next start commits it. REST requests have half of that time to be answered; clients that
    /// do not end theirs, or do not read the answer, are cut off then, which is no failure.
    pub async fn shutdown(self) -> bool {
        let limit = self.process.stop_limit() / 2;
        let (rest, doors) = tokio::join!(self.server.stop(limit), self.process.close_doors(limit));
        let answered = rest && doors;
        if !answered {
            tracing::warn!("HTTP connections that did not end in time were cut off");
        }
        let stopped = self.process.stop().await;
        tracing::info!(answered, stopped, "stopped");
        stopped
    }
}
