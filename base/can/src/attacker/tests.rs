//! What the attacker makes of what it hears, and when; on a bus with verification it is tested in
//! the package's `tests/attacks.rs`.

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::bus::ErrorCounters;

const TARGET: u32 = 0x231;

fn target() -> CanId {
    CanId::standard(TARGET).unwrap()
}

fn attacker(attack: Attack, protection: Protection) -> Attacker {
    let plan = AttackPlan {
        attack,
        protection,
        target: target(),
        elsewhere: CanId::standard(TARGET + 1).unwrap(),
        start: SimTime(1_000),
        times: 3,
        pause: SimDuration(50),
        bit: SimDuration(8),
    };
    let mut state = 1_u64;
    Attacker::new(plan, 5, move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.rotate_left(23)
    })
}

fn event(at: i64, node: usize, what: Happening) -> BusEvent {
    BusEvent { at: SimTime(at), node, what, counters: ErrorCounters::default() }
}

/// The attacker hears frames before its start.
fn hears(attacker: &mut Attacker, frames: &[&str]) {
    for frame in frames {
        attacker.follow(&event(10, 5, Happening::Received(frame.parse().unwrap())));
    }
}

/// What it sends at each of its times, once its start has come.
fn sends(attacker: &mut Attacker) -> Vec<String> {
    let mut all = Vec::new();
    attacker.wake(SimTime(1_000));
    let mut now = 1_000;
    while let Some(frame) = attacker.offer() {
        now += 100;
        all.push(frame.to_string());
        attacker.follow(&event(now, 5, Happening::Begun(frame)));
        attacker.follow(&event(now, 5, Happening::Sent(frame)));
        attacker.wake(SimTime(now + 50));
    }
    assert!(attacker.is_over());
    all
}

#[test]
fn it_listens_until_its_start_and_pauses_behind_each_time() {
    let mut attacker = attacker(Attack::ReplayLast, Protection::Compact);
    assert_eq!(attacker.next(), None);
    hears(&mut attacker, &["231#0011223301AABBCC", "232#0011223301AABBCC", "231#R8"]);
    assert_eq!((attacker.next(), attacker.offer()), (Some(SimTime(1_000)), None));
    attacker.wake(SimTime(999));
    assert_eq!(attacker.offer(), None);
    attacker.wake(SimTime(1_000));
    let frame = attacker.offer().unwrap();
    assert_eq!(frame.to_string(), "231#0011223301AABBCC");
    assert_eq!(attacker.next(), None);
    attacker.follow(&event(1_100, 5, Happening::LostArbitration));
    assert_eq!(attacker.offer(), Some(frame));
    attacker.follow(&event(1_200, 5, Happening::Sent(frame)));
    assert_eq!((attacker.next(), attacker.sent()), (Some(SimTime(1_250)), 1));
}

#[test]
fn recordings_are_sent_as_they_were_heard() {
    let [a, b] = ["231#00112233445566AA 631#0101010203040506", "231#00112233445566BB 631#0102A1"]
        .map(|text| text.split(' ').collect::<Vec<_>>());
    let cases = [
        (Attack::ReplayLast, [&b[..], &b, &b].concat()),
        (Attack::ReplayOld, [&a[..], &a, &a].concat()),
        (Attack::Reorder, [&b[..], &a, &b, &a, &b, &a].concat()),
        (Attack::MacAlone, vec![b[1]; 3]),
        (Attack::Transplant, ["232#00112233445566BB", "632#0102A1"].repeat(3)),
        (Attack::Flood, vec!["000#0000000000000000"; 3]),
        (Attack::Suppress, vec!["231#"; 3]),
    ];
    for (attack, expected) in cases {
        let mut attacker = attacker(attack, Protection::Strong);
        hears(&mut attacker, &[&a[..], &b].concat());
        assert_eq!(sends(&mut attacker), expected, "{attack}");
        assert_eq!(attacker.sent(), expected.len() as u64);
    }
}

/// A frame whose second one was missed is part of no message.
#[test]
fn what_is_not_whole_is_not_recorded() {
    let mut attacker = attacker(Attack::ReplayLast, Protection::Strong);
    hears(&mut attacker, &["631#01", "231#0A", "231#0B", "231#0B", "631#02", "231#0C"]);
    assert_eq!(sends(&mut attacker), ["231#0B", "631#02"].repeat(3));
}

/// An attack that a protection has no place for is over without a frame.
#[test]
fn what_cannot_be_done_is_over_at_once() {
    for (attack, protection) in [
        (Attack::FlipMac, Protection::None),
        (Attack::MacAlone, Protection::Compact),
        (Attack::Extend, Protection::Strong),
    ] {
        let mut attacker = attacker(attack, protection);
        hears(&mut attacker, &["231#0011223301AABBCC", "631#0011223344556677"]);
        assert!(!attacker.is_over());
        assert_eq!(sends(&mut attacker), Vec::<String>::new());
    }
}

#[test]
fn the_counter_of_a_guess_is_the_next_one() {
    for (protection, heard, places, counter) in [
        (Protection::Compact, &["231#00112233FFAABBCC"][..], 4..5, &[0][..]),
        (Protection::Strong, &["231#0011", "631#00FF030405060708"], 2..4, &[1, 0]),
        (
            Protection::Paper,
            &["231#0011223344556677", "631#000000FF01020304"],
            8..12,
            &[0, 0, 1, 0],
        ),
    ] {
        let mut attacker = attacker(Attack::GuessMac, protection);
        hears(&mut attacker, heard);
        let frames = attacker.frames();
        let texts = frames.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (sent, heard) in texts.iter().zip(heard) {
            assert!(sent.starts_with(&heard[..4]) && sent.len() == heard.len() && sent != heard);
        }
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes().to_vec()).collect();
        assert_eq!(&bytes[places], counter);
    }
}

#[test]
fn an_extended_hash_is_that_of_the_whole() {
    for length in [8, 16, 37, 55, 56, 63, 64] {
        let hashed = vec![7_u8; length];
        let whole = [hashed.clone(), forge::padding(length), b"more".to_vec()].concat();
        let rest = [b"more".to_vec(), forge::padding(whole.len())].concat();
        let continued = forge::continued(Sha256::digest(&hashed).into(), &rest);
        assert_eq!(continued, <[u8; 32]>::from(Sha256::digest(whole)), "{length}");
    }
}

/// A poll is what it waits for where it has heard one.
#[test]
fn suppression_waits_for_a_poll_where_there_are_such() {
    let mut attacker = attacker(Attack::Suppress, Protection::None);
    assert_eq!(attacker.next(), Some(SimTime(1_000)));
    hears(&mut attacker, &["231#R8"]);
    assert_eq!(attacker.next(), None);
    attacker.follow(&event(2_000, 5, Happening::Received("231#R8".parse().unwrap())));
    assert_eq!(attacker.offer().unwrap().to_string(), "231#");
}

#[test]
fn it_drives_the_acknowledge_delimiter_of_the_targets_frame_only() {
    let mut attacker = attacker(Attack::DropReplay, Protection::None);
    let [own, other] = ["231#00", "230#00"].map(|text| text.parse::<CanFrame>().unwrap());
    attacker.follow(&event(900, 1, Happening::Begun(own)));
    attacker.follow(&event(2_000, 2, Happening::Begun(other)));
    assert_eq!(attacker.next(), None);
    attacker.follow(&event(2_000, 1, Happening::Begun(own)));
    assert!(attacker.next().is_some());
    attacker.follow(&event(2_088, 1, Happening::LostArbitration));
    assert_eq!(attacker.next(), None);
    // 34 bits and 8 of data, and so many stuffed; CRC delimiter and acknowledge slot behind them.
    attacker.follow(&event(3_000, 1, Happening::Begun(own)));
    let stuffed = WireBits::of(&own).len() as i64 - 42;
    let at = 3_000 - 8 + 8 * (42 + stuffed + 2);
    assert_eq!(attacker.next(), Some(SimTime(at)));
    attacker.wake(SimTime(at));
    let drive = |does| Change::Babble(5, does);
    let changes = [(SimTime(at), drive(true)), (SimTime(at + 8), drive(false))];
    assert_eq!(attacker.take_changes(), changes);
    assert_eq!((attacker.destroyed(), attacker.take_changes()), (1, vec![]));
    // It is destroyed again, and another one passes.
    attacker.follow(&event(4_000, 1, Happening::Begun(own)));
    assert!(attacker.next().is_some());
    attacker.follow(&event(5_000, 1, Happening::Begun("231#01".parse().unwrap())));
    attacker.follow(&event(5_500, 5, Happening::Received("231#01".parse().unwrap())));
    assert_eq!(attacker.offer(), Some(own));
}

fn happening() -> impl Strategy<Value = Happening> {
    let near = (0..4_u32, prop::collection::vec(any::<u8>(), 0..9)).prop_map(|(which, bytes)| {
        let id = [TARGET, TARGET + 0x400, 961, 1985][which as usize];
        CanFrame::data(CanId::standard(id).unwrap(), &bytes).unwrap()
    });
    let frame = prop_oneof![near, crate::tests::frame()];
    (frame, 0..4).prop_map(|(frame, which)| match which {
        0 => Happening::Begun(frame),
        1 => Happening::Sent(frame),
        2 => Happening::LostArbitration,
        _ => Happening::Received(frame),
    })
}

proptest! {
    #[test]
    fn one_bit_is_flipped_in_the_part_that_is_named(
        is_mac: bool,
        protection in prop::sample::select(vec![Protection::Compact, Protection::Strong]),
        times in 0..40,
    ) {
        let attack = if is_mac { Attack::FlipMac } else { Attack::FlipData };
        let mut attacker = attacker(attack, protection);
        hears(&mut attacker, &["231#0000000000000000", "631#0000000000000000"]);
        let (data, mac) = if protection == Protection::Strong { (0..8, 10..16) } else { (0..4, 5..8) };
        for _ in 0..times {
            let frames = attacker.frames();
            let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes().to_vec()).collect();
            let part = if is_mac { mac.clone() } else { data.clone() };
            let ones = |bytes: &[u8]| bytes.iter().map(|byte| byte.count_ones()).sum::<u32>();
            prop_assert_eq!((ones(&bytes), ones(&bytes[part])), (1, 1));
        }
    }

    #[test]
    fn no_events_panic_or_pile_up(
        attack in prop::sample::select(Attack::ALL.to_vec()),
        protection in prop::sample::select(Protection::ALL.to_vec()),
        events in prop::collection::vec((0..400_i64, 4..6_usize, happening()), 0..300),
    ) {
        let (mut attacker, mut at) = (attacker(attack, protection), 0);
        for (after, node, what) in events {
            at += after;
            attacker.follow(&event(at, node, what));
            prop_assert!(attacker.kept.len() <= KEPT_MAX && attacker.dropped.len() <= KEPT_MAX);
            prop_assert!(attacker.queue.len() <= 2 * PAPER_FRAMES_MAX + 8);
            prop_assert!(attacker.next().is_none_or(|next| next.0 > at));
        }
    }
}
