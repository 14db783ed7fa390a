//! Numbers and instants as people read them; the exact number stands beside each.

use lastmeter_household::{Amount, Energy, Rate};
use lastmeter_text::grouped as fixed;
use lastmeter_units::{SimDuration, SimTime};
use serde::Serialize;

/// The space before a unit, at which no line ends.
const SPACE: char = '\u{a0}';
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Parts of a rate's unit in one of the currency: millionths of a cent.
const MICROCENTS: f64 = 1e8;

/// A value with what programs read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Shown {
    /// In the unit of `/view.json`.
    pub(super) value: String,
    /// With its unit.
    pub(super) text: String,
}

/// A power in W: kilowatts with three digits from one on.
pub(super) fn power(watts: i64) -> Shown {
    let value = watts as f64;
    let text = match value.abs() {
        size if size < 1000.0 => format!("{}{SPACE}W", fixed(value, 0)),
        size if size < 9_995.0 => format!("{}{SPACE}kW", fixed(value / 1e3, 2)),
        size if size < 99_950.0 => format!("{}{SPACE}kW", fixed(value / 1e3, 1)),
        _ => format!("{}{SPACE}kW", fixed(value / 1e3, 0)),
    };
    Shown { value: watts.to_string(), text }
}

/// An energy in kWh, with two decimals below ten and one below a thousand.
pub(super) fn energy(energy: Energy) -> Shown {
    let kwh = energy.as_watt_hours_f64() / 1e3;
    let decimals = match kwh.abs() {
        size if size < 9.995 => 2,
        size if size < 999.95 => 1,
        _ => 0,
    };
    energy_with(energy, decimals)
}

/// A register, to the watt-hour.
pub(super) fn register(energy: Energy) -> Shown {
    energy_with(energy, 3)
}

fn energy_with(energy: Energy, decimals: usize) -> Shown {
    let wh = energy.as_watt_hours_f64();
    let text = format!("{}{SPACE}kWh", fixed(wh / 1e3, decimals));
    Shown { value: format!("{wh:?}"), text }
}

/// An amount in cents, rounded once.
pub(super) fn money(amount: Amount, currency: &str) -> Shown {
    let cents = amount.cents();
    let sign = if cents < 0 { '\u{2212}'.to_string() } else { String::new() };
    let size = cents.unsigned_abs();
    let text = format!("{sign}{currency}{SPACE}{}.{:02}", size / 100, size % 100);
    Shown { value: cents.to_string(), text }
}

/// Units of the currency for 1 kWh.
pub(super) fn per_kwh(rate: Rate) -> f64 {
    rate.0 as f64 / MICROCENTS
}

/// A price of energy.
pub(super) fn rate(rate: Rate, currency: &str) -> Shown {
    let price = per_kwh(rate);
    let text = format!("{}{SPACE}{currency}/kWh", fixed(price, 4));
    Shown { value: format!("{price:?}"), text }
}

/// A temperature in degrees Celsius.
pub(super) fn temperature(celsius: f64) -> Shown {
    Shown { value: format!("{celsius:?}"), text: format!("{}{SPACE}°C", fixed(celsius, 1)) }
}

/// The clock on the wall, by its offset from UTC.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// The present instant.
    pub(crate) now: SimTime,
    /// The offset.
    pub(crate) offset: SimDuration,
}

/// Nanoseconds of a day.
const DAY: i64 = 86_400_000_000_000;

impl Clock {
    fn shifted(self, at: SimTime) -> i64 {
        at.as_nanoseconds().saturating_add(self.offset.0)
    }

    /// When the local day of an instant begins.
    pub(crate) fn midnight(self, at: SimTime) -> SimTime {
        let into = self.shifted(at).rem_euclid(DAY);
        SimTime::from_nanoseconds(at.as_nanoseconds().saturating_sub(into))
    }

    /// Day and month in digits, hour and minute.
    fn parts(self, at: SimTime) -> [String; 4] {
        let text = SimTime::from_nanoseconds(self.shifted(at)).to_string();
        [8..10, 5..7, 11..13, 14..16].map(|part| text.get(part).unwrap_or("--").to_owned())
    }

    /// As a display has it: `09/05 18:00`.
    pub(crate) fn on_display(self, at: SimTime) -> String {
        let [day, month, hour, minute] = self.parts(at);
        format!("{day}/{month} {hour}:{minute}")
    }

    /// As pages have it: `18:00` of the present day, else `9 May 18:00`.
    pub(crate) fn text(self, at: SimTime) -> String {
        let [_, _, hour, minute] = self.parts(at);
        if self.midnight(at) == self.midnight(self.now) {
            return format!("{hour}:{minute}");
        }
        format!("{}{SPACE}{hour}:{minute}", self.date(at))
    }

    /// Day and month.
    pub(crate) fn date(self, at: SimTime) -> String {
        let [day, month, ..] = self.parts(at);
        let place = month.parse::<usize>().ok().and_then(|month| month.checked_sub(1));
        let name = place.and_then(|place| MONTHS.get(place)).copied().unwrap_or_default();
        format!("{}{SPACE}{name}", day.trim_start_matches('0'))
    }
}

/// A time of day as forms have it: `07:30`.
pub(super) fn time_of_day(span: SimDuration) -> String {
    let minutes = span.0.rem_euclid(DAY) / 60_000_000_000;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}
