//! `mqtt`: the broker, with and without TLS. It is always open; its settings are `mqtt_address`,
//! `[tls]` and their limits.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use lastmeter_model::access::PrincipalRef;
use lastmeter_params::Entry;
use lastmeter_store::lock;
use lastmeter_units::{HardwareId, TenantName};
use lastmeter_wire::topics;
use tokio::task::JoinSet;

use super::live_topics::LiveTopics;
use super::{DoorKind, Opening};
use crate::broker::{self, Broker, BrokerConfig, QueueLimits};
use crate::certificates;
use crate::config::ConfigError;
use crate::device_routes::Outbound;
use crate::error::PlatformError;
use crate::open_doors::Door;
use crate::port::IngestPort;
use crate::tenant::Tenant;

pub(super) const DOOR: DoorKind = DoorKind {
    entry: Entry {
        name: broker::DOOR,
        summary: "MQTT 3.1.1 and 5, with and without TLS; always open",
        description: "The broker of the platform. It is always open and has no keys here: its \
            settings are `mqtt_address` and `[tls]`.",
        fields: &[],
    },
    check: |_| {
        let expected = "leave it out: MQTT is always open, and set by `mqtt_address` and `tls`";
        Err(ConfigError::value("door.kind", "`mqtt`", expected))
    },
    connections: |_| 0,
    open: |opening| Box::pin(open(opening)),
};

async fn open(opening: Opening<'_>) -> Result<Box<dyn Door>, PlatformError> {
    let Opening { config, connections, gate, tenants, .. } = opening;
    let limits = &config.limits;
    let seconds = Duration::from_secs;
    let settings = BrokerConfig {
        address: config.mqtt_address,
        packet_limit_bytes: limits.packet_bytes,
        plain: config.tls.as_ref().is_none_or(|tls| tls.plain),
        tls: certificates::load(config).map_err(|error| PlatformError::Tls(Box::new(error)))?,
        connections,
        plain_connections: limits.mqtt_connections,
        unauthenticated: limits.mqtt_connecting,
        limits: broker::ConnectLimits {
            first_byte: seconds(limits.mqtt_first_byte_s),
            connect: seconds(limits.mqtt_connect_s),
            bytes: limits.mqtt_connect_bytes,
        },
        queues: QueueLimits {
            messages: limits.subscriber_messages,
            bytes: limits.subscriber_bytes,
            tenant_bytes: limits.subscribers_bytes,
            all_bytes: limits.subscribers_bytes,
        },
        gate,
    };
    let port = Arc::clone(tenants) as Arc<dyn IngestPort>;
    let broker = Broker::start(settings, port).await;
    let broker = Arc::new(broker.map_err(|error| PlatformError::Broker(Box::new(error)))?);
    tracing::debug!(address = %broker.address(), "MQTT is open");
    Ok(Box::new(Mqtt { broker, live: Mutex::default() }))
}

struct Mqtt {
    broker: Arc<Broker>,
    /// What publishes live values of each tenant.
    live: Mutex<JoinSet<()>>,
}

#[async_trait]
impl Door for Mqtt {
    fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        let plain = self.broker.plain_address.map(|address| ("mqtt", address));
        let tls = self.broker.tls_address.map(|address| ("mqtts", address));
        plain.into_iter().chain(tls).collect()
    }

    fn attach(&self, tenant: &Tenant) {
        let mut live = lock(&self.live);
        // Those of tenants that were removed.
        while live.try_join_next().is_some() {}
        live.spawn(LiveTopics::of(tenant, &self.broker).publish());
        let (broker, name) = (Arc::downgrade(&self.broker), tenant.name.clone());
        tenant.dispatcher.routes.open(broker::DOOR, Arc::new(Link { broker, tenant: name }));
    }

    async fn cut(&self, tenant: &TenantName) -> usize {
        self.broker.cut(tenant).await.left
    }

    fn cut_principal(&self, tenant: &TenantName, who: &PrincipalRef) {
        self.broker.cut_principal(tenant, who);
    }

    async fn close(self: Box<Self>, _: Duration) -> bool {
        let mut live = std::mem::take(&mut *lock(&self.live));
        live.shutdown().await;
        if let Some(broker) = Arc::into_inner(self.broker) {
            broker.stop().await;
        }
        true
    }
}

/// The broker as the way out to devices of a tenant; it does not keep the broker alive.
struct Link {
    broker: Weak<Broker>,
    tenant: TenantName,
}

#[async_trait]
impl Outbound for Link {
    async fn send(&self, device: &HardwareId, payload: Vec<u8>) -> Result<usize, String> {
        let topic = topics::commands(self.tenant.as_str(), device);
        match self.broker.upgrade() {
            Some(broker) => {
                broker.publish(&topic, payload).await.map_err(|error| error.to_string())
            }
            None => Ok(0),
        }
    }

    fn counters(&self) -> Vec<(String, u64)> {
        let counters =
            self.broker.upgrade().map(|broker| broker.counters().list()).unwrap_or_default();
        counters.into_iter().map(|(name, value)| (format!("broker_{name}"), value)).collect()
    }
}
