//! The aggregator's display: lines of text of one size, drawn from its own values. Its last line
//! has a field for each screen, and a touch of a field shows that screen.
//!
//! Source: the low-cost ARM meter paper ("Real-time smart meters network for energy management"),
//! section 6.1: a start screen with the tasks, date and time, and a screen for each result.

use lastmeter_household::Energy;

use super::site::Clock;
use super::view::{LoadView, View};

/// Characters of a line.
pub const COLUMNS: usize = 30;
/// Lines of a screen.
pub const LINES: usize = 12;

lastmeter_units::words! {
    /// What a display shows.
    pub enum Screen {
        /// The tasks, with date and time.
        Start = "start",
        /// The household's and each load's power.
        Power = "power",
        /// Energy that household and loads used on this day.
        Today = "today",
        /// The bill so far.
        Bill = "bill",
        /// The strategy, when loads start by it, and the last decisions.
        Plan = "plan",
    }
}

/// Characters of a field of the last line.
const FIELD: usize = COLUMNS / Screen::ALL.len();

/// What a display shows after a touch, at a column from 0 on and a line from 0 on; a touch beside
/// the fields changes nothing.
pub fn touched(screen: Screen, column: usize, line: usize) -> Screen {
    let field = Screen::ALL.get(column / FIELD).filter(|_| line == LINES - 1);
    field.copied().unwrap_or(screen)
}

/// Where the field of a screen is touched: column and line.
pub(crate) fn field(screen: Screen) -> (usize, usize) {
    let place = Screen::ALL.iter().position(|one| *one == screen).unwrap_or(0);
    (place * FIELD + FIELD / 2, LINES - 1)
}

/// A line of letters that the display has: others are replaced, what is too long is cut.
fn fitted(text: &str, columns: usize) -> String {
    let letters = text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' });
    format!("{:<columns$}", letters.take(columns).collect::<String>())
}

/// A name to the left, a value to the right, which is whole.
fn row(name: &str, value: &str) -> String {
    let value = fitted(value, value.chars().count().min(COLUMNS - 2));
    let room = COLUMNS - value.len() - 1;
    format!("{} {value}", fitted(name, room))
}

fn watts(power_w: Option<i64>) -> String {
    power_w.map_or_else(|| "-- W".to_owned(), |power_w| format!("{power_w} W"))
}

fn energy(of: Energy) -> String {
    format!("{:.0} Wh", of.as_watt_hours_f64())
}

/// What the view's screen shows: [`LINES`] lines of [`COLUMNS`] characters of ASCII.
pub fn lines(view: &View) -> Vec<String> {
    let clock = Clock { now: view.now, offset: view.local_offset };
    let title = match view.screen {
        Screen::Start => "LASTMETER",
        Screen::Power => "POWER",
        Screen::Today => "ENERGY TODAY",
        Screen::Bill => "BILL",
        Screen::Plan => "PLAN",
    };
    let mut lines = vec![row(title, &clock.on_display(view.now)), "-".repeat(COLUMNS)];
    let room = LINES - 1 - lines.len();
    match view.screen {
        Screen::Start => {
            let tasks = view.tasks.iter().enumerate();
            lines.extend(tasks.map(|(place, task)| format!("{} {task}", place + 1)));
        }
        Screen::Power => lines.extend(loads(view, room, &watts(view.net_w), |load| {
            let state = if load.is_closed == Some(false) { "open" } else { "" };
            format!("{} {state:<4}", watts(load.power_w))
        })),
        Screen::Today => {
            let used = |load: &LoadView| energy(load.statistics.day);
            lines.extend(loads(view, room, &energy(view.whole.day), used));
        }
        Screen::Bill => lines.extend(bill(view, clock)),
        Screen::Plan => lines.extend(plan(view, clock)),
    }
    lines.resize(LINES - 1, String::new());
    lines.push(Screen::ALL.map(|screen| fitted(screen.word(), FIELD)).concat());
    lines.iter().map(|line| fitted(line, COLUMNS)).collect()
}

/// The household and its loads in so many lines, each with a value.
fn loads(
    view: &View,
    room: usize,
    household: &str,
    value: impl Fn(&LoadView) -> String,
) -> Vec<String> {
    let mut lines = vec![row("Household", household)];
    // One line is for loads that have none.
    let shown = if view.loads.len() + 1 > room { room - 2 } else { view.loads.len() };
    lines.extend(view.loads.iter().take(shown).map(|load| row(&load.name, &value(load))));
    if view.loads.len() > shown {
        lines.push(format!("and {} more", view.loads.len() - shown));
    }
    lines
}

fn bill(view: &View, clock: Clock) -> [String; 5] {
    let bill = &view.bill;
    let cents = bill.total.cents();
    let (sign, size) = (if cents < 0 { "-" } else { "" }, cents.unsigned_abs());
    let total = format!("{sign}{}.{:02} {}", size / 100, size % 100, bill.currency);
    [
        row("From", &bill.from.map_or_else(|| "--".to_owned(), |from| clock.on_display(from))),
        row("Taken", &energy(bill.import)),
        row("Fed in", &energy(bill.export)),
        row("Steps left open", &bill.open_steps.to_string()),
        row("Bill so far", &total),
    ]
}

/// As many decisions as there is room for, the newest first.
fn plan(view: &View, clock: Clock) -> Vec<String> {
    let at = |what: &str, name: &str, at| row(&format!("{what} {name}"), &clock.on_display(at));
    let starts = view.loads.iter().filter_map(|load| Some(at("next", &load.name, load.start?)));
    let decisions = view.decisions.iter().map(|one| at(one.action, &one.about, one.at));
    std::iter::once(row("Strategy", view.strategy.word())).chain(starts).chain(decisions).collect()
}

#[cfg(test)]
#[path = "display_tests.rs"]
mod tests;
