//! Schedules: when they are due, what they make, over changes and restarts.

use lastmeter_model::access::Permit;
use lastmeter_model::document::{Document, kind_of_name};
use lastmeter_model::invocation::StoredInvocation;
use lastmeter_store::Page;
use serde_json::{Value, json};

use super::commands::{START, put, with_devices};
use super::*;

fn schedule(when: &Value, target: &Value) -> Value {
    let command = json!({
        "commandToken": "readRegister", "parameterValues": { "register": "1" },
        "expiresAfterSeconds": 60,
    });
    json!({ "schedule": when, "command": command, "target": target })
}

pub(super) async fn made(core: &Tenant, device: &str) -> Vec<StoredInvocation> {
    let row = core.devices.find(device).unwrap();
    let page = Page { offset: 0, limit: 1000 };
    let mut made =
        core.readers.invocations_of(&Permit::whole_tenant(), &row, page).await.unwrap().1;
    made.reverse();
    made
}

fn document(core: &Tenant, token: &str) -> Arc<Document> {
    core.documents.find(kind_of_name("schedule").unwrap(), token).unwrap()
}

async fn created(core: &Tenant, device: &str) -> Vec<String> {
    let made = made(core, device).await;
    made.iter().map(|one| one.row.asked.created.to_string()[11..19].to_owned()).collect()
}

#[tokio::test]
async fn schedules_make_their_commands_at_their_instants_on_a_driven_clock() {
    let bench = with_devices(ClockSource::Driven, &["a", "b", "c"]).await;
    let home = |id: &str| json!({ "device": id });
    let once = json!({ "kind": "once", "at": "2027-01-18T17:10:00Z" });
    let every = json!({ "kind": "every", "from": "2027-01-18T17:00:00Z", "every_s": 300 });
    let calendar = json!({
        "kind": "calendar", "weekdays": ["mon"], "time": "18:07", "zone": "Europe/Rome",
    });
    for (token, when, device) in [("o", once, "a"), ("e", every, "b"), ("c", calendar, "c")] {
        put(&bench.core, "schedule", token, schedule(&when, &home(device))).await;
    }
    bench.devices.subscribe(&bench.core, "b");
    bench.core.advance(time("2027-01-18T17:04:59Z")).await.unwrap();
    assert!(created(&bench.core, "b").await.is_empty(), "it began at the instant of its change");
    let advanced = bench.core.advance(time("2027-01-18T17:10:30Z")).await.unwrap();
    // What expired on the way is not sent when it has arrived.
    assert_eq!(advanced.sent, BTreeMap::from([("b".to_owned(), 1)]));
    assert_eq!(created(&bench.core, "a").await, ["17:10:00"]);
    assert_eq!(created(&bench.core, "b").await, ["17:05:00", "17:10:00"]);
    assert_eq!(created(&bench.core, "c").await, ["17:07:00"]);
    let one = &made(&bench.core, "b").await[0].row;
    assert_eq!((&*one.asked.initiator, &*one.asked.initiator_id), ("Scheduler", "e"));
    assert_eq!(one.asked.expires, time("2027-01-18T17:06:00Z"));
    let body: Value = serde_json::from_str(&document(&bench.core, "e").body).unwrap();
    assert_eq!(body["lastDue"], "2027-01-18T17:10:00.000Z");

    // What is disabled or removed makes nothing more, and neither does an old timer of it.
    let mut disabled = body;
    disabled["disabled"] = true.into();
    put(&bench.core, "schedule", "e", disabled.clone()).await;
    let bench = bench.restart().await;
    bench.core.advance(time("2027-01-18T17:31:00Z")).await.unwrap();
    assert_eq!(created(&bench.core, "b").await.len(), 2);
    disabled["disabled"] = false.into();
    put(&bench.core, "schedule", "e", disabled).await;
    let bench = bench.restart().await;
    bench.core.advance(time("2027-01-18T17:36:00Z")).await.unwrap();
    let expected = ["17:05:00", "17:10:00", "17:35:00"];
    assert_eq!(created(&bench.core, "b").await, expected, "what passed meanwhile was not missed");
    assert_eq!(created(&bench.core, "a").await.len(), 1);
    bench.stop().await;
}

#[tokio::test]
async fn a_missed_instant_is_made_good_once_on_the_walls_clock() {
    let bench = with_devices(ClockSource::Wall, &["home"]).await;
    let now = bench.core.clock.now();
    let from = SimTime(now.0 + 2_000_000_000);
    let every = json!({ "kind": "every", "from": from, "every_s": 100_000 });
    put(&bench.core, "schedule", "e", schedule(&every, &json!({ "device": "home" }))).await;
    // It passes while nobody attends.
    let passes = tokio::time::timeout(Duration::from_millis(2100), std::future::pending::<()>());
    passes.await.unwrap_err();
    let bench = bench.restart().await;
    for _ in 0..2 {
        let mut attending = tokio::spawn({
            let core = Arc::clone(&bench.core);
            async move { core.attend().await }
        });
        let is_made = async {
            while made(&bench.core, "home").await.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(STOP_LIMIT, is_made).await.expect("the command is made");
        let goes_on = tokio::time::timeout(Duration::from_millis(50), &mut attending);
        goes_on.await.unwrap_err();
        attending.abort();
    }
    let bench = bench.restart().await;
    assert_eq!(made(&bench.core, "home").await.len(), 1);
    let body: Value = serde_json::from_str(&document(&bench.core, "e").body).unwrap();
    assert_eq!(body["lastDue"], json!(from));
    bench.stop().await;
}

#[tokio::test]
async fn what_may_not_be_done_is_in_the_audit_and_the_schedule_goes_on() {
    let bench = with_devices(ClockSource::Driven, &["home"]).await;
    let every = json!({ "kind": "every", "from": START, "every_s": 60 });
    let body = schedule(&every, &json!({ "device": "nobody" }));
    put(&bench.core, "schedule", "e", body).await;
    bench.core.advance(time("2027-01-18T17:02:30Z")).await.unwrap();
    let last = bench.core.progress.totals();
    assert_eq!(last.readings, 1);
    let stretch = Stretch { after: 0, limit: 100, last: 5 };
    let rows = bench.core.readers.store().audit(stretch).await.unwrap().rows;
    let outcomes = rows.iter().filter(|(row, _)| row.outcome == "unknown_device").count();
    assert_eq!(outcomes, 2);
    bench.stop().await;
}
