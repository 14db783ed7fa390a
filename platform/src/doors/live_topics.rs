//! Live values on the broker's topics: each reading on `TENANT/live/device/ID`, each alert on
//! `TENANT/live/alerts`, as they are committed, in the form that they have at `/api/v1/live`. Who
//! gets them is the broker's matter. Where nobody has subscribed nothing is read.

use std::sync::{Arc, Weak};

use lastmeter_store::{Rows, StoreResult, Stretch};
use lastmeter_units::TenantName;
use lastmeter_wire::topics;
use serde_json::Value;

use crate::broker::Broker;
use crate::config::ClockSource;
use crate::live::{self, Live, Watch, alert_json, reading_json};
use crate::reader::Reader;
use crate::tenant::Tenant;

/// Rows that are read at once.
const ROWS_AT_ONCE: u32 = 64;

pub(super) struct LiveTopics {
    broker: Weak<Broker>,
    tenant: TenantName,
    readers: Reader,
    watch: Watch,
    live: Arc<Live>,
    /// Only then is it of use who has got what.
    is_driven: bool,
}

impl LiveTopics {
    pub(super) fn of(tenant: &Tenant, broker: &Arc<Broker>) -> Self {
        Self {
            broker: Arc::downgrade(broker),
            tenant: tenant.name.clone(),
            readers: tenant.readers.clone(),
            watch: tenant.watch(),
            live: Arc::clone(&tenant.live),
            is_driven: tenant.clock.source == ClockSource::Driven,
        }
    }

    /// Publishes until the tenant or the broker is closed.
    pub(super) async fn publish(mut self) {
        // What was committed before is nothing new.
        let mut at = self.watch.committed();
        self.live.published(Some(at));
        let _closed = Closed(Arc::clone(&self.live));
        loop {
            self.watch.news().await;
            let to = self.watch.visible();
            let Some(broker) = self.broker.upgrade() else { return };
            let is_heard = broker.has_live_listener(&self.tenant);
            drop(broker);
            if self.watch.is_over() {
                return;
            }
            while is_heard && at.readings < to.readings {
                let last = to.readings;
                let stretch = Stretch { after: at.readings, limit: ROWS_AT_ONCE, last };
                let found = self.readers.permitted().readings(stretch).await;
                for row in self.rows(found, (&mut at.readings, last), |row| row.sequence) {
                    let topic = topics::live(self.tenant.as_str(), &row.device);
                    self.put(&topic, reading_json(&row, |_| true)).await;
                }
            }
            while is_heard && at.alerts < to.alerts {
                let last = to.alerts;
                let stretch = Stretch { after: at.alerts, limit: ROWS_AT_ONCE, last };
                let found = self.readers.permitted().alerts(stretch).await;
                for row in self.rows(found, (&mut at.alerts, last), |row| row.sequence) {
                    let topic = topics::live_alerts(self.tenant.as_str());
                    self.put(&topic, Some(alert_json(&row))).await;
                }
            }
            at = to;
            self.live.published(Some(at));
        }
    }

    /// The rows that were found; the place moves behind them, or behind one that is damaged.
    fn rows<T>(
        &self,
        found: StoreResult<Rows<T>>,
        (at, last): (&mut u64, u64),
        sequence: impl Fn(&T) -> u64,
    ) -> Vec<T> {
        let place = &mut *at;
        live::sound(found, (place, last), sequence).unwrap_or_else(|error| {
            let tenant = &self.tenant;
            tracing::warn!(%tenant, %error, "live values were not published");
            *at = last;
            Vec::new()
        })
    }

    async fn put(&self, topic: &str, value: Option<Value>) {
        let (Some(value), Some(broker)) = (value, self.broker.upgrade()) else { return };
        let payload = value.to_string().into_bytes();
        if self.is_driven {
            self.live.went_to(broker.live_parties(&self.tenant, (topic, &payload)));
        }
        if let Err(error) = broker.publish(topic, payload).await {
            tracing::warn!(%error, "a live value was not published");
        }
    }
}

/// Nobody waits for topics that are closed.
struct Closed(Arc<Live>);

impl Drop for Closed {
    fn drop(&mut self) {
        self.0.published(None);
    }
}
