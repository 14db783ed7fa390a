//! Dates and times of day: types F, G, I and J (EN 13757-3, annex A).
//!
//! Fields are kept as transmitted: all ones mean "every" (of a day, all zeros), and are shown as
//! stars; an invalid flag makes the rest void, as all ones of a whole date do.

use std::fmt;

/// Type G: a date, 16 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Date {
    /// Day of the month, 1 to 31; 0 for every day.
    pub day: u8,
    /// Month, 1 to 12; 15 for every month.
    pub month: u8,
    /// Year of the century, 0 to 99; 127 for every year.
    pub year: u8,
}

/// Type F: date and time to the minute, 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateTime {
    /// The day of that minute.
    pub date: Date,
    /// Hour, 0 to 23; 31 for every hour.
    pub hour: u8,
    /// Minute, 0 to 59; 63 for every minute.
    pub minute: u8,
    /// Centuries after 1900, 0 to 3; 0 in meters that know two digits only.
    pub century: u8,
    /// The time is not valid.
    pub invalid: bool,
    /// It is summer time.
    pub summer: bool,
}

/// Type I: date and time to the second, 48 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateTimeSecond {
    /// The day of that second.
    pub date: Date,
    /// Hour, 0 to 23; 31 for every hour.
    pub hour: u8,
    /// Minute, 0 to 59; 63 for every minute.
    pub minute: u8,
    /// Second, 0 to 59; 63 for every second.
    pub second: u8,
    /// Day of the week, 1 (Monday) to 7; 0 where it is not stated.
    pub day_of_week: u8,
    /// Week of the year, 1 to 53; 0 where it is not stated.
    pub week: u8,
    /// The time is not valid.
    pub invalid: bool,
    /// It is summer time.
    pub summer: bool,
    /// The year has a 29 February.
    pub leap_year: bool,
    /// Hours by which summer time deviates, -3 to 3.
    pub deviation_hours: i8,
}

/// Type J: a time of day, 24 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Time {
    /// Hour, 0 to 23; 31 for every hour.
    pub hour: u8,
    /// Minute, 0 to 59; 63 for every minute.
    pub minute: u8,
    /// Second, 0 to 59; 63 for every second.
    pub second: u8,
}

impl Date {
    /// From its bytes, low byte first.
    pub const fn from_bytes([low, high]: [u8; 2]) -> Self {
        Self { day: low & 0x1F, month: high & 0x0F, year: low >> 5 | high >> 4 << 3 }
    }

    /// Its bytes, low byte first.
    pub const fn bytes(self) -> [u8; 2] {
        [self.day & 0x1F | self.year << 5, self.month & 0x0F | self.year >> 3 << 4]
    }

    /// The year in four digits: 1981 to 2080, as EN 13757-3 recommends for two digits.
    pub const fn full_year(self) -> u16 {
        self.year as u16 + if self.year > 80 { 1900 } else { 2000 }
    }

    const EVERY_MONTH: u8 = 15;
    const EVERY_YEAR: u8 = 127;

    /// Whether it is a date, or stands for several: not `FFFFh`, which means "not valid", nor with
    /// a month or a year that is none.
    pub const fn is_valid(self) -> bool {
        let is_all_ones = self.day == 31 && self.month == 15 && self.year == 127;
        !is_all_ones && matches!(self.month, 1..=12 | 15) && matches!(self.year, 0..=99 | 127)
    }

    /// Whether every field has a place in its bits.
    pub const fn fits(self) -> bool {
        self.day < 32 && self.month < 16 && self.year < 128
    }
}

impl DateTime {
    /// From its bytes, low byte first.
    pub const fn from_bytes([minute, hour, low, high]: [u8; 4]) -> Self {
        Self {
            date: Date::from_bytes([low, high]),
            hour: hour & 0x1F,
            minute: minute & 0x3F,
            century: hour >> 5 & 3,
            invalid: minute & 0x80 != 0,
            summer: hour & 0x80 != 0,
        }
    }

    /// Its bytes, low byte first.
    pub const fn bytes(self) -> [u8; 4] {
        let [low, high] = self.date.bytes();
        let minute = self.minute & 0x3F | (self.invalid as u8) << 7;
        let hour = self.hour & 0x1F | (self.century & 3) << 5 | (self.summer as u8) << 7;
        [minute, hour, low, high]
    }

    /// The year in four digits, by the century where it is stated.
    pub const fn full_year(self) -> u16 {
        match self.century {
            0 => self.date.full_year(),
            century => 1900 + 100 * century as u16 + self.date.year as u16,
        }
    }

    /// Whether every field has a place in its bits.
    pub const fn fits(self) -> bool {
        self.date.fits() && self.hour < 32 && self.minute < 64 && self.century < 4
    }
}

impl DateTimeSecond {
    /// From its bytes, low byte first.
    pub const fn from_bytes([second, minute, hour, low, high, week]: [u8; 6]) -> Self {
        let hours = (week >> 6) as i8;
        Self {
            date: Date::from_bytes([low, high]),
            hour: hour & 0x1F,
            minute: minute & 0x3F,
            second: second & 0x3F,
            day_of_week: hour >> 5,
            week: week & 0x3F,
            invalid: minute & 0x80 != 0,
            summer: second & 0x40 != 0,
            leap_year: second & 0x80 != 0,
            deviation_hours: if minute & 0x40 != 0 { hours } else { -hours },
        }
    }

    /// Its bytes, low byte first.
    pub const fn bytes(self) -> [u8; 6] {
        let [low, high] = self.date.bytes();
        let positive = self.deviation_hours > 0;
        [
            self.second & 0x3F | (self.summer as u8) << 6 | (self.leap_year as u8) << 7,
            self.minute & 0x3F | (positive as u8) << 6 | (self.invalid as u8) << 7,
            self.hour & 0x1F | self.day_of_week << 5,
            low,
            high,
            self.week & 0x3F | self.deviation_hours.unsigned_abs() << 6,
        ]
    }

    /// Whether every field has a place in its bits.
    pub const fn fits(self) -> bool {
        let time = self.hour < 32 && self.minute < 64 && self.second < 64;
        let week = self.day_of_week < 8 && self.week < 64 && self.deviation_hours.abs() < 4;
        self.date.fits() && time && week
    }
}

impl Time {
    /// From its bytes, low byte first.
    pub const fn from_bytes([second, minute, hour]: [u8; 3]) -> Self {
        Self { hour: hour & 0x1F, minute: minute & 0x3F, second: second & 0x3F }
    }

    /// Its bytes, low byte first.
    pub const fn bytes(self) -> [u8; 3] {
        [self.second & 0x3F, self.minute & 0x3F, self.hour & 0x1F]
    }

    /// Whether every field has a place in its bits.
    pub const fn fits(self) -> bool {
        self.hour < 32 && self.minute < 64 && self.second < 64
    }
}

/// A field of two digits; stars where its value means "every".
struct Part(u8, u8);

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == self.1 { f.write_str("**") } else { write!(f, "{:02}", self.0) }
    }
}

impl Date {
    /// With the year in four digits, as it was made of the century.
    fn write(self, full_year: u16, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_valid() {
            let [low, high] = self.bytes();
            return write!(f, "invalid {high:02X}{low:02X}");
        }
        if self.year == Self::EVERY_YEAR {
            f.write_str("****")?;
        } else {
            write!(f, "{full_year:04}")?;
        }
        write!(f, "-{}-{}", Part(self.month, Self::EVERY_MONTH), Part(self.day, 0))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(self.full_year(), f)
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { date, hour, minute, .. } = self;
        date.write(self.full_year(), f)?;
        write!(f, "T{}:{}{}", Part(*hour, 31), Part(*minute, 63), flags(self.invalid, self.summer))
    }
}

impl fmt::Display for DateTimeSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { date, hour, minute, second, .. } = self;
        let flags = flags(self.invalid, self.summer);
        write!(f, "{date}T{}:{}:{}{flags}", Part(*hour, 31), Part(*minute, 63), Part(*second, 63))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hour, minute, second } = *self;
        write!(f, "{}:{}:{}", Part(hour, 31), Part(minute, 63), Part(second, 63))
    }
}

const fn flags(invalid: bool, summer: bool) -> &'static str {
    match (invalid, summer) {
        (true, _) => " invalid",
        (false, true) => " summer time",
        (false, false) => "",
    }
}
