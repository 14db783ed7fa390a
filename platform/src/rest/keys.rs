//! API keys, and credentials of devices, gateways and applications.

use axum::http::{HeaderMap, StatusCode};
use axum::routing::on;
use axum::{Extension, Json};
use lastmeter_model::access::{Action, Kind};
use serde_json::Value;

use super::devices::List;
use super::documents::{DocumentJson, described, listed, repeatable};
use super::extract::{Body, Pairs, PathText};
use super::parameter::{PAGE, PAGE_SIZE, Parameter};
use super::routes::{Access, Gives, Route, Verb};
use super::{Answer, Api, Problem};
use crate::ops::credentials::{self, Made};

const KEYS: &str = "/api/v1/keys";
const CREDENTIALS: &str = "/api/v1/credentials";
const TOKEN: Parameter = Parameter::text("token", "the token of a key or credential").example("a");

const LIST: Route = Route {
    method: Verb::Get,
    path: KEYS,
    resource: "access",
    summary: "One's own API keys without their secrets; those of all for administrators",
    access: Access::Within(Kind::Token, Action::Read),
    parameters: &[&PAGE, &PAGE_SIZE],
    takes: None,
    gives: Gives::json::<List<DocumentJson>>(200),
    refuses: &[500],
    run: |verb| on(verb, list),
};
const MAKE: Route = Route {
    method: Verb::Post,
    summary: "Makes an API key for `actions`, `on` some things, `until` its end; the answer is the \
              only one with the `key`",
    access: Access::Within(Kind::Token, Action::Write),
    parameters: &[],
    takes: Some(|_| {
        described(r#"{"of":"user:bob","actions":["read"],"until":"2100-01-01T00:00:00Z"}"#)
    }),
    gives: Gives::json::<DocumentJson>(201),
    refuses: &[409, 500, 507],
    run: |verb| on(verb, make),
    ..LIST
};
const REVOKE: Route = Route {
    method: Verb::Delete,
    path: "/api/v1/keys/{token}",
    summary: "Revokes one; who is connected by it is disconnected",
    access: Access::Within(Kind::Token, Action::Write),
    parameters: &[&TOKEN],
    takes: None,
    gives: Gives::json::<DocumentJson>(200),
    run: |verb| on(verb, revoke),
    ..MAKE
};

/// The routes of this file.
pub(super) const ROUTES: &[Route] = &[
    LIST,
    MAKE,
    REVOKE,
    Route {
        path: CREDENTIALS,
        summary: "Credentials of devices, gateways and applications, without their secrets",
        access: Access::Within(Kind::Credential, Action::Read),
        ..LIST
    },
    Route {
        path: CREDENTIALS,
        summary: "Makes a credential `of` a device, gateway or application: of a `certificate`, \
                  its SHA-256, or with a `secret`, which the answer alone has",
        access: Access::Within(Kind::Credential, Action::Write),
        takes: Some(|_| described(r#"{"of":"device:meter-1","name":"Of the factory"}"#)),
        ..MAKE
    },
    Route {
        path: "/api/v1/credentials/{token}",
        access: Access::Within(Kind::Credential, Action::Write),
        ..REVOKE
    },
];

fn is_of_keys(route: &Route) -> bool {
    route.path.starts_with(KEYS)
}

async fn list(
    api: Api,
    Extension(route): Extension<&'static Route>,
    mut pairs: Pairs,
) -> Answer<List<DocumentJson>> {
    let page = pairs.page()?;
    pairs.finish()?;
    Ok(Json(listed(credentials::list(&api.caller(), is_of_keys(route), page)?)))
}

async fn make(
    api: Api,
    Extension(route): Extension<&'static Route>,
    pairs: Pairs,
    headers: HeaderMap,
    Body(DocumentJson(members)): Body<DocumentJson>,
) -> Result<(StatusCode, Json<DocumentJson>), Problem> {
    pairs.finish()?;
    let repeatable = repeatable(&headers, route.path)?;
    let caller = api.caller();
    let (name, made) = if is_of_keys(route) {
        ("key", credentials::make_key(&caller, members, repeatable).await?)
    } else {
        ("secret", credentials::make_credential(&caller, members, repeatable).await?)
    };
    let Made { mut shown, secret } = made;
    if let (Value::Object(members), Some(secret)) = (&mut shown, secret) {
        members.insert(name.to_owned(), secret.into());
    }
    Ok((StatusCode::CREATED, Json(shown.into())))
}

async fn revoke(
    api: Api,
    Extension(route): Extension<&'static Route>,
    PathText(token): PathText,
    pairs: Pairs,
) -> Answer<DocumentJson> {
    pairs.finish()?;
    let (of, revoked) = credentials::revoke(&api.caller(), is_of_keys(route), &token).await?;
    if let Some(process) = api.shared.process.upgrade() {
        process.cut(&api.tenant.name, &of).await;
    }
    Ok(Json(revoked.into()))
}
