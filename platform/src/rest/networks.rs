//! Field networks behind gateways.

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use lastmeter_model::entity::{FieldNetwork, NetworkState};
use serde_json::Value;

use super::devices::List;
use super::documents::{
    DocumentJson, Members, TOKEN, change_of, described, history_of, listed, one_of, remove_of,
};
use super::extract::{Body, Call};
use super::parameter::{PAGE, PAGE_SIZE, Parameter};
use super::routes::{Gives, routes};
use super::{Answer, Made};
use crate::access::hex;
use crate::ops::networks::{self, WithKey};

const NETWORK: &str = r#"{"token":"x.a","type":"zigbee","name":"Home",
    "gatewayAddress":"00124b0001abcdef","options":{"channel":15}}"#;
const STATE: Parameter = Parameter::word(
    "state",
    "`active`, unless given: their gateway was there; `registered`: it is waited for",
    &["active", "registered"],
);

routes! {
    "networks" {
        Get "/api/v1/networks" => list: "Field networks that may be read, by token",
            Within(FieldNetwork, Read), [STATE, PAGE, PAGE_SIZE],
            gives Gives::json::<List<DocumentJson>>(200), refuses [500];
        Post "/api/v1/networks" => make:
            "Registers a network; the answer is the only one with the `key` for its gateway, and \
             the network is listed once the gateway has come with it",
            Within(FieldNetwork, Write), [], takes |_| described(NETWORK),
            gives Gives::json::<DocumentJson>(201), refuses [409, 500, 507];
        Get "/api/v1/networks/{token}" => one: "One of them",
            Within(FieldNetwork, Read), [TOKEN],
            gives Gives::json::<DocumentJson>(200), refuses [500];
        Put "/api/v1/networks/{token}" => change:
            "Replaces one, if it is in the `version` that is sent with it; its gateway's address \
             and its type stay",
            Within(FieldNetwork, Write), [TOKEN], takes |_| described(NETWORK),
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
        Delete "/api/v1/networks/{token}" => remove:
            "Removes one that has no nodes, in the version of `If-Match` if given",
            Within(FieldNetwork, Write), [TOKEN],
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
        Get "/api/v1/networks/{token}/history" => history: "Its versions, newest first",
            Within(FieldNetwork, Read), [TOKEN, PAGE, PAGE_SIZE],
            gives Gives::json::<List<DocumentJson>>(200), refuses [500];
        Post "/api/v1/networks/{token}/key" => make_key:
            "Makes another `key`, which the answer alone has; the one before ends",
            Within(FieldNetwork, Write), [TOKEN],
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
    }
}

async fn list(mut call: Call) -> Answer<List<DocumentJson>> {
    let (state, page) = (call.pairs.word(&STATE)?, call.pairs.page()?);
    call.pairs.finish()?;
    let is_waiting = state == Some(NetworkState::Registered.word());
    let state = if is_waiting { NetworkState::Registered } else { NetworkState::Active };
    Ok(Json(listed(networks::list(&call.caller(), state, page).await?)))
}

/// A network with its key.
fn with_key(WithKey { mut shown, key }: WithKey) -> DocumentJson {
    if let Value::Object(members) = &mut shown {
        members.insert("key".to_owned(), hex(&key).into());
    }
    shown.into()
}

async fn make(call: Call, Body(members): Body<Members>) -> Made<DocumentJson> {
    let made = networks::make(&call.caller(), members, call.repeatable()?).await?;
    Ok((StatusCode::CREATED, Json(with_key(made))))
}

async fn one(call: Call) -> Answer<DocumentJson> {
    one_of::<FieldNetwork>(call).await
}

async fn change(call: Call, body: Body<Members>) -> Answer<DocumentJson> {
    change_of::<FieldNetwork>(call, body).await
}

async fn remove(call: Call, headers: HeaderMap) -> Answer<DocumentJson> {
    remove_of::<FieldNetwork>(call, headers).await
}

async fn history(call: Call) -> Answer<List<DocumentJson>> {
    history_of::<FieldNetwork>(call).await
}

async fn make_key(call: Call) -> Answer<DocumentJson> {
    let repeatable = call.repeatable_at(&format!("/api/v1/networks/{}/key", call.variable))?;
    let made = networks::make_key(&call.caller(), &call.variable, repeatable).await?;
    Ok(Json(with_key(made)))
}
