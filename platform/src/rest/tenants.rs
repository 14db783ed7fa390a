//! The tenants of the process, for the platform's administrator: the bearer of the setting `token`.

use axum::Json;
use axum::http::StatusCode;
use lastmeter_store::{TenantRecord, TenantState};
use lastmeter_units::TenantName;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::extract::{Body, Call};
use super::parameter::Parameter;
use super::routes::{Gives, routes, schema};
use super::{Answer, Made, Problem};
use crate::process::{Credentials, TenantError, limits_of};
use crate::tenant_limits::TenantLimits;

const NAME: Parameter = Parameter::text("name", "the tenant's name").example("b");

routes! {
    "tenants" {
        Get "/api/v1/tenants" => list: "All tenants but `default`, which is always there",
            Platform, [], gives Gives::json::<TenantsJson>(200), refuses [];
        Post "/api/v1/tenants" => make:
            "Makes a tenant; the answer is the only one with its secrets",
            Platform, [], takes schema::<NewTenantJson>,
            gives Gives::json::<MadeTenantJson>(201), refuses [409];
        Get "/api/v1/tenants/{name}" => one: "One tenant",
            Platform, [NAME], gives Gives::json::<TenantJson>(200), refuses [];
        Put "/api/v1/tenants/{name}" => limit: "Gives a tenant other limits, all of them",
            Platform, [NAME], takes schema::<LimitsJson>,
            gives Gives::json::<TenantJson>(200), refuses [];
        Delete "/api/v1/tenants/{name}" => remove: "Removes a tenant with all its data",
            Platform, [NAME], gives Gives::json::<TenantJson>(200), refuses [409];
        Post "/api/v1/tenants/{name}/secrets" => rotate:
            "Gives a tenant other secrets, which this answer alone has; those that it had open it \
             no more, and who came by them is cut off",
            Platform, [NAME], gives Gives::json::<MadeTenantJson>(201), refuses [];
    }
    "operation" {
        Get "/api/v1/health" => health: "What keeps each tenant from taking messages",
            Platform, [], gives Gives::json::<HealthJson>(200), refuses [];
    }
}

/// A tenant.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Tenant")]
pub(super) struct TenantJson {
    name: String,
    /// `made`, `starting`, `open`, `closing`, `removed` or `failed`.
    state: &'static str,
    /// Why it could not be started.
    why: Option<String>,
    limits: TenantLimits,
}

impl From<TenantRecord> for TenantJson {
    fn from(record: TenantRecord) -> Self {
        let limits = limits_of(&record).unwrap_or_default();
        let state = record.state.word();
        Self { name: record.name.to_string(), state, why: record.why, limits }
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Tenants")]
pub(super) struct TenantsJson {
    results: Vec<TenantJson>,
}

/// A tenant with secrets that have just been made.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MadeTenant")]
pub(super) struct MadeTenantJson {
    #[serde(flatten)]
    tenant: TenantJson,
    /// Bearer token of its REST.
    bench_token: String,
    /// What its devices share: the password of the MQTT user that is called as the tenant, and the
    /// bearer token of other doors.
    device_secret: String,
}

/// A tenant to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewTenant", extend("examples" = [{ "name": "b" }]))]
pub(super) struct NewTenantJson {
    /// 1 to 32 letters a to z, digits and hyphens, no hyphen first.
    #[schemars(with = "String", regex(pattern = r"^[a-z0-9][a-z0-9-]{0,31}$"))]
    name: TenantName,
    /// Whether its clock is driven; all of a process are driven, or none.
    #[serde(default)]
    driven: Option<bool>,
    #[serde(default, deserialize_with = "object")]
    limits: TenantLimits,
}

/// The limits of a tenant; what is left out is not limited beyond the process's own limits.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewLimits", extend("examples" = [{ "limits": { "messages_per_s": 500 } }]))]
pub(super) struct LimitsJson {
    #[serde(deserialize_with = "object")]
    limits: TenantLimits,
}

/// Limits from an object alone: serde reads the fields of a structure from a list as well.
fn object<'de, D: Deserializer<'de>>(from: D) -> Result<TenantLimits, D::Error> {
    let members = serde_json::Map::deserialize(from)?;
    TenantLimits::deserialize(serde_json::Value::Object(members)).map_err(D::Error::custom)
}

/// What keeps a tenant from taking messages.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TenantHealth")]
pub(super) struct TenantHealthJson {
    name: String,
    state: &'static str,
    trouble: Option<String>,
    /// Reports of lost or damaged data that nobody has acknowledged.
    losses_open: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Health")]
pub(super) struct HealthJson {
    /// `ready` if each tenant takes messages.
    status: &'static str,
    tenants: Vec<TenantHealthJson>,
}

impl From<TenantError> for Problem {
    fn from(error: TenantError) -> Self {
        let detail = error.to_string();
        match error {
            TenantError::Unknown(_) => Self::not_found("unknown_tenant", detail),
            TenantError::Conflict(_) => Self::new(StatusCode::CONFLICT, "tenant_conflict", detail),
            TenantError::Limits(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong_limit", detail)
            }
            TenantError::Failed(error) => Self::unavailable("tenant_failed", &error),
        }
    }
}

/// Goes on to its end, whether or not the client waits for it.
pub(crate) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, TenantError>> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::spawn(work).await;
    Ok(done.map_err(|panic| Problem::unavailable("tenant_failed", &panic))??)
}

fn name(text: &str) -> Result<TenantName, Problem> {
    TenantName::new(text).map_err(|_| {
        let text = lastmeter_model::refusal::shortened(text, 80);
        Problem::not_found("unknown_tenant", format!("there is no tenant `{text}`"))
    })
}

/// `GET /api/v1/tenants`
async fn list(call: Call) -> Answer<TenantsJson> {
    let results = call.shared.process()?.records().into_iter().map(TenantJson::from).collect();
    Ok(Json(TenantsJson { results }))
}

/// `POST /api/v1/tenants`: open when it is answered.
async fn make(call: Call, Body(asked): Body<NewTenantJson>) -> Made<MadeTenantJson> {
    let process = call.shared.process()?;
    if asked.driven.is_some_and(|driven| driven != process.is_driven()) {
        let driven = process.is_driven();
        let detail = format!("`driven` of this process is {driven}, and so of all its tenants");
        return Err(Problem::conflict("other_clock", detail));
    }
    let made = to_the_end(async move { process.make(asked.name, asked.limits).await }).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

impl From<(TenantRecord, Credentials)> for MadeTenantJson {
    fn from((record, Credentials { bench, devices }): (TenantRecord, Credentials)) -> Self {
        Self { tenant: record.into(), bench_token: bench, device_secret: devices }
    }
}

/// `POST /api/v1/tenants/{name}/secrets`
async fn rotate(call: Call) -> Made<MadeTenantJson> {
    let (process, name) = (call.shared.process()?, name(&call.variable)?);
    let rotated = to_the_end(async move { process.rotate(&name).await }).await?;
    Ok((StatusCode::CREATED, Json(rotated.into())))
}

/// `GET /api/v1/tenants/{name}`
async fn one(call: Call) -> Answer<TenantJson> {
    Ok(Json(call.shared.process()?.record(&name(&call.variable)?)?.into()))
}

/// `PUT /api/v1/tenants/{name}`
async fn limit(call: Call, Body(asked): Body<LimitsJson>) -> Answer<TenantJson> {
    let (process, name) = (call.shared.process()?, name(&call.variable)?);
    let limited = to_the_end(async move { process.limit(&name, asked.limits).await }).await?;
    Ok(Json(limited.into()))
}

/// `DELETE /api/v1/tenants/{name}`: its data is gone when it is answered.
async fn remove(call: Call) -> Answer<TenantJson> {
    let (process, name) = (call.shared.process()?, name(&call.variable)?);
    let removed = to_the_end(async move { process.remove(&name).await }).await?;
    Ok(Json(removed.into()))
}

/// `GET /api/v1/health`
async fn health(call: Call) -> Answer<HealthJson> {
    let process = call.shared.process()?;
    let first = (process.tenants.first().name.clone(), TenantState::Open, None);
    let others =
        process.records().into_iter().map(|record| (record.name, record.state, record.why));
    let of = |(name, state, why): (TenantName, TenantState, Option<String>)| {
        let tenant = process.tenants.find(&name);
        let trouble = tenant.as_ref().map_or(why, |tenant| tenant.trouble());
        let losses_open = tenant.map_or(0, |tenant| tenant.losses.open_ones().0);
        TenantHealthJson { name: name.to_string(), state: state.word(), trouble, losses_open }
    };
    let tenants: Vec<_> = std::iter::once(first).chain(others).map(of).collect();
    let is_ready = |one: &TenantHealthJson| one.state == "open" && one.trouble.is_none();
    let status = if tenants.iter().all(is_ready) { "ready" } else { "not_ready" };
    Ok(Json(HealthJson { status, tenants }))
}
