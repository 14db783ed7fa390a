//! `published`: a figure of this run beside one that somebody published.

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};

use super::rows::{self, Populations};
use super::share::{about_population, rounded};
use crate::check::demand::Demand;
use crate::check::kind::{Check, CheckContext, CheckKind, RecordTable, finish};
use crate::check::selection::DEVICE;
use crate::latency::{Distribution, Limit, MovedBy, Population, Validity, describe};
use crate::verdict::{Because, Reason, Verdict, VerdictText};
use lastmeter_record::RunFacts;
use lastmeter_text::{append, three_digits};

/// With fewer messages a figure is not compared.
const MESSAGES_MIN: u64 = 100;

pub(super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "published",
        summary: "a value of this run is near one that was published",
        description: "Compares one statistic of a path's delays with a published `value`: it passes \
            if they differ by at most `tolerance`. Quartiles and median are interpolated (type 7), \
            whiskers are the most extreme delays within 1.5 times the interquartile range, as in a \
            box plot after Tukey; `share_under` is the share of all messages below `under`, in %. \
            Lost messages are infinite. With fewer than 100 messages, in an invalid run, or with a \
            tolerance below three times the floor's median the check is inconclusive; so it is \
            where load on the machine may have held messages up, unless the value is as near or as \
            far without what that may have added; a whisker is the delay of one message, and the \
            tenth of them that load may have held up longest is left out for that. It is judged \
            in virtual time too, and then states that the value is the model's.",
        fields: &[
            rows::PATH,
            Field::required(
                "statistic",
                Kind::Choice(&["median", "q1", "q3", "whisker_low", "whisker_high", "share_under"]),
                "which statistic",
            ),
            Field::optional("under", rows::LIMIT_KIND, "the delay that share_under counts below"),
            Field::required("value", Kind::QuantityOfAny(DIMENSIONS), "the published value"),
            Field::required(
                "tolerance",
                Kind::QuantityOfAny(DIMENSIONS),
                "largest difference allowed: a time, or percentage points of a share",
            ),
            Field::required("source", Kind::Text, "where it was published"),
            rows::WARM_UP,
            DEVICE,
            rows::OBSERVER,
            rows::MESSAGES,
        ],
    },
    build: |values, context, out| {
        let figure = Figure::read(values, out)?;
        let gather = Populations::read(values, &[], out)?;
        let source = values.text("source").to_owned();
        Some(Box::new(Published { context, figure, source, gather }))
    },
    tables: &[RecordTable::Observations, RecordTable::Events, RecordTable::Latency],
    ..CheckKind::PLAIN
};

const DIMENSIONS: &[Dimension] = &[Dimension::Time, Dimension::Ratio];

/// Which figure, and what it was. In s, or in % for a share.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    statistic: String,
    under_ns: Option<i64>,
    pub(crate) value: f64,
    pub(crate) tolerance: f64,
}

impl Figure {
    pub(crate) fn read(values: &Values, out: &mut Diagnostics) -> Option<Self> {
        let statistic = values.text("statistic").to_owned();
        let is_share = statistic == "share_under";
        let under_ns = rows::time_ns(values, "under");
        if is_share != under_ns.is_some() {
            let message = "`under` belongs to share_under, and share_under needs it";
            let label = "one without the other";
            out.report(Code::DOES_NOT_FIT, values.span_of("under"), message, label);
            return None;
        }
        let dimension = if is_share { Dimension::Ratio } else { Dimension::Time };
        let mut numbers = [0.0; 2];
        for (number, key) in numbers.iter_mut().zip(["value", "tolerance"]) {
            match values.get(key) {
                Some(lastmeter_params::Value::Quantity { si, dimension: found, .. })
                    if *found == dimension =>
                {
                    // A ratio is kept as a bare number.
                    *number = if is_share { rounded(100.0 * si) } else { *si };
                }
                _ => {
                    let message = format!("`{key}` of {statistic} is {dimension}");
                    let label = format!("expected {dimension}");
                    out.report(Code::WRONG_DIMENSION, values.span_of(key), message, label);
                    return None;
                }
            }
        }
        let [value, tolerance] = numbers;
        Some(Self { statistic, under_ns, value, tolerance })
    }

    /// How many messages it takes to move it.
    fn moved_by(&self) -> MovedBy {
        match self.statistic.as_str() {
            "share_under" => MovedBy::Few,
            "whisker_low" | "whisker_high" => MovedBy::One,
            _ => MovedBy::Many,
        }
    }

    fn unit(&self) -> &'static str {
        if self.under_ns.is_some() { "%" } else { "s" }
    }

    /// The figure of this run; infinite where it falls on lost messages, `None` where there is
    /// none.
    fn of(&self, delays: &Distribution) -> Option<f64> {
        if let Some(under_ns) = self.under_ns {
            return delays.share_below(under_ns).map(|share| 100.0 * share);
        }
        let ascending = delays.ascending()?;
        let type_7 = |share| crate::latency::type_7(ascending, share);
        let found_ns = match self.statistic.as_str() {
            "median" => type_7(0.5),
            "q1" => type_7(0.25),
            "q3" => type_7(0.75),
            "whisker_low" => delays.tukey_box().map(|found| found.whisker_low_ns as f64),
            _ => delays.tukey_box().map(|found| found.whisker_high_ns as f64),
        };
        found_ns.map(|found_ns| found_ns / 1e9)
    }

    /// `140 ms`, `96.6 %`.
    pub(crate) fn describe(&self, value: f64) -> String {
        if !value.is_finite() {
            return "never".to_owned();
        }
        match self.under_ns {
            Some(_) => format!("{} %", three_digits(value)),
            None => describe((value * 1e9).round() as i64),
        }
    }

    /// `median`, `share under 210 ms`.
    pub(crate) fn name(&self) -> String {
        match self.under_ns {
            Some(under_ns) => format!("share under {}", describe(under_ns)),
            None => self.statistic.replace('_', " "),
        }
    }
}

pub(super) struct Published {
    context: CheckContext,
    pub(super) figure: Figure,
    pub(super) source: String,
    gather: Populations,
}

impl Check for Published {
    rows::feed_gather!();

    fn demand(&self) -> Option<Demand> {
        let messages_min = MESSAGES_MIN;
        Some(Demand { messages_min, in_virtual_time: true, ..self.gather.demand(None) })
    }

    fn is_not_measurable(&self, validity: &Validity) -> Option<Because> {
        if let Some(under_ns) = self.figure.under_ns {
            return validity.is_not_measurable(Limit::Within(under_ns));
        }
        let floor = validity.floor?;
        let least_s = 3.0 * floor.p50_ns as f64 / 1e9;
        (self.figure.tolerance < least_s).then(|| {
            let why = format!(
                "not measurable here: the tolerance is below 3 times the floor's median, {}",
                describe(floor.p50_ns)
            );
            Because::new(Reason::NotMeasurableHere, why)
        })
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let validity = Validity::of(facts);
        let verdict = match self.gather.population() {
            Ok(population) => self.compare(population, &validity),
            Err(Because { reason, why }) => self.context.verdict(reason, self.figure.unit(), why),
        };
        finish(Verdict { limit: Some(self.figure.tolerance), ..verdict }, facts)
    }
}

impl Published {
    /// `measured` is how far the two figures are apart.
    fn compare(&self, population: &Population, validity: &Validity) -> Verdict {
        let figure = &self.figure;
        let delays = population.distribution();
        let ours = figure.of(&delays);
        let off = ours.map(|ours| (ours - figure.value).abs());
        let because = match (self.refused(population, &delays, validity), ours) {
            (Some(refused), _) => refused,
            (None, None) => Because::new(Reason::NothingToJudge, "there is no such statistic"),
            (None, Some(ours)) => self.judge(ours, population),
        };
        let ours_text = ours.map_or_else(|| "-".to_owned(), |ours| figure.describe(ours));
        let published = figure.describe(figure.value);
        let mut why = format!(
            "{}: {} {ours_text}, published {published} ({}), tolerance {}",
            because.why,
            figure.name(),
            self.source,
            figure.describe(figure.tolerance)
        );
        if validity.modelled {
            why.push_str("; modelled: the delays are the link model's, not the platform's");
        }
        append(&mut why, format_args!("; {}", about_population(population)));
        for flag in &validity.flags {
            append(&mut why, format_args!("; {flag}"));
        }
        let modelled = if validity.modelled { ", modelled" } else { "" };
        // The limit beside it is one of the distance.
        let apart = off.map_or_else(String::new, |off| format!(", {} off", figure.describe(off)));
        Verdict {
            measured: off,
            figure: ours,
            n: delays.n(),
            told: Some(VerdictText {
                measured: format!("{} {ours_text}, published {published}{apart}", figure.name()),
                basis: format!("n {}{modelled}", delays.n()),
            }),
            ..self.context.verdict(because.reason, figure.unit(), why)
        }
    }

    /// Near or too far, if it is that without what load may have added to each delay as well.
    fn judge(&self, ours: f64, population: &Population) -> Because {
        let figure = &self.figure;
        let alone = if (ours - figure.value).abs() <= figure.tolerance {
            Because::new(Reason::WithinLimit, "near")
        } else {
            Because::new(Reason::OutsideLimit, "too far")
        };
        // A time that would matter: a tenth of the tolerance, or of the delay that counts.
        let limit_ns = figure.under_ns.unwrap_or((figure.tolerance * 1e9) as i64);
        let Some((least, is_touched)) = population.least_distribution(limit_ns, figure.moved_by())
        else {
            if population.hold_ups.busy_seconds(limit_ns).0 == 0 {
                return alone;
            }
            let why = "load on this machine may have held messages up, and there are too many of \
                       them to name which";
            return Because::new(Reason::HostLoad, why);
        };
        let Some(least) = figure.of(&least).filter(|_| is_touched) else { return alone };
        let [low, high] = [ours.min(least), ours.max(least)].map(|one| one - figure.value);
        let is_sure = match alone.reason {
            Reason::WithinLimit => low.abs().max(high.abs()) <= figure.tolerance,
            _ => low > figure.tolerance || high < -figure.tolerance,
        };
        if is_sure {
            return alone;
        }
        let why = format!(
            "{}, but {} without what load on this machine may have added",
            alone.why,
            figure.describe(least)
        );
        Because::new(Reason::HostLoad, why)
    }

    fn refused(
        &self,
        population: &Population,
        delays: &Distribution,
        validity: &Validity,
    ) -> Option<Because> {
        if let Some(refused) = validity.refuses(population) {
            return Some(refused);
        }
        // In virtual time the model's record has what it has.
        if let Some(missing) = self.gather.missing().filter(|_| !validity.modelled) {
            return Some(missing.because());
        }
        if delays.n() < MESSAGES_MIN {
            let why = format!("n too small: {} of {MESSAGES_MIN}", delays.n());
            return Some(Because::new(Reason::TooFew, why));
        }
        if self.figure.under_ns.is_none() && !delays.is_exact() {
            let why = "too many messages to keep: quantiles are right to 0.1 % only";
            return Some(Because::new(Reason::TooMany, why));
        }
        self.is_not_measurable(validity)
    }
}

#[cfg(test)]
#[path = "published_tests.rs"]
mod tests;
