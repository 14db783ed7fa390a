//! Who asks for something of a tenant.

use std::sync::Arc;

use axum::http::StatusCode;
use lastmeter_model::access::{Action, Denied, Kind, Permit, Principal, PrincipalRef, Resource};

use crate::access::require;
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
        let (facts, now) = (self.tenant.facts(), self.tenant.clock.now());
        match require(&self.who, action, on, &facts, now) {
            Ok(permit) => Ok(permit),
            Err(Denied::Hidden) => Err(hidden()),
            Err(Denied::LogIn) => Err(log_in()),
            Err(Denied::Forbidden) => Err(not_permitted(action, on.kind)),
        }
    }

    /// Whether it is the token of the process, which is the first tenant's, or an administrator of
    /// the platform.
    pub(crate) fn is_of_platform(&self) -> bool {
        let is_its = |who: &Principal| match who.reference {
            PrincipalRef::PlatformAdmin(_) => true,
            PrincipalRef::Bench => self.tenant.is_first(),
            _ => false,
        };
        self.who.iter().any(is_its)
    }

    /// Whether something may be done.
    pub(crate) fn may(&self, action: Action, on: &Resource<'_>) -> bool {
        let (facts, now) = (self.tenant.facts(), self.tenant.clock.now());
        require(&self.who, action, on, &facts, now).is_ok()
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
fn log_in() -> Problem {
    let detail = "send the header `Authorization: Bearer <token>`";
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
}
