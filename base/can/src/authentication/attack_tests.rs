//! Attacks on both schemes that hold: each is refused for the reason that it has, and the frames of
//! the true node pass meanwhile.

use lastmeter_units::{SimDuration, SimTime};
use proptest::prelude::*;

use super::keys::MacKey;
use super::tests::{NO_LOCK_OUT, UP, at, id, master_key, message, receiver, refusal, sender, take};
use super::*;

const REGISTER: u32 = 0x11;

fn scheme() -> impl Strategy<Value = Scheme> {
    prop::sample::select(Scheme::ALL.to_vec())
}

/// Counters that the truncated form distinguishes.
fn window(scheme: Scheme) -> u64 {
    if scheme == Scheme::Compact { 1 << 8 } else { 1 << 16 }
}

/// Why a genuine message is refused whose counter is so far behind the last one.
fn reason_behind(scheme: Scheme, behind: u64) -> Refusal {
    match behind {
        0 => Refusal::Replayed,
        _ if behind < window(scheme) => Refusal::TooOld,
        _ => Refusal::WrongTag,
    }
}

/// How far an old message is behind: near each wrap, and after 256 wraps of the byte and more.
fn behind() -> impl Strategy<Value = u64> {
    let near = |wrap: u64| wrap.saturating_sub(2)..=wrap + 2;
    prop_oneof![near(0), near(1 << 8), near(1 << 16), near(1 << 24), 0..1_u64 << 40]
}

fn seal(sender: &mut Sender, data: u32) -> Vec<CanFrame> {
    let node = if sender.seal(id(REGISTER, 1), &[]).is_ok() { 1 } else { 2 };
    sender.seal(id(REGISTER, node), &data.to_be_bytes()).unwrap()
}

/// The frame with other bits of its identifier, and of its bytes.
fn altered(frame: &CanFrame, id_bits: u32, bytes_bits: u64) -> CanFrame {
    let id = CanId::standard(frame.id().value() ^ id_bits).unwrap();
    let bits = bytes_bits.to_be_bytes();
    let bytes: Vec<u8> = frame.bytes().iter().zip(bits).map(|(byte, bits)| byte ^ bits).collect();
    CanFrame::data(id, &bytes).unwrap()
}

proptest! {
    #[test]
    fn a_replay_is_refused(scheme in scheme(), first in 1..1_u64 << 40, behind in behind()) {
        let mut node = sender(scheme, 1, first);
        let mut receiver = receiver(scheme, NO_LOCK_OUT, first - 1);
        let frames = seal(&mut node, 7);
        let counter = message(&mut receiver, at(0), &frames).counter;
        let mut node = sender(scheme, 1, counter + behind);
        if behind > 0 {
            message(&mut receiver, at(1), &node.resync().unwrap());
        } else {
            node.resync().unwrap();
        }
        prop_assert_eq!(refusal(&mut receiver, at(2), &frames), reason_behind(scheme, behind));
        message(&mut receiver, at(3), &seal(&mut node, 8));
    }

    #[test]
    fn a_flipped_bit_is_refused(
        scheme in scheme(),
        is_resync: bool,
        place in 0..2_usize,
        bit in 0..64_u32,
    ) {
        let (mut node, mut receiver) = (sender(scheme, 1, 1), receiver(scheme, NO_LOCK_OUT, 0));
        let mut frames =
            if is_resync { node.resync().unwrap() } else { seal(&mut node, 7) };
        let place = place % frames.len();
        let bits = 8 * frames[place].bytes().len() as u32;
        frames[place] = altered(&frames[place], 0, 1 << (63 - bit % bits));
        prop_assert_eq!(refusal(&mut receiver, at(0), &frames), Refusal::WrongTag);
        message(&mut receiver, at(1), &seal(&mut node, 8));
    }

    #[test]
    fn another_identifier_is_refused(scheme in scheme(), bits in 1..0x800_u32, which in 1..4_u32) {
        let (mut node, mut receiver) = (sender(scheme, 1, 1), receiver(scheme, NO_LOCK_OUT, 0));
        let frames = seal(&mut node, 7);
        let is_altered = |place: usize| frames.len() == 1 || which & 1 << place != 0;
        let is_whole = (0..frames.len()).all(is_altered);
        let moved: Vec<CanFrame> = frames
            .iter()
            .enumerate()
            .map(|(place, frame)| altered(frame, if is_altered(place) { bits } else { 0 }, 0))
            .collect();
        let address = Address::of(moved[0].id()).unwrap();
        let (messages, mut refused) = take(&mut receiver, at(0), &moved);
        receiver.expire(at(100), |event| {
            if let Event::Refused { reason, .. } = event {
                refused.push(reason);
            }
        });
        prop_assert_eq!(messages, vec![]);
        let is_resync = address.register() == RESYNC_REGISTER;
        let expected = match scheme {
            _ if is_whole && !(1..=3).contains(&address.node()) => vec![Refusal::UnknownSender],
            Scheme::Compact if is_resync => vec![Refusal::Unpaired],
            Scheme::Compact => vec![Refusal::WrongTag],
            // A message of four bytes is none of a resynchronisation.
            Scheme::Strong if is_whole && is_resync && !address.closes => {
                vec![Refusal::Malformed, Refusal::Unpaired]
            }
            Scheme::Strong if is_whole && !address.closes => vec![Refusal::WrongTag],
            Scheme::Strong => {
                vec![Refusal::Unpaired, Refusal::UnknownSender, Refusal::Malformed]
            }
        };
        prop_assert!(!refused.is_empty());
        prop_assert!(refused.iter().all(|one| expected.contains(one)), "{:?}", refused);
        message(&mut receiver, at(200), &seal(&mut node, 8));
    }

    #[test]
    fn a_message_does_not_pass_as_another_node_s_or_the_other_way(
        scheme in scheme(),
        ahead in 0..1000_u64,
        data: u32,
    ) {
        let mut receiver = receiver(scheme, NO_LOCK_OUT, 0);
        let (mut one, mut two) = (sender(scheme, 1, ahead + 1), sender(scheme, 2, 1));
        message(&mut receiver, at(0), &one.resync().unwrap());
        let frames = seal(&mut one, data);
        let moved: Vec<CanFrame> = frames.iter().map(|frame| altered(frame, 1 ^ 2, 0)).collect();
        prop_assert_eq!(refusal(&mut receiver, at(1), &moved), Refusal::WrongTag);
        let moved: Vec<CanFrame> = frames.iter().map(|frame| altered(frame, 1 << 5, 0)).collect();
        prop_assert_eq!(refusal(&mut receiver, at(2), &moved), Refusal::WrongTag);
        message(&mut receiver, at(3), &frames);
        message(&mut receiver, at(4), &seal(&mut two, data));
        // What a master has sent comes back.
        let record = SenderRecord { first_free: ahead + 4 };
        let key = master_key().node_key(1);
        let mut master = Sender::new(scheme, 1, Direction::FromMaster, &key, record);
        master.reserve(9, |_| Ok::<_, ()>(())).unwrap();
        let frames = seal(&mut master, data);
        prop_assert_eq!(refusal(&mut receiver, at(5), &frames), Refusal::WrongTag);
        message(&mut receiver, at(6), &seal(&mut one, data));
    }

    /// Held back and replayed, or in another order.
    #[test]
    fn what_comes_behind_a_later_message_is_too_old(
        scheme in scheme(),
        order in Just((0..8_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let (mut node, mut receiver) = (sender(scheme, 1, 1), receiver(scheme, NO_LOCK_OUT, 0));
        let sealed: Vec<_> = (0..8).map(|data| seal(&mut node, data)).collect();
        let mut last = None;
        for place in order {
            if last < Some(place) {
                message(&mut receiver, at(0), &sealed[place]);
                last = Some(place);
            } else {
                prop_assert_eq!(refusal(&mut receiver, at(0), &sealed[place]), Refusal::TooOld);
            }
        }
        message(&mut receiver, at(1), &seal(&mut node, 9));
    }

    #[test]
    fn foreign_frames_between_the_two_of_a_message_do_not_part_them(
        before in prop::collection::vec((any::<bool>(), any::<u64>()), 0..9),
        between in prop::collection::vec((any::<bool>(), any::<u64>()), 0..4),
    ) {
        let scheme = Scheme::Strong;
        let (mut node, mut receiver) = (sender(scheme, 1, 1), receiver(scheme, NO_LOCK_OUT, 0));
        let foreign = |(closes, bytes): &(bool, u64)| {
            let register = REGISTER + if *closes { 32 } else { 0 };
            CanFrame::data(id(register, 1), &bytes.to_be_bytes()).unwrap()
        };
        let frames = seal(&mut node, 7);
        let all: Vec<CanFrame> = before
            .iter()
            .map(foreign)
            .chain([frames[0]])
            .chain(between.iter().map(foreign))
            .chain([frames[1]])
            .collect();
        let (messages, refused) = take(&mut receiver, at(0), &all);
        prop_assert_eq!(messages.len(), 1);
        prop_assert_eq!(messages[0].frame, frames[0]);
        let is_foreign = |one: &Refusal| matches!(one, Refusal::WrongTag | Refusal::Unpaired);
        prop_assert!(refused.iter().all(is_foreign));
    }

    /// One whose counter is set back: it repeats counters for other data.
    #[test]
    fn a_node_that_reuses_counters_is_refused(scheme in scheme(), behind in behind()) {
        let last = 1_u64 << 41;
        let mut receiver = receiver(scheme, NO_LOCK_OUT, last);
        let mut node = sender(scheme, 1, last - behind);
        let frames = node.seal(id(REGISTER, 1), &[9]).unwrap();
        prop_assert_eq!(refusal(&mut receiver, at(0), &frames), reason_behind(scheme, behind));
        let mut node = sender(scheme, 1, last - behind);
        let expected = if behind == 0 { Refusal::Replayed } else { Refusal::TooOld };
        let frames = node.resync().unwrap();
        prop_assert_eq!(refusal(&mut receiver, at(1), &frames), expected);
    }

    /// Power is lost between any two steps; what is durable is what `reserve` has written.
    #[test]
    fn a_node_never_repeats_a_counter_and_is_heard_after_each_reboot(
        scheme in scheme(),
        steps in prop::collection::vec(0..4_u8, 0..60),
    ) {
        let (key, mut receiver) = (master_key().node_key(1), receiver(scheme, NO_LOCK_OUT, 0));
        let start = |record| Sender::new(scheme, 1, UP, &key, record);
        let (mut durable, mut last) = (SenderRecord::default(), 0);
        let mut node = start(durable);
        for step in steps {
            let frames = match step {
                // The write is lost with the power.
                0 => {
                    prop_assert!(node.reserve(5, |_| Err(())).is_err());
                    continue;
                }
                1 => {
                    node = start(durable);
                    continue;
                }
                _ => {
                    if node.reserved() == 0 {
                        node.reserve(600, |record| { durable = record; Ok::<_, ()>(()) }).unwrap();
                    }
                    if node.reserved() == 600 { node.resync() } else { node.seal(id(2, 1), &[step]) }
                }
            };
            let counter = message(&mut receiver, at(0), &frames.unwrap()).counter;
            prop_assert!(counter > last);
            last = counter;
        }
    }

    #[test]
    fn no_frames_panic(
        scheme in scheme(),
        frames in prop::collection::vec((crate::tests::frame(), 0..200_i64), 0..40),
    ) {
        let mut receiver = receiver(scheme, Settings::default(), u64::MAX - 3);
        let mut now = at(0);
        for (frame, after) in frames {
            now += SimDuration::from_milliseconds(after);
            prop_assert_eq!(take(&mut receiver, now, &[frame]).0, vec![]);
        }
    }
}

/// What a receiver of random tags at the full rate of a bus has accepted of the attacker, and when
/// the first alarm was.
fn guess(scheme: Scheme, guesses: u64) -> (u64, Option<SimTime>) {
    let (mut node, mut receiver) = (sender(scheme, 1, 1), receiver(scheme, NO_LOCK_OUT, 0));
    let noise = MacKey::new(b"noise of a guess");
    let frame_time = SimDuration(888_000);
    let (mut now, mut next, mut forged, mut alarm) = (SimTime(0), 1_u64, 0, None);
    for guess in 0..guesses {
        let random = noise.mac(&[&guess.to_be_bytes()]);
        let counter = next.to_be_bytes();
        let frames = match scheme {
            Scheme::Compact => {
                let bytes = [&random[..4], &counter[7..], &random[4..7]].concat();
                vec![CanFrame::data(id(REGISTER, 1), &bytes).unwrap()]
            }
            Scheme::Strong => {
                let tail = [&counter[6..], &random[8..14]].concat();
                let data = CanFrame::data(id(REGISTER, 1), &random[..8]).unwrap();
                vec![data, CanFrame::data(id(REGISTER + 32, 1), &tail).unwrap()]
            }
        };
        for frame in frames {
            now += frame_time;
            receiver.receive(now, &frame, |event| match event {
                Event::Verified(_) => forged += 1,
                Event::Refused { reason, .. } => assert_eq!(reason, Refusal::WrongTag),
                Event::Alarm { .. } => alarm = alarm.or(Some(now)),
            });
        }
        if guess % 1000 == 999 {
            // Whoever has forged a message has moved the counter by the same one.
            let frames = seal(&mut node, 7);
            next = message(&mut receiver, now, &frames).counter + 1;
        }
    }
    assert_eq!(receiver.counts(1).unwrap().refused(Refusal::WrongTag), guesses - forged);
    (forged, alarm)
}

/// 10^6 messages with right identifier, length and next counter and a random tag.
fn guesses_are_refused(scheme: Scheme, most: u64) {
    let (forged, alarm) = guess(scheme, 1_000_000);
    assert!(forged <= most, "{scheme}: {forged} of 1,000,000 accepted");
    let limit = SimTime(0) + SimDuration::from_seconds(1);
    assert!(alarm.is_some_and(|alarm| alarm < limit), "{scheme}: {alarm:?}");
}

/// 0.06 are expected to pass; three or more have a chance of 3e-5.
#[test]
fn random_tags_of_three_bytes_are_refused_and_raise_an_alarm_within_a_second() {
    guesses_are_refused(Scheme::Compact, 2);
}

#[test]
fn random_tags_of_six_bytes_are_refused_and_raise_an_alarm_within_a_second() {
    guesses_are_refused(Scheme::Strong, 0);
}
