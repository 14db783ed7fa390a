//! One value that was due, or came unexpected, as a line of `observations.csv`.

use std::io::Write;

use lastmeter_units::{Epoch, MEASUREMENTS, MeasurementId, Serial, SimTime};

use super::line::{Line, TableWriter};
use super::span::RecordedSpan;

/// The first line of `observations.csv`.
pub const OBSERVATION_HEADER: [&str; 8] =
    ["device", "epoch", "serial", "quantity", "unit", "event_time", "reference", "reported"];

/// One value of one reading: the reference beside what was reported, in the quantity's SI unit.
///
/// The two are joined on (device, epoch, serial, quantity) by whoever writes the record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation<'a> {
    /// The device's name.
    pub device: &'a str,
    /// Its epoch; `None` if not known.
    pub epoch: Option<Epoch>,
    /// The reading's serial number; `None` if the device sends none.
    pub serial: Option<Serial>,
    /// What is measured.
    pub quantity: MeasurementId,
    /// When the reading was due; for an unexpected one the time it states itself.
    pub event_time: SimTime,
    /// The true value over the interval the reading spans. `None`: nothing was due. NaN: the value
    /// was due, but the plant does not know the truth of this quantity; delivery is judged,
    /// accuracy is not.
    pub reference: Option<f64>,
    /// What came back from the platform. `None`: nothing did.
    pub reported: Option<f64>,
    /// What the reference was taken over, where the device did not announce it, or did not carry
    /// the reading itself. `None`: the reference is exact. It stands in `spans.csv`.
    pub span: Option<RecordedSpan<'a>>,
}

impl Observation<'_> {
    /// Whether both values are there and the reference is known.
    pub fn pair(&self) -> Option<(f64, f64)> {
        match (self.reference, self.reported) {
            (Some(reference), Some(reported)) if !reference.is_nan() => Some((reference, reported)),
            _ => None,
        }
    }

    /// How far the reference may be off, in the SI unit of a difference of two of the quantity's
    /// values; NaN if that is not known.
    pub fn spread(&self) -> f64 {
        self.span.map_or(0.0, |span| span.spread)
    }

    /// What distinguishes this reading from the device's others.
    pub fn reading(&self) -> (Option<Epoch>, Option<Serial>) {
        (self.epoch, self.serial)
    }

    /// Writes its line, without the span.
    pub(crate) fn write(&self, table: &mut TableWriter<impl Write>) -> Result<(), csv::Error> {
        let row = self.quantity.row();
        table.text(self.device)?;
        table.shown(self.epoch.map(|epoch| epoch.0))?;
        table.shown(self.serial.map(|serial| serial.0))?;
        table.text(row.name)?;
        table.shown(Some(row.si_unit))?;
        table.shown(Some(self.event_time))?;
        table.number(self.reference)?;
        table.number(self.reported)?;
        table.end_line()
    }
}

/// Takes lines apart, remembering what neighbouring lines have in common: the date, and which
/// quantity follows which. That is what makes a day of ten meters readable in a second.
pub(crate) struct FieldReader {
    time_text: String,
    time: SimTime,
    /// By the previous line's quantity: the quantity that followed it last.
    followers: Vec<Option<MeasurementId>>,
    previous: usize,
    /// By quantity: its unit as it is written.
    units: Vec<String>,
}

impl Default for FieldReader {
    fn default() -> Self {
        Self {
            time_text: String::new(),
            time: SimTime(0),
            followers: vec![None; MEASUREMENTS.len()],
            previous: 0,
            units: MEASUREMENTS.iter().map(|row| row.si_unit.to_string()).collect(),
        }
    }
}

impl FieldReader {
    /// Reads one record. The error states what was found and what was expected.
    pub(crate) fn read<'a>(
        &mut self,
        record: &'a csv::StringRecord,
    ) -> Result<Observation<'a>, String> {
        let line = Line::of(record, &OBSERVATION_HEADER)?;
        let quantity = self.quantity(&line)?;
        let (unit, found) = (&self.units[quantity.index()], line.text(4));
        if found != unit {
            return Err(format!("unit `{found}`, expected `{unit}` for {quantity}"));
        }
        Ok(Observation {
            device: line.text(0),
            epoch: line.optional(1, "a whole number or nothing")?.map(Epoch),
            serial: line.optional(2, "a whole number or nothing")?.map(Serial),
            quantity,
            event_time: self.time(&line)?,
            reference: line.optional(6, "a number or nothing")?,
            reported: line.optional(7, "a number or nothing")?,
            span: None,
        })
    }

    fn quantity(&mut self, line: &Line<'_>) -> Result<MeasurementId, String> {
        if let Some(id) = self.followers[self.previous]
            && id.name() == line.text(3)
        {
            self.previous = id.index();
            return Ok(id);
        }
        let name = line.text(3);
        let id = MeasurementId::lookup(name)
            .ok_or_else(|| format!("`{name}` is not an identifier of the measurement registry"))?;
        self.followers[self.previous] = Some(id);
        self.previous = id.index();
        Ok(id)
    }

    fn time(&mut self, line: &Line<'_>) -> Result<SimTime, String> {
        let text = line.text(5);
        if text != self.time_text || text.is_empty() {
            self.time = text.parse().map_err(|error| format!("event_time: {error}"))?;
            self.time_text.clear();
            self.time_text.push_str(text);
        }
        Ok(self.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[&str]) -> Result<String, String> {
        let record = csv::StringRecord::from(fields.to_vec());
        FieldReader::default().read(&record).map(|observation| format!("{observation:?}"))
    }

    #[test]
    fn each_wrong_field_is_named() {
        let good =
            ["m", "1", "2", "electricity.frequency", "Hz", "2027-01-18T17:00:00Z", "50", "50.1"];
        read(&good).unwrap();
        for (place, wrong, expected) in [
            (1, "-1", "epoch `-1`, expected a whole number or nothing"),
            (2, "x", "serial `x`, expected a whole number or nothing"),
            (3, "speed", "`speed` is not an identifier of the measurement registry"),
            (4, "kHz", "unit `kHz`, expected `Hz` for electricity.frequency"),
            (4, "H", "unit `H`, expected `Hz` for electricity.frequency"),
            (5, "", "event_time: expected a date"),
            (6, "5O", "reference `5O`, expected a number or nothing"),
            (7, " 50", "reported ` 50`, expected a number or nothing"),
        ] {
            let mut fields = good;
            fields[place] = wrong;
            let error = read(&fields).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        assert_eq!(read(&good[1..]).unwrap_err(), "found 7 fields, expected 8");
    }

    #[test]
    fn a_value_without_known_truth_is_no_pair() {
        let observation = Observation {
            device: "m",
            epoch: None,
            serial: None,
            quantity: MeasurementId::lookup("electricity.frequency").unwrap(),
            event_time: SimTime(0),
            reference: Some(f64::NAN),
            reported: Some(50.0),
            span: None,
        };
        assert_eq!(observation.pair(), None);
        assert_eq!(Observation { reference: Some(1.0), ..observation }.pair(), Some((1.0, 50.0)));
        assert_eq!(Observation { reference: None, ..observation }.pair(), None);
    }
}
