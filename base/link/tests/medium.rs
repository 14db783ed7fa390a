//! The media of field networks: when what arrives where, and what becomes of telegrams that
//! collide, are lost or altered.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::collections::BTreeSet;

use chacha20::ChaCha8Rng;
use lastmeter_can::bus::{ErrorState, Happening};
use lastmeter_can::frame::{CanFrame, CanId};
use lastmeter_can::wire::{ErrorKind, INTERMISSION_BITS, frame_bits};
use lastmeter_link::medium::{
    Arrival, Attack, BusSpec, CanAttack, CanDisturbance, CanFault, LanesSpec, Medium, MediumEvent,
    MediumSpec, NETWORKS, NetworkKind, Party, Protection, RadioSpec, WireEvent,
};
use lastmeter_params::{Diagnostics, read_text};
use lastmeter_units::{SimDuration, SimTime};
use proptest::prelude::*;
use rand::SeedableRng as _;

const END: SimTime = SimTime(i64::MAX);

fn stream(seed: u8) -> ChaCha8Rng {
    ChaCha8Rng::from_seed([seed; 32])
}

fn bus(spec: BusSpec, slaves: usize) -> Medium {
    MediumSpec::Bus(spec).open(slaves, SimTime(0), &stream(7))
}

fn arrival(medium: &mut Medium, until: SimTime) -> Option<Arrival> {
    medium.pop(until).map(|event| match event {
        MediumEvent::Arrival(arrival) => arrival,
        event => panic!("{event:?}"),
    })
}

fn all(medium: &mut Medium) -> Vec<Arrival> {
    std::iter::from_fn(|| arrival(medium, END)).collect()
}

/// What the master receives, in one piece.
fn to_master(arrivals: &[Arrival]) -> Vec<u8> {
    let own = arrivals.iter().filter(|arrival| arrival.to == Party::Master);
    own.flat_map(|arrival| arrival.bytes.clone()).collect()
}

fn kind(name: &str) -> &'static NetworkKind {
    NETWORKS.iter().find(|kind| kind.entry.name == name).unwrap()
}

/// What keys mean, or the code of the first mistake.
fn read(name: &str, text: &str) -> Result<MediumSpec, &'static str> {
    let kind = kind(name);
    let values = read_text(text, &[kind.entry.fields]).map_err(|wrong| wrong[0].code.code())?;
    let mut out = Diagnostics::new();
    let spec = (kind.build)(&values, &mut out);
    spec.ok_or_else(|| out.into_sorted()[0].code.code())
}

#[test]
fn keys_are_read_and_what_is_left_out_changes_nothing() {
    assert_eq!(read("m-bus", ""), Ok(MediumSpec::Bus(BusSpec::PERFECT)));
    let keys = "baud = 9600\npropagation = \"20 us\"\nbyte_gap = \"2 ms\"\nbyte_error = \"1 %\"\n\
        telegram_loss = 0.05";
    let expected = BusSpec {
        bits_per_second: 9600,
        propagation: SimDuration(20_000),
        byte_gap: SimDuration::from_milliseconds(2),
        byte_error_rate: 0.01,
        loss: 0.05,
    };
    assert_eq!(read("m-bus", keys), Ok(MediumSpec::Bus(expected)));
    for (keys, code) in [("baud = 9601", "S006"), ("baud = 100", "S006"), ("rate = 1", "S003")] {
        assert_eq!(read("m-bus", keys), Err(code), "{keys}");
    }
    let lanes = |delay_ms, bits_per_second| {
        let delay = SimDuration::from_milliseconds(delay_ms);
        Ok(MediumSpec::Lanes(LanesSpec { delay, bits_per_second }))
    };
    assert_eq!(read("stream", ""), lanes(1, f64::INFINITY));
    assert_eq!(read("stream", "delay = \"3 ms\"\nrate = \"8 kbit/s\""), lanes(3, 8e3));
    assert_eq!(read("stream", "rate = \"8\""), Err("S008"));
    let radio = |loss, duplicates| {
        let delay = SimDuration::from_milliseconds(5);
        Ok(MediumSpec::Radio(RadioSpec { delay, loss, duplicates }))
    };
    assert_eq!(read("zigbee", ""), radio(0.0, 0.0));
    assert_eq!(read("zigbee", "frame_loss = \"2 %\"\nduplicates = 0.5"), radio(0.02, 0.5));
    assert_eq!(read("zigbee", "frame_loss = 2"), Err("S006"));
}

#[test]
fn every_kind_of_network_has_texts_and_names_are_unique() {
    let names: BTreeSet<&str> = NETWORKS.iter().map(|kind| kind.entry.name).collect();
    assert_eq!(names.len(), NETWORKS.len());
    for kind in NETWORKS {
        assert!(!kind.entry.summary.ends_with('.') && kind.entry.description.ends_with('.'));
        assert!(read(kind.entry.name, "").is_ok(), "{}", kind.entry.name);
    }
}

proptest! {
    #[test]
    fn the_last_byte_arrives_after_its_bits_the_gaps_and_the_way(
        at in 0_i64..4_000_000_000_000_000_000, step in 0_u32..8, gap in 0_i64..10_000_000,
        way in 0_i64..1_000_000, bytes in prop::collection::vec(any::<u8>(), 1..60),
    ) {
        let rate = 300 << step;
        let spec = BusSpec {
            bits_per_second: rate,
            propagation: SimDuration(way),
            byte_gap: SimDuration(gap),
            ..BusSpec::PERFECT
        };
        let mut medium = bus(spec, 2);
        let end_of = |count: usize| {
            let bits = 11 * count as i128 * 1_000_000_000 / i128::from(rate);
            SimTime(at + bits as i64 + gap * (count as i64 - 1))
        };
        let out = medium.transmit(Party::Master, None, SimTime(at), rate, &bytes);
        prop_assert_eq!(out, end_of(bytes.len()));
        medium.transmit(Party::Slave(1), None, SimTime(at), rate, &bytes);
        let found = all(&mut medium);
        let slaves = found.iter().filter(|one| one.to != Party::Master);
        for (slave, arrival) in slaves.enumerate() {
            prop_assert_eq!(arrival.to, Party::Slave(slave));
            prop_assert_eq!(arrival.at, SimTime(end_of(bytes.len()).0 + way));
            prop_assert_eq!(&arrival.bytes, &bytes);
        }
        let master: Vec<&Arrival> = found.iter().filter(|one| one.to == Party::Master).collect();
        prop_assert_eq!(master.len(), bytes.len());
        for (index, arrival) in master.iter().enumerate() {
            prop_assert_eq!(&arrival.bytes, &vec![bytes[index]]);
            prop_assert_eq!(arrival.at, SimTime(end_of(index + 1).0 + way));
        }
    }

    #[test]
    fn arrivals_are_in_order_and_nothing_is_invented_without_noise(
        sends in prop::collection::vec(
            (0_usize..5, 0_i64..200_000_000, prop::collection::vec(any::<u8>(), 0..12)), 1..30),
    ) {
        // Everybody in turn: at most one slave at a time, so that nothing collides.
        let mut medium = bus(BusSpec::PERFECT, 4);
        let (mut free, mut expected, mut down) = (SimTime(0), Vec::new(), 0);
        for (who, pause, bytes) in &sends {
            let from = who.checked_sub(1).map_or(Party::Master, Party::Slave);
            free = medium.transmit(from, None, SimTime(free.0 + pause), 2400, bytes);
            if from == Party::Master {
                down += usize::from(!bytes.is_empty());
            } else {
                expected.extend_from_slice(bytes);
            }
        }
        let mut found = Vec::new();
        while let Some(next) = medium.next() {
            prop_assert_eq!(medium.pop(SimTime(next.0 - 1)), None);
            let arrival = arrival(&mut medium, next).unwrap();
            prop_assert_eq!(arrival.at, next);
            found.push(arrival);
        }
        prop_assert!(found.is_sorted_by_key(|arrival| (arrival.at, arrival.to)));
        prop_assert_eq!(to_master(&found), expected);
        prop_assert_eq!(found.iter().filter(|one| one.to != Party::Master).count(), 4 * down);
    }

    #[test]
    fn a_collision_never_goes_unnoticed(seed in any::<u64>(), shift in 0.0_f64..=1.0, step in 0_u32..8) {
        let mut words = ChaCha8Rng::seed_from_u64(seed);
        let (mut one, mut other) = ([0; 20], [0; 20]);
        words.fill_bytes(&mut one);
        words.fill_bytes(&mut other);
        let rate = 300 << step;
        let bit_ns = 1e9 / f64::from(rate);
        // From in step to the last byte's start bit in the other's last stop bit.
        let second = SimTime((shift * (11.0 * 20.0 - 1.0) * bit_ns) as i64);
        let spec = BusSpec { bits_per_second: rate, ..BusSpec::PERFECT };
        let mut medium = bus(spec, 2);
        medium.transmit(Party::Slave(0), None, SimTime(0), rate, &one);
        medium.transmit(Party::Slave(1), None, second, rate, &other);
        let found = to_master(&all(&mut medium));
        prop_assert_ne!(&found, &[one, other].concat());
        if shift < 0.8 {
            prop_assert!(!found.windows(20).any(|part| part == one || part == other));
        }
    }

    #[test]
    fn the_same_stream_gives_the_same_arrivals_however_they_are_taken(
        seed in any::<u8>(), pauses in prop::collection::vec(0_i64..40_000_000, 1..20),
    ) {
        let spec = BusSpec { byte_error_rate: 0.2, loss: 0.2, ..BusSpec::PERFECT };
        // All at the end, or each as soon as nothing sent later can change it.
        let run = |at_once: bool| {
            let mut medium = MediumSpec::Bus(spec).open(3, SimTime(0), &stream(seed));
            let (mut now, mut found) = (SimTime(0), Vec::new());
            for (index, pause) in pauses.iter().enumerate() {
                now = SimTime(now.0 + pause);
                if at_once {
                    found.extend(std::iter::from_fn(|| arrival(&mut medium, now)));
                }
                let from = (index % 4).checked_sub(1).map_or(Party::Master, Party::Slave);
                medium.transmit(from, None, now, 2400, &[index as u8; 5]);
            }
            found.extend(all(&mut medium));
            found
        };
        prop_assert_eq!(run(true), run(false));
    }

    #[test]
    fn lanes_keep_order_and_content(
        sends in prop::collection::vec(
            (0_usize..4, 0_i64..5_000_000, prop::collection::vec(any::<u8>(), 1..30)), 1..40),
    ) {
        let delay = SimDuration::from_milliseconds(2);
        let spec = LanesSpec { delay, bits_per_second: 80_000.0 };
        let mut medium = MediumSpec::Lanes(spec).open(2, SimTime(0), &stream(0));
        // Who to whom: up and down on two lanes.
        let ways = [(Party::Slave(0), None), (Party::Slave(1), None),
            (Party::Master, Some(0)), (Party::Master, Some(1))];
        let (mut now, mut free, mut expected) = (0, [0; 4], vec![Vec::new(); 4]);
        for (way, pause, bytes) in &sends {
            now += pause;
            let (from, to) = ways[*way];
            medium.transmit(from, to, SimTime(now), 2400, bytes);
            free[*way] = free[*way].max(now) + 100_000 * bytes.len() as i64;
            expected[*way].push((SimTime(free[*way] + 2_000_000), bytes.clone()));
        }
        let found = all(&mut medium);
        prop_assert!(found.is_sorted_by_key(|arrival| arrival.at));
        let mut taken = vec![Vec::new(); 4];
        for arrival in found {
            let way = match arrival.to {
                Party::Master => arrival.lane.unwrap(),
                Party::Slave(slave) => 2 + slave,
            };
            taken[way].push((arrival.at, arrival.bytes));
        }
        prop_assert_eq!(taken, expected);
    }
}

#[test]
fn slaves_that_answer_alike_in_step_are_received_as_one() {
    // As in a search: all that are selected answer E5 at the same time.
    let mut medium = bus(BusSpec::PERFECT, 60);
    for slave in 0..60 {
        medium.transmit(Party::Slave(slave), None, SimTime(5), 2400, &[0xE5]);
    }
    assert_eq!(to_master(&all(&mut medium)), [0xE5]);
}

#[test]
fn noise_and_loss_happen_as_often_as_asked_for_and_to_each_by_itself() {
    const TELEGRAMS: usize = 2000;
    let spec = BusSpec { byte_error_rate: 0.1, loss: 0.2, ..BusSpec::PERFECT };
    let mut medium = bus(spec, 2);
    let mut now = SimTime(0);
    for _ in 0..TELEGRAMS {
        now = medium.transmit(Party::Master, None, now, 2400, &[0x55; 5]);
        now = medium.transmit(Party::Slave(0), None, now, 2400, &[0xAA; 5]);
    }
    let found = all(&mut medium);
    // Five standard deviations of a binomial distribution.
    let near = |found: usize, of: usize, share: f64| {
        let deviation = (of as f64 * share * (1.0 - share)).sqrt();
        let distance = (found as f64 - of as f64 * share).abs();
        assert!(distance < 5.0 * deviation, "{found} of {of}, expected {share}");
    };
    for slave in 0..2 {
        let own: Vec<_> = found.iter().filter(|one| one.to == Party::Slave(slave)).collect();
        near(own.len(), TELEGRAMS, 0.8);
        let wrong = own.iter().flat_map(|one| &one.bytes).filter(|&&byte| byte != 0x55).count();
        near(wrong, own.len() * 5, 0.1);
    }
    let master = to_master(&found);
    near(master.len() / 5, TELEGRAMS, 0.8);
    near(master.iter().filter(|&&byte| byte != 0xAA).count(), master.len(), 0.1);
    let times = |slave| -> Vec<SimTime> {
        let own = found.iter().filter(|one| one.to == Party::Slave(slave));
        own.map(|one| one.at).collect()
    };
    assert_ne!(times(0), times(1));
}

#[test]
fn a_listener_at_another_rate_hears_garbage_until_it_is_set() {
    let mut medium = bus(BusSpec::PERFECT, 2);
    let telegram = [0x10, 0x7B, 0x01, 0x7C, 0x16];
    medium.set_rate(Party::Slave(0), 9600);
    let out = medium.transmit(Party::Master, None, SimTime(0), 9600, &telegram);
    let found = all(&mut medium);
    assert_eq!(found[0].bytes, telegram);
    assert_eq!((found[0].to, found[0].bits_per_second), (Party::Slave(0), 9600));
    // At 2400 baud four bits are one: far fewer bytes, and other ones.
    let slow: Vec<&Arrival> = found.iter().filter(|one| one.to == Party::Slave(1)).collect();
    assert!(slow.iter().all(|one| one.bytes != telegram && one.at >= out), "{slow:?}");
    medium.transmit(Party::Slave(0), None, out, 9600, &telegram);
    assert_ne!(to_master(&all(&mut medium)), telegram);
    medium.set_rate(Party::Master, 9600);
    medium.transmit(Party::Slave(0), None, SimTime(out.0 * 3), 9600, &telegram);
    assert_eq!(to_master(&all(&mut medium)), telegram);
}

#[test]
fn who_is_not_there_sends_and_hears_nothing() {
    for spec in [read("m-bus", "").unwrap(), read("stream", "").unwrap()] {
        let mut medium = spec.open(1, SimTime(0), &stream(1));
        medium.set_rate(Party::Slave(9), 300);
        medium.transmit(Party::Slave(9), None, SimTime(0), 2400, &[1]);
        medium.transmit(Party::Slave(0), None, SimTime(0), 2400, &[]);
        assert_eq!(medium.next(), None);
    }
}

#[test]
fn a_sender_waits_for_itself_and_for_what_was_already_taken() {
    let mut medium = bus(BusSpec::PERFECT, 1);
    let first = medium.transmit(Party::Master, None, SimTime(0), 2400, &[1, 2]);
    let second = medium.transmit(Party::Master, None, SimTime(5), 2400, &[3, 4]);
    // 4 bytes of 11 bits at 2400 bit/s, each pair rounded down.
    assert_eq!((first.0, second.0), (9_166_666, 2 * 9_166_666));
    let arrivals = all(&mut medium);
    assert_eq!(arrivals.iter().map(|one| one.at).collect::<Vec<_>>(), [first, second]);
    // Nothing is sent before what has arrived already.
    let late = medium.transmit(Party::Slave(0), None, SimTime(0), 2400, &[1]);
    assert_eq!(late.0, second.0 + 4_583_333);
}

#[test]
fn what_is_sent_at_the_end_of_time_comes_to_an_end() {
    for spec in [read("m-bus", "").unwrap(), read("stream", "").unwrap()] {
        let mut medium = spec.open(2, SimTime(0), &stream(1));
        medium.set_rate(Party::Slave(1), 9600);
        for party in [Party::Master, Party::Slave(0), Party::Slave(1)] {
            medium.transmit(party, None, SimTime(i64::MAX - 9), 2400, &[1, 2]);
            medium.transmit(party, None, END, 2400, &[1, 2]);
        }
        assert!(all(&mut medium).len() < 20);
    }
}

fn radio(spec: RadioSpec, slaves: usize) -> Medium {
    MediumSpec::Radio(spec).open(slaves, SimTime(0), &stream(9))
}

const AIR: RadioSpec = RadioSpec { delay: SimDuration(5_000_000), loss: 0.0, duplicates: 0.0 };

#[test]
fn one_channel_is_shared_and_a_frame_takes_its_bits_and_the_delay() {
    let mut air = radio(AIR, 3);
    // 11 bytes and 39 around them at 250 kbit/s: 1.6 ms.
    let out = air.transmit(Party::Slave(1), None, SimTime(0), 0, &[7; 11]);
    assert_eq!(out, SimTime(1_600_000));
    let second = air.transmit(Party::Master, Some(2), SimTime(0), 0, &[8; 11]);
    assert_eq!(second, SimTime(3_200_000), "the channel was busy");
    let found: Vec<_> = all(&mut air).iter().map(|it| (it.to, it.lane, it.at.0)).collect();
    let expected = [(Party::Master, Some(1), 6_600_000), (Party::Slave(2), None, 8_200_000)];
    assert_eq!(found, expected);
    air.transmit(Party::Master, None, SimTime(10_000_000), 0, &[9]);
    let heard: Vec<Party> = all(&mut air).iter().map(|it| it.to).collect();
    assert_eq!(heard, [0, 1, 2].map(Party::Slave), "a broadcast");
    for nothing in [
        air.transmit(Party::Slave(3), None, SimTime(20_000_000), 0, &[1]),
        air.transmit(Party::Master, Some(3), SimTime(20_000_000), 0, &[1]),
        air.transmit(Party::Slave(0), None, SimTime(20_000_000), 0, &[]),
    ] {
        assert_eq!((nothing, air.next()), (SimTime(20_000_000), None));
    }
}

#[test]
fn frames_are_lost_and_doubled_in_their_shares_and_never_altered() {
    let mut air = radio(RadioSpec { loss: 0.2, duplicates: 0.1, ..AIR }, 2);
    let (mut once, mut twice, mut at) = (0, 0, SimTime(0));
    for frame in 0..10_000_u32 {
        at = air.transmit(Party::Slave(0), None, at, 0, &frame.to_be_bytes());
        match all(&mut air).as_slice() {
            [] => {}
            [one] if one.bytes == frame.to_be_bytes() => once += 1,
            [one, other] if one.bytes == other.bytes && one.at < other.at => twice += 1,
            others => panic!("{others:?}"),
        }
    }
    // 0.8 * 0.9 + 0.2 * 0.1 are received once, 0.8 * 0.1 twice; four standard deviations.
    assert!((once - 7_400_i32).abs() < 176, "{once}");
    assert!((twice - 800_i32).abs() < 109, "{twice}");
}

/// The instants at which parties of a CAN bus at 125 kbit/s have something to do with frames.
fn wire(medium: &mut Medium, until: SimTime) -> Vec<(i64, Party, Happening)> {
    let event = |medium: &mut Medium| match medium.pop(until)? {
        MediumEvent::Wire(event) => Some((event.at.0 / 8_000, event.party, event.what)),
        event => panic!("{event:?}"),
    };
    std::iter::from_fn(|| event(medium)).collect()
}

fn frame(identifier: u32, data: &[u8]) -> CanFrame {
    CanFrame::data(CanId::standard(identifier).unwrap(), data).unwrap()
}

#[test]
fn on_a_can_bus_all_hear_all_and_the_lowest_identifier_goes_first() {
    let Ok(spec @ MediumSpec::Can(_)) = read("can", "length_m = 500") else { panic!() };
    assert_eq!(spec.bits_per_second(), Some(125_000));
    let mut medium = spec.open(2, SimTime(0), &stream(1));
    let at = SimTime(8_000 * 1_000);
    let (low, high) = (frame(0x120, &[1; 8]), frame(0x240, &[2; 8]));
    let can = medium.can().unwrap();
    can.offer(Party::Master, at, Some(high));
    can.offer(Party::Slave(1), at, Some(low));
    let found = wire(&mut medium, SimTime(8_000 * 2_000));
    let of = |party: Party| -> Vec<(i64, Happening)> {
        found.iter().filter(|it| it.1 == party).map(|it| (it.0, it.2)).collect()
    };
    // A frame is heard by all when its end is out; the end that is known at its beginning would be
    // wrong for the one that lost.
    let first = 1_000 + i64::from(frame_bits(&low));
    let second = first + i64::from(INTERMISSION_BITS + frame_bits(&high));
    let [master, slave, other] = [Party::Master, Party::Slave(1), Party::Slave(0)].map(of);
    assert!(master.contains(&(1_003, Happening::LostArbitration)), "{master:?}");
    let is_near = |found: &[(i64, Happening)], bits: i64, what: Happening| {
        found.iter().any(|it| it.1 == what && (bits - 4..=bits).contains(&it.0))
    };
    assert!(is_near(&master, first, Happening::Received(low)), "{first} {master:?}");
    assert!(is_near(&slave, first, Happening::Sent(low)), "{first} {slave:?}");
    assert!(is_near(&master, second, Happening::Sent(high)), "{second} {master:?}");
    for heard in [low, high] {
        assert!(other.iter().any(|it| it.1 == Happening::Received(heard)), "{other:?}");
    }
    // Bytes are nothing that such a bus takes.
    assert_eq!(medium.transmit(Party::Master, None, at, 0, &[1]), at);
}

#[test]
fn a_party_without_its_supply_hears_nothing_until_it_has_it_again() {
    let Ok(spec) = read("can", "length_m = 500") else { panic!() };
    let mut medium = spec.open(2, SimTime(0), &stream(1));
    let at = |bits: i64| SimTime(8_000 * bits);
    for (changed, is_on, offered, hears) in
        [(1_000, true, 1_500, true), (2_000, false, 2_500, false), (3_000, true, 3_500, true)]
    {
        let can = medium.can().unwrap();
        can.set_supply(Party::Slave(0), at(changed), is_on);
        can.offer(Party::Master, at(offered), Some(frame(0x120, &[1; 8])));
        let found = wire(&mut medium, at(offered + 400));
        let heard = |slave| {
            let is_it = |what: &Happening| matches!(what, Happening::Received(_));
            found.iter().any(|it| it.1 == Party::Slave(slave) && is_it(&it.2))
        };
        assert_eq!((heard(0), heard(1)), (hears, true), "{changed}");
    }
}

#[test]
fn keys_of_a_can_bus_have_to_fit_together() {
    let refused = |keys: &str| read("can", keys).unwrap_err();
    assert_eq!(refused("bit_rate = 125001"), "S006");
    assert_eq!(refused("length_m = 501"), refused("bit_rate = 1000000\nlength_m = 41"));
    let Ok(MediumSpec::Can(spec)) = read("can", "bit_rate = 1000000\nlength_m = 40") else {
        panic!()
    };
    assert_eq!(spec.bits_per_second, 1_000_000);
}

#[test]
fn bits_in_error_come_at_their_rate_and_destroy_no_more_than_they_hit() {
    // Of n bits that all read wrongly none is left out: a frame of b bits is whole with the
    // probability (1-p)^b.
    let Ok(spec) = read("can", "bit_error_rate = 0.001") else { panic!() };
    let mut medium = spec.open(1, SimTime(0), &stream(5));
    let (mut sent, mut errors) = (0_i64, 0_i64);
    for round in 1..=3_000_i64 {
        let at = SimTime(round * 8_000 * 1_000);
        let data = (round as u64).to_be_bytes();
        medium.can().unwrap().offer(Party::Master, at, Some(frame(0x155, &data)));
        for (_, party, what) in wire(&mut medium, SimTime(at.0 + 8_000 * 999)) {
            sent += i64::from(matches!(what, Happening::Sent(_)));
            errors += i64::from(
                party == Party::Master && matches!(what, Happening::Error { is_sender: true, .. }),
            );
        }
    }
    assert_eq!(sent, 3_000, "each is sent again until it is out");
    // About 118 bits each: 3000 * (0.999^-118 - 1) attempts too many.
    assert!((280..=480).contains(&errors), "{errors}");
}

/// A bus of a master and two slaves to which something happens from 2000 to 6000 bits on, on which
/// the master sends a frame every 500 bits: what happened, in bits.
fn disturbed(fault: CanFault, party: Option<Party>) -> (Vec<(i64, Party, Happening)>, Medium) {
    let Ok(spec) = read("can", "detail = \"bits\"") else { panic!() };
    let mut medium = spec.open(2, SimTime(0), &stream(3));
    let (from, until) = (SimTime(8_000 * 2_000), SimTime(8_000 * 6_000));
    let it = CanDisturbance { fault, party, number: 2, from, until };
    medium.can().unwrap().disturb(&it, &stream(4));
    let mut found = Vec::new();
    for round in 1..20_i64 {
        let at = SimTime(round * 8_000 * 500);
        found.extend(wire(&mut medium, at));
        medium.can().unwrap().offer(Party::Master, at, Some(frame(0x100, &[round as u8])));
    }
    found.extend(wire(&mut medium, SimTime(8_000 * 12_000)));
    (found, medium)
}

fn receptions(found: &[(i64, Party, Happening)], by: Party) -> Vec<i64> {
    let is_one =
        |it: &&(i64, Party, Happening)| it.1 == by && matches!(it.2, Happening::Received(_));
    found.iter().filter(is_one).map(|it| it.0).collect()
}

#[test]
fn a_cut_bus_is_two_and_whoever_is_alone_is_not_acknowledged() {
    let during = |found: &[(i64, Party, Happening)], by| {
        receptions(found, by).iter().filter(|at| (2_000..6_000).contains(*at)).count()
    };
    let (found, _) = disturbed(CanFault::Cut, Some(Party::Slave(1)));
    assert_eq!([0, 1].map(|slave| during(&found, Party::Slave(slave))), [8, 0]);
    let (found, _) = disturbed(CanFault::Cut, Some(Party::Slave(0)));
    assert_eq!([0, 1].map(|slave| during(&found, Party::Slave(slave))), [0, 0]);
    let is_unacknowledged = |it: &(i64, Party, Happening)| {
        let kind = ErrorKind::Acknowledge;
        it.1 == Party::Master && it.2 == Happening::Error { kind, is_sender: true }
    };
    let count = found.iter().filter(|it| is_unacknowledged(it)).count();
    assert!(count > 16, "{count}");
    assert_eq!(receptions(&found, Party::Slave(0)).len(), 19 - 8, "each is offered for the last");
}

/// Nobody is at the spare node, which would acknowledge what the last slave sends.
#[test]
fn behind_the_last_slave_nobody_acknowledges() {
    let Ok(spec) = read("can", "") else { panic!() };
    let mut medium = spec.open(2, SimTime(0), &stream(3));
    let (from, until) = (SimTime(8_000 * 2_000), SimTime(8_000 * 6_000));
    let party = Some(Party::Slave(1));
    let it = CanDisturbance { fault: CanFault::Cut, party, number: 2, from, until };
    let can = medium.can().unwrap();
    can.disturb(&it, &stream(4));
    can.offer(Party::Slave(1), SimTime(8_000 * 3_000), Some(frame(0x222, &[1])));
    let found = wire(&mut medium, SimTime(8_000 * 12_000));
    let sent = found.iter().find(|it| matches!(it.2, Happening::Sent(_))).unwrap();
    assert!(sent.1 == Party::Slave(1) && sent.0 > 6_000, "{sent:?}");
}

#[test]
fn nobody_sends_while_a_level_stays_and_all_do_afterwards() {
    for (fault, party) in [
        (CanFault::Babble, Some(Party::Slave(0))),
        (CanFault::Short { is_recessive: false }, None),
        (CanFault::Short { is_recessive: true }, None),
    ] {
        let (found, _) = disturbed(fault, party);
        for slave in [0, 1].map(Party::Slave) {
            let at = receptions(&found, slave);
            assert!(!at.iter().any(|at| (2_010..6_000).contains(at)), "{fault:?} {at:?}");
            assert!(at.iter().filter(|at| **at > 6_000).count() >= 6, "{fault:?} {at:?}");
        }
    }
}

#[test]
fn bits_in_error_begin_and_end_with_their_time() {
    let (found, _) = disturbed(CanFault::BitErrors { rate: 0.02 }, None);
    let errors = found.iter().filter(|it| matches!(it.2, Happening::Error { .. }));
    let at: Vec<i64> = errors.map(|it| it.0).collect();
    assert!(at.len() > 20, "{at:?}");
    assert!(at.iter().all(|at| (2_000..6_040).contains(at)), "{at:?}");
}

/// The attacker offers empty frames under the identifier under which the slave answers with data:
/// both begin together, the slave finds errors and is bus-off until the attack is over.
#[test]
fn an_attacker_is_one_more_node_until_its_time_is_over() {
    let Ok(spec) = read("can", "") else { panic!() };
    let mut medium = spec.open(2, SimTime(0), &stream(3));
    let attack = CanAttack {
        attack: Attack::Suppress,
        protection: Protection::None,
        register: 0x10,
        elsewhere: 0,
        times: u64::MAX,
        pause: SimDuration::ZERO,
    };
    let (from, until) = (SimTime(8_000 * 2_000), SimTime(8_000 * 20_000));
    let party = Some(Party::Slave(1));
    let it = CanDisturbance { fault: CanFault::Attack(attack), party, number: 2, from, until };
    medium.can().unwrap().disturb(&it, &stream(4));
    let answer = frame(0x10 << 5 | 2, &[7; 8]);
    medium.can().unwrap().offer(Party::Slave(1), SimTime(8_000 * 5_000), Some(answer));
    let (mut states, mut sent, mut reports) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(event) = medium.pop(SimTime(8_000 * 40_000)) {
        match event {
            MediumEvent::Wire(WireEvent { party: Party::Slave(1), at, what, .. }) => match what {
                Happening::State(state) => states.push((at.0 / 8_000, state)),
                Happening::Sent(_) => sent.push(at.0 / 8_000),
                _ => {}
            },
            MediumEvent::Attacked(report) => reports.push(report),
            _ => {}
        }
    }
    assert!(states.iter().any(|it| it.1 == ErrorState::BusOff), "{states:?}");
    let first = states[0].0;
    assert!((5_000..6_000).contains(&first), "not before it has something to send: {states:?}");
    assert!(sent.len() == 1 && sent[0] > 20_000, "{sent:?}");
    let [report] = reports[..] else { panic!("{reports:?}") };
    assert_eq!((report.at, report.party, report.destroyed), (until, party, 0));
    // An empty frame has 44 bits, stuff bits, and a pause of 3.
    assert!((300..18_000 / 47).contains(&report.sent), "{report:?}");
}
