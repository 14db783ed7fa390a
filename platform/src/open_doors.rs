//! The doors that are open, for those who make and remove tenants behind them.

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use lastmeter_model::access::PrincipalRef;
use lastmeter_units::TenantName;

use crate::tenant::Tenant;

/// A door that is open.
#[async_trait]
pub(crate) trait Door: Send + Sync {
    /// Where it listens, by the names that stand in the ready line.
    fn addresses(&self) -> Vec<(&'static str, SocketAddr)>;

    /// Becomes a way out to the devices of a tenant.
    fn attach(&self, tenant: &Tenant);

    /// Cuts whoever is in it of a tenant that is not let in any more; how many are left.
    async fn cut(&self, tenant: &TenantName) -> usize;

    /// Cuts whoever is in it as a principal.
    fn cut_principal(&self, _: &TenantName, _: &PrincipalRef) {}

    /// Closes it. Whether everybody in it had their answer within the limit.
    async fn close(self: Box<Self>, limit: Duration) -> bool;
}

/// All that are open.
#[derive(Default)]
pub(crate) struct Doors(Vec<Box<dyn Door>>);

impl Doors {
    /// Those that are open, in the order in which they are closed from the end.
    pub(crate) fn of(doors: Vec<Box<dyn Door>>) -> Self {
        Self(doors)
    }

    /// Where they listen, by the names that stand in the ready line.
    pub(crate) fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        self.0.iter().flat_map(|door| door.addresses()).collect()
    }

    /// Opens all of them to a further tenant.
    pub(crate) fn attach(&self, tenant: &Tenant) {
        for door in &self.0 {
            door.attach(tenant);
        }
    }

    /// Cuts the connections of a tenant that is not let in any more; how many are left.
    pub(crate) async fn cut(&self, tenant: &TenantName) -> usize {
        let mut left = 0;
        for door in &self.0 {
            left += door.cut(tenant).await;
        }
        left
    }

    /// Cuts the connections of a principal.
    pub(crate) fn cut_principal(&self, tenant: &TenantName, who: &PrincipalRef) {
        for door in &self.0 {
            door.cut_principal(tenant, who);
        }
    }

    /// Closes them all, the last one first.
    pub(crate) async fn close(mut self, limit: Duration) -> bool {
        let mut answered = true;
        while let Some(door) = self.0.pop() {
            answered &= door.close(limit).await;
        }
        answered
    }
}
