//! What is asked when, what of it is new, and when a source is stale, also by looking back over all
//! its values.

use proptest::prelude::*;

use super::*;

const START: SimTime = SimTime(1_800_000_000_000_000_000);

fn at(milliseconds: i64) -> SimTime {
    START + SimDuration::from_milliseconds(milliseconds)
}

fn map(points: &[&str]) -> PointMap {
    let head = "format = 1\n[simulator]\nname = \"s\"\nwire_format = \"villas-json\"\n\
                sample_rate = \"50 Hz\"\n";
    let point = |(place, keys): (usize, &&str)| {
        format!(
            "[[point]]\nname = \"p{place}\"\ndirection = \"to-simulator\"\ntype = \"float\"\n\
             unit = \"kW\"\nleast = \"0 kW\"\ngreatest = \"9 kW\"\n\
             greatest_change_per_second = \"9 kW\"\ninitial = \"1 kW\"\nsafe_value = \"0 kW\"\n\
             {keys}\n"
        )
    };
    let text: String = points.iter().enumerate().map(point).collect();
    PointMap::parse(&format!("{head}{text}")).unwrap_or_else(|error| panic!("{error}"))
}

const POLLED: &str = "from = \"rest:/api/v1/x\"\npointer = \"/v\"\ntime_pointer = \"/t\"\n\
                      every = \"1 s\"\nstale_after = \"3 s\"";
const HEARD: &str = "from = \"topic:t/+/x\"\npointer = \"/v\"\nstale_after = \"3 s\"";

fn document(value: f64, of_milliseconds: i64) -> Vec<u8> {
    format!("{{\"v\":{value},\"t\":\"{}\"}}", at(of_milliseconds)).into_bytes()
}

fn values(came: Vec<Came>) -> Vec<(usize, f64, SimTime)> {
    came.into_iter().map(|(place, it)| (place, it.as_ref().unwrap().0, it.unwrap().1)).collect()
}

#[test]
fn sources_are_asked_at_whole_periods_once_for_all_points_and_not_before_they_answered() {
    let elsewhere = POLLED.replace("/x", "/y").replace("1 s", "2 s");
    let mut feeds = Feeds::new(&map(&[POLLED, &elsewhere, POLLED]), false, START);
    assert!(feeds.due(at(0)).is_empty());
    assert_eq!((feeds.next_poll(), feeds.wake_at()), (Some(at(1000)), Some(at(1000))));
    let due = feeds.due(at(1000));
    let [request] = due.as_slice() else { panic!("{due:?}") };
    assert_eq!((request.path.as_str(), request.method), ("/api/v1/x", Method::Get));
    // Late by two periods: one request of each, at whole periods again; what is open is left.
    let due: Vec<String> = feeds.due(at(3300)).into_iter().map(|it| it.path).collect();
    assert_eq!((due, feeds.next_poll()), (vec!["/api/v1/y".to_owned()], Some(at(4000))));
    let answer = Answer { number: request.number, status: 200, body: document(2.0, 3200) };
    let came = values(feeds.answered(at(3400), &answer));
    assert_eq!(came, [(0, 2000.0, at(3200)), (2, 2000.0, at(3200))]);
    assert!(feeds.answered(at(3400), &answer).is_empty(), "answered twice");
    assert_eq!(feeds.due(at(4000)).len(), 1);
    assert!(Feeds::new(&map(&[POLLED]), true, START).due(at(1000)).is_empty(), "read-only");
}

#[test]
fn what_is_not_newer_too_old_or_no_value_is_no_value() {
    let mut feeds = Feeds::new(&map(&[POLLED]), false, START);
    let mut ask = |now: i64, status: u16, body: Vec<u8>| {
        let number = feeds.due(at(now))[0].number;
        feeds.answered(at(now), &Answer { number, status, body })
    };
    assert_eq!(values(ask(1000, 200, document(1.0, 900))), [(0, 1000.0, at(900))]);
    assert!(ask(2000, 200, document(2.0, 900)).is_empty(), "of the same instant");
    assert!(ask(3000, 200, document(2.0, 800)).is_empty(), "of an earlier one");
    assert!(ask(9000, 200, document(2.0, 5999)).is_empty(), "stale when it comes");
    // A clock that is ahead makes nothing fresh for longer.
    assert_eq!(values(ask(10_000, 200, document(3.0, 99_000))), [(0, 3000.0, at(10_000))]);
    for (now, status, body, why) in [
        (11_000, 0, "", "/api/v1/x was not answered"),
        (12_000, 404, "{}", "/api/v1/x was answered with 404"),
        (13_000, 200, "{\"v\":\"x\"}", "found \"x\", expected a number, or true or false"),
    ] {
        let came = ask(now, status, body.into());
        assert_eq!(came, [(0, Err(why.to_owned()))]);
    }
}

#[test]
fn messages_of_a_flow_reach_the_points_that_listen() {
    let map = map(&[HEARD, POLLED, HEARD]);
    assert_eq!(Feeds::filters(&map), ["t/+/x"]);
    let mut feeds = Feeds::new(&map, false, START);
    let came = values(feeds.heard(at(70), "t/a/x", b"{\"v\":4}"));
    assert_eq!(came, [(0, 4000.0, at(70)), (2, 4000.0, at(70))]);
    assert!(feeds.heard(at(80), "t/a/y", b"{\"v\":4}").is_empty());
    assert!(feeds.heard(at(80), "t/a/x", &vec![b' '; BYTES_MAX + 1])[0].1.is_err());
}

#[test]
fn sources_of_another_map_go_on_where_it_has_them() {
    let mut feeds = Feeds::new(&map(&[HEARD]), false, START);
    feeds.due(at(0));
    feeds.get(0).taken(at(0));
    feeds.gone_stale(at(5000));
    let mut same = feeds.of_map(&map(&[HEARD, POLLED]), false);
    assert_eq!((same.all()[0].counts.stale, same.all()[0].is_stale), (1, true));
    // Asked more often, or stale later: the same source. Another place in its document: not.
    let mut later = same.of_map(&map(&[&HEARD.replace("3 s", "4 s")]), false);
    assert_eq!((later.all()[0].counts.stale, later.all()[0].is_stale), (1, true));
    let mut other = later.of_map(&map(&[&HEARD.replace("/v", "/w")]), false);
    assert_eq!((other.all()[0].counts.stale, other.all()[0].is_stale), (0, false));
    // It has as long for its first value as at the start.
    other.due(at(60_000));
    assert_eq!(other.gone_stale(at(63_000)), [0_usize; 0]);
    assert_eq!(other.gone_stale(at(63_001)), [0]);
}

#[test]
fn a_source_that_goes_on_by_another_map_is_as_old_as_it_was() {
    let mut feeds = Feeds::new(&map(&[POLLED]), false, START);
    feeds.due(at(0));
    feeds.get(0).taken(at(60_000));
    let often = POLLED.replace("1 s", "500 ms").replace("3 s", "2 s");
    let mut often = feeds.of_map(&map(&[&often]), false);
    often.due(at(61_000));
    assert_eq!(often.gone_stale(at(62_000)), [0_usize; 0]);
    assert_eq!(often.gone_stale(at(62_001)), [0]);
}

#[test]
fn after_a_restart_values_are_as_old_as_they_are() {
    let mut before = Feeds::new(&map(&[POLLED]), false, START);
    before.due(at(0));
    before.get(0).taken(at(5000));
    for (kept, now, stale) in [
        (before.kept(), 8000, false),
        (before.kept(), 8001, true),
        // The first start, and a clock that was set back in between.
        (Vec::new(), 900_000, false),
        (before.kept(), 4000, false),
    ] {
        let mut feeds = Feeds::new(&map(&[POLLED]), false, START);
        feeds.resume(&kept);
        feeds.due(at(now));
        assert_eq!(!feeds.gone_stale(at(now)).is_empty(), stale, "{now}");
        assert!(stale || feeds.gone_stale(at(now + 3001)) == [0], "{now}");
    }
}

#[test]
fn one_value_of_a_wrong_date_does_not_end_a_source() {
    let mut feeds = Feeds::new(&map(&[POLLED]), false, START);
    let mut ask = |now: i64, body: Vec<u8>| {
        let number = feeds.due(at(now))[0].number;
        values(feeds.answered(at(now), &Answer { number, status: 200, body }))
    };
    assert_eq!(ask(1000, document(1.0, 99_000)), [(0, 1000.0, at(1000))]);
    assert!(ask(2000, document(1.0, 99_000)).is_empty(), "the same one");
    assert!(ask(3000, document(2.0, 900)).is_empty(), "of before it");
    assert_eq!(ask(4000, document(2.0, 3900)), [(0, 2000.0, at(3900))]);
}

proptest! {
    /// Values at any instants, some refused: the source is stale whenever the last that was taken
    /// is more than three seconds old, by looking back over all of them.
    #[test]
    fn a_source_is_stale_exactly_while_nothing_was_taken_for_so_long(
        gaps in prop::collection::vec((1_i64..5000, any::<bool>()), 1..20),
    ) {
        let mut feeds = Feeds::new(&map(&[HEARD]), false, START);
        feeds.due(at(0));
        let (mut now, mut taken, mut episodes) = (0, vec![0], 0);
        for (gap, is_refused) in gaps {
            let next = now + gap;
            // It is woken when it wants to be.
            let wake = feeds.wake_at().filter(|wake| *wake <= at(next));
            if let Some(wake) = wake {
                episodes += feeds.gone_stale(wake).len();
                prop_assert_eq!(wake, at(taken[taken.len() - 1] + 3000) + SimDuration(1));
            }
            now = next;
            let is_old = |now: i64| now - taken.iter().max().unwrap() > 3000;
            prop_assert_eq!(feeds.all()[0].is_stale, is_old(now));
            let came = values(feeds.heard(at(now), "t/a/x", b"{\"v\":1}"));
            prop_assert_eq!(came.len(), 1);
            if !is_refused {
                feeds.get(0).taken(came[0].2);
                taken.push(now);
                prop_assert!(!feeds.all()[0].is_stale);
            }
        }
        let mut expected = taken.windows(2).filter(|two| two[1] - two[0] > 3000).count();
        expected += usize::from(now - taken[taken.len() - 1] > 3000);
        prop_assert_eq!(episodes, expected);
    }
}
