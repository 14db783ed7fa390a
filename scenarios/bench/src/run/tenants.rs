//! The tenants of a scenario beside the one that is always there: made before a run, removed behind
//! it, and what is asked of the platform for all of them together.

use std::collections::BTreeMap;
use std::time::Duration;

use lastmeter_language::{TenantRow, tenant_prefix};
use lastmeter_units::{SimTime, TenantName};
use lastmeter_wire::topics::input_name;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::alerts::AlertsRead;
use super::error::{BenchError, chain};
use super::field_networks::NodeNames;
use super::ledger::StoredReading;
use super::rest::{Advanced, RefusedMessage, Rest};
use super::results::StoredResult;
use super::run_platform::{Profile, UnderTest};

const PATH: &str = "/api/v1/tenants";

/// What the name of a run's own tenant begins with.
const OF_RUN: &str = "lastmeter-run-";

/// How long it may take to empty a platform.
const RESET_WITHIN: Duration = Duration::from_mins(2);

/// What opens each tenant that was made: the platform's profile with its secrets.
pub(crate) type TenantProfiles = BTreeMap<TenantName, Profile>;

#[derive(Deserialize)]
struct MadeTenant {
    bench_token: String,
    device_secret: String,
}

/// Makes the tenants over REST, as the platform's administrator; all of them or none.
pub(crate) async fn make(
    profile: &Profile,
    rows: &[TenantRow],
) -> Result<TenantProfiles, BenchError> {
    let mut made = TenantProfiles::new();
    for row in rows {
        match make_one(profile, row).await {
            Ok(own) => drop(made.insert(row.name.clone(), own)),
            Err(error) => {
                // That none is left is worth less than why one could not be made.
                let _ = remove(profile, made.keys()).await;
                return Err(error);
            }
        }
    }
    Ok(made)
}

async fn make_one(profile: &Profile, row: &TenantRow) -> Result<Profile, BenchError> {
    let limits = row.limits.iter().map(|&(name, limit)| (name.to_owned(), limit.into()));
    let body = json!({ "name": row.name.as_str(), "limits": limits.collect::<Map<_, Value>>() });
    let client = profile.rest_client();
    let made = async { client?.post_json::<_, MadeTenant>(PATH, &body).await }.await;
    let made = made.map_err(|error| {
        BenchError::Rest(format!("tenant `{}` cannot be made: {}", row.name, chain(&error)))
    })?;
    let MadeTenant { bench_token: token, device_secret } = made;
    Ok(Profile { token, device_token: Some(device_secret), ..profile.clone() })
}

/// Makes a tenant of a run's own, in which the scenario's `default` is; its profile.
pub(crate) async fn make_own(admin: &Profile) -> Result<Profile, BenchError> {
    let mut bytes = [0; 8];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|error| BenchError::Rest(format!("no random numbers: {error}")))?;
    let name = TenantName::new(format!("{OF_RUN}{:012x}", u64::from_le_bytes(bytes) >> 16))
        .map_err(|error| BenchError::Rest(error.to_string()))?;
    let row = TenantRow { name: name.clone(), limits: Vec::new() };
    let made = make_one(admin, &row).await?;
    Ok(Profile { stands_in: Some(name), ..made })
}

/// Has what the profile names empty the platform.
pub(crate) async fn reset(profile: &Profile) -> Result<(), BenchError> {
    let Some((program, arguments)) = profile.reset.split_first() else { return Ok(()) };
    let failed = |why: String| BenchError::PlatformStart(format!("`reset` ({program}): {why}"));
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(std::process::Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(RESET_WITHIN, command.output()).await {
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => {
            let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(failed(format!("{}: {words}", output.status)))
        }
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed(format!("not done within {} s", RESET_WITHIN.as_secs()))),
    }
}

/// Removes what was made.
pub(crate) async fn remove<'a>(
    profile: &Profile,
    made: impl Iterator<Item = &'a TenantName>,
) -> Result<(), BenchError> {
    for name in made {
        let left = |why: String| BenchError::Rest(format!("tenant `{name}` is left: {why}"));
        let client = profile.rest_client().map_err(|error| left(chain(&error)))?;
        match client.ask("DELETE", &format!("{PATH}/{name}"), None, None).await {
            Ok((200, _)) => {}
            Ok((status, _)) => return Err(left(format!("{status} was answered"))),
            Err(error) => return Err(left(chain(&error))),
        }
    }
    Ok(())
}

/// What the names of the devices that speak on an input topic begin with.
pub(crate) fn prefix_of(topic: &str) -> String {
    let tenant = input_name(topic).and_then(|name| TenantName::new(name.tenant).ok());
    let tenant = tenant.filter(|tenant| !tenant.as_str().starts_with(OF_RUN));
    tenant.map(|tenant| tenant_prefix(&tenant)).unwrap_or_default()
}

/// The platform's REST interface, as each tenant has it.
pub(crate) struct RestOfAll(Vec<Rest>);

impl RestOfAll {
    /// The interface of the one that is always there, and of those that were made.
    pub(crate) fn new(platform: &UnderTest) -> Result<Self, BenchError> {
        let made = platform.tenants.iter();
        let made = made.map(|(name, profile)| Rest::new(profile, tenant_prefix(name)));
        let first = Rest::new(&platform.profile, String::new());
        Ok(Self(std::iter::once(first).chain(made).collect::<Result<_, _>>()?))
    }

    /// Nodes go by these names of the scenario.
    pub(crate) fn name_nodes(&mut self, names: &NodeNames) {
        self.0[0].nodes.clone_from(names);
    }

    /// That of the tenant of something of this name: of a device, or of an invocation.
    pub(crate) fn of(&mut self, name: &str) -> &mut Rest {
        // A prefix ends in a dot, and names of others have none of a tenant before one.
        let own = self.0.iter().rposition(|rest| name.starts_with(&rest.prefix));
        &mut self.0[own.unwrap_or(0)]
    }

    pub(crate) fn into_each(self) -> Vec<Rest> {
        self.0
    }

    pub(crate) async fn require_empty(&mut self) -> Result<(), BenchError> {
        for rest in &mut self.0 {
            rest.require_empty().await?;
        }
        Ok(())
    }

    /// Advances the clock of every tenant.
    pub(crate) async fn advance(&mut self, to: SimTime) -> Result<Advanced, BenchError> {
        let mut all = Advanced { sent: BTreeMap::new(), parties: BTreeMap::new() };
        for rest in &mut self.0 {
            let mut own = rest.advance(to).await?;
            all.sent.append(&mut own.sent);
            all.parties.append(&mut own.parties);
        }
        Ok(all)
    }

    pub(crate) async fn readings(&mut self) -> Result<Vec<StoredReading>, BenchError> {
        let mut all = Vec::new();
        for rest in &mut self.0 {
            all.append(&mut rest.readings().await?);
        }
        Ok(all)
    }

    /// In the order of their content, whoever refused them.
    pub(crate) async fn refusals(&mut self) -> Result<Vec<RefusedMessage>, BenchError> {
        let mut all = Vec::new();
        for rest in &mut self.0 {
            all.append(&mut rest.refusals().await?);
        }
        all.sort();
        Ok(all)
    }

    /// Likewise.
    pub(crate) async fn alerts(&mut self) -> Result<AlertsRead, BenchError> {
        let mut all = AlertsRead { alerts: Vec::new(), is_newly_absent: false };
        for rest in &mut self.0 {
            let mut read = rest.alerts().await?;
            all.alerts.append(&mut read.alerts);
            all.is_newly_absent |= read.is_newly_absent;
        }
        all.alerts.sort();
        Ok(all)
    }

    /// Results of applications, in the order of who made them and their numbers.
    pub(crate) async fn results(&mut self) -> Result<Vec<StoredResult>, BenchError> {
        let mut all = Vec::new();
        for rest in &mut self.0 {
            all.append(&mut rest.results().await?);
        }
        all.sort_by_key(StoredResult::key);
        Ok(all)
    }

    /// Likewise, of blocks of samples.
    pub(crate) async fn blocks(&mut self) -> Result<AlertsRead, BenchError> {
        let mut all = AlertsRead { alerts: Vec::new(), is_newly_absent: false };
        for rest in &mut self.0 {
            all.alerts.append(&mut rest.blocks().await?.alerts);
        }
        Ok(all)
    }

    /// Why the platform takes no messages of somebody, if it states it.
    pub(crate) async fn trouble(&mut self) -> Option<String> {
        self.0[0].trouble().await
    }

    /// What has arrived for anybody and is not committed yet; `None` if that is not reported.
    pub(crate) async fn in_flight_bytes(&mut self) -> Result<Option<u64>, BenchError> {
        let mut sum = Some(0);
        for rest in &mut self.0 {
            let own = rest.in_flight_bytes().await?;
            sum = sum.zip(own).map(|(sum, own)| sum + own);
        }
        Ok(sum)
    }

    /// Takes out what could not be read.
    pub(crate) fn take_wrong(&mut self) -> Vec<String> {
        self.0.iter_mut().flat_map(Rest::take_wrong).collect()
    }
}
