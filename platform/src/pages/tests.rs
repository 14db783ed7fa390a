//! Pages over a real socket, as a browser asks for them.

mod administration;
mod grid;
mod reports;
mod rules;
mod states;

use std::collections::BTreeMap;

use lastmeter_model::standing::Totals;
use lastmeter_units::{Epoch, HardwareId, MeasurementId, Serial, SimTime};
use lastmeter_wire::flexmeter::MeasurementMessage;
use serde_json::{Value, json};

use super::frame::{Need, PAGES};
use crate::ops::homes::{BREAKER, ENERGY, POWER, SENT_ENERGY};
use crate::rest::tests::{Answer, Served};
use crate::tests::commands::put;
use crate::tests::{store, time};

const PASSWORD: &str = "correct horse";
/// Monday, an hour and a quarter after local noon.
const NOW: &str = "2027-01-18T12:15:00Z";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

/// A platform with a household of `ann`, whose meter has a heater behind it, and one of `bob`.
struct Household(Served);

fn reading(device: &str, serial: u64, at: &str, values: &[(&str, f64)]) -> MeasurementMessage {
    let values = values.iter().map(|(name, value)| (MeasurementId::lookup(name).unwrap(), *value));
    let mut message = MeasurementMessage::new(HardwareId::new(device).unwrap(), values.collect());
    (message.epoch, message.serial) = (Some(Epoch(1)), Some(Serial(serial)));
    message.event_date = Some(time(at));
    message.update_state = true;
    message
}

/// What a report of Ann's home has, of a day before.
fn report() -> Value {
    let (from, until) = ("2027-01-16T23:00:00Z", "2027-01-17T23:00:00Z");
    let loads = json!([
        { "device": "p1", "energyKwh": 14.2, "percent": 59.2 },
        { "device": "p<2>", "energyKwh": 3.4, "percent": 14.1 },
    ]);
    json!({
        "plan": "plan", "name": "What took it", "kind": "NILM", "subject": "device:m1",
        "owner": "user:ann", "from": from, "until": until, "zone": "Europe/Rome", "made": until,
        "inputs": [{ "device": "m1", "readings": 95, "expected": 96 }],
        "missing": [{ "what": "readings", "device": "m1", "count": 1 }],
        "content": {
            "energyKwh": 24.0, "loads": loads, "unexplainedKwh": 6.4, "unexplainedPercent": 26.7,
        },
    })
}

impl Household {
    async fn start() -> Self {
        let served = Served::start().await;
        let made = async |path: &str, body: Value| {
            let answer = served.post(path, &body).await;
            assert_eq!(answer.status, 201, "{path}: {answer:?}");
        };
        made(
            "/api/v1/settings",
            json!({
                "token": "settings", "timeZone": "Europe/Rome", "currency": "EUR",
                "registration": "open",
            }),
        )
        .await;
        for name in ["ann", "bob"] {
            let user = json!({ "username": name, "password": PASSWORD, "roles": ["user"] });
            made("/sitewhere/api/users", user).await;
        }
        let admin = json!({ "username": "adam", "password": PASSWORD, "roles": ["tenant-admin"] });
        made("/sitewhere/api/users", admin).await;
        made(
            "/sitewhere/api/specifications",
            json!({
                "token": "plug", "name": "Plug", "quantities": [], "reportingPeriod": 900,
            }),
        )
        .await;
        let of =
            |user: &str| json!({ "token": user, "category": "person", "name": user, "user": user });
        for user in ["ann", "bob"] {
            made("/sitewhere/api/assets", of(user)).await;
        }
        for (device, name, parent, user) in [
            ("m1", "Home <b>meter</b>", None, "ann"),
            ("p1", "Heater", Some("m1"), "ann"),
            ("m2", "Other home", None, "bob"),
        ] {
            made(
                "/sitewhere/api/devices",
                json!({
                    "hardwareId": device, "specificationToken": "plug", "name": name,
                    "parentHardwareId": parent, "status": "registered",
                }),
            )
            .await;
            let of = json!({ "deviceHardwareId": device, "assetId": user });
            let answer = served.post("/sitewhere/api/assignments", &of).await;
            assert!([200, 201].contains(&answer.status), "{answer:?}");
        }
        let advance = json!({ "to": "2027-01-17T23:00:00Z" });
        assert_eq!(served.post("/api/v1/clock/advance", &advance).await.status, 200);
        let (mut messages, midnight) = (Vec::new(), time("2027-01-17T23:00:00Z"));
        for quarter in 0..=53_u64 {
            // Between 09:00 and 11:00 local time nothing came.
            if (37..=43).contains(&quarter) {
                continue;
            }
            let at = SimTime(midnight.0 + quarter as i64 * 900_000_000_000).to_string();
            let kwh = 100.0 + quarter as f64 * 0.25;
            messages.push(reading("m1", quarter + 1, &at, &[(ENERGY, kwh), (POWER, 1.2449)]));
        }
        messages.push(reading("p1", 1, NOW, &[(POWER, 0.82), (BREAKER, 1.0)]));
        messages.push(reading("m2", 1, NOW, &[(POWER, 3.3125)]));
        let advance = json!({ "to": NOW });
        assert_eq!(served.post("/api/v1/clock/advance", &advance).await.status, 200);
        store(&served.bench.core, &messages).await;
        put(&served.bench.core, "report", "p1", report()).await;
        Self(served)
    }

    async fn form(&self, path: &str, cookie: &str, body: &str) -> Answer {
        let headers = format!("Sec-Fetch-Site: same-origin\r\n{FORM}{cookie}");
        self.0.ask("POST", path, &headers, body).await
    }

    /// Signs in; the header of the cookie.
    async fn sign_in(&self, name: &str) -> String {
        let form = format!("name={name}&password={}", PASSWORD.replace(' ', "+"));
        let answer = self.form("/sign-in", "", &form).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        cookie_of(&answer)
    }

    async fn page(&self, path: &str, cookie: &str) -> (u16, String) {
        let answer = self.0.ask("GET", path, cookie, "").await;
        (answer.status, String::from_utf8(answer.body).unwrap())
    }
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let begin = format!("{name}: ");
    answer.head.lines().find_map(|line| line.strip_prefix(begin.as_str()))
}

fn cookie_of(answer: &Answer) -> String {
    let cookie = header(answer, "set-cookie").unwrap();
    assert!(cookie.contains("httponly") && cookie.contains("samesite=lax"), "{cookie}");
    format!("Cookie: {}\r\n", cookie.split(';').next().unwrap())
}

/// The exact numbers of a page, in their order.
fn numbers(page: &str) -> Vec<String> {
    let all = page.split("<data value=\"").skip(1);
    all.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_cookie_comes_of_the_right_password_alone_and_ends_with_the_log_in() {
    let household = Household::start().await;
    let answer = household.0.ask("GET", "/history?per=week", "", "").await;
    assert_eq!(answer.status, 303);
    assert_eq!(header(&answer, "location"), Some("/sign-in?back=%2fhistory%3fper%3dweek"));
    let mut wrong = Vec::new();
    for name in ["ann", "nobody", "nowhere/ann"] {
        let body = format!("name={name}&password=wrong+horse");
        let answer = household.form("/sign-in", "", &body).await;
        assert_eq!((answer.status, header(&answer, "set-cookie")), (422, None));
        wrong.push(
            String::from_utf8(answer.body).unwrap().replace(&name.replace('/', "&#x2f;"), "NAME"),
        );
    }
    assert!(wrong[0].contains("Name or password is wrong"), "{}", wrong[0]);
    assert!(wrong.iter().all(|page| *page == wrong[0]));
    let form = "name=ann&password=correct+horse&back=%2Fhistory%3Fper%3Dweek";
    let answer = household.form("/sign-in", "", form).await;
    assert_eq!((answer.status, header(&answer, "location")), (303, Some("/history?per=week")));
    let cookie = cookie_of(&answer);
    for foreign in ["%2F%2Fhost", "%2F%5Chost", "https%3A%2F%2Fhost"] {
        let form = format!("name=ann&password=correct+horse&back={foreign}");
        let answer = household.form("/sign-in", "", &form).await;
        assert_eq!(header(&answer, "location"), Some("/now"), "{foreign}");
    }
    assert_eq!(household.page("/now", &cookie).await.0, 200);
    // It is for pages alone.
    let value = cookie.trim().split_once('=').unwrap().1;
    for headers in [cookie.clone(), format!("Authorization: Bearer {value}\r\n")] {
        let answer = household.0.ask("GET", "/api/v1/latest?device=m1", &headers, "").await;
        assert_eq!(answer.status, 401, "{headers}");
    }
    assert_eq!(household.form("/sign-out", &cookie, "").await.status, 303);
    assert_eq!(household.page("/now", &cookie).await.0, 303);
    household.0.stop().await;
}

#[tokio::test]
async fn a_form_from_elsewhere_does_nothing() {
    let household = Household::start().await;
    let cookie = household.sign_in("ann").await;
    for origin in [
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\nOrigin: http://localhost\r\n",
        "Sec-Fetch-Site: none\r\n",
        "Origin: http://elsewhere\r\n",
        "Origin: null\r\n",
        "",
    ] {
        let headers = format!("{origin}{FORM}{cookie}");
        for path in ["/sign-out", "/sign-in", "/devices/p1/command", "/account"] {
            let answer = household.0.ask("POST", path, &headers, "").await;
            assert_eq!(answer.status, 403, "{origin} {path}");
        }
    }
    assert_eq!(household.page("/now", &cookie).await.0, 200);
    let large = household.form("/sign-in", "", &format!("name={}", "x".repeat(70_000))).await;
    assert_eq!(large.status, 413);
    let headers = format!("Origin: http://localhost\r\n{FORM}{cookie}");
    assert_eq!(household.0.ask("POST", "/sign-out", &headers, "").await.status, 303);
    household.0.stop().await;
}

#[tokio::test]
async fn each_page_is_a_whole_document_for_those_whom_it_is_for_and_nowhere_for_others() {
    let household = Household::start().await;
    let mut cookies = BTreeMap::from([("nobody", String::new())]);
    for name in ["ann", "adam"] {
        cookies.insert(name, household.sign_in(name).await);
    }
    let nowhere = household.page("/no/such/page", "Accept: text/html\r\n").await;
    assert_eq!(nowhere.0, 404);
    assert!(nowhere.1.contains("does not exist, or is not shared with you"));
    for page in PAGES.iter().filter(|page| page.path != "/") {
        let path = page.path.replace("{id}", "p1");
        for (name, cookie) in &cookies {
            let answer = household.0.ask("GET", &path, cookie, "").await;
            let expected = match (*name, page.needs) {
                (_, Need::Nothing) if page.path == "/sign-in" && *name != "nobody" => 303,
                (_, Need::Nothing) => 200,
                ("nobody", _) => 303,
                // Of what she owns she sees what was refused.
                ("ann", _) if page.path == "/admin/rejected" => 200,
                ("ann", _) if page.path.starts_with("/admin") => 404,
                ("ann", _) if page.path.starts_with("/grid") => 404,
                ("ann", _) if page.path == "/sharing/{id}" => 404,
                ("ann", _) if ["/networks/{id}", "/nodes/{id}"].contains(&page.path) => 404,
                // What a tenant grants has a purpose, and is no share.
                ("adam", _) if page.path.starts_with("/shar") => 404,
                ("ann", _) if page.path == "/groups" => 200,
                ("adam", _) if page.path.contains('{') && !page.path.starts_with("/reports") => 404,
                _ => 200,
            };
            assert_eq!(answer.status, expected, "{path} {name}: {answer:?}");
            for (header_name, part) in [
                ("content-security-policy", "default-src 'none'; script-src 'self'"),
                ("cache-control", "no-store"),
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "same-origin"),
            ] {
                let given = header(&answer, header_name).unwrap_or_default();
                assert!(given.contains(part), "{path} {header_name}: {given}");
            }
            let text = String::from_utf8(answer.body).unwrap();
            if expected != 303 {
                whole(&path, &text);
            }
            if expected == 200 {
                assert!(text.contains(&format!("data-state=\"{}\"", page.state)), "{path}");
                parts(&household, &path, cookie, &text).await;
            }
        }
    }
    household.0.stop().await;
}

/// Checks what holds of every document.
fn whole(path: &str, text: &str) {
    for forbidden in [" style=", "<style", "http://", "https://", "onclick", "@import"] {
        let at = text.replace("http://www.w3.org/2000/svg", "").find(forbidden);
        assert_eq!(at, None, "{path} has `{forbidden}`");
    }
    for once in ["<h1>", "<main ", " · lastmeter</title>", "lang=\"en\""] {
        assert_eq!(text.matches(once).count(), 1, "{path}: {once}");
    }
    let ids: Vec<&str> =
        text.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ids.len(), "{path}: {ids:?}");
    assert!(text.len() < 60_000, "{path}: {} bytes", text.len());
}

/// Each part of a page can be had alone.
async fn parts(household: &Household, path: &str, cookie: &str, text: &str) {
    let elements = text.split('<').filter(|element| element.contains(" data-part"));
    for element in elements {
        let id = element.split(" id=\"").nth(1).unwrap().split('"').next().unwrap();
        let headers = format!("{cookie}X-Part: {id}\r\n");
        let answer = household.0.ask("GET", path, &headers, "").await;
        let part = String::from_utf8(answer.body).unwrap();
        assert_eq!(answer.status, 200, "{path} {id}");
        assert!(text.contains(part.trim()) && !part.contains("<main"), "{path} {id}");
    }
    let answer = household.0.ask("GET", path, &format!("{cookie}X-Part: none\r\n"), "").await;
    assert_eq!(answer.status, 404, "{path}");
}

#[tokio::test]
async fn what_a_page_shows_is_what_rest_gives_and_of_nobody_else() {
    let household = Household::start().await;
    let cookie = household.sign_in("ann").await;
    let (_, page) = household.page("/now", &cookie).await;
    // 13 hours and a quarter of 0.25 kWh each quarter, the gap within included.
    assert_eq!(numbers(&page)[..3], ["1.2449", "13.25", "0.82"], "{page}");
    assert!(page.contains("1.24&nbsp;kW") && page.contains("820&nbsp;W"), "{page}");
    assert!(page.contains("Readings were missing from 09:00 to 11:00"), "{page}");
    assert!(page.contains("The meter counted on: 2.00 kWh"), "{page}");
    let latest = household.0.ok("/api/v1/latest?device=m1").await;
    let power = latest["results"][0]["values"].as_array().unwrap();
    let power = power.iter().find(|value| value["quantity"] == POWER).unwrap();
    assert_eq!(power["value"].to_string(), "1.2449");
    // Names are text.
    let (_, list) = household.page("/devices", &cookie).await;
    assert!(list.contains("Home &lt;b&gt;meter&lt;&#x2f;b&gt;"), "{list}");
    for other in ["m2", "Other home", "3.3125"] {
        assert!(!list.contains(other) && !page.contains(other), "{other}");
    }
    let bob = household.sign_in("bob").await;
    let (_, page) = household.page("/now", &bob).await;
    assert_eq!(numbers(&page), ["3.3125"]);
    // What is another's is as what is not there, for pages and forms.
    let hidden = household.page("/devices/p1", &bob).await;
    let absent = household.page("/devices/p9", &bob).await;
    assert_eq!((hidden.0, &hidden), (404, &absent));
    for device in ["p1", "p9"] {
        let path = format!("/devices/{device}/command");
        let answer = household.form(&path, &bob, "command=setBreaker&p.state=open").await;
        assert_eq!(answer.status, 404, "{device}");
    }
    household.0.stop().await;
}

#[tokio::test]
async fn the_table_of_a_day_sums_up_to_the_register() {
    let household = Household::start().await;
    let cookie = household.sign_in("ann").await;
    let (status, csv) = household.page("/history?s=m1&as=csv", &cookie).await;
    assert_eq!(status, 200);
    let rows: Vec<Vec<&str>> = csv.lines().skip(1).map(|row| row.split(',').collect()).collect();
    let sum: f64 = rows.iter().filter_map(|row| row[4].parse::<f64>().ok()).sum();
    assert!((sum - 13.25).abs() < 1e-9, "{csv}");
    let only_total: Vec<_> = rows.iter().filter(|row| row[5] == "only the total known").collect();
    assert_eq!(only_total.len(), 1, "{csv}");
    assert_eq!(only_total[0][3..5], ["2027-01-18T09:00:00+01:00", "2.0"]);
    let missing: Vec<&str> =
        rows.iter().filter(|row| row[5] == "missing").map(|row| &row[3][11..16]).collect();
    assert_eq!(missing, ["09:00", "10:00"], "{csv}");
    // The days of a change of the clocks have 23 and 25 hours.
    for (day, hours) in [("2026-03-29", 23), ("2026-10-25", 25)] {
        let (_, csv) = household.page(&format!("/history?s=m1&at={day}&as=csv"), &cookie).await;
        assert_eq!(csv.lines().count() - 1, hours, "{csv}");
    }
    household.0.stop().await;
}

#[tokio::test]
async fn a_view_is_kept_found_again_and_removed_by_its_maker_alone() {
    let household = Household::start().await;
    let (ann, bob) = (household.sign_in("ann").await, household.sign_in("bob").await);
    let form = |name: &str, per: &str| format!("name={name}&s=m1&q={ENERGY}&per={per}");
    for (name, per) in [("", "week"), ("Mine", "hour")] {
        assert_eq!(household.form("/history", &ann, &form(name, per)).await.status, 422);
    }
    let kept = household.form("/history", &ann, &form("My+%3Cb%3Eweek", "week")).await;
    assert_eq!(kept.status, 303, "{kept:?}");
    let address = header(&kept, "location").unwrap().to_owned();
    let (status, page) = household.page(&address, &ann).await;
    assert!(status == 200 && page.contains("data-state=\"V5\""), "{page}");
    assert!(page.contains("<h1>My &lt;b&gt;week</h1>") && page.contains("Remove this view"));
    let (_, page) = household.page("/history", &ann).await;
    assert!(page.contains("data-state=\"V4\"") && page.contains("My &lt;b&gt;week"), "{page}");
    // The heads of answers are read in lower case, and so are the letters of the token.
    let remove = page.split("href=\"").find(|rest| rest.contains("My &lt;b&gt;week")).unwrap();
    let token = remove.split("&amp;v=").nth(1).or(remove.split("&v=").nth(1)).unwrap();
    let remove = format!("/history/views/{}/remove", token.split('"').next().unwrap());
    assert!(!household.page("/history", &bob).await.1.contains("week</a>"));
    assert_eq!(household.form(&remove, &bob, "").await.status, 404);
    assert_eq!(household.form(&remove, &ann, "").await.status, 303);
    assert!(!household.page("/history", &ann).await.1.contains("My &lt;b&gt;week"));
    household.0.stop().await;
}

#[tokio::test]
async fn a_command_is_followed_until_it_is_read_back() {
    let household = Household::start().await;
    let cookie = household.sign_in("ann").await;
    let (_, page) = household.page("/devices/p1", &cookie).await;
    assert!(page.contains("Switch off"), "{page}");
    let body = "command=setBreaker&p.state=open";
    let answer = household.form("/devices/p1/command", &cookie, body).await;
    assert_eq!(header(&answer, "location"), Some("/devices/p1#commands"), "{answer:?}");
    let (_, page) = household.page("/devices/p1", &cookie).await;
    let part = page.split("class=\"steps\"").nth(1).unwrap_or_default();
    assert!(
        page.contains("data-state=\"V3c\"") && part.contains("data-command=\"Pending\""),
        "{part}"
    );
    assert!(page.contains("by user:ann") || page.contains("by ann"), "{page}");
    // What its device does not take is stated, and nothing is made of it.
    let wrong = household.form("/devices/p1/command", &cookie, "command=setBreaker").await;
    assert_eq!(wrong.status, 422);
    let text = String::from_utf8(wrong.body).unwrap();
    assert!(text.contains("role=\"alert\"") && text.contains("state"), "{text}");
    let id = page.split("name=\"id\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let answer = household.form("/devices/p1/cancel", &cookie, &format!("id={id}")).await;
    assert_eq!(answer.status, 303);
    let (_, page) = household.page("/devices/p1", &cookie).await;
    assert!(page.contains("data-command=\"Failed\"") && page.contains("data-state=\"V3\""));
    household.0.stop().await;
}

#[tokio::test]
async fn an_account_changes_its_profile_and_password_and_signs_out_elsewhere() {
    let household = Household::start().await;
    let (here, there) = (household.sign_in("ann").await, household.sign_in("ann").await);
    let zone = "fullName=Ann+Rossi&email=&phone=&timeZone=Europe%2FAthens";
    assert_eq!(household.form("/account", &here, zone).await.status, 303);
    let (_, page) = household.page("/devices/p1", &here).await;
    assert!(page.contains("+02:00\""), "{page}");
    let wrong = household.form("/account", &here, "fullName=Ann&timeZone=Mars").await;
    let text = String::from_utf8(wrong.body).unwrap();
    assert!(wrong.status == 422 && text.contains("value=\"Mars\""), "{text}");
    assert_eq!(household.form("/account/sign-out-elsewhere", &here, "").await.status, 303);
    assert_eq!(household.page("/now", &there).await.0, 303);
    let body = "password=wrong&new-password=another+horse";
    assert_eq!(household.form("/account/password", &here, body).await.status, 422);
    let body = "password=correct+horse&new-password=short";
    assert_eq!(household.form("/account/password", &here, body).await.status, 422);
    let body = "password=correct+horse&new-password=another+horse";
    let answer = household.form("/account/password", &here, body).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert_eq!(household.page("/now", &here).await.0, 303);
    assert_eq!(household.page("/now", &cookie_of(&answer)).await.0, 200);
    household.0.stop().await;
}

#[tokio::test]
async fn an_administrators_code_opens_a_new_password_and_nothing_else() {
    let household = Household::start().await;
    let made = household.0.post("/sitewhere/api/users/ann/reset", &json!({})).await;
    let code = made.json()["code"].as_str().unwrap().to_owned();
    let form = format!("name=ann&password={code}");
    let answer = household.form("/sign-in", "", &form).await;
    assert_eq!((answer.status, header(&answer, "set-cookie")), (200, None));
    let refused = household.form("/sign-in", "", &format!("{form}&new-password=ann")).await;
    assert_eq!((refused.status, header(&refused, "set-cookie")), (422, None));
    let answer = household.form("/sign-in", "", &format!("{form}&new-password=new+horse")).await;
    assert_eq!((answer.status, header(&answer, "location")), (303, Some("/now")));
    let again = household.form("/sign-in", "", &format!("{form}&new-password=newer+horse")).await;
    assert_eq!(again.status, 422);
    household.0.stop().await;
}

#[tokio::test]
async fn a_bill_shows_what_is_known_with_its_arithmetic_and_stays_open_for_the_rest() {
    let household = Household::start().await;
    let (ann, bob) = (household.sign_in("ann").await, household.sign_in("bob").await);
    let (_, page) = household.page("/bills", &ann).await;
    assert!(page.contains("No tariff was yours in Jan 2027"), "{page}");
    let (_, page) = household.page("/now", &ann).await;
    assert!(!page.contains("standing charges"), "nothing costs anything: {page}");
    let tariff = json!({
        "token": "t", "name": "Home", "currency": "EUR", "zone": "Europe/Rome",
        "validFrom": "2026-01-01T00:00:00Z",
        "imports": [{ "name": "Base", "price": "0.2" }],
        "exports": [{ "name": "Sold", "price": "0.1" }],
    });
    let made = household.0.post("/api/v1/tariffs", &tariff).await;
    assert_eq!(made.status, 201, "{made:?}");
    let (status, page) = household.page("/bills", &ann).await;
    assert_eq!(status, 200);
    // 13.25 kWh at 0.20, the two hours without readings included: they had one price.
    assert!(page.contains("<data value=\"2.65\">"), "{page}");
    assert!(page.contains("Base, taken from the grid") && page.contains("only the total known"));
    assert!(page.contains("Open: a part is not known"), "{page}");
    // Of today it is the same; of yesterday nothing is known, which is not zero.
    let (_, now) = household.page("/now", &ann).await;
    assert!(now.contains("Today so far") && now.contains("<data value=\"2.65\">"), "{now}");
    assert!(!now.contains("Yesterday") && !now.contains("<data value=\"0.00\">"), "{now}");
    assert!(!now.contains("sent to the grid brought") && !now.contains("From the grid today"));
    // What is sent stands beside what is taken, and does not make it cheaper.
    let sent = [("2027-01-17T23:00:00Z", 300, 5.0), ("2027-01-18T12:00:00Z", 301, 7.0)];
    let sent = sent.map(|(at, serial, kwh)| reading("m1", serial, at, &[(SENT_ENERGY, kwh)]));
    store(&household.0.bench.core, &sent).await;
    let (_, now) = household.page("/now", &ann).await;
    assert!(now.contains("<data value=\"2.65\">") && now.contains("From the grid today"), "{now}");
    assert!(now.contains("2.00&nbsp;kWh</data> sent to the grid brought"), "{now}");
    assert!(now.contains("<data value=\"0.20\">"), "{now}");
    assert!(now.contains("<data value=\"2.45\">") && now.contains("</data> in all."), "{now}");
    // What it pays by: one price, at all times of the seven days.
    assert!(page.contains("href=\"&#x2f;tariff?customer=ann\""), "{page}");
    let (status, page) = household.page("/tariff?customer=ann", &ann).await;
    assert_eq!(status, 200);
    assert!(page.contains("<p class=\"lead\"><data value=\"0.2\">") && page.contains("always"));
    assert!(page.contains("0.2 EUR for 1 kWh"), "{page}");
    assert_eq!(household.page("/tariff?customer=ann", &bob).await.0, 404);
    assert_eq!(household.page("/bills?customer=ann", &bob).await.0, 404);
    assert_eq!(household.page("/bills?customer=nobody", &bob).await.0, 404);
    household.0.stop().await;
}

#[tokio::test]
async fn what_is_always_on_and_a_month_beside_the_one_before_are_of_the_register() {
    let household = Household::start().await;
    let (ann, bob) = (household.sign_in("ann").await, household.sign_in("bob").await);
    let (_, page) = household.page("/awareness", &ann).await;
    assert!(page.contains("No day of this month is known yet") && !page.contains("Always on"));
    // 50 W from the first of December on, up to midnight, where the register stands at 100 kWh.
    let hourly = json!({ "name": "Plug", "quantities": [], "reportingPeriod": 3600 });
    put(&household.0.bench.core, "specification", "plug", hourly).await;
    let midnight = time("2027-01-17T23:00:00Z");
    let hours = (midnight.0 - time("2026-11-30T23:00:00Z").0) / 3_600_000_000_000;
    let past = (1..=hours).map(|hour| {
        let at = SimTime(midnight.0 - hour * 3_600_000_000_000).to_string();
        reading("m1", 1_000 + hour as u64, &at, &[(ENERGY, 100.0 - 0.05 * hour as f64)])
    });
    store(&household.0.bench.core, &past.collect::<Vec<_>>()).await;
    let (_, page) = household.page("/awareness", &ann).await;
    // 17 whole days of each month, 24 x 0.05 kWh a day.
    assert_eq!(page.matches("20.4&nbsp;kWh").count(), 2, "{page}");
    // The hour before the readings came again is in a step with the next one.
    assert!(page.contains("50&nbsp;W") && page.contains("167 of 168 hours are known"), "{page}");
    assert!(!page.contains("That saves"), "without a contract: {page}");
    let tariff = json!({
        "token": "t", "name": "Home", "currency": "EUR", "zone": "Europe/Rome",
        "validFrom": "2026-01-01T00:00:00Z", "imports": [
            { "name": "Night", "price": "0.1" },
            { "name": "Day", "from": "08:00:00", "until": "19:00:00", "price": "0.3" },
        ],
    });
    assert_eq!(household.0.post("/api/v1/tariffs", &tariff).await.status, 201);
    let (_, page) = household.page("/awareness", &ann).await;
    assert!(page.contains("a month at your prices") && page.contains("That saves"), "{page}");
    assert!(page.contains("Move what can wait"), "{page}");
    // What is answered is put away, and can be had again.
    let answered = async |key: &str, answer: &str| {
        let form = format!("answer={answer}");
        household.form(&format!("/awareness/{key}"), &ann, &form).await.status
    };
    assert_eq!(answered("switch-off", "not-for-me").await, 303);
    let (_, away) = household.page("/awareness", &ann).await;
    assert!(!away.contains("<strong>Find what is always on"), "{away}");
    assert!(away.contains("nobody needs: not for me") && away.contains("Show again"), "{away}");
    assert_eq!(answered("switch-off", "").await, 303);
    let (_, again) = household.page("/awareness", &ann).await;
    assert_eq!(again, page);
    assert_eq!(answered("nothing", "done").await, 404);
    // A group of fewer than fifteen is none, and nobody sees another's.
    assert!(page.contains("no group to compare with yet"), "{page}");
    let (_, page) = household.page("/awareness", &bob).await;
    assert!(!page.contains("20.4"), "{page}");
    household.0.stop().await;
}
