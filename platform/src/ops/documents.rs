//! Documents of every kind: the same operations for all of them, each asking for its right first.

use std::sync::Arc;

use axum::http::StatusCode;
use lastmeter_model::access::{Action, Kind, Owner, Resource, Scope, Subject};
use lastmeter_model::document::{
    Answer, AnswerBody, AnswerKey, Document, DocumentKind, Edit, Edited, Expect, NewAnswer,
    NewAnswerBody, Note, Transaction,
};
use lastmeter_model::message::Message;
use lastmeter_model::refusal::shortened;
use lastmeter_model::token::validate_token;
use lastmeter_store::Page;
use lastmeter_units::SimTime;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Caller;
use super::bounds::{
    check, fixed, is_of_its_time, made_private, may_read_version, refuse_if_used, takes_away,
    within_quota,
};
use crate::problem::{Problem, wrong};

/// How often a change is tried that names no version.
const ATTEMPTS: usize = 5;
/// Documents that are not resident and are looked at together.
const STORED_AT_ONCE: u32 = 256;

/// A change of a document.
pub(crate) struct Request {
    /// Its token; `None` makes one.
    pub(crate) token: Option<String>,
    /// The version that it is of, if one is named.
    pub(crate) version: Option<u64>,
    /// The new body; `None` removes the document.
    pub(crate) body: Option<Map<String, Value>>,
}

/// What identifies a request that may come again: its key, and what else has to be the same.
pub(crate) struct Repeatable {
    pub(crate) key: String,
    pub(crate) path: String,
}

impl Repeatable {
    /// What is kept of the answer to a request for something.
    pub(super) fn answer(&self, caller: &Caller, asked: &Value, body: NewAnswerBody) -> NewAnswer {
        let hashed = Sha256::digest(asked.to_string());
        NewAnswer {
            key: AnswerKey { by: caller.name(), key: self.key.clone() },
            request: Sha256::new().chain_update(&self.path).chain_update(hashed).finalize().into(),
            status: StatusCode::CREATED.as_u16(),
            body,
        }
    }
}

/// The answer to what is not there, and to what is hidden.
pub(crate) fn unknown(kind: &DocumentKind, token: &str) -> Problem {
    let (name, token) = (kind.name.replace('_', " "), shortened(token, 128));
    Problem::not_found("unknown_document", format!("there is no {name} `{token}`"))
}

/// A document as clients see it: its body without secrets, its token and its version.
pub(crate) fn shown(document: &Document) -> Value {
    let mut members = document.members();
    for secret in document.kind.secrets() {
        members.remove(*secret);
    }
    members.insert(document.kind.token_member().to_owned(), json!(document.token));
    members.insert("version".to_owned(), json!(document.version));
    members.insert("createdDate".to_owned(), json!(document.created));
    members.insert("updatedDate".to_owned(), json!(document.changed));
    members.insert("updatedBy".to_owned(), json!(document.by));
    members.insert("deleted".to_owned(), json!(document.is_deleted));
    Value::Object(members)
}

/// What a client sends of what it was shown: all but what the platform itself keeps.
pub(crate) fn own_members(
    kind: &DocumentKind,
    mut members: Map<String, Value>,
) -> Result<Request, Problem> {
    for name in ["createdDate", "updatedDate", "updatedBy", "deleted"] {
        members.remove(name);
    }
    let version = members.remove("version").filter(|version| !version.is_null());
    let whole = |version: Value| {
        let number = version.as_u64();
        number.ok_or_else(|| wrong("version", "expected the number of a version, from 1"))
    };
    let version = version.map(whole).transpose()?;
    let token = members.remove(kind.token_member());
    let token = token.and_then(|token| token.as_str().map(str::to_owned));
    Ok(Request { token, version, body: Some(members) })
}

/// Documents of a kind, those with a value of a key or all, as far as they may be read.
pub(crate) async fn list(
    caller: &Caller,
    kind: &'static DocumentKind,
    key: Option<(&str, &str)>,
    page: Page,
) -> Result<(u64, Vec<Value>), Problem> {
    let on = Resource::new(kind.resource, &caller.tenant.name, Subject::List);
    let is_all = *caller.require(Action::Read, &on, Problem::nothing)?.scope() == Scope::All;
    if !kind.is_resident && is_all {
        let (count, found) = caller.tenant.readers.permitted().documents(kind, None, page).await?;
        return Ok((count, found.iter().map(shown).collect()));
    }
    if !kind.is_resident {
        return readable_stored(caller, kind, page).await;
    }
    let documents = &caller.tenant.documents;
    let mut found = match key {
        Some((name, value)) => documents.with_key(kind, name, value),
        None => documents.all(kind),
    };
    if !is_all {
        found.retain(|document| may(caller, Action::Read, document));
    }
    let (count, on_page) = page.of(found);
    Ok((count, on_page.iter().map(|document| shown(document)).collect()))
}

/// Documents of a kind that is not resident, those that may be read. All of them are looked at:
/// whose they are is in their bodies.
async fn readable_stored(
    caller: &Caller,
    kind: &'static DocumentKind,
    page: Page,
) -> Result<(u64, Vec<Value>), Problem> {
    let end = page.offset.saturating_add(page.limit.into());
    let (mut count, mut on_page) = (0, Vec::new());
    let mut part = Page { offset: 0, limit: STORED_AT_ONCE };
    loop {
        let (all, found) = caller.tenant.readers.permitted().documents(kind, None, part).await?;
        for document in found.iter().filter(|document| may(caller, Action::Read, document)) {
            if (page.offset..end).contains(&count) {
                on_page.push(shown(document));
            }
            count += 1;
        }
        part.offset += found.len() as u64;
        if found.is_empty() || part.offset >= all {
            return Ok((count, on_page));
        }
    }
}

/// One document, now or as it was at an instant.
pub(crate) async fn one(
    caller: &Caller,
    kind: &'static DocumentKind,
    token: &str,
    at: Option<SimTime>,
) -> Result<Arc<Document>, Problem> {
    let Some(at) = at else {
        let found = newest(caller, kind, token).await?;
        return require(caller, Action::Read, kind, token, found);
    };
    let readers = caller.tenant.readers.permitted();
    let version = readers.document_at(kind, token.to_owned(), at).await?;
    let newest = readers.document(kind, token.to_owned(), None).await?;
    let newest = require(caller, Action::Read, kind, token, newest.map(Arc::new))?;
    let at = at.min(caller.tenant.clock.now());
    let is_given = |one: &Document| may_read_version(caller, one, &newest, at);
    let version = version.filter(|one| !one.is_deleted && is_given(one));
    version.map(Arc::new).ok_or_else(|| unknown(kind, token))
}

/// The versions of a document, newest first, its removal included: those that who asks could read
/// while they held. How many there are counts the others, too.
pub(crate) async fn history(
    caller: &Caller,
    kind: &'static DocumentKind,
    token: &str,
    page: Page,
) -> Result<(u64, Vec<Value>), Problem> {
    let readers = caller.tenant.readers.permitted();
    let newest = readers.document(kind, token.to_owned(), None).await?;
    let newest = require(caller, Action::Read, kind, token, newest.map(Arc::new))?;
    // With the one before the page, at which its first version ends.
    let before = page.offset.min(1);
    let page = Page { offset: page.offset - before, limit: page.limit + before as u32 };
    let (count, versions) = readers.history(kind, token.to_owned(), page).await?;
    let now = SimTime(caller.tenant.clock.now().0.saturating_add(1));
    let ends = std::iter::once(now).chain(versions.iter().map(|version| version.changed));
    let on_page = versions.iter().zip(ends).skip(before as usize);
    let given = on_page.filter(|(version, end)| {
        let last = SimTime(end.0.saturating_sub(1)).max(version.changed);
        may_read_version(caller, version, &newest, last)
    });
    Ok((count, given.map(|(version, _)| shown(version)).collect()))
}

/// Makes a document, once for each key of a repeatable request.
pub(crate) async fn make(
    caller: &Caller,
    kind: &'static DocumentKind,
    request: Request,
    repeatable: Option<Repeatable>,
) -> Result<Arc<Document>, Problem> {
    let body = own(caller, kind, request.body.unwrap_or_default());
    if let Some(token) = &request.token {
        check_token(kind, token)?;
    }
    permitted(caller, kind, request.token.as_deref().unwrap_or_default(), &body)?;
    // Whether a token is taken is only for those who see all documents of the kind.
    if request.token.is_some() && !caller.list(kind.resource)?.is_whole() {
        return Err(wrong(kind.token_member(), "expected none: it is given to you"));
    }
    if kind.resource == Kind::Grant {
        // It would outlive the key.
        caller.require_no_key()?;
    }
    // What is checked holds until the document is there.
    let _alone = caller.tenant.changing.lock().await;
    let token = request.token.as_deref().unwrap_or_default();
    check(caller, (kind, token), None, &body)?;
    let readers = caller.tenant.readers.permitted();
    let known = repeatable.as_ref();
    let known = known.map(|asked| AnswerKey { by: caller.name(), key: asked.key.clone() });
    let is_repeated = match known {
        Some(key) => readers.answer(key).await?.is_some(),
        None => false,
    };
    if !is_repeated {
        within_quota(caller, kind, &body)?;
    }
    make_with(caller, kind, (request.token, body), repeatable, Vec::new()).await
}

/// Checks a token that somebody gives to a new document.
pub(super) fn check_token(kind: &DocumentKind, token: &str) -> Result<(), Problem> {
    validate_token(token).map_err(|error| wrong(kind.token_member(), &error.to_string()))
}

/// Makes a document that whoever asks may have, and that is checked, together with what the
/// platform raises with it.
pub(super) async fn make_with(
    caller: &Caller,
    kind: &'static DocumentKind,
    (token, body): (Option<String>, Value),
    repeatable: Option<Repeatable>,
    messages: Vec<Message>,
) -> Result<Arc<Document>, Problem> {
    let asked = json!([token, body]);
    let answer = repeatable.map(|of| of.answer(caller, &asked, NewAnswerBody::Edited(0)));
    let mut edits =
        made_private(caller, kind, (token.as_deref().unwrap_or_default(), None, Some(&body)));
    let edit = Edit { kind, token: token.clone(), expect: Expect::New, body: Some(body) };
    edits.insert(0, edit);
    let hash = answer.as_ref().map(|answer| answer.request);
    let change = Transaction::of(caller.name(), edits);
    let changed = caller.apply(Transaction { answer, messages, ..change }).await?;
    if let Some(answer) = changed.repeated {
        return repeated(caller, kind, &answer, hash).await;
    }
    if changed.conflict.is_some() {
        let token = token.unwrap_or_default();
        let detail = format!("there is or was one with the {} `{token}`", kind.token_member());
        return Err(Problem::conflict("token_is_taken", detail));
    }
    edited(caller, kind, changed.documents.first()).await
}

/// Changes or removes a document.
pub(crate) async fn change(
    caller: &Caller,
    kind: &'static DocumentKind,
    token: &str,
    request: Request,
) -> Result<Arc<Document>, Problem> {
    let _alone = caller.tenant.changing.lock().await;
    for _ in 0..ATTEMPTS {
        let before = newest(caller, kind, token).await?;
        let before = require(caller, Action::Write, kind, token, before)?;
        if request.token.as_ref().is_some_and(|other| other != token) {
            return Err(wrong(kind.token_member(), "it is not the one in the path"));
        }
        let body = request.body.clone().map(|members| kept(&before, members));
        if body.is_none() {
            refuse_if_used(caller, kind, token)?;
        }
        if let Some(body) = &body {
            permitted(caller, kind, token, body)?;
            if kind.resource == Kind::Grant {
                // It would outlive the key.
                caller.require_no_key()?;
            }
            fixed(&before, body)?;
            check(caller, (kind, token), Some(&before), body)?;
        }
        let reserve = body.as_ref().is_some_and(|body| takes_away(&before, body));
        let both = (token, Some(before.body.as_str()), body.as_ref());
        let mut edits = made_private(caller, kind, both);
        let expect = Expect::Version(request.version.unwrap_or(before.version));
        edits.insert(0, Edit { kind, token: Some(token.to_owned()), expect, body });
        let change = Transaction::of(caller.name(), edits);
        let changed = caller.apply(Transaction { reserve, ..change }).await?;
        match (changed.conflict, request.version) {
            (None, _) => return edited(caller, kind, changed.documents.first()).await,
            (Some(conflict), Some(version)) if conflict.edit == 0 => {
                let detail = format!("`version` is {version}, and {conflict}; read it again");
                return Err(Problem::conflict("version_conflict", detail));
            }
            (Some(_), _) => {}
        }
    }
    let detail = format!("others changed it {ATTEMPTS} times meanwhile; send it again");
    Err(Problem::conflict("version_conflict", detail))
}

/// Changes a document as it is now; `None` leaves it.
///
/// # Errors
/// 401, 403 or 404 as for any change.
pub(crate) async fn edit(
    caller: &Caller,
    kind: &'static DocumentKind,
    token: &str,
    change: impl Fn(&Document) -> Option<Value>,
) -> Result<Arc<Document>, Problem> {
    edit_with(caller, (kind, token), Vec::new(), change).await
}

/// The same with what the audit is to have beside it.
pub(super) async fn edit_with(
    caller: &Caller,
    (kind, token): (&'static DocumentKind, &str),
    notes: Vec<Note>,
    change: impl Fn(&Document) -> Option<Value>,
) -> Result<Arc<Document>, Problem> {
    let _alone = caller.tenant.changing.lock().await;
    let before = newest(caller, kind, token).await?;
    let before = require(caller, Action::Write, kind, token, before)?;
    let Some(body) = change(&before) else { return Ok(before) };
    let edits = vec![Edit::of(&before, Some(body))];
    let change = Transaction { notes, ..Transaction::of(caller.name(), edits) };
    let changed = caller.apply(change).await?;
    edited(caller, kind, changed.documents.first()).await
}

/// The newest version that is not a removal.
pub(super) async fn newest(
    caller: &Caller,
    kind: &'static DocumentKind,
    token: &str,
) -> Result<Option<Arc<Document>>, Problem> {
    if kind.is_resident {
        return Ok(caller.tenant.documents.find(kind, token));
    }
    let found = caller.tenant.readers.permitted().document(kind, token.to_owned(), None).await?;
    Ok(found.filter(|document| !document.is_deleted).map(Arc::new))
}

pub(crate) fn may(caller: &Caller, action: Action, document: &Document) -> bool {
    let about = (document.kind.about)(&document.token, &document.body);
    let on = about.resource(document.kind.resource, &caller.tenant.name);
    caller.may(action, &on) && is_of_its_time(caller, document, &on)
}

/// A resident document, if it is there and may be read.
pub(crate) fn readable(caller: &Caller, kind: &DocumentKind, token: &str) -> Option<Arc<Document>> {
    let found = caller.tenant.documents.find(kind, token);
    found.filter(|document| may(caller, Action::Read, document))
}

/// A document as it is, which whoever asks may change.
pub(super) async fn writable(
    caller: &Caller,
    kind: &'static DocumentKind,
    token: &str,
) -> Result<Arc<Document>, Problem> {
    let found = newest(caller, kind, token).await?;
    require(caller, Action::Write, kind, token, found)
}

/// A document of which this may be done; hidden and absent are answered alike, after the same
/// question.
fn require(
    caller: &Caller,
    action: Action,
    kind: &'static DocumentKind,
    token: &str,
    found: Option<Arc<Document>>,
) -> Result<Arc<Document>, Problem> {
    // What is not of a time at which it could be had is asked for as what is not there.
    let found = found.filter(|document| {
        let about = (kind.about)(token, &document.body);
        is_of_its_time(caller, document, &about.resource(kind.resource, &caller.tenant.name))
    });
    let body = found.as_ref().map_or("", |document| document.body.as_str());
    let about = (kind.about)(token, body);
    let on = about.resource(kind.resource, &caller.tenant.name);
    let permitted = caller.require(action_of(kind, action), &on, || unknown(kind, token));
    match (found, permitted) {
        (Some(document), Ok(_)) => Ok(document),
        (Some(_), Err(problem)) => Err(problem),
        // Nobody learns without a log-in what there is.
        (None, Err(problem)) if problem.status() == StatusCode::UNAUTHORIZED => Err(problem),
        _ => Err(unknown(kind, token)),
    }
}

/// Whether who asks may have such a document there.
pub(super) fn permitted(
    caller: &Caller,
    kind: &'static DocumentKind,
    token: &str,
    body: &Value,
) -> Result<(), Problem> {
    let about = (kind.about)(token, &body.to_string());
    let on = about.resource(kind.resource, &caller.tenant.name);
    let permit = caller.require(action_of(kind, Action::Write), &on, Problem::nothing).map(drop);
    if permit.as_ref().is_err_and(|problem| problem.status() == StatusCode::NOT_FOUND) {
        // Whose a document is that cannot be read is not known: what is wrong with it is.
        (kind.check)(body)?;
    }
    permit
}

/// What writing is for some kinds.
fn action_of(kind: &DocumentKind, action: Action) -> Action {
    match (kind.resource, action) {
        (Kind::Grant, Action::Write) => Action::Grant,
        (Kind::Schedule | Kind::Batch, Action::Write) => Action::Command,
        _ => action,
    }
}

/// The member of a rule that has whose offer it is: only offers and answers to them change it.
const OFFER: &str = "offer";

/// The member of a kind's body that names who made a document, unless it names somebody else.
fn maker(kind: &DocumentKind) -> Option<&'static str> {
    match kind.resource {
        Kind::Grant => Some("by"),
        Kind::Rule | Kind::ReportPlan | Kind::View | Kind::FieldNetwork => Some("owner"),
        _ => None,
    }
}

/// A new body; a grant, a rule, a view, a plan of reports or a network is by who makes it, or the
/// tenant's. Those of who may make the tenant's are the tenant's.
pub(super) fn own(caller: &Caller, kind: &DocumentKind, mut members: Map<String, Value>) -> Value {
    let on = Resource::new(kind.resource, &caller.tenant.name, Subject::Nothing);
    let on = on.owned(Owner::Tenant);
    let is_meant = maker(kind) == Some("owner");
    let is_tenants = is_meant && caller.may(Action::Write, &on);
    if let Some(maker) = maker(kind).filter(|_| !is_tenants) {
        members.entry(maker).or_insert_with(|| caller.name().into());
    }
    if kind.resource == Kind::Rule {
        members.remove(OFFER);
    }
    Value::Object(members)
}

/// The members that a change leaves as they are: secrets that are not shown, who made it, what the
/// platform itself writes.
fn kept(before: &Document, mut members: Map<String, Value>) -> Value {
    let body = before.members();
    let by = maker(before.kind);
    for secret in before.kind.secrets().iter().chain(&by) {
        if let (None, Some(value)) = (members.get(*secret), body.get(*secret)) {
            members.insert((*secret).to_owned(), value.clone());
        }
    }
    for own in before.kind.platform_members() {
        members.remove(*own);
        members.extend(body.get(*own).map(|value| ((*own).to_owned(), value.clone())));
    }
    if before.kind.resource == Kind::Rule {
        members.remove(OFFER);
        members.extend(body.get(OFFER).map(|offer| (OFFER.to_owned(), offer.clone())));
    }
    Value::Object(members)
}

/// The document after a change of it.
pub(super) async fn edited(
    caller: &Caller,
    kind: &'static DocumentKind,
    done: Option<&Edited>,
) -> Result<Arc<Document>, Problem> {
    let Some(Edited { token, version }) = done else { return Err(unknown(kind, "")) };
    let readers = caller.tenant.readers.permitted();
    let document = readers.document(kind, token.clone(), Some(*version)).await?;
    document.map(Arc::new).ok_or_else(|| unknown(kind, token))
}

/// The answer to a request that comes again.
async fn repeated(
    caller: &Caller,
    kind: &'static DocumentKind,
    answer: &Answer,
    hash: Option<[u8; 32]>,
) -> Result<Arc<Document>, Problem> {
    match &answer.body {
        AnswerBody::Document(_, token, version) if hash == Some(answer.request) => {
            let readers = caller.tenant.readers.permitted();
            let document = readers.document(kind, token.clone(), Some(*version)).await?;
            if kind.resource == Kind::Batch {
                // Whoever makes one has just been asked for its right to command each device.
                return document.map(Arc::new).ok_or_else(|| unknown(kind, token));
            }
            require(caller, Action::Read, kind, token, document.map(Arc::new))
        }
        _ => {
            let detail = "another request came with this `Idempotency-Key`; take a new one";
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "key_is_taken", detail))
        }
    }
}
