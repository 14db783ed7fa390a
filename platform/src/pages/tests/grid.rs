//! The network now and its outages, as operators see them: picture, tree and REST agree with a
//! search by hand after each change of a switch.

use lastmeter_wire::flexmeter::{ResultMessage, encode_result};

use super::*;
use crate::ops::grid::tests::network;
use crate::tests::numbered::take;

/// A station `N0` with two feeders, `N1 N2 N3` and `N4 N5`, a tie between their ends, and eight
/// more connections at `N3`.
const JOINS: [(usize, usize, bool); 6] =
    [(0, 1, true), (1, 2, false), (2, 3, true), (0, 4, false), (4, 5, false), (3, 5, true)];
const NODES: usize = 6;
const MORE: usize = 8;

impl Household {
    async fn of_a_distributor() -> (Self, [String; 3]) {
        let household = Self::start().await;
        for (name, role) in [("olga", "operator"), ("ursula", "utility")] {
            let user = json!({ "username": name, "password": PASSWORD, "roles": [role] });
            assert_eq!(household.0.post("/sitewhere/api/users", &user).await.status, 201);
        }
        let mut feeder = network(NODES, &JOINS, &[true, true, false]);
        feeder["token"] = json!("feeder");
        let mut model: Value = serde_json::from_str(feeder["model"].as_str().unwrap()).unwrap();
        for more in 0..MORE {
            let load = json!({ "id": 4000 + more, "name": format!("D<{more}>"), "node": 3,
                "status": 1, "type": 0, "p_specified": 1.0, "q_specified": 0.0 });
            model["data"]["sym_load"].as_array_mut().unwrap().push(load);
        }
        feeder["model"] = json!(model.to_string());
        let made = household.0.post("/api/v1/electric-networks", &feeder).await;
        assert_eq!(made.status, 201, "{made:?}");
        let mut cookies = Vec::new();
        for name in ["olga", "ursula", "ann"] {
            cookies.push(household.sign_in(name).await);
        }
        (household, cookies.try_into().unwrap())
    }

    /// Switches as Olga does.
    async fn switch(&self, version: u64, states: &[bool]) {
        let body = json!({ "version": version, "states": states, "cause": "work <on> it" });
        let path = "/api/v1/electric-networks/feeder/topology";
        let headers = format!("{OLGA}Content-Type: application/json\r\n");
        let answer = self.0.ask("PUT", path, &headers, &body.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    async fn advance(&self, to: &str) {
        let answer = self.0.post("/api/v1/clock/advance", &json!({ "to": to })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// Has the application `outages` conclude something.
    pub(super) async fn conclude(&self, serial: u64, about: (&str, &str), content: Value) {
        self.conclude_as("outages", serial, about, content).await;
    }

    async fn conclude_as(
        &self,
        application: &str,
        serial: u64,
        (kind, subject): (&str, &str),
        content: Value,
    ) {
        let message = ResultMessage {
            hardware_id: HardwareId::new(application).unwrap(),
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            from: time(SINCE),
            until: None,
            content: content.as_object().unwrap().clone(),
            epoch: Epoch(1),
            serial: Serial(serial),
        };
        let mut payload = Vec::new();
        encode_result(&message, &mut payload);
        let core = &self.0.bench.core;
        take(core, (&message.hardware_id, "result"), payload).await.unwrap();
        core.barrier().await.unwrap();
    }
}

/// Header of `olga:correct horse`.
const OLGA: &str = "Authorization: Basic b2xnYTpjb3JyZWN0IGhvcnNl\r\n";
const SINCE: &str = "2027-01-18T12:20:00Z";

/// What is reported of the line behind which ten of fourteen connections are; one of its ten last
/// gasps was lost.
fn outage(state: &str, [restored, contradicted]: [&[&str]; 2], until: Option<&str>) -> Value {
    let meters: Vec<String> = (0..10).map(|meter| format!("k{meter}")).collect();
    json!({
        "network": "feeder", "state": state, "since": SINCE, "until": until,
        "areas": [{ "element": "line", "name": "L1", "phases": "abc", "meters": 10, "gasps": 9,
            "likelihood": 0.97 }],
        "expected": meters, "reported": meters[1..], "restored": restored,
        "contradicted": contradicted, "first_gasp": SINCE,
        "last_gasp": "2027-01-18T12:20:04.100Z", "window_closed": "2027-01-18T12:20:10Z",
    })
}

/// States of the elements of a page by their names for people: in the tree and in the picture.
fn states(page: &str) -> [BTreeMap<String, String>; 2] {
    let text = |text: &str| text.replace("&lt;", "<").replace("&gt;", ">");
    let tree =
        page.split("<ul class=\"tree\">").nth(1).unwrap().split("</section>").next().unwrap();
    let mut found = BTreeMap::new();
    for row in tree.split("<li class=").skip(1) {
        let (links, state) = row.rsplit_once("</a> ").unwrap();
        let state = state.lines().next().unwrap().to_owned();
        for link in links.split("</a>") {
            found.insert(text(link.rsplit('>').next().unwrap()), state.clone());
        }
    }
    let picture =
        page.split("<svg class=\"one-line\"").nth(1).unwrap().split("</svg>").next().unwrap();
    let picture = picture.split("<title>").skip(1).filter_map(|item| {
        let (name, state) = item.split("</title>").next().unwrap().split_once(", ")?;
        Some((text(name), state.to_owned()))
    });
    [found, picture.collect()]
}

/// Of each element its state in words, by a search over all nodes.
fn searched(closed: [bool; 3]) -> BTreeMap<String, String> {
    let mut switch = closed.iter();
    let closed: Vec<bool> = JOINS.iter().map(|join| !join.2 || *switch.next().unwrap()).collect();
    let mut live = [true, false, false, false, false, false];
    for _ in 0..NODES {
        for (&(from, to, _), closed) in JOINS.iter().zip(&closed) {
            if *closed && (live[from] || live[to]) {
                (live[from], live[to]) = (true, true);
            }
        }
    }
    let word = |live: bool| if live { "energised" } else { "no supply" };
    let mut all = BTreeMap::from([("source Station".to_owned(), "energised".to_owned())]);
    for (at, live) in live.iter().enumerate() {
        all.insert(format!("node N{at}"), word(*live).to_owned());
        all.insert(format!("connection C{at}"), word(*live).to_owned());
    }
    for more in 0..MORE {
        all.insert(format!("connection D<{more}>"), word(live[3]).to_owned());
    }
    for (at, &(from, _, is_switch)) in JOINS.iter().enumerate() {
        match (is_switch, closed[at]) {
            (true, false) => all.insert(format!("switch S{at}"), "open".to_owned()),
            (true, true) => {
                all.insert(format!("switch S{at}"), format!("closed, {}", word(live[from])))
            }
            _ => all.insert(format!("line L{at}"), word(live[from]).to_owned()),
        };
    }
    all
}

#[tokio::test]
async fn picture_tree_and_rest_agree_with_the_vector_after_each_change() {
    let (household, [olga, ursula, ann]) = Household::of_a_distributor().await;
    for cookie in [&ursula, &ann] {
        let nowhere =
            household.page("/grid/nothing", &format!("{cookie}Accept: text/html\r\n")).await;
        for path in ["/grid", "/grid/outages", "/grid/outages/outages~outage-1"] {
            let hidden = household.page(path, cookie).await;
            assert_eq!(hidden.0, 404, "{path}");
            assert!(hidden.1.contains("does not exist, or is not shared with you"), "{path}");
            assert!(nowhere.1.contains("does not exist, or is not shared with you"));
        }
    }
    let every = (0..8_u8).map(|bits| [bits & 1 != 0, bits & 2 != 0, bits & 4 != 0]);
    let mut version = 0;
    for (turn, closed) in std::iter::once([true, true, false]).chain(every).enumerate() {
        if turn > 0 && closed != [true, true, false] || turn > 1 {
            household.switch(version, &closed).await;
            version += 1;
        }
        let (status, page) = household.page("/grid", &olga).await;
        assert_eq!(status, 200, "{page}");
        let wanted = searched(closed);
        let [tree, mut picture] = states(&page);
        assert_eq!(tree, wanted, "{closed:?}");
        // The connections of a node with many are one mark.
        let many = picture.remove("9 at N3: 0 without supply");
        picture.retain(|name, _| !name.contains(" at N3"));
        let mut drawn = wanted.clone();
        drawn.retain(|name, _| !name.contains("connection D") && name != "connection C3");
        assert_eq!(picture, drawn, "{closed:?}");
        let dark = |name: &&String| name.starts_with("connection") && wanted[*name] == "no supply";
        let without = wanted.keys().filter(dark).count();
        assert_eq!(many.is_none(), wanted["node N3"] == "no supply", "{page}");
        let lead = if without == 0 {
            "All <data value=\"14\">".to_owned()
        } else {
            format!("<data value=\"{without}\">{without}</data> of <data value=\"14\">")
        };
        assert!(page.contains(&lead), "{lead} {page}");
        assert!(page.contains(&format!("0 switches unknown · version {version}")), "{page}");
        let rest = household.0.ok("/api/v1/electric-networks/feeder/supply").await;
        assert_eq!((&rest["without"], &rest["version"]), (&json!(without), &json!(version)));
        let elements = rest["elements"].as_array().unwrap().iter();
        let by_rest: BTreeMap<String, String> = elements
            .map(|one| {
                let kind = one["kind"].as_str().unwrap().replace("load", "connection");
                let name = format!("{kind} {}", one["name"].as_str().unwrap());
                (name, one["state"].as_str().unwrap().to_owned())
            })
            .collect();
        assert_eq!(by_rest, wanted, "{closed:?}");
    }
    household.0.stop().await;
}

/// One of ten last gasps was lost: the area is whole all the same, and the loss is marked.
async fn reported(household: &Household, olga: &str) {
    household.advance("2027-01-18T12:20:10Z").await;
    household.conclude(1, ("outage", "outage-1"), outage("detected", [&[], &[]], None)).await;
    let fault = json!({
        "network": "feeder", "station": "N0", "at": SINCE, "loop": "AG", "outage": "outage-1",
        "candidates": [
            { "line": "L1", "distance_m": 1310.0, "along_m": 310.0, "resistance_ohm": 4.0,
                "likelihood": 0.8, "spread_m": 40.0 },
            { "line": "L4", "distance_m": 1870.0, "along_m": 900.0, "resistance_ohm": 2.0,
                "likelihood": 0.2, "spread_m": 60.0 },
        ],
    });
    household.conclude(2, ("fault", "fault-1"), fault).await;
    let (_, page) = household.page("/grid", olga).await;
    assert!(page.contains("<data value=\"10\">10</data> of <data value=\"14\">"), "{page}");
    assert!(page.contains(">1 outage</a>, 0 switches unknown · version 0"), "{page}");
    assert_eq!(page.matches("<title>Fault, place ").count(), 2, "{page}");
    let [tree, picture] = states(&page);
    for (name, state) in [
        ("line L1", "no supply"),
        ("switch S2", "closed, no supply"),
        ("node N1", "energised"),
        ("node N3", "no supply"),
        ("line L4", "energised"),
    ] {
        assert_eq!([&tree[name], &picture[name]], [state; 2], "{name}");
    }
    let (_, panel) = household.page("/grid?c=C2", olga).await;
    assert!(panel.contains(">outage of line L1</a>, proposed") && panel.contains("id=\"here\""));
    let (_, list) = household.page("/grid/outages", olga).await;
    for text in ["9 of 10 heard", ">proposed<", "line fault, 2 places", "0 of 10", ">13:20:00<"] {
        assert!(list.replace(" proposed<", ">proposed<").contains(text), "{text}: {list}");
    }
    let path = "/grid/outages/outages~outage-1";
    let (_, page) = household.page(path, olga).await;
    for text in ["1\u{202f}310&nbsp;m</data> ± 40&nbsp;m", "1 not heard", "9 heard in 4.1 s"] {
        assert!(page.contains(text), "{text}: {page}");
    }
}

#[tokio::test]
async fn an_outage_is_followed_from_its_proposal_to_its_end() {
    let (household, [olga, ursula, ann]) = Household::of_a_distributor().await;
    for (device, load) in [("k0", "C2"), ("k1", "C3")] {
        let metadata = json!({ "network": "feeder", "load": load });
        let body = json!({ "status": "registered", "metadata": metadata });
        put(&household.0.bench.core, "device", device, body).await;
    }
    reported(&household, &olga).await;
    let (about, path) = (("outage", "outage-1"), "/grid/outages/outages~outage-1");
    // Who may not have it may not decide on it, by whatever way.
    for cookie in [&ursula, &ann] {
        assert_eq!(household.form(&format!("{path}/confirm"), cookie, "").await.status, 404);
    }
    let answer = household.form(&format!("{path}/confirm"), &olga, "").await;
    assert_eq!((answer.status, header(&answer, "location")), (303, Some(path)));
    let (_, page) = household.page(path, &olga).await;
    assert!(page.contains("Confirmed by olga at") && !page.contains("/reject"), "{page}");
    assert!(page.contains("confirmed, by olga"), "{page}");
    let rest = household.0.ok("/api/v1/outages/outages~outage-1").await;
    assert_eq!(rest["outage"]["state"], "confirmed");
    assert_eq!(rest["outage"]["reviewedBy"], "user:olga");
    let audit = household.0.ok("/api/v1/audit?limit=1000").await;
    assert!(audit.to_string().contains("outage_review:outages~outage-1"), "{audit}");

    household.advance("2027-01-18T12:30:00Z").await;
    let partly = outage("partly_restored", [&["k0"], &["k1"]], None);
    household.conclude(3, about, partly).await;
    let (_, page) = household.page("/grid", &olga).await;
    assert!(
        page.contains("<data value=\"8\">8</data> of") && page.contains("1 connection unknown")
    );
    let [tree, _] = states(&page);
    assert_eq!(tree["connection C2"], "energised");
    assert_eq!(tree["connection C3"], "supply unknown");
    household.advance("2027-01-18T12:50:00Z").await;
    let all: Vec<String> = (0..10).map(|meter| format!("k{meter}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let over = outage("restored", [&all, &[]], Some("2027-01-18T12:49:30Z"));
    household.conclude(4, about, over).await;
    let (_, page) = household.page("/grid", &olga).await;
    assert!(page.contains("All <data value=\"14\">") && page.contains(">0 outages</a>"), "{page}");
    let (_, page) = household.page(path, &olga).await;
    assert!(page.contains("<strong>restored</strong>"), "{page}");
    // 10 min of the first one and 30 min of the nine others, by the instants of the results.
    let rest = household.0.ok("/api/v1/outages/outages~outage-1").await;
    assert_eq!(rest["minutesLost"], json!(10.0 + 9.0 * 30.0));
    assert_eq!(rest["interrupted"], json!(10));
    assert!(page.contains("<data value=\"280.0\">"), "{page}");
    household.0.stop().await;
}

#[tokio::test]
async fn meters_of_an_outage_that_are_not_listed_are_counted() {
    let (household, [olga, ..]) = Household::of_a_distributor().await;
    let mut large = outage("partly_restored", [&[], &[]], None);
    let lists = [("expected", 20_000), ("reported", 18_000), ("restored", 7), ("contradicted", 2)];
    for (name, count) in lists {
        large[name] = json!([]);
        large["left_out"][name] = json!(count);
    }
    household.conclude(1, ("outage", "outage-1"), large).await;
    let rest = household.0.ok("/api/v1/outages/outages~outage-1").await;
    let counts = ["expected", "heard", "restored"].map(|name| &rest["outage"][name]);
    assert_eq!(counts, [&json!(20_000), &json!(18_000), &json!(7)]);
    assert_eq!(rest["interrupted"], json!(19_998));
    let (_, page) = household.page("/grid/outages/outages~outage-1", &olga).await;
    for text in ["supply again at 7 of 20000", "2000 not heard", "2 heard with supply"] {
        assert!(page.contains(text), "{page}");
    }
    household.0.stop().await;
}

#[tokio::test]
async fn what_a_person_has_switched_off_before_is_planned_and_what_is_rejected_takes_nothing() {
    let (household, [olga, ..]) = Household::of_a_distributor().await;
    household.switch(0, &[true, false, false]).await;
    household.advance("2027-01-18T12:20:10Z").await;
    let mut planned = outage("detected", [&[], &[]], None);
    planned["areas"][0] = json!({ "element": "line", "name": "L1", "phases": "abc" });
    household.conclude(1, ("outage", "outage-1"), planned.clone()).await;
    // The line before the switch had supply then.
    let (_, page) = household.page("/grid/outages", &olga).await;
    assert!(page.contains(" proposed<"), "{page}");
    planned["areas"][0] = json!({ "element": "line", "name": "S2", "phases": "abc" });
    household.conclude(2, ("outage", "outage-1"), planned).await;
    let (_, page) = household.page("/grid", &olga).await;
    assert!(page.contains(">0 outages</a>, 1 planned"), "{page}");
    assert!(!page.contains("class=\"mark error\""), "{page}");
    let (_, page) = household.page("/grid/outages/outages~outage-1", &olga).await;
    assert!(page.contains("Planned: olga switched it in version 1 (work &lt;on&gt; it)"), "{page}");
    assert!(!page.contains("/confirm") && !page.contains("class=\"mark error\""), "{page}");
    let (_, panel) = household.page("/grid?s=S2", &olga).await;
    assert!(panel.contains("<h2 id=\"chosen\">Switch S2: open</h2>"), "{panel}");
    assert!(panel.contains("<dd>olga</dd>") && panel.contains("<dd>work &lt;on&gt; it</dd>"));
    // What is rejected takes nothing from the network.
    household.conclude(3, ("outage", "outage-2"), outage("detected", [&[], &[]], None)).await;
    let without =
        async || household.0.ok("/api/v1/electric-networks/feeder/supply").await["without"].clone();
    assert_eq!(without().await, json!(10));
    let body = json!({ "verdict": "rejected" }).to_string();
    let headers = format!("{OLGA}Content-Type: application/json\r\n");
    let path = "/api/v1/outages/outages~outage-2/review";
    assert_eq!(household.0.ask("POST", path, &headers, &body).await.status, 200);
    assert_eq!(without().await, json!(9));
    let (_, page) = household.page("/grid/outages", &olga).await;
    assert!(page.contains(" rejected<") && page.contains("No outage <small>now"), "{page}");
    let lost = household.0.ok("/api/v1/outages/outages~outage-2").await["minutesLost"].clone();
    assert_eq!(lost, json!(0.0));
    household.conclude(4, ("outage", "outage-3"), json!({ "network": 3 })).await;
    let (_, list) = household.page("/grid/outages", &olga).await;
    assert!(list.contains("1 outage was reported in an unknown form"), "{list}");
    household.0.stop().await;
}

/// Each counts its outages from 1, and what is made of one's outage is not made of the other's.
#[tokio::test]
async fn outages_of_two_applications_are_two_outages() {
    let (household, [olga, ..]) = Household::of_a_distributor().await;
    household.advance("2027-01-18T12:20:10Z").await;
    let about = ("outage", "outage-1");
    household.conclude_as("one", 1, about, outage("detected", [&[], &[]], None)).await;
    let mut other = outage("detected", [&[], &[]], None);
    other["areas"] = json!([{ "element": "load", "name": "C5" }]);
    household.conclude_as("two", 1, about, other).await;
    let answer = household.form("/grid/outages/two~outage-1/reject", &olga, "").await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let listed = household.0.ok("/api/v1/outages").await;
    let rows = listed["results"].as_array().unwrap().iter();
    let found: Vec<_> = rows
        .map(|row| [&row["token"], &row["state"], &row["areas"][0]["name"]])
        .map(|row| row.map(|text| text.as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(found, [["one~outage-1", "proposed", "L1"], ["two~outage-1", "rejected", "C5"]]);
    household.conclude_as("one", 2, about, outage("withdrawn", [&[], &[]], None)).await;
    let other = household.0.ok("/api/v1/outages/two~outage-1").await;
    assert_eq!(other["timeline"].as_array().unwrap().len(), 5, "{other}");
    household.0.stop().await;
}

/// An application that has lost what it knew counts from 1 again.
#[tokio::test]
async fn a_later_outage_of_the_same_number_is_reviewed_by_itself() {
    let (household, [olga, ..]) = Household::of_a_distributor().await;
    let path = "/grid/outages/outages~outage-1";
    for (serial, since) in [(1, SINCE), (2, "2027-01-18T13:00:00Z")] {
        household.advance(&since.replace(":00Z", ":30Z")).await;
        let mut content = outage("detected", [&[], &[]], None);
        content["since"] = json!(since);
        household.conclude(serial, ("outage", "outage-1"), content).await;
        for state in ["proposed", "confirmed"] {
            let rest = household.0.ok("/api/v1/outages/outages~outage-1").await;
            assert_eq!(rest["outage"]["state"], state, "{since}");
            assert_eq!(household.form(&format!("{path}/confirm"), &olga, "").await.status, 303);
        }
    }
    household.0.stop().await;
}

/// Names that make no token, and instants of centuries.
#[tokio::test]
async fn what_an_application_makes_up_takes_no_page_along() {
    let (household, [olga, ..]) = Household::of_a_distributor().await;
    household.advance("2027-01-18T12:20:10Z").await;
    for (serial, subject) in [(1, "out age/1"), (2, "a~b")] {
        let content = outage("detected", [&[], &[]], None);
        household.conclude(serial, ("outage", subject), content).await;
    }
    let mut old = outage("detected", [&[], &[]], None);
    (old["since"], old["first_gasp"]) =
        (json!("1677-09-21T00:12:44Z"), json!("1677-09-21T00:12:44Z"));
    old["last_gasp"] = json!("2262-04-11T23:47:16Z");
    household.conclude(3, ("outage", "outage-1"), old).await;
    let fault = json!({ "network": "feeder", "at": "2262-04-11T23:47:16Z" });
    household.conclude(4, ("fault", "fault-1"), fault).await;
    let (status, list) = household.page("/grid/outages", &olga).await;
    assert!(status == 200 && list.contains("2 outages were reported in an unknown form"), "{list}");
    for path in ["/grid", "/grid/outages/outages~outage-1"] {
        assert_eq!(household.page(path, &olga).await.0, 200, "{path}");
    }
    let path = "/grid/outages/outages~out%20age%2F1/confirm";
    assert_eq!(household.form(path, &olga, "").await.status, 404);
    household.0.stop().await;
}

#[tokio::test]
async fn the_thirty_third_network_is_shown_by_its_address() {
    let (household, [olga, ..]) = Household::of_a_distributor().await;
    for more in 0..33 {
        let mut other = network(2, &[(0, 1, false)], &[]);
        (other["token"], other["name"]) = (json!(format!("n{more}")), json!(format!("No {more}")));
        let made = household.0.post("/api/v1/electric-networks", &other).await;
        assert_eq!(made.status, 201, "{made:?}");
    }
    for token in (0..33).map(|more| format!("n{more}")).chain(["feeder".to_owned()]) {
        let (status, page) = household.page(&format!("/grid?network={token}"), &olga).await;
        assert_eq!(status, 200, "{token}");
        let lead = if token == "feeder" { "14" } else { "2" };
        assert!(page.contains(&format!("All <data value=\"{lead}\">")), "{token}: {page}");
    }
    assert_eq!(household.page("/grid?network=nowhere", &olga).await.0, 404);
    household.0.stop().await;
}

#[tokio::test]
async fn a_switch_that_came_after_the_last_change_is_unknown_and_so_is_what_it_may_feed() {
    let (household, [olga, ..]) = Household::of_a_distributor().await;
    household.switch(0, &[true, false, false]).await;
    let found = household.0.ok("/api/v1/electric-networks/feeder").await;
    let mut feeder = found.as_object().unwrap().clone();
    household.advance("2027-01-18T12:21:00Z").await;
    let mut switches = feeder["switches"].as_array().unwrap().clone();
    switches.insert(0, json!({ "id": 1003, "normal": true }));
    feeder.insert("switches".to_owned(), json!(switches));
    let headers = format!(
        "Authorization: Bearer {}\r\nContent-Type: application/json\r\n",
        crate::tests::TOKEN
    );
    let path = "/api/v1/electric-networks/feeder";
    let body = Value::Object(feeder).to_string();
    let answer = household.0.ask("PUT", path, &headers, &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let (_, page) = household.page("/grid?s=L3", &olga).await;
    let [tree, picture] = states(&page);
    for (name, state) in [
        ("switch L3", "position unknown"),
        ("switch S2", "open"),
        ("node N4", "supply unknown"),
        ("node N1", "energised"),
        ("node N3", "no supply"),
    ] {
        assert_eq!([&tree[name], &picture[name]], [state; 2], "{name}");
    }
    assert!(
        page.contains("1 switch unknown · version 1") && page.contains("2 connections unknown")
    );
    household.0.stop().await;
}

#[tokio::test]
async fn a_thousand_elements_are_a_page_of_less_than_150_kilobytes() {
    let (household, [olga, ..]) = Household::of_a_distributor().await;
    let joins: Vec<(usize, usize, bool)> =
        (1..333).map(|node| (node - 1 - node % 7 / 5, node, node % 20 == 0)).collect();
    let mut large = network(333, &joins, &[]);
    large["token"] = json!("a");
    let made = household.0.post("/api/v1/electric-networks", &large).await;
    assert_eq!(made.status, 201, "{made:?}");
    // All of them dark, in one state and with every lateral open, is the longest.
    let path = "/api/v1/electric-networks/a/topology";
    let open: Vec<bool> = joins.iter().filter(|join| join.2).map(|_| false).collect();
    let headers = format!("{OLGA}Content-Type: application/json\r\n");
    let body = json!({ "version": 0, "states": open }).to_string();
    for (turn, body) in [None, Some(body)].into_iter().enumerate() {
        if let Some(body) = body {
            assert_eq!(household.0.ask("PUT", path, &headers, &body).await.status, 200);
        }
        let (status, page) = household.page("/grid", &olga).await;
        let [tree, picture] = states(&page);
        assert_eq!((status, tree.len(), picture.len()), (200, 999, 999));
        assert!(page.len() < 150_000, "{turn}: {} bytes", page.len());
        println!("turn {turn}: {} bytes", page.len());
    }
    household.0.stop().await;
}
