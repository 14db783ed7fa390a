//! The way down: limits, ramps, reflections, manual mode, safe state, the card's rate.

use lastmeter_rts::point_map::PointMap;
use lastmeter_wire::commands::Order;
use proptest::prelude::*;

use super::*;

const START: SimTime = SimTime(1_800_000_000_000_000_000);

const MAP: &str = r#"format = 1
[simulator]
name = "feeder"
wire_format = "gtnet-skt"
card = "gtnet"
sample_rate = "50 Hz"
[[point]]
name = "mode"
direction = "from-simulator"
type = "integer"
role = "mode"
[[point]]
name = "state"
direction = "from-simulator"
type = "integer"
least = 0
greatest = 1
[[point]]
name = "breaker"
direction = "to-simulator"
type = "integer"
least = 0
greatest = 1
greatest_change_per_second = 1000
initial = 1
safe_value = 1
reflected_by = "state"
blocked_by_mode = true
device = "head"
command = "setBreaker"
[[point]]
name = "level"
direction = "to-simulator"
type = "float"
unit = "kW"
least = "0 kW"
greatest = "10 kW"
greatest_change_per_second = "5 kW"
initial = "2 kW"
safe_value = "0 kW"
device = "head"
"#;

const SETTINGS: WriteSettings = WriteSettings {
    is_read_only: false,
    reflect_within: SimDuration::from_milliseconds(500),
    safe_after: Some(SimDuration::from_seconds(10)),
    every: None,
    on_excess: OnExcess::Thin,
};

fn at(milliseconds: i64) -> SimTime {
    START + SimDuration::from_milliseconds(milliseconds)
}

fn kept(name: &str, target: f64) -> PointState {
    PointState { name: name.to_owned(), target, value: target, at: START }
}

struct Bench {
    writer: Writer,
    frames: Vec<(i64, Vec<f64>)>,
    answers: Vec<(String, Result<String, String>)>,
    is_safe: bool,
    now: i64,
}

impl Bench {
    fn new(settings: WriteSettings, kept: &[PointState]) -> Self {
        let writer = Writer::new(&PointMap::parse(MAP).unwrap(), settings, kept, START);
        let (frames, answers) = (Vec::new(), Vec::new());
        let mut bench = Self { writer, frames, answers, is_safe: false, now: 0 };
        bench.writer.platform(START, true);
        bench.writer.line_up();
        bench.seen(0, 1, 1);
        bench.run_to(0);
        bench
    }

    fn take(&mut self, now: i64, written: WriteOutcome) {
        let values =
            |sample: Sample| sample.values.into_iter().map(|value| value.finite().unwrap());
        self.frames.extend(written.frame.map(|sample| (now, values(sample).collect())));
        self.answers.extend(written.answers.into_iter().map(|it| (it.invocation, it.result)));
        self.is_safe |= written.is_safe_now;
    }

    /// Wakes the writer whenever it wants to be woken.
    fn run_to(&mut self, until: i64) {
        let mut now = self.now;
        loop {
            let next =
                self.writer.wake_at().map(|at| ((at - START).0 + 999_999).div_euclid(1_000_000));
            let Some(next) = next.filter(|next| *next <= until) else { break };
            now = next.max(now);
            let mut written = WriteOutcome::default();
            self.writer.run(at(now), &mut written);
            self.take(now, written);
        }
        self.now = until;
    }

    fn order(&mut self, now: i64, invocation: &str, order: &Order) {
        let head = HardwareId::new("head").unwrap();
        let mut written = WriteOutcome::default();
        let taken = self.writer.order(at(now), (&head, invocation), order, &mut written);
        if let Err(why) = taken {
            self.answers.push((invocation.to_owned(), Err(why)));
        }
        self.take(now, written);
        // As the adapter does after each input.
        let mut written = WriteOutcome::default();
        self.writer.run(at(now), &mut written);
        self.take(now, written);
        self.now = now;
        self.run_to(now);
    }

    fn seen(&mut self, now: i64, mode: i64, state: i64) {
        self.now = now;
        let mut written = WriteOutcome::default();
        let values = [Value::Integer(mode), Value::Integer(state)];
        self.writer.seen(at(now), &values, &mut written);
        self.writer.run(at(now), &mut written);
        self.take(now, written);
    }

    fn target(&mut self, place: usize) -> f64 {
        self.writer.state(at(self.now))[place].target
    }

    fn refused(&self, invocation: &str) -> &str {
        let found = self.answers.iter().find(|(id, _)| id == invocation);
        found.and_then(|(_, result)| result.as_ref().err()).map_or("", String::as_str)
    }
}

fn set(value: f64) -> Order {
    Order::SetPoint { point: "level".to_owned(), value }
}

const OPEN: Order = Order::SetBreaker { is_open: true };

#[test]
fn what_is_reflected_is_acknowledged_and_else_not() {
    let mut bench = Bench::new(SETTINGS, &[]);
    assert_eq!(bench.frames, [(0, vec![1.0, 2.0])]);
    bench.seen(50, 1, 1);
    bench.order(100, "a", &OPEN);
    assert_eq!(bench.frames.last(), Some(&(100, vec![0.0, 2.0])));
    bench.seen(120, 1, 1);
    assert!(bench.answers.is_empty());
    bench.seen(140, 1, 0);
    assert_eq!(bench.answers, [("a".to_owned(), Ok("breaker = 0, reflected".to_owned()))]);
    bench.order(200, "b", &Order::SetBreaker { is_open: false });
    bench.run_to(2000);
    let expected = format!("point `breaker` is not reflected within 500 ms; {STAYS_IN_FORCE}");
    assert_eq!(bench.refused("b"), expected);
    // Nobody reflects the level: that it went out is all there is to know.
    bench.order(3000, "c", &set(2.05));
    let (_, Ok(response)) = bench.answers.last().unwrap() else { panic!("{:?}", bench.answers) };
    assert_eq!(response, "level = 2.05 kW, written, not reflected");
}

#[test]
fn one_order_beside_cyclic_writes_is_no_overload_two_within_a_frame_are() {
    let every = Some(SimDuration::from_milliseconds(50));
    let mut bench = Bench::new(WriteSettings { every, ..SETTINGS }, &[]);
    bench.run_to(1001);
    bench.order(1001, "a", &OPEN);
    bench.run_to(1500);
    assert_eq!((bench.writer.thinned, bench.frames.last().unwrap().1[0]), (0, 0.0));
    bench.order(2001, "b", &set(2.05));
    bench.order(2002, "c", &Order::SetBreaker { is_open: false });
    assert_eq!(bench.writer.thinned, 1);
}

#[test]
fn set_points_are_written_again_to_a_simulator_that_lost_its_state() {
    let mut bench = Bench::new(SETTINGS, &[]);
    bench.seen(50, 1, 1);
    bench.order(100, "a", &OPEN);
    bench.seen(140, 1, 0);
    // It begins again, with its breaker closed.
    bench.seen(400, 1, 1);
    bench.run_to(500);
    assert_eq!(bench.frames.len(), 2);
    bench.seen(700, 1, 1);
    bench.run_to(720);
    assert_eq!(bench.frames[2..], [(700, vec![0.0, 2.0])]);
    // Operated by hand it is left alone.
    bench.seen(1500, 0, 1);
    bench.run_to(2000);
    assert_eq!(bench.frames.len(), 3);
}

#[test]
fn what_must_not_be_written_is_refused_with_the_reason() {
    let mut bench = Bench::new(SETTINGS, &[]);
    bench.writer.mode = Some((0, None));
    bench.order(10, "early", &OPEN);
    bench.seen(20, 0, 1);
    bench.order(30, "manual", &OPEN);
    bench.order(40, "high", &set(10.5));
    bench.order(50, "nan", &set(f64::NAN));
    let wrong = Order::SetPoint { point: "tap".to_owned(), value: 1.0 };
    bench.order(60, "wrong", &wrong);
    bench.order(70, "other", &Order::SetPeriod { seconds: 5.0 });
    for (invocation, expected) in [
        ("early", "has not sent its mode yet"),
        ("manual", "operated by hand"),
        ("high", "10.5 is outside of 0 to 10 kW"),
        ("nan", "NaN is outside of 0 to 10 kW"),
        ("wrong", "has no point `tap` to write; it has level"),
        ("other", "`setPoint` and `setBreaker`"),
    ] {
        let found = bench.refused(invocation);
        assert!(found.contains(expected), "{invocation}: {found}");
    }
    assert_eq!(bench.frames.len(), 1);
    bench.writer.line_lost(&mut WriteOutcome::default());
    bench.order(80, "nobody", &set(1.0));
    assert!(bench.refused("nobody").contains("nobody is at the simulator's end"));
    let mut read_only = Bench::new(WriteSettings { is_read_only: true, ..SETTINGS }, &[]);
    read_only.order(10, "a", &set(1.0));
    assert!(read_only.refused("a").contains("read-only") && read_only.frames.is_empty());
}

#[test]
fn a_later_command_supersedes_an_earlier_one() {
    let mut bench = Bench::new(SETTINGS, &[]);
    bench.order(100, "a", &set(9.0));
    bench.order(200, "b", &set(1.0));
    assert_eq!(bench.refused("a"), "superseded by a later command");
    bench.run_to(3000);
    assert_eq!(bench.frames.last().unwrap().1[1], 1.0);
    assert!(matches!(bench.answers.last(), Some((id, Ok(_))) if id == "b"));
}

#[test]
fn without_the_platform_all_points_become_safe_and_stay_so() {
    let mut bench = Bench::new(SETTINGS, &[]);
    bench.order(100, "a", &set(2.1));
    bench.writer.platform(at(1000), false);
    bench.run_to(10_999);
    assert!(!bench.is_safe);
    bench.run_to(13_000);
    assert!(bench.is_safe);
    assert_eq!(bench.frames.last().unwrap().1, [1.0, 0.0]);
    bench.writer.platform(at(14_000), true);
    bench.run_to(15_000);
    assert_eq!(bench.frames.last().unwrap().1, [1.0, 0.0]);
    bench.order(16_000, "b", &set(0.1));
    assert_eq!(bench.frames.last().unwrap().1, [1.0, 0.1]);
    assert_eq!((bench.target(0), bench.target(1)), (1.0, 100.0));
    let again = Bench::new(SETTINGS, &[kept("level", 100.0), kept("gone", 7.0)]);
    assert_eq!(again.frames, [(0, vec![1.0, 0.1])]);
}

#[test]
fn frames_are_repeated_where_that_is_asked_for() {
    let every = Some(SimDuration::from_milliseconds(100));
    let mut bench = Bench::new(WriteSettings { every, ..SETTINGS }, &[]);
    bench.run_to(1000);
    assert_eq!(bench.frames.len(), 11);
}

#[test]
fn a_card_that_is_asked_too_often_refuses_or_gets_the_last() {
    let on_excess = OnExcess::Refuse;
    let mut bench = Bench::new(WriteSettings { on_excess, ..SETTINGS }, &[]);
    bench.order(5, "soon", &set(2.01));
    assert!(bench.refused("soon").contains("takes no frame before"));
    let mut bench = Bench::new(SETTINGS, &[]);
    for nth in 0..1000 {
        bench.order(1 + nth / 100, &nth.to_string(), &set(2.0 + 1e-4 * nth as f64));
    }
    bench.run_to(100);
    // A GTNET card takes one frame each 10 ms.
    assert!(bench.frames.len() <= 3, "{:?}", bench.frames);
    assert!((bench.frames.last().unwrap().1[1] - 2.0999).abs() < 1e-9);
    assert!(bench.writer.counts().held > 0);
    assert_eq!(bench.answers.iter().filter(|(_, result)| result.is_ok()).count(), 1);
    assert_eq!(bench.answers.len(), 1000);
}

#[test]
fn attempts_that_fail_do_not_put_the_safe_state_off() {
    let mut bench = Bench::new(SETTINGS, &[]);
    for second in 1..12 {
        bench.run_to(second * 1000);
        bench.writer.platform(at(second * 1000), false);
    }
    bench.run_to(11_100);
    assert!(bench.is_safe);
}

#[test]
fn a_start_in_the_middle_waits_for_the_platform_as_long_as_any_other() {
    let kept = [kept("level", 5000.0)];
    let mut late = Bench::new(SETTINGS, &[]);
    late.writer = Writer::new(&PointMap::parse(MAP).unwrap(), SETTINGS, &kept, START);
    late.frames.clear();
    late.writer.line_up();
    late.writer.mode = Some((0, Some(true)));
    let mut written = WriteOutcome::default();
    late.writer.run(at(100_000), &mut written);
    late.take(100_000, written);
    (late.now, late.is_safe) = (100_000, false);
    late.run_to(109_900);
    assert!(!late.is_safe && late.target(1) == 5000.0);
    late.run_to(110_100);
    assert!(late.is_safe && late.target(1) == 0.0);
}

#[test]
fn more_frames_than_the_card_takes_are_not_asked_for() {
    let every = Some(SimDuration::from_milliseconds(1));
    let mut bench = Bench::new(WriteSettings { every, ..SETTINGS }, &[]);
    for now in 0..200 {
        bench.run_to(now);
        let next = bench.writer.wake_at().unwrap();
        assert!(next > at(now), "it wants to be woken at {next} again and again");
    }
    assert_eq!(bench.frames.len(), 20);
}

#[test]
fn a_command_that_is_delivered_again_while_it_is_open_goes_on() {
    let mut bench = Bench::new(SETTINGS, &[]);
    bench.seen(50, 1, 1);
    bench.order(100, "a", &OPEN);
    bench.order(120, "a", &OPEN);
    assert!(bench.answers.is_empty(), "{:?}", bench.answers);
    bench.seen(140, 1, 0);
    assert_eq!(bench.answers, [("a".to_owned(), Ok("breaker = 0, reflected".to_owned()))]);
}

#[test]
fn points_that_are_operated_by_hand_stay_where_they_are() {
    let map = MAP.replace("safe_value = \"0 kW\"", "safe_value = \"0 kW\"\nblocked_by_mode = true");
    let mut bench = Bench::new(SETTINGS, &[]);
    bench.writer = Writer::new(&PointMap::parse(&map).unwrap(), SETTINGS, &[], START);
    bench.writer.platform(START, true);
    bench.writer.line_up();
    bench.seen(0, 1, 1);
    bench.run_to(10);
    bench.seen(50, 1, 1);
    bench.order(100, "a", &set(9.0));
    bench.run_to(300);
    bench.seen(310, 0, 1);
    bench.run_to(400);
    assert_eq!(bench.refused("a"), "the simulator is operated by hand");
    let level = |bench: &Bench| bench.frames.last().unwrap().1[1];
    let held = level(&bench);
    assert!((2.5..4.0).contains(&held), "{held}");
    bench.writer.platform(at(1000), false);
    bench.run_to(30_000);
    assert_eq!((level(&bench), bench.frames.last().unwrap().1[0]), (held, 1.0));
    // Back in automatic it goes to where it has to be without the platform, not to the old target.
    bench.seen(30_010, 1, 1);
    bench.run_to(40_000);
    assert_eq!(level(&bench), 0.0);
}

#[test]
fn a_reflection_is_compared_in_the_unit_and_not_on_the_wire() {
    // The echo comes as an integer of tenths of a kilowatt.
    let echo = "[[point]]\nname = \"echo\"\ndirection = \"from-simulator\"\ntype = \"integer\"\n\
                unit = \"W\"\nscale = 100\nleast = \"0 W\"\ngreatest = \"10000 W\"\n[[point]]\n\
                name = \"breaker\"";
    let map = MAP
        .replace("[[point]]\nname = \"breaker\"", echo)
        .replace("safe_value = \"0 kW\"", "safe_value = \"0 kW\"\nreflected_by = \"echo\"");
    let mut bench = Bench::new(SETTINGS, &[]);
    bench.writer = Writer::new(&PointMap::parse(&map).unwrap(), SETTINGS, &[], START);
    bench.writer.platform(START, true);
    bench.writer.line_up();
    bench.seen(0, 1, 1);
    bench.run_to(10);
    bench.order(100, "a", &set(2.03));
    bench.run_to(130);
    for (now, tenths) in [(140, 21), (160, 20)] {
        let mut written = WriteOutcome::default();
        let values = [Value::Integer(1), Value::Integer(1), Value::Integer(tenths)];
        bench.writer.seen(at(now), &values, &mut written);
        bench.take(now, written);
        assert_eq!(bench.answers.len(), usize::from(now == 160), "{:?}", bench.answers);
    }
    assert_eq!(bench.answers, [("a".to_owned(), Ok("level = 2.03 kW, reflected".to_owned()))]);
}

#[test]
fn after_a_restart_a_ramp_goes_on_and_does_not_jump() {
    let mut bench = Bench::new(SETTINGS, &[]);
    bench.order(0, "a", &set(9.0));
    bench.run_to(700);
    let (_, last) = bench.frames.last().unwrap().clone();
    // What a record has is older than the last frame by a second at most.
    let state = PointState { name: "level".to_owned(), target: 9000.0, value: 3000.0, at: at(200) };
    let mut again = Bench::new(SETTINGS, &[]);
    again.writer = Writer::new(&PointMap::parse(MAP).unwrap(), SETTINGS, &[state], START);
    again.frames.clear();
    again.writer.platform(START, true);
    again.writer.line_up();
    again.writer.mode = Some((0, Some(true)));
    again.now = 900;
    let mut written = WriteOutcome::default();
    again.writer.run(at(900), &mut written);
    again.take(900, written);
    let first = again.frames[0].1[1];
    assert!((first - last[1]).abs() <= 5.0 * 0.2 + 0.1 && first > 3.0, "{last:?} {first}");
    again.run_to(5000);
    assert_eq!(again.frames.last().unwrap().1[1], 9.0);
}

#[test]
fn values_of_a_ramp_are_kept_every_second() {
    let mut bench = Bench::new(SETTINGS, &[]);
    let mut kept = Vec::new();
    bench.order(0, "a", &set(9.5));
    for now in (0..1500).step_by(20) {
        let mut written = WriteOutcome::default();
        bench.writer.run(at(now), &mut written);
        if written.has_new_targets {
            kept.push(bench.writer.state(at(now))[1].value);
        }
        bench.take(now, written);
    }
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(kept[0] < kept[1], "{kept:?}");
}

#[test]
fn while_it_is_operated_by_hand_what_it_shows_is_followed() {
    let mut bench = Bench::new(SETTINGS, &[]);
    bench.seen(50, 0, 0);
    bench.run_to(3000);
    // The breaker was opened by hand, and stays open when the mode is automatic again.
    bench.seen(3010, 1, 0);
    bench.seen(3500, 1, 0);
    bench.run_to(4000);
    bench.order(4010, "a", &set(2.05));
    assert_eq!(bench.frames[1..], [(4010, vec![0.0, 2.05])]);
    // Nor does another map, or a restart, move a point before the mode is known.
    bench.seen(5000, 0, 0);
    let mut next = bench.writer.of_map(&PointMap::parse(MAP).unwrap()).unwrap();
    next.takes_over(&mut bench.writer, &mut WriteOutcome::default());
    bench.writer = next;
    bench.writer.platform(at(5000), false);
    bench.run_to(30_000);
    assert_eq!(bench.frames.last().unwrap().1, [0.0, 0.0]);
    let mut again = Bench::new(SETTINGS, &[]);
    again.writer = Writer::new(&PointMap::parse(MAP).unwrap(), SETTINGS, &[], START);
    (again.frames, again.now) = (Vec::new(), 0);
    again.writer.line_up();
    again.run_to(999);
    assert!(again.frames.is_empty(), "the mode is waited for");
    again.run_to(30_000);
    assert_eq!(again.frames[0], (1000, vec![1.0, 2.0]));
    assert_eq!(again.frames.last().unwrap().1, [1.0, 0.0]);
}

#[test]
fn a_command_whose_simulator_is_gone_is_answered_and_given_up() {
    let mut bench = Bench::new(SETTINGS, &[]);
    bench.order(100, "a", &set(9.0));
    bench.run_to(500);
    let mut written = WriteOutcome::default();
    bench.writer.line_lost(&mut written);
    bench.take(500, written);
    assert_eq!(bench.refused("a"), "nobody is at the simulator's end of the line any more");
    let (_, last) = bench.frames.last().unwrap().clone();
    bench.writer.line_up();
    bench.run_to(3000);
    assert_eq!(bench.frames.last().unwrap().1, last);
}

#[test]
fn a_map_with_another_range_is_refused_where_a_point_would_have_to_jump() {
    let mut bench = Bench::new(SETTINGS, &[]);
    bench.order(100, "a", &set(9.0));
    bench.run_to(500);
    let narrow = MAP.replace("greatest = \"10 kW\"", "greatest = \"3 kW\"");
    let refused = bench.writer.of_map(&PointMap::parse(&narrow).unwrap()).unwrap_err();
    assert!(refused.contains("on its way to 9 kW, outside of 0 to 3 kW"), "{refused}");
}

#[test]
fn what_no_word_can_carry_is_refused_and_not_rounded() {
    let mut bench = Bench::new(SETTINGS, &[]);
    let mut written = WriteOutcome::default();
    let set = [("breaker".to_owned(), 0.5)];
    let refused = bench.writer.set(at(100), &set, &mut written).unwrap_err();
    assert_eq!(
        refused,
        "point `breaker`: 0.5 is 0.5 on the wire, which takes whole numbers: 0 or 1"
    );
}

#[test]
fn a_line_that_comes_up_twice_is_no_overload() {
    let mut bench = Bench::new(SETTINGS, &[]);
    for now in 1..5 {
        bench.writer.line_up();
        bench.run_to(now);
    }
    bench.run_to(100);
    assert_eq!((bench.writer.counts().held, bench.frames.len()), (0, 2));
}

proptest! {
    #[test]
    fn nothing_is_written_outside_of_what_the_map_allows(
        orders in prop::collection::vec((1_i64..400, -5.0_f64..15.0, prop::bool::ANY), 1..60),
    ) {
        let mut bench = Bench::new(SETTINGS, &[]);
        let mut now = 0;
        for (nth, (after, level, is_open)) in orders.into_iter().enumerate() {
            now += after;
            bench.run_to(now);
            bench.seen(now, 1, 1);
            let order = if nth % 3 == 0 { Order::SetBreaker { is_open } } else { set(level) };
            bench.order(now, &nth.to_string(), &order);
        }
        bench.run_to(now + 10_000);
        for pair in bench.frames.windows(2) {
            let ((before, from), (after, to)) = (&pair[0], &pair[1]);
            prop_assert!(after - before >= 10, "the card takes 100 frames a second");
            prop_assert!((0.0..=10.0).contains(&to[1]) && [0.0, 1.0].contains(&to[0]));
            let steepest = 5.0 * (after - before) as f64 / 1000.0;
            prop_assert!((to[1] - from[1]).abs() <= steepest + 1e-9, "{pair:?}");
        }
        // Every command has exactly one answer.
        let mut ids: Vec<&String> = bench.answers.iter().map(|(id, _)| id).collect();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), bench.answers.len());
    }
}
