//! Tests of the check `jitter`.

use super::super::latency::tests::{SECOND, message, real_time};
use super::super::testing::{check, facts, try_check};
use super::*;
use lastmeter_record::{RunState, Status};

const TOML: &str = "path = \"intended..received\"\nlimit = \"50 ms\"\ncoverage = \"99 %\"\n\
                    stall = \"100 ms\"";

fn judge(took_ms: impl Fn(i64) -> Option<i64>) -> Verdict {
    let facts = real_time(RunState::Finished);
    let mut check = check("jitter", TOML);
    check.begin(&facts);
    for number in 0..3_000 {
        let (id, due) = (format!("m/1/{number}"), 30 * SECOND + number * SECOND / 10);
        message(check.as_mut(), ("reading>o", &id), due, took_ms(number));
    }
    check.verdict(&facts)
}

/// The delay itself is no variation: 3 s each and every time is none at all.
#[test]
fn a_constant_delay_has_no_variation() {
    let verdict = judge(|_| Some(3_000));
    assert_eq!((verdict.status, verdict.measured), (Status::Pass, Some(0.0)));
    assert!(
        verdict
            .why
            .to_string()
            .starts_with("delay variation within 50 ms of the fastest, 3 s, at p99"),
        "{}",
        verdict.why
    );
}

#[test]
fn what_is_far_above_the_fastest_counts() {
    // 50 ms above the fastest is within, 51 ms is not.
    let at = |slow_ms: i64| move |number| Some(if number % 20 == 0 { slow_ms } else { 100 });
    assert_eq!(judge(at(150)).status, Status::Pass);
    let verdict = judge(at(151));
    assert_eq!((verdict.status, verdict.measured), (Status::Fail, Some(5.0)));
    assert_eq!(verdict.told.unwrap().measured.split(',').next(), Some("150 over 50 ms"));
}

#[test]
fn a_lost_message_is_over_the_limit() {
    let verdict = judge(|number| (number % 20 != 0).then_some(100));
    assert_eq!((verdict.status, verdict.measured), (Status::Fail, Some(5.0)));
    // One fast message makes all others slow.
    let verdict = judge(|number| Some(if number == 0 { 1 } else { 100 }));
    assert_eq!(verdict.status, Status::Fail);
}

#[test]
fn nothing_is_judged_in_virtual_time_or_without_rows() {
    let skipped = check("jitter", TOML).verdict(&facts(RunState::Finished));
    assert_eq!(skipped.status, Status::Skipped);
    let none = check("jitter", TOML).verdict(&real_time(RunState::Finished));
    assert_eq!((none.status, none.n), (Status::Inconclusive, 0));
    assert!(try_check("jitter", "path = \"intended..received\"").is_err());
}
