//! Batches: each device is commanded once, so many at a time, over kills and when cancelled.

use lastmeter_model::access::PrincipalRef;
use lastmeter_model::document::{Edit, Expect, Transaction, kind_of_name};
use lastmeter_model::entity::{Batch, CommandCall, Targets};
use serde_json::{Value, json};

use super::commands::{acknowledge, put, with_devices};
use super::schedules::made;
use super::*;
use crate::commands::batches;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("d{n:03}")).collect()
}

async fn bench_of(count: usize) -> Bench {
    let names = names(count);
    with_devices(ClockSource::Driven, &names.iter().map(String::as_str).collect::<Vec<_>>()).await
}

async fn make(core: &Tenant, command: Value) -> String {
    let call: CommandCall = serde_json::from_value(command).unwrap();
    let ids = core.devices.page(0, 100_000).1.into_iter().map(|row| row.hardware_id);
    let devices: Vec<_> = ids.collect();
    let target = Targets::Devices(devices.clone());
    let elements = batches::keep(&core.dispatcher, &devices).await.unwrap();
    let of = (Some(&target), None);
    let body = batches::body((&PrincipalRef::Bench, &call), of, (&elements, devices.len()));
    let kind = kind_of_name("batch").unwrap();
    let edits = vec![Edit { kind, token: None, expect: Expect::New, body: Some(body) }];
    let by = "bench".to_owned();
    let changed = core.apply(Transaction { by, edits, ..Transaction::default() }).await.unwrap();
    changed.documents[0].token.clone()
}

async fn counted(core: &Tenant, token: &str) -> Batch {
    let document = core.documents.find(kind_of_name("batch").unwrap(), token).unwrap();
    batches::counted(&core.dispatcher, &document).await.unwrap()
}

fn counts(batch: &Batch) -> Vec<(String, u32)> {
    batch.counts.iter().map(|(state, count)| (state.to_string(), *count)).collect()
}

fn read_register() -> Value {
    json!({ "commandToken": "readRegister", "parameterValues": { "register": "1" },
        "expiresAfterSeconds": 600 })
}

#[tokio::test]
async fn a_batch_commands_each_device_once_and_so_many_at_a_time() {
    let mut bench = bench_of(300).await;
    let mut minute = 0;
    let token = make(&bench.core, read_register()).await;
    // A restart in each state: made and not begun, under way, with and without answers.
    for round in 0..4 {
        bench = bench.restart().await;
        minute += 1;
        bench.core.advance(time(&format!("2027-01-18T17:{minute:02}:00Z"))).await.unwrap();
        let batch = counted(&bench.core, &token).await;
        let open = bench.core.devices.open(None).len();
        assert!(open <= 256, "{open}");
        let all: u32 = batch.counts.values().sum();
        assert_eq!((all, batch.size), (batch.cursor, 300), "{round}: {:?}", counts(&batch));
        if round == 0 {
            assert_eq!(counts(&batch), [("Pending".to_owned(), 256)]);
        }
        if round > 0 {
            for id in bench.core.devices.open(None).into_iter().take(150) {
                let one = bench.core.readers.store().invocation(id).await.unwrap().unwrap();
                acknowledge(&bench.core, one.hardware_id.as_str(), &id.to_string()).await;
            }
        }
    }
    bench.core.advance(time("2027-01-18T18:00:00Z")).await.unwrap();
    bench.core.advance(time("2027-01-18T18:00:01Z")).await.unwrap();
    let batch = counted(&bench.core, &token).await;
    assert!(batch.is_done(), "{batch:?}");
    assert_eq!(counts(&batch), [("Acknowledged".to_owned(), 300)]);
    for device in names(300) {
        let made = made(&bench.core, &device).await;
        assert_eq!(made.len(), 1, "{device}");
        assert_eq!(made[0].row.asked.initiator_id, token);
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_batch_that_is_cancelled_makes_nothing_more() {
    let bench = bench_of(300).await;
    let token = make(&bench.core, read_register()).await;
    bench.core.advance(time("2027-01-18T17:01:00Z")).await.unwrap();
    let document = bench.core.documents.find(kind_of_name("batch").unwrap(), &token).unwrap();
    let mut body: Value = serde_json::from_str(&document.body).unwrap();
    body["cancelled"] = true.into();
    put(&bench.core, "batch", &token, body).await;
    bench.core.advance(time("2027-01-18T17:02:00Z")).await.unwrap();
    let batch = counted(&bench.core, &token).await;
    assert_eq!(counts(&batch), [("Failed".to_owned(), 256)]);
    assert!(batch.is_done() && bench.core.devices.open(None).is_empty());
    bench.stop().await;
}

#[tokio::test]
async fn what_the_store_refuses_to_a_device_counts_as_failed() {
    let bench = bench_of(3).await;
    let token = make(&bench.core, json!({ "commandToken": "glow" })).await;
    for minute in 1..4 {
        bench.core.advance(time(&format!("2027-01-18T17:{minute:02}:00Z"))).await.unwrap();
    }
    let batch = counted(&bench.core, &token).await;
    assert!(batch.is_done());
    assert_eq!(counts(&batch), [("Failed".to_owned(), 3)]);
    bench.stop().await;
}

#[tokio::test]
async fn a_schedule_makes_a_batch_of_the_group_as_it_is_then() {
    let bench = bench_of(4).await;
    let member = |id: &str, until: Value| json!({ "of": { "device": id }, "from": "2027-01-01T00:00:00Z", "until": until });
    let ended = json!("2027-01-18T17:00:30Z");
    let members =
        json!([member("d001", Value::Null), member("d002", ended), member("nobody", Value::Null),]);
    put(&bench.core, "group", "g", json!({ "name": "g", "members": members })).await;
    let body = json!({
        "schedule": { "kind": "once", "at": "2027-01-18T17:01:00Z" },
        "command": read_register(), "target": { "group": "g" },
    });
    put(&bench.core, "schedule", "s", body).await;
    bench.core.advance(time("2027-01-18T17:05:00Z")).await.unwrap();
    let commanded = [made(&bench.core, "d001").await.len(), made(&bench.core, "d002").await.len()];
    assert_eq!(commanded, [1, 0]);
    let batch = bench.core.documents.bodies_with::<Batch>("schedule", "s").remove(0).1;
    assert_eq!(
        (batch.size, batch.target.clone()),
        (1, serde_json::from_value(json!({ "group": "g" })).ok())
    );
    bench.stop().await;
}
