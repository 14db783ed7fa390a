//! Who belongs to the population, and what is counted of it.

use proptest::prelude::*;

use super::super::message::default_warm_up_ns;
use super::*;
use lastmeter_record::Status;

const SECOND: i64 = 1_000_000_000;
const SPAN: Span = Span { from: Point::Intended, to: Point::Received };

const CLAIM: Claim = Claim { coverage: 0.9, stall_ns: SECOND };

fn window() -> Window {
    Window { from_ns: 10 * SECOND, to_ns: 110 * SECOND, waited_until_ns: 200 * SECOND }
}

/// A message that was due at an instant and arrived at another; `None`: never.
fn feed(population: &mut Population, id: &str, intended_ns: i64, received_ns: Option<i64>) {
    let mut points = [None; Point::COUNT];
    points[Point::Intended.index()] = Some(intended_ns);
    points[Point::Published.index()] = Some(intended_ns + 5);
    points[Point::Received.index()] = received_ns;
    let copies = u32::from(received_ns.is_some());
    population.row(&LatencyRow { path: "reading>o", id, points, bytes: 1, copies });
}

fn judged_by(limits: &[Limit]) -> Population {
    Population::new(SPAN, window(), limits)
}

#[test]
fn a_span_is_read_from_its_words() {
    assert_eq!(Span::read("intended..received"), Ok(SPAN));
    assert_eq!(SPAN.to_string(), "intended..received");
    for (text, message) in [
        ("intended", "write two points"),
        ("intended..there", "`there` is not a measuring point; there are intended, published,"),
        ("received..intended", "ends where it begins, or before"),
    ] {
        let error = Span::read(text).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
}

/// Rules 2.2 and 2.4: the window decides by the intended instant, both ends included.
#[test]
fn who_belongs_is_decided_by_when_it_was_due() {
    let mut population = judged_by(&[Limit::Within(SECOND)]);
    for (due_s, arrived_s) in [(9, 10), (10, 11), (60, 60), (110, 119), (111, 111)] {
        feed(&mut population, "m/1/1", due_s * SECOND, Some(arrived_s * SECOND));
    }
    assert_eq!((population.n(), population.warm_up.n(), population.outside), (3, 1, 1));
    assert_eq!(population.lost, 0);
    assert_eq!(population.worst().unwrap().intended_ns, 110 * SECOND);
    let tally = population.tally(Limit::Within(SECOND)).unwrap();
    assert_eq!((tally.n, tally.over, tally.open), (3, 1, 0));
    assert!(population.tally(Limit::Delivery).is_none());
}

/// Nothing that begins or ends nowhere has a delay; where one message has, the rest is lost.
#[test]
fn what_has_no_instant_at_an_end_of_its_span_is_not_measured() {
    let of = |span, rows: &[(Option<i64>, Option<i64>)]| {
        let mut population = Population::new(span, window(), &[Limit::Delivery]);
        for (published_ns, received_ns) in rows {
            let mut points = [None; Point::COUNT];
            points[Point::Intended.index()] = Some(20 * SECOND);
            points[Point::Published.index()] = *published_ns;
            points[Point::Received.index()] = *received_ns;
            let row = LatencyRow { path: "reading>o", id: "m/1/1", points, bytes: 1, copies: 1 };
            population.row(&row);
        }
        population.is_unmeasured()
    };
    let began = Span { from: Point::Published, to: Point::Received };
    let (at, then) = (Some(20 * SECOND), Some(21 * SECOND));
    assert!(of(began, &[(None, then), (None, then)]));
    assert!(!of(began, &[(None, then), (at, then)]));
    assert!(of(SPAN, &[(at, None), (at, None)]));
    assert!(!of(SPAN, &[(at, None), (at, then)]));
    assert!(!of(SPAN, &[]) && !of(began, &[]));
}

/// The default of the warm-up, and the grace.
#[test]
fn the_warm_up_and_the_grace_are_at_least_ten_seconds() {
    for (duration_s, warm_up_s) in [(40, 10), (200, 10), (201, 10), (600, 30), (15_000, 750)] {
        let warm_up_ns = default_warm_up_ns(duration_s * SECOND);
        assert_eq!(warm_up_ns / SECOND, warm_up_s, "{duration_s} s");
    }
    assert_eq!(grace_ns(None), 10 * SECOND);
    assert_eq!(grace_ns(Some(SECOND / 2)), 10 * SECOND);
    assert_eq!(grace_ns(Some(15 * SECOND)), 150 * SECOND);
}

#[test]
fn what_comes_after_the_grace_is_lost_and_stays_in() {
    let mut population = judged_by(&[Limit::Within(SECOND), Limit::Delivery]);
    feed(&mut population, "m/1/1", 100 * SECOND, Some(120 * SECOND));
    feed(&mut population, "m/1/2", 100 * SECOND, Some(120 * SECOND + 1));
    feed(&mut population, "m/1/3", 100 * SECOND, None);
    assert_eq!((population.n(), population.lost, population.too_late), (3, 1, 1));
    assert_eq!(population.distribution().infinite(), 2);
    assert_eq!(population.first_lost().unwrap().id, "m/1/2");
    let over = |limit| population.tally(limit).unwrap().over;
    assert_eq!((over(Limit::Delivery), over(Limit::Within(SECOND))), (2, 3));
}

/// A message is over a limit only if there was time to see that it is.
#[test]
fn what_the_bench_did_not_wait_for_is_open() {
    let at = |waited_until_ns| {
        let window = Window { waited_until_ns, ..window() };
        let limits = [Limit::Within(5 * SECOND), Limit::Delivery];
        let mut population = Population::new(SPAN, window, &limits);
        feed(&mut population, "m/1/1", 100 * SECOND, None);
        limits.map(|limit| population.tally(limit).unwrap()).map(|tally| (tally.over, tally.open))
    };
    assert_eq!(at(105 * SECOND - 1), [(0, 1), (0, 1)]);
    assert_eq!(at(105 * SECOND), [(1, 0), (0, 1)]);
    // The grace is ten times the longest limit, and each message has it.
    assert_eq!(at(150 * SECOND - 1), [(1, 0), (0, 1)]);
    assert_eq!(at(150 * SECOND), [(1, 0), (1, 0)]);
}

#[test]
fn copies_and_early_ones_are_counted() {
    let mut population = judged_by(&[]);
    let mut points = [Some(20 * SECOND); Point::COUNT];
    for (copies, published_ns) in [(1, 20 * SECOND), (2, 20 * SECOND - 1), (5, 21 * SECOND)] {
        points[Point::Published.index()] = Some(published_ns);
        let row = LatencyRow { path: "reading>o", id: "m/1/1", points, bytes: 1, copies };
        population.row(&row);
    }
    assert_eq!((population.duplicated, population.early), (2, 1));
}

/// A message that was published or received before it was due shows nothing: it counts against a
/// pass and never for a fail, however long it took.
#[test]
fn a_negative_delay_is_neither_in_time_nor_late() {
    let limits = [Limit::Within(SECOND), Limit::Delivery];
    let counts = |published_ns: i64, received_ns: Option<i64>| {
        let mut population = judged_by(&limits);
        let mut points = [None; Point::COUNT];
        points[Point::Intended.index()] = Some(20 * SECOND);
        points[Point::Published.index()] = Some(20 * SECOND + published_ns);
        points[Point::Received.index()] = received_ns.map(|at| 20 * SECOND + at);
        population.row(&LatencyRow { path: "reading>o", id: "m/1/1", points, bytes: 1, copies: 1 });
        let [within, delivery] = limits.map(|limit| population.tally(limit).unwrap());
        let variation = population.judge_variation(SECOND, CLAIM).unwrap().tally;
        [within, delivery, variation].map(|tally| (tally.over, tally.open))
    };
    assert_eq!(counts(0, Some(0)), [(0, 0); 3]);
    assert_eq!(counts(0, Some(2 * SECOND)), [(1, 0), (0, 0), (0, 0)]);
    assert_eq!(counts(-1, Some(0)), [(0, 1); 3], "published before due");
    assert_eq!(counts(0, Some(-1)), [(0, 1); 3], "received before due");
    assert_eq!(counts(-1, Some(2 * SECOND)), [(0, 1); 3], "late, by a clock that is wrong");
    assert_eq!(counts(-1, None), [(0, 1); 3], "lost, by a clock that is wrong");
}

#[test]
fn the_fastest_message_is_not_one_with_a_negative_delay() {
    let mut population = judged_by(&[]);
    for number in 0..100 {
        let due_ns = 20 * SECOND + number * SECOND / 10;
        let took_ns = if number == 50 { -2 * SECOND } else { SECOND };
        feed(&mut population, "m/1/1", due_ns, Some(due_ns + took_ns));
    }
    let tally = population.judge_variation(SECOND, CLAIM).unwrap().tally;
    assert_eq!((tally.over, tally.open), (0, 1));
}

#[test]
fn a_span_that_nothing_is_stamped_for_is_unmeasured_and_not_lost() {
    let mut population = Population::new(
        Span { from: Point::Intended, to: Point::Committed },
        window(),
        &[Limit::Delivery],
    );
    feed(&mut population, "m/1/1", 20 * SECOND, Some(20 * SECOND));
    assert!(population.is_unmeasured());
    let mut population = judged_by(&[Limit::Delivery]);
    feed(&mut population, "m/1/1", 20 * SECOND, None);
    assert!(!population.is_unmeasured());
}

/// A run is of one device: messages of others lie in between and do not end it.
#[test]
fn the_longest_run_is_of_one_device_in_the_order_of_the_schedule() {
    let limit = Limit::Within(SECOND);
    let limits = [limit, Limit::Delivery, Limit::Within(1_000 * SECOND)];
    let mut population = judged_by(&limits);
    let late = Some(100 * SECOND);
    // Written as they arrived: a's late ones last.
    for (id, due_s, received) in [
        ("a/1/1", 20, Some(20 * SECOND)),
        ("b/1/1", 20, late),
        ("b/1/2", 21, None),
        ("a/1/5", 24, Some(24 * SECOND)),
        ("b/1/3", 22, Some(22 * SECOND)),
        ("b/1/4", 23, late),
        ("a/1/2", 21, late),
        ("a/1/3", 22, late),
        ("a/1/4", 23, late),
    ] {
        feed(&mut population, id, due_s * SECOND, received);
    }
    // In due order: a and b at 20, a late and b lost at 21, a late and b not at 22, both at 23.
    let runs = |limit| {
        let judged = population.judge(limit, CLAIM).unwrap();
        (judged.longest_of_device, judged.longest_run)
    };
    assert_eq!((runs(limit), runs(Limit::Delivery)), ((3, 4), (1, 1)));
    assert_eq!(runs(Limit::Within(1_000 * SECOND)), (1, 1));
    assert_eq!(population.devices(), ["a", "b"]);
}

/// Delay variation is the delay minus the least one (ITU-T Y.1540); the lost stay over.
#[test]
fn variation_is_counted_from_the_fastest() {
    let mut population = judged_by(&[]);
    for (number, took_s) in [(0, 40), (1, 41), (2, 43)] {
        let due_ns = (20 + number) * SECOND;
        feed(&mut population, "m/1/1", due_ns, Some(due_ns + took_s * SECOND));
    }
    feed(&mut population, "m/1/2", 30 * SECOND, None);
    let over = |limit_s: i64| {
        let judged = population.judge_variation(limit_s * SECOND, CLAIM).unwrap();
        judged.tally.over
    };
    assert_eq!((over(0), over(1), over(2), over(3)), (3, 2, 2, 1));
}

#[test]
fn beyond_the_kept_ones_the_counts_stay_exact() {
    let limit = Limit::Within(2 * SECOND);
    let [mut all, mut few] =
        [1_000, 400].map(|kept| Population::keeping(kept, SPAN, window(), &[limit]));
    for number in 0..500 {
        let due_ns = 20 * SECOND + number * SECOND / 10;
        let received = (number % 7 != 0).then_some(due_ns + (number % 50) * SECOND / 30);
        feed(&mut all, "m/1/1", due_ns, received);
        feed(&mut few, "m/1/1", due_ns, received);
    }
    assert_eq!(all.tally(limit), few.tally(limit));
    let [exact, coarse] = [&all, &few].map(|one| one.judge(limit, CLAIM).unwrap());
    assert_eq!(exact.deff, coarse.deff);
    // In parts of 0.1 ms ten messages a second are distinguished; a run may have a neighbour more.
    assert_eq!((exact.per_stall, exact.longest_run, exact.part_ns), (10, 1, None));
    assert_eq!((coarse.per_stall, coarse.part_ns), (11, Some(95_367)));
    assert!((1..=2).contains(&coarse.longest_run), "{}", coarse.longest_run);
    assert_eq!((all.n(), all.lost), (few.n(), few.lost));
    assert_eq!((all.worst(), all.first_lost()), (few.worst(), few.first_lost()));
    assert!(all.distribution().is_exact() && !few.distribution().is_exact());
    assert!(few.messages().is_none());
    assert!(few.judge_variation(SECOND, CLAIM).is_none());
    assert!(few.in_order().judge(Limit::Delivery, CLAIM).is_none());
    let [exact, coarse] = [&all, &few].map(|one| one.distribution().quantile(0.5).unwrap());
    assert!((exact - coarse).abs() <= exact / 1000 + 1, "{exact} and {coarse}");
}

proptest! {
    /// Whatever order the rows come in, the counts are the same, and those of the definition.
    #[test]
    fn the_counts_are_those_of_the_definition_in_any_order(
        rows in prop::collection::vec((0_i64..130, prop::option::of(0_i64..60)), 1..80),
        rotate in 0_usize..80,
        limit_s in 0_i64..30,
    ) {
        let limit = Limit::Within(limit_s * SECOND);
        let tally = |rows: &[(i64, Option<i64>)]| {
            let mut population = judged_by(&[limit]);
            for (due_s, took_s) in rows {
                let due_ns = due_s * SECOND;
                let received = took_s.map(|took_s| due_ns + took_s * SECOND);
                feed(&mut population, "m/1/1", due_ns, received);
            }
            population.tally(limit).unwrap()
        };
        let mut turned = rows.clone();
        turned.rotate_left(rotate % rows.len());
        let found = tally(&rows);
        prop_assert_eq!(found, tally(&turned));
        let judged = rows.iter().filter(|(due_s, _)| (10..=110).contains(due_s));
        let is_over = |took_s: &Option<i64>| took_s.is_none_or(|took_s| took_s > limit_s);
        let over = judged.clone().filter(|(_, took_s)| is_over(took_s));
        prop_assert_eq!(found.n, judged.count() as u64);
        prop_assert!(found.k() >= over.count() as u64);
    }

    /// Of too many messages to keep, in whatever order they came, a verdict is never better than it
    /// would be, and not far from it.
    #[test]
    fn what_is_not_kept_one_by_one_is_judged_on_the_safe_side(
        late in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        swaps in prop::collection::vec((any::<prop::sample::Index>(), 1_usize..40), 0..60),
        outage in (0_usize..1_900, 0_usize..40),
        stall_ms in 10_i64..3_000,
        coverage in prop::sample::select(vec![0.8, 0.9, 0.95]),
    ) {
        // Four devices, each every 200 ms: 2,000 messages in the window's 100 s.
        let n = 2_000;
        let mut is_late = vec![false; n];
        for index in &late {
            is_late[index.index(n)] = true;
        }
        is_late[outage.0..outage.0 + outage.1].fill(true);
        let mut order: Vec<usize> = (0..n).collect();
        for (index, distance) in swaps {
            let first = index.index(n);
            order.swap(first, (first + distance).min(n - 1));
        }
        let limit = Limit::Within(SECOND);
        let mut both = [10_000, 1_000].map(|kept| Population::keeping(kept, SPAN, window(), &[limit]));
        for number in order {
            let due_ns = 10 * SECOND + number as i64 * SECOND / 20;
            let received = (!is_late[number]).then_some(due_ns);
            let id = format!("m-{}/1/{}", number % 4, number / 4);
            for one in &mut both {
                feed(one, &id, due_ns, received);
            }
        }
        let claim = Claim { coverage, stall_ns: stall_ms * 1_000_000 };
        let [exact, coarse] = both.map(|one| one.judge(limit, claim).unwrap());
        prop_assert_eq!((exact.tally, exact.deff), (coarse.tally, coarse.deff));
        prop_assert!(coarse.per_stall >= exact.per_stall && coarse.per_stall <= exact.per_stall + 2);
        prop_assert!(coarse.longest_run >= exact.longest_run);
        prop_assert!(coarse.pass_weight >= exact.pass_weight);
        prop_assert!(coarse.fail_weight >= exact.fail_weight);
        prop_assert!(coarse.status == exact.status || coarse.status == Status::Inconclusive);
        if let (Some(coarse), Some(exact)) = (coarse.holds_up_to_ns, exact.holds_up_to_ns) {
            prop_assert!(coarse <= exact && coarse >= exact - SECOND / 1_000);
        }
    }
}
