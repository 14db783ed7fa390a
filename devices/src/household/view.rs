//! What pages and display of a household's aggregator show, and what they change.

use lastmeter_household::schedule::Strategy;
use lastmeter_household::{Amount, Energy, Rate};
use lastmeter_units::{SimDuration, SimTime};

use super::display::Screen;

/// Everything that is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The aggregator's name.
    pub name: String,
    /// The present instant.
    pub now: SimTime,
    /// The offset of local time from UTC at that instant.
    pub local_offset: SimDuration,
    /// By which decisions are made.
    pub strategy: Strategy,
    /// Net power of the household in W, positive where it is imported; none before it is measured.
    pub net_w: Option<i64>,
    /// Production of the household in W, likewise.
    pub production_w: Option<i64>,
    /// The power that it may take, in W.
    pub limit_w: i64,
    /// Its mean net power in W by the beginning of each interval of the profile, the oldest first.
    pub profile: Vec<(SimTime, i64)>,
    /// Renewable energy that is forecast, in W by the beginning of each slot.
    pub renewable_w: Vec<(SimTime, i64)>,
    /// The price of import by the beginning of each interval; none: not known.
    pub prices: Vec<(SimTime, Option<Rate>)>,
    /// The outdoor temperature in degrees Celsius.
    pub temperature_c: Option<f64>,
    /// The co-generator, if there is one.
    pub co_generator: Option<CoGeneratorView>,
    /// The bill so far.
    pub bill: BillView,
    /// The loads, in the order of the settings.
    pub loads: Vec<LoadView>,
    /// The household as a whole.
    pub whole: Statistics,
    /// The last decisions, the newest first, at most 50.
    pub decisions: Vec<DecisionView>,
    /// The tasks of its software, for the display.
    pub tasks: Vec<&'static str>,
    /// What its display shows.
    pub screen: Screen,
}

/// The bill so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillView {
    /// From when on.
    pub from: Option<SimTime>,
    /// The currency, as `EUR`.
    pub currency: String,
    /// Energy taken that is charged.
    pub import: Energy,
    /// Energy fed in that is paid for.
    pub export: Energy,
    /// What is to be paid.
    pub total: Amount,
    /// Steps of registers that are left open, as their price is not known.
    pub open_steps: usize,
}

/// A co-generator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CoGeneratorView {
    /// Whether it runs.
    pub is_running: bool,
    /// Why it does, or not.
    pub reason: &'static str,
    /// Its electric output in W.
    pub output_w: i64,
    /// The heat that is wanted, in W.
    pub heat_w: i64,
    /// What its store of heat holds.
    pub stored: Energy,
    /// Heat that was not served so far.
    pub unmet: Energy,
}

/// A load with its meter node.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadView {
    /// The name of its meter.
    pub name: String,
    /// Its active power in W; none before it is measured.
    pub power_w: Option<i64>,
    /// Whether its switching unit is closed, or is taken to be; none of a load without one.
    pub is_closed: Option<bool>,
    /// Whether it is open as it was shed.
    pub is_shed: bool,
    /// The higher, the later it is shed.
    pub priority: u8,
    /// When it may run, where it can be moved: local time of day, from and until.
    pub window: Option<(SimDuration, SimDuration)>,
    /// The shortest window that has room for its run, where it can be moved.
    pub least_window: SimDuration,
    /// When it is to start next.
    pub start: Option<SimTime>,
    /// What it used.
    pub statistics: Statistics,
    /// Mean power in W by the beginning of each interval of the profile, the oldest first.
    pub profile: Vec<(SimTime, i64)>,
}

/// Energy over calendar periods of local time, up to now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// The register.
    pub register: Energy,
    /// Since the day began.
    pub day: Energy,
    /// Since the month began.
    pub month: Energy,
    /// Since the year began.
    pub year: Energy,
    /// Net of the day's highest mean power of an interval, in W.
    pub peak_w: i64,
}

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionView {
    /// When.
    pub at: SimTime,
    /// The load or unit that it is about.
    pub about: String,
    /// What is done, in a word such as `open`.
    pub action: &'static str,
    /// Why, in a sentence for people.
    pub why: String,
}

/// What the customer changes over a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Another strategy.
    Strategy(Strategy),
    /// A switching unit by hand.
    Switch {
        /// The load.
        load: String,
        /// Whether it closes.
        is_closed: bool,
    },
    /// When a load may run, local time of day.
    Window {
        /// The load.
        load: String,
        /// From.
        from: SimDuration,
        /// Until; before `from` it is on the next day.
        until: SimDuration,
    },
    /// Start a movable load now, whatever is planned.
    StartNow {
        /// The load.
        load: String,
    },
    /// The power of the contract, in W.
    Contract(i64),
    /// What the display shows, by a touch.
    Screen(Screen),
}

lastmeter_units::words! {
    /// Why a request was refused.
    pub enum PageRefusal in files {
        /// Nobody is signed in.
        NotSignedIn = "not_signed_in",
        /// A wrong name or password.
        WrongPassword = "wrong_password",
        /// Too many wrong passwords; for a while none is taken.
        LockedOut = "locked_out",
        /// The form is not from a page of the aggregator.
        ForeignForm = "foreign_form",
        /// A value that cannot be.
        NotValid = "not_valid",
    }
}
