//! What held at an instant.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_units::{HardwareId, SimTime};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::access::{Facts, PrincipalRef, Span, Target};
use crate::directory::DeviceDirectory;
use crate::document::Document;
use crate::documents::Documents;
use crate::entity::{
    Assignment, Body, Device, Group, MemberReference, Site, Token, Zone, instant_of_data,
    is_in_cycle, kind_of_code, position_at, read, tenures, version_at,
};
use crate::facts::DocumentFacts;

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

/// The assignment of a device that is in force at an instant, with what identifies it; the one
/// that began first, should there be several.
fn assignment_at<'a, K>(
    assignments: &'a [(K, Assignment)],
    device: &HardwareId,
    at: SimTime,
) -> Option<&'a (K, Assignment)> {
    assignments
        .iter()
        .filter(|(_, one)| one.device_hardware_id == *device && one.span().contains(at))
        .min_by_key(|(_, one)| one.active_date)
}

/// The devices that belong to a group at an instant, by themselves or through groups in it.
fn group_members(groups: &[(Token, Group)], group: &Token, at: SimTime) -> BTreeSet<HardwareId> {
    let (mut devices, mut seen, mut open) = (BTreeSet::new(), BTreeSet::new(), vec![group]);
    while let Some(token) = open.pop() {
        if !seen.insert(token) {
            continue;
        }
        let Some((_, group)) = groups.iter().find(|(other, _)| other == token) else { continue };
        for member in group.members.iter().filter(|member| member.span().contains(at)) {
            match &member.of {
                MemberReference::Device(id) => _ = devices.insert(id.clone()),
                MemberReference::Group(token) => open.push(token),
            }
        }
    }
    devices
}

/// The devices that are in a zone at an instant by their assignments, or in a zone of it.
fn zone_members<K>(
    zones: &[(Token, Zone)],
    assignments: &[(K, Assignment)],
    zone: &Token,
    at: SimTime,
) -> BTreeSet<HardwareId> {
    let (mut within, mut open) = (BTreeSet::new(), vec![zone]);
    while let Some(token) = open.pop() {
        if within.insert(token) {
            let parts = zones.iter().filter(|(_, part)| part.parent_token.as_ref() == Some(token));
            open.extend(parts.map(|(part, _)| part));
        }
    }
    let is_in = |one: &&Assignment| {
        one.span().contains(at) && one.zone_token.as_ref().is_some_and(|it| within.contains(it))
    };
    let assignments = assignments.iter().map(|(_, one)| one).filter(is_in);
    assignments.map(|one| one.device_hardware_id.clone()).collect()
}

/// Documents of tokens and bodies.
fn enter(documents: &Documents, code: u8, all: &[(String, Value)]) {
    let kind = kind_of_code(code).unwrap();
    let one = |(token, body): &(String, Value)| {
        let document = Document {
            kind,
            token: token.clone(),
            version: 1,
            created: SimTime(0),
            changed: SimTime(0),
            by: "bench".to_owned(),
            is_deleted: false,
            body: body.to_string(),
        };
        (document, (kind.check)(body).unwrap())
    };
    documents.enter(all.iter().map(one).collect());
}

fn groups() -> impl Strategy<Value = Vec<(String, Value)>> {
    let of = prop_oneof![
        (0..3_usize).prop_map(|n| json!({ "device": format!("d-{n}") })),
        (0..4_usize).prop_map(|n| json!({ "group": format!("g-{n}") })),
    ];
    let member = (of, 0..20_i64, prop::option::of(1..10_i64)).prop_map(|(of, from, length)| {
        json!({ "of": of, "from": SimTime(from), "until": length.map(|it| SimTime(from + it)) })
    });
    let members = prop::collection::vec(prop::collection::vec(member, 0..4), 0..4);
    members.prop_map(|all| {
        let group = |members| json!({ "name": "g", "members": members });
        let all = all.into_iter().enumerate();
        all.map(|(n, members)| (format!("g-{n}"), group(members))).collect()
    })
}

/// Zones, each within one of those before it.
fn zones() -> impl Strategy<Value = Vec<(String, Value)>> {
    prop::collection::vec(any::<prop::sample::Index>(), 1..5).prop_map(|parents| {
        let zone = |(n, parent): (usize, prop::sample::Index)| {
            let parent = (n > 0).then(|| format!("z-{}", parent.index(n.max(1))));
            let body = json!({ "name": "z", "kind": "feeder", "parentToken": parent });
            (format!("z-{n}"), body)
        };
        parents.into_iter().enumerate().map(zone).collect()
    })
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

proptest! {
    /// What rights ask of documents is what holds at each instant, found without their indexes.
    #[test]
    fn facts_of_documents_are_what_held_at_each_instant(
        groups in groups(), zones in zones(),
        places in prop::collection::vec((0..2, 0..20_i64, 1..10_i64, 0..5_usize), 0..6),
        at in 0..30_i64,
    ) {
        let documents = Documents::default();
        let assignments: Vec<_> = (0..).zip(&places).map(|(n, (device, from, length, zone))| {
            let (device, until) = (format!("d-{device}"), Some(from + length));
            (n, assignment(&device, *from, until, &format!("z-{zone}")))
        }).collect();
        let bodies = assignments.iter().map(|(n, one)| (format!("a-{n}"), json!(one)));
        enter(&documents, Assignment::CODE, &bodies.collect::<Vec<_>>());
        enter(&documents, Group::CODE, &groups);
        enter(&documents, Zone::CODE, &zones);
        let devices = DeviceDirectory::default();
        let facts = DocumentFacts { documents: &documents, devices: &devices };
        let at = SimTime(at);
        let held = |target: &Target| {
            let members = facts.members(target).into_iter();
            let now = members.filter(|(_, span)| span.contains(at));
            now.map(|(device, _)| device).collect::<BTreeSet<_>>()
        };
        let named = |all: &[(String, Value)]| -> Vec<_> {
            all.iter().map(|(name, body)| (token(name), body.clone())).collect()
        };
        let of_groups: Vec<_> = named(&groups).into_iter().map(|(name, it)| (name, of(it))).collect();
        let of_zones: Vec<_> = named(&zones).into_iter().map(|(name, it)| (name, of(it))).collect();
        for (name, _) in &groups {
            let expected = group_members(&of_groups, &token(name), at);
            prop_assert_eq!(held(&Target::Group(name.clone())), expected);
        }
        for (name, _) in &zones {
            let (zone, expected) =
                (Target::Zone(name.clone()), zone_members(&of_zones, &assignments, &token(name), at));
            for device in ["d-0", "d-1"].map(device) {
                let spans = facts.memberships(&Target::Device(device.clone()), &zone);
                let is_in = spans.iter().any(|span| span.contains(at));
                prop_assert_eq!(is_in, expected.contains(&device));
            }
            prop_assert_eq!(held(&zone), expected);
        }
    }
}
