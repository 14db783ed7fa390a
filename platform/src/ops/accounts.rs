//! Users: made, changed and erased by administrators; their own account, password and log-ins.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::StatusCode;
use lastmeter_model::access::{
    Action, Kind, Owner, PrincipalRef, Resource, Role, SecretHash, Subject,
};
use lastmeter_model::access::{Grant, PrincipalName};
use lastmeter_model::document::{
    AnswerKey, Document, DocumentKind, Edit, Expect, NewAnswer, NewAnswerBody, Transaction,
    kind_of_code,
};
use lastmeter_model::entity::{Asset, Body, Credential, OneTimeCode, User};
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
const OWN: [&str; 6] = ["fullName", "email", "phone", "language", "timeZone", "metadata"];

/// The kind of a body.
pub(crate) fn kind<T: Body>() -> Result<&'static DocumentKind, Problem> {
    let none = || Problem::not_found("no_such_path", "there is nothing here");
    kind_of_code(T::CODE).ok_or_else(none)
}

/// Makes a user; without a password it logs in with a code alone.
pub(crate) async fn make(
    caller: &Caller,
    passwords: &Passwords,
    mut members: Map<String, Value>,
    repeatable: Option<Repeatable>,
) -> Result<Value, Problem> {
    let kind = kind::<User>()?;
    require_users(caller)?;
    caller.require_no_key()?;
    let name = members.get("username").and_then(Value::as_str).unwrap_or_default();
    name.parse::<PrincipalName>().map_err(|error| wrong("username", &error.to_string()))?;
    let name = name.to_owned();
    take_password(passwords, &name, &mut members).await?;
    let made = documents::make(caller, kind, own_members(kind, members)?, repeatable).await?;
    Ok(shown(&made))
}

/// Changes a user.
pub(crate) async fn change(
    caller: &Caller,
    passwords: &Passwords,
    name: &str,
    mut members: Map<String, Value>,
) -> Result<Value, Problem> {
    let kind = kind::<User>()?;
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
    Ok(shown(&*documents::change(caller, kind, name, own_members(kind, members)?).await?))
}

fn require_users(caller: &Caller) -> Result<(), Problem> {
    let on = Resource::new(Kind::User, &caller.tenant.name, Subject::Nothing).owned(Owner::Tenant);
    let hidden = || Problem::not_found("no_such_path", "there is nothing here");
    caller.require(Action::Write, &on, hidden).map(drop)
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
        return Err(Problem::new(StatusCode::CONFLICT, "last_administrator", detail));
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
    let answer = repeatable.map(|asked| secret_answer(caller, &asked, &Value::Null));
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

/// What is kept of an answer with a secret: that there was one.
pub(crate) fn secret_answer(caller: &Caller, asked: &Repeatable, body: &Value) -> NewAnswer {
    let hashed = Sha256::digest(body.to_string());
    NewAnswer {
        key: AnswerKey { by: caller.name(), key: asked.key.clone() },
        request: Sha256::new().chain_update(&asked.path).chain_update(hashed).finalize().into(),
        status: StatusCode::CREATED.as_u16(),
        body: NewAnswerBody::Secret,
    }
}

/// The answer to a request for a secret that comes again.
pub(crate) fn secret_was_shown() -> Problem {
    let detail = "the secret was in the first answer and is kept nowhere; revoke it and make \
                  another one under a new `Idempotency-Key`";
    Problem::new(StatusCode::CONFLICT, "secret_was_shown", detail)
}

/// Changes members of a user, whoever else changes it meanwhile.
async fn edit(
    caller: &Caller,
    name: &str,
    answer: Option<NewAnswer>,
    change: impl Fn(&mut Map<String, Value>),
) -> Result<(), Problem> {
    let kind = kind::<User>()?;
    for _ in 0..ATTEMPTS {
        let found = caller.tenant.documents.find(kind, name).ok_or_else(|| unknown(kind, name))?;
        let mut body = members(&found);
        let has_code =
            |body: &Map<String, Value>| !body.get("resetCode").is_none_or(Value::is_null);
        let had_code = has_code(&body);
        change(&mut body);
        // Whoever was given a code can do nothing else before it is spent.
        let reserve = had_code && !has_code(&body);
        let body = Value::Object(body);
        (kind.check)(&body)?;
        let (expect, token) = (Expect::Version(found.version), Some(name.to_owned()));
        let edits = vec![Edit { kind, token, expect, body: Some(body) }];
        let (by, answer) = (caller.name(), answer.clone());
        let changed = caller
            .apply(Transaction { by, edits, answer, reserve, ..Transaction::default() })
            .await?;
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
    Problem::new(StatusCode::CONFLICT, "version_conflict", detail)
}

fn members(document: &Document) -> Map<String, Value> {
    match serde_json::from_str(&document.body) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
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
    let kind_of_user = kind::<User>()?;
    let documents = &caller.tenant.documents;
    let reference = format!("user:{name}");
    for _ in 0..ATTEMPTS {
        let none = || unknown(kind_of_user, name);
        let user = documents.find(kind_of_user, name).ok_or_else(none)?;
        // Its last version has nothing of it, and no way leads to those before.
        let blank = json!({ "roles": [], "disabled": true });
        let (mut edits, mut private) = (Vec::new(), BTreeMap::new());
        let mut put = |kind, document: &Document, version, body| {
            let (token, expect) = (Some(document.token.clone()), Expect::Version(version));
            edits.push(Edit { kind, token, expect, body });
        };
        put(kind_of_user, &user, user.version, Some(blank));
        put(kind_of_user, &user, user.version + 1, None);
        let of_assets = kind::<Asset>()?;
        for asset in documents.with_key(of_assets, "user", name) {
            let mut body = members(&asset);
            body.insert("user".to_owned(), Value::Null);
            let body = Value::Object(body);
            let both = (asset.token.as_str(), Some(asset.body.as_str()), Some(&body));
            let devices = made_private(caller, of_assets, both)?.into_iter();
            private.extend(devices.map(|edit| (edit.token.clone(), edit)));
            put(of_assets, &asset, asset.version, Some(body));
        }
        let (of_grants, of_credentials) = (kind::<Grant>()?, kind::<Credential>()?);
        let mut gone = documents.with_key(of_credentials, "of", &reference);
        gone.extend(documents.with_key(of_grants, "to", &reference));
        gone.extend(documents.with_key(of_grants, "by", &reference));
        let gone: BTreeMap<_, _> =
            gone.into_iter().map(|one| ((one.kind.code, one.token.clone()), one)).collect();
        for document in gone.into_values() {
            put(document.kind, &document, document.version, None);
        }
        edits.extend(private.into_values());
        let (by, reserve) = (caller.name(), true);
        let changed =
            caller.apply(Transaction { by, edits, reserve, ..Transaction::default() }).await?;
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
    let (name, kind) = (own(caller, Kind::Account, Action::Read)?, kind::<User>()?);
    let found = caller.tenant.documents.find(kind, &name).ok_or_else(|| unknown(kind, &name))?;
    Ok(shown(&found))
}

/// Changes one's own profile.
pub(crate) async fn change_account(
    caller: &Caller,
    given: Map<String, Value>,
) -> Result<Value, Problem> {
    let name = own(caller, Kind::Account, Action::Write)?;
    caller.require_no_key()?;
    let Request { body, .. } = own_members(kind::<User>()?, given)?;
    let given = body.unwrap_or_default();
    let known = members(
        &*caller
            .tenant
            .documents
            .find(kind::<User>()?, &name)
            .ok_or_else(|| unknown_user(&name))?,
    );
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

fn unknown_user(name: &str) -> Problem {
    Problem::not_found("unknown_document", format!("there is no user `{name}`"))
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
    let (kind, documents) = (kind::<User>()?, &caller.tenant.documents);
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
    let by = "platform".to_owned();
    let reserve = true;
    let made = caller.apply(Transaction { by, edits, reserve, ..Transaction::default() }).await?;
    Ok(made.conflict.is_none().then_some(code))
}
