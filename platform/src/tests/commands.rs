//! Commands by specification, mailboxes, doors after a restart, cancellation and repetition.

use lastmeter_model::document::{Edit, Expect, Transaction, kind_of_name};
use lastmeter_model::invocation::{CAUSE, InvocationState, StoredInvocation};
use serde_json::{Value, json};

use super::advance::invocation;
use super::*;
use crate::commands::InvokeError;

pub(super) const START: &str = "2027-01-18T17:00:00Z";

/// Makes or changes a document.
pub(crate) async fn put(core: &Tenant, kind: &str, token: &str, body: Value) {
    let kind = kind_of_name(kind).unwrap();
    (kind.check)(&body).unwrap();
    let (token, expect, body) = (Some(token.to_owned()), Expect::Anything, Some(body));
    let edits = vec![Edit { kind, token, expect, body }];
    let by = "bench".to_owned();
    let changed = core.apply(Transaction { by, edits, ..Transaction::default() }).await.unwrap();
    assert!(changed.conflict.is_none() && changed.limit.is_none(), "{changed:?}");
}

/// A platform at an instant, with devices that have sent something.
pub(super) async fn with_devices(clock: ClockSource, devices: &[&str]) -> Bench {
    let bench = Bench::start(clock).await;
    if clock == ClockSource::Driven {
        bench.core.advance(time(START)).await.unwrap();
    }
    for device in devices {
        store(&bench.core, &[reading(device, Some(1), 230.0)]).await;
    }
    bench
}

/// The specification of a lamp that takes commands as given.
pub(super) async fn lamps(core: &Tenant, delivery: &str, devices: &[&str]) {
    put(core, "specification", "lamp", json!({ "name": "Lamp", "delivery": delivery })).await;
    let parameters = json!([
        { "name": "count", "type": "Int32", "required": true, "min": 1.0, "max": 10.0 },
        { "name": "colour", "type": "String", "choices": ["red", "blue"] },
    ]);
    let body = json!({
        "specificationToken": "lamp", "name": "blink", "namespace": "urn:lamp",
        "description": "Blinks.", "parameters": parameters,
    });
    put(core, "command", "lamp-blink", body).await;
    for device in devices {
        let body = json!({ "status": "registered", "specificationToken": "lamp" });
        put(core, "device", device, body).await;
    }
}

pub(super) async fn ask(
    core: &Tenant,
    device: &str,
    command: &str,
    parameters: &[(&str, &str)],
) -> Result<StoredInvocation, InvokeError> {
    let (created, expires) = core.dispatcher.lifetime(3600.0);
    let of = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    let asked = NewInvocation {
        device: core.devices.find(device).unwrap().id,
        command: command.to_owned(),
        parameters: parameters.iter().map(of).collect(),
        initiator: "REST".to_owned(),
        initiator_id: "tests".to_owned(),
        metadata: BTreeMap::new(),
        created,
        expires,
    };
    core.dispatcher.invoke(&HardwareId::new(device).unwrap(), asked).await
}

pub(super) async fn acknowledge(core: &Tenant, device: &str, id: &str) {
    let answer = format!(
        r#"{{"hardwareId":"{device}","type":"Acknowledge","request":{{"response":"ok",
        "originatingEventId":"{id}"}}}}"#
    );
    assert_eq!(accept(core, answer.into_bytes()).await.unwrap(), Accepted::Stored);
}

fn at(minute: u32, second: u32) -> SimTime {
    time(&format!("2027-01-18T17:{minute:02}:{second:02}Z"))
}

fn ids(received: &[CommandMessage]) -> Vec<String> {
    received.iter().map(|one| one.invocation.id.clone()).collect()
}

#[tokio::test]
async fn a_specification_gives_its_devices_commands() {
    let bench = with_devices(ClockSource::Driven, &["home", "lamp"]).await;
    lamps(&bench.core, "direct", &["lamp"]).await;
    for device in ["home", "lamp"] {
        bench.devices.subscribe(&bench.core, device);
    }
    let by_name = ask(&bench.core, "lamp", "blink", &[("count", "3")]).await.unwrap();
    let by_token = ask(&bench.core, "lamp", "lamp-blink", &[("count", "10")]).await.unwrap();
    assert_eq!([&by_name, &by_token].map(|one| &*one.row.asked.command), ["lamp-blink"; 2]);
    ask(&bench.core, "lamp", "setReportingPeriod", &[("seconds", "5")]).await.unwrap();
    let received = bench.devices.received("lamp");
    let definition = &received[0].definition;
    let shown = (&*definition.token, &*definition.specification_token, &*definition.name);
    assert_eq!(shown, ("lamp-blink", "lamp", "blink"));
    assert_eq!((definition.parameters.len(), received.len()), (2, 3));
    assert_eq!(received[0].parameters["count"].as_number(), Some(3.0));
    assert_eq!(received[2].definition.namespace, "urn:lastmeter:commands");
    for (parameters, expected) in [
        (&[("count", "11")][..], "parameter `count` is `11`, expected a Int32 from 1 to 10"),
        (&[("count", "1"), ("colour", "green")], "one of red, blue"),
        (&[], "parameter `count` is missing"),
    ] {
        let error = ask(&bench.core, "lamp", "blink", parameters).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let unknown = ask(&bench.core, "home", "blink", &[]).await.unwrap_err().to_string();
    assert!(!unknown.contains("blink, ") && unknown.ends_with("setPoint"), "{unknown}");
    let unknown = ask(&bench.core, "lamp", "glow", &[]).await.unwrap_err().to_string();
    assert!(unknown.ends_with("setPoint, blink"), "{unknown}");
    bench.stop().await;
}

#[tokio::test]
async fn a_command_of_too_many_causes_is_refused() {
    let bench = with_devices(ClockSource::Driven, &["home"]).await;
    for (causes, is_taken) in [("rule:a,app:b,app:c", true), ("rule:a,app:b,app:c,app:d", false)] {
        let mut asked =
            ask(&bench.core, "home", "readRegister", &[("register", "1")]).await.unwrap();
        asked.row.asked.metadata.insert(CAUSE.to_owned(), causes.to_owned());
        let home = HardwareId::new("home").unwrap();
        let taken = bench.core.dispatcher.invoke(&home, asked.row.asked).await;
        assert_eq!(taken.is_ok(), is_taken, "{taken:?}");
        let is_refused = matches!(taken, Err(InvokeError::TooManyCauses { causes: 4 }));
        assert_eq!(is_refused, !is_taken);
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_mailbox_is_emptied_one_by_one_as_its_device_is_heard_and_over_restarts() {
    let bench = with_devices(ClockSource::Driven, &["lamp"]).await;
    lamps(&bench.core, "mailbox", &["lamp"]).await;
    bench.devices.subscribe(&bench.core, "lamp");
    let mut asked = Vec::new();
    for count in ["1", "2", "3"] {
        let one = ask(&bench.core, "lamp", "blink", &[("count", count)]).await.unwrap();
        assert_eq!(one.row.state, InvocationState::Pending, "nobody has heard the device");
        asked.push(one.row.id.to_string());
    }
    // The subscription is a sign of life; what follows is not, until it sends something.
    bench.core.advance(at(1, 0)).await.unwrap();
    bench.core.advance(at(2, 0)).await.unwrap();
    assert_eq!(ids(&bench.devices.received("lamp")), asked[..1]);
    acknowledge(&bench.core, "lamp", &asked[0]).await;
    bench.core.advance(at(3, 0)).await.unwrap();
    assert_eq!(ids(&bench.devices.received("lamp")), asked[..2]);
    store(&bench.core, &[reading("lamp", Some(2), 230.0)]).await;
    bench.core.advance(at(4, 0)).await.unwrap();
    assert_eq!(ids(&bench.devices.received("lamp")), asked[..2], "one is open at a time");
    let bench = bench.restart().await;
    bench.devices.subscribe(&bench.core, "lamp");
    bench.core.advance(at(5, 0)).await.unwrap();
    assert_eq!(ids(&bench.devices.received("lamp")), asked[1..2], "as it may have missed it");
    acknowledge(&bench.core, "lamp", &asked[1]).await;
    bench.core.advance(at(6, 0)).await.unwrap();
    assert_eq!(ids(&bench.devices.received("lamp")), asked[1..]);
    bench.stop().await;
}

#[tokio::test]
async fn a_mailbox_follows_the_answers_on_the_walls_clock() {
    let bench = with_devices(ClockSource::Wall, &["lamp"]).await;
    lamps(&bench.core, "mailbox", &["lamp"]).await;
    let mut asked = Vec::new();
    for _ in 0..5 {
        let one = ask(&bench.core, "lamp", "blink", &[("count", "1")]).await.unwrap();
        asked.push(one.row.id.to_string());
    }
    let attending = tokio::spawn({
        let core = Arc::clone(&bench.core);
        async move { core.attend().await }
    });
    bench.devices.subscribe(&bench.core, "lamp");
    for (n, id) in asked.iter().enumerate() {
        let comes = async {
            while bench.devices.received("lamp").len() <= n {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(STOP_LIMIT, comes).await.expect("the next command");
        acknowledge(&bench.core, "lamp", id).await;
    }
    assert_eq!(ids(&bench.devices.received("lamp")), asked);
    attending.abort();
    bench.stop().await;
}

#[tokio::test]
async fn an_idle_advance_reads_no_mailbox() {
    let bench = with_devices(ClockSource::Driven, &["lamp", "other"]).await;
    lamps(&bench.core, "mailbox", &["lamp"]).await;
    ask(&bench.core, "lamp", "blink", &[("count", "1")]).await.unwrap();
    ask(&bench.core, "other", "readRegister", &[("register", "1")]).await.unwrap();
    bench.core.advance(at(1, 0)).await.unwrap();
    // Nothing can be read any more, and nothing has to be.
    bench.core.readers.close();
    bench.core.advance(at(2, 0)).await.unwrap();
    store(&bench.core, &[reading("other", Some(2), 230.0)]).await;
    bench.core.advance(at(3, 0)).await.unwrap();
    store(&bench.core, &[reading("lamp", Some(2), 230.0)]).await;
    let heard = bench.core.advance(at(4, 0)).await;
    assert!(heard.is_err(), "the mailbox of a device that was heard is read");
    bench.stop().await;
}

/// A door at which devices ask for their commands.
struct Polled;

#[async_trait]
impl Outbound for Polled {
    async fn send(&self, _: &HardwareId, _: Vec<u8>) -> Result<usize, String> {
        Ok(0)
    }

    fn is_polled(&self) -> bool {
        true
    }

    fn counters(&self) -> Vec<(String, u64)> {
        Vec::new()
    }
}

#[tokio::test]
async fn the_door_of_a_device_is_known_after_a_restart() {
    let bench = with_devices(ClockSource::Driven, &["sleeper", "home"]).await;
    bench.core.dispatcher.routes.open("http", Arc::new(Polled));
    let arrival =
        Arrival { door: "http", ..arrival(INPUT, bytes(&reading("sleeper", Some(2), 1.0))) };
    take(&bench.core, arrival).await.unwrap();
    bench.core.advance(at(1, 0)).await.unwrap();
    let bench = bench.restart().await;
    bench.core.dispatcher.routes.open("http", Arc::new(Polled));
    // Somebody else takes all that is published for devices.
    for device in ["sleeper", "home"] {
        bench.devices.listen_in(device);
    }
    let sent = |device| ask(&bench.core, device, "readRegister", &[("register", "1")]);
    assert_eq!(sent("home").await.unwrap().row.state, InvocationState::Sent);
    let waits = sent("sleeper").await.unwrap();
    assert_eq!(waits.row.state, InvocationState::Pending, "it is at the other door");
    let sleeper = HardwareId::new("sleeper").unwrap();
    let collected = bench.core.dispatcher.collect(&sleeper).await.unwrap();
    assert_eq!(collected.len(), 1);
    assert_eq!(invocation(&bench, waits.row.id).await.row.state, InvocationState::Sent);
    bench.stop().await;
}

#[tokio::test]
async fn what_is_cancelled_has_failed_and_is_sent_no_more() {
    let bench = with_devices(ClockSource::Driven, &["home"]).await;
    let asked = ask(&bench.core, "home", "readRegister", &[("register", "1")]).await.unwrap();
    assert_eq!(bench.core.dispatcher.cancel(&[asked.row.id]).await.unwrap(), [true]);
    assert_eq!(bench.core.dispatcher.cancel(&[asked.row.id]).await.unwrap(), [false]);
    let row = invocation(&bench, asked.row.id).await.row;
    assert_eq!(
        (row.state, &*row.asked.metadata["failure"]),
        (InvocationState::Failed, "cancelled")
    );
    bench.devices.subscribe(&bench.core, "home");
    assert!(bench.core.advance(at(1, 0)).await.unwrap().sent.is_empty());
    bench.stop().await;
}

#[tokio::test]
async fn what_is_not_answered_is_sent_again_after_the_time_that_is_set() {
    for (retry_s, expected) in [(0, 1), (30, 4)] {
        let change = |config: &mut Config| config.limits.command_retry_s = retry_s;
        let bench = Bench::start_with(ClockSource::Driven, change).await;
        bench.core.advance(time(START)).await.unwrap();
        store(&bench.core, &[reading("home", Some(1), 230.0)]).await;
        bench.devices.subscribe(&bench.core, "home");
        bench.core.advance(time(START)).await.unwrap();
        let asked = ask(&bench.core, "home", "readRegister", &[("register", "1")]).await.unwrap();
        for second in [29, 30, 59] {
            bench.core.advance(at(0, second)).await.unwrap();
        }
        bench.core.advance(at(1, 30)).await.unwrap();
        assert_eq!(bench.devices.received("home").len(), expected, "each 30 s");
        acknowledge(&bench.core, "home", &asked.row.id.to_string()).await;
        bench.core.advance(at(9, 0)).await.unwrap();
        assert_eq!(bench.devices.received("home").len(), expected, "it is answered");
        bench.stop().await;
    }
}
