//! Users, one's own account, and log-ins.

use axum::http::StatusCode;
use axum::{Extension, Json};
use lastmeter_model::access::{Action, Kind, Role};
use lastmeter_model::entity::User;
use lastmeter_store::lock;
use lastmeter_units::SimTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::devices::List;
use super::documents::{DocumentJson, Members, described, list_of, one_of};
use super::extract::{Body, Call};
use super::openapi::Instant;
use super::parameter::{PAGE, PAGE_SIZE, Parameter};
use super::routes::{Gives, routes, schema};
use super::{Answer, Api, Made, Problem};
use crate::access::{LogIn, Passwords};
use crate::identity::{Proof, Visitor};
use crate::ops::accounts;

/// Where a password is replaced, with a code too.
pub(super) const PASSWORD: &str = "/api/v1/account/password";
const USERS: &str = "/sitewhere/api/users";
const USER: &str = r#"{"username":"bob","password":"correct horse","roles":["user"]}"#;
const NAME: Parameter = Parameter::text("username", "the user's name").example("bob");

routes! {
    "access" {
        Get USERS => list_of::<User>: "Users, by name",
            Within(User, Read), [PAGE, PAGE_SIZE],
            gives Gives::json::<List<DocumentJson>>(200), refuses [500];
        Post USERS => make:
            "Makes a user, with a `password` or to log in by a code",
            Within(User, Write), [], takes |_| described(USER),
            gives Gives::json::<DocumentJson>(201), refuses [409, 500, 507];
        Get "/sitewhere/api/users/{username}" => one_of::<User>: "A user",
            Within(User, Read), [NAME], gives Gives::json::<DocumentJson>(200), refuses [500];
        Put "/sitewhere/api/users/{username}" => change:
            "Replaces a user, who has the same password unless there is a `password`",
            Within(User, Write), [NAME], takes |_| described(USER),
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
        Delete "/sitewhere/api/users/{username}" => erase:
            "Erases a user with profile, keys and grants; readings stay without a name",
            Within(User, Write), [NAME],
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
        Post "/sitewhere/api/users/{username}/reset" => reset:
            "Gives a user a code that replaces the password once; it is shown this time only",
            Within(User, Write), [NAME],
            gives Gives::json::<CodeJson>(201), refuses [409, 500, 507];
        Get "/sitewhere/api/authorities" => authorities: "The roles that a user may have",
            To(User, Read), [], gives Gives::json::<List<AuthorityJson>>(200), refuses [];
        Get "/api/v1/account" => account: "One's own account",
            Within(Account, Read), [], gives Gives::json::<DocumentJson>(200), refuses [500];
        Put "/api/v1/account" => change_account: "Replaces one's own profile",
            Within(Account, Write), [],
            takes |_| described(r#"{"fullName":"Bob","language":"en"}"#),
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
        Delete "/api/v1/account" => erase_account: "Erases one's own account",
            Within(Account, Write), [],
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
        Put PASSWORD => change_password:
            "Replaces the password that the request is sent with, or a code",
            Within(Account, Write), [], takes schema::<PasswordJson>,
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
        Post "/api/v1/tokens" => log_in:
            "Logs in: an access token for the password that the request is sent with",
            Within(Token, Write), [], gives Gives::json::<TokenJson>(201), refuses [409, 500, 507];
        Delete "/api/v1/tokens" => log_out:
            "Logs out: ends the access token that the request is sent with",
            Within(Token, Write), [],
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
    }
}

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
    api.shared.cut(&api.tenant.name, name).await;
}

async fn make(call: Call, Body(members): Body<Members>) -> Made<DocumentJson> {
    let repeatable = call.repeatable()?;
    let made = accounts::make(&call.caller(), passwords(&call), members, repeatable).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

async fn change(call: Call, Body(members): Body<Members>) -> Answer<DocumentJson> {
    let name = &call.variable;
    let changed = accounts::change(&call.caller(), passwords(&call), name, members).await?;
    cut(&call, name).await;
    Ok(Json(changed.into()))
}

async fn erase(call: Call) -> Answer<DocumentJson> {
    let erased = accounts::erase(&call.caller(), &call.variable).await?;
    cut(&call, &call.variable).await;
    Ok(Json(erased.into()))
}

async fn reset(call: Call) -> Made<CodeJson> {
    let username = call.variable.clone();
    let repeatable = call.repeatable_at(&format!("{USERS}/{username}/reset"))?;
    let (code, until) = accounts::reset(&call.caller(), &username, repeatable).await?;
    Ok((StatusCode::CREATED, Json(CodeJson { username, code, until })))
}

async fn authorities(_: Call) -> Answer<List<AuthorityJson>> {
    let results: Vec<_> =
        Role::ALL.iter().map(|role| AuthorityJson { authority: role.word() }).collect();
    Ok(Json(List { num_results: results.len() as u64, results }))
}

async fn account(call: Call) -> Answer<DocumentJson> {
    Ok(Json(accounts::account(&call.caller())?.into()))
}

async fn change_account(call: Call, Body(members): Body<Members>) -> Answer<DocumentJson> {
    Ok(Json(accounts::change_account(&call.caller(), members).await?.into()))
}

async fn erase_account(call: Call, Extension(visitor): Extension<Visitor>) -> Answer<DocumentJson> {
    let name = accounts::own(&call.caller(), Kind::Account, Action::Write)?;
    password_of(&visitor)?;
    let erased = accounts::erase_account(&call.caller()).await?;
    cut(&call, &name).await;
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
    call: Call,
    Extension(visitor): Extension<Visitor>,
    Body(PasswordJson { password }): Body<PasswordJson>,
) -> Answer<DocumentJson> {
    let caller = call.caller();
    accounts::own(&caller, Kind::Account, Action::Write)?;
    if visitor.proof != Proof::Code {
        password_of(&visitor)?;
    }
    let name = accounts::change_password(&caller, passwords(&call), &password.into()).await?;
    cut(&call, &name).await;
    Ok(Json(accounts::account(&caller)?.into()))
}

async fn log_in(call: Call, Extension(visitor): Extension<Visitor>) -> Made<TokenJson> {
    let name = accounts::own(&call.caller(), Kind::Token, Action::Write)?;
    let hash = password_of(&visitor)?.to_owned();
    let (access, of) = (&call.shared.tenants.access, (call.tenant.name.clone(), name));
    let made = lock(&access.tokens).make(of, (hash, LogIn::Program), access.now());
    let token = made.map_err(|error| Problem::unavailable("no_random", &error))?.print();
    let made = TokenJson { token, expires_after_seconds: 12 * 3600, idle_seconds: 1800 };
    Ok((StatusCode::CREATED, Json(made)))
}

async fn log_out(call: Call, Extension(visitor): Extension<Visitor>) -> Answer<DocumentJson> {
    accounts::own(&call.caller(), Kind::Token, Action::Write)?;
    let Proof::AccessToken(id) = visitor.proof else {
        let detail = "send the access token that is to end with this request";
        return Err(Problem::new(StatusCode::FORBIDDEN, "no_access_token", detail));
    };
    lock(&call.shared.tenants.access.tokens).end(id);
    Ok(Json(serde_json::json!({ "ended": true }).into()))
}
