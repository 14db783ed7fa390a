//! API keys, and credentials of devices, gateways and applications.

use axum::Json;
use axum::http::StatusCode;
use serde_json::Value;

use super::devices::List;
use super::documents::{DocumentJson, Members, described, listed};
use super::extract::{Body, Call};
use super::parameter::{PAGE, PAGE_SIZE, Parameter};
use super::routes::{Gives, Route, routes};
use super::{Answer, Made};
use crate::ops::credentials;

const KEYS: &str = "/api/v1/keys";
const KEY: &str = r#"{"of":"user:bob","actions":["read"],"until":"2100-01-01T00:00:00Z"}"#;
const TOKEN: Parameter = Parameter::text("token", "the token of a key or credential").example("a");

routes! {
    "access" {
        Get KEYS => list:
            "One's own API keys without their secrets; those of all for administrators",
            Within(Token, Read), [PAGE, PAGE_SIZE],
            gives Gives::json::<List<DocumentJson>>(200), refuses [500];
        Post KEYS => make:
            "Makes an API key for `actions`, `on` some things, `until` its end; the answer is the \
             only one with the `key`",
            Within(Token, Write), [], takes |_| described(KEY),
            gives Gives::json::<DocumentJson>(201), refuses [409, 500, 507];
        Delete "/api/v1/keys/{token}" => revoke:
            "Revokes one; who is connected by it is disconnected",
            Within(Token, Write), [TOKEN],
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
        Get "/api/v1/credentials" => list:
            "Credentials of devices, gateways and applications, without their secrets",
            Within(Credential, Read), [PAGE, PAGE_SIZE],
            gives Gives::json::<List<DocumentJson>>(200), refuses [500];
        Post "/api/v1/credentials" => make:
            "Makes a credential `of` a device, gateway or application: of a `certificate`, its \
             SHA-256, or with a `secret`, which the answer alone has",
            Within(Credential, Write), [],
            takes |_| described(r#"{"of":"device:meter-1","name":"Of the factory"}"#),
            gives Gives::json::<DocumentJson>(201), refuses [409, 500, 507];
        Delete "/api/v1/credentials/{token}" => revoke:
            "Revokes one; who is connected by it is disconnected",
            Within(Credential, Write), [TOKEN],
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
    }
}

fn is_of_keys(route: &Route) -> bool {
    route.path.starts_with(KEYS)
}

async fn list(mut call: Call) -> Answer<List<DocumentJson>> {
    let page = call.page()?;
    Ok(Json(listed(credentials::list(&call.caller(), is_of_keys(call.route), page)?)))
}

async fn make(call: Call, Body(members): Body<Members>) -> Made<DocumentJson> {
    let (repeatable, caller) = (call.repeatable()?, call.caller());
    let (name, made) = if is_of_keys(call.route) {
        ("key", credentials::make_key(&caller, members, repeatable).await?)
    } else {
        ("secret", credentials::make_credential(&caller, members, repeatable).await?)
    };
    let mut shown = made.shown;
    if let (Value::Object(members), Some(secret)) = (&mut shown, made.secret) {
        members.insert(name.to_owned(), secret.into());
    }
    Ok((StatusCode::CREATED, Json(shown.into())))
}

async fn revoke(call: Call) -> Answer<DocumentJson> {
    let is_of_keys = is_of_keys(call.route);
    let (of, revoked) = credentials::revoke(&call.caller(), is_of_keys, &call.variable).await?;
    if let Some(process) = call.shared.process.upgrade() {
        process.cut(&call.tenant.name, &of).await;
    }
    Ok(Json(revoked.into()))
}
