//! The r.m.s. deviation of each published row over all readings of the sweeps.
//!
//! Every reading that lies wholly within a point's measuring time is one deviation; a point that
//! several sweeps share counts once. Readings whose reference is below the row's `counts_from` do
//! not count (a share of nearly nothing means nothing), and neither do those without a reference.

use std::collections::BTreeSet;

use lastmeter_units::{MeasurementId, Quantity, SiUnit, SimTime};

use super::readings::{Gatherer, Pair, PointRecord};
use lastmeter_plans::standard::{Along, Coordinates, LimitFigure, Plan, Published, Relative};
use lastmeter_record::Observation;

/// What came of one published row.
#[derive(Clone, Debug, PartialEq)]
pub struct Deviation {
    /// The row, by its place in the test plan.
    pub row: usize,
    /// The r.m.s. deviation in the row's unit; `None` if nothing counts.
    pub rms: Option<f64>,
    /// The mean deviation.
    pub mean: f64,
    /// The largest, with its sign.
    pub worst: f64,
    /// The point of the largest, by its place in the plan.
    pub worst_point: usize,
    /// How many readings count.
    pub readings: u64,
    /// Of how many points.
    pub points: usize,
    /// Readings that were due at the points and did not come.
    pub missing: u64,
    /// Readings below `counts_from`, or without a reference.
    pub left_out: u64,
}

impl Deviation {
    /// Measured over published.
    pub fn ratio(&self, published: &Published) -> Option<f64> {
        self.rms.map(|rms| rms / published.figure.value())
    }
}

/// One cell of a surface.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Its place from the left.
    pub x: usize,
    /// Its place from below.
    pub y: usize,
    /// The r.m.s. deviation; `None` if nothing counts there.
    pub rms: Option<f64>,
    /// How many readings count.
    pub readings: u64,
}

/// A surface, computed.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviationSurface {
    /// Labels from left to right.
    pub x: Vec<String>,
    /// Labels from below to above.
    pub y: Vec<String>,
    /// The cells, from below to above and each line from left to right.
    pub cells: Vec<Cell>,
}

/// Takes in a record for some devices at one plan.
#[derive(Clone, Debug)]
pub struct Deviations {
    plan: Plan,
    devices: Vec<(String, Gatherer)>,
}

/// The sums behind an r.m.s. value.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    count: u64,
    sum: f64,
    squares: f64,
}

impl Sums {
    fn add(&mut self, deviation: f64) {
        self.count += 1;
        self.sum += deviation;
        self.squares += deviation * deviation;
    }

    fn rms(self) -> Option<f64> {
        (self.count > 0).then(|| (self.squares / self.count as f64).sqrt())
    }
}

impl Deviations {
    /// Of devices that report as often as the plan's, in a run that begins at an instant.
    pub fn new(plan: Plan, devices: &[String], start: SimTime) -> Self {
        let wanted: BTreeSet<MeasurementId> =
            plan.test_plan.published.iter().map(|row| row.quantity).collect();
        let gather =
            |device: &String| (device.clone(), Gatherer::of(device, wanted.clone(), &plan, start));
        let devices = devices.iter().map(gather).collect();
        Self { plan, devices }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Takes the next row of the record.
    pub fn observation(&mut self, row: &Observation<'_>) {
        for (_, gatherer) in &mut self.devices {
            gatherer.observation(row);
        }
    }

    fn points(&self, device: &str) -> Vec<PointRecord> {
        let found = self.devices.iter().find(|(name, _)| name == device);
        found.map_or_else(Vec::new, |(_, gatherer)| gatherer.points())
    }

    /// All rows of a device.
    pub fn table(&self, device: &str) -> Vec<Deviation> {
        let points = self.points(device);
        let places: BTreeSet<usize> = self.plan.swept.iter().map(|swept| swept.point).collect();
        let rows = self.plan.test_plan.published.iter().enumerate();
        rows.map(|(index, row)| self.row(index, row, &places, &points)).collect()
    }

    fn row(
        &self,
        index: usize,
        row: &Published,
        places: &BTreeSet<usize>,
        points: &[PointRecord],
    ) -> Deviation {
        let mut sums = Sums::default();
        let (mut worst, mut worst_point) = (0.0_f64, 0);
        let (mut counted, mut missing, mut left_out) = (0, 0, 0);
        for &place in places {
            let before = sums.count;
            let planned = u64::from(self.plan.points[place].readings);
            let readings = points.get(place).map_or(&[][..], |point| &point.readings);
            missing += planned.saturating_sub(readings.len() as u64);
            for reading in readings {
                match self.deviation(row, place, reading.value(row.quantity)) {
                    Some(Ok(deviation)) => {
                        sums.add(deviation);
                        if deviation.is_nan() || deviation.abs() > worst.abs() {
                            (worst, worst_point) = (deviation, place);
                        }
                    }
                    Some(Err(Missing)) => missing += 1,
                    None => left_out += 1,
                }
            }
            counted += usize::from(sums.count > before);
        }
        Deviation {
            row: index,
            rms: sums.rms(),
            mean: sums.sum / sums.count as f64,
            worst,
            worst_point,
            readings: sums.count,
            points: counted,
            missing,
            left_out,
        }
    }

    /// The deviation of one value; `None` if it does not count.
    fn deviation(&self, row: &Published, place: usize, got: Pair) -> Option<Result<f64, Missing>> {
        let (reference, reported) = match got {
            Pair::Of(reference, reported) => (reference, reported),
            Pair::Missing => return Some(Err(Missing)),
            Pair::Absent => return None,
        };
        let whole = self.whole(row, place);
        if reference.is_nan() || whole == 0.0 || reference.abs() < row.counts_from * whole {
            return None;
        }
        let difference = reported - reference;
        Some(Ok(match (row.figure, row.relative) {
            (LimitFigure::Absolute(_), _) => difference,
            (_, Relative::Absolute) => 100.0 * difference,
            (_, Relative::Nominal | Relative::Reading) if reference == 0.0 => return None,
            (_, Relative::Nominal | Relative::Reading) => 100.0 * difference / reference.abs(),
        }))
    }

    /// Of what `counts_from` is a share.
    fn whole(&self, row: &Published, place: usize) -> f64 {
        let claim = &self.plan.claim;
        match row.quantity.row().si_unit {
            SiUnit::Volt => claim.voltage,
            SiUnit::Ampere => claim.maximum,
            SiUnit::Watt | SiUnit::Var | SiUnit::VoltAmpere => {
                self.plan.points[place].conditions.apparent()
            }
            // Without current there is no power factor, and no distortion of it.
            _ => match row.quantity.row().quantity {
                Quantity::PowerFactor | Quantity::CurrentThd
                    if self.plan.points[place].conditions.apparent() == 0.0 =>
                {
                    0.0
                }
                _ => 1.0,
            },
        }
    }

    /// A surface of a device.
    pub fn surface(&self, index: usize, device: &str) -> Option<DeviationSurface> {
        let surface = self.plan.test_plan.surfaces.get(index)?;
        let row = self.plan.test_plan.published.get(surface.row)?;
        let points = self.points(device);
        let mut fields: Vec<Field> = Vec::new();
        for swept in self.plan.swept.iter().filter(|swept| swept.sweep == surface.sweep) {
            let x = self.place(surface.x, &swept.coordinates);
            let y = self.place(surface.y, &swept.coordinates);
            let known = fields.iter().position(|field| field.x.0 == x.0 && field.y.0 == y.0);
            let field = known.unwrap_or_else(|| {
                fields.push(Field { x, y, sums: Sums::default() });
                fields.len() - 1
            });
            let readings = points.get(swept.point).map_or(&[][..], |point| &point.readings);
            for reading in readings {
                let value = reading.value(row.quantity);
                if let Some(Ok(value)) = self.deviation(row, swept.point, value) {
                    fields[field].sums.add(value);
                }
            }
        }
        let xs = axis(fields.iter().map(|field| field.x.clone()).collect());
        let ys = axis(fields.iter().map(|field| field.y.clone()).collect());
        let find = |list: &[Place], place: &Place| {
            list.iter().position(|(known, _)| *known == place.0).unwrap_or(0)
        };
        let cell = |field: &Field| Cell {
            x: find(&xs, &field.x),
            y: find(&ys, &field.y),
            rms: field.sums.rms(),
            readings: field.sums.count,
        };
        let mut cells: Vec<Cell> = fields.iter().map(cell).collect();
        cells.sort_by_key(|cell| (cell.y, cell.x));
        let labels = |list: Vec<Place>| list.into_iter().map(|(_, label)| label).collect();
        Some(DeviationSurface { x: labels(xs), y: labels(ys), cells })
    }

    /// Where a point lies along a coordinate, and what is written there.
    fn place(&self, along: Along, at: &Coordinates) -> Place {
        let claim = &self.plan.claim;
        let value = match along {
            Along::Frequency => at.frequency * claim.frequency,
            Along::Angle => at.power_factor.lag_rad.to_degrees(),
            Along::Voltage => at.voltage,
            Along::Current => at.current.as_ref().map_or(0.0, |(_, amperes)| *amperes),
            Along::Waveform => {
                let waveform = &self.plan.test_plan.waveforms[at.waveform];
                return (at.waveform as f64, waveform.title.clone());
            }
        };
        // Degrees come from radians; twelve digits are enough for any label.
        let value = (value * 1e9).round() / 1e9;
        (value, lastmeter_text::number(value))
    }
}

/// A value that was due and did not come.
struct Missing;

/// A place along an axis, and what is written there.
type Place = (f64, String);

/// What falls into one cell.
struct Field {
    x: Place,
    y: Place,
    sums: Sums,
}

/// The different places, in order.
fn axis(mut places: Vec<Place>) -> Vec<Place> {
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    places.dedup_by(|a, b| a.0 == b.0);
    places
}
