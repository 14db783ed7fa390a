//! Who somebody is, and what follows from it: principals behind secrets, permits, and comparing
//! secrets without revealing by the time it takes how much of a guess was right.

use lastmeter_model::access::{
    Action, Denied, NoFacts, Permit, Principal, PrincipalRef, Resource, Role, Scope, may,
};
use lastmeter_units::{SimTime, TenantName};
use sha2::{Digest, Sha256};

/// Whether two secrets are equal; both are hashed first, so that neither their length nor the
/// place of the first difference shows in the time.
pub(crate) fn is_same_secret(given: &[u8], expected: &[u8]) -> bool {
    let (given, expected) = (Sha256::digest(given), Sha256::digest(expected));
    let difference = given.iter().zip(&expected).fold(0, |sum, (a, b)| sum | (a ^ b));
    std::hint::black_box(difference) == 0
}

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

/// The permit of the first of these principals that may have all of it.
///
/// # Errors
/// Why there is none; a narrower scope is forbidden.
pub(crate) fn require(
    who: &[Principal],
    action: Action,
    on: &Resource<'_>,
    now: SimTime,
) -> Result<Permit, Denied> {
    let mut denied = Denied::Hidden;
    for who in who {
        denied = match may(who, action, on, &NoFacts, now).permit() {
            Ok(permit) if *permit.scope() == Scope::All => return Ok(permit),
            // Nobody is answered here without a log-in, not even what is public.
            Ok(_) if who.reference == PrincipalRef::Anonymous => Denied::LogIn,
            Ok(_) | Err(Denied::Forbidden) => Denied::Forbidden,
            Err(Denied::LogIn) => Denied::LogIn,
            Err(Denied::Hidden) => denied,
        };
    }
    Err(denied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_secret_is_the_same() {
        assert!(is_same_secret(b"", b""));
        assert!(is_same_secret(b"s3cret", b"s3cret"));
        for other in [&b"s3cres"[..], b"S3cret", b"s3cre", b"s3cret ", b""] {
            assert!(!is_same_secret(other, b"s3cret"));
        }
    }
}
