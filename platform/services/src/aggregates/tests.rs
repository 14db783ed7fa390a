//! Aggregates against the definition: whatever is added up and subtracted of published sums is of
//! enough households. The reference works on sets of meters and knows no tree.

use lastmeter_model::document::kind_of_name;
use lastmeter_model::series::rollup::Summary;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// The first of a month in Rome.
const MONTH: &str = "2027-01-31T23:00:00Z";

fn at(seconds: i64) -> SimTime {
    SimTime(MONTH.parse::<SimTime>().unwrap().0 + seconds * 1_000_000_000)
}

fn document(kind: &str, token: &str, body: &Value) -> Document {
    let kind = kind_of_name(kind).unwrap();
    let checked = (kind.check)(body);
    assert!(checked.is_ok(), "{checked:?} {body}");
    Document {
        kind,
        token: token.to_owned(),
        version: 1,
        created: SimTime(0),
        changed: SimTime(0),
        by: "user:adam".to_owned(),
        is_deleted: false,
        body: body.to_string(),
    }
}

/// A village: feeders by name with how many households each has.
struct Village {
    service: Aggregates,
    feeders: Vec<(&'static str, usize)>,
}

fn meter(feeder: &str, number: usize) -> HardwareId {
    HardwareId::new(format!("{feeder}-{number}")).unwrap()
}

impl Village {
    fn new(feeders: &[(&'static str, usize)]) -> Self {
        let mut service = Aggregates::default();
        let mut out = Vec::new();
        let mut give = |kind, token: &str, body| {
            let document = document(kind, token, &body);
            service.step(at(-86_400), Input::Document(&document), &mut out);
        };
        let settings =
            json!({ "timeZone": "Europe/Rome", "currency": "EUR", "registration": "open" });
        give("tenant_settings", "settings", settings);
        let zone = |parent: Option<&str>| {
            json!({
                "name": "z", "kind": "feeder", "statistical": true, "parentToken": parent,
            })
        };
        give("zone", "village", zone(None));
        for (feeder, households) in feeders {
            give("zone", feeder, zone(Some("village")));
            for number in 0..*households {
                let device = meter(feeder, number);
                let body = json!({
                    "deviceHardwareId": device, "zoneToken": feeder, "customerId": device.as_str(),
                    "status": "active", "activeDate": at(-100_000),
                });
                give("assignment", device.as_str(), body);
            }
        }
        service.step(at(-86_400), Input::Started, &mut out);
        assert!(out.is_empty());
        Self { service, feeders: feeders.to_vec() }
    }

    /// Closes the next hour, in which each meter takes what is given in each quarter.
    fn close(&mut self, power: impl Fn(&str, usize) -> f64) -> Vec<Output> {
        let due = self.service.wake_at().unwrap();
        let mut out = Vec::new();
        self.service.step(due, Input::Wake, &mut out);
        let Some(Output::Ask { ask, query }) = out.pop() else { panic!("{out:?}") };
        assert_eq!((due, self.service.wake_at()), (query.within.until + DELAY, None));
        let devices = self.feeders.iter().flat_map(|(feeder, households)| {
            (0..*households)
                .map(|number| rows(meter(feeder, number), query.within, power(feeder, number)))
        });
        let rows = Rows { devices: devices.collect(), ..Rows::default() };
        self.service.step(due, Input::Answer { ask, rows: Ok(&rows) }, &mut out);
        out
    }
}

/// A meter that reports each 5 min; negative: it was silent in the second quarter.
fn rows(device: HardwareId, hour: Stretch, power: f64) -> DeviceRows {
    let quarter = |quarter: i64| {
        let mut summary: Option<Summary> = None;
        for reading in 0..3 {
            let at = hour.from + SimDuration::from_seconds(900 * quarter + 300 * reading);
            match &mut summary {
                Some(summary) => summary.add(at, power.abs()),
                None => summary = Some(Summary::of(at, power.abs())),
            }
        }
        summary.filter(|_| power >= 0.0 || quarter != 1)
    };
    let id = MeasurementId::lookup(POWER).unwrap();
    DeviceRows {
        device,
        parent: None,
        reporting_period: Some(SimDuration::from_seconds(300)),
        summaries: [(id, (0..4).filter_map(quarter).collect())].into(),
        commands: Vec::new(),
        refusals: BTreeMap::new(),
    }
}

/// What was published: zone or its quarters, instant, sum, households.
fn published(out: &[Output]) -> Vec<(String, i64, f64, String)> {
    let one = |output: &Output| match output {
        Output::Reading { source, at: instant, values, metadata } => {
            let seconds = instant.since(at(0)).0 / 1_000_000_000;
            (source.to_string(), seconds, values[0].1, metadata[MEMBERS].clone())
        }
        other => panic!("{other:?}"),
    };
    out.iter().map(one).collect()
}

fn hours(out: &[Output]) -> Vec<(String, String)> {
    let all = published(out).into_iter().filter(|one| one.0.starts_with("$aggregate-"));
    all.map(|(zone, _, _, members)| (zone["$aggregate-".len()..].to_owned(), members)).collect()
}

#[test]
fn sums_of_the_first_hour_of_a_month_and_quarters_of_thirty_households() {
    let mut village = Village::new(&[("a", 15), ("b", 30)]);
    assert_eq!(village.service.wake_at(), Some(at(3600 + 300)), "not before the first of a month");
    let out = village.close(|_, number| 1.0 + number as f64);
    // 15 x 16 / 2, 30 x 31 / 2.
    let mut expected = vec![
        ("$aggregate-a".to_owned(), 0, 120.0, "15".to_owned()),
        ("$aggregate-b".to_owned(), 0, 465.0, "30".to_owned()),
        ("$aggregate-village".to_owned(), 0, 585.0, "45".to_owned()),
    ];
    // Of the quarters, the village less `b` would be 15 households.
    for quarter in 0..4 {
        expected.push(("$aggregate15m-village".to_owned(), 900 * quarter, 585.0, "45".to_owned()));
    }
    assert_eq!(published(&out), expected);
    assert_eq!(village.service.wake_at(), Some(at(2 * 3600 + 300)));
}

#[test]
fn of_a_feeder_that_is_too_small_the_smallest_one_beside_it_is_not_published_either() {
    let mut village = Village::new(&[("a", 9), ("b", 20), ("c", 16)]);
    let out = village.close(|_, _| 1.0);
    let known = [("b".to_owned(), "20".to_owned()), ("village".to_owned(), "45".to_owned())];
    assert_eq!(hours(&out), known);
    let outcome = |zone: &str| village.service.kept.outcomes[zone];
    assert_eq!(
        (outcome("a"), outcome("c"), outcome("b")),
        (Outcome::TooFew, Outcome::BesideWithheld, Outcome::Published)
    );
}

#[test]
fn nobody_takes_more_than_a_quarter_and_who_was_not_there_throughout_does_not_count() {
    let mut village = Village::new(&[("a", 16), ("b", 31)]);
    // 15 others take 15: one that takes 5 takes a quarter.
    let big = |power: f64| {
        move |feeder: &str, number: usize| if (feeder, number) == ("a", 0) { power } else { 1.0 }
    };
    assert_eq!(hours(&village.close(big(5.0))).len(), 3);
    let out = village.close(big(5.01));
    assert_eq!(hours(&out), [("village".to_owned(), "47".to_owned())], "and `b` is beside it");
    assert_eq!(village.service.kept.outcomes["a"], Outcome::Dominated);
    // Without the silent one there are 15; with two, there are 14.
    let out = village.close(big(-5.0));
    assert_eq!(hours(&out)[0], ("a".to_owned(), "15".to_owned()));
    let out = village.close(|feeder, number| if feeder == "a" && number < 2 { -1.0 } else { 1.0 });
    assert_eq!(hours(&out), [("village".to_owned(), "45".to_owned())]);
}

#[test]
fn members_are_those_of_the_first_of_the_month_also_after_a_stop() {
    let mut village = Village::new(&[("a", 15), ("b", 15)]);
    assert_eq!(hours(&village.close(|_, _| 1.0)).len(), 3);
    let mut more = document(
        "assignment",
        "late",
        &json!({
            "deviceHardwareId": "a-15", "zoneToken": "a", "status": "active",
            "activeDate": at(-50_000),
        }),
    );
    let mut out = Vec::new();
    village.service.step(at(4000), Input::Document(&more), &mut out);
    village.feeders[0].1 = 16;
    assert_eq!(hours(&village.close(|_, _| 1.0))[0].1, "15");
    let snapshot = village.service.snapshot();
    let kept = village.service.wake_at();
    let mut again = Village::new(&[("a", 15), ("b", 15)]);
    again.service.kept = serde_json::from_slice(&snapshot).unwrap();
    again.service.step(at(7500), Input::Document(&more), &mut out);
    assert_eq!((again.service.wake_at(), out.len()), (kept, 0));
    assert_eq!(hours(&again.close(|_, _| 1.0))[0].1, "15");
    // What is asked and not answered is asked again.
    let due = again.service.wake_at().unwrap();
    again.service.step(due, Input::Wake, &mut out);
    again.service = Aggregates { asked: None, ..again.service };
    again.service.step(due, Input::Started, &mut out);
    assert_eq!(again.service.wake_at(), Some(due));
    // Without statistical zones there is nothing to do.
    for zone in ["a", "b", "village"] {
        more = document("zone", zone, &json!({ "name": "z", "kind": "feeder" }));
        again.service.step(due, Input::Document(&more), &mut out);
    }
    assert_eq!((again.service.is_idle(), again.service.wake_at()), (true, None));
}

/// A tree of zones, each with its parent and the meters that are in it by itself.
fn trees() -> impl Strategy<Value = Vec<(usize, Vec<(usize, f64)>)>> {
    // Households have several meters at times, also in several zones; some take very much.
    let power = prop_oneof![4 => 0.1..2.0, 1 => 5.0..40.0];
    let zone = (0..100_usize, prop::collection::vec((0..90_usize, power), 0..24));
    prop::collection::vec(zone, 1..9)
}

/// What is known of sums that are within one another or apart: from each everything is taken that
/// others within it have.
fn rests(sums: &[BTreeSet<usize>]) -> Vec<BTreeSet<usize>> {
    let mut rests: Vec<BTreeSet<usize>> = Vec::new();
    let mut sums = sums.to_vec();
    sums.sort_by_key(BTreeSet::len);
    for (index, sum) in sums.iter().enumerate() {
        let within = sums[..index].iter().filter(|other| other.is_subset(sum));
        let rest: BTreeSet<usize> = within.fold(sum.clone(), |rest, other| &rest - other);
        if !rest.is_empty() {
            rests.push(rest);
        }
    }
    rests
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_two_published_sums_differ_by_too_few(zones in trees(), least in 2..16_usize) {
        let name = |zone: usize| format!("z{zone}");
        let (mut tree, mut powers, mut meters) = (Tree::new(), Powers::new(), Vec::new());
        for (index, (parent, own)) in zones.iter().enumerate() {
            let parent = (index > 0).then(|| name(parent % index));
            let mut node = Node { parent, ..Node::default() };
            for (household, power) in own {
                let device = HardwareId::new(format!("m{}", meters.len())).unwrap();
                node.members.insert(device.clone(), format!("h{household}"));
                powers.insert(device, vec![*power, 1.0]);
                meters.push((index, *household, *power));
            }
            tree.insert(name(index), node);
        }
        let found = Publication::of(&tree, &powers, least, tree.keys());
        // The meters of a zone, by walking down from it.
        let all = |zone: usize| -> BTreeSet<usize> {
            let mut within = BTreeSet::from([zone]);
            for (index, (parent, _)) in zones.iter().enumerate().skip(1) {
                if within.contains(&(parent % index)) {
                    within.insert(index);
                }
            }
            let is_in = |(_, meter): &(usize, &(usize, usize, f64))| within.contains(&meter.0);
            meters.iter().enumerate().filter(is_in).map(|(index, _)| index).collect()
        };
        let published = (0..zones.len()).filter(|zone| found.published.contains(&name(*zone)));
        let sums: Vec<BTreeSet<usize>> = published.map(all).collect();
        for rest in rests(&sums) {
            let mut households: BTreeMap<usize, f64> = BTreeMap::new();
            for meter in &rest {
                *households.entry(meters[*meter].1).or_default() += meters[*meter].2;
            }
            prop_assert!(households.len() >= least, "{households:?}");
            let (sum, most) = (
                households.values().sum::<f64>(), households.values().copied().fold(0.0, f64::max),
            );
            prop_assert!(most <= sum / 4.0 + 1e-9, "{households:?}");
        }
        // Two published ones differ by nothing or by enough.
        for one in &sums {
            for other in sums.iter().filter(|other| other.is_subset(one)) {
                let more: BTreeSet<usize> =
                    one.difference(other).map(|meter| meters[*meter].1).collect();
                prop_assert!(more.is_empty() || more.len() >= least);
            }
        }
        for (index, _) in zones.iter().enumerate() {
            let outcome = found.outcomes[&name(index)];
            prop_assert_eq!(outcome == Outcome::Published, found.published.contains(&name(index)));
        }
    }
}
