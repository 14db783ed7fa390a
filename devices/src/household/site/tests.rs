//! The pages as a whole: who gets in, what changes, what is shown, and that nothing breaks them.

use proptest::prelude::{Strategy as Drawn, *};

use super::*;
use crate::household::display::Screen;
use crate::household::made;
use lastmeter_household::schedule::Strategy;
use lastmeter_units::SimDuration;

const PATHS: [&str; 8] = [
    "/",
    "/power-profile",
    "/load-power-profile",
    "/load-power-profile?load=dishwasher",
    "/load-power-profile?load=nothing",
    "/power-graph",
    "/display",
    "/view.json",
];
const FORMS: [(&str, &str); 7] = [
    ("/strategy", "strategy=lowest+peak"),
    ("/contract", "power_w=4500"),
    ("/window", "load=dishwasher&from=22%3A15&until=05%3A30"),
    ("/start", "load=washing%20machine"),
    ("/switch", "load=fridge&to=open"),
    ("/switch", "load=water+heater&to=closed"),
    ("/touch", "column=17&line=11"),
];

fn changes() -> [Change; 7] {
    let minutes = |minutes: i64| SimDuration::from_seconds(60 * minutes);
    let switch = |load: &str, is_closed| Change::Switch { load: load.to_owned(), is_closed };
    [
        Change::Strategy(Strategy::LowestPeak),
        Change::Contract(4_500),
        Change::Window {
            load: "dishwasher".to_owned(),
            from: minutes(22 * 60 + 15),
            until: minutes(5 * 60 + 30),
        },
        Change::StartNow { load: "washing machine".to_owned() },
        switch("fridge", false),
        switch("water heater", true),
        Change::Screen(Screen::Today),
    ]
}

/// A browser, with the pages that it looks at.
struct Browser {
    site: Site,
    view: View,
    now: SimTime,
    cookie: Option<String>,
    origin: Option<&'static str>,
    drawn: u64,
}

impl Browser {
    fn at(access: &Access) -> Self {
        let (view, now) = (made::view(), made::NOW);
        let site = Site::new(access);
        Self { site, view, now, cookie: None, origin: Some("http://home:80"), drawn: 0 }
    }

    fn locked() -> Self {
        let (user, password) = ("customer".to_owned(), "it is a secret & safe".to_owned());
        Self::at(&Access::Password { user, password })
    }

    fn signed_in() -> Self {
        let mut browser = Self::locked();
        browser.sign_in("it+is+a+secret+%26+safe");
        browser
    }

    fn send(&mut self, method: PageMethod, path: &str, body: &str) -> Served {
        let request = PageRequest {
            method,
            path: path.to_owned(),
            cookie: self.cookie.clone(),
            origin: self.origin.map(str::to_owned),
            host: Some("home:80".to_owned()),
            body: body.as_bytes().to_vec(),
        };
        let Self { site, view, now, drawn, .. } = self;
        site.answer(*now, &request, view, &mut || {
            *drawn += 1;
            *drawn
        })
    }

    fn get(&mut self, path: &str) -> Served {
        self.send(PageMethod::Get, path, "")
    }

    fn post(&mut self, path: &str, body: &str) -> Served {
        self.send(PageMethod::Post, path, body)
    }

    fn sign_in(&mut self, password: &str) -> Served {
        let served =
            self.post("/sign-in", &format!("name=customer&password={password}&back=/display"));
        if let Some(cookie) = &served.answer.set_cookie {
            self.cookie = cookie.split(';').next().map(|pair| format!("theme=dark; {pair}"));
        }
        served
    }

    fn token(&mut self) -> String {
        let page = text(&self.get("/"));
        let (_, rest) = page.split_once("name=\"token\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

/// A page, with the slashes that its templates escape.
fn text(served: &Served) -> String {
    String::from_utf8(served.answer.body.clone()).unwrap().replace("&#x2f;", "/")
}

fn status(served: &Served) -> (u16, Option<PageRefusal>) {
    (served.answer.status, served.refused)
}

/// What is wrong with the nesting of a page's elements.
fn nesting(page: &str) -> Result<usize, String> {
    let (mut open, mut count) = (Vec::new(), 0);
    for tag in page.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').ok_or_else(|| format!("no end of {tag}"))?;
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).unwrap_or_default();
        count += 1;
        if tag.starts_with('/') {
            if open.pop() != Some(name) {
                return Err(format!("</{name}> within {open:?}"));
            }
        } else if !tag.ends_with('/') && !["!DOCTYPE", "meta", "link", "input"].contains(&name) {
            open.push(name);
        }
    }
    if open.is_empty() { Ok(count) } else { Err(format!("{open:?} are open")) }
}

/// The exact value that an element of a page has.
fn value_of(page: &str, id: &str) -> String {
    let (_, rest) = page.split_once(&format!("<data id=\"{id}\" value=\"")).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn a_page_leads_to_signing_in_and_signing_in_leads_back() {
    let mut browser = Browser::locked();
    for path in PATHS {
        let served = browser.get(path);
        assert_eq!(status(&served), (303, None), "{path}");
        let wanted = path.split('?').next().unwrap();
        let back = if wanted == "/view.json" { "/" } else { wanted };
        assert_eq!(served.answer.location.unwrap(), format!("/sign-in?back={back}"));
        assert!(served.answer.body.is_empty());
    }
    let form = text(&browser.get("/sign-in?back=/power-graph"));
    assert!(form.contains("name=\"back\" value=\"/power-graph\""));
    assert!(!form.contains("fridge"));
    assert!(nesting(&form).is_ok_and(|count| count > 20), "{form}");
    let served = browser.sign_in("it+is+a+secret+%26+safe");
    assert_eq!((served.answer.status, served.answer.location.as_deref()), (303, Some("/display")));
    // The first two draws are the session, 128 bits.
    let id = "00000000000000010000000000000002";
    let cookie = format!("aggregator={id}; Path=/; HttpOnly; SameSite=Strict");
    assert_eq!(served.answer.set_cookie, Some(cookie));
    assert_eq!(browser.token(), "00000000000000030000000000000004");
    for path in PATHS {
        assert_eq!(status(&browser.get(path)), (200, None), "{path}");
    }
    assert_eq!(status(&browser.get("/nowhere")), (404, None));
    let away =
        browser.post("/sign-in", "name=customer&password=it+is+a+secret+%26+safe&back=//evil");
    assert_eq!(away.answer.location.as_deref(), Some("/"));
}

#[test]
fn a_form_changes_something_only_with_session_token_and_own_origin() {
    let mut stranger = Browser::locked();
    let mut browser = Browser::signed_in();
    let token = browser.token();
    for ((path, body), change) in FORMS.into_iter().zip(changes()) {
        let whole = format!("token={token}&{body}");
        let served = stranger.post(path, &whole);
        assert_eq!((status(&served), served.change), ((401, Some(PageRefusal::NotSignedIn)), None));
        for (origin, body) in [
            (Some("http://home:80"), body.to_owned()),
            (Some("http://home:80"), format!("token={}&{body}", token.replace('3', "4"))),
            (Some("http://other:80"), whole.clone()),
            (Some("null"), whole.clone()),
            (Some("http://home:81"), whole.clone()),
        ] {
            browser.origin = origin;
            let served = browser.post(path, &body);
            let forbidden = (403, Some(PageRefusal::ForeignForm));
            assert_eq!((status(&served), served.change), (forbidden, None), "{origin:?} {body}");
        }
        for origin in [Some("http://home:80"), Some("https://HOME:80"), None] {
            browser.origin = origin;
            let served = browser.post(path, &whole);
            assert_eq!((status(&served), served.change), ((303, None), Some(change.clone())));
        }
        // An address that is only read changes nothing.
        assert_eq!(browser.get(&format!("{path}?{whole}")).change, None);
    }
}

#[test]
fn open_pages_let_everybody_change_everything() {
    let mut browser = Browser::at(&Access::None);
    browser.origin = Some("http://other");
    for ((path, body), change) in FORMS.into_iter().zip(changes()) {
        let served = browser.post(path, body);
        assert_eq!((status(&served), served.change), ((303, None), Some(change)));
    }
    for path in PATHS {
        let page = text(&browser.get(path));
        assert!(!page.contains("token") && !page.contains("Sign out"), "{path}");
    }
    assert_eq!(browser.get("/sign-in").answer.location.as_deref(), Some("/"));
}

#[test]
fn a_value_that_cannot_be_changes_nothing() {
    let mut browser = Browser::at(&Access::None);
    for (path, body) in [
        ("/strategy", ""),
        ("/strategy", "strategy=cheap"),
        ("/contract", "power_w=0"),
        ("/contract", "power_w=-5"),
        ("/contract", "power_w=1000001"),
        ("/contract", "power_w=3e3"),
        ("/window", "load=fridge&from=01:00&until=02:00"),
        ("/window", "load=dishwasher&from=24:00&until=02:00"),
        ("/window", "load=dishwasher&from=01:60&until=02:00"),
        ("/window", "load=dishwasher&from=01:00&until=01:00"),
        ("/window", "load=dishwasher&from=1:00&until=02:00"),
        ("/window", "load=dishwasher&from=23:00&until=00:59"),
        ("/start", "load=fridge"),
        ("/start", "load=nothing"),
        ("/switch", "load=oven&to=open"),
        ("/switch", "load=fridge&to=maybe"),
        ("/switch", "to=open"),
        ("/touch", "column=3"),
        ("/touch", "column=30&line=0"),
        ("/touch", "column=0&line=12"),
        ("/touch", "column=-1&line=0"),
    ] {
        let served = browser.post(path, body);
        let not_valid = (422, Some(PageRefusal::NotValid));
        assert_eq!((status(&served), served.change), (not_valid, None), "{path} {body}");
    }
    let long = format!("strategy=lowest+peak&more={}", "x".repeat(FORM_MAX));
    assert_eq!(browser.post("/strategy", &long).change, None);
    assert_eq!(status(&browser.post("/nothing", "")), (404, None));
}

#[test]
fn a_session_ends_after_half_an_hour_without_a_request_and_when_signed_out() {
    let mut browser = Browser::signed_in();
    let nearly = session::IDLE_MAX - SimDuration(1);
    for _ in 0..3 {
        browser.now += nearly;
        assert_eq!(browser.get("/").answer.status, 200);
    }
    browser.now += session::IDLE_MAX;
    assert_eq!(browser.get("/").answer.status, 303);
    assert_eq!(browser.post("/strategy", "strategy=lowest+peak").answer.status, 401);

    let mut browser = Browser::signed_in();
    let token = browser.token();
    assert_eq!(status(&browser.post("/sign-out", "")), (403, Some(PageRefusal::ForeignForm)));
    let left = browser.post("/sign-out", &format!("token={token}"));
    assert_eq!(left.answer.location.as_deref(), Some("/sign-in"));
    assert!(left.answer.set_cookie.unwrap().ends_with("Max-Age=0"));
    // The browser may have kept its cookie: it is worth nothing.
    assert_eq!(browser.get("/").answer.status, 303);
}

#[test]
fn neither_password_nor_sessions_are_in_debug_output() {
    let access = Access::Password { user: "ann".to_owned(), password: "pass-phrase".to_owned() };
    assert!(!format!("{access:?}").contains("phrase"));
    let shown = format!("{:?}", Browser::signed_in().site);
    assert_eq!(shown, "Site { sessions: Some(1 sessions) }");
}

#[test]
fn there_are_at_most_sixteen_sessions_and_a_new_one_replaces_the_browsers_own() {
    let mut browser = Browser::locked();
    let mut cookies = Vec::new();
    for _ in 0..=session::SESSIONS_MAX {
        (browser.cookie, browser.now) = (None, browser.now + SimDuration::from_seconds(1));
        browser.sign_in("it+is+a+secret+%26+safe");
        cookies.push(browser.cookie.clone());
    }
    let statuses = cookies.iter().map(|cookie| {
        browser.cookie.clone_from(cookie);
        browser.get("/").answer.status
    });
    let statuses: Vec<u16> = statuses.collect();
    assert_eq!(statuses, [&[303][..], &[200; 16]].concat());
    let before = browser.cookie.clone();
    browser.sign_in("it+is+a+secret+%26+safe");
    assert_ne!(browser.cookie, before);
    browser.cookie = before;
    assert_eq!(browser.get("/").answer.status, 303);
}

#[test]
fn five_wrong_passwords_in_a_row_keep_every_password_out_for_a_minute() {
    let mut browser = Browser::signed_in();
    let kept = browser.cookie.clone();
    let right = "it+is+a+secret+%26+safe";
    let wrong = (401, Some(PageRefusal::WrongPassword));
    for _ in 0..session::WRONG_MAX - 1 {
        assert_eq!(status(&browser.sign_in("guess")), wrong);
    }
    // A right one begins the count again.
    assert_eq!(browser.sign_in(right).answer.status, 303);
    for _ in 0..session::WRONG_MAX {
        assert_eq!(status(&browser.sign_in("guess")), wrong);
    }
    let out = (429, Some(PageRefusal::LockedOut));
    let begun = browser.now;
    for waited in [SimDuration::ZERO, session::LOCK - SimDuration(1)] {
        browser.now = begun + waited;
        let served = browser.sign_in(right);
        assert_eq!(status(&served), out);
        let left = if waited == SimDuration::ZERO { "Wait 60 s" } else { "Wait 1 s" };
        assert!(text(&served).contains(left));
        // Whoever is signed in stays so.
        assert_eq!(browser.get("/").answer.status, 200);
    }
    browser.now = begun + session::LOCK;
    assert_eq!(browser.sign_in(right).answer.status, 303);
    browser.cookie = kept;
    assert_eq!(browser.get("/").answer.status, 303);
    // A wrong name has the same answer as a wrong password, and counts.
    let named = browser.post("/sign-in", &format!("name=root&password={right}"));
    assert_eq!(status(&named), wrong);
    assert_eq!(text(&named), text(&browser.sign_in("guess")).replace("/display", "/"));
    let mut foreign = Browser::locked();
    foreign.origin = Some("http://other");
    assert_eq!(status(&foreign.sign_in(right)), (403, Some(PageRefusal::ForeignForm)));
}

#[test]
fn the_page_has_the_values_of_the_view() {
    let mut browser = Browser::at(&Access::None);
    let page = text(&browser.get("/"));
    for (id, value) in [
        ("net", "1244"),
        ("production", "0"),
        ("limit", "3000"),
        ("total", "3820"),
        ("import", "131700.0"),
        ("export", "18400.0"),
        ("temperature", "4.5"),
    ] {
        assert_eq!(value_of(&page, id), value, "{id}");
    }
    for shown in [
        ">EUR\u{a0}38.20<",
        ">1.24\u{a0}kW<",
        ">0.4800\u{a0}EUR/kWh<",
        "<th scope=\"col\">Renewable source availability</th>",
        "<th scope=\"col\">Co-generator status</th>",
        "<th scope=\"col\">Actual Energy prices</th>",
        "1 step of the register left open",
        "Net power of 3.4 kW is above the limit of 3 kW.",
        "<td class=\"nowrap\" data-label=\"Time\">17:48</td>",
        "value=\"21:00\"",
        "Starts 23:00",
        "Since 1\u{a0}Jan\u{a0}00:00",
        // The register to the watt-hour: 9.12 kWh times 400, and 123 Wh.
        "<data value=\"3648123.0\">3\u{202f}648.123\u{a0}kWh</data>",
    ] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    for strategy in Strategy::ALL {
        browser.view.strategy = strategy;
        let page = text(&browser.get("/"));
        let chosen = format!("<option value=\"{strategy}\" selected>");
        assert_eq!((page.matches(" selected>").count(), page.contains(&chosen)), (1, true));
    }
    let load = text(&browser.get("/load-power-profile?load=washing%20machine"));
    assert_eq!(value_of(&load, "power"), "410");
    let rows = load.matches("<td class=\"nowrap\">").count();
    assert_eq!(rows, browser.view.loads[2].profile.len());
    let household = text(&browser.get("/power-profile"));
    assert!(household.contains("Net power today: from \u{2212}2.10\u{a0}kW to 2.10\u{a0}kW."));
}

#[test]
fn programs_get_the_values_of_the_view() {
    let mut browser = Browser::at(&Access::None);
    let served = browser.get("/view.json");
    assert_eq!(served.answer.media_type, "application/json");
    let json: serde_json::Value = serde_json::from_slice(&served.answer.body).unwrap();
    let view = &browser.view;
    assert_eq!(json["net_w"], 1_244);
    assert_eq!(json["bill"]["total_cents"], 3_820);
    assert_eq!(json["bill"]["import_wh"], 131_700.0);
    assert_eq!(json["prices"][17]["price_per_kwh"], 0.48);
    assert_eq!(json["now"], "2027-01-18T17:00:00.000Z");
    assert_eq!(json["loads"][1]["window"][0], "21:00");
    assert_eq!(json["loads"][4]["power_w"], serde_json::Value::Null);
    assert_eq!(json["profile"].as_array().unwrap().len(), view.profile.len());
}

/// A view in which everything that others name is hostile.
fn hostile(name: &str) -> View {
    let mut view = made::view();
    name.clone_into(&mut view.name);
    name.clone_into(&mut view.bill.currency);
    for load in &mut view.loads {
        name.clone_into(&mut load.name);
    }
    for decision in &mut view.decisions {
        name.clone_into(&mut decision.about);
        name.clone_into(&mut decision.why);
    }
    view
}

/// A view of which nothing is known yet.
fn empty() -> View {
    let mut view = made::view();
    (view.net_w, view.production_w, view.temperature_c) = (None, None, None);
    (view.profile, view.renewable_w, view.prices) = (Vec::new(), Vec::new(), Vec::new());
    (view.loads, view.decisions, view.tasks) = (Vec::new(), Vec::new(), Vec::new());
    (view.co_generator, view.bill.from) = (None, None);
    view
}

#[test]
fn names_of_others_are_text_and_elements_are_closed() {
    let name = "<script>alert(\"1\")</script>'&amp;</title><b x=\"";
    for view in [made::view(), empty(), hostile(name)] {
        let mut browser = Browser::at(&Access::None);
        browser.view = view;
        for path in PATHS.into_iter().filter(|path| *path != "/view.json") {
            let page = text(&browser.get(path));
            assert!(nesting(&page).is_ok_and(|count| count > 30), "{path}: {:?}", nesting(&page));
            assert!(!page.contains("<script") && !page.contains("<b "), "{path}");
            assert_eq!(page.matches("<h1>").count(), 1);
        }
    }
    assert!(nesting("<p><b>text</p>").is_err());
}

#[test]
fn a_missing_stretch_ends_a_line() {
    let mut browser = Browser::at(&Access::None);
    let lines = |browser: &mut Browser| {
        let page = text(&browser.get("/load-power-profile?load=fridge"));
        page.matches("<polyline").count()
    };
    let with_gap = lines(&mut browser);
    let from = made::NOW - SimDuration::from_seconds(18 * 3600);
    let whole = (0..72).map(|quarter| (from + SimDuration::from_seconds(900 * quarter), 90));
    browser.view.loads[0].profile = whole.collect();
    // One run more in each of the two drawings.
    assert_eq!(with_gap, lines(&mut browser) + 2);
}

#[test]
fn a_price_holds_until_the_next_one() {
    let mut browser = Browser::at(&Access::None);
    let mut lines_with = |hours: [i64; 3]| {
        let price = |hour: i64| {
            let at = made::NOW + SimDuration::from_seconds(3600 * hour);
            (at, Some(lastmeter_household::Rate(20_000_000)))
        };
        browser.view.prices = hours.map(price).to_vec();
        text(&browser.get("/power-profile")).matches("<polyline").count()
    };
    assert_eq!(lines_with([0, 1, 2]), lines_with([0, 1, 9]));
}

/// Anything that a browser, or somebody who pretends to be one, may send.
fn requests() -> impl Drawn<Value = PageRequest> {
    let known =
        PATHS.into_iter().chain(FORMS.map(|form| form.0)).chain(["/sign-out", "/style.css"]);
    let known = prop::sample::select(known.map(str::to_owned).collect::<Vec<_>>());
    let text = || prop_oneof![".{0,40}", "[a-z=&%;+0-9]{0,60}"];
    let bodies = prop::sample::select(FORMS.map(|form| form.1.as_bytes().to_vec()).to_vec());
    let bodies = prop_oneof![bodies, prop::collection::vec(any::<u8>(), 0..80)];
    let cookies = prop_oneof!["aggregator=[0-9a-f]{32}", text()];
    let parts = (
        prop::sample::select(PageMethod::ALL.to_vec()),
        prop_oneof![known.clone(), (known, text()).prop_map(|(a, b)| format!("{a}?{b}")), text()],
        prop::option::of(cookies),
        prop::option::of(text()),
        prop::option::of(text()),
        bodies,
    );
    parts.prop_map(|(method, path, cookie, origin, host, body)| PageRequest {
        method,
        path,
        cookie,
        origin,
        host,
        body,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nobody_changes_or_sees_anything_without_a_session(request in requests()) {
        let mut browser = Browser::signed_in();
        let served = browser.site.answer(browser.now, &request, &browser.view, &mut || 7);
        prop_assert_eq!(&served.change, &None);
        let page = String::from_utf8_lossy(&served.answer.body).into_owned();
        prop_assert!(!page.contains("fridge"));
        prop_assert_eq!(served.refused.is_some(), request.method == PageMethod::Post);
    }

    #[test]
    fn with_a_session_only_its_token_changes_something(request in requests()) {
        let mut browser = Browser::signed_in();
        let request = PageRequest { cookie: browser.cookie.clone(), ..request };
        let served = browser.site.answer(browser.now, &request, &browser.view, &mut || 7);
        prop_assert_eq!(served.change, None);
    }

    #[test]
    fn open_pages_answer_everything(request in requests(), name in ".{0,30}") {
        let mut site = Site::new(&Access::None);
        let served = site.answer(made::NOW, &request, &hostile(&name), &mut || 7);
        prop_assert!([200, 303, 404, 422].contains(&served.answer.status));
        if served.answer.media_type == HTML && served.answer.status != 303 {
            prop_assert!(nesting(&text(&served)).is_ok());
        }
    }

    #[test]
    fn a_value_comes_through_an_address(value in ".{0,40}") {
        let query = format!("/load-power-profile?load={}&more=1", fields::encoded(&value));
        let (path, read) = fields::address(&query);
        prop_assert_eq!((path, read.get("load")), ("/load-power-profile", Some(value.as_str())));
    }
}
