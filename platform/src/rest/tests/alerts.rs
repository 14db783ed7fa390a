//! Reading back alerts: in the order of commit, page by page, by waiting, and after a restart.

use super::*;

async fn alert(served: &Served, device: &str, kind: &str, date: Option<&str>) {
    let date = date.map_or_else(String::new, |date| format!(r#","eventDate":"{date}""#));
    let text = format!(
        r#"{{"hardwareId":"{device}","type":"DeviceAlert","request":{{"type":"{kind}",
        "level":"Warning","message":"heat-1 does not answer"{date}}}}}"#
    );
    accept(&served.bench.core, text.into_bytes()).await.unwrap();
    served.bench.core.barrier().await.unwrap();
}

/// Before a restart and after it.
#[tokio::test]
async fn facts_and_numbers_of_alerts_are_read_back_as_they_were_sent() {
    let served = Served::start().await;
    let request = |metadata: Value| {
        json!({
            "type": "voltage.dip", "level": "Warning", "message": "m: dip", "updateState": true,
            "metadata": metadata,
        })
    };
    let facts = json!({"kind": "dip", "phase": "l1", "residual_v": "81.25"});
    let mut sent = facts.clone();
    (sent["epoch"], sent["serial"]) = (json!("1"), json!("2"));
    let alone = json!({"hardwareId": "m", "type": "DeviceAlert", "request": request(sent)});
    accept(&served.bench.core, alone.to_string().into_bytes()).await.unwrap();
    // Of a sender that has its own idea of a serial, and of one that has none.
    for metadata in [json!({"serial": "007", "node": "b"}), json!({})] {
        let payload =
            json!({"hardwareId": "m", "type": "DeviceAlert", "request": request(metadata)});
        accept(&served.bench.core, payload.to_string().into_bytes()).await.unwrap();
    }
    served.bench.core.barrier().await.unwrap();
    let expected = |row: &Value| {
        let of = |key: &str| row.get(key).cloned();
        [of("epoch"), of("serial"), of("metadata")]
    };
    let wanted = [
        [Some(json!(1)), Some(json!(2)), Some(facts)],
        [None, None, Some(json!({"serial": "007", "node": "b"}))],
        [None, None, None],
    ];
    let page = served.ok("/api/v1/alerts").await;
    let found: Vec<_> = page["results"].as_array().unwrap().iter().map(expected).collect();
    assert_eq!(found, wanted);
    let Served { bench, server, process, .. } = served;
    drop(process);
    assert!(server.stop(LIMIT).await);
    let again = Served::over(bench.restart().await);
    assert_eq!(again.ok("/api/v1/alerts").await, page);
    again.stop().await;
}

#[tokio::test]
async fn alerts_are_read_back_by_sequence_with_all_that_was_sent() {
    let served = Served::start().await;
    let empty = json!({"results": [], "last": 0, "more": false});
    assert_eq!(served.ok("/api/v1/alerts?after=0&limit=10").await, empty);
    served.bench.core.advance(time(START)).await.unwrap();
    // Neither is an alert, and neither takes a number of one.
    store(&served.bench.core, &[reading("home", Some(1), 1.0)]).await;
    accept(&served.bench.core, b"{".to_vec()).await.unwrap();
    let date = "2027-01-18T16:59:58.500Z";
    alert(&served, "cellar", "device.unreachable", Some(date)).await;
    alert(&served, "home", "maximum.power", None).await;
    alert(&served, "cellar", "device.reachable", None).await;
    let page = served.ok("/api/v1/alerts?limit=2").await;
    let expected = json!([
        {
            "sequence": 1, "device": "cellar", "type": "device.unreachable", "level": "Warning",
            "message": "heat-1 does not answer", "event_time": date,
            "received_time": "2027-01-18T17:00:00.000Z",
        },
        {
            "sequence": 2, "device": "home", "type": "maximum.power", "level": "Warning",
            "message": "heat-1 does not answer", "event_time": "2027-01-18T17:00:00.000Z",
            "received_time": "2027-01-18T17:00:00.000Z",
        },
    ]);
    assert_eq!(page, json!({"results": expected, "last": 2, "more": true}));
    let rest = served.ok("/api/v1/alerts?after=2&limit=2").await;
    assert_eq!((&rest["last"], &rest["more"]), (&json!(3), &json!(false)));
    assert_eq!(rest["results"][0]["type"], "device.reachable");
    let past = served.ok("/api/v1/alerts?after=3").await;
    assert_eq!(past, json!({"results": [], "last": 3, "more": false}));
    let Served { bench, server, process, .. } = served;
    drop(process);
    assert!(server.stop(LIMIT).await);
    let again = Served::over(bench.restart().await);
    assert_eq!(again.ok("/api/v1/alerts?limit=2").await, page);
    alert(&again, "home", "maximum.power", None).await;
    let further = again.ok("/api/v1/alerts?after=3").await;
    assert_eq!(further["results"][0]["sequence"], 4, "numbers only grow");
    again.stop().await;
}

#[tokio::test]
async fn what_is_asked_wrongly_of_alerts_is_a_problem() {
    let served = Served::start().await;
    for (query, code) in [
        ("after=-1", "wrong_parameter"),
        ("limit=0", "wrong_parameter"),
        ("limit=5001", "wrong_parameter"),
        ("wait_ms=10001", "wrong_parameter"),
        ("device=home", "unknown_parameter"),
    ] {
        let answer = served.get(&format!("/api/v1/alerts?{query}")).await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, code), "{query}");
    }
    assert_eq!(served.ask("GET", "/api/v1/alerts", "", "").await.status, 401);
    served.stop().await;
}

#[tokio::test]
async fn alerts_can_be_waited_for() {
    let served = Served::start().await;
    store(&served.bench.core, &[reading("home", Some(1), 1.0)]).await;
    let waited = tokio::join!(served.get("/api/v1/alerts?wait_ms=10000"), async {
        alert(&served, "home", "t", None).await;
    });
    assert_eq!(waited.0.json()["results"][0]["type"], "t");
    served.stop().await;
}

/// Only those of the page are kept, and a page ends at 8 MiB.
#[tokio::test]
async fn a_page_of_the_alerts_of_an_assignment_ends_where_it_is_full() {
    let served = Served::start().await;
    let text = "x".repeat(60 * 1024);
    for n in 0..200 {
        let request = json!({
            "type": "n", "level": "Info", "message": "m",
            "eventDate": SimTime(1_800_000_000_000_000_000 + n * 1_000_000_000),
            "metadata": { "n": n.to_string(), "x": text },
        });
        let alert = json!({ "hardwareId": "m", "type": "DeviceAlert", "request": request });
        accept(&served.bench.core, alert.to_string().into_bytes()).await.unwrap();
    }
    served.bench.core.barrier().await.unwrap();
    let path = format!("/sitewhere/api/assignments/{}/alerts", served.assignment("m").await);
    let numbers = |page: &Value| {
        let results = page["results"].as_array().unwrap().iter();
        results.map(|one| one["metadata"]["n"].as_str().unwrap().parse().unwrap()).collect()
    };
    let page = served.ok(&format!("{path}?pageSize=1000")).await;
    let found: Vec<u64> = numbers(&page);
    // Newest first, as many as it takes to reach 8 MiB.
    assert_eq!(found, (200 - 137..200).rev().collect::<Vec<_>>());
    assert_eq!(page["numResults"], 200);
    let page = served.ok(&format!("{path}?pageSize=10&page=20")).await;
    let found: Vec<u64> = numbers(&page);
    assert_eq!((found, &page["numResults"]), ((0..10).rev().collect(), &json!(200)));
    served.stop().await;
}
