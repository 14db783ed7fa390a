//! The bus frame by frame and bit by bit: rules by hand, and both beside each other.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::frame::CanId;
use crate::wire::{ErrorKind, frame_bits};

/// Of a bus with 125 kbit/s.
const BIT: SimDuration = SimDuration(8_000);

fn data(id: u32, bytes: &[u8]) -> CanFrame {
    CanFrame::data(CanId::standard(id).unwrap(), bytes).unwrap()
}

fn remote(id: u32, dlc: u8) -> CanFrame {
    CanFrame::remote(CanId::standard(id).unwrap(), dlc).unwrap()
}

fn bit(count: i64) -> SimTime {
    SimTime(count * BIT.0)
}

/// Nodes that listen from the instant 0 on.
fn listening(detail: Detail, nodes: usize) -> Bus {
    let mut bus = Bus::new(detail, BIT, bit(-11), nodes);
    assert_eq!(bus.pop(bit(0)), None);
    bus
}

fn all(bus: &mut Bus, until: SimTime) -> Vec<BusEvent> {
    std::iter::from_fn(|| bus.pop(until)).collect()
}

fn both(check: impl Fn(Detail)) {
    [Detail::Bits, Detail::Frames].into_iter().for_each(check);
}

#[test]
fn a_frame_takes_its_bits_and_is_received_one_bit_before_its_end() {
    both(|detail| {
        let mut bus = listening(detail, 3);
        let frame = data(0x201, &[1, 2, 3, 4, 5, 6, 7, 8]);
        bus.offer(1, SimTime(12_345), Some(frame));
        let end = SimTime(12_345 + BIT.0 * i64::from(frame_bits(&frame)));
        let valid = SimTime(end.0 - BIT.0);
        let event =
            |at, node, what| BusEvent { at, node, what, counters: ErrorCounters::default() };
        let expected = [
            event(SimTime(20_345), 1, Happening::Begun(frame)),
            event(valid, 0, Happening::Received(frame)),
            event(valid, 2, Happening::Received(frame)),
            event(end, 1, Happening::Sent(frame)),
        ];
        assert_eq!(all(&mut bus, bit(1_000)), expected);
    });
}

#[test]
fn the_lower_identifier_wins_and_a_data_frame_does_before_a_remote_frame() {
    both(|detail| {
        let mut bus = listening(detail, 4);
        let extended = CanFrame::data(CanId::extended(0x100 << 18).unwrap(), &[7]).unwrap();
        let frames = [remote(0x100, 8), data(0x100, &[1]), data(0x0FF, &[2]), extended];
        for (node, frame) in frames.into_iter().enumerate() {
            bus.offer(node, bit(3), Some(frame));
        }
        let events = all(&mut bus, bit(2_000));
        let sent = events.iter().filter_map(|event| match event.what {
            Happening::Sent(frame) => Some(frame),
            _ => None,
        });
        let order = [frames[2], frames[1], frames[0], frames[3]];
        assert_eq!(sent.collect::<Vec<_>>(), order);
        // 0x0FF and 0x100 differ in their third bit, that of an identifier's 9: of five equal bits
        // from the start on there are but two.
        let lost = events.iter().find(|event| event.what == Happening::LostArbitration);
        assert_eq!(lost.map(|event| event.at), Some(bit(3 + 4)));
        // The next one begins three bits behind the first.
        let begun = events.iter().filter(|event| event.what == Happening::Begun(frames[1]));
        let second = 3 + i64::from(frame_bits(&frames[2])) + 3 + 1;
        assert_eq!(begun.map(|event| event.at).collect::<Vec<_>>(), [bit(4), bit(second)]);
    });
}

#[test]
fn a_lone_node_becomes_error_passive_and_stays_so() {
    both(|detail| {
        let mut bus = listening(detail, 1);
        bus.offer(0, bit(0), Some(data(5, &[1])));
        let events = all(&mut bus, bit(125_000));
        assert_eq!(bus.counters(0).transmit(), 128);
        assert_eq!(bus.counters(0).state(), ErrorState::Passive);
        let errors = events.iter().filter(|it| matches!(it.what, Happening::Error { .. }));
        let kinds: Vec<_> = errors.map(|event| event.what).collect();
        assert!(kinds.len() > 1_000, "{}", kinds.len());
        let missing = Happening::Error { kind: ErrorKind::Acknowledge, is_sender: true };
        assert!(kinds.iter().all(|kind| *kind == missing));
        // A second node gets its frame at last, and the first one becomes error-active by sending.
        let mut bus = listening(detail, 2);
        bus.schedule(bit(0), Change::Supply(1, false));
        bus.schedule(bit(50_000), Change::Supply(1, true));
        bus.offer(0, bit(10), Some(data(5, &[1])));
        let events = all(&mut bus, bit(125_000));
        let sent = events.iter().filter(|event| matches!(event.what, Happening::Sent(_))).count();
        assert_eq!((sent, bus.counters(0).transmit()), (1, 127));
        assert_eq!(bus.counters(0).state(), ErrorState::Active);
    });
}

/// From the first bit of a disturbed frame on to that of the next attempt.
fn attempts(events: &[BusEvent], node: usize) -> Vec<i64> {
    let begun = events.iter().filter(|event| event.node == node);
    let begun = begun.filter(|event| matches!(event.what, Happening::Begun(_)));
    begun.map(|event| event.at.0 / BIT.0 - 1).collect()
}

#[test]
fn an_error_takes_17_to_23_bits_until_the_frame_is_sent_again() {
    both(|detail| {
        let frame = data(0x155, &[0x55; 8]);
        let length = i64::from(frame_bits(&frame));
        let mut shown = BTreeMap::new();
        let flips = [Change::FlipAll, Change::Flip(0), Change::Flip(1), Change::Flip(2)];
        for (flip, place) in flips.iter().flat_map(|flip| (1..length).map(move |at| (flip, at))) {
            let mut bus = listening(detail, 3);
            bus.offer(0, bit(0), Some(frame));
            bus.schedule(bit(place), *flip);
            let events = all(&mut bus, bit(1_000));
            let attempts = attempts(&events, 0);
            let sent = events.iter().filter(|it| it.what == Happening::Sent(frame)).count();
            let error = events.iter().find(|it| matches!(it.what, Happening::Error { .. }));
            let Some(error) = error else {
                // What a receiver reads in the last bit is nothing to it.
                assert_eq!((attempts.len(), sent), (1, 1), "{flip:?} at {place}");
                continue;
            };
            assert_eq!((attempts.len(), sent), (2, 1), "{flip:?} at {place}: {events:?}");
            *shown.entry(attempts[1] - error.at.0 / BIT.0).or_insert(0) += 1;
        }
        // Flag 6, delimiter 8, pause 3; six more bits at most of the flags of the others.
        let bounds = (*shown.keys().next().unwrap(), *shown.keys().last().unwrap());
        assert_eq!(bounds, (17, 23), "{shown:?}");
    });
}

#[test]
fn a_receiver_that_misses_the_last_but_one_bit_gets_the_frame_twice_at_the_others() {
    both(|detail| {
        let mut bus = listening(detail, 3);
        let frame = data(0x123, &[9]);
        let length = i64::from(frame_bits(&frame));
        bus.offer(0, bit(0), Some(frame));
        bus.schedule(bit(length - 2), Change::Flip(1));
        let events = all(&mut bus, bit(1_000));
        let received = |node| {
            let its = events.iter().filter(|event| event.node == node);
            its.filter(|event| event.what == Happening::Received(frame)).count()
        };
        assert_eq!((received(1), received(2)), (1, 2));
    });
}

#[test]
fn a_node_comes_back_from_bus_off_after_128_times_11_recessive_bits() {
    both(|detail| {
        for is_automatic in [true, false] {
            let mut bus = listening(detail, 2);
            bus.set_recovery(0, is_automatic);
            bus.offer(0, bit(0), Some(data(1, &[])));
            // What it drives is not seen, by itself either.
            bus.schedule(bit(0), Change::Hold(true));
            bus.schedule(bit(500), Change::Release);
            bus.schedule(bit(20_000), Change::Recover(0));
            let events = all(&mut bus, bit(30_000));
            let of = |state| {
                let found = events.iter().find(|it| it.what == Happening::State(state));
                found.map(|event| event.at.0 / BIT.0).unwrap()
            };
            let off = of(ErrorState::BusOff);
            // Of 32 errors 17 are in the first frame and its flags, of which the last is passive;
            // then each attempt takes start, flag 6, delimiter 8, pause 3 and suspension 8.
            assert_eq!(off, 17 + 6 + 8 + 3 + 8 + 14 * 26 + 1);
            // Each of them is shown.
            let shown = |it: &&BusEvent| matches!(it.what, Happening::Error { .. });
            assert_eq!(events.iter().filter(shown).count(), 32);
            let since = if is_automatic { off } else { 20_000 };
            let back = events.iter().rfind(|it| it.what == Happening::State(ErrorState::Active));
            assert_eq!(back.unwrap().at, bit(since + 128 * 11));
            assert_eq!(events.last().unwrap().what, Happening::Sent(data(1, &[])));
            assert_eq!(bus.counters(0), ErrorCounters::default());
        }
    });
}

#[test]
fn requests_of_one_identifier_and_two_lengths_destroy_each_other_16_times() {
    both(|detail| {
        let mut bus = listening(detail, 3);
        bus.offer(0, bit(0), Some(remote(0x40, 8)));
        bus.offer(1, bit(0), Some(remote(0x40, 4)));
        let events = all(&mut bus, bit(1_000));
        let first = events.iter().position(|it| matches!(it.what, Happening::Sent(_))).unwrap();
        let (before, sent) = (&events[..first], &events[first]);
        // 8 is 1000 and 4 is 0100: the first one drives recessive where the second one does not,
        // until it is error-passive and its flag is not seen.
        assert_eq!((sent.node, sent.what), (1, Happening::Sent(remote(0x40, 4))));
        let errors = |node, kind| {
            let error = Happening::Error { kind, is_sender: true };
            before.iter().filter(|event| event.node == node && event.what == error).count()
        };
        assert_eq!([errors(0, ErrorKind::Bit), errors(1, ErrorKind::Bit)], [17, 16]);
        // Of one length they are one frame.
        let mut bus = listening(detail, 3);
        bus.offer(0, bit(0), Some(remote(0x40, 8)));
        bus.offer(1, bit(0), Some(remote(0x40, 8)));
        let events = all(&mut bus, bit(1_000));
        let received = |it: &&BusEvent| matches!(it.what, Happening::Received(_));
        let sent = |it: &&BusEvent| matches!(it.what, Happening::Sent(_));
        assert_eq!(events.iter().filter(received).count(), 1);
        assert_eq!(events.iter().filter(sent).count(), 2);
    });
}

#[test]
fn behind_a_cut_nobody_hears_and_a_babbling_node_silences_all() {
    both(|detail| {
        let frame = data(0x99, &[1, 2]);
        let mut bus = listening(detail, 4);
        bus.schedule(bit(0), Change::Cut(2));
        bus.schedule(bit(5_000), Change::Mend);
        bus.offer(0, bit(1), Some(frame));
        let events = all(&mut bus, bit(5_000));
        let received = |events: &[BusEvent]| {
            let them = events.iter().filter(|it| it.what == Happening::Received(frame));
            them.map(|event| event.node).collect::<Vec<_>>()
        };
        assert_eq!(received(&events), [1]);
        bus.offer(3, bit(5_000), Some(frame));
        assert_eq!(received(&all(&mut bus, bit(6_000))), [0, 1, 2]);
        bus.schedule(bit(6_000), Change::Babble(2, true));
        bus.schedule(bit(16_000), Change::Babble(2, false));
        bus.offer(0, bit(6_000), Some(frame));
        let events = all(&mut bus, bit(16_000));
        assert_eq!(received(&events), []);
        assert!(events.iter().any(|it| it.what == Happening::State(ErrorState::Passive)));
        assert_eq!(received(&all(&mut bus, bit(20_000))), [1, 2, 3]);
    });
}

#[test]
fn the_next_instant_is_that_of_what_comes_first() {
    both(|detail| {
        let mut bus = Bus::new(detail, BIT, bit(0), 2);
        bus.offer(0, bit(300), Some(data(1, &[])));
        // Both integrate.
        assert_eq!((bus.next(), bus.pop(bit(11))), (Some(bit(11)), None));
        assert_eq!((bus.next(), bus.pop(bit(300))), (Some(bit(301)), None));
        // One recovers from bus-off, and the other one has something to send.
        let mut bus = listening(detail, 3);
        bus.schedule(bit(0), Change::Hold(true));
        bus.schedule(bit(500), Change::Release);
        bus.offer(0, bit(0), Some(data(1, &[])));
        while bus.pop(bit(600)).is_some() {}
        bus.offer(1, bit(700), Some(data(2, &[])));
        assert_eq!(bus.next(), Some(bit(701)));
        assert_eq!(bus.pop(bit(701)).map(|event| event.at), Some(bit(701)));
    });
}

#[test]
fn who_offers_again_has_waited_since_it_did_first() {
    both(|detail| {
        let mut bus = listening(detail, 2);
        let (urgent, patient) = (data(0x010, &[]), data(0x700, &[]));
        bus.offer(0, bit(20), Some(urgent));
        bus.offer(1, bit(20), Some(patient));
        let half = SimTime(bit(20).0 + BIT.0 / 2);
        assert_eq!(bus.pop(half), None);
        bus.offer(0, half, Some(urgent));
        let events = all(&mut bus, bit(500));
        let sent = events.iter().filter(|event| matches!(event.what, Happening::Sent(_)));
        let sent: Vec<_> = sent.map(|event| event.what).collect();
        assert_eq!(sent, [Happening::Sent(urgent), Happening::Sent(patient)]);
        assert_eq!(attempts(&events, 0), [20]);
        // The same frame once more, while it is on the wire, is another one.
        bus.offer(0, bit(1_000), Some(urgent));
        while bus.pop(bit(1_030)).is_some() {}
        bus.offer(0, bit(1_030), Some(urgent));
        let events = all(&mut bus, bit(2_000));
        assert_eq!(events.iter().filter(|it| it.what == Happening::Sent(urgent)).count(), 2);
    });
}

#[test]
fn what_is_offered_without_supply_waits_for_it() {
    both(|detail| {
        let mut bus = listening(detail, 2);
        bus.schedule(bit(10), Change::Supply(0, false));
        bus.schedule(bit(100), Change::Supply(0, true));
        assert_eq!(bus.pop(bit(100)), None);
        bus.offer(0, bit(100), Some(data(1, &[])));
        assert_eq!(attempts(&all(&mut bus, bit(500)), 0), [111]);
    });
}

/// Bosch CAN 2.0, part B, 3.2.5: a dominant bit in the third place of the intermission is the start
/// of a frame, also of that of a node that has one.
#[test]
fn a_node_that_waits_takes_a_disturbed_pause_for_the_start_of_its_frame() {
    both(|detail| {
        let mut bus = listening(detail, 3);
        let (first, second) = (data(1, &[1]), data(2, &[2]));
        let length = i64::from(frame_bits(&first));
        bus.offer(0, bit(0), Some(first));
        bus.offer(1, bit(5), Some(second));
        bus.schedule(bit(length + 2), Change::FlipAll);
        let events = all(&mut bus, bit(500));
        assert_eq!(attempts(&events, 1), [length + 2]);
        assert!(events.iter().all(|event| !matches!(event.what, Happening::Error { .. })));
    });
}

#[test]
fn a_receiver_that_does_not_see_its_own_acknowledgement_has_found_an_error() {
    both(|detail| {
        let mut bus = listening(detail, 3);
        let frame = data(1, &[1]);
        let slot = i64::from(frame_bits(&frame)) - 9;
        bus.offer(0, bit(0), Some(frame));
        bus.schedule(bit(slot), Change::Flip(1));
        let events = all(&mut bus, bit(500));
        let error = events.iter().find(|it| matches!(it.what, Happening::Error { .. })).unwrap();
        let expected = Happening::Error { kind: ErrorKind::Bit, is_sender: false };
        assert_eq!((error.node, error.at, error.what), (1, bit(slot + 1), expected));
        assert_eq!(error.counters.receive(), 1);
        assert_eq!(attempts(&events, 0).len(), 2);
    });
}

#[test]
fn who_only_listens_acknowledges_nothing_and_disturbs_nobody() {
    both(|detail| {
        let mut bus = listening(detail, 2);
        bus.set_only_listening(1, true);
        bus.offer(0, bit(0), Some(data(1, &[])));
        bus.offer(1, bit(0), Some(data(2, &[])));
        let events = all(&mut bus, bit(10_000));
        let missing = Happening::Error { kind: ErrorKind::Acknowledge, is_sender: true };
        let of_sender = events.iter().filter(|event| event.node == 0);
        let errors = of_sender.filter(|it| matches!(it.what, Happening::Error { .. }));
        assert!(errors.clone().count() > 50);
        assert!(errors.clone().all(|event| event.what == missing));
        assert_eq!(attempts(&events, 1), []);
        // With a third one it hears what that acknowledges.
        let mut bus = listening(detail, 3);
        bus.set_only_listening(1, true);
        bus.offer(0, bit(0), Some(data(1, &[])));
        let events = all(&mut bus, bit(500));
        let received = Happening::Received(data(1, &[]));
        assert_eq!(events.iter().filter(|event| event.what == received).count(), 2);
    });
}

#[test]
fn noise_begins_when_it_is_made_and_time_has_an_end() {
    both(|detail| {
        let mut bus = listening(detail, 2);
        assert_eq!(bus.pop(bit(1_000_000)), None);
        let gap = Box::new(|| SimDuration(10 * BIT.0));
        bus.disturb(bit(0), Noise { node: Some(0), gap });
        let first = bus.pop(bit(1_000_100)).unwrap();
        assert_eq!(first.at, bit(1_000_017));
        let mut bus = Bus::new(detail, BIT, bit(-11), 2);
        assert_eq!(bus.pop(SimTime(i64::MAX)), None);
        bus.offer(0, bit(5), Some(data(1, &[])));
        assert_eq!(bus.pop(SimTime(i64::MAX)), None);
    });
}

/// Who finds an error first counts 1 and 8, since the others' flags are behind its own; one that is
/// error-passive is at 119 after a frame (rules 1, 2 and 8).
#[test]
fn who_finds_an_error_first_counts_the_most() {
    both(|detail| {
        let mut bus = listening(detail, 3);
        let frame = data(1, &[1]);
        let delimiter = i64::from(frame_bits(&frame)) - 10;
        let mut counted = Vec::new();
        for start in (0..17).map(|it| it * 1_000) {
            bus.offer(0, bit(start), Some(frame));
            bus.schedule(bit(start + delimiter), Change::Flip(1));
            while bus.pop(bit(start + 999)).is_some() {}
            counted.push(bus.counters(1).receive());
            assert_eq!(bus.counters(2).receive(), 0);
        }
        let rising = (1..=15).map(|it| it * 8);
        assert_eq!(counted[..15], rising.collect::<Vec<_>>());
        assert_eq!(counted[15..], [119, 119]);
    });
}

/// A frame counts as received with its acknowledgement, whatever becomes of its end (rule 8).
#[test]
fn what_was_acknowledged_counts_also_if_its_end_is_wrong() {
    both(|detail| {
        let mut bus = listening(detail, 3);
        let frame = data(1, &[1]);
        let length = i64::from(frame_bits(&frame));
        bus.offer(0, bit(0), Some(frame));
        bus.schedule(bit(length - 10), Change::Flip(1));
        while bus.pop(bit(900)).is_some() {}
        assert_eq!(bus.counters(1).receive(), 8);
        bus.offer(0, bit(1_000), Some(frame));
        bus.schedule(bit(1_000 + length - 5), Change::Flip(1));
        let events = all(&mut bus, bit(1_000 + length - 4));
        let error = events.iter().find(|it| matches!(it.what, Happening::Error { .. })).unwrap();
        assert_eq!((error.node, error.counters.receive()), (1, 8));
    });
}

/// The stuff bit in front of RTR, and the one behind it (rule 3, exception 2).
#[test]
fn a_stuff_bit_that_is_disturbed_in_the_arbitration_is_not_counted() {
    both(|detail| {
        for (place, kind, counted) in [(5, ErrorKind::Stuff, 0), (14, ErrorKind::Bit, 8)] {
            let mut bus = listening(detail, 2);
            bus.offer(0, bit(0), Some(data(0x010, &[1])));
            bus.schedule(bit(place), Change::FlipAll);
            let events = all(&mut bus, bit(place + 1));
            let error = Happening::Error { kind, is_sender: true };
            let found = events.iter().find(|event| event.what == error).unwrap();
            assert_eq!((found.at, found.counters.transmit()), (bit(place + 1), counted));
        }
    });
}

/// A dominant bit in the last place of a delimiter, and one in the first place of a pause.
#[test]
fn a_pause_that_is_disturbed_is_made_again_and_not_counted() {
    both(|detail| {
        // Both find an error in the CRC delimiter.
        let delimiter = i64::from(frame_bits(&data(1, &[1]))) - 10;
        for place in [delimiter + 14, delimiter + 15] {
            let mut bus = listening(detail, 2);
            bus.offer(0, bit(0), Some(data(1, &[1])));
            bus.schedule(bit(delimiter), Change::FlipAll);
            bus.schedule(bit(place), Change::FlipAll);
            let events = all(&mut bus, bit(500));
            let overloaded = events.iter().filter(|event| event.what == Happening::Overload);
            let overloaded: Vec<_> = overloaded.map(|event| (event.at, event.node)).collect();
            assert_eq!(overloaded, [(bit(place + 1), 0), (bit(place + 1), 1)]);
            // Flag 6, delimiter 8, pause 3.
            assert_eq!(attempts(&events, 0), [0, place + 1 + 17]);
            assert_eq!(events.last().unwrap().counters.transmit(), 7);
        }
    });
}

/// What the nodes want to send, and what befalls the bus.
#[derive(Clone, Debug)]
struct Plan {
    frames: Vec<VecDeque<(i64, CanFrame)>>,
    changes: Vec<(i64, Change)>,
    /// Who reads bits wrongly, and after which time each; none if that is 0.
    noise: (Option<usize>, i64),
    /// Whether it offers what it has at each event, as a controller does.
    is_controller: bool,
}

fn frames() -> impl Strategy<Value = CanFrame> {
    // Few identifiers, so that they meet.
    let id = prop_oneof![0_u32..8, Just(0x7FF), 0_u32..0x800];
    let data = proptest::collection::vec(any::<u8>(), 0..=8);
    (id, data, any::<bool>(), 0_u8..20).prop_map(|(id, data, is_extended, kind)| {
        let id = if is_extended { CanId::extended(id << 18 | 5) } else { CanId::standard(id) };
        let id = id.unwrap();
        if kind < 4 {
            CanFrame::remote(id, kind).unwrap()
        } else {
            CanFrame::data(id, &data).unwrap()
        }
    })
}

fn changes() -> impl Strategy<Value = Change> {
    let node = 0_usize..5;
    prop_oneof![
        6 => node.clone().prop_map(Change::Flip),
        3 => Just(Change::FlipAll),
        1 => (node.clone(), any::<bool>()).prop_map(|(node, is_on)| Change::Supply(node, is_on)),
        1 => node.clone().prop_map(Change::Cut),
        1 => Just(Change::Mend),
        1 => any::<bool>().prop_map(Change::Hold),
        2 => Just(Change::Release),
        1 => (node.clone(), any::<bool>()).prop_map(|(node, does)| Change::Babble(node, does)),
        1 => node.prop_map(Change::Recover),
    ]
}

fn plans(changes_max: usize) -> impl Strategy<Value = Plan> {
    let frame = (0_i64..20_000_000, frames());
    let queue = proptest::collection::vec(frame, 0..8).prop_map(|mut queue| {
        queue.sort_by_key(|(at, _)| *at);
        queue.into()
    });
    let changes = proptest::collection::vec((0_i64..22_000_000, changes()), 0..=changes_max);
    let gap = if changes_max == 0 { Just(0).boxed() } else { (0_i64..4_000_000).boxed() };
    let noise = (proptest::option::of(0_usize..3), gap);
    let noise = noise.prop_map(|(node, gap)| (node, if gap < 400_000 { 0 } else { gap }));
    (proptest::collection::vec(queue, 2..5), changes, noise, any::<bool>()).prop_map(
        |(frames, changes, noise, is_controller)| Plan { frames, changes, noise, is_controller },
    )
}

/// Each node sends what it has, in its order.
fn play(detail: Detail, plan: &Plan) -> Vec<BusEvent> {
    let nodes = plan.frames.len();
    let mut bus = listening(detail, nodes);
    for (at, change) in &plan.changes {
        bus.schedule(SimTime(*at), *change);
    }
    if let (node, gap @ 1..) = plan.noise {
        bus.disturb(bit(0), Noise { node, gap: Box::new(move || SimDuration(gap)) });
    }
    let (mut coming, mut events) = (plan.frames.clone(), Vec::new());
    let mut ready = vec![VecDeque::new(); nodes];
    loop {
        let next = coming.iter().filter_map(|queue| Some(queue.front()?.0)).min();
        let until = SimTime(next.unwrap_or(60_000_000));
        while let Some(event) = bus.pop(until) {
            if let Happening::Sent(_) = event.what {
                let queue: &mut VecDeque<CanFrame> = &mut ready[event.node];
                queue.pop_front();
                bus.offer(event.node, event.at, queue.front().copied());
            } else if plan.is_controller {
                let is_begun = matches!(event.what, Happening::Begun(_));
                let next = ready[event.node].front().copied().filter(|_| !is_begun);
                let is_its_own = !matches!(
                    event.what,
                    Happening::Received(_) | Happening::Error { is_sender: false, .. }
                );
                if is_its_own {
                    bus.offer(event.node, event.at, next);
                }
            }
            events.push(event);
        }
        if next.is_none() {
            break;
        }
        for (node, queue) in coming.iter_mut().enumerate() {
            while let Some((at, frame)) = queue.pop_front_if(|(at, _)| *at <= until.0) {
                ready[node].push_back(frame);
                if ready[node].len() == 1 {
                    bus.offer(node, SimTime(at), Some(frame));
                }
            }
        }
    }
    events
}

/// What first happens otherwise bit by bit, if anything does.
fn difference(plan: &Plan) -> Option<(Option<BusEvent>, Option<BusEvent>)> {
    let [frames, bits] = [Detail::Frames, Detail::Bits].map(|detail| play(detail, plan));
    let length = frames.len().max(bits.len());
    let pair = |at: usize| (frames.get(at).copied(), bits.get(at).copied());
    (0..length).map(pair).find(|(one, other)| one != other)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn frames_at_once_are_what_they_are_bit_by_bit(plan in plans(0)) {
        prop_assert_eq!(difference(&plan), None);
    }

    #[test]
    fn so_they_are_on_a_bus_that_is_disturbed(plan in plans(12)) {
        prop_assert_eq!(difference(&plan), None);
    }
}
