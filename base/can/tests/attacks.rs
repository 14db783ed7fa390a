//! The battery of attacks on a bus: what a receiver makes of each under each protection, beside a
//! table written by hand from the published analysis of the schemes.

#![expect(clippy::unwrap_used, reason = "what is not as expected fails its test")]

#[path = "attacks/network.rs"]
mod network;

use lastmeter_can::attacker::{Attack, Protection};
use lastmeter_can::authentication::Refusal;
use lastmeter_can::authentication::paper::KeyPlace;
use lastmeter_can::bus::{Detail, ErrorState};
use lastmeter_can::controller::TransmitOutcome;
use lastmeter_units::{SimDuration, SimTime};

use self::network::{BIT, Case, Network, REGISTER, START, TIMES, Variant, id};

/// What is expected of an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// So many messages of the attacker are accepted at least.
    Accepted(u64),
    /// None is: for the first of these reasons at least, and no others. Those behind the first are
    /// of true messages that it came between, or of recordings that were overtaken.
    Refused(&'static [Refusal]),
    /// There is nothing in this protection that could be attacked so, and nothing is sent.
    Inapplicable,
}

use Expected::{Accepted, Inapplicable, Refused};
use Refusal::{Malformed, Replayed, TooOld, UnknownSender, Unpaired, WrongTag};

/// By attack: what becomes of it without protection, in the scheme of the paper, and in the two
/// others. The paper: the sync code may stay as it is (replay of the last message), is one of each
/// identifier, and no identifier is in the hash (transplant); what lies behind is refused by the
/// sync code, what was altered by the hash, and with the key last nothing can be appended. After a
/// reboot, of which it has nothing, the node begins at 1, and what was heard before is ahead of it.
/// Its receiver puts frames of attacker and node together, so of a replay half is expected at
/// least; of eleven bits of an identifier five lead to a node that is none.
/// The two others: a counter that is not above the last one is refused under its right MAC, and
/// what a receiver cannot complete to its counter any more, or was altered, under a wrong one.
const TABLE: [(Attack, [Expected; 4]); 15] = [
    (
        Attack::ReplayLast,
        [
            Accepted(TIMES),
            Accepted(TIMES / 2),
            Refused(&[Replayed, TooOld]),
            Refused(&[Replayed, TooOld]),
        ],
    ),
    (
        Attack::ReplayOld,
        [Accepted(TIMES), Refused(&[TooOld, WrongTag]), Refused(&[TooOld]), Refused(&[TooOld])],
    ),
    (
        Attack::ReplayWrapped,
        [Accepted(TIMES), Refused(&[TooOld, WrongTag]), Refused(&[WrongTag]), Refused(&[WrongTag])],
    ),
    (
        Attack::FlipData,
        [Accepted(TIMES), Refused(&[WrongTag]), Refused(&[WrongTag]), Refused(&[WrongTag])],
    ),
    (
        Attack::FlipMac,
        [Inapplicable, Refused(&[WrongTag]), Refused(&[WrongTag]), Refused(&[WrongTag])],
    ),
    (
        Attack::FlipIdentifier,
        [
            Accepted(80),
            Accepted(TIMES),
            Refused(&[WrongTag, UnknownSender, Malformed]),
            Refused(&[WrongTag, UnknownSender]),
        ],
    ),
    (
        Attack::Transplant,
        [Accepted(TIMES), Accepted(TIMES / 2), Refused(&[WrongTag]), Refused(&[WrongTag])],
    ),
    (
        Attack::DropReplay,
        [
            Accepted(TIMES),
            Refused(&[TooOld, WrongTag]),
            Refused(&[TooOld]),
            // A node that gives up what has lost arbitration parts its own messages.
            Refused(&[TooOld, Unpaired]),
        ],
    ),
    (
        Attack::Reorder,
        [
            Accepted(2 * TIMES),
            Accepted(TIMES / 2),
            Refused(&[Replayed, TooOld]),
            Refused(&[Replayed, TooOld]),
        ],
    ),
    (Attack::Suppress, [Refused(&[]), Refused(&[]), Refused(&[Malformed]), Refused(&[Unpaired])]),
    (
        Attack::Flood,
        [Refused(&[]), Refused(&[]), Refused(&[UnknownSender]), Refused(&[UnknownSender])],
    ),
    (
        Attack::GuessMac,
        [Accepted(TIMES), Refused(&[WrongTag]), Refused(&[WrongTag]), Refused(&[WrongTag])],
    ),
    (
        Attack::ReuseAfterReboot,
        [Accepted(TIMES), Accepted(1), Refused(&[WrongTag, TooOld]), Refused(&[TooOld])],
    ),
    (Attack::MacAlone, [Inapplicable, Refused(&[WrongTag]), Inapplicable, Refused(&[Unpaired])]),
    (Attack::Extend, [Inapplicable, Refused(&[WrongTag]), Inapplicable, Inapplicable]),
];

fn is_real(protection: Protection) -> bool {
    matches!(protection, Protection::Compact | Protection::Strong)
}

/// Whether the reasons by which frames of an attack are refused are evidence, so that there is an
/// alarm: a sender that is not known and a frame without room for a MAC are none.
fn has_evidence(expected: Expected) -> bool {
    matches!(expected, Refused([first, ..]) if first.is_failure())
}

fn expected_of_all() -> impl Iterator<Item = (Attack, Protection, Expected)> {
    TABLE.into_iter().flat_map(|(attack, row)| {
        Protection::ALL
            .into_iter()
            .zip(row)
            .map(move |(scheme, expected)| (attack, scheme, expected))
    })
}

#[test]
fn each_attack_beside_true_traffic_has_the_outcome_of_the_table() {
    assert_eq!(TABLE.map(|(attack, _)| attack), Attack::ALL);
    for (attack, protection, expected) in expected_of_all() {
        let mut network = Network::attacked(Case::new(attack, protection));
        let (seen, sent) = (network.seen.clone(), network.attacker.sent());
        let what = format!("{attack} against {protection}: {seen:?}, {sent} frames");
        assert_eq!(sent == 0, expected == Inapplicable, "{what}");
        match expected {
            Accepted(least) => assert!(seen.forged >= least, "{what}"),
            Refused(_) | Inapplicable => assert_eq!(seen.forged, 0, "{what}"),
        }
        if let Refused(reasons) = expected {
            assert!(reasons.first().is_none_or(|first| seen.reasons.contains(first)), "{what}");
            assert!(seen.reasons.iter().all(|reason| reasons.contains(reason)), "{what}");
        }
        if is_real(protection) {
            assert_eq!(network.has_alarm_in_time(), has_evidence(expected), "{what}");
        }
        // The others refuse no true message.
        assert!(protection == Protection::Paper || network.refused() == 0, "{what}");
        assert!(network.is_back_to_normal(), "{what}");
    }
}

/// Without a pause an attacker also suppresses: its frames collide with those of the node whose
/// identifier they have, and the MAC frames of the strong scheme, which are behind all data in
/// arbitration, come too late for their data. What both do not part is accepted.
#[test]
fn at_full_rate_nothing_is_accepted_and_the_alarm_comes_within_a_second() {
    for (attack, protection, expected) in expected_of_all() {
        if !is_real(protection) || expected == Inapplicable {
            continue;
        }
        let mut network = Network::attacked(Case::at_full_rate(attack, protection));
        let what = format!("{attack} against {protection}: {:?}", network.seen);
        assert_eq!(network.seen.forged, 0, "{what}");
        assert_eq!(network.has_alarm_in_time(), has_evidence(expected), "{what}");
        let wrongly_refused = network.nodes.iter().map(|node| node.wrongly_refused);
        assert_eq!(wrongly_refused.sum::<u64>(), 0, "{what}");
        let is_parted = protection == Protection::Strong && network.refused() > 0;
        assert!(is_parted || network.refused() == 0, "{what}");
        assert!(network.is_back_to_normal(), "{what}");
    }
}

/// Cho and Shin (2016): while both are error-active a collision costs both 8, and 16 of them make
/// both error-passive. From then on the empty frame gets through and only the true node counts, so
/// 16 more drive it to bus-off, and the attacker never gets there.
#[test]
fn collisions_drive_a_node_to_bus_off_and_it_comes_back() {
    for protection in Protection::ALL {
        for is_polled in [false, true] {
            let mut network = Network::new(Case {
                is_polled,
                times: 40,
                ..Case::at_full_rate(Attack::Suppress, protection)
            });
            network.run(SimTime(3_000_000_000), |it| it.nodes[1].was_off());
            let what = format!("{protection}, polled: {is_polled}");
            let off = network.now;
            assert!(off.since(START) < SimDuration::from_milliseconds(60), "{what}: {off:?}");
            assert_eq!(network.nodes[1].errors, 32, "{what}");
            network.run(SimTime(3_000_000_000), |it| {
                it.nodes[1].states.last() == Some(&ErrorState::Active)
            });
            // It waits for 128 times 11 recessive bits.
            let recovery = network.now.since(off);
            assert!(recovery.0 >= 128 * 11 * BIT.0, "{what}: {recovery:?}");
            assert!(recovery < SimDuration::from_milliseconds(60), "{what}: {recovery:?}");
            assert!(network.attacker.is_over(), "{what}");
            let worst = network.attacker_states.iter().max();
            assert_eq!(worst, Some(&ErrorState::Passive), "{what}");
            assert!(!network.nodes[2].was_off() && network.seen.forged == 0, "{what}");
            network.run_for_a_second();
            assert!(is_polled || network.is_back_to_normal(), "{what}");
            let [sent, answered] = [0, 1].map(|place: usize| network.nodes[place].counter - 1);
            let lost = if is_polled { sent - answered } else { network.nodes[1].without_room };
            assert!(lost > 0 || !is_polled, "{what}");
            assert_eq!(network.refused(), 0, "{what}");
        }
    }
}

/// What is destroyed is lost for a node that has one attempt; one that repeats it is driven to
/// bus-off, and its message is not out before the attacker lets it.
#[test]
fn a_message_is_destroyed_on_the_wire_and_its_recording_is_too_old() {
    for protection in [Protection::Compact, Protection::Strong] {
        let mut network = Network::new(Case::new(Attack::DropReplay, protection));
        network.run(SimTime(3_000_000_000), |it| it.attacker.sent() > 0);
        let frames = if protection == Protection::Strong { 2 } else { 1 };
        assert_eq!(network.attacker.destroyed(), frames);
        let ends = std::iter::from_fn(|| network.nodes[1].controller.next_end());
        let errors = ends.filter(|end| end.outcome == TransmitOutcome::Error).count();
        assert_eq!(errors as u64, frames);

        let case = Case { is_one_shot: false, ..Case::new(Attack::DropReplay, protection) };
        let mut network = Network::new(case);
        network.run(SimTime(3_000_000_000), |it| it.nodes[1].was_off());
        assert!(network.nodes[1].was_off());
        // Each attempt costs the sender 8, and its passive flags nothing more.
        assert_eq!(network.attacker.destroyed(), 32);
        assert_eq!((network.attacker.sent(), network.seen.forged), (0, 0));
    }
}

/// Only where the key stands first and all of the hash travels.
#[test]
fn a_message_is_extended_on_the_bus_with_the_key_first() {
    for (key_place, tag_bytes, is_extended) in [
        (KeyPlace::First, 32, true),
        (KeyPlace::First, 4, false),
        (KeyPlace::Last, 32, false),
        (KeyPlace::Last, 4, false),
    ] {
        let variant = Variant { protection: Protection::Paper, key_place, tag_bytes };
        let case = Case::new(Attack::Extend, Protection::Paper);
        // One that is accepted has the sync code of the true message that follows.
        let mut network = Network::attacked(Case { variant, times: 1, ..case });
        assert_eq!(network.seen.forged, u64::from(is_extended), "{key_place:?}, {tag_bytes}");
        assert_eq!(is_extended, !network.seen.reasons.contains(&WrongTag));
        assert!(network.is_back_to_normal());
    }
}

#[test]
fn a_message_passes_as_another_quantity_in_the_scheme_of_the_paper_only() {
    for protection in Protection::ALL {
        let elsewhere = id(REGISTER + 1, 1);
        let network =
            Network::attacked(Case { elsewhere, ..Case::new(Attack::Transplant, protection) });
        assert_eq!(network.seen.forged > 0, !is_real(protection), "{protection}");
    }
}

/// Whatever an attacker does that drives no bits is the same, in the same time.
#[test]
fn attacks_are_the_same_bit_by_bit() {
    for attack in Attack::ALL {
        if matches!(attack, Attack::DropReplay | Attack::ReplayWrapped) {
            continue;
        }
        let case = Case { times: 30, ..Case::at_full_rate(attack, Protection::Strong) };
        let [frames, bits] = [Detail::Frames, Detail::Bits].map(|detail| {
            let network = Network::attacked(Case { detail, ..case });
            let nodes = network.nodes.iter().map(|node| (node.out, node.accepted, node.errors));
            let nodes: Vec<_> = nodes.collect();
            (nodes, network.attacker.sent(), format!("{:?}", network.seen), network.now)
        });
        assert_eq!(frames, bits, "{attack}");
    }
}
