//! What ping-pong has measured: cycles with their instants, and what is concluded of them.

use lastmeter_record::Status;
use lastmeter_reports::ExitCode;
use lastmeter_reports::latency::{
    self, Blocks, Delay, Due, INFINITE, Judgement, Late, LimitEvidence, Tally, design_effect,
    judge, nearest_rank, transfer_time_classes,
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
    /// When its frame left; `None` where nobody took it.
    pub(super) sent_ns: Option<i64>,
    /// When its value arrived at the service, as a raw sample.
    pub(super) heard_ns: Option<i64>,
    /// When the service handed its answer to the broker.
    pub(super) answered_ns: Option<i64>,
    /// When the answer's frame arrived.
    pub(super) back_ns: Option<i64>,
}

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
        let (from, to) = match self {
            Self::FrameToBroker => (cycle.sent_ns, cycle.heard_ns),
            Self::BrokerToFrame => (cycle.answered_ns, cycle.back_ns),
            Self::Loop => (cycle.sent_ns, cycle.back_ns),
        };
        from.zip(to).map_or(INFINITE, |(from, to)| to - from)
    }
}

/// All that was measured. Each cycle that was due is one of them, whatever became of those before:
/// a stall that is waited through would hide all but one of the values that it holds up.
#[derive(Debug, Default)]
pub(super) struct Cycles {
    pub(super) all: Vec<Cycle>,
    pub(super) period_ns: i64,
    /// After so long a value is lost.
    pub(super) timeout_ns: i64,
    /// The first so many are left out.
    pub(super) warm_up: usize,
    /// How many are judged.
    pub(super) count: usize,
    /// Bare hops over the same broker, nanoseconds; infinite ones did not arrive.
    pub(super) floor_ns: Vec<Delay>,
    /// Values that arrived again.
    pub(super) repeated: u64,
    /// Values that arrived behind one that was sent later.
    pub(super) out_of_order: u64,
    /// The latest that was heard, and that came back.
    pub(super) last: [usize; 2],
}

#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) class: String,
    pub(super) limit_ns: Delay,
    pub(super) coverage: f64,
    /// The longest stall in which what is late counts as one.
    pub(super) stall_ns: i64,
}

impl Claim {
    /// The limit of a transfer-time class of IEC 61850-5.
    pub(super) fn of_class(name: &str, coverage: f64, stall_ns: i64) -> Result<Self, String> {
        let named = transfer_time_classes().iter().find(|row| row.name == name);
        let limit_ns = named.and_then(|row| row.limit_ns).ok_or_else(|| {
            let names = transfer_time_classes().iter().filter(|row| row.limit_ns.is_some());
            let names: Vec<&str> = names.map(|row| row.name.as_str()).collect();
            format!("--class: no class `{name}` with a limit; expected one of {}", names.join(", "))
        })?;
        if !(0.5..1.0).contains(&coverage) {
            return Err(format!("--coverage: found {coverage}, expected 0.5 to below 1"));
        }
        Ok(Self { class: name.to_owned(), limit_ns, coverage, stall_ns })
    }
}

#[derive(Debug)]
pub(super) struct Conclusion {
    pub(super) exit: ExitCode,
    pub(super) why: String,
}

impl Conclusion {
    pub(super) fn word(&self) -> &'static str {
        match self.exit {
            ExitCode::Passed => "pass",
            ExitCode::Failed => "fail",
            _ => "inconclusive",
        }
    }
}

impl Cycles {
    /// How many have to be distinguished: those that are not given up yet, and the next.
    pub(super) fn at_once(timeout_ns: i64, period_ns: i64) -> u32 {
        u32::try_from(timeout_ns / period_ns.max(1)).unwrap_or(u32::MAX).saturating_add(2)
    }

    /// The value of a cycle arrived at the service; whether for the first time.
    pub(super) fn heard(&mut self, number: usize, at_ns: i64) -> bool {
        let Some(cycle) = self.all.get_mut(number) else { return false };
        if cycle.heard_ns.is_some() {
            self.repeated += 1;
            return false;
        }
        cycle.heard_ns = Some(at_ns);
        self.in_order(0, number);
        true
    }

    /// The answer to a cycle arrived.
    pub(super) fn came_back(&mut self, number: usize, at_ns: i64) {
        // A frame with this value that was not asked for is none of its.
        let is_answered = |cycle: &&mut Cycle| cycle.answered_ns.is_some();
        let Some(cycle) = self.all.get_mut(number).filter(is_answered) else { return };
        if cycle.back_ns.is_some() {
            self.repeated += 1;
            return;
        }
        cycle.back_ns = Some(at_ns);
        self.in_order(1, number);
    }

    fn in_order(&mut self, way: usize, number: usize) {
        self.out_of_order += u64::from(number < self.last[way]);
        self.last[way] = self.last[way].max(number);
    }

    /// Whether nothing is under way any more that is not given up.
    pub(super) fn is_over(&self, now_ns: i64) -> bool {
        let is_open = |cycle: &Cycle| {
            let sent_ns = cycle.sent_ns.filter(|_| cycle.back_ns.is_none());
            sent_ns.is_some_and(|sent_ns| now_ns - sent_ns <= self.timeout_ns)
        };
        self.all.len() >= self.warm_up + self.count && !self.all.iter().any(is_open)
    }

    fn judged(&self) -> &[Cycle] {
        self.all.get(self.warm_up..).unwrap_or_default()
    }

    /// What a leg took; infinite also where that is longer than a value is waited for.
    fn delay(&self, leg: Leg, cycle: &Cycle) -> Delay {
        let delay = leg.of(cycle);
        if delay > self.timeout_ns { INFINITE } else { delay }
    }

    fn ascending(&self, leg: Leg) -> Vec<Delay> {
        let mut all: Vec<Delay> =
            self.judged().iter().map(|cycle| self.delay(leg, cycle)).collect();
        all.sort_unstable();
        all
    }

    fn count(&self, is_it: impl Fn(&Cycle) -> bool) -> usize {
        self.judged().iter().filter(|cycle| is_it(cycle)).count()
    }

    /// Cycles whose frame left too late for a schedule to be spoken of.
    fn missed(&self) -> usize {
        let limit_ns = ((self.period_ns as f64 * LATE_SHARE) as i64).min(LATE_MOST_NS);
        self.count(|cycle| cycle.sent_ns.is_some_and(|sent_ns| sent_ns - cycle.due_ns > limit_ns))
    }

    /// Not back within the timeout, those that came later among them.
    pub(super) fn lost(&self) -> usize {
        self.count(|cycle| self.delay(Leg::Loop, cycle) == INFINITE)
    }

    /// The whole loop against a limit, by the rules that hold for latency everywhere
    /// ([`lastmeter_reports::latency`]): one device, and one message per cycle.
    fn judge(&self, claim: &Claim) -> Judgement {
        let judged = self.judged();
        let is_late = |cycle: &Cycle| self.delay(Leg::Loop, cycle) > claim.limit_ns;
        let from_ns = judged.first().map_or(0, |cycle| cycle.due_ns);
        let to_ns = judged.last().map_or(0, |cycle| cycle.due_ns) + self.period_ns;
        let blocks = Blocks::of(from_ns, to_ns);
        let mut by_block = [vec![0; blocks.count() as usize], vec![0; blocks.count() as usize]];
        for cycle in judged {
            let place = blocks.index(cycle.due_ns);
            by_block[0][place] += 1;
            by_block[1][place] += u64::from(is_late(cycle));
        }
        let over = by_block[1].iter().sum();
        let shown = LimitEvidence {
            tally: Tally { n: judged.len() as u64, over, ..Tally::default() },
            deff: design_effect(&blocks, &by_block[0], &by_block[1]),
            due: &Due::Each(judged.iter().map(|cycle| cycle.due_ns).collect()),
            late: &Late::of(judged.iter().map(|cycle| (cycle.due_ns, 0, is_late(cycle)))),
            window_ns: to_ns - from_ns,
        };
        judge(&shown, latency::Claim { coverage: claim.coverage, stall_ns: claim.stall_ns })
    }

    /// The verdict; none where this program was late itself, or the limit is near a bare hop.
    pub(super) fn conclude(&self, claim: &Claim) -> Conclusion {
        let judgement = self.judge(claim);
        let (n, missed) = (self.judged().len(), self.missed());
        let why = format!(
            "{} of {n} loops over {} ms, {:.2} % allowed: {}",
            judgement.tally.over,
            claim.limit_ns as f64 / 1e6,
            100.0 * judgement.allowed(),
            judgement.words()
        );
        let open = |why: String| Conclusion { exit: ExitCode::Inconclusive, why };
        if n > 0 && self.count(|cycle| cycle.back_ns.is_some()) == 0 {
            let why = format!("nothing came back: {why}");
            return Conclusion { exit: ExitCode::Failed, why };
        }
        if missed as f64 > MISSED_SHARE * n as f64 {
            let held_up = "frames left late: this program was held up";
            return open(format!("{missed} of {n} {held_up}; {why}"));
        }
        let floor = nearest_rank(&ascending(&self.floor_ns), 0.99);
        if floor.is_some_and(|p99| p99.saturating_mul(FLOOR_FACTOR) > claim.limit_ns) {
            return open(format!(
                "not measurable here: a bare hop takes over a tenth of it; {why}"
            ));
        }
        let exit = match judgement.status {
            Status::Fail => ExitCode::Failed,
            // What was ended early shows nothing of the cycles that it was to have.
            Status::Pass if n >= self.count => ExitCode::Passed,
            _ => ExitCode::Inconclusive,
        };
        Conclusion { exit, why }
    }

    /// How it ended where nothing is claimed.
    pub(super) fn plain_exit(&self) -> ExitCode {
        match self.judged().len() {
            0 => ExitCode::NothingEvaluated,
            _ if self.lost() > 0 => ExitCode::Failed,
            n if n < self.count => ExitCode::Inconclusive,
            _ => ExitCode::Passed,
        }
    }

    /// All figures, for programs. Infinite ones are null.
    pub(super) fn summary(&self) -> Value {
        let finite =
            |delay: Option<Delay>| delay.filter(|it| *it != INFINITE).map(|it| it as f64 / 1e9);
        let figures = |ascending: &[Delay]| {
            let quantile = |share| finite(nearest_rank(ascending, share));
            json!({
                "p50": quantile(0.5), "p95": quantile(0.95), "p99": quantile(0.99),
                "max": finite(ascending.last().copied()),
            })
        };
        let legs = Leg::ALL
            .map(|leg| (leg.word().replace(' ', "_") + "_s", figures(&self.ascending(leg))));
        let legs: serde_json::Map<String, Value> = legs.into_iter().collect();
        let floor = ascending(&self.floor_ns);
        let ratio =
            nearest_rank(&floor, 0.5).zip(nearest_rank(&self.ascending(Leg::FrameToBroker), 0.5));
        let ratio =
            ratio.filter(|(floor, own)| *floor > 0 && *floor != INFINITE && *own != INFINITE);
        let lost = self.lost();
        json!({
            "cycles": self.judged().len(), "wanted": self.count,
            "warm_up": self.warm_up.min(self.all.len()),
            "sent": self.count(|cycle| cycle.sent_ns.is_some()),
            "heard": self.count(|cycle| cycle.heard_ns.is_some()),
            "back": self.judged().len() - lost, "lost": lost,
            "late": self.count(|cycle| {
                self.delay(Leg::Loop, cycle) == INFINITE && cycle.back_ns.is_some()
            }),
            "repeated": self.repeated, "out_of_order": self.out_of_order,
            "missed_deadlines": self.missed(),
            "legs": legs, "floor_s": (!floor.is_empty()).then(|| figures(&floor)),
            "floor_lost": floor.iter().filter(|delay| **delay == INFINITE).count(),
            "ratio_to_floor": ratio.map(|(floor, own)| own as f64 / floor as f64),
        })
    }

    /// One row per cycle, in nanoseconds since the first was due; the warm-up is numbered from
    /// below 1 on.
    pub(super) fn csv(&self) -> String {
        let begin = self.all.first().map_or(0, |cycle| cycle.due_ns);
        let mut text = "cycle,due_ns,sent_ns,heard_ns,answered_ns,back_ns\n".to_owned();
        for (place, cycle) in self.all.iter().enumerate() {
            let of = |at: Option<i64>| at.map_or_else(String::new, |at| (at - begin).to_string());
            let Cycle { due_ns, sent_ns, heard_ns, answered_ns, back_ns } = *cycle;
            let all = [Some(due_ns), sent_ns, heard_ns, answered_ns, back_ns].map(of);
            let number = place as i64 + 1 - self.warm_up as i64;
            text.extend([&*number.to_string(), ",", &*all.join(","), "\n"]);
        }
        text
    }
}

fn ascending(delays: &[Delay]) -> Vec<Delay> {
    let mut all = delays.to_vec();
    all.sort_unstable();
    all
}

#[cfg(test)]
#[path = "cycles_tests.rs"]
mod tests;
