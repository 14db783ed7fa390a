//! Bodies are read, checked and written again; errors name the field.

use std::collections::BTreeSet;
use std::fmt::Debug;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::sample::bodies;
use crate::access::Grant;
use crate::entity::{
    Alarm, Application, Asset, Assignment, Batch, BatchElements, Bill, Body, CommandBody,
    Credential, Device, DeviceRoute, ElectricNetwork, Feed, FieldNetwork, FirmwareContent,
    FirmwareImage, FirmwareTransfer, GatewayNumber, Group, Job, KINDS, Node, NodeConfiguration,
    Notification, OutageReview, Quantity, Report, ReportPlan, Rule, ScheduledCommand, Site,
    Specification, Tariff, TenantSettings, Topology, User, View, Zone, kind_of_code, kind_of_name,
    read,
};

/// Reads a body, writes it and reads it again; returns what was written.
fn rewritten<T: Body + PartialEq + Debug>(body: &Value) -> Value {
    let first: T = read(body).unwrap();
    let written = serde_json::to_string(&first).unwrap();
    let written: Value = serde_json::from_str(&written).unwrap();
    let again: T = read(&written).unwrap();
    assert_eq!((again.keys(), &again), (first.keys(), &first));
    written
}

fn rewritten_as(kind: &str, body: &Value) -> Value {
    let rewritten: fn(&Value) -> Value = match kind {
        "specification" => rewritten::<Specification>,
        "command" => rewritten::<CommandBody>,
        "quantity" => rewritten::<Quantity>,
        "device" => rewritten::<Device>,
        "asset" => rewritten::<Asset>,
        "assignment" => rewritten::<Assignment>,
        "site" => rewritten::<Site>,
        "zone" => rewritten::<Zone>,
        "group" => rewritten::<Group>,
        "electric_network" => rewritten::<ElectricNetwork>,
        "topology" => rewritten::<Topology>,
        "user" => rewritten::<User>,
        "credential" => rewritten::<Credential>,
        "grant" => rewritten::<Grant>,
        "application" => rewritten::<Application>,
        "schedule" => rewritten::<ScheduledCommand>,
        "batch" => rewritten::<Batch>,
        "batch_elements" => rewritten::<BatchElements>,
        "device_route" => rewritten::<DeviceRoute>,
        "tenant_settings" => rewritten::<TenantSettings>,
        "rule" => rewritten::<Rule>,
        "alarm" => rewritten::<Alarm>,
        "tariff" => rewritten::<Tariff>,
        "bill" => rewritten::<Bill>,
        "feed" => rewritten::<Feed>,
        "report_plan" => rewritten::<ReportPlan>,
        "report" => rewritten::<Report>,
        "view" => rewritten::<View>,
        "notification" => rewritten::<Notification>,
        "field_network" => rewritten::<FieldNetwork>,
        "gateway_number" => rewritten::<GatewayNumber>,
        "node" => rewritten::<Node>,
        "node_configuration" => rewritten::<NodeConfiguration>,
        "firmware_image" => rewritten::<FirmwareImage>,
        "firmware_content" => rewritten::<FirmwareContent>,
        "firmware_transfer" => rewritten::<FirmwareTransfer>,
        "outage_review" => rewritten::<OutageReview>,
        "job" => rewritten::<Job>,
        _ => panic!("no kind {kind}"),
    };
    rewritten(body)
}

fn checked(kind: &str, body: &Value) -> Result<String, String> {
    let keys = (kind_of_name(kind).unwrap().check)(body).map_err(|error| error.to_string())?;
    let keys = keys.iter().map(|key| format!("{}={}", key.name, key.value));
    Ok(keys.collect::<Vec<_>>().join(" "))
}

/// Members that are there: what is left out and what is null are the same.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let there = members.iter().filter(|(_, member)| !member.is_null());
            there.map(|(name, member)| (name.clone(), without_nulls(member))).collect()
        }
        Value::Array(list) => list.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

#[test]
fn codes_and_names_are_given_once_and_stay() {
    let all: Vec<_> = KINDS.iter().copied().flatten().collect();
    let mut listed: Vec<_> = all.iter().map(|kind| (kind.code, kind.name)).collect();
    listed.sort_unstable();
    let expected = [
        (1, "specification"),
        (2, "command"),
        (3, "device"),
        (4, "asset"),
        (5, "assignment"),
        (6, "site"),
        (7, "zone"),
        (8, "group"),
        (9, "electric_network"),
        (10, "topology"),
        (11, "user"),
        (12, "credential"),
        (13, "grant"),
        (14, "application"),
        (15, "schedule"),
        (16, "batch"),
        (17, "quantity"),
        (18, "tenant_settings"),
        (19, "job"),
        (20, "batch_elements"),
        (21, "device_route"),
        (22, "rule"),
        (23, "alarm"),
        (24, "tariff"),
        (25, "bill"),
        (26, "feed"),
        (27, "report_plan"),
        (28, "report"),
        (29, "view"),
        (30, "notification"),
        (31, "field_network"),
        (32, "gateway_number"),
        (33, "node"),
        (34, "node_configuration"),
        (35, "firmware_image"),
        (36, "firmware_content"),
        (37, "firmware_transfer"),
        (38, "outage_review"),
    ];
    assert_eq!(listed, expected);
    for kind in all {
        assert_eq!(kind_of_code(kind.code), Some(kind));
        assert_eq!(kind_of_name(kind.name), Some(kind));
        let is_stored = [
            "electric_network",
            "batch_elements",
            "bill",
            "report",
            "node_configuration",
            "firmware_content",
        ]
        .contains(&kind.name);
        assert_eq!(kind.is_resident, !is_stored);
    }
    let sampled: BTreeSet<_> = bodies().into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(sampled, expected.iter().map(|(_, name)| *name).collect());
}

#[test]
fn a_body_with_all_of_its_fields_is_written_as_it_was() {
    for (kind, mut body) in bodies() {
        if kind == "command" {
            // Defaults are written out.
            body["parameters"][0]["choices"] = json!([]);
            body["parameters"][1]["required"] = json!(false);
        }
        assert_eq!(without_nulls(&rewritten_as(kind, &body)), without_nulls(&body), "{kind}");
    }
}

#[test]
fn documents_are_found_by_their_keys() {
    let expected = [
        ("specification", ""),
        ("command", "specification=s-1 name=blink"),
        ("quantity", ""),
        (
            "device",
            "specification=s-1 site=site-1 field_network=n-1 parent=meter 1 status=registered",
        ),
        ("asset", "category=person user=a.person parent=house-1 tariff=t-1 tariff=t-2"),
        ("assignment", "device=meter 1 asset=a-1 site=site-1 zone=z-1 customer=a-2"),
        ("site", "parent=street"),
        ("zone", "site=site-1 parent=transformer"),
        ("group", "role=heating device=meter 1 group=g-2"),
        ("electric_network", "zone=z-1"),
        ("topology", ""),
        ("user", "role=user role=operator"),
        ("credential", "of=user:me"),
        ("grant", "to=user:other on=device:meter 1 by=user:me"),
        ("application", ""),
        ("schedule", "command=setBreaker group=g-1"),
        ("batch", "command=setPeriod schedule=s-1 state=open"),
        ("batch_elements", ""),
        ("device_route", ""),
        ("tenant_settings", ""),
        ("job", "kind=backup state=done"),
        ("rule", "device=meter 1 device=meter 2 device=meter 3 owner=user:me"),
        ("alarm", "device=meter 1 state=ended"),
        ("tariff", ""),
        ("bill", "customer=a-2 state=open"),
        ("feed", ""),
        ("report_plan", "kind=consumption owner=user:me"),
        ("report", "plan=p-1 kind=TI.E"),
        ("view", "owner=user:me"),
        ("notification", "owner=user:me state=waiting"),
        ("field_network", "gateway=00124b0001abcdef owner=user:me state=registered"),
        ("gateway_number", ""),
        ("node", "field_network=n-1"),
        ("node_configuration", ""),
        ("firmware_image", ""),
        ("firmware_content", ""),
        ("firmware_transfer", "image=plug-7 state=refused"),
        ("outage_review", ""),
    ];
    let found: Vec<_> =
        bodies().iter().map(|(kind, body)| (*kind, checked(kind, body).unwrap())).collect();
    let expected = expected.map(|(kind, keys)| (kind, keys.to_owned()));
    assert_eq!(found, expected);
}

/// The body of a kind with another value at a place, or without it.
fn changed(kind: &str, pointer: &str, value: Option<Value>) -> Value {
    let (_, mut body) = bodies().into_iter().find(|(name, _)| *name == kind).unwrap();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    match (body.pointer_mut(parent).unwrap(), value) {
        (Value::Array(list), Some(value)) => list[member.parse::<usize>().unwrap()] = value,
        (parent, Some(value)) => parent[member] = value,
        (parent, None) => _ = parent.as_object_mut().unwrap().remove(member).unwrap(),
    }
    body
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_field_without_a_valid_value_is_named() {
    let long = |bytes: usize| json!("x".repeat(bytes));
    let (late, early) = (json!("2030-01-01T00:00:00Z"), json!("2020-01-01T00:00:00Z"));
    let cases = [
        ("site", "/name", json!(3), "name: `3`, expected a string"),
        ("site", "/more", json!(3), "more: `3`, expected one of `name`, `description`,"),
        ("site", "/name", long(129), "name: `\"xxx"),
        ("site", "/name", json!("a\nb"), "name: `\"a\\nb\"`, expected a text of 1 to 128 bytes"),
        ("site", "/description", long(1025), "description: `\"xxx"),
        ("site", "/metadata/a", long(4096), "metadata: `{\"a\":"),
        ("site", "/metadata/a", json!(1), "metadata.a: `1`, expected a string"),
        ("site", "/parentToken", json!("a/b"), "parentToken: `\"a/b\"`, expected a token: 1 to"),
        ("site", "/timeZone", json!("Mars"), "timeZone: `\"Mars\"`, expected a name of the IANA"),
        (
            "site",
            "/coordinates/1/latitude",
            json!(90.5),
            "coordinates[1].latitude: `90.5`, expected a number of degrees from -90 to 90",
        ),
        ("site", "/coordinates/2/x", json!(1), "coordinates[2].x: `1`, expected one of `latit"),
        ("site", "/coordinates", json!([{"latitude": 1, "longitude": 1}]), "coordinates: `[{"),
        ("zone", "/kind", json!("area"), "elementId: `17`, expected none"),
        ("zone", "/kind", json!("village"), "kind: `\"village\"`, expected one of `feeder`,"),
        ("specification", "/quantities/0/accuracy", json!(-1), "quantities[0].accuracy: `-1`"),
        (
            "specification",
            "/alertTypes/0/level",
            json!("Bad"),
            "alertTypes[0].level: `\"Bad\"`, expected one of Info, Warning, Error, Critical",
        ),
        (
            "specification",
            "/quantities",
            json!(vec![json!({"id": "a", "kind": "gauge"}); 2]),
            "quantities[1].id: `\"a\"`, expected a quantity that is not listed",
        ),
        (
            "specification",
            "/alertTypes",
            json!(vec![json!({"name": "a", "level": "Info"}); 2]),
            "alertTypes[1].name: `\"a\"`, expected a type that is not listed",
        ),
        ("quantity", "/summary", json!("sum"), "summary: `\"sum\"`, expected `mean` or `last`"),
        ("device", "/nodeAddress", json!("12"), "nodeAddress: `\"12\"`, expected 16 lower-case"),
        ("device", "/parentHardwareId", json!(""), "parentHardwareId: `\"\"`, expected a valid"),
        ("device", "/claimHash", json!({"sha256": "6"}), "claimHash.sha256: `\"6\"`, expected 64"),
        ("device", "/location/longitude", json!("x"), "location.longitude: `\"x\"`, expected f64"),
        ("asset", "/category", json!("thing"), "user: `\"a.person\"`, expected none"),
        ("asset", "/user", json!("a b"), "user: `\"a b\"`, expected 1 to 64 letters"),
        ("assignment", "/releasedDate", Value::Null, "releasedDate: `null`, expected an instant"),
        ("assignment", "/activeDate", late.clone(), "releasedDate: `\"2027-02-18T17"),
        ("assignment", "/activeDate", json!("now"), "activeDate: `\"now\"`, expected a date"),
        ("group", "/members/0/until", early.clone(), "members[0].until: `\"2020-01-01T00:00:00Z"),
        (
            "group",
            "/members/0/of",
            json!({"zone": "z"}),
            "members[0].of: `{\"zone\":\"z\"}`, expec",
        ),
        ("group", "/members/1/of/group", json!("a b"), "members[1].of.group: `\"a b\"`, expected"),
        ("electric_network", "/model", json!("{"), "model: `\"{\"`, expected a JSON text"),
        (
            "electric_network",
            "/switches",
            json!(vec![json!({"id": 3, "normal": true}); 2]),
            "switches[1].id: `3`, expected an id that no other switch has",
        ),
        ("topology", "/states/1", json!(0), "states[1]: `0`, expected a boolean"),
        ("topology", "/by", json!("me"), "by: `\"me\"`, expected a principal such as"),
        ("user", "/roles/0", json!("king"), "roles[0]: `\"king\"`, expected one of `user`, `uti"),
        ("user", "/passwordHash", json!({"argon2id": "x"}), "passwordHash: `{\"argon2id\":\"x\"}`"),
        ("user", "/passwordHash", json!({"sha256": "6".repeat(64)}), "passwordHash: `{\"sha256\":"),
        ("user", "/resetCode/hash", json!({"argon2id": "x"}), "resetCode.hash: `{\"argon2id\":\"x"),
        ("credential", "/of", json!("bench"), "of: `\"bench\"`, expected a device, gateway"),
        ("credential", "/of", json!("device:a"), "scope: `{\"actions\":[\"read\"],"),
        ("credential", "/scope/until", json!(1), "scope.until: `1`, expected a string"),
        (
            "credential",
            "/proof",
            json!({"certificate": "AA"}),
            "proof.certificate: `\"AA\"`, expected 64 lower-case hexadecimal digits",
        ),
        (
            "credential",
            "/proof",
            json!({"secret": {"argon2id": "x"}}),
            "proof.secret: `{\"argon2id\":\"x\"}`, expected a text of argon2id",
        ),
        (
            "grant",
            "/until",
            early.clone(),
            "until: `\"2020-01-01T00:00:00Z\"`, expected an instant after",
        ),
        ("grant", "/purpose", long(1025), "purpose: `\"xxx"),
        ("grant", "/actions/0", json!("eat"), "actions[0]: `\"eat\"`, expected one of `read`,"),
        (
            "field_network",
            "/gatewayAddress",
            json!("00124B0001ABCDEF"),
            "gatewayAddress: `\"00124B0001ABCDEF\"`, expected 16 lower-case",
        ),
        ("field_network", "/gatewayNumber", json!(0), "gatewayNumber: `0`, expected a number"),
        ("field_network", "/owner", json!("bench"), "owner: `\"bench\"`, expected a user"),
        ("field_network", "/options/a", long(4096), "options: `{\"a\":"),
        ("application", "/disabled", json!(1), "disabled: `1`, expected a boolean"),
        (
            "schedule",
            "/schedule/weekdays",
            json!([]),
            "schedule.weekdays: `[]`, expected at least one of mon,",
        ),
        (
            "schedule",
            "/schedule",
            json!({"kind": "every", "from": late, "every_s": 0}),
            "schedule.every_s: `0`, expected a number of seconds from 1",
        ),
        ("schedule", "/schedule/time", json!("7"), "schedule: `{"),
        (
            "schedule",
            "/target",
            json!({"device": "a/b"}),
            "target.device: `\"a/b\"`, expected a val",
        ),
        (
            "schedule",
            "/command/commandToken",
            json!(""),
            "command.commandToken: `\"\"`, expected a",
        ),
        ("batch", "/cursor", json!(3), "cursor: `3`, expected a number not above"),
        ("batch", "/last", json!(3), "last: `3`, expected a number not above"),
        ("batch", "/underWay", json!(vec![1; 257]), "underWay: `[1,"),
        ("batch_elements", "/elements", json!(vec!["a"; 100_001]), "elements: `[\"a\","),
        ("tenant_settings", "/currency", json!("euro"), "currency: `\"euro\"`, expected three cap"),
        ("tenant_settings", "/retentionDays/alerts", json!(0), "retentionDays.alerts: `0`, expec"),
        ("rule", "/then", json!([]), "then: `[]`, expected one to four actions"),
        (
            "rule",
            "/when/all/0/any/0/threshold/below",
            json!(1),
            "when.all[0].any[0].threshold.abov",
        ),
        (
            "rule",
            "/when/all/3/alert/level",
            json!("bad"),
            "when.all[3].alert.level: `\"bad\"`, expected one of",
        ),
        ("alarm", "/level", json!("bad"), "level: `\"bad\"`, expected one of Info"),
        ("tariff", "/imports/0/weekdays", json!(["mon"]), "imports[0]: `{\"from\":null,"),
        ("tariff", "/imports/1", json!({"name": "F", "price": "1"}), "imports[1]: `{\"name\":"),
        (
            "tariff",
            "/imports/1/price",
            json!("0.2215001"),
            "imports[1].price: `\"0.2215001\"`, expected a text of a decimal with at most six",
        ),
        ("tariff", "/exports/0/price", json!(0.1), "exports[0].price: `0.1`, expected a string"),
        ("tariff", "/validUntil", early.clone(), "validUntil: `\"2020-01-01T00:00:00Z\"`, expec"),
        ("tariff", "/peak/perKwMonth", json!("-1"), "peak.perKwMonth: `\"-1\"`, expected an am"),
        ("tariff", "/peak/window", json!("1h"), "peak.window: `\"1h\"`, expected `15m`"),
        ("tariff", "/prices/0/until", early.clone(), "prices[0].until: `\"2020-01-01T00:00:00Z\""),
        ("tariff", "/prices/1/from", json!("2027-01-01T00:00:00Z"), "prices[1].from: `\"2027-01-"),
        ("tariff", "/priceFeed", json!("f-1"), "priceFeed: `\"f-1\"`, expected none where"),
        ("rule", "/when/all/4/tariff/zone", json!("F1"), "when.all[4].tariff.above: `\"0.3\"`, ex"),
        ("rule", "/when/all/5/weather/below", json!(1), "when.all[5].weather.above: `30.0`, exp"),
        ("rule", "/offer/state", json!("bad"), "offer.state: `\"bad\"`, expected one of `offer"),
        ("feed", "/kind", json!("tide"), "kind: `\"tide\"`, expected one of `price`, `weather`,"),
        ("feed", "/unit", json!("EUR/MWh"), "unit: `\"EUR/MWh\"`, expected a currency for 1 kWh"),
        ("feed", "/points/1/0", early.clone(), "points[1]: `[\"2020-01-01T00:00:00Z\",null]`, ex"),
        ("feed", "/points/0/1", json!("x"), "points[0][1]: `\"x\"`, expected f64"),
        ("feed", "/points/0/1", json!(1e12), "points[0]: `[\"2027-01-18T17:00:00.000Z\",10000"),
        ("feed", "/validUntil", early.clone(), "validUntil: `\"2020-01-01T00:00:00Z\"`, expecte"),
        (
            "rule",
            "/then/3/message/url",
            json!("ftp://a"),
            "then[3].message.url: `\"ftp://a\"`, exp",
        ),
        ("rule", "/then/3/message/url", Value::Null, "then[3].message.url: `null`, expected the a"),
        ("rule", "/then/3/message/channel", json!("email"), "then[3].message.url: `\"https://hoo"),
        ("user", "/quietUntil", Value::Null, "quietUntil: `null`, expected a time of day with `q"),
        ("notification", "/next", Value::Null, "next: `null`, expected an instant as long as it"),
        ("notification", "/state", json!("sent"), "next: `\"2027-02-18T17:00:00.000Z\"`, expec"),
        ("view", "/period", json!("hour"), "period: `\"hour\"`, expected one of `day`, `week`"),
        ("bill", "/total", json!("3.01"), "total: `\"3.01\"`, expected the sum of the amounts"),
        ("bill", "/total", json!("3.000"), "total: `\"3.000\"`, expected the sum of the amounts"),
        ("bill", "/isOpen", json!(false), "isOpen: `false`, expected whether a line has no amo"),
        (
            "bill",
            "/completeUntil",
            late.clone(),
            "completeUntil: `\"2030-01-01T00:00:00Z\"`, expected",
        ),
        (
            "bill",
            "/lines/0/energy/amount",
            json!("1e3"),
            "lines[0].energy.amount: `\"1e3\"`, expected a text of an amount",
        ),
        ("asset", "/tariffTokens/1", json!("t-1"), "tariffTokens[1]: `\"t-1\"`, expected a tariff"),
        ("asset", "/tariffTokens", json!(vec!["a"; 17]), "tariffTokens: `[\"a\","),
        ("job", "/progress", json!(101), "progress: `101`, expected a number from 0 to 100"),
    ];
    for (kind, pointer, value, expected) in cases {
        let error = checked(kind, &changed(kind, pointer, Some(value))).unwrap_err();
        assert!(error.starts_with(expected), "{kind} {pointer}\n{error}\n{expected}");
    }
}

#[test]
fn a_missing_field_is_named() {
    let required = [
        ("specification", "/name"),
        ("specification", "/quantities/0/kind"),
        ("command", "/specificationToken"),
        ("quantity", "/summary"),
        ("device", "/status"),
        ("asset", "/category"),
        ("assignment", "/deviceHardwareId"),
        ("assignment", "/activeDate"),
        ("site", "/name"),
        ("zone", "/kind"),
        ("group", "/members/1/from"),
        ("electric_network", "/switches/0/normal"),
        ("topology", "/states"),
        ("user", "/roles"),
        ("credential", "/proof"),
        ("grant", "/by"),
        ("schedule", "/command/commandToken"),
        ("batch", "/elementsToken"),
        ("batch_elements", "/elements"),
        ("device_route", "/door"),
        ("tenant_settings", "/currency"),
        ("job", "/state"),
        ("rule", "/then"),
        ("alarm", "/count"),
        ("tariff", "/validFrom"),
        ("tariff", "/imports/1/price"),
        ("bill", "/isOpen"),
        ("feed", "/validUntil"),
    ];
    for (kind, pointer) in required {
        let error = checked(kind, &changed(kind, pointer, None)).unwrap_err();
        let field = pointer[1..].replace("/0/", "[0].").replace("/1/", "[1].").replace('/', ".");
        assert_eq!(error, format!("{field}: missing, expected a value"), "{kind}");
    }
    for (kind, _) in bodies() {
        let error = checked(kind, &json!([1])).unwrap_err();
        assert!(error.contains(": "), "{kind}: {error}");
    }
}

/// Every place in a value, as pointers.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                found.push(format!("{at}/{name}"));
                pointers(member, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(list) => {
            for (index, member) in list.iter().enumerate() {
                found.push(format!("{at}/{index}"));
                pointers(member, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-200..200_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-zA-Z0-9:~/ é\n-]{0,12}".prop_map(Value::from),
        (0..i64::MAX).prop_map(|at| json!(lastmeter_units::SimTime(at))),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..3)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_accepted_is_accepted_again(
        kind in 0..bodies().len(),
        places in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(values())), 1..3),
    ) {
        let (kind, mut body) = bodies().swap_remove(kind);
        for (place, value) in places {
            let mut all = Vec::new();
            pointers(&body, "", &mut all);
            let pointer = &all[place.index(all.len())];
            let (parent, member) = pointer.rsplit_once('/').unwrap();
            match (body.pointer_mut(parent).unwrap(), value) {
                (_, Some(value)) => *body.pointer_mut(pointer).unwrap() = value,
                (Value::Object(members), None) => _ = members.remove(member),
                (Value::Array(list), None) => _ = list.remove(member.parse().unwrap()),
                _ => unreachable!(),
            }
            if !body.is_object() || body.as_object().unwrap().is_empty() {
                break;
            }
        }
        match checked(kind, &body) {
            Ok(_) => _ = rewritten_as(kind, &body),
            Err(error) => {
                let (field, rest) = error.split_once(": ").unwrap();
                prop_assert!(!field.is_empty() && rest.contains(", expected "), "{}", error);
            }
        }
    }

    #[test]
    fn any_value_is_read_or_refused(kind in 0..bodies().len(), value in values()) {
        let kind = bodies()[kind].0;
        let _ = checked(kind, &value);
    }
}
