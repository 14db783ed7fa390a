//! Random sequences of what happens to a network: after each its table is right again, and its
//! history the network's own.

use lastmeter_units::SimDuration;

use super::air::{Stream, Weather};
use super::eui;
use super::world::{LOST_AFTER, Line, Simulation};
use crate::network::NodeState;

const NODES: usize = 7;

fn seconds(seconds: usize) -> SimDuration {
    SimDuration::from_seconds(seconds as i64)
}

/// Some place whose node is in this condition.
fn pick(world: &Simulation, stream: &mut Stream, fits: impl Fn(usize) -> bool) -> Option<usize> {
    let places: Vec<_> = (0..world.members.len()).filter(|place| fits(*place)).collect();
    (!places.is_empty()).then(|| places[stream.below(places.len())])
}

/// Does one thing by chance, and reports what.
fn happen(
    world: &mut Simulation,
    stream: &mut Stream,
    pause: &mut dyn FnMut(&mut Simulation),
) -> String {
    let is_in = |world: &Simulation, place: usize, state: NodeState| {
        let member = &world.members[place];
        !member.is_dead && member.node.state() == state
    };
    let joined = |world: &Simulation, stream: &mut Stream| {
        pick(world, stream, |place| is_in(world, place, NodeState::Joined))
    };
    match stream.below(12) {
        0 | 1 if world.members.len() < NODES => {
            let place = world.add();
            world.join(place);
            format!("{place} joins")
        }
        0..=2 => {
            let it = pick(world, stream, |place| is_in(world, place, NodeState::NotJoined));
            it.inspect(|&place| world.join(place))
                .map_or_else(String::new, |p| format!("{p} again"))
        }
        3 => joined(world, stream)
            .inspect(|&place| world.leave(place))
            .map_or_else(String::new, |place| format!("{place} leaves")),
        4 => {
            let known = pick(world, stream, |place| world.members[place].is_known);
            known
                .inspect(|&place| world.remove(place))
                .map_or_else(String::new, |place| format!("{place} is removed"))
        }
        5 => {
            let Some(place) = joined(world, stream) else { return String::new() };
            world.kill(place);
            world.run(LOST_AFTER + seconds(20));
            format!("{place} dies")
        }
        6 => {
            let dead = pick(world, stream, |place| world.members[place].is_dead);
            dead.inspect(|&place| world.revive(place))
                .map_or_else(String::new, |place| format!("{place} revives"))
        }
        7 => joined(world, stream)
            .inspect(|&place| world.revive(place))
            .map_or_else(String::new, |place| format!("{place} restarts")),
        8 | 9 => {
            let (Some(one), Some(other)) = (joined(world, stream), joined(world, stream)) else {
                return String::new();
            };
            let address = world.members[other].node.address().unwrap();
            world.claim(one, address);
            format!("{one} claims {address} of {other}")
        }
        kind => {
            let has_table = kind == 10;
            world.stop(stream.below(2) == 0 || !has_table);
            let down = seconds(stream.below(90));
            world.run(down);
            world.start(has_table);
            pause(world);
            format!("restart after {down}, table {has_table}")
        }
    }
}

#[test]
fn history_is_the_networks_own_after_a_thousand_sequences() {
    let mut lines = 0;
    for seed in 0..1_000 {
        let weather = if seed % 5 == 0 { Weather::FAIR } else { Weather::FOUL };
        let (mut world, mut stream) = (Simulation::new(weather, seed), Stream(seed));
        world.addresses = 16;
        world.config.rejoin_changes_address = seed % 3 != 0;
        (0..3).for_each(|_| {
            let place = world.add();
            world.join(place);
        });
        let mut log = Vec::new();
        for _ in 0..10 {
            log.push(happen(&mut world, &mut stream, &mut |_| ()));
            world.settle();
            for place in 0..world.members.len() {
                if !world.members[place].is_dead {
                    world.read(place);
                }
                world.command(place);
            }
            world.run(seconds(30));
            world.settle();
        }
        assert_eq!(world.reported, world.truth, "seed {seed}: {log:#?}");
        assert!(world.doubled == 0 || world.may_double, "seed {seed}: {log:#?}");
        lines += world.truth.values().map(Vec::len).sum::<usize>();
    }
    // So that the comparison is of something.
    assert!(lines > 10_000, "{lines}");
}

/// Whether lines are a life: what happens to a member only happens to one.
fn is_life(lines: &[Line]) -> bool {
    let (mut address, mut is_lost) = (None, false);
    lines.iter().all(|line| match *line {
        Line::Joined(new) => address.replace(new).is_none(),
        Line::Changed(from, to) => address.replace(to) == Some(from) && !is_lost,
        Line::Lost => address.is_some() && !std::mem::replace(&mut is_lost, true),
        Line::Back => std::mem::take(&mut is_lost),
        Line::Left | Line::Unknown => {
            is_lost = false;
            address.take().is_some()
        }
    })
}

#[test]
fn table_converges_after_a_thousand_sequences_without_a_pause() {
    let (mut arrived, mut fetched) = (0, 0);
    for seed in 0..1_000 {
        let (mut world, mut stream) = (Simulation::new(Weather::FOUL, seed), Stream(seed ^ 0xC3));
        world.addresses = 16;
        world.config.rejoin_changes_address = seed % 3 != 0;
        world.config.forgotten_after = seconds(600);
        // The rules hold for every coordinator from now on.
        world.stop(true);
        world.start(true);
        (0..3).for_each(|_| {
            let place = world.add();
            world.join(place);
        });
        let mut log = Vec::new();
        for _ in 0..16 {
            log.push(happen(&mut world, &mut stream, &mut |_| ()));
            for place in 0..world.members.len() {
                if !world.members[place].is_dead {
                    world.read(place);
                }
                world.command(place);
            }
            let gap = SimDuration::from_milliseconds(stream.below(30_000) as i64);
            world.run(gap);
        }
        world.run(seconds(1_000));
        world.air.weather = Weather::FAIR;
        world.run(seconds(1_000));
        let states = world.states();
        assert!(world.is_converged(true), "seed {seed}: {log:#?}\n{states:?}");
        for (node, lines) in &world.reported {
            assert!(is_life(lines), "seed {seed}: {node}: {lines:?}");
        }
        assert!(world.doubled == 0 || world.may_double, "seed {seed}: {log:#?}");
        arrived += world.arrived.len();
        fetched += world.fetched.len();
    }
    assert!(arrived > 40_000 && fetched > 20_000, "{arrived}, {fetched}");
}

#[test]
fn two_hundred_nodes_join_within_two_minutes() {
    for weather in [Weather::FAIR, Weather::FOUL] {
        let mut world = Simulation::new(weather, 1);
        for _ in 0..200 {
            let place = world.add();
            world.join(place);
        }
        let took = world.settle();
        assert_eq!(world.coordinator().members().count(), 200);
        assert!(took <= seconds(120), "{took}");
        // Retries for every node, and not a storm.
        assert!(world.air.sent < 200 * 20, "{}", world.air.sent);
        let place = world.add();
        world.join(place);
        world.run(seconds(30));
        assert_eq!(world.members[place].node.state(), NodeState::Joining, "the table is full");
        assert!(world.coordinator().heard(eui(place)).is_none());
    }
}
