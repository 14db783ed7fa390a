//! Tests of the check `recovery`.

use super::super::latency::tests::{SECOND, message, real_time};
use super::super::testing::{at, check, facts, try_check};
use super::*;
use lastmeter_record::{LateTick, RunState, Status, field};

const BOTH: &str = "path = \"intended..queryable\"\nin_time = \"1 s\"\n\
    longest_outage = \"25 s\"\nrecover_within = \"10 s\"";

/// A link that is broken from 100 s to 120 s.
fn broken() -> Vec<Event> {
    let inject = Event::inject(at(100), "disconnect", None, "wan reset").with("link", "wan");
    vec![inject, Event::restored(at(120), "wan", "disconnect")]
}

/// A message of each device every second until 600 s; `arrives` gives when, in s.
fn judge_with(
    toml: &str,
    events: &[Event],
    facts: &RunFacts,
    devices: &[&str],
    arrives: impl Fn(&str, i64) -> Option<i64>,
) -> Verdict {
    let mut check = check("recovery", toml);
    check.begin(facts);
    for (line, event) in (1..).zip(events) {
        check.event(line, event);
    }
    for second in 1..=600 {
        for device in devices {
            let id = format!("{device}/1/{second}");
            let took_ms = arrives(device, second).map(|at| (at - second) * 1_000);
            message(check.as_mut(), ("reading", &id), second * SECOND, took_ms);
        }
    }
    check.verdict(facts)
}

fn judge(toml: &str, events: &[Event], arrives: impl Fn(i64) -> Option<i64>) -> Verdict {
    let real = real_time(RunState::Finished);
    judge_with(toml, events, &real, &["m"], |_, second| arrives(second))
}

/// What was due while the link was broken arrives so long after it is mended.
fn late(until: i64) -> impl Fn(i64) -> Option<i64> {
    move |second| Some(if (100..120).contains(&second) { until } else { second })
}

#[test]
fn an_outage_that_is_short_and_soon_over_passes() {
    let verdict = judge(BOTH, &broken(), late(124));
    assert_eq!((verdict.status, verdict.n), (Status::Pass, 1), "{}", verdict.why);
    // From the arrival at 99 s to that of 120 s: 21 of 25 s, nearer than 4 of 10 s.
    assert_eq!((verdict.measured, verdict.limit), (Some(21.0), Some(25.0)), "{}", verdict.why);
    assert!(verdict.why.to_string().contains("longest outage 21 s of m from 99 s, limit 25 s"));
    let expected = "recovered within 4 s of m after disconnect wan reset, limit 10 s; 1 injection";
    assert!(verdict.why.to_string().contains(expected), "{}", verdict.why);
}

#[test]
fn the_outbox_has_to_be_empty_in_time() {
    let verdict = judge(BOTH, &broken(), late(131));
    assert_eq!((verdict.status, verdict.measured), (Status::Fail, Some(11.0)), "{}", verdict.why);
    let place = verdict.at.unwrap();
    assert_eq!((place.device.as_deref(), place.event), (Some("m"), Some(1)));
    assert_eq!(place.time, Some(at(120)));
    let text = verdict.told.unwrap();
    assert_eq!((text.measured.as_str(), text.basis.as_str()), ("11 s", "1 injection"));
    assert_eq!(judge(BOTH, &broken(), late(130)).status, Status::Pass);
}

/// Of two breaks the one that took longer to recover from decides; of equal ones the first.
#[test]
fn the_worst_of_all_injections_is_measured() {
    let again = Event::inject(at(300), "disconnect", None, "wan reset").with("link", "wan");
    let events = [&broken()[..], &[again, Event::restored(at(320), "wan", "disconnect")]].concat();
    for (first, second, measured, event) in
        [(131, 325, 11.0, 1), (125, 331, 11.0, 3), (131, 331, 11.0, 1), (132, 331, 12.0, 1)]
    {
        let arrives = |due| match due {
            100..120 => Some(first),
            300..320 => Some(second),
            _ => Some(due),
        };
        let verdict = judge(BOTH, &events, arrives);
        assert_eq!(verdict.measured, Some(measured), "{}", verdict.why);
        assert_eq!(verdict.at.unwrap().event, Some(event), "{first} {second}");
    }
}

#[test]
fn what_load_may_have_delayed_is_no_fail_up_to_its_own_length() {
    for (until, lateness_s, expected) in [
        (132, 2, Reason::HostLoad),
        (133, 2, Reason::TooLate),
        // A tenth of the limit is nothing.
        (131, 1, Reason::TooLate),
    ] {
        let mut busy = real_time(RunState::Finished);
        let tick = LateTick { at_ns: 125 * SECOND, lateness_ns: lateness_s * SECOND };
        busy.real_time.as_mut().unwrap().late_ticks = vec![tick];
        let arrives = late(until);
        let verdict = judge_with(BOTH, &broken(), &busy, &["m"], |_, second| arrives(second));
        assert_eq!(verdict.reason, expected, "{until}: {}", verdict.why);
    }
}

#[test]
fn a_check_of_recovery_wants_something_broken() {
    assert!(check("recovery", BOTH).demand().unwrap().needs_breakage);
}

#[test]
fn messages_have_to_be_in_time_again() {
    // What is due until 130 s is late still: the first in time is that of 131 s.
    let slow =
        |second| Some(if (100..131).contains(&second) { 131.max(second + 2) } else { second });
    let toml = BOTH.replace("25 s", "60 s");
    let verdict = judge(&toml, &broken(), slow);
    assert_eq!((verdict.status, verdict.measured), (Status::Fail, Some(11.0)), "{}", verdict.why);
    let never = |second| Some(if second < 100 { second } else { second + 2 });
    let verdict = judge(&toml.replace("60 s", "1000 s"), &broken(), never);
    assert_eq!((verdict.status, verdict.measured), (Status::Fail, None), "{}", verdict.why);
    assert!(
        verdict.why.to_string().starts_with("never recovered: m was not in time again"),
        "{}",
        verdict.why
    );
}

/// Each message takes 1 s, which is in time.
#[test]
fn who_is_in_time_at_once_needs_no_time_to_recover() {
    let toml = BOTH.replace("25 s", "60 s");
    let verdict = judge(&toml, &broken(), |second| Some(second + 1));
    assert!(verdict.why.to_string().contains("recovered within 0 s of m"), "{}", verdict.why);
    // What was due before the end came in time, what was due then and until 124 s did not.
    let slow = |second| Some(if (120..125).contains(&second) { second + 2 } else { second });
    let verdict = judge(&toml, &broken(), slow);
    assert!(verdict.why.to_string().contains("recovered within 5 s of m"), "{}", verdict.why);
}

/// Two are broken on one link at a time; the second is mended first.
#[test]
fn an_injection_is_over_with_the_end_of_its_own_number() {
    let inject = |number: u64| {
        let event = Event::inject(at(100), "disconnect", None, "wan reset").with("link", "wan");
        event.with(field::INJECTION, number)
    };
    let restored = |second, number: u64| {
        Event::restored(at(second), "wan", "disconnect").with("injection", number)
    };
    let events = [inject(1), inject(2), restored(110, 2), restored(120, 1)];
    let toml = BOTH.replace("10 s", "20 s");
    let verdict = judge(&toml, &events, late(124));
    assert_eq!((verdict.status, verdict.n), (Status::Pass, 2), "{}", verdict.why);
    // Until 124 s from 110 s on, and not from 120 s on.
    assert!(verdict.why.to_string().contains("recovered within 14 s of m"), "{}", verdict.why);
    assert!(judge(&toml.replace("20 s", "13 s"), &events, late(124)).at.unwrap().event == Some(2));
}

#[test]
fn a_message_that_never_came_is_never_recovered_from() {
    let lost = |second| late(124)(second).filter(|_| second != 110);
    let verdict = judge(&BOTH.replace("25 s", "1000 s"), &broken(), lost);
    assert_eq!((verdict.status, verdict.measured), (Status::Fail, None), "{}", verdict.why);
    let expected =
        "never recovered: 1 message of m from before the end of disconnect wan reset lost";
    assert!(verdict.why.to_string().contains(expected), "{}", verdict.why);
}

#[test]
fn an_outage_is_of_one_device() {
    let real = real_time(RunState::Finished);
    let toml = "path = \"intended..queryable\"\nlongest_outage = \"25 s\"";
    let arrives = |device: &str, second: i64| {
        Some(if device == "b" && (200..230).contains(&second) { 240 } else { second })
    };
    let verdict = judge_with(toml, &broken(), &real, &["a", "b"], arrives);
    assert_eq!((verdict.status, verdict.measured), (Status::Fail, Some(31.0)), "{}", verdict.why);
    assert_eq!(verdict.at.unwrap().device.as_deref(), Some("b"));
    let only_a = format!("{toml}\ndevice = \"a\"");
    assert_eq!(judge_with(&only_a, &broken(), &real, &["a", "b"], arrives).status, Status::Pass);
}

/// In a real run the same message has a row for each path.
#[test]
fn the_way_to_the_one_observer_is_judged_where_there_is_one() {
    let facts = real_time(RunState::Finished);
    let run = |toml: &str, observers: &[&str]| {
        let mut check = check("recovery", toml);
        check.begin(&facts);
        for (line, event) in (1..).zip(&broken()) {
            check.event(line, event);
        }
        for second in 1..=600 {
            let id = format!("m/1/{second}");
            message(check.as_mut(), ("reading", &id), second * SECOND, None);
            for observer in observers {
                let path = format!("reading>{observer}");
                let took_ms = late(124)(second).map(|at| (at - second) * 1_000);
                message(check.as_mut(), (&path, &id), second * SECOND, took_ms);
            }
        }
        check.verdict(&facts)
    };
    let toml = BOTH.replace("queryable", "received");
    assert_eq!(run(&toml, &["a"]).status, Status::Pass);
    let several = run(&toml, &["a", "b"]);
    assert_eq!(several.status, Status::Inconclusive);
    assert!(several.why.to_string().contains("(a, b): name one"), "{}", several.why);
    assert_eq!(run(&format!("{toml}\nobserver = \"b\""), &["a", "b"]).status, Status::Pass);
    assert_eq!(run(&toml, &[]).status, Status::Fail);
}

#[test]
fn silence_until_the_end_is_an_outage_too() {
    let toml = "path = \"intended..queryable\"\nlongest_outage = \"25 s\"";
    let silent = |second| (second < 570).then_some(second);
    let verdict = judge(toml, &broken(), silent);
    assert_eq!((verdict.status, verdict.measured), (Status::Fail, Some(31.0)));
}

#[test]
fn nothing_injected_or_not_over_is_inconclusive() {
    let verdict = judge(BOTH, &[], late(124));
    assert_eq!(verdict.status, Status::Inconclusive);
    assert!(verdict.why.to_string().starts_with("nothing was injected"), "{}", verdict.why);
    let verdict = judge(BOTH, &broken()[..1], late(124));
    assert_eq!(verdict.status, Status::Inconclusive);
    assert!(
        verdict.why.to_string().contains("disconnect wan reset never ended"),
        "{}",
        verdict.why
    );
    // Another link's end, or that of another injection, ends nothing.
    for other in [
        Event::restored(at(120), "lan", "disconnect"),
        Event::restored(at(120), "wan", "impair"),
        Event::restarted(at(120), "platform"),
    ] {
        let events = [broken()[0].clone(), other];
        assert_eq!(judge(BOTH, &events, late(124)).status, Status::Inconclusive);
    }
    // An impairment is no outage.
    let impaired = [Event::inject(at(100), "impair", None, "wan")];
    assert_eq!(judge(BOTH, &impaired, late(124)).status, Status::Inconclusive);
}

#[test]
fn a_kill_is_over_when_the_process_is_there_again() {
    let events = [Event::kill(at(100), "platform"), Event::restarted(at(120), "platform")];
    let verdict = judge(BOTH, &events, late(124));
    assert_eq!(verdict.status, Status::Pass, "{}", verdict.why);
    assert!(verdict.why.to_string().contains("after kill platform"), "{}", verdict.why);
    assert_eq!(judge(BOTH, &events, late(131)).status, Status::Fail);
}

#[test]
fn a_schedule_that_ends_too_soon_is_inconclusive() {
    let events = [
        Event::inject(at(580), "disconnect", None, "").with("link", "wan"),
        Event::restored(at(600), "wan", "disconnect"),
    ];
    let toml = "path = \"intended..queryable\"\nrecover_within = \"10 s\"";
    let verdict = judge(toml, &events, |second| Some(if second < 580 { second } else { 605 }));
    assert_eq!(verdict.status, Status::Inconclusive, "{}", verdict.why);
    let expected = "the schedule ended too soon after disconnect to see m in time again";
    assert!(verdict.why.to_string().contains(expected), "{}", verdict.why);
}

#[test]
fn nothing_is_judged_in_virtual_time_in_a_bad_run_or_without_rows() {
    let arrives = |_: &str, second: i64| Some(second);
    let run = |facts: &RunFacts, devices: &[&str]| {
        judge_with(BOTH, &broken(), facts, devices, arrives).status
    };
    assert_eq!(run(&facts(RunState::Finished), &["m"]), Status::Skipped);
    let mut real = real_time(RunState::Finished);
    assert_eq!(run(&real, &["m"]), Status::Pass);
    assert_eq!(run(&real, &[]), Status::Inconclusive);
    real.real_time.as_mut().unwrap().deadlines.missed = 5_000;
    assert_eq!(run(&real, &["m"]), Status::Inconclusive);
    real.real_time.as_mut().unwrap().deadlines.missed = 0;
    real.real_time.as_mut().unwrap().floor_before.as_mut().unwrap().timer.p99_ns = SECOND;
    assert_eq!(run(&real, &["m"]), Status::Inconclusive);
    assert!(try_check("recovery", "path = \"intended..queryable\"").is_err());
}

/// Link `la` breaks, and what goes through `lb` goes on: that shows nothing of `lb`'s devices.
#[test]
fn an_injection_counts_only_for_whom_it_touches() {
    let real = real_time(RunState::Finished);
    let lanes = |lanes: &[&str]| {
        let inject = Event::inject(at(100), "disconnect", None, "la reset").with("link", "la");
        vec![
            inject.with(field::LANES, lanes.to_vec()),
            Event::restored(at(120), "la", "disconnect"),
        ]
    };
    let arrives = |device: &str, second: i64| {
        let is_late = device == "a" && (100..120).contains(&second);
        Some(if is_late { 124 } else { second })
    };
    let judge = |toml: &str, touched: &[&str]| {
        judge_with(toml, &lanes(touched), &real, &["a", "b"], arrives)
    };
    let verdict = judge(&format!("{BOTH}\ndevice = \"b\""), &["a"]);
    assert_eq!(verdict.reason, Reason::NothingToJudge, "{}", verdict.why);
    assert!(verdict.why.to_string().contains("no injection touched"), "{}", verdict.why);
    let verdict = judge(BOTH, &["a"]);
    assert_eq!((verdict.status, verdict.n), (Status::Pass, 1), "{}", verdict.why);
    assert!(verdict.why.to_string().contains("recovered within 4 s of a after"), "{}", verdict.why);
    // A device that is late by itself has recovered from nothing.
    let verdict = judge(&BOTH.replace("25 s", "1000 s"), &["b"]);
    assert!(verdict.why.to_string().contains("recovered within 0 s of b"), "{}", verdict.why);
    // An observer's link touches what it observes, and a lane of its own one device.
    let touches = |lanes: &[&str], path: &str, device: &str| {
        let event = Event::inject(at(1), "disconnect", None, "").with("lanes", lanes.to_vec());
        Injection::new(1, &event, 0, String::new(), EndEvent::Restored(None)).touches(path, device)
    };
    assert!(touches(&["o"], "reading>o", "a") && !touches(&["o"], "reading", "a"));
    assert!(touches(&["o.a"], "reading>o", "a") && !touches(&["o.a"], "reading>o", "b"));
    assert!(touches(&["a"], "reading>o", "a") && touches(&["a"], "command", "a"));
}

/// One arrival is not kept any more: what is judged would not be all that arrived.
#[test]
fn more_arrivals_than_are_kept_leave_it_open() {
    let real = real_time(RunState::Finished);
    let mut check = check("recovery", BOTH);
    check.begin(&real);
    for (line, event) in (1..).zip(broken()) {
        check.event(line, &event);
    }
    let kept = i64::try_from(EXACT_MAX).unwrap();
    for number in 0..kept {
        let due_ns = 600 * SECOND / kept * number;
        message(check.as_mut(), ("reading", "m/1/1"), due_ns, Some(0));
    }
    // What is late is not kept.
    message(check.as_mut(), ("reading", "m/1/1"), 599 * SECOND, Some(1_001));
    assert_eq!(check.verdict(&real).status, Status::Pass);
    message(check.as_mut(), ("reading", "m/1/1"), 600 * SECOND, Some(0));
    let verdict = check.verdict(&real);
    assert_eq!(verdict.reason, Reason::TooMany, "{}", verdict.why);
}
