//! The metering platform: broker, journal, pipeline, store, REST.
//!
//! Terms: a *tenant* has a folder, a journal and a store of its own; *durable* is what survives
//! power loss; *committed* is what queries see. What a device sends goes
//! `(TLS ->) broker -> ingest -> journal -> (PUBACK) -> pipeline -> store -> REST`; every stage is
//! bounded, and a full one makes the stage before it wait, back to the sender's socket.
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
mod book;
mod broker;
mod clock;
mod commands;
mod config;
mod core;
mod error;
mod files;
mod folder;
mod format;
mod gate;
mod ingest;
mod journal;
mod losses;
mod message;
mod metrics;
mod pipeline;
mod port;
mod refusal;
mod rest;
mod sparse;
mod start;
mod store;
#[cfg(test)]
mod tests;
mod tls;
mod ways;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
pub use config::{ClockSource, Config, ConfigError, Limits, Pem, TENANT, TlsConfig, Token};
pub use error::PlatformError;
use lastmeter_units::HardwareId;
use lastmeter_wire::topics;
use tokio::task::JoinHandle;

use crate::broker::{Broker, BrokerConfig, Opening, QueueLimits};
use crate::core::Core;
use crate::gate::{Gate, GuessLimits, Share};
use crate::rest::Server;
use crate::ways::Outbound;

/// The platform.
#[derive(Debug)]
pub struct Platform;

impl Platform {
    /// Recovers what a stop of any kind left behind and starts listening. When this returns,
    /// everything that was ever acknowledged is committed, or reported as missing, and both
    /// addresses are bound. Where nothing can be written, as on a full disk, what is stored is
    /// served, and messages are taken as soon as they can be.
    ///
    /// # Errors
    /// [`PlatformError`], saying what stands in the way; nothing is left running then.
    pub async fn start(config: Config) -> Result<Running, PlatformError> {
        config.check()?;
        let share = gate::share(config.limits.connections, config.limits.rest_connections)?;
        if config.device_token.is_none() {
            tracing::warn!(
                "one secret is the administrators' token and every meter's password: a meter can \
                 read and command all others; give the meters their own with `device_token`"
            );
        }
        let settings = config.clone();
        let started = tokio::task::spawn_blocking(move || Core::start(&settings)).await;
        let core = Arc::new(started.map_err(|panic| PlatformError::Store(Box::new(panic)))??);
        let stop_limit = Duration::from_secs(config.limits.shutdown_s);
        match listen(&config, share, &core).await {
            Ok((broker, server)) => {
                let attending = Attending::start(Arc::clone(&core));
                let (mqtt, mqtts) = (broker.plain_address(), broker.tls_address());
                let rest = server.address();
                tracing::info!(?mqtt, ?mqtts, %rest, connections = ?share, "listening");
                Ok(Running { core, broker, server, attending, stop_limit })
            }
            Err(error) => {
                core.stop(stop_limit).await;
                Err(error)
            }
        }
    }
}

async fn listen(
    config: &Config,
    share: Share,
    core: &Arc<Core>,
) -> Result<(Arc<Broker>, Server), PlatformError> {
    core.ready().await?;
    let limits = &config.limits;
    let seconds = Duration::from_secs;
    let gate = Arc::new(Gate::new(GuessLimits {
        burst: limits.wrong_secrets,
        per_minute: limits.wrong_secrets_per_minute,
        wait: seconds(limits.wrong_secret_wait_s),
    }));
    let broker_config = BrokerConfig {
        packet_limit_bytes: limits.packet_bytes,
        plain: config.tls.as_ref().is_none_or(|tls| tls.plain),
        tls: tls::load(config)?,
        connections: share.mqtt,
        plain_connections: limits.mqtt_connections,
        guests: limits.mqtt_connecting,
        opening: Opening {
            first_byte: seconds(limits.mqtt_first_byte_s),
            connect: seconds(limits.mqtt_connect_s),
            bytes: limits.mqtt_connect_bytes,
        },
        queues: QueueLimits {
            messages: limits.subscriber_messages,
            bytes: limits.subscriber_bytes,
            all_bytes: limits.subscribers_bytes,
        },
        gate: Arc::clone(&gate),
        ..BrokerConfig::new(config.mqtt_address)
    };
    let ingest = Arc::clone(&core.ingest);
    let broker = Arc::new(Broker::start(broker_config, ingest).await?);
    core.dispatcher.ways.open(broker::DOOR, Arc::new(BrokerLink(Arc::downgrade(&broker))));
    let router = rest::router(Arc::clone(core), config, share.rest, Arc::clone(&gate));
    let settings = rest::Settings {
        connections: share.rest,
        of_peer: limits.rest_peer_connections,
        limit: seconds(limits.rest_header_s),
        gate,
    };
    let server = Server::start(config.rest_address, router, settings)
        .map_err(|source| PlatformError::Listen { address: config.rest_address, source })?;
    Ok((broker, server))
}

/// A running platform. Dropping it without [`Running::shutdown`] is like a crash: what was
/// acknowledged is in the journal and is committed at the next start.
pub struct Running {
    core: Arc<Core>,
    broker: Arc<Broker>,
    server: Server,
    attending: Attending,
    stop_limit: Duration,
}

impl Running {
    /// Where MQTT listens: without TLS, unless `tls.plain` is false.
    pub fn mqtt_address(&self) -> SocketAddr {
        self.broker.address()
    }

    /// Where MQTT listens without TLS, if it does.
    pub fn plain_mqtt_address(&self) -> Option<SocketAddr> {
        self.broker.plain_address()
    }

    /// Where MQTT over TLS listens, if it does.
    pub fn mqtts_address(&self) -> Option<SocketAddr> {
        self.broker.tls_address()
    }

    /// Where REST listens.
    pub fn rest_address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Stops listening, commits what was acknowledged, closes everything. Returns whether all of
    /// it was committed within `limits.shutdown_s`; if not, the journal has what is missing, and
    /// the next start commits it. REST requests have half of that time to be answered; clients that
    /// do not end theirs, or do not read the answer, are cut off then, which is no failure.
    pub async fn shutdown(self) -> bool {
        let answered = self.server.stop(self.stop_limit / 2).await;
        if !answered {
            tracing::warn!("REST connections that did not end in time were cut off");
        }
        drop(self.attending);
        if let Some(broker) = Arc::into_inner(self.broker) {
            broker.stop().await;
        }
        let stopped = self.core.stop(self.stop_limit).await;
        tracing::info!(answered, stopped, "stopped");
        stopped
    }
}

/// The task that serves timers and subscriptions; it ends with this.
struct Attending(JoinHandle<()>);

impl Attending {
    fn start(core: Arc<Core>) -> Self {
        Self(tokio::spawn(async move { core.attend().await }))
    }
}

impl Drop for Attending {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The broker as the way out to devices; it does not keep the broker alive.
struct BrokerLink(std::sync::Weak<Broker>);

#[async_trait]
impl Outbound for BrokerLink {
    async fn send(&self, device: &HardwareId, payload: Vec<u8>) -> Result<usize, String> {
        let topic = topics::commands(TENANT, device);
        match self.0.upgrade() {
            Some(broker) => {
                broker.publish(&topic, payload).await.map_err(|error| error.to_string())
            }
            None => Ok(0),
        }
    }

    fn counters(&self) -> Vec<(String, u64)> {
        let counters = self.0.upgrade().map(|broker| broker.counters().list()).unwrap_or_default();
        counters.into_iter().map(|(name, value)| (format!("broker_{name}"), value)).collect()
    }
}
