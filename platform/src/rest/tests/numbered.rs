//! Results and blocks over REST: what is sent is read back in the order of commit, by page, by
//! filter, and as far as who asks may have it.

use super::rights::world::SampleTenant;
use super::*;
use crate::tests::numbered::{block, result, take};
use lastmeter_model::access::{Principal, PrincipalRef};
use lastmeter_store::PAGE_BYTES_MAX;
use lastmeter_units::{Epoch, HardwareId, MeasurementId, Serial, TenantName};
use lastmeter_wire::block::{Block, Channel, encode_block};

fn id(name: &str) -> HardwareId {
    HardwareId::new(name).unwrap()
}

/// Results of two applications about two kinds, each with its number as content.
async fn filled(core: &crate::tenant::Tenant) {
    for serial in 1..=6_u64 {
        let app = id(if serial % 2 == 0 { "locator" } else { "outage" });
        let kind = if serial <= 3 { "outage" } else { "fault" };
        let at = SimTime(1_800_000_000_000_000_000 + serial as i64);
        let sent = result(&app, (1, serial), (at, kind), &json!({ "number": serial }));
        take(core, (&app, "result"), sent).await.unwrap();
        let sent = block(&app, (1, serial), (at, 1600.0));
        take(core, (&app, "block"), sent).await.unwrap();
    }
    core.barrier().await.unwrap();
}

fn numbers(page: &Value) -> Vec<u64> {
    let rows = page["results"].as_array().unwrap().iter();
    rows.map(|row| row["serial"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn results_are_read_by_page_and_filter_and_blocks_by_number() {
    let served = Served::start().await;
    filled(&served.bench.core).await;
    let (mut after, mut seen) = ("0".to_owned(), Vec::new());
    loop {
        let page = served.ok(&format!("/api/v1/results?limit=4&after={after}")).await;
        seen.extend(numbers(&page));
        after = page["next"].as_str().unwrap().to_owned();
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(seen, [1, 2, 3, 4, 5, 6]);
    let nothing = served.ok(&format!("/api/v1/results?after={after}")).await;
    assert_eq!(nothing, json!({ "results": [], "next": after, "more": false }));
    for (query, expected) in [
        ("kind=outage", vec![1, 2, 3]),
        ("kind=fault&device=locator", vec![4, 6]),
        ("subject=outage-1&device=outage", vec![1, 3, 5]),
        ("subject=outage-2", vec![]),
    ] {
        let page = served.ok(&format!("/api/v1/results?{query}")).await;
        assert_eq!(numbers(&page), expected, "{query}");
    }
    let page = served.ok("/api/v1/results?limit=1").await;
    let row = &page["results"][0];
    assert_eq!(row["content"], json!({ "number": 1 }));
    assert_eq!((&row["device"], &row["kind"]), (&json!("outage"), &json!("outage")));
    assert_eq!(row["until"], Value::Null);
    let listed = served.ok("/api/v1/blocks?device=locator").await;
    assert_eq!(numbers(&listed), [2, 4, 6]);
    let first = &listed["results"][0];
    assert_eq!((&first["samples"], &first["sample_rate_hz"]), (&json!(640), &json!(1600.0)));
    let headers = format!("Authorization: Bearer {TOKEN}\r\n");
    let answer = served.ask("GET", "/api/v1/blocks/locator/1/4", &headers, "").await;
    let at = SimTime(1_800_000_000_000_000_004);
    assert_eq!(answer.body, block(&id("locator"), (1, 4), (at, 1600.0)));
    for absent in ["locator/1/3", "locator/2/4", "nobody/1/4", "locator/x/4"] {
        let path = format!("/api/v1/blocks/{absent}");
        assert_eq!(served.ask("GET", &path, &headers, "").await.status, 404, "{path}");
    }
    served.stop().await;
}

/// An application sees its own results and no others, and no blocks but by a grant.
#[tokio::test]
async fn an_application_sees_its_own_results_and_cannot_count_those_of_others() {
    let world = SampleTenant::start(Bench::start(ClockSource::Driven).await);
    filled(&world.bench.core).await;
    let app: PrincipalRef = "app:locator".parse().unwrap();
    let who = Principal::of(app, TenantName::default());
    let mut positions = std::collections::BTreeSet::new();
    for _ in 0..2 {
        let told = world.ask(&who, "GET", "/api/v1/results").await;
        let page: Value = serde_json::from_str(&told.body).unwrap();
        assert_eq!(numbers(&page), [2, 4, 6]);
        positions.insert(page["next"].as_str().unwrap().to_owned());
    }
    assert_eq!(positions.len(), 2, "positions are salted");
    let next = positions.first().unwrap();
    let told = world.ask(&who, "GET", &format!("/api/v1/results?after={next}")).await;
    assert!(told.body.starts_with(r#"{"results":[]"#), "{told:?}");
    // A number is no position to who may not have everything.
    assert_eq!(world.ask(&who, "GET", "/api/v1/results?after=3").await.status, 400);
    let told = world.ask(&who, "GET", "/api/v1/blocks").await;
    assert!(told.body.starts_with(r#"{"results":[]"#), "{told:?}");
    assert_eq!(world.ask(&who, "GET", "/api/v1/blocks/locator/1/4").await.status, 404);
    world.stop().await;
}

/// What nobody sees of a page is read all the same.
#[tokio::test]
async fn one_request_reads_no_more_bytes_than_a_page_has() {
    let served = Served::start().await;
    let (core, recorder) = (&served.bench.core, id("recorder"));
    let samples = 65_000;
    for serial in 1..=80 {
        let channel = |name: &str| Channel {
            id: MeasurementId::lookup(name).unwrap(),
            scale: 1.0,
            samples: vec![1; samples],
        };
        let sent = encode_block(&Block {
            hardware_id: recorder.clone(),
            epoch: Epoch(1),
            serial: Serial(serial),
            first: SimTime(1_800_000_000_000_000_000),
            rate_hz: 1600.0,
            channels: vec![
                channel("electricity.voltage.instant.l1"),
                channel("electricity.voltage.instant.l2"),
            ],
        });
        take(core, (&recorder, "block"), sent.unwrap()).await.unwrap();
    }
    core.barrier().await.unwrap();
    let most = PAGE_BYTES_MAX / (samples * 4) + 1;
    for query in ["limit=1000", "device=nobody"] {
        let (mut after, mut seen) = (0, 0);
        while after < 80 {
            let page = served.ok(&format!("/api/v1/blocks?{query}&after={after}")).await;
            let next: usize = page["next"].as_str().unwrap().parse().unwrap();
            assert!(after < next && next - after <= most, "{query}: {after} to {next}");
            assert_eq!(page["more"], next < 80);
            (after, seen) = (next, seen + numbers(&page).len());
        }
        assert_eq!(seen, if query == "limit=1000" { 80 } else { 0 });
    }
    served.stop().await;
}
