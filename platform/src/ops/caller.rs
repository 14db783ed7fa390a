//! Who asks for something of a tenant.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::StatusCode;
use lastmeter_model::access::{
    Action, Denied, Kind, Permit, Principal, PrincipalName, PrincipalRef, Resource, Subject,
};
use lastmeter_units::HardwareId;

use crate::access::require;
use crate::config::TENANT;
use crate::identity::notes::{self, is_of_data};
use crate::problem::Problem;
use crate::tenant::Tenant;

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

    /// Whether something may be done.
    pub(crate) fn may(&self, action: Action, on: &Resource<'_>) -> bool {
        self.ask(action, on).is_ok()
    }

    /// The permit of what may be done, without a note of what may not.
    pub(super) fn ask(&self, action: Action, on: &Resource<'_>) -> Result<Permit, Denied> {
        let (facts, now) = (self.tenant.facts(), self.tenant.clock.now());
        require(&self.who, action, on, &facts, now)
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
