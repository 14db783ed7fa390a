//! The section about errors: pictures over time, and tables of all series.
//!
//! What a check judges comes first and is always in a picture or named as one whose error is zero
//! throughout; what is only there to look at is folded away behind it. Each picture and each table
//! has one unit.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_units::{MeasurementId, Phase};
use serde::Serialize;

use super::ROUNDING;
use super::spec::Limit;
use crate::check::kind::{SectionHtml, SectionInput};
use crate::error::RenderError;
use crate::render::collect::{Basis, Collected, Curve, Series as Collection, family};
use crate::render::figure::{Csv, Figure, Key, Picture};
use crate::render::page::{grouped, to_the_second};
use crate::render::plot::{Chart, Point, Series};
use crate::render::template::fill;
use crate::render::units::Shown;
use lastmeter_text::{number, plural};

/// The most rows of the tables on the page; all of them are in their CSV.
const ROWS_MAX: usize = 200;
/// Tables of more rows in all are opened only by the reader.
const ROWS_OPEN_MAX: usize = 40;

const TEMPLATE: &str = include_str!("section.html");

#[derive(Serialize)]
struct Accuracy {
    heading: &'static str,
    /// Whether there is anything to show.
    any: bool,
    parts: Vec<Part>,
    more: usize,
    /// How many values were; empty if none.
    left_out: String,
    links: String,
}

/// What is judged, or what is not.
#[derive(Default, Serialize)]
struct Part {
    pictures: Vec<Picture>,
    flat: Vec<Flat>,
    tables: Vec<ErrorTable>,
    /// The head of what can be folded.
    summary: String,
    /// Whether the pictures are folded too.
    folded: bool,
    /// Whether its tables are shown without being asked for.
    open: bool,
}

/// What needs no picture: its error is zero throughout.
#[derive(Serialize)]
struct Flat {
    name: &'static str,
    limit: String,
    links: String,
}

/// The series whose errors are told in one unit.
#[derive(Serialize)]
struct ErrorTable {
    /// Behind the heads of its columns: ` (kWh)`.
    unit: String,
    rows: Vec<ErrorRow>,
}

/// One series as a row, in the unit of its table.
#[derive(Serialize)]
struct ErrorRow {
    device: String,
    quantity: &'static str,
    n: String,
    mean: String,
    deviation: String,
    worst: String,
    limit: String,
    outside: bool,
    time: String,
}

/// A series of the record.
struct Kept<'a> {
    device: &'a str,
    id: MeasurementId,
    series: &'a Collection,
}

impl Kept<'_> {
    fn is_judged(&self) -> bool {
        self.series.scale.basis() != Basis::NotJudged
    }

    /// Whether an error is outside the limit, whatever the spread of its reference.
    fn is_outside(&self) -> bool {
        self.is_judged() && self.series.has_outside
    }

    /// The largest figure of its row that is a number.
    fn reach(&self) -> f64 {
        let limit = if self.is_judged() { self.series.scale.limit.value() } else { 0.0 };
        let finite = |value: f64| if value.is_finite() { value.abs() } else { 0.0 };
        finite(self.series.errors.worst()).max(finite(limit))
    }

    fn row(&self, shown: &Shown) -> ErrorRow {
        let Self { device, id, series } = self;
        let n = series.errors.n;
        let figure = |value: f64| number(shown.figure(value));
        let some = |text: String| if n > 0 { text } else { String::new() };
        let limit = series.scale.limit.value();
        let spread = series.worst_spread;
        // The last digits of equal references are no spread; without a limit all there is counts.
        let is_rounding = spread <= ROUNDING * limit.min(series.errors.worst().abs());
        let spread = if is_rounding { String::new() } else { format!(" ± {}", figure(spread)) };
        ErrorRow {
            device: (*device).to_owned(),
            quantity: id.name(),
            n: grouped(n),
            mean: some(figure(series.errors.mean())),
            deviation: series.errors.deviation().map(figure).unwrap_or_default(),
            worst: some(figure(series.errors.worst()) + &spread),
            limit: if self.is_judged() { figure(limit) } else { String::new() },
            outside: self.is_outside(),
            time: some(to_the_second(series.worst_time)),
        }
    }
}

/// The section, which every report has.
pub(super) fn section(
    input: &SectionInput<'_>,
    figures: &mut Vec<Figure>,
) -> Result<Option<SectionHtml>, RenderError> {
    let (collected, scenario) = (input.collected, input.scenario);
    // Where a plan is judged, errors over time are only to look at.
    let has_plan = scenario.plan.is_some() || scenario.calibration.is_some();
    let heading = if has_plan { "Errors over time" } else { "Accuracy" };
    let mut all: Vec<Kept<'_>> = Vec::new();
    for (device, record) in collected.devices.iter() {
        let kept = record.accuracy.iter().map(|(id, series)| Kept { device, id: *id, series });
        all.extend(kept);
    }
    let links = Figure::table("accuracy", csv_of(&all)).keep(figures);
    let left_out = match all.iter().map(|kept| kept.series.left_out).sum::<u64>() {
        0 => String::new(),
        count => plural(count, "value"),
    };
    // What is outside its limit first, and never left out for lack of room before the rest.
    all.sort_by_key(|kept| (!kept.is_judged(), !kept.is_outside()));
    let more = all.len().saturating_sub(ROWS_MAX);
    let any = !all.is_empty();
    all.truncate(ROWS_MAX);
    let (first, others) = all.split_at(all.partition_point(Kept::is_judged));
    let (mut judged, mut rest) = (Part::of(first), Part::of(others));
    for (basis, first, curves) in pictures_of(collected) {
        let part = if basis == Basis::NotJudged { &mut rest } else { &mut judged };
        match ErrorPicture::of(first, &curves, input.end_s) {
            None => {}
            Some(picture) if picture.is_flat() => part.flat.push(picture.name_only(figures)),
            Some(picture) => part.pictures.push(picture.draw(figures)?),
        }
    }
    judged.open = first.len() <= ROWS_OPEN_MAX;
    judged.summary = format!("{} judged series, what is outside its limit first", first.len());
    rest.folded = true;
    let pictures = plural(rest.pictures.len(), "picture");
    rest.summary = format!("What no accuracy check judges: {} series, {pictures}", others.len());
    let is_empty = rest.pictures.is_empty() && rest.flat.is_empty() && rest.tables.is_empty();
    let rest = (!is_empty).then_some(rest);
    let parts = std::iter::once(judged).chain(rest).collect();
    let section = Accuracy { heading, any, parts, more, left_out, links };
    Ok(Some(fill("accuracy.html", TEMPLATE, &section)?.into()))
}

/// Every series with all its digits.
fn csv_of(all: &[Kept<'_>]) -> String {
    let mut csv = Csv::new(
        "device,quantity,unit,worst_time,n,mean_error,standard_deviation,worst_error,limit",
    );
    for Kept { device, id, series } in all {
        let errors = &series.errors;
        let (unit, limit) = (series.scale.limit.unit(), series.scale.limit.value());
        // What no check judges has no limit.
        let limit = if limit.is_finite() { limit } else { f64::NAN };
        csv.line(
            &[device, id.name(), &unit, &series.worst_time.to_string()],
            &[
                errors.n as f64,
                errors.mean(),
                errors.deviation().unwrap_or(f64::NAN),
                errors.worst(),
                limit,
            ],
        );
    }
    csv.finish()
}

impl Part {
    /// The tables of these series, one for each unit, in the order of the first of each.
    fn of(kept: &[Kept<'_>]) -> Self {
        let mut by_unit: Vec<(String, Vec<&Kept<'_>>)> = Vec::new();
        for one in kept {
            let unit = one.series.scale.limit.unit();
            match by_unit.iter_mut().find(|(known, _)| *known == unit) {
                Some((_, rows)) => rows.push(one),
                None => by_unit.push((unit, vec![one])),
            }
        }
        let table = |(_, rows): (String, Vec<&Kept<'_>>)| {
            let reach = rows.iter().map(|kept| kept.reach()).fold(0.0, f64::max);
            let shown = Shown::of_errors(rows[0].series.scale.limit, reach);
            let symbol = Some(&shown.symbol).filter(|symbol| !symbol.is_empty());
            ErrorTable {
                unit: symbol.map(|symbol| format!(" ({symbol})")).unwrap_or_default(),
                rows: rows.iter().map(|kept| kept.row(&shown)).collect(),
            }
        };
        let tables = by_unit.into_iter().map(table).collect();
        Self { tables, ..Self::default() }
    }
}

/// The curves of one picture, by quantity.
type Curves<'a> = Vec<(MeasurementId, &'a Curve)>;

/// What stands in one picture each: the phases of a quantity whose errors are told alike; what a
/// check judges before what is only there to look at.
fn pictures_of(collected: &Collected) -> Vec<(Basis, MeasurementId, Curves<'_>)> {
    let mut groups: BTreeMap<(MeasurementId, Basis), Curves<'_>> = BTreeMap::new();
    for ((id, basis), curve) in &collected.curves {
        groups.entry((family(*id), *basis)).or_default().push((*id, curve));
    }
    let mut groups: Vec<_> =
        groups.into_iter().map(|((first, basis), curves)| (basis, first, curves)).collect();
    groups.sort_by_key(|(basis, _, _)| *basis == Basis::NotJudged);
    groups
}

/// The errors of one quantity over time, a curve for each phase.
struct ErrorPicture {
    name: &'static str,
    unit: Shown,
    series: Vec<Series>,
    keys: Vec<Key>,
    /// In the SI unit or percent.
    limit: Option<f64>,
    csv: String,
    end_s: f64,
}

impl ErrorPicture {
    /// `None` where there is no error to show.
    fn of(first: MeasurementId, curves: &Curves<'_>, end_s: f64) -> Option<Self> {
        let (_, any) = curves.first()?;
        let unit = any.scale.limit.unit();
        let mut csv = Csv::new("quantity,unit,start_s,width_s,n,min,mean,max");
        let (mut series, mut keys, mut limit) = (Vec::new(), Vec::new(), None::<f64>);
        for (id, curve) in curves {
            let width_s = curve.bins.width_s();
            let mut points = Vec::new();
            for (start_s, bin) in curve.bins.iter() {
                let mean = bin.mean();
                let figures = [start_s, width_s, bin.n as f64, bin.min, mean, bin.max];
                csv.line(&[id.name(), &unit], &figures);
                let x_s = if bin.n == 1 { start_s } else { start_s + width_s / 2.0 };
                points.push(Point { x_s, min: bin.min, mean, max: bin.max });
            }
            let (colour, name) = colour_of(*id);
            if !points.is_empty() {
                keys.push(Key { colour, name: name.to_owned() });
                series.push(Series { colour, points });
            }
            if curve.scale.basis() != Basis::NotJudged {
                let own = curve.scale.limit.value();
                limit = Some(limit.map_or(own, |least| least.min(own)));
            }
        }
        if series.is_empty() {
            return None;
        }
        keys.retain(|key| !key.name.is_empty());
        let chart = Chart { y_label: String::new(), series, limit, end_s };
        let unit = match any.scale.limit {
            // Axes have room for zeros: only the hours that meters count in are worth a change.
            Limit::Absolute(_, si) => Shown::hours_or_plain(si, chart.reach()),
            limit @ Limit::Percent(_) => Shown::of_errors(limit, 0.0),
        };
        let (name, csv) = (stem(first), csv.finish());
        Some(Self { name, unit, series: chart.series, keys, limit, csv, end_s })
    }

    /// Whether there is no error at all: a straight line shows nothing.
    fn is_flat(&self) -> bool {
        let mut points = self.series.iter().flat_map(|series| &series.points);
        points.all(|point| point.min == 0.0 && point.max == 0.0)
    }

    /// A name for its files that no other has.
    fn file(&self, figures: &[Figure]) -> String {
        let taken: BTreeSet<&str> = figures.iter().map(|figure| figure.name.as_str()).collect();
        let name = format!("error-{}", self.name);
        let other = match (&*self.unit.symbol, self.limit) {
            (_, None) => format!("{name}-not-judged"),
            ("%", _) => format!("{name}-percent"),
            _ => format!("{name}-absolute"),
        };
        if taken.contains(&*name) { other } else { name }
    }

    fn name_only(self, figures: &mut Vec<Figure>) -> Flat {
        let limit = self.limit.map(|limit| format!(", limit ±{}", self.unit.with_symbol(limit)));
        let links = Figure::table(self.file(figures), self.csv).keep(figures);
        Flat { name: self.name, limit: limit.unwrap_or_default(), links }
    }

    fn draw(self, figures: &mut Vec<Figure>) -> Result<Picture, RenderError> {
        let name = self.file(figures);
        let Self { name: title, unit, mut series, keys, limit, csv, end_s } = self;
        for point in series.iter_mut().flat_map(|series| &mut series.points) {
            for value in [&mut point.min, &mut point.mean, &mut point.max] {
                *value = unit.figure(*value);
            }
        }
        let shown = limit.map(|limit| unit.figure(limit));
        let chart = Chart { y_label: unit.label("error"), series, limit: shown, end_s };
        let caption = match limit.map(|limit| unit.with_symbol(limit)) {
            Some(limit) if chart.shows_limit() => format!("limit ±{limit}, dashed"),
            Some(limit) => format!("limit ±{limit}, outside of the picture"),
            None => "not judged by an accuracy check".to_owned(),
        };
        let figure = Figure::drawn(name, chart.svg()?, csv);
        Ok(Picture::of(figure, title, caption, figures).with_keys(keys))
    }
}

/// The colour of a phase, and its name.
fn colour_of(id: MeasurementId) -> (usize, &'static str) {
    match id.row().phase {
        Phase::L1 => (0, "L1"),
        Phase::L2 => (1, "L2"),
        Phase::L3 => (2, "L3"),
        Phase::Total => (3, "total"),
        Phase::None => (0, ""),
    }
}

/// The identifier without its phase.
fn stem(id: MeasurementId) -> &'static str {
    match id.row().phase {
        Phase::None => id.name(),
        _ => id.name().rsplit_once('.').map_or(id.name(), |(stem, _)| stem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_loses_its_phase_only() {
        for (name, expected) in [
            ("electricity.voltage.rms.l2", "electricity.voltage.rms"),
            ("electricity.frequency", "electricity.frequency"),
            ("x.electricity.powerFactor.total", "x.electricity.powerFactor"),
        ] {
            assert_eq!(stem(MeasurementId::lookup(name).unwrap()), expected);
        }
    }
}
