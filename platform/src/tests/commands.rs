//! Commands of a specification, mailboxes, schedules and batches, on a driven clock.

use lastmeter_model::document::{Edit, Expect, Transaction, kind_of_name};
use lastmeter_model::entity::Targets;
use lastmeter_model::invocation::InvocationState;
use lastmeter_wire::flexmeter::ParameterValue;
use serde_json::{Value, json};

use super::*;
use crate::commands::InvokeError;
use crate::ops::{Caller, commands};

const START: &str = "2027-01-18T17:00:00Z";

/// A device of a specification with one command of its own.
async fn started(delivery: &str) -> Bench {
    let bench = Bench::start(ClockSource::Driven).await;
    bench.core.advance(time(START)).await.unwrap();
    store(&bench.core, &[reading("home", None, 1.0)]).await;
    declare(
        &bench,
        "specification",
        "s",
        json!({
            "name": "Plug", "quantities": [], "delivery": delivery,
        }),
    )
    .await;
    declare(&bench, "command", "blink", json!({
        "specificationToken": "s", "name": "blinkLed", "namespace": "urn:made-up",
        "parameters": [{ "name": "times", "type": "Int32", "required": true, "min": 1, "max": 9 }],
    }))
    .await;
    declare(
        &bench,
        "device",
        "home",
        json!({
            "status": "registered", "specificationToken": "s",
        }),
    )
    .await;
    bench
}

async fn declare(bench: &Bench, kind: &str, token: &str, body: Value) {
    let kind = kind_of_name(kind).unwrap();
    (kind.check)(&body).unwrap();
    let token = Some(token.to_owned());
    let edits = vec![Edit { kind, token, expect: Expect::Anything, body: Some(body) }];
    let by = "bench".to_owned();
    let changed =
        bench.core.apply(Transaction { by, edits, ..Transaction::default() }).await.unwrap();
    assert!(changed.changed, "{changed:?}");
}

async fn invoke(
    bench: &Bench,
    command: &str,
    times: &str,
) -> Result<StoredInvocation, InvokeError> {
    let device = bench.core.devices.find("home").unwrap();
    let (created, expires) = bench.core.dispatcher.lifetime(3600.0);
    let asked = NewInvocation {
        device: device.id,
        command: command.to_owned(),
        parameters: BTreeMap::from([("times".to_owned(), times.to_owned())]),
        initiator: String::new(),
        initiator_id: String::new(),
        metadata: BTreeMap::new(),
        created,
        expires,
    };
    bench.core.dispatcher.invoke(&device.hardware_id, asked).await
}

async fn answer(bench: &Bench, to: &StoredInvocation) {
    let payload = json!({ "hardwareId": "home", "type": "Acknowledge", "request": {
        "response": "ok", "originatingEventId": to.row.id.to_string(),
    }});
    let taken = accept(&bench.core, payload.to_string().into_bytes()).await.unwrap();
    assert_eq!(taken, Accepted::Stored);
}

async fn advance(bench: &Bench, seconds: i64) -> Vec<CommandMessage> {
    let to = SimTime(time(START).0 + seconds * 1_000_000_000);
    bench.core.advance(to).await.unwrap();
    bench.devices.received("home")
}

#[tokio::test]
async fn a_device_has_the_commands_of_its_specification() {
    let bench = started("direct").await;
    bench.devices.subscribe(&bench.core, "home");
    for (command, times, why) in [
        ("blinkLed", "10", "`times` is `10`, expected a Int32 from 1 to 9"),
        ("blink", "many", "`times` is `many`, expected a Int32 from 1 to 9"),
        (
            "dance",
            "1",
            "`dance`; there is setReportingPeriod, setRegister, readRegister, setBreaker, setPoint, blinkLed",
        ),
    ] {
        let refused = invoke(&bench, command, times).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    invoke(&bench, "blinkLed", "3").await.unwrap();
    let received = advance(&bench, 1).await;
    assert_eq!(received.len(), 1);
    let CommandMessage { definition, parameters, .. } = &received[0];
    assert_eq!((&*definition.name, &*definition.specification_token), ("blinkLed", "s"));
    assert_eq!(parameters["times"], ParameterValue::Integer(3));
    bench.stop().await;
}

#[tokio::test]
async fn a_mailbox_is_emptied_one_by_one_when_its_device_is_heard() {
    let bench = started("mailbox").await;
    bench.devices.subscribe(&bench.core, "home");
    assert!(advance(&bench, 1).await.is_empty());
    let first = invoke(&bench, "blinkLed", "1").await.unwrap();
    let second = invoke(&bench, "blinkLed", "2").await.unwrap();
    assert!(advance(&bench, 60).await.is_empty(), "it sleeps");
    let bench = bench.restart().await;
    bench.devices.subscribed.lock().unwrap().insert("home".to_owned(), Vec::new());
    assert!(advance(&bench, 120).await.is_empty(), "it still sleeps");
    accept(&bench.core, bytes(&reading("home", None, 2.0))).await.unwrap();
    assert_eq!(advance(&bench, 120).await.len(), 1, "it was heard");
    accept(&bench.core, bytes(&reading("home", None, 2.0))).await.unwrap();
    assert_eq!(advance(&bench, 121).await.len(), 1, "it has not answered the first one");
    answer(&bench, &first).await;
    let received = advance(&bench, 122).await;
    let ids: Vec<_> = received.iter().map(|one| one.invocation.id.clone()).collect();
    assert_eq!(ids, [first.row.id.to_string(), second.row.id.to_string()]);
    answer(&bench, &second).await;
    assert_eq!(advance(&bench, 123).await.len(), 2);
    assert!(bench.core.devices.open(None).is_empty());
    bench.stop().await;
}

#[tokio::test]
async fn a_command_that_was_called_off_is_sent_no_more() {
    let bench = started("mailbox").await;
    let first = invoke(&bench, "blinkLed", "1").await.unwrap();
    let second = invoke(&bench, "blinkLed", "2").await.unwrap();
    let (ended, was_open) = bench.core.dispatcher.cancel(first.row.id).await.unwrap().unwrap();
    assert_eq!((ended.row.state, was_open), (InvocationState::Failed, true));
    assert_eq!(ended.row.asked.metadata["failure"], "cancelled");
    let (_, was_open) = bench.core.dispatcher.cancel(first.row.id).await.unwrap().unwrap();
    assert!(!was_open);
    bench.devices.subscribe(&bench.core, "home");
    let received = advance(&bench, 1).await;
    assert_eq!(received[0].invocation.id, second.row.id.to_string());
    bench.stop().await;
}

#[tokio::test]
async fn a_schedule_gives_its_command_once_for_each_instant_and_once_for_those_missed() {
    let bench = started("direct").await;
    bench.devices.subscribe(&bench.core, "home");
    declare(
        &bench,
        "schedule",
        "each-minute",
        json!({
            "schedule": { "kind": "every", "from": "2027-01-18T17:01:00Z", "every_s": 60 },
            "command": { "commandToken": "blink", "parameterValues": { "times": "1" } },
            "target": { "device": "home" },
        }),
    )
    .await;
    assert!(advance(&bench, 59).await.is_empty());
    assert_eq!(advance(&bench, 60).await.len(), 1);
    assert_eq!(advance(&bench, 60).await.len(), 1);
    // Each instant of a stretch is looked at.
    let received = advance(&bench, 240).await;
    let dates: Vec<_> = received.iter().filter_map(|one| one.invocation.event_date).collect();
    let minutes = [1, 2, 3, 4].map(|minute| SimTime(time(START).0 + minute * 60_000_000_000));
    assert_eq!(dates, minutes);
    let bench = bench.restart().await;
    bench.devices.subscribe(&bench.core, "home");
    advance(&bench, 240).await;
    let before = bench.devices.received("home").len();
    assert_eq!(before, 4, "those that are unanswered come again, and no others");
    bench.stop().await;
}

#[tokio::test]
async fn a_batch_gives_its_command_to_each_device_once() {
    let bench = started("direct").await;
    let names: Vec<_> = (0..600).map(|n| format!("d{n:03}")).collect();
    let readings: Vec<_> = names.iter().map(|name| reading(name, None, 1.0)).collect();
    store(&bench.core, &readings).await;
    let devices: Vec<_> = names.iter().map(|name| HardwareId::new(name).unwrap()).collect();
    let who = crate::access::administrators(&bench.core.name).into();
    let caller = Caller { tenant: Arc::clone(&bench.core), who };
    let call = serde_json::from_value(json!({
        "commandToken": "readRegister", "parameterValues": { "register": "x" },
    }));
    let (call, target) = (call.unwrap(), Targets::Devices(devices));
    let made = commands::make_batch(&caller, None, (&call, &target), None).await.unwrap();
    let made = bench.core.documents.find(made.kind, &made.token).unwrap();
    let shown = commands::shown(&caller, &made).await.unwrap();
    assert_eq!((&shown["cursor"], &shown["counts"]), (&json!(600), &json!({ "Pending": 600 })));
    // Three parts, and then nothing more.
    assert_eq!(made.version, 4);
    assert!(!bench.core.dispatcher.make_due(time(START)).await.unwrap());
    assert_eq!(bench.core.devices.open(None).len(), 600);
    bench.stop().await;
}
