//! What is exported is imported as it was, once.

use super::*;

const FREQUENCY: &str = "electricity.frequency";

impl Served {
    async fn export(&self, query: &str) -> String {
        let answer = self.get(&format!("/api/v1/export?{query}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        unchunked(&answer.body)
    }

    async fn import(&self, media_type: &str, text: &str) -> Answer {
        let headers = format!("Authorization: Bearer {TOKEN}\r\nContent-Type: {media_type}\r\n");
        self.ask("POST", "/api/v1/import", &headers, text).await
    }

    /// Imports messages; how many were stored, repeated, refused.
    async fn imported(&self, text: &str) -> [u64; 3] {
        let answer = self.import("application/x-ndjson", text).await.json();
        ["stored", "repeated", "refused"].map(|name| answer[name].as_u64().expect("a count"))
    }
}

/// A body without the frames of its chunks (RFC 9112, 7.1); it has to be whole.
fn unchunked(mut body: &[u8]) -> String {
    let mut text = Vec::new();
    loop {
        let end = body.windows(2).position(|two| two == b"\r\n").expect("a chunk");
        let size = usize::from_str_radix(std::str::from_utf8(&body[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return String::from_utf8(text).unwrap();
        }
        text.extend_from_slice(&body[end + 2..end + 2 + size]);
        body = &body[end + 2 + size + 2..];
    }
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// Messages of each kind that there is: with and without number, date, facts, originator.
async fn store_all_kinds(served: &Served) {
    let mut messages = vec![
        reading("home", Some(1), 230.5),
        reading("home", Some(3), f64::MIN_POSITIVE),
        reading("home", Some(2), -0.0),
        reading("a,\"b", None, 229.0),
        reading("a,\"b", None, 229.0),
    ];
    messages[1].metadata.insert("note".to_owned(), "a \"b\"\nc".to_owned());
    messages[2].update_state = false;
    messages[2].originator = Some("000000000000000000000001".to_owned());
    let frequency = MeasurementId::lookup(FREQUENCY).unwrap();
    messages[0].values.push((frequency, 50.0125));
    messages[3].event_date = Some(time(START));
    for message in &messages {
        store(&served.bench.core, std::slice::from_ref(message)).await;
    }
    for serial in ["1", "2"] {
        let facts = json!({ "serial": serial, "epoch": "7", "watts": "3300" });
        let request = json!({
            "type": "maximum.power", "level": "Critical", "message": "x", "metadata": facts,
        });
        let alert = json!({ "hardwareId": "home", "type": "DeviceAlert", "request": request });
        accept(&served.bench.core, alert.to_string().into()).await.unwrap();
    }
    served.bench.core.barrier().await.unwrap();
}

#[tokio::test]
async fn an_export_is_imported_into_another_tenant_as_it_was_and_once() {
    let (from, to) = (Served::start_with(ClockSource::Wall).await, Served::start().await);
    store_all_kinds(&from).await;
    let readings = from.export("").await;
    let alerts = from.export("what=alerts").await;
    assert_eq!((readings.lines().count(), alerts.lines().count()), (5, 2));
    let all = format!("{readings}{alerts}");
    assert_eq!(from.imported(&all).await, [0, 7, 0], "all of it is there");
    assert_eq!(to.imported(&format!("{all}{all}")).await, [7, 7, 0]);
    assert_eq!(to.imported(&all).await, [0, 7, 0], "twice changes nothing");
    assert_eq!(sorted(&to.export("").await), sorted(&readings));
    assert_eq!(sorted(&to.export("what=alerts").await), sorted(&alerts));
    assert_eq!(to.bench.core.progress.totals().readings, 5);
    // By device, range and position.
    let path = format!("device=home&end={}", reading("home", Some(3), 0.0).event_date.unwrap());
    assert_eq!(to.export(&path).await.lines().count(), 2);
    let answer = from.get("/api/v1/export").await;
    let cursor = answer.head.split("x-next-cursor: ").nth(1).unwrap();
    let cursor = cursor.lines().next().unwrap().to_owned();
    assert_eq!(from.export(&format!("after={cursor}")).await, "");
    store(&from.bench.core, &[reading("home", Some(9), 9.0)]).await;
    assert_eq!(from.export(&format!("after={cursor}")).await.lines().count(), 1);
    from.stop().await;
    to.stop().await;
}

#[tokio::test]
async fn past_readings_come_from_tables() {
    let (from, to) = (Served::start().await, Served::start().await);
    store_all_kinds(&from).await;
    let table = from.export("format=csv").await;
    assert_eq!(table.lines().count(), 7, "{table}");
    assert!(
        table.contains(
            "\"a,\"\"b\",,,2027-01-18T17:00:00.000Z,electricity.voltage.rms.l1,V,229.0,true"
        ),
        "{table}"
    );
    for counts in [[5, 0], [0, 5]] {
        let answer = to.import("text/csv; charset=utf-8", &table).await.json();
        assert_eq!([answer["stored"].as_u64(), answer["repeated"].as_u64()], counts.map(Some));
    }
    assert_eq!(sorted(&to.export("format=csv").await), sorted(&table));
    let few = "time,quantity,value,device\n2026-01-01T00:00:00Z,electricity.frequency,50,old\n";
    assert_eq!(to.import("text/csv", few).await.json()["stored"], 1);
    for (text, status) in [
        ("device,time,value\n", 422),
        ("device,time,quantity,value\nhome,yesterday,electricity.frequency,1\n", 422),
        ("device,time,quantity,value\nhome\n", 422),
        ("device,time,quantity,value\n", 200),
    ] {
        assert_eq!(to.import("text/csv", text).await.status, status, "{text}");
    }
    let answer = to.import("application/json", few).await;
    assert_eq!((answer.status, answer.problem().as_str()), (415, "not_import_content"));
    let answer = to.get("/api/v1/export?what=alerts&format=csv").await;
    assert_eq!((answer.status, answer.problem().as_str()), (400, "wrong_parameter"));
    from.stop().await;
    to.stop().await;
}

#[tokio::test]
async fn what_is_wrong_in_an_import_is_refused_line_by_line() {
    let served = Served::start().await;
    store(&served.bench.core, &[reading("home", Some(1), 1.0)]).await;
    let line = |message| String::from_utf8(crate::tests::bytes(&message)).unwrap();
    let text = format!(
        "{}\n\nno message\n{}\n",
        line(reading("home", Some(2), 2.0)),
        line(reading("home", Some(1), 9.0))
    );
    let answer = served.import("application/x-ndjson", &text).await.json();
    assert_eq!((&answer["stored"], &answer["refused"]), (&json!(1), &json!(2)), "{answer}");
    let refusals: Vec<_> = answer["refusals"].as_array().unwrap().iter().collect();
    assert_eq!((&refusals[0]["line"], &refusals[0]["reason"]), (&json!(3), &json!("not_json")));
    assert_eq!(
        (&refusals[1]["line"], &refusals[1]["reason"]),
        (&json!(4), &json!("conflicting_content"))
    );
    assert_eq!(served.bench.core.progress.totals().refusals, 2);
    served.stop().await;
}
