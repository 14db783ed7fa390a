//! API keys, and credentials of devices, gateways and applications: made, with their secret shown
//! once, listed without it, and revoked.

use std::sync::Arc;

use axum::http::StatusCode;
use lastmeter_model::access::{
    Action, Kind, MachineToken, Owner, PrincipalRef, Resource, Secret, SecretHash, Subject,
    TokenKind,
};
use lastmeter_model::document::{Document, Edit, Expect, NewAnswerBody, Transaction};
use lastmeter_model::entity::{Application, Body as _, Credential, Proof, User};
use lastmeter_store::{PAGE_BYTES_MAX, Page};
use serde_json::{Map, Value, json};

use super::Caller;
use super::accounts::secret_was_shown;
use super::bounds::within_quota;
use super::documents::{self, Repeatable, Request, shown};
use crate::access::random;
use crate::clock::wall_now;
use crate::problem::{Problem, wrong};

/// A credential with what it is shown with once.
pub(crate) struct Made {
    pub(crate) shown: Value,
    pub(crate) secret: Option<String>,
}

/// Makes an API key: `actions`, `on` and `until` are its scope, `of` is its owner, the user who
/// asks unless given.
pub(crate) async fn make_key(
    caller: &Caller,
    mut given: Map<String, Value>,
    repeatable: Option<Repeatable>,
) -> Result<Made, Problem> {
    let asked = Value::Object(given.clone());
    let own = caller.user().map(|name| json!(PrincipalRef::User(name.clone())));
    let of = given.remove("of").or(own).unwrap_or_default();
    let until = given.remove("until").unwrap_or_default();
    let mut scope = Map::from_iter([("until".to_owned(), until.clone())]);
    for member in ["actions", "on"] {
        scope.extend(given.remove(member).map(|value| (member.to_owned(), value)));
    }
    given.extend([
        ("of".to_owned(), of),
        ("scope".to_owned(), Value::Object(scope)),
        ("until".to_owned(), until),
    ]);
    let id = u64::from_be_bytes(random().map_err(|error| no_random(&error))?);
    let (kind, tenant) = (TokenKind::ApiKey, caller.tenant.name.clone());
    let secret = Secret(random().map_err(|error| no_random(&error))?);
    let key = MachineToken { kind, tenant, id, secret };
    let token = Some(format!("{id:016x}"));
    make(caller, given, (token, &key.secret, key.print()), (repeatable, &asked)).await
}

/// Makes a credential: with `certificate`, its fingerprint, of that, else with a secret.
pub(crate) async fn make_credential(
    caller: &Caller,
    mut given: Map<String, Value>,
    repeatable: Option<Repeatable>,
) -> Result<Made, Problem> {
    let asked = Value::Object(given.clone());
    if given.contains_key("scope") {
        return Err(wrong("scope", "expected none; API keys are made by POST /api/v1/keys"));
    }
    let Some(fingerprint) = given.remove("certificate") else {
        let secret = Secret(random().map_err(|error| no_random(&error))?);
        let text = secret.print();
        return make(caller, given, (None, &secret, text), (repeatable, &asked)).await;
    };
    given.insert("proof".to_owned(), json!({ "certificate": fingerprint }));
    permitted(caller, &given)?;
    let request = Request { token: None, version: None, body: Some(given) };
    let made = documents::make(caller, Credential::kind(), request, repeatable).await?;
    Ok(Made { shown: rendered(&made), secret: None })
}

fn no_random(error: &std::io::Error) -> Problem {
    Problem::unavailable("no_random", error)
}

/// Refuses who may not make this, and what would be of nobody.
fn permitted(caller: &Caller, body: &Map<String, Value>) -> Result<(), Problem> {
    let of = body.get("of").and_then(Value::as_str).unwrap_or_default();
    let of: PrincipalRef = of.parse().map_err(|error| wrong("of", &format!("{error}")))?;
    let is_key = body.contains_key("scope");
    require(caller, &of, is_key)?;
    let documents = &caller.tenant.documents;
    let is_there = match &of {
        PrincipalRef::User(name) => documents.body::<User>(name.as_str()).is_some(),
        PrincipalRef::Application(name) => documents.body::<Application>(name.as_str()).is_some(),
        _ => true,
    };
    if is_there { Ok(()) } else { Err(wrong("of", &format!("there is no `{of}`"))) }
}

/// Refuses who may not make or revoke a credential of a principal. An API key does neither for
/// those who may have keys, since the other one's scope could be wider.
fn require(caller: &Caller, of: &PrincipalRef, is_key: bool) -> Result<(), Problem> {
    let is_own = is_key && caller.who.first().is_some_and(|who| who.reference == *of);
    let owner = if is_own { Owner::Of(of) } else { Owner::Tenant };
    let of_kind = if is_own { Kind::Token } else { Kind::Credential };
    let on = Resource::new(of_kind, &caller.tenant.name, Subject::Nothing).owned(owner);
    caller.require(Action::Write, &on, Problem::nothing)?;
    match of {
        PrincipalRef::Device(_) | PrincipalRef::Gateway(_) => Ok(()),
        _ => caller.require_no_key(),
    }
}

async fn make(
    caller: &Caller,
    mut body: Map<String, Value>,
    (token, secret, text): (Option<String>, &Secret, String),
    (repeatable, asked): (Option<Repeatable>, &Value),
) -> Result<Made, Problem> {
    permitted(caller, &body)?;
    let kind = Credential::kind();
    body.insert("proof".to_owned(), json!(Proof::Secret(SecretHash::of_machine(secret))));
    let body = Value::Object(body);
    (kind.check)(&body)?;
    let _alone = caller.tenant.changing.lock().await;
    if body.get("scope").is_some() {
        within_quota(caller, kind, &body)?;
    }
    let answer = repeatable.map(|of| of.answer(caller, asked, NewAnswerBody::Secret));
    let edits = vec![Edit { kind, token, expect: Expect::New, body: Some(body) }];
    let change = Transaction::of(caller.name(), edits);
    let changed = caller.apply(Transaction { answer, ..change }).await?;
    if changed.repeated.is_some() {
        return Err(secret_was_shown());
    }
    let made = documents::edited(caller, kind, changed.documents.first()).await?;
    Ok(Made { shown: rendered(&made), secret: Some(text) })
}

/// A credential as it is shown: without what it proves.
fn rendered(document: &Document) -> Value {
    let mut value = shown(document);
    let proof = serde_json::from_str::<Credential>(&document.body).ok().map(|body| body.proof);
    let word = match proof {
        Some(Proof::Certificate(_)) => "certificate",
        _ if value["scope"].is_object() => "key",
        _ => "secret",
    };
    value["kind"] = word.into();
    value
}

/// API keys, or all other credentials: one's own keys, and those of all for administrators.
pub(crate) fn list(
    caller: &Caller,
    is_of_keys: bool,
    page: Page,
) -> Result<(u64, Vec<Value>), Problem> {
    let (kind, documents) = (Credential::kind(), &caller.tenant.documents);
    let all = Resource::new(Kind::Credential, &caller.tenant.name, Subject::List);
    let mut found = if caller.may(Action::Read, &all) {
        documents.all(kind)
    } else {
        if !is_of_keys {
            caller.require(Action::Read, &all, Problem::nothing)?;
        }
        let me = caller.who.first().map(|who| who.reference.clone());
        let me = me.ok_or_else(Problem::nothing)?;
        let on = Resource::new(Kind::Token, &caller.tenant.name, Subject::Nothing);
        caller.require(Action::Read, &on.owned(Owner::Of(&me)), Problem::nothing)?;
        documents.with_key(kind, "of", &me.to_string())
    };
    let is_key = |document: &Arc<Document>| {
        let body = documents.body::<Credential>(&document.token);
        body.is_some_and(|body| body.scope.is_some())
    };
    found.retain(|document| is_key(document) == is_of_keys);
    let (count, found) = page.of(found);
    let (mut on_page, mut bytes) = (Vec::new(), 0);
    for document in found {
        if bytes >= PAGE_BYTES_MAX {
            break;
        }
        bytes += document.body.len();
        on_page.push(rendered(&document));
    }
    Ok((count, on_page))
}

/// Revokes a credential; whose it was.
pub(crate) async fn revoke(
    caller: &Caller,
    is_of_keys: bool,
    token: &str,
) -> Result<(PrincipalRef, Value), Problem> {
    let kind = Credential::kind();
    let unknown = || documents::unknown(kind, token);
    for _ in 0..5 {
        let body = caller.tenant.documents.body::<Credential>(token);
        let body = body.filter(|body| body.scope.is_some() == is_of_keys);
        // What is not there is of nobody, and asked for all the same.
        let of = body.as_ref().map_or(PrincipalRef::Anonymous, |body| body.of.clone());
        require(caller, &of, is_of_keys).map_err(|problem| {
            if problem.status() == StatusCode::NOT_FOUND { unknown() } else { problem }
        })?;
        let (Some(body), Some(found)) = (body, caller.tenant.documents.find(kind, token)) else {
            return Err(unknown());
        };
        if body.revoked.is_some() {
            return Ok((of, rendered(&found)));
        }
        let revoked = json!(Credential { revoked: Some(wall_now()), ..(*body).clone() });
        let change = Transaction::of(caller.name(), vec![Edit::of(&found, Some(revoked))]);
        let changed = caller.apply(Transaction { reserve: true, ..change }).await?;
        if changed.conflict.is_none() {
            let edited = changed.documents.first();
            let now = documents::edited(caller, kind, edited).await?;
            return Ok((of, rendered(&now)));
        }
    }
    let detail = "others changed it meanwhile; send it again";
    Err(Problem::conflict("version_conflict", detail))
}
