//! `lastmeter rts ping-pong`: how long a value takes through an adapter and back, on one clock.
//! The program is the simulator and a service at once, beside any adapter and any broker.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lastmeter_bench::output::{TextFormat, complain, print_err, print_out};
use lastmeter_bench::stop::on_this_thread;
use lastmeter_link::channel::{Channel, ChannelEvent};
use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::mqtt::{LiveError, Session, SessionEvent, SessionEvents, SessionOptions};
use lastmeter_link::priority;
use lastmeter_link::timer::Timer;
use lastmeter_reports::ExitCode;
use lastmeter_reports::latency::INFINITE;
use lastmeter_rts::point_map::{Point, PointDirection, PointMap, StatusRole};
use lastmeter_rts::{Sample, Value, Wire};
use lastmeter_units::HardwareId;
use lastmeter_wire::topics::{self, TENANT};
use serde_json::json;

use super::cycles::{Claim, Conclusion, Cycle, Cycles, Leg};
use super::levels::Levels;
use super::{line_address, open_line, read_map};
use crate::ending::ends;
use crate::gateway::password;

/// So long adapter and broker are waited for at the beginning.
const START_LIMIT_NS: i64 = 10_000_000_000;
/// What a schedule may have.
const SHORTEST: Duration = Duration::from_micros(100);
const LONGEST: Duration = Duration::from_hours(1);

/// What is sent, and through what.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:
  lastmeter rts bridge feeder.toml --on udp-listen:127.0.0.1:7000 --mqtt 127.0.0.1:1883 \\
    --name rack --data outbox --set 'raw = \"json\"'
  lastmeter rts ping-pong feeder.toml --on udp:127.0.0.1:7000 --mqtt 127.0.0.1:1883 \\
    --name rack --out u1 --back level --floor --class TT3 --count 1200")]
pub struct PingPongOptions {
    /// The point map of the adapter
    pub map: PathBuf,
    /// Where the adapter is: `udp:HOST:PORT`, `tcp-listen:HOST:PORT` (as a GTNET card does), ...
    #[arg(long, value_name = "ADDRESS")]
    pub on: String,
    /// The broker that it publishes to
    #[arg(long, value_name = "HOST:PORT")]
    pub mqtt: String,
    /// MQTT user name: the tenant, for a lastmeter platform
    #[arg(long, value_name = "NAME", default_value = TENANT)]
    pub mqtt_user: String,
    /// A file with the MQTT password: the devices' token, for a lastmeter platform
    #[arg(long, value_name = "FILE")]
    pub mqtt_password_file: Option<PathBuf>,
    /// The adapter's name; it has to run with `--set 'raw = "json"'`
    #[arg(long, value_name = "NAME", default_value = "simulator")]
    pub name: String,
    /// The point from the simulator that carries the value out
    #[arg(long, value_name = "POINT")]
    pub out: String,
    /// The point to the simulator that brings it back
    #[arg(long, value_name = "POINT")]
    pub back: String,
    /// How many values go out, the warm-up not counted
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub count: u32,
    /// How many go before that are not counted
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub warm_up: u32,
    /// From one to the next, whether the one is back or not
    #[arg(long, value_name = "TIME", default_value = "50 ms", value_parser = crate::ending::length)]
    pub every: Duration,
    /// After so long a value is lost
    #[arg(long, value_name = "TIME", default_value = "2 s", value_parser = crate::ending::length)]
    pub timeout: Duration,
    /// Measure a bare hop over the broker between each two values
    #[arg(long)]
    pub floor: bool,
    /// Judge the whole loop by a transfer-time class of IEC 61850-5, such as TT3
    #[arg(long, value_name = "CLASS")]
    pub class: Option<String>,
    /// The share of loops that has to keep the limit
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    pub coverage: f64,
    /// The longest stall whose loops count as one in the verdict: the longer, the more loops it
    /// takes
    #[arg(long, value_name = "TIME", default_value = "1 s", value_parser = crate::ending::length)]
    pub stall: Duration,
    /// A table for people, or one JSON object
    #[arg(long, value_enum, default_value_t = TextFormat::Human)]
    pub format: TextFormat,
    /// A new file with the instants of each value, as CSV
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
}

/// Plays ping-pong and returns the exit code.
pub(super) fn ping_pong(options: &PingPongOptions) -> ExitCode {
    match measured(options) {
        Ok(exit) => exit,
        Err(message) => complain(&message),
    }
}

fn measured(options: &PingPongOptions) -> Result<ExitCode, String> {
    let (period_ns, timeout_ns) =
        (nanoseconds("--every", options.every)?, nanoseconds("--timeout", options.timeout)?);
    let claim = claimed(options, timeout_ns)?;
    let (address, is_stream) = line_address(&options.on)?;
    let name = options.map.display();
    let map = read_map(&options.map)?;
    let wire = Wire::of_simulator(&map, is_stream).map_err(|error| format!("{name}: {error}"))?;
    let needed = Cycles::at_once(timeout_ns, period_ns);
    let (out, back) = (("--out", &*options.out), ("--back", &*options.back));
    let out = Levels::of(&map, out, PointDirection::FromSimulator, needed)?;
    let back = Levels::of(&map, back, PointDirection::ToSimulator, needed)?;
    let password = options.mqtt_password_file.as_deref().map(password).transpose()?;
    let gateway = HardwareId::new(&options.name).map_err(|error| format!("--name: {error}"))?;
    let client = format!("{}-ping-pong", options.name);
    let topics = Topics {
        points: topics::simulator(TENANT, &gateway, "points"),
        set: topics::simulator(TENANT, &gateway, "set"),
        hop: format!("{TENANT}/echo/{client}"),
    };
    // What cannot be written is reported before an hour of measuring.
    let csv = options.csv.as_ref().map(|path| {
        let file = File::create_new(path);
        file.map_err(|error| format!("--csv: cannot create {}: {error}", path.display()))
    });
    let csv = csv.transpose()?;
    // Who is refused plays on, later than asked for.
    let priority = priority::raise_this_thread(priority::DEFAULT_LEVEL);
    let priority = priority.err().unwrap_or_else(priority::policy_word);
    let cycles = on_this_thread(async {
        let line = open_line(&address).await?;
        let password = password.as_deref().unwrap_or_default();
        let mut session = SessionOptions::new(&options.mqtt, &client, &options.mqtt_user, password);
        session.subscriptions = vec![topics.points.clone(), topics.hop.clone()];
        let (session, events) = Session::open(session);
        let cycles = Cycles {
            period_ns,
            timeout_ns,
            count: options.count as usize,
            warm_up: options.warm_up as usize,
            ..Cycles::default()
        };
        let player = Player {
            options,
            map: &map,
            wire,
            line,
            session,
            events,
            topics,
            out,
            back,
            cycles,
            is_there: Presence::default(),
            sequence: 0,
            arrived: Vec::new(),
            hop_sent: None,
        };
        player.play(&priority).await
    });
    if let (Err(_), Some(path)) = (&cycles, &options.csv) {
        // Nothing was measured; the file of this program is not to be in the way of the next try.
        let _ = std::fs::remove_file(path);
    }
    let cycles = cycles?;
    report(options, claim.as_ref(), &cycles, csv)
}

/// A time of the schedule.
fn nanoseconds(key: &str, time: Duration) -> Result<i64, String> {
    if !(SHORTEST..=LONGEST).contains(&time) {
        return Err(format!("{key}: found {} s, expected 100 us to 1 h", time.as_secs_f64()));
    }
    Ok(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX))
}

fn claimed(options: &PingPongOptions, timeout_ns: i64) -> Result<Option<Claim>, String> {
    let Some(class) = &options.class else { return Ok(None) };
    let stall_ns = nanoseconds("--stall", options.stall)?;
    let claim = Claim::of_class(class, options.coverage, stall_ns)?;
    if timeout_ns < claim.limit_ns {
        let limit_ms = claim.limit_ns / 1_000_000;
        return Err(format!(
            "--timeout: found less than the limit of {class}, expected {limit_ms} ms or more"
        ));
    }
    Ok(Some(claim))
}

fn report(
    options: &PingPongOptions,
    claim: Option<&Claim>,
    cycles: &Cycles,
    csv: Option<File>,
) -> Result<ExitCode, String> {
    let mut summary = cycles.summary();
    let concluded = claim.map(|claim| (claim, cycles.conclude(claim)));
    let plain = cycles.plain_exit();
    let exit = concluded.as_ref().map_or(plain, |(_, concluded)| concluded.exit);
    if options.format == TextFormat::Json {
        if let Some((claim, concluded)) = &concluded {
            summary["class"] = json!({
                "name": claim.class, "limit_s": claim.limit_ns as f64 / 1e9,
                "coverage": claim.coverage, "stall_s": claim.stall_ns as f64 / 1e9,
                "verdict": concluded.word(), "why": concluded.why,
            });
        }
        print_out(&summary.to_string());
    } else {
        print_table(&summary, concluded.as_ref());
    }
    if let Some(mut file) = csv {
        let written = file.write_all(cycles.csv().as_bytes());
        written.map_err(|error| format!("--csv: cannot write the file: {error}"))?;
    }
    Ok(exit)
}

fn print_table(summary: &serde_json::Value, concluded: Option<&(&Claim, Conclusion)>) {
    let ms = |value: &serde_json::Value| {
        value.as_f64().map_or_else(|| "lost".to_owned(), |seconds| format!("{:.3}", seconds * 1e3))
    };
    print_out(&format!("{:<18}{:>10}{:>10}{:>10}{:>10}  ms", "leg", "p50", "p95", "p99", "max"));
    let row = |name: &str, figures: &serde_json::Value| {
        let [p50, p95, p99, max] = ["p50", "p95", "p99", "max"].map(|key| ms(&figures[key]));
        print_out(&format!("{name:<18}{p50:>10}{p95:>10}{p99:>10}{max:>10}"));
    };
    for leg in Leg::ALL {
        row(leg.word(), &summary["legs"][leg.word().replace(' ', "_") + "_s"]);
    }
    if !summary["floor_s"].is_null() {
        row("bare hop", &summary["floor_s"]);
    }
    let ratio = summary["ratio_to_floor"].as_f64();
    let ratio = ratio.map(|ratio| format!("; frame to broker {ratio:.2} x a bare hop"));
    print_out(&format!(
        "{} of {} cycles after {} of warm-up: {} back, {} lost ({} came late), {} repeated, {} out \
         of order, {} left late{}",
        summary["cycles"],
        summary["wanted"],
        summary["warm_up"],
        summary["back"],
        summary["lost"],
        summary["late"],
        summary["repeated"],
        summary["out_of_order"],
        summary["missed_deadlines"],
        ratio.unwrap_or_default()
    ));
    if let Some((claim, concluded)) = concluded {
        print_out(&format!(
            "{} at {} %: {}: {}",
            claim.class,
            claim.coverage * 100.0,
            concluded.word(),
            concluded.why
        ));
    }
}

struct Topics {
    points: String,
    set: String,
    hop: String,
}

/// What has been seen of the others.
#[derive(Default)]
struct Presence {
    /// The first value arrived at the service.
    out: bool,
    /// The first answer came back.
    back: bool,
    /// Of the line and of the broker, why there is none.
    reasons: [Option<String>; 2],
}

struct Player<'a> {
    options: &'a PingPongOptions,
    map: &'a PointMap,
    wire: Wire,
    line: Channel,
    session: Session,
    events: SessionEvents,
    topics: Topics,
    out: Levels,
    back: Levels,
    cycles: Cycles,
    is_there: Presence,
    sequence: u64,
    /// What the adapter wrote last, in the order of the map's points to the simulator.
    arrived: Vec<Value>,
    /// When the last bare hop was sent, until it is over.
    hop_sent: Option<i64>,
}

impl Player<'_> {
    /// Waits for both ways to be open, then keeps to its schedule whatever comes back.
    async fn play(mut self, priority: &str) -> Result<Cycles, String> {
        let error = |error: std::io::Error| error.to_string();
        let mut timer = Timer::new().map_err(error)?;
        let mut end = std::pin::pin!(ends(None).map_err(error)?);
        let total = self.cycles.warm_up + self.cycles.count;
        let (begin_ns, mut wake_ns) = (monotonic_ns(), monotonic_ns());
        // When the schedule began, and how many half periods of it are over.
        let (mut start_ns, mut halves) = (None, 0_usize);
        loop {
            tokio::select! {
                biased;
                () = &mut end => break,
                event = self.line.recv() => self.on_line(event),
                event = self.events.recv() => {
                    let event = event.ok_or("the session with the broker ended for good")?;
                    self.on_session(event);
                }
                waited = timer.until(wake_ns) => {
                    waited.map_err(error)?;
                    let Some(start_ns) = start_ns else {
                        self.begin(begin_ns).await?;
                        wake_ns = monotonic_ns() + self.cycles.period_ns;
                        if self.is_there.out && self.is_there.back {
                            self.ready(priority);
                            start_ns = Some(wake_ns);
                        }
                        continue;
                    };
                    if halves < 2 * total {
                        if halves.is_multiple_of(2) {
                            self.cycle(wake_ns).await;
                        } else if self.options.floor {
                            self.hop();
                        }
                        halves += 1;
                    }
                    wake_ns = if halves < 2 * total {
                        start_ns + halves as i64 * self.cycles.period_ns / 2
                    } else {
                        monotonic_ns() + self.cycles.period_ns
                    };
                }
            }
            let now_ns = monotonic_ns();
            let waits = self.hop_sent.is_some_and(|at| now_ns - at <= self.cycles.timeout_ns);
            if halves >= 2 * total && !waits && self.cycles.is_over(now_ns) {
                break;
            }
        }
        self.hop_is_over();
        self.session.close().await;
        Ok(self.cycles)
    }

    fn ready(&self, priority: &str) {
        if self.options.format == TextFormat::Json {
            let ready = json!({ "ready": true, "line": self.line.place(), "priority": priority });
            print_out(&ready.to_string());
        }
    }

    /// Sends a value out and another one back that no cycle of the first round has, until both
    /// have arrived.
    async fn begin(&mut self, begin_ns: i64) -> Result<(), String> {
        let last = |levels: &Levels| levels.count as usize - 1;
        if monotonic_ns() - begin_ns > START_LIMIT_NS {
            let [line, broker] = &self.is_there.reasons;
            let why = match (line, broker, self.is_there.out) {
                (Some(reason), ..) => format!("no adapter at {}: {reason}", self.line.place()),
                (_, Some(reason), _) => format!("no broker: {reason}"),
                (_, _, false) => format!(
                    "nothing arrived on `{}`, expected the samples of an adapter with this map and \
                     `raw = \"json\"`",
                    self.topics.points
                ),
                (_, _, true) => format!(
                    "no frame with `{}` came back, expected a broker that lets `{}` pass, and an \
                     adapter that is not read-only",
                    self.back.point.name, self.topics.set
                ),
            };
            return Err(format!("{why} (waited for {} s)", START_LIMIT_NS / 1_000_000_000));
        }
        self.send(last(&self.out)).await;
        if self.is_there.out {
            // What does not go out now does so in a period.
            let _ = self.answer(last(&self.back));
        }
        Ok(())
    }

    async fn cycle(&mut self, due_ns: i64) {
        let sent_ns = monotonic_ns();
        let is_sent = self.send(self.cycles.all.len()).await;
        let sent_ns = is_sent.then_some(sent_ns);
        self.cycles.all.push(Cycle { due_ns, sent_ns, ..Cycle::default() });
    }

    fn hop(&mut self) {
        self.hop_is_over();
        let at = monotonic_ns();
        // One that cannot be sent does not arrive.
        let _ = self.session.publish_live(&self.topics.hop, at.to_string().into_bytes());
        self.hop_sent = Some(at);
    }

    fn hop_is_over(&mut self) {
        if self.hop_sent.take().is_some() {
            self.hopped(INFINITE);
        }
    }

    fn hopped(&mut self, delay_ns: i64) {
        if self.cycles.all.len() > self.cycles.warm_up {
            self.cycles.floor_ns.push(delay_ns);
        }
    }

    /// What the simulator shows at a point, as a word.
    fn word(&self, place: usize, point: &Point, cycle: usize) -> f64 {
        let now = lastmeter_bench::host::wall_now();
        match point.role() {
            Some(StatusRole::Sequence) => return self.sequence as f64,
            Some(StatusRole::Seconds) => return now.0.div_euclid(1_000_000_000) as f64,
            Some(StatusRole::Nanoseconds) => return now.0.rem_euclid(1_000_000_000) as f64,
            Some(StatusRole::SocketOverflow | StatusRole::InvalidMessage) => return 0.0,
            Some(_) => return 1.0,
            None if place == self.out.place => return point.to_word(self.out.value(cycle)),
            None => {}
        }
        // What is written is shown, else the adapter would write it again.
        let reflects = |written: &Point| {
            let by = written.write.as_ref().and_then(|write| write.reflected_by);
            by.and_then(|by| self.map.points.get(by)).is_some_and(|by| by.name == point.name)
        };
        let mut written = self.map.of_direction(PointDirection::ToSimulator).zip(&self.arrived);
        let written = written.find(|(written, _)| reflects(written));
        if let Some((from, word)) = written.and_then(|(from, value)| Some((from, value.number()?)))
        {
            return point.to_word(from.to_si(word));
        }
        point
            .range
            .map_or(0.0, |range| point.to_word(range.least + 0.5 * (range.greatest - range.least)))
    }

    /// Sends the frame of a cycle; whether the line took it.
    async fn send(&mut self, cycle: usize) -> bool {
        self.sequence += 1;
        let points = self.map.of_direction(PointDirection::FromSimulator);
        let values = points.enumerate().map(|(place, point)| {
            Value::of_word(self.word(place, point, cycle), point.signal_type)
        });
        let values = values.collect();
        let now = lastmeter_bench::host::wall_now();
        let origin = Some(((now.0 / 1_000_000_000).unsigned_abs(), (now.0 % 1_000_000_000) as u32));
        match self.wire.frame(Sample { sequence: None, origin, values }) {
            // Why a line is lost is an event of its own.
            Ok(bytes) => self.line.send(&bytes).await.is_ok(),
            Err(rejection) => {
                print_err(&format!("frame_refused: {}", rejection.detail));
                false
            }
        }
    }

    fn on_line(&mut self, event: ChannelEvent) {
        match event {
            ChannelEvent::Up => self.is_there.reasons[0] = None,
            ChannelEvent::Down { reason } => {
                print_err(&format!("no adapter: {reason}"));
                self.is_there.reasons[0] = Some(reason);
            }
            ChannelEvent::Arrived { at_ns, bytes } => {
                for sample in self.wire.arrived(&bytes).into_iter().flatten() {
                    let word = sample.values.get(self.back.place).and_then(|value| value.number());
                    let si = word.map(|word| self.back.point.to_si(word));
                    self.arrived = sample.values;
                    let Some(si) = si else { continue };
                    if let Some(cycle) = self.back.latest(si, self.cycles.all.len()) {
                        self.cycles.came_back(cycle, at_ns);
                    }
                    let first = self.back.count as usize;
                    self.is_there.back |= self.back.latest(si, first) == Some(first - 1);
                }
            }
        }
    }

    fn on_session(&mut self, event: SessionEvent) {
        let now_ns = monotonic_ns();
        match event {
            SessionEvent::Connected => self.is_there.reasons[1] = None,
            SessionEvent::Disconnected { reason } => {
                print_err(&format!("no connection to the broker: {reason}"));
                self.is_there.reasons[1] = Some(reason);
            }
            SessionEvent::Received { topic, payload } if topic == self.topics.hop => {
                let is_own = |at: &mut i64| payload[..] == *at.to_string().as_bytes();
                if let Some(at) = self.hop_sent.take_if(is_own) {
                    self.hopped(now_ns - at);
                }
            }
            SessionEvent::Received { topic, payload } if topic == self.topics.points => {
                let read: Option<serde_json::Value> = serde_json::from_slice(&payload).ok();
                let value = read.and_then(|read| read["points"][&self.out.point.name].as_f64());
                let Some(value) = value else { return };
                self.is_there.out = true;
                let si = value * self.out.point.unit.factor;
                let cycle = self.out.latest(si, self.cycles.all.len());
                let Some(cycle) = cycle.filter(|cycle| self.cycles.heard(*cycle, now_ns)) else {
                    return;
                };
                let answered_ns = monotonic_ns();
                match self.answer(cycle) {
                    Ok(()) => self.cycles.all[cycle].answered_ns = Some(answered_ns),
                    Err(error) => print_err(&format!("the answer did not go out: {error}")),
                }
            }
            SessionEvent::Received { .. }
            | SessionEvent::Acknowledged { .. }
            | SessionEvent::Refused { .. }
            | SessionEvent::TakenOver => {}
        }
    }

    /// The service publishes the set-point that belongs to a cycle.
    fn answer(&self, cycle: usize) -> Result<(), LiveError> {
        let point = &self.back.point;
        let answer = json!({ &point.name: self.back.value(cycle) / point.unit.factor });
        self.session.publish_live(&self.topics.set, answer.to_string().into_bytes())
    }
}
