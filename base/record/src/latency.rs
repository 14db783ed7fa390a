//! When one message passed each measuring point, as a line of `latency.csv`.
//!
//! Terms: a *point* is a place at which the bench stamps a message; its instant is in ns of the
//! monotonic clock since the run's schedule began. A message that never passed a point has no
//! instant there, and stays in the record: a lost message is a row with an empty end. The points
//! are T0 to T6 of the bench's latency rules (2.1): intended is T0, published T1, the proxy's taps
//! T2 and T3 of each leg, received T4, committed T5, queryable T6. An exchange on a bus has points
//! of its own: asked, heard, answered.

use std::fmt;
use std::io::Write;

use super::line::{Line, TableWriter};

lastmeter_units::words! {
    /// A place at which the bench stamps a message, in the order in which one passes them.
    pub enum Point {
        /// When it is to be sent by the schedule (T0); every row has it.
        Intended = "intended",
        /// When the sender handed it to its stack (T1).
        Published = "published",
        /// When it entered the link's leg from the device to the platform.
        ProxyInUp = "proxy_in_up",
        /// When it left that leg.
        ProxyOutUp = "proxy_out_up",
        /// When it entered the link's leg from the platform to the receiver.
        ProxyInDown = "proxy_in_down",
        /// When it left that leg.
        ProxyOutDown = "proxy_out_down",
        /// When the receiver got it (T4).
        Received = "received",
        /// When the platform had stored it (T5), as the platform reports.
        Committed = "committed",
        /// When the bench first got it by asking the platform (T6).
        Queryable = "queryable",
        /// When the device carried out a command.
        Obeyed = "obeyed",
        /// When the sender learned that it arrived: the platform acknowledged a reading, the device
        /// a command.
        Acknowledged = "acknowledged",
        /// When the master's application wanted something of a node on its bus.
        Asked = "asked",
        /// When the interrupt routine of that node took the request.
        Heard = "heard",
        /// When the interrupt routine of the master took the answer.
        Answered = "answered",
    }
}

impl Point {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Its place in [`LatencyRow::points`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// The first line of `latency.csv`.
pub const LATENCY_HEADER: [&str; Point::COUNT + 4] = [
    "path",
    "id",
    "intended_ns",
    "published_ns",
    "proxy_in_up_ns",
    "proxy_out_up_ns",
    "proxy_in_down_ns",
    "proxy_out_down_ns",
    "received_ns",
    "committed_ns",
    "queryable_ns",
    "obeyed_ns",
    "acknowledged_ns",
    "asked_ns",
    "heard_ns",
    "answered_ns",
    "bytes",
    "copies",
];

/// How many points there were before those of exchanges on a bus.
const POINTS_BEFORE: usize = Point::Asked as usize;

/// The first line of `latency.csv` as it was before there were exchanges on a bus.
pub(crate) const LATENCY_HEADER_BEFORE: [&str; POINTS_BEFORE + 4] = {
    let mut header = [""; POINTS_BEFORE + 4];
    let mut at = 0;
    while at < header.len() {
        let is_behind = at >= POINTS_BEFORE + 2;
        header[at] = LATENCY_HEADER[if is_behind { at + Point::COUNT - POINTS_BEFORE } else { at }];
        at += 1;
    }
    header
};

/// What the message of a row did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatencyPath<'a> {
    /// A reading went to the platform.
    Reading,
    /// A reading went to this observer.
    Observed(&'a str),
    /// A command went to its device.
    Command,
    /// A node of a bus was asked, and answered.
    Exchange,
}

impl<'a> LatencyPath<'a> {
    /// The word of readings.
    pub const READING: &'static str = "reading";
    /// The word of commands.
    pub const COMMAND: &'static str = "command";
    /// The word of exchanges on a bus.
    pub const EXCHANGE: &'static str = "exchange";

    /// The path of a row's text; `None` of one that no run writes.
    pub fn of(text: &'a str) -> Option<Self> {
        match text.split_once('>') {
            None if text == Self::READING => Some(Self::Reading),
            None if text == Self::COMMAND => Some(Self::Command),
            None if text == Self::EXCHANGE => Some(Self::Exchange),
            Some((Self::READING, observer)) => Some(Self::Observed(observer)),
            _ => None,
        }
    }

    /// The observer that received the message, on a path that ends at one.
    pub fn observer_of(text: &'a str) -> Option<&'a str> {
        let Self::Observed(observer) = Self::of(text)? else { return None };
        Some(observer)
    }
}

impl fmt::Display for LatencyPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reading => f.write_str(Self::READING),
            Self::Observed(observer) => write!(f, "{}>{observer}", Self::READING),
            Self::Command => f.write_str(Self::COMMAND),
            Self::Exchange => f.write_str(Self::EXCHANGE),
        }
    }
}

/// One message on one path, with the instants at which it passed the points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencyRow<'a> {
    /// A [`LatencyPath`] as text: `reading`, `reading>OBSERVER`, `command` or `exchange`.
    pub path: &'a str,
    /// `DEVICE/EPOCH/SERIAL`; for a reading that was due and never made `DEVICE//N`, where N counts
    /// the device's due instants from 1; for a command `DEVICE//ID`; for an exchange
    /// `DEVICE//IDENTIFIER.N`, the hexadecimal identifier of its frames and a count from 1.
    pub id: &'a str,
    /// By [`Point::index`]: ns since the run's schedule began, of the first arrival where there are
    /// several; `None` if the message never got there. The intended instant is always known.
    pub points: [Option<i64>; Point::COUNT],
    /// The length of the payload, in bytes; 0 if it was never made.
    pub bytes: u32,
    /// How often it came to the path's end: 0 lost, 1 as it should be, more with duplicates.
    pub copies: u32,
}

impl LatencyRow<'_> {
    /// When it passed a point.
    pub fn at(&self, point: Point) -> Option<i64> {
        self.points[point.index()]
    }

    /// The device the message comes from or goes to.
    pub fn device(&self) -> &str {
        self.id.split_once('/').map_or(self.id, |(device, _)| device)
    }

    pub(crate) fn write(&self, table: &mut TableWriter<impl Write>) -> Result<(), csv::Error> {
        table.text(self.path)?;
        table.text(self.id)?;
        for point in self.points {
            table.shown(point)?;
        }
        table.shown(Some(self.bytes))?;
        table.shown(Some(self.copies))?;
        table.end_line()
    }

    /// Reads one record. The error states what was found and what was expected.
    pub(crate) fn read(record: &csv::StringRecord) -> Result<LatencyRow<'_>, String> {
        const EXPECTED: &str = "a whole number";
        let is_before = record.len() == LATENCY_HEADER_BEFORE.len();
        let header: &'static [&'static str] =
            if is_before { &LATENCY_HEADER_BEFORE } else { &LATENCY_HEADER };
        let line = Line::of(record, header)?;
        let count = header.len() - 4;
        let mut points = [None; Point::COUNT];
        for (point, place) in points.iter_mut().zip(2..2 + count) {
            *point = line.optional(place, EXPECTED)?;
        }
        if points[Point::Intended.index()].is_none() {
            return Err("intended_ns is empty, expected when the message was due".to_owned());
        }
        Ok(LatencyRow {
            path: line.text(0),
            id: line.text(1),
            points,
            bytes: line.value(count + 2, EXPECTED)?,
            copies: line.value(count + 3, EXPECTED)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_point_has_its_column() {
        for point in Point::ALL {
            assert_eq!(LATENCY_HEADER[point.index() + 2], format!("{}_ns", point.word()));
            assert_eq!(Point::from_word(point.word()), Some(point));
        }
        assert!(Point::ALL.is_sorted());
        assert_eq!(Point::from_word("sent"), None);
    }

    #[test]
    fn each_wrong_field_is_named() {
        let good = [
            "reading", "m/1/2", "5", "6", "", "", "", "", "9", "", "", "", "", "", "", "", "1300",
            "1",
        ];
        let read = |fields: &[&str]| {
            let record = csv::StringRecord::from(fields.to_vec());
            LatencyRow::read(&record).map(|row| format!("{row:?}"))
        };
        read(&good).unwrap();
        for (place, wrong, expected) in [
            (2, "", "intended_ns is empty, expected when the message was due"),
            (2, "0.5", "intended_ns `0.5`, expected a whole number"),
            (8, "soon", "received_ns `soon`, expected a whole number"),
            (16, "", "bytes ``, expected a whole number"),
            (17, "-1", "copies `-1`, expected a whole number"),
        ] {
            let mut fields = good;
            fields[place] = wrong;
            assert_eq!(read(&fields).unwrap_err(), expected);
        }
        assert_eq!(read(&good[1..]).unwrap_err(), "found 17 fields, expected 18");
        // A row of before there were exchanges on a bus.
        let before: Vec<&str> = [&good[..13], &good[16..]].concat();
        assert_eq!(before.len(), LATENCY_HEADER_BEFORE.len());
        assert_eq!(read(&before), read(&good));
    }

    #[test]
    fn the_device_and_the_observer_are_reported() {
        let row = |path, id| LatencyRow {
            path,
            id,
            points: [Some(0); Point::COUNT],
            bytes: 0,
            copies: 0,
        };
        assert_eq!(row("reading", "meter-01/1/7").device(), "meter-01");
        assert_eq!(row("reading", "meter-01//7").device(), "meter-01");
        assert_eq!(LatencyPath::observer_of("reading>head-end"), Some("head-end"));
        assert_eq!(LatencyPath::observer_of("command"), None);
        for text in ["reading", "reading>head-end", "reading>a>b", "command", "exchange"] {
            assert_eq!(LatencyPath::of(text).unwrap().to_string(), text);
        }
        assert_eq!(LatencyPath::of("readings"), None);
    }

    proptest! {
        #[test]
        fn any_row_reads_back(
            path in "[a-z>\", ]{1,12}",
            id in "[a-z0-9/,\"]{1,12}",
            intended in any::<i64>(),
            rest in prop::collection::vec(prop::option::of(any::<i64>()), Point::COUNT - 1),
            bytes in any::<u32>(),
            copies in any::<u32>(),
        ) {
            let mut points = [Some(intended); Point::COUNT];
            points[1..].copy_from_slice(&rest);
            let row = LatencyRow { path: &path, id: &id, points, bytes, copies };
            let mut table = TableWriter::new(Vec::new(), LATENCY_HEADER).unwrap();
            row.write(&mut table).unwrap();
            let text = table.into_bytes().unwrap();
            let mut csv = csv::Reader::from_reader(&text[..]);
            let record = csv.records().next().unwrap().unwrap();
            prop_assert_eq!(LatencyRow::read(&record).unwrap(), row);
        }
    }
}
