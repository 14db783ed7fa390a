//! The tenants of a process: each a journal, a store, a clock and commands of its own, behind the
//! same doors.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use lastmeter_model::access::{
    Action, Decision, Facts as _, Heard, MachineToken, Principal, PrincipalRef, Target, TokenKind,
    UserName, may_follow, may_hear, may_publish, may_subscribe,
};
use lastmeter_model::refusal::RefusalReason;
use lastmeter_units::{HardwareId, SimTime, TenantName};
use lastmeter_wire::topics::input_name;
use serde::Deserialize;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::access::{Access, NotProved};
use crate::identity::{self, Proof, Visitor};
use crate::port::{Arrival, IngestPort, NotDurable, Presented, Verdict};
use crate::tenant::Tenant;
use crate::tls::DeviceCertificate;

/// Those that are open. The first one, `default`, is there from the start to the end.
pub(crate) struct Tenants {
    first: Arc<Tenant>,
    open: RwLock<BTreeMap<TenantName, Open>>,
    pub(crate) access: Access,
}

struct Open {
    tenant: Arc<Tenant>,
    _attending: Attending,
}

/// The tasks that serve a tenant; they end with this.
struct Attending([JoinHandle<()>; 2]);

impl Drop for Attending {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// Sends and reads what is outside. A fault in that is one of nothing else, and is counted.
async fn reach_out(tenant: Arc<Tenant>) {
    loop {
        let (mut task, of) = (JoinSet::new(), Arc::clone(&tenant));
        task.spawn(async move { of.outgoing.follow().await });
        match task.join_next().await {
            Some(Err(error)) if error.is_panic() => {
                tenant.metrics.service_failures.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%error, "sending and reading outside begins again");
                drop(timeout(Duration::from_secs(1), std::future::pending::<()>()).await);
            }
            _ => return,
        }
    }
}

impl Open {
    fn new(tenant: Arc<Tenant>) -> Self {
        let attended = Arc::clone(&tenant);
        let attending = tokio::spawn(async move { attended.attend().await });
        let attending = Attending([attending, tokio::spawn(reach_out(Arc::clone(&tenant)))]);
        Self { tenant, _attending: attending }
    }
}

impl Tenants {
    /// The first tenant, alone.
    pub(crate) fn of(first: Arc<Tenant>) -> Self {
        let open = BTreeMap::from([(first.name.clone(), Open::new(Arc::clone(&first)))]);
        Self { first, open: RwLock::new(open), access: Access::new() }
    }

    /// The tenant that is always there.
    pub(crate) fn first(&self) -> &Arc<Tenant> {
        &self.first
    }

    pub(crate) fn find(&self, name: &TenantName) -> Option<Arc<Tenant>> {
        self.read().get(name).map(|open| Arc::clone(&open.tenant))
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Tenant>> {
        self.read().values().map(|open| Arc::clone(&open.tenant)).collect()
    }

    /// The tenant whose administrators have this secret. Each is compared, so that the time does
    /// not show which one it was.
    pub(crate) fn of_administrator(&self, secret: &[u8]) -> Option<Arc<Tenant>> {
        self.with_secret(|tenant| tenant.is_administrators(secret))
    }

    /// The tenant whose devices share this secret.
    pub(crate) fn of_device(&self, secret: &[u8]) -> Option<Arc<Tenant>> {
        self.with_secret(|tenant| tenant.is_devices(secret))
    }

    fn with_secret(&self, has_it: impl Fn(&Tenant) -> bool) -> Option<Arc<Tenant>> {
        let mut found = None;
        for tenant in self.all() {
            let is_it = has_it(&tenant);
            found = found.or(is_it.then_some(tenant));
        }
        found
    }

    /// Whose bearer token it is: an administrators' one, an API key or an access token.
    pub(crate) fn by_bearer(&self, given: &[u8]) -> Option<Visitor> {
        let token = std::str::from_utf8(given).ok().and_then(MachineToken::parse);
        let is_known =
            |token: &MachineToken| matches!(token.kind, TokenKind::ApiKey | TokenKind::Access);
        match token.filter(is_known) {
            None => self.of_administrator(given).map(identity::by_settings),
            Some(token) => {
                let found = (self.find(&token.tenant), &self.first);
                identity::by_token(&self.access, found, &token)
            }
        }
    }

    /// Whose log-in to pages it is.
    pub(crate) fn by_page(&self, given: &str) -> Option<Visitor> {
        let token = MachineToken::parse(given).filter(|token| token.kind == TokenKind::Page)?;
        let found = (self.find(&token.tenant), &self.first);
        identity::by_token(&self.access, found, &token)
    }

    /// Who has a user name and a password in a tenant.
    pub(crate) async fn by_password(
        &self,
        tenant: TenantName,
        user: (&str, &[u8]),
        from: IpAddr,
    ) -> Result<Visitor, NotProved> {
        let found = self.find(&tenant);
        identity::by_password(&self.access, (tenant, found), user, from).await
    }

    /// Opens the doors to a tenant that is ready and not open yet.
    pub(crate) fn add(&self, tenant: Arc<Tenant>) {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        open.insert(tenant.name.clone(), Open::new(tenant));
    }

    /// Closes the doors to a tenant; the first one stays.
    pub(crate) fn take(&self, name: &TenantName) -> Option<Arc<Tenant>> {
        if *name == self.first.name {
            return None;
        }
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        open.remove(name).map(|open| open.tenant)
    }

    /// Ends what is done for them on the wall's clock, and returns them.
    pub(crate) fn take_all(&self) -> Vec<Arc<Tenant>> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *open).into_values().map(|open| open.tenant).collect()
    }

    /// The tenant of a client that was let in.
    fn admitted(&self, name: &TenantName) -> Result<Arc<Tenant>, NotDurable> {
        let gone = || NotDurable { why: format!("the tenant `{name}` has been closed") };
        self.find(name).ok_or_else(gone)
    }

    /// Asks something of a principal as it is now: it may have been disabled, or have other roles,
    /// since it was let in.
    fn as_now<T>(&self, who: &Principal, ask: impl FnOnce(&Tenant, &Principal) -> T) -> Option<T> {
        let tenant = who.tenant.as_ref().and_then(|name| self.find(name))?;
        if matches!(who.reference, PrincipalRef::Bench | PrincipalRef::SharedDevices) {
            return Some(ask(&tenant, who));
        }
        identity::principal(&tenant, &who.reference).map(|who| ask(&tenant, &who))
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<TenantName, Open>> {
        self.open.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a message of live values is of.
fn heard(payload: &[u8]) -> Option<Heard> {
    #[derive(Deserialize)]
    struct Of {
        device: HardwareId,
        event_time: SimTime,
    }
    let Of { device, event_time } = serde_json::from_slice(payload).ok()?;
    Some(Heard { device, event: event_time })
}

#[async_trait]
impl IngestPort for Tenants {
    async fn accept(&self, tenant: &TenantName, arrival: Arrival) -> Result<Verdict, NotDurable> {
        Ok(self.admitted(tenant)?.ingest.accept(arrival).await?)
    }

    async fn refuse(
        &self,
        tenant: &TenantName,
        refusal: RefusalReason,
        (sender, topic): (&str, &str),
        detail: &str,
    ) -> Result<(), NotDurable> {
        self.admitted(tenant)?.ingest.refuse(refusal, sender, topic, detail).await
    }

    fn count(&self, refusal: RefusalReason) {
        self.first.ingest.count(refusal);
    }

    async fn record(
        &self,
        refusal: RefusalReason,
        device: Option<&str>,
        detail: &str,
    ) -> Result<(), NotDurable> {
        self.first.ingest.record_counted(refusal, device, detail).await
    }

    /// A certificate suffices where its fingerprint is a credential of the device whose user name
    /// it comes with: identifiers of clients are apart by user name, so with any other it would end
    /// other clients' sessions. One that names no tenant is of the first one, and wants a password
    /// unless it is such a credential.
    async fn identify(&self, presented: Presented<'_>) -> Option<Principal> {
        let Presented { user_name, password, certificate, from } = presented;
        let UserName { tenant, principal: claimed } = UserName::parse(user_name)?;
        let found = self.find(&tenant);
        // Where there is none it takes as long.
        let asked = Arc::clone(found.as_ref().unwrap_or(&self.first));
        let (is_bench, is_device) = (asked.is_administrators(password), asked.is_devices(password));
        let is_own = identity::has_secret(&asked, &claimed, password);
        let of_tenant = certificate.is_none_or(|certificate| {
            *certificate.tenant.as_ref().unwrap_or(&self.first.name) == tenant
        });
        found.filter(|_| of_tenant)?;
        if let (PrincipalRef::User(name), None) = (&claimed, certificate) {
            let user = (name.as_str(), password);
            let visitor = self.by_password(tenant, user, from).await.ok()?;
            let is_password = matches!(visitor.proof, Proof::Password(_));
            return visitor.who.first().filter(|_| is_password).cloned();
        }
        let is_certified = certificate.is_some_and(|certificate| {
            matches!(&claimed, PrincipalRef::Device(id) if id.as_str() == certificate.device)
                && identity::certified(&asked, certificate)
        });
        match (&claimed, certificate) {
            (PrincipalRef::SharedDevices, Some(DeviceCertificate { tenant: Some(_), .. })) => None,
            (PrincipalRef::SharedDevices, _) if is_bench => {
                Some(Principal::of(PrincipalRef::Bench, tenant))
            }
            (PrincipalRef::SharedDevices, _) if is_device => Some(Principal::of(claimed, tenant)),
            (PrincipalRef::Device(id), Some(certificate)) => {
                let is_it = id.as_str() == certificate.device && (is_certified || is_own);
                identity::principal(&asked, &claimed).filter(|_| is_it)
            }
            (_, None) if is_own => identity::principal(&asked, &claimed),
            _ => None,
        }
    }

    fn refusal(&self, who: &Principal, topic: &str) -> RefusalReason {
        let tenant = who.tenant.as_ref().and_then(|name| self.find(name));
        let has_credential = |tenant: &Arc<Tenant>| {
            let named = input_name(topic).filter(|name| name.tenant == tenant.name.as_str());
            let device = named.and_then(|name| name.device).map(Target::Device);
            device.is_some_and(|device| tenant.facts().has_credential(&device))
        };
        let is_shared = who.reference == PrincipalRef::SharedDevices;
        if is_shared && tenant.as_ref().is_some_and(has_credential) {
            RefusalReason::DeviceHasCredential
        } else {
            RefusalReason::TopicNotAllowed
        }
    }

    fn decide(&self, who: &Principal, action: Action, topic: &str) -> Decision {
        let decided = self.as_now(who, |tenant, who| {
            let now = tenant.clock.now();
            match action {
                Action::Read => may_subscribe(who, topic, &tenant.facts(), now),
                Action::Write => may_publish(who, topic, &tenant.facts(), now),
                _ => Decision::Hidden,
            }
        });
        decided.unwrap_or(Decision::Hidden)
    }

    fn follows(&self, who: &Principal, filter: &str) -> bool {
        let decided = self.as_now(who, |tenant, who| {
            may_follow(who, filter, &tenant.facts(), tenant.clock.now())
        });
        decided.unwrap_or(false)
    }

    fn hears(&self, who: &Principal, topic: &str, payload: &[u8]) -> bool {
        let decided = self.as_now(who, |tenant, who| {
            may_hear(who, topic, || heard(payload), (&tenant.facts(), tenant.clock.now()))
        });
        decided.unwrap_or(false)
    }

    fn connections_max(&self, tenant: &TenantName) -> usize {
        self.find(tenant).map_or(0, |tenant| tenant.mqtt_connections())
    }

    fn listens(&self, tenant: &TenantName, door: &'static str, device: HardwareId) {
        if let Some(tenant) = self.find(tenant) {
            tenant.ingest.listens(door, device);
        }
    }
}
