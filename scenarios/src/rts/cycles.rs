//! What ping-pong has measured: cycles with their four instants, and what is concluded of them.

use lastmeter_reports::ExitCode;
use lastmeter_reports::latency::{
    Delay, INFINITE, lower_bound, nearest_rank, transfer_time_classes, upper_bound,
};
use serde_json::{Value, json};

/// Own sends later than this part of the period, and at most so much, are missed deadlines.
const LATE_SHARE: f64 = 0.1;
const LATE_MOST_NS: i64 = 5_000_000;
/// More missed deadlines than this leave no verdict.
const MISSED_SHARE: f64 = 0.01;
/// A limit has to be so many times what a bare hop over the broker takes.
const FLOOR_FACTOR: i64 = 10;

/// One value on its way out and back; instants of one clock, nanoseconds.
#[expect(clippy::struct_field_names, reason = "they are instants, and have their unit")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cycle {
    /// When it was to be sent.
    pub(super) due_ns: i64,
    /// When its frame left.
    pub(super) sent_ns: i64,
    /// When its value arrived at the service, as a raw sample.
    pub(super) heard_ns: Option<i64>,
    /// When the service handed its answer to the broker.
    pub(super) answered_ns: Option<i64>,
    /// When the answer's frame arrived.
    pub(super) back_ns: Option<i64>,
}

/// A part of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leg {
    FrameToBroker,
    BrokerToFrame,
    Loop,
}

impl Leg {
    pub(super) const ALL: [Self; 3] = [Self::FrameToBroker, Self::BrokerToFrame, Self::Loop];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::FrameToBroker => "frame to broker",
            Self::BrokerToFrame => "broker to frame",
            Self::Loop => "whole loop",
        }
    }

    /// What it took; infinite where it was not gone to its end.
    fn of(self, cycle: &Cycle) -> Delay {
        let between = |from: Option<i64>, to: Option<i64>| from.zip(to).map(|(from, to)| to - from);
        match self {
            Self::FrameToBroker => between(Some(cycle.sent_ns), cycle.heard_ns),
            Self::BrokerToFrame => between(cycle.answered_ns, cycle.back_ns),
            Self::Loop => between(Some(cycle.sent_ns), cycle.back_ns),
        }
        .unwrap_or(INFINITE)
    }
}

/// All that was measured.
#[derive(Debug, Default)]
pub(super) struct Cycles {
    pub(super) all: Vec<Cycle>,
    pub(super) period_ns: i64,
    /// The first so many are left out.
    pub(super) warm_up: usize,
    /// Bare hops over the same broker, nanoseconds.
    pub(super) floor_ns: Vec<Delay>,
    /// Values that arrived when their cycle had been given up.
    pub(super) late: u64,
}

/// What is claimed.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) class: String,
    pub(super) limit_ns: Delay,
    pub(super) coverage: f64,
}

impl Claim {
    /// The limit of a transfer-time class of IEC 61850-5.
    pub(super) fn of_class(name: &str, coverage: f64) -> Result<Self, String> {
        let named = transfer_time_classes().iter().find(|row| row.name == name);
        let limit_ns = named.and_then(|row| row.limit_ns).ok_or_else(|| {
            let names = transfer_time_classes().iter().filter(|row| row.limit_ns.is_some());
            let names: Vec<&str> = names.map(|row| row.name.as_str()).collect();
            format!("--class: no class `{name}` with a limit; expected one of {}", names.join(", "))
        })?;
        if !(0.5..1.0).contains(&coverage) {
            return Err(format!("--coverage: found {coverage}, expected 0.5 to below 1"));
        }
        Ok(Self { class: name.to_owned(), limit_ns, coverage })
    }
}

/// A conclusion and its grounds.
#[derive(Debug)]
pub(super) struct Concluded {
    pub(super) exit: ExitCode,
    pub(super) why: String,
}

impl Concluded {
    pub(super) fn word(&self) -> &'static str {
        match self.exit {
            ExitCode::Passed => "pass",
            ExitCode::Failed => "fail",
            _ => "inconclusive",
        }
    }
}

impl Cycles {
    fn judged(&self) -> &[Cycle] {
        self.all.get(self.warm_up..).unwrap_or_default()
    }

    fn ascending(&self, leg: Leg) -> Vec<Delay> {
        let mut all: Vec<Delay> = self.judged().iter().map(|cycle| leg.of(cycle)).collect();
        all.sort_unstable();
        all
    }

    /// Cycles whose frame left too late for a schedule to be spoken of.
    fn missed(&self) -> usize {
        let limit_ns = ((self.period_ns as f64 * LATE_SHARE) as i64).min(LATE_MOST_NS);
        self.judged().iter().filter(|cycle| cycle.sent_ns - cycle.due_ns > limit_ns).count()
    }

    fn lost(&self) -> usize {
        self.judged().iter().filter(|cycle| cycle.back_ns.is_none()).count()
    }

    /// The whole loop against a limit, by the rules that hold for latency everywhere: the share of
    /// cycles beyond it by exact bounds (Clopper and Pearson 1934), a lost one as beyond any limit,
    /// and no verdict where this program was late itself or the limit is near a bare hop.
    pub(super) fn conclude(&self, claim: &Claim) -> Concluded {
        let (n, limit_ns) = (self.judged().len(), claim.limit_ns);
        let over = self.ascending(Leg::Loop).iter().filter(|delay| **delay > limit_ns).count();
        let allowed = 1.0 - claim.coverage;
        let (k, of) = (over as f64, n as f64);
        let bounds = (lower_bound(k, of), upper_bound(k, of));
        let percent = |share: f64| format!("{:.2} %", 100.0 * share);
        let counts = format!(
            "{over} of {n} loops over {} ms ({} to {} of all, at 95 % each), {} allowed",
            limit_ns as f64 / 1e6,
            percent(bounds.0),
            percent(bounds.1),
            percent(allowed)
        );
        let mut floor = self.floor_ns.clone();
        floor.sort_unstable();
        let missed = self.missed();
        let concluded = |exit, why: String| Concluded { exit, why };
        if bounds.0 > allowed && self.lost() == n {
            return concluded(ExitCode::Failed, format!("nothing came back: {counts}"));
        }
        if missed as f64 > MISSED_SHARE * of {
            let why =
                format!("{missed} of {n} frames left late: this program was held up; {counts}");
            return concluded(ExitCode::Inconclusive, why);
        }
        if nearest_rank(&floor, 0.99).is_some_and(|p99| p99 * FLOOR_FACTOR > limit_ns) {
            let why =
                format!("not measurable here: a bare hop takes up to a tenth of it; {counts}");
            return concluded(ExitCode::Inconclusive, why);
        }
        if bounds.1 <= allowed {
            concluded(ExitCode::Passed, counts)
        } else if bounds.0 > allowed {
            concluded(ExitCode::Failed, counts)
        } else {
            concluded(ExitCode::Inconclusive, format!("{counts}: more cycles decide it"))
        }
    }

    /// All figures, for programs. Infinite ones are null.
    pub(super) fn summary(&self) -> Value {
        let finite =
            |delay: Option<Delay>| delay.filter(|it| *it != INFINITE).map(|it| it as f64 / 1e9);
        let figures = |ascending: &[Delay]| {
            json!({
                "p50": finite(nearest_rank(ascending, 0.5)), "p95": finite(nearest_rank(ascending, 0.95)),
                "p99": finite(nearest_rank(ascending, 0.99)), "max": finite(ascending.last().copied()),
            })
        };
        let legs = Leg::ALL
            .map(|leg| (leg.word().replace(' ', "_") + "_s", figures(&self.ascending(leg))));
        let legs: serde_json::Map<String, Value> = legs.into_iter().collect();
        let mut floor = self.floor_ns.clone();
        floor.sort_unstable();
        let ratio =
            nearest_rank(&floor, 0.5).zip(nearest_rank(&self.ascending(Leg::FrameToBroker), 0.5));
        let ratio = ratio.filter(|(floor, own)| *floor > 0 && *own != INFINITE);
        json!({
            "cycles": self.judged().len(), "warm_up": self.warm_up.min(self.all.len()),
            "lost": self.lost(), "late": self.late, "missed_deadlines": self.missed(),
            "legs": legs, "floor_s": (!floor.is_empty()).then(|| figures(&floor)),
            "ratio_to_floor": ratio.map(|(floor, own)| own as f64 / floor as f64),
        })
    }

    /// One row per cycle, in nanoseconds since the first was due.
    pub(super) fn csv(&self) -> String {
        let begin = self.all.first().map_or(0, |cycle| cycle.due_ns);
        let mut text = "cycle,due_ns,sent_ns,heard_ns,answered_ns,back_ns\n".to_owned();
        for (number, cycle) in self.all.iter().enumerate() {
            let of = |at: Option<i64>| at.map_or_else(String::new, |at| (at - begin).to_string());
            let Cycle { due_ns, sent_ns, heard_ns, answered_ns, back_ns } = *cycle;
            let all = [Some(due_ns), Some(sent_ns), heard_ns, answered_ns, back_ns].map(of);
            text.extend([&*(number + 1).to_string(), ",", &*all.join(","), "\n"]);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn cycles(count: usize, loop_ms: impl Fn(usize) -> Option<i64>) -> Cycles {
        let cycle = |number: usize| {
            let due_ns = number as i64 * 50 * MS;
            let back_ns = loop_ms(number).map(|length| due_ns + length * MS);
            Cycle {
                due_ns,
                sent_ns: due_ns,
                heard_ns: back_ns.map(|_| due_ns + MS),
                answered_ns: back_ns.map(|_| due_ns + MS + 1000),
                back_ns,
            }
        };
        Cycles { all: (0..count).map(cycle).collect(), period_ns: 50 * MS, ..Cycles::default() }
    }

    fn tt6() -> Claim {
        Claim { class: "TT6".to_owned(), limit_ns: 3 * MS, coverage: 0.95 }
    }

    #[test]
    fn figures_are_those_of_the_instants() {
        let mut all = cycles(100, |number| Some(2 + i64::from(number == 99)));
        all.floor_ns = vec![MS / 2; 10];
        let summary = all.summary();
        assert_eq!(summary["legs"]["whole_loop_s"]["p50"], 0.002);
        assert_eq!(summary["legs"]["whole_loop_s"]["max"], 0.003);
        assert_eq!(summary["legs"]["frame_to_broker_s"]["p99"], 0.001);
        assert_eq!((&summary["ratio_to_floor"], &summary["lost"]), (&2.0.into(), &0.into()));
        assert!(
            all.csv()
                .starts_with("cycle,due_ns,sent_ns,heard_ns,answered_ns,back_ns\n1,0,0,1000000,")
        );
    }

    #[test]
    fn loops_are_judged_by_exact_bounds_and_lost_ones_are_beyond_any_limit() {
        let exit = |all: &Cycles| all.conclude(&tt6()).exit;
        // 0 of 59 leave at most 4.95 % possible, 0 of 58 more than 5 %.
        assert_eq!(exit(&cycles(59, |_| Some(2))), ExitCode::Passed);
        assert_eq!(exit(&cycles(58, |_| Some(2))), ExitCode::Inconclusive);
        let lost = cycles(59, |number| (number != 7).then_some(2));
        assert_eq!(exit(&lost), ExitCode::Inconclusive);
        assert_eq!(lost.summary()["legs"]["whole_loop_s"]["max"], Value::Null);
        assert_eq!(
            exit(&cycles(100, |number| Some(if number % 5 == 0 { 4 } else { 2 }))),
            ExitCode::Failed
        );
        assert_eq!(exit(&cycles(100, |_| None)), ExitCode::Failed);
        // The warm-up is left out.
        let mut cold = cycles(100, |number| Some(if number < 20 { 9 } else { 2 }));
        cold.warm_up = 20;
        assert_eq!(exit(&cold), ExitCode::Passed);
    }

    #[test]
    fn who_was_held_up_or_has_a_slow_broker_concludes_nothing() {
        let mut all = cycles(100, |_| Some(2));
        for cycle in all.all.iter_mut().take(2) {
            cycle.sent_ns += 6 * MS;
        }
        let concluded = all.conclude(&tt6());
        assert!(concluded.exit == ExitCode::Inconclusive && concluded.why.contains("held up"));
        let mut slow = cycles(100, |_| Some(2));
        slow.floor_ns = vec![MS; 50];
        assert!(slow.conclude(&tt6()).why.starts_with("not measurable here"));
    }

    #[test]
    fn a_class_that_is_not_known_is_named() {
        assert!(Claim::of_class("TT6", 0.95).unwrap().limit_ns == 3 * MS);
        assert!(Claim::of_class("TT9", 0.95).unwrap_err().contains("no class `TT9`"));
        assert!(Claim::of_class("TT6", 1.0).unwrap_err().contains("0.5 to below 1"));
    }
}
