//! What documents must agree on.

use lastmeter_units::SimTime;
use serde_json::{Value, json};

use super::consistency;
use crate::document::{Document, kind_of_name};
use crate::documents::Documents;

fn there(documents: &[(&str, &str, Value)]) -> Documents {
    let all = Documents::default();
    let one = |(kind, token, body): &(&str, &str, Value)| {
        let kind = kind_of_name(kind).unwrap();
        let keys = (kind.check)(body).unwrap();
        let document = Document {
            kind,
            token: (*token).to_owned(),
            version: 1,
            created: SimTime(0),
            changed: SimTime(0),
            by: "bench".to_owned(),
            is_deleted: false,
            body: body.to_string(),
        };
        (document, keys)
    };
    all.enter(documents.iter().map(one).collect());
    all
}

fn found(all: &Documents, kind: &str, token: &str, body: &Value) -> Option<&'static str> {
    let kind = kind_of_name(kind).unwrap();
    consistency(kind, token, body, all).unwrap().map(|found| found.code)
}

fn zone(parent: Option<&str>, is_statistical: bool) -> Value {
    json!({ "name": "z", "kind": "area", "parentToken": parent, "statistical": is_statistical })
}

fn assignment(zone: Option<&str>, from: i64, until: Option<i64>) -> Value {
    json!({
        "deviceHardwareId": "m", "zoneToken": zone, "activeDate": SimTime(from),
        "status": if until.is_some() { "released" } else { "active" },
        "releasedDate": until.map(SimTime),
    })
}

#[test]
fn nothing_is_a_part_of_itself() {
    let site = |parent: Option<&str>| json!({ "name": "s", "parentToken": parent });
    let all = there(&[("site", "a", site(Some("b"))), ("site", "b", site(Some("c")))]);
    assert_eq!(found(&all, "site", "c", &site(None)), None);
    assert_eq!(found(&all, "site", "c", &site(Some("a"))), Some("circular_parents"));
    assert_eq!(found(&all, "site", "c", &site(Some("c"))), Some("circular_parents"));
    let group = |part: &str| json!({ "name": "g", "members": [{ "of": { "group": part }, "from": SimTime(0) }] });
    let all = there(&[("group", "a", group("b"))]);
    assert_eq!(found(&all, "group", "b", &group("c")), None);
    assert_eq!(found(&all, "group", "b", &group("a")), Some("circular_groups"));
}

#[test]
fn a_device_has_one_assignment_at_a_time() {
    let all = there(&[("assignment", "one", assignment(None, 10, Some(20)))]);
    for (from, until, expected) in [
        (20, None, None),
        (0, Some(10), None),
        (19, None, Some("already_assigned")),
        (0, Some(11), Some("already_assigned")),
    ] {
        let body = assignment(None, from, until);
        assert_eq!(found(&all, "assignment", "two", &body), expected, "{from} {until:?}");
    }
    assert_eq!(found(&all, "assignment", "one", &assignment(None, 0, None)), None);
}

#[test]
fn devices_are_in_the_leaves_of_a_statistical_tree() {
    let all = there(&[
        ("zone", "root", zone(None, true)),
        ("zone", "leaf", zone(Some("root"), false)),
        ("zone", "plain", zone(None, false)),
        ("zone", "part", zone(Some("plain"), false)),
        ("assignment", "one", assignment(Some("leaf"), 0, Some(1))),
    ]);
    for (zone, expected) in [("leaf", None), ("root", Some("zone_has_parts")), ("plain", None)] {
        let body = assignment(Some(zone), 5, None);
        assert_eq!(found(&all, "assignment", "two", &body), expected, "{zone}");
    }
    let part = zone(Some("leaf"), false);
    assert_eq!(found(&all, "zone", "below", &part), Some("zone_has_devices"));
    assert_eq!(found(&all, "zone", "below", &zone(Some("part"), false)), None);
}
