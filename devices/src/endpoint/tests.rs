//! The simulator on a feeder of two buses with a breaker between them.

use lastmeter_grid::format::toml;
use lastmeter_rts::point_map::WaveformChannel;
use lastmeter_sim::grid::{BreakerAt, Raster, Setup};
use lastmeter_units::MeasurementId;

use super::*;

const START: SimTime = SimTime(1_800_000_000_000_000_000);

/// One ohm a phase from an ideal source to a load of constant impedance behind a breaker.
const NETWORK: &str = r#"format = 1
voltage = "400 V"
[[node]]
name = "a"
[[node]]
name = "b"
[[node]]
name = "c"
[[source]]
node = "a"
short_circuit_power = "100000 GVA"
angle = "90 deg"
[[line]]
name = "cable"
from = "a"
to = "b"
length = "1 km"
r1 = "1 ohm/km"
x1 = "0.001 ohm/km"
[[switch]]
name = "breaker"
from = "b"
to = "c"
[[load]]
name = "load"
node = "c"
p = "12 kW"
model = "impedance"
"#;

const MAP: &str = r#"format = 1
[simulator]
name = "rack"
wire_format = "gtnet-skt-header"
sample_rate = "100 Hz"
[[point]]
name = "u"
direction = "from-simulator"
type = "float"
unit = "V"
least = "0 V"
greatest = "300 V"
device = "load"
quantity = "electricity.voltage.rms.l1"
[[point]]
name = "wave"
direction = "from-simulator"
type = "float"
unit = "V"
least = "-500 V"
greatest = "500 V"
device = "load"
waveform = "u1"
[[point]]
name = "closed"
direction = "from-simulator"
type = "integer"
least = 0
greatest = 1
[[point]]
name = "mode"
direction = "from-simulator"
type = "integer"
role = "mode"
[[point]]
name = "echo"
direction = "from-simulator"
type = "integer"
least = 0
greatest = 1
[[point]]
name = "close"
direction = "to-simulator"
type = "integer"
least = 0
greatest = 1
greatest_change_per_second = 1000
initial = 1
safe_value = 1
reflected_by = "echo"
"#;

fn endpoint(end: Option<SimTime>) -> Endpoint {
    let network = toml::read("test.toml", NETWORK).unwrap_or_else(|error| panic!("{error:?}"));
    let step = SimDuration::from_milliseconds(20);
    let raster = Raster::over(START, step, SimDuration::from_seconds(1));
    let powers = vec![None; network.loads.len()];
    let breaker = BreakerAt::named(&network, "breaker").unwrap();
    let (defects, changes) = (Vec::new(), Vec::new());
    let setup = Setup { network, frequency_hz: 50.0, raster, powers, defects, changes };
    let mut grid = LiveGrid::new(setup);
    let live = grid.live_load(0).unwrap();
    let id = MeasurementId::lookup("electricity.voltage.rms.l1").unwrap();
    Endpoint::new(EndpointSetup {
        map: PointMap::parse(MAP).unwrap(),
        is_stream: false,
        grid,
        start: START,
        end,
        shows: vec![
            Shown::Value(Probe::new(live.clone(), id)),
            Shown::Waveform(live, WaveformChannel::U1),
            Shown::Breaker(breaker),
            Shown::Status(StatusRole::Mode),
            Shown::Echo(0),
        ],
        drives: vec![Driven::Breaker(breaker)],
    })
    .unwrap()
}

fn at(milliseconds: i64) -> SimTime {
    START + SimDuration::from_milliseconds(milliseconds)
}

/// What came out: by milliseconds the values of frames as an adapter reads them, and events.
fn run(endpoint: &mut Endpoint, until: i64) -> (Vec<(i64, Vec<f64>)>, Vec<EndpointEventKind>) {
    let (mut frames, mut events) = (Vec::new(), Vec::new());
    let mut adapter = Wire::new(&PointMap::parse(MAP).unwrap(), false).unwrap();
    while let Some(wake) = endpoint.wake_at().filter(|wake| *wake <= at(until)) {
        let mut out = Vec::new();
        endpoint.step(wake, EndpointInput::Wake, &mut out);
        take(&out, &mut adapter, (&mut frames, &mut events));
    }
    (frames, events)
}

fn take(
    out: &[EndpointOutput],
    adapter: &mut Wire,
    (frames, events): (&mut Vec<(i64, Vec<f64>)>, &mut Vec<EndpointEventKind>),
) {
    for output in out {
        match output {
            EndpointOutput::Event { kind, .. } => events.push(*kind),
            EndpointOutput::Operated(it) => panic!("a network that only steps: {it:?}"),
            EndpointOutput::Frame { taken, bytes } => {
                let decoded = adapter.arrived(bytes);
                let [Ok(sample)] = decoded.as_slice() else { panic!("{decoded:?}") };
                let (seconds, nanoseconds) = sample.origin.unwrap();
                assert_eq!(
                    i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds),
                    i128::from(taken.0)
                );
                let values = sample.values.iter().map(|value| value.finite().unwrap());
                frames.push(((*taken - START).0 / 1_000_000, values.collect()));
            }
        }
    }
}

fn write(endpoint: &mut Endpoint, now: i64, word: i64) -> Vec<EndpointOutput> {
    let mut adapter = Wire::new(&PointMap::parse(MAP).unwrap(), false).unwrap();
    let origin = Some((1, 0));
    let values = vec![Value::Integer(word)];
    let frame = adapter.frame(Sample { sequence: None, origin, values }).unwrap();
    let mut out = Vec::new();
    endpoint.step(at(now), EndpointInput::Bytes(frame), &mut out);
    out
}

#[test]
fn frames_obey_ohm_s_law() {
    let mut endpoint = endpoint(Some(at(100)));
    let (frames, events) = run(&mut endpoint, 1000);
    assert_eq!(
        frames.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
        (0..100).step_by(10).collect::<Vec<_>>()
    );
    assert!(events.is_empty(), "{events:?}");
    // A load of 12 kW at 400 V is 40/3 ohm a phase, behind one ohm: 400/sqrt(3) * (40/3)/(43/3).
    let expected = 400.0 / 3_f64.sqrt() * 40.0 / 43.0;
    for (time, values) in &frames {
        assert!((values[0] - expected).abs() < 1e-3, "{values:?} {expected}");
        // The wave at whole cycles of 50 Hz is at its phase, at half cycles the opposite.
        let sign = if time % 20 == 0 { 1.0 } else { -1.0 };
        assert!((values[1] - sign * expected * 2_f64.sqrt()).abs() < 0.1, "{values:?}");
        assert_eq!(&values[2..], [1.0, 1.0, 0.0]);
    }
}

#[test]
fn what_is_written_is_obeyed_and_reflected() {
    let mut endpoint = endpoint(None);
    run(&mut endpoint, 30);
    let out = write(&mut endpoint, 35, 0);
    assert!(matches!(
        out.as_slice(),
        [EndpointOutput::Event { kind: EndpointEventKind::InputApplied, .. }]
    ));
    let (frames, _) = run(&mut endpoint, 60);
    // Within the step of 20 ms voltages stay; the breaker itself is seen at once.
    let seen: Vec<(i64, bool, f64, f64)> = frames
        .iter()
        .map(|(time, values)| (*time, values[0] > 1.0, values[2], values[4]))
        .collect();
    assert_eq!(seen, [(40, false, 0.0, 0.0), (50, false, 0.0, 0.0), (60, false, 0.0, 0.0)]);
    write(&mut endpoint, 61, 1);
    let (frames, _) = run(&mut endpoint, 80);
    assert!(frames[1].1[0] > 200.0, "{frames:?}");
    assert_eq!(frames[1].1[2..], [1.0, 1.0, 1.0]);
}

#[test]
fn faults_do_what_they_are_called() {
    let mut endpoint = endpoint(None);
    let mut out = Vec::new();
    run(&mut endpoint, 0);
    let until = |end: i64| Some(at(end));
    let faults = [
        (1, EndpointFault::Silent { until: until(25) }),
        (31, EndpointFault::Stale { until: until(65) }),
        (71, EndpointFault::Manual { until: until(95) }),
        (101, EndpointFault::Lossy { every: 2, until: until(145) }),
    ];
    let mut frames = Vec::new();
    for (time, fault) in faults {
        frames.extend(run(&mut endpoint, time).0);
        endpoint.step(at(time), EndpointInput::Fault(fault), &mut out);
        match time {
            31 => drop(write(&mut endpoint, 32, 0)),
            71 => {
                let ignored = write(&mut endpoint, 72, 1);
                assert!(matches!(
                    ignored.as_slice(),
                    [EndpointOutput::Event { kind: EndpointEventKind::InputIgnored, .. }]
                ));
            }
            _ => {}
        }
    }
    frames.extend(run(&mut endpoint, 160).0);
    let times: Vec<i64> = frames.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, [30, 40, 50, 60, 70, 80, 90, 100, 120, 140, 150, 160]);
    let of = |time: i64| &frames.iter().find(|(other, _)| *other == time).unwrap().1;
    // The breaker opened at 32 ms: stale values do not show it, its state does.
    assert!(of(60)[0] > 200.0 && of(60)[2] == 0.0 && of(70)[0] < 1.0);
    assert_eq!((of(80)[3], of(100)[3], of(80)[2]), (0.0, 1.0, 0.0));
}

#[test]
fn what_is_no_frame_changes_nothing() {
    let mut endpoint = endpoint(None);
    let mut out = Vec::new();
    for length in 0..40 {
        endpoint.step(at(1), EndpointInput::Bytes(vec![0xA5; length]), &mut out);
    }
    let refused = out.iter().filter(|output| {
        matches!(output, EndpointOutput::Event { kind: EndpointEventKind::InputRefused, .. })
    });
    assert!(refused.count() > 1);
    assert_eq!(run(&mut endpoint, 20).0.last().unwrap().1[2], 1.0);
}

#[test]
fn frames_that_were_missed_go_out_in_order_before_what_comes() {
    let mut endpoint = endpoint(None);
    let mut out = Vec::new();
    endpoint.step(at(55), EndpointInput::Fault(EndpointFault::Silent { until: None }), &mut out);
    let frames = out.iter().filter(|output| matches!(output, EndpointOutput::Frame { .. }));
    assert_eq!(frames.count(), 6);
    assert_eq!(endpoint.grid().next_step(), 3);
}
