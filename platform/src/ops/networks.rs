//! Field networks: registered with a key that is shown once, changed, given another key.

use std::sync::Arc;

use axum::http::StatusCode;
use lastmeter_fields::{CommandRow, NETWORK_TYPES, NetworkType, by_name};
use lastmeter_model::document::{AnswerKey, Document, Edit, Expect, NewAnswerBody, Transaction};
use lastmeter_model::entity::{
    Body as _, CommandBody, FieldNetwork, GATEWAY_NUMBER_MAX, GatewayNumber, NetworkState,
    Specification, read,
};
use lastmeter_store::Page;
use lastmeter_units::MeasurementId;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::Caller;
use super::accounts::secret_was_shown;
use super::bounds::{check, within_quota};
use super::documents::{self, Repeatable, own, own_members, shown};
use crate::access::{SealingError, hex, random};
use crate::problem::{Problem, wrong};

/// The length of a network's key, bytes.
pub(crate) const KEY_BYTES: usize = 16;

/// How often a number is looked for that nobody takes meanwhile.
const ATTEMPTS: usize = 5;

/// A network, and its key, which is shown once.
pub(crate) struct WithKey {
    pub(crate) shown: Value,
    pub(crate) key: [u8; KEY_BYTES],
}

/// What a network's key is sealed for.
pub(crate) fn purpose(network: &FieldNetwork, tenant: &lastmeter_units::TenantName) -> String {
    format!("network key {tenant} {} {}", network.gateway_address, network.gateway_number)
}

/// The networks whose gateway was there, or those that wait for it.
pub(crate) async fn list(
    caller: &Caller,
    state: NetworkState,
    page: Page,
) -> Result<(u64, Vec<Value>), Problem> {
    let key = Some(("state", state.word()));
    documents::list(caller, FieldNetwork::kind(), key, page).await
}

/// Registers a network: its key and the number of its gateway are made here.
pub(crate) async fn make(
    caller: &Caller,
    given: Map<String, Value>,
    repeatable: Option<Repeatable>,
) -> Result<WithKey, Problem> {
    let (kind, asked) = (FieldNetwork::kind(), Value::Object(given.clone()));
    let request = own_members(kind, given)?;
    let mut members = request.body.unwrap_or_default();
    members.retain(|name, _| !kind.platform_members().contains(&&**name));
    // Whoever checks a body below wants all of it.
    members.extend([
        ("gatewayNumber".to_owned(), json!(1)),
        ("state".to_owned(), json!(NetworkState::Registered)),
    ]);
    let mut body = own(caller, kind, members);
    let token = request.token;
    let named = token.as_deref().unwrap_or_default();
    if token.is_some() {
        documents::check_token(kind, named)?;
    }
    documents::permitted(caller, kind, named, &body)?;
    if token.is_some() && !caller.list(kind.resource)?.is_whole() {
        return Err(wrong("token", "expected none: it is given to you"));
    }
    // What is checked holds until the document is there.
    let _alone = caller.tenant.changing.lock().await;
    if let Some(Repeatable { key, .. }) = &repeatable {
        let known = AnswerKey { by: caller.name(), key: key.clone() };
        if caller.tenant.readers.permitted().answer(known).await?.is_some() {
            return Err(secret_was_shown());
        }
    }
    check(caller, (kind, named), None, &body)?;
    let network_type = typed(&body)?;
    within_quota(caller, kind, &body)?;
    declare(caller, network_type).await?;
    let answer = repeatable.map(|of| of.answer(caller, &asked, NewAnswerBody::Secret));
    for _ in 0..ATTEMPTS {
        body["gatewayNumber"] = json!(next_number(caller)?);
        let key = sealed_into(caller, &mut body)?;
        let network: FieldNetwork = read(&body)?;
        let number = json!({ "gatewayAddress": network.gateway_address });
        let new = |kind, token, body| Edit { kind, token, expect: Expect::New, body: Some(body) };
        let edits = vec![
            new(kind, token.clone(), body.clone()),
            new(GatewayNumber::kind(), Some(network.gateway_number.to_string()), number),
        ];
        let change = Transaction::of(caller.name(), edits);
        let changed = caller.apply(Transaction { answer: answer.clone(), ..change }).await?;
        if changed.repeated.is_some() {
            return Err(secret_was_shown());
        }
        match changed.conflict {
            None => {
                let made = documents::edited(caller, kind, changed.documents.first()).await?;
                return Ok(WithKey { shown: shown(&made), key });
            }
            Some(conflict) if conflict.edit == 0 => {
                let detail = format!("there is or was one with the token `{named}`");
                return Err(Problem::conflict("token_is_taken", detail));
            }
            Some(_) => {}
        }
    }
    let detail = "others registered networks meanwhile; send it again";
    Err(Problem::conflict("version_conflict", detail))
}

/// Changes a network: its options have to be its type's.
pub(crate) async fn change(
    caller: &Caller,
    token: &str,
    members: Map<String, Value>,
) -> Result<Arc<Document>, Problem> {
    let kind = FieldNetwork::kind();
    let before = documents::writable(caller, kind, token).await?;
    let mut whole = before.members();
    whole.extend(members.get("options").map(|it| ("options".to_owned(), it.clone())));
    typed(&Value::Object(whole))?;
    documents::change(caller, kind, token, own_members(kind, members)?).await
}

/// The type of a network, whose options are checked.
fn typed(body: &Value) -> Result<&'static NetworkType, Problem> {
    let network: FieldNetwork = read(body)?;
    let name = network.network_type.as_str();
    let Some(found) = by_name(name) else {
        let known: Vec<&str> = NETWORK_TYPES.iter().map(|row| row.entry.name).collect();
        return Err(wrong("type", &format!("expected one of {}", known.join(", "))));
    };
    let options = found.check_options(&network.options.0);
    options.map_err(|(option, expected)| wrong(&format!("options.{option}"), &expected))?;
    Ok(found)
}

/// The token of the specification of nodes of a type, of those that sleep or of others.
pub(crate) fn specification_of(network_type: &NetworkType, sleeps: bool) -> String {
    let name = network_type.entry.name;
    if sleeps { format!("network-{name}-sleeps") } else { format!("network-{name}") }
}

/// Has the specifications of a type's nodes, with what they measure and the commands that they
/// take, unless the tenant has them.
async fn declare(caller: &Caller, network_type: &NetworkType) -> Result<(), Problem> {
    let documents = &caller.tenant.documents;
    for sleeps in [false, true] {
        let token = specification_of(network_type, sleeps);
        if documents.body::<Specification>(&token).is_some() {
            continue;
        }
        let new = |kind, token, body| {
            let token = Some(token);
            Edit { kind, token, expect: Expect::New, body: Some(body) }
        };
        let body = specified(network_type, sleeps);
        let mut edits = vec![new(Specification::kind(), token.clone(), body)];
        for command in network_type.commands {
            let name = format!("{token}-{}", command.name);
            edits.push(new(CommandBody::kind(), name, commanded(&token, command)));
        }
        let change = Transaction::of("platform".to_owned(), edits);
        // Whoever removed one of them does not want it.
        caller.tenant.apply(Transaction { reserve: true, ..change }).await?;
    }
    Ok(())
}

fn specified(network_type: &NetworkType, sleeps: bool) -> Value {
    let quantities = network_type.yields.iter().map(|one| {
        let unit = MeasurementId::lookup(one.id).map(|id| id.row().unit);
        json!({
            "id": one.id, "unit": unit, "kind": if one.is_counter { "counter" } else { "gauge" },
            "resolution": one.resolution, "accuracy": one.accuracy_percent,
        })
    });
    let name = network_type.entry.name;
    json!({
        "name": if sleeps { format!("{name} node that sleeps") } else { format!("{name} node") },
        "description": network_type.entry.summary, "networkType": name,
        "quantities": quantities.collect::<Vec<_>>(),
        "delivery": if sleeps { "mailbox" } else { "direct" },
    })
}

fn commanded(specification: &str, command: &CommandRow) -> Value {
    let parameters = command.parameters.iter().map(|one| {
        json!({
            "name": one.name, "type": "Int64", "required": one.is_required,
            "min": one.min, "max": one.max,
        })
    });
    json!({
        "specificationToken": specification, "name": command.name,
        "description": command.description, "parameters": parameters.collect::<Vec<_>>(),
    })
}

/// Makes another key of a network; the one before ends, and the gateway has to come with the new
/// one.
pub(crate) async fn make_key(
    caller: &Caller,
    token: &str,
    repeatable: Option<Repeatable>,
) -> Result<WithKey, Problem> {
    let kind = FieldNetwork::kind();
    let before = documents::writable(caller, kind, token).await?;
    // It would outlive the API key.
    caller.require_no_key()?;
    let _alone = caller.tenant.changing.lock().await;
    let mut body = Value::Object(before.members());
    body["state"] = json!(NetworkState::Registered);
    let key = sealed_into(caller, &mut body)?;
    let answer = repeatable.map(|of| of.answer(caller, &json!(token), NewAnswerBody::Secret));
    let edits = vec![Edit::of(&before, Some(body))];
    let change = Transaction::of(caller.name(), edits);
    let changed = caller.apply(Transaction { answer, ..change }).await?;
    if changed.repeated.is_some() {
        return Err(secret_was_shown());
    }
    if changed.conflict.is_some() {
        let detail = "others changed it meanwhile; send it again";
        return Err(Problem::conflict("version_conflict", detail));
    }
    let made = documents::edited(caller, kind, changed.documents.first()).await?;
    Ok(WithKey { shown: shown(&made), key })
}

/// The least number of a gateway above all that were ever given.
fn next_number(caller: &Caller) -> Result<u32, Problem> {
    let given = caller.tenant.documents.all(GatewayNumber::kind());
    let last = given.iter().filter_map(|document| document.token.parse::<u32>().ok()).max();
    match last.unwrap_or_default() {
        last if last < GATEWAY_NUMBER_MAX => Ok(last + 1),
        _ => Err(Problem::limit_reached("gateways")),
    }
}

/// Puts a fresh key into the body of a network, sealed; returns it.
fn sealed_into(caller: &Caller, body: &mut Value) -> Result<[u8; KEY_BYTES], Problem> {
    let key: [u8; KEY_BYTES] =
        random().map_err(|error| Problem::unavailable("no_random", &error))?;
    let network: FieldNetwork = read(body)?;
    let purpose = purpose(&network, &caller.tenant.name);
    let sealed = caller.tenant.sealing.seal(&purpose, &key).map_err(|error| no_seal(&error))?;
    let check = Sha256::new().chain_update("network key").chain_update(key).finalize();
    body["sealedKey"] = json!(sealed);
    body["keyCheck"] = json!(hex(&check[..2]).to_uppercase());
    body["keyMade"] = json!(caller.tenant.clock.now());
    Ok(key)
}

fn no_seal(error: &SealingError) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_sealing", error.to_string())
}
