//! Reports of households and aggregates of zones, as those who may have them see them.

use lastmeter_units::SimDuration;

use super::*;

const IMPORT: &str = "electricity.energy.active.consumed.total";
const POWER: &str = "electricity.power.active.consumed.total";

/// Each with `correct horse`.
const ADAM: &str = "Authorization: Basic YWRhbTpjb3JyZWN0IGhvcnNl\r\n";
const ANN: &str = "Authorization: Basic YW5uOmNvcnJlY3QgaG9yc2U=\r\n";
const BOB: &str = "Authorization: Basic Ym9iOmNvcnJlY3QgaG9yc2U=\r\n";
const UMA: &str = "Authorization: Basic dW1hOmNvcnJlY3QgaG9yc2U=\r\n";
const OLGA: &str = "Authorization: Basic b2xnYTpjb3JyZWN0IGhvcnNl\r\n";

/// A village on the evening of 18 January.
struct Village(Served);

impl Village {
    async fn start() -> Self {
        let village = Self(Served::start().await);
        village.advance(START).await;
        for (name, role) in [
            ("adam", "tenant-admin"),
            ("ann", "user"),
            ("bob", "user"),
            ("uma", "utility"),
            ("olga", "operator"),
        ] {
            let user = json!({ "username": name, "password": "correct horse", "roles": [role] });
            village.make("/sitewhere/api/users", &user).await;
        }
        let settings =
            json!({ "timeZone": "Europe/Rome", "currency": "EUR", "registration": "open" });
        village.make("/api/v1/settings", &settings).await;
        let specification =
            json!({ "token": "m", "name": "Meter", "quantities": [], "reportingPeriod": 900 });
        village.make("/sitewhere/api/specifications", &specification).await;
        for name in ["ann", "bob"] {
            let body = json!({ "token": name, "category": "person", "name": name, "user": name });
            village.make("/sitewhere/api/assets", &body).await;
        }
        village
    }

    async fn advance(&self, to: &str) {
        self.0.bench.core.advance(time(to)).await.unwrap();
    }

    async fn make(&self, path: &str, body: &Value) {
        let answer = self.0.post(path, body).await;
        assert!([200, 201].contains(&answer.status), "{path}: {answer:?}");
    }

    /// Registers a meter of a person, in a zone.
    async fn assign(&self, device: &str, person: Option<&str>, zone: Option<&str>) {
        let body = json!({
            "hardwareId": device, "status": "registered", "specificationToken": "m",
        });
        self.make("/sitewhere/api/devices", &body).await;
        let body = json!({
            "deviceHardwareId": device, "customerId": person, "zoneToken": zone,
            "activeDate": "2027-01-16T00:00:00Z",
        });
        self.make("/sitewhere/api/assignments", &body).await;
    }

    /// Imports values at minutes after an instant.
    async fn read(
        &self,
        device: &str,
        id: &str,
        from: &str,
        values: impl Iterator<Item = (i64, f64)>,
    ) {
        let line = |(minute, value): (i64, f64)| {
            let at = time(from) + SimDuration::from_seconds(60 * minute);
            format!("{device},{at},{id},{value:?}\n")
        };
        let text = format!("device,time,quantity,value\n{}", values.map(line).collect::<String>());
        let headers = format!("Authorization: Bearer {TOKEN}\r\nContent-Type: text/csv\r\n");
        let answer = self.0.ask("POST", "/api/v1/import", &headers, &text).await;
        assert_eq!((answer.status, &answer.json()["refused"]), (200, &json!(0)), "{answer:?}");
    }

    async fn get(&self, who: &str, path: &str) -> Answer {
        self.0.ask("GET", path, who, "").await
    }

    async fn send(&self, who: &str, path: &str, body: &Value) -> Answer {
        let headers = format!("{who}Content-Type: application/json\r\n");
        self.0.ask("POST", path, &headers, &body.to_string()).await
    }
}

fn plan(subject: &str) -> Value {
    json!({
        "name": "Energy of the day", "kind": "consumption", "subject": subject, "period": "day",
        "hour": 3,
    })
}

/// What Ann's meter counts, 0.5 kW from midnight of 18 January in Rome.
fn register(minute: i64) -> (i64, f64) {
    (minute, 100.0 + 0.5 * minute as f64 / 60.0)
}

const MIDNIGHT: &str = "2027-01-17T23:00:00Z";

#[tokio::test]
async fn a_report_is_made_at_night_stays_and_is_made_again_for_who_asks() {
    let village = Village::start().await;
    village.assign("m-ann", Some("ann"), None).await;
    let made = village.send(ANN, "/api/v1/report-plans", &plan("device:m-ann")).await;
    assert_eq!((made.status, &made.json()["owner"]), (201, &json!("user:ann")), "{made:?}");
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let mut theirs = plan("device:m-ann");
    theirs["owner"] = json!("user:bob");
    assert!([403, 404].contains(&village.send(ANN, "/api/v1/report-plans", &theirs).await.status));

    let missing = 300..420;
    let minutes = || (-15..=1440).step_by(15);
    let there = minutes().filter(|minute| !missing.contains(minute));
    village.read("m-ann", IMPORT, MIDNIGHT, there.map(register)).await;
    let path = format!("/api/v1/reports/{token}-2027-01-18");
    village.advance("2027-01-19T01:59:59Z").await;
    assert_eq!(village.get(ANN, &path).await.status, 404, "it is 02:59:59");
    village.advance("2027-01-19T02:00:00Z").await;
    let report = village.get(ANN, &path).await.json();
    assert_eq!(
        (&report["version"], &report["made"]),
        (&json!(1), &json!("2027-01-19T02:00:00.000Z"))
    );
    assert_eq!(report["content"]["energyKwh"], json!(12.0));
    assert_eq!(report["inputs"][0]["readings"], json!(88));
    let lacks = json!([{ "what": "readings", "device": "m-ann", "count": 8 }]);
    assert_eq!(report["missing"], lacks);
    for (who, status) in [(ADAM, 200), (BOB, 404), (UMA, 404), ("", 401)] {
        assert_eq!(village.get(who, &path).await.status, status, "{who}");
    }

    // Late readings change nothing of what was made.
    let late = minutes().filter(|minute| missing.contains(minute));
    village.read("m-ann", IMPORT, MIDNIGHT, late.map(register)).await;
    village.advance("2027-01-19T12:00:00Z").await;
    assert_eq!(village.get(ANN, &path).await.json(), report);
    let run = format!("/api/v1/report-plans/{token}/run");
    let day = json!({ "at": "2027-01-18T12:00:00Z" });
    assert_eq!(village.send(BOB, &run, &day).await.status, 404);
    let asked = village.send(ANN, &run, &day).await;
    assert_eq!(
        (asked.status, asked.json()),
        (202, json!({ "report": format!("{token}-2027-01-18") }))
    );
    let today = json!({ "at": "2027-01-19T12:00:00Z" });
    assert_eq!(village.send(ANN, &run, &today).await.status, 422, "the day is not over");
    village.advance("2027-01-19T12:00:01Z").await;
    let again = village.get(ANN, &path).await.json();
    assert_eq!((&again["version"], &again["inputs"][0]["readings"]), (&json!(2), &json!(96)));
    assert_eq!(again["missing"], json!([]));
    let history = village.get(ANN, &format!("{path}/history")).await.json();
    assert_eq!((&history["numResults"], &history["results"][1]), (&json!(2), &report));

    let tasks = village.get(ANN, "/api/v1/tasks").await.json();
    assert_eq!(
        tasks["results"],
        json!([{
            "service": "reports", "kind": "report_plan", "token": token,
            "name": "Energy of the day", "period": "day", "last": "2027-01-19T12:00:00.000Z",
            "next": "2027-01-20T02:00:00.000Z", "state": "waiting",
        }])
    );
    assert_eq!(village.get(BOB, "/api/v1/tasks").await.json()["results"], json!([]));
    village.0.stop().await;
}

#[tokio::test]
async fn a_report_rests_on_nothing_that_its_owner_may_not_read() {
    let village = Village::start().await;
    village.assign("m-ann", Some("ann"), None).await;
    village.read("m-ann", IMPORT, MIDNIGHT, (0..=1440).step_by(15).map(register)).await;
    let mut tokens = Vec::new();
    for (who, subject) in [(BOB, "device:m-ann"), (BOB, "device:none"), (ADAM, "asset:ann")] {
        let made = village.send(who, "/api/v1/report-plans", &plan(subject)).await;
        assert_eq!(made.status, 201, "{made:?}");
        tokens.push(made.json()["token"].as_str().unwrap().to_owned());
    }
    village.advance("2027-01-19T03:00:00Z").await;
    let shown = |token: &str| format!("/api/v1/reports/{token}-2027-01-18");
    for (who, token) in [(BOB, &tokens[0]), (BOB, &tokens[1]), (ADAM, &tokens[2])] {
        let report = village.get(who, &shown(token)).await.json();
        // What is hidden is as what is not there; administrators read what nobody owns.
        assert_eq!((&report["failure"], &report["inputs"]), (&json!("no-device"), &json!([])));
        assert_eq!(report["content"], json!({}));
    }
    let tasks = village.get(BOB, "/api/v1/tasks").await.json();
    assert_eq!(tasks["results"][0]["state"], json!("no-device"));
    village.0.stop().await;
}

#[tokio::test]
async fn aggregates_are_of_fifteen_households_and_for_who_may_have_them() {
    let village = Village::start().await;
    for zone in ["feeder", "small"] {
        let zone = json!({ "token": zone, "name": zone, "kind": "feeder", "statistical": true });
        village.make("/sitewhere/api/zones", &zone).await;
    }
    let month = "2027-01-31T23:00:00Z";
    for (zone, households) in [("feeder", 15), ("small", 14)] {
        for number in 0..households {
            let device = format!("{zone}-{number}");
            let person = (device == "feeder-0").then_some("bob");
            village.assign(&device, person, Some(zone)).await;
            let power = 1.0 + 0.1 * f64::from(number);
            let quarters = (0..60).step_by(15).map(|minute| (minute, power));
            village.read(&device, POWER, month, quarters).await;
        }
    }
    village.advance("2027-02-01T00:04:59Z").await;
    let path = |zone: &str, more: &str| format!("/api/v1/aggregates?zone={zone}{more}");
    assert_eq!(village.get(UMA, &path("feeder", "")).await.json()["results"], json!([]));
    village.advance("2027-02-01T00:05:00Z").await;
    for (who, status) in [(UMA, 200), (OLGA, 200), (ADAM, 200), (BOB, 200), (ANN, 404)] {
        let answer = village.get(who, &path("feeder", "")).await;
        assert_eq!(answer.status, status, "{who} {answer:?}");
        if status == 404 {
            let absent = village.get(who, &path("xxxxxx", "")).await;
            let text = |answer: &Answer| String::from_utf8(answer.body.clone()).unwrap();
            assert_eq!(text(&answer).replace("feeder", "xxxxxx"), text(&absent));
            continue;
        }
        let found = answer.json();
        let [one] = &found["results"].as_array().unwrap()[..] else { panic!("{found}") };
        assert_eq!(
            (&one["from"], &one["households"]),
            (&json!("2027-01-31T23:00:00.000Z"), &json!(15))
        );
        // 15 + 0.1 x 105.
        assert!((one["powerKw"].as_f64().unwrap() - 25.5).abs() < 1e-9, "{one}");
        assert!((one["meanKw"].as_f64().unwrap() - 1.7).abs() < 1e-9, "{one}");
    }
    assert_eq!(village.get(UMA, &path("small", "")).await.json()["results"], json!([]));
    let quarters = village.get(UMA, &path("feeder", "&width=15m")).await.json();
    assert_eq!(quarters["results"], json!([]), "of thirty households");
    let tasks = village.get(OLGA, "/api/v1/tasks").await.json();
    let states: Vec<_> =
        tasks["results"].as_array().unwrap().iter().map(|it| &it["state"]).collect();
    assert_eq!(states, ["published", "too-few"]);
    village.0.stop().await;
}
