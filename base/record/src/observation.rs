//! One value that was due, or came unexpected, as a line of `observations.csv`.

use std::io::Write;

use lastmeter_units::{Epoch, MeasurementId, Serial, SimTime};

use super::number::write_number;
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
    /// When the reading was due; for an unexpected one the time it tells itself.
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

    /// What tells this reading from the device's others.
    pub fn reading(&self) -> (Option<Epoch>, Option<Serial>) {
        (self.epoch, self.serial)
    }

    /// The line's fields, each written into `field` by `write`.
    pub fn write_fields(
        &self,
        scratch: &mut Vec<u8>,
        mut write: impl FnMut(&[u8]) -> Result<(), csv::Error>,
    ) -> Result<(), csv::Error> {
        write(self.device.as_bytes())?;
        for number in [self.epoch.map(|epoch| epoch.0), self.serial.map(|serial| serial.0)] {
            scratch.clear();
            if let Some(number) = number {
                write!(scratch, "{number}")?;
            }
            write(scratch)?;
        }
        let row = self.quantity.row();
        write(row.name.as_bytes())?;
        scratch.clear();
        write!(scratch, "{}", row.si_unit)?;
        write(scratch)?;
        scratch.clear();
        write!(scratch, "{}", self.event_time)?;
        write(scratch)?;
        for value in [self.reference, self.reported] {
            scratch.clear();
            if let Some(value) = value {
                write_number(scratch, value)?;
            }
            write(scratch)?;
        }
        Ok(())
    }
}

/// Takes lines apart, remembering what neighbouring lines have in common: the date, and which
/// quantity follows which. That is what makes a day of ten meters readable in a second.
#[derive(Default)]
pub(crate) struct FieldReader {
    time_text: Vec<u8>,
    time: SimTime,
    /// By the previous line's quantity: the quantity that followed it last.
    followers: Vec<Option<MeasurementId>>,
    previous: usize,
}

impl FieldReader {
    /// Reads one record. The error says what was found and what was expected.
    pub(crate) fn read<'a>(
        &mut self,
        record: &'a csv::ByteRecord,
    ) -> Result<Observation<'a>, String> {
        if record.len() != OBSERVATION_HEADER.len() {
            let expected = OBSERVATION_HEADER.len();
            return Err(format!("found {} fields, expected {expected}", record.len()));
        }
        let quantity = self.quantity(&record[3])?;
        let unit = quantity.row().si_unit;
        if !unit_is(unit, &record[4]) {
            let found = String::from_utf8_lossy(&record[4]);
            return Err(format!("unit `{found}`, expected `{unit}` for {quantity}"));
        }
        Ok(Observation {
            device: text(&record[0], "device")?,
            epoch: whole(&record[1], "epoch")?.map(Epoch),
            serial: whole(&record[2], "serial")?.map(Serial),
            quantity,
            event_time: self.time(&record[5])?,
            reference: number(&record[6], "reference")?,
            reported: number(&record[7], "reported")?,
            span: None,
        })
    }

    fn quantity(&mut self, name: &[u8]) -> Result<MeasurementId, String> {
        if self.followers.is_empty() {
            self.followers = vec![None; lastmeter_units::MEASUREMENTS.len()];
        }
        if let Some(id) = self.followers[self.previous]
            && id.name().as_bytes() == name
        {
            self.previous = id.index();
            return Ok(id);
        }
        let name = text(name, "quantity")?;
        let id = MeasurementId::lookup(name)
            .ok_or_else(|| format!("`{name}` is no identifier of the measurement registry"))?;
        self.followers[self.previous] = Some(id);
        self.previous = id.index();
        Ok(id)
    }

    fn time(&mut self, bytes: &[u8]) -> Result<SimTime, String> {
        if bytes != self.time_text || bytes.is_empty() {
            self.time = text(bytes, "event_time")?
                .parse()
                .map_err(|error| format!("event_time: {error}"))?;
            self.time_text.clear();
            self.time_text.extend_from_slice(bytes);
        }
        Ok(self.time)
    }
}

fn unit_is(unit: lastmeter_units::SiUnit, found: &[u8]) -> bool {
    // Compares while formatting: no allocation per line.
    struct Rest<'a>(&'a [u8]);
    impl std::fmt::Write for Rest<'_> {
        fn write_str(&mut self, part: &str) -> std::fmt::Result {
            self.0 = self.0.strip_prefix(part.as_bytes()).ok_or(std::fmt::Error)?;
            Ok(())
        }
    }
    let mut rest = Rest(found);
    std::fmt::write(&mut rest, format_args!("{unit}")).is_ok() && rest.0.is_empty()
}

fn text<'a>(bytes: &'a [u8], field: &str) -> Result<&'a str, String> {
    std::str::from_utf8(bytes).map_err(|_| format!("{field} is not UTF-8"))
}

fn whole(bytes: &[u8], field: &str) -> Result<Option<u64>, String> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let text = text(bytes, field)?;
    text.parse()
        .map(Some)
        .map_err(|_| format!("{field} `{text}`, expected a whole number or nothing"))
}

fn number(bytes: &[u8], field: &str) -> Result<Option<f64>, String> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let text = text(bytes, field)?;
    text.parse().map(Some).map_err(|_| format!("{field} `{text}`, expected a number or nothing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[&str]) -> Result<String, String> {
        let record = csv::ByteRecord::from(fields.to_vec());
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
            (3, "speed", "`speed` is no identifier of the measurement registry"),
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
