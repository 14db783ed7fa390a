//! The section about errors: pictures over time, and tables of all series.
//!
//! Each check has one picture: the series on which its verdict rests, by name, with its reference,
//! and all others of its quantity as a band; the errors of both below. What is only there to look
//! at is folded away behind it. Each panel and each table has one unit.

use lastmeter_chart::{Bins, Chart};
use lastmeter_units::{MeasurementId, Phase, SiUnit};
use serde::Serialize;

use super::ROUNDING;
use super::panel::{Panel, Point, Role, points};
use super::population::{MemberError, histogram};
use crate::check::kind::{SectionHtml, SectionInput};
use crate::error::RenderError;
use crate::error_limit::{Limit, Spec};
use crate::render::collect::{Compared, Judged, Series as Collection, Subject};
use crate::render::figure::{Csv, Figure, Picture};
use crate::render::page::{grouped, to_the_second};
use crate::render::template::fill;
use crate::render::units::DisplayUnit;
use crate::verdict::Devices;
use lastmeter_text::{append, number, plural};

/// The most rows of the tables on the page; all of them are in their CSV.
const ROWS_MAX: usize = 200;
/// Tables of more rows in all are opened only by the reader.
const ROWS_OPEN_MAX: usize = 40;

/// Heights of the panels of values and of errors, in units of the picture.
const HEIGHTS: (f64, f64) = (125.0, 95.0);

const TEMPLATE: &str = include_str!("section.html");

#[derive(Serialize)]
struct Accuracy {
    heading: &'static str,
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
    name: String,
    links: String,
}

/// The series whose errors are in one unit.
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

struct ErrorSeries<'a> {
    device: &'a str,
    id: MeasurementId,
    series: &'a Collection,
}

impl ErrorSeries<'_> {
    fn is_judged(&self) -> bool {
        self.series.is_judged()
    }

    /// Whether an error is outside the limit, whatever the spread of its reference.
    fn is_outside(&self) -> bool {
        self.is_judged() && self.series.has_outside
    }

    /// The largest figure of its row that is a number.
    fn reach(&self) -> f64 {
        let limit = if self.is_judged() { self.series.limit.value() } else { 0.0 };
        let finite = |value: f64| if value.is_finite() { value.abs() } else { 0.0 };
        finite(self.series.errors.worst()).max(finite(limit))
    }

    fn row(&self, shown: &DisplayUnit) -> ErrorRow {
        let Self { device, id, series } = self;
        let n = series.errors.n;
        let figure = |value: f64| number(shown.figure(value));
        let some = |text: String| if n > 0 { text } else { String::new() };
        let limit = series.limit.value();
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
    let mut all: Vec<ErrorSeries<'_>> = Vec::new();
    for (device, record) in collected.devices.iter() {
        let series = record.accuracy.iter();
        all.extend(series.map(|(id, series)| ErrorSeries { device, id: *id, series }));
    }
    let links = Figure::table("accuracy", csv_of(&all)).keep(figures);
    let left_out = match all.iter().map(|entry| entry.series.left_out).sum::<u64>() {
        0 => String::new(),
        count => plural(count, "value"),
    };
    let populations: Vec<Picture> = input
        .accuracy
        .iter()
        .filter_map(|check| histogram(check, &members(check, &all), figures))
        .collect();
    // What is outside its limit first, and never left out for lack of room before the rest.
    all.sort_by_key(|entry| (!entry.is_judged(), !entry.is_outside()));
    let more = all.len().saturating_sub(ROWS_MAX);
    let any = !all.is_empty();
    all.truncate(ROWS_MAX);
    let (first, others) = all.split_at(all.partition_point(ErrorSeries::is_judged));
    let (mut judged, mut rest) = (Part::of(first), Part::of(others));
    for (subject, compared) in &collected.compared {
        match *subject {
            Subject::Check(place) => {
                let picture = Comparison::of_check(&input.accuracy[place], compared, input.end_s);
                judged.pictures.push(picture.draw(figures));
            }
            Subject::NotJudged(first) if is_flat(&compared.others.error) => {
                let picture = Comparison::not_judged(first, compared, input.end_s);
                rest.flat.push(picture.name_only(figures));
            }
            Subject::NotJudged(first) => {
                let picture = Comparison::not_judged(first, compared, input.end_s);
                rest.pictures.push(picture.draw(figures));
            }
        }
    }
    judged.pictures.extend(populations);
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

/// The devices of a check, each with the error of its judged series that is farthest off.
fn members<'a>(check: &Judged<'_>, all: &[ErrorSeries<'a>]) -> Vec<MemberError<'a>> {
    let mut members: Vec<MemberError<'a>> = Vec::new();
    for entry in all.iter().filter(|entry| entry.is_judged() && entry.series.errors.n > 0) {
        if !check.is_about(entry.device, entry.id) {
            continue;
        }
        let (device, error) = (entry.device, entry.series.errors.mean());
        let is_outside = entry.is_outside();
        match members.last_mut().filter(|last| last.device == device) {
            Some(last) => {
                last.is_outside |= is_outside;
                if error.abs() > last.error.abs() {
                    last.error = error;
                }
            }
            None => members.push(MemberError { device, error, is_outside }),
        }
    }
    members
}

/// Every series with all its digits.
fn csv_of(all: &[ErrorSeries<'_>]) -> String {
    let mut csv = Csv::new(
        "device,quantity,unit,worst_time,n,mean_error,standard_deviation,worst_error,limit",
    );
    for ErrorSeries { device, id, series } in all {
        let errors = &series.errors;
        let (unit, limit) = (series.limit.unit(), series.limit.value());
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
    fn of(entries: &[ErrorSeries<'_>]) -> Self {
        let mut by_unit: Vec<(String, Vec<&ErrorSeries<'_>>)> = Vec::new();
        for one in entries {
            let unit = one.series.limit.unit();
            match by_unit.iter_mut().find(|(known, _)| *known == unit) {
                Some((_, rows)) => rows.push(one),
                None => by_unit.push((unit, vec![one])),
            }
        }
        let table = |(_, rows): (String, Vec<&ErrorSeries<'_>>)| {
            let reach = rows.iter().map(|entry| entry.reach()).fold(0.0, f64::max);
            let shown = DisplayUnit::of_errors(rows[0].series.limit, reach);
            let symbol = Some(&shown.symbol).filter(|symbol| !symbol.is_empty());
            ErrorTable {
                unit: symbol.map(|symbol| format!(" ({symbol})")).unwrap_or_default(),
                rows: rows.iter().map(|entry| entry.row(&shown)).collect(),
            }
        };
        let tables = by_unit.into_iter().map(table).collect();
        Self { tables, ..Self::default() }
    }
}

/// Whether there is no error at all: a straight line shows nothing.
fn is_flat(errors: &Bins) -> bool {
    errors.iter().all(|(_, bin)| bin.min == 0.0 && bin.max == 0.0)
}

/// What was reported beside what was true, and the errors.
struct Comparison<'a> {
    /// Of its files.
    name: String,
    title: String,
    limit: Limit,
    unit: SiUnit,
    /// The worst series and its device.
    worst: Option<(&'a str, MeasurementId)>,
    check: Option<&'a Judged<'a>>,
    compared: &'a Compared,
    end_s: f64,
}

impl<'a> Comparison<'a> {
    fn of_check(check: &'a Judged<'a>, compared: &'a Compared, end_s: f64) -> Self {
        let (worst, Spec { limit, quantities, .. }) = (check.worst(), check.spec);
        let id = worst.map_or(quantities[0], |(_, id)| id);
        let title = check.name.to_owned();
        let name = format!("accuracy-{title}");
        let (unit, limit) = (id.row().si_unit, *limit);
        Self { name, title, limit, unit, worst, check: Some(check), compared, end_s }
    }

    fn not_judged(first: MeasurementId, compared: &'a Compared, end_s: f64) -> Self {
        let title = stem(first).to_owned();
        let name = format!("not-judged-{title}");
        let unit = first.row().si_unit;
        let limit = Limit::Absolute(f64::INFINITY, unit.of_difference());
        Self { name, title, limit, unit, worst: None, check: None, compared, end_s }
    }

    /// All curves with the word for each in the data.
    fn tracks(&self) -> [(&'static str, Role, &'a Bins); 5] {
        let Compared { worst, others, .. } = self.compared;
        [
            ("others-reported", Role::Others, &others.reported),
            ("reference", Role::Reference, &worst.reference),
            ("reported", Role::Reported, &worst.reported),
            ("others-error", Role::Others, &others.error),
            ("error", Role::Reported, &worst.error),
        ]
    }

    fn csv(&self) -> String {
        let mut csv = Csv::new("curve,unit,start_s,width_s,n,min,mean,max");
        let units = [self.unit.to_string(), self.limit.unit()];
        for (place, (name, _, bins)) in self.tracks().into_iter().enumerate() {
            for (start_s, bin) in bins.iter() {
                let figures = [start_s, bins.width_s(), bin.n as f64, bin.min, bin.mean(), bin.max];
                csv.line(&[name, &units[usize::from(place >= 3)]], &figures);
            }
        }
        csv.finish()
    }

    /// Whose values the band holds.
    fn others(&self) -> String {
        let Compared { devices, count, .. } = self.compared;
        let of_worst = self.worst.is_some_and(|(device, _)| devices.contains(device));
        let whose = match (self.worst, devices.len()) {
            (None, _) => format!("all of {}", plural(devices.len(), "device")),
            (Some((device, _)), 1) if of_worst => {
                format!("{} of {device}", plural(*count, "other phase"))
            }
            (_, all) if all == *count && !of_worst => plural(all, "other device"),
            (_, all) => format!("{count} other series of {}", plural(all, "device")),
        };
        format!("{whose}: lowest to highest")
    }

    fn name_only(self, figures: &mut Vec<Figure>) -> Flat {
        let links = Figure::table(self.name.clone(), self.csv()).keep(figures);
        Flat { name: self.title, links }
    }

    fn draw(self, figures: &mut Vec<Figure>) -> Picture {
        let [values, errors] = [&self.tracks()[..3], &self.tracks()[3..]].map(|tracks| {
            let series = tracks.iter().map(|(_, role, bins)| (*role, points(bins)));
            series.filter(|(_, points)| !points.is_empty()).collect::<Vec<_>>()
        });
        let limit = self.limit.value();
        let values = panel("value", values, None, |reach| DisplayUnit::of(self.unit, reach));
        let errors = panel("error", errors, Some(limit), |reach| match self.limit {
            Limit::Absolute(_, si) => DisplayUnit::of(si, reach),
            Limit::Percent(_) => DisplayUnit::of_errors(self.limit, reach),
        });
        let mut chart = Chart::new(self.title.clone());
        if let Some((device, id)) = self.worst {
            chart = chart
                .with_data("data-device", device)
                .with_data("data-quantity", id.name())
                .with_key(Role::Reported.colour(), format!("reported by {device}"))
                .with_key(Role::Reference.colour(), "its reference");
        }
        if self.compared.count > 0 {
            chart = chart.with_key(Role::Others.colour(), self.others());
        }
        let mut caption = self.caption(&errors);
        if values.is_cut() {
            caption.push_str("; the band goes on beyond the picture");
        }
        let values = values.drawn(self.end_s).without_x_figures();
        let chart = chart.with_panel(values).with_panel(errors.drawn(self.end_s));
        let figure = Figure::drawn(self.name.clone(), chart.svg(), self.csv());
        Picture::of(figure, self.title, caption, figures)
    }

    fn caption(&self, errors: &Panel) -> String {
        let Some(check) = self.check else { return "not judged by an accuracy check".to_owned() };
        let limit = self.limit.value();
        let limit = DisplayUnit::of_errors(self.limit, limit).with_symbol(limit);
        let place = if errors.shows_limit() { "dashed" } else { "outside of the picture" };
        let mut caption = format!("limit ±{limit}, {place}");
        if let Some((device, id)) = self.worst {
            caption = format!("{device}, {}: {caption}", id.name());
        }
        if let Some(Devices { wrong, judged }) = check.verdict.and_then(|it| it.devices) {
            append(&mut caption, format_args!("; {wrong} of {} outside", plural(judged, "device")));
        }
        caption
    }
}

/// A panel in the unit that suits what is in it.
fn panel(
    what: &str,
    series: Vec<(Role, Vec<Point>)>,
    limit: Option<f64>,
    unit: impl Fn(f64) -> DisplayUnit,
) -> Panel {
    let height = if limit.is_some() { HEIGHTS.1 } else { HEIGHTS.0 };
    let mut panel = Panel { label: String::new(), series, limit, height };
    let (low, high) = panel.ends();
    let shown = unit(low.abs().max(high.abs()));
    for point in panel.series.iter_mut().flat_map(|(_, points)| points) {
        for value in [&mut point.min, &mut point.mean, &mut point.max] {
            *value = shown.figure(*value);
        }
    }
    panel.limit = limit.map(|limit| shown.figure(limit));
    panel.label = shown.label(what);
    panel
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
