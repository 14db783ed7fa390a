//! What a form asks to be changed.

use lastmeter_household::POWER_MAX_W;
use lastmeter_household::schedule::Strategy;
use lastmeter_units::SimDuration;

use super::fields::Fields;
use crate::household::display::{self, COLUMNS, LINES};
use crate::household::settings::window_length;
use crate::household::view::{Change, LoadView, View};

/// What a form comes to.
pub(super) enum Asked {
    /// A change, and the page that shows it.
    Change(Change, &'static str),
    /// A value that cannot be, in a sentence.
    NotValid(&'static str),
    /// There is no such form.
    Nothing,
}

/// The change that a form at an address asks for.
pub(super) fn asked(path: &str, form: &Fields, view: &View) -> Asked {
    let (change, page, why) = match path {
        "/strategy" => (strategy(form), "/", "This strategy is not one of those offered."),
        "/contract" => {
            (contract(form), "/", "The contract's power is a whole number from 1 to 1000000 W.")
        }
        "/window" => (
            window(form, view),
            "/",
            "A window needs a load that can be moved, and two different times of day with room for \
             its run in whole slots between them.",
        ),
        "/start" => (start(form, view), "/", "This load cannot be started from here."),
        "/switch" => {
            (switch(form, view), "/power-graph", "This load has no switching unit of that kind.")
        }
        "/touch" => {
            (touch(form, view), "/display", "A touch needs a column and a line of the display.")
        }
        _ => return Asked::Nothing,
    };
    change.map_or(Asked::NotValid(why), |change| Asked::Change(change, page))
}

fn load<'a>(form: &Fields, view: &'a View) -> Option<&'a LoadView> {
    let name = form.get("load")?;
    view.loads.iter().find(|load| load.name == name)
}

fn strategy(form: &Fields) -> Option<Change> {
    form.get("strategy").and_then(Strategy::from_word).map(Change::Strategy)
}

fn contract(form: &Fields) -> Option<Change> {
    let power_w = form.get("power_w")?.trim().parse().ok()?;
    (1..=POWER_MAX_W).contains(&power_w).then_some(Change::Contract(power_w))
}

fn window(form: &Fields, view: &View) -> Option<Change> {
    let load = load(form, view).filter(|load| load.window.is_some())?;
    let [from, until] = ["from", "until"].map(|name| form.get(name).and_then(time_of_day));
    let (from, until) = (from?, until?);
    let has_room = window_length(from, until) >= load.least_window;
    (from != until && has_room).then(|| Change::Window { load: load.name.clone(), from, until })
}

fn start(form: &Fields, view: &View) -> Option<Change> {
    let load = load(form, view).filter(|load| load.window.is_some())?.name.clone();
    Some(Change::StartNow { load })
}

fn switch(form: &Fields, view: &View) -> Option<Change> {
    let load = load(form, view).filter(|load| load.is_closed.is_some())?.name.clone();
    let is_closed = match form.get("to")? {
        "closed" => true,
        "open" => false,
        _ => return None,
    };
    Some(Change::Switch { load, is_closed })
}

fn touch(form: &Fields, view: &View) -> Option<Change> {
    let place = |name: &str, count: usize| {
        form.get(name)?.parse().ok().filter(|place: &usize| *place < count)
    };
    let (column, line) = (place("column", COLUMNS)?, place("line", LINES)?);
    Some(Change::Screen(display::touched(view.screen, column, line)))
}

/// A time of day as browsers send it: `07:30`.
fn time_of_day(text: &str) -> Option<SimDuration> {
    let [tens, ones, b':', ten_minutes, minutes] = *text.as_bytes() else { return None };
    let number = |tens: u8, ones: u8| {
        let digits = [tens, ones].map(|byte| char::from(byte).to_digit(10));
        Some(i64::from(digits[0]? * 10 + digits[1]?))
    };
    let (hour, minute) = (number(tens, ones)?, number(ten_minutes, minutes)?);
    (hour < 24 && minute < 60).then(|| SimDuration::from_seconds(hour * 3600 + minute * 60))
}
