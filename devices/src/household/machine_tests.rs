//! Days of a household with photovoltaics and two loads that are moved, against sums that are made
//! apart: the bill of registers and prices, and the best of all pairs of starts.

use lastmeter_params::{Diagnostics, read_text};

use super::*;
use crate::household::HOUSEHOLD;
use crate::household::view::BillView;
use crate::household::view::{Change, View};

const SLOT: i64 = 900;
const SLOTS: usize = 96;
const BASE_W: i64 = 300;
/// What movable loads take in W, and for how many slots.
const LOADS: [(&str, i64, usize); 2] = [("washer", 1500, 4), ("dryer", 1100, 6)];
/// Prices of hours, in millionths of a cent; what is fed in is paid with 5 cents.
const EXPORT: i128 = 5_000_000;

const KEYS: &str = r#"
connection = "feed-in"
production = ["roof"]
contract_power = "9 kW"
feeds = { price = "spot", export = "fed-in", forecast = "sun" }
access = "none"
fixed = 1.5

[[loads]]
device = "washer"
movable = true
power = "1500 W"
run = "1 h"
from = "00:00"
until = "00:00"

[[loads]]
device = "dryer"
movable = true
power = "1100 W"
run = "90 min"
from = "00:00"
until = "00:00"
"#;

fn start() -> SimTime {
    "2027-06-01T00:00:00Z".parse().unwrap()
}

fn seconds(count: i64) -> SimTime {
    start() + SimDuration::from_seconds(count)
}

/// Dearest in the evening, cheapest at 3 o'clock, where it costs less than is paid for export.
fn price(hour: i64) -> i128 {
    i128::from((hour - 3).abs() * 1_700_000 + 2_000_000)
}

fn sun_w(slot: usize) -> i64 {
    let from_top = slot as i64 - 52;
    (1700 - 1700 * from_top * from_top / 400).max(0)
}

fn settings(text: &str) -> Result<Settings, String> {
    let values = read_text(text, &[&HOUSEHOLD[..]]).map_err(|all| all[0].message.clone())?;
    let mut diagnostics = Diagnostics::new();
    let meters = ["feed-in", "roof", "washer", "dryer", "heater"];
    let settings = Settings::of(&values, &meters, &mut diagnostics);
    let all = diagnostics.into_sorted();
    settings.ok_or_else(|| all.iter().map(|one| one.message.clone()).collect())
}

fn feed(path: &str) -> Vec<u8> {
    let document = |kind: &str, unit: &str, points: Vec<(i64, f64)>| {
        let points: Vec<String> = points
            .into_iter()
            .map(|(at, value)| format!("[\"{}\",{value:?}]", seconds(at)))
            .collect();
        let (from, until) = (seconds(0), seconds(2 * 86_400));
        format!(
            "{{\"kind\":\"{kind}\",\"unit\":\"{unit}\",\"validFrom\":\"{from}\",\
             \"validUntil\":\"{until}\",\"points\":[{}]}}",
            points.join(",")
        )
        .into_bytes()
    };
    let euro = |hour: i64| price(hour % 24) as f64 / 1e8;
    match path {
        "/api/v1/feeds/spot" => {
            document("price", "EUR/kWh", (0..48).map(|hour| (hour * 3600, euro(hour))).collect())
        }
        "/api/v1/feeds/fed-in" => document("price", "EUR/kWh", vec![(0, 0.05)]),
        "/api/v1/feeds/sun" => {
            let slots = (0..2 * SLOTS).map(|slot| (slot as i64 * SLOT, sun_w(slot % SLOTS) as f64));
            document("loadForecast", "W", slots.collect())
        }
        other => panic!("{other}"),
    }
}

struct Home {
    text: String,
    household: Household,
    parts: BTreeMap<String, Vec<u8>>,
    now: SimTime,
    closed: Vec<(String, bool, SimTime)>,
    /// Import, export, and of each load, in uJ.
    registers: [i128; 2],
    used: BTreeMap<String, i128>,
    net_w: Vec<i64>,
    decided: Vec<(SimTime, Decided)>,
    alerts: Vec<&'static str>,
    /// The platform answers nothing.
    is_cut_off: bool,
}

impl Home {
    fn new(text: &str) -> Self {
        let household =
            Household::new("home", settings(text).unwrap(), (start(), false), &BTreeMap::new());
        let closed = LOADS.iter().map(|load| (load.0.to_owned(), true, seconds(-86_400)));
        Self {
            text: text.to_owned(),
            household,
            parts: BTreeMap::new(),
            now: start(),
            closed: closed.collect(),
            registers: [1_000_000_000, 5_000_000],
            used: BTreeMap::new(),
            net_w: Vec::new(),
            decided: Vec::new(),
            alerts: Vec::new(),
            is_cut_off: false,
        }
    }

    fn kill(&mut self) {
        let settings = settings(&self.text).unwrap();
        self.household = Household::new("home", settings, (start(), false), &self.parts);
    }

    fn power_w(&self, load: usize) -> i64 {
        let (_, power_w, slots) = LOADS[load];
        let (_, is_closed, since) = &self.closed[load];
        let is_running = *is_closed && (self.now - *since).0 < slots as i64 * SLOT * 1_000_000_000;
        if is_running { power_w } else { 0 }
    }

    fn effects(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let mut more = Vec::new();
            match effect {
                Effect::Request(_) if self.is_cut_off => {}
                Effect::Request(Request { number, path, .. }) => {
                    let answer = Answer { number, status: 200, body: feed(&path) };
                    self.household.answer(self.now, &answer, &mut more);
                }
                Effect::Keep(name, bytes) => {
                    self.parts.insert(name, bytes);
                }
                Effect::Switch { device, is_closed } => {
                    let load = self.closed.iter_mut().find(|load| load.0 == device).unwrap();
                    if load.1 != is_closed {
                        (load.1, load.2) = (is_closed, self.now);
                    }
                    self.household.switched(&device, Some(is_closed), &mut more);
                }
                Effect::Decided(decided) => self.decided.push((self.now, *decided)),
                Effect::Alert(alert) => self.alerts.push(alert.kind),
                Effect::Refused(why) => panic!("{why}"),
                _ => {}
            }
            self.effects(more);
        }
    }

    /// A minute goes by, and a poll comes at its end.
    fn minute(&mut self, extra_w: i64) {
        let slot = ((self.now - start()).0 / (SLOT * 1_000_000_000)) as usize % SLOTS;
        let loads: i64 = (0..LOADS.len()).map(|load| self.power_w(load)).sum();
        for (place, (name, ..)) in LOADS.iter().enumerate() {
            *self.used.entry((*name).to_owned()).or_default() +=
                i128::from(self.power_w(place)) * 60_000_000;
        }
        let net = BASE_W + extra_w + loads - sun_w(slot);
        self.net_w.push(net);
        self.registers[usize::from(net < 0)] += i128::from(net.abs()) * 60_000_000;
        let powers: Vec<i64> = (0..LOADS.len()).map(|load| self.power_w(load)).collect();
        self.now += SimDuration::from_seconds(60);
        let at = self.now;
        let mut out = Vec::new();
        self.household.work(at, &mut out);
        let effects = std::mem::take(&mut out);
        self.effects(effects);
        let joules = |energy: i128| energy as f64 / 1e6;
        let values = |power: i64, import: i128, export: i128| {
            [
                (Quantity::ActivePower(Direction::Consumed), power.max(0) as f64),
                (Quantity::ActivePower(Direction::Injected), (-power).max(0) as f64),
                (Quantity::ActiveEnergy(Direction::Consumed), joules(import)),
                (Quantity::ActiveEnergy(Direction::Injected), joules(export)),
            ]
        };
        let [import, export] = self.registers;
        self.household.reading(at, "feed-in", &values(net, import, export), &mut out);
        self.household.reading(at, "roof", &values(-sun_w(slot), 0, 0), &mut out);
        for ((name, ..), power) in LOADS.iter().zip(powers) {
            let used = self.used[*name];
            self.household.reading(at, name, &values(power, used, 0), &mut out);
        }
        self.household.polled(at, &mut out);
        self.effects(out);
    }

    fn day(text: &str, kills: &[i64]) -> Self {
        let mut home = Self::new(text);
        for minute in 0..1440 {
            if kills.contains(&minute) {
                home.kill();
            }
            home.minute(0);
        }
        home
    }

    fn bill(&self) -> BillView {
        self.household.view(self.now).bill
    }
}

/// Cost of a slot in uJ x uct, what is fed in, and the peak.
fn measures(net_w: &[i64], seconds_each: i64) -> (i128, i128, i64) {
    let (mut cost, mut fed_in) = (0, 0);
    for (place, net) in net_w.iter().enumerate() {
        let hour = place as i64 * seconds_each / 3600;
        let energy = i128::from(*net) * i128::from(seconds_each) * 1_000_000;
        cost += energy * if *net > 0 { price(hour) } else { EXPORT };
        fed_in -= energy.min(0);
    }
    (cost, fed_in, *net_w.iter().max().unwrap())
}

/// The best of each measure over all pairs of starts from the second slot on.
fn best_of_all() -> (i128, i128, i64) {
    let mut best = (i128::MAX, i128::MAX, i64::MAX);
    for first in 1..=SLOTS - LOADS[0].2 {
        for second in 1..=SLOTS - LOADS[1].2 {
            let net: Vec<i64> = (0..SLOTS)
                .map(|slot| {
                    let starts = [first, second].into_iter().zip(LOADS);
                    let on =
                        starts.filter(|(start, load)| (*start..start + load.2).contains(&slot));
                    BASE_W - sun_w(slot) + on.map(|(_, load)| load.1).sum::<i64>()
                })
                .collect();
            let (cost, fed_in, peak) = measures(&net, SLOT);
            best = (best.0.min(cost), best.1.min(fed_in), best.2.min(peak));
        }
    }
    best
}

#[test]
fn each_strategy_is_the_best_in_its_own_measure() {
    let best = best_of_all();
    let of = |strategy: &str, kills: &[i64]| {
        let home = Home::day(&format!("strategy = \"{strategy}\"\n{KEYS}"), kills);
        // From the second minute on, as the bill begins with the first reading.
        let (cost, ..) = measures(&home.net_w, 60);
        let first = i128::from(home.net_w[0]) * 60_000_000 * price(0);
        let cents = (cost - first + 150 * 3_600_000_000_000_000_000) as f64 / 3.6e18;
        let bill = home.bill();
        assert!((bill.total.as_cents_f64() - cents).abs() < 1e-9, "{bill:?}, expected {cents}");
        assert_eq!(bill.total.cents(), cents.round_ties_even() as i128);
        assert_eq!(bill.open_steps, 0);
        for (load, (name, power_w, slots)) in LOADS.iter().enumerate() {
            let slots_run = *slots as i64;
            let used = i128::from(*power_w * slots_run * SLOT) * 1_000_000;
            assert_eq!(home.used[*name], used, "{name} has run once");
            let view = &home.household.view(home.now).loads[load];
            assert_eq!(view.statistics.register, Energy(used));
        }
        (measures(&home.net_w, 60), home)
    };
    let kills: Vec<i64> = (0..20).map(|kill| (kill * kill * 37) % 1440).collect();
    let (cheap, _) = of("least cost", &[]);
    let (own, _) = of("most own energy", &[]);
    let (low, _) = of("lowest peak", &[]);
    assert_eq!(cheap.0, best.0);
    assert_eq!(own.1, best.1);
    assert_eq!(low.2, best.2);
    assert!(cheap.0 < own.0 && own.1 < cheap.1 && low.2 < cheap.2, "{cheap:?} {own:?} {low:?}");
    for (strategy, expected) in [("least cost", cheap), ("most own energy", own)] {
        let (killed, _) = of(strategy, &kills);
        assert_eq!(killed, expected, "killed {} times", kills.len());
    }
}

#[test]
fn a_load_above_the_contract_is_shed_and_comes_back_below_it() {
    let text = format!("hysteresis = \"100 W\"\n{}", KEYS.replace("9 kW", "2 kW"));
    let mut home = Home::new(&text);
    for _ in 0..120 {
        home.minute(0);
    }
    assert!(home.alerts.is_empty());
    // By hand the washer runs now, and an hour later a kettle is on.
    let mut out = Vec::new();
    let start_now = Change::StartNow { load: "washer".to_owned() };
    home.household.change(home.now, &start_now, &mut out);
    home.household.decide(home.now, false, &mut out);
    home.effects(out);
    assert!(home.closed[0].1);
    home.minute(100);
    home.minute(300);
    assert!(!home.closed[0].1, "2100 W with a limit of 2000 W");
    home.kill();
    home.minute(300);
    assert_eq!(home.household.view(home.now).loads[0].is_closed, Some(false));
    assert!(home.household.view(home.now).loads[0].is_shed, "after a restart too");
    // 5 minutes at least, and 300 + 1500 + 100 W of hysteresis are below the limit.
    for _ in 0..3 {
        home.minute(0);
        assert!(!home.closed[0].1);
    }
    home.minute(0);
    assert!(home.closed[0].1);
    assert_eq!(home.alerts, ["household.shed", "household.restored"]);
    let reasons: Vec<_> = home.decided.iter().map(|(_, it)| (it.action, it.reason)).collect();
    let shed = reasons.iter().position(|it| *it == ("open", "limit")).unwrap();
    assert_eq!(reasons.last(), Some(&("close", "limit")));
    assert_eq!(home.decided[shed].1.net_w, Some(2100));
    assert!(reasons.contains(&("start", "customer")));
}

#[test]
fn changes_by_the_customer_survive_a_restart() {
    let mut home = Home::new(KEYS);
    home.minute(0);
    let changes = [
        Change::Strategy(Strategy::ComfortFirst),
        Change::Contract(4321),
        Change::Window {
            load: "dryer".to_owned(),
            from: SimDuration::from_seconds(22 * 3600),
            until: SimDuration::from_seconds(3600),
        },
        Change::Switch { load: "washer".to_owned(), is_closed: true },
    ];
    for change in &changes {
        let mut out = Vec::new();
        home.household.change(home.now, change, &mut out);
        home.household.decide(home.now, false, &mut out);
        home.effects(out);
    }
    assert!(home.closed[0].1);
    home.kill();
    home.minute(0);
    let view = home.household.view(home.now);
    assert_eq!((view.strategy, view.limit_w), (Strategy::ComfortFirst, 4321));
    assert_eq!(view.loads[0].is_closed, Some(true));
    // Comfort first: as early as the window allows.
    assert_eq!(view.loads[1].start, Some(seconds(22 * 3600)));
    assert_eq!(view.bill.from, Some(seconds(60)));
}

#[test]
fn heat_is_always_met_and_the_unit_runs_for_heat_or_price_alone() {
    let unit = "co_generator = { least = \"1 kW\", greatest = \"3 kW\", electric_share = 0.3, \
                heat_share = 0.6, fuel_price = 0.06, boiler = \"10 kW\", boiler_share = 0.9, \
                store = \"8 kWh\", store_loss = \"1 %\", heat = \"1.5 kW\" }";
    let mut home = Home::new(&format!("{unit}\n{KEYS}"));
    for minute in 0..1440 {
        if minute % 200 == 7 {
            home.kill();
        }
        home.minute(0);
        let view = home.household.view(home.now).co_generator.unwrap_or_else(|| panic!("{minute}"));
        assert_eq!(view.unmet, Energy::ZERO);
        // 6 cents for fuel of which 0.3 become electricity: 20 cents.
        let is_dear = price((minute + 1) / 60 % 24) > 20_000_000;
        match view.reason {
            "price above cost" => assert!(is_dear && view.is_running),
            "heat wanted" => assert!(view.is_running),
            _ => assert!(!is_dear && !view.is_running, "{view:?} at {minute}"),
        }
    }
    let reasons: std::collections::BTreeSet<_> = home
        .decided
        .iter()
        .filter(|(_, it)| it.about.as_deref() == Some("co-generator"))
        .map(|(_, it)| it.reason)
        .collect();
    assert!(reasons.len() >= 2, "{reasons:?}");
}

#[test]
fn keys_that_do_not_fit_are_named() {
    assert!(settings(KEYS).is_ok());
    for (from, to, what) in [
        ("\"washer\"", "\"nobody\"", "`nobody` is no meter"),
        ("\"roof\"", "\"moon\"", "`moon` is no meter"),
        ("power = \"1500 W\"\n", "", "`washer` is movable and has no `power`"),
        ("movable = true\npower = \"1500 W\"", "power = \"1500 W\"", "is not movable"),
        ("\"dryer\"", "\"washer\"", "or a load already"),
        ("from = \"00:00\"", "from = \"24:00\"", "`24:00` is no time of day"),
        ("run = \"1 h\"\nfrom = \"00:00\"", "run = \"1 h\"\nfrom = \"23:30\"", "longer than its"),
        ("price = \"spot\", ", "", "without a feed of prices"),
        ("access = \"none\"", "user = \"ann\"", "`user` or `password` is left out"),
        ("fixed", "slot = \"7 min\"\nfixed", "do not fill a day"),
        ("fixed", "dear_above = 0.3\nfixed", "`dear_power` is left out"),
    ] {
        assert!(KEYS.contains(from), "{from}");
        let error = settings(&KEYS.replacen(from, to, 1)).unwrap_err();
        assert!(error.contains(what), "{from} to {to}: {error}");
    }
}

#[test]
fn a_load_is_shed_while_energy_is_dear() {
    // More than 20 cents from 14 o'clock on; the washer runs by hand from 13:40 on.
    let keys = "dear_above = 0.2\ndear_power = \"1 kW\"\nopen_at_least = \"1 min\"";
    let mut home = Home::new(&format!("strategy = \"lowest peak\"\n{keys}\n{KEYS}"));
    let hour = (0..24).find(|hour| price(*hour) > 20_000_000).unwrap();
    for _ in 0..hour * 60 - 20 {
        home.minute(0);
    }
    home.closed[0].2 = home.now;
    home.closed[0].1 = true;
    let start_now = Change::StartNow { load: "washer".to_owned() };
    home.household.change(home.now, &start_now, &mut Vec::new());
    home.decided.clear();
    while home.now < seconds(hour * 3600 - 60) {
        home.minute(1700);
        assert!(home.closed[0].1);
    }
    home.minute(1700);
    let (at, shed) = &home.decided[0];
    assert_eq!((*at, shed.action, shed.reason), (seconds(hour * 3600), "open", "price"));
    assert_eq!(shed.limit_w, Some(1000));
    assert!(!home.closed[0].1);
    // A restart without the platform forgets no feed, so it stays shed while energy is dear.
    let known = |home: &Home| {
        let View { prices, renewable_w, .. } = home.household.view(home.now);
        (prices, renewable_w)
    };
    let before = known(&home);
    assert!(before.0.len() > 24 && before.1.len() > SLOTS);
    home.is_cut_off = true;
    home.kill();
    assert!(known(&home) == before);
    for _ in 0..30 {
        home.minute(1700);
        assert!(!home.closed[0].1, "{}", home.now);
    }
    // What was another feed is not taken for one of this token, kind and unit.
    home.text = home.text.replace("price = \"spot\"", "price = \"other\"");
    home.kill();
    assert!(known(&home).0.is_empty());
}

/// A form as a browser sends it, from a page of its own host.
fn form(path: &str, body: &str) -> PageRequest {
    PageRequest {
        method: crate::border::PageMethod::Post,
        path: path.to_owned(),
        cookie: None,
        origin: None,
        host: None,
        body: body.as_bytes().to_vec(),
    }
}

#[test]
fn a_touch_of_the_display_decides_nothing() {
    let mut home = Home::new(KEYS);
    home.minute(0);
    home.household = home.household.with_pages(lastmeter_sim::Streams::new(7).stream("pages"));
    // Starts of loads have come by then.
    let (later, mut out) = (home.now + SimDuration::from_seconds(20 * 3600), Vec::new());
    home.household.page(later, (1, &form("/touch", "column=27&line=11")), &mut out);
    assert!(matches!(out[..], [Effect::Page { .. }]));
    assert_eq!(home.household.view(later).screen, Screen::Plan);
    home.household.decide(later, false, &mut out);
    assert!(out.iter().any(|effect| matches!(effect, Effect::Decided(_))));
}

#[test]
fn a_form_changes_what_it_names_or_is_refused_counted_and_alarmed() {
    let draws = || lastmeter_sim::Streams::new(7).stream("pages");
    let mut open = Home::new(KEYS);
    open.minute(0);
    open.household = open.household.with_pages(draws());
    let mut out = Vec::new();
    let strategy = form("/strategy", "strategy=comfort+first");
    open.household.page(open.now, (1, &strategy), &mut out);
    let place = |wanted: fn(&Effect) -> bool| out.iter().position(wanted).unwrap();
    let kept = place(|effect| matches!(effect, Effect::Keep(..)));
    let page = place(|effect| matches!(effect, Effect::Page { .. }));
    assert!(kept < page, "durable before it is answered");
    let decided =
        |effect: &Effect| matches!(effect, Effect::Decided(it) if it.reason == "customer");
    assert!(out.iter().any(decided));
    assert_eq!(open.household.view(open.now).strategy, Strategy::ComfortFirst);

    let text = KEYS.replace("\"none\"", "\"password\"\nuser = \"ann\"\npassword = \"secret\"");
    let mut home = Home::new(&text);
    home.minute(0);
    home.household = home.household.with_pages(draws());
    let mut alerts = Vec::new();
    for second in 0..130 {
        let mut out = Vec::new();
        let now = home.now + SimDuration::from_seconds(second);
        home.household.page(now, (1, &strategy), &mut out);
        assert!(out.iter().any(|effect| matches!(effect, Effect::PageRefused(_))));
        for effect in &out {
            if let Effect::Alert(alert) = effect {
                let count = alert.facts.iter().find(|fact| fact.0 == fact::COUNT).unwrap();
                alerts.push((second, alert.kind, count.1.clone()));
            }
        }
    }
    let expected = [(0, "1"), (60, "60"), (120, "60")];
    let expected = expected.map(|(at, count)| (at, "household.access", count.to_owned()));
    assert_eq!(alerts, expected);
    let last = home.now + SimDuration::from_seconds(180);
    assert_eq!(home.household.wake_at(), Some(last), "the last nine");
    let mut out = Vec::new();
    home.household.work(last, &mut out);
    assert!(matches!(&out[..], [Effect::Alert(alert)] if alert.facts[2].1 == "9"), "{out:?}");
    assert_eq!(home.household.view(home.now).strategy, Strategy::LeastCost);
}

#[test]
fn a_page_takes_no_window_that_keys_would_not() {
    let windows = [("12:00", "12:15"), ("12:00", "12:59"), ("12:00", "13:00"), ("23:30", "00:30")];
    for (from, until) in windows {
        let keys = |from: &str, until: &str| {
            let old = "run = \"1 h\"\nfrom = \"00:00\"\nuntil = \"00:00\"";
            KEYS.replace(old, &format!("run = \"1 h\"\nfrom = \"{from}\"\nuntil = \"{until}\""))
        };
        let is_right = settings(&keys(from, until)).is_ok();
        assert_eq!(is_right, !until.starts_with("12:"), "{from} {until}");
        let mut home = Home::new(KEYS);
        home.household = home.household.with_pages(lastmeter_sim::Streams::new(7).stream("pages"));
        let mut out = Vec::new();
        let body = format!("load=washer&from={from}&until={until}");
        home.household.page(home.now, (1, &form("/window", &body)), &mut out);
        let status = |effect: &Effect| match effect {
            Effect::Page { answer, .. } => Some(answer.status),
            _ => None,
        };
        let expected = if is_right { 303 } else { 422 };
        assert_eq!(out.iter().find_map(status), Some(expected), "{from} {until}: {out:?}");
    }
}

#[test]
fn a_load_can_be_switched_before_its_unit_was_heard_of() {
    let text = format!("{KEYS}\n[[loads]]\ndevice = \"heater\"\n");
    let mut home = Home::new(&text);
    let draws = lastmeter_sim::Streams::new(7).stream("pages");
    home.household = home.household.with_pages(draws);
    let shown = |home: &Home| -> Vec<Option<bool>> {
        home.household.view(home.now).loads.iter().map(|load| load.is_closed).collect()
    };
    // Closed, but for those that wait for their start.
    assert_eq!(shown(&home), [Some(false), Some(false), Some(true)]);
    let mut out = Vec::new();
    home.household.page(home.now, (1, &form("/switch", "load=heater&to=open")), &mut out);
    let order = Effect::Switch { device: "heater".to_owned(), is_closed: false };
    assert!(out.contains(&order), "{out:?}");
    let status = |effect: &Effect| match effect {
        Effect::Page { answer, .. } => Some(answer.status),
        _ => None,
    };
    assert_eq!(out.iter().find_map(status), Some(303));
    // A unit that has answered is shown as it answered.
    home.household.switched("heater", Some(false), &mut out);
    home.household.switched("washer", Some(true), &mut out);
    assert_eq!(shown(&home), [Some(true), Some(false), Some(false)]);
}
