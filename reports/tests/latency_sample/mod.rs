//! Run folders with a latency record made up for tests and for looking at the report: readings
//! through a link whose delays have two modes and a tail, as those of a mobile network.

use std::path::Path;

use lastmeter_record::{
    ClockFacts, Deadlines, Event, Floor, LateTick, LatencyRow, LinkFacts, LoadFacts, LoadSecond,
    Point, RealTimeFacts, RecordError, RunEnd, RunState, RunWriter, Summary, TimeMode, Wait, field,
};
use lastmeter_units::{SimDuration, SimTime};

use crate::sample::Sample;

/// What the run is like.
#[derive(Clone, Debug)]
pub(crate) struct LatencySample {
    /// How many publishers.
    pub(crate) devices: u64,
    /// How many messages each of them sends.
    pub(crate) messages: u64,
    /// The period of each of them.
    pub(crate) period_ms: u64,
    /// Whether the delays are a model's or were measured.
    pub(crate) time: TimeMode,
    /// Whether the link is disturbed meanwhile, messages get lost and come twice.
    pub(crate) disturbed: bool,
    /// The observer's name.
    pub(crate) observer: &'static str,
}

/// What is asked of the run.
pub(crate) const CHECKS: &str = r#"
[[check]]
name = "operator-commands"
kind = "latency"
path = "intended..received"
class = "TT2"
coverage = "97 %"
warm_up = "5 s"
covers = ["F-23"]

[[check]]
name = "slow-automatics"
kind = "latency"
path = "intended..received"
class = "TT3"
coverage = "99 %"
warm_up = "5 s"

[[check]]
name = "stored-soon"
kind = "latency"
path = "intended..queryable"
limit = "400 ms"
coverage = "95 %"
warm_up = "5 s"

[[check]]
name = "median"
kind = "published"
path = "intended..received"
statistic = "median"
value = "140 ms"
tolerance = "5 ms"
source = "a flexible meter, section 9, figure 21"
warm_up = "5 s"

[[check]]
name = "upper-whisker"
kind = "published"
path = "intended..received"
statistic = "whisker_high"
value = "210 ms"
tolerance = "5 ms"
source = "a flexible meter, section 9, figure 21"
warm_up = "5 s"

[[check]]
name = "under-the-whisker"
kind = "published"
path = "intended..received"
statistic = "share_under"
under = "210 ms"
value = "97 %"
tolerance = "1 %"
source = "a flexible meter, section 9"
warm_up = "5 s"
"#;

const MILLISECOND: i64 = 1_000_000;

impl LatencySample {
    /// Fifty publishers for forty seconds.
    pub(crate) const WAN: Self = Self {
        devices: 50,
        messages: 80,
        period_ms: 500,
        time: TimeMode::Real,
        disturbed: true,
        observer: "head-end",
    };

    fn seconds(&self) -> u64 {
        self.messages * self.period_ms / 1_000
    }

    /// The scenario as resolved.
    pub(crate) fn scenario(&self) -> String {
        let time = if self.time == TimeMode::Real { "real" } else { "virtual" };
        format!(
            r#"format = 1

[scenario]
name = "communication-performance"
title = "1.3 kB every 500 ms through a wide-area network"
time = "{time}"
start = 2027-01-18T17:00:00Z
duration = "{} s"
seed = 2027

[platform]
use = "child"

[[link]]
name = "wan"
preset = "flexmeter-wan"

[[observer]]
name = "{}"
via = "wan"

[[device]]
name = "meter"
count = {}
model = "stpm34-3ph"
as = "simulated"
report_every = "{} ms"
via = "wan"

[[inject]]
kind = "impair"
link = "wan"
add_delay = "200 ms"

[[inject]]
kind = "disconnect"
link = "wan"
how = "half-open"
"#,
            self.seconds(),
            self.observer,
            self.devices,
            self.period_ms,
        )
    }

    /// Writes the whole folder; these tables stand at the end of the scenario.
    pub(crate) fn write(&self, dir: &Path, checks: &str) -> Result<(), RecordError> {
        let meters = Sample { meters: self.devices, ..Sample::CALM };
        let mut start = meters.start_facts();
        "communication-performance".clone_into(&mut start.facts.scenario);
        "1.3 kB every 500 ms through a wide-area network".clone_into(&mut start.facts.title);
        start.scenario_toml = self.scenario() + checks;
        start.facts.time = self.time;
        start.facts.end = Sample::start() + SimDuration::from_seconds(self.seconds() as i64);
        "child".clone_into(&mut start.facts.platform);
        "scenarios/library/communication-performance.toml"
            .clone_into(&mut start.facts.command_line[2]);
        let mut writer = RunWriter::create(dir, &start)?;
        writer.record_latency()?;
        let mut wan = Wan::new(self.devices);
        for number in 0..self.messages {
            for device in 0..self.devices {
                self.message(&mut writer, &mut wan, device, number)?;
            }
            if number.is_multiple_of(100) {
                writer.sync()?;
            }
        }
        self.commands(&mut writer)?;
        if self.disturbed {
            self.injections(&mut writer);
        }
        if self.time == TimeMode::Real {
            writer.set_real_time(self.real_time());
        }
        writer.finish(RunEnd {
            state: RunState::Finished,
            cause: None,
            recorded_until: start.facts.end,
            ended: start.facts.end + SimDuration::from_milliseconds(12_340),
            guarantees: vec!["acknowledged means journalled and synced to disk".to_owned()],
            more: serde_json::Map::new(),
        })
    }

    fn message(
        &self,
        writer: &mut RunWriter,
        wan: &mut Wan,
        device: u64,
        number: u64,
    ) -> Result<(), RecordError> {
        let period = self.period_ms as i64 * MILLISECOND;
        let intended = number as i64 * period + device as i64 * period / self.devices as i64;
        let id = format!("meter-{:02}/1/{}", device + 1, number + 1);
        let serial = number * self.devices + device;
        let impaired = self.disturbed && (0.5..0.505).contains(&self.share(intended));
        let down = self.disturbed && (0.7..0.7006).contains(&self.share(intended));
        let lost = down || (self.disturbed && serial % 1_499 == 700);
        let published = intended + wan.microseconds(40, 60);
        let in_up = published + wan.microseconds(60, 40);
        let extra = if impaired { 200 * MILLISECOND } else { 0 };
        let out_up = wan.release(device as usize, in_up, extra, true);
        let in_down = out_up + wan.microseconds(120, 150);
        let out_down = wan.release((self.devices + device) as usize, in_down, extra, false);
        let received = out_down + wan.microseconds(70, 50);
        let committed = out_up + wan.microseconds(900, 2_500);
        let queryable = committed + wan.microseconds(200, 400);
        let acknowledged = committed + wan.microseconds(50_000, 9_000);
        let mut points = [None; Point::COUNT];
        let mut at = |point: Point, instant_ns: i64| points[point.index()] = Some(instant_ns);
        at(Point::Intended, intended);
        at(Point::Published, published);
        at(Point::ProxyInUp, in_up);
        if !lost {
            at(Point::ProxyOutUp, out_up);
            at(Point::ProxyInDown, in_down);
            at(Point::ProxyOutDown, out_down);
            at(Point::Received, received);
        }
        let copies = if lost { 0 } else { 1 + u32::from(self.disturbed && serial % 333 == 5) };
        let path = format!("reading>{}", self.observer);
        writer.latency(&LatencyRow { path: &path, id: &id, points, bytes: 1_300, copies })?;
        // The way to the store is another path of the same message.
        for point in [Point::ProxyInDown, Point::ProxyOutDown, Point::Received] {
            points[point.index()] = None;
        }
        if !lost {
            points[Point::Committed.index()] = Some(committed);
            points[Point::Queryable.index()] = Some(queryable);
            points[Point::Acknowledged.index()] = Some(acknowledged);
        }
        let copies = u32::from(!lost);
        writer.latency(&LatencyRow { path: "reading", id: &id, points, bytes: 1_300, copies })
    }

    fn share(&self, at_ns: i64) -> f64 {
        at_ns as f64 / (self.seconds() as f64 * 1e9)
    }

    fn commands(&self, writer: &mut RunWriter) -> Result<(), RecordError> {
        for number in 0..20.min(self.messages) {
            let intended = number as i64 * 1_900 * MILLISECOND;
            let mut points = [None; Point::COUNT];
            points[Point::Intended.index()] = Some(intended);
            points[Point::Published.index()] = Some(intended + MILLISECOND);
            let obeyed = intended + (61 + number as i64 * 3) * MILLISECOND;
            points[Point::Obeyed.index()] = Some(obeyed);
            points[Point::Acknowledged.index()] = Some(obeyed + 57 * MILLISECOND);
            let id = format!("meter-01//{}", number + 1);
            let row = LatencyRow { path: "command", id: &id, points, bytes: 90, copies: 1 };
            writer.latency(&row)?;
        }
        Ok(())
    }

    fn injections(&self, writer: &mut RunWriter) {
        let at = |share: f64| -> SimTime {
            let milliseconds = (share * 1e3 * self.seconds() as f64) as i64;
            Sample::start() + SimDuration::from_milliseconds(milliseconds)
        };
        let inject = |place: usize, what: &str, from: f64, to: f64| {
            Event::new(at(from), "bench", "inject")
                .with("inject", what)
                .with("link", "wan")
                .with_prose(field::DETAIL, "in words that nobody reads")
                .with("until", at(to).to_string())
                .with("injection", place)
        };
        writer.event(&inject(0, "impair", 0.5, 0.505));
        writer.event(&inject(1, "disconnect", 0.7, 0.7006));
        for (what, share) in [("impair", 0.505), ("disconnect", 0.7006)] {
            writer.event(&Event::restored(at(share), "wan", what));
        }
        writer.event(&Event::kill(at(0.9), "platform"));
        writer.event(&Event::restarted(at(0.93), "platform"));
    }

    fn real_time(&self) -> RealTimeFacts {
        let summary = |n, figures: [i64; 4]| {
            let [p50_ns, p99_ns, p999_ns, max_ns] = figures.map(|us| us * 1_000);
            Summary { n, p50_ns, p99_ns, p999_ns, max_ns }
        };
        let floor = |load| Floor {
            timer: summary(2_000, [41, 104, 380, 1_120]),
            echo: Some(summary(2_000, [103, 285, 808, 1_224])),
            echo_kind: "QoS 1 through the same broker, no link".to_owned(),
            load: Some(load),
            pressure: Some(3.4),
            steal: Some(0.1),
        };
        let wait = |us: i64| Wait { total_ns: us * 1_000, longest_ns: us * 300, each_ns: 9_000 };
        let second = |number: i64| LoadSecond {
            from_ns: number * 1_000 * MILLISECOND,
            to_ns: (number + 1) * 1_000 * MILLISECOND,
            bench: wait(200 + number % 7),
            platform: Some(wait(340 + number % 11)),
            kernel: Some(wait(90)),
            pressure: Some(3.4),
            steal: Some(0.1),
        };
        RealTimeFacts {
            simulators: Vec::new(),
            platform_policy: Some("SCHED_FIFO 9".to_owned()),
            platform_policy_refused: None,
            late_ticks: vec![LateTick { at_ns: 60_000 * MILLISECOND, lateness_ns: 6_100_000 }],
            load: Some(LoadFacts {
                look_ns: 100 * MILLISECOND,
                seconds: (0..self.seconds() as i64 + 10).map(second).collect(),
            }),
            clock: ClockFacts { source: "tsc".to_owned(), wall_step_ns: 31_000, suspended_ns: 0 },
            timer: "timerfd".to_owned(),
            policy: "SCHED_FIFO 10".to_owned(),
            policy_refused: None,
            memory_locked: true,
            deadlines: Deadlines {
                scheduled: self.devices * self.messages,
                missed: 1,
                limit_ns: 5 * MILLISECOND,
                p50_ns: 70_000,
                p99_ns: 640_000,
                worst_ns: 6_100_000,
            },
            waited_until_ns: (self.seconds() as i64 + 10) * 1_000 * MILLISECOND,
            floor_before: Some(floor(0.7)),
            floor_after: Some(floor(1.9)),
            links: vec![LinkFacts {
                name: "wan".to_owned(),
                kind: "flexmeter-wan".to_owned(),
                connections: self.devices + 1,
                chunks: 2 * self.devices * self.messages,
                bytes: 1_340 * self.devices * self.messages,
                resets: 1,
                release_error: Some(summary(
                    2 * self.devices * self.messages,
                    [52, 143, 660, 2_400],
                )),
                injected_p50_ns: Some(70_300_000),
                nodelay: true,
                more: serde_json::Map::new(),
            }],
            nodelay: true,
            tls: "none".to_owned(),
            poll_ns: Some(0),
            reordered: 0,
            duplicates: if self.disturbed { self.devices * self.messages / 333 } else { 0 },
            more: serde_json::Map::new(),
        }
    }
}

/// Delays that look drawn and are the same everywhere.
struct Wan {
    state: u64,
    /// The last release of each leg of each device: TCP keeps the order.
    released_ns: Vec<i64>,
}

impl Wan {
    fn new(devices: u64) -> Self {
        Self { state: 2027, released_ns: vec![0; 2 * devices as usize] }
    }

    /// A whole number below `end`, by a linear congruential generator (Knuth's MMIX constants).
    fn below(&mut self, end: u64) -> i64 {
        let product = self.state.wrapping_mul(6_364_136_223_846_793_005);
        self.state = product.wrapping_add(1_442_695_040_888_963_407);
        ((self.state >> 33) % end) as i64
    }

    fn microseconds(&mut self, least: i64, spread: u64) -> i64 {
        let squeezed = self.below(1_000) * self.below(1_000) / 1_000;
        (least + squeezed * spread as i64 / 1_000) * 1_000
    }

    /// When a chunk leaves a leg: 50 ms, jitter, on the way up a slow mode, and a rare stall.
    fn release(&mut self, leg: usize, now_ns: i64, extra_ns: i64, up: bool) -> i64 {
        let mut delay_ns = 50 * MILLISECOND + self.microseconds(0, 16_000);
        let is_slow = (now_ns / 20_000_000_000 + leg as i64).rem_euclid(5) < 3;
        if up && is_slow {
            delay_ns += 33 * MILLISECOND + (self.below(6_000) + self.below(6_000)) * 1_000;
        }
        if self.below(1_000) < 18 {
            let doublings = self.below(4) * self.below(4) / 3;
            delay_ns += ((90 + self.below(120)) * MILLISECOND) << doublings;
        }
        let arrival_ns = now_ns + delay_ns + extra_ns;
        self.released_ns[leg] = self.released_ns[leg].max(arrival_ns);
        self.released_ns[leg]
    }
}
