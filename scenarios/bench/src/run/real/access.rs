//! The platform under test and the links before it: how the clients of a real-time bench get there.

use std::time::Duration;

use lastmeter_language::tenant_prefix;
use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::mqtt::{Session, SessionEvents, SessionOptions};
use lastmeter_units::TenantName;
use tokio::runtime::Handle;

use super::links::Links;
use crate::run::error::BenchError;
use crate::run::run_platform::UnderTest;
use crate::run::tenants::RestOfAll;

/// How the platform is reached.
pub(super) struct PlatformAccess {
    pub(super) under_test: UnderTest,
    pub(super) rest: RestOfAll,
    pub(super) links: Links,
    /// The runtime that serves sessions and lanes.
    pub(super) handle: Handle,
    /// When it last gave its refusals.
    pub(super) refusals_read_ns: i64,
}

impl PlatformAccess {
    pub(super) fn new(
        under_test: UnderTest,
        rest: RestOfAll,
        links: Links,
        handle: Handle,
    ) -> Self {
        Self { under_test, rest, links, handle, refusals_read_ns: monotonic_ns() }
    }

    /// Where the owner of a connection, of this name, connects to, and as whom.
    pub(super) async fn session_options(
        &self,
        tenant: &TenantName,
        name: &str,
        via: Option<usize>,
    ) -> Result<SessionOptions, BenchError> {
        let client_id = name.strip_prefix(&tenant_prefix(tenant)).unwrap_or(name);
        let Some(link) = via else {
            let address = self.under_test.broker_address()?;
            return self.under_test.session_options(tenant, client_id, address);
        };
        // The lane's tasks belong to the punctual runtime.
        let (links, owner) = (self.links.clone(), name.to_owned());
        let lane = self.handle.spawn(async move { links.lane(link, &owner).await }).await;
        let lane = lane.map_err(|error| BenchError::Record(format!("a link's lane: {error}")))?;
        let mut options = self.under_test.session_options(tenant, client_id, lane?)?;
        // Connecting takes several ways there and back.
        let spec = &self.links.specs[link];
        let way_ns = (spec.up.delay_ns + spec.down.delay_ns).max(0.0);
        options.connect_limit += Duration::from_nanos(way_ns as u64).saturating_mul(8);
        Ok(options)
    }

    pub(super) fn open(&self, options: SessionOptions) -> (Session, SessionEvents) {
        let _within = self.handle.enter();
        Session::open(options)
    }
}
