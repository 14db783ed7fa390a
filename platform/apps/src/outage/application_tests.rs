//! The application against a platform of the tests: what it asks, what it sends, and what becomes
//! of both when it is killed at whatever instant.

use std::collections::BTreeSet;

use lastmeter_params::{Diagnostics, SourceId, Span, parse_document, read_table};
use lastmeter_units::{SimDuration, SimTime};
use serde_json::{Value, json};

use super::application::OUTAGE;
use super::content::{content, report};
use super::tests::network;
use super::{OutageState, Report};
use crate::border::{AppInput, AppOutput, Application};
use crate::kind::AppContext;

use platform::Platform;

mod platform;

fn at(seconds: f64) -> SimTime {
    SimTime(1_798_761_600_000_000_000) + SimDuration::from_seconds_f64(seconds)
}

fn application() -> Box<dyn Application> {
    application_of("period = \"15 min\"")
}

fn application_of(settings: &str) -> Box<dyn Application> {
    let mut mistakes = Diagnostics::new();
    let table = parse_document(settings, SourceId::FILE, &mut mistakes);
    let span = Span { source: SourceId::FILE, start: 0, end: 0 };
    let values = read_table(&table, span, OUTAGE.entry.fields, &mut mistakes).unwrap();
    let context = AppContext {
        tenant: "t".into(),
        name: "finder".into(),
        network: Some("given".into()),
        ..AppContext::default()
    };
    (OUTAGE.build)(&values, &context).unwrap()
}

/// The application beside its platform; it dies before the output of a number, or instead of
/// hearing the message of one.
struct Bench {
    platform: Platform,
    application: Box<dyn Application>,
    now: f64,
    dies_at: usize,
    /// Whether it dies once more, as soon as it stands where it stood.
    dies_again: bool,
    done: usize,
    misses: usize,
    heard: usize,
}

impl Bench {
    fn new(dies_at: usize, misses: usize) -> Self {
        let (platform, application) = (Platform::default(), application());
        let mut bench = Self {
            platform,
            application,
            now: 0.0,
            dies_at,
            dies_again: false,
            done: 0,
            misses,
            heard: 0,
        };
        bench.step(AppInput::Connected);
        bench
    }

    fn hear(&mut self, topic: &str, payload: &Value) {
        self.heard += 1;
        if self.heard == self.misses {
            self.application = application();
            return self.step(AppInput::Connected);
        }
        let payload = payload.to_string().into_bytes();
        self.step(AppInput::Message { topic: topic.to_owned(), payload });
    }

    fn step(&mut self, input: AppInput) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut out = Vec::new();
            self.application.step(at(self.now), input, &mut out);
            for output in out {
                self.done += 1;
                if self.done == self.dies_at {
                    self.application = application();
                    inputs = vec![AppInput::Connected];
                    break;
                }
                match output {
                    AppOutput::Ask(request) => {
                        inputs.insert(0, AppInput::Answer(self.platform.answer(&request)));
                    }
                    AppOutput::Publish { topic, payload } => {
                        self.platform.take(at(self.now), &topic, &payload);
                    }
                }
            }
            let is_over = inputs.is_empty() && self.done > self.dies_at;
            if is_over && std::mem::take(&mut self.dies_again) {
                self.application = application();
                inputs = vec![AppInput::Connected];
            }
        }
    }

    fn to(&mut self, seconds: f64) {
        while let Some(wake) = self.application.wake_at().filter(|&wake| wake <= at(seconds)) {
            self.now = self.now.max((wake - at(0.0)).as_seconds_f64());
            self.step(AppInput::Wake);
        }
        self.now = seconds;
    }

    /// An alert of some meters, as it is kept and as it comes on the live topic.
    fn alert(&mut self, seconds: f64, loads: &[&str], kind: &str, facts: &Value) {
        self.to(seconds);
        for load in loads {
            let device = if kind == "topology.changed" {
                (*load).to_owned()
            } else {
                format!("meter-{load}")
            };
            if !self.platform.is_stateless {
                self.platform.keep(&device, at(seconds), &json!(kind), facts, at(seconds));
            }
            let live = json!({
                "device": device, "type": kind, "level": "Critical", "message": "",
                "event_time": at(seconds), "metadata": facts,
            });
            self.hear("t/live/alerts", &live);
        }
    }

    fn gasp(&mut self, seconds: f64, loads: &[&str]) {
        self.alert(seconds, loads, "supply.failed", &json!({ "kind": "last_gasp" }));
    }

    fn power_up(&mut self, seconds: f64, loads: &[&str]) {
        self.alert(seconds, loads, "supply.returned", &json!({ "kind": "power_up" }));
    }

    /// The application is killed, and started again.
    fn restart(&mut self) {
        self.application = application();
        self.step(AppInput::Connected);
    }

    /// The switch is opened or closed in the topology by somebody.
    fn switch(&mut self, seconds: f64, is_open: bool, by: &'static str) {
        self.to(seconds);
        let platform = &mut self.platform;
        (platform.is_open, platform.by) = (is_open, Some(by));
        platform.version += 1;
        let facts = json!({ "network": "feeder", "version": platform.version.to_string() });
        self.alert(seconds, &["$network-feeder"], "topology.changed", &facts);
    }

    fn reading(&mut self, seconds: f64, loads: &[&str]) {
        self.to(seconds);
        for load in loads {
            self.platform.readings.insert(format!("meter-{load}"), at(seconds));
            let live = json!({ "event_time": at(seconds), "values": {}, "device": load });
            self.hear(&format!("t/live/device/meter-{load}"), &live);
        }
    }
}

const LEFT: [&str; 5] = ["a1", "a2", "a3", "a4", "a5"];
const RIGHT: [&str; 6] = ["b1", "b2", "b3", "b4", "b5", "b6"];

/// An outage of one line, then a single meter that is silent, then what is left comes back.
fn story(bench: &mut Bench) {
    bench.reading(10.0, &RIGHT);
    bench.reading(12.0, &LEFT);
    bench.gasp(100.0, &LEFT);
    bench.reading(200.0, &RIGHT);
    bench.gasp(400.0, &["b3"]);
    bench.reading(1000.0, &["b1", "b2", "b4", "b5", "b6"]);
    bench.to(1300.0);
    bench.power_up(1400.0, &LEFT);
    bench.reading(1450.0, &["a6"]);
    bench.power_up(1500.0, &["b3"]);
    bench.to(1600.0);
}

#[test]
fn results_and_alerts_are_sent_as_the_state_of_outages_changes() {
    let mut bench = Bench::new(0, 0);
    assert_eq!(bench.application.subscriptions(), ["t/live/alerts", "t/live/device/+"]);
    story(&mut bench);
    let row = |subject: &str, state: &str, name: &str| {
        (subject.to_owned(), state.to_owned(), name.to_owned())
    };
    let expected = [
        row("outage-1", "detected", "left"),
        row("outage-2", "detected", "b3"),
        row("outage-1", "partly_restored", "left"),
        row("outage-1", "restored", "left"),
        row("outage-2", "restored", "b3"),
    ];
    let found = bench.platform.found();
    assert_eq!(found[..2], expected[..2], "{found:?}");
    assert_eq!(found[found.len() - 2..], expected[3..], "{found:?}");
    let first = &bench.platform.results[0];
    assert_eq!((&first["epoch"], &first["serial"]), (&json!(1), &json!(1)));
    assert_eq!((&first["from"], &first["until"]), (&json!(at(100.0)), &Value::Null));
    let content = &first["content"];
    assert_eq!(content["network"], "feeder");
    assert_eq!(content["expected"].as_array().unwrap().len(), 6);
    assert_eq!(content["reported"].as_array().unwrap().len(), 5);
    assert_eq!(content["areas"][0]["element"], "line");
    let alert = &bench.platform.alerts["finder"][0];
    assert_eq!(
        (&alert["type"], &alert["eventDate"]),
        (&json!("outage.detected"), &json!(at(130.0)))
    );
    let facts = &alert["metadata"];
    assert_eq!((&facts["name"], &facts["expected"]), (&json!("left"), &json!("6")));
    assert_eq!((&facts["result"], &facts["serial"]), (&json!("1/1"), &json!("1")));
}

#[test]
fn readings_that_meters_send_on_what_they_have_stored_do_not_hide_an_outage() {
    let found = |hold_up: &str| {
        let mut bench = Bench::new(0, 0);
        let settings = "period = \"2 s\"\ngrace = \"2 s\"\nwindow = \"3 s\"\n";
        bench.application = application_of(&format!("{settings}{hold_up}"));
        bench.step(AppInput::Connected);
        bench.reading(2.4, &LEFT);
        bench.reading(4.4, &LEFT);
        bench.gasp(5.0, &LEFT);
        // Dated a second after the supply failed, and heard in real time.
        bench.to(6.4);
        for load in LEFT {
            let live = json!({ "event_time": at(6.0), "values": {}, "device": load });
            bench.hear(&format!("t/live/device/meter-{load}"), &live);
        }
        bench.to(60.0);
        bench.platform.found()
    };
    let left = ("outage-1".to_owned(), "detected".to_owned(), "left".to_owned());
    assert_eq!(found(""), std::slice::from_ref(&left));
    assert_eq!(found("hold_up = \"1 s\""), [left]);
    // Meters that cannot do that have their supply, and the gasps were false.
    assert_eq!(found("hold_up = \"50 ms\""), []);
}

#[test]
fn killed_at_whatever_instant_it_reports_everything_once() {
    let mut whole = Bench::new(0, 0);
    story(&mut whole);
    let (results, alerts) = (whole.platform.found(), whole.platform.alert_types());
    assert!(results.len() >= 4 && alerts.len() >= 4, "{results:?} {alerts:?}");
    let deaths = (1..=whole.done).map(|at| (at, 0)).chain((1..=whole.heard).map(|at| (0, at)));
    for (dies_at, misses) in deaths {
        let mut bench = Bench::new(dies_at, misses);
        story(&mut bench);
        let found = bench.platform.found();
        assert_eq!(found, results, "killed before output {dies_at}, message {misses}");
        assert_eq!(bench.platform.alert_types(), alerts, "before {dies_at}, {misses}");
        let numbers = bench.platform.results.iter().map(|it| (&it["epoch"], &it["serial"]));
        let mut numbers: Vec<String> = numbers.map(|it| format!("{it:?}")).collect();
        numbers.sort();
        numbers.dedup();
        assert_eq!(numbers.len(), results.len());
    }
}

#[test]
fn what_was_heard_before_a_reconnection_is_not_heard_again() {
    let mut bench = Bench::new(0, 0);
    for begun in [100.0, 1100.0, 2100.0] {
        bench.gasp(begun, &LEFT);
        bench.power_up(begun + 300.0, &LEFT);
        bench.to(begun + 400.0);
    }
    let found = bench.platform.found();
    let (last, asked) = (bench.platform.results.len(), bench.platform.asked);
    bench.to(9000.0);
    bench.step(AppInput::Connected);
    bench.to(20_000.0);
    assert!(bench.platform.asked > asked);
    assert_eq!(bench.platform.found(), found);
    // What came while it was not connected is new.
    for load in LEFT {
        let facts = json!({ "kind": "last_gasp" });
        let (now, kind) = (at(20_000.0), json!("supply.failed"));
        bench.platform.keep(&format!("meter-{load}"), now, &kind, &facts, now);
    }
    bench.step(AppInput::Connected);
    bench.to(20_100.0);
    assert_eq!(bench.platform.found()[last..].len(), 1);
}

#[test]
fn no_two_alerts_have_one_number() {
    let mut whole = Bench::new(0, 0);
    story(&mut whole);
    for dies_at in 1..=whole.done {
        let mut bench = Bench::new(dies_at, 0);
        bench.dies_again = true;
        story(&mut bench);
        let facts = bench.platform.alerts["finder"].iter().map(|it| &it["metadata"]);
        let numbers = facts.map(|it| format!("{}/{}", it["epoch"], it["serial"]));
        let numbers: Vec<String> = numbers.collect();
        let different: BTreeSet<&String> = numbers.iter().collect();
        assert_eq!(different.len(), numbers.len(), "killed before output {dies_at}: {numbers:?}");
    }
}

#[test]
fn who_is_unsure_is_polled_and_answers_or_is_silent() {
    let polled = |polls: usize, answering: &[&str]| {
        let mut bench = Bench::new(0, 0);
        bench.application = application_of(&format!("period = \"15 min\"\npolls = {polls}"));
        bench.step(AppInput::Connected);
        bench.platform.answering = answering.iter().map(|&load| load.to_owned()).collect();
        bench.gasp(100.0, &LEFT[..4]);
        bench.gasp(105.0, &["b3"]);
        bench.to(600.0);
        bench
    };
    let contents = |bench: &Bench| -> Vec<Value> {
        let of = |row: &Value| {
            let it = &row["content"];
            json!([it["areas"][0]["name"], it["window_closed"], it["contradicted"]])
        };
        bench.platform.results.iter().map(of).collect()
    };
    // Nobody is polled unless that is asked for.
    let bench = polled(0, &[]);
    assert!(bench.platform.polled.is_empty());
    let left = json!(["left", at(130.0), []]);
    assert_eq!(contents(&bench), std::slice::from_ref(&left));
    // Who gasped alone comes first; with its supply that was false, without it is an outage.
    let bench = polled(1, &["b3"]);
    assert_eq!(
        (&bench.platform.polled[..], contents(&bench)),
        (&["b3".to_owned()][..], vec![left.clone()])
    );
    let bench = polled(1, &[]);
    assert_eq!(contents(&bench), [left.clone(), json!(["b3", at(145.0), []])]);
    // Who is expected is in the dark, or not: who answers is not.
    let bench = polled(5, &["b3", "a5"]);
    assert_eq!(bench.platform.polled, ["b3", "a5", "a6"]);
    assert_eq!(contents(&bench), [left, json!(["left", at(130.0), ["meter-a5"]])]);
    // The next window has polls of its own.
    let mut bench = polled(1, &["b3"]);
    bench.gasp(700.0, &["b3"]);
    bench.to(1000.0);
    assert_eq!(bench.platform.polled, ["b3", "b3"]);
}

#[test]
fn polls_of_before_a_restart_are_not_sent_again_with_what_came_then() {
    let settings = "period = \"15 min\"\npolls = 5";
    let mut bench = Bench::new(0, 0);
    bench.application = application_of(settings);
    bench.step(AppInput::Connected);
    bench.gasp(100.0, &LEFT[..5]);
    bench.gasp(700.0, &["b3"]);
    bench.to(735.0);
    assert_eq!(bench.platform.polled, ["a6", "b3", "a6"]);
    bench.application = application_of(settings);
    bench.step(AppInput::Connected);
    assert_eq!(bench.platform.polled[3..], ["b3", "a6"]);
    // They are looked at when their time is up, not at once.
    assert_eq!(bench.platform.found().len(), 1);
    bench.to(760.0);
    let last = bench.platform.found().pop().unwrap();
    assert_eq!(last, ("outage-2".to_owned(), "detected".to_owned(), "b3".to_owned()));
}

#[test]
fn an_answer_is_of_the_instant_of_its_poll() {
    let mut bench = Bench::new(0, 0);
    bench.application = application_of("period = \"15 min\"\npolls = 5");
    bench.step(AppInput::Connected);
    bench.platform.answering = vec!["b3".to_owned()];
    bench.gasp(100.0, &["b3"]);
    // It loses its supply, with all beside it, while its answer is on its way.
    bench.gasp(135.0, &RIGHT);
    bench.to(170.0);
    let content = &bench.platform.results[0]["content"];
    assert_eq!(
        (&content["areas"][0]["name"], &content["contradicted"]),
        (&json!("right"), &json!([]))
    );
}

#[test]
fn a_platform_that_does_not_answer_is_asked_again() {
    let mut bench = Bench::new(0, 0);
    bench.platform.is_down = true;
    bench.step(AppInput::Connected);
    bench.gasp(5.0, &LEFT);
    let asked = bench.platform.asked;
    bench.to(25.0);
    assert!(bench.platform.asked > asked);
    bench.platform.is_down = false;
    bench.to(100.0);
    assert_eq!(bench.platform.found()[0].2, "left");
}

#[test]
fn a_switch_that_was_opened_on_purpose_raises_no_alert() {
    let mut bench = Bench::new(0, 0);
    bench.switch(50.0, true, "user:ann");
    bench.gasp(51.0, &LEFT);
    bench.to(100.0);
    let found = bench.platform.found();
    assert_eq!((&*found[0].1, &*found[0].2), ("detected", "cb"));
    assert_eq!(bench.platform.results[0]["content"]["planned"], true);
    assert!(bench.platform.alert_types().is_empty());
    // Another network's switches are not asked for.
    let asked = bench.platform.asked;
    let facts = json!({ "network": "other", "version": "7" });
    bench.alert(120.0, &["$network-other"], "topology.changed", &facts);
    assert_eq!(bench.platform.asked, asked);
}

#[test]
fn a_switch_that_no_person_opened_has_tripped() {
    for by in ["device:scada", "app:scada"] {
        let mut bench = Bench::new(0, 0);
        bench.switch(50.0, true, by);
        bench.gasp(51.0, &LEFT);
        bench.gasp(52.0, &RIGHT);
        bench.to(100.0);
        let content = &bench.platform.results.last().unwrap()["content"];
        assert_eq!(
            (&content["planned"], &content["areas"][0]["name"]),
            (&Value::Null, &"cb".into())
        );
        assert_eq!(content["reported"].as_array().unwrap().len(), 11);
        assert_eq!(bench.platform.alert_types(), ["outage.detected"], "{by}");
    }
}

#[test]
fn works_that_were_entered_early_are_a_planned_outage_once_they_begin() {
    let last = |bench: &Bench| {
        let row = bench.platform.found().pop().unwrap();
        let content = &bench.platform.results.last().unwrap()["content"];
        let count = |of: &str| content[of].as_array().unwrap().len();
        assert_eq!((&content["planned"], &*row.2), (&json!(true), "cb"));
        assert!(bench.platform.alert_types().is_empty());
        (row.0, row.1, count("expected"), count("reported"))
    };
    let row = |subject: &str, state: &str, expected: usize, reported: usize| {
        (subject.to_owned(), state.to_owned(), expected, reported)
    };
    for is_restarted in [false, true] {
        let mut bench = Bench::new(0, 0);
        bench.switch(50.0, true, "user:ann");
        for loads in [&LEFT[..], &["a6"], &RIGHT, &["c1", "c2"]] {
            bench.reading(56.0, loads);
        }
        bench.to(63.0);
        assert_eq!(last(&bench), row("outage-1", "restored", 14, 0));
        if is_restarted {
            bench.restart();
        }
        // One gasp is none of works.
        bench.gasp(64.0, &["a1"]);
        bench.to(200.0);
        assert_eq!(last(&bench).0, "outage-1");
        bench.reading(210.0, &["a1"]);
        bench.gasp(300.0, &LEFT);
        bench.gasp(310.0, &RIGHT);
        bench.to(340.0);
        assert_eq!(last(&bench), row("outage-2", "detected", 14, 11));
        bench.power_up(390.0, &LEFT);
        bench.power_up(390.0, &RIGHT);
        bench.reading(391.0, &["a6", "c1", "c2"]);
        bench.to(400.0);
        assert_eq!(last(&bench), row("outage-2", "restored", 14, 11));
    }
    // Where some were not heard in between the outage goes on.
    let mut bench = Bench::new(0, 0);
    bench.switch(50.0, true, "user:ann");
    bench.reading(56.0, &LEFT);
    bench.gasp(65.0, &RIGHT);
    bench.gasp(66.0, &LEFT);
    bench.to(100.0);
    assert_eq!(last(&bench), row("outage-1", "detected", 14, 11));
}

#[test]
fn meters_that_are_registered_later_are_heard_with_their_first_alert() {
    let mut bench = Bench::new(0, 0);
    bench.platform.hidden = LEFT.map(|load| format!("meter-{load}")).into();
    // What is no alert of before its start is not kept for it.
    bench.platform.is_stateless = true;
    bench.restart();
    let asked = bench.platform.asked;
    for second in 0..90 {
        bench.gasp(f64::from(second), &["of-another-network"]);
    }
    assert_eq!(bench.platform.asked, asked + 2);
    bench.platform.hidden.clear();
    bench.gasp(100.0, &LEFT);
    bench.to(200.0);
    let found = bench.platform.found();
    assert_eq!(found, [("outage-1".to_owned(), "detected".to_owned(), "left".to_owned())]);
    assert_eq!(bench.platform.results[0]["content"]["reported"].as_array().unwrap().len(), 5);
}

#[test]
fn silence_is_known_after_a_restart_of_readings_that_update_no_state() {
    let mut bench = Bench::new(0, 0);
    bench.reading(10.0, &RIGHT);
    bench.gasp(400.0, &["b3"]);
    bench.platform.is_stateless = true;
    bench.to(500.0);
    bench.restart();
    bench.reading(900.0, &["b1", "b2", "b4", "b5", "b6"]);
    bench.to(1100.0);
    let found = bench.platform.found();
    assert_eq!(found, [("outage-1".to_owned(), "detected".to_owned(), "b3".to_owned())]);
}

#[test]
fn readings_that_come_at_once_are_all_heard_before_one_is_missing() {
    let mut bench = Bench::new(0, 0);
    let all = || LEFT.iter().chain(&RIGHT);
    for seconds in [10.0, 910.0] {
        bench.reading(seconds, &all().copied().collect::<Vec<_>>());
    }
    // What was sent at 1810 s comes at once, one after the other, in the instant when it is due,
    // and with a false last gasp before it.
    bench.now = (bench.application.wake_at().unwrap() - at(0.0)).as_seconds_f64();
    let gasp = json!({
        "device": "meter-b3", "type": "supply.failed", "level": "Critical", "message": "",
        "event_time": at(1812.0), "metadata": { "kind": "last_gasp" },
    });
    bench.hear("t/live/alerts", &gasp);
    for load in all() {
        let live = json!({ "event_time": at(1810.0), "values": {}, "device": load });
        bench.hear(&format!("t/live/device/meter-{load}"), &live);
    }
    bench.to(bench.now + 100.0);
    assert_eq!(bench.platform.found(), []);
}

#[test]
fn who_may_not_read_its_own_device_sends_nothing_and_is_in_trouble() {
    let mut bench = Bench::new(0, 0);
    bench.gasp(100.0, &LEFT);
    bench.to(200.0);
    let alerts = bench.platform.alert_types();
    bench.platform.hidden = vec!["finder".to_owned()];
    bench.restart();
    bench.gasp(300.0, &RIGHT);
    bench.to(400.0);
    assert_eq!(bench.platform.alert_types(), alerts);
    let trouble = bench.application.trouble().unwrap();
    assert!(trouble.contains("device:finder"), "{trouble}");
    bench.platform.hidden.clear();
    bench.to(500.0);
    assert_eq!(bench.application.trouble(), None);
    assert_eq!(bench.platform.alert_types().len(), alerts.len() + 1);
}

#[test]
fn who_knows_no_meter_is_in_trouble_until_one_is_heard() {
    let mut bench = Bench::new(0, 0);
    assert_eq!(bench.application.trouble(), None);
    let loads = network().loads.into_iter();
    bench.platform.hidden = loads.map(|load| format!("meter-{}", load.name)).collect();
    bench.restart();
    let trouble = bench.application.trouble().unwrap();
    assert!(trouble.contains("no device whose metadata name its network"), "{trouble}");
    bench.platform.hidden.clear();
    bench.to(bench.now + 100.0);
    bench.gasp(200.0, &LEFT);
    bench.to(300.0);
    assert_eq!(bench.application.trouble(), None);
}

#[test]
fn a_content_is_read_back_and_does_not_grow_without_bound() {
    let mut bench = Bench::new(0, 0);
    story(&mut bench);
    for row in &bench.platform.results {
        let read = report(row["subject"].as_str().unwrap(), row["content"].clone()).unwrap();
        assert_eq!(Value::Object(content("feeder", &read)), row["content"]);
    }
    let row = &bench.platform.results[0];
    let one = report("outage-1", row["content"].clone()).unwrap();
    let ids = one.expected.iter().cycle().take(20_000).cloned().collect();
    let long = Report { expected: ids, state: OutageState::Detected, ..one };
    let content = content("feeder", &long);
    assert_eq!(content["left_out"], json!({ "reported": 5, "expected": 20_000 }));
    assert!(report("outage-1", Value::Object(content)).unwrap().expected.is_empty());
    assert_eq!(report("fault-1", row["content"].clone()), None);
    assert_eq!(report("outage-1", json!({})), None);
}
