//! Searches: who is found, who is not, and who cannot be separated.

use lastmeter_mbus::slave::{Slave, SlaveConfig};
use lastmeter_units::SimDuration;

use super::bench::{Bench, bcd, build, id, slave, telegram, water_meters};
use crate::gateway::{GatewayEventKind as Kind, GatewayInput};

fn one_litre() -> Vec<Vec<u8>> {
    vec![telegram(&[(0x13, bcd(1))], 0, false)]
}

#[test]
fn who_is_found_is_polled_and_who_is_not_too() {
    let mut slaves = water_meters(3, 5);
    slaves.push(slave("87654321-ABC-0F-04", one_litre()));
    let mut devices: Vec<_> = ["12340001-LMT-01-07", "12340008-LMT-01-07"]
        .iter()
        .enumerate()
        .map(|(place, text)| (id(&format!("m-{place}")), (*text).to_owned()))
        .collect();
    devices.push((id("absent"), "11111111-LMT-01-07".to_owned()));
    let mut bench = Bench::with_devices("", slaves, devices);
    bench.run_to(400);
    for owner in ["m-0", "m-1", "mbus-12340015-lmt-01-07", "mbus-87654321-abc-0f-04"] {
        assert_eq!(bench.readings(owner).len(), 1, "{owner}");
    }
    assert_eq!(bench.details(Kind::DeviceFound).len(), 2);
    let missing = bench.details(Kind::DeviceNotFound);
    assert_eq!(missing, ["absent: 11111111-LMT-01-07 is not found"]);
    assert_eq!(bench.alerts()[0].2, "absent on network 0: no answer in 1 polls");
}

#[test]
fn two_hundred_and_fifty_slaves_are_found() {
    let identification = |number: u32| number.wrapping_mul(2_654_435_761) % 100_000_000;
    let meter = |number| slave(&format!("{:08}-LMT-01-07", identification(number)), one_litre());
    let slaves: Vec<Slave> = (1..=250).map(meter).collect();
    for repetitions in [0, 2] {
        let settings = format!("poll_every = \"4 h\"\nrepetitions = {repetitions}");
        let mut bench = Bench::with_devices(&settings, slaves.clone(), Vec::new());
        let start = bench.now;
        bench.run_to(4 * 3600 - 1);
        assert_eq!(bench.details(Kind::DeviceFound).len(), 250);
        let search = *bench.events.iter().map(|(at, _, _)| at).max().unwrap() - start;
        bench.run_to(5 * 3600);
        assert_eq!(bench.received.len(), 250);
        println!("250 slaves are found with {repetitions} repetitions in {search}");
        assert!(search < SimDuration::from_seconds(900), "{search}");
    }
}

#[test]
fn a_search_has_its_turn_among_polls_that_take_longer_than_their_period() {
    let settings = "poll_every = \"1 s\"\nsearch = \"never\"\nsearch_again = \"60 s\"";
    let mut bench = Bench::new(settings, water_meters(5, 5));
    bench.slaves.push(slave("87654321-ABC-0F-04", one_litre()));
    bench.run_to(250);
    assert!(bench.details(Kind::PollLate).len() > 20);
    assert_eq!(bench.details(Kind::DeviceFound).len(), 1);
}

#[test]
fn a_line_that_comes_up_is_searched_unless_somebody_was_found_there() {
    let newcomer = || slave("87654321-ABC-0F-04", one_litre());
    for (slaves, found) in [(Vec::new(), 1), (water_meters(1, 5), 0)] {
        let mut bench = Bench::new("poll_every = \"1 h\"", slaves);
        if found == 1 {
            bench.step(GatewayInput::LineUp { network: 1 });
        }
        bench.run_to(60);
        bench.slaves.push(newcomer());
        bench.step(GatewayInput::LineUp { network: 0 });
        bench.run_to(120);
        assert_eq!(bench.details(Kind::DeviceFound).len(), found);
    }
}

#[test]
fn a_search_in_which_the_line_came_up_is_made_again() {
    let slaves = vec![slave("87654321-ABC-0F-04", one_litre())];
    let mut bench = Bench::with_devices("poll_every = \"1 h\"", slaves, Vec::new());
    // A request and its two repetitions are lost while nobody is there.
    let mut lost = 0..3;
    bench.fault = Box::new(move |answers| {
        if lost.next().is_some() {
            answers.clear();
        }
    });
    bench.move_on();
    bench.step(GatewayInput::LineUp { network: 0 });
    bench.run_to(30);
    assert_eq!(bench.details(Kind::DeviceFound).len(), 1);
}

#[test]
fn five_of_twenty_that_collide_are_separated_or_reported() {
    // Five differ in the last digits only, and two of the others have one address.
    let mut texts: Vec<String> =
        (0..15).map(|n| format!("{:08}-LMT-01-07", n * 6_000_001)).collect();
    texts.extend((0..5).map(|n| format!("9999999{n}-LMT-01-07")));
    let slaves: Vec<Slave> = texts.iter().map(|text| slave(text, one_litre())).collect();
    let mut bench = Bench::with_devices("poll_every = \"1 h\"", slaves, Vec::new());
    bench.run_to(3599);
    assert_eq!(bench.details(Kind::DeviceFound).len(), 20);

    let mut slaves: Vec<Slave> = texts[..4].iter().map(|text| slave(text, one_litre())).collect();
    slaves.push(slave(&texts[3], vec![telegram(&[(0x13, bcd(222))], 0, false)]));
    let devices = vec![(id("m-3"), texts[3].clone())];
    let mut bench = Bench::with_devices("poll_every = \"4 h\"", slaves, devices);
    bench.run_to(5 * 3600);
    assert_eq!(bench.details(Kind::DeviceFound).len(), 3);
    let refused = bench.details(Kind::AnswerRefused);
    let expected = format!("m-3: several meters answer to {}", texts[3]);
    assert!(refused.contains(&expected.as_str()), "{refused:?}");
    assert!(bench.readings("m-3").is_empty());
    assert_eq!(bench.received.len(), 4, "three readings and an alert");
}

#[test]
fn a_meter_that_comes_later_is_found_by_a_further_search() {
    let settings = "search = \"never\"\nsearch_again = \"1 h\"";
    let mut bench = Bench::with_devices(settings, Vec::new(), Vec::new());
    bench.slaves = water_meters(1, 5);
    bench.run_to(3590);
    assert!(bench.events.is_empty() && bench.received.is_empty());
    bench.run_to(2 * 3600 + 400);
    let found = bench.details(Kind::DeviceFound);
    assert_eq!(found, ["mbus-12340001-lmt-01-07: not configured, is polled too"]);
    assert!(bench.readings("mbus-12340001-lmt-01-07").len() >= 12);
}

#[test]
fn primary_addresses_are_scanned_and_their_answers_attribute_them() {
    let at = |address, slave: &Slave| {
        let identity = slave.config().identity;
        Slave::new(SlaveConfig::new(address, identity), one_litre())
    };
    let known = water_meters(3, 5);
    let slaves = vec![at(3, &known[0]), at(17, &known[1])];
    let settings = "addressing = \"primary\"";
    let named = known.iter().enumerate().filter(|(place, _)| *place != 1).map(|(place, slave)| {
        let text = super::super::address::text(slave.config().identity);
        (id(&format!("m-{place}")), text)
    });
    let devices: Vec<_> = named.collect();
    let mut bench = Bench::with_devices(settings, slaves, devices.clone());
    bench.run_to(1000);
    assert_eq!(bench.readings("m-0").len(), 3);
    assert_eq!(bench.readings("mbus-12340008-lmt-01-07").len(), 3);
    let text = "m-2 on network 0: no primary address found in 1 polls".to_owned();
    assert_eq!(bench.alerts(), [("cellar".to_owned(), "device.unreachable".to_owned(), text)]);
    let never = build(&format!("{settings}\nsearch = \"never\""), &devices, &[]);
    assert!(never.err().unwrap()[0].contains("expected `at_start`"));
}
