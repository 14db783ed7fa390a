//! What the scheme as it is written holds, and what it does not.

use proptest::prelude::*;
use sha2::block_api::compress256;

use super::paper::{KeyPlace, PaperMessage, PaperReceiver, PaperScheme};
use super::tests::{at, id, master_key};
use super::*;

const REGISTER: u32 = 0x11;
const DATA: &[u8] = b"8 bytes.";

fn receive(receiver: &mut PaperReceiver, frames: &[CanFrame]) -> Result<PaperMessage, Refusal> {
    let mut results: Vec<_> =
        frames.iter().filter_map(|frame| receiver.receive(at(0), frame)).collect();
    assert_eq!(results.len(), 1, "{frames:?}");
    results.remove(0)
}

fn moved(frames: &[CanFrame], bits: u32) -> Vec<CanFrame> {
    let id = |frame: &CanFrame| CanId::standard(frame.id().value() ^ bits).unwrap();
    frames.iter().map(|frame| CanFrame::data(id(frame), frame.bytes()).unwrap()).collect()
}

/// What follows the hashed bytes in the last block of SHA-256.
fn padding(hashed_bytes: usize) -> Vec<u8> {
    let mut padding = vec![0x80];
    while (hashed_bytes + padding.len()) % 64 != 56 {
        padding.push(0);
    }
    padding.extend((8 * hashed_bytes as u64).to_be_bytes());
    padding
}

/// Goes on with SHA-256 from a hash of so many bytes, which are not known: what is appended to
/// them, and the hash of all.
fn extended(hash: &[u8; 32], hashed_bytes: usize, extension: &[u8]) -> (Vec<u8>, [u8; 32]) {
    let appended = [&padding(hashed_bytes), extension].concat();
    let mut state: [u32; 8] = std::array::from_fn(|word| {
        u32::from_be_bytes(std::array::from_fn(|byte| hash[4 * word + byte]))
    });
    let rest = [extension, &padding(hashed_bytes + appended.len())].concat();
    let (blocks, tail) = rest.as_chunks::<64>();
    assert!(tail.is_empty());
    compress256(&mut state, blocks);
    (appended, std::array::from_fn(|byte| state[byte / 4].to_be_bytes()[byte % 4]))
}

/// Sends a message, and extends it with what an observer of its frames knows. `unknown` stands
/// between message and padding, where the key is the last.
fn extend(place: KeyPlace, tag_bytes: usize, unknown: &[u8]) -> Result<PaperMessage, Refusal> {
    let scheme = PaperScheme::variant(master_key(), place, tag_bytes);
    let mut receiver = PaperReceiver::new(scheme);
    let scheme = PaperScheme::variant(master_key(), place, tag_bytes);
    let frames = scheme.seal(id(REGISTER, 1), DATA, 5).unwrap();
    receive(&mut receiver, &frames).unwrap();
    // From here on without the key.
    let heard: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes().to_vec()).collect();
    let (hashed, tag) = heard.split_at(DATA.len() + paper::SYNC_BYTES);
    let mut hash = [0; 32];
    hash[..tag.len()].copy_from_slice(tag);
    let extension = [b"open the switch".as_slice(), &6_u32.to_be_bytes()].concat();
    let (appended, forged) = extended(&hash, KEY_BYTES + hashed.len(), &extension);
    let all = [hashed, unknown, &appended].concat();
    let (message, sync) = all.split_last_chunk::<4>().unwrap();
    let attacker = PaperScheme::as_written(SecretKey::new([0; KEY_BYTES]));
    let sync = u32::from_be_bytes(*sync);
    let tag = &forged[..tag_bytes];
    let frames = attacker.frames(id(REGISTER, 1), message, sync, tag).unwrap();
    assert!(frames.len() > 8);
    receive(&mut receiver, &frames)
}

#[test]
fn with_the_key_first_a_message_is_extended_without_the_key() {
    let message = extend(KeyPlace::First, 32, &[]).unwrap();
    assert!(message.message.starts_with(DATA) && message.message.ends_with(b"open the switch"));
    assert_eq!(message.sync, 6);
    // The whole tag is needed: a truncated one does not have the state of the hash.
    assert_eq!(extend(KeyPlace::First, 4, &[]), Err(Refusal::WrongTag));
}

#[test]
fn with_the_key_last_a_message_cannot_be_extended() {
    assert_eq!(extend(KeyPlace::Last, 32, &[]), Err(Refusal::WrongTag));
    assert_eq!(extend(KeyPlace::Last, 32, &[0; KEY_BYTES]), Err(Refusal::WrongTag));
    assert_eq!(extend(KeyPlace::Last, 4, &[]), Err(Refusal::WrongTag));
    // Who knows the key needs no attack; that the extension itself is right shows with it.
    let key = master_key();
    assert_eq!(extend(KeyPlace::Last, 32, key.bytes()), Err(Refusal::WrongTag));
    let scheme = PaperScheme::variant(key.clone(), KeyPlace::Last, 32);
    let hashed = [DATA, &5_u32.to_be_bytes()].concat();
    let (appended, hash) = extended(&scheme.tag(DATA, 5), KEY_BYTES + hashed.len(), b"tail");
    let all = [hashed.as_slice(), key.bytes(), &appended].concat();
    assert_eq!(<[u8; 32]>::from(<sha2::Sha256 as sha2::Digest>::digest(&all)), hash);
}

#[test]
fn the_last_message_is_replayed_and_an_older_one_is_not() {
    let scheme = PaperScheme::as_written(master_key());
    let mut receiver = PaperReceiver::new(scheme.clone());
    let seal = |sync| scheme.seal(id(REGISTER, 1), DATA, sync).unwrap();
    assert_eq!(seal(5).len(), 2);
    receive(&mut receiver, &seal(5)).unwrap();
    receive(&mut receiver, &seal(6)).unwrap();
    for _ in 0..3 {
        assert_eq!(receive(&mut receiver, &seal(6)).unwrap().sync, 6);
    }
    assert_eq!(receive(&mut receiver, &seal(5)), Err(Refusal::TooOld));
    let counts = receiver.counts(1);
    assert_eq!((counts.verified, counts.refused(Refusal::TooOld)), (5, 1));
}

#[test]
fn a_message_passes_as_another_node_s_and_as_another_quantity() {
    let scheme = PaperScheme::as_written(master_key());
    let mut receiver = PaperReceiver::new(scheme.clone());
    receive(&mut receiver, &scheme.seal(id(REGISTER, 2), b"of two..", 3).unwrap()).unwrap();
    let heard = scheme.seal(id(REGISTER, 1), DATA, 5).unwrap();
    for bits in [1 ^ 2, 1 << 5] {
        let message = receive(&mut receiver, &moved(&heard, bits)).unwrap();
        assert_eq!(message.id.value(), heard[0].id().value() ^ bits);
        assert_eq!(message.message, DATA);
    }
}

#[test]
fn altered_messages_and_parts_of_messages_are_refused() {
    let scheme = PaperScheme::as_written(master_key());
    let mut receiver = PaperReceiver::new(scheme.clone());
    let frames = scheme.seal(id(REGISTER, 1), DATA, 5).unwrap();
    for bit in 0..128_usize {
        let mut altered = frames.clone();
        let mut bytes = altered[bit / 64].bytes().to_vec();
        bytes[bit % 64 / 8] ^= 1 << (bit % 8);
        altered[bit / 64] = CanFrame::data(altered[bit / 64].id(), &bytes).unwrap();
        assert_eq!(receive(&mut receiver, &altered), Err(Refusal::WrongTag));
    }
    let short = CanFrame::data(frames[1].id(), &[0; 7]).unwrap();
    assert_eq!(receive(&mut receiver, &[short]), Err(Refusal::Unpaired));
    // A frame that was given up does not spoil the message that follows in time.
    assert_eq!(receiver.receive(at(0), &frames[0]), None);
    assert_eq!(receiver.receive(at(101), &frames[0]), None);
    assert_eq!(receiver.receive(at(201), &frames[1]).unwrap().unwrap().message, DATA);
    assert_eq!(receiver.counts(1).refused(Refusal::Unpaired), 2);
    // Without an end no message grows beyond its limit.
    let endless = (0..40).filter_map(|_| receiver.receive(at(300), &frames[0])).count();
    assert_eq!(endless, 1);
}

proptest! {
    #[test]
    fn no_frames_panic(frames in prop::collection::vec(crate::tests::frame(), 0..40)) {
        let mut receiver = PaperReceiver::new(PaperScheme::as_written(master_key()));
        for frame in frames {
            prop_assert!(!matches!(receiver.receive(at(0), &frame), Some(Ok(_))));
        }
    }
}
