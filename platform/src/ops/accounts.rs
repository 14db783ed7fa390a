//! Users: made, changed and erased by administrators; their own account, password and log-ins.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastmeter_model::access::{
    Action, Kind, Owner, PrincipalRef, Resource, Role, SecretHash, Subject,
};
use lastmeter_model::access::{Grant, PrincipalName};
use lastmeter_model::document::{Document, Edit, Expect, NewAnswer, NewAnswerBody, Transaction};
use lastmeter_model::entity::{Asset, Body as _, Credential, OneTimeCode, User};
use lastmeter_units::SimTime;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Caller;
use super::bounds::made_private;
use super::documents::{self, Repeatable, Request, own_members, shown, unknown};
use crate::access::{Passwords, random};
use crate::clock::wall_now;
use crate::problem::{Problem, wrong};

/// How often a change is tried that others come before.
const ATTEMPTS: usize = 5;
/// Bytes of a password.
const PASSWORD_BYTES: std::ops::RangeInclusive<usize> = 8..=128;
/// How long a code is worth something.
const CODE_NS: i64 = 24 * 3_600_000_000_000;
/// What users change of their own.
const OWN: [&str; 8] =
    ["fullName", "email", "phone", "language", "timeZone", "quietFrom", "quietUntil", "metadata"];

/// Makes a user; without a password it logs in with a code alone.
pub(crate) async fn make(
    caller: &Caller,
    passwords: &Passwords,
    mut members: Map<String, Value>,
    repeatable: Option<Repeatable>,
) -> Result<Value, Problem> {
    require_users(caller)?;
    caller.require_no_key()?;
    let name = members.get("username").and_then(Value::as_str).unwrap_or_default();
    name.parse::<PrincipalName>().map_err(|error| wrong("username", &error.to_string()))?;
    let name = name.to_owned();
    take_password(passwords, &name, &mut members).await?;
    let request = own_members(User::kind(), members)?;
    Ok(shown(&*documents::make(caller, User::kind(), request, repeatable).await?))
}

/// Changes a user.
pub(crate) async fn change(
    caller: &Caller,
    passwords: &Passwords,
    name: &str,
    mut members: Map<String, Value>,
) -> Result<Value, Problem> {
    require_users(caller)?;
    caller.require_no_key()?;
    take_password(passwords, name, &mut members).await?;
    let is_admin = members.get("roles").and_then(Value::as_array).is_some_and(|roles| {
        roles.iter().any(|role| role.as_str() == Some(Role::TenantAdmin.word()))
    });
    let is_disabled = members.get("disabled").and_then(Value::as_bool).unwrap_or_default();
    if !is_admin || is_disabled {
        refuse_last_administrator(caller, name)?;
    }
    let request = own_members(User::kind(), members)?;
    Ok(shown(&*documents::change(caller, User::kind(), name, request).await?))
}

fn require_users(caller: &Caller) -> Result<(), Problem> {
    let on = Resource::new(Kind::User, &caller.tenant.name, Subject::Nothing).owned(Owner::Tenant);
    caller.require(Action::Write, &on, Problem::nothing).map(drop)
}

/// Puts the hash of a password in its place.
async fn take_password(
    passwords: &Passwords,
    name: &str,
    members: &mut Map<String, Value>,
) -> Result<(), Problem> {
    for secret in ["passwordHash", "resetCode"] {
        if members.contains_key(secret) {
            return Err(wrong(secret, "expected `password`; hashes are made here"));
        }
    }
    if let Some(password) = members.remove("password") {
        let hash = hashed(passwords, name, &password).await?;
        members.insert("passwordHash".to_owned(), hash);
        members.insert("resetCode".to_owned(), Value::Null);
    }
    Ok(())
}

/// What a password is kept as.
async fn hashed(passwords: &Passwords, name: &str, given: &Value) -> Result<Value, Problem> {
    let is_fit = |text: &&str| PASSWORD_BYTES.contains(&text.len()) && *text != name;
    let Some(password) = given.as_str().filter(is_fit) else {
        let (least, most) = (PASSWORD_BYTES.start(), PASSWORD_BYTES.end());
        let expected = format!("expected {least} to {most} bytes that are not the user name");
        return Err(wrong("password", &expected));
    };
    let Some(hash) = passwords.hash(password.to_owned()).await else {
        return Err(Problem::unavailable("no_random", &std::io::Error::other("no random bytes")));
    };
    Ok(json!(SecretHash::Argon2id(hash)))
}

/// Refuses what would leave a tenant without an administrator.
fn refuse_last_administrator(caller: &Caller, name: &str) -> Result<(), Problem> {
    let of_role = caller.tenant.documents.bodies_with::<User>("role", Role::TenantAdmin.word());
    let mut enabled = of_role.iter().filter(|(_, user)| !user.disabled).map(|(name, _)| name);
    if enabled.next().is_some_and(|only| only == name) && enabled.next().is_none() {
        let detail = format!("`{name}` is the only administrator; make another one first");
        return Err(Problem::conflict("last_administrator", detail));
    }
    Ok(())
}

/// Gives a user a code that replaces the password once; it is shown this time only.
pub(crate) async fn reset(
    caller: &Caller,
    name: &str,
    repeatable: Option<Repeatable>,
) -> Result<(String, SimTime), Problem> {
    require_users(caller)?;
    caller.require_no_key()?;
    let (code, kept) = one_time_code()?;
    let until = kept.until;
    let answer = repeatable.map(|asked| asked.answer(caller, &Value::Null, NewAnswerBody::Secret));
    edit(caller, name, answer, |user| {
        user.insert("resetCode".to_owned(), json!(kept));
    })
    .await?;
    Ok((code, until))
}

/// A new code, and what it is kept as.
pub(crate) fn one_time_code() -> Result<(String, OneTimeCode), Problem> {
    let bytes = random::<16>().map_err(|error| Problem::unavailable("no_random", &error))?;
    let code = format!("{:032x}", u128::from_be_bytes(bytes));
    let hash = SecretHash::Sha256(Sha256::digest(&code).into());
    let until = SimTime(wall_now().0.saturating_add(CODE_NS));
    Ok((code, OneTimeCode { hash, until }))
}

/// The answer to a request for a secret that comes again.
pub(crate) fn secret_was_shown() -> Problem {
    let detail = "the secret was in the first answer and is kept nowhere; revoke it and make \
                  another one under a new `Idempotency-Key`";
    Problem::conflict("secret_was_shown", detail)
}

/// Changes members of a user, whoever else changes it meanwhile.
async fn edit(
    caller: &Caller,
    name: &str,
    answer: Option<NewAnswer>,
    change: impl Fn(&mut Map<String, Value>),
) -> Result<(), Problem> {
    for _ in 0..ATTEMPTS {
        let found = user(caller, name)?;
        let mut body = found.members();
        let has_code =
            |body: &Map<String, Value>| !body.get("resetCode").is_none_or(Value::is_null);
        let had_code = has_code(&body);
        change(&mut body);
        // Whoever was given a code can do nothing else before it is spent.
        let reserve = had_code && !has_code(&body);
        let body = Value::Object(body);
        (found.kind.check)(&body)?;
        let transaction = Transaction::of(caller.name(), vec![Edit::of(&found, Some(body))]);
        let answer = answer.clone();
        let changed = caller.apply(Transaction { answer, reserve, ..transaction }).await?;
        if changed.repeated.is_some() {
            return Err(secret_was_shown());
        }
        if changed.conflict.is_none() {
            return Ok(());
        }
    }
    Err(changed_meanwhile())
}

fn changed_meanwhile() -> Problem {
    let detail = format!("others changed it {ATTEMPTS} times meanwhile; send it again");
    Problem::conflict("version_conflict", detail)
}

/// A user as it is now.
fn user(caller: &Caller, name: &str) -> Result<Arc<Document>, Problem> {
    let found = caller.tenant.documents.find(User::kind(), name);
    found.ok_or_else(|| unknown(User::kind(), name))
}

/// Erases a user: what it proves itself by, what it granted and was granted, its profile. What its
/// devices measured stays, without a name.
pub(crate) async fn erase(caller: &Caller, name: &str) -> Result<Value, Problem> {
    require_users(caller)?;
    erase_user(caller, name).await
}

async fn erase_user(caller: &Caller, name: &str) -> Result<Value, Problem> {
    caller.require_no_key()?;
    refuse_last_administrator(caller, name)?;
    let documents = &caller.tenant.documents;
    let reference = format!("user:{name}");
    for _ in 0..ATTEMPTS {
        let user = user(caller, name)?;
        // Its last version has nothing of it, and no way leads to those before.
        let blank = json!({ "roles": [], "disabled": true });
        let (mut edits, mut private) = (Vec::new(), BTreeMap::new());
        edits.push(Edit::of(&user, Some(blank)));
        edits.push(Edit { expect: Expect::Version(user.version + 1), ..Edit::of(&user, None) });
        for asset in documents.with_key(Asset::kind(), "user", name) {
            let mut body = asset.members();
            body.insert("user".to_owned(), Value::Null);
            let body = Value::Object(body);
            let both = (asset.token.as_str(), Some(asset.body.as_str()), Some(&body));
            let devices = made_private(caller, Asset::kind(), both).into_iter();
            private.extend(devices.map(|edit| (edit.token.clone(), edit)));
            edits.push(Edit::of(&asset, Some(body)));
        }
        let mut gone = documents.with_key(Credential::kind(), "of", &reference);
        gone.extend(documents.with_key(Grant::kind(), "to", &reference));
        gone.extend(documents.with_key(Grant::kind(), "by", &reference));
        let gone: BTreeMap<_, _> =
            gone.into_iter().map(|one| ((one.kind.code, one.token.clone()), one)).collect();
        edits.extend(gone.into_values().map(|document| Edit::of(&document, None)));
        edits.extend(private.into_values());
        let change = Transaction::of(caller.name(), edits);
        let changed = caller.apply(Transaction { reserve: true, ..change }).await?;
        if changed.conflict.is_none() {
            return Ok(json!({ "username": name, "deleted": true }));
        }
    }
    Err(changed_meanwhile())
}

/// The name of the user who asks, who may do this with its own account.
pub(crate) fn own(caller: &Caller, kind: Kind, action: Action) -> Result<String, Problem> {
    let none = || Problem::not_found("no_account", "only users have an account");
    let me = caller.who.first().map(|who| who.reference.clone()).ok_or_else(none)?;
    let on = Resource::new(kind, &caller.tenant.name, Subject::Nothing).owned(Owner::Of(&me));
    caller.require(action, &on, none)?;
    match me {
        PrincipalRef::User(name) => Ok(name.to_string()),
        _ => Err(none()),
    }
}

/// One's own account.
pub(crate) fn account(caller: &Caller) -> Result<Value, Problem> {
    let name = own(caller, Kind::Account, Action::Read)?;
    Ok(shown(&*user(caller, &name)?))
}

/// Changes one's own profile.
pub(crate) async fn change_account(
    caller: &Caller,
    given: Map<String, Value>,
) -> Result<Value, Problem> {
    let name = own(caller, Kind::Account, Action::Write)?;
    caller.require_no_key()?;
    let Request { body, .. } = own_members(User::kind(), given)?;
    let given = body.unwrap_or_default();
    let known = user(caller, &name)?.members();
    let is_others = |(member, value): &(&String, &Value)| {
        !OWN.contains(&member.as_str()) && known.get(*member) != Some(*value)
    };
    if let Some((member, _)) = given.iter().find(is_others) {
        return Err(wrong(member, "an administrator changes that"));
    }
    edit(caller, &name, None, |user| {
        for member in OWN {
            user.insert(member.to_owned(), given.get(member).cloned().unwrap_or_default());
        }
        if user.get("metadata").is_none_or(Value::is_null) {
            user.insert("metadata".to_owned(), json!({}));
        }
    })
    .await?;
    account(caller)
}

/// Gives oneself another password; a code is spent with it.
pub(crate) async fn change_password(
    caller: &Caller,
    passwords: &Passwords,
    given: &Value,
) -> Result<String, Problem> {
    let name = own(caller, Kind::Account, Action::Write)?;
    let hash = hashed(passwords, &name, given).await?;
    edit(caller, &name, None, |user| {
        user.insert("passwordHash".to_owned(), hash.clone());
        user.insert("resetCode".to_owned(), Value::Null);
    })
    .await?;
    Ok(name)
}

/// Erases one's own account.
pub(crate) async fn erase_account(caller: &Caller) -> Result<Value, Problem> {
    let name = own(caller, Kind::Account, Action::Write)?;
    erase_user(caller, &name).await
}

/// Makes the user `admin` with a code, where nobody else could let anybody in: at the first start
/// without a token, and again until the code has been replaced.
pub(crate) async fn first_administrator(caller: &Caller) -> Result<Option<String>, Problem> {
    const NAME: &str = "admin";
    let (kind, documents) = (User::kind(), &caller.tenant.documents);
    let known = documents.find(kind, NAME);
    let has_password = |(_, user): &(String, Arc<User>)| user.password_hash.is_some();
    if documents.bodies::<User>().iter().any(has_password)
        || (known.is_none() && documents.count(kind) > 0)
    {
        return Ok(None);
    }
    let (code, kept) = one_time_code()?;
    let body = json!({ "roles": [Role::TenantAdmin, Role::User], "resetCode": kept });
    let expect = known.map_or(Expect::New, |known| Expect::Version(known.version));
    let edits = vec![Edit { kind, token: Some(NAME.to_owned()), expect, body: Some(body) }];
    let change = Transaction::of("platform".to_owned(), edits);
    let made = caller.apply(Transaction { reserve: true, ..change }).await?;
    Ok(made.conflict.is_none().then_some(code))
}
