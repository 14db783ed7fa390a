//! The application with a platform that is played here: it answers as REST does.

use std::collections::BTreeMap;

use lastmeter_apps::border::{AppInput, AppOutput, Application};
use lastmeter_apps::fault_location::Recording;
use lastmeter_apps::{APPLICATIONS, AppContext};
use lastmeter_grid::format::pgm;
use lastmeter_params::read_text;
use lastmeter_units::{Epoch, HardwareId, MeasurementId, Serial, SimDuration, SimTime};
use lastmeter_wire::block::{Block, Channel, encode_block};
use lastmeter_wire::flexmeter::{Limits, ResultMessage, decode_result};
use lastmeter_wire::rest::{Answer, Method};
use serde_json::{Value, json};

use super::rig::{self, FeederKind, LOW_VOLTAGE, TrueFault, TruePlace};

const PLACE_M: f64 = 317.0;

fn id(text: &str) -> HardwareId {
    HardwareId::new(text).unwrap()
}

/// The application of a station, with what loads are known to.
fn locator_of(station: &str) -> Box<dyn Application> {
    let kind = APPLICATIONS.iter().find(|kind| kind.entry.name == "fault-location").unwrap();
    let loads = 100.0 * rig::options().load_spread;
    let text = format!(
        "recorder = \"recorder-1\"\nstation = \"{station}\"\nwait = \"5 s\"\n\
         load_tolerance = \"{loads} %\""
    );
    let context = AppContext {
        tenant: "default".into(),
        name: "locator".into(),
        network: Some("street".into()),
        ..AppContext::default()
    };
    (kind.build)(&read_text(&text, &[kind.entry.fields]).unwrap(), &context).unwrap()
}

fn locator() -> Box<dyn Application> {
    locator_of("station")
}

/// A recording as a block of counts.
fn block_of(recording: &Recording, serial: u64) -> Vec<u8> {
    let channel = |at: usize| {
        let quantity = if at < 3 { "voltage" } else { "current" };
        let name = format!("electricity.{quantity}.instant.l{}", at % 3 + 1);
        let values = &recording.channels[at];
        let scale = values.iter().fold(1.0f64, |peak, it| peak.max(it.abs())) / 32_000.0;
        let samples = values.iter().map(|it| (it / scale).round() as i16).collect();
        Channel { id: MeasurementId::lookup(&name).unwrap(), scale, samples }
    };
    let block = Block {
        hardware_id: id("recorder-1"),
        epoch: Epoch(4),
        serial: Serial(serial),
        first: SimTime(1_000_000_000),
        rate_hz: recording.rate_hz,
        channels: (0..6).map(channel).collect(),
    };
    encode_block(&block).unwrap()
}

/// What the platform has.
#[derive(Default)]
struct Platform {
    /// The network, where it is not that of the low voltage.
    feeder: Option<&'static FeederKind>,
    blocks: BTreeMap<u64, Vec<u8>>,
    /// The status of blocks that are not there, and whether devices are answered.
    refusal: Option<u16>,
    is_slow: bool,
    /// Whether the locator may not read its own device.
    is_hidden: bool,
    /// Whether the recorder is not there.
    lacks_recorder: bool,
    /// Its runs before this one: positions in lists are of one run.
    restarts: u8,
    results: Vec<ResultMessage>,
    alerts: Vec<Value>,
    asked: Vec<String>,
}

impl Platform {
    fn with_block() -> Self {
        let place = TruePlace { on_branch: false, distance_m: PLACE_M };
        let fault = TrueFault { place, kind: rig::kind_of("AG"), ohm: 0.0, cycles: [5, 20] };
        Self::with_fault(&LOW_VOLTAGE, &fault)
    }

    fn with_fault(feeder: &'static FeederKind, fault: &TrueFault) -> Self {
        let mut draws = rig::draws(5);
        let played = rig::play(feeder, fault, &mut draws);
        let blocks = [(1, block_of(&rig::recorded(feeder, &played, &mut draws), 1))].into();
        Self { feeder: Some(feeder), blocks, ..Self::default() }
    }

    fn answer(&self, path: &str) -> (u16, Vec<u8>) {
        let next = format!("9-{}", self.restarts);
        let after = path.split_once("&after=").map(|(_, after)| after);
        let page = |rows: Vec<Value>| {
            if after.is_some_and(|after| after != "0" && after != next) {
                return (400, br#"{"code":"wrong_parameter"}"#.to_vec());
            }
            (200, json!({"results": rows, "next": next, "more": false}).to_string().into_bytes())
        };
        let json = |value: Value| (200, value.to_string().into_bytes());
        match path.split('?').next().unwrap() {
            "/api/v1/electric-networks/street" => {
                let feeder = self.feeder.unwrap_or(&LOW_VOLTAGE);
                let model = pgm::write(&feeder.network()).unwrap().json;
                json(json!({"token": "street", "model": model, "switches": []}))
            }
            "/api/v1/electric-networks/street/topology" => {
                json(json!({"version": 0, "states": []}))
            }
            "/api/v1/results" => page(
                self.results
                    .iter()
                    .map(|it| json!({"subject": it.subject, "content": it.content}))
                    .collect(),
            ),
            "/api/v1/blocks" => page(
                self.blocks.keys().map(|serial| json!({"epoch": 4, "serial": serial})).collect(),
            ),
            "/sitewhere/api/devices/locator/assignment" if self.is_hidden => (404, Vec::new()),
            "/sitewhere/api/devices/locator/assignment" => {
                let alerts = self.alerts.iter().rev().map(|it| &it["request"]);
                let last = alerts.filter(|it| it["updateState"] == true).take(10);
                json(json!({"state": {"latestAlerts": last.collect::<Vec<_>>()}}))
            }
            "/sitewhere/api/devices/recorder-1" if self.lacks_recorder => (404, Vec::new()),
            "/sitewhere/api/devices/recorder-1" => json(json!({"metadata": {}})),
            path => {
                if let Some(serial) = path.strip_prefix("/api/v1/blocks/recorder-1/4/") {
                    let block = self.blocks.get(&serial.parse().unwrap());
                    let refusal = (self.refusal.unwrap_or(404), Vec::new());
                    return block.map_or(refusal, |block| (200, block.clone()));
                }
                let meter = path.strip_prefix("/sitewhere/api/devices/meter-");
                let load = format!("d{}", meter.unwrap_or_else(|| panic!("{path} is asked for")));
                json(json!({"metadata": {"network": "street", "load": load}}))
            }
        }
    }

    /// Gives an input and carries out all that follows of it.
    fn give(&mut self, app: &mut Box<dyn Application>, now: SimTime, input: AppInput) {
        let mut inputs = vec![input];
        while !inputs.is_empty() {
            let mut out = Vec::new();
            inputs.drain(..).for_each(|input| app.step(now, input, &mut out));
            for output in out {
                match output {
                    AppOutput::Ask(it) => {
                        assert_eq!((it.method, &it.body), (Method::Get, &None));
                        let (status, body) = self.answer(&it.path);
                        let is_withheld = self.is_slow && it.path.contains("/meter-");
                        self.asked.push(it.path);
                        if is_withheld {
                            continue;
                        }
                        inputs.push(AppInput::Answer(Answer { number: it.number, status, body }));
                    }
                    AppOutput::Publish { topic, payload } => self.published(&topic, &payload),
                }
            }
        }
    }

    fn published(&mut self, topic: &str, payload: &[u8]) {
        match topic {
            "default/device/locator/input/result" => {
                self.results.push(decode_result(payload, &Limits::default()).unwrap());
            }
            "default/device/locator/input/json" => {
                self.alerts.push(serde_json::from_slice(payload).unwrap());
            }
            other => panic!("{other} is not its own"),
        }
    }

    fn wake(&mut self, app: &mut Box<dyn Application>) {
        let now = app.wake_at().expect("it waits");
        self.give(app, now, AppInput::Wake);
    }
}

fn alert(device: &str, metadata: &Value) -> AppInput {
    alert_of(SimTime(1_200_000_000), device, metadata)
}

fn alert_of(event_time: SimTime, device: &str, metadata: &Value) -> AppInput {
    let payload = json!({
        "sequence": 1, "device": device, "type": "any", "level": "Critical", "message": "",
        "event_time": event_time, "metadata": metadata,
    });
    let payload = payload.to_string().into_bytes();
    AppInput::Message { topic: "default/live/alerts".into(), payload }
}

#[test]
fn a_block_that_an_alert_names_is_located_once_also_after_a_restart() {
    let mut platform = Platform::with_block();
    let blocks = std::mem::take(&mut platform.blocks);
    let mut app = locator();
    platform.give(&mut app, SimTime(0), AppInput::Connected);
    assert_eq!((platform.results.len(), app.wake_at()), (0, None));
    assert_eq!(app.subscriptions(), ["default/live/alerts"]);

    platform.blocks = blocks;
    let now = SimTime(2_000_000_000);
    for _ in 0..2 {
        platform.give(&mut app, now, alert("recorder-1", &json!({"block": "4/1"})));
    }
    platform.give(&mut app, now, alert("meter-12", &json!({"kind": "last_gasp"})));
    assert_eq!(app.wake_at(), Some(now + SimDuration::from_seconds(5)));
    assert!(platform.results.is_empty(), "it waits for meters");
    platform.wake(&mut app);

    let [result] = &platform.results[..] else { panic!("{} results", platform.results.len()) };
    assert_eq!((&*result.kind, &*result.subject), ("fault", "fault-1"));
    assert_eq!((result.epoch, result.serial), (Epoch(1), Serial(1)));
    let content = Value::Object(result.content.clone());
    assert_eq!(content["loop"], "AG");
    assert_eq!(content["block"], json!({"device": "recorder-1", "epoch": 4, "serial": 1}));
    let first = &content["candidates"][0];
    assert_eq!(first["line"], "l13");
    assert!((first["distance_m"].as_f64().unwrap() - PLACE_M).abs() < 5.0, "{content}");
    assert!((first["along_m"].as_f64().unwrap() - (PLACE_M - 300.0)).abs() < 5.0, "{content}");
    let [alert] = &platform.alerts[..] else { panic!("{} alerts", platform.alerts.len()) };
    assert_eq!(alert["request"]["type"], "fault.located");
    assert_eq!(alert["request"]["metadata"]["fault"], "fault-1");
    assert_eq!(alert["request"]["metadata"]["line"], "l13");

    // Another one that knows nothing but what the platform has.
    let mut app = locator();
    platform.give(&mut app, now, AppInput::Connected);
    platform.give(&mut app, now, alert_of_block());
    assert_eq!((app.wake_at(), platform.results.len()), (None, 1));
    // What came while it was away is found in the list, and counted on.
    let second = platform.blocks[&1].clone();
    platform.blocks.insert(2, second);
    platform.give(&mut app, now, AppInput::Connected);
    platform.wake(&mut app);
    assert_eq!((platform.results.len(), &*platform.results[1].subject), (2, "fault-2"));
}

fn alert_of_block() -> AppInput {
    alert("recorder-1", &json!({"block": "4/1"}))
}

#[test]
fn a_block_that_is_none_is_reported_with_its_reason_and_raises_no_alert() {
    let mut platform = Platform { blocks: [(1, b"LMSB".to_vec())].into(), ..Platform::default() };
    let mut app = locator();
    platform.give(&mut app, SimTime(0), AppInput::Connected);
    platform.wake(&mut app);
    assert_eq!(platform.results.len(), 1);
    let content = &platform.results[0].content;
    assert_eq!(content["candidates"], json!([]));
    assert!(content["reason"].as_str().unwrap().contains("no block of samples"), "{content:?}");
    assert!(platform.alerts.is_empty());
}

/// A result goes before its alert: who is killed between has sent the one and not the other.
#[test]
fn an_alert_that_was_not_sent_is_sent_after_a_restart_once() {
    let mut platform = Platform::with_block();
    let located = |platform: &mut Platform| {
        let mut app = locator();
        platform.give(&mut app, SimTime(0), AppInput::Connected);
        while app.wake_at().is_some() {
            platform.wake(&mut app);
        }
        // Another connection of the same run sends nothing again.
        platform.give(&mut app, SimTime(9_000_000_000), AppInput::Connected);
        (platform.results.len(), platform.alerts.len())
    };
    assert_eq!(located(&mut platform), (1, 1));
    let sent = platform.alerts.pop().unwrap();
    assert_eq!(located(&mut platform), (1, 1), "the missing one");
    assert_eq!(platform.alerts[0], sent);
    assert_eq!(located(&mut platform), (1, 1), "nothing is missing");
    platform.blocks.insert(2, platform.blocks[&1].clone());
    assert_eq!(located(&mut platform), (2, 2));
}

/// Who is not there has refused nothing.
#[test]
fn a_block_that_the_platform_refuses_for_long_is_reported_with_its_reason() {
    let mut platform = Platform { refusal: Some(503), ..Platform::default() };
    let mut app = locator();
    platform.give(&mut app, SimTime(0), AppInput::Connected);
    platform.give(&mut app, SimTime(0), alert_of_block());
    (0..30).for_each(|_| platform.wake(&mut app));
    assert!(platform.results.is_empty() && app.wake_at().is_some(), "the platform is away");
    platform.refusal = Some(404);
    let since = app.wake_at().unwrap();
    let mut until = since;
    while let Some(at) = app.wake_at() {
        until = at;
        platform.wake(&mut app);
    }
    let hour = SimDuration::from_seconds(3600);
    assert!((hour..hour * 2).contains(&(until - since)), "a recorder may be cut off for an hour");
    let [result] = &platform.results[..] else { panic!("{} results", platform.results.len()) };
    assert!(result.content["reason"].as_str().unwrap().contains("404"), "{:?}", result.content);
    assert_eq!(result.content["block"]["serial"], 1);
    assert!(platform.alerts.is_empty());
}

#[test]
fn what_a_meter_is_at_is_asked_again_over_a_new_connection() {
    let mut platform = Platform { is_slow: true, ..Platform::with_block() };
    let mut app = locator();
    platform.give(&mut app, SimTime(0), AppInput::Connected);
    platform.give(&mut app, SimTime(0), alert("meter-12", &json!({"kind": "last_gasp"})));
    platform.is_slow = false;
    for _ in 0..2 {
        platform.give(&mut app, SimTime(0), AppInput::Connected);
        let asked = platform.asked.iter().filter(|path| path.ends_with("/meter-12"));
        assert_eq!(asked.count(), 2);
    }
}

#[test]
fn what_was_recorded_is_located_also_when_the_platform_was_restarted() {
    let mut platform = Platform::with_block();
    let mut app = locator();
    platform.give(&mut app, SimTime(0), AppInput::Connected);
    platform.wake(&mut app);
    for restarts in [1, 2] {
        platform.restarts = restarts;
        platform.blocks.insert(u64::from(restarts) + 1, platform.blocks[&1].clone());
        platform.give(&mut app, SimTime(9_000_000_000), AppInput::Connected);
        while app.wake_at().is_some() {
            assert!(platform.asked.len() < 100, "it asks for ever: {:?}", platform.asked.last());
            platform.wake(&mut app);
        }
        let serials = platform.results.iter().map(|it| it.content["block"]["serial"].clone());
        assert_eq!(serials.collect::<Vec<_>>(), [1, 2, 3][..=usize::from(restarts)]);
    }
}

/// Nodes 1 to 20 along the main line, 21 to 28 along a branch from node 8 on.
const FORKED: FeederKind = FeederKind { branch: 8, fork: 8, ..LOW_VOLTAGE };

/// At 310 m main line and branch are at the same electrical distance.
#[test]
fn meters_that_lost_their_supply_decide_and_dips_alone_do_not() {
    let place = TruePlace { on_branch: true, distance_m: 310.0 };
    let fault = TrueFault { place, kind: rig::kind_of("AG"), ohm: 0.0, cycles: [5, 20] };
    let second = |seconds: i64| SimTime(1_000_000_000 * seconds);
    let candidates = |reports: &[(std::ops::RangeInclusive<u32>, SimTime, Value)]| {
        let mut platform = Platform::with_fault(&FORKED, &fault);
        let mut app = locator();
        platform.give(&mut app, SimTime(0), AppInput::Connected);
        for (meters, at, facts) in reports {
            for meter in meters.clone() {
                let alert = alert_of(*at, &format!("meter-{meter}"), facts);
                platform.give(&mut app, SimTime(0), alert);
            }
        }
        platform.wake(&mut app);
        platform.results[0].content["candidates"].clone()
    };
    let first_line = |candidates: &Value| candidates[0]["line"].as_str().unwrap().to_owned();
    let dip = || json!({"kind": "dip", "duration_s": "0.4"});
    let gasp = || json!({"kind": "last_gasp"});
    let power_up = || json!({"kind": "power_up", "duration_s": "60"});
    let waveform_alone = candidates(&[]);
    assert!(waveform_alone.as_array().unwrap().len() >= 2, "{waveform_alone}");
    // A fault that goes out by itself: all meters dip, also those behind it.
    assert_eq!(candidates(&[(1..=28, second(1), dip())]), waveform_alone);
    // An outage of another time.
    for at in [second(30), second(-30)] {
        let of_main = [(9..=20, at, gasp()), (21..=28, at, dip())];
        assert_eq!(candidates(&of_main), waveform_alone);
    }
    // What was lost is dated when it came back, and a dip before the loss is no supply.
    for (lost, kept, line) in [(21..=28, 1..=20, "l25"), (9..=20, 21..=28, "l13")] {
        for (at, facts) in [(1, gasp()), (61, power_up())] {
            let found = candidates(&[
                (lost.clone(), second(at), facts),
                (kept.clone(), second(1), dip()),
                (lost.clone(), second(1), dip()),
            ]);
            assert_eq!(first_line(&found), line, "{found}");
            assert!(found[0]["likelihood"].as_f64().unwrap() > 0.99, "{found}");
        }
    }
}

#[test]
fn a_station_that_the_network_has_not_is_known_before_any_fault() {
    for (station, trouble) in
        [("station", None), ("statoin", Some("no source, node or line is called `statoin`"))]
    {
        let mut app = locator_of(station);
        assert_eq!(app.trouble(), None);
        Platform::default().give(&mut app, SimTime(0), AppInput::Connected);
        assert_eq!(app.trouble(), trouble);
    }
}

/// An alert may come before the block does, and the connection may be lost between.
#[test]
fn a_block_that_is_not_there_yet_is_asked_for_again() {
    for is_lost in [false, true] {
        let mut platform = Platform::with_block();
        let blocks = std::mem::take(&mut platform.blocks);
        let mut app = locator();
        platform.give(&mut app, SimTime(0), AppInput::Connected);
        platform.give(&mut app, SimTime(1_000_000_000), alert_of_block());
        assert_eq!(app.wake_at(), Some(SimTime(6_000_000_000)));
        platform.blocks = blocks;
        if is_lost {
            platform.give(&mut app, SimTime(2_000_000_000), AppInput::Connected);
        } else {
            platform.wake(&mut app);
        }
        platform.wake(&mut app);
        assert_eq!(platform.results.len(), 1);
    }
}

/// Whatever comes is no reason to stop.
#[test]
fn messages_and_answers_that_are_wrong_are_passed_over() {
    let mut app = locator();
    let mut out = Vec::new();
    app.step(SimTime(0), AppInput::Connected, &mut out);
    for number in 0..12 {
        for body in ["", "{}", "[]", "null", "{\"results\":[1],\"next\":\"0\",\"more\":false}"] {
            let answer = Answer { number, status: 200, body: body.into() };
            app.step(SimTime(1), AppInput::Answer(answer), &mut out);
            let topic = "default/live/alerts".to_owned();
            let message = AppInput::Message { topic, payload: body.into() };
            app.step(SimTime(1), message, &mut out);
        }
    }
    assert!(out.iter().all(|it| !matches!(it, AppOutput::Publish { .. })));
}

#[test]
fn a_recorder_that_is_not_there_is_known_before_any_fault() {
    let mut platform = Platform { lacks_recorder: true, ..Platform::default() };
    let mut app = locator();
    platform.give(&mut app, SimTime(0), AppInput::Connected);
    assert!(app.trouble().is_some_and(|it| it.contains("`read` on `device:recorder-1`")));
    platform.lacks_recorder = false;
    platform.give(&mut app, SimTime(1), AppInput::Connected);
    assert_eq!(app.trouble(), None);
}

#[test]
fn who_may_not_read_its_own_device_states_that_and_reports_nothing() {
    let mut platform = Platform { is_hidden: true, ..Platform::with_block() };
    let mut app = locator();
    platform.give(&mut app, SimTime(0), AppInput::Connected);
    (0..3).for_each(|_| platform.wake(&mut app));
    assert!(platform.results.is_empty());
    assert!(app.trouble().is_some_and(|it| it.contains("`read` on `device:locator`")));
    platform.is_hidden = false;
    while app.wake_at().is_some() {
        platform.wake(&mut app);
    }
    assert_eq!((platform.results.len(), app.trouble()), (1, None));
}
