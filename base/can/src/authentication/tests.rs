//! Bytes, counters, pairs, records, alarms and keys of the authentication; the attacks have a file
//! of their own.

use lastmeter_units::{SimDuration, SimTime};

use super::codec::Fresh;
use super::keys::MacKey;
use super::*;

pub(super) const UP: Direction = Direction::ToMaster;

pub(super) fn at(milliseconds: i64) -> SimTime {
    SimTime(0) + SimDuration::from_milliseconds(milliseconds)
}

pub(super) fn id(register: u32, node: u8) -> CanId {
    CanId::standard(register * 32 + u32::from(node)).unwrap()
}

pub(super) fn master_key() -> SecretKey {
    SecretKey::new(std::array::from_fn(|place| place as u8))
}

/// A sender with enough counters.
pub(super) fn sender(scheme: Scheme, node: u8, first_free: u64) -> Sender {
    let record = SenderRecord { first_free };
    let mut sender = Sender::new(scheme, node, UP, &master_key().node_key(node), record);
    sender.reserve(1 << 20, |_| Ok::<_, ()>(())).unwrap();
    sender
}

pub(super) const NO_LOCK_OUT: Settings =
    Settings { pair_limit: SimDuration::from_milliseconds(100), lock_out: None };

/// A receiver that knows nodes 1 to 3, all after this counter.
pub(super) fn receiver(scheme: Scheme, settings: Settings, last: u64) -> Receiver {
    let mut receiver = Receiver::new(scheme, UP, settings);
    for node in 1..=3 {
        receiver.add_sender(&master_key().node_key(node), ReceiverRecord { node, last });
    }
    receiver
}

/// What frames give: messages, and reasons in their order.
pub(super) fn take(
    receiver: &mut Receiver,
    now: SimTime,
    frames: &[CanFrame],
) -> (Vec<Message>, Vec<Refusal>) {
    let (mut messages, mut refused) = (Vec::new(), Vec::new());
    for frame in frames {
        receiver.receive(now, frame, |event| match event {
            Event::Verified(verified) => {
                messages.push(verified.keep(|_| Ok::<_, ()>(())).unwrap());
            }
            Event::Refused { reason, .. } => refused.push(reason),
            Event::Alarm { .. } => (),
        });
    }
    (messages, refused)
}

/// The only message of these frames, none of which is refused.
pub(super) fn message(receiver: &mut Receiver, now: SimTime, frames: &[CanFrame]) -> Message {
    let (messages, refused) = take(receiver, now, frames);
    assert_eq!((messages.len(), refused), (1, vec![]), "{frames:?}");
    messages[0]
}

/// The only reason of these frames, none of which is accepted.
pub(super) fn refusal(receiver: &mut Receiver, now: SimTime, frames: &[CanFrame]) -> Refusal {
    let (messages, refused) = take(receiver, now, frames);
    assert_eq!((messages, refused.len()), (vec![], 1), "{frames:?}");
    refused[0]
}

/// RFC 4493, section 4, examples 1 to 4.
#[test]
fn the_mac_is_cmac_of_rfc_4493() {
    let key = MacKey::new(&0x2b7e_1516_28ae_d2a6_abf7_1588_09cf_4f3c_u128.to_be_bytes());
    let message: Vec<u8> = [
        0x6bc1_bee2_2e40_9f96_e93d_7e11_7393_172a_u128,
        0xae2d_8a57_1e03_ac9c_9eb7_6fac_45af_8e51,
        0x30c8_1c46_a35c_e411_e5fb_c119_1a0a_52ef,
        0xf69f_2445_df4f_9b17_ad2b_417b_e66c_3710,
    ]
    .into_iter()
    .flat_map(u128::to_be_bytes)
    .collect();
    let tags = [
        (0, 0xbb1d_6929_e959_3728_7fa3_7d12_9b75_6746_u128),
        (16, 0x070a_16b4_6b4d_4144_f79b_dd9d_d04a_287c),
        (40, 0xdfa6_6747_de9a_e630_30ca_3261_1497_c827),
        (64, 0x51f0_bebf_7e3b_9d92_fc49_7417_7936_3cfe),
    ];
    for (length, tag) in tags {
        let tag = tag.to_be_bytes();
        assert_eq!(key.mac(&[&message[..length]]), tag);
        assert!((1..=16).all(|bytes| key.is_mac(&message[..length], &tag[..bytes])));
        assert!(!key.is_mac(&message[..length], &[tag[0] ^ 1]) && !key.is_mac(&message, &[]));
    }
}

/// Computed with Python's `cryptography` from the layout that the head of the module documents.
#[test]
fn the_bytes_are_those_of_an_independent_program() {
    let (data, node) = (&[0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0xFF], 3);
    let texts = |frames: Vec<CanFrame>| frames.iter().map(ToString::to_string).collect::<Vec<_>>();
    let cases = [
        (Scheme::Compact, UP, "223#00112233035C04D3"),
        (Scheme::Compact, Direction::FromMaster, "223#001122330311CCEF"),
        (Scheme::Strong, UP, "223#00112233445566FF 623#020391247580B4A8"),
        (Scheme::Strong, Direction::FromMaster, "223#00112233445566FF 623#020398C0EC235E06"),
    ];
    let key = master_key().node_key(node);
    let start = |scheme, direction| {
        let record = SenderRecord { first_free: 0x1_0203 };
        let mut sender = Sender::new(scheme, node, direction, &key, record);
        sender.reserve(1, |_| Ok::<_, ()>(())).unwrap();
        sender
    };
    for (scheme, direction, expected) in cases {
        let data = &data[..scheme.data_bytes_max()];
        let frames = start(scheme, direction).seal(id(0x11, node), data).unwrap();
        assert_eq!(texts(frames).join(" "), expected);
    }
    let resync = start(Scheme::Compact, UP).resync().unwrap();
    assert_eq!(texts(resync).join(" "), "3C3#0000000000010203 7C3#EDB1F420EEB876F1");
    let written = paper::PaperScheme::as_written(master_key());
    let frames = written.seal(id(0x11, node), data, 0x1_0203).unwrap();
    assert_eq!(texts(frames).join(" "), "223#00112233445566FF 623#000102038D6E3372");
}

#[test]
fn counters_are_completed_forward_and_backward() {
    let cases: [(u64, u64, Option<u64>, Option<u64>); 7] = [
        (0, 1, Some(1), None),
        (0, 0, Some(256), Some(0)),
        (255, 255, Some(511), Some(255)),
        (255, 0, Some(256), Some(0)),
        (256, 255, Some(511), Some(255)),
        (u64::MAX - 1, 255, Some(u64::MAX), Some(u64::MAX - 256)),
        (u64::MAX, 0, None, Some(u64::MAX - 255)),
    ];
    for (last, value, above, up_to) in cases {
        let fresh = Fresh { value, bits: 8 };
        assert_eq!((fresh.counter_above(last), fresh.counter_up_to(last)), (above, up_to));
    }
    let whole = |value| Fresh { value, bits: 64 };
    assert_eq!(whole(7).counter_above(7), None);
    assert_eq!(whole(8).counter_above(7), Some(8));
    assert_eq!(whole(7).counter_up_to(7), Some(7));
    assert_eq!(whole(8).counter_up_to(7), None);
}

#[test]
fn every_data_length_passes_and_more_than_255_lost_messages_need_a_resync() {
    for scheme in Scheme::ALL {
        let (mut sender, mut receiver) = (sender(scheme, 1, 1), receiver(scheme, NO_LOCK_OUT, 0));
        for length in 0..=scheme.data_bytes_max() {
            let data = vec![length as u8; length];
            let frames = sender.seal(id(2, 1), &data).unwrap();
            let message = message(&mut receiver, at(0), &frames);
            assert_eq!(message.frame, CanFrame::data(id(2, 1), &data).unwrap());
            assert_eq!(message.counter, length as u64 + 1);
            assert!(!message.is_resync());
        }
        let window = if scheme == Scheme::Compact { 1_u64 << 8 } else { 1 << 16 };
        for lost in [window - 1, window] {
            (0..lost).for_each(|_| _ = sender.seal(id(2, 1), &[]).unwrap());
            let frames = sender.seal(id(2, 1), &[]).unwrap();
            if lost < window {
                message(&mut receiver, at(1), &frames);
            } else {
                assert_eq!(refusal(&mut receiver, at(1), &frames), Refusal::WrongTag);
            }
        }
        assert!(message(&mut receiver, at(2), &sender.resync().unwrap()).is_resync());
        message(&mut receiver, at(3), &sender.seal(id(2, 1), &[]).unwrap());
        assert_eq!(receiver.counts(1).unwrap().refused(Refusal::WrongTag), 1);
    }
}

/// The bytes were computed with Python's `cryptography`.
#[test]
fn by_the_compact_scheme_registers_from_32_on_have_data() {
    let (mut sender, mut receiver) =
        (sender(Scheme::Compact, 3, 1), receiver(Scheme::Compact, NO_LOCK_OUT, 0));
    for register in (0..64).filter(|register| ![30, 62].contains(register)) {
        let frames = sender.seal(id(register, 3), &[1, 2, 3, 4]).unwrap();
        assert_eq!((frames.len(), frames[0].id()), (1, id(register, 3)));
        let message = message(&mut receiver, at(0), &frames);
        assert_eq!(message.frame, CanFrame::data(id(register, 3), &[1, 2, 3, 4]).unwrap());
        assert!(!message.is_resync());
        assert_eq!(refusal(&mut receiver, at(0), &frames), Refusal::Replayed);
    }
    let mut first = self::sender(Scheme::Compact, 3, 1);
    assert_eq!(
        first.seal(id(0x21, 3), &[1, 2, 3, 4]).unwrap()[0].to_string(),
        "423#0102030401F1CE6C"
    );
}

#[test]
fn what_cannot_be_sealed_is_an_error() {
    let mut sender = sender(Scheme::Compact, 3, 1);
    let extended = CanId::extended(0x43).unwrap();
    for wrong in [id(2, 4), id(RESYNC_REGISTER.into(), 3), id(62, 3), extended] {
        let error = sender.seal(wrong, &[]).unwrap_err();
        assert_eq!(error, SealError::Identifier { found: wrong, node: 3 });
    }
    let error = sender.seal(id(2, 3), &[0; 5]).unwrap_err();
    assert_eq!(error, SealError::DataLength { found: 5, most: 4 });
    let key = master_key().node_key(3);
    let mut fresh = Sender::new(Scheme::Strong, 3, UP, &key, SenderRecord::default());
    let error = fresh.seal(id(2, 3), &[]).unwrap_err();
    assert_eq!(error, SealError::NotReserved { counter: 1 });
    let mut none = Sender::new(Scheme::Strong, 32, UP, &key, SenderRecord::default());
    assert_eq!(none.resync(), Err(SealError::Node { found: 32 }));
    let error = fresh.seal(id(34, 3), &[]).unwrap_err();
    assert_eq!(error, SealError::Identifier { found: id(34, 3), node: 3 });
    // A record that could not be written reserves nothing.
    assert_eq!(fresh.reserve(8, |_| Err("full")), Err("full"));
    assert_eq!(fresh.resync(), Err(SealError::NotReserved { counter: 1 }));
    fresh.reserve(1, |_| Ok::<_, ()>(())).unwrap();
    fresh.resync().unwrap();
    assert_eq!(fresh.resync(), Err(SealError::NotReserved { counter: 2 }));
}

#[test]
fn a_message_counts_once_its_record_is_kept() {
    let (mut sender, mut receiver) =
        (sender(Scheme::Compact, 1, 1), receiver(Scheme::Compact, NO_LOCK_OUT, 0));
    let frames = sender.seal(id(2, 1), &[7]).unwrap();
    let mut verified = Vec::new();
    receiver.receive(at(0), &frames[0], |event| {
        if let Event::Verified(one) = event {
            verified.push(one);
        }
    });
    let verified = verified.remove(0);
    let record = verified.record();
    assert_eq!(record, ReceiverRecord { node: 1, last: 1 });
    assert_eq!((receiver.record(1), receiver.record(4)), (Some(record), None));
    assert_eq!(verified.keep(|_| Err("full")).unwrap_err(), "full");
    // It is not accepted a second time, nor by a receiver that starts with the record.
    assert_eq!(refusal(&mut receiver, at(1), &frames), Refusal::Replayed);
    receiver.add_sender(&master_key().node_key(1), record);
    assert_eq!(refusal(&mut receiver, at(2), &frames), Refusal::Replayed);
}

#[test]
fn frames_of_a_pair_alone_late_or_of_others_are_unpaired() {
    let (mut sender, mut receiver) =
        (sender(Scheme::Strong, 1, 1), receiver(Scheme::Strong, NO_LOCK_OUT, 0));
    let mut seal = || sender.seal(id(2, 1), &[1, 2]).unwrap();
    // A MAC frame alone.
    assert_eq!(refusal(&mut receiver, at(0), &seal()[1..]), Refusal::Unpaired);
    // A data frame whose MAC frame comes too late: both.
    let late = seal();
    assert_eq!(take(&mut receiver, at(10), &late[..1]), (vec![], vec![]));
    assert_eq!(receiver.deadline(), Some(at(110)));
    let (messages, refused) = take(&mut receiver, at(110), &late[1..]);
    assert_eq!((messages, refused), (vec![], vec![Refusal::Unpaired; 2]));
    // Just before the limit it is in time.
    let frames = seal();
    take(&mut receiver, at(200), &frames[..1]);
    message(&mut receiver, at(299), &frames[1..]);
    // The data of one message with the MAC of another.
    let (one, other) = (seal(), sender.seal(id(2, 1), &[3, 4]).unwrap());
    assert_eq!(refusal(&mut receiver, at(400), &[one[0], other[1]]), Refusal::WrongTag);
    // Of five data frames that wait the oldest gives way.
    let data = CanFrame::data(id(2, 2), &[0; 8]).unwrap();
    assert_eq!(refusal(&mut receiver, at(600), &[data; 5]), Refusal::Unpaired);
    let mut expired = 0;
    receiver.expire(at(700), |_| expired += 1);
    assert_eq!((expired, receiver.deadline()), (4, None));
    assert_eq!(receiver.counts(1).unwrap().refused(Refusal::Unpaired), 3);
    assert_eq!(receiver.counts(2).unwrap().refused(Refusal::Unpaired), 5);
}

#[test]
fn frames_without_a_form_and_of_others_are_refused() {
    for scheme in Scheme::ALL {
        let mut receiver = receiver(scheme, Settings::default(), 0);
        let short = CanFrame::data(id(2, 1), &[0; 3]).unwrap();
        let closing = CanFrame::data(id(34, 1), &[0; 7]).unwrap();
        let resync = CanFrame::data(id(RESYNC_REGISTER.into(), 1), &[0; 7]).unwrap();
        let remote = CanFrame::remote(id(2, 1), 8).unwrap();
        let malformed = if scheme == Scheme::Compact {
            &[short, resync, remote][..]
        } else {
            &[closing, resync, remote]
        };
        for frame in malformed.iter().cycle().take(40) {
            assert_eq!(refusal(&mut receiver, at(0), &[*frame]), Refusal::Malformed);
        }
        let extended = CanFrame::data(CanId::extended(0x41).unwrap(), &[0; 8]).unwrap();
        let unknown = CanFrame::data(id(2, 4), &[0; 8]).unwrap();
        for frame in [extended, unknown] {
            assert_eq!(refusal(&mut receiver, at(0), &[frame]), Refusal::UnknownSender);
        }
        assert_eq!((receiver.unknown_senders(), receiver.counts(4)), (2, None));
    }
}

/// The instants of alarms while the receiver refuses one wrong frame at each of these instants.
fn alarms(receiver: &mut Receiver, instants: impl Iterator<Item = SimTime>) -> Vec<SimTime> {
    let wrong = CanFrame::data(id(2, 1), &[0; 8]).unwrap();
    let mut alarms = Vec::new();
    for now in instants {
        receiver.receive(now, &wrong, |event| {
            if let Event::Alarm { .. } = event {
                alarms.push(now);
            }
        });
    }
    alarms
}

#[test]
fn sixteen_failures_in_a_minute_raise_one_alarm() {
    let scheme = Scheme::Compact;
    let millis = |every: i64| (0..).map(move |count| at(count * every));
    // Fifteen are none, sixteen are one; those that follow are of the same alarm for a minute.
    let mut open = receiver(scheme, NO_LOCK_OUT, 0);
    assert_eq!(alarms(&mut open, millis(1).take(15)), []);
    assert_eq!(alarms(&mut open, millis(1).skip(15).take(60_000)), [at(15)]);
    assert_eq!(alarms(&mut open, millis(1).skip(60_015).take(2)), [at(60_015)]);
    // Sixteen in exactly a minute, and sixteen in more than a minute.
    assert_eq!(alarms(&mut receiver(scheme, NO_LOCK_OUT, 0), millis(4_000).take(16)), [at(60_000)]);
    assert_eq!(alarms(&mut receiver(scheme, NO_LOCK_OUT, 0), millis(4_001).take(99)), []);
}

#[test]
fn an_identifier_is_locked_out_for_its_time_and_others_are_not() {
    let scheme = Scheme::Compact;
    let (mut sender, mut receiver) =
        (sender(scheme, 1, 1), receiver(scheme, Settings::default(), 0));
    assert_eq!(alarms(&mut receiver, (0..99).map(at)), [at(15)]);
    let counts = *receiver.counts(1).unwrap();
    assert_eq!(counts.refused(Refusal::WrongTag), 16);
    assert_eq!(counts.refused(Refusal::LockedOut), 83);
    let mut seal = |register| sender.seal(id(register, 1), &[]).unwrap();
    message(&mut receiver, at(99), &seal(3));
    assert_eq!(refusal(&mut receiver, at(60_014), &seal(2)), Refusal::LockedOut);
    message(&mut receiver, at(60_015), &seal(2));
    // The alarm cannot be switched off, and the true node's frames pass without the lock-out.
    let mut open = self::receiver(scheme, NO_LOCK_OUT, 0);
    assert_eq!(alarms(&mut open, (0..99).map(at)), [at(15)]);
    message(&mut open, at(99), &seal(2));
}

#[test]
fn keys_are_not_printed_and_differ_by_node_use_and_master() {
    let master: SecretKey = "000102030405060708090A0b0c0d0e0f".parse().unwrap();
    assert_eq!(master.bytes(), master_key().bytes());
    let debug = format!(
        "{master:?} {:?} {:?} {:?}",
        master.node_key(1),
        sender(Scheme::Strong, 1, 1),
        receiver(Scheme::Strong, NO_LOCK_OUT, 0)
    );
    assert!(debug.starts_with("SecretKey(..) NodeKey(SecretKey(..)) Sender {"), "{debug}");
    assert!(debug.contains("Keys { messages: MacKey(..), resync: MacKey(..) }"), "{debug}");
    for wrong in ["", "00", "+00102030405060708090a0b0c0d0e0f", &"0".repeat(33)] {
        let error = wrong.parse::<SecretKey>().unwrap_err().to_string();
        assert!(error.contains("expected 32 hexadecimal digits") && !error.contains("00102"));
    }
    let tag = |key: &NodeKey, label| key.key_of_use(label).mac(&[]);
    let other = SecretKey::new([1; 16]);
    let mut tags: Vec<[u8; 16]> = [master_key(), other]
        .iter()
        .flat_map(|master| (0..=NODE_MAX).map(|node| master.node_key(node)).collect::<Vec<_>>())
        .flat_map(|key| ["can compact", "can strong", "can resync"].map(|label| tag(&key, label)))
        .collect();
    tags.sort_unstable();
    tags.dedup();
    assert_eq!(tags.len(), 2 * 32 * 3);
}
