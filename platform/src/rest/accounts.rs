//! Users, one's own account, and log-ins.

use axum::http::{HeaderMap, StatusCode};
use axum::routing::on;
use axum::{Extension, Json};
use lastmeter_model::access::{Action, Kind, PrincipalRef, Role};
use lastmeter_store::lock;
use lastmeter_units::SimTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::devices::List;
use super::documents::{DocumentJson, described, listed, repeatable};
use super::extract::{Body, Pairs, PathText};
use super::openapi::Instant;
use super::parameter::{PAGE, PAGE_SIZE, Parameter};
use super::routes::{Access, Gives, Route, Verb, schema};
use super::{Answer, Api, Problem};
use crate::access::Passwords;
use crate::identity::{Proof, Visitor};
use crate::ops::{accounts, documents};

/// Where a password is replaced, with a code too.
pub(super) const PASSWORD: &str = "/api/v1/account/password";
const USERS: &str = "/sitewhere/api/users";
const USER: &str = "/sitewhere/api/users/{username}";
const ACCOUNT: &str = "/api/v1/account";
const TOKENS: &str = "/api/v1/tokens";
const NAME: Parameter = Parameter::text("username", "the user's name").example("bob");

const ROW: Route = Route {
    method: Verb::Get,
    path: USER,
    resource: "access",
    summary: "A user",
    access: Access::Within(Kind::User, Action::Read),
    parameters: &[&NAME],
    takes: None,
    gives: Gives::json::<DocumentJson>(200),
    refuses: &[500],
    run: |verb| on(verb, one),
};
const CHANGE: Route = Route {
    method: Verb::Put,
    summary: "Replaces a user, who has the same password unless there is a `password`",
    access: Access::Within(Kind::User, Action::Write),
    takes: Some(|_| described(r#"{"username":"bob","password":"correct horse","roles":["user"]}"#)),
    refuses: &[409, 500, 507],
    run: |verb| on(verb, change),
    ..ROW
};
const OWN: Route = Route {
    path: ACCOUNT,
    summary: "One's own account",
    access: Access::Within(Kind::Account, Action::Read),
    parameters: &[],
    run: |verb| on(verb, account),
    ..ROW
};
const OWN_CHANGE: Route = Route {
    method: Verb::Put,
    summary: "Replaces one's own profile",
    access: Access::Within(Kind::Account, Action::Write),
    takes: Some(|_| described(r#"{"fullName":"Bob","language":"en"}"#)),
    refuses: &[409, 500, 507],
    run: |verb| on(verb, change_account),
    ..OWN
};

/// The routes of this file.
pub(super) const ROUTES: &[Route] = &[
    Route {
        path: USERS,
        summary: "Users, by name",
        parameters: &[&PAGE, &PAGE_SIZE],
        gives: Gives::json::<List<DocumentJson>>(200),
        run: |verb| on(verb, list),
        ..ROW
    },
    Route {
        method: Verb::Post,
        path: USERS,
        summary: "Makes a user, with a `password` or to log in by a code",
        parameters: &[],
        gives: Gives::json::<DocumentJson>(201),
        run: |verb| on(verb, make),
        ..CHANGE
    },
    ROW,
    CHANGE,
    Route {
        method: Verb::Delete,
        summary: "Erases a user with profile, keys and grants; readings stay without a name",
        takes: None,
        run: |verb| on(verb, erase),
        ..CHANGE
    },
    Route {
        method: Verb::Post,
        path: "/sitewhere/api/users/{username}/reset",
        summary: "Gives a user a code that replaces the password once; it is shown this time only",
        takes: None,
        gives: Gives::json::<CodeJson>(201),
        refuses: &[409, 500, 507],
        run: |verb| on(verb, reset),
        ..CHANGE
    },
    Route {
        path: "/sitewhere/api/authorities",
        summary: "The roles that a user may have",
        access: Access::To(Kind::User, Action::Read),
        parameters: &[],
        gives: Gives::json::<List<AuthorityJson>>(200),
        refuses: &[],
        run: |verb| on(verb, authorities),
        ..ROW
    },
    OWN,
    OWN_CHANGE,
    Route {
        method: Verb::Delete,
        summary: "Erases one's own account",
        takes: None,
        run: |verb| on(verb, erase_account),
        ..OWN_CHANGE
    },
    Route {
        path: PASSWORD,
        summary: "Replaces the password that the request is sent with, or a code",
        takes: Some(schema::<PasswordJson>),
        run: |verb| on(verb, change_password),
        ..OWN_CHANGE
    },
    Route {
        method: Verb::Post,
        path: TOKENS,
        summary: "Logs in: an access token for the password that the request is sent with",
        access: Access::Within(Kind::Token, Action::Write),
        takes: None,
        gives: Gives::json::<TokenJson>(201),
        run: |verb| on(verb, log_in),
        ..OWN_CHANGE
    },
    Route {
        method: Verb::Delete,
        path: TOKENS,
        summary: "Logs out: ends the access token that the request is sent with",
        access: Access::Within(Kind::Token, Action::Write),
        takes: None,
        gives: Gives::json::<DocumentJson>(200),
        run: |verb| on(verb, log_out),
        ..OWN_CHANGE
    },
];

/// A code that replaces a password once.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OneTimeCode")]
pub(super) struct CodeJson {
    username: String,
    code: String,
    #[schemars(with = "Instant")]
    until: SimTime,
}

/// A role, as SiteWhere shows it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Authority")]
pub(super) struct AuthorityJson {
    authority: &'static str,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewPassword", extend("examples" = [{ "password": "correct horse" }]))]
pub(super) struct PasswordJson {
    /// The new one, 8 to 128 bytes.
    password: String,
}

/// An access token.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AccessToken")]
pub(super) struct TokenJson {
    /// To be sent as bearer token.
    token: String,
    expires_after_seconds: u32,
    /// It also ends when it is not used for so long.
    idle_seconds: u32,
}

fn passwords(api: &Api) -> &Passwords {
    &api.shared.tenants.access.passwords
}

/// Ends what a user is connected as.
async fn cut(api: &Api, name: &str) {
    if let (Ok(name), Some(process)) = (name.parse(), api.shared.process.upgrade()) {
        process.cut(&api.tenant.name, &PrincipalRef::User(name)).await;
    }
}

async fn list(api: Api, mut pairs: Pairs) -> Answer<List<DocumentJson>> {
    let page = pairs.page()?;
    pairs.finish()?;
    let kind = accounts::kind::<lastmeter_model::entity::User>()?;
    Ok(Json(listed(documents::list(&api.caller(), kind, None, page).await?)))
}

async fn make(
    api: Api,
    pairs: Pairs,
    headers: HeaderMap,
    Body(DocumentJson(members)): Body<DocumentJson>,
) -> Result<(StatusCode, Json<DocumentJson>), Problem> {
    pairs.finish()?;
    let repeatable = repeatable(&headers, USERS)?;
    let made = accounts::make(&api.caller(), passwords(&api), members, repeatable).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

async fn one(api: Api, PathText(name): PathText, pairs: Pairs) -> Answer<DocumentJson> {
    pairs.finish()?;
    let kind = accounts::kind::<lastmeter_model::entity::User>()?;
    let found = documents::one(&api.caller(), kind, &name, None).await?;
    Ok(Json(documents::shown(&found).into()))
}

async fn change(
    api: Api,
    PathText(name): PathText,
    pairs: Pairs,
    Body(DocumentJson(members)): Body<DocumentJson>,
) -> Answer<DocumentJson> {
    pairs.finish()?;
    let changed = accounts::change(&api.caller(), passwords(&api), &name, members).await?;
    cut(&api, &name).await;
    Ok(Json(changed.into()))
}

async fn erase(api: Api, PathText(name): PathText, pairs: Pairs) -> Answer<DocumentJson> {
    pairs.finish()?;
    let erased = accounts::erase(&api.caller(), &name).await?;
    cut(&api, &name).await;
    Ok(Json(erased.into()))
}

async fn reset(
    api: Api,
    PathText(username): PathText,
    headers: HeaderMap,
    pairs: Pairs,
) -> Result<(StatusCode, Json<CodeJson>), Problem> {
    pairs.finish()?;
    let repeatable = repeatable(&headers, &format!("{USERS}/{username}/reset"))?;
    let (code, until) = accounts::reset(&api.caller(), &username, repeatable).await?;
    Ok((StatusCode::CREATED, Json(CodeJson { username, code, until })))
}

async fn authorities(pairs: Pairs) -> Answer<List<AuthorityJson>> {
    pairs.finish()?;
    let results: Vec<_> =
        Role::ALL.iter().map(|role| AuthorityJson { authority: role.word() }).collect();
    Ok(Json(List { num_results: results.len() as u64, results }))
}

async fn account(api: Api, pairs: Pairs) -> Answer<DocumentJson> {
    pairs.finish()?;
    Ok(Json(accounts::account(&api.caller())?.into()))
}

async fn change_account(
    api: Api,
    pairs: Pairs,
    Body(DocumentJson(members)): Body<DocumentJson>,
) -> Answer<DocumentJson> {
    pairs.finish()?;
    Ok(Json(accounts::change_account(&api.caller(), members).await?.into()))
}

async fn erase_account(
    api: Api,
    Extension(visitor): Extension<Visitor>,
    pairs: Pairs,
) -> Answer<DocumentJson> {
    pairs.finish()?;
    let name = accounts::own(&api.caller(), Kind::Account, Action::Write)?;
    password_of(&visitor)?;
    let erased = accounts::erase_account(&api.caller()).await?;
    cut(&api, &name).await;
    Ok(Json(erased.into()))
}

/// The hash of the password that a request is sent with.
fn password_of(visitor: &Visitor) -> Result<&str, Problem> {
    if let Proof::Password(hash) = &visitor.proof {
        return Ok(hash);
    }
    let detail = "send user name and password with this request (`Authorization: Basic`)";
    Err(Problem::new(StatusCode::FORBIDDEN, "password_is_needed", detail))
}

async fn change_password(
    api: Api,
    Extension(visitor): Extension<Visitor>,
    pairs: Pairs,
    Body(PasswordJson { password }): Body<PasswordJson>,
) -> Answer<DocumentJson> {
    pairs.finish()?;
    accounts::own(&api.caller(), Kind::Account, Action::Write)?;
    if visitor.proof != Proof::Code {
        password_of(&visitor)?;
    }
    let given = password.into();
    let name = accounts::change_password(&api.caller(), passwords(&api), &given).await?;
    cut(&api, &name).await;
    Ok(Json(accounts::account(&api.caller())?.into()))
}

async fn log_in(
    api: Api,
    Extension(visitor): Extension<Visitor>,
    pairs: Pairs,
) -> Result<(StatusCode, Json<TokenJson>), Problem> {
    pairs.finish()?;
    let name = accounts::own(&api.caller(), Kind::Token, Action::Write)?;
    let hash = password_of(&visitor)?.to_owned();
    let (access, of) = (&api.shared.tenants.access, (api.tenant.name.clone(), name));
    let made = lock(&access.tokens).make(of, hash, access.now());
    let token = made.map_err(|error| Problem::unavailable("no_random", &error))?.print();
    let made = TokenJson { token, expires_after_seconds: 12 * 3600, idle_seconds: 1800 };
    Ok((StatusCode::CREATED, Json(made)))
}

async fn log_out(
    api: Api,
    Extension(visitor): Extension<Visitor>,
    pairs: Pairs,
) -> Answer<DocumentJson> {
    pairs.finish()?;
    accounts::own(&api.caller(), Kind::Token, Action::Write)?;
    let Proof::AccessToken(id) = visitor.proof else {
        let detail = "send the access token that is to end with this request";
        return Err(Problem::new(StatusCode::FORBIDDEN, "no_access_token", detail));
    };
    lock(&api.shared.tenants.access.tokens).end(id);
    Ok(Json(serde_json::json!({ "ended": true }).into()))
}
