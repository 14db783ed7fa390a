//! Who is behind what a client presents, and what the audit has of it. What depends on documents is
//! looked at each time: a key that is revoked, a role that is taken away and a user who is disabled
//! are so at once.
//!
//! | file | purpose |
//! |---|---|
//! | `notes` | log-ins, denials and readings of others' data in the audit |

pub(crate) mod notes;

use std::net::IpAddr;
use std::sync::Arc;

use lastmeter_model::access::{
    MachineToken, Principal, PrincipalName, PrincipalRef, Role, Secret, SecretHash, TokenKind,
};
use lastmeter_model::document::Note;
use lastmeter_model::entity::{Credential, Proof as Kept, User};
use lastmeter_store::lock;
use lastmeter_units::{HardwareId, SimTime, TenantName};
use sha2::{Digest, Sha256};

use crate::access::{Access, NotProved, Passwords, SecretSum, administrators};
use crate::clock::wall_now;
use crate::tenant::Tenant;
use crate::tls::DeviceCertificate;

/// By what somebody has proved who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// By nothing.
    Nothing,
    /// By the administrators' token of the tenant.
    Settings,
    /// By an API key; the token of its document.
    Key(String),
    /// By an access token.
    AccessToken(u64),
    /// By a password, which is kept as this hash.
    Password(String),
    /// By a code that replaces the password once.
    Code,
}

/// Somebody, in a tenant.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) tenant: Arc<Tenant>,
    /// What the credential stands for: the first is named in audit rows.
    pub(crate) who: Arc<[Principal]>,
    pub(crate) proof: Proof,
}

impl Visitor {
    /// Nobody in particular.
    pub(crate) fn anonymous(tenant: Arc<Tenant>) -> Self {
        let who = [Principal::of(PrincipalRef::Anonymous, tenant.name.clone())].into();
        Self { tenant, who, proof: Proof::Nothing }
    }
}

/// Who has the administrators' token of a tenant.
pub(crate) fn by_settings(tenant: Arc<Tenant>) -> Visitor {
    let who = administrators(&tenant.name).into();
    Visitor { tenant, who, proof: Proof::Settings }
}

/// Whose key or access token it is, in its tenant if that is there; what is asked instead of one
/// that is not takes as long.
pub(crate) fn by_token(
    access: &Access,
    (tenant, instead): (Option<Arc<Tenant>>, &Arc<Tenant>),
    token: &MachineToken,
) -> Option<Visitor> {
    if token.kind == TokenKind::ApiKey {
        let who = of_key(tenant.as_ref().unwrap_or(instead), token);
        let (tenant, who) = (tenant?, [who?].into());
        return Some(Visitor { tenant, who, proof: Proof::Key(format!("{:016x}", token.id)) });
    }
    let ((_, name), password) = lock(&access.tokens).find(token, access.now())?;
    let tenant = tenant?;
    let user = tenant.documents.body::<User>(&name)?;
    if password_of(&user).is_none_or(|hash| !password.is_of(hash.as_bytes())) {
        lock(&access.tokens).end(token.id);
        return None;
    }
    let who = principals_of(&tenant, &name)?;
    Some(Visitor { tenant, who, proof: Proof::AccessToken(token.id) })
}

/// The owner of an API key, with its scope.
fn of_key(tenant: &Tenant, token: &MachineToken) -> Option<Principal> {
    let found = tenant.documents.body::<Credential>(&format!("{:016x}", token.id));
    let kept = found.as_ref().and_then(|credential| sum_of(credential));
    let is_it = kept.unwrap_or(SecretSum([0; 32])).is_of(&token.secret.0);
    let wall = wall_now();
    let key = found.filter(|credential| is_it && kept.is_some() && is_valid(credential, wall))?;
    let scope = key.scope.clone().filter(|scope| wall < scope.until)?;
    Some(Principal { key: Some(scope), ..principal(tenant, &key.of)? })
}

fn sum_of(credential: &Credential) -> Option<SecretSum> {
    match credential.proof {
        Kept::Secret(SecretHash::Sha256(sum)) => Some(SecretSum(sum)),
        Kept::Secret(SecretHash::Argon2id(_)) | Kept::Certificate(_) => None,
    }
}

/// Whether a credential is worth something.
fn is_valid(credential: &Credential, wall: SimTime) -> bool {
    credential.revoked.is_none() && credential.until.is_none_or(|end| wall < end)
}

fn password_of(user: &User) -> Option<&String> {
    match &user.password_hash {
        Some(SecretHash::Argon2id(hash)) if !user.disabled => Some(hash),
        _ => None,
    }
}

/// A principal of a tenant as it is now; none if it may not come in.
pub(crate) fn principal(tenant: &Tenant, of: &PrincipalRef) -> Option<Principal> {
    tenant.facts().principal(&tenant.name, of)
}

/// A user as principals: the administrators of the first tenant are those of the platform.
fn principals_of(tenant: &Tenant, name: &str) -> Option<Arc<[Principal]>> {
    let name: PrincipalName = name.parse().ok()?;
    let user = principal(tenant, &PrincipalRef::User(name.clone()))?;
    let is_platforms = tenant.is_first() && user.roles.contains(&Role::TenantAdmin);
    let platforms = is_platforms.then(|| Principal {
        tenant: None,
        ..Principal::of(PrincipalRef::PlatformAdmin(name), tenant.name.clone())
    });
    Some(std::iter::once(user).chain(platforms).collect())
}

/// Who has a user name and a password, or the code that replaces the password once.
///
/// # Errors
/// The same, after as long, whether there is such a tenant, such a user, or another password.
pub(crate) async fn by_password(
    access: &Access,
    (tenant, found): (TenantName, Option<Arc<Tenant>>),
    (name, given): (&str, &[u8]),
    from: IpAddr,
) -> Result<Visitor, NotProved> {
    let user = found.as_ref().and_then(|tenant| tenant.documents.body::<User>(name));
    let kept = user.as_ref().and_then(|user| password_of(user)).cloned();
    // Names that none can have are one, so that they take no room.
    let is_name = name.parse::<PrincipalName>().is_ok();
    let account = (tenant, if is_name { name.to_owned() } else { String::new() });
    let visitor = |proof| {
        let tenant = found.clone().ok_or(NotProved::Wrong)?;
        let who = principals_of(&tenant, name).ok_or(NotProved::Wrong)?;
        Ok(Visitor { tenant, who, proof })
    };
    let mark = access.passwords.mark(&account, kept.as_deref().unwrap_or_default(), given);
    let was_right = || kept.is_some() && access.passwords.was_right(&mark, access.now());
    let right = |kept: &Option<String>| Proof::Password(kept.clone().unwrap_or_default());
    if was_right() {
        return visitor(right(&kept));
    }
    let _turn = access.passwords.turn(from).await.ok_or(NotProved::Wrong)?;
    // Another request with the same pair may have had its turn before.
    if was_right() {
        return visitor(right(&kept));
    }
    lock(&access.lock_out).admit(&account, from, access.now()).map_err(NotProved::Locked)?;
    let is_right = Passwords::is_of(kept.clone(), given.to_vec()).await;
    let is_code = user.is_some_and(|user| is_code_of(&user, given));
    let proved = match (is_right, is_code) {
        (true, _) => visitor(right(&kept)),
        (false, true) => visitor(Proof::Code),
        (false, false) => Err(NotProved::Wrong),
    };
    let resource = format!("user:{name}");
    if proved.is_ok() {
        lock(&access.lock_out).succeeded(&account, from);
        if is_right {
            access.passwords.remember(mark, access.now());
        }
        if let Some(tenant) = &found {
            let (action, outcome) = ("log_in".to_owned(), "done".to_owned());
            notes::write(tenant, resource.clone(), Note { action, resource, outcome });
        }
    } else {
        lock(&access.lock_out).failed(&account, from, access.now());
        if let Some(tenant) = &found {
            notes::denied(tenant, "anonymous", ["log_in", &resource]);
        }
    }
    proved
}

/// Whether a text is the code that replaces a user's password once.
fn is_code_of(user: &User, given: &[u8]) -> bool {
    let code = user.reset_code.as_ref().filter(|_| !user.disabled);
    code.is_some_and(|code| match &code.hash {
        SecretHash::Sha256(sum) => SecretSum(*sum).is_of(given) && wall_now() < code.until,
        SecretHash::Argon2id(_) => false,
    })
}

/// Whether a secret is one of a principal's own; it takes as long where there is none.
pub(crate) fn has_secret(tenant: &Tenant, of: &PrincipalRef, given: &[u8]) -> bool {
    let secret = Secret::parse(given);
    let bytes = secret.as_ref().map_or([0; 32], |secret| secret.0);
    let _ = Sha256::digest(bytes);
    let own = own(tenant, of);
    let is_it = |one: &Credential| sum_of(one).is_some_and(|sum| sum.is_of(&bytes));
    own.iter().filter(|one| is_it(one)).count() > 0 && secret.is_some()
}

/// Whether a certificate is one of a device's own.
pub(crate) fn certified(tenant: &Tenant, certificate: &DeviceCertificate) -> bool {
    let Ok(id) = HardwareId::new(&*certificate.device) else { return false };
    own(tenant, &PrincipalRef::Device(id)).iter().any(|one| match &one.proof {
        Kept::Certificate(kept) => kept.as_str() == certificate.fingerprint,
        Kept::Secret(_) => false,
    })
}

/// The credentials of a principal that are worth something; API keys are not presented this way.
fn own(tenant: &Tenant, of: &PrincipalRef) -> Vec<Arc<Credential>> {
    let all = tenant.documents.bodies_with::<Credential>("of", &of.to_string()).into_iter();
    let wall = wall_now();
    let is_own = |one: &Arc<Credential>| one.scope.is_none() && is_valid(one, wall);
    all.map(|(_, one)| one).filter(is_own).collect()
}

/// Whether a visitor is still one, for what goes on after its request was let in.
pub(crate) fn is_current(access: &Access, visitor: &Visitor) -> bool {
    let Visitor { tenant, who, proof } = visitor;
    let Some(first) = who.first() else { return false };
    match proof {
        Proof::Nothing | Proof::Settings => true,
        Proof::Code => false,
        Proof::Key(token) => {
            let key = tenant.documents.body::<Credential>(token);
            key.is_some_and(|key| is_valid(&key, wall_now()))
                && principal(tenant, &first.reference).is_some_and(|now| now.roles == first.roles)
        }
        Proof::AccessToken(_) | Proof::Password(_) => {
            let PrincipalRef::User(name) = &first.reference else { return false };
            let user = tenant.documents.body::<User>(name.as_str());
            user.is_some_and(|user| {
                let is_same = match proof {
                    Proof::Password(hash) => password_of(&user) == Some(hash),
                    Proof::AccessToken(id) => {
                        !user.disabled && lock(&access.tokens).has(*id, access.now())
                    }
                    _ => false,
                };
                is_same && user.roles == first.roles
            })
        }
    }
}
