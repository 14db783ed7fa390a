//! Single scenes of a network's life.

use std::collections::BTreeSet;

use lastmeter_units::{SimDuration, SimTime};

use super::air::{Stream, Weather};
use super::eui;
use super::world::{COORDINATOR, LOST_AFTER, Line, Simulation};
use crate::address::{Eui64, ShortAddress};
use crate::network::{
    ApsFrame, Body, Coordinator, CoordinatorConfig, Departure, Event, Failure, JoinStatus, Node,
    NodeConfig, NodeState, PERSISTENCE, RadioFrame, Refusal, SendError,
};
use crate::relay::FRAME_MAX;
use crate::zdp::Capability;

fn seconds(seconds: i64) -> SimDuration {
    SimDuration::from_seconds(seconds)
}

fn fair() -> Simulation {
    Simulation::new(Weather::FAIR, 7)
}

/// A world with nodes that have joined; those at odd places sleep.
fn with_nodes(count: usize) -> Simulation {
    let mut world = fair();
    for _ in 0..count {
        world.add_joined();
    }
    world
}

fn address(world: &mut Simulation, place: usize) -> Option<ShortAddress> {
    world.coordinator().members().find(|(node, _)| *node == eui(place)).map(|(_, of)| of)
}

fn aps(bytes: usize) -> ApsFrame {
    ApsFrame {
        profile: 0x0104,
        cluster: 6,
        source_endpoint: 1,
        destination_endpoint: 1,
        payload: vec![0; bytes],
    }
}

/// A frame to the coordinator, as a node or something else may send it.
fn frame(node: Eui64, source: u16, counter: Option<u32>, body: Body) -> RadioFrame {
    RadioFrame {
        source: ShortAddress(source),
        source_eui: node,
        destination: ShortAddress::COORDINATOR,
        destination_eui: None,
        counter,
        body,
    }
}

#[test]
fn frame_for_a_sleepy_node_waits_for_its_poll_and_not_longer_than_it_persists() {
    let mut world = with_nodes(2);
    // It polls every 16 s; what is sent just before that reaches it, what is sent earlier does not.
    let polled = world.coordinator().heard(eui(1)).unwrap();
    world.run(polled + seconds(10) - world.now);
    let begin = world.now;
    assert!(world.command(1));
    world.run(seconds(30));
    let (at, node, _) = world.fetched[0];
    assert_eq!((world.fetched.len(), node), (1, eui(1)));
    assert!(at - begin > seconds(5) && at - begin < PERSISTENCE, "{}", at - begin);
    let polled = world.coordinator().heard(eui(1)).unwrap();
    world.run(polled + seconds(5) - world.now);
    assert!(world.command(1));
    world.run(seconds(30));
    assert_eq!(world.fetched.len(), 1, "it waited 11 s, and 7.68 s are allowed");
    let last = world.events.last();
    assert!(matches!(last, Some(Event::Undelivered(_, Failure::Expired))), "{last:?}");
    // A listening one has it at once.
    assert!(world.command(0));
    world.run(seconds(1));
    assert_eq!(world.fetched.last().map(|(_, node, _)| *node), Some(eui(0)));
}

#[test]
fn queue_of_a_sleepy_node_is_bounded_and_drained_in_one_wake() {
    let mut world = with_nodes(2);
    let polled = world.coordinator().heard(eui(1)).unwrap();
    world.run(polled + seconds(12) - world.now);
    let taken = (0..20).filter(|_| world.command(1)).count();
    assert_eq!(taken, world.config.queue_max);
    let full = world.now;
    let refused = world.coordinator().send(full, eui(1), aps(1));
    assert_eq!(refused, Err(SendError::QueueFull(8)));
    world.run(seconds(6));
    assert_eq!(world.fetched.len(), taken);
    let (first, last) = (world.fetched[0].0, world.fetched[taken - 1].0);
    assert!(last - first < seconds(2), "{}", last - first);
}

#[test]
fn node_that_stays_awake_takes_sixty_four_messages_in_a_row() {
    let mut world = with_nodes(2);
    let (now, until) = (world.now, world.now + seconds(60));
    world.members[1].node.stay_awake(now, until);
    let begin = world.now;
    while world.fetched.len() < 64 {
        world.command(1);
        world.run(SimDuration::from_milliseconds(50));
        assert!(world.now - begin < seconds(20), "{} of 64", world.fetched.len());
    }
    let numbers: Vec<u32> = world.fetched.iter().map(|(_, _, number)| *number).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
}

#[test]
fn two_nodes_with_one_address_both_get_another() {
    for other_sleeps in [false, true] {
        let mut world = with_nodes(3);
        let other = usize::from(other_sleeps);
        let shared = address(&mut world, other).unwrap();
        world.claim(2, shared);
        world.settle();
        world.run(seconds(40));
        let conflict = Event::Conflict { address: shared, nodes: [eui(other), eui(2)] };
        assert!(world.events.contains(&conflict), "{:?}", world.events);
        let of: Vec<_> = (0..3).map(|place| address(&mut world, place).unwrap()).collect();
        assert!(!of.contains(&shared), "{of:?}");
        assert_eq!(of.iter().collect::<BTreeSet<_>>().len(), 3);
        assert_eq!(world.reported, world.truth);
        for place in 0..3 {
            world.read(place);
        }
        world.run(seconds(5));
        assert_eq!(world.arrived.len(), 3);
    }
}

#[test]
fn frame_under_way_never_reaches_the_next_owner_of_its_address() {
    let mut world = with_nodes(1);
    let freed = address(&mut world, 0).unwrap();
    // A command that is delayed until the address has another owner.
    world.air.weather.delay_max = seconds(1);
    world.command(0);
    world.members[0].is_dead = true;
    let now = world.now;
    world.coordinator().remove(now, eui(0));
    world.run(LOST_AFTER + seconds(10));
    assert_eq!(address(&mut world, 0), None);
    world.air.weather = Weather::FAIR;
    let (mut coordinator, place) = (world.coordinator.clone().unwrap(), world.add());
    let request = frame(eui(place), 0xFFFE, None, Body::AssociationRequest(Capability::PLUG));
    let now = world.now;
    coordinator.receive(now, &request, &mut || freed.0);
    let answer = coordinator.transmit().unwrap();
    assert_eq!(answer.body, Body::AssociationResponse(JoinStatus::Success(freed)));
    world.join(place);
    let node = &mut world.members[place].node;
    node.step(now, &mut || 0);
    while node.transmit().is_some() {}
    node.receive(now, &answer);
    assert_eq!(node.address(), Some(freed));
    node.step(now, &mut || 0);
    coordinator.receive(now, &node.transmit().unwrap(), &mut || 0);
    node.receive(now, &coordinator.transmit().unwrap());
    assert_eq!(node.state(), NodeState::Joined);
    // The address is the new owner's, the frame the former's: by short address alone it would be
    // taken.
    let mut late = answer.clone();
    late.counter = Some(1_000);
    late.destination_eui = Some(eui(0));
    late.body = Body::Data { aps_counter: 9, acknowledge: true, aps: aps(3) };
    while node.event().is_some() {}
    node.receive(now, &late);
    assert_eq!(node.event(), None);
    late.destination_eui = Some(eui(place));
    node.receive(now, &late);
    assert!(node.event().is_some(), "the same frame for itself is taken");
    // And a reading of the former owner is not the new one's.
    let old = Body::Data { aps_counter: 1, acknowledge: true, aps: aps(3) };
    while coordinator.event().is_some() {}
    coordinator.receive(now, &frame(eui(0), freed.0, Some(5_000), old), &mut || 0);
    assert_eq!(coordinator.event(), None);
}

#[test]
fn removed_node_comes_back_by_joining_only() {
    let mut world = with_nodes(1);
    world.remove(0);
    world.settle();
    let left = Event::Left { node: eui(0), address: ShortAddress(0), how: Departure::Removed };
    let is_left = |event: &Event| {
        matches!((event, &left),
        (Event::Left { how, .. }, Event::Left { how: expected, .. }) if how == expected)
    };
    assert!(world.events.iter().any(is_left));
    assert_eq!(world.members[0].node.state(), NodeState::NotJoined);
    // A copy that was not there when it was removed tries to rejoin.
    let rejoin = Body::RejoinRequest(Capability::PLUG);
    let now = world.now;
    world.coordinator().receive(now, &frame(eui(0), 77, Some(9_999), rejoin), &mut || 5);
    let refused = Event::Refused(eui(0), Refusal::Removed);
    assert_eq!(world.coordinator().event(), Some(refused));
    let answer = world.coordinator().transmit().unwrap();
    assert_eq!(answer.body, Body::Leave { request: true, rejoin: false });
    world.join(0);
    world.settle();
    assert!(address(&mut world, 0).is_some());
}

#[test]
fn silent_node_is_lost_comes_back_and_is_forgotten_in_the_end() {
    let mut world = with_nodes(2);
    world.kill(0);
    world.run(LOST_AFTER - seconds(20));
    assert!(!world.events.contains(&Event::Lost(eui(0))));
    world.run(seconds(40));
    assert!(world.events.contains(&Event::Lost(eui(0))));
    world.revive(0);
    world.settle();
    assert!(world.events.contains(&Event::Back(eui(0))));
    world.kill(0);
    world.run(seconds(86_500));
    let is_forgotten =
        |event: &Event| matches!(event, Event::Left { how: Departure::Forgotten, .. });
    assert!(world.events.iter().any(is_forgotten));
    assert_eq!(address(&mut world, 0), None);
    assert!(!world.events.contains(&Event::Lost(eui(1))), "the other one polls");
}

#[test]
fn restart_keeps_addresses_and_a_lost_table_makes_nodes_rejoin() {
    let mut world = with_nodes(4);
    let before: Vec<_> = world.coordinator().members().collect();
    world.stop(true);
    world.run(seconds(3));
    world.start(true);
    world.settle();
    world.run(seconds(60));
    assert_eq!(world.coordinator().members().collect::<Vec<_>>(), before);
    world.stop(true);
    world.start(false);
    assert_eq!(world.coordinator().members().count(), 0);
    world.settle();
    let after: Vec<_> = world.coordinator().members().collect();
    assert_eq!(after.len(), 4);
    assert!(after.iter().zip(&before).all(|(after, before)| after.0 == before.0));
    assert_ne!(after, before);
    assert_eq!(world.reported, world.truth);
}

#[test]
fn node_that_left_unheard_and_joins_again_is_reported_as_both() {
    let mut world = with_nodes(1);
    world.air.weather.loss = 1.0;
    world.leave(0);
    world.run(seconds(20));
    assert_eq!(world.members[0].node.state(), NodeState::NotJoined);
    world.air.weather = Weather::FAIR;
    world.join(0);
    world.settle();
    let lines = &world.reported[&eui(0)];
    assert!(matches!(lines[..], [Line::Joined(_), Line::Left, Line::Joined(_)]), "{lines:?}");
    assert_eq!(world.reported, world.truth);
}

#[test]
fn repeated_frames_and_repeated_messages_count_once() {
    let mut world = with_nodes(1);
    let (now, own) = (world.now, address(&mut world, 0).unwrap().0);
    let message = |counter, aps_counter| {
        let body = Body::Data { aps_counter, acknowledge: true, aps: aps(12) };
        frame(eui(0), own, Some(counter), body)
    };
    let coordinator = world.coordinator();
    let mut received = |frames: &[RadioFrame]| {
        for frame in frames {
            coordinator.receive(now, frame, &mut || 0);
        }
        let mut answers = 0;
        while coordinator.transmit().is_some() {
            answers += 1;
        }
        let mut taken = 0;
        while let Some(event) = coordinator.event() {
            taken += usize::from(matches!(event, Event::Received { .. }));
        }
        (taken, answers)
    };
    // The same frame again is not even acknowledged; the same message in a new frame is.
    assert_eq!(received(&[message(5_000, 40), message(5_000, 40)]), (1, 1));
    assert_eq!(received(&[message(5_001, 40)]), (0, 1));
    assert_eq!(received(&[message(4_999, 41)]), (0, 0));
    assert_eq!(received(&[message(5_002, 41)]), (1, 1));
}

#[test]
fn nobody_joins_without_permission_or_room() {
    let config = CoordinatorConfig { nodes_max: 1, ..CoordinatorConfig::new(COORDINATOR) };
    let mut coordinator = Coordinator::new(config);
    let ask = |coordinator: &mut Coordinator, place| {
        let body = Body::AssociationRequest(Capability::SLEEPER);
        coordinator.receive(SimTime(0), &frame(eui(place), 0xFFFE, None, body), &mut || 9);
        coordinator.transmit().unwrap().body
    };
    let answer = |status| Body::AssociationResponse(status);
    assert_eq!(ask(&mut coordinator, 0), answer(JoinStatus::Denied));
    assert_eq!(coordinator.event(), Some(Event::Refused(eui(0), Refusal::NotPermitted)));
    coordinator.permit_joining(SimTime(1));
    assert_eq!(ask(&mut coordinator, 0), answer(JoinStatus::Success(ShortAddress(9))));
    assert_eq!(ask(&mut coordinator, 1), answer(JoinStatus::AtCapacity));
    assert_eq!(coordinator.event(), Some(Event::Refused(eui(1), Refusal::Full)));
    // Who does not announce itself was never a member.
    coordinator.step(SimTime(0) + seconds(20));
    assert_eq!((coordinator.event(), coordinator.next()), (None, None));
}

#[test]
fn addresses_are_of_nodes_and_unique_whatever_is_drawn() {
    for drawn in [0, 1, 0xFFF7, 0xFFF8, 0xFFFF] {
        let config = CoordinatorConfig { nodes_max: 20, ..CoordinatorConfig::new(COORDINATOR) };
        let mut coordinator = Coordinator::new(config);
        coordinator.permit_joining(SimTime(1));
        let mut given = BTreeSet::new();
        for place in 0..20 {
            let body = Body::AssociationRequest(Capability::PLUG);
            let request = frame(eui(place), 0xFFFE, None, body);
            coordinator.receive(SimTime(0), &request, &mut || drawn);
            let body = coordinator.transmit().unwrap().body;
            let Body::AssociationResponse(JoinStatus::Success(address)) = body else {
                panic!("{body:?}")
            };
            assert!((1..=0xFFF7).contains(&address.0), "{address}");
            assert!(given.insert(address), "{address} twice");
        }
    }
}

#[test]
fn what_cannot_be_sent_is_refused_with_the_reason() {
    let mut world = with_nodes(1);
    let now = world.now;
    let coordinator = world.coordinator();
    assert_eq!(coordinator.send(now, eui(9), aps(1)), Err(SendError::Unknown));
    assert!(coordinator.send(now, eui(0), aps(FRAME_MAX)).is_ok());
    let error = coordinator.send(now, eui(0), aps(FRAME_MAX + 1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the payload has 83 bytes, a frame carries at most 82; send it in parts"
    );
    let place = world.add();
    assert_eq!(world.members[place].node.send(now, aps(1)), Err(SendError::NotJoined));
}

#[test]
fn broadcast_reaches_those_that_listen() {
    let mut world = with_nodes(2);
    world.run(seconds(3));
    let mut message = aps(12);
    message.payload[..8].copy_from_slice(&eui(0).0.to_le_bytes());
    world.coordinator().broadcast(message);
    world.drain();
    world.run(seconds(1));
    assert_eq!(world.fetched.iter().map(|it| it.1).collect::<Vec<_>>(), [eui(0)]);
}

#[test]
fn reading_from_an_address_that_is_not_the_nodes_is_refused() {
    let mut world = with_nodes(2);
    let (now, other) = (world.now, address(&mut world, 1).unwrap());
    let message = || Body::Data { aps_counter: 90, acknowledge: true, aps: aps(12) };
    for source in [other.0, 0x7777] {
        let counter = Some(5_000 + u32::from(source));
        let coordinator = world.coordinator();
        coordinator.receive(now, &frame(eui(0), source, counter, message()), &mut || 0);
        assert_eq!(coordinator.event(), None);
        let answer = coordinator.transmit().unwrap();
        assert_eq!(answer.body, Body::Leave { request: true, rejoin: true });
    }
    let own = address(&mut world, 0).unwrap().0;
    let coordinator = world.coordinator();
    coordinator.receive(now, &frame(eui(0), own, Some(200_000), message()), &mut || 0);
    assert!(matches!(coordinator.event(), Some(Event::Received { .. })));
}

#[test]
fn node_without_an_answer_asks_ever_less_often() {
    let mut node = Node::new(NodeConfig::listening(eui(0)));
    node.join(SimTime(0));
    let (mut stream, mut asked) = (Stream(3), Vec::new());
    while let Some(now) = node.next().filter(|now| *now < SimTime(0) + seconds(1_800)) {
        node.step(now, &mut || stream.draw() as u16);
        let is_request = |frame: &RadioFrame| matches!(frame.body, Body::AssociationRequest(_));
        asked.extend(std::iter::from_fn(|| node.transmit()).filter(is_request).map(|_| now));
    }
    let pauses: Vec<_> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // Pauses double from 2 s to a minute, and each is between its half and its whole.
    for (number, pause) in pauses.iter().enumerate() {
        let longest = seconds(60.min(2 << number.min(8)));
        assert!(*pause <= longest && *pause * 2 >= longest, "{number}: {pause}");
    }
    assert!((30..=70).contains(&pauses.len()), "{}", pauses.len());
    let different: BTreeSet<_> = pauses.iter().skip(6).collect();
    assert!(different.len() > 20, "pauses are by chance, so that nodes do not keep in step");
}

/// A coordinator with one member, of which frames are typed in; its next counter is 10.
#[expect(clippy::type_complexity, reason = "a closure's type has no shorter name")]
fn by_hand() -> (Coordinator, impl FnMut(&mut Coordinator, u16, Option<u32>, Body) -> Vec<Event>) {
    let mut coordinator = Coordinator::new(CoordinatorConfig::new(COORDINATOR));
    coordinator.permit_joining(SimTime(i64::MAX));
    let mut stream = Stream(5);
    let mut receive = move |it: &mut Coordinator, source, counter, body| {
        let now = SimTime(0) + seconds(1);
        it.receive(now, &frame(eui(0), source, counter, body), &mut || stream.draw() as u16);
        std::iter::from_fn(|| it.event()).collect::<Vec<_>>()
    };
    let request = Body::AssociationRequest(Capability::PLUG);
    receive(&mut coordinator, 0xFFFE, None, request);
    let own = offered(&mut coordinator);
    let joined = receive(&mut coordinator, own, Some(9), announce());
    assert!(matches!(joined[..], [Event::Joined { .. }]));
    (coordinator, receive)
}

fn announce() -> Body {
    Body::Announce(Capability::PLUG)
}

/// The address in the last answer.
fn offered(coordinator: &mut Coordinator) -> u16 {
    match std::iter::from_fn(|| coordinator.transmit()).last().map(|frame| frame.body) {
        Some(
            Body::AssociationResponse(JoinStatus::Success(address))
            | Body::RejoinResponse(JoinStatus::Success(address)),
        ) => address.0,
        other => panic!("{other:?}"),
    }
}

#[test]
fn late_request_to_associate_does_not_make_a_rejoin_a_departure() {
    let (mut coordinator, mut receive) = by_hand();
    let own = coordinator.members().next().unwrap().1.0;
    let rejoin = Body::RejoinRequest(Capability::PLUG);
    receive(&mut coordinator, own, Some(10), rejoin);
    let next = offered(&mut coordinator);
    receive(&mut coordinator, 0xFFFE, None, Body::AssociationRequest(Capability::PLUG));
    let events = receive(&mut coordinator, next, Some(11), announce());
    assert!(matches!(events[..], [Event::AddressChanged { .. }]), "{events:?}");
}

#[test]
fn late_frame_of_a_former_membership_does_not_make_a_member() {
    let (mut coordinator, mut receive) = by_hand();
    let own = coordinator.members().next().unwrap().1.0;
    let leave = Body::Leave { request: false, rejoin: false };
    assert!(matches!(receive(&mut coordinator, own, Some(10), leave)[..], [Event::Left { .. }]));
    receive(&mut coordinator, 0xFFFE, None, Body::AssociationRequest(Capability::PLUG));
    let next = offered(&mut coordinator);
    assert_eq!(receive(&mut coordinator, own, Some(9), announce()), []);
    assert_eq!(coordinator.members().count(), 0);
    let events = receive(&mut coordinator, next, Some(11), announce());
    assert!(matches!(events[..], [Event::Joined { .. }]), "{events:?}");
}
