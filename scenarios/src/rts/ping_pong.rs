//! `lastmeter rts ping-pong`: how long a value takes through an adapter and back, on one clock.
//! The program is the simulator and a service at once, beside any adapter and any broker.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lastmeter_link::channel::{Channel, ChannelAddress, ChannelEvent, ChannelSettings};
use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::mqtt::{Session, SessionEvent, SessionEvents, SessionOptions};
use lastmeter_link::timer::Timer;
use lastmeter_reports::ExitCode;
use lastmeter_rts::point_map::{Point, PointDirection, PointMap, StatusRole};
use lastmeter_rts::{Sample, SignalType, Value, Wire};
use lastmeter_units::HardwareId;
use lastmeter_wire::topics::{self, TENANT};
use serde_json::json;

use super::cycles::{Claim, Cycle, Cycles, Leg};
use crate::device::ends;
use crate::gateway::password;
use crate::output::{TextFormat, complain, print_err, print_out};
use crate::run::chain;

/// Values that tell neighbouring cycles apart: up and down again by one step.
const STEPS: u32 = 32;

/// What is sent, and through what.
#[derive(Clone, Debug, Args)]
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
    /// From one to the next
    #[arg(long, value_name = "TIME", default_value = "50 ms", value_parser = crate::device::length)]
    pub every: Duration,
    /// After so long a value is lost
    #[arg(long, value_name = "TIME", default_value = "2 s", value_parser = crate::device::length)]
    pub timeout: Duration,
    /// Measure a bare hop over the broker beside each value
    #[arg(long)]
    pub floor: bool,
    /// Judge the whole loop by a transfer-time class of IEC 61850-5, such as TT3
    #[arg(long, value_name = "CLASS")]
    pub class: Option<String>,
    /// The share of loops that has to keep the limit
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    pub coverage: f64,
    /// A table for people, or one JSON object
    #[arg(long, value_enum, default_value_t = TextFormat::Human)]
    pub format: TextFormat,
    /// A new file with the instants of each value, as CSV
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
}

/// Plays; says how it ended.
pub(super) fn ping_pong(options: &PingPongOptions) -> ExitCode {
    match measured(options) {
        Ok(exit) => exit,
        Err(message) => complain(&message),
    }
}

fn measured(options: &PingPongOptions) -> Result<ExitCode, String> {
    let claim = options.class.as_deref().map(|name| Claim::of_class(name, options.coverage));
    let claim = claim.transpose()?;
    let address: ChannelAddress = options.on.parse().map_err(|error| format!("--on: {error}"))?;
    let name = options.map.display();
    let text = std::fs::read_to_string(&options.map)
        .map_err(|error| format!("cannot read {name}: {error}"))?;
    let map = PointMap::parse(&text).map_err(|error| {
        let mistakes = error.0.iter().map(|mistake| format!("{name}: {mistake}"));
        mistakes.collect::<Vec<_>>().join("\nerror: ")
    })?;
    let is_stream = !matches!(address, ChannelAddress::Udp(_) | ChannelAddress::UdpListen(_));
    let wire = Wire::of_simulator(&map, is_stream).map_err(|error| format!("{name}: {error}"))?;
    let out = Way::of(&map, "--out", &options.out, PointDirection::FromSimulator)?;
    let back = Way::of(&map, "--back", &options.back, PointDirection::ToSimulator)?;
    let password = options.mqtt_password_file.as_deref().map(password).transpose()?;
    let gateway = HardwareId::new(&options.name).map_err(|error| format!("--name: {error}"))?;
    let client = format!("{}-ping-pong", options.name);
    let topics = Topics {
        points: topics::simulator(TENANT, &gateway, "points"),
        set: topics::simulator(TENANT, &gateway, "set"),
        hop: format!("{TENANT}/echo/{client}"),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the runtime did not start: {error}"))?;
    let cycles = runtime.block_on(async {
        let line = Channel::open(&address, ChannelSettings::M_BUS).await;
        let line = line.map_err(|error| chain(&error))?;
        let password = password.as_deref().unwrap_or_default();
        let mut session = SessionOptions::new(&options.mqtt, &client, &options.mqtt_user, password);
        session.subscriptions = vec![topics.points.clone(), topics.hop.clone()];
        let (session, events) = Session::open(session);
        let cycles = Cycles {
            period_ns: i64::try_from(options.every.as_nanos()).unwrap_or(i64::MAX).max(1),
            warm_up: options.warm_up as usize,
            ..Cycles::default()
        };
        let (is_there, sequence, hop_sent) = (Presence::default(), 0, None);
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
            is_there,
            sequence,
            hop_sent,
        };
        player.play().await
    })?;
    report(options, claim.as_ref(), &cycles)
}

fn report(
    options: &PingPongOptions,
    claim: Option<&Claim>,
    cycles: &Cycles,
) -> Result<ExitCode, String> {
    if let Some(path) = &options.csv {
        let written = std::fs::File::create_new(path)
            .and_then(|mut file| std::io::Write::write_all(&mut file, cycles.csv().as_bytes()));
        written.map_err(|error| format!("--csv: cannot write {}: {error}", path.display()))?;
    }
    let mut summary = cycles.summary();
    let concluded = claim.map(|claim| (claim, cycles.conclude(claim)));
    let lost = summary["lost"].as_u64().unwrap_or(0);
    let plain = if lost == 0 { ExitCode::Passed } else { ExitCode::Failed };
    let exit = concluded.as_ref().map_or(plain, |(_, concluded)| concluded.exit);
    if options.format == TextFormat::Json {
        if let Some((claim, concluded)) = &concluded {
            summary["class"] = json!({
                "name": claim.class, "limit_s": claim.limit_ns as f64 / 1e9,
                "coverage": claim.coverage, "verdict": concluded.word(), "why": concluded.why,
            });
        }
        print_out(&summary.to_string());
        return Ok(exit);
    }
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
    let ratio = ratio.map(|ratio| format!(", frame to broker {ratio:.2} x a bare hop"));
    print_out(&format!(
        "{} cycles after {} of warm-up, {lost} lost, {} late{}",
        summary["cycles"],
        summary["warm_up"],
        summary["late"],
        ratio.unwrap_or_default()
    ));
    if let Some((claim, concluded)) = &concluded {
        print_out(&format!(
            "{} at {} %: {}: {}",
            claim.class,
            claim.coverage * 100.0,
            concluded.word(),
            concluded.why
        ));
    }
    Ok(exit)
}

/// A point with the values that it carries, in SI units.
struct Way {
    point: Point,
    /// Where it stands among those of its direction.
    place: usize,
    least: f64,
    step: f64,
}

impl Way {
    fn of(
        map: &PointMap,
        key: &str,
        name: &str,
        direction: PointDirection,
    ) -> Result<Self, String> {
        let names = || {
            let names: Vec<&str> =
                map.of_direction(direction).map(|point| point.name.as_str()).collect();
            names.join(", ")
        };
        let found = map.of_direction(direction).enumerate().find(|(_, point)| point.name == name);
        let (place, point) = found
            .ok_or_else(|| format!("{key}: no point `{name}`; expected one of {}", names()))?;
        let range = point.range.filter(|_| point.role().is_none());
        let range = range
            .ok_or_else(|| format!("{key}: point `{name}` has no range to choose values from"))?;
        let word_si = (point.to_si(1.0) - point.to_si(0.0)).abs();
        let mut step = (range.greatest - range.least) / f64::from(STEPS);
        // A command that is steeper than the point allows would become a ramp.
        if let Some(steepest) =
            point.write.as_ref().and_then(|write| write.greatest_change_per_second)
        {
            step = step.min(0.9 * steepest / map.simulator.sample_rate);
        }
        let least_step = match point.signal_type {
            SignalType::Boolean => f64::INFINITY,
            SignalType::Integer => {
                step = (step / word_si).floor() * word_si;
                word_si
            }
            _ => 1e-5 * range.least.abs().max(range.greatest.abs()),
        };
        if step < least_step {
            return Err(format!(
                "{key}: point `{name}` cannot carry {STEPS} distinct values within its range and steepest \
                 change; expected a wider one"
            ));
        }
        Ok(Self { point: point.clone(), place, least: range.least, step })
    }

    /// The value of a cycle, in the SI unit: neighbours differ by one step.
    fn value(&self, cycle: usize) -> f64 {
        let place = cycle as u32 % (2 * STEPS);
        self.least + f64::from(if place <= STEPS { place } else { 2 * STEPS - place }) * self.step
    }

    /// Whether a value in the SI unit is that of a cycle.
    fn is_of(&self, cycle: usize, si: f64) -> bool {
        (si - self.value(cycle)).abs() < 0.25 * self.step
    }
}

struct Topics {
    points: String,
    set: String,
    hop: String,
}

#[derive(Default)]
struct Presence {
    line: bool,
    broker: bool,
}

struct Player<'a> {
    options: &'a PingPongOptions,
    map: &'a PointMap,
    wire: Wire,
    line: Channel,
    session: Session,
    events: SessionEvents,
    topics: Topics,
    out: Way,
    back: Way,
    cycles: Cycles,
    is_there: Presence,
    sequence: u64,
    /// When the last bare hop was sent, until it is over.
    hop_sent: Option<i64>,
}

impl Player<'_> {
    async fn play(mut self) -> Result<Cycles, String> {
        let error = |error: std::io::Error| error.to_string();
        let mut timer = Timer::new().map_err(error)?;
        let mut end = std::pin::pin!(ends(None).map_err(error)?);
        let total = (self.options.warm_up + self.options.count) as usize;
        let timeout_ns = i64::try_from(self.options.timeout.as_nanos()).unwrap_or(i64::MAX);
        let mut next_ns = monotonic_ns();
        // The cycle that is under way; until it is over, or lost, no other begins.
        let mut open: Option<usize> = None;
        while self.cycles.all.len() < total || open.is_some() {
            let wake_ns = match open {
                Some(at) => self.cycles.all[at].sent_ns.saturating_add(timeout_ns),
                None => next_ns,
            };
            let had_open = open.is_some();
            tokio::select! {
                biased;
                () = &mut end => return Ok(self.cycles),
                event = self.line.recv() => self.on_line(event, &mut open),
                event = self.events.recv() => {
                    let event = event.ok_or("the session with the broker ended for good")?;
                    self.on_session(event, open);
                }
                waited = timer.until(wake_ns) => {
                    waited.map_err(error)?;
                    if open.take().is_some() {
                        continue;
                    }
                    let now_ns = monotonic_ns();
                    if !(self.is_there.line && self.is_there.broker) {
                        // Frames that nobody takes are no cycles; the first brings the adapter up.
                        self.send(0).await;
                        next_ns = now_ns + self.cycles.period_ns;
                        continue;
                    }
                    let number = self.cycles.all.len();
                    let sent_ns = monotonic_ns();
                    self.send(number).await;
                    self.cycles.all.push(Cycle { due_ns: next_ns, sent_ns, ..Cycle::default() });
                    open = Some(number);
                    // A schedule that was waited through by a lost value begins anew.
                    next_ns += self.cycles.period_ns;
                }
            }
            if open.is_none() {
                next_ns = next_ns.max(monotonic_ns());
                // A hop has its own time: a broker that gathers small messages would hold a value
                // behind it.
                if had_open {
                    self.hop();
                }
            }
        }
        self.session.close().await;
        Ok(self.cycles)
    }

    fn hop(&mut self) {
        if self.options.floor {
            let at = monotonic_ns();
            let sent = self.session.publish_live(&self.topics.hop, at.to_string().into_bytes());
            self.hop_sent = sent.is_ok().then_some(at);
        }
    }

    async fn send(&mut self, cycle: usize) {
        self.sequence += 1;
        let points = self.map.of_direction(PointDirection::FromSimulator);
        let now = crate::run::wall_now();
        let values = points.enumerate().map(|(place, point)| {
            let word = match point.role() {
                Some(StatusRole::Sequence) => self.sequence as f64,
                Some(StatusRole::Seconds) => now.0.div_euclid(1_000_000_000) as f64,
                Some(StatusRole::Nanoseconds) => now.0.rem_euclid(1_000_000_000) as f64,
                Some(StatusRole::SocketOverflow | StatusRole::InvalidMessage) => 0.0,
                Some(_) => 1.0,
                None if place == self.out.place => point.to_word(self.out.value(cycle)),
                None => point.range.map_or(0.0, |range| {
                    point.to_word(range.least + 0.5 * (range.greatest - range.least))
                }),
            };
            match point.signal_type {
                SignalType::Integer => Value::Integer(word.round() as i64),
                SignalType::Boolean => Value::Boolean(word != 0.0),
                SignalType::Float => Value::Float(word),
                SignalType::Complex => Value::Complex(word, 0.0),
            }
        });
        let origin = Some(((now.0 / 1_000_000_000).unsigned_abs(), (now.0 % 1_000_000_000) as u32));
        let sample = Sample { sequence: None, origin, values: values.collect() };
        match self.wire.frame(sample) {
            // Why a line is lost is an event of its own.
            Ok(bytes) => drop(self.line.send(&bytes).await),
            Err(rejection) => print_err(&format!("frame_refused: {}", rejection.detail)),
        }
    }

    fn on_line(&mut self, event: ChannelEvent, open: &mut Option<usize>) {
        match event {
            ChannelEvent::Up => self.is_there.line = true,
            ChannelEvent::Down { reason } => {
                self.is_there.line = false;
                print_err(&format!("no adapter: {reason}"));
            }
            ChannelEvent::Arrived { at_ns, bytes } => {
                for sample in self.wire.arrived(&bytes).into_iter().flatten() {
                    let Some(Value::Float(word)) =
                        sample.values.get(self.back.place).map(|value| match *value {
                            Value::Integer(word) => Value::Float(word as f64),
                            other => other,
                        })
                    else {
                        continue;
                    };
                    let si = self.back.point.to_si(word);
                    let of = |at: &usize| {
                        self.back.is_of(*at, si) && self.cycles.all[*at].answered_ns.is_some()
                    };
                    if let Some(at) = open.filter(of) {
                        self.cycles.all[at].back_ns = Some(at_ns);
                        *open = None;
                    }
                }
            }
        }
    }

    fn on_session(&mut self, event: SessionEvent, open: Option<usize>) {
        let now_ns = monotonic_ns();
        match event {
            SessionEvent::Connected => self.is_there.broker = true,
            SessionEvent::Disconnected { reason } => {
                self.is_there.broker = false;
                print_err(&format!("no connection to the broker: {reason}"));
            }
            SessionEvent::Received { topic, payload } if topic == self.topics.hop => {
                let is_own = |at: &i64| payload[..] == *at.to_string().as_bytes();
                if let Some(at) = self.hop_sent.take_if(|at| is_own(at)) {
                    self.cycles.floor_ns.push(now_ns - at);
                }
            }
            SessionEvent::Received { topic, payload } if topic == self.topics.points => {
                let read: Option<serde_json::Value> = serde_json::from_slice(&payload).ok();
                let value = read.and_then(|read| read["points"][&self.out.point.name].as_f64());
                let Some(si) = value.map(|value| value * self.out.point.unit.factor) else {
                    return;
                };
                let Some(at) = open.filter(|at| self.out.is_of(*at, si)) else {
                    self.cycles.late += u64::from(!self.cycles.all.is_empty());
                    return;
                };
                if self.cycles.all[at].heard_ns.is_some() {
                    return;
                }
                let answer = self.back.value(at) / self.back.point.unit.factor;
                let answer = json!({ &self.back.point.name: answer }).to_string();
                self.cycles.all[at].heard_ns = Some(now_ns);
                let answered_ns = monotonic_ns();
                match self.session.publish_live(&self.topics.set, answer.into_bytes()) {
                    Ok(()) => self.cycles.all[at].answered_ns = Some(answered_ns),
                    Err(error) => print_err(&format!("the answer did not go out: {error}")),
                }
            }
            SessionEvent::Received { .. } | SessionEvent::Acknowledged { .. } => {}
        }
    }
}
