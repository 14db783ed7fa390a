//! Tests of the check `published`.

use super::super::latency::tests::{MS, SECOND, message, real_time};
use super::super::testing::{check, facts, try_check};
use super::*;
use lastmeter_record::{LateTick, RunState, Status};

/// Delays of 1 to 1000 ms, each once: median 500.5, quartiles 250.75 and 750.25 ms.
fn judge_in(toml: &str, facts: &RunFacts, lost: i64) -> Verdict {
    let toml = format!("path = \"intended..received\"\nsource = \"figure 21\"\n{toml}");
    let mut check = check("published", &toml);
    check.begin(facts);
    for number in 0..1_000 {
        let (id, due) = (format!("m/1/{number}"), 30 * SECOND + number * SECOND / 10);
        // In no order: 7 has no factor in common with 1000.
        let took_ms = number * 7 % 1_000 + 1;
        let took_ms = (took_ms <= 1_000 - lost).then_some(took_ms);
        message(check.as_mut(), ("reading>o", &id), due, took_ms);
    }
    check.verdict(facts)
}

fn judge(toml: &str) -> Verdict {
    judge_in(toml, &real_time(RunState::Finished), 0)
}

fn compared(statistic: &str, value: &str, tolerance: &str) -> Verdict {
    judge(&format!("statistic = \"{statistic}\"\nvalue = \"{value}\"\ntolerance = \"{tolerance}\""))
}

/// `numpy.quantile([1..1000], q)`, and the ends of the box, where nothing is an outlier.
#[test]
fn each_figure_is_the_one_of_its_definition() {
    for (statistic, value) in [
        ("median", "500.5 ms"),
        ("q1", "250.75 ms"),
        ("q3", "750.25 ms"),
        ("whisker_low", "1 ms"),
        ("whisker_high", "1000 ms"),
    ] {
        let verdict = compared(statistic, value, "2 ms");
        assert_eq!(verdict.status, Status::Pass, "{}", verdict.why);
        assert!(verdict.measured.unwrap() < 1e-9, "{statistic}: {:?}", verdict.measured);
        assert_eq!((verdict.limit, verdict.unit.as_str()), (Some(0.002), "s"));
    }
    let share = judge(
        "statistic = \"share_under\"\nunder = \"210 ms\"\nvalue = \"20 %\"\ntolerance = \"1 %\"",
    );
    // 1 to 209 ms are below 210.
    assert_eq!((share.status, share.unit.as_str()), (Status::Pass, "%"));
    assert!((share.measured.unwrap() - 0.9).abs() < 1e-9, "{:?}", share.measured);
    assert_eq!(share.limit, Some(1.0));
    let measured = share.told.unwrap().measured;
    assert_eq!(measured, "share under 210 ms 20.9 %, published 20 %, 0.9 % off");
}

#[test]
fn a_value_too_far_fails_and_shows_both_values() {
    let verdict = compared("median", "490 ms", "10 ms");
    assert_eq!(verdict.status, Status::Fail);
    assert!(
        verdict
            .why
            .to_string()
            .starts_with("too far: median 500.5 ms, published 490 ms (figure 21), tolerance"),
        "{}",
        verdict.why
    );
    assert_eq!(verdict.n, 1_000);
    assert_eq!(compared("median", "490 ms", "10.6 ms").status, Status::Pass);
}

/// A tick that was late every second by 60 ms: without them the median is less, and never more.
#[test]
fn what_load_moved_is_a_fail_only_if_it_is_as_far_without_it() {
    let mut busy = real_time(RunState::Finished);
    let late = |number: i64| LateTick { at_ns: (30 + number) * SECOND, lateness_ns: 60 * MS };
    busy.real_time.as_mut().unwrap().late_ticks = (0..100).map(late).collect();
    for (published, expected) in [
        ("600 ms", Reason::OutsideLimit),
        ("490 ms", Reason::HostLoad),
        ("500 ms", Reason::HostLoad),
        ("300 ms", Reason::OutsideLimit),
    ] {
        let toml =
            format!("statistic = \"median\"\nvalue = \"{published}\"\ntolerance = \"10 ms\"");
        let verdict = judge_in(&toml, &busy, 0);
        assert_eq!(verdict.reason, expected, "{published}: {}", verdict.why);
    }
}

/// Ticks that were late by 15 ms while one message each was under way.
#[test]
fn a_whisker_is_not_left_open_by_a_tenth_of_the_messages_or_less() {
    let judge = |statistic: &str, value: &str, late: i64| {
        let toml = format!(
            "path = \"intended..received\"\nsource = \"figure 21\"\nstatistic = \"{statistic}\"\n\
             value = \"{value}\"\ntolerance = \"6 ms\""
        );
        let mut busy = real_time(RunState::Finished);
        let due = |number: i64| 30 * SECOND + number * SECOND / 10;
        let tick = |number| LateTick { at_ns: due(number), lateness_ns: 15 * MS };
        busy.real_time.as_mut().unwrap().late_ticks = (0..late).map(tick).collect();
        let mut check = check("published", &toml);
        check.begin(&busy);
        for number in 0..1_000 {
            let id = format!("m/1/{number}");
            // The first hundred are the slowest and the fastest.
            let took_ms = match number {
                0..50 => 90,
                50..100 => 20,
                _ => 30 + number % 6 * 10,
            };
            message(check.as_mut(), ("reading", &id), due(number), Some(took_ms));
        }
        check.verdict(&busy)
    };
    for (statistic, value, late, expected) in [
        ("whisker_low", "25 ms", 0, Reason::WithinLimit),
        // Without them 30 ms.
        ("whisker_low", "25 ms", 100, Reason::WithinLimit),
        ("whisker_low", "23 ms", 100, Reason::HostLoad),
        // One more, and all of them count as 15 ms shorter.
        ("whisker_low", "25 ms", 101, Reason::HostLoad),
        ("whisker_low", "50 ms", 101, Reason::OutsideLimit),
        ("whisker_high", "80 ms", 0, Reason::OutsideLimit),
        ("whisker_high", "80 ms", 100, Reason::HostLoad),
        ("whisker_high", "100 ms", 100, Reason::OutsideLimit),
    ] {
        let verdict = judge(statistic, value, late);
        assert_eq!(verdict.reason, expected, "{statistic}, {late}: {}", verdict.why);
    }
}

/// Without the fastest tenth, which load may have held up, the whisker is 500 ms: from 625 ms that
/// is as far as is allowed, and 250 ms is farther.
#[test]
fn a_figure_that_is_just_near_without_load_is_no_fail() {
    let toml = "path = \"intended..received\"\nsource = \"x\"\nstatistic = \"whisker_low\"\n\
                value = \"625 ms\"\ntolerance = \"125 ms\"";
    let mut busy = real_time(RunState::Finished);
    let due = |number: i64| 30 * SECOND + number * SECOND;
    let tick = |number| LateTick { at_ns: due(number), lateness_ns: 15 * MS };
    busy.real_time.as_mut().unwrap().late_ticks = (0..10).map(tick).collect();
    let mut check = check("published", toml);
    check.begin(&busy);
    for number in 0..100 {
        let took_ms = if number < 10 { 250 } else { 500 + 10 * (number - 10) };
        let id = format!("m/1/{number}");
        message(check.as_mut(), ("reading", &id), due(number), Some(took_ms));
    }
    let verdict = check.verdict(&busy);
    assert_eq!(verdict.reason, Reason::HostLoad, "{}", verdict.why);
}

#[test]
fn a_figure_wants_a_number_of_messages_and_may_be_the_models() {
    let toml = "path = \"intended..received\"\nsource = \"x\"\nstatistic = \"median\"\n\
                value = \"1 s\"\ntolerance = \"1 s\"";
    let demand = check("published", toml).demand().unwrap();
    assert_eq!((demand.messages_min, demand.in_virtual_time), (MESSAGES_MIN, true));
}

#[test]
fn lost_messages_are_infinite() {
    let real = real_time(RunState::Finished);
    let toml = "statistic = \"median\"\nvalue = \"500.5 ms\"\ntolerance = \"2 ms\"";
    assert_eq!(judge_in(toml, &real, 400).status, Status::Pass);
    let verdict = judge_in(toml, &real, 600);
    assert_eq!((verdict.status, verdict.measured), (Status::Fail, None), "{}", verdict.why);
    let whisker = "statistic = \"whisker_high\"\nvalue = \"1 s\"\ntolerance = \"2 ms\"";
    let verdict = judge_in(whisker, &real, 300);
    assert_eq!(verdict.status, Status::Inconclusive);
    assert!(verdict.why.to_string().starts_with("there is no such statistic"), "{}", verdict.why);
}

#[test]
fn in_virtual_time_the_figure_is_the_models() {
    let toml = "statistic = \"median\"\nvalue = \"500.5 ms\"\ntolerance = \"2 ms\"";
    let verdict = judge_in(toml, &facts(RunState::Finished), 0);
    assert_eq!(verdict.status, Status::Pass);
    assert!(verdict.why.to_string().contains("modelled"), "{}", verdict.why);
    assert!(verdict.told.unwrap().basis.ends_with("modelled"));
}

#[test]
fn a_bad_run_compares_nothing() {
    let toml = "statistic = \"median\"\nvalue = \"500.5 ms\"\ntolerance = \"2 ms\"";
    let mut invalid = real_time(RunState::Finished);
    invalid.real_time.as_mut().unwrap().deadlines.missed = 500;
    assert_eq!(judge_in(toml, &invalid, 0).status, Status::Inconclusive);
    let mut noisy = real_time(RunState::Finished);
    noisy.real_time.as_mut().unwrap().floor_before.as_mut().unwrap().timer.p50_ns = MS;
    let verdict = judge_in(toml, &noisy, 0);
    assert_eq!(verdict.status, Status::Inconclusive);
    assert!(
        verdict.why.to_string().starts_with("not measurable here: the tolerance"),
        "{}",
        verdict.why
    );
    // Three times the floor's median is enough.
    let three = judge_in(&toml.replace("2 ms", "3 ms"), &noisy, 0);
    assert_eq!(three.status, Status::Pass, "{}", three.why);
    let path = "path = \"intended..received\"\nsource = \"x\"\n";
    let none = check("published", &format!("{path}{toml}")).verdict(&invalid);
    assert_eq!((none.status, none.n), (Status::Inconclusive, 0));
}

#[test]
fn a_figure_that_makes_no_sense_is_refused() {
    let path = "path = \"intended..received\"\nsource = \"x\"\n";
    for toml in [
        "statistic = \"median\"\nvalue = \"97 %\"\ntolerance = \"1 %\"",
        "statistic = \"median\"\nvalue = \"97 ms\"\ntolerance = \"1 %\"",
        "statistic = \"median\"\nvalue = \"1 ms\"\ntolerance = \"1 ms\"\nunder = \"2 ms\"",
        "statistic = \"share_under\"\nvalue = \"97 %\"\ntolerance = \"1 %\"",
        "statistic = \"share_under\"\nvalue = \"97 ms\"\ntolerance = \"1 ms\"\nunder = \"2 ms\"",
        "statistic = \"mode\"\nvalue = \"97 ms\"\ntolerance = \"1 ms\"",
    ] {
        assert!(try_check("published", &format!("{path}{toml}")).is_err(), "{toml}");
    }
}
