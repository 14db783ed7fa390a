//! A master on a simulated bus: reading, repeating, searching.

use std::collections::BTreeSet;

use lastmeter_mbus::application::{Application, ApplicationError};
use lastmeter_mbus::baud::BaudRate;
use lastmeter_mbus::frame::{Frame, FrameError, checksum};
use lastmeter_mbus::header::{Identity, Manufacturer, Medium};
use lastmeter_mbus::master::{Garble, Job, Master, MasterConfig, Outcome, Step, Target};
use lastmeter_mbus::record::Item;
use lastmeter_mbus::slave::{Slave, SlaveConfig, TurnAround};
use lastmeter_units::{SimDuration, SimTime};

use crate::bus::{Bus, Fault, identity, slave, telegram};

fn master() -> Master {
    Master::new(MasterConfig::default())
}

fn primary(address: u8) -> Job {
    Job::Read { target: Target::Primary(address), initialise: true }
}

/// The readings of telegrams.
fn readings(outcome: &Outcome) -> Vec<i64> {
    let Outcome::Telegrams { telegrams, complete: true } = outcome else { panic!("{outcome:?}") };
    let reading = |bytes: &Vec<u8>| {
        let frame = Frame::decode(bytes).expect("a frame");
        let Ok(Application::Variable { mut records, .. }) = Application::decode(&frame) else {
            panic!("{frame:?}")
        };
        let Some(Ok(Item::Record(record))) = records.next() else { panic!("{frame:?}") };
        record.value.integer().expect("an integer")
    };
    telegrams.iter().map(reading).collect()
}

fn several(address: u8) -> Slave {
    let config = SlaveConfig::new(address, identity(7, "LAS", 1, Medium::HEAT_OUTLET));
    Slave::new(config, vec![telegram(1, true), telegram(2, true), telegram(3, false)])
}

#[test]
fn all_telegrams_of_a_slave_are_read_by_either_address() {
    let own = identity(7, "LAS", 1, Medium::HEAT_OUTLET);
    let other = slave(2, identity(8, "LAS", 1, Medium::WATER));
    let mut bus = Bus::new(vec![several(1), other]);
    let mut master = master();
    assert_eq!(readings(&bus.run(&mut master, primary(1))), [1, 2, 3]);
    assert_eq!(readings(&bus.run(&mut master, primary(2))), [8]);
    let again = Job::Read { target: Target::Primary(1), initialise: false };
    assert_eq!(readings(&bus.run(&mut master, again)), [1, 2, 3]);
    let mask = Identity { version: 0xFF, ..own };
    let selected = Job::Read { target: Target::Secondary(mask), initialise: false };
    assert_eq!(readings(&bus.run(&mut master, selected)), [1, 2, 3]);
    assert!(bus.slaves.iter().all(|slave| !slave.is_selected()), "released");
    assert_eq!(readings(&bus.run(&mut master, again)), [1, 2, 3]);
    let nobody = Identity { version: 9, ..own };
    let selected = Job::Read { target: Target::Secondary(nobody), initialise: false };
    assert_eq!(bus.run(&mut master, selected), Outcome::Silent);
}

#[test]
fn a_slave_that_never_ends_is_left_after_the_most_telegrams() {
    let config = SlaveConfig::new(1, Identity::default());
    let mut bus = Bus::new(vec![Slave::new(config, vec![telegram(1, true)])]);
    let mut master = Master::new(MasterConfig { telegrams_max: 4, ..MasterConfig::default() });
    let Outcome::Telegrams { telegrams, complete } = bus.run(&mut master, primary(1)) else {
        panic!("telegrams are expected")
    };
    assert_eq!((telegrams.len(), complete), (4, false));
}

#[test]
fn silence_is_waited_for_and_repeated_twice() {
    let mut bus = Bus::new(Vec::new());
    assert_eq!(bus.run(&mut master(), primary(9)), Outcome::Silent);
    let begun: Vec<i64> = bus.requests.iter().map(|(at, _)| at.0).collect();
    // Five bytes, 330 bit times and 50 ms, and the eleven bits of a first byte.
    let baud = BaudRate::Baud2400;
    let each = baud.bytes(5).0 + baud.bits(341).0 + 50_000_000;
    assert_eq!(begun, [0, each, 2 * each]);
}

/// A fault that concerns answers by their number.
fn fault(change: impl Fn(usize, &mut Vec<u8>) + 'static) -> Fault {
    Box::new(change)
}

#[test]
fn a_lost_or_damaged_answer_is_asked_for_again_and_no_telegram_is_lost() {
    // The acknowledgement is number 0; then each telegram is lost once and damaged once.
    let lost = fault(|number, bytes| match number % 3 {
        1 => bytes.clear(),
        2 => bytes[10] ^= 4,
        _ => {}
    });
    let mut bus = Bus::with_fault(vec![several(1)], lost);
    assert_eq!(readings(&bus.run(&mut master(), primary(1))), [1, 2, 3]);
    let damaged = fault(|number, bytes| {
        if number > 0 {
            bytes[10] ^= 4;
        }
    });
    let mut bus = Bus::with_fault(vec![several(1)], damaged);
    let outcome = bus.run(&mut master(), primary(1));
    let garbled = matches!(outcome, Outcome::Garbled(Garble::Frame(FrameError::Checksum { .. })));
    assert!(garbled, "{outcome:?}");
    assert_eq!(bus.requests.len(), 4, "one initialisation, three requests");
    let longer = fault(|number, bytes| {
        if number > 0 {
            bytes.push(0x16);
        }
    });
    let mut bus = Bus::with_fault(vec![several(1)], longer);
    let outcome = bus.run(&mut master(), primary(1));
    assert!(matches!(outcome, Outcome::Garbled(Garble::Overlong { parts: 2, .. })), "{outcome:?}");
}

#[test]
fn a_garbled_answer_is_reported_although_silence_follows() {
    let once = fault(|number, bytes| match number {
        0 => {}
        1 => bytes[10] ^= 4,
        _ => bytes.clear(),
    });
    let mut bus = Bus::with_fault(vec![several(1)], once);
    let outcome = bus.run(&mut master(), primary(1));
    let garbled = matches!(outcome, Outcome::Garbled(Garble::Frame(FrameError::Checksum { .. })));
    assert!(garbled, "{outcome:?}");
}

#[test]
fn noise_before_an_answer_is_skipped_but_where_several_may_answer() {
    let noise = || fault(|_, bytes| bytes.insert(0, 0x00));
    let mut bus = Bus::with_fault(vec![several(1)], noise());
    assert_eq!(readings(&bus.run(&mut master(), primary(1))), [1, 2, 3]);
    let mut bus = Bus::with_fault(vec![several(1)], noise());
    let outcome = bus.run(&mut master(), Job::Scan { first: 1, last: 1 });
    assert_eq!(outcome, Outcome::Scanned { found: Vec::new(), garbled: vec![1] });
}

#[test]
fn what_a_slave_refuses_is_the_outcome() {
    let mut bus = Bus::new(vec![several(1)]);
    bus.slaves[0].set_error(Some(ApplicationError::Busy));
    let mut master = master();
    assert_eq!(bus.run(&mut master, primary(1)), Outcome::Refused(ApplicationError::Busy));
    assert_eq!(readings(&bus.run(&mut master, primary(1))), [1, 2, 3]);
}

#[test]
fn a_scan_finds_addresses_and_garbled_ones() {
    let id = |number| identity(number, "LAS", 1, Medium::WATER);
    let mut slaves: Vec<Slave> =
        [1u8, 17, 250].iter().map(|address| slave(*address, id(u32::from(*address)))).collect();
    // Two at one address, of which one answers a byte later.
    slaves.extend([slave(40, id(7)), slave(40, id(13))]);
    let mut bus = Bus::new(slaves);
    let outcome = bus.run(&mut master(), Job::Scan { first: 0, last: 250 });
    assert_eq!(outcome, Outcome::Scanned { found: vec![1, 17, 250], garbled: vec![40] });
}

#[test]
fn a_line_that_never_falls_quiet_does_not_hold_the_master() {
    let mut master = master();
    master.submit(primary(1));
    let (mut now, mut steps) = (SimTime(0), 0);
    loop {
        match master.step(now) {
            Step::Idle => break,
            Step::Send { bytes, baud } => now += baud.bytes(bytes.len()),
            Step::Wait(_) => {
                now += BaudRate::Baud2400.bytes(1);
                master.byte(now, 0x55);
            }
        }
        steps += 1;
        assert!(steps < 10_000, "it waits forever");
    }
    let outcome = master.finished().expect("a result");
    assert_eq!(outcome, Outcome::Garbled(Garble::Frame(FrameError::Start { found: 0x55 })));
}

#[test]
fn a_flood_of_frames_is_not_kept() {
    let mut master = Master::new(MasterConfig { repetitions: 0, ..MasterConfig::default() });
    master.submit(primary(1));
    let mut now = SimTime(0);
    while !matches!(master.step(now), Step::Idle) {
        // Faster than any line, as a socket may be.
        now += SimDuration::from_milliseconds(1);
        for _ in 0..1000 {
            master.byte(now, 0xE5);
        }
    }
    let outcome = master.finished().expect("a result");
    let Outcome::Garbled(Garble::Overlong { parts, .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(parts, 256);
}

fn search(slaves: Vec<Slave>, config: MasterConfig) -> (Outcome, usize) {
    let mut bus = Bus::new(slaves);
    let outcome = bus.run(&mut Master::new(config), Job::Search { among: Identity::ANY });
    assert!(bus.slaves.iter().filter(|slave| slave.is_selected()).count() <= 1);
    (outcome, bus.requests.len())
}

/// All of them are found, each once, and nothing else is.
fn found_all(outcome: Outcome, expected: &[Identity]) {
    let Outcome::Searched { found, unresolved } = outcome else { panic!("{outcome:?}") };
    assert_eq!(unresolved, []);
    assert_eq!(found.len(), expected.len());
    let sorted = |all: &[Identity]| all.iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(sorted(&found), sorted(expected));
}

fn slaves(identities: &[Identity]) -> Vec<Slave> {
    let numbered = identities.iter().enumerate();
    numbered.map(|(number, identity)| slave((number % 250) as u8 + 1, *identity)).collect()
}

#[test]
fn a_search_finds_twenty_slaves_of_which_five_collide() {
    // Fifteen differ in their first two digits, five in the last digit only.
    let apart = (0..15).map(|number| 1_500_000 + number * 6_500_000);
    let close = (0..5).map(|number| 55_555_550 + number * 2);
    let identities: Vec<Identity> =
        apart.chain(close).map(|number| identity(number, "LAS", 1, Medium::WATER)).collect();
    let (outcome, requests) = search(slaves(&identities), MasterConfig::default());
    found_all(outcome, &identities);
    println!("20 slaves found with {requests} requests");
}

#[test]
fn a_search_finds_250_slaves() {
    let mut state = 1_u64;
    let identities: BTreeSet<Identity> = std::iter::repeat_with(|| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        identity((state >> 33) as u32 % 100_000_000, "LAS", 1, Medium::HEAT_OUTLET)
    })
    .take(250)
    .collect();
    let identities: Vec<Identity> = identities.into_iter().collect();
    assert_eq!(identities.len(), 250);
    let (outcome, requests) = search(slaves(&identities), MasterConfig::default());
    found_all(outcome, &identities);
    println!("250 slaves found with {requests} requests");
}

#[test]
fn a_search_separates_slaves_with_the_same_identification() {
    let same = |letters, version, medium| identity(11_223_344, letters, version, medium);
    let identities = [
        same("LAS", 1, Medium::WATER),
        same("LAS", 1, Medium::HEAT_OUTLET),
        same("LAS", 2, Medium::HEAT_OUTLET),
        same("PAD", 2, Medium::HEAT_OUTLET),
        identity(11_223_345, "PAD", 2, Medium::HEAT_OUTLET),
    ];
    let manufacturers = ["ABC", "LAS", "PAD"]
        .map(|letters| Manufacturer::from_letters(letters).expect("three letters"));
    let config = MasterConfig { manufacturers: manufacturers.to_vec(), ..MasterConfig::default() };
    let (outcome, _) = search(slaves(&identities), config.clone());
    found_all(outcome, &identities);
    // Without a list all letters are tried.
    let (outcome, requests) = search(slaves(&identities), MasterConfig::default());
    found_all(outcome, &identities);
    println!("5 slaves found by all manufacturers with {requests} requests");
    // Two that are the same in everything cannot be separated, which is reported.
    let twice = [identities[0], identities[0], identities[4]];
    let mut both = slaves(&twice);
    both[1].set_telegrams(vec![telegram(99, false)]);
    let (outcome, _) = search(both, config);
    let unresolved = vec![identities[0]];
    assert_eq!(outcome, Outcome::Searched { found: vec![identities[4]], unresolved });
}

#[test]
fn a_search_waits_for_the_latest_slave() {
    let identities = [1, 2].map(|number| identity(number, "LAS", 1, Medium::WATER));
    let mut slaves = slaves(&identities);
    let mut config = slaves[1].config().clone();
    let more = SimDuration::from_milliseconds(50);
    config.turn_around = TurnAround { bits: 330, more };
    slaves[1] = Slave::new(config, vec![telegram(1, false)]);
    // The first one's answers are over before the second one's begin.
    let (outcome, _) = search(slaves, MasterConfig::default());
    found_all(outcome, &identities);
}

/// Writes another identity into an answer, with the checksum made right.
fn forge(bytes: &mut [u8], identity: Identity) {
    let end = bytes.len() - 2;
    bytes[7..15].copy_from_slice(&identity.bytes());
    bytes[end] = checksum(&bytes[4..end]);
}

#[test]
fn a_search_believes_no_identity_that_it_did_not_confirm() {
    let one = identity(12_345_678, "LAS", 1, Medium::WATER);
    // Overlapping bytes can make up a valid answer: with wildcards, which confirm themselves...
    let wild = Identity { identification: one.identification.with_digit(7, 0xF), ..one };
    let made_up = fault(move |number, bytes| {
        if number == 1 {
            forge(bytes, wild);
        }
    });
    let mut bus = Bus::with_fault(vec![slave(1, one)], made_up);
    let job = Job::Search { among: Identity::ANY };
    found_all(bus.run(&mut master(), job), &[one]);
    // ... or of somebody whom the mask does not select: number 3 answers for 1FFFFFFF.
    let two = identity(22_345_678, "LAS", 1, Medium::WATER);
    let made_up = fault(move |number, bytes| {
        if number == 3 {
            forge(bytes, two);
        }
    });
    let mut bus = Bus::with_fault(vec![slave(1, one), slave(2, two)], made_up);
    found_all(bus.run(&mut master(), job), &[one, two]);
}

#[test]
fn a_search_finds_nobody_on_an_empty_bus() {
    let (outcome, requests) = search(Vec::new(), MasterConfig::default());
    assert_eq!(outcome, Outcome::Searched { found: Vec::new(), unresolved: Vec::new() });
    assert_eq!(requests, 3);
}
