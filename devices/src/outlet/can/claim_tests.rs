//! A claim in the hands of its tests, without a bus.

use super::*;

const START: SimTime = SimTime(5_000_000_000);

fn id(last: u8) -> UniqueId {
    UniqueId::from_bytes([7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last])
}

fn announce(claim: &mut Claim) -> SimTime {
    let at = claim.next().unwrap();
    assert_eq!(claim.due(SimTime(at.0 - 1)), None);
    let high = claim.due(at).unwrap();
    assert_eq!(high.to_string(), "3E3#0700000000000000");
    let low = claim.sent(at, high).unwrap();
    assert_eq!(claim.sent(at, low), None);
    at
}

fn hear(claim: &mut Claim, now: SimTime, other: UniqueId) -> Option<UniqueId> {
    let half = |register| other.half(register).unwrap();
    let high = claim.heard(now, Register::UniqueIdHigh, &half(Register::UniqueIdHigh));
    assert_eq!(high, None);
    claim.heard(now, Register::UniqueIdLow, &half(Register::UniqueIdLow))
}

#[test]
fn a_node_answers_a_quarter_of_a_second_after_its_announcement() {
    let mut claim = Claim::new(id(5), 3, 0, START);
    assert!(!claim.is_settled(SimTime(i64::MAX)));
    let at = announce(&mut claim);
    let from = at + SimDuration::from_milliseconds(250);
    assert!(!claim.is_settled(SimTime(from.0 - 1)) && claim.is_settled(from));
    assert_eq!(claim.next(), None);
    claim.restart(from);
    assert!(!claim.is_settled(from) && claim.next().is_some());
}

#[test]
fn the_lower_id_stays_and_either_answers_the_other_by_one_announcement() {
    let later = START + SimDuration::from_seconds(9);
    let mut low = Claim::new(id(5), 3, 0, START);
    announce(&mut low);
    assert_eq!(hear(&mut low, later, id(5)), None);
    assert_eq!(low.next(), None, "its own id is no other node");
    assert_eq!(hear(&mut low, later, id(6)), None);
    announce(&mut low);
    assert!(low.is_settled(later));
    let mut high = Claim::new(id(6), 3, 0, START);
    announce(&mut high);
    assert_eq!(hear(&mut high, later, id(5)), Some(id(5)));
    announce(&mut high);
    assert_eq!(hear(&mut high, later, id(5)), None);
    assert_eq!(high.next(), None, "or both would announce themselves forever");
    assert!(!high.is_settled(SimTime(i64::MAX)));
}

/// Of any two ids that differ in one bit few have back-offs as near as a frame is long; and those
/// have others the next time.
#[test]
fn back_offs_of_like_ids_are_apart() {
    let frame_ns = 1_100_000;
    let near = |announced: u32| {
        let of = |last| back_off(id(last), announced).0;
        let pairs = (0..=255_u8).flat_map(|a| (0..8).map(move |bit| (a, a ^ 1 << bit)));
        pairs.filter(|&(a, b)| (of(a) - of(b)).abs() < frame_ns).collect::<Vec<_>>()
    };
    let all = 256.0 * 8.0;
    // By chance it is two frames of 65.5 ms.
    let (first, second) = (near(0), near(1));
    assert!((first.len() as f64) < 0.06 * all, "{}", first.len());
    let again = first.iter().filter(|pair| second.contains(pair)).count();
    assert!((again as f64) < 0.01 * all, "{again}");
    assert!((0..=255).all(|last| back_off(id(last), 0) < SimDuration(65_536_000)));
}

#[test]
fn an_announcement_that_is_destroyed_is_made_again_as_a_whole() {
    let mut claim = Claim::new(id(5), 3, 0, START);
    let at = claim.next().unwrap();
    let high = claim.due(at).unwrap();
    let low = claim.sent(at, high).unwrap();
    assert_eq!(claim.destroyed(at), Some(low));
    assert_eq!(claim.destroyed(at), None);
    assert_eq!(claim.sent(at, low), None);
    assert!(!claim.is_settled(SimTime(i64::MAX)), "only half of it was sent");
    let again = announce(&mut claim);
    assert!(again > at && claim.is_settled(again + OBJECTION_TIME));
}
