//! Who asks for something of a tenant.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::StatusCode;
use lastmeter_model::access::{
    Action, Denied, Kind, Permit, Principal, PrincipalName, PrincipalRef, Resource, Subject,
};
use lastmeter_model::document::Transaction;
use lastmeter_model::work::Changed;
use lastmeter_store::lock;
use lastmeter_units::{HardwareId, SimTime};

use crate::access::require;
use crate::config::TENANT;
use crate::identity::notes::{self, is_of_data};
use crate::problem::Problem;
use crate::tenant::Tenant;

/// Bytes of documents that somebody who is no administrator writes in a day of the tenant's clock.
const BYTES_OF_DAY_MAX: u64 = 4 << 20;
const DAY_NS: i64 = 24 * 3_600_000_000_000;

/// Who sends a request, and to which tenant.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) tenant: Arc<Tenant>,
    /// What the credential stands for: the first is named in audit rows.
    pub(crate) who: Arc<[Principal]>,
}

impl Caller {
    /// The permit of what is asked.
    ///
    /// # Errors
    /// 401, 403, or for what is hidden the answer to what does not exist.
    pub(crate) fn require(
        &self,
        action: Action,
        on: &Resource<'_>,
        hidden: impl FnOnce() -> Problem,
    ) -> Result<Permit, Problem> {
        let (problem, is_seen) = match self.ask(action, on) {
            Ok(permit) => {
                if let (true, Subject::One(target)) = (is_of_data(action, on.kind), on.subject)
                    && let Some(device) = target.device()
                {
                    self.note_reading(device);
                }
                return Ok(permit);
            }
            Err(Denied::LogIn) => return Err(log_in()),
            Err(Denied::Hidden) => (hidden(), false),
            Err(Denied::Forbidden) => (not_permitted(action, on.kind), true),
        };
        // Everybody reads what was denied to it: what is hidden is noted as what is not there.
        let resource = match on.subject {
            Subject::One(target) if is_seen => format!("{} {target}", on.kind),
            _ => on.kind.to_string(),
        };
        notes::denied(&self.tenant, &self.name(), [action.word(), &resource]);
        Err(problem)
    }

    /// Takes note that data of a device is read, which is in the audit where it is another's.
    pub(crate) fn note_reading(&self, device: &HardwareId) {
        if let Some(who) = self.who.first() {
            notes::read(&self.tenant, who, device);
        }
    }

    /// Does what belongs together, or nothing of it. Administrators have the part of the tenant's
    /// room that is kept for them.
    ///
    /// # Errors
    /// 507 if there is no room for it, or the platform takes nothing more.
    pub(crate) async fn apply(&self, transaction: Transaction) -> Result<Changed, Problem> {
        let reserve = transaction.reserve || self.is_administrator();
        if !reserve {
            self.count_bytes(&transaction)?;
        }
        let changed = self.tenant.apply(Transaction { reserve, ..transaction }).await?;
        match changed.limit {
            None => Ok(changed),
            Some(limit) => Err(Problem::limit_reached(limit)),
        }
    }

    /// Counts what is written towards what it may write in a day.
    fn count_bytes(&self, transaction: &Transaction) -> Result<(), Problem> {
        let bodies = transaction.edits.iter().filter_map(|edit| edit.body.as_ref());
        self.count_written(bodies.map(|body| body.to_string().len() as u64).sum())
    }

    /// Counts what will be written for it towards what it may write in a day.
    ///
    /// # Errors
    /// 507 beyond that; administrators have no such limit.
    pub(super) fn count_written(&self, bytes: u64) -> Result<(), Problem> {
        if self.is_administrator() {
            return Ok(());
        }
        let today = self.tenant.clock.now().0.div_euclid(DAY_NS);
        let mut written = lock(&self.tenant.written);
        let (day, of_all) = &mut *written;
        if *day != today {
            (*day, *of_all) = (today, BTreeMap::new());
        }
        let own = of_all.entry(self.name()).or_default();
        if *own + bytes > BYTES_OF_DAY_MAX {
            let detail = format!("{BYTES_OF_DAY_MAX} bytes of documents a day; go on tomorrow");
            return Err(Problem::new(StatusCode::INSUFFICIENT_STORAGE, "limit_reached", detail));
        }
        *own += bytes;
        Ok(())
    }

    /// Whether it administers the tenant: its users, and devices that nobody has registered.
    pub(crate) fn is_administrator(&self) -> bool {
        let on = Resource::new(Kind::Device, &self.tenant.name, Subject::Nothing);
        self.may(Action::Write, &on)
    }

    /// Refuses who asks by an API key, whose scope may be narrower than what it would make.
    pub(crate) fn require_no_key(&self) -> Result<(), Problem> {
        if self.who.iter().all(|who| who.key.is_none()) {
            return Ok(());
        }
        let detail = "an API key does not do this; log in";
        Err(Problem::new(StatusCode::FORBIDDEN, "not_by_key", detail))
    }

    /// Whether it is an administrator of the platform itself.
    pub(crate) fn is_platforms(&self) -> bool {
        let is_it = |who: &Principal| match who.reference {
            PrincipalRef::Bench => who.tenant.as_ref() == Some(&self.tenant.name),
            PrincipalRef::PlatformAdmin(_) => true,
            _ => false,
        };
        self.tenant.is_first() && self.who.iter().any(is_it)
    }

    /// The user who asks, if it is one.
    pub(crate) fn user(&self) -> Option<&PrincipalName> {
        match &self.who.first()?.reference {
            PrincipalRef::User(name) => Some(name),
            _ => None,
        }
    }

    /// Who made a command, as its device is told: the principal, and what it gives itself goes into
    /// the metadata where it differs. The bench gives both.
    pub(crate) fn initiator(
        &self,
        kind: Option<String>,
        id: Option<String>,
        metadata: &mut BTreeMap<String, String>,
    ) -> (String, String) {
        let is_bench = self.who.first().is_some_and(|who| who.reference == PrincipalRef::Bench);
        let own = if is_bench { TENANT.to_owned() } else { self.name() };
        let (own_kind, kind) = ("REST".to_owned(), kind.filter(|kind| kind != "REST"));
        let id = id.filter(|id| *id != own);
        if is_bench {
            return (kind.unwrap_or(own_kind), id.unwrap_or(own));
        }
        for (name, given) in [("initiator", kind), ("initiatorId", id)] {
            metadata.extend(given.map(|given| (name.to_owned(), given)));
        }
        (own_kind, own)
    }

    /// Whether it may do something with all that is meant; nothing is noted.
    pub(crate) fn may_all(&self, action: Action, on: &Resource<'_>) -> bool {
        self.ask(action, on).is_ok_and(|permit| permit.is_whole())
    }

    /// Whether something may be done.
    pub(crate) fn may(&self, action: Action, on: &Resource<'_>) -> bool {
        self.ask(action, on).is_ok()
    }

    /// The permit of what may be done, without a note of what may not.
    pub(super) fn ask(&self, action: Action, on: &Resource<'_>) -> Result<Permit, Denied> {
        self.ask_at(action, on, self.tenant.clock.now())
    }

    /// The same at an instant.
    pub(super) fn ask_at(
        &self,
        action: Action,
        on: &Resource<'_>,
        at: SimTime,
    ) -> Result<Permit, Denied> {
        require(&self.who, action, on, &self.tenant.facts(), at)
    }

    /// As audit rows and documents name it.
    pub(crate) fn name(&self) -> String {
        self.who.first().map_or_else(|| "anonymous".to_owned(), |who| who.reference.to_string())
    }
}

/// The answer to what somebody who is seen may not do.
pub(crate) fn not_permitted(action: Action, kind: Kind) -> Problem {
    let detail = format!("`{action}` of `{kind}` is not permitted to you");
    Problem::new(StatusCode::FORBIDDEN, "not_permitted", detail)
}

/// The answer to what only somebody may do.
pub(super) fn log_in() -> Problem {
    let detail = "send the header `Authorization: Bearer <token>`";
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
}
