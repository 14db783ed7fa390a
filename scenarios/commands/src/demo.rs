//! A household to look at: fourteen days of it played on a driven clock, then the same folder on
//! the wall's clock with its devices going on, and pages to sign in to.
//!
//! | file | purpose |
//! |---|---|
//! | `household` | what its appliances take at an instant |

mod household;

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use household::{Appliance, Household};
use indicatif::{ProgressBar, ProgressStyle};
use lastmeter_bench::output::{broken, complain, print_out};
use lastmeter_bench::run::chain;
use lastmeter_link::http::{Client, JSON};
use lastmeter_link::mqtt::{Session, SessionEvent, SessionEvents, SessionOptions};
use lastmeter_platform::{ClockSource, Config, Platform, Running, Token};
use lastmeter_reports::ExitCode;
use lastmeter_units::{HardwareId, SimDuration, SimTime};
use lastmeter_wire::commands::set_breaker;
use lastmeter_wire::flexmeter::{
    self, AcknowledgeMessage, Limits, ParameterValue, Request, decode_command,
};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use crate::ending::ends;

/// How many days are played.
const DAYS: i64 = 14;
/// Between two readings of the past, and of now.
const PAST_STEP: SimDuration = SimDuration::from_seconds(900);
const NOW_STEP: Duration = Duration::from_secs(5);
const ZONE: &str = "Europe/Rome";
const USER: &str = "anna";
/// Somebody to share with.
const GUEST: &str = "guest";
const INPUT: &str = "default/SiteWhere/input/json";

/// What `lastmeter demo` is asked with.
#[derive(Clone, Debug, Args)]
pub struct DemoOptions {
    /// Keep the data in this folder, which must not be there yet; without it the data is removed
    /// at the end
    #[arg(long, value_name = "FOLDER")]
    pub keep: Option<PathBuf>,
    /// The seed of the household: the same one gives the same fourteen days
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// The port of the pages, on the loopback; a free one unless given
    #[arg(long, default_value_t = 0)]
    pub port: u16,
}

/// Plays a household and serves its pages until it is asked to end.
pub fn demo(options: &DemoOptions) -> ExitCode {
    if let Some(folder) = options.keep.as_ref().filter(|folder| folder.exists()) {
        return complain(&format!("{} is there already; name a new folder", folder.display()));
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return broken(&format!("the runtime did not start: {error}")),
    };
    let code = match runtime.block_on(run(options)) {
        Ok(()) => ExitCode::Passed,
        Err(error) => broken(&error),
    };
    runtime.shutdown_background();
    code
}

/// 128 random bits as text.
fn random() -> Result<String, String> {
    let mut bytes = [0_u8; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|error| format!("the system gives no random bytes: {error}"))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

async fn run(options: &DemoOptions) -> Result<(), String> {
    let ended = ends(None).map_err(|error| format!("signals cannot be waited for: {error}"))?;
    let removed = match &options.keep {
        Some(_) => None,
        None => Some(tempfile::tempdir().map_err(|error| format!("no folder for it: {error}"))?),
    };
    let folder = match (&options.keep, &removed) {
        (Some(folder), _) => folder.clone(),
        (None, Some(folder)) => folder.path().join("platform"),
        (None, None) => return Err("no folder for it".to_owned()),
    };
    // New at each start, and in no address.
    let token = random()?;
    let password = random()?[..12].to_owned();
    let until = now();
    // At the quarters of an hour, at which prices change.
    let last = until.0 - until.0.rem_euclid(PAST_STEP.0);
    let from = SimTime(last - DAYS * 86_400_000_000_000);
    let mut household = Household::new(options.seed, ZONE, from)?;
    tokio::pin!(ended);
    let playing = async {
        let running = start(&folder, &token, ClockSource::Driven, 0).await?;
        let client = client(&running, &token)?;
        furnish(&client, &household, &password).await?;
        play(&running, &client, &token, (&mut household, until)).await?;
        if running.shutdown().await { Ok(()) } else { Err("it could not be stopped".to_owned()) }
    };
    tokio::select! {
        played = playing => played?,
        () = &mut ended => return Ok(()),
    }
    let running = start(&folder, &token, ClockSource::Wall, options.port).await?;
    let url = running.rest_url();
    print_out(&format!(
        "Fourteen days of a household are played, and it goes on now.\n\n  Address   {url}/now\n  \
         Name      {USER}; {GUEST} to share with\n  Password  {password}\n\nEnd it with Ctrl-C."
    ));
    tokio::select! {
        gone = go_on(&running, &token, &mut household) => gone?,
        () = &mut ended => {}
    }
    if !running.shutdown().await {
        return Err("the platform could not store everything in time".to_owned());
    }
    match &options.keep {
        Some(folder) => print_out(&format!("Its data is in {}", folder.display())),
        None => drop(removed),
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "what is played ends now, and then goes on")]
fn now() -> SimTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    SimTime(since.map_or(0, |since| since.as_nanos() as i64))
}

async fn start(
    folder: &Path,
    token: &str,
    clock: ClockSource,
    port: u16,
) -> Result<Running, String> {
    let mut config = Config::embedded(folder, Token::new(token), clock);
    config.rest_address.set_port(port);
    Platform::start(config).await.map_err(|error| chain(&error))
}

fn client(running: &Running, token: &str) -> Result<Client, String> {
    Client::new(&running.rest_url(), token).map_err(|error| chain(&error))
}

async fn post(client: &Client, path: &str, body: &Value) -> Result<Value, String> {
    client.post_json(path, body).await.map_err(|error| chain(&error))
}

async fn advance(client: &Client, to: SimTime) -> Result<(), String> {
    post(client, "/api/v1/clock/advance", &json!({ "to": to })).await.map(drop)
}

/// Makes who lives there, the devices, and a rule.
async fn furnish(client: &Client, household: &Household, password: &str) -> Result<(), String> {
    advance(client, household.at()).await?;
    let settings = json!({
        "token": "settings", "timeZone": ZONE, "currency": "EUR", "registration": "open",
    });
    post(client, "/api/v1/settings", &settings).await?;
    for (name, full_name) in [(USER, "Anna"), (GUEST, "Guest")] {
        let user = json!({
            "username": name, "password": password, "roles": ["user"], "fullName": full_name,
        });
        post(client, "/sitewhere/api/users", &user).await?;
    }
    let specification = json!({
        "token": "demo", "name": "Meter or plug", "quantities": [],
        "reportingPeriod": PAST_STEP.as_seconds_f64() as u32, "presenceAfter": 28_800,
    });
    post(client, "/sitewhere/api/specifications", &specification).await?;
    let person = json!({ "token": USER, "category": "person", "name": "Anna", "user": USER });
    post(client, "/sitewhere/api/assets", &person).await?;
    for Appliance { id, name, room, is_meter, .. } in household.appliances() {
        let device = json!({
            "hardwareId": id, "name": name, "room": room, "specificationToken": "demo",
            "status": "registered", "parentHardwareId": (!is_meter).then_some("meter"),
        });
        post(client, "/sitewhere/api/devices", &device).await?;
        // From its first reading on, so that its bill is whole.
        let first = household.at() + PAST_STEP;
        let assignment = json!({ "deviceHardwareId": id, "assetId": USER, "activeDate": first });
        post(client, "/sitewhere/api/assignments", &assignment).await?;
    }
    let tariff = json!({
        "token": "two-prices", "name": "Two prices", "currency": "EUR", "zone": ZONE,
        "validFrom": "2019-12-31T23:00:00Z",
        "imports": [
            { "name": "Night", "price": "0.17" },
            { "name": "Day", "from": "07:00:00", "until": "19:00:00", "price": "0.22" },
        ],
        "exports": [{ "name": "Feed-in", "price": "0.08" }],
        "fixed": [{ "name": "Standing charge", "perMonth": "9.50" }],
    });
    post(client, "/api/v1/tariffs", &tariff).await?;
    let rule = json!({
        "name": "Power close to its limit",
        "when": { "threshold": {
            "device": "meter", "quantity": household::POWER, "above": 2.9, "hysteresis": 0.3,
        } },
        "then": [{ "alarm": {
            "type": "power.limit", "level": "Warning", "text": "Home power is close to its limit",
        } }],
    });
    // Hers are hers alone to make: by a key of hers, for an hour.
    let until = SimTime(now().0 + 3_600_000_000_000);
    let key = json!({ "of": format!("user:{USER}"), "actions": ["read", "write"], "until": until });
    let key = post(client, "/api/v1/keys", &key).await?;
    let key = key["key"].as_str().unwrap_or_default();
    let made =
        client.ask("POST", "/api/v1/rules", Some((JSON, &rule.to_string())), Some(key)).await;
    match made.map_err(|error| chain(&error))? {
        (201, _) => Ok(()),
        (status, answer) => {
            Err(format!("/api/v1/rules: {status} {}", String::from_utf8_lossy(&answer)))
        }
    }
}

/// A session that carries all devices of the household.
async fn connect(running: &Running, token: &str) -> Result<(Session, SessionEvents), String> {
    let address = running.mqtt_address().to_string();
    let mut options = SessionOptions::new(&address, "household", "default", token);
    options.subscriptions = vec![format!("default/SiteWhere/commands/{}", household::SWITCHED)];
    let (session, mut events) = Session::open(options);
    match events.recv().await {
        Some(SessionEvent::Connected) => Ok((session, events)),
        Some(SessionEvent::Disconnected { reason }) => Err(reason),
        _ => Err("the broker did not answer".to_owned()),
    }
}

async fn send(session: &Session, number: u64, request: &Request) -> Result<(), String> {
    let mut payload = Vec::new();
    flexmeter::encode(request, &mut payload);
    session.publish(number, INPUT, payload.into()).await.map_err(|error| error.to_string())
}

/// Plays the past up to an instant: the clock moves, and at each step every device reports.
async fn play(
    running: &Running,
    client: &Client,
    token: &str,
    (household, until): (&mut Household, SimTime),
) -> Result<(), String> {
    let (session, mut events) = connect(running, token).await?;
    let steps = until.since(household.at()).0 / PAST_STEP.0;
    let progress = progress(steps.cast_unsigned());
    let mut number = 0;
    while household.at() + PAST_STEP <= until {
        household.step(PAST_STEP);
        advance(client, household.at()).await?;
        let readings = household.readings();
        for reading in &readings {
            number += 1;
            send(&session, number, &Request::Measurements(reading.clone())).await?;
        }
        let mut open = readings.len();
        while open > 0 {
            match events.recv().await {
                Some(SessionEvent::Acknowledged { .. }) => open -= 1,
                Some(SessionEvent::Disconnected { reason }) => return Err(reason),
                None => return Err("the session ended".to_owned()),
                Some(_) => {}
            }
        }
        progress.inc(1);
    }
    advance(client, until).await?;
    progress.finish_and_clear();
    session.close().await;
    Ok(())
}

fn progress(steps: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(steps);
    let style = ProgressStyle::with_template("playing fourteen days {bar:40} {percent} %");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

/// Lets the devices go on by the wall's clock: each reports, and the one that is switched obeys.
async fn go_on(running: &Running, token: &str, household: &mut Household) -> Result<(), String> {
    let (session, mut events) = connect(running, token).await?;
    let mut ticks = interval(NOW_STEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut number = 0;
    loop {
        let is_answered = tokio::select! {
            _ = ticks.tick() => false,
            event = events.recv() => match event {
                Some(SessionEvent::Received { payload, .. }) => {
                    let Some(answer) = obey(household, &payload) else { continue };
                    number += 1;
                    send(&session, number, &Request::Acknowledge(answer)).await?;
                    true
                }
                Some(SessionEvent::Disconnected { reason }) => return Err(reason),
                None => return Err("the session ended".to_owned()),
                Some(_) => continue,
            },
        };
        let now = now();
        let since = now.since(household.at());
        if since.0 <= 0 && !is_answered {
            continue;
        }
        household.step(SimDuration(since.0.max(1)));
        for reading in household.readings() {
            number += 1;
            send(&session, number, &Request::Measurements(reading)).await?;
        }
    }
}

/// What the switched device does with a command, and answers.
fn obey(household: &mut Household, payload: &[u8]) -> Option<AcknowledgeMessage> {
    let command = decode_command(payload, &Limits::default()).ok()?;
    let is_known = command.definition.name == set_breaker::COMMAND.name;
    let state = match command.parameters.get("state") {
        Some(ParameterValue::Text(state)) if is_known => state.as_str(),
        _ => "",
    };
    let response = match state {
        "open" | "closed" => {
            household.switch(state == "closed");
            "done"
        }
        _ => "not understood",
    };
    Some(AcknowledgeMessage {
        hardware_id: HardwareId::new(household::SWITCHED).ok()?,
        originating_event_id: command.invocation.id,
        response: response.to_owned(),
        event_date: None,
        update_state: false,
        metadata: BTreeMap::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole way at the shortest: made, played for a day, opened again, signed in.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_day_is_played_and_found_again_on_the_walls_clock() {
        let folder = tempfile::tempdir().unwrap();
        let (token, until) = ("t".repeat(32), now());
        let from = SimTime(until.0 - 86_400_000_000_000);
        let mut household = Household::new(7, ZONE, from).unwrap();
        let running = start(folder.path(), &token, ClockSource::Driven, 0).await.unwrap();
        let rest = client(&running, &token).unwrap();
        furnish(&rest, &household, "correct horse").await.unwrap();
        play(&running, &rest, &token, (&mut household, until)).await.unwrap();
        assert!(running.shutdown().await);
        let running = start(folder.path(), &token, ClockSource::Wall, 0).await.unwrap();
        let rest = client(&running, &token).unwrap();
        let devices = household.appliances().len();
        let latest: Value = rest.get_json("/api/v1/latest").await.unwrap();
        assert_eq!(latest["results"].as_array().unwrap().len(), devices);
        let guest: Value = rest.get_json("/sitewhere/api/users/guest").await.unwrap();
        assert_eq!(guest["username"], "guest");
        let series = "/api/v1/series?device=meter&limit=25000&quantity=";
        let series: Value = rest.get_json(&format!("{series}{}", household::ENERGY)).await.unwrap();
        let points = series["results"][0]["points"].as_array().unwrap();
        assert!((94..=96).contains(&points.len()), "{}", points.len());
        assert!(points.windows(2).all(|pair| pair[0][1].as_f64() <= pair[1][1].as_f64()));
        assert!(running.shutdown().await);
    }
}
