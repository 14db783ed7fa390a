//! Points that are fed, at the whole adapter: what is asked, written, refused, reported, counted.

use lastmeter_wire::rest::Answer;

use super::*;

const FED: &str = r#"
[[point]]
name = "mode"
direction = "from-simulator"
type = "integer"
role = "mode"

[[point]]
name = "load"
direction = "to-simulator"
type = "integer"
unit = "kW"
scale = 0.5
least = "0 kW"
greatest = "20 kW"
greatest_change_per_second = "10 kW"
initial = "4 kW"
safe_value = "1 kW"
blocked_by_mode = true
from = "device:hall/electricity.power.active.consumed.total"
every = "1 s"
stale_after = "2500 ms"
"#;

fn map() -> String {
    format!("{}{FED}", MAP.split("\n[[point]]\nname = \"tap\"").next().unwrap())
}

struct FedBench(Bench);

impl FedBench {
    fn new(keys: &str) -> Self {
        let mut bench = Self(Bench::of(make_of(&map(), keys, &[]).unwrap()));
        bench.0.step(0, GatewayInput::LineUp { network: 0 });
        bench.mode(10, 1);
        bench
    }

    fn mode(&mut self, now: i64, mode: i32) {
        let bytes = [frame(0.23, 1.0, 230), mode.to_be_bytes().to_vec()].concat();
        self.0.bytes(now, bytes);
    }

    /// Lets it ask at an instant, and answers with a reading in kW of an instant.
    fn reading(&mut self, now: i64, kilowatts: f64, of: i64) {
        let body = format!(
            "{{\"results\":[{{\"device\":\"hall\",\"values\":[{{\"quantity\":\
             \"electricity.power.active.consumed.total\",\"unit\":\"kW\",\"value\":{kilowatts},\
             \"event_time\":\"{}\"}}]}}]}}",
            at(of)
        );
        self.answer(now, 200, &body);
    }

    fn answer(&mut self, now: i64, status: u16, body: &str) {
        self.0.step(now, GatewayInput::Wake);
        let asked = self.0.out.iter().rev().find_map(|output| match output {
            GatewayOutput::Request(request) => Some(request.clone()),
            _ => None,
        });
        let asked = asked.unwrap();
        assert_eq!(asked.path, "/api/v1/latest?device=hall");
        let answer = Answer { number: asked.number, status, body: body.as_bytes().to_vec() };
        self.0.step(now, GatewayInput::Answer(answer));
        self.run_to(now);
    }

    /// Wakes it for its ramps and limits, not for what it asks.
    fn run_to(&mut self, until: i64) {
        for now in (until..until + 900).step_by(50) {
            self.0.step(now, GatewayInput::Wake);
        }
    }

    /// Words that were written, of half a kilowatt each.
    fn words(&self) -> Vec<i32> {
        let word = |output: &GatewayOutput| match output {
            GatewayOutput::Bytes { bytes, .. } => {
                Some(i32::from_be_bytes(bytes.as_slice().try_into().unwrap()))
            }
            _ => None,
        };
        self.0.out.iter().filter_map(word).collect()
    }

    fn alerts(&self) -> Vec<String> {
        let alert = |output: &GatewayOutput| match output {
            GatewayOutput::Send { payload, .. } => {
                match decode(payload, &DecodeRules::default()).ok()? {
                    Request::Alert(alert) => Some(alert.alert_type),
                    _ => None,
                }
            }
            _ => None,
        };
        self.0.out.iter().filter_map(alert).filter(|it| it.starts_with("simulator.feed")).collect()
    }

    fn count(&self, name: &str) -> f64 {
        let metrics = self.0.adapter.metrics();
        let own = metrics.iter().find(|metric| metric.name == name).unwrap();
        assert_eq!(own.labels, [("point", "load".to_owned())]);
        own.value
    }
}

#[test]
fn a_reading_is_scaled_rounded_and_ramped_as_a_command_would_be() {
    let mut bench = FedBench::new("");
    assert_eq!(bench.0.adapter.settles_at(), Some(at(1000)));
    bench.reading(1000, 6.2, 1000);
    let words = bench.words();
    // 4 kW are 8 words; 6.2 kW are 12.4 words, so 12, which are 2 kW more: 0.2 s at 10 kW/s.
    assert_eq!((words[0], words.last()), (8, Some(&12)));
    assert!(words.windows(2).all(|two| two[1] - two[0] <= 2), "{words:?}");
    assert_eq!((bench.count("fed_total"), bench.alerts().len()), (1.0, 0));
    // The same reading again is no second one, and nothing is written for it.
    let count = words.len();
    bench.reading(2000, 9.0, 1000);
    assert_eq!((bench.words().len(), bench.count("fed_total")), (count, 1.0));
    assert_eq!(bench.0.adapter.settles_at(), Some(at(3000)));
}

#[test]
fn a_value_beyond_the_limits_is_refused_once_reported_and_keeps_nothing_fresh() {
    let mut bench = FedBench::new("");
    bench.reading(1000, 6.0, 1000);
    bench.reading(2000, 20.1, 2000);
    assert_eq!(bench.words().last(), Some(&12));
    assert_eq!(bench.alerts(), ["simulator.feed_refused"]);
    bench.reading(3000, -0.1, 3000);
    bench.reading(4000, 20.2, 4000);
    // 2.5 s after the last value that could be written.
    assert_eq!(bench.alerts(), ["simulator.feed_refused", "simulator.feed_stale"]);
    assert_eq!(bench.words().last(), Some(&2));
    // So that the simulator is not taken for silent.
    bench.mode(4990, 1);
    bench.reading(5000, 20.0, 5000);
    bench.run_to(5900);
    bench.run_to(6500);
    assert_eq!(bench.words().last(), Some(&40));
    assert_eq!(bench.alerts()[2..], ["simulator.feed_back"]);
    let counts = ["fed_total", "fed_refused_total", "fed_stale_total", "fed_missing_total"];
    assert_eq!(counts.map(|name| bench.count(name)), [2.0, 3.0, 1.0, 0.0]);
}

#[test]
fn without_answers_the_safe_value_is_written_and_what_is_operated_by_hand_gets_it_later() {
    let mut bench = FedBench::new("");
    bench.reading(1000, 6.0, 1000);
    bench.mode(1990, 0);
    bench.answer(2000, 404, "{}");
    bench.answer(3000, 0, "");
    bench.run_to(4000);
    assert_eq!(bench.alerts(), ["simulator.feed_stale"]);
    assert_eq!((bench.words().last(), bench.count("fed_missing_total")), (Some(&12), 2.0));
    bench.mode(5000, 1);
    bench.run_to(5050);
    assert_eq!(bench.words().last(), Some(&2));
}

#[test]
fn a_point_that_got_another_value_by_hand_while_its_source_is_stale_gets_its_safe_value_again() {
    let reflected = MAP.replace("unit = \"V\"", "unit = \"kW\"").replace(
        "least = \"0 V\"\ngreatest = \"300 V\"\ndevice = \"house-2\"\n\
         quantity = \"electricity.voltage.rms.l1\"",
        "least = \"0 kW\"\ngreatest = \"20 kW\"",
    );
    let reflected = reflected.split("\n[[point]]\nname = \"tap\"").next().unwrap().to_owned();
    let fed = FED.replace("every = \"1 s\"", "every = \"1 s\"\nreflected_by = \"v\"");
    let adapter = make_of(&format!("{reflected}{fed}"), "", &[]).unwrap();
    let mut bench = FedBench(Bench::of(adapter));
    bench.0.step(0, GatewayInput::LineUp { network: 0 });
    let shows = |bench: &mut FedBench, now: i64, kilowatts: i32, mode: i32| {
        let bytes = [frame(0.23, 1.0, kilowatts), mode.to_be_bytes().to_vec()].concat();
        bench.0.bytes(now, bytes);
    };
    shows(&mut bench, 10, 4, 1);
    bench.reading(1000, 6.0, 1000);
    bench.run_to(3600);
    assert_eq!((bench.alerts().len(), bench.words().last()), (1, Some(&2)));
    // By hand it is brought to 8 kW, then the simulator is on its own again.
    shows(&mut bench, 5000, 8, 0);
    bench.run_to(5000);
    let count = bench.words().len();
    shows(&mut bench, 6000, 8, 1);
    bench.run_to(6000);
    let again = bench.words().split_off(count);
    assert!(again.len() > 2 && again[0] > 2, "from where it was, by the ramp: {again:?}");
    assert_eq!((bench.alerts().len(), again.last()), (1, Some(&2)));
}

#[test]
fn after_a_restart_a_value_of_long_ago_is_not_written_again() {
    for (away, expected) in [(1900, 12), (2700, 2)] {
        let mut bench = FedBench::new("");
        bench.reading(1000, 6.0, 1000);
        // The same value again: it is fresh of then, and that is kept with the readings.
        bench.reading(2000, 6.0, 2000);
        bench.mode(3000, 1);
        let (now, kept) = (2000 + away, bench.0.kept.clone());
        bench.0.adapter = make_of(&map(), "", &kept).unwrap();
        bench.0.step(now, GatewayInput::Connected);
        bench.0.step(now, GatewayInput::LineUp { network: 0 });
        bench.mode(now, 1);
        for later in (now..=now + 550).step_by(50) {
            bench.0.step(later, GatewayInput::Wake);
        }
        assert_eq!(bench.words().last(), Some(&expected));
        assert_eq!(bench.alerts().len(), usize::from(expected == 2));
    }
}

#[test]
fn nobody_else_writes_a_point_that_is_fed_and_a_read_only_adapter_asks_nothing() {
    let mut bench = FedBench::new("raw = \"json\"");
    bench.0.step(500, GatewayInput::Live { payload: b"{\"load\":9}".to_vec() });
    let refused = bench.0.events(GatewayEventKind::CommandRefused);
    assert!(refused[0].contains("there is no writable point `load`"), "{refused:?}");
    let adapter = make_of(&map(), "read_only = true", &[]).unwrap();
    assert_eq!(adapter.settles_at(), None);
}

#[test]
fn topics_are_named_to_whoever_subscribes_and_are_those_of_the_start() {
    let heard = map().replace("device:hall/electricity.power.active.consumed.total", "topic:t/x");
    let heard = heard.replace("every = \"1 s\"", "pointer = \"/p\"");
    let values = read_text("map = \"m\"", &[SIMULATOR_ADAPTER.entry.fields]).unwrap();
    let files = BTreeMap::from([("m".to_owned(), heard.clone())]);
    assert_eq!((SIMULATOR_ADAPTER.flows)(&values, &files), ["t/x"]);
    let mut bench = FedBench(Bench::of(make_of(&heard, "", &[]).unwrap()));
    bench.0.step(0, GatewayInput::LineUp { network: 0 });
    bench.mode(10, 1);
    let payload = b"{\"p\":5}".to_vec();
    bench.0.step(300, GatewayInput::Flow { topic: "t/x".to_owned(), payload });
    bench.run_to(300);
    assert_eq!((bench.words().last(), bench.count("fed_total")), (Some(&10), 1.0));
    let other = BTreeMap::from([("rack.toml".to_owned(), heard.replace("t/x", "t/y"))]);
    let mistakes = bench.0.adapter.reload(at(2000), &other, &mut Vec::new()).unwrap_err();
    assert!(mistakes[0].contains("other topics"), "{mistakes:?}");
}
