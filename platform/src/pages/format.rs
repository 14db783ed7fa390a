//! Numbers and instants as pages show them. The exact number stands beside each in `value`.

use lastmeter_model::calendar::{LocalTime, Zone};
use lastmeter_text::grouped as fixed;
use lastmeter_units::{MeasurementId, SimTime};
use serde::Serialize;

/// A number with its unit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Shown {
    /// The number as REST gives it, to the last digit.
    pub(super) value: String,
    /// The same for people.
    pub(super) text: String,
    pub(super) unit: &'static str,
}

/// Decimals that leave three significant digits, none from a thousand on.
fn three_digits(value: f64) -> usize {
    match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        _ => 2,
    }
}

/// A number of a unit of messages, in the unit in which people read it.
pub(super) fn number(value: f64, unit: &'static str) -> Shown {
    let exact = format!("{value:?}");
    let (text, unit) = match unit {
        "kW" if value.abs() < 0.9995 => (fixed(value * 1000.0, 0), "W"),
        "kWh" => {
            let decimals = match value.abs() {
                size if size < 9.995 => 2,
                size if size < 999.95 => 1,
                _ => 0,
            };
            (fixed(value, decimals), "kWh")
        }
        "MWh" if value.abs() < 1.0 => return Shown { value: exact, ..energy_of_heat(value) },
        "m3" if value.abs() < 1.0 => (fixed(value * 1000.0, 0), "L"),
        "m3" => (fixed(value, three_digits(value)), "m³"),
        "1" => (fixed(value, three_digits(value)), ""),
        _ => (fixed(value, three_digits(value)), unit),
    };
    Shown { value: exact, text, unit }
}

/// An energy in kWh to the watt-hour, as registers show it.
pub(super) fn exact_energy(value: f64) -> Shown {
    Shown { value: format!("{value:?}"), text: fixed(value, 3), unit: "kWh" }
}

fn energy_of_heat(megawatt_hours: f64) -> Shown {
    number(megawatt_hours * 1000.0, "kWh")
}

/// A value of a quantity.
pub(super) fn of_quantity(id: MeasurementId, value: f64) -> Shown {
    number(value, id.row().unit)
}

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A local date, as `17 Jan`, with the year where it is another one.
pub(super) fn date(local: LocalTime, now: LocalTime) -> String {
    let month = MONTHS.get(usize::try_from(local.month - 1).unwrap_or_default());
    let (day, month) = (local.day, month.copied().unwrap_or_default());
    if local.year == now.year {
        format!("{day} {month}")
    } else {
        format!("{day} {month} {}", local.year)
    }
}

/// The name of a day of the week, from Monday 0.
pub(super) fn weekday(local: LocalTime) -> &'static str {
    WEEKDAYS.get(usize::try_from(local.weekday).unwrap_or_default()).copied().unwrap_or_default()
}

/// An instant, with what programs read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct When {
    /// RFC 3339, with the zone's offset.
    pub(super) datetime: String,
    pub(super) text: String,
    /// Whether the text changes by itself.
    pub(super) is_age: bool,
}

/// Instants for people, in a zone.
#[derive(Clone)]
pub(super) struct Times {
    pub(super) zone: Zone,
    pub(super) now: SimTime,
}

impl Times {
    /// `17:31` today, else `Sun 17 Jan 17:31`.
    pub(super) fn clock(&self, at: SimTime) -> When {
        let (local, now) = (self.zone.local(at), self.zone.local(self.now));
        let time = format!("{:02}:{:02}", local.hour, local.minute);
        let is_today = (local.year, local.month, local.day) == (now.year, now.month, now.day);
        let text =
            if is_today { time } else { format!("{} {} {time}", weekday(local), date(local, now)) };
        When { datetime: self.zone.local_text(at), text, is_age: false }
    }

    /// As [`Self::clock`], with the second.
    pub(super) fn second(&self, at: SimTime) -> When {
        let when = self.clock(at);
        // Offsets of zones are whole minutes.
        let second = at.0.div_euclid(1_000_000_000).rem_euclid(60);
        let text = format!("{}:{second:02}", when.text);
        When { text, ..when }
    }

    /// `4 s ago` to a minute, `14 min ago` to an hour, else as [`Self::clock`].
    pub(super) fn age(&self, at: SimTime) -> When {
        let seconds = self.now.since(at).as_seconds_f64();
        let text = match seconds {
            seconds if !(0.0..3600.0).contains(&seconds) => return self.clock(at),
            seconds if seconds < 60.0 => format!("{} s ago", seconds.floor()),
            seconds => format!("{} min ago", (seconds / 60.0).floor()),
        };
        When { datetime: self.zone.local_text(at), text, is_age: true }
    }

    /// A date, as `Sun 17 Jan`.
    pub(super) fn day(&self, at: SimTime) -> String {
        let (local, now) = (self.zone.local(at), self.zone.local(self.now));
        format!("{} {}", weekday(local), date(local, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: f64, unit: &'static str) -> String {
        let shown = number(value, unit);
        format!("{} {}", shown.text, shown.unit).trim().to_owned()
    }

    #[test]
    fn numbers_are_rounded_once_by_their_unit() {
        assert_eq!(text(0.8204, "kW"), "820 W");
        assert_eq!(text(0.99951, "kW"), "1.00 kW");
        assert_eq!(text(1.2449, "kW"), "1.24 kW");
        assert_eq!(text(12.345, "kW"), "12.3 kW");
        assert_eq!(text(9.1, "kWh"), "9.10 kWh");
        assert_eq!(text(62.14, "kWh"), "62.1 kWh");
        assert_eq!(text(1204.3, "kWh"), "1\u{202f}204 kWh");
        assert_eq!(text(0.031, "MWh"), "31.0 kWh");
        assert_eq!(text(0.214, "m3"), "214 L");
        assert_eq!(text(-1.2, "kW"), "\u{2212}1.20 kW");
        assert_eq!(text(-0.0001, "kW"), "0 W");
        assert_eq!(text(229.84, "V"), "230 V");
        assert_eq!(number(1.2449, "kW").value, "1.2449");
        assert_eq!(number(5.0, "kW").value, "5.0");
        assert_eq!(exact_energy(4201.3125).text, "4\u{202f}201.312");
    }

    #[test]
    fn instants_are_ages_then_times_then_dates() {
        let zone = Zone::named("Europe/Rome").unwrap();
        let now: SimTime = "2027-01-18T17:02:00Z".parse().unwrap();
        let times = Times { zone, now };
        let of = |text: &str| times.age(text.parse().unwrap()).text;
        assert_eq!(of("2027-01-18T17:01:56Z"), "4 s ago");
        assert_eq!(of("2027-01-18T16:48:00Z"), "14 min ago");
        assert_eq!(of("2027-01-18T08:31:00Z"), "09:31");
        assert_eq!(of("2027-01-17T16:31:00Z"), "Sun 17 Jan 17:31");
        assert_eq!(of("2026-12-31T23:30:00Z"), "Fri 1 Jan 00:30");
        assert_eq!(of("2026-01-17T16:31:00Z"), "Sat 17 Jan 2026 17:31");
        let datetime = times.clock("2027-01-17T16:31:00Z".parse().unwrap()).datetime;
        assert_eq!(datetime, "2027-01-17T17:31:00+01:00");
    }
}
