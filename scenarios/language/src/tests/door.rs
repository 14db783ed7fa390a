//! Doors beside MQTT: what the platform is given of them, and what cannot be.

use lastmeter_platform::DoorConfig;

use super::{VALID, assert_printed, change, changed, load};
use crate::Scenario;

fn with(doors: &str) -> String {
    changed("[[source]]", &format!("{doors}\n[[source]]"))
}

fn doors(scenario: &Scenario) -> &[DoorConfig] {
    scenario.part::<Vec<DoorConfig>>().map_or(&[], Vec::as_slice)
}

#[test]
fn a_door_is_passed_on_with_its_keys_and_takes_a_free_port() {
    let scenario = load(&with("[[door]]\nkind = \"http\"\nconnections = 8")).unwrap();
    let [door] = doors(&scenario) else { panic!("one door") };
    assert_eq!(door.kind, "http");
    assert_eq!(door.keys["address"].as_str(), Some("127.0.0.1:0"));
    assert_eq!((door.keys["connections"].as_integer(), door.keys.len()), (Some(8), 2));
    let again = load(&scenario.resolved_toml()).unwrap();
    assert_eq!(doors(&again), doors(&scenario));
    let named = "[[door]]\nname = \"way\"\nkind = \"http\"\naddress = \"[::1]:8090\"";
    let scenario = load(&with(named)).unwrap();
    assert_eq!(doors(&scenario)[0].keys["address"].as_str(), Some("[::1]:8090"));
    assert!(doors(&load(VALID).unwrap()).is_empty());
}

#[test]
fn a_door_that_cannot_be_opened_is_a_mistake_where_it_stands() {
    let cases = [
        "[[door]]\nkind = \"window\"",
        "[[door]]",
        "[[door]]\nkind = \"http\"\nport = 1",
        "[[door]]\nkind = \"http\"\nconnections = 0",
        "[[door]]\nkind = \"http\"\naddress = \"here\"",
        "[[door]]\nkind = \"http\"\n[[door]]\nkind = \"http\"",
    ];
    assert_printed("doors", cases.map(|text| (change("", text), load(&with(text)))));
}
