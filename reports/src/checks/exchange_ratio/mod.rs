//! `exchange_ratio`: how exchanges of some devices on buses compare with those of others; and the
//! part of the report about buses.

mod section;

use lastmeter_params::{Dimension, Entry, Field, Kind, Pattern, Values};

use crate::by_device::ByDevice;
use crate::check::kind::{Check, CheckContext, CheckKind, RecordTable, Section, finish};
use crate::latency::type_7;
use crate::verdict::{Reason, Verdict};
use lastmeter_record::{LatencyPath, LatencyRow, Point, RunFacts};
use lastmeter_text::{append, number, plural, three_digits};

/// With fewer exchanges on either side nothing is compared.
const EXCHANGES_MIN: usize = 100;

const LIMIT: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1e6 };

pub(super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "exchange_ratio",
        summary: "exchanges of some devices on buses are as fast as those of others, or as many",
        description: "Divides a value of the exchanges of `device` by that of the exchanges of \
            `against`. `throughput`: data bytes of answers a second, from when the first was asked \
            to when the last was answered; `median`: of the time from asked to answered, \
            unanswered ones being infinite. The ratio has to lie between `at_least` and `at_most`, \
            both included. With fewer than 100 exchanges on either side the check is \
            inconclusive. `measured` is the ratio, `n` counts the exchanges of `device`.",
        fields: &[
            Field::required(
                "statistic",
                Kind::Choice(&["throughput", "median"]),
                "what of them is divided",
            ),
            Field::required("device", Kind::Pattern, "whose exchanges: a name or pattern"),
            Field::required("against", Kind::Pattern, "those that they are compared with"),
            Field::optional("at_least", LIMIT, "smallest ratio allowed"),
            Field::required("at_most", LIMIT, "largest ratio allowed"),
        ],
    },
    build: |values, context, _| Some(Box::new(ExchangeRatio::new(values, context))),
    tables: &[RecordTable::Latency],
    section: Some(Section { place: 48, make: section::section }),
    ..CheckKind::PLAIN
};

/// Exchanges of some devices.
struct Side {
    devices: ByDevice<()>,
    first_asked_ns: Option<i64>,
    last_answered_ns: Option<i64>,
    bytes: u64,
    /// Of each exchange, in ns; the greatest of one that was not answered.
    delays: Vec<i64>,
}

impl Side {
    fn new(values: &Values, key: &str) -> Self {
        Self {
            devices: ByDevice::new(Pattern::new(values.text(key))),
            first_asked_ns: None,
            last_answered_ns: None,
            bytes: 0,
            delays: Vec::new(),
        }
    }

    fn row(&mut self, row: &LatencyRow<'_>) {
        let Some(asked) = row.at(Point::Asked) else { return };
        if self.devices.entry(row.device()).is_none() {
            return;
        }
        let answered = row.at(Point::Answered);
        self.first_asked_ns = Some(self.first_asked_ns.map_or(asked, |first| first.min(asked)));
        self.last_answered_ns = self.last_answered_ns.max(answered);
        self.bytes += answered.map_or(0, |_| u64::from(row.bytes));
        self.delays.push(answered.map_or(i64::MAX, |answered| answered - asked));
    }

    /// Bytes a second, if there is a time that they took.
    fn throughput(&self) -> Option<f64> {
        let span_ns = self.last_answered_ns?.checked_sub(self.first_asked_ns?)?;
        (span_ns > 0).then(|| self.bytes as f64 * 1e9 / span_ns as f64)
    }

    /// In ms; infinite if half of them were not answered.
    fn median_ms(&self) -> Option<f64> {
        let mut ascending = self.delays.clone();
        ascending.sort_unstable();
        type_7(&ascending, 0.5).map(|median_ns| median_ns / 1e6)
    }
}

struct ExchangeRatio {
    context: CheckContext,
    is_throughput: bool,
    at_least: Option<f64>,
    at_most: f64,
    sides: [Side; 2],
}

impl ExchangeRatio {
    fn new(values: &Values, context: CheckContext) -> Self {
        Self {
            context,
            is_throughput: values.text("statistic") == "throughput",
            at_least: values.si_opt("at_least"),
            at_most: values.si("at_most"),
            sides: [Side::new(values, "device"), Side::new(values, "against")],
        }
    }

    fn figure(&self, side: &Side) -> Option<f64> {
        if self.is_throughput { side.throughput() } else { side.median_ms() }
    }
}

impl Check for ExchangeRatio {
    fn latency(&mut self, row: &LatencyRow<'_>) {
        if row.path == LatencyPath::EXCHANGE {
            self.sides.iter_mut().for_each(|side| side.row(row));
        }
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let [device, against] = &self.sides;
        let figures = self.figure(device).zip(self.figure(against));
        let ratio = figures.map(|(own, other)| own / other).filter(|ratio| !ratio.is_nan());
        let count = device.delays.len().min(against.delays.len());
        let unit = if self.is_throughput { "B/s" } else { "ms" };
        let (reason, mut why) = match (ratio, figures) {
            _ if count == 0 => (Reason::NothingToJudge, "no exchange of one side".to_owned()),
            _ if count < EXCHANGES_MIN => {
                (Reason::TooFew, format!("n too small: {count} of {EXCHANGES_MIN}"))
            }
            (Some(ratio), Some((own, other))) => {
                let is_within =
                    ratio <= self.at_most && self.at_least.is_none_or(|least| ratio >= least);
                let figures = format!(
                    "{} {unit} beside {} {unit}, ratio {}",
                    three_digits(own),
                    three_digits(other),
                    number(ratio)
                );
                (if is_within { Reason::WithinLimit } else { Reason::OutsideLimit }, figures)
            }
            _ => (Reason::NothingToJudge, "neither side has been answered".to_owned()),
        };
        append(&mut why, format_args!("; {}", plural(device.delays.len() as u64, "exchange")));
        let verdict = Verdict {
            measured: ratio.filter(|ratio| ratio.is_finite()),
            limit_low: self.at_least,
            limit: Some(self.at_most),
            n: device.delays.len() as u64,
            ..self.context.verdict(reason, "", why)
        };
        finish(verdict, facts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, facts};
    use super::*;
    use lastmeter_record::{RunState, Status};

    const MS: i64 = 1_000_000;

    /// Exchanges of `a` and `b`, each so many, asked every so many ms and answered after so many.
    fn fed(keys: &str, sides: [(i64, i64, Option<i64>); 2]) -> Verdict {
        let keys = format!("device = \"a-*\"\nagainst = \"b\"\n{keys}");
        let mut check = check("exchange_ratio", &keys);
        for ((count, every, takes), device) in sides.into_iter().zip(["a-1", "b"]) {
            for number in 0..count {
                let mut points = [None; Point::COUNT];
                let asked = number * every * MS;
                points[Point::Intended.index()] = Some(asked);
                points[Point::Asked.index()] = Some(asked);
                points[Point::Answered.index()] = takes.map(|takes| asked + takes * MS);
                let id = format!("{device}//221.{number}");
                for path in ["exchange", "reading"] {
                    let row = LatencyRow { path, id: &id, points, bytes: 8, copies: 1 };
                    check.latency(&row);
                }
            }
        }
        check.verdict(&facts(RunState::Finished))
    }

    #[test]
    fn throughputs_and_medians_are_divided() {
        let throughput = "statistic = \"throughput\"\nat_least = 1.02\nat_most = 1.5";
        // 200 answers in 1.994 s beside 200 in 2.492 s.
        let verdict = fed(throughput, [(200, 10, Some(4)), (200, 12, Some(104))]);
        let expected = (2.388 + 0.104) / (1.99 + 0.004);
        assert!((verdict.measured.unwrap() - expected).abs() < 1e-12, "{}", verdict.why);
        assert_eq!((verdict.status, verdict.n), (Status::Pass, 200));
        let median = "statistic = \"median\"\nat_most = 1.05";
        let verdict = fed(median, [(200, 10, Some(21)), (200, 10, Some(20))]);
        assert_eq!(verdict.measured, Some(1.05));
        assert_eq!(verdict.status, Status::Pass);
    }

    #[test]
    fn what_is_outside_lost_or_too_little_is_no_pass() {
        let median = "statistic = \"median\"\nat_least = 0.95\nat_most = 1.05";
        for (sides, status) in [
            ([(200, 10, Some(22)), (200, 10, Some(20))], Status::Fail),
            ([(200, 10, Some(18)), (200, 10, Some(20))], Status::Fail),
            ([(200, 10, None), (200, 10, Some(20))], Status::Fail),
            ([(200, 10, None), (200, 10, None)], Status::Inconclusive),
            ([(99, 10, Some(20)), (200, 10, Some(20))], Status::Inconclusive),
            ([(200, 10, Some(20)), (0, 10, Some(20))], Status::Inconclusive),
        ] {
            let verdict = fed(median, sides);
            assert_eq!(verdict.status, status, "{}", verdict.why);
        }
    }
}
