//! What `ROUTES` declares is what is served: every row with good and with bad input, methods that
//! it does not have, and the descriptions made from it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use lastmeter_units::HardwareId;

use super::*;
use crate::rest::openapi::{PROBLEMS, TEXT, document};
use crate::rest::parameter::{ASSIGNMENT, EXAMPLE_DEVICE, Parameter, ParameterValue};
use crate::rest::routes::{Route, Verb, all, allowed};
use crate::tests::commands::put;
use crate::tests::numbered::{block, result, take};
use crate::tests::set_period;

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// A platform on which what the examples name exists.
async fn served() -> Served {
    // Every row is asked under a wrong secret, without the pace of who guesses.
    let gate = Gate::new(GuessLimits { burst: 1_000_000, ..GuessLimits::default() });
    let served = Served::behind(gate, |_| {}).await;
    store(&served.bench.core, &[reading(EXAMPLE_DEVICE, Some(1), 230.0)]).await;
    set_period(&served.bench.core, EXAMPLE_DEVICE, "5", 4e9).await;
    // What raises alarms is not asked for.
    let alarm = json!({
        "source": "rule:x.a", "type": "peak", "level": "Error", "text": "", "active": true,
        "count": 1, "first": START, "last": START,
    });
    put(&served.bench.core, "alarm", "x.a", alarm).await;
    customer(&served).await;
    let user = json!({ "username": "ann", "password": "correct horse", "roles": ["user"] });
    assert_eq!(served.post("/sitewhere/api/users", &user).await.status, 201);
    let told = json!({
        "owner": "user:ann", "channel": "email", "subject": "Peak", "text": "", "level": "Info",
        "cause": "rule:x.a", "at": START, "state": "sent", "settled": START,
    });
    put(&served.bench.core, "notification", "x.a", told).await;
    let plan = json!({
        "name": "Energy", "kind": "consumption", "subject": "device:meter-2", "period": "day",
        "disabled": true,
    });
    put(&served.bench.core, "report_plan", "plan-1", plan).await;
    let report = json!({
        "plan": "plan-1", "name": "Energy", "kind": "consumption", "subject": "device:meter-2",
        "from": "2027-01-17T00:00:00Z", "until": START, "zone": "UTC", "made": START, "inputs": [],
        "missing": [], "content": {},
    });
    put(&served.bench.core, "report", "plan-1-2027-01-17", report).await;
    node(&served).await;
    let feeder = crate::ops::grid::tests::network(2, &[(0, 1, true)], &[]);
    put(&served.bench.core, "electric_network", "feeder-1", feeder).await;
    let recorder = HardwareId::new("recorder-1").unwrap();
    let sent = block(&recorder, (1, 1), (time(START), 1600.0));
    take(&served.bench.core, (&recorder, "block"), sent).await.unwrap();
    let application = HardwareId::new("outages").unwrap();
    let concluded = result(&application, (1, 1), (time(START), "outage"), &outage());
    take(&served.bench.core, (&application, "result"), concluded).await.unwrap();
    served
}

/// The content of the outage of the examples.
fn outage() -> Value {
    json!({ "network": "x.a", "state": "detected", "areas": [], "since": START })
}

/// The node of the examples of networks, which waits to be registered.
async fn node(served: &Served) {
    let (core, id) = (&served.bench.core, "00158d0000000091");
    store(core, &[reading(id, Some(1), 230.0)]).await;
    put(core, "device", id, json!({ "status": "recognised", "nodeAddress": id })).await;
    // The divisor of its power was 10, and is 100 now.
    let context = "01040b000506210a0001040b010506216400";
    let node = json!({
        "fieldNetworkToken": "n", "state": "joined", "address": 7, "context": context,
    });
    put(core, "node", id, node).await;
    let network = json!({
        "type": "zigbee", "name": "Home", "gatewayAddress": "00124b0001abcdee", "gatewayNumber": 7,
        "state": "active",
    });
    put(core, "field_network", "n", network).await;
    let sent = json!({ "fieldNetworkToken": "n", "taken": START, "frame": "0a" });
    put(core, "node_configuration", id, sent).await;
}

/// The customer of the examples of bills, with a month that is whole.
async fn customer(served: &Served) {
    let core = &served.bench.core;
    let tariff = json!({
        "name": "One price", "currency": "EUR", "zone": "UTC",
        "validFrom": "2026-01-01T00:00:00Z", "imports": [{ "name": "F0", "price": "0.2" }],
    });
    put(core, "tariff", "tariff-1", tariff).await;
    let asset = json!({ "category": "person", "name": "Ann", "tariffTokens": ["tariff-1"] });
    put(core, "asset", "customer-1", asset).await;
    let (begin, end) = ("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z");
    let assignment = json!({
        "deviceHardwareId": "meter-2", "customerId": "customer-1", "status": "active",
        "activeDate": begin,
    });
    put(core, "assignment", "customer-1", assignment).await;
    let register = MeasurementId::lookup("electricity.energy.active.consumed.total").unwrap();
    for (serial, at, kwh) in [(1, begin, 5.0), (2, end, 105.0)] {
        let mut message = reading("meter-2", Some(serial), 230.0);
        (message.values, message.event_date) = (vec![(register, kwh)], Some(time(at)));
        store(core, &[message]).await;
    }
}

fn authorization() -> String {
    format!("Authorization: Bearer {TOKEN}\r\n")
}

/// A value that can exist.
fn good(parameter: &Parameter) -> String {
    let example = parameter.example.map(ToOwned::to_owned);
    example.unwrap_or_else(|| match parameter.value {
        ParameterValue::Text | ParameterValue::Texts => panic!("no example: {}", parameter.name),
        ParameterValue::Word(words) => words[0].to_owned(),
        ParameterValue::Instant => START.to_owned(),
        ParameterValue::Whole { default, .. } => default.to_string(),
    })
}

/// The path of a row with its variable, and the parameters of the query that `is_given` selects.
fn path(route: &Route, is_given: impl Fn(&Parameter) -> bool) -> String {
    let mut path = route.path.to_owned();
    for variable in route.parameters.iter().filter(|one| route.has_in_path(one)) {
        path = path.replace(&format!("{{{}}}", variable.name), &good(variable));
    }
    let other_form = ["measurementId", "startDate", "endDate", "after"];
    let is_of_form = |name| route.path != "/api/v1/series" || !other_form.contains(&name);
    let given = route.query().filter(|one| is_given(one) && is_of_form(one.name));
    let query: Vec<String> = given.map(|one| format!("{}={}", one.name, good(one))).collect();
    format!("{path}?{}", query.join("&"))
}

/// Whether a row is for one's own account, which the bench has not, or for a key under a token that
/// nobody knows before. The tests of the whole chain go through them.
fn is_for_users(route: &Route) -> bool {
    let paths = ["/api/v1/account", "/api/v1/tokens", "/api/v1/keys/", "/api/v1/credentials/"];
    // Rules are answered to by whom they are offered.
    let is_answer = route.path.starts_with("/api/v1/rules/{token}/");
    is_answer && route.method == Verb::Post || paths.iter().any(|path| route.path.starts_with(path))
}

/// All rows, those that remove something last, and what was made first removed last.
fn in_turn() -> impl Iterator<Item = &'static Route> {
    // A command is called off before it expires.
    let is_removal = |route: &&Route| {
        let is_command = route.path.starts_with("/sitewhere/api/invocations/");
        route.method == Verb::Delete && !is_command
    };
    let mut removals: Vec<_> = all().filter(is_removal).collect();
    removals.reverse();
    all().filter(move |route| !is_removal(route)).chain(removals)
}

/// Whether the body of a row is text and no JSON.
fn takes_text(route: &Route) -> bool {
    let operation = &DOCUMENT["paths"][route.path]["post"];
    operation["requestBody"]["content"].get("application/x-ndjson").is_some()
}

/// The body of a row's example.
fn body(route: &Route) -> String {
    if takes_text(route) {
        return "\n".to_owned();
    }
    let operation = &DOCUMENT["paths"][route.path][route.method.word().to_lowercase()];
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    resolved(&DOCUMENT, schema)["examples"][0].to_string()
}

async fn send(served: &Served, route: &Route, path: &str, body: Option<&str>) -> Answer {
    let kind = if takes_text(route) { "x-ndjson" } else { "json" };
    let declared = format!("Content-Type: application/{kind}\r\n");
    let has_type = body.is_some() || (route.takes.is_none() && route.method.is_declared());
    let json_type = if has_type { &declared } else { "" };
    let headers = format!("{}{json_type}", authorization());
    served.ask(route.method.word(), path, &headers, body.unwrap_or("")).await
}

/// A schema or what it refers to.
fn resolved(document: &Value, schema: &Value) -> Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).unwrap().clone(),
        None => schema.clone(),
    }
}

/// Checks that a value has the members that its schema requires and no others, all the way down.
fn check_members(document: &Value, schema: &Value, value: &Value, place: &str) {
    let schema = resolved(document, schema);
    // Anything.
    if schema == true {
        return;
    }
    if let Some(cases) = schema["anyOf"].as_array() {
        if !value.is_null() {
            check_members(document, &cases[0], value, place);
        }
        return;
    }
    match value {
        Value::Array(items) => {
            for item in items {
                check_members(document, &schema["items"], item, place);
            }
        }
        Value::Object(members) => {
            for name in schema["required"].as_array().into_iter().flatten() {
                assert!(members.contains_key(name.as_str().unwrap()), "{place}: no {name}");
            }
            for (name, member) in members {
                let known = schema["properties"].get(name);
                let known = known.or_else(|| schema.get("additionalProperties"));
                let known = known.unwrap_or_else(|| panic!("{place}: `{name}` is not described"));
                check_members(document, known, member, &format!("{place}.{name}"));
            }
        }
        _ => {}
    }
}

#[test]
fn the_openapi_description_is_the_one_in_the_repository() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &*TEXT).unwrap();
    }
    let found = std::fs::read_to_string(file).unwrap_or_default();
    assert!(found == *TEXT, "platform/openapi.json is old; run the test with UPDATE_GOLDEN=1");
}

#[test]
fn rows_are_complete_and_each_has_its_own_place() {
    let mut places = BTreeSet::new();
    let described: BTreeSet<u16> = PROBLEMS.iter().map(|problem| problem.status).collect();
    for route in all() {
        let place = format!("{} {}", route.method.word(), route.path);
        assert!(places.insert(place.clone()), "{place} stands twice");
        assert!(route.variables().count() <= 3, "{place}: three variables at most");
        let in_path = route.parameters.iter().filter(|one| route.has_in_path(one));
        let in_path: Vec<&str> = in_path.map(|one| one.name).collect();
        assert_eq!(in_path, route.variables().collect::<Vec<_>>(), "{place}: its variables");
        let names: BTreeSet<&str> = route.parameters.iter().map(|one| one.name).collect();
        assert_eq!(names.len(), route.parameters.len(), "{place}: a name stands twice");
        assert!(route.problems().iter().all(|status| described.contains(status)), "{place}");
        for other in all().filter(|other| other.path == route.path) {
            assert_eq!(
                other.access.is_open(),
                route.access.is_open(),
                "{place}: a path is open or not"
            );
        }
    }
    let schemas = document()["components"]["schemas"].clone();
    for name in schemas.as_object().unwrap().keys() {
        assert!(!name.ends_with(char::is_numeric), "two types have the name of {name}");
    }
}

#[tokio::test]
async fn every_row_answers_good_input_as_it_declares() {
    let served = served().await;
    assert_eq!(served.assignment(EXAMPLE_DEVICE).await, good(&ASSIGNMENT));
    let document = document();
    for route in in_turn() {
        let required = path(route, |parameter| parameter.is_required);
        // What has no query is asked once: nothing is made or removed twice.
        for path in BTreeSet::from([required, path(route, |_| true)]) {
            let body = route.takes.map(|_| body(route));
            let answer = send(&served, route, &path, body.as_deref()).await;
            // Nothing is lost here; `tests` acknowledges a loss elsewhere.
            if route.path.starts_with("/api/v1/losses/") || is_for_users(route) {
                assert_eq!(answer.status, 404, "{path}");
                continue;
            }
            assert_eq!(answer.status, route.gives.status, "{path}: {answer:?}");
            let content_type = format!("content-type: {}", route.gives.media_type);
            assert!(answer.head.contains(&content_type), "{path}: {}", answer.head);
            if route.gives.media_type == "application/json" {
                let method = route.method.word().to_lowercase();
                let status = answer.status.to_string();
                let responses = &document["paths"][route.path][method]["responses"];
                let schema = &responses[status]["content"]["application/json"]["schema"];
                check_members(&document, schema, &answer.json(), &path);
            }
        }
    }
    served.stop().await;
}

/// Queries that are wrong in each parameter, and with one that no row has.
fn bad_queries(route: &Route) -> Vec<String> {
    let good_path = path(route, |_| true);
    let mut paths = vec![format!("{good_path}&surplus=1"), path(route, |_| false)];
    for parameter in route.query() {
        let pair = format!("{}={}", parameter.name, good(parameter));
        paths.push(format!("{good_path}&{pair}"));
        let wrong = match parameter.value {
            ParameterValue::Text | ParameterValue::Texts | ParameterValue::Word(_) => {
                vec!["nothing".to_owned()]
            }
            ParameterValue::Instant => vec!["yesterday".to_owned()],
            ParameterValue::Whole { least, most, .. } => {
                let most = (u128::from(most) + 1).to_string();
                vec!["x".to_owned(), most, (i128::from(least) - 1).to_string()]
            }
        };
        let with = |text: &String| good_path.replace(&pair, &format!("{}={text}", parameter.name));
        paths.extend(wrong.iter().map(with));
    }
    paths
}

#[tokio::test]
async fn bad_input_is_answered_with_a_problem_that_the_row_declares() {
    let served = served().await;
    for route in in_turn() {
        let (good_path, problems) = (path(route, |_| true), route.problems());
        let good_body = route.takes.map(|_| body(route));
        let check = |what: &str, answer: Answer, expected: Option<u16>| {
            let at = format!("{} {what}", route.method.word());
            if answer.status != route.gives.status {
                answer.problem();
                assert!(problems.contains(&answer.status), "{at}: {} not declared", answer.status);
            }
            assert!(expected.is_none_or(|expected| expected == answer.status), "{at}: {answer:?}");
        };
        if !route.access.is_open() {
            let method = route.method.word();
            for (headers, expected) in [
                (String::new(), (!route.is_for_everybody()).then_some(401)),
                ("Authorization: Bearer guess\r\n".to_owned(), Some(401)),
                (format!("{}X-SiteWhere-Tenant: other\r\n", authorization()), Some(403)),
            ] {
                let answer = served.ask(method, &good_path, &headers, "").await;
                check(&good_path, answer, expected);
            }
            for path in bad_queries(route) {
                check(&path, send(&served, route, &path, good_body.as_deref()).await, None);
            }
            let surplus = format!("{good_path}&surplus=1");
            let answer = send(&served, route, &surplus, good_body.as_deref()).await;
            let is_read = route.path != "/metrics";
            check(&surplus, answer, is_read.then_some(400));
        }
        for variable in route.variables() {
            for (text, status) in [("%FF", 400), ("nothing", 404)] {
                let required = path(route, |parameter| parameter.is_required);
                let (_, query) = required.split_once('?').unwrap();
                let wrong = route.path.replace(&format!("{{{variable}}}"), text);
                let wrong = format!("{wrong}?{query}");
                let answer = send(&served, route, &wrong, good_body.as_deref()).await;
                check(&wrong, answer, Some(status));
            }
        }
        if route.takes.is_some() {
            let large = format!("\"{}\"", "x".repeat(1024 * 1024));
            for (body, expected) in [
                (None, 415),
                (Some("{"), 400),
                (Some("[]"), 422),
                (Some(r#"{"surplus":1}"#), 422),
                (Some(&large), 413),
            ] {
                // Text is judged line by line.
                if takes_text(route) && [400, 422].contains(&expected) {
                    continue;
                }
                let answer = send(&served, route, &good_path, body).await;
                check(&good_path, answer, Some(expected).filter(|_| !is_for_users(route)));
            }
        }
    }
    served.stop().await;
}

#[tokio::test]
async fn other_methods_are_answered_with_those_that_a_path_has() {
    let served = served().await;
    for route in all() {
        let path = path(route, |parameter| parameter.is_required);
        let allow = format!("allow: {}", allowed(route.path).to_lowercase());
        for (method, status) in [("DELETE", 405), ("PATCH", 405), ("OPTIONS", 204)] {
            let answer = served.ask(method, &path, &authorization(), "").await;
            if all().any(|other| (other.method.word(), other.path) == (method, route.path)) {
                continue;
            }
            assert_eq!(answer.status, status, "{method} {path}");
            assert!(answer.head.contains(&allow), "{method} {path}: {}", answer.head);
            if status == 405 {
                assert_eq!(answer.problem(), "no_such_method");
            }
        }
        if route.method == Verb::Get {
            let get = served.ask("GET", &path, &authorization(), "").await;
            let head = served.ask("HEAD", &path, &authorization(), "").await;
            assert_eq!((head.status, head.body.len()), (get.status, 0), "HEAD {path}");
            let length = |answer: &Answer| {
                let line = answer.head.lines().find(|line| line.starts_with("content-length: "));
                line.map(ToOwned::to_owned)
            };
            // The metrics count the requests themselves.
            if route.path != "/metrics" {
                assert_eq!(length(&head), length(&get), "HEAD {path}");
            }
        }
    }
    served.stop().await;
}

#[tokio::test]
async fn the_page_about_rest_loads_nothing_but_its_style_sheet_and_lists_every_row() {
    let served = served().await;
    for path in ["/api-doc", "/style.css"] {
        let answer = served.ask("GET", path, "", "").await;
        assert_eq!(answer.status, 200);
        for header in [
            "content-security-policy: default-src 'none'; style-src 'self';",
            "x-content-type-options: nosniff",
            "referrer-policy: same-origin",
            "cache-control: no-store",
        ] {
            assert!(answer.head.contains(header), "{path}: {}", answer.head);
        }
        let text = String::from_utf8(answer.body).unwrap();
        for forbidden in ["<script", " style=", "://", "@import", "url("] {
            assert!(!text.contains(forbidden), "{path} has `{forbidden}`");
        }
        if path == "/api-doc" {
            for route in all() {
                let heading =
                    format!("<h3><code>{} {}</code></h3>", route.method.word(), route.path);
                assert_eq!(text.matches(&heading).count(), 1, "{heading}");
            }
            assert_eq!(text.matches("<table>").count(), all().count());
        }
    }
    let answer = served.ask("GET", "/openapi.json", "", "").await;
    assert_eq!(answer.body, TEXT.as_bytes());
    served.stop().await;
}
