//! The settings of docs/settings.toml: all there are, with their defaults.

use std::collections::BTreeSet;
use std::error::Error as _;

use lastmeter_platform::{Config, Limits, Token};

const FILE: &str = include_str!("../../../docs/settings.toml");

/// The keys that may stand in a table, as the refusal of one that may not lists them.
fn keys(table: &str) -> BTreeSet<String> {
    let required = "data = \"d\"\ntoken = \"t\"\n";
    let header = if table.is_empty() { String::new() } else { format!("[{table}]\n") };
    let text = format!("{required}{header}no_such_key = 1");
    let error = Config::from_toml(&text).expect_err("there is no such key");
    let text = error.source().expect("a source").to_string();
    let (_, expected) = text.split_once("expected ").expect("what may stand there");
    let listed = expected.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    assert!(!text.contains("missing field"), "{text}");
    listed
}

fn in_file(table: &toml::Table) -> BTreeSet<String> {
    table.keys().cloned().collect()
}

#[test]
fn the_example_of_the_settings_has_every_key() {
    let file: toml::Table = FILE.parse().unwrap();
    assert_eq!(in_file(&file), keys(""));
    for name in ["tls", "rest_tls", "store", "limits"] {
        assert_eq!(in_file(file[name].as_table().unwrap()), keys(name), "{name}");
    }
    for door in lastmeter_platform::door_kinds() {
        let doors = file["door"].as_array().unwrap();
        let found = doors.iter().find(|found| found["kind"].as_str() == Some(door.name));
        let mut found =
            in_file(found.unwrap_or_else(|| panic!("{}", door.name)).as_table().unwrap());
        found.remove("kind");
        let expected = door.fields.iter().map(|field| field.name.to_owned()).collect();
        assert_eq!(found, expected, "{}", door.name);
    }
}

#[test]
fn the_example_of_the_settings_is_read_and_has_the_defaults() {
    let example = Config::from_toml(FILE).unwrap();
    let least = Config::from_toml("data = \"platform-data\"\ntoken = \"t\"").unwrap();
    assert_eq!(example.limits, Limits::default());
    assert_eq!(example.token, Some(Token::new("a long random text")));
    assert_eq!(
        (example.mqtt_address, example.rest_address, example.clock, example.behind_proxy),
        (least.mqtt_address, least.rest_address, least.clock, least.behind_proxy)
    );
    assert_eq!((example.data, example.strict_table2), (least.data, least.strict_table2));
    assert!(least.rest_tls.is_none() && least.trusted_proxies.is_empty());
}
