//! What held at an instant.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_units::{HardwareId, SimTime};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::access::{PrincipalRef, Span};
use crate::entity::{
    Assignment, Body, Device, Group, Site, Token, Zone, assignment_at, group_members,
    instant_of_data, is_in_cycle, position_at, read, tenures, version_at, zone_members,
};

#[expect(clippy::needless_pass_by_value, reason = "called with what `json!` makes")]
fn of<T: Body>(body: Value) -> T {
    read(&body).unwrap()
}

fn token(text: &str) -> Token {
    text.to_owned().try_into().unwrap()
}

fn device(text: &str) -> HardwareId {
    HardwareId::new(text).unwrap()
}

fn assignment(device: &str, from: i64, until: Option<i64>, zone: &str) -> Assignment {
    of(json!({
        "deviceHardwareId": device, "assetId": format!("a-{from}"), "zoneToken": zone,
        "status": if until.is_some() { "released" } else { "active" },
        "activeDate": SimTime(from), "releasedDate": until.map(SimTime),
    }))
}

/// Who owns by an assignment: the customer's name is in the asset's token.
fn owner(assignment: &Assignment) -> Option<PrincipalRef> {
    format!("user:{}", assignment.owner()?).parse().ok()
}

fn assignments() -> impl Strategy<Value = Vec<(usize, Assignment)>> {
    let one = (0..2, 0..20_i64, prop::option::weighted(0.8, 0..10_i64)).prop_map(
        |(device, from, length)| {
            assignment(&format!("d-{device}"), from, length.map(|it| from + it), "z")
        },
    );
    prop::collection::vec(one, 0..6).prop_map(|list| list.into_iter().enumerate().collect())
}

proptest! {
    #[test]
    fn tenures_cover_all_of_time_and_agree_with_the_assignment_in_force(
        assignments in assignments(), at in -5..40_i64,
    ) {
        let (device, landlord) = (device("d-1"), "user:landlord".parse().unwrap());
        let found = tenures(&assignments, &device, owner, Some(&landlord));
        prop_assert_eq!(found[0].span.from, Span::ALWAYS.from);
        prop_assert_eq!(found.last().unwrap().span.until, Span::ALWAYS.until);
        prop_assert!(found.windows(2).all(|two| two[0].span.until == two[1].span.from));
        prop_assert!(found.iter().all(|one| one.span.from < one.span.until));
        let at = SimTime(at);
        let expected = match assignment_at(&assignments, &device, at) {
            Some((_, assignment)) => owner(assignment),
            None => Some(landlord),
        };
        let tenure = found.iter().find(|one| one.span.contains(at)).unwrap();
        prop_assert_eq!(&tenure.owner, &expected);
    }

    #[test]
    fn assignments_overlap_where_both_are_in_force(assignments in assignments()) {
        for (_, one) in &assignments {
            for (_, other) in &assignments {
                let is_same = one.device_hardware_id == other.device_hardware_id;
                let is_both = |at: i64| {
                    one.span().contains(SimTime(at)) && other.span().contains(SimTime(at))
                };
                let expected = is_same && (0..50).any(is_both);
                prop_assert_eq!(one.is_overlapping(other), expected);
                prop_assert_eq!(other.is_overlapping(one), expected);
            }
        }
    }

    #[test]
    fn the_version_in_force_is_the_last_one_made(times in prop::collection::btree_set(0..30_i64, 0..6), at in 0..30_i64) {
        let versions: Vec<_> = times.iter().map(|time| (SimTime(*time), *time)).collect();
        let expected = times.range(..=at).next_back();
        prop_assert_eq!(version_at(&versions, SimTime(at)), expected);
    }

    #[test]
    fn a_cycle_is_a_power_of_the_relation(edges in prop::collection::btree_set((0..6_usize, 0..6_usize), 0..10)) {
        // By the closure of Warshall.
        let mut reached = [[false; 6]; 6];
        for (from, to) in &edges {
            reached[*from][*to] = true;
        }
        for over in 0..6 {
            for from in 0..6 {
                for to in 0..6 {
                    reached[from][to] |= reached[from][over] && reached[over][to];
                }
            }
        }
        let next = |from: &usize| -> Vec<usize> {
            edges.iter().filter(|edge| edge.0 == *from).map(|edge| edge.1).collect()
        };
        for (start, row) in reached.iter().enumerate() {
            prop_assert_eq!(is_in_cycle(&start, next), row[start]);
        }
    }
}

#[test]
fn a_late_reading_belongs_to_who_was_there_when_it_was_measured() {
    let list =
        [("t-1", assignment("d", 0, Some(10), "z")), ("t-2", assignment("d", 10, None, "z"))];
    let of = |event, received| {
        let at = instant_of_data(SimTime(event), SimTime(received));
        assignment_at(&list, &device("d"), at).map(|(token, _)| *token)
    };
    // A late upload, the next customer, and a clock that is fast.
    assert_eq!((of(9, 20), of(10, 20), of(50, 9)), (Some("t-1"), Some("t-2"), Some("t-1")));
    assert_eq!((of(-1, 20), assignment_at(&list, &device("e"), SimTime(5))), (None, None));
}

#[test]
fn readings_keep_the_position_they_were_taken_at_after_a_move() {
    let place = |latitude: f64| json!({"latitude": latitude, "longitude": 7.0});
    let device: Vec<(SimTime, Device)> = vec![
        (SimTime(0), of(json!({"status": "registered", "siteToken": "s"}))),
        (SimTime(20), of(json!({"status": "registered", "location": place(3.0)}))),
        (SimTime(30), of(json!({"status": "registered", "siteToken": "unknown"}))),
    ];
    let site: Vec<(SimTime, Site)> = vec![
        (SimTime(5), of(json!({"name": "s", "location": place(1.0)}))),
        (SimTime(10), of(json!({"name": "s", "location": place(2.0)}))),
    ];
    let sites = |name: &Token| (name.as_str() == "s").then_some(&site[..]);
    let at = |at| position_at(&device, sites, SimTime(at)).map(|it| it.latitude);
    let found = [-1, 0, 5, 10, 19, 20, 30].map(at);
    assert_eq!(found, [None, None, Some(1.0), Some(2.0), Some(2.0), Some(3.0), None]);
}

#[test]
fn members_are_those_of_the_instant_through_groups_and_zones() {
    let member = |of: Value, from, until: Option<i64>| json!({"of": of, "from": SimTime(from), "until": until.map(SimTime)});
    let group = |members: Value| of::<Group>(json!({"name": "g", "members": members}));
    let groups = [
        (
            token("g-1"),
            group(json!([
                member(json!({"device": "a"}), 0, Some(10)),
                member(json!({"group": "g-2"}), 5, None),
            ])),
        ),
        (
            token("g-2"),
            group(json!([
                member(json!({"device": "b"}), 0, None),
                member(json!({"group": "g-1"}), 0, None),
                member(json!({"group": "unknown"}), 0, None),
            ])),
        ),
    ];
    let names = |devices: BTreeSet<HardwareId>| {
        devices.iter().map(HardwareId::as_str).collect::<Vec<_>>().join(" ")
    };
    let at = |at| names(group_members(&groups, &token("g-1"), SimTime(at)));
    assert_eq!([-1, 0, 5, 9, 10].map(at), ["", "a", "a b", "a b", "b"]);

    let zone = |parent: Option<&str>| {
        of::<Zone>(json!({"name": "z", "kind": "feeder", "parentToken": parent}))
    };
    let parents = BTreeMap::from([("top", None), ("left", Some("top")), ("leaf", Some("left"))]);
    let zones: Vec<_> = parents.iter().map(|(name, parent)| (token(name), zone(*parent))).collect();
    let list = [
        (1, assignment("a", 0, Some(10), "leaf")),
        (2, assignment("a", 10, None, "other")),
        (3, assignment("b", 5, None, "top")),
    ];
    let at = |zone: &str, at| names(zone_members(&zones, &list, &token(zone), SimTime(at)));
    assert_eq!([0, 5, 10].map(|it| at("top", it)), ["a", "a b", "b"]);
    assert_eq!([0, 5, 10].map(|it| at("left", it)), ["a", "a", ""]);
}
