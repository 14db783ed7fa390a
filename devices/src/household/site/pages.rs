//! What stands on each page, and the templates that it is drawn by: everything that a template
//! puts into a page is escaped, except for charts, whose package escapes.

use std::sync::LazyLock;

use lastmeter_chart::{STYLE, tokens_css};
use lastmeter_household::schedule::Strategy;
use lastmeter_text::plural;
use lastmeter_units::SimTime;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Value, json};

use super::fields::{Fields, encoded};
use super::format::{self, Clock};
use super::picture;
use crate::household::display::{self, Screen};
use crate::household::view::{LoadView, Statistics, View};

macro_rules! templates {
    ($($name:literal)+) => {
        [$(($name, include_str!(concat!("templates/", $name)))),+]
    };
}

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    let texts = templates!(
        "shell.html" "parts.html" "home.html" "power_profile.html" "load_power_profile.html"
        "power_graph.html" "display.html" "sign_in.html" "problem.html"
    );
    for (name, text) in texts {
        // They are compiled in, and each is rendered by a test.
        environment.add_template(name, text).expect("a template that can be read");
    }
    environment
});

static SHEET: LazyLock<String> = LazyLock::new(|| tokens_css() + STYLE + include_str!("site.css"));

/// A page with its place in the navigation.
struct Page {
    path: &'static str,
    title: &'static str,
    template: &'static str,
    values: fn(&View, Clock, &Fields) -> Value,
}

static PAGES: [Page; 5] = [
    Page { path: "/", title: "Home", template: "home.html", values: home },
    Page {
        path: "/power-profile",
        title: "Power Profile",
        template: "power_profile.html",
        values: |view, clock, _| json!({ "chart": picture::of_household(view, clock) }),
    },
    Page {
        path: "/load-power-profile",
        title: "Load Power Profile",
        template: "load_power_profile.html",
        values: load_profile,
    },
    Page {
        path: "/power-graph",
        title: "Power Graph",
        template: "power_graph.html",
        values: graph,
    },
    Page { path: "/display", title: "Display", template: "display.html", values: shown },
];

/// Who looks at a page.
pub(super) struct Viewer<'a> {
    /// What forms of this session carry; none without sessions.
    pub(super) token: Option<&'a str>,
    /// Whether the pages are those of the household, or the one before signing in.
    pub(super) is_inside: bool,
}

/// The style sheet of all pages.
pub(super) fn sheet() -> &'static str {
    &SHEET
}

/// Whether there is a page at a path.
pub(super) fn is_page(path: &str) -> bool {
    PAGES.iter().any(|page| page.path == path)
}

/// The page at a path, if there is one.
pub(super) fn page(path: &str, query: &Fields, view: &View, viewer: &Viewer<'_>) -> Option<String> {
    let page = PAGES.iter().find(|page| page.path == path)?;
    let clock = Clock { now: view.now, offset: view.local_offset };
    let values = (page.values)(view, clock, query);
    Some(rendered(page.template, (page.title, page.path), values, view, viewer))
}

/// A page about what went wrong.
pub(super) fn problem(why: &str, view: &View, viewer: &Viewer<'_>) -> String {
    let values = json!({ "why": why });
    rendered("problem.html", ("That did not work", ""), values, view, viewer)
}

/// The form that asks for name and password; `back` is the page that was wanted.
pub(super) fn sign_in(why: Option<&str>, back: &str, view: &View) -> String {
    let viewer = Viewer { token: None, is_inside: false };
    rendered("sign_in.html", ("Sign in", ""), json!({ "why": why, "back": back }), view, &viewer)
}

fn rendered(
    template: &str,
    (title, path): (&str, &str),
    mut values: Value,
    view: &View,
    viewer: &Viewer<'_>,
) -> String {
    let entry = |page: &Page| {
        let is_current = page.path == path;
        json!({ "path": page.path, "title": page.title, "is_current": is_current })
    };
    let entries: Vec<Value> = PAGES.iter().filter(|_| viewer.is_inside).map(entry).collect();
    let clock = Clock { now: view.now, offset: view.local_offset };
    let around = json!({
        "title": title, "name": view.name, "entries": entries, "token": viewer.token,
        "now": clock.on_display(view.now),
    });
    if let (Value::Object(values), Value::Object(around)) = (&mut values, around) {
        values.extend(around);
    }
    let text = TEMPLATES.get_template(template).and_then(|found| found.render(Serde(values)));
    text.unwrap_or_else(|error| {
        debug_assert!(false, "{template}: {error:#}");
        "The page could not be drawn.".to_owned()
    })
}

/// The value of a series that holds at an instant.
fn at<T: Copy>(series: &[(SimTime, T)], at: SimTime) -> Option<T> {
    series.iter().rev().find(|(from, _)| *from <= at).map(|(_, value)| *value)
}

fn statistics(name: &str, of: &Statistics) -> Value {
    json!({
        "name": name, "register": format::register(of.register), "day": format::energy(of.day),
        "month": format::energy(of.month), "year": format::energy(of.year),
        "peak": format::power(of.peak_w),
    })
}

/// The rows of sources, co-generator and prices: the present, and the next prices.
fn sources(view: &View, clock: Clock) -> Vec<Value> {
    let row = |from: SimTime, time: String, co_generator: Value| {
        let price = at(&view.prices, from).flatten();
        json!({
            "time": time,
            "renewable": at(&view.renewable_w, from).map(format::power),
            "co_generator": co_generator,
            "price": price.map(|rate| format::rate(rate, &view.bill.currency)),
        })
    };
    let unit = view.co_generator.as_ref().map(|unit| {
        json!({
            "is_running": unit.is_running, "reason": unit.reason,
            "output": format::power(unit.output_w), "heat": format::power(unit.heat_w),
            "stored": format::energy(unit.stored), "unmet": format::energy(unit.unmet),
        })
    });
    let mut rows = vec![row(view.now, "Now".to_owned(), json!(unit))];
    let next = view.prices.iter().map(|one| one.0).filter(|from| *from > view.now).take(5);
    rows.extend(next.map(|from| row(from, clock.text(from), Value::Null)));
    rows
}

fn home(view: &View, clock: Clock, _: &Fields) -> Value {
    let strategies =
        Strategy::ALL.map(|one| json!({ "word": one.word(), "is_chosen": one == view.strategy }));
    let movable = view.loads.iter().filter_map(|load| {
        let (from, until) = load.window?;
        let start = load.start.map(|at| clock.text(at));
        let [from, until] = [from, until].map(format::time_of_day);
        Some(json!({ "name": load.name, "from": from, "until": until, "start": start }))
    });
    let decisions = view.decisions.iter().map(|one| {
        json!({
            "at": clock.text(one.at), "about": one.about, "action": one.action, "why": one.why,
        })
    });
    let open = view.bill.open_steps;
    let whole = statistics("Household", &view.whole);
    let loads = view.loads.iter().map(|load| statistics(&load.name, &load.statistics));
    json!({
        "net": view.net_w.map(format::power),
        "production": view.production_w.map(format::power),
        "limit": format::power(view.limit_w),
        "temperature": view.temperature_c.map(format::temperature),
        "total": format::money(view.bill.total, &view.bill.currency),
        "bill_from": view.bill.from.map(|from| clock.text(from)),
        "import": format::energy(view.bill.import),
        "export": format::energy(view.bill.export),
        "open_steps": (open > 0).then(|| plural(open, "step")),
        "strategy": view.strategy.word(),
        "strategies": strategies,
        "sources": sources(view, clock),
        "movable": movable.collect::<Vec<_>>(),
        "decisions": decisions.collect::<Vec<_>>(),
        "statistics": std::iter::once(whole).chain(loads).collect::<Vec<_>>(),
    })
}

fn load_profile(view: &View, clock: Clock, query: &Fields) -> Value {
    let named = |name: &str| view.loads.iter().find(|load| load.name == name);
    let wanted = query.get("load");
    let load = wanted.map_or_else(|| view.loads.first(), named);
    let names = view.loads.iter().map(|one| {
        let is_chosen = load.is_some_and(|load| load.name == one.name);
        json!({ "name": one.name, "is_chosen": is_chosen })
    });
    json!({
        "names": names.collect::<Vec<_>>(),
        "load": load.map(|load| json!({
            "name": load.name, "power": load.power_w.map(format::power),
            "chart": picture::of_load(load, clock),
            "statistics": statistics(&load.name, &load.statistics),
        })),
    })
}

fn graph(view: &View, _: Clock, _: &Fields) -> Value {
    let powers = view.loads.iter().filter_map(|load| load.power_w);
    let most = powers.map(i64::unsigned_abs).max().unwrap_or(0).max(1);
    let state = |load: &LoadView| match (load.is_closed, load.is_shed) {
        (None, _) => "not switched",
        (Some(true), _) => "on",
        (Some(false), true) => "off, shed",
        (Some(false), false) => "off",
    };
    let loads = view.loads.iter().map(|load| {
        let share = load.power_w.map(|watts| 100.0 * watts.unsigned_abs() as f64 / most as f64);
        json!({
            "name": load.name, "address": encoded(&load.name),
            "power": load.power_w.map(format::power), "width": share.unwrap_or(0.0).round(),
            "state": state(load), "is_closed": load.is_closed, "priority": load.priority,
        })
    });
    let loads: Vec<Value> = loads.collect();
    json!({ "net": view.net_w.map(format::power), "loads": loads })
}

fn shown(view: &View, _: Clock, _: &Fields) -> Value {
    let fields = Screen::ALL.map(|screen| {
        let (column, line) = display::field(screen);
        json!({ "word": screen.word(), "column": column, "line": line })
    });
    json!({ "fields": fields, "lines": display::lines(view).join("\n") })
}
