//! Reading: values, telegrams, faults of meters, faults of the line.

use lastmeter_mbus::application::ApplicationError;
use lastmeter_mbus::record::{Digits, Value};
use lastmeter_mbus::slave::Answer;
use lastmeter_units::{Epoch, SimDuration};
use lastmeter_wire::flexmeter::Request;

use super::bench::{Bench, bcd, slave, telegram, water_meters};
use crate::gateway::GatewayEventKind as Kind;

const QUICK: &str = "search = \"never\"\npoll_every = \"10 s\"";

#[test]
fn a_heat_meter_reads_in_the_units_of_messages() {
    let first = telegram(
        &[
            (0x06, bcd(1234)),                                 // kWh
            (0x13, bcd(-5)),                                   // l
            (0x2D, bcd(25)),                                   // 100 W
            (0x3B, Value::Integer { bytes: 2, value: -1200 }), // l/h
        ],
        0,
        true,
    );
    let second = telegram(&[(0x5A, bcd(705)), (0x5E, Value::Real(405.0))], 0, false);
    let meter = slave("00000007-LMT-01-04", vec![first, second]);
    let mut bench = Bench::new(QUICK, vec![meter]);
    bench.run_to(15);
    let [(_, Request::Measurements(message))] = &bench.received[..] else {
        panic!("{:?}", bench.received)
    };
    let values: Vec<_> = message.values.iter().map(|(id, value)| (id.name(), *value)).collect();
    let expected = [
        ("heating.energy", 1.234),
        ("heating.volume", -0.005),
        ("heating.power", 0.002_5),
        ("heating.flowrate", -1.2),
        ("heating.temp.primary.inlet", 70.5),
        ("heating.temp.primary.outlet", 40.5),
    ];
    assert_eq!(values, expected);
    assert_eq!(message.epoch, Some(Epoch(1)));
    assert_eq!(message.event_date, Some(bench.answered_at), "when the answer was complete");
}

#[test]
fn errors_are_left_out_and_reported_by_name() {
    let values = [(0x13, Value::Invalid(Digits(&[0x12, 0xAB, 0x00, 0x00]))), (0x3B, bcd(7))];
    let meters = vec![
        slave("00000001-LMT-01-07", vec![telegram(&values, 0x04, false)]),
        slave("00000002-LMT-01-07", vec![telegram(&values[..1], 0, false)]),
        slave("00000003-LMT-01-0A", vec![telegram(&values, 0, false)]),
    ];
    let mut bench = Bench::new(QUICK, meters);
    bench.slaves[1].set_error(Some(ApplicationError::Busy));
    bench.run_to(25);
    assert_eq!(bench.readings("m-0").len(), 2, "the flow is sent");
    assert!(bench.readings("m-0").iter().all(|(_, value)| *value == 0.007));
    let refused = bench.details(Kind::ValueRefused);
    assert!(
        refused[0].starts_with("m-0: volume: `invalid 0000AB12` is not a number"),
        "{refused:?}"
    );
    let refused = bench.details(Kind::AnswerRefused);
    assert!(refused[0].starts_with("m-1: application too busy"), "{refused:?}");
    assert!(refused[1].starts_with("m-2: no identifiers for device type cooling"), "{refused:?}");
    assert_eq!(refused[2], "m-1: no value that has an identifier");
    // The status is reported once, as long as it stays.
    let alert = ("m-0".to_owned(), "mbus.status".to_owned(), "status 04: power low".to_owned());
    assert_eq!(bench.alerts(), [alert]);
    assert_eq!(bench.details(Kind::DeviceStatus).len(), 1);
}

#[test]
fn planted_errors_change_what_is_sent() {
    let values = [(0x13, bcd(-5000))];
    let run = |settings: &str| {
        let meter = slave("00000007-LMT-01-07", vec![telegram(&values, 0, false)]);
        let mut bench = Bench::new(&format!("{QUICK}\n{settings}"), vec![meter]);
        bench.run_to(15);
        bench.readings("m-0")[0].1
    };
    assert_eq!(run(""), -5.0);
    assert_eq!(run("drop_sign = true"), 5.0);
    assert_eq!(run("vif_exponent = 1"), -50.0);
}

#[test]
fn an_access_number_is_carried_on_over_three_hundred_polls() {
    let mut bench = Bench::new(QUICK, water_meters(1, 5));
    bench.run_to(3005);
    let serials: Vec<u64> = bench.readings("m-0").iter().map(|(serial, _)| *serial).collect();
    // The slave counts from 0, and serials from 1.
    assert_eq!(serials, (256..556).collect::<Vec<u64>>());
}

#[test]
fn a_lost_answer_is_asked_for_again_and_makes_one_message() {
    let mut bench = Bench::new(QUICK, water_meters(2, 5));
    let mut answers_seen = 0;
    bench.fault = Box::new(move |answers| {
        answers_seen += answers.len();
        if answers_seen % 3 == 1 {
            answers.clear();
        }
    });
    bench.run_to(105);
    for name in ["m-0", "m-1"] {
        let serials: Vec<u64> = bench.readings(name).iter().map(|(serial, _)| *serial).collect();
        assert_eq!(serials, (256..266).collect::<Vec<u64>>());
    }
    assert!(bench.events.is_empty(), "{:?}", bench.events);
}

#[test]
fn a_silent_meter_is_reported_and_costs_the_others_nothing() {
    let mut bench = Bench::new("search = \"never\"", water_meters(30, 5));
    // Its answers never come, then they do.
    let silent = bench.slaves.remove(11);
    bench.run_to(300);
    let begun = bench.now;
    bench.run_to(599);
    let took = bench.received.iter().filter_map(|(_, request)| request.event_date()).max();
    let took = took.unwrap() - begun;
    println!("a poll of 30 meters at 2400 baud, one of them silent, takes {took}");
    assert!(took < SimDuration::from_seconds(60), "{took}");
    let readings = (0..30).map(|place| bench.readings(&format!("m-{place}")).len());
    assert_eq!(readings.sum::<usize>(), 29);
    bench.run_to(899);
    bench.slaves.push(silent);
    bench.run_to(1199);
    let alerts = bench.alerts();
    let [(owner, first, text), (_, second, _)] = &alerts[..] else { panic!("{alerts:?}") };
    assert_eq!((owner.as_str(), first.as_str()), ("cellar", "device.unreachable"));
    assert_eq!(text, "m-11 on network 0: no answer in 1 polls");
    assert_eq!(second, "device.reachable");
    assert_eq!(bench.details(Kind::DeviceUnreachable).len(), 1);
    assert!(bench.details(Kind::PollLate).is_empty());
    assert_eq!(bench.readings("m-11").len(), 1);
    assert_eq!(bench.readings("m-10").len(), 3);
}

#[test]
fn a_silent_meter_is_reported_once_also_over_a_restart() {
    let mut bench = Bench::new(&format!("{QUICK}\nunreachable_after = 3"), water_meters(2, 5));
    let silent = bench.slaves.remove(0);
    bench.run_to(25);
    assert!(bench.alerts().is_empty());
    bench.run_to(45);
    bench.kill();
    bench.run_to(95);
    let alerts = bench.alerts();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(alerts[0].2, "m-0 on network 0: no answer in 3 polls");
    bench.kill();
    bench.slaves.push(silent);
    bench.run_to(105);
    assert_eq!(bench.alerts()[1].1, "device.reachable");
    let numbered = bench.received.iter().filter_map(|(_, request)| match request {
        Request::Alert(it) => Some((it.serial?.0, &*it.metadata["kind"], &*it.metadata["device"])),
        _ => None,
    });
    let numbered: Vec<_> = numbered.collect();
    assert_eq!(numbered, [(1, "unreachable", "m-0"), (2, "reachable", "m-0")]);
    assert_eq!((bench.readings("m-0").len(), bench.readings("m-1").len()), (1, 10));
}

#[test]
fn a_poll_that_is_due_too_early_begins_after_the_one_before() {
    let settings = "search = \"never\"\npoll_every = \"5 s\"";
    let mut bench = Bench::new(settings, water_meters(10, 5));
    // A poll without answers takes longer than the time between two.
    let silence_end = bench.now + SimDuration::from_seconds(60);
    bench.fault = Box::new(move |answers| answers.retain(|answer| answer.at > silence_end));
    bench.run_to(60);
    let late = bench.details(Kind::PollLate).len();
    assert!((5..12).contains(&late), "{late}");
    bench.run_to(124);
    // Polls that were missed are not made up for: one that waited, then one every 5 s.
    for place in 0..10 {
        let count = bench.readings(&format!("m-{place}")).len();
        assert!((11..=14).contains(&count), "m-{place}: {count}");
    }
    let since_then = bench.details(Kind::PollLate).len() - late;
    assert!(since_then <= 2, "{since_then}");
}

/// Changes a byte of every telegram, and its checksum with it.
fn change(answer: &mut Answer, place: usize, to: impl Fn(u8) -> u8) {
    let length = answer.bytes.len();
    if length > 10 {
        answer.bytes[place] = to(answer.bytes[place]);
        let sum =
            answer.bytes[4..length - 2].iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte));
        answer.bytes[length - 2] = sum;
    }
}

#[test]
fn an_answer_of_another_meter_is_nobodys_reading() {
    let mut bench = Bench::new(QUICK, water_meters(1, 5));
    bench.fault = Box::new(|answers| answers.iter_mut().for_each(|one| change(one, 7, |b| b ^ 2)));
    bench.run_to(15);
    assert!(bench.received.is_empty(), "{:?}", bench.received);
    let refused = bench.details(Kind::AnswerRefused);
    let expected = "m-0: 12340003-LMT-01-07 answers, expected 12340001-LMT-01-07";
    assert_eq!(refused, [expected]);
}

#[test]
fn the_same_answer_again_makes_no_message_and_another_with_its_number_does() {
    let mut bench = Bench::new(QUICK, water_meters(1, 5));
    bench.fault = Box::new(|answers| answers.iter_mut().for_each(|one| change(one, 15, |_| 9)));
    bench.run_to(35);
    assert_eq!(bench.readings("m-0"), [(9, 0.005)]);
    assert_eq!(bench.details(Kind::AnswerRepeated), ["m-0: the answer of serial 9 again"; 2]);
    bench.slaves = water_meters(1, 6);
    bench.run_to(45);
    assert_eq!(bench.readings("m-0"), [(9, 0.005), (265, 0.006)]);
}

#[test]
fn two_meters_with_one_address_are_reported_by_name() {
    let one = telegram(&[(0x13, bcd(1111))], 0, false);
    let other = telegram(&[(0x13, bcd(2222))], 0, false);
    let text = "00000007-LMT-01-07";
    let meters = vec![slave(text, vec![one]), slave("00000008-LMT-01-07", vec![other.clone()])];
    let mut bench = Bench::new(QUICK, meters);
    bench.slaves.push(slave(text, vec![other]));
    bench.run_to(25);
    assert!(bench.readings("m-0").is_empty());
    let refused = bench.details(Kind::AnswerRefused);
    assert!(refused.len() == 2 && refused[0].starts_with("m-0: "), "{refused:?}");
    assert_eq!(bench.details(Kind::DeviceUnreachable).len(), 1);
    assert_eq!(bench.readings("m-1").len(), 2);
}
