//! The aggregator's display: lines of text of one size, drawn from its own values. A touch chooses
//! the screen.
//!
//! Source: the low-cost ARM meter paper ("Real-time smart meters network for energy management"),
//! section 6.1: a start screen with the tasks, date and time, and a screen for each result.

use lastmeter_text::append;

use super::site::Clock;
use super::view::View;

/// Characters of a line.
pub const COLUMNS: usize = 30;
/// Lines of a screen.
pub const LINES: usize = 12;

lastmeter_units::words! {
    /// What a display shows.
    pub enum Screen {
        /// The tasks, with date and time.
        Start = "start",
        /// The household's and each load's power, and the bill.
        Power = "power",
    }
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

/// A screen: [`LINES`] lines of [`COLUMNS`] characters of ASCII.
pub fn lines(view: &View, screen: Screen) -> Vec<String> {
    let clock = Clock { now: view.now, offset: view.local_offset };
    let title = match screen {
        Screen::Start => "LASTMETER",
        Screen::Power => "POWER",
    };
    let mut lines = vec![row(title, &clock.on_display(view.now)), "-".repeat(COLUMNS)];
    match screen {
        Screen::Start => {
            let tasks = view.tasks.iter().enumerate();
            lines.extend(tasks.map(|(place, task)| format!("{} {task}", place + 1)));
        }
        Screen::Power => lines.extend(powers(view, LINES - lines.len())),
    }
    lines.resize(LINES, String::new());
    lines.iter().map(|line| fitted(line, COLUMNS)).collect()
}

/// The result screen in so many lines.
fn powers(view: &View, room: usize) -> Vec<String> {
    let mut lines = vec![row("Household", &watts(view.net_w))];
    // The household above and the bill below; one line is for loads that have none.
    let shown = if view.loads.len() + 2 > room { room - 3 } else { view.loads.len() };
    for load in view.loads.iter().take(shown) {
        let state = if load.is_closed == Some(false) { "open" } else { "" };
        let mut value = watts(load.power_w);
        append(&mut value, format_args!(" {state:<4}"));
        lines.push(row(&load.name, &value));
    }
    if view.loads.len() > shown {
        lines.push(format!("and {} more", view.loads.len() - shown));
    }
    lines.resize(room - 1, String::new());
    let cents = view.bill.total.cents();
    let (sign, size) = (if cents < 0 { "-" } else { "" }, cents.unsigned_abs());
    let total = format!("{sign}{}.{:02} {}", size / 100, size % 100, view.bill.currency);
    lines.push(row("Bill so far", &total));
    lines
}

#[cfg(test)]
#[path = "display_tests.rs"]
mod tests;
