//! A platform in a process of its own, killed in the middle of a burst, again and again: whatever
//! was acknowledged is there afterwards: readings, alerts, answers to commands, refusals and
//! documents; and nothing is there twice. What was not acknowledged is sent again, but for alerts,
//! which have no number.
//!
//! The process is this test binary itself, started again to run `child` only.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use lastmeter_platform::maintenance::restore;
use lastmeter_platform::{ClockSource, Config, Platform, StoreConfig, Token};
use serde_json::{Value, json};

use crate::common::{LIMIT, Sender, TOKEN, bad, client, read_back, reading};
use crate::postgres_server::postgres_for_tests;

/// Gives the child the place of its data.
const DATA: &str = "LASTMETER_TEST_KILL_DATA";
/// Gives it the address of a PostgreSQL server, if its store is there.
const POSTGRES: &str = "LASTMETER_TEST_KILL_POSTGRES";
/// How often the process is killed, where it is not as often as usual.
const KILLS: &str = "LASTMETER_TEST_KILLS";
/// Messages per round, good and bad: new ones and those left of the rounds before.
const BURST: u64 = 150;
/// Where documents are made.
const SITES: &str = "/sitewhere/api/sites";

/// A running child; killed when this is dropped.
struct Served {
    child: Child,
    mqtt: SocketAddr,
    rest: SocketAddr,
}

impl Drop for Served {
    fn drop(&mut self) {
        // SIGKILL; an error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A data folder, and the database where there is one.
type Place<'a> = (&'a Path, Option<&'a str>);

fn serve((data, postgres): Place<'_>) -> Served {
    let mut child = Command::new(std::env::current_exe().expect("a test binary"))
        .args(["kill::child", "--exact", "--nocapture"])
        .env(DATA, data)
        .env(POSTGRES, postgres.unwrap_or_default())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut address = |name: &str| loop {
        let line = lines.next().expect("the child starts").expect("a line");
        if let Some((_, address)) = line.split_once(name) {
            break address.trim().parse().expect("an address");
        }
    };
    let (mqtt, rest) = (address("mqtt="), address("rest="));
    Served { child, mqtt, rest }
}

/// The platform that is killed; does nothing when it is run as an ordinary test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Some(data) = std::env::var_os(DATA) else { return };
    let mut config = Config::embedded(Path::new(&data), Token::new(TOKEN), ClockSource::Wall);
    // Small segments, so that kills also meet their borders and trimming.
    config.limits.segment_bytes = 64 * 1024;
    if let Ok(url) = std::env::var(POSTGRES)
        && !url.is_empty()
    {
        config.store = StoreConfig::postgres(url);
    }
    let platform = Platform::start(config).await.expect("a platform");
    println!("mqtt={}", platform.mqtt_address());
    println!("rest={}", platform.rest_address());
    std::future::pending::<()>().await;
}

fn kills(usual: u64) -> u64 {
    std::env::var(KILLS).map_or(usual, |kills| kills.parse().expect("a number of kills"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_missing_after_any_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    kill_again_and_again((folder.path(), None), kills(40)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_missing_in_postgresql_after_any_kill() {
    let Some(server) = postgres_for_tests(false) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    kill_again_and_again((folder.path(), Some(&server.connection())), kills(8)).await;
    let query = "SELECT count(*) = count(DISTINCT (device, epoch, serial)) FROM t_default.reading";
    assert_eq!(server.psql(query), "t");
}

/// Jobs that are killed at another point each time are done after the next start, and what they
/// made is whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_of_maintenance_that_is_killed_is_done_after_the_next_start() {
    const JOBS: &str = "/api/v1/jobs";
    let folder = tempfile::tempdir().expect("a folder");
    let place = (folder.path(), None);
    for round in 0..kills(8) {
        let served = serve(place);
        let mut sender = Sender::open(served.mqtt, "sender");
        for number in round * BURST + 1..=(round + 1) * BURST {
            sender.queue(number, reading("good", number));
        }
        sender.run(|_| false).await;
        let (client, token) = (client(served.rest), format!("backup-{round}"));
        let body = json!({ "token": token, "kind": "backup" });
        client.post_json::<_, Value>(JOBS, &body).await.expect("a job");
        for _ in 0..round {
            client.get_json::<Value>(JOBS).await.expect("the jobs");
        }
        drop(served);
        let served = serve(place);
        let client = crate::common::client(served.rest);
        let ended = async {
            loop {
                let job: Value = client.get_json(&format!("{JOBS}/{token}")).await.expect("a job");
                match job["state"].as_str() {
                    Some("waiting" | "running") => tokio::task::yield_now().await,
                    _ => break job,
                }
            }
        };
        let job = tokio::time::timeout(LIMIT, ended).await.expect("it ends");
        assert_eq!(job["state"], "done", "{job}");
        drop(served);
        let new = tempfile::tempdir().expect("a folder");
        let to = Config::embedded(new.path(), Token::new(TOKEN), ClockSource::Wall);
        let from = folder.path().join(format!("default/backups/job-{token}"));
        let restored = restore(to, &from, false).expect("a whole backup");
        assert!(restored.rows["readings"] >= (round + 1) * BURST, "{restored:?}");
    }
}

async fn kill_again_and_again(place: Place<'_>, kills: u64) {
    let (mut acknowledged, mut left) = (BTreeSet::new(), BTreeMap::new());
    let documents = Arc::new(Mutex::new(BTreeSet::new()));
    let (mut commands, mut next) = (BTreeMap::new(), 1);
    for round in 0..kills {
        let served = serve(place);
        let mut sender = Sender::open(served.mqtt, "sender");
        let new = next..next + BURST - left.len() as u64;
        next = new.end;
        let asked = new.clone().filter(|number| kind(*number) == Kind::Answer);
        commands.append(&mut command(served.rest, asked).await);
        left.extend(new.map(|number| (number, message(number, commands.get(&number)))));
        for (number, payload) in std::mem::take(&mut left) {
            sender.queue(number, payload);
        }
        let editor = tokio::spawn(edit(served.rest, round, Arc::clone(&documents)));
        // Killed with the next ones on their way; each round at another point of the burst.
        let enough = (round * 37 % BURST + 1) as usize;
        sender.run(|sender| sender.acknowledged.len() >= enough).await;
        drop(served);
        editor.await.expect("it ends with the platform");
        assert!(sender.acknowledged.len() >= enough);
        acknowledged.append(&mut sender.acknowledged);
        left = sender.unacknowledged();
        left.retain(|number, _| kind(*number) != Kind::Alert);
    }
    // What is left is taken in the end.
    let served = serve(place);
    let mut sender = Sender::open(served.mqtt, "sender");
    for (number, payload) in left {
        sender.queue(number, payload);
    }
    sender.run(|_| false).await;
    acknowledged.append(&mut sender.acknowledged);
    drop(served);
    let documents = documents.lock().expect("no editor").clone();
    println!("{} messages and {} documents acknowledged", acknowledged.len(), documents.len());
    check(place, &acknowledged, &documents).await;
    answered(place, &acknowledged, &commands).await;
}

/// Makes a command for each of these numbers, which is answered under it.
async fn command(rest: SocketAddr, numbers: impl Iterator<Item = u64>) -> BTreeMap<u64, String> {
    let client = client(rest);
    let device = json!({ "hardwareId": "good" });
    // It is there from the second round on, and stays as it is.
    let _ = client.post_json::<_, Value>("/sitewhere/api/devices", &device).await;
    let device: Value = client.get_json("/sitewhere/api/devices/good").await.expect("the device");
    let assignment = device["assignmentToken"].as_str().expect("a token");
    let path = format!("/sitewhere/api/assignments/{assignment}/invocations");
    let command =
        json!({ "commandToken": "setReportingPeriod", "parameterValues": { "seconds": "5" } });
    let mut made = BTreeMap::new();
    for number in numbers {
        let answer: Value = client.post_json(&path, &command).await.expect("a command");
        made.insert(number, answer["id"].as_str().expect("an id").to_owned());
    }
    made
}

/// Looks at each command: those whose answer was acknowledged have it, and no other has another's.
async fn answered(
    place: Place<'_>,
    acknowledged: &BTreeSet<u64>,
    commands: &BTreeMap<u64, String>,
) {
    let served = serve(place);
    let client = client(served.rest);
    let mut missing = Vec::new();
    for (number, id) in commands {
        let path = format!("/sitewhere/api/invocations/{id}");
        let command: Value = client.get_json(&path).await.expect("the command");
        match (&command["response"], acknowledged.contains(number)) {
            (Value::Null, false) => {}
            (Value::Null, true) => missing.push(number),
            (answer, _) => assert_eq!(*answer, number.to_string(), "{command}"),
        }
    }
    assert!(missing.is_empty(), "answers were acknowledged and are missing: {missing:?}");
    assert!(acknowledged.iter().any(|number| kind(*number) == Kind::Answer), "some were answered");
}

/// Makes documents one after the other until there is no answer, and keeps those that were made.
async fn edit(rest: SocketAddr, round: u64, made: Arc<Mutex<BTreeSet<String>>>) {
    let client = client(rest);
    for number in 0.. {
        let token = format!("site-{round}-{number}");
        let body = json!({ "token": token, "name": token });
        if client.post_json::<_, Value>(SITES, &body).await.is_err() {
            return;
        }
        made.lock().expect("one editor").insert(token);
    }
}

/// Every third is bad; its number is in its hardware id, so that its record can be found. Of the
/// others every fifth is an alert with its number as the text, every seventh the answer to a
/// command.
fn message(number: u64, command: Option<&String>) -> Vec<u8> {
    match kind(number) {
        Kind::Answer => format!(
            r#"{{"hardwareId":"good","type":"Acknowledge","request":{{"response":"{number}",
            "originatingEventId":"{}"}}}}"#,
            command.expect("it was asked")
        )
        .into_bytes(),
        Kind::Bad => bad(&device(number), 2).0,
        Kind::Alert => format!(
            r#"{{"hardwareId":"good","type":"DeviceAlert","request":{{"type":"t","level":"Info",
            "message":"{number}"}}}}"#
        )
        .into_bytes(),
        Kind::Reading => reading("good", number),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bad,
    Alert,
    Answer,
    Reading,
}

fn kind(number: u64) -> Kind {
    match [3, 5, 7].map(|every| number.is_multiple_of(every)) {
        [true, ..] => Kind::Bad,
        [_, true, _] => Kind::Alert,
        [.., true] => Kind::Answer,
        _ => Kind::Reading,
    }
}

fn device(number: u64) -> String {
    format!("bad-{number}")
}

async fn check(place: Place<'_>, acknowledged: &BTreeSet<u64>, documents: &BTreeSet<String>) {
    let served = serve(place);
    let client = client(served.rest);
    let readings = read_back(&client, "/api/v1/readings").await;
    let stored: Vec<u64> =
        readings.iter().map(|row| row["serial"].as_u64().expect("a serial")).collect();
    let once: BTreeSet<u64> = stored.iter().copied().collect();
    assert_eq!(once.len(), stored.len(), "nothing is there twice");
    let refusals = read_back(&client, "/api/v1/refusals").await;
    let refused: BTreeSet<&str> =
        refusals.iter().map(|row| row["device"].as_str().expect("a device")).collect();
    let alerts = read_back(&client, "/api/v1/alerts").await;
    let alerted: Vec<String> =
        alerts.iter().map(|row| row["message"].as_str().expect("a text").to_owned()).collect();
    let unique: BTreeSet<&String> = alerted.iter().collect();
    assert_eq!(unique.len(), alerted.len(), "no alert is there twice");
    for number in acknowledged {
        let there = match kind(*number) {
            Kind::Bad => refused.contains(device(*number).as_str()),
            Kind::Alert => unique.contains(&number.to_string()),
            // Looked at by `answered`.
            Kind::Answer => true,
            Kind::Reading => once.contains(number),
        };
        assert!(there, "message {number} was acknowledged and is missing");
    }
    assert!(
        readings.iter().all(|row| row["serial"].as_u64().is_some_and(|s| kind(s) == Kind::Reading))
    );
    let mut sites = BTreeSet::new();
    for page in 1.. {
        let path = format!("{SITES}?page={page}&pageSize=100");
        let answer: Value = client.get_json(&path).await.expect("a page");
        let found = answer["results"].as_array().expect("results");
        for site in found {
            assert_eq!(site["version"], 1);
            assert!(sites.insert(site["token"].as_str().expect("a token").to_owned()));
        }
        if found.is_empty() {
            break;
        }
    }
    let missing: Vec<_> = documents.difference(&sites).collect();
    assert!(missing.is_empty(), "documents were acknowledged and are missing: {missing:?}");
}
