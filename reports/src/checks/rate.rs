//! `rate`: the platform took over no more readings in a second than it may, though more were due.

use lastmeter_params::{Entry, Field, Kind, Pattern};
use lastmeter_units::SimDuration;

use super::rows;
use crate::by_device::ByDevice;
use crate::check::demand::Demand;
use crate::check::kind::{Check, CheckContext, CheckKind, RecordTable, finish};
use crate::check::selection::{DEVICE, Selection};
use crate::latency::{Span, Validity};
use crate::verdict::{At, Reason, Verdict};
use lastmeter_record::{LatencyPath, LatencyRow, Point, RunFacts};
use lastmeter_text::{append, number, plural};

pub(super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "rate",
        summary: "the platform took over no more readings in a second than it may",
        description: "Judges how fast the platform took readings over: in no stretch of the \
            length `over` may more of them be acknowledged than `max` for each of its seconds. \
            Where no stretch has so many that were due, nothing held them back, and the check is \
            inconclusive. What was never acknowledged does not count; `no_loss` judges that. \
            `measured` and `limit` are readings a second, `n` those that were acknowledged. In \
            virtual time the check is skipped.",
        fields: &[
            Field::required(
                "max",
                Kind::Integer { min: 1, max: 1_000_000 },
                "readings that may be acknowledged in a second",
            ),
            Field::default("over", rows::LIMIT_KIND, "\"5 s\"", "the time in which they count"),
            DEVICE,
        ],
    },
    build: |values, context, _| {
        let device = Pattern::new(values.text("device"));
        let span = Span::read("intended..acknowledged").ok()?;
        let path = Some(LatencyPath::READING.to_owned());
        Some(Box::new(Rate {
            context,
            max: values.integer("max") as f64,
            over_ns: rows::time_ns(values, "over")?,
            devices: ByDevice::new(device.clone()),
            selection: Selection { span, device, path, warm_up_ns: Some(0) },
            due: Vec::new(),
            taken: Vec::new(),
        }))
    },
    tables: &[RecordTable::Latency],
    ..CheckKind::PLAIN
};

struct Rate {
    context: CheckContext,
    max: f64,
    over_ns: i64,
    devices: ByDevice<()>,
    selection: Selection,
    /// When readings were due, and when they were acknowledged.
    due: Vec<i64>,
    taken: Vec<i64>,
}

/// The most instants within any stretch of a length, and where the first such stretch begins.
fn densest(instants: &[i64], over_ns: i64) -> (usize, i64) {
    let mut sorted = instants.to_vec();
    sorted.sort_unstable();
    let (mut from, mut most) = (0, (0, 0));
    for (index, &last) in sorted.iter().enumerate() {
        while last - sorted[from] >= over_ns {
            from += 1;
        }
        let count = index + 1 - from;
        if count > most.0 {
            most = (count, sorted[from]);
        }
    }
    most
}

impl Check for Rate {
    fn demand(&self) -> Option<Demand> {
        Some(self.selection.demand())
    }

    fn latency(&mut self, row: &LatencyRow<'_>) {
        if row.path == LatencyPath::READING && self.devices.entry(row.device()).is_some() {
            let at = |point: Point| row.points[point.index()];
            self.due.extend(at(Point::Intended));
            self.taken.extend(at(Point::Acknowledged));
        }
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        if Validity::of(facts).modelled {
            let why = "modelled: in virtual time a rate is the model's, not the platform's";
            return self.context.verdict(Reason::Modelled, "1/s", why);
        }
        let seconds = self.over_ns as f64 / 1e9;
        let rate = |(count, _): (usize, i64)| count as f64 / seconds;
        let (due, taken) = (densest(&self.due, self.over_ns), densest(&self.taken, self.over_ns));
        let count = plural(self.taken.len() as u64, "reading");
        let over = SimDuration(self.over_ns);
        let mut why =
            format!("at most {}/s of {count} acknowledged within {over}", number(rate(taken)));
        append(&mut why, format_args!(", {}/s due", number(rate(due))));
        let reason = if rate(taken) > self.max {
            Reason::OutsideLimit
        } else if self.taken.is_empty() {
            Reason::NothingToJudge
        } else if rate(due) <= self.max {
            Reason::ShowsNothing
        } else {
            Reason::WithinLimit
        };
        let time = facts.start + SimDuration(taken.1);
        let is_over = reason == Reason::OutsideLimit;
        let verdict = Verdict {
            measured: Some(rate(taken)),
            limit: Some(self.max),
            n: self.taken.len() as u64,
            at: is_over.then(|| At { time: Some(time), ..At::default() }),
            ..self.context.verdict(reason, "1/s", why)
        };
        finish(verdict, facts)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::latency::tests::{SECOND, real_time};
    use super::super::testing::{check, facts};
    use super::*;
    use lastmeter_record::{RunState, Status};

    /// A check fed with readings of a device, each due and acknowledged at these instants.
    fn fed(readings: impl Iterator<Item = (i64, Option<i64>)>) -> Box<dyn Check> {
        let mut check = check("rate", "max = 10\nover = \"1 s\"\ndevice = \"b.*\"");
        for (number, (due, acknowledged)) in readings.enumerate() {
            let mut points = [None; Point::COUNT];
            points[Point::Intended.index()] = Some(due);
            points[Point::Acknowledged.index()] = acknowledged;
            for device in ["b.m", "m"] {
                let id = format!("{device}/1/{number}");
                let row = LatencyRow { path: "reading", id: &id, points, bytes: 1, copies: 1 };
                check.latency(&row);
            }
        }
        check
    }

    #[test]
    fn a_rate_is_kept_exceeded_or_never_reached() {
        let finished = real_time(RunState::Finished);
        let at = |every: i64| (0..100_i64).map(move |number| number * every);
        let fast = || at(SECOND / 100);
        for (taken, due, status, n) in [
            (at(SECOND / 10).map(Some).collect(), fast(), Status::Pass, 100),
            (fast().map(Some).collect(), fast(), Status::Fail, 100),
            (at(SECOND / 10).map(Some).collect(), at(SECOND / 10), Status::Inconclusive, 100),
            (vec![None; 100], fast(), Status::Inconclusive, 0),
        ] {
            let check = fed(due.zip(taken));
            let verdict = check.verdict(&finished);
            assert_eq!((verdict.status, verdict.n), (status, n), "{}", verdict.why);
        }
        let verdict = fed(fast().zip(fast().map(Some))).verdict(&finished);
        assert_eq!(verdict.measured, Some(100.0));
        assert!(verdict.at.is_some_and(|at| at.time == Some(finished.start)));
        let modelled = fed(fast().map(|due| (due, None))).verdict(&facts(RunState::Finished));
        assert_eq!(modelled.status, Status::Skipped);
    }

    proptest! {
        /// The densest stretch is that which counting from each instant finds.
        #[test]
        fn the_densest_stretch_is_found(
            instants in prop::collection::vec(0_i64..1000, 0..60),
            over in 1_i64..400,
        ) {
            let within = |from: i64| {
                instants.iter().filter(|&&at| at >= from && at - from < over).count()
            };
            let most = instants.iter().map(|&from| within(from)).max().unwrap_or(0);
            prop_assert_eq!(densest(&instants, over).0, most);
        }
    }
}
