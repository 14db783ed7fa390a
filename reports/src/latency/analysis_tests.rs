//! The figures of a path, from a handful of messages counted by hand.

use super::*;
use lastmeter_record::TimeMode;

const MS: i64 = 1_000_000;

fn facts(time: TimeMode) -> RunFacts {
    let json = serde_json::json!({
        "format_version": 1, "state": "finished", "scenario": "s", "seed": 1, "time": time,
        "start": "2027-01-18T17:00:00Z", "end": "2027-01-18T17:01:40Z",
        "started": "2027-01-18T17:00:00Z",
    });
    serde_json::from_value(json).unwrap()
}

/// Feeds messages of a path; the stamps are in ms after the intended instant.
fn feed(analyst: &mut Analyst, path: &str, stamps: &[(Point, i64)], n: i64) {
    for number in 0..n {
        let due = number * 10 * MS;
        let mut points = [None; Point::COUNT];
        points[Point::Intended.index()] = Some(due);
        for &(point, ms) in stamps {
            points[point.index()] = Some(due + ms * MS);
        }
        analyst.row(&LatencyRow { path, id: "m/1/1", points, bytes: 1, copies: 1 });
    }
}

#[test]
fn legs_lie_between_the_points_that_are_stamped() {
    use Point::{ProxyInUp, ProxyOutUp, Published, Received};
    let mut analyst = Analyst::new(&facts(TimeMode::Virtual), None, MS);
    let stamps = [(Published, 1), (ProxyInUp, 3), (ProxyOutUp, 10), (Received, 11)];
    feed(&mut analyst, "reading>o", &stamps, 100);
    // Some messages went around the link's taps: the legs are those of most.
    feed(&mut analyst, "reading>o", &[(Published, 1), (Received, 90)], 10);
    let [analysis] = &analyst.finish()[..] else { panic!("one path") };
    let legs: Vec<(String, u64, i64)> =
        analysis.legs.iter().map(|leg| (leg.span.to_string(), leg.n, leg.p50_ns / MS)).collect();
    assert_eq!(
        legs,
        [
            ("intended..published".to_owned(), 110, 1),
            ("published..proxy_in_up".to_owned(), 100, 2),
            ("proxy_in_up..proxy_out_up".to_owned(), 100, 7),
            ("proxy_out_up..received".to_owned(), 100, 1),
        ]
    );
    assert_eq!(analysis.population.n(), 110);
    let published = analysis.from_published.unwrap();
    assert_eq!((published.n, published.p50_ns / MS, published.max_ns / MS), (110, 10, 89));
}

#[test]
fn the_headline_ends_where_the_messages_of_the_path_do() {
    use Point::{Acknowledged, Committed, Obeyed, Queryable, Received};
    for (path, stamps, end) in [
        ("reading", vec![(Committed, 1), (Queryable, 2)], Queryable),
        ("reading", vec![(Committed, 1)], Committed),
        ("reading", vec![(Acknowledged, 1)], Acknowledged),
        ("reading>o", vec![], Received),
        ("command", vec![(Obeyed, 1)], Obeyed),
        ("command", vec![(Obeyed, 1), (Acknowledged, 2)], Acknowledged),
    ] {
        let mut analyst = Analyst::new(&facts(TimeMode::Virtual), None, MS);
        feed(&mut analyst, path, &stamps, 3);
        let [analysis] = &analyst.finish()[..] else { panic!("one path") };
        assert_eq!(analysis.population.span.to, end, "{path} {stamps:?}");
    }
}

/// 1000 messages of 50 ms: TT3 passes at 97 and 99 %, and is too few for 99.9 %.
#[test]
fn the_strictest_class_that_passes_is_reported() {
    let mut analyst = Analyst::new(&facts(TimeMode::Virtual), None, MS);
    feed(&mut analyst, "reading>o", &[(Point::Received, 50)], 1_000);
    let [analysis] = &analyst.finish()[..] else { panic!("one path") };
    let name = |coverage| analysis.strictest(coverage).map(|class| class.name.as_str());
    assert_eq!((name(0.97), name(0.99), name(0.999)), (Some("TT3"), Some("TT3"), None));
    assert_eq!(analysis.classes.len(), 7 * COVERAGES.len());
    let of = |class: &str, coverage: f64| {
        let found =
            |row: &&ClassRow| row.class.name == class && row.judged.claim.coverage == coverage;
        analysis.classes.iter().find(found).unwrap()
    };
    assert_eq!(of("TT4", 0.97).conclusion.status(), Status::Fail);
    assert_eq!(of("TT0", 0.99).conclusion.status(), Status::Pass);
    let why = &of("TT3", 0.999).conclusion.why.to_string();
    assert!(why.starts_with("n too small: 1000 of 2995; run at least "), "{why}");
    // A real-time run that reports nothing of its clock and floor passes nothing.
    let mut analyst = Analyst::new(&facts(TimeMode::Real), Some(0), MS);
    feed(&mut analyst, "reading>o", &[(Point::Received, 50)], 1_000);
    let [analysis] = &analyst.finish()[..] else { panic!("one path") };
    assert_eq!(analysis.strictest(0.97), None);
    assert!(analysis.classes.iter().all(|row| row.conclusion.status() == Status::Inconclusive));
}
