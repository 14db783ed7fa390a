//! What follows from who somebody is: permits.

use lastmeter_model::access::{
    Action, Denied, Facts, Permit, Principal, PrincipalRef, Resource, Role, may,
};
use lastmeter_units::{SimTime, TenantName};

/// Whom the administrators' token of a tenant stands for: the bench, and an administrator of the
/// tenant, as long as there are no users.
pub(crate) fn administrators(tenant: &TenantName) -> Vec<Principal> {
    let bench = Principal::of(PrincipalRef::Bench, tenant.clone());
    let named = "admin".parse().map(PrincipalRef::User).map(|name| Principal {
        roles: [Role::TenantAdmin].into(),
        ..Principal::of(name, tenant.clone())
    });
    std::iter::once(bench).chain(named).collect()
}

/// The permit of the first of these principals that may do it.
///
/// # Errors
/// Why none may.
pub(crate) fn require(
    who: &[Principal],
    action: Action,
    on: &Resource<'_>,
    facts: &dyn Facts,
    now: SimTime,
) -> Result<Permit, Denied> {
    let mut denied = Denied::Hidden;
    for who in who {
        match may(who, action, on, facts, now).permit() {
            Ok(permit) => return Ok(permit),
            Err(Denied::Hidden) => {}
            Err(other) => denied = other,
        }
    }
    Err(denied)
}
