//! Bills of households whose meters are read by the hour, as those who may have them see them.

use super::*;

const IMPORT: &str = "electricity.energy.active.consumed.total";
const EXPORT: &str = "electricity.energy.active.injected.total";
/// January 2027 in Rome begins then.
const BEGIN: i64 = 1_798_758_000;
const HOURS: i64 = 31 * 24;
/// Monday the 11th, when the clocks show 19:00, and a price ends.
const BORDER: i64 = 10 * 24 + 19;

/// `adam` is an administrator, the others are users, each with `correct horse`.
const ADAM: &str = "Authorization: Basic YWRhbTpjb3JyZWN0IGhvcnNl\r\n";
const ANN: &str = "Authorization: Basic YW5uOmNvcnJlY3QgaG9yc2U=\r\n";
const BOB: &str = "Authorization: Basic Ym9iOmNvcnJlY3QgaG9yc2U=\r\n";
const CARL: &str = "Authorization: Basic Y2FybDpjb3JyZWN0IGhvcnNl\r\n";
const NOBODY: &str = "";

/// A platform with customers.
struct Utility(Served);

fn tariff(day: &str) -> Value {
    json!({
        "name": "Two prices", "currency": "EUR", "zone": "Europe/Rome",
        "validFrom": "2026-01-01T00:00:00Z",
        "imports": [
            { "name": "F3", "price": "0.18" },
            {
                "name": "F1", "weekdays": ["mon", "tue", "wed", "thu", "fri"],
                "from": "08:00:00", "until": "19:00:00", "price": day,
            },
        ],
        "exports": [{ "name": "Feed-in", "price": "0.1" }],
        "fixed": [{ "name": "Meter", "perMonth": "3.5" }],
    })
}

fn with_token(token: &str, mut body: Value) -> Value {
    body["token"] = json!(token);
    body
}

fn at(hour: i64) -> String {
    SimTime((BEGIN + hour * 3600) * 1_000_000_000).to_string()
}

/// The codes and names of lines, with their amounts.
fn lines(bill: &Value) -> Vec<String> {
    let lines = bill["lines"].as_array().unwrap().iter();
    let shown = lines.map(|line| {
        let (kind, line) = line.as_object().unwrap().iter().next().unwrap();
        let text = |member: &str| line[member].as_str().unwrap_or_default().to_owned();
        let energy = line["energyWh"].as_i64();
        let energy = energy.map(|energy| energy.to_string()).unwrap_or_default();
        [kind.clone(), text("name"), energy, text("amount")].join(" ")
    });
    shown.collect()
}

impl Utility {
    /// Each person has a meter that takes 1 kWh an hour.
    async fn start(persons: &[&str]) -> Self {
        let utility = Self(Served::start().await);
        for (name, role) in
            [("adam", "tenant-admin"), ("ann", "user"), ("bob", "user"), ("carl", "user")]
        {
            let password = "correct horse";
            let user = json!({ "username": name, "password": password, "roles": [role] });
            utility.make("/sitewhere/api/users", user).await;
        }
        utility.make("/api/v1/tariffs", with_token("two", tariff("0.2215"))).await;
        for name in persons {
            let body = json!({ "token": name, "category": "person", "name": name, "user": name });
            utility.make("/sitewhere/api/assets", body).await;
            utility.read(&format!("m-{name}"), IMPORT, (0..=HOURS).map(|hour| (hour, hour))).await;
            utility.assign(&format!("m-{name}"), name, at(0)).await;
        }
        utility
    }

    async fn make(&self, path: &str, body: Value) {
        let answer = self.0.post(path, &body).await;
        assert!([200, 201].contains(&answer.status), "{path}: {answer:?}");
    }

    async fn assign(&self, device: &str, person: &str, from: String) {
        let body = json!({ "deviceHardwareId": device, "customerId": person, "activeDate": from });
        self.make("/sitewhere/api/assignments", body).await;
    }

    /// Imports what a register shows in kWh at hours.
    async fn read(&self, device: &str, quantity: &str, hours: impl Iterator<Item = (i64, i64)>) {
        let line = |(hour, kwh): (i64, i64)| format!("{device},{},{quantity},{kwh}\n", at(hour));
        let text = format!("device,time,quantity,value\n{}", hours.map(line).collect::<String>());
        let headers = format!("Authorization: Bearer {TOKEN}\r\nContent-Type: text/csv\r\n");
        let answer = self.0.ask("POST", "/api/v1/import", &headers, &text).await;
        assert_eq!((answer.status, &answer.json()["refused"]), (200, &json!(0)), "{answer:?}");
    }

    async fn get(&self, who: &str, path: &str) -> Answer {
        self.0.ask("GET", &format!("/api/v1/bills{path}"), who, "").await
    }

    async fn draft(&self, customer: &str) -> Value {
        let answer = self.get(ADAM, &format!("/draft?customer={customer}&month=2027-01")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    async fn keep(&self, who: &str, customer: &str) -> Answer {
        let headers = format!("{who}Content-Type: application/json\r\n");
        let body = json!({ "customer": customer, "month": "2027-01" }).to_string();
        self.0.ask("POST", "/api/v1/bills", &headers, &body).await
    }

    /// The code with which a draft is refused.
    async fn refused(&self, customer: &str) -> String {
        let answer = self.get(ADAM, &format!("/draft?customer={customer}&month=2027-01")).await;
        assert_eq!(answer.status, 409, "{answer:?}");
        answer.problem()
    }
}

#[tokio::test]
async fn a_month_with_a_gap_over_a_price_is_open_until_its_readings_come_and_is_rated_again() {
    let utility = Utility::start(&[]).await;
    let ann = json!({ "token": "ann", "category": "person", "name": "Ann", "user": "ann" });
    utility.make("/sitewhere/api/assets", ann).await;
    let there = (0..=HOURS).filter(|hour| *hour != BORDER);
    utility.read("m", IMPORT, there.map(|hour| (hour, hour))).await;
    utility.assign("m", "ann", at(0)).await;
    let draft = utility.draft("ann").await;
    let known =
        ["energy F1 230000 50.95", "energy F3 512000 92.16", "gap  2000 ", "fixed Meter  3.50"];
    assert_eq!(lines(&draft), known);
    let gap = &draft["lines"][2]["gap"];
    assert_eq!((&gap["lower"], &gap["upper"]), (&json!("0.36"), &json!("0.44")));
    assert_eq!((&draft["isOpen"], &draft["total"]), (&json!(true), &json!("146.61")));
    assert_eq!(draft["completeUntil"], at(BORDER - 1));
    let refused = utility.keep(ADAM, "ann").await;
    assert_eq!((refused.status, refused.problem().as_str()), (409, "bill_is_open"));
    assert_eq!(refused.json()["lines"], json!([{ "gap": gap }]));
    assert_eq!(utility.get(ADAM, "").await.json()["numResults"], 0);

    utility.read("m", IMPORT, [(BORDER, BORDER)].into_iter()).await;
    let draft = utility.draft("ann").await;
    let closed = ["energy F1 231000 51.17", "energy F3 513000 92.34", "fixed Meter  3.50"];
    assert_eq!(lines(&draft), closed);
    assert_eq!((&draft["isOpen"], &draft["total"]), (&json!(false), &json!("147.01")));
    for _ in 0..2 {
        let kept = utility.keep(ADAM, "ann").await;
        assert_eq!(kept.status, 200, "{kept:?}");
        let kept = kept.json();
        assert_eq!((&kept["token"], &kept["version"]), (&json!("ann-2027-01"), &json!(1)));
        assert_eq!((&kept["total"], &kept["owner"]), (&json!("147.01"), &json!("user:ann")));
    }

    // A corrected price, and the same bill in another version.
    let headers = format!("{ADAM}Content-Type: application/json\r\n");
    let other = tariff("0.2415").to_string();
    let answer = utility.0.ask("PUT", "/api/v1/tariffs/two", &headers, &other).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let kept = utility.keep(ADAM, "ann").await.json();
    assert_eq!((&kept["version"], &kept["total"]), (&json!(2), &json!("151.63")));
    let history = utility.get(ANN, "/ann-2027-01/history").await.json();
    let totals: Vec<_> =
        history["results"].as_array().unwrap().iter().map(|it| &it["total"]).collect();
    assert_eq!(totals, ["151.63", "147.01"]);
    utility.0.stop().await;
}

#[tokio::test]
async fn bills_are_for_their_owners_and_for_administrators() {
    let utility = Utility::start(&["ann", "bob"]).await;
    for who in [ANN, CARL, NOBODY] {
        let answer = utility.keep(who, "ann").await;
        let expected = if who == ANN {
            403
        } else if who == NOBODY {
            401
        } else {
            404
        };
        assert_eq!(answer.status, expected, "{answer:?}");
    }
    for customer in ["ann", "bob"] {
        assert_eq!(utility.keep(ADAM, customer).await.status, 200);
    }
    for (who, seen) in [(ADAM, &["ann", "bob"][..]), (ANN, &["ann"]), (BOB, &["bob"]), (CARL, &[])]
    {
        let list = utility.get(who, "?pageSize=1").await.json();
        assert_eq!(list["numResults"], seen.len(), "{list}");
        assert_eq!(list["results"].as_array().unwrap().len(), seen.len().min(1), "{list}");
        let beyond = utility.get(who, &format!("?pageSize=1&page={}", seen.len() + 1)).await;
        assert_eq!(beyond.json()["results"], json!([]));
        let list = utility.get(who, "").await.json();
        let tokens =
            list["results"].as_array().unwrap().iter().map(|bill| bill["customer"].clone());
        assert_eq!(tokens.collect::<Vec<_>>(), seen, "{list}");
        for customer in ["ann", "bob", "eve"] {
            let expected = if seen.contains(&customer) { 200 } else { 404 };
            for path in [
                format!("/{customer}-2027-01"),
                format!("/{customer}-2027-01/history"),
                format!("/draft?customer={customer}&month=2027-01"),
            ] {
                let answer = utility.get(who, &path).await;
                assert_eq!(answer.status, expected, "{path}: {answer:?}");
                if expected == 404 {
                    // As what is not there.
                    let absent = utility.get(who, &path.replace(customer, "xxx")).await;
                    let text = |answer: &Answer| String::from_utf8(answer.body.clone()).unwrap();
                    assert_eq!(text(&answer).replace(customer, "xxx"), text(&absent));
                }
            }
        }
    }
    for path in ["", "/ann-2027-01", "/x", "/draft?customer=ann&month=2027-01"] {
        assert_eq!(utility.get(NOBODY, path).await.status, 401, "{path}");
    }
    let tariffs = utility.0.ask("GET", "/api/v1/tariffs", NOBODY, "").await;
    assert_eq!(tariffs.status, 200, "prices are everybody's: {tariffs:?}");
    utility.0.stop().await;
}

#[tokio::test]
async fn a_customer_names_its_tariffs_where_there_are_several() {
    let utility = Utility::start(&["ann"]).await;
    utility.make("/api/v1/tariffs", with_token("other", tariff("0.5"))).await;
    assert_eq!(utility.refused("ann").await, "no_tariff");
    let change = async |tokens: &[&str]| {
        let body = json!({
            "category": "person", "name": "Ann", "user": "ann", "tariffTokens": tokens,
        });
        let headers = format!("{ADAM}Content-Type: application/json\r\n");
        let path = "/sitewhere/api/assets/ann";
        utility.0.ask("PUT", path, &headers, &body.to_string()).await
    };
    assert_eq!(change(&["none"]).await.status, 422);
    assert_eq!(change(&["other"]).await.status, 200);
    assert_eq!(lines(&utility.draft("ann").await)[0], "energy F1 231000 115.50");
    let answer = utility.0.ask("DELETE", "/api/v1/tariffs/other", ADAM, "").await;
    assert_eq!((answer.status, answer.problem().as_str()), (409, "document_is_used"));
    assert_eq!(change(&["two", "other"]).await.status, 200);
    assert_eq!(utility.refused("ann").await, "no_bill", "two prices at an instant");
    let mut elsewhere = tariff("0.5");
    elsewhere["zone"] = json!("UTC");
    utility.make("/api/v1/tariffs", with_token("elsewhere", elsewhere)).await;
    assert_eq!(change(&["two", "elsewhere"]).await.status, 200);
    assert_eq!(utility.refused("ann").await, "several_zones");
    utility.0.stop().await;
}

#[tokio::test]
async fn a_bill_is_of_what_the_customer_had_and_of_nothing_behind_it() {
    let utility = Utility::start(&["ann"]).await;
    // A load behind her meter, and what her panels feed in.
    let plug = json!({
        "hardwareId": "plug", "parentHardwareId": "m-ann", "status": "registered",
    });
    utility.make("/sitewhere/api/devices", plug).await;
    utility.read("plug", IMPORT, (0..=HOURS).map(|hour| (hour, hour))).await;
    utility.assign("plug", "ann", at(0)).await;
    utility.read("m-ann", EXPORT, [(0, 7), (HOURS, 107)].into_iter()).await;
    let draft = utility.draft("ann").await;
    let expected = [
        "energy F1 231000 51.17",
        "energy F3 513000 92.34",
        "energy Feed-in 100000 -10.00",
        "fixed Meter  3.50",
    ];
    assert_eq!(lines(&draft), expected);

    // What the meter showed before somebody had it is not theirs to see.
    let carl = json!({ "token": "carl", "category": "person", "name": "Carl", "user": "carl" });
    utility.make("/sitewhere/api/assets", carl).await;
    assert_eq!(utility.refused("carl").await, "no_register");
    utility.read("m-carl", IMPORT, (0..=HOURS).filter(|hour| *hour != 48).map(|it| (it, it))).await;
    utility.assign("m-carl", "carl", at(48)).await;
    let draft = utility.get(CARL, "/draft?customer=carl&month=2027-01").await.json();
    let open = draft["lines"].as_array().unwrap().iter().find_map(|line| line.get("gapOpen"));
    let open = open.unwrap();
    assert_eq!((&open["from"], &open["firstWh"]), (&json!(at(48)), &Value::Null), "{open}");
    assert_eq!((&open["until"], &open["lastWh"]), (&json!(at(49)), &json!(49_000)), "{open}");
    utility.0.stop().await;
}

#[tokio::test]
async fn what_is_no_month_is_refused() {
    let utility = Utility::start(&["ann"]).await;
    for month in ["2027-1", "2027-13", "2027-00", "1677-01", "2262-01", "+027-01", "2027-01-01"] {
        let path = format!("/draft?customer=ann&month={month}");
        let answer = utility.get(ADAM, &path).await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "wrong_parameter"), "{month}");
    }
    let answer = utility.get(ADAM, "/draft?customer=ann").await;
    assert_eq!((answer.status, answer.problem().as_str()), (400, "missing_parameter"));
    let headers = format!("{ADAM}Content-Type: application/json\r\n");
    let body = r#"{"customer":"ann","month":"soon"}"#;
    let answer = utility.0.ask("POST", "/api/v1/bills", &headers, body).await;
    assert_eq!((answer.status, answer.problem().as_str()), (422, "wrong_body"));
    // Before the meter was hers, and before any tariff.
    for (month, code) in [("2026-12", "no_register"), ("2025-12", "no_tariff")] {
        let path = format!("/draft?customer=ann&month={month}");
        let answer = utility.get(ADAM, &path).await;
        assert_eq!((answer.status, answer.problem().as_str()), (409, code), "{month}");
    }
    utility.0.stop().await;
}

/// A feed with the price of each hour, in cents by the hour of the day; one hour may have another.
fn spot(other: Option<(i64, Option<f64>)>) -> Value {
    let price = |hour: i64| match other {
        Some((of, price)) if of == hour => json!(price),
        _ => json!((10 + hour % 24) as f64 / 100.0),
    };
    let points: Vec<_> = (0..HOURS).map(|hour| json!([at(hour), price(hour)])).collect();
    json!({
        "name": "Day ahead", "kind": "price", "quantity": "price", "unit": "EUR/kWh",
        "validFrom": at(0), "validUntil": at(HOURS), "points": points,
    })
}

#[tokio::test]
async fn a_late_price_of_a_feed_closes_a_bill_and_a_corrected_one_rates_it_again() {
    let utility = Utility::start(&[]).await;
    utility.make("/api/v1/feeds", with_token("spot", spot(Some((30, None))))).await;
    let dynamic = json!({
        "token": "dynamic", "name": "Spot", "currency": "EUR", "zone": "Europe/Rome",
        "validFrom": "2026-01-01T00:00:00Z", "priceFeed": "spot",
    });
    utility.make("/api/v1/tariffs", dynamic.clone()).await;
    let ann = json!({
        "token": "ann", "category": "person", "name": "Ann", "user": "ann",
        "tariffTokens": ["dynamic"],
    });
    utility.make("/sitewhere/api/assets", ann).await;
    utility.read("m", IMPORT, (0..=HOURS).map(|hour| (hour, hour))).await;
    utility.assign("m", "ann", at(0)).await;
    let change = async |path: &str, body: Value| {
        let headers = format!("{ADAM}Content-Type: application/json\r\n");
        utility.0.ask("PUT", path, &headers, &body.to_string()).await
    };

    // Hour 30 has no price: its energy is known, and what it costs is not.
    let draft = utility.draft("ann").await;
    assert_eq!(draft["priceFeeds"], json!([{ "feed": "spot", "version": 1 }]));
    assert_eq!((&draft["isOpen"], &draft["completeUntil"]), (&json!(true), &json!(at(30))));
    assert_eq!(utility.keep(ADAM, "ann").await.status, 409);

    // Each hour of the day has 31 kWh a month: 31 x (24 x 0.10 + 0.01 x 276) = 159.96.
    assert_eq!(change("/api/v1/feeds/spot", spot(None)).await.status, 200);
    for _ in 0..2 {
        let kept = utility.keep(ADAM, "ann").await.json();
        assert_eq!((&kept["version"], &kept["total"]), (&json!(1), &json!("159.96")));
        assert_eq!(kept["pricesChanged"], json!(false));
    }
    let mut later = spot(None);
    later["name"] = json!("Other name");
    assert_eq!(change("/api/v1/feeds/spot", later).await.status, 200);
    assert_eq!(utility.keep(ADAM, "ann").await.json()["version"], 1, "the same prices");

    // Hour 30, at 06:00, costs 0.96 instead of 0.16.
    assert_eq!(change("/api/v1/feeds/spot", spot(Some((30, Some(0.96))))).await.status, 200);
    for _ in 0..2 {
        let kept = utility.keep(ADAM, "ann").await.json();
        assert_eq!((&kept["version"], &kept["total"]), (&json!(2), &json!("160.76")));
        assert_eq!(kept["priceFeeds"], json!([{ "feed": "spot", "version": 4 }]));
        assert_eq!(kept["pricesChanged"], json!(true));
    }

    let mut pounds = spot(None);
    pounds["unit"] = json!("GBP/kWh");
    let answer = change("/api/v1/feeds/spot", pounds).await;
    assert_eq!((answer.status, answer.problem().as_str()), (409, "other_prices"));
    let answer = utility.0.ask("DELETE", "/api/v1/feeds/spot", ADAM, "").await;
    assert_eq!((answer.status, answer.problem().as_str()), (409, "document_is_used"));
    let mut pounds = dynamic;
    pounds["currency"] = json!("GBP");
    let answer = change("/api/v1/tariffs/dynamic", pounds).await;
    assert_eq!((answer.status, answer.problem().as_str()), (409, "other_prices"));
    utility.0.stop().await;
}

#[tokio::test]
async fn a_feed_is_changed_by_administrators_and_by_who_has_a_grant_on_it() {
    const UMA: &str = "Authorization: Basic dW1hOmNvcnJlY3QgaG9yc2U=\r\n";
    let utility = Utility::start(&[]).await;
    let uma = json!({ "username": "uma", "password": "correct horse", "roles": ["utility"] });
    utility.make("/sitewhere/api/users", uma).await;
    utility.make("/api/v1/feeds", with_token("spot", spot(None))).await;
    utility.make("/api/v1/feeds", with_token("other", spot(None))).await;
    let put = async |who: &str, token: &str, body: Value| {
        let headers = format!("{who}Content-Type: application/json\r\n");
        let path = format!("/api/v1/feeds/{token}");
        utility.0.ask("PUT", &path, &headers, &body.to_string()).await
    };
    for who in [UMA, ANN] {
        assert_eq!(put(who, "spot", spot(None)).await.status, 403);
        let answer = utility.0.ask("GET", "/api/v1/feeds/spot", who, "").await;
        assert_eq!((answer.status, &answer.json()["version"]), (200, &json!(1)));
    }
    let grant = json!({
        "to": "user:uma", "on": "feed:spot", "actions": ["read", "write"], "quantities": ["*"],
        "from": "1970-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z", "purpose": "prices",
        "by": "user:bench",
    });
    utility.make("/api/v1/grants", grant).await;
    let changed = put(UMA, "spot", spot(Some((3, None)))).await;
    assert_eq!((changed.status, &changed.json()["version"]), (200, &json!(2)), "{changed:?}");
    assert_eq!(put(UMA, "other", spot(None)).await.status, 403);
    let history = utility.0.ask("GET", "/api/v1/feeds/spot/history", ANN, "").await.json();
    assert_eq!(history["results"][0]["points"][3][1], Value::Null);
    assert_eq!(history["results"][1]["points"][3][1], 0.13);
    let mut wrong = spot(None);
    wrong["points"][5][0] = json!(at(4));
    let answer = put(UMA, "spot", wrong).await;
    assert_eq!((answer.status, &answer.json()["field"]), (422, &json!("points[5]")));
    utility.0.stop().await;
}
