//! The states of the pages and what leads from one to another, walked by HTTP: each state by
//! everybody, each event by everybody, and each link and form that somebody is shown. The table is
//! that of the site map, written by hand: who may what is not taken from the pages. What is not
//! listed has to leave everything as it was.
//!
//! A page is there for whoever may read something of its kind. What is public is for everybody, so
//! that everybody who is signed in has `/now` and `/devices`, without what is somebody's. Whoever
//! may switch a device may take back what waits for it. Members of a household
//! have no address yet.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::losses::LossKind;
use crate::pages::frame::forms;

/// Everybody: nobody who is signed in, an owner, a guest of hers who may switch, one of a utility,
/// an operator, and the administrator of the first tenant, who administers the others too.
const ALL: [&str; 6] = ["nobody", "ann", "gina", "uma", "otto", "adam"];
const SIGNED_IN: &str = "ann gina uma otto adam";

/// A state, an address of it, and who has it there; nobody else does.
const STATES: &[(&str, &str, &str)] = &[
    ("V0", "/sign-in", "nobody"),
    ("V1", "/public", "nobody ann gina uma otto adam"),
    ("V2", "/now", SIGNED_IN),
    ("V3", "/devices", SIGNED_IN),
    ("V3", "/devices/p1", "ann gina"),
    ("V3", "/devices/m1", "ann"),
    ("V4", "/history", SIGNED_IN),
    ("V6", "/rules", "ann gina uma adam"),
    ("V7", "/alarms", "ann gina uma adam"),
    ("V8", "/bills", "ann gina adam"),
    ("V8", "/tariff", "ann gina adam"),
    ("V9", "/reports", "ann gina adam"),
    ("V10", "/awareness", SIGNED_IN),
    ("V9", "/reports/p1", "ann adam"),
    ("A1", "/networks", "ann gina otto adam"),
    ("A2", "/networks/new", "ann gina adam"),
    ("A4", "/networks/{network}", "ann otto adam"),
    ("A7", "/nodes/{node}", "ann otto adam"),
    ("O1", "/grid", "otto adam"),
    ("O2", "/grid/outages", "otto adam"),
    ("O2", "/grid/outages/{outage}", "otto adam"),
    ("O6", "/groups", SIGNED_IN),
    ("A8", "/sharing", "ann gina"),
    ("V12", "/sharing/{share}", "ann"),
    ("V12", "/shared", "ann gina"),
    ("A9", "/account", SIGNED_IN),
    ("P5", "/admin/health", "otto adam"),
    ("P2", "/admin/people", "adam"),
    ("P2", "/admin/people/bob", "adam"),
    ("P2", "/admin/roles", "adam"),
    ("P3", "/admin/keys", "adam"),
    ("V8", "/admin/tariffs", "adam"),
    ("P5", "/admin/connections", "adam"),
    ("P1", "/admin/tenants", "adam"),
    ("P6", "/admin/rejected", "ann gina otto adam"),
    ("P4", "/admin/audit", "otto adam"),
];

/// What somebody does on a page.
struct Event {
    path: &'static str,
    form: &'static str,
    /// Who may; for everybody else there is no such thing, and nothing changes.
    who: &'static str,
    /// The state that it leads to.
    to: &'static str,
    changes: bool,
}

const fn event(
    path: &'static str,
    form: &'static str,
    who: &'static str,
    to: &'static str,
) -> Event {
    Event { path, form, who, to, changes: true }
}

const RULE: &str = "name=Much&kind=value&device=m1&quantity=electricity.power.active.consumed.total\
                    &side=above&level=2&does=alarm";

const VIEW: &str = "name=Mine&s=p1&q=electricity.power.active.consumed.total&per=week";

/// Every event, in the order of the pages, but for signing in: that begins each walk.
const EVENTS: &[Event] = &[
    event("/devices/p1/command", "command=setBreaker&p.state=open", "ann gina", "V3c"),
    event("/devices/p1/cancel", "id={invocation}", "ann gina", "V3"),
    event("/alarms/{alarm}/acknowledge", "", "ann", "V7"),
    event("/alarms/{alarm}/shelve", "", "ann", "V7"),
    // An administrator may read what it measured before it was somebody's.
    event("/history", VIEW, "ann gina adam", "V5"),
    event("/history/views/{view}/remove", "", "ann", "V4"),
    event("/awareness/switch-off", "answer=done", SIGNED_IN, "V10"),
    event("/rules", RULE, "ann gina adam", "V6"),
    Event { changes: false, ..event("/rules/try", RULE, "ann adam", "V6") },
    event("/rules/{rule}/pause", "", "ann", "V6"),
    event("/rules/{rule}/remove", "", "ann", "V6"),
    event("/rules/{offer}/accept", "", "ann", "V6"),
    event("/rules/{offer}/refuse", "", "ann", "V6"),
    // There is nothing to revoke: she has not accepted it.
    Event { changes: false, ..event("/rules/{offer}/revoke", "", "ann", "V6") },
    event("/grid/outages/{outage}/confirm", "", "otto adam", "O2"),
    event("/grid/outages/{outage}/reject", "", "otto adam", "O2"),
    event("/networks/new", "name=Mine&gateway={gateway}&option.channel=15", "ann gina adam", "A3"),
    event("/networks/{network}/key", "", "ann adam", "A3"),
    event("/nodes/{node}/register", "name=Plug&visibility=private", "ann adam", "A7"),
    event("/nodes/{node}/scales", "", "ann adam", "A7"),
    event("/nodes/{node}/ignore", "", "ann adam", "A7"),
    event("/sharing", "to=bob&device=p1&quantity=&finest=&until=2027-03-31", "ann", "A8"),
    event("/sharing/{share}/end", "", "ann", "A8"),
    event("/admin/people", "name={new}&user=yes", "adam", "P2"),
    event("/admin/people/{person}", "user=yes&disabled=yes", "adam", "P2"),
    event("/admin/people/{person}/code", "", "adam", "P2"),
    event("/admin/people/{person}/remove", "name={person}", "adam", "P2"),
    // A loss is no document.
    Event {
        changes: false,
        ..event("/admin/losses/{loss}/acknowledge", "note=seen", "otto adam", "P5")
    },
    // There is no source outside.
    event("/admin/connections/market/read", "", "", "P5"),
    event("/admin/keys", "of=ann&read=yes&until=2100-01-01", "adam", "P3"),
    event("/admin/keys/{key}/end", "", "adam", "P3"),
    // Other tenants are no documents of this one.
    Event { changes: false, ..event("/admin/tenants", "name={new}", "adam", "P1") },
    Event {
        changes: false,
        ..event("/admin/tenants/{tenant}/remove", "name={tenant}", "adam", "P1")
    },
    event("/account", "fullName=Other&timeZone=Europe/Rome", SIGNED_IN, "A9"),
    Event { changes: false, ..event("/account/sign-out-elsewhere", "", SIGNED_IN, "A9") },
    event("/account/password", "password=correct+horse&new-password=new+horse", SIGNED_IN, "A9"),
    Event { changes: false, ..event("/sign-out", "", SIGNED_IN, "V0") },
];

/// What stands in addresses and forms for the id of a thing.
const PLACES: [&str; 13] = [
    "rule",
    "view",
    "offer",
    "alarm",
    "share",
    "invocation",
    "person",
    "key",
    "tenant",
    "loss",
    "network",
    "node",
    "outage",
];

struct PageWalk {
    household: Household,
    cookies: BTreeMap<&'static str, String>,
    /// What has been made, by its number.
    made: usize,
    walked: usize,
    /// What is not as it is listed.
    wrong: Vec<String>,
}

/// Texts of attributes of a page.
fn attributes(page: &str, name: &str) -> BTreeSet<String> {
    let begin = format!(" {name}=\"");
    let all = page.split(&begin).skip(1);
    let text = |rest: &str| rest.split('"').next().unwrap().replace("&#x2f;", "/");
    all.map(|rest| text(rest).replace("&amp;", "&")).collect()
}

fn is_in(who: &str, list: &str) -> bool {
    list.split(' ').any(|one| one == who)
}

impl PageWalk {
    async fn start() -> Self {
        let household = Household::start().await;
        for (name, role) in [("gina", "user"), ("uma", "utility"), ("otto", "operator")] {
            let user = json!({ "username": name, "password": PASSWORD, "roles": [role] });
            assert_eq!(household.0.post("/sitewhere/api/users", &user).await.status, 201);
        }
        let mut cookies = BTreeMap::from([("nobody", String::new())]);
        for name in &ALL[1..] {
            cookies.insert(*name, household.sign_in(name).await);
        }
        let share = "to=gina&device=p1&quantity=&finest=&until=2027-03-31&switch=yes";
        assert_eq!(household.form("/sharing", &cookies["ann"], share).await.status, 303);
        let alarm = json!({
            "source": "rule:x", "type": "low", "level": "Error", "text": "low", "active": true,
            "count": 1, "first": NOW, "last": NOW, "owner": "user:ann", "hardwareId": "m1",
        });
        put(&household.0.bench.core, "alarm", "alarm", alarm).await;
        Self { household, cookies, made: 0, walked: 0, wrong: Vec::new() }
    }

    /// What changes when something is done: documents, readings, alerts, commands.
    async fn count(&self) -> (u64, Totals, String) {
        let core = &self.household.0.bench.core;
        core.barrier().await.unwrap();
        let served = &self.household.0;
        let path = "/sitewhere/api/devices/p1/assignment";
        let assignment = served.ok(path).await["token"].as_str().unwrap().to_owned();
        let path = format!("/sitewhere/api/assignments/{assignment}/invocations?pageSize=1000");
        let commands = served.ok(&path).await.to_string();
        let totals = Totals { refusals: 0, ..core.progress.totals() };
        (core.documents.epoch(), totals, commands)
    }

    /// The id in the first action of a page of somebody that ends like this.
    async fn action(&self, who: &str, page: &str, end: &str) -> String {
        let (_, page) = self.household.page(page, &self.cookies[who]).await;
        let actions = attributes(&page, "action");
        let found = actions.iter().find_map(|action| action.strip_suffix(end));
        found.unwrap_or_else(|| panic!("{end}: {page}")).rsplit('/').next().unwrap().to_owned()
    }

    /// An address or a form with the ids of things that are there, made for it.
    async fn filled(&mut self, text: &str) -> String {
        self.made += 1;
        let mut text = text.replace("{new}", &format!("new{}", self.made));
        text = text.replace("{gateway}", &format!("{:016x}", self.made));
        for place in PLACES {
            let place_of = format!("{{{place}}}");
            if text.contains(&place_of) {
                text = text.replace(&place_of, &self.thing(place).await);
            }
        }
        text
    }

    async fn sent(&self, who: &str, path: &str, form: &str) -> Answer {
        self.household.form(path, &self.cookies[who], form).await
    }

    /// Makes one of these things, of ann; its id.
    #[expect(clippy::too_many_lines, reason = "a table of things")]
    async fn thing(&self, what: &str) -> String {
        let name = format!("{what}{}", self.made);
        let served = &self.household.0;
        match what {
            "rule" => {
                let made = self.sent("ann", "/rules", RULE).await;
                assert_eq!(made.status, 303, "{made:?}");
                self.action("ann", "/rules", "/pause").await
            }
            "view" => {
                let made = self.sent("ann", "/history", VIEW).await;
                assert_eq!(made.status, 303, "{made:?}");
                let to = header(&made, "location").unwrap().to_owned();
                let (_, page) = self.household.page(&to, &self.cookies["ann"]).await;
                let actions = attributes(&page, "action");
                let found = actions.iter().find(|action| action.starts_with("/history/views/"));
                found.unwrap().split('/').nth(3).unwrap().to_owned()
            }
            "offer" => {
                let offer = json!({ "to": "user:ann", "rule": {
                    "name": "Offered", "when": { "absence": { "device": "m1", "forSeconds": 60 } },
                    "then": [{ "alarm": { "type": "x", "level": "Info", "text": "" } }],
                } });
                let made = served.post("/api/v1/rules/offer", &offer).await;
                made.json()["token"].as_str().unwrap().to_owned()
            }
            "alarm" => {
                let alarm = json!({
                    "source": "rule:x", "type": "low", "level": "Error", "text": "low",
                    "active": true, "count": 1, "first": NOW, "last": NOW, "owner": "user:ann",
                });
                put(&served.bench.core, "alarm", &name, alarm).await;
                name
            }
            "loss" => {
                let losses = &served.bench.core.losses;
                losses.note(LossKind::DamagedStore, &name, "gone");
                losses.count().to_string()
            }
            "network" => self.network().await,
            "node" => self.node().await,
            "outage" => {
                let content = json!({
                    "network": "nowhere", "state": "detected", "areas": [], "since": NOW,
                });
                let serial = self.made as u64;
                self.household.conclude(serial, ("outage", &name), content).await;
                format!("outages~{name}")
            }
            "share" => self.action("ann", "/sharing", "/end").await,
            "invocation" => {
                // One alone waits.
                let (_, page) = self.household.page("/devices/p1", &self.cookies["ann"]).await;
                for rest in page.split("name=\"id\" value=\"").skip(1) {
                    let form = format!("id={}", rest.split('"').next().unwrap());
                    self.sent("ann", "/devices/p1/cancel", &form).await;
                }
                let command = "command=setBreaker&p.state=open";
                let made = self.sent("ann", "/devices/p1/command", command).await;
                assert_eq!(made.status, 303, "{made:?}");
                let (_, page) = self.household.page("/devices/p1", &self.cookies["ann"]).await;
                page.split("name=\"id\" value=\"").nth(1).unwrap()[..]
                    .split('"')
                    .next()
                    .unwrap()
                    .to_owned()
            }
            "person" | "tenant" => {
                let path = if what == "person" { "/admin/people" } else { "/admin/tenants" };
                let made = self.sent("adam", path, &format!("name={name}&user=yes")).await;
                assert!([200, 303].contains(&made.status), "{made:?}");
                name
            }
            _ => {
                let made =
                    self.sent("adam", "/admin/keys", "of=ann&read=yes&until=2100-01-01").await;
                assert_eq!(made.status, 200, "{made:?}");
                self.action("adam", "/admin/keys", "/end").await
            }
        }
    }

    /// Registers a network of ann; its token.
    async fn network(&self) -> String {
        let form = format!("name=Home&gateway={:016x}", 0x1_0000 + self.made);
        let made = self.sent("ann", "/networks/new", &form).await;
        assert_eq!(made.status, 200, "{made:?}");
        let page = String::from_utf8_lossy(&made.body).into_owned();
        let links = attributes(&page, "href");
        let found = links.iter().find_map(|link| link.strip_prefix("/networks/"));
        found.unwrap().to_owned()
    }

    /// Has a node of a network of ann recognised; its id.
    async fn node(&self) -> String {
        let networks = self.household.page("/networks", &self.cookies["ann"]).await.1;
        let links = attributes(&networks, "href");
        let mut found = links.iter().filter_map(|link| link.strip_prefix("/networks/"));
        let network = found.find(|token| *token != "new").unwrap().to_owned();
        let (core, id) = (&self.household.0.bench.core, format!("{:016x}", 0xA000 + self.made));
        let device = json!({
            "status": "recognised", "fieldNetworkToken": network, "nodeAddress": id,
        });
        put(core, "device", &id, device).await;
        // The divisor of its power was 10, and is 100 now.
        let context = "01040b000506210a0001040b010506216400";
        let node = json!({
            "fieldNetworkToken": network, "state": "joined", "address": 7, "context": context,
        });
        put(core, "node", &id, node).await;
        id
    }

    /// Notes what is not as expected.
    fn expect(&mut self, is_so: bool, what: impl FnOnce() -> String) {
        self.walked += 1;
        if !is_so {
            self.wrong.push(what());
        }
    }

    /// The answer to what is not for somebody.
    fn is_nothing(who: &str, answer: &Answer) -> bool {
        let to_sign_in = header(answer, "location").is_some_and(|to| to.starts_with("/sign-in"));
        match who {
            "nobody" => answer.status == 303 && to_sign_in,
            // Or the form again.
            _ => [403, 404, 422].contains(&answer.status),
        }
    }

    /// Asks for each state as everybody; nothing changes, whoever looks.
    async fn look(&mut self) {
        for (state, path, who) in STATES {
            let path = self.filled(path).await;
            let before = self.count().await;
            for name in ALL {
                let answer = self.household.0.ask("GET", &path, &self.cookies[name], "").await;
                let status = answer.status;
                let text = String::from_utf8_lossy(&answer.body).into_owned();
                let is_right = if is_in(name, who) {
                    status == 200 && text.contains(&format!("data-state=\"{state}\""))
                } else if path == "/sign-in" {
                    status == 303
                } else {
                    Self::is_nothing(name, &answer)
                };
                self.expect(is_right, || format!("GET {path} {name}: {status}"));
                let is_hers = ["Heater", "Home &lt;b&gt;"].iter().any(|word| text.contains(word));
                // Documents of devices are an administrator's too.
                let is_hidden = !["ann", "gina", "adam"].contains(&name);
                self.expect(!(is_hidden && is_hers), || {
                    format!("GET {path} {name}: what is ann's")
                });
                if status == 200 {
                    self.follow(name, &path, &text).await;
                }
            }
            let after = self.count().await;
            self.expect(before == after, || format!("GET {path} changed something"));
        }
    }

    /// Follows each link that somebody is shown; each form leads to where there is one.
    async fn follow(&mut self, who: &str, path: &str, page: &str) {
        for link in attributes(page, "href").iter().filter(|link| link.starts_with('/')) {
            let address = link.split('#').next().unwrap().to_owned();
            let answer = self.household.0.ask("GET", &address, &self.cookies[who], "").await;
            let status = answer.status;
            let is_there = status == 200 || (status == 303 && who == "nobody");
            self.expect(is_there, || format!("{path} leads {who} to {address}: {status}"));
        }
        for action in attributes(page, "action").union(&attributes(page, "formaction")) {
            let is_it = forms().any(|form| is_of(form, action));
            let is_page = STATES.iter().any(|(_, state, _)| state == action);
            self.expect(is_it || is_page, || format!("{path} sends {who} to {action}"));
        }
    }

    /// Does each event as everybody who may not, then as each who may.
    async fn act(&mut self) {
        for event in EVENTS {
            for name in ALL.iter().filter(|name| !is_in(name, event.who)) {
                let both = self.filled(&format!("{} {}", event.path, event.form)).await;
                let (path, form) = both.split_once(' ').unwrap();
                let before = self.count().await;
                let answer = self.sent(name, path, form).await;
                let after = self.count().await;
                let (status, is_nothing) = (answer.status, Self::is_nothing(name, &answer));
                self.expect(is_nothing, || format!("POST {path} {name}: {status}"));
                self.expect(before == after, || format!("POST {path} {name} changed something"));
            }
            for name in event.who.split(' ').filter(|name| !name.is_empty()) {
                let both = self.filled(&format!("{} {}", event.path, event.form)).await;
                let (path, form) = both.split_once(' ').unwrap();
                let before = self.count().await;
                let answer = self.sent(name, path, form).await;
                let has_changed = before != self.count().await;
                // A new password comes with a new log-in.
                if event.to != "V0" && header(&answer, "set-cookie").is_some() {
                    let name = ALL.into_iter().find(|it| *it == name).unwrap();
                    self.cookies.insert(name, cookie_of(&answer));
                }
                let status = answer.status;
                let (text, to) = match header(&answer, "location") {
                    Some(to) if event.to != "V0" => {
                        let to = to.split('#').next().unwrap();
                        (self.household.page(to, &self.cookies[name]).await.1, to.to_owned())
                    }
                    Some(to) => (format!("data-state=\"V0\" {to}"), to.to_owned()),
                    None => (String::from_utf8_lossy(&answer.body).into_owned(), String::new()),
                };
                let is_there = text.contains(&format!("data-state=\"{}\"", event.to));
                let is_right = [200, 303].contains(&status) && is_there;
                self.expect(is_right, || format!("POST {path} {name}: {status} {to}"));
                let is_as_listed = has_changed == event.changes;
                self.expect(is_as_listed, || format!("POST {path} {name}: changes {has_changed}"));
            }
        }
    }
}

/// Whether an address is one of a path with variables.
fn is_of(path: &str, address: &str) -> bool {
    let (mut parts, mut given) = (path.split('/'), address.split('/'));
    loop {
        match (parts.next(), given.next()) {
            (None, None) => return true,
            (Some(part), Some(given)) if part == given || part.starts_with('{') => {}
            _ => return false,
        }
    }
}

#[tokio::test]
async fn each_listed_event_leads_to_its_state_and_nothing_else_changes_anything() {
    let mut walk = PageWalk::start().await;
    // Every page and every form has its rows.
    for page in PAGES.iter().filter(|page| page.path != "/") {
        assert!(STATES.iter().any(|(_, path, _)| is_of(page.path, path)), "{} is new", page.path);
    }
    for form in forms().filter(|form| *form != "/sign-in") {
        assert!(EVENTS.iter().any(|event| is_of(form, event.path)), "{form} is new");
    }
    walk.look().await;
    // What is nowhere, and what is no request of a page.
    for name in ALL {
        let ask = async |method: &str, path: &str| {
            let headers = format!("Sec-Fetch-Site: same-origin\r\n{FORM}{}", walk.cookies[name]);
            walk.household.0.ask(method, path, &headers, "").await.status
        };
        let nowhere = [ask("GET", "/no/such").await, ask("GET", "/rules/try").await];
        let others = [ask("POST", "/now").await, ask("DELETE", "/rules").await];
        walk.expect(nowhere == [404, 405] || nowhere == [401, 405], || {
            format!("{name}: {nowhere:?}")
        });
        walk.expect(others == [405, 405], || format!("{name}: {others:?}"));
    }
    // A reading shows, and the state stays.
    let before = walk.household.page("/now", &walk.cookies["ann"]).await.1;
    let message = reading("m1", 200, NOW, &[(POWER, 1.875)]);
    store(&walk.household.0.bench.core, &[message]).await;
    let after = walk.household.page("/now", &walk.cookies["ann"]).await.1;
    walk.expect(!before.contains("value=\"1.875\"") && after.contains("value=\"1.875\""), || after);
    walk.act().await;
    // At least every state and every event by everybody.
    assert!(walk.walked >= (STATES.len() + EVENTS.len()) * ALL.len());
    println!("{} steps walked, {} wrong", walk.walked, walk.wrong.len());
    assert!(walk.wrong.is_empty(), "{:#?}", walk.wrong);
    walk.household.0.stop().await;
}
