//! Feeds of the platform: prices, weather and forecasts, asked for over its REST.
//!
//! Each is asked for at the start, then every hour, and a minute after a failure: another status
//! than 200, a document that does not fit, or no answer until it is asked for the next time. A
//! document holds from its `validFrom` until its `validUntil`, and what was known before and behind
//! it holds on, through restarts too. What has no value is unknown, never zero.

use lastmeter_household::Rate;
use lastmeter_household::tariff::{Direction, Interval, Price, PriceSeries};
use lastmeter_units::{SimDuration, SimTime};
use lastmeter_wire::rest::{Answer, Method, Request};
use serde::Deserialize;

use super::calendar::DAY;
use super::kept::KeptFeed;
use super::settings::FeedTokens;

const EVERY: SimDuration = SimDuration::from_seconds(3600);
const AGAIN: SimDuration = SimDuration::from_seconds(60);
/// For so long what is over is kept: steps of registers may wait for it.
const PAST: SimDuration = SimDuration(2 * DAY.0);

/// The platform's document, as far as it counts here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    kind: String,
    unit: String,
    valid_from: SimTime,
    valid_until: SimTime,
    #[serde(default)]
    points: Vec<(SimTime, Option<f64>)>,
}

/// A value that holds for a while; none: unknown.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Span {
    from: SimTime,
    until: SimTime,
    value: Option<f64>,
}

/// What is known of one feed, in order and without overlaps.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Series(Vec<Span>);

impl Series {
    /// The value at an instant.
    pub(super) fn at(&self, now: SimTime) -> Option<f64> {
        let next = self.0.partition_point(|span| span.until <= now);
        self.0.get(next).filter(|span| span.from <= now)?.value
    }

    /// Spans with a value, and what it is.
    pub(super) fn known(&self) -> impl Iterator<Item = (SimTime, SimTime, f64)> {
        self.0.iter().filter_map(|span| Some((span.from, span.until, span.value?)))
    }

    /// The beginning of each span from an instant on, and its value.
    fn ahead(&self, now: SimTime) -> Vec<(SimTime, Option<f64>)> {
        let ahead = self.0.iter().filter(|span| span.until > now);
        ahead.map(|span| (span.from, span.value)).collect()
    }

    fn merge(&mut self, now: SimTime, document: &Document) {
        let (from, until) = (document.valid_from, document.valid_until);
        let cut = |span: &Span, from: SimTime, until: SimTime| {
            let (from, until) = (span.from.max(from), span.until.min(until));
            (from < until).then_some(Span { from, until, value: span.value })
        };
        let before = self.0.iter().filter_map(|span| cut(span, now - PAST, from));
        let behind = self.0.iter().filter_map(|span| cut(span, until, SimTime(i64::MAX)));
        let ends = document.points.iter().skip(1).map(|point| point.0).chain([until]);
        let own = document.points.iter().zip(ends);
        let own = own.map(|(&(from, value), until)| Span { from, until, value });
        self.0 = before.chain(own).chain(behind).collect();
    }
}

/// A feed and when it is asked for.
#[derive(Debug)]
struct Feed {
    token: String,
    kind: &'static str,
    unit: Option<String>,
    due: SimTime,
    /// The number of the request that is open.
    open: Option<u64>,
    series: Series,
}

impl Feed {
    /// What it is kept under: with another kind, token or unit it is another one.
    fn key(&self) -> String {
        format!("{} {} {}", self.kind, self.token, self.unit.as_deref().unwrap_or_default())
    }
}

/// All feeds of a household.
#[derive(Debug)]
pub(super) struct Feeds {
    all: [Option<Feed>; 4],
    last_number: u64,
    prices: [PriceSeries; 2],
}

impl Feeds {
    pub(super) fn new(tokens: &FeedTokens, currency: &str, start: SimTime) -> Self {
        let feed = |token: &Option<String>, kind, unit: Option<String>| {
            let token = token.clone()?;
            Some(Feed { token, kind, unit, due: start, open: None, series: Series::default() })
        };
        let unit = Some(format!("{currency}/kWh"));
        let all = [
            feed(&tokens.price, "price", unit.clone()),
            feed(&tokens.export, "price", unit),
            feed(&tokens.weather, "weather", None),
            feed(&tokens.forecast, "loadForecast", Some("W".to_owned())),
        ];
        Self { all, last_number: 0, prices: [PriceSeries::default(), PriceSeries::default()] }
    }

    /// With what was known of them before a restart; each is asked for all the same.
    pub(super) fn with_kept(mut self, kept: &[KeptFeed]) -> Self {
        for feed in self.all.iter_mut().flatten() {
            let key = feed.key();
            let Some(kept) = kept.iter().find(|kept| kept.of == key) else { continue };
            let span = |&(from, until, value): &(i64, i64, Option<f64>)| Span {
                from: SimTime(from),
                until: SimTime(until),
                value,
            };
            feed.series = Series(kept.spans.iter().map(span).collect());
        }
        self.prices = [0, 1].map(|place| self.price_series(place));
        self
    }

    /// What is known of them, to be kept.
    pub(super) fn kept(&self) -> Vec<KeptFeed> {
        let kept = |feed: &Feed| {
            let spans = feed.series.0.iter().map(|span| (span.from.0, span.until.0, span.value));
            KeptFeed { of: feed.key(), spans: spans.collect() }
        };
        self.all.iter().flatten().map(kept).collect()
    }

    pub(super) fn wake_at(&self) -> Option<SimTime> {
        self.all.iter().flatten().map(|feed| feed.due).min()
    }

    /// What is to be asked for now.
    pub(super) fn due(&mut self, now: SimTime) -> Vec<Request> {
        let mut requests = Vec::new();
        for feed in self.all.iter_mut().flatten().filter(|feed| feed.due <= now) {
            self.last_number += 1;
            // One that is not answered by then is asked for again a minute later.
            feed.due = now + if feed.open.is_some() { AGAIN } else { EVERY };
            feed.open = Some(self.last_number);
            requests.push(Request {
                number: self.last_number,
                method: Method::Get,
                path: format!("/api/v1/feeds/{}", feed.token),
                body: None,
                key: None,
            });
        }
        requests
    }

    /// Takes an answer; whether values have changed.
    ///
    /// # Errors
    /// What is wrong with it, for people; the last good values hold on.
    pub(super) fn answer(&mut self, now: SimTime, answer: &Answer) -> Result<bool, String> {
        let mut feeds = self.all.iter_mut().flatten();
        let Some(feed) = feeds.find(|feed| feed.open == Some(answer.number)) else {
            return Err(format!("an answer to request {}, which is not open", answer.number));
        };
        feed.open = None;
        let refused = |why: String| format!("feed `{}`: {why}", feed.token);
        let before = feed.series.clone();
        match document(feed, answer) {
            Ok(document) => feed.series.merge(now, &document),
            Err(why) => {
                let why = refused(why);
                feed.due = now + AGAIN;
                return Err(why);
            }
        }
        feed.due = now + EVERY;
        let is_other = feed.series != before;
        if is_other {
            self.prices = [0, 1].map(|place| self.price_series(place));
        }
        Ok(is_other)
    }

    /// A feed of prices as far as it is known, in both directions alike.
    fn price_series(&self, place: usize) -> PriceSeries {
        let Some(feed) = &self.all[place] else { return PriceSeries::default() };
        let interval = |(from, until, value): (SimTime, SimTime, f64)| {
            let rate = rate(value);
            Interval { from, until, price: Price { import: rate, export: rate } }
        };
        let intervals = feed.series.known().map(interval).collect();
        // Documents are looked at when they come, so there is nothing left that it refuses.
        PriceSeries::new(intervals).unwrap_or_default()
    }

    /// The prices of one direction; `None`: nothing is ever paid.
    pub(super) fn prices(&self, direction: Direction) -> Option<&PriceSeries> {
        match direction {
            Direction::Import => Some(&self.prices[0]),
            Direction::Export => self.all[1].as_ref().map(|_| &self.prices[1]),
        }
    }

    /// Prices of both directions where both are known, for plans.
    pub(super) fn both_prices(&self) -> PriceSeries {
        let Some(import) = &self.all[0] else { return PriceSeries::default() };
        let Some(export) = &self.all[1] else {
            let only = |(from, until, value): (SimTime, SimTime, f64)| Interval {
                from,
                until,
                price: Price { import: rate(value), export: Rate(0) },
            };
            return PriceSeries::new(import.series.known().map(only).collect()).unwrap_or_default();
        };
        let mut intervals = Vec::new();
        for (from, until, value) in import.series.known() {
            for (other_from, other_until, other) in export.series.known() {
                let (from, until) = (from.max(other_from), until.min(other_until));
                let price = Price { import: rate(value), export: rate(other) };
                intervals.extend((from < until).then_some(Interval { from, until, price }));
            }
        }
        PriceSeries::new(intervals).unwrap_or_default()
    }

    fn series(&self, place: usize) -> Option<&Series> {
        self.all[place].as_ref().map(|feed| &feed.series)
    }

    /// The price of import, as it is shown.
    pub(super) fn shown_prices(&self, now: SimTime) -> Vec<(SimTime, Option<Rate>)> {
        let ahead = self.series(0).map(|series| series.ahead(now)).unwrap_or_default();
        ahead.into_iter().map(|(from, value)| (from, value.map(rate))).collect()
    }

    /// Renewable power that is expected, as it is shown.
    pub(super) fn shown_renewables(&self, now: SimTime) -> Vec<(SimTime, i64)> {
        let ahead = self.series(3).map(|series| series.ahead(now)).unwrap_or_default();
        ahead.into_iter().filter_map(|(from, value)| Some((from, value?.round() as i64))).collect()
    }

    pub(super) fn temperature_c(&self, now: SimTime) -> Option<f64> {
        self.series(2)?.at(now)
    }

    /// Whether a forecast of renewable power is configured at all.
    pub(super) fn has_forecast(&self) -> bool {
        self.all[3].is_some()
    }

    /// Renewable power that is expected at an instant, in W.
    pub(super) fn renewable_w(&self, at: SimTime) -> Option<i64> {
        Some(self.series(3)?.at(at)?.round() as i64)
    }
}

/// A price as the platform has it, in millionths of the currency.
fn rate(value: f64) -> Rate {
    Rate((value * 1e6).round() as i64 * 100)
}

/// The document of an answer, if it fits.
fn document(feed: &Feed, answer: &Answer) -> Result<Document, String> {
    if answer.status != 200 {
        return Err(format!("status {}, expected 200", answer.status));
    }
    let document: Document = serde_json::from_slice(&answer.body)
        .map_err(|error| format!("a document that cannot be read: {error}"))?;
    if document.kind != feed.kind {
        return Err(format!("of kind `{}`, expected `{}`", document.kind, feed.kind));
    }
    if let Some(unit) = feed.unit.as_ref().filter(|unit| **unit != document.unit) {
        return Err(format!("in `{}`, expected `{unit}`", document.unit));
    }
    let (from, until) = (document.valid_from, document.valid_until);
    let points = &document.points;
    let is_within = points.iter().all(|point| from <= point.0 && point.0 < until);
    if from >= until || !is_within || !points.is_sorted_by(|one, next| one.0 < next.0) {
        return Err("points that are not in order within the validity".to_owned());
    }
    let is_price = feed.kind == "price";
    let is_value = |value: f64| {
        value.is_finite() && value.abs() < 1e9 && (!is_price || rate(value).is_within_range())
    };
    if !points.iter().filter_map(|point| point.1).all(is_value) {
        return Err("a value that is beyond what can be".to_owned());
    }
    Ok(document)
}

#[cfg(test)]
#[path = "feeds_tests.rs"]
mod tests;
