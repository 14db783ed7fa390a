//! What a household's aggregator is set up with: keys of a table `household` of its gateway.
//!
//! Prices are in units of the currency for 1 kWh, times of day are local ones, `"22:30"`.

use lastmeter_household::co_generator::{CoGenerator, Parameters};
use lastmeter_household::schedule::{LOADS_MAX, Strategy};
use lastmeter_household::{Amount, Energy, POWER_MAX_W, Rate};
use lastmeter_params::{Code, Diagnostics, Dimension, Field, Kind, Span, Values};
use lastmeter_units::SimDuration;

use super::calendar::DAY;

const POWER: Kind =
    Kind::Quantity { dimension: Dimension::ActivePower, min: 0.0, max: POWER_MAX_W as f64 };
const SHARE: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1.0 };
const MONEY: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 10_000.0 };
const ENERGY: Kind = Kind::Quantity { dimension: Dimension::ActiveEnergy, min: 0.0, max: 3.6e12 };

const fn span(min: f64, max: f64) -> Kind {
    Kind::Quantity { dimension: Dimension::Time, min, max }
}

static FEEDS: [Field; 4] = [
    Field::optional("price", Kind::Name, "Feed of the price of energy that is taken."),
    Field::optional(
        "export",
        Kind::Name,
        "Feed of what is paid for energy that is fed in; without one nothing is paid.",
    ),
    Field::optional("weather", Kind::Name, "Feed of the outdoor temperature, for the pages."),
    Field::optional("forecast", Kind::Name, "Feed of the renewable power that is expected, in W."),
];

static LOAD: [Field; 8] = [
    Field::required("device", Kind::Name, "The meter of the load, which has the switching unit."),
    Field::default(
        "priority",
        Kind::Integer { min: 0, max: 255 },
        "0",
        "The higher, the later it is shed.",
    ),
    Field::default("sheddable", Kind::Boolean, "true", "Whether it may be shed."),
    Field::default("movable", Kind::Boolean, "false", "Whether its run may be moved in time."),
    Field::optional("power", POWER, "What a movable load takes during its run."),
    Field::optional("run", span(1.0, 86_400.0), "How long its run is."),
    Field::optional("from", Kind::Text, "When it may start at the earliest, local time of day."),
    Field::optional(
        "until",
        Kind::Text,
        "When its run must have ended, local time of day; not after `from` it is on the next day.",
    ),
];

static CO_GENERATOR: [Field; 10] = [
    Field::required("least", POWER, "The least electric output while it runs."),
    Field::required("greatest", POWER, "The greatest electric output."),
    Field::required("electric_share", SHARE, "Which share of its fuel becomes electricity."),
    Field::required("heat_share", SHARE, "Which share of its fuel becomes heat."),
    Field::required("fuel_price", MONEY, "What 1 kWh of fuel costs, of unit and boiler."),
    Field::required("boiler", POWER, "The greatest heat of the boiler."),
    Field::required("boiler_share", SHARE, "Which share of the boiler's fuel becomes heat."),
    Field::required("store", ENERGY, "What the store of heat holds at most."),
    Field::default("store_loss", SHARE, "\"0 %\"", "What the store loses in an hour."),
    Field::required("heat", POWER, "The heat that the household needs."),
];

/// The keys of the table.
pub(crate) static HOUSEHOLD: [Field; 19] = [
    Field::required(
        "connection",
        Kind::Name,
        "The meter at the feed-in: its registers make the bill, its active power is net power.",
    ),
    Field::default(
        "production",
        Kind::List(&Kind::Name),
        "[]",
        "Meters of the household's own production, whose injected power it is.",
    ),
    Field::default(
        "strategy",
        Kind::Choice(Strategy::WORDS),
        "\"least cost\"",
        "By which movable loads are placed, until the customer selects another one.",
    ),
    Field::required("contract_power", POWER, "The net power that may be taken."),
    Field::default(
        "limit_by_forecast",
        Kind::Boolean,
        "false",
        "Whether no more is to be taken than renewable power is forecast, where that is less.",
    ),
    Field::optional("dear_above", MONEY, "The price of 1 kWh above which energy is dear."),
    Field::optional("dear_power", POWER, "The net power that may be taken while it is dear."),
    Field::default(
        "hysteresis",
        POWER,
        "\"200 W\"",
        "How far below the limit net power must be with a load that closes again.",
    ),
    Field::default("open_at_least", span(0.0, 86_400.0), "\"5 min\"", "How long a load is shed."),
    Field::default(
        "slot",
        span(60.0, 86_400.0),
        "\"15 min\"",
        "Movable loads start at its multiples; prices may change there only.",
    ),
    Field::default("currency", Kind::Text, "\"EUR\"", "That of all prices."),
    Field::default("fixed", MONEY, "0", "What the bill has beside energy."),
    Field::default(
        "local_offset",
        span(-50_400.0, 50_400.0),
        "\"0 s\"",
        "Local time less UTC, for times of day and statistics.",
    ),
    Field::optional("feeds", Kind::Table(&FEEDS), "Feeds of the platform, by their tokens."),
    Field::default("loads", Kind::List(&Kind::Table(&LOAD)), "[]", "Loads that are switched."),
    Field::optional("co_generator", Kind::Table(&CO_GENERATOR), "A co-generator."),
    Field::default(
        "access",
        Kind::Choice(&["none", "password"]),
        "\"password\"",
        "Who may use its pages: whoever reaches them, or who signs in.",
    ),
    Field::default("user", Kind::Text, "\"\"", "The name of who signs in."),
    Field::default(
        "password",
        Kind::Text,
        "\"\"",
        "The password. It stands in the run folder with all of the scenario, so take one of no other \
         use.",
    ),
];

/// Who may use the pages.
#[derive(Clone, PartialEq, Eq)]
pub enum Access {
    /// Whoever reaches them.
    None,
    /// Who signs in.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Password { user, .. } => write!(f, "Password {{ user: {user:?}, .. }}"),
        }
    }
}

/// A run that may be moved in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Movable {
    pub(crate) power_w: i64,
    pub(crate) run: SimDuration,
    /// Local time of day.
    pub(crate) from: SimDuration,
    pub(crate) until: SimDuration,
}

impl Movable {
    /// The shortest window that has room for the run, in whole slots.
    pub(crate) fn least_window(self, slot: SimDuration) -> SimDuration {
        slot * slots_of(self.run, slot)
    }
}

/// A load with a switching unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoadSettings {
    pub(crate) device: String,
    pub(crate) priority: u8,
    pub(crate) is_sheddable: bool,
    pub(crate) movable: Option<Movable>,
}

/// Tokens of feeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FeedTokens {
    pub(crate) price: Option<String>,
    pub(crate) export: Option<String>,
    pub(crate) weather: Option<String>,
    pub(crate) forecast: Option<String>,
}

/// All that a household is set up with.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) connection: String,
    pub(crate) production: Vec<String>,
    pub(crate) strategy: Strategy,
    pub(crate) contract_w: i64,
    pub(crate) is_limited_by_forecast: bool,
    /// Above this price no more than this power in W is to be taken.
    pub(crate) dear: Option<(Rate, i64)>,
    pub(crate) hysteresis_w: i64,
    pub(crate) open_at_least: SimDuration,
    pub(crate) slot: SimDuration,
    pub(crate) currency: String,
    pub(crate) fixed: Amount,
    pub(crate) local_offset: SimDuration,
    pub(crate) feeds: FeedTokens,
    pub(crate) loads: Vec<LoadSettings>,
    /// With the heat that the household needs, in W.
    pub(crate) co_generator: Option<(CoGenerator, i64)>,
    pub(crate) access: Access,
}

fn watts(values: &Values, key: &str) -> i64 {
    values.si(key).round() as i64
}

/// A local time of day, `"22:30"`.
fn time_of_day(text: &str) -> Option<SimDuration> {
    let (hours, minutes) = text.split_once(':')?;
    let part = |text: &str, most: i64| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|value| is_number && *value <= most)
    };
    let (hours, minutes) = (part(hours, 23)?, part(minutes, 59)?);
    Some(SimDuration::from_seconds(hours * 3600 + minutes * 60))
}

/// Looks for mistakes.
struct Check<'a> {
    meters: &'a [&'a str],
    out: &'a mut Diagnostics,
}

impl Check<'_> {
    fn report(&mut self, span: Span, message: String, label: &str) {
        self.out.report(Code::DOES_NOT_FIT, span, message, label);
    }

    fn counted_once(&mut self, span: Span, production: &[String], connection: &str) {
        let is_twice = |place: usize| production[..place].contains(&production[place]);
        let mut places = 0..production.len();
        if let Some(place) = places.find(|&it| production[it] == *connection || is_twice(it)) {
            let message = format!("the power of `{}` would count twice", production[place]);
            let label = "expected each meter of production once, and never the connection";
            self.report(span, message, label);
        }
    }

    fn meter(&mut self, span: Span, name: &str) -> String {
        if !self.meters.contains(&name) {
            let message = format!("`{name}` is no meter on a network of this gateway");
            self.report(span, message, "expected the name of such a device");
        }
        name.to_owned()
    }

    fn time_of_day(&mut self, values: &Values, key: &str) -> Option<SimDuration> {
        let text = values.text_opt(key)?;
        let time = time_of_day(text);
        if time.is_none() {
            let message = format!("`{text}` is no time of day");
            self.report(values.span_of(key), message, "expected one such as \"22:30\"");
        }
        time
    }

    fn load(&mut self, values: &Values, slot: SimDuration) -> LoadSettings {
        let device = self.meter(values.span_of("device"), values.text("device"));
        let [from, until] = ["from", "until"].map(|key| self.time_of_day(values, key));
        let (power, run) = (values.si_opt("power"), values.duration_opt("run"));
        let is_movable = values.boolean("movable");
        let movable = match (power, run, from, until) {
            (Some(power), Some(run), Some(from), Some(until)) if is_movable => {
                Some(Movable { power_w: power.round() as i64, run, from, until })
            }
            _ => None,
        };
        let keys = ["power", "run", "from", "until"];
        if is_movable && let Some(left_out) = keys.iter().find(|key| values.get(key).is_none()) {
            let message = format!("`{device}` is movable and has no `{left_out}`");
            self.report(values.span, message, "expected `power`, `run`, `from` and `until`");
        } else if !is_movable && let Some(key) = keys.iter().find(|key| values.is_written(key)) {
            let message = format!("`{device}` has `{key}` and is not movable");
            self.report(values.span_of(key), message, "expected `movable = true` beside it");
        }
        if let Some(movable) = movable
            && window_length(movable.from, movable.until) < movable.least_window(slot)
        {
            let message = format!("the run of `{device}` in whole slots is longer than its window");
            self.report(values.span_of("run"), message, "expected `until` later, or a shorter run");
        }
        let priority = u8::try_from(values.integer("priority")).unwrap_or(u8::MAX);
        LoadSettings { device, priority, is_sheddable: values.boolean("sheddable"), movable }
    }

    fn loads(&mut self, values: &Values, slot: SimDuration) -> Vec<LoadSettings> {
        let mut loads: Vec<LoadSettings> = Vec::new();
        for row in values.tables("loads") {
            let load = self.load(row, slot);
            let is_twice = loads.iter().any(|other| other.device == load.device);
            if is_twice || load.device == values.text("connection") {
                let message = format!("`{}` is the connection, or a load already", load.device);
                self.report(row.span_of("device"), message, "expected another device");
            }
            loads.push(load);
        }
        let movable = loads.iter().filter(|load| load.movable.is_some()).count();
        let has_price = values.table_opt("feeds").is_some_and(|feeds| feeds.get("price").is_some());
        if movable > LOADS_MAX {
            let message = format!("{movable} movable loads, expected at most {LOADS_MAX}");
            self.report(values.span_of("loads"), message, "leave some out");
        } else if movable > 0 && !has_price {
            let message = "movable loads without a feed of prices".to_owned();
            self.report(values.span_of("loads"), message, "expected `feeds = { price = ... }`");
        }
        loads
    }

    fn co_generator(&mut self, values: &Values) -> Option<(CoGenerator, i64)> {
        let permille = |key: &str| (values.si(key) * 1e3).round() as i64;
        let parameters = Parameters {
            least_w: watts(values, "least"),
            greatest_w: watts(values, "greatest"),
            electric_permille: permille("electric_share"),
            heat_permille: permille("heat_share"),
            fuel: Rate((values.si("fuel_price") * 1e8).round() as i64),
            boiler_w: watts(values, "boiler"),
            boiler_permille: permille("boiler_share"),
            capacity: Energy((values.si("store") * 1e6).round() as i128),
            loss_per_hour_ppm: (values.si("store_loss") * 1e6).round() as i64,
        };
        match CoGenerator::new(parameters) {
            Ok(unit) => Some((unit, watts(values, "heat"))),
            Err(error) => {
                self.report(values.span, error.to_string(), "a co-generator that cannot be");
                None
            }
        }
    }

    fn dear(&mut self, values: &Values) -> Option<(Rate, i64)> {
        let (above, power) = (values.si_opt("dear_above"), values.si_opt("dear_power"));
        if above.is_some() != power.is_some() {
            let key = if above.is_some() { "dear_above" } else { "dear_power" };
            let message = "one of `dear_above` and `dear_power` is left out".to_owned();
            self.report(values.span_of(key), message, "expected both, or none");
        }
        let (above, power) = (above?, power?);
        Some((Rate((above * 1e8).round() as i64), power.round() as i64))
    }

    fn access(&mut self, values: &Values) -> Access {
        let (user, password) = (values.text("user").to_owned(), values.text("password").to_owned());
        let is_open = values.text("access") == "none";
        if !is_open && (user.is_empty() || password.is_empty()) {
            let message = "`access` is \"password\", and `user` or `password` is left out";
            let label = "expected both, or `access = \"none\"`";
            self.report(values.span_of("access"), message.to_owned(), label);
        }
        if is_open { Access::None } else { Access::Password { user, password } }
    }
}

/// How many slots a run takes.
pub(crate) const fn slots_of(run: SimDuration, slot: SimDuration) -> i64 {
    (run.0 + slot.0 - 1) / slot.0
}

/// How long a window is; one that begins when it ends is a day.
pub(crate) fn window_length(from: SimDuration, until: SimDuration) -> SimDuration {
    if until > from { until - from } else { until - from + DAY }
}

impl Settings {
    /// What the table has, with the names of the meters on the gateway's networks; `None` if it
    /// does not fit, which is then in the diagnostics.
    pub(crate) fn of(values: &Values, meters: &[&str], out: &mut Diagnostics) -> Option<Self> {
        let mistakes = out.len();
        let mut check = Check { meters, out };
        let slot = values.duration("slot");
        if slot.0 % 1000 != 0 || DAY.0 % slot.0 != 0 {
            let message = "slots do not fill a day".to_owned();
            check.report(values.span_of("slot"), message, "expected a whole part of a day");
            return None;
        }
        let production = values.text_list("production").into_iter();
        let span = values.span_of("production");
        let feed = |key: &str| {
            let feeds = values.table_opt("feeds")?;
            feeds.text_opt(key).map(str::to_owned)
        };
        let connection = check.meter(values.span_of("connection"), values.text("connection"));
        let production: Vec<String> = production.map(|name| check.meter(span, name)).collect();
        check.counted_once(span, &production, &connection);
        let settings = Self {
            connection,
            production,
            strategy: Strategy::from_word(values.text("strategy")).unwrap_or(Strategy::LeastCost),
            contract_w: watts(values, "contract_power"),
            is_limited_by_forecast: values.boolean("limit_by_forecast"),
            dear: check.dear(values),
            hysteresis_w: watts(values, "hysteresis"),
            open_at_least: values.duration("open_at_least"),
            slot,
            currency: values.text("currency").to_owned(),
            fixed: Amount::from_microcents((values.si("fixed") * 1e8).round() as i64),
            local_offset: values.duration("local_offset"),
            feeds: FeedTokens {
                price: feed("price"),
                export: feed("export"),
                weather: feed("weather"),
                forecast: feed("forecast"),
            },
            loads: check.loads(values, slot),
            co_generator: values.table_opt("co_generator").and_then(|it| check.co_generator(it)),
            access: check.access(values),
        };
        (check.out.len() == mistakes).then_some(settings)
    }
}
