//! The sensor of a room: it sleeps, reports temperature, and its door at once.

use lastmeter_units::SimDuration;
use lastmeter_zigbee::network::NodeConfig;
use lastmeter_zigbee::zcl::cluster::{IAS_ZONE, POWER_CONFIGURATION, TEMPERATURE_MEASUREMENT};

use super::home::{Home, NODE, seconds};
use crate::zigbee::{RoomSensor, ZigbeeNode};

fn home() -> Home<RoomSensor> {
    let config = NodeConfig::sleepy(NODE, seconds(5));
    Home::new(ZigbeeNode::room_sensor(config, SimDuration::from_seconds(600)))
}

#[test]
fn temperature_is_reported_when_it_changes_and_every_ten_minutes() {
    let mut home = home();
    let begin = home.now;
    home.node.set_battery_percent(87.5);
    for (at_s, celsius) in [(0, 21.0), (30, 21.49), (60, 21.5), (65, 19.0), (66, 18.0)] {
        home.run(begin + seconds(at_s) - home.now);
        home.node.set_celsius(Some(celsius));
    }
    home.run(begin + seconds(1_300) - home.now);
    let reports = home.reported(TEMPERATURE_MEASUREMENT, 0);
    let found: Vec<_> = reports
        .iter()
        .map(|(at, number)| ((*at - begin).as_seconds_f64().round() as i64, number.unwrap()))
        .collect();
    // Ten seconds between two of them, at least.
    assert_eq!(found, [(0, 2_100), (60, 2_150), (70, 1_800), (670, 1_800), (1_270, 1_800)]);
    assert_eq!(home.reported(POWER_CONFIGURATION, 0x21)[0].1, Some(175));
    home.node.set_celsius(None);
    home.run(seconds(20));
    assert_eq!(home.reported(TEMPERATURE_MEASUREMENT, 0).last().unwrap().1, None);
}

#[test]
fn door_is_reported_at_once_although_the_node_sleeps() {
    let mut home = home();
    home.run(seconds(2));
    assert!(!home.node.radio.is_awake(home.now), "it sleeps");
    for (is_open, status) in [(true, 1), (false, 0)] {
        let (now, before) = (home.now, home.received.len());
        home.node.set_open(now, is_open);
        home.node.set_open(now, is_open);
        home.run(SimDuration::from_milliseconds(50));
        let arrived = &home.received[before..];
        assert_eq!(arrived.len(), 1);
        assert_eq!(arrived[0].1.cluster, IAS_ZONE);
        // Cluster command 0 to the client: status, extended status, zone, delay.
        let payload = &arrived[0].1.payload;
        assert_eq!((payload[0], &payload[2..]), (0x19, &[0, status, 0, 0, 0xFF, 0, 0][..]));
        assert_eq!(home.node.is_open(), is_open);
        home.run(seconds(10));
    }
}

#[test]
fn command_to_a_sleeping_sensor_is_answered_when_it_wakes() {
    let mut home = home();
    home.run(seconds(3));
    let asked = home.ask(IAS_ZONE, vec![0, 9, 0, 0x01, 0x00]);
    assert_eq!(asked, Vec::<u8>::new(), "it sleeps");
    home.run(seconds(5));
    let answer = home.received.last().unwrap().1.payload.clone();
    assert_eq!(answer, [0x18, 9, 1, 0x01, 0x00, 0, 0x31, 0x15, 0x00]);
}
